"""Whether a container is what its Compose file says now, and runs the image of its name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from cockpit.containers.engine import EngineTrouble
from cockpit.target.guard import Refused
from cockpit.target.reading import read
from cockpit.target.target import LinkDown, LinkLost
from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.engine import Engine
    from cockpit.target.guard import Pass

FIRST_S: Final = 15.0
"""Seconds after a host is chosen: until then its link has more urgent things to carry."""
EVERY_S: Final = 300.0
AFTER_START_S: Final = 10.0
"""Seconds after containers were made: Compose makes several, one after the other."""
WITHIN_S: Final = 15.0
MOST: Final = 30
"""Projects, and images, that are asked for in one look at most."""

# The labels that name files may come with an image from anywhere: they must be plain paths, and
# what stands in such a file must not have Compose fetch more of it from elsewhere.
_PLAIN: Final = re.compile(r"/[A-Za-z0-9._/@+-]*")
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
ALONE: Final = "COMPOSE_EXPERIMENTAL_GIT_REMOTE=0 COMPOSE_EXPERIMENTAL_OCI_REMOTE=0"
_HASH: Final = re.compile(r"(?m)^([A-Za-z0-9._-]+) ([0-9a-f]{64})$")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_BY_HAND: Final = re.compile(r"[_-]run[_-][0-9a-f]{12}$")
"""The end of the name of one that `docker compose run` made: it is meant to differ."""
_NOT_SET: Final = "variable is not set"

Made = tuple[Safe, Safe, Safe]
"""What Compose made containers from: the project, its files, their folder."""


class _Image(msgspec.Struct, frozen=True, rename="pascal"):
    id: str = ""


def made_from(container: Container) -> Made | None:
    """What Compose made it from; None where Compose did not, or not by plain names."""
    made = (container.project, container.config_files, container.working_dir)
    files = container.config_files.split(",")
    plain = all(_PLAIN.fullmatch(path) and "/../" not in path for path in files)
    plain = plain and bool(_PLAIN.fullmatch(container.working_dir or "/"))
    return made if plain and _PROJECT.fullmatch(container.project) else None


def prefix(docker: str, made: Made) -> str:
    """The command up to the verb that Compose is to do there: `docker compose -p shop -f …`."""
    project, files, folder = made
    words = [docker, "compose", "-p", shlex.quote(project)]
    if folder:
        words += ["--project-directory", shlex.quote(folder)]
    for path in files.split(","):
        words += ["-f", shlex.quote(path)]
    return " ".join(words)


def asks(docker: str, made: Made) -> str:
    """The command that prints what each service of a project comes to now; it only reads."""
    # The engine is not asked, so no rights are needed; and sudo would drop what is set here.
    plain = docker.removeprefix("sudo -n ")
    return f"{ALONE} {prefix(plain, made)} --profile '*' config --hash '*'"


def hashes(said: str) -> dict[str, str] | None:
    """What `asks` printed, by service.

    None where it cannot be told: it failed, there is no Compose, or a variable is set only where
    somebody deploys from.
    """
    found: dict[str, str] = dict(_HASH.findall(said))
    return found if found and _NOT_SET not in said else None


def differs(
    container: Container, now: Mapping[str, str] | None, images: Mapping[str, str]
) -> tuple[Safe, ...]:
    """What is not as it would be if it were made now, in sentences; none where all is the same.

    now: the hashes of its project, None where they are not known. images: the id that an image's
    name stands for on its engine, where that was asked.
    """
    said = []
    image = images.get(container.image)
    if image and container.image_id and image != container.image_id:
        said.append(Safe(f"image differs: {container.image} is another one now than it runs"))
    made = made_from(container)
    if now is None or made is None or not container.config_hash:
        return tuple(said)
    if _BY_HAND.search(container.name):
        return tuple(said)
    file = PurePosixPath(made[1].split(",")[0]).name
    expected = now.get(container.service)
    if expected is None:
        said.append(Safe(f"{file} has no service {container.service} any more"))
    elif expected != container.config_hash:
        said.append(
            Safe(
                f"configuration differs from what {file} says now: "
                "docker compose up would make it anew"
            )
        )
    return tuple(said)


class Differences:
    """Looks now and then what of one host's containers is not as it would be made now.

    leave: lets a command through that only reads, or raises Refused. found: by the id of a
    container.
    """

    def __init__(self, engine: Engine, leave: Callable[[str], Pass]) -> None:
        self.found: Mapping[str, tuple[Safe, ...]] = {}
        self._engine = engine
        self._leave = leave
        self._due = FIRST_S
        self._known: frozenset[str] = frozenset()

    def due(self, rows: Iterable[Container], now: float) -> bool:
        """Whether it is time to look: every few minutes, and when there are new containers.

        now: seconds since this was begun.
        """
        known = frozenset(row.id for row in rows if row.live)
        if known - self._known and now >= FIRST_S:
            self._due = min(self._due, now + AFTER_START_S)
        self._known = known
        return now >= self._due

    async def look(self, rows: Iterable[Container], now: float) -> None:
        """Asks, and takes up what is found; where nothing can be asked, nothing is said."""
        self._due = now + EVERY_S
        rows = [row for row in rows if row.live]
        made = {row.id: made_from(row) for row in rows if row.config_hash}
        projects = list(dict.fromkeys(one for one in made.values() if one))[:MOST]
        now_there = {one: await self._hashes(one) for one in projects}
        images = {name: await self._image(name) for name in _references(rows)}
        found = {}
        for row in rows:
            one = made.get(row.id)
            if said := differs(row, now_there.get(one) if one else None, images):
                found[row.id] = said
        self.found = found

    async def _hashes(self, made: Made) -> dict[str, str] | None:
        docker = self._engine.far_command
        if not docker:
            return None
        try:
            said = await read(self._engine.target, self._leave(asks(docker, made)), WITHIN_S)
        except (LinkLost, LinkDown, OSError, Refused):
            return None
        return None if said.cut else hashes(said.output.decode("utf-8", "replace"))

    async def _image(self, name: str) -> str:
        """The id that this name stands for there now; "" where it stands for none."""
        try:
            body = await self._engine.ask(f"/images/{quote(name, safe='/:@')}/json")
            return msgspec.json.decode(body, type=_Image).id
        except (EngineTrouble, msgspec.DecodeError):
            return ""


def _references(rows: Iterable[Container]) -> list[str]:
    """The names of images to ask for, each once; a digest always stands for the same."""
    names = dict.fromkeys(str(row.image) for row in rows if row.image_id)
    return [
        name
        for name in names
        if _REFERENCE.fullmatch(name) and ".." not in name and "@" not in name
    ][:MOST]
