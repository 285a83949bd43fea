"""What an on-call person wants to know of one container, each part with its own trouble."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from cockpit.containers import detail_wire as wire
from cockpit.containers import environ
from cockpit.containers.container import moment
from cockpit.containers.engine import EngineTrouble
from cockpit.containers.environ import Variable, without_secrets
from cockpit.text import Safe, clean, clean_line
from cockpit.words import duration, lasted, size

if TYPE_CHECKING:
    from cockpit.containers.engine import Engine
    from cockpit.containers.wire import Event
    from cockpit.containers.wire import Health as Checks

T = TypeVar("T")

WITHIN: Final = 5.0
LOOKS_BACK: Final = timedelta(hours=1)
MOST_EVENTS: Final = 200
_IMAGE_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One part of what is known. trouble: why it is missing, "" where it is there."""

    value: T | None = None
    trouble: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Check:
    """One run of a health check. at: when it began, by the engine's clock."""

    at: datetime | None
    seconds: float
    exit_code: int
    output: Safe


@dataclass(frozen=True, slots=True)
class Health:
    """The health check. checks: the last runs that the engine keeps, newest first."""

    status: Safe
    failing: int
    test: Safe
    every: float
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Mount:
    """kind: bind, volume, tmpfs. source: on the engine's host, "" for a tmpfs; not yet `Safe`."""

    kind: Safe
    name: Safe
    source: str
    target: Safe
    writable: bool


@dataclass(frozen=True, slots=True)
class About:
    """What inspect says, in words where nothing is done with it.

    arguments: of its command, published: `8080:80/tcp`, memory: its limit in bytes, 0 for none,
    policy: of restarts; these as they are, to be compared.
    """

    id: Safe
    image: Safe
    image_id: Safe
    state: Safe
    error: Safe
    exit_code: int
    oom: bool
    restarts: int
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    command: Safe
    user: Safe
    restart_policy: Safe
    limits: Safe
    logging: Safe
    network_mode: Safe
    ports: tuple[Safe, ...]
    networks: tuple[Safe, ...]
    mounts: tuple[Mount, ...]
    health: Health | None
    environment: tuple[Variable, ...]
    labels: Mapping[str, str]
    arguments: tuple[str, ...]
    published: frozenset[str]
    memory: int
    policy: str


@dataclass(frozen=True, slots=True)
class Image:
    """The image that it runs. tags: what goes by it on this engine now."""

    tags: tuple[Safe, ...]
    created: datetime | None
    size: int
    environment: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """One event, in words."""

    at: datetime | None
    words: Safe
    bad: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """All of it, as of `asked`, on the engine's clock."""

    asked: datetime
    about: Part[About]
    image: Part[Image]
    events: Part[tuple[Happened, ...]]


async def look(engine: Engine, container: str) -> Detail:
    """Asks the engine for all parts at once; never raises for its sake."""
    asked = engine.now()
    about, happened = await asyncio.gather(
        _part("inspect", inspected(engine, container)),
        _part("events", events(engine, container, asked)),
    )
    image: Part[Image] = Part(None, about.trouble)
    if about.value is not None:
        image = await _part("image", _image(engine, about.value.image_id))
    return Detail(asked, about, image, happened)


async def inspected(engine: Engine, container: str) -> About:
    """What inspect says. Raises EngineTrouble."""
    return about(wire.decoded(await engine.inspect_raw(container), wire.Inspected))


async def events(engine: Engine, container: str, now: datetime) -> tuple[Happened, ...]:
    """What happened to it in the last hour, newest first, as far as the engine remembers.

    now: on the engine's clock. Raises EngineTrouble.
    """
    # The engine waits for the end of what it is asked for: a moment ago is over.
    until = now - timedelta(seconds=1)
    found = []
    stream = engine.events_stream(now - LOOKS_BACK, until=until, container=container)
    async for event in stream:
        found.append(happened(event))
    return tuple(reversed(found))[:MOST_EVENTS]


def about(got: wire.Inspected) -> About:
    """What inspect says, made safe."""
    host, config, state = got.host_config, got.config, got.state
    return About(
        id=clean_line(got.id),
        image=clean_line(config.image),
        image_id=clean_line(got.image),
        state=clean_line(state.status),
        error=clean_line(state.error),
        exit_code=state.exit_code,
        oom=state.oom_killed,
        restarts=got.restart_count,
        created=moment(got.created),
        started=moment(state.started_at),
        finished=moment(state.finished_at),
        command=without_secrets(clean_line(" ".join([got.path, *(got.args or ())]))),
        user=clean_line(config.user or "root (by default)"),
        restart_policy=_policy(host.restart_policy),
        limits=_limits(host),
        logging=clean_line(host.log_config.type if host.log_config else ""),
        network_mode=clean_line(host.network_mode),
        ports=_ports(got.network_settings),
        networks=_networks(got.network_settings),
        mounts=tuple(
            Mount(
                clean_line(one.type or "mount"),
                clean_line(one.name),
                one.source,
                clean_line(one.destination),
                one.rw,
            )
            for one in sorted(got.mounts or (), key=lambda one: one.destination)
        ),
        health=_health(state.health, config.healthcheck),
        environment=environ.read(config.env),
        labels=config.labels or {},
        arguments=tuple(config.cmd or ()),
        published=_published(host),
        memory=max(0, host.memory),
        policy=_policy_name(host.restart_policy),
    )


