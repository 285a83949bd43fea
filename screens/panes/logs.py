"""The log tail of one container: follow, search, filter, wrap, times."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from cockpit.text import Safe
from screens import paint
from screens.lines import Lines
from screens.paint import Part, Row

if TYPE_CHECKING:
    from cockpit.logs.line import Line

KEPT = 20_000
# The oldest lines go this many at a time: dropping costs by what stays.
DROPPED = 2_000

# Many services write the time themselves; twice is once too often on a narrow screen.
_STAMPED = re.compile(r"\W?\d{4}[-/]\d\d[-/]\d\d|\W?\d\d:\d\d:\d\d")
_LOOKS = {"stdout": "", "stderr": "warn", "gap": "bad"}


class LogsPane(Lines):
    """Lines as they come; the cursor rests at the end while it follows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", id="log.follow", tooltip="Follow the end"),
        Binding("slash", "screen.search", "search", id="log.search", tooltip="Search"),
        Binding("n", "found(1)", "next", id="log.next", tooltip="Next match", show=False),
        Binding("N", "found(-1)", "before", id="log.before", tooltip="Match before", show=False),
        Binding("ampersand", "screen.only_matching", "only", id="log.only",
                tooltip="Only matching lines"),
        Binding("w", "wrap", "wrap", id="log.wrap", tooltip="Wrap long lines"),
        Binding("t", "times", "times", id="log.times", tooltip="Show times"),
        Binding("m", "screen.mark_line", "to timeline", id="log.mark",
                tooltip="Put this line on the timeline"),
    ]  # fmt: skip

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.of = Safe("")
        self.following = True
        self.wrapping = False
        self.timed = True
        self.wanted = Safe("")
        self.only = Safe("")
        self.missing = Safe("No container chosen. enter on one in the containers pane.")
        self.rate = 0.0
        self.said = Safe("")
        self._titled = Safe("")
        self._lines: list[Line] = []
        self._first = 0

    def on_mount(self) -> None:
        self.refill()

    def start(self, of: Safe) -> None:
        """Begins the log of another container."""
        self.of = of
        self._lines, self._first = [], 0
        self.following = True
        self.at = None
        self.missing = Safe("No log lines yet.")
        self.refill()

    def add(self, lines: Sequence[Line], rate: float = 0.0) -> None:
        """More lines, a batch at a time; the oldest go when there are too many."""
        self.rate = rate
        if not lines:
            return
        start = self._first + len(self._lines)
        self._lines += lines
        fresh = [row for index, line in enumerate(lines, start) for row in self._laid(index, line)]
        if self._stops:
            self.append_rows(fresh)
        elif fresh:
            self.show_rows(fresh)
        else:
            self.refill()
        if len(self._lines) >= KEPT + DROPPED:
            self._drop(len(self._lines) - KEPT)
        self._after()

    def _drop(self, count: int) -> None:
        del self._lines[:count]
        self._first += count
        stays = bisect_left(self._stops, self._first, key=lambda stop: int(str(stop)))
        if stays == len(self._stops):
            self.refill()
        else:
            self.drop_rows(self._spans[self._stops[stays]][0])

    def note(self, words: Safe) -> None:
        """Why nothing new comes and what to do; empty while it follows."""
        if words and not self._lines and words != self.missing:
            self.missing = words
            self.refill()
        if words != self.said:
            self.said = words
            self._title()

    def line(self) -> Line | None:
        """The log line under the cursor."""
        if not isinstance(self.at, int) or not 0 <= self.at - self._first < len(self._lines):
            return None
        return self._lines[self.at - self._first]

    def recent(self, count: int) -> list[Safe]:
        """The newest lines."""
        return [line.text for line in self._lines[-count:]]

    def search(self, words: Safe) -> None:
        """Marks these words, and goes to the match before the cursor."""
        self.wanted = words
        self.refill()
        if words:
            self.action_found(-1)

    def show_only(self, words: Safe) -> None:
        """Only the lines with these words; empty shows all."""
        self.only = words
        self.refill()

    def moved(self) -> None:
        stops = self._stops
        self.following = bool(stops) and self.at == stops[-1]
        self._title()

    def action_follow(self) -> None:
        self.following = not self.following
        self._after()

    def action_wrap(self) -> None:
        self.wrapping = not self.wrapping
        self.aside = 0
        self.refill()

    def action_times(self) -> None:
        self.timed = not self.timed
        self.refill()

    def action_found(self, by: int) -> None:
        if not self.wanted:
            self.notify("Nothing to look for yet: / asks for words.", markup=False, timeout=3)
            return
        wanted = self.wanted.lower()
        here = self.place() or 0
        stops = self._stops
        ahead = stops[here + 1 :] if by > 0 else stops[:here][::-1]
        for stop in ahead:
            if isinstance(stop, int) and wanted in self._lines[stop - self._first].text.lower():
                self.go(stop)
                return
        self.notify("No more matches that way.", markup=False, timeout=3)

    def refill(self) -> None:
        self._title()
        rows = [
            row
            for index, line in enumerate(self._lines, self._first)
            for row in self._laid(index, line)
        ]
        if not rows:
            words = f"No line has {self.only}. & changes it." if self._lines else self.missing
            self.say(*[Safe(part) for part in words.split("\n")])
            return
        self.show_rows(rows)
        self._after()

    def _after(self) -> None:
        if self.following and self._stops:
            self.at = self._stops[-1]
            self.scroll_to(y=len(self.rows), animate=False, immediate=True)
        self._title()

    def _title(self) -> None:
        parts = ["2 Logs"]
        if self.of:
            parts.append(self.of)
            parts.append("following" if self.following else "held (f follows)")
        if self.only:
            parts.append(f"only {self.only}")
        if self.rate > 200:
            parts.append(f"{self.rate:.0f} lines/s")
        if self.said:
            parts.append(self.said)
        title = Safe(" · ".join(parts))
        if title != self._titled:
            self._titled = title
            self.border_title = paint.text(title)

    def _laid(self, index: int, line: Line) -> list[Row]:
        if self.only and self.only.lower() not in line.text.lower():
            return []
        lead: list[Part] = []
        if self.timed and line.at and not _STAMPED.match(line.text):
            at = datetime.fromtimestamp(line.at / 1e9, UTC)
            lead.append((Safe(f"{at:%H:%M:%S} "), "faint"))
        style = _LOOKS[line.stream]
        if not self.wrapping:
            return [paint.row(*lead, *self._marked(line.text, style), stop=index)]
        width = max(20, self.size.width - (9 if lead else 0))
        folded = paint.fold(line.text, width)
        rows = [paint.row(*lead, *self._marked(folded[0], style), stop=index)]
        indent = Safe(" " * (9 if lead else 0))
        return rows + [
            paint.row(indent, *self._marked(more, style), stop=index) for more in folded[1:]
        ]

    def _marked(self, text: Safe, style: str) -> list[Part]:
        if not self.wanted:
            return [(text, style)]
        pieces = re.split(f"({re.escape(self.wanted)})", text, flags=re.IGNORECASE)
        return [
            (Safe(piece), "found" if i % 2 else style) for i, piece in enumerate(pieces) if piece
        ]
