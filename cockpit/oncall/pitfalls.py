"""Known mistakes, in the handbook's own words where it has them, at the moment they are made."""

from __future__ import annotations

import re
from typing import Final

from cockpit.clock import Moment, between
from cockpit.incident.clocks import MINUTE
from cockpit.incident.events import Severity
from cockpit.incident.incident import Incident
from cockpit.oncall.model import Handbook, Pitfall
from cockpit.text import Safe, clean_line

ALONE_AFTER: Final = 30 * MINUTE
_LONGEST: Final = 200

OURS: Final = {
    "diagnosis": Safe("Look before you mend: two minutes of diagnosis first."),
    "logs": Safe("Save the logs before you restart: a restart destroys what you need to see."),
    "alone": Safe("Half an hour alone, and nobody knows: escalate (E), or tell others (U)."),
    "verification": Safe("Verify it before you call it resolved."),
}
"""By name, where the handbook says nothing of it."""

# What a handbook calls them: the first pattern that one of its pitfalls has is taken.
_SIGNS: Final = {
    "diagnosis": (
        r"before looking|diagnos\w*\b.*\b(before|first)|skip\w*\b.*\bdiagnos",
        r"\bdiagnos",
    ),
    "logs": (
        r"\b(logs?|evidence)\b.*\brestart|\brestart\w*\b.*\b(logs?|evidence)\b",
        r"\brestart\w*\b.*\b(destroys?|loses?|see)\b",
    ),
    "alone": (r"\balone\b|\brogue\b|\bhero\b", r"\bask for help\b|\bescalate (rather|early)"),
    "verification": (
        r"\bverif\w*\b.*\bresolv|\bresolv\w*\b.*\b(verif\w*|early|soon)\b",
        r"\bverif",
    ),
}


def sentence(name: str, handbook: Handbook | None) -> Safe:
    """What is said of a mistake: the handbook's sentence of it, else ours."""
    known = handbook.pitfalls if handbook else ()
    for sign in _SIGNS[name]:
        for pitfall in known:
            found = _said(pitfall, re.compile(sign, re.IGNORECASE))
            if found:
                return found
    return OURS[name]


def _said(pitfall: Pitfall, sign: re.Pattern[str]) -> Safe | None:
    """All of a short pitfall that has the sign, else the sentence in which it stands."""
    title, text = pitfall.title.strip(" .:"), pitfall.text.strip()
    whole = f"{title}: {text}" if title and text else title or text
    if not sign.search(whole.replace("\n", " ")):
        return None
    if sign.search(title) and len(whole) <= _LONGEST:
        return clean_line(" ".join(whole.split()))
    for one in re.split(r"(?<=[.!?])\s+|\n+", text):
        if sign.search(one):
            return clean_line(f"{title}: {one.strip(' -*')}" if title else one.strip(" -*"))
    return clean_line(" ".join(whole.split())[:_LONGEST])


def alone(incident: Incident, now: Moment) -> bool:
    """Whether somebody has gone on for half an hour and nobody else knows of it."""
    times = incident.times
    if times.started is None or times.resolved or times.mitigated:
        return False
    if times.calls or times.told or times.severity is Severity.P3:
        return False
    return "alone" not in incident.told and between(times.started, now) >= ALONE_AFTER
