"""What a command on many hosts would run where, before anything runs.

The guard asks about it once (`ask_all`), and `Responder.roll_out` carries it out.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cockpit.evidence import NOT_SAVED
from cockpit.runs import CannotRun, Chosen
from cockpit.target import guard

if TYPE_CHECKING:
    from cockpit.responder import Responder
    from cockpit.runbook.model import Placeholder

BATCH: Final = 5
STOP_AFTER: Final = 1
_WHY: Final = 160

_HOST = re.compile(
    r"(?:(?:your|the|this|target|remote|ssh)_)*(?:host|hostname|host_name|server|servername"
    r"|server_name|machine|machine_name|fqdn)"
)


@dataclass(frozen=True, slots=True)
class Planned:
    """The command as it will run on one host, with its values filled in."""

    host: str
    command: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would run where. Made by `plan`; changed with dataclasses.replace.

    label: the group in a word, for people. command: with what each host fills in left open. batch:
    how many hosts at a time, after the first alone. stop_after: so many failures, and no further
    host is started. ask_first: wait for `go_on` once the first host is done. timeout_s: 0 is as the
    author says. retries: the id of the rollout whose failures this runs again.
    """

    id: str
    label: str
    command: str
    hosts: tuple[Planned, ...]
    chosen: Chosen | None = None
    batch: int = BATCH
    stop_after: int = STOP_AFTER
    ask_first: bool = True
    timeout_s: int = 0
    retries: str = ""
    left_out: tuple[str, ...] = ()
    evidence: str = ""

    def without(self, hosts: Collection[str]) -> Plan:
        """The plan without these hosts, which it names as left out."""
        kept = tuple(one for one in self.hosts if one.host not in hosts)
        out = tuple(one.host for one in self.hosts if one.host in hosts)
        return replace(self, hosts=kept, left_out=(*self.left_out, *out))

    def again(self, hosts: Collection[str]) -> Plan:
        """A plan of its own, to run the same on these of its hosts."""
        kept = tuple(one for one in self.hosts if one.host in hosts)
        return replace(self, id=_new_id(), hosts=kept, retries=self.id, left_out=(), evidence="")

    def on(self, host: str) -> Chosen | None:
        """The command of the runbook, to run on that host."""
        return replace(self.chosen, host=host) if self.chosen else None


def _new_id() -> str:
    return secrets.token_hex(10)


def means_host(name: str) -> bool:
    """Whether a placeholder of that name stands for the host that the command runs on."""
    return bool(_HOST.fullmatch(re.sub(r"[\s./-]+", "_", name.strip().lower())))


def known(responder: Responder, hosts: Sequence[str], chosen: Chosen | None) -> tuple[str, ...]:
    """The variables that earlier commands of the runbook have set on every one of the hosts."""
    if chosen is None:
        return ()
    first, *rest = [set(responder.session(replace(chosen, host=host)).variables) for host in hosts]
    return tuple(sorted(first.intersection(*rest)))


def gaps(command: str, known: Collection[str] = ()) -> tuple[Placeholder, ...]:
    """What is to be asked for once: all that must be filled in, but the name of the host."""
    from cockpit.runbook import placeholders

    return tuple(gap for gap in placeholders.find(command, known) if not means_host(gap.name))


def plan(
    responder: Responder,
    label: str,
    hosts: Sequence[str],
    command: str,
    chosen: Chosen | None = None,
    values: Mapping[str, str] | None = None,
) -> Plan:
    """What a command would be on each of the hosts; changes nothing, connects to nothing.

    values: for `gaps(command, known(...))`, by name; the name of the host is filled in here. Raises
    CannotRun where there is no host, a value is missing, or no group can run it: it waits for
    somebody, or never ends.
    """
    from cockpit.runbook import placeholders
    from cockpit.runbook.model import Risk, Waits
    from cockpit.runbook.shell import judge

    if not hosts:
        raise CannotRun(f"No host of cockpit.yaml carries the label {label}.")
    verdict = judge(command)
    if verdict.waits is Waits.STREAM:
        raise CannotRun("It runs until it is stopped: run it on one host, with enter.")
    if verdict.waits is not None:
        raise CannotRun("It needs a terminal of its own: run it on one host, with enter.")
    there = known(responder, hosts, chosen)
    given = dict(values or {})
    named = [gap.name for gap in placeholders.find(command, there) if means_host(gap.name)]
    planned = []
    for host in hosts:
        try:
            filled = placeholders.fill(command, {**given, **dict.fromkeys(named, host)}, there)
        except placeholders.Missing as missing:
            raise CannotRun(f"On {host}: {missing}") from None
        planned.append(Planned(host, filled))
    risk = Risk.worst(judge(one.command).risk for one in planned)
    if chosen and chosen.command.risk.above(risk) and chosen.raised:
        risk = chosen.command.risk
    return Plan(
        id=_new_id(),
        label=label,
        command=placeholders.fill(command, given, there, partly=True),
        hosts=tuple(planned),
        chosen=chosen,
        ask_first=risk is not Risk.READ,
    )


def intents(responder: Responder, plan: Plan, *, stale: str = "") -> tuple[guard.Intent, ...]:
    """What the guard must know, for each host of the plan in its order.

    stale: as in Responder.intent, of the chosen host. Raises CannotRun.
    """
    return tuple(
        responder.intent(
            one.command,
            plan.on(one.host),
            host=one.host,
            stale=stale if one.host == responder.target.name else "",
        )
        for one in plan.hosts
    )


async def save_evidence(responder: Responder, intents: Sequence[guard.Intent], id: str) -> str:
    """Saves the logs of the containers that a rollout is about to change, on each of its hosts.

    id: of the plan. Returns what was saved and what could not be, in sentences; never raises.
    """
    at_once = asyncio.Semaphore(BATCH)

    async def one(intent: guard.Intent) -> str:
        async with at_once:
            return await responder.save_evidence(intent.command, intent.names, intent.host, id)

    touching = [intent for intent in intents if intent.names and intent.risk != "read"]
    if not touching:
        return ""
    said = await asyncio.gather(*(one(intent) for intent in touching))
    missed = {
        intent.host: words
        for intent, words in zip(touching, said, strict=True)
        if NOT_SAVED in words
    }
    whole = f"Logs saved on {len(touching) - len(missed)} of {len(touching)} hosts."
    if not missed:
        return whole
    first = next(iter(missed.values()))
    why = first if len(first) <= _WHY else f"{first[:_WHY]}…"
    names = ", ".join([*missed][:6]) + (f" and {len(missed) - 6} more" if len(missed) > 6 else "")
    return f"{whole} Not on {names}: {why}"
