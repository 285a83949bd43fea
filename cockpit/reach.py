"""Whether the hosts of a plan can be sent to: dialed a few at a time, so that keys stay quick."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cockpit.target.target import LinkState

if TYPE_CHECKING:
    from cockpit.responder import Responder
    from cockpit.rollout_plan import Plan, Planned

AT_ONCE: Final = 3
"""Key exchanges at a time: each holds the loop for some milliseconds."""
HOLDS: Final = 4.0
"""Seconds; who is silent for longer only waits, and the next may be dialed."""
OVERDUE: Final = 12.0
_LOOK: Final = 0.05


@dataclass(frozen=True, slots=True)
class Reached:
    """One host. known: whether it was asked, or is overdue. trouble: why nothing can be sent."""

    host: str
    known: bool
    trouble: str = ""

    @property
    def usable(self) -> bool:
        return self.known and not self.trouble


class Reach:
    """The links to the hosts of a plan, from `start` until `close`."""

    def __init__(self, responder: Responder, plan: Plan) -> None:
        self._responder = responder
        self._plan = plan
        self._dialed: dict[str, float] = {}
        self._asked: dict[str, str] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to connect. Returns at once; `of` tells."""
        self._task = asyncio.get_running_loop().create_task(self._all(), name="reach")

    def of(self, host: str) -> Reached:
        """What is known of a host now; a link that comes or goes later counts."""
        link = self._responder.links.of(host)
        since = self._dialed.get(host)
        if link is None or since is None:
            return Reached(host, False)
        if link.state.gone:
            return Reached(host, True, link.reason or "it cannot be reached")
        if link.state.usable and host in self._asked:
            return Reached(host, True, self._asked[host])
        late = time.monotonic() - since > OVERDUE
        return Reached(host, late, "no answer yet" if late else "")

    @property
    def settled(self) -> bool:
        """Whether every host is known."""
        return all(self.of(one.host).known for one in self._plan.hosts)

    async def wait(self) -> None:
        """Until every host is known, which takes a while for those that are silent."""
        while not self.settled:
            await asyncio.sleep(_LOOK)

    async def close(self) -> None:
        """Closes the links that are not in use."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        responder = self._responder
        names = [one.host for one in self._plan.hosts]
        await responder.links.release(names, keep=responder.target.name)

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(one) for one in self._plan.hosts))

    async def _one(self, planned: Planned) -> None:
        async with self._slots:
            target = self._responder.links.tried(planned.host)
            self._dialed[planned.host] = time.monotonic()
            until = time.monotonic() + HOLDS
            while target.link.state is LinkState.CONNECTING and time.monotonic() < until:
                await asyncio.sleep(_LOOK)
        while not target.link.state.usable:
            await asyncio.sleep(4 * _LOOK)
        on = self._plan.on(planned.host)
        why = await self._responder.why_terminal(planned.command, on, planned.host)
        self._asked[planned.host] = f"{why}: run it there alone" if why else ""
