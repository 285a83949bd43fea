"""A command on many hosts: one host alone, then the others a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from cockpit.incident import events as e
from cockpit.incident.logbook import Logbook
from cockpit.incident.rollouts import HostState, Stand, standings
from cockpit.rollout_plan import Plan
from cockpit.runs import CannotRun, Runs
from cockpit.target import guard
from cockpit.target.target import Link

SENDING: Final = 4
"""Hosts that are sent to at the same time, however many run: the screen stays quick."""
LEFT: Final = "ended, as cockpit was"
_LOOK: Final = 0.03


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
