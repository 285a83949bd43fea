"""What a host is asked for lint, and what its answers mean; it is only asked, never changed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cockpit.runbook.lint.commands import used
from cockpit.runbook.lint.ground import OnHost
from cockpit.runbook.lint.page import Page

if TYPE_CHECKING:
    from cockpit.config import Config
    from cockpit.headless import Heard

PATIENCE = 30.0
CONTAINERS = "docker ps -a --format '{{.Names}} {{.Label \"com.docker.compose.service\"}}'"
SERVICES = "docker compose config --services"


def programs(pages: Iterable[Page]) -> tuple[str, ...]:
    """Every program that the commands of the pages run on their host."""
    return tuple(
        sorted(
            {name for page in pages for each in page.commands for name in used(each.command.text)}
        )
    )


def lookup(names: Iterable[str]) -> str:
    """A command that prints the programs that the host does not have."""
    words = " ".join(shlex.quote(name) for name in names)
    return f'for p in {words}; do command -v "$p" >/dev/null 2>&1 || echo "$p"; done'


def answered(host: str, containers: str | None, services: str, missing: str) -> OnHost:
    """The answers as data. containers: None where Docker did not answer."""
    rows = [line.split() for line in (containers or "").splitlines() if line.strip()]
    labelled = {row[1] for row in rows if len(row) > 1}
    return OnHost(
        host,
        None if containers is None else frozenset(row[0] for row in rows),
        frozenset(labelled | set(services.split())),
        frozenset(missing.split()),
    )


async def ask(host: str, config: Config, who: str, pages: Iterable[Page]) -> OnHost:
    """What there is on a host. Raises headless.Unreachable.

    Every question passes the gate as one that only reads, and is in a journal among the trials.
    """
    from cockpit import headless

    async with headless.on(host, config, who) as asked:
        containers = await asked.read(CONTAINERS, seconds=PATIENCE)
        services = await asked.read(SERVICES, seconds=PATIENCE)
        names = programs(pages)
        missing = await asked.read(lookup(names), seconds=PATIENCE) if names else None
        return answered(
            asked.responder.target.name,
            _text(containers) if containers.run.worked else None,
            _text(services) if services.run.worked else "",
            _text(missing) if missing and missing.run.worked else "",
        )


def _text(heard: Heard) -> str:
    return heard.output.decode("utf-8", "replace")
