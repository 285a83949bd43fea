"""However the link and cockpit die, a command runs once, or not at all and cockpit says so.

COCKPIT_CUTS is how many trials (50), COCKPIT_SEED what chooses them; a failure names the trial.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from cockpit.incident.incident import Run, RunState, fold
from cockpit.incident.journal import list_incidents, read, verify
from tests.cockpits import HOST, Cockpits, Plan
from tests.lab.fixtures import StartSshd
from tests.lab.proxy import Proxy
from tests.lab.sshd import Shell, Sshd

pytestmark = pytest.mark.anyio

CUTS = int(os.environ.get("COCKPIT_CUTS", "50"))
SEED = os.environ.get("COCKPIT_SEED", "20261122")
AT_ONCE = 25
PATIENCE = 120

FIRST = ("accepted", "hello", "start", "sent", "claim", "output", "over", "stop", "stopping")
SIDES: tuple[Literal["up", "down"], ...] = ("up", "down")
KINDS = ("reset", "fin", "refuse", "hole", "up", "down", "late", "client", "server")


@dataclass(frozen=True)
class Damage:
    """What is done to the link, and when: after a phase, then seconds later.

    count: or when so many bytes have passed, if that is sooner. phase "again": when the client has
    connected anew. lasts: seconds until the link is whole again.
    """

    kind: str
    phase: str
    seconds: float = 0.0
    count: int = 0
    side: Literal["up", "down"] = "up"
    lasts: float = 0.0


@dataclass(frozen=True)
class Kill:
    """SIGKILL for a cockpit at a phase: before anything else happens, or seconds later."""

    phase: str
    seconds: float | None = None


@dataclass(frozen=True)
class Trial:
    """One run of one command, and all that is done to it. Made by `chosen` from seed and number."""

    number: int
    shape: str
    read_only: bool
    shell: str
    delay_ms: int
    damages: tuple[Damage, ...]
    kills: tuple[Kill, ...]
    stop: tuple[str, float] | None
    noise: bytes


def chosen(number: int, shells: list[str]) -> Trial:
    rng = random.Random(f"{SEED}.{number}")
    shape = rng.choice(["quick", "slow", "big", "binary", "fails", "at the cut"])
    stop = None
    if shape in ("slow", "at the cut") and rng.random() < 0.4:
        stop = (rng.choice(["requested", "claim", "output"]), rng.uniform(0, 0.4))
    phases = [phase for phase in FIRST if stop or not phase.startswith("stop")]
    damages = []
    for turn in range(rng.choice([1, 1, 2, 2, 3])):
        seconds, count, side = 0.0, 0, rng.choice(SIDES)
        if rng.random() < 0.7:
            seconds = rng.uniform(0, 0.3) if rng.random() < 0.8 else rng.uniform(0.3, 2)
        if rng.random() < 0.4:
            most = 300_000 if shape in ("big", "binary") else 12_000
            count, seconds = int(most ** rng.random()), rng.uniform(0.3, 1)
        phase = "again" if turn else rng.choice(phases)
        lasts = rng.uniform(0.2, 6)
        damages.append(Damage(rng.choice(KINDS), phase, seconds, count, side, lasts))
    kills = []
    if rng.random() < 0.4:
        at = rng.choice(["hello", "requested", "start", "sent", "claim", "output", "over"])
        kills.append(Kill(at, None if rng.random() < 0.5 else rng.uniform(0, 0.5)))
        if rng.random() < 0.4:
            at = rng.choice(["tail", "output", "over"])
            kills.append(Kill(at, None if rng.random() < 0.5 else rng.uniform(0, 0.5)))
    return Trial(
        number,
        shape,
        rng.random() < 0.4,
        shells[number % len(shells)],
        rng.choice([0, 0, 0, 10, 60]),
        tuple(damages),
        tuple(kills),
        stop,
        rng.randbytes(225_000 if shape == "big" else 60_000),
    )


def script(trial: Trial, side: Path, go: Path) -> str:
    """The command: its one side effect, then the shape of its output."""
    # `lsblk` is one of ours there, and leaves a line: to the gate it only reads.
    effect = f"lsblk {side}" if trial.read_only else f"echo run >> {side}"
    noise = base64.encodebytes(trial.noise).decode()
    match trial.shape:
        case "quick":
            return f"{effect}; echo done"
        case "slow":
            return (
                f"{effect}; i=0; while [ $i -lt 30 ]; do i=$((i+1))\n"
                "printf 'line %d caf\\303\\251 \\377\\376 \\033[31mred\\033[0m\\r\\n' $i\n"
                "[ $((i%10)) != 0 ] || echo warn $i >&2\nsleep 0.05; done"
            )
        case "big":
            return f"{effect}; : <<'NOISE'\n{noise}NOISE\necho after the upload"
        case "binary":
            again = f"base64 -d <<'NOISE'\n{noise}NOISE\n"
            return f"{effect}\n{again}{again}printf 'no newline'"
        case "fails":
            return f"{effect}; echo bad news >&2; echo worse; exit 37"
        case _:
            wait = f"while [ ! -e {go} ]; do sleep 0.02; done"
            return f"{effect}; echo waits; {wait}; echo last words"


class Field:
    """What all trials share."""

    def __init__(self, folder: Path, cockpits: Cockpits, servers: dict[str, Sshd]) -> None:
        self.folder = folder
        self.cockpits = cockpits
        self.servers = servers
        self.path = f"{folder / 'tools'}:/usr/bin:/bin"


async def test_a_command_runs_once_however_the_link_and_cockpit_die(
    sshd: StartSshd, shells: dict[str, Shell], tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "lsblk").write_text('#!/bin/sh\necho run >> "$1"\n')
    (tools / "lsblk").chmod(0o755)
    if os.getuid() == 0:
        servers = {
            name: sshd(shell=replace(shell, path=f"{tools}:{shell.path}"))
            for name, shell in shells.items()
        }
    else:
        servers = {"sh": sshd(extra_config=f"SetEnv PATH={tools}:{os.environ['PATH']}")}
    with Cockpits(tmp_path) as cockpits:
        field = Field(tmp_path, cockpits, servers)
        free = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> Result:
            async with free:
                return await attempt(field, chosen(number, list(servers)))

        results = await asyncio.gather(*(one(number) for number in range(CUTS)))
    await asyncio.sleep(1)  # whatever was still on its way has come
    for result in results:
        result.look()
    print(f"\nseed {SEED}: {report(results)}")
    bad = [f"trial {r.trial.number}: {wrong}\n{r}" for r in results for wrong in r.wrong]
    assert not bad, f"COCKPIT_SEED={SEED}, {len(bad)} wrong\n" + "\n".join(bad[:5])
    assert sum(result.done for result in results) > CUTS / 2


class Result:
    """What came of a trial, and what is wrong with that."""

    def __init__(self, field: Field, trial: Trial) -> None:
        self.trial = trial
        self.home = field.folder / str(trial.number)
        self.side, self.go = self.home / "side", self.home / "go"
        self.command = script(trial, self.side, self.go)
        self.phases: list[str] = []
        self.hit: list[str] = []
        self.killed: list[str] = []
        self.expected = b""
        self.status = 0
        self.wrong: list[str] = []
        self.states: list[RunState] = []
        self.done = False

    def look(self) -> None:
        """Fills in `wrong`."""
        lines = self.side.read_text().split() if self.side.exists() else []
        if len(lines) > 1:
            self.wrong.append(f"it ran {len(lines)} times")
        found = list_incidents(self.home / "incidents")
        if not found:
            if lines:
                self.wrong.append("it ran and there is no incident")
            return
        if damage := verify(found[0]):
            self.wrong.append(f"the journal is damaged: {damage}")
        incident = fold(read(found[0]).records)
        runs = tuple(incident.runs.values())
        self.states = [run.state for run in runs]
        if incident.running():
            self.wrong.append("it is said to run")
        finished = [run for run in runs if run.state in (RunState.DONE, RunState.STOPPED)]
        self.done = [run.state for run in finished] == [RunState.DONE]
        if RunState.UNKNOWN in self.states:
            why = next(run.why for run in runs if run.state is RunState.UNKNOWN)
            self.wrong.append(f"nothing happened to the host, and yet: {why}")
        elif lines and not finished:
            self.wrong.append(f"it ran, and is said to be {self.states}")
        for run in finished:
            self._look_at(run, found[0], lines)

    def _look_at(self, run: Run, folder: Path, lines: list[str]) -> None:
        evidence = (folder / run.asked.evidence).read_bytes()
        if run.state is RunState.STOPPED:
            if not self.expected.startswith(evidence):
                self.wrong.append(f"stopped with other output: {evidence[-60:]!r}")
            return
        if not lines:
            self.wrong.append("it is said to be done and did not run")
        if run.exit_status != self.status:
            self.wrong.append(f"exit status {run.exit_status} for {self.status}")
        if evidence != self.expected:
            both = zip(evidence, self.expected, strict=False)
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], both))
            self.wrong.append(
                f"other output: {len(evidence)} bytes for {len(self.expected)}, {same} the same"
            )
        if run.size != len(self.expected) or run.truncated:
            self.wrong.append(f"size {run.size}, truncated {run.truncated}")

    def __str__(self) -> str:
        trial = replace(self.trial, noise=b"")
        log = self.home / "told"
        return f"  {trial}\n  phases {self.phases}\n  hit {self.hit}, killed {self.killed}, {log}"


def report(results: list[Result]) -> str:
    states = Counter(" then ".join(result.states) or "nothing sent" for result in results)
    hits = Counter(word.split()[0] for result in results for word in result.hit)
    at = Counter(word.split()[-1] for result in results for word in result.hit)
    kills = Counter(word for result in results for word in result.killed)
    cannot = sum("cannot" in result.phases for result in results)
    return (
        f"{len(results)} trials\n  ended {dict(states)}, {cannot} with nothing sent at first"
        f"\n  damage {dict(hits)}\n  after {dict(at)}\n  killed {dict(kills)}"
    )


async def attempt(field: Field, trial: Trial) -> Result:
    result = Result(field, trial)
    result.home.mkdir()
    await direct(field, result)
    server = field.servers[trial.shell]
    async with Proxy("127.0.0.1", server.port) as proxy:
        proxy.delay(trial.delay_ms)
        config = server.client_config(result.home / "ssh", proxy.port)
        config.write_text(config.read_text().replace(f"Host {server.host}", f"Host {HOST}"))
        plan = Plan(
            home=str(result.home),
            ssh_config=str(config),
            command=result.command,
            told=str(result.home / "told.sock"),
            stop=trial.stop,
        )
        run = Attempt(field, result, plan, proxy)
        try:
            async with asyncio.timeout(PATIENCE):
                await run.go()
        except TimeoutError:
            result.wrong.append("it hangs")
        finally:
            await run.close()
    return result


async def direct(field: Field, result: Result) -> None:
    """Runs the command with nothing in between, for what it prints."""
    folder = result.home / "direct"
    folder.mkdir()
    (folder / "go").touch()
    text = script(result.trial, folder / "side", folder / "go")
    (folder / "script").write_text(text)
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", str(folder / "script")],
        env={"PATH": field.path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    result.expected, result.status = done.stdout, done.returncode
    assert (folder / "side").read_text() == "run\n"


class Attempt:
    """A trial under way: one cockpit after the other, and what is done to them and their link."""

    def __init__(self, field: Field, result: Result, plan: Plan, proxy: Proxy) -> None:
        self.field, self.result, self.plan, self.proxy = field, result, plan, proxy
        self.damages = list(result.trial.damages)
        self.kills = list(result.trial.kills)
        self.tasks: set[asyncio.Task[None]] = set()
        self.pid = 0
        self.gone = asyncio.Event()
        self.ended = False

    async def go(self) -> None:
        server = await asyncio.start_unix_server(self._hear, self.plan.told)
        async with server:
            self._task(self._watch_connections())
            self._task(self._go_at_last())
            while not self.ended:
                kill = self.kills.pop(0) if self.kills else None
                self.kill = kill
                die = kill.phase if kill and kill.seconds is None else ""
                self.gone = asyncio.Event()
                self.pid = self.field.cockpits.start(replace(self.plan, die=die))
                await self.gone.wait()
                if not self.ended:
                    self.result.killed.append(kill.phase if kill else "nobody")

    async def close(self) -> None:
        if not self.gone.is_set():
            os.kill(self.pid, signal.SIGKILL)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What a cockpit says of where it is; it goes on once all that is due then is done."""
        pid = self.pid
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                phase, more = json.loads(line)
                self.result.phases.append(phase)
                if phase == "broke":
                    self.result.wrong.append(more)
                    self.ended = True
                if phase == "ended":
                    self.ended = True
                await self._reached(phase)
                if self.kill and self.kill.seconds is not None and self.kill.phase == phase:
                    self._task(self._shoot(pid, self.kill.seconds))
                writer.write(b".")
        writer.close()
        self.gone.set()

    async def _shoot(self, pid: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if pid == self.pid and not self.gone.is_set():
            os.kill(pid, signal.SIGKILL)

    async def _watch_connections(self) -> None:
        before = 0
        while True:
            await asyncio.sleep(0.002)
            if self.proxy.accepted > before:
                await self._reached("again" if before else "accepted")
                before = self.proxy.accepted

    async def _go_at_last(self) -> None:
        """What waits for the damage does not wait for ever."""
        await asyncio.sleep(6)
        self.result.go.touch()

    async def _reached(self, phase: str) -> None:
        if not self.damages or self.damages[0].phase != phase:
            return
        damage = self.damages.pop(0)

        now = asyncio.Event()
        self._task(self._do(damage, now))
        if damage.count:
            self.proxy.after(damage.count, damage.side, now.set)
        if not damage.seconds:
            await asyncio.sleep(0.002)

    async def _do(self, damage: Damage, now: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(damage.seconds):
                await now.wait()
        self.result.hit.append(f"{damage.kind} after {damage.phase}")
        self.result.go.touch()
        proxy = self.proxy
        match damage.kind:
            case "reset":
                await proxy.drop("rst")
            case "fin":
                await proxy.drop("fin")
            case "refuse":
                await proxy.cut()
            case "hole":
                proxy.stall()
            case "up":
                proxy.stall("up")
            case "down":
                proxy.stall("down")
            case "late":
                proxy.hold()
            case "client":
                await proxy.half_open("client")
            case "server":
                await proxy.half_open("server")
        await asyncio.sleep(damage.lasts)
        proxy.restore()

    def _task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
