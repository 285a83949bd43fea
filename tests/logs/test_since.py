"""Times as they are typed at night."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.logs.since import since

NOW = datetime(2026, 11, 22, 3, 14, 5, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("15m", "2026-11-22 02:59:05"),
        ("2h", "2026-11-22 01:14:05"),
        ("1h30m", "2026-11-22 01:44:05"),
        ("1 h 30 min", "2026-11-22 01:44:05"),
        ("90s ago", "2026-11-22 03:12:35"),
        ("-5m", "2026-11-22 03:09:05"),
        ("2 days", "2026-11-20 03:14:05"),
        ("03:00", "2026-11-22 03:00:00"),
        ("3:00:07", "2026-11-22 03:00:07"),
        ("since 03:00", "2026-11-22 03:00:00"),
        ("22:10", "2026-11-21 22:10:00"),
        ("yesterday 22:10", "2026-11-21 22:10:00"),
        ("Yesterday", "2026-11-21 00:00:00"),
        ("today", "2026-11-22 00:00:00"),
        ("2026-11-20 07:30", "2026-11-20 07:30:00"),
        ("2026-11-20T07:30:15Z", "2026-11-20 07:30:15"),
        ("2026-11-20", "2026-11-20 00:00:00"),
    ],
)
def test_a_time_as_it_is_typed(words: str, meant: str) -> None:
    assert since(words, NOW) == datetime.fromisoformat(f"{meant}+00:00")


def test_a_time_of_day_is_meant_on_the_clock_that_is_shown() -> None:
    assert since("03:00", NOW, BERLIN) == datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    assert since("03:00 UTC", NOW, BERLIN) == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert since("04:30", NOW, BERLIN) == datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
    assert since("15m", NOW, BERLIN) == since("15m", NOW)


@pytest.mark.parametrize(
    "words",
    ["", "soon", "25:00", "12:61", "2026-13-01", "15", "03:00 and then", "m", "9" * 30 + "d"],
)
def test_what_is_no_time_is_told_with_what_to_type(words: str) -> None:
    with pytest.raises(ValueError, match="Such as: 15m"):
        since(words, NOW)


def test_a_time_to_come_is_told_apart() -> None:
    with pytest.raises(ValueError, match="yet to come"):
        since("2026-11-23", NOW)
    with pytest.raises(ValueError, match="yet to come"):
        since("today 04:00", NOW)


@given(st.text(alphabet="0123456789:-smhdwTZ agoyestrdu", max_size=24))
def test_whatever_is_typed_is_a_time_in_the_past_or_refused(words: str) -> None:
    try:
        found = since(words, NOW, BERLIN)
    except ValueError:
        return
    assert found <= NOW
