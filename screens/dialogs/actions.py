"""Choose what to do by a letter: what makes sense first, what does not with the reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.containers.actions import Action
from cockpit.text import Safe
from screens import paint
from screens.driver import when_shown
from screens.lines import Drawn, pointer
from screens.paint import Row

WIDEST = 110
_AROUND = 4
"""Lines of the panel beside the hint and the rows: border, title, what is said."""
_EDGES = 4


class _Rows(Drawn):
    """One row an action; the letters are keys of their own, so j and k still move."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.take", "do it", id="actions.take", tooltip="Do this"),
    ]


class Actions(ModalScreen[Action | None]):
    """The actions, one a row; the chosen one, None when the responder leaves.

    What changes something takes no key that was pressed before it was drawn; what only reads may
    be typed ahead.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "leave it", id="actions.leave", tooltip="Do nothing"),
    ]

    def __init__(self, title: Safe, actions: Sequence[Action], hint: Safe = Safe("")) -> None:
        super().__init__(classes="panel")
        self.asked = title
        self.actions = actions
        self.hint = hint
        self._ready_at: float | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((self.asked, "title")), markup=False)
            if self.hint:
                yield Static(paint.text((self.hint, "warn")), markup=False)
            yield _Rows(self._draw, id="actions")
            yield Static("", markup=False, id="said")

    def on_mount(self) -> None:
        rows = self.query_one(_Rows)
        rows.focus()
        self._fit()
        self._say("a letter or enter does it · j k move · esc leaves it", "faint")
        when_shown(self, self._open)

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """As many rows as there is room for below the hint; the others scroll."""
        width, height = self.app.size
        hint = paint.fold(self.hint, min(width, WIDEST) - _EDGES) if self.hint else ()
        room = height * 9 // 10 - _AROUND - len(hint)
        self.query_one(_Rows).styles.height = min(len(self.actions), max(3, room))

    def _open(self) -> None:
        self._ready_at = time.monotonic()

    def _say(self, words: str, look: str) -> None:
        self.query_one("#said", Static).update(paint.text((Safe(words), look)))

    def _draw(self) -> None:
        rows = self.query_one(_Rows)
        if rows.at is None and self.actions:
            rows.at = self.actions[0].key
        width = rows.size.width or self.app.size.width
        widest = max((cell_len(one.words) for one in self.actions), default=0)
        rows.show_rows([self._row(one, one.key == rows.at, width, widest) for one in self.actions])
        rows.refresh()

    def _row(self, one: Action, here: bool, width: int, widest: int) -> Row:
        look = "faint" if one.why_not else "strong" if here else ""
        more = Safe(f"not now: {one.why_not}") if one.why_not else one.does
        room = max(0, width - widest - 8)
        more = more if cell_len(more) <= room else paint.fit(more, room)
        return paint.row(
            (pointer(here), "key"),
            (Safe(f"{one.key}  "), "faint" if one.why_not else "key"),
            (paint.fit(one.words, widest + 2), look),
            (more, "faint"),
            stop=one.key,
        )

    def on_key(self, event: events.Key) -> None:
        chosen = next((one for one in self.actions if one.key == event.character), None)
        if chosen is not None:
            event.stop()
            seen = self._ready_at is not None and event.time >= self._ready_at
            if seen or not chosen.command:
                self._take(chosen)
            else:
                self._say(f"Too fast: {chosen.key} again does it ({chosen.words}).", "warn")

    def action_take(self) -> None:
        at = self.query_one(_Rows).at
        chosen = next((one for one in self.actions if one.key == at), None)
        if chosen is not None and self._ready_at is not None:
            self._take(chosen)

    def _take(self, chosen: Action) -> None:
        if chosen.why_not:
            self._say(f"{chosen.words} makes no sense now: {chosen.why_not}.", "bad")
        else:
            self.dismiss(chosen)

    def action_leave(self) -> None:
        self.dismiss(None)
