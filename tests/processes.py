"""Processes of which some may end while they are looked at or told something."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def files(name: str) -> list[Path]:
    """A file of each process. A pattern of pathlib fails where one ends while it is looked for."""
    return [Path("/proc", pid, name) for pid in os.listdir("/proc") if pid.isdecimal()]


def tell(pids: Iterable[int], number: signal.Signals) -> None:
    """Sends a signal to those of them that have not ended yet."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
