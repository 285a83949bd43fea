"""What of the containers is beyond the limits of cockpit.yaml, and when it is back; pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cockpit.containers.stats import stale
from cockpit.text import Safe
from cockpit.words import size

if TYPE_CHECKING:
    from cockpit.config import Thresholds
    from cockpit.containers.container import Container
    from cockpit.containers.disks import Disk

RESTARTS, MEMORY, ERRORS = "restarts", "memory", "errors"
WINDOW: Final = 600.0
"""Seconds in which restarts are counted."""
MINUTE_NS: Final = 60 * 10**9
QUIET: Final[Mapping[str, float]] = MappingProxyType({RESTARTS: WINDOW, MEMORY: 30.0, ERRORS: 60.0})
"""Seconds without a sign of it until something is said to be back."""
ROOM: Final = 2
"""Percent below the limit from which on a disk has room again."""
NEAR: Final = 5
"""Percent of memory below the limit that still count as a sign of it."""

_ERROR: Final = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|PANIC|SEVERE)\b"
    r"|\[(?:error|crit|alert|emerg)\]"
    r"|\blevel\W{1,4}(?:error|fatal|critical|panic)\b"
    r"|^(?:panic: |Traceback \(most recent)"
)

Key = tuple[str, str]
"""The name of a container, and which limit."""


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that is crossed. short: in the row of a pane. last: when there was a sign of it."""

    short: Safe
    words: Safe
    last: float


@dataclass(frozen=True, slots=True)
class Restarts:
    """A container's count when it was last seen, and when restarts were seen, one entry each."""

    count: int
    seen: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the containers of one host. restarts is by the id of a container."""

    restarts: Mapping[str, Restarts] = field(default_factory=lambda: MappingProxyType({}))
    over: Mapping[Key, Over] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit was crossed, or is kept to again. words: as it is told, the container named."""

    container: Safe
    what: str
    words: Safe
    back: bool = False


def error(line: str) -> bool:
    """Whether a line of a log tells of an error, by what loggers write for one."""
    return _ERROR.search(line) is not None


def crossings(
    rows: Iterable[Container],
    before: Known,
    thresholds: Thresholds,
    now: float,
    errors: Mapping[str, int] = MappingProxyType({}),
) -> tuple[Known, tuple[Crossing, ...]]:
    """What is over its limit now, and what of that is new or is over no more.

    rows: all containers, as they are now. now: as of their samples, monotonic seconds. errors: of
    the last minute, by name, where a log is read. It is back after it has been quiet for a while,
    so that nothing is told again and again.
    """
    rows = list(rows)
    counted = {row.id: _counted(row, before.restarts.get(row.id), now) for row in rows}
    over: dict[Key, Over] = {}
    told: list[Crossing] = []
    judged: set[Key] = set()
    for row in rows:
        for what, sign in _signs(row, counted[row.id], thresholds, now, errors):
            key = (str(row.name), what)
            was = before.over.get(key)
            judged.add(key)
            if not (was or sign.crossed):
                continue
            last = now if sign.near else was.last if was else now
            if was and now - last >= QUIET[what]:
                continue  # told below
            words = sign.words if sign.crossed else was.words if was else sign.words
            # Of restarts that no longer count, what was said of them stays.
            short = was.short if was and what == RESTARTS and not sign.crossed else sign.short
            over[key] = Over(short, words, last)
            if was is None:
                told.append(Crossing(row.name, what, words))
    for key, was in before.over.items():
        if key in over:
            continue
        if key not in judged and _unknown(key, rows, now, was):
            over[key] = was
        else:
            there = any(row.name == key[0] for row in rows)
            words = _back(key, thresholds, heard=key[0] in errors, there=there)
            told.append(Crossing(Safe(key[0]), key[1], words, back=True))
    return Known(counted, over), tuple(told)


@dataclass(frozen=True, slots=True)
class _Sign:
    """crossed: it is over the limit. near: it is not far enough below to be called back."""

    crossed: bool
    near: bool
    short: Safe
    words: Safe


