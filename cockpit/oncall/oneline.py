"""What one line of a handbook says of people: a field, a way to reach somebody, a level."""

from __future__ import annotations

import re

from cockpit.oncall.filled import could_ring, filled, nobody
from cockpit.oncall.outline import without_sign

AREA = re.compile(
    r"escalat|\bcontacts?\b|who (?:to|should|do) (?:call|contact|i)|\bladder\b|call ?(?:tree|list)"
    r"|\bon-?call\Z|on-?call (?:team|engineers?|rota(?:tion)?|roster|people|staff|schedule)"
    r"|\brota\b|\broster\b|ansprechpartner|eskalation|rufbereitschaft",
    re.IGNORECASE,
)
_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5,
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
}  # fmt: skip
_NUMBERED = re.compile(
    r"(?:\d{1,2}[.)]\s*)?(?:the\s+)?(?:(?:escalation|support|on-?call|contact)\s+)?"
    r"(?:(?:level|tier|stage|stufe|ebene|rung|line|escalation)\s*[-#]?\s*"
    r"(?P<n>\d{1,2}(?!\d)|one|two|three|four|five|iv|i{1,3}|v)(?!\w)"
    r"|(?P<l>[LT])[- ]?(?P<ln>\d{1,2})(?!\w)"
    r"|(?P<th>[1-5])(?:st|nd|rd|th)[ -](?:line|level|tier|contact|escalation|on-?call|responder)\b"
    r"|(?P<word>first|second|third|fourth|fifth)[ -](?:line|level|tier|contact|escalation"
    r"|on-?call|responder)\b)"
    r"(?P<after>[\s:：–—|/.,)-]*)",
    re.IGNORECASE,
)
LAST = re.compile(
    r"(?:\A|[→>:]|\bto\b)\s*(?:escalate to |call |page )?(?P<role>[A-Z][^()→:]{1,40}?)\s*"
    r"\((?:level|tier|L)\s?(?P<n>[1-9])\)\s*\Z",
    re.IGNORECASE,
)
"""A level at the end of a line: "Not better in 10 min → Escalate to Lead (Level 2)"."""
NAMED = re.compile(
    r"(?:the\s+)?(?P<role>(?P<one>primary|first responder)|(?P<two>secondary|backup|back-up)"
    r"|(?P<three>tertiary))(?!\w)(?:[ -]*(?:on-?call|contact|responder|engineer|escalation)\b)*",
    re.IGNORECASE,
)
ROLE = re.compile(
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
BETWEEN = re.compile(
    r"(?:\s*[,;|·•/]\s*|\s+[–—-]\s+|\s{2,}|\t+)(?=(?:"
    + "|".join(_KEYS[name] for name in ("name", "phone", "slack", "email", "timezone"))
    + "|"
    + _KEYS["availability"]
    + r")\s*[:=]\s*)",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_PHONE = re.compile(
    # A day, an address of a machine, or the bare number of a ticket is none.
    r"(?<![\w@#/.-])(?!\d{4}-\d\d-\d\d|\d{1,2}\.\s?\d{1,2}\.\s?\d{2,4}\b"
    r"|\d{1,3}(?:\.\d{1,3}){3}\b|[1-9]\d{0,8}(?!\s*[\d().–-]))"
    r"(?:\+|00|\()?\d[\d\s().–-]{5,22}\d(?:\s*(?:x|ext\.?)\s*\d{1,6})?(?!\w)"
)
_DIALS = re.compile(r"\+?\(?\d[\d\s()./–-]{5,}\d")
"""A number in its own field, however it is written."""
_HANDLE = re.compile(r"(?<![\w/.+-])[@#][A-Za-z_][\w.-]{1,40}")
WHERE = (
    "name", "phone", "slack", "email", "timezone", "availability",
)  # fmt: skip
FIELDS = ("phone", "slack", "email")


def value(key: str, text: str) -> str:
    """What a field of a contact says; empty where nobody has filled it in."""
    said = filled(text)
    if key == "email" and said:
        found = _EMAIL.search(said)
        return found[0] if found else said
    if key == "phone" and said:
        found = _DIALS.search(said)
        return "" if found and not could_ring(found[0]) else said
    if key == "name" and nobody(said):
        return ""
    if key == "slack" and (handle := _HANDLE.search(said)):
        return handle[0]
    return said


def started(text: str, *, loose: bool) -> tuple[int | None, str] | None:
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
    if found := NAMED.match(text):
        number = next(n for n, name in enumerate(("one", "two", "three"), 1) if found[name])
        rest = text[found.end() :]
        if rest and not re.match(r"\s*[:(–—|-]|\s+[A-Z]", rest):
            return None
        return number, f"{found[0].strip()}{rest}"
    own, rest_ = cut(text)
    role = own or text
    if (
        ROLE.search(role)
        and not AREA.search(role)
        and len(role) < 50
        and field(role) is None
        and not role.endswith((".", "?"))
    ):
        return (None, text) if rest_ or len(role.split()) < 6 else None
    return None


def cut(text: str) -> tuple[str, list[str]]:
    """The role that a line names, and the fields of a person behind it."""
    pair = re.match(r"([^:|]{2,60}?)\s*(?::(?!//)\s*|\s[–—|-]\s|\s*\|\s*)(.+)\Z", text)
    if (
        pair
        and field(pair[1]) is None
        and not _EMAIL.search(pair[1])
        and not _PHONE.search(pair[1])
    ):
        return pair[1].strip(), [pair[2].strip()]
    if reaches(text):
        return "", [text]
    return text.strip(" :"), []


def pair(text: str) -> tuple[str, str] | None:
    found = _PAIR.match(text)
    return (found["key"].strip(), found["value"].strip()) if found else None


def field(text: str) -> str | None:
    """The field that a label means, None where it is none of a contact's."""
    label = re.sub(r"\s*\([^)]*\)\s*\Z", "", without_sign(text)).strip(" :*_")
    found = _KEY.fullmatch(label)
    return found.lastgroup if found else None


def column(text: str) -> str | None:
    """The field that the head of a column means, where it is no label as well."""
    if re.search(r"\bescalate to\b|\bwhom\b", text, re.IGNORECASE):
        return "role"
    low = text.lower()
    return field(text) or next(
        (key for key, told in _COLUMNS.items() if any(word in low for word in told)), None
    )


def reaches(text: str) -> bool:
    """Whether a line holds a way to reach somebody."""
    return bool(_EMAIL.search(text) or _PHONE.search(text) or _HANDLE.search(text))


def parts(text: str) -> dict[str, str]:
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
