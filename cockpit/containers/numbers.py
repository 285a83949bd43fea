"""What the containers of one engine use: often of those in sight, seldom of the rest."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress
from itertools import islice
from typing import Final

from cockpit.containers import far
from cockpit.containers.engine import Engine, EngineTrouble
from cockpit.containers.history import History
from cockpit.containers.stats import Sample, sample
from cockpit.containers.wire import Stats
from cockpit.target.target import LinkDown, LinkLost

STREAMS: Final = 64
SKIPPED: Final = 2.0
SELDOM: Final = 10.0
AT_ONCE: Final = 16
NEWEST: Final = 500
SETTLED: Final = 0.5
AT_A_TIME: Final = 10
PAUSE: Final = 0.02
LASTING: Final = 3
LOOKED_EVERY: Final = 5.0


class Numbers:
    """Samples of the containers that live, as long as `run` runs.

    A stream each for those in sight, of which every second answer counts; and a short one for each
    that is new, so that its CPU is soon known. The rest is asked one by one, each every ten
    seconds; where they are many, so that `AT_ONCE` wait for their answers at any time, later.
    came: is given each sample; histories keep them, also over gaps.
    """

    def __init__(
        self, engine: Engine, came: Callable[[str, Sample], None], streams: int = STREAMS
    ) -> None:
        self.histories: dict[str, History] = {}
        self._engine = engine
        self._came = came
        self._limit = streams
        self._seen: frozenset[str] | None = None
        self._often: set[str] = set()
        self._live: dict[str, None] = {}
        self._raw: dict[str, Stats] = {}
        self._streams: dict[str, asyncio.Task[None]] = {}
        # Of thousands the rest has its turn with those that are asked seldom.
        self._new: deque[str] = deque(maxlen=NEWEST)
        self._line: deque[str] = deque()
        self._asked: dict[str, float] = {}
        self._lined: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._far_every = 0
        self._thin = False
        self._far_fails = False

    @property
    def how(self) -> str:
        """How the numbers come, in words."""
        if self._thin:
            return f"sampled there every {self._far_every} s, as the link is slow"
        if self._far_every:
            return f"sampled there every {self._far_every} s through `{self._engine.through}`"
        way = f" through `{self._engine.through}`" if self._engine.through else ""
        rest = self._rest()
        if not rest:
            return "streams" + way
        polled = f"every {self._round():.0f} s{way}"
        streams = len(self._live) - rest
        return f"{streams} streams, {rest} polled {polled}" if streams else f"polled {polled}"

    def in_sight(self, ids: Collection[str] | None) -> None:
        """Those whose numbers should come often, from soon on; None for all, as at first."""
        seen = None if ids is None else frozenset(ids)
        if seen != self._seen:
            self._seen = seen
            self._attend_soon()

    def live(self, container: str) -> None:
        """It has processes; may be said again."""
        if container not in self._live:
            self._live[container] = None
            self._new.append(container)
            if not self._engine.through:
                self._asked[container] = time.monotonic()
            if container not in self._lined:
                self._lined.add(container)
                self._line.append(container)
            self._attend_soon()

    def ended(self, container: str) -> None:
        """It has no processes any more; what it used stays in the histories."""
        if container in self._live:
            del self._live[container]
            self._raw.pop(container, None)
            self._asked.pop(container, None)
            if task := self._streams.pop(container, None):
                task.cancel()
            self._attend_soon()

    def gone(self, container: str) -> None:
        """It is no more."""
        self.ended(container)
        self.histories.pop(container, None)

    async def run(self) -> None:
        """Ask until cancelled. Whether the engine is there is for others to find out."""
        while True:
            await self._sample_far()
            await self._sample_here()

    async def _sample_here(self) -> None:
        """Ask the engine itself; returns when the link has become too slow for that."""
        # What was counted before a gap would make the average over it look like now.
        self._raw.clear()
        self._streams.clear()
        self._new.extend(self._live)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                asking = [
                    group.create_task(self._ask())
                    for _ in range(1 if self._engine.through else AT_ONCE)
                ]
                self._attend()
                await self._slow()
                self._group = None
                for task in (*asking, *self._streams.values()):
                    task.cancel()
        finally:
            self._group = None
            self._streams.clear()
            self._often.clear()
            if self._settling is not None:
                self._settling.cancel()
                self._settling = None

    def _attend_soon(self) -> None:
        """Not at once: whoever scrolls past them opens no stream for each."""
        if self._settling is None and self._group is not None:
            later = asyncio.get_running_loop().call_later
            self._settling = later(SETTLED if self._often else 0.0, self._attend)

    def _attend(self) -> None:
        """A stream for each in sight and for each that is new, as far as there may be streams."""
        self._settling = None
        group = self._group
        if group is None or self._engine.through:
            return
        wanted = self._live if self._seen is None else self._seen & self._live.keys()
        self._often = set(islice(wanted, self._limit))
        for container, task in list(self._streams.items()):
            if container not in self._often and container in self._raw:
                task.cancel()
                del self._streams[container]
        missing = list(self._often - self._streams.keys())
        while self._new and len(self._streams) + len(missing) < self._limit + AT_ONCE:
            container = self._new.popleft()
            if container in self._live and container not in self._streams:
                missing.append(container)
        # Not all in one turn of the loop: a connection takes half a millisecond of it.
        for place, container in enumerate(dict.fromkeys(missing)):
            wait = place // AT_A_TIME * PAUSE
            self._streams[container] = group.create_task(self._count(container, wait))

    async def _count(self, container: str, wait: float) -> None:
        """Follow one container; whether it lives is for the events to say."""
        await asyncio.sleep(wait)
        while True:
            with suppress(EngineTrouble):
                async with aclosing(self._engine.stats_stream(container, int(SKIPPED))) as stream:
                    number = 0
                    async for raw in stream:
                        number += 1
                        often = container in self._often
                        self._sampled(container, raw, SKIPPED if often else self._round())
                        if number > 1 and not often:
                            self._asked[container] = time.monotonic()
                            self._streams.pop(container, None)
                            self._attend_soon()
                            return
            await asyncio.sleep(1.0)

    async def _ask(self) -> None:
        """Ask those without a stream, the one that waits longest first."""
        while True:
            while self._line and self._line[0] not in self._live:
                self._lined.discard(self._line.popleft())
            if not self._line:
                await asyncio.sleep(1.0)
                continue
            container = self._line.popleft()
            try:
                wait = self._asked.get(container, 0.0) + self._round() - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                if container in self._live and container not in self._streams:
                    await self._ask_one(container)
                else:
                    self._asked[container] = time.monotonic()
            finally:
                self._line.append(container)

    async def _ask_one(self, container: str) -> None:
        before, now = self._asked.get(container), time.monotonic()
        self._asked[container] = now
        with suppress(EngineTrouble):
            raw = await self._engine.stats(container)
            self._sampled(container, raw, max(self._round(), now - before if before else 0.0))

    def _round(self) -> float:
        """Seconds from one question about a container of the rest to the next."""
        # An engine may have each of them wait a second, as that of Docker 20.10 does.
        return max(SELDOM, self._rest() / (1 if self._engine.through else AT_ONCE))

    def _rest(self) -> int:
        """How many have no stream of their own."""
        live = len(self._live)
        if self._engine.through:
            return live
        wanted = live if self._seen is None else len(self._seen & self._live.keys())
        return live - min(wanted, self._limit)

    def _sampled(self, container: str, raw: Stats, every: float) -> None:
        made = sample(self._raw.get(container), raw, time.monotonic(), every)
        if made is not None and container in self._live:
            self._raw[container] = raw
            self._keep(container, made)

    def _keep(self, container: str, made: Sample) -> None:
        history = self.histories.get(container)
        if history is None:
            history = self.histories[container] = History()
        history.add(made)
        self._came(container, made)

    async def _slow(self) -> None:
        """Return when the link has been slow for a while and there is another way."""
        slow = 0
        while slow < LASTING:
            await asyncio.sleep(LOOKED_EVERY)
            possible = self._engine.far_command and not self._far_fails
            slow = slow + 1 if possible and far.thin(self._engine.target.link.rtt) else 0

    async def _sample_far(self) -> None:
        """Numbers by the docker command on the host, while the link is slow and it works there."""
        engine = self._engine
        self._thin = far.thin(engine.target.link.rtt) and bool(engine.far_command)
        self._far_every = far.EVERY if self._thin else far.OFTEN if engine.through else 0
        if not self._far_every:
            return
        began, fast = time.monotonic(), 0.0
        with suppress(LinkLost, LinkDown):
            every, docker = self._far_every, engine.far_command
            async with aclosing(far.sampled(engine.target, docker, every)) as got:
                short: dict[str, str] = {}
                async for begin, made in got:
                    if begin not in short:
                        short = {container[:12]: container for container in self._live}
                    if (container := short.get(begin[:12])) in self._live:
                        self._keep(str(container), made)
                    if engine.through or far.thin(2 * (engine.target.link.rtt or 0.0)):
                        fast = 0.0
                    elif not fast:
                        fast = made.at
                    elif made.at - fast > LASTING * LOOKED_EVERY:
                        break
        self._thin, self._far_every = False, 0
        self._far_fails = time.monotonic() - began < LASTING * LOOKED_EVERY
