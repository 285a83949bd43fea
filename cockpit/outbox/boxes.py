"""The outboxes of all incidents on this machine: what is in them, and sending it from a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cockpit import clock, paths
from cockpit.config import Config
from cockpit.incident.history import read
from cockpit.incident.incident import Incident, fold
from cockpit.incident.outgoing import Outgoing, Way, late_to_send, stale
from cockpit.incident.segments import MAIN, Busy, elsewhere_too
from cockpit.incident.summary import folders
from cockpit.text import Safe, clean_line

SHORT: Final = 6
_OPEN_END: Final = "an attempt has not ended; sent again it is marked as a possible duplicate"
SENT, WAITS, UNSAVED = 0, 1, 3


class NoSuchMessage(Exception):
    """No message has that id, or several may be meant; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that is not sent, and the incident that it belongs to.

    asks: as in `stale`. old: as in `late_to_send`.
    """

    folder: Path
    one: Outgoing
    asks: str
    old: str = ""

    @property
    def short(self) -> str:
        """Enough of its id to name it."""
        return self.one.id[-SHORT:]

    @property
    def state(self) -> Safe:
        """How it stands, and why it did not go."""
        one = self.one
        if self.asks:
            return clean_line(f"asks first: {self.asks}")
        name = {Way.FAILED: "failed", Way.SENDING: _OPEN_END}.get(one.way, "waits")
        old = f" (out of date: {self.old})" if self.old else ""
        return clean_line(f"{name}: {one.why}{old}" if one.why else name)

    def record(self) -> dict[str, object]:
        """As JSON data."""
        one = self.one
        return {
            "id": one.id,
            "incident": self.folder.name,
            "to": one.queued.to,
            "about": one.queued.about,
            "written": one.at.isoformat(),
            "state": "asks" if self.asks else one.way.value,
            "why": self.asks or one.why,
            "attempts": one.attempts,
            "may_have_arrived": one.ambiguous or one.way is Way.SENDING,
            "text": one.queued.text,
        }


def held() -> list[Held]:
    """What waits or has failed, in the order in which it was written."""
    found = [one for folder, incident in _incidents() for one in _held(folder, incident)]
    return sorted(found, key=lambda each: each.one.at)


def find(id: str) -> Held:
    """The message whose id ends so. Raises NoSuchMessage."""
    # Less of it is a slip, which must not cancel whatever it happens to fit.
    there = [each for each in held() if each.one.id[-SHORT:] == id[-SHORT:].upper()]
    there = [each for each in there if each.one.id.endswith(id.upper())]
    if len(there) == 1:
        return there[0]
    if there:
        raise NoSuchMessage(f"{id} may be any of {', '.join(each.one.id for each in there)}.")
    raise NoSuchMessage(f"No message {id} waits. See: cockpit outbox list")


def _held(folder: Path, incident: Incident) -> Iterator[Held]:
    now = clock.moment()
    for one in incident.outbox.values():
        if one.open:
            old = late_to_send(one, incident, now)
            yield Held(folder, one, stale(one, incident, now), old)


def _incidents() -> Iterator[tuple[Path, Incident]]:
    """Those that may hold a message, by the bytes of their journals: to read one costs far more."""
    found = folders(paths.incidents())
    elsewhere = elsewhere_too(found)
    for folder in found:
        try:
            raw = (folder / MAIN).read_bytes()
        except OSError:
            raw = b""
        last = raw[raw.rstrip(b"\n").rfind(b"\n") + 1 :]
        # One that does not end with its cockpit's leaving may be torn.
        left = b'"cockpit.closed"' in last and folder not in elsewhere
        if b'"message.queued"' in raw or not left:
            yield folder, fold(read(folder).records)


def table(found: Sequence[Held]) -> list[Safe]:
    """A line for each, under a line that says what stands where."""
    head = ("ID", "TO", "ABOUT", "WRITTEN (UTC)", "INCIDENT", "STATE")
    rows: list[tuple[str, ...]] = [head]
    for each in found:
        queued = each.one.queued
        at = f"{each.one.at:%Y-%m-%d %H:%M}"
        rows.append((each.short, queued.to, queued.about, at, each.folder.name, each.state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    return [
        clean_line(
            "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True))
        )
        for row in rows
    ]


def what_now(found: Sequence[Held]) -> Safe:
    """What somebody has to do for those that do not go by themselves; empty where all do."""
    if not any(each.asks or each.one.way is Way.FAILED for each in found):
        return Safe("")
    return Safe(
        "What failed or asks first goes by a word alone: cockpit outbox release ID;"
        " else: cockpit outbox cancel ID"
    )


# From a prompt


def send(config: Config, who: str, say: Callable[[str], None]) -> int:
    """Sends what can be sent now, of all incidents; says what became of each message.

    Returns SENT where nothing waits any more, WAITS where something does or has failed, also
    before, UNSAVED where it could not be written down.
    """
    found = held()
    waits = [each for each in found if each.one.waits]
    failed = [each for each in found if not each.one.waits]
    for each in failed:
        say(_outcome(each.folder, each.one, each.asks, each.old))
    status = WAITS if failed else SENT
    for folder in dict.fromkeys(each.folder for each in waits):
        there = [each for each in waits if each.folder == folder]
        if all(each.asks for each in there):  # nothing to open the incident for
            for each in there:
                say(_outcome(folder, each.one, each.asks))
            status = max(status, WAITS)
        else:
            status = max(status, asyncio.run(_send(folder, config, who, say)))
    return status


def release(each: Held, config: Config, who: str, say: Callable[[str], None]) -> int:
    """Has a message go all the same, now; returns as `send`."""
    return asyncio.run(_send(each.folder, config, who, say, first=each.one.id))


def cancel(each: Held, why: str, who: str, say: Callable[[str], None]) -> int:
    """Takes a message back; returns SENT, or WAITS where another cockpit has the incident open."""
    return asyncio.run(_cancel(each, why, who, say))


async def _send(
    folder: Path, config: Config, who: str, say: Callable[[str], None], first: str = ""
) -> int:
    from cockpit.responder import Responder

    responder = Responder(folder.parent, who, config)
    try:
        responder.take_up(folder)
    except Busy:
        say(f"{folder.name}: another cockpit has it open; its messages are sent from there.")
        return WAITS
    try:
        if responder.log.training:
            say(f"{folder.name}: a training; nothing of it is sent.")
            return SENT
        before = {one.id for one in responder.incident.outbox.values() if one.waits}
        if first:
            responder.release(first)
            before = {first}
        await responder.drain()
        now, incident = clock.moment(), responder.incident
        told = [one for one in incident.outbox.values() if one.id in before]
    finally:
        unsaved = await responder.close()
    for one in told:
        say(_outcome(folder, one, stale(one, incident, now)))
    if unsaved:
        say(f"{folder.name}: {unsaved} events could not be saved. {responder.log.trouble}")
        return UNSAVED
    return SENT if all(one.way in (Way.SENT, Way.CANCELLED) for one in told) else WAITS


def _outcome(folder: Path, one: Outgoing, asks: str, old: str = "") -> str:
    name = f"{folder.name}: {one.id[-SHORT:]} to {one.queued.to} ({one.queued.about})"
    if one.way is Way.SENT:
        return f"{name}: sent{one.marked}"
    if asks:
        id = one.id[-SHORT:]
        return (
            f"{name}: not sent, {asks}. To send it all the same: cockpit outbox release {id};"
            f" else: cockpit outbox cancel {id}"
        )
    if one.way is Way.FAILED:
        late = f"It is out of date: {old}. " if old else ""
        return f"{name}: failed: {one.why.rstrip('.')}. {late}{_by_word(one)}"
    return f"{name}: waits: {one.why or 'those before it go first'}"


def _by_word(one: Outgoing) -> str:
    id = one.id[-SHORT:]
    return (
        f"It is not tried again by itself. To send it: cockpit outbox release {id};"
        f" else: cockpit outbox cancel {id}"
    )


async def _cancel(each: Held, why: str, who: str, say: Callable[[str], None]) -> int:
    from cockpit.responder import Responder

    responder = Responder(each.folder.parent, who, Config())
    try:
        responder.take_up(each.folder)
    except Busy:
        say(f"{each.folder.name}: another cockpit has it open; cancel it there.")
        return WAITS
    try:
        done = responder.cancel(each.one.id, why)
    finally:
        unsaved = await responder.close()
    if unsaved:
        say(f"{each.folder.name}: {unsaved} events could not be saved. {responder.log.trouble}")
        return UNSAVED
    say(f"{each.short}: cancelled" if done else f"{each.short}: it does not wait any more")
    return SENT
