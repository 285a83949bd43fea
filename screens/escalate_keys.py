"""The key that calls for help: whom, how, and whether they answered."""

from __future__ import annotations

from textual import work

from cockpit.text import Safe
from screens.say_keys import SayKeys


class EscalateKeys(SayKeys):
    """Up the ladder."""

    @work(exit_on_error=False)
    async def action_escalate(self) -> None:
        from screens.dialogs.escalate import Escalate

        await self.app.push_screen_wait(Escalate(self.responder, self.ask_for_help))

    @work(exit_on_error=False)
    async def ask_for_help(self, name: Safe) -> None:
        """Writes the message for whoever is called, and tells it. name: empty for anybody."""
        from cockpit.oncall import messages

        if not self.may_write():
            return
        known = messages.templates(self.responder.handbook)
        template = next(one for one in known if one.about == "escalation")
        drafted = await self.drafted(template, {"called": name} if name else {})
        if drafted is not None:
            await self.tell_others(template, drafted.text)
