"""The real terminal handed over and taken back: in tmux, with real programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.lab.fixtures import StartSshd, not_tested
from tests.lab.proxy import Proxy
from tests.screens.tmux import Terminal, cockpit
from tests.target.test_sudo_real import ANA

pytestmark = [pytest.mark.tmux, pytest.mark.slow, pytest.mark.anyio]

BOOK = """# Terminals
## Diagnosis
### Step 1: Ask
```bash
read -p 'Which? ' it; echo looking at $it; sleep 2
```
### Step 2: Read
```bash
less {file}
```
### Step 3: Fail
```bash
python3 -c 'input("Go on? "); 1/0'
```
### Step 4: Edit
```bash
vi {file}
```
### Step 5: Follow
```bash
tail -f {file}
```
"""

# The question itself, not the command with it in the checklist.
ASKED = r"\nWhich\? *\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text("".join(f"line {number} of it\n" for number in range(1, 201)))
    return path


def opened(tmp_path: Path, *more: str, term: str = "tmux-256color", book: str = BOOK) -> Terminal:
    if shutil.which("tmux") is None:
        pytest.skip("no tmux: nothing was handed over in a real terminal")
    path = tmp_path / "book.md"
    path.write_text(book.format(file=tmp_path / "long.txt"))
    environ = {
        "COCKPIT_HOME": str(tmp_path / "state"),
        "HOME": str(tmp_path),
        "TERM": term,
        "LESS": "",
    }
    return Terminal(
        cockpit("--runbook", str(path), *more), size=(80, 24), environ=environ, cwd=tmp_path
    )


def ready(terminal: Terminal, host: str = "this machine") -> None:
    terminal.wait("> .*Step 1")
    terminal.wait(f"{host} up")


def events(tmp_path: Path) -> list[dict[str, object]]:
    (folder,) = (tmp_path / "state" / "incidents").iterdir()
    # The last line may still be on its way to the disk.
    whole = (folder / "journal.jsonl").read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def is_whole(terminal: Terminal) -> None:
    """Nothing but cockpit's own screen is there: nothing is left of what others drew."""
    foreign = "in your terminal on|of it\n~|Press enter|Opening a terminal|Which\\? x\n~"
    screen = terminal.wait(rf"\A(?!(.|\n)*({foreign})) no severity .*saved *\n(.|\n)*q quit *\n*\Z")
    lines = screen.rstrip("\n").split("\n")
    assert re.search(r"q quit *$", lines[-1]), screen


@pytest.mark.parametrize("term", ["tmux-256color", "xterm-256color", "linux"])
def test_programs_come_and_go_and_leave_the_screen_as_it_was(
    tmp_path: Path, file: Path, term: str
) -> None:
    with opened(tmp_path, term=term) as terminal:
        ready(terminal)
        terminal.keys("Enter")
        terminal.wait(ASKED)
        terminal.type("disks")
        terminal.keys("Enter")
        terminal.wait("looking at disks")
        terminal.wait(r"OK exit 0 · \d+\.\d s in your terminal")
        terminal.wait("│ looking at disks")
        is_whole(terminal)

        terminal.keys("j")
        terminal.wait("> .*Step 2")
        terminal.keys("Enter")
        terminal.wait("line 3 of it")
        terminal.keys("G")
        terminal.wait("line 200 of it")
        terminal.keys("q")
        terminal.wait("> .*Step 2(.|\n)*OK exit 0")
        is_whole(terminal)

        for _ in range(2):
            terminal.keys("j")
        terminal.wait("> .*Step 4")
        terminal.keys("Enter")
        gate = terminal.wait("y runs it")
        assert "in your terminal: it is an editor" in re.sub(r"[\s│]+", " ", gate)
        terminal.keys("y")
        terminal.wait("line 3 of it")
        terminal.type("ihello")
        terminal.keys("Escape")
        terminal.type(":wq")
        terminal.keys("Enter")
        terminal.wait("> .*Step 4(.|\n)*OK exit 0")
        is_whole(terminal)
        assert file.read_text().startswith("helloline 1")

        terminal.keys("4")
        text = re.sub(r"\s+", " ", terminal.wait("Used a terminal on this machine(.|\n)*vi"))
        assert re.search(r"Used a terminal on this machine for [\d.]+ s: `vi", text)
    asked = [event for event in events(tmp_path) if event["kind"] == "command.requested"]
    assert [event["terminal"] for event in asked] == [True] * 3


