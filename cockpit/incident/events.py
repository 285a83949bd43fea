"""Every event of an incident, one frozen struct each: a fact, in the past tense.

The journal adds the envelope (`Record`). Fields that hold text of a person or a machine, commands
too, are redacted before they get here: a job is asked for by its id, never sent from a journal.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

SCHEMA = 1


class Severity(StrEnum):
    """How bad: P0 to P3, which others call SEV1 to SEV4."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all events share: nothing but their tag, which is `kind` on disk.

    On disk an event's fields lie beside those of its envelope, so one that has the name of an
    envelope field (`Record`) goes by another name there.
    """


class StepRef(msgspec.Struct, frozen=True):
    """A step of a runbook: the file's path and the step's id in it."""

    runbook: str
    step: str


class JournalOpened(Event, tag="journal.opened", frozen=True):
    """First record of every journal; `salt` keys the redaction marks of this incident."""

    schema: int
    incident: str
    salt: str
    version: str


class Recovered(Event, tag="recovered", frozen=True):
    """A torn tail of `lost` bytes was found and fenced off; nothing before it was touched."""

    lost: int


class SegmentOpened(Event, tag="segment.opened", frozen=True):
    """The journal goes on in this file since the one before could not be trusted any more."""

    why: str
    previous: str


class IncidentStarted(Event, tag="incident.started", frozen=True):
    """cockpit was opened on trouble: the clock of the incident runs from here."""

    training: bool = False


class IncidentDeclared(Event, tag="incident.declared", frozen=True):
    """The responder said what it is and how bad; again to correct it."""

    title: str
    severity: Severity
    service: str = ""


class IncidentAcknowledged(Event, tag="incident.acknowledged", frozen=True):
    """Somebody has it."""


class SeverityChanged(Event, tag="severity.changed", frozen=True):
    """Better or worse than thought."""

    severity: Severity
    reason: str = ""


class IncidentMitigated(Event, tag="incident.mitigated", frozen=True):
    """Users are no longer hurt; the cause may still be there."""

    note: str = ""


class IncidentResolved(Event, tag="incident.resolved", frozen=True):
    """Over. unverified: the reason where no verification passed after the last change."""

    cause: str
    fix: str
    follow_up: str = ""
    unverified: str = ""


class IncidentReopened(Event, tag="incident.reopened", frozen=True):
    """It was not over."""

    reason: str


class NoteAdded(Event, tag="note.added", frozen=True):
    """The responder wrote something down; source says where a quoted line comes from.

    log, host, written: of a line of a log, its name, where it is, and when it was written.
    """

    text: str
    source: str = ""
    log: str = ""
    host: str = ""
    written: datetime | None = None


class EscalationNoted(Event, tag="escalation.noted", frozen=True):
    """Somebody else was called.

    level: of the ladder; 0 for somebody who is not on it, such as a vendor. how: reached,
    no answer, left message; empty where it was not said. within: seconds in which an answer is
    promised. criteria: what spoke for it.
    """

    who: str = msgspec.field(name="called")
    reason: str = ""
    level: int = 0
    how: str = ""
    within: float = 0.0
    criteria: tuple[str, ...] = ()


class UpdateSent(Event, tag="update.noted", frozen=True):
    """Others are told this: through the outbox to each of `to`, else by the responder's own hand.

    about: acknowledged, update, escalation, resolved. next_at: when it promises the next one.
    """

    text: str
    about: str = "update"
    next_at: datetime | None = None
    to: tuple[str, ...] = ()


class MessageQueued(Event, tag="message.queued", frozen=True):
    """A message waits to be sent to one destination of the outbox.

    message: its id, which stays the same over all attempts. signal: it changes a state there, and
    its text reaches nobody. The rest is for destinations that want it apart from the text.
    """

    message: str
    to: str
    about: str
    text: str
    title: str = ""
    severity: str = ""
    service: str = ""
    signal: bool = False


class MessageAttempted(Event, tag="message.attempted", frozen=True):
    """It is about to be sent; on disk before a byte leaves. duplicate: it says that it may be."""

    message: str
    attempt: int
    duplicate: bool = False


class MessageSent(Event, tag="message.sent", frozen=True):
    """The destination took it."""

    message: str


class MessageFailed(Event, tag="message.failed", frozen=True):
    """An attempt did not go well.

    ambiguous: it may have arrived all the same. wait: seconds that the destination asked for.
    final: it is not tried again, as the destination will never take it.
    """

    message: str
    why: str
    ambiguous: bool = False
    wait: float = 0.0
    final: bool = False


class MessageReleased(Event, tag="message.released", frozen=True):
    """The responder said that a message that is out of date goes all the same, or again."""

    message: str


class MessageCancelled(Event, tag="message.cancelled", frozen=True):
    """It is not sent any more."""

    message: str
    why: str = ""


class Snoozed(Event, tag="clock.snoozed", frozen=True):
    """What is due is not said for so many seconds. what: the name of the clock."""

    what: str
    seconds: float
    reason: str


class PitfallTold(Event, tag="pitfall.told", frozen=True):
    """The responder was told of a known mistake at the moment where it is made; once."""

    name: str
    text: str


class ThresholdCrossed(Event, tag="threshold.crossed", frozen=True):
    """A limit of cockpit.yaml was crossed, or something ended; back: it is well again.

    words: as it is told. others: more containers that the same words tell of.
    """

    host: str
    what: str
    words: str
    container: str = ""
    back: bool = False
    others: tuple[str, ...] = ()


class ChecksKnown(Event, tag="checks.known", frozen=True):
    """How the last check before the shift ended: ready, degraded, not ready. wrong: in words."""

    at: datetime
    outcome: str
    wrong: tuple[str, ...] = ()


class ShiftStarted(Event, tag="shift.started", frozen=True):
    """Somebody carries the phone from here on. until: when they mean to hand it over."""

    until: datetime | None = None


class ChecklistOpened(Event, tag="checklist.opened", frozen=True):
    """A checklist of the handbook is to be gone through. occasion: as in the handbook's model."""

    title: str
    occasion: str
    items: tuple[str, ...]


