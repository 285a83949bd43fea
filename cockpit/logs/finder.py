"""Which lines of a block fit a pattern: fast where they are many, bounded where one is slow."""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Final

from cockpit.logs.block import Block
from cockpit.logs.regex import Cost, cost

# How long a line may be that is searched at once, by the number of repeats in the pattern.
_AT_ONCE: Final = {0: 1 << 30, 1: 1 << 30, 2: 400, 3: 120, 4: 64}
_FEWEST: Final = 32
_SHORT: Final = 1_000
# The same for one of the rows that are drawn together.
_AT_FIRST: Final = {0: 1 << 30, 1: 1_000, 2: 100, 3: 50}
_ROW_S: Final = 0.0003
_MOST_MARKS: Final = 40
_DENSE: Final = 3
_SLOW_S: Final = 0.005
_PATIENCE_S: Final = 0.3
# What the lines of a block may take before each one more counts as slow.
_BLOCK_S: Final = 0.1
_MANY_S: Final = 0.02


def spans(wanted: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Where in a line it is found, from its start as far as a row has time for."""
    size = _at_first(wanted)
    while True:
        begun = time.thread_time()
        matches = islice(wanted.finditer(text[:size]), _MOST_MARKS)
        found = [match.span() for match in matches if match.end() > match.start()]
        if size >= len(text) or time.thread_time() - begun > _ROW_S:
            return found
        size *= 2


@lru_cache(maxsize=8)
def _at_first(wanted: re.Pattern[str]) -> int:
    return _AT_FIRST.get(cost(wanted).repeats, _FEWEST)


class Finder:
    """Looks for one pattern. passed: how many lines it gave up, as they would take too long.

    Once such lines have taken 0.3 s in all it looks no more: nothing may hold up a key.
    """

    def __init__(self, wanted: re.Pattern[str]) -> None:
        self.wanted = wanted
        self.passed = 0
        self._patience = _PATIENCE_S
        self._spent = 0.0
        self._calm = True
        self._cost: Cost = cost(wanted)
        self._fold = bool(wanted.flags & re.IGNORECASE)
        literals = self._cost.literals
        if self._fold and not all(literal.isascii() for literal in literals):
            literals = ()
        self._literals = [literal.lower() if self._fold else literal for literal in literals]
        self._at_once = _AT_ONCE.get(self._cost.repeats, _FEWEST)

    def fits(self, text: str) -> bool:
        """Whether one line does."""
        if not self._cost.repeats:
            return self.wanted.search(text) is not None
        size = min(self._at_once, _SHORT)
        while self._patience > 0:
            # What takes long on half of a line would take far longer on all of it. Its end is
            # part of that half, as `$` may fit nowhere else.
            part = text if size >= len(text) else text[: size // 2] + text[-(size // 2) :]
            begun = time.thread_time()
            found = self.wanted.search(part)
            slow = self._took(time.thread_time() - begun)
            if size >= len(text):
                return found is not None
            if slow:
                break
            size *= 2
        self.passed += 1
        return False

    def _took(self, seconds: float) -> bool:
        """Takes note of how long a line took; whether that was long."""
        self._spent += seconds
        if seconds > _SLOW_S or self._spent > _BLOCK_S:
            self._patience -= seconds
        return seconds > _SLOW_S

    def lines(self, block: Block, first: int = 0) -> list[int]:
        """The indices of the lines that fit, from one on."""
        self._spent = 0.0
        raw = block.raw()
        if self._fold:
            raw = raw.lower()  # of ASCII letters alone, so that all stays where it is
        literals = [literal.encode() for literal in self._literals]
        many = sum(raw.count(literal) for literal in literals) * _DENSE > len(block)
        short = self._calm and self._at_once >= block.longest
        at_once = self._cost.lines if short and raw.isascii() else None
        if literals and self._cost.whole:
            return self._having(block, raw, literals, first, many=many)
        if at_once is None:
            indices: Iterable[int] = range(first, len(block))
            if literals:
                indices = self._having(block, raw, literals, first, many=many)
            return [index for index in indices if self.fits(block.text(index))]
        text, starts = raw.decode(), block.starts
        if self._cost.leads and literals and self._cost.repeats < 2:
            return self._led(block, text, at_once, first)
        if literals and not many:
            having = self._having(block, raw, literals, first)
            if self._cost.repeats:
                return [index for index in having if self.fits(block.text(index))]
            return [
                index
                for index in having
                if at_once.search(text, starts[index], starts[index + 1] - 1)
            ]
        return self._all(block, text, at_once, first)

    def _all(self, block: Block, text: str, at_once: re.Pattern[str], first: int) -> list[int]:
        """The lines that fit, more and more of them at once as long as that takes no time."""
        starts, count = block.starts, 1
        # What has no width may be found in a line once more, at its end.
        found: dict[int, None] = {}
        while self._calm and first < len(block):
            end = min(first + count, len(block))
            begun = time.thread_time()
            matches = at_once.finditer(text, starts[first], starts[end] - 1)
            found.update(dict.fromkeys(block.line_at(match.start()) for match in matches))
            took = time.thread_time() - begun
            if took > _MANY_S:
                self._calm = False
                self._patience -= took
            first, count = end, 4 * count
        rest = (index for index in range(first, len(block)) if self.fits(block.text(index)))
        return [*found, *rest]

    def _led(self, block: Block, text: str, at_once: re.Pattern[str], first: int) -> list[int]:
        """The lines that fit what begins with the literal."""
        find, match, starts = text.find, at_once.match, block.starts
        literal = self._literals[0]
        found: list[int] = []
        at = find(literal, starts[first])
        while at >= 0:
            if match(text, at):
                index = bisect_right(starts, at) - 1
                found.append(index)
                at = find(literal, starts[index + 1])
            else:
                at = find(literal, at + 1)
        return found

    def _having(
        self, block: Block, raw: bytes, literals: list[bytes], first: int, *, many: bool = False
    ) -> list[int]:
        """The lines that have one of the literals."""
        starts = block.starts
        found: list[int] = []
        if many:
            # A look at every line costs less than finding the line of every place.
            parts = raw.split(b"\n")
            for literal in literals:
                found += [i for i in range(first, len(block)) if literal in parts[i]]
            return sorted(set(found)) if len(literals) > 1 else found
        for literal in literals:
            at = raw.find(literal, starts[first])
            while at >= 0:
                index = bisect_right(starts, at) - 1
                found.append(index)
                at = raw.find(literal, starts[index + 1])
        return sorted(set(found)) if len(literals) > 1 else found
