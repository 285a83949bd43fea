"""A rule for markdown-it that sees by the first letter what a line starts, before all others try.

It finds the same blocks, only sooner: nine of ten are plain words, a list item, a heading, a fence
or a table, and markdown-it asks up to ten rules about each of their lines. What is not plain to see
is left to them. A paragraph or heading is one token here, with its text, and a table has no cells:
making tokens that nobody reads takes as long as the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it.rules_block import fence, list_block, table

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock

_HEADING = re.compile(r"#{1,6}(?=[ \t]|\Z)")

_SAFE = frozenset("\"'(),.;!?$/@%&{}\\^]")
"""Signs, besides letters, with which no block but a paragraph can start."""
_UNDERLINES = frozenset("|-:=")
"""What the line below the head of a table, or below a setext heading, can start with."""


def add_to(markdown: MarkdownIt) -> None:
    """Have the parser try the shortcut before its own rules."""
    markdown.block.ruler.before("table", "shortcut", _shortcut, {"alt": []})


def _shortcut(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if silent or state.sCount[start] - state.blkIndent > 3:
        return False
    source = state.src
    at = state.bMarks[start] + state.tShift[start]
    first = source[at]
    if _is_words(source, at, first):
        return _words(state, start)
    if _is_underlined(state, start + 1) and "|" in source[at : state.eMarks[start]]:
        return _table(state, start, end)
    if first == "#":
        return _heading(state, start, source[at : state.eMarks[start]])
    if first in "`~":
        return fence(state, start, end, False)
    if first.isdigit() or (first in "-+*" and _is_item(source, at, state.eMarks[start])):
        return list_block(state, start, end, False)
    return False


def _is_words(source: str, at: int, first: str) -> bool:
    if first.isalpha() or first in _SAFE or first > "\x7f":
        return True
    if first == "`":
        return source[at + 1 : at + 3] != "``"
    if first == "*":  # bold; an item has a blank here, a rule only more stars
        return source[at + 1 : at + 2] == "*" and source[at + 2 : at + 3].isalnum()
    return False


def _is_item(source: str, at: int, end: int) -> bool:
    """Whether a list item starts here that cannot be a rule (`* * *`)."""
    return (
        source[at + 1 : at + 2] == " " and source[at + 2 : at + 3] not in "*-_ \t" and at + 2 < end
    )


def _is_underlined(state: StateBlock, line: int) -> bool:
    """Whether a line could make the one above it the head of a table or a heading."""
    if line >= state.lineMax or state.sCount[line] < state.blkIndent:
        return False
    at = state.bMarks[line] + state.tShift[line]
    return state.src[at : at + 1] in _UNDERLINES


def _words(state: StateBlock, start: int) -> bool:
    """A paragraph, whose lines are shown to the other rules only where one could take them."""
    if _is_underlined(state, start + 1):
        return False
    source, marks, shifts, counts = state.src, state.bMarks, state.tShift, state.sCount
    line, last = start + 1, state.lineMax
    others = state.md.block.ruler.getRules("paragraph")
    before, state.parentType = state.parentType, "paragraph"
    try:
        while line < last:
            at = marks[line] + shifts[line]
            if at >= state.eMarks[line]:
                break
            indent, first = counts[line] - state.blkIndent, source[at]
            if not (indent > 3 or counts[line] < 0 or first == "[" or _is_words(source, at, first)):
                if indent >= 0 and first in _UNDERLINES:
                    return False
                if any(rule(state, line, last, True) for rule in others):
                    break
            line += 1
    finally:
        state.parentType = before
    text = state.getLines(start, line, state.blkIndent, False).strip()
    return _leaf(state, "paragraph_open", "p", text, start, line)


def _heading(state: StateBlock, start: int, line: str) -> bool:
    match = _HEADING.match(line)
    if not match:
        return False
    text = line[match.end() :].rstrip(" \t")
    closed = text.rstrip("#")
    if closed[-1:] in (" ", "\t"):
        text = closed
    return _leaf(state, "heading_open", f"h{match.end()}", text.strip(), start, start + 1)


def _leaf(state: StateBlock, kind: str, tag: str, text: str, start: int, end: int) -> bool:
    token = state.push(kind, tag, 0)
    token.content = text
    token.map = [start, end]
    state.line = end
    return True


def _table(state: StateBlock, start: int, end: int) -> bool:
    """A table without its cells, if it is one."""
    if not table(state, start, end, True):
        return False
    line = start + 2
    others = state.md.block.ruler.getRules("blockquote")
    before, state.parentType = state.parentType, "table"
    while line < end and state.sCount[line] >= state.blkIndent and not state.isEmpty(line):
        is_row = state.src[state.bMarks[line] + state.tShift[line]] == "|"
        if not is_row and any(rule(state, line, end, True) for rule in others):
            break
        if state.is_code_block(line):
            break
        line += 1
    state.parentType = before
    return _leaf(state, "table_open", "table", "", start, line)
