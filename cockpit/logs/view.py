"""Which lines of a window are shown, and where in them something is found."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from cockpit.logs.line import Level
from cockpit.logs.window import Window


@dataclass(frozen=True, slots=True)
class Query:
    """What lines are wanted.

    pattern: None for all. A traceback is shown whole where any of its lines fits. inverse: those
    that do not fit. least: of this level at least; lines without a level count with NONE alone.
    origins: of these logs; None for all.
    """

    pattern: re.Pattern[str] | None = None
    inverse: bool = False
    least: Level = Level.NONE
    origins: frozenset[int] | None = None


def pattern(words: str) -> re.Pattern[str]:
    """A regular expression, or the words themselves where they are none.

    Without a capital letter in it, case does not count.
    """
    flags = re.NOFLAG if any(char.isupper() for char in words) else re.IGNORECASE
    try:
        return re.compile(words, flags)
    except re.error:
        return re.compile(re.escape(words), flags)


class View:
    """The numbers of the lines that a query lets through; kept up as lines come.

    Reading 1,000,000 lines takes a while: `work` does a slice of it, and is called until it says
    that it is done, so that keys are answered meanwhile.
    """

    def __init__(self, window: Window, query: Query = Query()) -> None:
        self.window = window
        self.query = query
        self._all = query == Query()
        self._seen = -1
        self._numbers = array("q")

    def __len__(self) -> int:
        """How many lines are shown."""
        return self.window.end - self.window.first if self._all else len(self._numbers)

    def __getitem__(self, index: int) -> int:
        """The number in the window of the line at this place."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.window.first + index if self._all else self._numbers[index]

    def place(self, number: int) -> int:
        """The place of a line, or of the next one that is shown."""
        if self._all:
            return min(max(0, number - self.window.first), len(self))
        return bisect_left(self._numbers, number)

    def changed(self, lowest: int) -> None:
        """The window has other lines from this number on (what `Window.add` returns)."""
        self._seen = -1

    def work(self, seconds: float = 0.005) -> bool:
        """Looks on for so long; whether all has been looked at."""
        if self._all or self._seen == self.window.changes:
            return True
        self._seen = self.window.changes
        self._numbers = array("q")
        number = self.window.first
        while number < self.window.end:
            _, last = self.window.entry(number)
            if self._fits(number, last):
                self._numbers.extend(range(number, last + 1))
            number = last + 1
        return True

    def _fits(self, first: int, last: int) -> bool:
        query, head = self.query, self.window[first]
        if head.level < query.least:
            return False
        if query.origins is not None and head.origin not in query.origins:
            return False
        if query.pattern is None:
            return True
        found = any(
            query.pattern.search(self.window[number].line.text) for number in range(first, last + 1)
        )
        return found != query.inverse


class Search:
    """The lines of a view in which something is found, counted; kept up as lines come."""

    def __init__(self, view: View, wanted: re.Pattern[str]) -> None:
        self._view = view
        self._wanted = wanted
        self._seen = -1
        self._numbers = array("q")

    def __len__(self) -> int:
        """How many lines have it, as far as has been looked."""
        return len(self._numbers)

    def next(self, number: int, by: int) -> int | None:
        """The nearest line with it after (by 1) or before (by -1) a number; None where none is."""
        if by > 0:
            place = bisect_right(self._numbers, number)
        else:
            place = bisect_left(self._numbers, number) - 1
        return self._numbers[place] if 0 <= place < len(self._numbers) else None

    def rank(self, number: int) -> int:
        """Which of them this line is, from 1; 0 where it is none."""
        place = bisect_left(self._numbers, number)
        there = place < len(self._numbers) and self._numbers[place] == number
        return place + 1 if there else 0

    def work(self, seconds: float = 0.005) -> bool:
        """Looks on for so long; whether all has been looked at."""
        view = self._view
        if not view.work(seconds):
            return False
        if self._seen == view.window.changes:
            return True
        self._seen = view.window.changes
        self._numbers = array(
            "q",
            (
                number
                for number in (view[index] for index in range(len(view)))
                if self._wanted.search(view.window[number].line.text)
            ),
        )
        return True
