"""What a window of log lines holds is what a plain list would, merged by time, in little room."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.logs import block
from cockpit.logs import window as model
from cockpit.logs.line import Level, Line, Stream
from cockpit.logs.window import Window
from cockpit.text import Safe

SECOND = 10**9
MINUTE = 60 * SECOND
FUZZ = settings(max_examples=150, deadline=None)


def line(at: float, text: str, stream: Stream = Stream.STDOUT) -> Line:
    return Line(int(at * SECOND), stream, Safe(text))


def texts(window: Window) -> list[str]:
    return [str(window[number].line.text) for number in range(window.first, window.end)]


@dataclass
class Row:
    origin: int
    line: Line
    key: int
    level: Level
    head: bool


@dataclass
class Plain:
    """The same by a plain list: what is said of a window, written down as simply as it goes."""

    rows: list[Row] = field(default_factory=list)
    keys: dict[int, int] = field(default_factory=dict)
    timed: set[int] = field(default_factory=set)
    ends: dict[int, int] = field(default_factory=dict)

    def add(self, origin: int, lines: list[Line]) -> None:
        for one in lines:
            mine = [index for index, row in enumerate(self.rows) if row.origin == origin]
            soon = mine and (not one.at or one.at - self.ends.get(origin, 0) < SECOND)
            if one.text.startswith("  ") and soon:
                before = self.rows[mine[-1]]
                self.rows.insert(
                    mine[-1] + 1, Row(origin, one, before.key, before.level, head=False)
                )
            else:
                key = max(one.at, self.keys.get(origin, 0))
                if not one.at and origin not in self.timed:
                    key = max(key, self.rows[-1].key if self.rows else 0)
                self.keys[origin] = key
                place = sum(row.key <= key for row in self.rows)
                level = Level.ERROR if "ERROR" in one.text else Level.NONE
                self.rows.insert(place, Row(origin, one, key, level, head=True))
            if one.at:
                self.timed.add(origin)
                self.ends[origin] = one.at

    def errors(self) -> dict[int, int]:
        heads = [row for row in self.rows if row.head and row.level == Level.ERROR and row.key]
        return dict(Counter(row.key // MINUTE for row in heads))


LINES = st.builds(
    line,
    st.sampled_from([0, 0.25, 0.5, 1, 2, 3, 30, 61, 100, 150, 190]),
    st.sampled_from(["one", "two", "ERROR three", "  more", "  and more", "Straße 🙂", ""]),
    st.sampled_from([Stream.STDOUT, Stream.STDERR]),
)
BATCHES = st.lists(st.tuples(st.integers(0, 2), st.lists(LINES, max_size=6)), max_size=12)


def same(window: Window, plain: Plain) -> None:
    held = [window[number] for number in range(window.first, window.end)]
    assert [(one.origin, one.line, one.level, one.head) for one in held] == [
        (row.origin, row.line, row.level, row.head) for row in plain.rows
    ]
    assert window.errors() == plain.errors()


def check_merge(batches: list[tuple[int, list[Line]]], small: int) -> None:
    window, plain = Window(), Plain()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block, "MOST_LINES", small)
        patch.setattr(model, "MOST_LINES", small)
        for origin, lines in batches:
            before = [window[number] for number in range(window.first, window.end)]
            changes = window.changes
            lowest = window.add(origin, lines)
            plain.add(origin, lines)
            same(window, plain)
            after = [window[number] for number in range(window.first, window.end)]
            assert after[: lowest - window.first] == before[: lowest - window.first]
            assert window.lowest_since(changes) == (lowest if lines else window.end)
            for number in range(window.first, window.end):
                first, last = window.entry(number)
                assert first <= number <= last
                assert window[first].head
                assert not any(window[more].head for more in range(first + 1, last + 1))
        for at in (0, 1, SECOND, MINUTE, 2 * MINUTE):
            sooner = sum(row.key < at for row in plain.rows)
            assert window.near(at) == window.first + sooner


@FUZZ
@given(BATCHES, st.sampled_from([2, 3, 1024]))
def test_logs_are_merged_as_a_plain_list_would_have_them(
    batches: list[tuple[int, list[Line]]], small: int
) -> None:
    check_merge(batches, small)
