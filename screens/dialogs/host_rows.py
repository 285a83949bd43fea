"""One row a host, for the dry list and the grid of a rollout."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from screens.driver import when_shown
from screens.lines import Drawn


class HostRows(Drawn):
    """One row a host, with the focus. Takes no enter that was pressed before it was shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "screen.take", "leave out", id="rollout.leave-out",
                tooltip="Leave this host out, or take it in again"),
    ]  # fmt: skip

    def __init__(self, draw: Callable[[], None]) -> None:
        super().__init__(draw, id="hosts")
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

    async def on_key(self, event: events.Key) -> None:
        late = self.ready_at is not None and event.time >= self.ready_at
        if event.key == "enter" and not late:
            event.prevent_default()
            event.stop()
