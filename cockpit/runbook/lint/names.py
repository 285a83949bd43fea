"""Containers and services that a runbook names, against those that there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cockpit.runbook.lint import compose, words
from cockpit.runbook.lint.compose import Compose
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.ground import Ground
from cockpit.runbook.lint.page import Page, also
from cockpit.runbook.programs import names_of

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_ID = re.compile(r"[0-9a-f]{12,64}\Z")
_ONE = names_of("exec logs top port attach diff export wait commit")
_MANY = names_of("restart stop start kill rm pause unpause")
_COMPOSE_ONE = frozenset(["exec", "run", "port"])
_COMPOSE_MANY = names_of(
    "logs restart stop start up kill rm ps pull build create top pause unpause events"
)
_VALUED = names_of(
    "-e --env -u --user -w --workdir --env-file --detach-keys --since --until --tail -n "
    "-t --time --timeout -s --signal --format --filter --status --index --name -v "
    "--volume -p --publish --entrypoint --pull --policy --scale --wait-timeout "
    "--exit-code-from --attach --no-attach --change -c --message -m --author -a --cap-add "
    "--cap-drop --progress -l --label"
)
_GLOBAL = names_of(
    "-f --file -p --project-name --profile --env-file --project-directory --ansi "
    "--parallel --progress --log-level -l -c --config"
)


@dataclass(frozen=True, slots=True)
class Named:
    """A container (or service) that a command speaks of."""

    name: str
    service: bool


def spoken_of(command: str) -> tuple[Named, ...]:
    """The containers and services that the docker commands in a command name."""
    found: list[Named] = []
    for argv in words.simple(command):
        program = argv[0].rpartition("/")[2]
        if program == "docker-compose":
            found += _compose(argv[1:])
        elif program == "docker" and argv[1:2] == ("compose",):
            found += _compose(argv[2:])
        elif program == "docker":
            found += _docker(argv[1:])
    return tuple(dict.fromkeys(found))


def _docker(args: tuple[str, ...]) -> Iterator[Named]:
    if args[:1] == ("container",):
        args = args[1:]
    if not args or args[0].startswith("-"):
        return  # -H and --context: another engine
    verb, rest = args[0], args[1:]
    if verb in _ONE | _MANY:
        given = _given(verb, rest)
        yield from (Named(name, False) for name in given[: 1 if verb in _ONE else None])
    elif verb == "stats":
        yield from (Named(name, False) for name in _given(verb, rest))
    elif verb == "cp":
        for word in _given(verb, rest):
            name, colon, _ = word.partition(":")
            if colon:
                yield Named(name, False)


def _compose(args: tuple[str, ...]) -> Iterator[Named]:
    rest = [*args]
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in ("-f", "--file", "-p", "--project-name", "--project-directory"):
            return  # another project
        if option in _GLOBAL and rest:
            rest.pop(0)
    verb = rest.pop(0) if rest else ""
    if verb in _COMPOSE_ONE | _COMPOSE_MANY:
        given = _given(verb, tuple(rest))
        yield from (Named(name, True) for name in given[: 1 if verb in _COMPOSE_ONE else None])


def _given(verb: str, args: tuple[str, ...]) -> list[str]:
    """The words that are no options; after the first of exec and run all belongs to the command."""
    out: list[str] = []
    rest = [*args]
    flags = {"-t"} if verb in ("exec", "run") else {"-f", "-s", "-v"} if verb == "rm" else set()
    if verb in ("logs", "up", "ps"):
        flags = {"-t", "-a", "-f", "-l", "-d"} if verb == "logs" else {"-a", "-d", "-l"}
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and word != "-":
            if word in _VALUED and word not in flags and rest:
                rest.pop(0)
            continue
        out.append(word)
        if verb in ("exec", "run"):
            break
    return [word for word in out if not re.search(r"[$`*{}<>\[\]]", word)]


def unknown(page: Page, ground: Ground) -> Iterator[Finding]:
    """`unknown-container`, `unknown-service`, and what is wrong with the Compose file itself."""
    spoken = [
        (placed, spoken_of(placed.command.text))
        for placed in page.commands
        if ground.host is None or placed.command.host in ("", ground.host.name)
    ]
    if not any(named for _, named in spoken):
        return
    known, where, loose = _known(page, ground)
    if known is None:
        if where:
            line = next(placed.line for placed, named in spoken if named)
            yield page.find(
                line, Level.WARNING, "compose-file", where, "mend it; names were not judged"
            )
        return
    own = set(re.findall(r"--name[= ]([\w.-]+)", page.text))
    places: dict[Named, list[int]] = {}
    for placed, named in spoken:
        gaps = {re.sub(r"[^\w./-]", "_", gap.text) for gap in placed.command.placeholders}
        for one in named:
            names = known.services if one.service else known.containers
            there = one.name in names | own | gaps or _ID.match(one.name)
            if not there and _NAME.match(one.name) and not (loose and not one.service):
                places.setdefault(one, []).append(placed.line)
    for one, lines in places.items():
        kind = "service" if one.service else "container"
        yield page.find(
            lines[0],
            Level.ERROR,
            f"unknown-{kind}",
            f"{where} has no {kind} {one.name}{also(lines)}",
            _mend(one, known),
        )


def alike(page: Page) -> Iterator[Finding]:
    """`names-alike`: two names that differ only by - and _: one of them is a slip."""
    first: dict[tuple[str, bool], tuple[str, int]] = {}
    for placed in page.commands:
        for one in spoken_of(placed.command.text):
            key = (re.sub(r"[-_.]", "", one.name), one.service)
            name, line = first.setdefault(key, (one.name, placed.line))
            if name != one.name:
                yield page.find(
                    placed.line,
                    Level.WARNING,
                    "names-alike",
                    f"{one.name} here, and {name} in line {line}",
                    "write the one name that exists",
                )


def _known(page: Page, ground: Ground) -> tuple[Compose | None, str, bool]:
    """What there is, where that was found (or what is wrong), and whether there may be more."""
    if ground.host is not None:
        if ground.host.containers is None:
            return None, "", False
        services = ground.host.services
        found = Compose(page.path, services, ground.host.containers)
        return found, ground.host.name, False
    if ground.compose is not None:
        return ground.compose, str(ground.compose.file.name), ground.compose.open
    near, wrong = compose.near(page.path)
    return (near, near.file.name, near.open) if near else (None, wrong, False)


def _mend(one: Named, known: Compose) -> str:
    names = known.services if one.service else known.containers
    if not one.service and one.name in known.services:
        nearest = sorted(name for name in names if one.name in name)
        if nearest:
            return (
                f"did you mean {nearest[0]}? ({one.name} is the service: docker compose knows it)"
            )
    if one.service and one.name in known.containers:
        return f"{one.name} is a container: say its service, or docker without compose"
    near = nearest_name(one.name, names)
    if near:
        return f"did you mean {near}?"
    listed = ", ".join(
        sorted(name for name in names if not re.search(r"[-_][2-9]\Z|_1\Z", name))[:8]
    )
    return f"there are: {listed}" if listed else "there is none at all"


def nearest_name(name: str, names: frozenset[str]) -> str:
    """The name that was probably meant; "" when none is like it."""
    parts = set(re.split(r"[-_.]", name))
    close = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.6)
    inside = sorted(
        (other for other in names if parts & set(re.split(r"[-_.]", other))),
        key=lambda other: (-len(parts & set(re.split(r"[-_.]", other))), len(other)),
    )
    return next(iter(close), "") or next(iter(inside), "")
