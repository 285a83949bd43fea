"""The messages that a handbook has ready, with their gaps as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cockpit.oncall.lists import labelled
from cockpit.oncall.model import Template
from cockpit.oncall.outline import Part, lines, readable
from cockpit.runbook.blocks import Block, Kind
from cockpit.runbook.comments import language
from cockpit.text import clean, clean_line

_ABOUT = (
    (
        "acknowledged",
        r"acknowledg|\back\b|initial|investigating|first (?:message|response|post|notice)"
        r"|new incident|incident (?:start|declar|open)|alert received|detected",
    ),
    ("escalation", r"escalat|need help|asking for help|page (?:the )?(?:next|level)"),
    (
        "resolved",
        r"resol|all[- ]clear|post[- ]?incident|closing|closed|recovered|restored|fixed|behoben",
    ),
    ("update", r"update|progress|status|ongoing|still working|monitoring|identified"),
)
_AREA = re.compile(
    r"template|\bmessages?\b|communicat|announc|what to say|wording|canned|boilerplate|vorlage",
    re.IGNORECASE,
)
_POST = re.compile(
    r"\b(?:post|message|send|write|announce|slack|e-?mail|format|template|say|tell|notify|sms|text)\b",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:post|send|announce|tell|notify|say|template|message|format)\b", re.IGNORECASE
)
_NOT_SAID = re.compile(r"command|check ?list|access|contact|file locations?|vendor", re.IGNORECASE)
_GAP = re.compile(r"\{[\w .'/|-]+\}|\[[^\]\n]{2,60}\](?!\()|<[A-Za-z][^<>\n]{1,60}>")
_QUOTES = tuple("\"“„«'")
_PROSE = frozenset(
    {"", "text", "txt", "plain", "plaintext", "markdown", "md", "message", "slack", "none"}
)
_COMMENT = re.compile(r"\A\s*(?:#+|//|--|<!--)\s+(?P<said>.+?)(?:-->)?\s*\Z")


def templates(parts: Sequence[Part]) -> tuple[Template, ...]:
    """Every message, in the order of the file; the first about a matter is the one to take."""
    found: list[Template] = []
    for part in parts:
        area = part.under(_AREA)
        if not area and _NOT_SAID.search(part.title):
            continue
        for label, block in labelled(part.body):
            found += _of(part, label, block, area)
    return tuple(found)


def _of(part: Part, label: str, block: Block, area: bool) -> Iterator[Template]:
    if block.kind in (Kind.FENCE, Kind.INDENTED):
        if language(block) not in _PROSE:
            return
        pieces = list(_pieces(block))
        said = [piece for piece in pieces if _POST.search(piece[0])]
        if said:
            pieces = said
        elif not (area or _SAID.search(label)):
            return
        for comment, text, line in pieces:
            if text and (area or _GAP.search(text)):
                yield _template(part, [comment, label], text, line)
    elif block.kind is Kind.QUOTE and (area or _SAID.search(label)):
        own = [line.text for line in lines([block])]
        named = len(own) > 1 and not _GAP.search(own[0]) and _about(own[0])
        text = "\n".join(own[1:] if named else own)
        if text and (area or _GAP.search(text)):
            yield _template(part, [own[0] if named else label], text, block.first)
    elif block.kind is Kind.LIST and area:
        for item in block.children:
            name, colon, text = "\n".join(each.text for each in lines(item.children)).partition(":")
            meant = _GAP.search(text) or text.strip()[:1] in _QUOTES
            if colon and len(name) < 40 and text.strip() and meant and _about(name):
                yield _template(part, [name], text.strip(), item.first)
    elif block.kind is Kind.PARAGRAPH and area:
        name, colon, text = readable(block.text).partition(":")
        if colon and len(name) < 40 and _about(name) and _GAP.search(text) and text.strip():
            yield _template(part, [name], text.strip(), block.first)


def _pieces(block: Block) -> Iterator[tuple[str, str, int]]:
    """The texts in a code block, each with the comment above it and its first line."""
    comment, first = "", block.body
    text: list[str] = []
    for number, line in enumerate(block.text.rstrip("\n").split("\n"), block.body):
        if said := _COMMENT.match(line):
            if any(text):
                yield comment, "\n".join(text).strip(), first
                comment = ""
            comment = f"{comment} {said['said']}".strip() if not any(text) else said["said"]
            text, first = [], number + 1
        else:
            text.append(line.rstrip())
    yield comment, "\n".join(text).strip(), first


def _about(text: str) -> str | None:
    low = text.lower()
    return next((about for about, words in _ABOUT if re.search(words, low)), None)


def _template(part: Part, labels: Sequence[str], text: str, line: int) -> Template:
    """A message; what it is about says the nearest of its labels and headings."""
    if text[:1] in _QUOTES and text[-1:] in "\"”“»'" and len(text) > 2:
        text = text[1:-1].strip()
    titles = [*labels, *(each.title for each in part.sections())]
    about = next((known for title in titles if title and (known := _about(title))), None)
    title = part.title or next(filter(None, labels), "Message")
    return Template(about or str(clean_line(title)), clean_line(title), clean(text), line)
