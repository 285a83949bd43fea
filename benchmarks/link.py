"""A black hole on the link: seconds until it is on screen, and from its end until output flows.

    python benchmarks/link.py [seconds] [runs]

A job writes a line five times a second over a real sshd, and then nothing passes for so many
seconds: held back by the proxy of the lab at a round trip of 50 ms, and, as root, real packets lost
on the way to a network namespace. Prints the median and the worst of each.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cockpit.target import job  # noqa: E402
from cockpit.target.ssh import SshTarget  # noqa: E402
from cockpit.target.target import LinkState  # noqa: E402
from tests.lab.proxy import Proxy  # noqa: E402
from tests.target import far as far_away  # noqa: E402
from tests.target import ground  # noqa: E402

DELAY = 0.025
"""One way, in seconds."""

Switch = Callable[[bool], Awaitable[None]]


@dataclass(frozen=True)
class Hole:
    """Seconds, of each run: until the link is said to be lost; from the end until output came."""

    where: str
    noticed: tuple[float, ...]
    flowing: tuple[float, ...]

    @property
    def line(self) -> str:
        both = [
            f"{what} {statistics.median(took):.1f} s (worst {max(took):.1f})"
            for what, took in (("noticed after", self.noticed), ("flowing after", self.flowing))
        ]
        return f"{self.where:10} {both[0]}, {both[1]}"


async def measured(where: str, config: Path, hole: Switch, seconds: float, runs: int) -> Hole:
    target = SshTarget("prod-1", "prod-1", ssh_config=config)
    await target.open()
    await target.ready()
    place = await job.hello(target)
    id = job.new_id()
    order = job.order(ground.leave("while :; do echo x; sleep 0.2; done", target.name), id)
    last = 0.0

    async def follow() -> None:
        nonlocal last
        news = job.follow(target, place, id, order=order, claimed=False, offset=0)
        async for item in news:
            if isinstance(item, job.Output):
                last = time.monotonic()

    async def output_after(moment: float) -> float:
        await ground.until(lambda: last > moment and target.link.state.usable, 90)
        return last - moment

    following = asyncio.create_task(follow())
    noticed, flowing = [], []
    for _ in range(runs):
        await output_after(time.monotonic())
        await asyncio.sleep(2)
        await hole(True)
        began = time.monotonic()
        await ground.until(lambda: target.link.state is LinkState.LOST, 30)
        noticed.append(time.monotonic() - began)
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        await hole(False)
        flowing.append(await output_after(time.monotonic()))
    await job.stop(target, place, id)
    await following
    await target.close()
    return Hole(where, tuple(noticed), tuple(flowing))


@asynccontextmanager
async def through_proxy() -> AsyncIterator[tuple[Path, Switch]]:
    home = Path(tempfile.mkdtemp(prefix="cockpit-bench-"))
    ground.keygen(home / "id_test")
    lab = ground.Lab(home)
    server = lab.sshd()
    try:
        async with Proxy("127.0.0.1", server.port) as proxy:

            async def hole(open_: bool) -> None:
                if open_:
                    proxy.stall()
                else:
                    proxy.restore()

            proxy.delay(DELAY * 1000)
            entry = f"Host prod-1\n  HostName 127.0.0.1\n  Port {proxy.port}"
            yield lab.config(entry, known=server.known_line(proxy.port)), hole
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


async def compare(seconds: float, runs: int) -> list[Hole]:
    """Holes of so many seconds, through the proxy and, where that can be had, in real packets."""
    async with through_proxy() as (config, hole):
        found = [await measured("proxy", config, hole, seconds, runs)]
    if reasons := far_away.missing():
        print(f"no real packets here: {', '.join(reasons)}", file=sys.stderr)
        return found
    async with far_away.Far() as far:

        async def lose(open_: bool) -> None:
            await far.be(delay=DELAY, up=not open_, down=not open_)

        await lose(False)
        return [*found, await measured("packets", far.config, lose, seconds, runs)]


if __name__ == "__main__":
    numbers = [float(word) for word in sys.argv[1:]]
    for each in asyncio.run(
        compare(numbers[0] if numbers else 10, int(numbers[1]) if len(numbers) > 1 else 3)
    ):
        print(each.line)
