"""The thread between the wanted screen and the terminal: what is shown, and what is under way.

When the terminal has room it is sent what differs, followed by a request for the cursor position.
The answer says that the terminal has got that far, and how long it took. What was wanted meanwhile
and is no longer wanted is never sent.
"""

from __future__ import annotations

import os
import re
import select
import termios
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic, sleep
from typing import Final

from screens.grid import Grid, difference

ENTER: Final = "\x1b[?1049h"
LEAVE: Final = "\x1b[?1049l"

_ASK: Final = "\x1b[6n"
_SYNC: Final = ("\x1b[?2026h", "\x1b[?2026l")
_PAINTS: Final = re.compile(r"\x1b\[[\d;]*[A-MPSTXZ@`adefr]")
_REPORT: Final = re.compile(r"\x1b\[(\d+);(\d+)R")
_BEGUN_REPORT: Final = re.compile(r"\x1b(?:\[(?:\d+(?:;\d*)?)?)?\Z")

_RESTORE: Final = (
    "\x18\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2048l"
    "\x1b[r\x1b[m\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Cancels a half-sent sequence, then gives the terminal back as Textual's own driver does."""

_LEAST_GAP: Final = 1 / 60
_WINDOW: Final = 4096
"""Bytes that may be under way unacknowledged to a terminal that answers."""

_MOST_QUESTIONS: Final = 8
_PATIENCE: Final = 5.0
"""Seconds without an answer after which a terminal that has answered gets the next frame."""

_MOST_PATIENCE: Final = 40.0
"""To which that doubles while nothing is typed either: on a link that stands still, frames only
pile up."""

_LITTLE_PATIENCE: Final = 1.0
"""The same after three times without an answer though somebody types: perhaps another terminal was
attached."""

_PRESENT: Final = 10.0
"""Seconds for which who has typed something is taken to look on."""

_MUTE_GAP: Final = 0.25
"""Seconds between frames for a terminal that never answered."""

_FORGOTTEN_AFTER: Final = 60.0
_RESIZE_GRACE: Final = 0.25
"""Seconds that Textual gets to lay out a new size before the old cells are shown in it."""

_STALLED: Final = 1.0
"""Seconds without an answer after which none is waited for at the end."""

_DRAIN: Final = 0.5
"""Seconds a stalled terminal gets to take what is under way before that is dropped at the end."""


@dataclass(frozen=True, slots=True)
class Size:
    """The terminal has this many columns and rows now."""

    width: int
    height: int


class Repaint:
    """Forget what the terminal shows."""


class Stop:
    """Say the last words and end."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A request for the cursor position that is under way."""

    at: tuple[int, int] | None
    """Row and column, from 1, that the answer will name; None when the app itself asked."""
    asked: float
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The terminal answered a question of ours after some seconds; None: after giving up on it."""

    took: float | None


Post = str | Answer | Size | Repaint | Stop


class Terminal:
    """What the terminal is to show, what it shows, and what is under way to it.

    `run` is the body of the sending thread, which alone changes the screens. `take_answers` is for
    the input thread; `rtt` and `lag` may be read from anywhere.
    failed: called from the sending thread with the error when it ends early, None for a hang-up.
    """

    def __init__(
        self, posts: SimpleQueue[Post], failed: Callable[[Exception | None], None]
    ) -> None:
        self.rtt: float | None = None
        self._failed = failed
        self._wanted = Grid(0, 0)
        self._questions: deque[_Question] = deque()
        self._questions_lock = Lock()
        self._synchronized = False
        # GNU screen erases with the default background; tmux calls itself screen, too.
        is_screen = os.environ.get("TERM", "").startswith("screen") and "TMUX" not in os.environ
        self._colored_erase = not is_screen
        self.open(posts)

    def open(self, posts: SimpleQueue[Post]) -> None:
        """Begin anew with a terminal about which nothing is known; the wanted screen stays."""
        self._posts = posts
        self._shown: Grid | None = None
        self._controls: list[str] = []
        self._unsent = b""
        self._changed, self._alternate, self._stopping = True, False, False
        self._times_without_answer = 0
        self._last_sent = self._not_before = 0.0
        self._heard = monotonic()
        with self._questions_lock:
            self._questions.clear()
            self._hushed = False

    @property
    def lag(self) -> float | None:
        """Seconds since the oldest unacknowledged frame was sent; None if it never answered."""
        if self.rtt is None:
            return None
        with suppress(IndexError):
            return monotonic() - self._questions[0].asked
        return 0.0

    def hush(self) -> float:
        """Ask no more; return how many seconds to wait for what the terminal will still answer.

        An answer that comes after the input was given back is typed into the shell.
        """
        with self._questions_lock:
            self._hushed = True
        lag = self.lag
        return 0.0 if lag is None or lag > _STALLED or self.rtt is None else 2 * self.rtt + 0.05

    @property
    def is_answered(self) -> bool:
        """Whether no question is under way."""
        return not self._questions

    def note(self, data: str) -> None:
        """Keep the wanted screen true while somebody else has the terminal (no thread runs)."""
        self._wanted.draw(data)

    def take_answers(self, data: str, *, more_may_come: bool) -> tuple[str, str]:
        """Take the acknowledgements out of what the terminal sent.

        Returns what is left for the app, and a tail that may be the beginning of an answer: put it
        before what comes next. An answer to a question of the app, and F3 with shift or control,
        which xterm sends in the same form, are left in.
        """
        held = ""
        if more_may_come and self._questions and (begun := _BEGUN_REPORT.search(data)):
            data, held = data[: begun.start()], begun.group()
        data = _REPORT.sub(self._take_answer, data)
        if data:
            self._heard = monotonic()
        return data, held

    def _take_answer(self, report: re.Match[str]) -> str:
        at = int(report[1]), int(report[2])
        with self._questions_lock:
            question = self._questions[0] if self._questions else None
            is_function_key = at[0] == 1 and 2 <= at[1] <= 16
            if is_function_key and (question is None or question.at not in (None, at)):
                return report[0]
            if question is not None:
                self._questions.popleft()
                if question.at is None:
                    return report[0]
        self._posts.put(Answer(None if question is None else monotonic() - question.asked))
        return ""

    def take_late_answers(self, data: bytes) -> bytes:
        """Take out of the input of another program the answers to questions that we had asked.

        They name the place where we had left the cursor; others are for the program.
        """

        def ours(report: re.Match[str]) -> str:
            at = int(report[1]), int(report[2])
            with self._questions_lock:
                while self._questions:
                    if self._questions.popleft().at == at:
                        return ""
            return report[0]

        if not self._questions or b"R" not in data:
            return data
        return _REPORT.sub(ours, data.decode("latin-1")).encode("latin-1")

    # From here on: the sending thread alone.

    def run(self, fd: int) -> None:
        """Send to a descriptor until told to stop, then give the terminal back."""
        with _without_waiting(fd) as out:
            try:
                while not self._stopping:
                    self._take_posts(out)
                    self._compose(monotonic())
                    self._push(out)
                self._finish(out)
            except OSError:
                self._failed(None)
            except Exception as error:
                self._unsent = _RESTORE.encode()
                with suppress(OSError):
                    self._push(out)
                self._failed(error)

    def _take_posts(self, out: int) -> None:
        with suppress(Empty):
            if self._unsent:
                _wait_for_room(out, 0.05)
            else:
                self._take(self._posts.get(timeout=self._pause(monotonic())))
            while True:
                self._take(self._posts.get_nowait())

    def _take(self, post: Post) -> None:
        match post:
            case str():
                controls = self._wanted.draw(post)
                for control in controls:
                    self._take_control(control)
                if not controls:
                    self._changed, self._not_before = True, 0.0
            case Answer(took):
                self._times_without_answer = 0
                if took is not None:
                    self.rtt = took if self.rtt is None else 0.8 * self.rtt + 0.2 * took
            case Size(width, height):
                self._wanted = self._wanted.resized(width, height)
                self._shown, self._changed = None, True
                self._heard = monotonic()
                self._not_before = self._heard + _RESIZE_GRACE
            case Repaint():
                self._shown, self._changed = None, True
                self._heard = monotonic()
            case Stop():
                self._stopping = True

    def _take_control(self, control: str) -> None:
        if control in _SYNC:
            self._synchronized = True
            return
        if control == LEAVE:
            self._alternate = False
        elif control == ENTER:
            self._alternate, self._shown, self._changed = True, None, True
        elif _PAINTS.match(control):
            self._shown, self._changed = None, True
        self._controls.append(control)

    def _pause(self, now: float) -> float | None:
        """Seconds until the next frame may be sent; None when there is none to send."""
        if not self._changed or not self._alternate:
            return None
        ready = max(self._last_sent + _LEAST_GAP, self._not_before)
        if self._is_full():
            ready = max(ready, self._last_sent + self._patience(now))
        return max(0.0, ready - now)

    def _patience(self, now: float) -> float:
        if self.rtt is None:
            return _MUTE_GAP
        if now - self._heard > _PRESENT:
            return min(_PATIENCE * (1 << min(self._times_without_answer, 9)), _MOST_PATIENCE)
        return _PATIENCE if self._times_without_answer < 3 else _LITTLE_PATIENCE

    def _is_full(self) -> bool:
        """Whether as much is under way as may be."""
        ours = [question.size for question in self._questions.copy() if question.at is not None]
        most = _MOST_QUESTIONS if self.rtt is not None else 1
        unanswered = self._times_without_answer > 0  # however much of it is forgotten by now
        return unanswered or len(ours) >= most or sum(ours) >= _WINDOW

    def _compose(self, now: float) -> None:
        """Turn what is to be said now into bytes, if the bytes before are sent."""
        if self._unsent:
            return
        parts, self._controls = self._controls, []
        with self._questions_lock:
            self._questions.extend(_Question(None, now, 0) for part in parts if part == _ASK)
        if self._pause(now) == 0:
            self._changed = False
            frame = difference(self._shown, self._wanted, colored_erase=self._colored_erase)
            if frame:
                parts.append(self._acknowledged(frame, now))
                self._shown, self._last_sent = self._wanted.copy(), now
        self._unsent = "".join(parts).encode()

    def _acknowledged(self, frame: str, now: float) -> str:
        """The frame with what surrounds it, noted as under way."""
        if self._is_full():
            self._times_without_answer += 1
        if self._synchronized:
            frame = frame.join(_SYNC)
        with self._questions_lock:
            while self._questions and now - self._questions[0].asked > _FORGOTTEN_AFTER:
                self._questions.popleft()
            if self._hushed or len(self._questions) >= _MOST_QUESTIONS:
                return frame
            at = self._wanted.y + 1, self._wanted.x + 1
            self._questions.append(_Question(at, now, len(frame.encode())))
        return frame + _ASK

    def _push(self, out: int) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(out, self._unsent[:4096]) :]
        except BlockingIOError:
            sleep(0.005)  # a tty with room for one byte is ready, yet has none for a line feed

    def _finish(self, out: int) -> None:
        """Say the last words; when the terminal takes nothing, throw away what it did not read."""
        self._unsent += "".join(self._controls).encode()
        give_up = monotonic() + _DRAIN
        while self._unsent and monotonic() < give_up:
            _wait_for_room(out, 0.05)
            self._push(out)
        if self._unsent:
            with suppress(termios.error):
                termios.tcflush(out, termios.TCOFLUSH)
            self._unsent = _RESTORE.encode()
            self._push(out)


@contextmanager
def _without_waiting(fd: int) -> Iterator[int]:
    """A descriptor of our own for a terminal, in which a write never waits.

    The flag belongs to the open file, which the shell shares; so the terminal is opened once more.
    What is not a terminal, or may not be opened, is written as it is.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    own: int | None = None
    with suppress(OSError):
        name = os.ttyname(fd)
        try:
            own = os.open(name, flags)
        except PermissionError:  # after su the terminal belongs to somebody else
            own = os.open("/dev/tty", flags)
    try:
        yield fd if own is None else own
    finally:
        if own is not None:
            os.close(own)


def _wait_for_room(out: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(out, select.POLLOUT)
    poll.poll(seconds * 1000)
