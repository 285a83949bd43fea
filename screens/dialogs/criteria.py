"""When to escalate, as a list to tick; what cockpit knows to hold is ticked already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.oncall.criteria import Criterion
from cockpit.text import Safe
from screens import paint
from screens.lines import Drawn, pointer
from screens.paint import Row

MOST_ROWS = 16
_HOW = Safe("space ticks · j k move · enter, esc back")


class Criteria(ModalScreen[frozenset[Safe]]):
    """Returns what is ticked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "tick", "tick", id="criteria.tick", tooltip="Tick it, or take it back"),
        Binding("escape,enter,c,q", "leave", "back", id="criteria.leave", tooltip="Back"),
    ]

    def __init__(self, reasons: Sequence[tuple[Criterion, bool]]) -> None:
        super().__init__(classes="panel")
        self.items = [one for one, _ in reasons]
        self.ticked = {one.words for one, on in reasons if on}

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((Safe("What speaks for it?"), "title")), markup=False)
            yield Drawn(self._draw, id="offers")
            yield Static(paint.text((_HOW, "faint")), markup=False)

    def on_mount(self) -> None:
        items = self.query_one(Drawn)
        items.focus()
        items.at = 0
        self._draw()

    def _draw(self) -> None:
        items = self.query_one(Drawn)
        width = max(20, (items.size.width or self.size.width - 4) - 8)
        rows: list[Row] = []
        for index, one in enumerate(self.items):
            on = one.words in self.ticked
            for number, line in enumerate(paint.fold(one.words, width)):
                sign = Safe("      ") if number else Safe("[x] " if on else "[ ] ")
                lead = Safe("") if number else pointer(index == items.at)
                look = "strong" if on else ""
                rows.append(paint.row((lead, "key"), (sign, look), (line, look), stop=index))
            if one.holds:
                known = paint.fit(Safe(f"      cockpit: {one.holds}"), width + 6)
                rows.append(paint.row((known, "warn"), stop=index))
        items.styles.height = max(2, min(MOST_ROWS, len(rows), self.size.height - 6))
        items.show_rows(rows)
        items.reveal()

    def action_tick(self) -> None:
        at = self.query_one(Drawn).at
        if isinstance(at, int):
            self.ticked ^= {self.items[at].words}
            self._draw()

    def action_leave(self) -> None:
        self.dismiss(frozenset(self.ticked))
