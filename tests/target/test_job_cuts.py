"""A command runs once and loses no byte, however often the link or the client dies."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import Local
from tests.lab.proxy import Proxy
from tests.target.ground import collect, leave

pytestmark = pytest.mark.anyio

SCRIPT = r"""
echo run >> SIDE
i=0
while [ $i -lt 60 ]; do
  i=$((i+1))
  printf 'line %d of the recovery \033[31mred\033[0m caf\303\251 \377\376\r\n' $i
  [ $((i%10)) = 0 ] && echo "warn $i" >&2
  [ $((i%3)) = 0 ] && sleep 0.1
done
head -c 300000 /dev/zero | tr '\000' x
echo end >> SIDE
exit 37
"""


def expected() -> bytes:
    lines = []
    for i in range(1, 61):
        lines.append(b"line %d of the recovery \033[31mred\033[0m caf\xc3\xa9 \xff\xfe\r\n" % i)
        if i % 10 == 0:
            lines.append(b"warn %d\n" % i)
    return b"".join(lines) + b"x" * 300000


@pytest.mark.slow
async def test_twenty_cuts_and_every_job_ran_once(
    ssh: SshTarget, proxy: Proxy, tmp_path: Path
) -> None:
    await ssh.ready()
    place = await job.hello(ssh)

    async def cutting() -> None:
        chance = random.Random(3)
        for _ in range(20):
            await asyncio.sleep(chance.uniform(0.02, 0.8))
            await proxy.drop()

    async def one(number: int) -> None:
        side = tmp_path / str(number)
        id = job.new_id()
        command = SCRIPT.replace("SIDE", str(side))
        if number % 3 == 0:
            # The upload itself takes several packets.
            command += "# " + "x" * 200_000
        order = job.order(leave(command, ssh.name), id)
        await asyncio.sleep(number * 0.4)
        done = await collect(job.follow(ssh, place, id, order=order, claimed=False, offset=0))
        assert done.output == expected()
        assert (done.status, done.claims) == (37, 1)
        assert side.read_text() == "run\nend\n"

    cutter = asyncio.create_task(cutting())
    await asyncio.sleep(0.1)
    await asyncio.gather(*(one(number) for number in range(6)))
    await cutter
    assert proxy.accepted > 2  # it was dialed anew, however slow this machine is


FOLLOWER = """
import asyncio, json, sys
from cockpit.runbook.model import Risk
from cockpit.target import guard, job
from cockpit.target.target import Local

async def main():
    told = json.loads(sys.argv[1])
    host = Local()
    intent = guard.Intent(told["command"], host.name, Risk.READ, "a test")
    order = job.order(guard.answer(guard.ask(intent)), told["id"])
    place = job.Place(**told["place"])
    news = job.follow(host, place, told["id"], order=order, claimed=False, offset=0)
    with open(told["output"], "ab", buffering=0) as output, open(told["claimed"], "x") as claimed:
        async for item in news:
            if isinstance(item, job.Claimed):
                claimed.write("claimed")
                claimed.flush()
            elif isinstance(item, job.Output):
                output.write(item.data)

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.5])
async def test_a_killed_cockpit_takes_its_job_up_again(
    local: Local, tmp_path: Path, after: float
) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    place = await job.hello(local)
    id = job.new_id()
    command = SCRIPT.replace("SIDE", str(tmp_path / "side"))
    output, claimed = tmp_path / "output", tmp_path / "claimed"
    output.touch()
    told = {
        "command": command,
        "id": id,
        "place": asdict(place),
        "output": str(output),
        "claimed": str(claimed),
    }
    client = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", FOLLOWER, json.dumps(told)], env=environ
    )
    until = time.monotonic() + 60
    while not claimed.exists() and time.monotonic() < until:
        await asyncio.sleep(0.002)
    await asyncio.sleep(after)
    client.kill()
    client.wait()

    seen = output.read_bytes()
    order = job.order(leave(command, local.name), id)
    done = await collect(
        job.follow(
            local,
            place,
            id,
            order=order,
            claimed=claimed.read_text() == "claimed",
            offset=len(seen),
        )
    )
    assert seen + done.output == expected()
    assert done.status == 37
    assert (tmp_path / "side").read_text() == "run\nend\n"
