"""The tail of a log over a link that is cut again and again: each line once, and in order.

CUTS=45 in the environment makes it long.
"""

from __future__ import annotations

import asyncio
import os
import random
import shlex
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from cockpit.containers.logs import Tail
from cockpit.logs.line import Stream
from cockpit.text import clean_line
from tests.containers import writer
from tests.containers.conftest import Until
from tests.containers.linked import WAYS, container, cut, linked
from tests.lab.lab import Lab
from tests.lab.sshd import Sshd

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CUTS = int(os.environ.get("CUTS", 8))
NO_SOCKETS = "AllowStreamLocalForwarding no\nMaxSessions 10"
PROGRAM = shlex.quote(Path(writer.__file__).read_text())
RATES = {"steady": 100, "burst": 300, "long": 40, "terminal": 40}


def wanted(kind: str, source: Stream, last: int) -> list[str]:
    """What the writer of that kind wrote to a stream, as it is shown."""
    stream = {Stream.STDOUT: 1, Stream.STDERR: 2}[source]
    numbers = [n for n in range(1, last) if writer.stream(kind, n) == stream]
    lines = [str(clean_line(writer.body(kind, number))) for number in numbers]
    return lines + ([f"{last} is the last, and has no end"] if stream == 1 else [])


@pytest.mark.parametrize("way", ["socket", "docker command"])
async def test_a_tail_has_every_line_once_however_the_link_is_cut(
    lab: Lab, sshd: Callable[..., Sshd], tmp_path: Path, until: Until, way: str
) -> None:
    server = None if way == "socket" else sshd(extra_config=NO_SOCKETS)
    cuts = CUTS if way == "socket" else max(1, CUTS // 3)
    chance = random.Random(CUTS)
    ways = [WAYS[number % len(WAYS)] for number in range(CUTS)]
    chance.shuffle(ways)
    tails: dict[str, Tail] = {}
    with ExitStack() as containers:
        for kind, rate in RATES.items():
            command = f"python3 -u -c {PROGRAM} {kind} {rate}"
            options = ["-t"] if kind == "terminal" else []
            containers.enter_context(container(lab, f"cuts-{kind}", command, *options))
        async with AsyncExitStack() as stack:
            link = await stack.enter_async_context(linked(lab, tmp_path, server))
            for kind in RATES:
                tails[kind] = Tail(link.engine, f"cuts-{kind}", first=10**6, keep=10**6)
                tails[kind].start()
                stack.push_async_callback(tails[kind].close)
            await until(lambda: all(tail.total > 50 for tail in tails.values()), within=180)
            for how in ways[:cuts]:
                await cut(link.proxy, how, chance)
                await asyncio.sleep(chance.choice((0.02, 0.3, 1.0, 2.0)))
            stop = "; ".join(f"docker exec cuts-{kind} sh -c 'echo > /stop'" for kind in RATES)
            await asyncio.to_thread(lab.run, stop)
            await until(lambda: all("not run" in t.note for t in tails.values()), within=180)
    lines = 0
    for kind, tail in tails.items():
        assert [line.stream for line in tail.lines].count(Stream.GAP) == 0, kind
        ends = [line.text for line in tail.lines if "no end" in line.text]
        assert len(ends) == 1, (kind, ends, list(tail.lines)[-2:])
        last = int(ends[0].split()[0])
        lines += last
        for source in (Stream.STDOUT, Stream.STDERR):
            got = [str(line.text) for line in tail.lines if line.stream is source]
            assert got == wanted(kind, source, last), (kind, source)
    print(f"{cuts} cuts, {lines} lines, none lost, none doubled")
