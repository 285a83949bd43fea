"""The one line that dialogs ask in: what is typed ahead lands where it belongs, or nowhere.

In Textual a printable key is dealt with by the focused input, and one that is bound only after it
has bubbled up: `enter` overtakes, or is overtaken by, what is typed right before or after it. At
worst that runs `mv -n d data/kamiyo.db` for `mv -n data/kamiyo.db.moved data/kamiyo.db`. So here
every key is dealt with in the input's own queue, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual import events
from textual.widgets import Input


class Answer(Input):
    """A line whose keys are dealt with in the order they were typed.

    keys: what to do with the text on a key such as `enter`, before the next key is looked at. It
    may set `value` for the next question, or `shut`, after which keys still on their way are
    thrown away.
    """

    def __init__(self, value: str, keys: Mapping[str, Callable[[str], None]], *, id: str) -> None:
        super().__init__(value, id=id, compact=True, select_on_focus=False)
        self.keys = keys
        self.shut = False

    async def on_key(self, event: events.Key) -> None:
        bound = self.screen.active_bindings.get(event.key)
        if self.shut:
            if event.key == "escape":
                return
        elif event.key in self.keys:
            self.keys[event.key](self.value)
        elif bound is not None and bound.node is self and not event.is_printable:
            await self.run_action(bound.binding.action)
        else:
            return
        event.prevent_default()
        event.stop()
