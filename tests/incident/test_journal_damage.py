"""Reading a journal that is not as it was written: torn, changed, foreign, or still growing."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit import paths
from cockpit.incident.events import NoteAdded, Record, Recovered, Unreadable
from cockpit.incident.journal import Follower, History, Journal, follow, read, verify
from cockpit.incident.records import digest, seal, unseal

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(paths, "VAR_TMP", tmp_path / "var-tmp")
    return tmp_path / "home" / "incidents"


@pytest.fixture
def folder(root: Path) -> Path:
    """An incident with five notes, closed."""
    journal = Journal.create(root, slug="x", who="anna")
    for number in range(5):
        journal.append(NoteAdded(text=f"note {number}"))
    assert journal.close() == 0
    return journal.folder


def texts(history: History) -> list[str]:
    return [r.event.text for r in history.records if isinstance(r.event, NoteAdded)]


def rewrite(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    file = folder / "journal.jsonl"
    lines = change(file.read_bytes().splitlines())
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


def test_torn_at_every_byte_of_the_last_line(folder: Path) -> None:
    file = folder / "journal.jsonl"
    whole = file.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(start, len(whole)):
        file.write_bytes(whole[:cut])
        survived = cut == len(whole) - 1  # only the newline is missing
        journal = Journal.open(folder, who="bob")
        journal.append(NoteAdded(text="after"))
        assert journal.close() == 0
        history = read(folder)
        expected = [f"note {number}" for number in range(5 if survived else 4)]
        assert texts(history) == [*expected, "after"], cut
        lost = [r.event.lost for r in history.records if isinstance(r.event, Recovered)]
        assert lost == ([cut - start] if cut > start and not survived else [])
        assert history.damage == (), cut
        assert file.read_bytes().startswith(whole[:cut])  # nothing was truncated


def test_a_torn_tail_is_reported_until_it_is_fenced_off(folder: Path) -> None:
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b"\0" * 100)
    (damage,) = verify(folder)
    assert damage.line == 7
    assert "the last 100 bytes are not a whole record: torn off by a crash" in damage.what
    assert Journal.open(folder, who="bob").close() == 0
    assert verify(folder) == ()


def test_torn_twice(folder: Path) -> None:
    for fragment in (b'{"seq": 7, "i', b"{"):
        with (folder / "journal.jsonl").open("ab") as file:
            file.write(fragment)
        assert Journal.open(folder, who="bob").close() == 0
    history = read(folder)
    assert history.damage == ()
    assert len(history.records) == 8


def test_one_changed_byte_in_the_middle(folder: Path) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        lines[2] = lines[2].replace(b"note 1", b"note 9")
        return lines

    file = rewrite(folder, change)
    history = read(folder)
    assert texts(history) == ["note 0", "note 2", "note 3", "note 4"]
    (damage,) = history.damage
    offset = len(b"\n".join(file.read_bytes().splitlines()[:2])) + 1
    assert (damage.file, damage.line, damage.offset) == (file, 3, offset)
    assert "the checksum does not match" in str(damage)
    journal = Journal.open(folder, who="bob")  # and the incident goes on
    assert journal.append(NoteAdded(text="on")).seq == 7
    assert journal.close() == 0
    assert verify(folder) == (damage,)


def test_a_line_that_was_changed_with_care_breaks_the_chain(folder: Path) -> None:
    """The checksum was made anew; the next line still remembers what was there."""

    def change(lines: list[bytes]) -> list[bytes]:
        body, previous = unseal(lines[2])
        lines[2] = seal(body.replace(b"note 1", b"note 9"), previous)
        return lines

    rewrite(folder, change)
    history = read(folder)
    assert texts(history)[1] == "note 9"
    assert [(damage.line, "chain broken" in damage.what) for damage in history.damage] == [
        (4, True)
    ]


def test_a_line_taken_out_breaks_the_chain_and_the_count(folder: Path) -> None:
    rewrite(folder, lambda lines: lines[:2] + lines[3:])
    what = [damage.what for damage in verify(folder)]
    assert len(what) == 2
    assert "chain broken" in what[0]
    assert "records 3 to 3 are missing" in what[1]


def test_a_first_line_taken_out(folder: Path) -> None:
    rewrite(folder, lambda lines: lines[1:])
    what = [damage.what for damage in verify(folder)]
    assert len(what) == 2
    assert "the line that this file follows is in no file" in what[0]
    assert "records 1 to 1 are missing" in what[1]
    journal = Journal.open(folder, who="bob")
    journal.append(NoteAdded(text="on"))
    assert journal.close() == 0
    assert texts(read(folder))[-1] == "on"


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff\xfe\x00", b"{}", b"[" * 100_000, b"\r", b'{"seq": 1}', b"null"]
)
def test_garbage_in_the_middle_is_skipped_and_counted(folder: Path, garbage: bytes) -> None:
    file = rewrite(folder, lambda lines: [*lines[:3], garbage, *lines[3:]])
    history = read(folder)
    assert len(history.records) == 6
    assert [damage.line for damage in history.damage] == [4]
    assert history.damage[0].file == file


def test_a_kind_from_the_future_is_kept_as_it_stands(folder: Path) -> None:
    def add(lines: list[bytes]) -> list[bytes]:
        body, _ = unseal(lines[-1])
        future = body.replace(b'"seq": 6', b'"seq": 7').replace(b"note.added", b"ai.summoned")
        future = future.replace(b'"id": "', b'"id": "X')
        return [*lines, seal(future, digest(lines[-1]))]

    file = rewrite(folder, add)
    history = read(folder)
    assert history.damage == ()
    event = history.records[-1].event
    assert isinstance(event, Unreadable)
    assert event.name == "ai.summoned"
    assert event.text.encode() == file.read_bytes().splitlines()[-1]


def test_unknown_fields_are_kept(folder: Path) -> None:
    def add(lines: list[bytes]) -> list[bytes]:
        body, previous = unseal(lines[-1])
        return [*lines[:-1], seal(body + b', "mood": {"was": "bad"}', previous)]

    rewrite(folder, add)
    history = read(folder)
    assert history.damage == ()
    assert texts(history)[-1] == "note 4"
    assert json.loads(history.records[-1].extra) == {"mood": {"was": "bad"}}
    assert all(record.extra == "" for record in history.records[:-1])


def test_a_known_kind_with_fields_of_another_type_is_kept_as_unreadable(folder: Path) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        body, previous = unseal(lines[-1])
        return [*lines[:-1], seal(body.replace(b'"note 4"', b"[4]"), previous)]

    rewrite(folder, change)
    history = read(folder)
    event = history.records[-1].event
    assert isinstance(event, Unreadable)
    assert event.name == "note.added"
    assert history.damage == ()


def test_a_record_that_is_there_twice_counts_once(folder: Path) -> None:
    def double(lines: list[bytes]) -> list[bytes]:
        body, _ = unseal(lines[3])
        return [*lines, seal(body, digest(lines[-1]))]

    rewrite(folder, double)
    assert texts(read(folder)) == [f"note {number}" for number in range(5)]
    assert verify(folder) == ()


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(junk=st.binary(max_size=300), at=st.integers(0, 3000), replace=st.booleans())
def test_reading_never_raises(folder: Path, junk: bytes, at: int, replace: bool) -> None:
    file = folder / "journal.jsonl"
    whole = file.read_bytes()
    at %= len(whole)
    file.write_bytes(whole[:at] + junk + whole[at + (len(junk) if replace else 0) :])
    history = read(folder)
    assert len({record.id for record in history.records}) == len(history.records) <= 6
    assert bool(history.damage) == (file.read_bytes() != whole)
    Follower(folder).poll()
    file.write_bytes(whole)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=500), sealed=st.booleans())
def test_no_bytes_at_all_make_it_raise(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, sealed: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "journal.jsonl").write_bytes(seal(data, b"x" * 32) + b"\n" if sealed else data)
    assert read(folder).records == ()
    journal = Journal.open(folder, who="anna")
    journal.append(NoteAdded(text="still"))
    assert journal.close() == 0
    assert texts(read(folder)) == ["still"]


def test_a_folder_without_a_journal(tmp_path: Path) -> None:
    (damage,) = verify(tmp_path)
    assert damage.what == "there is no journal here"


def test_a_journal_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    assert verify(tmp_path)


def test_a_stray_segment_of_somebody_else_is_not_read(folder: Path, tmp_path: Path) -> None:
    """What lies in the shared temp directory is believed only when it is ours."""
    if os.getuid() != 0:
        pytest.skip("only root can make a file of somebody else")
    spare = paths.fallbacks()[1]
    spare.mkdir(mode=0o700, parents=True)
    lines = (folder / "journal.jsonl").read_bytes().splitlines()
    body, _ = unseal(lines[-1])
    planted = spare / f"{folder.name}.unknown.0002.jsonl"
    forged = body.replace(b'"seq": 6', b'"seq": 7').replace(b'"id": "', b'"id": "X')
    planted.write_bytes(seal(forged, digest(lines[-1])) + b"\n")
    assert len(read(folder).records) == 7
    os.chown(planted, 12345, 12345)
    assert len(read(folder).records) == 6


def test_a_follower_sees_each_record_once(root: Path) -> None:
    journal = Journal.create(root, slug="live", who="anna")
    assert journal.wait_saved(1, 30)
    follower = Follower(journal.folder)
    seen = follower.poll()
    for number in range(10):
        record = journal.append(NoteAdded(text=str(number)))
        assert journal.wait_saved(record.seq, 30)
        seen += follower.poll()
    assert seen == list(journal.records)
    assert follower.poll() == []
    journal.close()


def test_a_follower_waits_for_the_rest_of_a_line(folder: Path) -> None:
    file = folder / "journal.jsonl"
    whole = file.read_bytes()
    cut = len(whole) - 40
    file.write_bytes(whole[:cut])
    follower = Follower(folder)
    assert len(follower.poll()) == 5
    file.write_bytes(whole)
    assert len(follower.poll()) == 1


def test_a_follower_is_not_confused_by_a_write_that_was_taken_back(folder: Path) -> None:
    file = folder / "journal.jsonl"
    whole = file.read_bytes()
    follower = Follower(folder)
    assert len(follower.poll()) == 6
    file.write_bytes(b"".join(line + b"\n" for line in whole.splitlines()[:3]))
    assert follower.poll() == []
    journal = Journal.open(folder, who="bob")
    added = [journal.append(NoteAdded(text="instead " * 300)) for _ in range(2)]
    assert journal.close() == 0
    assert follower.poll() == added


async def test_following_live(root: Path) -> None:
    journal = Journal.create(root, slug="live", who="anna")
    seen: list[Record] = []

    async def reader() -> None:
        async for record in follow(journal.folder, every=0.02):
            seen.append(record)
            if len(seen) == 6:
                return

    reading = asyncio.create_task(reader())
    for number in range(5):
        await asyncio.sleep(0.03)
        await journal.saved_up_to(journal.append(NoteAdded(text=str(number))).seq)
    await asyncio.wait_for(reading, 30)
    assert seen == list(journal.records)
    assert journal.close() == 0


def test_a_long_incident_is_read_in_time(folder: Path) -> None:
    """20,000 records in ten seconds of CPU: an idle core takes half of one."""
    file = folder / "journal.jsonl"
    lines = file.read_bytes().splitlines()
    body, _ = unseal(lines[-1])
    for number in range(7, 20_001):
        part = body.replace(b'"seq": 6', b'"seq": %d' % number)
        part = part.replace(b'"id": "', b'"id": "%d-' % number)
        lines.append(seal(part, digest(lines[-1])))
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    began = time.process_time()
    history = read(folder)
    took = time.process_time() - began
    assert len(history.records) == 20_000
    assert history.damage == ()
    assert took < 10, took
