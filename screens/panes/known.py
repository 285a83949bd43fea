"""What the incident knows of a runbook: its steps and commands looked up, the open step in full."""

from __future__ import annotations

import re

from cockpit.incident.incident import Incident, Mark, Run, StepState
from cockpit.incident.rollouts import counted, standings
from cockpit.responder import Chosen, Preview, Responder
from cockpit.runbook import expect
from cockpit.runbook.model import Command, Reference, Step
from cockpit.text import Redactor, Safe, clean, clean_line
from screens.panes.places import Found, Places
from screens.panes.run_rows import Printed, printed
from screens.panes.step_rows import Facts

_CHANGES_DIRECTORY = re.compile(r"\b(?:cd|pushd|popd)\b")


class Known:
    """Marks by the id of the step, the newest run by the id of the command, of one runbook.

    rolled: the newest rollout, by the id of the command. moved: hosts where a command may have gone
    to another directory than it began in.
    """

    def __init__(self, incident: Incident, path: str) -> None:
        self.of = (incident.steps, incident.runs, incident.rollouts, path)
        self.states: dict[str, StepState] = {
            ref.step: state for ref, state in incident.steps.items() if ref.runbook == path
        }
        self.marks: dict[str, Mark] = {id: state.mark for id, state in self.states.items()}
        self.runs: dict[str, Run] = {
            run.asked.command_id: run
            for run in incident.runs.values()
            if run.asked.step is not None
            and run.asked.step.runbook == path
            and not run.asked.rollout
        }
        self.rolled: dict[str, str] = {
            rolled.asked.command_id: id
            for id, rolled in incident.rollouts.items()
            if rolled.asked.step is not None and rolled.asked.step.runbook == path
        }
        self.moved = frozenset(
            run.asked.host
            for run in incident.runs.values()
            if run.asked.step is not None
            and run.asked.step.runbook == path
            and _CHANGES_DIRECTORY.search(run.asked.command)
        )
        self.done = frozenset(id for id, mark in self.marks.items() if mark is Mark.DONE)

    def still(self, incident: Incident, path: str) -> bool:
        """Whether nothing has happened since to what is kept here."""
        steps, runs, rollouts, of = self.of
        same = steps is incident.steps and runs is incident.runs
        return same and rollouts is incident.rollouts and of == path


def facts(responder: Responder, known: Known, places: Places, found: Found) -> Facts:
    """All that the open step shows beside the author's words."""
    step, incident = found.step, responder.incident
    assert step is not None
    runs = {one.id: run for one in step.commands if (run := known.runs.get(one.id))}
    outputs = {id: printed(run, responder.outputs.get(run.job)) for id, run in runs.items()}
    previews = {
        one.id: responder.preview(Chosen(places.book, found.section, step, one))
        for one in step.commands
    }
    redact = Redactor(incident.salt.encode())
    ran_as = {
        id: _ran_as(previews[id], run, responder.target.name, redact) for id, run in runs.items()
    }
    return Facts(
        state=known.states.get(step.id),
        runs=runs,
        outputs=outputs,
        previews=previews,
        ran_as={id: words for id, words in ran_as.items() if words},
        suggested=_suggested(step, runs, outputs),
        fits=_fitting(step, runs, outputs),
        places=labels(places, step.items),
        rolled={
            one.id: _on_many(responder, id)
            for one in step.commands
            if (id := known.rolled.get(one.id))
        },
        host=responder.target.name,
        lost=responder.links.lost,
        elsewhere={
            id: incident.session(places.book.path, now.host).directory
            for id, now in previews.items()
            if now.host in known.moved
        },
    )


def labels(places: Places, items: tuple[object, ...]) -> dict[str, Safe]:
    """Where the references among these items lead, in words; only what is in the file."""
    targets = {item.target for item in items if isinstance(item, Reference) and item.target}
    return {target: places.label(target) for target in targets if places.named(target)}


def _suggested(
    step: Step, runs: dict[str, Run], outputs: dict[str, Printed]
) -> dict[str, expect.Suggestion]:
    found = {}
    for command in step.commands:
        run = runs.get(command.id)
        if run is None or not run.over or command.expectation is None:
            continue
        shown = outputs[command.id]
        said = expect.suggest(
            command.expectation.text, shown.text, run.exit_status, whole=shown.whole
        )
        if said is not None:
            found[command.id] = said
    return found


def _fitting(step: Step, runs: dict[str, Run], outputs: dict[str, Printed]) -> frozenset[int]:
    """The references whose "if" is so, by the output of the command before them."""
    fits = set()
    before: Command | None = None
    for index, item in enumerate(step.items):
        if isinstance(item, Command):
            before = item
        elif isinstance(item, Reference) and before is not None and item.target:
            run = runs.get(before.id)
            if run is None or not run.over:
                continue
            shown = outputs[before.id]
            if expect.applies(item.text, shown.text, run.exit_status, whole=shown.whole):
                fits.add(index)
    return frozenset(fits)


def _on_many(responder: Responder, id: str) -> tuple[Safe, bool]:
    """How the newest rollout of a command stands, in words, and whether it is bad."""
    states = standings(responder.incident, id, responder.links.of)
    label = responder.incident.rollouts[id].asked.label
    bad = any(state.stand.bad for state in states)
    return clean_line(f"on {label}: {counted(states)}"), bad


def _ran_as(now: Preview, run: Run, host: str, redact: Redactor) -> Safe:
    """What really ran and where, where that is not what the step and the screen say."""
    ran, said = clean(run.asked.command).strip(), clean(now.text).strip()
    if ran != said:
        # In the journal it stands without its secrets.
        said = redact(Safe(said))
    place = f" on {clean_line(run.asked.host)}" if run.asked.host not in (host, now.host) else ""
    if ran == said:
        return Safe(f"ran{place}" if place else "")
    return Safe(f"ran{place}: {ran}")
