"""The line under the logs in which is typed what to look for: the logs stay in sight."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from cockpit.text import Safe
from screens import paint
from screens.dialogs.answer import Answer


def _nothing(text: str) -> None:
    pass


class LogPrompt(Horizontal):
    """One question at a time; in sight only while it is asked.

    Keys typed right after the one that asks end up here, as it has the focus at once.
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.label = Static("", markup=False)
        self.hint = Static("", markup=False)
        keys = {"enter": self._enter, "escape": self._escape}
        self.line = Answer("", keys, id="log-line")
        self._taken: Callable[[str], None] = _nothing
        self._typed: Callable[[str], None] = _nothing
        self._left: Callable[[], None] = lambda: None
        self.display = False

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.line
        yield self.hint

    def ask(
        self,
        label: Safe,
        value: str,
        taken: Callable[[str], None],
        *,
        typed: Callable[[str], None] = _nothing,
        left: Callable[[], None] = lambda: None,
        example: str = "",
        keys: str = "enter keeps · esc gives up",
    ) -> None:
        """Asks for a line. taken: what becomes of it; typed: with each key; left: at escape.

        keys: what they are, in sight all the while.
        """
        self._taken, self._typed, self._left = taken, typed, left
        self.label.update(paint.text((Safe(f" {label} "), "key")))
        self.line.placeholder = example
        self.hint.update(paint.text((Safe(f" {keys}"), "faint")))
        self.line.shut = False
        with self.prevent(Answer.Changed):
            self.line.value = value
        self.line.select_all()
        self.display = True
        self.screen.set_focus(self.line)

    def shut(self) -> None:
        """Asks no more; what was typed is forgotten."""
        self.line.shut = True
        self.display = False

    def on_input_changed(self, event: Answer.Changed) -> None:
        event.stop()
        if self.display:
            self._typed(event.value)

    def _enter(self, text: str) -> None:
        self.shut()
        self._taken(text)

    def _escape(self, text: str) -> None:
        self.shut()
        self._left()
