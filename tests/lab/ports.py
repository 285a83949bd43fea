"""Ports that are still free when a server binds them, however long after they were chosen."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
from collections import deque
from pathlib import Path

_COUNT = 12_000
_PROCESSES = 8
_given: deque[int] = deque(maxlen=_COUNT // _PROCESSES // 2)


def free_port() -> int:
    """A port of this machine on which nobody listens.

    Below those that the kernel hands out: no connection that begins meanwhile takes it, and none
    connects to itself there. Processes that run tests side by side choose from ranges of their own,
    and none gives the same one twice in a while: until its server has bound it, it looks free. By
    chance within that: other runs of the tests choose too.
    """
    chance = random.SystemRandom()
    worker = re.search(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", ""))
    size = _COUNT // _PROCESSES
    first = _first_handed_out() - _COUNT + (int(worker[0]) if worker else 0) % _PROCESSES * size
    while True:
        port = chance.randrange(first, first + size)
        if port in _given:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            _given.append(port)
            return port


def _first_handed_out() -> int:
    first = 32_768
    with contextlib.suppress(OSError):
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return max(first, 1024 + _COUNT)
