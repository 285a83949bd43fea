"""Whom to call now: the ladder of the handbook, as it stands in this incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cockpit.clock import Moment, between
from cockpit.incident import events as e
from cockpit.incident.clocks import REACHED
from cockpit.incident.clocks import Call as Unanswered
from cockpit.incident.incident import Incident
from cockpit.oncall import contacts, phone
from cockpit.oncall.model import Contact, Handbook, Level
from cockpit.text import Safe, clean_line
from cockpit.words import in_words

NO_ANSWER, LEFT_MESSAGE = "no answer", "left message"


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody was called, and how that ended. at is UTC, corrected where a person did that."""

    who: Safe
    level: int
    how: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Rung:
    """A person of a level; or a level that names nobody who can be called.

    there: their time and place. answers: whether they are there at this hour, None where it is not
    known. calls: those to them, oldest first. left: seconds until their level has to answer, below
    0 where it has not; None where nothing runs.
    """

    level: Level
    contact: Contact
    there: Safe = Safe("")
    answers: bool | None = None
    calls: tuple[Call, ...] = ()
    left: float | None = None

    @property
    def name(self) -> Safe:
        """Who it is, else what the level is called."""
        return self.contact.name or self.level.role

    @property
    def how(self) -> str:
        """How the newest call ended; empty where there was none."""
        return self.calls[-1].how if self.calls else ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """All rungs, lowest first, and the one to call next.

    next: None where nobody can be called. wait: seconds until it is their turn; 0 for now. said:
    what to do, and why, in a sentence. own: the level of the responder; 0 where that is not known.
    """

    rungs: tuple[Rung, ...]
    next: Rung | None
    wait: float
    said: Safe
    own: int = 0


def calls(incident: Incident) -> tuple[Call, ...]:
    """Everybody who was called since the incident was last opened, oldest first."""
    opened = incident.times.reopened.seq if incident.times.reopened else 0
    found = []
    for entry in incident.entries:
        event = entry.record.event
        if isinstance(event, e.EscalationNoted) and entry.record.seq > opened:
            found.append(Call(clean_line(event.who), event.level, event.how, entry.at))
    return tuple(found)


def climb(handbook: Handbook, incident: Incident, who: str, now: Moment) -> Ladder:
    """The ladder as it stands. who: the responder, who is not told to call themselves."""
    made = calls(incident)
    waits = _unanswered(handbook, incident)
    left = None
    if waits is not None:
        within = waits.within or handbook.rules.answers_within(waits.level)
        left = within - between(waits.at, now)
    rungs = tuple(
        Rung(
            level,
            contact,
            there=contacts.there(contact, now.ts),
            answers=contacts.answers(contact, now.ts),
            calls=_to(level, contact, made),
            left=left if waits and waits.level == level.number else None,
        )
        for level in sorted(handbook.levels, key=lambda one: one.number)
        for contact in level.contacts or (Contact(line=level.line),)
    )
    own = _own(rungs, who)
    return replace(_proposed(handbook, incident, rungs, own, now), own=own)


def _unanswered(handbook: Handbook, incident: Incident) -> Unanswered | None:
    """As `Times.unanswered`; who was only written to is waited for only where nobody else is."""
    phoned = {level.number for level in handbook.levels if any(one.phone for one in level.contacts)}
    return incident.times.waited_for(lambda call: (call.level in phoned, call.level))


def warm(handbook: Handbook, now: datetime) -> None:
    """Does what the first look at a ladder would wait for: zones, numbers, a code; blocking."""
    for level in handbook.levels:
        for contact in level.contacts:
            contacts.there(contact, now)
            contacts.answers(contact, now)
            if dialled := phone.dials(contact.phone):
                phone.code(dialled)


def _to(level: Level, contact: Contact, made: Sequence[Call]) -> tuple[Call, ...]:
    alone = len(level.contacts) <= 1
    ours = (call for call in made if call.level == level.number)
    return tuple(call for call in ours if alone or call.who == contact.name)


