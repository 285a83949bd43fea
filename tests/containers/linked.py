"""prod-1 behind a link that is cut in every way a link can be, for the tests of this folder."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from cockpit.containers.engine import Engine
from cockpit.target.ssh import SshTarget
from tests.lab.host import IMAGE
from tests.lab.lab import Lab
from tests.lab.proxy import Proxy
from tests.lab.sshd import Sshd

WAYS = ("reset", "closed", "refused", "black hole", "dead hole", "deaf", "mute", "again")


@dataclass(frozen=True)
class Linked:
    """The lab's host through a proxy, its engine, and the link to it."""

    proxy: Proxy
    target: SshTarget
    engine: Engine


@contextlib.asynccontextmanager
async def linked(lab: Lab, folder: Path, server: Sshd | None = None) -> AsyncIterator[Linked]:
    """server: reaches the lab's engine through this one's docker command, not through prod-1."""
    there = server or lab
    port, alias = (server.port, server.host) if server else (lab.ssh_port, lab.name)
    async with Proxy("127.0.0.1", port) as proxy:
        config = there.client_config(folder / "ssh", proxy.port)
        target = SshTarget("prod-1", alias, ssh_config=config)
        engine = Engine(target, str(lab.socket) if server else "")
        await target.open()
        try:
            await target.ready()
            yield Linked(proxy, target, engine)
        finally:
            await engine.close()
            await target.close()


async def cut(proxy: Proxy, how: str, chance: random.Random) -> None:
    """One of WAYS; the link can come back when this returns."""
    match how:
        case "reset":
            await proxy.drop("rst")
        case "closed":
            await proxy.drop("fin")
        case "refused":
            await proxy.cut()
            await asyncio.sleep(chance.uniform(0.1, 1.0))
        case "black hole" | "deaf" | "mute" | "dead hole":
            side = {"deaf": "down", "mute": "up"}.get(how, "both")
            proxy.stall(side)  # type: ignore[arg-type]
            await asyncio.sleep(chance.uniform(1.0, 5.0))
            if how == "dead hole":
                await proxy.drop("rst")
        case "again":
            before = proxy.accepted
            await proxy.drop("rst")
            until = time.monotonic() + 6
            while proxy.accepted == before and time.monotonic() < until:
                await asyncio.sleep(0.01)
            await asyncio.sleep(chance.uniform(0.0, 0.6))
            await proxy.drop("rst")
    proxy.restore()


@contextlib.contextmanager
def container(lab: Lab, name: str, command: str, *options: str) -> Iterator[str]:
    """A container of our own on the lab's engine, gone at the end; its name."""
    lab.run(f"docker rm -f {name}", check=False)
    run = f"docker run -d --name {name} --network none --stop-timeout 1 {' '.join(options)}"
    try:
        lab.run(f"{run} {IMAGE} {command}")
        yield name
    finally:
        lab.run(f"docker rm -f {name}", check=False)
