"""Whom to call, drawn large: name, number, code to scan, and what else is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from cockpit.incident.clocks import REACHED
from cockpit.oncall import phone
from cockpit.oncall.criteria import Criterion
from cockpit.oncall.ladder import LEFT_MESSAGE, NO_ANSWER, Ladder, Rung, mend
from cockpit.oncall.model import Handbook, Vendor
from cockpit.text import Safe, clean_line
from cockpit.words import in_words
from screens import paint
from screens.paint import Part, Row

GAP = 2
LEAST_BESIDE = 26
"""Cells that the words beside a code need."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a card is drawn in: cells, and whether it may have colours."""

    width: int
    height: int
    colours: bool = True


def person(
    rung: Rung,
    ladder: Ladder,
    handbook: Handbook,
    reasons: Sequence[tuple[Criterion, bool]],
    frame: Frame,
) -> list[Row]:
    """The card of a rung, most needed first; where nobody can be called, who can be instead."""
    level, width = rung.level, frame.width
    rows = [
        paint.row(
            (rung.name, "title"),
            (Safe(f" · level {level.number}: {level.role}" if rung.contact.name else ""), ""),
        ),
        paint.row(there(rung)),
    ]
    to_do = mend(rung, handbook)
    if not rung.contact.reachable:
        lacks = "Nobody has filled in a number of" if rung.contact.name else "Nobody has filled in"
        whom = f"{rung.contact.name}, level" if rung.contact.name else "level"
        nobody = Safe(f"{lacks} {whom} {level.number}: {level.role}")
        rows = [*_folded(nobody, "bad", width), *_folded(to_do, "", width)]
        if level.number == ladder.own:
            words = Safe(f"Level {level.number}, {level.role}: you, as long as nobody else has it.")
            rows = _folded(words, "strong", width)
        instead = ladder.next
        if instead is not None:
            then = f"Who can be called is {instead.name}, level {instead.level.number}: enter."
            rows += [paint.row(Safe("")), *_folded(Safe(then), "strong", width)]
        return [*rows, paint.row(Safe("")), *_reasons(reasons, width)]
    more = [
        *([(Safe(f"No phone number. {to_do}"), "bad")] if to_do else []),
        *_field("Slack", rung.contact.slack),
        *_field("E-mail", rung.contact.email),
        *_field("Hours", rung.contact.availability),
        *_calls(rung),
    ]
    return _with_number(rung.contact.phone, rows, more, _reasons(reasons, width), frame)


def vendor(one: Vendor, frame: Frame) -> list[Row]:
    """The card of a vendor: how to reach them, and what they will ask for."""
    rows = [paint.row((one.name, "title"))]
    if one.when:
        rows += _folded(one.when, "", frame.width)
    ready = [paint.row((Safe("Have ready:"), "strong"))] if one.have_ready else []
    ready += [row for what in one.have_ready for row in _item(what, frame.width)]
    facts = [
        *_field("Support", one.support),
        *_field("Account", one.account),
        *_field("Dashboard", one.dashboard),
        *_field("Status", one.status),
        *(part for name, value in one.facts for part in _field(name, value)),
    ]
    if one.missing:
        facts.append((Safe(f"Nobody has filled in {', '.join(one.missing)}."), "bad"))
    return _with_number(one.phone, rows, facts, ready, frame)


def dashboards(handbook: Handbook, width: int) -> list[Row]:
    """Where to look, as the handbook names it."""
    rows = [paint.row((Safe("Dashboards"), "title"))]
    return rows + [row for one in handbook.dashboards for row in _item(one, width)]


def there(rung: Rung) -> Part:
    """Whether they are there now, in words and with a sign."""
    said = f" · {rung.there}" if rung.there else ""
    match rung.answers:
        case True:
            return Safe(f"+ there now{said}"), "good"
        case False:
            return Safe(f"- not there at this hour{said}"), "warn"
        case _:
            hours = rung.contact.availability
            told = f"they say: {hours}" if hours else "nobody has said when they are there"
            return Safe(f"? {told}{said}"), "faint"


