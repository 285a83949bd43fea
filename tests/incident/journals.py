"""Journals written by the real Journal, at times that the test says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from msgspec.structs import replace

from cockpit import clock
from cockpit.clock import Moment
from cockpit.incident import events as e
from cockpit.incident.journal import Journal

START = datetime(2026, 11, 21, 23, 50, tzinfo=UTC)
"""Shortly before midnight, so that a day ends in most of them."""


STEP = e.StepRef("/books/01.md", "recovery/restart")
CHECK = e.StepRef("/books/01.md", "verification/health")
SECRET = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
"""Of the shape of a real one, and none."""


def asked(job: str, command: str, **more: object) -> e.CommandRequested:
    usual = e.CommandRequested(
        job=job, host="prod-1", command=command, root="/r", boot="b", risk="read",
        gate="not asked", phase="diagnosis", evidence=f"evidence/{job}.txt",
    )  # fmt: skip
    return replace(usual, **more)


def ended(job: str, status: int, tail: str = "") -> e.CommandFinished:
    return e.CommandFinished(
        job=job, exit_status=status, how="done", seconds=2.5, size=len(tail), tail=tail
    )


NIGHT: list[tuple[float, e.Event]] = [
    (0, e.IncidentStarted()),
    (0, e.HostChosen(host="prod-1")),
    (0, e.RunbookOpened(path=STEP.runbook, title="Database Connection Loss", sha256="0")),
    (1, e.IncidentDeclared(title="Payments fail", severity=e.Severity.P1, service="kamiyo")),
    (3, e.IncidentAcknowledged()),
    (4, e.NoteAdded(text="detected: a customer called; no alert came")),
    (5, e.SeverityChanged(severity=e.Severity.P0, reason="nobody can pay")),
    (6, asked("j1", "docker compose ps")),
    (6.1, e.CommandClaimed(job="j1")),
    (6.2, ended("j1", 0, "kamiyo | restarting")),
    (8, e.UpdateSent(text="We are on it.", about="acknowledged", to=("slack",))),
    (8, e.MessageQueued(message="m1", to="slack", about="acknowledged", text="We are on it.")),
    (8.1, e.MessageAttempted(message="m1", attempt=1)),
    (8.2, e.MessageFailed(message="m1", why="403 from the hook", final=True)),
    (9, e.EvidenceSaved(what="logs of kamiyo", file="evidence/1.txt", size=2048, host="prod-1")),
    (10, asked("j2", "docker compose restart kamiyo | cat", risk="change", gate="confirmed",
               phase="recovery", step=STEP, command_id="c1")),
    (10.1, e.CommandClaimed(job="j2")),
    (10.5, ended("j2", 1, f"no such file: kamiyo.db\nkey={SECRET}")),
    (11, e.StepFailed(step=STEP, title="Restart it", reason="comes back without its data",
                      phase="recovery")),
    (12, e.LinkChanged(host="prod-1", state="lost", reason="no answer")),
    (24, e.LinkChanged(host="prod-1", state="up", away=720.0)),
    (25, e.EscalationNoted(who="Kim", level=2, how="no answer", reason="it is a P0")),
    (26, e.EscalationNoted(who="Lee", level=3, how="reached", reason="data may be lost")),
    (28, e.NoteAdded(text="trigger: the disk was swapped at 23:40")),
    (30, asked("j3", "mv data/kamiyo.db.bak data/kamiyo.db", risk="change", gate="typed",
               phase="recovery", step=e.StepRef(STEP.runbook, "recovery/restore"))),
    (30.1, e.CommandClaimed(job="j3")),
    (30.2, ended("j3", 0)),
    (31, e.NoteAdded(text="temporary: the backup of 23:00 is in place; by tomorrow @lee")),
    (31, e.NoteAdded(text="put back: writes to the old disk are off")),
    (33, e.StepDone(step=CHECK, title="Health answers", phase="verification")),
    (35, e.IncidentMitigated(note="restored from the backup")),
    (36, e.NoteAdded(text="lucky: the backup was 40 minutes old, not a day")),
    (37, e.NoteAdded(text="well: Lee knew where the backups are")),
    (38, e.NoteAdded(text="badly: two of us typed in the same directory")),
    (39, e.NoteAdded(text="runbook: says nothing of a disk that is swapped")),
    (40, e.NoteAdded(text="impact: 212 orders stayed open; none was lost")),
    (41, e.NoteAdded(text="action: test the restore each week, by 2026-12-01 @kim")),
    (50, e.IncidentResolved(cause="data directory on the disk that was swapped",
                            fix="restored the backup", follow_up="alert on a missing file @sam")),
]  # fmt: skip
"""A P0 with all that can happen, in minutes after its start."""


def write(
    root: Path, slug: str, told: Sequence[tuple[float, e.Event]], *, start: datetime = START
) -> Path:
    """The folder of a journal in which each event happened so many minutes after `start`.

    Its file is as old as its last event, whatever this machine's clock says.
    """
    with at(start):
        journal = Journal.create(root, slug=slug, who="sam")
    for minutes, event in told:
        with at(start + timedelta(minutes=minutes)):
            journal.append(event)
    assert journal.close() == 0
    last = (start + timedelta(minutes=max((minutes for minutes, _ in told), default=0))).timestamp()
    os.utime(journal.folder / "journal.jsonl", (last, last))
    return journal.folder


@contextmanager
def at(when: datetime) -> Iterator[None]:
    """All clocks say this."""
    moment = Moment(when, when.timestamp(), "boot")
    with (
        patch.object(clock, "now", lambda: when),
        patch.object(clock, "moment", lambda: moment),
    ):
        yield
