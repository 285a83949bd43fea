"""The headings of a file as a tree, bold pseudo-headings among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cockpit.runbook import headings, prose
from cockpit.runbook.blocks import Block, Kind
from cockpit.runbook.model import Phase, StepKind

_LABEL = re.compile(
    r"(\*\*|__)(?P<label>[^*_\n]{2,100}?)(?P<colon>:?)\1(?P<after>\s*:?)(?P<rest>[^"
    r"\n]*)(?P<more>\n.*)?\Z",
    re.DOTALL,
)


_BOLD_NUMBER = re.compile(r"(?:\*\*|__)\s*(?P<number>\d{1,2})[.)]\s*(?:\*\*|__)[.)]?\s+(?=\S)")
"""How a numbered step begins that its author would not have renumbered: "**2.** Open a tunnel:"."""


@dataclass(slots=True)
class Node:
    """A heading with what stands directly below it and the headings under it."""

    title: str
    level: int
    first: int
    last: int
    body: list[Block] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    pseudo: bool = False
    kind: StepKind | None = None


def tree(found: Sequence[Block], title: str) -> Node:
    """The headings of a file, bold pseudo-headings among them, as a tree below a root."""
    root = Node(title, 0, 1, 1)
    stack = [root]
    for number, block in enumerate(found):
        if block.kind is Kind.HEADING:
            while stack[-1].level >= block.level or stack[-1].pseudo:
                stack.pop()
            node = Node(headings.plain(block.text), block.level, block.first, block.last)
        elif (label := _pseudo(found, number)) and len(stack) > 1:
            if stack[-1].pseudo:
                stack.pop()
            name, rest = label
            node = Node(name, stack[-1].level + 1, block.first, block.last, pseudo=True)
            if rest:
                node.body.append(replace(block, text=rest))
        else:
            stack[-1].body.append(block)
            for node in stack:
                node.last = max(node.last, block.last)
            continue
        stack[-1].children.append(node)
        stack.append(node)
        for node in stack:
            node.last = max(node.last, block.last)
    return root


def _pseudo(found: Sequence[Block], number: int) -> tuple[str, str] | None:
    """A paragraph that is a heading in bold, and what follows it in the same paragraph."""
    block = found[number]
    if block.kind is Kind.PARAGRAPH and (counted := _BOLD_NUMBER.match(block.text)):
        text = block.text[counted.end() :]
        title = f"{counted['number']}. {prose.title(text)}"
        return title, "" if headings.plain(text).rstrip(":.") == prose.title(text) else text
    match = _LABEL.match(block.text) if block.kind is Kind.PARAGRAPH else None
    if not match or prose.expectation(block.text) is not None:
        return None
    label = headings.plain(match["label"]).rstrip(":").strip()
    colon = match["colon"] or match["after"].strip()
    rest = (match["rest"].strip() + (match["more"] or "")).strip()
    strong = headings.strong(label)
    if strong is Phase.ESCALATION or strong is Phase.OVERVIEW:
        strong = None
    if strong is Phase.PREREQUISITES and not label.lower().startswith("pre"):
        strong = None
    if rest:
        data = re.search(r"^\s*(?:\*\*|__)", match["more"] or "", re.MULTILINE)
        if data or not colon or "alert" in label.lower():
            return None  # one line of the file's data: **Severity:** P1
        acts = strong in (Phase.SYMPTOMS, Phase.DIAGNOSIS, Phase.RECOVERY)
        return (label, rest) if acts else None
    follows = found[number + 1].kind if number + 1 < len(found) else None
    if (headings.kind(label) and follows is not Kind.HEADING) or (strong and follows is not None):
        return label, ""
    return None
