"""Fixtures: the servers, the proxy, and a target of each kind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import Local
from tests.lab.proxy import Proxy
from tests.target.ground import SSHD, Lab, Sshd, keygen

BUSYBOX = (
    "ash sh cat cksum chmod cut date dd env expr find grep head id kill ls mkdir mv ps pwd readlink"
    " rm sed seq setsid sha256sum sleep tail touch tr true wc printf"
)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if SSHD is None:
        pytest.skip("needs sshd (Debian: apt install openssh-server)")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="cockpit-ssh-"))
    keygen(home / "id_test")
    made = Lab(home)
    yield made
    for server in made.servers:
        server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def server(lab: Lab) -> Sshd:
    return lab.sshd()


@pytest.fixture
async def proxy(server: Sshd) -> AsyncIterator[Proxy]:
    async with Proxy("127.0.0.1", server.port) as made:
        yield made


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    made = Local(environ={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": ""})
    yield made
    await made.close()


@pytest.fixture
async def ssh(lab: Lab, server: Sshd, proxy: Proxy) -> AsyncIterator[SshTarget]:
    """A target behind the proxy."""
    config = lab.config(
        f"Host prod-1\n  HostName 127.0.0.1\n  Port {proxy.port}",
        known=server.known_line(proxy.port),
    )
    target = SshTarget("prod-1", "prod-1", ssh_config=config)
    await target.open()
    yield target
    await target.close()


@pytest.fixture(params=["dash", "bash", "busybox"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Local]:
    """This machine with that shell as its sh; busybox with nothing but its own applets."""
    shell = shutil.which(request.param)
    if shell is None:
        pytest.skip(f"needs {request.param}")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in BUSYBOX.split() if request.param == "busybox" else ["sh"]:
        (tools / name).symlink_to(shell)
    rest = "" if request.param == "busybox" else f":{os.environ['PATH']}"
    environ = {"HOME": str(tmp_path), "PATH": f"{tools}{rest}", "LANG": "C.UTF-8"}
    made = Local(shell=str(tools / "sh"), environ=environ)
    yield made
    await made.close()


@pytest.fixture
async def place(host: Local) -> job.Place:
    return await job.hello(host)
