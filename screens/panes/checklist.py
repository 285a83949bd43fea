"""The runbook as a checklist: one line a step, the one under the cursor open with its commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from cockpit.incident.incident import Run
from cockpit.responder import Chosen, Responder
from cockpit.text import Safe
from screens import paint
from screens.lines import Lines
from screens.panes.places import Found, Kind, Place, Places

if TYPE_CHECKING:
    from cockpit.runbook.model import Runbook, Section, Step
    from screens.panes.known import Known
    from screens.panes.progress import Progress
    from screens.panes.sheet import Sheet
    from screens.panes.step_rows import Facts


class Checklist(Lines):
    """Steps of the runbook, with what became of them and the output of what was run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.run_command", "run", id="step.run", tooltip="Run the command"),
        Binding(
            "space", "screen.toggle_done", "done", id="step.done", tooltip="Mark done, or not done"
        ),
        Binding("b", "follow", "follow", id="step.follow", tooltip="Follow 'See ...'"),
        Binding("backspace", "back", "back", id="step.back", tooltip="Back again"),
        Binding("s", "screen.skip_step", "skip", id="step.skip", tooltip="Skip, with a reason"),
        Binding("f", "screen.fail_step", "failed", id="step.fail", tooltip="Mark failed"),
        Binding("x", "screen.stop_run", "stop", id="step.stop", tooltip="Stop what runs"),
        Binding("o", "screen.show_output", "output", id="step.output", tooltip="Whole output"),
        Binding("e", "screen.edit_command", "edit", id="step.edit", tooltip="Edit, then run"),
        Binding("p", "choose_procedure", "procedure", id="runbook.procedure",
                tooltip="Open another procedure of this file"),
        Binding("y", "screen.copy_command", "copy", id="step.copy", tooltip="Copy the command",
                show=False),
        Binding("right_square_bracket", "section(1)", "next section", id="section.next",
                tooltip="Next section", show=False),
        Binding("left_square_bracket", "section(-1)", "section before", id="section.previous",
                tooltip="Section before", show=False),
        Binding("slash", "screen.search", "search", id="runbook.search", tooltip="Search",
                show=False),
    ]  # fmt: skip

    bold_under_cursor = False

    class Moved(Message):
        """The cursor stands somewhere else, so other keys may do something."""

    def __init__(self, responder: Responder, *, id: str) -> None:
        super().__init__(id=id)
        self.responder = responder
        self.places: Places | None = None
        self.procedure = ""
        self._came_from: list[Place] = []
        self._shown_for: str | None = None
        self._seen: tuple[object, ...] | None = None
        self._known: Known | None = None
        self._sheet: Sheet | None = None
        self._revealed: tuple[object, ...] | None = None
        self._seen_step: tuple[object, ...] | None = None
        self._facts_of: tuple[tuple[object, ...], Facts] | None = None

    def on_mount(self) -> None:
        self.refill()

    def moved(self) -> None:
        found = self._found()
        if found is not None:
            self.procedure = found.procedure.id
        if self._came_from and self._came_from[-1].id == getattr(self.at, "id", ""):
            self._came_from.pop()
        self.refill()
        self.post_message(self.Moved())

    # What is under the cursor

    def _found(self) -> Found | None:
        return self.places.at(self.at) if self.places else None

    def here(self) -> tuple[Section, Step] | None:
        """The step under the cursor."""
        found = self._found()
        return (found.section, found.step) if found and found.step else None

    def chosen(self) -> Chosen | None:
        """The command under the cursor; None on a step without one."""
        found = self.here()
        book = self.responder.runbook
        if found is None or book is None or not isinstance(self.at, Place):
            return None
        section, step = found
        commands = step.commands
        if not 0 <= self.at.command < len(commands):
            return None
        return Chosen(book, section, step, commands[self.at.command])

    def run_here(self) -> Run | None:
        """The newest run of the command under the cursor."""
        chosen = self.chosen()
        return self._learn(chosen.runbook).runs.get(chosen.command.id) if chosen else None

    @property
    def idle_keys(self) -> frozenset[str]:
        """The keys that would do nothing here: the last line leaves them out."""
        idle = set()
        run, found = self.run_here(), self._found()
        if self.chosen() is None:
            idle |= {"step.run", "step.edit"}
        if found is None or found.step is None:
            idle |= {"step.done", "step.skip", "step.fail"}
        if run is None:
            idle.add("step.output")
        if not self.responder.incident.running():
            idle.add("step.stop")
        if not self._leading():
            idle.add("step.follow")
        if not self._came_from:
            idle.add("step.back")
        if not (self.places and self.places.many):
            idle.add("runbook.procedure")
        return frozenset(idle)

    # Going about

    def take(self) -> bool:
        """Whether enter was needed for something else than to run the command under the cursor.

        It opens a procedure, shows a command that is out of sight, or says why nothing runs.
        """
        if isinstance(self.at, Place) and self.at.kind is Kind.PROCEDURE:
            self.open_procedure(self.at.id)
            return True
        found = self._found()
        if found is None:
            return True
        if found.step is None:
            self.notify("This is only to be read; j goes on.", markup=False)
        elif not found.step.commands:
            self.notify("Nothing to run in this step: do it, then space ticks it.", markup=False)
        elif self._shows_command():
            self.notify("This is the command; enter again runs it.", markup=False)
        else:
            return False
        return True

    def _shows_command(self) -> bool:
        """Brings the command under the cursor in sight; False where it is already."""
        y, top, height = self._command_row(), round(self.scroll_y), self.size.height
        if y is None or top <= y < top + height:
            return False
        self.scroll_to(y=max(0, y - height // 2), animate=False, immediate=True)
        return True

    def _command_row(self) -> int | None:
        from screens.panes.step_rows import POINTER

        first, last = self.span(self.at) or (0, -1)
        lines = (y for y in range(first, last + 1) if self.rows[y].plain.startswith(POINTER))
        return next(lines, None)

    def reveal(self) -> None:
        """Has what is under the cursor in sight; of a high step what the command says, once."""
        super().reveal()
        self._reveal_step()
        run = self.run_here()
        news = (run.job, run.state) if run else None
        if news == self._revealed:
            return
        self._revealed = news
        span, y = self.span(self.at), self._command_row()
        if news and y is not None and span and span[1] >= round(self.scroll_y) + self.size.height:
            self.scroll_to(y=y, animate=False, immediate=True)

    def _reveal_step(self) -> None:
        """Has as much of the open step in sight as goes with what is under the cursor, once."""
        under, height = self.span(self.at), self.size.height
        if under is None or not isinstance(self.at, Place):
            return
        spans = [self._spans[stop] for stop in self._stops if _of(stop) == _of(self.at)]
        first, last = min(one for one, _ in spans), max(one for _, one in spans)
        if (seen := (self.at, first, last, height)) == self._seen_step:
            return
        top = min(last - height + 1, first if under[1] < first + height else under[0])
        if top > round(self.scroll_y):
            self.scroll_to(y=top, animate=False, immediate=True)
        if top <= round(self.scroll_y):  # what has just been laid out may not be scrolled to yet
            self._seen_step = seen

    def next_step(self) -> None:
        """Moves on to the step after this one, past options that are not needed any more."""
        if self.places is None or not isinstance(self.at, Place):
            return
        found = self.places.after(self.at, self._learn(self.places.book).done)
        if found is not None:
            self.go(found.first)

    def go_to(self, step: Step) -> None:
        """Puts the cursor on a step, on its first command where it has any."""
        self.go_to_id(step.id)

    def go_to_id(self, id: str) -> None:
        """Puts the cursor on the step of that id, or on the first one of the section of that id."""
        found = self.places.named(id) if self.places else None
        if found is not None:
            self.procedure = found.procedure.id
            self.go(found.first)

    def open_procedure(self, id: str) -> None:
        """Opens a procedure of the file and closes the others."""
        procedure = self.places.procedures.get(id) if self.places else None
        if self.places is None or procedure is None:
            return
        self.procedure = id
        found = self.places.first_in(procedure)
        self.go(found.first if found else Place(Kind.PROCEDURE, id))

    def resume(self) -> None:
        """Goes to where the responder was: the last step touched."""
        self.refill()
        book = self.responder.runbook
        if book is None or self.places is None:
            return
        for entry in reversed(self.responder.incident.entries):
            ref = getattr(entry.record.event, "step", None)
            if ref is not None and ref.runbook == book.path and self.places.named(ref.step):
                self.go_to_id(ref.step)
                return

    def action_follow(self) -> None:
        leading = self._leading()
        targets = list(dict.fromkeys(target for target, _ in leading))
        if not targets or self.places is None:
            self.notify("Nothing to follow here.", markup=False)
        elif len(targets) == 1:
            self._follow(targets[0])
        else:
            from screens.dialogs.choose import Choose, Offer

            words = dict(reversed(leading))
            offers = [Offer(self.places.label(to), words[to], to) for to in targets]
            hint = Safe("backspace comes back here.")
            self.app.push_screen(Choose(Safe("Go where?"), offers, hint=hint), self._follow)

    def _follow(self, target: str | None) -> None:
        if target is not None and isinstance(self.at, Place):
            self._came_from.append(self.at)
            self.go_to_id(target)

    def _leading(self) -> list[tuple[str, Safe]]:
        """Where this step leads, each with the words that say when; what fits the output first."""
        found = self._found()
        if found is None or self.places is None:
            return []
        fits = self._facts(found).fits if found.step else frozenset()
        return [
            (target, Safe(f"fits the output: {ref.text}") if index in fits else ref.text)
            for index, ref in sorted(found.references, key=lambda one: one[0] not in fits)
            if (target := ref.target) and self.places.named(target)
        ]

    def action_back(self) -> None:
        if self._came_from:
            place = self._came_from.pop()
            found = self.places.at(place) if self.places else None
            if found is not None:
                self.procedure = found.procedure.id
            self.go(place)

    def action_section(self, by: int) -> None:
        if self.places is None or not isinstance(self.at, Place):
            return
        found = self.places.beside(self.at, by)
        if found is not None:
            self.go(found.first)

    def action_choose_procedure(self) -> None:
        if self.places is None:
            return
        if not self.places.many:
            self.notify("This file holds one procedure.", markup=False)
            return
        from screens.dialogs.choose import Choose, Offer

        offers = [
            Offer(one.title, far.words if far.all else Safe("to be read"), one.id)
            for one in self.places.book.procedures
            if self.places.first_in(one) and (far := self._progress(one.sections))
        ]

        def opened(id: str | None) -> None:
            if id is not None:
                self.open_procedure(id)

        self.app.push_screen(Choose(Safe("Which procedure?"), offers), opened)

    # Drawing

    def update(self) -> None:
        """Lays it out again where the incident or an output has changed."""
        responder = self.responder
        seen = (
            responder.incident,
            responder.runbook,
            responder.target.name,
            responder.links.lost,
            self._received(),
        )
        if seen != self._seen:
            self._seen = seen
            self.refill()
            self.post_message(self.Moved())

    def refill(self) -> None:
        book = self.responder.runbook
        if book is None:
            self.border_title = paint.text(Safe("3 Runbook"))
            self.say(Safe("No runbook chosen."), Safe("B chooses one."))
            return
        if self._shown_for != book.sha256 or self.places is None:
            self._shown_for = book.sha256
            self.places = Places(book)
            self._came_from, self._facts_of = [], None
            self.at = None
            if book.procedures:
                self.procedure = book.procedures[0].id
                first = self.places.first_in(book.procedures[0])
                self.at = first.first if first else Place(Kind.PROCEDURE, self.procedure)
        from screens.panes.sheet import Here, Sheet

        self._sheet = self._sheet or Sheet()
        self.border_title = paint.text(self._title())
        here = Here(self.at, self.procedure, self._learn(book), self._facts, self.size.width)
        self.show_rows(self._sheet.rows(self.places, here))
        self.reveal()
        self.call_after_refresh(self.reveal)

    def _learn(self, book: Runbook) -> Known:
        """What the incident knows of the runbook: folded again only where it has changed."""
        from screens.panes.known import Known

        incident = self.responder.incident
        if self._known is None or not self._known.still(incident, book.path):
            self._known = Known(incident, book.path)
        return self._known

    def _facts(self, found: Found) -> Facts:
        """All about a step, gathered anew only where the incident or an output has changed."""
        from screens.panes.known import facts

        assert self.places is not None
        responder, known = self.responder, self._learn(self.places.book)
        key = (
            found.first.id,
            responder.incident,
            responder.target.name,
            responder.links.lost,
            self._received(),
            known,
        )
        if self._facts_of is None or any(
            now is not then and now != then
            for now, then in zip(key, self._facts_of[0], strict=True)
        ):
            self._facts_of = key, facts(responder, known, self.places, found)
        return self._facts_of[1]

    def _received(self) -> int:
        """Bytes of output so far: more of them, and there is more to show."""
        return sum(output.offset for output in self.responder.outputs.values())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if bool(old_value) != bool(new_value) and self.places is not None:
            self.border_title = paint.text(self._title())

    def _title(self) -> Safe:
        """How far it is; and where backspace leads, or which runbook it is where that is above."""
        assert self.places is not None
        words = f"3 Runbook {self._progress(self.places.book.sections()).words}"
        more = Safe("")
        if self._came_from:
            more = Safe(f" · backspace: back to {self.places.label(self._came_from[-1].id)}")
        elif self.scroll_y:
            more = Safe(f" · {self.places.book.title}")
        room = max(12, self.size.width - 4 - len(words))
        return Safe(words + (more if cell_len(more) <= room else paint.fit(more, room)))

    def _progress(self, sections: Iterable[Section]) -> Progress:
        from screens.panes import progress

        assert self.places is not None
        return progress.of_all(sections, self._learn(self.places.book).marks)


def _of(stop: object) -> tuple[Kind, str] | None:
    """The step or text that a stop belongs to."""
    return (stop.kind, stop.id) if isinstance(stop, Place) else None
