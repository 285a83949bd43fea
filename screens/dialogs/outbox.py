"""The outbox: what waits, what was sent, what failed, and what waits for the responder's word."""

from __future__ import annotations

import time
from collections import Counter
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from cockpit import clock
from cockpit.incident.outgoing import Outgoing, Way, late_to_send, stale
from cockpit.responder import Responder
from cockpit.text import Safe, clean, clean_line
from screens import clipboard, paint
from screens.bars import REFRESH
from screens.dialogs.form import Field, Form
from screens.dialogs.reader import Reader
from screens.driver import when_shown
from screens.lines import Drawn, pointer
from screens.paint import Part, Row

_SIGNS = {
    Way.WAITING: ("..", "warn", "waiting"),
    Way.SENDING: ("..", "warn", "being sent"),
    Way.SENT: ("ok", "good", "sent"),
    Way.FAILED: ("!!", "bad", "FAILED"),
    Way.CANCELLED: ("--", "faint", "cancelled"),
}
HELD = 1.0
"""Seconds after one message was sent at a word in which the same key is no word for the next."""
_ORDER = (Way.FAILED, Way.SENDING, Way.WAITING, Way.SENT, Way.CANCELLED)


class _Messages(Drawn):
    """Two rows and more a message."""

    def moved(self) -> None:
        screen = self.screen
        if isinstance(screen, OutboxScreen):
            screen.forget()
        super().moved()

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "screen.send", "send", id="outbox.send",
                tooltip="Send it now, also where it failed or is out of date"),
        Binding("x", "screen.cancel", "cancel", id="outbox.cancel", tooltip="Never send it"),
        Binding("y", "screen.copy", "copy", id="outbox.copy", tooltip="Copy the message"),
        Binding("enter", "screen.read", "read", id="outbox.read", tooltip="Read all of it"),
    ]  # fmt: skip


