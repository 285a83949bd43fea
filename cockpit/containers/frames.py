"""From the bytes of a container's log to its messages, wherever the bytes were cut; pure."""

from __future__ import annotations

import calendar
import re
import struct
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final, NamedTuple

from cockpit.logs.flood import Block

STDOUT: Final = 1
STDERR: Final = 2
HEADER: Final = 8
OVERLAP: Final = 2 * 10**9
LONGEST: Final = 1 << 16
LARGEST: Final = 1 << 24
PART: Final = 1 << 14  # The engine cuts a longer line into parts of this size,
STAMP: Final = 31  # each with its time and a space before it.
TOGETHER: Final = 64 * (STAMP + PART)
KEYS: Final = 1024
_HEADER: Final = struct.Struct(">B3sL")
_NEWLINE: Final = b"\n"[0]
_NO_MORE: Final = b"\0\0\0"


class Message(NamedTuple):
    """One message of a log, or a part of a long one: then body does not end in a newline.

    Nor does the last of a process that ended in the middle of a line.

    at: nanoseconds UTC, 0 when the engine sent no time.
    """

    at: int
    stream: int
    body: bytes


class Framed:
    """The log of a container without a terminal: 8 bytes of header, then the message."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._stamps = Stamps()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now. Raises ValueError for what is not a framed log."""
        return self.read(self.cut(data))

    def cut(self, data: bytes) -> Block:
        """The frames that are whole now, unread. Raises ValueError as `feed` does."""
        held = self._held
        held += data
        starts = []
        start, size = 0, len(held)
        while size - start >= HEADER:
            stream, zeros, length = _HEADER.unpack_from(held, start)
            if stream > 3 or zeros != _NO_MORE:
                raise ValueError(f"not a log frame: {bytes(held[start : start + HEADER])!r}")
            if length > LARGEST - HEADER:
                raise ValueError(f"a log frame of {length:,} bytes")
            end = start + HEADER + length
            if size < end:
                break
            starts.append(start)
            start = end
        whole = bytes(held[:start])
        del held[:start]
        return Block(whole, starts)

    def read(self, block: Block) -> list[Message]:
        """The messages of whole frames."""
        data, starts = block
        split = self._stamps.split
        ends = [*starts, len(data)][1:]
        return [
            Message(stamped[0], data[start], stamped[1])
            for start, end in zip(starts, ends, strict=True)
            for stamped in (split(data[start + HEADER : end]),)
        ]

    def end(self) -> list[Message]:
        """What is left when the engine ended the log: nothing, frames are whole."""
        return []


class Lined:
    """The log of a container with a terminal: lines, not framed, all of it stdout."""

    def __init__(self) -> None:
        self._held = b""
        self._stamps = Stamps()

    def feed(self, data: bytes) -> list[Message]:
        """The lines that are whole now, and the parts of one that is very long."""
        return self.read(self.cut(data))

    def cut(self, data: bytes) -> Block:
        """As `feed`, but unread."""
        held, start = self._held + data, 0
        starts = []
        while start < len(held):
            end = held.find(b"\n", start, start + TOGETHER) + 1
            if not end:
                if len(held) - start < TOGETHER:
                    break
                end = start + TOGETHER
            starts.append(start)
            start = end
        self._held = held[start:]
        return Block(held[:start], starts)

    def read(self, block: Block) -> list[Message]:
        """The messages of what was cut."""
        data, starts = block
        messages: list[Message] = []
        for start, end in zip(starts, [*starts, len(data)][1:], strict=True):
            ended = data[end - 1] == _NEWLINE
            messages += self._messages(data[start : end - ended], b"\n" if ended else b"")
        return messages

    def end(self) -> list[Message]:
        """What is left when the engine ended the log: a line that the process did not end."""
        held, self._held = self._held, b""
        return self._messages(held, b"") if held else []

    def _messages(self, line: bytes, end: bytes) -> list[Message]:
        at, body = self._stamps.split(line)
        if len(body) > PART:
            body = body.replace(line[: len(line) - len(body)], b"")
        # A line that a process left without end, and the first line of the next start after it.
        # The process itself can only have written a time that is not later.
        for found in _ENGINES_TIME.finditer(body):
            if self._stamps.split(found[0])[0] > at > 0:
                first = Message(at, STDOUT, body[: found.start()])
                return [first, *self._messages(body[found.start() :], end)]
        return [Message(at, STDOUT, body.removesuffix(b"\r") + end if end else body)]


