"""`cockpit check`: what is asked of this machine and of others, in time, and what is kept."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from cockpit import clock, paths
from cockpit.cli import main
from cockpit.config import Config, Destination, Service
from cockpit.incident import events as e
from cockpit.incident.history import read as journal
from cockpit.oncall import checks, here, kept, there
from cockpit.oncall.handbook import parse as handbook
from cockpit.oncall.handbook import read
from cockpit.oncall.model import Handbook
from cockpit.oncall.result import Check, Found, Mark, Result, carry_out, ok, worst
from cockpit.oncall.web import loopback
from cockpit.responder import Responder
from cockpit.text import Safe
from tests.lab.fixtures import not_tested
from tests.plain_cli import COCKPIT
from tests.screens.pty_terminal import Terminal

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 21, 3, 12, tzinfo=UTC)
HANDBOOK = """\
# On-Call

## Escalation

### Level 1: Primary

- **Name:** Ada Example
- **Phone:** +49 30 901820
- **Slack:** @ada
- **Timezone:** Europe/Berlin

## Access Verification

```bash
# Does it answer?
echo yes

# The way there
ssh prod-1

# It is broken
sh -c 'echo no such table >&2; exit 3'

# It changes something
touch changed
```

## Vendors

### Stripe

- **Dashboard:** https://dashboard.test/stripe

## Before Your Shift

- [ ] Phone is charged
- [ ] Laptop is charged
- [ ] Grafana: http://SERVER_IP:3000
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def asked(config: Config, read: Handbook, seconds: float = 30.0) -> dict[str, Result]:
    def plan(ground: there.Ground) -> list[Check]:
        return checks.plan(ground, read, NOW, lambda: here.terminal((80, 24), "utf-8", "xterm"))

    results = await there.ask_all(config, "sam", plan, seconds=seconds)
    return {one.name: one for one in results}


