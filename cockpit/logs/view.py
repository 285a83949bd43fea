"""Which lines of a window are shown, and where in them something is found."""

from __future__ import annotations

import re
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cockpit.logs.block import Block
from cockpit.logs.line import Level
from cockpit.logs.window import Window
from cockpit.text import Safe, clean_line

if TYPE_CHECKING:
    from cockpit.logs.finder import Finder


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
    """A regular expression, or the words themselves where they are none that may be run.

    Without a capital letter in it, case does not count. `trouble` says why words are taken as
    they stand.
    """
    from cockpit.logs.regex import compiled

    flags = re.NOFLAG if _has_capital(words) else re.IGNORECASE
    return compiled(re.escape(words) if trouble(words) else words, flags)


def trouble(words: str) -> Safe:
    """Why words are looked for as they stand, instead of as a regular expression; "" if not."""
    from cockpit.logs.regex import MOST_REPEATS, compiled, cost

    try:
        costs = cost(compiled(words, re.NOFLAG))
    except (re.error, OverflowError, RecursionError) as error:
        return Safe(f"no regular expression ({clean_line(str(error))}): looked for as it stands")
    if costs.endless or costs.repeats > MOST_REPEATS:
        return Safe("with so many repeats it could take for ever: looked for as it stands")
    return Safe("")


def _has_capital(words: str) -> bool:
    """Whether there is a capital letter in it; that of an escape (\\S, \\W) is none."""
    return any(char.isupper() for char in re.sub(r"\\.", "", words, flags=re.DOTALL))


def _finder(wanted: re.Pattern[str]) -> Finder:
    from cockpit.logs.finder import Finder

    return Finder(wanted)


class _Found:
    """Numbers of lines, in order, by a look at each block once; kept up as the window changes."""

    def __init__(self, window: Window, look: Callable[[int, Block, int], Iterable[int]]) -> None:
        self.numbers = array("q")
        self._window = window
        self._look = look
        self._anew()

    def _anew(self) -> None:
        self._changes = self._window.changes
        self._from = self._to = self._window.first
        self._older = array("q")
        self._older_from = self._older_to = self._from
        del self.numbers[:]

    def cut(self, lowest: int) -> None:
        """Forgets what was found from this number on, and in the entry that it is of."""
        lowest = max(lowest, self._window.first)
        if lowest < self._from:
            self._anew()
        elif lowest < self._to:
            if lowest < self._window.end:
                lowest = self._window.entry(lowest)[0]
            self._to = max(self._from, lowest)
            del self.numbers[bisect_left(self.numbers, self._to) :]

    def work(self, seconds: float) -> bool:
        window = self._window
        if self._changes != window.changes:
            lowest = window.lowest_since(self._changes)
            if lowest is None or window.first > self._to:
                self._anew()
            else:
                self._changes = window.changes
                self.cut(lowest)
        if window.first > self._from:
            self._from = window.first
            del self.numbers[: bisect_left(self.numbers, self._from)]
        until = time.perf_counter() + seconds
        while self._to < window.end:
            start, block = window.block(self._to)
            self.numbers.extend(self._look(start, block, self._to - start))
            self._to = start + len(block)
            if time.perf_counter() >= until:
                return self._to >= window.end and window.first >= self._from
        return window.first >= self._from or self._work_older(until)

    def _work_older(self, until: float) -> bool:
        """Looks at what was loaded before the first that it knew."""
        window = self._window
        if self._older_from != window.first:
            self._older_from = self._older_to = window.first
            del self._older[:]
        while self._older_to < self._from:
            start, block = window.block(self._older_to)
            found = self._look(start, block, self._older_to - start)
            self._older.extend(number for number in found if number < self._from)
            self._older_to = start + len(block)
            if time.perf_counter() >= until and self._older_to < self._from:
                return False
        self.numbers = self._older + self.numbers
        self._from = window.first
        self._older = array("q")
        return True


