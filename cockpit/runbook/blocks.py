"""Markdown as a tree of blocks with source lines: with `shortcut`, all that knows markdown-it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


class Kind(StrEnum):
    """What a block is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    FENCE = "fence"
    INDENTED = "indented"
    LIST = "list"
    ITEM = "item"
    QUOTE = "quote"
    TABLE = "table"
    HTML = "html"


class Block(msgspec.Struct, frozen=True):
    """A block of the file; first and last count lines from 1.

    text is markdown as written, of a code block its content, whose first line is body. level is
    that of a heading; of a paragraph or table, in how many quotes it stands.
    """

    kind: Kind
    text: str
    first: int
    last: int
    level: int = 0
    info: str = ""
    ordered: bool = False
    body: int = 0
    children: tuple[Block, ...] = ()


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    from cockpit.runbook import shortcut

    # Only its blocks are used. Inline markup is read by our own few patterns: it costs most of the
    # time and is needed rarely.
    markdown = MarkdownIt("commonmark").enable("table")
    shortcut.add_to(markdown)
    return markdown


_TAB_LABEL = re.compile(r'(?:===|!!!|\?\?\?\+?)\s+(?:\w+\s*)?(?:"([^"]*)")?\s*$')


def read(text: str, first: int = 1) -> tuple[Block, ...]:
    """The blocks of a markdown text with "\\n" line ends; first is the number of its first line."""
    markdown = _markdown()
    tokens: list[Token] = []
    markdown.block.parse(text.replace("\0", "\ufffd"), markdown, {}, tokens)
    return _children(tokens, 0, len(tokens), text.split("\n"), first)


def _children(
    tokens: Sequence[Token], start: int, stop: int, lines: Sequence[str], offset: int
) -> tuple[Block, ...]:
    found: list[Block] = []
    i = start
    while i < stop:
        token = tokens[i]
        end = _closing(tokens, i, stop) if token.nesting == 1 else i
        block = _block(tokens, i, end, lines, offset)
        if block:
            found.append(block)
        i = end + 1
    return tuple(found)


def _closing(tokens: Sequence[Token], i: int, stop: int) -> int:
    level = tokens[i].level
    for j in range(i + 1, stop):
        if tokens[j].level == level and tokens[j].nesting == -1:
            return j
    return stop - 1


def _block(
    tokens: Sequence[Token], i: int, end: int, lines: Sequence[str], offset: int
) -> Block | None:
    token = tokens[i]
    span = token.map or [0, 0]
    first, last = span[0] + offset, _last_line(lines, span) + offset
    match token.type:
        case "heading_open":
            text = tokens[i + 1].content if end > i else token.content
            return Block(Kind.HEADING, text, first, last, level=int(token.tag[1]))
        case "paragraph_open":
            text = tokens[i + 1].content if end > i else token.content
            return Block(Kind.PARAGRAPH, text, first, last)
        case "fence":
            return Block(Kind.FENCE, token.content, first, last, info=token.info, body=first + 1)
        case "code_block":
            return _indented(token, first, last)
        case "bullet_list_open" | "ordered_list_open":
            ordered = token.type.startswith("ordered")
            children = _children(tokens, i + 1, end, lines, offset)
            return Block(Kind.LIST, "", first, last, ordered=ordered, children=children)
        case "list_item_open":
            children = _children(tokens, i + 1, end, lines, offset)
            return Block(Kind.ITEM, "", first, last, info=token.info, children=children)
        case "blockquote_open":
            children = _children(tokens, i + 1, end, lines, offset)
            return Block(Kind.QUOTE, "", first, last, children=children)
        case "table_open":
            return Block(Kind.TABLE, "\n".join(lines[span[0] : span[1]]).rstrip(), first, last)
        case "html_block":
            return Block(Kind.HTML, token.content.rstrip("\n"), first, last)
    return None


def _last_line(lines: Sequence[str], span: Sequence[int]) -> int:
    last = span[1] - 1
    while last > span[0] and last < len(lines) and not lines[last].strip():
        last -= 1
    return max(last, span[0])


def _indented(token: Token, first: int, last: int) -> Block:
    """Indented code; where it holds a fence (the tabs of MkDocs indent theirs), that fence."""
    content = token.content.rstrip("\n")
    fence = re.match(r"(`{3,}|~{3,})[ \t]*([^\n`]*)\n(.*?)\n?\1\s*\Z", content, re.DOTALL)
    if fence:
        return Block(Kind.FENCE, fence[3], first, last, info=fence[2].strip(), body=first + 1)
    return Block(Kind.INDENTED, token.content, first, last, body=first)


def is_tab_label(block: Block) -> str | None:
    """The title of a MkDocs tab or admonition (`=== "Plugin"`), None for any other block."""
    if block.kind is Kind.PARAGRAPH and (match := _TAB_LABEL.match(block.text)):
        return match[1] or block.text
    return None


def flat(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks with quotes replaced by what stands in them."""
    out: list[Block] = []
    for block in blocks:
        if block.kind is not Kind.QUOTE:
            out.append(block)
            continue
        for child in flat(block.children):
            deeper = child.kind in (Kind.PARAGRAPH, Kind.TABLE)
            out.append(replace(child, level=child.level + 1) if deeper else child)
    return tuple(out)


def quoted(block: Block) -> str:
    """The markdown of a block that was made flat, with the signs of the quotes around it."""
    if block.kind is Kind.HEADING or not block.level:
        return block.text
    sign = "> " * block.level
    return sign + block.text.replace("\n", f"\n{sign}")
