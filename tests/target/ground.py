"""What the target tests stand on: a throwaway sshd, a pass, a job run to its end."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.runbook.model import Risk
from cockpit.target import guard, job
from cockpit.target.target import Target
from tests.lab.ports import free_port as free_port
from tests.lab.sshd import penalties

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def leave(command: str, host: str) -> guard.Pass:
    """The pass for a command that only reads."""
    return guard.answer(guard.ask(guard.Intent(command, host, Risk.READ, "a test")))


def keygen(path: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)],
        check=True,
    )
    return path


@dataclass
class Sshd:
    """One OpenSSH server on a loopback port, with its own home for jobs."""

    home: Path
    port: int
    user_key: Path
    extra: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        host_key = self.home / "host_key"
        if not host_key.exists():
            keygen(host_key)
        keys = self.home / "authorized_keys"
        keys.write_bytes(self.user_key.with_name(self.user_key.name + ".pub").read_bytes())
        config = self.home / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host_key}\n"
            f"AuthorizedKeysFile {keys}\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
            f"SetEnv HOME={self.home}\nMaxStartups 100\n{penalties()}{self.extra}\n"
        )
        assert SSHD is not None
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
        until = time.monotonic() + 30
        # While it lives, it is the one that answers.
        while self.process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise RuntimeError(f"sshd did not start: {(self.home / 'log').read_text()}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def known_line(self, port: int | None = None) -> str:
        key = (self.home / "host_key.pub").read_text().split()
        return f"[127.0.0.1]:{port or self.port} {key[0]} {key[1]}\n"


@dataclass
class Lab:
    """Servers, and an ssh_config that leads to them."""

    home: Path
    servers: list[Sshd] = field(default_factory=list)

    @property
    def user_key(self) -> Path:
        return self.home / "id_test"

    def sshd(self, extra: str = "") -> Sshd:
        place = self.home / f"sshd{len(self.servers)}"
        place.mkdir()
        server = Sshd(place, free_port(), self.user_key, extra)
        server.start()
        self.servers.append(server)
        return server

    def config(self, *entries: str, known: str | None = None, key: Path | None = None) -> Path:
        """An ssh_config of `Host` entries; known: the text of known_hosts, all servers' keys if
        None."""
        place = Path(tempfile.mkdtemp(dir=self.home))
        hosts = place / "known_hosts"
        text = "".join(s.known_line() for s in self.servers) if known is None else known
        hosts.write_text(text)
        config = place / "config"
        config.write_text(
            "\n".join(entries) + f"\nHost *\n  User {getpass.getuser()}\n"
            f"  IdentityFile {key or self.user_key}\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {hosts}\n  GlobalKnownHostsFile none\n"
        )
        return config


@contextlib.contextmanager
def ssh_agent(path: Path) -> Iterator[Path]:
    """An empty agent at that socket."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        # The socket is there before anybody listens at it.
        while process.poll() is None and not _listens(path):
            time.sleep(0.01)
        yield path
    finally:
        process.terminate()
        process.wait()


def _listens(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition; fails when it does not come true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def stopwatch() -> AsyncIterator[Callable[[], float]]:
    """Seconds since it began, without those in which this process itself was kept from running."""
    began, stood = time.monotonic(), 0.0

    async def watch() -> None:
        nonlocal stood
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.02)
            stood += max(0.0, time.monotonic() - before - 0.05)

    watching = asyncio.create_task(watch())
    try:
        yield lambda: time.monotonic() - began - stood
    finally:
        watching.cancel()


async def run(target: Target, place: job.Place, command: str, workdir: str = "") -> Run:
    """Order a command and follow it to its end."""
    id = job.new_id()
    order = job.order(leave(command, target.name), id, workdir=workdir)
    return await collect(job.follow(target, place, id, order=order, claimed=False, offset=0))


@dataclass(frozen=True)
class Run:
    """All that a job told."""

    output: bytes
    claims: int
    last: job.Ended | job.Unknown

    @property
    def status(self) -> int | None:
        assert isinstance(self.last, job.Ended), self.last
        return self.last.exit_status


async def collect(news: AsyncIterator[job.Claimed | job.Output | job.Ended | job.Unknown]) -> Run:
    output, claims = b"", 0
    async for item in news:
        match item:
            case job.Claimed():
                claims += 1
            case job.Output(data, _):
                output += data
            case _:
                return Run(output, claims, item)
    raise AssertionError("the job ended without a last word")