@asynccontextmanager
async def serving(status: str, *, after: float = 0.0) -> AsyncIterator[str]:
    """A real HTTP server on this machine that answers every request the same."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.sleep(after)
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/health"


# Together, in time


async def test_one_that_is_silent_holds_up_no_other_and_is_bad_at_the_deadline() -> None:
    gone: list[str] = []

    async def silent() -> Found:
        try:
            await asyncio.sleep(3600)
        finally:
            gone.append("given up")
        return ok("never")

    async def quick() -> Found:
        return ok("here")

    async def faulty() -> Found:
        raise KeyError("https://sam:hunter2secret@host/")

    names = ("silent", "quick", "faulty")
    asks: tuple[Callable[[], object], ...] = (silent, quick, faulty)
    told: list[str] = []
    plan = [Check(Safe(name), ask) for name, ask in zip(names, asks, strict=True)]  # type: ignore[arg-type]
    found = await carry_out(plan, 0.3, lambda number, one: told.append(one.name))
    assert told[-1] == "silent", "the others were told as they came"
    assert [one.mark for one in found] == [Mark.BAD, Mark.OK, Mark.BAD]
    assert found[0].line == "FAIL  silent: no answer within 0.3 s. Look at it by hand."
    assert "KeyError" in found[2].said and "hunter2secret" not in found[2].said
    assert gone == ["given up"]


def test_the_exit_status_is_that_of_the_worst() -> None:
    def results(*marks: Mark) -> list[Result]:
        return [Result(Safe("x"), mark, Safe("y")) for mark in marks]

    assert worst(results(Mark.OK, Mark.NOTE, Mark.YOURS)) == 0
    assert worst(results(Mark.OK, Mark.YOURS), manual=True) == 1
    assert worst(results(Mark.WARN, Mark.OK)) == 1
    assert worst(results(Mark.WARN, Mark.BAD, Mark.OK)) == 2


# This machine


@pytest.mark.parametrize(
    ("found", "mark", "said"),
    [
        (here.clock(here.Kept(True, 0.04), timesyncd=False, chrony=False), Mark.OK, "within 0.0 s"),
        (here.clock(here.Kept(False, 16), timesyncd=True, chrony=False), Mark.OK, "kept in sync"),
        (here.clock(here.Kept(False, 16), timesyncd=False, chrony=False), Mark.WARN, "nothing"),
        (here.clock(here.Kept(False, 16), timesyncd=False, chrony=True), Mark.NOTE, "chronyc"),
        (here.clock(None, timesyncd=False, chrony=False), Mark.NOTE, "does not tell"),
        (here.terminal((120, 40), "UTF-8", "xterm"), Mark.OK, "120x40"),
        (here.terminal((79, 24), "utf8", "xterm"), Mark.WARN, "79x24"),
        (here.terminal((59, 24), "utf-8", "xterm"), Mark.BAD, "59x24"),
        (here.terminal((80, 24), "ANSI_X3.4-1968", "xterm"), Mark.WARN, "not UTF-8"),
        (here.terminal((80, 24), "utf-8", "dumb"), Mark.BAD, "TERM is dumb"),
        (here.terminal(None, "", ""), Mark.NOTE, "no terminal"),
    ],
)
def test_what_is_so_here_in_words(found: Found, mark: Mark, said: str) -> None:
    assert (found.mark, said in found.said) == (mark, True), found


async def test_an_outbox_is_ready_where_its_secret_can_be_had() -> None:
    said = {
        name: await here.outbox(name, destination)
        for name, destination in {
            "unset": Destination("slack", env="NO_SUCH_VARIABLE"),
            "set": Destination("slack", env="PATH"),
            "printed": Destination("slack", command="echo https://hooks.example/secret"),
            "locked": Destination("slack", command="exit 2"),
            "open": Destination("ntfy", url="https://ntfy.sh/x"),
        }.items()
    }
    marks = {name: found.mark for name, found in said.items()}
    assert [name for name, mark in marks.items() if mark is Mark.WARN] == ["unset", "locked"]
    assert "NO_SUCH_VARIABLE is not set" in said["unset"].said
    assert said["printed"].said == "slack, with its secret"


def test_the_kernel_says_how_it_keeps_the_time() -> None:
    kernel = here.kept()
    assert kernel is not None
    assert 0 <= kernel.error <= 17, "seconds: it grows to 16 where nobody keeps it"


def test_a_disk_for_journals_that_is_full_or_shut_is_said(tmp_path: Path) -> None:
    assert here.journals(tmp_path / "not" / "there" / "yet").mark is Mark.OK
    shut = Path("/proc/self")
    assert here.journals(shut).mark is Mark.BAD


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("http://localhost:8000/x", True),
        ("http://127.8.8.8/x", True),
        ("http://[::1]:80/", True),
        ("http://0.0.0.0:80/", True),
        ("https://status.stripe.com", False),
        ("http://10.0.0.7/", False),
    ],
)
def test_loopback_is_the_machine_that_asks(url: str, is_own: bool) -> None:
    assert loopback(url) is is_own


# A whole round, without a host


async def test_a_round_on_this_machine(home: Path) -> None:
    (home / "ON_CALL.md").write_text(HANDBOOK)
    (home / "runbooks").mkdir()
    (home / "runbooks/a.md").write_text("# A\n\n## Diagnosis\n\n1. Look\n\n```bash\nuptime\n```\n")
    async with serving("200 OK") as well, serving("503 Busy") as ill:
        config = Config(
            services={
                "web": Service(health=well),
                "api": Service(health=ill),
                "nowhere": Service(health="http://127.0.0.1:9/"),
            },
            runbooks=(home / "runbooks",),
            outbox={"chat": Destination("slack", env="NO_SUCH_VARIABLE")},
        )
        found = await asked(config, handbook(HANDBOOK, str(home / "ON_CALL.md"), ""))
    marks = {name: one.mark for name, one in found.items()}
    assert found["web: health"].said == "answers 200"
    assert found["api: health"].said.endswith("answers 503.")
    assert "connection refused" in found["nowhere: health"].said
    assert marks["api: health"] is marks["nowhere: health"] is Mark.BAD
    assert marks["contacts"] is Mark.OK, found["contacts"]
    assert marks["outbox chat"] is Mark.WARN
    assert marks["runbooks"] is Mark.OK, found["runbooks"]
    assert marks["disk for journals"] is Mark.OK
    for name in ("Stripe dashboard", "Grafana"):
        assert marks[name] is Mark.WARN and "nobody's address" in found[name].said
    assert not (home / "state/trials").exists(), "no journal is left behind"


async def test_addresses_that_are_none_are_told_and_end_nothing(home: Path) -> None:
    urls = ["https://[grafana]/d", "https://logs.acme.com:PORT/", "http://[::1"]
    items = "".join(f"- [ ] dashboard: {url}\n" for url in urls)
    found = await asked(Config(), handbook(f"# On-call\n\n## Pre-shift checklist\n\n{items}"))
    told = [one for one in found.values() if "nobody's address" in one.said]
    assert len(told) == len(urls)
    assert {one.mark for one in told} == {Mark.WARN}


async def test_a_dashboard_at_the_end_of_a_tunnel_is_asked(home: Path) -> None:
    async with serving("200 OK") as well:
        items = f"- [ ] Traces: {well}\n- [ ] Kibana: http://127.0.0.1:9/\n"
        found = await asked(Config(), handbook(f"# On-call\n\n## Pre-shift checklist\n\n{items}"))
    assert (found["Traces"].mark, found["Traces"].said) == (Mark.OK, "answers 200")
    assert found["Kibana"].mark is Mark.WARN
    assert "http://127.0.0.1:9/ cannot be reached: connection refused." in found["Kibana"].line
    assert "is its tunnel open?" in found["Kibana"].line


async def test_commands_below_one_comment_are_told_apart(home: Path) -> None:
    fence = "```bash\n# host\nuptime\ndf -h /\n# Who am I?\nwhoami\n```\n"
    text = f"# On-call\n\n## Access Verification\n\n{fence}"
    found = await asked(Config(), handbook(text, "ON_CALL.md", ""))
    names = [name for name in found if name.startswith("this machine: ")]
    assert names == [
        "this machine: host: uptime", "this machine: host: df -h /", "this machine: Who am I?",
    ]  # fmt: skip


async def test_what_a_command_asks_at_its_end_gets_no_full_stop(home: Path) -> None:
    fence = "```bash\necho 'Is the daemon running?'; false\n```\n"
    found = await asked(Config(), handbook(f"# On-call\n\n## Access Verification\n\n{fence}"))
    (failed,) = [one for name, one in found.items() if name.startswith("this machine: ")]
    assert failed.said.endswith("it says: Is the daemon running?"), failed.said


async def test_what_the_handbook_has_verified_is_run_where_it_only_reads(home: Path) -> None:
    found = await asked(Config(), handbook(HANDBOOK, "ON_CALL.md", ""))
    access = {name: one for name, one in found.items() if name.startswith("this machine: ")}
    said = {one.mark: one.said for one in access.values()}
    assert len(access) == 4, access
    assert [one.mark for one in access.values()] == [Mark.OK, Mark.NOTE, Mark.BAD, Mark.NOTE]
    assert "exit status 3" in said[Mark.BAD] and "no such table" in said[Mark.BAD]
    assert not (home / "changed").exists()


async def test_commands_below_one_heading_are_told_apart(home: Path) -> None:
    fence = "```bash\n{}\n```\n"
    text = "# On-call\n\n## Quick Commands\n\n### Access\n\n" + "\n".join(
        fence.format(one) for one in ("# Who am I?\nwhoami", "pwd", "true")
    )
    found = await asked(Config(), handbook(text, "ON_CALL.md", ""))
    names = [name for name in found if name.startswith("this machine: ")]
    assert names == ["this machine: Who am I?", "this machine: pwd", "this machine: true"]


async def test_one_that_hangs_takes_not_the_time_of_those_behind_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ACCESS_S", 10)
    commands = ("sleep 700", "echo password=correct-horse-battery; false", "echo yes")
    fences = "\n".join(f"```bash\n{command}\n```\n" for command in commands)
    found = await asked(Config(), handbook(f"# On-call\n\n## Access Verification\n\n{fences}"))
    hung, failed, well = [one for name, one in found.items() if name.startswith("this machine: ")]
    assert (hung.mark, failed.mark, well.mark) == (Mark.BAD, Mark.BAD, Mark.OK)
    assert "did not end within 10 s" in hung.said
    assert "correct-horse" not in failed.line, "the result is kept, and told at an incident"


async def test_a_server_that_never_answers_is_said_at_the_deadline() -> None:
    async with serving("200 OK", after=60) as url:
        config = Config(services={"slow": Service(health=url)})
        found = await asked(config, Handbook(), seconds=6.0)
    assert found["slow: health"].said == "no answer within 6 s."
    assert found["disk for journals"].mark is Mark.OK


# What is kept


def result(name: str, mark: Mark, said: str = "said") -> Result:
    return Result(Safe(name), mark, Safe(said))


def test_only_what_is_wrong_or_old_is_worth_saying() -> None:
    assert kept.worth_saying(None, NOW) is None
    assert kept.last() is None
    assert kept.keep("ready", [result("a", Mark.OK)], NOW) == ""
    last = kept.last()
    assert last is not None
    assert kept.worth_saying(last, NOW + timedelta(hours=23)) is None
    old = kept.worth_saying(last, NOW + timedelta(hours=30))
    assert old is not None and old.wrong == ("that is 30 hours ago",)
    many = [result(f"w{n}", Mark.WARN) for n in range(6)] + [result("b", Mark.BAD, "it is gone.")]
    kept.keep("not ready", many, NOW)
    said = kept.worth_saying(kept.last(), NOW + timedelta(days=4))
    assert said is not None and said.outcome == "not ready"
    assert said.wrong[:2] == ("that is 4 days ago", "b: it is gone")
    assert said.wrong[-1] == "and 2 more"
    paths.checks().write_text('{"at": "yesterday"}')
    assert kept.last() is None


@pytest.mark.parametrize("early", [True, False])
async def test_an_incident_that_begins_has_it_once(home: Path, early: bool) -> None:
    responder = Responder(paths.incidents(), "sam", Config())
    if early:  # a key that is faster than the disk
        responder.note("it begins")
    responder.know_check(kept.Kept(NOW, "degraded", ("clock: is off",)))
    responder.note("it goes on")
    where = responder.folder
    await responder.close()
    assert where is not None
    again = Responder(paths.incidents(), "sam", Config())
    again.take_up(where)
    again.know_check(kept.Kept(NOW, "degraded", ("clock: is off",)))
    again.note("it goes on")
    await again.close()
    events = [record.event for record in journal(where).records]
    told = [event for event in events if isinstance(event, e.ChecksKnown)]
    assert told == [e.ChecksKnown(at=NOW, outcome="degraded", wrong=("clock: is off",))]


# The command line


def test_check_prints_lines_keeps_the_result_and_counts_what_is_yours(home: Path) -> None:
    (home / "ON_CALL.md").write_text(HANDBOOK)
    done = CliRunner().invoke(main, ["check", "--yes", "phone", "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == 2 and found["outcome"] == "not ready", "an access check failed"
    marks = {one["name"]: one["mark"] for one in found["checks"]}
    assert (marks["Phone is charged"], marks["Laptop is charged"]) == ("ok", "yours")
    last = kept.last()
    assert last is not None and last.outcome == "not ready"
    done = CliRunner().invoke(main, ["check", "--yes", "wings"])
    assert done.exit_code == 2 and "no item of the checklist has these words" in done.stderr
    assert "  Laptop is charged" in done.stderr
    done = CliRunner().invoke(main, ["check"])
    assert "todo  Laptop is charged\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("not ready: ")
    assert "\x1b" not in done.stdout


def test_on_a_terminal_the_items_are_asked_one_by_one(home: Path) -> None:
    long = (
        "Phone is charged, and its charger lies where you will look for it at three in the morning"
    )
    (home / "ON_CALL.md").write_text(HANDBOOK.replace("Phone is charged", long))
    with Terminal([COCKPIT, "check"], env={"COCKPIT_HOME": str(home / "state")}) as terminal:
        answers = (
            ("Phone", "y\r"),
            ("Laptop", "ny\r"),
            ('"ny" is neither', "n\r"),
            ("Grafana", "\r"),
        )
        for item, answer in answers:
            asked = f"      {item}"
            terminal.read_until(lambda asked=asked: asked in terminal.text(), 30)  # type: ignore[misc]
            terminal.type(answer)
        assert terminal.wait(30) == 2
        assert "\n      in the morning ?" in terminal.text(), terminal.text()
    last = kept.last()
    assert last is not None
    assert "Laptop is charged: not so, you say" in last.wrong
    assert not any(one.startswith(("Phone is", "Grafana: http")) for one in last.wrong)


@pytest.mark.root
def test_without_a_network_it_says_what_was_not_asked(
    home: Path, request: pytest.FixtureRequest
) -> None:
    if os.geteuid() or not shutil.which("unshare"):
        not_tested(request, "a check without a network", ["not root, or no unshare"])
    (home / "cockpit.yaml").write_text(
        "hosts: {far: {ssh: 192.0.2.1}}\nservices: {web: {health: 'https://192.0.2.1/'}}\n"
    )
    command = ["unshare", "-n", COCKPIT]
    done = subprocess.run([*command, "check", "--json"], capture_output=True, check=False)
    found = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert done.returncode == 2
    for name in ("far: SSH", "web: health"):
        assert (found[name]["mark"], found[name]["said"]) == ("bad", "not asked: no network.")
    assert found["far: Docker"]["said"] == "not asked: no network"
    (home / "cockpit.yaml").write_text("services: {web: {health: 'https://192.0.2.1/'}}\n")
    done = subprocess.run([*command, "health", "-q"], capture_output=True, check=False)
    assert done.returncode == 1, "whoever asks is offline: that is not the services' fault"
    assert done.stdout.startswith(b"warn  ")


def test_check_contacts_is_for_pre_commit(home: Path) -> None:
    (home / "ON_CALL.md").write_text(HANDBOOK)
    done = CliRunner().invoke(main, ["check", "contacts", "ON_CALL.md"])
    assert (done.exit_code, done.stdout) == (
        0,
        "ON_CALL.md: all is filled in and plausible, for 1 person\n",
    )
    (home / "bad.md").write_text(HANDBOOK.replace("+49 30 901820", "UPDATE THIS!"))
    done = CliRunner().invoke(main, ["check", "contacts", "ON_CALL.md", "bad.md"])
    assert done.exit_code == 1
    assert "bad.md:" in done.stdout and "phone is not filled in" in done.stdout
    (home / "empty.md").write_text("# Nothing\n")
    assert CliRunner().invoke(main, ["check", "contacts", "empty.md"]).exit_code == 2
    assert CliRunner().invoke(main, ["check", "contacts", "none.md"]).exit_code == 2
    done = CliRunner().invoke(main, ["check", "contacts", "."])
    why = f"The handbook {home} is a directory. Name the file in it."
    assert (done.exit_code, done.stdout) == (2, f"{why}\n")
    unread = read(home)
    asked = here.handbook(Config(handbook=home), unread), here.contacts(unread, clock.now())
    for found in asked:
        assert found.mark == "bad" and why in found.said
    assert not os.path.exists(home / "state"), "nothing is kept of it"


def test_health_without_anything_to_ask_says_so() -> None:
    done = CliRunner().invoke(main, ["health"])
    assert done.exit_code == 2 and "names no hosts and no services" in done.stderr
