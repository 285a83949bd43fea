"""The commands and addresses that a handbook keeps at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cockpit.oncall.filled import BOX, filled
from cockpit.oncall.model import Quick
from cockpit.oncall.outline import Part, lines, rows, tables
from cockpit.runbook.model import Runbook
from cockpit.text import Safe, clean_line

_QUICK = re.compile(
    r"\b(?:quick|useful|common|handy|important|key|essential) (?:command|reference|check)"
    r"|command (?:reference|cheat|list)|cheat ?-?sheet|\bcommands\b|quick reference|befehle",
    re.IGNORECASE,
)
_ACCESS = re.compile(
    r"access (?:verif|check|test)|(?:verify|check|test|confirm)\w* (?:your |the )?access"
    r"|\baccess\b.*\b(?:now|before)\b|pre-?(?:shift|flight) (?:access|commands?)"
    r"|tools? (?:and|&) access|zugang",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"pre-?shift|before (?:your|the|a) shift|pre-?on-?call|readiness", re.IGNORECASE
)
_BOARDS = re.compile(
    r"dash ?boards?|\btools\b|monitoring|grafana|observability|useful links", re.IGNORECASE
)
_URL = re.compile(r"https?://(?:[^\s\[\]()<>|\"'`]|\[[^\]\s]*\]|<[^>\s]*>)+")


def commands(
    runbook: Runbook, parts: Sequence[Part]
) -> tuple[tuple[Quick, ...], tuple[Quick, ...]]:
    """The quick commands, and those of the access verification."""
    quick: list[Quick] = []
    access: list[Quick] = []
    for section, step, command in runbook.commands():
        part = _part(parts, command.lines.first)
        if command.source != "fence" or BOX.match(command.text):
            continue
        if part.under(_ACCESS) or part.under(_BEFORE) or part.title.lower() == "access":
            access.append(Quick(section, step, command, clean_line(part.title)))
        if part.under(_QUICK):
            quick.append(Quick(section, step, command, clean_line(part.title)))
    return tuple(quick), tuple(access)


def _part(parts: Sequence[Part], line: int) -> Part:
    return max((part for part in parts if part.line <= line), key=lambda part: part.line)


def dashboards(parts: Sequence[Part]) -> tuple[tuple[Safe, ...], tuple[tuple[int, Safe], ...]]:
    """The addresses of dashboards and tools, and with their line those nobody has filled in."""
    good: dict[Safe, None] = {}
    open_: list[tuple[int, Safe]] = []
    for part in parts:
        for number, text, label in _told(part):
            if not (part.under(_BOARDS) or _BOARDS.search(label)):
                continue
            for found in _URL.finditer(text):
                url = found[0].rstrip(".,;")
                if filled(url):
                    good[clean_line(url)] = None
                else:
                    open_.append((number, clean_line(url)))
    return tuple(good), tuple(open_)


def _told(part: Part) -> Iterator[tuple[int, str, str]]:
    for line in lines(part.body):
        if not line.code:
            yield line.number, line.text, line.text.partition(":")[0]
    for table in tables(part.body):
        (_, head), *below = rows(table)
        for number, row in below:
            yield from ((number, cell, label) for label, cell in zip(head, row, strict=False))
