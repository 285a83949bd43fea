"""What is due when: who must be told, who must be called, by the rules of the handbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from cockpit.clock import Moment, between
from cockpit.incident import events as e
from cockpit.incident.events import Record, Severity
from cockpit.text import Safe
from cockpit.words import in_words

if TYPE_CHECKING:
    from cockpit.incident.incident import Incident

MINUTE = 60.0
HOUR = 3600.0
REACHED = "reached"
_MORNING = time(9)
_NO_ATTEMPT = frozenset({"prerequisites", "symptoms", "diagnosis", "verification"})


@dataclass(frozen=True, slots=True)
class Pace:
    """What a severity asks for, in seconds.

    respond: until somebody works on it; None by the next business day. update: from one update to
    the next; None when something changes. escalate: until more people are called where recovery has
    not worked; None never by itself. about: what the handbook says of the severity.
    """

    respond: float | None
    update: float | None = None
    escalate: float | None = None
    about: Safe = Safe("")


PACES: Mapping[Severity, Pace] = MappingProxyType(
    {
        Severity.P0: Pace(0.0, 15 * MINUTE, 15 * MINUTE),
        Severity.P1: Pace(15 * MINUTE, 30 * MINUTE, 30 * MINUTE),
        Severity.P2: Pace(HOUR),
        Severity.P3: Pace(None),
    }
)
"""Where the handbook says nothing else."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The times that a handbook sets, in seconds.

    acknowledge: for every alert. ladder: until a level answers, by its number; a level without one
    has `LADDER`. top_level is called after `top_after` of a P0. breath: before the first action.
    """

    acknowledge: float = 5 * MINUTE
    paces: Mapping[Severity, Pace] = field(default_factory=lambda: PACES)
    ladder: Mapping[int, float] = field(default_factory=dict)
    top_level: int = 4
    top_after: float = 2 * HOUR
    breath: float = 30.0

    def answers_within(self, level: int) -> float:
        """Seconds in which a level of the ladder promises to answer."""
        return self.ladder.get(level, LADDER.get(level, HOUR))

    def pace(self, severity: Severity) -> Pace:
        """What that severity asks for."""
        return self.paces.get(severity, PACES[severity])


LADDER: Mapping[int, float] = MappingProxyType(
    {1: 15 * MINUTE, 2: 15 * MINUTE, 3: 30 * MINUTE, 4: HOUR}
)


# What the clocks run from


@dataclass(frozen=True, slots=True)
class Recorded(Moment):
    """When the record `seq` of the journal was written, on all clocks."""

    seq: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """Others were told. promised: seconds from then to the next one, where it names a time."""

    at: Recorded
    promised: float | None


@dataclass(frozen=True, slots=True)
class Unsent:
    """What others are told in messages of which none has been sent yet.

    promised: as in `Update`. update: whether it answers the clock. messages: by their ids, of those
    whose text people read.
    """

    at: Recorded
    promised: float | None
    update: bool
    messages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody was called; level and how are as in EscalationNoted, within in seconds."""

    at: Recorded
    level: int
    how: str
    within: float


@dataclass(frozen=True, slots=True)
class Snooze:
    """A clock is not spoken of for some seconds."""

    at: Recorded
    seconds: float


_NONE_SNOOZED: Mapping[str, Snooze] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Times:
    """When what the clocks run from happened, on all clocks; None while it has not.

    graded: the present severity was given. acted: somebody began to work on it. tried: the first
    attempt at recovery, since it was reopened where it was. told: others were told anything at all:
    by hand, or in a message that was sent. unsent, calls: oldest first. snoozed: by the name of the
    clock; what answers a clock ends its snooze.
    """

    training: bool = False
    severity: Severity | None = None
    started: Recorded | None = None
    declared: Recorded | None = None
    graded: Recorded | None = None
    acknowledged: Recorded | None = None
    acted: Recorded | None = None
    tried: Recorded | None = None
    mitigated: Recorded | None = None
    resolved: Recorded | None = None
    reopened: Recorded | None = None
    told: Recorded | None = None
    updated: Update | None = None
    unsent: tuple[Unsent, ...] = ()
    calls: tuple[Call, ...] = ()
    snoozed: Mapping[str, Snooze] = field(default_factory=lambda: _NONE_SNOOZED)

    @property
    def severe_since(self) -> Recorded | None:
        """Since when it is as bad as it is, without a break: from when it was opened again, else
        from its start, where it was never given otherwise."""
        since = self.graded or self.started
        if self.graded and self.declared and self.graded.seq == self.declared.seq:
            since = self.started
        again = self.reopened and since and self.reopened.seq > since.seq
        return self.reopened if again else since

    @property
    def made(self) -> tuple[Call, ...]:
        """The calls that count: those since it was opened again, where it was."""
        return tuple(call for call in self.calls if _still(self, call.at))

    @property
    def unanswered(self) -> Call | None:
        """The first call to the highest level that nobody has answered since; None where all is
        answered, or the incident was reopened after it."""
        return self.waited_for(lambda call: (call.level,))

    def waited_for(self, rank: Callable[[Call], tuple[int, ...]]) -> Call | None:
        """As `unanswered`, of the level that has the highest rank."""
        waiting: Call | None = None
        for call in self.made:
            if call.level and call.how == REACHED:
                waiting = None
            elif call.level and (waiting is None or rank(call) > rank(waiting)):
                waiting = call
        return waiting


