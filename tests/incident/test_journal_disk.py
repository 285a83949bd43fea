"""The journal on disks that fail: full, read-only, and with fsync and write that return errors.

strace injects the errors into a real process; full and read-only disks are real file systems,
mounted where nobody else sees them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cockpit import paths
from cockpit.incident.events import NoteAdded, SegmentOpened
from cockpit.incident.journal import History, Journal, list_incidents, read, verify

REPOSITORY = Path(__file__).parents[2]

# What every script begins with. `say` is what the test gets back, one JSON value a line.
PRELUDE = r"""
import errno, json, os, subprocess, sys, time
from pathlib import Path
from cockpit import paths
paths.VAR_TMP = Path(os.environ["TEST_VAR_TMP"])
from cockpit.incident.events import NoteAdded
from cockpit.incident.journal import Journal, list_incidents, read, verify

def say(value):
    print(json.dumps(value), flush=True)

def texts(folder):
    return [r.event.text for r in read(folder).records if isinstance(r.event, NoteAdded)]

def damage(folder):
    return [str(found) for found in verify(folder)]

def told(journal, what):
    until = time.monotonic() + 30
    while not journal.trouble.startswith(what) and time.monotonic() < until:
        time.sleep(0.01)
    return journal.trouble
"""


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(paths, "VAR_TMP", tmp_path / "var-tmp")
    for name in ("home", "tmp", "var-tmp"):
        (tmp_path / name).mkdir()
    return tmp_path / "home" / "incidents"


@pytest.fixture
def folder(root: Path) -> Path:
    """An incident with one note, closed."""
    journal = Journal.create(root, slug="x", who="anna")
    journal.append(NoteAdded(text="before"))
    assert journal.close() == 0
    return journal.folder


def texts(history: History) -> list[str]:
    return [r.event.text for r in history.records if isinstance(r.event, NoteAdded)]


@cache
def strace_works() -> bool:
    if not shutil.which("strace"):
        return False
    probe = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true"]
    return subprocess.run(probe, capture_output=True).returncode == 0


@cache
def mounts_work() -> bool:
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        bool(shutil.which("unshare")) and not subprocess.run(probe, capture_output=True).returncode
    )


needs_strace = pytest.mark.skipif(
    not strace_works(), reason="NOT TESTED: errors of fsync and write; strace cannot trace here"
)
needs_mount = pytest.mark.skipif(
    not mounts_work(), reason="NOT TESTED: full and read-only disks; this user cannot mount"
)


def run(prefix: list[str], script: str, *arguments: object) -> list[Any]:
    """What a script said, run in a process of its own; its last value is its exit status."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PRELUDE + script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TEST_VAR_TMP": str(paths.VAR_TMP)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr
    return [*map(json.loads, done.stdout.splitlines()), done.returncode]


def failing(what: str, log: Path, only: Path | None = None) -> list[str]:
    """Runs under strace, which counts for each thread: what is counted here is the writer's."""
    trace = ["-e", "trace=write,fsync,ftruncate,openat,close", "-y", "-o", str(log)]
    return [
        "strace",
        "-f",
        "-qq",
        *trace,
        "-e",
        f"inject={what}",
        *(["-P", str(only)] if only else []),
    ]


# Five notes, each waited for.
FIVE = r"""
journal = Journal.open(Path(sys.argv[1]), who="anna")
saved = []
for number in range(5):
    record = journal.append(NoteAdded(text=f"note {number}"))
    saved.append(journal.wait_saved(record.seq, float(sys.argv[2])))
say(saved)
say(journal.trouble)
left = journal.close()
say(left)
sys.exit(left > 0)
"""
NOTES = ["before", *(f"note {number}" for number in range(5))]


