"""What a unit of journald writes on a host, followed over cuts of the link."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from cockpit import text
from cockpit.containers.frames import Lined
from cockpit.logs.attached import Attached, asked
from cockpit.logs.flood import BREATH_S, FULL, LOOK_S, Block, Flood, Pace
from cockpit.logs.inbox import Inbox
from cockpit.logs.level import level
from cockpit.logs.line import Level, Line, Stream
from cockpit.logs.source import Batch, LogTrouble
from cockpit.target import guard
from cockpit.target.reading import flow
from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.target.target import Target

ERROR: Final = 3
WARNING: Final = 4
# Without -a it leaves out the text of a message of more than 4,096 bytes.
ASK: Final = "journalctl -q -a -o json --output-fields=MESSAGE,PRIORITY -u {unit}"
# What it complains of, as that this user may not see the system's messages, comes first.
FOLLOW: Final = (
    """\
command -v journalctl >/dev/null || printf 'none\\n'
printf 'told %s\\n' "$(journalctl -n 0 2>&1 >/dev/null | head -n 1)"
"""
    + ASK
    + " -f {since}\n"
)


class _Raw(msgspec.Struct):
    """A line of `journalctl -o json`. message: bytes as numbers where it is not UTF-8."""

    cursor: str = msgspec.field(name="__CURSOR", default="")
    time: str = msgspec.field(name="__REALTIME_TIMESTAMP", default="0")
    message: str | list[int | str] | None = msgspec.field(name="MESSAGE", default=None)
    priority: str | list[str] | None = msgspec.field(name="PRIORITY", default=None)


class Entry(NamedTuple):
    """An entry of the journal; its message may be of several lines. at: nanoseconds UTC."""

    cursor: str
    lines: tuple[Line, ...]


_decode: Final = msgspec.json.Decoder(_Raw).decode


def entry(raw: bytes) -> Entry | None:
    """What a line of journalctl's JSON tells; None where it is none."""
    try:
        found = _decode(raw)
        at = int(found.time) * 1000
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return None
    message: str | bytes
    match found.message:
        case str(said):
            message = said
        case [int(), *_] as numbers:
            message = bytes(number & 255 for number in numbers if isinstance(number, int))
        case list(several):
            message = "\n".join(map(str, several))
        case _:
            message = ""
    priority = found.priority if isinstance(found.priority, str) else ""
    return Entry(found.cursor, tuple(_lines(at, message, priority)))


def _lines(at: int, message: str | bytes, priority: str) -> list[Line]:
    raw = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
    lines = []
    for number, one in enumerate(raw.split(b"\n")):
        shown, looks = text.coloured_line(one)
        # Where the words do not say how bad it is, the number of syslog does.
        bad = priority.isdecimal() and int(priority) <= WARNING
        if bad and not number and level(shown) is Level.NONE:
            lead = f"<{priority}> "
            looks = tuple(
                look._replace(start=look.start + len(lead), end=look.end + len(lead))
                for look in looks
            )
            shown = Safe(lead + shown)
        lines.append(Line(at, Stream.STDOUT, shown, looks))
    return lines


