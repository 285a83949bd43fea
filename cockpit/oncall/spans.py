"""How long people say that something takes: "15 min", "at once", "half an hour"."""

from __future__ import annotations

import re

_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8,
    "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty-five": 45,
    "forty five": 45, "sixty": 60, "ninety": 90, "half an": 0.5, "half a": 0.5,
    "a quarter of an": 0.25,
}  # fmt: skip
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_N = (
    r"(?:\d{1,4}(?:[.,]\d{1,2})?|(?:"
    + "|".join(sorted(_WORDS, key=len, reverse=True))
    + r")(?=[\s-]))"
)
SPAN = re.compile(
    rf"(?<![\w.:/+-])(?P<low>{_N})(?:\s*(?:-|–|—|to|or|bis)\s*(?P<high>{_N}))?[\s-]*"
    r"(?:(?:business|working)[ -])?(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?|n)?"
    r"|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?|′|')\.?"
    r"(?:\s*(?P<more>\d{1,2})\s*m(?:in(?:ute)?s?)?)?(?![\w/])",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(
    r"\b(?:immediate(?:ly)?|at once|now|instant(?:ly)?|asap|right away|straight ?away|sofort)\b",
    re.IGNORECASE,
)
_EACH = re.compile(
    r"\b(?:(?P<half>half[- ]hourly)|hourly|(?:every|each|an?other|per) hour|stündlich"
    r"|(?P<day>daily|(?:every|each|per) day|täglich))\b",
    re.IGNORECASE,
)
_SOME_DAY = re.compile(
    r"\b(?:business|working|work|week) ?days?\b|\bnext (?:day|sprint|week|release)\b"
    r"|\bbest[- ]effort\b|\bwhen (?:it|something|anything|there)\b|\bon change|\bas needed\b"
    r"|\bin due course\b|\bbacklog\b|\bnone\b|\bn/?a\b|\A\W*\Z",
    re.IGNORECASE,
)


def spans(text: str) -> list[tuple[float, float, int, int]]:
    """Each time that a text names: shortest and longest in seconds, and where it stands."""
    found = []
    for match in SPAN.finditer(text):
        unit = _UNITS["m" if match["unit"] in "′'" else match["unit"][0].lower()]
        low = _number(match["low"]) * unit
        high = _number(match["high"]) * unit if match["high"] else low
        more = float(match["more"] or 0) * 60 if unit == 3600.0 else 0.0
        found.append((low + more, max(low, high) + more, match.start(), match.end()))
    for match in _EACH.finditer(text):
        unit = 86400.0 if match["day"] else 1800.0 if match["half"] else 3600.0
        found.append((unit, unit, match.start(), match.end()))
    return sorted(found, key=lambda each: each[2])


def _number(text: str) -> float:
    return _WORDS.get(text.lower()) or float(text.replace(",", ".").lower() or 0)


def span(text: str) -> float | None:
    """The first time that a text names, in seconds; of a range its end. 0.0 is at once."""
    found = spans(text)
    if (once := _AT_ONCE.search(text)) and (not found or once.start() < found[0][2]):
        return 0.0
    return found[0][1] if found else None


def is_open(text: str) -> bool:
    """Whether it says that there is no such time: next business day, when it changes."""
    return bool(_SOME_DAY.search(text))
