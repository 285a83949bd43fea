"""One engine kept true: by events, over hangs and restarts, and never older than it says."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from cockpit.containers.container import Container, from_inspect, from_list
from cockpit.containers.engine import Engine
from cockpit.containers.stats import stale
from cockpit.containers.watch import Watch
from cockpit.containers.wire import Config, Inspected, Listed, State
from cockpit.target.target import Local
from cockpit.text import Safe
from tests.containers.conftest import CuttingProxy, Dockerd, Until
from tests.containers.watching import watching

pytestmark = pytest.mark.anyio

HOSTILE = "[/][@click=app.bell]x[/]\x1b]52;c;aGVsbG8=\x07\x1b[2J\u202e\n\x9b31m"
UNSAFE = "\x1b\x07\x9b\u202e\n"


def row(watch: Watch, name: str) -> Container:
    """The row of that name; one that says nothing while there is none."""
    nothing = from_list(Listed(""))
    return next((row for row in watch.snapshot.rows if row.name == name), nothing)


def names(watch: Watch) -> set[str]:
    return {row.name for row in watch.snapshot.rows}


@pytest.mark.docker
async def test_what_an_on_call_person_looks_for_is_in_the_rows(
    dockerd: Dockerd, until: Until
) -> None:
    check = ("--health-interval", "200ms", "--health-retries", "1")
    dockerd.run("sick", "sleep 99", "--health-cmd", "false", *check)
    dockerd.run("fine", "sleep 99", "--health-cmd", "true", *check)
    dockerd.run("hungry", "tail /dev/zero", "-m", "12m", "--memory-swap", "12m")
    dockerd.run("failed", "exit 3")
    dockerd.run("flapping", "exit 7", "--restart", "always")
    dockerd.run(
        "shop", "sleep 99", "-t", "--label", "com.docker.compose.project=store",
        "--label", "com.docker.compose.service=web",
    )  # fmt: skip
    async with watching(dockerd.socket) as watch:
        await until(lambda: row(watch, "sick").health == "unhealthy")
        await until(lambda: row(watch, "fine").health == "healthy")
        # Its shim tells of the lack of memory beside the end; a busy one too late for the engine.
        async with asyncio.timeout(60):
            while not (row(watch, "hungry").oom and row(watch, "hungry").exit_code == 137):
                await asyncio.to_thread(dockerd.docker, "start", "hungry", check=False)
                await asyncio.to_thread(dockerd.docker, "wait", "hungry")
                await asyncio.sleep(0.5)
        assert row(watch, "hungry").status == "exited (137) out of memory"
        await until(lambda: row(watch, "failed").exit_code == 3)
        await until(lambda: (row(watch, "flapping").restarts or 0) >= 2)
        await until(lambda: row(watch, "shop").restarts is not None)
        shop = row(watch, "shop")
        assert (shop.project, shop.service, shop.tty, shop.state) == (
            "store",
            "web",
            True,
            "running",
        )
        assert shop.restarts == 0
        assert shop.started_at is not None and shop.started_at.tzinfo is not None
        await until(
            lambda: (first := row(watch, "shop").sample) and not stale(first, time.monotonic())
        )
        await until(lambda: watch.snapshot.trouble == "")
        assert watch.snapshot.how == "streams"
        assert watch.snapshot.engine_version.startswith("2")
        watch.stopped = False
        await until(lambda: {"hungry", "failed"}.isdisjoint(names(watch)))
        assert {"sick", "fine", "shop"} <= names(watch)


@pytest.mark.docker
async def test_events_keep_the_rows_true(dockerd: Dockerd, until: Until) -> None:
    async with watching(dockerd.socket) as watch:
        await until(lambda: watch.snapshot.at is not None)
        assert watch.snapshot.rows == ()
        for change, true in (
            (("run", "-d", "--name", "one", "--network", "none", "t:1", "sleep", "99"),
             lambda: row(watch, "one").state == "running"),
            (("rename", "one", "two"), lambda: names(watch) == {"two"}),
            (("pause", "two"), lambda: row(watch, "two").state == "paused"),
            (("unpause", "two"), lambda: row(watch, "two").state == "running"),
            (("kill", "two"), lambda: row(watch, "two").exit_code == 137),
            (("start", "two"), lambda: row(watch, "two").exit_code is None),
            (("rm", "-f", "two"), lambda: names(watch) == set()),
        ):  # fmt: skip
            await asyncio.to_thread(dockerd.docker, *change)
            await until(true)


@pytest.mark.docker
async def test_one_stopped_between_two_restarts_is_not_restarting_for_ever(
    dockerd: Dockerd, until: Until
) -> None:
    dockerd.run("flapping", "exit 7", "--restart", "always")
    async with watching(dockerd.socket) as watch:
        await until(lambda: (row(watch, "flapping").restarts or 0) >= 4)
        await until(lambda: row(watch, "flapping").state == "restarting")
        await asyncio.to_thread(dockerd.docker, "stop", "flapping")
        await until(lambda: row(watch, "flapping").state == "exited")


@pytest.mark.docker
async def test_a_hung_engine_is_told_with_the_age_of_the_numbers(
    dockerd: Dockerd, until: Until
) -> None:
    dockerd.run("web", "sleep 99")
    async with watching(dockerd.socket) as watch:
        await until(lambda: row(watch, "web").sample and not watch.snapshot.trouble)
        dockerd.hang()
        told = await until(lambda: watch.snapshot.trouble)
        assert watch.snapshot.trouble.startswith("What is shown is ")
        assert re.search("does not answer|has not answered", watch.snapshot.trouble)
        held = row(watch, "web").sample
        assert held is not None
        await until(lambda: stale(held, time.monotonic()))
        dockerd.resume()
        back = await until(lambda: not watch.snapshot.trouble)
        await until(lambda: row(watch, "web").sample != held)
        print(f"hung: told after {told:.1f} s; goes on: well after {back:.1f} s")


@pytest.mark.docker
async def test_an_engine_that_restarts_is_found_again(dockerd: Dockerd, until: Until) -> None:
    dockerd.run("keeps", "sleep 99", "--restart", "always")
    dockerd.run("stops", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    async with watching(dockerd.socket) as watch:
        await until(lambda: row(watch, "keeps").sample)
        await asyncio.to_thread(dockerd.stop)
        await until(lambda: watch.snapshot.trouble)
        assert names(watch) == {"keeps", "stops"}
        await until(lambda: "No Docker at this machine" in watch.snapshot.trouble)
        assert names(watch) == {"keeps", "stops"}
        await asyncio.to_thread(dockerd.start)
        back = await until(lambda: not watch.snapshot.trouble)
        print(f"restarted: well after {back:.1f} s")
        await until(lambda: row(watch, "keeps").state == "running")
        await until(lambda: row(watch, "stops").state == "exited")
        await until(lambda: row(watch, "keeps").sample)


@pytest.mark.docker
async def test_a_link_that_keeps_breaking_loses_no_change(
    dockerd: Dockerd, cutting: CuttingProxy, until: Until
) -> None:
    dockerd.run("web", "sleep 99")
    async with cutting.serving(), watching(cutting.path) as watch:
        await until(lambda: cutting.cuts > 3)
        await asyncio.to_thread(dockerd.docker, "rm", "-f", "web")
        await asyncio.to_thread(dockerd.run, "other", "sleep 99")
        cutting.cutting = False
        await until(lambda: names(watch) == {"other"} and not watch.snapshot.trouble)
        await until(lambda: row(watch, "other").sample)


@pytest.mark.docker
async def test_more_containers_than_streams_are_polled_and_say_so(
    dockerd: Dockerd, until: Until
) -> None:
    for name in ("one", "two", "three"):
        dockerd.run(name, "sleep 99")
    async with watching(dockerd.socket, streams=1) as watch:
        await until(lambda: len([1 for row in watch.snapshot.rows if row.sample]) == 3)
        assert watch.snapshot.how == "1 streams, 2 polled every 10 s"
        await until(
            lambda: all(row.sample and row.sample.cpu_percent is not None
                        for row in watch.snapshot.rows),
        )  # fmt: skip
        polled = [row.sample for row in watch.snapshot.rows if row.sample and row.sample.every > 2]
        assert len(polled) == 2


@pytest.mark.docker
async def test_labels_made_to_attack_a_terminal_are_shown_and_do_nothing(
    dockerd: Dockerd, until: Until
) -> None:
    dockerd.run("web", "sleep 9", "--label", f"com.docker.compose.project={HOSTILE}")
    async with watching(dockerd.socket) as watch:
        await until(lambda: row(watch, "web").restarts is not None)
        project = row(watch, "web").project
    assert isinstance(project, Safe)
    assert "[/][@click=app.bell]x[/]" in project
    assert not set(UNSAFE) & set(project)


def test_every_string_of_the_engine_is_cleaned() -> None:
    labels = {"com.docker.compose.project": HOSTILE, "com.docker.compose.service": HOSTILE}
    state = State(status=HOSTILE, error=HOSTILE)
    listed = Listed(HOSTILE, [HOSTILE], HOSTILE, HOSTILE, HOSTILE, HOSTILE, labels)
    inspected = Inspected(HOSTILE, HOSTILE, HOSTILE, 1, state, Config(HOSTILE, False, labels))
    for container in (from_list(listed), from_inspect(inspected)):
        for shown in (container.name, container.image, container.status, container.project):
            assert isinstance(shown, Safe)
        everything = repr(
            [str(value) for value in (container.id, container.state, container.health)]
            + [container.image_id]
        )
        everything += "".join((container.name, container.image, container.status))
        assert not set(UNSAFE) & set(everything + container.project + container.service)


@pytest.mark.docker
async def test_changes_are_told_together_and_not_one_by_one(dockerd: Dockerd, until: Until) -> None:
    for number in range(6):
        dockerd.run(f"c{number}", "sleep 99")
    told = []
    engine = Engine(Local(), str(dockerd.socket))
    watch = Watch(engine, on_change=lambda: told.append(time.monotonic()))
    watch.start()
    await until(lambda: len([row for row in watch.snapshot.rows if row.sample]) == 6)
    began = time.monotonic()
    told.clear()
    await asyncio.sleep(2.0)
    await until(lambda: told)  # numbers come every two seconds, or later
    await watch.close()
    await engine.close()
    assert len(told) <= 5 * (time.monotonic() - began) + 1
