"""Where an incident goes on: the first step of its runbook that nobody has touched."""

from __future__ import annotations

from pathlib import Path

from cockpit.incident.events import StepRef
from cockpit.incident.incident import Incident, Mark
from cockpit.runbook.model import Phase, Procedure, Runbook, Section, Step, StepKind
from cockpit.text import Safe

_FOLLOWED = (
    Phase.SYMPTOMS,
    Phase.DIAGNOSIS,
    Phase.RECOVERY,
    Phase.VERIFICATION,
    Phase.ROLLBACK,
    Phase.PROCEDURE,
    Phase.OTHER,
)


def book_of(incident: Incident) -> Runbook | None:
    """The runbook that was followed last, read anew; None where it cannot be. Blocking."""
    from cockpit.runbook import parse

    if incident.runbook is None:
        return None
    try:
        return parse.read(Path(incident.runbook.path))
    except parse.Unreadable:
        return None


def next_step(incident: Incident, book: Runbook) -> tuple[Section, Step] | None:
    """The step to go on with, in the procedure where something was done last; None after the last.

    Options beside one that is done are not needed any more. What was left out on the way comes
    after the rest. A rollback is nobody's next step unless it was begun.
    """
    procedure = _procedure(incident, book)
    if procedure is None:
        return None
    marks = {
        step.id: incident.steps[ref].mark
        for section in procedure.sections
        for step in section.steps
        if (ref := StepRef(book.path, step.id)) in incident.steps
    }
    order = [
        (section, step)
        for section in procedure.sections
        for step in section.steps
        if step.phase in _FOLLOWED and (step.phase is not Phase.ROLLBACK or _begun(section, marks))
    ]
    touched = [number for number, (_, step) in enumerate(order) if step.id in marks]
    after = touched[-1] + 1 if touched else 0
    left = (
        (section, step)
        for section, step in (*order[after:], *order[:after])
        if step.id not in marks and not _needless(section, step, marks)
    )
    return next(left, None)


def in_words(found: tuple[Section, Step]) -> Safe:
    """`Option 1: Restart it (Recovery)`."""
    section, step = found
    return step.title if section.title == step.title else Safe(f"{step.title} ({section.title})")


def _procedure(incident: Incident, book: Runbook) -> Procedure | None:
    touched = [
        (state.at, ref.step) for ref, state in incident.steps.items() if ref.runbook == book.path
    ]
    newest = max(touched, default=(None, ""))[1]
    for procedure in book.procedures:
        for section in procedure.sections:
            if any(step.id == newest for step in section.steps):
                return procedure
    return book.procedures[0] if book.procedures else None


def _begun(section: Section, marks: dict[str, Mark]) -> bool:
    return any(step.id in marks for step in section.steps)


def _needless(section: Section, step: Step, marks: dict[str, Mark]) -> bool:
    options = [one.id for one in section.steps if one.kind is StepKind.OPTION]
    done = any(marks.get(id) is Mark.DONE for id in options)
    return step.kind is StepKind.OPTION and len(options) > 1 and done
