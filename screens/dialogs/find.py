"""Find the right runbook: type words, an alert's name, or paste a log line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from cockpit.text import Safe, clean_line
from screens import paint
from screens.dialogs.answer import Answer
from screens.lines import Lines
from screens.paint import Part, Row

if TYPE_CHECKING:
    from cockpit.config import Config
    from cockpit.runbook.index import Found, Index

MOST = 50
# Border, title, input, two lines for the chosen one, and the keys.
_AROUND = 7


class _Words(Answer):
    """The line that is searched for; a paste of several lines becomes one."""

    def _on_paste(self, event: events.Paste) -> None:
        if not self.shut:
            self.replace(" ".join(event.text.split()), *self.selection)
        event.prevent_default()
        event.stop()


class _Found(Lines, can_focus=False):
    """The list; the cursor is driven from the input."""


class Find(ModalScreen[Path | None]):
    """Runbooks, the best first; the path of the chosen one, None when the responder leaves.

    near: names of services, hosts, containers that it is likely about. words: what to begin with.
    Index and files are read beside the loop: what was known before is shown at once, and again
    when it is up to date. A file's path may be typed too.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="find.leave", tooltip="Leave as it is"),
    ]

    def __init__(self, config: Config, near: Sequence[str] = (), words: Safe = Safe("")) -> None:
        super().__init__(classes="panel")
        self.config = config
        self.names = tuple(name for name in near if name)
        self.words = words
        self.typed: str = words
        self.shown_for: str | None = None
        self.found: list[Found] = []
        self._index: Index | None = None
        self._wanted = asyncio.Event()
        self._enter = False
        self._notes = Safe("")
        self._count = 0

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static("", markup=False, id="asked", classes="bar")
            moves = {"down": 1, "up": -1, "pagedown": 5, "pageup": -5}
            keys: dict[str, Callable[[str], None]] = {"enter": self._take}
            for key, by in moves.items():
                keys[key] = lambda text, by=by: self._move(by)  # type: ignore[misc]
            words = _Words(self.words, keys, id="words")
            words.placeholder = "words, an alert's name, a log line, a path"
            yield words
            yield _Found(id="offers")
            yield Static("", markup=False, id="chosen")
            yield Static("", markup=False, id="notes")
            how = "up, down · enter opens · esc leaves it"
            yield Static(paint.text((Safe(how), "faint")), markup=False, classes="bar")

    def on_mount(self) -> None:
        words = self.query_one(_Words)
        self.set_focus(words)
        words.select_all()
        self._fit_height()
        self._say_asked("")
        self._look()

    def on_resize(self) -> None:
        self._fit_height()
        self._fill()

    def _fit_height(self) -> None:
        notes = paint.fold(self._notes, self._width())[:3] if self._notes else []
        line = self.query_one("#notes", Static)
        line.display = bool(notes)
        line.update(paint.text((Safe("\n".join(notes)), "faint")))
        height = min(20, max(4, self.app.size.height * 9 // 10 - _AROUND - len(notes)))
        self.query_one(_Found).styles.height = height - height % 2

    def _width(self) -> int:
        """Cells for a line of the list, beside its scrollbar."""
        return max(20, self.query_one(_Found).size.width - 1)

    # Searching, beside the loop

    @work(exit_on_error=False)
    async def _look(self) -> None:
        """Answers what was typed last; what is typed while it searches is next."""
        from cockpit.runbook import library
        from cockpit.runbook.index import Index

        places = await asyncio.to_thread(library.folders, self.config)
        self._index = await asyncio.to_thread(Index, places)
        self._freshen(self._index)
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            typed = self.typed
            found = await asyncio.to_thread(self._search, self._index, typed)
            self._count = await asyncio.to_thread(lambda: self._index.count if self._index else 0)
            self._show(typed, found)

    @work(exit_on_error=False)
    async def _freshen(self, index: Index) -> None:
        loop = asyncio.get_running_loop()

        def told(done: int, of: int) -> None:
            with contextlib.suppress(RuntimeError):  # the screen is gone, and the loop with it
                loop.call_soon_threadsafe(self._progress, done, of)

        await asyncio.to_thread(index.refresh, told, aside=True)
        self._notes = await asyncio.to_thread(self._told, index)
        self._fit_height()
        self._wanted.set()

    def _progress(self, done: int, of: int) -> None:
        if self.is_attached and of > done:
            self._say_asked(f"reading {done} of {of}")
            self._wanted.set()

    def _search(self, index: Index, typed: str) -> list[Found]:
        path = _path(typed)
        if path is not None and _is_file(path):
            return [index.open(path), *index.search(typed, self.names, typing=True, limit=MOST)]
        if path is not None and path.suffix == ".md" and typed.startswith(("/", ".", "~")):
            return []  # enter says that it is not there, and opens no other
        return index.search(typed, self.names, typing=True, limit=MOST)

    def _told(self, index: Index) -> Safe:
        """What the responder should know of the folders, in one line."""
        from cockpit.runbook import library

        told = []
        if passed := index.passed:
            more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
            told.append(f"Passed over: {', '.join(passed[:3])}{more}.")
        if index.only_shipped:
            told.append(library.advice(self.config))
        return clean_line(" ".join(told))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            self._enter = self.query_one(_Words).shut = False
            error = event.worker.error
            words = f"That failed inside cockpit: {type(error).__name__}: {error}"
            self.notify(clean_line(words), severity="error", markup=False)

    # Showing

    def _show(self, typed: str, found: list[Found]) -> None:
        before = self.chosen()
        same = self.shown_for == typed
        self.shown_for, self.found = typed, found
        lines = self.query_one(_Found)
        paths = [one.path for one in found]
        lines.at = paths.index(before.path) if same and before and before.path in paths else 0
        self._fill()
        if self._count:
            self._say_asked(f"{self._count} runbooks" if self._count != 1 else "1 runbook")
        if self._enter and typed == self.typed:
            self._enter = False
            self.query_one(_Words).shut = False
            self._take(typed)

    def chosen(self) -> Found | None:
        """The runbook under the cursor."""
        at = self.query_one(_Found).at
        return self.found[at] if isinstance(at, int) and at < len(self.found) else None

    def _fill(self) -> None:
        lines = self.query_one(_Found)
        if not self.found:
            lines.at = None
            words = "" if self.shown_for is None else _NOTHING if self.typed else _NONE
            lines.show_rows([paint.row((Safe(f"  {words}"), "faint"))])
        else:
            width = self._width()
            rows = [
                row
                for place, one in enumerate(self.found)
                for row in _rows(one, width, place, chosen=place == lines.at)
            ]
            lines.show_rows(rows)
            lines.reveal()
        self._detail()

    def _detail(self) -> None:
        one = self.chosen()
        parts: list[Part] = []
        if one is not None:
            width = self._width()
            fixed = one.record.fixed
            said = f"Fixed last time: {fixed}" if fixed else one.record.words
            tail = paint.fit(clean_line(_short(one.path)), width)
            parts = [(tail, "faint"), (Safe("\n"), "")]
            parts.append((paint.fit(clean_line(said), width), "good" if fixed else ""))
        self.query_one("#chosen", Static).update(paint.text(*parts or [(Safe("\n"), "")]))

    def _say_asked(self, more: str) -> None:
        parts: list[Part] = [(Safe("Which runbook?"), "title")]
        if more:
            parts.append((clean_line(f"  {more}"), "faint"))
        self.query_one("#asked", Static).update(paint.text(*parts))

    # Keys

    def on_input_changed(self, event: Answer.Changed) -> None:
        self._want(event.value)

    def _want(self, typed: str) -> None:
        if typed != self.typed:
            self.typed = typed
            self._wanted.set()

    def _take(self, text: str) -> None:
        """Opens the chosen one, of the answer to what stands in the line now, not to part of it."""
        self._want(text)
        if self.shown_for != text:
            self._enter = self.query_one(_Words).shut = True
            return
        one = self.chosen()
        path = one.path if one else _path(text)
        if path is not None:
            self.query_one(_Words).shut = True
            self.dismiss(path)

    def _move(self, by: int) -> None:
        if self.found:
            lines = self.query_one(_Found)
            at = lines.at if isinstance(lines.at, int) else 0
            lines.at = max(0, min(len(self.found) - 1, at + by))
            self._fill()

    def action_leave(self) -> None:
        self.dismiss(None)

    def on_unmount(self) -> None:
        if self._index is not None:
            self._index.close()


_WHY = 34  # cells; with less, the record says less
_NOTHING = "Nothing has these words. Fewer of them? Or write the path of a file."
_NONE = "Reading the runbooks for the first time."


def _rows(one: Found, width: int, place: int, *, chosen: bool) -> list[Row]:
    """Title and place; then why it was found, and its record."""
    title = one.named
    where = clean_line(one.path.name)
    left = max(10, width - 2)
    room = left - cell_len(title) - 2
    first: list[Part] = [
        (Safe("> " if chosen else "  "), "key"),
        (paint.fit(Safe(title), min(left, cell_len(title))), "strong" if chosen else ""),
    ]
    if room >= cell_len(where):
        first.append((Safe(f"  {where}"), "faint"))
    parts: list[Part] = [(Safe("    "), "")]
    room = width - 4 - cell_len(one.record.words) - 3
    record = one.record.words if room >= min(cell_len(one.why), _WHY) else one.record.brief
    room = width - 4 - cell_len(record) - 3
    if one.why and room > 12:
        parts += [(paint.fit(one.why, min(room, cell_len(one.why))), ""), (Safe(" · "), "faint")]
    parts.append((record, "" if one.record.runs else "faint"))
    return [paint.row(*first, stop=place), paint.row(*parts, stop=place)]


def _path(text: str) -> Path | None:
    """What was typed as the path of a file, where it looks like one."""
    text = text.strip()
    if not text or "\0" in text or not ("/" in text or text.endswith(".md")):
        return None
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _short(path: Path) -> str:
    """From here, or from home, where it is below either."""
    for base, lead in ((Path.cwd, ""), (Path.home, "~/")):
        try:
            return f"{lead}{path.relative_to(base())}"
        except (ValueError, RuntimeError, OSError):
            continue
    return str(path)
