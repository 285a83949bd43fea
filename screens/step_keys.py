"""Keys on a step of the runbook: tick, skip, run through the gate, stop, read the output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from textual import work
from textual.screen import ModalScreen, Screen

from cockpit.evidence import NOT_SAVED
from cockpit.incident.incident import Run
from cockpit.oncall import pitfalls
from cockpit.responder import CannotRun, Chosen, Responder
from cockpit.target import guard
from cockpit.text import Safe, clean, clean_line
from cockpit.words import duration
from screens.asking import Asking
from screens.dialogs.form import Field, Form
from screens.panes.checklist import Checklist

if TYPE_CHECKING:
    from cockpit.runbook.model import Placeholder

_SHELL = 'exec "${SHELL:-/bin/sh}" -l'


@dataclass(frozen=True, slots=True)
class Apart:
    """What is to be known of a command of no runbook.

    host: where it runs, empty on the chosen one. about: containers whose logs are saved before a
    change, also where it does not name them. looks: it is to look around with, which nobody has to
    diagnose anything for. amiss: asked once more when the gate was passed; why it must not run now.
    """

    host: str = ""
    about: tuple[str, ...] = ()
    looks: bool = False
    amiss: Callable[[], str] = lambda: ""


class StepKeys(Asking):
    """From a key on a step to a run of its command."""

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.checklist = Checklist(responder, id="checklist")
        self._asking: set[str] = set()
        self._terminal_is_away = False

    def action_toggle_done(self) -> None:
        found = self.checklist.here()
        if found is None or not self.may_write():
            return
        step = found[1]
        if self.responder.mark_of(step):
            self.responder.undo(step)
            return
        despite = self.responder.done(step)
        runs = self.responder.incident.runs_of(self.responder.ref(step))
        ran = {run.asked.command_id for run in runs}
        left = [command for command in step.commands if command.id not in ran]
        if despite:
            counts = ", and does not count as verified" if step.phase == "verification" else ""
            self.say(
                f"Ticked, although it failed{counts} ({despite}). f marks it failed.", bad=True
            )
        elif left and ran:
            self.say(f"Done, with {len(left)} of its {len(step.commands)} commands not run.")
        self.checklist.next_step()

    @work(exit_on_error=False)
    async def action_skip_step(self) -> None:
        found = self.checklist.here()
        if found is None or not self.may_write():
            return
        reason = await self.ask_line(
            f"Skip: {found[1].title}", "Why?", wanted="Say why it is skipped, or esc."
        )
        if reason:
            self.responder.skip(found[1], reason)
            self.checklist.next_step()

    @work(exit_on_error=False)
    async def action_fail_step(self) -> None:
        found = self.checklist.here()
        if found is None or not self.may_write():
            return
        reason = await self.ask_line(
            f"Failed: {found[1].title}", "What was wrong? (may stay empty)"
        )
        if reason is not None:
            self.responder.fail(found[1], reason)

    @work(exit_on_error=False)
    async def action_run_command(self) -> None:
        if self.checklist.take():
            return
        chosen = self.checklist.chosen()
        if chosen is None:
            return
        run = self.responder.unknown(chosen.command.text, chosen)
        if run is None or await self._again(run):
            text = self.responder.waiting(chosen)
            await self.run_text(text or chosen.command.text, chosen)

    async def _again(self, run: Run) -> bool:
        """Whether to run once more what may have run; else what the responder looks at instead."""
        from cockpit.runbook.aftermath import looks
        from screens.dialogs.choose import Choose, Offer

        asked = run.asked
        trace = f"{asked.root}/jobs/{asked.job}" if asked.root else ""
        seen = looks(asked.command, directory=asked.workdir, trace=trace)
        here = asked.host == self.responder.target.name
        offers = [Offer(one.words, clean_line(one.command), one.command) for one in seen if here]
        offers.append(Offer(Safe("Run it once more"), Safe("the gate asks first"), ""))
        hint = clean_line(run.why)
        choice = await self.app.push_screen_wait(
            Choose(Safe("Nobody knows whether it ran. Look first?"), offers, hint=hint)
        )
        if choice:
            await self.run_and_read(choice)
        return choice == ""

    async def run_and_read(self, command: str, apart: Apart | None = None) -> None:
        """Runs a command of no runbook, through the gate, and shows its output."""
        job = await self.run_text(command, None, apart=apart)
        if job:
            self._read_output(clean_line(f" {command}"), job, grows=True)

    def _read_output(self, title: Safe, job: str, *, grows: bool, file: str = "") -> None:
        """Shows the output of a run, and above it how the run stands."""
        from screens.dialogs.reader import Reader
        from screens.panes.run_rows import stands

        log = self.responder.log
        self.app.push_screen(
            Reader(
                title,
                lambda: log.output_text(job),
                grows=grows,
                file=file,
                stands=lambda: stands(log.incident.runs.get(job)),
            )
        )

    @work(exit_on_error=False)
    async def action_run_in_terminal(self) -> None:
        chosen = self.checklist.chosen() if self.checklist.has_focus else None
        if chosen is None:
            self.say("Put the cursor on a command of the runbook first.")
            return
        await self.run_text(chosen.command.text, chosen, terminal="as you asked")

    @work(exit_on_error=False)
    async def action_open_shell(self) -> None:
        await self.run_text(_SHELL, None, terminal="a shell")

    @work(exit_on_error=False)
    async def action_edit_command(self) -> None:
        chosen = self.checklist.chosen()
        if chosen is None or not self.may_write():
            return
        if "\n" in chosen.command.text.strip():
            self.say("This command has several lines: y copies it; edit it in the file.")
            return
        if clean(chosen.command.text) != chosen.command.text:
            self.say("This command holds characters that cannot be shown; edit it in the file.")
            return
        text = await self.ask_line(
            "Edit, then run",
            "Command",
            wanted="There is no command.",
            value=chosen.command.text.strip(),
        )
        if text:
            await self.run_text(text, chosen)

    async def run_text(
        self,
        text: str,
        chosen: Chosen | None,
        *,
        terminal: str = "",
        apart: Apart | None = None,
    ) -> str | None:
        """Asks for what is missing, passes the gate, runs; the id of the job where it ran.

        terminal: why it is to run in the responder's own terminal, where it need not. apart: what
        is to be known of one of no runbook.
        One at a time for each command: a key pressed again while it is on its way runs nothing.
        """
        key = chosen.command.id if chosen else text
        if not self.may_write() or key in self._asking:
            return None
        self._asking.add(key)
        try:
            if self._runs_already(chosen):
                self.say("It is running; x stops it, o shows its output.")
                return None
            filled = await self._filled(text, chosen)
            if filled is None:
                return None
            return await self._run(filled, chosen, terminal, apart or Apart())
        except CannotRun as error:
            self.say(str(error), bad=True)
            return None
        finally:
            self._asking.discard(key)

    async def _run(
        self, command: str, chosen: Chosen | None, terminal: str, apart: Apart
    ) -> str | None:
        from screens.hand_over import HandOver, Opening

        if chosen is not None and self._prepared_instead(command, chosen):
            return None
        host = self.responder.host_of(chosen)
        # One of no runbook may be asked for on a list that was opened from here, and stays there.
        on = self if chosen else self.app.screen
        terminal = terminal or await self.responder.why_terminal(command, chosen, apart.host)
        self._nobody_went_on(host, chosen, on)
        hand = HandOver(self.app) if terminal else None
        size = hand.size() if hand else (0, 0)
        stale = self._staleness(apart.host or host)
        intent = self.responder.intent(
            command, chosen, stale=stale, terminal=terminal, host=apart.host
        )
        intent = replace(
            intent,
            names=tuple(dict.fromkeys((*apart.about, *intent.names))),
            skipped_diagnosis=intent.skipped_diagnosis and not apart.looks,
        )
        leave = await self._leave(intent)
        if leave is None:
            return None
        if amiss := apart.amiss():
            raise CannotRun(f"Nothing was run: {amiss}")
        if chosen is not None and self._prepared_instead(command, chosen):
            return None  # the link went while the gate was open
        if hand is None:
            return await self.responder.run(leave, chosen)
        if self._terminal_is_away:
            raise CannotRun("A terminal is being opened; nothing was run.")
        self._terminal_is_away = True
        opening = Opening(clean_line(intent.host))
        await self.app.push_screen(opening)
        try:
            return await self.responder.run_in_terminal(
                leave, hand, chosen, term=hand.term, size=size
            )
        finally:
            self._terminal_is_away = False
            if opening.is_current:
                opening.dismiss()

    def _prepared_instead(self, command: str, chosen: Chosen) -> bool:
        """Keeps a command that cannot be sent now for later, and says so."""
        why = self.responder.out_of_reach(chosen)
        if why:
            self.responder.prepare(command, chosen)
            host = self.responder.host_of(chosen)
            self.say(f"Not sent: {host} is out of reach. It is prepared; enter goes on later.")
        return bool(why)

    def _nobody_went_on(self, host: str, chosen: Chosen | None, on: Screen[Any]) -> None:
        """Raises CannotRun where another dialog or host was opened while this one was asked.

        Nothing may come up under the fingers of somebody who types something else by now.
        """
        elsewhere = self.app.screen is not on or isinstance(on, ModalScreen)
        if elsewhere or self.responder.host_of(chosen) != host:
            raise CannotRun(f"You went on while {host} was asked: nothing was run. enter runs it.")

    def _runs_already(self, chosen: Chosen | None) -> bool:
        """Whether this very command of the runbook runs on its host already."""
        return chosen is not None and any(
            run.asked.command_id == chosen.command.id
            and run.asked.step == chosen.ref
            and run.asked.host == self.responder.host_of(chosen)
            for run in self.responder.incident.running()
        )

    def _staleness(self, host: str) -> str:
        watched = (one for one in self.responder.watched if one.engine.target.name == host)
        watch = next(watched, None)
        known = watch.snapshot if watch else None
        if known is None or not known.rows or not known.trouble:
            return ""
        return f"What is known of the containers may be old: {known.trouble}"

    async def _filled(self, text: str, chosen: Chosen | None) -> str | None:
        """The command with its placeholders filled in; None when the responder left it.

        A variable is asked for unless an earlier command has really set it where this one will run.
        """
        from cockpit.runbook import placeholders

        known: tuple[str, ...] = ()
        if chosen is not None:
            host = self.responder.host_of(chosen)
            await self.responder.caught_up(chosen)
            self._nobody_went_on(host, chosen, self)
            known = self.responder.session(chosen).variables
        values = await self._values(text, chosen, known, placeholders.find(text, known))
        return None if values is None else placeholders.fill(text, values, known)

    async def _values(
        self,
        text: str,
        chosen: Chosen | None,
        known: Collection[str],
        gaps: Collection[Placeholder],
    ) -> dict[str, str] | None:
        """What the responder fills in; None when they left it.

        known: variables that are set where it will run. gaps: of the command, those to ask for.
        """
        from cockpit.runbook import placeholders

        if not gaps:
            return {}
        path = chosen.runbook.path if chosen else ""
        value = self.responder.incident.value
        fields = tuple(
            Field(str(name), name, value(path, name), "Fill it in, or esc.")
            for name in dict.fromkeys(gap.name for gap in gaps)
        )

        def check(values: dict[str, str]) -> str:
            try:
                placeholders.fill(text, values, known, partly=True)
            except placeholders.Missing as missing:
                return str(missing)
            return ""

        def preview(values: dict[str, str]) -> Safe:
            typed = {Safe(name): value for name, value in values.items()}
            return clean(f"$ {placeholders.so_far(text, typed, known)[0].rstrip()}")

        form = Form(Safe("Fill in before it can run"), fields, preview=preview, check=check)
        values = await self.ask(form)
        if values is not None:
            self.responder.remember(values, chosen)
        return values

    async def _leave(self, intent: guard.Intent) -> guard.Pass | None:
        asked = guard.ask(intent)
        if asked.level is guard.Level.OPEN:
            return guard.answer(asked)
        from screens.dialogs.gate import Gate

        # Before a change the logs of its containers are saved.
        saving = None
        told = self.too_early(intent)
        if intent.names and intent.risk != "read":
            saving = self.saved_first(
                self.responder.save_evidence(intent.command, intent.names, intent.host), told
            )
        passes = await self.app.push_screen_wait(Gate(asked, saving, told=told))
        if passes and told:
            self.responder.warn("diagnosis", told)
        return passes[0] if passes else None

    def too_early(self, intent: guard.Intent) -> Safe:
        """What is said, once, of recovery before any diagnosis; empty where there was one.

        It counts as said when the command runs: a gate that was left begins no journal.
        """
        if not intent.skipped_diagnosis or "diagnosis" in self.responder.incident.told:
            return Safe("")
        return pitfalls.sentence("diagnosis", self.responder.handbook, intent.command)

    async def saved_first(self, saving: Awaitable[str], beside: Safe) -> str:
        """What was saved first; where it could not be, with what is said of that once.

        beside: what the gate says anyway, which is not said twice.
        """
        said = await saving
        words = pitfalls.sentence("logs", self.responder.handbook)
        if NOT_SAVED not in said or words in beside or not self.responder.warn("logs", words):
            return said
        return f"{said.rstrip('.')}. {words}"

    @work(exit_on_error=False)
    async def action_stop_run(self) -> None:
        if not self.may_write():
            return
        run = self.checklist.run_here() if self.checklist.has_focus else None
        chosen = self.checklist.chosen() if self.checklist.has_focus else None
        if chosen and (run is None or run.over) and self.responder.waiting(chosen) is not None:
            self.responder.drop(chosen)
            self.say("No longer prepared. Nothing was sent.")
            return
        job = run.job if run and not run.over else await self._which_to_stop()
        if job:
            await self.responder.stop(job)

    async def _which_to_stop(self) -> str | None:
        """Which run is meant, where the cursor does not say: never one by itself."""
        from screens.dialogs.choose import Choose, Offer

        running = self.responder.incident.running()
        if not running:
            self.say("Nothing runs.")
            return None
        offers = [
            Offer(clean_line(run.asked.command.strip()), _since(run), run.job)
            for run in reversed(running)
        ]
        return await self.app.push_screen_wait(Choose(Safe("Stop which?"), offers))

    def action_show_output(self) -> None:
        from screens.dialogs.reader import Reader

        run = self.checklist.run_here()
        if run is None:
            chosen = self.checklist.chosen()
            if chosen is not None:
                whole = clean(chosen.command.text)
                self.app.push_screen(Reader(Safe(" The command; no output yet"), lambda: whole))
            return
        log = self.responder.log
        title = Safe(f" Output of {clean_line(run.asked.command.strip())}")
        file = str(log.place / run.asked.evidence) if log.place and run.asked.evidence else ""
        self._read_output(title, run.job, grows=not run.over, file=file)

    @work(exit_on_error=False)
    async def action_copy_command(self) -> None:
        from screens import clipboard

        chosen = self.checklist.chosen()
        if chosen:
            self.say(await clipboard.copy(self.app, chosen.command.text))

    async def search_runbook(self) -> None:
        from screens.dialogs.choose import Choose, Offer

        book = self.responder.runbook
        if book is None:
            self.say("No runbook chosen. B chooses one.")
            return
        offers = [
            Offer(step.title, Safe(f"{section.title} {_words(step.commands)}"), step)
            for section, step in book.steps()
        ]
        step = await self.app.push_screen_wait(Choose(Safe("Go to which step?"), offers))
        if step is not None:
            self.checklist.go_to(step)


def _since(run: Run) -> Safe:
    """Where a run is, and for how long."""
    took = duration(max(0.0, (datetime.now(UTC) - run.at).total_seconds()))
    return clean_line(f"{run.state.value} on {run.asked.host} for {took}")


def _words(commands: tuple[object, ...]) -> str:
    return clean_line(" ; ".join(getattr(command, "text", "") for command in commands))[:200]