@needs_strace
def test_a_failed_fsync_is_not_tried_again(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "strace"
    main = folder / "journal.jsonl"
    saved, trouble, left, status = run(
        failing("fsync:error=EIO:when=2+", log, only=main), FIVE, folder, 30
    )
    assert (saved, left, status) == ([True] * 5, 0, 0)
    assert f"{main} failed (input/output error)" in trouble
    assert f"The journal goes on in {paths.fallbacks()[1]}/" in trouble

    failed = log.read_text().index("(INJECTED)")
    after = re.findall(r"(\w+)\(\d+<[^>]*journal\.jsonl>", log.read_text()[failed:])
    assert "close" in after
    assert "write" not in after
    assert "fsync" not in after

    history = read(folder)
    assert texts(history) == NOTES
    assert history.damage == ()
    moved = [r.event for r in history.records if isinstance(r.event, SegmentOpened)]
    assert [event.previous for event in moved] == [str(main)]


@needs_strace
def test_a_new_file_is_saved_when_its_name_is(root: Path, tmp_path: Path) -> None:
    """A file that is synced can still be lost in a power cut when its directory is not."""
    script = r"""
journal = Journal.create(paths.incidents(), slug="new", who="anna")
journal.on_saved = lambda seq: None
journal.wait_saved(1, 30)
os.write(1, b"0\n")
journal.close()
"""
    log = tmp_path / "strace"
    run(["strace", "-f", "-qq", "-y", "-e", "trace=fsync,write", "-o", str(log)], script)
    before, _, _ = log.read_text().partition('"0\\n"')
    synced = re.findall(r"fsync\(\d+<([^>]*)>", before)
    (folder,) = list_incidents(root)
    wanted = [folder / "journal.jsonl", folder, root, root.parent]
    assert [Path(name) for name in synced] == wanted


@needs_strace
def test_a_second_place_that_fails_too(folder: Path, tmp_path: Path) -> None:
    """The writer's fsyncs: 1 the file, 2 to 4 its directories, 5 fails, 6 the next place fails."""
    saved, trouble, left, status = run(
        failing("fsync:error=EIO:when=5..6", tmp_path / "strace"), FIVE, folder, 30
    )
    assert (saved, left, status) == ([True] * 5, 0, 0)
    assert f"The journal goes on in {paths.fallbacks()[2]}/" in trouble
    assert texts(read(folder)) == NOTES
    assert verify(folder) == ()
    assert list(paths.fallbacks()[1].iterdir()) == []


@needs_strace
def test_no_fsync_ever_works(folder: Path, tmp_path: Path) -> None:
    script = FIVE.replace("say(saved)", "told(journal, 'NOT SAVED, in')\nsay(saved)")
    assert script != FIVE
    saved, trouble, left, status = run(
        failing("fsync:error=EIO", tmp_path / "strace"), script, folder, 0.1
    )
    assert saved == [False] * 5
    assert trouble.startswith("NOT SAVED, in memory only: No directory can be written")
    assert left == 5
    assert status == 1


@needs_strace
def test_a_write_that_fails_goes_elsewhere(folder: Path, tmp_path: Path) -> None:
    main = folder / "journal.jsonl"
    saved, trouble, left, status = run(
        failing("write:error=EIO:when=3", tmp_path / "strace", only=main), FIVE, folder, 30
    )
    assert (saved, left, status) == ([True] * 5, 0, 0)
    assert "failed (input/output error)" in trouble
    assert texts(read(folder)) == NOTES
    assert verify(folder) == ()


@needs_strace
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT"])
def test_a_full_disk_gives_up_its_ballast_first(folder: Path, tmp_path: Path, error: str) -> None:
    main = folder / "journal.jsonl"
    hear = "heard = []\njournal.on_trouble = heard.append\nsaved = []"
    script = FIVE.replace("saved = []", hear).replace("say(journal.trouble)", "say(heard)")
    saved, heard, left, status = run(
        failing(f"write:error={error}:when=3", tmp_path / "strace", only=main), script, folder, 30
    )
    assert (saved, left, status) == ([True] * 5, 0, 0)
    assert len(heard) == 2
    assert "The reserve is in use" in heard[0]
    assert heard[1] == "", "there is space again, and it is still warned"
    assert (folder / "ballast").stat().st_size == 64 * 1024
    assert list(tmp_path.rglob("*.0002.jsonl")) == []
    assert texts(read(folder)) == NOTES
    assert verify(folder) == ()


@needs_strace
def test_an_old_segment_comes_home(folder: Path, tmp_path: Path) -> None:
    """What lies in a temp directory is copied back when the incident's own disk works again."""
    main = folder / "journal.jsonl"
    run(failing("fsync:error=EIO:when=2+", tmp_path / "strace", only=main), FIVE, folder, 30)
    before = read(folder)
    journal = Journal.open(folder, who="bob")
    assert journal.trouble == ""
    journal.append(NoteAdded(text="home"))
    assert journal.close() == 0
    assert verify(folder) == ()
    shutil.rmtree(paths.VAR_TMP)
    history = read(folder)
    assert history.damage == ()
    assert history.records[:-1] == before.records
    assert texts(history) == [*NOTES, "home"]


def test_a_segment_that_is_lost_is_missed(folder: Path, tmp_path: Path) -> None:
    spare = paths.fallbacks()[1]
    spare.mkdir(mode=0o700)
    os.rename(folder / "journal.jsonl", tmp_path / "kept")
    journal = Journal.open(folder, who="anna")
    for number in range(3):
        journal.append(NoteAdded(text=str(number)))
    assert journal.close() == 0
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[:1] + lines[3:]))
    assert any("records 2 to 3 are missing" in damage.what for damage in verify(folder))


