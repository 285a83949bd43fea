"""Cockpits in processes of their own that can be killed, forked from one that has imported all."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from cockpit.config import Config, Host
from cockpit.incident.incident import RunState
from cockpit.incident.journal import list_incidents
from cockpit.responder import CannotRun, Responder
from cockpit.target import guard, ssh
from cockpit.target.target import Channel, Writer

HOST = "prod-1"
ASKED_AGAIN = 2
LATE = (
    "asyncssh",
    "httpx",
    "cockpit.containers.watch",
    "cockpit.incident.markdown_file",
    "cockpit.incident.report",
    "cockpit.target.ssh_config",
)
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Plan:
    """What a cockpit is to do.

    home: its own, and HOME. die: the phase at which it is killed, just before what follows. stop:
    the phase after which x is pressed, with how many seconds later.
    """

    home: str
    ssh_config: str
    command: str
    told: str
    die: str = ""
    stop: tuple[str, float] | None = None


class Told:
    """Tells the test where a cockpit is; the phases after which it waits for a word are exact."""

    def __init__(self, plan: Plan) -> None:
        self._die = plan.die
        self.seen: set[str] = set()
        self._to = socket.socket(socket.AF_UNIX)
        self._to.connect(plan.told)

    def tell(self, phase: str, more: str = "") -> None:
        if phase in self.seen:
            return
        self.seen.add(phase)
        self._to.sendall(json.dumps([phase, more]).encode() + b"\n")
        self._to.recv(1)
        if phase == self._die:
            os.kill(os.getpid(), signal.SIGKILL)


class _Watched(ssh.SshTarget):
    """Looks at what goes out to the host, and whether the journal has it already."""

    told: Told
    responder: Responder

    async def shell(self) -> Channel:
        channel = await super().shell()
        return _Open(channel, self.look, self.sent)

    def look(self, data: bytes) -> None:
        for id in re.findall(rb"^ck_start \S+ (\w+) ", data, re.MULTILINE):
            folder, log = self.responder.folder, self.responder.log
            assert folder
            kept = [line for line in (folder / "journal.jsonl").open("rb") if id in line]
            if not kept or b"command.requested" not in kept[0]:
                self.told.tell("broke", f"{id!r} was sent before it was in the journal")
            if log.begin().saved < self.responder.incident.runs[id.decode()].seq:
                self.told.tell("broke", f"{id!r} was sent before it was synced")
            self.told.tell("start")
        if b"\nck_hello " in data:
            self.told.tell("hello")
        elif b"\nck_stop " in data:
            self.told.tell("stopping")
        elif b"\nck_tail " in data and b"\nck_start " not in data:
            self.told.tell("tail")

    def sent(self, data: bytes) -> None:
        if b"\nck_start " in data:
            self.told.tell("sent")


class _Open:
    """A channel that is looked at."""

    def __init__(self, channel: Channel, look: Any, sent: Any) -> None:
        self._channel, self._look, self._sent = channel, look, sent

    @property
    def stdin(self) -> Writer:
        return self

    def write(self, data: bytes) -> None:
        self._look(data)
        self._channel.stdin.write(data)
        self._sent(data)

    def write_eof(self) -> None:
        self._channel.stdin.write_eof()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


async def at_work(plan: Plan, told: Told) -> None:
    """Takes the incident up, if there is one; runs the command, if nobody has, as a screen does."""
    home = Path(plan.home) / "incidents"
    config = Config(
        hosts={HOST: Host(ssh=HOST, docker="/run/no-docker.sock")}, ssh_config=Path(plan.ssh_config)
    )
    responder = Responder(home, "sam", config)
    _Watched.told, _Watched.responder = told, responder
    for folder in list_incidents(home):
        responder.take_up(folder)
    stopper: list[asyncio.Task[None]] = []

    async def stop(job: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        told.tell("stop")
        await responder.stop(job)
        told.tell("stopped")

    def look() -> None:
        runs = tuple(responder.incident.runs.values())
        if not runs:
            return
        run = runs[-1]
        phases = ["requested"]
        if run.state not in (RunState.REQUESTED, RunState.NEVER_STARTED):
            phases.append("claim")
        if responder.outputs[run.job].offset if run.job in responder.outputs else 0:
            phases.append("output")
        if run.over:
            phases.append("over")
        for phase in phases:
            told.tell(phase)
        if plan.stop and plan.stop[0] in told.seen and not stopper:
            stopper.append(asyncio.create_task(stop(run.job, plan.stop[1])))

    responder.changed = look
    responder.choose_host(HOST)
    responder.reattach()
    for _ in range(1 + ASKED_AGAIN):
        while responder.incident.running():
            await asyncio.sleep(0.02)
        runs = tuple(responder.incident.runs.values())
        if runs and (plan.stop or runs[-1].state is not RunState.NEVER_STARTED):
            break
        asked = guard.ask(responder.intent(plan.command))
        answer = guard.answer(asked, confirmed=True, typed=HOST, reason="in a test")
        try:
            await responder.run(answer)
        except CannotRun:
            told.seen.discard("cannot")
            told.tell("cannot")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await responder.target.ready()
    while responder.incident.running():
        await asyncio.sleep(0.02)
    if stopper:
        await asyncio.wait(stopper, timeout=30)
    told.tell("ended")
    await responder.close()


def child(plan: Plan) -> None:
    os.environ |= {"HOME": plan.home, "COCKPIT_HOME": plan.home, "TMPDIR": plan.home}
    told = Told(plan)
    try:
        asyncio.run(at_work(plan, told))
    except BaseException:
        told.tell("broke", traceback.format_exc())


def serve() -> None:
    """Forks a cockpit for each line: a plan. Answers with its process id."""
    ssh.SshTarget = _Watched  # type: ignore[misc]
    warm()
    for line in sys.stdin:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        pid = os.fork()
        if not pid:
            try:
                child(Plan(**json.loads(line)))
            finally:
                os._exit(0)
        print(pid, flush=True)


def warm() -> None:
    """Imports what is imported late: a fork then costs milliseconds."""
    for name in LATE:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_made(Path(home)))


async def _made(home: Path) -> None:
    responder = Responder(home, "sam", Config())
    responder.note("warm")
    await responder.run(guard.answer(guard.ask(responder.intent("uptime"))))
    await responder.close()


class Cockpits:
    """Starts cockpits. A context manager; home: of the process that they are forked from."""

    def __init__(self, home: Path) -> None:
        self._environ = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": ""}

    def __enter__(self) -> Cockpits:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.cockpits import serve; serve()"],
            cwd=ROOT,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        _pipe(self._process.stdin).close()
        self._process.kill()
        self._process.wait()

    def start(self, plan: Plan) -> int:
        """Its process id."""
        to, back = _pipe(self._process.stdin), _pipe(self._process.stdout)
        to.write(json.dumps(asdict(plan)).encode() + b"\n")
        to.flush()
        return int(back.readline())


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end
