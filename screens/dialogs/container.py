"""One container on the full screen: what it used, its health checks, events, mounts, last end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit.containers import disk_use
from cockpit.containers.curves import Curves, curves
from cockpit.containers.details import About, Detail
from cockpit.containers.disk_use import Used
from cockpit.containers.reasons import ended, news
from cockpit.text import Safe, clean_line
from cockpit.words import lasted, many, size
from screens import paint, plot
from screens.bars import Words, keys_line
from screens.dialogs.container_told import Counted, folded, told
from screens.lines import Lines
from screens.paint import Row
from screens.plot import Plot

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.host_watch import HostWatch
    from screens.container_keys import ContainerKeys

DRAWN_EVERY: Final = 2.0
_THREE, _TWO = 110, 56
"""Cells from which on so many plots stand side by side."""
_GAP: Final = 2


class _Body(Lines):
    """All of it in one text that scrolls; left and right go along the plots."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "screen.mark(-1)", "earlier", id="detail.earlier",
                tooltip="Mark a moment in the plots, and go back in time"),
        Binding("right", "screen.mark(1)", "later", id="detail.later",
                tooltip="The moment after, up to now"),
    ]  # fmt: skip

    def refill(self) -> None:
        if isinstance(self.screen, ContainerScreen):
            self.screen.draw()


