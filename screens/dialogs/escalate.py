"""The ladder on the full screen: whom to call now, the number, and how the call ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen

from cockpit.clock import moment
from cockpit.incident.clocks import REACHED
from cockpit.oncall import phone
from cockpit.oncall.criteria import Criterion, criteria
from cockpit.oncall.ladder import LEFT_MESSAGE, NO_ANSWER, Ladder, Rung, climb
from cockpit.oncall.model import Handbook, Vendor
from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from cockpit.words import in_words
from screens import paint
from screens.bars import Words, keys_line
from screens.dialogs import call_card
from screens.dialogs.call_card import Frame
from screens.dialogs.form import Field, Form
from screens.driver import when_shown
from screens.lines import Drawn, pointer
from screens.paint import Part, Row

CLOCK = 1.0
ROOMY = 40
"""Cells from which on a rung also says where somebody is."""
REACTION = 0.15
"""Seconds from when the ladder is seen until a key can be about it: what was typed ahead is not."""
HELD = 1.5
"""Seconds within which the same key for the same person is the same press."""

_AFTER = ("After the call:  r reached", "n no answer", "l left message")
_DASHBOARDS = "dashboards"


class _Card(Drawn, can_focus=False):
    """Who is under the cursor, large."""


class _Rungs(Drawn):
    """Who is there to be called."""

    bold_under_cursor = False

    def moved(self) -> None:
        screen = self.screen
        if isinstance(screen, Escalate):
            screen.forget()  # what was said was said of the one before
        super().moved()

    def action_page(self, by: int) -> None:
        self.screen.query_one(_Card).action_page(by)


class Escalate(Screen[None]):
    """Shows the ladder, and notes each call; none that was typed before it was seen.

    message: has the message for somebody written; called with their name.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (76, "-beside"), (110, "-roomy")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", f"called('{REACHED}')", "reached", id="ladder.reached",
                tooltip="They were reached"),
        Binding("n", f"called('{NO_ANSWER}')", "no answer", id="ladder.no-answer",
                tooltip="They did not answer; their time runs"),
        Binding("l", f"called('{LEFT_MESSAGE}')", "left message", id="ladder.left-message",
                tooltip="A message was left for them; their time runs"),
        Binding("enter", "to_next", "whom to call", id="ladder.next",
                tooltip="To the one to call next"),
        Binding("c", "criteria", "why", id="ladder.criteria", tooltip="Tick what speaks for it"),
        Binding("m", "message", "message", id="ladder.message",
                tooltip="The message for them, written from what is known"),
        Binding("v", "vendors", "vendors", id="ladder.vendors",
                tooltip="Vendors, with what to have ready; and back to the ladder"),
        Binding("y", "copy", "copy", id="ladder.copy", tooltip="Copy the number"),
        Binding("Q", "scan", "code", id="ladder.scan",
                tooltip="The number alone, as a code to scan"),
        Binding("w", "other", "somebody else", id="ladder.other",
                tooltip="Note that you called somebody who is not on the ladder"),
        Binding("escape,q", "leave", "back", id="ladder.leave", tooltip="Back"),
    ]  # fmt: skip

    def __init__(self, responder: Responder, message: Callable[[Safe], object]) -> None:
        super().__init__()
        self.responder = responder
        self.message = message
        self.at_vendors = False
        self._by_hand: dict[Safe, bool] = {}
        self._said = Safe("")
        self._pressed: tuple[object, str, float] = (None, "", 0.0)
        self.ready = False

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield Words(id="said")
        with Container(id="ladder"):
            yield _Rungs(self._draw, id="rungs")
            yield _Card(self._draw, id="card")
        yield Words(id="after-the-call", classes="bar")
        yield Words(id="keys-here", classes="bar")

    def on_mount(self) -> None:
        self.query_one(_Rungs).focus()
        when_shown(self, self._seen)
        self.set_interval(CLOCK, self._draw)

    def _seen(self) -> None:
        self.set_timer(REACTION, self._open)

    def _open(self) -> None:
        self.ready = True

    # What it shows

    @property
    def handbook(self) -> Handbook:
        """The team's; one that says nothing while it is not read."""
        return self.responder.handbook or Handbook()

    @property
    def ladder(self) -> Ladder:
        """The ladder as it stands now."""
        who = self.responder.log.who
        return climb(self.handbook, self.responder.incident, who, moment())

    def _rung(self, ladder: Ladder) -> Rung | None:
        """The rung under the cursor."""
        at = self.query_one(_Rungs).at
        return next((one for one in ladder.rungs if _stop(ladder, one) == at), None)

    def _vendor(self) -> Vendor | None:
        at = self.query_one(_Rungs).at
        here = [one for index, one in enumerate(self.handbook.vendors) if at == ("vendor", index)]
        return here[0] if here else None

    def reasons(self, level: int) -> list[tuple[Criterion, bool]]:
        """What may speak for calling that level, and whether it is ticked."""
        found = criteria(self.handbook, level, self.responder.incident, moment())
        return [(one, self._by_hand.get(one.words, bool(one.holds))) for one in found]

    def _draw(self) -> None:
        ladder = self.ladder
        self._draw_head(ladder)
        rungs, card = self.query_one(_Rungs), self.query_one(_Card)
        if rungs.at is None and ladder.next is not None and not self.at_vendors:
            rungs.at = _stop(ladder, ladder.next)  # also where the handbook was read only now
        width = rungs.size.width or self.size.width
        if self.at_vendors:
            rungs.show_rows(self._vendor_rows(width))
        else:
            rows = [row for rung in ladder.rungs for row in self._rows(ladder, rung, width)]
            rungs.show_rows(rows or [paint.row((Safe(" Nobody is on it."), "warn"))])
        rungs.reveal()
        card.show_rows(self._card(ladder, max(20, card.size.width - 1), card.size.height))
        somebody = rungs.place() is not None
        after = keys_line(_AFTER, self.size.width) if somebody else Safe("")
        self.query_one("#after-the-call", Words).say((after, "strong"))
        keys = ["j k", "c why", "m message", "v vendors", "y copy", "Q code"]
        if self.at_vendors:
            keys = ["j k", "y copy", "Q code", "v ladder"] if somebody else ["v ladder"]
        elif not somebody:
            others = self.handbook.vendors or self.handbook.dashboards
            keys = ["m message", "v vendors"] if others else ["m message"]
        words = keys_line([*keys, "w other", "esc back"], self.size.width)
        self.query_one("#keys-here", Words).say((words, "faint"))

    def _draw_head(self, ladder: Ladder) -> None:
        incident, now = self.responder.incident, moment().ts
        bad = f"{incident.severity} " if incident.severity else ""
        title = clean_line(f" Escalate · {bad}{incident.title or 'no title yet'}")
        clock = Safe(f" · {now:%H:%M} UTC")
        self.query_one("#title", Words).say((title, "title"), (clock, ""))
        words, look = ladder.said, "strong" if ladder.wait else "warn strong"
        if self.responder.handbook is None:
            words = Safe("Reading the handbook; w notes whom you called all the same.")
        if self._said:
            words = Safe(f"{self._said} {words}")
        lines = paint.fold(words, max(20, self.size.width - 2))[:3]
        self.query_one("#said", Words).say((Safe("\n".join(f" {one}" for one in lines)), look))

    def _rows(self, ladder: Ladder, rung: Rung, width: int) -> list[Row]:
        stop = _stop(ladder, rung)
        beside = width < self.size.width
        lead = paint.row((pointer(stop == self.query_one(_Rungs).at), "key")).parts
        turn: Part = (Safe(f" {_turn(ladder)}" if rung is ladder.next else ""), "key")
        who = _who(rung, mine=rung.level.number == ladder.own)
        there = _there(rung, short=width < ROOMY)
        if not beside:
            number: Part = (Safe(f"{rung.level.number} "), "strong")
            name: Part = (paint.fit(who[0], 16), who[1])
            last = [(Safe("  "), ""), *_call(rung)] if rung.calls else there
            parts = [*lead, number, name, turn, *last]
            return [paint.row(*_within(parts, width - 1), stop=stop)]
        rows = []
        if stop[1] == 0:
            room = max(4, width - 3 - len(turn[0]))
            role = paint.fit(Safe(f"{rung.level.number} {rung.level.role}"), room)
            rows.append(paint.row(*lead, (role, "strong"), turn, stop=stop))
            turn, lead = (Safe(""), ""), ((Safe("  "), ""),)
        parts = [*lead, (Safe("  "), ""), who, *there, turn]
        rows.append(paint.row(*_within(parts, width - 1), stop=stop))
        if rung.calls:
            parts = [(Safe("    "), ""), *_call(rung)]
            rows.append(paint.row(*_within(parts, width - 1), stop=stop))
        return rows

    def _vendor_rows(self, width: int) -> list[Row]:
        at = self.query_one(_Rungs).at
        named: list[tuple[object, Safe]] = [
            (("vendor", index), one.name) for index, one in enumerate(self.handbook.vendors)
        ]
        if self.handbook.dashboards:
            named.append((_DASHBOARDS, Safe("Dashboards")))
        rows = [
            paint.row((pointer(stop == at), "key"), paint.fit(name, max(4, width - 4)), stop=stop)
            for stop, name in named
        ]
        if rows or not self.handbook.unread:
            return rows or [paint.row((Safe(" The handbook names no vendor."), "faint"))]
        lines = paint.fold(self.handbook.unread, max(20, width - 2))
        return [paint.row((Safe(f" {line}"), "bad")) for line in lines]

    def _card(self, ladder: Ladder, width: int, height: int) -> list[Row]:
        frame = Frame(width, height, colours=self._colours)
        if self.at_vendors:
            vendor = self._vendor()
            if vendor is not None:
                return call_card.vendor(vendor, frame)
            return call_card.dashboards(self.handbook, width) if self.handbook.dashboards else []
        rung = self._rung(ladder)
        if rung is None:
            return []
        reasons = self.reasons(rung.level.number)
        return call_card.person(rung, ladder, self.handbook, reasons, frame)

    @property
    def _colours(self) -> bool:
        return not self.app.no_color and self.app.console.color_system is not None

    # Keys

    def action_called(self, how: str) -> None:
        rung, vendor = self._rung(self.ladder), self._vendor()
        stop = self.query_one(_Rungs).at
        held = self._pressed[:2] == (stop, how) and time.monotonic() - self._pressed[2] < HELD
        self._pressed = stop, how, time.monotonic()
        if held or not self.ready or not self._may_write():
            return
        if self.at_vendors and vendor is not None:
            self.responder.escalate(vendor.name, how=how)
            self._say(f"Noted: {vendor.name}, {how}.")
        elif rung is not None and not rung.contact.reachable:
            name, level = rung.contact.name, rung.level.number
            lacks = f"{name} has no number" if name else f"Nobody is filled in for level {level}"
            self._say(f"{lacks}: w notes whom you called.")
        elif rung is not None and not rung.contact.phone and how == NO_ANSWER:
            # Their time would run although nobody can have called them.
            self._say(f"{rung.name} has no number: l notes that you wrote, w a call elsewhere.")
        elif rung is not None:
            level = rung.level.number
            ticked = [one.words for one, on in self.reasons(level) if on]
            self.responder.escalate(rung.name, level=level, how=how, criteria=ticked)
            self._say(f"Noted: {rung.name}, {how}.")
        else:
            self._say("Nobody is under the cursor: w notes whom you called.")

    def _may_write(self) -> bool:
        if why := self.responder.log.reading:
            self._say(why)
        return not why

    def _say(self, words: str) -> None:
        self._said = clean_line(words)
        self._draw()

    def forget(self) -> None:
        """What was said last is over."""
        self._said = Safe("")

    def action_to_next(self) -> None:
        ladder = self.ladder
        if ladder.next is not None:
            self.forget()
            self.at_vendors = False
            self.query_one(_Rungs).at = _stop(ladder, ladder.next)
            self._draw()

    def action_vendors(self) -> None:
        self.forget()
        self.at_vendors = not self.at_vendors
        rungs = self.query_one(_Rungs)
        rungs.at = None
        if self.at_vendors:
            self._draw()
            rungs.action_first()
        else:
            self.action_to_next()
        self._draw()

    @work(exit_on_error=False)
    async def action_criteria(self) -> None:
        from screens.dialogs.criteria import Criteria

        rung = self._rung(self.ladder)
        if rung is not None:
            reasons = self.reasons(rung.level.number)
            ticked = await self.app.push_screen_wait(Criteria(reasons))
            self._by_hand |= {one.words: one.words in ticked for one, _ in reasons}
            self._draw()

    def action_message(self) -> None:
        rung = self._rung(self.ladder)
        self.message(rung.name if rung else Safe(""))

    @work(exit_on_error=False)
    async def action_copy(self) -> None:
        from screens import clipboard

        number = self._number()
        if number:
            self._say(await clipboard.copy(self.app, phone.dials(number) or number))

    def action_scan(self) -> None:
        from screens.dialogs.scan import Scan

        number = self._number()
        if phone.dials(number):
            self.app.push_screen(Scan(number, colours=self._colours))
        else:
            self._say("There is no number here that a phone can call.")

    def _number(self) -> Safe:
        vendor, rung = self._vendor(), self._rung(self.ladder)
        return vendor.phone if vendor else rung.contact.phone if rung else Safe("")

    @work(exit_on_error=False)
    async def action_other(self) -> None:
        if not self._may_write():
            return
        form = Form(
            Safe("Somebody who is not on the ladder"),
            (
                Field("who", Safe("Whom did you call?"), wanted="Name whom you called."),
                Field("reason", Safe("Why? (may stay empty)")),
            ),
        )
        values = await self.app.push_screen_wait(form)
        if values:
            self.responder.escalate(values["who"], values["reason"])
            self._say(f"Noted: {values['who']}.")

    def action_leave(self) -> None:
        self.dismiss(None)


