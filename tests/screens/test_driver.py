"""The driver in a real terminal: the same screens as Textual's own, and a loop that never waits."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from screens.driver import Driver, driver_class
from screens.terminal import Size, _Question
from screens.terminal import Terminal as ScreenTerminal
from tests.screens.pty_terminal import Terminal

APPS = str(Path(__file__).with_name("driver_apps.py"))
SIZES = [(80, 24), (120, 40)]

Script = Callable[[Terminal], None]
Start = Callable[..., Terminal]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "report.json"


@pytest.fixture
def start(log: Path) -> Iterator[Start]:
    """Start an app of driver_apps in a terminal, with our driver unless told otherwise."""
    running: list[Terminal] = []

    def run(
        app: str,
        *words: str,
        size: tuple[int, int] = (80, 24),
        driver: str = "cockpit",
        answers: bool = True,
        **env: str,
    ) -> Terminal:
        terminal = Terminal(
            [sys.executable, APPS, app, str(log), *words],
            size=size,
            answers=answers,
            env={"COCKPIT_DRIVER": driver, **env},
        )
        running.append(terminal)
        return terminal

    yield run
    for terminal in running:
        terminal.close()


def rests(terminal: Terminal) -> None:
    terminal.read_until(lambda: "resting" in terminal.text())
    terminal.read_until_quiet(0.3)


def palette(terminal: Terminal) -> None:
    rests(terminal)
    terminal.type("\x10")
    terminal.read_until(lambda: "Search for commands" in terminal.text())
    terminal.type("qu")
    terminal.read_until(lambda: "Quit the application" in terminal.text())
    terminal.read_until_quiet(0.3)


def modal(terminal: Terminal) -> None:
    rests(terminal)
    terminal.type("\x1bOQ")
    terminal.read_until(lambda: "really?" in terminal.text())
    terminal.read_until_quiet(0.3)


def modal_closed(terminal: Terminal) -> None:
    modal(terminal)
    terminal.type("\x1b")
    terminal.read_until(lambda: "really?" not in terminal.text())
    terminal.read_until_quiet(0.3)


def resized(terminal: Terminal) -> None:
    terminal.read_until(lambda: "line of the log" in terminal.text())
    terminal.resize(100, 30)
    terminal.read_for(0.2)
    terminal.resize(71, 21)
    rests(terminal)


def grown(terminal: Terminal) -> None:
    terminal.read_until(lambda: "61 of it" in terminal.text())
    terminal.read_until_quiet(0.3)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("app", "script"),
    [
        ("Panes", rests),
        ("Panes", resized),
        ("Log", grown),
        ("Still", palette),
        ("Modal", modal),
        ("Modal", modal_closed),
    ],
    ids=lambda it: it if isinstance(it, str) else it.__name__,
)
def test_the_screen_is_the_same_as_with_the_driver_of_textual(
    start: Start, app: str, script: Script, size: tuple[int, int]
) -> None:
    theirs = start(app, size=size, driver="textual")
    script(theirs)
    ours = start(app, size=size)
    script(ours)
    becomes_the_same(ours, theirs)
    assert ours.received < theirs.received / 2


def becomes_the_same(ours: Terminal, theirs: Terminal) -> None:
    """Both show the same in the end; on a busy machine one may need a moment more."""

    def seen(terminal: Terminal) -> Any:
        terminal.read(0.02)
        cursor = terminal.screen.cursor
        return terminal.cells(), (cursor.y, cursor.x, cursor.hidden)

    give_up = time.monotonic() + 30
    while seen(ours) != seen(theirs) and time.monotonic() < give_up:
        pass
    assert seen(ours) == seen(theirs)


@pytest.mark.parametrize(
    "env",
    [{"NO_COLOR": "1"}, {"TEXTUAL_COLOR_SYSTEM": "standard"}, {"TERM": "screen"}],
    ids=["no color", "16 colors", "GNU screen"],
)
def test_the_screen_is_the_same_with_fewer_colors(start: Start, env: dict[str, str]) -> None:
    theirs, ours = start("Still", driver="textual", **env), start("Still", **env)
    rests(theirs)
    rests(ours)
    becomes_the_same(ours, theirs)


def test_text_of_disputed_width_leaves_everything_else_in_its_place(start: Start) -> None:
    terminal = start("Emoji")
    turns = ["__ family", "__ heart", "__ tone", "plain text"]
    lines = [f"<{turns[(8 + index) % 4]}> after{'.' * index} |end {index}" for index in range(6)]

    def is_right() -> bool:
        return all(
            terminal.screen.buffer[y][x].data == character
            for y, line in enumerate(lines)
            for x, character in enumerate(line)
            if character != "_"
        )

    # They are in their turns more than once on the way.
    rests(terminal)
    terminal.read_until(is_right)
    terminal.read_until_quiet(0.3)
    assert is_right(), terminal.text()


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Run tmux commands on a server of our own."""
    if shutil.which("tmux") is None:
        pytest.skip("no tmux: the screens inside tmux were not compared")

    def run(*command: str) -> str:
        argv = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "tmux"), *command]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    yield run
    subprocess.run(["tmux", "-S", str(tmp_path / "tmux"), "kill-server"], check=False)


