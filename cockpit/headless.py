"""A responder without a screen: on a host, until it is reached; for trials, one that only reads.

The journal of a trial is an ordinary one, in a folder apart (`paths.trials`): nothing offers it as
an open incident.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cockpit import paths
from cockpit.config import Config
from cockpit.incident.incident import Run
from cockpit.responder import Chosen, Responder
from cockpit.runbook.model import Runbook
from cockpit.target import guard
from cockpit.target.target import LinkDown, LinkState, Target

REACH_PATIENCE = 15.0
LOST_PATIENCE = 120.0
STOP_PATIENCE = 20.0


class Unreachable(Exception):
    """The host does not answer, or no longer; the message says which, why and what to do."""


class Shut(Exception):
    """The gate would ask a person, so the command was not sent."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A run that is over, or was given up. cut: it was stopped after its time."""

    run: Run
    output: bytes
    cut: bool = False


class Headless:
    """Asks one host. Made by `on`."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self._changed = asyncio.Event()
        responder.changed = self._changed.set

    @property
    def folder(self) -> Path | None:
        """Where the journal is; None while nothing was run."""
        return self.responder.folder

    async def read(self, command: str, chosen: Chosen | None = None, *, seconds: float) -> Heard:
        """Runs a command that passes the gate unasked, and waits for its end.

        It is stopped after `seconds`, not counting those in which the link was lost. Raises Shut
        where the gate would ask, CannotRun where nothing was sent, Unreachable where the link is
        lost for good; the command then goes on on the host. Cancelled, it stops the command.
        """
        asked = guard.ask(self.responder.intent(command, chosen))
        if asked.level is not guard.Level.OPEN:
            raise Shut(f"changes something: {asked.intent.because}")
        job = await self.responder.run(guard.answer(asked), chosen)
        try:
            cut = not await self._over(job, seconds)
        except asyncio.CancelledError:
            await self._stop(job)
            raise
        if cut:
            await self._stop(job)
        run = self.responder.incident.runs[job]
        return Heard(run, self.responder.log.output_of(run), cut)

    async def _over(self, job: str, seconds: float) -> bool:
        """Waits for the end of a run; False when its time is up first."""
        target = self.responder.target
        left, lost = seconds, LOST_PATIENCE
        while not self.responder.incident.runs[job].over:
            link, before = target.link, time.monotonic()
            if link.state is LinkState.DOWN or lost <= 0:
                raise Unreachable(
                    f"{target.name}: the link was lost and does not come back ({link.reason}). "
                    "The command goes on there."
                )
            if left <= 0:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout(min(left, 0.5)):
                    await self._changed.wait()
            except TimeoutError:
                pass
            passed = time.monotonic() - before
            if link.state.usable:
                left, lost = left - passed, LOST_PATIENCE
            else:
                lost -= passed
        return True

    async def _stop(self, job: str) -> None:
        await self.responder.stop(job)
        await self._over(job, STOP_PATIENCE)


@asynccontextmanager
async def on(
    host: str, config: Config, who: str, runbook: Runbook | None = None
) -> AsyncIterator[Headless]:
    """A headless responder on a host, connected. Raises Unreachable."""
    responder = Responder(paths.trials(), who, config, training=True)
    try:
        if runbook is not None:
            responder.open_runbook(runbook)
        await reach(await choose(responder, host))
        yield Headless(responder)
    finally:
        await responder.close()


async def choose(responder: Responder, host: str) -> Target:
    """Has a responder's commands run on a host, without looking at the containers there."""
    target = responder.choose_host(host)
    if responder.watch is not None:
        await responder.watch.close()
        responder.watch = None
    return target


async def reach(
    target: Target, asking: Callable[[], bool] = lambda: False, seconds: float = 0.0
) -> None:
    """Waits until a host is connected. Raises Unreachable.

    asking: whether somebody is just being asked something, which may take as long as it takes.
    seconds: how long without that; 0 is as long as anybody would wait for a host.
    """
    left = seconds or REACH_PATIENCE
    ready = asyncio.create_task(target.ready())
    try:
        while left > 0:
            before = time.monotonic()
            await asyncio.wait([ready], timeout=min(left, 0.2))
            if ready.done():
                return ready.result()
            left -= 0.0 if asking() else time.monotonic() - before
        why = target.link.reason or "it does not answer"
    except LinkDown as down:
        why = str(down)
    finally:
        ready.cancel()
        await asyncio.wait([ready])
    raise Unreachable(plainly(target.name, why))


def plainly(host: str, why: str) -> str:
    """Why a host cannot be reached, as it is said where there are no keys to press."""
    prefix = "" if why.startswith(host) else f"{host}: "
    return prefix + why.replace("press ctrl+r", "try again").replace("Press ctrl+r", "Run it again")
