"""What attacks a terminal is made harmless wherever a log comes from, and its colours with it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from cockpit.logs.files import FileTail
from cockpit.logs.line import Line, Stream
from cockpit.logs.window import Window
from cockpit.runbook.shell import judge
from cockpit.target import guard
from cockpit.target.target import Local
from cockpit.text import Safe
from screens import paint
from tests.screens.attacked import STEERING
from tests.screens.attacks import ATTACKS, MINE

pytestmark = pytest.mark.anyio

EVERY = [line.replace(b"\n", b"") for lines in ATTACKS.values() for line in lines]


def let(command: str) -> guard.Pass:
    verdict = judge(command)
    intent = guard.Intent(command, "here", verdict.risk, verdict.because)
    return guard.answer(guard.ask(intent))


async def test_a_followed_file_that_attacks_is_only_read(tmp_path: Path) -> None:
    path = tmp_path / "evil.log"
    path.write_bytes(b"".join(line + b"\n" for line in EVERY) + b"\x1b[31;8mall\x1b[m of them\n")
    here = Local()
    tail = FileTail(here, str(path), let, first=500)
    tail.start()
    lines: list[Line] = []
    try:
        async with asyncio.timeout(30):
            while not lines or lines[-1].text != "all of them":
                lines += tail.take().lines
                await asyncio.sleep(0.05)
    finally:
        await tail.close()
        with contextlib.suppress(OSError):
            await here.close()
    assert [line.stream for line in lines] == [Stream.STDOUT] * (len(EVERY) + 1)
    assert sum(MINE.decode() in line.text for line in lines) > 20, "what was written is read"
    window = Window()
    window.add(0, lines)
    for number in range(window.first, window.end):
        line = window[number].line
        assert type(line.text) is Safe
        assert not STEERING.search(line.text), line.text
        assert len(line.text) < 4200
        for start, end, look in line.looks:
            assert 0 <= start < end <= len(line.text)
            paint.look(look)  # fails on a word that is no look of ours
    assert lines[-1].looks, "a colour is kept"
