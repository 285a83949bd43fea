"""The runbook as a checklist: one line a step, the step under the cursor open with its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from cockpit.incident import events as e
from cockpit.incident.incident import Mark, Run, RunState
from cockpit.incident.timeline import duration, outcome, size
from cockpit.responder import Chosen, Responder
from cockpit.runs import TAIL_LINES
from cockpit.text import Redactor, Safe, clean, clean_line
from screens import paint
from screens.lines import Lines
from screens.paint import Row

if TYPE_CHECKING:
    from cockpit.runbook.model import Command, Section, Step

OUTPUT_LINES = 8
PROSE_LINES = 12
COMMAND_LINES = 10
WINDOW = 16_384

Stop = tuple[str, int]

_MARKS = {Mark.DONE: ("[x]", "good"), Mark.SKIPPED: ("[-]", "faint"), Mark.FAILED: ("[!]", "bad")}
_RISKS = {"read": "faint", "change": "warn", "destroy": "bad"}


class Checklist(Lines):
    """Steps of the runbook, with what became of them and the output of what was run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.run_command", "run", id="step.run", tooltip="Run the command"),
        Binding(
            "space", "screen.toggle_done", "done", id="step.done", tooltip="Mark done, or not done"
        ),
        Binding("s", "screen.skip_step", "skip", id="step.skip", tooltip="Skip, with a reason"),
        Binding("f", "screen.fail_step", "failed", id="step.fail", tooltip="Mark failed"),
        Binding("x", "screen.stop_run", "stop", id="step.stop", tooltip="Stop what runs"),
        Binding("o", "screen.show_output", "output", id="step.output", tooltip="Whole output"),
        Binding("e", "screen.edit_command", "edit", id="step.edit", tooltip="Edit, then run"),
        Binding(
            "b", "follow", "follow", id="step.follow", tooltip="Follow 'See ...'", show=False
        ),
        Binding("backspace", "back", "back", id="step.back", tooltip="Back again", show=False),
        Binding("y", "screen.copy_command", "copy", id="step.copy", tooltip="Copy", show=False),
        Binding("right_square_bracket", "section(1)", "next section", id="section.next",
                tooltip="Next section", show=False),
        Binding("left_square_bracket", "section(-1)", "section before", id="section.previous",
                tooltip="Section before", show=False),
        Binding("slash", "screen.search", "search", id="runbook.search", tooltip="Search",
                show=False),
    ]  # fmt: skip

    def __init__(self, responder: Responder, *, id: str) -> None:
        super().__init__(id=id)
        self.responder = responder
        self._came_from: list[Stop] = []
        self._shown_for: str | None = None
        self._seen: tuple[object, ...] | None = None

    def on_mount(self) -> None:
        self.refill()

    def moved(self) -> None:
        self.refill()

    def here(self) -> tuple[Section, Step] | None:
        """The step under the cursor."""
        book = self.responder.runbook
        if book is None or not isinstance(self.at, tuple):
            return None
        return next((pair for pair in book.steps() if pair[1].id == self.at[0]), None)

    def chosen(self) -> Chosen | None:
        """The command under the cursor; None on a step without one."""
        found = self.here()
        book = self.responder.runbook
        if found is None or book is None or not isinstance(self.at, tuple):
            return None
        section, step = found
        if not 0 <= self.at[1] < len(step.commands):
            return None
        return Chosen(book, section, step, step.commands[self.at[1]])

    def run_here(self) -> Run | None:
        """The newest run of the command under the cursor."""
        chosen = self.chosen()
        return self._newest(chosen.step, chosen.command) if chosen else None

    def _newest(self, step: Step, command: Command) -> Run | None:
        ref = self._ref(step)
        runs = [r for r in self.responder.incident.runs_of(ref) if r.asked.command_id == command.id]
        return runs[-1] if runs else None

    def _ref(self, step: Step) -> e.StepRef:
        book = self.responder.runbook
        return e.StepRef(book.path if book else "", step.id)

    def next_step(self) -> None:
        """Moves on to the step after this one."""
        found = self.here()
        book = self.responder.runbook
        if found is None or book is None:
            return
        steps = [step for _, step in book.steps()]
        index = steps.index(found[1])
        if index + 1 < len(steps):
            self.go_to(steps[index + 1])

    def go_to(self, step: Step) -> None:
        """Puts the cursor on a step, on its first command where it has any."""
        self.go((step.id, 0 if step.commands else -1))

    def go_to_id(self, id: str) -> None:
        """Puts the cursor on the step of that id, or on the first one of the section of that id."""
        book = self.responder.runbook
        if book is None:
            return
        for section, step in book.steps():
            if step.id == id or section.id == id:
                self.go_to(step)
                return

    def resume(self) -> None:
        """Goes to where the responder was: the last step touched."""
        self.refill()
        touched = [
            ref.step
            for entry in self.responder.incident.entries
            if (ref := getattr(entry.record.event, "step", None)) is not None
            and self.responder.runbook is not None
            and ref.runbook == self.responder.runbook.path
        ]
        if touched:
            self.go_to_id(touched[-1])

    def action_follow(self) -> None:
        found = self.here()
        targets = [ref.target for ref in found[1].references if ref.target] if found else []
        if not targets:
            self.notify("Nothing to follow in this step.", markup=False, timeout=3)
            return
        if isinstance(self.at, tuple):
            self._came_from.append(self.at)
        self.go_to_id(targets[0])

    def action_back(self) -> None:
        if self._came_from:
            self.go(self._came_from.pop())

    def action_section(self, by: int) -> None:
        book = self.responder.runbook
        found = self.here()
        if book is None or found is None:
            return
        sections = [section for section in book.sections() if section.steps]
        index = sections.index(found[0]) + by
        if 0 <= index < len(sections):
            self.go_to(sections[index].steps[0])

    def update(self) -> None:
        """Lays it out again where the incident or an output has changed."""
        responder = self.responder
        received = sum(output.offset for output in responder.outputs.values())
        seen = (responder.incident, responder.runbook, responder.target.name, received)
        if seen != self._seen:
            self._seen = seen
            self.refill()

    def refill(self) -> None:
        book = self.responder.runbook
        if book is None:
            self.border_title = paint.text(Safe("3 Runbook"))
            self.say(Safe("No runbook chosen."), Safe("B chooses one."))
            return
        if self._shown_for != book.sha256:
            self._shown_for = book.sha256
            first = next(iter(book.steps()), None)
            self.at = (first[1].id, 0 if first[1].commands else -1) if first else None
        steps = [step for _, step in book.steps()]
        marked = sum(self._ref(step) in self.responder.incident.steps for step in steps)
        self.border_title = paint.text(Safe(f"3 Runbook {marked}/{len(steps)}"))
        self.show_rows(self._rows())
        self.reveal()
        self.call_after_refresh(self.reveal)

    def _rows(self) -> list[Row]:
        book = self.responder.runbook
        assert book is not None
        width = max(20, self.size.width)
        severity = f" ({book.severity})" if book.severity else ""
        rows = [paint.row((Safe(f" {book.title}{severity}"), "strong"))]
        rows += [
            paint.row((line, "warn"))
            for warning in book.warnings
            for line in paint.fold(clean_line(f" ! {warning}"), width)
        ]
        open_step = self.at[0] if isinstance(self.at, tuple) else None
        for procedure in book.procedures:
            if len(book.procedures) > 1:
                rows.append(paint.row((Safe(f" {procedure.title}"), "title")))
            for section in procedure.sections:
                rows += self._section(section, open_step, width)
        if not any(True for _ in book.steps()):
            rows.append(
                paint.row((Safe(" No step was found in this file; here is its text."), "warn"))
            )
            for section in book.sections():
                rows += self._prose(section.intro, width)
        return rows

    def _section(self, section: Section, open_step: str | None, width: int) -> list[Row]:
        if not section.steps and not section.intro:
            return []
        marked = sum(self._ref(step) in self.responder.incident.steps for step in section.steps)
        count = f" {marked}/{len(section.steps)} " if section.steps else " "
        head = paint.fit(Safe(f"── {section.title}"), min(width - 12, cell_len(section.title) + 3))
        rule = "─" * (width - cell_len(head) - len(count) - 2)
        rows = [paint.row((Safe(f"{head} {rule}{count}"), "title"))]
        opened = any(step.id == open_step for step in section.steps)
        if section.intro and (opened or not section.steps):
            rows += self._prose(section.intro, width)
        for step in section.steps:
            rows += self._step(step, step.id == open_step, width)
        return rows

    def _step(self, step: Step, opened: bool, width: int) -> list[Row]:
        state = self.responder.incident.steps.get(self._ref(step))
        sign, style = _MARKS[state.mark] if state else ("[ ]", "")
        stop = (step.id, 0 if step.commands else -1)
        pointer = ">" if opened else " "
        title_style = "strong" if opened else ("faint" if state else "")
        title = [Safe(f"{step.title}")]
        if state and state.reason:
            title = [Safe(f"{step.title} ({state.reason})")]
        runs = [self._newest(step, command) for command in step.commands]
        busy = any(run and not run.over for run in runs)
        tail = Safe(" running") if busy and not opened else Safe("")
        lines = paint.fold(title[0], width - 7 - len(tail)) if opened else [
            paint.fit(title[0], width - 7 - len(tail))
        ]  # fmt: skip
        rows = [
            paint.row(
                (Safe(f"{pointer} "), "key"),
                (Safe(f"{sign} "), style),
                (lines[0], title_style),
                (tail, "warn"),
                stop=stop,
            )
        ]
        rows += [paint.row((Safe(f"      {line}"), title_style), stop=stop) for line in lines[1:]]
        if not opened:
            return rows
        from cockpit.runbook.model import Command

        number = 0
        for item in step.items:
            if isinstance(item, Command):
                rows += self._command(step, item, number, width)
                number += 1
            else:
                rows += self._prose((item,), width)
        rows.append(paint.row())
        return rows

    def _prose(self, items: tuple[object, ...], width: int) -> list[Row]:
        from cockpit.runbook.model import Command, Prose, Reference, Snippet

        rows: list[Row] = []
        for item in items:
            match item:
                case Prose(text=text):
                    folded = paint.fold(text, width - 7)
                    rows += [paint.row(Safe(f"      {line}")) for line in folded[:PROSE_LINES]]
                    if len(folded) > PROSE_LINES:
                        more = len(folded) - PROSE_LINES
                        rows.append(
                            paint.row((Safe(f"      … {more} more lines in the file"), "faint"))
                        )
                case Snippet(text=text):
                    lines = text.rstrip("\n").split("\n")
                    rows += [
                        paint.row((Safe(f"      | {line}"), "faint"))
                        for line in lines[:PROSE_LINES]
                    ]
                    if len(lines) > PROSE_LINES:
                        more = len(lines) - PROSE_LINES
                        rows.append(
                            paint.row((Safe(f"      | … {more} more lines in the file"), "faint"))
                        )
                case Reference(text=text, target=target):
                    hint = Safe(" (b goes there)") if target else Safe("")
                    rows += [
                        paint.row((Safe(f"      {line}"), "key"))
                        for line in paint.fold(Safe(f"→ {text}{hint}"), width - 7)
                    ]
                case Command():
                    rows.append(paint.row((clean_line(f"      $ {item.text}"), "code")))
                case _:
                    pass
        return rows

    def _command(self, step: Step, command: Command, number: int, width: int) -> list[Row]:
        stop = (step.id, number)
        here = self.at == stop
        rows: list[Row] = []
        if command.title and command.title != step.title:
            rows += [
                paint.row(Safe(f"      {line}"), stop=stop)
                for line in paint.fold(command.title, width - 7)
            ]
        said = [command.risk.value]
        if len(step.commands) > 1:
            said.insert(0, f"command {number + 1} of {len(step.commands)}")
        if command.waits:
            said.append(
                "runs until stopped" if command.waits.value == "stream" else "needs a terminal"
            )
        if command.placeholders:
            said.append("asks for " + ", ".join(gap.name for gap in command.placeholders))
        text = Safe(clean(command.text).rstrip("\n"))
        pointer = Safe("    ▸ ") if here else Safe("      ")
        folded = paint.fold(text, width - 9)
        if len(folded) > COMMAND_LINES:
            more = len(folded) - COMMAND_LINES + 1
            folded = [*folded[: COMMAND_LINES - 1], Safe(f"… {more} more lines; o shows all")]
        for index, line in enumerate(folded):
            lead = "$ " if index == 0 else "  "
            rows.append(
                paint.row(
                    (pointer if index == 0 else Safe("      "), "key"),
                    (Safe(f"{lead}{line}"), "code strong" if here else "code"),
                    stop=stop,
                )
            )
        if here or command.risk.value != "read":
            tags = Safe(f"        [{'; '.join(said)}]")
            rows.append(paint.row((tags, _RISKS[command.risk.value]), stop=stop))
        run = self._newest(step, command)
        if run:
            rows += self._as_run(command, run, width, stop, here)
            rows += self._ran(run, width, stop, here)
        if command.expectation and (here or run):
            rows += [
                paint.row((Safe(f"        {line}"), "warn"), stop=stop)
                for line in paint.fold(
                    expected(command.expectation.text), width - 9
                )
            ]  # fmt: skip
        return rows

    def _as_run(self, command: Command, run: Run, width: int, stop: Stop, here: bool) -> list[Row]:
        """What really ran and where, where that is not what the step and the screen say."""
        ran = clean(run.asked.command).strip()
        said = clean(command.text).strip()
        if ran != said:
            # In the journal it stands without its secrets.
            said = Redactor(self.responder.incident.salt.encode())(Safe(said))
        host = run.asked.host
        place = f" on {clean_line(host)}" if host != self.responder.target.name else ""
        if ran == said and not place:
            return []
        words = Safe(f"ran{place}: {ran}" if ran != said else f"ran{place}")
        folded = paint.fold(words, width - 9)
        most = COMMAND_LINES if here else 1
        if len(folded) > most:
            folded = folded[:most]
            folded[-1] = paint.fit(Safe(f"{folded[-1]} …"), width - 9)
        return [paint.row((Safe(f"        {line}"), "warn"), stop=stop) for line in folded]

    def _ran(self, run: Run, width: int, stop: Stop, here: bool) -> list[Row]:
        lines, above = self._output(run)
        shown = lines[-OUTPUT_LINES:] if here else lines[-2:]
        hidden = len(lines) - len(shown)
        if hidden and not above:
            above = f"{hidden} {'line' if hidden == 1 else 'lines'} above; o shows all"
        rows = [
            paint.row((Safe(f"        │ {line}"), "faint"), stop=stop)
            for line in (paint.fold(Safe(above), width - 11) if above else [])
        ]
        rows += [
            paint.row((paint.fit(Safe(f"        │ {line}"), width - 1), ""), stop=stop)
            for line in shown
        ]
        rows.append(paint.row(*verdict(run), stop=stop))
        return rows

    def _output(self, run: Run) -> tuple[list[str], str]:
        """The last lines of an output, and what to say of the rest where these are not all."""
        from cockpit.incident.output import EXCERPT

        output = self.responder.outputs.get(run.job)
        newest = output.newest[-WINDOW:] if output else b""
        text = clean(newest) if newest else clean(run.tail)
        total = output.offset if output and newest else run.size
        lines = text.rstrip("\n").split("\n") if text.strip("\n") else []
        file = clean_line(run.asked.evidence)
        if total > 2 * EXCERPT:
            where = f"; the whole is in {file}" if file else ""
            return lines, f"{size(total)} in all; o shows its start and end{where}"
        if newest and total <= len(newest):
            return lines, ""
        if newest or len(lines) >= TAIL_LINES:
            return lines, f"{size(total)} in all; o shows it"
        if output is None and not lines and not run.over:
            return lines, "o shows what it has printed so far"
        return lines, ""


