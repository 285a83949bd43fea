"""The environment of a container: names, and values that are no secret; others one at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit.containers.environ import Variable
from cockpit.text import Safe, clean_line
from screens import paint
from screens.bars import Words, keys_line
from screens.lines import Drawn, pointer
from screens.paint import Row

if TYPE_CHECKING:
    from cockpit.containers.engine import Engine

SHOWN_FOR: Final = 15.0
"""Seconds for which a value stands on the screen that was hidden."""
_WIDEST_NAME: Final = 40


class _Variables(Drawn):
    """One row a variable, more for a value that is shown on purpose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "screen.reveal", "show value", id="environment.show",
                tooltip="Show this value for a while, or hide it"),
    ]  # fmt: skip


class Environment(Screen[None]):
    """Shows the variables of one container; writes none of it down."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="environment.leave", tooltip="Back"),
    ]

    def __init__(self, engine: Engine, container: str, name: Safe) -> None:
        super().__init__()
        self._engine = engine
        self._container = container
        self._name = name
        self._variables: tuple[Variable, ...] | None = None
        self._trouble = Safe("")
        self._unmasked: Safe | None = None
        self._until = 0.0

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield _Variables(self._draw, id="variables")
        yield Words(id="keys-here", classes="bar")

    def on_mount(self) -> None:
        self.query_one(_Variables).focus()
        self.set_interval(1.0, self._hide)
        self._ask()

    @work(exit_on_error=False)
    async def _ask(self) -> None:
        from cockpit.containers.details import inspected
        from cockpit.containers.engine import EngineTrouble

        try:
            self._variables = (await inspected(self._engine, self._container)).environment
        except EngineTrouble as trouble:
            self._trouble = clean_line(str(trouble))
        self._draw()

    def _draw(self) -> None:
        lines = self.query_one(_Variables)
        title = Safe(f" Environment of {self._name} · as it was given when it was made")
        self.query_one("#title", Words).say((title, "title"))
        keys = ["j k", "space shows or hides a value", "esc back"]
        self.query_one("#keys-here", Words).say((keys_line(keys, self.size.width), "faint"))
        if self._variables is None:
            lines.say(self._trouble or Safe("Being asked …"))
            return
        if not self._variables:
            lines.say(Safe("It was given no variables."))
            return
        if lines.at is None:
            lines.at = self._variables[0].name
        width = max(20, (lines.size.width or self.size.width) - 2)
        named = min(_WIDEST_NAME, max(len(one.name) for one in self._variables), width // 2)
        lines.show_rows([row for one in self._variables for row in self._rows(one, named, width)])
        lines.reveal()
        lines.refresh()

    def _rows(self, one: Variable, named: int, width: int) -> list[Row]:
        here = one.name == self.query_one(_Variables).at
        on_purpose = one.name == self._unmasked and not one.shown
        words = one.value if one.shown or on_purpose else one.words
        look = "warn" if on_purpose else "" if one.shown else "faint"
        parts = paint.fold(words, max(8, width - named - 4)) or [Safe("")]
        if not on_purpose:  # all of a value only where it was asked for
            parts = [paint.fit(words, max(8, width - named - 4))]
        head = (pointer(here), "key"), (paint.fit(one.name, named), "strong" if here else "")
        rows = [paint.row(*head, Safe("  "), (parts[0], look), stop=one.name)]
        lead = Safe(" " * (named + 4))
        rows += [paint.row(lead, (part, look), stop=one.name) for part in parts[1:]]
        return rows

    def action_reveal(self) -> None:
        at = self.query_one(_Variables).at
        one = next((one for one in self._variables or () if one.name == at), None)
        if one is None:
            return
        self._unmasked = None if self._unmasked == one.name else one.name
        self._until = time.monotonic() + SHOWN_FOR
        self._draw()

    def _hide(self) -> None:
        if self._unmasked is not None and time.monotonic() >= self._until:
            self._unmasked = None
            self._draw()

    def action_leave(self) -> None:
        self.dismiss(None)
