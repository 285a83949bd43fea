"""A message to others: all of it in an editor, as it will be read; then where it goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from cockpit.oncall import messages
from cockpit.text import Safe, clean
from cockpit.words import many
from screens import paint
from screens.driver import when_shown
from screens.lines import Drawn, pointer
from screens.paint import Part

PREVIEW_LINES = 8
AROUND = 8
"""Lines of a panel that are not the text: frame, title, what is said of it, keys, and some air."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message as it stands, cleaned and redacted; ready: it may go."""

    text: Safe
    ready: bool


class _Editor(TextArea):
    """Plain text; what is pasted is cleaned on its way in."""

    async def on_paste(self, event: events.Paste) -> None:
        event.text = clean(event.text)


class Write(ModalScreen[Written]):
    """All of a message, to be changed. Whoever leaves it loses nothing: what stands is returned.

    redact: makes of a text what may be told; a text goes on only once it has been shown that way.
    promises: it should say when the next one comes.
    """

    AUTO_FOCUS = "#message"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "go_on", "go on", id="say.go-on", tooltip="Choose where it goes"),
        Binding("escape", "leave", "leave it", id="say.leave", tooltip="Leave; the text is kept"),
    ]

    def __init__(
        self, title: Safe, text: Safe, redact: Callable[[str], str], *, promises: bool
    ) -> None:
        super().__init__(classes="panel")
        self.asked = title
        self.text = text
        self.redact = redact
        self.promises = promises
        self._warned = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((self.asked, "title")), markup=False)
            yield _Editor(
                self.text, id="message", compact=True, highlight_cursor_line=False, tooltip=None
            )
            yield Static("", markup=False, id="of-it")
            how = "change what is wrong · ctrl+s goes on · esc leaves it, the text is kept"
            yield Static(paint.text((Safe(how), "faint")), markup=False)

    def on_mount(self) -> None:
        editor = self.query_one(_Editor)
        editor.cursor_blink = False
        editor.move_cursor(editor.document.end)
        self._say()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    @on(TextArea.Changed)
    def _say(self) -> None:
        """What is to be known of the text: secrets, gaps, and what it promises."""
        self._fit()
        text = self.query_one(_Editor).text
        told = self.redact(text)
        out, fresh = messages.taken_out(told), messages.taken_out(told) - messages.taken_out(text)
        parts: list[Part] = []
        if fresh > 0:
            parts.append((Safe(f"{many(fresh, 'secret')} to be taken out. "), "warn"))
        elif out:
            never = "it never leaves" if out == 1 else "they never leave"
            parts.append((Safe(f"{many(out, 'secret')} taken out: {never}. "), "warn"))
        still_open = told.count(messages.NOT_KNOWN)
        if still_open:
            parts.append((Safe(f"{still_open} not known yet. "), "warn"))
        now = datetime.now(UTC)
        due = messages.promised(told, now)
        past = ", which is past: change it" if due and due < now else ""
        promise = f"It promises the next one at {due:%H:%M} UTC{past}." if due else ""
        lacks = "It promises no next one." if self.promises else ""
        parts.append((Safe(self._warned or promise or lacks), "faint"))
        self.query_one("#of-it", Static).update(paint.text(*parts))

    def _fit(self) -> None:
        """As high as the text needs, as far as the terminal has it."""
        editor = self.query_one(_Editor)
        lines = max(3, editor.wrapped_document.height)
        editor.styles.height = min(lines + 1, max(3, self.size.height - AROUND))

    def action_go_on(self) -> None:
        editor = self.query_one(_Editor)
        text = editor.text.strip()
        told = Safe(self.redact(text))
        if not told:
            self._warned = "There is nothing to tell yet."
        elif told != text:
            # Only what has been seen goes out.
            self._warned = "It was changed to what may leave. Read it again; ctrl+s goes on."
            editor.load_text(told)
            editor.move_cursor(editor.document.end)
        else:
            self.dismiss(Written(told, True))
            return
        self._say()

    def action_leave(self) -> None:
        self.dismiss(Written(Safe(self.redact(self.query_one(_Editor).text)), False))


@dataclass(frozen=True, slots=True)
class Place:
    """A destination of the outbox. note: what such a message does there. ticked: unless changed.

    never: why such a message is of no use there, in a sentence; empty where it is.
    """

    name: str
    kind: str
    note: str = ""
    ticked: bool = True
    never: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Going:
    """Where a message goes: through the outbox to these, else it was said by hand."""

    to: tuple[str, ...] = ()


