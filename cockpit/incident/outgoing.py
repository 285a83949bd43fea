"""A message on its way to one destination: what the events say became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cockpit.clock import Moment, between
from cockpit.incident import events as e

if TYPE_CHECKING:
    from cockpit.incident.incident import Incident

LATE: Final = 60.0
"""Seconds after which a message says when it was written."""
OLD: Final = 3600.0
"""Seconds after which what was so when it was written need not be so any more."""
OVERTAKEN: Final = ("acknowledged", "update", "escalation")
"""What is no longer true once the incident is resolved."""


class Way(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ON_ITS_WAY: Final = (Way.WAITING, Way.SENDING, Way.SENT)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one destination.

    attempts: how many were begun. ambiguous: one of them may have arrived, so the next one says
    that it may be a duplicate. sending: an attempt was begun and its end is not known (also after a
    crash). tried: when an attempt last began or ended; wait: seconds that the destination asked for
    from then on. repeated: `why` is what it was before. released: the responder said that it goes
    although it is out of date.
    """

    seq: int
    written: Moment
    queued: e.MessageQueued
    way: Way = Way.WAITING
    attempts: int = 0
    ambiguous: bool = False
    tried: Moment | None = None
    why: str = ""
    wait: float = 0.0
    repeated: bool = False
    released: bool = False

    @property
    def id(self) -> str:
        return self.queued.message

    @property
    def at(self) -> datetime:
        """When it was written."""
        return self.written.ts

    @property
    def waits(self) -> bool:
        """Whether it is still to be sent."""
        return self.way in (Way.WAITING, Way.SENDING)

    @property
    def marked(self) -> str:
        """What is to be added to `sent`: that it went out as a possible duplicate."""
        doubt = self.way is Way.SENT and self.ambiguous
        return ", marked as a possible duplicate" if doubt else ""

    @property
    def open(self) -> bool:
        """Whether somebody may still decide on it: it waits, or it has failed."""
        return self.waits or self.way is Way.FAILED


def after(outbox: Mapping[str, Outgoing], record: e.Record) -> Mapping[str, Outgoing]:
    """The outbox after one more record, in the order in which messages were written."""
    event = record.event
    if isinstance(event, e.MessageQueued):
        return {**outbox, event.message: Outgoing(record.seq, _moment(record), event)}
    id = getattr(event, "message", "")
    if id not in outbox:
        return outbox
    return {**outbox, id: _moved(outbox[id], record)}


def _moved(one: Outgoing, record: e.Record) -> Outgoing:
    at = _moment(record)
    match record.event:
        case e.MessageAttempted(attempt=attempt):
            # Begun before and never ended: it may have arrived.
            open_end = one.ambiguous or one.way is Way.SENDING
            return replace(one, way=Way.SENDING, attempts=attempt, ambiguous=open_end, tried=at)
        case e.MessageSent():
            return replace(one, way=Way.SENT, why="", wait=0.0)
        case e.MessageFailed(why=why, ambiguous=ambiguous, wait=wait, final=final):
            way = Way.FAILED if final else Way.WAITING
            return replace(
                one,
                way=Way.CANCELLED if one.way is Way.CANCELLED else way,
                why=why,
                wait=wait,
                tried=at,
                repeated=why == one.why and not final,
                ambiguous=one.ambiguous or ambiguous,
            )
        case e.MessageReleased():
            open_end = one.ambiguous or one.way is Way.SENDING
            return replace(one, way=Way.WAITING, released=True, wait=0.0, ambiguous=open_end)
        case e.MessageCancelled(why=why):
            return replace(one, way=Way.CANCELLED, why=why)
        case _:
            return one


def _moment(record: e.Record) -> Moment:
    return Moment(record.ts, record.mono, record.boot)


def opened(outbox: Mapping[str, Outgoing], to: str) -> bool:
    """Whether there is, or may be, an alert at a destination that an earlier message opened."""
    there = False
    for one in outbox.values():
        if one.queued.to != to or not (one.way in _ON_ITS_WAY or one.ambiguous):
            continue
        if not one.queued.signal:
            there = True
        elif one.queued.about == "resolved":
            there = False
    return there


# What is out of date


def stale(one: Outgoing, incident: Incident, now: Moment) -> str:
    """Why a message that waits may no longer be true, in a clause; empty where it goes by itself.

    One that is stale waits for the responder's word, and holds back none of those behind it.
    """
    return "" if not one.waits or one.released else _outdated(one, incident, now)


def late_to_send(one: Outgoing, incident: Incident, now: Moment) -> str:
    """Why a message that failed may no longer be true, in a clause; empty where it may go."""
    if one.way is not Way.FAILED:
        return ""
    if _newer(one, incident, (Way.SENT,)):
        return f"a newer message of this kind ({one.queued.about}) was sent"
    return _outdated(one, incident, now)


def _outdated(one: Outgoing, incident: Incident, now: Moment) -> str:
    about, waited = one.queued.about, between(one.written, now)
    if about in OVERTAKEN and incident.resolved and _since(one, incident, e.IncidentResolved):
        return f"the incident was resolved at {incident.resolved:%H:%M} UTC, after it was written"
    if about == "resolved":
        reopened = _since(one, incident, e.IncidentReopened)
        return "the incident was opened again after it was written" if reopened else ""
    if about == "update" and waited > LATE and _newer(one, incident, _ON_ITS_WAY):
        return "there is a newer update"
    if waited > OLD:
        return "it was written more than an hour ago"
    return ""


def _since(one: Outgoing, incident: Incident, kind: type[e.Event]) -> bool:
    for entry in reversed(incident.entries):
        if entry.record.seq < one.seq:
            return False
        if isinstance(entry.record.event, kind):
            return True
    return False


def _newer(one: Outgoing, incident: Incident, ways: tuple[Way, ...]) -> bool:
    """Whether a later message of the same kind to the same destination stands in one of `ways`."""
    to, about = one.queued.to, one.queued.about
    return any(
        (other.queued.to, other.queued.about) == (to, about) and other.seq > one.seq
        for other in incident.outbox.values()
        if other.way in ways
    )


def asking(incident: Incident, now: Moment) -> tuple[tuple[Outgoing, str], ...]:
    """The messages that wait for the responder's word, each with why."""
    found = ((one, stale(one, incident, now)) for one in incident.outbox.values())
    return tuple((one, why) for one, why in found if why)
