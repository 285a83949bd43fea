"""Which lines of a block fit a pattern: fast where they are many, bounded where one is slow."""

from __future__ import annotations

import re
import time
from typing import Final

from cockpit.logs.block import Block
from cockpit.logs.regex import Cost, cost

# How long a line may be that is searched at once, by the number of repeats in the pattern.
_AT_ONCE: Final = {0: 1 << 30, 1: 1 << 30, 2: 400, 3: 120, 4: 64}
_FEWEST: Final = 32
_SLOW_S: Final = 0.005
_PATIENCE_S: Final = 0.3


class Finder:
    """Looks for one pattern. passed: how many lines it gave up, as they would take too long.

    Once such lines have taken 0.3 s in all it looks no more: nothing may hold up a key.
    """

    def __init__(self, wanted: re.Pattern[str]) -> None:
        self.wanted = wanted
        self.passed = 0
        self._patience = _PATIENCE_S
        self._cost: Cost = cost(wanted)
        self._fold = bool(wanted.flags & re.IGNORECASE)
        literals = self._cost.literals
        if self._fold and not all(literal.isascii() for literal in literals):
            literals = ()
        self._literals = [
            (literal.lower() if self._fold else literal).encode() for literal in literals
        ]
        self._at_once = _AT_ONCE.get(self._cost.repeats, _FEWEST)

    def fits(self, text: str) -> bool:
        """Whether one line does."""
        if self._cost.repeats < 2:
            return self.wanted.search(text) is not None
        size = self._at_once
        while self._patience > 0:
            # What takes long on half of a line would take far longer on all of it.
            begun = time.perf_counter()
            found = self.wanted.search(text[:size])
            took = time.perf_counter() - begun
            if size >= len(text):
                self._patience -= took if took > _SLOW_S else 0
                return found is not None
            if took > _SLOW_S:
                self._patience -= took
                break
            size *= 2
        self.passed += 1
        return False

    def lines(self, block: Block, first: int = 0) -> list[int]:
        """The indices of the lines that fit, from one on."""
        if self._literals:
            raw = block.raw()
            if self._fold:
                raw = raw.lower()  # of ASCII letters alone, so that all stays where it is
            found = self._having(block, raw, first)
            if self._cost.whole:
                return found
            return [index for index in found if self.fits(block.text(index))]
        if self._cost.lines and self._at_once >= block.longest and block.raw().isascii():
            at = block.line_at
            text, start = block.raw().decode(), block.starts[first]
            matches = self._cost.lines.finditer(text, start, len(text) - 1)
            # What has no width may be found in a line once more, at its end.
            return list(dict.fromkeys(at(match.start()) for match in matches))
        return [index for index in range(first, len(block)) if self.fits(block.text(index))]

    def _having(self, block: Block, raw: bytes, first: int) -> list[int]:
        """The lines that have one of the literals."""
        starts, line_at = block.starts, block.line_at
        found: list[int] = []
        for literal in self._literals:
            at = raw.find(literal, starts[first])
            while at >= 0:
                index = line_at(at)
                found.append(index)
                at = raw.find(literal, starts[index + 1])
        return sorted(set(found)) if len(self._literals) > 1 else found
