"""Containers of the watched hosts, what is wrong on top, each number with its age."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip

from cockpit.containers.order import At, Order, Places, Rank, Ranked, Term, fits, rank, terms
from cockpit.containers.reasons import news
from cockpit.text import Safe
from screens import paint
from screens.lines import Lines
from screens.paint import Row
from screens.panes import container_rows
from screens.panes.container_rows import Columns, Facts, Steady

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.limits import Key, Over
    from cockpit.containers.watch import Containers

    Shown = tuple[Containers, Mapping[Key, Over]]

DRAWN_EVERY: Final = 1.0
"""Seconds between two pictures of numbers; a state that changes is drawn at once."""
UNSEEN_EVERY: Final = 5.0
MANY: Final = 2500
"""So many containers take a second more: to order them all costs, and they do not fit anyway."""
FOOT: Final = 2
"""Lines at the bottom for what is to be known of the container under the cursor."""
MARGIN: Final = 4
MEASURED: Final = 500
"""So many rows say how wide columns must be."""
# It counts on; what is shown here says since when, once.
_AGE: Final = re.compile(r"What is shown is \S+ \w+ old\. ")
_NONE: Final[tuple[Safe, ...]] = ()


class ContainersPane(Lines):
    """The rows of all watched hosts; what is missing is said in words.

    beside: said in the title. worry: percent of its limit from which on memory is one. clock: what
    time it is on a host's engine.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.show_logs", "logs", id="container.logs", tooltip="Show its logs"),
        Binding("full_stop", "screen.container_actions", "actions", id="container.actions",
                tooltip="Restart, stop, start, a shell, inspect"),
        Binding("d", "screen.container_detail", "detail", id="container.detail",
                tooltip="Plots, health checks, events, mounts"),
        Binding("h", "screen.watch_hosts", "hosts", id="container.hosts", show=False,
                tooltip="List the containers of other hosts too"),
        Binding("slash", "screen.search", "filter", id="container.filter",
                tooltip="Filter: name, project, image, state, host; !word inverts"),
        Binding("o", "order", "order", id="container.order",
                tooltip="What is wrong first, by name, CPU, memory, restarts, project"),
        Binding("a", "stopped", "stopped too", id="container.stopped",
                tooltip="Show those too that ended well, or long ago"),
        Binding("s", "screen.services", "services", id="container.services", show=False,
                tooltip="Services of the swarm, where this engine manages one"),
        Binding("space", "mark", "mark", id="container.mark", show=False,
                tooltip="Mark it: enter follows the logs of all that are marked"),
        Binding("L", "screen.log_sources", "all logs", id="container.all-logs", show=False,
                tooltip="Logs of a Compose project, of files, of units: several merged"),
        Binding("escape", "plain", "show all", id="container.plain", show=False,
                tooltip="Forget the filter"),
    ]  # fmt: skip

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.hosts: Sequence[Shown] = ()
        self.differs: Mapping[At, tuple[Safe, ...]] = {}
        self.missing = Safe("Docker: not asked yet.")
        self.order = Order.WRONG
        self.all = False
        self.wanted = Safe("")
        self.beside = Safe("")
        self.marked: set[At] = set()
        self.worry = 90
        self.clock: Callable[[str], datetime] = lambda host: datetime.now(UTC)
        self._terms: tuple[Term, ...] = ()
        self._places = Places()
        self._steady = Steady()
        self._listed: list[Ranked] = []
        self._index: dict[object, int] = {}
        self._names: Mapping[At, Safe] = {}
        self._stood: tuple[int, Safe, Safe] = (0, Safe(""), Safe(""))
        self._facts: dict[Safe, Facts] = {}
        self._columns = Columns(container_rows.SHORTEST)
        self._top: list[Row] = []
        self._foot: list[Row] = []
        self._fresh: set[int] = set()
        self._as_of: dict[Safe, tuple[float, Safe]] = {}
        self._shape: object = None
        self._drawn_at = float("-inf")
        self._laid_for = self.size

    # What it shows

    def container(self) -> Container | None:
        """The container under the cursor."""
        place = self._index.get(self.at)
        return None if place is None else self._listed[place].row

    def chosen(self) -> tuple[Container, ...]:
        """Those that are marked, in their order here; where none is, the one under the cursor."""
        rows = [row for known, _ in self.hosts for row in known.rows]
        marked = [row for row in rows if (row.host, row.id) in self.marked]
        last = len(self._listed)
        marked.sort(key=lambda row: (self._index.get((row.host, row.id), last), row.name))
        here = self.container()
        return tuple(marked) or ((here,) if here else ())

    def in_sight(self, host: str) -> frozenset[str]:
        """The ids of the containers of a host whose rows can be seen, or nearly."""
        first = round(self.scroll_y) - len(self._top)
        last = first + self.size.height + MARGIN if self.size.height else 0
        there = self._listed[max(0, first) : max(0, last)]
        return frozenset(one.row.id for one in there if one.row.host == host)

    def why_stale(self, container: Container) -> Safe:
        """Why what is shown of it may be old, and since when; "" while its host answers."""
        found = (known for known, _ in self.hosts if known.host == container.host)
        known = next(found, None)
        if known is None:
            return Safe(f"{container.host} is not watched any more.")
        if not known.trouble:
            return Safe("")
        as_of = self._since(known)
        when = f" as of {as_of}" if as_of else ""
        return Safe(f"What is known of {container.host} is{when}: {_bare(known.trouble)}")

    def show(
        self,
        hosts: Sequence[Shown],
        missing: Safe,
        differs: Mapping[At, tuple[Safe, ...]] | None = None,
    ) -> None:
        """The latest of each engine; missing says why there is nothing where there is nothing.

        hosts: each with what is beyond a limit, by the container's name and which limit. differs:
        what of a container is not as its Compose file says, in sentences.
        """
        self.hosts, self.missing, self.differs = hosts, missing, differs or {}
        shape = (
            missing,
            self.differs.keys(),
            [
                (known.host, _bare(known.trouble), {key: one.short for key, one in over.items()})
                for known, over in hosts
            ],
            [[(row.id, row.state, row.health) for row in known.rows] for known, _ in hosts],
        )
        now = time.monotonic()
        count = sum(len(known.rows) for known, _ in hosts)
        every = (DRAWN_EVERY if self.size.height else UNSEEN_EVERY) + count / MANY
        if shape != self._shape or now - self._drawn_at >= every:
            self._shape = shape
            self.refill()

    def filter(self, words: Safe) -> None:
        """Only the containers that fit these words; empty shows all."""
        self.wanted = words
        self._terms = terms(words)
        self.refill()
        self.reveal()

    # Keys

    def action_order(self) -> None:
        self.order = self.order.next
        self.refill()
        self.reveal()

    def action_stopped(self) -> None:
        self.all = not self.all
        self.refill()
        self.reveal()

    def action_mark(self) -> None:
        here = self.container()
        if here is None:
            return
        self.marked ^= {(here.host, here.id)}
        self.action_move(1)
        self.refill()

    def action_plain(self) -> None:
        if self.wanted:
            self.filter(Safe(""))

    def action_aside(self, by: int) -> None:
        """Rows are as wide as the pane: to the right of them is nothing, and no name would stay."""

    def moved(self) -> None:
        self._lay()

    # Rows

    @property
    def _width(self) -> int:
        """Cells that rows may take: beside the scrollbar, also before it is there."""
        return self.outer_size.width - 1

    @property
    def room(self) -> int:
        return max(1, self.size.height - len(self._foot))

    def refill(self) -> None:
        # Whatever comes in above it, the cursor does not leave the screen: keys act on its row.
        seen = self._seen() or self.size != self._laid_for
        self._laid_for = self.size
        self._lay_out()
        if seen:
            self.reveal()

    def reveal(self) -> None:
        if self.size.height:
            super().reveal()

    def _seen(self) -> bool:
        """Whether the row under the cursor is in sight."""
        under = self.span(self.at)
        top = round(self.scroll_y)
        return under is not None and top <= under[0] < top + self.room

    def _lay_out(self) -> None:
        self._drawn_at = now = time.monotonic()
        title = Safe("1 Containers")
        self._listed, self._index, self._foot = [], {}, []
        if not self.hosts:
            self.border_title = paint.text(title)
            self.say(*[Safe(part) for part in self.missing.split("\n")])
            return
        rows = [row for known, _ in self.hosts for row in known.rows]
        troubles = [known.trouble for known, _ in self.hosts if known.trouble]
        if not rows and len(self.hosts) == 1 and troubles:
            self.border_title = paint.text(title)
            self.say(*troubles)
            return
        self._facts = self._known(now)
        ranked = self._ranked()
        fitting = [one for one in ranked if self._fits(one)] if self._terms else ranked
        listed = fitting if self.all else [one for one in fitting if one.rank is not Rank.ENDED]
        self._listed = self._places.sort(listed, self.order, now)
        self._index = {one.at: index for index, one in enumerate(self._listed)}
        there = {one.at for one in ranked} if self.marked else set()
        self.marked &= there
        self._steady.only(self._listed)
        hidden = len(fitting) - len(self._listed)
        self._title(title, len(rows), len(fitting), hidden)
        some = [one.row for one in self._listed[:MEASURED]]
        self._names = container_rows.short_names(one.row for one in self._listed)
        self._columns = container_rows.columns(
            self._width,
            some,
            len(self.hosts),
            placed=self.order is Order.PLACE,
            names=self._names,
        )
        self._top = [*self._troubles(), *self._disks()]
        if self._listed:
            self._top.append(container_rows.head(self._columns))
        else:
            self._top.append(paint.row((self._empty(len(rows), hidden), "faint")))
        self._lay()

    def _known(self, now: float) -> dict[Safe, Facts]:
        found: dict[Safe, set[str]] = {}
        for host, container in self.differs:
            found.setdefault(host, set()).add(container)
        return {
            known.host: Facts(
                over=over,
                differs=found.get(known.host, frozenset()),
                histories=known.histories,
                as_of=self._since(known) if known.trouble else Safe(""),
                now=now,
                clock=self.clock(known.host),
                memory=self.worry,
            )
            for known, over in self.hosts
        }

    def _ranked(self) -> list[Ranked]:
        found = []
        for known, _ in self.hosts:
            facts = self._facts[known.host]
            over = {key for key in facts.over if key[0]}
            for row in known.rows:
                worst = rank(row, over, facts.clock, row.id in facts.differs)
                found.append(Ranked((row.host, row.id), row, worst))
        return found

    def _fits(self, one: Ranked) -> bool:
        said, _ = container_rows.said(one.row, self._facts[one.row.host])
        return fits(one.row, self._terms, said, one.rank)

    def _lay(self) -> None:
        """The rows of what is listed; those out of sight are laid out when they come in sight."""
        if not self.hosts or not (self._top or self._listed):
            return
        stops: list[object] = [one.at for one in self._listed]
        if self.at not in self._index:
            self.at = self._instead()
        if (index := self._index.get(self.at)) is not None:
            here = self._listed[index].row
            self._stood = (index, here.host, here.name)
        self._lay_foot()
        count, top = len(stops), len(self._top)
        same = self._stops == stops and len(self.rows) == top + count + len(self._foot)
        if not same or self.rows[:top] != self._top:
            blank = [Row(stop=stop) for stop in stops]
            rows = [*self._top, *blank, *[Row()] * len(self._foot)]
            # Kept until they are laid out again: what did not change is not drawn again.
            if same:
                rows[top:] = self.rows[top:]
            self.show_rows(rows)
        first = round(self.scroll_y)
        self._fresh = set()
        for y in range(max(first, top), min(first + max(self.size.height, 12), top + count)):
            if self._lay_row(y):
                self.refresh_line(y)

    def _instead(self) -> At | None:
        """Where the cursor goes when its container is gone: a key must not hit just any other.

        To what has its name now, as Compose makes it anew, else to the row that took its place.
        """
        if not self._listed:
            return None
        index, host, name = self._stood
        named = (one.at for one in self._listed if (one.row.host, one.row.name) == (host, name))
        return next(named, self._listed[min(index, len(self._listed) - 1)].at)

    def _lay_row(self, y: int) -> bool:
        """Lays out the row of a line; whether it is another one now."""
        one = self._listed[y - len(self._top)]
        new = container_rows.row(
            one.row,
            self._columns,
            self._facts[one.row.host],
            self._steady,
            here=one.at == self.at,
            marked=one.at in self.marked,
            rank=one.rank,
            name=self._names.get(one.at),
        )
        self._fresh.add(y)
        old, self.rows[y] = self.rows[y], new
        return old != new

    def render_line(self, y: int) -> Strip:
        foot = y - (self.size.height - len(self._foot))
        if 0 <= foot < len(self._foot):
            return paint.strip(self._foot[foot], self.size.width)
        index = y + round(self.scroll_y)
        if index not in self._fresh and 0 <= index - len(self._top) < len(self._listed):
            self._lay_row(index)
        return super().render_line(y)

    # What stands around the rows

    def _title(self, title: Safe, count: int, fitting: int, hidden: int) -> None:
        wrong = sum(one.rank <= Rank.OVER for one in self._listed)
        parts = [f"{title} {count}"]
        order = str(self.order)
        if wrong and self.order is Order.WRONG:
            order = f"{wrong} wrong first"
        elif wrong:
            parts[0] += f", {wrong} wrong"
        if self.wanted:
            parts.append(f"{fitting} with {self.wanted}, esc clears")
        # The end is cut off in a narrow pane.
        if self.marked:
            parts.append(f"{len(self.marked)} marked")
        parts.append(order)
        if self.beside:
            parts.append(self.beside)
        if hidden:
            parts.append(f"{hidden} stopped (a)")
        elif self.all:
            parts.append("stopped too")
        self.border_title = paint.text(Safe(" · ".join(parts)))

    def _troubles(self) -> list[Row]:
        """What is wrong with each host: all of it for one, a line for each of several."""
        width = max(20, self._width - 1)
        rows = []
        for known, _ in self.hosts:
            if not known.trouble:
                continue
            as_of = self._since(known)
            said = f"as of {as_of}: {_bare(known.trouble)}" if as_of else _bare(known.trouble)
            if len(self.hosts) == 1:
                lines = paint.fold(Safe(said), width)[:4]
            else:
                lines = [paint.fit(Safe(f"{known.host}: {said}"), width)]
            rows += [paint.row((Safe(f" {line}"), "bad")) for line in lines]
        return rows

    def _disks(self) -> list[Row]:
        rows = []
        for known, over in self.hosts:
            full = [one.short for key, one in over.items() if not key[0]]
            where = f"{known.host}: disk" if len(self.hosts) > 1 else "Disk"
            if full:
                rows.append(paint.row((Safe(f" {where}: {', '.join(full)}"), "warn")))
        return rows

    def _empty(self, count: int, hidden: int) -> Safe:
        if not count:
            return Safe(" No containers. Docker answers, and there is none.")
        if self.wanted:
            more = f" {hidden} stopped: a shows them." if hidden else ""
            return Safe(f" No container fits {self.wanted}; / changes the filter.{more}")
        return Safe(f" None is running, and none ended badly. a shows {hidden} stopped.")

    def _lay_foot(self) -> None:
        """What is to be known of the container under the cursor, in whole sentences."""
        before, self._foot = self._foot, []
        here = self.container()
        if here is not None and self.size.height > 3 * FOOT:
            facts = self._facts[here.host]
            differs = self.differs.get((here.host, here.id), _NONE)
            said = news(here, facts.over, differs, facts.clock)
            if said:
                words = Safe(f"{here.name}: {'; '.join(said)}")
                folded = paint.fold(words, max(20, self._width - 1))
                if len(folded) > FOOT:
                    folded = [*folded[: FOOT - 1], paint.fit(Safe(" ".join(folded[FOOT - 1 :])),
                                                             self._width - 1)]  # fmt: skip
                self._foot = [paint.row((Safe(f" {line}"), "warn")) for line in folded]
        if before != self._foot:
            lines = max(len(before), len(self._foot))
            self.refresh(Region(0, self.size.height - lines, self.size.width, lines))

    def _since(self, known: Containers) -> Safe:
        """When its engine was heard last, said once so that it does not change each second."""
        if known.at is None:
            return Safe("")
        was = self._as_of.get(known.host)
        if was is None or was[0] != known.at:
            gone = timedelta(seconds=time.monotonic() - known.at)
            was = (known.at, Safe(f"{datetime.now(UTC) - gone:%H:%M:%S}"))
            self._as_of[known.host] = was
        return was[1]


def _bare(trouble: Safe) -> Safe:
    return Safe(_AGE.sub("", trouble, count=1))