def _stop(ladder: Ladder, rung: Rung) -> tuple[int, int]:
    """A rung by its level and its place there: it stays the same while calls are noted."""
    level = [one for one in ladder.rungs if one.level.number == rung.level.number]
    return rung.level.number, level.index(rung)


def _turn(ladder: Ladder) -> str:
    return f"NEXT, in {in_words(ladder.wait)}" if ladder.wait else "NEXT"


def _who(rung: Rung, *, mine: bool) -> Part:
    if not rung.contact.reachable and mine:
        return Safe("you"), "faint"
    if not rung.contact.reachable:
        name = rung.contact.name
        return Safe(f"{name}: no number" if name else "nobody filled in"), "bad"
    if not rung.contact.phone:
        name = rung.contact.name
        return Safe(f"{name}: no number" if name else "no number"), "warn"
    return (rung.contact.name, "") if rung.contact.name else (Safe("no name"), "warn")


def _there(rung: Rung, *, short: bool) -> list[Part]:
    """Whether they are there, and the time where they are."""
    if not rung.contact.reachable:
        return []
    signs = {True: ("+ there", "good"), False: ("- away", "warn"), None: ("?", "faint")}
    words, look = signs[rung.answers]
    where = rung.there.partition(" ")[0] if short else rung.there
    return [(Safe(f"  {words} {where}".rstrip()), look)]


def _call(rung: Rung) -> list[Part]:
    """How the last call ended, and how much of their time is left."""
    if not rung.calls:
        return []
    last = rung.calls[-1]
    look = "good" if last.how == REACHED else "warn"
    parts: list[Part] = [(clean_line(f"{last.how or 'called'} {last.at:%H:%M}"), look)]
    if rung.left is not None and rung.left > 0:
        parts.append((Safe(f", {in_words(rung.left)} left"), "warn"))
    elif rung.left is not None:
        parts.append((Safe(", time is up"), "bad"))
    return parts


def _within(parts: list[Part], width: int) -> list[Part]:
    """As many words of the parts as fit a line."""
    first = paint.fold_parts(parts, width)
    return list(first[0]) if first else parts
