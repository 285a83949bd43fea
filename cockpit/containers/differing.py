"""What of a container differs from what its Compose file says now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cockpit.containers import environ
from cockpit.containers.compose import ALONE
from cockpit.containers.environ import without_secrets
from cockpit.text import Safe, clean_line
from cockpit.words import size

if TYPE_CHECKING:
    from cockpit.containers.actions import Project
    from cockpit.containers.details import About, Image

WITHIN: Final = 20.0
"""Seconds that docker compose may take on the host."""
HASH: Final = "com.docker.compose.config-hash"
_SAID: Final = re.compile(r"^(\S+) ([0-9a-f]{64})\s*$", re.MULTILINE)
_NOT_SET: Final = re.compile(r'The \\?"?(\w+)\\?"? variable is not set')
_MANY: Final = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. here: in the container. there: in the file."""

    what: Safe
    here: Safe
    there: Safe


@dataclass(frozen=True, slots=True)
class Compared:
    """same: whether Compose would leave the container as it is; None where it did not say.

    unset: variables of the file that have no value here, as they may have had where it was made.
    """

    same: bool | None
    differences: tuple[Difference, ...]
    unset: tuple[Safe, ...] = ()


class Unread(Exception):
    """Compose did not say what its file holds; the message is what it said instead."""


def command(docker: str, compose: Project) -> str:
    """Asks Compose what it makes of its file, on the host; "" where it cannot be asked."""
    flags = compose.command
    if not docker or not flags:
        return ""
    ask = f"{ALONE} {docker} {flags} config"
    return f"{ask} --hash {compose.service}; {ask} --format json {compose.service}"


def compare(said: str, service: str, about: About, image: Image | None) -> Compared:
    """What `command` printed beside what inspect says. Raises Unread. Pure."""
    start = said.find("\n{") + 1 if not said.startswith("{") else 0
    try:
        known: Any = msgspec.json.Decoder().decode(said[start : said.rindex("}") + 1])
        wanted = known["services"][service]
        volumes = known.get("volumes") or {}
        if not isinstance(wanted, dict) or not isinstance(volumes, dict):
            raise TypeError
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as wrong:
        # It was asked twice, and says twice why not.
        lines = dict.fromkeys(line.strip() for line in said.splitlines() if line.strip())
        words = without_secrets(clean_line(" ".join(lines)))
        raise Unread(words or "nothing") from wrong
    hashes = dict(_SAID.findall(said))
    there = hashes.get(service)
    same = there == about.labels.get(HASH) if there and about.labels.get(HASH) else None
    try:
        found = tuple(_differences(wanted, volumes, about, image))
    except (AttributeError, TypeError, ValueError) as wrong:
        raise Unread("something that this cockpit cannot read") from wrong
    unset = tuple(clean_line(name) for name in dict.fromkeys(_NOT_SET.findall(said)))
    return Compared(same, found, unset)


def words(compared: Compared, name: Safe) -> Safe:
    """What was found, in lines."""
    if compared.same is None:
        head = [f"Compose does not say whether {name} is as its file says."]
    elif compared.same:
        head = [f"{name} was made from what its Compose file says now."]
        if compared.differences:
            head.append("Yet these are not as in the file:")
    else:
        head = [
            f"The Compose file says something else now than when {name} was made.",
            "U in the actions (compose up -d) makes it as the file says.",
        ]
    if compared.same is False and not compared.differences:
        head.append(
            "What differs is none of: image, command, environment, ports, mounts, restart policy, "
            "memory limit."
        )
    if compared.unset:
        names = ", ".join(compared.unset)
        head.append(
            f"No value is known here for {names}: what differs may be that alone, and U would "
            "make it without."
        )
    lines = []
    for one in compared.differences:
        lines += ["", str(one.what), f"  here  {one.here}", f"  file  {one.there}"]
    return Safe("\n".join([*head, *lines]))


