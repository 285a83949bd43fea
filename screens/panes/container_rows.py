"""How a container looks as a row: its columns, which yield as the pane narrows, and its words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from cockpit.containers.order import At, Rank, Ranked, just_restarted
from cockpit.containers.reasons import not_started, reason
from cockpit.text import Safe, clean_line
from cockpit.words import many
from screens import paint
from screens.lines import pointer
from screens.paint import Part, Row

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.history import History
    from cockpit.containers.limits import Key, Over
    from cockpit.containers.stats import Sample

SPAN_S: Final = 30.0
"""Seconds in one cell of a trend."""
BARS: Final = "▁▂▃▄▅▆▇█"
STEPS: Final = (2, 5, 10, 20, 40, 70, 100)
"""Percent of a core from which on a bar is one higher: the same in every row."""
SHORTEST, LONGEST = 12, 40
ENOUGH: Final = 24
"""Cells of a name that more columns do not take away."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The width of each column in cells, with the blank before it; 0 where it has no room."""

    name: int
    state: int = 12
    cpu: int = 0
    memory: int = 0
    host: int = 0
    restarts: int = 0
    up: int = 0
    trend: int = 0
    place: int = 0

    @property
    def middle(self) -> int:
        """Cells of the columns that say nothing of a container which does not run."""
        return self.cpu + self.memory + self.restarts + self.up + self.trend


# What a column takes, the most important first; a second entry of the same name is its wide form.
_ORDER: Final = (
    ("cpu", 5),
    ("memory", 5),
    ("host", 0),
    ("restarts", 4),
    ("up", 5),
    ("trend", 7),
    ("memory", 18),
    ("trend", 9),
    ("place", 0),
    ("up", 8),
    ("trend", 17),
)
PERCENT: Final = 5
"""Cells of the memory column while it has room for a percentage alone."""


# Of a task of a swarm: service.slot.id
_TASK: Final = re.compile(r"(.+\.(?:\d+|[a-z0-9]{25}))\.([a-z0-9]{25})")


def short_names(rows: Iterable[Container]) -> Mapping[At, Safe]:
    """Of tasks of a swarm that are over, names without their id; with its beginning where two
    would be called the same. Others keep their names: those are typed into commands.
    """
    found: dict[At, tuple[Safe, str, str]] = {}
    taken: Counter[tuple[Safe, str]] = Counter()
    for row in rows:
        # Not a search in each of thousands of names.
        if not row.live and len(row.name) > 27 and (task := _TASK.fullmatch(row.name)):
            found[row.host, row.id] = (row.host, task[1], task[2])
            taken[row.host, task[1]] += 1
    return {
        at: Safe(slot if taken[host, slot] == 1 else f"{slot}.{id[:5]}")
        for at, (host, slot, id) in found.items()
    }


def columns(
    width: int,
    rows: Sequence[Container],
    hosts: int,
    *,
    placed: bool = False,
    names: Mapping[At, Safe] = MappingProxyType({}),
) -> Columns:
    """The columns that fit in so many cells.

    hosts: of how many hosts there are rows. placed: they are ordered by project, so it is seen.
    names: of those that are not called by their own name.
    """
    longest = max(
        (cell_len(names.get((row.host, row.id), row.name)) for row in rows), default=SHORTEST
    )
    wish = max(SHORTEST, min(LONGEST, longest))
    need = {
        "host": 1 + min(16, max((len(row.host) for row in rows), default=0)),
        "place": 1 + min(28, max((len(place(row)) for row in rows), default=0)),
    }
    if hosts < 2:
        need["host"] = 0
    if need["place"] == 1:
        need["place"] = 0
    got = {"state": 12}
    left = width - 2 - got["state"]
    if placed and left - need["place"] >= SHORTEST:
        got["place"] = need["place"]
        left -= need["place"]
    for what, cells in _ORDER:
        cells = cells or need[what]
        if not cells:
            continue
        more = cells - got.get(what, 0)
        # What is told first may shorten a name; what comes after it may not.
        keeps = SHORTEST if what in ("cpu", "memory", "host") and cells <= 17 else wish
        if what in ("restarts", "up") and cells <= PERCENT:
            keeps = min(wish, ENOUGH)
        if left - more < keeps:
            break
        got[what] = cells
        left -= more
    return Columns(name=max(SHORTEST, min(left, wish)), **got)


def place(container: Container) -> str:
    """Its Compose project and service."""
    return "/".join(part for part in (container.project, container.service) if part)


