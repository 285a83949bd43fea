"""What lines come from: a container, a Compose or Swarm service, a file, a unit of journald."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cockpit.logs.line import Line
from cockpit.text import Safe


class Batch(NamedTuple):
    """What came since the last time.

    skipped: lines that came too fast to be held; a GAP line among `lines` says so where they are
    missing. errors: how many of the skipped ones were errors.
    """

    lines: Sequence[Line]
    skipped: int = 0
    errors: int = 0


class LogSource(Protocol):
    """One log that is followed from when it is started until it is closed.

    key: what it is, for telling whether it is the same: "container prod-1 4f1d…".
    name, host: as a person calls them. Errors never raise from here: they become `note`.
    """

    key: str
    name: Safe
    host: Safe

    @property
    def note(self) -> Safe:
        """Why nothing new comes and what to do; "" while it follows."""

    @property
    def rate(self) -> float:
        """Lines a second, over the last second or two."""

    def start(self) -> None:
        """Begin to follow; returns at once."""

    def take(self) -> Batch:
        """The lines that came since the last take, in their order."""

    async def older(self, before: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from just before a moment, oldest first; none at the start of it.

        before: nanoseconds UTC, as in Line. Raises LogTrouble.
        """

    async def since(self, at: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from a moment on, oldest first. Raises LogTrouble."""

    async def close(self) -> None:
        """Stop following."""


class LogTrouble(Exception):
    """A log does not give what was asked; the message says why and what to do."""
