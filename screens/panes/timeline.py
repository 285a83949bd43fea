"""The timeline: what happened, in order, newest in sight."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from cockpit.incident.incident import Entry
from cockpit.incident.timeline import line
from cockpit.responder import Responder
from cockpit.text import Safe
from screens import paint
from screens.lines import Lines
from screens.paint import Row


class Timeline(Lines):
    """One line an entry; it follows the newest until the cursor is moved up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.entry_detail", "detail", id="entry.detail", tooltip="All of it"),
        Binding(
            "t", "screen.correct_time", "correct time", id="entry.time",
            tooltip="Say when it really happened",
        ),
        Binding("l", "screen.logs_then", "logs then", id="entry.logs",
                tooltip="The log at that moment"),
    ]  # fmt: skip

    def __init__(self, responder: Responder, *, id: str) -> None:
        super().__init__(id=id)
        self.responder = responder
        self.border_title = "4 Timeline"
        self._laid: tuple[Entry, ...] = ()
        self._rows: list[Row] = []

    def entry(self) -> Entry | None:
        """The entry under the cursor."""
        entries = self.responder.incident.entries
        return next((entry for entry in entries if entry.record.seq == self.at), None)

    def on_mount(self) -> None:
        self.update()

    def refill(self) -> None:
        if self._at_newest():
            self.at = None  # other rows, but still the newest: it may be in sight only now
        self._laid = ()
        self.update()

    def update(self) -> None:
        """Shows what is new; earlier entries are laid out again only where they changed."""
        entries = self.responder.incident.entries
        if not entries:
            self.say(
                Safe("Nothing has happened yet."),
                Safe("It writes itself: with the first command, step or note. S declares."),
            )
            return
        at_end = self._at_newest()
        known = len(self._laid)
        if not known or self._laid != entries[:known]:
            self._rows, known = [], 0
        elif known == len(entries):
            return
        width = max(20, self.size.width)
        day = entries[known - 1].at.date() if known else None
        for entry in entries[known:]:
            if entry.at.date() != day:
                day = entry.at.date()
                self._rows.append(paint.row((Safe(f" {day:%Y-%m-%d} (UTC)"), "faint")))
            self._rows += self._entry(entry, width)
        self._laid = entries
        self.show_rows(list(self._rows))
        if at_end or not self.has_focus:
            self.at = entries[-1].record.seq
            self.scroll_to(y=len(self._rows), animate=False, immediate=True)

    def _at_newest(self) -> bool:
        return self.at is None or (bool(self._laid) and self.at == self._laid[-1].record.seq)

    def _entry(self, entry: Entry, width: int) -> list[Row]:
        seq = entry.record.seq
        text = line(entry.record.event, self.responder.incident)
        sign = "~" if entry.corrected else " "
        folded = paint.fold(text, width - 8)
        rows = [paint.row((Safe(f"{sign}{entry.at:%H:%M} "), "faint"), (folded[0], ""), stop=seq)]
        return rows + [paint.row(Safe(f"       {more}"), stop=seq) for more in folded[1:3]]
