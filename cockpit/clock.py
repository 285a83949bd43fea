"""What time it is, on every clock that this machine has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time. ts is UTC; mono counts seconds, also of sleep, within one boot.

    boot: "unknown" where the machine does not tell its boots apart. back: seconds by which it
    really was earlier than these clocks said, where a person corrected it.
    """

    ts: datetime
    mono: float
    boot: str
    back: float = 0.0


def moment() -> Moment:
    """Now, to the millisecond."""
    return Moment(now(), round(awake_or_not(), 3), boot())


def now() -> datetime:
    """UTC in whole milliseconds, as it is read again from a journal."""
    wall = datetime.now(UTC)
    return wall.replace(microsecond=wall.microsecond // 1000 * 1000)


def awake_or_not() -> float:
    """Seconds that go on while this machine sleeps, where there is such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@cache
def boot() -> str:
    """Tells boots apart, so that `mono` is compared only within one; "unknown" off Linux."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        return "unknown"


def between(then: Moment, now: Moment) -> float:
    """Seconds from one moment to a later one, never below 0.

    Within one boot the wall clock may have been set meanwhile: it is not asked. Across boots it is
    the only one that there is.
    """
    if then.boot == now.boot != "unknown":
        seconds = now.mono - then.mono
    else:
        seconds = (now.ts - then.ts).total_seconds()
    return max(0.0, seconds + then.back - now.back)
