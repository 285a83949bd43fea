"""A phone number to be read from a step away, and as a code that a phone scans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from cockpit.oncall import contacts
from cockpit.text import Safe, plain

Pixels = Sequence[Sequence[bool]]

QUIET = 4
"""Light modules on each side of a code: without them a phone does not find it."""

# Three by five pixels each.
_GLYPHS = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# ..# ..#",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "+": "... .#. ### .#. ...",
}
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_AT_HOME = re.compile(r"(\+\d+)\s*\(0\)")
_LONG_GROUP = 8


def groups(number: str) -> tuple[str, ...]:
    """A number in the groups that its author wrote; a long one without any in threes.

    Only what is dialled at first: no extension, and not the (0) that is dialled at home. Empty
    where there is no number in the text.
    """
    found = re.findall(r"\+?\d+", _AT_HOME.sub(r"\1 ", contacts.written(number)))
    return tuple(part for group in found for part in _parts(group))


def dials(number: str) -> str:
    """What a phone dials: with the country's code where it is known, else as it is written."""
    return contacts.dialled(number) or "".join(groups(number))


def _parts(group: str) -> Iterator[str]:
    if len(group) > _LONG_GROUP:
        while len(group) > 4:
            yield group[:3]
            group = group[3:]
    yield group


def large(number: str, width: int, height: int) -> tuple[Safe, ...]:
    """A number in the largest digits that fit so many cells, over as many lines as it takes.

    Empty where none fit, or where there is no number in it.
    """
    for across, draw in ((2, _cells), (1, _cells), (1, _halved)):
        lines = _broken(groups(number), width, across)
        drawn = [row for line in lines for row in (*draw(line, across), Safe(""))][:-1]
        if drawn and len(drawn) <= height:
            return tuple(drawn)
    return ()


def _broken(parts: Sequence[str], width: int, across: int) -> list[str]:
    """The groups in lines that fit; none where one of them is too wide for a line."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]} {part}" if lines else part
        if lines and _width(longer, across) <= width:
            lines[-1] = longer
        elif _width(part, across) <= width:
            lines.append(part)
        else:
            return []
    return lines


def _width(line: str, across: int) -> int:
    return sum(2 if sign == " " else 4 for sign in line) * across - across


def _cells(line: str, across: int) -> tuple[Safe, ...]:
    """Five rows of cells; `across` of them to a pixel."""
    ink = ("█" * across, " " * across)
    return tuple(plain("".join(ink[not on] for on in row).rstrip()) for row in _pixels(line))


def _halved(line: str, _: int) -> tuple[Safe, ...]:
    """Three rows of cells, with two pixels one above the other in each."""
    return halves(_pixels(line))


def _pixels(line: str) -> Pixels:
    rows: list[list[bool]] = [[] for _ in range(5)]
    for sign in line:
        glyph = _GLYPHS[sign].split() if sign != " " else ["."] * 5
        for row, pixels in zip(rows, glyph, strict=True):
            row += [pixel == "#" for pixel in pixels] + [False]
    return rows


def halves(rows: Pixels) -> tuple[Safe, ...]:
    """Pixels as half blocks, two rows of them in one of cells."""
    blank = [False] * len(rows[0])
    pairs = zip(rows[::2], [*rows[1::2], *([blank] if len(rows) % 2 else [])], strict=True)
    return tuple(
        plain("".join(_HALVES[pair] for pair in zip(upper, lower, strict=True)))
        for upper, lower in pairs
    )


@lru_cache(maxsize=8)
def code(number: str) -> tuple[tuple[bool, ...], ...]:
    """The modules of a QR code that has a phone call this number, dark ones True, quiet zone too.

    number: as `dials` gives it.
    """
    import segno

    made = segno.make(f"tel:{number}", error="m", micro=False)
    return tuple(tuple(bool(module) for module in row) for row in made.matrix_iter(border=QUIET))
