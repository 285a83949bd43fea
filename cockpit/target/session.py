"""What carries over from one command of a runbook to the next on a host, and how a script does it.

A command is a process of its own, so that it outlives the link. What it would leave for the next
line in a terminal (the directory, variables) it leaves in a file on the host instead, once, under
its own id; the next one is told which file to read. Nothing shared is ever changed: whatever was
cut off or ran at the same time, what the journal names is there as it was left, or the command
that needs it does not run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

NOT_RUN: Final = 125

_CHANGES: Final = re.compile(
    r"(?<![\w-])(?:cd|pushd|popd|export|unset|source|eval|declare|typeset|read|readarray|mapfile"
    r"|let|getopts|printf\s+-v|trap)(?![\w-])|:=|\(\(|\(\)"
    r"|(?:^|[;&|({`\n!)]|\b(?:if|then|else|elif|do|while|until)\s)\s*\.\s"
)
_FOR: Final = re.compile(r"\bfor\s+([a-z]\w*)\s+in\b")
_REASONS: Final = {
    "disk": "it could not be stored on the host: is its disk full?",
    "gone": "what earlier commands of the runbook left there was deleted.",
    "directory": "the directory where earlier commands of the runbook went is gone.",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A command's place among those of its runbook on a host, as the journal knows it.

    after: the job whose state it finds; reads: the file on the host that holds it; both are empty
    for a fresh start. keeps: the commands after it find its own.
    """

    after: str
    reads: str
    keeps: bool


@dataclass(frozen=True, slots=True)
class Carry:
    """What a command finds and leaves on its host.

    reads: the state that an earlier command left, a file; "" is a fresh start. into: a directory
    for what this one leaves. keeps: False for one that runs beside the others.
    """

    reads: str
    into: str
    keeps: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What a command left: where it ended, and the names of the variables that carry over.

    One that is empty carries over too, and is not named: it is as good as none.
    """

    directory: str
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """It left nothing, and why. not_run: what it should have found was not there."""

    why: str
    not_run: bool


def script(command: str, carry: Carry, workdir: str = "") -> str:
    """The command as a POSIX sh script that runs in its session and keeps it.

    workdir: where a fresh start begins; "" is the home directory, a leading ~ too.
    """
    from cockpit.runbook.placeholders import assigned

    names = " ".join(sorted(assigned(command)))
    given = {"CK_I": carry.reads, "CK_O": carry.into, "CK_W": names}
    before, find, after = texts()
    parts = [" ".join(f"{name}={shlex.quote(value)}" for name, value in given.items()) + ";"]
    parts += [before] * carry.keeps + [find] * bool(carry.reads) + [after] * carry.keeps
    start = "" if carry.reads else enter(workdir)
    return f"{' '.join(parts)}\n{start}{command}\n"


def enter(workdir: str) -> str:
    """A line that goes to a directory, or says that the command was not run."""
    if not workdir:
        return ""
    if workdir == "~" or workdir.startswith("~/"):
        path = '"$HOME"' + (shlex.quote(workdir[1:]) if workdir != "~" else "")
    else:
        path = shlex.quote(workdir)
    said = shlex.quote(f"cockpit: cannot enter the directory {workdir}; the command was not run")
    return f"CDPATH= cd -- {path} || {{ echo {said} >&2; exit {NOT_RUN}; }}\n"


def state_file(into: str) -> str:
    """Where a command leaves what the next one reads."""
    return f"{into}/state"


def left(said: dict[str, str]) -> Kept | Lost | None:
    """What the host says that a command left; None where it says nothing."""
    if "lost" in said:
        why = _REASONS.get(said["lost"], said["lost"])
        return Lost(why, said["lost"] != "disk")
    if "kept" in said:
        return Kept(said["cwd"], tuple(name for name in said["kept"].split(",") if name))
    return None


def changes(command: str) -> bool:
    """Whether a command may leave something for those after it; rather yes than no."""
    from cockpit.runbook.placeholders import assigned

    return bool(assigned(command) or _CHANGES.search(command))


def waits_for(command: str, running: str) -> bool:
    """Whether a command may miss what one that still runs will leave; rather yes than no.

    The variable of a loop is for the loop: only who names it, or leaves something too, may miss it.
    """
    from cockpit.runbook.placeholders import assigned

    loops = set(_FOR.findall(running))
    if _CHANGES.search(running) or assigned(running) - loops or changes(command):
        return changes(running)
    return any(re.search(rf"\b{name}\b", command) for name in loops)


@cache
def texts() -> list[str]:
    """What stands before a command: how to leave something, finding, leaving; each in one line."""
    text = resources.files("cockpit.target").joinpath("session.sh").read_text()
    lines = [line.strip() for line in text.splitlines()]
    marks = [number for number, line in enumerate(lines) if line.startswith("# -- ")]
    ends = [*marks[1:], len(lines)]
    return [
        " ".join(line for line in lines[start:end] if line and not line.startswith("#"))
        for start, end in zip(marks, ends, strict=True)
    ]
