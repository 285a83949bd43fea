"""The lines that are loaded: of one log or several merged by time, bounded, and counted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from cockpit.logs.level import level
from cockpit.logs.line import Level, Line
from cockpit.logs.traces import State, follow

KEPT_BYTES: Final = 32 << 20


class Held(NamedTuple):
    """A line as the window holds it.

    origin: which of the logs, from 0. level: its own, or for a line that continues another (a
    traceback) that of its head. head: whether it begins an entry, rather than continues one.
    """

    line: Line
    origin: int
    level: Level
    head: bool


class Window:
    """Lines by number, merged by time; a line keeps its number as long as it is held.

    Numbers grow by one from `first` to `end` (exclusive); older lines that are loaded later have
    lower, also negative ones. Where a line comes late, those after it move up: `add` tells.
    When there is more than `keep` bytes of text the oldest go.
    """

    def __init__(self, keep: int = KEPT_BYTES) -> None:
        self._keep = keep
        self.clear()

    @property
    def first(self) -> int:
        """The number of the oldest line."""
        return self._first

    @property
    def end(self) -> int:
        """One more than the number of the newest."""
        return self._first + len(self._held)

    @property
    def changes(self) -> int:
        """Counts every change; the same number means nothing is new."""
        return self._changes

    def __getitem__(self, number: int) -> Held:
        if not self._first <= number < self.end:
            raise IndexError(number)
        return self._held[number - self._first]

    def add(self, origin: int, lines: Sequence[Line]) -> int:
        """New lines of one log, in its order; returns the lowest number whose line is now another.

        That is `end` before the call unless some are earlier than what is held: those go where
        their time says, and what comes after moves up.
        """
        lowest = self.end
        if not lines:
            return lowest
        state, worst, key = self._states.get(origin, (State.PLAIN, Level.NONE, 0))
        for line in lines:
            more, state = follow(state, worst, line.text)
            more = more and origin in self._states
            if more:
                place = self._last_of(origin) + 1
            else:
                worst = level(line.text)
                key = max(key, line.at) or (self._keys[-1] if self._keys else 0)
                place = bisect_right(self._keys, key)
            self._held.insert(place, Held(line, origin, worst, not more))
            self._keys.insert(place, key)
            lowest = min(lowest, self._first + place)
            self._size += len(line.text)
            self._states[origin] = (state, worst, key)
        self._changes += 1
        while self._size > self._keep and self._held:
            self._size -= len(self._held[0].line.text)
            del self._held[0], self._keys[0]
            self._first += 1
        return max(lowest, self._first)

    def _last_of(self, origin: int) -> int:
        for place in range(len(self._held) - 1, -1, -1):
            if self._held[place].origin == origin:
                return place
        return -1

    def prepend(self, lines: Sequence[tuple[int, Line]], *, room: int = 0) -> None:
        """Older lines, each with its origin, all from before what is held, oldest first.

        room: bytes that may be held beyond `keep` from now on, as these were asked for.
        """
        self._keep += room
        older = Window(self._keep)
        for origin, line in lines:
            older.add(origin, [line])
        self._held[:0] = older._held
        top = self._keys[0] if self._keys else 1 << 63
        self._keys[:0] = [min(key, top) for key in older._keys]
        self._first -= len(older._held)
        self._size += older._size
        for origin, state in older._states.items():
            self._states.setdefault(origin, state)
        self._changes += 1

    def clear(self) -> None:
        """Begin anew."""
        self._changes = getattr(self, "_changes", 0) + 1
        self._first = 0
        self._size = 0
        self._held: list[Held] = []
        self._keys: list[int] = []
        self._states: dict[int, tuple[State, Level, int]] = {}

    def entry(self, number: int) -> tuple[int, int]:
        """The first and the last number of the entry (a traceback is one) that this line is of."""
        start = end = number
        while start > self._first and not self[start].head:
            start -= 1
        while end + 1 < self.end and not self[end + 1].head:
            end += 1
        return start, end

    def near(self, at: int) -> int:
        """The number of the first line that is not before a moment, in nanoseconds."""
        return self._first + bisect_left(self._keys, at)

    def errors(self) -> dict[int, int]:
        """How many entries are errors, by minute (Unix time // 60), for minutes that have any."""
        counted: dict[int, int] = {}
        for held, key in zip(self._held, self._keys, strict=True):
            if held.head and held.level == Level.ERROR:
                minute = key // 60_000_000_000
                counted[minute] = counted.get(minute, 0) + 1
        return counted
