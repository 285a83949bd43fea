"""`cockpit runbook test`: what only reads is run for real, what changes something never is."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from cockpit import headless, paths, trial
from cockpit.cli import main
from cockpit.config import Config
from cockpit.incident.incident import fold
from cockpit.incident.journal import list_incidents, read, verify
from cockpit.incident.summary import open_incidents
from cockpit.junit import KEPT, Suite, document
from cockpit.runbook import parse
from cockpit.runbook.record import records
from cockpit.target import guard
from cockpit.text import Safe
from tests import processes
from tests.lab.fixtures import StartSshd
from tests.lab.lab import Lab
from tests.lab.proxy import Proxy

ROOT = Path(__file__).parents[1]
COCKPIT = Path(sys.executable).with_name("cockpit")
BOOK = """# Disk full

## Diagnosis

```bash
# Look
echo looking
# Expected: "looking"

ls /no-such-folder-anywhere

echo 503
# Expected: 200

printf 'a\\001b\\377c\\n'

tail -f /dev/null

ls <FOLDER>

less notes.txt
```

## Recovery

```bash
touch {mark}
rm -rf {mark}
touch {mark}; true
```
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("COCKPIT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trial, "ENDLESS_FOR", 0.5)
    (tmp_path / "book.md").write_text(BOOK.format(mark=tmp_path / "mark"))
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["runbook", "test", *arguments])


def book(home: Path, *commands: str) -> str:
    lines = "\n".join(commands)
    (home / "own.md").write_text(f"# Own\n\n## Diagnosis\n\n```bash\n{lines}\n```\n")
    return "own.md"


def tried(home: Path, *more: str) -> list[dict[str, object]]:
    (suite,) = json.loads(call("own.md", "--json", *more).stdout)
    commands: list[dict[str, object]] = suite["commands"]
    return commands


def test_what_reads_is_run_and_what_changes_is_listed(home: Path) -> None:
    done = call("book.md")
    assert done.exit_code == 1
    assert not (home / "mark").exists()
    text = done.output
    assert 'ok    line 7: echo looking\n        exit status 0; printed "looking"' in text
    assert "FAIL  line 10: ls /no-such-folder-anywhere" in text
    assert "No such file or directory" in text
    assert "FAIL  line 12: echo 503" in text
    assert "expected 200" in text
    assert "ok    line 17: tail -f /dev/null\n        does not end; stopped after 0.5 s" in text
    assert "line 19: ls <FOLDER>\n        not run: <FOLDER> has no value yet" in text
    assert "line 21: less notes.txt\n        not run: " in text
    for number in (27, 28, 29):
        assert f"-     line {number}: " in text
    assert text.count("not run: changes something: ") == 3
    assert "5 run: 3 ok, 2 failed; 5 not run" in text


def test_when_all_is_well_the_exit_status_is_0(home: Path) -> None:
    assert call(book(home, "echo well", '# Expected: "well"')).exit_code == 0


def test_an_exit_status_that_the_author_expects_is_no_failure(home: Path) -> None:
    book(home, "grep -q x /dev/null", "# Expected: exit status 1", "", "grep -q x /dev/null")
    assert [(one["outcome"], one["exit_status"]) for one in tried(home)] == [
        ("ok", 1),
        ("failed", 1),
    ]


def test_values_for_placeholders(home: Path) -> None:
    book(home, "ls -d <FOLDER>", "# Expected: exit status 0")
    (one,) = tried(home, "--value", f"FOLDER={home}")
    assert (one["outcome"], one["command"]) == ("ok", f"ls -d {home}")
    assert call("own.md", "--value", "FOLDER").exit_code == 2


def test_a_value_cannot_turn_a_reading_command_into_another(home: Path) -> None:
    book(home, "ls <FOLDER>")
    tried(home, "--value", f"FOLDER=x; touch {home / 'mark'}")
    assert not (home / "mark").exists()


def test_a_variable_of_a_command_that_was_not_run_is_missing(home: Path) -> None:
    book(home, f"NAME=$(touch {home / 'mark'}; echo x)", 'echo "$NAME"', "DIR=/", 'ls "$DIR"')
    first, second, _, fourth = tried(home)
    assert first["outcome"] == "not run"
    assert second["outcome"] == "not run"
    assert "NAME" in str(second["why"])
    assert fourth["outcome"] == "ok"


def test_a_command_that_does_not_end_in_time_is_stopped_and_has_failed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "LONGEST", 0.5)
    book(home, "sleep 60")
    (one,) = tried(home)
    assert one["outcome"] == "failed"
    assert "did not end within 0.5 s" in str(one["why"])


