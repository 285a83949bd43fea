"""A step as rows: one line while it is closed; open, its prose, commands, output and references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.cells import cell_len

from cockpit.incident.incident import Mark, Run, RunState, StepState
from cockpit.responder import Preview
from cockpit.runbook.expect import Suggestion
from cockpit.runbook.model import Command, Item, Prose, Reference, Snippet, Step, StepKind
from cockpit.text import Safe, clean, clean_line
from screens import paint
from screens.paint import Part, Row
from screens.panes import prose_rows, run_rows
from screens.panes.places import Kind, Place, first_of
from screens.panes.run_rows import INDENT, Printed

POINTER = Safe("    ▸ ")
COMMAND_LINES = 10
PROSE_INDENT = 6

_MARKS = {Mark.DONE: ("x", "good"), Mark.SKIPPED: ("-", "faint"), Mark.FAILED: ("!", "bad")}
_RISKS = {"read": "faint", "change": "warn", "destroy": "bad"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the open step; runs, outputs and the rest by the id of the command.

    ran_as: what really ran and where, where that is not what is shown. rolled: how it stands on
    many hosts, in words, and whether that is bad. fits: references whose "if" is so, by their
    number in the step. places: where references lead, in words. lost: the hosts that cannot be
    reached now.
    """

    state: StepState | None = None
    runs: Mapping[str, Run] = field(default_factory=dict)
    outputs: Mapping[str, Printed] = field(default_factory=dict)
    previews: Mapping[str, Preview] = field(default_factory=dict)
    ran_as: Mapping[str, Safe] = field(default_factory=dict)
    suggested: Mapping[str, Suggestion] = field(default_factory=dict)
    fits: frozenset[int] = frozenset()
    places: Mapping[str, Safe] = field(default_factory=dict)
    host: str = ""
    lost: frozenset[str] = frozenset()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    rolled: Mapping[str, tuple[Safe, bool]] = field(default_factory=dict)


def closed(
    step: Step, state: StepState | None, runs: list[Run | None], needless: bool, width: int
) -> Row:
    """A step as one line: its sign, its title, and what is to be known of it."""
    tail, style = _tail(step, state, runs, needless)
    look = "faint" if state or needless else ""
    title = _titled(step, state)
    room = width - 7 - (cell_len(tail) + 2 if tail else 0)
    if cell_len(title) > room:
        title = paint.fit(title, max(8, room))
    parts: list[Part] = [(Safe("  "), ""), _box(step, state), (title, look)]
    if tail:
        parts.append((Safe(f"  {tail}"), style))
    return paint.row(*parts, stop=first_of(step))


def opened(step: Step, at: Place, facts: Facts, needless: bool, width: int) -> list[Row]:
    """The step under the cursor, with all that stands in it."""
    first = first_of(step)
    tail, style = _tail(step, facts.state, [], needless)
    parts: list[Part] = [(_titled(step, facts.state), "strong")]
    if tail:
        parts.append((Safe(f"  {tail}"), style))
    rows = [
        paint.row(
            (Safe("      "), "") if number else (Safe("> "), "key"),
            *(() if number else (_box(step, facts.state),)),
            *line,
            stop=first,
        )
        for number, line in enumerate(paint.fold_parts(parts, width - 7))
    ]
    number, last = -1, len(step.commands) - 1
    closing: list[Row] = []
    for index, item in enumerate(step.items):
        if not isinstance(item, Reference):
            rows, closing = rows + closing, []
        if isinstance(item, Command):
            number += 1
            stop = Place(Kind.STEP, step.id, number)
            rows += _command(step, item, number, facts, width, here=at == stop)
            run = facts.runs.get(item.id)
            closing = _next(step, number, facts, width, run) if at == stop and run else []
            continue
        # What is read before a command belongs to it; a reference to the one before.
        nearest = max(number, 0) if isinstance(item, Reference) else min(number + 1, last)
        stop = Place(Kind.STEP, step.id, nearest if step.commands else -1)
        rows += [paint.row(*row.parts, stop=stop) for row in _read(item, index, step, facts, width)]
    rows += closing
    if not step.commands:
        how = paint.fold(_by_hand(step, facts.state), width - 7)
        rows += [paint.row((Safe(f"      {line}"), "faint"), stop=first) for line in how]
    rows.append(paint.row())
    return rows


