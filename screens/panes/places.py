"""Where the cursor can stand in a runbook, and what stands where: looked up, never searched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.runbook.model import Procedure, Reference, Runbook, Section, Step


class Kind(StrEnum):
    """What the cursor stands on."""

    STEP = "step"
    TEXT = "text"
    PROCEDURE = "procedure"


class Place(NamedTuple):
    """A stop of the cursor: a command of a step, a step without any (-1), a text, a procedure."""

    kind: Kind
    id: str
    command: int = -1


@dataclass(frozen=True, slots=True)
class Found:
    """A step, or a section that is only text (step is None), with where it stands."""

    procedure: Procedure
    section: Section
    step: Step | None = None

    @property
    def first(self) -> Place:
        if self.step is None:
            return Place(Kind.TEXT, self.section.id)
        return first_of(self.step)

    @property
    def references(self) -> list[tuple[int, Reference]]:
        """What leads from here to another place of the file, each with its number here."""
        from cockpit.runbook.model import Reference

        items = self.step.items if self.step else self.section.intro
        return [(n, item) for n, item in enumerate(items) if isinstance(item, Reference)]


def first_of(step: Step) -> Place:
    """The first stop of a step."""
    return Place(Kind.STEP, step.id, 0 if step.commands else -1)


class Places:
    """A runbook by the ids in it."""

    def __init__(self, book: Runbook) -> None:
        self.book = book
        self.procedures = {procedure.id: procedure for procedure in book.procedures}
        self.many = len(book.procedures) > 1
        self._steps: dict[str, Found] = {}
        self._texts: dict[str, Found] = {}
        self._sections: dict[str, Found] = {}
        self.order: list[Found] = []
        for procedure in book.procedures:
            for section in procedure.sections:
                self._sections.setdefault(section.id, Found(procedure, section))
                found = [Found(procedure, section, step) for step in section.steps]
                for step, one in zip(section.steps, found, strict=True):
                    self._steps[step.id] = one
                if not section.steps and section.intro:
                    found = [self._texts.setdefault(section.id, Found(procedure, section))]
                self.order += found
        self._first: dict[str, Found] = {}
        for one in self.order:
            first = self._first.setdefault(one.procedure.id, one)
            if one.step and not first.step:
                self._first[one.procedure.id] = one
        self._number = {found.first[:2]: number for number, found in enumerate(self.order)}

    def at(self, place: object) -> Found | None:
        """What stands at a stop; None at a procedure's line and where there is nothing."""
        if not isinstance(place, Place):
            return None
        return (self._steps if place.kind is Kind.STEP else self._texts).get(place.id)

    def named(self, id: str) -> Found | None:
        """Where a reference to that id leads: a step, a section's first step, or its text."""
        if id in self._steps:
            return self._steps[id]
        section = self._sections.get(id)
        if section is None:
            procedure = self.procedures.get(id)
            return self.first_in(procedure) if procedure else None
        # A heading with nothing of its own: what follows it is meant.
        at = section.section.lines.first
        return next(
            (
                found
                for found in self.order
                if found.procedure.id == section.procedure.id and found.section.lines.first >= at
            ),
            None,
        )

    def label(self, id: str) -> Safe:
        """A place in words: `Recovery > Option 1: Restart`, `Escalation`."""
        if id in self._steps:
            found = self._steps[id]
            assert found.step is not None
            return Safe(f"{found.section.title} > {found.step.title}")
        if id in self._sections:
            return self._sections[id].section.title
        return self.procedures[id].title if id in self.procedures else Safe("")

    def first_in(self, procedure: Procedure) -> Found | None:
        """The first step of a procedure, else its first text."""
        return self._first.get(procedure.id)

    def after(self, place: Place, done: frozenset[str]) -> Found | None:
        """The next step of the same procedure, past the other options where one is done."""
        number = self._number.get(place[:2])
        if number is None:
            return None
        here = self.order[number]
        for found in self.order[number + 1 :]:
            if found.procedure.id != here.procedure.id:
                return None
            if found.step is not None and found.step.id not in self.needless(found.section, done):
                return found
        return None

    def beside(self, place: Place, by: int) -> Found | None:
        """The first step or text of the section after (1) or before (-1), in the same procedure."""
        number = self._number.get(place[:2])
        if number is None:
            return None
        here = self.order[number]
        sections = [
            section
            for section in here.procedure.sections
            if section.steps or section.id in self._texts
        ]
        wanted = sections.index(here.section) + by
        return self.named(sections[wanted].id) if 0 <= wanted < len(sections) else None

    def needless(self, section: Section, done: frozenset[str]) -> frozenset[str]:
        """The options of a section that nobody needs any more, because another one is done."""
        from cockpit.runbook.model import StepKind

        options = [step.id for step in section.steps if step.kind is StepKind.OPTION]
        if len(options) < 2 or not done.intersection(options):
            return frozenset()
        return frozenset(options) - done

    @property
    def steps(self) -> int:
        """How many steps there are in all."""
        return len(self._steps)
