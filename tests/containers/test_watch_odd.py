"""Engines that no one would want: thousands of containers, garbage, silence, no end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit.containers.history import History
from cockpit.containers.numbers import AT_ONCE
from cockpit.containers.stats import Sample, stale
from tests.containers.conftest import Until
from tests.containers.fake_engine import WAYS, FakeEngine
from tests.containers.watching import watching

pytestmark = pytest.mark.anyio

THOUSANDS = 5000


@contextlib.contextmanager
def apart(path: Path, count: int) -> Iterator[None]:
    """A fake engine in a process of its own, so that its work does not hold up our loop."""
    argv = [sys.executable, "-m", "tests.containers.fake_engine", str(path), str(count)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def beat() -> AsyncIterator[list[float]]:
    """The processor time that our thread took between two turns of a 5 ms timer, each time."""
    gaps: list[float] = []

    async def beating() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.005)
            gaps.append(time.thread_time() - began)

    task = asyncio.create_task(beating())
    try:
        yield gaps
    finally:
        task.cancel()


@pytest.mark.parametrize("how", [way for way in WAYS if way not in ("well", "slow")])
async def test_whatever_answers_it_is_said_and_all_is_well_when_it_is_mended(
    short_folder: Path, until: Until, how: str
) -> None:
    path = short_folder / "e.sock"
    async with FakeEngine(path, 3, how).serving() as engine, watching(path) as watch:
        await until(
            lambda: watch.snapshot.trouble and not watch.snapshot.trouble.endswith("being asked.")
        )
        assert not watch.snapshot.rows
        asked = engine.asked
        await asyncio.sleep(1.0)
        assert engine.asked - asked < 20, "it is asked in a hurry"
        engine.how = "well"
        await until(lambda: len(watch.snapshot.rows) == 3 and not watch.snapshot.trouble)
        await until(lambda: all(row.sample for row in watch.snapshot.rows))


async def test_an_engine_that_spoils_while_it_is_watched_keeps_what_is_known(
    short_folder: Path, until: Until
) -> None:
    path = short_folder / "e.sock"
    async with FakeEngine(path, 3).serving() as engine, watching(path) as watch:
        await until(lambda: len(watch.snapshot.rows) == 3)
        engine.how = "garbage"
        engine.tell(engine.live[0], "die")
        await until(lambda: "not Docker's API" in watch.snapshot.trouble)
        assert len(watch.snapshot.rows) == 3
        engine.how = "well"
        await until(lambda: not watch.snapshot.trouble)


async def test_thousands_of_containers_hold_up_nothing_and_only_those_in_sight_have_a_stream(
    short_folder: Path, until: Until
) -> None:
    path = short_folder / "e.sock"
    with apart(path, THOUSANDS):
        async with beat() as gaps, watching(path) as watch:
            watch.in_sight(())
            first = await until(lambda: len(watch.snapshot.rows) == THOUSANDS)
            rows = watch.snapshot.rows
            seen = [row.id for row in rows[:20]]
            watch.in_sight(seen)
            await until(
                lambda: all(r.sample and r.sample.every == 2.0 for r in watch.snapshot.rows[:20]),
                within=60,
            )
            assert f"20 streams, {THOUSANDS - 20} polled every " in watch.snapshot.how
            await until(lambda: watch.snapshot.trouble == "")
            print(f"{first:.2f} s to the list, worst gap {max(gaps) * 1000:.0f} ms")
    # What counts is that nothing grows with the number of containers in one step.
    assert sorted(gaps)[-3] < 0.1


async def test_what_is_not_in_sight_is_asked_seldom_and_never_by_many_at_once(
    short_folder: Path, until: Until
) -> None:
    path = short_folder / "e.sock"
    async with FakeEngine(path, 100).serving() as engine, watching(path) as watch:
        watch.in_sight(engine.live[:10])
        await until(lambda: all(row.sample for row in watch.snapshot.rows))
        await until(lambda: engine.streams == 10)
        assert watch.snapshot.how == "10 streams, 90 polled every 10 s"
        watch.in_sight(engine.live[50:55])
        await until(lambda: engine.streams == 5)
        rest = next(row.sample for row in watch.snapshot.rows if row.id == engine.live[99])
        assert rest is not None and rest.cpu_percent is not None
        assert not stale(rest, rest.at + 2 * rest.every) and stale(rest, rest.at + 3 * rest.every)
        assert AT_ONCE <= 16


async def test_a_container_that_dies_and_returns_all_the_time_leaves_nothing_behind(
    short_folder: Path, until: Until
) -> None:
    path = short_folder / "e.sock"
    async with FakeEngine(path, 2).serving() as engine, watching(path) as watch:
        await until(lambda: all(row.sample for row in watch.snapshot.rows) and watch.snapshot.rows)

        async def rounds(count: int) -> None:
            for _ in range(count):
                old = engine.live.pop()
                engine.tell(old, "die")
                engine.tell(old, "destroy")
                new = f"{int(old, 16) + 1:064x}"
                engine.live.append(new)
                engine.tell(new, "create")
                engine.tell(new, "start")
                await until(lambda new=new: new in {row.id for row in watch.snapshot.rows})

        await rounds(20)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await rounds(60)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        await until(lambda: len(watch.snapshot.rows) == 2)
        assert set(watch.snapshot.histories) <= {row.id for row in watch.snapshot.rows}
        assert grown < 400_000
        await until(lambda: engine.streams == 2)


def test_a_history_forgets_what_is_older_than_half_an_hour() -> None:
    history = History()
    for number in range(1000):
        history.add(Sample(float(number * 10), 1.0, 1, 1, 0, 0, 0, 0, 0, 10.0))
    assert len(history.samples) <= 181
    assert history.samples[0].at >= 9990 - 1800


def test_what_is_sampled_seldom_leaves_no_holes_in_its_curve() -> None:
    history = History()
    for number in range(1, 6):
        at = number * 18.0
        history.add(Sample(at, float(number), 1, 1, 0, 0, 0, 0, 0, 18.0))
    assert history.cpu(8, 5.0, 91.0) == (4.0, 4.0, 4.0, 4.0, 5.0, 5.0, 5.0, 5.0)
    assert history.cpu(3, 5.0, 110.0) == (None, None, None)
