"""The parts of a post-incident document, each filled in with what the journal knows.

What only people can know says "Not written yet". Untrusted text stands in code spans or is escaped,
and is redacted with the incident's salt here at the latest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cockpit.incident import events as e
from cockpit.incident import notes
from cockpit.incident.clocks import REACHED, Rules
from cockpit.incident.incident import Incident, Mark
from cockpit.incident.notes import Kind
from cockpit.incident.outgoing import Way
from cockpit.incident.report import cell, ended, prose, spans
from cockpit.incident.review_facts import badly, ending, failed_runs, to_acknowledge, well
from cockpit.incident.rollouts import counted, standings
from cockpit.incident.timeline import line
from cockpit.text import Redactor, Safe, clean_line, code_span, shortened
from cockpit.words import duration, stamp

_COMMAND_CHARS = 70
# Nobody asks afterwards when a window was opened.
_LEFT_OUT = (e.CockpitOpened, e.CockpitClosed, e.MarkdownSaved)


@dataclass(frozen=True, slots=True)
class Case:
    """What a document is written from."""

    incident: Incident
    redact: Redactor
    rules: Rules

    def prose(self, text: str) -> str:
        """Text of a person or a machine, so that it stays text."""
        return prose(text, self.redact)

    def notes(self, *kinds: Kind) -> list[str]:
        """Notes of these kinds, as points of a list."""
        return [f"- {self.prose(note.text)}" for note in notes.of(self.incident, *kinds)]


def gap(what: str) -> str:
    """What stands where only people know: what is to be written there."""
    return f"Not written yet: {what}."


def summary(case: Case) -> str:
    """What happened, in a few sentences."""
    incident = case.incident
    what = case.prose(incident.title) or "Something went wrong that nobody declared"
    where = f" ({case.prose(incident.service)})" if incident.service else ""
    how_bad = f"{incident.severity}: " if incident.severity else ""
    said = [f"{how_bad}{what}{where}, from {stamp(incident.started)}."]
    if incident.hurt_until and incident.started:
        said.append(f"It hurt for {duration(incident.hurt_until - incident.started)}.")
    if incident.resolution:
        done = incident.resolution
        said.append(f"Cause: {_sentence(case.prose(done.cause)) or 'not known.'}")
        said.append(f"Fix: {_sentence(case.prose(done.fix)) or 'none noted.'}")
    else:
        said.append(f"It is {incident.status.value}.")
    return " ".join(said)


def impact(case: Case) -> str:
    """How long it hurt and how bad it was held to be, with definitions."""
    incident = case.incident
    rows = [
        ("Users were hurt", "started to mitigated", _between(incident, incident.hurt_until)),
        ("Acknowledged after", "from started", to_acknowledge(incident)),
        ("Resolved after", "from started", _between(incident, incident.resolved)),
    ]
    lines = ["| | Duration | Definition |", "|---|---|---|"]
    for name, definition, took in rows:
        lines.append(f"| {name} | {'not known' if took is None else duration(took)} |"
                     f" {definition} |")  # fmt: skip
    for severity, spent in _by_severity(incident).items():
        lines.append(f"| Time as {severity} | {duration(spent)} | until users were not hurt |")
    lines.append("")
    lines += case.notes(Kind.IMPACT) or [
        gap("who was hurt and how many, and what it cost: orders, money, data")
    ]
    crossed = _lines_of(case, e.ThresholdCrossed)
    return "\n".join(
        [*lines, *(["", "Limits that were crossed:", "", *crossed] if crossed else [])]
    )


def detection(case: Case) -> str:
    """How it was noticed."""
    incident = case.incident
    lines = case.notes(Kind.DETECTED)
    if incident.detected and incident.started:
        late = incident.detected - incident.started
        after = f", {duration(late)} after it began" if late > timedelta(seconds=1) else ""
        lines.append(f"- Declared at {stamp(incident.detected)}{after}.")
    if not notes.of(incident, Kind.DETECTED):
        lines.append(f"- {gap('what was seen first, by whom, and whether an alert came too late')}")
    return "\n".join(lines)


def cause(case: Case) -> str:
    """What it was; also what it was wrongly held to be before it was opened again."""
    ends = [
        entry.record.event
        for entry in case.incident.entries
        if isinstance(entry.record.event, e.IncidentResolved)
    ]
    lines = []
    if case.incident.resolution:
        lines.append(_sentence(case.prose(case.incident.resolution.cause)))
        ends = ends[:-1]
    for wrong in ends:
        lines += ["", f"Before it was opened again, it was held to be: {case.prose(wrong.cause)}"]
    ask = gap("why that could happen, and why nobody saw it coming; ask why once more")
    return "\n".join([*lines, "", ask]).strip()


def trigger(case: Case) -> str:
    """What set it off."""
    return "\n".join(case.notes(Kind.TRIGGER)) or gap(
        "what set it off at that moment: a deploy, a peak, a certificate that ran out"
    )


def resolution(case: Case) -> str:
    """What ended it, and what of that is for now only."""
    incident = case.incident
    done = incident.resolution
    lines = []
    if done:
        lines.append(f"- Fix: {case.prose(done.fix) or 'none noted'}")
    if incident.mitigated:
        lines.append(f"- Mitigated at {stamp(incident.mitigated)}.")
    if incident.resolved:
        lines.append(f"- Resolved at {stamp(incident.resolved)}.")
    if done and done.unverified:
        lines.append(f"- Without a passed verification: {case.prose(done.unverified)}")
    lines += [
        f"- For now only: {case.prose(note.text)}" for note in notes.of(incident, Kind.TEMPORARY)
    ]
    return "\n".join(lines) or gap("what ended it")


def tried(case: Case) -> str:
    """Commands that were to mend or to verify, each with its outcome; steps that were skipped."""
    incident = case.incident
    rows: list[tuple[int, str]] = []
    looked = 0
    for run in incident.runs.values():
        if run.asked.rollout:
            continue
        if run.asked.risk == "read" and run.asked.phase not in ("recovery", "verification"):
            looked += 1
            continue
        last = run.tail.strip().split("\n")[-1]
        cells = [
            f"{run.at:%H:%M}",
            _code(case, run.asked.command),
            case.prose(run.asked.host),
            case.prose(ended(run)),
            _code(case, last) if last else "",
        ]
        rows.append((run.seq, f"| {' | '.join(cells)} |"))
    for rolled in incident.rollouts.values():
        cells = [
            f"{rolled.at:%H:%M}",
            _code(case, rolled.asked.command),
            case.prose(rolled.asked.label),
            case.prose(counted(standings(incident, rolled.asked.rollout))),
            "",
        ]
        rows.append((rolled.seq, f"| {' | '.join(cells)} |"))
    lines = []
    if rows:
        head = ["| Time | Command | Where | Outcome | Last line |", "|---|---|---|---|---|"]
        lines = [*head, *(row for _, row in sorted(rows))]
    if looked:
        one = "1 command that only reads is" if looked == 1 else f"{looked} that only read are"
        lines += ["", f"Beside these, {one} in the incident log."]
    for state in incident.steps.values():
        if state.mark is Mark.SKIPPED:
            lines += ["", f"Skipped: {case.prose(state.title)} ({case.prose(state.reason)})"]
    return "\n".join(lines).strip() or "No command was run."


def escalations(case: Case) -> str:
    """Who else was called, and whether they answered."""
    return "\n".join(_lines_of(case, e.EscalationNoted)) or "Nobody else was called."


def told(case: Case) -> str:
    """What others were told, and what never reached them."""
    lines = _lines_of(case, e.UpdateSent)
    for one in case.incident.outbox.values():
        if one.way is not Way.SENT:
            to, about = case.prose(one.queued.to), case.prose(one.queued.about)
            why = f", {case.prose(one.why)}" if one.why else ""
            never = "Not sent when this was written" if one.open else "Never sent"
            lines.append(f"- {never}, to {to} ({about}): {one.way.value}{why}")
    return "\n".join(lines) or "Nobody was told through cockpit."


def went_well(case: Case) -> str:
    """What helped, as people and as the journal say."""
    lines = [*case.notes(Kind.WELL), *_points(case, well(case.incident, case.rules))]
    return "\n".join(lines) or gap("what helped, so that it stays")


def went_badly(case: Case) -> str:
    """What did not."""
    lines = [*case.notes(Kind.BADLY), *_points(case, badly(case.incident, case.rules))]
    return "\n".join(lines) or gap("what cost time, or hurt more than it had to")


def lucky(case: Case) -> str:
    """What could have been worse."""
    return "\n".join(case.notes(Kind.LUCKY)) or gap(
        "what could have made it worse and did not, by no merit of ours"
    )


def well_and_lucky(case: Case) -> str:
    """PagerDuty's form has no place for luck."""
    luck = [f"- By luck: {case.prose(note.text)}" for note in notes.of(case.incident, Kind.LUCKY)]
    return "\n".join([went_well(case), *luck])


