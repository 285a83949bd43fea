"""Some thousand lines in little room: their text as one piece, what is known of each beside it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cockpit.logs.line import Level, Line, Look, Stream
from cockpit.text import Safe

MOST_LINES: Final = 1024
MOST_BYTES: Final = 128 << 10

_LEVELS: Final = tuple(Level)
_STREAMS: Final = (Stream.STDOUT, Stream.STDERR, Stream.GAP)
_CODES: Final = {stream: code for code, stream in enumerate(_STREAMS)}
_LOOKS_BYTES: Final = 160


class Row(NamedTuple):
    """A line and where it belongs. key: what it is sorted by, nanoseconds; of an entry the same."""

    line: Line
    key: int
    origin: int
    level: Level
    head: bool


class Block:
    """Lines in their order; an entry (a head and what continues it) is never in two blocks.

    An open one holds the texts as they came, and more can be added. A closed one holds them as
    UTF-8, each with a newline. size: bytes that the text takes.
    longest: characters in the longest line.
    """

    __slots__ = (
        "_parts",
        "_raw",
        "_starts",
        "ats",
        "heads",
        "keys",
        "levels",
        "longest",
        "looks",
        "origins",
        "size",
        "streams",
    )

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._parts: list[str] | None = []
        self._raw: bytes | None = b""
        self._starts = array("I")
        self.ats = array("q")
        self.keys = array("q")
        self.origins = array("H")
        self.levels = bytearray()
        self.heads = bytearray()
        self.streams = bytearray()
        self.looks: dict[int, tuple[Look, ...]] = {}
        self.size = self.longest = 0
        self.extend(rows)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def full(self) -> bool:
        """Whether the next entry should begin another block."""
        return len(self.keys) >= MOST_LINES or self.size >= MOST_BYTES

    @property
    def all_heads(self) -> bool:
        """Whether no line continues another."""
        return 0 not in self.heads

    def extend(self, rows: Iterable[Row]) -> None:
        """More lines at the end; opens a closed block."""
        parts, size, longest = self._opened(), self.size, self.longest
        at, key, origin = self.ats.append, self.keys.append, self.origins.append
        mark, head, stream = self.levels.append, self.heads.append, self.streams.append
        for (when, whence, text, looks), sorted_by, of, how_bad, begins in rows:
            if looks:
                self.looks[len(parts)] = looks
                size += _LOOKS_BYTES
            parts.append(text)
            if len(text) > longest:
                longest = len(text)
            size += (len(text) if text.isascii() else len(text.encode())) + 1
            at(when)
            key(sorted_by)
            origin(of)
            mark(how_bad)
            head(begins)
            stream(_CODES[whence])
        self.size, self.longest = size, longest
        self._raw = None

    def insert(self, index: int, rows: Sequence[Row]) -> None:
        """Puts lines before the one of this index; opens a closed block."""
        parts, more = self._opened(), Block(rows)
        parts[index:index] = more._opened()
        self.ats[index:index] = more.ats
        self.keys[index:index] = more.keys
        self.origins[index:index] = more.origins
        self.levels[index:index] = more.levels
        self.heads[index:index] = more.heads
        self.streams[index:index] = more.streams
        if self.looks or more.looks:
            behind = len(more)
            self.looks = {
                **{(at if at < index else at + behind): one for at, one in self.looks.items()},
                **{at + index: one for at, one in more.looks.items()},
            }
        self.size += more.size
        self.longest = max(self.longest, more.longest)
        self._raw = None

    def cut(self, index: int) -> list[Row]:
        """Takes the lines from this one on away, and returns them; opens a closed block."""
        parts = self._opened()
        rows = [self.row(each) for each in range(index, len(self))]
        for each, (line, *_) in enumerate(rows, index):
            self.size -= len(line.text.encode()) + 1
            if self.looks.pop(each, None):
                self.size -= _LOOKS_BYTES
        for column in (parts, self.ats, self.keys, self.origins, self.levels, self.heads):
            del column[index:]
        del self.streams[index:]
        self._raw = None
        return rows

    def _opened(self) -> list[str]:
        if self._parts is None:
            self._parts = [self.text(index) for index in range(len(self))]
        return self._parts

    def close(self) -> None:
        """Nothing more comes, for now: takes less room."""
        self.raw()
        self._parts = None

    def raw(self) -> bytes:
        """The text of all lines as UTF-8, each with a newline."""
        if self._raw is None:
            assert self._parts is not None
            texts = [part.encode() for part in self._parts]
            starts, at = array("I", [0]), 0
            for text in texts:
                at += len(text) + 1
                starts.append(at)
            texts.append(b"")
            self._raw, self._starts = b"\n".join(texts), starts
        return self._raw

    @property
    def starts(self) -> array[int]:
        """Where in `raw` each line begins, and in the end its length."""
        self.raw()
        return self._starts

    def line_at(self, offset: int) -> int:
        """The index of the line that holds this byte of `raw`."""
        return bisect_right(self._starts, offset) - 1

    def text(self, index: int) -> Safe:
        """The text of one line."""
        if self._parts is not None:
            return Safe(self._parts[index])
        assert self._raw is not None
        return Safe(self._raw[self._starts[index] : self._starts[index + 1] - 1].decode())

    def row(self, index: int) -> Row:
        """One line with all that is known of it."""
        line = Line(
            self.ats[index],
            _STREAMS[self.streams[index]],
            self.text(index),
            self.looks.get(index, ()),
        )
        return Row(
            line,
            self.keys[index],
            self.origins[index],
            _LEVELS[self.levels[index]],
            bool(self.heads[index]),
        )

    def rows(self) -> list[Row]:
        """All lines."""
        return [self.row(index) for index in range(len(self))]

    def entry(self, index: int) -> tuple[int, int]:
        """The indices of the first and the last line of the entry that a line is of."""
        start = max(0, self.heads.rfind(1, 0, index + 1))
        end = self.heads.find(1, index + 1)
        return start, (len(self) if end < 0 else end) - 1

    def errors(self) -> list[int]:
        """The keys of the entries that are errors."""
        if not self.levels.count(Level.ERROR):
            return []
        return [
            key
            for key, head, level in zip(self.keys, self.heads, self.levels, strict=True)
            if head and level == Level.ERROR
        ]


def blocks(rows: Sequence[Row]) -> list[Block]:
    """These lines in blocks of the right size."""
    made: list[Block] = []
    start = size = 0
    for index, row in enumerate(rows):
        if row.head and (index - start >= MOST_LINES or size >= MOST_BYTES):
            made.append(Block(rows[start:index]))
            start, size = index, 0
        size += len(row.line.text) + 1
    if start < len(rows):
        made.append(Block(rows[start:]))
    return made
