"""Lines that came and were not taken yet: bounded, and what fell out counted."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from cockpit.logs.flood import not_shown
from cockpit.logs.line import Line, Stream
from cockpit.logs.source import Batch
from cockpit.text import Safe

KEPT_LINES: Final = 50_000
KEPT_CHARS: Final = 32 << 20


class Inbox:
    """The newest lines of one log until they are taken, and how fast they come."""

    def __init__(self, keep: int = KEPT_LINES) -> None:
        self.lines: deque[Line] = deque()
        self._keep = keep
        self._chars = 0
        self._dropped = self._skipped = self._errors = 0
        self._rate = Rate()

    @property
    def rate(self) -> float:
        """Lines a second, over the last second or two."""
        return self._rate.now(time.monotonic())

    def came(self, lines: int) -> None:
        """So many lines came, held or not."""
        self._rate.add(lines, time.monotonic())

    def put(self, line: Line) -> None:
        lines = self.lines
        lines.append(line)
        self._chars += len(line.text)
        while len(lines) > self._keep or (self._chars > KEPT_CHARS and len(lines) > 1):
            self._chars -= len(lines.popleft().text)
            self._dropped += 1

    def gap(self, at: int, words: Safe) -> None:
        """A line in place of what is missing there."""
        self.put(Line(at, Stream.GAP, words))

    def skip(self, at: int, lines: int, errors: int) -> None:
        """Lines came too fast to be held."""
        self._skipped += lines
        self._errors += errors
        self.gap(at, not_shown(lines, errors))

    def take(self) -> Batch:
        """All that is held, which is then held no more."""
        lines, self.lines, self._chars = self.lines, deque(), 0
        dropped, skipped, errors = self._dropped, self._skipped, self._errors
        self._dropped = self._skipped = self._errors = 0
        if dropped:
            lines.appendleft(Line(lines[0].at, Stream.GAP, not_shown(dropped, 0)))
        return Batch(lines, skipped + dropped, errors)


class Rate:
    """Counts a second full, then says what came in it; of the first one nothing, as what was
    written before the log was followed comes then."""

    def __init__(self) -> None:
        self._began = 0.0
        self._count = 0
        self._last = 0.0
        self._first = False

    def add(self, count: int, now: float) -> None:
        self._turn(now)
        self._count += count

    def now(self, now: float) -> float:
        if self._began:
            self._turn(now)
        return self._last

    def _turn(self, now: float) -> None:
        passed = now - self._began
        if passed >= 1.0:
            first, self._first = self._first, not self._began
            self._last = 0.0 if first else self._count / passed
            self._began, self._count = now, 0
