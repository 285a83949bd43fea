"""The author's prose as rows: tables in columns, links with their address, lists, quotes, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from rich.cells import cell_len

from cockpit.runbook.headings import plain
from cockpit.runbook.model import Prose, Snippet
from cockpit.text import Safe, clean
from screens import paint
from screens.paint import Part, Row

BAR = Safe("┃ ")
NARROW = 12
DEEPEST = 4
MOST_SENTENCES = 4

_INLINE = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`)(?P<verbatim>.+?)(?<!`)(?P=ticks)(?!`))"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<image>!)?\[(?P<text>(?:[^\]\[]|\[[^\]\[]*\])*)\]"
    r"\(\s*<?(?P<url>[^)\s>]+)>?(?:\s+[\"'(][^\"')]*[\"')])?\s*\)"
    r"|<(?P<auto>(?:https?|mailto|ftp):[^>\s]+)>"
    r"|(?P<strong>\*\*|__)(?=\S)(?P<bold>.+?)(?<=\S)(?P=strong)"
    r"|(?<![\w*])\*(?=[^\s*])(?P<em>[^*]+?)(?<=[^\s*])\*(?![\w*])"
    r"|(?<![\w_])_(?=[^\s_])(?P<under>[^_]+?)(?<=[^\s_])_(?![\w_])"
    r"|~~(?P<gone>.+?)~~"
    r"|(?P<tag></?(?:a|b|big|br|center|code|dd|details|div|dl|dt|em|font|h[1-6]|hr|i|img|kbd|li|ol|"
    r"p|pre|s|small|span|strong|sub|summary|sup|table|tbody|td|th|thead|tr|u|ul)\b[^<>]*>"
    r"|<!--.*?-->)",
    re.IGNORECASE,
)
_SIGN = re.compile(r"(\s*)([-*+•]|\d+[.)])\s+(?:\[([ xX])\]\s+)?")
_RULE = re.compile(r"\s*\|?\s*:?-{1,}:?\s*(?:\|\s*:?-{1,}:?\s*)*\|?\s*")
_LABEL = re.compile(r"\*\*|__|[-*+•]\s|\d+[.)]\s|[^\w\s`(\"'<\[]")
_SENTENCE_ENDS = re.compile(r"[.:?!][*_]*(?=\s)")
_WRAPPED = 60
_CELL = re.compile(r"(?:\\.|`[^`]*`|[^|\\])*")


@dataclass(slots=True)
class _Links:
    """Addresses that are told below a table, by number; None: told where they are."""

    below: list[str] | None = None

    def after(self, url: str) -> str:
        if self.below is None:
            return f" ({url})"
        if url not in self.below:
            self.below.append(url)
        return f" [{self.below.index(url) + 1}]"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where prose is laid out: cells in all, and the cells and signs each row begins with."""

    width: int
    indent: int
    lead: tuple[Part, ...] = field(default=())

    @property
    def room(self) -> int:
        taken = self.indent + sum(cell_len(words) for words, _ in self.lead)
        return max(8, self.width - taken - 1)

    def row(self, *parts: Part) -> Row:
        return paint.row((Safe(" " * self.indent), ""), *self.lead, *parts)


def prose(item: Prose, width: int, indent: int) -> list[Row]:
    """A piece of prose as rows of at most `width` cells."""
    place = _Place(width, indent)
    if not item.markdown:
        return [place.row((line, "")) for line in paint.fold(item.text, place.room)]
    return list(_blocks(clean(item.markdown).rstrip("\n").split("\n"), place))


def links(item: Prose, width: int, indent: int) -> list[Row]:
    """Only the addresses of a piece of prose, whose words stand somewhere else already."""
    place = _Place(width, indent)
    found = dict.fromkeys(
        match["url"] or match["auto"]
        for match in _INLINE.finditer(clean(item.markdown))
        if (match["url"] and not match["url"].startswith("#")) or match["auto"]
    )
    shown = [url for url in found if url not in item.text]
    return [place.row((line, "faint")) for url in shown for line in _fold(url, place.room)]


def snippet(item: Snippet, width: int, indent: int) -> list[Row]:
    """Code that is shown and never run, behind a bar."""
    place = _Place(width, indent, ((Safe("| "), "faint"),))
    return [
        place.row((line, ""))
        for words in item.text.strip("\n").split("\n")
        for line in paint.fold(Safe(words), place.room)
    ]


