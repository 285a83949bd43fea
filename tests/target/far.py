"""A host at the far end of a bad network: an sshd in a network namespace of its own, and real
packets on the way to it that are lost, late, or held back. Needs root, unshare(1) and ip(8).

The way is two tun devices, one on this machine and one in the namespace, and this program between
them: run by itself it is the far end; `Far` starts it, and tells it what to do to packets from now
on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import getpass
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.target.ground import Sshd, free_port, keygen  # noqa: E402

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI, _CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000


def missing() -> list[str]:
    """Why there can be no such host here; empty when there can."""
    reasons = [] if os.geteuid() == 0 else ["not root"]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    reasons += [f"not installed: {n}" for n in ("ip", "sshd") if not shutil.which(n, path=path)]
    return reasons + ([] if Path("/dev/net/tun").exists() else ["no /dev/net/tun"])


class Far:
    """Use as `async with Far() as far`. config: an ssh_config that knows it as prod-1."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cockpit-far-"))
        self.config = self.home / "config"

    async def __aenter__(self) -> Self:
        key = keygen(self.home / "id_test")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            str(self.home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin and self._process.stdout
        self._orders, self._said = self._process.stdin, self._process.stdout
        said = (await asyncio.wait_for(self._said.readline(), 60)).decode().split()
        assert said, "the far end has ended; it says above why"
        self.device, self.address = said[:2]
        self.port = int(said[2])
        known = self.home / "known_hosts"
        kind, blob = (self.home / "host_key.pub").read_text().split()[:2]
        known.write_text(f"[{self.address}]:{self.port} {kind} {blob}\n")
        self.config.write_text(
            f"Host prod-1\n  HostName {self.address}\n  Port {self.port}\n"
            f"  User {getpass.getuser()}\n  IdentityFile {key}\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._orders.close()
        await self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    async def be(
        self,
        *,
        loss: float = 0.0,
        delay: float = 0.0,
        up: bool = True,
        down: bool = True,
        rate: float = 0.0,
    ) -> None:
        """What happens to packets from now on.

        loss: how many are lost, of 1, each way. delay: seconds, one way. up, down: whether any pass
        to the host, from it. rate: bytes a second, each way, as many as come when 0.
        """
        self._orders.write(f"{loss} {delay} {int(up)} {int(down)} {rate}\n".encode())
        await self._said.readline()


# -- the far end -----------------------------------------------------------------------------------


@dataclass
class _Way:
    """One direction: packets from one device to the other, after their delay."""

    source: int
    sink: int
    loss: float = 0.0
    delay: float = 0.0
    rate: float = 0.0
    free_at: float = 0.0

    def carry(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError, OSError):
            while packet := os.read(self.source, 65536):
                if random.random() >= self.loss:
                    self.free_at = max(self.free_at, loop.time())
                    self.free_at += len(packet) / self.rate if self.rate else 0
                    loop.call_at(self.free_at + self.delay, self._give, packet)

    def _give(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self.sink, packet)


def _tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return fd


def _free_tun() -> tuple[int, int]:
    """A device ckfar<number> that no other far end has, and its number."""
    for number in range(64):
        with contextlib.suppress(OSError):
            return _tun(f"ckfar{number}"), number
    raise OSError(errno.EBUSY, "no device ckfar0 to ckfar63 can be had")


def _ip(*words: str) -> None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    subprocess.run(["ip", *words], check=True, env={"PATH": path})


async def _main(home: Path) -> None:
    here, number = _free_tun()
    device = f"ckfar{number}"
    # TEST-NET-2, cut in links of four addresses: nobody's real network.
    near, address = (f"198.51.100.{4 * number + n}" for n in (1, 2))
    _ip("addr", "add", f"{near}/30", "dev", device)
    _ip("link", "set", device, "up")
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    there = _tun("far")
    _ip("link", "set", "lo", "up")
    _ip("addr", "add", f"{address}/30", "dev", "far")
    _ip("link", "set", "far", "up")
    up, down = _Way(here, there), _Way(there, here)
    loop = asyncio.get_running_loop()
    loop.add_reader(here, up.carry)
    loop.add_reader(there, down.carry)
    server = Sshd(home, free_port(), home / "id_test", f"ListenAddress {address}")
    server.start()
    try:
        print(device, address, server.port, flush=True)
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while line := await orders.readline():
            loss, delay, passes_up, passes_down, rate = map(float, line.split())
            up.loss = loss if passes_up else 1.0
            down.loss = loss if passes_down else 1.0
            up.delay = down.delay = delay
            up.rate = down.rate = rate
            print("done", flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
