"""The rows of a whole runbook: its procedures, sections and steps, of which one is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len

from cockpit.runbook.model import Procedure, Section, Step
from cockpit.text import Safe, clean_line
from screens import paint
from screens.paint import Row
from screens.panes import step_rows
from screens.panes.known import Known, labels
from screens.panes.places import Found, Kind, Place, Places
from screens.panes.progress import of_all, of_section

SHORT = 6


@dataclass(frozen=True, slots=True)
class Here:
    """Where the cursor is, which procedure is open, and what is known.

    facts is asked for the open step only. width is that of the pane, in cells.
    """

    at: object
    procedure: str
    known: Known
    facts: Callable[[Found], step_rows.Facts]
    width: int


class Sheet:
    """Lays a runbook out, and keeps what is closed as long as it stays the same."""

    _places: Places
    _here: Here
    _width: int

    def __init__(self) -> None:
        self._laid: dict[str, list[Row]] = {}
        self._laid_for: tuple[object, ...] = ()

    def rows(self, places: Places, here: Here) -> list[Row]:
        """All rows, with the place under the cursor open."""
        width = max(20, here.width)
        kept = (places, here.known, width)
        if kept != self._laid_for:
            self._laid, self._laid_for = {}, kept
        self._places, self._here, self._width = places, here, width
        title, severity = places.book.title, places.book.severity or ""
        if severity.lower() not in title.lower():
            title = Safe(f"{title} ({severity})")
        rows = [paint.row((line, "strong")) for line in paint.fold(Safe(f" {title}"), width - 1)]
        rows += [
            paint.row((line, "warn"))
            for warning in places.book.warnings
            for line in paint.fold(clean_line(f" ! {warning}"), width)
        ]
        if not places.steps:
            said = Safe(" No step was found in this file; here is its text. j goes through it.")
            rows += [paint.row((line, "warn")) for line in paint.fold(said, width)]
        for procedure in places.book.procedures:
            if places.many and not places.first_in(procedure):
                rows += self._headings(procedure)
                continue
            if places.many:
                rows.append(self._procedure(procedure))
            if not places.many or procedure.id == self._here.procedure:
                for section in procedure.sections:
                    rows += self._section(procedure, section)
        return rows

    def _headings(self, procedure: Procedure) -> list[Row]:
        """The headings of a procedure in which nothing stands: they head the ones after it."""
        titles = [one.title for one in procedure.sections if one.title != procedure.title]
        return [
            paint.row((paint.fit(Safe(f" {title}"), self._width - 1), "strong"))
            for title in titles or [procedure.title]
        ]

    def _procedure(self, procedure: Procedure) -> Row:
        place = Place(Kind.PROCEDURE, procedure.id)
        opened, here = procedure.id == self._here.procedure, self._here.at == place
        progress = of_all(procedure.sections, self._here.known.marks)
        said = progress.words if progress.all else Safe("to be read")
        hint = "  enter opens it" if here and not opened else ""
        pointer, sign = ">" if here else " ", "-" if opened else "+"
        room = max(8, self._width - 6 - len(said) - len(hint))
        title = procedure.title
        return paint.row(
            (Safe(f"{pointer} "), "key"),
            (Safe(f"{sign} "), "title"),
            (paint.fit(title, room) if cell_len(title) > room else title, "title"),
            (Safe(f"  {said}"), "faint"),
            (Safe(hint), "key"),
            stop=place,
        )

    def _section(self, procedure: Procedure, section: Section) -> list[Row]:
        found = self._places.at(self._here.at)
        if found is not None and found.section is section:
            return self._open_section(procedure, section, found.step)
        if section.id not in self._laid:
            self._laid[section.id] = self._closed_section(procedure, section)
        return self._laid[section.id]

    def _closed_section(self, procedure: Procedure, section: Section) -> list[Row]:
        if not section.steps:
            return self._text(procedure, section, here=False)
        head = self._head(procedure, section, here=False)
        return [head, *self._steps(section)]

    def _open_section(self, procedure: Procedure, section: Section, step: Step | None) -> list[Row]:
        if step is None:
            return self._text(procedure, section, here=True)
        rows = [self._head(procedure, section, here=True)]
        assert isinstance(self._here.at, Place)
        rows += self._read(section)
        needless = self._places.needless(section, self._here.known.done)
        for line, one in zip(self._steps(section), section.steps, strict=True):
            if one is step:
                facts = self._here.facts(Found(procedure, section, step))
                rows += step_rows.opened(
                    step, self._here.at, facts, one.id in needless, self._width
                )
            else:
                rows.append(line)
        return rows

    def _steps(self, section: Section) -> list[Row]:
        """The lines of the steps of a section, closed."""
        key = f"{section.id}\0steps"
        if key not in self._laid:
            known = self._here.known
            needless = self._places.needless(section, known.done)
            self._laid[key] = [
                step_rows.closed(
                    step,
                    known.states.get(step.id),
                    [known.runs.get(command.id) for command in step.commands],
                    step.id in needless,
                    self._width,
                )
                for step in section.steps
            ]
        return self._laid[key]

    def _text(self, procedure: Procedure, section: Section, *, here: bool) -> list[Row]:
        """A section that is only read: open under the cursor, and where it is short."""
        if not section.intro:
            # Nothing of its own: a heading of the sections below it, or of nothing.
            below = [one for one in procedure.sections if one.lines.first > section.lines.first]
            if not below or below[0].level <= section.level or section.title == procedure.title:
                return []
            return [self._head(procedure, section, here=False)]
        stop = Place(Kind.TEXT, section.id)
        lines = self._read(section)
        long = len(lines) > SHORT and not here
        head = self._head(
            procedure, section, here=here, said=f"{len(lines)} lines to read" if long else ""
        )
        return [paint.row(*row.parts, stop=stop) for row in ([head] if long else [head, *lines])]

    def _head(self, procedure: Procedure, section: Section, *, here: bool, said: str = "") -> Row:
        top = min(
            (one.level for one in procedure.sections if one.title != procedure.title), default=1
        )
        indent = "  " * max(0, min(2, section.level - top))
        if section.steps:
            said = of_section(section, self._here.known.marks).words
        title = section.title
        if title == procedure.title:
            title = Safe("Steps" if section.steps else "About")
        lead = f"{indent}{'─▸' if here else '──'} "
        room = max(8, self._width - len(lead) - (len(said) + 5 if said else 1))
        shown = paint.fit(title, room) if cell_len(title) > room else title
        rule = max(1, self._width - len(lead) - cell_len(shown) - (len(said) + 4 if said else 2))
        return paint.row(
            (Safe(f"{lead}{shown} "), "title"),
            (Safe("─" * rule), "title" if here else "faint"),
            (Safe(f" {said} " if said else ""), "title" if here else ""),
        )

    def _read(self, section: Section) -> list[Row]:
        """What a section says before its first step."""
        key = f"{section.id}\0text"
        if key not in self._laid:
            named = labels(self._places, section.intro)
            self._laid[key] = step_rows.text(section.intro, named, self._width)
        return self._laid[key]