@pytest.mark.tmux
@pytest.mark.parametrize("app", ["Panes", "Log"])
def test_the_screen_is_the_same_inside_tmux(tmux: Callable[..., str], app: str) -> None:
    last = {"Panes": "resting", "Log": "61 of it"}[app]
    for driver in ("textual", "cockpit"):
        in_tmux(tmux, app, driver, last)

    def shown(driver: str) -> list[list[tuple[str, str]]]:
        return styled(tmux("capture-pane", "-e", "-p", "-t", driver))

    # On a busy machine the last of them may need a moment more.
    give_up = time.monotonic() + 30
    while shown("cockpit") != shown("textual") and time.monotonic() < give_up:
        time.sleep(0.1)
    assert shown("cockpit") == shown("textual")


@pytest.mark.tmux
def test_text_of_disputed_width_leaves_the_rest_whole_inside_tmux(tmux: Callable[..., str]) -> None:
    in_tmux(tmux, "Emoji", "cockpit", "resting")
    turns = [" family", " heart", " tone", "plain text"]
    ends = [f"{turns[index % 4]}> after{'.' * index} |end {index}" for index in range(6)]

    def shown() -> list[str]:
        return tmux("capture-pane", "-p", "-t", "cockpit").split("\n")[:6]

    def is_right() -> bool:
        return all(line.rstrip().endswith(end) for line, end in zip(shown(), ends, strict=True))

    give_up = time.monotonic() + 30
    while not is_right() and time.monotonic() < give_up:
        time.sleep(0.1)
    time.sleep(0.5)  # nothing more is to come
    assert is_right(), shown()


def in_tmux(tmux: Callable[..., str], app: str, driver: str, last: str) -> None:
    """Starts an app in tmux, and waits for its last words."""
    env = f"COCKPIT_DRIVER={driver} TEXTUAL_ANIMATIONS=none LANG=C.UTF-8 COLORTERM=truecolor"
    command = f"env {env} {sys.executable} {APPS} {app}"
    tmux("new-session", "-d", "-s", driver, "-x", "80", "-y", "24", command)
    give_up = time.monotonic() + 30
    while last not in tmux("capture-pane", "-p", "-t", driver):
        assert time.monotonic() < give_up, tmux("capture-pane", "-p", "-t", driver)
        time.sleep(0.1)


