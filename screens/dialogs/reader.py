"""Text on the full screen: the whole output of a command, a timeline entry, the help."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from cockpit.text import Safe
from screens import paint
from screens.lines import Lines

REFRESH = 0.5


class _Text(Lines):
    """Folded lines, none of which is a stop."""

    def __init__(self) -> None:
        super().__init__(id="text")
        self.whole: Safe = Safe("")

    def show(self, whole: Safe) -> None:
        at_end = self.scroll_y >= self.max_scroll_y
        grew = whole != self.whole and bool(self.whole)
        self.whole = whole
        self.refill()
        if grew and at_end:
            self.scroll_to(y=len(self.rows), animate=False, immediate=True)

    def refill(self) -> None:
        width = max(20, self.size.width - 1)
        self.show_rows(
            [
                paint.row(line)
                for text in self.whole.split("\n")
                for line in paint.fold(Safe(text), width)
            ]
        )


class Reader(Screen[None]):
    """Shows a text, from `source` again and again while it may grow."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,o,enter", "leave", "back", id="reader.leave", tooltip="Back"),
    ]

    def __init__(self, title: Safe, source: Callable[[], Safe], *, grows: bool = False) -> None:
        super().__init__()
        self.head = title
        self.source = source
        self.grows = grows

    def compose(self) -> ComposeResult:
        yield Static(paint.text((self.head, "title")), markup=False, classes="bar")
        yield _Text()
        how = "j k, space or page keys move · g G first, last · esc back"
        yield Static(paint.text((Safe(how), "faint")), markup=False, classes="bar")

    def on_mount(self) -> None:
        self._show()
        self.query_one(_Text).focus()
        if self.grows:
            self.set_interval(REFRESH, self._show)

    def _show(self) -> None:
        text = self.query_one(_Text)
        whole = self.source()
        if whole != text.whole:
            text.show(whole)

    def action_leave(self) -> None:
        self.dismiss(None)
