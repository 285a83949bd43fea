"""Plots in block characters: their shape, their times, their mark."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cockpit.text import Safe
from screens import plot
from screens.plot import Plot

END = datetime(2026, 11, 22, 3, 12, 0, tzinfo=UTC)
values = st.lists(st.none() | st.floats(0, 1e15), min_size=1, max_size=60)


def drawn(line: tuple[tuple[Safe, str], ...]) -> str:
    return "".join(words for words, _ in line)


def cpu(known: list[float | None], top: float = 100.0, limit: bool = False) -> Plot:
    return Plot(Safe("CPU"), known, top, lambda one: f"{one:.0f}%", limit=limit)


def test_the_height_of_a_bar_is_its_share_of_the_top() -> None:
    assert plot.bars([0, 12.5, 50, 100, None], 100, 2) == ["   █ ", "▁▂██ "]


def test_what_is_known_to_be_nothing_is_not_what_is_unknown() -> None:
    assert plot.bars([0.0, None], 10, 1) == ["▁ "]


def test_the_title_says_the_newest_value_and_the_highest() -> None:
    head = drawn(plot.rows(cpu([90, 20, 30]), 2, 40, None)[0])
    assert head.startswith("CPU 30%, highest 90%")
    assert head.endswith("top 100%")


def test_a_value_that_is_old_is_not_told_as_the_present_one() -> None:
    assert "not known now" in drawn(plot.rows(cpu([90, None, None]), 2, 60, None)[0])


def test_a_mark_says_the_value_there_and_its_time() -> None:
    lines = plot.rows(cpu([90, 0, None]), 2, 30, 1)
    assert drawn(lines[0]).startswith("CPU 0%")
    assert drawn(lines[1])[1] == "│"
    assert drawn(plot.axis(END, 60, 3, 30, 1)).strip() == "▲03:10:00"
    assert drawn(plot.axis(END, 60, 30, 30, 29)).rstrip().endswith("03:11:00▲")


def test_times_below_stand_where_their_minute_begins() -> None:
    line = drawn(plot.axis(END, 60, 30, 30, None))
    for label in ("02:50", "03:00"):
        hour, minute = map(int, label.split(":"))
        begin = END.replace(hour=hour, minute=minute)
        assert line.index(f"╵{label}") == 30 - (END - begin).total_seconds() / 60


@given(values, st.floats(0, 1e15), st.integers(1, 8), st.integers(1, 80), st.booleans())
def test_every_line_has_just_its_width(
    known: list[float | None], top: float, height: int, more: int, limit: bool
) -> None:
    width = len(known) + more
    for mark in (None, 0, len(known) - 1):
        lines = plot.rows(cpu(known, top, limit), height, width, mark)
        assert len(lines) == height + 1
        assert all(cell_len(drawn(line)) == width for line in lines)
        assert cell_len(drawn(plot.axis(END, 15, len(known), width, mark))) == width


@given(st.floats(0, 1e18), st.sampled_from([10.0, 1024.0]))
def test_a_nice_top_holds_the_value_and_not_much_more(value: float, base: float) -> None:
    top = plot.nice(value, base)
    assert top >= value * (1 - 1e-9)
    assert top <= max(1.0, value * 3)
