"""Which containers are listed and in what order, so that what is wrong is on top; pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from cockpit.containers import reasons
from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.limits import Key

STILL_WRONG: Final = timedelta(hours=12)
"""How long one that ended badly stays in sight by itself; then `a` shows it."""
JUST: Final = timedelta(minutes=1)
"""How long one that was restarted by the engine has no right to be called well."""
HOLD_S: Final = 20.0
"""Seconds that one which got better keeps its place, as it may get worse again."""
RANKED_EVERY_S: Final = 5.0
"""Seconds between looks at numbers that rows are ordered by."""
IDLE: Final = 5.0
"""Percent of one core below which one is as idle as another."""
FAR: Final = 1.5
"""How many times beyond its step a number is before the row moves."""

At = tuple[Safe, str]
"""A host and the id of a container there."""


class Order(StrEnum):
    """What rows are ordered by; the word is as the screen says it."""

    WRONG = "wrong first"
    NAME = "by name"
    CPU = "by CPU"
    MEMORY = "by memory"
    RESTARTS = "by restarts"
    PLACE = "by project"

    @property
    def next(self) -> Order:
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


def just_restarted(container: Container, now: datetime) -> bool:
    """Whether it ended by itself within the last minute, and runs again for now."""
    at = container.started_at
    return bool(container.restarts and container.live and at and now - at < JUST)


class Rank(IntEnum):
    """How much a container wants to be looked at, the most first."""

    UNHEALTHY = 0
    RESTARTING = 1
    OOM = 2
    FAILED = 3
    OVER = 4
    UNSETTLED = 5
    WELL = 6
    ENDED = 7

    @property
    def wrong(self) -> bool:
        return self <= Rank.OVER


def rank(container: Container, over: Collection[Key], now: datetime, differs: bool = False) -> Rank:
    """Where it stands. over: the limits that are crossed on its host. now: the engine's clock."""
    usual = container.state == "running" and container.health in ("", "healthy")
    if usual and not over and not differs and not container.restarts:
        return Rank.WELL
    name = str(container.name)
    if container.live and container.health == "unhealthy":
        return Rank.UNHEALTHY
    if container.state == "restarting" or (name, "restarts") in over:
        return Rank.RESTARTING
    if just_restarted(container, now):
        return Rank.RESTARTING
    if container.live:
        if (name, "memory") in over or (name, "errors") in over:
            return Rank.OVER
        settled = container.state == "running" and container.health != "starting"
        return Rank.WELL if settled and not differs else Rank.UNSETTLED
    if container.state == "dead" or reasons.not_started(container):
        return Rank.FAILED
    at = container.finished_at
    if at is not None and now - at > STILL_WRONG:
        return Rank.ENDED
    if container.oom:
        return Rank.OOM
    if container.exit_code is not None and container.exit_code not in reasons.ASKED_TO:
        return Rank.FAILED
    return Rank.ENDED


class Term(NamedTuple):
    """One word of a filter. where: the field that has it, "" for any. inverse: it must not."""

    where: str
    word: str
    inverse: bool


FIELDS: Final = ("name", "project", "service", "image", "state", "host")


def terms(words: str) -> tuple[Term, ...]:
    """A filter as it is typed: `web !healthy project:shop`; all of its words must fit."""
    found = []
    for word in words.lower().split():
        inverse = word.startswith("!")
        word = word.removeprefix("!")
        where, colon, rest = word.partition(":")
        if not colon or where not in FIELDS:
            where, rest = "", word
        if rest:
            found.append(Term(where, rest, inverse))
    return tuple(found)


def fits(container: Container, wanted: Iterable[Term], said: str, found: Rank) -> bool:
    """Whether a container is what a filter wants. said: its state as the row says it."""
    return all(_has(container, term, said, found) != term.inverse for term in wanted)


def _has(container: Container, term: Term, said: str, found: Rank) -> bool:
    if term.where not in ("", "state"):
        return term.word in str(getattr(container, term.where)).lower()
    # A state from its first letter on: who looks for "healthy" does not mean "unhealthy".
    words = [container.state, container.health, *said.lower().split()]
    words.append("wrong" if found.wrong else "well")
    if any(word.startswith(term.word) for word in words):
        return True
    texts = (container.name, container.project, container.service, container.image, container.host)
    return not term.where and any(term.word in text.lower() for text in texts)


class Ranked(NamedTuple):
    """A container with what it is ordered by."""

    at: At
    row: Container
    rank: Rank


@dataclass(slots=True)
class Places:
    """Orders rows again and again, and lets none jump: a row moves for a reason that lasts."""

    _held: dict[At, tuple[Rank, float]] = field(default_factory=dict)
    _values: dict[At, float] = field(default_factory=dict)
    _looked: float = -math.inf
    _order: Order = Order.WRONG
    _keys: list[tuple[object, ...]] = field(default_factory=list)
    _sorted: list[int] = field(default_factory=list)

    def sort(self, rows: Sequence[Ranked], order: Order, now: float) -> list[Ranked]:
        """The rows in that order. now: monotonic seconds."""
        self._hold(rows, now)
        before = self._values if order is self._order else {}
        if order is not self._order or now - self._looked >= RANKED_EVERY_S:
            self._values, self._looked, self._order = {}, now, order
        keys: list[tuple[object, ...]] = []
        for at, row, found in rows:
            value = self._values.get(at)
            if value is None:
                value = self._values[at] = _value(row, order, before.get(at))
            if order is Order.WRONG:
                first = self._held[at][0] if at in self._held else found
                keys.append((first, value, row.name, at))
            else:
                keys.append((found is Rank.ENDED, value, *_place(row, order), row.name, at))
        if keys != self._keys:
            self._keys = keys
            self._sorted = sorted(range(len(keys)), key=keys.__getitem__)
        return [rows[index] for index in self._sorted]

    def _hold(self, rows: Iterable[Ranked], now: float) -> None:
        """Remembers what is wrong, and what was until a moment ago."""
        was, self._held = self._held, {}
        for at, _, found in rows:
            if was and (held := was.get(at)) and held[0] < found and now - held[1] < HOLD_S:
                self._held[at] = held
            elif found <= Rank.OVER:
                self._held[at] = (found, now)


def _place(row: Container, order: Order) -> tuple[str, ...]:
    """What parts rows before their names do; one without a project comes after the others."""
    if order is not Order.PLACE:
        return ()
    return (row.host, "" if row.project else "x", row.project, row.service)


def _value(row: Container, order: Order, before: float | None) -> float:
    """A number to order by, the smallest first. before: what it was at the last look."""
    sample = row.sample
    match order:
        case Order.WRONG:
            step = -(before or 0.0)
            return -_step(sample.cpu_percent or 0.0 if sample else 0.0, step)
        case Order.CPU:
            return -round(sample.cpu_percent or 0.0) if sample else 1.0
        case Order.MEMORY:
            return -float(sample.memory >> 20) if sample else 1.0
        case Order.RESTARTS:
            return -float(row.restarts or 0)
        case _:
            return 0.0


def _step(cpu: float, before: float) -> float:
    """How busy in steps that double, from 0 for idle; the step stays while the number is near."""
    low = IDLE * 2 ** (before - 1) / FAR if before else 0.0
    high = IDLE * 2**before * FAR
    if low <= cpu < high:
        return before
    return float(math.floor(math.log2(cpu / IDLE)) + 1) if cpu >= IDLE else 0.0
