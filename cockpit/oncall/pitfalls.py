"""Known mistakes, in the handbook's own words where it has them, at the moment they are made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cockpit.clock import Moment, between
from cockpit.incident.clocks import MINUTE
from cockpit.incident.events import Severity
from cockpit.incident.incident import Incident
from cockpit.text import Safe, clean_line

if TYPE_CHECKING:
    from cockpit.oncall.model import Handbook, Pitfall

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
    "alone": (r"\balone\b|\bhero", r"\bask for help\b|\bescalate (rather|early)"),
    "verification": (
        r"\bverif\w*\b.*\bresolv|\bresolv\w*\b.*\bverif",
        r"\bverif",
        r"\bresolv\w*\b.*\b(early|soon)\b",
    ),
}

_RESTARTS: Final = re.compile(r"restart|\b(up|reboot)\b", re.IGNORECASE)


def sentence(name: str, handbook: Handbook | None, command: str = "restart") -> Safe:
    """What is said of a mistake: the handbook's sentence of it, else ours.

    command: the one that is about to run; what is said of a restart fits no kill or pause.
    """
    known = handbook.pitfalls if handbook else ()
    for sign in _SIGNS[name]:
        for pitfall in known:
            found = _said(pitfall, re.compile(sign, re.IGNORECASE))
            if found and (_RESTARTS.search(command) or "restart" not in found.lower()):
                return found
    return OURS[name]


def _said(pitfall: Pitfall, sign: re.Pattern[str]) -> Safe | None:
    """All of a short pitfall whose title has the sign, else the sentence in which it stands."""
    title, text = pitfall.title.strip(" .:"), pitfall.text.strip()
    if sign.search(title) and "\n" not in text and len(title) + len(text) <= _LONGEST:
        return _ended(title, text)
    sentences = [one.strip(" -*") for one in re.split(r"(?<=[.!?])\s+|\n+", text)]
    for one in sentences:
        if sign.search(one):
            return _ended(title, one)
    if sign.search(f"{title}: {' '.join(sentences)}"):
        return _ended(title, " ".join(sentences))
    return None


def _ended(title: str, text: str) -> Safe:
    words = clean_line(": ".join(part for part in (title, text[:_LONGEST]) if part))
    return words if words.endswith((".", "!", "?")) else Safe(f"{words}.")


def alone(incident: Incident, now: Moment) -> bool:
    """Whether somebody has gone on for half an hour and nobody else knows of it."""
    times = incident.times
    if times.started is None or times.resolved or times.mitigated:
        return False
    if times.calls or times.told or times.severity is Severity.P3:
        return False
    return "alone" not in incident.told and between(times.started, now) >= ALONE_AFTER
