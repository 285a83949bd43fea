"""An event in words: the line that stands on the timeline, on screen and in markdown."""

from __future__ import annotations

from datetime import timedelta

from cockpit.incident import events as e
from cockpit.incident.incident import Incident
from cockpit.text import Safe, clean_line, shortened
from cockpit.words import duration, in_words, many, size, stamp


def outcome(how: str, exit_status: int | None) -> str:
    """How a command ended: `exit 0`, `stopped, exit 143`, `never started`."""
    status = "no exit status" if exit_status is None else f"exit {exit_status}"
    if how == "done":
        return status
    if how == "left":
        return "left with ~."
    if how == "timeout":
        how = "stopped at its time limit"
    return how if exit_status is None else f"{how}, {status}"


def going_on(running: int) -> str:
    """What runs when cockpit is left: `1 command goes on on its host`."""
    if running == 1:
        return "1 command goes on on its host"
    return f"{running} commands go on on their hosts"


def line(event: e.Event, incident: Incident) -> Safe:
    """What happened, in one line. Pure; a kind that is not known says its name."""
    return clean_line(_words(event, incident))


def pinned_from(source: str) -> str:
    """Where lines of a log are from, before them: `Log of web at 14:03:09 UTC`."""
    return source[:1].upper() + source[1:]


def only_mitigated(event: e.IncidentReopened, incident: Incident) -> bool:
    """Whether what was opened again had not been resolved before that."""
    known = {entry.record.seq: entry.record.event for entry in incident.entries}
    here = next((seq for seq, one in known.items() if one is event), 0)
    ends = (e.IncidentResolved, e.IncidentMitigated, e.IncidentReopened)
    ended = [seq for seq, one in known.items() if seq < here and isinstance(one, ends)]
    return bool(ended) and isinstance(known[max(ended)], e.IncidentMitigated)


def _until(event: e.Snoozed, incident: Incident) -> str:
    """Until when, as the dialog said it: the seconds are more than were chosen before it is due."""
    for entry in reversed(incident.entries):
        if entry.record.event is event:
            at = entry.record.ts
            end = at + timedelta(seconds=event.seconds)
            return (
                f"until {end:%H:%M} UTC" if end.date() == at.date() else f"until {stamp(end)} UTC"
            )
    return f"for {in_words(event.seconds)}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _command(incident: Incident, job: str) -> str:
    """A command where it is named again: its beginning is enough."""
    run = incident.runs.get(job)
    if run is None:
        return f"job {job}"
    return f"`{beginning(run.asked.command)}` on {run.asked.host}"


def _some(names: tuple[str, ...]) -> str:
    """Hosts by name, as long as that can be read."""
    return ", ".join(names) if len(names) <= 6 else f"{many(len(names), 'host')}, {names[0]} first"


def beginning(command: str) -> str:
    """A command by its first words."""
    first = command.strip().split("\n")[0]
    return shortened(first, 48)


def _in_terminal(incident: Incident, job: str) -> bool:
    run = incident.runs.get(job)
    return run is not None and run.asked.terminal


