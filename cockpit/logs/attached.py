"""A command on a host that is read for ever, begun again after each cut of the link."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cockpit import text
from cockpit.target import guard
from cockpit.target.target import LinkDown, LinkLost, Target
from cockpit.text import Safe


class Attached:
    """Calls `once` again and again from its start until it is closed.

    said: why nothing new comes, as `once` found. heard: when something came last, monotonic.
    """

    def __init__(self, target: Target, once: Callable[[], Awaitable[None]]) -> None:
        self.said = Safe("")
        self.heard = time.monotonic()
        self._target = target
        self._once = once
        self._main: asyncio.Task[None] | None = None

    @property
    def note(self) -> Safe:
        """Why nothing new comes and what to do; "" while it is read."""
        link, host = self._target.link, text.clean_line(self._target.name)
        if not link.state.usable:
            reason = text.clean_line(link.reason.removeprefix(f"{self._target.name}: "))
            return Safe(f"The link to {host} is {link.state}: {reason}")
        return self.said

    def start(self) -> None:
        if self._main is None:
            self._main = asyncio.create_task(self._run())

    async def close(self) -> None:
        main, self._main = self._main, None
        if main is not None:
            main.cancel()
            with suppress(asyncio.CancelledError):
                await main

    async def _run(self) -> None:
        failures = 0
        while True:
            heard = self.heard
            try:
                await self._once()
            except (LinkLost, LinkDown, OSError):
                pass
            except guard.Refused as refused:
                self.said = text.clean_line(str(refused))
            except Exception as fault:
                said = text.clean_line(repr(fault))
                self.said = Safe(f"A fault of cockpit's own: {said}. It tries again.")
            failures = 0 if self.heard > heard else failures + 1
            if self._target.link.state.usable:
                await asyncio.sleep(min(0.1 * 2**failures, 2.0))
                continue
            try:
                await self._target.ready()
            except LinkDown:
                await asyncio.sleep(2.0)
