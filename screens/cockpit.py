"""The main screen: status line, four panes, and what the keys in them ask of the responder."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from cockpit.incident.events import Severity
from cockpit.incident.timeline import line
from cockpit.responder import CannotRun, Chosen, Responder
from cockpit.runbook.model import Risk
from cockpit.target import guard
from cockpit.text import Safe, clean, clean_line
from screens import paint
from screens.dialogs.form import Field, Form
from screens.keybar import Keybar
from screens.lines import Lines
from screens.panes.checklist import Checklist
from screens.panes.containers import ContainersPane
from screens.panes.logs import LogsPane
from screens.panes.timeline import Timeline
from screens.status import StatusLine

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.logs import Tail

PANES = ("containers", "logs", "checklist", "timeline")
FEED = 0.25
CLOCK = 1.0
LOG_LINES = 500
SMALL = (60, 20)


class CockpitScreen(Screen[None]):
    """Draws what the responder holds, and asks it for everything else."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "pane('containers')", "containers", id="pane.containers", show=False,
                tooltip="To the containers"),
        Binding("2", "pane('logs')", "logs", id="pane.logs", show=False, tooltip="To the logs"),
        Binding("3", "pane('checklist')", "runbook", id="pane.runbook", show=False,
                tooltip="To the runbook"),
        Binding("4", "pane('timeline')", "timeline", id="pane.timeline", show=False,
                tooltip="To the timeline"),
        Binding("tab", "next_pane(1)", "pane", id="pane.next", tooltip="Next pane"),
        Binding("shift+tab", "next_pane(-1)", "pane before", id="pane.previous", show=False,
                tooltip="Pane before"),
        Binding("z", "zoom", "zoom", id="pane.zoom", show=False, tooltip="This pane alone"),
        Binding("i", "note", "note", id="incident.note", show=False, tooltip="Write a note"),
        Binding("A", "acknowledge", "acknowledge", id="incident.acknowledge", show=False,
                tooltip="Acknowledge: you have it"),
        Binding("S", "severity", "severity", id="incident.severity", show=False,
                tooltip="Declare the incident, or change its severity"),
        Binding("E", "escalate", "escalate", id="incident.escalate", show=False,
                tooltip="Note that somebody was called"),
        Binding("U", "update", "update", id="incident.update", show=False,
                tooltip="Note what others were told"),
        Binding("M", "mitigated", "mitigated", id="incident.mitigate", show=False,
                tooltip="Users are no longer hurt"),
        Binding("R", "resolve", "resolve", id="incident.resolve", show=False,
                tooltip="Resolve: cause, fix, follow-up; or open it again"),
        Binding("B", "choose_runbook", "runbook", id="runbook.choose", show=False,
                tooltip="Choose a runbook"),
        Binding("H", "choose_host", "host", id="host.choose", show=False, tooltip="Choose a host"),
        Binding("ctrl+s", "save", "save", id="incident.save", show=False,
                tooltip="Save the incident log as markdown"),
        Binding("ctrl+r", "retry", "retry", id="link.retry", show=False,
                tooltip="Try the link again now"),
    ]  # fmt: skip

    def __init__(self, responder: Responder) -> None:
        super().__init__()
        self.responder = responder
        self.status = StatusLine(responder, id="status")
        self.containers = ContainersPane(id="containers")
        self.logs = LogsPane(id="logs")
        self.checklist = Checklist(responder, id="checklist")
        self.timeline = Timeline(responder, id="timeline")
        self.keybar = Keybar(id="keys")
        self._stale = True
        self._values: dict[str, str] = {}
        self._tail: Tail | None = None
        self._seen = 0
        self._mistake = ""

    def compose(self) -> ComposeResult:
        yield self.status
        yield Static("", id="banner", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield self.containers
                yield self.logs
            with Vertical(id="right"):
                yield self.checklist
                yield self.timeline
        yield self.keybar

    def on_mount(self) -> None:
        self.responder.changed = self._mark
        self.checklist.focus()
        self._choose("checklist")
        self.set_interval(FEED, self._feed)
        self.set_interval(CLOCK, self._mark)

    def on_unmount(self) -> None:
        self.responder.changed = lambda: None

    def _mark(self) -> None:
        self._stale = True

    # Drawing

    def _feed(self) -> None:
        """Draws the latest state, at most four times a second, whatever happens underneath."""
        self._feed_logs()
        if self._stale:
            self._stale = False
            self.redraw()

    def _feed_logs(self) -> None:
        tail = self._tail
        if tail is None:
            return
        fresh = min(tail.total - self._seen, len(tail.lines))
        self._seen = tail.total
        self.logs.add(list(islice(reversed(tail.lines), fresh))[::-1], tail.rate)
        self.logs.note(tail.note)

    def redraw(self) -> None:
        """Draws every part from what the responder holds; what did not change costs nothing."""
        watch = self.responder.watch
        self.status.update_line()
        self._banner()
        self.containers.show(watch.snapshot if watch else None, Safe("Docker: asked in a moment."))
        self.checklist.update()
        self.timeline.update()

    def _banner(self) -> None:
        said = [self._mistake] if self._mistake else []
        if self.responder.log.reading:
            said.append(self.responder.log.reading)
        if self.responder.log.trouble:
            said.append(self.responder.log.trouble)
        link = self.responder.target.link
        if link.reason and not link.state.usable:
            said.append(f"{self.responder.target.name}: {link.reason}")
        if self.size.width < SMALL[0] or self.size.height < SMALL[1]:
            said.append(
                f"This terminal is {self.size.width}x{self.size.height}; "
                f"cockpit wants {SMALL[0]}x{SMALL[1]} or more."
            )
        banner = self.query_one("#banner", Static)
        words = clean_line(" · ".join(said))
        banner.display = bool(words)
        banner.update(paint.text((words, "bad")))

    def on_resize(self) -> None:
        self._mark()
        self.call_after_refresh(self.keybar.update_line)

    def on_descendant_focus(self) -> None:
        self.call_after_refresh(self.keybar.update_line)

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.keybar.update_line)

    # Panes

    def _choose(self, name: str) -> None:
        for pane in PANES:
            self.query_one(f"#{pane}").set_class(pane == name, "-chosen")
        self.query_one("#left").set_class(name in PANES[:2], "-chosen")
        self.query_one("#right").set_class(name in PANES[2:], "-chosen")

    def action_pane(self, name: str) -> None:
        self._choose(name)
        self.query_one(f"#{name}").focus()

    def action_next_pane(self, by: int) -> None:
        now = self._focused_pane().id or PANES[0]
        self.action_pane(PANES[(PANES.index(now) + by) % len(PANES)])

    def action_zoom(self) -> None:
        self.query_one("#panes").toggle_class("-solo")

    def _focused_pane(self) -> Lines:
        return self.focused if isinstance(self.focused, Lines) else self.checklist

    def say(self, words: str, *, bad: bool = False) -> None:
        """A sentence at the edge of the screen, gone after a while."""
        self.notify(
            clean_line(words), severity="error" if bad else "information", markup=False, timeout=6
        )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        # A mistake of ours must not take the screen away in the middle of an incident.
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            self._mistake = f"That failed inside cockpit: {type(error).__name__}: {error}"
            self.say(self._mistake, bad=True)

    def _may_write(self) -> bool:
        if self.responder.log.reading:
            self.say(self.responder.log.reading, bad=True)
        return not self.responder.log.reading

    async def _ask(self, form: Form) -> dict[str, str] | None:
        return await self.app.push_screen_wait(form)

    async def _ask_line(
        self, title: str, label: str, *, wanted: str = "", value: str = ""
    ) -> str | None:
        """One line of text; None when the responder left it."""
        field = Field("text", Safe(label), value, wanted)
        values = await self._ask(Form(Safe(title), (field,)))
        return None if values is None else values["text"]

    # The incident

    @work(exit_on_error=False)
    async def action_note(self) -> None:
        if self._may_write():
            text = await self._ask_line("Note", "What happened?", wanted="Write something, or esc.")
            if text:
                self.responder.note(text)

    def action_acknowledge(self) -> None:
        if not self._may_write():
            return
        if self.responder.incident.acknowledged:
            self.say("Acknowledged already.")
            return
        self.responder.acknowledge()

    @work(exit_on_error=False)
    async def action_severity(self) -> None:
        from screens.dialogs.declare import Declare

        if not self._may_write():
            return
        incident = self.responder.incident
        book = self.responder.runbook
        title = incident.title or (
            book.title if book else f"Trouble on {self.responder.target.name}"
        )
        head = "How bad is it now?" if incident.severity else "Declare the incident: how bad is it?"
        answer = await self.app.push_screen_wait(Declare(Safe(head), title, incident.severity))
        if answer is None:
            return
        severity, title = answer
        if incident.severity is None or title != incident.title:
            self.responder.declare(title, severity, incident.service)
        elif severity is not incident.severity:
            reason = await self._ask_line(f"Severity {severity.value}", "Why? (may stay empty)")
            self.responder.change_severity(Severity(severity), reason or "")

    @work(exit_on_error=False)
    async def action_escalate(self) -> None:
        if not self._may_write():
            return
        values = await self._ask(
            Form(
                Safe("Escalate: note whom you called"),
                (
                    Field("who", Safe("Who?"), wanted="Name whom you called."),
                    Field("reason", Safe("Why? (may stay empty)")),
                ),
            )
        )
        if values:
            self.responder.escalate(values["who"], values["reason"])

    @work(exit_on_error=False)
    async def action_update(self) -> None:
        if self._may_write():
            text = await self._ask_line(
                "Update: note what you told others", "What?", wanted="Write it, or esc."
            )
            if text:
                self.responder.update(text)

    @work(exit_on_error=False)
    async def action_mitigated(self) -> None:
        if not self._may_write():
            return
        if self.responder.incident.mitigated:
            self.say("Mitigated already.")
            return
        text = await self._ask_line(
            "Mitigated: users are no longer hurt", "By what? (may stay empty)"
        )
        if text is not None:
            self.responder.mitigate(text)

    @work(exit_on_error=False)
    async def action_resolve(self) -> None:
        if not self._may_write():
            return
        if not self.responder.incident.open:
            reason = await self._ask_line(
                "Open it again", "Why?", wanted="Say why it is not over, or esc."
            )
            if reason:
                self.responder.reopen(reason)
            return
        running = self.responder.incident.running()
        hint = f"{len(running)} commands still run. " if running else ""
        fields = [
            Field("cause", Safe("Cause?"), wanted="Say what it was; 'not known yet' will do."),
            Field("fix", Safe("Fix?"), wanted="Say what ended it; 'by itself' will do."),
            Field("follow_up", Safe("Follow-up? (may stay empty)")),
        ]
        if self.responder.needs_reason_to_resolve:
            hint += "No verification has passed since the last change."
            fields.append(
                Field(
                    "unverified", Safe("Why resolve without it?"), wanted="Verify, or say why not."
                )
            )
        values = await self._ask(Form(Safe("Resolve the incident"), tuple(fields), hint=Safe(hint)))
        if values:
            self.responder.resolve(**values)
            self.say("Resolved. ctrl+s saves the incident log where you want it.")

    @work(exit_on_error=False)
    async def action_save(self) -> None:
        folder = self.responder.folder
        if folder is None:
            self.say("Nothing has happened yet, so there is nothing to save.")
            return
        start = str(Path.cwd() / f"{folder.name}.md")
        text = await self._ask_line(
            "Save the incident log", "To which file?", wanted="Name a file, or esc.", value=start
        )
        if text:
            path = Path(text).expanduser()
            trouble = await self.responder.log.save_markdown(path)
            self.say(trouble or f"Saved to {path}", bad=bool(trouble))

    # Runbook and host

    @work(exit_on_error=False)
    async def action_choose_runbook(self) -> None:
        from cockpit.runbook import library, parse
        from screens.dialogs.choose import Choose, Offer

        folders = [Path(folder) for folder in self.responder.config.runbooks]
        found = await asyncio.to_thread(library.find, [*folders, library.shipped()])
        offers = [
            Offer(
                item.title, Safe(f"{item.severity} {clean_line(item.path.name)}".strip()), item.path
            )
            for item in found
        ]
        path = await self.app.push_screen_wait(
            Choose(Safe("Which runbook?"), offers, hint=Safe("Or the path of a file."), free=True)
        )
        if path is not None:
            try:
                book = await asyncio.to_thread(parse.read, Path(path).expanduser())
            except parse.Unreadable as error:
                self.say(str(error), bad=True)
                return
            self.responder.open_runbook(book)
            self.action_pane("checklist")

    @work(exit_on_error=False)
    async def action_choose_host(self) -> None:
        from cockpit.target import hosts
        from screens.dialogs.choose import Choose, Offer

        names = hosts.names(self.responder.config)
        offers = [Offer(clean_line(name), Safe(""), name) for name in names]
        name = await self.app.push_screen_wait(
            Choose(
                Safe("Which host?"), offers, hint=Safe("Or any ssh alias or address."), free=True
            )
        )
        if name is not None:
            self.choose_host(name)

    def choose_host(self, name: str) -> None:
        """Commands, containers and logs are those of this host from now on."""
        self.responder.choose_host(name)
        self._stop_tail()
        self.logs.start(Safe(""))
        self.logs.missing = Safe("No container chosen. enter on one in the containers pane.")
        self.logs.refill()

    def action_retry(self) -> None:
        self.responder.target.retry_now()
        self.say("Trying again.")

    # Steps and commands

    def action_toggle_done(self) -> None:
        found = self.checklist.here()
        if found is None or not self._may_write():
            return
        step = found[1]
        if self.responder.mark_of(step):
            self.responder.undo(step)
            return
        self.responder.done(step)
        self.checklist.next_step()

    @work(exit_on_error=False)
    async def action_skip_step(self) -> None:
        found = self.checklist.here()
        if found is None or not self._may_write():
            return
        reason = await self._ask_line(
            f"Skip: {found[1].title}", "Why?", wanted="Say why it is skipped, or esc."
        )
        if reason:
            self.responder.skip(found[1], reason)
            self.checklist.next_step()

    @work(exit_on_error=False)
    async def action_fail_step(self) -> None:
        found = self.checklist.here()
        if found is None or not self._may_write():
            return
        reason = await self._ask_line(
            f"Failed: {found[1].title}", "What was wrong? (may stay empty)"
        )
        if reason is not None:
            self.responder.fail(found[1], reason)

    @work(exit_on_error=False)
    async def action_run_command(self) -> None:
        chosen = self.checklist.chosen()
        if chosen is None:
            found = self.checklist.here()
            if found is not None and not found[1].commands:
                self.say("Nothing to run in this step: do it, then space ticks it.")
            return
        await self.run_text(chosen.command.text, chosen)

    @work(exit_on_error=False)
    async def action_edit_command(self) -> None:
        chosen = self.checklist.chosen()
        if chosen is None or not self._may_write():
            return
        if "\n" in chosen.command.text.strip():
            self.say("This command has several lines: y copies it; edit it in the file.")
            return
        text = await self._ask_line(
            "Edit, then run",
            "Command",
            wanted="There is no command.",
            value=chosen.command.text.strip(),
        )
        if text:
            await self.run_text(text, chosen)

    async def run_text(self, text: str, chosen: Chosen | None) -> None:
        """Asks for what is missing, passes the gate, runs."""
        if not self._may_write():
            return
        filled = await self._filled(text)
        if filled is None:
            return
        try:
            intent = self.responder.intent(filled, chosen, stale=self._staleness())
        except CannotRun as error:
            self.say(str(error), bad=True)
            return
        running = self.checklist.run_here() if chosen else None
        if running and not running.over:
            self.say("It is running; x stops it, o shows its output.")
            return
        leave = await self._leave(intent)
        if leave is None:
            return
        try:
            await self.responder.run(leave, chosen)
        except CannotRun as error:
            self.say(str(error), bad=True)

    def _staleness(self) -> str:
        watch = self.responder.watch
        known = watch.snapshot if watch else None
        if known is None or not known.rows or not known.trouble:
            return ""
        return f"What is known of the containers may be old: {known.trouble}"

    async def _filled(self, text: str) -> str | None:
        """The command with its placeholders filled in; None when the responder left it."""
        from cockpit.runbook import placeholders

        gaps = placeholders.find(text)
        if not gaps:
            return text
        fields = tuple(
            Field(f"gap{index}", gap.name, self._values.get(gap.name, ""), "Fill it in, or esc.")
            for index, gap in enumerate(gaps)
        )
        hint = Safe(f"$ {clean_line(text)}")
        values = await self._ask(Form(Safe("Fill in before it can run"), fields, hint=hint))
        if values is None:
            return None
        given = {gap.name: values[f"gap{index}"] for index, gap in enumerate(gaps)}
        self._values.update({str(name): value for name, value in given.items()})
        return placeholders.fill(text, {str(name): value for name, value in given.items()})

    async def _leave(self, intent: guard.Intent) -> guard.Pass | None:
        asked = guard.ask(intent)
        if asked.level is guard.Level.OPEN:
            return guard.answer(asked)
        from screens.dialogs.gate import Gate

        touched = intent.names if intent.risk is not Risk.READ else ()
        saving = self.responder.save_evidence(touched) if touched else None
        return await self.app.push_screen_wait(Gate(asked, saving))

    @work(exit_on_error=False)
    async def action_stop_run(self) -> None:
        run = self.checklist.run_here()
        running = self.responder.incident.running()
        if run is None or run.over:
            run = running[-1] if len(running) == 1 else None
        if run is None:
            self.say("Nothing runs here." if not running else "Put the cursor on what is to stop.")
            return
        await self.responder.stop(run.job)

    def action_show_output(self) -> None:
        from screens.dialogs.reader import Reader

        run = self.checklist.run_here()
        if run is None:
            self.say("No output yet: enter runs the command.")
            return
        title = Safe(f" Output of {clean_line(run.asked.command.strip())}")
        self.app.push_screen(
            Reader(title, lambda: self.responder.log.output_text(run.job), grows=not run.over)
        )

    def action_copy_command(self) -> None:
        chosen = self.checklist.chosen()
        if chosen:
            self.app.copy_to_clipboard(clean(chosen.command.text))
            self.say("Copied, where the terminal allows it.")

    @work(exit_on_error=False)
    async def action_search(self) -> None:
        pane = self._focused_pane()
        if isinstance(pane, ContainersPane):
            words = await self._ask_line(
                "Filter containers", "Words (empty shows all)", value=pane.wanted
            )
            if words is not None:
                pane.filter(clean_line(words))
        elif isinstance(pane, LogsPane):
            words = await self._ask_line("Search the log", "Words", value=pane.wanted)
            if words is not None:
                pane.search(clean_line(words))
        elif isinstance(pane, Checklist):
            await self._search_runbook()

    async def _search_runbook(self) -> None:
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

    # Containers and logs

    def action_show_logs(self) -> None:
        container = self.containers.container()
        if container:
            self.show_logs(container)
            self.action_pane("logs")

    def show_logs(self, container: Container) -> None:
        """Follows the log of this container."""
        from cockpit.containers.logs import Tail

        self._stop_tail()
        if self.responder.engine is None:
            return
        self.logs.start(container.name)
        self._tail = Tail(self.responder.engine, container.id, first=LOG_LINES)
        self._seen = 0
        self._tail.start()

    def _stop_tail(self) -> None:
        if self._tail is not None:
            self.run_worker(self._tail.close(), exit_on_error=False)
            self._tail = None

    @work(exit_on_error=False)
    async def action_only_matching(self) -> None:
        words = await self._ask_line(
            "Only lines with", "Words (empty shows all)", value=self.logs.only
        )
        if words is not None:
            self.logs.show_only(clean_line(words))

    def action_mark_line(self) -> None:
        found = self.logs.line()
        if found and self._may_write():
            self.responder.note(found.text, source=f"log of {self.logs.of}")
            self.say("On the timeline.")

    @work(exit_on_error=False)
    async def action_container_actions(self) -> None:
        from screens.dialogs.choose import Choose, Offer

        container = self.containers.container()
        if container is None or not self._may_write():
            return
        offers = [
            Offer(Safe(f"{verb} {container.name}"), Safe(what), f"docker {verb} {container.name}")
            for verb, what in _ACTIONS
        ]
        command = await self.app.push_screen_wait(
            Choose(Safe(f"What to do with {container.name}?"), offers)
        )
        if command:
            await self.run_text(command, None)

    # Timeline

    def action_entry_detail(self) -> None:
        from screens.dialogs.reader import Reader

        entry = self.timeline.entry()
        if entry is None:
            return
        job = getattr(entry.record.event, "job", None)
        incident = self.responder.incident
        head = [
            f"{entry.at:%Y-%m-%d %H:%M:%S} UTC, by {clean_line(entry.record.who)}",
            f"recorded at {entry.record.ts:%Y-%m-%d %H:%M:%S} UTC as entry {entry.record.seq}",
            "",
            line(entry.record.event, incident),
        ]
        if job in self.responder.outputs:
            head += ["", "Output:", self.responder.log.output_text(job)]
        whole = Safe("\n".join(head))
        self.app.push_screen(Reader(Safe(" Timeline entry"), lambda: whole))

    @work(exit_on_error=False)
    async def action_correct_time(self) -> None:
        entry = self.timeline.entry()
        if entry is None or not self._may_write():
            return
        words = line(entry.record.event, self.responder.incident)
        values = await self._ask(
            Form(
                Safe(f"When did this really happen? {words}"),
                (
                    Field(
                        "at",
                        Safe("UTC, as HH:MM or YYYY-MM-DD HH:MM"),
                        f"{entry.at:%Y-%m-%d %H:%M}",
                    ),
                    Field("reason", Safe("How do you know? (may stay empty)")),
                ),
                check=lambda given: (
                    "" if moment(given["at"], entry.at) else "Write 03:12, or 2026-11-21 03:12."
                ),
            )
        )
        at = moment(values["at"], entry.at) if values else None
        if values and at:
            self.responder.correct_time(entry.record.seq, at, values["reason"])


_ACTIONS = (
    ("restart", "changes it; its logs are saved first"),
    ("stop", "changes it; its logs are saved first"),
    ("start", "changes it"),
    ("inspect", "reads"),
    ("top", "reads: its processes"),
)


def _words(commands: tuple[object, ...]) -> str:
    return clean_line(" ; ".join(getattr(command, "text", "") for command in commands))[:200]


def moment(text: str, near: datetime) -> datetime | None:
    """A time as a person writes it, in UTC, on the day of `near` where it names none."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%H:%M:%S", "%H:%M"):
        try:
            found = datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if form.startswith("%H"):
            found = found.replace(year=near.year, month=near.month, day=near.day)
        return found
    return None
