"""The real command line as a script runs it, against a real sshd behind a proxy that cuts."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cockpit.incident.incident import Incident, fold
from cockpit.incident.journal import list_incidents, read
from tests.lab.fixtures import StartSshd
from tests.lab.proxy import Proxy
from tests.lab.sshd import Sshd

COCKPIT = str(Path(sys.executable).with_name("cockpit"))


@dataclass(frozen=True)
class Done:
    """How a call ended."""

    status: int | None
    out: bytes
    err: str


@dataclass(frozen=True)
class Ground:
    """A home for cockpit on this machine."""

    home: Path

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def environ(self) -> dict[str, str]:
        own = {**os.environ, "COCKPIT_HOME": str(self.state), "HOME": str(self.home)}
        own.pop("COCKPIT_CONFIG", None)
        return own

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        # A session of its own: no terminal, as under cron.
        return await asyncio.create_subprocess_exec(
            COCKPIT,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.home,
            env=self.environ,
            start_new_session=True,
        )

    async def call(self, *arguments: str) -> Done:
        return await ended(await self.start(*arguments))

    async def jobs(self, *more: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            (await self.call("job", "list", "--json", *more)).out
        )
        return found

    def folders(self) -> list[Path]:
        return list_incidents(self.state / "runs")

    def kept(self) -> Incident:
        """What the journal of the only run says."""
        (folder,) = self.folders()
        return fold(read(folder).records)


@dataclass(frozen=True)
class Far(Ground):
    """The same, and prod-1 behind the proxy."""

    server: Sshd
    proxy: Proxy


async def ended(process: asyncio.subprocess.Process) -> Done:
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Done(process.returncode, out, err.decode())


async def until(so: Callable[[], bool], seconds: float = 30) -> None:
    by = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < by
        await asyncio.sleep(0.02)


@asynccontextmanager
async def ground(tmp_path: Path, sshd: StartSshd) -> AsyncIterator[Far]:
    server = sshd()
    async with Proxy("127.0.0.1", server.port) as proxy:
        config = server.client_config(tmp_path, proxy.port)
        (tmp_path / "cockpit.yaml").write_text(
            f"ssh_config: {config}\nhosts: {{prod-1: {{ssh: {server.host}}}}}\n"
        )
        yield Far(tmp_path, server, proxy)
