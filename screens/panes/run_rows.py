"""A run of a command as rows: what it printed, how it ended, what the author expects beside it."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.incident.incident import Run, RunState
from cockpit.incident.output import EXCERPT, Output
from cockpit.incident.timeline import outcome
from cockpit.runbook.expect import Suggestion
from cockpit.runs import TAIL_LINES
from cockpit.target.sudo import was_refused
from cockpit.text import Safe, clean, clean_line
from cockpit.words import duration, size
from screens import paint
from screens.paint import Part, Row

OUTPUT_LINES = 8
BELOW = 2
INDENT = Safe("        ")
WINDOW = 16_384

_SIGNS = {
    RunState.UNKNOWN: ("??", "bad"),
    RunState.STOPPED: ("--", "warn"),
    RunState.NEVER_STARTED: ("--", "warn"),
}


@dataclass(frozen=True, slots=True)
class Printed:
    """The last lines of an output, what to say of the rest, and whether these are all."""

    lines: tuple[str, ...] = ()
    above: str = ""

    @property
    def whole(self) -> bool:
        return not self.above

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def printed(run: Run, output: Output | None) -> Printed:
    """What is at hand of the output of a run."""
    newest = output.newest[-WINDOW:] if output else b""
    text = clean(newest) if newest else clean(run.tail)
    total = output.offset if output and newest else run.size
    lines = tuple(text.rstrip("\n").split("\n")) if text.strip("\n") else ()
    file = clean_line(run.asked.evidence)
    if total > 2 * EXCERPT:
        where = f"; the whole is in {file}" if file else ""
        return Printed(lines, f"{size(total)} in all; o shows its start and end{where}")
    if newest and total <= len(newest):
        return Printed(lines)
    if newest or len(lines) >= TAIL_LINES:
        return Printed(lines, f"{size(total)} in all; o shows it")
    if output is None and not lines and not run.over:
        return Printed(lines, "o shows what it has printed so far")
    return Printed(lines)


def sign(run: Run | None) -> Part:
    """Two cells that say how a command stands: ok, !! (failed), .. (runs), ?? (nobody knows)."""
    if run is None:
        return Safe("  "), ""
    if run.state is RunState.DONE:
        return (Safe("ok"), "good") if run.exit_status == 0 else (Safe("!!"), "bad")
    word, style = _SIGNS.get(run.state, ("..", "warn"))
    return Safe(word), style


def output(shown: Printed, width: int, stop: object, most: int) -> list[Row]:
    """The last lines of what was printed, and a line for what is not shown."""
    lines = shown.lines[-most:]
    above, hidden = shown.above, len(shown.lines) - len(lines)
    if hidden and not above:
        above = f"{hidden} {'line' if hidden == 1 else 'lines'} above; o shows all"
    rows = [
        paint.row((Safe(f"{INDENT}│ {line}"), "faint"), stop=stop)
        for line in (paint.fold(Safe(above), width - 11) if above else [])
    ]
    return rows + [
        paint.row((paint.fit(Safe(f"{INDENT}│ {line}"), width - 1), ""), stop=stop)
        for line in lines
    ]


def refused(run: Run, shown: Printed, width: int, stop: object) -> list[Row]:
    """What to do where sudo wanted a password and a job has nobody to ask."""
    if run.asked.terminal or not run.over or not was_refused(shown.text):
        return []
    words = (
        "a password was wanted, and a job has nobody to ask: T runs it in your terminal. What"
        " stands before that in the command may have run already."
    )
    return [
        paint.row((Safe(f"{INDENT}{line}"), "warn"), stop=stop)
        for line in paint.fold(Safe(words), width - 9)
    ]


def expectation(text: Safe, width: int, stop: object) -> list[Row]:
    """The author's words, with a lead where they do not lead themselves."""
    leads = ("look for", "should", "expect")
    if "\n" in text:
        # An output as an example.
        lines = [line for one in text.split("\n") for line in paint.fold(Safe(one), width - 11)]
        shown = [Safe("Expected:"), *(Safe(f"| {line}") for line in lines)]
        return [paint.row((Safe(f"{INDENT}{line}"), "warn"), stop=stop) for line in shown]
    said = text if text.lower().startswith(leads) else Safe(f"Expected: {text}")
    return [
        paint.row((Safe(f"{INDENT}{line}"), "warn"), stop=stop)
        for line in paint.fold(said, width - 9)
    ]


def suggestion(
    said: Suggestion | None, expected: Safe, leads: Safe, width: int, stop: object
) -> list[Row]:
    """What the output suggests and where the runbook goes on then; both may be nothing."""
    parts: list[Part] = []
    if said is not None and said.matches:
        word = "found" if expected.lower().startswith("look for") else "matches"
        parts = [(Safe(f"{word}: "), "good"), (said.why, "")]
    elif said is not None:
        parts = [(Safe("does not match: "), "bad"), (Safe(f"{said.why}; look closely"), "")]
    if leads:
        parts += [(Safe(" · "), "")] if parts else []
        parts += [(Safe("b: "), "key"), (leads, "strong")]
    if not parts:
        return []
    return [
        paint.row((INDENT, ""), *line, stop=stop) for line in paint.fold_parts(parts, width - 9, 2)
    ]


def verdict(run: Run, *, lost: bool = False) -> list[Part]:
    """How a run stands, in words: `OK exit 0 · 0.3 s`, `FAILED exit 1`, `running`, `UNKNOWN`.

    lost: its host cannot be reached now.
    """
    took = f" · {duration(run.seconds)}" if run.seconds is not None else ""
    if run.asked.terminal and run.seconds is not None:
        took += " in your terminal"
    match run.state:
        case RunState.DONE:
            ok = run.exit_status == 0
            word = Safe("OK " if ok else "FAILED ")
            rest = Safe(outcome("done", run.exit_status) + took)
            quiet = Safe(" · no output") if not run.size else Safe("")
            return [(word, "good" if ok else "bad"), (rest, ""), (quiet, "faint")]
        case RunState.UNKNOWN:
            return [
                (Safe("UNKNOWN "), "bad"),
                (clean_line(f"{run.why} enter offers what to look at."), ""),
            ]
        case RunState.NEVER_STARTED if run.why:
            return [(Safe("NEVER STARTED "), "warn"), (clean_line(run.why), "")]
        case RunState.STOPPED | RunState.NEVER_STARTED:
            words = clean_line(outcome(run.why or run.state.value, run.exit_status) + took)
            return [(words, "warn")]
        case _ if lost:
            return [(Safe(f"{_meanwhile(run)}; the link is lost"), "warn")]
        case _:
            stop = "" if run.state is RunState.STOPPING else "; x stops it"
            return [(Safe(f"{_doing(run)}{stop}"), "warn")]


def stands(run: Run | None) -> list[Part]:
    """The verdict on a run for a place where no key stops it; nothing of none."""
    if run is None or run.over:
        return verdict(run) if run else []
    return [(Safe(f"{_doing(run)} …"), "warn")]


def _doing(run: Run) -> Safe:
    what = "sending to" if run.state is RunState.REQUESTED else f"{run.state.value} on"
    return clean_line(f"{what} {run.asked.host}")


def _meanwhile(run: Run) -> str:
    """What can be said of a run that is not over while its host cannot be reached."""
    host = clean_line(run.asked.host)
    if run.state is RunState.STOPPING:
        return f"stop waits for the link: it goes on on {host} until then"
    if run.state is RunState.REQUESTED:
        return f"whether it started on {host} is not known yet"
    return f"goes on on {host}, its output comes later"
