"""SIGKILL at random moments of an incident: what was shown as saved is there, nothing ran twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest

from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.incident import RunState, fold
from cockpit.incident.journal import list_incidents, read, verify
from cockpit.responder import Responder
from cockpit.target import guard, job

KILLS = 200
SEED = 20261121


async def responder_at_work(home: Path, side: Path, told: int) -> None:
    """Takes the incident up and goes on with it for ever, telling what it shows as saved."""
    known = list_incidents(home)
    responder = Responder(home, "sam", Config())
    if known:
        responder.take_up(known[0])
    journal = responder.log.begin()
    shown = journal.on_saved

    def saved(seq: int) -> None:
        os.write(told, f"saved {seq}\n".encode())
        shown(seq)

    journal.on_saved = saved
    responder.reattach()
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    for number in range(10_000):
        # Not by the pid alone: the same one is given out again before two hundred have been.
        name = f"{mark}.{number}"
        responder.note(f"note {name}")
        asked = guard.ask(
            responder.intent(f"echo {name} >> {side}; echo begun; sleep 0.02; echo ended")
        )
        id = await responder.run(guard.answer(asked, confirmed=True, reason="at work"))
        os.write(told, f"asked {id} {name}\n".encode())
        while not responder.incident.runs[id].over:
            await asyncio.sleep(0.005)
        os.write(told, f"ended {id}\n".encode())


def child(home: Path, side: Path, told: int) -> int:
    """A process of its own, forked, so that two hundred of them cost seconds."""
    pid = os.fork()
    if pid:
        return pid
    try:
        asyncio.run(responder_at_work(home, side, told))
    except BaseException:
        os.write(told, f"broke {traceback.format_exc()!r}\n".encode())
    finally:
        os._exit(1)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing_and_run_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    rng = random.Random(SEED)
    home, side, log = tmp_path / "incidents", tmp_path / "side", tmp_path / "told"
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    # Once without a kill, so that every module is imported before the first fork.
    asyncio.run(warm(tmp_path))
    for number in range(KILLS):
        told_before = log.stat().st_size
        pid = child(home, side, told)
        # A fifth while it opens, the rest at work, however slow this machine is just now.
        if rng.random() > 0.2:
            until = time.monotonic() + 20
            while log.stat().st_size == told_before and time.monotonic() < until:
                time.sleep(0.002)
        if number % 10 == 0:
            # And some not before they have seen the end of a command.
            until = time.monotonic() + 30
            while b"\nended" not in told_since(log, told_before) and time.monotonic() < until:
                time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.3) if rng.random() > 0.3 else rng.uniform(0.3, 1.2))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    time.sleep(1)  # what was begun last goes on without us

    lines = log.read_text().splitlines()
    assert not [line for line in lines if line.startswith("broke")], lines[-3:]
    (folder,) = list_incidents(home)
    history = read(folder)
    seqs = [record.seq for record in history.records]
    assert seqs == sorted(set(seqs)), "an event stands twice, or out of order"
    saved = {int(line.split()[1]) for line in lines if line.startswith("saved")}
    assert len(saved) > KILLS / 4
    assert set(range(1, max(saved) + 1)) <= set(seqs)
    assert not verify(folder)

    asked = {words[1]: words[2] for line in lines if (words := line.split())[0] == "asked"}
    ended = [line.split()[1] for line in lines if line.startswith("ended")]
    assert len(ended) > KILLS / 20
    incident = fold(history.records)
    for id in ended:
        assert incident.runs[id].exit_status == 0
        assert (folder / incident.runs[id].asked.evidence).read_text() == "begun\nended\n"
    ran = Counter(side.read_text().split())
    assert all(asked[id] in ran for id in ended if id in asked)

    asyncio.run(settle(home, folder))
    settled = fold(read(folder).records)
    assert not settled.running()
    # Only now all have ended that ever ran, however slow this machine is.
    runs = Counter(side.read_text().split())
    assert set(runs.values()) == {1}, [name for name, count in runs.items() if count > 1]
    assert len(runs) > KILLS / 4
    states = Counter(run.state for run in settled.runs.values())
    assert states[RunState.DONE] == len(runs)
    assert set(states) <= {RunState.DONE, RunState.NEVER_STARTED}


def told_since(log: Path, size: int) -> bytes:
    return log.read_bytes()[size:]


async def warm(tmp_path: Path) -> None:
    responder = Responder(tmp_path / "warm", "sam", Config())
    await responder.run(guard.answer(guard.ask(responder.intent("uptime"))))
    await responder.close()
    assert job and sys.modules["cockpit.runbook.shell"]


async def settle(home: Path, folder: Path) -> None:
    """One last cockpit asks about every run that nobody saw the end of."""
    responder = Responder(home, "sam", Config())
    responder.take_up(folder)
    responder.reattach()
    async with asyncio.timeout(120):
        while responder.incident.running():
            await asyncio.sleep(0.05)
    assert isinstance(responder.incident.entries[-1].record.event, e.Event)
    await responder.close()
