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
    from cockpit.logs.offered import LogFile
    from cockpit.logs.source import LogSource
    from cockpit.responder import Responder


def of_containers(
    containers: Iterable[Container], log_of: Callable[[Container], Iterable[LogSource]]
) -> Iterator[Offer]:
    """Projects, then services of several containers, then each container, running ones first."""
    every = sorted(containers, key=lambda one: (not one.live, one.name, one.host))
    named = sorted((one for one in every if one.project), key=_project)
    for (host, project), members in groupby(named, key=_project):
        found = [one for one in members if one.live]
        more = Safe(f"Compose project on {host}, {len(found)} running, merged")
        yield Offer(Safe(project), more, partial(_logs, found, log_of), (host, project))
    for (host, project, service), members in groupby(sorted(named, key=_service), key=_service):
        found = [one for one in members if one.live]
        if service and len(found) > 1:
            more = Safe(f"Compose service on {host}, {len(found)} containers, merged")
            logs = partial(_logs, found, log_of)
            yield Offer(Safe(f"{project}/{service}"), more, logs, (host, project, service))
    for one in every:
        yield Offer(
            one.name, clean_line(f"container on {one.host}, {one.state}"), partial(log_of, one)
        )


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


def _logs(
    containers: Iterable[Container], log_of: Callable[[Container], Iterable[LogSource]]
) -> list[LogSource]:
    return [source for one in containers for source in log_of(one)]


def _service(container: Container) -> tuple[str, str, str]:
    return str(container.host), str(container.project), str(container.service)


def _project(container: Container) -> tuple[str, str]:
    return str(container.host), str(container.project)


async def of_hosts(responder: Responder) -> tuple[list[Offer], Safe]:
    """Files and units of the hosts that are watched; and what may not be read, in a sentence."""
    hosts = [watch.engine.target.name for watch in responder.watched]
    found = await asyncio.gather(*(responder.logs_on(host) for host in hosts))
    offers: list[Offer] = []
    for host, there in zip(hosts, found, strict=True):
        offers += _of_files(responder, host, there.files)
        offers += _of_units(responder, host, there.units)
    troubles = [str(there.trouble) for there in found if there.trouble]
    return offers, Safe("; ".join(troubles))


def _of_files(responder: Responder, host: str, files: Iterable[LogFile]) -> Iterator[Offer]:
    where = clean_line(host)
    for file in files:
        more = Safe(f"file on {where}, {size(file.size)}, written {lasted(file.age)} ago")
        log = partial(responder.file_log, host, file.path)
        yield Offer(file.name, more, lambda log=log: [log()])  # type: ignore[misc]


def _of_units(responder: Responder, host: str, units: Iterable[Safe]) -> Iterator[Offer]:
    more = Safe(f"unit of journald on {clean_line(host)}")
    for unit in units:
        log = partial(responder.unit_log, host, str(unit))
        yield Offer(unit, more, lambda log=log: [log()])  # type: ignore[misc]
