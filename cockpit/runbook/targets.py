"""Where a reference leads: the section or step that an anchor or a few words of a title mean."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from cockpit.runbook import headings
from cockpit.runbook.model import Procedure

_WORD = re.compile(r"\w+")
_FILLERS = frozenset(["the", "a", "an", "to", "section", "below", "above", "step", "and", "in"])
_SIMILAR = 0.6
"""Share of the words of a reference that a title must have."""

Words = frozenset[str]


@dataclass(slots=True)
class Targets:
    """The titles of a runbook, found by anchor or by words; each lookup is answered once."""

    ids: list[str] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    above: list[Words] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    anchors: dict[str, str] = field(default_factory=dict)
    having: dict[str, list[int]] = field(default_factory=dict)
    found: dict[str, str | None] = field(default_factory=dict)

    def add(self, name: str, title: str, above: Words) -> Words:
        """A section or step of that id and title; above: the words of what it stands in."""
        words = words_of(title)
        for word in words:
            self.having.setdefault(word, []).append(len(self.ids))
        self.ids.append(name)
        self.words.append(words)
        self.above.append(above)
        self.titles.append(title)
        return words

    def resolve(self, where: str) -> str | None:
        """The id that `#anchor` or "Recovery > Restart Service" means, None for none."""
        if where not in self.found:
            self.found[where] = self._resolve(where)
        return self.found[where]

    def _resolve(self, where: str) -> str | None:
        if where.startswith("#"):
            wanted = where[1:].lower()
            for name, title in zip(self.ids, self.titles, strict=True) if not self.anchors else ():
                self.anchors.setdefault(headings.anchor(title), name)
                self.anchors.setdefault(headings.slug(title), name)
            leads = self.anchors.get(wanted) or self.anchors.get(
                headings.slug(wanted.replace("-", " "))
            )
            if leads:
                return leads
            where = wanted.replace("-", " ")
        parts = [part for part in where.replace("→", ">").split(">") if part.strip()] or [""]
        words, context = words_of(parts[-1]), words_of(" ".join(parts[:-1]))
        best, found = 0.0, None
        for number in self._candidates(words):
            has = self.words[number]
            common = len(words & has)
            if common / len(words) < _SIMILAR:
                continue
            score = common / len(words) + common / len(has) / 2
            if context:
                score += len(context & self.above[number]) / len(context) / 2
            if score > best:
                best, found = score, self.ids[number]
        return found

    def _candidates(self, words: Words) -> Iterable[int]:
        """Titles that can have enough of the words: they have one of the rarest ones."""
        rarest = sorted(words, key=lambda word: (len(self.having.get(word, ())), word))
        enough = len(words) - math.ceil(_SIMILAR * len(words)) + 1
        numbers = {number for word in rarest[:enough] for number in self.having.get(word, ())}
        return sorted(numbers)


def words_of(text: str) -> Words:
    """The words that tell one title from another, without a plural's "s"."""
    return frozenset(
        [word.removesuffix("s") for word in _WORD.findall(text.lower()) if word not in _FILLERS]
    )


def of(procedures: Iterable[Procedure], several: bool) -> Targets:
    """Everything in the procedures that a reference can lead to, in the order of the file."""
    targets = Targets()
    for procedure in procedures:
        above = words_of(procedure.title)
        if several:
            targets.add(procedure.id, procedure.title, frozenset())
        for section in procedure.sections:
            words = targets.add(section.id, section.title, above)
            for step in section.steps:
                targets.add(step.id, step.title, words)
    return targets
