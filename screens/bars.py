"""What stands above and below a list on the full screen: a few words, and what the keys do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.widgets import Static

from cockpit.text import Safe
from screens import paint
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


def keys_line(keys: Sequence[str], width: int) -> Safe:
    """What the keys do, as many as fit; the last one always."""
    kept = [*keys[:-1]]
    while kept and cell_len(" · ".join([*kept, keys[-1]])) > width - 2:
        kept.pop()
    return Safe(f" {' · '.join([*kept, keys[-1]])}")
