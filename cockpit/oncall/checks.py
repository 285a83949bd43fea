"""The checklist before a shift, as questions: what can be asked is asked, the rest is yours."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from cockpit import paths
from cockpit.oncall import here, there
from cockpit.oncall.asked import Host
from cockpit.oncall.model import Handbook, Occasion
from cockpit.oncall.result import Check, Found, Mark, Result, bad, note, ok, redacted, warn
from cockpit.oncall.there import Ground
from cockpit.oncall.web import Web, loopback, offline
from cockpit.text import Safe, clean_line

if TYPE_CHECKING:
    from cockpit.config import Config
    from cockpit.oncall.model import Quick

DEADLINE: Final = 30.0
ACCESS_S: Final = 8
"""Seconds in which a command of the access verification ends: one takes not all the time."""
TURN_S: Final = DEADLINE - 5
OUTCOMES: Final = ("ready", "degraded", "not ready")
TODO: Final = Safe("yours to do")
DONE: Final = Safe("done, you say")
_URL: Final = re.compile(r"https?://[^\s()`\"']+")
_GAP: Final = re.compile(r"[\[<{}>\]]")
_NOBODYS: Final = re.compile(
    r"(?i)(?:^|\.)example\.(?:com|org|net)$|\.(?:example|invalid|test)$|^your\b|_|^domain\."
)


def plan(
    ground: Ground,
    handbook: Handbook,
    now: datetime,
    terminal: Callable[[], Found] = here.terminal_now,
) -> list[Check]:
    """Everything that is asked by machine, in the order in which it is shown.

    now: of who answers at this time. terminal: says whether the full screen can be drawn.
    """
    config = ground.config
    return [
        *_of_hosts(ground),
        *_of_services(ground),
        *_of_access(ground, handbook),
        *_of_dashboards(ground, handbook),
        _aside("runbooks", partial(here.runbooks, config, Path(handbook.path))),
        _aside("handbook", partial(here.handbook, config, handbook)),
        _aside("contacts", partial(here.contacts, handbook, now)),
        *(
            Check(Safe(f"outbox {name}"), partial(here.outbox, name, destination))
            for name, destination in config.outbox.items()
        ),
        _aside("clock of this machine", here.clock_now),
        _aside("disk for journals", partial(here.journals, paths.home())),
        _aside("terminal", terminal),
    ]


def yours(handbook: Handbook) -> list[Result]:
    """What only a person can do, of the handbook's checklist before the shift."""
    return [
        Result(item, Mark.YOURS, TODO)
        for checklist in handbook.checklists
        if checklist.occasion is Occasion.BEFORE
        for item, _ in checklist.items
    ]


def ticked(items: Sequence[Result], done: Sequence[str]) -> tuple[list[Result], list[str]]:
    """The items with those ticked that have the words of one of `done`; and what fits none."""
    left = [words for words in done if not any(_fits(item, words) for item in items)]
    return [
        answered(item, True) if any(_fits(item, words) for words in done) else item
        for item in items
    ], left


def answered(item: Result, done: bool) -> Result:
    """An item after a person said whether it is done."""
    if done:
        return replace(item, mark=Mark.OK, said=DONE)
    return replace(item, mark=Mark.WARN, said=Safe("not so, you say."))


def _fits(item: Result, words: str) -> bool:
    return bool(words.strip()) and words.strip().lower() in item.name.lower()


def _aside(name: str, work: Callable[[], Found]) -> Check:
    """A question to this machine, beside the loop: a disk may hang, and lint takes its time."""
    from cockpit.incident.logbook import aside

    return Check(Safe(clean_line(name)), lambda: aside(work))


# What is asked of others


def _of_hosts(ground: Ground) -> Iterator[Check]:
    for name in there.hosts_of(ground.config):
        host = ground.hosts.to(name)
        needed = there.needs_docker(ground.config, name)
        if not host.local:
            yield Check(Safe(f"{host.name}: SSH"), partial(there.ssh, host))
            yield ground.check(f"{host.name}: clock", host, partial(there.clock, host))
        if needed or not host.local:
            asked = partial(there.docker, host, needed=needed)
            yield ground.check(f"{host.name}: Docker", host, asked, soft=not needed)


def _of_services(ground: Ground) -> Iterator[Check]:
    for name, service, host in ground.services():
        for container in service.containers:
            yield ground.check(f"{name}: container {container}", host,
                               _with_rows(ground, host, container, there.running))  # fmt: skip
            yield ground.check(f"{name}: log of {container}", host,
                               partial(_log, ground, host, container))  # fmt: skip
        if service.health:
            asked = partial(there.health, host, service.health, ground.web)
            yield ground.check(f"{name}: health", host, asked)


def _with_rows(
    ground: Ground, host: Host, name: str, judge: Callable[[Host, str, Any], Found]
) -> Callable[[], Coroutine[Any, Any, Found]]:
    async def asked() -> Found:
        return judge(host, name, await ground.engines.named(host, name))

    return asked


