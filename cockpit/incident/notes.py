"""What a note is about, by the word that it begins with: `temporary: ...`, `action: ...`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from cockpit.incident.events import NoteAdded
from cockpit.incident.incident import Incident
from cockpit.text import Safe, clean_line


class Kind(StrEnum):
    """What a note counts as, beside standing on the timeline."""

    TEMPORARY = "temporary"
    PUT_BACK = "put back"
    ACTION = "action"
    RUNBOOK = "runbook"
    WELL = "well"
    BADLY = "badly"
    LUCKY = "lucky"
    LESSON = "lesson"
    IMPACT = "impact"
    TRIGGER = "trigger"
    DETECTED = "detected"


_WORDS = {
    "temporary": Kind.TEMPORARY,
    "temporary fix": Kind.TEMPORARY,
    "temp": Kind.TEMPORARY,
    "temp fix": Kind.TEMPORARY,
    "workaround": Kind.TEMPORARY,
    "put back": Kind.PUT_BACK,
    "revert": Kind.PUT_BACK,
    "undo": Kind.PUT_BACK,
    "action": Kind.ACTION,
    "action item": Kind.ACTION,
    "todo": Kind.ACTION,
    "follow-up": Kind.ACTION,
    "follow up": Kind.ACTION,
    "followup": Kind.ACTION,
    "runbook": Kind.RUNBOOK,
    "well": Kind.WELL,
    "good": Kind.WELL,
    "badly": Kind.BADLY,
    "bad": Kind.BADLY,
    "lucky": Kind.LUCKY,
    "luck": Kind.LUCKY,
    "lesson": Kind.LESSON,
    "lessons": Kind.LESSON,
    "impact": Kind.IMPACT,
    "trigger": Kind.TRIGGER,
    "detected": Kind.DETECTED,
    "detection": Kind.DETECTED,
}
_MARK = re.compile(r"\s*([A-Za-z]+(?:[ -][A-Za-z]+)?)\s*:\s*(?=\S)")
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|today|tonight|tomorrow|{'|'.join(_WEEK)}"
_OWNER = re.compile(r"(?<![\w@])@([\w.-]*\w)")
_DUE = re.compile(rf"\b(?:by|until|due)[: ] ?({_DAY})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Note:
    """A note that counts as something. text: without the word that it began with."""

    kind: Kind
    text: Safe
    at: datetime
    who: Safe


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done. owner (`@kim`) and due (the date of `by friday`) may be empty."""

    text: Safe
    owner: Safe = Safe("")
    due: Safe = Safe("")


def kind(text: str) -> Kind | None:
    """What a note counts as; None where it begins with no word that says it."""
    mark = _MARK.match(text)
    return _WORDS.get(mark[1].lower()) if mark else None


def said(text: str) -> Safe:
    """A note without the word that says what it is."""
    mark = _MARK.match(text)
    return clean_line(text[mark.end() :] if mark and kind(text) else text)


def of(incident: Incident, *kinds: Kind) -> tuple[Note, ...]:
    """The notes of these kinds, in order. A quoted line of a log is nobody's note."""
    found = []
    for entry in incident.entries:
        event = entry.record.event
        if isinstance(event, NoteAdded) and not event.source:
            about = kind(event.text)
            if about in kinds and about is not None:
                who = clean_line(entry.record.who)
                found.append(Note(about, said(event.text), entry.at, who))
    return tuple(found)


def task(text: str, when: datetime) -> Task:
    """Who does it by which day, as far as the text says so; the text stays whole.

    when: it was written, as `by friday` means another day in every week.
    """
    words = clean_line(text.strip())
    owner, due = _OWNER.search(words), _DUE.search(words)
    return Task(
        words,
        Safe(owner[1]) if owner else Safe(""),
        Safe(_day(due[1].lower(), when.date())) if due else Safe(""),
    )


def _day(said: str, when: date) -> str:
    if said in _WEEK:
        return str(when + timedelta(days=(_WEEK.index(said) - when.weekday() - 1) % 7 + 1))
    return {"today": str(when), "tonight": str(when), "tomorrow": str(when + timedelta(1))}.get(
        said, said
    )


def tasks(incident: Incident) -> tuple[Task, ...]:
    """What is left to do after an incident: the follow-ups of its end, and notes that say so."""
    found = []
    if incident.resolution and incident.resolved:
        parts = re.split(r"[;\n]", incident.resolution.follow_up)
        found = [task(part, incident.resolved) for part in parts if part.strip()]
    return (*found, *(task(note.text, note.at) for note in of(incident, Kind.ACTION)))
