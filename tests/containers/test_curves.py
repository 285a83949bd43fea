"""Samples of half an hour as values for plots."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cockpit.containers.curves import SPANS, curves, span_for
from cockpit.containers.stats import Sample


def sample(at: float, cpu: float | None = 1.0, memory: int = 100, rx: int = 0) -> Sample:
    return Sample(at, cpu, memory, 1000, rx, 0, 0, 0, 1, every=5.0)


def test_the_highest_of_each_span_is_told_and_the_last_holds_now() -> None:
    found = curves([sample(1000.0, 5), sample(1005.0, 9), sample(1011.0, 3)], 3, 1012.0)
    assert found.span == 10.0
    assert found.cpu == (None, 9, 3)
    assert found.memory == (None, 100.0, 100.0)
    assert found.index(1012.0) == 2
    assert found.index(1000.0) == 1
    assert found.index(979.0) is None
    assert found.index(1020.0) is None


def test_rates_are_the_mean_of_a_span() -> None:
    found = curves(
        [sample(1000.0, rx=0), sample(1010.0, rx=1000), sample(1020.0, rx=1000)], 3, 1020
    )
    assert found.received[:2] == (100.0, 0.0)


def test_counters_that_went_back_and_gaps_tell_no_rate() -> None:
    restarted = curves([sample(1000.0, rx=5000), sample(1005.0, rx=10)], 2, 1006)
    assert restarted.received == (None, None)
    away = curves([sample(1000.0, rx=0), sample(1100.0, rx=10**9)], 20, 1101)
    assert set(away.received) == {None}


def test_what_is_sampled_seldom_has_no_holes_and_what_stopped_has() -> None:
    seldom = [Sample(1000.0 + 20 * n, 1.0, 1, 1, 0, 0, 0, 0, 1, every=20.0) for n in range(5)]
    assert None not in curves(seldom, 5, 1081.0).cpu[1:]
    assert curves(seldom, 20, 1195.0).cpu[-1] is None


def test_a_cell_stands_for_no_longer_than_it_must() -> None:
    assert span_for(38, 0) == 10
    assert span_for(38, 381) == 15
    assert span_for(38, 1e9) == 60
    assert span_for(5, 1e9) == SPANS[-1]


@given(
    st.lists(st.tuples(st.floats(0, 4000), st.integers(0, 10**12)), max_size=40),
    st.integers(1, 200),
    st.floats(0, 5000),
)
def test_every_value_has_its_place(points: list[tuple[float, int]], cells: int, now: float) -> None:
    samples = [sample(at, cpu=at, rx=count) for at, count in sorted(points)]
    found = curves(samples, cells, now)
    for values in (found.cpu, found.memory, found.received):
        assert len(values) == cells
        assert all(one is None or one >= 0 for one in values)
    assert found.index(now) == cells - 1