def text(items: tuple[Item, ...], places: Mapping[str, Safe], width: int) -> list[Row]:
    """What a section says before its first step, or all of it where it has none."""
    rows: list[Row] = []
    for item in items:
        match item:
            case Prose():
                rows += prose_rows.prose(item, width, PROSE_INDENT)
            case Snippet():
                rows += prose_rows.snippet(item, width, PROSE_INDENT)
            case Reference():
                rows += _reference(item, places, False, width)
            case Command():
                # A command that is told of, not to be run from here.
                rows.append(paint.row((clean_line(f"      `{item.text}`"), "code")))
    return rows


def _titled(step: Step, state: StepState | None) -> Safe:
    return Safe(f"{step.title} ({state.reason})") if state and state.reason else step.title


def _box(step: Step, state: StepState | None) -> Part:
    mark, style = _MARKS[state.mark] if state else (" ", "")
    left, right = "()" if step.kind is StepKind.OPTION else "[]"
    return Safe(f"{left}{mark}{right} "), style


def _tail(
    step: Step, state: StepState | None, runs: list[Run | None], needless: bool
) -> tuple[Safe, str]:
    """What stands behind the title: how its commands stand, or that it has none."""
    ran = [run for run in runs if run is not None]
    if any(not run.over for run in ran):
        return Safe("running"), "warn"
    if needless and state is None:
        return Safe("(not needed)"), "faint"
    if not step.commands:
        by_hand = step.kind is not StepKind.CHECK and state is None
        return Safe("(by hand)" if by_hand else ""), "faint"
    if state is not None or not ran:
        return Safe(""), ""
    if any(run.state is RunState.UNKNOWN for run in ran):
        return Safe("unknown how it ended"), "bad"
    bad = sum(run.state is RunState.DONE and bool(run.exit_status) for run in ran)
    if bad:
        return Safe(f"{bad} failed" if len(runs) > 1 else "failed"), "bad"
    if cut := next((run.state for run in ran if run.state is not RunState.DONE), None):
        return Safe(cut.value), "warn"
    return Safe(f"ran {len(ran)} of {len(runs)}" if len(runs) > 1 else "ran"), "faint"


def _by_hand(step: Step, state: StepState | None) -> Safe:
    if state is not None:
        return Safe("space takes the mark back")
    if step.kind is StepKind.CHECK:
        return Safe("space ticks it")
    return Safe("by hand: do it, then space ticks it")


def _read(item: Item, index: int, step: Step, facts: Facts, width: int) -> list[Row]:
    match item:
        case Snippet() if item.text.strip() in _expected(step):
            return []
        case Prose():
            rest = prose_rows.beyond(item, step.title)
            if rest is None:
                return prose_rows.links(item, width, PROSE_INDENT)
            return prose_rows.prose(rest, width, PROSE_INDENT)
        case Reference():
            return _reference(item, facts.places, index in facts.fits, width)
        case _:
            return text((item,), facts.places, width)


def _expected(step: Step) -> set[str]:
    """What the commands of a step are to print: shown with them, so not once more below."""
    return {one.expectation.text.strip() for one in step.commands if one.expectation}


def _reference(item: Reference, places: Mapping[str, Safe], fits: bool, width: int) -> list[Row]:
    parts: list[Part] = [(Safe("→ "), "key")]
    if fits:
        parts.append((Safe("fits the output: "), "warn strong"))
    parts.append((item.text, "strong" if fits else ""))
    if item.target in places:
        parts.append((Safe(" (b goes there)" if len(places) == 1 else " (b)"), "key"))
    return [
        paint.row((Safe("      "), ""), *line) for line in paint.fold_parts(parts, width - 7, 2)
    ]


# Commands


