"""A screen that asks the responder things in dialogs, and says things at its edge."""

from __future__ import annotations

import asyncio

from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerState

from cockpit.responder import Responder
from cockpit.target.target import Question
from cockpit.text import Safe, clean_line
from screens.dialogs.form import Field, Form


class Asking(Screen[None]):
    """What the keys of the main screen share: the responder, questions, sentences."""

    def __init__(self, responder: Responder) -> None:
        super().__init__()
        self.responder = responder
        self.opening = True
        self.questions: list[Question] = []
        self._one_question = asyncio.Lock()

    def say(self, words: str, *, bad: bool = False) -> None:
        """A sentence at the edge of the screen, gone after a while."""
        self.notify(
            clean_line(words), severity="error" if bad else "information", markup=False, timeout=6
        )

    def on_screen_suspend(self) -> None:
        # What was said before stands over the keys of what is opened now.
        self.app.clear_notifications()

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

    async def answer(self, question: Question) -> str | None:
        """What the responder answers to a login; it waits until no other dialog is open.

        Nothing that is typed elsewhere may end up in a password.
        """
        self.questions.append(question)
        try:
            async with self._one_question:
                while isinstance(self.app.screen, ModalScreen) or self.opening:
                    await asyncio.sleep(0.05)
                return await self._put(question)
        finally:
            self.questions.remove(question)

    async def _put(self, question: Question) -> str | None:
        given: asyncio.Future[dict[str, str] | None] = asyncio.get_running_loop().create_future()

        def took(values: dict[str, str] | None) -> None:
            if not given.done():
                given.set_result(values)

        field = Field("answer", question.prompt, secret=question.secret, wanted="Type it, or esc.")
        hint = Safe("It goes there and nowhere else: it is not written down.")
        form = Form(clean_line(f"{question.host} asks before it lets you in"), (field,), hint=hint)
        self.app.push_screen(form, took)
        try:
            values = await given
        except asyncio.CancelledError:
            if form.is_current:  # the host does not want to know any more
                form.dismiss(None)
            raise
        return values["answer"] if values else None

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
