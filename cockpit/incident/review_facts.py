"""What the journal itself says went well in an incident, and what went badly.

Sentences about times, commands, links and messages: what people did not have to write down.
Commands stand between backticks, as on the timeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from cockpit.incident import events as e
from cockpit.incident.clocks import REACHED, Pace, Rules
from cockpit.incident.incident import Incident, Mark, Run, RunState
from cockpit.incident.outgoing import Way
from cockpit.incident.rollouts import counted, standings
from cockpit.incident.timeline import beginning, only_mitigated, outcome
from cockpit.text import Safe, clean_line
from cockpit.words import duration, in_words, many

AT_ONCE = timedelta(seconds=1)
_MENDING = ("recovery", "rollback", "")


def well(incident: Incident, rules: Rules) -> tuple[Safe, ...]:
    """What went as it should."""
    return tuple(clean_line(one) for one in _well(incident, rules))


def badly(incident: Incident, rules: Rules) -> tuple[Safe, ...]:
    """What did not."""
    return tuple(clean_line(one) for one in _badly(incident, rules))


def to_acknowledge(incident: Incident) -> timedelta | None:
    """From started to acknowledged; None where that is not known.

    Who acknowledges with the first key begins the incident with it: when the alert came is not
    known then, until somebody corrects the time of the start.
    """
    waited = _span(incident.started, incident.acknowledged)
    if waited is None or waited < AT_ONCE.total_seconds():
        return None
    return timedelta(seconds=waited)


def _well(incident: Incident, rules: Rules) -> Iterator[str]:
    waited = to_acknowledge(incident)
    if waited is not None and waited.total_seconds() <= rules.acknowledge:
        yield f"Acknowledged after {duration(waited)}."
    if _first_change(incident) is not None and not _mended_blindly(incident):
        yield "It was diagnosed before anything was changed."
    saved = [entry for entry in incident.entries if isinstance(entry.record.event, e.EvidenceSaved)]
    if saved:
        yield f"Logs and state were saved as evidence: {many(len(saved), 'file')}."
    if incident.last_change and incident.verified:
        yield "A verification passed after the last change."
    pace, silence = _pace(incident, rules), _silence(incident)
    arrived = all(one.way is Way.SENT for one in incident.outbox.values())
    if pace and pace.update and arrived and silence is not None and silence <= pace.update * 1.1:
        yield f"Others were told at least every {in_words(pace.update)}."


def _badly(incident: Incident, rules: Rules) -> Iterator[str]:
    waited = to_acknowledge(incident)
    if incident.acknowledged is None:
        yield "Nobody acknowledged it."
    elif waited is not None and waited.total_seconds() > rules.acknowledge:
        yield f"Acknowledged after {duration(waited)}; {in_words(rules.acknowledge)} is the limit."
    if _mended_blindly(incident):
        reasons = [run.asked.reason for run in incident.runs.values() if run.asked.reason]
        why = f" The reason given: {reasons[0]}" if reasons else ""
        yield f"Something was changed before any diagnosis.{why}"
    if incident.resolution and incident.resolution.unverified:
        yield f"Resolved without a passed verification: {incident.resolution.unverified}"
    for entry in incident.entries:
        event = entry.record.event
        if isinstance(event, e.IncidentReopened):
            how = "Not mitigated after all" if only_mitigated(event, incident) else "Opened again"
            yield f"{how} at {entry.at:%H:%M} UTC: {event.reason or 'no reason given'}"
    yield from _failed(incident)
    yield from _links(incident)
    pace, silence = _pace(incident, rules), _silence(incident)
    if pace and pace.update and silence is not None and silence > pace.update * 1.1:
        yield (
            f"The longest time without an update was {duration(silence)};"
            f" {in_words(pace.update)} is the limit for a {incident.severity}."
        )
    for one in incident.outbox.values():
        if one.way is not Way.SENT:
            about = f"The message to {one.queued.to} ({one.queued.about})"
            # What is left may still go: the document is written as the incident is resolved.
            never = "was not sent when this was written" if one.open else "was never sent"
            yield f"{about} {never}: {one.way.value}" + (f", {one.why}" if one.why else "")
    for entry in incident.entries:
        event = entry.record.event
        if isinstance(event, e.EscalationNoted) and event.how and event.how != REACHED:
            yield f"{event.who} was called at {entry.at:%H:%M} UTC: {event.how}."
        if isinstance(event, e.EvidenceMissed):
            yield f"Could not save {event.what}: {event.why}"
        if isinstance(event, e.PitfallTold):
            yield f"cockpit had to remind of this at {entry.at:%H:%M} UTC: {event.text}"
        if isinstance(event, e.ChecksKnown) and event.wrong:
            yield f"The check before the shift had said it: {'; '.join(event.wrong)}"


def failed_runs(incident: Incident) -> tuple[Run, ...]:
    """Commands that were to mend or to verify, and failed; or nobody knows how they ended.

    One that worked when it was run again is not among them.
    """
    newest: dict[tuple[str, str], Run] = {}
    for run in incident.runs.values():
        if not run.asked.rollout:
            newest[run.asked.command, run.asked.host] = run
    return tuple(run for run in newest.values() if _matters(run) and _bad(run))


def _matters(run: Run) -> bool:
    mends = run.asked.phase in _MENDING and run.asked.risk != "read"
    return mends or run.asked.phase in ("recovery", "rollback", "verification")


def _bad(run: Run) -> bool:
    if run.state is RunState.DONE:
        return run.exit_status != 0
    return run.state is RunState.UNKNOWN or (run.state is RunState.STOPPED and run.why == "timeout")


def ending(run: Run) -> str:
    """How a run that failed ended."""
    if run.state is RunState.UNKNOWN:
        return f"nobody knows whether it ran: {run.why}"
    return outcome(run.why or run.state.value, run.exit_status)


def _failed(incident: Incident) -> Iterator[str]:
    for run in failed_runs(incident):
        yield f"`{beginning(run.asked.command)}` on {run.asked.host}: {ending(run)}."
    for rolled in incident.rollouts.values():
        states = standings(incident, rolled.asked.rollout)
        if any(state.stand.bad for state in states):
            command = beginning(rolled.asked.command)
            yield f"`{command}` on {rolled.asked.label}: {counted(states)}."
    for state in incident.steps.values():
        if state.mark is Mark.FAILED:
            yield f"A step failed: {state.title}" + (f" ({state.reason})" if state.reason else "")


def _links(incident: Incident) -> Iterator[str]:
    away: dict[str, float] = {}
    for entry in incident.entries:
        event = entry.record.event
        if isinstance(event, e.LinkChanged) and event.away:
            away[event.host] = away.get(event.host, 0.0) + event.away
    for host, seconds in away.items():
        yield f"The link to {host} was lost for {duration(seconds)} in all."


def _first_change(incident: Incident) -> int | None:
    """seq of the first command that was to mend something by changing it."""
    changes = [
        run.seq
        for run in incident.runs.values()
        if run.asked.risk != "read" and run.asked.phase in _MENDING and run.claimed
    ]
    return min(changes, default=None)


def _mended_blindly(incident: Incident) -> bool:
    change = _first_change(incident)
    looked = [
        run.seq
        for run in incident.runs.values()
        if run.asked.phase in ("diagnosis", "symptoms") and run.over
    ]
    looked += [
        entry.record.seq
        for entry in incident.entries
        if isinstance(entry.record.event, e.StepDone) and entry.record.event.phase == "diagnosis"
    ]
    return change is not None and (not looked or min(looked) > change)


def _pace(incident: Incident, rules: Rules) -> Pace | None:
    return rules.pace(incident.severity) if incident.severity else None


def _silence(incident: Incident) -> float | None:
    """The longest time in seconds in which nobody was told; None where it is not over yet."""
    start, end = incident.detected or incident.started, incident.hurt_until
    if start is None or end is None or end < start:
        return None
    told = [at for at in _told(incident) if start <= at <= end]
    points = [start, *told, end]
    return max((b - a).total_seconds() for a, b in pairwise(points))


def _told(incident: Incident) -> list[datetime]:
    return sorted(
        entry.at for entry in incident.entries if isinstance(entry.record.event, e.UpdateSent)
    )


def _span(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds; None where either is not known, or they stand in the wrong order."""
    if start is None or end is None or end < start:
        return None
    return (end - start) / timedelta(seconds=1)
