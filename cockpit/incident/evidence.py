"""Files beside the journal: output and logs, kept as they came."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from pathlib import Path
from typing import Self

from cockpit.incident.segments import sync_directory

FOLDER = "evidence"


class Evidence:
    """A file that is only ever appended to; mode 0600, raw bytes, local to this machine.

    name: path under the incident's folder, as the journal refers to it. size: bytes in it.
    """

    def __init__(self, folder: Path, name: str, fd: int) -> None:
        self.name = name
        self.path = folder / name
        self.size = os.fstat(fd).st_size
        self._fd = fd

    @classmethod
    def create(cls, folder: Path, title: str) -> Self:
        """A new evidence/NNNN-title.txt; title may be anything. Raises OSError."""
        directory = folder / FOLDER
        directory.mkdir(mode=0o700, exist_ok=True)
        number = max((_number(path) for path in directory.iterdir()), default=0)
        while True:
            number += 1
            name = f"{FOLDER}/{number:04}-{_safe(title)}.txt"
            with contextlib.suppress(FileExistsError):
                fd = os.open(folder / name, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
                sync_directory(directory)
                sync_directory(folder)
                return cls(folder, name, fd)

    @classmethod
    def reopen(cls, folder: Path, name: str) -> Self:
        """Goes on with a file that the journal names; its size is the offset to ask a job for.

        Raises OSError, ValueError when the name leads out of the folder of evidence.
        """
        if not re.fullmatch(rf"{FOLDER}/[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError(f"{name!r} is not the name of evidence")
        return cls(folder, name, os.open(folder / name, _FLAGS))

    def append(self, data: bytes) -> None:
        """Adds bytes; on disk they are after `sync`. Raises OSError, with size as it then is."""
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self.size += written
            view = view[written:]

    def sync(self) -> None:
        """Puts everything on disk. Raises OSError; then what was appended since may be lost."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Syncs and closes. Raises OSError when the sync failed."""
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def _number(path: Path) -> int:
    found = re.match(r"(\d{4,9})-", path.name, re.ASCII)
    return int(found[1]) if found else 0


def _safe(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:60].strip("-") or "evidence"
