"""The files of /proc of all processes, of which some may end meanwhile."""

from __future__ import annotations

import os
from pathlib import Path


def files(name: str) -> list[Path]:
    """A file of each process. A pattern of pathlib fails where one ends while it is looked for."""
    return [Path("/proc", pid, name) for pid in os.listdir("/proc") if pid.isdecimal()]
