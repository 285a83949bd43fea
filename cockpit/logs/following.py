"""The logs that are followed, merged into one window."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from cockpit.logs.line import Line, Stream
from cockpit.logs.source import LogSource, LogTrouble
from cockpit.logs.window import Window
from cockpit.text import Safe

MOST: Final = 100_000
"""Lines of one log that are loaded at once, when all from a moment on are asked for."""
LATER: Final = 1 << 63
SOON: Final = 10**9
"""Nanoseconds after a moment in which a log may well say nothing: it is not asked why."""


class Heard(NamedTuple):
    """Errors that were new in a log: when they were written, nanoseconds UTC, and how many."""

    source: LogSource
    errors: tuple[tuple[int, int], ...]


class Later(NamedTuple):
    """A log that is held only from later on than was asked for.

    at: of its first line, nanoseconds UTC. begins: there is nothing older of it.
    """

    source: LogSource
    at: int
    begins: bool


class Following:
    """What the log pane shows, from when it is asked for until something else is.

    window: its lines; a log's origin there is its index in `sources`. skipped: how many lines were
    left out of the window since it was begun, as they came too fast. heard: called after each take
    with the errors that were in it.
    """

    def __init__(self, heard: Callable[[Sequence[Heard]], None] = lambda _: None) -> None:
        self.window = Window()
        self.sources: tuple[LogSource, ...] = ()
        self.skipped = 0
        self._oldest: dict[int, int] = {}
        self._written: set[int] = set()
        self._at_start: set[int] = set()
        self._left_out: list[tuple[int, int]] = []
        self._trouble: LogTrouble | None = None
        self._heard = heard
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def note(self) -> Safe:
        """Why nothing new comes, of the first log that has something to say; "" of none."""
        several = len(self.sources) > 1
        for source in self.sources:
            if source.note:
                return Safe(f"{source.name}: {source.note}") if several else source.note
        return Safe("")

    @property
    def rate(self) -> float:
        """Lines a second of all."""
        return sum(source.rate for source in self.sources)

    @property
    def not_loaded(self) -> tuple[tuple[int, int], ...]:
        """From when to when, nanoseconds UTC, lines of a log may have been written and not be held.

        What is known to be missing amid its lines is not told here: a line there says so.
        """
        return (*sorted((0, at) for at in self.begun.values()), *self._left_out)

    @property
    def begun(self) -> dict[int, int]:
        """From when on each log is held, nanoseconds UTC, where it may have older lines."""
        return {o: at for o, at in self._oldest.items() if o not in self._at_start}

    def lacks(self, at: int) -> bool:
        """Whether a log may have lines from that moment on that are not loaded."""
        return any(
            o not in self._at_start and self._oldest.get(o, LATER) > at
            for o in range(len(self.sources))
        )

    def follow(self, sources: Sequence[LogSource]) -> None:
        """Follow these from now on, and nothing else; one that is followed already goes on."""
        running = {source.key: source for source in self.sources}
        wanted = tuple(running.pop(source.key, source) for source in sources)
        for source in running.values():
            task = asyncio.get_running_loop().create_task(source.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        if wanted[: len(self.sources)] != self.sources:
            self._begin_anew(wanted)
        started, self.sources = self.sources, wanted
        for source in wanted:
            if source not in started:
                source.start()

    def _begin_anew(self, wanted: Sequence[LogSource]) -> None:
        """Keeps of the window only the lines of logs that are still followed."""
        number = {source.key: index for index, source in enumerate(wanted)}
        kept: dict[int, list[Line]] = {}
        for index in range(self.window.first, self.window.end):
            held = self.window[index]
            origin = number.get(self.sources[held.origin].key)
            if origin is not None:
                kept.setdefault(origin, []).append(held.line)
        self._oldest = {origin: lines[0].at for origin, lines in kept.items()}
        self._written = set(kept)
        self._at_start, self._left_out, self.skipped = set(), [], 0
        self.window.clear()
        for origin, lines in kept.items():
            self.window.add(origin, lines)

    def take(self) -> int:
        """Puts what came into the window; the lowest number whose line is now another."""
        lowest = self.window.end
        heard = []
        for origin, source in enumerate(self.sources):
            batch = source.take()
            self.skipped += batch.skipped
            errors: list[tuple[int, int]] = []
            if batch.lines:
                self._oldest.setdefault(origin, batch.lines[0].at)
                self._written.add(origin)
                lowest = min(lowest, self.window.add(origin, batch.lines))
                errors = [(at, 1) for at in self.window.new_errors]
            if batch.errors:
                errors.append((batch.lines[-1].at, batch.errors))
            heard.append(Heard(source, tuple(errors)))
        self._heard(heard)
        return lowest

    async def older(self, count: int = 500, origins: Collection[int] | None = None) -> int:
        """Loads so many lines more of each log, from before its oldest; returns how many came.

        origins: of these logs alone. Raises LogTrouble where one did not answer; what the others
        said is in the window then.
        """
        self._let_go()
        found = await self._ask(
            lambda source, oldest: source.older(oldest, count),
            [o for o in self._oldest if o not in self._at_start and (not origins or o in origins)],
        )
        older = []
        for origin, lines in found.items():
            if lines:
                older += self._inside(origin, lines)
            else:
                self._at_start.add(origin)
        self._put_before(older)
        return self._told(sum(map(len, found.values())))

    async def since(self, at: int) -> tuple[Later, ...]:
        """Loads all from a moment on, nanoseconds UTC, as far as it fits.

        Returns the logs that are held only from later on. Raises LogTrouble.
        """
        self._let_go()
        sources = self.sources
        found = await self._ask(
            lambda source, _: source.since(at, MOST),
            [
                o
                for o in range(len(sources))
                if o not in self._at_start and self._oldest.get(o, LATER) > at
            ],
        )
        older, late = [], []
        for origin, lines in found.items():
            held = self._oldest.get(origin, LATER)
            new = [line for line in lines if line.at < held]
            if len(lines) == MOST == len(new):
                self._left_out.append((new[-1].at, held))
                words = Safe(f"… {MOST:,} lines are loaded from then on; more were written after")
                new.append(Line(new[-1].at, Stream.GAP, words))
            older += self._inside(origin, new)
            # Of a log without a line, what is held begins where it was asked for, and not there.
            own = held if origin in self._written else LATER
            first = min(own, lines[0].at if lines else LATER)
            if at + SOON < first < LATER:
                late.append(origin)
            else:
                self._oldest[origin] = min(at, held)
        self._put_before(older)
        await self._look_before(at, late)
        if self.sources is not sources:
            return ()
        self._told(0)
        return tuple(
            Later(sources[o], first, o in self._at_start)
            for o, first in sorted(self._oldest.items())
            if first > at + SOON
        )

    async def _look_before(self, at: int, origins: Sequence[int]) -> None:
        """Of logs that are silent right after a moment, whether they have anything before it."""
        if not origins:
            return
        trouble = self._trouble
        found = await self._ask(lambda source, _: source.older(at, 1), origins)
        self._trouble = trouble or self._trouble
        older = []
        for origin, lines in found.items():
            if lines:
                older += self._inside(origin, lines)
            else:
                self._at_start.add(origin)
        self._put_before(older)

    async def _ask(
        self,
        ask: Callable[[LogSource, int], Awaitable[tuple[Line, ...]]],
        origins: Sequence[int],
    ) -> dict[int, tuple[Line, ...]]:
        """What these logs answer, all asked at once; nothing where others are followed by then."""
        sources = self.sources
        answers = await asyncio.gather(
            *(ask(sources[o], self._oldest.get(o, 0)) for o in origins), return_exceptions=True
        )
        self._trouble = None
        if self.sources is not sources:
            return {}
        found = {}
        for origin, answer in zip(origins, answers, strict=True):
            if isinstance(answer, LogTrouble):
                self._trouble = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found[origin] = answer
        return found

    def _let_go(self) -> None:
        """Of what the window holds no more, nothing is loaded."""
        window = self.window
        first = window[window.first].line.at if window.end > window.first else 0
        if min(self._oldest.values(), default=first) < first:
            self._at_start -= {origin for origin, at in self._oldest.items() if at < first}
            self._oldest = {origin: max(at, first) for origin, at in self._oldest.items()}

    def _told(self, count: int) -> int:
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble
        return count

    def _inside(self, origin: int, lines: Sequence[Line]) -> list[tuple[int, Line]]:
        """Puts what is not before the window into it; returns the rest."""
        window = self.window
        begins = window[window.first].line.at if window.end > window.first else LATER
        # What is as old as the first line there comes from before it: times can be whole seconds.
        inside = [line for line in lines if line.at > begins]
        if inside:
            window.prepend((), room=_size(inside))  # as these were asked for
            window.add(origin, inside, late=True)
        if lines:
            self._written.add(origin)
            self._oldest[origin] = min(lines[0].at, self._oldest.get(origin, LATER))
        return [(origin, line) for line in lines if line.at <= begins]

    def _put_before(self, older: list[tuple[int, Line]]) -> None:
        if older:
            older.sort(key=lambda held: held[1].at)
            self.window.prepend(older, room=_size(line for _, line in older))

    async def close(self) -> None:
        """Follow nothing any more."""
        self.follow(())
        await asyncio.gather(*self._closing, return_exceptions=True)


def _size(lines: Iterable[Line]) -> int:
    """What a window reckons for their text."""
    return sum(len(line.text.encode()) + 1 for line in lines)
