"""The link is a state: what is said of it, when, and what is done about it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cockpit.target import job, network, ssh, ssh_race
from cockpit.target.ssh import SshTarget
from cockpit.target.ssh_line import Line
from cockpit.target.target import Link, LinkDown, LinkState
from tests import processes
from tests.lab.proxy import Proxy, Side
from tests.target.ground import Lab, Sshd, collect, leave, run, stopwatch, until

pytestmark = pytest.mark.anyio

LOST_HOSTS = int(os.environ.get("COCKPIT_LOST_HOSTS", "20"))


@pytest.fixture
async def way(server: Sshd) -> AsyncIterator[Proxy]:
    async with Proxy("127.0.0.1", server.port) as proxy:
        yield proxy


def entry(port: int) -> str:
    return f"Host prod-1\n  HostName 127.0.0.1\n  Port {port}"


class Seen:
    """Every state that a link was in; no lost one may be without a time of the next attempt."""

    def __init__(self, target: SshTarget) -> None:
        self.links: list[Link] = []
        target.watch(self.links.append)

    def states(self) -> list[LinkState]:
        return [state for state, _ in itertools.groupby(link.state for link in self.links)]

    def check(self) -> None:
        lost = [link for link in self.links if link.state is LinkState.LOST]
        assert all(link.retry_at is not None and link.reason for link in lost), lost
        assert all(link.reason for link in self.links if link.state is not LinkState.UP)


@asynccontextmanager
async def kept(lab: Lab, server: Sshd, port: int) -> AsyncIterator[tuple[SshTarget, Seen]]:
    """A target, the states it was in, and the promise of its end."""
    config = lab.config(entry(port), known=server.known_line(port))
    target = SshTarget("prod-1", "prod-1", ssh_config=config)
    seen = Seen(target)
    await target.open()
    try:
        yield target, seen
    finally:
        began = time.monotonic()
        await target.close()
        # A dead link would hold it up for longer; by itself it takes less than one.
        assert time.monotonic() - began < 20
    await asyncio.sleep(0)
    seen.check()


async def alive(target: SshTarget) -> None:
    """Something can be done over the link, again."""
    async with asyncio.timeout(30):
        await target.ready()
        place = await job.hello(target)
        assert (await run(target, place, "echo hi")).output == b"hi\n"


# -- noticed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["up", "down", "both"])
async def test_silence_of_either_direction_is_noticed_and_mended(
    lab: Lab, server: Sshd, way: Proxy, side: Side
) -> None:
    async with kept(lab, server, way.port) as (target, seen):
        await target.ready()
        way.stall(side)
        began = time.monotonic()
        async with stopwatch() as passed:
            await until(lambda: target.link.state is LinkState.LOST)
            noticed = passed()
        stood = time.monotonic() - began - noticed
        assert noticed < 4.5, "3 on a machine that does nothing else"
        # Since it was last heard, which was before the silence began; we are excused.
        assert -5 < target.link.since - began <= 0.2 + stood
        assert "does not answer" in target.link.reason
        way.restore()
        await until(lambda: target.link.state.usable)
        await alive(target)
        assert LinkState.DOWN not in seen.states()


async def test_a_reset_is_noticed_at_once(lab: Lab, server: Sshd, way: Proxy) -> None:
    async with kept(lab, server, way.port) as (target, seen):
        await target.ready()
        async with stopwatch() as passed:
            await way.cut()
            await until(lambda: target.link.state is LinkState.LOST)
            assert passed() < 1
        await until(lambda: "refuses" in target.link.reason)

        def due_soon() -> bool:
            """Not while the next one is due just now."""
            retry_at = target.link.retry_at
            assert retry_at is not None
            return 0 < retry_at - time.monotonic() <= ssh_race.RETRY_S[1]

        await until(due_soon)
        way.restore()
        target.retry_now()
        await alive(target)
        # A login that took long is called slow at first.
        usable = [state.usable for state, _ in itertools.groupby(link.state for link in seen.links)]
        assert usable[0]
        assert seen.states()[usable.index(False)] is LinkState.LOST


async def test_a_login_that_hangs_is_said_and_does_not_hold_up_the_next(
    lab: Lab, server: Sshd, way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes the connection and says nothing more; those that come later are served."""
    monkeypatch.setattr(ssh_race, "RETRY_S", (0.5, 1.0))
    monkeypatch.setattr("cockpit.target.ssh._FIRST_S", 600.0)
    way.stall()
    async with kept(lab, server, way.port) as (target, _):
        await until(lambda: way.accepted >= 2)
        assert target.link.state is LinkState.CONNECTING
        monkeypatch.setattr("cockpit.target.ssh._FIRST_S", 1.0)
        await until(lambda: target.link.state is LinkState.LOST)
        assert target.link.reason == "prod-1 does not answer; still connecting"
        for stuck in tuple(way._pairs):
            stuck.cancel()
        way.restore()
        await alive(target)


