"""The engine of another host, through its ssh link: one connection, and no socket opened here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cockpit.containers import numbers
from cockpit.containers.engine import Engine
from cockpit.containers.logs import Tail
from cockpit.containers.watch import Watch
from cockpit.target.ssh import SshTarget
from tests.containers.conftest import Dockerd, Until
from tests.lab.proxy import Proxy
from tests.lab.sshd import Sshd

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

StartSshd = Callable[..., Sshd]


@contextlib.asynccontextmanager
async def watching(config: Path, host: str, socket: Path) -> AsyncIterator[tuple[Watch, Engine]]:
    target = SshTarget("prod-1", host, ssh_config=config)
    await target.open()
    engine = Engine(target, str(socket))
    watch = Watch(engine)
    watch.start()
    try:
        yield watch, engine
    finally:
        await watch.close()
        await engine.close()
        await target.close()


async def test_12_containers_live_over_one_connection(
    dockerd: Dockerd, sshd: StartSshd, until: Until
) -> None:
    server = sshd()
    for number in range(12):
        dockerd.run(f"c{number}", "sleep 99")
    async with watching(server.ssh_config, server.host, dockerd.socket) as (watch, _):
        await until(lambda: len([r for r in watch.snapshot.rows if r.sample]) == 12)
        # For a while a busy machine's link may count as slow.
        await until(lambda: watch.snapshot.how == "streams", within=240)
        await until(lambda: watch.snapshot.trouble == "")


async def test_a_lost_link_is_told_and_what_changed_meanwhile_is_found(
    dockerd: Dockerd, sshd: StartSshd, until: Until, tmp_path: Path
) -> None:
    server = sshd()
    dockerd.run("web", "echo up; while [ ! -e /go ]; do sleep 0.1; done; echo more; sleep 99")
    async with Proxy("127.0.0.1", server.port) as proxy:
        config = server.client_config(tmp_path, proxy.port)
        async with watching(config, server.host, dockerd.socket) as (watch, engine):
            tail = Tail(engine, "web")
            tail.start()
            await until(lambda: [r for r in watch.snapshot.rows if r.sample] and tail.total)
            await proxy.cut()
            await until(lambda: "link to prod-1" in watch.snapshot.trouble)
            assert watch.snapshot.trouble.startswith("What is shown is ")
            assert [row.name for row in watch.snapshot.rows] == ["web"]
            await asyncio.to_thread(dockerd.docker, "exec", "web", "sh", "-c", "echo > /go")
            await asyncio.to_thread(dockerd.run, "late", "sleep 99")
            proxy.restore()
            await until(lambda: not watch.snapshot.trouble)
            await until(lambda: {row.name for row in watch.snapshot.rows} == {"web", "late"})
            await until(lambda: [str(line.text) for line in tail.lines] == ["up", "more"])
            await tail.close()


async def test_an_sshd_that_forwards_no_sockets_is_met_with_its_docker_command(
    dockerd: Dockerd, sshd: StartSshd, until: Until
) -> None:
    server = sshd(extra_config="AllowStreamLocalForwarding no")
    for name in ("one", "two", "three"):
        dockerd.run(name, "sleep 99")
    async with watching(server.ssh_config, server.host, dockerd.socket) as (watch, _):
        await until(lambda: len([r for r in watch.snapshot.rows if r.sample]) == 3)
        await until(lambda: watch.snapshot.how == "sampled there every 4 s through `docker`")
        await until(lambda: watch.snapshot.trouble == "")


async def test_an_engine_that_restarts_behind_its_docker_command_is_found_again(
    dockerd: Dockerd, sshd: StartSshd, until: Until
) -> None:
    server = sshd(extra_config="AllowStreamLocalForwarding no")
    dockerd.run("web", "echo up; while :; do sleep 0.1; done", "--restart", "always")
    async with watching(server.ssh_config, server.host, dockerd.socket) as (watch, engine):
        tail = Tail(engine, "web")
        tail.start()
        await until(lambda: watch.snapshot.at and tail.total)
        await asyncio.to_thread(dockerd.stop)
        await until(lambda: watch.snapshot.trouble and tail.note)
        await asyncio.sleep(4.0)
        # It may be, for a moment, where the whole machine stood still.
        await until(lambda: "lost" not in watch.snapshot.trouble + tail.note)
        assert watch.snapshot.trouble and tail.note
        await asyncio.to_thread(dockerd.start)
        await until(lambda: not watch.snapshot.trouble)
        await until(lambda: [str(line.text) for line in tail.lines] == ["up", "up"])
        await tail.close()


async def test_on_a_slow_link_the_numbers_are_taken_on_the_host(
    dockerd: Dockerd, sshd: StartSshd, until: Until, tmp_path: Path
) -> None:
    server = sshd()
    dockerd.run("web", "sleep 99", "-m", "64m")
    async with Proxy("127.0.0.1", server.port) as proxy:
        proxy.delay(200)
        config = server.client_config(tmp_path, proxy.port)
        async with watching(config, server.host, dockerd.socket) as (watch, _):
            await until(lambda: [r for r in watch.snapshot.rows if r.sample])
            await until(
                lambda: watch.snapshot.how == "sampled there every 6 s, as the link is slow"
            )
            # Until it runs its own program a container has the threads of the one that makes it.
            await until(lambda: (made := watch.snapshot.rows[0].sample) and made.pids == 1)
            sample = watch.snapshot.rows[0].sample
            assert sample is not None
            assert sample.memory_limit == 64 << 20
            assert 0 < sample.memory < 8 << 20
            await until(lambda: watch.snapshot.rows[0].sample != sample)
            await until(lambda: watch.snapshot.trouble == "")


async def test_a_link_that_becomes_slow_is_spared_and_one_that_is_fast_again_is_used(
    dockerd: Dockerd,
    sshd: StartSshd,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numbers, "LOOKED_EVERY", 0.5)
    server = sshd()
    dockerd.run("web", "sleep 99")
    async with Proxy("127.0.0.1", server.port) as proxy:
        config = server.client_config(tmp_path, proxy.port)
        async with watching(config, server.host, dockerd.socket) as (watch, _):
            await until(lambda: [r for r in watch.snapshot.rows if r.sample])
            await until(lambda: watch.snapshot.how == "streams", within=240)
            proxy.delay(150)
            await until(lambda: watch.snapshot.how.endswith("as the link is slow"))
            sample = watch.snapshot.rows[0].sample
            await until(lambda: watch.snapshot.rows[0].sample != sample)
            proxy.delay(0)
            await until(lambda: watch.snapshot.how == "streams", within=240)
            await until(lambda: watch.snapshot.trouble == "")