async def _log(ground: Ground, host: Host, name: str) -> Found:
    rows = await ground.engines.named(host, name)
    return await there.readable(host, rows) if rows else note("there is no such container")


def _of_access(ground: Ground, handbook: Handbook) -> Iterator[Check]:
    """The handbook's access verification; what stands in the one that ships is nobody's."""
    turns: dict[str, asyncio.Lock] = {}  # one after the other: they may build on one another
    titles = Counter(quick.command.title for quick in handbook.access)
    for quick in () if handbook.shipped else handbook.access:
        host = ground.hosts.to(_host_for(ground.config, quick))
        text = clean_line(quick.command.text, max_chars=60)
        shared = len(quick.step.commands) > 1
        title = quick.command.title or (text if shared else quick.step.title or text)
        if titles[quick.command.title] > 1 and title != text:
            title = clean_line(f"{title.rstrip(':')}: {text}")  # several below one comment
        turn = turns.setdefault(host.name, asyncio.Lock())
        name = f"{host.name}: {redacted(title)}"
        yield ground.check(name, host, partial(_access, host, handbook, quick, turn))


def _host_for(config: Config, quick: Quick) -> str:
    """Where a command of the handbook runs: where it says, else where the services are."""
    if quick.command.host:
        return quick.command.host
    homes = [service.host for service in config.services.values() if service.host]
    return next(iter([*homes, *config.hosts]), "")


async def _access(host: Host, handbook: Handbook, quick: Quick, turn: asyncio.Lock) -> Found:
    from cockpit import trial
    from cockpit.runs import Chosen

    if re.match(r"\s*ssh\s", quick.command.text):
        return note("not run: whether SSH lets you in has a line of its own")
    if handbook.runbook is None:
        return note("not run: the handbook could not be read as a runbook")
    limit = min(quick.command.timeout_s or ACCESS_S, ACCESS_S)
    command = msgspec.structs.replace(quick.command, timeout_s=limit)
    try:
        async with asyncio.timeout(TURN_S):
            await turn.acquire()
    except TimeoutError:
        return warn("not asked: those before it took all the time.", "Run it by hand.")
    try:
        headless = await host.reached()
        chosen = Chosen(handbook.runbook, quick.section, quick.step, command)
        tried = await trial.attempt_one(headless, chosen, {})
    finally:
        turn.release()
    if tried.outcome is trial.Outcome.NOT_RUN:
        return note(f"not run: {tried.why}")
    if tried.outcome is trial.Outcome.OK:
        return ok(tried.why)
    end = tried.output.strip().rsplit("\n", 1)[-1]
    said = f"{tried.why}; it says: {end}" if end else tried.why
    stop = "" if said.endswith((".", "?", "!")) else "."
    return bad(f"{said}{stop}", f"By hand: {tried.text}")


def _of_dashboards(ground: Ground, handbook: Handbook) -> Iterator[Check]:
    """Those of the handbook, of its vendors, and the URLs in its checklist before the shift."""
    if handbook.shipped:
        return
    named: list[tuple[str, Safe]] = []
    for vendor in handbook.vendors:
        named += [(f"{vendor.name} dashboard", vendor.dashboard)]
        named += [(f"{vendor.name} status", vendor.status)]
    named += [("dashboard", words) for words in handbook.dashboards]
    named += [(item.name.partition(":")[0], item.name) for item in yours(handbook)]
    seen = set()
    for name, words in named:
        for url in _URL.findall(words):
            url = url.rstrip(".,;:>]}*_")
            if url not in seen:
                seen.add(url)
                label = f"dashboard {_named(url) or redacted(url)}" if name == "dashboard" else name
                yield Check(Safe(clean_line(label)), partial(_dashboard, url, ground.web))


def _named(url: str) -> str:
    """The machine that a URL names; empty where it cannot be one, as `https://[host]/`."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return ""


def _somebodys(host: str) -> bool:
    """Whether a name may be that of a real machine, beyond this one's own network."""
    return "." in host and not _NOBODYS.search(host)


async def _dashboard(url: str, web: Web) -> Found:
    """Any answer that is no failure of theirs will do: a login is for a browser."""
    shown = redacted(url)
    here = _named(url) != "" and loopback(url)  # such as the end of a tunnel
    if _GAP.search(url) or not (here or _somebodys(_named(url))):
        return warn(f"missing: {shown} is nobody's address.", "Fill it in, in the handbook.")
    if offline() and not here:
        return warn("not asked: no network.", "Connect this machine, then check again.")
    status = await web.status(url)
    if isinstance(status, str):
        mend = "It is on this machine: is its tunnel open?" if here else "Open it in a browser."
        return warn(f"{shown} cannot be reached: {status}.", mend)
    if status >= 500:
        return warn(f"{shown} answers {status}.", "See whether they have trouble themselves.")
    return ok(f"answers {status}")
