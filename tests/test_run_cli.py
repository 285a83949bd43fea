"""`cockpit run`: output, exit status, gate, link and signals, as a script finds them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cockpit import attend, headless, paths
from cockpit.cli import main
from cockpit.cli_run import Wish, _run
from cockpit.config import load
from cockpit.incident import events as e
from cockpit.incident.journal import Journal, verify
from cockpit.incident.summary import open_incidents
from tests.lab.fixtures import StartSshd
from tests.plain_cli import COCKPIT, Far, Ground, ended, ground, until
from tests.screens.pty_terminal import Terminal

pytestmark = pytest.mark.anyio
THERE = ("run", "--host", "prod-1", "--")


@pytest.fixture
def here(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.fixture
async def far(tmp_path: Path, sshd: StartSshd) -> AsyncIterator[Far]:
    async with ground(tmp_path, sshd) as made:
        yield made


async def test_output_and_status_are_those_of_the_command(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await far.call(*THERE, "echo out; echo err >&2; readlink /proc/self/fd/0; pwd; exit 7")
    assert (done.status, done.out) == (7, f"out\nerr\n/dev/null\n{far.server.home}\n".encode())
    assert done.err == ""
    (run,) = far.kept().runs.values()
    assert (run.exit_status, run.asked.host) == (7, "prod-1")
    assert verify(far.folders()[0]) == ()
    monkeypatch.setenv("COCKPIT_HOME", str(far.state))
    assert open_incidents(paths.incidents(), training=False) == []


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["echo", "a  b", "*", "$HOME", "it's"], "a  b * $HOME it's\n"),
        (["echo a  b | tr a-z A-Z"], "A B\n"),
        (["echo", "--host", "-x"], "--host -x\n"),
        (["printf '%s' \u00e9\u4e16"], "\u00e9\u4e16"),
    ],
)
async def test_several_words_arrive_as_they_are_and_one_is_a_line_of_shell(
    here: Ground, words: list[str], out: str
) -> None:
    done = await here.call("run", *words)
    assert (done.status, done.out.decode()) == (0, out)


async def test_five_megabytes_of_anything_are_the_same_though_the_link_was_cut(far: Far) -> None:
    data = os.urandom(5_000_000)
    source = far.home / "source"
    source.write_bytes(data)
    # Its end waits until the link was cut twice.
    waits = "[ $i != 4 ] || until [ -e go ]; do sleep 0.1; done"
    part = f"dd if={source} bs=1000000 skip=$i count=1 2>/dev/null; sleep 0.3"
    process = await far.start(*THERE, f"for i in 0 1 2 3 4; do {waits}; {part}; done; exit 3")
    work = asyncio.create_task(ended(process))
    for size in (1_000_000, 2_500_000):
        await until(lambda size=size: far.proxy.bytes_down > size)  # type: ignore[misc]
        await far.proxy.drop()
    (far.server.home / "go").touch()
    done = await work
    assert done.status == 3
    assert done.out == data
    assert "prod-1: link lost, the command goes on there; trying again" in done.err
    assert "prod-1: the link is back after" in done.err
    assert len(far.kept().runs) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["touch", "mark"], 126, "touch changes files. To run it, give --confirm change"),
        (["--confirm", "change", "rm", "-rf", "mark"], 126, "--confirm 'destroy:this machine'"),
        (["--confirm", "destroy:prod-1", "rm", "-rf", "mark"], 126, "'destroy:this machine'"),
        (["docker rm -f web db"], 126, "--confirm destroy:web or --confirm destroy:db"),
        (["ls <FILE> $POD"], 126, "<FILE>, $POD has no value"),
        (["top"], 126, "it needs a person (it fills the screen)"),
        (["--confirm", "yes", "touch", "mark"], 125, "it is written `change`, or `destroy:NAME`"),
        (["--no-such-option", "true"], 125, "--no-such-option"),
        ([], 125, "COMMAND"),
        (["--incident", "none", "true"], 125, "There is no incident none"),
        (["--config", "none.yaml", "true"], 125, "none.yaml"),
        (["kill -TERM $$"], 126, "--confirm"),
        (["--confirm", "destroy:this machine", "kill -TERM $$"], 143, ""),
        (["--confirm", "change", "no-such-program"], 127, ""),
        (["--timeout", "1", "sleep 60"], 124, "ended at its time limit of 1 s"),
    ],
)
def test_exit_statuses_say_whose_fault_it_was(
    here: Ground,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    told: str,
) -> None:
    inside(here, monkeypatch)
    (here.home / "mark").mkdir()
    done = CliRunner().invoke(main, ["run", *arguments])
    assert (done.exit_code, told in done.stderr) == (status, True), done.stderr
    assert (here.home / "mark").is_dir()
    assert bool(here.folders()) == (status not in (125, 126))


async def test_what_was_confirmed_is_run(here: Ground) -> None:
    assert (await here.call("run", "--confirm", "change", "touch", "x", "y")).status == 0
    done = await here.call("run", "--confirm", "destroy:this machine", "rm", "-rf", "x")
    assert done.status == 0
    assert not (here.home / "x").exists()
    assert (here.home / "y").exists()
    gates = [f.name for f in here.folders()]
    assert len(gates) == 2


async def test_on_the_timeline_of_an_incident_with_a_reason_before_diagnosis(far: Far) -> None:
    journal = Journal.create(far.state / "incidents", slug="slow", who="sam")
    journal.append(e.IncidentStarted())
    journal.append(e.HostChosen(host="prod-1"))
    name = journal.folder.name
    on_it = ("run", "--incident", name, "--confirm", "change")
    busy = await far.call(*on_it, "--reason", "full", "touch", "x")
    assert busy.status == 125
    assert "Nothing was run: another cockpit has" in busy.err
    journal.close()
    refused = await far.call(*on_it, "touch", "x")
    assert refused.status == 126
    assert "Why recover first?" in refused.err
    assert refused.err.endswith("give --confirm change and --reason TEXT\n")
    assert (await far.call(*on_it, "--reason", "full", "touch", "x")).status == 0
    assert (far.server.home / "x").exists()  # where the incident's commands run
    shown = (await far.call("incident", "show", name)).out.decode()
    assert "Run on prod-1: `touch x` (change, confirmed) Reason: full" in shown
    assert far.folders() == []


@pytest.mark.parametrize(("presses", "status"), [(1, 143), (2, 125)])
async def test_ctrl_c_stops_it_and_once_more_leaves_it(far: Far, presses: int, status: int) -> None:
    # The second one is pressed while the first is still at work.
    ignores = "trap '' TERM; " if presses == 2 else ""
    process = await far.start(*THERE, f"{ignores}echo begun; sleep 77 & wait; wait")
    assert process.stdout and process.stderr
    assert await process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    said = await process.stderr.readline()
    assert said.startswith(b"prod-1: stopping the command gently; ctrl+c again leaves it running")
    if presses == 2:
        process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert done.status == status
    if presses == 1:
        assert "Stopped gently" in done.err
        assert far.kept().running() == ()
    else:
        (run,) = far.kept().running()
        assert "prod-1: the command goes on there. Its output and end: cockpit job" in done.err
        assert f"cockpit job attach {run.job[:8]}; to end it" in done.err
        assert (await far.call("job", "stop", run.job)).status == 0


async def test_ctrl_c_waits_for_what_outlives_the_command_and_says_so(far: Far) -> None:
    deaf = "(trap '' TERM; echo begun; while :; do sleep 0.2; done) & sleep 77"
    process = await far.start(*THERE, deaf)
    assert process.stdout
    assert await process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert done.status == 143
    assert "Killed, as it did not stop gently" in done.err


async def test_a_stop_on_this_machine_goes_on_though_cockpit_was_left(here: Ground) -> None:
    deaf = "trap '' TERM; echo $$; while :; do sleep 0.2; done"
    process = await here.start("run", "--", deaf)
    assert process.stdout and process.stderr
    pid = int(await process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert b"stopping the command gently" in await process.stderr.readline()
    (run,) = here.kept().runs.values()
    await until((Path(run.asked.root) / "jobs" / run.job / "asked").is_symlink)
    process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert done.status == 125
    assert "Traceback" not in done.err
    await until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_from_elsewhere_leaves_it_running(far: Far, told: signal.Signals) -> None:
    waits = "while [ ! -e go ]; do sleep 0.1; done"
    process = await far.start(*THERE, f"echo begun; {waits}; echo ended; exit 4")
    assert process.stdout
    await process.stdout.readline()
    process.send_signal(told)
    done = await ended(process)
    assert done.status == 125
    assert "the command goes on there" in done.err
    (job,) = await far.jobs()
    (far.server.home / "go").touch()
    attached = await far.call("job", "attach", job["id"][:6])
    assert (attached.status, attached.out) == (4, b"begun\nended\n")


@pytest.mark.parametrize(
    ("confirm", "status"), [((), 141), (("--confirm", "change"), 5)], ids=["read", "change"]
)
async def test_a_reader_that_has_gone_ends_what_reads_and_not_what_changes(
    here: Ground, confirm: tuple[str, ...], status: int
) -> None:
    more = f"touch {here.home}/went; exit 5" if confirm else "sleep 60"
    waits = f"while [ ! -e {here.home}/go ]; do sleep 0.1; done"
    process = await here.start("run", *confirm, f"echo first; {waits}; seq 5000; {more}")
    assert process.stdout and process.stderr
    assert await process.stdout.readline() == b"first\n"
    process.stdout._transport.close()  # type: ignore[attr-defined]
    (here.home / "go").touch()
    async with asyncio.timeout(60):
        said = await process.stderr.read()
        assert await process.wait() == status
    assert (here.home / "went").exists() == bool(confirm)
    assert (b"goes on to its end" in said) == bool(confirm)
    assert here.kept().running() == ()


async def test_an_output_that_cannot_be_written_is_a_failure_and_is_kept(here: Ground) -> None:
    shell = await asyncio.create_subprocess_shell(
        f"{COCKPIT} run seq 5 > /dev/full",
        stderr=asyncio.subprocess.PIPE,
        env=here.environ,
        cwd=here.home,
    )
    done = await ended(shell)
    assert done.status == 125
    file = done.err.rstrip(".\n").rpartition("kept in ")[2]
    assert Path(file).read_bytes() == b"1\n2\n3\n4\n5\n"


async def test_a_closed_stdout_gets_into_no_journal(here: Ground) -> None:
    shell = await asyncio.create_subprocess_shell(
        f"{COCKPIT} run seq 5 >&- 2>&- <&-", env=here.environ, cwd=here.home
    )
    assert await shell.wait() == 0
    (folder,) = here.folders()
    assert verify(folder) == ()
    assert (folder / "evidence" / "0001-seq.txt").read_bytes() == b"1\n2\n3\n4\n5\n"


async def test_a_run_that_a_bad_disk_drove_away_is_no_incident(
    here: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.state.write_text("no folder")
    monkeypatch.setenv("COCKPIT_HOME", str(here.state))
    spare = paths.fallbacks()[1]
    try:
        done = await here.call("run", "echo", "kept")
        assert (done.status, done.out) == (0, b"kept\n")
        assert f"This incident is kept in {spare}/runs/" in done.err
        assert [one["command"] for one in await here.jobs("--all")] == ["echo kept"]
        assert (await here.call("incident", "list")).out.startswith(b"No incidents in ")
    finally:
        shutil.rmtree(spare, ignore_errors=True)


async def test_the_time_limit_holds_while_the_link_is_lost(
    far: Far, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    inside(far, monkeypatch)
    monkeypatch.setattr(attend, "LATE", 1.0)
    mark = far.home / "mark"
    wish = Wish(f"touch {mark}; sleep 60; touch {mark}2", "prod-1", timeout_s=8, confirm="change")
    work = asyncio.create_task(_run(wish, load(None), "sam"))
    await until(mark.exists)
    await far.proxy.cut()
    assert await work == 124
    assert "the link is still lost" in capfd.readouterr().err
    far.proxy.restore()
    (job,) = await far.jobs()
    assert (await far.call("job", "attach", job["id"])).status == 124
    assert not Path(f"{mark}2").exists()


async def test_a_host_that_does_not_answer_is_125_and_the_reason(
    far: Far, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    inside(far, monkeypatch)
    monkeypatch.setattr(headless, "REACH_PATIENCE", 1.0)
    await far.proxy.cut()
    assert await _run(Wish("true", "prod-1"), load(None), "sam") == 125
    assert "Nothing was run. prod-1" in capfd.readouterr().err
    assert far.folders() == []


def inside(there: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as one of those that are started there."""
    monkeypatch.setenv("COCKPIT_HOME", str(there.state))
    monkeypatch.setenv("HOME", str(there.home))
    monkeypatch.delenv("COCKPIT_CONFIG", raising=False)
    monkeypatch.chdir(there.home)


