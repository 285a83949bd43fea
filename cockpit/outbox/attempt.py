"""One try, in a thread of its own: a name that is looked up, or a hung server, holds up nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from cockpit.incident.logbook import aside
from cockpit.outbox.letter import End

IN_ALL: Final = 60.0


class GivenUp(Exception):
    """Nobody waits for this attempt any more, and nothing has left: so nothing does."""


class Attempt:
    """A thread cannot be stopped; but what has not begun to send can be kept from it.

    Else a try that was long given up could still deliver, after the next one and without its mark.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._given_up = False

    def begin(self) -> None:
        """To be called right before what may make the message arrive. Raises GivenUp."""
        with self._lock:
            if self._given_up:
                raise GivenUp
            self._begun = True

    def give_up(self) -> bool:
        """Nothing begins from now on; whether something had."""
        with self._lock:
            self._given_up = True
            return self._begun


async def beside(work: Callable[[Attempt], End]) -> End:
    """How the work ended, which runs beside the loop; it is not waited for for ever."""
    attempt = Attempt()
    try:
        async with asyncio.timeout(IN_ALL):
            return await aside(lambda: work(attempt))
    except TimeoutError:
        return End("it has not answered in time", ambiguous=attempt.give_up())
    finally:
        attempt.give_up()
