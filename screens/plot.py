"""Plots in block characters: filled bars, so that few cells change when time moves on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rich.cells import cell_len

from cockpit.text import Safe
from screens import paint
from screens.paint import Part

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_STEPS: Final = (60, 120, 300, 600, 900, 1800, 3600)
_LABEL: Final = len("03:12") + 2


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot. top: the value at its upper edge, a limit if `limit`. words: how a value is said.

    of: what it is out of, "" for nothing.
    """

    name: Safe
    values: Sequence[float | None]
    top: float
    words: Callable[[float], str]
    limit: bool = False
    of: Safe = Safe("")


def nice(value: float, base: float = 10.0) -> float:
    """The first of 1, 2, 5, 10 … (of 1024 with that base) that is no less than a value."""
    if value <= 1:
        return 1.0
    unit = base ** math.floor(math.log(value, base))
    steps = (1, 2, 5) if base == 10.0 else (1, 2, 5, 10, 20, 50, 100, 200, 500)
    return next((step * unit for step in steps if step * unit >= value), base * unit)


def bars(values: Sequence[float | None], top: float, height: int) -> list[str]:
    """So many lines of block characters, the upper one first; what is not known stays blank."""
    levels = [_level(value, top, height) for value in values]
    return [
        "".join(_EIGHTHS[max(0, min(8, level - 8 * row))] for level in levels)
        for row in range(height - 1, -1, -1)
    ]


def _level(value: float | None, top: float, height: int) -> int:
    """In eighths of a line; what is known is seen, be it nothing."""
    if value is None:
        return 0
    return max(1, min(8 * height, round(min(value / top, 1) * 8 * height))) if top > 0 else 1


def rows(plot: Plot, height: int, width: int, mark: int | None) -> list[tuple[Part, ...]]:
    """Its title, then its bars. mark: which of its values is marked."""
    # The newest span has only begun: what was known in the one before still says how it is.
    newest = [value for value in plot.values[-2:] if value is not None]
    value = (newest[-1] if newest else None) if mark is None else plot.values[mark]
    known = [one for one in plot.values if one is not None]
    of = f" of {plot.of}" if plot.of else ""
    said = (
        f"{plot.words(value)}{of}" if value is not None else f"not known{' now' * (mark is None)}"
    )
    parts: list[Part] = [(plot.name, "strong"), (Safe(f" {said}"), "" if known else "faint")]
    most = plot.words(max(known)) if known and mark is None else ""
    highest = f", highest {most}" if most and (value is None or plot.words(value) != most) else ""
    scale = "" if plot.limit else f"top {plot.words(plot.top)}"
    used = sum(cell_len(words) for words, _ in parts)
    if known and used + len(highest) + len(scale) + 2 <= width:
        parts.append((Safe(highest), "faint"))
        used += len(highest)
    if known and scale and used + len(scale) + 2 <= width:
        parts.append((Safe(" " * (width - used - len(scale)) + scale), "faint"))
        used = width
    lines = [_filled(parts, width)]
    look = "warn" if plot.limit and value is not None and value > plot.top * 0.9 else "code"
    for line in bars(plot.values, plot.top, height):
        if mark is None:
            lines.append(_filled([(Safe(line), look)], width))
            continue
        here = Safe(line[mark] if line[mark] != " " else "│")
        parts = [(Safe(line[:mark]), look), (here, "strong"), (Safe(line[mark + 1 :]), look)]
        lines.append(_filled(parts, width))
    return lines


def axis(end: datetime, span: float, cells: int, width: int, mark: int | None) -> tuple[Part, ...]:
    """The times below a plot: `02:45     02:55`. end: when its last span ends.

    A mark stands there with its own time to the second.
    """
    line = [" "] * width
    if mark is None:
        room = max(1, math.ceil(_LABEL * span))
        step = next((one for one in _STEPS if one >= room), _STEPS[-1])
        for cell in range(cells):
            begin = end - timedelta(seconds=span * (cells - cell))
            into = (begin.hour * 3600 + begin.minute * 60 + begin.second) % step
            at = begin if not into else begin + timedelta(seconds=step - into)
            if at < begin + timedelta(seconds=span):
                _put(line, cell, f"╵{at:%H:%M}")
        return _filled([(Safe("".join(line)), "faint")], width)
    at = moment_of(end, span, cells, mark)
    label = f"{at:%H:%M:%S}"
    left = mark + 1 + len(label) > width
    _put(line, mark - len(label) if left else mark, f"{label}▲" if left else f"▲{label}")
    return _filled([(Safe("".join(line)), "strong")], width)


def moment_of(end: datetime, span: float, cells: int, mark: int) -> datetime:
    """When the marked span begins. end: when the last one ends."""
    return end - timedelta(seconds=span * (cells - mark))


def _put(line: list[str], cell: int, label: str) -> None:
    if cell >= 0 and cell + len(label) <= len(line):
        line[cell : cell + len(label)] = label


def _filled(parts: Sequence[Part], width: int) -> tuple[Part, ...]:
    """Parts in exactly so many cells."""
    kept: list[Part] = []
    left = width
    for words, look in parts:
        if left <= 0:
            break
        cut = words if cell_len(words) <= left else paint.fit(words, left)
        kept.append((cut, look))
        left -= cell_len(cut)
    return (*kept, (Safe(" " * left), "")) if left > 0 else tuple(kept)
