"""Dialing a host until one attempt lives: a new one begins while older ones still hang."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from cockpit.target.target import LinkDown, Unreachable

RETRY_S: Final = (2.0, 5.0)
RETRY_MOST_S: Final = 30.0
_EAGER_S: Final = 120.0
_ATTEMPTS: Final = 3

T = TypeVar("T")


def pause(away: float) -> float:
    """Seconds between the beginnings of two attempts at a host that is away for so long."""
    return min(RETRY_MOST_S, random.uniform(*RETRY_S) * max(1.0, away / _EAGER_S))


async def race(
    attempt: Callable[[], Coroutine[Any, Any, T]],
    *,
    name: str,
    since: float,
    now: asyncio.Event,
    busy: Callable[[], bool],
    tell: Callable[[str, float], None],
) -> T:
    """The first that lives; the others are cancelled, and their late result is thrown away.

    since: when the host went away (time.monotonic()). now: set it to begin another at once. busy:
    whether an attempt waits for an answer, so that no other is begun. tell: called with the reason
    of a failure ("" when an attempt begins) and the time of the next attempt. Raises LinkDown.
    """
    attempts: list[asyncio.Task[T]] = []
    try:
        while True:
            if len(attempts) == _ATTEMPTS:
                # Not the eldest: it may be a host that takes long over a login.
                await abandon(attempts.pop(1))
            attempts.append(asyncio.create_task(attempt()))
            now.clear()
            next_at = time.monotonic() + pause(time.monotonic() - since)
            tell("", next_at)
            while (left := next_at - time.monotonic()) > 0:
                called = asyncio.create_task(now.wait())
                try:
                    await asyncio.wait(
                        [*attempts, called], timeout=left, return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    called.cancel()
                for ended in [each for each in attempts if each.done()]:
                    attempts.remove(ended)
                    try:
                        return ended.result()
                    except LinkDown:
                        raise
                    except Unreachable as failure:
                        reason = str(failure)
                    except Exception as surprise:
                        # Nothing that a host or a library does may end the keeping of a link.
                        reason = f"{name}: {type(surprise).__name__}: {surprise}"
                    tell(reason, next_at)
                if busy():
                    # Another would ask the same again: it is seen to when the next one is due.
                    now.clear()
                    if next_at - time.monotonic() < RETRY_S[0]:
                        next_at = time.monotonic() + RETRY_S[0] + 1.0
                        tell("", next_at)
                elif now.is_set():
                    since = time.monotonic()
                    break
    finally:
        await asyncio.gather(*(abandon(each) for each in attempts))


async def abandon(task: asyncio.Task[Any]) -> None:
    """Cancel an attempt; one that lived at the last moment is dropped."""
    task.cancel()
    await asyncio.wait([task], timeout=1.0)
    task.add_done_callback(_drop)


def _drop(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().abort()
