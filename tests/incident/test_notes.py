"""A note is what it begins with, and nothing else about it changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cockpit.incident import events as e
from cockpit.incident import notes
from cockpit.incident.incident import Incident, fold
from cockpit.incident.notes import Kind, Task
from cockpit.incident.timeline import line

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def told(*events: e.Event) -> Incident:
    return fold(
        e.Record(
            seq=number, id=f"{number}", ts=START + timedelta(minutes=number), mono=0.0,
            boot="b", writer="w", who="sam", event=event,
        )
        for number, event in enumerate(events, 1)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("temporary: cache is off", Kind.TEMPORARY, "cache is off"),
        ("Temp fix : cache is off", Kind.TEMPORARY, "cache is off"),
        ("ACTION: alert on it @kim by friday", Kind.ACTION, "alert on it @kim by friday"),
        ("follow-up: alert", Kind.ACTION, "alert"),
        ("put back: the old limit", Kind.PUT_BACK, "the old limit"),
        ("runbook: step 3 names a container that is gone", Kind.RUNBOOK,
         "step 3 names a container that is gone"),
        ("lucky: a backup was minutes old", Kind.LUCKY, "a backup was minutes old"),
        ("temporary", None, "temporary"),
        ("temporary:", None, "temporary:"),
        ("temporary failure in name resolution: db", None,
         "temporary failure in name resolution: db"),
        ("it is a bad: idea", None, "it is a bad: idea"),
        ("03:12 well: fine", None, "03:12 well: fine"),
        ("", None, ""),
    ],
)  # fmt: skip
def test_a_note_counts_as_what_it_begins_with(text: str, kind: Kind | None, said: str) -> None:
    assert notes.kind(text) is kind
    assert notes.said(text) == said


def test_a_quoted_log_line_is_nobodys_note_and_the_timeline_stays_as_it_was() -> None:
    mine = e.NoteAdded(text="todo: tell finance")
    incident = told(mine, e.NoteAdded(text="TODO: remove this hack", source="logs of kamiyo"))
    assert [(note.text, note.who) for note in notes.of(incident, Kind.ACTION)] == [
        ("tell finance", "sam")
    ]
    assert line(mine, incident) == "Note: todo: tell finance"


@pytest.mark.parametrize(
    ("text", "owner", "due"),
    [
        ("alert on it", "", ""),
        ("@kim.lee: alert on it by 2026-12-01.", "kim.lee", "2026-12-01"),
        ("alert on it, due Friday @sam", "sam", "2026-11-27"),
        ("by saturday", "", "2026-11-28"),
        ("by tomorrow", "", "2026-11-22"),
        ("by hand", "", ""),
        ("mail ops@example.net by hand", "", ""),
    ],
)
def test_a_task_says_who_and_by_when_where_the_text_does(text: str, owner: str, due: str) -> None:
    assert notes.task(text, START) == Task(text, owner, due)  # type: ignore[arg-type]


def test_what_is_left_to_do_is_the_end_s_follow_up_and_the_notes() -> None:
    incident = told(
        e.NoteAdded(text="action: raise the limit @sam"),
        e.IncidentResolved(cause="c", fix="f", follow_up="alert on it @kim; ; write it down"),
    )
    assert [task.text for task in notes.tasks(incident)] == [
        "alert on it @kim", "write it down", "raise the limit @sam",
    ]  # fmt: skip
    assert [task.owner for task in notes.tasks(incident)] == ["kim", "", "sam"]
