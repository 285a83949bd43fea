"""Incident to markdown: the one file that tells what happened.

Untrusted text stands only in code spans and fences; everything is redacted with the incident's
salt before it gets here or here at the latest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cockpit.incident.events import NoteAdded
from cockpit.incident.incident import Incident, Mark, Rolled, Run, RunState
from cockpit.incident.rollouts import counted, standings, took
from cockpit.incident.timeline import line, outcome, pinned_from
from cockpit.text import Redactor, Safe, clean, clean_line, code_span, fence, shortened
from cockpit.words import duration, size

HEAD_LINES = 15
TAIL_LINES = 25

OutputOf = Callable[[Run], bytes]


def report(
    incident: Incident,
    output_of: OutputOf,
    *,
    trouble: str = "",
    written: dict[str, str] | None = None,
) -> str:
    """The incident log as markdown.

    output_of: the raw output of a run as far as it is held; it is cleaned, redacted and shortened
    here. trouble: a sentence about the journal itself, such as damage, that a reader must know.
    written: keeps what was made of runs that are over, so that the next report need not again.
    Pure but for output_of. The text ends with a newline and holds no control characters.
    """
    redact = Redactor(incident.salt.encode())
    parts = [
        _head(incident, redact, trouble),
        _summary(incident, redact),
        _timeline(incident, redact),
        _commands(incident, redact, output_of, {} if written is None else written),
        _steps(incident, redact),
        _still_open(incident, redact),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def prose(text: str, redact: Redactor) -> str:
    """One line of a person's or a machine's text, so that markdown and HTML stay text."""
    safe = redact(clean_line(text))
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~&!" else c for c in safe)


def spans(text: Safe, redact: Redactor) -> str:
    """A timeline line: what stands between backticks becomes a code span, the rest is escaped."""
    pieces = str(redact(text)).split("`")
    if len(pieces) % 2 == 0:
        return prose(text, redact)
    return "".join(
        (code_span(Safe(piece)) if piece else "") if index % 2 else prose(piece, redact)
        for index, piece in enumerate(pieces)
    )


def cell(text: Safe, redact: Redactor) -> str:
    """The same for a cell of a table: a bar would end it, within a code span too."""
    return spans(Safe(redact(text).replace("|", "¦")), redact)


def _head(incident: Incident, redact: Redactor, trouble: str) -> str:
    followed = incident.runbook.title if incident.runbook else "Incident"
    title = prose(incident.title or f"{followed} (not declared)", redact)
    lines = [f"# {title}", ""]
    if incident.training:
        lines += ["**Training**, not a real incident.", ""]
    if trouble:
        lines += [f"**Journal:** {prose(trouble, redact)}", ""]
    severity = incident.severity.value if incident.severity else "not set"
    rows = [
        ("Severity", severity),
        ("Status", incident.status.value),
        ("Service", prose(incident.service, redact) or "not named"),
        ("Host", prose(incident.host, redact) or "not chosen"),
        ("Runbooks", ", ".join(prose(b.title or b.path, redact) for b in incident.runbooks)),
        ("Incident", incident.id),
    ]
    lines += [f"- **{name}:** {value or 'none'}" for name, value in rows]
    lines += ["", "All times are UTC.", "", "| Time | When | Since start |", "|---|---|---|"]
    missing = "not recorded" if incident.resolved else "not yet"
    for name, at in _times(incident).items():
        since = duration(at - incident.started) if at and incident.started else ""
        when = f"{at:%Y-%m-%d %H:%M:%S}" if at else missing
        lines.append(f"| {name} | {when} | {since} |")
    return "\n".join(lines)


def _times(incident: Incident) -> dict[str, datetime | None]:
    return {
        "started": incident.started,
        "detected": incident.detected,
        "acknowledged": incident.acknowledged,
        "mitigated": incident.hurt_until,
        "resolved": incident.resolved,
    }


_DURATIONS = (
    ("Total downtime", "started", "mitigated", "from started to mitigated"),
    ("Time to acknowledge", "started", "acknowledged", "from started to acknowledged"),
    ("Time to mitigate", "detected", "mitigated", "from detected to mitigated"),
    ("Time to resolve", "started", "resolved", "from started to resolved"),
)


def _summary(incident: Incident, redact: Redactor) -> str:
    lines = ["| Duration | | Definition |", "|---|---|---|"]
    times = _times(incident)
    missing = "not known" if incident.resolved else "not yet known"
    for name, start, end, definition in _DURATIONS:
        first, last = times[start], times[end]
        value = duration(last - first) if first and last else missing
        lines.append(f"| {name} | {value} | {definition} |")
    if incident.resolution:
        done = incident.resolution
        lines += [
            "",
            "## Resolution",
            "",
            f"- **Cause:** {prose(done.cause, redact) or 'not known'}",
            f"- **Fix:** {prose(done.fix, redact) or 'none noted'}",
            f"- **Follow-up:** {prose(done.follow_up, redact) or 'none'}",
        ]
        if done.unverified:
            reason = prose(done.unverified, redact)
            lines.append(f"- **Resolved without a passed verification:** {reason}")
    return "\n".join(lines)


def _timeline(incident: Incident, redact: Redactor) -> str:
    lines = ["## Timeline"]
    day = None
    for entry in sorted(incident.entries, key=lambda entry: (entry.at, entry.record.seq)):
        if entry.at.date() != day:
            day = entry.at.date()
            lines += ["", f"**{day:%Y-%m-%d}**", ""]
        was = f" (recorded at {entry.record.ts:%H:%M})" if entry.corrected else ""
        event = entry.record.event
        if isinstance(event, NoteAdded) and event.log and "\n" in event.text:
            lines.append(f"[{entry.at:%H:%M}] {prose(pinned_from(event.source), redact)}:{was}")
            lines += ["", fence(redact(clean(event.text))), ""]
            continue
        text = spans(line(event, incident), redact)
        # Two spaces: a markdown line break, so that the lines stay lines and read well with cat.
        lines.append(f"[{entry.at:%H:%M}] {text}{was}  ")
    return "\n".join(lines)


def _commands(
    incident: Incident, redact: Redactor, output_of: OutputOf, written: dict[str, str]
) -> str:
    alone = [run for run in incident.runs.values() if not run.asked.rollout]
    ran: list[Run | Rolled] = [*alone, *incident.rollouts.values()]
    if not ran:
        return "## Commands\n\nNone was run."
    blocks = ["## Commands"]
    for number, one in enumerate(sorted(ran, key=lambda one: one.seq), 1):
        if isinstance(one, Rolled):
            blocks.append(_rolled(number, one, incident, redact))
            continue
        block = written.get(one.job) or _run(number, one, redact, output_of)
        if one.over:
            written[one.job] = block
        blocks.append(block)
    return "\n\n".join(blocks)


def _rolled(number: int, rolled: Rolled, incident: Incident, redact: Redactor) -> str:
    """A command on many hosts: a table of them, with the last line that each printed."""
    asked, end = rolled.asked, rolled.ended
    states = standings(incident, asked.rollout)
    head = code_span(redact(clean_line(_first(asked.command))))
    facts = [
        f"- **Hosts:** {len(asked.hosts)} of {prose(asked.label, redact)}, one first, then"
        f" {asked.batch} at a time; to stop at {asked.stop_after} failed",
        f"- **At:** {rolled.at:%Y-%m-%d %H:%M:%S}",
        f"- **Ended:** {prose(end.how, redact) if end else 'still going on'}: {counted(states)}",
        f"- **Risk:** {asked.risk} ({prose(asked.gate, redact)})",
    ]
    if asked.left_out:
        facts.append(f"- **Left out:** {prose(', '.join(asked.left_out), redact)}")
    if asked.evidence:
        facts.append(f"- **Saved first:** {prose(asked.evidence, redact)}")
    if asked.reason:
        facts.append(f"- **Reason:** {prose(asked.reason, redact)}")
    lines = ["| Host | State | Duration | Last line | Output |", "|---|---|---|---|---|"]
    for state in states:
        run = state.run
        last = run.tail.strip().split("\n")[-1] if run else ""
        # A bar would end the cell, within a code span too.
        line = Safe(redact(clean_line(last)).replace("|", "¦"))
        cells = [
            prose(state.host, redact),
            state.words,
            took(state),
            code_span(line) if line else prose(state.why, redact),
            prose(run.asked.evidence, redact) if run else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    command = fence(redact(clean(asked.command.strip())), "sh")
    return "\n".join([f"### {number}. {head}", "", command, "", *facts, "", *lines])


def _run(number: int, run: Run, redact: Redactor, output_of: OutputOf) -> str:
    asked = run.asked
    facts = [f"- **Host:** {prose(asked.host, redact)}"]
    if asked.user:
        facts[0] += f" as {prose(asked.user, redact)}"
    if asked.workdir:
        facts[0] += f" in {code_span(redact(clean_line(asked.workdir)))}"
    facts += [
        f"- **At:** {run.at:%Y-%m-%d %H:%M:%S}",
        f"- **Ended:** {prose(ended(run), redact)}",
        f"- **Duration:** {duration(run.seconds) if run.seconds is not None else 'not known'}",
        f"- **Risk:** {asked.risk} ({prose(asked.gate, redact)})",
    ]
    if asked.terminal:
        facts.append("- **In:** the responder's own terminal")
    if asked.reason:
        facts.append(f"- **Reason:** {prose(asked.reason, redact)}")
    output = shorten(redact(clean(output_of(run))), run, asked.evidence)
    command = fence(redact(clean(asked.command.strip())), "sh")
    head = code_span(redact(clean_line(_first(asked.command))))
    return "\n".join([f"### {number}. {head}", "", command, ""]) + (
        "\n".join(facts) + "\n\n" + (fence(output) if output else "No output.")
    )


def ended(run: Run) -> str:
    """How a run ended, in words."""
    match run.state:
        case RunState.UNKNOWN:
            return f"not known: {clean_line(run.why)}"
        case RunState.DONE:
            return outcome("done", run.exit_status)
        case RunState.NEVER_STARTED if run.why:
            return f"never started: {clean_line(run.why)}"
        case RunState.STOPPED | RunState.NEVER_STARTED:
            return outcome(run.state.value, run.exit_status)
        case _:
            return f"still {run.state.value} when this was written"


def shorten(text: Safe, run: Run, evidence: str) -> Safe:
    """The first and last lines of a long output, with where the whole of it is."""
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    pointer = f"{size(run.size)} in all: {evidence} beside the journal" if evidence else ""
    if run.truncated:
        pointer += " (the host cut it at its limit)"
    if len(lines) <= HEAD_LINES + TAIL_LINES:
        return Safe(
            "\n".join([*lines, f"[cut by the host; {pointer}]"] if run.truncated else lines)
        )
    left_out = len(lines) - HEAD_LINES - TAIL_LINES
    middle = f"[… {left_out} lines left out; {pointer}]"
    return Safe("\n".join([*lines[:HEAD_LINES], middle, *lines[-TAIL_LINES:]]))


def _first(command: str) -> str:
    first = command.strip().split("\n")[0]
    return shortened(first, 70)


def _steps(incident: Incident, redact: Redactor) -> str:
    if not incident.steps:
        return ""
    words = {Mark.DONE: "[x]", Mark.SKIPPED: "[-] skipped:", Mark.FAILED: "[!] failed:"}
    newest = {(run.asked.step, run.asked.command_id): run for run in incident.runs.values()}
    failed = {}
    for (step, _), run in newest.items():
        if run.state is RunState.DONE and run.exit_status:
            command = code_span(redact(clean_line(_first(run.asked.command))))
            failed[step] = f" ({command}: {ended(run)})"
    lines = ["## Steps", ""]
    for ref, state in incident.steps.items():
        reason = f" ({prose(state.reason, redact)})" if state.reason else failed.get(ref, "")
        lines.append(f"- {words[state.mark]} {prose(state.title, redact)}{reason}")
    return "\n".join(lines)


def _still_open(incident: Incident, redact: Redactor) -> str:
    lines = []
    if not incident.resolved:
        lines.append(f"- The incident is {incident.status.value}, not resolved.")
    if not incident.acknowledged:
        lines.append("- Nobody has acknowledged it.")
    for run in incident.runs.values():
        command = code_span(redact(clean_line(_first(run.asked.command))))
        if not run.over:
            lines.append(f"- {command} on {prose(run.asked.host, redact)} is {run.state.value}.")
        elif run.state is RunState.UNKNOWN:
            lines.append(
                f"- Nobody knows whether {command} on {prose(run.asked.host, redact)} ran: "
                f"{prose(run.why, redact)}"
            )
    for rolled in incident.rollouts.values():
        if rolled.ended and rolled.ended.not_run:
            command = code_span(redact(clean_line(_first(rolled.asked.command))))
            names = prose(", ".join(rolled.ended.not_run), redact)
            lines.append(f"- {command} was not run on {names}.")
    for state in incident.steps.values():
        if state.mark is Mark.FAILED:
            lines.append(f"- Failed step: {prose(state.title, redact)}")
    if incident.last_change and not incident.verified:
        lines.append("- No verification has passed since the last change.")
    if incident.resolution and incident.resolution.follow_up:
        lines.append(f"- Follow-up: {prose(incident.resolution.follow_up, redact)}")
    return "## Still open\n\n" + ("\n".join(lines) or "Nothing.")
