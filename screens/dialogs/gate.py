"""The gate: what will run, where, what was saved first; and the deliberate key."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.target import guard
from cockpit.text import Safe, clean, clean_line
from screens import paint
from screens.dialogs.answer import Answer
from screens.driver import when_shown
from screens.lines import Lines

WIDEST = 110
# What is cut first where the terminal is low, and to how many lines at most.
CUT = {"evidence": 4, "head": 3, "said": 2, "where": 2, "question": 4}
COMMAND_ROOM = 3
BORDER = 2
BORDER_AND_PADDING = 4

_SCROLLS = ("down", "up", "pagedown", "pageup")
_SCROLLS_TOO = {"j": "down", "k": "up", "space": "pagedown"}


class _Command(Lines, can_focus=False):
    """All of the command, which scrolls where it does not fit; `seen` when its end is in sight."""

    def __init__(self, text: Safe, seen: Callable[[], None]) -> None:
        super().__init__(id="command")
        self.text = text
        self.seen = seen
        self.below: list[Safe] = []
        self._last = sys.maxsize

    def lay(self, width: int) -> int:
        """Lays it out, with what was cut elsewhere below it; returns the number of rows."""
        leads = {(0, True): Safe("$ ")}  # as a shell prompts: $ first, > for a further line
        rows = [
            paint.row(
                (leads.get((number, first), Safe("> " if first else "  ")), "faint"), (part, "code")
            )
            for number, line in enumerate(self.text.split("\n"))
            for first, part in _cut(line, width - 2)
        ]
        self._last = len(rows) - 1
        rows += [paint.row(line) for words in self.below for line in paint.fold(words, width)]
        self.show_rows(rows)
        return len(rows)

    def end_in_sight(self) -> bool:
        """Whether the last line of the command is on screen, or was scrolled past."""
        return round(self.scroll_y) + self.size.height > self._last

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.call_after_refresh(self.seen)

    def on_resize(self) -> None:
        self.call_after_refresh(self.seen)


class Gate(ModalScreen[tuple[guard.Pass, ...] | None]):
    """Asks before a command that changes or destroys, on one host or on many at once.

    Returns the pass of each host; None when nothing is to run.

    Takes no key before it was drawn, and until what is to be saved first is saved, or has failed
    with its reason on screen. Runs nothing before the end of the command has been in sight.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="gate.leave", tooltip="Run nothing"),
    ]

    def __init__(
        self,
        asked: guard.Ask | guard.AskAll,
        saving: Awaitable[str] | None = None,
        where: str = "",
        told: Safe = Safe(""),
    ) -> None:
        """where: it runs, in words; needed for many hosts. told: a known mistake, said once."""
        super().__init__(classes="panel")
        self.asked = asked
        self.where = where
        self.told = told
        self.saving = saving
        self._saved = saving is None
        self._ready_at: float | None = None
        self._whole_at: float | None = None
        self._waits_for_end = False
        self._words: dict[str, tuple[Safe, str]] = {}
        self.given: dict[str, str] = {}
        self.questions = ["reason"] if asked.reason_wanted else []
        if asked.level in (guard.Level.TYPE_NAME, guard.Level.TYPE_NUMBER):
            self.questions.append("name")

    def compose(self) -> ComposeResult:
        intent = self.asked.intent
        destroys = intent.risk == "destroy"
        why = f"{intent.because}. {intent.doubt}" if intent.doubt else intent.because
        head = f"This DESTROYS something: {why}" if destroys else f"This changes something: {why}"
        if intent.risk == "read":
            head = f"Look first: {intent.doubt}"
        where = [self.where or f"on {intent.host}"]
        if intent.user and not self.where:
            where.append(f"as {intent.user}")
        if (intent.workdir or intent.turn) and not self.where:
            where.append(f"in {intent.workdir or '~'}")
        if intent.carries:
            where.append(_carried(intent))
        if intent.terminal:
            where.append(f"· in your terminal: {intent.terminal}")
        self._words["head"] = clean_line(head), "bad" if destroys else "warn"
        self._words["where"] = clean_line(" ".join(where)), "strong"
        text = Safe(clean(intent.command, max_chars=sys.maxsize).rstrip("\n"))
        with Vertical(classes="box destroy" if destroys else "box change"):
            yield Static("", markup=False, id="head")
            yield Static("", markup=False, id="where")
            yield _Command(text, self._look)
            yield Static("", markup=False, id="evidence")
            yield Static("", markup=False, id="question")
            if self.questions:
                keys: dict[str, Callable[[str], None]] = {"enter": self._take}
                keys |= {key: partial(self._scroll, key) for key in _SCROLLS}
                yield Answer("", keys, id="answer")
            yield Static("", markup=False, id="said")

    def on_mount(self) -> None:
        when_shown(self, self._open)
        if self.saving is not None:
            self._words["evidence"] = Safe("Saving logs first …"), "warn"
            self.run_worker(self._save(), exit_on_error=False)
        for answer in self.query(Answer):
            answer.shut = True
        self._ask()

    def on_resize(self) -> None:
        self._lay()

    async def _save(self) -> None:
        assert self.saving is not None
        try:
            said = await self.saving
        except Exception as error:
            said = f"Nothing could be saved first: {error}"
        self._saved = True
        self._show("evidence", clean_line(said), "")
        self._say_how()

    def _open(self) -> None:
        self._ready_at = time.monotonic()
        for answer in self.query(Answer):
            answer.shut = False
            self.set_focus(answer)
        self._look()
        self._say_how()

    # The end of the command

    def _look(self) -> None:
        """Waits for the terminal to have shown the end of the command, once that is in sight."""
        command = self.query_one(_Command)
        if self._whole_at is None and not self._waits_for_end and command.end_in_sight():
            box = self.query_one(".box")
            if box.size.height < box.virtual_size.height or not command.size.height:
                return  # a terminal too low to show it
            self._waits_for_end = True
            when_shown(self, self._end_was_shown)

    def _end_was_shown(self) -> None:
        self._waits_for_end = False
        if self.query_one(_Command).end_in_sight():
            self._whole_at = time.monotonic()
            self._say_how()

    def _scroll(self, key: str, _: str = "") -> None:
        command = self.query_one(_Command)
        by = 1 if key in ("down", "pagedown") else -1
        if key.startswith("page"):
            command.action_page(by)
        else:
            command.scroll_to(y=command.scroll_y + by, animate=False, immediate=True)

    # Questions and words

    def _ask(self) -> None:
        """Puts the next question; after the last one the line goes away."""
        left = [name for name in self.questions if name not in self.given]
        if not left:
            for answer in self.query(Answer):
                answer.shut = True
                answer.display = False
            self.set_focus(None)
            self._show("question", Safe(""), "")
        elif left[0] == "reason":
            words = clean_line(self.asked.reason_wanted)
            said = Safe(f"{self.told} {words}") if self.told else words
            self._show("question", said, "warn")
        elif isinstance(self.asked, guard.AskAll):
            number = len(self.asked.intents)
            self._show("question", Safe(f"Type the number of hosts: {number}"), "strong")
        else:
            names = " or ".join(clean_line(name) for name in self.asked.names)
            self._show("question", Safe(f"Type the name: {names}"), "strong")

    def _show(self, where: str, words: Safe, look: str) -> None:
        if self._words.get(where) != (words, look):
            self._words[where] = words, look
            self._lay()

    def _lay(self) -> None:
        """Gives each part its lines: what asks and where it runs stay, the command scrolls."""
        if not self.query("#said"):
            return
        width = max(20, min(self.size.width, WIDEST) - BORDER_AND_PADDING)
        said = {name: words for name, (words, _) in self._words.items() if words}
        parts = {name: paint.fold(words, width) for name, words in said.items()}
        limits = dict(CUT)
        asking = any(answer.display for answer in self.query(Answer))
        room = self.size.height - BORDER - asking

        def taken() -> int:
            return sum(min(len(lines), limits[name]) for name, lines in parts.items())

        for name in CUT:
            while limits[name] > 1 and room - taken() < COMMAND_ROOM:
                limits[name] -= 1
        command = self.query_one(_Command)
        command.below = []
        for name in ("head", "where", "evidence", "question", "said"):
            lines = parts.get(name, [])
            kept = lines[: limits[name]]
            if len(lines) > len(kept):
                kept[-1] = paint.fit(Safe(f"{kept[-1]} {lines[len(kept)]}"), width)
                command.below.append(said[name])
            static = self.query_one(f"#{name}", Static)
            static.display = bool(kept)
            look = self._words[name][1] if kept else ""
            static.update(paint.text((Safe("\n".join(kept)), look)))
        rows = command.lay(width - 1)
        command.styles.height = max(1, min(rows, room - taken()))
        self.call_after_refresh(self._look)

    def _take(self, text: str) -> None:
        if self._ready_at is None:
            return
        left = [name for name in self.questions if name not in self.given]
        if left[0] == "reason" and not text.strip():
            self._say(clean_line(self.asked.reason_wanted), "bad")
            return
        if left[0] == "reason" and _by_reflex(text):
            self.query_one(Answer).value = ""
            self._say(Safe("That is no reason: say why in a word or two · esc leaves it"), "bad")
            return
        if left == ["name"] and self._whole_at is None:
            self._say(Safe("The down key shows the rest first."), "bad")
            return
        self.given[left[0]] = text
        self.query_one(Answer).value = ""
        if left == ["name"]:
            if not self._answer():
                del self.given["name"]
            return
        self._ask()
        self._say_how()

    def _say(self, words: Safe, look: str) -> None:
        self._show("said", words, look)

    def _say_how(self) -> None:
        if self._ready_at is None or not self._saved:
            return
        left = [name for name in self.questions if name not in self.given]
        if left and left != ["name"]:
            self._say(Safe("write the reason, then enter · esc leaves it"), "key")
        elif self._whole_at is None:
            key = "down" if left else "j"
            self._say(Safe(f"{key} shows the rest, then it can run · esc leaves it"), "key")
        elif not left:
            self._say(Safe("y runs it · esc leaves it"), "key")
        else:
            what = "number" if isinstance(self.asked, guard.AskAll) else "name"
            self._say(Safe(f"enter runs it when the {what} is right · esc leaves it"), "key")

    def on_key(self, event: events.Key) -> None:
        if self.focused is not None:
            return
        scrolls = _SCROLLS_TOO.get(event.key, event.key)
        if scrolls in _SCROLLS:
            event.stop()
            self._scroll(scrolls)
        elif event.key == "y" and self.asked.level is guard.Level.CONFIRM:
            event.stop()
            shown = self._ready_at is not None and self._whole_at is not None
            drawn = shown and event.time >= max(self._ready_at or 0, self._whole_at or 0)
            if drawn and set(self.given) == set(self.questions):
                self._answer(confirmed=True)

    def _answer(self, *, confirmed: bool = False) -> bool:
        """Leaves with the pass; False, and said why, where the guard or the saving says no."""
        if not self._saved:
            self._say(Safe("Still saving; a moment."), "warn")
            return False
        asked, reason = self.asked, self.given.get("reason", "")
        typed = self.given.get("name", "")
        try:
            if isinstance(asked, guard.AskAll):
                passes = guard.answer_all(asked, confirmed=confirmed, typed=typed, reason=reason)
            else:
                passes = (guard.answer(asked, confirmed=confirmed, typed=typed, reason=reason),)
        except guard.Refused as refused:
            self._say(clean_line(str(refused)), "bad")
            return False
        for line in self.query(Answer):
            line.shut = True
        self.dismiss(passes)
        return True

    def action_leave(self) -> None:
        self.dismiss(None)


