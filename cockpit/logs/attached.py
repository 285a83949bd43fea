"""A command on a host that is read for ever, begun again after each cut of the link."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from cockpit import keeping, text
from cockpit.logs.source import LogTrouble
from cockpit.target import guard
from cockpit.target.reading import read
from cockpit.target.target import LinkDown, LinkLost, Target
from cockpit.text import Safe

WITHIN: Final = 15.0


async def asked(target: Target, let: Callable[[str], guard.Pass], command: str) -> bytes:
    """What a command on a host says, once. Raises LogTrouble where it cannot be had in time."""
    host = text.clean_line(target.name)
    try:
        said = await read(target, let(command), WITHIN)
    except (LinkLost, LinkDown, OSError, guard.Refused) as lost:
        why = text.clean_line(str(lost)) or "the link is gone"
        raise LogTrouble(f"{host}: {why}") from lost
    if said.cut:
        raise LogTrouble(f"{host} has not sent it within {WITHIN:.0f} s.")
    return said.output


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
        await keeping.end(main)

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
            await keeping.rest(self._target, min(0.1 * 2**failures, 2.0))
