"""`cockpit shift`: start, hand off, receive, report."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cockpit import cli_shift_desk as desk
from cockpit.cli_given import Mistake, load_config, meant, put, who, with_config, with_new_file

if TYPE_CHECKING:
    from cockpit.oncall.model import Handbook
    from cockpit.oncall.period import Period
    from cockpit.oncall.shift import Pen, Shift

NOT_SAVED = 3
_LEAST_WORDS = 3
_TIMES = "UTC, as HH:MM, YYYY-MM-DD, YYYY-MM-DD HH:MM, or a length such as 12h or 7d"


class NoShift(Mistake):
    """There is no shift to do it with; nothing that was given is wrong."""

    exit_code = 1


class Stopped(Mistake):
    """ctrl+c; what is kept is said."""

    exit_code = 130


@click.group()
def shift() -> None:
    """Begin a shift, hand it off, receive it, and report on it."""


@shift.command("start", short_help="Take the phone.")
@click.option("--until", default="", metavar="TIME", help=f"When you mean to hand off: {_TIMES}.")
@with_config
def shift_start(until: str, config: Path | None) -> None:
    """Begin a shift, or go on with the one that you have begun.

    Shows what was handed over, open incidents, how the last check ended, and the handbook's
    checklist before a shift; on a terminal its items are asked for.

    Exit status: 0 when nothing waits for you; 1 when something does, such as an open incident, a
    handoff that nobody has received, a check that is not there, old, or not all well.
    """
    from cockpit import clock
    from cockpit.incident.events import ShiftStarted
    from cockpit.oncall import shift as shifts
    from cockpit.oncall.handbook import load
    from cockpit.oncall.kept import last
    from cockpit.oncall.model import Occasion
    from cockpit.words import stamp

    settings = load_config(config)
    now = clock.now()
    ending = moment(until, now, ahead=True) if until else None
    if ending and ending <= now:
        raise Mistake(f"--until {until} is over already. Write a time that lies ahead.")
    handbook = load(settings)
    known = shifts.known()
    folder, mine = _mine(known)
    left = [(path, one) for path, one in known if not one.open and path != folder]
    others = _others(known)
    handed = mine is not None and mine.handed is not None
    waits = bool(others) or handed
    with _pen(folder) as pen:
        if mine is None or ending or (handed and not mine.goes_on):
            pen.write(ShiftStarted(until=ending))
        listed = pen.open_lists(handbook, Occasion.BEFORE)
        begun = pen.shift
        end = f", until {stamp(begun.until)}" if begun.until else ""
        goes_on = " goes on" if folder else ""
        click.echo(f"The shift of {begun.who}{goes_on}: from {stamp(begun.started)}{end} UTC.")
        click.echo(desk.handbook_used(handbook))
        if handed:
            click.echo(f"Handed off {stamp(begun.handed_at)} UTC, but nobody has received it:"
                       " it is yours still.")  # fmt: skip
            click.echo("When somebody has it: cockpit shift receive --name NAME")
        for line in others:
            click.echo(f"\n{line}")
        if left:
            waits |= desk.handed_over(*left[0])
        waits |= desk.open_incidents(handbook, settings.timezone)
        check = last()
        waits |= desk.last_check(check, now)
        try:
            desk.walk(pen, listed, check.ticked if check and not check.old(now) else ())
        except KeyboardInterrupt:
            kept = desk.so_far(pen, Occasion.BEFORE)
            raise Stopped(f"\nStopped; the shift goes on. {kept}") from None
    sys.exit(int(waits))


@shift.command("handoff", short_help="Write down what the next one must know.")
@click.option("--to", default="", metavar="NAME", help="Who comes next.")
@click.option("--temporary", multiple=True, metavar="TEXT", help="Mended for now only.")
@click.option("--put-back", multiple=True, metavar="TEXT", help="Stopped or raised; to be undone.")
@click.option(
    "--action", "actions", multiple=True, metavar="TEXT", help="To be done; @who by when."
)
@click.option("--lesson", "lessons", multiple=True, metavar="TEXT", help="What others should know.")
@with_config
def shift_handoff(
    to: str,
    temporary: tuple[str, ...],
    put_back: tuple[str, ...],
    actions: tuple[str, ...],
    lessons: tuple[str, ...],
    config: Path | None,
) -> None:
    """Write what the next one must know, beside the journal of your shift.

    On a terminal it asks for it and goes through the handbook's handoff checklist. The shift stays
    yours until the next one has received it. Exit status: 1 where no shift is open, or the document
    could not be written.
    """
    from cockpit import clock
    from cockpit.incident.events import ShiftHandedOff
    from cockpit.incident.markdown_file import write_new
    from cockpit.incident.notes import Kind
    from cockpit.oncall import shift as shifts
    from cockpit.oncall import shift_report
    from cockpit.oncall.handbook import load
    from cockpit.oncall.model import Occasion

    settings = load_config(config)
    handbook = load(settings)
    folder = _to_hand_off(shifts.known())
    now = clock.now()
    given = {
        Kind.TEMPORARY: temporary,
        Kind.PUT_BACK: put_back,
        Kind.ACTION: actions,
        Kind.LESSON: lessons,
    }
    with _pen(folder) as pen:
        whole = True
        click.echo(desk.handbook_used(handbook))
        try:
            desk.walk(pen, pen.open_lists(handbook, Occasion.HANDOFF))
            if desk.asks():
                so_far = _period(pen.shift.started or now, now, handbook, settings.timezone)
                desk.already_noted(so_far)
                answer = to or desk.ask("Who comes next?")
                to = answer or ""
                whole = answer is not None and desk.questions(pen)
        except KeyboardInterrupt:
            kept = desk.so_far(pen, Occasion.HANDOFF)
            raise Stopped(f"\nNothing is handed off yet. {kept}") from None
        if not whole:
            kept = desk.so_far(pen, Occasion.HANDOFF)
            raise NoShift(f"\nNothing is handed off yet. {kept}")
        number = pen.shift.handoffs + 1
        name = "handoff.md" if number == 1 else f"handoff-{number}.md"
        said = {
            kind: tuple(pen.clean(line) for line in [*lines, *pen.noted(kind)])
            for kind, lines in given.items()
        }
        pen.write(
            ShiftHandedOff(
                to=pen.clean(to),
                temporary=said[Kind.TEMPORARY],
                put_back=said[Kind.PUT_BACK],
                actions=said[Kind.ACTION],
                lessons=said[Kind.LESSON],
                document=name,
            )
        )
        done = pen.shift
    period = _period(done.started or now, clock.now(), handbook, settings.timezone)
    text = shift_report.handoff(done, _alone(period, done))
    document = pen.folder / name
    if failed := write_new(document, text):
        click.echo(f"{failed} The journal has what you said: cockpit shift report", err=True)
        sys.exit(1)
    click.echo(f"Written to {document}")
    click.echo("It is yours until the next one has it, in their own words: cockpit shift receive")


@shift.command("receive", short_help="Say in your own words what you take over.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--words", default="", metavar="TEXT", help="What you take over; else it is asked.")
@click.option("--name", default="", metavar="NAME", help="Who you are; else your login name.")
def shift_receive(file: Path | None, words: str, name: str) -> None:
    """Say in your own words what you take over: that shows what was not understood.

    Where it was handed off on another machine, FILE is the document that they sent you; yours says
    then what they are to enter there.

    Exit status: 1 where nothing was handed off that nobody has received.
    """
    from cockpit.incident.events import HandoffTaken, ShiftReceived
    from cockpit.oncall import shift as shifts
    from cockpit.text import clean_line

    known = shifts.known()
    if file is not None:
        by = clean_line(name.strip() or who())
        if desk.handed_off_by(file, by):
            raise Mistake(f"{by} is who handed it off. Who takes it? --name NAME")
        folder, mine = _mine(known)
        if folder is None or not (mine and (mine.open or mine.goes_on)):
            raise NoShift("No shift of yours is open. First: cockpit shift start")
        words = _own_words(words, file)
        with _pen(folder) as pen:
            kept = pen.clean(words)
            pen.write(HandoffTaken(words=kept, document=pen.clean(file.name)))
        click.echo("It is written in your shift. Where it was handed off, they enter:")
        click.echo(f"  cockpit shift receive --name {shlex.quote(by)} --words {shlex.quote(kept)}")
        return
    waiting = [(path, one) for path, one in known if one.handed and not one.received]
    if not waiting:
        raise NoShift(
            "Nothing is handed off here that waits for somebody: cockpit shift handoff comes"
            " first. Handed off on another machine? cockpit shift receive FILE"
        )
    folder, left = waiting[0]
    by = clean_line(name.strip() or who())
    if by.lower() == left.who.lower():
        if not desk.asks() or name:
            raise Mistake(f"{by} is who handed it off. Who takes it? --name NAME")
        by = clean_line(_typed(f"{by} handed it off. Who takes it?").strip())
    document = left.handed.document if left.handed else ""
    words = _own_words(words, folder / Path(document).name)
    with _pen(folder) as pen:
        pen.write(ShiftReceived(by=pen.clean(by), words=pen.clean(words)))
    click.echo(
        f"{by} has it; the shift of {left.who} is over. Yours begins with: cockpit shift start"
    )


@shift.command("report", short_help="What happened, as markdown.")
@click.option("--since", default="", metavar="TIME", help=f"From when: {_TIMES}.")
@click.option("--until", default="", metavar="TIME", help="To when; else now.")
@click.option("--shift", "name", default="", help="This one (the beginning of its name will do).")
@with_new_file
@with_config
def shift_report_(
    since: str, until: str, name: str, output: Path | None, config: Path | None
) -> None:
    """Incidents, escalations, times, what is open and what is left to do, from the journals alone.

    Without a time it is the newest shift. Exit status: 1 where there is no shift, or a journal is
    damaged (the rest of it is used).
    """
    from cockpit import clock
    from cockpit.oncall import shift as shifts
    from cockpit.oncall import shift_report
    from cockpit.oncall.handbook import load

    settings = load_config(config)
    now = clock.now()
    if name and (since or until):
        raise Mistake("--shift has its own times; leave out --since and --until.")
    if until and not since:
        raise Mistake("--until needs --since: from when?")
    chosen: Shift | None = None
    if since:
        start, end = moment(since, now), moment(until, now) if until else now
        if start >= end:
            raise Mistake(f"From {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is no time at all.")
    else:
        chosen = _chosen(shifts.known(), name)
        start, end = chosen.started or now, chosen.ended or now
    period = _period(start, end, load(settings), settings.timezone)
    put(shift_report.report(_alone(period, chosen) if chosen else period), output)
    for journal, count in period.damaged:
        click.echo(f"{journal}: {count} damaged places; the rest of it is used.", err=True)
    if period.damaged:
        sys.exit(1)


def moment(text: str, now: datetime, *, ahead: bool = False) -> datetime:
    """A time as a person writes it, in UTC.

    ahead: a time of day, or a length, is the next such one, not the last. Raises Mistake.
    """
    written = text.strip()
    length = re.fullmatch(r"([0-9]{1,4})([hd])", written)
    if length:
        size = timedelta(hours=int(length[1]) * (24 if length[2] == "d" else 1))
        return now + size if ahead else now - size
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(written.removesuffix("Z"), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        day = datetime.strptime(written, "%H:%M")
    except ValueError:
        raise Mistake(f"{text} is no time. Write it in {_TIMES}.") from None
    found = now.replace(hour=day.hour, minute=day.minute, second=0, microsecond=0)
    if ahead:
        return found if found > now else found + timedelta(days=1)
    return found if found <= now else found - timedelta(days=1)


# Which shift


def _mine(known: Sequence[tuple[Path, Shift]]) -> tuple[Path, Shift] | tuple[None, None]:
    """The newest shift of whoever is at the keyboard, until somebody has received it."""
    mine = ((folder, one) for folder, one in known if one.who.lower() == who().lower())
    folder, one = next(mine, (None, None))
    return (folder, one) if folder and one and not one.received else (None, None)


def _to_hand_off(known: Sequence[tuple[Path, Shift]]) -> Path:
    """The shift that is handed off: one that nobody has received, the own one before others."""
    left = [(folder, one) for folder, one in known if not one.received]
    mine = [folder for folder, one in left if one.who.lower() == who().lower()]
    if not mine:
        others = ", ".join(str(one.who) for _, one in left if one.open)
        raise NoShift("No shift of yours is open. cockpit shift start begins one."
             + (f" That of {others} is." if others else ""))  # fmt: skip
    return mine[0]


def _others(known: Sequence[tuple[Path, Shift]]) -> list[str]:
    """Shifts of others that were never handed off."""
    from cockpit.words import stamp

    return [
        f"The shift of {one.who}, since {stamp(one.started)} UTC, was never handed off."
        " Ask them what is open."
        for _, one in known
        if one.open and one.who.lower() != who().lower()
    ]


def _chosen(known: Sequence[tuple[Path, Shift]], name: str) -> Shift:
    shifts = {one.name: one for _, one in known}
    found = meant(name, shifts) if name else next(iter(shifts), None)
    if found is not None:
        return shifts[found]
    if name:
        raise Mistake(f"There is no shift {name}. There are: {', '.join(shifts) or 'none'}.")
    raise NoShift("There is no shift yet. cockpit shift start begins one; --since 7d needs none.")


# Small things


def _typed(question: str) -> str:
    """What a person types; never empty. Raises Stopped."""
    try:
        return str(click.prompt(question))
    except click.Abort:
        raise Stopped("\nNothing is received yet.") from None


def _own_words(words: str, document: Path) -> str:
    """What somebody takes over: as given, else typed with the document in view. Raises Mistake."""
    if not words:
        if not desk.asks():
            raise Mistake('In your own words, what do you take over? --words "..."')
        desk.show(document)
        words = _typed("In your own words, what do you take over?")
    while len(words.split()) < _LEAST_WORDS:
        if not desk.asks():
            raise Mistake("That says nothing of what you take over. Write a sentence.")
        words = _typed("In a sentence: what is open, and what must you do?")
    return words


def _period(start: datetime, end: datetime, handbook: Handbook, zone: str) -> Period:
    from cockpit import clock
    from cockpit.oncall import shift as shifts
    from cockpit.oncall.period import gather

    known = [one for _, one in shifts.known()]
    return gather(start, end, known, handbook.rules, clock.moment(), zone)


def _alone(period: Period, only: Shift) -> Period:
    """The same period, of one shift alone: that of somebody else may have overlapped it."""
    from dataclasses import replace

    return replace(period, shifts=tuple(one for one in period.shifts if one.name == only.name))


@contextmanager
def _pen(folder: Path | None) -> Iterator[Pen]:
    """A pen for a shift, with its troubles said plainly."""
    from cockpit.incident.journal import Busy
    from cockpit.oncall import shift as shifts

    try:
        with shifts.writing(folder, who()) as pen:
            yield pen
    except Busy:
        raise Mistake("Another cockpit writes in this shift just now. Try again.") from None
    except shifts.NotSaved as error:
        click.echo(str(error), err=True)
        sys.exit(NOT_SAVED)
