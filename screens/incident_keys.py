"""Keys that steer the incident: declare, note, escalate, resolve, save, correct a time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from textual import work

from cockpit.incident.events import Severity
from cockpit.incident.incident import Entry
from cockpit.incident.timeline import line
from cockpit.text import Safe
from screens.asking import Asking
from screens.dialogs.form import Field, Form


class IncidentKeys(Asking):
    """Every verb on the incident, each with its question."""

    @work(exit_on_error=False)
    async def action_note(self) -> None:
        if self.may_write():
            text = await self.ask_line("Note", "What happened?", wanted="Write something, or esc.")
            if text:
                self.responder.note(text)

    def action_acknowledge(self) -> None:
        if not self.may_write():
            return
        if self.responder.incident.acknowledged:
            self.say("Acknowledged already.")
            return
        self.responder.acknowledge()

    @work(exit_on_error=False)
    async def action_severity(self) -> None:
        from screens.dialogs.declare import Declare

        if not self.may_write():
            return
        incident = self.responder.incident
        book = self.responder.runbook
        title = incident.title or (
            book.title if book else f"Trouble on {self.responder.target.name}"
        )
        head = "How bad is it now?" if incident.severity else "Declare the incident: how bad is it?"
        answer = await self.app.push_screen_wait(Declare(Safe(head), title, incident.severity))
        if answer is None:
            return
        severity, title = answer
        if incident.severity is None or title != incident.title:
            self.responder.declare(title, severity, incident.service)
        elif severity is not incident.severity:
            reason = await self.ask_line(f"Severity {severity.value}", "Why? (may stay empty)")
            self.responder.change_severity(Severity(severity), reason or "")

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

    @work(exit_on_error=False)
    async def action_update(self) -> None:
        if self.may_write():
            text = await self.ask_line(
                "Update: note what you told others", "What?", wanted="Write it, or esc."
            )
            if text:
                self.responder.update(text)

    @work(exit_on_error=False)
    async def action_mitigated(self) -> None:
        if not self.may_write():
            return
        if self.responder.incident.mitigated:
            self.say("Mitigated already.")
            return
        text = await self.ask_line(
            "Mitigated: users are no longer hurt", "By what? (may stay empty)"
        )
        if text is not None:
            self.responder.mitigate(text)

    @work(exit_on_error=False)
    async def action_resolve(self) -> None:
        if not self.may_write():
            return
        if not self.responder.incident.open:
            reason = await self.ask_line(
                "Open it again", "Why?", wanted="Say why it is not over, or esc."
            )
            if reason:
                self.responder.reopen(reason)
            return
        running = self.responder.incident.running()
        hint = f"{len(running)} commands still run. " if running else ""
        fields = [
            Field("cause", Safe("Cause?"), wanted="Say what it was; 'not known yet' will do."),
            Field("fix", Safe("Fix?"), wanted="Say what ended it; 'by itself' will do."),
            Field("follow_up", Safe("Follow-up? (may stay empty)")),
        ]
        if self.responder.needs_reason_to_resolve:
            hint += "No verification has passed since the last change."
            fields.append(
                Field(
                    "unverified", Safe("Why resolve without it?"), wanted="Verify, or say why not."
                )
            )
        values = await self.ask(Form(Safe("Resolve the incident"), tuple(fields), hint=Safe(hint)))
        if values:
            self.responder.resolve(**values)
            self.say("Resolved. ctrl+s saves the incident log where you want it.")

    @work(exit_on_error=False)
    async def action_save(self) -> None:
        folder = self.responder.folder
        if folder is None:
            self.say("Nothing has happened yet, so there is nothing to save.")
            return
        start = str(Path.cwd() / f"{folder.name}.md")
        text = await self.ask_line(
            "Save the incident log", "To which file?", wanted="Name a file, or esc.", value=start
        )
        if text:
            path = Path(text).expanduser()
            trouble = await self.responder.log.save_markdown(path)
            self.say(trouble or f"Saved to {path}", bad=bool(trouble))

    @work(exit_on_error=False)
    async def correct_time(self, entry: Entry) -> None:
        """Asks when an entry of the timeline really happened."""
        if not self.may_write():
            return
        words = line(entry.record.event, self.responder.incident)
        values = await self.ask(
            Form(
                Safe(f"When did this really happen? {words}"),
                (
                    Field(
                        "at",
                        Safe("UTC, as HH:MM or YYYY-MM-DD HH:MM"),
                        f"{entry.at:%Y-%m-%d %H:%M}",
                    ),
                    Field("reason", Safe("How do you know? (may stay empty)")),
                ),
                check=lambda given: (
                    "" if moment(given["at"], entry.at) else "Write 03:12, or 2026-11-21 03:12."
                ),
            )
        )
        at = moment(values["at"], entry.at) if values else None
        if values and at:
            self.responder.correct_time(entry.record.seq, at, values["reason"])


def moment(text: str, near: datetime) -> datetime | None:
    """A time as a person writes it, in UTC, on the day of `near` where it names none."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%H:%M:%S", "%H:%M"):
        try:
            found = datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if form.startswith("%H"):
            found = found.replace(year=near.year, month=near.month, day=near.day)
        return found
    return None
