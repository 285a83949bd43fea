"""The key on the containers that opens the services of a swarm, and what is done with a service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from textual import work

from cockpit.text import Safe
from screens.log_keys import LogKeys
from screens.step_keys import Apart

if TYPE_CHECKING:
    from cockpit.containers.actions import Action
    from cockpit.containers.swarm import Service
    from cockpit.host_watch import HostWatch

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SCALE = "n"


class SwarmKeys(LogKeys):
    """From a key to the services, and from one of them to its log or through the gate."""

    def swarm_said(self) -> Safe:
        """The swarms of the watched hosts in a few words, for a title; "" where there is none."""
        said = [watch.swarm.snapshot.said for watch in self.responder.watched]
        known = [words for words in said if words]
        return Safe(f"swarm: {'; '.join(known)} (s)") if known else Safe("")

    @work(exit_on_error=False)
    async def action_services(self) -> None:
        from screens.dialogs.services import ServicesScreen

        watch = self._manager()
        if watch is None:
            self.say("Docker has not been asked yet; in a moment.")
            return
        host = watch.engine.where
        screen = ServicesScreen(host, watch.swarm, lambda service: self._act(service, watch))
        service = await self.app.push_screen_wait(screen)
        if service is not None:
            self._follow(service, watch)

    def _manager(self) -> HostWatch | None:
        """The host under the cursor, unless only another one tells of a swarm."""
        container = self.containers.container()
        under = container.host if container else self.responder.target.name
        watched = self.responder.watched
        found = sorted(
            watched,
            key=lambda one: (not one.swarm.snapshot.said, one.engine.target.name != under),
        )
        return found[0] if found else None

    def _follow(self, service: Service, watch: HostWatch) -> None:
        from cockpit.logs.service import ServiceLog

        self.follow([ServiceLog(watch.engine, service.id, service.name)])
        self.to_pane("logs")

    async def _act(self, service: Service, watch: HostWatch) -> None:
        """Asks what to do with a service, and does it."""
        from screens.dialogs.actions import Actions

        docker = watch.engine.far_command
        if not docker:
            self.say("No docker command on this host reaches its engine; use the runbook.")
            return
        trouble = watch.swarm.snapshot.trouble
        hint = Safe(f"Only to be read: {trouble}") if trouble else Safe("")
        title = Safe(f"What to do with {service.name}?")
        chosen = await self.app.push_screen_wait(Actions(title, actions(service, docker), hint))
        if chosen is None:
            return
        command = chosen.command
        if chosen.key == _SCALE:
            count = await self._count(service)
            if not count:
                return
            command += count
        trouble = watch.swarm.snapshot.trouble
        if trouble and chosen.key in _CHANGES:
            self.say(f"Nothing was run: {trouble}", bad=True)
            return
        about = tuple(task.container[:12] for task in service.tasks if task.container)
        await self.run_and_read(command, Apart(watch.engine.target.name, about))

    async def _count(self, service: Service) -> str:
        """How many tasks it is to have; "" where the responder leaves it."""
        from screens.dialogs.form import Field, Form

        field = Field("count", Safe("Tasks"), str(service.wanted), wanted="Say how many, or esc.")

        def wrong(values: dict[str, str]) -> str:
            plain = values["count"].strip()
            return "" if plain.isascii() and plain.isdecimal() else "A whole number, please."

        form = Form(Safe(f"Scale {service.name}, now {service.wanted}"), (field,), check=wrong)
        values = await self.app.push_screen_wait(form)
        return values["count"].strip() if values else ""


_CHANGES = ("u", _SCALE, "b")


def actions(service: Service, docker: str) -> list[Action]:
    """What can be done with a service, what makes sense first."""
    from cockpit.containers.actions import Action

    # A name as Docker allows it, else the id: nothing of it may be more than a word.
    name = service.name if _PLAIN.fullmatch(service.name) else service.id
    fixed = Safe(f"it is {service.mode}") if "global" in service.mode else Safe("")
    made = [
        Action("p", Safe("tasks"), Safe("reads: all that the manager remembers, with errors"),
               f"{docker} service ps --no-trunc {name}"),
        Action("i", Safe("inspect"), Safe("reads: its settings"),
               f"{docker} service inspect --pretty {name}"),
        Action("u", Safe("update"), Safe("changes it: starts its tasks anew, a few at a time"),
               f"{docker} service update --detach --force {name}"),
        Action(_SCALE, Safe("scale"), Safe("changes how many tasks it has"),
               f"{docker} service scale --detach {name}=", fixed),
        Action("b", Safe("roll back"), Safe("changes it back to what it was before its update"),
               f"{docker} service rollback --detach {name}"),
    ]  # fmt: skip
    return sorted(made, key=lambda one: bool(one.why_not))
