"""Choose one of a list: type words to narrow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.text import Safe
from screens import paint
from screens.dialogs.answer import Answer
from screens.lines import Lines

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer(Generic[T]):
    """Something to choose: its words, what else is known of it, and what it stands for."""

    words: Safe
    more: Safe
    value: T


class _Offers(Lines, can_focus=False):
    """The list; the cursor is driven from the input."""


def _cut(words: Safe, width: int) -> Safe:
    return words if cell_len(words) <= width else paint.fit(words, width)


class Choose(ModalScreen[T | None], Generic[T]):
    """A list with a filter; None when the responder leaves it.

    free: makes a value of what was typed, where the list has nothing of that name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="choose.leave", tooltip="Leave as it is"),
    ]

    def __init__(
        self,
        title: Safe,
        offers: Sequence[Offer[T]],
        *,
        hint: Safe = Safe(""),
        free: bool = False,
    ) -> None:
        super().__init__(classes="panel")
        self.asked = title
        self.offers = offers
        self.hint = hint
        self.free = free
        self.typed = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((self.asked, "title")), markup=False)
            if self.hint:
                yield Static(paint.text(self.hint), markup=False)
            keys = {"enter": self._take, "down": self._down, "up": self._up}
            yield Answer("", keys, id="words")
            yield _Offers(id="offers")
            how = "type to narrow · up, down · enter chooses · esc leaves it"
            yield Static(paint.text((Safe(how), "faint")), markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Answer))
        self.query_one(_Offers).styles.height = max(2, min(12, len(self.offers)))
        self._fill()
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _matching(self) -> list[tuple[int, Offer[T]]]:
        """What has all the words: as they were typed first, then in the name, then elsewhere."""
        typed = " ".join(self.typed.lower().split())
        words = typed.split()
        found = []
        for index, offer in enumerate(self.offers):
            name = offer.words.lower()
            if all(word in f"{name} {offer.more.lower()}" for word in words):
                elsewhere = not all(word in name for word in words)
                found.append((typed not in name, elsewhere, index, offer))
        return [(index, offer) for _, _, index, offer in sorted(found, key=lambda one: one[:3])]

    def _fill(self) -> None:
        lines = self.query_one(_Offers)
        matching = self._matching()
        if not matching:
            words = "enter takes what you typed" if self.free else "Nothing has these words."
            lines.at = None
            lines.show_rows([paint.row((Safe(f"  {words}"), "faint"))])
            return
        if lines.at not in [index for index, _ in matching]:
            lines.at = matching[0][0]
        width = max(20, lines.size.width - 3)
        lines.show_rows(
            [
                paint.row(
                    (Safe("> " if index == lines.at else "  "), "key"),
                    (_cut(offer.words, width), "strong" if index == lines.at else ""),
                    (_cut(Safe(f"  {offer.more}"), width - cell_len(offer.words)), "faint"),
                    stop=index,
                )
                for index, offer in matching
            ]
        )
        lines.reveal()

    def on_input_changed(self, event: Answer.Changed) -> None:
        self._narrow(event.value)

    def _narrow(self, typed: str) -> None:
        if typed != self.typed:
            self.typed = typed
            self.query_one(_Offers).at = None
            self._fill()

    def _take(self, text: str) -> None:
        self._narrow(text)
        at = self.query_one(_Offers).at
        if isinstance(at, int):
            self._leave(self.offers[at].value)
        elif self.free and text.strip():
            self._leave(text.strip())  # type: ignore[arg-type]

    def _down(self, text: str) -> None:
        self._move(text, 1)

    def _up(self, text: str) -> None:
        self._move(text, -1)

    def _move(self, text: str, by: int) -> None:
        self._narrow(text)
        self.query_one(_Offers).action_move(by)
        self._fill()

    def _leave(self, value: T | None) -> None:
        self.query_one(Answer).shut = True
        self.dismiss(value)

    def action_leave(self) -> None:
        self.dismiss(None)