def scannable(dialled: str, *, colours: bool, inverted: bool = False) -> list[Row]:
    """The code of a number, dark on light whatever the colours of the terminal are.

    colours: whether it may have any. Without, its light modules are drawn in the colour of text,
    which is right on a dark terminal; inverted: the dark ones, for a light terminal.
    """
    modules = phone.code(dialled)
    look = "scan" if colours else ""
    ink = [[dark is (colours or inverted) for dark in row] for row in modules]
    return [paint.row((line, look)) for line in phone.halves(ink)]


def _with_number(
    number: Safe, head: list[Row], more: list[Part], below: list[Row], frame: Frame
) -> list[Row]:
    """Head and number, then the code with the rest beside it, else the rest alone."""
    dialled = phone.dials(number)
    lines = [row for part in more for row in _folded(*part, frame.width)]
    gap = paint.row(Safe(""))
    if not dialled:
        written = _folded(Safe(f"{'Phone':<9} {number}"), "strong", frame.width) if number else []
        return [*head, gap, *written, *lines, gap, *below]
    code = scannable(dialled, colours=frame.colours)
    beside = frame.width - cell_len(code[0].plain) - GAP
    narrow = [paint.row((number, "strong"))]
    narrow += [row for part in more for row in _folded(*part, beside)]
    used = len(head) + 2 + len(code) + min(len(below) + 1, 4)
    fits = beside >= LEAST_BESIDE and len(narrow) <= len(code) and used + 3 <= frame.height
    if not fits:
        used = len(head) + 2 + len(lines)
    # The number goes before what can be scrolled to.
    large = phone.large(number, frame.width, max(frame.height - used, min(5, frame.height - 6)))
    rows = [*head, gap, *(paint.row((line, "strong")) for line in large)] if large else [*head]
    if not fits:
        keys = (Safe("  y copies · Q code to scan"), "faint")
        return [*rows, paint.row((number, "strong"), keys), *lines, gap, *below]
    rows.append(gap)
    for index, scanned in enumerate(code):
        words = narrow[index].parts if index < len(narrow) else ()
        rows.append(paint.row(*scanned.parts, Safe(" " * GAP), *words))
    return [*rows, gap, *below]


def _field(name: str, value: Safe) -> list[Part]:
    return [(Safe(f"{name:<9} {value}"), "")] if value else []


def _calls(rung: Rung) -> list[Part]:
    """What was tried with them, newest first, and until when they have to answer."""
    parts: list[Part] = []
    if rung.left is not None:
        over = rung.left <= 0
        words = f"{in_words(abs(rung.left))} {'over their time' if over else 'left to answer'}"
        parts.append((Safe(words), "bad" if over else "warn"))
    for call in reversed(rung.calls):
        looks = {REACHED: "good", NO_ANSWER: "warn", LEFT_MESSAGE: "warn"}
        words = clean_line(f"{call.at:%H:%M} UTC {call.how or 'called'}")
        parts.append((words, looks.get(call.how, "")))
    return parts


def _reasons(reasons: Sequence[tuple[Criterion, bool]], width: int) -> list[Row]:
    """What speaks for calling somebody, as it was ticked."""
    ticked = [one for one, on in reasons if on]
    if not ticked:
        return (
            [paint.row((Safe("Why: nothing ticked yet. c ticks it."), "faint"))] if reasons else []
        )
    return [row for one in ticked for row in _item(one.words, width, "[x]")]


def _item(words: Safe, width: int, sign: str = "-") -> list[Row]:
    lines = paint.fold(words, width - len(sign) - 1)
    lead = [f"{sign} ", " " * (len(sign) + 1)]
    return [paint.row(Safe(f"{lead[min(n, 1)]}{line}")) for n, line in enumerate(lines)]


def _folded(words: Safe, look: str, width: int) -> list[Row]:
    return [paint.row((line, look)) for line in paint.fold(words, width)]