def _command(
    step: Step, command: Command, number: int, facts: Facts, width: int, *, here: bool
) -> list[Row]:
    stop = Place(Kind.STEP, step.id, number)
    run = facts.runs.get(command.id)
    rows: list[Row] = []
    if command.title and not _said(command.title, step, number):
        look = "" if here or run is None else "faint"
        titles = paint.fold(command.title, width - 7)
        rows += [
            paint.row((Safe(f"      {line}"), look), stop=stop)
            for line in (titles if here else titles[:1])
        ]
    rows += _text(command, run, facts, width, stop, here)
    if here:
        rows += _told(step, command, number, run, facts, width)
    if run is not None:
        rows += _ran(command, run, step, number, facts, width, here)
    if command.id in facts.rolled:
        words, bad = facts.rolled[command.id]
        rows += [
            paint.row((INDENT, ""), (line, "bad" if bad else ""), stop=stop)
            for line in paint.fold(words, width - 9)
        ]
    if run is None and here and command.expectation:
        rows += run_rows.expectation(command.expectation.text, width, stop)
    return rows


def _said(title: Safe, step: Step, number: int) -> bool:
    """Whether the step's title, or what stands before a command, says what it is for."""
    words, before = title.rstrip(":…"), -1
    for item in step.items:
        if isinstance(item, Command):
            before += 1
            if before == number:
                break
            if before == number - 1 and item.title == title:
                return True
        elif isinstance(item, Prose) and words in " ".join(item.text.split()):
            return True
    return words == step.title


def _text(
    command: Command, run: Run | None, facts: Facts, width: int, stop: Place, here: bool
) -> list[Row]:
    """The command with the values that are known; beside the others one line, and its risk."""
    preview = facts.previews.get(command.id)
    whole = Safe(clean(preview.text if preview else command.text).strip("\n"))
    if not here:
        first, *more = whole.split("\n")
        risk = "" if command.risk.value == "read" else f"  [{command.risk.value}]"
        line = Safe(f"$ {first}{' …' if more else ''}")
        room = width - 7 - len(risk)
        shown = paint.fit(line, room) if cell_len(line) > room else line
        mark, style = run_rows.sign(run)
        return [
            paint.row(
                (Safe("   "), ""), (mark, style), (Safe(" "), ""),
                (shown, "faint"), (Safe(risk), _RISKS[command.risk.value]), stop=stop,
            )
        ]  # fmt: skip
    folded = paint.fold(whole, width - 9)
    if len(folded) > COMMAND_LINES:
        more_lines = len(folded) - COMMAND_LINES + 1
        folded = [*folded[: COMMAND_LINES - 1], Safe(f"… {more_lines} more lines; o shows all")]
    return [
        paint.row(
            (Safe("      ") if index else POINTER, "key"),
            (Safe(f"{'  ' if index else '$ '}{line}"), "code strong"),
            stop=stop,
        )
        for index, line in enumerate(folded)
    ]


def _told(
    step: Step, command: Command, number: int, run: Run | None, facts: Facts, width: int
) -> list[Row]:
    """What enter would do with the command under the cursor, and where."""
    stop = Place(Kind.STEP, step.id, number)
    preview = facts.previews.get(command.id)
    missing = [*preview.missing] if preview else [gap.name for gap in command.placeholders]
    said = [command.risk.value]
    if len(step.commands) > 1:
        said.insert(0, f"command {number + 1} of {len(step.commands)}")
    if command.waits:
        stream = command.waits.value == "stream"
        said.append("runs until stopped" if stream else "needs a terminal")
    if missing:
        said.append("asks for " + ", ".join(missing))
    parts: list[Part] = [(Safe(f"[{'; '.join(said)}]"), _RISKS[command.risk.value])]
    if preview and (preview.waits or (preview.host in facts.lost and (not run or run.over))):
        parts.append((_held(preview, preview.host in facts.lost), "warn"))
    elif run is None:
        enter = "enter runs it" if command.risk.value == "read" else "enter asks first"
        if command.waits and command.waits.value != "stream" and command.risk.value == "read":
            enter = "enter hands it the terminal"
        parts.append((Safe(f" {'enter asks for it' if missing else enter}"), "faint"))
    lines = [tuple(line) for line in paint.fold_parts(parts, width - 9)]
    where = _where(command, facts, beside=run is not None and not run.over)
    lines += [((line, "warn"),) for words in where for line in paint.fold(words, width - 9)]
    return [paint.row((INDENT, ""), *line, stop=stop) for line in lines]


