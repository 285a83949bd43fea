"""The sender is killed at random while its server is flaky: nothing is lost, order is kept, and
every duplicate says that it may be one."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from cockpit.config import Config, Destination
from cockpit.incident.events import Severity
from cockpit.incident.incident import Incident, fold
from cockpit.incident.journal import list_incidents, read, verify
from cockpit.incident.outgoing import Way
from cockpit.outbox import http, sender
from cockpit.responder import Responder
from tests.outbox.flaky import Flaky, Got, moody

TRIALS = int(os.environ.get("COCKPIT_OUTBOX_TRIALS", "20"))
SEED = 20261122
MESSAGES = 3
NAMES = ("hook", "chat")
ROOT = Path(__file__).parents[2]


async def at_work(home: Path, url: str) -> None:
    """Takes the incident up if there is one, writes what is not written yet, sends all."""
    # One with its id in the body, one without anything that would make a duplicate harmless.
    os.environ["CHAT"] = f"{url}/chat"
    config = Config(
        outbox={
            "hook": Destination(kind="webhook", url=f"{url}/hook"),
            "chat": Destination(kind="slack", env="CHAT"),
        }
    )
    responder = Responder(home, "sam", config)
    for folder in list_incidents(home):
        responder.take_up(folder)
    if responder.incident.severity is None:
        responder.declare("API down", Severity.P0)
    responder.reattach()
    box = responder.incident.outbox
    while len(box) < MESSAGES * len(NAMES) or any(one.waits for one in box.values()):
        written = Counter(one.queued.to for one in box.values())
        for name in NAMES:
            if written[name] < MESSAGES:
                responder.tell(f"message {written[name]}", "escalation", to=[name])
        await asyncio.sleep(0.02)
        box = responder.incident.outbox
    await responder.close()


def serve() -> None:
    """Forks a sender for each line, which says where: all is imported once. Answers with its id."""
    sender.FIRST_PAUSE, sender.LONGEST_PAUSE = 0.02, 0.05  # type: ignore[misc]
    http._trust()
    for line in sys.stdin:
        home, url = json.loads(line)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                asyncio.run(at_work(Path(home), url))
                status = 0
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        print(pid, flush=True)
        sys.stdin.readline()  # until then its id is given to no other process
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


class Senders:
    """Starts senders, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self, home: Path, url: str, kill_at: Callable[[], bool] | None = None, after: float = 0.0
    ) -> int:
        """Until it is killed, some seconds after that holds, or has sent all; its exit status."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([str(home), url]) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if kill_at is not None:
            while not (kill_at() or ended(pid)):
                time.sleep(0.001)
            time.sleep(after)
            os.kill(pid, signal.SIGKILL)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def ended(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")


@contextmanager
def senders() -> Iterator[Senders]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from tests.outbox.test_killed import serve; serve()"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Senders(process)
    finally:
        assert process.stdin and process.stdout
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
def test_nothing_is_lost_order_is_kept_and_every_duplicate_is_marked(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    seen: Counter[str] = Counter()
    with senders() as start:
        for trial in range(TRIALS):
            home = tmp_path / str(trial)
            with Flaky(moody(rng, 0.5)) as server:
                for _ in range(rng.randrange(1, 4)):
                    # Some while they open, most while something is on its way.
                    some = server.arrived + rng.randrange(0, 3)
                    killed = start.run(
                        home, server.url, partial(arrived, server, some), rng.uniform(0.0, 0.06)
                    )
                    seen["killed"] += killed == -signal.SIGKILL
                    seen["was done"] += killed == 0
                    assert killed in (-signal.SIGKILL, 0)
                assert start.run(home, server.url) == 0
            (folder,) = list_incidents(home)
            assert not verify(folder)
            check(fold(read(folder).records), server.got, seen)
    print(f"{TRIALS} trials: {dict(seen)}")
    assert seen["killed"] > TRIALS / 2
    assert seen["taken twice or more"] > TRIALS / 5, "nothing was tried that could go wrong"


def arrived(server: Flaky, count: int) -> bool:
    return server.arrived >= count


def check(incident: Incident, got: list[Got], seen: Counter[str]) -> None:
    assert len(incident.outbox) == MESSAGES * len(NAMES)
    assert {one.way for one in incident.outbox.values()} == {Way.SENT}
    for name in NAMES:
        came = sorted((one for one in got if one.path == f"/{name}"), key=lambda one: one.number)
        texts = [one.body["text"] for one in came]
        plain = [text.removeprefix("(possible duplicate) ") for text in texts]
        assert set(plain) == {f"message {n}" for n in range(MESSAGES)}, "one is lost"
        assert plain == sorted(plain), "one overtook another"
        for number in range(1, len(plain)):
            if plain[number] == plain[number - 1]:
                seen["sent again"] += 1
                before = [
                    one for one, text in zip(came, plain, strict=True) if text == plain[number]
                ]
                refused = all(one.refused for one in before if one.number < came[number].number)
                seen["after a refusal"] += refused
                assert texts[number] != plain[number] or refused, "a duplicate without its mark"
        for n in range(MESSAGES):
            taken = [one for one in came if one.taken and one.body["text"].endswith(f" {n}")]
            assert taken, "none of its attempts was taken"
            seen["messages"] += 1
            seen["taken twice or more"] += len(taken) > 1
            assert all(one.body["text"].startswith("(possible") for one in taken[1:])
