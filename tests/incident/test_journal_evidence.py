"""What stands beside the journal: evidence as it came, and the markdown that is always whole."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from cockpit.incident.evidence import Evidence
from cockpit.incident.journal import Journal
from cockpit.incident.markdown_file import sweep, write_markdown


def test_evidence_keeps_bytes_as_they_came(tmp_path: Path) -> None:
    with Evidence.create(tmp_path, "docker logs kamiyo") as evidence:
        evidence.append(b"\xff\x1b[2J")
        evidence.append(b"more\n")
        assert evidence.size == 10
    assert evidence.name == "evidence/0001-docker-logs-kamiyo.txt"
    assert (tmp_path / evidence.name).read_bytes() == b"\xff\x1b[2Jmore\n"
    assert stat.S_IMODE(evidence.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(evidence.path.parent.stat().st_mode) == 0o700


def test_evidence_goes_on_after_a_crash_at_its_size(tmp_path: Path) -> None:
    with Evidence.create(tmp_path, "job") as evidence:
        evidence.append(b"12345")
    with Evidence.reopen(tmp_path, evidence.name) as again:
        assert again.size == 5
        again.append(b"678")
    assert evidence.path.read_bytes() == b"12345678"


@pytest.mark.parametrize(
    "title", ["../../../etc/passwd", "/etc/passwd", "a\x00b", "", "...", "ü" * 500, "支付", "a\nb"]
)
def test_a_title_cannot_lead_elsewhere(tmp_path: Path, title: str) -> None:
    with Evidence.create(tmp_path, title) as evidence:
        evidence.append(b"x")
    assert evidence.path.resolve().parent == (tmp_path / "evidence").resolve()
    assert evidence.path.name.isascii()
    assert len(evidence.path.name) < 80
    with Evidence.reopen(tmp_path, evidence.name) as again:
        assert again.size == 1


@pytest.mark.parametrize(
    "name",
    ["evidence/../journal.jsonl", "/etc/passwd", "journal.jsonl", "evidence/", "evidence/.x"],
)
def test_a_name_from_a_journal_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(ValueError, match="not the name of evidence"):
        Evidence.reopen(tmp_path, name)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "victim").touch()
    (tmp_path / "evidence" / "0001-x.txt").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        Evidence.reopen(tmp_path, "evidence/0001-x.txt")


def test_numbers_go_up_and_are_never_shared(tmp_path: Path) -> None:
    made: list[str] = []

    def make() -> None:
        for _ in range(10):
            with Evidence.create(tmp_path, "same") as evidence:
                made.append(evidence.name)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 40


def test_markdown_is_replaced_whole(tmp_path: Path) -> None:
    assert write_markdown(tmp_path, "one é \ud800") == ""
    assert (tmp_path / "incident.md").read_bytes() == "one é \\ud800".encode()
    assert write_markdown(tmp_path, "two\r\n") == ""
    assert (tmp_path / "incident.md").read_bytes() == b"two\r\n"
    assert stat.S_IMODE((tmp_path / "incident.md").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["incident.md"]


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    texts = {"a" * 200_000, "b" * 200_000}
    write_markdown(tmp_path, "a" * 200_000)
    done = threading.Event()
    seen: list[str] = []

    def look() -> None:
        while not done.is_set():
            seen.append((tmp_path / "incident.md").read_text())

    reader = threading.Thread(target=look)
    reader.start()
    until = time.monotonic() + 60
    written = 0
    while written < 50 or (len(seen) < 50 and time.monotonic() < until):
        for text in texts:
            assert write_markdown(tmp_path, text) == ""
        written += 1
    done.set()
    reader.join()
    assert len(seen) >= 50
    assert set(seen) <= texts


def test_markdown_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    said = write_markdown(tmp_path / "missing", "text")
    assert "incident.md is not up to date (no such file or directory)" in said
    (tmp_path / "incident.md").mkdir()
    assert "is not up to date" in write_markdown(tmp_path, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["incident.md"]


def test_leftovers_of_a_killed_writer_go_when_the_incident_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    journal = Journal.create(tmp_path, slug="x", who="anna")
    journal.close()
    old, young = (journal.folder / f".incident.md.{name}" for name in ("old", "young"))
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    Journal.open(journal.folder, who="anna").close()
    assert (old.exists(), young.exists()) == (False, True)
    sweep(tmp_path / "missing")
