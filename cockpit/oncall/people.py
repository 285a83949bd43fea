"""Whom a handbook names: the levels of its ladder and the people on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cockpit.oncall import oneline
from cockpit.oncall.filled import filled
from cockpit.oncall.model import Contact, Level, Unfilled
from cockpit.oncall.outline import Line, Part, lines, rows, tables, without_sign
from cockpit.oncall.spans import span
from cockpit.text import clean_line

_ELSEWHERE = re.compile(
    r"template|messages?\b|vendor|third[- ]part|external|provider|supplier|severit|priorit|report"
    r"|checklist|pitfall|mistake|command|workflow|glossary|template|\bsla\b|dashboards?",
    re.IGNORECASE,
)
_NEVER = re.compile(r"vendor|third[- ]part|external|supplier|template|severit", re.IGNORECASE)
_WITHIN = re.compile(
    r"\b(?:respon\w+|answers?|reacts?|reagiert) (?:within|in|innerhalb)\b", re.IGNORECASE
)
_SILENCE = re.compile(
    r"\((?P<said>\d+[^()]{1,12}?) (?:no (?:response|answer)|without an answer)", re.IGNORECASE
)


@dataclass(slots=True)
class _Person:
    """A contact while it is read; fields are as written, also those that say nothing."""

    line: int
    said: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def put(self, key: str, text: str, line: int) -> None:
        """Keep what is said first, but not a gap where something is said later."""
        if not filled(self.said.get(key, "")):
            self.said[key] = text
            self.lines[key] = line

    def contact(self) -> Contact:
        values = {
            key: oneline.value(key, text) for key, text in self.said.items() if key in oneline.WHERE
        }
        missing = tuple(key for key in oneline.WHERE if key in values and not values[key])
        name, phone, slack, email, timezone, availability = (
            clean_line(values.get(key, ""), max_chars=200) for key in oneline.WHERE
        )
        unfilled = tuple(
            Unfilled(key, self.lines[key], clean_line(self.said[key], max_chars=200))
            for key in missing
        )
        return Contact(
            name, phone, slack, email, timezone, availability, self.line, missing, unfilled
        )


@dataclass(slots=True)
class _Rung:
    """A level while it is read."""

    number: int | None
    role: str
    line: int
    people: list[_Person] = field(default_factory=list)
    about: str = ""
    when: list[str] = field(default_factory=list)
    respond: float | None = None
    sure: bool = True
    """False where it may have been some other list, unless it names people."""


def levels(parts: Sequence[Part]) -> tuple[Level, ...]:
    """The ladder of a handbook, lowest level first."""
    reader = _Reader()
    for part in parts:
        reader.part(part)
    return _numbered(reader.rungs)


class _Reader:
    """Goes through the parts of a file and keeps the level that is spoken of."""

    def __init__(self) -> None:
        self.rungs: list[_Rung] = []
        self._rung: _Rung | None = None
        self._of: Part | None = None
        self._when: list[str] | None = None
        self._person: _Person | None = None

    def part(self, part: Part) -> None:
        """One heading, with its body."""
        if not any(self._of is each for each in part.chain()):
            self._rung = self._of = None
        self._when = self._person = None
        inside = self._rung is not None
        if part.under(_NEVER) or (
            part.under(_ELSEWHERE) and not inside and not part.under(oneline.AREA)
        ):
            return
        area = part.under(oneline.AREA) or not part.title or inside
        started = oneline.started(part.title, loose=area) if part.title else None
        if started and (not inside or started[0]):
            self._open(part, *started, line=part.line)
        elif self._rung is not None and oneline.field(part.title) == "when":
            self._when = self._rung.when
        elif area and not inside and self._is_person(part):
            role = "" if not oneline.ROLE.search(part.title) else part.title
            self._open(part, None, role, line=part.line)
            if not role:
                self._put("name", part.title, part.line)
        for table in tables(part.body):
            self._table(rows(table), area)
        for line in lines(part.body):
            self._line(line, area)
        if self._of is None:
            self._rung = None

    def _is_person(self, part: Part) -> bool:
        """Whether a heading names somebody, and what is below it says how to reach them."""
        if not part.title or oneline.AREA.search(part.title):
            return False
        found = {
            oneline.field(pair[0]) for line in lines(part.body) if (pair := oneline.pair(line.text))
        }
        return len(found & {"phone", "slack", "email", "name", "timezone"}) > 1

    def _open(
        self, part: Part | None, number: int | None, role: str, *, line: int, sure: bool = True
    ) -> _Rung:
        same = [rung for rung in self.rungs if number is not None and rung.number == number]
        if same:
            rung = same[0]
            rung.role = rung.role or role
        else:
            rung = _Rung(number, role, line, sure=sure)
            self.rungs.append(rung)
        self._rung, self._when, self._person = rung, None, None
        if part is not None:
            self._of = part
        return rung

    def _put(self, key: str, text: str, line: int) -> None:
        rung = self._rung
        if rung is None:
            return
        person = self._person
        taken = person is not None and (
            (key == "name" and "name" in person.said)
            or (
                key in oneline.FIELDS
                and filled(person.said.get(key, ""))
                and "name" not in person.said
            )
        )
        if person is None or taken:
            person = self._person = _Person(line)
            rung.people.append(person)
        person.put(key, text, line)

    def _line(self, line: Line, area: bool) -> None:
        text = without_sign(line.text)
        if not text:
            return
        if area and self._of is None and (last := oneline.LAST.search(text)):
            self._open(None, int(last["n"]), last["role"].strip(), line=line.number)
            return
        if self._of is None:
            short = line.item or line.strong or line.code or (len(text) < 50 and text[-1] != ".")
            started = oneline.started(text, loose=area and short)
            if started and self._opens(line, started, area):
                return
        if self._rung is None:
            return
        if self._of is not None and (found := oneline.NAMED.match(text)):
            rest = text[found.end() :].lstrip(" :–—-")
            if rest and oneline.reaches(rest):
                self._person = None
                self._free(rest, line.number)
                return
        pieces = oneline.BETWEEN.split(text)
        if len(pieces) > 1:
            for piece in pieces:
                self._said(replace(line, text=piece), piece.strip())
            return
        self._said(line, text)

    def _opens(self, line: Line, started: tuple[int | None, str], area: bool) -> bool:
        """Begin a level that a line names; False where the line only speaks of one."""
        number, rest = started
        within = _WITHIN.search(rest)
        own, fields = oneline.cut(rest[: within.start()].rstrip(" (,;–—-") if within else rest)
        if within and (more := oneline.cut(rest[within.end() :].partition(":")[2].strip())[1]):
            fields = more
        if not fields and not line.item and not line.strong and (number is None or not area):
            return False
        rung = self._open(None, number, own, line=line.number, sure=area)
        if within and rung.respond is None:
            rung.respond = span(rest[within.end() :])
        for piece in fields:
            self._said(replace(line, text=piece, item=False), piece)
        return True

    def _said(self, line: Line, text: str) -> None:
        rung = self._rung
        if rung is None:
            return
        pair = oneline.pair(text)
        key = (
            oneline.field(pair[0])
            if pair
            else oneline.field(text.rstrip(":"))
            if text.endswith(":")
            else None
        )
        if key is not None:
            said = pair[1] if pair else ""
            self._when = None
            match key:
                case "respond":
                    rung.respond = span(said) if rung.respond is None else rung.respond
                case "when":
                    self._when = rung.when
                    if filled(said):
                        rung.when += _listed(said)
                case "role":
                    rung.role = rung.role or filled(said)
                case "level":
                    if found := re.search(r"[1-9]", said):
                        rung.number = int(found[0])
                case _:
                    self._put(key, said, line.number)
            return
        if self._when is not None and line.item:
            self._when.append(text)
            return
        if text.endswith(":"):
            self._when = None
            return
        if (
            pair
            and not oneline.reaches(text)
            and (line.item or line.code or len(pair[0].split()) < 4)
        ):
            return
        if (silent := _SILENCE.search(text)) and rung.respond is None:
            rung.respond = span(silent["said"])
            return
        within = _WITHIN.search(text)
        if within and rung.respond is None:
            rung.respond = span(text[within.end() :])
            return
        if oneline.reaches(text):
            self._free(text, line.number)
        elif not line.code and not line.item and not rung.about and not rung.people:
            rung.about = text

    def _free(self, text: str, line: int) -> None:
        """A person in one line: "Anna Schmidt (+49 30 901820, @anna)"."""
        found = oneline.parts(text)
        if found.get("name") or self._person is None:
            self._person = None
        for key in oneline.WHERE:
            if key in found:
                self._put(key, found[key], line)

    def _table(self, table: list[tuple[int, list[str]]], area: bool) -> None:
        """Rows of people, or of the fields of one."""
        head = [oneline.column(cell) for cell in table[0][1]]
        known = {key for key in head if key}
        about_people = known & {"phone", "slack", "email", "name"}
        if len(known) < 2 or not about_people:
            first = [oneline.field(row[0]) for _, row in table if len(row) > 1]
            if self._rung is not None and sum(key in oneline.WHERE for key in first) > 1:
                for number, row in table:
                    self._said(Line(": ".join(row[:2]), number), ": ".join(row[:2]))
            return
        if not area and "level" not in known:
            return
        inside = self._of is not None
        for number, row in table[1:]:
            cells = {key: cell for key, cell in zip(head, row, strict=False) if key and cell}
            level, role = cells.pop("level", ""), cells.pop("role", "")
            started = oneline.started(level, loose=True) or oneline.started(role, loose=True)
            digit = re.fullmatch(r"\W*([1-9])\W*(?P<rest>[^\d]*)", level)
            if digit:
                started = int(digit[1]), role or digit["rest"].strip()
            if not inside:
                told = started or (None, role or level)
                rung = self._open(None, told[0], role or told[1], line=number)
                rung.role = rung.role or role
            self._person = None
            for key, said in cells.items():
                if key == "respond" and self._rung:
                    self._rung.respond = span(said)
                elif key == "when" and self._rung:
                    self._rung.when += _listed(said)
                elif key == "name" and oneline.reaches(said):
                    self._free(said, number)
                elif key in oneline.WHERE:
                    self._put(key, said, number)
        if not inside:
            self._rung = None


def _listed(text: str) -> list[str]:
    return [each for each in (one.strip() for one in re.split(r";\s+", text)) if each]


def _numbered(found: Sequence[_Rung]) -> tuple[Level, ...]:
    """The levels in order; those that only had a role get the numbers that are left."""
    rungs = [rung for rung in found if (rung.sure and rung.number is not None) or rung.people]
    if any(rung.number == 0 for rung in rungs):
        # Nobody is called at level 0: the first is 1, and all keep the name that people say.
        rungs = [
            rung
            if rung.number is None
            else replace(rung, number=rung.number + 1, role=f"{rung.role} (L{rung.number})".strip())
            for rung in rungs
        ]
    used = {rung.number for rung in rungs if rung.number is not None}
    number = 0
    told: dict[int, list[_Rung]] = {}
    for rung in rungs:
        if rung.number is None:
            same = next(
                (n for n, others in told.items() if rung.role and others[0].role == rung.role), None
            )
            if same is None:
                number += 1
                while number in used:
                    number += 1
                used.add(number)
                same = number
            told.setdefault(same, []).append(rung)
        else:
            number = max(number, rung.number)
            told.setdefault(rung.number, []).append(rung)
    return tuple(_level(number, rungs) for number, rungs in sorted(told.items()))


def _level(number: int, rungs: Sequence[_Rung]) -> Level:
    role = next((rung.role for rung in rungs if rung.role), "")
    return Level(
        number,
        clean_line(
            re.sub(r"\s*\(you\)", "", role, flags=re.IGNORECASE).strip(" :") or f"Level {number}"
        ),
        tuple(person.contact() for rung in rungs for person in rung.people),
        clean_line(next((rung.about for rung in rungs if rung.about), "")),
        tuple(clean_line(text) for rung in rungs for text in rung.when if filled(text)),
        next((rung.respond for rung in rungs if rung.respond is not None), None),
        rungs[0].line,
    )
