"""The journal as its callers see it: open, append, saved, close; and what a line looks like."""

import fcntl
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from cockpit import paths
from cockpit.clock import now
from cockpit.incident.disk import ascii_slug
from cockpit.incident.events import (
    SCHEMA,
    CommandRequested,
    EscalationNoted,
    Event,
    JournalOpened,
    Known,
    NoteAdded,
    Record,
    StepRef,
    TimeCorrected,
    Unreadable,
)
from cockpit.incident.journal import Busy, Journal, list_incidents, read, verify
from cockpit.incident.records import ENVELOPE, START, body, decode, digest, seal, ulid, unseal

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(paths, "VAR_TMP", tmp_path / "var-tmp")
    return tmp_path / "home" / "incidents"


@pytest.fixture
def journal(root: Path) -> Iterator[Journal]:
    journal = Journal.create(root, slug="checkout slow", who="anna")
    yield journal
    journal.close()


def note(text: str) -> NoteAdded:
    return NoteAdded(text=text)


def test_what_was_saved_is_read_back(journal: Journal) -> None:
    written = [journal.append(note(f"line {number}")) for number in range(20)]
    assert journal.wait_saved(written[-1].seq, 30)
    history = read(journal.folder)
    assert history.damage == ()
    assert list(history.records[1:]) == written
    assert [record.seq for record in history.records] == list(range(1, 22))
    assert history.records == journal.records
    assert journal.unsaved == 0
    assert journal.trouble == ""


def test_the_first_record_says_what_this_is(journal: Journal) -> None:
    first = journal.records[0].event
    assert isinstance(first, JournalOpened)
    assert first.schema == SCHEMA
    assert first.incident == journal.incident
    assert first.salt == journal.salt
    assert len(bytes.fromhex(journal.salt)) == 16


def test_nobody_else_can_read_it(journal: Journal) -> None:
    assert journal.wait_saved(1, 30)
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((journal.folder / "journal.jsonl").stat().st_mode) == 0o600


def test_the_folder_is_named_by_time_and_slug(journal: Journal, root: Path) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d{4}-checkout-slow", journal.folder.name)
    assert journal.folder.parent == root
    assert list_incidents(root) == [journal.folder]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Zahlung läuft nicht", "zahlung-lauft-nicht"),
        ("支付失败", "incident"),
        ("", "incident"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\x00b\nc", "a-b-c"),
        ("x" * 200, "x" * 40),
    ],
)
def test_a_slug_is_ascii(text: str, slug: str) -> None:
    assert ascii_slug(text) == slug


def test_two_incidents_in_the_same_minute(root: Path) -> None:
    journals = [Journal.create(root, slug="same", who="anna") for _ in range(3)]
    assert [journal.close() for journal in journals] == [0, 0, 0]
    assert len({journal.folder for journal in journals}) == 3
    assert set(list_incidents(root)) == {journal.folder for journal in journals}


def test_newest_incident_first(root: Path) -> None:
    for name in ("2026-11-21-0312-b", "2026-11-22-0000-a", "2025-01-01-0000-z"):
        (root / name).mkdir(parents=True)
        (root / name / "journal.jsonl").touch()
    (root / "2027-01-01-0000-no-journal").mkdir()
    (root / "stray-file").touch()
    assert [path.name[:4] for path in list_incidents(root)] == ["2026", "2026", "2025"]
    assert list_incidents(root)[0].name == "2026-11-22-0000-a"
    assert list_incidents(root / "missing") == []


