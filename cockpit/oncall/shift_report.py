"""What happened in a shift, as markdown: for the one who comes, and for whoever reads it later.

All of it is read from the journals. Untrusted text is escaped or stands in code spans, and is
redacted with the salt of the journal that it comes from.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from cockpit.incident import events as e
from cockpit.incident import notes
from cockpit.incident.incident import Mark, RunState
from cockpit.incident.notes import Kind, Task
from cockpit.incident.outgoing import Way
from cockpit.incident.report import prose, spans
from cockpit.incident.review_facts import to_acknowledge
from cockpit.incident.review_parts import lacking
from cockpit.incident.timeline import beginning
from cockpit.oncall import facts
from cockpit.oncall.period import Period, Told
from cockpit.oncall.shift import Shift
from cockpit.text import Redactor, Safe, clean_line, code_span
from cockpit.words import duration, many, stamp


def report(period: Period) -> str:
    """The report of a period."""
    return _document("On-call shift report", period, _REPORT)


def handoff(shift: Shift, period: Period) -> str:
    """What the next one must know, first things first."""
    to = f" to {prose(shift.handed.to, _salt(shift))}" if shift.handed and shift.handed.to else ""
    return _document(f"Handoff from {prose(shift.who, _salt(shift))}{to}", period, _HANDOFF)


_Part = Callable[[Period], Iterator[str]]


def _document(title: str, period: Period, parts: Sequence[tuple[str, _Part]]) -> str:
    blocks = [f"# {title}", "\n".join(_head(period))]
    for heading, part in parts:
        lines = list(part(period))
        blocks.append(f"## {heading}\n\n" + ("\n".join(lines).strip() or "None."))
    return "\n\n".join(blocks) + "\n"


def _head(period: Period) -> Iterator[str]:
    length = duration(period.until - period.since)
    yield f"- **Period:** {stamp(period.since)} to {stamp(period.until)} ({length})"
    for shift in period.shifts:
        who = prose(shift.who, _salt(shift)) or "not known any more"
        end = stamp(shift.ended) if shift.ended else "still going on"
        yield f"- **On call:** {who}, {stamp(shift.started)} to {end}"
    trainings = len(period.incidents) - len(period.real)
    if trainings:
        yield f"- **Trainings:** {trainings}, counted nowhere below"
    yield f"- **Read from the journals:** {stamp(period.now)}, as they stood then"
    for name, count in period.damaged:
        where = f"{many(count, 'place')} in the journal of {_code(name)}"
        yield f"- **Damaged:** {where}; the rest of it is used"
    yield "\nAll times are UTC."


def _incidents(period: Period) -> Iterator[str]:
    groups: dict[str, list[Told]] = {severity.value: [] for severity in e.Severity}
    groups["No severity"] = []
    for one in period.real:
        groups[one.incident.severity or "No severity"].append(one)
    yield f"{len(period.real)} in all, {len(period.began)} of them began in this period."
    yield ""
    for severity, found in groups.items():
        if found or severity != "No severity":
            yield f"- **{severity}:** {len(found) or 'none'}"
        for one in found:
            yield f"  - {one.called}: {_course(one, period)} {_code(one.name)}"


def _course(one: Told, period: Period) -> str:
    """How an incident went, in a line."""
    incident = one.incident
    said = [one.prose(incident.service)] if incident.service else []
    said.append(f"since {stamp(incident.started)}")
    if incident.started and incident.started < period.since:
        said[-1] += " (before this period)"
    if incident.acknowledged:
        waited = to_acknowledge(incident)
        said.append(f"acknowledged after {duration(waited)}" if waited else "acknowledged")
    if incident.started and incident.mitigated:
        said.append(f"mitigated after {duration(incident.mitigated - incident.started)}")
    elif incident.started and incident.resolved:
        length = duration(incident.resolved - incident.started)
        return f"{', '.join(said)}, resolved after {length}.{_cause(one)}"
    said.append(incident.status.value)
    return f"{', '.join(said)}.{_cause(one)}"


def _cause(one: Told) -> str:
    resolution = one.incident.resolution
    return f" Cause: {one.prose(resolution.cause)}." if resolution else ""


def _escalations(period: Period) -> Iterator[str]:
    by_level: dict[int, list[str]] = {}
    for one in period.real:
        for entry in one.incident.entries:
            event = entry.record.event
            if isinstance(event, e.EscalationNoted) and period.since <= entry.at < period.until:
                how = one.prose(event.how) or "how it went was not noted"
                why = f": {one.prose(event.reason)}" if event.reason else ""
                who = one.prose(event.who)
                line = f"- {stamp(entry.at)} {who}, {how}{why} ({one.called})"
                by_level.setdefault(event.level, []).append(line)
    for level, lines in sorted(by_level.items(), key=lambda item: item[0] or 99):
        name = f"Level {level}" if level else "Beside the ladder"
        yield f"\n**{name}: {len(lines)}**\n"
        yield from lines


def _times(period: Period) -> Iterator[str]:
    began = period.began
    rows = (
        ("MTTA", "time to acknowledge: from started to acknowledged",
         [to_acknowledge(one) for one in began]),
        ("MTTR", "time to recover: from started to mitigated, else to resolved",
         [one.hurt_until - one.started if one.started and one.hurt_until else None
          for one in began]),
    )  # fmt: skip
    yield "| | Median | Mean | Counted | Definition |"
    yield "|---|---|---|---|---|"
    for name, definition, all_taken in rows:
        taken = [one.total_seconds() for one in all_taken if one is not None and one >= timedelta()]
        median = duration(statistics.median(taken)) if taken else "none"
        mean = duration(statistics.fmean(taken)) if taken else "none"
        yield f"| {name} | {median} | {mean} | {len(taken)} of {len(began)} | {definition} |"
    yield "\nCounted are incidents that began in this period and have both times; no trainings."
    unknown = sum(bool(one.acknowledged) and to_acknowledge(one) is None for one in began)
    if unknown:
        yield (
            f"\nFor {unknown} of them MTTA is not counted: acknowledged as it began, so when the"
            " alert came is not known. To correct the time of its start mends that (t, on the"
            " timeline)."
        )


def _open(period: Period) -> Iterator[str]:
    for one in period.open:
        incident = one.incident
        severity = incident.severity or "no severity"
        training = "training, " if incident.training else ""
        yield (
            f"- **{one.called}** ({training}{severity}, {incident.status.value}, since"
            f" {stamp(incident.started)}) {_code(one.name)}"
        )
        if incident.training:
            continue
        for word, said in (
            ("State", facts.state(incident)),
            ("Found", facts.found(incident, None)),
            ("Tried", facts.tried(incident, None)),
        ):
            if said and said != incident.status.value:
                yield f"  - {word}: {spans(said, one.redact)}"
        yield f"  - Next step: {one.prose(one.next)}"
        for thing in one.due:
            late = "overdue" if thing.late else "due"
            yield f"  - {late} {stamp(thing.at)}: {one.prose(thing.words)}"
        for waiting in incident.prepared.values():
            command = _code(beginning(waiting.command), one.redact)
            yield f"  - Prepared, not sent, for {one.prose(waiting.host)}: {command}"
        for run in incident.runs.values():
            command = _code(beginning(run.asked.command), one.redact)
            host = one.prose(run.asked.host)
            if not run.over:
                yield f"  - {run.state.value.capitalize()} on {host}: {command}"
            elif run.state is RunState.UNKNOWN:
                yield f"  - Nobody knows whether it ran on {host}: {command}"


def _unfinished(period: Period) -> Iterator[str]:
    for shift in period.shifts:
        salt = _salt(shift)
        for checklist in shift.lists:
            for item in checklist.left:
                title, who = prose(checklist.title, salt), prose(shift.who, salt)
                yield f"- {title} ({who}): {prose(item, salt)}"
    for one in period.real:
        for state in one.incident.steps.values():
            if state.mark is not Mark.DONE:
                why = f" ({one.prose(state.reason)})" if state.reason else ""
                yield f"- {one.called}: {state.mark.value}: {one.prose(state.title)}{why}"


def _noted(period: Period, kind: Kind, field: str) -> Iterator[str]:
    """Notes of a kind, and what was handed off as such; each said once."""
    seen: set[str] = set()
    for one in period.real:
        for note in notes.of(one.incident, kind):
            text = one.prose(note.text)
            seen.add(text)
            yield f"- {text} ({one.called}, {stamp(note.at)})"
    for shift in period.shifts:
        for line in getattr(shift.handed, field, ()):
            text = prose(line, _salt(shift))
            if text not in seen:
                yield f"- {text} ({prose(shift.who, _salt(shift))}, at the handoff)"


def _temporary(period: Period) -> Iterator[str]:
    return _noted(period, Kind.TEMPORARY, "temporary")


def _put_back(period: Period) -> Iterator[str]:
    return _noted(period, Kind.PUT_BACK, "put_back")


def _runbooks(period: Period) -> Iterator[str]:
    for one in period.real:
        books = ", ".join(one.prose(book.title or book.path) for book in one.incident.runbooks)
        lines = [
            f"- {one.prose(note.text)}" for note in notes.of(one.incident, Kind.RUNBOOK)
        ] + lacking(one.incident, one.redact)
        if lines:
            yield f"\n{books or 'No runbook'} ({one.called}):\n"
            yield from lines


def _actions(period: Period) -> Iterator[str]:
    rows: list[tuple[Task, Redactor, str]] = []
    for one in period.real:
        rows += [(task, one.redact, one.called) for task in notes.tasks(one.incident)]
    for shift in period.shifts:
        if shift.handed and shift.handed_at:
            where = f"handoff of {prose(shift.who, _salt(shift))}"
            made = [notes.task(text, shift.handed_at) for text in shift.handed.actions]
            there = {task.text for task, _, _ in rows}
            rows += [(task, _salt(shift), where) for task in made if task.text not in there]
    if rows:
        yield "| What | Owner | Due | From |"
        yield "|---|---|---|---|"
    for task, redact, where in rows:
        owner, day = prose(task.owner, redact), prose(task.due, redact)
        what = prose(task.text, redact)
        yield f"| {what} | {owner or 'nobody yet'} | {day or 'not set'} | {where} |"


def _unsent(period: Period) -> Iterator[str]:
    for one in period.real:
        for message in one.incident.outbox.values():
            if message.way is not Way.SENT:
                queued = message.queued
                why = f", {one.prose(message.why)}" if message.why else ""
                yield (
                    f"- To {one.prose(queued.to)} ({one.prose(queued.about)}), written"
                    f" {stamp(message.at)}: {message.way.value}{why} ({one.called})"
                )


def _lessons(period: Period) -> Iterator[str]:
    yield from _noted(period, Kind.LESSON, "lessons")
    for kind, word in ((Kind.WELL, "well"), (Kind.BADLY, "badly"), (Kind.LUCKY, "by luck")):
        for one in period.real:
            for note in notes.of(one.incident, kind):
                yield f"- {word}: {one.prose(note.text)} ({one.called})"


def _receipts(period: Period) -> Iterator[str]:
    for shift in period.shifts:
        salt = _salt(shift)
        if shift.took:
            document, words = prose(shift.took.document, salt), prose(shift.took.words, salt)
            yield f"- {prose(shift.who, salt)} took over what {document} says: {words}"
        if shift.handed:
            to = f" to {prose(shift.handed.to, salt)}" if shift.handed.to else ""
            yield f"- {stamp(shift.handed_at)} {prose(shift.who, salt)} handed off{to}."
        if shift.received:
            by, words = prose(shift.received.by, salt), prose(shift.received.words, salt)
            yield f"- {stamp(shift.received_at)} {by} received it: {words}"
        elif shift.handed:
            yield "- Nobody has received it yet."


_REPORT: tuple[tuple[str, _Part], ...] = (
    ("Incidents", _incidents),
    ("Escalations", _escalations),
    ("How long it took", _times),
    ("Open incidents", _open),
    ("Unfinished checklists", _unfinished),
    ("Temporary fixes", _temporary),
    ("To be put back", _put_back),
    ("Runbooks that failed or lacked something", _runbooks),
    ("Action items", _actions),
    ("Messages that were never sent", _unsent),
    ("Lessons", _lessons),
    ("Handoff", _receipts),
)
_HANDOFF: tuple[tuple[str, _Part], ...] = (
    ("Open incidents", _open),
    ("Temporary fixes", _temporary),
    ("To be put back", _put_back),
    ("Action items", _actions),
    ("Messages that were never sent", _unsent),
    ("Runbooks that failed or lacked something", _runbooks),
    ("Not ticked", _unfinished),
    ("Lessons", _lessons),
    ("Incidents", _incidents),
)


def _salt(shift: Shift) -> Redactor:
    return Redactor(shift.salt.encode())


def _code(text: str, redact: Redactor | None = None) -> str:
    line = clean_line(text)
    return code_span(Safe((redact(line) if redact else line).replace("|", "¦")))