_ENGINES_TIME: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


class Stamps:
    """Reads the time at the start of each message; the second is mostly that of the one before."""

    def __init__(self) -> None:
        self._second = b""
        self._epoch = 0

    def split(self, message: bytes) -> tuple[int, bytes]:
        """Nanoseconds UTC and the rest; 0 and all of it when there is no time."""
        stamp, space, rest = message.partition(b" ")
        if not space:
            stamp, rest = message.rstrip(b"\n"), message[len(message.rstrip(b"\n")) :]
        if len(stamp) != 30 or stamp[29:] != b"Z" or stamp[19:20] != b".":
            at = _any_stamp(stamp)
            return (at, rest) if at else (0, message)
        second = stamp[:19]
        try:
            if second != self._second:
                form = time.strptime(second.decode(), "%Y-%m-%dT%H:%M:%S")
                self._epoch, self._second = calendar.timegm(form), second
            return self._epoch * 10**9 + int(stamp[20:29]), rest
        except ValueError:
            return 0, message


def _any_stamp(stamp: bytes) -> int:
    """Podman writes other digits and zones than Docker does."""
    try:
        moment = datetime.fromisoformat(stamp.decode())
    except ValueError:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 10**9 + aware.microsecond * 1000 if len(stamp) > 18 else 0


class Resume:
    """Where to take a log up again after a cut, and which messages were seen before it.

    An engine tells a log in one order, always the same, but times in it are neither unique nor in
    order. So it is asked for a little more than is missing, and all of that is dropped up to the
    newest message that was seen. Whether the host's clock is right does not matter. One that was
    set back can still mislead: into a hole that is none, with lines again after it, where the log
    had later times before its first line here; into silence until the clock has caught up, where
    the log was rotated in the same gap.
    """

    def __init__(self) -> None:
        self._newest: tuple[int, int, int] | None = None
        self._latest = 0
        self._times_seen: OrderedDict[tuple[int, int, int], int] = OrderedDict()
        self._due = 0

    @property
    def began(self) -> bool:
        """Whether anything was read yet."""
        return self._newest is not None

    @property
    def overlaps(self) -> bool:
        """Whether what comes now was seen before."""
        return self._due > 0

    def since(self) -> int:
        """The time to ask from, nanoseconds; 0 when nothing was read yet. Call once per cut."""
        if self._newest is None:
            return 0
        self._due = self._times_seen[self._newest]
        return self._newest[0] - OVERLAP

    def fresh(self, message: Message) -> tuple[bool, bool]:
        """Whether the message is new, and whether the log has a hole before it.

        A hole: the newest message from before the cut did not come again, so the log was
        rotated, or emptied, by more than the overlap.
        """
        key = (message.at, message.stream, hash(message.body))
        hole = False
        if self._due:
            if key == self._newest:
                self._due -= 1
                return False, False
            if message.at <= self._latest:
                return False, False
            self._due, hole = 0, True
        if message.at:
            seen = self._times_seen
            seen[key] = seen.pop(key, 0) + 1
            if len(seen) > KEYS:
                seen.popitem(last=False)
            self._newest = key
            self._latest = max(self._latest, message.at)
        return True, hole


class Joined:
    """Puts the parts of long lines together, for each stream by itself."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._missing: dict[int, int] = {}

    def add(self, message: Message) -> tuple[bytes, int] | None:
        """The whole line, and how many bytes of it were left out; None until its end came."""
        stream, body = message.stream, message.body
        # Without an end and smaller than a part, it is the last of a process that ended there.
        whole = body.endswith(b"\n") or len(body) < PART
        if whole and stream not in self._parts:
            return body[:LONGEST].rstrip(b"\r\n"), max(0, len(body) - LONGEST)
        held = self._parts.pop(stream, b"")
        kept = held + body[: max(0, LONGEST - len(held))]
        missing = self._missing.pop(stream, 0) + len(held) + len(body) - len(kept)
        if whole:
            return kept.rstrip(b"\r\n"), missing
        self._parts[stream], self._missing[stream] = kept, missing
        return None

    def end(self) -> list[tuple[int, bytes, int]]:
        """Stream, bytes and how many were left out of the lines that will have no end."""
        held = [(stream, kept, self._missing[stream]) for stream, kept in self._parts.items()]
        self._parts, self._missing = {}, {}
        return held
