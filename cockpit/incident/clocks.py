"""What is due when: who must be told, who must be called, by the rules of the handbook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cockpit.clock import Moment
from cockpit.incident.events import IncidentDeclared, IncidentStarted, Record, Severity
from cockpit.text import Safe

MINUTE = 60.0
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What a severity asks for, in seconds.

    respond: until somebody works on it; None by the next business day. update: from one update to
    the next; None when something changes. escalate: until more people are called where recovery has
    not worked; None never by itself. about: what the handbook says of the severity.
    """

    respond: float | None
    update: float | None = None
    escalate: float | None = None
    about: Safe = Safe("")


PACES: Mapping[Severity, Pace] = MappingProxyType(
    {
        Severity.P0: Pace(0.0, 15 * MINUTE, 15 * MINUTE),
        Severity.P1: Pace(15 * MINUTE, 30 * MINUTE, 30 * MINUTE),
        Severity.P2: Pace(HOUR),
        Severity.P3: Pace(None),
    }
)
"""Where the handbook says nothing else."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The times that a handbook sets, in seconds.

    acknowledge: for every alert. ladder: until a level answers, by its number; a level without one
    has `LADDER`. top_level is called after `top_after` of a P0. breath: before the first action.
    """

    acknowledge: float = 5 * MINUTE
    paces: Mapping[Severity, Pace] = field(default_factory=lambda: PACES)
    ladder: Mapping[int, float] = field(default_factory=dict)
    top_level: int = 4
    top_after: float = 2 * HOUR
    breath: float = 30.0

    def answers_within(self, level: int) -> float:
        """Seconds in which a level of the ladder promises to answer."""
        return self.ladder.get(level, LADDER.get(level, HOUR))


LADDER: Mapping[int, float] = MappingProxyType(
    {1: 15 * MINUTE, 2: 15 * MINUTE, 3: 30 * MINUTE, 4: HOUR}
)


@dataclass(frozen=True, slots=True)
class Times:
    """When what the clocks run from happened, on all clocks; None while it has not."""

    started: Moment | None = None
    declared: Moment | None = None


def after(times: Times, record: Record) -> Times:
    """The times after one more record."""
    at = Moment(record.ts, record.mono, record.boot)
    match record.event:
        case IncidentStarted():
            return replace(times, started=at)
        case IncidentDeclared() if times.declared is None:
            return replace(times, declared=at)
        case _:
            return times
