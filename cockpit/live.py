"""What a command prints, given on as it comes; what cockpit itself says, beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
from typing import Final

import click

from cockpit.incident.logbook import aside
from cockpit.text import Safe, clean, clean_line

LONGEST_LINE: Final = 256 * 1024
"""Bytes of a line that are waited for before it is shown in parts."""


def say(text: str) -> None:
    """One line on stderr; where nobody can read it any more, nothing."""
    with contextlib.suppress(OSError):
        click.echo(clean_line(text), err=True)


def hold_standard() -> None:
    """Has descriptors 0 to 2 open: else a journal could get one of them, and the output into it.

    To be called before anything else is opened.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free, which is this one


class Printer:
    """Writes output to a file descriptor, as far as its reader takes it, and holds up nothing else.

    To a pipe or a file byte by byte; to a terminal by whole lines, cleaned: what a host prints must
    not move the cursor or set the clipboard of whoever looks. With a `prefix`, which stands before
    each line, by whole lines in either case; `turn` keeps those of several apart.
    """

    def __init__(
        self, fd: int = 1, prefix: Safe = Safe(""), turn: asyncio.Lock | None = None
    ) -> None:
        self._fd = fd
        self._turn = turn or asyncio.Lock()
        self._seen = os.isatty(fd)
        self._prefix = prefix
        self._by_lines = self._seen or bool(prefix)
        self._rest = b""

    async def write(self, data: bytes) -> None:
        """Raises OSError where it cannot be written, as when its reader has gone."""
        if self._by_lines:
            whole, newline, rest = (self._rest + data).rpartition(b"\n")
            self._rest = rest
            data = self._lines(whole + newline) if newline else b""
            if len(rest) > LONGEST_LINE:
                await self.finish()
        await self._put(data)

    async def finish(self) -> None:
        """Writes what is left of a line that has no end. Raises OSError."""
        rest, self._rest = self._rest, b""
        if rest:
            await self._put(self._lines(rest + b"\n"))

    async def _put(self, data: bytes) -> None:
        if data:
            async with self._turn:
                await aside(lambda: _write_all(self._fd, data))

    def _lines(self, whole: bytes) -> bytes:
        if self._seen:
            encoding = sys.stdout.encoding or "utf-8"
            whole = clean(whole).encode(encoding, "backslashreplace")
        if not self._prefix:
            return whole
        before = self._prefix.encode(errors="replace")
        lines = whole.removesuffix(b"\n").split(b"\n")
        return b"".join(before + line + b"\n" for line in lines)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # whoever gave it to us does not wait on it
            select.select([], [fd], [])