def _differences(
    wanted: Mapping[str, Any], volumes: Mapping[str, Any], about: About, image: Image | None
) -> Iterator[Difference]:
    name = wanted.get("image")
    if name and str(name) != about.image:
        yield _difference("image", about.image, str(name))
    elif image is not None and image.tags and about.image not in image.tags:
        here = f"{about.image} as of {image.created:%Y-%m-%d}" if image.created else about.image
        yield _difference("image", here, f"{about.image}, which is another image by now")
    arguments = wanted.get("command")
    if arguments is not None:
        there = tuple(_plain(str(word)) for word in arguments)
        if there != about.arguments:
            yield _difference("command", " ".join(about.arguments), " ".join(there))
    yield from _environment(wanted.get("environment") or {}, about, image)
    ports = frozenset(_port(one) for one in wanted.get("ports") or ())
    yield from _sets("published port", about.published, ports - {""})
    mounts = {_mount(one, volumes) for one in wanted.get("volumes") or ()}
    here_mounts = {
        f"{one.name or one.source} -> {one.target}{'' if one.writable else ', read only'}"
        for one in about.mounts
        if one.kind in ("bind", "volume") and not _unnamed(one.name)
    }
    yield from _sets("mount", here_mounts, mounts - {""})
    policy = str(wanted.get("restart") or "no")
    if policy != about.policy:
        yield _difference("restart policy", about.policy, policy)
    limit = int(wanted.get("mem_limit") or 0)
    deploy = ((wanted.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    limit = limit or int(deploy.get("memory") or 0)
    if limit != about.memory:
        yield _difference("memory limit", _limit(about.memory), _limit(limit))


def _environment(
    wanted: Mapping[str, Any], about: About, image: Image | None
) -> Iterator[Difference]:
    """By name; values only where they may be shown."""
    here = {one.name: one for one in about.environment}
    built = {one.name: one.value for one in image.environment} if image else {}
    for name, value in sorted(wanted.items()):
        if value is None:
            continue  # it comes from where Compose is called
        (there,) = environ.read([f"{name}={_plain(str(value))}"])
        mine = here.get(there.name)
        if mine is None:
            yield Difference(Safe(f"variable {there.name}"), Safe("(not there)"), there.words)
        elif mine.value != there.value:
            yield Difference(Safe(f"variable {there.name}"), mine.words, there.words)
    if image is None:
        return
    for name, one in here.items():
        if name not in wanted and built.get(name) != one.value:
            left = built.get(name)
            gone = Safe("(not there)" if left is None else "(as in the image)")
            yield Difference(Safe(f"variable {name}"), one.words, gone)


def _sets(
    what: str, here: set[str] | frozenset[str], there: set[str] | frozenset[str]
) -> Iterator[Difference]:
    for one in sorted(here - there)[:_MANY]:
        yield _difference(what, one, "(not there)")
    for one in sorted(there - here)[:_MANY]:
        yield _difference(what, "(not there)", one)


def _difference(what: str, here: str, there: str) -> Difference:
    return Difference(
        Safe(what), without_secrets(clean_line(here)), without_secrets(clean_line(there))
    )


def _plain(word: str) -> str:
    """A word as the container gets it: Compose doubles each $ in what it prints."""
    return word.replace("$$", "$")


def _port(one: Mapping[str, Any]) -> str:
    """`8080:80/tcp`; "" for one that is not published at a port of the author's choice."""
    published = str(one.get("published") or "")
    if not published or "-" in published:
        return ""
    return f"{published}:{one.get('target')}/{one.get('protocol') or 'tcp'}"


def _mount(one: Mapping[str, Any], volumes: Mapping[str, Any]) -> str:
    if one.get("type") not in ("bind", "volume") or not one.get("source"):
        return ""
    source = str(one["source"])
    if one["type"] == "volume":
        source = str((volumes.get(source) or {}).get("name") or source)
    return f"{source} -> {one.get('target')}{', read only' if one.get('read_only') else ''}"


def _unnamed(name: str) -> bool:
    """Whether a volume was made for the image's own sake, with a name that nobody chose."""
    return re.fullmatch(r"[0-9a-f]{64}", name) is not None


def _limit(count: int) -> str:
    return size(count) if count else "none"
