"""Attacks on the terminal, through a real container, into the real program under a real tmux."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.containers.conftest import Dockerd
from tests.containers.hostile_engine import COUNT, serving
from tests.screens.attacked import Attacked
from tests.screens.attacks import ATTACKS
from tests.screens.tmux import Terminal, cockpit

pytestmark = pytest.mark.tmux


@dataclass(frozen=True)
class Bench:
    """The program with the log of one container in sight; what is written to it comes as lines."""

    terminal: Terminal
    attacked: Attacked
    pipe: Path
    state: Path

    def say(self, *lines: bytes) -> None:
        """Has the container write these lines."""
        with self.pipe.open("wb", buffering=0) as pipe:
            fill(pipe, b"".join(line + b"\n" for line in lines))

    def beside(self) -> list[str]:
        """The cells of the panes that show nothing of the log: runbook and timeline."""
        rows = self.terminal.screen().split("\n")[1:39]
        assert all("│" in row for row in rows), "\n".join(rows)
        return [row.rpartition("│")[2] for row in rows]


@pytest.fixture(scope="module")
def bench(engine_room: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("harm")
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    engine_room.clear()
    # One end stays open, so that the reader sees no end between two writers. This driver of logs
    # keeps bytes that are no UTF-8.
    options = ("-v", f"{folder}:/feed", "--log-driver", "local")
    engine_room.run("victim", "exec 3<>/feed/pipe; exec cat <&3", *options)
    environ = {
        "COCKPIT_HOME": str(folder / "state"),
        "HOME": str(folder),
        "DOCKER_HOST": f"unix://{engine_room.socket}",
    }
    with Terminal(cockpit("--new"), environ=environ) as terminal:
        terminal.wait(r"victim .*(running|up)")
        terminal.keys("1", "Enter")
        with pipe.open("wb", buffering=0) as first:
            fill(first, b"it begins\n")
        terminal.wait("it begins")
        yield Bench(terminal, Attacked(terminal, folder), pipe, folder / "state")
        assert terminal.pid()
    engine_room.clear()


def fill(pipe: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[pipe.write(left) :]


@pytest.mark.parametrize("attack", ATTACKS)
def test_lines_that_attack_the_terminal_are_only_read(bench: Bench, attack: str) -> None:
    done = f"done {list(ATTACKS).index(attack)} {attack}".encode()
    beside, since = bench.beside(), bench.attacked.mark()
    bench.say(*ATTACKS[attack], done)
    bench.terminal.wait(re.escape(done.decode()[:24]))
    assert bench.beside() == beside
    bench.attacked.is_unharmed(since)


def test_ten_megabytes_in_a_line_and_binary_cost_little_memory_and_no_key(bench: Bench) -> None:
    """No newline for long, then a line of 10 MB, then noise: what comes after is shown."""
    terminal, pid = bench.terminal, bench.terminal.pid()
    since, memory = bench.attacked.mark(), resident(pid)
    with bench.pipe.open("wb", buffering=0) as pipe:
        for _ in range(2):
            fill(pipe, b"no end of it " * 400_000)
            answers(terminal)
        fill(pipe, b"\nshort after long\n")
        terminal.wait("short after long")
        fill(pipe, os.urandom(1 << 20))
        answers(terminal)
        fill(pipe, b"\nshort after noise\n")
    terminal.wait("short after noise")
    assert resident(pid) - memory < 64 << 20
    bench.attacked.is_unharmed(since)


def answers(terminal: Terminal) -> None:
    """A key is answered: the help comes and goes."""
    terminal.keys("?")
    terminal.wait("(?m)^ Keys")
    terminal.keys("Escape")
    terminal.wait("no incident yet")


def resident(pid: int) -> int:
    """Bytes of memory that a process takes up."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def test_attacks_that_were_opened_and_pinned_are_harmless_in_every_file(bench: Bench) -> None:
    """A line laid out, put on the timeline and into evidence; then the files are read with cat."""
    terminal, since = bench.terminal, bench.attacked.mark()
    every = [line.replace(b"\n", b"") for lines in ATTACKS.values() for line in lines]
    bench.say(*(line[:2000] for line in every), b"all of them")
    terminal.wait("all of them")
    terminal.keys("Enter")
    terminal.wait("Log entry")
    terminal.keys("Escape")
    terminal.wait("Log entry", gone=True)
    terminal.keys("m")
    terminal.wait("UTC: all of them")
    terminal.keys("k", "v")
    terminal.wait("range of 1 line")
    terminal.type("k" * 30)
    terminal.wait("range of 31 lines")
    terminal.keys("m")
    terminal.wait("31 lines are on the timeline")
    bench.attacked.is_unharmed(since)
    (folder,) = (bench.state / "incidents").iterdir()
    for name in ("journal.jsonl", "incident.md"):
        text = written(folder / name, "all of them")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), name


def written(file: Path, words: str) -> str:
    """A file once the words are in it: the markdown follows the journal by a moment."""
    until = time.monotonic() + 30
    while not file.exists() or words not in (text := file.read_text()):
        assert time.monotonic() < until, f"{words!r} never came into {file.name}"
        time.sleep(0.1)
    return text


def test_an_engine_whose_every_word_is_an_attack_is_only_read(tmp_path: Path) -> None:
    """Names, images, labels, health checks, mounts, events, a swarm: all of it is looked at."""
    environ = {
        "COCKPIT_HOME": str(tmp_path / "state"),
        "HOME": str(tmp_path),
        "DOCKER_HOST": f"unix://{tmp_path}/d.sock",
    }
    with serving(tmp_path / "d.sock"), Terminal(cockpit("--new"), environ=environ) as terminal:
        terminal.wait(f"Containers {COUNT}")
        attacked = Attacked(terminal, tmp_path)
        terminal.wait("swarm: 1")
        terminal.keys("1")
        for _ in range(COUNT):
            for key, shown in (("d", "esc back"), (".", "esc leaves it")):
                terminal.keys(key)
                terminal.wait(shown)
                terminal.keys("Escape")
                terminal.wait(shown, gone=True)
            terminal.keys("j")
        terminal.keys("s")
        terminal.wait("Swarm at this machine")
        terminal.keys("Escape")
        terminal.wait("Swarm at this machine", gone=True)
        terminal.keys("Enter")
        terminal.wait("2 Logs .* following")
        terminal.wait("03:12:00|PWNED")
        attacked.is_unharmed()
        terminal.keys("q")
        terminal.wait("exit status 0")
