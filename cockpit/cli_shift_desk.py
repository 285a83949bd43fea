"""What `cockpit shift` shows at the start of a shift, and asks at its end."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cockpit.cli_given import Mistake, folded

if TYPE_CHECKING:
    from cockpit.oncall.kept import Kept
    from cockpit.oncall.model import Handbook
    from cockpit.oncall.period import Period
    from cockpit.oncall.shift import Listed, Pen, Shift
    from cockpit.text import Safe

_MOST = 1 << 20
_HEAD = 4096
_DONE = ("y", "yes", "done")
_LATER = ("", "n", "no", "later")


def handbook_used(handbook: Handbook) -> str:
    """Whose rules and checklists these are."""
    from cockpit.text import clean_line

    if handbook.unread:
        return str(handbook.unread)
    if not handbook.shipped:
        return str(clean_line(f"Handbook: {handbook.path}"))
    return (
        "Handbook: the one that comes with cockpit, as there is no ON_CALL.md here.\n"
        "Yours is elsewhere? Start there, or name it in cockpit.yaml, as handbook: ON_CALL.md"
    )


def handed_over(folder: Path, left: Shift) -> bool:
    """Shows what the last shift handed over; whether that needs somebody still."""
    from cockpit.words import stamp

    click.echo(f"\nHanded over by {left.who}, {stamp(left.handed_at)} UTC")
    if left.damaged:
        click.echo(f"  The journal of {left.name} is damaged; what can be read of it is used.")
    name = left.handed.document if left.handed else ""
    show(folder / Path(name).name)
    if left.received is None:
        click.echo("  Nobody has received it yet: cockpit shift receive")
    return left.received is None or bool(left.damaged)


def show(document: Path) -> None:
    """The handoff as it was written, or as people changed it since."""
    from cockpit.text import clean

    try:
        with document.open("rb") as file:
            data = file.read(_MOST)
    except OSError as error:
        click.echo(f"  {document} cannot be read ({error.strerror}); see: cockpit shift report")
        return
    for line in clean(data).strip().split("\n"):
        click.echo(f"  {line}".rstrip())


def handed_off_by(document: Path, name: str) -> bool:
    """Whether somebody handed this off. Raises Mistake where it is no handoff of cockpit."""
    if not document.is_file():
        raise Mistake(f"{document}: there is no such file.")
    try:
        with document.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", "replace").splitlines()
    except OSError as error:
        raise Mistake(f"{document} cannot be read: {error.strerror}.") from None
    begins = "# Handoff from "
    if not (head and head[0].startswith(begins) and "- **Period:** " in "".join(head[1:6])):
        raise Mistake(
            f"{document} is no handoff: its first line would be {begins.strip()!r} and a name."
            " Ask for the file that cockpit shift handoff has written."
        )
    title = head[0].removeprefix(begins).replace("\\", "").lower()
    return title == name.lower() or title.startswith(f"{name.lower()} to ")


def open_incidents(handbook: Handbook, zone: str) -> bool:
    """Shows what is open, with its next step; whether anything is. zone: of business days."""
    from cockpit import clock
    from cockpit.incident.summary import name_of, summary
    from cockpit.oncall.period import gather

    now = clock.now()
    found = gather(now, now + timedelta(1), (), handbook.rules, clock.moment(), zone).open
    real = [one for one in found if not one.incident.training]
    click.echo(f"\nOpen incidents: {len(real) or 'none'}")
    for one in real:
        click.echo(f"  {name_of(one.incident)}: {summary(one.incident)}")
        click.echo(f"    {one.name}")
        if one.damaged:
            click.echo("    its journal is damaged: cockpit incident verify NAME")
        click.echo(f"    next step: {one.next}")
        for thing in one.due[:1]:
            click.echo(f"    {'overdue' if thing.late else 'due'} {thing.at:%H:%M}: {thing.words}")
    return bool(real)


def last_check(kept: Kept | None, now: datetime) -> bool:
    """Shows how the last check ended; whether it is missing, old, or was not all well."""
    from cockpit.text import clean_line
    from cockpit.words import stamp

    if kept is None:
        click.echo("\nNo check was made on this machine: cockpit check")
        return True
    old = kept.old(now)
    again = ", more than a day ago; again: cockpit check" if old else ""
    click.echo(f"\nLast check, {stamp(kept.at.astimezone(UTC))} UTC:"
               f" {clean_line(kept.outcome)}{again}")  # fmt: skip
    for line in kept.wrong:
        click.echo(f"  {clean_line(line)}")
    return old or kept.outcome != "ready"


def asks() -> bool:
    """Whether there is somebody to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str) -> str | None:
    """What a person types; None at ctrl+d. Raises KeyboardInterrupt at ctrl+c."""
    click.echo(question, nl=False)
    try:
        return input(" ").strip()
    except EOFError:
        click.echo()
        return None


