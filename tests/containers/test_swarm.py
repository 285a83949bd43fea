"""A swarm of one node on a real engine: what is short and why, and the log of a service over cuts.

Without a bridge the engine of these tests has no overlay network of its own, so that services run
in the network of the host (`--network host`) or in none that is named; both work. Ports that are
published through the routing mesh are judged by what a manager answers, in a test without one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cockpit.containers import swarm_watch
from cockpit.containers.engine import Engine
from cockpit.containers.swarm import Service, Swarm, absent, fold
from cockpit.containers.swarm_watch import SwarmWatch
from cockpit.containers.swarm_wire import (
    ListedNode,
    ListedService,
    ListedTask,
    Manager,
    Membership,
)
from cockpit.logs import service as service_log
from cockpit.logs.line import Line, Stream
from cockpit.logs.service import ServiceLog
from cockpit.target.target import Local
from cockpit.text import Safe
from tests.containers.conftest import CuttingProxy, Dockerd, Until

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)
HOSTILE = "[/]\x1b]52;c;aGVsbG8=\x07\x1b[2J\u202e\n\x9b31m"
LINES = 80


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarm_watch, "OPEN_S", 0.3)
    monkeypatch.setattr(service_log, "QUIET_S", 1.0)


@contextlib.asynccontextmanager
async def watching(path: Path) -> AsyncIterator[SwarmWatch]:
    engine = Engine(Local(), str(path))
    watch = SwarmWatch(engine)
    watch.start()
    watch.look(1)
    try:
        yield watch
    finally:
        await watch.close()
        await engine.close()


def create(swarm: Dockerd, name: str, *options: str, script: str) -> str:
    """A service that runs a shell script; its id."""
    made = swarm.docker(
        "service", "create", "--detach", "--quiet", "--name", name, "--no-resolve-image",
        "--stop-grace-period", "200ms",
        "--network", "host", *options, "t:1", "sh", "-c", script,
    )  # fmt: skip
    return made.stdout.decode().split()[-1]


def service(watch: SwarmWatch, name: str) -> Service | None:
    return next((one for one in watch.snapshot.services if one.name == name), None)


# On a real engine


@pytest.mark.docker
async def test_an_engine_in_no_swarm_says_so(dockerd: Dockerd, until: Until) -> None:
    async with watching(dockerd.socket) as watch:
        await until(lambda: watch.snapshot.missing)
        assert watch.snapshot.missing == "Docker at this machine is in no swarm."
        assert not watch.snapshot.trouble
        assert watch.snapshot.said == ""


@pytest.mark.docker
async def test_what_is_short_comes_first_with_its_reason(swarm: Dockerd, until: Until) -> None:
    create(swarm, "fine", "--replicas", "2", script="sleep 999")
    create(swarm, "everywhere", "--mode", "global", script="sleep 999")
    create(swarm, "job", "--mode", "replicated-job", script="true")
    create(swarm, "nowhere", "--replicas", "3", "--constraint", "node.labels.zone==b",
           script="sleep 999")  # fmt: skip
    create(swarm, "broken", "--restart-delay", "200ms", script="exit 3")

    def seen() -> bool:
        known = {str(one.name): one for one in watch.snapshot.services}
        return (
            len(known) == 5
            and known["broken"].failing(watch.snapshot.now)
            and known["fine"].running == 2
            and known["everywhere"].running == 1
            and known["job"].completed == 1
            and "no suitable node" in known["nowhere"].why
            and {task.state for task in known["nowhere"].tasks} == {"pending"}
            and known["broken"].why == "non-zero exit (3)"
        )

    async with watching(swarm.socket) as watch:
        await until(lambda: seen())
        found = watch.snapshot
        assert [one.name for one in found.services][:2] == ["broken", "nowhere"]
        _, nowhere, *well = found.services
        assert nowhere.short == 3
        assert "no suitable node" in nowhere.why
        assert all(task.failing(found.now) for task in found.services[0].tasks)
        assert {str(one.name): one.mode for one in well} == {
            "fine": "replicated", "everywhere": "global", "job": "replicated job",
        }  # fmt: skip
        assert not any(one.short or one.failing(found.now) for one in well)
        assert re.fullmatch(r"[12] of 5 services short", found.said)
        (node,) = found.nodes
        assert (node.well, node.manager, node.availability) == (True, "leader", "active")
        assert {task.node for one in well for task in one.tasks} == {node.name}

        swarm.docker("node", "update", "--availability", "drain", node.id)
        await until(lambda: not watch.snapshot.nodes[0].well)
        swarm.docker("node", "update", "--availability", "active", node.id)
    swarm.docker("service", "rm", "fine", "everywhere", "job", "nowhere", "broken")


@pytest.mark.docker
async def test_the_log_of_a_service_is_whole_over_cuts(
    swarm: Dockerd, cutting: CuttingProxy, until: Until
) -> None:
    """Two tasks write at once, and the connection is cut again and again."""
    go = "if [ $n = 40 ]; then until [ -e /go ]; do usleep 30000; done; fi; usleep 30000"
    script = f"for n in $(seq {LINES}); do echo line $n; {go}; done; echo end; sleep 999"
    id = create(swarm, "pair", "--replicas", "2", script=script)
    got: list[Line] = []
    async with cutting.serving():
        engine = Engine(Local(), str(cutting.path))
        log = ServiceLog(engine, id, Safe("pair"))
        log.start()

        def ended() -> bool:
            # Of a slow engine nothing comes through for ever.
            cutting.cutting = cutting.cuts < most
            got.extend(log.take().lines)
            return sum(line.text.endswith(" end") for line in got) == 2

        def halfway() -> bool:
            ended()
            return cutting.cuts > 2 and sum(line.text.endswith(" line 40") for line in got) == 2

        most = 8
        try:
            await until(halfway)
            most = cutting.cuts + 5
            ids = swarm.docker("ps", "-q", "--filter", "name=pair").stdout.decode().split()
            for one in ids:
                await asyncio.to_thread(swarm.docker, "exec", one, "sh", "-c", "echo > /go")
            await until(ended)
        finally:
            await log.close()
            await engine.close()
    for task in ("1@", "2@"):
        said = [line.text.split(" ", 1)[1] for line in got if line.text.startswith(task)]
        assert said == [f"line {n}" for n in range(1, LINES + 1)] + ["end"]
    assert len(got) == 2 * (LINES + 1)
    swarm.docker("service", "rm", "pair")


@pytest.mark.docker
async def test_of_a_flood_the_newest_lines_are_held_and_the_rest_is_counted(
    swarm: Dockerd, until: Until
) -> None:
    errors = "for n in 1 2 3; do echo level=error $n; done; "
    go = "until [ -e /go ]; do sleep 0.1; done; "
    id = create(swarm, "flood", script=f"echo begin; {go}{errors}seq 1 9000; echo end; sleep 999")
    engine = Engine(Local(), str(swarm.socket))
    log = ServiceLog(engine, id, Safe("flood"))
    log.start()
    try:
        # Followed from later on, it would begin with its newest 500 lines alone.
        await until(lambda: log._waiting)
        task = swarm.docker("ps", "-q", "--filter", "name=flood").stdout.decode().strip()
        await asyncio.to_thread(swarm.docker, "exec", task, "sh", "-c", "echo > /go")
        await until(lambda: log._waiting and log._waiting[-1].body == b"end")
        batch = log.take()
    finally:
        await log.close()
        await engine.close()
    gap, *held = batch.lines
    assert len(held) == service_log.WAITING and batch.skipped == 9005 - len(held)
    assert gap.stream is Stream.GAP
    assert gap.text == f"… {batch.skipped:,} lines not shown, 3 of them errors: they came too fast"
    assert batch.errors == 3
    swarm.docker("service", "rm", "flood")


class Learns(Engine):
    """Of its manager, as of one that is busy: it learns of a task after its lines have come."""

    early = 3

    async def service_logs(
        self, service: str, *, follow: bool, **more: Any
    ) -> AsyncGenerator[bytes, None]:
        if not follow and self.early:
            self.early -= 1
            return
        async with aclosing(super().service_logs(service, follow=follow, **more)) as chunks:
            async for chunk in chunks:
                yield chunk


@pytest.mark.docker
@pytest.mark.usefixtures("patient")
async def test_older_lines_and_those_from_a_moment_on_are_loaded(
    swarm: Dockerd, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "head -c 40000 /dev/zero | tr '\\0' x; echo; "
    monkeypatch.setattr(service_log, "LEARNS_S", 60.0)
    id = create(swarm, "one", script=f"{long}seq 2000; sleep 999")
    engine = Learns(Local(), str(swarm.socket))
    log = ServiceLog(engine, id, Safe("one"))
    log.start()
    got: list[Line] = []

    def came() -> bool:
        got.extend(log.take().lines)
        return bool(got) and got[-1].text == "2000"

    try:
        await until(came)
        # One place alone: its lines stand as they were written.
        before = got[-1].at
        older = await log.older(before, 300)
        assert [line.text for line in older] == [str(n) for n in range(1700, 2000)]
        assert all(line.at < before for line in older)
        oldest = await log.older(older[0].at, 5000)
        assert [line.text for line in oldest[1:]] == [str(n) for n in range(1, 1700)]
        assert oldest[0].text.startswith("xxxx") and "35,904" not in oldest[0].text
        assert await log.older(oldest[0].at, 10) == ()
        engine.early = 3
        from_then = await log.since(older[0].at, 20)
        assert [line.text for line in from_then] == [str(n) for n in range(1700, 1720)]
        swarm.docker("service", "rm", "one")
        await until(lambda: "was removed" in log.note)
    finally:
        await log.close()
        await engine.close()


# Without one


class Slow(Engine):
    """Of a manager that takes its time to tell which tasks there are now."""

    def __init__(self) -> None:
        super().__init__(Local(), "/nowhere")
        self.asked = 0
        self.tells = asyncio.Event()

    async def ask(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        if path == "/nodes":
            return b'[{"ID":"n1","Description":{"Hostname":"node-7"}}]'
        self.asked += 1
        if self.asked == 1:
            return b"[]"
        await self.tells.wait()
        return b'[{"ID":"t1","Slot":1,"NodeID":"n1"},{"ID":"t2","Slot":2,"NodeID":"n1"}]'

    async def service_logs(
        self, service: str, *, follow: bool, **more: Any
    ) -> AsyncGenerator[bytes, None]:
        whose = "com.docker.swarm.node.id=n1,com.docker.swarm.task.id=t2"
        body = f"2026-11-22T03:12:00.000000000Z {whose} begun\n".encode()
        yield struct.pack(">BxxxL", 1, len(body)) + body
        await asyncio.Event().wait()


async def test_the_first_line_of_a_new_task_has_its_name_however_long_that_takes(
    until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_log, "QUIET_S", 600.0)
    engine = Slow()
    log = ServiceLog(engine, "s1", Safe("web"))
    log.start()
    try:
        await until(lambda: engine.asked == 2)
        assert not log.take().lines
        engine.tells.set()
        await until(lambda: log._waiting)
        assert [line.text for line in log.take().lines] == ["2@node-7 begun"]
    finally:
        await log.close()


def listed(**changes: object) -> ListedService:
    known = {
        "ID": "abc",
        "Spec": {
            "Name": "web",
            "TaskTemplate": {"ContainerSpec": {"Image": "shop/web:1@sha256:0123"}},
            "Mode": {"Replicated": {"Replicas": 3}},
        },
        "ServiceStatus": {"RunningTasks": 3, "DesiredTasks": 3},
    }
    return msgspec.convert(known | changes, ListedService)


def task(state: str, seconds: int, slot: int = 1, error: str = "", desired: str = "running",
         node: str = "n1") -> ListedTask:  # fmt: skip
    at = (NOW + timedelta(seconds=seconds)).isoformat()
    return msgspec.convert(
        {
            "ID": f"t{slot}{seconds + 9999}", "CreatedAt": at, "ServiceID": "abc", "Slot": slot,
            "NodeID": node, "DesiredState": desired,
            "Status": {"Timestamp": at, "State": state, "Err": error},
        },
        ListedTask,
    )  # fmt: skip


def folded(got: ListedService, *tasks: ListedTask) -> Service:
    ((made,), _) = fold([got], tasks, [ListedNode("n1")], NOW)
    return made


def test_a_task_that_runs_again_still_tells_of_the_one_before_it() -> None:
    failed = task("failed", -30, error="task: non-zero exit (137)", desired="shutdown")
    made = folded(listed(), failed, task("running", -20), task("running", -3000, slot=2))
    first, second = made.tasks
    assert (first.state, first.error, first.last_error) == ("running", "", "non-zero exit (137)")
    assert (first.runs, first.failures) == (2, 1)
    assert first.failing(NOW) and not second.failing(NOW)
    assert not first.failing(NOW + timedelta(minutes=20))
    assert made.why == "non-zero exit (137)"
    assert made.image == "shop/web:1"


def test_what_was_replaced_on_purpose_is_not_told() -> None:
    gone = task("shutdown", -5, slot=4, desired="shutdown")
    leaving = task("running", -50, slot=5, desired="remove")
    made = folded(listed(), task("running", -9), gone, leaving)
    assert [one.name for one in made.tasks] == ["web.1"]


def test_an_update_that_stopped_is_wrong_and_one_that_ended_is_nothing() -> None:
    paused = listed(UpdateStatus={"State": "paused", "Message": "update paused due to failure"})
    made = folded(paused)
    assert made.update_stuck and made.update.startswith("update paused: ")
    going = folded(listed(UpdateStatus={"State": "updating", "Message": ""}))
    assert (going.update, going.update_stuck) == ("updating", False)
    assert folded(listed(UpdateStatus={"State": "completed", "Message": "done"})).update == ""


def test_ports_are_told_as_docker_does() -> None:
    ports = [
        {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080, "PublishMode": "ingress"},
        {"Protocol": "udp", "TargetPort": 53, "PublishedPort": 53, "PublishMode": "host"},
    ]
    assert folded(listed(Endpoint={"Ports": ports})).ports == (
        "8080->80/tcp",
        "53->53/udp on each host",
    )


def test_nothing_of_what_a_swarm_says_attacks_the_terminal() -> None:
    spec = {"Name": HOSTILE, "TaskTemplate": {"ContainerSpec": {"Image": HOSTILE}},
            "Labels": {"com.docker.stack.namespace": HOSTILE}}  # fmt: skip
    got = listed(Spec=spec, UpdateStatus={"State": HOSTILE, "Message": HOSTILE})
    bad = task(HOSTILE, -5, error=HOSTILE, desired=HOSTILE)
    node = msgspec.convert(
        {"ID": "n1", "Description": {"Hostname": HOSTILE}, "Status": {"State": HOSTILE}},
        ListedNode,
    )
    ((made,), (host,)) = fold([got], [bad], [node], NOW)
    (sick,) = made.tasks
    texts = [made.name, made.stack, made.image, made.update, host.name, host.state]
    texts += [sick.name, sick.node, sick.state, sick.desired, sick.error]
    for text in texts:
        assert not set(text) & set("\x1b\x07\x9b\u202e\n")
    assert folded(listed(ID="../x")).id == "unknown"


def test_a_worker_names_the_managers() -> None:
    worker = Membership("active", remote_managers=[Manager("10.0.0.1:2377")])
    assert "is a worker" in absent(worker, Safe("prod-1"))
    assert "10.0.0.1:2377" in absent(worker, Safe("prod-1"))
    assert "docker swarm unlock" in absent(Membership("locked"), Safe("prod-1"))
    assert absent(Membership("active", control_available=True), Safe("prod-1")) == ""


async def test_garbage_is_said_and_what_was_known_stays(short_folder: Path, until: Until) -> None:
    answers = {
        b"/_ping": b"OK",
        b"/version": b'{"Version":"28","ApiVersion":"1.47"}',
        b"/info": b'{"Swarm":{"LocalNodeState":"active","ControlAvailable":true}}',
        b"/services": msgspec.json.encode([]),
        b"/tasks": b"[]",
        b"/nodes": b"[]",
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).split()[1].partition(b"?")[0]
                body = answers[b"/" + asked.rpartition(b"/")[2]]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_unix_server(answer, str(short_folder / "sock"))
    async with server, watching(short_folder / "sock") as watch:
        await until(lambda: watch.snapshot.said == "0 services")
        answers[b"/services"] = b'[{"ID": 3, "Spec": "\xff'
        wanted = "answers /services with what cannot be read"
        await until(lambda: wanted in watch.snapshot.trouble)
        assert watch.snapshot.trouble.startswith("What is shown is ")
        assert watch.snapshot.said == "0 services"
        answers[b"/services"] = b"[]"
        await until(lambda: not watch.snapshot.trouble)


def test_a_swarm_that_was_not_asked_yet_says_nothing() -> None:
    assert Swarm().said == ""