def happened(event: Event) -> Happened:
    """An event in words."""
    told = event.actor.attributes or {}
    action, _, more = event.action.partition(":")
    code = told.get("exitCode", "")
    bad = False
    match action:
        case "die":
            words, bad = f"ended with exit code {code or 'unknown'}", code not in ("", "0")
        case "kill":
            words = f"was sent signal {told.get('signal', '?')}"
        case "oom":
            words, bad = "the kernel found it out of memory", True
        case "health_status":
            words, bad = f"health check says {more.strip()}", "unhealthy" in more
        case "rename":
            words = f"was renamed from {told.get('oldName', '?').lstrip('/')}"
        case _:
            words = _PAST.get(action, event.action)
    at = moment_of(event.time_ns)
    return Happened(at, clean_line(words), bad)


def moment_of(nanoseconds: int) -> datetime | None:
    """A time of the engine's, None where there is none."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


_PAST: Final = {
    "create": "was created",
    "start": "started",
    "stop": "was stopped",
    "restart": "was restarted",
    "pause": "was paused",
    "unpause": "went on after a pause",
    "update": "its limits were changed",
    "destroy": "was removed",
}


def age(at: datetime | None, now: datetime) -> Safe:
    """`3 d ago (2026-11-19 03:12 UTC)`; "not known" without a time."""
    if at is None:
        return Safe("not known")
    passed = (now - at).total_seconds()
    ago = f"{lasted(passed)} ago" if passed >= 0 else f"in {duration(-passed)}"
    return Safe(f"{ago} ({at:%Y-%m-%d %H:%M:%S} UTC)")


async def _part(what: str, asked: Awaitable[T]) -> Part[T]:
    try:
        async with asyncio.timeout(WITHIN):
            return Part(await asked)
    except TimeoutError:
        return Part(None, Safe(f"{what}: the engine did not answer within {WITHIN:g} s"))
    except EngineTrouble as trouble:
        return Part(None, clean_line(f"{what}: {trouble}"))


async def _image(engine: Engine, id: str) -> Image:
    if not _IMAGE_ID.fullmatch(id):
        raise EngineTrouble(f"{id!r} is no id of an image")
    got = wire.decoded(await engine.ask(f"/images/{id}/json"), wire.ImageSeen)
    tags = tuple(clean_line(tag) for tag in got.repo_tags or ())
    given = environ.read(got.config.env if got.config else None)
    return Image(tags, moment(got.created), got.size, given)


def _policy(policy: wire.Restart | None) -> Safe:
    if policy is None or policy.name in ("", "no"):
        return Safe("no: it stays down when it ends")
    if policy.maximum_retry_count:
        return clean_line(f"{policy.name}, at most {policy.maximum_retry_count} times")
    return clean_line(policy.name)


def _policy_name(policy: wire.Restart | None) -> str:
    if policy is None or policy.name in ("", "no"):
        return "no"
    return (
        f"{policy.name}:{policy.maximum_retry_count}" if policy.maximum_retry_count else policy.name
    )


def _published(host: wire.HostConfig) -> frozenset[str]:
    """What is asked for, whether the container runs or not."""
    bindings = (host.port_bindings or {}).items()
    return frozenset(f"{one.host_port}:{port}" for port, bound in bindings for one in bound or ())


def _limits(host: wire.HostConfig) -> Safe:
    found = []
    if host.memory > 0:
        found.append(f"memory {size(host.memory)}")
    if host.nano_cpus > 0:
        found.append(f"{host.nano_cpus / 1e9:g} CPUs")
    if (host.pids_limit or 0) > 0:
        found.append(f"{host.pids_limit} processes")
    return Safe(", ".join(found) or "none")


def _ports(settings: wire.NetworkSettings) -> tuple[Safe, ...]:
    found = []
    for port, bound in sorted((settings.ports or {}).items()):
        if not bound:
            found.append(clean_line(f"{port}, not reachable from outside"))
        for one in bound or ():
            at = f"[{one.host_ip}]" if ":" in one.host_ip else one.host_ip or "0.0.0.0"
            found.append(clean_line(f"{at}:{one.host_port} -> {port}"))
    return tuple(found)


def _networks(settings: wire.NetworkSettings) -> tuple[Safe, ...]:
    found = []
    for name, one in sorted((settings.networks or {}).items()):
        parts = [name]
        if one is not None and one.address:
            parts.append(one.address)
        if one is not None and one.aliases:
            parts.append(f"known as {', '.join(one.aliases)}")
        found.append(clean_line("  ".join(parts)))
    return tuple(found)


def _health(health: Checks | None, check: wire.Healthcheck | None) -> Health | None:
    if health is None or health.status in ("", "none"):
        return None
    checks = [
        Check(
            moment(one.start),
            _between(one.start, one.end),
            one.exit_code,
            clean(without_secrets(one.output.rstrip())),
        )
        for one in reversed(health.log or ())
    ]
    test = " ".join((check.test or ()) if check else ()).removeprefix("CMD-SHELL ")
    every = (check.interval / 1e9 if check else 0) or 30.0
    words = without_secrets(clean_line(test.removeprefix("CMD ")))
    return Health(clean_line(health.status), health.failing_streak, words, every, tuple(checks))


def _between(start: str, end: str) -> float:
    first, last = moment(start), moment(end)
    return max(0.0, (last - first).total_seconds()) if first and last else 0.0