def test_a_file_that_may_not_grow(folder: Path) -> None:
    """A limit on file size: the kernel takes a part of the line, then nothing."""
    script = r"""
import resource
size = (Path(sys.argv[1]) / "journal.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, size + 500))
"""
    saved, trouble, left, status = run([], script + FIVE, folder, 30)
    assert (saved, left, status) == ([True] * 5, 0, 0)
    assert "file too large" in trouble
    assert texts(read(folder)) == NOTES
    assert verify(folder) == ()


def mounted(where: Path, size: str) -> list[str]:
    mount = f'mount -t tmpfs -o size={size},mode=700 none {where} && shift 0 && exec "$@"'
    return ["unshare", "-m", "sh", "-c", mount, "sh"]


FILL = r"""
def fill(directory):
    with (Path(directory) / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC
"""


@pytest.mark.root
@needs_mount
def test_a_full_disk_and_nowhere_else_to_go(tmp_path: Path) -> None:
    """Ballast is used up, events wait in memory, and are saved when there is space again."""
    script = (
        FILL
        + r"""
home = Path(os.environ["COCKPIT_HOME"])
paths.VAR_TMP = home / "no" ; os.environ["TMPDIR"] = str(home / "no")
journal = Journal.create(paths.incidents(), slug="full", who="anna")
troubles = []
journal.on_trouble = troubles.append
journal.wait_saved(1, 30)
fill(home)
count = 0
while True:
    count += 1
    record = journal.append(NoteAdded(text=f"note {count} " + "x" * 1000))
    def full(): return bool(troubles) and troubles[-1].startswith("NOT SAVED, in memory")
    while not (full() or journal.wait_saved(record.seq, 0.01)):
        pass
    if full():
        break
for _ in range(9):
    count += 1
    record = journal.append(NoteAdded(text=f"note {count} " + "x" * 1000))
journal.wait_saved(record.seq, 0.3)
say(troubles)
say([journal.unsaved, journal.saved + journal.unsaved == record.seq])
say(damage(journal.folder))
os.truncate(home / "filler", (home / "filler").stat().st_size - 4096)
say(journal.wait_saved(record.seq - 9, 30))
say(journal.unsaved)
(home / "filler").unlink()
say(journal.wait_saved(record.seq, 30))
say(journal.trouble)
say(journal.close())
say([text.split()[1] for text in texts(journal.folder)] == [str(n + 1) for n in range(count)])
say(damage(journal.folder))
say([path.name for path in home.rglob("*.0002.jsonl")])
"""
    )
    home = tmp_path / "home"
    troubles, waiting, before, one_fits, still, *end = run(mounted(home, "512k"), script)
    assert "The reserve is in use" in troubles[0]
    assert troubles[-1].startswith("NOT SAVED, in memory only: No space left")
    assert waiting == [10, True]
    assert before == []
    assert one_fits, "a page was free, and no event went into it"
    assert 1 <= still <= 9
    saved, trouble, left, complete, after, others, status = end
    assert (saved, trouble, left, complete, after, others, status) == (True, "", 0, True, [], [], 0)


