"""What one program with its arguments would do. `shell` finds the programs in a command."""

from cockpit.runbook.effects import data, docker, files, machine, network, wrappers
from cockpit.runbook.effects.names import judge

__all__ = ["data", "docker", "files", "judge", "machine", "network", "wrappers"]
