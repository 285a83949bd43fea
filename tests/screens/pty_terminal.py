"""A program in a pseudo-terminal, with pyte as the terminal in front of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyte

_ASKS = re.compile(rb"\x1b\[6n")
_SEQUENCE_TAIL = 3


class Terminal:
    """Runs a command on a pty; reads, shows and, when `answers`, acknowledges what it writes.

    whole_env: inherit all of the environment, not just what a program needs to start.
    asked: how often the cursor position was asked for. received: bytes so far.
    Close it when done; it kills what still runs.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
        answers: bool = True,
        whole_env: bool = False,
    ) -> None:
        self.answers = answers
        self.screen = pyte.Screen(*size)
        self.stream = pyte.ByteStream(self.screen)
        self.received = 0
        self.asked = 0
        self.raw = bytearray()
        self.status: int | None = None
        inherited = dict(os.environ) if whole_env else {}
        environment = {**inherited, **_base_env(), **(env or {})}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                packed = struct.pack("HHHH", size[1], size[0], 0, 0)
                fcntl.ioctl(0, termios.TIOCSWINSZ, packed)
                os.execvpe(argv[0], list(argv), environment)
            finally:
                os._exit(127)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resize(self, width: int, height: int) -> None:
        self.screen.resize(lines=height, columns=width)
        self._set_size(width, height)

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def read(self, seconds: float = 0.05) -> bool:
        """Take what comes within some seconds; False when the program has let go."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.received += len(data)
        tail = bytes(self.raw[-_SEQUENCE_TAIL:])
        self.raw += data
        # pyte takes CSI with "<", ">" and "=" for text; a real terminal ignores what it lacks.
        done = 0
        joined = tail + data
        for ask in _ASKS.finditer(joined):
            end = ask.end() - len(tail)
            if end <= 0:
                continue
            self._feed(data[done:end])
            done = end
            self.asked += 1
            if self.answers:
                cursor = self.screen.cursor
                x = min(cursor.x, self.screen.columns - 1)
                os.write(self.fd, f"\x1b[{cursor.y + 1};{x + 1}R".encode())
        self._feed(data[done:])
        return True

    def _feed(self, data: bytes) -> None:
        self.stream.feed(re.sub(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p", b"", data))

    def read_until(self, done: Callable[[], bool], seconds: float = 30.0) -> None:
        """Read until something holds; fails with the screen when it does not."""
        give_up = time.monotonic() + seconds
        while not done():
            if time.monotonic() > give_up or not self.read():
                raise AssertionError("did not come about on:\n" + self.text())

    def read_for(self, seconds: float) -> None:
        give_up = time.monotonic() + seconds
        while (left := give_up - time.monotonic()) > 0 and self.read(min(left, 0.05)):
            pass

    def read_until_quiet(self, seconds: float = 0.4, at_most: float = 10.0) -> None:
        """Read until nothing has come for some seconds."""
        give_up = time.monotonic() + at_most
        quiet_since, seen = time.monotonic(), self.received
        # Only once a read found nothing: what came while we stood still is there to be read.
        while time.monotonic() < give_up and self.read():
            if self.received != seen:
                quiet_since, seen = time.monotonic(), self.received
            elif time.monotonic() >= quiet_since + seconds:
                return

    def text(self) -> str:
        # Not its `display`: that fails on half a wide character, amid what is being drawn.
        columns, rows = range(self.screen.columns), self.screen.buffer
        return "\n".join(
            "".join(rows[y][x].data for x in columns) for y in range(self.screen.lines)
        )

    def cells(self) -> list[list[Any]]:
        """What can be seen: a blank without line or reverse has no foreground."""
        return [
            [_seen(self.screen.buffer[y][x]) for x in range(self.screen.columns)]
            for y in range(self.screen.lines)
        ]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 30.0, *, reading: bool = True) -> int | None:
        """The exit status, or None when it still runs after some seconds; then all is read."""
        give_up = time.monotonic() + seconds
        while self.status is None and time.monotonic() < give_up:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif not reading or not self.read(0.02):
                time.sleep(0.02)
        if self.status is not None and reading:
            # Its last words may still be on their way; the end is seen where all of them are read.
            until = time.monotonic() + 2
            while True:
                seen = self.received
                # However late it is, all that is there by now is read.
                if not self.read(0.02) or (self.received == seen and time.monotonic() >= until):
                    break
        return self.status

    def close(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = -signal.SIGKILL
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _seen(char: Any) -> Any:
    if char.data == " " and not (char.underscore or char.reverse or char.strikethrough):
        return (" ", char.bg)
    return char


def _base_env() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    return {
        **kept,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "TEXTUAL_ANIMATIONS": "none",
    }