def test_secrets_are_in_no_report(home: Path) -> None:
    secret = "sk_" + "live_0123456789abcdefghij"
    book(home, f"echo {secret}", f"echo {secret} >&2; false")
    done = call("own.md", "--junit", "out.xml")
    assert done.exit_code == 1
    assert secret not in done.output
    assert secret not in (home / "out.xml").read_text()
    assert "REDACTED:stripe" in (home / "out.xml").read_text()


def test_junit_is_well_formed_whatever_was_printed(home: Path) -> None:
    done = call("book.md", "--junit", "out.xml")
    root = ElementTree.parse(home / "out.xml").getroot()
    (suite,) = root.findall("testsuite")
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "10", "failures": "2", "errors": "0", "skipped": "5"}
    cases = suite.findall("testcase")
    assert len(cases) == 10
    assert [case.find("skipped") is not None for case in cases].count(True) == 5
    odd = cases[3].find("system-out")
    assert odd is not None
    assert odd.text == "a␁b\\xffc"
    assert done.exit_code == 1


def test_junit_holds_any_text_and_not_too_much_of_it() -> None:
    text = "# B\n\n```bash\necho x\n```\n"
    section, step, command = next(parse.parse(text, "b.md").commands())
    output = Safe("\ufffe\x00]]>&<\ud800" + "x" * 200_000 + "the end")
    failed = trial.Outcome.FAILED
    one = trial.Tried(section, step, command, output, failed, output, 1, 0.1, output)
    suite = Suite(parse.parse(text, "b.md"), "h", datetime.now(UTC), [one], "lost & gone")
    root = ElementTree.fromstring(document([suite]))
    told = root.findtext("testsuite/testcase/system-out") or ""
    assert told.endswith("the end")
    assert len(told) < 2 * KEPT + 100
    assert root.find("testsuite/testcase/error") is not None


def test_the_journal_is_whole_and_no_incident_and_counts_as_a_run(home: Path) -> None:
    call("book.md")
    (folder,) = list_incidents(paths.trials())
    assert verify(folder) == ()
    kept = fold(read(folder).records)
    assert len(kept.runs) == 5
    assert all(run.over and run.asked.risk == "read" for run in kept.runs.values())
    assert open_incidents(paths.incidents(), training=False) == []
    assert open_incidents(paths.incidents(), training=True) == []
    found = records([paths.incidents(), paths.trials()], cache=home / "cache.json")
    record = found.of(home / "book.md", "Disk full")
    assert record.last_tried is not None
    assert (record.runs, record.trainings) == (0, 1)


def test_lint_knows_of_the_trial(home: Path) -> None:
    book(home, "echo x")
    (home / "book.md").write_text((home / "own.md").read_text().replace("# Own", "# Book"))
    call("own.md")
    told = json.loads(CliRunner().invoke(main, ["lint", "--json", "book.md", "own.md"]).stdout)
    never = [one["path"] for one in told["findings"] if one["rule"] == "never-run"]
    assert never == ["book.md"]


@pytest.mark.anyio
async def test_what_the_gate_would_ask_for_is_not_sent(home: Path) -> None:
    async with headless.on("", Config(), "sam") as asked:
        for command in (f"touch {home / 'mark'}", f"rm -rf {home}", "some-unknown-program"):
            with pytest.raises(headless.Shut):
                await asked.read(command, seconds=5)
        assert asked.folder is None
    assert not (home / "mark").exists()


@pytest.mark.anyio
async def test_every_command_passes_the_gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []
    ask = guard.ask

    def seen(intent: guard.Intent) -> guard.Ask:
        levels.append(ask(intent).level)
        return ask(intent)

    monkeypatch.setattr(guard, "ask", seen)
    runbook = parse.read(home / "book.md")
    async with headless.on("", Config(), "sam", runbook) as asked:
        found = await trial.attempt(asked, runbook, {})
        runs = asked.responder.incident.runs
    ran = [one for one in found if one.outcome is not trial.Outcome.NOT_RUN]
    assert len(ran) == len(runs) == 5
    assert len(levels) >= 5
    assert set(levels) == {guard.Level.OPEN}


