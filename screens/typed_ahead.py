"""Keys in the order they were typed: those after one that opens a dialog wait for its line.

Textual hands a key to the focused widget, and looks for what is bound to it when it has come back
up. So of keys that arrive together all have reached the main screen before the first of them has
opened anything: of `i` and "queue is full" typed in one go, `space` ticks steps and `enter` runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.worker import Worker

from screens.dialogs.answer import Answer
from screens.lines import Lines

_LOOK_S: Final = 0.01
_LOOKS: Final = 5
"""How often is looked whether what a key began asks something. A loop that is busy looks later."""
_LOOKS_AT_A_DIALOG: Final = 200


class TypedAhead:
    """Deals with the keys of an app one after the other; forward: what Textual does with a key."""

    def __init__(self, app: App[Any], forward: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._forward = forward
        self._held: deque[events.Key | events.Paste] = deque()
        self._waits = False
        self._begun: list[Worker[Any]] = []
        self._begun_on: Screen[Any] | None = None
        self._looked_at: Screen[Any] | None = None
        self._looks = 0
        self._reading = 0

    async def take(self, event: events.Key | events.Paste) -> None:
        """Deals with it once those before it are dealt with, and what they opened takes keys."""
        self._held.append(event)
        if not self._waits:
            await self._go_on()

    async def _go_on(self) -> None:
        self._waits = False
        # The timer may outlive the screens, where the app ends right after a key.
        while self._held and self._app.screen_stack:
            if self._something_opens():
                self._waits = True
                self._app.set_timer(_LOOK_S, self._go_on)
                return
            await self._press(self._held.popleft())

    def _something_opens(self) -> bool:
        """Whether a dialog is not ready for keys, or what a key began may yet open one."""
        if self._reading:
            self._reading -= 1
            return True
        screen = self._app.screen
        if screen is not self._looked_at:
            self._looked_at, self._looks = screen, 0
        self._looks += 1
        if screen.focused is None and screen.AUTO_FOCUS != "":
            return self._looks <= _LOOKS_AT_A_DIALOG
        begun = screen is self._begun_on and any(not one.is_finished for one in self._begun)
        return begun and self._looks <= _LOOKS

    async def _press(self, event: events.Key | events.Paste) -> None:
        screen = self._app.screen
        bound = None
        if isinstance(event, events.Key) and isinstance(screen.focused, Lines):
            bound = screen.active_bindings.get(event.key)
        if bound is None or not bound.enabled:
            await self._forward(event)
            # What is not ours, or has no line, may be gone once it has read this key.
            if screen.focused is None:
                self._reading = 1
            elif not isinstance(screen.focused, Answer) and not _is_letter(event):
                self._reading = _LOOKS
            return
        before = set(self._app.workers)
        await self._app.run_action(bound.binding.action, bound.node)
        begun = [one for one in self._app.workers if one not in before]
        if begun:
            self._begun, self._begun_on = begun, screen
            self._looked_at = None


def _is_letter(event: events.Key | events.Paste) -> bool:
    return isinstance(event, events.Key) and event.is_printable
