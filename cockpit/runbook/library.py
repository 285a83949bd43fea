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
    ./docs/runbooks, then what comes with cockpit. They need not exist.
    """
    here = [Path(os.path.abspath(name)) for name in _HERE if os.path.isdir(name)]  # noqa: PTH100, PTH112
    return list(dict.fromkeys([*config.runbooks, *here, shipped()]))


def walk(places: Sequence[Path]) -> Library:
    """Every markdown file in these folders, each once, however many links lead to it.

    A folder that is not there is passed over; hidden ones are not looked into. A folder may also be
    a file. Never raises.
    """
    library = Library()
    seen: set[tuple[int, int]] = set()
    for place, folder in enumerate(places):
        if folder.is_dir():
            library.looked.append(folder)
        elif not folder.is_file():
            library.passed.append(clean_line(f"{folder} is not there"))
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


# --- until the dialog is there
import re  # noqa: E402

_SEVERITY = re.compile(r"\b(?:P[0-4]|SEV-?[0-5])\b", re.IGNORECASE)
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Listed:
    """A runbook to choose: its file, its title, and its severity where it names one."""

    path: Path
    title: Safe
    severity: Safe


def find(folders: Iterable[Path]) -> list[Listed]:
    """Every markdown file in these folders, in the order of folders, then of names.

    Only the head of each file is read. A folder that is not there is passed over.
    """
    found: dict[Path, Listed] = {}
    for folder in folders:
        for path in sorted(folder.glob("**/*.md")):
            if path.is_file() and path.resolve() not in found:
                found[path.resolve()] = _listed(path)
    return list(found.values())


def _listed(path: Path) -> Listed:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        head = ""
    title = next((line[2:] for line in head.splitlines() if line.startswith("# ")), path.stem)
    severity = _SEVERITY.search(head)
    return Listed(
        path, clean_line(title.strip()), clean_line(severity[0].upper()) if severity else Safe("")
    )
