"""What a responder can do: each verb appends events, and nothing else changes the incident."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit import clock
from cockpit.config import Config
from cockpit.evidence import keep, save_first
from cockpit.incident import events as e
from cockpit.incident.clocks import Rules
from cockpit.incident.incident import Incident, Mark, Run, RunState, Session, Wanted
from cockpit.incident.logbook import Logbook
from cockpit.incident.rollouts import counted, standings
from cockpit.incident.timeline import beginning, outcome
from cockpit.links import Links
from cockpit.logs.following import Following, Heard
from cockpit.runs import CannotRun, Chosen, Hand, Runs
from cockpit.target import guard, hosts, sudo
from cockpit.target.target import Link, Target
from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.containers.engine import Engine
    from cockpit.host_watch import HostWatch
    from cockpit.incident.output import Output
    from cockpit.logs.offered import Offered
    from cockpit.logs.source import LogSource
    from cockpit.oncall.kept import Kept
    from cockpit.oncall.model import Handbook
    from cockpit.outbox.sender import Sender
    from cockpit.rollout import Rollout
    from cockpit.rollout_plan import Plan
    from cockpit.runbook.model import Runbook, Step

__all__ = ["CannotRun", "Chosen", "Preview", "Responder"]

_WAITS = {
    "tty": "it works in a terminal",
    "pager": "it shows page by page",
    "editor": "it is an editor",
    "tui": "it fills the screen",
    "login": "it asks who you are",
    "confirm": "it asks before it goes on",
    "prompt": "it has a prompt of its own",
}
_USUAL = Rules()
_SERVICE = re.compile(r"^\W*Service\W*:\W*([^(\n,;]{1,60})", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preview:
    """A command as it would run now.

    text: with the values that are known filled in; not `Safe`, as in the runbook. missing: what
    will be asked for. host and directory: where it would run. carries: the variables that earlier
    commands left there. doubt: why that may not be what the runbook means, in a sentence. waits:
    it could not be sent when it was asked for, and waits for the responder's word.
    """

    text: str
    missing: tuple[Safe, ...]
    host: str
    directory: str
    carries: tuple[str, ...] = ()
    doubt: str = ""
    waits: bool = False


class Responder:
    """One responder at one incident.

    Lives on one event loop. `changed` is called on it after every change of what is shown. Verbs
    raise logbook.ReadOnly where another cockpit has the incident open.
    """

    def __init__(self, home: Path, who: str, config: Config, *, training: bool = False) -> None:
        self.config = config
        self.runbook: Runbook | None = None
        self.handbook: Handbook | None = None
        self.engine: Engine | None = None
        self.watch: HostWatch | None = None
        self.beside: dict[str, HostWatch] = {}
        self.logs = Following(self._heard)
        self.log = Logbook(home, who, training=training)
        self.log.opening = self._opening
        self.log.rules = lambda: self.rules
        self.links = Links(self.log, config, self._link_moved)
        self.target: Target = self.links.add(hosts.target("", config))
        self.runs = Runs(self.log, self.links.to)
        self._texts: dict[Wanted, tuple[str, str]] = {}
        self.rollouts: dict[str, Rollout] = {}
        self._sudo = sudo.Asked()
        self._sender: Sender | None = None
        self._check: e.ChecksKnown | None = None
        self._begun_here = False
        self._background: set[asyncio.Task[object]] = set()
        self._left = False

    # What there is

    @property
    def incident(self) -> Incident:
        """The fold of all that was appended, saved or not."""
        return self.log.incident

    @property
    def outputs(self) -> dict[str, Output]:
        """The outputs of the runs, by job."""
        return self.log.outputs

    @property
    def folder(self) -> Path | None:
        """Where the incident is kept; None while nothing has happened."""
        return self.log.folder

    @property
    def rules(self) -> Rules:
        """The times that hold: those of the handbook, once it is read, else the usual ones."""
        return self.handbook.rules if self.handbook else _USUAL

    @property
    def changed(self) -> Callable[[], None]:
        """Called on the loop after every change of what is shown."""
        return self.log.changed

    @changed.setter
    def changed(self, listener: Callable[[], None]) -> None:
        self.log.changed = listener

    @property
    def service(self) -> str:
        """The service it is likely about: of cockpit.yaml on this host, else of the runbook."""
        on_host = [
            name for name, known in self.config.services.items() if known.host == self.target.name
        ]
        if len(on_host) == 1:
            return on_host[0]
        return _service_of(self.runbook) if self.runbook else ""

    def take_up(self, folder: Path) -> None:
        """Goes on with an incident that is on disk. Raises journal.Busy, FileNotFoundError."""
        self.log.take_up(folder)

    def reattach(self) -> None:
        """Asks the hosts about every run that is not known to be over.

        A rollout that was going on is over: no further host is started. What waits to be sent goes.
        """
        from cockpit.rollout import LEFT, ending

        if not self.log.reading:
            for id, rolled in self.incident.rollouts.items():
                if rolled.ended is None:
                    self.log.append(ending(standings(self.incident, id), id, LEFT))
            for run in self.incident.running():
                self.runs.follow(run)
            if self.incident.outbox:
                self._outbox().wake()

    def _opening(self) -> tuple[str, Iterable[e.Event]]:
        """What a new journal is named after, and what it begins with."""
        first: list[e.Event] = [e.HostChosen(host=self.target.name)]
        if self.runbook:
            first.append(_opened(self.runbook))
        if self._check:
            first.append(self._check)
        self._begun_here = True
        return (self.runbook.title if self.runbook else ""), first

    def know_check(self, check: Kept) -> None:
        """Has a new incident begin with how the last check before a shift ended."""
        self._check = e.ChecksKnown(at=check.at, outcome=check.outcome, wrong=check.wrong)
        if self._begun_here:
            self.log.append(self._check)

    # The incident

    def declare(self, title: str, severity: e.Severity, service: str = "") -> None:
        """Says what it is and how bad; a later call corrects it."""
        self.log.append(
            e.IncidentDeclared(
                title=self.log.clean(title), severity=severity, service=self.log.clean(service)
            )
        )

    def acknowledge(self) -> None:
        """Somebody has it: the first time counts."""
        self.log.append(e.IncidentAcknowledged())

    def change_severity(self, severity: e.Severity, reason: str = "") -> None:
        """Better or worse than thought."""
        self.log.append(e.SeverityChanged(severity=severity, reason=self.log.clean(reason)))

    def note(
        self,
        text: str,
        source: str = "",
        *,
        log: str = "",
        host: str = "",
        written: datetime | None = None,
    ) -> None:
        """Writes something down. source, log, host, written: of a quoted line, as in the event."""
        clean = self.log.clean
        self.log.append(
            e.NoteAdded(
                text=clean(text),
                source=clean(source),
                log=clean(log),
                host=clean(host),
                written=written,
            )
        )

    def escalate(
        self,
        who: str,
        reason: str = "",
        *,
        level: int = 0,
        how: str = "",
        criteria: Iterable[str] = (),
    ) -> None:
        """Notes that somebody else was called. level: of the ladder. how: as in the event."""
        self.log.append(
            e.EscalationNoted(
                who=self.log.clean(who),
                reason=self.log.clean(reason),
                level=level,
                how=how,
                within=self.rules.answers_within(level) if level else 0.0,
                criteria=tuple(self.log.clean(one) for one in criteria),
            )
        )

    def tell(
        self,
        text: str,
        about: str = "update",
        *,
        next_at: datetime | None = None,
        to: Sequence[str] = (),
    ) -> None:
        """Tells others: through the outbox to each of `to`, else notes what was said by hand.

        next_at: when the message promises the next one. In a training nothing is sent.
        """
        from cockpit.incident.records import ulid
        from cockpit.outbox.kinds import signal

        words, known = self.log.clean(text), self.config.outbox
        self.log.append(e.UpdateSent(text=words, about=about, next_at=next_at, to=tuple(to)))
        for name in to:
            message = ulid(clock.now())
            self.log.append(
                e.MessageQueued(
                    message=message,
                    to=name,
                    about=about,
                    text=words,
                    title=str(self.incident.title),
                    severity=self.incident.severity.value if self.incident.severity else "",
                    service=str(self.incident.service),
                    signal=name in known and bool(signal(known[name].kind, about)),
                )
            )
            if self.log.training:
                self.cancel(message, "a training; nothing leaves this machine")
        if to:
            self._outbox().wake()

    def release(self, message: str) -> bool:
        """Has a message go that is out of date, or that failed; whether there is such a one."""
        one = self.incident.outbox.get(message)
        if one is None or not one.open:
            return False
        self.log.append(e.MessageReleased(message=message))
        self.send_now()
        return True

    def cancel(self, message: str, why: str = "") -> bool:
        """Takes back a message that waits, or gives up one that failed; whether there is such.

        One that is being sent may arrive all the same, and the timeline then says so.
        """
        one = self.incident.outbox.get(message)
        if one is None or not one.open:
            return False
        self.log.append(e.MessageCancelled(message=message, why=self.log.clean(why)))
        return True

    def send_now(self) -> None:
        """Tries at once to send what waits, except where a destination asked to wait."""
        self._outbox().hurry()

    async def drain(self) -> None:
        """Sends what can be sent now, each destination until it fails once."""
        await self._outbox().drain()

    def _outbox(self) -> Sender:
        if self._sender is None:
            from cockpit.outbox.sender import Sender

            self._sender = Sender(self.log, self.config)
        return self._sender

    def snooze(self, what: str, seconds: float, reason: str) -> None:
        """Is not reminded of a clock for so long. what: its name."""
        self.log.append(e.Snoozed(what=what, seconds=seconds, reason=self.log.clean(reason)))

    def warn(self, name: str, text: str) -> bool:
        """Notes that the responder is told of a known mistake; whether that is for the first time.

        Only then it is to be said.
        """
        if name in self.incident.told or self.log.reading:
            return False
        self.log.append(e.PitfallTold(name=name, text=self.log.clean(text)))
        return True

    def mitigate(self, note: str = "") -> None:
        """Users are no longer hurt."""
        self.log.append(e.IncidentMitigated(note=self.log.clean(note)))

    @property
    def needs_reason_to_resolve(self) -> bool:
        """Something was changed and no verification has passed since."""
        return bool(self.incident.last_change) and not self.incident.verified

    def resolve(self, cause: str, fix: str, follow_up: str = "", unverified: str = "") -> None:
        """Ends the incident. Raises guard.Refused where it is neither verified nor explained."""
        if self.needs_reason_to_resolve and not unverified.strip():
            raise guard.Refused(
                "No verification has passed since the last change. Verify, or say why not."
            )
        self.log.append(
            e.IncidentResolved(
                cause=self.log.clean(cause),
                fix=self.log.clean(fix),
                follow_up=self.log.clean(follow_up),
                unverified=self.log.clean(unverified),
            )
        )

    def reopen(self, reason: str) -> None:
        """It was not over."""
        self.log.append(e.IncidentReopened(reason=self.log.clean(reason)))
        if self.incident.outbox:
            self._outbox().wake()

    def correct_time(self, seq: int, at: datetime, reason: str = "") -> None:
        """Says when entry `seq` really happened (UTC); what was recorded is kept."""
        self.log.append(e.TimeCorrected(seq=seq, at=at, reason=self.log.clean(reason)))

    # The runbook

    def open_runbook(self, runbook: Runbook) -> None:
        """Follows this runbook from now on."""
        self.runbook = runbook
        before = self.incident.runbook
        if self.log.folder and (before is None or before.sha256 != runbook.sha256):
            self.log.append(_opened(runbook))
        self.changed()

    def done(self, step: Step) -> str:
        """Ticks a step. Returns what speaks against it, in words: commands of it that failed.

        A verification that is ticked in spite of that does not count as passed.
        """
        despite = self.log.clean(self._failed_in(step))
        title = self.log.clean(step.title)
        self.log.append(
            e.StepDone(step=self.ref(step), title=title, phase=step.phase, despite=despite)
        )
        return despite

    def _failed_in(self, step: Step) -> str:
        """Commands whose newest run failed, where the author does not expect just that."""
        from cockpit.runbook import expect

        newest = {run.asked.command_id: run for run in self.incident.runs_of(self.ref(step))}
        said = []
        for command in step.commands:
            run = newest.get(command.id)
            if run is None or run.worked or run.state not in (RunState.DONE, RunState.UNKNOWN):
                continue
            if command.expectation and run.exit_status is not None:
                text = self.log.output_text(run.job)
                suggestion = expect.suggest(command.expectation.text, text, run.exit_status)
                if suggestion and suggestion.matches:
                    continue
            how = outcome(run.state.value, run.exit_status)
            said.append(f"{beginning(run.asked.command)}: {how}")
        rolled = {
            one.asked.command_id: one.asked
            for one in self.incident.rollouts.values()
            if one.asked.step == self.ref(step)
        }
        for asked in rolled.values():
            states = standings(self.incident, asked.rollout)
            if any(state.stand.bad for state in states):
                said.append(f"{beginning(asked.command)} on {asked.label}: {counted(states)}")
        return "; ".join(said)

    def undo(self, step: Step) -> None:
        """Takes back the tick, skip or failure of a step."""
        self.log.append(
            e.StepReopened(step=self.ref(step), title=self.log.clean(step.title), phase=step.phase)
        )

    def skip(self, step: Step, reason: str) -> None:
        """Passes a step over, and says why."""
        self.log.append(
            e.StepSkipped(
                step=self.ref(step),
                title=self.log.clean(step.title),
                reason=self.log.clean(reason),
            )
        )

    def fail(self, step: Step, reason: str = "") -> None:
        """The step did not do what it should."""
        self.log.append(
            e.StepFailed(
                step=self.ref(step),
                title=self.log.clean(step.title),
                reason=self.log.clean(reason),
                phase=step.phase,
            )
        )

    def mark_of(self, step: Step) -> Mark | None:
        """What became of a step; None while nothing has."""
        state = self.incident.steps.get(self.ref(step))
        return state.mark if state else None

    def ref(self, step: Step) -> e.StepRef:
        """What the journal calls a step of the runbook that is followed."""
        assert self.runbook is not None
        return e.StepRef(self.runbook.path, step.id)

    # Where commands run

    def choose_host(self, name: str) -> Target:
        """Has commands run on that host from now on, and begins to connect."""
        self.target = self.links.chosen(name)
        self._observe()
        if self.log.folder and self.incident.host != self.target.name:
            self.log.append(e.HostChosen(host=self.target.name))
        self.changed()
        return self.target

    def _observe(self) -> None:
        """Watches the chosen host, beside those that were asked for."""
        beside = self.beside.pop(self.target.name, None)
        if self.watch is not None:
            self._in_background(_given_up(self.watch))
        self.watch = beside or self._watched(self.target)
        self.engine = self.watch.engine

    def watch_beside(self, names: Iterable[str]) -> None:
        """Watches these hosts too, beside the chosen one, and no others; begins to connect."""
        wanted = set(names) - {self.target.name}
        for name in self.beside.keys() - wanted:
            self._in_background(_given_up(self.beside.pop(name)))
        for name in wanted - self.beside.keys():
            self.beside[name] = self._watched(self.links.chosen(name))
        self.changed()

    @property
    def watched(self) -> tuple[HostWatch, ...]:
        """The hosts that are watched, the chosen one first."""
        chosen = (self.watch,) if self.watch else ()
        return (*chosen, *(watch for _, watch in sorted(self.beside.items())))

    def engine_of(self, host: str) -> Engine | None:
        """The engine of a host that is watched."""
        found = (watch.engine for watch in self.watched if watch.engine.target.name == host)
        return next(found, None)

    def _heard(self, logs: Sequence[Heard]) -> None:
        """Errors in logs of containers count against their limits."""
        for watch in self.watched:
            name = watch.engine.where
            followed = {
                str(source.name): errors
                for source, errors in logs
                if source.host == name and source.key.startswith("container ")
            }
            watch.limits.heard(followed)

    def _watched(self, target: Target) -> HostWatch:
        from cockpit.host_watch import HostWatch

        engine, leave = self._engine_of(target), self._reading(target.name)
        return HostWatch(engine, self.config.thresholds, self.log, leave, lambda: self.changed())

    def _reading(self, host: str) -> Callable[[str], guard.Pass]:
        """Lets a command of ours through the gate that only reads on a host."""

        def leave(command: str) -> guard.Pass:
            try:
                return guard.answer(guard.ask(self.intent(command, host=host)))
            except CannotRun as why:
                raise guard.Refused(str(why)) from why

        return leave

    async def logs_on(self, host: str) -> Offered:
        """The files and units that can be followed on a host that is watched."""
        from cockpit.logs import offered

        target = self.links.to(host)
        return await offered.ask(target, self._reading(target.name)(offered.COMMAND))

    def file_log(self, host: str, path: str) -> LogSource:
        """A file of a host, to be followed."""
        from cockpit.logs.files import FileTail

        target = self.links.to(host)
        return FileTail(target, path, self._reading(target.name))

    def unit_log(self, host: str, unit: str) -> LogSource:
        """A unit of journald on a host, to be followed."""
        from cockpit.logs.journald import UnitTail

        target = self.links.to(host)
        return UnitTail(target, unit, self._reading(target.name))

    def _engine_of(self, target: Target) -> Engine:
        from cockpit.containers.engine import Engine

        host = self.config.hosts.get(target.name)
        return Engine(target, host.docker if host else "")

    def _link_moved(self, target: Target, link: Link) -> None:
        self.runs.link_changed(target, link)
        self.changed()

    # Commands

    def preview(self, chosen: Chosen) -> Preview:
        """How a command of the runbook would run now; quick, asks nobody, changes nothing."""
        from cockpit.runbook import placeholders

        host = self.host_of(chosen)
        text, path = chosen.command.text, chosen.runbook.path
        session = self.session(chosen)
        gaps = placeholders.find(text, session.variables)
        values = {gap.name: self.incident.value(path, gap.name) for gap in gaps}
        filled, missing = placeholders.so_far(text, values, session.variables)
        return Preview(
            text=filled,
            missing=missing,
            host=host,
            directory=session.directory or self._workdir(host),
            carries=session.variables,
            doubt=session.doubt,
            waits=self._wanted(chosen) in self.incident.prepared,
        )

    def session(self, chosen: Chosen, text: str = "") -> Session:
        """What a command finds of those of its runbook that ran where it would run.

        text: as it would run, where that is not as in the runbook.
        """
        from cockpit.target.session import waits_for

        path, host = chosen.runbook.path, self.host_of(chosen)
        session = self.incident.session(path, host)
        for run in self.incident.running():
            asked = run.asked
            ours = asked.step is not None and asked.step.runbook == path and asked.host == host
            missed = ours and asked.keeps and waits_for(text or chosen.command.text, asked.command)
            if missed and not session.doubt:
                why = f"`{beginning(asked.command)}` still runs; what it sets is not there yet."
                session = replace(session, doubt=why)
        return session

    async def caught_up(self, chosen: Chosen) -> None:
        """Waits a moment for what a host is still being asked about after a restart of cockpit."""
        await self.runs.heard(chosen.runbook.path, self.host_of(chosen))

    def remember(self, values: Mapping[str, str], chosen: Chosen | None) -> None:
        """Has values for placeholders offered again; secrets are not written down."""
        path = chosen.runbook.path if chosen else ""
        for name, value in values.items():
            plain = f"{name}={value}"
            kept = value if self.log.clean(plain) == plain else ""
            if not kept:
                self.log.hide(value)
            if self.incident.values.get((path, name), "") != kept:
                self.log.append(e.ValueGiven(name=self.log.clean(name), value=kept, runbook=path))

    def prepare(self, text: str, chosen: Chosen) -> None:
        """Keeps a filled in command until its host can be reached and the responder says so."""
        wanted = self._wanted(chosen)
        self._texts[wanted] = chosen.command.text, text
        step, command_id, host = wanted
        prepared = e.CommandPrepared(
            command=self.log.clean(text), host=host, step=step, command_id=command_id
        )
        if self.incident.prepared.get(wanted) != prepared:
            self.log.append(prepared)

    def waiting(self, chosen: Chosen) -> str | None:
        """The text that was prepared for a command, as it will run; None where none was.

        After a restart of cockpit, and where the runbook was edited meanwhile, it is the command
        as in the runbook: values are offered again.
        """
        wanted = self._wanted(chosen)
        if wanted not in self.incident.prepared:
            return None
        was, text = self._texts.get(wanted, ("", ""))
        return text if was == chosen.command.text else chosen.command.text

    def drop(self, chosen: Chosen) -> None:
        """What was prepared is no longer wanted."""
        step, command_id, host = self._wanted(chosen)
        self.log.append(e.PreparedDropped(host=host, step=step, command_id=command_id))

    def _wanted(self, chosen: Chosen) -> Wanted:
        return chosen.ref, chosen.command.id, self.host_of(chosen)

    def out_of_reach(self, chosen: Chosen | None) -> str:
        """Why nothing can be sent now to where a command would run; empty where it can."""
        link = self.links.to(self.host_of(chosen)).link
        return link.reason if link.state.gone else ""

    def host_of(self, chosen: Chosen | None) -> str:
        """Where a command runs: where its author says, else on the chosen host."""
        named = (chosen.host or chosen.command.host) if chosen else ""
        return named or self.target.name

    def _workdir(self, host: str) -> str:
        """Where commands run on a host before any of them went elsewhere."""
        known = self.config.hosts.get(host)
        target = self.links.known(host)
        return (target.workdir if target else known.workdir if known else "") or "~"

    async def why_terminal(self, command: str, chosen: Chosen | None = None, host: str = "") -> str:
        """Why a command needs the responder's own terminal; empty where it runs as a job.

        Asks its host where the command has a sudo in it that may want a password. host: as in
        `intent`.
        """
        from cockpit.runbook.model import Waits
        from cockpit.runbook.shell import judge

        verdict = judge(command)
        waits = verdict.waits
        if chosen is not None and judge(chosen.command.text).waits is waits:
            waits = chosen.command.waits  # after the author's own word
        if waits not in (None, Waits.STREAM):
            return _WAITS[waits]
        target = self.links.to(host or self.host_of(chosen))
        if verdict.sudo and await self._sudo.wants_password(target, command):
            return f"sudo on {target.name} asks for a password"
        return ""

    def intent(
        self,
        command: str,
        chosen: Chosen | None = None,
        *,
        stale: str = "",
        terminal: str = "",
        host: str = "",
    ) -> guard.Intent:
        """What the guard must know about a command before it runs on its host.

        host: where one of no runbook runs, empty on the chosen host. Raises CannotRun for one that
        is not filled in.
        """
        from cockpit.runbook import placeholders
        from cockpit.runbook.model import Phase, Risk, Waits
        from cockpit.runbook.shell import judge
        from cockpit.target.session import Turn, changes

        verdict = judge(command)
        risk, because = verdict.risk, verdict.because
        early = chosen is None or chosen.command.phase in (Phase.RECOVERY, Phase.ROLLBACK)
        session = self.session(chosen, command) if chosen else Session()
        doubts = [self._unknown(command, chosen, host), session.doubt]
        open_gaps = placeholders.unsafe(command, session.variables)
        if open_gaps:
            raise CannotRun(f"{', '.join(open_gaps)} has no value; the command was not run.")
        if chosen and chosen.command.risk.above(risk) and chosen.raised:
            risk, because = chosen.command.risk, "the runbook says so"
        unsaved = bool(self.log.unsaved and self.log.trouble)
        if unsaved and risk is not Risk.READ:
            doubts.append("It cannot be written down now: if cockpit ends, nobody knows of it.")
        target = self.links.to(host or self.host_of(chosen))
        beside = verdict.waits is Waits.STREAM or bool(terminal)
        keeps = not beside and (changes(command) or bool(session.doubt))
        return guard.Intent(
            command=command,
            host=target.name,
            risk=risk,
            because=because,
            user=target.user,
            workdir=session.directory or target.workdir,
            names=verdict.containers,
            skipped_diagnosis=early and not self.incident.diagnosed,
            stale=stale,
            terminal=terminal,
            turn=Turn(session.job, session.state, keeps) if chosen else None,
            carries=session.variables,
            doubt=" ".join(doubt for doubt in doubts if doubt),
            unsaved=unsaved,
        )

    def unknown(self, command: str, chosen: Chosen | None, host: str = "") -> Run | None:
        """The newest run of a command on its host, where nobody knows whether it ran."""
        host = host or self.host_of(chosen)
        runs = tuple(self.incident.runs.values())
        if not runs:
            return None
        words = self.log.clean(command).strip()
        for run in reversed(runs):
            asked = run.asked
            # By its words too: a runbook that was edited may know it by another id.
            same = asked.command.strip() == words or (
                chosen is not None
                and (asked.step, asked.command_id) == (chosen.ref, chosen.command.id)
            )
            if same and asked.host == host:
                return run if run.state is RunState.UNKNOWN else None
        return None

    def _unknown(self, command: str, chosen: Chosen | None, host: str) -> str:
        run = self.unknown(command, chosen, host)
        if run is None:
            return ""
        return f"Nobody knows whether it ran at {run.at:%H:%M} UTC: this may be the second time."

    async def run(
        self, leave: guard.Pass, chosen: Chosen | None = None, *, timeout_s: int = 0
    ) -> str:
        """Runs a command that passed the gate, once; returns the id of its job.

        timeout_s: after so many seconds its host ends it; 0 is as its author says, or never.
        Raises CannotRun when nothing was sent.
        """
        return await self.runs.start(leave, chosen, timeout_s=timeout_s)

    async def run_in_terminal(
        self,
        leave: guard.Pass,
        hand: Hand,
        chosen: Chosen | None = None,
        *,
        term: str,
        size: tuple[int, int],
    ) -> str:
        """Runs a command that passed the gate in the responder's own terminal, to its end.

        hand: puts the real terminal before it. It is no job: it ends with the link. Returns the id
        it goes by in the journal. Raises CannotRun when nothing was run.
        """
        return await self.runs.in_terminal(leave, hand, chosen, term=term, size=size)

    async def stop(self, job: str) -> None:
        """Ends a running command with its whole process group, gently first."""
        await self.runs.stop(job)

    async def save_evidence(
        self, command: str, containers: Iterable[str], host: str = "", rollout: str = ""
    ) -> str:
        """Saves logs and inspect output of the containers that a command is about to change.

        host: where they are, empty on the chosen one. rollout: for which it is. Returns what was
        saved and what could not be, in sentences; never raises.
        """
        host = host or self.target.name
        if host == self.target.name:
            return await save_first(self.log, self.engine, host, command, containers, rollout)
        engine = self._engine_of(self.links.to(host))
        try:
            return await save_first(self.log, engine, host, command, containers, rollout)
        finally:
            await engine.close()

    async def keep(self, what: str, title: str, parts: Iterable[bytes], host: str = "") -> str:
        """Keeps a text as evidence, such as the log lines that are shown; returns the file's name.

        parts: are made on the loop one after the other, with rests between. Raises OSError.
        """
        return await keep(self.log, what, title, parts, host)

    # Many hosts

    def roll_out(self, plan: Plan, passes: Sequence[guard.Pass]) -> Rollout:
        """Runs a plan that passed the gate, one pass a host; it goes on by itself.

        Raises ValueError where the passes are not for its hosts.
        """
        from cockpit.rollout import Rollout

        rollout = self.rollouts[plan.id] = Rollout(self.log, self.runs, plan, passes, self.links.of)
        rollout.start()
        return rollout

    # Leaving

    async def close(self) -> int:
        """Leaves: commands go on on their hosts. Returns the number of events not on disk.

        May be called again; then it only returns that number.
        """
        if self._left:
            return self.log.unsaved
        self._left = self.links.over = True
        for watch in self.watched:
            watch.hush()
        await asyncio.gather(*(rollout.leave() for rollout in self.rollouts.values()))
        if self.log.folder:
            self.log.append(e.CockpitClosed(running=len(self.incident.running())))
        for task in self._background:
            task.cancel()
        if self._sender is not None:
            await self._sender.close()
        await asyncio.gather(self.runs.close(), *self._background, return_exceptions=True)
        await self.logs.close()
        for watch in self.watched:
            await _given_up(watch)
        await self.links.close()
        return await self.log.close()

    def _in_background(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _given_up(watch: HostWatch) -> None:
    await watch.close()
    await watch.engine.close()


def _service_of(runbook: Runbook) -> str:
    """What the runbook's front matter or its `Service:` line names; empty where neither does."""
    named = runbook.meta.get("services") or runbook.meta.get("service")
    if isinstance(named, list) and named:
        named = named[0]
    if isinstance(named, str):
        return named
    for section in runbook.sections():
        for item in section.intro:
            found = _SERVICE.search(getattr(item, "text", ""))
            if found:
                return found[1].strip()
    return ""


def _opened(runbook: Runbook) -> e.RunbookOpened:
    return e.RunbookOpened(path=runbook.path, title=str(runbook.title), sha256=runbook.sha256)
