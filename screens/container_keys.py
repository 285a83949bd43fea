"""The keys on a container: which are listed, its logs, what is to be done with it."""

from __future__ import annotations

import re

from textual import work

from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens.panes.containers import ContainersPane
from screens.step_keys import StepKeys


class ContainerKeys(StepKeys):
    """From a key on a container to a command that passed the gate."""

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.containers = ContainersPane(id="containers")

    async def filter_containers(self) -> None:
        """Asks which containers are listed."""
        words = await self.ask_line(
            "Filter containers", "Words (empty shows all)", value=self.containers.wanted
        )
        if words is not None:
            self.containers.filter(clean_line(words))

    @work(exit_on_error=False)
    async def action_container_actions(self) -> None:
        from screens.dialogs.choose import Choose, Offer

        container = self.containers.container()
        if container is None or not self.may_write():
            return
        engine = self.responder.engine_of(container.host)
        docker = engine.far_command if engine else ""
        if not docker:
            self.say("No docker command on this host reaches this engine; use the runbook.")
            return
        # A name as Docker allows it, else the id: nothing of it may be more than a word.
        plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", container.name)
        target = container.name if plain else container.id[:12]
        offers = [
            Offer(Safe(f"{verb} {container.name}"), Safe(what), f"{docker} {verb} {target}")
            for verb, what in _ACTIONS
        ]
        command = await self.app.push_screen_wait(
            Choose(Safe(f"What to do with {container.name}?"), offers)
        )
        if command:
            await self.run_and_read(command)


_ACTIONS = (
    ("restart", "changes it; its logs are saved first"),
    ("stop", "changes it; its logs are saved first"),
    ("start", "changes it"),
    ("inspect", "reads"),
    ("top", "reads: its processes"),
)