@pytest.mark.root
@needs_mount
def test_once_there_is_space_again_the_reserve_is_back_and_nothing_more_is_said(
    tmp_path: Path,
) -> None:
    """Twice, and the note that found no space is there each time, as all others."""
    script = (
        FILL
        + r"""
home = Path(os.environ["COCKPIT_HOME"])
journal = Journal.create(paths.incidents(), slug="full", who="anna")
assert journal.wait_saved(1, 30)
count, heard = 0, []
def note():
    global count
    count += 1
    record = journal.append(NoteAdded(text=f"note {count} " + "x" * 900))
    assert journal.wait_saved(record.seq, 30)
for _ in range(2):
    fill(home)
    while not journal.trouble:
        note()
    # Written with what the reserve gave: the note at which the space ended.
    say([journal.trouble.split(". ")[1], (journal.folder / "ballast").exists()])
    say([text.split()[1] for text in texts(journal.folder)] == [str(n + 1) for n in range(count)])
    note()
    heard.append(bool(journal.trouble))
    (home / "filler").unlink()
    note()
    say([journal.trouble, (journal.folder / "ballast").stat().st_size])
say(heard)
note()
say([journal.close(), damage(journal.folder), [path.name for path in home.rglob("*.0002.jsonl")]])
say([text.split()[1] for text in texts(journal.folder)] == [str(n + 1) for n in range(count)])
"""
    )
    told = run(mounted(tmp_path / "home", "512k"), script)
    full, back = ["The reserve is in use: free some space.", False], ["", 64 * 1024]
    assert told == [
        *(full, True, back), *(full, True, back), [True, True], [0, [], []], True, 0
    ]  # fmt: skip


@pytest.mark.root
@needs_mount
def test_a_full_disk_with_another_one_beside_it(tmp_path: Path) -> None:
    script = (
        FILL
        + r"""
home = Path(os.environ["COCKPIT_HOME"])
journal = Journal.create(paths.incidents(), slug="full", who="anna")
journal.wait_saved(1, 30)
fill(home)
for number in range(100):
    record = journal.append(NoteAdded(text=f"note {number} " + "x" * 1000))
    assert journal.wait_saved(record.seq, 30)
say(journal.trouble)
say(journal.close())
say([len(texts(journal.folder)), damage(journal.folder)])
(home / "filler").unlink()
journal = Journal.open(journal.folder, who="bob")
say([journal.trouble, journal.close()])
for path in paths.VAR_TMP.rglob("*.jsonl"): path.unlink()
say([len(texts(journal.folder)), damage(journal.folder)])
"""
    )
    trouble, left, found, again, home_again, status = run(
        mounted(tmp_path / "home", "512k"), script
    )
    assert "No space left for" in trouble
    assert f"The journal goes on in {paths.fallbacks()[1]}/" in trouble
    assert (left, found, again, home_again, status) == (0, [100, []], ["", 0], [100, []], 0)


@pytest.mark.root
@needs_mount
def test_a_close_on_a_full_disk_says_what_is_lost(tmp_path: Path) -> None:
    script = (
        FILL
        + r"""
home = Path(os.environ["COCKPIT_HOME"])
paths.VAR_TMP = home / "no" ; os.environ["TMPDIR"] = str(home / "no")
fill(home)
journal = Journal.create(paths.incidents(), slug="full", who="anna")
journal.append(NoteAdded(text="never"))
left = journal.close(30)
say([left, journal.trouble])
sys.exit(left > 0)
"""
    )
    (left, trouble), status = run(mounted(tmp_path / "home", "64k"), script)
    assert (left, status) == (2, 1)
    assert trouble.startswith("NOT SAVED")


@pytest.mark.root
@needs_mount
def test_a_close_tries_once_more(tmp_path: Path) -> None:
    script = (
        FILL
        + r"""
from cockpit.incident import journal as module
module.RETRY_SECONDS = 3600
home = Path(os.environ["COCKPIT_HOME"])
paths.VAR_TMP = home / "no" ; os.environ["TMPDIR"] = str(home / "no")
fill(home)
journal = Journal.create(paths.incidents(), slug="full", who="anna")
say(journal.wait_saved(1, 0.3))
(home / "filler").unlink()
say([journal.close(), verify(journal.folder) == ()])
"""
    )
    saved, closed, status = run(mounted(tmp_path / "home", "64k"), script)
    assert (saved, closed, status) == (False, [0, True], 0)


