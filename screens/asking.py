"""A screen that asks the responder things in dialogs, and says things at its edge."""

from __future__ import annotations

from textual.screen import Screen
from textual.worker import Worker, WorkerState

from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens.dialogs.form import Field, Form


class Asking(Screen[None]):
    """What the keys of the main screen share: the responder, questions, sentences."""

    def __init__(self, responder: Responder) -> None:
        super().__init__()
        self.responder = responder
        self.opening = True

    def say(self, words: str, *, bad: bool = False) -> None:
        """A sentence at the edge of the screen, gone after a while."""
        self.notify(
            clean_line(words), severity="error" if bad else "information", markup=False, timeout=6
        )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        # A mistake of ours must not take the screen away in the middle of an incident.
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            self.say(f"That failed inside cockpit: {type(error).__name__}: {error}", bad=True)

    def may_write(self) -> bool:
        """Whether the incident can be changed from here; says why where it cannot."""
        why = self.responder.log.reading
        if self.opening:
            why = "One moment: looking for incidents that are open."
        if why:
            self.say(why, bad=True)
        return not why

    async def ask(self, form: Form) -> dict[str, str] | None:
        """The answers to a form; None when the responder left it."""
        return await self.app.push_screen_wait(form)

    async def ask_line(
        self, title: str, label: str, *, wanted: str = "", value: str = ""
    ) -> str | None:
        """One line of text; None when the responder left it."""
        field = Field("text", Safe(label), value, wanted)
        values = await self.ask(Form(Safe(title), (field,)))
        return None if values is None else values["text"]
