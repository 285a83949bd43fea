"""The log of a swarm's service: what all of its tasks write, from whichever node."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import aclosing
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from cockpit import keeping
from cockpit.containers.engine import Engine, EngineTrouble, until_quiet
from cockpit.containers.frames import STDERR, Framed, Joined, Message
from cockpit.containers.swarm_wire import ListedNode, ListedTask
from cockpit.logs import flood
from cockpit.logs.inbox import Rate
from cockpit.logs.line import Line, Look, Stream
from cockpit.logs.source import Batch, LogTrouble
from cockpit.text import Safe, clean_line, coloured_line

FIRST: Final = 500
WAITING: Final = 2_000
"""Lines that are held until they are taken; of a flood the newest."""
KEYS: Final = 20_000
OVERLAP: Final = 10 * 10**9
"""What is asked for again after a cut: the nodes send each at its own pace."""
MOST: Final = 100_000
QUIET_S: Final = 30.0
"""After so long without a line the service is asked for anew: a manager does not say that it ended.
"""
LEARNS_S: Final = 5.0
RESTED: Final = 0.005
SYSTEM: Final = 3
"""The stream on which a manager says what it cannot get."""
_TASK: Final = "com.docker.swarm.task.id"
_NODE: Final = "com.docker.swarm.node.id"


class _Wrote(NamedTuple):
    """A line of a task, as it came."""

    at: int
    stream: int
    body: bytes
    missing: int
    task: str
    node: str


_at = attrgetter("at")


class ServiceLog:
    """Follows the log of one service until closed; a LogSource.

    Where the service has more than one place, each line begins with the task's: `2@node-7`, or
    `@node-7` in a global service. But an indented line right after one of the same task does not.
    """

    def __init__(self, engine: Engine, service: str, name: Safe) -> None:
        self.key = f"service {engine.where} {service}"
        self.name = name
        self.host = engine.where
        self._engine = engine
        self._service = service
        self._names = _Names(engine, service)
        self._parts = _Parts()
        self._seen = _Seen()
        self._waiting: deque[_Wrote] = deque()
        self._skipped = self._errors = 0
        self._total = 0
        self._rate = Rate()
        self._said = Safe("")
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow; returns at once."""
        if self._main is None:
            self._main = asyncio.create_task(self._run(), name=f"log of {self.name}")

    async def close(self) -> None:
        """Stop following."""
        main, self._main = self._main, None
        await keeping.end(main)

    @property
    def note(self) -> Safe:
        """Why nothing new comes, or not all of it; "" while it follows."""
        if self._main is None:
            return self._said
        return self._engine.link_trouble or self._said or self._engine.silence

    @property
    def rate(self) -> float:
        """Lines a second, over the last second or two."""
        return self._rate.now(time.monotonic())

    def take(self) -> Batch:
        """The lines that came since the last take, by their time."""
        came, self._waiting = sorted(self._waiting, key=_at), deque()
        skipped, errors = self._skipped, self._errors
        self._skipped = self._errors = 0
        lines = self._lines(came)
        if skipped:
            lines.insert(0, Line(lines[0].at, Stream.GAP, flood.not_shown(skipped, errors)))
        return Batch(lines, skipped, errors)

    async def older(self, before: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from just before a moment. Raises LogTrouble."""
        # A manager has no `until`, and counts lines of each task from the newest back.
        tail, had = min(self._total, MOST) + count, -1
        while True:
            came = await self._past(tail=tail)
            found = [one for one in came if one.at < before]
            if not came or len(found) >= count or len(came) == had or tail >= MOST:
                return tuple(self._lines(found[-count:]))
            tail, had = min(4 * tail, MOST), len(came)

    async def since(self, at: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from a moment on. Raises LogTrouble."""
        return tuple(self._lines((await self._past(since=at))[:count]))

    async def _past(self, *, since: int = 0, tail: int | None = None) -> list[_Wrote]:
        """What a manager answers; asked again where it lacks all that came of itself.

        It learns of a task after its lines have come, on a busy machine long after.
        """
        until = time.monotonic() + LEARNS_S
        while True:
            came = await self._asked(since=since, tail=tail)
            known = self._seen.newest >= since > 0 or (self._total and not since)
            if came or not known or time.monotonic() > until:
                return came
            await asyncio.sleep(0.5)

    async def _asked(self, *, since: int, tail: int | None) -> list[_Wrote]:
        parts, framed, found = _Parts(), Framed(), list[_Wrote]()
        try:
            await self._names.ask()
            stream = self._engine.service_logs(self._service, follow=False, since=since, tail=tail)
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    for message in framed.feed(chunk):
                        found += parts.add(message)
                    await asyncio.sleep(0)
        except (EngineTrouble, _Incomplete, ValueError) as trouble:
            if not found:
                raise LogTrouble(clean_line(str(trouble))) from trouble
        return sorted(found, key=_at)

    async def _run(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._follow()
            except _Incomplete as said:
                # The nodes that answer are followed on; the others are tried now and then.
                self._say(f"Not all of it comes: {said}")
                await asyncio.sleep(8.0)
            except EngineTrouble as trouble:
                if "not found" in str(trouble):
                    self._say("This service was removed; its log ends here.")
                    return
                self._say(str(trouble))
            except Exception as fault:
                self._say(f"A fault of cockpit's own: {fault!r}. It tries again.")
            failures = 0 if time.monotonic() - began > 5 else failures + 1
            await keeping.rest(self._engine.target, min(0.1 * 2**failures, 2.0))

    async def _follow(self) -> None:
        await self._names.ask()
        since = self._seen.since()
        first = max(20, FIRST // max(1, self._names.places))
        stream = self._engine.service_logs(
            self._service, follow=True, since=since, tail=None if since else first
        )
        framed, self._parts = Framed(), _Parts()
        rested = time.monotonic()
        async with aclosing(stream) as chunks:
            async for chunk in until_quiet(chunks, QUIET_S):
                came: list[_Wrote] = []
                try:
                    for message in framed.feed(chunk):
                        came += self._parts.add(message)
                finally:
                    # Whose they are first: they may be taken while that is asked.
                    if strange := {one.task for one in came} - self._names.slots.keys():
                        await self._names.ask(strange)
                    for one in came:
                        self._add(one)
                if time.monotonic() - rested > RESTED:
                    await asyncio.sleep(0)
                    rested = time.monotonic()

    def _add(self, one: _Wrote) -> None:
        if self._seen.has(one):
            return
        self._say("")
        self._total += 1
        self._rate.add(1, time.monotonic())
        self._waiting.append(one)
        if len(self._waiting) > WAITING:
            self._skipped += 1
            self._errors += flood.errors(self._waiting.popleft().body)

    def _lines(self, came: list[_Wrote]) -> list[Line]:
        lines = []
        before = ""
        several = self._names.places > 1
        for one in came:
            words, looks = coloured_line(one.body)
            if one.missing:
                words = Safe(f"{words} …[and {one.missing:,} bytes more]")
            if several and not (one.task == before and words[:1].isspace()):
                whose = self._names.of(one)
                words = Safe(f"{whose} {words}")
                by = len(whose) + 1
                looks = tuple(Look(look.start + by, look.end + by, look.look) for look in looks)
            before = one.task
            stream = Stream.STDERR if one.stream == STDERR else Stream.STDOUT
            lines.append(Line(one.at, stream, words, looks))
        return lines

    def _say(self, note: str) -> None:
        if note != self._said:
            self._said = clean_line(note)


class _Incomplete(Exception):
    """The manager cannot get the log of every task; the message is its own."""


class _Parts:
    """From messages to lines of tasks; parts of long lines are put together for each by itself."""

    def __init__(self) -> None:
        self._joined: dict[str, Joined] = {}

    def add(self, message: Message) -> list[_Wrote]:
        """The line that is whole now, if any. Raises _Incomplete."""
        if message.stream == SYSTEM:
            raise _Incomplete(clean_line(message.body.strip()))
        about, _, body = message.body.partition(b" ")
        known = dict(
            pair.split("=", 1)
            for pair in about.decode("ascii", "replace").split(",")
            if "=" in pair
        )
        task = known.get(_TASK, "")
        joined = self._joined.setdefault(task, Joined())
        whole = joined.add(Message(message.at, message.stream, body))
        if whole is None:
            return []
        return [_Wrote(message.at, message.stream, *whole, task, known.get(_NODE, ""))]


class _Seen:
    """What came in the last seconds, so that after a cut it is not taken twice."""

    def __init__(self) -> None:
        self._keys: deque[tuple[int, int]] = deque()
        self._newest = 0
        self._forgotten = 0
        self._due: Counter[int] = Counter()

    @property
    def newest(self) -> int:
        """When the newest line was written, nanoseconds; 0 when nothing came yet."""
        return self._newest

    def since(self) -> int:
        """From when to ask, nanoseconds; 0 when nothing came yet. Call once per cut."""
        if not self._newest:
            return 0
        asked = max(self._newest - OVERLAP, self._forgotten + 1)
        self._due = Counter(key for at, key in self._keys if at >= asked)
        return asked

    def has(self, one: _Wrote) -> bool:
        """Whether this line came before the cut; if not, it has now."""
        key = hash(one)
        if self._due[key] > 0:
            self._due[key] -= 1
            return True
        self._keys.append((one.at, key))
        self._newest = max(self._newest, one.at)
        if len(self._keys) > KEYS:
            self._forgotten = max(self._forgotten, self._keys.popleft()[0])
        return False


class _Names:
    """What the tasks and nodes of a service are called."""

    def __init__(self, engine: Engine, service: str) -> None:
        self._engine = engine
        self._filters = {"filters": msgspec.json.encode({"service": [service]}).decode()}
        self.slots: dict[str, int] = {}
        self._nodes: dict[str, Safe] = {}
        self.places = 0

    def of(self, one: _Wrote) -> Safe:
        """Of whom a line is."""
        slot = self.slots.get(one.task)
        node = self._nodes.get(one.node) or clean_line(one.node[:12])
        return Safe(f"{slot or ''}@{node}")

    async def ask(self, strange: Iterable[str] = ()) -> None:
        """Learns the names of today's tasks, and keeps those that are gone.

        strange: tasks that are not asked for again where nobody knows them any more.
        """
        try:
            body = await self._engine.ask("/tasks", self._filters)
            tasks = msgspec.json.decode(body, type=list[ListedTask])
            nodes = msgspec.json.decode(await self._engine.ask("/nodes"), type=list[ListedNode])
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise EngineTrouble(
                f"Docker at {self._engine.where} answers with what cannot be read: {wrong}"
            ) from wrong
        self.slots |= dict.fromkeys(strange, 0) | {task.id: task.slot for task in tasks}
        self._nodes |= {node.id: clean_line(node.description.hostname) for node in nodes}
        self.places = len({task.slot or task.node_id for task in tasks})
