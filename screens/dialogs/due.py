"""All that is due, with its time; enter does what answers it, a number puts it off."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit import clock
from cockpit.incident.clocks import MINUTE, Due
from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from cockpit.words import in_words, lasted
from screens import due_words, paint
from screens.dialogs.answer import Answer
from screens.driver import when_shown
from screens.lines import Drawn, pointer
from screens.paint import Part, Row

SNOOZES = {"5": 5 * MINUTE, "1": 15 * MINUTE, "3": 30 * MINUTE}
_HOW = Safe("enter answers it · 5 puts it off 5 min, 1 for 15, 3 for 30 · esc leaves it")
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to happen with a clock: its binding is done, or it is put off with a reason."""

    name: str
    key: str
    seconds: float = 0.0
    reason: str = ""


class DuePanel(ModalScreen[Choice | None]):
    """Shows every clock that runs; None when the responder leaves it.

    Takes no key that was typed before it was drawn.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="due.leave", tooltip="Leave as it is"),
    ]

    def __init__(self, responder: Responder) -> None:
        super().__init__(classes="panel")
        self.responder = responder
        self._ready_at: float | None = None
        self._due: tuple[Due, ...] = ()
        self._seconds = 0.0
        self._asked_of: Due | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((Safe("What is due"), "title")), markup=False)
            yield Drawn(self._fill, id="clocks")
            yield Static("", markup=False, id="question")
            answer = Answer("", {"enter": self._put_off}, id="answer")
            answer.display = False
            yield answer
            yield Static("", markup=False, id="said")

    def on_mount(self) -> None:
        self.query_one("#question").display = False
        self.query_one(Drawn).focus()
        self._fill()
        self.call_after_refresh(self._fill)
        self.set_interval(_LOOK, self._fill)
        when_shown(self, self._open)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _open(self) -> None:
        self._ready_at = time.monotonic()

    def _fill(self) -> None:
        """Draws the clocks as they stand now."""
        now = clock.moment()
        self._due = due_words.now_due(self.responder, now)
        lines = self.query_one(Drawn)
        width = max(20, (lines.size.width or self.size.width) - 2)
        rows = [row for one in self._due for row in self._rows(one, now, width)]
        if not rows:
            rows = [paint.row((line, "faint")) for line in paint.fold(self._nothing(), width)]
        # Below the list stand the question or the keys.
        lines.styles.height = max(1, min(len(rows), self.size.height - 8))
        lines.show_rows(rows)
        if self._asked_of is None:
            how = _HOW if self._due else Safe("esc leaves it")
            self.query_one("#said", Static).update(paint.text((how, "faint")))

    def _nothing(self) -> Safe:
        incident = self.responder.incident
        if incident.started is None:
            return Safe("Nothing: no incident has begun. S declares one.")
        if not incident.open:
            return Safe("Nothing: the incident is resolved.")
        return Safe("Nothing by the clock. Say it when something changes.")

    def _rows(self, one: Due, now: clock.Moment, width: int) -> list[Row]:
        """A clock: its time and how long until then, its key, and what it wants, in a sentence."""
        under = self.query_one(Drawn).at in (one.name, None)
        name = Safe(f"{one.short[:1].upper()}{one.short[1:]}")
        head: list[Part] = [(pointer(under), "key"), (name, "strong")]
        when = due_words.clock_time(one, now.ts)
        if one.left <= 0:
            late = f" OVERDUE {lasted(-one.left)}, since {when} UTC"
            head.append((Safe(late), "" if one.quiet else "bad"))
        else:
            head.append((Safe(f" {when} UTC, in {in_words(one.left)}"), ""))
        if one.quiet:
            until = due_words.until(one.quiet, now.ts)
            head.append((Safe(f" · put off until {until}"), "warn"))
        key = due_words.key_of(self.responder, one.key)
        if key not in SNOOZES:  # here it would put it off; enter answers it
            head.append((Safe(f" · {key}"), "key"))
        head.append((Safe(f"  {one.words}"), "faint"))
        return [paint.row(*line, stop=one.name) for line in paint.fold_parts(head, width, hang=4)]

    def on_key(self, event: events.Key) -> None:
        lines = self.query_one(Drawn)
        if self.focused is not lines:
            return
        one = next((one for one in self._due if one.name == lines.at), None)
        if one is None or self._ready_at is None or event.time < self._ready_at:
            return
        if event.key == "enter":
            event.stop()
            self.dismiss(Choice(one.name, one.key))
        elif event.key in SNOOZES:
            event.stop()
            self._ask(one, SNOOZES[event.key])

    def _ask(self, one: Due, seconds: float) -> None:
        """Asks why a clock is put off: the others will read it."""
        # From when it is due, where that is still to come.
        seconds += max(0.0, one.left)
        self._asked_of, self._seconds = one, seconds
        question = self.query_one("#question", Static)
        until = due_words.until(seconds, clock.now())
        words = f"Put off until {until}: {one.short}. Why?"
        question.update(paint.text((clean_line(words), "warn")))
        question.display = True
        answer = self.query_one(Answer)
        answer.display = True
        answer.focus()
        self._say("enter puts it off · esc leaves it", "faint")

    def _put_off(self, text: str) -> None:
        if not text.strip():
            self._say("Say why, or esc.", "bad")
        elif self._asked_of is not None:
            self.query_one(Answer).shut = True
            self.dismiss(Choice(self._asked_of.name, "", self._seconds, text.strip()))

    def _say(self, words: str, look: str) -> None:
        self.query_one("#said", Static).update(paint.text((Safe(words), look)))

    def action_leave(self) -> None:
        self.dismiss(None)
