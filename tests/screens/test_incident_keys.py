"""Times and files as a person writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screens.incident_keys import moment, unsuitable

NEAR = datetime(2026, 11, 21, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:03", datetime(2026, 11, 21, 0, 3, tzinfo=UTC)),
        ("2026-11-20 23:58", datetime(2026, 11, 20, 23, 58, tzinfo=UTC)),
        ("2026-11-20 23:58:30", datetime(2026, 11, 20, 23, 58, 30, tzinfo=UTC)),
        ("25:00", None),
        ("soon", None),
        ("", None),
        ("2999-01-01 00:00", None),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, expected: datetime | None) -> None:
    assert moment(text, NEAR) == expected


def test_a_time_without_a_day_never_lies_ahead() -> None:
    now = datetime.now(UTC)
    later = now + timedelta(hours=2)
    found = moment(f"{later:%H:%M}", now)
    assert found is not None
    assert found <= now
    assert now - found < timedelta(days=1)


def test_a_log_is_not_written_over_something_else(tmp_path: Path) -> None:
    other, ours = tmp_path / "other.md", tmp_path / "ours.md"
    other.write_text("my thesis")
    ours.write_text("- **Incident:** 01JD")
    assert unsuitable(str(tmp_path / "new.md"), "01JD") == ""
    assert unsuitable(str(ours), "01JD") == ""
    assert "something else" in unsuitable(str(other), "01JD")
    assert "directory" in unsuitable(str(tmp_path), "01JD")
    assert "no directory" in unsuitable(str(tmp_path / "no" / "x.md"), "01JD")
    assert unsuitable("~nobody-of-that-name/x.md", "01JD") != ""