def test_a_host_that_cannot_be_reached_is_exit_status_2_and_an_error_in_the_report(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headless, "REACH_PATIENCE", 1.0)
    (home / "ssh_config").write_text("Host far\n  HostName 127.0.0.1\n  Port 9\n")
    (home / "cockpit.yaml").write_text("ssh_config: ssh_config\nhosts: {far: far}\n")
    done = call("book.md", "--host", "far", "--junit", "out.xml")
    assert done.exit_code == 2
    assert "far" in done.stderr
    assert ElementTree.parse(home / "out.xml").find("testsuite/testcase/error") is not None
    assert call("gone.md").exit_code == 2


@pytest.mark.parametrize(("told", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_what_runs_and_the_report_is_written(
    home: Path, told: signal.Signals, status: int
) -> None:
    long = f"61.{os.getpid()}{told:02}"
    book(home, "echo first", f"sleep {long}")
    process = subprocess.Popen(
        [COCKPIT, "runbook", "test", "own.md", "--junit", "out.xml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not sleeping(long) and time.monotonic() < until:
        time.sleep(0.05)
    assert sleeping(long)
    process.send_signal(told)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "ok    line 6: echo first" in out
    assert "Stopped" in err
    # Its shell is gone, and it is signalled: it ends when it is next on a CPU.
    until = time.monotonic() + 30
    while sleeping(long):
        assert time.monotonic() < until
        time.sleep(0.05)
    root = ElementTree.parse(home / "out.xml").getroot()
    assert [case.get("name") for case in root.iter("testcase")] == ["line 6: echo first"]
    (folder,) = list_incidents(home / "state" / "trials")
    assert fold(read(folder).records).running() == ()


def sleeping(seconds: str) -> bool:
    """Whether a `sleep` for so many seconds runs on this machine."""
    wanted = f"sleep\0{seconds}\0".encode()
    for place in processes.files("cmdline"):
        try:
            if place.read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False


def test_over_a_real_sshd(home: Path, sshd: StartSshd) -> None:
    server = sshd()
    (home / "cockpit.yaml").write_text(
        f"ssh_config: {server.ssh_config}\nhosts: {{there: {server.host}}}\n"
    )
    book(home, 'echo "home is $HOME"', f'# Expected: "{server.home}"', f"touch {home}/mark")
    one, two = tried(home, "--host", "there")
    assert one["outcome"] == "ok"
    assert two["outcome"] == "not run"
    assert not (home / "mark").exists()


@pytest.mark.anyio
async def test_the_result_comes_back_after_the_link_was_cut(home: Path, sshd: StartSshd) -> None:
    server = sshd()
    async with Proxy("127.0.0.1", server.port) as proxy:
        config = Config(ssh_config=server.client_config(home, proxy.port))
        book(home, "sleep 2; echo came back", "# Expected: came back")
        runbook = parse.read(home / "own.md")
        async with headless.on(server.host, config, "sam", runbook) as asked:
            work = asyncio.create_task(trial.attempt(asked, runbook, {}))
            while not asked.responder.incident.runs:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            await proxy.drop()
            (one,) = await work
            asked_for = [run.asked.command for run in asked.responder.incident.runs.values()]
    assert (one.outcome, one.output) == (trial.Outcome.OK, "came back")
    assert len(asked_for) == 1


def test_a_shipped_runbook_on_the_real_host(home: Path, service: Lab) -> None:
    config = service.write_config(home)
    health = "docker inspect --format '{{.State.Health.Status}}' kamiyo"
    until = time.monotonic() + 60
    while service.run(health).stdout.strip() != "healthy" and time.monotonic() < until:
        time.sleep(0.2)
    before = service.run("docker ps -a --no-trunc --format '{{.ID}} {{.State}}' | sort").stdout
    name = ROOT / "runbooks" / "01_database_connection_loss.md"
    done = call(str(name), "--host", "prod-1", "--config", str(config), "--json")
    (suite,) = json.loads(done.stdout)
    outcomes = {one["line"]: one for one in suite["commands"]}
    assert [one for one in outcomes.values() if one["outcome"] == "failed"] == []
    assert sum(one["outcome"] == "ok" for one in outcomes.values()) >= 12
    assert all(one["outcome"] == "not run" for one in outcomes.values() if one["risk"] != "read")
    assert done.exit_code == 0
    after = service.run("docker ps -a --no-trunc --format '{{.ID}} {{.State}}' | sort").stdout
    assert before == after


def test_what_was_to_hold_after_a_change_is_not_judged_without_it(home: Path) -> None:
    book(home, f"touch {home}/mark", f"ls {home}/mark", "# Expected: exit status 0")
    change, look = tried(home)
    assert change["outcome"] == "not run"
    assert look["outcome"] == "ok"
    assert "not judged" in str(look["why"])
