"""What the journals know of a stretch of time: its incidents, its shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cockpit import paths
from cockpit.clock import Moment
from cockpit.incident.clocks import Due, Rules, due
from cockpit.incident.history import read
from cockpit.incident.incident import Incident, fold
from cockpit.incident.report import prose
from cockpit.incident.summary import folders, is_resolved, name_of
from cockpit.oncall.next_step import book_of, in_words, next_step
from cockpit.oncall.shift import Shift
from cockpit.text import Redactor, Safe


@dataclass(frozen=True, slots=True)
class Told:
    """An incident with what is not in its journal alone.

    next: the step to go on with, in words. due: what is due, the longest overdue first. Both only
    while it is open. damaged: places in its journal that cannot be read.
    """

    name: str
    incident: Incident
    next: Safe = Safe("")
    due: tuple[Due, ...] = ()
    damaged: int = 0

    @property
    def redact(self) -> Redactor:
        return Redactor(self.incident.salt.encode())

    def prose(self, text: str) -> str:
        return prose(text, self.redact)

    @property
    def called(self) -> str:
        """What it is called, escaped."""
        return self.prose(name_of(self.incident))


@dataclass(frozen=True, slots=True)
class Period:
    """What is known of a stretch of time. since and until are UTC; now: when it was read."""

    since: datetime
    until: datetime
    now: datetime
    incidents: tuple[Told, ...] = ()
    shifts: tuple[Shift, ...] = ()

    @property
    def real(self) -> list[Told]:
        """Without trainings, oldest first."""
        return [one for one in self.incidents if not one.incident.training]

    @property
    def began(self) -> list[Incident]:
        """The real ones that began in the period."""
        found = (one.incident for one in self.real)
        return [one for one in found if one.started and self.since <= one.started < self.until]

    @property
    def open(self) -> list[Told]:
        return [one for one in self.incidents if one.incident.open]

    @property
    def damaged(self) -> list[tuple[str, int]]:
        """The journals that are damaged, with the number of places."""
        found = [(one.name, one.damaged) for one in self.incidents]
        found += [(one.name, one.damaged) for one in self.shifts]
        return [(name, count) for name, count in found if count]


def gather(
    since: datetime,
    until: datetime,
    shifts: Sequence[Shift],
    rules: Rules,
    now: Moment,
    zone: str,
) -> Period:
    """Reads the incidents that began, or were open, at some time between; blocking.

    shifts: all that are known. zone: where business days begin, for what is due.
    """
    found = []
    for folder in folders(paths.incidents()):
        if _long_over(folder, since):
            continue
        history = read(folder)
        incident = fold(history.records)
        if history.damage and not incident.started:  # that it began may be what is lost
            first = history.records[0].ts if history.records else since
            incident = replace(incident, started=first)
        if not incident.started or not _touches(incident.started, incident.resolved, since, until):
            continue
        told = Told(folder.name, incident, damaged=len(history.damage))
        if incident.open:
            told = replace(
                told,
                next=_next(incident),
                due=() if incident.training else due(incident, rules, now, zone),
            )
        found.append(told)
    found.sort(key=lambda one: one.incident.started or since)
    there = [
        one
        for one in shifts
        if (one.started and _touches(one.started, one.ended, since, until))
        or (one.damaged and not one.started)
    ]
    return Period(since, until, now.ts, tuple(found), tuple(reversed(there)))


def _touches(start: datetime, end: datetime | None, since: datetime, until: datetime) -> bool:
    return start < until and (end is None or end >= since)


def _long_over(folder: Path, since: datetime) -> bool:
    """Whether it was resolved and not written to since, at a fraction of the cost of reading it."""
    try:
        written = (folder / "journal.jsonl").stat().st_mtime
    except OSError:
        return False
    return written < since.timestamp() and is_resolved(folder)


def _next(incident: Incident) -> Safe:
    book = book_of(incident)
    if book is None:
        gone = incident.runbook is not None
        return Safe("its runbook cannot be read any more" if gone else "no runbook was opened")
    found = next_step(incident, book)
    if found is None:
        return Safe("all steps of the runbook are done: verify, then resolve it")
    changed = incident.runbook is not None and incident.runbook.sha256 != book.sha256
    more = " (the runbook was edited since)" if changed else ""
    return Safe(f"{in_words(found)}{more}")
