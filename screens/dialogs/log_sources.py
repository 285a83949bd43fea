"""Which logs are followed: Compose projects, containers, files and units of the host; several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.text import Safe
from screens import paint
from screens.dialogs.answer import Answer
from screens.lines import Lines

if TYPE_CHECKING:
    from cockpit.logs.source import LogSource


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be followed.

    compose: host, project and perhaps service, for all that it runs and will run.
    """

    sources: tuple[LogSource, ...] = ()
    compose: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be followed. logs: begins none of them yet. compose: as in Chosen."""

    name: Safe
    more: Safe
    logs: Callable[[], Iterable[LogSource]]
    compose: tuple[str, ...] = ()


class _Rows(Lines, can_focus=False):
    """The list; the cursor is driven from the line above it."""


class LogSources(ModalScreen[Chosen | None]):
    """What can be followed; words narrow it, space marks several, enter follows them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="sources.leave", tooltip="Leave as it is"),
    ]

    def __init__(self, offers: Sequence[Offer], later: Awaitable[tuple[list[Offer], Safe]]) -> None:
        """later: what hosts must be asked for, and what they did not answer, in a sentence."""
        super().__init__(classes="panel")
        self.offers = list(offers)
        self.later = later
        self.marked: set[int] = set()
        self.typed = ""
        self._told = Safe("files and units of the host: asking …")

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((Safe("Which logs?"), "title")), markup=False)
            keys = {"enter": self._take, "space": self._mark}
            moves = {"down": 1, "up": -1, "pagedown": 8, "pageup": -8}
            for key, by in moves.items():
                keys[key] = lambda text, by=by: self._move(text, by)  # type: ignore[misc]
            yield Answer("", keys, id="words")
            yield _Rows(id="offers")
            yield Static("", markup=False, id="notes")
            how = "type to narrow · space marks several · enter follows · esc leaves it"
            yield Static(paint.text((Safe(how), "faint")), markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Answer))
        self._fit()
        self.call_after_refresh(self._fill)
        self._ask_host()

    def on_resize(self) -> None:
        self._fit()
        self.call_after_refresh(self._fill)

    def _fit(self) -> None:
        room = max(3, self.app.size.height * 9 // 10 - 7)
        self.query_one(_Rows).styles.height = max(2, min(16, room, len(self.offers)))

    @work(exit_on_error=False)
    async def _ask_host(self) -> None:
        """Files and units are looked up on the host; the list stands meanwhile."""
        found, self._told = await self.later
        self.offers += found
        if self.is_attached:
            self._fit()
            self.call_after_refresh(self._fill)

    def _matching(self) -> list[tuple[int, Offer]]:
        words = self.typed.lower().split()
        return [
            (index, offer)
            for index, offer in enumerate(self.offers)
            if all(word in f"{offer.name} {offer.more}".lower() for word in words)
        ]

    def _fill(self) -> None:
        lines = self.query_one(_Rows)
        note = self.query_one("#notes", Static)
        note.display = bool(self._told)
        note.update(paint.text((self._told, "faint")))
        matching = self._matching()
        if not matching:
            lines.at = None
            words = "Nothing has these words." if self.offers else "Nothing can be followed yet."
            lines.show_rows([paint.row((Safe(f"  {words}"), "faint"))])
            return
        if lines.at not in [index for index, _ in matching]:
            lines.at = matching[0][0]
        width = max(20, lines.size.width - 1)
        rows = []
        for index, offer in matching:
            here = index == lines.at
            sign = Safe("> " if here else "  ")
            mark = Safe("[x] " if index in self.marked else "[ ] ")
            name = paint.fit(offer.name, min(cell_len(offer.name), width - 6))
            left = max(0, width - 6 - cell_len(name))
            more = Safe(f"  {offer.more}")
            rows.append(
                paint.row(
                    (sign, "key"),
                    (mark, "good" if index in self.marked else "faint"),
                    (name, "strong" if here else ""),
                    (paint.fit(more, min(cell_len(more), left)), "faint"),
                    stop=index,
                )
            )
        lines.show_rows(rows)
        lines.reveal()

    def on_input_changed(self, event: Answer.Changed) -> None:
        self._narrow(event.value)

    def _narrow(self, typed: str) -> None:
        if typed != self.typed:
            self.typed = typed
            self.query_one(_Rows).at = None
            self._fill()

    def _move(self, text: str, by: int) -> None:
        self._narrow(text)
        rows = self.query_one(_Rows)
        places = [index for index, _ in self._matching()]
        if places:
            now = places.index(rows.at) if isinstance(rows.at, int) and rows.at in places else 0
            rows.at = places[max(0, min(len(places) - 1, now + by))]
            self._fill()

    def _mark(self, text: str) -> None:
        self._narrow(text)
        at = self.query_one(_Rows).at
        if isinstance(at, int):
            self.marked ^= {at}
            self._move(text, 1)
            self._fill()

    def _take(self, text: str) -> None:
        self._narrow(text)
        at = self.query_one(_Rows).at
        wanted = sorted(self.marked) or ([at] if isinstance(at, int) else [])
        if not wanted:
            return
        self.query_one(Answer).shut = True
        chosen = [self.offers[index] for index in wanted]
        if len(chosen) == 1 and chosen[0].compose:
            self.dismiss(Chosen(compose=chosen[0].compose))
            return
        sources = {source.key: source for offer in chosen for source in offer.logs()}
        self.dismiss(Chosen(tuple(sources.values())))

    def action_leave(self) -> None:
        self.dismiss(None)
