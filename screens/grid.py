"""What a terminal shows, as cells: read from what Textual writes, told to it as a difference.

Only sequences that xterm, tmux and the Linux console share are used: cursor position and forward,
SGR, erase characters, erase to the end of the line, clear, scroll region with line feeds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import combining

from rich.cells import cell_len, split_graphemes

Cell = tuple[str, str, str]
"""Text, SGR parameters, hyperlink. The right half of a wide character has the text ""."""

Row = list[Cell]

BLANK: Cell = (" ", "", "")

_TOKEN = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|\x1b\[(?P<sgr>[\d;:]*)m"
    r"|\x1b\]8;(?P<link>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|(?P<control>\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[P_^X][^\x1b]*\x1b\\"  # DCS, APC, PM, SOS
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[ -/]*[0-~]|\x07)"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)
_MOVE = re.compile(r"\x1b\[\d+;\d+H")
_CODE = re.compile(r"[345]8;2;\d*;\d*;\d*|[345]8;5;\d*|[\d:]+")
_FOREGROUND = re.compile(r"38[;:]|3[0-7]\Z|9[0-7]\Z")
_BACKGROUND = re.compile(r"48[;:]|4[0-7]\Z|10[0-7]\Z")
_LONGEST_SGR = 256
_NO_LINK = ";"

_SHORT_GAP = 4
"""Unchanged cells that are cheaper to send again than to jump over."""

_LONG_BLANK = 8
"""Blank cells from which on erasing is cheaper than writing spaces."""

_LEAST_SCROLL = 3
"""Rows that must be found again further up before the region is scrolled."""


class Grid:
    """The cells of a screen and where its cursor rests."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.rows: list[Row] = [[BLANK] * width for _ in range(height)]
        self.x = 0
        self.y = 0

    def copy(self) -> Grid:
        """The same cells; changing one leaves the other as it is."""
        other = Grid(0, 0)
        other.width, other.height = self.width, self.height
        other.rows = [row[:] for row in self.rows]
        other.x, other.y = self.x, self.y
        return other

    def resized(self, width: int, height: int) -> Grid:
        """The cells that still fit, at their places."""
        other = Grid(width, height)
        for mine, row in zip(other.rows, self.rows, strict=False):
            mine[:] = (row + mine[len(row) :])[:width]
            if 0 < width < len(row) and row[width][0] == "":
                mine[-1:] = [BLANK]
        other.x, other.y = min(self.x, max(width - 1, 0)), min(self.y, max(height - 1, 0))
        return other

    def draw(self, data: str) -> list[str]:
        """Take one write of Textual; return in order the sequences in it that paint nothing.

        A write that moves the cursor is a frame, and a frame of Textual holds nothing but moves,
        styles, links and text. Any other sequence inside it stood in the text of a widget and is
        dropped: it came from elsewhere and must not reach the terminal.
        """
        controls: list[str] = []
        is_frame = _MOVE.search(data) is not None
        sgr, link = "", ""
        for token in _TOKEN.finditer(data):
            match token.lastgroup:
                case "text":
                    self._put(token["text"], sgr, link)
                case "sgr":
                    sgr = _added(sgr, token["sgr"])
                case "column":
                    self.y, self.x = int(token["row"]) - 1, int(token["column"]) - 1
                case "link":
                    link = "" if token["link"] == _NO_LINK else token["link"]
                case _ if not is_frame:
                    controls.append(token["control"])
        if is_frame:
            self.x = max(0, min(self.x, self.width - 1))
            self.y = max(0, min(self.y, self.height - 1))
        return controls

    def _put(self, text: str, sgr: str, link: str) -> None:
        if not 0 <= self.y < self.height or self.x < 0:
            return
        row, x, width = self.rows[self.y], self.x, self.width
        if text.isascii():
            fits = text[: max(width - x, 0)]
            end = x + len(fits)
            self._halve(row, x, end)
            row[x:end] = [(character, sgr, link) for character in fits]
            self.x = x + len(text)
            return
        for cluster, cells in _clusters(text):
            if cells == 0:
                if 0 < x <= width:
                    before = x - 2 if row[x - 1][0] == "" else x - 1
                    row[before] = (row[before][0] + cluster, *row[before][1:])
                continue
            if x + cells <= width:
                self._halve(row, x, x + cells)
                row[x] = (cluster, sgr, link)
                row[x + 1 : x + cells] = [("", sgr, link)] * (cells - 1)
            x += cells
        self.x = x

    @staticmethod
    def _halve(row: Row, start: int, end: int) -> None:
        """Blank the halves of wide characters that writing start..end would leave behind."""
        if start >= end:
            return
        if start and row[start][0] == "":
            row[start - 1] = (" ", *row[start - 1][1:])
        if end < len(row) and row[end][0] == "":
            row[end] = (" ", *row[end][1:])


