"""Attacks on the terminal, through a real container, into the real program under a real tmux."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.containers.conftest import Dockerd
from tests.lab.fixtures import not_tested
from tests.screens.attacks import ATTACKS
from tests.screens.tmux import Terminal, cockpit

pytestmark = pytest.mark.tmux

# As easy to attack as tmux can be made.
OPEN_DOORS = (
    ("set-option", "-g", "set-clipboard", "on"),
    ("set-option", "-g", "allow-passthrough", "on"),
    ("set-option", "-g", "allow-rename", "on"),
    ("set-option", "-g", "automatic-rename", "off"),
    ("set-option", "-g", "monitor-bell", "on"),
)
STATE = (
    "alternate_on cursor_flag insert_flag keypad_cursor_flag keypad_flag mouse_all_flag"
    " mouse_any_flag mouse_button_flag mouse_sgr_flag mouse_standard_flag mouse_utf8_flag"
    " origin_flag wrap_flag scroll_region_upper scroll_region_lower pane_title window_name"
    " window_width window_height window_bell_flag pane_tabs pane_pipe pane_dead"
)
# All that a frame of cockpit is made of: places, styles, erasing, scrolling, and its question;
# and the shape of the pointer, which Textual sets with each screen.
FRAME = re.compile(
    rb"\x1b\[[0-9;]*H|\x1b\[[0-9;:]*m|\x1b\[[0-9]*[CKX]|\x1b\[[0-9;]*r|\x1b\[6n"
    rb"|\x1b\]22;default\x07|\x1b\[\?2026[hl]|\x1b\(B|\x1b\[2J|\r\n|[\x20-\x7e]"
)
STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
UNSEEN = {"5", "6", "8"}


@dataclass(frozen=True)
class Bench:
    """The program with the log of one container in sight; what is written to it comes as lines."""

    terminal: Terminal
    pipe: Path
    written: Path

    def say(self, *lines: bytes) -> None:
        """Has the container write these lines."""
        with self.pipe.open("wb", buffering=0) as pipe:
            fill(pipe, b"".join(line + b"\n" for line in lines))

    def state(self) -> dict[str, str]:
        """What the terminal is like apart from its cells."""
        names = STATE.split()
        asked = "|".join(f"#{{{name}}}" for name in names)
        found = self.terminal.control("display-message", "-p", "-t", "main", asked)
        return dict(zip(names, found.rstrip("\n").split("|"), strict=True))

    def beside(self) -> list[str]:
        """The cells of the panes that show nothing of the log: runbook, timeline, keys."""
        rows = self.terminal.screen().split("\n")[1:39]
        assert all("│" in row for row in rows), "\n".join(rows)
        return [row.rpartition("│")[2] for row in rows]

    def output(self, since: int) -> bytes:
        """What the program wrote to the terminal."""
        with self.written.open("rb") as file:
            file.seek(since)
            return file.read()


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest, engine_room: Dockerd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("harm")
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    engine_room.clear()
    # One end stays open, so that the reader sees no end between two writers.
    engine_room.run(
        "victim",
        "exec 3<>/feed/pipe; exec cat <&3",
        "-v",
        f"{folder}:/feed",
        "--log-driver",
        "local",
    )
    environ = {
        "COCKPIT_HOME": str(folder / "state"),
        "HOME": str(folder),
        "DOCKER_HOST": f"unix://{engine_room.socket}",
    }
    written = folder / "written"
    with Terminal(cockpit("--new"), environ=environ) as terminal:
        if terminal.control("-V") < "tmux 3.3":
            not_tested(request, "attacks through tmux", ["tmux is older than 3.3"])
        for words in OPEN_DOORS:
            terminal.control(*words)
        terminal.wait(r"victim .*(running|up)")
        terminal.keys("1", "Enter")
        one = Bench(terminal, pipe, written)
        one.say(b"it begins")
        terminal.wait("it begins")
        terminal.control("pipe-pane", "-t", "main", "-O", f"exec cat >{written}")
        yield one
        assert terminal.pid()
    engine_room.clear()


@pytest.mark.parametrize("attack", ATTACKS)
def test_lines_that_attack_the_terminal_are_only_read(bench: Bench, attack: str) -> None:
    done = f"done {list(ATTACKS).index(attack)} {attack}".encode()
    state, beside, since = bench.state(), bench.beside(), bench.written.stat().st_size
    bench.say(*ATTACKS[attack], done)
    bench.terminal.wait(re.escape(done.decode()[:24]))
    assert bench.beside() == beside
    assert bench.state() == state
    assert bench.terminal.control("list-buffers") == ""
    assert_frames_alone(bench.output(since))


def assert_frames_alone(output: bytes) -> None:
    """Nothing that steers a terminal but what frames are made of; nothing that cannot be seen."""
    rest = FRAME.sub(b"", output).decode()
    assert not STEERING.search(rest), repr(rest)
    for style in SGR.findall(output):
        codes = style.decode().split(";")
        if codes[0] not in ("38", "48"):
            assert not UNSEEN & set(codes), f"a style that hides: {style!r}"
        colours = {code for code in codes if re.fullmatch("3[0-7]|9[0-7]", code)}
        backs = {str(int(code) - 10) for code in codes if re.fullmatch("4[0-7]|10[0-7]", code)}
        assert not colours & backs, f"a colour on itself: {style!r}"


def test_ten_megabytes_in_a_line_and_binary_cost_little_memory_and_no_key(bench: Bench) -> None:
    """No newline for long, then a line of 10 MB, then noise: what comes after is shown."""
    terminal, pid = bench.terminal, bench.terminal.pid()
    state, since, memory = bench.state(), bench.written.stat().st_size, resident(pid)
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
    assert bench.state() == state
    assert bench.terminal.control("list-buffers") == ""
    assert_frames_alone(bench.output(since))


def fill(pipe: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[pipe.write(left) :]


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