class ItemTicked(Event, tag="item.ticked", frozen=True):
    """An item of a checklist is done. title and occasion: as it was opened."""

    title: str
    occasion: str
    item: str


class ShiftHandedOff(Event, tag="shift.handed-off", frozen=True):
    """What the next one must know, in the words of the one who goes.

    temporary: what was mended for now only. put_back: what was stopped, raised or turned off.
    document: the file beside the journal in which it stands.
    """

    to: str = ""
    temporary: tuple[str, ...] = ()
    put_back: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    lessons: tuple[str, ...] = ()
    document: str = ""


class ShiftReceived(Event, tag="shift.received", frozen=True):
    """The next one has it, and says so in words of their own."""

    by: str
    words: str


class HandoffTaken(Event, tag="handoff.taken", frozen=True):
    """What was handed off on another machine is taken over; document: the file that was read."""

    words: str
    document: str


class HostChosen(Event, tag="host.chosen", frozen=True):
    """Commands run here from now on."""

    host: str


class LinkChanged(Event, tag="link.changed", frozen=True):
    """The connection to a host came or went. away: seconds without it, where it came back."""

    host: str
    state: str
    reason: str = ""
    away: float = 0.0


class ClockSkewed(Event, tag="clock.skewed", frozen=True):
    """The clock of a host is `seconds` ahead of this machine's; behind where negative."""

    host: str
    seconds: float


class RunbookOpened(Event, tag="runbook.opened", frozen=True):
    """This runbook is followed from now on."""

    path: str
    title: str
    sha256: str


class StepDone(Event, tag="step.done", frozen=True):
    """The responder ticked a step. despite: the commands of it that failed, in words."""

    step: StepRef
    title: str
    phase: str = ""
    despite: str = ""


