"""What can be done with a container, in its present state; pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.containers.container import Container

SAVED: Final = "saves its logs first"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PATH: Final = re.compile(r"/[A-Za-z0-9._/@+ -]*")
_SHELL: Final = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. key: the letter that chooses it.

    command: what runs on its host, through the gate; "" for one that asks the engine or opens a
    screen. why_not: why it makes no sense, or is not possible, just now.
    """

    key: str
    words: Safe
    does: Safe
    command: str = ""
    why_not: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Project:
    """Where the Compose project of a container lies on its host, by the labels of Compose."""

    name: str = ""
    service: str = ""
    folder: str = ""
    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The arguments of docker that name this project; "" where it is not plain what they are.

        What the labels say stands in a shell's line, and they may come with an image from
        anywhere: names must be names, and files plain paths, none that Compose would fetch.
        """
        if not (_PLAIN.fullmatch(self.name) and _PLAIN.fullmatch(self.service)):
            return ""
        paths = [*([self.folder] if self.folder else []), *self.files, *self.env_files]
        if not all(_PATH.fullmatch(path) and "/../" not in path for path in paths):
            return ""
        flags = ["compose", "-p", self.name]
        if self.folder:
            flags += ["--project-directory", self.folder]
        for path in self.files:
            flags += ["-f", path]
        for path in self.env_files:
            flags += ["--env-file", path]
        return shlex.join(flags)


def project(labels: dict[str, str] | None) -> Project:
    """The Compose project that a container says it belongs to; an empty one where to none."""
    found = labels or {}

    def label(which: str) -> str:
        return found.get(f"com.docker.compose.{which}", "")

    def paths(which: str) -> tuple[str, ...]:
        return tuple(path for path in label(which).split(",") if path)

    return Project(
        label("project"),
        label("service"),
        label("project.working_dir"),
        paths("project.config_files"),
        paths("project.environment_file"),
    )


def word(container: Container) -> str:
    """What a command calls a container: its name as Docker allows it, else its id."""
    plain = _PLAIN.fullmatch(container.name)
    return str(container.name) if plain else container.id[:12]


def actions(
    container: Container, docker: str, compose: Project, *, stale: bool = False
) -> tuple[Action, ...]:
    """All actions, those that make sense now before those that do not.

    docker: the command that reaches its engine on its host, "" where there is none. stale: what
    is known of it may be old, so nothing is to be changed.
    """
    name = word(container)

    def runs(key: str, verb: str, does: str, *, arguments: str = "", not_now: str = "") -> Action:
        command = f"{docker} {arguments or f'{verb} {name}'}" if docker else ""
        no_docker = "" if docker else "no docker command on this host reaches its engine"
        old = "what is known of it is old" if stale else ""
        why_not = Safe(old or not_now or no_docker)
        return Action(key, Safe(verb), Safe(does), "" if why_not else command, why_not)

    state = container.state
    changes = f"changes it, {SAVED}"
    going = {"running": "", "paused": "it is paused: P lets it go on"}
    off = "" if container.live or state == "restarting" else f"it does not run ({state})"
    found = [
        runs("r", "restart", changes, not_now=off and f"{off}: S starts it"),
        runs("s", "stop", changes, not_now=off),
        runs("S", "start", changes, not_now="" if off else "it runs already"),
        runs("p", "pause", changes, not_now=going.get(state, off or f"it is {state}")),
        runs("P", "unpause", changes, not_now="" if state == "paused" else "it is not paused"),
        runs("K", "kill", "ends it at once, saves logs", not_now=_dead(container) or off),
        runs("x", "shell", "in it, in your terminal",
             arguments=f"exec -it {name} sh -c {shlex.quote(_SHELL)}",
             not_now=going.get(state, off or f"it is {state}")),
    ]  # fmt: skip
    flags = compose.command
    if flags:
        service = compose.service
        found += [
            runs("R", f"compose restart {service}", "all of it, saves logs first",
                 arguments=f"{flags} restart {service}"),
            runs("U", f"compose up -d {service}", "as the file says, saves logs",
                 arguments=f"{flags} up -d {service}"),
        ]  # fmt: skip
    found += _READS
    if not container.live:
        why_not = Safe(off or f"it is {state}")
        found = [
            Action("t", one.words, one.does, why_not=why_not) if one.key == "t" else one
            for one in found
        ]
    return tuple(sorted(found, key=lambda one: bool(one.why_not)))


def _dead(container: Container) -> str:
    return "it is between two runs: s stops that" if container.state == "restarting" else ""


_READS: Final = (
    Action("d", Safe("detail"), Safe("plots, checks, events, mounts")),
    Action("l", Safe("logs"), Safe("follows its log")),
    Action("t", Safe("top"), Safe("its processes")),
    Action("o", Safe("ports"), Safe("and networks")),
    Action("e", Safe("environment"), Safe("values hidden until asked for")),
    Action("c", Safe("configuration"), Safe("what differs from its file")),
    Action("f", Safe("files"), Safe("what was changed in its disk")),
    Action("i", Safe("inspect"), Safe("all of it, secrets hidden")),
)
