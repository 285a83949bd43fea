"""SIGKILL at random moments: what was called saved is there, once, and the chain holds."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from cockpit.incident.events import NoteAdded
from cockpit.incident.journal import Journal, read, verify

KILLS = 200
KILLS_PER_INCIDENT = 20

# Forks a writer for each line on stdin, so that 200 of them need one start of Python. The writer
# says what was saved, with one write of less than PIPE_BUF, which arrives whole or not at all.
NURSERY = r"""
import os, sys, time
from pathlib import Path
from cockpit.incident.events import NoteAdded
from cockpit.incident.journal import Journal

for line in sys.stdin:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        os.write(2, b"ended\n")
        continue
    os.write(2, b"%d\n" % os.getpid())
    folder = Path(line.strip())
    if folder.name == "new":
        journal = Journal.create(folder.parent, slug="kill", who="anna")
    else:
        journal = Journal.open(folder, who="anna")
    def saved(seq):
        os.write(1, f"saved {journal.writer} {seq} {journal.folder}\n".encode())
    journal.on_saved = saved
    os.write(2, b"opened\n")
    number = 0
    while True:
        for _ in range(number % 4):
            number += 1
            long = "x" * (number * 37 % 3000)
            journal.append(NoteAdded(text=f"{journal.writer} {number} {long}"))
        number += 1
        record = journal.append(NoteAdded(text=f"{journal.writer} {number}"))
        journal.wait_saved(record.seq, 10)
"""


@pytest.mark.slow
def test_two_hundred_kills(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    root = tmp_path / "home" / "incidents"
    mean = min(max(0.02, 5 * save_takes(tmp_path / "probe")), 0.25)
    said = (tmp_path / "said").open("ab")
    env = os.environ | {
        "COCKPIT_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stderr is not None
        for kill in range(KILLS):
            folders = sorted(root.glob("*")) if root.exists() else []
            latest = max(folders, key=lambda path: path.stat().st_ctime, default=None)
            start_new = kill % KILLS_PER_INCIDENT == 0 or latest is None
            nursery.stdin.write(f"{root / 'new' if start_new else latest}\n")
            nursery.stdin.flush()
            pid = int(nursery.stderr.readline())
            if start_new or chance.random() < 0.8:  # the others are hit while they open
                assert nursery.stderr.readline() == "opened\n", f"seed {seed}"
            time.sleep(chance.expovariate(1 / mean))
            os.kill(pid, signal.SIGKILL)
            while (heard := nursery.stderr.readline()) != "ended\n":
                assert heard == "opened\n", f"seed {seed}"
        nursery.stdin.close()

    promised: dict[Path, set[tuple[str, int]]] = defaultdict(set)
    for line in (tmp_path / "said").read_text().splitlines():
        found = re.fullmatch(r"saved (\S+) (\d+) (.+)", line)
        assert found, line
        promised[Path(found[3])].add((found[1], int(found[2])))
    assert len(promised) >= KILLS // KILLS_PER_INCIDENT // 2, f"seed {seed}"
    assert sum(len(each) for each in promised.values()) > KILLS // 2, f"seed {seed}"

    for folder in root.iterdir():
        before = read(folder)
        journal = Journal.open(folder, who="anna")  # as the next cockpit would
        assert journal.close() == 0
        assert verify(folder) == (), f"seed {seed}"
        records = read(folder).records
        assert records[: len(before.records)] == before.records
        assert [record.seq for record in records] == list(range(1, len(records) + 1))
        assert len({record.id for record in records}) == len(records)
        texts = [r.event.text for r in records if isinstance(r.event, NoteAdded)]
        assert len(set(texts)) == len(texts), f"seed {seed}"
        there = {(record.writer, record.seq) for record in records}
        assert promised[folder] <= there, f"seed {seed}"


def save_takes(root: Path) -> float:
    """Seconds for one event on this disk: on a slow one, lives are longer."""
    journal = Journal.create(root, slug="probe", who="anna")
    began = time.monotonic()
    for number in range(10):
        assert journal.wait_saved(journal.append(NoteAdded(text=f"{number}")).seq, 30)
    took = time.monotonic() - began
    assert journal.close() == 0
    return took / 10