def _words(event: e.Event, incident: Incident) -> str:
    match event:
        case e.IncidentStarted(training=training):
            return "Training incident started" if training else "Incident started"
        case e.IncidentDeclared(title=title, severity=severity, service=service):
            return f"Declared {severity}: {title}" + (f" ({service})" if service else "")
        case e.IncidentAcknowledged():
            return "Acknowledged"
        case e.SeverityChanged(severity=severity, reason=reason):
            return f"Severity is now {severity}{_because(reason)}"
        case e.IncidentMitigated(note=note):
            return f"Mitigated{_because(note)}"
        case e.IncidentResolved(cause=cause, fix=fix):
            return f"Resolved. Cause: {cause or 'not known'}. Fix: {fix or 'none noted'}"
        case e.IncidentReopened(reason=reason) if only_mitigated(event, incident):
            return f"Not mitigated after all{_because(reason)}"
        case e.IncidentReopened(reason=reason):
            return f"Reopened{_because(reason)}"
        case e.NoteAdded(text=text, source=source, log=log) if log:
            first, *more = text.splitlines() or [""]
            rest = f" … and {many(len(more), 'more line')}" if more else ""
            return f"{pinned_from(source)}: {first.strip()}{rest}"
        case e.NoteAdded(text=text, source=source):
            parts = [part.strip() for part in text.splitlines()]
            return f"Note: {' / '.join(parts)}" + (f" ({source})" if source else "")
        case e.EscalationNoted(who=who, level=level, how=how, reason=reason):
            rung = f", level {level}" if level else ""
            answer = f": {how}" if how else ""
            return f"Escalated to {who}{rung}{answer}{_because(reason)}"
        case e.UpdateSent(text=text, about=about, to=to):
            named = "Update given" if about == "update" else f"Told others ({about})"
            where = f", for {', '.join(to)}" if to else ""
            return f"{named}{where}: {' '.join(text.split())}"
        case e.Snoozed(what=what, reason=reason):
            return f"Put off {_until(event, incident)}: {_CLOCKS.get(what, what)}{_because(reason)}"
        case e.PitfallTold(text=text):
            return f"Reminded: {text}"
        case e.ThresholdCrossed(words=words):
            return words
        case e.ChecksKnown(at=at, outcome=outcome, wrong=wrong):
            what = f": {'; '.join(wrong)}" if wrong else ""
            return f"Check before the shift, {stamp(at)} UTC: {outcome}{what}"
        case e.MessageSent() | e.MessageFailed() | e.MessageReleased() | e.MessageCancelled():
            return _message_words(event, incident)
        case e.HostChosen(host=host):
            return f"Commands run on {host}"
        case e.LinkChanged(host=host, state=state, reason=reason, away=away):
            back = f" again, after {duration(away)}" if away else ""
            return f"Link to {host} {state}{back}{_because(reason)}"
        case e.ClockSkewed(host=host, seconds=seconds):
            which = "ahead of" if seconds > 0 else "behind"
            return f"The clock of {host} is {duration(abs(seconds))} {which} this machine's"
        case e.RunbookOpened(title=title, path=path):
            return f"Runbook: {title or path}"
        case e.StepDone(title=title, despite=despite):
            return f"Done: {title}" + (f" (although {despite})" if despite else "")
        case e.StepReopened(title=title):
            return f"Not done after all: {title}"
        case e.StepSkipped(title=title, reason=reason):
            return f"Skipped: {title} ({reason})"
        case e.StepFailed(title=title, reason=reason):
            return f"Failed: {title}" + (f" ({reason})" if reason else "")
        case _:
            return _command_words(event, incident)


