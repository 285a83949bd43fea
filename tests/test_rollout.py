"""One command on many hosts: eight names of a real sshd, each with a link and a job of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit import rollout, rollout_plan
from cockpit.config import Config, Host
from cockpit.incident import events as e
from cockpit.incident.incident import RunState, fold
from cockpit.incident.journal import read
from cockpit.incident.report import report
from cockpit.incident.rollouts import Stand, standings
from cockpit.incident.timeline import line
from cockpit.reach import Reach
from cockpit.responder import CannotRun, Chosen, Responder
from cockpit.rollout import Rollout
from cockpit.rollout_plan import Plan
from cockpit.runbook import parse
from cockpit.runbook.model import Risk
from cockpit.target import guard, hosts
from tests.lab.proxy import Proxy
from tests.target.conftest import lab, server
from tests.target.ground import Lab, Sshd

pytestmark = pytest.mark.anyio

__all__ = ["lab", "server"]

NAMES = tuple(f"web-{number}" for number in range(1, 9))
BOOK = """# Slow
## Diagnosis
### Step 1: Look
```bash
echo "on <host>"
```
"""


def config(lab: Lab, server: Sshd, ports: dict[str, int] | None = None) -> Config:
    entries = [
        f"Host {name}\n  HostName 127.0.0.1\n  Port {(ports or {}).get(name, server.port)}\n"
        f"  HostKeyAlias [127.0.0.1]:{server.port}"
        for name in NAMES
    ]
    return Config(
        hosts={name: Host(labels=("web",)) for name in NAMES}, ssh_config=lab.config(*entries)
    )


@asynccontextmanager
async def responding(home: Path, config: Config) -> AsyncIterator[Responder]:
    one = Responder(home / "incidents", "sam", config)
    try:
        yield one
    finally:
        await one.close()


@pytest.fixture
async def responder(lab: Lab, server: Sshd, tmp_path: Path) -> AsyncIterator[Responder]:
    async with responding(tmp_path, config(lab, server)) as one:
        yield one


def planned(responder: Responder, command: str, **changes: object) -> Plan:
    plan = rollout_plan.plan(responder, "web", NAMES, command)
    return replace(plan, **{"ask_first": False, **changes})  # type: ignore[arg-type]


def started(responder: Responder, plan: Plan) -> Rollout:
    asked = guard.ask_all(rollout_plan.intents(responder, plan))
    typed = str(len(plan.hosts))
    return responder.roll_out(
        plan, guard.answer_all(asked, typed=typed, reason=asked.reason_wanted)
    )


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(40):
        while not true():
            await asyncio.sleep(0.02)


def stands(one: Rollout) -> list[str]:
    return [state.stand.value for state in one.states]


def said(responder: Responder) -> list[str]:
    incident = responder.incident
    return [line(entry.record.event, incident) for entry in incident.entries]


# What would run


def test_labels_name_groups() -> None:
    many = Config(hosts={"a": Host(labels=("web", "eu")), "b": Host(), "c": Host(labels=("web",))})
    assert hosts.labels(many) == ("web", "eu")
    assert hosts.labelled(many, "web") == ("a", "c")
    assert hosts.labelled(many, "db") == ()


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("host", True),
        ("HOST", True),
        ("hostname", True),
        ("your-host", True),
        ("server name", True),
        ("the server", True),
        ("DB_HOST", False),
        ("host-id", False),
        ("service", False),
        ("localhost", False),
    ],
)
def test_which_placeholders_stand_for_the_host_itself(name: str, means: bool) -> None:
    assert rollout_plan.means_host(name) is means


def test_each_host_gets_its_own_name_and_the_rest_is_asked_for_once(tmp_path: Path) -> None:
    responder = Responder(tmp_path, "sam", Config())
    command = "curl http://<host>:<PORT>/ $HOST"
    assert [gap.name for gap in rollout_plan.gaps(command)] == ["PORT"]
    plan = rollout_plan.plan(responder, "web", NAMES, command, values={"PORT": "80"})
    assert plan.hosts[1] == rollout_plan.Planned("web-2", "curl http://web-2:80/ web-2")
    assert plan.command == "curl http://<host>:80/ $HOST"
    with pytest.raises(CannotRun, match="<PORT> has no value"):
        rollout_plan.plan(responder, "web", NAMES, command)
    left = plan.without(["web-1", "web-8"])
    assert (len(left.hosts), left.left_out) == (6, ("web-1", "web-8"))


@pytest.mark.parametrize("command", ["docker logs -f web", "less /etc/hosts", "ssh web-1"])
def test_what_needs_a_person_or_never_ends_is_not_for_many_hosts(
    command: str, tmp_path: Path
) -> None:
    with pytest.raises(CannotRun, match="one host"):
        rollout_plan.plan(Responder(tmp_path, "sam", Config()), "web", NAMES, command)


def test_a_change_asks_after_the_first_host_and_a_read_does_not(tmp_path: Path) -> None:
    responder = Responder(tmp_path, "sam", Config())
    assert not rollout_plan.plan(responder, "web", NAMES, "uptime").ask_first
    assert rollout_plan.plan(responder, "web", NAMES, "touch x").ask_first


# The gate


def intent(host: str, risk: Risk = Risk.CHANGE, **more: object) -> guard.Intent:
    return guard.Intent("touch x", host, risk, "changes", **more)  # type: ignore[arg-type]


def test_reading_on_many_hosts_is_not_asked_about() -> None:
    asked = guard.ask_all([intent(name, Risk.READ) for name in NAMES])
    assert asked.level is guard.Level.OPEN
    assert [leave.host for leave in guard.answer_all(asked)] == list(NAMES)


@pytest.mark.parametrize("typed", ["", "7", "80", "web-1", "eight", "8 8"])
@pytest.mark.parametrize("risk", [Risk.CHANGE, Risk.DESTROY])
def test_a_change_wants_the_number_of_hosts(risk: Risk, typed: str) -> None:
    asked = guard.ask_all([intent("web-1", risk), *(intent(n, Risk.READ) for n in NAMES[1:])])
    with pytest.raises(guard.Refused, match="Type 8, the number of hosts"):
        guard.answer_all(asked, typed=typed, confirmed=True)
    passes = guard.answer_all(asked, typed=" 8 ")
    assert {leave.how for leave in passes} == {"typed 8, the number of hosts"}
    assert len({leave.number for leave in passes}) == 8


def test_the_reason_is_asked_for_once_for_all() -> None:
    asked = guard.ask_all([intent(name, skipped_diagnosis=True) for name in NAMES])
    assert asked.reason_wanted.count("Why recover first?") == 1
    with pytest.raises(guard.Refused, match="Why recover first"):
        guard.answer_all(asked, typed="8")
    assert guard.answer_all(asked, typed="8", reason="hurry")[7].reason == "hurry"


def test_a_level_that_was_tampered_with_does_not_count() -> None:
    asked = guard.AskAll((intent("web-1"),), guard.Level.OPEN, "")
    with pytest.raises(guard.Refused, match="Type 1"):
        guard.answer_all(asked)


@pytest.mark.parametrize("names", [(), ("web-1", "web-2", "web-1")])
def test_no_host_and_the_same_host_twice_are_refused(names: tuple[str, ...]) -> None:
    asked = guard.ask_all([intent(name) for name in names])
    with pytest.raises(guard.Refused, match=r"no host|named twice"):
        guard.answer_all(asked, typed=str(len(names)))


async def test_passes_for_other_hosts_start_nothing(tmp_path: Path) -> None:
    responder = Responder(tmp_path, "sam", Config())
    plan = rollout_plan.plan(responder, "web", NAMES, "uptime")
    passes = guard.answer_all(guard.ask_all([intent(name, Risk.READ) for name in NAMES[1:]]))
    with pytest.raises(ValueError, match="not for the hosts"):
        responder.roll_out(plan, passes)
    assert not responder.incident.rollouts


# The run


async def test_the_first_alone_then_the_others_each_a_job_of_its_own(responder: Responder) -> None:
    plan = planned(responder, 'echo "on <host>"; sleep 0.2', batch=3)
    one = started(responder, plan)
    most, first_alone = 0, True
    while not one.ended:
        going = [state for state in one.states if state.stand.going]
        most = max(most, len(going))
        if one.states[0].stand.going:
            first_alone = first_alone and len(going) == 1
        await asyncio.sleep(0.01)
    assert stands(one) == ["ok"] * 8
    assert first_alone and most == 3
    runs = responder.incident.runs.values()
    assert next(run.asked.host for run in runs) == "web-1"
    assert {run.asked.rollout for run in runs} == {plan.id}
    assert len({run.job for run in runs}) == len({run.asked.evidence for run in runs}) == 8
    for run in runs:
        assert responder.log.output_of(run) == f"on {run.asked.host}\n".encode()
    assert said(responder)[-2:] == [
        'Run on 8 hosts of web: `echo "on <host>"; sleep 0.2`',
        "Run on web done: ok on 8 of 8",
    ]


async def test_a_first_host_that_fails_ends_it(responder: Responder) -> None:
    one = started(responder, planned(responder, "false", stop_after=5))
    await one.wait()
    assert stands(one) == ["failed", *["not run"] * 7]
    assert len(responder.incident.runs) == 1
    assert said(responder)[-1].startswith(
        "Run on web stopped, as the first host failed: ok on 0 of 8; failed on web-1; not run on"
    )


async def test_it_stops_at_the_first_failures_and_the_failed_are_run_again_alone(
    responder: Responder, tmp_path: Path
) -> None:
    mark = tmp_path / "mended"
    command = f"test <host> != web-3 -a <host> != web-4 || test -e {mark}"
    one = started(responder, planned(responder, command, batch=1, stop_after=2))
    await one.wait()
    assert stands(one) == ["ok", "ok", "failed", "failed", *["not run"] * 4]
    failed = [words for words in said(responder) if "exit 1" in words]
    assert len(failed) == 2
    assert "on web-3: exit 1" in failed[0]
    assert "on web-4: exit 1" in failed[1]
    mark.touch()
    bad = [state.host for state in one.states if state.stand.bad]
    again = started(responder, one.plan.again(bad))
    await again.wait()
    assert [state.host for state in again.states] == ["web-3", "web-4"]
    assert stands(again) == ["ok", "ok"]
    assert responder.incident.rollouts[again.id].asked.retries == one.id
    assert stands(one)[2:4] == ["failed", "failed"]


async def test_it_waits_to_be_let_go_on_after_the_first(responder: Responder) -> None:
    one = started(responder, planned(responder, "true", ask_first=True))
    await until(lambda: one.asks)
    await asyncio.sleep(0.5)
    assert stands(one) == ["ok", *["waiting"] * 7]
    one.go_on()
    assert not one.asks
    await one.wait()
    assert stands(one) == ["ok"] * 8


async def test_a_stop_ends_what_runs_and_sends_no_more(responder: Responder) -> None:
    one = started(responder, planned(responder, "test <host> = web-1 || sleep 60", batch=4))
    await until(lambda: [state.stand for state in one.states].count(Stand.RUNNING) == 4)
    one.stop()
    await one.wait()
    assert stands(one) == ["ok", *["stopped"] * 4, *["not run"] * 3]
    assert all(run.over for run in responder.incident.runs.values())
    assert "stopped by the responder" in said(responder)[-1]


async def test_a_stop_while_it_waits_after_the_first_ends_it_there(responder: Responder) -> None:
    one = started(responder, planned(responder, "true", ask_first=True))
    await until(lambda: one.asks)
    one.stop()
    await one.wait()
    assert stands(one) == ["ok", *["not run"] * 7]


async def test_hosts_out_of_reach_are_known_before_anything_is_sent(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with responding(tmp_path, config(lab, server, {"web-3": 1})) as responder:
        plan = planned(responder, "true")
        reach = Reach(responder, plan)
        reach.start()
        async with asyncio.timeout(60):
            await reach.wait()
        assert "refuses" in reach.of("web-3").trouble
        assert all(reach.of(name).usable for name in NAMES if name != "web-3")
        assert responder.folder is None, "nothing has happened yet"
        one = started(responder, plan)
        await one.wait()
        # It was not left out: that is a failure, and nothing was sent.
        assert [state.stand for state in one.states if state.host == "web-3"] == [
            Stand.OUT_OF_REACH
        ]
        assert "web-3" not in {run.asked.host for run in responder.incident.runs.values()}
        await reach.close()
        assert all(responder.links.of(name) is None for name in NAMES)
        assert not [words for words in said(responder) if words.startswith("Link to")]


@pytest.mark.parametrize("silent", [False, True])
async def test_no_further_host_is_started_while_a_link_is_lost(
    lab: Lab, server: Sshd, tmp_path: Path, silent: bool
) -> None:
    async with (
        Proxy("127.0.0.1", server.port) as proxy,
        responding(tmp_path, config(lab, server, {"web-2": proxy.port})) as responder,
    ):
        command = f"test <host> != web-2 || until test -e {tmp_path}/go; do sleep 0.1; done"
        plan = planned(responder, command, batch=1)
        reach = Reach(responder, plan)
        reach.start()
        async with asyncio.timeout(60):
            await reach.wait()
        one = started(responder, plan)
        await until(lambda: one.states[1].stand is Stand.RUNNING)
        proxy.stall()
        if not silent:
            await proxy.drop()
        await until(lambda: one.states[1].stand is Stand.LOST)
        (tmp_path / "go").touch()
        await asyncio.sleep(1)
        assert stands(one) == ["ok", "lost link", *["waiting"] * 6]
        proxy.restore()
        await one.wait()
        await reach.close()
        assert stands(one) == ["ok"] * 8
        assert any(words.startswith("Link to web-2 lost") for words in said(responder))
        await until(
            lambda: any(words.startswith("Link to web-2 up again") for words in said(responder))
        )


async def test_a_crash_in_the_middle_starts_no_further_host(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    settings = config(lab, server)
    crashed = Responder(tmp_path / "incidents", "sam", settings)
    gate = tmp_path / "go"
    command = f"test <host> = web-1 || until test -e {gate}; do sleep 0.1; done; echo <host> ran"
    one = started(crashed, planned(crashed, command, batch=2))
    await until(lambda: [state.stand for state in one.states].count(Stand.RUNNING) == 2)
    folder = crashed.folder
    assert folder is not None
    before = fold(read(folder).records)
    assert before.rollouts[one.id].ended is None
    # What a SIGKILL leaves: nothing more is written, links are gone, jobs go on.
    assert one._task is not None
    one._task.cancel()
    crashed.rollouts.clear()
    kept = [(path, path.read_bytes()) for path in folder.glob("journal*")]
    await crashed.close()
    for path, data in kept:
        path.write_bytes(data)

    async with responding(tmp_path, settings) as responder:
        responder.take_up(folder)
        responder.reattach()
        ended = responder.incident.rollouts[one.id].ended
        assert ended is not None
        assert ended.how == rollout.LEFT
        assert (ended.not_run, ended.going) == (NAMES[3:], NAMES[1:3])
        assert (
            "Run on web ended, as cockpit was: ok on 1 of 8; goes on on web-2, web-3; not run on"
            " web-4, web-5, web-6, web-7, web-8"
        ) in said(responder)
        gate.touch()
        await until(lambda: not responder.incident.running())
        await asyncio.sleep(0.3)
        states = standings(responder.incident, one.id)
        assert [state.stand.value for state in states] == [*["ok"] * 3, *["not run"] * 5]
        assert len(responder.incident.runs) == 3
        text = report(responder.incident, responder.log.output_of)
    assert "| web-2 | ok | " in text
    assert "| web-8 | not run |" in text
    assert "was not run on web-4, web-5, web-6, web-7, web-8." in text


async def test_leaving_cockpit_ends_it_and_what_runs_goes_on(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with responding(tmp_path, config(lab, server)) as responder:
        command = "test <host> = web-1 || sleep 90"
        one = started(responder, planned(responder, command, batch=2))
        await until(lambda: [state.stand for state in one.states].count(Stand.RUNNING) == 2)
        jobs = [state.run.job for state in one.states if state.run and not state.run.over]
        folder = responder.folder
    assert folder is not None
    events = [record.event for record in read(folder).records]
    (ended,) = [event for event in events if isinstance(event, e.RolloutEnded)]
    assert (ended.how, ended.not_run) == (rollout.LEFT, NAMES[3:])
    assert isinstance(events[-1], e.CockpitClosed)
    async with responding(tmp_path, config(lab, server)) as again:
        again.take_up(folder)
        again.reattach()
        for job in jobs:
            await again.stop(job)
            await until(lambda job=job: again.incident.runs[job].over)  # type: ignore[misc]
            assert again.incident.runs[job].state is RunState.STOPPED


async def test_a_step_on_many_hosts_counts_as_diagnosis_and_shows_no_single_run(
    responder: Responder,
) -> None:
    book = parse.parse(BOOK, "slow.md")
    responder.open_runbook(book)
    section, step, command = next(iter(book.commands()))
    chosen = Chosen(book, section, step, command)
    plan = rollout_plan.plan(responder, "web", NAMES[:2], command.text, chosen)
    one = started(responder, plan)
    await one.wait()
    assert responder.incident.diagnosed
    assert responder.incident.runs_of(chosen.ref) == ()
    rolled = responder.incident.rollouts[one.id].asked
    assert (rolled.step, rolled.command_id) == (chosen.ref, command.id)