class View:
    """The numbers of the lines that a query lets through; kept up as lines come.

    Reading 1,000,000 lines takes a while: `work` does a slice of it, and is called until it says
    that it is done, so that keys are answered meanwhile.
    """

    def __init__(self, window: Window, query: Query = Query()) -> None:
        self.window = window
        self.query = query
        self._finder = _finder(query.pattern) if query.pattern else None
        self._found = None if query == Query() else _Found(window, self._look)

    @property
    def passed(self) -> int:
        """How many lines were not searched to their end, as that would take too long."""
        return self._finder.passed if self._finder else 0

    @property
    def numbers(self) -> Sequence[int]:
        """All of them, in order."""
        window = self.window
        return range(window.first, window.end) if self._found is None else self._found.numbers

    def __len__(self) -> int:
        """How many lines are shown."""
        return len(self.numbers)

    def __getitem__(self, index: int) -> int:
        """The number in the window of the line at this place."""
        if index < 0:
            raise IndexError(index)
        return self.numbers[index]

    def place(self, number: int) -> int:
        """The place of a line, or of the next one that is shown."""
        return bisect_left(self.numbers, number)

    def changed(self, lowest: int) -> None:
        """The window has other lines from this number on (what `Window.add` returns)."""
        if self._found is not None:
            self._found.cut(lowest)

    def work(self, seconds: float = 0.005) -> bool:
        """Looks on for so long; whether all has been looked at."""
        return self._found is None or self._found.work(seconds)

    def _look(self, start: int, block: Block, first: int) -> Iterable[int]:
        query, finder = self.query, self._finder
        indices: Iterable[int] = range(first, len(block))
        if finder is not None:
            fitting = finder.lines(block, first)
            if block.all_heads and not query.inverse:
                indices = fitting
            else:
                whole = bytearray(len(block))
                for index in fitting:
                    if not whole[index]:
                        begin, end = block.entry(index)
                        whole[begin : end + 1] = b"\1" * (end + 1 - begin)
                indices = (index for index in indices if whole[index] != query.inverse)
        if query.least > Level.NONE:
            levels, least = block.levels, query.least
            indices = (index for index in indices if levels[index] >= least)
        if query.origins is not None:
            origins, wanted = block.origins, query.origins
            indices = (index for index in indices if origins[index] in wanted)
        return (start + index for index in indices)


class Search:
    """The lines of a view in which something is found, counted; kept up as lines come."""

    def __init__(self, view: View, wanted: re.Pattern[str]) -> None:
        self._view = view
        self._finder = _finder(wanted)
        self._found = _Found(view.window, self._look)

    @property
    def passed(self) -> int:
        """How many lines were not searched to their end, as that would take too long."""
        return self._finder.passed

    def __len__(self) -> int:
        """How many lines have it, as far as has been looked."""
        return len(self._found.numbers)

    def next(self, number: int, by: int) -> int | None:
        """The nearest line with it after (by 1) or before (by -1) a number; None where none is."""
        numbers = self._found.numbers
        place = bisect_right(numbers, number) if by > 0 else bisect_left(numbers, number) - 1
        return numbers[place] if 0 <= place < len(numbers) else None

    def rank(self, number: int) -> int:
        """Which of them this line is, from 1; 0 where it is none."""
        numbers = self._found.numbers
        place = bisect_left(numbers, number)
        return place + 1 if place < len(numbers) and numbers[place] == number else 0

    def work(self, seconds: float = 0.005) -> bool:
        """Looks on for so long; whether all has been looked at."""
        begun = time.perf_counter()
        if not self._view.work(seconds):
            return False
        return self._found.work(seconds - (time.perf_counter() - begun))

    def _look(self, start: int, block: Block, first: int) -> Iterable[int]:
        found = [start + index for index in self._finder.lines(block, first)]
        if not found or self._view.query == Query():
            return found
        shown = self._view.numbers
        low, high = bisect_left(shown, found[0]), bisect_right(shown, found[-1])
        there = set(shown[low:high])
        return [number for number in found if number in there]