@dataclass(slots=True)
class Steady:
    """Numbers as they were drawn last: they stay while the new ones say about the same.

    Each change is bytes on a thin link, and a thing that moves for no reason in a tired eye.
    """

    _cpu: dict[At, int] = field(default_factory=dict)
    _memory: dict[At, int] = field(default_factory=dict)

    def cpu(self, at: At, percent: float) -> int:
        """Whole percent; what is within a tenth of what was drawn, or within one, is that."""
        was = self._cpu.get(at)
        if was is None or abs(percent - was) > max(0.9, was * 0.1):
            was = self._cpu[at] = round(percent)
        return was

    def memory(self, at: At, sample: Sample) -> int:
        """Bytes; what is within one percent of the limit, or of what was drawn, is that."""
        was = self._memory.get(at)
        slack = 0 if was is None else max(was, sample.memory_limit) // 100
        if was is None or abs(sample.memory - was) > slack:
            was = self._memory[at] = sample.memory
        return was

    def only(self, there: Collection[Ranked]) -> None:
        """Forgets the containers that are not there any more."""
        for known in (self._cpu, self._memory):
            if len(known) > len(there) + 100:
                for gone in known.keys() - {one.at for one in there}:
                    del known[gone]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a row needs beside its container; the same for all rows of one host.

    over: what is beyond a limit there. differs: ids of containers that are not as their Compose
    file says. as_of: since when nothing came from there, "" while it answers. now: monotonic.
    clock: there. memory: percent from which on memory is a worry.
    """

    over: Mapping[Key, Over]
    differs: Collection[str]
    histories: Mapping[str, History]
    as_of: Safe
    now: float
    clock: datetime
    memory: int = 90


def head(widths: Columns) -> Row:
    """The names of the columns."""
    cells = [
        f"{'  NAME':<{widths.name + 2}}",
        f"{' STATE':<{widths.state}}",
        f"{'CPU%':>{widths.cpu}}" if widths.cpu else "",
        f"{'MEM' if widths.memory > PERCENT else 'MEM%':>{widths.memory}}" if widths.memory else "",
        f"{'RST':>{widths.restarts}}" if widths.restarts else "",
        f"{'UP':>{widths.up}}" if widths.up else "",
        f"{' CPU, 30 s a bar' if widths.trend > 9 else ' TREND':<{widths.trend}}"
        if widths.trend
        else "",
        f"{_place_head(widths.place):<{widths.place}}" if widths.place else "",
        f"{' HOST':<{widths.host}}" if widths.host else "",
    ]
    return paint.row((Safe("".join(cells).rstrip()), "faint"))


def _place_head(width: int) -> str:
    """Whole words, as far as they fit."""
    return next((h for h in (" PROJECT/SERVICE", " PROJECT") if len(h) <= width), " PROJ"[:width])


def row(
    container: Container,
    widths: Columns,
    facts: Facts,
    steady: Steady,
    *,
    here: bool,
    marked: bool,
    rank: Rank,
    name: Safe | None = None,
) -> Row:
    """A container in its columns. here: the cursor is on it. name: instead of its own."""
    at: At = (container.host, container.id)
    words, look = said(container, facts)
    lead = Safe(f"{'>' if here else ' '}*") if marked else pointer(here)
    parts: list[Part] = [
        (lead, "key"),
        (paint.fit(name or container.name, widths.name), "" if rank < Rank.ENDED else "faint"),
        (paint.fit(Safe(f" {words}"), widths.state), look),
    ]
    if facts.as_of:
        parts += _old(container, widths, facts, steady)
    elif container.live:
        parts += [
            *_numbers(container, widths, facts, steady),
            *_restarts(container, widths),
            (_up(container, widths, facts.clock), "faint"),
            (trend(facts.histories.get(container.id), widths.trend, facts.now), ""),
        ]
    else:
        parts.append((paint.fit(Safe(f" {why(container, facts.clock)}"), widths.middle), look))
    if widths.place:
        parts.append((paint.fit(Safe(f" {place(container)}"), widths.place), "faint"))
    if widths.host:
        parts.append((paint.fit(Safe(f" {container.host}"), widths.host), ""))
    return paint.row(*parts, stop=at)


def said(container: Container, facts: Facts) -> tuple[str, str]:
    """The word of a row, and its look: what is worst about the container."""
    words, look = state(container)
    if look != "good":
        return words, look
    if just_restarted(container, facts.clock):
        return "RESTARTED", "bad"
    over = [one.short for key, one in facts.over.items() if key[0] == container.name]
    if over:
        return over[0], "warn"
    return ("differs", "warn") if container.id in facts.differs else (words, look)


def state(container: Container) -> tuple[str, str]:
    """A container's state in a word or two, and its look: health first, then why it ended."""
    if container.state == "running":
        return {
            "healthy": ("healthy", "good"),
            "unhealthy": ("UNHEALTHY", "bad"),
            "starting": ("starting", "warn"),
        }.get(container.health, ("running", "good"))
    if container.state == "restarting":
        return "RESTARTING", "bad"
    if not_started(container):
        return "NOT STARTED", "bad"
    if container.oom:
        return "OOM KILLED", "bad"
    if container.state == "exited":
        return f"exited {container.exit_code}", "faint" if container.exit_code == 0 else "bad"
    return clean_line(container.state), "warn"


