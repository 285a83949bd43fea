"""The fold: events become the incident that everything shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cockpit.incident import clocks, outgoing
from cockpit.incident import events as e
from cockpit.incident.outgoing import Outgoing
from cockpit.text import Safe, clean_line

Wanted = tuple[e.StepRef | None, str, str]
"""A command that waits for the responder's word: its step, its id there, its host."""


class Status(StrEnum):
    """Where the incident stands."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Mark(StrEnum):
    """What became of a step."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class RunState(StrEnum):
    """Where a run of a command stands."""

    REQUESTED = "requested"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    NEVER_STARTED = "never started"
    UNKNOWN = "unknown"


OVER = frozenset({RunState.DONE, RunState.STOPPED, RunState.NEVER_STARTED, RunState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one command.

    seq: of the record that asked for it, which orders runs. claimed: the host has launched it.
    seconds and exit_status are None until the host has told; exit_status stays None where it is not
    known.
    """

    seq: int
    at: datetime
    asked: e.CommandRequested
    state: RunState = RunState.REQUESTED
    claimed: bool = False
    exit_status: int | None = None
    seconds: float | None = None
    size: int = 0
    truncated: bool = False
    tail: str = ""
    why: str = ""

    @property
    def job(self) -> str:
        return self.asked.job

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def worked(self) -> bool:
        return self.state is RunState.DONE and self.exit_status == 0


@dataclass(frozen=True, slots=True)
class Session:
    """What the commands of a runbook have left on a host for the next one.

    job: the run that left it; state: the file on the host that holds it. Both are empty where the
    next command starts afresh. variables: their names. doubt: why what the next command finds may
    not be what the runbook means, in a sentence; empty when all is well.
    """

    job: str = ""
    state: str = ""
    directory: str = ""
    variables: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Rolled:
    """One command on many hosts, as it was asked for, and how far it came.

    jobs and refused are by host: its run, or why nothing was sent. ended_at: None while it goes on.
    """

    seq: int
    at: datetime
    asked: e.RolloutStarted
    jobs: Mapping[str, str]
    refused: Mapping[str, str]
    ended: e.RolloutEnded | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StepState:
    """A ticked, skipped or failed step, with when and why."""

    mark: Mark
    at: datetime
    title: Safe
    reason: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the timeline: one record. at is the corrected time where there is one."""

    record: e.Record
    at: datetime

    @property
    def corrected(self) -> bool:
        return self.at != self.record.ts


_NOTHING: Mapping[e.StepRef, StepState] = MappingProxyType({})
_NO_RUNS: Mapping[str, Run] = MappingProxyType({})
_NO_SESSIONS: Mapping[tuple[str, str], Session] = MappingProxyType({})
_NO_VALUES: Mapping[tuple[str, str], str] = MappingProxyType({})
_NO_ROLLOUTS: Mapping[str, Rolled] = MappingProxyType({})
_NO_MESSAGES: Mapping[str, Outgoing] = MappingProxyType({})
_NOT_CROSSED: Mapping[tuple[str, str, str], e.ThresholdCrossed] = MappingProxyType({})
_NONE_PREPARED: Mapping[Wanted, e.CommandPrepared] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Incident:
    """All that is known of one incident.

    started is when the trouble began (cockpit's first record until corrected); detected when it was
    first declared. salt keys the redaction marks. sessions are by runbook and host, values by
    runbook and name of the placeholder, the newest last. outbox is by the id of a message, crossed
    by host, container and what of it is over its limit. told: the pitfalls that were spoken of.
    """

    id: str = ""
    salt: str = ""
    title: Safe = Safe("")
    severity: e.Severity | None = None
    service: Safe = Safe("")
    training: bool = False
    started: datetime | None = None
    detected: datetime | None = None
    acknowledged: datetime | None = None
    mitigated: datetime | None = None
    resolved: datetime | None = None
    resolution: e.IncidentResolved | None = None
    host: str = ""
    runbook: e.RunbookOpened | None = None
    runbooks: tuple[e.RunbookOpened, ...] = ()
    steps: Mapping[e.StepRef, StepState] = field(default_factory=lambda: _NOTHING)
    runs: Mapping[str, Run] = field(default_factory=lambda: _NO_RUNS)
    rollouts: Mapping[str, Rolled] = field(default_factory=lambda: _NO_ROLLOUTS)
    sessions: Mapping[tuple[str, str], Session] = field(default_factory=lambda: _NO_SESSIONS)
    values: Mapping[tuple[str, str], str] = field(default_factory=lambda: _NO_VALUES)
    prepared: Mapping[Wanted, e.CommandPrepared] = field(default_factory=lambda: _NONE_PREPARED)
    outbox: Mapping[str, Outgoing] = field(default_factory=lambda: _NO_MESSAGES)
    crossed: Mapping[tuple[str, str, str], e.ThresholdCrossed] = field(
        default_factory=lambda: _NOT_CROSSED
    )
    told: frozenset[str] = frozenset()
    times: clocks.Times = field(default_factory=clocks.Times)
    entries: tuple[Entry, ...] = ()
    diagnosed: bool = False
    last_change: int = 0
    last_verification: int = 0

    @property
    def status(self) -> Status:
        """Derived: resolved, else monitoring once mitigated, identified once a recovery was run."""
        if self.resolved:
            return Status.RESOLVED
        if self.mitigated:
            return Status.MONITORING
        if self.last_change:
            return Status.IDENTIFIED
        return Status.INVESTIGATING

    @property
    def hurt_until(self) -> datetime | None:
        """When users were no longer hurt: mitigated, else resolved."""
        return self.mitigated or self.resolved

    @property
    def open(self) -> bool:
        return self.resolved is None

    @property
    def verified(self) -> bool:
        """The responder ticked a verification after the last change, and no command of it failed.

        An exit status alone does not: `curl` that prints 503 exits 0.
        """
        return self.last_verification > self.last_change

    def running(self) -> tuple[Run, ...]:
        """Runs that are not over, oldest first."""
        return tuple(run for run in self.runs.values() if not run.over)

    def runs_of(self, step: e.StepRef) -> tuple[Run, ...]:
        """The runs of a step, oldest first, without those of a rollout."""
        runs = (run for run in self.runs.values() if run.asked.step == step)
        return tuple(run for run in runs if not run.asked.rollout)

    def session(self, runbook: str, host: str) -> Session:
        """What the next command of a runbook finds on a host."""
        return self.sessions.get((runbook, host), Session())

    def value(self, runbook: str, name: str) -> str:
        """What a placeholder was last filled in with, in this runbook, else in another; or ""."""
        if (runbook, name) in self.values:
            return self.values[runbook, name]
        others = (value for (_, other), value in reversed([*self.values.items()]) if other == name)
        return next(others, "")


def fold(records: Iterable[e.Record], start: Incident | None = None) -> Incident:
    """The incident after these records, going on from `start`."""
    incident = start or Incident()
    entries = list(incident.entries)
    for record in records:
        if isinstance(record.event, e.TimeCorrected):
            incident = apply(replace(incident, entries=tuple(entries)), record)
            entries = list(incident.entries)
        else:
            incident = _apply(incident, record)
            if not _unseen(incident, record.event):
                entries.append(Entry(record, record.ts))
    return replace(incident, entries=tuple(entries))


_UNSEEN = (
    e.JournalOpened,
    e.CommandClaimed,
    e.SessionKept,
    e.ValueGiven,
    e.MessageQueued,
    e.MessageAttempted,
)


def _unseen(incident: Incident, event: e.Event) -> bool:
    """Whether it has no line: of a rollout only its start, its end, and what went wrong have one;
    of what is tried again and fails as before, the first time.

    incident: with the event in it.
    """
    match event:
        case e.CommandRequested(rollout=rollout) | e.EvidenceSaved(rollout=rollout):
            return bool(rollout)
        case e.EvidenceMissed(rollout=rollout):
            return bool(rollout)
        case e.StopRequested(job=job) | e.CommandStopped(job=job):
            return _of_a_rollout(incident, job)
        case e.CommandFinished(job=job):
            return _of_a_rollout(incident, job) and incident.runs[job].worked
        case e.MessageFailed(message=id) if id in incident.outbox:
            return incident.outbox[id].repeated
        case _:
            return isinstance(event, _UNSEEN)


def _of_a_rollout(incident: Incident, job: str) -> bool:
    return job in incident.runs and bool(incident.runs[job].asked.rollout)


def apply(incident: Incident, record: e.Record) -> Incident:
    """The incident after one more record; unknown kinds only add their line."""
    incident = _apply(incident, record)
    if isinstance(record.event, e.TimeCorrected):
        return _correct(incident, record.event)
    if _unseen(incident, record.event):
        return incident
    return replace(incident, entries=(*incident.entries, Entry(record, record.ts)))


def _apply(incident: Incident, record: e.Record) -> Incident:
    times = clocks.after(incident.times, record)
    outbox = outgoing.after(incident.outbox, record)
    incident = _known(incident, record)
    if times is incident.times and outbox is incident.outbox:
        return incident
    return replace(incident, times=times, outbox=outbox)


def _known(incident: Incident, record: e.Record) -> Incident:
    at = record.ts
    match record.event:
        case e.JournalOpened(incident=id, salt=salt):
            return replace(incident, id=id, salt=salt)
        case e.IncidentStarted(training=training):
            return replace(incident, started=at, training=training)
        case e.IncidentDeclared(title=title, severity=severity, service=service):
            return replace(
                incident,
                title=clean_line(title),
                severity=severity,
                service=clean_line(service),
                detected=incident.detected or at,
            )
        case e.IncidentAcknowledged():
            return replace(incident, acknowledged=incident.acknowledged or at)
        case e.SeverityChanged(severity=severity):
            return replace(incident, severity=severity)
        case e.IncidentMitigated():
            return replace(incident, mitigated=incident.mitigated or at)
        case e.IncidentResolved() as resolution:
            return replace(
                incident,
                resolved=at,
                resolution=resolution,
            )
        case e.IncidentReopened():
            return replace(incident, resolved=None, mitigated=None, resolution=None)
        case e.HostChosen(host=host):
            return replace(incident, host=host)
        case e.PitfallTold(name=name):
            return replace(incident, told=incident.told | {name})
        case e.ThresholdCrossed(host=host, what=what, back=back) as crossed:
            limits = {(host, name, what): crossed for name in (crossed.container, *crossed.others)}
            others = {other: one for other, one in incident.crossed.items() if other not in limits}
            return replace(incident, crossed=others if back else {**others, **limits})
        case e.RunbookOpened() as opened:
            known = tuple(book for book in incident.runbooks if book.path != opened.path)
            return replace(incident, runbook=opened, runbooks=(*known, opened))
        case e.StepDone(step=step, title=title, phase=phase, despite=despite):
            marked = _marked(incident, step, StepState(Mark.DONE, at, clean_line(title)))
            if phase == "diagnosis":
                marked = replace(marked, diagnosed=True)
            if phase == "verification" and not despite:
                marked = replace(marked, last_verification=record.seq)
            return marked
        case e.StepSkipped(step=step, title=title, reason=reason):
            state = StepState(Mark.SKIPPED, at, clean_line(title), clean_line(reason))
            return _marked(incident, step, state)
        case e.StepFailed(step=step, title=title, reason=reason, phase=phase):
            state = StepState(Mark.FAILED, at, clean_line(title), clean_line(reason))
            marked = _marked(incident, step, state)
            if phase == "verification":
                marked = replace(marked, last_verification=0)
            return marked
        case e.StepReopened(step=step, phase=phase):
            left = {key: value for key, value in incident.steps.items() if key != step}
            verified = 0 if phase == "verification" else incident.last_verification
            return replace(incident, steps=left, last_verification=verified)
        case e.ValueGiven(name=name, value=value, runbook=runbook):
            values = {key: old for key, old in incident.values.items() if key != (runbook, name)}
            return replace(incident, values={**values, (runbook, name): value})
        case e.CommandPrepared(step=step, command_id=command, host=host) as prepared:
            waiting = {**incident.prepared, (step, command, host): prepared}
            return replace(incident, prepared=waiting)
        case e.PreparedDropped(step=step, command_id=command, host=host):
            return _without(incident, (step, command, host))
        case e.SessionKept() as kept:
            session = Session(kept.job, kept.state, kept.directory, kept.variables)
            key = (kept.runbook, kept.host)
            return replace(incident, sessions={**incident.sessions, key: session})
        case e.SessionLost(runbook=runbook, host=host, why=why, fresh=fresh):
            session = Session() if fresh else incident.session(runbook, host)
            session = replace(session, doubt=why)
            return replace(incident, sessions={**incident.sessions, (runbook, host): session})
        case e.RolloutStarted(rollout=id) as asked:
            rolled = Rolled(record.seq, at, asked, {}, {})
            return replace(incident, rollouts={**incident.rollouts, id: rolled})
        case e.RolloutEnded(rollout=id) as end:
            return _rolled(incident, id, ended=end, ended_at=at)
        case e.CommandRefused(rollout=id, host=host, why=why) if id in incident.rollouts:
            refused = {**incident.rollouts[id].refused, host: why}
            return _rolled(incident, id, refused=refused)
        case (
            e.CommandRequested()
            | e.CommandClaimed()
            | e.CommandFinished()
            | e.CommandUnknown()
            | e.StopRequested()
            | e.CommandStopped()
        ):
            return _ran(incident, record)
        case _:
            return incident


def _marked(incident: Incident, step: e.StepRef, state: StepState) -> Incident:
    return replace(incident, steps={**incident.steps, step: state})


def _rolled(incident: Incident, id: str, **changes: Any) -> Incident:
    """The incident with that much more known of a rollout."""
    rolled = incident.rollouts.get(id)
    if rolled is None:
        return incident
    return replace(incident, rollouts={**incident.rollouts, id: replace(rolled, **changes)})


def _without(incident: Incident, wanted: Wanted) -> Incident:
    """The incident with that command no longer waiting."""
    if wanted not in incident.prepared:
        return incident
    left = {key: value for key, value in incident.prepared.items() if key != wanted}
    return replace(incident, prepared=left)


def _ran(incident: Incident, record: e.Record) -> Incident:
    event = record.event
    if isinstance(event, e.CommandRequested):
        run = Run(record.seq, record.ts, event)
        changed = event.risk != "read"
        if event.rollout in incident.rollouts:
            jobs = {**incident.rollouts[event.rollout].jobs, event.host: event.job}
            incident = _rolled(incident, event.rollout, jobs=jobs)
        return replace(
            _without(incident, (event.step, event.command_id, event.host)),
            runs={**incident.runs, event.job: run},
            last_change=record.seq if changed else incident.last_change,
        )
    job: str = event.job  # type: ignore[attr-defined]
    before = incident.runs.get(job)
    if before is None:
        return incident
    run = after(before, event)
    return replace(
        incident,
        runs={**incident.runs, job: run},
        diagnosed=incident.diagnosed or _diagnosed(run),
    )


def _diagnosed(run: Run) -> bool:
    ran = run.state in (RunState.DONE, RunState.STOPPED)
    return ran and run.asked.phase in ("diagnosis", "symptoms")


def after(run: Run, event: e.Event) -> Run:
    """The run as an event of its own leaves it."""
    match event:
        case e.CommandClaimed():
            # A stop that was asked for before stays asked for.
            begun = RunState.RUNNING if run.state is RunState.REQUESTED else run.state
            return replace(run, state=begun, claimed=True)
        case e.StopRequested():
            return run if run.over else replace(run, state=RunState.STOPPING)
        case e.CommandUnknown(why=why):
            return replace(run, state=RunState.UNKNOWN, why=why)
        case e.CommandFinished(how=how, exit_status=status) as end:
            state = {
                "done": RunState.DONE,
                "never started": RunState.NEVER_STARTED,
            }.get(how, RunState.STOPPED)
            return replace(
                run,
                state=state,
                exit_status=status,
                seconds=end.seconds,
                size=end.size,
                truncated=end.truncated,
                tail=end.tail,
                why="timeout" if how == "timeout" else end.why,
            )
        case _:
            return run


_CLOCKS = {
    e.IncidentStarted: "started",
    e.IncidentDeclared: "detected",
    e.IncidentAcknowledged: "acknowledged",
    e.IncidentMitigated: "mitigated",
    e.IncidentResolved: "resolved",
}


def _correct(incident: Incident, correction: e.TimeCorrected) -> Incident:
    """Moves an entry and, where it set one of the incident's times, that time with it."""
    changes: dict[str, datetime] = {}
    entries = []
    for entry in incident.entries:
        if entry.record.seq == correction.seq:
            name = _CLOCKS.get(type(entry.record.event))
            if name and getattr(incident, name) == entry.at:
                changes[name] = correction.at
            entries.append(replace(entry, at=correction.at))
        else:
            entries.append(entry)
    changed = replace(incident, entries=tuple(entries))
    return replace(
        changed,
        started=changes.get("started", changed.started),
        detected=changes.get("detected", changed.detected),
        acknowledged=changes.get("acknowledged", changed.acknowledged),
        mitigated=changes.get("mitigated", changed.mitigated),
        resolved=changes.get("resolved", changed.resolved),
    )