def expected(text: Safe) -> Safe:
    """The author's words, with a lead where they do not lead themselves."""
    leads = ("look for", "should", "expect")
    return text if text.lower().startswith(leads) else Safe(f"Expected: {text}")


def verdict(run: Run) -> tuple[paint.Part, ...]:
    """How a run stands, in words: `OK exit 0 · 0.3 s`, `FAILED exit 1`, `running`, `UNKNOWN`."""
    lead = Safe("        ")
    took = f" · {duration(run.seconds)}" if run.seconds is not None else ""
    match run.state:
        case RunState.DONE:
            ok = run.exit_status == 0
            word = Safe("OK " if ok else "FAILED ")
            rest = Safe(outcome("done", run.exit_status) + took)
            quiet = Safe(" · no output") if not run.size else Safe("")
            return (lead, ""), (word, "good" if ok else "bad"), (rest, ""), (quiet, "faint")
        case RunState.UNKNOWN:
            return (lead, ""), (Safe("UNKNOWN "), "bad"), (clean_line(run.why), "")
        case RunState.STOPPED | RunState.NEVER_STARTED:
            words = Safe(outcome(run.state.value, run.exit_status) + took)
            return (lead, ""), (words, "warn")
        case _:
            stop = "" if run.state is RunState.STOPPING else "; x stops it"
            doing = "sending to" if run.state is RunState.REQUESTED else f"{run.state.value} on"
            words = Safe(f"{doing} {clean_line(run.asked.host)}{stop}")
            return (lead, ""), (words, "warn")
