"""From an order to its exit status known, beside OpenSSH through a master connection.

    python benchmarks/job.py [runs] [RTT in ms ...]

The same sshd, the same proxy, the same run: `true` as a job of ours on a channel opened ahead, and
`ssh HOST true` through a ControlMaster that is up, in turns. First on this machine with no link at
all (there the peer is `sh -c true`). Prints medians, and what one in twenty exceeds, in ms.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cockpit.target import job  # noqa: E402
from cockpit.target.ssh import SshTarget  # noqa: E402
from cockpit.target.target import Local, Target  # noqa: E402
from tests.lab.proxy import Proxy  # noqa: E402
from tests.target import ground  # noqa: E402

RTTS = (0, 50, 200)
PAUSE = 0.6
"""Between two orders: the next channel is opened beforehand, as while a responder reads."""


@dataclass(frozen=True)
class Beside:
    """Seconds from the order to the exit status known, ours and the peer's, each run's."""

    where: str
    ours: tuple[float, ...]
    peer: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.peer)

    def ms(self, whose: Literal["ours", "peer"]) -> str:
        took: tuple[float, ...] = getattr(self, whose)
        high = sorted(took)[round(0.95 * (len(took) - 1))]
        return f"{statistics.median(took) * 1000:.0f} ms (95%: {high * 1000:.0f})"

    @property
    def both(self) -> str:
        return f"{self.ms('ours')} / {self.ms('peer')}"


async def beside(where: str, target: Target, peer: list[str], runs: int) -> Beside:
    place = await job.hello(target)

    async def ours() -> None:
        assert (await ground.run(target, place, "true")).status == 0

    async def theirs() -> None:
        process = await asyncio.create_subprocess_exec(
            *peer, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        assert await process.wait() == 0

    took: dict[Callable[[], Awaitable[None]], list[float]] = {ours: [], theirs: []}
    for number in range(runs + 1):
        for one, times in took.items():
            await asyncio.sleep(PAUSE + 2 * (target.link.rtt or 0))
            start = time.perf_counter()
            await one()
            if number:  # the first of each warms up
                times.append(time.perf_counter() - start)
    return Beside(where, tuple(took[ours]), tuple(took[theirs]))


async def compare(runs: int, rtts: tuple[int, ...] = RTTS) -> list[Beside]:
    """Here, and over a link whose round trip takes each of rtts in ms."""
    home = Path(tempfile.mkdtemp(prefix="cockpit-bench-"))
    ground.keygen(home / "id_test")
    lab = ground.Lab(home)
    server = lab.sshd()
    found = []
    try:
        here = Local(environ={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": ""})
        found.append(await beside("this machine", here, ["sh", "-c", "true"], runs))
        await here.close()
        async with Proxy("127.0.0.1", server.port) as proxy:
            entry = f"Host far\n  HostName 127.0.0.1\n  Port {proxy.port}"
            config = lab.config(entry, known=server.known_line(proxy.port))
            ssh = ["ssh", "-F", str(config), "-S", str(home / "master"), "far"]
            master = await asyncio.create_subprocess_exec(*ssh, "-M", "-N")
            far = SshTarget("far", "far", ssh_config=config)
            try:
                await far.open()
                await far.ready()
                await ground.until((home / "master").exists)
                for rtt in rtts:
                    proxy.delay(rtt / 2)
                    await asyncio.sleep(2)  # until the link knows
                    found.append(await beside(f"ssh, {rtt} ms", far, [*ssh, "true"], runs))
            finally:
                await far.close()
                master.kill()
                await master.wait()
        return found
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    for each in asyncio.run(compare(numbers[0] if numbers else 20, tuple(numbers[1:]) or RTTS)):
        print(f"{each.where:16} ours / peer  {each.both}   ratio {each.ratio:.2f}")
