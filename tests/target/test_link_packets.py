"""The link over a network that loses real packets: no false alarm, and no hole that goes unnoticed.

COCKPIT_LOSS_S: seconds of loss. COCKPIT_LOSS_LINKS: links at a time. COCKPIT_HOLE_S: seconds of a
black hole.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import Link, LinkState
from tests.lab.fixtures import not_tested
from tests.target import far as far_away
from tests.target.far import Far
from tests.target.ground import leave, stopwatch, until

pytestmark = [pytest.mark.anyio, pytest.mark.root, pytest.mark.slow]

LOSS_S = float(os.environ.get("COCKPIT_LOSS_S", "15"))
LOSS_LINKS = int(os.environ.get("COCKPIT_LOSS_LINKS", "15"))
HOLE_S = float(os.environ.get("COCKPIT_HOLE_S", "8"))


@pytest.fixture
async def far(request: pytest.FixtureRequest) -> AsyncIterator[Far]:
    reasons = far_away.missing()
    if reasons:
        not_tested(request, "a network that loses packets", reasons)
    async with Far() as made:
        yield made


@asynccontextmanager
async def up(far: Far) -> AsyncIterator[SshTarget]:
    target = SshTarget("prod-1", "prod-1", ssh_config=far.config)
    await target.open()
    try:
        await asyncio.wait_for(target.ready(), 60)
        yield target
    finally:
        await target.close()


async def test_no_false_alarm_while_a_tenth_of_all_packets_is_lost(far: Far) -> None:
    targets = [SshTarget("prod-1", "prod-1", ssh_config=far.config) for _ in range(LOSS_LINKS)]
    alarms: list[Link] = []
    for target in targets:
        await target.open()
        await asyncio.wait_for(target.ready(), 60)
        target.watch(lambda link: None if link.state.usable else alarms.append(link))
    await far.be(loss=0.1, delay=0.05)
    await asyncio.sleep(LOSS_S)
    heard = [target.link.rtt for target in targets]
    assert min(rtt or 0.0 for rtt in heard) > 0.09, "or nothing was late and nothing was lost"
    found = alarms[:]
    await far.be()
    await asyncio.gather(*(target.close() for target in targets))
    hours = LOSS_S * LOSS_LINKS / 3600
    print(f"{len(found)} alarms in {hours:.2f} hours of links that lose a tenth")
    assert found == []


async def test_output_of_a_link_too_thin_for_it_is_no_silence(far: Far) -> None:
    """32 kB, one packet of SSH, takes four seconds here; a beat waits behind all of them."""
    async with up(far) as target:
        seen: list[LinkState] = []
        target.watch(lambda link: seen.append(link.state))
        channel = await target.shell()
        await far.be(delay=0.05, rate=8000)
        channel.stdin.write(b"head -c 60000 /dev/urandom\n")
        channel.stdin.write_eof()
        assert len(await channel.stdout.read()) == 60000
        channel.close()
        assert LinkState.LOST not in seen
        await far.be()
        await until(lambda: target.link.state is LinkState.UP)


async def test_a_black_hole_is_noticed_and_output_flows_after_its_end(far: Far) -> None:
    async with up(far) as target:
        place = await job.hello(target)
        id = job.new_id()
        order = job.order(leave("while :; do date; sleep 0.2; done", target.name), id)
        flowed = 0.0

        async def follow() -> None:
            nonlocal flowed
            news = job.follow(target, place, id, order=order, claimed=False, offset=0)
            async for item in news:
                if isinstance(item, job.Output):
                    flowed = time.monotonic()

        following = asyncio.create_task(follow())
        await far.be(delay=0.025)
        await until(lambda: flowed)
        await far.be(up=False, down=False)
        async with stopwatch() as passed:
            await until(lambda: target.link.state is LinkState.LOST)
            noticed = passed()
        await asyncio.sleep(HOLE_S - noticed)
        await far.be(delay=0.025)
        ended = time.monotonic()
        await until(lambda: flowed > ended)
        print(
            f"a hole of {HOLE_S:.0f} s: noticed after {noticed:.1f} s, output"
            f" {flowed - ended:.1f} s after its end"
        )
        assert noticed < 4.5, "3 on a machine that does nothing else"
        assert flowed - ended < 15, "2 on a machine that does nothing else"
        await job.stop(target, place, id)
        await following


async def test_a_server_that_went_away_without_a_word_is_noticed_when_it_can_speak(
    far: Far,
) -> None:
    """Half open: it ended while nothing passed, and resets what it does not know any more."""
    async with up(far) as target:
        await far.be(up=False, down=False)
        sessions = _sessions(far.home)
        assert sessions
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        await far.be()
        await until(lambda: target.link.state is LinkState.LOST)
        await asyncio.wait_for(target.ready(), 60)


async def test_a_network_that_comes_back_is_used_at_once(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device is down, and the next attempt would be far away."""
    monkeypatch.setattr("cockpit.target.ssh_race.RETRY_S", (60.0, 60.0))
    monkeypatch.setattr("cockpit.target.ssh_race.RETRY_MOST_S", 60.0)
    async with up(far) as target:
        _ip("link", "set", far.device, "down")
        await until(lambda: target.link.state is LinkState.LOST)
        # An attempt that hangs would come through by itself: wait for one that has failed.
        await until(lambda: target.link.state is LinkState.LOST and _far_off(target.link))
        await asyncio.sleep(1)
        _ip("link", "set", far.device, "up")
        # The next attempt would be later; 1 s on a machine that does nothing else.
        await asyncio.wait_for(target.ready(), 25)


def _far_off(link: Link) -> bool:
    return link.retry_at is not None and link.retry_at - time.monotonic() > 30


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})


def _sessions(home: Path) -> list[int]:
    """The processes that serve somebody, below the sshd of a home."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_text()
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            over = (Path("/proc") / parent / "cmdline").read_text()
        except OSError:
            continue
        if words.startswith(("sshd:", "sshd-session:")) and f"{home}/sshd_config" in over:
            found.append(int(path.name))
    return found
