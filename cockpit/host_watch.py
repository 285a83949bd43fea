"""What is watched on the chosen host: its containers and its disks, against their limits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import msgspec

from cockpit.containers import disks
from cockpit.containers.compose import Differences
from cockpit.containers.swarm_watch import SwarmWatch
from cockpit.containers.watch import Containers, Watch
from cockpit.limits import Limits
from cockpit.target.reading import read
from cockpit.target.target import LinkDown, LinkLost

if TYPE_CHECKING:
    from cockpit.config import Thresholds
    from cockpit.containers.engine import Engine
    from cockpit.incident.logbook import Logbook
    from cockpit.target.guard import Pass


class HostWatch:
    """Watches one host from its making until it is closed; the engine is not its own.

    What crosses a limit is put on the timeline of an open incident. leave: lets a command through
    that only reads. changed: called on the loop when there is something new to show. differences:
    of its containers, to what they would be if they were made now.
    """

    def __init__(
        self,
        engine: Engine,
        thresholds: Thresholds,
        log: Logbook,
        leave: Callable[[str], Pass],
        changed: Callable[[], None],
    ) -> None:
        self.limits = Limits(engine.target.name, thresholds)
        self.engine = engine
        self._log = log
        self._leave = leave
        self._changed = changed
        self._tells = True
        self._containers = Watch(engine, on_change=self._look)
        self._containers.start()
        self.swarm = SwarmWatch(engine, changed)
        self.swarm.start()
        self.differences = Differences(engine, leave)
        loop = asyncio.get_running_loop()
        self._disks = loop.create_task(self._measure())
        self._compares = loop.create_task(self._compare())

    @property
    def snapshot(self) -> Containers:
        """The containers as they are now."""
        return self._containers.snapshot

    def in_sight(self, ids: Collection[str]) -> None:
        """The ids of the containers that are on screen: numbers of those come often."""
        self._containers.in_sight(ids)

    def hush(self) -> None:
        """Puts nothing on the timeline any more."""
        self._tells = False

    async def close(self) -> None:
        self.hush()
        self._disks.cancel()
        self._compares.cancel()
        closing = (self._containers.close(), self.swarm.close())
        await asyncio.gather(self._disks, self._compares, *closing, return_exceptions=True)

    def _look(self) -> None:
        now = time.monotonic()
        if self.limits.due(now):
            there = int(self.engine.now().timestamp() * 1e9)
            linked = not self.engine.link_trouble
            self.limits.look(self.snapshot, self._log.incident, now, there, linked=linked)
            self._tell()
        self._changed()

    async def _measure(self) -> None:
        """Looks now and then how full the disks are."""
        target = self.engine.target
        await asyncio.sleep(disks.FIRST_S)
        while True:
            if target.link.state.usable:
                with contextlib.suppress(LinkLost, LinkDown, OSError):
                    said = await read(target, self._leave(disks.COMMAND), disks.WITHIN)
                    if not said.cut:
                        found = disks.read(said.output.decode("utf-8", "replace"))
                        self.limits.measured(found, self._log.incident)
                        self._tell()
                        self._changed()
            await asyncio.sleep(disks.EVERY_S)

    async def _compare(self) -> None:
        """Looks now and then what is not as its Compose file says, while the engine answers."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(5.0)
            known, now = self.snapshot, time.monotonic() - began
            if not known.trouble and self.differences.due(known.rows, now):
                await self.differences.look(known.rows, now)
                self._changed()

    def _tell(self) -> None:
        """What crossed a limit, and what is back."""
        if self._tells and self._log.folder and not self._log.reading:
            for crossed in self.limits.news(self._log.incident):
                words = self._log.clean(crossed.words)
                self._log.append(msgspec.structs.replace(crossed, words=words))
