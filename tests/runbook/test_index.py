"""Finding a runbook: what is found by what, and an index that is never in the way."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.runbook import index as module
from cockpit.runbook import query, source, store
from cockpit.runbook.gist import gist
from cockpit.runbook.index import Index, look
from tests.runbook.test_record import RESOLVED, VERIFIED, incident, opened, ran, ticked

BOOKS = {
    "db.md": """# Ledger database lost
**Severity:** P0
**Service:** ledger
## Symptoms
- the log says "OperationalError: database is locked"
- /health answers 503
## Diagnosis
```bash
docker logs --tail 50 ledger-db
```
## Recovery
### Option 1: Restart the service
```bash
docker restart ledger-db
```
""",
    "pods.md": """---
alerts: [KubePodCrashLooping]
services:
  - gateway
severity: warning
---
# Pods that restart
A pod starts, fails and starts again. Look at what it said before it went.
```bash
kubectl logs --previous gateway-0
```
""",
    "disk.md": """Volumes that fill up
====================

**Symptoms:**
- writes fail with `no space left on device`
- a note on the database

**What to do**

Free some space. The database may need a restart.
""",
    "mail.md": """# Mail is late
The queue grows. Alert: `MailQueueLength`, from the exporter.
## Recovery
Ask the relay's people.
""",
    "long.md": "# Everything else\n" + "The database and the disk and the mail, at length.\n" * 60,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    for name, text in BOOKS.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (1e9, 1e9))
    return folder


@pytest.fixture
def index(books: Path) -> Iterator[Index]:
    index = Index([books])
    index.refresh()
    with closing(index):
        yield index


def first(index: Index, text: str, *near: str) -> str:
    found = index.search(text, near, typing=True)
    return found[0].path.name if found else ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("database lost", "db.md"),
        ("databse", "db.md"),  # swapped
        ("ledgr", "db.md"),  # a letter left out
        ("locked", "db.md"),
        ("locks", "db.md"),
        ("restart the ledger", "db.md"),
        ("ledger-db", "db.md"),
        ("503", "db.md"),
        ("KubePodCrashLooping", "pods.md"),
        ("kubepodcrashlooping", "pods.md"),
        ("kube pod crash", "pods.md"),
        ("crashloop", ""),  # two words of the name written as one, and not the first
        ("KubePodNotReady", "pods.md"),
        ("pods", "pods.md"),
        ("mail queue", "mail.md"),
        ("MailQueueLength", "mail.md"),
        ("no space left on device", "disk.md"),
        ("volumes", "disk.md"),
        ("vol", "disk.md"),
        ("everything else", "long.md"),
        ("VOLUMES", "disk.md"),
        ("zzzz", ""),
    ],
)
def test_words_find_the_runbook(index: Index, text: str, name: str) -> None:
    assert first(index, text) == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (
            "2026-11-21T03:12:44.120Z ERROR [pool-3-thread-12] app.db req=7f3a9c1e2b55 "
            "(sqlite3.OperationalError) database is locked",
            "db.md",
        ),
        (
            '{"level":"error","ts":1763694764.1,"msg":"write /var/lib/x: no space left on device",'
            '"id":"0d9b1b62-3bfa-4d3c-9a51-2f6f3d1a77aa"}',
            "disk.md",
        ),
        ("Nov 21 03:12:01 prod-1 kubelet[812]: back-off restarting failed pod gateway", "pods.md"),
        ("\x1b[31mFATAL\x1b[0m mail relay refused 10.0.0.7:25\nqueue length 4711", "mail.md"),
    ],
)
def test_a_pasted_log_line_finds_the_runbook(index: Index, line: str, name: str) -> None:
    assert query.is_log(line)
    assert first(index, line) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("database is locked", 'symptom: "OperationalError: database is locked"'),
        ("ledger", 'title: "Ledger database lost"'),
        ("KubePodCrashLooping", 'alert: "KubePodCrashLooping"'),
        ("option restart", 'heading: "Option 1: Restart the service"'),
        ("previous gateway", 'command: "kubectl logs --previous gateway-0"'),
        ("relay people", 'text: "Ask the relay\'s people."'),
    ],
)
def test_it_says_why(index: Index, text: str, why: str) -> None:
    assert index.search(text)[0].why == why


def test_a_severity_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Broker down (P2)\n")
    (tmp_path / "b.md").write_text("# Broker slow\n\n**Severity:** P1\n")
    found, _ = look([tmp_path], "broker")
    assert {one.named for one in found} == {"Broker down (P2)", "P1 Broker slow"}


def test_the_title_weighs_more_than_prose_however_long(index: Index) -> None:
    found = [one.path.name for one in index.search("database")]
    assert found[0] == "db.md"
    assert set(found) == {"db.md", "disk.md", "long.md"}


def test_what_is_before_the_responder_is_lifted(index: Index) -> None:
    assert first(index, "") == "db.md"
    assert first(index, "", "gateway") == "pods.md"
    assert index.search("", ["GATEWAY"])[0].why == "for what is before you"
    assert index.search("restart", ["gateway"])[0].path.name == "pods.md"


def test_without_words_the_last_used_come_first_then_names(home: Path, books: Path) -> None:
    for day, name in ((3, "mail.md"), (9, "long.md")):
        book = str(books / name)
        incident(home, opened(book), *ran("x", book=book), day=day)
    found, _ = look([books], "")
    names = [one.path.name for one in found]
    assert names == ["long.md", "mail.md", "db.md", "disk.md", "pods.md"]


def test_past_incidents_find_the_runbook_that_was_used(home: Path, books: Path) -> None:
    book = str(books / "long.md")
    done = [opened(book, "Everything else"), *ran("x", book=book)]
    folder = incident(home, *done, VERIFIED, RESOLVED)
    found, _ = look([books], "stale lock kamiyo")
    assert found[0].path.name == "long.md"
    assert found[0].field == "past incident"
    assert found[0].record.runs == 1
    assert found[0].record.fix == "restarted kamiyo"
    (folder / "journal.jsonl").unlink()
    found, _ = look([books], "kamiyo")
    assert found == []


def test_a_good_record_lifts_a_runbook_a_little(home: Path, tmp_path: Path) -> None:
    twins = tmp_path / "twins"
    twins.mkdir()
    for name in ("a.md", "b.md"):
        (twins / name).write_text("# Broker down\nThe broker is down.\n")
    assert look([twins], "broker")[0][0].path.name == "a.md"
    book = str(twins / "b.md")
    done = [opened(book), *ran("x", book=book), ticked(), VERIFIED]
    incident(home, *done, RESOLVED)
    assert look([twins], "broker")[0][0].path.name == "b.md"


def test_files_that_change_come_and_go(index: Index, books: Path) -> None:
    (books / "new.md").write_text("# Turbine trips\n")
    assert first(index, "turbine") == ""
    index.refresh()
    assert first(index, "turbine") == "new.md"
    (books / "new.md").write_text("# Turbine sings\n")  # as long, within the same tick
    index.refresh()
    assert first(index, "sings") == "new.md"
    assert first(index, "trips") == ""
    (books / "new.md").rename(books / "moved.md")
    index.refresh()
    assert first(index, "sings") == "moved.md"
    (books / "moved.md").unlink()
    index.refresh()
    assert first(index, "sings") == ""
    assert index.count == len(BOOKS)


def test_only_what_changed_is_read_again(
    index: Index, books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(store, "put", lambda db, file: read.append(file.path.name))
    index.refresh()
    assert read == []
    os.utime(books / "db.md", (2e9, 2e9))
    index.refresh()
    assert read == ["db.md"]


def test_files_that_are_no_runbooks_are_passed_over_and_told(index: Index, books: Path) -> None:
    (books / "binary.md").write_bytes(b"# x\0\1\2")
    (books / "empty.md").write_bytes(b" \n")
    with (books / "huge.md").open("wb") as file:
        file.truncate(source.LIMIT + 1)
    (books / "latin.md").write_bytes("# Störung im Getriebe\n".encode("cp1252"))
    (books / "wide.md").write_bytes("# Wide letters\n".encode("utf-16"))
    index.refresh()
    told = ["binary.md (binary)", "empty.md (empty)", "huge.md (over 5 MB)"]
    assert sorted(index.passed) == told
    assert first(index, "storung getriebe") == "latin.md"
    assert first(index, "wide letters") == "wide.md"
    assert index.count == len(BOOKS) + 2
    (books / "empty.md").write_text("# Not empty any more\n")
    index.refresh()
    assert first(index, "not empty any more") == "empty.md"


def test_the_teams_own_come_before_what_ships(tmp_path: Path) -> None:
    for folder in ("team", "shipped"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.md").write_text("# Broker down\n")
    found, _ = look([tmp_path / "team", tmp_path / "shipped"], "broker")
    assert [one.path.parent.name for one in found] == ["team", "shipped"]


def test_foreign_text_is_cleaned(index: Index, books: Path) -> None:
    (books / "evil\x1b[2J.md").write_text("# Evil \x1b]52;c;ZXZpbA==\x07 \u202e\n**Severity:** P1")
    index.refresh()
    (found,) = index.search("evil")
    assert found.title == "Evil ␛ <U+202E>"
    assert all(line.isprintable() for line in found.lines())
    assert "\x1b" not in str(found.as_json())


def test_a_title_that_another_program_mangled_is_shown_as_it_was_meant(
    index: Index, books: Path
) -> None:
    meant = "# On-Call Handbook – Café Payments Team\n"
    (books / "hand.md").write_text(meant.encode().decode("cp1252"))
    index.refresh()
    (found,) = index.search("café payments team")
    assert found.title == "On-Call Handbook – Café Payments Team"


# The file


def kept(index: Index) -> bool:
    """Whether another one begins with what this one knows."""
    with closing(Index(index.places)) as other:
        return bool(other.search("ledger"))


def test_the_index_is_private_and_kept(index: Index, home: Path) -> None:
    assert index.file.parent == home / "cache"
    for file in home.glob("cache/runbooks-*"):
        assert file.stat().st_mode & 0o777 == 0o600
    assert kept(index)


def garbage(file: Path) -> None:
    file.write_bytes(b"no database at all" * 500)


def torn(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096 : len(data)] = os.urandom(len(data) - 4096)
    file.write_bytes(data)


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


def other(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("DROP TABLE files")
        db.commit()


@pytest.mark.parametrize("damage", [garbage, torn, newer, other])
def test_a_damaged_index_is_made_again(books: Path, damage: Callable[[Path], None]) -> None:
    with closing(Index([books])) as before:
        before.refresh()
    for beside in ("-wal", "-shm"):
        Path(f"{before.file}{beside}").unlink(missing_ok=True)
    damage(before.file)
    with closing(Index([books])) as index:
        index.search("ledger")  # whatever it answers, it does not raise
        index.refresh()
        assert first(index, "ledger") == "db.md"
        assert first(index, "KubePodCrashLooping") == "pods.md"
        assert kept(index)


def test_damage_while_it_is_open_is_mended_by_searching(index: Index) -> None:
    with closing(sqlite3.connect(index.file)) as db:
        db.execute("DROP TABLE texts")
        db.commit()
    assert first(index, "ledger") == "db.md"
    assert kept(index)


def test_a_locked_index_is_read_and_the_news_kept_in_memory(index: Index, books: Path) -> None:
    (books / "new.md").write_text("# Turbine trips\n")
    with closing(sqlite3.connect(index.file, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with closing(Index([books])) as second:
            assert first(second, "ledger") == "db.md"
            second.refresh()
            assert first(second, "turbine") == "new.md"
    assert first(index, "turbine") == ""


def test_where_nothing_can_be_written_it_lives_in_memory(home: Path, books: Path) -> None:
    home.write_text("a file where the folder should be")
    with closing(Index([books])) as index:
        assert first(index, "ledger") == ""
        index.refresh()
        assert first(index, "ledger") == "db.md"


def test_a_link_in_place_of_the_index_is_not_followed(books: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    file = store.default([books])
    file.parent.mkdir(parents=True)
    file.symlink_to(victim)
    found, _ = look([books], "ledger")
    assert found[0].path.name == "db.md"
    assert victim.read_text() == "precious"


def test_a_sqlite_without_fts5_finds_the_plain_way(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MODULE", "no_such_module")
    for text, name in (("ledger lost", "db.md"), ("KubePodCrashLooping", "pods.md")):
        found, _ = look([books], text)
        assert found[0].path.name == name
    assert look([books], 'the "AND" *\0')[0]
    assert look([books], "zzzz")[0] == []


def test_two_at_once_build_one_index(books: Path) -> None:
    for number in range(300):
        (books / f"{number}.md").write_text(f"# Book {number}\nword{number}\n")
    both = [Index([books]), Index([books])]
    threads = [threading.Thread(target=one.refresh) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in both:
        assert first(one, "word299") == "299.md"
        assert one.count == len(BOOKS) + 300
        one.close()
    with closing(sqlite3.connect(both[0].file)) as db:
        (texts,) = db.execute("SELECT count(*) FROM texts").fetchone()
    assert texts == len(BOOKS) + 300


def test_it_answers_while_it_is_built(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    seen: list[tuple[int, int, int]] = []
    with closing(Index([books])) as index:
        index.refresh(lambda done, of: seen.append((done, of, len(index.search("")))))
    assert seen == [(2, 5, 2), (4, 5, 4), (5, 5, 5)]


def test_after_closing_nothing_is_found_and_nothing_breaks(books: Path) -> None:
    index = Index([books])
    index.refresh()
    index.close()
    assert index.search("ledger") == []
    assert (index.count, index.passed) == (0, [])
    index.refresh()
    index.close()
    assert kept(index)


SYNTAX = """ " ' AND OR NOT NEAR( ) * ^ {title} : - + ledger database locked é 日本 9 """
CONTROLS = ["\0", "\u202e", "\x1b[2J", "\n", "e\u0301"]
HOSTILE = st.one_of(
    st.text(max_size=120),
    st.lists(st.sampled_from([*SYNTAX.split(), *CONTROLS]), max_size=30).map(" ".join),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=HOSTILE, typing=st.booleans())