def _held(preview: Preview, lost: bool) -> Safe:
    """What enter does where the command could not be sent, or cannot be sent now."""
    host = clean_line(preview.host)
    if not preview.waits:
        return Safe(f" {host} is out of reach: enter prepares it, nothing is sent")
    if lost:
        return Safe(f" prepared; not sent: {host} is out of reach; x drops it")
    return Safe(" prepared; waits for your word: enter goes on, x drops it")


def _where(command: Command, facts: Facts, *, beside: bool) -> list[Safe]:
    """In words where it runs, where that is not where the runbook began.

    beside: it runs, so what it would find if it were run now does not matter.
    """
    preview = facts.previews.get(command.id)
    if preview is None:
        return []
    said = []
    if preview.host != facts.host:
        said.append(f"on {clean_line(preview.host)}")
    if directory := facts.elsewhere.get(command.id):
        said.append(f"in {clean_line(directory)}")
    if preview.carries:
        names = ", ".join(clean_line(name) for name in preview.carries[:4])
        more = len(preview.carries) - 4
        said.append(f"with {names}{f' and {more} more' if more > 0 else ''} from before")
    words = [Safe(f"runs {', '.join(said)}")] if said else []
    return [*words, clean_line(preview.doubt)] if preview.doubt and not beside else words


def _ran(
    command: Command, run: Run, step: Step, number: int, facts: Facts, width: int, here: bool
) -> list[Row]:
    stop = Place(Kind.STEP, step.id, number)
    rows: list[Row] = []
    if words := facts.ran_as.get(command.id):
        folded = paint.fold(words, width - 9)
        most = COMMAND_LINES if here else 1
        if len(folded) > most:
            folded = [*folded[: most - 1], paint.fit(Safe(f"{folded[most - 1]} …"), width - 9)]
        rows += [paint.row((Safe(f"{INDENT}{line}"), "warn"), stop=stop) for line in folded]
    shown = facts.outputs.get(command.id, Printed())
    rows += run_rows.output(shown, width, stop, run_rows.OUTPUT_LINES if here else run_rows.BELOW)
    if here or run.state is not RunState.DONE or run.exit_status:
        lost = run.asked.host in facts.lost
        rows += [
            paint.row((INDENT, ""), *line, stop=stop)
            for line in paint.fold_parts(run_rows.verdict(run, lost=lost), width - 9)
        ]
    rows += run_rows.refused(run, shown, width, stop)
    said, leads = facts.suggested.get(command.id), _leads(step, number, facts)
    expected = command.expectation.text if command.expectation else Safe("")
    if command.expectation and (here or (said is not None and not said.matches)):
        rows += run_rows.expectation(expected, width, stop)
    if here or (said is not None and not said.matches):
        rows += run_rows.suggestion(said, expected, leads, width, stop)
    return rows


def _leads(step: Step, number: int, facts: Facts) -> Safe:
    """Where the first reference behind a command leads whose "if" the output fulfils."""
    command = -1
    for index, item in enumerate(step.items):
        if isinstance(item, Command):
            command += 1
        elif isinstance(item, Reference) and command == number and index in facts.fits:
            return facts.places.get(item.target or "", Safe(""))
    return Safe("")


def _next(step: Step, number: int, facts: Facts, width: int, run: Run) -> list[Row]:
    """What the keys do once it has run: the cursor stays until the responder moves it."""
    if not run.over:
        return []
    stop = Place(Kind.STEP, step.id, number)
    # What enter does where nobody knows how a run ended is said with that.
    said = [] if run.state is RunState.UNKNOWN else ["enter runs it again"]
    if number + 1 < len(step.commands):
        said.append(f"j goes to command {number + 2}")
    said.append("space takes the mark back" if facts.state else "space ticks the step")
    return [
        paint.row((Safe(f"{INDENT}{line}"), "faint"), stop=stop)
        for line in paint.fold(Safe(" · ".join(said)), width - 9)
    ]
