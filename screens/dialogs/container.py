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
from cockpit.containers.details import About, Detail, Health, age
from cockpit.containers.disk_use import Used
from cockpit.containers.reasons import ended, news, reason
from cockpit.text import Safe, clean_line
from cockpit.words import duration, lasted, many, size
from screens import paint, plot
from screens.bars import Words, keys_line
from screens.lines import Lines
from screens.paint import Row
from screens.plot import Plot

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.host_watch import HostWatch
    from screens.container_keys import ContainerKeys

DRAWN_EVERY: Final = 2.0
CHECKS: Final = 5
EVENTS: Final = 12
LAST_LINES: Final = 3
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
        rows += self._told(one, width)
        body.show_rows(rows)

    def _head(self, one: Container, width: int) -> Iterator[Row]:
        """Its state in a line, then what is wrong, each in its own words."""
        watch = self.host_watch
        stale = self.keys.containers.why_stale(one)
        if not stale and watch and watch.snapshot.at and not self._there:
            stale = Safe("It is not there any more: this is what was known of it.")
        if stale:
            yield from _folded(stale, width, "bad")
        now = watch.engine.now() if watch else datetime.now(UTC)
        words = [one.state + (f", {one.health}" if one.health else "")]
        if one.live and one.started_at:
            words.append(f"up {lasted((now - one.started_at).total_seconds())}")
        if one.exit_code is not None:
            words.append(f"exit {ended(one)}")
        if one.restarts:
            words.append(many(one.restarts, "restart"))
        words.append(one.image)
        yield from _folded(Safe(" · ".join(words)), width, "strong")
        over = watch.limits.over if watch else {}
        differs = self.keys.containers.differs.get((one.host, one.id), ())
        for said in news(one, over, differs, now):
            yield from _folded(Safe(f"! {said}"), width, "warn")
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
            yield from _folded(Safe(words), width, "warn")
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

    def _told(self, one: Container, width: int) -> Iterator[Row]:
        """What the engine said when it was asked."""
        if self.detail is None:
            yield from _folded(Safe("Its engine is being asked …"), width, "faint")
            return
        about = self.detail.about
        if about.value is None:
            yield from _folded(about.trouble, width, "bad")
        else:
            yield from self._health(about.value.health, width)
        yield from self._events(width)
        if about.value is not None:
            yield from self._ending(about.value, width)
            yield from self._mounts(about.value, width)
            yield from self._made(one, about.value, width)
        asked = f"Asked at {self.detail.asked:%H:%M:%S} UTC, by the engine's clock. r asks again."
        yield paint.row()
        yield from _folded(Safe(asked), width, "faint")

    def _health(self, health: Health | None, width: int) -> Iterator[Row]:
        yield _heading("Health check")
        if health is None:
            yield from _folded(Safe("It has none."), width, "faint")
            return
        bad = health.status == "unhealthy"
        fails = f", {many(health.failing, 'failure')} in a row" if health.failing else ""
        every = f", every {duration(health.every)}" if health.every >= 10 else ""
        yield from _folded(
            Safe(f"{health.status}{fails}{every}: {health.test}"), width, "bad" if bad else ""
        )
        said: tuple[int, Safe] | None = None
        for check in health.checks[:CHECKS]:
            at = f"{check.at:%H:%M:%S}" if check.at else "--:--:--"
            before, said = said, (check.exit_code, check.output)
            how = "passed" if check.exit_code == 0 else f"failed with {check.exit_code}"
            look = "" if check.exit_code == 0 else "warn"
            yield from _folded(Safe(f"{at}  {how} after {duration(check.seconds)}"), width, look)
            if said == before:
                continue  # the same words again
            for line in check.output.split("\n")[-LAST_LINES:] if check.output else ():
                yield from _folded(Safe(f"          {line}"), width, "faint")

    def _events(self, width: int) -> Iterator[Row]:
        assert self.detail is not None
        yield _heading("Events of the last hour, as far as its engine remembers")
        events = self.detail.events
        if events.value is None:
            yield from _folded(events.trouble, width, "bad")
            return
        if not events.value:
            yield from _folded(Safe("none"), width, "faint")
        for event in events.value[:EVENTS]:
            at = f"{event.at:%H:%M:%S}" if event.at else "--:--:--"
            yield from _folded(Safe(f"{at}  {event.words}"), width, "warn" if event.bad else "")
        more = len(events.value) - EVENTS
        if more > 0:
            yield from _folded(Safe(f"and {many(more, 'older one')}"), width, "faint")

    def _ending(self, about: About, width: int) -> Iterator[Row]:
        yield _heading("Last end")
        if about.finished is None:
            yield from _folded(Safe("It has not ended since it was made."), width, "faint")
            return
        # Of one that runs again, the engine keeps when it ended, and not how.
        words = age(about.finished, self._now())
        if not one_runs(about):
            why = f"{about.exit_code}: {reason(about.exit_code, about.oom)}"
            words = Safe(f"{words}, exit code {why}")
        yield from _folded(words, width, "")
        if about.error:
            yield from _folded(about.error, width, "warn")

    def _mounts(self, about: About, width: int) -> Iterator[Row]:
        yield _heading("Mounts")
        if not about.mounts:
            yield from _folded(Safe("none"), width, "faint")
        for one in about.mounts:
            source = clean_line(one.name or one.source)
            lead = f"{one.kind} {source} -> " if source else f"{one.kind} "
            ending = "" if one.writable else ", read only"
            used = self.usage.get(one.source)
            said = f": {used.words}" if used else ""
            look = "warn" if used and used.full else ""
            yield from _folded(Safe(f"{lead}{one.target}{ending}{said}"), width, look)
        if about.mounts:
            yield from _folded(self.counted or Safe("u counts what they take."), width, "faint")

    def _made(self, one: Container, about: About, width: int) -> Iterator[Row]:
        assert self.detail is not None
        yield _heading("Ports and networks")
        for words in (*about.ports, *about.networks) or (Safe(f"mode {about.network_mode}"),):
            yield from _folded(words, width, "")
        yield _heading("How it was made")
        image = self.detail.image
        now = self._now()
        facts = [("image", about.image)]
        if image.value is None:
            facts.append(("", image.trouble))
        else:
            tagged = about.image in image.value.tags or not image.value.tags
            if not tagged:
                tags = ", ".join(image.value.tags)
                facts.append(("", Safe(f"that name is another image now; this one is {tags}")))
            facts.append(("image built", age(image.value.created, now)))
            facts.append(("image size", Safe(size(image.value.size))))
        facts += [
            ("made", age(about.created, now)),
            ("command", about.command),
            ("user", about.user),
            ("on an end", about.restart_policy),
            ("limits", about.limits),
            ("log driver", about.logging),
            ("id", Safe(about.id[:12])),
        ]
        if one.project:
            facts.append(("compose", Safe(f"{one.project}, service {one.service}")))
            facts.append(("", clean_line(one.config_files)))
        for name, words in facts:
            if words:
                yield from _folded(Safe(f"{name:<12} {words}"), width, "", hang=13)
        hidden = sum(not each.shown for each in about.environment)
        count = f"{many(len(about.environment), 'variable')}, {hidden} of them hidden: e shows them"
        yield from _folded(Safe(f"{'environment':<12} {count}"), width, "", hang=13)

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


def one_runs(about: About) -> bool:
    """Whether it runs as far as inspect told."""
    return about.state in ("running", "paused")


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


def _heading(words: str) -> Row:
    return paint.row((Safe(f" {words}"), "title"))


def _folded(words: Safe, width: int, look: str, hang: int = 0) -> Iterator[Row]:
    for parts in paint.fold_parts([(words, look)], max(10, width - 2), hang):
        yield paint.row((Safe(" "), ""), *parts)
