"""From a key on a command to its run on a group of hosts: label, values, dry list, gate, grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual import work

from cockpit.incident.rollouts import Stand
from cockpit.responder import CannotRun
from cockpit.target import guard, hosts
from cockpit.text import Safe, clean_line
from screens.step_keys import StepKeys

if TYPE_CHECKING:
    from cockpit.reach import Reach
    from cockpit.rollout_plan import Plan

_NO_DOUBTS: Mapping[str, str] = MappingProxyType({})


class RolloutKeys(StepKeys):
    """The keys on a step, and the one that runs its command on many hosts."""

    @work(exit_on_error=False)
    async def action_plan_rollout(self) -> None:
        from cockpit import rollout_plan

        going = [one for one in self.responder.rollouts.values() if not one.ended]
        if going:
            await self._watch(going[-1].plan)
            return
        chosen = self.checklist.chosen()
        if chosen is None:
            self.say("Put the cursor on a command of the runbook first.")
            return
        if not self.may_write():
            return
        label = await self._which_label()
        if label is None:
            return
        names = hosts.labelled(self.responder.config, label)
        text = chosen.command.text
        try:
            known = rollout_plan.known(self.responder, names, chosen)
            asked = rollout_plan.gaps(text, known)
            values = await self._values(text, chosen, known, asked)
            if values is not None:
                plan = rollout_plan.plan(self.responder, label, names, text, chosen, values)
                await self._carry_out(plan)
        except CannotRun as error:
            self.say(str(error), bad=True)

    async def _which_label(self) -> str | None:
        from screens.dialogs.choose import Choose, Offer

        config = self.responder.config
        labels = hosts.labels(config)
        if not labels:
            self.say("No host has a label. In cockpit.yaml, below hosts: web-1: {labels: [web]}")
            return None
        offers = []
        for label in labels:
            names = hosts.labelled(config, label)
            count = "1 host" if len(names) == 1 else f"{len(names)} hosts"
            more = clean_line(f"{count}: {', '.join(names)}")
            offers.append(Offer(clean_line(label), more, label))
        return await self.app.push_screen_wait(Choose(Safe("On the hosts of which label?"), offers))

    @work(exit_on_error=False)
    async def show_rollout(self, id: str) -> None:
        """Shows a rollout of this incident, as it is or as it ended."""
        from screens.dialogs.rollout import RolloutScreen

        live = self.responder.rollouts.get(id)
        if live is not None:
            await self._watch(live.plan)
        else:
            await self.app.push_screen_wait(RolloutScreen(self.responder, id))

    async def _carry_out(self, plan: Plan, doubts: Mapping[str, str] = _NO_DOUBTS) -> None:
        """From the dry list to the grid."""
        from cockpit.reach import Reach

        reach = Reach(self.responder, plan)
        reach.start()
        try:
            ready = await self._started(plan, reach, doubts)
        finally:
            self._close_in_the_end(reach, plan.id)
        if ready is not None:
            await self._watch(ready)

    async def _watch(self, plan: Plan) -> None:
        """Shows the grid, and plans it again for those that failed where that is wanted."""
        from screens.dialogs.rollout import RolloutScreen

        which = await self.app.push_screen_wait(RolloutScreen(self.responder, plan.id))
        if which is None or not self.may_write():
            return
        states = self.responder.rollouts[plan.id].states
        wanted = {one.host for one in states if one.stand.bad}
        if which == "rest":
            wanted |= {one.host for one in states if one.stand is Stand.NOT_RUN}
        unknown = [one.host for one in states if one.stand is Stand.UNKNOWN]
        await self._carry_out(
            plan.again(wanted), dict.fromkeys(unknown, "nobody knows whether it ran")
        )

    async def _started(self, plan: Plan, reach: Reach, doubts: Mapping[str, str]) -> Plan | None:
        """The plan as it was started; None where the responder left it."""
        from cockpit import rollout_plan
        from screens.dialogs.dry_list import DryList
        from screens.dialogs.gate import Gate

        chosen = await self.app.push_screen_wait(DryList(self.responder, plan, reach, doubts))
        if chosen is None:
            return None
        ready = chosen
        stale = self._staleness(self.responder.host_of(plan.chosen))
        intents = rollout_plan.intents(self.responder, ready, stale=stale)
        asked = guard.ask_all(intents)
        kept: list[str] = []

        async def saving() -> str:
            kept.append(await rollout_plan.save_evidence(self.responder, intents, ready.id))
            return kept[0]

        passes: tuple[guard.Pass, ...] | None
        if asked.level is guard.Level.OPEN:
            passes = guard.answer_all(asked)
        else:
            touched = any(intent.names and intent.risk != "read" for intent in intents)
            told = self.too_early(asked.intent)
            saved = self.saved_first(saving(), told) if touched else None
            gate = Gate(asked, saved, _where(ready), told)
            passes = await self.app.push_screen_wait(gate)
            if passes and told:
                self.responder.warn("diagnosis", told)
        if passes is None:
            return None
        ready = replace(ready, evidence=kept[0] if kept else "")
        self.responder.roll_out(ready, passes)
        return ready

    def _close_in_the_end(self, reach: Reach, id: str) -> None:
        """Closes the links of a group, once nothing runs on them."""

        async def close() -> None:
            going = self.responder.rollouts.get(id)
            if going is not None:
                await going.wait()
            await reach.close()

        self.app.run_worker(close(), exit_on_error=False)


def _where(plan: Plan) -> str:
    """Where it runs, in words, for the gate."""
    count = len(plan.hosts)
    first = plan.hosts[0].host
    if count == 1:
        return f"on {first} of {plan.label}"
    then = "then asks, " if plan.ask_first else ""
    batch = min(plan.batch, count - 1)
    differs = len({one.command for one in plan.hosts}) > 1
    as_on = f"; as it is on {first}, each with its own name:" if differs else ""
    return f"on {count} hosts of {plan.label}: {first} first, {then}then {batch} at a time{as_on}"
