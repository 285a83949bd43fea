"""The log of one container: followed over cuts and restarts, or saved as evidence."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cockpit import keeping, text
from cockpit.containers.container import moment
from cockpit.containers.engine import Engine, EngineTrouble, NoSuchContainer
from cockpit.containers.frames import STDERR, Framed, Joined, Lined, Message, Resume
from cockpit.logs.flood import BREATH_S, FULL, LOOK_S, SHOWN, Block, Flood, Pace
from cockpit.logs.inbox import KEPT_LINES, Inbox
from cockpit.logs.line import Line, Stream
from cockpit.logs.source import Batch, LogTrouble
from cockpit.text import Safe

BUSY: Final = 0.005
SAVED_BYTES: Final = 20 << 20
SAVED_LINES: Final = 200_000
SPARE: Final = 100
BEHIND_S: Final = 1.0
LEAP_S: Final = 2.0


class Tail:
    """Follows the log of one container until closed, over cuts of the link and restarts.

    A LogSource. container: id or name; name: as a person calls it. first: how many old lines to
    begin with. keep: how many lines may wait to be taken. total counts all that ever came.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        *,
        name: Safe | None = None,
        first: int = 500,
        keep: int = KEPT_LINES,
    ) -> None:
        self.key = f"container {engine.where} {container}"
        self.name = name or text.clean_line(container)
        self.host = engine.where
        self.inbox = Inbox(keep)
        self.total = 0
        self._pace = Pace()
        self._flood = Flood()
        self._parser: Framed | Lined = Framed()
        self._looked = 0.0
        self._soonest = float("inf")
        self._leapt = False
        self._leapt_at = float("-inf")
        self._before = 0
        self._engine = engine
        self._container = container
        self._first = first
        self._resume = Resume()
        self._joined = Joined()
        self._said = Safe("")
        self._reached = False
        self._started = ""
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow; returns at once. Errors become `note`."""
        if self._main is None:
            self._main = asyncio.create_task(self._run(), name=f"log of {self._container}")

    async def close(self) -> None:
        """Stop following; the lines stay."""
        main, self._main = self._main, None
        await keeping.end(main)

    @property
    def lines(self) -> deque[Line]:
        """Those that were not taken yet."""
        return self.inbox.lines

    @property
    def note(self) -> Safe:
        if self._main is None:
            return self._said
        return self._engine.link_trouble or self._said or self._engine.silence

    @property
    def rate(self) -> float:
        """Lines a second, over the last second or two."""
        return self.inbox.rate

    def take(self) -> Batch:
        """The lines that came since the last take, in their order."""
        if self._flood and time.monotonic() - self._looked >= LOOK_S:
            self._look(self._parser)
        return self.inbox.take()

    async def older(self, before: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from just before a moment. Raises LogTrouble."""
        # The engine counts from the newest line back, and only then leaves out what is later.
        tail = self._before + self.total + count + SPARE
        lines = await self._past(until=before - 1, tail=tail)
        while not lines and await self._past(until=before - 1, most=1):
            tail *= 4
            lines = await self._past(until=before - 1, tail=tail)
        self._before += min(count, len(lines))
        return tuple(lines)[-count:]

    async def since(self, at: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from a moment on. Raises LogTrouble."""
        lines = await self._past(since=at, most=count)
        self._before = max(self._before, len(lines))
        return tuple(lines)

    async def _past(
        self, *, since: int = 0, until: int = 0, tail: int | None = None, most: int = SAVED_LINES
    ) -> list[Line]:
        """Lines from between two moments, both of them included; the oldest where too many."""
        lines: list[Line] = []
        joined = Joined()
        try:
            tty = (await self._engine.inspect(self._container)).config.tty
            parser = Lined() if tty else Framed()
            stream = self._engine.logs(
                self._container, follow=False, since=since, until=until, tail=tail
            )
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    lines += _lines(parser.feed(chunk), joined)
                    if len(lines) >= most:
                        return lines[:most]
                    await asyncio.sleep(0)
            lines += _lines(parser.end(), joined)
        except (EngineTrouble, ValueError) as trouble:
            raise LogTrouble(text.clean_line(str(trouble))) from trouble
        return lines + [_line(0, stream, body, missing) for stream, body, missing in joined.end()]

    async def _run(self) -> None:
        failures = 0
        while True:
            self._reached = False
            try:
                await self._follow()
                await self._until_started()
                failures = 0
                continue
            except NoSuchContainer:
                self._say("This container was removed; its log ends here.")
                return
            except EngineTrouble as trouble:
                self._say(str(trouble))
            except Exception as fault:
                said = text.clean_line(repr(fault))
                self._say(f"A fault of cockpit's own: {said}. It tries again.")
            failures = 0 if self._reached else failures + 1
            await keeping.rest(self._engine.target, min(0.1 * 2**failures, 2.0))

    async def _follow(self) -> None:
        """Read until the engine ends the log, which is when the container stops."""
        got = await self._engine.inspect(self._container)
        self._started, tty = got.state.started_at, got.config.tty
        leap = False
        while True:
            try:
                if self._apart and not self._resume.began:
                    await self._begin(tty)
                await self._read(tty, follow=True, leap=leap)
                break
            except _Behind:
                leap = True
        # An engine may end the log that is followed before the last words of what stopped.
        await self._read(tty, follow=False)

    @property
    def _apart(self) -> bool:
        """Whether the old lines are read first, and then all after the newest of them."""
        return self._engine.tail_tears and self._first > 0

    async def _begin(self, tty: bool) -> None:
        """Take the lines to begin with; of a log that is shorter none: it is followed whole.

        After as many as were asked for, such an engine sends more, which may lack some.
        """
        parser = Lined() if tty else Framed()
        messages: list[Message] = []
        stream = self._engine.logs(self._container, follow=False, tail=self._first + 1)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                messages += parser.feed(chunk)
                await asyncio.sleep(0)
        ends = [n for n, message in enumerate(messages, 1) if message.body.endswith(b"\n")]
        if len(ends) >= self._first:
            self._add(messages[: ends[self._first - 1]])

    async def _read(self, tty: bool, *, follow: bool, leap: bool = False) -> None:
        """leap: what is missing is more than could be read, so that only the newest lines are."""
        parser = Lined() if tty else Framed()
        seen = self._resume.since()
        self._leapt = leap
        since = 0 if leap else seen
        whole = since or (follow and self._apart)
        tail = SHOWN if leap else None if whole else self._first
        stream = self._engine.logs(self._container, follow=follow, since=since, tail=tail)
        rested = time.monotonic()
        self._say("")
        try:
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    self._reached = True
                    now = time.monotonic()
                    fast = self._came(parser, parser.cut(chunk), now)
                    if fast and len(chunk) < FULL:
                        await asyncio.sleep(BREATH_S)
                    elif now - rested > BUSY:
                        await asyncio.sleep(0)
                        rested = time.monotonic()
        finally:
            self._look(parser)
        self._add(parser.end())

    def _came(self, parser: Framed | Lined, block: Block, now: float) -> bool:
        """Takes lines, or holds the newest of them where they come too fast; whether they do."""
        if not block.starts:
            return bool(self._flood)
        if self._resume.overlaps:
            self._add(parser.read(block))
            return False
        last = Block(block.data[block.starts[-1] :], [0])
        at = max((message.at for message in parser.read(last)), default=0)
        late = time.time() - at / 1e9 if at else 0.0
        self._soonest = min(self._soonest, late)
        if self._pace.fast(len(block.starts), at, now):
            if late - self._soonest > BEHIND_S and now - self._leapt_at > LEAP_S:
                self._leapt_at = now
                raise _Behind
            self._flood.hold(block)
            self._parser = parser
            self._count(len(block.starts))
            return True
        self._look(parser)
        self._add(parser.read(block))
        return False

    def _look(self, parser: Framed | Lined) -> None:
        """Takes the newest lines of what came too fast."""
        if not self._flood:
            return
        self._looked = time.monotonic()
        blocks, skipped, errors = self._flood.look()
        messages = [message for block in blocks for message in parser.read(block)]
        if skipped:
            self._break_off()
            self.inbox.skip(messages[0].at if messages else 0, skipped, errors)
        self._add(messages, counted=True)

    async def _until_started(self) -> None:
        """Wait for the next start. Raises NoSuchContainer when there will be none."""
        got = await self._engine.inspect(self._container)
        if got.state.status == "running":
            await asyncio.sleep(0.2)
            return
        if got.state.started_at != self._started:
            return  # it ran once more since its log was read to the end
        self._break_off()
        ended = moment(got.state.finished_at)
        self._say(("" if self.total else _wrote_nothing(ended)) + _STOPPED)
        since = ended or self._engine.now()
        events = self._engine.events_stream(since, container=got.id, events=("start", "destroy"))
        async with aclosing(events) as happened:
            async for event in happened:
                if event.action == "start":
                    return
                raise NoSuchContainer(self._container)
        raise EngineTrouble(f"Docker at {self._engine.where} stopped. It is asked again by itself.")

    def _add(self, messages: list[Message], *, counted: bool = False) -> None:
        new_ones = 0
        for message in messages:
            new, hole = self._resume.fresh(message)
            if hole:
                self._break_off()
                self.inbox.gap(message.at, LEAPT if self._leapt else GAP)
            if not new:
                continue
            new_ones += 1
            joined = self._joined.add(message)
            if joined is not None:
                self.inbox.put(_line(message.at, message.stream, *joined))
        if new_ones and not counted:
            self._count(new_ones)

    def _count(self, lines: int) -> None:
        self.total += lines
        self.inbox.came(lines)

    def _break_off(self) -> None:
        """Show the lines whose end will not come."""
        for stream, body, missing in self._joined.end():
            self.inbox.put(_line(0, stream, body, missing))

    def _say(self, note: str) -> None:
        if note != self._said:
            self._said = Safe(note)


_STOPPED: Final = "This container does not run; its log goes on when it starts."


def _wrote_nothing(ended: datetime | None) -> str:
    return f"It wrote nothing; it ended {ended:%H:%M:%S} UTC. " if ended else "It wrote nothing. "


GAP: Final = Safe(
    "… lines are missing here: the log was rotated or emptied while cockpit could not read it"
)


def _lines(messages: list[Message], joined: Joined) -> list[Line]:
    """The whole lines of these messages."""
    lines = []
    for message in messages:
        whole = joined.add(message)
        if whole is not None:
            lines.append(_line(message.at, message.stream, *whole))
    return lines


LEAPT: Final = Safe(
    "… lines not shown, nobody knows how many: they are written faster than Docker tells them"
)


class _Behind(Exception):
    """What the engine tells of the log is old: it cannot keep up with it."""


def _line(at: int, stream: int, body: bytes, missing: int) -> Line:
    line, looks = text.coloured_line(body)
    if missing:
        line = Safe(f"{line} …[and {missing:,} bytes more]")
    return Line(at, Stream.STDERR if stream == STDERR else Stream.STDOUT, line, looks)


async def save(engine: Engine, container: str, path: Path) -> int:
    """Save the log and the inspect output to a new file of mode 0600, on disk when this returns.

    Returns its size in bytes. When the engine fails on the way, what came is saved all the same.
    Raises EngineTrouble, OSError (FileExistsError when the file is there).
    """
    parts: list[bytes] = []
    try:
        return await save_logs(engine, container, parts.append)
    finally:
        if parts:
            await asyncio.to_thread(_write, path, parts)


async def save_logs(
    engine: Engine,
    container: str,
    write: Callable[[bytes], object],
    *,
    tail: int = SAVED_LINES,
    limit: int = SAVED_BYTES,
) -> int:
    """Evidence before a change: the newest log lines with time and stream, then inspect's JSON.

    tail, limit: at most that many lines, and bytes of them. The bytes are as the container wrote
    them, not cleaned; of its variables only those values are in it that may be shown. Returns how
    many bytes were written. Raises EngineTrouble, after writing what had come.
    """
    raw = await engine.inspect_raw(container)
    tty = (await engine.inspect(container)).config.tty
    parser = Lined() if tty else Framed()
    held: deque[bytes] = deque()
    size = left_out = 0
    trouble: EngineTrouble | None = None
    try:
        async with aclosing(engine.logs(container, follow=False, tail=tail)) as chunks:
            async for chunk in chunks:
                for message in parser.feed(chunk):
                    held.append(_evidence(message))
                    size += len(held[-1])
                while size > limit and held:
                    size -= len(held.popleft())
                    left_out += 1
                await asyncio.sleep(0)
            held += [_evidence(message) for message in parser.end()]
    except EngineTrouble as failed:
        trouble = failed
    written = 0
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about = f"log of {container} on {engine.where}, saved {now}"
    if left_out or len(held) >= tail:
        about += ", older lines left out"
    if trouble:
        about += f", cut short: {trouble}"
    for part in (f"# {about}\n".encode(), *held, b"\n# docker inspect\n", _pretty(raw), b"\n"):
        write(part)
        written += len(part)
    if trouble:
        raise trouble
    return written


def _evidence(message: Message) -> bytes:
    at = datetime.fromtimestamp(message.at // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    stream = b"stderr" if message.stream == STDERR else b"stdout"
    stamp = f"{at}.{message.at % 10**9:09d}Z ".encode() if message.at else b""
    end = b"" if message.body.endswith(b"\n") else b"\n"
    return stamp + stream + b" " + message.body + end


def _pretty(raw: bytes) -> bytes:
    from cockpit.containers.environ import inspect_masked

    try:
        return inspect_masked(raw).encode()
    except ValueError as wrong:
        return str(wrong).encode()


def _write(path: Path, parts: list[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
