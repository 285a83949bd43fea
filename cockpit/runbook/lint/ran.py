"""Whether a runbook was ever tried, by what the journals say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.ground import Ground
from cockpit.runbook.lint.page import Page

STALE = timedelta(days=90)
_MEND = "follow it in daylight, or run cockpit runbook test on it"


def tried(page: Page, ground: Ground) -> Iterator[Finding]:
    """`never-run`, `not-run-lately`: nobody knows whether it still works."""
    if ground.last_run is None or not page.to_follow:
        return
    last = ground.last_run(page.path, page.runbook.title)
    age = (ground.now or datetime.now(UTC)) - last if last else None
    if age is None:
        yield page.find(
            page.title_line, Level.NOTE, "never-run", "it was never run with cockpit", _MEND
        )
    elif age > STALE:
        yield page.find(
            page.title_line,
            Level.NOTE,
            "not-run-lately",
            f"it was last run {age.days} days ago",
            _MEND,
        )