def bare(item: Prose) -> str:
    """The words of a piece of prose without the sign of a list or task before them."""
    return _SIGN.sub("", re.sub(r"^\s*\[[ xX]\]\s+", "", item.text), count=1)


def beyond(item: Prose, title: str) -> Prose | None:
    """The prose without a first sentence that says no more than a title; None where that is all.

    A sentence with a link in it is kept.
    """
    if " ".join(bare(item).split()).rstrip(":") == title:
        return None
    for number, end in enumerate(_SENTENCE_ENDS.finditer(item.markdown)):
        first = item.markdown[: end.end()]
        if number == MOST_SENTENCES or "](" in first:
            break
        said = " ".join(_SIGN.sub("", plain(first), count=1).split())
        if said == title or said[:-1] == title:
            return msgspec.structs.replace(item, markdown=item.markdown[end.end() :].lstrip())
    return item


def _blocks(lines: list[str], place: _Place) -> Iterator[Row]:
    if (
        len(place.lead) < DEEPEST
        and place.room > NARROW
        and all(re.match(r"\s*>", line) for line in lines)
    ):
        inner = [re.sub(r"^\s*> ?", "", line) for line in lines]
        quoted = _Place(place.width, place.indent, (*place.lead, (BAR, "faint")))
        yield from _blocks(inner, quoted)
        return
    at = next((n for n in range(1, len(lines)) if _is_table(lines, n)), None)
    if at is not None:
        yield from _lines(lines[: at - 1], place)
        yield from _table(lines[at - 1 :], place)
        return
    yield from _lines(lines, place)


def _is_table(lines: list[str], rule: int) -> bool:
    return "|" in lines[rule] and "|" in lines[rule - 1] and bool(_RULE.fullmatch(lines[rule]))


def _lines(lines: list[str], place: _Place) -> Iterator[Row]:
    for line in _unwrapped(lines):
        sign = _SIGN.match(line)
        parts: list[Part] = []
        hang = 0
        if sign:
            mark = "-" if sign[2] in "*+•" else sign[2]
            box = f"[{sign[3].strip() or ' '}] " if sign[3] else ""
            head = f"{mark} {box}"
            head = sign[1][: max(0, min(6, place.room - len(head) - 8))] + head
            parts, hang = [(Safe(head), "")], len(head)
            line = line[sign.end() :]
        parts += inline(line)
        if any(words.strip() for words, _ in parts):
            for folded in paint.fold_parts(parts, place.room, hang):
                yield place.row(*folded)


def _unwrapped(lines: list[str]) -> Iterator[str]:
    """Lines as they were meant: what an editor wrapped is one, what stands by itself is not."""
    longest = max((len(line.rstrip()) for line in lines), default=0)
    whole, last = "", 0
    for line in lines:
        said = line.strip()
        broken = whole.endswith(("  ", "\\")) or re.search(r"<br\s*/?>\s*$", whole)
        # An editor wraps where the next word would not have fitted into the longest line.
        full = longest >= _WRAPPED and last + 1 + len(said.split(" ", 1)[0]) > longest
        if whole and full and not broken and not _LABEL.match(said):
            whole = f"{whole.rstrip()} {said}"
        else:
            if whole:
                yield whole.rstrip("\\")
            whole = line if _SIGN.match(line) else line.lstrip()
        last = len(line.rstrip())
    yield whole.rstrip("\\")


def inline(line: str, name: str = "", told: _Links | None = None, depth: int = 0) -> list[Part]:
    """One line of cleaned markdown as parts; code keeps its signs, an address follows its text."""
    if depth > DEEPEST:
        return [(Safe(line), name)]
    told = told or _Links()
    parts: list[Part] = []
    at = 0
    for match in _INLINE.finditer(line):
        if match.start() > at:
            parts.append((Safe(line[at : match.start()]), name))
        at = match.end()
        if match["code"]:
            parts.append((Safe(f"`{match['verbatim'].strip()}`"), f"{name} code".strip()))
        elif match["escaped"]:
            parts.append((Safe(match["escaped"]), name))
        elif match["auto"]:
            parts.append((Safe(match["auto"].removeprefix("mailto:")), name))
        elif match["url"]:
            parts += _link(match, name, told, depth)
        elif bold := match["bold"]:
            parts += inline(bold, f"{name} strong".strip(), told, depth + 1)
        elif plain := match["em"] or match["under"] or match["gone"]:
            parts += inline(plain, name, told, depth + 1)
        elif match["tag"].lower().startswith(("<br", "</td", "</th")):
            parts.append((Safe(" "), name))
    if at < len(line):
        parts.append((Safe(line[at:]), name))
    return parts