def lessons(case: Case) -> str:
    """What others can learn from it."""
    return "\n".join(case.notes(Kind.LESSON)) or gap("what others can learn from it")


def follow_ups(case: Case) -> str:
    """What is left to do, by whom, until when."""
    return _tasks(case, "| What | Owner | Due |", "")


def google_actions(case: Case) -> str:
    """The same, with the columns of that form."""
    return _tasks(case, "| Action Item | Owner | Due | Type | Bug |", " not set | none yet |")


def _tasks(case: Case, head: str, more: str) -> str:
    lines = []
    for one in _left(case.incident):
        owner, due = case.prose(one.owner), case.prose(one.due)
        what = cell(one.text, case.redact)
        lines.append(f"| {what} | {owner or 'nobody yet'} | {due or 'not set'} |{more}")
    if not lines:
        return gap("what will be done so that it does not happen again, by whom, until when")
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *lines])


def _left(incident: Incident) -> list[notes.Task]:
    """All that is left to do."""
    left = list(notes.tasks(incident))
    for note in notes.of(incident, Kind.TEMPORARY):
        one = notes.task(note.text, note.at)
        left.append(notes.Task(Safe(f"Mend for good: {one.text}"), one.owner, one.due))
    for note in notes.of(incident, Kind.PUT_BACK):
        one = notes.task(note.text, note.at)
        left.append(notes.Task(Safe(f"Put back: {one.text}"), one.owner, one.due))
    return left


