"""The companies that a handbook says to call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cockpit.oncall.filled import filled
from cockpit.oncall.model import Unfilled, Vendor
from cockpit.oncall.outline import Part, lines, rows, tables, without_sign
from cockpit.text import Safe, clean_line

AREA = re.compile(
    r"\bvendors?\b|third[- ]part(?:y|ies)|\bexternal (?:vendors?|support|contacts?|services?"
    r"|providers?|dependenc\w+)|\bsuppliers?\b|\b(?:service |cloud )?providers\b|vendor support"
    r"|dienstleister|lieferanten",
    re.IGNORECASE,
)
_KEYS = {
    "name": r"(?:vendor|provider|supplier|company|name|service)(?: name)?",
    "dashboard": r"(?:dash ?boards?|console|portal|admin(?: panel| console)?|login|web ?site|url)"
    r"(?: url)?",
    "status": r"status(?: ?page)?(?: url)?",
    "phone": r"(?:support |emergency )?(?:phone|telephone|tel|hotline|call)(?: number)?",
    "support": r"(?:(?:technical |24/7 |premium )?support|help|contact|tickets?|e-?mail|chat)"
    r"(?: (?:url|e-?mail|page|portal|contact|address|ticket|link))?",
    "account": r"account(?: ?(?:id|number|no\.?|#|name|manager))?|(?:customer|contract|client)"
    r"(?: ?(?:id|number|no\.?|#))",
    "when": r"when(?: to (?:contact|call|escalate|use))?|(?:contact|call) (?:when|if|for)",
    "have_ready": r"have (?:this |these )?(?:ready|to hand|at hand|available)|what to have ready"
    r"|(?:required |needed )?information(?: (?:needed|required|to provide))?|(?:please )?provide"
    r"|prepare|bring|they (?:will )?(?:ask|need)(?: for)?|you(?:'ll)? need",
}
_KEY = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in _KEYS.items()), re.IGNORECASE
)
_FIELDS = ("dashboard", "status", "support", "phone", "account", "when")
_PAIR = re.compile(
    r"(?P<key>[^\W\d_][\w /()&'’#.-]{0,48}?)\s*(?::(?!//)|：|=(?!=)|\s[–—-](?=\s)|\.{3,}|\t+"
    r"|\s{3,})\s*(?P<value>.*)\Z"
)
_URL = re.compile(r"https?://[^\s)>\]|,;\"']+")

_Said = tuple[str, str, str, int]
"""Key, label and text of what is said of a vendor, and its line."""


def vendors(parts: Sequence[Part]) -> tuple[Vendor, ...]:
    """Every vendor, in the order of the file."""
    found: list[Vendor] = []
    for part in parts:
        above = [each for each in part.sections() if AREA.search(each.title)]
        if not above:
            continue
        # The heading that says "Vendors" holds them; one below it is one itself.
        title = "" if above[-1] is part else part.title
        found += _of(part, title)
    return tuple(vendor for vendor in found if vendor.name)


def _of(part: Part, title: str) -> Iterator[Vendor]:
    said: list[_Said] = []
    line = part.line
    for row_line, cells in _rows(part):
        yield _vendor("", cells, row_line)
    open_key, open_depth = "", 0
    for each in lines(part.body):
        text = without_sign(each.text)
        if not text:
            continue
        pair = _PAIR.match(text)
        key = _key(pair["key"]) if pair else _key(text.rstrip(":")) if text[-1] == ":" else None
        if open_key and key is None and each.item and each.depth > open_depth:
            said.append((open_key, "", text, each.number))
            continue
        open_key = ""
        starts = not title and (each.depth < 2 or each.strong) and key is None
        if (starts and (each.item or each.strong)) or (
            key == "name" and any(s[0] == "name" for s in said)
        ):
            if said:
                yield _vendor("", said, line)
            name, rest = (pair["key"], pair["value"]) if pair and key is None else (text, "")
            said, line = [("name", "", name.rstrip(":"), each.number)], each.number
            said += _loose(rest, each.number)
        elif pair:
            said.append((key or "", pair["key"], pair["value"], each.number))
            if key in ("have_ready", "when") and not pair["value"]:
                open_key, open_depth = key, each.depth
        elif key in ("have_ready", "when"):
            open_key, open_depth = key, each.depth
        elif title or said:
            said += _loose(text, each.number)
    if title or said:
        yield _vendor(title, said, line)


def _rows(part: Part) -> Iterator[tuple[int, list[_Said]]]:
    for table in tables(part.body):
        head, *rest = rows(table)
        keys = [_key(cell) for cell in head[1]]
        if "name" not in keys:
            keys = ["name", *keys[1:]] if any(keys[1:]) else []
        for number, row in rest if keys else ():
            cells = zip(keys, head[1], row, strict=False)
            yield number, [(key or "", label, cell, number) for key, label, cell in cells]


def _key(text: str) -> str | None:
    label = re.sub(r"\s*\([^)]*\)\s*\Z", "", without_sign(text)).strip(" :*_")
    found = _KEY.fullmatch(label)
    return found.lastgroup if found else None


def _loose(text: str, line: int) -> list[_Said]:
    """What a line without a label says of a vendor."""
    if url := _URL.search(text):
        key = "status" if "status" in url[0] else "dashboard"
        return [(key if "support" not in url[0] else "support", "", url[0], line)]
    if re.search(r"[\w.+-]@\w", text):
        return [("support", "", text, line)]
    if re.fullmatch(r"\+?[\d\s().-]{7,}", text):
        return [("phone", "", text, line)]
    return [("", "", text, line)] if text.strip() else []


def _vendor(title: str, said: Sequence[_Said], line: int) -> Vendor:
    values: dict[str, Safe] = {}
    missing: dict[str, Unfilled] = {}
    ready: list[Safe] = []
    facts: list[tuple[Safe, Safe]] = []
    for key, label, text, number in said:
        told = filled(text)
        if key in ("dashboard", "status") and told and (url := _URL.search(told)):
            told = url[0].rstrip(".")
        if key and not told:
            missing.setdefault(key, Unfilled(key, number, clean_line(text, max_chars=200)))
        elif key == "have_ready":
            ready += [clean_line(one) for one in re.split(r"\s*[,;]\s+", told) if one]
        elif key in values or not key:
            facts.append((clean_line(label), clean_line(told))) if told else None
        else:
            values[key] = clean_line(told)
    name = values.pop("name", None) or clean_line(title)
    gone = tuple(key for key in missing if key not in values and (key != "have_ready" or not ready))
    dashboard, status, support, phone, account, when = (
        values.get(key, Safe("")) for key in _FIELDS
    )
    return Vendor(
        name,
        dashboard,
        status,
        support,
        phone,
        account,
        when,
        tuple(ready),
        tuple(facts),
        gone,
        line,
        tuple(missing[key] for key in gone),
    )
