"""Which lines of the logs are shown, and what is found among them, looked for a slice at a time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, Self

from cockpit.logs.line import Level
from cockpit.logs.view import Query, Search, View, pattern, trouble
from cockpit.logs.window import Window
from cockpit.text import Safe

ALL: Final = Query()
NOTHING: Final = Safe("")


class Shown:
    """The lines of a window that a query lets through; the words searched for; the errors.

    words: of the query, for people. `work` is called until it says that all is looked at.
    """

    def __init__(self, window: Window, query: Query = ALL, words: Safe = NOTHING) -> None:
        self.window = window
        self.query = query
        self.words = words
        self.view = View(window, query)
        self.wanted = NOTHING
        self.pattern: re.Pattern[str] | None = None
        self.literally = False
        self.found: Search | None = None
        self._errors: View | None = None

    def by(self, query: Query, words: Safe) -> Self:
        """The same with another query; what is searched for stays."""
        again = type(self)(self.window, query, words)
        again.look_for(self.wanted)
        return again

    def look_for(self, words: Safe) -> None:
        """Searches for these words from now on; for none where they are empty."""
        self.wanted = words
        self.pattern = pattern(words) if words else None
        self.literally = bool(trouble(words))
        self.found = Search(self.view, self.pattern) if self.pattern else None

    def changed(self, lowest: int) -> None:
        """The window has other lines from this number on."""
        self.view.changed(lowest)
        if self._errors is not None:
            self._errors.changed(lowest)

    def work(self) -> bool:
        """Looks on for a few milliseconds; whether all has been looked at."""
        parts = (self.view, self.found, self._errors)
        return all(part.work() for part in parts if part is not None)

    def nearest(self, number: int) -> int | None:
        """The match nearest to a line, those before it first; None where there is none."""
        if self.found is None:
            return None
        before = self.found.next(number + 1, -1)
        return self.found.next(number, 1) if before is None else before

    def look_for_errors(self) -> None:
        """Has `error` know what to answer, once `work` is done."""
        if self._errors is None:
            self._errors = View(self.window, replace(self.query, least=Level.ERROR))

    def error(self, number: int, by: int) -> int | None:
        """The first line of the nearest error after (by 1) or before (by -1) a line."""
        errors = self._errors
        if errors is None:
            return None
        place = errors.place(number + 1) if by > 0 else errors.place(number) - 1
        while 0 <= place < len(errors):
            found = errors[place]
            if self.window.first <= found < self.window.end and self.window[found].head:
                return found
            place += by
        return None

    def matches(self, number: int | None, *, looking: bool) -> str:
        """How many lines have what is searched for, and which of them this one is."""
        if self.found is None:
            return ""
        count = len(self.found)
        words = f"{self.wanted} as it stands" if self.literally else self.wanted
        if looking:
            return f"{words}: {count:,} …"
        rank = 0 if number is None else self.found.rank(number)
        if rank:
            return f"{words}: {rank:,} of {count:,}"
        return f"{words}: {f'{count:,} matches' if count else 'none'}"

    @property
    def passed(self) -> int:
        """How many lines were not searched to their end, as that would take too long."""
        return self.view.passed + (0 if self.found is None else self.found.passed)
