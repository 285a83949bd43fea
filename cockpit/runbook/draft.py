"""A runbook while it is being read: the same parts as the model, still open for what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from cockpit.runbook import headings, targets
from cockpit.runbook.model import (
    Command,
    Item,
    Lines,
    Phase,
    Procedure,
    Reference,
    Section,
    Step,
    StepKind,
)
from cockpit.runbook.targets import Targets
from cockpit.text import clean_line


@dataclass(slots=True)
class DraftStep:
    title: str
    kind: StepKind
    phase: Phase
    first: int
    last: int
    items: list[Item] = field(default_factory=list)


@dataclass(slots=True)
class DraftSection:
    title: str
    phase: Phase
    level: int
    first: int
    last: int
    procedure: int = 0
    kind: StepKind | None = None
    intro: list[Item] = field(default_factory=list)
    steps: list[DraftStep] = field(default_factory=list)

    def place(self) -> list[Item]:
        """Where something goes that has no place of its own: the last step, else the intro."""
        return self.steps[-1].items if self.steps else self.intro

    def reaches(self, line: int) -> None:
        self.last = max(self.last, line)
        if self.steps:
            self.steps[-1].last = max(self.steps[-1].last, line)


@dataclass(slots=True)
class Names:
    """Gives out ids that are stable while the titles are, each once."""

    used: dict[str, int] = field(default_factory=dict)

    def take(self, wanted: str) -> str:
        count = self.used.get(wanted, 0) + 1
        self.used[wanted] = count
        if count == 1:
            return wanted
        name = f"{wanted}-{count}"
        return self.take(name) if name in self.used else self._keep(name)

    def _keep(self, name: str) -> str:
        self.used[name] = 1
        return name


def freeze(
    sections: list[DraftSection], procedures: list[tuple[str, int]], last: int
) -> tuple[Procedure, ...]:
    """The finished procedures; each of procedures is a title and its first line."""
    names = Names()
    prefix = len(procedures) > 1
    out: list[Procedure] = []
    sections_of: dict[int, list[DraftSection]] = {}
    for section in sections:
        sections_of.setdefault(section.procedure, []).append(section)
    for number, (title, first) in enumerate(procedures):
        name = names.take(headings.slug(title)) if prefix else headings.slug(title)
        mine = sections_of.get(number, [])
        if not mine and prefix:
            continue
        frozen = tuple(_section(section, f"{name}/" if prefix else "", names) for section in mine)
        end = max((section.lines.last for section in frozen), default=last)
        out.append(Procedure(name, clean_line(title), Lines(first, max(end, first)), frozen))
    pointed = any(isinstance(item, Reference) and item.target for item in _items(sections))
    if not pointed:
        return tuple(out)
    index = targets.of(out, prefix)
    return tuple(_with_targets(procedure, index) for procedure in out)


def _items(sections: list[DraftSection]) -> Iterator[Item]:
    for section in sections:
        yield from section.intro
        for step in section.steps:
            yield from step.items


def _section(draft: DraftSection, prefix: str, names: Names) -> Section:
    name = names.take(prefix + headings.slug(draft.title))
    steps = []
    for step in draft.steps:
        step_id = names.take(f"{name}/{headings.slug(step.title)}")
        items: list[Item] = []
        count = 0
        for item in step.items:
            if isinstance(item, Command):
                count += 1
                item = replace(item, id=f"{step_id}#{count}")
            items.append(item)
        steps.append(
            Step(
                step_id,
                clean_line(step.title),
                step.kind,
                Lines(step.first, step.last),
                tuple(items),
                step.phase,
            )
        )
    lines = Lines(draft.first, max(draft.last, *(step.last for step in draft.steps), draft.first))
    return Section(
        name,
        clean_line(draft.title),
        draft.phase,
        draft.level,
        lines,
        tuple(draft.intro),
        tuple(steps),
        draft.kind,
    )


def _with_targets(procedure: Procedure, index: Targets) -> Procedure:
    def items(old: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(
            replace(item, target=index.resolve(item.target))
            if isinstance(item, Reference) and item.target
            else item
            for item in old
        )

    def pointed(section: Section) -> Section:
        if not any(
            isinstance(item, Reference) and item.target
            for place in (section.intro, *(step.items for step in section.steps))
            for item in place
        ):
            return section
        steps = tuple(replace(step, items=items(step.items)) for step in section.steps)
        return replace(section, intro=items(section.intro), steps=steps)

    return replace(procedure, sections=tuple(pointed(section) for section in procedure.sections))
