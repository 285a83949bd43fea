"""A shift: who carries the phone, what they ticked, what they handed on. Kept as an incident is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cockpit import paths
from cockpit.incident import events as e
from cockpit.incident.journal import Journal, read
from cockpit.incident.notes import Kind
from cockpit.incident.summary import folders
from cockpit.oncall.model import Handbook, Occasion
from cockpit.text import Redactor, Safe, clean, clean_line


class NotSaved(Exception):
    """What happened could not be put on disk; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A checklist of the handbook as it was when it was gone through, and what of it is done."""

    title: Safe
    occasion: str
    items: tuple[Safe, ...]
    ticked: frozenset[str] = frozenset()

    @property
    def left(self) -> tuple[Safe, ...]:
        """What nobody has ticked."""
        return tuple(item for item in self.items if item not in self.ticked)


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift, folded from its journal.

    name: of its folder. It is over when the next one has received it, or at least when it was
    handed off. took: what it began with, where that was written on another machine. damaged: places
    in its journal that cannot be read. noted: lines for the next handoff, each with its kind.
    goes_on: begun again after a handoff that nobody had received.
    """

    name: str = ""
    salt: str = ""
    who: Safe = Safe("")
    started: datetime | None = None
    until: datetime | None = None
    lists: tuple[Listed, ...] = ()
    handed: e.ShiftHandedOff | None = None
    handed_at: datetime | None = None
    handoffs: int = 0
    noted: tuple[tuple[str, Safe], ...] = ()
    goes_on: bool = False
    took: e.HandoffTaken | None = None
    received: e.ShiftReceived | None = None
    received_at: datetime | None = None
    damaged: int = 0

    @property
    def open(self) -> bool:
        """Whether nothing was handed off yet."""
        return self.handed is None

    @property
    def ended(self) -> datetime | None:
        return self.received_at or (None if self.goes_on else self.handed_at)

    def listed(self, title: str, occasion: str) -> Listed | None:
        """A checklist as it stands in this shift."""
        found = (one for one in self.lists if (one.title, one.occasion) == (title, occasion))
        return next(found, None)


def fold(records: Iterable[e.Record], name: str = "") -> Shift:
    """The shift after these records."""
    shift = Shift(name)
    for record in records:
        shift = _after(shift, record)
    return shift


def _after(shift: Shift, record: e.Record) -> Shift:
    if shift.started is None:  # the first that can be read, whatever it is
        shift = replace(shift, who=clean_line(record.who), started=record.ts)
    match record.event:
        case e.JournalOpened(salt=salt):
            return replace(shift, salt=salt)
        case e.ShiftStarted(until=until):
            goes_on = shift.handed is not None
            return replace(shift, until=until or shift.until, goes_on=goes_on)
        case e.ChecklistOpened(title=title, occasion=occasion, items=items):
            opened = Listed(clean_line(title), occasion, tuple(clean_line(item) for item in items))
            old = [one for one in shift.lists if _same(one, opened)]
            ticked = frozenset(item for one in old for item in one.ticked)
            others = tuple(one for one in shift.lists if not _same(one, opened))
            kept = (replace(opened, ticked=ticked),) if items else ()  # without items: it is void
            return replace(shift, lists=(*others, *kept))
        case e.ItemTicked(title=title, occasion=occasion, item=item):
            lists = tuple(
                replace(one, ticked=one.ticked | {str(clean_line(item))})
                if (one.title, one.occasion) == (clean_line(title), occasion)
                else one
                for one in shift.lists
            )
            return replace(shift, lists=lists)
        case e.ShiftHandedOff() as handed:
            count = shift.handoffs + 1
            left = replace(shift, handed=handed, handed_at=record.ts, handoffs=count)
            return replace(left, noted=(), goes_on=False)
        case e.NoteAdded(text=text):
            kind, _, line = text.partition(": ")
            return replace(shift, noted=(*shift.noted, (kind, clean_line(line))))
        case e.HandoffTaken() as took:
            return replace(shift, took=took)
        case e.ShiftReceived() as received:
            return replace(shift, received=received, received_at=record.ts)
        case _:
            return shift


def _same(one: Listed, other: Listed) -> bool:
    return (one.title, one.occasion) == (other.title, other.occasion)


def known() -> list[tuple[Path, Shift]]:
    """All shifts with their folders, newest first. What is damaged is used as far as it goes."""
    found = []
    for folder in folders(paths.shifts()):
        history = read(folder)
        shift = replace(fold(history.records, folder.name), damaged=len(history.damage))
        found.append((folder, shift))
    return found


class Pen:
    """Writes in the journal of one shift. shift: as it stands after all that was written."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._redact = Redactor(journal.salt.encode())

    @property
    def folder(self) -> Path:
        return self._journal.folder

    @property
    def shift(self) -> Shift:
        return fold(self._journal.records, self.folder.name)

    def clean(self, text: str) -> str:
        """A person's text as it may be written."""
        return str(self._redact(clean(text.strip())))

    def write(self, event: e.Event) -> None:
        """Puts an event in the journal; it is on disk when the pen is put down at the latest."""
        self._journal.append(event)

    def open_lists(self, handbook: Handbook, occasion: Occasion) -> list[Listed]:
        """The checklists for an occasion, so that the journal knows what there was to tick.

        Those of the handbook that ships only stand in for a team's own: they take the place of
        none, and give way where nothing of them is ticked.
        """
        wanted = [one for one in handbook.checklists if one.occasion is occasion]
        opened = [one for one in self.shift.lists if one.occasion == occasion.value]
        if handbook.shipped and opened:
            return opened
        titles = {clean_line(self.clean(one.title)) for one in wanted}
        for old in opened if wanted else ():
            if old.title not in titles and not old.ticked:
                title = str(old.title)
                self.write(e.ChecklistOpened(title=title, occasion=old.occasion, items=()))
        for one in wanted:
            title, items = self.clean(one.title), tuple(self.clean(item) for item, _ in one.items)
            there = self.shift.listed(title, occasion)
            if there is None or there.items != items:
                self.write(e.ChecklistOpened(title=title, occasion=occasion.value, items=items))
        return [one for one in self.shift.lists if one.occasion == occasion.value]

    def tick(self, checklist: Listed, item: Safe) -> None:
        """An item is done."""
        title = str(checklist.title)
        self.write(e.ItemTicked(title=title, occasion=checklist.occasion, item=str(item)))

    def note(self, kind: Kind, line: str) -> None:
        """A line for the handoff, kept from the moment that it was typed."""
        self.write(e.NoteAdded(text=f"{kind.value}: {self.clean(line)}"))

    def noted(self, kind: Kind) -> list[Safe]:
        """Lines for a handoff that is not written yet."""
        return [line for word, line in self.shift.noted if word == kind.value]


@contextmanager
def writing(folder: Path | None, who: str) -> Iterator[Pen]:
    """A pen for a shift; folder None begins a new one.

    Raises journal.Busy where another cockpit writes it, NotSaved at the end where not all of it
    could be put on disk.
    """
    if folder is None:
        journal = Journal.create(paths.shifts(), slug=who, who=who)
    else:
        journal = Journal.open(folder, who=who)
    try:
        yield Pen(journal)
    finally:
        # Also where it was stopped, so that nobody is told that it is kept.
        if unsaved := journal.close():
            raise NotSaved(f"{unsaved} events are not saved. {journal.trouble}".strip())
