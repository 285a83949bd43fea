"""What of the containers is beyond the limits of cockpit.yaml, and when it is back; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cockpit.containers.stats import stale
from cockpit.text import Safe
from cockpit.words import lasted, many, size

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
    """A container's count when it was last seen, and when restarts were seen, one entry each.

    since: when the count was known first; of what was before that, nobody knows when.
    """

    count: int
    seen: tuple[float, ...] = ()
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the containers of one host.

    restarts is by the id of a container, as is high: since when its memory is over the limit.
    """

    restarts: Mapping[str, Restarts] = field(default_factory=lambda: MappingProxyType({}))
    high: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    over: Mapping[Key, Over] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit was crossed, or is kept to again. words: as it is told, the container named."""

    container: Safe
    what: str
    words: Safe
    back: bool = False


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
    counted: dict[str, Restarts] = {}
    high: dict[str, float] = {}
    over: dict[Key, Over] = {}
    told: list[Crossing] = []
    judged: set[Key] = set()
    spoken_of = {name for name, _ in before.over} | errors.keys()
    for row in rows:
        restarts = counted[row.id] = _counted(row, before.restarts.get(row.id), now)
        percent = memory_percent(row, now)
        since = _high(row, percent, before.high.get(row.id), thresholds, now)
        if since is not None:
            high[row.id] = since
        elif not restarts.seen and row.name not in spoken_of:
            continue  # as nearly all of thousands
        signs = (
            _restless(row, restarts, thresholds, now),
            _filled(row, percent, since, thresholds, now),
            _failing(row, thresholds, errors),
        )
        for what, sign in zip((RESTARTS, MEMORY, ERRORS), signs, strict=True):
            if sign is None:
                continue
            key = (str(row.name), what)
            was = before.over.get(key)
            judged.add(key)
            if not (was or sign.crossed):
                continue
            last = now if sign.near else was.last if was else now
            if was and now - last >= QUIET[what]:
                continue  # told below
            short, words = sign.said()
            if was and not sign.crossed:
                words = was.words
                # Of restarts that no longer count, what was said of them stays.
                short = was.short if what == RESTARTS else short
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
    return Known(counted, high, over), tuple(told)


@dataclass(frozen=True, slots=True)
class _Sign:
    """crossed: it is over the limit. near: it is not far enough below to be called back.

    said: the words of an Over, short and long; put together only where they are needed.
    """

    crossed: bool
    near: bool
    said: Callable[[], tuple[Safe, Safe]]


def _restless(row: Container, restarts: Restarts, limits: Thresholds, now: float) -> _Sign:
    number = len(restarts.seen)

    def said() -> tuple[Safe, Safe]:
        words = many(number, "restart")
        # Those from before it was watched count for no limit, but stand in the table.
        ever = f", {row.restarts} in all" if row.restarts and row.restarts > number else ""
        watched = now - restarts.since
        span = "10 minutes" if watched >= WINDOW else f"the {lasted(watched)} it is watched"
        whole = f"{row.name}: {words} in {span} (limit {limits.restarts}){ever}"
        return Safe(words.upper()), Safe(whole)

    near = bool(number) and now - restarts.seen[-1] < 1.0
    return _Sign(number >= limits.restarts, near, said)


def _filled(
    row: Container, percent: int | None, since: float | None, limits: Thresholds, now: float
) -> _Sign | None:
    """None where it is not known how much it uses."""
    if percent is None:
        return None
    long = now - since if since is not None else 0.0

    def said() -> tuple[Safe, Safe]:
        lasts = f" for {lasted(long)}" if limits.memory_minutes else ""
        whole = f"{row.name}: memory over {limits.memory}% of its limit{lasts}, now {percent}%"
        return Safe(f"MEMORY {percent}%"), Safe(whole)

    enough = since is not None and long >= limits.memory_minutes * 60
    return _Sign(enough and percent >= limits.memory, percent >= limits.memory - NEAR, said)


def _failing(row: Container, limits: Thresholds, errors: Mapping[str, int]) -> _Sign | None:
    """None where its log is not read."""
    rate = errors.get(row.name)
    if rate is None:
        return None

    def said() -> tuple[Safe, Safe]:
        whole = f"{row.name}: {rate} errors in its log in a minute (limit {limits.errors})"
        return Safe(f"{_short(rate)} ERR/MIN"), Safe(whole)

    return _Sign(rate >= limits.errors, rate * 2 >= limits.errors, said)


def _short(count: int) -> str:
    """A count in what is left of the column of states: `999`, `28k`, `3M`."""
    if count < 1000:
        return str(count)
    return f"{count // 1000}k" if count < 10**6 else f"{count // 10**6}M"


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


def _high(
    row: Container, percent: int | None, before: float | None, limits: Thresholds, now: float
) -> float | None:
    """Since when it is over its limit; a little below it for a while is over it still."""
    if percent is None:
        return before if row.live else None
    if percent >= limits.memory:
        return now if before is None else before
    return before if percent >= limits.memory - NEAR else None


def _counted(row: Container, before: Restarts | None, now: float) -> Restarts:
    """The restarts of the last ten minutes; those from before it was first seen are not known."""
    if row.restarts is None:
        return before or Restarts(-1)
    if before is None or before.count < 0:
        return Restarts(row.restarts, since=now)
    if before.count == row.restarts and not before.seen:
        return before
    recent = tuple(at for at in before.seen if now - at < WINDOW)
    new = (now,) * min(100, row.restarts - before.count)
    return Restarts(row.restarts, recent + new, before.since)


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
        self._seconds: dict[int, int] = {}

    def add(self, at: int, count: int = 1) -> None:
        """at: nanoseconds UTC, 0 where it is not known: then they do not count."""
        if at and count:
            second = at // 10**9
            self._seconds[second] = self._seconds.get(second, 0) + count

    def last_minute(self, now: int) -> int:
        """How many in the minute before now, in nanoseconds."""
        since = (now - MINUTE_NS) // 10**9
        self._seconds = {at: count for at, count in self._seconds.items() if at >= since}
        return sum(self._seconds.values())
