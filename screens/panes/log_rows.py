"""A log line as rows of the pane: tag, sign, time, text, in the cells that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from cockpit.logs.line import Level, Look, Stream
from cockpit.text import Safe
from screens import paint
from screens.paint import Part, Row

if TYPE_CHECKING:
    from cockpit.logs.fields import Compact
    from cockpit.logs.window import Held, Window


class Times(StrEnum):
    """Which time stands before a line. AUTO: in UTC, and none where the line has its own."""

    AUTO = "UTC where lines have none"
    UTC = "times in UTC"
    LOCAL = "local time"
    AGO = "how long ago"
    OFF = "no times"


@dataclass(frozen=True, slots=True)
class Layout:
    """How lines are laid out.

    tag: cells of a tag, 0 for a log alone. aside: cells of the text that are left out at its
    start. zone: what is local. now: nanoseconds UTC, for how long ago. colours: whether those of
    the program are shown.
    """

    width: int
    tag: int = 0
    times: Times = Times.AUTO
    zone: tzinfo = UTC
    wrap: bool = False
    aside: int = 0
    colours: bool = True
    wanted: re.Pattern[str] | None = None
    now: int = 0


SIGNS: Final = {
    Level.NONE: (Safe(" "), "", ""),
    Level.DEBUG: (Safe("D"), "faint", "faint"),
    Level.INFO: (Safe("I"), "faint", ""),
    Level.WARN: (Safe("W"), "warn", "warn"),
    Level.ERROR: (Safe("E"), "bad", "bad"),
}
"""Of a level: its letter, the look of that, the look of the text."""

_TAGS: Final = ("cyan", "magenta", "green", "blue")
# Many services write the time themselves; twice is once too often on a narrow screen.
_STAMPED = re.compile(
    r"\W?(?:\d{4}[-/]\d\d[-/]\d\d[T ]+\d\d:\d\d|\d\d:\d\d:\d\d|\w{3} [ \d]\d \d\d:\d\d:\d\d)"
)
_LEAST_TEXT: Final = 12
_ON = (Safe("›"), "faint")


def tag(origin: int) -> Safe:
    """The letters that a log goes by among several: A to Z, then AA."""
    letters = ""
    origin += 1
    while origin:
        origin, left = divmod(origin - 1, 26)
        letters = chr(65 + left) + letters
    return Safe(letters)


def tag_look(origin: int) -> str:
    """The look of its tag; red and yellow say how bad something is, and are not among them."""
    return _TAGS[origin % len(_TAGS)]


def rows(held: Held, layout: Layout, stop: int, *, here: bool, chosen: bool) -> list[Row]:
    """The rows of a line. here: the cursor is on it. chosen: it is of the range that is marked."""
    lead = [*_lead(held, layout, here=here, chosen=chosen)]
    if chosen:
        lead = [(words, f"{name} cursor".strip()) for words, name in lead]
    used = sum(cell_len(words) for words, _ in lead)
    room = max(_LEAST_TEXT, layout.width - used)
    parts = _parts(held, layout)
    if not layout.wrap:
        return [paint.row(*lead, *_cropped(parts, layout.aside, room), stop=stop)]
    first, *more = paint.fold_parts(parts, room) or [()]
    indent = (Safe(" " * used), "")
    return [
        paint.row(*lead, *first, stop=stop),
        *(paint.row(indent, *folded, stop=stop) for folded in more),
    ]


def _lead(held: Held, layout: Layout, *, here: bool, chosen: bool) -> Iterator[Part]:
    """Tag, sign and time; the cursor stands right behind the sign."""
    line = held.line
    if layout.tag:
        yield paint.fit(tag(held.origin), layout.tag), tag_look(held.origin)
    pointer = Safe(">" if here else "+" if chosen else " ")
    if not held.head and line.stream is not Stream.GAP:
        yield Safe("│"), "bad" if held.level is Level.ERROR else "faint"
        yield pointer, "key"
        return
    sign, look, _ = SIGNS[held.level]
    yield sign, look
    yield pointer, "key"
    stamp = _stamp(line.at, line.text, layout)
    if stamp:
        yield stamp, "faint"


def _stamp(at: int, text: str, layout: Layout) -> Safe:
    times = layout.times
    if times is Times.OFF or not at or (times is Times.AUTO and _STAMPED.match(text)):
        return Safe("")
    if times is Times.AGO:
        return Safe(f"{ago(layout.now - at):>4} ")
    return Safe(f"{clock(at, layout.zone if times is Times.LOCAL else UTC)} ")


def clock(at: int, zone: tzinfo = UTC) -> Safe:
    """A moment in nanoseconds as a time of day."""
    return Safe(f"{datetime.fromtimestamp(at // 10**9, zone):%H:%M:%S}")


def ago(nanoseconds: int) -> Safe:
    """How long, in at most four cells, and in steps so coarse that it stands still for a while."""
    seconds = max(0, nanoseconds // 10**9)
    if seconds < 60:
        return Safe(f"{seconds // 10 * 10}s" if seconds >= 10 else "now")
    for unit, size in (("m", 60), ("h", 3600), ("d", 86400)):
        count = seconds // size
        if count < (60 if unit == "m" else 24 if unit == "h" else 10**9):
            return Safe(f"{count}{unit}")
    return Safe("")


def _parts(held: Held, layout: Layout) -> list[Part]:
    """The text of a line in its looks, with what is searched for marked."""
    from cockpit.logs import fields

    line = held.line
    if ("{" in line.text or "=" in line.text) and (compact := fields.message(line.text)):
        return _compact(compact, SIGNS[held.level][2], layout.wanted)
    text, looks = line.text, line.looks if layout.colours else ()
    base = SIGNS[held.level][2] if held.head and not looks else ""
    if line.stream is Stream.GAP:
        base = "warn"
    return coloured(text, base, looks, layout.wanted)


def _compact(line: Compact, base: str, wanted: re.Pattern[str] | None) -> list[Part]:
    """A line of JSON or logfmt: its message, then the other fields; opened it is there whole."""
    parts = coloured(line.message, base, (), wanted)
    for name, value in line.rest:
        said = Safe(f"{name}={value}" if name else value)
        blank = Safe(" ") if parts else Safe("")
        parts += [(blank, ""), *coloured(said, "faint", (), wanted)]
    return parts


def coloured(
    text: Safe, base: str, looks: Sequence[Look], wanted: re.Pattern[str] | None
) -> list[Part]:
    """A text in parts of one look each; what is searched for stands out from all of them."""
    found = [] if wanted is None else _found(text, wanted)
    if not looks and not found:
        return [(text, base)] if text else []
    spans = [(start, end) for start, end, _ in looks] + found
    edges = {min(edge, len(text)) for span in spans for edge in span}
    ordered = sorted({0, len(text), *edges})
    parts: list[Part] = []
    for start, end in pairwise(ordered):
        name = next((look for at, to, look in looks if at <= start < to), base)
        if any(at <= start < to for at, to in found):
            name = "found"
        parts.append((Safe(text[start:end]), name))
    return parts


def _found(text: str, wanted: re.Pattern[str]) -> list[tuple[int, int]]:
    from cockpit.logs.finder import spans

    return spans(wanted, text)


def _cropped(parts: list[Part], aside: int, room: int) -> list[Part]:
    """What stands in `room` cells from cell `aside` on; a sign at the end where it goes on."""
    whole = "".join(words for words, _ in parts)
    start = _index(whole, aside)
    end = _index(whole, aside + room)
    if end < len(whole):
        end = _index(whole, aside + room - 1)
    kept: list[Part] = []
    at = 0
    for words, name in parts:
        piece = words[max(0, start - at) : max(0, end - at)]
        if piece:
            kept.append((Safe(piece), name))
        at += len(words)
    return [*kept, _ON] if end < len(whole) else kept


def _index(text: str, cells: int) -> int:
    """How many characters stand in so many cells."""
    if cells <= 0:
        return 0
    if text.isascii():
        return min(cells, len(text))
    used = 0
    for index, char in enumerate(text):
        used += cell_len(char)
        if used > cells:
            return index
    return len(text)


_BARS: Final = "▁▂▃▄▅▆▇█"
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480)
_LEAST_BARS: Final = 4
_LONGEST: Final = 24 * 60
"""Minutes that are looked at, the latest ones."""
_MINUTE: Final = 60 * 10**9


def histogram(
    errors: dict[int, int],
    first: int,
    last: int,
    zone: tzinfo,
    width: int,
    not_loaded: Sequence[tuple[int, int]] = (),
) -> Row:
    """Errors over the time that is loaded, in one row; none of them make no row but an empty one.

    errors: by minute, Unix time // 60. first, last: the minutes that are loaded. not_loaded: from
    when to when, nanoseconds, not all is: without an error there, a minute has a ? and no dot;
    bars that may be too low for it are faint, with a ? behind the last of them.
    """
    if not errors:
        return paint.row()
    first, last = min(first, *errors), max(last, *errors)
    # An old line of a quiet log would make minutes of what goes on now too small to be seen.
    first = max(first, last - _LONGEST)
    errors = {minute: count for minute, count in errors.items() if minute >= first}
    if not errors:
        return paint.row()

    def at(minute: int) -> str:
        there = datetime.fromtimestamp(minute * 60, zone)
        return f"{there:%H:%M}" if last - first < _LONGEST else f"{there:%d %b %H:%M}"

    span = f"{at(first)}–{at(last)}"
    total = sum(errors.values())
    room = width - len(f"errors/min  {span}   {total:,} in all") - (4 if not_loaded else 2)
    room = max(_LEAST_BARS, room)
    minutes = last - first + 1
    step = next((step for step in _STEPS if minutes <= step * room), -(-minutes // room))
    counts = [0] * (-(-minutes // step))
    for minute, count in errors.items():
        counts[(minute - first) // step] += count
    most = max(counts)
    size = step * _MINUTE

    def lacks(at: int) -> bool:
        begun = first * _MINUTE + at * size
        return any(a < begun + size and b > begun for a, b in not_loaded)

    bars = [_BARS[count * 7 // most] if count else "·" for count in counts]
    low = [place for place in range(len(counts)) if lacks(place)]
    for place in low:
        if not counts[place]:
            bars[place] = "?"
    # That the first minute may lack lines is so of any log, and no sign of another.
    begins = low[-1] + 1 if low and low[-1] and counts[low[-1]] else 0
    per = "min" if step == 1 else f"{step} min" if step < 60 else f"{step // 60} h"
    after = f"{''.join(bars[begins:])} {total:,}{'+' if begins else ''} in all"
    return paint.row(
        (Safe(f"errors/{per} {span} "), "faint"),
        *([(Safe("".join(bars[:begins]) + "?"), "faint")] if begins else []),
        (Safe(after), "bad"),
    )


def errors_row(
    window: Window, zone: tzinfo, width: int, not_loaded: Sequence[tuple[int, int]] = ()
) -> Row:
    """Errors a minute over what is loaded in a window."""
    errors = window.errors()
    if not errors:
        return paint.row()
    ends = range(window.first, min(window.first + 20, window.end))
    first = next((line.at for number in ends if (line := window[number].line).at), 0)
    last = window[window.end - 1].line.at
    minutes = [first // _MINUTE or min(errors), last // _MINUTE or max(errors)]
    return histogram(errors, minutes[0], minutes[1], zone, width, not_loaded)


def legend(names: Sequence[Safe], width: int) -> Row:
    """Which tag is which log, as many as fit."""
    parts: list[Part] = []
    used = 0
    for origin, name in enumerate(names):
        words = Safe(f"{tag(origin)} {name}  ")
        more = f"+{len(names) - origin}"
        if used + cell_len(words) > width - (len(more) if origin < len(names) - 1 else 0):
            parts.append((Safe(more), "faint"))
            break
        parts += [(Safe(f"{tag(origin)} "), tag_look(origin)), (Safe(f"{name}  "), "")]
        used += cell_len(words)
    return paint.row(*parts)
