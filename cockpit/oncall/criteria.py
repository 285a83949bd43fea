"""When to escalate, and which of it is known to hold by what the incident says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cockpit.clock import Moment, between
from cockpit.incident.clocks import HOUR, MINUTE, REACHED
from cockpit.incident.events import Severity
from cockpit.incident.incident import Incident
from cockpit.incident.timeline import beginning
from cockpit.oncall.ladder import calls
from cockpit.oncall.model import Handbook
from cockpit.text import Safe, clean_line
from cockpit.words import in_words

USUAL = (
    Safe("15 minutes on a P0, or 30 on a P1, and recovery has not worked"),
    Safe("A P0 lasts longer than 2 hours"),
    Safe("You do not know what to do next, or are too tired to trust yourself"),
    Safe("The next step can lose data or money"),
    Safe("Several things fail, or must be done, at the same time"),
    Safe("It looks like an attack, or a secret may have leaked"),
)
"""Where the handbook names none."""

# A time with or without its unit, or a severity, as they stand in a clause.
_TIME = re.compile(
    r"(?i)(?<!level )(?<![\w.:])(?P<low>\d{1,6})(?:\s*(?:-|–|to)\s*(?P<high>\d{1,6}))?\s*"
    r"(?P<unit>h(?:ou)?rs?\b|h\b|min(?:ute)?s?\b|m\b)?(?!\w)"
)
_SEVERITY = re.compile(r"(?i)\b(?:P([0-3])|SEV-?([1-4]))\b")
_ONLY_SEVERITY = re.compile(
    r"(?i)\W*(?:an?|any|every|all|each)?\s*(?:P|SEV-?)[0-4](?:\s*(?:,|/|or|and)\s*(?:P|SEV-?)[0-4])*"
    r"(?:\s+(?:incidents?|alerts?))?\s*(?:[:.,;]|$)"
)
_CLAUSE = re.compile(r"[,;]|\bor\b|\band\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(?i)recover|resol|runbook|outage|\blasts?\b|\bdown\b|downtime|mitigat|no progress|stuck"
)
_RECOVERY_FAILED = re.compile(r"(?i)\brecover\w*\b.*\b(?:fail|not work|n[o']t help)")
_AFTER_LEVEL = re.compile(r"(?i)\bpersist\w*\b.*\bafter\b.*\blevel\s*(\d+)")


@dataclass(frozen=True, slots=True)
class Criterion:
    """What speaks for calling somebody. holds: by what it is known; empty where it is not."""

    words: Safe
    holds: Safe = Safe("")


def criteria(
    handbook: Handbook, level: int, incident: Incident, now: Moment
) -> tuple[Criterion, ...]:
    """What the handbook says of when to escalate, whatever the level and to this one.

    Of the lowest level it says what to do alone.
    """
    rung = handbook.level(level)
    lowest = min((one.number for one in handbook.levels), default=0)
    named = (*handbook.criteria, *(rung.when if rung and level > lowest else ()))
    words = dict.fromkeys(named or USUAL)
    return tuple(Criterion(one, clean_line(_known(one, incident, now))) for one in words)


def _known(words: str, incident: Incident, now: Moment) -> str:
    if incident.times.started is None or not incident.open:
        return ""
    if reached := _AFTER_LEVEL.search(words):
        return _was_reached(int(reached[1]), incident)
    limits = list(_limits(words, incident.severity))
    if limits:
        hurt = incident.mitigated is None and _GOES_ON.search(words)
        graded = incident.times.severe_since if _SEVERITY.search(words) else incident.times.started
        return _too_long(min(limits), graded, now) if hurt and graded else ""
    if _RECOVERY_FAILED.search(words):
        return _recovery_failed(incident)
    if incident.severity and _ONLY_SEVERITY.match(words):
        named = incident.severity in _severities(words)
        return f"it is a {incident.severity}" if named else ""
    return ""


def _limits(words: str, severity: Severity | None) -> Iterator[float]:
    """The seconds after which it holds at this severity; none where it names no time at all.

    Of `15-30 minutes` a P0 has the first. A limit for other severities only is never reached.
    """
    unit = ""
    for clause in _CLAUSE.split(words):
        of = _severities(clause)
        for found in _TIME.finditer(clause):
            unit = found["unit"] or unit
            if not unit or not (found["unit"] or of):
                continue
            ours = not of or severity in of
            count = found["low"] if severity is Severity.P0 else found["high"] or found["low"]
            seconds = int(count) * (HOUR if unit.lower().startswith("h") else MINUTE)
            yield seconds if ours else float("inf")


def _severities(words: str) -> frozenset[str]:
    """P0 to P3, also where they go by SEV1 to SEV4."""
    found = _SEVERITY.findall(words)
    return frozenset(f"P{p or int(sev) - 1}" for p, sev in found)


def _too_long(limit: float, since: Moment, now: Moment) -> str:
    seconds = between(since, now)
    return f"not mitigated for {in_words(seconds)}" if seconds >= limit else ""


def _was_reached(level: int, incident: Incident) -> str:
    reached = [call for call in calls(incident) if (call.level, call.how) == (level, REACHED)]
    return f"level {level} was reached at {reached[0].at:%H:%M} UTC" if reached else ""


def _recovery_failed(incident: Incident) -> str:
    """The newest command of a recovery, where it failed."""
    runs = [run for run in incident.runs.values() if run.over and run.asked.phase == "recovery"]
    if not runs or runs[-1].worked or incident.verified:
        return ""
    return f"`{beginning(runs[-1].asked.command)}` did not work"
