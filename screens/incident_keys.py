"""Keys that steer the incident: declare, note, escalate, resolve, save, correct a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from textual import work

from cockpit.incident.events import Severity
from cockpit.incident.incident import Entry
from cockpit.incident.timeline import line
from cockpit.oncall import pitfalls
from cockpit.responder import Responder
from cockpit.text import Safe
from screens.asking import Asking
from screens.dialogs.form import Field, Form

_COUNTS_AS = Safe(
    "The reports list it apart where it begins with temporary: put back: action: runbook:"
    " well: badly: or lucky:"
)


class IncidentKeys(Asking):
    """Every verb on the incident, each with its question."""

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self._resolving: dict[str, str] = {}

    @work(exit_on_error=False)
    async def action_note(self) -> None:
        if self.may_write():
            field = Field("text", Safe("What happened?"), wanted="Write something, or esc.")
            values = await self.ask(Form(Safe("Note"), (field,), hint=_COUNTS_AS))
            if values:
                self.responder.note(values["text"])

    def action_acknowledge(self) -> None:
        if not self.may_write():
            return
        if self.responder.incident.acknowledged:
            self.say("Acknowledged already.")
            return
        self.responder.acknowledge()
        self.say("Acknowledged. U tells the others.")

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
        answer = await self.app.push_screen_wait(
            Declare(Safe(head), title, incident.severity, self.responder.rules)
        )
        if answer is None:
            return
        severity, title = answer
        if incident.severity is None or title != incident.title:
            self.responder.declare(title, severity, incident.service or self.responder.service)
        elif severity is not incident.severity:
            reason = await self.ask_line(f"Severity {severity.value}", "Why? (may stay empty)")
            self.responder.change_severity(Severity(severity), reason or "")

    @work(exit_on_error=False)
    async def action_mitigated(self) -> None:
        if not self.may_write():
            return
        if not self.responder.incident.open:
            self.say("Resolved already. R opens it again.")
            return
        if self.responder.incident.mitigated:
            reason = await self.ask_line(
                "Not mitigated after all", "Users are hurt again? Why?", wanted="Say why, or esc."
            )
            if reason:
                self.responder.reopen(reason)
            return
        text = await self.ask_line(
            "Mitigated: users are no longer hurt", "By what? (may stay empty)"
        )
        if text is not None:
            self.responder.mitigate(text)
            self.say(
                "Mitigated: the clocks of the ladder stop. M takes it back. U tells the others."
            )

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
        told = Safe("")
        if self.responder.needs_reason_to_resolve:
            hint += "No verification has passed since the last change."
            if "verification" not in self.responder.incident.told:
                told = pitfalls.sentence("verification", self.responder.handbook)
                hint += f" {told}"
            fields.append(
                Field(
                    "unverified", Safe("Why resolve without it?"), wanted="Verify, or say why not."
                )
            )
        again = self._resolving
        form = Form(
            Safe("Resolve the incident"),
            tuple(replace(one, value=again.get(one.name, ""), again=True) for one in fields),
            hint=Safe(hint),
            left=again.update,
        )
        values = await self.ask(form)
        if values:
            again.clear()
            if told:
                self.responder.warn("verification", told)
            self.responder.resolve(**values)
            trouble = await self.responder.log.review_written()
            name = self.responder.log.review_name
            where = trouble or f"{name} is beside the journal; ctrl+s saves the incident log."
            self.say(f"Resolved. U tells the others. {where}", bad=bool(trouble))

    @work(exit_on_error=False)
    async def action_save(self) -> None:
        folder = self.responder.log.place
        if folder is None:
            self.say("Nothing has happened yet, so there is nothing to save.")
            return
        form = Form(
            Safe("Save the incident log"),
            (
                Field(
                    "path",
                    Safe("To which file?"),
                    str(_here() / f"{folder.name}.md"),
                    "Name a file, or esc.",
                ),
            ),
            check=lambda given: unsuitable(given["path"], self.responder.incident.id),
        )
        values = await self.ask(form)
        if values:
            path = Path(values["path"]).expanduser()
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
                    ""
                    if moment(given["at"], entry.at)
                    else "Write 03:12, or 2026-11-21 03:12; it cannot lie ahead."
                ),
            )
        )
        at = moment(values["at"], entry.at) if values else None
        if values and at:
            self.responder.correct_time(entry.record.seq, at, values["reason"])


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # the directory was deleted under us
        return Path("/tmp")


def unsuitable(text: str, incident: str) -> str:
    """Why the log of an incident cannot go to this file, in a sentence; empty where it can."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        return f"{error}."
    if not path.parent.is_dir():
        return f"There is no directory {path.parent}."
    if path.is_dir():
        return f"{path} is a directory; name a file in it."
    if path.exists():
        try:
            ours = incident in path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            return f"{path} cannot be read ({error.strerror}); choose another name."
        if not ours:
            return f"{path} holds something else; choose another name."
    return ""


def moment(text: str, near: datetime) -> datetime | None:
    """A time as a person writes it, in UTC; None where it is none, or lies ahead.

    Without a day it is the last such time before now that is nearest to `near`.
    """
    now = datetime.now(UTC)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%H:%M:%S", "%H:%M"):
        try:
            found = datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if form.startswith("%H"):
            found = found.replace(year=near.year, month=near.month, day=near.day)
            if found > max(near, now):
                found -= timedelta(days=1)
        return found if found <= now else None
    return None
