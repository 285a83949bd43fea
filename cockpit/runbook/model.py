"""A runbook as data: procedures, sections, steps and commands, each with its source lines.

Everything here is frozen and holds the author's text as `Safe`. Nothing is ever dropped: what no
rule takes stays as prose of the nearest step or section.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum

import msgspec

from cockpit.text import Safe

_UNTITLED = Safe("")


class Phase(StrEnum):
    """What a section is for."""

    PREREQUISITES = "prerequisites"
    SYMPTOMS = "symptoms"
    DIAGNOSIS = "diagnosis"
    RECOVERY = "recovery"
    VERIFICATION = "verification"
    ROLLBACK = "rollback"
    POST_INCIDENT = "post_incident"
    PREVENTION = "prevention"
    ESCALATION = "escalation"
    MISTAKES = "common_mistakes"
    OVERVIEW = "overview"
    PROCEDURE = "procedure"
    REFERENCES = "references"
    OTHER = "other"


class Risk(StrEnum):
    """What a command would do to the place where it runs; unknown counts as change."""

    READ = "read"
    CHANGE = "change"
    DESTROY = "destroy"

    def above(self, other: Risk) -> bool:
        """Whether it is worse than the other."""
        return _ORDER.index(self) > _ORDER.index(other)

    @staticmethod
    def worst(risks: Iterable[Risk]) -> Risk:
        """The worst of them; there must be one."""
        return max(risks, key=_ORDER.index)

    @property
    def deed(self) -> str:
        """What such a command does, where its name alone would not say it."""
        return _DEEDS[self]


_ORDER = tuple(Risk)
_DEEDS = {Risk.READ: "reads", Risk.CHANGE: "CHANGES", Risk.DESTROY: "DESTROYS"}


class Waits(StrEnum):
    """Why a command needs a person or never ends by itself."""

    TTY = "tty"
    STREAM = "stream"
    PAGER = "pager"
    EDITOR = "editor"
    TUI = "tui"
    LOGIN = "login"
    CONFIRM = "confirm"
    PROMPT = "prompt"


class StepKind(StrEnum):
    """What the responder does with a step."""

    STEP = "step"
    OPTION = "option"
    CHECK = "check"
    MANUAL = "manual"


class Lines(msgspec.Struct, frozen=True):
    """Source lines, from 1, both ends included."""

    first: int
    last: int


class Placeholder(msgspec.Struct, frozen=True):
    """A gap in a command that must be filled in before it can run.

    text is what stands in the command (`<BACKUP_FILE>`, `$VAR`), name what to ask for.
    """

    name: Safe
    text: Safe


class Expectation(msgspec.Struct, frozen=True):
    """What the author says the output should be."""

    text: Safe
    lines: Lines


class Reference(msgspec.Struct, frozen=True):
    """A pointer to another place of the runbook; target is the id of a step or section."""

    text: Safe
    lines: Lines
    target: str | None


class Command(msgspec.Struct, frozen=True):
    """One logical shell command.

    text is what runs, byte for byte as the author wrote it (prompt removed). It is not `Safe`: show
    it through `text.clean`. risk, because and waits come from `cockpit.runbook.shell`. host,
    timeout_s (0: none) and name are what the author wrote beside the fence's language, if anything.
    """

    id: str
    text: str
    lines: Lines
    phase: Phase
    risk: Risk
    because: str
    title: Safe = _UNTITLED
    waits: Waits | None = None
    placeholders: tuple[Placeholder, ...] = ()
    expectation: Expectation | None = None
    source: str = "fence"
    host: str = ""
    timeout_s: int = 0
    name: str = ""


class Snippet(msgspec.Struct, frozen=True):
    """Code that is shown but must not run: configuration, SQL session lines, output, a script."""

    text: Safe
    language: Safe
    lines: Lines


class Prose(msgspec.Struct, frozen=True):
    """A paragraph, list, table or quote of the author, as plain text with its own line breaks.

    markdown is the same as it was written, with its links and emphasis; empty where text is that.
    It is not `Safe`: show it through `text.clean`.
    """

    text: Safe
    lines: Lines
    markdown: str = ""


Item = Command | Snippet | Prose | Reference


class Step(msgspec.Struct, frozen=True):
    """An item of a section that the responder does and ticks.

    id is stable while the titles around it are: it is what the journal keeps. items are in the
    order of the file. phase is mostly that of its section; "Step 4: Escalate" has its own.
    """

    id: str
    title: Safe
    kind: StepKind
    lines: Lines
    items: tuple[Item, ...] = ()
    phase: Phase = Phase.OTHER

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(item for item in self.items if isinstance(item, Command))

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(item for item in self.items if isinstance(item, Reference))


class Section(msgspec.Struct, frozen=True):
    """A heading with the steps below it; intro is what stands before the first step.

    kind: STEP or OPTION where the heading is one itself, with steps of its own below it.
    """

    id: str
    title: Safe
    phase: Phase
    level: int
    lines: Lines
    intro: tuple[Item, ...] = ()
    steps: tuple[Step, ...] = ()
    kind: StepKind | None = None


class Procedure(msgspec.Struct, frozen=True):
    """A runbook inside a file that holds several; a plain file has one."""

    id: str
    title: Safe
    lines: Lines
    sections: tuple[Section, ...] = ()


class Runbook(msgspec.Struct, frozen=True):
    """A markdown file, read.

    path is as it was given; severity as the author wrote it (`P0`, `SEV1`, `critical`), None where
    the file names none; sha256 of the file's bytes; warnings are sentences about what was odd.
    services, owner and last_tested are those of the front matter; alerts also those that the text
    itself names (`Alert: X`). meta is the front matter as it was written.
    """

    path: str
    title: Safe
    severity: Safe | None
    sha256: str
    procedures: tuple[Procedure, ...] = ()
    meta: dict[str, object] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    services: tuple[Safe, ...] = ()
    alerts: tuple[Safe, ...] = ()
    owner: Safe = _UNTITLED
    last_tested: date | None = None

    def sections(self) -> Iterator[Section]:
        """Every section of every procedure, in the order of the file."""
        for procedure in self.procedures:
            yield from procedure.sections

    def steps(self) -> Iterator[tuple[Section, Step]]:
        """Every step with its section, in the order of the file."""
        for section in self.sections():
            for step in section.steps:
                yield section, step

    def commands(self) -> Iterator[tuple[Section, Step, Command]]:
        """Every command with where it stands, in the order of the file."""
        for section, step in self.steps():
            for command in step.commands:
                yield section, step, command
