"""The gate every command passes: what is asked before it runs, and the token that lets it run.

`ask` says what the responder must do, `answer` checks that they did it and hands out a `Pass`;
`ask_all` and `answer_all` do so once for many hosts. A target starts nothing without a `Pass`, and
only this module makes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cockpit.runbook.model import Risk
    from cockpit.target.session import Turn

_SEAL: Final = object()
_NUMBERS: Final = count(1)


class Level(StrEnum):
    """How much the gate asks for."""

    OPEN = "open"
    CONFIRM = "confirm"
    TYPE_NAME = "type-name"
    TYPE_NUMBER = "type-number"


class Refused(Exception):
    """The gate stays shut; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A command that the responder wants to run, with its values filled in.

    names are what may be typed to confirm destruction: the containers that it touches, else the
    host. skipped_diagnosis: a recovery command while no diagnosis step was done. stale: why what
    the screen shows about the place may be old, empty when it is fresh. terminal: why it runs in
    the responder's own terminal, empty where it is a job. turn: its place among the commands of
    its runbook there; carries: names of the variables that it finds set; doubt: why it may not do
    what the responder means, in a sentence. unsaved: what is run cannot be written down now.
    """

    command: str
    host: str
    risk: Risk
    because: str
    user: str = ""
    workdir: str = ""
    names: tuple[str, ...] = ()
    skipped_diagnosis: bool = False
    stale: str = ""
    terminal: str = ""
    turn: Turn | None = None
    carries: tuple[str, ...] = ()
    doubt: str = ""
    unsaved: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """What must be answered before `intent` may run."""

    intent: Intent
    level: Level
    names: tuple[str, ...]
    reason_wanted: str


@dataclass(frozen=True, slots=True)
class AskAll:
    """What must be answered once before each of `intents` may run, each on a host of its own."""

    intents: tuple[Intent, ...]
    level: Level
    reason_wanted: str

    @property
    def intent(self) -> Intent:
        """The one that does most harm; of several one in doubt, else the first."""
        from cockpit.runbook.model import Risk

        worst = Risk.worst(one.risk for one in self.intents)
        return max(self.intents, key=lambda one: (one.risk == worst, bool(one.doubt)))


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to run one command once on one host. Made by `answer` and `answer_all` alone.

    workdir, turn and unsaved are as they were shown. number tells passes apart, so that each is
    spent once.
    """

    command: str
    host: str
    risk: Risk
    how: str
    reason: str
    workdir: str
    turn: Turn | None
    unsaved: bool
    number: int
    seal: object

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("a Pass is handed out by cockpit.target.guard.answer alone")


def ask(intent: Intent) -> Ask:
    """What the gate wants for this intent; pure.

    Read runs without a question, unless it may not find what it needs. Change wants a deliberate
    key. Destroy wants the name of a container it touches, or of the host, typed out.
    """
    from cockpit.runbook.model import Risk

    level = {
        Risk.READ: Level.OPEN,
        Risk.CHANGE: Level.CONFIRM,
        Risk.DESTROY: Level.TYPE_NAME,
    }[intent.risk]
    names = tuple(name for name in intent.names if name != "*") or (intent.host,)
    wanted = []
    if intent.skipped_diagnosis and level is not Level.OPEN:
        wanted.append("No diagnosis step is done yet. Why recover first?")
    if intent.stale and intent.names and level is not Level.OPEN:
        wanted.append(f"{intent.stale} Why act on it?")
    if intent.doubt and level is Level.OPEN:
        level = Level.CONFIRM
    return Ask(intent, level, names if level is Level.TYPE_NAME else (), " ".join(wanted))


def answer(asked: Ask, *, confirmed: bool = False, typed: str = "", reason: str = "") -> Pass:
    """The pass, when the answer is enough.

    confirmed: the deliberate key was pressed. typed: what the responder wrote as the name.
    Raises Refused with what is missing.
    """
    intent = asked.intent
    asked = ask(intent)  # what is wanted follows from the intent alone, whoever made the Ask
    if not intent.command.strip():
        raise Refused("There is no command to run.")
    if asked.reason_wanted and not reason.strip():
        raise Refused(asked.reason_wanted)
    match asked.level:
        case Level.OPEN:
            how = "not asked"
        case Level.CONFIRM:
            if not confirmed:
                raise Refused("Not confirmed; nothing was run.")
            how = "confirmed"
        case Level.TYPE_NAME:
            if typed.strip() not in asked.names:
                wanted = " or ".join(asked.names)
                raise Refused(f"Type {wanted} to run this; nothing was run.")
            how = f"typed {typed.strip()}"
    return _let(intent, how, reason)


def ask_all(intents: Sequence[Intent]) -> AskAll:
    """What the gate wants, once, for a command on many hosts; pure.

    Where all of them read it is as `ask`. Where one of them changes or destroys, the number of
    hosts is to be typed out.
    """
    alone = [ask(intent) for intent in intents]
    levels = {asked.level for asked in alone}
    level = Level.CONFIRM if Level.CONFIRM in levels else Level.OPEN
    if any(intent.risk != "read" for intent in intents):
        level = Level.TYPE_NUMBER
    wanted = dict.fromkeys(asked.reason_wanted for asked in alone if asked.reason_wanted)
    return AskAll(tuple(intents), level, " ".join(wanted))


def answer_all(
    asked: AskAll, *, confirmed: bool = False, typed: str = "", reason: str = ""
) -> tuple[Pass, ...]:
    """A pass for each host, in the order of the intents, when the answer is enough for all.

    confirmed: the deliberate key was pressed. typed: what the responder wrote as the number.
    Raises Refused with what is missing.
    """
    asked = ask_all(asked.intents)  # as in answer
    hosts = [intent.host for intent in asked.intents]
    if not hosts:
        raise Refused("There is no host to run on.")
    for host in hosts:
        if hosts.count(host) > 1:
            raise Refused(f"{host} is named twice; nothing was run.")
    if not all(intent.command.strip() for intent in asked.intents):
        raise Refused("There is no command to run.")
    if asked.reason_wanted and not reason.strip():
        raise Refused(asked.reason_wanted)
    how = "not asked"
    if asked.level is Level.CONFIRM:
        if not confirmed:
            raise Refused("Not confirmed; nothing was run.")
        how = "confirmed"
    elif asked.level is Level.TYPE_NUMBER:
        if typed.strip() != str(len(hosts)):
            raise Refused(f"Type {len(hosts)}, the number of hosts, to run this; nothing was run.")
        how = f"typed {len(hosts)}, the number of hosts"
    return tuple(_let(intent, how, reason) for intent in asked.intents)


def _let(intent: Intent, how: str, reason: str) -> Pass:
    return Pass(
        command=intent.command,
        host=intent.host,
        risk=intent.risk,
        how=how,
        reason=reason.strip(),
        workdir=intent.workdir,
        turn=intent.turn,
        unsaved=intent.unsaved,
        number=next(_NUMBERS),
        seal=_SEAL,
    )
