"""What a session costs an order: round trips, and seconds until its exit status is known.

    python benchmarks/session.py [runs]

Orders of a command that leaves a directory and a variable, with and without a session, in turn: on
this machine, and over a real sshd whose link takes 100 ms each way. Prints medians in ms and the
calls each order made.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cockpit.target import job, session  # noqa: E402
from cockpit.target.ssh import SshTarget  # noqa: E402
from cockpit.target.target import Channel, Local, Target  # noqa: E402
from tests.lab.proxy import Proxy  # noqa: E402
from tests.target import ground  # noqa: E402

PAUSE = 0.5
"""Between two orders: the next channel is opened beforehand, as while a responder reads."""


@dataclass(frozen=True)
class Cost:
    """Medians of seconds, and the calls that an order made."""

    where: str
    alone: float
    carried: float
    calls_alone: float
    calls_carried: float


async def measured(where: str, target: Target, runs: int) -> Cost:
    place = await job.hello(target)
    calls = 0
    shell = target.shell

    async def counted() -> Channel:
        nonlocal calls
        calls += 1
        return await shell()

    target.shell = counted  # type: ignore[method-assign]
    took: dict[bool, list[float]] = {False: [], True: []}
    made: dict[bool, int] = {False: 0, True: 0}
    reads = ""
    for number in range(2 * runs + 2):
        carried = bool(number % 2)
        id = job.new_id()
        into = f"{place.root}/jobs/{id}"
        carry = session.Carry(reads, into, True) if carried else None
        order = job.order(ground.leave("cd /usr; POD=web-1", target.name), id, carry=carry)
        await asyncio.sleep(PAUSE)
        calls, start = 0, time.perf_counter()
        news = job.follow(target, place, id, order=order, claimed=False, offset=0)
        run = await ground.collect(news)
        if number > 1:  # the first of each warms up
            took[carried].append(time.perf_counter() - start)
            made[carried] += calls
        assert run.status == 0
        if carried:
            assert isinstance(run.last, job.Ended)
            assert isinstance(run.last.left, session.Kept)
            reads = session.state_file(into)
    return Cost(
        where,
        statistics.median(took[False]),
        statistics.median(took[True]),
        made[False] / runs,
        made[True] / runs,
    )


async def compare(runs: int) -> list[Cost]:
    """What it costs here, and where the link takes its time."""
    home = Path(tempfile.mkdtemp(prefix="cockpit-bench-"))
    ground.keygen(home / "id_test")
    lab = ground.Lab(home)
    server = lab.sshd()
    try:
        here = Local(environ={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": ""})
        costs = [await measured("here", here, runs)]
        await here.close()
        async with Proxy("127.0.0.1", server.port) as proxy:
            entry = f"Host far\n  HostName 127.0.0.1\n  Port {proxy.port}"
            config = lab.config(entry, known=server.known_line(proxy.port))
            far = SshTarget("far", "far", ssh_config=config)
            await far.open()
            await far.ready()
            proxy.delay(100)
            costs.append(await measured("ssh, 200 ms", far, runs))
            await far.close()
        return costs
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    for cost in asyncio.run(compare(int(sys.argv[1]) if len(sys.argv) > 1 else 20)):
        print(
            f"{cost.where:12} by itself {cost.alone * 1000:.0f} ms, {cost.calls_alone:.1f} calls;"
            f" in a session {cost.carried * 1000:.0f} ms, {cost.calls_carried:.1f} calls"
        )
