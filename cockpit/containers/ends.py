"""Containers that ended or became unhealthy while they were watched, each told once; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cockpit.containers import reasons
from cockpit.containers.limits import Key
from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.containers.container import Container

ENDED, UNHEALTHY = "ended", "unhealthy"
SETTLE_S: Final = 3.0
"""Seconds until an end is told: it may be a restart, and others that end with it are told too."""
LATEST_S: Final = 1.0
"""Seconds an end must be old to be told with others: by then it is known who asked for it."""
WELL_S: Final = 30.0
"""Seconds that one has to be well again until it is told, so that nothing flaps."""
BY_WISH_S: Final = 15.0
"""Seconds between an end and a command to stop it, at most, where one is for the other."""
NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Stood:
    """What is known from the last look.

    up: ids of what ran. waits: by id, since when one is seen to have ended. down: what is told of,
    by name. well: since when it is well again.
    """

    up: frozenset[str] = frozenset()
    waits: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    down: frozenset[Key] = frozenset()
    well: Mapping[Key, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Told:
    """One line about one container or several."""

    names: tuple[str, ...]
    what: str
    words: Safe
    back: bool = False


def fell(
    rows: Iterable[Container],
    before: Stood,
    now: float,
    asked: Mapping[str, int] = MappingProxyType({}),
    *,
    away: bool = False,
) -> tuple[Stood, tuple[Told, ...]]:
    """What ended badly or is unhealthy, and what of that is well again.

    now: monotonic seconds. asked: by id, when the engine was told to stop or kill it last, in
    nanoseconds on its clock. away: the engine itself was gone a moment ago: what ended then is
    told whoever stopped it.
    """
    up: set[str] = set()
    waits: dict[str, float] = {}
    ended: dict[str, Container] = {}
    sick: list[Container] = []
    fine: set[Key] = set()
    for row in rows:
        if row.live or row.state == "restarting":
            up.add(row.id)
            if before.down and row.live:
                fine.add((str(row.name), ENDED))
                if row.health in ("", "healthy"):
                    fine.add((str(row.name), UNHEALTHY))
            if row.health == "unhealthy" and (str(row.name), UNHEALTHY) not in before.down:
                sick.append(row)
        elif row.exit_code is not None and (row.id in before.up or row.id in before.waits):
            waits[row.id] = before.waits.get(row.id, now)
            ended[row.id] = row
    bad: list[Container] = []
    if any(now - since >= SETTLE_S for since in waits.values()):
        for id, since in list(waits.items()):
            if now - since < LATEST_S:
                continue
            del waits[id]
            row = ended[id]
            known = (str(row.name), ENDED) in before.down
            if not known and (away or not _by_wish(row, asked.get(id))):
                bad.append(row)
    well = {key: before.well.get(key, now) for key in before.down & fine}
    again = {key for key, since in well.items() if now - since >= WELL_S}
    told = [
        *_line(bad, ENDED, _how, lambda row: f"{row.name}: ended, {reasons.ended(row)}"),
        *_line(sick, UNHEALTHY, lambda row: str(row.name), _sick),
        *_back(again),
    ]
    down = before.down - again | {(n, one.what) for one in told if not one.back for n in one.names}
    kept = {key: since for key, since in well.items() if key not in again}
    return Stood(frozenset(up), waits, down, kept), tuple(told)


def _by_wish(row: Container, asked: int | None) -> bool:
    """Whether it finished, or somebody stopped it."""
    if row.oom:
        return False
    if row.exit_code in reasons.ASKED_TO:
        return True
    if asked is None:
        return False
    at = row.finished_at
    return at is None or abs(at.timestamp() - asked / 1e9) < BY_WISH_S


def _how(row: Container) -> str:
    return f"{row.name} ({'out of memory' if row.oom else row.exit_code})"


def _sick(row: Container) -> str:
    return f"{row.name}: unhealthy{f': {row.health_said}' if row.health_said else ''}"


def _line(
    rows: list[Container],
    what: str,
    short: Callable[[Container], str],
    whole: Callable[[Container], str],
) -> list[Told]:
    """One line for all of them."""
    if not rows:
        return []
    names = tuple(str(row.name) for row in rows)
    if len(rows) == 1:
        return [Told(names, what, Safe(whole(rows[0])))]
    verb = "ended" if what == ENDED else "are unhealthy"
    return [Told(names, what, _many(verb, [short(row) for row in rows]))]


def _back(again: set[Key]) -> list[Told]:
    told = []
    for what, verb, verbs in (
        (ENDED, "runs again", "run again"),
        (UNHEALTHY, "is not unhealthy any more", "are not unhealthy any more"),
    ):
        names = tuple(sorted(name for name, other in again if other == what))
        if names:
            one = Safe(f"{names[0]}: {verb}")
            words = one if len(names) == 1 else _many(verbs, list(names))
            told.append(Told(names, what, words, back=True))
    return told


def _many(verb: str, each: list[str]) -> Safe:
    more = f" and {len(each) - NAMED} more" if len(each) > NAMED else ""
    return Safe(f"{len(each)} containers {verb}: {', '.join(each[:NAMED])}{more}")
