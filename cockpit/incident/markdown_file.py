"""incident.md: always whole, always the latest that could be written."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from cockpit.incident.segments import sync_directory

NAME = "incident.md"

_PREFIX = ".incident.md."
_STALE_SECONDS = 60


def write_markdown(folder: Path, text: str) -> str:
    """Replaces incident.md in an incident's folder at once; readers see the old one or the new.

    Returns a sentence that says why it could not be, empty when it was. Never raises: the journal
    is the truth, this is made from it and can be made again.
    """
    return replace_file(folder / NAME, text)


def replace_file(path: Path, text: str) -> str:
    """Writes a whole file beside the old one, then puts it in its place.

    Returns a sentence that says why it could not be, empty when it was. Never raises.
    """
    temporary = ""
    try:
        temporary = _whole(path.parent, text)
        Path(temporary).replace(path)
        temporary = ""
        sync_directory(path.parent)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        words = (error.strerror or str(error)).lower()
        return f"{path} is not up to date ({words}). The journal is not touched by this."
    return ""


def write_new(path: Path, text: str) -> str:
    """Writes a whole file where there is none; one that is there already stays as it is.

    Returns a sentence that says why it could not be, empty when it was or need not be. Never
    raises.
    """
    temporary = ""
    try:
        temporary = _whole(path.parent, text)
        try:
            path.hardlink_to(temporary)  # unlike replace, this never takes another file's place
        except PermissionError:  # this file system has no hard links
            with path.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.write(text)
        sync_directory(path.parent)
    except FileExistsError:
        return ""
    except OSError as error:
        return f"{path} could not be written ({(error.strerror or str(error)).lower()})."
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
    return ""


def _whole(folder: Path, text: str) -> str:
    """A temporary file with the text in it, on disk; its name. Raises OSError."""
    fd, temporary = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    return temporary


def sweep(folder: Path) -> None:
    """Removes what writers that were killed left behind; what is fresh may still be written."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
