"""Sends what waits in the outbox of one incident: at least once, in order per destination.

attempt    on disk before a byte leaves: what comes after a crash knows that it may have arrived
no answer  it may have arrived: the next attempt says "(possible duplicate)" in the text
waits      holds back what is behind it for that destination; final failures and what waits for
           the responder's word do not
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from cockpit import clock
from cockpit.config import Config, Destination
from cockpit.incident import events as e
from cockpit.incident.logbook import Logbook
from cockpit.incident.outgoing import Outgoing, Way, stale
from cockpit.outbox.attempt import Attempt, beside
from cockpit.outbox.letter import End, Letter, letter
from cockpit.outbox.secret import NoSecret, pieces, secret
from cockpit.target import network

FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 60.0
SETTLING: Final = 1.0
"""Seconds between two attempts although a network comes and goes, as where containers start."""
LEAVING: Final = 1.0
"""Seconds that leaving waits for the end of an attempt, which would otherwise not be known."""
NOT_WRITTEN: Final = (
    "nothing was sent, as it cannot be written down first: the disk takes nothing. "
    "Say it by another way"
)


class Sender:
    """Lives on the event loop of its logbook; no verb of it raises."""

    def __init__(self, log: Logbook, config: Config) -> None:
        self._log = log
        self._config = config
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._busy: set[str] = set()
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._tried: dict[str, float] = {}
        self._hurried = asyncio.Event()
        self._unwatch: Callable[[], None] | None = None
        self._once = self._left = False

    def wake(self) -> None:
        """Something may have to be sent: sees to it, in the background."""
        if self._left or self._log.reading or self._log.training:
            return
        for name in self._destinations():
            lane = self._lanes.get(name)
            if (lane is None or lane.done()) and self._next(name):
                self._lanes[name] = asyncio.get_running_loop().create_task(self._lane(name))
        if self._unwatch is None and self._lanes:
            self._unwatch = network.watch(self._network_back)

    def hurry(self) -> None:
        """Tries at once, except where a destination asked to wait."""
        self._not_before.clear()
        self._failures.clear()
        self._hurried.set()
        self.wake()

    def _network_back(self) -> None:
        self.hurry()
        self._not_before = {name: at + SETTLING for name, at in self._tried.items()}

    async def drain(self) -> None:
        """Sends what can be sent now: each destination until it fails, or asks to wait."""
        self._once = True
        self.hurry()
        await asyncio.gather(*self._lanes.values())

    async def close(self) -> None:
        """Begins no further attempt; one that is under way has a moment to end."""
        self._left = True
        if self._unwatch:
            self._unwatch()
        busy = [self._lanes[name] for name in self._busy if name in self._lanes]
        for lane in self._lanes.values():
            if lane not in busy:
                lane.cancel()
        if busy:
            await asyncio.wait(busy, timeout=LEAVING)
        for lane in self._lanes.values():
            lane.cancel()
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)

    def _destinations(self) -> dict[str, None]:
        outbox = self._log.incident.outbox.values()
        return dict.fromkeys(one.queued.to for one in outbox if one.waits)

    def _next(self, name: str) -> Outgoing | None:
        """What goes there next: the oldest that waits and needs nobody's word."""
        now, incident = clock.moment(), self._log.incident
        for one in incident.outbox.values():
            if one.queued.to == name and one.waits and not stale(one, incident, now):
                return one
        return None

    async def _lane(self, name: str) -> None:
        """All that waits for one destination, one after the other."""
        while not self._left and (one := self._next(name)):
            pause = self._pause(name)
            if pause > 0 and self._once:
                return
            if pause > 0:
                self._hurried.clear()
                await _set_or_after(self._hurried, pause)
                continue
            self._busy.add(name)
            try:
                end = await self._send(one)
            finally:
                self._busy.discard(name)
                self._tried[name] = asyncio.get_running_loop().time()
            if end.why and not end.final:
                self._back_off(name)
                if self._once:
                    return
            else:
                self._failures.pop(name, None)

    def _pause(self, name: str) -> float:
        """Seconds until the destination may be tried; 0 for now."""
        now = clock.moment()
        asked = [
            one.wait - clock.between(one.tried, now)
            for one in self._log.incident.outbox.values()
            if one.queued.to == name and one.wait and one.tried
        ]
        own = self._not_before.get(name, 0.0) - asyncio.get_running_loop().time()
        return max(0.0, own, *asked)

    def _back_off(self, name: str) -> None:
        count = self._failures[name] = self._failures.get(name, 0) + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(count - 1, 10))
        # Not all cockpits of a team at the same time.
        pause *= random.uniform(0.5, 1.0)
        self._not_before[name] = asyncio.get_running_loop().time() + pause

    # One attempt

    async def _send(self, one: Outgoing) -> End:
        """Tries once, and writes down how it ended."""
        name, log = one.queued.to, self._log
        destination = self._config.outbox.get(name)
        if destination is None:
            return self._not_begun(one, f"cockpit.yaml knows no destination {name}; add it there")
        try:
            given = await secret(name, destination)
        except NoSecret as error:
            return self._not_begun(one, str(error))
        for piece in pieces(given):
            log.hide(piece)
        one = log.incident.outbox[one.id]
        if not one.waits or stale(one, log.incident, clock.moment()):  # since it was looked at
            return End()
        duplicate = one.ambiguous or one.way is Way.SENDING
        attempt = log.append(
            e.MessageAttempted(message=one.id, attempt=one.attempts + 1, duplicate=duplicate)
        )
        if not await log.saved_up_to(attempt):
            return self._ended(one, End(NOT_WRITTEN))
        if not log.incident.outbox[one.id].waits:  # cancelled meanwhile
            return End()
        made = letter(one, log.incident, clock.moment(), duplicate=duplicate)
        return self._ended(one, await _deliver(name, destination, made, given))

    def _not_begun(self, one: Outgoing, why: str) -> End:
        """Nothing was sent; that is written down once, not at each try."""
        if self._log.clean(why) == one.why:
            return End(why)
        return self._ended(one, End(why, ambiguous=one.way is Way.SENDING))

    def _ended(self, one: Outgoing, end: End) -> End:
        log, before = self._log, one.ambiguous or one.way is Way.SENDING
        if not end.why:
            log.append(e.MessageSent(message=one.id))
        else:
            log.append(
                e.MessageFailed(
                    message=one.id,
                    why=log.clean(end.why),
                    # Refused for good now; an attempt before may have arrived all the same.
                    ambiguous=end.ambiguous or (end.final and before),
                    wait=end.wait,
                    final=end.final,
                )
            )
        return end


async def _deliver(name: str, destination: Destination, made: Letter, given: str) -> End:
    """By the way that the destination is reached. Raises nothing."""
    try:
        return await beside(lambda attempt: _sent(name, destination, made, given, attempt))
    except Exception as error:  # a mistake of ours must not end the sending
        return End(f"a fault in cockpit: {type(error).__name__}", ambiguous=True)


def _sent(name: str, destination: Destination, made: Letter, given: str, attempt: Attempt) -> End:
    if destination.kind == "smtp":
        from cockpit.outbox import mail

        return mail.send(destination, made, given, attempt)
    if destination.kind == "apprise":
        from cockpit.outbox import other

        return other.send(made, given, attempt)
    from cockpit.outbox import http, posts

    try:
        post = posts.post(destination, made, given)
    except posts.Unfit as unfit:
        return End(str(unfit), final=True)
    return http.send(destination.kind, post, attempt, posts.where(name, destination))


async def _set_or_after(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
