"""The last line: the keys of the pane in focus, then the ones that always work."""

from __future__ import annotations

from textual.binding import Binding
from textual.widgets import Static

from cockpit.text import Safe, clean_line
from screens import paint
from screens.paint import Part

ALWAYS = ("pane.next", "app.help", "cockpit.quit")


class Keybar(Static):
    """Keys as they are bound now, so a keymap of the reader's own shows too."""

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id, markup=False)
        self._shown: list[Part] = []

    def update_line(self) -> None:
        """Draws the line again where the focus or the keys changed."""
        found: dict[str, tuple[Binding, str]] = {}
        idle: frozenset[str] = getattr(self.screen.focused, "idle_keys", frozenset())
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.id and binding.id not in {*found, *idle}:
                found[binding.id] = (binding, self.app.get_key_display(binding))
        parts: list[Part] = []
        width = 1
        always = [found.pop(id) for id in ALWAYS if id in found]
        kept = sum(len(key) + len(binding.description) + 3 for binding, key in always)
        for binding, key in list(found.values()):
            width += len(key) + len(binding.description) + 3
            if width + kept > self.size.width:
                break
            parts += _key(key, binding.description)
        for binding, key in always:
            parts += _key(key, binding.description)
        if parts != self._shown:
            self._shown = parts
            self.update(paint.text(*parts))


def _key(key: str, what: str) -> list[Part]:
    return [(Safe(f" {clean_line(key)}"), "key"), (Safe(f" {what} "), "")]
