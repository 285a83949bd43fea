"""One command goes on where the one before it left off: asked, told, remembered, taken up again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit import runs
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.incident import RunState, fold
from cockpit.incident.journal import list_incidents, read
from cockpit.incident.timeline import line
from cockpit.responder import CannotRun, Chosen, Responder
from cockpit.runbook import parse, placeholders
from cockpit.target import guard
from screens.panes.run_rows import verdict
from tests import processes
from tests.screens.tmux import Terminal, cockpit
from tests.target import ground

BOOK = """# Pod down
## Diagnosis
```bash
cd {there}
POD=web-1; export REGION=eu
pwd; echo "$POD $REGION"
echo <NOTE>
docker logs -f $POD
```
## Recovery
```bash
rm -rf "$DIR"/*
```
```bash {{"risk": "destroy", "timeout": "4s"}}
sleep 90
```
```bash {{"host": "db-1"}}
uptime
```
"""


@pytest.fixture
def book(tmp_path: Path) -> str:
    (tmp_path / "there").mkdir()
    return BOOK.format(there=tmp_path / "there")


def at_work(tmp_path: Path, book: str) -> Responder:
    one = Responder(tmp_path / "incidents", "sam", Config())
    one.open_runbook(parse.parse(book, "pod.md"))
    one.target.workdir = str(tmp_path)
    return one


@pytest.fixture
async def responder(
    tmp_path: Path, book: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Responder]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    one = at_work(tmp_path, book)
    yield one
    await one.close()


def command(responder: Responder, word: str) -> Chosen:
    assert responder.runbook is not None
    for section, step, found in responder.runbook.commands():
        if word in found.text:
            return Chosen(responder.runbook, section, step, found)
    raise AssertionError(f"no command with {word}")


def asked(responder: Responder, word: str) -> guard.Ask:
    chosen = command(responder, word)
    return guard.ask(responder.intent(chosen.command.text, chosen))


async def ask_to_run(responder: Responder, text: str, chosen: Chosen) -> str:
    question = guard.ask(responder.intent(text, chosen))
    leave = guard.answer(question, confirmed=True, typed="this machine", reason="in a test")
    return await responder.run(leave, chosen)


async def run(responder: Responder, word: str, text: str = "") -> str:
    """Runs a command of the runbook, or what was made of it; returns what it printed."""
    chosen = command(responder, word)
    job = await ask_to_run(responder, text or chosen.command.text, chosen)
    await over(responder, job)
    return responder.log.output_text(job)


async def over(responder: Responder, job: str) -> None:
    async with asyncio.timeout(60):
        while not responder.incident.runs[job].over:
            await asyncio.sleep(0.02)


def journal(responder: Responder) -> list[e.Event]:
    assert responder.folder is not None
    return [record.event for record in read(responder.folder).records]


pytestmark = pytest.mark.anyio


async def test_the_next_command_goes_on_where_the_last_one_was(
    responder: Responder, tmp_path: Path
) -> None:
    there = str(tmp_path / "there")
    assert responder.preview(command(responder, "pwd")).directory == str(tmp_path)
    await run(responder, "cd")
    await run(responder, "POD=")
    preview = responder.preview(command(responder, "pwd"))
    assert (preview.directory, preview.carries) == (there, ("REGION", "POD"))
    intent = asked(responder, "pwd").intent
    assert (intent.workdir, intent.carries, intent.doubt) == (there, ("REGION", "POD"), "")
    assert await run(responder, "pwd") == f"{there}\nweb-1 eu\n"
    assert [r.asked.workdir for r in responder.incident.runs.values()] == [str(tmp_path)] + [
        there
    ] * 2


async def test_values_of_variables_stay_on_the_host(responder: Responder) -> None:
    await run(responder, "POD=", "export TOKEN_FILE=unheard-of; POD=unheard-of")
    await responder.close()
    assert responder.folder is not None
    text = (responder.folder / "journal.jsonl").read_text()
    lines = [line for line in text.splitlines() if "unheard-of" in line]
    assert len(lines) == 1  # the command itself, as it was asked for
    (kept,) = [event for event in journal(responder) if isinstance(event, e.SessionKept)]
    assert kept.variables == ("TOKEN_FILE", "POD")


async def test_a_variable_is_asked_for_until_a_command_really_set_it_there(
    responder: Responder,
) -> None:
    follow = command(responder, "logs -f")
    assert follow.command.placeholders == ()  # the file sets it further up
    assert [str(name) for name in responder.preview(follow).missing] == ["POD"]
    with pytest.raises(CannotRun, match=r"\$POD has no value"):
        responder.intent(follow.command.text, follow)
    responder.skip(command(responder, "POD=").step, "not here")
    assert responder.preview(follow).missing
    await run(responder, "POD=", "POD=$(true)")  # it ran, and found none
    assert responder.preview(follow).missing
    await run(responder, "POD=")
    assert not responder.preview(follow).missing
    assert responder.intent(follow.command.text, follow).turn
    clean = command(responder, "DIR")
    with pytest.raises(CannotRun, match=r"\$DIR has no value"):
        responder.intent(clean.command.text, clean)


async def test_another_host_and_another_runbook_know_nothing_of_it(
    responder: Responder, book: str
) -> None:
    await run(responder, "POD=")
    responder.open_runbook(parse.parse(book, "other.md"))
    assert responder.preview(command(responder, "logs -f")).missing
    responder.open_runbook(parse.parse(book, "pod.md"))
    assert not responder.preview(command(responder, "logs -f")).missing
    responder.choose_host("elsewhere.invalid")
    assert responder.preview(command(responder, "logs -f")).missing


@pytest.mark.parametrize(
    "text", ["cat <FILE>", "rm -rf $DIR/*", "echo a > x <NAME> y", "echo $(cat <FILE>)"]
)
async def test_what_is_not_filled_in_never_reaches_a_shell(responder: Responder, text: str) -> None:
    with pytest.raises(CannotRun, match="no value"):
        responder.intent(text)
    with pytest.raises(CannotRun, match="no value"):
        responder.intent(text, command(responder, "pwd"))


async def test_a_value_is_literal_text_whatever_it_holds(responder: Responder) -> None:
    chosen = command(responder, "NOTE")
    for value in ("<b> $HOME `id` $(id) it's", "-n", "a;b|c>d", "<NOTE>"):
        text = placeholders.fill(chosen.command.text, {"NOTE": value})
        said = await run(responder, "NOTE", text)
        assert said == ("" if value == "-n" else f"{value}\n")
    await run(responder, "POD=")
    text = placeholders.fill("echo it is $WHAT", {"WHAT": "$POD"}, ("POD",))
    assert await run(responder, "pwd", text) == "it is $POD\n"


async def test_values_are_remembered_and_secrets_are_not(
    responder: Responder, tmp_path: Path, book: str
) -> None:
    chosen = command(responder, "NOTE")
    assert responder.preview(chosen).missing == ("NOTE",)
    responder.remember({"NOTE": "two words", "DB_PASSWORD": "hunter2", "KEY": "é\x1b[1m"}, chosen)
    assert responder.preview(chosen).text == "echo 'two words'"
    assert responder.preview(chosen).missing == ()
    responder.remember({"NOTE": "two words"}, chosen)
    await responder.close()
    given = [event for event in journal(responder) if isinstance(event, e.ValueGiven)]
    assert given == [e.ValueGiven(name="NOTE", value="two words", runbook="pod.md")]
    (folder,) = list_incidents(tmp_path / "incidents")
    assert "hunter2" not in (folder / "journal.jsonl").read_text()
    again = at_work(tmp_path, book)
    again.take_up(folder)
    assert again.preview(command(again, "NOTE")).text == "echo 'two words'"
    assert [again.incident.value("pod.md", name) for name in ("DB_PASSWORD", "KEY")] == ["", ""]
    assert again.incident.value("other.md", "NOTE") == "two words"
    await again.close()


async def test_a_secret_that_was_given_is_not_written_down_with_the_command(
    responder: Responder,
) -> None:
    chosen = command(responder, "NOTE")
    responder.remember({"DB_PASSWORD": "hunter2"}, chosen)
    await run(responder, "NOTE", ": mysql -phunter2 kamiyo")
    await responder.close()
    assert responder.folder is not None
    for file in ("journal.jsonl", "incident.md"):
        assert "hunter2" not in (responder.folder / file).read_text()
    (run_,) = responder.incident.runs.values()
    assert run_.asked.command.startswith(": mysql -p[REDACTED:given:")


async def test_what_is_gone_from_the_host_is_asked_about_before_anything_runs_without_it(
    responder: Responder, tmp_path: Path
) -> None:
    await run(responder, "cd")
    await run(responder, "POD=")
    for one in (tmp_path / ".cache/cockpit/jobs").iterdir():
        if one.is_dir():  # the mark of the place stays
            shutil.rmtree(one)
    assert "the command was not run" in await run(responder, "pwd")
    (last,) = [run for run in responder.incident.runs.values() if run.asked.command[:3] == "pwd"]
    assert last.exit_status == 125
    question = asked(responder, "cd")
    assert question.level is guard.Level.CONFIRM
    assert "was deleted. The next command starts afresh" in question.intent.doubt
    assert (question.intent.workdir, question.intent.carries) == (str(tmp_path), ())
    with pytest.raises(guard.Refused):
        guard.answer(question)
    assert responder.preview(command(responder, "logs -f")).missing
    await run(responder, "cd")
    assert asked(responder, "cd").level is guard.Level.OPEN
    assert asked(responder, "cd").intent.workdir == str(tmp_path / "there")


async def test_what_was_cut_off_before_it_could_be_kept_is_asked_about(
    responder: Responder, tmp_path: Path
) -> None:
    await run(responder, "cd")
    await run(responder, "POD=", "POD=x; kill -KILL $$")
    doubt = asked(responder, "cd").intent.doubt
    assert doubt.startswith("What `POD=x; kill -KILL $$` set is not there")
    assert asked(responder, "cd").intent.workdir == str(tmp_path / "there")
    await run(responder, "cd")
    assert not asked(responder, "cd").intent.doubt
    await run(responder, "cd", "ls / >/dev/null; kill -KILL $$")  # nothing to lose
    assert not asked(responder, "cd").intent.doubt


async def test_while_one_still_runs_the_next_is_told_what_it_may_lack(
    responder: Responder, tmp_path: Path
) -> None:
    (tmp_path / "slow").mkdir()
    go, slow = (
        tmp_path / "go",
        f"cd {tmp_path}/slow; until [ -e {tmp_path}/go ]; do sleep 0.05; done",
    )
    job = await ask_to_run(responder, slow, command(responder, "POD="))
    assert "still runs" in asked(responder, "cd").intent.doubt
    await run(responder, "cd")
    go.touch()
    await over(responder, job)
    # The later one has the say; that the other one's is not there is said.
    intent = asked(responder, "cd").intent
    assert intent.workdir == str(tmp_path / "there")
    assert "another command of the runbook ran meanwhile" in intent.doubt


async def test_a_cockpit_that_ended_in_between_goes_on_in_the_same_session(
    responder: Responder, tmp_path: Path, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(responder, "cd")
    chosen = command(responder, "POD=")
    waits = f"until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    job = await ask_to_run(responder, f"echo begun; {waits}; POD=late", chosen)
    async with asyncio.timeout(60):
        while responder.incident.runs[job].state is not RunState.RUNNING:
            await asyncio.sleep(0.02)
    await responder.close()
    assert responder.folder is not None
    again = at_work(tmp_path, book)
    again.take_up(responder.folder)
    again.reattach()
    monkeypatch.setattr(runs, "HEARING", 60.0)  # so long nobody waits for what has ended
    start = time.monotonic()
    caught = asyncio.create_task(again.caught_up(command(again, "pwd")))
    await asyncio.sleep(0.1)
    assert not caught.done()
    (tmp_path / "go").touch()
    await caught
    assert again.incident.runs[job].state is RunState.DONE
    assert time.monotonic() - start < 30
    assert await run(again, "pwd", 'pwd; echo "$POD"') == f"{tmp_path}/there\nlate\n"
    await again.close()


async def test_what_was_left_is_written_down_before_that_it_is_over(
    responder: Responder, tmp_path: Path, book: str
) -> None:
    await run(responder, "POD=")
    await responder.close()
    assert responder.folder is not None
    file = responder.folder / "journal.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds.index("session.kept") < kinds.index("command.finished")
    # Killed between the two: asked again, told again, written once.
    file.write_bytes(b"".join(lines[: kinds.index("session.kept") + 1]))
    again = at_work(tmp_path, book)
    again.take_up(responder.folder)
    again.reattach()
    (job,) = again.incident.runs
    await over(again, job)
    assert again.incident.session("pod.md", "this machine").job == job
    await again.close()
    kept = fold(read(responder.folder).records)
    assert kept.session("pod.md", "this machine").variables == ("REGION", "POD")
    told = [event for event in journal(again) if isinstance(event, e.SessionKept)]
    assert len(told) == 1


async def test_what_the_author_says_of_a_command_counts(responder: Responder) -> None:
    sleep = asked(responder, "sleep 90")
    assert (sleep.intent.risk, sleep.intent.because) == ("destroy", "the runbook says so")
    assert sleep.level is guard.Level.TYPE_NAME
    start = time.monotonic()
    await run(responder, "sleep 90")
    (last,) = responder.incident.runs.values()
    assert (last.state, last.exit_status) == (RunState.STOPPED, 143)
    assert "stopped at its time limit, exit 143" in "".join(words for words, _ in verdict(last))
    lines = [line(entry.record.event, responder.incident) for entry in responder.incident.entries]
    assert any("stopped at its time limit, exit 143" in words for words in lines)
    assert time.monotonic() - start < 60
    assert asked(responder, "uptime").intent.host == "db-1"
    assert responder.preview(command(responder, "uptime")).host == "db-1"
    assert responder.target.name == "this machine"


# Killed, in a real terminal, over SSH


@pytest.fixture
def server() -> Iterator[ground.Lab]:
    if ground.SSHD is None or shutil.which("tmux") is None:
        pytest.skip("needs sshd and tmux")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="cockpit-carry-"))
    ground.keygen(home / "id_test")
    made = ground.Lab(home)
    made.sshd()
    yield made
    for one in made.servers:
        one.stop()
    shutil.rmtree(home, ignore_errors=True)


TMUX_BOOK = """# Pod down
## Diagnosis
### Step 1: Find it
```bash
POD=$(echo web-7)
cd /usr/share
```
### Step 2: Look at it
```bash
echo "at $(pwd) is $POD"
```
"""


@pytest.mark.tmux
@pytest.mark.slow
def test_killed_in_between_it_goes_on_in_the_same_directory_with_the_same_variables(
    server: ground.Lab, tmp_path: Path
) -> None:
    port = server.servers[0].port
    ssh_config = server.config(f"Host prod-1\n  HostName 127.0.0.1\n  Port {port}")
    config = tmp_path / "cockpit.yaml"
    config.write_text(f"ssh_config: {ssh_config}\nhosts:\n  prod-1:\n    ssh: prod-1\n")
    book = tmp_path / "book.md"
    book.write_text(TMUX_BOOK)
    words = ("--config", str(config), "--host", "prod-1", "--runbook", str(book))
    environ = {"COCKPIT_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    with Terminal(cockpit(*words), environ=environ) as terminal:
        terminal.wait("prod-1 up")
        terminal.keys("Enter")
        terminal.wait(r"\$ POD=(.*\n)+.*OK exit 0")
        terminal.keys("j", "Enter")
        terminal.wait(r"▸ \$ cd (.*\n)+.*OK exit 0")
        terminal.wait("saved")
        kill(tmp_path)
    with Terminal(cockpit(*words), environ=environ) as terminal:
        terminal.wait("An incident is open")
        terminal.keys("Enter")
        terminal.wait("prod-1 up")
        terminal.wait("Cockpit taken up again")
        terminal.keys("G", "Enter")
        terminal.wait("│ at /usr/share is web-7")
        kill(tmp_path)


def kill(tmp_path: Path) -> None:
    """SIGKILL to the cockpit whose state is here."""
    found = subprocess.run(
        [
            "grep",
            "-lsaF",
            f"COCKPIT_HOME={tmp_path / 'state'}",
            *map(str, processes.files("environ")),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    pids = [int(Path(line).parent.name) for line in found.stdout.split()]
    ours = [pid for pid in pids if b"cockpit" in words(pid)]
    assert ours
    for pid in ours:
        # What it runs for a moment, as an ssh, may just have ended.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 30
    while any(words(pid) for pid in ours) and time.monotonic() < until:
        time.sleep(0.02)


def words(pid: int) -> bytes:
    """The command line of a process; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