def after(times: Times, record: Record) -> Times:
    """The times after one more record; the same object where it changes none of them."""
    at = Recorded(record.ts, record.mono, record.boot, seq=record.seq)
    match record.event:
        case e.IncidentStarted(training=training):
            return replace(times, started=at, training=training)
        case e.IncidentDeclared(severity=severity):
            times = _graded(times, severity, at)
            return times if times.declared else replace(times, declared=at)
        case e.SeverityChanged(severity=severity):
            return _graded(times, severity, at)
        case e.IncidentAcknowledged() if times.acknowledged is None:
            return _answered(replace(times, acknowledged=at), "acknowledge", "respond")
        case e.IncidentMitigated() if times.mitigated is None:
            return replace(_acted(times, at), mitigated=at)
        case e.IncidentResolved():
            return replace(times, resolved=at)
        case e.IncidentReopened():
            return replace(
                times,
                resolved=None,
                mitigated=None,
                tried=None,
                reopened=at,
                snoozed=_NONE_SNOOZED,
            )
        case e.UpdateSent(about=about, next_at=next_at, to=to):
            promised = (next_at - record.ts).total_seconds() if next_at else None
            said = Unsent(at, promised, about == "update" or next_at is not None)
            times = _acted(times, at)
            if not to or times.training:
                return _told(times, said)
            return replace(times, unsent=(*times.unsent, said))
        case e.MessageQueued(message=message, signal=False) if times.unsent:
            # They follow what they tell, with nothing in between.
            last = times.unsent[-1]
            last = replace(last, messages=last.messages | {message})
            return replace(times, unsent=(*times.unsent[:-1], last))
        case e.MessageSent(message=message):
            sent = next((one for one in times.unsent if message in one.messages), None)
            return _told(times, sent) if sent else times
        case e.EscalationNoted(level=level, how=how, within=within):
            calls = (*times.calls, Call(at, level, how, within))
            called = replace(_acted(times, at), calls=calls)
            return _answered(called, "escalate", "ladder", "top level")
        case e.Snoozed(what=what, seconds=seconds):
            return replace(times, snoozed={**times.snoozed, what: Snooze(at, seconds)})
        case e.CommandRequested(risk=risk, phase=phase):
            return _ran(times, at, risk, phase)
        case e.RolloutStarted() | e.StepDone() | e.StepSkipped() | e.StepFailed() | e.NoteAdded():
            return _acted(times, at)
        case e.TimeCorrected(seq=seq, at=really):
            return _corrected(times, seq, really, at)
        case _:
            return times


def _graded(times: Times, severity: Severity, at: Recorded) -> Times:
    if severity is times.severity:
        return times
    return replace(times, severity=severity, graded=at, snoozed=_NONE_SNOOZED)


def _acted(times: Times, at: Recorded) -> Times:
    return times if times.acted else _answered(replace(times, acted=at), "respond")


def _told(times: Times, said: Unsent) -> Times:
    """Others know it, from when it was written; what was written before is of no use any more."""
    left = tuple(
        one for one in times.unsent if one.at.seq > said.at.seq or (one.update and not said.update)
    )
    times = replace(times, told=times.told or said.at, unsent=left)
    newer = times.updated and times.updated.at.seq > said.at.seq
    if not said.update or newer:
        return times
    return _answered(replace(times, updated=Update(said.at, said.promised)), "update")


def _ran(times: Times, at: Recorded, risk: str, phase: str) -> Times:
    """A command that changes something is an attempt, unless its author only looks with it."""
    times = _acted(times, at)
    attempt = phase in ("recovery", "rollback") or (risk != "read" and phase not in _NO_ATTEMPT)
    return replace(times, tried=at) if attempt and times.tried is None else times


