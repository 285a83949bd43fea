"""Which runbooks there are: where they are looked for, and the files found there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

from cockpit.config import Config
from cockpit.text import Safe, clean_line

MOST = 20_000
"""Files; whoever names a home directory as a folder of runbooks shall not wait for all of it."""

_HERE = ("runbooks", "docs/runbooks")
_ENDINGS = (".md", ".markdown")
_NOT_INTO = frozenset({"node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class File:
    """A markdown file as the folder lists it. place counts the folders, from 0."""

    path: Path
    place: int
    size: int
    changed: int


@dataclass(slots=True)
class Library:
    """The files found, in the order of folders, then of names. passed: what was passed over, why.

    looked: the folders that are there.
    """

    files: list[File] = field(default_factory=list)
    passed: list[Safe] = field(default_factory=list)
    looked: list[Path] = field(default_factory=list)


def shipped() -> Path:
    """The folder of the runbooks that come with cockpit."""
    with as_file(files("cockpit") / "runbooks") as folder:
        return folder


def folders(config: Config) -> list[Path]:
    """Where runbooks are looked for: in the order of cockpit.yaml, then ./runbooks and
    ./docs/runbooks, the handbook, then what comes with cockpit. They need not exist.
    """
    here = [Path(os.path.abspath(name)) for name in _HERE if os.path.isdir(name)]  # noqa: PTH100, PTH112
    handbook = [config.handbook] if config.handbook else []
    return list(dict.fromkeys([*config.runbooks, *here, *handbook, shipped()]))


def advice(config: Config) -> Safe:
    """Where was looked, and how to have more looked in: for who has no runbooks of their own."""
    looked = [*(str(folder) for folder in config.runbooks), *(f"./{name}" for name in _HERE)]
    name = config.path.name if config.path else "cockpit.yaml"
    return clean_line(
        f"Only those that come with cockpit: none in {', '.join(looked)}. "
        f"Name your folders in {name}, as runbooks: [/path/to/runbooks]"
    )


def walk(places: Sequence[Path]) -> Library:
    """Every markdown file in these folders, each once, however many links lead to it.

    A folder that is not there is passed over; hidden ones are not looked into. A folder may also be
    a file. What comes with cockpit is for who has none before it: at 3am it would only be in the
    way, with the same titles. Never raises.
    """
    library = Library()
    seen: set[tuple[int, int]] = set()
    for place, folder in enumerate(places):
        if library.files and folder == shipped():
            continue
        if folder.is_dir():
            library.looked.append(folder)
        elif not folder.is_file():
            library.passed.append(clean_line(f"{folder} is not there"))
            continue
        for path, status in _files(folder, library.passed, seen):
            if len(library.files) >= MOST:
                library.passed.append(Safe(f"all beyond {MOST} files"))
                return library
            library.files.append(File(path, place, status.st_size, status.st_mtime_ns))
    return library


def _files(
    top: Path, passed: list[Safe], seen: set[tuple[int, int]]
) -> Iterator[tuple[Path, os.stat_result]]:
    """Files below a folder, by name; links are followed, loops are not."""
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if path.is_dir():
                waiting += sorted(_entries(path), reverse=True)
            elif path.is_file():
                yield path, status
        except OSError as error:
            passed.append(clean_line(f"{path.name} ({(error.strerror or 'unreadable').lower()})"))


def _entries(folder: Path) -> Iterable[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOT_INTO:
                continue
            if entry.name.lower().endswith(_ENDINGS) or entry.is_dir():
                yield Path(entry.path)