class _Places(Drawn):
    """One row a destination."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "screen.tick", "tick", id="say.tick",
                tooltip="Send it there, or not"),
    ]  # fmt: skip


class Where(ModalScreen[Going | None]):
    """Exactly what will be told, and to whom; None goes back to the text.

    copy: puts the text into the clipboard, and says in a sentence what became of it. Takes no key
    that sends before it was drawn.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "send", id="say.send", tooltip="Queue it for what is ticked"),
        Binding("y", "copy", "copy", id="say.copy", tooltip="Copy it to the clipboard"),
        Binding("h", "by_hand", "said by hand", id="say.by-hand",
                tooltip="Note that you told them yourself"),
        Binding("escape", "leave", "back", id="say.back", tooltip="Back to the text"),
    ]  # fmt: skip

    def __init__(
        self, text: Safe, places: Sequence[Place], copy: Callable[[], Awaitable[Safe]]
    ) -> None:
        super().__init__(classes="panel")
        self.text = text
        self.places = places
        self.copy = copy
        self.ticked = {place.name for place in places if place.ticked}
        self._shown = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(paint.text((Safe("Where does it go?"), "title")), markup=False)
            yield Static("", markup=False, id="preview")
            yield _Places(self._draw, id="places")
            yield Static("", markup=False, id="of-it")
            yield Static("", markup=False, id="keys-here")

    def on_mount(self) -> None:
        self.query_one(_Places).focus()
        self._draw()
        when_shown(self, self._now_shown)

    def _now_shown(self) -> None:
        self._shown = True

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width = max(20, min(self.size.width, 110) - 6)
        lines = [part for line in self.text.split("\n") for part in paint.fold(Safe(line), width)]
        room = max(2, min(PREVIEW_LINES, self.size.height - len(self.places) - AROUND))
        if len(lines) > room:
            lines[room - 1 :] = [Safe(f"… {len(lines) - room + 1} more lines; esc shows them")]
        self.query_one("#preview", Static).update(paint.text((Safe("\n".join(lines)), "code")))
        rows = self.query_one(_Places)
        rows.styles.height = max(1, len(self.places))
        if self.places:
            rows.show_rows([self._row(place) for place in self.places])
        else:
            none = "No destination yet: `outbox` in cockpit.yaml names them. y copies it."
            rows.show_rows([paint.row((Safe(none), "warn"))])
        count = len(self.ticked)
        keys = [f"enter queues for {count}", "space ticks"] if self.places else []
        keys += ["y copies", "h said by hand", "esc back"]
        self.query_one("#keys-here", Static).update(paint.text((Safe(" · ".join(keys)), "faint")))

    def _row(self, place: Place) -> paint.Row:
        rows = self.query_one(_Places)
        at = rows.at if rows.at is not None else self.places[0].name
        tick = "[x] " if place.name in self.ticked else "[-] " if place.never else "[ ] "
        name = clean(place.name)
        gap = Safe(" " * max(2, 16 - cell_len(name)))
        more = Safe(f"{place.kind}: {place.note}" if place.note else place.kind)
        here = place.name == at
        return paint.row(
            (pointer(here), "key"),
            (Safe(tick), ""),
            (name, "strong" if here else ""),
            (gap, ""),
            (more, "faint"),
            stop=place.name,
        )

    def action_tick(self) -> None:
        at = self.query_one(_Places).at
        place = next((place for place in self.places if place.name == at), None)
        if place is None:
            return
        self._say(place.never, "warn")
        if not place.never:
            self.ticked ^= {place.name}
            self._draw()

    def _say(self, words: Safe, look: str = "") -> None:
        self.query_one("#of-it", Static).update(paint.text((words, look)))

    def action_send(self) -> None:
        if not self._shown:
            return
        to = tuple(place.name for place in self.places if place.name in self.ticked)
        if to:
            self.dismiss(Going(to))
        elif self.places:
            self._say(Safe("Nothing is ticked: space ticks, h notes that you said it."), "warn")
        else:
            self._say(Safe("y copies it; h notes that you said it."), "warn")

    @work(exit_on_error=False)
    async def action_copy(self) -> None:
        self._say(await self.copy())

    def action_by_hand(self) -> None:
        if self._shown:
            self.dismiss(Going())

    def action_leave(self) -> None:
        self.dismiss(None)
