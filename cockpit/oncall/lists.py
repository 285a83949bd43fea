"""What a handbook lists: things to tick, reasons to escalate, mistakes that others made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cockpit.oncall import vendors
from cockpit.oncall.filled import BOX
from cockpit.oncall.model import Checklist, Occasion, Pitfall
from cockpit.oncall.outline import Part, lines, readable, without_sign
from cockpit.runbook.blocks import Block, Kind
from cockpit.text import Safe, clean, clean_line

_SHIFT = r"(?:your |the |a |my |each |every )?(?:first |next )?(?:shift|on-?call|rotation)"
_OCCASIONS = tuple(
    (occasion, re.compile(words, re.IGNORECASE))
    for occasion, words in (
        (
            Occasion.HANDOFF,
            rf"hand[- ]?(?:off|over)|(?:after|end(?:ing)?(?: of)?) {_SHIFT}|übergabe",
        ),
        (
            Occasion.BEFORE,
            rf"pre[- ]?(?:shift|on-?call|flight|rotation)|before (?:you )?(?:go(?:ing)? )?{_SHIFT}"
            rf"|start(?:ing)? (?:of )?{_SHIFT}|\bprepar(?:ation|e|ing)\b|readiness"
            r"|vor (?:der|deiner) schicht",
        ),
        (
            Occasion.AFTER,
            r"post[- ]?(?:incident|mortem)|(?:after|following) (?:an |the |each |every |any )?"
            r"(?:incident|resol\w+|outage)|nach (?:dem|einem) vorfall",
        ),
        (Occasion.DURING, rf"during {_SHIFT}|\bdaily\b|while (?:you are )?on[- ]?call|on shift"),
    )
)
_CHECKLIST = re.compile(r"check[- ]?list|\bto-?dos?\b|\bverify\b", re.IGNORECASE)
_NO_LIST = re.compile(
    r"template|messages?\b|command|contact|escalat|vendor|pitfall|mistake|severit|level \d",
    re.IGNORECASE,
)
_PITFALLS = re.compile(
    r"\bpitfalls?\b|\b(?:common )?mistakes?\b|\bgotchas?\b|anti-?patterns?|things to avoid"
    r"|what not to do|do(?:n[’']?t|s and don)[’']?ts|\bdon[’']?ts\b|häufige fehler",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"when (?:to|should (?:you|i|we)|do (?:you|i|we)|must you) (?:escalate|call (?:for )?help"
    r"|ask for help|wake)|escalat(?:e|ion) (?:immediately )?(?:if|when|criteria|triggers?"
    r"|conditions?)\b|reasons to escalate|wann eskalieren",
    re.IGNORECASE,
)
_OF_A_LEVEL = re.compile(r"\b(?:level|tier|stufe) ?\d|\bL[1-9]\b", re.IGNORECASE)
_ELSEWHERE = re.compile(r"template", re.IGNORECASE)
_SIGNS = "✅✔✓■◉"
"""Boxes that are as often an ornament."""
_SIGN = re.compile(r"\A[^\w\s*`\"'“(\[<]+\s+")
"""What decorates the start of an item, before its bold words too: ❌, 🚫."""
_LEADS = re.compile(
    r"\A(?:\*\*|__)(?P<lead>[^*_\n]{2,120}?)[.:!]?(?:\*\*|__)[.:!]?\s*(?:[–—:-]\s+)?(?P<rest>.*)\Z",
    re.DOTALL,
)


def _occasion(part: Part, label: str = "") -> Occasion | None:
    """What a list is for, by the nearest heading that says it."""
    for text in [label, *(each.title for each in part.sections())]:
        for occasion, pattern in _OCCASIONS:
            if text and pattern.search(text):
                return occasion
    return None


def labelled(body: Sequence[Block]) -> Iterator[tuple[str, Block]]:
    """Each block with the label above it: a paragraph that ends with a colon, or is bold."""
    label = ""
    for block in body:
        if block.kind is Kind.PARAGRAPH:
            last = block.text.strip().rsplit("\n", 1)[-1]
            said = readable(last)
            whole = last.startswith(("**", "__")) and last.rstrip(":").endswith(("**", "__"))
            label = said.rstrip(":") if said.endswith(":") or whole else ""
            yield "", block
            continue
        yield label, block
        label = ""


def checklists(parts: Sequence[Part]) -> tuple[Checklist, ...]:
    """Every list to tick, with its boxes or, where the heading says so, without."""
    found: list[Checklist] = []
    for part in parts:
        by_label: dict[str, list[tuple[Safe, int]]] = {}
        for label, block in labelled(part.body):
            if _WHEN.search(label or part.title):
                continue
            items = list(_items(block, part, label))
            if items:
                title = label if _occasion_words(label) or not part.title else part.title
                by_label.setdefault(title or "Checklist", []).extend(items)
        for title, items in by_label.items():
            occasion = _occasion(part, title) or Occasion.OTHER
            found.append(Checklist(clean_line(title), occasion, tuple(items)))
    return tuple(found)


def _occasion_words(label: str) -> bool:
    return any(pattern.search(label) for _, pattern in _OCCASIONS)


def _items(block: Block, part: Part, label: str) -> Iterator[tuple[Safe, int]]:
    """What is to be ticked in a block: what has a box, or every item where a heading says so."""
    if block.kind in (Kind.TABLE, Kind.HTML):
        return
    titles = [part.title, label, *(each.title for each in part.sections())]
    named = any(title and _CHECKLIST.search(title) for title in titles)
    ours = not part.under(_NO_LIST) and (_occasion_words(label) or _occasion_words(part.title))
    for line in lines([block]):
        text = line.text if line.item else line.text.lstrip("-*+ ")
        box = BOX.match(text)
        if box and not (named or line.item) and box[0][0] in _SIGNS:
            continue
        rest = text[box.end() :].strip() if box else ""
        if box and rest and not BOX.search(rest) and not text[box.end() :].startswith("("):
            yield clean_line(rest), line.number
        elif (named or ours) and line.item and text and not box and "://" not in text[:8]:
            yield clean_line(text), line.number


def criteria(parts: Sequence[Part]) -> tuple[Safe, ...]:
    """When to escalate, whatever the level."""
    found: dict[Safe, None] = {}
    for part in parts:
        if any(part.under(words) for words in (_ELSEWHERE, _OF_A_LEVEL, vendors.AREA)):
            continue
        for label, block in labelled(part.body):
            told = label or part.title
            if block.kind is Kind.LIST and _WHEN.search(told) and not _OF_A_LEVEL.search(told):
                for line in lines([block]):
                    box = BOX.match(line.text)
                    text = line.text[box.end() :].strip() if box else line.text
                    if line.item and text:
                        found[clean_line(text)] = None
    return tuple(found)


def pitfalls(parts: Sequence[Part]) -> tuple[Pitfall, ...]:
    """The mistakes that a handbook warns of."""
    found: list[Pitfall] = []
    for part in parts:
        about = [each for each in part.sections() if _PITFALLS.search(each.title)]
        if not about:
            continue
        if about[-1] is not part and part.title:
            text = "\n".join(without_sign(line.text) for line in lines(part.body) if line.text)
            found.append(Pitfall(clean_line(part.title), clean(text)))
            continue
        for block in part.body:
            if block.kind is Kind.LIST:
                found += [_pitfall(item) for item in block.children]
    return tuple(pitfall for pitfall in found if pitfall.title)


def _pitfall(item: Block) -> Pitfall:
    """An item of a list: what is bold, or its first sentence, and what follows."""
    first = _SIGN.sub("", item.children[0].text) if item.children else ""
    rest = "\n".join(line.text for line in lines(item.children[1:]) if line.text)
    if lead := _LEADS.match(first):
        title, text = lead["lead"], " ".join(readable(lead["rest"]).split())
    else:
        said = " ".join(readable(first).split())
        sentence = re.match(r"(.{3,120}?[.!?])\s+(?=[A-Z])(.*)", said)
        title, text = (sentence[1].rstrip("."), sentence[2]) if sentence else (said, "")
    return Pitfall(clean_line(readable(title)), clean("\n".join(filter(None, (text, rest)))))