def difference(shown: Grid | None, wanted: Grid, *, colored_erase: bool = True) -> str:
    """What to send to a terminal that shows `shown` so that it shows `wanted`; "" when it does.

    shown: None when what the terminal shows is not known; it is cleared then.
    colored_erase: whether erased cells take the background colour (GNU screen: no).
    """
    pen = _Pen(wanted.width, colored_erase)
    if shown is None or (shown.width, shown.height) != (wanted.width, wanted.height):
        shown = Grid(wanted.width, wanted.height)
        pen.out.append("\x1b(B\x1b[r\x1b[m\x1b[2J")
    rows = _scroll(pen, shown.rows, wanted.rows)
    for y, (old, new) in enumerate(zip(rows, wanted.rows, strict=True)):
        if old != new:
            _difference_in_row(pen, y, old, new)
    if not pen.out and (shown.x, shown.y) == (wanted.x, wanted.y):
        return ""
    pen.style("", "")
    pen.place(wanted.y, wanted.x)
    return "".join(pen.out)


class _Pen:
    """What has been said to the terminal so far, and what state that left it in."""

    def __init__(self, width: int, colored_erase: bool) -> None:
        self.out: list[str] = []
        self.width = width
        self.colored_erase = colored_erase
        self.at: tuple[int, int] | None = None
        """Row and column, or None where terminals may differ about it."""
        self.sgr = ""
        self.link = ""

    def place(self, y: int, x: int) -> None:
        if x:
            self.out.append(f"\x1b[{y + 1};{x + 1}H")
        else:
            self.out.append(f"\x1b[{y + 1}H" if y else "\x1b[H")
        self.at = (y, x)

    def move(self, y: int, x: int) -> None:
        if self.at == (y, x):
            return
        if self.at is not None and self.at[0] == y and x > self.at[1]:
            steps = x - self.at[1]
            self.out.append(f"\x1b[{steps}C" if steps > 1 else "\x1b[C")
            self.at = (y, x)
        else:
            self.place(y, x)

    def style(self, sgr: str, link: str) -> None:
        if sgr != self.sgr:
            self.out.append(_restyle(self.sgr, sgr))
            self.sgr = sgr
        if link != self.link:
            self.out.append(f"\x1b]8;{link or _NO_LINK}\x1b\\")
            self.link = link

    def write(self, y: int, row: Row, start: int, end: int) -> None:
        """Show the cells start..end of a row; start is not the right half of a character."""
        x = start
        while x < end:
            text, sgr, link = cell = row[x]
            if text == " " and (blank := _run(row, x)) > x + _LONG_BLANK:
                # The run may go on past `end` with cells that are shown already: only what
                # belongs to this change is erased, unless all is blank up to the edge.
                last = blank if blank == self.width else min(blank, end)
                if last > x + _LONG_BLANK and _erasable(sgr, self.colored_erase) and not link:
                    self.move(y, x)
                    self.style(sgr, link)
                    self.out.append("\x1b[K" if last == self.width else f"\x1b[{last - x}X")
                    x = last
                    continue
            self.move(y, x)
            self.style(sgr, link)
            cells = 2 if x + 1 < len(row) and row[x + 1][0] == "" else 1
            if _disputed(text):
                self.out.append(" " * cells)
                self.place(y, x)
            self.out.append(cell[0])
            x += cells
            if x >= self.width or _disputed(text):
                self.at = None
            elif text.isascii() and self.at is not None:
                self.at = (y, x)
            else:
                self._after_non_ascii(y, x, row, end)

    def _after_non_ascii(self, y: int, x: int, row: Row, end: int) -> None:
        # Within a run of non-ASCII characters the terminal's own advance is trusted (as Textual
        # does); the first ASCII cell after it is placed absolutely.
        goes_on = x < end and row[x][0] != " " and not row[x][0].isascii()
        self.at = (y, x) if goes_on and not _disputed(row[x][0]) else None


