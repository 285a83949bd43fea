"""A runbook for `cockpit runbook show`: a readable outline, or one JSON record."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from cockpit.runbook.model import (
    Command,
    Item,
    Phase,
    Reference,
    Risk,
    Runbook,
    Section,
    Snippet,
    StepKind,
    Waits,
)
from cockpit.text import Safe, clean


def record(runbook: Runbook) -> dict[str, object]:
    """The runbook as JSON data: lists of what was found, each with its lines from 1."""
    found = list(runbook.commands())
    lines = {section.id: section.lines.first for section in runbook.sections()}
    lines |= {step.id: step.lines.first for _, step in runbook.steps()}
    lines |= {procedure.id: procedure.lines.first for procedure in runbook.procedures}
    return {
        "local": runbook.path.replace("\\", "/").rpartition("/")[2],
        "path": runbook.path,
        "title": runbook.title,
        "severity": runbook.severity,
        "services": list(runbook.services),
        "alerts": list(runbook.alerts),
        "owner": runbook.owner,
        "last_tested": runbook.last_tested.isoformat() if runbook.last_tested else None,
        "phases": [*_phases(runbook)],
        "steps": [*_titled(runbook, StepKind.STEP)],
        "options": [*_titled(runbook, StepKind.OPTION)],
        "checks": [
            {"title": step.title, "line": step.lines.first}
            for _, step in runbook.steps()
            if step.kind is StepKind.CHECK
        ],
        "procedures": [
            {"title": procedure.title, "line": procedure.lines.first}
            for procedure in runbook.procedures
            if len(runbook.procedures) > 1 and procedure.title != runbook.title
        ],
        "commands": [_command(command) for _, _, command in found],
        "snippets": [
            {
                "text": item.text,
                "language": item.language,
                "line": item.lines.first,
                "end_line": item.lines.last,
            }
            for item in _items(runbook)
            if isinstance(item, Snippet)
        ],
        "references": [
            {
                "text": item.text,
                "line": item.lines.first,
                "target": item.target,
                "target_line": lines.get(item.target or ""),
            }
            for item in _items(runbook)
            if isinstance(item, Reference)
        ],
        "warnings": list(runbook.warnings),
    }


def _command(command: Command) -> dict[str, object]:
    return {
        "id": command.id,
        "title": command.title,
        "text": command.text,
        "line": command.lines.first,
        "end_line": command.lines.last,
        "phase": command.phase.value,
        "risk": command.risk.value,
        "because": command.because,
        "is_destructive": command.risk is Risk.DESTROY,
        "is_interactive": command.waits is not None,
        "interactive_kind": command.waits.value if command.waits else None,
        "placeholders": [placeholder.text for placeholder in command.placeholders],
        "expected": command.expectation.text if command.expectation else None,
        "source": command.source,
        "name": command.name,
        "host": command.host,
        "timeout_s": command.timeout_s,
    }


def _phases(runbook: Runbook) -> Iterator[dict[str, object]]:
    before: Phase | None = None
    for section in runbook.sections():
        places = [(section.phase, section.title, section.lines.first)]
        if section.phase in (Phase.OTHER, Phase.OVERVIEW) and section.title == runbook.title:
            places = []
        places += [
            (step.phase, step.title, step.lines.first)
            for step in section.steps
            if step.phase is not section.phase
        ]
        for phase, title, line in places:
            if phase is not before:
                yield {"phase": phase.value, "title": title, "line": line}
            before = phase


def _titled(runbook: Runbook, kind: StepKind) -> Iterator[dict[str, object]]:
    """Steps of a kind, and the sections that are such a step with steps of their own."""
    kinds = (StepKind.STEP, StepKind.MANUAL) if kind is StepKind.STEP else (kind,)
    for section in runbook.sections():
        alone = len(section.steps) == 1 and section.steps[0].title == section.title
        if not alone and section.kind is kind:
            yield {"title": section.title, "line": section.lines.first}
        for step in section.steps:
            if step.kind in kinds:
                yield {"title": step.title, "line": step.lines.first}


def _items(runbook: Runbook) -> Iterator[Item]:
    for section in runbook.sections():
        yield from section.intro
        for step in section.steps:
            yield from step.items


WIDTH = 80
"""Columns of the outline."""


def outline(runbook: Runbook) -> str:
    """The runbook for reading in 80 columns: what the checklist holds, what commands would do."""
    severity = runbook.severity or ""
    severity = f" ({severity})" if severity.lower() not in runbook.title.lower() else ""
    about = [
        f"{name} {', '.join(values)}"
        for name, values in (
            ("services", runbook.services),
            ("alerts", runbook.alerts),
            ("owner", [runbook.owner] if runbook.owner else []),
            ("tested", [runbook.last_tested.isoformat()] if runbook.last_tested else []),
        )
        if values
    ]
    out = [*_wrapped(f"{runbook.title}{severity}"), *_wrapped(" · ".join(about)), ""]
    several = len(runbook.procedures) > 1
    for procedure in runbook.procedures:
        if several:
            out += [*_wrapped(f"== {procedure.title}", after="   "), ""]
        for section in procedure.sections:
            out += _section_lines(section, procedure.title if several else "")
    out += [line for one in runbook.warnings for line in _wrapped(f"warning: {one}", after="  ")]
    return Safe("\n".join(out).rstrip() + "\n")


def _wrapped(text: str, before: str = "", after: str | None = None) -> list[str]:
    """The text in lines of the width; the first one begins with before, the others with after."""
    return textwrap.wrap(
        clean(text).replace("\n", " "),
        WIDTH,
        initial_indent=before,
        subsequent_indent=before if after is None else after,
        break_on_hyphens=False,
    )


_SIGNS = {
    StepKind.STEP: "[ ]",
    StepKind.OPTION: "( )",
    StepKind.CHECK: "[ ]",
    StepKind.MANUAL: "[ ]",
}
_INDENT = " " * 18


def _section_lines(section: Section, procedure: str) -> list[str]:
    """A section's heading and steps; nothing of one that only says its procedure's title again."""
    if not section.steps and not section.intro and section.title == procedure:
        return []
    read = "" if section.steps else ", to read"
    tail = f"  [{section.phase.value}]  line {section.lines.first}{read}"
    out = _wrapped(section.title)
    if out and len(out[-1]) + len(tail) <= WIDTH:
        out[-1] += tail
    else:
        out.append(f"  {tail.strip()}")
    for item in section.intro:
        out += _item_lines(item)
    for step in section.steps:
        manual = step.kind in (StepKind.MANUAL, StepKind.CHECK) and not step.commands
        title = f"{step.title}  (by hand)" if manual else step.title
        out += _wrapped(title, f"  {_SIGNS[step.kind]} ", "      ")
        for item in step.items:
            out += _item_lines(item)
    return [*out, ""]


def _item_lines(item: Item) -> list[str]:
    """A command, reference or snippet; prose is for the screen."""
    match item:
        case Command():
            return _command_lines(item)
        case Reference():
            where = f"({item.target})" if item.target else "(leads nowhere)"
            return _wrapped(f"-> {item.text} {where}", "      ", "         ")
        case Snippet():
            count = item.text.strip("\n").count("\n") + 1
            lines = "1 line" if count == 1 else f"{count} lines"
            name = f"{item.language.split()[0]}, " if item.language.strip() else ""
            return _wrapped(f"[{name}{lines}, not to be run]", "      ")
    return []


def _command_lines(command: Command) -> list[str]:
    first, *rest = clean(command.text).split("\n")
    more = f"  (+{len(rest)} {'line' if len(rest) == 1 else 'lines'})" if rest else ""
    out = _wrapped(f"$ {first}{more}", f"      {f'[{command.risk.value}]':<11} ", _INDENT + "  ")
    notes = []
    if command.host:
        notes.append(f"on {command.host}")
    if command.timeout_s:
        notes.append(f"at most {command.timeout_s} s")
    if command.waits:
        notes.append(_WAITS[command.waits])
    if command.placeholders:
        notes.append("needs " + ", ".join(one.text for one in command.placeholders))
    for note in notes:
        out += _wrapped(note, _INDENT, _INDENT + "  ")
    if command.expectation and command.expectation.text.strip():
        lines = command.expectation.text.strip().split("\n")
        more = f" (+{len(lines) - 2} lines)" if len(lines) > 2 else ""
        out += _wrapped("expect: " + " ".join(lines[:2]) + more, _INDENT, _INDENT + "        ")
    return out


_WAITS = {
    Waits.TTY: "needs a terminal",
    Waits.STREAM: "goes on until it is stopped",
    Waits.PAGER: "opens a pager",
    Waits.EDITOR: "opens an editor",
    Waits.TUI: "fills the screen",
    Waits.LOGIN: "asks to log in",
    Waits.CONFIRM: "asks for a yes",
    Waits.PROMPT: "asks for input",
}