def styled(captured: str) -> list[list[tuple[str, str]]]:
    """Characters with the style in force; blanks with their background only."""
    lines = []
    sgr: dict[str, str] = {}
    for line in captured.split("\n"):
        cells = []
        for codes, character in re.findall(r"\x1b\[([\d;]*)m|([^\x1b])", line):
            if character:
                kept = {"bg"} if character == " " and "line" not in sgr else sgr.keys()
                cells.append(
                    (character, ",".join(f"{k}={sgr[k]}" for k in sorted(kept & sgr.keys())))
                )
                continue
            for code in re.findall(r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|\d+", codes or "0"):
                if code == "0":
                    sgr.clear()
                elif re.match(r"38|3\d|9\d", code):
                    sgr["fg"] = code
                elif re.match(r"48|4\d|10\d", code) and code != "4":
                    sgr["bg"] = code
                else:
                    sgr["line" if code in ("4", "7", "9") else "attribute " + code] = code
        while cells and cells[-1] == (" ", ""):
            cells.pop()
        lines.append(cells)
    return lines


def finished(terminal: Terminal, log: Path, *, keys: str = "q") -> dict[str, Any]:
    terminal.type(keys)
    assert terminal.wait() == 0
    report: dict[str, Any] = json.loads(log.read_text())
    return report


def test_the_loop_goes_on_while_nobody_reads(start: Start, log: Path) -> None:
    terminal = start("Ticking", size=(120, 40))
    terminal.read_until(lambda: "line of the log" in terminal.text())
    terminal.type("m")
    terminal.read_for(0.3)
    before = line_numbers(terminal)[-1]
    stuff(terminal)
    time.sleep(5)
    terminal.type("m")
    time.sleep(0.3)
    terminal.read_for(1.0)
    terminal.type("\x0c")
    terminal.read_until(lambda: "." * 80 not in terminal.text())

    def newest_are_shown() -> bool:
        numbers = line_numbers(terminal)
        newest = numbers[-1] if numbers else 0
        return newest > before + 15 and numbers == [*range(newest - 7, newest + 1)]

    terminal.read_until(newest_are_shown)
    report = finished(terminal, log)
    # Far less than the five seconds in which nobody read.
    assert 0 <= report["gaps"][-1] < 2.5


def line_numbers(terminal: Terminal) -> list[int]:
    return [int(number) for number in re.findall(r"(\d{3}) line of the log", terminal.text())]


@pytest.mark.parametrize("how", ["q", "SIGTERM"])
def test_it_ends_and_gives_the_terminal_back_while_nobody_reads(start: Start, how: str) -> None:
    terminal = start("Ticking", size=(120, 40))
    terminal.read_until(lambda: "line of the log" in terminal.text())
    terminal.answers = False
    stuff(terminal)
    time.sleep(1.5)
    if how == "q":
        terminal.type("q")
    else:
        terminal.signal(signal.SIGTERM)
    assert terminal.wait(reading=False) == 0
    terminal.read_until_quiet(0.2)
    assert terminal.raw.endswith(b"\x1b[?1049l\x1b[?25h\x1b[?1004l")


def stuff(terminal: Terminal) -> None:
    """Fill the pty until it takes nothing more."""
    slave = os.open(
        os.readlink(f"/proc/{terminal.pid}/fd/0"), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
    )
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(slave, b"." * 512)
    os.close(slave)


@pytest.mark.parametrize("answers", [True, False])
def test_a_terminal_that_answers_and_one_that_does_not(
    start: Start, log: Path, answers: bool
) -> None:
    terminal = start("Panes", answers=answers)
    rests(terminal)
    report = finished(terminal, log)
    assert (report["rtt"] is not None) == answers
    assert (report["lag"] is not None) == answers
    assert report["positions"] == []
    if answers:
        assert 0 < report["rtt"] < 30 and report["lag"] < 30
    else:
        assert 1 <= terminal.asked <= 8


def test_an_answer_that_the_app_asked_for_reaches_it(start: Start, log: Path) -> None:
    terminal = start("Asking")
    rests(terminal)
    terminal.type("\x1bOQ")
    terminal.read_until(lambda: "asked" in terminal.text())
    terminal.read_until_quiet(0.3)
    report = finished(terminal, log)
    assert len(report["positions"]) == 1
    assert b"]52;c;ZXZpbA" not in terminal.raw
    title = terminal.raw.index(b"\x1b]2;a title\x07")
    assert title < terminal.raw.index(b"\x1b]52;c;Y29waWVk\x07")


def test_an_answer_in_the_middle_of_a_paste_is_no_part_of_it(start: Start, log: Path) -> None:
    terminal = start("Still")
    rests(terminal)
    terminal.type("\t")
    terminal.read_until_quiet(0.3)
    terminal.type("\x1b[200~docker \x1b[1;1Rrestart\x1b[201~")
    terminal.read_until(lambda: "docker restart" in terminal.text())


def test_at_rest_it_sends_nothing(start: Start) -> None:
    terminal = start("Still")
    rests(terminal)
    received, asked = terminal.received, terminal.asked
    terminal.read_for(2.0)
    assert (terminal.received, terminal.asked) == (received, asked)


def test_repaint_sends_everything_again(start: Start) -> None:
    terminal = start("Still")
    rests(terminal)
    whole = terminal.cells()
    terminal.stream.feed(b"\x1b[2J\x1b[3;3Hgarbage\x1b[5;9r")
    terminal.type("\x0c")
    terminal.read_until(lambda: terminal.cells() == whole)


def test_the_terminal_is_handed_to_another_program_and_taken_back(start: Start) -> None:
    terminal = start("Shell")
    rests(terminal)
    whole = terminal.cells()
    terminal.type("\x1bOQ")
    terminal.read_until(lambda: b"in the shell" in terminal.raw)
    handed = terminal.raw[: terminal.raw.index(b"in the shell")]
    assert handed.endswith(b"\x1b[?1049l\x1b[?25h\x1b[?1004l")
    terminal.type("hello\n")
    terminal.read_until(lambda: b"got hello" in terminal.raw)
    assert b"\x1b[1;1R" not in terminal.raw
    terminal.read_until(lambda: terminal.cells() == whole)
    terminal.type("q")
    assert terminal.wait() == 0


def test_it_is_suspended_and_continued(start: Start) -> None:
    terminal = start("Still")
    rests(terminal)
    whole = terminal.cells()
    terminal.signal(signal.SIGTSTP)
    terminal.read_until(lambda: terminal.raw.endswith(b"\x1b[?1004l"))
    os.waitpid(terminal.pid, os.WUNTRACED)
    terminal.stream.feed(b"\x1b[2J")
    terminal.signal(signal.SIGCONT)
    terminal.read_until(lambda: terminal.cells() == whole)
    terminal.signal(signal.SIGCONT)
    terminal.read_until_quiet(0.3)
    terminal.read_until(lambda: terminal.cells() == whole)
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.raw.endswith(b"\x1b[?1049l\x1b[?25h\x1b[?1004l")


@pytest.mark.parametrize("words", [(), ("ignore-hangup",)])
def test_it_ends_when_the_terminal_is_gone(start: Start, log: Path, words: tuple[str, ...]) -> None:
    terminal = start("Ticking", *words)
    terminal.read_until(lambda: "line of the log" in terminal.text())
    os.close(terminal.fd)
    terminal.fd = -1
    status = terminal.wait(reading=False)
    assert status == (0 if words else -signal.SIGHUP)


def test_the_mouse_works(start: Start) -> None:
    terminal = start("Still", "mouse")
    rests(terminal)
    assert b"\x1b[?1003h" in terminal.raw
    terminal.type("\x1b[<0;3;24M\x1b[<0;3;24m")
    assert terminal.wait() == 0
    assert b"\x1b[?1003l" in terminal.raw


def test_a_size_that_the_terminal_reports_in_band_is_painted(start: Start) -> None:
    terminal = start("Still")
    rests(terminal)
    terminal.type("\x1b[?2048;2$y")
    terminal.read_until(lambda: b"\x1b[?2048h" in terminal.raw)
    terminal.resize(100, 30)  # sends SIGWINCH, too, which Textual leaves unused from now on
    terminal.type("\x1b[48;30;100;600;1000t")
    rests(terminal)
    terminal.read_until(lambda: "palette" in terminal.screen.display[29])
    terminal.read_until(lambda: terminal.screen.display[28].rstrip().endswith("╯"))
    assert len(terminal.screen.display[28].rstrip()) == 100
    assert "P0" not in terminal.text()


def test_a_mistake_in_the_driver_ends_the_app_and_gives_the_terminal_back(start: Start) -> None:
    terminal = start("Broken")
    rests(terminal)
    terminal.type("\x1bOQ")
    assert terminal.wait() == 1
    assert b"\x1b[?1049l" in terminal.raw
    assert "a mistake in the driver" in terminal.text()


def asked(*at: tuple[int, int] | None) -> ScreenTerminal:
    """A terminal to which questions are under way."""
    terminal = ScreenTerminal(SimpleQueue(), lambda _: None)
    terminal._questions.extend(_Question(it, time.monotonic(), 0) for it in at)
    return terminal


def test_acknowledgements_are_taken_out_of_the_input() -> None:
    terminal = asked((3, 4), None, (5, 6))
    data = "a\x1b[3;4Rb\x1b[9;9Rc\x1b[5;6Rd\x1b[7;7Re"
    assert terminal.take_answers(data, more_may_come=True) == ("ab\x1b[9;9Rcde", "")
    assert terminal.is_answered


@pytest.mark.parametrize("cut", range(1, 6))
def test_an_acknowledgement_in_two_parts_is_taken_out(cut: int) -> None:
    terminal = asked((3, 4))
    answer = "\x1b[3;4R"
    data, held = terminal.take_answers("x" + answer[:cut], more_may_come=True)
    assert (data, held) == ("x", answer[:cut])
    assert terminal.take_answers(held + answer[cut:] + "y", more_may_come=True) == ("y", "")


def test_an_escape_key_is_given_on_when_nothing_follows() -> None:
    terminal = asked((3, 4))
    assert terminal.take_answers("\x1b", more_may_come=True) == ("", "\x1b")
    assert terminal.take_answers("\x1b", more_may_come=False) == ("\x1b", "")
    assert asked().take_answers("\x1b", more_may_come=True) == ("\x1b", "")


def test_a_function_key_that_looks_like_an_answer_stays_a_key() -> None:
    terminal = asked((3, 4))
    assert terminal.take_answers("\x1b[1;5R", more_may_come=True) == ("\x1b[1;5R", "")
    assert not terminal.is_answered
    assert asked((1, 5)).take_answers("\x1b[1;5R", more_may_come=True) == ("", "")


def test_an_answer_that_comes_late_does_not_reach_another_program() -> None:
    terminal = asked((3, 4), (5, 6))
    assert terminal.take_late_answers(b"a\x1b[5;6Rb\x1b[9;9R") == b"ab\x1b[9;9R"
    assert terminal.take_late_answers(b"\x1b[5;6R\xff") == b"\x1b[5;6R\xff"


def test_an_environment_variable_switches_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COCKPIT_DRIVER", raising=False)
    assert driver_class() is Driver
    monkeypatch.setenv("COCKPIT_DRIVER", "textual")
    assert driver_class() is None


def test_frames_do_not_pile_up_on_a_link_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as nothing comes; who types is shown something every second, answered or not."""
    now = 1000.0
    monkeypatch.setattr("screens.terminal.monotonic", lambda: now)
    terminal = ScreenTerminal(SimpleQueue(), lambda _: None)
    terminal._take(Size(80, 24))
    terminal._take("\x1b[?1049h")
    terminal.rtt = 0.3

    def frames(seconds: float) -> int:
        nonlocal now
        sent = 0
        for tick in range(int(seconds * 4)):
            terminal._take(f"\x1b[1;1H{now}, {tick}")
            terminal._compose(now)
            sent += bool(terminal._unsent)
            terminal._unsent = b""
            now += 0.25
        return sent

    assert 8 <= frames(12) < 15
    assert frames(30) <= 3
    assert 10 <= frames(600) <= 20
    terminal.take_answers("j", more_may_come=True)
    assert 8 <= frames(10) <= 11
    assert frames(600) <= 20
    questions = [question.at for question in terminal._questions if question.at is not None]
    for row, column in questions:
        terminal.take_answers(f"\x1b[{row};{column}R", more_may_come=True)
    while not terminal._posts.empty():
        terminal._take(terminal._posts.get())
    assert frames(1) == 4
