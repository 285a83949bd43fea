"""What a program's colour codes (SGR) become in our own looks: six inks, bold, faint, reversed."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

# Black and white are the terminal's own: on a light or a dark ground one of them cannot be read.
_INKS: Final = ("", "red", "green", "yellow", "blue", "magenta", "cyan", "")

_LONGEST: Final = 64


class Pen(NamedTuple):
    """How a program writes from here on, as far as we follow it; "" is the terminal's own."""

    ink: str = ""
    ground: str = ""
    bold: bool = False
    faint: bool = False
    swapped: bool = False


PLAIN: Final = Pen()


@lru_cache(maxsize=256)
def look(pen: Pen) -> str:
    """The words of a look: an ink, then strong or faint, then reverse; "" for plain text."""
    # Of two colours one counts, so that no ink can vanish on its own ground.
    ink = pen.ground or pen.ink
    words = [ink] if ink else []
    if pen.bold:
        words.append("strong")
    elif pen.faint and ink != "faint":
        words.append("faint")
    if pen.ground or pen.swapped:
        words.append("reverse")
    return " ".join(words)


@lru_cache(maxsize=1024)
def after(pen: Pen, codes: str) -> Pen:
    """The pen after `ESC [ codes m`; what is not known of it changes nothing."""
    if len(codes) > _LONGEST:
        return pen
    parts = iter(codes.split(";"))
    for part in parts:
        code, *colons = part.split(":")
        number = _number(code)
        if number == 0:
            pen = PLAIN
        elif number == 1:
            pen = pen._replace(bold=True)
        elif number == 2:
            pen = pen._replace(faint=True)
        elif number == 22:
            pen = pen._replace(bold=False, faint=False)
        elif number in (7, 27):
            pen = pen._replace(swapped=number == 7)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            pen = pen._replace(ink=_of_16(number % 10 + 8 * (number >= 90)))
        elif 40 <= number <= 47 or 100 <= number <= 107:
            pen = pen._replace(ground=_of_16(number % 10 + 8 * (number >= 100)))
        elif number == 39:
            pen = pen._replace(ink="")
        elif number == 49:
            pen = pen._replace(ground="")
        elif number in (38, 48):
            mode = _number(colons[0]) if colons else _number(next(parts, ""))
            count = {5: 1, 2: 3}.get(mode, 0)
            given = colons[-count:] if colons else [next(parts, "") for _ in range(count)]
            values = [min(255, _number(value)) for value in given[:count]]
            if count and len(values) == count:
                ink = _of_256(values[0]) if count == 1 else _nearest(*values)
                pen = pen._replace(ink=ink) if number == 38 else pen._replace(ground=ink)
    return pen


def _number(code: str) -> int:
    """0 for none, as a terminal reads it; 999, which is no code, for what is too long to be one."""
    return int(code or "0") if len(code) <= 3 else 999


def _of_16(number: int) -> str:
    if number == 8:
        return "faint"
    ink = _INKS[number % 8]
    return f"bright_{ink}" if number > 8 and ink else ink


def _of_256(number: int) -> str:
    if number < 16:
        return _of_16(number)
    if number >= 232:
        return _nearest(*[8 + 10 * (number - 232)] * 3)
    red, rest = divmod(number - 16, 36)
    return _nearest(*(55 + 40 * part if part else 0 for part in (red, *divmod(rest, 6))))


def _nearest(red: int, green: int, blue: int) -> str:
    top, low = max(red, green, blue), min(red, green, blue)
    if top - low <= max(24, top // 4):
        return "faint" if 48 <= top < 160 else ""
    middle = (top + low) // 2
    ink = _INKS[(red > middle) + 2 * (green > middle) + 4 * (blue > middle)]
    return f"bright_{ink}" if low > 96 else ink
