"""A message as it goes out now: its text with what must be said of its way, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cockpit.clock import Moment, between
from cockpit.incident.incident import Incident
from cockpit.incident.outgoing import LATE, Outgoing
from cockpit.text import Safe, clean_line

DUPLICATE: Final = "(possible duplicate)"


@dataclass(frozen=True, slots=True)
class Letter:
    """id: of the message, the same over all attempts. incident: the same over all its messages.

    title, severity and service are empty where they are not known.
    """

    id: str
    incident: str
    about: str
    text: str
    title: str
    severity: str
    service: str
    written: datetime
    sent: datetime
    duplicate: bool

    @property
    def subject(self) -> Safe:
        """What it is about on one line: `P0 API down`."""
        known = " ".join(part for part in (self.severity, self.title) if part)
        return clean_line(known or self.text.partition("\n")[0] or self.about, max_chars=200)


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended. why: empty where the destination took it; else as in MessageFailed."""

    why: str = ""
    ambiguous: bool = False
    wait: float = 0.0
    final: bool = False


def letter(one: Outgoing, incident: Incident, now: Moment, *, duplicate: bool) -> Letter:
    """The message as it is sent at `now`. duplicate: it may have arrived before."""
    queued = one.queued
    parts = [DUPLICATE] if duplicate else []
    parts.append(queued.text)
    if between(one.written, now) > LATE:
        same_day = one.at.date() == now.ts.date()
        sent = f"{now.ts:%H:%M}" if same_day else f"{now.ts:%Y-%m-%d %H:%M} UTC"
        written = f"{one.at:%H:%M}" if same_day else f"{one.at:%Y-%m-%d %H:%M}"
        parts.append(f"(written {written} UTC, sent {sent})")
    # The mark stands on the first line, which is what a phone shows; the time below the text.
    head = " ".join(parts[:2]) if duplicate else parts[0]
    return Letter(
        id=one.id,
        incident=incident.id,
        about=queued.about,
        text="\n".join([head, *parts[2 if duplicate else 1 :]]),
        title=queued.title,
        severity=queued.severity,
        service=queued.service,
        written=one.at,
        sent=now.ts,
        duplicate=duplicate,
    )
