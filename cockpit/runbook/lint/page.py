"""A file as lint sees it: its lines and blocks, what cockpit takes from it, what is silenced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cockpit.runbook import blocks, parse, source
from cockpit.runbook.blocks import Block, Kind
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.model import Command, Phase, Runbook, Section, Step
from cockpit.text import Redactor, clean_line

_IGNORE = re.compile(r"<!--\s*cockpit-lint:\s*ignore\s+([\w\s,-]+?)\s*-->")
_HANDBOOK = re.compile(r"on[-_ ]?call|handbook", re.IGNORECASE)
_NO_RUNBOOK = re.compile(
    r"(?:readme|index|_index|contributing|changelog|.*template.*|add-runbook)\Z", re.IGNORECASE
)
_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_redact = Redactor(b"lint")


@dataclass(frozen=True, slots=True)
class Placed:
    """A command with where it stands."""

    section: Section
    step: Step
    command: Command

    @property
    def line(self) -> int:
        return self.command.lines.first


@dataclass(frozen=True)
class Page:
    """One file. name is its path as it was given; lines count from 1 in every finding."""

    path: Path
    name: str
    text: str
    runbook: Runbook
    handbook: bool = False
    lines: list[str] = field(default_factory=list)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every block that holds text or code, in the order of the file, none inside another."""
        return tuple(_leaves(blocks.read(self.text)))

    @cached_property
    def commands(self) -> tuple[Placed, ...]:
        return tuple(Placed(*found) for found in self.runbook.commands())

    @cached_property
    def prose(self) -> tuple[tuple[int, str], ...]:
        """The lines outside code blocks and comments, with code spans blanked out."""
        hidden: set[int] = set()
        for block in self.blocks:
            if block.kind in (Kind.FENCE, Kind.INDENTED):
                hidden |= set(range(block.first, block.last + 1))
        text = _without_comments(self.text)
        return tuple(
            (number, _SPAN.sub(lambda found: " " * len(found[0]), line))
            for number, line in enumerate(text.split("\n"), 1)
            if number not in hidden and line.strip()
        )

    def language(self, line: int) -> str:
        """What the code block around a line says it holds; empty where it says nothing."""
        for block in self.blocks:
            if block.kind is Kind.FENCE and block.first <= line <= block.last:
                return (block.info.split() or [""])[0].strip("{}.,:").lower()
        return ""

    @cached_property
    def title_line(self) -> int:
        """Where a fault of the whole file is shown."""
        heading = next((block for block in self.blocks if block.kind is Kind.HEADING), None)
        return heading.first if heading else 1

    @cached_property
    def to_follow(self) -> bool:
        """Whether it is a runbook that somebody follows, and no index, template or handbook."""
        if self.handbook or _NO_RUNBOOK.match(self.path.stem):
            return False
        acts = (Phase.DIAGNOSIS, Phase.RECOVERY, Phase.PROCEDURE, Phase.ROLLBACK)
        return any(placed.command.phase in acts for placed in self.commands)

    def find(self, line: int, level: Level, rule: str, what: str, mend: str) -> Finding:
        """A finding of this file; what it quotes is without its secrets."""
        said = _redact(clean_line(what, max_chars=300))
        return Finding(self.name, line, level, rule, said, clean_line(mend))

    @cached_property
    def silenced(self) -> tuple[tuple[str, int, int], ...]:
        """Rule, first and last line of each place in which an author silenced it.

        The comment speaks of what follows it: a whole code block, else the lines up to a blank one.
        """
        found: list[tuple[str, int, int]] = []
        if "cockpit-lint" not in self.text:
            return ()
        for number, line in enumerate(self.lines, 1):
            for match in _IGNORE.finditer(line):
                first = number + 1
                while first <= len(self.lines) and (
                    not self.lines[first - 1].strip() or _IGNORE.search(self.lines[first - 1])
                ):
                    first += 1
                last = self._end(first)
                found += [(rule, first, last) for rule in re.split(r"[\s,]+", match[1]) if rule]
        return tuple(found)

    def _end(self, first: int) -> int:
        for block in self.blocks:
            if block.first == first and block.kind in (Kind.FENCE, Kind.INDENTED):
                return block.last
        last = first
        while last < len(self.lines) and self.lines[last].strip():
            last += 1
        return last


def also(lines: Sequence[int]) -> str:
    """That a fault stands in more lines than its own; empty where it does not."""
    more = sorted(set(lines))[1:]
    if not more:
        return ""
    listed = ", ".join(map(str, more[:6])) + ("…" if len(more) > 6 else "")
    return f"; also line{'s' if len(more) > 1 else ''} {listed}"


def read(path: Path, *, handbook: bool = False) -> Page:
    """The page of a file. Raises parse.Unreadable."""
    runbook = parse.read(path)
    text = source.normal(source.decode(path.read_bytes())[0])
    return page(path, text, runbook, handbook=handbook)


def page(path: Path, text: str, runbook: Runbook, *, handbook: bool = False) -> Page:
    """The page of a text that was read already."""
    handbook = handbook or bool(_HANDBOOK.search(path.stem))
    return Page(path, str(path), _without_front_matter(text), runbook, handbook, text.split("\n"))


def _without_comments(text: str) -> str:
    """The text with blanks in place of its HTML comments."""
    out: list[str] = []
    at = 0
    while (first := text.find("<!--", at)) >= 0 and (last := text.find("-->", first + 4)) >= 0:
        out += text[at:first], re.sub(r"[^\n]", " ", text[first : last + 3])
        at = last + 3
    return "".join(out) + text[at:]


def _without_front_matter(text: str) -> str:
    """The text with its front matter blank, so that it is not read as a heading."""
    match = re.match(r"---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*$", text, re.DOTALL | re.MULTILINE)
    return "\n" * match[0].count("\n") + text[match.end() :] if match else text


def _leaves(found: Sequence[Block]) -> Iterator[Block]:
    for block in found:
        if block.children:
            yield from _leaves(block.children)
        else:
            yield block