# At a terminal


def test_a_terminal_is_shown_nothing_that_acts_on_it(tmp_path: Path) -> None:
    (tmp_path / "cockpit.yaml").touch()
    command = r"printf 'a\033]52;c;aGk=\007b\tc\n\342\200\256x'"
    raw = at_terminal(tmp_path, ["run", command])
    assert b"\x1b" not in raw
    assert "a\u241bb".encode() in raw
    assert b"<U+202E>x" in raw


def test_a_passphrase_is_asked_for_unseen_and_without_a_terminal_refused(
    tmp_path: Path, sshd: StartSshd
) -> None:
    server = sshd()
    lock = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(server.user_key)]
    subprocess.run(lock, check=True, stdout=subprocess.DEVNULL)
    asks = server.ssh_config.read_text().replace("BatchMode yes", "BatchMode no")
    server.ssh_config.write_text(asks)
    (tmp_path / "cockpit.yaml").write_text(
        f"ssh_config: {server.ssh_config}\nhosts: {{prod-1: {{ssh: {server.host}}}}}\n"
    )
    raw = at_terminal(tmp_path, [*THERE, "echo let in"], typed="open sesame\r")
    assert b"\nlet in" in raw
    assert b"sesame" not in raw
    alone = subprocess.run(
        [COCKPIT, *THERE, "echo let in"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=Ground(tmp_path).environ,
        start_new_session=True,
        timeout=60,
    )
    assert (alone.returncode, alone.stdout) == (125, "")
    assert "There is no terminal to answer on" in alone.stderr


def at_terminal(home: Path, arguments: list[str], typed: str = "") -> bytes:
    """All that the command line wrote to a terminal; typed: the answer to what it asks."""
    environ = {**Ground(home).environ, "COCKPIT_CONFIG": str(home / "cockpit.yaml")}
    with Terminal([COCKPIT, *arguments], env=environ, whole_env=True) as terminal:
        if typed:
            terminal.read_until(lambda: b"passphrase" in terminal.raw.lower(), 60)
            terminal.type(typed)
        assert terminal.wait(60) == 0
        terminal.read_until_quiet()
        return bytes(terminal.raw)
