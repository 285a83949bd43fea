"""What a command printed: kept raw in a file of evidence, its end at hand for the screen."""

from __future__ import annotations

import os
from pathlib import Path

from cockpit.incident.evidence import Evidence

KEPT = 256 * 1024
EXCERPT = 512 * 1024
SETTLED = 16 * 1024


class Output:
    """The output of one run.

    offset counts all bytes received. Where the file cannot be written the newest bytes stay in
    memory, and `trouble` says so.
    """

    def __init__(self, evidence: Evidence | None, trouble: str = "") -> None:
        self.evidence = evidence
        self.trouble = trouble
        self.offset = evidence.size if evidence else 0
        self.newest = _end(evidence.path, self.offset) if evidence else b""

    def add(self, data: bytes) -> None:
        """Keeps more output; never raises for the disk's sake."""
        self.offset += len(data)
        self.newest = (self.newest + data)[-KEPT:]
        if self.evidence is None or self.trouble:
            return
        try:
            self.evidence.append(data)
        except OSError as error:
            self._fail(error)

    def reads(self) -> bytes:
        """Of a terminal that has ended: has only what is left to read at hand; returns that."""
        from cockpit.incident.terminal_text import spoken

        self.newest = spoken(self.newest)
        self.offset = len(self.newest)
        return self.newest

    def settle(self) -> None:
        """Has it on disk for good, as far as the disk can; blocks."""
        if self.evidence is None:
            return
        try:
            self.evidence.close()
        except OSError as error:
            self._fail(error)
        self.evidence = None
        self.newest = self.newest[-SETTLED:]

    def _fail(self, error: OSError) -> None:
        name = self.evidence.name if self.evidence else "a file"
        self.trouble = f"Output could not be kept in {name} ({error.strerror or error})."


def _end(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, size - KEPT))
        return file.read()


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
