"""After a gap of the link or the engine: what changed meanwhile is found, and old numbers said."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest

from cockpit.containers import engine as engines
from cockpit.containers.container import Container, from_list
from cockpit.containers.engine import Engine, EngineTrouble
from cockpit.containers.logs import Tail, save_logs
from cockpit.containers.stats import stale
from cockpit.containers.watch import Watch
from cockpit.containers.wire import Listed
from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import LinkLost
from tests.containers.conftest import Until
from tests.containers.linked import container, linked
from tests.lab.lab import Lab
from tests.lab.sshd import Sshd
from tests.target import ground

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

StartSshd = Callable[..., Sshd]
NO_SOCKETS = "AllowStreamLocalForwarding no\nMaxSessions 10"
COUNTING = "sh -c 'n=0; while :; do n=$((n+1)); echo $n; sleep 0.1; done'"


def laptop_clock_off_by(hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that cockpit reads is not the host's."""

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=hours)

    monkeypatch.setattr(engines, "datetime", Off)


@contextlib.asynccontextmanager
async def watching(engine: Engine) -> AsyncIterator[Watch]:
    watch = Watch(engine)
    watch.start()
    try:
        yield watch
    finally:
        await watch.close()


@contextlib.asynccontextmanager
async def tailing(engine: Engine, name: str) -> AsyncIterator[Tail]:
    tail = Tail(engine, name, first=10**6)
    tail.start()
    try:
        yield tail
    finally:
        await tail.close()


def row(watch: Watch, name: str) -> Container:
    nothing = from_list(Listed(""))
    return next((row for row in watch.snapshot.rows if row.name == name), nothing)


def names(watch: Watch) -> set[str]:
    return {str(row.name) for row in watch.snapshot.rows}


def current(watch: Watch, name: str, since: float) -> bool:
    """Whether its numbers came after since, and are not old now."""
    sample = row(watch, name).sample
    return sample is not None and sample.at > since and not stale(sample, time.monotonic())


def whole(tail: Tail) -> bool:
    """Whether it has the numbers from 1 on, each once."""
    return [line.text for line in tail.lines] == [str(n + 1) for n in range(len(tail.lines))]


async def where(target: SshTarget) -> job.Place:
    """Where jobs can live there; asked again while a busy host loses the link."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await job.hello(target)
            except LinkLost:
                await target.ready()


async def saved(engine: Engine, name: str) -> None:
    """Returns when a log was saved; begun anew where a busy engine or link does not answer."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(EngineTrouble):
                await save_logs(engine, name, lambda part: None)
                return
            await asyncio.sleep(0.2)


@pytest.fixture
def idle(lab: Lab) -> Iterator[list[str]]:
    """Containers that change in the gap, and what each is then."""
    names = ["gap-stopped", "gap-started", "gap-renamed", "gap-removed", "gap-restarted"]
    lab.run(f"docker rm -f {' '.join(names)} gap-new-name gap-new gap-off", check=False)
    run = "docker run -d --network none --stop-timeout 0 --name"
    lab.run(" && ".join(f"{run} {name} kamiyo:1.4.2 sleep 999" for name in names))
    lab.run("docker stop -t 0 gap-started && docker create --name gap-off kamiyo:1.4.2 true")
    yield names
    lab.run(f"docker rm -f {' '.join(names)} gap-new-name gap-new gap-off gap-off-2", check=False)


CHANGES = """
docker stop -t 0 gap-stopped; docker start gap-started; docker rename gap-renamed gap-new-name
docker rm -f gap-removed; docker restart -t 0 gap-restarted; docker rename gap-off gap-off-2
docker run -d --network none --stop-timeout 0 --name gap-new kamiyo:1.4.2 sleep 999"""


