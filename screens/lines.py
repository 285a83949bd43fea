"""A pane of lines with a cursor: the Line API over a list of rows, cheap for many of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cockpit.text import Safe
from screens import paint
from screens.paint import Row


class Lines(ScrollView, can_focus=True):
    """Rows, of which some are stops for the cursor; all rows of one stop are under it together.

    The pane's title stands in `border_title`; `moved` is called after the cursor moved.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", id="move.down", tooltip="Next line", show=False),
        Binding("k,up", "move(-1)", "Up", id="move.up", tooltip="Line before", show=False),
        Binding("g,home", "first", "First", id="move.first", tooltip="First line", show=False),
        Binding("G,end", "last", "Last", id="move.last", tooltip="Last line", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", id="move.page-down", show=False,
                tooltip="A page down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", id="move.page-up", show=False,
                tooltip="A page up"),
        Binding("left", "aside(-8)", "Left", id="move.left", show=False,
                tooltip="Aside to the left"),
        Binding("right", "aside(8)", "Right", id="move.right", show=False,
                tooltip="Aside to the right"),
    ]  # fmt: skip

    bold_under_cursor: ClassVar[bool] = True

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.rows: list[Row] = []
        self._stops: list[object] = []
        self._spans: dict[object, tuple[int, int]] = {}
        self.at: object = None
        self.aside = 0

    def show_rows(self, rows: list[Row], *, keep: bool = True) -> None:
        """Shows these rows; the cursor stays on its stop where that is still there.

        The list is taken over, not copied.
        """
        old, self.rows = self.rows, rows
        self._spans = _spans(rows)
        self._stops = list(self._spans)
        if self._stops and (not keep or self.at not in self._spans):
            self.at = self._stops[0]
        self.virtual_size = Size(self.size.width, len(rows))
        if len(old) != len(rows):
            self.refresh()
            return
        top = round(self.scroll_y)
        for y in range(top, min(top + self.size.height + 1, len(rows))):
            if old[y] != rows[y]:
                self.refresh_line(y)

    def append_rows(self, rows: Sequence[Row]) -> None:
        """More rows at the end, at no cost for those that are there already."""
        if not rows:
            return
        start = len(self.rows)
        self.rows += rows
        for stop, (first, last) in _spans(rows, start).items():
            if stop not in self._spans:
                self._stops.append(stop)
            self._spans[stop] = (self._spans.get(stop, (first, last))[0], last)
        self.virtual_size = Size(self.size.width, len(self.rows))
        self.refresh()

    def place(self) -> int | None:
        """Which stop the cursor is on, from 0; None where it is on none."""
        return self._stops.index(self.at) if self.at in self._spans else None

    def span(self, stop: object) -> tuple[int, int] | None:
        """The first and the last row of a stop; None where there is no such stop."""
        return self._spans.get(stop)

    def go(self, stop: object) -> None:
        """Puts the cursor on a stop and has it in sight."""
        before, self.at = self.at, stop
        if before != stop:
            self.moved()
        self.reveal()
        self.refresh()

    def reveal(self) -> None:
        """Scrolls so that the rows under the cursor are in sight, the first of them above all.

        Where they are more than the pane holds, and it shows some of them, it stays as it is.
        """
        under = self._spans.get(self.at)
        if under is None:
            return
        first, last = under
        top, height = round(self.scroll_y), self.room
        if last - first >= height:
            top = top if first <= top <= last else first
        else:
            top = min(max(top, last - height + 1), first)
        if top != round(self.scroll_y):
            # force: where rows have just become more than fit, there is no scrollbar yet.
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    @property
    def room(self) -> int:
        """How many lines rows are in sight on; fewer where something else stands below them."""
        return self.size.height

    @property
    def idle_keys(self) -> frozenset[str]:
        """Ids of keys that would do nothing just now; the last line leaves them out."""
        return frozenset()

    def moved(self) -> None:
        """The cursor moved: for panes that show more of what it is on."""

    def action_move(self, by: int) -> None:
        if not self._stops:
            self.scroll_to(y=self.scroll_y + by, animate=False)
            return
        if self._read_on(by):
            return
        now = self.place()
        wanted = 0 if now is None else max(0, min(len(self._stops) - 1, now + by))
        self.go(self._stops[wanted])
        if wanted == 0:
            self.scroll_to(y=0, animate=False, immediate=True)

    def _read_on(self, by: int) -> bool:
        """Scrolls within a stop that is higher than the pane, before the cursor leaves it."""
        under, height = self._spans.get(self.at), self.size.height
        if under is None or under[1] - under[0] < height:
            return False
        top = round(self.scroll_y)
        left = under[1] - (top + height - 1) if by > 0 else top - under[0]
        if left <= 0:
            return False
        step = min(left, max(1, height - 2))
        self.scroll_to(y=top + step * by, animate=False, immediate=True)
        return True

    def action_first(self) -> None:
        if self._stops:
            self.go(self._stops[0])
        self.scroll_to(y=0, animate=False, immediate=True)

    def action_last(self) -> None:
        if self._stops:
            self.go(self._stops[-1])
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)

    def action_page(self, by: int) -> None:
        height = max(1, self.size.height - 1)
        if not self._stops:
            self.scroll_to(y=self.scroll_y + by * height, animate=False)
            return
        now = self.place() or 0
        here = self._spans[self._stops[now]][0]
        wanted = here + by * height
        ahead = range(now, len(self._stops)) if by > 0 else range(now, -1, -1)
        target = now
        for index in ahead:
            target = index
            if (self._spans[self._stops[index]][0] - wanted) * by >= 0:
                break
        self.go(self._stops[target])

    def action_aside(self, by: int) -> None:
        self.aside = max(0, self.aside + by)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index = y + round(self.scroll_y)
        width = self.size.width
        if index >= len(self.rows):
            return Strip.blank(width, Style.null())
        line = self.rows[index]
        under = self.bold_under_cursor and self.has_focus and line.stop is not None
        under = under and line.stop == self.at
        return paint.strip(line, width, under_cursor=under, start=self.aside)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_resize(self) -> None:
        self.refill()

    def refill(self) -> None:
        """Lays the rows out again for the present width; panes that fold text do it here."""

    def say(self, *sentences: Safe) -> None:
        """Shows sentences instead of rows: what would be here and how to get it."""
        width = max(20, self.size.width - 2)
        rows = [
            paint.row(Safe(" "), (line, "faint"))
            for sentence in sentences
            for line in paint.fold(sentence, width)
        ]
        if list(self.rows) != rows:
            self.show_rows(rows)


class Drawn(Lines):
    """Rows that their screen draws: again for another width, and when the cursor moved.

    draw: draws them, as a rule with the pointer before the one under the cursor.
    """

    def __init__(self, draw: Callable[[], None], *, id: str) -> None:
        super().__init__(id=id)
        self._draw_rows = draw

    def moved(self) -> None:
        self._draw_rows()

    def refill(self) -> None:
        self._draw_rows()


def pointer(here: bool) -> Safe:
    """What stands before a row: the one under the cursor has it."""
    return Safe("> " if here else "  ")


def _spans(rows: Sequence[Row], start: int = 0) -> dict[object, tuple[int, int]]:
    """Each stop with the first and the last of its rows, which are counted from `start`."""
    found: dict[object, tuple[int, int]] = {}
    for y, line in enumerate(rows, start):
        stop = line.stop
        if stop is not None:
            span = found.get(stop)
            found[stop] = (span[0] if span else y, y)
    return found