class OutboxScreen(Screen[None]):
    """Every message of the incident with what became of it; those that need somebody come first.

    Sends nothing by a key that was typed before it was drawn, or is held.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="outbox.back", tooltip="Back; what waits goes on"),
    ]

    def __init__(self, responder: Responder) -> None:
        super().__init__()
        self.responder = responder
        self._ready_at: float | None = None
        self._said = Safe("")
        self._followed: Outgoing | None = None
        self._warned_of = ""

    def compose(self) -> ComposeResult:
        yield Static("", markup=False, id="title", classes="bar")
        yield _Messages(self._draw, id="messages")
        yield Static("", markup=False, id="said")
        how = " enter reads · s sends now · x cancels · y copies · esc back"
        yield Static(paint.text((Safe(how), "faint")), markup=False, classes="bar")

    def on_mount(self) -> None:
        self.query_one(_Messages).focus()
        self.set_interval(REFRESH, self._draw)
        self._draw()
        when_shown(self, self._open)

    def _open(self) -> None:
        self._ready_at = time.monotonic()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # What it shows

    def _draw(self) -> None:
        lines = self.query_one(_Messages)
        outbox = self.responder.incident.outbox
        asks = {id: why for id, one in outbox.items() if (why := self._asks(one))}
        ways = Counter(one.way for one in outbox.values() if one.id not in asks)
        counts = [f"{len(asks)} for your word"] if asks else []
        counts += [f"{ways[way]} {_SIGNS[way][2]}" for way in _ORDER if ways[way]]
        title = Safe(f" Outbox: {', '.join(counts) or 'nothing to send yet'}")
        self.query_one("#title", Static).update(paint.text((title, "title")))
        self._show_said()
        if not outbox:
            lines.say(self._nothing())
            return
        order = sorted(
            outbox.values(), key=lambda one: (one.id not in asks, _ORDER.index(one.way), -one.seq)
        )
        if lines.at not in outbox:
            lines.at = order[0].id
        width = max(20, self.size.width - 2)
        lines.show_rows(
            [row for one in order for row in self._rows(one, asks.get(one.id, ""), width)]
        )

    def _nothing(self) -> Safe:
        names = ", ".join(self.responder.config.outbox)
        if names:
            return clean_line(f"Nothing was written yet. U tells others; it can go to {names}.")
        return Safe(
            "Nothing goes out from here: cockpit.yaml has no destination under `outbox`. "
            "U writes it, and you tell others by hand."
        )

    def _show_said(self) -> None:
        """What came of the last key, below the messages."""
        before = self._followed
        one = self.responder.incident.outbox.get(before.id) if before else None
        if before and one:
            self._said = clean_line(_came_of(before, one))
        said = self.query_one("#said", Static)
        said.display = bool(self._said)
        said.update(paint.text((self._said, "strong")))

    def _asks(self, one: Outgoing) -> str:
        """Why it waits for the responder's word; empty where it goes by itself."""
        return stale(one, self.responder.incident, clock.moment())

    def _rows(self, one: Outgoing, asks: str, width: int) -> list[Row]:
        sign, look, word = ("??", "warn", "WAITS FOR YOU") if asks else _SIGNS[one.way]
        word += one.marked
        here = one.id == self.query_one(_Messages).at
        tried = f" · tried {one.attempts}x" if one.attempts and one.way is not Way.SENT else ""
        head: tuple[Part, ...] = (
            (pointer(here), "key"),
            (Safe(f"{sign} {word:<13} "), f"{look} strong"),
            (clean_line(one.queued.to), "strong" if here else ""),
            (clean_line(f" · {one.queued.about} · {one.at:%H:%M}{tried}"), ""),
        )
        said = [_first(one)]
        why = asks or one.why
        if why:
            doubt = ". It may have arrived" if one.ambiguous and one.waits else ""
            keys = ". s sends it all the same, x cancels it" if asks else ""
            said.append(clean_line(f"{why}{doubt}{keys}"))
        rows = [paint.row(*head, stop=one.id)]
        for number, words in enumerate(said):
            looks = ("warn" if asks or one.waits else look) if number else "faint"
            for part in paint.fold(words, width - 6):
                rows.append(paint.row(Safe("      "), (part, looks), stop=one.id))
        return rows

    # What the keys do

    def forget(self) -> None:
        """What was asked of the message that the cursor has left is not answered by a key here."""
        if self._warned_of:
            self._warned_of = ""
            self._say("")

    def _here(self) -> Outgoing | None:
        at = self.query_one(_Messages).at
        return self.responder.incident.outbox.get(str(at))

    def _may_change(self) -> bool:
        if self.responder.log.reading:
            self._say(self.responder.log.reading)
        return not self.responder.log.reading

    def _say(self, words: str) -> None:
        self._followed, self._said = None, clean_line(words)
        self._show_said()

    def action_send(self) -> None:
        one = self._here()
        ready = self._ready_at is not None and time.monotonic() >= self._ready_at
        if one is None or not ready or not self._may_change():
            return
        old = late_to_send(one, self.responder.incident, clock.moment())
        if old and self._warned_of != one.id:
            # No word for it is the same press, held.
            self._warned_of, self._ready_at = one.id, time.monotonic() + HELD
            self._say(f"Out of date: {old}. s again sends it all the same, x cancels it.")
            return
        self._warned_of = ""
        if one.way is Way.FAILED or self._asks(one):
            self._ready_at = time.monotonic() + HELD
            self.responder.release(one.id)
            self.query_one(_Messages).at = None  # to what needs a word next
            self._followed = one
            self._show_said()
        elif one.waits:
            self.responder.send_now()
            self._followed = one
            self._show_said()
        else:
            self._say(f"It is {_SIGNS[one.way][2]} already. U tells them something new.")

    @work(exit_on_error=False)
    async def action_cancel(self) -> None:
        one = self._here()
        if one is None or not self._may_change():
            return
        if not one.open:
            self._say(f"Too late: it is {_SIGNS[one.way][2]}.")
            return
        title = clean_line(f"Never send it to {one.queued.to}")
        form = Form(title, (Field("why", Safe("Why? (may stay empty)")),), hint=_first(one))
        values = await self.app.push_screen_wait(form)
        if values is None:
            return
        if self.responder.cancel(one.id, values["why"]):
            self.query_one(_Messages).at = None
        else:
            self._say("Too late: it is not waiting any more.")

    @work(exit_on_error=False)
    async def action_copy(self) -> None:
        one = self._here()
        if one is not None:
            self._say(await clipboard.copy(self.app, clean(one.queued.text)))

    def action_read(self) -> None:
        one = self._here()
        if one is None:
            return
        took = f", tried {_times(one.attempts)}" if one.attempts else ""
        head = f"{_SIGNS[one.way][2]}{one.marked}{took}; written {one.at:%Y-%m-%d %H:%M} UTC"
        why = f"\n{clean(one.why)}" if one.why else ""
        whole = Safe(f"{head}{why}\n\n{clean(one.queued.text)}")
        title = clean_line(f" To {one.queued.to}: {one.queued.about}")
        self.app.push_screen(Reader(title, lambda: whole))

    def action_leave(self) -> None:
        self.dismiss(None)


def _came_of(before: Outgoing, one: Outgoing) -> str:
    """What became of a message since the responder had it sent, when it stood as before."""
    to, tried = one.queued.to, one.attempts > before.attempts
    match one.way:
        case Way.SENT:
            return f"Sent to {to}{one.marked}."
        case Way.SENDING:
            return f"It is being sent to {to}."
        case Way.FAILED if tried:
            again = "failed again" if before.way is Way.FAILED else "failed"
            return f"{to}: tried just now, and it {again}: {one.why}"
        case Way.WAITING if one.why and (tried or before.waits or one.why != before.why):
            return f"{to}: not sent yet: {one.why}. It is tried again by itself."
        case Way.CANCELLED:
            return "It is cancelled."
        case _:
            return f"It goes to {to} now."


def _first(one: Outgoing) -> Safe:
    return clean_line(one.queued.text.split("\n")[0])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