def _own(rungs: Sequence[Rung], who: str) -> int:
    """The level of the responder: that of their name, else the lowest of several."""
    for rung in rungs:
        if rung.contact.goes_by(who):
            return rung.level.number
    levels = [rung.level.number for rung in rungs]
    return levels[0] if len(set(levels)) > 1 else 0


def _proposed(
    handbook: Handbook, incident: Incident, rungs: tuple[Rung, ...], own: int, now: Moment
) -> Ladder:
    if not any(rung.contact.reachable for rung in rungs):
        return Ladder(rungs, None, 0.0, _nobody(handbook, rungs, own))
    top = _top(handbook, incident, rungs, now)
    if top is not None:
        return top
    tried = [rung for rung in rungs if rung.calls]
    if not tried:
        rung, passed = _first(rungs, own, own)
        return Ladder(rungs, rung, 0.0, Safe(f"{_turn_to(rung, first=True)}.{passed}"))
    late = [rung for rung in tried if rung.left is not None]
    if not late:
        last = max(tried, key=lambda rung: rung.calls[-1].at)
        rung, passed = _first(rungs, max(rung.level.number for rung in tried), own)
        how = f"was {REACHED}" if last.how == REACHED else "was called"
        said = f"{last.name} {how} at {last.calls[-1].at:%H:%M} UTC. If that is not enough,"
        return Ladder(rungs, rung, 0.0, Safe(f"{said} {_turn_to(rung)}.{passed}"))
    number, left = late[0].level.number, late[0].left or 0.0
    for rung in rungs:
        untried = rung.level.number == number and not rung.calls
        if untried and rung.contact.phone and rung.answers is not False:
            said = f"{late[0].name}: {late[0].how}. Call {_named(rung)}."
            return Ladder(rungs, rung, 0.0, Safe(said))
    rung, passed = _first(rungs, number, own)
    # Whoever was only written to is not waited for while somebody can be phoned.
    phoned = any(one.contact.phone for one in late)
    if left > 0 and (phoned or rung.calls or not rung.contact.phone):
        until = now.ts + timedelta(seconds=left)
        said = f"Level {number} has until {until:%H:%M} UTC to answer. Go on meanwhile, then"
        return Ladder(rungs, rung, left, Safe(f"{said} {_turn_to(rung)}.{passed}"))
    if left > 0:
        said = f"{late[0].name}: {late[0].how}, and has no number."
    else:
        said = f"The time in which level {number} answers is over."
    said = f"{said} {_turn_to(rung, first=True)}.{passed}"
    return Ladder(rungs, rung, 0.0, Safe(said))


def _turn_to(rung: Rung, *, first: bool = False) -> str:
    """What to do with whoever is next: call them, or write to who has no number.

    first: a sentence begins with it.
    """
    if rung.contact.phone:
        return f"{'Call' if first else 'call'} {_named(rung)}"
    return f"{'Write' if first else 'write'} to {_named(rung)}: {_at(rung)}"


def _at(rung: Rung) -> str:
    """Where somebody without a number is written to."""
    if rung.contact.slack:
        return f"{rung.contact.slack} on Slack"
    return str(rung.contact.email)


def _named(rung: Rung) -> str:
    absent = ", although not there at this hour" if rung.answers is False else ""
    return f"{rung.name}, level {rung.level.number}{absent}"


