"""An on-call handbook as data: whom to call, what to tick, what to say.

Everything here is frozen. A value that nobody has filled in (`UPDATE THIS!`, `____`) is empty, so
that nothing can take it for one. line counts from 1 in the file that it was read from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cockpit.incident.clocks import Rules
from cockpit.runbook.model import Command, Runbook, Section, Step
from cockpit.text import Safe


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A field that nobody has filled in, where it stands, and what stands there instead."""

    key: str
    line: int
    said: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who can be called. timezone is a name of the tz database where it was one."""

    name: Safe = Safe("")
    phone: Safe = Safe("")
    slack: Safe = Safe("")
    email: Safe = Safe("")
    timezone: Safe = Safe("")
    availability: Safe = Safe("")
    line: int = 0
    missing: tuple[str, ...] = ()
    """What stands in the handbook and nobody has filled in: `phone`, `name`."""
    unfilled: tuple[Unfilled, ...] = field(default=(), compare=False)
    """The same, with where each stands."""

    @property
    def reachable(self) -> bool:
        """Whether there is any way to call this person."""
        return bool(self.phone or self.slack or self.email)

    def goes_by(self, who: str) -> bool:
        """Whether that is them: by name, first name, or what stands before the @ of the address."""
        name, mail = self.name.casefold(), self.email.partition("@")[0].casefold()
        told = who.strip().casefold()
        return bool(told) and told in (name, name.partition(" ")[0], mail)


@dataclass(frozen=True, slots=True)
class Level:
    """A rung of the ladder.

    when: what it is called for. respond: seconds in which it promises to answer, None where the
    handbook does not say.
    """

    number: int
    role: Safe
    contacts: tuple[Contact, ...] = ()
    about: Safe = Safe("")
    when: tuple[Safe, ...] = ()
    respond: float | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Vendor:
    """A company whose service ours stands on; facts are those without a field of their own."""

    name: Safe
    dashboard: Safe = Safe("")
    status: Safe = Safe("")
    support: Safe = Safe("")
    phone: Safe = Safe("")
    account: Safe = Safe("")
    when: Safe = Safe("")
    have_ready: tuple[Safe, ...] = ()
    facts: tuple[tuple[Safe, Safe], ...] = ()
    missing: tuple[str, ...] = ()
    line: int = 0
    unfilled: tuple[Unfilled, ...] = field(default=(), compare=False)


class Occasion(StrEnum):
    """When a checklist is for."""

    BEFORE = "before the shift"
    DURING = "during the shift"
    HANDOFF = "handoff"
    AFTER = "after an incident"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Checklist:
    """Things to tick; items are with the line that each stands in."""

    title: Safe
    occasion: Occasion
    items: tuple[tuple[Safe, int], ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A message as the team writes it, with its gaps as they stand (`{title}`, `[HH:MM]`).

    about: acknowledged, update, escalation, resolved, or the title of any other.
    """

    about: str
    title: Safe
    text: Safe
    line: int = 0


@dataclass(frozen=True, slots=True)
class Quick:
    """A command of the handbook's reference; it runs as one of a runbook does."""

    section: Section
    step: Step
    command: Command
    group: Safe = Safe("")
    """The heading that it stands below, which says what it is for: `Need to restart`."""


@dataclass(frozen=True, slots=True)
class Pitfall:
    """A mistake that others have made before."""

    title: Safe
    text: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something in the handbook that was mended in reading, or could not be read, in a sentence."""

    line: int
    what: Safe


@dataclass(frozen=True, slots=True)
class Handbook:
    """An ON_CALL.md, read; the default says nothing, and its rules are the usual ones.

    path: empty where there is none. shipped: it is the one that comes with cockpit, which names
    nobody. criteria: when to escalate, whatever the level. access: the commands of the handbook's
    access verification. runbook: the same file as a runbook, for its commands.
    """

    path: str = ""
    shipped: bool = False
    title: Safe = Safe("")
    rules: Rules = field(default_factory=Rules)
    levels: tuple[Level, ...] = ()
    criteria: tuple[Safe, ...] = ()
    vendors: tuple[Vendor, ...] = ()
    checklists: tuple[Checklist, ...] = ()
    templates: tuple[Template, ...] = ()
    quick: tuple[Quick, ...] = ()
    access: tuple[Quick, ...] = ()
    dashboards: tuple[Safe, ...] = ()
    pitfalls: tuple[Pitfall, ...] = ()
    oddities: tuple[Oddity, ...] = ()
    runbook: Runbook | None = None

    @property
    def unread(self) -> Safe:
        """Why the file could not be read, and what to do, in a sentence; empty where it was."""
        return self.oddities[0].what if self.oddities and self.runbook is None else Safe("")

    def level(self, number: int) -> Level | None:
        """The rung of that number."""
        return next((level for level in self.levels if level.number == number), None)