class ContainerScreen(Screen[None]):
    """All that is known of a container. at: a moment to mark in its plots.

    What the engine must be asked for is asked when it opens, when its state changes, and on a key.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "logs", "logs then", id="detail.logs",
                tooltip="Its log at the marked moment, or now"),
        Binding("full_stop", "actions", "actions", id="detail.actions",
                tooltip="Restart, stop, start, a shell"),
        Binding("e", "environment", "environment", id="detail.environment",
                tooltip="Its variables; values that may be secret are hidden"),
        Binding("c", "differences", "differs", id="detail.differences",
                tooltip="What differs from its Compose file"),
        Binding("u", "usage", "disk use", id="detail.usage",
                tooltip="Count what its mounts take"),
        Binding("n", "now", "now", id="detail.now", tooltip="Mark no moment"),
        Binding("r", "ask", "ask again", id="detail.ask", tooltip="Ask its engine again"),
        Binding("escape,q,d", "leave", "back", id="detail.leave", tooltip="Back"),
    ]  # fmt: skip

    def __init__(
        self, keys: ContainerKeys, container: Container, at: datetime | None = None
    ) -> None:
        super().__init__()
        self.keys = keys
        self.container = container
        self.detail: Detail | None = None
        self.usage: dict[str, Used] = {}
        self.counted = Safe("")
        self._asking = False
        self._asked_of: object = None
        self._marked = self._mono(at) if at else None
        self._span = 10.0
        self._first = 0.0
        self._there = True

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield _Body(id="text")
        yield Words(id="keys-here", classes="bar")

    def on_mount(self) -> None:
        self.query_one(_Body).focus()
        self.set_interval(DRAWN_EVERY, self.draw)
        self.draw()

    # What is known

    @property
    def host_watch(self) -> HostWatch | None:
        """What watches its host; None where nothing does any more."""
        watched = self.keys.responder.watched
        return next((one for one in watched if one.engine.target.name == self.container.host), None)

    def _known(self) -> Container:
        """The container as it is known now, else as it was."""
        watch = self.host_watch
        rows = watch.snapshot.rows if watch else ()
        found = next((one for one in rows if one.id == self.container.id), None)
        self._there = found is not None
        self.container = found or self.container
        return self.container

    @staticmethod
    def _mono(at: datetime) -> float:
        return time.monotonic() - (datetime.now(UTC) - at).total_seconds()

    def action_ask(self) -> None:
        if not self._asking:
            self._asking = True
            self._ask()

    @work(exit_on_error=False)
    async def _ask(self) -> None:
        from cockpit.containers import details

        try:
            watch = self.host_watch
            if watch is not None:
                self.detail = await details.look(watch.engine, self.container.id)
        finally:
            self._asking = False
            self.draw()

    # Drawing

    def draw(self) -> None:
        """Draws all of it from what is known; asks again where the state has changed."""
        if not self.is_attached:
            return
        one = self._known()
        state = (one.state, one.health, one.restarts, one.started_at)
        if state != self._asked_of:
            self._asked_of = state
            self.action_ask()
        body = self.query_one(_Body)
        where = f" · {one.host}" if one.host else ""
        self.query_one("#title", Words).say((Safe(f" {one.name}{where}"), "title"))
        keys = ["left right a moment", "l logs then", ". actions", "e environment",
                "u disk use", "c differs", "r ask again", "n now", "esc back"]  # fmt: skip
        self.query_one("#keys-here", Words).say((keys_line(keys, self.size.width), "faint"))
        width = max(20, (body.size.width or self.size.width) - 1)
        rows = [*self._head(one, width), *self._plots(one, width)]
        if self.detail is None:
            rows += folded(Safe("Its engine is being asked …"), width, "faint")
        else:
            counted = Counted(self.usage, self.counted)
            rows += told(one, self.detail, counted, self._now(), width)
        body.show_rows(rows)

    def _head(self, one: Container, width: int) -> Iterator[Row]:
        """Its state in a line, then what is wrong, each in its own words."""
        watch = self.host_watch
        stale = self.keys.containers.why_stale(one)
        if not stale and watch and watch.snapshot.at and not self._there:
            stale = Safe("It is not there any more: this is what was known of it.")
        if stale:
            yield from folded(stale, width, "bad")
        now = watch.engine.now() if watch else datetime.now(UTC)
        words = [one.state + (f", {one.health}" if one.health else "")]
        if one.live and one.started_at:
            words.append(f"up {lasted((now - one.started_at).total_seconds())}")
        if one.exit_code is not None:
            words.append(f"exit {ended(one)}")
        if one.restarts:
            words.append(many(one.restarts, "restart"))
        words.append(one.image)
        yield from folded(Safe(" · ".join(words)), width, "strong")
        over = watch.limits.over if watch else {}
        differs = self.keys.containers.differs.get((one.host, one.id), ())
        for said in news(one, over, differs, now):
            yield from folded(Safe(f"! {said}"), width, "warn")
        yield paint.row()

    def _plots(self, one: Container, width: int) -> Iterator[Row]:
        watch = self.host_watch
        history = watch.snapshot.histories.get(one.id) if watch else None
        across = 3 if width >= _THREE else 2 if width >= _TWO else 1
        cells = (width - 1 - _GAP * (across - 1)) // across
        now = time.monotonic()
        found = curves(history.samples if history else (), cells, now)
        self._span, self._first = found.span, found.first * found.span
        mark = None if self._marked is None else found.index(self._marked)
        end = datetime.now(UTC) + timedelta(seconds=(found.first + cells) * found.span - now)
        if self._marked is not None and mark is None:
            first = plot.moment_of(end, found.span, cells, 0)
            words = f"The moment asked for is before {first:%H:%M}, where these plots begin."
            yield from folded(Safe(words), width, "warn")
        height = 5 if self.size.height >= 36 else 3
        six = _six(found)
        below = plot.axis(end, found.span, cells, cells, mark)
        blank = (Safe(" " * _GAP), "")
        for start in range(0, len(six), across):
            group = [plot.rows(each, height, cells, mark) for each in six[start : start + across]]
            for line in zip(*group, strict=True):
                parts = [part for each in line for part in (*each, blank)]
                yield paint.row((Safe(" "), ""), *parts)
            times = [part for _ in group for part in (*below, blank)]
            yield paint.row((Safe(" "), ""), *times)

    def _now(self) -> datetime:
        watch = self.host_watch
        return watch.engine.now() if watch else datetime.now(UTC)

    # Keys

    def action_mark(self, by: int) -> None:
        now = time.monotonic()
        if self._marked is None:
            if by < 0:
                self._marked = now - self._span
        else:
            self._marked = max(self._first, self._marked + by * self._span)
            if self._marked > now:
                self._marked = None
        self.draw()

    def action_now(self) -> None:
        self._marked = None
        self.draw()

    def action_logs(self) -> None:
        at = None
        if self._marked is not None:
            begin = self._marked // self._span * self._span
            at = datetime.now(UTC) + timedelta(seconds=begin - time.monotonic())
        self.dismiss()
        self.keys.logs_at(self._known(), at)

    def action_actions(self) -> None:
        self.dismiss()
        self.keys.start_acting(self._known())

    def action_environment(self) -> None:
        self.keys.open_environment(self._known())

    def action_differences(self) -> None:
        self.keys.open_differences(self._known())

    @work(exit_on_error=False)
    async def action_usage(self) -> None:
        about = self.detail.about.value if self.detail else None
        watch = self.host_watch
        if about is None or watch is None or not about.mounts:
            return
        self.counted = Safe("Being counted …")
        self.draw()
        try:
            self.counted = await self._count(about, watch)
        finally:
            self.draw()

    async def _count(self, about: About, watch: HostWatch) -> Safe:
        from cockpit.target import guard
        from cockpit.target.reading import read
        from cockpit.target.target import LinkDown, LinkLost

        command = disk_use.command(about.mounts)
        if not command or not watch.engine.far_command:
            return Safe("They cannot be counted from here: they are not files on this host.")
        intent = self.keys.responder.intent(command, host=watch.engine.target.name)
        try:
            leave = guard.answer(guard.ask(intent))
            said = await read(watch.engine.target, leave, disk_use.WITHIN)
        except (LinkLost, LinkDown, OSError, guard.Refused) as error:
            return clean_line(f"They could not be counted: {error}")
        self.usage = disk_use.read(said.output.decode("utf-8", "replace"))
        at = f"Counted at {datetime.now(UTC):%H:%M:%S} UTC"
        return Safe(f"{at}, not all of them within {disk_use.WITHIN:.0f} s." if said.cut else at)

    def action_leave(self) -> None:
        self.dismiss()


def _six(found: Curves) -> tuple[Plot, ...]:
    def highest(values: tuple[float | None, ...]) -> float:
        return max((one for one in values if one is not None), default=0.0)

    def percent(value: float) -> str:
        return f"{value:.1f}%" if value < 100 else f"{value:.0f}%"

    def rate(value: float) -> str:
        return f"{size(round(value))}/s"

    used = highest(found.memory)
    near = bool(found.limit) and used > found.limit / 4
    top = float(found.limit) if near else plot.nice(used, 1024.0)
    limit = Safe(size(found.limit)) if found.limit else Safe("")
    memory = Plot(
        Safe("Memory"), found.memory, top, lambda one: size(round(one)), limit=near, of=limit
    )
    rates = (
        ("Network in", found.received),
        ("Network out", found.sent),
        ("Disk read", found.read),
        ("Disk write", found.written),
    )
    return (
        Plot(Safe("CPU"), found.cpu, max(10.0, plot.nice(highest(found.cpu))), percent),
        memory,
        *(
            Plot(Safe(name), values, max(1024.0, plot.nice(highest(values), 1024.0)), rate)
            for name, values in rates
        ),
    )
