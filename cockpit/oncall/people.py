"""Whom a handbook names: the levels of its ladder and the people on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cockpit.oncall.filled import could_ring, filled
from cockpit.oncall.model import Contact, Level
from cockpit.oncall.outline import Line, Part, lines, rows, tables, without_sign
from cockpit.oncall.spans import span
from cockpit.text import clean_line

AREA = re.compile(
    r"escalat|\bcontacts?\b|who (?:to|should|do) (?:call|contact|i)|\bladder\b|call ?(?:tree|list)"
    r"|\bon-?call\Z|on-?call (?:team|engineers?|rota(?:tion)?|roster|people|staff|schedule)"
    r"|\brota\b|\broster\b|ansprechpartner|eskalation|rufbereitschaft",
    re.IGNORECASE,
)
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
_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5,
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
}  # fmt: skip
_NUMBERED = re.compile(
    r"(?:\d{1,2}[.)]\s*)?(?:the\s+)?(?:(?:escalation|support|on-?call|contact)\s+)?"
    r"(?:(?:level|tier|stage|stufe|ebene|rung|line|escalation)\s*[-#]?\s*"
    r"(?P<n>[1-9](?!\d)|one|two|three|four|five|iv|i{1,3}|v)(?!\w)"
    r"|(?P<l>[LT])[- ]?(?P<ln>[1-9])(?!\w)"
    r"|(?P<th>[1-5])(?:st|nd|rd|th)[ -](?:line|level|tier|contact|escalation|on-?call|responder)\b"
    r"|(?P<word>first|second|third|fourth|fifth)[ -](?:line|level|tier|contact|escalation"
    r"|on-?call|responder)\b)"
    r"(?P<after>[\s:：–—|/.,)-]*)",
    re.IGNORECASE,
)
_LAST = re.compile(
    r"(?:\A|[→>:]|\bto\b)\s*(?:escalate to |call |page )?(?P<role>[A-Z][^()→:]{1,40}?)\s*"
    r"\((?:level|tier|L)\s?(?P<n>[1-9])\)\s*\Z",
    re.IGNORECASE,
)
"""A level at the end of a line: "Not better in 10 min → Escalate to Lead (Level 2)"."""
_NAMED = re.compile(
    r"(?:the\s+)?(?P<role>(?P<one>primary|first responder)|(?P<two>secondary|backup|back-up)"
    r"|(?P<three>tertiary))(?!\w)(?:[ -]*(?:on-?call|contact|responder|engineer|escalation)\b)*",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"\b(?:engineer(?:ing)?|manager|lead|leader|director|cto|ceo|coo|vp|head|chief|commander|owner"
    r"|architect|admin(?:istrator)?|sre|devops|ops|developer|on-?call|dba|founder|supervisor)\b",
    re.IGNORECASE,
)

_COLUMNS = {
    "phone": ("phone", "mobile", "tel"), "slack": ("slack", "chat"), "email": ("mail",),
    "respond": ("respon", "sla", "within"), "level": ("level", "tier"),
    "role": ("role", "title", "team"), "when": ("when", "criteria"), "timezone": ("zone",),
    "availability": ("avail", "hours"), "name": ("name", "contact"),
}  # fmt: skip
_KEYS = {
    "name": r"(?:full |contact )?name|contact|person|who|engineer|wer|primary contact",
    "phone": r"(?:(?:work|office|mobile|cell|primary|direct|emergency|private|personal|home|tele)"
    r"[ -]?)?(?:phone|telephone|tel|number)(?: ?(?:number|no\.?|nr\.?|#))?|mobile|cell|call|telefon"
    r"|handy|mobil|phone/sms|sms|phone / sms|call/text",
    "slack": r"slack(?: ?(?:handle|id|name|user(?:name)?|dm|channel|@))?|chat|teams|mattermost"
    r"|discord|irc|im",
    "email": r"(?:work )?e-?mail(?: address)?|mail",
    "timezone": r"time ?-?zone|tz|zeitzone|local time",
    "availability": r"availabilit(?:y|ies)|available|verfügbarkeit|(?:on-?call |working |work "
    r"|business )?hours|coverage|reachable|erreichbar|schedule",
    "role": r"role|position|job title|rolle|title|responsibility",
    "level": r"level|tier|escalation level|stufe",
    "respond": r"(?:escalation |response )?sla|(?:expected )?response(?: time| sla)?"
    r"|responds? within|respond|answers? within|reagiert in",
    "when": r"(?:when|criteria|reasons?)(?: to| for| you| we)? ?(?:escalat\w*|call|contact|use"
    r"|page|involve|self[- ]resolve|engage)?\b[^:]{0,40}|escalate (?:to|if|when|for)\b[^:]{0,40}"
    r"|escalate|trigger|call (?:for|if|when)|contact (?:for|if|when)|conditions?|use for",
}
_KEY = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in _KEYS.items()), re.IGNORECASE
)
_PAIR = re.compile(
    r"(?P<key>[^\W\d_][\w /()&'’#@.-]{0,48}?)\s*(?::(?!//)|：|=(?!=)|\s[–—-](?=\s)|\s?\|\s?"
    r"|\.{3,}|\t+|\s{3,})\s*(?P<value>.*)\Z"
)
_BETWEEN = re.compile(
    r"(?:\s*[,;|·•/]\s*|\s+[–—-]\s+|\s{2,}|\t+)(?=(?:"
    + "|".join(_KEYS[name] for name in ("name", "phone", "slack", "email", "timezone"))
    + "|"
    + _KEYS["availability"]
    + r")\s*[:=]\s*)",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_PHONE = re.compile(
    r"(?<![\w@#/.-])(?:\+|00|\()?\d[\d\s().–-]{5,22}\d(?:\s*(?:x|ext\.?)\s*\d{1,6})?(?!\w)"
)
_HANDLE = re.compile(r"(?<![\w/.+-])[@#][A-Za-z_][\w.-]{1,40}")
_WHERE = (
    "name", "phone", "slack", "email", "timezone", "availability",
)  # fmt: skip
_FIELDS = ("phone", "slack", "email")


@dataclass(slots=True)
class _Person:
    """A contact while it is read; fields are as written, also those that say nothing."""

    line: int
    said: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, text: str) -> None:
        """Keep what is said first, but not a gap where something is said later."""
        if not filled(self.said.get(key, "")):
            self.said[key] = text

    def contact(self) -> Contact:
        values = {key: value(key, text) for key, text in self.said.items() if key in _WHERE}
        missing = tuple(key for key in _WHERE if key in values and not values[key])
        name, phone, slack, email, timezone, availability = (
            clean_line(values.get(key, ""), max_chars=200) for key in _WHERE
        )
        return Contact(name, phone, slack, email, timezone, availability, self.line, missing)


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


def value(key: str, text: str) -> str:
    """What a field of a contact says; empty where nobody has filled it in."""
    said = filled(text)
    if key == "email" and said:
        found = _EMAIL.search(said)
        return found[0] if found else said
    if key == "phone" and said:
        found = _PHONE.search(said)
        return "" if found and not could_ring(found[0]) else said
    if key == "slack" and (handle := _HANDLE.search(said)):
        return handle[0]
    return said


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
        if part.under(_NEVER) or (part.under(_ELSEWHERE) and not inside and not part.under(AREA)):
            return
        area = part.under(AREA) or not part.title or inside
        started = _started(part.title, loose=area) if part.title else None
        if started and (not inside or started[0]):
            self._open(part, *started, line=part.line)
        elif self._rung is not None and _key(part.title) == "when":
            self._when = self._rung.when
        elif area and not inside and self._is_person(part):
            role = "" if not _ROLE.search(part.title) else part.title
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
        if not part.title or AREA.search(part.title):
            return False
        found = {_key(pair[0]) for line in lines(part.body) if (pair := _pair(line.text))}
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
            or (key in _FIELDS and filled(person.said.get(key, "")) and "name" not in person.said)
        )
        if person is None or taken:
            person = self._person = _Person(line)
            rung.people.append(person)
        person.put(key, text)

    def _line(self, line: Line, area: bool) -> None:
        text = without_sign(line.text)
        if not text:
            return
        if area and self._of is None and (last := _LAST.search(text)):
            self._open(None, int(last["n"]), last["role"].strip(), line=line.number)
            return
        if self._of is None:
            short = line.item or line.strong or line.code or (len(text) < 50 and text[-1] != ".")
            started = _started(text, loose=area and short)
            if started and self._opens(line, started, area):
                return
        if self._rung is None:
            return
        if self._of is not None and (found := _NAMED.match(text)):
            rest = text[found.end() :].lstrip(" :–—-")
            if rest and _any(rest):
                self._person = None
                self._free(rest, line.number)
                return
        pieces = _BETWEEN.split(text)
        if len(pieces) > 1:
            for piece in pieces:
                self._said(replace(line, text=piece), piece.strip())
            return
        self._said(line, text)

    def _opens(self, line: Line, started: tuple[int | None, str], area: bool) -> bool:
        """Begin a level that a line names; False where the line only speaks of one."""
        number, rest = started
        within = _WITHIN.search(rest)
        own, fields = _cut(rest[: within.start()].rstrip(" (,;–—-") if within else rest)
        if within and (more := _cut(rest[within.end() :].partition(":")[2].strip())[1]):
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
        pair = _pair(text)
        key = _key(pair[0]) if pair else _key(text.rstrip(":")) if text.endswith(":") else None
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
        if pair and not _any(text) and (line.item or line.code or len(pair[0].split()) < 4):
            return
        if (silent := _SILENCE.search(text)) and rung.respond is None:
            rung.respond = span(silent["said"])
            return
        within = _WITHIN.search(text)
        if within and rung.respond is None:
            rung.respond = span(text[within.end() :])
            return
        if _any(text):
            self._free(text, line.number)
        elif not line.code and not line.item and not rung.about and not rung.people:
            rung.about = text

    def _free(self, text: str, line: int) -> None:
        """A person in one line: "Anna Schmidt (+49 30 901820, @anna)"."""
        found = _parts(text)
        if found.get("name") or self._person is None:
            self._person = None
        for key in _WHERE:
            if key in found:
                self._put(key, found[key], line)

    def _table(self, table: list[tuple[int, list[str]]], area: bool) -> None:
        """Rows of people, or of the fields of one."""
        head = [_column(cell) for cell in table[0][1]]
        known = {key for key in head if key}
        about_people = known & {"phone", "slack", "email", "name"}
        if len(known) < 2 or not about_people:
            first = [_key(row[0]) for _, row in table if len(row) > 1]
            if self._rung is not None and sum(key in _WHERE for key in first) > 1:
                for number, row in table:
                    self._said(Line(": ".join(row[:2]), number), ": ".join(row[:2]))
            return
        if not area and "level" not in known:
            return
        inside = self._of is not None
        for number, row in table[1:]:
            cells = {key: cell for key, cell in zip(head, row, strict=False) if key and cell}
            level, role = cells.pop("level", ""), cells.pop("role", "")
            started = _started(level, loose=True) or _started(role, loose=True)
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
                elif key == "name" and _any(said):
                    self._free(said, number)
                elif key in _WHERE:
                    self._put(key, said, number)
        if not inside:
            self._rung = None


def _started(text: str, *, loose: bool) -> tuple[int | None, str] | None:
    """The number of a level that a heading or line begins with, and what follows.

    loose: roles without a number count, too; their number is None.
    """
    text = without_sign(text)
    if found := _NUMBERED.match(text):
        told = found["n"] or found["ln"] or found["th"] or found["word"]
        number = int(told) if told.isdecimal() else _NUMBERS[told.lower()]
        rest = text[found.end() :]
        after = found["after"].strip()
        if not after and re.match(r"[a-z]", rest):
            return None  # "Level 2 contact is called when …"
        if rest.startswith("(") and (closed := re.match(r"\(([^()]{2,60})\)\s*:?\s*", rest)):
            rest = f"{closed[1]}: {rest[closed.end() :]}" if rest[closed.end() :] else closed[1]
        return number, rest.strip()
    if not loose:
        return None
    if found := _NAMED.match(text):
        number = next(n for n, name in enumerate(("one", "two", "three"), 1) if found[name])
        rest = text[found.end() :]
        if rest and not re.match(r"\s*[:(–—|-]|\s+[A-Z]", rest):
            return None
        return number, f"{found[0].strip()}{rest}"
    own, rest_ = _cut(text)
    role = own or text
    if (
        _ROLE.search(role)
        and not AREA.search(role)
        and len(role) < 50
        and _key(role) is None
        and not role.endswith((".", "?"))
    ):
        return (None, text) if rest_ or len(role.split()) < 6 else None
    return None


def _cut(text: str) -> tuple[str, list[str]]:
    """The role that a line names, and the fields of a person behind it."""
    pair = re.match(r"([^:|]{2,60}?)\s*(?::(?!//)\s*|\s[–—|-]\s|\s*\|\s*)(.+)\Z", text)
    if pair and _key(pair[1]) is None and not _EMAIL.search(pair[1]) and not _PHONE.search(pair[1]):
        return pair[1].strip(), [pair[2].strip()]
    if _any(text):
        return "", [text]
    return text.strip(" :"), []


def _pair(text: str) -> tuple[str, str] | None:
    found = _PAIR.match(text)
    return (found["key"].strip(), found["value"].strip()) if found else None


def _key(text: str) -> str | None:
    """The field that a label means, None where it is none of a contact's."""
    label = re.sub(r"\s*\([^)]*\)\s*\Z", "", without_sign(text)).strip(" :*_")
    found = _KEY.fullmatch(label)
    return found.lastgroup if found else None


