"""Which runbooks there are to choose from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from cockpit.text import Safe, clean_line

_HEAD = 4096
_SEVERITY = re.compile(r"\b(?:P[0-4]|SEV-?[0-5])\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listed:
    """A runbook to choose: its file, its title, and its severity where it names one."""

    path: Path
    title: Safe
    severity: Safe


def shipped() -> Path:
    """The folder of the runbooks that come with cockpit."""
    with as_file(files("cockpit") / "runbooks") as folder:
        return folder


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
