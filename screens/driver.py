"""The Textual driver of cockpit: it sends the terminal the difference, never a backlog.

Textual's own driver queues every write, and its event loop waits when the terminal is slow: with
the reader stopped, keys, timers and SSH stand still. Here the loop only posts to a thread
(`screens.terminal`) that owns the wanted and the shown screen.

This file alone knows what is private in Textual 8.2; each use says why.
"""

from __future__ import annotations

import os
import select
import sys
from codecs import getincrementaldecoder
from queue import SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

import textual.driver
from textual import events
from textual.drivers.linux_driver import LinuxDriver

from screens.terminal import ENTER, LEAVE, Post, Repaint, Size, Stop, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App
    from textual.message import Message
    from textual.screen import Screen

SWITCH: Final = "COCKPIT_DRIVER"
"""Environment variable; "textual" switches back to Textual's own driver."""

_LONGEST_CLOSE: Final = 1.0
_LONGEST_WAIT: Final = 0.5
"""Seconds that leaving waits for answers under way."""
_LONGEST_SHOW: Final = 2.0
"""Seconds that a screen waits for the terminal to confirm that it was drawn."""


def driver_class() -> type[textual.driver.Driver] | None:
    """What to pass as `App(driver_class=…)`; None (Textual's own) with COCKPIT_DRIVER=textual."""
    return None if os.environ.get(SWITCH) == "textual" else Driver


def driver_of(app: App[Any]) -> Driver | None:
    """The cockpit driver that a running app uses; None under a test pilot or Textual's driver."""
    # Private: App has no public way to its driver.
    driver = app._driver
    return driver if isinstance(driver, Driver) else None


def when_shown(screen: Screen[Any], then: Callable[[], None]) -> None:
    """Calls back once the terminal has confirmed the next frame, or after a while where it never
    does: a key from before that was pressed on another screen."""
    since = monotonic()

    def look() -> None:
        driver = driver_of(screen.app)
        if driver and driver.lag and monotonic() - since < _LONGEST_SHOW:
            screen.set_timer(0.02, look)
        else:
            then()

    screen.call_after_refresh(look)


class Driver(LinuxDriver):
    """Textual's Linux driver with an output side that never waits for the terminal."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # A SimpleQueue never blocks and may be used from signal handlers, where Textual's resize
        # and suspend code runs.
        self._posts: SimpleQueue[Post] = SimpleQueue()
        self._terminal = Terminal(self._posts, self._terminal_failed)
        self._sender: Thread | None = None
        self._in_application_mode = False

    @property
    def rtt(self) -> float | None:
        """Seconds from sending a frame to its acknowledgement, smoothed; None before the first."""
        return self._terminal.rtt

    @property
    def lag(self) -> float | None:
        """Seconds since the oldest unacknowledged frame was sent, 0.0 when there is none.

        None when the terminal has never acknowledged anything.
        """
        return self._terminal.lag

    def sift(self, typed: bytes) -> bytes:
        """Take answers still due to us out of what is typed while another program has the terminal.

        On a slow link one may come after the terminal was handed over.
        """
        return self._terminal.take_late_answers(typed)

    def repaint(self) -> None:
        """Forget what the terminal shows and send everything."""
        self._posts.put(Repaint())

    def write(self, data: str) -> None:
        """Take a frame or a control sequence; never waits."""
        if data in (ENTER, LEAVE):
            self._in_application_mode = data == ENTER
        if self._sender is None:
            self._terminal.note(data)
        else:
            self._posts.put(data)

    def flush(self) -> None:
        """Nothing to do: writes are sent as soon as the terminal has room."""

    def start_application_mode(self) -> None:
        """Take the terminal over and start sending."""
        if self._sender is None:
            self._posts = SimpleQueue()
            self._terminal.open(self._posts)
            fd = sys.__stderr__.fileno() if sys.__stderr__ is not None else 2
            self._sender = Thread(
                target=self._terminal.run, args=(fd,), daemon=True, name="cockpit-screen"
            )
            self._sender.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        give_up = monotonic() + min(self._terminal.hush(), _LONGEST_WAIT)
        while not self._terminal.is_answered and monotonic() < give_up:
            sleep(0.005)
        super().stop_application_mode()

    def resume_application_mode(self) -> None:
        """Take the terminal back; after a SIGCONT without a suspend, only repaint.

        Textual would start a second input thread then, and take raw mode for the state to restore.
        """
        if self._in_application_mode:
            self.repaint()
        else:
            super().resume_application_mode()

    def close(self) -> None:
        """Send what the terminal still takes, at most for a second, and let go of it."""
        if self._sender is not None:
            self._posts.put(Stop())
            self._sender.join(_LONGEST_CLOSE)
            self._sender = None
        super().close()

    def process_message(self, message: Message) -> None:
        """Pass a message on to the app; sizes that the terminal reports in-band are noted."""
        if isinstance(message, events.Resize):
            self._posts.put(Size(*message.size))
        super().process_message(message)

    def _get_terminal_size(self) -> tuple[int, int]:
        # Private: the one place that Textual passes through on SIGWINCH and on start, just before
        # it tells the app about the size.
        size = super()._get_terminal_size()
        self._posts.put(Size(*size))
        return size

    def run_input_thread(self) -> None:
        """Wait for input and dispatch it; ask the app to exit when the terminal is gone.

        Written anew, because Textual's loop spins at the end of the input and offers no way in, and
        because an acknowledgement that comes in the middle of a paste would become part of it.
        """
        # Private: Textual offers the parser of its driver nowhere else.
        from textual._xterm_parser import XTermParser

        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        held = ""
        while not self.exit_event.is_set():
            data = ""
            # The rest of an answer follows at once; an escape key is not kept waiting for it.
            if select.select([self.fileno], [], [], 0.02 if held else 0.1)[0]:
                try:
                    received = os.read(self.fileno, 4096)
                except OSError:  # EIO: the terminal was hung up
                    received = b""
                if not received:
                    self._ask_to_exit()
                    break
                data = decode(received)
            text, held = self._terminal.take_answers(held + data, more_may_come=bool(data))
            messages = [*parser.feed(text)] if text else []
            for message in (*messages, *parser.tick()):
                self.process_message(message)

    def _ask_to_exit(self) -> None:
        self._app.call_later(self._app.exit)

    def _terminal_failed(self, error: Exception | None) -> None:
        if error is None:
            self._ask_to_exit()
        else:
            self._app.call_later(_raise, error)


def _raise(error: Exception) -> None:
    """Raise on the loop what went wrong in a thread: the app ends, says why, and returns 1."""
    raise error