def _by_reflex(reason: str) -> bool:
    """Whether it is one character, or what the key that runs things leaves when it is held."""
    letters = "".join(reason.split()).lower()
    return len(letters) < 2 or not letters.strip("y")


def _carried(intent: guard.Intent) -> str:
    """The variables of earlier commands that this one names; of the others how many there are."""
    named = [name for name in intent.carries if re.search(rf"\b{name}\b", intent.command)]
    more = len(intent.carries) - len(named)
    variables = f"{more} more" if named else f"{more} variable{'s' * (more > 1)}"
    parts = [*named, *([variables] if more else [])]
    return f"with {', '.join(parts)} as earlier commands set it"


def _cut(line: str, width: int) -> list[tuple[bool, Safe]]:
    """A line in parts that fit, none of its characters lost; the first one is marked.

    Cut behind a blank where there is one in the second half of a part.
    """
    parts: list[tuple[bool, Safe]] = []
    rest = line
    while cell_len(rest) > width:
        end = used = 0
        while end < len(rest) and used + cell_len(rest[end]) <= width:
            used += cell_len(rest[end])
            end += 1
        blank = rest.rfind(" ", end // 2, end)
        end = blank + 1 if blank >= 0 else max(1, end)
        parts.append((not parts, Safe(rest[:end])))
        rest = rest[end:]
    return [*parts, (not parts, Safe(rest))]