class UnitTail:
    """Follows a unit from its newest lines on, until closed; a LogSource.

    let: lets a command through the gate. first: how many old entries to begin with.
    """

    def __init__(
        self, target: Target, unit: str, let: Callable[[str], guard.Pass], *, first: int = 500
    ) -> None:
        self.name = text.clean_line(unit)
        self.host = text.clean_line(target.name)
        self.key = f"unit {self.host} {unit}"
        self.inbox = Inbox()
        self._target = target
        self._unit = shlex.quote(unit)
        self._let = let
        self._first = first
        self._cursor = ""
        self._oldest = (0, "")
        self._pace = Pace()
        self._flood = Flood()
        self._looked = 0.0
        self._attached = Attached(target, self._follow)

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._attached.start()

    async def close(self) -> None:
        """Stop following."""
        await self._attached.close()

    @property
    def note(self) -> Safe:
        """Why nothing new comes and what to do; "" while it follows."""
        return self._attached.note

    @property
    def rate(self) -> float:
        """Lines a second, over the last second or two."""
        return self.inbox.rate

    def take(self) -> Batch:
        """The lines that came since the last take, in their order."""
        if self._flood and time.monotonic() - self._looked >= LOOK_S:
            self._look()
        return self.inbox.take()

    async def older(self, before: int, count: int) -> tuple[Line, ...]:
        """At most `count` entries from just before a moment. Raises LogTrouble."""
        at, cursor = self._oldest
        if before != at or not cursor:
            until = before // 1000 - 1
            found = await self._past(f"-r -n {count} --until=@{until / 1e6:.6f}")
        else:
            found = await self._past(f"-r -n {count + 1} --cursor={shlex.quote(cursor)}")
            found = [one for one in found if one.cursor != cursor]
        found.reverse()
        if found:
            self._oldest = (found[0].lines[0].at, found[0].cursor)
        return tuple(line for one in found for line in one.lines)

    async def since(self, at: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from a moment on. Raises LogTrouble."""
        found = await self._past(f"--since=@{at / 1e9:.6f} | head -n {count}")
        if found:
            self._oldest = min(self._oldest, (found[0].lines[0].at, found[0].cursor))
        return tuple([line for one in found for line in one.lines][:count])

    async def _past(self, which: str) -> list[Entry]:
        command = f"{ASK.format(unit=self._unit)} {which}"
        raw = (await asked(self._target, self._let, command)).splitlines()
        found = [one for one in map(entry, raw) if one is not None]
        if raw and not found:
            raise LogTrouble(f"journalctl on {self.host}: {text.clean_line(raw[0])}")
        return found

    async def _follow(self) -> None:
        since = f"-n {self._first}"
        if self._cursor:
            since = f"--no-tail --after-cursor={shlex.quote(self._cursor)}"
        command = FOLLOW.format(unit=self._unit, since=since)
        parser = Lined()
        try:
            async with aclosing(flow(self._target, self._let(command))) as chunks:
                async for chunk in chunks:
                    self._attached.heard = now = time.monotonic()
                    fast = self._came(parser.cut(chunk), now)
                    await asyncio.sleep(BREATH_S if fast and len(chunk) < FULL else 0)
        finally:
            self._look()

    def _came(self, block: Block, now: float) -> bool:
        if not block.starts:
            return bool(self._flood)
        last = entry(block.data[block.starts[-1] :])
        at = last.lines[0].at if last else 0
        if self._pace.fast(len(block.starts), at, now):
            self._flood.hold(block)
            self.inbox.came(len(block.starts))
            return True
        self._look()
        self._add(block)
        self.inbox.came(len(block.starts))
        return False

    def _look(self) -> None:
        """Takes the newest entries of what came too fast."""
        if not self._flood:
            return
        self._looked = time.monotonic()
        blocks, skipped, errors = self._flood.look()
        if skipped:
            first = entry(blocks[0].data.partition(b"\n")[0])
            self.inbox.skip(first.lines[0].at if first else 0, skipped, errors)
        for block in blocks:
            self._add(block)

    def _add(self, block: Block) -> None:
        for raw in block.data.splitlines():
            found = entry(raw)
            if found is None:
                self._told(raw)
                continue
            self._attached.said = Safe("")
            self._cursor = found.cursor
            if not self._oldest[1]:
                self._oldest = (found.lines[0].at, found.cursor)
            for line in found.lines:
                self.inbox.put(line)

    def _told(self, raw: bytes) -> None:
        if raw == b"none":
            self._attached.said = Safe(f"There is no journalctl on {self.host}.")
        elif raw.startswith(b"told ") and (said := raw[5:].strip()):
            self._attached.said = Safe(
                f"journalctl on {self.host}: {text.clean_line(said)} "
                "Members of the groups adm and systemd-journal see all."
            )
