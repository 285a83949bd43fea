"""From the bytes of a container's log to its messages, wherever the bytes were cut; pure."""

from __future__ import annotations

import calendar
import time
from collections import Counter, deque
from datetime import UTC, datetime
from typing import Final, NamedTuple

STDOUT: Final = 1
STDERR: Final = 2
HEADER: Final = 8
OVERLAP: Final = 2 * 10**9
LONGEST: Final = 1 << 16


class Message(NamedTuple):
    """One message of a log, or a part of a long one: then body does not end in a newline.

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
        held = self._held
        held += data
        messages = []
        start = 0
        while len(held) - start >= HEADER:
            stream = held[start]
            if stream > 3 or held[start + 1 : start + 4] != b"\0\0\0":
                raise ValueError(f"not a log frame: {bytes(held[start : start + HEADER])!r}")
            end = start + HEADER + int.from_bytes(held[start + 4 : start + HEADER], "big")
            if len(held) < end:
                break
            at, body = self._stamps.split(bytes(held[start + HEADER : end]))
            messages.append(Message(at, stream, body))
            start = end
        del held[:start]
        return messages


class Lined:
    """The log of a container with a terminal: lines, not framed, all of it stdout."""

    def __init__(self) -> None:
        self._held = b""
        self._stamps = Stamps()

    def feed(self, data: bytes) -> list[Message]:
        """The lines that are whole now."""
        *lines, self._held = (self._held + data).split(b"\n")
        return [self._message(line) for line in lines]

    def _message(self, line: bytes) -> Message:
        at, body = self._stamps.split(line)
        if len(body) > 1 << 14:  # The engine puts its time before each 16 KiB of a long line.
            body = body.replace(line[: len(line) - len(body)], b"")
        return Message(at, STDOUT, body.removesuffix(b"\r") + b"\n")


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

    The engine is asked for a little more than is missing, because times are neither unique nor
    in order; what was seen of that is dropped, as often as it was seen.
    """

    def __init__(self) -> None:
        self._first = 0
        self._last = 0
        self._recent: deque[tuple[int, int, int]] = deque()
        self._seen: Counter[tuple[int, int, int]] = Counter()
        self._anchor: tuple[int, int, int] | None = None

    def since(self) -> int:
        """The time to ask from, nanoseconds; 0 when nothing was read yet. Call once per cut."""
        if not self._recent:
            return 0
        since = max(self._last - OVERLAP, self._first)
        self._seen = Counter(key for key in self._recent if key[0] >= since)
        self._anchor = self._recent[-1]
        return since

    def fresh(self, message: Message) -> tuple[bool, bool]:
        """Whether the message is new, and whether the log has a hole before it.

        A hole: the newest message from before the cut did not come again, so the log was
        rotated, or emptied, by more than the overlap.
        """
        key = (message.at, message.stream, hash(message.body))
        if self._seen:
            left = self._seen.get(key, 0)
            if left:
                if left == 1:
                    del self._seen[key]
                else:
                    self._seen[key] = left - 1
                if key == self._anchor:
                    self._anchor = None
                return False, False
        hole = self._anchor is not None and message.at > self._anchor[0]
        if hole:
            self._anchor = None
        self._first = self._first or message.at
        self._last = max(self._last, message.at)
        recent = self._recent
        recent.append(key)
        while len(recent) > 1 and recent[0][0] < self._last - 2 * OVERLAP:
            recent.popleft()
        return True, hole


class Joined:
    """Puts the parts of long lines together, for each stream by itself."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._missing: dict[int, int] = {}

    def add(self, message: Message) -> tuple[bytes, int] | None:
        """The whole line, and how many bytes of it were left out; None until its end came."""
        stream, body = message.stream, message.body
        if body.endswith(b"\n") and stream not in self._parts:
            return body[:LONGEST].rstrip(b"\r\n"), max(0, len(body) - LONGEST)
        held = self._parts.get(stream, b"")
        kept = held + body[: max(0, LONGEST - len(held))]
        missing = self._missing.get(stream, 0) + len(held) + len(body) - len(kept)
        if body.endswith(b"\n"):
            self._parts.pop(stream)
            self._missing.pop(stream, None)
            return kept.rstrip(b"\r\n"), missing
        self._parts[stream], self._missing[stream] = kept, missing
        return None
