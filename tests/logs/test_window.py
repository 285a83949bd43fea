"""What a window of log lines holds is what a plain list would, merged by time, in little room."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.logs import block
from cockpit.logs import window as model
from cockpit.logs.line import Level, Line, Look, Stream
from cockpit.logs.view import Query, View
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


@FUZZ
@given(BATCHES, st.lists(st.tuples(st.integers(0, 2), LINES), max_size=12))
def test_older_lines_go_before_what_is_held(
    batches: list[tuple[int, list[Line]]], older: list[tuple[int, Line]]
) -> None:
    window = Window()
    for origin, lines in batches:
        later = [Line(one.at + 200 * SECOND, *one[1:]) if one.at else one for one in lines]
        window.add(origin, later)
    before = {number: window[number] for number in range(window.first, window.end)}
    end, count = window.end, len(older)
    window.prepend(sorted(older, key=lambda held: held[1].at))
    assert window.end - window.first == len(before) + count
    if before:
        assert window.end == end
    # What is held first may turn out to be the rest of an entry that began before it.
    assert {number: window[number][:2] for number in before} == {
        number: held[:2] for number, held in before.items()
    }
    counted = Counter(window[number].line.text for number in range(window.first, end))
    assert counted == Counter(
        [held.line.text for held in before.values()] + [held[1].text for held in older]
    )
    for number in range(window.first, window.end):
        assert window.entry(number)[0] >= window.first


def test_a_trace_of_which_the_beginning_is_loaded_later_is_one_entry() -> None:
    trace = [
        line(10, "Traceback (most recent call last):"),
        line(10, '  File "/app/pay.py", line 12, in pay'),
        line(10, "    charge(order)"),
        line(10, "KeyError: 'card'"),
        line(11, "INFO on"),
    ]
    for known in range(1, 5):
        window = Window()
        window.add(0, trace[known:])
        view = View(window, Query(least=Level.ERROR))
        while not view.work():
            pass
        window.prepend([(0, line(9, "INFO before")), *((0, one) for one in trace[:known])])
        assert texts(window) == ["INFO before", *(str(one.text) for one in trace)]
        assert window.entry(-1) == (-known, 3 - known)
        assert window.errors() == {0: 1}
        while not view.work():
            pass
        assert list(view.numbers) == list(range(-known, 4 - known))
        window.add(0, [line(11, "  more of that")])
        assert window.entry(window.end - 1) == (window.end - 2, window.end - 1)


def test_what_goes_on_after_its_beginning_was_loaded_stays_with_it() -> None:
    window = Window()
    window.add(0, [line(10, "  File one")])
    window.prepend([(0, line(9.5, "Traceback (most recent call last):"))])
    window.add(0, [line(10, "  File two")])
    window.add(1, [line(9.7, "of another log")])
    assert window.entry(0) == (-1, 1)
    assert texts(window)[-1] == "of another log"


def test_lines_that_are_loaded_late_go_where_their_time_says() -> None:
    window = Window()
    window.add(0, [line(10, "ten"), line(30, "thirty")])
    window.add(1, [line(20, "twenty"), line(40, "forty")])
    assert window.add(1, [line(15, "fifteen"), line(35, "thirty-five")], late=True) == 1
    assert texts(window) == ["ten", "fifteen", "twenty", "thirty", "thirty-five", "forty"]
    # What comes next in that log still belongs where it was.
    window.add(1, [line(41, "forty-one")])
    assert texts(window)[-1] == "forty-one"


def test_a_clock_that_is_set_back_does_not_hide_the_newest_lines() -> None:
    window = Window()
    window.add(0, [line(3600, "before")])
    assert window.add(0, [line(10, "after the clock was set back")]) == 1
    assert texts(window) == ["before", "after the clock was set back"]


def test_lines_without_any_time_come_last() -> None:
    window = Window()
    window.add(0, [line(0, "a file")])
    window.add(1, [line(50, "a container")])
    window.add(0, [line(0, "the file again")])
    assert texts(window) == ["a file", "a container", "the file again"]


def test_the_oldest_go_when_there_is_too_much() -> None:
    window = Window(1 << 20)
    for start in range(0, 30_000, 500):
        window.add(0, [line(start + n, f"ERROR {start + n} {'x' * 90}") for n in range(500)])
        held = sum(len(window[n].line.text) + 1 for n in (window.first, window.end - 1))
        assert (window.end - window.first) * held / 2 < (1 << 20) + block.MOST_BYTES + 50_000
    assert window.end == 30_000
    assert window.end - window.first > 8000
    assert [window[n].line.at // SECOND for n in (window.first, window.end - 1)] == [
        window.first,
        29_999,
    ]
    # Of what went nothing is counted any more.
    assert sum(window.errors().values()) in range(
        window.end - window.first - 1, window.end - window.first + 1
    )
    assert min(window.errors()) == window.first // 60


def test_what_was_asked_for_stays_though_there_is_much() -> None:
    window = Window(1 << 20)
    window.add(0, [line(100_000 + n, "y" * 100) for n in range(12_000)])
    first = window.first
    older = [(0, line(n, "z" * 100)) for n in range(5000)]
    window.prepend(older, room=600_000)
    assert window.first == first - 5000
    window.add(0, [line(200_000, "new")])
    assert window.first <= first - 4000


def test_a_window_that_is_begun_anew_keeps_nothing() -> None:
    window = Window()
    window.add(0, [line(100, "Traceback (most recent call last):")])
    changes = window.changes
    window.clear()
    assert window.first == window.end
    assert window.changes > changes
    assert window.lowest_since(changes) is None
    assert window.errors() == {}
    window.add(0, [line(1, "  not of that trace")])
    assert window[window.first].head
    assert window[window.first].level == Level.NONE


def test_colours_and_streams_are_kept_however_lines_move() -> None:
    looks = (Look(0, 3, "red"),)
    window = Window()
    window.add(0, [Line(10 * SECOND, Stream.STDERR, Safe("red"), looks), line(30, "c")])
    window.add(1, [line(20, "b"), line(0, "  b too")])
    window.add(1, [line(5, "a")], late=True)
    held = [window[number].line for number in range(window.first, window.end)]
    assert [one.text for one in held] == ["a", "red", "b", "  b too", "c"]
    assert held[1] == Line(10 * SECOND, Stream.STDERR, Safe("red"), looks)
    assert not held[0].looks


def test_a_gap_has_no_level_and_is_no_part_of_a_trace() -> None:
    window = Window()
    window.add(
        0,
        [
            line(1, "ERROR x"),
            line(1, "  8 lines not shown, 3 of them errors: ERROR", Stream.GAP),
        ],
    )
    assert [(window[n].head, window[n].level) for n in (0, 1)] == [
        (True, Level.ERROR),
        (True, Level.NONE),
    ]


def test_lines_take_little_more_than_their_text() -> None:
    """benchmarks/log_window.py has a million of them."""
    import tracemalloc

    lines = [line(n, f"{n:09} {'x' * 90}") for n in range(2000)]
    tracemalloc.start()
    window = Window(1 << 30)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(10):
        window.add(0, lines)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert window.end == 20_000
    assert grown < 1.6 * 100 * 20_000
