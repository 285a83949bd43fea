"""A handbook as headings with what stands below them, and its blocks as lines and rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cockpit.runbook.blocks import Block, Kind
from cockpit.runbook.headings import plain

_LONGEST = 1_000
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_CELL = re.compile(r"(?<!\\)\|")
_SIGNS = re.compile(r"\*+(?=\S)|(?<=\S)\*+|`+|(?<![\w_])__(?=[^\W_])|(?<=[^\W_])__(?![\w_])|~~")
# Gives nothing back and ends before the next link: a line of nothing but openings takes no time.
_LINK = re.compile(
    r"!?\[([^\]\[\n]{0,300}+)\]\(\s*+<?((?:(?!\]\()[^)\s>]){1,500}+)>?"
    r"(?:\s+\"[^\"\n]*+\")?\s*\)"
)
_GONE = re.compile(r"<!--(?:(?!<!--).)*?-->|~~[^~]+~~")
"""What stands in a line and is not to be read: a comment, what was struck out."""
_FOREIGN = re.compile(r"\A[^\w+@#(\[<{$\"'“☐-☒□✅✔✓▢_.-]+")


@dataclass(slots=True, eq=False)
class Part:
    """A heading with what stands directly below it; the root has no title. Lines count from 1."""

    title: str
    level: int
    line: int
    parent: Part | None = None
    body: list[Block] = field(default_factory=list)
    children: list[Part] = field(default_factory=list)

    def chain(self) -> Iterator[Part]:
        """This part and those that it stands in, nearest first."""
        part: Part | None = self
        while part is not None:
            yield part
            part = part.parent

    def under(self, pattern: re.Pattern[str]) -> bool:
        """Whether a heading says so, this one or one above it; the file's own title does not."""
        return any(part.level > 0 and pattern.search(part.title) for part in self.sections())

    def sections(self) -> Iterator[Part]:
        """As `chain`, without what is the title of the whole file."""
        return (part for part in self.chain() if not part.is_title)

    @property
    def is_title(self) -> bool:
        """Whether this is the root, or the one heading that all others stand below."""
        return self.parent is None or (
            self.parent.parent is None and len(self.parent.children) == 1 and bool(self.children)
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it reads, without the signs of markdown around it.

    item: it begins an item of a list, nested as deep as `depth` says. code: it stands in a code
    block. strong: all of it is bold.
    """

    text: str
    number: int
    item: bool = False
    depth: int = 0
    code: bool = False
    strong: bool = False


def outline(blocks: Sequence[Block]) -> list[Part]:
    """The parts of a file in its order, the root first."""
    root = Part("", 0, 1)
    parts, stack = [root], [root]
    for block in blocks:
        if block.kind is not Kind.HEADING:
            stack[-1].body.append(block)
            continue
        while stack[-1].level >= block.level:
            stack.pop()
        title = plain(re.sub(r"<!--.*?-->", "", block.text[:_LONGEST]))
        part = Part(title, block.level, block.first, stack[-1])
        stack[-1].children.append(part)
        stack.append(part)
        parts.append(part)
    return parts


def lines(blocks: Sequence[Block], depth: int = 0, item: bool = False) -> Iterator[Line]:
    """The lines of blocks, of tables none; an empty one is where a line is empty in a code block.

    item: the first line begins an item.
    """
    for block in blocks:
        match block.kind:
            case Kind.PARAGRAPH | Kind.HTML:
                if block.text.startswith("<!--"):
                    continue
                for number, text in _defined(block):
                    for piece in _BREAK.split(text):
                        bare = piece.strip()
                        strong = bare.startswith(("**", "__")) and bare.rstrip(":").endswith(
                            ("**", "__")
                        )
                        yield Line(readable(bare), number, item, depth, strong=strong)
                        item = False
            case Kind.FENCE | Kind.INDENTED:
                for number, text in enumerate(block.text.split("\n"), block.body):
                    yield Line(text.strip()[:_LONGEST], number, depth=depth, code=True)
            case Kind.LIST:
                for child in block.children:
                    yield from lines(child.children, depth + 1, item=True)
            case Kind.QUOTE | Kind.ITEM:
                yield from lines(block.children, depth)
            case _:
                pass
        item = False


def _defined(block: Block) -> Iterator[tuple[int, str]]:
    """The lines of a paragraph; of a term and what defines it (`: so`), one."""
    texts = block.text.split("\n")
    for index, text in enumerate(texts):
        if re.match(r"\s*:\s+\S", text) and index and texts[index - 1].strip():
            continue
        after = texts[index + 1] if index + 1 < len(texts) else ""
        defined = re.match(r"\s*:\s+(\S.*)", after)
        yield block.first + index, f"{text.strip()}: {defined[1]}" if defined else text


def sentences(blocks: Sequence[Block]) -> Iterator[tuple[Line, str]]:
    """The sentences of blocks with the line that each begins in or near; list items are apart."""
    waiting: list[Line] = []
    for line in lines(blocks):
        goes_on = (
            waiting
            and not (line.item or line.code or line.strong)
            and (re.match(r"[a-z0-9(]", line.text) and not waiting[-1].text.endswith((":", ".")))
        )
        if waiting and not goes_on:
            yield from _split(waiting)
            waiting = []
        waiting.append(line)
    yield from _split(waiting)


def _split(waiting: Sequence[Line]) -> Iterator[tuple[Line, str]]:
    text = " ".join(line.text for line in waiting)
    for sentence in re.split(r"(?<=[.!])\s+(?=[A-Z“\"])|;\s+", text) if text else ():
        yield waiting[0], sentence


def tables(blocks: Sequence[Block]) -> Iterator[Block]:
    """The tables in blocks, those in quotes and lists among them."""
    for block in blocks:
        if block.kind is Kind.TABLE:
            yield block
        yield from tables(block.children)


def rows(table: Block) -> list[tuple[int, list[str]]]:
    """The rows of a table with their lines, the row of headings first."""
    found: list[tuple[int, list[str]]] = []
    for number, text in enumerate(table.text.split("\n"), table.first):
        if number == table.first + 1:  # the line of dashes
            continue
        inner = text.strip().lstrip(">").strip().removeprefix("|")
        if inner.endswith("|") and not inner.endswith("\\|"):
            inner = inner[:-1]
        cells = [readable(cell.replace("\\|", "|").strip()) for cell in _CELL.split(inner)]
        found.append((number, cells))
    return found


def readable(text: str) -> str:
    """A line of markdown as it reads; a link is its text and, where that says less, its address.

    What was struck out is left out. What is longer than any line that a person writes is cut.
    """
    text = text[:_LONGEST]
    if "<!--" in text or "~~" in text:
        text = _GONE.sub("", text)
    if "](" in text:
        text = _LINK.sub(_link, text)
    return _SIGNS.sub("", text).strip() if any(sign in text for sign in "*`_~") else text.strip()


def _link(found: re.Match[str]) -> str:
    name, address = found[1].strip(), found[2]
    bare = re.sub(r"\A(?:mailto|tel):(?://)?", "", address, flags=re.IGNORECASE)
    if address.startswith("#") or bare == name or not name:
        return name or bare
    if bare != address:
        return bare if re.search(r"[@\d]", bare) else name
    return f"{name} {address}" if "://" in address else name


def without_sign(text: str) -> str:
    """A line without the symbol that decorates its start: "📞 Phone: 1" is "Phone: 1"."""
    return _FOREIGN.sub("", text)