def _command_words(event: e.Event, incident: Incident) -> str:
    match event:
        case e.CommandRequested() as asked:
            risk = "" if asked.risk == "read" else f" ({asked.risk}, {asked.gate})"
            why = f" Reason: {asked.reason}" if asked.reason else ""
            first, *more = asked.command.strip().split("\n")
            rest = f" and {len(more)} more lines" if more else ""
            if asked.terminal:
                return f"Terminal opened on {asked.host}: `{first}`{rest}{risk}{why}"
            return f"Run on {asked.host}: `{first}`{rest}{risk}{why}"
        case e.CommandPrepared(command=command, host=host):
            return f"Prepared, not sent, for {host}: `{command.strip()}`"
        case e.PreparedDropped(host=host):
            return f"No longer wanted on {host}: what was prepared"
        case e.RolloutStarted() as started:
            risk = "" if started.risk == "read" else f" ({started.risk}, {started.gate})"
            again = "Run again" if started.retries else "Run"
            where = f"{many(len(started.hosts), 'host')} of {started.label}"
            out = f"; left out: {_some(started.left_out)}" if started.left_out else ""
            kept = f". {started.evidence}" if started.evidence else ""
            why = f". Reason: {started.reason}" if started.reason else ""
            return f"{again} on {where}: `{beginning(started.command)}`{risk}{out}{kept}{why}"
        case e.RolloutEnded(rollout=id, how=how, failed=failed, not_run=not_run, going=still):
            rolled = incident.rollouts.get(id)
            if rolled is None:
                return f"Run on many hosts {how}"
            total = len(rolled.asked.hosts)
            worked = total - len(failed) - len(not_run) - len(still)
            bad = f"; failed on {_some(failed)}" if failed else ""
            rest = f"; goes on on {_some(still)}" if still else ""
            rest += f"; not run on {_some(not_run)}" if not_run else ""
            return f"Run on {rolled.asked.label} {how}: ok on {worked} of {total}{bad}{rest}"
        case e.CommandFinished(job=job, how=how, exit_status=status, seconds=seconds, why=why):
            if _in_terminal(incident, job) and how != "never started":
                where = f"Used a terminal on {incident.runs[job].asked.host}"
                said = _command(incident, job).rpartition(" on ")[0]
                return f"{where} for {duration(seconds)}: {said}: {outcome(how, status)}"
            if how == "never started":
                return f"{_command(incident, job)}: never started{_because(why)}"
            ended = f"{outcome(how, status)} after {duration(seconds)}"
            return f"{_command(incident, job)}: {ended}"
        case e.CommandUnknown(job=job, why=why) if _in_terminal(incident, job):
            return f"{_command(incident, job)}, in a terminal: how it ended is not known: {why}"
        case e.CommandUnknown(job=job, why=why):
            return f"{_command(incident, job)}: nobody knows whether it ran: {why}"
        case e.StopRequested(job=job):
            return f"Stop asked for: {_command(incident, job)}"
        case e.CommandStopped(job=job, how=how, left=left):
            rest = f"; still there: {', '.join(map(str, left))}" if left else ""
            said = {
                "gently": "Stopped gently",
                "killed": "Killed, as it did not stop gently",
                "was over": "Not stopped, it was over by then",
                "still running": "Not stopped, as it belongs to another user there",
                "never started": "Stopped before it began",
            }.get(how, f"Stopped {how}")
            return f"{said}: {_command(incident, job)}{rest}"
        case e.CommandRefused(command=command, host=host, why=why):
            return f"Not run on {host}: `{command.strip()}`: {why}"
        case e.SessionLost(host=host, why=why):
            return f"Not carried over on {host}: {why}"
        case e.EvidenceSaved(what=what, file=file, size=count):
            return f"Saved {what} to {file} ({size(count)})"
        case e.EvidenceMissed(what=what, why=why):
            return f"Could not save {what}: {why}"
        case e.TimeCorrected(seq=seq, at=at, reason=reason):
            return f"Time of entry {seq} corrected to {stamp(at)}{_because(reason)}"
        case e.MarkdownSaved(path=path):
            return f"Incident log saved to {path}"
        case e.CockpitOpened(resumed=resumed):
            return "Cockpit taken up again" if resumed else "Cockpit opened"
        case e.CockpitClosed(running=running):
            going = f"; {going_on(running)}" if running else ""
            stays = "" if incident.resolved else "; the incident stays open"
            return f"Cockpit closed{stays}{going}"
        case e.Recovered(lost=lost):
            return f"Journal taken up after a crash; {lost} bytes of an unfinished line left out"
        case e.SegmentOpened(why=why):
            return f"Journal goes on in a new file: {why}"
        case e.Unreadable(name=name):
            return f"A record of kind {name}, which this version does not know"
        case _:
            return _shift_words(event)


def _shift_words(event: e.Event) -> str:
    match event:
        case e.ShiftStarted(until=until):
            return "Shift started" + (f", until {stamp(until)}" if until else "")
        case e.ChecklistOpened(title=title, items=items):
            return f"Checklist: {title}, {len(items)} items"
        case e.ItemTicked(item=item):
            return f"Done: {item}"
        case e.ShiftHandedOff(to=to):
            return "Handed off" + (f" to {to}" if to else "")
        case e.ShiftReceived(by=by, words=words):
            return f"Received by {by}: {words}"
        case e.HandoffTaken(words=words, document=document):
            return f"Took over what {document} says: {words}"
        case _:
            return type(event).__name__


_CLOCKS = {
    "acknowledge": "acknowledging",
    "respond": "beginning to work on it",
    "update": "the next update",
    "escalate": "escalating",
    "ladder": "the answer of whom was called",
    "top level": "calling the top level",
    "breath": "taking a breath",
}


def _message_words(event: e.Event, incident: Incident) -> str:
    """What became of a message, by what it is about and where it goes."""
    one = incident.outbox.get(getattr(event, "message", ""))
    name = f"Message to {one.queued.to} ({one.queued.about})" if one else "A message"
    match event:
        case e.MessageSent():
            again = f", at attempt {one.attempts}" if one and one.attempts > 1 else ""
            return f"{name}: sent{again}"
        case e.MessageFailed(why=why, ambiguous=ambiguous, final=final):
            ending = ", not tried again" if final else ""
            known = "not known whether it arrived" if ambiguous else "not sent"
            return f"{name}: {known}{ending}: {why}"
        case e.MessageReleased():
            return f"{name}: goes all the same"
        case e.MessageCancelled(why=why):
            return f"{name}: cancelled{_because(why)}"
        case _:
            return name