def runbooks(case: Case) -> str:
    """Which runbooks were followed, and what they lacked."""
    lines = [f"- {case.prose(note.text)}" for note in notes.of(case.incident, Kind.RUNBOOK)]
    lines += lacking(case.incident, case.redact)
    used = ", ".join(case.prose(book.title or book.path) for book in case.incident.runbooks)
    if not lines:
        lines = [gap("what the runbook lacked or had wrong, or that it was enough")]
    return "\n".join([f"Followed: {used or 'no runbook'}.", "", *lines])


def lacking(incident: Incident, redact: Redactor) -> list[str]:
    """Steps that failed, and commands of a step that did, as points of a list."""
    lines = []
    titles = {ref: state.title for ref, state in incident.steps.items()}
    for state in incident.steps.values():
        if state.mark is Mark.FAILED:
            why = f" ({prose(state.reason, redact)})" if state.reason else ""
            lines.append(f"- Step failed: {prose(state.title, redact)}{why}")
    for run in failed_runs(incident):
        if run.asked.step is not None:
            of = titles.get(run.asked.step, Safe(""))
            where = f" in {prose(of, redact)}" if of else ""
            how = prose(ending(run), redact)
            lines.append(f"- {_span(run.asked.command, redact)}{where}: {how}")
    for entry in incident.entries:
        event = entry.record.event
        if isinstance(event, e.StepDone) and event.despite:
            title, despite = prose(event.title, redact), prose(event.despite, redact)
            lines.append(f"- Done all the same: {title} (although {despite})")
    return lines


