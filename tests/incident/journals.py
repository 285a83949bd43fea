"""Journals written by the real Journal, at times that the test says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from cockpit import clock
from cockpit.clock import Moment
from cockpit.incident import events as e
from cockpit.incident.journal import Journal

START = datetime(2026, 11, 21, 23, 50, tzinfo=UTC)
"""Shortly before midnight, so that a day ends in most of them."""


def write(
    root: Path, slug: str, told: Sequence[tuple[float, e.Event]], *, start: datetime = START
) -> Path:
    """The folder of a journal in which each event happened so many minutes after `start`."""
    with at(start):
        journal = Journal.create(root, slug=slug, who="sam")
    for minutes, event in told:
        with at(start + timedelta(minutes=minutes)):
            journal.append(event)
    assert journal.close() == 0
    return journal.folder


@contextmanager
def at(when: datetime):  # type: ignore[no-untyped-def]
    """All clocks say this."""
    moment = Moment(when, when.timestamp(), "boot")
    with (
        patch.object(clock, "now", lambda: when),
        patch.object(clock, "moment", lambda: moment),
    ):
        yield
