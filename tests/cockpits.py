"""Cockpits in processes of their own, to be killed at will; each waits at every phase for a word.

They are forked from a process that has imported all, so one costs milliseconds.
"""

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
    """What a cockpit is to do: take the incident up if there is one, and run the command once.

    home: its own, and HOME. stop: the phase after which x is pressed, and how many seconds later.
    again: how often the responder asks again for what was not sent or never started. transport: as
    in cockpit.yaml.
    """

    home: str
    ssh_config: str
    command: str
    stop: tuple[str, float] | None = None
    again: int = 0
    transport: str = ""


class _Told:
    """Tells the test where this cockpit is, each phase once, and waits for the word to go on."""

    def __init__(self, path: str) -> None:
        self.seen: set[str] = set()
        self._to = socket.socket(socket.AF_UNIX)
        self._to.connect(path)

    def tell(self, phase: str, more: str = "") -> None:
        if phase not in self.seen:
            self.seen.add(phase)
            self._to.sendall(json.dumps([phase, more]).encode() + b"\n")
            self._to.recv(1)


class _Watched(ssh.SshTarget):
    """Looks at what goes out to the host, and whether the journal has it already."""

    told: _Told
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


async def _at_work(plan: Plan, told: _Told) -> None:
    """Takes the incident up, if there is one; runs the command, if nobody has, as a screen does."""
    home = Path(plan.home) / "incidents"
    host = Host(ssh=HOST, docker="/run/no-docker.sock", transport=plan.transport)
    config = Config(hosts={HOST: host}, ssh_config=Path(plan.ssh_config))
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
    for _ in range(plan.again + (not responder.incident.runs)):
        while responder.incident.running():
            await asyncio.sleep(0.05)
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
        await asyncio.sleep(0.05)
    if stopper:
        await asyncio.wait(stopper, timeout=30)
    told.tell("ended")
    await responder.close()


def _child(path: str, plan: Plan) -> None:
    os.environ |= {"HOME": plan.home, "COCKPIT_HOME": plan.home, "TMPDIR": plan.home}
    told = _Told(path)
    try:
        asyncio.run(_at_work(plan, told))
    except BaseException:
        told.tell("broke", traceback.format_exc())


def serve() -> None:
    """Forks a cockpit for each line: where to tell, and a plan. Answers with its process id."""
    ssh.SshTarget = _Watched  # type: ignore[misc]
    _warm()
    for line in sys.stdin:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        pid = os.fork()
        if not pid:
            try:
                path, plan = json.loads(line)
                _child(path, Plan(**plan))
            finally:
                os._exit(0)
        print(pid, flush=True)


def _warm() -> None:
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
    """Starts cockpits. A context manager; folder: for what it needs itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def __enter__(self) -> Cockpits:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.cockpits import serve; serve()"],
            cwd=ROOT,
            env={**os.environ, "HOME": str(self._folder), "XDG_CACHE_HOME": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        _pipe(self._process.stdin).close()
        self._process.kill()
        self._process.wait()

    async def start(self, plan: Plan) -> Cockpit:
        self._count += 1
        path = self._folder / f"{self._count}.sock"
        opened: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        server = await asyncio.start_unix_server(lambda *ends: opened.put_nowait(ends), path)
        to, back = _pipe(self._process.stdin), _pipe(self._process.stdout)
        to.write(json.dumps([str(path), asdict(plan)]).encode() + b"\n")
        to.flush()
        pid = int(back.readline())
        ends = await asyncio.wait_for(opened.get(), 60)
        server.close()
        return Cockpit(pid, *ends)


class Cockpit:
    """One that is at work, or gone. said: what went wrong with it, or nothing."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self.said = ""
        self._reader, self._writer = reader, writer
        self._waits = self.gone = False

    async def next(self) -> str:
        """Lets it go on to its next phase, in which it then waits; empty when it is gone."""
        self.go_on()
        with contextlib.suppress(OSError):
            if line := await self._reader.readline():
                phase, more = json.loads(line)
                self.said = self.said or more
                self._waits = True
                return str(phase)
        self.gone = True
        self._writer.close()
        return ""

    async def reach(self, phase: str) -> None:
        """Until it waits in a phase. Fails when it ends before."""
        async with asyncio.timeout(60):
            while (reached := await self.next()) != phase:
                assert reached, f"it ended before {phase}: {self.said}"

    async def end(self) -> None:
        """Until it is gone."""
        async with asyncio.timeout(60):
            while await self.next():
                pass

    def go_on(self) -> None:
        if self._waits:
            self._waits = False
            self._writer.write(b".")

    def signal(self, number: int) -> None:
        if not self.gone:
            # It may have ended, and nobody has read that yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def shoot(self) -> None:
        """SIGKILL; where it waits, it does nothing more."""
        self._waits = False
        self.signal(signal.SIGKILL)

    async def kill(self) -> None:
        self.shoot()
        await self.end()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end
