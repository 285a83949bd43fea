"""What a container used, as values for plots: a span of seconds each, oldest first; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cockpit.containers.history import MINUTES
from cockpit.containers.stats import LATE, Sample

SPANS: Final = (10.0, 15.0, 20.0, 30.0, 60.0, 120.0)
"""Seconds that a cell of a plot may stand for."""
LONGEST_GAP: Final = 30.0
"""Seconds between two samples over which a rate is still told."""

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """CPU in percent of a core, memory in bytes, the others in bytes a second.

    first: the number of the span of the first value; a span's number times its length is when it
    began, in monotonic seconds. None where nothing is known.
    """

    first: int
    span: float
    cpu: Values
    memory: Values
    received: Values
    sent: Values
    read: Values
    written: Values
    limit: int

    def index(self, at: float) -> int | None:
        """Which value is of a moment (monotonic); None for one that is not among them."""
        place = int(at // self.span) - self.first
        return place if 0 <= place < len(self.cpu) else None


def span_for(cells: int, seconds: float) -> float:
    """The shortest span with which so many seconds fit into so many cells, else the longest."""
    wanted = min(seconds, MINUTES * 60)
    return next((one for one in SPANS if one * cells >= wanted), SPANS[-1])


def curves(samples: Iterable[Sample], cells: int, now: float) -> Curves:
    """The last spans of what `samples` say, oldest first; the last one holds `now` (monotonic).

    They are no longer than needed to show all of them.
    Of what is counted at a moment the highest of a span is told, of rates their mean over it.
    """
    samples = tuple(samples)
    span = span_for(cells, now - samples[0].at if samples else 0.0)
    last = int(now // span)
    first = last - cells + 1
    over = _Spans(first, last, span)
    return Curves(
        first,
        span,
        over.highest(samples, lambda one: one.cpu_percent),
        over.highest(samples, lambda one: float(one.memory)),
        over.rate(samples, lambda one: one.net_rx),
        over.rate(samples, lambda one: one.net_tx),
        over.rate(samples, lambda one: one.block_read),
        over.rate(samples, lambda one: one.block_write),
        samples[-1].memory_limit if samples else 0,
    )


@dataclass(frozen=True, slots=True)
class _Spans:
    first: int
    last: int
    span: float

    def highest(self, samples: Iterable[Sample], of: Callable[[Sample], float | None]) -> Values:
        found: dict[int, float] = {}
        held: dict[int, float] = {}
        for one in samples:
            value = of(one)
            if value is None:
                continue
            at = int(one.at // self.span)
            found[at] = max(found.get(at, 0.0), value)
            # It holds until the next one is due: no gaps where samples are seldom.
            until = min(self.last, int((one.at + LATE * one.every) // self.span))
            held.update((later, value) for later in range(at + 1, until + 1))
        found = held | found
        return tuple(found.get(at) for at in range(self.first, self.last + 1))

    def rate(self, samples: Iterable[Sample], of: Callable[[Sample], int]) -> Values:
        total: dict[int, float] = {}
        seconds: dict[int, float] = {}
        for before, after in pairwise(samples):
            passed, grown = after.at - before.at, of(after) - of(before)
            if grown < 0 or not 0 < passed <= LONGEST_GAP:  # it was started anew, or nobody looked
                continue
            for at in range(int(before.at // self.span), int(after.at // self.span) + 1):
                begin, end = max(before.at, at * self.span), min(after.at, (at + 1) * self.span)
                share = max(0.0, end - begin)
                total[at] = total.get(at, 0.0) + grown * share / passed
                seconds[at] = seconds.get(at, 0.0) + share
        return tuple(
            total[at] / seconds[at] if seconds.get(at) else None
            for at in range(self.first, self.last + 1)
        )
