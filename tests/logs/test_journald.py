"""A unit of a real journal, made by systemd-journal-remote, read by the real journalctl."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit.logs.journald import ASK, FOLLOW, UnitTail, entry
from cockpit.logs.line import Line, Stream
from cockpit.logs.source import LogTrouble
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge
from cockpit.target.target import Local, Target
from tests.containers.conftest import Until
from tests.lab.fixtures import not_tested
from tests.logs.test_files import let

pytestmark = pytest.mark.anyio
REMOTE = "/lib/systemd/systemd-journal-remote"


class Journal:
    """A journal that can be written to, and a machine whose journalctl reads it."""

    def __init__(self, folder: Path, number: int = 0) -> None:
        self.folder = folder
        self._began = time.time_ns() // 1000
        self._number = number
        self._writer = subprocess.Popen(
            [REMOTE, "-o", str(folder / "all.journal"), "-"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        command = folder / "bin/journalctl"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {shutil.which("journalctl")} -D {folder} "$@"\n')
        command.chmod(0o755)
        path = f"{command.parent}:{os.environ['PATH']}"
        self.target = Local(environ={**os.environ, "PATH": path})

    def write(self, *messages: str | bytes, unit: str = "web.service", priority: int = 6) -> None:
        assert self._writer.stdin is not None
        for message in messages:
            self._number += 1
            raw = message.encode() if isinstance(message, str) else message
            at = self._began + self._number
            self._writer.stdin.write(
                f"__REALTIME_TIMESTAMP={at}\n__MONOTONIC_TIMESTAMP={self._number}\n"
                f"_BOOT_ID={1:032x}\n_MACHINE_ID={2:032x}\nPRIORITY={priority}\n"
                f"_SYSTEMD_UNIT={unit}\nMESSAGE\n".encode()
                + len(raw).to_bytes(8, "little") + raw + b"\n\n"
            )  # fmt: skip
        self._writer.stdin.flush()

    async def holds(self, message: str) -> None:
        """Wait until journalctl finds this as the newest: it is written a moment later."""
        ask = ["journalctl", "-q", "-D", str(self.folder), "-o", "cat", "-n", "1"]
        async with asyncio.timeout(60):
            while True:
                found = await asyncio.create_subprocess_exec(
                    *ask, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
                )
                if (await found.communicate())[0].decode().strip() == message:
                    return
                await asyncio.sleep(0.05)

    def close(self) -> None:
        assert self._writer.stdin is not None
        self._writer.stdin.close()
        self._writer.wait(60)


@pytest.fixture
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    missing = [name for name in (REMOTE, "journalctl") if shutil.which(name) is None]
    if missing:
        not_tested(request, "journald", [f"not installed: {', '.join(missing)}"])
    made = Journal(tmp_path)
    yield made
    made.close()


@contextlib.asynccontextmanager
async def following(target: Target, unit: str, first: int = 500) -> AsyncIterator[UnitTail]:
    tail = UnitTail(target, unit, let, first=first)
    tail.start()
    try:
        yield tail
    finally:
        await tail.close()
        await target.close()


def texts(tail: UnitTail) -> list[str]:
    return [str(line.text) for line in tail.inbox.lines]


def test_what_runs_on_the_host_only_reads() -> None:
    asked = ASK.format(unit="web.service")
    for command in (
        FOLLOW.format(unit="web.service", since="-n 500"),
        FOLLOW.format(unit="web.service", since="--no-tail --after-cursor='s=1;i=2'"),
        f"{asked} -r -n 501 --cursor='s=1;i=2'",
        f"{asked} --since=@1795353272.280284 | head -n 100",
    ):
        assert judge(command).risk is Risk.READ


async def test_a_unit_is_followed_and_older_entries_are_loaded(
    journal: Journal, until: Until
) -> None:
    journal.write(*(f"line {number}" for number in range(1000)))
    journal.write("of another", unit="ssh.service")
    await journal.holds("of another")
    async with following(journal.target, "web.service", first=10) as tail:
        await until(lambda: texts(tail) == [f"line {number}" for number in range(990, 1000)])
        assert tail.note == ""
        journal.write("two\nlines \xff".encode("latin-1"), "\x1b[31mred\x1b[0m \x1b]0;x\x07")
        journal.write("it broke", priority=3)
        journal.write("ERROR it says so", priority=3)
        await until(lambda: len(texts(tail)) == 15)
        assert texts(tail)[10:] == [
            "two",
            "lines \\xff",
            "red ␛",
            "<3> it broke",
            "ERROR it says so",
        ]
        assert tail.inbox.lines[12].looks
        oldest = tail.take().lines[0]
        older = await tail.older(oldest.at, 100)
        assert [line.text for line in older] == [f"line {number}" for number in range(890, 990)]
        assert len(await tail.older(older[0].at, 5000)) == 890
        assert await tail.older(older[0].at - 10**9, 10) == ()
        since = await tail.since(older[-2].at, 2)
        assert [line.text for line in since] == ["line 988", "line 989"]


async def test_a_journal_has_every_entry_once_though_its_reading_ends(
    journal: Journal, until: Until
) -> None:
    journal.write("0")
    await journal.holds("0")
    chance = random.Random(5)
    async with following(journal.target, "web.service") as tail:
        await until(lambda: texts(tail) == ["0"])
        for number in range(1, 60):
            journal.write(str(number))
            if number % 20 == 0:
                for channel in journal.target._channels:
                    channel.close()
            await asyncio.sleep(chance.uniform(0, 0.05))
        await until(lambda: texts(tail)[-1] == "59")
        assert texts(tail) == [str(number) for number in range(60)]


async def test_a_long_message_has_its_text(journal: Journal, until: Until) -> None:
    journal.write("begin " + "x" * 9_000)
    async with following(journal.target, "web.service") as tail:
        await until(lambda: len(texts(tail)) == 1)
        assert texts(tail)[0].startswith("begin xxx")


async def test_of_a_flood_the_newest_entries_are_shown(journal: Journal, until: Until) -> None:
    journal.write("0")
    await journal.holds("0")
    async with following(journal.target, "web.service") as tail:
        await until(lambda: texts(tail) == ["0"])
        journal.write(*(f"line {number}" for number in range(20_000)), "the last")
        lines: list[Line] = []
        skipped = 0

        def last() -> bool:
            nonlocal skipped
            batch = tail.take()
            lines.extend(batch.lines)
            skipped += batch.skipped
            return bool(lines) and lines[-1].text == "the last"

        await until(last)
        assert skipped > 1000
        assert sum(line.stream is Stream.STDOUT for line in lines) + skipped == 20_002


async def test_a_host_without_journalctl_is_told(tmp_path: Path, until: Until) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    target = Local(environ={"PATH": str(tmp_path)})
    async with following(target, "web.service") as tail:
        await until(lambda: tail.note == "There is no journalctl on this machine.")
        with pytest.raises(LogTrouble, match="not found"):
            await tail.older(1, 10)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'{"MESSAGE":3}', b'{"__REALTIME_TIMESTAMP":"x"}', b"\xff", b'{"a":1}' * 2],
)
def test_what_is_no_entry_is_none(raw: bytes) -> None:
    assert entry(raw) is None