def _difference_in_row(pen: _Pen, y: int, old: Row, new: Row) -> None:
    dirty = [a != b for a, b in zip(old, new, strict=True)]
    width = len(new)
    for x, (text, _, _) in enumerate(new):
        if not dirty[x]:
            continue
        if text == "" and x:
            dirty[x - 1] = True
        if x + 1 < width and new[x + 1][0] == "":
            dirty[x + 1] = True
        if _disputed(text):
            # A terminal that draws the parts side by side paints over what follows.
            reach = min(width, x + sum(max(1, cell_len(part)) for part in text))
            dirty[x + 1 : reach] = [True] * (reach - x - 1)
            if reach < width and new[reach][0] == "":
                dirty[reach] = True
    x = 0
    while x < width:
        if not dirty[x]:
            x += 1
            continue
        end = _end_of_change(new, dirty, x)
        pen.write(y, new, x, end)
        x = end


def _end_of_change(row: Row, dirty: list[bool], start: int) -> int:
    """Where a change that begins at start ends, short unchanged gaps included."""
    end = start + 1
    for x in range(start + 1, len(row)):
        if dirty[x]:
            end = x + 1
        elif x - end >= _SHORT_GAP or row[x][1:] != row[end - 1][1:] or not _plain(row[x][0]):
            break
    return end


def _plain(text: str) -> bool:
    return text != "" and text.isascii()


def _run(row: Row, x: int) -> int:
    """The end of the run of cells equal to the one at x."""
    cell, end = row[x], x + 1
    while end < len(row) and row[end] == cell:
        end += 1
    return end


def _scroll(pen: _Pen, old: list[Row], new: list[Row]) -> list[Row]:
    """Scroll rows that moved up as a block; return the rows as the terminal has them then."""
    height = len(new)
    if sum(a != b for a, b in zip(old, new, strict=True)) <= _LEAST_SCROLL:
        return old
    was, will = [hash(tuple(row)) for row in old], [hash(tuple(row)) for row in new]
    gain = _LEAST_SCROLL - 1
    found: tuple[int, int, int] | None = None
    for by in range(1, height - 1):
        first = saved = 0
        for y in range(height - by):
            if will[y] != was[y + by]:
                first, saved = y + 1, 0
                continue
            saved += will[y] != was[y]
            if saved > gain:
                gain, found = saved, (first, y + by, by)
    if found is None:
        return old
    top, bottom, by = found
    pen.out.append(f"\x1b[{top + 1};{bottom + 1}r\x1b[{bottom + 1}H" + "\n" * by + "\x1b[r")
    blank = [[BLANK] * pen.width for _ in range(by)]
    return old[:top] + old[top + by : bottom + 1] + blank + old[bottom + 1 :]


@lru_cache(4096)
def _clusters(text: str) -> tuple[tuple[str, int], ...]:
    """Pieces of a text that share cells, with their width as Textual's layout counts it."""
    return tuple((text[start:end], cells) for start, end, cells in split_graphemes(text)[0])


@lru_cache(4096)
def _disputed(text: str) -> bool:
    """Whether terminals disagree about how many cells a character takes: emoji, joined ones."""
    return text >= "\U0001f000" or not all(combining(part) for part in text[1:])


def _added(sgr: str, more: str) -> str:
    if more in ("", "0"):
        return ""
    if more.startswith("0;") or not sgr or len(sgr) > _LONGEST_SGR:
        return more.removeprefix("0;")
    return f"{sgr};{more}"


@lru_cache(1024)
def _parts(sgr: str) -> tuple[frozenset[str], str, str]:
    """Attributes, foreground, background of SGR parameters."""
    attributes: set[str] = set()
    foreground = background = ""
    for code in _CODE.findall(sgr):
        if _FOREGROUND.match(code):
            foreground = code
        elif _BACKGROUND.match(code):
            background = code
        elif code == "0":
            attributes, foreground, background = set(), "", ""
        elif code == "39":
            foreground = ""
        elif code == "49":
            background = ""
        else:
            attributes.add(code)
    return frozenset(attributes), foreground, background


@lru_cache(4096)
def _restyle(old: str, new: str) -> str:
    """The shortest SGR from one style to another."""
    if not new:
        return "\x1b[m"
    attributes, foreground, background = _parts(new)
    old_attributes, old_foreground, old_background = _parts(old)
    whole = f"\x1b[0;{new}m" if old else f"\x1b[{new}m"
    if not old_attributes <= attributes:
        return whole
    codes = sorted(attributes - old_attributes)
    if foreground != old_foreground:
        codes.append(foreground or "39")
    if background != old_background:
        codes.append(background or "49")
    step = f"\x1b[{';'.join(codes)}m" if codes else ""
    return min(step, whole, key=len)


@lru_cache(1024)
def _erasable(sgr: str, colored_erase: bool) -> bool:
    """Whether an erased cell looks like a space written in this style."""
    attributes, _, background = _parts(sgr)
    return attributes <= {"1", "2", "3"} and (colored_erase or not background)
