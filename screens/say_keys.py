"""The key that tells others: which message, to whom."""

from __future__ import annotations

from textual import work

from screens.asking import Asking


class SayKeys(Asking):
    """What others are told."""

    @work(exit_on_error=False)
    async def action_update(self) -> None:
        if self.may_write():
            text = await self.ask_line(
                "Update: note what you told others", "What?", wanted="Write it, or esc."
            )
            if text:
                self.responder.tell(text)
