"""What others are told: the handbook's templates, or ours, filled in with what is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cockpit.incident import events as e
from cockpit.incident.clocks import Rules
from cockpit.incident.events import Severity
from cockpit.incident.incident import Incident
from cockpit.oncall.facts import Fact, facts
from cockpit.oncall.filling import put
from cockpit.oncall.gaps import Gap, find
from cockpit.oncall.model import Handbook, Template
from cockpit.oncall.next_step import next_step
from cockpit.oncall.own_messages import OURS
from cockpit.runbook.model import Runbook
from cockpit.text import Redactor, Safe, clean

NOT_KNOWN = Safe("not known yet")
_OPEN = {
    "severity": Safe("P?"),
    "logs": Safe("not attached"),
    "found": Safe("nothing yet"),
    "tried": Safe("nothing yet"),
}
WHEN_IT_CHANGES = Safe("when something changes")

_NEXT = Safe("Next update: {next_update}.")
_LOG = Safe("Last lines of the log:\n{logs}")
PROMISES = ("acknowledged", "update")
"""Messages that say when the next one comes."""
_PROMISE = re.compile(
    r"(?i)next (?:update|message|status|report)\b[^\n]{0,40}?"
    r"(?:(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)|in (?P<count>\d{1,3}) ?(?P<unit>min|m\b|h))"
)
_OF_A_SHIFT = re.compile(r"(?i)\b(?:shift|hand-?(?:off|over)|post-?mortem|post-incident)\b")
_MARK = re.compile(r"\[REDACTED:[a-z-]+:[0-9a-f]{6}\]")

ASKS: Mapping[str, str] = {
    "severity": "How bad? (P0 to P3)",
    "started": "Since when? (HH:MM, UTC)",
    "resolved": "When was it over? (HH:MM, UTC)",
    "title": "What is it, in a few words?",
    "impact": "Impact: what do customers notice?",
    "service": "Which service?",
    "found": "What was found?",
    "tried": "What was done so far?",
    "next_step": "What is done next?",
    "need": "What do you need from them?",
    "cause": "What was the cause?",
    "fix": "What ended it?",
    "follow_up": "What follows?",
    "phone": "Where can you be called?",
    "dashboard": "Which dashboard? (URL)",
    "called": "Who is called?",
    "logs": "Which lines of the log?",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that a message would say and that is not known.

    ask: the question. line: of the message, where it stands. offer: what it may be.
    """

    name: str
    ask: Safe
    line: Safe
    offer: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as far as it can be written. Redacted with the incident's salt.

    gaps: what is to be asked for; each stands in the text as its author wrote it. next_at: when it
    promises the next one, in UTC.
    """

    about: str
    text: Safe
    gaps: tuple[Wanted, ...]
    next_at: datetime | None


def templates(handbook: Handbook | None) -> tuple[Template, ...]:
    """The messages that there are: the four that every incident has, then others of the team.

    What a handbook has for a shift is not told in an incident.
    """
    theirs = handbook.templates if handbook else ()
    by_name = {one.about: one for one in reversed(theirs)}
    usual = (replace(by_name.get(ours.about, ours), title=ours.title) for ours in OURS)
    names = {ours.about for ours in OURS}
    others = (one for one in theirs if one.about not in names and not _OF_A_SHIFT.search(one.title))
    return (*usual, *others)


def likely(incident: Incident) -> str:
    """Which message is due: what was not told yet, else an update."""
    if incident.resolved:
        return "resolved"
    events = (entry.record.event for entry in incident.entries)
    told = {event.about for event in events if isinstance(event, e.UpdateSent)}
    return "update" if told & {"acknowledged", "update"} else "acknowledged"


def draft(
    about: str | Template,
    handbook: Handbook | None,
    incident: Incident,
    runbook: Runbook | None,
    *,
    who: str,
    now: datetime,
    given: Mapping[str, str],
) -> Draft:
    """A message, filled in with what is known at `now` (UTC).

    about: acknowledged, update, escalation, resolved, or a template. given: by name, what the
    responder answered, which goes before what is known (empty: it stays open, "not known yet");
    `logs`, `called` and `seen` (of the present state) can come only from there.
    """
    book = handbook or Handbook()
    template = about if isinstance(about, Template) else _of(about, book)
    text = _whole(template, given)
    due = next_update(incident, book.rules, now)
    known: dict[str, Fact] = {
        **facts(incident, book, runbook, who=who, now=now, seen=given.get("seen", "")),
        "next_update": due or WHEN_IT_CHANGES,
        **{name: clean(value) or _OPEN.get(name, NOT_KNOWN) for name, value in given.items()},
    }
    offers = _offers(incident, runbook, book)
    parts: list[str] = []
    gaps: dict[str, Wanted] = {}
    at = 0
    for gap in find(text):
        fact = known.get(gap.name)
        parts.append(text[at : gap.start])
        at = gap.end
        if fact is None:
            parts.append(text[gap.start : gap.end])
            gaps.setdefault(gap.name, _wanted(gap, offers.get(gap.name, "")))
            continue
        words, over = put(gap.name, fact, text[: gap.start], text[gap.end :], now)
        if "\n" in words and text[: gap.start].rpartition("\n")[2]:
            parts[-1] = parts[-1].rstrip(" ")
            words = f"\n{words}"
        parts.append(words)
        at += over
    parts.append(text[at:])
    whole = Redactor(incident.salt.encode())(clean("".join(parts)))
    return Draft(template.about, whole, tuple(gaps.values()), promised(whole, now))


def next_update(incident: Incident, rules: Rules, now: datetime) -> datetime | None:
    """When the next update is due after one at `now`; None when something changes.

    An incident that nobody has declared counts as a P1: silence costs more than an update.
    """
    severity = incident.severity or Severity.P1
    pace = rules.pace(severity)
    if pace.update is None:
        return None
    due = now + timedelta(seconds=pace.update)
    whole = due.replace(second=0, microsecond=0)
    return whole if whole == due else whole + timedelta(minutes=1)


def promised(text: str, now: datetime) -> datetime | None:
    """When a message says that the next one comes, in UTC: what people read is what holds."""
    found = _PROMISE.search(text)
    if found is None:
        return None
    if found["count"]:
        scale = 3600 if found["unit"].lower() == "h" else 60
        return now + timedelta(seconds=int(found["count"]) * scale)
    at = now.astimezone(UTC).replace(
        hour=int(found["hour"]), minute=int(found["minute"]), second=0, microsecond=0
    )
    # The nearest such time: over midnight it is tomorrow's.
    half = timedelta(hours=12)
    if at - now > half:
        return at - 2 * half
    return at + 2 * half if now - at > half else at


def taken_out(text: str) -> int:
    """How many secrets were taken out of a text."""
    return len(_MARK.findall(text))


def _of(about: str, handbook: Handbook) -> Template:
    every = templates(handbook)
    named = (one for one in every if one.about == about or one.title.lower() == about.lower())
    return next(named, every[1])


def _whole(template: Template, given: Mapping[str, str]) -> Safe:
    """The text of a template with what it should have and has not: the next update, the log."""
    text = template.text.strip()
    names = {gap.name for gap in find(text)}
    if template.about in PROMISES:
        stated = "next_update" in names or _PROMISE.search(text)
        return Safe(text if stated else f"{text}\n{_NEXT}")
    if template.about == "escalation" and given.get("logs") and "logs" not in names:
        return Safe(f"{text}\n{_LOG}")
    return Safe(text)


def _offers(incident: Incident, runbook: Runbook | None, handbook: Handbook) -> dict[str, str]:
    """What may be meant, to be looked at before it is said: the next step, the first dashboard."""
    offers = {"dashboard": str(handbook.dashboards[0])} if handbook.dashboards else {}
    found = next_step(incident, runbook) if runbook else None
    return {**offers, "next_step": str(found[1].title)} if found else offers


def _wanted(gap: Gap, offer: str) -> Wanted:
    ask = Safe(ASKS[gap.name]) if gap.name in ASKS else Safe(f"{gap.words or gap.name}?")
    return Wanted(gap.name, ask, gap.line, clean(offer))
