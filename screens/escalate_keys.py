"""The key that calls for help: whom, how, and whether they answered."""

from __future__ import annotations

from textual import work

from cockpit.text import Safe
from screens.asking import Asking
from screens.dialogs.form import Field, Form


class EscalateKeys(Asking):
    """Up the ladder."""

    @work(exit_on_error=False)
    async def action_escalate(self) -> None:
        if not self.may_write():
            return
        values = await self.ask(
            Form(
                Safe("Escalate: note whom you called"),
                (
                    Field("who", Safe("Who?"), wanted="Name whom you called."),
                    Field("reason", Safe("Why? (may stay empty)")),
                ),
            )
        )
        if values:
            self.responder.escalate(values["who"], values["reason"])