class StepReopened(Event, tag="step.reopened", frozen=True):
    """The tick, skip or failure of a step was taken back."""

    step: StepRef
    title: str
    phase: str = ""


class StepSkipped(Event, tag="step.skipped", frozen=True):
    """The responder chose not to do a step."""

    step: StepRef
    title: str
    reason: str


class StepFailed(Event, tag="step.failed", frozen=True):
    """The step did not do what it should."""

    step: StepRef
    title: str
    reason: str = ""
    phase: str = ""


class CommandPrepared(Event, tag="command.prepared", frozen=True):
    """It could not be sent, and waits for the responder's word; nothing sends it by itself."""

    command: str
    host: str
    step: StepRef | None = None
    command_id: str = ""


class PreparedDropped(Event, tag="command.dropped", frozen=True):
    """What was prepared is no longer wanted."""

    host: str
    step: StepRef | None = None
    command_id: str = ""


class RolloutStarted(Event, tag="rollout.started", frozen=True):
    """A command passed the gate for many hosts: the first one, then `batch` at a time.

    It stops at `stop_after` failures. retries: the rollout whose failures it runs again. left_out:
    hosts of the label that it does not run on. evidence: what was saved first, in words.
    """

    rollout: str
    label: str
    hosts: tuple[str, ...]
    command: str
    risk: str
    gate: str
    batch: int
    stop_after: int
    step: StepRef | None = None
    command_id: str = ""
    retries: str = ""
    left_out: tuple[str, ...] = ()
    evidence: str = ""
    reason: str = ""


class RolloutEnded(Event, tag="rollout.ended", frozen=True):
    """No further host is started. how: in words; going: the hosts where it still runs, or may."""

    rollout: str
    how: str
    failed: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    going: tuple[str, ...] = ()


class CommandRequested(Event, tag="command.requested", frozen=True):
    """A command passed the gate; on disk before a byte is sent.

    job is the id under which the target runs it at most once. root, boot and mark pin where on the
    host its directory is, and in which life of the host. command is what runs, redacted. terminal:
    it runs in the responder's own terminal, not as a job: it ends with the link. after: the job of
    the same runbook whose directory and variables it finds; keeps: it leaves its own. rollout: the
    one that it belongs to.
    """

    job: str
    host: str
    command: str
    risk: str
    gate: str
    root: str
    boot: str = msgspec.field(name="host_boot")
    mark: str = ""
    step: StepRef | None = None
    command_id: str = ""
    phase: str = ""
    user: str = ""
    workdir: str = ""
    reason: str = ""
    evidence: str = ""
    terminal: bool = False
    after: str = ""
    keeps: bool = False
    rollout: str = ""


class CommandClaimed(Event, tag="command.claimed", frozen=True):
    """The host took the job: from here on it is never sent again."""

    job: str


class CommandFinished(Event, tag="command.finished", frozen=True):
    """The host told how it ended. exit_status None: it was stopped before it began.

    seconds: duration as the host saw it. size: bytes of output. tail: the last lines, redacted.
    why: where it never started.
    """

    job: str
    exit_status: int | None
    how: str
    seconds: float
    size: int
    truncated: bool = False
    tail: str = ""
    why: str = ""


class CommandUnknown(Event, tag="command.unknown", frozen=True):
    """Nobody can say whether it ran, or how far. It is never sent again by itself."""

    job: str
    why: str


class StopRequested(Event, tag="command.stop-requested", frozen=True):
    """The responder wants it to end."""

    job: str


class CommandStopped(Event, tag="command.stopped", frozen=True):
    """It was ended: gently or not, and which processes were left over."""

    job: str
    how: str
    left: tuple[int, ...] = ()


class CommandRefused(Event, tag="command.refused", frozen=True):
    """It was never started, and why. rollout: the one that it belongs to."""

    command: str
    host: str
    why: str
    step: StepRef | None = None
    rollout: str = ""