def test_saved_is_told_in_order_and_only_after_the_fsync(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = threading.Event()
    real = os.fsync

    def slow_fsync(fd: int) -> None:
        synced.wait(60)
        real(fd)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    journal = Journal.create(root, slug="slow", who="anna")
    told: list[int] = []
    journal.on_saved = told.append
    last = [journal.append(note(str(number))) for number in range(5)][-1]
    assert not journal.wait_saved(1, 0.1)
    assert (told, journal.saved, journal.unsaved) == ([], 0, 6)
    synced.set()
    assert journal.wait_saved(last.seq, 30)
    assert journal.close() == 0
    assert told == sorted(told)
    assert told[-1] == last.seq


def test_a_disk_that_hangs_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    real = os.fsync

    def hanging_fsync(fd: int) -> None:
        answers.wait(60)
        real(fd)

    monkeypatch.setattr(os, "fsync", hanging_fsync)
    monkeypatch.setattr("cockpit.incident.journal.HANG_SECONDS", 0.05)
    journal = Journal.create(root, slug="hang", who="anna")
    until = time.monotonic() + 30
    while not journal.trouble and time.monotonic() < until:
        assert not journal.wait_saved(1, 0.05)
    assert journal.trouble.startswith("NOT SAVED yet: the disk has not answered for")
    assert journal.close(timeout=0.1) == 1
    answers.set()
    assert journal.wait_saved(1, 30)
    assert journal.close() == 0
    assert journal.trouble == ""


async def test_awaiting_the_disk(journal: Journal) -> None:
    record = journal.append(note("before the command is sent"))
    assert await journal.saved_up_to(record.seq)
    assert read(journal.folder).records[-1] == record
    assert await journal.saved_up_to(record.seq)


async def test_awaiting_what_will_never_come_ends_with_the_journal(root: Path) -> None:
    journal = Journal.create(root, slug="x", who="anna")
    journal.close()
    assert not await journal.saved_up_to(99)


def test_a_receiver_that_fails_does_not_stop_the_saving(journal: Journal) -> None:
    def broken(seq: int) -> None:
        raise RuntimeError("the event loop is closed")

    journal.on_saved = broken
    for number in range(3):
        assert journal.wait_saved(journal.append(note(str(number))).seq, 30)


def test_nothing_is_taken_after_close(journal: Journal) -> None:
    assert journal.close() == 0
    with pytest.raises(ValueError, match="closed"):
        journal.append(note("too late"))


def test_unreadable_is_for_reading_only(journal: Journal) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        journal.append(Unreadable(name="x", text="y"))


def test_reopening_goes_on_where_it_was(journal: Journal) -> None:
    last = journal.append(note("before"))
    assert journal.close() == 0
    again = Journal.open(journal.folder, who="bob")
    assert again.records == journal.records
    assert (again.incident, again.salt, again.saved) == (journal.incident, journal.salt, last.seq)
    added = again.append(note("after"))
    assert added.seq == last.seq + 1
    assert added.who == "bob"
    assert again.after(last.seq) == [added]
    assert again.close() == 0
    assert verify(journal.folder) == ()
    assert read(journal.folder).records == (*journal.records, added)


@pytest.mark.parametrize("left", [None, b"", b'{"seq": 1, "id'])
def test_one_that_was_killed_before_its_first_record(root: Path, left: bytes | None) -> None:
    folder = root / "2026-11-21-0312-x"
    folder.mkdir(parents=True)
    if left is not None:
        (folder / "journal.jsonl").write_bytes(left)
    journal = Journal.open(folder, who="anna")
    last = journal.append(note("it goes on"))
    assert journal.close() == 0
    again = Journal.open(folder, who="anna")
    assert again.saved == last.seq
    assert (again.incident, again.salt) == (journal.incident, journal.salt)
    assert len(again.incident) == 26
    assert again.close() == 0
    assert verify(folder) == ()


def test_a_salt_that_is_lost_is_replaced_for_now(journal: Journal) -> None:
    journal.append(note("x"))
    journal.close()
    file = journal.folder / "journal.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"salt"', b'"tlas"', 1))
    again = Journal.open(journal.folder, who="anna")
    assert len(bytes.fromhex(again.salt)) == 16
    assert again.salt == again.salt != journal.salt
    assert again.close() == 0


def test_an_incident_that_is_not_there(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such incident"):
        Journal.open(root / "missing", who="anna")


def test_a_second_cockpit_is_told_so(journal: Journal) -> None:
    with pytest.raises(Busy, match="open in another cockpit"):
        Journal.open(journal.folder, who="bob")
    assert journal.close() == 0
    assert Journal.open(journal.folder, who="bob").close() == 0


def test_a_command_that_cockpit_started_does_not_keep_the_incident_locked(root: Path) -> None:
    """Even one that inherits descriptors: they are closed on exec."""
    journal = Journal.create(root, slug="x", who="anna")
    with subprocess.Popen(["sleep", "30"], close_fds=False) as child:
        assert journal.close() == 0
        Journal.open(journal.folder, who="bob").close()
        child.kill()


def test_the_lock_goes_with_the_process(root: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from cockpit.incident.journal import Journal\n"
        "journal = Journal.create(Path(sys.argv[1]), slug='x', who='anna')\n"
        "journal.wait_saved(1, 30); print(journal.folder, flush=True); signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        with pytest.raises(Busy):
            Journal.open(folder, who="bob")
        child.kill()
        child.wait()
    assert Journal.open(folder, who="bob").close() == 0


def test_a_file_system_without_locks(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems refuse flock; none can be mounted here, so flock is replaced."""
    journal.close()

    def refuse(fd: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    again = Journal.open(journal.folder, who="bob")
    assert "open this incident only once" in again.trouble
    assert again.wait_saved(again.append(note("still works")).seq, 30)
    assert again.close() == 0


def test_what_is_in_a_note_cannot_steer_a_terminal(journal: Journal) -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07 \x9b2J \x7f \u202e \ud83d\ude00 é \ud800"
    record = journal.append(note(evil))
    assert journal.wait_saved(record.seq, 30)
    raw = (journal.folder / "journal.jsonl").read_bytes()
    assert set(raw) <= {10, *range(32, 127)}
    found = read(journal.folder).records[-1].event
    assert isinstance(found, NoteAdded)
    assert json.dumps(found.text) == json.dumps(evil)


def test_a_line_reads_well(journal: Journal) -> None:
    journal.append(note("the pager rang"))
    journal.close()
    line = (journal.folder / "journal.jsonl").read_text().splitlines()[1]
    fields = json.loads(line)
    assert list(fields)[:9] == [*ENVELOPE, "kind", "text"]
    assert list(fields)[-2:] == ["h", "c"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["ts"])


def test_the_chain_is_over_raw_bytes(journal: Journal) -> None:
    for number in range(3):
        journal.append(note(str(number)))
    journal.close()
    before = START
    for line in (journal.folder / "journal.jsonl").read_bytes().splitlines():
        assert unseal(line)[1] == before
        before = digest(line)


def test_no_event_overwrites_its_envelope() -> None:
    reserved = {*ENVELOPE, "kind", "h", "c"}
    for event in get_args(Known):
        names = {field.encode_name for field in msgspec.structs.fields(event)}
        assert not names & reserved, event


@pytest.mark.parametrize(
    "event",
    [
        EscalationNoted(who="bob", reason="database"),
        TimeCorrected(seq=3, at=now(), reason="clock"),
        CommandRequested(
            job="j1",
            host="prod-1",
            command="docker ps",
            risk="read",
            gate="open",
            root="/tmp",
            boot="other-boot",
            step=StepRef(runbook="a.md", step="2"),
        ),
    ],
)
def test_every_field_survives(event: Event) -> None:
    moment = now()
    record = Record(
        seq=9, id=ulid(moment), ts=moment, mono=1.25, boot="b", writer="w", who="anna", event=event
    )
    assert decode(seal(body(record), START)) == record


def test_ids_sort_by_time() -> None:
    early = ulid(now().replace(year=2001))
    late = ulid(now())
    assert len(early) == 26
    assert early < late


def test_short_writes_are_finished(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may take less than it was given."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    journal = Journal.create(root, slug="x", who="anna")
    for number in range(5):
        journal.append(note(f"note {number} " + "x" * 100))
    assert journal.close() == 0
    assert verify(journal.folder) == ()
    assert len(read(journal.folder).records) == 6


def test_a_clock_that_jumps_back_does_not_change_the_order(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(note("first"))
    monkeypatch.setattr("cockpit.clock.now", lambda: now().replace(year=2001))
    journal.append(note("second"))
    monkeypatch.undo()
    assert journal.close() == 0
    records = read(journal.folder).records
    assert [record.ts.year == 2001 for record in records] == [False, False, True]
    assert [record.seq for record in records] == [1, 2, 3]
    assert records[2].mono >= records[1].mono