def _first(rungs: Sequence[Rung], above: int, own: int) -> tuple[Rung, str]:
    """Whom to call above a level, and in sentences whom that passes over.

    Where nobody above it has a number, it is who else has one and was not called yet; then who
    above it can be written to; then who was not called, else the longest ago. Who has no number is
    nobody's next while another number is left, but is named.
    """
    higher = [rung for rung in rungs if rung.level.number > above]
    can = [rung for rung in higher if rung.contact.phone]
    write = [rung for rung in higher if rung.contact.reachable and not rung.contact.phone]
    write = [rung for rung in write if not rung.calls]
    if can:
        chosen = next((rung for rung in can if rung.answers is not False), can[0])
        return chosen, _passed(higher, chosen.level.number)
    others = [rung for rung in rungs if rung.level.number != own]
    fresh = [rung for rung in others if rung.contact.phone and not rung.calls]
    if write and fresh:
        return min(fresh, key=_called_before), _passed(higher)
    if write:
        return write[0], ""
    everybody = [rung for rung in rungs if rung.contact.reachable]
    others = [rung for rung in everybody if rung.level.number != own] or everybody
    again = min(fresh or others, key=_called_before)
    return again, f" Nobody above level {above} can be called."


def _passed(higher: Sequence[Rung], below: int | None = None) -> str:
    """In sentences, who above the level in hand is passed over; below: up to that level."""
    said = ""
    for number in sorted({rung.level.number for rung in higher}):
        if below is not None and number >= below:
            continue
        there = [rung for rung in higher if rung.level.number == number and rung.contact.reachable]
        names = " and ".join(rung.name for rung in there if rung.contact.phone)
        if names:
            said += f" {names}, level {number}, cannot be expected at this hour."
        for rung in there:
            if not rung.contact.phone and not rung.calls:
                said += f" {rung.name}, level {number}, has no number: write to {_at(rung)}."
        if not there:
            said += f" Nobody has filled in level {number}."
    return said


def _called_before(rung: Rung) -> tuple[bool, bool, float]:
    last = rung.calls[-1].at.timestamp() if rung.calls else 0.0
    return bool(rung.calls), rung.answers is False, last


def _top(
    handbook: Handbook, incident: Incident, rungs: tuple[Rung, ...], now: Moment
) -> Ladder | None:
    """The level that a P0 goes to when it lasts too long, until it has been called."""
    rules, times = handbook.rules, incident.times
    since = times.severe_since
    over = times.mitigated or times.resolved or times.severity is not e.Severity.P0
    if since is None or over or any(call.level >= rules.top_level for call in times.made):
        return None
    lasts = between(since, now)
    for rung in rungs:
        # Who can only be written to is proposed in turn: others may have a number.
        at_top = rung.level.number == rules.top_level and rung.contact.phone
        if at_top and lasts >= rules.top_after:
            said = f"A P0 for {in_words(lasts)}: call {_named(rung)}."
            return Ladder(rungs, rung, 0.0, Safe(said))
    return None


def _nobody(handbook: Handbook, rungs: Sequence[Rung], own: int) -> Safe:
    if not handbook.levels and handbook.unread:
        return clean_line(f"{handbook.unread} w notes whom you called.")
    if not handbook.levels:
        return Safe(
            "There is no ladder: name people under contacts: in cockpit.yaml, or in a handbook."
            " w notes whom you called."
        )
    others = [rung for rung in rungs if rung.level.number > own] or rungs
    to_do = mend(others[0], handbook)
    return Safe(
        "Nobody on the ladder can be called: no number is filled in. w notes whom you called."
        f" {to_do}"
    )


def mend(rung: Rung, handbook: Handbook) -> Safe:
    """What to fill in where, so that somebody of this level can be phoned; empty if they can."""
    contact = rung.contact
    if contact.phone:
        return Safe("")
    what = ", ".join(contact.missing) or ("phone" if contact.name else "name, phone")
    if contact.name and not contact.line:
        return Safe(f"Fill in {what} of {contact.name} under contacts: in cockpit.yaml.")
    if handbook.shipped:
        return Safe(
            f"Fill in {what}. This is the handbook that comes with cockpit: `cockpit init` writes"
            " one of your own."
        )
    line = contact.line or rung.level.line
    if handbook.path and line:
        path = Path(handbook.path)
        folder = f", in {path.parent}" if path.parent.name else ""
        return clean_line(f"Fill in {what}: {path.name}, line {line}{folder}")
    return Safe(f"Fill in {what} under contacts: in cockpit.yaml.")
