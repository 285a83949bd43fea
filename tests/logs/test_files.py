"""A file of a host is followed whole: over its rotation, and over cuts of the link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shlex
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cockpit.logs.files import AT_ONCE, FOLLOW, PIECE, FileTail
from cockpit.logs.following import Following
from cockpit.logs.line import Stream
from cockpit.logs.source import LogTrouble
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge
from cockpit.target import guard
from cockpit.target.ssh import SshTarget
from cockpit.target.target import Local, Target
from tests.containers.conftest import Until
from tests.containers.linked import WAYS, cut
from tests.lab.proxy import Proxy
from tests.lab.sshd import Sshd

pytestmark = pytest.mark.anyio
CUTS = int(os.environ.get("CUTS", 4))


def let(command: str) -> guard.Pass:
    verdict = judge(command)
    intent = guard.Intent(command, "here", verdict.risk, verdict.because)
    return guard.answer(guard.ask(intent))


@contextlib.asynccontextmanager
async def following(
    path: Path, target: Target | None = None, first: int = 500
) -> AsyncIterator[FileTail]:
    there = target or Local()
    tail = FileTail(there, str(path), let, first=first)
    tail.start()
    try:
        yield tail
    finally:
        await tail.close()
        if target is None:
            await there.close()


def texts(tail: FileTail) -> list[str]:
    return [str(line.text) for line in tail.inbox.lines]


def write(path: Path, *lines: object, end: str = "\n") -> None:
    with path.open("a") as file:
        file.write("".join(f"{line}{end}" for line in lines))


def test_what_runs_on_the_host_only_reads() -> None:
    path = shlex.quote("/var/log/a b'c")
    values = {"inode": 7, "offset": 9, "allowed": 8, "first": 5, "refill": 3, "most": 2}
    for command in (
        FOLLOW.format(path=path, folder=shlex.quote("/var/log"), **values),
        PIECE.format(path=path, start=1, length=9),
    ):
        assert judge(command).risk is Risk.READ


async def test_the_newest_lines_and_those_that_are_written_later(
    tmp_path: Path, until: Until
) -> None:
    path = tmp_path / "a log'$(x)"
    write(path, *range(1000))
    async with following(path, first=10) as tail:
        await until(lambda: texts(tail) == [str(number) for number in range(990, 1000)])
        write(path, "half", end="")
        write(path, " of it", "\x1b]0;title\x07 and more")
        await until(lambda: len(texts(tail)) == 12)
        assert texts(tail)[10:] == ["half of it", "␛ and more"]
        assert tail.note == ""
        tail.take()
        older = await tail.older(0, 100)
        assert [line.text for line in older] == [str(number) for number in range(890, 990)]
        assert [line.text for line in await tail.older(0, 5)] == ["885", "886", "887", "888", "889"]
        assert len(await tail.older(0, 10_000)) == 885
        assert await tail.older(0, 10) == ()


async def test_no_line_is_lost_when_the_file_is_rotated_and_it_is_said(
    tmp_path: Path, until: Until
) -> None:
    path = tmp_path / "log"
    write(path, "one")
    async with following(path) as tail:
        await until(lambda: texts(tail) == ["one"])
        write(path, "two")
        path.rename(tmp_path / "log.1")
        write(tmp_path / "log.1", "three")
        write(path, "four")
        await until(lambda: texts(tail)[-1:] == ["four"])
        assert texts(tail)[:3] == ["one", "two", "three"]
        gap = tail.inbox.lines[3]
        assert (gap.stream, gap.text) == (
            Stream.GAP,
            "… the file was rotated here; the new one goes on",
        )
        path.unlink()
        await until(lambda: "is not there now" in tail.note)
        write(path, "five")
        await until(lambda: texts(tail)[-1:] == ["five"])
        assert "The old one is gone: its last lines may be missing" in texts(tail)[-2]
        path.write_text("")
        await until(lambda: "the file was emptied here" in texts(tail)[-1])
        write(path, "six")
        await until(lambda: texts(tail)[-1] == "six")
        assert tail.note == ""


async def test_what_is_written_too_fast_is_counted_on_the_host(
    tmp_path: Path, until: Until
) -> None:
    path = tmp_path / "log"
    write(path, "begin")
    async with following(path) as tail:
        await until(lambda: texts(tail) == ["begin"])
        calm = "INFO nothing to see here " + "x" * 75
        lines = [*([calm] * 49), "ERROR seen"] * 400
        write(path, *lines, "end")
        size = path.stat().st_size
        assert size > AT_ONCE
        await until(lambda: texts(tail)[-1] == "end")
        batch = tail.take()
        shown = [line for line in batch.lines if line.stream is not Stream.GAP]
        assert len(shown) + batch.skipped == len(lines) + 2
        assert {line.text for line in shown} <= {"begin", calm, "ERROR seen", "end"}, "none in part"
        # Half of it may be shown, where it is looked at while it is written.
        assert batch.skipped > 8_000 and 0 < batch.errors <= 400
        errors = sum(line.text == "ERROR seen" for line in shown)
        assert errors + batch.errors == 400
        gaps = [line.text for line in batch.lines if line.stream is Stream.GAP]
        assert f"{batch.skipped:,} lines not shown, {batch.errors} of them errors" in gaps[0]


async def test_a_line_without_end_is_bounded(tmp_path: Path, until: Until) -> None:
    path = tmp_path / "log"
    write(path, "one")
    async with following(path) as tail:
        await until(lambda: texts(tail) == ["one"])
        write(path, "x" * 700_000, end="")
        await until(lambda: len(texts(tail)) == 2)
        assert len(tail.inbox.lines[1].text) < 4200
        write(path, "y\nnext")
        await until(lambda: texts(tail)[-1] == "next")
        assert len(texts(tail)) == 3


async def test_the_times_in_the_lines_are_theirs(tmp_path: Path, until: Until) -> None:
    path = tmp_path / "log"
    write(path, "2026-11-22T03:12:44.5Z started", "  a line of the same", "2026-11-22T03:13:00Z on")
    async with following(path) as tail:
        await until(lambda: len(texts(tail)) == 3)
        seconds = [line.at / 1e9 for line in tail.inbox.lines]
        assert [round(at - seconds[0], 1) for at in seconds] == [0, 0, 15.5]
        since = await tail.since(tail.inbox.lines[2].at, 10)
        assert [line.text for line in since] == ["2026-11-22T03:13:00Z on"]


async def test_a_file_that_may_not_be_read_or_is_not_there_is_told(
    tmp_path: Path, until: Until
) -> None:
    async with following(tmp_path / "none") as tail:
        await until(lambda: tail.note == f"{tmp_path}/none is not there now. "
                    "It is followed when it is.")  # fmt: skip
        with pytest.raises(LogTrouble):
            tail._lowest = 9  # as though it had been there
            await tail.older(0, 10)


async def test_older_lines_of_the_same_second_stay_in_their_order(
    tmp_path: Path, until: Until
) -> None:
    path = tmp_path / "log"
    wanted = []
    for number in range(3000):
        head = f"2026-11-22 03:12:{number // 1000:02} line {number}"
        wanted += [head, "  of it"] if number % 7 == 0 else [head]
    write(path, *wanted)
    following = Following()
    tail = FileTail(Local(), str(path), let)
    following.follow([tail])
    await until(lambda: following.take() >= 0 and following.window.end > following.window.first)
    while await following.older(700):
        pass
    window = following.window
    got = [str(window[n].line.text) for n in range(window.first, window.end)]
    await following.close()
    assert got == wanted


@pytest.mark.slow
async def test_a_file_over_ssh_has_every_line_once_however_the_link_is_cut(
    sshd: Callable[..., Sshd], tmp_path: Path, until: Until
) -> None:
    """CUTS=45 in the environment makes it long."""
    server = sshd()
    chance = random.Random(CUTS)
    ways = [WAYS[number % len(WAYS)] for number in range(CUTS)]
    path = tmp_path / "log"
    write(path, 0)
    async with Proxy("127.0.0.1", server.port) as proxy:
        config = server.client_config(tmp_path / "ssh", proxy.port)
        target = SshTarget("prod-1", server.host, ssh_config=config)
        await target.open()
        await target.ready()
        last, rotated, over = 0, 0, False

        async def writer(tail: FileTail) -> None:
            nonlocal last, rotated
            while not over:
                last += 1
                write(path, last)
                # Of a file that is rotated twice while it is not read, nobody has all.
                numbers = (int(text) for text in reversed(texts(tail)) if text.isdecimal())
                if last - rotated >= 200 and next(numbers) > rotated:
                    path.rename(tmp_path / f"log.{last}")
                    rotated = last
                await asyncio.sleep(0.01)

        try:
            async with following(path, target) as tail:
                await until(lambda: texts(tail))
                writing = asyncio.create_task(writer(tail))
                for how in ways:
                    await cut(proxy, how, chance)
                    await asyncio.sleep(chance.choice((0.1, 0.7, 1.5)))
                over = True
                await writing
                write(path, "end")
                await until(lambda: texts(tail)[-1] == "end")
                got = [t for t in texts(tail)[:-1] if not t.startswith("…")]
        finally:
            await target.close()
    assert got == [str(number) for number in range(last + 1)]
