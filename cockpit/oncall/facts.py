"""What a message can say of an incident: each fact by the name that a template asks for it with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cockpit.incident import events as e
from cockpit.incident.incident import Incident, Mark, Run, RunState, StepState
from cockpit.incident.notes import kind
from cockpit.incident.rollouts import counted, standings
from cockpit.incident.timeline import beginning, outcome
from cockpit.oncall.model import Handbook
from cockpit.runbook.model import Phase, Runbook
from cockpit.text import Safe, clean, clean_line

Fact = Safe | datetime | timedelta


class UntilMitigated(timedelta):
    """How long it hurt, where it was over before the incident was."""


_LOOKS = (Phase.SYMPTOMS.value, Phase.DIAGNOSIS.value)
_NO_DEED = (*_LOOKS, Phase.PREREQUISITES.value, Phase.VERIFICATION.value)
_MOST = 4
"""Of what was found or tried, the newest so many are told: people read it on a telephone."""
_SHORT = 80


def facts(
    incident: Incident,
    handbook: Handbook,
    runbook: Runbook | None,
    *,
    who: str,
    now: datetime,
    seen: str = "",
) -> dict[str, Fact]:
    """All that is known; what is not, is left out. Times are UTC.

    seen: what is to be said of the present state besides what the journal knows, in words.
    """
    known: dict[str, Fact | None] = {
        "severity": Safe(incident.severity.value) if incident.severity else None,
        "title": incident.title or (runbook.title if runbook else None),
        "service": incident.service,
        "host": clean_line(incident.host),
        "who": clean_line(who),
        "incident": clean_line(incident.id),
        "runbook": clean_line(incident.runbook.title) if incident.runbook else None,
        "now": now,
        "started": incident.started,
        "acknowledged": incident.acknowledged,
        "mitigated": incident.mitigated,
        "resolved": incident.resolved,
        "downtime": _downtime(incident, now),
        "phone": _phone(handbook, who),
        "dashboard": handbook.dashboards[0] if len(handbook.dashboards) == 1 else None,
        "state": state(incident, seen),
        "found": found(incident, runbook),
        "tried": tried(incident, runbook),
    }
    if incident.resolution:
        done = incident.resolution
        known |= {"cause": clean(done.cause), "fix": clean(done.fix)}
        known["follow_up"] = clean(done.follow_up) or Safe("none")
    return {name: fact for name, fact in known.items() if fact not in (None, "")}


def state(incident: Incident, seen: str = "") -> Safe:
    """How it stands now: status, whether a verification passed, links, limits, what runs."""
    said = [incident.status.value]
    if incident.last_change:
        verified = "verified" if incident.verified else "not verified"
        said.append(f"{verified} since the last change")
    said += [f"no link to {host}" for host in _cut_off(incident)]
    said += dict.fromkeys(one.words for one in incident.crossed.values())
    said += [seen] if seen else []
    running = incident.running()
    said += [f"`{beginning(run.asked.command)}` runs" for run in running[:2]]
    said += [f"{len(running) - 2} more commands run"] if len(running) > 2 else []
    return clean_line("; ".join(said))


def found(incident: Incident, runbook: Runbook | None) -> Safe:
    """What diagnosis showed: notes of the responder, steps with the last line that they printed."""
    said: list[tuple[datetime, str]] = []
    for entry in incident.entries:
        note = entry.record.event
        # A note of another kind is for the handoff or the review, not for those who wait.
        if isinstance(note, e.NoteAdded) and kind(note.text) is None:
            said.append((entry.at, note.text))
    for ref, step in _steps(incident, runbook, lambda phase: phase in _LOOKS):
        if step.mark is Mark.SKIPPED:
            continue
        runs = incident.runs_of(ref)
        lines = runs[-1].tail.strip().split("\n") if runs else [""]
        shown = f": {lines[-1].strip()}" if lines[-1].strip() else ""
        failed = f": failed{_because(step)}" if step.mark is Mark.FAILED else ""
        said.append((step.at, f"{step.title}{failed or shown}"))
    return _newest(said)


def tried(incident: Incident, runbook: Runbook | None) -> Safe:
    """What was done about it: steps with how their commands ended, and commands of no step."""
    said: list[tuple[datetime, str]] = []
    for ref, step in _steps(incident, runbook, lambda phase: phase not in _NO_DEED):
        newest = {run.asked.command_id: run for run in incident.runs_of(ref)}
        ends = [step.mark.value + _because(step), *(_ended(run) for run in newest.values())]
        said.append((step.at, f"{step.title} ({', '.join(dict.fromkeys(ends))})"))
    for run in incident.runs.values():
        loose = run.asked.step not in incident.steps and not run.asked.rollout
        if loose and run.asked.risk != "read":
            said.append((run.at, f"`{beginning(run.asked.command)}` ({_ended(run)})"))
    for id, rolled in incident.rollouts.items():
        if rolled.asked.risk != "read":
            how = counted(standings(incident, id))
            words = f"`{beginning(rolled.asked.command)}` on {rolled.asked.label} ({how})"
            said.append((rolled.at, words))
    return _newest(said)


def _steps(
    incident: Incident, runbook: Runbook | None, wanted: Callable[[str], bool]
) -> list[tuple[e.StepRef, StepState]]:
    """The marked steps of some phases; where the runbook is not at hand, by what ran in them."""
    phases: dict[e.StepRef, str] = {
        run.asked.step: run.asked.phase for run in incident.runs.values() if run.asked.step
    }
    if runbook is not None:
        phases |= {
            e.StepRef(runbook.path, step.id): step.phase.value for _, step in runbook.steps()
        }
    return [(ref, one) for ref, one in incident.steps.items() if wanted(phases.get(ref, ""))]


def _because(step: StepState) -> str:
    return f": {step.reason}" if step.reason else ""


def _ended(run: Run) -> str:
    if not run.over:
        return "still runs"
    if run.state is RunState.UNKNOWN:
        return "nobody knows whether it ran"
    return outcome(run.state.value, run.exit_status)


def _newest(said: list[tuple[datetime, str]]) -> Safe:
    lines = [clean_line(words, max_chars=_SHORT * 2) for _, words in sorted(said)]
    return Safe("; ".join(line.rstrip(" .") for line in lines[-_MOST:]))


def _downtime(incident: Incident, now: datetime) -> timedelta | None:
    if incident.started is None:
        return None
    hurt = (incident.hurt_until or now) - incident.started
    over = (incident.resolved or now) - incident.started
    return UntilMitigated(seconds=hurt.total_seconds()) if hurt < over else hurt


def _cut_off(incident: Incident) -> list[str]:
    """The hosts whose link was last heard of as gone."""
    last: dict[str, str] = {}
    for entry in incident.entries:
        event = entry.record.event
        if isinstance(event, e.LinkChanged):
            last[event.host] = event.state
    return [host for host, how in last.items() if how in ("lost", "down")]


def _phone(handbook: Handbook, who: str) -> Safe | None:
    """Where the responder can be called; None where the handbook does not name them."""
    own = [one for level in handbook.levels for one in level.contacts if one.goes_by(who)]
    return next((one.phone for one in own if one.phone), None)
