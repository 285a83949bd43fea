"""The only way text gets onto a screen: safe text and a word for its look, never markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from cockpit.text import Safe

# Only the reader's own 16 colours, so that it reads on every terminal and every palette.
_LOOKS = {
    "": "",
    "strong": "bold",
    "faint": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "title": "bold cyan",
    "key": "bold cyan",
    "code": "cyan",
    "banner": "bold reverse red",
    "found": "reverse yellow",
    "cursor": "reverse",
    "scan": "black on bright_white",
    # What programs write their logs in (cockpit/colours.py).
    "reverse": "reverse",
    **{
        ink: ink
        for plain in ("red", "green", "yellow", "blue", "magenta", "cyan")
        for ink in (plain, f"bright_{plain}")
    },
}

Part = tuple[Safe, str]


@lru_cache(maxsize=64)
def look(name: str) -> Style:
    """The style of a look, or of several joined by a space. Raises KeyError if unknown."""
    return Style.combine([Style.null(), *(Style.parse(_LOOKS[word]) for word in name.split())])


@lru_cache(maxsize=64)
def _css(name: str) -> str:
    words = []
    for word in name.split():
        words += [
            word if word in ("bold", "dim", "reverse", "on") else f"ansi_{word}"
            for word in _LOOKS[word].split()
        ]
    return " ".join(words)


def checked(text: str) -> Safe:
    """Refuses text that did not come through the door. Raises TypeError."""
    if not isinstance(text, Safe):
        raise TypeError(f"not Safe, so not shown: {text!r}")
    return text


def text(*parts: Safe | Part) -> Content:
    """Content for a Textual widget: safe texts, each alone or with its look."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Content.assemble(*((str(checked(words)), _css(name)) for words, name in pairs))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a pane. stop is what the cursor stands on there; None where it passes over."""

    parts: tuple[Part, ...] = ()
    stop: object = None

    @property
    def plain(self) -> str:
        return "".join(part[0] for part in self.parts)


def row(*parts: Safe | Part, stop: object = None) -> Row:
    """A row of safe texts, each alone or with its look."""
    return Row(
        tuple((checked(part), "") if isinstance(part, str) else part for part in parts), stop
    )


def strip(line: Row, width: int, *, under_cursor: bool = False, start: int = 0) -> Strip:
    """A row as Textual draws it, cut or filled to `width` cells from cell `start` on."""
    extra = "strong" if under_cursor else ""
    segments = [
        Segment(str(checked(words)), look(f"{name} {extra}".strip())) for words, name in line.parts
    ]
    drawn = Strip(segments)
    if start:
        drawn = drawn.crop(start, start + width)
    # With a style, if an empty one: Textual's filter for NO_COLOR fails on cells without.
    return drawn.adjust_cell_length(width, Style.null())


def fit(words: Safe, width: int) -> Safe:
    """Text in exactly `width` cells: filled with blanks, or cut with an ellipsis."""
    if cell_len(words) <= width:
        return Safe(set_cell_size(words, width))
    return Safe(set_cell_size(words, max(0, width - 1)) + "…") if width > 0 else Safe("")


def fold(words: Safe, width: int) -> list[Safe]:
    """Text in lines of at most `width` cells, broken at blanks where there are any."""
    lines: list[Safe] = []
    for line in words.split("\n"):
        line = line.rstrip()
        indent = " " * min(len(line) - len(line.lstrip(" ")), max(8, width) // 2)
        for number, (start, end) in enumerate(_breaks(line, max(8, width), len(indent))):
            lines.append(Safe(f"{indent if number else ''}{line[start:end]}"))
    return lines


def fold_parts(parts: Sequence[Part], width: int, hang: int = 0) -> list[tuple[Part, ...]]:
    """As fold, for one line of several looks; the lines after the first begin `hang` cells in."""
    whole = "".join(words for words, _ in parts)
    width = max(8, width)
    hang = min(hang, width - 4)
    lines = []
    for number, (start, end) in enumerate(_breaks(whole, width, hang)):
        lead = ((Safe(" " * hang), ""),) if number and hang else ()
        lines.append((*lead, *_between(parts, start, end)))
    return lines


def _between(parts: Sequence[Part], start: int, end: int) -> Iterator[Part]:
    at = 0
    for words, name in parts:
        piece = words[max(0, start - at) : max(0, end - at)]
        if piece:
            yield Safe(piece), name
        at += len(words)


def _breaks(line: str, width: int, hang: int) -> Iterator[tuple[int, int]]:
    """Where lines start and end; all but the first have `hang` cells less."""
    start, room = 0, width
    while cell_len(line[start : start + 5 * room]) > room:
        head = set_cell_size(line[start : start + 5 * room], room).rstrip(" ")
        cut = start + len(head)
        # set_cell_size may stand a blank in for half of a wide character.
        while cut > start and not line.startswith(head[: cut - start], start):
            cut -= 1
        lead = len(line) - len(line[start:].lstrip(" ")) if start == 0 else start
        blank = line.rfind(" ", lead + 1, cut + 1)
        cut = blank if blank > start else max(start + 1, cut)
        yield start, cut
        start = cut + len(line[cut:]) - len(line[cut:].lstrip(" "))
        room = width - hang
        if start >= len(line):
            return
    yield start, len(line)
