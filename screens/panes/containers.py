"""Containers of the host: state, health, restarts, CPU and memory, each number with its age."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from cockpit.text import Safe, clean_line
from cockpit.words import size
from screens import paint
from screens.lines import Lines
from screens.paint import Part, Row

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.limits import Key, Over
    from cockpit.containers.watch import Containers

    Shown = tuple[Containers, Mapping[Key, Over]]

ORDERS = ("name", "cpu", "memory", "restarts")


class ContainersPane(Lines):
    """The rows of one engine; what is missing is said in words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.show_logs", "logs", id="container.logs", tooltip="Show its logs"),
        Binding("full_stop", "screen.container_actions", "actions", id="container.actions",
                tooltip="Restart, stop, start, inspect"),
        Binding("slash", "screen.search", "filter", id="container.filter", tooltip="Filter"),
        Binding("o", "order", "order", id="container.order",
                tooltip="By name, CPU, memory, restarts"),
        Binding("a", "stopped", "stopped too", id="container.stopped",
                tooltip="Show stopped ones too"),
    ]  # fmt: skip

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.hosts: Sequence[Shown] = ()
        self.over: Mapping[Key, Over] = {}
        self.missing = Safe("Docker: not asked yet.")
        self.order = "name"
        self.all = True
        self.wanted = Safe("")

    def container(self) -> Container | None:
        """The container under the cursor."""
        rows = (row for known, _ in self.hosts for row in known.rows)
        return next((row for row in rows if (row.host, row.id) == self.at), None)

    def show(self, hosts: Sequence[Shown], missing: Safe) -> None:
        """The latest of each engine; missing says why there is nothing where there is nothing.

        hosts: each with what is beyond a limit, by the container's name and which limit.
        """
        self.hosts = hosts
        self.missing = missing
        self.refill()

    def filter(self, words: Safe) -> None:
        """Only the containers whose name or image has these words; empty shows all."""
        self.wanted = words
        self.refill()

    def action_order(self) -> None:
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self.refill()

    def action_stopped(self) -> None:
        self.all = not self.all
        self.refill()

    def refill(self) -> None:
        title = "1 Containers"
        if not self.hosts:
            self.border_title = paint.text(Safe(title))
            self.say(*[Safe(part) for part in self.missing.split("\n")])
            return
        known, self.over = self.hosts[0]
        shown = self._shown(known)
        parts = [title, f"by {self.order}"]
        if self.wanted:
            parts.append(f"with {self.wanted}")
        self.border_title = paint.text(Safe(" · ".join(parts)))
        if not known.rows and known.trouble:
            self.say(known.trouble)
            return
        rows = [*self._trouble(known), *self._disks(), self._head()]
        now = time.monotonic()
        rows += [self._row(container, now) for container in shown]
        if not shown:
            hidden = len(known.rows)
            words = (
                "No container fits; / changes the filter, a shows stopped ones."
                if hidden
                else "No containers. Docker answers, and there is none."
            )
            rows.append(paint.row((Safe(f" {words}"), "faint")))
        self.show_rows(rows)

    def _trouble(self, known: Containers) -> list[Row]:
        if not known.trouble:
            return []
        return [
            paint.row((Safe(f" {line}"), "bad"))
            for line in paint.fold(known.trouble, max(20, self.size.width - 2))
        ]

    def _disks(self) -> list[Row]:
        full = [one.short for key, one in self.over.items() if not key[0]]
        words = Safe(f" Disk: {', '.join(full)}")
        return [paint.row((words, "warn"))] if full else []

    def _shown(self, known: Containers) -> list[Container]:
        wanted = self.wanted.lower()
        rows = [
            row
            for row in known.rows
            if (self.all or row.live)
            and (not wanted or wanted in row.name.lower() or wanted in row.image.lower())
        ]
        keys: dict[str, Callable[[Container], float]] = {
            "name": lambda row: 0,
            "cpu": lambda row: -(row.sample.cpu_percent or 0) if row.sample else 1,
            "memory": lambda row: -row.sample.memory if row.sample else 1,
            "restarts": lambda row: -(row.restarts or 0),
        }
        return sorted(rows, key=lambda row: (not row.live, keys[self.order](row), row.name))

    def _name_width(self) -> int:
        return max(10, min(30, self.size.width - 38))

    def _head(self) -> Row:
        words = f"  {'NAME':<{self._name_width()}} {'STATE':<11}{'RST':>4}{'CPU%':>7}{'MEM':>11}"
        return paint.row((Safe(words), "faint"))

    def _row(self, container: Container, now: float) -> Row:
        from cockpit.containers.stats import age, stale

        pointer = Safe("> " if (container.host, container.id) == self.at else "  ")
        words, style = state(container)
        if style == "good":  # what is worse than a limit stays in sight
            over = [one.short for key, one in self.over.items() if key[0] == container.name]
            words, style = (over[0], "warn") if over else (words, style)
        count = "" if container.restarts is None else str(container.restarts)
        restarts: Part = (Safe(f"{count:>4}"), "warn" if container.restarts else "faint")
        cpu: Part = (Safe(f"{'':>7}"), "")
        memory: Part = (Safe(f"{'':>11}"), "")
        sample = container.sample
        if sample and container.live:
            if stale(sample, now):
                cpu = (Safe(f"{f'{age(sample, now):.0f} s old':>18}"), "warn")
                memory = (Safe(""), "")
            else:
                percent = "" if sample.cpu_percent is None else f"{sample.cpu_percent:.1f}"
                cpu = (Safe(f"{percent:>7}"), "")
                memory = (Safe(f"{size(sample.memory):>11}"), "")
        return paint.row(
            (pointer, "key"),
            (paint.fit(container.name, self._name_width()), ""),
            (paint.fit(Safe(f" {words}"), 12), style),
            restarts,
            cpu,
            memory,
            stop=(container.host, container.id),
        )


def state(container: Container) -> tuple[str, str]:
    """A container's state in a word or two, and its look: health first, then why it ended."""
    if container.state == "running":
        return {
            "healthy": ("healthy", "good"),
            "unhealthy": ("UNHEALTHY", "bad"),
            "starting": ("starting", "warn"),
        }.get(container.health, ("running", "good"))
    if container.oom:
        return "OOM KILLED", "bad"
    if container.state == "exited":
        return f"exited {container.exit_code}", "faint" if container.exit_code == 0 else "bad"
    return clean_line(container.state), "warn"
