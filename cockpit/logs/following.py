"""The logs that are followed, merged into one window."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.logs.source import LogSource
from cockpit.logs.window import Window
from cockpit.text import Safe


class Following:
    """What the log pane shows, from when it is asked for until something else is.

    window: its lines; a log's origin there is its index in `sources`. note: why nothing new comes,
    of the first log that has something to say. rate: lines a second of all. skipped: how many
    lines were left out of the window since it was begun, as they came too fast.
    """

    def __init__(self) -> None:
        self.window = Window()
        self.sources: tuple[LogSource, ...] = ()
        self.skipped = 0

    @property
    def note(self) -> Safe:
        raise NotImplementedError

    @property
    def rate(self) -> float:
        raise NotImplementedError

    def follow(self, sources: Sequence[LogSource]) -> None:
        """Follow these from now on, and nothing else; one that is followed already goes on."""
        raise NotImplementedError

    def take(self) -> int:
        """Puts what came into the window; the lowest number whose line is now another."""
        raise NotImplementedError

    async def older(self, count: int = 500) -> int:
        """Loads that many lines from before the window; returns how many there were.

        Raises LogTrouble.
        """
        raise NotImplementedError

    async def since(self, at: int) -> None:
        """Loads all from a moment on, nanoseconds UTC, as far as it fits. Raises LogTrouble."""
        raise NotImplementedError

    async def close(self) -> None:
        """Follow nothing any more."""
        raise NotImplementedError
