"""What a task does that goes on until it is closed: rests between attempts, and ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from cockpit.target.target import LinkDown, Target

DOWN_S = 2.0


async def rest(target: Target, seconds: float) -> None:
    """Wait before the next attempt; for the link when that is what is missing."""
    if target.link.state.usable:
        await asyncio.sleep(seconds)
        return
    try:
        await target.ready()
    except LinkDown:
        await asyncio.sleep(DOWN_S)


async def end(task: asyncio.Task[None] | None) -> None:
    """Cancel it, and return when it is over; None is over already."""
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
