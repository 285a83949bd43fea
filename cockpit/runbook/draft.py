"""A runbook while it is being read: the same parts as the model, still open for what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cockpit.runbook import headings
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
    for number, (title, first) in enumerate(procedures):
        name = names.take(headings.slug(title)) if prefix else headings.slug(title)
        mine = [section for section in sections if section.procedure == number]
        if not mine and prefix:
            continue
        frozen = tuple(_section(section, f"{name}/" if prefix else "", names) for section in mine)
        end = max((section.lines.last for section in frozen), default=last)
        out.append(Procedure(name, clean_line(title), Lines(first, max(end, first)), frozen))
    pointed = any(isinstance(item, Reference) and item.target for item in _items(sections))
    if not pointed:
        return tuple(out)
    index = _index(out)
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
    )


Index = list[tuple[str, str, frozenset[str], frozenset[str]]]


def _index(procedures: list[Procedure]) -> Index:
    """id, title, words of what it stands in, words, of all that a reference can lead to."""
    index: Index = []
    for procedure in procedures:
        if len(procedures) > 1:
            index.append((procedure.id, procedure.title, frozenset(), _words(procedure.title)))
        above = _words(procedure.title)
        for section in procedure.sections:
            words = _words(section.title)
            index.append((section.id, section.title, above, words))
            index += [(step.id, step.title, words, _words(step.title)) for step in section.steps]
    return index


_WORD = re.compile(r"\w+")
_FILLERS = frozenset(["the", "a", "an", "to", "section", "below", "above", "step", "and", "in"])


def _words(text: str) -> frozenset[str]:
    return frozenset(
        [word.removesuffix("s") for word in _WORD.findall(text.lower()) if word not in _FILLERS]
    )


def _with_targets(procedure: Procedure, index: Index) -> Procedure:
    def items(old: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(
            replace(item, target=resolve(item.target, index))
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


def resolve(where: str, index: Index) -> str | None:
    """The id of the section or step that an anchor or a few words of a title mean, or None."""
    if where.startswith("#"):
        wanted = where[1:].lower()
        slugged = headings.slug(wanted.replace("-", " "))
        for name, title, _, _ in index:
            if headings.anchor(title) == wanted or headings.slug(title) == slugged:
                return name
        where = wanted.replace("-", " ")
    *above, last = [part for part in where.replace("→", ">").split(">") if part.strip()] or [""]
    words = _words(last)
    context = _words(" ".join(above))
    best = 0.0
    found: str | None = None
    for candidate, _, parent, has in index:
        common = len(words & has)
        if not words or not has or not common:
            continue
        score = common / len(words) + common / len(has) / 2
        if context:
            score += len(context & parent) / len(context) / 2
        if common / len(words) >= 0.6 and score > best:
            best, found = score, candidate
    return found