READ_ONLY = r"""
home = Path(os.environ["COCKPIT_HOME"])
def remount(how): subprocess.run(["mount", "-o", f"remount,{how}", home], check=True)
"""


@pytest.mark.root
@needs_mount
def test_a_state_directory_that_is_read_only_at_start(tmp_path: Path) -> None:
    script = (
        READ_ONLY
        + r"""
remount("ro")
journal = Journal.create(paths.incidents(), slug="ro", who="anna")
record = journal.append(NoteAdded(text="here"))
say(journal.wait_saved(record.seq, 30))
say([str(journal.folder), journal.trouble])
say(journal.close())
say([str(path) for path in list_incidents(paths.incidents())])
"""
    )
    saved, (folder, trouble), left, found, status = run(mounted(tmp_path / "home", "1m"), script)
    assert (saved, left, status) == (True, 0, 0)
    assert folder.startswith(f"{paths.fallbacks()[1]}/incidents/")
    assert "read-only file system" in trouble
    assert f"This incident is kept in {folder} instead." in trouble
    assert found == [folder]
    assert texts(read(Path(folder))) == ["here"]
    assert list_incidents(paths.incidents()) == [Path(folder)]


@pytest.mark.root
@needs_mount
def test_no_place_at_all_is_said_and_mended_when_there_is_one(tmp_path: Path) -> None:
    script = (
        READ_ONLY
        + r"""
import asyncio
paths.VAR_TMP = home / "no" ; os.environ["TMPDIR"] = str(home / "no")
remount("ro")
journal = Journal.create(paths.incidents(), slug="ro", who="anna")
say(journal.trouble)
record = journal.append(NoteAdded(text="in memory"))
say(asyncio.run(asyncio.wait_for(journal.saved_up_to(record.seq), 30)))
say([journal.saved, journal.unsaved])
remount("rw")
say(journal.wait_saved(record.seq, 30))
say([journal.trouble, journal.close(), texts(journal.folder), damage(journal.folder)])
"""
    )
    trouble, told, counts, saved, end, status = run(mounted(tmp_path / "home", "1m"), script)
    assert trouble.startswith("NOT SAVED, in memory only: No directory can be written")
    assert "read-only file system" in trouble
    assert (told, counts, saved, status) == (False, [0, 2], True, 0)
    assert end == ["", 0, ["in memory"], []]


@pytest.mark.root
@needs_mount
def test_an_old_incident_on_a_disk_that_became_read_only(tmp_path: Path) -> None:
    script = (
        READ_ONLY
        + r"""
journal = Journal.create(paths.incidents(), slug="ro", who="anna")
journal.append(NoteAdded(text="one")); journal.close()
remount("ro")
journal = Journal.open(journal.folder, who="anna")
say(journal.trouble)
try: Journal.open(journal.folder, who="bob")
except Exception as busy: say(type(busy).__name__)
record = journal.append(NoteAdded(text="two"))
say(journal.wait_saved(record.seq, 30))
say([journal.trouble, journal.close(), texts(journal.folder), damage(journal.folder)])
remount("rw")
journal = Journal.open(journal.folder, who="anna")
say([journal.trouble, journal.close(), texts(journal.folder), damage(journal.folder)])
"""
    )
    at_open, second, saved, moved, home_again, status = run(
        mounted(tmp_path / "home", "1m"), script
    )
    assert "cannot be written (read-only file system)" in at_open
    assert (second, saved, status) == ("Busy", True, 0)
    assert f"The journal goes on in {paths.fallbacks()[1]}/" in moved[0]
    assert moved[1:] == [0, ["one", "two"], []]
    assert home_again == ["", 0, ["one", "two"], []]


def test_a_fallback_in_which_others_can_write_is_not_used(root: Path) -> None:
    """Somebody made the name in /var/tmp before us: they could read or replace the journal."""
    spare = paths.fallbacks()[1]
    spare.mkdir()
    spare.chmod(0o777)
    root.write_text("not a directory")
    journal = Journal.create(root, slug="x", who="anna")
    assert journal.folder.is_relative_to(paths.fallbacks()[2])
    assert journal.close() == 0
