"""What one program with its arguments would do. `shell` finds the programs in a command."""

from cockpit.runbook.effects import (
    asks,
    data,
    docker,
    files,
    machine,
    network,
    runners,
    wrappers,
)
from cockpit.runbook.effects.names import judge

__all__ = [
    "asks",
    "data",
    "docker",
    "files",
    "judge",
    "machine",
    "network",
    "runners",
    "wrappers",
]
