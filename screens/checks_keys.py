"""The key that goes through the checklist before a shift."""

from __future__ import annotations

from textual import work

from screens.asking import Asking


class ChecksKeys(Asking):
    """Whether all is ready."""

    @work(exit_on_error=False)
    async def action_checks(self) -> None:
        from screens.dialogs.checks import ChecksScreen

        await self.app.push_screen_wait(ChecksScreen(self.responder))