async def test_a_link_cut_again_and_again_while_a_job_is_attached_to_again(
    lab: Lab, server: Sshd, way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_race, "RETRY_S", (0.5, 1.0))
    async with kept(lab, server, way.port) as (target, _):
        await target.ready()
        place = await job.hello(target)
        id = job.new_id()
        order = job.order(leave("for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done", "prod-1"), id)
        follow = job.follow(target, place, id, order=order, claimed=False, offset=0)
        done = asyncio.create_task(collect(follow))
        for number in range(5):
            following = way.accepted + 1
            await way.drop("rst" if number % 2 else "fin")
            # The next login has begun; it is cut in the middle, at another place each time.
            await _accepts(way, following)
            await asyncio.sleep(0.03 * number)
        assert (await asyncio.wait_for(done, 60)).output == b"1\n2\n3\n4\n5\n6\n"


async def _accepts(way: Proxy, number: int) -> None:
    await until(lambda: way.accepted >= number)


async def test_the_old_connection_is_kept_until_a_new_one_is_let_in(
    lab: Lab, server: Sshd, way: Proxy
) -> None:
    """New connections are refused all the while; the old one comes back, and with it its shell."""
    async with kept(lab, server, way.port) as (target, seen):
        await target.ready()
        channel = await target.shell()
        way.stall()
        await way.refuse()
        await until(lambda: "refuses" in target.link.reason)
        assert target.link.state is LinkState.LOST
        way._flowing["up"].set()
        way._flowing["down"].set()
        await until(lambda: target.link.state.usable)
        channel.stdin.write(b"echo still here\n")
        assert await channel.stdout.readline() == b"still here\n"
        channel.close()
        assert way.accepted == 1
        assert LinkState.LOST in seen.states()
        way.restore()


async def test_a_host_that_no_longer_lets_us_in_is_down_until_the_old_connection_speaks(
    lab: Lab,
) -> None:
    server = lab.sshd()
    assert server.process is not None
    keys = server.home / "authorized_keys"
    async with (
        Proxy("127.0.0.1", server.port) as way,
        kept(lab, server, way.port) as (target, _),
    ):
        await target.ready()
        allowed = keys.read_bytes()
        keys.write_bytes(b"")
        sessions = _children(server.process.pid)
        processes.tell(sessions, signal.SIGSTOP)
        try:
            await until(lambda: target.link.state is LinkState.DOWN)
            dialed = way.accepted
            assert "does not let" in target.link.reason
            with pytest.raises(LinkDown):
                await target.ready()
        finally:
            processes.tell(sessions, signal.SIGCONT)
        await until(lambda: target.link.state.usable)
        keys.write_bytes(allowed)
        await alive(target)
        # It is the old connection.
        assert way.accepted == dialed


