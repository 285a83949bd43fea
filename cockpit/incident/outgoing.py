"""A message on its way to one destination: what the events say became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from cockpit.incident import events as e


class Way(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one destination.

    at: when it was written. attempts: how many were begun. ambiguous: one of them may have arrived,
    so the next one says that it may be a duplicate. sending: an attempt was begun and its end is
    not known (also after a crash). wait: seconds that the destination asked for at `tried`.
    released: the responder said that it goes although it is out of date.
    """

    seq: int
    at: datetime
    queued: e.MessageQueued
    way: Way = Way.WAITING
    attempts: int = 0
    ambiguous: bool = False
    tried: datetime | None = None
    why: str = ""
    wait: float = 0.0
    released: bool = False

    @property
    def id(self) -> str:
        return self.queued.message

    @property
    def waits(self) -> bool:
        """Whether it is still to be sent."""
        return self.way in (Way.WAITING, Way.SENDING)


def after(outbox: Mapping[str, Outgoing], record: e.Record) -> Mapping[str, Outgoing]:
    """The outbox after one more record, in the order in which messages were written."""
    event = record.event
    if isinstance(event, e.MessageQueued):
        return {**outbox, event.message: Outgoing(record.seq, record.ts, event)}
    id = getattr(event, "message", "")
    if id not in outbox:
        return outbox
    return {**outbox, id: _moved(outbox[id], record)}


def _moved(one: Outgoing, record: e.Record) -> Outgoing:
    match record.event:
        case e.MessageAttempted(attempt=attempt):
            # Begun before and never ended: it may have arrived.
            open_end = one.ambiguous or one.way is Way.SENDING
            return replace(
                one, way=Way.SENDING, attempts=attempt, ambiguous=open_end, tried=record.ts
            )
        case e.MessageSent():
            return replace(one, way=Way.SENT, why="", wait=0.0)
        case e.MessageFailed(why=why, ambiguous=ambiguous, wait=wait, final=final):
            way = Way.FAILED if final else Way.WAITING
            return replace(one, way=way, why=why, wait=wait, ambiguous=one.ambiguous or ambiguous)
        case e.MessageReleased():
            return replace(one, way=Way.WAITING, released=True, wait=0.0)
        case e.MessageCancelled(why=why):
            return replace(one, way=Way.CANCELLED, why=why)
        case _:
            return one
