"""The services of a swarm with their tasks, and its nodes: what is short and why comes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit.containers.swarm import Service, Swarm
from cockpit.containers.swarm_watch import SwarmWatch
from cockpit.text import Safe, clean_line
from cockpit.words import many
from screens import paint
from screens.bars import Words, keys_line
from screens.dialogs.form import Field, Form
from screens.dialogs.service_rows import fits, node_row, service_rows
from screens.lines import Drawn
from screens.paint import Part, Row

REFRESH = 1.0
WIDEST = 32
KEYS = (
    *("enter logs", ". actions", "space all tasks", "/ filter"),
    *("r asks now", "esc back"),
)


class _Services(Drawn):
    """A service and its tasks are one stop."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.logs", "logs", id="services.logs",
                tooltip="Follow the log of this service"),
        Binding("full_stop", "screen.actions", "actions", id="services.actions",
                tooltip="Update, scale, roll back, inspect"),
        Binding("space", "screen.unfold", "all tasks", id="services.unfold",
                tooltip="Show all its tasks, or only what is wrong"),
        Binding("slash", "screen.filter", "filter", id="services.filter",
                tooltip="Filter: name, stack, image, node, state; !word inverts"),
        Binding("r", "screen.ask", "ask now", id="services.ask", tooltip="Ask the manager now"),
    ]  # fmt: skip


class ServicesScreen(Screen[Service | None]):
    """The swarm of one manager; the service whose log is to be followed, None on leaving.

    act: asks what to do with a service, and does it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="services.back", tooltip="Back"),
    ]

    def __init__(
        self, host: Safe, swarm: SwarmWatch, act: Callable[[Service], Awaitable[None]]
    ) -> None:
        super().__init__()
        self.host = host
        self.swarm = swarm
        self.act = act
        self.wanted = Safe("")
        self._unfolded: set[str] = set()

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield Words(id="said")
        yield _Services(self._draw_rows, id="services")
        yield Words(id="keys-here", classes="bar")

    def on_mount(self) -> None:
        self.swarm.look(1)
        self.query_one("#said").display = False
        self.query_one(_Services).focus()
        self.set_interval(REFRESH, self._draw)
        self._draw()

    def on_unmount(self) -> None:
        self.swarm.look(-1)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # What it shows

    def _shown(self, swarm: Swarm) -> list[Service]:
        return [one for one in swarm.services if fits(one, self.wanted, swarm.now)]

    def _draw(self) -> None:
        swarm = self.swarm.snapshot
        self._draw_title(swarm)
        width = max(20, self.size.width - 2)
        trouble = "\n".join(f" {line}" for line in paint.fold(swarm.trouble, width))
        self.query_one("#said", Words).say(*([(Safe(trouble), "bad")] if swarm.trouble else []))
        keys = keys_line(KEYS, self.size.width)
        self.query_one("#keys-here", Words).say((keys, "faint"))
        self._draw_rows()

    def _draw_title(self, swarm: Swarm) -> None:
        words: list[Part] = [(Safe(f" Swarm at {self.host}"), "title")]
        if self.wanted:
            count = f"{len(self._shown(swarm))} of {len(swarm.services)}"
            words.append((clean_line(f" · /{self.wanted}: {count}"), "warn"))
        if swarm.said:
            failing = sum(one.failing(swarm.now) for one in swarm.services)
            ill = sum(not node.well for node in swarm.nodes)
            said = [str(swarm.said)]
            said += [f"{failing} failing"] if failing else []
            said += [many(len(swarm.nodes), "node")] if swarm.nodes else []
            said += [f"{ill} not well"] if ill else []
            words.append((Safe(f" · {', '.join(said)}"), ""))
        self.query_one("#title", Words).say(*words)

    def _draw_rows(self) -> None:
        swarm = self.swarm.snapshot
        lines = self.query_one(_Services)
        if swarm.missing or swarm.at is None:
            lines.at = None
            lines.say(swarm.missing or Safe("The manager is being asked."))
            return
        shown = self._shown(swarm)
        stops = [one.id for one in shown] + [one.id for one in swarm.nodes]
        if lines.at not in stops:
            lines.at = stops[0] if stops else None
        width = max(20, self.size.width - 2)
        names = [one.name for one in shown] + [one.name for one in swarm.nodes]
        name = min(WIDEST, max(8, width - 34), max(map(cell_len, names), default=8))
        ill = [node_row(one, name, here=one.id == lines.at) for one in swarm.nodes if not one.well]
        well = [node_row(one, name, here=one.id == lines.at) for one in swarm.nodes if one.well]
        rows = self._headed("Nodes that are not well", ill)
        head = f"  {'SERVICE':<{name + 3}} {'TASKS':>7}  STATE"
        rows.append(paint.row((Safe(head), "faint")))
        for one in shown:
            rows += service_rows(
                one,
                swarm.now,
                width,
                name,
                here=one.id == lines.at,
                whole=one.id in self._unfolded,
            )
        if not shown:
            words = "No service fits; / changes the filter." if swarm.services else "No services."
            rows.append(paint.row((Safe(f"  {words}"), "faint")))
        lines.show_rows(rows + self._headed("Nodes", well))

    def _headed(self, head: str, rows: list[Row]) -> list[Row]:
        return [paint.row((Safe(f"  {head}"), "faint")), *rows] if rows else []

    # What the keys do

    def _here(self) -> Service | None:
        at = self.query_one(_Services).at
        return next((one for one in self.swarm.snapshot.services if one.id == at), None)

    def action_logs(self) -> None:
        service = self._here()
        if service is not None:
            self.dismiss(service)

    @work(exit_on_error=False)
    async def action_actions(self) -> None:
        service = self._here()
        if service is not None:
            await self.act(service)
            self.swarm.now()

    def action_unfold(self) -> None:
        service = self._here()
        if service is not None:
            self._unfolded ^= {service.id}
            self._draw_rows()

    @work(exit_on_error=False)
    async def action_filter(self) -> None:
        field = Field("words", Safe("Words (empty shows all)"), value=self.wanted)
        values = await self.app.push_screen_wait(Form(Safe("Filter services"), (field,)))
        if values is not None:
            self.wanted = clean_line(values["words"])
            self._draw()

    def action_ask(self) -> None:
        self.swarm.now()

    def action_leave(self) -> None:
        self.dismiss(None)
