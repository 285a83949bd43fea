"""A panel that asks for a few lines of text, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from cockpit.text import Safe, clean_line
from screens import paint
from screens.dialogs.answer import Answer
from screens.paint import Part

PREVIEW_LINES = 8
BELOW = 10
"""Rows that a form takes beside its preview and the answers that were given."""
WIDEST = 110


@dataclass(frozen=True, slots=True)
class Field:
    """One line to fill in; wanted says what is missing when it must not stay empty.

    secret: it is not shown, and taken as it is, blanks and all. again: it is offered as it was
    given before, and what is typed takes its place.
    """

    name: str
    label: Safe
    value: str = ""
    wanted: str = ""
    secret: bool = False
    again: bool = False


class Form(ModalScreen[dict[str, str] | None]):
    """Asks for some fields; None when the responder leaves it.

    check: looks at the values and returns what is wrong with them, in a sentence, or nothing.
    preview: what they would make, shown while they are typed. left: is given the values where the
    responder leaves, so that they can be offered again.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="form.leave", tooltip="Leave without doing it"),
    ]

    def __init__(
        self,
        title: Safe,
        fields: tuple[Field, ...],
        *,
        hint: Safe = Safe(""),
        preview: Callable[[dict[str, str]], Safe] | None = None,
        check: Callable[[dict[str, str]], str] | None = None,
        left: Callable[[dict[str, str]], None] | None = None,
    ) -> None:
        super().__init__(classes="panel")
        self.asked = title
        self.fields = fields
        self.hint = hint
        self.preview = preview
        self.check = check or (lambda values: "")
        self.left = left
        self.values = {field.name: field.value for field in fields}
        self.at = 0

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((self.asked, "title")), markup=False)
            if self.hint:
                yield Static(paint.text(self.hint), markup=False)
            if self.preview:
                yield Static("", markup=False, id="preview")
            yield Static("", markup=False, id="given")
            yield Answer(self.fields[0].value, {"enter": self._take, "up": self._back}, id="answer")
            yield Static("", markup=False, id="said")

    def on_mount(self) -> None:
        self._ask(0)

    def _ask(self, at: int, wrong: Safe = Safe("")) -> None:
        """Puts a field in the line; those before it stand above as they were answered."""
        self.at = at
        parts: list[Part] = []
        for field in self.fields[:at]:
            given = Safe("•••") if field.secret else clean_line(self.values[field.name])
            room = max(8, self._width() - cell_len(field.label) - 1)
            parts += [(Safe(f"{field.label} "), ""), (paint.fit(given, room), "strong")]
            parts += [(Safe("\n"), "")]
        parts.append((self.fields[at].label, ""))
        if len(self.fields) > 1:
            parts.append((Safe(f"  {at + 1} of {len(self.fields)}"), "faint"))
        self.query_one("#given", Static).update(paint.text(*parts))
        answer = self.query_one(Answer)
        answer.password = self.fields[at].secret
        answer.value = self.values[self.fields[at].name]
        answer.cursor_position = len(answer.value)
        if self.fields[at].again:
            answer.action_select_all()
        self._show_preview()
        back = " · up goes back" if at else ""
        how = Safe(f"enter goes on{back} · esc leaves it")
        said = (wrong, "bad") if wrong else (how, "faint")
        self.query_one("#said", Static).update(paint.text(said))

    @on(Input.Changed)
    def _show_preview(self) -> None:
        if self.preview:
            typed = {self.fields[self.at].name: self.query_one(Answer).value.strip()}
            lines = paint.fold(self.preview(self.values | typed), self._width())
            # What is asked stands below it, and must stay in sight.
            most = max(1, min(PREVIEW_LINES, self.size.height - BELOW - len(self.fields)))
            if len(lines) > most:
                lines[most - 1 :] = [Safe(f"… {len(lines) - most + 1} more lines")]
            shown = Safe("\n".join(lines))
            self.query_one("#preview", Static).update(paint.text((shown, "code")))

    def _width(self) -> int:
        """Cells in a line of the box."""
        return max(20, min(WIDEST, self.size.width) - 4)

    def _take(self, text: str) -> None:
        field = self.fields[self.at]
        self.values[field.name] = text if field.secret else text.strip()
        if field.wanted and not text.strip():
            self._ask(self.at, Safe(field.wanted))
        elif self.at + 1 < len(self.fields):
            self._ask(self.at + 1)
        elif wrong := self.check(self.values):
            self._ask(0, Safe(wrong))
        else:
            self.query_one(Answer).shut = True
            self.dismiss(self.values)

    def _back(self, text: str) -> None:
        self.values[self.fields[self.at].name] = text
        self._ask(max(0, self.at - 1))

    def action_leave(self) -> None:
        if self.left:
            typed = {self.fields[self.at].name: self.query_one(Answer).value}
            self.left(self.values | typed)
        self.dismiss(None)
