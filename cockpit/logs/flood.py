"""What is left of a log that is written too fast to be read: its newest lines, the rest counted."""

from __future__ import annotations

import re
from collections import deque
from typing import Final, NamedTuple

from cockpit.text import Safe

RATE: Final = 2_000
"""Lines a second that are all let through."""
BURST: Final = 10_000
"""Lines that may come at once, as a dump of threads does, where it was calmer before."""
SHOWN: Final = 300
"""Lines that are shown of each look at a flood."""
LOOK_S: Final = 0.2
BREATH_S: Final = 0.05
"""Seconds to let bytes gather: reading every line as it is written costs more than the line."""
FULL: Final = 1 << 16

_ERROR: Final = re.compile(
    rb"(?:(?<![\w/.$-])(?:ERROR|FATAL|CRITICAL|PANIC|SEVERE)(?![\w/=-])"
    rb"|\blevel\W{1,4}(?:error|fatal|critical|panic)\b)[^\n]*"
)


class Pace:
    """Whether a log is written too fast. What comes late all at once, after a cut, is not: the
    log's own times tell how fast it was written."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._written = 0
        self._came = 0.0

    def fast(self, lines: int, at: int, now: float) -> bool:
        """Takes note of so many lines more; whether there are now too many.

        at: when the last of them was written, nanoseconds, 0 where that is not known. now:
        monotonic seconds.
        """
        passed = now - self._came
        if at > self._written:
            passed = (at - self._written) / 1e9
            self._written = at
        self._came = now
        self._left = max(-float(RATE), min(float(BURST), self._left + passed * RATE) - lines)
        return self._left < 0


class Block(NamedTuple):
    """Lines as they came, unread, and where each begins."""

    data: bytes
    starts: list[int]


class Shown(NamedTuple):
    """The newest lines, and what was left out before them."""

    newest: list[Block]
    skipped: int
    errors: int


class Flood:
    """Holds the newest lines of what comes too fast, until somebody looks."""

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque()
        self._count = 0
        self._skipped = 0
        self._errors = 0

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def hold(self, block: Block) -> None:
        blocks = self._blocks
        blocks.append(block)
        self._count += len(block.starts)
        while self._count - len(blocks[0].starts) >= SHOWN:
            self._leave_out(blocks.popleft())

    def look(self) -> Shown:
        """What is held, which is then held no more."""
        if (spare := self._count - SHOWN) > 0:
            data, starts = self._blocks.popleft()
            cut = starts[spare]
            self._leave_out(Block(data[:cut], starts[:spare]))
            self._blocks.appendleft(Block(data[cut:], [start - cut for start in starts[spare:]]))
        shown = Shown(list(self._blocks), self._skipped, self._errors)
        self._blocks.clear()
        self._count = self._skipped = self._errors = 0
        return shown

    def _leave_out(self, block: Block) -> None:
        self._count -= len(block.starts)
        self._skipped += len(block.starts)
        self._errors += errors(block.data)


def errors(data: bytes) -> int:
    """How many of these lines say that they are errors, by a quick look."""
    return len(_ERROR.findall(data))


def not_shown(lines: int, errors: int) -> Safe:
    """What stands in place of lines that came too fast."""
    told = f", {errors:,} of them errors" if errors else ""
    if lines == 1:
        return Safe(f"… 1 line not shown{told}: it came too fast")
    return Safe(f"… {lines:,} lines not shown{told}: they came too fast")
