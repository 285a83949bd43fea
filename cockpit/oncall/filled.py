"""Whether a value was filled in, or is still what the template said."""

from __future__ import annotations

import re

_TOLD = (
    r"UPDATE (?:THIS|ME|BEFORE|WITH)[^)\]]*|CHANGE[ _-]?ME|REPLACE[ _-]?(?:ME|THIS|WITH)[^)\]]*"
    r"|FILL[ _-]?(?:THIS |ME )?IN[^)\]]*|FILL[ _-]ME|INSERT [A-Z][^)\]]*"
)
_MARK = re.compile(rf"[(\[]?\s*(?:⚠️?\s*)?\b(?:{_TOLD})[!.]*\s*[)\]]?")
_WORDS = re.compile(
    r"(?:to be (?:\w+ )?(?:filled|determined|decided|defined|added|announced|confirmed)(?: in)?"
    r"|tbd|tbc|tba|todo|fixme|placeholder|changeme|unknown|pending|none(?: yet)?|n/?a|nobody|vacant"
    r"|(?:not|nothing) (?:yet )?(?:filled in|set|known|assigned)|x{2,}|\?+"
    r"|(?:your|enter|insert|add|first|last|full|their|the)[ _-]?(?:\w+[ _-]?){0,2}"
    r"(?:name|phone|number|e-?mail|handle|here|url|id|zone)"
    r"|first ?name,? last ?name|first last|name|phone|phone ?number|e-?mail(?: address)?|slack"
    r"|slack handle|time ?zone|availability|url|account(?: id)?|number|handle|username)[\s!.:]*",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"<(?![\w.+-]+@|https?:)[^<>]*>|\[[^\]]*\](?!\()|\{[^}]*\}|\{\{[^}]*\}\}|\$\{?[A-Z_]+\}?"
    r"|[@#](?:_+|x{2,}|\.+|name|user ?name|handle|slack|someone|you(?:r[\w-]*)?|channel|tbd|todo"
    r"|user|engineer|<[^>]*>|\[[^\]]*\]|\{[^}]*\})",
    re.IGNORECASE,
)
_INSIDE = re.compile(
    r"_{3,}|(?<!\w)[\[<{]your[ _-]|(?<![a-z])your[_-](?:org|company|domain|team|app|name|project)"
    r"|\b(?:example\.(?:com|org|net|io|edu|de)|example|invalid)\b(?=[\s/:?>)]|\Z)"
    r"|@(?:your[\w-]*|company|domain|email|test)\.\w+|//(?:your|[A-Z]+_)[\w-]*"
    r"|//[^/\s]*[\[<{]|//[^\s]*[\[<{]your"
    r"|(?<![a-z0-9])(?:x{3,}|X{2,}[ .-]X{2,})(?![a-z0-9])",
    re.IGNORECASE,
)
_EXAMPLE_HOST = re.compile(r"(?:@|//|\.|\A)(?:example|invalid)\b", re.IGNORECASE)
_EXAMPLES = re.compile(r"example|invalid|@(?:company|domain|email|test)\.", re.IGNORECASE)
_PHONE = re.compile(r"\+?[\d\s().x/–-]{7,}\Z")
_ZEROS = re.compile(r"(?:0\W*){7,}\Z|(?<!\d)(?:0\W*){6,}\Z")
_COUNTED = re.compile(r"12345678?(?:9|90)?|0?123456789")
_NOBODY = re.compile(r"(?:max|erika) mustermann|j(?:oh?n|ane) doe", re.IGNORECASE)

BOX = re.compile(
    r"(?P<on>[☑☒✅✔✓■◉]️?|\[\s*[xX✓✔]\s*\]|\(\s*[xX]\s*\))|(?P<off>[□☐▢◻⬜○]|\[\s?\]|\(\s?\))"
)
"""A box to tick; `on` where it is ticked."""


