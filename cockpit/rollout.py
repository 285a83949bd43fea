"""A command on many hosts: the plan, then one host alone, then the others a few at a time.

Without a screen: `plan` says what would run where, the guard asks once (`ask_all`), and
`Responder.roll_out` starts a Rollout, which goes on by itself until it has ended.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cockpit.evidence import NOT_SAVED
from cockpit.incident import events as e
from cockpit.incident.logbook import Logbook
from cockpit.incident.rollouts import HostState, Stand, standings
from cockpit.runs import CannotRun, Chosen, Runs
from cockpit.target import guard
from cockpit.target.target import Link

if TYPE_CHECKING:
    from cockpit.responder import Responder
    from cockpit.runbook.model import Placeholder

BATCH: Final = 5
STOP_AFTER: Final = 1
SENDING: Final = 4
"""Hosts that are sent to at the same time, however many run: the screen stays quick."""
LEFT: Final = "ended, as cockpit was"
_LOOK: Final = 0.03
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


class Rollout:
    """A plan that runs. Made by `Responder.roll_out`.

    The first host runs alone. Where it worked the others follow, `plan.batch` at a time, until so
    many have failed, the responder stops it, or all are done. While the link to a host that runs it
    is lost, no further one is started. Nothing is ever sent to a host twice.
    """

    def __init__(
        self,
        log: Logbook,
        runs: Runs,
        plan: Plan,
        passes: Sequence[guard.Pass],
        link_of: Callable[[str], Link | None],
    ) -> None:
        """passes: of `guard.answer_all`, for the hosts of the plan in its order."""
        if [leave.host for leave in passes] != [one.host for one in plan.hosts]:
            raise ValueError("the passes are not for the hosts of the plan")
        self.plan = plan
        self._log = log
        self._runs = runs
        self._link_of = link_of
        self._left = list(passes)
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._go_on = asyncio.Event()
        self._stop = False
        self._task: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def id(self) -> str:
        return self.plan.id

    @property
    def states(self) -> tuple[HostState, ...]:
        """Where each host stands now, in the order of the plan."""
        return standings(self._log.incident, self.id, self._link_of, self._sending)

    @property
    def ended(self) -> bool:
        """Whether no further host is started, and none is waited for."""
        return self._log.incident.rollouts[self.id].ended is not None

    @property
    def asks(self) -> bool:
        """Whether the first host worked, and `go_on` is waited for."""
        first, *rest = self.states
        waits = self.plan.ask_first and bool(rest) and first.stand is Stand.OK
        return waits and not (self._go_on.is_set() or self._stop or self.ended)

    @property
    def stopping(self) -> bool:
        """Whether it was stopped."""
        return self._stop

    def start(self) -> None:
        """Begins. Returns at once; `states` and `wait` tell."""
        from cockpit.runbook.model import Risk

        log, plan = self._log, self.plan
        first = self._left[0]
        chosen = plan.chosen
        begun = log.append(
            e.RolloutStarted(
                rollout=plan.id,
                label=log.clean(plan.label),
                hosts=tuple(one.host for one in plan.hosts),
                command=log.clean(plan.command),
                risk=Risk.worst(leave.risk for leave in self._left),
                gate=first.how,
                batch=plan.batch,
                stop_after=plan.stop_after,
                step=chosen.ref if chosen else None,
                command_id=chosen.command.id if chosen else "",
                retries=plan.retries,
                left_out=plan.left_out,
                evidence=log.clean(plan.evidence),
                reason=log.clean(first.reason),
            )
        )
        self._task = asyncio.get_running_loop().create_task(
            self._drive(begun), name=f"rollout {plan.id}"
        )

    def go_on(self) -> None:
        """Lets the other hosts follow the first."""
        self._go_on.set()

    def stop(self) -> None:
        """Ends what runs, gently first, and sends no more. Returns at once."""
        self._stop = True
        for state in self.states:
            if state.run is not None and not state.run.over:
                task = asyncio.get_running_loop().create_task(self._runs.stop(state.run.job))
                self._stopping.add(task)
                task.add_done_callback(self._stopping.discard)

    async def wait(self) -> tuple[HostState, ...]:
        """Until it has ended; where each host stood then."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return self.states

    async def leave(self) -> None:
        """Starts no further host, and waits for none; what runs goes on on its host."""
        tasks = [*self._stopping, *self._sending.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, begun: e.Record) -> None:
        how = LEFT
        try:
            await self._log.saved_up_to(begun)
            how = await self._one_after_the_other()
        finally:
            self._end(how)

    async def _one_after_the_other(self) -> str:
        """Starts hosts as long as it may; returns why it has ended, in words."""
        total = len(self._left)
        while True:
            states = self.states
            first = len(self._left) == total - 1
            failed = sum(state.stand.bad for state in states)
            going = [state for state in states if state.stand.going]
            lost = [state for state in going if state.stand is Stand.LOST]
            if self._stop:
                # A stop that waits for a lost link is kept by the runs.
                if len(going) == len(lost) and not self._sending:
                    return "stopped by the responder"
            elif failed and (failed >= self.plan.stop_after or first):
                if not going:
                    return self._why_stopped(failed, first)
            elif not self._left and not going:
                return "done"
            elif self._left and not lost and len(going) < self._at_once(total):
                sending = sum(state.stand is Stand.SENDING for state in going)
                if sending < SENDING:
                    self._send(self._left.pop(0))
            await asyncio.sleep(_LOOK)

    def _at_once(self, total: int) -> int:
        """How many may run now: one until the first is done, and was let go on."""
        started = total - len(self._left)
        if started == 0:
            return 1
        if started == 1:
            worked = self.states[0].stand is Stand.OK
            return self.plan.batch if worked and not self.asks else 0
        return self.plan.batch

    def _why_stopped(self, failed: int, first: bool) -> str:
        if not self._left:
            return "done"
        if first:
            return "stopped, as the first host failed"
        return f"stopped at {failed} failure{'s' if failed > 1 else ''}"

    def _send(self, leave: guard.Pass) -> None:
        task = asyncio.get_running_loop().create_task(self._sent(leave))
        self._sending[leave.host] = task

    async def _sent(self, leave: guard.Pass) -> None:
        plan = self.plan
        try:
            job = await self._runs.start(
                leave, plan.on(leave.host), timeout_s=plan.timeout_s, rollout=plan.id
            )
        except CannotRun:
            return  # it is written down by whoever raised it
        except Exception as error:
            log = self._log
            log.append(
                e.CommandRefused(
                    command=log.clean(leave.command),
                    host=leave.host,
                    why=log.clean(f"Nothing was sent. {type(error).__name__}: {error}"),
                    step=plan.chosen.ref if plan.chosen else None,
                    rollout=plan.id,
                )
            )
            return
        finally:
            del self._sending[leave.host]
        if self._stop:
            await self._runs.stop(job)

    def _end(self, how: str) -> None:
        if not self.ended:
            self._log.append(ending(self.states, self.id, how))


def ending(states: Sequence[HostState], id: str, how: str) -> e.RolloutEnded:
    """The event that a rollout has ended, where its hosts stand like this."""
    return e.RolloutEnded(
        rollout=id,
        how=how,
        failed=tuple(one.host for one in states if one.stand.bad),
        not_run=tuple(one.host for one in states if one.stand is Stand.WAITING),
        going=tuple(one.host for one in states if one.stand.going),
    )