@pytest.mark.parametrize(
    ("way", "hole", "off"), [("socket", "black hole", 5), ("docker command", "cut", -5)]
)
async def test_what_changed_in_a_hole_is_right_after_it_and_old_numbers_were_said(
    lab: Lab,
    sshd: StartSshd,
    idle: list[str],
    tmp_path: Path,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    hole: str,
    off: float,
) -> None:
    laptop_clock_off_by(off, monkeypatch)
    server = None if way == "socket" else sshd(extra_config=NO_SOCKETS)
    async with linked(lab, tmp_path, server) as link, watching(link.engine) as watch:
        await until(lambda: all(row(watch, n).sample for n in idle if n != "gap-started"))
        began_run = row(watch, "gap-restarted").started_at
        if hole == "cut":
            await link.proxy.cut()
        else:
            link.proxy.stall()
        told = await until(lambda: watch.snapshot.trouble)
        assert watch.snapshot.trouble.startswith("What is shown is ")
        await until(lambda: "The link to prod-1 is lost" in watch.snapshot.trouble)
        if way == "socket":
            await until(
                lambda: all(
                    stale(made, time.monotonic()) for each in watch.snapshot.rows
                    if (made := each.sample) is not None
                ),
                within=60,
            )  # fmt: skip
        await asyncio.to_thread(lab.run, CHANGES)
        assert {"gap-removed", "gap-renamed"} <= names(watch) and "gap-new" not in names(watch)
        since = time.monotonic()
        link.proxy.restore()
        await until(lambda: link.target.link.state.usable)
        back = time.monotonic()

        def right() -> bool:
            return (
                row(watch, "gap-stopped").exit_code == 137
                and row(watch, "gap-started").state == "running"
                and names(watch).isdisjoint({"gap-renamed", "gap-removed", "gap-off"})
                and row(watch, "gap-new-name").state == "running"
                and row(watch, "gap-new").state == "running"
                and row(watch, "gap-off-2").state == "created"
                and row(watch, "gap-restarted").started_at not in (None, began_run)
                and not watch.snapshot.trouble
            )

        true = await until(right)
        await until(
            lambda: all(
                current(watch, name, since)
                for name in ("gap-started", "gap-new-name", "gap-new", "gap-restarted")
            ),
            within=60,
        )
        print(
            f"told after {told:.1f} s; {back - since:.1f} s after the hole the link is back, "
            f"{true:.1f} s later all is right, {time.monotonic() - back:.1f} s numbers are current"
        )


async def test_15_containers_a_tail_and_a_command_fit_into_ten_sessions(
    lab: Lab, sshd: StartSshd, tmp_path: Path, until: Until
) -> None:
    server = sshd(extra_config=NO_SOCKETS)
    names = [f"many-{number}" for number in range(14)]
    run = "docker run -d --network none --stop-timeout 0 --name"
    lab.run("; ".join(f"{run} {name} kamiyo:1.4.2 sleep 999" for name in names))
    try:
        with container(lab, "counting", COUNTING):
            async with (
                linked(lab, tmp_path, server) as link,
                watching(link.engine) as watch,
                tailing(link.engine, "counting") as tail,
            ):
                place = await where(link.target)
                run_ = asyncio.create_task(ground.run(link.target, place, "sleep 6; echo done"))
                everyone = [*names, "counting"]

                def all_have_numbers() -> bool:
                    made = [row(watch, name).sample for name in everyone]
                    return all(each and each.cpu_percent is not None for each in made)

                await until(all_have_numbers)
                await until(
                    lambda: watch.snapshot.how == "sampled there every 4 s through `docker`"
                )
                await saved(link.engine, "counting")
                await link.proxy.drop()
                since = time.monotonic()
                await until(lambda: all(current(watch, n, since) for n in everyone))
                seen = tail.total
                await until(lambda: tail.total > seen + 5 and not watch.snapshot.trouble)
                done = await run_
                assert (done.output, done.status) == (b"done\n", 0)
                assert whole(tail)
                await until(lambda: tail.note == "")
        assert "no more sessions" not in server.log.read_text()
    finally:
        lab.run(f"docker rm -f {' '.join(names)}")


async def test_few_sessions_are_shared_and_too_few_are_no_lost_link(
    lab: Lab, sshd: StartSshd, tmp_path: Path, until: Until
) -> None:
    few = sshd(extra_config="AllowStreamLocalForwarding no\nMaxSessions 3")
    async with linked(lab, tmp_path, few) as link, watching(link.engine) as watch:
        await until(lambda: row(watch, "kamiyo").sample)
        await until(lambda: watch.snapshot.how.startswith("polled every "))
        await until(lambda: watch.snapshot.trouble == "")
    too_few = sshd(extra_config="AllowStreamLocalForwarding no\nMaxSessions 2")
    async with linked(lab, tmp_path, too_few) as link, watching(link.engine) as watch:
        await until(lambda: "MaxSessions" in watch.snapshot.trouble)
        assert "opens no further session for Docker" in watch.snapshot.trouble
        assert "lost" not in watch.snapshot.trouble
        assert link.target.link.state.usable
    await until(lambda: "no more sessions" in too_few.log.read_text())


