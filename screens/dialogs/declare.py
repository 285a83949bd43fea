"""Declare an incident, or change how bad it is: a severity in one key."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.incident.clocks import Pace, Rules
from cockpit.incident.events import Severity
from cockpit.text import Safe
from cockpit.words import in_words
from screens import paint
from screens.dialogs.answer import Answer
from screens.dialogs.form import WIDEST

MEANING = {
    Severity.P0: Safe("down, or data at risk"),
    Severity.P1: Safe("badly degraded"),
    Severity.P2: Safe("degraded, with a way around"),
    Severity.P3: Safe("minor"),
}
"""Where the handbook says nothing else."""
_GRADES = Safe("0 1 2 3 declares · tab, or a letter, writes the title · esc leaves it")
_WRITES = Safe("enter, then 0 1 2 3 declares · esc keeps the title")


class Declare(ModalScreen[tuple[Severity, str] | None]):
    """Asks for severity (0 to 3) and title; the title offered stands unless it is changed.

    rules: what the severities mean, and how soon each wants somebody.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="declare.leave", tooltip="Leave as it is"),
        Binding("tab", "title", "title", id="declare.title", tooltip="Change the title"),
    ]

    def __init__(self, head: Safe, title: str, severity: Severity | None, rules: Rules) -> None:
        super().__init__(classes="panel")
        self.head = head
        self.offered = title
        self.severity = severity
        self.rules = rules

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((self.head, "title")), markup=False)
            for severity in Severity:
                pace = self.rules.pace(severity)
                now = "  (now)" if severity is self.severity else ""
                soon = f"; respond {_soon(pace)}{now}"
                room = max(8, min(WIDEST, self.app.size.width) - 13 - len(soon))
                words = paint.fit(pace.about or MEANING[severity], room).rstrip()
                yield Static(
                    paint.text(
                        (Safe(f"  {severity.value[1]}  "), "key"),
                        Safe(f"{severity.value}  {words}"),
                        (Safe(soon), "faint"),
                    ),
                    markup=False,
                )
            yield Static(paint.text(Safe("Title")), markup=False, classes="label")
            yield Answer(self.offered, {"enter": self._take}, id="title")
            yield Static("", markup=False, id="said")

    def on_mount(self) -> None:
        self._grade()

    def on_key(self, event: events.Key) -> None:
        if self.focused is not None:
            return
        if event.key in "0123":
            event.stop()
            title = self.query_one(Answer).value.strip() or self.offered
            self.dismiss((Severity(f"P{event.key}"), title))
        elif event.is_printable and event.character:
            event.stop()
            self.action_title()
            answer = self.query_one(Answer)
            answer.value = event.character
            answer.cursor_position = 1

    def _grade(self) -> None:
        """A digit declares from here on."""
        self.query_one(Answer).shut = True
        self.set_focus(None)
        self.query_one("#said", Static).update(paint.text((_GRADES, "faint")))

    def _take(self, text: str) -> None:
        self._grade()

    def action_title(self) -> None:
        answer = self.query_one(Answer)
        answer.shut = False
        self.set_focus(answer)
        answer.action_select_all()
        self.query_one("#said", Static).update(paint.text((_WRITES, "faint")))

    def action_leave(self) -> None:
        if self.focused is not None:
            self._grade()
        else:
            self.dismiss(None)


def _soon(pace: Pace) -> str:
    if pace.respond is None:
        return "next business day"
    return f"in {in_words(pace.respond)}" if pace.respond else "at once"
