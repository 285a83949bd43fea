"""The main screen: status line, four panes, and what the keys in them ask of the responder."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from cockpit.incident.rollouts import counted
from cockpit.incident.timeline import line
from cockpit.responder import Responder
from cockpit.target.target import LinkState
from cockpit.text import Safe, clean, clean_line
from screens import paint
from screens.checks_keys import ChecksKeys
from screens.driver import driver_of
from screens.due_keys import DueKeys
from screens.escalate_keys import EscalateKeys
from screens.incident_keys import IncidentKeys
from screens.keybar import Keybar
from screens.lines import Lines
from screens.panes.checklist import Checklist
from screens.panes.containers import ContainersPane
from screens.panes.logs import LogsPane
from screens.panes.timeline import Timeline
from screens.quick_keys import QuickKeys
from screens.rollout_keys import RolloutKeys
from screens.say_keys import SayKeys
from screens.status import StatusLine
from screens.swarm_keys import SwarmKeys

PANES = ("containers", "logs", "checklist", "timeline")
FEED = 0.25
SLOWEST = 1.0
CLOCK = 1.0
SMALL = (60, 20)


class CockpitScreen(
    IncidentKeys,
    EscalateKeys,
    SayKeys,
    DueKeys,
    ChecksKeys,
    QuickKeys,
    RolloutKeys,
    SwarmKeys,
):
    """Draws what the responder holds, and asks it for everything else.

    first: the pane that has the keys at the start.
    """

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
        Binding("i", "note", "note", id="incident.note", tooltip="Write a note"),
        Binding("A", "acknowledge", "acknowledge", id="incident.acknowledge", show=False,
                tooltip="Acknowledge: you have it"),
        Binding("S", "severity", "severity", id="incident.severity", show=False,
                tooltip="Declare the incident, or change its severity"),
        Binding("E", "escalate", "escalate", id="incident.escalate", show=False,
                tooltip="Escalate: whom to call now, and how the call ended"),
        Binding("U", "update", "update", id="incident.update", show=False,
                tooltip="Tell others: acknowledged, an update, resolved"),
        Binding("O", "outbox", "outbox", id="incident.outbox", show=False,
                tooltip="What is sent to others, and what waits"),
        Binding("M", "mitigated", "mitigated", id="incident.mitigate", show=False,
                tooltip="Users are no longer hurt"),
        Binding("R", "resolve", "resolve", id="incident.resolve", show=False,
                tooltip="Resolve: cause, fix, follow-up; or open it again"),
        Binding("D", "due", "due", id="incident.due", show=False,
                tooltip="What is due, and when; or put it off"),
        Binding("B", "choose_runbook", "runbook", id="runbook.choose", tooltip="Choose a runbook"),
        Binding("C", "checks", "checks", id="checks.open", show=False,
                tooltip="Check whether all is ready for a shift"),
        Binding("H", "choose_host", "host", id="host.choose", show=False, tooltip="Choose a host"),
        Binding("T", "run_in_terminal", "terminal", id="step.terminal", show=False,
                tooltip="Run the command in your own terminal"),
        Binding("P", "plan_rollout", "on many hosts", id="step.rollout", show=False,
                tooltip="Plan the command on a group of hosts"),
        Binding("x", "stop_run", "stop", id="run.stop", show=False,
                tooltip="Stop something that runs"),
        Binding("ctrl+s", "save", "save", id="incident.save", show=False,
                tooltip="Save the incident log as markdown"),
        Binding("ctrl+r", "retry", "retry", id="link.retry", show=False,
                tooltip="Try the link again now"),
    ]  # fmt: skip

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.status = StatusLine(responder, id="status")
        self.timeline = Timeline(responder, id="timeline")
        self.containers.worry = responder.config.thresholds.memory
        self.containers.clock = self._clock_of
        self.keybar = Keybar(id="keys")
        self._stale = False
        self._drawn_at = 0.0
        self._fed_at = 0.0
        self._bannered = Safe("")
        self._lost: frozenset[str] = frozenset()
        self.first = "checklist"

    def compose(self) -> ComposeResult:
        yield self.status
        yield Static("", id="banner", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield self.containers
                yield self.logs
                yield self.log_prompt
            with Vertical(id="right"):
                yield self.checklist
                yield self.timeline
        yield self.keybar

    def on_mount(self) -> None:
        self.responder.changed = self._mark
        self.responder.links.asker = self.answer
        self.set_focus(self.query_one(f"#{self.first}"))
        self._choose(self.first)
        self.set_interval(FEED, self._feed)
        self.set_interval(CLOCK, self._mark)

    def on_unmount(self) -> None:
        self.responder.changed = lambda: None
        self.responder.links.asker = None

    def _mark(self) -> None:
        """Something changed: drawn at once after a quiet moment, else with the next feed."""
        if not self._stale and time.monotonic() - self._drawn_at > FEED:
            self.call_later(self._feed)
        self._stale = True

    # Drawing

    def _feed(self) -> None:
        """Draws the latest state, at most four times a second, whatever happens underneath."""
        if time.monotonic() - self._fed_at > self._pace() - FEED / 2:
            self._fed_at = time.monotonic()
            self.feed_logs()
        if self._stale:
            self._stale = False
            self._drawn_at = time.monotonic()
            self.redraw()

    def _pace(self) -> float:
        """Seconds between two pictures of the logs: what a key changes has to get through, too."""
        driver = driver_of(self.app)
        return min(max(FEED, 2 * (driver.rtt or 0)), SLOWEST) if driver else 0

    def redraw(self) -> None:
        """Draws every part from what the responder holds; what did not change costs nothing."""
        self.status.update_line()
        self.mind_the_clocks()
        self._banner()
        self._tell_who_is_back()
        asked = Safe("Docker: asked in a moment.")
        watched = [(one.snapshot, one.limits.over) for one in self.responder.watched]
        self.containers.beside = self.swarm_said()
        differs = {
            (one.engine.where, container): said
            for one in self.responder.watched
            for container, said in one.differences.found.items()
        }
        self.containers.show(watched, asked, differs)
        for one in self.responder.watched:
            one.in_sight(self.containers.in_sight(one.engine.where))
        self.checklist.update()
        self.timeline.update()

    def _clock_of(self, host: str) -> datetime:
        engine = self.responder.engine_of(host)
        return engine.now() if engine else datetime.now(UTC)

    def _tell_who_is_back(self) -> None:
        """What was prepared for a host that was out of reach is not sent by itself, but told of."""
        lost = self.responder.links.lost
        for host in self._lost - lost:
            count = sum(one.host == host for one in self.responder.incident.prepared.values())
            if count:
                which = "1 command waits" if count == 1 else f"{count} commands wait"
                self.say(f"{host} is back. {which} for your word: enter on it goes on.")
        self._lost = lost

    def _banner(self) -> None:
        said = list(self.responder.runs.troubles.values())
        if self.responder.log.reading:
            said.append(self.responder.log.reading)
        if self.responder.log.trouble:
            said.append(self.responder.log.trouble)
        # One thing stands on the status line, which on a narrow terminal may lack room even for it.
        said += [words for words in self.overdue() if not self.status.says(words)]
        for rollout in self.responder.rollouts.values():
            if not rollout.ended:
                waits = "; it waits for you" if rollout.asks else ""
                said.append(
                    f"On {rollout.plan.label}: {counted(rollout.states)}{waits}. P shows it"
                )
        link = self.responder.target.link
        waiting = [question for question in self.questions if self.app.screen is not self]
        said += [f"{question.host} asks: {question.prompt}" for question in waiting]
        if link.reason and link.state.gone:
            said.append(link.reason)
        if self.size.width < SMALL[0] or self.size.height < SMALL[1]:
            said.append(
                f"This terminal is {self.size.width}x{self.size.height}; "
                f"cockpit wants {SMALL[0]}x{SMALL[1]} or more."
            )
        banner = self.query_one("#banner", Static)
        words = clean_line(" · ".join(said))
        banner.display = bool(words)
        # A link that is down says what to type, and that comes last.
        down = link.state is LinkState.DOWN
        # So does a journal that cannot be written: where it goes on.
        grows = down or bool(self.responder.log.trouble)
        banner.styles.max_height = max(3, self.size.height // 2) if grows else 3
        if words != self._bannered:  # each update lays the whole screen out again
            self._bannered = words
            banner.update(paint.text((words, "bad")))

    def on_resize(self) -> None:
        self._stale = False
        self._drawn_at = 0.0
        self._mark()
        self.call_after_refresh(self.keybar.update_line)

    def on_checklist_moved(self) -> None:
        self.keybar.update_line()

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

    def to_pane(self, name: str) -> None:
        self._choose(name)
        # At once: a key that was typed right after this one is for that pane.
        self.set_focus(self.query_one(f"#{name}"))

    def action_pane(self, name: str) -> None:
        self.to_pane(name)

    def action_next_pane(self, by: int) -> None:
        now = self._focused_pane().id or PANES[0]
        self.action_pane(PANES[(PANES.index(now) + by) % len(PANES)])

    def action_zoom(self) -> None:
        self.query_one("#panes").toggle_class("-solo")

    def _focused_pane(self) -> Lines:
        return self.focused if isinstance(self.focused, Lines) else self.checklist

    # Runbook and host

    @work(exit_on_error=False)
    async def action_choose_runbook(self) -> None:
        from cockpit.runbook import parse
        from screens.dialogs.find import Find

        responder = self.responder
        near = [responder.incident.service, responder.service, responder.target.name, self.logs.of]
        line = self.logs.line() if self._focused_pane() is self.logs else None
        words = line.text if line else Safe("")
        path = await self.app.push_screen_wait(Find(responder.config, near, words))
        if path is not None:
            try:
                file = path.resolve()
                book = await asyncio.to_thread(parse.read, file)
            except (parse.Unreadable, RuntimeError, OSError) as error:
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
        self.forget_logs()

    def action_retry(self) -> None:
        self.responder.target.retry_now()
        if self.responder.target.link.state.usable:
            self.say(f"The link to {self.responder.target.name} is up.")

    @work(exit_on_error=False)
    async def action_search(self) -> None:
        pane = self._focused_pane()
        if isinstance(pane, ContainersPane):
            self.filter_containers()
        elif isinstance(pane, LogsPane):
            await self.search_log()
        elif isinstance(pane, Checklist):
            await self.search_runbook()

    # Timeline

    def action_entry_detail(self) -> None:
        from screens.dialogs.reader import Reader

        entry = self.timeline.entry()
        if entry is None:
            return
        rolled = getattr(entry.record.event, "rollout", None)
        incident = self.responder.incident
        if isinstance(rolled, str) and rolled in incident.rollouts:
            self.show_rollout(rolled)
            return
        job = getattr(entry.record.event, "job", None)
        head = [
            f"{entry.at:%Y-%m-%d %H:%M:%S} UTC, by {clean_line(entry.record.who)}",
            f"recorded at {entry.record.ts:%Y-%m-%d %H:%M:%S} UTC as entry {entry.record.seq}",
            "",
            line(entry.record.event, incident),
        ]
        if isinstance(job, str) and job in incident.runs:
            head += ["", "Output:", self.responder.log.output_text(job)]
        text = getattr(entry.record.event, "text", "")
        if "\n" in text:
            head += ["", clean(text)]
        whole = Safe("\n".join(head))
        self.app.push_screen(Reader(Safe(" Timeline entry"), lambda: whole))

    def action_correct_time(self) -> None:
        entry = self.timeline.entry()
        if entry is not None:
            self.correct_time(entry)
