"""The gate: what will run, where, what was saved first; and the deliberate key."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import ClassVar

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
from screens.driver import driver_of

DRAWN_PATIENCE = 2.0
SHOWN_LINES = 12


class Gate(ModalScreen[guard.Pass | None]):
    """Asks before a command that changes or destroys; None when nothing is to run.

    Takes no key before it was drawn, and until what is to be saved first is saved, or has failed
    with its reason on screen.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="gate.leave", tooltip="Run nothing"),
    ]

    def __init__(self, asked: guard.Ask, saving: Awaitable[str] | None = None) -> None:
        super().__init__(classes="panel")
        self.asked = asked
        self.saving = saving
        self._saved = saving is None
        self._ready_at: float | None = None
        self.given: dict[str, str] = {}
        self.questions = ["reason"] if asked.reason_wanted else []
        if asked.level is guard.Level.TYPE_NAME:
            self.questions.append("name")

    def compose(self) -> ComposeResult:
        intent = self.asked.intent
        destroys = self.asked.level is guard.Level.TYPE_NAME
        head = "This DESTROYS something" if destroys else "This changes something"
        where = [f"on {intent.host}"]
        if intent.user:
            where.append(f"as {intent.user}")
        if intent.workdir:
            where.append(f"in {intent.workdir}")
        lines = clean(intent.command).rstrip("\n").split("\n")
        shown = lines[:SHOWN_LINES]
        if len(lines) > SHOWN_LINES:
            shown.append(f"… {len(lines) - SHOWN_LINES} more lines")
        classes = "box destroy" if destroys else "box change"
        with Vertical(classes=classes):
            yield Static(
                paint.text(
                    (Safe(f"{head}: "), "bad" if destroys else "warn"), clean_line(intent.because)
                ),
                markup=False,
            )
            yield Static(paint.text((clean_line(" ".join(where)), "strong")), markup=False)
            yield Static(
                paint.text((Safe("\n".join(f"  $ {line}" for line in shown)), "code")),
                markup=False,
            )
            yield Static("", markup=False, id="evidence")
            yield Static("", markup=False, id="question")
            if self.questions:
                yield Answer("", {"enter": self._take}, id="answer")
            yield Static("", markup=False, id="said")

    def on_mount(self) -> None:
        self.call_after_refresh(self._wait_until_drawn, time.monotonic())
        if self.saving is not None:
            self._show("#evidence", Safe("Saving logs first …"), "warn")
            self.run_worker(self._save(), exit_on_error=False)
        else:
            self._show("#evidence", Safe(""), "")
        for answer in self.query(Answer):
            answer.shut = True
        self._ask()

    async def _save(self) -> None:
        assert self.saving is not None
        try:
            said = await self.saving
        except Exception as error:
            said = f"Nothing could be saved first: {error}"
        self._saved = True
        self._show("#evidence", clean_line(said), "")
        self._say_how()

    def _wait_until_drawn(self, since: float) -> None:
        """Ready once the terminal has confirmed the frame, or after a while where it never does."""
        driver = driver_of(self.app)
        waiting = bool(driver and driver.lag)
        if waiting and time.monotonic() - since < DRAWN_PATIENCE:
            self.set_timer(0.02, lambda: self._wait_until_drawn(since))
            return
        self._ready_at = time.monotonic()
        for answer in self.query(Answer):
            answer.shut = False
            self.set_focus(answer)
        self._say_how()

    def _ask(self) -> None:
        """Puts the next question; after the last one the line goes away."""
        left = [name for name in self.questions if name not in self.given]
        if not left:
            self._show("#question", Safe(""), "")
            for answer in self.query(Answer):
                answer.shut = True
                answer.display = False
            self.set_focus(None)
        elif left[0] == "reason":
            self._show("#question", clean_line(self.asked.reason_wanted), "warn")
        else:
            names = " or ".join(clean_line(name) for name in self.asked.names)
            self._show("#question", Safe(f"Type {names} and press enter:"), "strong")

    def _show(self, where: str, words: Safe, look: str) -> None:
        line = self.query_one(where, Static)
        line.update(paint.text((words, look)))
        line.display = bool(words)

    def _take(self, text: str) -> None:
        if self._ready_at is None:
            return
        left = [name for name in self.questions if name not in self.given]
        if left[0] == "reason" and not text.strip():
            self._say(clean_line(self.asked.reason_wanted), "bad")
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
        self.query_one("#said", Static).update(paint.text((words, look)))

    def _say_how(self) -> None:
        if self._ready_at is None or not self._saved:
            return
        left = [name for name in self.questions if name not in self.given]
        if not left:
            self._say(Safe("y runs it · esc leaves it"), "key")
        elif left == ["name"]:
            self._say(Safe("enter runs it when the name is right · esc leaves it"), "key")
        else:
            self._say(Safe("write the reason, then enter · esc leaves it"), "key")

    def on_key(self, event: events.Key) -> None:
        if event.key == "y" and self.asked.level is guard.Level.CONFIRM and self.focused is None:
            event.stop()
            drawn = self._ready_at is not None and event.time >= self._ready_at
            if drawn and set(self.given) == set(self.questions):
                self._answer(confirmed=True)

    def _answer(self, *, confirmed: bool = False) -> bool:
        """Leaves with the pass; False, and said why, where the guard or the saving says no."""
        if not self._saved:
            self._say(Safe("Still saving; a moment."), "warn")
            return False
        try:
            leave = guard.answer(
                self.asked,
                confirmed=confirmed,
                typed=self.given.get("name", ""),
                reason=self.given.get("reason", ""),
            )
        except guard.Refused as refused:
            self._say(clean_line(str(refused)), "bad")
            return False
        self.dismiss(leave)
        return True

    def action_leave(self) -> None:
        self.dismiss(None)
