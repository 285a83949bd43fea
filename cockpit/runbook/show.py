"""A runbook for `cockpit runbook show`: a readable outline, or one JSON record."""

from __future__ import annotations

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


def outline(runbook: Runbook) -> str:
    """The runbook as indented lines: what the checklist holds and what each command would do."""
    severity = f" ({runbook.severity})" if runbook.severity else ""
    out = [f"{runbook.title}{severity}", ""]
    for procedure in runbook.procedures:
        if len(runbook.procedures) > 1:
            out.append(f"= {procedure.title}")
        for section in procedure.sections:
            out += _section_lines(section)
    out += [f"warning: {warning}" for warning in runbook.warnings]
    return Safe("\n".join(out).rstrip() + "\n")


_SIGNS = {
    StepKind.STEP: "[ ]",
    StepKind.OPTION: "( )",
    StepKind.CHECK: "[ ]",
    StepKind.MANUAL: "[ ]",
}


def _section_lines(section: Section) -> list[str]:
    out = [f"{section.title}  [{section.phase.value}]  line {section.lines.first}"]
    for step in section.steps:
        manual = (
            "  (by hand)"
            if step.kind in (StepKind.MANUAL, StepKind.CHECK) and not step.commands
            else ""
        )
        out.append(f"  {_SIGNS[step.kind]} {step.title}{manual}")
        for item in step.items:
            if isinstance(item, Command):
                out += _command_lines(item)
            elif isinstance(item, Reference):
                out.append(
                    f"        -> {item.text}"
                    + (f"  ({item.target})" if item.target else "  (leads nowhere)")
                )
    return [*out, ""]


def _command_lines(command: Command) -> list[str]:
    first, *rest = clean(command.text).split("\n")
    marks = [command.risk.value] + ([command.waits.value] if command.waits else [])
    marks += [f"needs {placeholder.text}" for placeholder in command.placeholders]
    out = [
        f"        $ {first}"
        + (f"  (+{len(rest)} lines)" if rest else "")
        + f"  [{', '.join(marks)}]"
    ]
    if command.expectation and command.expectation.text:
        out.append(f"          expect: {command.expectation.text.splitlines()[0]}")
    return out
