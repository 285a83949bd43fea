"""What a Compose file calls its services and containers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

_PATTERNS = ("compose*.y*ml", "docker-compose*.y*ml")
_LARGEST = 1 << 20
_VARIABLE = re.compile(r"\$\{?\w+(?::?-([^}]*))?\}?")


class BadCompose(Exception):
    """A Compose file that was named cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Compose:
    """The names of all Compose files of a folder together.

    services and containers are what may be said to `docker compose` and to `docker`. open: there
    are names that the files do not give, such as ${NAME}.
    """

    file: Path
    services: frozenset[str]
    containers: frozenset[str]
    files: frozenset[str] = frozenset()
    open: bool = False


def named(path: Path) -> Compose:
    """The names in a Compose file that a person named. Raises BadCompose."""
    found = _read(path)
    if isinstance(found, str):
        raise BadCompose(f"{path}: {found}")
    return _together(path, [(path, found)])


def near(page: Path) -> tuple[Compose | None, str]:
    """The names of the Compose files beside a page or above it, and what is wrong with one.

    Looks no further up than the repository's root or the user's home.
    """
    here = page.resolve().parent
    for place in (here, *here.parents):
        if place == Path.home() and place != here:
            break
        files = sorted({file for pattern in _PATTERNS for file in place.glob(pattern)})
        if files:
            read = [(file, _read(file)) for file in files if file.is_file()]
            wrong = [f"{file}: {text}" for file, text in read if isinstance(text, str)]
            good = [(file, data) for file, data in read if not isinstance(data, str)]
            if wrong or not good:
                return None, wrong[0] if wrong else ""
            return _together(good[0][0], good), ""
        if (place / ".git").exists():
            break
    return None, ""


def _read(path: Path) -> dict[str, object] | str:
    """What is in the file, or what is wrong with it."""
    try:
        status = path.stat()
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    return _parsed(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _parsed(path: Path, changed: int, size: int) -> dict[str, object] | str:
    """The same; changed and size tell one state of the file from another."""
    import yaml

    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    if len(raw) > _LARGEST:
        return "it is larger than 1 MiB; is it the right file?"
    try:
        data = yaml.load(raw, Loader=_loader())
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        return f"{line}it is not YAML ({problem}); docker compose config -q says more"
    if not isinstance(data, dict):
        return "it holds no services; is it a Compose file?"
    return data


@cache
def _loader() -> type:
    """YAML's safe loader, which takes Compose's own tags (!reset, !override) for what they hold."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    def taken(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> object:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return None

    Loader.add_multi_constructor("!", taken)
    return Loader


def _together(first: Path, read: list[tuple[Path, dict[str, object]]]) -> Compose:
    services: set[str] = set()
    containers: set[str] = set()
    partly = False
    project = re.sub(r"[^a-z0-9_-]", "", first.resolve().parent.name.lower()).lstrip("_-")
    projects = {project} | {
        _filled(str(data["name"])) for _, data in read if isinstance(data.get("name"), str)
    }
    for _, data in read:
        partly = partly or "include" in data
        found = data.get("services")
        if not isinstance(found, dict):
            # The first format had no `services`: every key with an image was one.
            found = {key: value for key, value in data.items() if _is_service(value)}
        for name, service in found.items():
            services.add(str(name))
            own = service.get("container_name") if isinstance(service, dict) else None
            if isinstance(own, str):
                partly = partly or bool(_VARIABLE.search(own) and not _filled(own))
                containers.add(_filled(own))
            else:
                containers |= {
                    f"{one}{sign}{name}{sign}{number}"
                    for one in projects
                    for sign in "-_"
                    for number in range(1, 10)
                }
    files = frozenset(file.name for file, _ in read)
    return Compose(first, frozenset(services), frozenset(containers - {""}), files, partly)


def _is_service(value: object) -> bool:
    return isinstance(value, dict) and bool({"image", "build"} & value.keys())


def _filled(text: str) -> str:
    """`${NAME:-api}` is api; a variable without a default leaves nothing to compare with."""
    bare = [match for match in _VARIABLE.finditer(text) if match[1] is None]
    return "" if bare else _VARIABLE.sub(lambda match: match[1] or "", text)
