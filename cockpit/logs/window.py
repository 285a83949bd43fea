"""The lines that are loaded: of one log or several merged by time, bounded, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cockpit.logs.line import Level, Line

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
    lower, also negative ones. Where a line comes late, those after it move up: `moved` tells.
    When there is more than `keep` bytes of text the oldest go.
    """

    def __init__(self, keep: int = KEPT_BYTES) -> None:
        raise NotImplementedError

    @property
    def first(self) -> int:
        """The number of the oldest line."""
        raise NotImplementedError

    @property
    def end(self) -> int:
        """One more than the number of the newest."""
        raise NotImplementedError

    @property
    def changes(self) -> int:
        """Counts every change; the same number means nothing is new."""
        raise NotImplementedError

    def __getitem__(self, number: int) -> Held:
        raise NotImplementedError

    def add(self, origin: int, lines: Sequence[Line]) -> int:
        """New lines of one log, in its order; returns the lowest number whose line is now another.

        That is `end` before the call unless some are earlier than what is held: those go where
        their time says, and what comes after moves up.
        """
        raise NotImplementedError

    def prepend(self, lines: Sequence[tuple[int, Line]], *, room: int = 0) -> None:
        """Older lines, each with its origin, all from before what is held, oldest first.

        room: bytes that may be held beyond `keep` from now on, as these were asked for.
        """
        raise NotImplementedError

    def clear(self) -> None:
        """Begin anew."""
        raise NotImplementedError

    def entry(self, number: int) -> tuple[int, int]:
        """The first and the last number of the entry (a traceback is one) that this line is of."""
        raise NotImplementedError

    def near(self, at: int) -> int:
        """The number of the first line that is not before a moment, in nanoseconds."""
        raise NotImplementedError

    def errors(self) -> dict[int, int]:
        """How many entries are errors, by minute (Unix time // 60), for minutes that have any."""
        raise NotImplementedError
