"""Saved first: the logs of containers, kept before a command changes them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from cockpit.incident import events as e
from cockpit.incident.logbook import Logbook, aside
from cockpit.target.target import LinkDown, LinkLost

if TYPE_CHECKING:
    from cockpit.containers.engine import Engine
    from cockpit.incident.evidence import Evidence

PATIENCE = 20.0
NOT_SAVED = "could not be saved"
_ELSEWHERE = re.compile(
    r"(^|[\s;|&(])(ssh\s|DOCKER_(HOST|CONTEXT)=|docker\s+(-H|--host|-c|--context)\b)"
)


async def save_first(
    log: Logbook,
    engine: Engine | None,
    host: str,
    command: str,
    containers: Iterable[str],
    rollout: str = "",
) -> str:
    """Saves logs and inspect output of containers; `*` is all of them.

    rollout: the one that the command belongs to. Returns what was saved and what could not be, in
    sentences, and notes each in the log; never raises for the engine's, the link's or the disk's
    sake.
    """
    from cockpit.containers.engine import EngineTrouble
    from cockpit.containers.logs import save_logs

    def missed(what: str, why: str, container: str = "") -> str:
        why = log.clean(why)
        log.append(
            e.EvidenceMissed(what=what, why=why, host=host, container=container, rollout=rollout)
        )
        return f"{what} {NOT_SAVED}: {why}"

    wanted = list(containers)
    names = ", ".join(name for name in wanted if name != "*") or "all containers"
    if engine is None:
        return missed(f"logs of {names}", "no Docker engine answers on this host")
    if _ELSEWHERE.search(command.removeprefix(engine.far_command)):
        return missed(f"logs of {names}", "the command reaches another host or Docker engine")
    try:
        async with asyncio.timeout(PATIENCE):
            found = await engine.named(wanted)
    except (EngineTrouble, LinkLost, LinkDown, OSError) as error:
        return missed(f"logs of {names}", str(error) or "Docker does not answer in time")
    if not found:
        return missed(f"logs of {names}", "there is no such container")
    said = []
    for name in found:
        held, what = bytearray(), f"logs of {name}"
        try:
            async with asyncio.timeout(PATIENCE):
                await save_logs(engine, name, held.extend)
        except (EngineTrouble, LinkLost, LinkDown, OSError) as error:
            said.append(missed(what, str(error) or "it took too long", name))
            what += ", as far as they came"
        if held:
            kept = await _keep(log, name, bytes(held))
            log.append(
                e.EvidenceSaved(
                    what=what,
                    file=kept.name,
                    size=kept.size,
                    host=host,
                    container=name,
                    rollout=rollout,
                )
            )
            said.append(f"{what} saved to {kept.name}")
    return ". ".join(said)


async def keep(log: Logbook, what: str, title: str, parts: Iterable[bytes], host: str = "") -> str:
    """Keeps a text beside the journal, and notes it there; returns the name of the file.

    what: it is, in words. parts: are made on the loop one after the other, with rests between
    them. Raises OSError, after noting that it failed; logbook.ReadOnly.
    """
    what = log.clean(what)
    try:
        kept = log.evidence(title)
        try:
            for part in parts:
                await aside(partial(kept.append, part))
        finally:
            await aside(kept.close)
    except OSError as error:
        log.append(
            e.EvidenceMissed(what=what, why=log.clean(error.strerror or str(error)), host=host)
        )
        raise
    log.append(e.EvidenceSaved(what=what, file=kept.name, size=kept.size, host=host))
    return kept.name


async def _keep(log: Logbook, name: str, held: bytes) -> Evidence:
    kept = log.evidence(f"logs-{name}")

    def keep() -> None:
        with kept:
            kept.append(held)

    await aside(keep)
    return kept