def test_any_text_at_all_is_harmless(index: Index, text: str, typing: bool) -> None:
    before = index.file.stat().st_ino
    for one in index.search(text, [text], typing=typing):
        assert all(line.isprintable() for line in one.lines())
    assert index.file.stat().st_ino == before, "it was taken for damage"
    assert index.count == len(BOOKS)


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(max_size=400), HOSTILE))
def test_any_file_at_all_has_a_gist(text: str) -> None:
    found = gist(text, "name")
    assert found.title


def test_a_gist_drops_no_word_of_the_file() -> None:
    for text in BOOKS.values():
        found = gist(text, "name")
        told = [found.title, *found.headings, *found.symptoms, *found.literals, *found.commands]
        there = set(query.tokens("\n".join([*told, *found.prose, *found.services])))
        lost = {word for word in query.tokens(text) if word not in there}
        assert lost <= {"bash", "symptoms", "what", "to", "do", "severity", "alerts"}


def test_much_is_read_by_another_process(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(module._FEW + 1):
        (books / f"{number}.md").write_text(f"# Book {number}\nword{number}\n")
    monkeypatch.setattr(store, "put", lambda db, file: pytest.fail("it was read here"))
    told: list[tuple[int, int]] = []
    with closing(Index([books])) as index:
        index.refresh(lambda done, of: told.append((done, of)), aside=True)
        assert first(index, "word50") == "50.md"
        assert index.count == told[-1][1] == len(BOOKS) + module._FEW + 1


def test_where_no_other_process_can_be_had_it_is_read_here(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW", 0)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with closing(Index([books])) as index:
        index.refresh(aside=True)
        assert first(index, "ledger") == "db.md"
