"""How the services of cockpit.yaml are now: containers, health URLs, numbers against the limits."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cockpit.containers import limits
from cockpit.oncall import there
from cockpit.oncall.asked import Host
from cockpit.oncall.result import Check, Found, note, ok, redacted, warn
from cockpit.oncall.there import Ground
from cockpit.text import Safe
from cockpit.words import many, size

if TYPE_CHECKING:
    from cockpit.config import Thresholds
    from cockpit.containers.container import Container
    from cockpit.containers.engine import Engine

OUTCOMES: Final = ("operational", "degraded", "critical")
MINUTES: Final = 5
"""Of a log, in which errors are counted."""
READ: Final = 20_000
"""Lines of it at most."""
SHOWN: Final = 120
"""Characters of the last error."""
RESTARTS_MIN: Final = 10

Judge = Callable[["Engine", "Container", "Thresholds"], Coroutine[Any, Any, Found]]


def plan(ground: Ground) -> list[Check]:
    """What is asked, in the order in which it is shown."""
    return [*_of_hosts(ground), *_of_services(ground)]


def _of_hosts(ground: Ground) -> Iterator[Check]:
    for name in there.hosts_of(ground.config):
        host = ground.hosts.to(name)
        if not host.local:
            yield Check(Safe(f"{host.name}: SSH"), partial(there.ssh, host, offline_is=warn))
        asked = partial(there.disks, host, ground.config.thresholds.disk)
        yield ground.check(f"{host.name}: disk", host, asked)


def _of_services(ground: Ground) -> Iterator[Check]:
    for name, service, host in ground.services():
        for container in service.containers:

            async def runs(container: str = container, host: Host = host) -> Found:
                return there.running(host, container, await ground.engines.named(host, container))

            yield ground.check(f"{name}: container {container}", host, runs)
            for what, judge in _JUDGES.items():
                asked = partial(_each, ground, host, container, judge)
                yield ground.check(f"{name}: {what} of {container}", host, asked)
        if service.health:
            asked = partial(there.health, host, service.health, ground.web, offline_is=warn)
            yield ground.check(f"{name}: health", host, asked)


async def _each(ground: Ground, host: Host, name: str, judge: Judge) -> Found:
    """The worst of what is found of the containers of that name."""
    engine = await host.engine()
    found = [
        await judge(engine, row, ground.config.thresholds)
        for row in await ground.engines.named(host, name)
    ]
    if not found:
        return note("there is no such container")
    return max(found, key=lambda one: one.mark.weight)


async def _restarts(engine: Engine, row: Container, thresholds: Thresholds) -> Found:
    """Counted by what the engine remembers: of a restless one it may be more."""
    now = engine.now()
    ends = engine.events_stream(
        now - timedelta(minutes=RESTARTS_MIN), until=now, container=row.id, events=("die",)
    )
    count = 0
    async with aclosing(ends) as events:
        async for _ in events:
            count += 1
    ever = f", {row.restarts} since it was made" if row.restarts else ""
    if count >= thresholds.restarts:
        return warn(
            f"{row.name} ended {many(count, 'time')} in {RESTARTS_MIN} minutes"
            f" (limit {thresholds.restarts}){ever}.",
            "See why in its log, before it is restarted once more.",
        )
    return ok(f"{count or 'none'} in {RESTARTS_MIN} minutes{ever}")


async def _memory(engine: Engine, row: Container, thresholds: Thresholds) -> Found:
    import time

    from cockpit.containers.stats import sample

    made = sample(None, await engine.stats(row.id), time.monotonic()) if row.live else None
    if made is None or not made.memory_limit:
        return note("it does not run")
    percent = made.memory * 100 // made.memory_limit
    said = f"{percent}% of {size(made.memory_limit)}"
    if percent >= thresholds.memory:
        limit = f"(limit {thresholds.memory}%)"
        return warn(f"{row.name} uses {said} {limit}.", "It may be killed for it soon.")
    return ok(said)


async def _errors(engine: Engine, row: Container, thresholds: Thresholds) -> Found:
    from cockpit.containers.frames import Framed, Lined
    from cockpit.logs.level import level
    from cockpit.logs.line import Level

    since = engine.now() - timedelta(minutes=MINUTES)
    parser = Lined() if row.tty else Framed()
    stream = engine.logs(row.id, follow=False, since=int(since.timestamp() * 1e9), tail=READ)
    messages = []
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            messages += parser.feed(chunk)
    messages += parser.end()
    told = (level(one.body.decode("utf-8", "replace")) for one in messages)
    wrong = [one for one, found in zip(messages, told, strict=True) if found is Level.ERROR]
    minutes = float(MINUTES)
    if len(messages) >= READ:
        minutes = max(1 / 60, (messages[-1].at - messages[0].at) / limits.MINUTE_NS)
    rate = len(wrong) / minutes
    if rate >= thresholds.errors:
        last = redacted(wrong[-1].body.decode("utf-8", "replace").strip())[:SHOWN]
        return warn(
            f"{rate:.0f} errors a minute (limit {thresholds.errors}), the last: {last}.",
        )
    many = "none" if not wrong else f"{len(wrong)}"
    return ok(f"{many} in the last {MINUTES} minutes")


_JUDGES: dict[str, Judge] = {"restarts": _restarts, "memory": _memory, "errors in the log": _errors}