def test_last_words_of_a_failure_can_be_read(tmp_path: Path, file: Path) -> None:
    with opened(tmp_path) as terminal:
        ready(terminal)
        terminal.keys("j", "j")
        terminal.wait("> .*Step 3")
        terminal.keys("T")
        terminal.wait("y runs it")
        terminal.keys("y")
        terminal.wait(r"\nGo on\? *\n")
        terminal.keys("Enter")
        screen = terminal.wait("it ended with exit status 1. Press enter to return")
        assert "ZeroDivisionError" in screen
        terminal.keys("x", "q", "y")
        assert "Press enter" in terminal.screen()
        terminal.keys("Enter")
        screen = terminal.wait("FAILED exit 1")
        assert "ZeroDivisionError" in screen
        is_whole(terminal)


def test_what_is_typed_for_a_program_does_nothing_in_cockpit(tmp_path: Path, file: Path) -> None:
    with opened(tmp_path) as terminal:
        ready(terminal)
        terminal.keys("Enter")
        terminal.wait(ASKED)
        # All of it before the program ends, on a busy machine, too.
        terminal.keys_at_once("Enter", "i", "q", "Escape", "y", "x")
        terminal.wait("OK exit 0")
        time.sleep(0.5)
        is_whole(terminal)
        assert "What happened" not in terminal.screen()


def test_the_size_may_change_while_it_is_away(tmp_path: Path, file: Path) -> None:
    with opened(tmp_path) as terminal:
        ready(terminal)
        terminal.keys("j")
        terminal.wait("> .*Step 2")
        terminal.keys("Enter")
        terminal.wait("line 3 of it")
        terminal.resize(100, 31)
        terminal.wait("line 30 of it")
        terminal.keys("q")
        terminal.wait("OK exit 0")
        screen = terminal.wait(r"^(?:.*\n){30}.*q quit")
        lines = screen.rstrip("\n").split("\n")
        assert len(lines) == 31
        assert re.search(r"q quit *$", lines[-1]), screen
        assert max(map(len, lines)) > 90


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_cockpit_and_leaves_the_terminal_usable(
    tmp_path: Path, file: Path, number: signal.Signals
) -> None:
    with opened(tmp_path) as terminal:
        ready(terminal)
        terminal.keys("Enter")
        terminal.wait(ASKED)
        os.kill(terminal.pid(), number)
        terminal.wait("exit status 0")
        name = terminal._tmux("display-message", "-p", "-t", "main", "#{pane_tty}").strip()
        settings = os.popen(f"stty -a < {name}").read()
        assert " icanon" in settings
        assert " echo " in settings
    (last,) = [event for event in events(tmp_path) if event["kind"] == "command.unknown"]
    assert "cockpit was ended while the terminal was open" in str(last["why"])


def test_streams_run_beside_and_are_stopped_from_anywhere(tmp_path: Path, file: Path) -> None:
    with opened(tmp_path) as terminal:
        ready(terminal)
        terminal.keys("G")
        terminal.wait("> .*Step 5")
        terminal.keys("Enter")
        terminal.wait("running on this machine; x stops it")
        terminal.wait("│ line 200 of it")
        terminal.wait("· 1 running ·")
        terminal.keys("k", "k", "k")
        terminal.wait("> .*Step 2")
        terminal.keys("Enter")
        terminal.wait("line 3 of it")
        with file.open("a") as more:
            more.write("a new one\n")
        terminal.keys("q")
        terminal.wait("> .*Step 2(.|\n)*OK exit 0")
        terminal.keys("G")
        terminal.wait("│ a new one")
        terminal.keys("4", "x")
        terminal.wait(r"Stop which\?(.|\n)*tail -f")
        terminal.keys("Enter")
        terminal.wait("1 running", gone=True)
        terminal.wait("Stopped gently")
        terminal.keys("q")
        terminal.wait("exit status 0")


