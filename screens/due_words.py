"""What is due, in words: how the status line, the banner and the panel say it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cockpit.clock import Moment
from cockpit.incident.clocks import MINUTE, Due, due
from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from cockpit.words import in_words, lasted
from screens.paint import Part

# As they are bound in `CockpitScreen`, unless cockpit.yaml says otherwise.
KEYS = {
    "incident.acknowledge": "A",
    "incident.update": "U",
    "incident.escalate": "E",
    "pane.runbook": "3",
    "incident.due": "D",
    "incident.outbox": "O",
}
_SOON = 2 * MINUTE
_DAY = 20 * 3600.0


def now_due(responder: Responder, at: Moment) -> tuple[Due, ...]:
    """What is due at the incident of a responder, by the rules that hold."""
    return due(responder.incident, responder.rules, at, responder.config.timezone)


def key_of(responder: Responder, id: str) -> Safe:
    """The key that a binding has; of several the first."""
    return clean_line(responder.config.keymap.get(id, KEYS[id]).split(",")[0])


def spoken(found: tuple[Due, ...]) -> Due | None:
    """The one that is said: the longest overdue, else the next, of those that are not put off."""
    return next((one for one in found if not one.quiet), None)


def clock_time(one: Due, now: datetime) -> str:
    """When it is due in UTC, with the day where that is not near."""
    return time_of(one.at, now)


def time_of(at: datetime, now: datetime) -> str:
    """A time in UTC, with the day where that is not near."""
    at = at.astimezone(UTC)
    return f"{at:%H:%M}" if abs((at - now).total_seconds()) < _DAY else f"{at:%a %d %b %H:%M}"


def until(seconds: float, now: datetime) -> str:
    """When so many seconds from now are over: `10:42 UTC`."""
    return f"{time_of(now + timedelta(seconds=seconds), now)} UTC"


def part(responder: Responder, one: Due, now: datetime, *, wide: bool) -> Part:
    """The part of the status line: `update due 03:40 (in 6 min)`, `UPDATE OVERDUE 2 min: U`."""
    key = key_of(responder, one.key)
    if one.left <= 0:
        return Safe(f"{one.short.upper()} OVERDUE {lasted(-one.left)}: {key}"), "banner"
    left = in_words(one.left)
    if one.name == "breath":
        words = "breathe, and read the runbook" if wide else "breathe"
        return Safe(f"{words}: {left}"), "strong"
    short = one.short if wide or one.name != "acknowledge" else "ack"
    words = f"{short} due {clock_time(one, now)} (in {left})" if wide else f"{short} in {left}"
    asks = f": {key}" if one.name == "acknowledge" else ""
    return Safe(f"{words}{asks}"), "warn" if asks or one.left < _SOON else ""


def late_words(responder: Responder, late: Sequence[Due]) -> Safe:
    """What is overdue, with the key that answers it; of one thing what it wants."""
    if len(late) == 1:
        return Safe(f"Overdue. {late[0].words} {key_of(responder, late[0].key)} answers it.")
    named = ", ".join(f"{one.short} ({key_of(responder, one.key)})" for one in late)
    return Safe(f"Overdue: {named}. {key_of(responder, 'incident.due')} shows it all.")
