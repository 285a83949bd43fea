"""The whole story, by keyboard, in a real terminal, over SSH, against a real service."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.screens.tmux import Terminal, cockpit

pytestmark = [pytest.mark.tmux, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "runbooks" / "01_database_connection_loss.md"


def start(lab: Lab, tmp_path: Path, *more: str, size: tuple[int, int] = (120, 40)) -> Terminal:
    config = lab.write_config(tmp_path)
    return Terminal(
        cockpit("--config", str(config), *more),
        size=size,
        environ={"COCKPIT_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)},
        cwd=ROOT,
    )


def search(terminal: Terminal, words: str) -> None:
    """Goes to a step by its words, as a person does."""
    terminal.keys("/")
    terminal.wait("Go to which step")
    terminal.type(words)
    terminal.keys("Enter")
    terminal.wait("Go to which step", gone=True)


def incident_folder(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "state" / "incidents").iterdir()
    return folder


def events(folder: Path) -> list[dict[str, object]]:
    # The last line may still be on its way to the disk.
    whole = (folder / "journal.jsonl").read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def test_from_the_alarm_to_the_markdown(service: Lab, tmp_path: Path) -> None:
    service.lose_database()
    service.wait_health(503)
    with start(service, tmp_path, "--host", "prod-1", "--runbook", str(BOOK)) as terminal:
        terminal.wait("Database Connection Loss")
        terminal.wait("prod-1 up")
        terminal.wait(r"kamiyo +(UNHEALTHY|healthy|starting)")

        terminal.keys("S")
        terminal.wait("how bad is it")
        terminal.keys("0")
        terminal.wait(r"P0 +Database Connection Loss")
        terminal.keys("A")
        terminal.wait("investigating")

        search(terminal, "Step 1")
        terminal.keys("Enter")
        terminal.wait(r"│ 503")
        terminal.wait(r"OK exit 0")
        terminal.keys("Space")
        search(terminal, "Step 2")
        terminal.keys("Enter")
        finished(terminal, tmp_path, 2)

        put_the_file_back(terminal, tmp_path, done=2)
        service.wait_health(200)

        search(terminal, "1. Health")
        terminal.keys("Enter")
        terminal.wait(r"│ 200")
        terminal.keys("Space")
        terminal.wait(r"Done: 1. Health")

        terminal.keys("i")
        terminal.wait("What happened")
        terminal.type("somebody moved the file by hand")
        terminal.keys("Enter")
        terminal.wait("Note: somebody moved")
        terminal.keys("R")
        terminal.wait("Resolve the incident")
        for answer in ("database file moved away", "moved it back", "alert on a missing file"):
            terminal.type(answer)
            terminal.keys("Enter")
        terminal.wait("resolved after")

        saved = tmp_path / "log.md"
        terminal.keys("C-s")
        terminal.wait("To which file")
        terminal.keys("C-u")
        terminal.type(str(saved))
        terminal.keys("Enter")
        terminal.wait("Saved to")
        terminal.keys("q")
        terminal.wait("exit status 0")

    text = saved.read_text()
    assert text.startswith("# Database Connection Loss\n")
    for fact in (
        "- **Severity:** P0",
        "- **Status:** resolved",
        "- **Host:** prod-1",
        "- **Cause:** database file moved away",
        "- **Fix:** moved it back",
        "- **Follow-up:** alert on a missing file",
        "Note: somebody moved the file by hand",
        "Saved logs of kamiyo to evidence/",
    ):
        assert fact in text, fact
    assert re.search(r"\| Total downtime \| \d", text)
    assert re.search(r"^\[\d\d:\d\d\] Declared P0: Database Connection Loss", text, re.MULTILINE)
    assert "503" in text.split("## Commands")[1]
    service.wait_health(200)
    state = service.run("docker inspect -f '{{.State.Status}}' kamiyo").stdout.strip()
    assert state == "running"
    kinds = [event["kind"] for event in events(incident_folder(tmp_path))]
    assert kinds.index("command.requested") < kinds.index("command.finished")
    assert kinds.count("command.requested") == kinds.count("command.finished")


def finished(terminal: Terminal, tmp_path: Path, count: int) -> None:
    """Waits until so many commands have ended, by the journal; the last one with status 0."""
    until = time.monotonic() + 40
    while True:
        ends = [
            event
            for event in events(incident_folder(tmp_path))
            if event["kind"] == "command.finished"
        ]
        if len(ends) >= count:
            assert ends[-1]["exit_status"] == 0, ends[-1]
            return
        assert time.monotonic() < until, (
            f"{len(ends)} of {count} commands have ended:\n{terminal.screen()}"
        )
        time.sleep(0.05)


def confirm(terminal: Terminal) -> None:
    """y at the gate, which throws away what was pressed before it was drawn: then once more."""
    for _ in range(3):
        terminal.keys("y")
        try:
            terminal.wait("y runs it", gone=True, patience=10)
        except AssertionError:
            continue
        return
    raise AssertionError(f"the gate takes no y:\n{terminal.screen()}")


def put_the_file_back(terminal: Terminal, tmp_path: Path, done: int) -> None:
    """Option 2 of the runbook: look for the file, fill in its name, move it, restart, wait."""
    search(terminal, "Option 2")
    terminal.keys("Enter")
    finished(terminal, tmp_path, done + 1)
    moved = re.search(r"\./(data/\S+)", terminal.wait(r"│ \./data/\S+"))
    assert moved is not None
    terminal.keys("j", "Enter")
    terminal.wait("Fill in before it can run")
    terminal.type(moved[1])
    terminal.keys("Enter")
    screen = terminal.wait("y runs it")
    assert f"mv -n {moved[1]} data/kamiyo.db" in screen
    terminal.keys("Enter", "Enter", "Enter")  # holding Enter runs nothing
    assert "y runs it" in terminal.screen()
    confirm(terminal)
    finished(terminal, tmp_path, done + 2)
    terminal.keys("j", "Enter")
    terminal.wait(r"logs of kamiyo saved to evidence/")
    terminal.wait("y runs it")
    confirm(terminal)
    finished(terminal, tmp_path, done + 3)
    terminal.keys("j", "Enter")
    finished(terminal, tmp_path, done + 4)
    terminal.keys("Space")


def test_killed_in_the_middle_of_a_step_it_goes_on_where_it_was(
    service: Lab, tmp_path: Path
) -> None:
    book = tmp_path / "slow.md"
    side = "/opt/kamiyo/side-effect"
    book.write_text(
        "# Slow recovery\n## Diagnosis\n### Step 1: Look\n```bash\nuptime\n```\n"
        f"### Step 2: Slow\n```bash\necho ran >> {side}; echo begun; sleep 6; echo ended\n```\n"
        "## Verification\n### Step 3: Check\n```bash\ntrue\n```\n"
    )
    service.ssh(f"rm -f {side}")
    with start(service, tmp_path, "--host", "prod-1", "--runbook", str(book)) as terminal:
        terminal.wait("prod-1 up")
        terminal.wait("Step 1: Look")
        search(terminal, "Step 2")
        terminal.keys("Enter")
        screen = terminal.wait("y runs it|write the reason")
        if "write the reason" in screen:
            terminal.type("a test")
            terminal.keys("Enter")
            terminal.wait("y runs it")
        confirm(terminal)
        terminal.wait(r"│ begun")
        os.kill(terminal.pid(), signal.SIGKILL)
        terminal.wait("exit status 137")
    with start(service, tmp_path) as terminal:
        terminal.wait("An incident is open")
        terminal.keys("Enter")
        screen = terminal.wait(r"> \[ \] Step 2: Slow")
        terminal.wait(r"│ begun")
        terminal.wait(r"│ ended")
        terminal.wait("OK exit 0")
        terminal.keys("q")
        terminal.wait("exit status 0")
    assert service.ssh(f"cat {side}").stdout == "ran\n"
    service.ssh(f"rm -f {side}")


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20), (40, 12)])
def test_without_docker_network_or_config_it_opens_and_says_what_is_missing(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    environ = {
        "COCKPIT_HOME": str(tmp_path / "state"),
        "HOME": str(tmp_path),
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
    }
    with Terminal(cockpit(), size=size, environ=environ, cwd=tmp_path) as terminal:
        terminal.wait("no incident yet")
        terminal.wait("No Docker at this")
        terminal.keys("3")
        terminal.wait("No runbook chosen")
        terminal.keys("2")
        terminal.wait("No container chosen")
        terminal.keys("4")
        terminal.wait("Nothing has happened yet")
        if size == (40, 12):
            terminal.wait("40x12")
        terminal.keys("q")
        terminal.wait("exit status 0")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "xterm-16color"}])
def test_it_reads_without_colours_and_with_sixteen(tmp_path: Path, environ: dict[str, str]) -> None:
    home = {"COCKPIT_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    with Terminal(cockpit("demo"), environ=home | environ, cwd=tmp_path) as terminal:
        terminal.wait(r"> \[ \] Step 1: Look Around")
        terminal.keys("Enter")
        terminal.wait("OK exit 0")
        if "NO_COLOR" in environ:
            assert not re.search(
                r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10\d)(?:;\d+)*m", terminal.styled()
            )
        terminal.keys("q")
        terminal.wait("Resume: cockpit --incident")


def test_without_a_terminal_it_says_so_and_names_the_plain_commands(tmp_path: Path) -> None:
    done = subprocess.run(
        cockpit(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "cockpit incident list" in done.stderr
