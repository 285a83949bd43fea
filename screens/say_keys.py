"""The keys that tell others: which message, what is not known, the whole text, to whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from cockpit import clock
from cockpit.incident.outgoing import opened
from cockpit.text import Safe, clean_line
from screens.asking import Asking
from screens.dialogs.form import Field, Form
from screens.panes.logs import LogsPane

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.oncall.messages import Draft
    from cockpit.oncall.model import Template
    from screens.dialogs.say import Going, Place

LOG_LINES = 10
LOG_WIDTH = 300
FILE = "message.txt"
_MORE = {
    "acknowledged": "you have it",
    "update": "how it stands, and when you speak next",
    "escalation": "you need help; E also says whom to call",
    "resolved": "cause, fix, downtime, what follows",
}


class SayKeys(Asking):
    """What others are told. A text that was left unsent is kept until it is."""

    _unsent: tuple[Template, Safe] | None = None

    @work(exit_on_error=False)
    async def action_update(self) -> None:
        if not self.may_write():
            return
        chosen = await self._which_message()
        if chosen is None:
            return
        template, text = chosen
        if template.about == "resolved" and self.responder.incident.open:
            self.say("It is still open. R resolves it, and asks cause and fix; then U tells.")
            return
        if not text:
            drafted = await self.drafted(template, {})
            if drafted is None:
                return
            text = drafted.text
        await self.tell_others(template, text, old=bool(chosen[1]))

    def action_outbox(self) -> None:
        from screens.dialogs.outbox import OutboxScreen

        self.app.push_screen(OutboxScreen(self.responder))

    async def _which_message(self) -> tuple[Template, Safe] | None:
        """A template, with the text that was left unsent where it is to go on; the likely first."""
        from cockpit.oncall import messages
        from screens.dialogs.choose import Choose, Offer

        likely = messages.likely(self.responder.incident)
        known = messages.templates(self.responder.handbook)
        offers = [
            Offer(one.title, Safe(_MORE.get(one.about, "")), (one, Safe("")))
            for one in sorted(known, key=lambda one: one.about != likely)
        ]
        if self._unsent:
            template, text = self._unsent
            head = clean_line(text.split("\n")[0])
            offers.insert(0, Offer(Safe(f"Go on with: {template.title}"), head, self._unsent))
        return await self.app.push_screen_wait(Choose(Safe("Tell others: which message?"), offers))

    async def drafted(self, template: Template, given: Mapping[str, str]) -> Draft | None:
        """The message with all gaps filled in or left open; None where the responder left it."""
        first = self._draft(template, given)
        if not first.gaps:
            return first
        offered = self.responder.incident.value
        fields = tuple(
            Field(gap.name, gap.ask, str(gap.offer or offered("", gap.name)), again=True)
            for gap in first.gaps
        )

        def preview(values: dict[str, str]) -> Safe:
            typed = {name: value for name, value in values.items() if value.strip()}
            return self._draft(template, {**given, **typed}).text

        title = Safe(f"{template.title}: what only you know")
        hint = Safe("What stays empty is told as not known yet.")

        def keep(values: dict[str, str]) -> dict[str, str]:
            told = {name: self.responder.log.clean(value) for name, value in values.items()}
            self.responder.remember({name: value for name, value in told.items() if value}, None)
            return told

        def left(values: dict[str, str]) -> None:
            typed = {one.name: values[one.name] for one in fields if values[one.name] != one.value}
            if any(keep(typed).values()):
                self.say("Not told. What you answered is offered again by the next U.")

        form = Form(title, fields, hint=hint, preview=preview, left=left)
        values = await self.ask(form)
        return None if values is None else self._draft(template, {**given, **keep(values)})

    def _draft(self, template: Template, given: Mapping[str, str]) -> Draft:
        from cockpit.oncall import messages

        responder = self.responder
        # Cut only once no secret is left in them: half a secret would not be known for one.
        lines = [
            clean_line(responder.log.clean(line), max_chars=LOG_WIDTH)
            for line in self.query_one(LogsPane).recent(LOG_LINES)
        ]
        return messages.draft(
            template,
            responder.handbook,
            responder.incident,
            responder.runbook,
            who=responder.log.who,
            now=datetime.now(UTC),
            given={"logs": "\n".join(lines), "seen": self._unwell(), **given},
        )

    def _unwell(self) -> str:
        """Containers that are not well, in words."""
        watch = self.responder.watch
        rows = watch.snapshot.rows if watch else ()
        bad = [f"{one.name} {one.health or one.state}" for one in rows if _is_unwell(one)]
        more = [f"{len(bad) - 3} more containers"] if len(bad) > 3 else []
        return ", ".join([*bad[:3], *more])

    async def tell_others(self, template: Template, text: Safe, *, old: bool = False) -> bool:
        """Has a text read and changed, and tells it; whether it was told.

        old: it was left unsent before, and is kept again where it is left again.
        """
        from cockpit.oncall import messages
        from screens.dialogs.say import Where, Write

        responder = self.responder
        drafted = text
        title = Safe(f"{template.title}: exactly this is told")
        while True:
            promises = template.about in messages.PROMISES
            editor = Write(title, text, responder.log.clean, promises=promises)
            written = await self.app.push_screen_wait(editor)
            text = written.text
            if not written.ready:
                changed = bool(text) and (old or text != drafted)
                self._unsent = (template, text) if changed else None
                self.say(f"Not told.{' U goes on with what you wrote.' if changed else ''}")
                return False
            going = await self.app.push_screen_wait(
                Where(text, self._places(template.about), partial(self._copied, text))
            )
            if going is not None:
                break
        self._unsent = None
        due = messages.promised(text, clock.now())
        responder.tell(text, template.about, next_at=due, to=going.to)
        self._say_told(going, due)
        return True

    def _say_told(self, going: Going, due: datetime | None) -> None:
        where = f"Queued for {', '.join(going.to)}: O shows it." if going.to else "Noted as told."
        if going.to and self.responder.log.training:
            where = "A training: it stays here, and O shows it."
        self.say(where + (f" You promised the next one at {due:%H:%M} UTC." if due else ""))

    def _places(self, about: str) -> list[Place]:
        sent = self.responder.incident.outbox
        return [
            _place(name, one.kind, about, opened=opened(sent, name))
            for name, one in self.responder.config.outbox.items()
        ]

    async def _copied(self, text: Safe) -> Safe:
        """Copies a message, and keeps it in a file for where the terminal takes nothing."""
        from cockpit.incident.logbook import aside
        from cockpit.incident.markdown_file import replace_file
        from screens import clipboard

        said = await clipboard.copy(self.app, text)
        # Who copies it means to tell it: that is no look any more.
        file: Path = self.responder.log.begin().folder / FILE
        trouble = await aside(lambda: replace_file(file, f"{text}\n"))
        if trouble:
            return clean_line(f"{said} It could not also be kept in a file: {trouble}")
        return clean_line(f"{said} It is also in {file}. h notes that you said it.")


def _is_unwell(one: Container) -> bool:
    return one.health == "unhealthy" or one.state in ("restarting", "dead")


def _place(name: str, kind: str, about: str, *, opened: bool) -> Place:
    """What a message does at a destination; nobody is called up unless that is ticked.

    opened: an alert of ours is there.
    """
    from cockpit.outbox.kinds import signal
    from screens.dialogs.say import Place

    if kind != "pagerduty":
        return Place(name, kind)
    action = signal(kind, about)
    if action and not opened:
        why = f"cockpit has opened nothing in {name}: {action} the alert in PagerDuty itself."
        return Place(name, kind, "not opened by cockpit", ticked=False, never=clean_line(why))
    if action:
        return Place(name, kind, f"{action}s what cockpit opened there")
    return Place(name, kind, "calls whoever is on call there", ticked=False)
