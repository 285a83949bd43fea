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
from textual.widgets import Input, Static

from cockpit.target import guard
from cockpit.text import Safe, clean, clean_line
from screens import paint
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
            if self.asked.reason_wanted:
                yield Static(
                    paint.text((clean_line(self.asked.reason_wanted), "warn")), markup=False
                )
                yield Input(id="reason", compact=True, disabled=True)
            if destroys:
                names = Safe(" or ".join(clean_line(name) for name in self.asked.names))
                yield Static(
                    paint.text(Safe("Type "), (names, "strong"), Safe(" and press enter:")),
                    markup=False,
                )
                yield Input(id="name", compact=True, disabled=True)
            yield Static("", markup=False, id="said")

    def on_mount(self) -> None:
        self.call_after_refresh(self._wait_until_drawn, time.monotonic())
        if self.saving is not None:
            self.query_one("#evidence", Static).update(
                paint.text((Safe("Saving logs first …"), "warn"))
            )
            self.run_worker(self._save(), exit_on_error=False)

    async def _save(self) -> None:
        assert self.saving is not None
        try:
            said = await self.saving
        except Exception as error:
            said = f"Nothing could be saved first: {error}"
        self._saved = True
        self.query_one("#evidence", Static).update(paint.text(clean_line(said)))
        self._say_how()

    def _wait_until_drawn(self, since: float) -> None:
        """Ready once the terminal has confirmed the frame, or after a while where it never does."""
        driver = driver_of(self.app)
        waiting = bool(driver and driver.lag)
        if waiting and time.monotonic() - since < DRAWN_PATIENCE:
            self.set_timer(0.02, lambda: self._wait_until_drawn(since))
            return
        self._ready_at = time.monotonic()
        inputs = list(self.query(Input))
        for one in inputs:
            one.disabled = False
        if inputs:
            inputs[0].focus()
        self._say_how()

    def _say_how(self) -> None:
        if self._ready_at is None or not self._saved:
            return
        if self.asked.level is guard.Level.TYPE_NAME:
            how = Safe("enter runs it when the name is right · esc leaves it")
        elif self.asked.reason_wanted and self.focused is not None:
            how = Safe("write the reason, enter, then y runs it · esc leaves it")
        else:
            how = Safe("y runs it · esc leaves it")
        self.query_one("#said", Static).update(paint.text((how, "key")))

    def on_key(self, event: events.Key) -> None:
        in_input = isinstance(self.focused, Input)
        if event.key == "y" and not in_input:
            event.stop()
            if self._ready_at is not None and event.time >= self._ready_at:
                self._answer(confirmed=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        inputs = list(self.query(Input))
        index = inputs.index(event.input)
        if index + 1 < len(inputs):
            inputs[index + 1].focus()
        elif self.asked.level is guard.Level.TYPE_NAME:
            self._answer()
        else:
            self.set_focus(None)
            self.call_after_refresh(self._say_how)

    def _answer(self, *, confirmed: bool = False) -> None:
        said = self.query_one("#said", Static)
        if not self._saved:
            said.update(paint.text((Safe("Still saving; a moment."), "warn")))
            return
        values = {one.id: one.value for one in self.query(Input)}
        try:
            leave = guard.answer(
                self.asked,
                confirmed=confirmed,
                typed=values.get("name", ""),
                reason=values.get("reason", ""),
            )
        except guard.Refused as refused:
            said.update(paint.text((clean_line(str(refused)), "bad")))
            return
        self.dismiss(leave)

    def action_leave(self) -> None:
        self.dismiss(None)
