"""A phone number alone on the screen, as a code to scan."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit.oncall import phone
from cockpit.text import Safe
from screens import paint
from screens.bars import Words
from screens.dialogs.call_card import scannable
from screens.lines import Drawn


class _Code(Drawn, can_focus=False):
    """The code, in the middle."""


class Scan(Screen[None]):
    """Shows the code of a number, however it is written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,Q,enter,space", "leave", "back", id="scan.leave", tooltip="Back"),
        Binding("i", "invert", "invert", id="scan.invert",
                tooltip="Dark and light the other way round, for a terminal without colours"),
    ]  # fmt: skip

    def __init__(self, number: Safe, *, colours: bool) -> None:
        super().__init__()
        self.number = number
        self.colours = colours
        self.inverted = False

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield _Code(self._draw, id="card")
        yield Words(id="keys-here", classes="bar")

    def _draw(self) -> None:
        self.query_one("#title", Words).say((Safe(f" {self.number}"), "title"))
        code = scannable(phone.dials(self.number), colours=self.colours, inverted=self.inverted)
        room = self.query_one(_Code).size
        wide = cell_len(code[0].plain)
        if wide > room.width or len(code) > room.height:
            words = Safe(f"The code takes {wide} by {len(code) + 2} cells; make the window larger.")
            code = [paint.row((line, "warn")) for line in paint.fold(words, room.width)]
            wide = room.width
        left = Safe(" " * ((room.width - wide) // 2))
        above = [paint.row(Safe(""))] * ((room.height - len(code)) // 2)
        self.query_one(_Code).show_rows([*above, *(paint.row(left, *row.parts) for row in code)])
        invert = "" if self.colours else " · i inverts it, if it does not scan"
        self.query_one("#keys-here", Words).say((Safe(f" esc back{invert}"), "faint"))

    def action_invert(self) -> None:
        self.inverted = not self.inverted and not self.colours
        self._draw()

    def action_leave(self) -> None:
        self.dismiss(None)
