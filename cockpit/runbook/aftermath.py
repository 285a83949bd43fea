"""What can be read on a host to see whether a command ran that nobody can vouch for."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from cockpit.runbook.shell import judge
from cockpit.text import Safe, clean_line

_STATE: Final = (
    "'{{.Name}}: {{.State.Status}}, started {{.State.StartedAt}}, exit {{.State.ExitCode}},"
    " restarts {{.RestartCount}}'"
)
_COMPOSE: Final = re.compile(
    r"\bdocker(?:\s+|-)compose((?:\s+(?:-f|-p|--file|--project-name|--env-file|--profile)[ =]\S+)*)"
)
_UNIT: Final = re.compile(
    r"\bsystemctl\s+(?:-\S+\s+)*[a-z-]+\s+(?:-\S+\s+)*([\w@:.-]+)|\bservice\s+([\w@.-]+)\s+\w"
)
_PATH: Final = re.compile(r"(?<![\w$=:/-])(?:~|\.{1,2})?/[\w./@+-]+")
_PATHS: Final = 6


@dataclass(frozen=True, slots=True)
class Look:
    """A command that only reads, and in words what it shows."""

    words: Safe
    command: str


def looks(command: str, *, directory: str = "", trace: str = "") -> tuple[Look, ...]:
    """What to look at after a command, what tells the most first; pure.

    directory: where it ran, empty for the home directory. trace: where its job was kept.
    """
    sudo = "sudo -n " if re.search(r"\bsudo\s+(?:-\S+\s+)*docker\b", command) else ""
    found: list[tuple[str, str]] = []
    containers = judge(command).containers
    compose = _COMPOSE.search(command)
    if compose:
        enter = "" if directory in ("", "~") else f"cd {shlex.quote(directory)} && "
        found.append(("the containers of the project", f"{enter}{sudo}{compose[0]} ps -a"))
    elif "*" in containers:
        found.append(("all containers", f"{sudo}docker ps -a"))
    elif containers:
        names = shlex.join(containers)
        found.append((f"state of {names}", f"{sudo}docker inspect --format {_STATE} {names}"))
    for unit in dict.fromkeys(one or other for one, other in _UNIT.findall(command)):
        found.append((f"state of {unit}", f"systemctl status --no-pager --lines=20 {unit}"))
    if paths := list(dict.fromkeys(_PATH.findall(command)))[:_PATHS]:
        found.append((f"the files {' '.join(paths)}", f"ls -ld {' '.join(paths)}"))
    if trace:
        place = shlex.quote(trace)
        found.append(("what it left on the host", f"ls -la {place}; tail -n 20 {place}/out"))
    found.append(("since when the host is up", "date; uptime"))
    return tuple(Look(clean_line(f"Look at {words}"), command) for words, command in found)
