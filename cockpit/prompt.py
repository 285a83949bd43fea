"""What a login asks, put before the person at the terminal; where there is none, said."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
from collections.abc import Iterator

from cockpit.live import say
from cockpit.target.target import Question

TERMINAL = "/dev/tty"


class Prompt:
    """An Asker for the plain command line. open: how many questions wait for an answer."""

    def __init__(self) -> None:
        self.open = 0
        self._turn = asyncio.Lock()

    async def __call__(self, question: Question) -> str | None:
        self.open += 1
        try:
            async with self._turn:  # hosts of a group may ask at the same time
                return await self._ask(question)
        finally:
            self.open -= 1

    async def _ask(self, question: Question) -> str | None:
        asked = f"{question.host}: {question.prompt.rstrip(' :?')}"
        # Not stdin: that may be a file or a pipe, and the answer is not meant to come from there.
        try:
            fd = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            say(f"{asked}? There is no terminal to answer on.")
            return None
        try:
            with _unseen(fd) if question.secret else contextlib.nullcontext():
                os.write(fd, f"{asked}: ".encode(errors="replace"))
                return await _line(fd)
        except (OSError, termios.error) as error:
            say(f"{asked}? The terminal failed ({error}).")
            return None
        finally:
            os.close(fd)


@contextlib.contextmanager
def _unseen(fd: int) -> Iterator[None]:
    """What is typed does not show."""
    before = termios.tcgetattr(fd)
    quiet = termios.tcgetattr(fd)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSAFLUSH, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)
        os.write(fd, b"\n")  # the one that was typed did not show either


async def _line(fd: int) -> str | None:
    """A line of the terminal; None at its end (ctrl+d)."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(fd, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(fd)
    # The terminal gives whole lines, so there is one to be had now.
    line = os.read(fd, 4096)
    return os.fsdecode(line.removesuffix(b"\n")) if line else None
