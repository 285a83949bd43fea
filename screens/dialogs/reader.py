"""Text on the full screen: the whole output of a command, a timeline entry, the help."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from cockpit.text import Safe, clean_line
from screens import paint
from screens.lines import Lines
from screens.paint import Part, Row

REFRESH = 0.5
# What `incident.output.excerpt` puts in place of the middle of a very long output.
_LEFT_OUT = re.compile(r"^\[\.\.\. \d+ bytes left out \.\.\.\]$", re.MULTILINE)


class _Text(Lines):
    """Folded lines, none of which is a stop. Folding is done beside the loop."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "page(1)", "Page down", id="reader.page", show=False,
                tooltip="Page down"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__(id="text")
        self.whole = Safe("")
        self._width = 0
        self._last_rows = 0
        self._laying = asyncio.Lock()

    async def show(self, whole: Safe | None = None) -> None:
        """Shows this text, else the present one again; where it only grew, the rows there stay."""
        async with self._laying:
            if whole is None:
                whole = self.whole
            width = max(20, self.size.width - 1)
            if (whole, width) == (self.whole, self._width):
                return
            at_end = self.scroll_y >= self.max_scroll_y
            grew = bool(self.whole) and whole != self.whole
            done = self.whole.rfind("\n") + 1 if width == self._width else 0
            same, rows, last = await asyncio.to_thread(_laid, self.whole, done, whole, width)
            self.whole, self._width = whole, width
            if same:
                del self.rows[len(self.rows) - self._last_rows :]
                self.append_rows(rows)
            else:
                self.show_rows(rows)
            self._last_rows = last
            if grew and at_end:
                self.scroll_to(y=len(self.rows), animate=False, immediate=True)

    def refill(self) -> None:
        if self.whole:
            self.run_worker(self.show(), exit_on_error=False)


class Reader(Screen[None]):
    """Shows a text, from `source` again and again while it may grow.

    source: called in a thread. file: where all of it is kept, for a text without its middle.
    stands: how the command stands that prints it, shown under the title.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,o,enter", "leave", "back", id="reader.leave", tooltip="Back"),
    ]

    def __init__(
        self,
        title: Safe,
        source: Callable[[], Safe],
        *,
        grows: bool = False,
        file: str = "",
        stands: Callable[[], list[Part]] = list,
    ) -> None:
        super().__init__()
        self.head = title
        self.source = source
        self.grows = grows
        self.file = clean_line(file)
        self.stands = stands
        self._stood: list[Part] = []

    def compose(self) -> ComposeResult:
        yield Static(paint.text((self.head, "title")), markup=False, classes="bar")
        yield Static("", markup=False, id="stands")
        yield Static("", markup=False, id="left-out")
        yield _Text()
        how = "j k, space or page keys move · g G first, last · esc back"
        yield Static(paint.text((Safe(how), "faint")), markup=False, classes="bar")

    def on_mount(self) -> None:
        self.query_one("#left-out").display = self.query_one("#stands").display = False
        self.query_one(_Text).focus()
        self.call_after_refresh(self._keep_showing)

    @work(exit_on_error=False)
    async def _keep_showing(self) -> None:
        text = self.query_one(_Text)
        while True:
            whole, cut = await asyncio.to_thread(self._read)
            self._say_left_out(cut)
            self._say_how_it_stands()
            await text.show(whole)
            if not self.grows:
                return
            await asyncio.sleep(REFRESH)

    def _read(self) -> tuple[Safe, bool]:
        whole = self.source()
        return whole, _LEFT_OUT.search(whole) is not None

    def _say_how_it_stands(self) -> None:
        parts = self.stands()
        if parts != self._stood:
            self._stood = parts
            line = self.query_one("#stands", Static)
            line.update(paint.text((Safe(" "), ""), *parts))
            line.display = True

    def _say_left_out(self, cut: bool) -> None:
        line = self.query_one("#left-out", Static)
        if line.display != cut:
            where = f" All of it is in {self.file}" if self.file else ""
            line.update(paint.text((Safe(f" The middle is left out here.{where}"), "warn")))
            line.display = cut

    def action_leave(self) -> None:
        self.dismiss(None)


def _laid(before: Safe, done: int, whole: Safe, width: int) -> tuple[bool, list[Row], int]:
    """Rows for a text that may begin with the `done` first characters of the one before.

    Returns whether it does, the rows of what comes after them (else of all of it), and how many of
    these rows are of the last line, which may still grow.
    """
    same = done > 0 and whole.startswith(before[:done])
    lines = (whole[done:] if same else whole).split("\n")
    rows = [paint.row(part) for line in lines for part in paint.fold(Safe(line), width)]
    return same, rows, len(paint.fold(Safe(lines[-1]), width))