async def test_an_engine_that_hangs_behind_a_link_is_not_taken_for_a_lost_link(
    lab: Lab, tmp_path: Path, until: Until
) -> None:
    with container(lab, "counting", COUNTING):
        async with (
            linked(lab, tmp_path) as link,
            watching(link.engine) as watch,
            tailing(link.engine, "counting") as tail,
        ):
            await until(lambda: row(watch, "counting").sample and tail.total > 5)
            lab.pause_engine()
            try:
                for words in ("takes connections", "within 5 s"):
                    await until(lambda words=words: words in watch.snapshot.trouble)
                    assert "does not answer, though it takes connections" in tail.note
                    assert "link" not in watch.snapshot.trouble
                made = row(watch, "counting").sample
                assert made is not None
                # Of a link that was slow for a while, numbers are due more seldom.
                await until(lambda: stale(made, time.monotonic()))
            finally:
                lab.resume_engine()
            since = time.monotonic()
            await until(lambda: not watch.snapshot.trouble and not tail.note)
            await until(lambda: current(watch, "counting", since))
            seen = tail.total
            await until(lambda: tail.total > seen + 20)
            assert whole(tail)


async def test_a_tail_goes_on_over_what_its_container_did_in_a_hole(
    lab: Lab, tmp_path: Path, until: Until
) -> None:
    says = "sh -c 'echo up; sleep 0.5; printf broken; echo > /said; exec sleep 999'"
    with (
        container(lab, "restarts", says),
        container(lab, "starts", "sh -c 'echo up; printf broken'"),
        container(lab, "goes", says),
    ):
        async with (
            linked(lab, tmp_path) as link,
            tailing(link.engine, "restarts") as restarts,
            tailing(link.engine, "starts") as starts,
            tailing(link.engine, "goes") as goes,
        ):
            await until(lambda: "does not run" in starts.note)
            await until(lambda: restarts.total and goes.total)
            link.proxy.stall()
            await until(lambda: "The link to prod-1 is lost" in goes.note)
            assert "The link to prod-1 is lost" in starts.note
            await asyncio.to_thread(
                lab.run,
                "until docker exec restarts test -e /said; do sleep 0.1; done;"
                " docker restart -t 0 restarts; docker start starts; docker rm -f goes",
            )
            await link.proxy.drop()
            link.proxy.restore()
            await until(lambda: "was removed" in goes.note)
            await until(lambda: "does not run" in starts.note)
            once = ["up", "broken"]
            assert [line.text for line in starts.lines] == once * 2
            await until(lambda: [line.text for line in restarts.lines] == [*once, "up"])
            assert goes.lines[0].text == "up"


@pytest.mark.parametrize("hole", ["cut", "black hole"])
async def test_a_log_that_is_saved_while_the_link_drops_says_that_it_is_cut_short(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hole: str
) -> None:
    """What came is kept, in whole lines, and nothing takes it for all."""
    came = 0

    async def counted(self: Engine, *which: str, **how: Any) -> AsyncIterator[bytes]:
        nonlocal came
        async for chunk in logs(self, *which, **how):
            came += len(chunk)
            yield chunk

    logs = Engine.logs
    monkeypatch.setattr(Engine, "logs", counted)
    script = "import secrets; [print(n, secrets.token_hex(1000)) for n in range(5000)]"
    with container(lab, "big", f'python3 -c "{script}"'):
        lab.run("docker wait big")
        async with linked(lab, tmp_path) as link:
            parts: list[bytes] = []
            saving = asyncio.create_task(save_logs(link.engine, "big", parts.append))
            async with asyncio.timeout(60):
                while came < 100_000:
                    if saving.done():  # a busy host was not there for so long
                        assert saving.exception() is not None
                        parts.clear()
                        came = 0
                        saving = asyncio.create_task(save_logs(link.engine, "big", parts.append))
                    await asyncio.sleep(0)
            if hole == "cut":
                await link.proxy.cut()
            else:
                link.proxy.stall()
            with pytest.raises(EngineTrouble, match=r"link to prod-1 is lost|within 5 s"):
                await saving
            link.proxy.restore()
    assert b", cut short: " in parts[0]
    end = parts.index(b"\n# docker inspect\n")
    lines = parts[1:end]
    assert 10 < len(lines) < 5000
    for number, line in enumerate(lines):
        _, stream, first, rest = line.split(b" ")
        assert (stream, int(first), len(rest)) == (b"stdout", number, 2001)
