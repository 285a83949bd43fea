"""The times that a handbook sets, from its tables and its sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cockpit.incident.clocks import PACES, Pace, Rules
from cockpit.incident.events import Severity
from cockpit.oncall import vendors
from cockpit.oncall.model import Level, Oddity
from cockpit.oncall.outline import Line, Part, lines, rows, sentences, tables, without_sign
from cockpit.oncall.spans import SPAN, is_open, span, spans
from cockpit.text import Safe, clean_line

_SEVERITY = re.compile(
    r"(?<![\w/.])(?:P(?P<p>[0-5])|(?:SEV(?:ERITY)?(?: level)?|PRIO(?:RITY)?|S)[ -]?#?(?P<s>[0-5]))"
    r"(?!\w|\.\d)"
    r"|\b(?P<word>critical|blocker|highest|high|major|medium|moderate|low|minor)\b",
    re.IGNORECASE,
)
_WORDS = {
    "critical": 0, "blocker": 0, "highest": 0, "high": 1, "major": 1, "medium": 2, "moderate": 2,
    "low": 3, "minor": 3,
}  # fmt: skip
_AREA = re.compile(
    r"severit|priorit|\bsla\b|response times?|incident levels?|\bsev\b|dringlichkeit", re.IGNORECASE
)
_NOT_HERE = re.compile(
    r"template|shift report|quick command|command reference|file locations", re.IGNORECASE
)
_UPDATE = re.compile(
    r"\bupdat\w*|\bstatus (?:post|message)s?\b|\bcommunicat\w*|\bpost\b", re.IGNORECASE
)
_EVERY = re.compile(
    r"\b(?:every|each|alle|per)\b|\bat least\b|\bcadence\b|\binterval\b", re.IGNORECASE
)
_STUCK = re.compile(
    r"\bfail|\bnot\b|n['’]t\b|\bunresolved|\bno (?:progress|luck|fix|improvement)|\bstuck\b"
    r"|\bstill\b|\bpersist|\bongoing\b|\bwithout (?:progress|success|a fix)|\balone\b|\bexceed"
    r"|\blonger than\b|\bmore than\b|\bafter\b",
    re.IGNORECASE,
)
_ESCALATE = re.compile(
    r"escalat|ask for help|call (?:for help|level|the next)|page (?:the )?(?:secondary|backup|next)"
    r"|eskalier",
    re.IGNORECASE,
)
_LONG = re.compile(
    r"extended|outage|\bdown\b|last(?:s|ing)\b|longer|exceed|more than|over\b|>|prolonged",
    re.IGNORECASE,
)
_LEVEL = re.compile(r"\b(?:level|tier|l)[ -]?([1-9])\b", re.IGNORECASE)
_BARE = re.compile(
    r"(?<![\w.:-])(\d{1,3})(?=\s*(?:\(|on\b|for\b|bei\b|in\b)\s*(?:an?\s+)?(?:P|SEV)\d)",
    re.IGNORECASE,
)
_SILENT = re.compile(
    r"\brespond|\bresponse\b|\banswer|\bsla\b|unresponsive|n['’]t ack"
    r"|\b(?:no|not|nobody|without|un)[ -]?ack",
    re.IGNORECASE,
)
"""What is said of people who do not answer, or should: not of a recovery that does not work."""
_ABOUT = re.compile(
    r"\b(?:impact|description|definition)\W{1,4}(?P<said>.+)"
    r"|\A\W*\w+(?:[ -]?\d)?(?:\s*\([^)]*\))?(?:\s[–—-]|:)\s(?P<after>[^.;]+)",
    re.IGNORECASE,
)
_COLUMNS = (
    ("severity", r"severity|priority|\bsev\b|\bprio\b|^level$|^p$|^class|dringlichkeit"),
    ("update", r"updat|communicat|cadence|status|notify"),
    ("escalate", r"escalat"),
    ("acknowledge", r"acknowledg|^ack|time to ack|\bmtta\b"),
    ("respond", r"respon|react|sla|time to (?:respond|start)|target|reaktion"),
    ("about", r"impact|descri|definition|mean|criteria|what|example|condition|scope|beschreib"),
)  # fmt: skip


@dataclass(slots=True)
class _Said:
    """What was found of each severity; a table says it first, then a sentence that names it."""

    respond: dict[Severity, float | None] = field(default_factory=dict)
    update: dict[Severity, float | None] = field(default_factory=dict)
    escalate: dict[Severity, float | None] = field(default_factory=dict)
    about: dict[Severity, Safe] = field(default_factory=dict)
    acknowledge: float | None = None
    breath: float | None = None
    top: tuple[int, float] | None = None
    everyone: dict[str, float] = field(default_factory=dict)
    """What a sentence says without naming a severity."""
    oddities: list[Oddity] = field(default_factory=list)


def rules(parts: Sequence[Part], levels: Sequence[Level]) -> tuple[Rules, tuple[Oddity, ...]]:
    """The rules of a handbook, the usual ones where it says nothing."""
    said = _Said()
    said_by = [part for part in parts if not (part.under(_NOT_HERE) or part.under(vendors.AREA))]
    zero = any(
        found["s"] == "0"
        for part in said_by
        for text in _all_text(part)
        for found in _SEVERITY.finditer(text)
    )
    for part in said_by:
        for table in tables(part.body):
            _table(said, rows(table), zero)
    for part in said_by:
        _sentences(said, part, zero, max((level.number for level in levels), default=0))
    usual = Rules()
    paces = {severity: _pace(said, severity) for severity in Severity}
    ladder = {level.number: level.respond for level in levels if level.respond is not None}
    top = max((level.number for level in levels), default=usual.top_level)
    number, after = said.top or (top, usual.top_after)
    made = Rules(
        acknowledge=said.acknowledge or usual.acknowledge,
        paces=MappingProxyType(paces),
        ladder=MappingProxyType(ladder),
        top_level=number,
        top_after=after,
        breath=usual.breath if said.breath is None else said.breath,
    )
    return made, tuple(said.oddities)


def _all_text(part: Part) -> Iterator[str]:
    yield part.title
    yield from (line.text for line in lines(part.body))
    for table in tables(part.body):
        yield from (cell for _, row in rows(table) for cell in row)


def _pace(said: _Said, severity: Severity) -> Pace:
    pace = PACES[severity]
    worse = severity in (Severity.P0, Severity.P1)

    def told(
        key: str, by_name: Mapping[Severity, float | None], usual: float | None
    ) -> float | None:
        if severity in by_name:
            return by_name[severity]
        return said.everyone.get(key, usual) if worse else usual

    return Pace(
        told("respond", said.respond, pace.respond),
        told("update", said.update, pace.update),
        told("escalate", said.escalate, pace.escalate),
        said.about.get(severity, pace.about),
    )


def _severities(text: str, zero: bool, words: bool = True) -> list[tuple[Severity, int]]:
    """The severities that a text names, with where they stand.

    zero: the handbook counts from 0. `P1` is P1 all the same; only SEV1 is the worst where there
    is no SEV0.
    """
    found = []
    for match in _SEVERITY.finditer(text):
        if match["p"]:
            number = int(match["p"])
        elif match["s"]:
            number = int(match["s"]) - (0 if zero else 1)
        elif words:
            number = _WORDS[match["word"].lower()]
        else:
            continue
        if 0 <= number < len(Severity):
            found.append((tuple(Severity)[number], match.start()))
    return found


def _table(said: _Said, table: list[tuple[int, list[str]]], zero: bool) -> None:
    head = [_column(cell) for cell in table[0][1]]
    if "severity" not in head or not {"respond", "update", "about"} & {*head}:
        return
    for number, row in table[1:]:
        cells: dict[str, str] = {}
        for key, cell in zip(head, row, strict=False):
            if key:
                cells.setdefault(key, cell)
        named = _severities(cells.get("severity", ""), zero)
        if not named:
            plain = re.fullmatch(r"\W*([1-4])\W*", cells.get("severity", ""))
            named = [(tuple(Severity)[int(plain[1]) - 1], 0)] if plain else []
        for severity, _ in named[:1]:
            for key, told in (
                ("respond", said.respond), ("update", said.update), ("escalate", said.escalate),
            ):  # fmt: skip
                if key in cells and severity not in told:
                    _time(said, told, severity, cells[key], number)
            if cells.get("about") and severity not in said.about:
                said.about[severity] = clean_line(cells["about"])
            if (ack := span(cells.get("acknowledge", ""))) and said.acknowledge is None:
                said.acknowledge = ack


def _column(text: str) -> str | None:
    low = text.lower()
    return next((key for key, pattern in _COLUMNS if re.search(pattern, low)), None)


def _time(
    said: _Said, told: dict[Severity, float | None], severity: Severity, text: str, line: int
) -> None:
    seconds = span(text)
    if seconds == 0.0 and told is said.update:
        # "Immediately, then every 15 min": what comes once is not how often it comes.
        seconds = next((high for _, high, *_ in spans(text) if high), None)
    bare = re.fullmatch(r"\W*(\d{1,3})\W*", text)
    if seconds is not None and not (re.search(r"business day", text, re.IGNORECASE)):
        told[severity] = seconds
    elif bare:
        told[severity] = float(bare[1]) * 60
    elif is_open(text):
        told[severity] = None
    else:
        what = f"“{text}” is no time that cockpit understands; the usual one holds"
        said.oddities.append(Oddity(line, clean_line(what, max_chars=200)))


def _sentences(said: _Said, part: Part, zero: bool, top: int) -> None:
    level = next(
        (int(found[1]) for each in part.sections() if (found := _LEVEL.search(each.title))), 0
    )
    area = part.under(_AREA)
    escalating = part.under(_ESCALATE)
    context = ""
    whole = [Line(part.title, part.line)] if part.title else []
    below = _starts(part.title, zero)
    of_title, depth = below, 0
    taken: set[int] = set()
    for line in (*whole, *lines(part.body)) if area else ():
        if line.depth <= depth:
            below = of_title
        own = _starts(line.text, zero)
        if own is not None:
            below, depth = own, line.depth
        if below is not None:
            taken.add(line.number)
            _headed(said, below, line, own is not None and line not in whole)
    texts = [*((line, line.text) for line in whole), *sentences(part.body)]
    for line, text in texts:
        if text.endswith(":"):
            context = text
        own = _starts(text, zero)
        if own is not None and re.search(r"\brespon", context, re.IGNORECASE):
            if span(text) is not None:
                _time(said, said.respond, own, text, line.number)
        elif line.number not in taken:
            told = escalating or bool(_ESCALATE.search(context))
            _sentence(said, text, zero, level, top, told, general=of_title in (None, Severity.P0))
    _breath(said, [text for _, text in texts])


def _starts(text: str, zero: bool) -> Severity | None:
    """The severity that a line begins with."""
    found = _severities(without_sign(text)[:24], zero)
    return found[0][0] if found and found[0][1] < 3 else None


def _sentence(
    said: _Said, text: str, zero: bool, level: int, top: int, escalating: bool, *, general: bool
) -> None:
    times = spans(text)
    if not times:
        return
    ack = re.search(r"\back(?:nowledg\w*)?\b", text, re.IGNORECASE)
    if ack and _SILENT.search(text):
        return
    if (
        ack
        and general
        and said.acknowledge is None
        and times[0][1] <= 3600
        and re.search(r"\b(?:within|in|under|<|innerhalb)\b", text, re.IGNORECASE)
    ):
        said.acknowledge = times[0][1]
        return
    if _UPDATE.search(text) and _EVERY.search(text):
        _by_severity(said.update, said.everyone, "update", text, zero)
        return
    mentioned = _LEVEL.search(text)
    called = int(mentioned[1]) if mentioned else level
    if _LONG.search(text) and times[0][0] >= 3600 and called and called == max(top, called):
        if said.top is None:
            said.top = (called, times[0][0])
        return
    low, high, *_ = times[0]
    if (
        (escalating or _ESCALATE.search(text))
        and _STUCK.search(text)
        and level < 3
        and low <= 4 * 3600
        and not _SILENT.search(text)
    ):
        if high > low:
            said.escalate.setdefault(Severity.P0, low)
            said.escalate.setdefault(Severity.P1, high)
        else:
            _by_severity(said.escalate, said.everyone, "escalate", text, zero)


def _by_severity(
    told: dict[Severity, float | None],
    everyone: dict[str, float],
    key: str,
    text: str,
    zero: bool,
) -> None:
    """Pair times with severities: "15 minutes on P0, 30 on P1"; "P0: every 15 min"."""
    times = [(start, high) for _, high, start, _ in spans(text)]
    unit = SPAN.search(text)
    for bare in _BARE.finditer(text):
        if unit and not any(start == bare.start() for start, _ in times):
            last = spans(f"{bare[1]} {unit['unit']}")
            times.append((bare.start(), last[0][1]))
    named = [(at, severity) for severity, at in _severities(text, zero, words=False)]
    if not named:
        if times:
            everyone.setdefault(key, times[0][1])
        return
    marks: list[tuple[int, float | Severity]] = sorted([*times, *named], key=lambda mark: mark[0])
    before = isinstance(marks[0][1], Severity)
    waiting: list[Severity] = []
    current: float | None = None
    for _, mark in marks:
        if isinstance(mark, Severity):
            if before:
                waiting.append(mark)
            elif current is not None:
                told.setdefault(mark, current)
        elif before:
            for severity in waiting:
                told.setdefault(severity, mark)
            waiting = []
        else:
            current = mark


def _headed(said: _Said, severity: Severity, line: Line, starts: bool) -> None:
    """What a line says of a severity that it begins with, or that it stands below."""
    text = line.text
    found = re.search(
        r"respon\w*(?: time| within| in)?\W{0,4}(?P<said>[^;.|]*)", text, re.IGNORECASE
    )
    if (
        found
        and severity not in said.respond
        and (span(found["said"]) is not None or is_open(found["said"]))
    ):
        _time(said, said.respond, severity, found["said"], line.number)
    found = re.search(r"updat\w*\W{0,4}(?P<said>[^;.|]*)", text, re.IGNORECASE)
    if found and severity not in said.update and span(found["said"]) is not None:
        _time(said, said.update, severity, found["said"], line.number)
    found = _ABOUT.search(text)
    about = (found["said"] or (found["after"] if starts else "")) if found else ""
    if about and severity not in said.about:
        said.about[severity] = clean_line(about)


def _breath(said: _Said, texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        if said.breath is None and re.search(r"\bbreath", text, re.IGNORECASE):
            found = [low for low, *_ in spans(" ".join(texts[number : number + 2])) if low <= 300]
            said.breath = found[0] if found else None
