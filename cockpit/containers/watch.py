"""Keeps the truth about the containers of one engine, and says how old it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cockpit.containers import far
from cockpit.containers.container import Container, from_inspect, from_list
from cockpit.containers.engine import Engine, EngineTrouble, NoSuchContainer
from cockpit.containers.history import History
from cockpit.containers.stats import Sample, sample
from cockpit.containers.wire import Listed, Stats
from cockpit.target.target import LinkDown, LinkLost
from cockpit.text import Safe, clean_line

STREAMS: Final = 64
INSPECTED_STOPPED: Final = 200
ASKED_AT_ONCE: Final = 6
TOLD_EVERY: Final = 0.2
QUIET: Final = 1.5
UNANSWERED: Final = 1.0
REPLAYED: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Containers:
    """What is running, as far as is known.

    rows: in no order; empty also before the first answer. at: monotonic seconds of the last sign
    of life, None before the first. trouble: why the rows may be old and what to do, "" when all
    is well. how: how the numbers come. engine_version: "" before the first answer. host: whose
    engine it is. histories: by id, of those that have numbers; goes on as they come.
    """

    rows: tuple[Container, ...]
    at: float | None
    trouble: Safe
    how: str
    engine_version: Safe
    host: Safe
    histories: Mapping[str, History]


class Watch:
    """Follows one engine until closed; comes back by itself when the engine or the link does.

    One list, then kept true by events, each answered by an inspect of that container; listed
    again after any gap. on_change is called on the event loop, at most five times a second.
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
        self._limit = streams
        self._rows: dict[str, Container] = {}
        self._samples: dict[str, Sample] = {}
        self._raw: dict[str, Stats] = {}
        self._histories: dict[str, History] = {}
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._questions = _Questions()
        self._at: float | None = None
        self._reason = f"Docker at {engine.where} is being asked."
        self._polled_every = 0.0
        self._thin = False
        self._far_every = 0
        self._main: asyncio.Task[None] | None = None
        self._telling: asyncio.TimerHandle | None = None
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
        if main is not None:
            main.cancel()
            with suppress(asyncio.CancelledError):
                await main
        if self._telling is not None:
            self._telling.cancel()

    @property
    def snapshot(self) -> Containers:
        rows = tuple(
            replace(row, sample=self._samples.get(row.id), host=self._engine.where)
            for row in self._rows.values()
            if self.stopped or row.live or row.state == "restarting"
        )
        return Containers(
            rows,
            self._at,
            self._trouble(),
            self._how(),
            self._engine.version_text,
            self._engine.where,
            self._histories,
        )

    def _trouble(self) -> Safe:
        reason = self._engine.link_trouble or self._reason or self._engine.silence
        if not reason or self._at is None:
            return Safe(reason)
        seconds = int(time.monotonic() - self._at)
        age = f"{seconds} s" if seconds < 100 else f"{seconds // 60} min"
        return Safe(f"What is shown is {age} old. {reason}")

    def _how(self) -> str:
        if self._thin:
            return f"sampled there every {self._far_every} s, as the link is slow"
        if self._far_every:
            return f"sampled there every {self._far_every} s through `{self._engine.through}`"
        polled = sum(row.live for row in self._rows.values()) - len(self._streams)
        way = f" through `{self._engine.through}`" if self._engine.through else ""
        if polled <= 0 or not self._polled_every:
            return "streams" + way
        every = f"every {self._polled_every:.0f} s"
        if not self._streams:
            return f"polled {every}{way}"
        return f"{len(self._streams)} streams, {polled} polled {every}{way}"

    def _news(self) -> None:
        """Something came from the engine."""
        self._at = time.monotonic()
        self._reason = ""
        self._engine.silence = Safe("")
        self._changed()

    def _changed(self) -> None:
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TOLD_EVERY, self._tell)

    def _tell(self) -> None:
        self._telling = None
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
            self._streams.clear()
            self._changed()
            failures = 0 if self._at is not None and self._at > began else failures + 1
            await self._rest(min(0.25 * 2**failures, 2.0))

    async def _rest(self, seconds: float) -> None:
        """Wait before the next attempt; for the link when that is what is missing."""
        target = self._engine.target
        if not target.link.state.usable:
            try:
                await target.ready()
            except LinkDown:
                await asyncio.sleep(2.0)
            return
        await asyncio.sleep(seconds)

    async def _session(self) -> None:
        """Follow the engine until something breaks. Raises a group of EngineTrouble."""
        await self._engine.version()
        since = self._engine.now() - REPLAYED
        self._questions = _Questions()
        # What was counted before a gap would make the average over it look like now.
        self._raw.clear()
        self._thin = self._rtt() >= far.THIN_RTT and bool(self._engine.far_command)
        self._far_every = far.EVERY if self._thin else far.OFTEN if self._engine.through else 0
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(since))
            self._take(await self._engine.list())
            for _ in range(1 if self._engine.through else ASKED_AT_ONCE):
                group.create_task(self._ask(group))
            group.create_task(self._sample_far(group) if self._far_every else self._poll())
            group.create_task(self._beat())
            self._attend(group)

    def _take(self, listed: tuple[Listed, ...]) -> None:
        """The list is the whole truth: what it lacks is gone."""
        rows = [from_list(row) for row in listed]
        old, self._rows = self._rows, {}
        for row in rows:
            known = old.get(row.id)
            if known and known.state == row.state:
                row = replace(known, name=row.name, image=row.image)
            self._rows[row.id] = row
            if not row.live:
                self._forget_numbers(row.id)
        for gone in old.keys() - self._rows.keys():
            self._forget(gone)
        stopped = [row for row in rows if not row.live]
        stopped.sort(key=lambda row: row.exit_code in (0, None))
        for row in [row for row in rows if row.live] + stopped[:INSPECTED_STOPPED]:
            self._questions.put(row.id)
        self._news()

    def _forget(self, container: str) -> None:
        self._rows.pop(container, None)
        self._histories.pop(container, None)
        self._forget_numbers(container)
        self._changed()

    def _forget_numbers(self, container: str) -> None:
        self._samples.pop(container, None)
        self._raw.pop(container, None)

    async def _hear(self, since: datetime) -> None:
        async with aclosing(self._engine.events_stream(since)) as events:
            async for event in events:
                if event.action == "destroy":
                    self._forget(event.actor.id)
                else:
                    self._questions.put(event.actor.id)
                self._news()
        raise EngineTrouble(f"Docker at {self._engine.where} stopped. It is asked again by itself.")

    async def _ask(self, group: asyncio.TaskGroup) -> None:
        while True:
            container = await self._questions.get()
            try:
                row = from_inspect(await self._engine.inspect(container))
            except NoSuchContainer:
                self._forget(container)
            else:
                self._rows[row.id] = row
                if not row.live:
                    self._forget_numbers(row.id)
            self._questions.done(container)
            self._news()
            self._attend(group)

    def _attend(self, group: asyncio.TaskGroup) -> None:
        """One stats stream for each live container, as far as there may be streams."""
        for container, task in list(self._streams.items()):
            row = self._rows.get(container)
            if row is None or not row.live:
                task.cancel()
                del self._streams[container]
        limit = 0 if self._thin or self._engine.through else self._limit
        for row in self._rows.values():
            if len(self._streams) >= limit:
                break
            if row.live and row.id not in self._streams:
                self._streams[row.id] = group.create_task(self._count(row.id))

    async def _count(self, container: str) -> None:
        """Follow the numbers of one container; whether it lives is for the events to say."""
        while True:
            with suppress(EngineTrouble):
                async with aclosing(self._engine.stats_stream(container)) as stream:
                    async for raw in stream:
                        self._sampled(container, raw, 1.0)
            await asyncio.sleep(1.0)

    async def _poll(self) -> None:
        """Numbers of those that have no stream, one after the other."""
        began = time.monotonic()
        while True:
            waiting = [
                row.id for row in self._rows.values() if row.live and row.id not in self._streams
            ]
            pace = max(0.05, 2.0 / max(1, len(waiting)))
            # An engine may have each of them wait a second, as that of Docker 20.10 does.
            self._polled_every = max(pace * len(waiting), time.monotonic() - began)
            began = time.monotonic()
            for container in waiting:
                asked = time.monotonic()
                with suppress(EngineTrouble):
                    raw = await self._engine.stats(container)
                    self._sampled(container, raw, self._polled_every)
                await asyncio.sleep(max(0.0, asked + pace - time.monotonic()))
            if not waiting:
                await asyncio.sleep(1.0)

    async def _sample_far(self, group: asyncio.TaskGroup) -> None:
        """Numbers by the docker command on the host; where it has none, streams after all."""
        every, docker = self._far_every, self._engine.far_command
        with suppress(LinkLost, LinkDown):
            async with aclosing(far.sampled(self._engine.target, docker, every)) as got:
                async for short, made in got:
                    for container, row in self._rows.items():
                        if row.live and container.startswith(short):
                            self._keep(container, made)
                            self._news()
        self._thin, self._far_every = False, 0
        self._attend(group)
        await self._poll()

    def _rtt(self) -> float:
        return self._engine.target.link.rtt or 0.0

    def _sampled(self, container: str, raw: Stats, every: float) -> None:
        row = self._rows.get(container)
        made = sample(self._raw.get(container), raw, time.monotonic(), every)
        if row is None or not row.live or made is None:
            return
        self._raw[container] = raw
        self._keep(container, made)
        self._news()

    def _keep(self, container: str, made: Sample) -> None:
        self._samples[container] = made
        self._histories.setdefault(container, History()).add(made)

    async def _beat(self) -> None:
        """Notice an engine that is silent though its connections stand."""
        while True:
            await asyncio.sleep(0.5)
            if self._at is None or time.monotonic() - self._at < QUIET:
                continue
            ping = asyncio.create_task(self._engine.ping())
            try:
                done, _ = await asyncio.wait((ping,), timeout=max(UNANSWERED, 3 * self._rtt()))
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
