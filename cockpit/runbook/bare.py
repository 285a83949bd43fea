"""Commands without any markup: paragraphs in which every line is one, below "If …:"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from cockpit.runbook import fences, programs
from cockpit.runbook.blocks import Block, Kind

_PROSE = re.compile(
    r"\b(?:is|are|was|were|will|must|should|can|may|has|have|the|this|that|you|your|we|it|they|"
    r"because|which|please|needs?)\b|[.!?;:,]\s*\Z|`",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def code(found: Sequence[Block], also: frozenset[str]) -> tuple[Block, ...]:
    """The blocks, with paragraphs that are only commands turned to indented code.

    Such a paragraph stands below one that ends with a colon, or below another of its kind.
    """
    out: list[Block] = []
    for block in found:
        if block.children:
            block = replace(block, children=code(block.children, also))
        elif out and block.kind is Kind.PARAGRAPH:
            before = out[-1]
            introduced = before.kind is Kind.PARAGRAPH and before.text.rstrip("* ").endswith(":")
            introduced = introduced or (before.kind is Kind.INDENTED and bool(before.info))
            if introduced and _calls(block.text, also):
                block = replace(block, kind=Kind.INDENTED, body=block.first, info="sh")
        out.append(block)
    return tuple(out)


def _calls(text: str, also: frozenset[str]) -> bool:
    lines = [line.strip() for line in text.split("\n")]
    if not all(line[:1].islower() or line[:1] in "./~$#" for line in lines):
        return False
    commands = [piece.text for piece in fences.split(lines) if piece.kind is fences.Kind.COMMAND]
    return bool(commands) and all(
        programs.certain(command.removeprefix("$ "), also)
        and " " in command
        and not _PROSE.search(_QUOTED.sub("", command))
        for command in commands
    )
