"""What logs there are to follow: of Compose projects, containers, services, files and units."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from cockpit.text import Safe, clean_line
from cockpit.words import lasted, size
from screens.dialogs.log_sources import Offer

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.host_watch import HostWatch
    from cockpit.logs.source import LogSource
    from cockpit.responder import Responder


def of_containers(
    containers: Iterable[Container], log_of: Callable[[Container], Iterable[LogSource]]
) -> Iterator[Offer]:
    """Projects first, then each container, the running ones before the others."""
    every = sorted(containers, key=lambda one: (not one.live, one.name, one.host))
    named = sorted((one for one in every if one.project), key=_project)
    for (host, project), members in groupby(named, key=_project):
        found = list(members)
        count = sum(one.live for one in found)
        more = Safe(f"Compose project on {host}, {count} running, merged")

        def logs(found: list[Container] = found) -> Iterable[LogSource]:
            return [source for one in found if one.live for source in log_of(one)]

        yield Offer(Safe(project), more, logs, (host, project))
    for one in every:
        yield Offer(one.name, Safe(f"container on {one.host}, {one.state}"), partial(log_of, one))


def of_services(watched: Iterable[HostWatch]) -> Iterator[Offer]:
    """Services of a swarm, of the first manager that tells of them."""
    from cockpit.logs.service import ServiceLog

    seen: set[str] = set()
    for watch in watched:
        for service in watch.swarm.snapshot.services:
            if service.id in seen:
                continue
            seen.add(service.id)
            more = Safe(f"Swarm service, {service.running} of {service.wanted} running")
            log = partial(ServiceLog, watch.engine, service.id, service.name)
            yield Offer(service.name, more, lambda log=log: [log()])  # type: ignore[misc]


def _project(container: Container) -> tuple[str, str]:
    return str(container.host), str(container.project)


async def of_hosts(responder: Responder) -> tuple[list[Offer], Safe]:
    """What the hosts are asked for; and what they did not answer, in a sentence."""
    hosts = [str(watch.engine.target.name) for watch in responder.watched]
    answers = await asyncio.gather(*(responder.logs_on(host) for host in hosts))
    offers = []
    for host, found in zip(hosts, answers, strict=True):
        on = f"on {clean_line(host)}"
        for file in found.files:
            more = Safe(f"file {on}, {size(file.size)}, written {lasted(file.age)} ago")
            logs = partial(_one, responder.file_log, host, file.path)
            offers.append(Offer(file.name, more, logs))
        for unit in found.units:
            logs = partial(_one, responder.unit_log, host, str(unit))
            offers.append(Offer(unit, Safe(f"unit of journald {on}"), logs))
    return offers, Safe("; ".join(found.trouble for found in answers if found.trouble))


def _one(log: Callable[[str, str], LogSource], host: str, what: str) -> list[LogSource]:
    return [log(host, what)]
