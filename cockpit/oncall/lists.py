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

_OCCASIONS = (
    (Occasion.HANDOFF, r"hand[- ]?(?:off|over)|(?:after|end(?:ing)?(?: of)?) (?:your |the |a |my )?(?:shift|on-?call|rotation)|übergabe"),
    (Occasion.BEFORE, r"pre[- ]?(?:shift|on-?call|flight|rotation)|before (?:your |the |a |you |going |my )?(?:first )?(?:shift|on-?call|start\w*|go\w*|rotation)|start(?:ing)? (?:of )?(?:your |the |a )?(?:shift|on-?call|rotation)|prepar(?:ation|e|ing)|readiness|vor (?:der|deiner) schicht"),
    (Occasion.AFTER, r"post[- ]?(?:incident|mortem)|after (?:an |the |each |every |any )?(?:incident|resol\w+|outage)|following an incident|nach (?:dem|einem) vorfall"),
    (Occasion.DURING, r"during (?:your |the |a |my )?(?:shift|on-?call|rotation)|daily|while (?:you are )?on[- ]?call|on shift"),
)  # fmt: skip
_CHECKLIST = re.compile(r"check[- ]?list|\bto-?dos?\b|\bverify\b", re.IGNORECASE)
_NO_LIST = re.compile(
    r"template|messages?\b|command|contact|escalat|vendor|pitfall|mistake|severit|level \d",
    re.IGNORECASE,
)
_PITFALLS = re.compile(
    r"\bpitfalls?\b|\b(?:common )?mistakes?\b|\bgotchas?\b|anti-?patterns?|things to avoid"
    r"|what not to do|do(?:n[’']?t|s and don)[’']?ts|\bdon[’']ts\b|lessons from|häufige fehler",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"when (?:to|should (?:you|i|we)|do (?:you|i|we)|must you) (?:escalate|call (?:for )?help|ask for help|wake)"
    r"|escalat(?:e|ion) (?:immediately )?(?:if|when|criteria|triggers?|conditions?)\b|reasons to escalate"
    r"|wann eskalieren",
    re.IGNORECASE,
)
_TASK = re.compile(r"\A\[[ xX]?\]\s+")
_LEADS = re.compile(
    r"\A(?:\*\*|__)(?P<lead>[^*_\n]{2,120}?)[.:!]?(?:\*\*|__)[.:!]?\s*(?:[–—:-]\s+)?(?P<rest>.*)\Z",
    re.DOTALL,
)


def _occasion(part: Part, label: str = "") -> Occasion | None:
    """What a list is for, by the nearest heading that says it."""
    for text in [label, *(each.title for each in part.sections())]:
        for occasion, pattern in _OCCASIONS:
            if text and re.search(pattern, text, re.IGNORECASE):
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
            items = list(_items(block, part, label))
            if items:
                title = label if _occasion_words(label) or not part.title else part.title
                by_label.setdefault(title or "Checklist", []).extend(items)
        for title, items in by_label.items():
            occasion = _occasion(part, title) or Occasion.OTHER
            found.append(Checklist(clean_line(title), occasion, tuple(items)))
    return tuple(found)


def _occasion_words(label: str) -> bool:
    return any(re.search(pattern, label, re.IGNORECASE) for _, pattern in _OCCASIONS)


def _items(block: Block, part: Part, label: str) -> Iterator[tuple[Safe, int]]:
    if part.under(_NO_LIST) and not part.under(_CHECKLIST):
        plain = False
    else:
        titles = [part.title, label, *(each.title for each in part.sections())]
        plain = any(title and _CHECKLIST.search(title) for title in titles) or (
            bool(label and _occasion_words(label)) or _occasion_words(part.title)
        )
    if block.kind in (Kind.FENCE, Kind.INDENTED, Kind.PARAGRAPH):
        for line in lines([block]):
            box = BOX.match(line.text.lstrip("-*+ "))
            rest = line.text.lstrip("-*+ ")[box.end() :].strip() if box else ""
            if box and rest and not BOX.search(rest):
                yield clean_line(rest), line.number
        return
    if block.kind is not Kind.LIST:
        return
    for line in lines([block]):
        if not line.item:
            continue
        text = line.text
        box = BOX.match(text)
        if box and not BOX.search(text, box.end()) and not text[box.end() :].startswith("("):
            if rest := text[box.end() :].strip():
                yield clean_line(rest), line.number
        elif plain and text and not text.startswith(("http://", "https://")):
            yield clean_line(text), line.number


def criteria(parts: Sequence[Part]) -> tuple[Safe, ...]:
    """When to escalate, whatever the level."""
    found: dict[Safe, None] = {}
    for part in parts:
        if part.under(
            re.compile(r"template|vendor|level \d|\b[lL]\d\b|tier \d", re.IGNORECASE)
        ) or part.under(vendors.AREA):
            continue
        for label, block in labelled(part.body):
            if block.kind is not Kind.LIST:
                continue
            own = label if label else part.title
            if _WHEN.search(own) and not re.search(
                r"level \d|\b[lL][1-9]\b|tier \d", own, re.IGNORECASE
            ):
                found |= dict.fromkeys(
                    clean_line(
                        BOX.sub("", line.text).strip() if BOX.match(line.text) else line.text
                    )
                    for line in lines([block])
                    if line.item and line.text
                )
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
    first = item.children[0].text if item.children else ""
    rest = "\n".join(line.text for line in lines(item.children[1:]) if line.text)
    if lead := _LEADS.match(first):
        title, text = lead["lead"], " ".join(readable(lead["rest"]).split())
    else:
        said = " ".join(readable(first).split())
        sentence = re.match(r"(.{3,120}?[.!?])\s+(?=[A-Z])(.*)", said)
        title, text = (sentence[1].rstrip("."), sentence[2]) if sentence else (said, "")
    return Pitfall(clean_line(readable(title)), clean("\n".join(filter(None, (text, rest)))))