def _answered(times: Times, *names: str) -> Times:
    if times.snoozed.keys().isdisjoint(names):
        return times
    left = {name: one for name, one in times.snoozed.items() if name not in names}
    return replace(times, snoozed=left)


def _corrected(times: Times, seq: int, really: datetime, said: Recorded) -> Times:
    """The times with that of one record put right.

    A person names a time by the clock as it goes when they say it, which may have been set since
    the record was written: so it is counted back from there.
    """

    def right(mark: Recorded) -> Recorded:
        ago = (said.ts - really).total_seconds()
        return replace(mark, back=ago - between(replace(mark, back=0.0), said))

    changes: dict[str, object] = {}
    for one in fields(times):
        value = getattr(times, one.name)
        if isinstance(value, Recorded) and value.seq == seq:
            changes[one.name] = right(value)
    if times.updated and times.updated.at.seq == seq:
        changes["updated"] = replace(times.updated, at=right(times.updated.at))
    if any(one.at.seq == seq for one in times.unsent):
        changes["unsent"] = tuple(
            replace(one, at=right(one.at)) if one.at.seq == seq else one for one in times.unsent
        )
    if any(call.at.seq == seq for call in times.calls):
        changes["calls"] = tuple(
            replace(call, at=right(call.at)) if call.at.seq == seq else call for call in times.calls
        )
    return replace(times, **changes) if changes else times  # type: ignore[arg-type]


