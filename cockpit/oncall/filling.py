"""A fact in the words of the place where it stands: `03:50 UTC`, `P[1]`, `in 31 minutes`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from cockpit.oncall.facts import Fact, UntilMitigated
from cockpit.words import lasted

_TIMES = ("started", "acknowledged", "mitigated", "resolved", "now", "next_update")
_ZONE = re.compile(r"\s*\b(?:UTC|GMT|Z)\b")


def put(name: str, fact: Fact, before: str, after: str, now: datetime) -> tuple[str, int]:
    """A fact as it stands between these texts, and how much of what follows it replaces."""
    line = after.partition("\n")[0]
    zone = _ZONE.match(after)
    if isinstance(fact, timedelta):
        minutes = re.match(r"\s*min", after)
        seconds = max(0, round(fact.total_seconds()))
        # A line of its own is read beside when it began and when it was resolved.
        alone = isinstance(fact, UntilMitigated) and not line.strip()
        words = lasted(seconds) + (" (until mitigated)" if alone else "")
        return (str(round(seconds / 60)) if minutes else words), 0
    if isinstance(fact, datetime):
        if name == "next_update" and re.match(r"\s*min", after):
            return str(max(1, -int((now - fact).total_seconds() // 60))), 0
        day = "" if fact.date() == now.date() else f"{fact:%Y-%m-%d} "
        return f"{day}{fact:%H:%M}" + ("" if _ZONE.search(line) else " UTC"), 0
    words = str(fact)
    if after.startswith("."):
        words = words.rstrip(".")
    if name == "severity" and (prefix := re.search(r"(?i)\b(?:(p)|(sev-?))\Z", before)):
        level = words.upper().removeprefix("P")
        words = str(int(level) + 1) if prefix[2] and level.isdecimal() else level
    # "when something changes UTC" is no sentence.
    return words, zone.end() if zone and name in _TIMES and not words[-1:].isdecimal() else 0
