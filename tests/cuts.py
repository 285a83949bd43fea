"""One trial: a command run through cockpit while its link and cockpit itself are damaged."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cockpit.incident.incident import Run, RunState, fold
from cockpit.incident.journal import list_incidents, read, verify
from tests.cockpits import HOST, Cockpit, Cockpits, Plan
from tests.lab.proxy import Proxy
from tests.lab.sshd import Sshd

PATIENCE = 300

Side = Literal["up", "down"]
SIDES: tuple[Side, ...] = ("up", "down")
SHAPES = ("quick", "slow", "big", "binary", "fails", "at the cut")
PHASES = ("accepted", "hello", "start", "sent", "claim", "output", "over")
KINDS = ("reset", "fin", "refuse", "hole", "up", "down", "late", "client", "server", "asleep")


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
    side: Side = "up"
    lasts: float = 0.0


@dataclass(frozen=True)
class Kill:
    """SIGKILL for a cockpit in a phase: before anything else happens, or seconds later."""

    phase: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Trial:
    """One run of one command, and all that is done to it."""

    number: int
    shape: str
    reads: bool
    shell: str
    delay_ms: int
    damages: tuple[Damage, ...]
    kills: tuple[Kill, ...]
    stop: tuple[str, float] | None
    transport: str
    noise: bytes


def chosen(seed: str, number: int, shells: list[str]) -> Trial:
    """The trial of that number, the same for the same seed."""
    rng = random.Random(f"{seed}.{number}")
    shape = rng.choice(SHAPES)
    stop = None
    if shape in ("slow", "at the cut") and rng.random() < 0.4:
        stop = (rng.choice(["requested", "claim", "output"]), rng.uniform(0, 0.4))
    phases: tuple[str, ...] = (*PHASES, "stop", "stopping") if stop else PHASES
    if rng.random() < 0.5:
        phases = ("start", "sent")  # between the order and its answer luck is worst
    damages = [
        _damage(rng, "again" if turn else rng.choice(phases), shape)
        for turn in range(rng.choice([1, 1, 2, 2, 3]))
    ]
    kills = []
    if rng.random() < 0.4:
        kills.append(_kill(rng, ["requested", *PHASES[1:]]))
        if rng.random() < 0.4:
            kills.append(_kill(rng, ["tail", "output", "over"]))
    return Trial(
        number,
        shape,
        rng.random() < 0.4,
        shells[number % len(shells)],
        rng.choice([0, 0, 0, 10, 60]),
        tuple(damages),
        tuple(kills),
        stop,
        rng.choice(["", "", "openssh"]),
        rng.randbytes(225_000 if shape == "big" else 60_000),
    )


def _damage(rng: random.Random, phase: str, shape: str) -> Damage:
    seconds, count = 0.0, 0
    if rng.random() < 0.4:
        most = 300_000 if shape in ("big", "binary") else 12_000
        count, seconds = int(most ** rng.random()), rng.uniform(0.3, 1)
    elif phase in ("start", "sent"):
        seconds = rng.choice([0.0, rng.uniform(0, 0.1)])
    elif rng.random() < 0.7:
        seconds = rng.uniform(0, 0.3) if rng.random() < 0.8 else rng.uniform(0.3, 2)
    return Damage(rng.choice(KINDS), phase, seconds, count, rng.choice(SIDES), rng.uniform(0.2, 5))


def _kill(rng: random.Random, phases: list[str]) -> Kill:
    return Kill(rng.choice(phases), 0.0 if rng.random() < 0.5 else rng.uniform(0, 0.5))


def script(trial: Trial, side: Path, go: Path) -> str:
    """The command: its one side effect, then output of some shape."""
    # `lsblk` is one of ours there, and leaves a line: to the gate it only reads.
    effect = f"lsblk {side}" if trial.reads else f"echo run >> {side}"
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


@dataclass(frozen=True)
class Field:
    """What all trials share. tools: the directory with our `lsblk`."""

    folder: Path
    tools: Path
    cockpits: Cockpits
    servers: dict[str, Sshd]


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

    @property
    def ran(self) -> bool:
        return self.states[-1:] == [RunState.DONE]

    def look(self) -> None:
        """Fills in what the journal says, and what is wrong."""
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
        happened = f"phases {self.phases}\n  hit {self.hit}, killed {self.killed}"
        return f"trial {trial.number}: {'; '.join(self.wrong)}\n  {trial}\n  {happened}"


def report(results: list[Result]) -> str:
    """How the trials went, in a few lines."""
    states = Counter(", then ".join(result.states) or "nothing sent" for result in results)
    hits = Counter(word.split()[0] for result in results for word in result.hit)
    at = Counter(word.split()[-1] for result in results for word in result.hit)
    kills = Counter(word for result in results for word in result.killed)
    return (
        f"{len(results)} trials, {hits.total()} cuts, {kills.total()} kills"
        f"\n  ended {dict(states)}\n  cuts {dict(hits)}\n  after {dict(at)}\n  kills {dict(kills)}"
    )


async def attempt(field: Field, trial: Trial) -> Result:
    """Makes the trial; `wrong` is not complete before `look`."""
    result = Result(field, trial)
    result.home.mkdir()
    await asyncio.to_thread(_direct, field, result)
    server = field.servers[trial.shell]
    async with Proxy("127.0.0.1", server.port) as proxy:
        proxy.delay(trial.delay_ms)
        plan = Plan(
            home=str(result.home),
            ssh_config=str(way(server, result.home, proxy)),
            command=result.command,
            stop=trial.stop,
            again=2,
            transport=trial.transport,
        )
        made = _Attempt(field, result, plan, proxy)
        try:
            async with asyncio.timeout(PATIENCE):
                await made.go()
        except TimeoutError:
            result.wrong.append("it hangs")
        finally:
            await made.close()
    return result


def way(server: Sshd, folder: Path, proxy: Proxy) -> Path:
    """An ssh_config in which HOST is a server behind a proxy."""
    config = server.client_config(folder / "ssh", proxy.port)
    config.write_text(config.read_text().replace(f"Host {server.host}", f"Host {HOST}"))
    return config


def _direct(field: Field, result: Result) -> None:
    """Runs the command with nothing in between, for what it prints."""
    folder = result.home / "direct"
    folder.mkdir()
    (folder / "go").touch()
    (folder / "script").write_text(script(result.trial, folder / "side", folder / "go"))
    done = subprocess.run(
        ["sh", str(folder / "script")],
        env={"PATH": f"{field.tools}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    result.expected, result.status = done.stdout, done.returncode
    assert (folder / "side").read_text() == "run\n"


class _Attempt:
    """A trial under way: one cockpit after the other, and what is done to them and their link."""

    def __init__(self, field: Field, result: Result, plan: Plan, proxy: Proxy) -> None:
        self._field, self._result, self._plan, self._proxy = field, result, plan, proxy
        self._damages = list(result.trial.damages)
        self._kills = list(result.trial.kills)
        self._tasks: set[asyncio.Task[None]] = set()
        self._cockpit: Cockpit | None = None

    async def go(self) -> None:
        self._proxy.on_accept = self._accepted
        self._task(self._go_at_last())
        phase = ""
        while phase not in ("ended", "broke"):
            kill = self._kills.pop(0) if self._kills else None
            self._cockpit = cockpit = await self._field.cockpits.start(self._plan)
            while reached := await cockpit.next():
                phase = reached
                self._result.phases.append(phase)
                await self._reached(phase)
                if kill and kill.phase == phase:
                    shot = self._shoot(cockpit, kill)
                    if kill.seconds:
                        self._task(shot)
                    else:
                        await shot
            if cockpit.said:
                self._result.wrong.append(cockpit.said)

    async def close(self) -> None:
        if self._cockpit:
            await self._cockpit.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _shoot(self, cockpit: Cockpit, kill: Kill) -> None:
        if kill.seconds:
            await asyncio.sleep(kill.seconds)
        if not cockpit.gone:
            self._result.killed.append(kill.phase)
            cockpit.shoot()

    def _accepted(self) -> None:
        self._task(self._reached("again" if self._proxy.accepted > 1 else "accepted"))

    async def _go_at_last(self) -> None:
        """What waits for the damage does not wait for ever."""
        await asyncio.sleep(6)
        self._result.go.touch()

    async def _reached(self, phase: str) -> None:
        if not self._damages or self._damages[0].phase != phase:
            return
        damage = self._damages.pop(0)
        now = asyncio.Event()
        self._task(self._do(damage, now))
        if damage.count:
            self._proxy.after(damage.count, damage.side, now.set)
        if not damage.seconds:
            await asyncio.sleep(0.002)

    async def _do(self, damage: Damage, now: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(damage.seconds):
                await now.wait()
        self._result.hit.append(f"{damage.kind} after {damage.phase}")
        self._result.go.touch()
        proxy, cockpit = self._proxy, self._cockpit
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
            case "asleep" if cockpit:
                cockpit.signal(signal.SIGSTOP)
        await asyncio.sleep(damage.lasts)
        proxy.restore()
        if cockpit:
            cockpit.signal(signal.SIGCONT)

    def _task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
