"""What a command printed: kept raw in a file beside the journal, its end at hand for the screen."""

from __future__ import annotations

import os
from pathlib import Path

KEPT = 256 * 1024
EXCERPT = 512 * 1024


class Output:
    """The output of one run.

    The file holds bytes as the host sent them and is never exported. Where it cannot be written the
    newest bytes stay in memory, and `trouble` says so; `offset` counts all that was received.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.trouble = ""
        self.offset = 0
        self.newest = b""
        if path is not None and path.exists():
            self.offset = path.stat().st_size
            with path.open("rb") as file:
                file.seek(max(0, self.offset - KEPT))
                self.newest = file.read()

    def add(self, data: bytes) -> None:
        """Keeps more output; never raises for the disk's sake."""
        self.offset += len(data)
        self.newest = (self.newest + data)[-KEPT:]
        if self.path is None or self.trouble:
            return
        try:
            descriptor = os.open(
                self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            self.trouble = f"the output could not be kept in {self.path.name}: {error.strerror}"

    def settle(self) -> None:
        """Has the file on disk for good, as far as the disk can."""
        if self.path is None or self.trouble or not self.path.exists():
            return
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            self.trouble = f"{self.path.name} may not be on disk: {error.strerror}"
        finally:
            os.close(descriptor)


def excerpt(path: Path) -> bytes:
    """The output in a file; of one larger than 1 MiB its start and end, with a line in between.

    Empty where there is no such file.
    """
    try:
        with path.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            if length <= 2 * EXCERPT:
                return file.read()
            start = file.read(EXCERPT)
            file.seek(length - EXCERPT)
            left_out = length - 2 * EXCERPT
            return start + f"\n[... {left_out} bytes left out ...]\n".encode() + file.read()
    except OSError:
        return b""
