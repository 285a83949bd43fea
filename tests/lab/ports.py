"""Ports that are still free when a server binds them, however long after they were chosen."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

_COUNT = 12_000


def free_port() -> int:
    """A port of this machine on which nobody listens.

    Below those that the kernel hands out: no connection that begins meanwhile takes it, and none
    connects to itself there. By chance: other processes choose too.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(_first_handed_out() - _COUNT, _first_handed_out())
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _first_handed_out() -> int:
    first = 32_768
    with contextlib.suppress(OSError):
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return max(first, 1024 + _COUNT)