def test_leaving_tells_what_still_runs(tmp_path: Path, file: Path) -> None:
    with opened(tmp_path) as terminal:
        ready(terminal)
        terminal.keys("G")
        terminal.wait("> .*Step 5")
        terminal.keys("Enter")
        terminal.wait("· 1 running ·")
        terminal.keys("q")
        screen = terminal.wait("exit status 0")
        assert "1 command goes on on its host" in re.sub(r"\s+", " ", screen)
    with opened(tmp_path) as terminal:
        terminal.wait("An incident is open")
        terminal.keys("Enter")
        terminal.wait("> .*Step 5")
        terminal.wait("running on this machine; x stops it")
        terminal.keys("x")
        terminal.wait("1 running", gone=True)


def test_a_shell_on_the_host_is_opened_by_name(tmp_path: Path, file: Path) -> None:
    with opened(tmp_path) as terminal:
        ready(terminal)
        terminal.keys(":")
        terminal.wait("What to do?")
        terminal.type("open a shell")
        terminal.wait("Open a shell on this machine")
        terminal.keys("Enter")
        terminal.wait(r"Why recover\s")
        terminal.wait("write the reason")  # what is typed before is thrown away
        terminal.type("to look around")
        terminal.keys("Enter")
        terminal.wait("y runs it")
        terminal.keys("y")
        terminal.wait("in your terminal on this machine")
        terminal.wait(r"[#$] *\n")
        terminal.type("echo $((6 * 7)); exit 4")
        terminal.keys("Enter")
        assert "\n42" in terminal.wait("it ended with exit status 4. Press enter")
        terminal.keys("Enter")
        is_whole(terminal)
        terminal.keys("4")
        terminal.wait("Used a terminal on this machine(.|\n)*exit 4")


@pytest.mark.root
def test_sudo_is_given_its_password_and_comes_back(
    request: pytest.FixtureRequest, tmp_path: Path, file: Path, sshd: StartSshd
) -> None:
    if os.geteuid() != 0 or shutil.which("sudo") is None:
        not_tested(request, "a sudo that wants a password", ["not root, or no sudo"])
    server = sshd(account=ANA)
    config = tmp_path / "cockpit.yaml"
    config.write_text(
        f"ssh_config: {server.ssh_config}\nhosts:\n  prod-1:\n    ssh: {server.host}\n"
    )
    book = "# Sudo\n## Diagnosis\n### Step 1: Who\n```bash\nsudo cat /etc/shadow | head -n 1\n```\n"
    with opened(tmp_path, "--config", str(config), "--host", "prod-1", book=book) as terminal:
        ready(terminal, "prod-1")
        terminal.keys("Enter")
        terminal.wait("(?i)password.*: *\n")
        assert "Its end brings you back" in terminal.screen()
        terminal.type("opensesame")
        terminal.keys("Enter")
        screen = terminal.wait(r"OK exit 0 · \d+\.\d s in your terminal")
        assert "│ root:" in screen
        assert "opensesame" not in screen
        is_whole(terminal)


@asynccontextmanager
async def far(tmp_path: Path, sshd: StartSshd) -> AsyncIterator[tuple[Terminal, Proxy]]:
    """A cockpit whose host is behind a proxy."""
    server = sshd()
    async with Proxy("127.0.0.1", server.port) as proxy:
        config = tmp_path / "cockpit.yaml"
        there = server.client_config(tmp_path / "client", proxy.port)
        config.write_text(f"ssh_config: {there}\nhosts:\n  prod-1:\n    ssh: {server.host}\n")
        with opened(tmp_path, "--config", str(config), "--host", "prod-1") as terminal:
            yield terminal, proxy


async def test_over_the_link_and_back_when_it_is_lost(
    tmp_path: Path, file: Path, sshd: StartSshd
) -> None:
    async with far(tmp_path, sshd) as (terminal, proxy):
        aside = anyio.to_thread.run_sync
        await aside(ready, terminal, "prod-1")
        terminal.keys("Enter")
        await aside(terminal.wait, r"It ends if the link drops(.|\n)*\nWhich\? *\n")
        terminal.type("disks")
        terminal.keys("Enter")
        await aside(terminal.wait, r"OK exit 0 · \d+\.\d s in your terminal")

        terminal.keys("Enter")
        await aside(terminal.wait, ASKED)
        await proxy.cut()
        await aside(terminal.wait, r"UNKNOWN the link was lost after")
        await aside(is_whole_but_for_the_link, terminal)


def is_whole_but_for_the_link(terminal: Terminal) -> None:
    screen = terminal.wait(r"q quit *\n*\Z")
    assert "in your terminal on" not in screen
