"""The responder's real terminal, handed to a program and taken back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.incident.terminal_text import spoken
from cockpit.runs import CannotRun, InTerminal
from cockpit.target import terminal
from cockpit.target.hosts import THIS_MACHINE
from cockpit.text import Safe, clean_line
from screens import paint
from screens.driver import Driver, driver_of

AT_ONCE: Final = 2.0
"""Seconds within which a program is over so soon that its last words could not be read."""

_LAST_WORDS: Final = 16_384
_SETTLES: Final = 0.5
_ALTERNATE: Final = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")

_TIDY: Final = (
    b"\x18\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l"
    b"\x1b[?2004l\x1b[?1l\x1b>\x1b[4l\x1b[?7h\x1b[m\x1b(B\x0f\x1b7\x1b[r\x1b8\x1b[?25h"
)
"""Undoes what a program may have left: half a sequence, mouse, paste, keypad, margins, cursor."""


class Opening(ModalScreen[None]):
    """While a terminal is opened: what is typed ahead is for nobody here, and does nothing."""

    AUTO_FOCUS = ""

    def __init__(self, where: Safe) -> None:
        super().__init__(classes="panel")
        self.where = where

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((Safe(f"Opening a terminal on {self.where} …"), "title")))


class HandOver:
    """Gives the terminal to one program at a time.

    While it is away the loop goes on: jobs, links and the journal do. Call it with what runs.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._driver = driver_of(app)

    @property
    def term(self) -> str:
        """What kind of terminal it is, as in $TERM."""
        return os.environ.get("TERM") or "xterm"

    def size(self) -> tuple[int, int]:
        """Its columns and rows."""
        columns, rows = os.get_terminal_size(self._own().fileno)
        return columns, rows

    def _own(self) -> Driver:
        if self._driver is None or not os.isatty(self._driver.fileno):
            raise CannotRun(
                "This needs a terminal, and cockpit does not have it to give here"
                " (COCKPIT_DRIVER?). y copies the command: run it in another terminal."
            )
        return self._driver

    async def __call__(self, opened: InTerminal) -> terminal.End:
        """Has the program run in front of the responder until it ends, and comes back."""
        driver = self._own()
        with _front(driver.fileno) as fd, self._app.suspend():
            # An exception would pass by Textual's taking the terminal back: it is raised after.
            shown = await asyncio.gather(self._show(driver, opened, fd), return_exceptions=True)
            # What was typed for the program must do nothing here.
            with suppress(termios.error):
                termios.tcflush(driver.fileno, termios.TCIFLUSH)
        if isinstance(shown[0], BaseException):
            raise shown[0]
        return shown[0]

    async def _show(self, driver: Driver, opened: InTerminal, fd: int) -> terminal.End:
        loop = asyncio.get_running_loop()
        seen = _Seen(opened)
        before = termios.tcgetattr(driver.fileno)

        def resize() -> None:
            with suppress(OSError):
                opened.terminal.resize(*os.get_terminal_size(driver.fileno))

        await _say(fd, _greeting(opened, self.size()[0]))
        tty.setraw(driver.fileno, termios.TCSANOW)
        loop.add_signal_handler(signal.SIGWINCH, resize)
        resize()
        try:
            end = await terminal.relay(
                opened.target,
                opened.terminal,
                keys=fd,
                screen=fd,
                keep=seen.keep,
                sift=lambda typed: seen.typed(driver.sift(typed)),
            )
            if end.how != "gone":
                await _say(fd, (b"\x1b[?1049l" if seen.alternate else b"") + _TIDY)
                # Answers to what the program asked its terminal are still under way.
                await asyncio.sleep(min(_SETTLES, 2 * (driver.rtt or 0.0) + 0.02))
                termios.tcflush(driver.fileno, termios.TCIFLUSH)
                if _is_worth_reading(end, seen):
                    await _say(fd, _farewell(end))
                    await _enter_key(fd)
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)
            with suppress(termios.error):
                termios.tcsetattr(driver.fileno, termios.TCSANOW, before)
        return end


class _Seen:
    """What a program has shown: kept as evidence, its last words at hand."""

    def __init__(self, opened: InTerminal) -> None:
        self._keep = opened.keep
        self.last = b""
        self.alternate = False
        self.keys = False

    def typed(self, data: bytes) -> bytes:
        """Notes that somebody was at work with it."""
        self.keys = self.keys or bool(data)
        return data

    def keep(self, data: bytes) -> None:
        self._keep(data)
        tail = self.last[-8:]
        for switch in _ALTERNATE.finditer(tail + data):
            self.alternate = switch[1] == b"h"
        self.last = (self.last + data)[-_LAST_WORDS:]


def _greeting(opened: InTerminal, width: int) -> bytes:
    host = opened.target.name
    first, *more = opened.command.strip().split("\n")
    rest = f" and {len(more)} more lines" if more else ""
    words = [
        clean_line(f"cockpit: in your terminal on {host}: {first}{rest}"),
        Safe("Its end brings you back; if it hangs, enter ~. leaves it."),
    ]
    if host != THIS_MACHINE:
        words.append(Safe("It ends if the link drops."))
    lines = [line for sentence in words for line in paint.fold(sentence, max(20, width - 1))]
    return b"\r\n" + b"".join(f"{line}\r\n".encode() for line in lines)


def _is_worth_reading(end: terminal.End, seen: _Seen) -> bool:
    """Whether somebody may not have read what stands there: it failed, or was over at once."""
    unread = end.exit_status != 0 or (end.seconds < AT_ONCE and not seen.keys)
    return end.how == "done" and unread and bool(spoken(seen.last).strip())


def _farewell(end: terminal.End) -> bytes:
    if end.exit_status == 0:
        how = "ended"
    elif end.exit_status is None:
        how = "ended, nobody knows how"
    else:
        how = f"ended with exit status {end.exit_status}"
    return f"\r\n\x1b[7m cockpit: it {how}. Press enter to return. \x1b[m\r\n".encode()


async def _enter_key(fd: int) -> None:
    while True:
        data = await terminal.read(fd)
        if not data or b"\r" in data or b"\n" in data:
            return


async def _say(fd: int, data: bytes) -> None:
    with suppress(OSError):
        await terminal.write(fd, data)


@contextmanager
def _front(fd: int) -> Iterator[int]:
    """The terminal behind a descriptor, opened once more so that no read or write waits.

    The flag belongs to the open file, which the shell that started cockpit shares.
    """
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        own = os.open(os.ttyname(fd), flags)
    except PermissionError:  # after su the terminal belongs to somebody else
        own = os.open("/dev/tty", flags)
    try:
        yield own
    finally:
        os.close(own)
