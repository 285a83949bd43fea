"""When somebody can be called, as people write it: "weekdays 9-18", "Mon-Fri 22:00-06:00"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cockpit.oncall.zones import Zone, zone

ALL = frozenset(range(7))
WEEKDAYS = frozenset(range(5))
DAY = 24 * 60

_DAYS = {
    "mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6,
    "mo": 0, "di": 1, "mi": 2, "do": 3, "fr": 4, "sa": 5, "so": 6, "tu": 1, "we": 2, "th": 3,
    "su": 6,
}  # fmt: skip
_DAY = (
    r"(?:mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?"
    r"|sun(?:day)?|mo|di|mi|do|fr|sa|so|tu|we|th|su)s?\.?"
)
_TIME = r"(?P<{0}>[01]?\d|2[0-4])(?:[:.h](?P<{0}m>[0-5]\d))?\s*(?P<{0}x>a\.?m\.?|p\.?m\.?|uhr|h\b)?"
_TO = r"\s*(?:-|–|—|to|until|till|bis|through|thru)\s*"
_TOKEN = re.compile(
    r"(?P<always>24\s*(?:/|x|×|h/|hours? ?/|by)\s*7|24\s*h(?:ours?|rs?)?\b(?:[ ,]*(?:a|per) day)?"
    r"(?:,? (?:7|seven) days(?: a week)?)?|always|any ?time|a?round the clock|rund um die uhr"
    r"|at all times|jederzeit|immer)"
    r"|(?P<not>\b(?:except|excluding|but not|not|no|never|ausser|außer|nicht)\b"
    r"(?: on| at| in| during)?)"
    rf"|\b(?P<d1>{_DAY})(?:{_TO}\b(?P<d2>{_DAY}))?(?![\w])"
    r"|\b(?P<weekdays>(?:week|work|working|business) ?days?|werktags|mo-fr)\b"
    r"|\b(?P<weekend>week-?ends?|wochenende)\b"
    r"|\b(?P<daily>daily|every ?day|all days|7 days(?: a week)?|täglich)\b"
    r"|\b(?P<office>(?:business|office|working|work|normal|core) (?:hours?|time)|bürozeiten)\b"
    r"|\b(?P<part>mornings?|afternoons?|evenings?|nights?|over ?night|day ?time|nachts|abends)\b"
    rf"|(?<![\d:.+])\b{_TIME.format('a')}{_TO}{_TIME.format('b')}(?![\d:])"
    rf"|\b(?P<after>after|from|ab|since)\s+{_TIME.format('c')}(?![\d:])"
    rf"|\b(?P<before>before|until|till|bis|by)\s+{_TIME.format('e')}(?![\d:])",
    re.IGNORECASE,
)
_PARTS = {
    "mo": (6 * 60, 12 * 60), "af": (12 * 60, 18 * 60), "ev": (18 * 60, 22 * 60),
    "ab": (18 * 60, 22 * 60), "ni": (22 * 60, DAY + 6 * 60), "na": (22 * 60, DAY + 6 * 60),
    "ov": (22 * 60, DAY + 6 * 60), "da": (9 * 60, 17 * 60),
}  # fmt: skip
_OFFICE = (9 * 60, 17 * 60)
_FILLS = re.compile(
    r"\b(?:only|on|at|and|und|plus|during|the|available|availability|hours?|hrs|local|time|from|uhr|in|for"
    r"|between|each|week|a|h|o'?clock|am|pm|phone|call|calls|reachable|usually)\b|[\s,;:|&+()/.–—-]",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r"\b(?:[Uu][Tt][Cc]|[Gg][Mm][Tt])\s*(?:[+−-]\s*\d{1,2}(?::?\d\d)?)?(?![\w])|\b[A-Z][a-z]+/[A-Z]\w+(?:/\w+)?"
    r"|\b(?:[A-Z]{3,4}T|ET|CT|MT|PT|CES?T|MES?Z|BST|MSK)\b"
)


@dataclass(frozen=True, slots=True)
class Hours:
    """When in a week: spans of minutes from the midnight of a day of the week, 0 is Monday.

    A span that ends after 1440 goes on into the next day. sure: every word of it was understood.
    zone: where the text names one itself.
    """

    spans: tuple[tuple[int, int, int], ...]
    without: frozenset[int] = frozenset()
    sure: bool = True
    zone: Zone | None = None

    @property
    def always(self) -> bool:
        """Whether it is the whole week, so that no time zone is needed."""
        whole = {day for day, first, last in self.spans if first <= 0 and last >= DAY}
        return whole == ALL and not self.without

    def hold(self, local: datetime) -> bool:
        """Whether a local time is within; on a day that is left out, nothing is."""
        minute, today = local.hour * 60 + local.minute, local.weekday()
        return any(
            day not in self.without
            and (
                (day == today and first <= minute < last)
                or ((day + 1) % 7 == today and first <= minute + DAY < last)
            )
            for day, first, last in self.spans
        )


@lru_cache(maxsize=256)
def hours(text: str) -> Hours | None:
    """The hours in a text; None where it says nothing that is understood."""
    said = text.strip()
    own = None
    if found := _ZONE.search(said):
        own = zone(found[0])
        said = said[: found.start()] + " " + said[found.end() :] if own else said
    said = re.sub(r"\bnoon\b|\bmittags?\b", "12:00", said, flags=re.IGNORECASE)
    said = re.sub(r"\bmidnight\b|\bmitternacht\b", "24:00", said, flags=re.IGNORECASE)
    groups: list[tuple[set[int], list[tuple[int, int]]]] = [(set(), [])]
    without: set[int] = set()
    always = negated = any_time = office = part_of_day = False
    rest, at = [], 0
    for match in _TOKEN.finditer(said):
        rest.append(said[at : match.start()])
        at = match.end()
        days = _days(match)
        if match["not"]:
            negated = True
        elif negated and days:
            without |= days
        elif match["always"]:
            always = True
        elif days or match["office"]:
            office = office or bool(match["office"])
            own_times = part_of_day and re.search(r"\b(?:and|plus|und)\b|[&+]", rest[-1])
            if groups[-1][1] and (groups[-1][0] or own_times):
                groups.append((set(), []))
            groups[-1][0].update(days or WEEKDAYS)
        elif part := _minutes(match):
            if negated:
                return None
            groups[-1][1].append(part)
            part_of_day = bool(match["part"])
            any_time = True
    rest.append(said[at:])
    left = " ".join(rest)
    if own is None and (own := zone(_FILLS.sub(" ", left))):
        left = ""
    left = _FILLS.sub("", left)
    if not always and not any(days or times for days, times in groups) and not without:
        return None
    if always or (without and not any(days or times for days, times in groups)):
        groups = [(set(ALL), [])]
    spans = tuple(
        (day, first, last)
        for days, times in groups
        if days or times
        for first, last in times or [_OFFICE if office and not any_time else (0, DAY)]
        for day in sorted(days or ALL)
    )
    conditional = re.search(
        r"emergenc|notfall|pager|if |when |unless|best.effort", left + said, re.I
    )
    return Hours(spans, frozenset(without), not left.strip() and not conditional, own)


def _days(match: re.Match[str]) -> frozenset[int]:
    if match["weekdays"]:
        return WEEKDAYS
    if match["weekend"]:
        return frozenset({5, 6})
    if match["daily"]:
        return ALL
    if not match["d1"]:
        return frozenset()
    first = _day(match["d1"])
    last = _day(match["d2"]) if match["d2"] else first
    return frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))


def _day(text: str) -> int:
    low = text.lower().strip(".")
    return _DAYS.get(low[:3], _DAYS.get(low[:2], 0)) if len(low) > 2 else _DAYS[low]


def _minutes(match: re.Match[str]) -> tuple[int, int] | None:
    """First and last minute of a day that a token names; the last is above 1440 over midnight."""
    if match["part"]:
        return _PARTS[match["part"].lower()[:2]]
    if match["after"]:
        return _clock(match, "c"), DAY
    if match["before"]:
        return 0, _clock(match, "e")
    if match["a"] is None:
        return None
    first, last = _clock(match, "a"), _clock(match, "b")
    half_a, half_b = (match["ax"] or "").lower()[:1], (match["bx"] or "").lower()[:1]
    if half_b == "p" and half_a not in ("a", "p") and first < 12 * 60 and first + 12 * 60 < last:
        first += 12 * 60 if int(match["a"]) < 7 else 0  # "6-10 pm", but "9-5 pm"
    written_short = not (match["am"] or match["bm"] or match["a"].startswith("0"))
    if (
        written_short
        and half_b not in ("a", "p")
        and 6 * 60 <= first < 12 * 60
        and last <= min(first, 8 * 60)
        and last > 0
    ):
        last += 12 * 60  # "9-5"
    return first, last if last > first else last + DAY


def _clock(match: re.Match[str], name: str) -> int:
    hour, minute = int(match[name]), int(match[f"{name}m"] or 0)
    half = (match[f"{name}x"] or "").lower()[:1]
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    return hour * 60 + minute
