"""When a log is too fast, and what of it is left: the newest, and a true count of the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cockpit.logs.flood import BURST, RATE, SHOWN, Block, Flood, Pace, not_shown

SECOND = 10**9


def block(lines: list[bytes]) -> Block:
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line)
    return Block(b"".join(lines), starts)


def seconds_until_fast(pace: Pace, rate: int, most: int) -> int | None:
    """rate: lines a second, told ten times in each."""
    for tenth in range(most * 10):
        if pace.fast(rate // 10, (tenth + 1) * SECOND // 10, tenth / 10):
            return tenth // 10
    return None


def test_a_log_is_too_fast_where_it_stays_above_the_rate() -> None:
    assert seconds_until_fast(Pace(), RATE, 600) is None
    assert seconds_until_fast(Pace(), 5 * RATE, 10) == 1
    assert seconds_until_fast(Pace(), RATE + 100, 600) in range(90, 130)


def test_a_burst_is_let_through_and_calm_is_noticed() -> None:
    pace = Pace()
    assert not pace.fast(BURST, SECOND, 1.0)
    assert pace.fast(3 * RATE, SECOND + 1, 1.0)
    assert pace.fast(1, SECOND + SECOND // 2, 1.5)
    assert not pace.fast(100, 3 * SECOND, 3.0)


def test_what_comes_late_all_at_once_is_judged_by_when_it_was_written() -> None:
    """A minute at 1,000 lines a second, after a cut, within a tenth of a second."""
    pace = Pace()
    assert not any(pace.fast(1000, at * SECOND, 5.0 + at / 600) for at in range(1, 61))
    without = Pace()
    assert any(without.fast(1000, 0, 5.0 + at / 600) for at in range(1, 61))


@given(st.lists(st.lists(st.sampled_from([b"INFO a\n", b"ERROR b\n"]), max_size=400), max_size=12))
def test_the_newest_lines_are_held_and_the_others_counted(blocks: list[list[bytes]]) -> None:
    flood = Flood()
    for lines in blocks:
        if lines:
            flood.hold(block(lines))
    every = [line for lines in blocks for line in lines]
    assert bool(flood) == bool(every)
    if not every:
        return
    newest, skipped, errors = flood.look()
    got = [
        data[start:end]
        for data, starts in newest
        for start, end in zip(starts, [*starts, len(data)][1:], strict=True)
    ]
    left_out = every[: len(every) - len(got)]
    assert got == every[-SHOWN:]
    assert skipped == len(left_out)
    assert errors == left_out.count(b"ERROR b\n")
    assert not flood


def test_a_line_counts_as_an_error_once_and_only_where_it_says_so() -> None:
    flood = Flood()
    lines = [b"ERROR: FATAL\n", b'{"level":"error"}\n', b"0 errors\n", b"GET /ERROR\n"]
    flood.hold(block(lines))
    flood.hold(block([b"INFO\n"] * SHOWN))
    assert flood.look()[1:] == (4, 2)


def test_what_is_told_of_it() -> None:
    assert not_shown(8412, 31) == ("… 8,412 lines not shown, 31 of them errors: they came too fast")
    assert not_shown(1, 0) == "… 1 line not shown: it came too fast"
