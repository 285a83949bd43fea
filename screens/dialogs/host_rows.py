"""What the dry list and the grid of a rollout are drawn with: one row a host, words, keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Static

from cockpit.text import Safe
from screens import paint
from screens.driver import when_shown
from screens.lines import Lines
from screens.paint import Part

REFRESH = 0.25
"""Seconds between two looks at what has changed."""


class Words(Static):
    """A few lines of text, drawn again only where they changed; none at all take no room."""

    def __init__(self, *, id: str, classes: str = "") -> None:
        super().__init__("", markup=False, id=id, classes=classes)
        self._shown: tuple[Part, ...] = ()

    def say(self, *parts: Part) -> None:
        """Shows these; a layout of the screen is due only where the number of lines changed."""
        if parts == self._shown:
            return
        before, self._shown = self._shown, parts
        moves = _height(before) != _height(parts)
        if moves and "bar" not in self.classes:
            self.display = bool(_height(parts))
        self.update(paint.text(*parts), layout=moves)


def _height(parts: Sequence[Part]) -> int:
    text = "".join(words for words, _ in parts)
    return text.count("\n") + 1 if text else 0


class HostRows(Lines):
    """One row a host, with the focus. Takes no enter that was pressed before it was shown.

    draw: draws the rows again, for the pointer that stands before the one under the cursor.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "screen.take", "leave out", id="rollout.leave-out",
                tooltip="Leave this host out, or take it in again"),
    ]  # fmt: skip

    def __init__(self, draw: Callable[[], None]) -> None:
        super().__init__(id="hosts")
        self._draw_again = draw
        self.ready_at: float | None = None

    def on_mount(self) -> None:
        self.focus()
        self.ask()

    def ask(self) -> None:
        """Takes enter from when what it answers has been drawn: no key from before is an answer."""
        self.ready_at = None
        when_shown(self.screen, self._drawn)

    def _drawn(self) -> None:
        self.ready_at = time.monotonic()

    def moved(self) -> None:
        self._draw_again()

    async def on_key(self, event: events.Key) -> None:
        late = self.ready_at is not None and event.time >= self.ready_at
        if event.key == "enter" and not late:
            event.prevent_default()
            event.stop()


def pointer(here: bool) -> Safe:
    """What stands before a row: the one under the cursor has it."""
    return Safe("> " if here else "  ")


def keys_line(keys: Sequence[str], width: int) -> Safe:
    """What the keys do, as many as fit; the last one always."""
    kept = [*keys[:-1]]
    while kept and cell_len(" · ".join([*kept, keys[-1]])) > width - 2:
        kept.pop()
    return Safe(f" {' · '.join([*kept, keys[-1]])}")
