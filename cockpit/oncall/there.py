"""What hosts and services answer when they are asked how they are; they are only asked."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cockpit.containers import disks as df
from cockpit.oncall.asked import Host, Hosts, Shut, Unreachable
from cockpit.oncall.result import Check, Found, Result, bad, carry_out, note, ok, redacted, warn
from cockpit.oncall.web import ANSWER_S, Web, loopback, offline
from cockpit.runs import CannotRun
from cockpit.text import Safe, clean_line
from cockpit.words import size

if TYPE_CHECKING:
    from cockpit.config import Config, Service
    from cockpit.containers.container import Container

COMMAND_S: Final = 15.0
FULL: Final = 98
"""Percent of a disk from which on writing fails any minute, whatever the threshold is."""
_STATUS: Final = re.compile(r"(\d{3})\s*$")

Verdict = Callable[[str, str], Found]


# Hosts


async def ssh(host: Host, *, offline_is: Verdict = bad) -> Found:
    """Whether it lets us in. offline_is: what it counts as where this machine has no network."""
    try:
        target = (await host.reached()).responder.target
    except Unreachable as error:
        if offline():
            return offline_is("not asked: no network.", "Connect this machine, then check again.")
        return bad(str(error).removeprefix(f"{host.name}: "))
    rtt = target.link.rtt
    return ok(f"lets {target.user} in" + (f", {rtt * 1000:.0f} ms" if rtt else ""))


async def docker(host: Host, *, needed: bool) -> Found:
    """Whether Docker answers. needed: whether a service there has containers."""
    version = await (await host.engine()).version()
    return ok(f"Docker {version.version} answers" + ("" if needed else ", and no service needs it"))


async def clock(host: Host) -> Found:
    """Whether it has the same time as this machine, as far as its answer is quick enough to say."""
    import time

    await host.reached()  # which takes its time, and is no part of the answer
    before = time.time()
    heard = await host.read("date +%s", seconds=COMMAND_S)
    after = time.time()
    try:
        theirs = int(heard.output.split()[0])
    except (ValueError, IndexError):
        return note("its date says nothing that can be read")
    behind, ahead = before - (theirs + 1), theirs - after
    off = max(behind, ahead)
    if off > 2:
        way = "behind" if behind > ahead else "ahead of"
        return warn(
            f"its clock is {off:.0f} s {way} this machine's.",
            "Times in logs are off by that; see timedatectl on both.",
        )
    return ok("has the time of this machine")


async def disks(host: Host, limit: int) -> Found:
    """How full its disks are. limit: percent from which on it is told."""
    heard = await host.read(df.COMMAND, seconds=df.WITHIN)
    found = df.read(heard.output.decode("utf-8", "replace"))
    if heard.cut:
        return bad("df does not end there.", "A network disk that hangs? Look with mount.")
    if not found:
        return note("df says nothing that can be read")
    full = [disk for disk in found if disk.percent >= limit]
    if not full:
        fullest = max(found, key=lambda disk: disk.percent)
        return ok(f"{fullest.mount} is the fullest: {fullest.percent}%")
    said = ", ".join(f"{one.mount} is {one.percent}% full, {size(one.left)} left" for one in full)
    mend = f"What fills it: du -xh {shlex.quote(full[0].mount)} | sort -h | tail"
    grave = any(one.percent >= FULL for one in full)
    return (bad if grave else warn)(f"{said} (limit {limit}%).", mend)


# Containers


class Engines:
    """The containers of each host, listed once for all questions about them."""

    def __init__(self) -> None:
        self._rows: dict[str, asyncio.Task[list[tuple[Container, frozenset[str]]]]] = {}

    async def close(self) -> None:
        for task in self._rows.values():
            task.cancel()
        await asyncio.gather(*self._rows.values(), return_exceptions=True)

    async def named(self, host: Host, name: str) -> list[Container]:
        """Those that go by a name or Compose service. Raises Unreachable, EngineTrouble."""
        if host.name not in self._rows:
            self._rows[host.name] = asyncio.create_task(_listed(host))
        rows = await asyncio.shield(self._rows[host.name])
        return [row for row, names in rows if name in names]


async def _listed(host: Host) -> list[tuple[Container, frozenset[str]]]:
    from cockpit.containers.container import from_inspect, from_list
    from cockpit.containers.engine import NoSuchContainer

    engine = await host.engine()
    wanted = []
    for listed in await engine.list():
        row = from_list(listed)
        wanted.append((row.id, frozenset({row.id, row.id[:12], str(row.name), str(row.service)})))
    found = []
    for id, names in wanted:
        try:
            found.append((from_inspect(await engine.inspect(id)), names))
        except NoSuchContainer:
            continue
    return found


def running(host: Host, name: str, rows: list[Container]) -> Found:
    """Whether containers run and are healthy; several, as replicas of a Compose service."""
    if not rows:
        return bad(
            f"there is no container and no Compose service {name}.",
            f"Is the name right in cockpit.yaml? On {host.name}: docker ps -a",
        )
    wrong = [row for row in rows if row.state != "running" or row.health == "unhealthy"]
    if not wrong:
        starting = [row for row in rows if row.health == "starting"]
        if starting:
            return warn("runs, and is not yet healthy.", "Look again in a minute.")
        healthy = " and is healthy" if all(row.health == "healthy" for row in rows) else ""
        return ok((f"{len(rows)} run" if len(rows) > 1 else "runs") + healthy)
    first = wrong[0]
    how = "is unhealthy" if first.state == "running" else f"is {first.status or first.state}"
    some = f"{len(wrong)} of {len(rows)}: " if len(rows) > 1 else ""
    mend = f"On {host.name}: docker logs --tail 50 {shlex.quote(first.name)}"
    found = bad if len(wrong) == len(rows) else warn
    return found(f"{some}{first.name} {how}.", mend)


async def readable(host: Host, rows: list[Container]) -> Found:
    """Whether the last line of their logs can be had."""
    engine = await host.engine()
    lines = 0
    for row in rows:
        async for chunk in engine.logs(row.id, follow=False, tail=1):
            lines += bool(chunk)
    return ok("can be read" if lines else "can be read, and is empty")


# URLs


async def health(host: Host, url: str, web: Web, *, offline_is: Verdict = bad) -> Found:
    """Whether a service answers 2xx: asked on its host where the URL is loopback, else from here.

    offline_is: as in `ssh`. Raises Unreachable, Shut, CannotRun.
    """
    where = ""
    if loopback(url) and not host.local:
        where = f" on {host.name}"
        heard = await host.read(_asking(url), seconds=COMMAND_S)
        said = _STATUS.search(heard.output.decode("utf-8", "replace"))
        lines = heard.output.splitlines() or [b"no answer"]
        status: int | str = int(said[1]) if said and said[1] != "000" else clean_line(lines[0])
    elif offline() and not loopback(url):
        return offline_is("not asked: no network.", "Connect this machine, then check again.")
    else:
        status = await web.status(url)
    if isinstance(status, int) and 200 <= status < 300:
        return ok(f"answers {status}")
    said_so = f"answers {status}" if isinstance(status, int) else f"does not answer: {status}"
    return bad(redacted(f"{url} {said_so}{where}."), "See what its log says, and its runbook.")


def _asking(url: str) -> str:
    """Prints the status with the program that the host has; curl says why there is none."""
    quoted, seconds = shlex.quote(url), int(ANSWER_S)
    curl = f"curl -sS -o /dev/null -w '%{{http_code}}' --max-time {seconds} {quoted}"
    wget = f"wget -q -T {seconds} -O /dev/null {quoted} && echo 200"
    return f"if command -v curl >/dev/null; then {curl}; else {wget}; fi"


# Of a configuration


def hosts_of(config: Config) -> list[str]:
    """Every host of cockpit.yaml and of its services, once; "" for this machine where it has any.

    A configuration without both is about this machine.
    """
    services = [_host(service.host) for service in config.services.values()]
    names = dict.fromkeys([*config.hosts, *services])
    return list(names) or [""]


def _host(name: str) -> str:
    from cockpit.target.hosts import THIS_MACHINE

    return "" if name == THIS_MACHINE else name


def needs_docker(config: Config, name: str) -> bool:
    """Whether a service on that host has containers."""
    services = config.services.values()
    return any(one.containers and _host(one.host) == name for one in services)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the questions of one round share."""

    config: Config
    hosts: Hosts
    engines: Engines
    web: Web

    def check(
        self,
        name: str,
        host: Host,
        ask: Callable[[], Coroutine[Any, Any, Found]],
        soft: bool = False,
    ) -> Check:
        """A question to a host; not asked where it cannot be reached, which has its own line.

        soft: what Docker does not answer is only noted.
        """

        async def asked() -> Found:
            from cockpit.containers.engine import EngineTrouble

            try:
                return await ask()
            except Unreachable:
                why = "no network" if offline() else f"{host.name} cannot be reached"
                return note(f"not asked: {why}")
            except EngineTrouble as trouble:
                return note(str(trouble)) if soft else bad(str(trouble))
            except Shut as shut:
                return note(f"not run: it {shut}")
            except CannotRun as error:
                return bad(str(error))

        return Check(Safe(clean_line(name)), asked)

    def services(self) -> Iterable[tuple[str, Service, Host]]:
        for name, service in self.config.services.items():
            yield name, service, self.hosts.to(service.host)


async def ask_all(
    config: Config,
    who: str,
    plan: Callable[[Ground], Sequence[Check]],
    *,
    seconds: float,
    begun: Callable[[Sequence[Check]], None] = lambda checks: None,
    told: Callable[[int, Result], None] = lambda number, result: None,
) -> list[Result]:
    """One round of questions, with connections of its own; see `carry_out`.

    begun: called with what is asked before the first answer.
    """
    engines, web = Engines(), Web()
    async with Hosts(config, who) as hosts:
        try:
            checks = plan(Ground(config, hosts, engines, web))
            begun(checks)
            return await carry_out(checks, seconds, told)
        finally:
            await engines.close()
            await web.close()
