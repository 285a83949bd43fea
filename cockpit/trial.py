"""A runbook tried before the shift: what only reads is run for real, the rest is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from cockpit.headless import Headless, Heard, Shut
from cockpit.incident.incident import RunState
from cockpit.responder import Chosen
from cockpit.runbook import expect, placeholders
from cockpit.runbook.model import Command, Risk, Runbook, Section, Step, Waits
from cockpit.runs import CannotRun
from cockpit.text import Safe, clean, clean_line

ENDLESS_FOR = 3.0
LONGEST = 60.0
SHOWN_LINES = 5


class Outcome(StrEnum):
    """What became of a command."""

    OK = "ok"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Tried:
    """One command of a runbook after a trial.

    text is what ran, or would have. why: one line. output is redacted; empty where it did not run.
    """

    section: Section
    step: Step
    command: Command
    text: Safe
    outcome: Outcome
    why: Safe
    exit_status: int | None = None
    seconds: float = 0.0
    output: Safe = Safe("")

    def record(self) -> dict[str, object]:
        """As JSON data."""
        return {
            "line": self.command.lines.first,
            "section": self.section.title,
            "step": self.step.title,
            "command": self.text,
            "risk": self.command.risk.value,
            "outcome": self.outcome.value,
            "why": self.why,
            "exit_status": self.exit_status,
            "seconds": self.seconds,
            "expected": self.command.expectation.text if self.command.expectation else None,
            "output": self.output,
        }


async def attempt(
    headless: Headless,
    runbook: Runbook,
    values: Mapping[str, str],
    told: Callable[[Tried], None] = lambda tried: None,
) -> list[Tried]:
    """Every command of the runbook in order: run where the gate is open, else said why not.

    values: for placeholders, by name. told: called with each as soon as it is known. Raises
    headless.Unreachable when the host is lost for good.
    """
    found: list[Tried] = []
    unset: set[str] = set()
    left_out: set[str] = set()
    for section, step, command in runbook.commands():
        chosen = Chosen(runbook, section, step, command)
        one = await attempt_one(headless, chosen, values, unset)
        if one.outcome is Outcome.NOT_RUN and command.risk is not Risk.READ:
            left_out.add(step.id)
        elif one.outcome is Outcome.FAILED and step.id in left_out:
            why = f"{one.why}; not judged: a change before it in this step was not run"
            one = replace(one, outcome=Outcome.OK, why=Safe(why))
        names = placeholders.assigned(command.text)
        unset = unset | names if one.outcome is Outcome.NOT_RUN else unset - names
        found.append(one)
        told(one)
    return found


async def attempt_one(
    headless: Headless, chosen: Chosen, values: Mapping[str, str], unset: Collection[str] = ()
) -> Tried:
    """One command: run where the gate is open, else said why not.

    unset: variables that only commands which were not run would have set. Raises
    headless.Unreachable when the host is lost for good.
    """
    responder, command = headless.responder, chosen.command
    if command.risk is not Risk.READ:
        return _not_run(headless, chosen, f"changes something: {command.because}")
    if command.host and command.host != responder.target.name:
        return _not_run(headless, chosen, f"is for the host {command.host}")
    wanted = [name for name in sorted(unset) if re.search(rf"\$\{{?{name}\b", command.text)]
    if wanted and not placeholders.assigned(command.text) >= set(wanted):
        return _not_run(headless, chosen, f"needs ${wanted[0]}, of a command that was not run")
    ready = responder.preview(chosen)
    text = ready.text
    if ready.missing:
        try:
            text = placeholders.fill(text, values, ready.carries)
        except placeholders.Missing as missing:
            return _not_run(headless, chosen, f"{missing}")
    waits = await responder.why_terminal(text, chosen)
    if waits:
        return _not_run(headless, chosen, f"needs a person: {waits}")
    endless = command.waits is Waits.STREAM
    limit = ENDLESS_FOR if endless else command.timeout_s or LONGEST
    try:
        heard = await headless.read(text, chosen, seconds=limit)
    except (Shut, CannotRun) as error:
        return _not_run(headless, chosen, str(error), text)
    return _judged(headless, chosen, text, heard, endless=endless, limit=limit)


def _judged(
    headless: Headless, chosen: Chosen, text: str, heard: Heard, *, endless: bool, limit: float
) -> Tried:
    run, command = heard.run, chosen.command
    shown = clean(heard.output)
    expected = command.expectation.text if command.expectation else Safe("")
    known = run.exit_status if run.state is RunState.DONE else None
    suggestion = expect.suggest(expected, shown, known) if expected else None
    outcome, why = Outcome.OK, f"exit status {run.exit_status}"
    if run.state is RunState.UNKNOWN:
        outcome, why = Outcome.FAILED, f"how it ended is not known: {run.why}"
    elif heard.cut and endless:
        why = f"does not end; stopped after {limit:g} s"
    elif heard.cut:
        outcome, why = Outcome.FAILED, f"did not end within {limit:g} s, and was stopped"
    elif run.exit_status is None:
        outcome, why = Outcome.FAILED, "its exit status is not known"
    elif run.exit_status != 0 and not (suggestion and suggestion.matches):
        outcome = Outcome.FAILED
    if suggestion is not None and not (heard.cut and not suggestion.matches):
        why += f"; {suggestion.why}"
        if not suggestion.matches:
            outcome = Outcome.FAILED
            why += f", expected {expected}"
    elif expected and outcome is Outcome.OK:
        why += f"; for a person to judge: {expected}"
    return Tried(
        chosen.section,
        chosen.step,
        command,
        _said(headless, text),
        outcome,
        clean_line(_said(headless, why), max_chars=300),
        run.exit_status,
        round(run.seconds or 0.0, 3),
        _said(headless, str(shown)),
    )


def _not_run(headless: Headless, chosen: Chosen, why: str, text: str = "") -> Tried:
    return Tried(
        chosen.section,
        chosen.step,
        chosen.command,
        _said(headless, text or chosen.command.text),
        Outcome.NOT_RUN,
        clean_line(why),
    )


def _said(headless: Headless, text: str) -> Safe:
    """What goes to a log of CI: cleaned, and without secrets."""
    return Safe(headless.responder.log.clean(text))


def line(tried: Tried) -> str:
    """A command and what became of it, with the end of its output where it failed."""
    first, *rest = tried.text.split("\n")
    words = {Outcome.OK: "ok  ", Outcome.FAILED: "FAIL", Outcome.NOT_RUN: "-   "}
    more = f" (+{len(rest)} lines)" if rest else ""
    out = [f"{words[tried.outcome]}  line {tried.command.lines.first}: {first}{more}"]
    took = f" in {tried.seconds:.1f} s" if tried.outcome is not Outcome.NOT_RUN else ""
    ran = "not run: " if tried.outcome is Outcome.NOT_RUN else ""
    out.append(f"        {ran}{tried.why}{took}")
    if tried.outcome is Outcome.FAILED:
        out += [f"        | {each}" for each in _end_of(tried.output)]
    return "\n".join(out)


def _end_of(output: str) -> Iterator[str]:
    lines = output.rstrip("\n").split("\n") if output.strip() else []
    if len(lines) > SHOWN_LINES:
        yield f"… {len(lines) - SHOWN_LINES} lines"
    yield from lines[-SHOWN_LINES:]


def count(found: list[Tried]) -> str:
    """How many ran, and how."""
    numbers = {each: sum(one.outcome is each for one in found) for each in Outcome}
    ran = numbers[Outcome.OK] + numbers[Outcome.FAILED]
    return (
        f"{ran} run: {numbers[Outcome.OK]} ok, {numbers[Outcome.FAILED]} failed; "
        f"{numbers[Outcome.NOT_RUN]} not run"
    )
