"""A panel that asks for a few lines of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from cockpit.text import Safe
from screens import paint


@dataclass(frozen=True, slots=True)
class Field:
    """One line to fill in; wanted says what is missing when it must not stay empty."""

    name: str
    label: Safe
    value: str = ""
    wanted: str = ""


class Form(ModalScreen[dict[str, str] | None]):
    """Asks for some fields; None when the responder leaves it.

    check: looks at the values and returns what is wrong with them, in a sentence, or nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="form.leave", tooltip="Leave without doing it"),
        Binding("up", "focus_previous", "field before", id="form.up", show=False),
        Binding("down", "focus_next", "next field", id="form.down", show=False),
    ]

    def __init__(
        self,
        title: Safe,
        fields: tuple[Field, ...],
        *,
        hint: Safe = Safe(""),
        check: Callable[[dict[str, str]], str] | None = None,
    ) -> None:
        super().__init__(classes="panel")
        self.asked = title
        self.fields = fields
        self.hint = hint
        self.check = check or (lambda values: "")

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((self.asked, "title")), markup=False)
            if self.hint:
                yield Static(paint.text(self.hint), markup=False)
            for field in self.fields:
                yield Static(paint.text(field.label), markup=False, classes="label")
                yield Input(field.value, id=f"field-{field.name}", compact=True)
            yield Static(
                paint.text((Safe("enter goes on · esc leaves it"), "faint")),
                markup=False,
                id="said",
            )

    def on_mount(self) -> None:
        inputs = list(self.query(Input))
        empty = next((one for one in inputs if not one.value), inputs[0])
        empty.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        inputs = list(self.query(Input))
        index = inputs.index(event.input)
        if index + 1 < len(inputs):
            inputs[index + 1].focus()
            return
        values = {
            field.name: one.value.strip() for field, one in zip(self.fields, inputs, strict=True)
        }
        for field, one in zip(self.fields, inputs, strict=True):
            if field.wanted and not values[field.name]:
                self._say(Safe(field.wanted))
                one.focus()
                return
        wrong = self.check(values)
        if wrong:
            self._say(Safe(wrong))
            return
        self.dismiss(values)

    def _say(self, words: Safe) -> None:
        self.query_one("#said", Static).update(paint.text((words, "bad")))

    def action_leave(self) -> None:
        self.dismiss(None)
