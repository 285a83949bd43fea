"""What this machine says of its own network, with a real one where root may make it."""

from __future__ import annotations

import asyncio
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit.target import network
from tests.lab.fixtures import not_tested
from tests.target.ground import until

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]

TELLS = """
import asyncio, subprocess, sys
from cockpit.target import network

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

# A moment in which this does not run is not what is asked about.
network._STOOD_S = 600.0

async def told(words):
    is_to_be, _, words = words.partition(": ")
    heard = asyncio.Event()
    unwatch = network.watch(heard.set)
    for each in words.split(";"):
        ip(each)
    try:
        await asyncio.wait_for(heard.wait(), 30 if is_to_be == "told" else 1.5)
        print("told")
    except TimeoutError:
        print("quiet")
    unwatch()

ip("link add here type veth peer name there")
ip("link set there up")
for words in sys.argv[1:]:
    asyncio.run(told(words))
"""


@pytest.mark.root
def test_a_network_that_comes_back_is_told_and_what_is_of_no_use_is_not(
    request: pytest.FixtureRequest,
) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-n", "ip", "link"], check=False).returncode:
        not_tested(request, "a network of its own", ["unshare -n does not work, or ip is missing"])
    said = subprocess.run(
        [
            unshare, "-n", sys.executable, "-c", TELLS,
            "told: link set lo up;addr add 127.0.0.9/8 dev lo",
            "told: link set here up",
            "told: addr add 198.51.100.1/24 dev here",
            "told: route add 203.0.113.0/24 via 198.51.100.2",
            "quiet: route del 203.0.113.0/24",
            "quiet: link set here down",
            "told: link set here up",
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.split()  # fmt: skip
    # The loopback device runs too, from then on: one look too many.
    assert said == ["told", "told", "told", "told", "quiet", "quiet", "told"]


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def device(index: int, flags: int) -> bytes:
    return message(16, struct.pack("=BBHiII", 0, 0, 1, index, flags, 0))


def test_a_device_counts_when_it_begins_to_run() -> None:
    running: dict[int, bool] = {}
    assert network.came_back(device(2, 0x41), running)
    assert not network.came_back(device(2, 0x41), running)
    assert not network.came_back(device(2, 0x1), running)
    assert network.came_back(device(3, 0x1) + device(2, 0x41), running)


def test_what_is_cut_off_or_unknown_says_nothing() -> None:
    whole = device(2, 0x41)
    for size in range(len(whole)):
        network.came_back(whole[:size], {})
    assert not network.came_back(b"\0" * 64, {})
    assert not network.came_back(message(99, b"whatever"), {})


async def test_a_suspend_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asleep, told = 100.0, [0, 0]
    monkeypatch.setattr(network, "slept", lambda: asleep)

    def first() -> None:
        told[0] += 1

    def second() -> None:
        told[1] += 1

    unwatch_first, unwatch_second = network.watch(first), network.watch(second)
    await asyncio.sleep(0)
    before = list(told)
    asleep += 3600
    await until(lambda: told[0] > before[0] and told[1] > before[1])
    unwatch_first()
    before = list(told)
    asleep += 3600
    await until(lambda: told[1] > before[1])
    assert told[0] == before[0]
    unwatch_second()
    assert network._shared is None


async def test_a_process_that_was_stopped_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told = asyncio.Event()
    unwatch = network.watch(told.set)
    loop = asyncio.get_running_loop()
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + 60, raising=False)
    await asyncio.wait_for(told.wait(), 70)
    unwatch()


def test_the_time_slept_only_grows_here() -> None:
    # Two clocks, and this may not run for a moment in between: the most is nearest.
    before, after = (max(network.slept() for _ in range(20)) for _ in range(2))
    assert -0.1 < after - before < 1
