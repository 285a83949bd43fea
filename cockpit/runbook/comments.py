"""A code block as its author tells it: commands grouped by the comments above and below them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cockpit.runbook import fences, programs, prose
from cockpit.runbook.blocks import Block, Kind
from cockpit.runbook.model import Expectation, Lines, Prose, Reference, Snippet
from cockpit.text import clean, clean_line

_SHELL_SIGN = re.compile(r"\s-{1,2}[A-Za-z]|[|<>$`]|\s\S*/")
_NAME = re.compile(r"[a-z][a-z0-9_-]+")
_IF_SEE = re.compile(r"(?:if|when|otherwise|not)\b", re.IGNORECASE)


@dataclass(slots=True)
class Group:
    """The commands below one comment of a block, with what stands around them."""

    title: str
    first: int
    last: int
    parts: list[fences.Piece | Expectation | Snippet | Prose | Reference] = field(
        default_factory=list
    )
    indented: bool = False

    @property
    def commands(self) -> list[fences.Piece]:
        return [part for part in self.parts if isinstance(part, fences.Piece)]

    @property
    def has_commands(self) -> bool:
        return any(isinstance(part, fences.Piece) for part in self.parts)


def language(block: Block) -> str:
    """The first word of a fence's info string, lower case."""
    match = re.match(r"\s*\{?\s*\.?([\w+-]+)(?![\w+-]*\s*[=:])", block.info)
    return match[1].lower() if match else ""


def groups(pieces: Sequence[fences.Piece], body: int, info: str) -> list[Group]:
    """A block's pieces, grouped by the comments above them; body is its first line of content."""
    found = [Group("", body, body)]
    i = 0
    while i < len(pieces):
        piece = pieces[i]
        group = found[-1]
        line, last = body + piece.first, body + piece.last
        if piece.kind is fences.Kind.COMMENT:
            stop = i
            while stop < len(pieces) and pieces[stop].kind is fences.Kind.COMMENT:
                stop += 1
            title = _comments(pieces, i, stop, body, group)
            if title:
                found.append(Group(title[0], line, line))
                found[-1].parts += title[1]
            i = stop
            continue
        if piece.kind is fences.Kind.COMMAND:
            group.parts.append(fences.Piece(piece.kind, piece.text, line, last, piece.note))
        elif piece.kind is fences.Kind.OTHER:
            before = group.parts[-1] if group.parts else None
            if isinstance(before, Snippet) and before.lines.last + 1 == line:
                group.parts[-1] = Snippet(
                    clean(f"{before.text}\n{piece.text}"),
                    before.language,
                    Lines(before.lines.first, last),
                )
            else:
                group.parts.append(Snippet(clean(piece.text), clean_line(info), Lines(line, last)))
        group.last = max(group.last, last)
        i += 1
    for group in found:
        if group.title and not group.has_commands:
            group.parts.insert(0, Prose(clean(group.title), Lines(group.first, group.first)))
    return [group for group in found if group.parts]


def _comments(
    pieces: Sequence[fences.Piece], start: int, stop: int, body: int, group: Group
) -> tuple[str, list[Prose | Reference]] | None:
    """Sort a run of comment lines: expectation, branch, remark; or the title of what follows."""
    close = start > 0 and pieces[start - 1].kind is fences.Kind.COMMAND
    titles_next = stop < len(pieces) and pieces[stop].kind is fences.Kind.COMMAND
    after_commands = group.has_commands
    rest: list[tuple[str, int]] = []
    expecting = listed = False
    for number, piece in enumerate(pieces[start:stop]):
        text, line = piece.text, body + piece.first
        said = prose.expectation(text) if after_commands else None
        names_next = titles_next and text.endswith(":") and number == stop - start - 1
        if said is not None and not names_next and (close or ":" in text or not titles_next):
            expecting = True
            listed = not said or said.endswith(":")
            group.parts.append(Expectation(clean(said or text), Lines(line, line)))
        elif _IF_SEE.match(text) and (pointer := prose.pointers(text)):
            expecting = False
            where = pointer[0].where
            group.parts.append(Reference(clean(text), Lines(line, line), where))
        elif expecting and (re.match(r"[-•*✅✓]", text) or (listed and text)):
            group.parts.append(Expectation(clean(text), Lines(line, line)))
        elif text.strip("=-#*_ ─═"):
            expecting = False
            rest.append((text.strip("=─═ "), line))
        group.last = max(group.last, line)
        if number and not text:
            expecting = False
    if not rest:
        return None
    later = any(piece.kind is fences.Kind.COMMAND for piece in pieces[stop:])
    if later and (titles_next or not close):
        title, line = rest[0]
        return title.rstrip(":"), [Prose(clean(text), Lines(at, at)) for text, at in rest[1:]]
    group.parts += [Prose(clean(text), Lines(at, at)) for text, at in rest]
    return None


def programs_used(found: Sequence[Block]) -> frozenset[str]:
    """Programs that the file's tagged shell fences start: known in this file from then on.

    A name counts when it stands before a flag, a path or another sign of shell, or twice.
    """
    seen: dict[str, int] = {}
    waiting = list(found)
    while waiting:
        block = waiting.pop()
        waiting += block.children
        if block.kind is not Kind.FENCE or language(block) not in fences.SHELL:
            continue
        for line in block.text.split("\n"):
            name = programs.program(line)
            if (
                name not in programs.KNOWN
                and _NAME.fullmatch(name)
                and " " in line.strip()
                and programs.plausible(line)
            ):
                seen[name] = seen.get(name, 0) + (2 if _SHELL_SIGN.search(line) else 1)
    return frozenset(name for name, count in seen.items() if count > 1)