def _children(pid: int) -> list[int]:
    found = []
    for path in processes.files("stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            child = int(path.parent.name)
            found += [child, *_children(child)]
    return found


# -- degraded --------------------------------------------------------------------------------------


async def test_a_link_about_as_slow_as_the_bound_does_not_flap(
    lab: Lab, server: Sshd, way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kept(lab, server, way.port) as (target, seen):
        await target.ready()
        assert target._line is not None
        took = itertools.cycle([1.1, 0.8, 0.95, 0.75])
        monkeypatch.setattr(target._line, "rtt", lambda: next(took))
        await until(lambda: target.link.state is LinkState.DEGRADED)
        assert target.link.reason == "prod-1 answers slowly"
        seen.links.clear()
        await asyncio.sleep(4)
        assert seen.states() == [LinkState.DEGRADED]
        monkeypatch.setattr(target._line, "rtt", lambda: 0.3)
        await until(lambda: target.link.state is LinkState.UP)


# -- again -----------------------------------------------------------------------------------------


def test_attempts_are_eager_first_and_then_less_and_less() -> None:
    first = [ssh_race.pause(away) for away in range(120) for _ in range(10)]
    assert 2 <= min(first) < 2.2
    assert 4.8 < max(first) <= 5
    later = [ssh_race.pause(3600) for _ in range(100)]
    assert max(later) <= 30
    assert min(later) > max(first)


@asynccontextmanager
async def woken(
    lab: Lab, server: Sshd, way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SshTarget, Seen, Callable[[float], None]]]:
    """A link that died while the machine slept, and is asked; call the last to sleep longer."""
    monkeypatch.setattr(ssh, "QUIET_S", 600.0)  # silence alone tells nothing here
    asleep = 0.0
    monkeypatch.setattr(network, "slept", lambda: asleep)

    def sleep(seconds: float) -> None:
        nonlocal asleep
        asleep = seconds

    async with kept(lab, server, way.port) as (target, seen):
        await target.ready()
        await until(lambda: target._line is not None and target._line.quiet() < 0.1)
        sleep(3600.0)
        way.stall()
        await until(lambda: target._doubt is not None)
        yield target, seen, sleep


async def test_after_a_suspend_a_dead_link_is_lost_at_once(
    lab: Lab, server: Sshd, way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with woken(lab, server, way, monkeypatch) as (target, seen, sleep):
        await until(lambda: LinkState.LOST in seen.states())
        # While it is lost the next attempt does not wait either.
        attempts = way.accepted
        sleep(7200.0)
        await until(lambda: way.accepted > attempts)
        way.restore()
        await alive(target)
        # One that is well is asked, and that is all.
        seen.links.clear()
        check, asked = Line.check, asyncio.Event()

        def checked(line: Line) -> None:
            asked.set()
            check(line)

        # Answered as quickly as here, the doubt may be over before anybody has looked.
        monkeypatch.setattr(Line, "check", checked)
        sleep(9999.0)
        await asyncio.wait_for(asked.wait(), 30)
        await until(lambda: target._doubt is None)
        assert LinkState.LOST not in seen.states()


async def test_standing_still_ourselves_is_no_answer_to_a_doubt(
    lab: Lab, server: Sshd, way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with woken(lab, server, way, monkeypatch) as (_, seen, _):
        # Longer than since it was last heard, and too short for the network to be looked at again.
        time.sleep(1.5)  # noqa: ASYNC251
        await until(lambda: LinkState.LOST in seen.states())
        way.restore()


# -- meanwhile -------------------------------------------------------------------------------------


async def test_the_loop_stays_free_while_many_hosts_are_lost(lab: Lab, server: Sshd) -> None:
    """Names that do not resolve, ports that refuse, hosts that swallow everything."""
    async with Proxy("127.0.0.1", server.port) as hole:
        hole.stall()
        names = [f"lost-{number}" for number in range(LOST_HOSTS)]
        places = itertools.cycle(
            [f"127.0.0.1\n  Port {hole.port}", "127.0.0.1\n  Port 1", "no-such-host.invalid"]
        )
        config = lab.config(
            *(f"Host {n}\n  HostName {at}" for n, at in zip(names, places, strict=False))
        )
        targets = [SshTarget(name, name, ssh_config=config) for name in names]
        # The libraries of the first login are loaded once; a key waits for that at no other time.
        await targets[0].open()
        await until(lambda: hole.accepted)
        await asyncio.sleep(1)
        # What other tests left behind is not looked through again and again meanwhile.
        gc.collect()
        gc.freeze()
        gaps: list[float] = []
        busy: list[float] = []

        async def pulse() -> None:
            while True:
                before, worked = time.monotonic(), time.thread_time()
                await asyncio.sleep(0.005)
                gaps.append(time.monotonic() - before)
                busy.append(time.thread_time() - worked)

        beating = asyncio.create_task(pulse())
        for target in targets:
            await target.open()
        await asyncio.sleep(4)
        states = {target.link.state for target in targets}
        began = time.monotonic()
        await asyncio.gather(*(target.close() for target in targets))
        took = time.monotonic() - began
        beating.cancel()
        gc.unfreeze()
        print(f"{LOST_HOSTS} hosts: longest gap {max(gaps) * 1000:.0f} ms, of it at work"
              f" {max(busy) * 1000:.0f} ms; closed in {took:.2f} s")  # fmt: skip
        assert states <= {LinkState.LOST, LinkState.CONNECTING}
        # Work of this thread, so that a busy machine does not count.
        assert max(busy) < 0.1
        assert took < 20


async def test_a_resolver_that_hangs_holds_up_nothing_else(
    lab: Lab, server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with the network away: runbooks are still found and read, and the program still ends."""
    over = threading.Event()

    def hang(name: str, *_: object, **__: object) -> list[object]:
        over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer about {name}")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    names = [f"lost-{number}.example" for number in range(LOST_HOSTS)]
    config = lab.config(*(f"Host {name}\n  HostName {name}" for name in names))
    targets = [SshTarget(name, name, ssh_config=config) for name in names]
    try:
        for target in targets:
            await target.open()
        await asyncio.sleep(3)
        # Sooner than the resolver gives up, which is after a minute.
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "read"), 25) == "read"
        began = time.monotonic()
        await asyncio.gather(*(target.close() for target in targets))
        assert time.monotonic() - began < 20
    finally:
        over.set()


async def test_nothing_is_left_behind_whatever_the_state(
    lab: Lab, server: Sshd, way: Proxy
) -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    for delay in (0, 0.01, 0.05, 0.1, 0.3, 1.0):
        async with kept(lab, server, way.port):
            await asyncio.sleep(delay)
    async with kept(lab, server, way.port) as (target, _):
        await target.ready()
        way.stall()
        await until(lambda: target.link.state is LinkState.LOST)
        await asyncio.sleep(1)
    way.restore()
    async with kept(lab, server, way.port) as (target, _):
        await target.ready()
        await way.cut()
        await until(lambda: target.link.state is LinkState.LOST)
    way.restore()
    await until(lambda: not _ours(asyncio.all_tasks() - before))
    gc.collect()
    await asyncio.sleep(0.1)
    assert complaints == []
    assert network._shared is None


def _ours(tasks: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """Those that are not the proxy's."""
    return [task for task in tasks if "proxy.py" not in repr(task.get_coro())]