def timeline(case: Case) -> str:
    """All that happened, as a table."""
    lines = ["| Time | What |", "|---|---|"]
    day = None
    for entry in sorted(case.incident.entries, key=lambda entry: (entry.at, entry.record.seq)):
        if isinstance(entry.record.event, _LEFT_OUT):
            continue
        words = cell(line(entry.record.event, case.incident), case.redact)
        # The day where it changes, as at three in the morning it does.
        at = f"{entry.at:%H:%M}" if entry.at.date() == day else f"{entry.at:%Y-%m-%d %H:%M}"
        day = entry.at.date()
        lines.append(f"| {at} | {words} |")
    return "\n".join(lines)


def responders(case: Case) -> str:
    """Who was there."""
    return "\n".join(f"- {one}" for one in people(case)) or gap("who was there")


def what_happened(case: Case) -> str:
    """The turns that it took."""
    known = _lines_of(case, e.IncidentDeclared, e.SeverityChanged, e.IncidentMitigated)
    ask = gap("what happened, in a few sentences for somebody who was not there")
    return "\n".join([*known, "", ask]).strip()


def factors(case: Case) -> str:
    """The cause, and what set it off."""
    return "\n\n".join([cause(case), trigger(case)])


def supporting(case: Case) -> str:
    """Where the rest is."""
    return "incident.md and evidence/ beside the journal hold every command with its output."


def messaging(case: Case) -> str:
    """What was told then, and what is still to be said."""
    return "\n".join([told(case), "", gap("what employees and what customers are told of it")])


# Small things


def _between(incident: Incident, end: datetime | None) -> timedelta | None:
    """From started to then."""
    return end - incident.started if incident.started and end else None


def authors(case: Case) -> list[str]:
    """The names of those who wrote in the journal."""
    return [case.prose(name) for name in _writers(case)]


def _writers(case: Case) -> dict[Safe, None]:
    entries = case.incident.entries
    return dict.fromkeys(clean_line(one.record.who) for one in entries if one.record.who)


def people(case: Case) -> list[str]:
    """The names of those who were there: at the keyboard, or called and reached."""
    names = _writers(case)
    for entry in case.incident.entries:
        event = entry.record.event
        if isinstance(event, e.EscalationNoted) and event.how in ("", REACHED):
            names.setdefault(clean_line(event.who))
    return [case.prose(name) for name in names]


def _by_severity(incident: Incident) -> dict[str, timedelta]:
    """How long it was held to be how bad, until users were no longer hurt."""
    changes: list[tuple[datetime, str]] = [
        (entry.at, entry.record.event.severity.value)
        for entry in incident.entries
        if isinstance(entry.record.event, e.IncidentDeclared | e.SeverityChanged)
    ]
    end = incident.hurt_until
    if not changes or end is None:
        return {}
    spent: dict[str, timedelta] = {}
    for (at, severity), (until, _) in pairwise([*changes, (end, "")]):
        lasted = min(until, end) - at
        if lasted > timedelta(0):
            spent[severity] = spent.get(severity, timedelta(0)) + lasted
    return spent


def _lines_of(case: Case, *kinds: type[e.Event]) -> list[str]:
    """Entries of the timeline, as points of a list."""
    return [
        f"- {entry.at:%H:%M} {spans(line(entry.record.event, case.incident), case.redact)}"
        for entry in case.incident.entries
        if isinstance(entry.record.event, kinds)
    ]


def _points(case: Case, facts: tuple[Safe, ...]) -> list[str]:
    return [f"- {spans(fact, case.redact)}" for fact in facts]


def _code(case: Case, text: str) -> str:
    return _span(text, case.redact).replace("|", "¦")


def _span(text: str, redact: Redactor) -> str:
    first = str(redact(clean_line(text.strip().split("\n")[0])))
    return code_span(Safe(shortened(first, _COMMAND_CHARS)))


def _sentence(text: str) -> str:
    """With a full stop, where there is any text."""
    return text if not text or text[-1] in ".!?" else f"{text}."
