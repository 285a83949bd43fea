"""Which lines of a window are shown, and where in them something is found."""

from __future__ import annotations

import re
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
    raise NotImplementedError


class View:
    """The numbers of the lines that a query lets through; kept up as lines come.

    Reading 1,000,000 lines takes a while: `work` does a slice of it, and is called until it says
    that it is done, so that keys are answered meanwhile.
    """

    def __init__(self, window: Window, query: Query = Query()) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        """How many lines are shown."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> int:
        """The number in the window of the line at this place."""
        raise NotImplementedError

    def place(self, number: int) -> int:
        """The place of a line, or of the next one that is shown."""
        raise NotImplementedError

    def changed(self, lowest: int) -> None:
        """The window has other lines from this number on (what `Window.add` returns)."""
        raise NotImplementedError

    def work(self, seconds: float = 0.005) -> bool:
        """Looks on for so long; whether all has been looked at."""
        raise NotImplementedError


class Search:
    """The lines of a view in which something is found, counted; kept up as lines come."""

    def __init__(self, view: View, wanted: re.Pattern[str]) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        """How many lines have it, as far as has been looked."""
        raise NotImplementedError

    def next(self, number: int, by: int) -> int | None:
        """The nearest line with it after (by 1) or before (by -1) a number; None where none is."""
        raise NotImplementedError

    def rank(self, number: int) -> int:
        """Which of them this line is, from 1; 0 where it is none."""
        raise NotImplementedError

    def work(self, seconds: float = 0.005) -> bool:
        """Looks on for so long; whether all has been looked at."""
        raise NotImplementedError