class SessionKept(Event, tag="session.kept", frozen=True):
    """What a command left for the next one of its runbook on that host.

    state is the file on the host that holds it; values of variables never leave the host.
    """

    job: str
    host: str
    runbook: str
    state: str
    directory: str
    variables: tuple[str, ...] = ()


class SessionLost(Event, tag="session.lost", frozen=True):
    """What a command left is not there for the next one; fresh: nor is what was before it."""

    job: str
    host: str
    runbook: str
    why: str
    fresh: bool = False


class ValueGiven(Event, tag="value.given", frozen=True):
    """The responder filled in a placeholder; value is empty where it may not be written down."""

    name: str
    value: str
    runbook: str = ""


class EvidenceSaved(Event, tag="evidence.saved", frozen=True):
    """Something was kept in a file beside the journal. rollout: the one that it was kept for."""

    what: str
    file: str
    size: int
    host: str = ""
    container: str = ""
    rollout: str = ""


class EvidenceMissed(Event, tag="evidence.missed", frozen=True):
    """Something should have been kept, and could not be. rollout: as in EvidenceSaved."""

    what: str
    why: str
    host: str = ""
    container: str = ""
    rollout: str = ""


class TimeCorrected(Event, tag="time.corrected", frozen=True):
    """The record `seq` happened at `at`; what was recorded is kept."""

    seq: int = msgspec.field(name="of")
    at: datetime
    reason: str = ""


class MarkdownSaved(Event, tag="markdown.saved", frozen=True):
    """The incident log was written to a file of the responder's choice."""

    path: str


class CockpitOpened(Event, tag="cockpit.opened", frozen=True):
    """A cockpit took up the incident; resumed says that it was open before."""

    version: str
    resumed: bool = False


class CockpitClosed(Event, tag="cockpit.closed", frozen=True):
    """The responder left; the incident stays as it is."""

    running: int = 0


class Unreadable(Event, tag="unreadable", frozen=True):
    """A record of a kind that this version does not know, kept as it stands. Never written."""

    name: str
    text: str


Known = (
    JournalOpened
    | Recovered
    | SegmentOpened
    | IncidentStarted
    | IncidentDeclared
    | IncidentAcknowledged
    | SeverityChanged
    | IncidentMitigated
    | IncidentResolved
    | IncidentReopened
    | NoteAdded
    | EscalationNoted
    | UpdateSent
    | MessageQueued
    | MessageAttempted
    | MessageSent
    | MessageFailed
    | MessageReleased
    | MessageCancelled
    | Snoozed
    | PitfallTold
    | ThresholdCrossed
    | ChecksKnown
    | ShiftStarted
    | ChecklistOpened
    | ItemTicked
    | ShiftHandedOff
    | ShiftReceived
    | HandoffTaken
    | HostChosen
    | LinkChanged
    | ClockSkewed
    | RunbookOpened
    | StepDone
    | StepReopened
    | StepSkipped
    | StepFailed
    | CommandPrepared
    | PreparedDropped
    | RolloutStarted
    | RolloutEnded
    | CommandRequested
    | CommandClaimed
    | CommandFinished
    | CommandUnknown
    | StopRequested
    | CommandStopped
    | CommandRefused
    | SessionKept
    | SessionLost
    | ValueGiven
    | EvidenceSaved
    | EvidenceMissed
    | TimeCorrected
    | MarkdownSaved
    | CockpitOpened
    | CockpitClosed
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its envelope.

    seq counts from 1 within the incident. id is a ULID. ts is UTC. mono is the writer's monotonic
    clock in seconds, comparable only within one boot. writer tells processes apart, who is the
    person. extra holds what a newer version wrote beside the fields known here, as a JSON object.
    """

    seq: int
    id: str
    ts: datetime
    mono: float
    boot: str
    writer: str
    who: str
    event: Event
    extra: str = ""
