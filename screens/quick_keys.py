"""The command reference of the handbook, by name: each runs as a command of a runbook does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from textual import work

from cockpit.incident.timeline import outcome
from cockpit.responder import Chosen
from cockpit.text import Safe, clean, clean_line
from cockpit.words import duration
from screens.step_keys import StepKeys

if TYPE_CHECKING:
    from cockpit.oncall.model import Quick


class QuickKeys(StepKeys):
    """From a word in the palette to a command of the handbook and its output."""

    def quick_commands(self) -> Iterator[tuple[Safe, Safe, Callable[[], object]]]:
        """Name, what it would do, and what runs it, for every quick command of the handbook."""
        handbook = self.responder.handbook
        for quick in handbook.quick if handbook else ():
            yield _name(quick), _does(quick), self._runner(quick)

    def _runner(self, quick: Quick) -> Callable[[], object]:
        return lambda: self.run_quick(quick)

    @work(exit_on_error=False)
    async def run_quick(self, quick: Quick) -> None:
        handbook = self.responder.handbook
        if handbook is None or handbook.runbook is None:
            return
        chosen = Chosen(handbook.runbook, quick.section, quick.step, quick.command)
        why = self.responder.out_of_reach(chosen)
        if why:
            self.say(f"Not sent: {self.responder.host_of(chosen)} is out of reach ({why}).")
            return
        job = await self.run_text(quick.command.text, chosen)
        run = self.responder.incident.runs.get(job or "")
        if run is None or run.asked.terminal:
            return
        if self.app.screen is self:  # nothing comes up under the fingers of who went on
            self._read(run.job, _name(quick))
        else:
            self.say(f"{_name(quick)}: its output is on the timeline.")

    def _read(self, job: str, name: Safe) -> None:
        from screens.dialogs.reader import Reader

        log = self.responder.log

        def whole() -> Safe:
            text = log.output_text(job)
            run = log.incident.runs[job]
            if not run.over:
                return Safe(f"{text}\n(it runs; esc goes back, x stops it there)")
            end = outcome(run.state.value, run.exit_status)
            took = f" after {duration(run.seconds)}" if run.seconds is not None else ""
            gap = "" if not text or text.endswith("\n") else "\n"
            return Safe(f"{text}{gap}({end}{took}{'' if text else ', and it printed nothing'})")

        self.app.push_screen(Reader(Safe(f" {name}"), whole, grows=True))


def _name(quick: Quick) -> Safe:
    """`Containers: All of the project, with state`."""
    title = quick.command.title or quick.step.title
    words = clean_line(quick.command.text.strip()) if title in ("", quick.group) else title
    return Safe(f"{quick.group}: {words}" if quick.group else words)


def _does(quick: Quick) -> Safe:
    """`reads: docker compose ps -a`."""
    command = quick.command
    first, *more = clean(command.text.strip()).split("\n")
    gaps = ", ".join(dict.fromkeys(gap.name for gap in command.placeholders))
    asks = f" (asks for {gaps})" if gaps else ""
    return Safe(f"{command.risk.deed}: {first}{' …' if more else ''}{asks}")
