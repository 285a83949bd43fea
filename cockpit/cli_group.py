"""`cockpit run --label`: one command on the hosts of a group, one first, then a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from cockpit import rollout_plan
from cockpit.attend import (
    FAILED,
    LATE,
    NO_READER,
    REFUSED,
    Copy,
    Signals,
    Stop,
    how_to_reach,
    tell_link,
)
from cockpit.cli_run import Wish, answers, missing, take_up
from cockpit.headless import plainly
from cockpit.incident.rollouts import HostState, Stand, counted, took
from cockpit.live import Printer, say
from cockpit.prompt import Prompt
from cockpit.reach import Reach
from cockpit.responder import CannotRun, Responder
from cockpit.rollout import Rollout
from cockpit.rollout_plan import Plan
from cockpit.target import guard, hosts
from cockpit.text import clean_line

NOT_ALL: Final = 1
_LOOK: Final = 0.2


async def run_group(responder: Responder, wish: Wish, signals: Signals) -> int:
    """Runs it on all of them; 0 where it worked on each, else 1. Raises Stop."""
    prompt = Prompt()
    responder.links.asker = prompt
    take_up(responder, wish)
    plan = _plan(responder, wish)
    _passes(responder, plan, wish)  # what the gate refuses needs no host
    reach = Reach(responder, plan)
    reach.start()
    try:
        plan = await signals.unless_told(
            _reached(reach, plan, prompt), "Stopped before anything was sent."
        )
        passes = _passes(responder, plan, wish)
        saving = rollout_plan.save_evidence(responder, _intents(responder, plan, wish), plan.id)
        kept = await signals.unless_told(saving, "Stopped before anything was sent.")
        if kept:
            say(kept)
        going = responder.roll_out(replace(plan, evidence=kept), passes)
        return await _Group(responder, going, signals).to_its_end()
    finally:
        await reach.close()


def _plan(responder: Responder, wish: Wish) -> Plan:
    names = hosts.labelled(responder.config, wish.label)
    if not names:
        known = ", ".join(hosts.labels(responder.config)) or "none"
        raise Stop(FAILED, f"No host has the label {wish.label}. Labels of cockpit.yaml: {known}.")
    try:
        plan = rollout_plan.plan(responder, wish.label, names, wish.command)
    except CannotRun as error:
        raise Stop(REFUSED, f"Not run. {str(error).replace(', with enter', '')}") from None
    return replace(
        plan,
        batch=wish.batch or plan.batch,
        stop_after=wish.stop_after or plan.stop_after,
        ask_first=False,  # nobody is there to be asked; it goes on where the first one worked
        timeout_s=wish.timeout_s,
    )


# The gate


def _intents(responder: Responder, plan: Plan, wish: Wish) -> tuple[guard.Intent, ...]:
    found = rollout_plan.intents(responder, plan)
    if wish.folder is None:
        found = tuple(replace(intent, skipped_diagnosis=False) for intent in found)
    return found


def _passes(responder: Responder, plan: Plan, wish: Wish) -> tuple[guard.Pass, ...]:
    """One for each host, where what was given is enough for the gate. Raises Stop."""
    try:
        asked = guard.ask_all(_intents(responder, plan, wish))
    except CannotRun as error:
        raise Stop(REFUSED, f"Not run. {error}") from None
    kind, _, number = wish.confirm.partition(":")
    if kind == "change" and asked.intent.risk == "destroy":
        number = ""  # the number alone does not tell that they know what it does
    confirmed, _ = answers(wish.confirm)
    try:
        return guard.answer_all(asked, confirmed=confirmed, typed=number, reason=wish.reason)
    except guard.Refused as refused:
        raise Stop(REFUSED, missing(asked, wish, str(refused))) from None


# The hosts


async def _reached(reach: Reach, plan: Plan, prompt: Prompt) -> Plan:
    """The plan with those first that can be reached. Raises Stop where it could only fail."""
    while not reach.settled or prompt.open:
        await asyncio.sleep(_LOOK)
    found = {one.host: reach.of(one.host) for one in plan.hosts}
    troubles = [one for one in found.values() if not one.usable]
    for one in troubles:
        say(plainly(one.host, one.trouble))
    if len(troubles) >= plan.stop_after:
        more = ""
        if len(troubles) < len(found):
            more = f" To run it on the others, give --stop-after {len(troubles) + 1}"
        raise Stop(
            FAILED,
            f"Nothing was run: {len(troubles)} of {len(found)} hosts cannot be used, and it stops"
            f" at {plan.stop_after} that fail.{more}",
        )
    return replace(
        plan, hosts=tuple(sorted(plan.hosts, key=lambda one: not found[one.host].usable))
    )


class _Group:
    """A rollout that this cockpit stays with."""

    def __init__(self, responder: Responder, going: Rollout, signals: Signals) -> None:
        self._responder = responder
        self._rollout = going
        self._signals = signals
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._copies: dict[str, Copy] = {}
        self._unwatch: list[Callable[[], None]] = []
        self._told = self._unread = False
        signals.woken = responder.changed = self._wake

    def _wake(self) -> None:
        self._woken.set()
        for copy in self._copies.values():
            copy.more.set()

    async def to_its_end(self) -> int:
        try:
            while not self._over():
                self._woken.clear()
                self._look()
                try:
                    async with asyncio.timeout(_LOOK):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        finally:
            for unwatch in self._unwatch:
                unwatch()
            for copy in self._copies.values():
                await copy.close()
        return self._ended()

    def _over(self) -> bool:
        self._begin_to_copy(self._rollout.states)
        return self._rollout.ended and all(copy.task.done() for copy in self._copies.values())

    def _begin_to_copy(self, states: Sequence[HostState]) -> None:
        for state in states:
            if state.run is not None and state.host not in self._copies:
                printer = Printer(prefix=clean_line(f"{state.host}: "), turn=self._turn)
                copy = Copy(self._responder, state.run.job, printer, self._woken.set)
                self._copies[state.host] = copy
                self._unwatch.append(tell_link(self._responder.links.tried(state.host)))

    def _look(self) -> None:
        """Acts on what has changed. Raises Stop."""
        signals, states = self._signals, self._rollout.states
        if signals.leave:
            self._leave(states)
        if signals.interrupts and not self._told:
            self._told = True
            say("Stopping it on all hosts, gently; ctrl+c again leaves it running")
            self._rollout.stop()
        broken = [copy for copy in self._copies.values() if copy.error is not None]
        if broken and not self._unread:
            self._unread = True
            if not isinstance(broken[0].error, BrokenPipeError):
                say(broken[0].trouble)
            elif self._reads:
                self._rollout.stop()
            else:
                say("Nobody reads the output any more; the command goes on to its end")
        limit = self._rollout.plan.timeout_s
        going = [state for state in states if state.stand.going]
        if limit and going and all(_overdue(state, limit) for state in going):
            self._leave(states)

    @property
    def _reads(self) -> bool:
        return self._responder.incident.rollouts[self._rollout.id].asked.risk == "read"

    def _leave(self, states: Sequence[HostState]) -> None:
        tell(states)
        for state in states:
            if state.run is not None and state.stand.going:
                say(how_to_reach(state.host, state.run.job))
        raise Stop(FAILED)

    def _ended(self) -> int:
        states = self._rollout.states
        tell(states)
        errors = [copy.error for copy in self._copies.values()]
        if self._reads and any(isinstance(error, BrokenPipeError) for error in errors):
            return NO_READER
        whole = all(copy.whole for copy in self._copies.values()) or not self._reads
        whole = whole and not any(state.run and state.run.truncated for state in states)
        worked = all(state.stand is Stand.OK for state in states)
        return 0 if worked and whole else NOT_ALL


def _overdue(state: HostState, limit: int) -> bool:
    """Whether its host has ended it by now, and the link to tell so is lost."""
    if state.run is None or state.stand is not Stand.LOST:
        return False
    return (datetime.now(UTC) - state.run.at).total_seconds() > limit + LATE


def tell(states: Sequence[HostState]) -> None:
    """A line for each host, and how many stand how."""
    widest = max(len(state.host) for state in states)
    words = max(len(state.words) for state in states)
    for state in states:
        job = f"job {state.run.job[:8]}" if state.run else ""
        rest = "  ".join(part for part in (took(state), job, state.why) if part)
        say(f"{state.host:<{widest}}  {state.words:<{words}}  {rest}".rstrip())
    say(f"{len(states)} hosts: {counted(states)}")