def _column(text: str) -> str | None:
    """The field that the head of a column means, where it is no label as well."""
    if re.search(r"\bescalate to\b|\bwhom\b", text, re.IGNORECASE):
        return "role"
    low = text.lower()
    return _key(text) or next(
        (key for key, told in _COLUMNS.items() if any(word in low for word in told)), None
    )


def _any(text: str) -> bool:
    """Whether a line holds a way to reach somebody."""
    return bool(_EMAIL.search(text) or _PHONE.search(text) or _HANDLE.search(text))


def _parts(text: str) -> dict[str, str]:
    """The fields of a person in a line without labels."""
    found: dict[str, str] = {}
    rest = text
    for key, pattern in (("email", _EMAIL), ("phone", _PHONE), ("slack", _HANDLE)):
        if match := pattern.search(rest):
            found[key] = match[0]
            rest = rest[: match.start()] + "\0" + rest[match.end() :]
    if told := re.search(r"\bavailab(?:le|ility)\b:?\s*(?P<when>[^()]+)", rest, re.IGNORECASE):
        found["availability"] = told["when"].strip(" \0,;|")
        rest = rest[: told.start()]
    head = re.split(r"\0", rest, maxsplit=1)[0]
    head = re.sub(
        r"(?i)[\s(,;:|–—/-]*\b(?:phone|tel|mobile|cell|slack|e-?mail|call|at|on)?\b[\s:(<]*\Z",
        "",
        head,
    )
    name = re.split(r"\s*[(,;|]\s*|\s[–—-]\s", head.strip(" ,;|–—-:("))[0].strip()
    if re.search(r"[^\W\d_]{2,}", name) and len(name) < 60 and not re.search(r"\d", name):
        found["name"] = name
    return found


def _listed(text: str) -> list[str]:
    return [each for each in (one.strip() for one in re.split(r";\s+", text)) if each]


def _numbered(found: Sequence[_Rung]) -> tuple[Level, ...]:
    """The levels in order; those that only had a role get the numbers that are left."""
    rungs = [rung for rung in found if (rung.sure and rung.number is not None) or rung.people]
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