def filled(text: str) -> str:
    """The value that stands in a text; empty where it is still a placeholder.

    Boxes to tick give what is ticked. A mark such as `(UPDATE THIS!)` beside a value is left out.
    """
    text = text.strip()
    if BOX.search(text) and (told := ticked(text)) is not None:
        return filled(told) if told else ""
    value = _MARK.sub("", text).strip(" \t,;|")
    if not re.search(r"[^\W_]", value) or value in ("x", "X"):
        return ""
    if _WORDS.fullmatch(value) or _WHOLE.fullmatch(value):
        return ""
    if (found := _INSIDE.search(value)) and _no_word(found[0], value):
        return ""
    return "" if _PHONE.match(value) and not could_ring(value) else value


def example(text: str) -> bool:
    """Whether what stands where no value does is what forms are explained with.

    That is `ana@example.com` or (555) 555-0134: no empty line, and nobody's.
    """
    value = _MARK.sub("", text).strip(" \t,;|")
    if nobody(value):
        return True
    if _WORDS.fullmatch(value) or _WHOLE.fullmatch(value):
        return False
    if found := _INSIDE.search(value):
        return bool(_EXAMPLES.search(found[0]))
    return sum(char.isdecimal() for char in value) >= 7


def _no_word(found: str, value: str) -> bool:
    """Whether what looks like a placeholder is one: "For example" in a sentence is not."""
    return "example" not in found.lower() or bool("." in found or _EXAMPLE_HOST.search(value))


def could_ring(text: str) -> bool:
    """Whether a number may be somebody's: False only where it is surely an example."""
    number = _plain(text)
    digits = re.sub(r"\D", "", number)
    home = _home(number, digits)
    fictional = (len(home) == 7 and home.startswith("55501")) or (
        len(home) == 10 and home[3:8] == "55501" and home[0] not in "01"
    )
    counted = _COUNTED.fullmatch(digits) or _COUNTED.fullmatch(home)
    return not (
        len(set(digits)) < 2 or len(set(home)) == 1 or counted or fictional or _ZEROS.search(number)
    )


def made_up(text: str) -> bool:
    """Whether a number that somebody wrote looks as if nobody had it."""
    number = _plain(text)
    digits = re.sub(r"\D", "", number)
    home = _home(number, digits)
    film = (len(home) == 7 and home.startswith("555")) or (
        len(home) == 10 and home[3:6] == "555" and home[0] not in "01"
    )
    same = re.search(r"(\d)\1{5}\Z", digits) or len(set(digits)) < 3
    return bool(film or same or "1234567" in digits)


def nobody(name: str) -> bool:
    """Whether a name is one that forms are explained with."""
    return bool(_NOBODY.fullmatch(" ".join(name.split())))


def _plain(text: str) -> str:
    return re.sub(r"(?:x|ext).*", "", text.strip(), flags=re.IGNORECASE)


def _home(number: str, digits: str) -> str:
    """A number of North America without its country's code; empty for one of another country."""
    if number.startswith("+") and not digits.startswith("1"):
        return ""
    return digits[1:] if digits.startswith("1") and len(digits) in (8, 11) else digits


def ticked(text: str) -> str | None:
    """What is ticked of boxes in a line, with commas; None where it has no boxes."""
    boxes = list(BOX.finditer(text))
    if not boxes:
        return None
    ends = [box.start() for box in boxes[1:]] + [len(text)]
    before = text[: boxes[0].start()].strip(" ,;|")
    if before:  # the box stands behind what it ticks: "24/7 [x]  business hours [ ]"
        starts = [0] + [box.end() for box in boxes[:-1]]
        told = [
            text[start : box.start()] for start, box in zip(starts, boxes, strict=True) if box["on"]
        ]
    else:
        told = [text[box.end() : end] for box, end in zip(boxes, ends, strict=True) if box["on"]]
    return ", ".join(filter(None, (one.strip(" \t,;|") for one in told)))
