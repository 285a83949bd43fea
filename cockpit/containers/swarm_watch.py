"""Asks a manager now and then what its swarm runs: seldom, and often while somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeVar

import msgspec

from cockpit import keeping
from cockpit.containers import far
from cockpit.containers.engine import Engine, EngineTrouble
from cockpit.containers.swarm import Swarm, absent, fold
from cockpit.containers.swarm_wire import Info, ListedNode, ListedService, ListedTask
from cockpit.target.target import LinkDown
from cockpit.text import Safe, clean_line

FIRST_S: Final = 3.0
"""Seconds after the start: until then the link has more urgent things to carry."""
OPEN_S: Final = 5.0
SELDOM_S: Final = 30.0
THIN_S: Final = 120.0
NONE_S: Final = 60.0
"""How often an engine in no swarm, or a worker, is asked whether it still is."""
T = TypeVar("T")


class SwarmWatch:
    """Follows the swarm of one engine until closed; errors become `Swarm.trouble`.

    on_change: called on the loop when there is something else to show.
    """

    def __init__(self, engine: Engine, on_change: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._on_change = on_change
        self._known = Swarm()
        self._trouble = Safe(f"Docker at {engine.where} is being asked.")
        self._manager = False
        self._open = 0
        self._wake = asyncio.Event()
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        if self._main is None:
            self._main = asyncio.create_task(self._run(), name="swarm")

    async def close(self) -> None:
        main, self._main = self._main, None
        await keeping.end(main)

    def look(self, by: int) -> None:
        """Somebody begins (1) or ceases (-1) to look: then tasks and nodes are asked for too."""
        self._open += by
        if self._open:
            self._wake.set()

    def now(self) -> None:
        """Ask at once: something was changed."""
        self._wake.set()

    @property
    def snapshot(self) -> Swarm:
        reason = self._engine.link_trouble or self._trouble or self._engine.silence
        if reason and self._known.at is not None:
            age = int(time.monotonic() - self._known.at)
            reason = Safe(f"What is shown is {age} s old. {reason}")
        return replace(self._known, trouble=reason)

    async def _run(self) -> None:
        await self._rest(FIRST_S)
        while True:
            self._wake.clear()
            before = self._known, self._trouble
            try:
                await self._engine.target.ready()
                await self._ask()
                self._trouble = Safe("")
            except (EngineTrouble, LinkDown) as trouble:
                self._trouble, self._manager = clean_line(str(trouble)), False
            if (self._known, self._trouble) != before:
                self._on_change()
            await self._rest(self._pause())

    async def _rest(self, seconds: float) -> None:
        # Not wait_for: in Python 3.11 it loses a cancel that comes together with the event.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _pause(self) -> float:
        if self._open:
            return OPEN_S
        if not self._manager:
            return NONE_S
        thin = (self._engine.target.link.rtt or 0.0) >= far.THIN_RTT
        return THIN_S if thin else SELDOM_S

    async def _ask(self) -> None:
        if not self._manager:
            info = await self._got("/info", Info)
            missing = absent(info.swarm, self._engine.where)
            if missing:
                self._known = Swarm(missing=missing, at=time.monotonic())
                return
        services = await self._got("/services", tuple[ListedService, ...], {"status": "true"})
        # Who does not look wants to know only how many are short.
        tasks = await self._got("/tasks", tuple[ListedTask, ...]) if self._open else ()
        nodes = await self._got("/nodes", tuple[ListedNode, ...]) if self._open else ()
        self._manager = True
        now = self._engine.now()
        made, hosts = fold(services, tasks, nodes, now)
        self._known = Swarm(made, hosts or self._known.nodes, at=time.monotonic(), now=now)

    async def _got(self, path: str, kind: type[T], query: dict[str, str] | None = None) -> T:
        body = await self._engine.ask(path, query)
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise EngineTrouble(
                f"Docker at {self._engine.where} answers {path} with what cannot be read: "
                f"{clean_line(str(wrong))}"
            ) from wrong
