"""The status line: how bad, what is due, is the link up, is it saved."""

from __future__ import annotations

import time

from rich.cells import cell_len
from textual.widgets import Static

from cockpit import clock
from cockpit.clock import Moment, between
from cockpit.incident.incident import Incident
from cockpit.incident.outgoing import Way, asking
from cockpit.responder import Responder
from cockpit.target.target import Link, LinkState
from cockpit.text import Safe, clean_line
from cockpit.words import duration
from screens import due_words, paint
from screens.paint import Part

WIDE = 110


class StatusLine(Static):
    """One line that answers in this order: severity and title, due, link, saved, time."""

    def __init__(self, responder: Responder, *, id: str) -> None:
        # Not empty even in the very first frame: it is the line that a responder looks for.
        self._shown = words(responder, clock.moment(), time.monotonic(), WIDE)
        super().__init__(paint.text(*self._shown), id=id, markup=False)
        self.responder = responder

    def update_line(self) -> None:
        """Draws the line again where it changed."""
        parts = words(self.responder, clock.moment(), time.monotonic(), self.size.width)
        if parts != self._shown:
            self._shown = parts
            self.update(paint.text(*parts))

    def says(self, words: Safe) -> bool:
        """Whether these words stand on the line: on a narrow one there may be no room."""
        return any(part == words for part, _ in self._shown)


def words(responder: Responder, now: Moment, mono: float, width: int) -> list[Part]:
    """The parts of the status line; pure but for what the responder holds.

    mono: of `time.monotonic`, by which a link says when it was lost.
    """
    incident = responder.incident
    parts: list[Part] = []
    if incident.severity:
        style = "banner" if incident.severity in ("P0", "P1") and incident.open else "strong"
        parts.append((Safe(f" {incident.severity.value} "), style))
    elif incident.started:
        parts.append((Safe(" no severity (S) "), "warn"))
    else:
        parts.append((Safe(" no incident yet (S declares) "), "faint"))
    name = "training" if incident.training else ""
    title = Safe(": ".join(part for part in (name, incident.title) if part))
    elapsed: list[Part] = []
    if incident.started:
        elapsed.append((Safe(f" · {_elapsed(responder, now)}"), ""))
    due = due_words.spoken(due_words.now_due(responder, now))
    tail: list[Part] = []
    # What a narrow line can do without, step by step: what is due goes last, before the link.
    for less in range(0 if width >= WIDE else 1, 7):
        tail = _tail(responder, now, mono, less)
        if due and less < 6:
            said = due_words.part(responder, due, now.ts, wide=less == 0)
            tail = [(Safe(" · "), ""), said, *tail]
        if less > 2 and incident.open:
            elapsed = []
        room = width - sum(cell_len(words) for words, _ in parts + elapsed + tail)
        if room >= (min(cell_len(title) + 1, 8 if less else 12) if title else 0):
            break
    if title:
        room = max(8, min(cell_len(title) + 1, room))
        parts.append((paint.fit(Safe(f" {title}"), room), "strong"))
    return parts + elapsed + tail


def unsent(incident: Incident, now: Moment, key: Safe) -> str:
    """What of the outbox is not sent, in a few words; empty where all is. key: shows it."""
    if not incident.outbox:
        return ""
    ways = [one.way for one in incident.outbox.values()]
    asks = len(asking(incident, now))
    waits = ways.count(Way.WAITING) + ways.count(Way.SENDING) - asks
    failed = ways.count(Way.FAILED)
    parts = (
        f"{waits} to send" if waits else "",
        f"{asks} {'waits' if asks == 1 else 'wait'} for you: {key}" if asks else "",
        f"{failed} NOT SENT{'' if asks else f': {key}'}" if failed else "",
    )
    return ", ".join(part for part in parts if part)


def _elapsed(responder: Responder, now: Moment) -> str:
    incident = responder.incident
    assert incident.started is not None
    if incident.resolved:
        return f"resolved after {duration(incident.resolved - incident.started)}"
    seconds = int(between(incident.times.started, now)) if incident.times.started else 0
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"


def _tail(responder: Responder, now: Moment, mono: float, less: int) -> list[Part]:
    """What stands behind what is due. less: 0 is all of it, 6 only what cannot be left out."""
    incident = responder.incident
    wide = less == 0
    key = due_words.key_of(responder, "incident.outbox")
    parts: list[Part] = []
    if incident.started and incident.open and incident.acknowledged and less < 2:
        parts.append((Safe(f" · {incident.status.value}"), ""))
    running = len(incident.running())
    if running:
        parts.append((Safe(f" · {running} running"), "warn"))
    if incident.prepared:
        parts.append((Safe(f" · {len(incident.prepared)} prepared"), "warn"))
    waits = unsent(incident, now, key)
    # Where it is tight, a link that is as it should be gives way to what nobody has heard yet.
    calm = responder.target.link.state is LinkState.UP
    if not (waits and less >= 4 and calm):
        parts.append((Safe(" · "), ""))
        parts.append(link(responder.target.name, responder.target.link, mono, wide=less < 5))
    # Where it is tight, what is on its way to the disk for a moment gives way to what is due.
    unwritten = bool(responder.log.unsaved) and less < 5
    if less >= 4 and not (responder.log.trouble or responder.log.reading or unwritten):
        # While it is open, what is due stands before them where the link is not as it should be.
        told = waits and (calm or less < 5 or not incident.open)
        return [*parts, (Safe(f" · {waits}"), "warn")] if told else parts
    parts.append((Safe(" · "), ""))
    if responder.log.trouble:
        unsaved = responder.log.unsaved
        parts.append((Safe(f"NOT SAVED {unsaved}" if unsaved else "trouble saving"), "banner"))
    elif responder.log.unsaved:
        parts.append((Safe(f"unsaved {responder.log.unsaved}"), "warn"))
    elif responder.log.reading:
        parts.append((Safe("reading along"), "warn"))
    else:
        parts.append((Safe("saved" if responder.folder else "nothing to save"), "faint"))
    if waits:
        parts.append((Safe(f" · {waits}"), "warn"))
    if wide:
        parts.append((Safe(f" · {now.ts:%H:%M} UTC"), "faint"))
        if responder.config.timezone != "UTC":
            from zoneinfo import ZoneInfo

            local = now.ts.astimezone(ZoneInfo(responder.config.timezone))
            parts.append((clean_line(f" ({local:%H:%M %Z})"), "faint"))
    return parts


def link(name: str, state: Link, mono: float, *, wide: bool = True) -> Part:
    """The link in words: `prod-1 up 38 ms`, `prod-1 LOST for 12 s, retry in 4 s`."""
    host = clean_line(name)
    match state.state:
        case LinkState.UP:
            rtt = f" {state.rtt * 1000:.0f} ms" if state.rtt else ""
            return Safe(f"{host} up{rtt}"), "good"
        case LinkState.DEGRADED:
            rtt = f", {state.rtt:.1f} s round trip" if state.rtt else ""
            return Safe(f"{host} slow{rtt}"), "warn"
        case LinkState.CONNECTING:
            return Safe(f"{host} connecting"), "warn"
        case LinkState.LOST:
            wait = max(0, state.retry_at - mono) if state.retry_at else 0
            gone = round(max(0.0, mono - state.since))
            since = f" for {duration(gone) if gone >= 10 else f'{gone} s'}" if wide else ""
            return Safe(f"{host} LOST{since}, retry in {wait:.0f} s"), "bad"
        case _:
            return Safe(f"{host} DOWN"), "bad"
