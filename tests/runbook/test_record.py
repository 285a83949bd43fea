"""What the journals say of a runbook, from journals as they are really written."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cockpit.incident import events as e
from cockpit.incident.journal import History, read
from cockpit.incident.records import START, body, digest, seal, ulid
from cockpit.runbook import record
from cockpit.runbook.record import Record, records

BOOK = "/books/db.md"
BEGAN = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    return tmp_path


def incident(
    home: Path, *events: e.Event, day: int = 3, name: str = "", minutes: float = 1
) -> Path:
    """A journal with these events, one a minute; its file is as old as they are."""
    at = BEGAN.replace(day=day)
    folder = home / "incidents" / f"{at:%Y-%m-%d-%H%M}-{name or 'x'}"
    folder.mkdir(parents=True)
    opened = e.JournalOpened(schema=1, incident=ulid(at), salt="s", version="1")
    tip, lines = START, []
    for seq, event in enumerate([opened, e.IncidentStarted(), *events], 1):
        envelope = e.Record(
            seq=seq, id=ulid(at), ts=at, mono=0, boot="b", writer="w", who="sam", event=event
        )
        lines.append(seal(body(envelope), tip))
        tip = digest(lines[-1])
        at += timedelta(minutes=minutes)
    file = folder / "journal.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    os.utime(file, (at.timestamp(), at.timestamp()))
    return folder


def opened(book: str = BOOK, title: str = "Database", sha: str = "a") -> e.Event:
    return e.RunbookOpened(path=book, title=title, sha256=sha)


def ran(job: str, *, book: str = BOOK, step: str = "r/1", risk: str = "change") -> list[e.Event]:
    asked = e.CommandRequested(
        job=job,
        host="prod-1",
        command=f"docker restart {job}",
        risk=risk,
        gate="confirmed",
        root="/tmp",
        boot="b",
        step=e.StepRef(book, step),
        phase="recovery",
    )
    return [asked, e.CommandFinished(job=job, exit_status=0, how="done", seconds=1, size=0)]


def ticked(step: str = "r/1", title: str = "Option 2: Restart", phase: str = "recovery") -> e.Event:
    return e.StepDone(step=e.StepRef(BOOK, step), title=title, phase=phase)


VERIFIED = ticked("v/1", "Check the health", "verification")
RESOLVED = e.IncidentResolved(cause="a stale lock", fix="restarted kamiyo")


def test_a_runbook_that_nobody_used_has_an_empty_record(home: Path) -> None:
    incident(home, opened())  # opened, and nothing of it done
    found = records().of(Path(BOOK))
    assert found == Record()
    assert found.words == "never used"
    assert found.success_rate is None
    assert found.fixed == ""


def test_what_solved_it_and_how_long_it_took(home: Path) -> None:
    incident(home, opened(), *ran("kamiyo"), ticked(), VERIFIED, RESOLVED)
    found = records().of(Path(BOOK))
    assert (found.runs, found.solved, found.success_rate) == (1, 1, 1.0)
    assert found.median == timedelta(minutes=5)  # opened to resolved
    assert found.last_run == BEGAN + timedelta(minutes=6)
    assert found.fix == "restarted kamiyo"
    assert (found.step, found.command) == ("Option 2: Restart", "docker restart kamiyo")
    assert found.words == "used once, solved it, median 5 min, last 2026-11-03"
    assert found.fixed == "restarted kamiyo · Option 2: Restart: docker restart kamiyo"


def test_resolved_without_a_verification_is_not_solved(home: Path) -> None:
    unverified = e.IncidentResolved(cause="", fix="hoped", unverified="no time")
    incident(home, opened(), *ran("one"), ticked(), unverified)
    incident(home, opened(), *ran("two"), VERIFIED, *ran("three"), unverified, day=4)
    incident(home, opened(), *ran("four"), ticked(), VERIFIED, day=5)  # still open
    found = records().of(Path(BOOK))
    assert (found.runs, found.open, found.solved, found.success_rate) == (3, 1, 0, 0.0)
    assert found.brief == "used 3 times, 0 solved it, 1 still open"


def test_an_incident_under_way_says_nothing_of_success(home: Path) -> None:
    incident(home, opened(), *ran("one"), ticked())
    found = records().of(Path(BOOK))
    assert (found.brief, found.success_rate) == ("used once, still open", None)


def test_mitigated_ends_the_clock_and_the_median_is_of_all_runs(home: Path) -> None:
    quiet = [e.NoteAdded(text="waiting")] * 20
    incident(home, opened(), ticked(), e.IncidentMitigated(), *quiet, VERIFIED, RESOLVED)
    incident(home, opened(), ticked(), *quiet[:9], e.IncidentMitigated(), day=4)
    incident(home, opened(), ticked(), day=5)  # without an end
    found = records().of(Path(BOOK))
    assert found.runs == 3
    assert found.median == timedelta(minutes=(2 + 11) / 2)


def test_a_corrected_time_counts(home: Path) -> None:
    late = e.TimeCorrected(seq=6, at=BEGAN + timedelta(hours=1))
    incident(home, opened(), ticked(), VERIFIED, RESOLVED, late)
    assert records().of(Path(BOOK)).median == timedelta(minutes=58)


def test_only_a_change_that_was_ticked_fixed_it(home: Path) -> None:
    undone = e.StepReopened(step=e.StepRef(BOOK, "r/2"), title="Option 3", phase="recovery")
    incident(
        home,
        opened(),
        *ran("first"),
        ticked(),
        *ran("second", step="r/2"),
        ticked("r/2", "Option 3"),
        undone,
        *ran("look", step="r/1", risk="read"),
        RESOLVED,
    )
    found = records().of(Path(BOOK))
    assert (found.step, found.command) == ("Option 2: Restart", "docker restart first")


def test_the_fix_is_that_of_the_last_resolved_incident(home: Path) -> None:
    incident(home, opened(), ticked(), e.IncidentResolved(cause="", fix="new"), day=9)
    incident(home, opened(), ticked(), e.IncidentResolved(cause="", fix="old"), day=2)
    incident(home, opened(), ticked(), day=11)
    reopened = e.IncidentReopened(reason="no")
    incident(home, opened(), ticked(), RESOLVED, reopened, day=12)
    assert records().of(Path(BOOK)).fix == "new"


def test_training_is_counted_apart(home: Path) -> None:
    incident(home, opened(), ticked(), VERIFIED, RESOLVED)
    incident(home, e.IncidentStarted(training=True), opened(), ticked(), VERIFIED, RESOLVED, day=8)
    found = records().of(Path(BOOK))
    assert (found.runs, found.solved, found.trainings) == (1, 1, 1)
    assert found.last_run and found.last_run.day == 3
    assert found.last_tried and found.last_tried.day == 8


def test_a_command_that_never_started_is_no_use(home: Path) -> None:
    asked, _ = ran("kamiyo")
    never = e.CommandFinished(
        job="kamiyo", exit_status=None, how="never started", seconds=0, size=0
    )
    incident(home, opened(), asked, never)
    assert records().of(Path(BOOK)) == Record()


def test_each_runbook_of_an_incident_has_its_own_record(home: Path) -> None:
    other = "/books/other.md"
    incident(home, opened(), ticked(), opened(other), *ran("x", book=other), VERIFIED, RESOLVED)
    found = records()
    assert found.of(Path(BOOK)).runs == found.of(Path(other)).runs == 1
    assert found.of(Path(other)).command == ""


def test_a_changed_file_keeps_its_record_and_a_moved_one_is_known_by_name_and_title(
    home: Path,
) -> None:
    old = home / "old" / "db.md"
    old.parent.mkdir()
    old.write_text("# Database\n")
    step = e.StepDone(step=e.StepRef(str(old), "1"), title="Look")
    incident(home, opened(str(old), sha="a"), step)
    incident(home, opened(str(old), sha="b"), step, day=4)
    new = home / "new" / "db.md"
    assert records().of(old).runs == 2
    assert records().of(new, "Database").runs == 0  # the old one is there still
    old.unlink()
    assert records().of(new, "Database").runs == 2
    assert records().of(new, "Another").runs == 0
    linked = home / "link.md"
    linked.symlink_to(old)
    assert records().of(linked).runs == 2


def test_several_homes_are_told_as_one(home: Path) -> None:
    incident(home, opened(), ticked())
    incident(home / "tests", e.IncidentStarted(training=True), opened(), ticked(), day=9)
    found = records([home / "incidents", home / "tests" / "incidents"]).of(Path(BOOK))
    assert (found.runs, found.trainings) == (1, 1)
    assert records().of(Path(BOOK)).trainings == 0


def test_only_journals_that_changed_are_read_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = incident(home, opened(), ticked())
    second = incident(home, opened(), ticked(), day=4)
    reads: list[str] = []

    def counted(folder: Path) -> History:
        reads.append(folder.name)
        return read(folder)

    monkeypatch.setattr(record, "read", counted)
    assert records().of(Path(BOOK)).runs == 2
    assert sorted(reads) == [first.name, second.name]
    assert records().of(Path(BOOK)).runs == 2
    assert len(reads) == 2
    file = second / "journal.jsonl"
    kept = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(kept[:-1]))
    os.utime(file, (1, 1))
    assert records().of(Path(BOOK)).runs == 1
    assert reads[2:] == [second.name]
    assert (home / "cache" / "records.json").stat().st_mode & 0o777 == 0o600


def test_a_journal_that_is_being_written_is_always_read(home: Path) -> None:
    folder = incident(home, opened())
    records()
    file = folder / "journal.jsonl"
    soon = time.time() + 600  # as if it were written until then, however long the reading takes
    os.utime(file, (soon, soon))
    assert records().of(Path(BOOK)).runs == 0
    known = record._load(home / "cache" / "records.json")
    assert known[str(folder)].stamp == []


def test_what_is_written_while_a_journal_is_read_is_told_next_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow machine the reading takes longer than a file needs to count as settled."""
    incident(home, opened())
    later = incident(home / "elsewhere", opened(), ticked()) / "journal.jsonl"

    def slowly(folder: Path) -> History:
        found = read(folder)
        (folder / "journal.jsonl").write_bytes(later.read_bytes())
        time.sleep(0.2)
        return found

    monkeypatch.setattr(record, "_SETTLED", 0.1)
    monkeypatch.setattr(record, "read", slowly)
    assert records().of(Path(BOOK)).runs == 0
    monkeypatch.setattr(record, "read", read)
    assert records().of(Path(BOOK)).runs == 1


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version": 99, "known": {}}', b"\0" * 50])
def test_a_damaged_cache_only_costs_time(home: Path, damage: bytes) -> None:
    incident(home, opened(), ticked())
    records()
    (home / "cache" / "records.json").write_bytes(damage)
    assert record.remembered().of(Path(BOOK)).runs == 0
    assert records().of(Path(BOOK)).runs == 1
    assert record.remembered().of(Path(BOOK)).runs == 1


def test_where_nothing_can_be_kept_it_is_told_all_the_same(home: Path) -> None:
    incident(home, opened(), ticked())
    (home / "cache").write_text("a file where the folder should be")
    assert records().of(Path(BOOK)).runs == 1


def test_foreign_text_is_cleaned(home: Path) -> None:
    evil = e.IncidentResolved(cause="", fix="\x1b]52;c;ZXZpbA==\x07 x\nsecond")
    incident(home, opened(), ticked(), evil)
    assert records().of(Path(BOOK)).fix == "␛ x␤second"