def walk(pen: Pen, lists: Sequence[Listed], ticked: Collection[str] = ()) -> None:
    """Goes through checklists; each tick is written as it is made. Enter leaves one for later.

    ticked: what a person has said is done, in a check; it is not asked again. Raises
    KeyboardInterrupt at ctrl+c.
    """
    asking = asks()
    for checklist in lists:
        for item in checklist.left:
            if item in ticked:
                pen.tick(checklist, item)
        left = [item for item in checklist.left if item not in ticked]
        done = len(checklist.items) - len(left)
        click.echo(f"\n{checklist.title} ({done} of {len(checklist.items)} done)")
        if asking and left:
            more = "; a sentence is kept for the handoff" if _handoff(checklist) else ""
            click.echo(f"y done, enter later, ctrl+d all later{more}")
        for item in checklist.items:
            if item not in left:
                click.echo(folded(f"  [x] {item}", 6))
            elif not asking:
                click.echo(folded(f"  [ ] {item}", 6))
            else:
                asking = _asked(pen, checklist, item)


def _handoff(checklist: Listed) -> bool:
    from cockpit.oncall.model import Occasion

    return checklist.occasion == Occasion.HANDOFF


def _asked(pen: Pen, checklist: Listed, item: Safe) -> bool:
    """Asks for an item until it is answered; False where all that is left is for later."""
    from cockpit.incident.notes import Kind
    from cockpit.text import clean_line

    while (answer := ask(folded(f"  [ ] {item}:", 6))) is not None:
        word = answer.lower()
        if word in _DONE:
            pen.tick(checklist, item)
        if word in _DONE or word in _LATER:
            return True
        if _handoff(checklist) and " " in answer:
            about = clean_line(item.partition(":")[0], max_chars=60)
            pen.note(Kind.LESSON, f"{about}: {answer}")
            click.echo("      Kept for the handoff. And the item itself: y done, enter later")
        else:
            click.echo(f'      "{clean_line(answer)}" is neither. y done, enter later')
    return False


def so_far(pen: Pen, occasion: str) -> str:
    """What is kept of a checklist that was stopped in the middle."""
    from cockpit.words import many

    lists = [one for one in pen.shift.lists if one.occasion == occasion]
    ticked = sum(len(one.items) - len(one.left) for one in lists)
    kept = f"Kept: {ticked} of {many(sum(len(one.items) for one in lists), 'item')} ticked"
    written = len(pen.shift.noted)
    return f"{kept}, {many(written, 'line')} for the handoff." if written else f"{kept}."


def already_noted(period: Period) -> None:
    """What the notes of incidents say already, so that nobody types it again."""
    from cockpit.incident import notes
    from cockpit.incident.notes import Kind

    kinds = (Kind.TEMPORARY, Kind.PUT_BACK, Kind.ACTION, Kind.LESSON)
    found = [note for one in period.real for note in notes.of(one.incident, *kinds)]
    if found:
        click.echo("\nNoted in incidents, so it is handed off without being typed again:")
    for note in found:
        click.echo(f"  {note.kind.value}: {note.text}")


def questions(pen: Pen) -> bool:
    """Asks what the next one must know, a line each; each is kept as it is typed.

    False at ctrl+d. Raises KeyboardInterrupt at ctrl+c.
    """
    from cockpit.incident.notes import Kind

    asked = {
        Kind.TEMPORARY: "Mended for now only, and until when it holds",
        Kind.PUT_BACK: "Stopped, raised or turned off, and must be put back",
        Kind.ACTION: "To be done, with @who and by which day",
        Kind.LESSON: "What others should know",
    }
    for kind, question in asked.items():
        click.echo(f"\n{question}? A line each, enter ends it.")
        for kept in pen.noted(kind):
            click.echo(f"  - {kept} (kept already)")
        while line := ask("  -:"):
            pen.note(kind, line)
        if line is None:
            return False
    return True