def why(container: Container, clock: datetime) -> str:
    """Why it does not run, and since when: `killed, out of memory · 4m`."""
    parts = [str(error)] if (error := not_started(container)) else []
    if container.exit_code is not None:
        parts.append(reason(container.exit_code, container.oom))
    if container.state != "restarting" and container.finished_at:
        parts.append(f"{ago((clock - container.finished_at).total_seconds())} ago")
    if container.restarts:
        parts.append(many(container.restarts, "restart"))
    return " · ".join(parts)


def ago(seconds: float, *, short: bool = False) -> str:
    """A length of time in one unit: `14 min`, `3 d`; short: `14m`, `3d`."""
    minutes = int(max(0.0, seconds) // 60)
    for size, unit, letter in ((1440, " d", "d"), (60, " h", "h"), (1, " min", "m")):
        if minutes >= size * (2 if size > 1 else 1):
            return f"{minutes // size}{letter if short else unit}"
    return "<1m" if short else "<1 min"


def trend(history: History | None, width: int, now: float) -> Safe:
    """The CPU of the last minutes. The present span is left out: it would change all the time."""
    if not width:
        return Safe("")
    cells = width - 1
    spans = history.cpu(cells + 1, SPAN_S, now)[:-1] if history else (None,) * cells
    return Safe(" " + "".join(_bar(percent) for percent in spans))


def _bar(percent: float | None) -> str:
    return " " if percent is None else BARS[sum(percent >= step for step in STEPS)]


def _numbers(container: Container, widths: Columns, facts: Facts, steady: Steady) -> list[Part]:
    from cockpit.containers.limits import MEMORY
    from cockpit.containers.stats import stale

    sample = container.sample
    both = widths.cpu + widths.memory
    if sample is None:
        return [(Safe(" " * both), "")]
    if not facts.as_of and stale(sample, facts.now):
        seconds = int(facts.now - sample.at)
        # In steps of five: it stands there as long as nothing comes.
        lasts = f"{seconds // 5 * 5} s" if seconds < 100 else ago(seconds, short=True)
        old = f"{lasts} old"
        return [(Safe(f"{old:>{both}}"[-both:] if both else ""), "warn")]
    at: At = (container.host, container.id)
    cpu = ""
    if sample.cpu_percent is not None:
        cpu = f"{steady.cpu(at, sample.cpu_percent)}"
    used, limit = steady.memory(at, sample), sample.memory_limit
    percent = used * 100 // limit if limit else None
    if widths.memory > PERCENT:
        memory = f"{size(used)} / {size(limit)}" if limit else size(used)
    else:
        memory = "" if percent is None else f"{percent}"
    worry = percent is not None and percent >= facts.memory
    worry = worry or (str(container.name), MEMORY) in facts.over
    return [
        (Safe(f"{cpu:>{widths.cpu}}" if widths.cpu else ""), ""),
        (Safe(f"{memory:>{widths.memory}}" if widths.memory else ""), "warn" if worry else ""),
    ]


def _old(container: Container, widths: Columns, facts: Facts, steady: Steady) -> list[Part]:
    """The last values, with since when they are the last; the words go before the values."""
    room = widths.middle
    # The line on top has the seconds.
    minute = facts.as_of[: len("00:00")]
    ways = (f" as of {facts.as_of}", f" as of {minute}", f" at {minute}")
    words = next((way for way in ways if len(way) <= room), ways[-1])
    numbers: list[Part] = []
    if room - widths.cpu - widths.memory >= len(words):
        numbers = _numbers(container, widths, facts, steady)
        room -= widths.cpu + widths.memory
    elif room - widths.cpu >= len(words):
        numbers = _numbers(container, widths, facts, steady)[:1]
        room -= widths.cpu
    return [*numbers, (paint.fit(Safe(words), room), "warn")]


def _restarts(container: Container, widths: Columns) -> list[Part]:
    if not widths.restarts:
        return []
    count = "" if container.restarts is None else str(min(container.restarts, 999))
    return [(Safe(f"{count:>{widths.restarts}}"), "warn" if container.restarts else "faint")]


def _up(container: Container, widths: Columns, clock: datetime) -> Safe:
    if not widths.up:
        return Safe("")
    seconds = (clock - container.started_at).total_seconds() if container.started_at else None
    words = "" if seconds is None else ago(seconds, short=widths.up <= PERCENT)
    return Safe(f"{words:>{widths.up}}"[: widths.up])


def size(count: int) -> str:
    """Bytes in at most three digits: `312 MiB`, `1.2 GiB`."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.1f} {units[0]}" if value < 9.95 else f"{value:.0f} {units[0]}"
