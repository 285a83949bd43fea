"""Declare an incident, or change how bad it is: a severity in one key."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.incident.events import Severity
from cockpit.text import Safe
from screens import paint
from screens.dialogs.answer import Answer

MEANING = {
    Severity.P0: "P0  down, or data at risk; respond at once",
    Severity.P1: "P1  badly degraded; respond in 15 min",
    Severity.P2: "P2  degraded, with a way around; respond in 1 h",
    Severity.P3: "P3  minor; next business day",
}


class Declare(ModalScreen[tuple[Severity, str] | None]):
    """Asks for severity (0 to 3) and title; the title offered stands unless it is changed."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="declare.leave", tooltip="Leave as it is"),
        Binding("tab", "title", "title", id="declare.title", tooltip="Change the title"),
    ]

    def __init__(self, head: Safe, title: str, severity: Severity | None) -> None:
        super().__init__(classes="panel")
        self.head = head
        self.offered = title
        self.severity = severity

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((self.head, "title")), markup=False)
            for severity, meaning in MEANING.items():
                now = Safe("  (now)" if severity is self.severity else "")
                yield Static(
                    paint.text(
                        (Safe(f"  {severity.value[1]}  "), "key"), Safe(meaning), (now, "faint")
                    ),
                    markup=False,
                )
            yield Static(paint.text(Safe("Title (tab changes it)")), markup=False, classes="label")
            yield Answer(self.offered, {"enter": self._take}, id="title")
            yield Static(
                paint.text((Safe("0 1 2 3 declares · esc leaves it"), "faint")), markup=False
            )

    def on_mount(self) -> None:
        self.set_focus(None)

    def on_key(self, event: events.Key) -> None:
        if event.key in "0123" and self.focused is None:
            event.stop()
            title = self.query_one(Answer).value.strip() or self.offered
            self.dismiss((Severity(f"P{event.key}"), title))

    def _take(self, text: str) -> None:
        self.query_one(Answer).shut = True
        self.set_focus(None)

    def action_title(self) -> None:
        answer = self.query_one(Answer)
        answer.shut = False
        self.set_focus(answer)

    def action_leave(self) -> None:
        if self.focused is not None:
            self.set_focus(None)
        else:
            self.dismiss(None)