def _link(match: re.Match[str], name: str, told: _Links, depth: int) -> list[Part]:
    url = match["url"].removeprefix("mailto:")
    text = inline(match["text"], name, told, depth + 1)
    words = "".join(part[0] for part in text).strip()
    if match["image"]:
        text = [(Safe(f"picture: {words}" if words else "picture"), name)]
    if url.startswith("#") or words == url or words == re.sub(r"^https?://|/$", "", url):
        return text
    return [*text, (Safe(told.after(url)), "faint")]


# Tables


def _table(lines: list[str], place: _Place) -> Iterator[Row]:
    told = _Links([])
    rows = [[inline(cell, "", told) for cell in _cells(line)] for line in lines if line.strip()]
    count = len(rows[0])
    head, body = rows[0], [(row + [[]] * count)[:count] for row in rows[2:]]
    widths = _widths([head, *body], place.room - 2 * (count - 1))
    if widths is None:
        yield from _cards(head, body, place)
    else:
        if any(head):
            yield from _in_columns([_look(cell, "strong") for cell in head], widths, place)
            rule = Safe("  ".join("─" * width for width in widths))
            yield place.row((rule, "faint"))
        for row in body:
            yield from _in_columns(row, widths, place)
    for number, url in enumerate(told.below or (), 1):
        for line in _fold(f"[{number}] {url}", place.room):
            yield place.row((line, "faint"))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    cells, at = [], 0
    while at <= len(inner):
        match = _CELL.match(inner, at)
        end = match.end() if match else at
        cells.append(inner[at:end].strip().replace("\\|", "|"))
        at = end + 1
    return cells


def _widths(rows: list[list[list[Part]]], room: int) -> list[int] | None:
    """Cells for each column; None where they do not fit side by side."""
    wanted = [max(1, *(_length(cell) for cell in column)) for column in zip(*rows, strict=True)]
    if sum(wanted) <= room:
        return wanted
    widths = [0] * len(wanted)
    left, open_columns = room, sorted(range(len(wanted)), key=lambda n: wanted[n])
    while open_columns:
        share = left // len(open_columns)
        column = open_columns.pop(0)
        widths[column] = min(wanted[column], share)
        left -= widths[column]
    if any(width < min(NARROW, want) for width, want in zip(widths, wanted, strict=True)):
        return None
    return widths


def _in_columns(row: list[list[Part]], widths: list[int], place: _Place) -> Iterator[Row]:
    folded = [paint.fold_parts(cell, width) for cell, width in zip(row, widths, strict=True)]
    for number in range(max(len(lines) for lines in folded)):
        parts: list[Part] = []
        for lines, width in zip(folded, widths, strict=True):
            line = lines[number] if number < len(lines) else ()
            gap = width - sum(cell_len(words) for words, _ in line) + 2
            parts += [*line, (Safe(" " * gap), "")]
        yield place.row(*parts[:-1])


def _cards(head: list[list[Part]], body: list[list[list[Part]]], place: _Place) -> Iterator[Row]:
    """A table that is too wide for columns: each row as lines of `heading: cell`."""
    for number, row in enumerate(body):
        if number:
            yield place.row((Safe("─" * min(8, place.room)), "faint"))
        for title, cell in zip(head, row, strict=True):
            if cell:
                label = [*_look(title, "strong"), (Safe(": "), "strong")] if title else []
                for line in paint.fold_parts([*label, *cell], place.room, 2):
                    yield place.row(*line)


def _look(parts: list[Part], name: str) -> list[Part]:
    return [(words, f"{old} {name}".strip()) for words, old in parts]


def _length(parts: list[Part]) -> int:
    return sum(cell_len(words) for words, _ in parts)


def _fold(words: str, width: int) -> list[Safe]:
    return paint.fold(Safe(words), width)
