"""The gaps of a message template, in whatever style they were written, and what each one means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cockpit.text import Safe, clean_line

KNOWN = (
    "severity", "title", "started", "impact", "service", "who", "now", "next_update", "state",
    "found", "tried", "need", "logs", "cause", "fix", "downtime", "follow_up", "resolved",
    "acknowledged", "mitigated", "next_step", "phone", "dashboard", "called", "host", "runbook",
    "incident",
)  # fmt: skip
"""Names that gaps go by, whatever the author calls them."""

_GAP = re.compile(
    r"\{\{?\s*(?P<brace>[^{}\n]{1,80}?)\s*\}\}?"
    r"|\[(?P<square>[^\[\]{}\n]{1,80})\](?!\()"
    r"|<(?P<angle>[A-Za-z][^<>\n]{0,79})>"
    r"|(?P<time>\b(?:YYYY-MM-DD[ T])?(?:HH:MM|XX:XX)(?::SS)?\b)"
    r"|(?P<blank>_{3,})"
)
# What stands in brackets and is meant: the mark of a message; an address, HTML.
_MARK = re.compile(
    r"(?i)resolved|update\s*\d*|investigating|monitoring|identified|acknowledged|ack|escalation"
    r"|mitigated|outage|incident|alert|maintenance|recovered|down|up|\W*"
)
_TAG = re.compile(
    r"(?i)https?:.*|mailto:.*|a\s+href=.*"
    r"|(?:br|b|i|p|u|hr|ul|li|code|pre|em|strong|table|tr|td|th)(?:/|\s+\w+=.*)?"
)
_BOX = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s*\Z")
_CHOICE_OF_SEVERITY = re.compile(r"(?i)(?:(?:p|sev-?)?[0-4](?:\s*(?:[/|,-]|or)\s*|\Z)){2,}")
_ANY_SEVERITY = re.compile(r"(?i)(?:p|sev-?)[?xn#0-5]")
# Words that say in what form, and not what.
_FORM = re.compile(
    r"(?i)(?:(?:exact|your|the|a|n|x++|time|hh|mm|ss|yyyy|dd|date|timestamp|utc"
    r"|text|link|url|number|list|here|tbd|value|name|fill in|insert|paste)"
    r"[\s:/#._-]*)+"
)
_LABEL = re.compile(
    r"(?:^|[.;|]\s|\s{2,8})\W{0,4}(?P<label>[^\W\d_][\w /'()-]{0,40}?)\W{0,3}:[*_]*\s*\W{0,2}\Z"
)

_GREETED = re.compile(r"(?i)\b(?:hi|hello|hey|dear)[\s@*]{1,4}\Z")

_MEANINGS = tuple(
    (name, re.compile(rf"(?i)\b(?:{words})"))
    for name, words in (
        ("next_update", r"next (?:update|message|status|report)|updates? (?:at|by|due|in)"),
        ("next_step", r"next|plan\b|going to|working on"),
        ("follow_up", r"follow|prevent|post-?mortem|action items?|ticket"),
        ("downtime", r"down ?time|how long|duration|lasted|total time"),
        ("acknowledged", r"acknowledged|ack time"),
        ("mitigated", r"mitigated"),
        ("resolved", r"resolved|end(?:ed|s)?\b|restored|recovered|fixed at|until"),
        ("started", r"start|since|began|begin|detected|onset|first (?:seen|noticed)|when"),
        ("severity", r"severity|sev\b|priority"),
        ("impact", r"impact|what(?:'s| is)|broken|affect|users|customers|symptom"),
        ("tried", r"tried|attempt|(?:actions?|steps?) taken|recovery|done\b|doing|mitigation"),
        ("found", r"found|finding|diagnos|known|observ|suspect"),
        ("cause", r"(?:root )?cause|why|reason"),
        ("fix", r"fix|solution|resolution|remed"),
        ("need", r"need|help|ask\b|request"),
        ("logs", r"logs?\b|last \d+ lines|error messages?|output"),
        ("dashboard", r"dashboard|monitoring|grafana|graphs?\b"),
        ("phone", r"phone|call me|reach me"),
        ("called", r"engineer|whom|person|escalat\w+ to"),
        ("who", r"who\b|responder|owner|i am|your name|commander|assignee|on-?call|name"),
        ("host", r"host|server|machine"),
        ("runbook", r"runbook"),
        ("incident", r"incident (?:id|number|#)|reference"),
        ("service", r"service|system|component|application|product"),
        (
            "title",
            r"title|summary|incident|issue|problem|alert|desc|details|what happened|investigating",
        ),
        ("state", r"state|status|situation|progress|update|current"),
        ("now", r"now|time|hh:mm|date"),
    )
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in a template where something is to be filled in.

    name: one of KNOWN, else its author's words as one word. words: as the author calls it. line:
    the line that it stands in. start, end: characters of the template.
    """

    name: str
    words: Safe
    line: Safe
    start: int = 0
    end: int = 0


def find(template: str) -> Iterator[Gap]:
    """The gaps of a template, in order."""
    for found in _GAP.finditer(template):
        start, end = found.span()
        begin = template.rfind("\n", 0, start) + 1
        before = template[begin:start]
        words = (found[found.lastgroup] if found.lastgroup else "").strip()
        bracket = found.lastgroup in ("square", "angle")
        if bracket and _is_meant(words, before, angle=found.lastgroup == "angle"):
            continue
        if found.lastgroup == "blank":
            words = ""
        over = template.find("\n", end)
        line = template[begin : over if over >= 0 else len(template)]
        name, said = _meaning(words, before)
        yield Gap(name, clean_line(said), clean_line(line.strip()), start, end)


def _is_meant(words: str, before: str, *, angle: bool) -> bool:
    """Whether what stands in brackets is no gap: `[RESOLVED]`, `- [x]`, `<https://...>`."""
    if angle:
        return _TAG.fullmatch(words) is not None
    if words in ("x", "X"):
        return _BOX.match(before) is not None
    return _MARK.fullmatch(words) is not None


def _meaning(words: str, before: str) -> tuple[str, str]:
    """The name of a gap, and what to call it when it is asked for."""
    plain = "_".join(re.findall(r"\w+", words.lower()))
    if plain in KNOWN:
        return plain, words
    any_severity = _CHOICE_OF_SEVERITY.fullmatch(words) or _ANY_SEVERITY.fullmatch(words)
    if any_severity or re.search(r"(?i)\b(?:p|sev-?)\Z", before):
        return "severity", words
    if re.search(r"(?i)\bby\W*\Z", before) and not re.search(r"(?i)update", before):
        return "who", words
    if _GREETED.search(before) and (not words or _known(words) in ("who", "called")):
        return "called", words
    found = _LABEL.search(before)
    label = found["label"].strip() if found else ""
    name = _known(label)
    if name:
        return name, words or label
    if words and not _FORM.fullmatch(words):
        return _known(words) or plain or "it", words
    near = " ".join(before.split()[-4:])
    name = _known(near) or _known(words)
    return (name, words or near) if name else (plain or "it", label or near or words)


def _known(words: str) -> str:
    return next((name for name, pattern in _MEANINGS if pattern.search(words)), "")