# What is due


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is to be done by a time.

    name: of the clock, which never changes; short: as a line has room for it. at: UTC, by the clock
    as it goes now. left: seconds until then, negative once it is overdue. key: the id of the
    binding that answers it. quiet: seconds for which the responder has put it off.
    """

    name: str
    short: Safe
    words: Safe
    at: datetime
    left: float
    key: str
    quiet: float = 0.0

    @property
    def late(self) -> bool:
        """Overdue, and not put off."""
        return self.left <= 0 and not self.quiet


@dataclass(frozen=True, slots=True)
class _Clock:
    """A clock that runs: since when, for how many seconds."""

    name: str
    short: str
    words: str
    key: str
    since: Moment
    seconds: float


_ACKNOWLEDGE, _UPDATE, _ESCALATE = "incident.acknowledge", "incident.update", "incident.escalate"
_OUTBOX, _RUNBOOK = "incident.outbox", "pane.runbook"


def due(incident: Incident, rules: Rules, now: Moment, zone: str) -> tuple[Due, ...]:
    """All that is due, the longest overdue first, then the soonest; what is put off among it.

    zone: where business days begin. Works from `Incident.times` alone, so it costs the same however
    much has happened.
    """
    times = incident.times
    if times.started is None or times.resolved is not None:
        return ()
    running = (
        _breath(times, rules, now),
        _acknowledge(times, rules),
        _respond(times, rules, zone),
        _update(times, rules, now),
        _escalate(times, rules),
        _ladder(times, rules),
        _top_level(times, rules),
    )
    found = [_read(clock, times, now) for clock in running if clock is not None]
    return tuple(sorted(found, key=lambda one: one.left))


def _read(clock: _Clock, times: Times, now: Moment) -> Due:
    left = clock.seconds - between(clock.since, now)
    at = now.ts + timedelta(seconds=left)
    planned = clock.since.ts + timedelta(seconds=clock.seconds - clock.since.back)
    if abs((at - planned).total_seconds()) < 2:
        at = planned  # the same at every look, as the wall clock was not set meanwhile
    quiet = 0.0
    if clock.name in times.snoozed:
        snooze = times.snoozed[clock.name]
        quiet = max(0.0, snooze.seconds - between(snooze.at, now))
    return Due(clock.name, Safe(clock.short), Safe(clock.words), at, left, clock.key, quiet)


def _breath(times: Times, rules: Rules, now: Moment) -> _Clock | None:
    if times.started is None or times.acted or between(times.started, now) >= rules.breath:
        return None
    words = f"Take {rules.breath:.0f} seconds: read the runbook fully before acting."
    return _Clock("breath", "breath", words, _RUNBOOK, times.started, rules.breath)


def _acknowledge(times: Times, rules: Rules) -> _Clock | None:
    if times.started is None or times.acknowledged:
        return None
    words = f"Acknowledge the alert: within {in_words(rules.acknowledge)} of its start."
    return _Clock(
        "acknowledge", "acknowledge", words, _ACKNOWLEDGE, times.started, rules.acknowledge
    )


def _respond(times: Times, rules: Rules, zone: str) -> _Clock | None:
    since = times.severe_since
    if times.severity is None or since is None or times.acted:
        return None
    level = times.severity.value
    seconds = rules.pace(times.severity).respond
    if seconds is None:
        really = since.ts - timedelta(seconds=since.back)
        seconds = (_next_morning(really, zone) - really).total_seconds()
        words = f"Begin to work on it: a {level} by 09:00 {zone} of the next business day."
        return _Clock("respond", "response", words, _RUNBOOK, since, seconds)
    if seconds:
        words = f"Begin to work on it: a {level} within {in_words(seconds)}."
        return _Clock("respond", "response", words, _RUNBOOK, since, seconds)
    if times.acknowledged:
        return None
    words = f"Say that you have it: a {level} wants somebody at once."
    # Not before the breath that the handbook itself wants.
    return _Clock("respond", "response", words, _ACKNOWLEDGE, since, rules.breath)


def _update(times: Times, rules: Rules, now: Moment) -> _Clock | None:
    """The next update: as the last one promised, else by the pace of the severity.

    A change of severity begins its pace anew, and takes back no promise. What nobody has got yet
    changes nothing.
    """
    clocks: list[_Clock] = []
    told = times.updated
    if told is not None and told.promised is not None and _still(times, told.at):
        words = "Tell others how it stands: your last message promised it."
        # A promise names a time of day: when it was really given does not move it.
        seconds = told.promised + told.at.back
        clocks.append(_Clock("update", "update", words, _UPDATE, told.at, seconds))
    pace = rules.pace(times.severity).update if times.severity else None
    if pace is not None:
        since = _newest(times.graded, times.reopened, told.at if told else None)
        if since is not None and not (clocks and told and since.seq == told.at.seq):
            words = f"Tell others how it stands: every {in_words(pace)}, also with nothing new."
            clocks.append(_Clock("update", "update", words, _UPDATE, since, pace))
    first = min(clocks, key=lambda one: one.seconds - between(one.since, now), default=None)
    unsent = [one for one in times.unsent if one.update and one.messages and _still(times, one.at)]
    if first is None or not unsent:
        return first
    last = unsent[-1].at
    written = last.ts - timedelta(seconds=last.back)
    words = f"Tell others: your message of {written:%H:%M} UTC has not been sent yet."
    return replace(first, words=words, key=_OUTBOX)


def _escalate(times: Times, rules: Rules) -> _Clock | None:
    if times.severity is None or times.mitigated or times.unanswered:
        return None
    pace = rules.pace(times.severity).escalate
    calls = times.made
    highest = max((call.level for call in calls), default=0)
    if pace is None or highest >= rules.top_level:
        return None
    tried = times.tried or _newest(times.graded, times.reopened)
    since = _newest(tried, calls[-1].at if calls else None)
    if since is None:
        return None
    if calls:
        words = f"Not better {in_words(pace)} after you called: consider the next level."
    elif times.tried:
        words = f"Consider escalating: recovery has not worked for {in_words(pace)}."
    else:
        words = f"Consider escalating: nothing has helped for {in_words(pace)}."
    return _Clock("escalate", "escalation", words, _ESCALATE, since, pace)


def _ladder(times: Times, rules: Rules) -> _Clock | None:
    call = times.unanswered
    if call is None or times.mitigated:
        return None
    seconds = call.within or rules.answers_within(call.level)
    following = call.level + 1
    then = f"call level {following}" if following <= rules.top_level else "call them all again"
    words = f"Level {call.level} promises to answer within {in_words(seconds)}; if not, {then}."
    return _Clock("ladder", f"level {call.level} answer", words, _ESCALATE, call.at, seconds)


def _top_level(times: Times, rules: Rules) -> _Clock | None:
    since = times.severe_since
    if times.severity is not Severity.P0 or since is None or times.mitigated:
        return None
    if any(call.level >= rules.top_level for call in times.made):
        return None
    top = rules.top_level
    words = (
        f"Call level {top}: a P0 that lasts longer than {in_words(rules.top_after)} is for them."
    )
    return _Clock("top level", f"level {top} call", words, _ESCALATE, since, rules.top_after)


def _newest(*marks: Recorded | None) -> Recorded | None:
    return max((mark for mark in marks if mark), key=lambda mark: mark.seq, default=None)


def _still(times: Times, mark: Recorded) -> bool:
    """Whether it counts: it was not before the incident was reopened."""
    return times.reopened is None or mark.seq > times.reopened.seq


def _next_morning(then: datetime, zone: str) -> datetime:
    """When the next business day begins there, in UTC: at night that of the same date."""
    from zoneinfo import ZoneInfo

    place = ZoneInfo(zone)
    local = then.astimezone(place)
    day = local.date() if local.time() < _MORNING else local.date() + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return datetime.combine(day, _MORNING, place).astimezone(UTC)
