"""Keeps the truth about the containers of one engine, and says how old it is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from cockpit import keeping
from cockpit.containers.container import Container, from_inspect, from_list
from cockpit.containers.engine import Engine, EngineTrouble, NoSuchContainer
from cockpit.containers.history import History
from cockpit.containers.numbers import STREAMS, Numbers
from cockpit.containers.stats import Sample
from cockpit.containers.wire import Listed
from cockpit.text import Safe, clean_line

INSPECTED_STOPPED: Final = 200
ASKED_AT_ONCE: Final = 6
AT_A_TIME: Final = 50
TOLD_EVERY: Final = 0.2
NUMBERS_EVERY: Final = 1.0
QUIET: Final = 1.2
UNANSWERED: Final = 1.0
REPLAYED: Final = timedelta(seconds=3)
SAME_BOUT: Final = 10


@dataclass(frozen=True, slots=True)
class Containers:
    """What is running, as far as is known.

    rows: in no order; empty also before the first answer. at: monotonic seconds of the last sign
    of life, None before the first. trouble: why the rows may be old and what to do, "" when all
    is well. how: how the numbers come. engine_version: "" before the first answer. host: whose
    engine it is. histories: by id, of those that have numbers; goes on as they come. asked: by id,
    when the engine was told to stop or kill it last, in nanoseconds on its clock.
    """

    rows: tuple[Container, ...]
    at: float | None
    trouble: Safe
    how: str
    engine_version: Safe
    host: Safe
    histories: Mapping[str, History]
    asked: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


class Watch:
    """Follows one engine until closed; comes back by itself when the engine or the link does.

    One list, then kept true by events, each answered by an inspect of that container; listed
    again after any gap. on_change is called on the event loop, at most five times a second, and
    once a second where only numbers are new.
    stopped: whether `snapshot` has the containers that do not run; may be set at any time.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        stopped: bool = True,
        on_change: Callable[[], None] = lambda: None,
        streams: int = STREAMS,
    ) -> None:
        self.stopped = stopped
        self._engine = engine
        self._on_change = on_change
        self._rows: dict[str, Container] = {}
        self._shown: tuple[bool, tuple[Container, ...]] | None = None
        self._numbers = Numbers(engine, self._counted, streams)
        self._questions = _Questions()
        self._destroyed: deque[str] = deque(maxlen=AT_A_TIME)
        self._asked: dict[str, int] = {}
        self._at: float | None = None
        self._reason = f"Docker at {engine.where} is being asked."
        self._main: asyncio.Task[None] | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._numbers_told = 0.0
        self._unwatch: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to watch; returns at once. Errors become `trouble`."""
        if self._main is None:
            self._main = asyncio.create_task(self._run(), name="containers")
            self._unwatch = self._engine.target.watch(lambda _: self._changed())

    async def close(self) -> None:
        """Stop watching. The engine stays open: it is not ours."""
        self._unwatch()
        main, self._main = self._main, None
        await keeping.end(main)
        if self._telling is not None:
            self._telling.cancel()

    def in_sight(self, ids: Collection[str] | None) -> None:
        """Those whose numbers should come every two seconds; None for all, as at first."""
        self._numbers.in_sight(ids)

    @property
    def snapshot(self) -> Containers:
        return Containers(
            self._all(),
            self._at,
            self._trouble(),
            self._numbers.how,
            self._engine.version_text,
            self._engine.where,
            self._numbers.histories,
            self._asked,
        )

    def _all(self) -> tuple[Container, ...]:
        """The rows, the same tuple as long as nothing in it is new."""
        if self._shown is None or self._shown[0] is not self.stopped:
            rows = self._rows.values()
            self._shown = (
                self.stopped,
                tuple(row for row in rows if self.stopped or row.live or row.state == "restarting"),
            )
        return self._shown[1]

    def _put(self, row: Container) -> None:
        """What is new of a container, with what it used last."""
        known = self._rows.get(row.id)
        sample = known.sample if known and row.live else None
        since, was = row.unhealthy_since, known.unhealthy_since if known else None
        # Reckoned anew it comes out a little different each time.
        if since and was and since - was < (self._engine.now() - was) / SAME_BOUT:
            since = was
        self._rows[row.id] = replace(
            row, sample=sample, host=self._engine.where, unhealthy_since=since
        )
        self._shown = None
        if row.live:
            self._numbers.live(row.id)
        else:
            self._numbers.ended(row.id)

    def _counted(self, container: str, made: Sample) -> None:
        row = self._rows.get(container)
        if row is not None and row.live:
            self._rows[container] = replace(row, sample=made)
            self._shown = None
            self._alive()
            if self._telling is None:
                wait = self._numbers_told + NUMBERS_EVERY - time.monotonic()
                self._tell_in(max(TOLD_EVERY, wait))

    def _trouble(self) -> Safe:
        reason = self._engine.link_trouble or self._reason or self._engine.silence
        if not reason or self._at is None:
            return Safe(reason)
        seconds = int(time.monotonic() - self._at)
        age = f"{seconds} s" if seconds < 100 else f"{seconds // 60} min"
        return Safe(f"What is shown is {age} old. {reason}")

    def _alive(self) -> None:
        """Something came from the engine."""
        self._at = time.monotonic()
        self._reason = ""
        self._engine.silence = Safe("")

    def _news(self) -> None:
        """More than numbers came from the engine."""
        self._alive()
        self._changed()

    def _changed(self) -> None:
        self._tell_in(TOLD_EVERY)

    def _tell_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._telling is not None:
            if self._telling.when() <= loop.time() + seconds:
                return
            self._telling.cancel()
        self._telling = loop.call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._telling = None
        self._numbers_told = time.monotonic()
        self._on_change()

    async def _run(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._session()
            except* EngineTrouble as troubles:
                self._reason = str(_first(troubles))
            except* Exception as faults:
                fault = _first(faults)
                self._reason = (
                    f"A fault of cockpit's own: {clean_line(repr(fault))}. It tries again."
                )
            self._changed()
            failures = 0 if self._at is not None and self._at > began else failures + 1
            await keeping.rest(self._engine.target, min(0.25 * 2**failures, 1.0))

    async def _session(self) -> None:
        """Follow the engine until something breaks. Raises a group of EngineTrouble."""
        await self._engine.version()
        since = self._engine.now() - REPLAYED
        self._questions = _Questions()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(since))
            await self._take(await self._engine.list())
            for _ in range(1 if self._engine.through else ASKED_AT_ONCE):
                group.create_task(self._ask())
            group.create_task(self._numbers.run())
            group.create_task(self._beat())

    async def _take(self, listed: tuple[Listed, ...]) -> None:
        """The list is the whole truth: what it lacks is gone."""
        gone = self._rows.keys() - {row.id for row in listed}
        stopped: list[Container] = []
        for number, each in enumerate(listed, 1):
            if each.id in self._destroyed:
                continue
            row = from_list(each)
            known = self._rows.get(row.id)
            if known and known.state == row.state:
                row = replace(known, name=row.name, image=row.image)
            self._put(row)
            if row.live:
                self._questions.put(row.id)
            else:
                stopped.append(row)
            if number % AT_A_TIME == 1:  # thousands take a second
                await asyncio.sleep(0)
        for container in gone:
            self._forget(container)
        stopped.sort(key=lambda row: row.exit_code in (0, None))
        for row in stopped[:INSPECTED_STOPPED]:
            self._questions.put(row.id)
        self._news()

    def _forget(self, container: str) -> None:
        self._rows.pop(container, None)
        self._asked.pop(container, None)
        self._shown = None
        self._numbers.gone(container)
        self._changed()

    async def _hear(self, since: datetime) -> None:
        async with aclosing(self._engine.events_stream(since)) as events:
            async for event in events:
                if event.action == "destroy":
                    self._destroyed.append(event.actor.id)
                    self._forget(event.actor.id)
                else:
                    if event.action in ("stop", "kill"):
                        self._asked[event.actor.id] = event.time_ns
                    self._questions.put(event.actor.id)
                self._news()
        raise EngineTrouble(f"Docker at {self._engine.where} stopped. It is asked again by itself.")

    async def _ask(self) -> None:
        while True:
            container = await self._questions.get()
            try:
                row = from_inspect(await self._engine.inspect(container))
                if container not in self._destroyed:  # meanwhile
                    self._put(row)
            except NoSuchContainer:
                self._forget(container)
            self._questions.done(container)
            self._news()

    async def _beat(self) -> None:
        """Notice an engine that is silent though its connections stand."""
        while True:
            await asyncio.sleep(0.5)
            if self._at is None or time.monotonic() - self._at < QUIET:
                continue
            ping = asyncio.create_task(self._engine.ping())
            try:
                rtt = self._engine.target.link.rtt or 0.0
                done, _ = await asyncio.wait((ping,), timeout=max(UNANSWERED, 3 * rtt))
                while not done:
                    if not self._engine.link_trouble:
                        self._engine.silence = self._silence()
                    self._changed()
                    done, _ = await asyncio.wait((ping,), timeout=0.5)
                ping.result()
            finally:
                ping.cancel()
            self._news()

    def _silence(self) -> Safe:
        return Safe(
            f"Docker at {self._engine.where} does not answer, though it takes connections. "
            "If it stays so, look at it there: systemctl status docker"
        )


class _Questions:
    """Containers to inspect: each at most once in line, and never twice at the same time."""

    def __init__(self) -> None:
        self._line: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._asked: set[str] = set()

    def put(self, container: str) -> None:
        if container not in self._waiting:
            self._waiting.add(container)
            if container not in self._asked:
                self._line.put_nowait(container)

    async def get(self) -> str:
        container = await self._line.get()
        self._waiting.discard(container)
        self._asked.add(container)
        return container

    def done(self, container: str) -> None:
        self._asked.discard(container)
        if container in self._waiting:
            self._line.put_nowait(container)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
