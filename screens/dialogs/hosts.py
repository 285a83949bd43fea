"""Which hosts are watched beside the chosen one: space marks, enter takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.text import Safe, clean_line
from screens import paint
from screens.driver import when_shown
from screens.lines import Drawn, pointer
from screens.paint import Row

_AROUND = 6


class _Names(Drawn):
    """One row a host."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "screen.mark", "mark", id="hosts.mark", tooltip="Watch it, or not"),
        Binding("a", "screen.all", "all", id="hosts.all", tooltip="Watch all of them, or none"),
        Binding("enter", "screen.take", "take", id="hosts.take", tooltip="Watch the marked ones"),
    ]


class Hosts(ModalScreen[frozenset[str] | None]):
    """Hosts to be watched; the marked ones, None when the responder leaves it.

    here: the chosen host, which is watched anyway.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "leave it", id="hosts.leave", tooltip="Leave as it is"),
    ]

    def __init__(self, here: Safe, names: Sequence[str], watched: frozenset[str]) -> None:
        super().__init__(classes="panel")
        self.here = here
        self.names = names
        self.marked = set(watched)
        self._ready = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            title = Safe(f"Whose containers to list beside those of {self.here}?")
            yield Static(paint.text((title, "title")), markup=False)
            yield _Names(self._draw, id="names")
            yield Static("", markup=False, id="how")

    def on_mount(self) -> None:
        names = self.query_one(_Names)
        names.focus()
        names.styles.height = min(len(self.names), max(3, self.app.size.height - _AROUND))
        when_shown(self, self._open)

    def _open(self) -> None:
        self._ready = True

    def _draw(self) -> None:
        names = self.query_one(_Names)
        if names.at is None:
            names.at = self.names[0]
        names.show_rows([self._row(name, name == names.at) for name in self.names])
        names.refresh()
        how = f"{len(self.marked)} marked · space marks · a all or none · enter takes · esc leaves"
        self.query_one("#how", Static).update(paint.text((Safe(how), "faint")))

    def _row(self, name: str, here: bool) -> Row:
        mark = Safe("[x] " if name in self.marked else "[ ] ")
        look = "strong" if here else ""
        return paint.row((pointer(here), "key"), mark, (clean_line(name), look), stop=name)

    def action_mark(self) -> None:
        at = self.query_one(_Names).at
        if isinstance(at, str) and self._ready:
            self.marked ^= {at}
            self._draw()

    def action_all(self) -> None:
        if self._ready:
            self.marked = set() if self.marked >= set(self.names) else set(self.names)
            self._draw()

    def action_take(self) -> None:
        if self._ready:
            self.dismiss(frozenset(self.marked))

    def action_leave(self) -> None:
        self.dismiss(None)
