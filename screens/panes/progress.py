"""How far a section, a procedure or a whole runbook has come, counted and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cockpit.incident.incident import Mark
from cockpit.runbook.model import Section, StepKind
from cockpit.text import Safe


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps by what became of them. Options of a section count as one: one of them is needed."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    all: int = 0
    options: int = 0

    def __add__(self, other: Progress) -> Progress:
        return Progress(
            self.done + other.done,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.all + other.all,
            self.options + other.options,
        )

    @property
    def words(self) -> Safe:
        """`2/5, 1 failed, 1 skipped`; of options alone `one of 4`, then `done`."""
        if self.options and self.all == 1:
            said = ["done, one of" if self.done else "one of"]
            said[0] += f" {self.options} options"
        else:
            said = [f"{self.done}/{self.all}"]
        said += [f"{self.failed} failed"] if self.failed else []
        said += [f"{self.skipped} skipped"] if self.skipped else []
        return Safe(", ".join(said))


def of_section(section: Section, marks: Mapping[str, Mark]) -> Progress:
    """The progress of one section; marks are by the id of the step."""
    options = [step.id for step in section.steps if step.kind is StepKind.OPTION]
    single = [step.id for step in section.steps if step.kind is not StepKind.OPTION]
    if len(options) < 2:
        single, options = [step.id for step in section.steps], []
    found = [marks[id] for id in single if id in marks]
    tried = [marks[id] for id in options if id in marks]
    return Progress(
        found.count(Mark.DONE) + (Mark.DONE in tried),
        found.count(Mark.FAILED) + tried.count(Mark.FAILED),
        found.count(Mark.SKIPPED) + tried.count(Mark.SKIPPED),
        len(single) + bool(options),
        len(options),
    )


def of_all(sections: Iterable[Section], marks: Mapping[str, Mark]) -> Progress:
    """The progress of several sections together."""
    return sum((of_section(section, marks) for section in sections), Progress())