def _signs(
    row: Container, restarts: Restarts, limits: Thresholds, now: float, errors: Mapping[str, int]
) -> Iterable[tuple[str, _Sign]]:
    name = row.name
    number = len(restarts.seen)
    many = "restart" if number == 1 else "restarts"
    yield (
        RESTARTS,
        _Sign(
            number >= limits.restarts,
            bool(number) and now - restarts.seen[-1] < 1.0,
            Safe(f"{number} {many.upper()}"),
            Safe(f"{name}: {number} {many} in 10 minutes (limit {limits.restarts})"),
        ),
    )
    percent = memory_percent(row, now)
    if percent is not None:
        yield (
            MEMORY,
            _Sign(
                percent >= limits.memory,
                percent >= limits.memory - NEAR,
                Safe(f"MEMORY {percent}%"),
                Safe(f"{name}: memory is at {percent}% of its limit (limit {limits.memory}%)"),
            ),
        )
    rate = errors.get(str(name))
    if rate is not None:
        yield (
            ERRORS,
            _Sign(
                rate >= limits.errors,
                rate * 2 >= limits.errors,
                Safe(f"{min(rate, 9999)} ERR/MIN"),
                Safe(f"{name}: {rate} errors in its log in a minute (limit {limits.errors})"),
            ),
        )


def full(
    disks: Iterable[Disk], before: Mapping[Key, Over], limit: int
) -> tuple[dict[Key, Over], tuple[Crossing, ...]]:
    """The disks of a host that are over `limit` percent, and what of that is new or is back.

    before: what was over at the last look. They have the name "" in place of a container's.
    """
    over: dict[Key, Over] = {}
    told = []
    percents = {}
    for disk in disks:
        key = ("", f"disk {disk.mount}")
        percents[key] = disk.percent
        was = before.get(key)
        if disk.percent < limit - (ROOM if was else 0):
            continue
        short = Safe(f"{disk.mount} is {disk.percent}% full")
        words = Safe(f"{short}, {size(disk.left)} left (limit {limit}%)")
        over[key] = Over(short, was.words if was else words, 0.0)
        if was is None:
            told.append(Crossing(Safe(""), key[1], words))
    for key in before.keys() - over.keys():
        mount = key[1].removeprefix("disk ")
        words = Safe(f"{mount} is not mounted any more")
        if key in percents:
            words = Safe(f"{mount} has room again: {percents[key]}% (limit {limit}%)")
        told.append(Crossing(Safe(""), key[1], words, back=True))
    return over, tuple(told)


def memory_percent(row: Container, now: float) -> int | None:
    """Of its limit; None where it does not run, or the number is old."""
    sample = row.sample
    if sample is None or not row.live or not sample.memory_limit or stale(sample, now):
        return None
    return int(sample.memory * 100 / sample.memory_limit)


def _counted(row: Container, before: Restarts | None, now: float) -> Restarts:
    """The restarts of the last ten minutes; those from before it was first seen are not known."""
    if row.restarts is None:
        return before or Restarts(-1)
    if before is None or before.count < 0:
        return Restarts(row.restarts)
    recent = tuple(at for at in before.seen if now - at < WINDOW)
    return Restarts(row.restarts, recent + (now,) * min(100, row.restarts - before.count))


def _unknown(key: Key, rows: list[Container], now: float, was: Over) -> bool:
    """Whether nothing new can be said of what is over: its number is not there, for now."""
    name, what = key
    here = [row for row in rows if row.name == name]
    old = what == MEMORY and any(row.live for row in here)
    return bool(here) and (old or now - was.last < QUIET[what])


def _back(key: Key, limits: Thresholds, *, heard: bool, there: bool) -> Safe:
    name, what = key
    if not there:
        return Safe(f"{name}: is not there any more")
    if what == RESTARTS:
        return Safe(f"{name}: no restart in 10 minutes")
    if what == MEMORY:
        return Safe(f"{name}: memory is below {limits.memory - NEAR}% of its limit again")
    if not heard:
        return Safe(f"{name}: its log is not followed now, so errors are not counted")
    return Safe(f"{name}: fewer than {limits.errors} errors in a minute again")


class Errors:
    """The errors in one log that is followed, by their time on the engine's clock."""

    def __init__(self) -> None:
        self._at: deque[int] = deque(maxlen=100_000)

    def add(self, at: int, line: str) -> None:
        """at: nanoseconds UTC, 0 where it is not known: then it does not count."""
        if at and error(line):
            self._at.append(at)

    def last_minute(self, now: int) -> int:
        """How many in the minute before now, in nanoseconds."""
        while self._at and self._at[0] < now - MINUTE_NS:
            self._at.popleft()
        return len(self._at)
