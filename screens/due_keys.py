"""What is due: said in words and with a bell, put off with a reason."""

from __future__ import annotations

from textual import work
from textual.binding import Binding

from cockpit import clock
from cockpit.oncall import pitfalls
from cockpit.responder import Responder
from cockpit.text import Safe
from screens import due_words
from screens.asking import Asking


class DueKeys(Asking):
    """The clocks of the incident."""

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self._late: frozenset[str] = frozenset()

    def mind_the_clocks(self) -> None:
        """Says what is overdue since the last look, once, where somebody can answer it.

        A bell and a sentence at the edge: no key and no focus is taken from anybody.
        """
        if self.opening:
            return
        now = clock.moment()
        late = [one for one in due_words.now_due(self.responder, now) if one.late]
        fresh = [one for one in late if one.name not in self._late]
        self._late = frozenset(one.name for one in late)
        if self.responder.log.reading:
            return
        if fresh:
            self.app.bell()
            self.say(due_words.late_words(self.responder, fresh))
        if pitfalls.alone(self.responder.incident, now):
            self.remind("alone")

    def remind(self, name: str) -> None:
        """Speaks of a known mistake at the edge of the screen, once in an incident."""
        words = pitfalls.sentence(name, self.responder.handbook)
        if self.responder.warn(name, words):
            self.say(words)

    def overdue(self) -> list[Safe]:
        """All that is overdue, as the status line would say it."""
        now = clock.moment()
        late = [one for one in due_words.now_due(self.responder, now) if one.late]
        return [due_words.part(self.responder, one, now.ts, wide=True)[0] for one in late]

    @work(exit_on_error=False)
    async def action_due(self) -> None:
        from screens.dialogs.due import DuePanel

        choice = await self.app.push_screen_wait(DuePanel(self.responder))
        if choice is None or not self.may_write():
            return
        if choice.reason:
            self.responder.snooze(choice.name, choice.seconds, choice.reason)
            until = due_words.until(choice.seconds, clock.now())
            self.say(f"You are not reminded of that until {until}.")
            return
        for binding in type(self).BINDINGS:
            if isinstance(binding, Binding) and binding.id == choice.key:
                await self.run_action(binding.action)
