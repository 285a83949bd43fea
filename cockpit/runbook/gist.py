"""What a runbook is about, at a glance: enough to find it by, at a tiny part of a parse's cost."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cockpit.runbook import headings, source
from cockpit.runbook.model import Phase

_FENCE = re.compile(r"\s{0,12}(?:[-*>]\s+)?(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-{3,})\s*$")
# Small teams write **Symptoms:** where others write a heading.
_LEAD = re.compile(r"\s{0,3}(?:[-*]\s+)?\*\*([^*]{2,60}?):?\*\*:?\s*(.*)")
_MAYBE_SYMPTOMS = (
    "symptom", "detect", "alert", "sign", "indicat", "recogni", "trigger", "see", "problem", "issue"
)  # fmt: skip
_ALERT_NAMED = re.compile(r"[Aa]lert(?:s|name| [Nn]ame)?[*_]*\s?[:=][*_`\s\"]*([A-Za-z]\w{3,80})")
# Three humps are a name; two may be a product, so they count only where an alert is talked of.
_NAME = re.compile(r"[A-Z][a-z][a-z0-9]*(?:[A-Z][a-z][a-z0-9]*){2,}(?:[A-Z]\w*)?")
_SHORT_NAME = re.compile(r"\b[A-Z][a-z0-9]+[A-Z]\w*\b")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_QUOTED = re.compile(r"`([^`\n]{4,200})`|\"([^\"\n]{4,200})\"|“([^”\n]{4,200})”")
_LOGLIKE = (
    "error", "exception", "fatal", "panic", "fail", "refused", "denied", "timed out", "timeout",
    "killed", "locked", "traceback", "warn", "unable", "cannot", "not found", "no space",
    "exceeded", "unreachable", "invalid",
)  # fmt: skip
_FRONT = re.compile(r"\ufeff?---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_KEY = re.compile(r"([A-Za-z][\w-]*)\s*:\s*(.*)")
_ITEM = re.compile(r"\s*-\s+(.*)")
_SERVICE = re.compile(r"(?m)^[ \t>|*_-]{0,8}[Ss]ervices?[*_]*[ \t]?:[*_` \t]*([^(\n,;`*]{1,60})")
_SEVERITY = re.compile(
    r"(?m)^[ \t>|*_-]{0,8}(?:[Ss]everity|[Pp]riority)(?: [Ll]evel)?[*_]*[ \t]?[:|][*_ \t|]*"
    r"([^|\n*]{1,40})"
)
_LEVEL = re.compile(r"(?i)\b(?:P[0-4]|SEV-?[0-5]|critical|high|medium|low|warning|major|minor)\b")
_IN_TITLE = re.compile(r"(?i)\b(?:P[0-4]|SEV-?[0-5])\b")
_HEAD = 4096

FIELDS = ("title", "alerts", "symptoms", "past", "headings", "literals", "commands", "prose")
"""What a runbook is found by, what weighs most first. `past` comes from the journals."""


@dataclass(slots=True)
class Gist:
    """The text of a runbook sorted by how much it tells, all of it as the author wrote it.

    Each field holds lines. No line is in two fields, except that an alert's name stands in `alerts`
    too: whole, and as the words that it is made of.
    """

    title: str = ""
    severity: str = ""
    services: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    symptoms: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    literals: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)


def gist(text: str, name: str) -> Gist:
    """What the text of a runbook is about. name: what to call it where it has no title."""
    text = source.normal(text)
    meta, body = _front(text)
    found = Gist()
    _Scan(found).read(body.split("\n"))
    found.title = (
        found.title or " ".join(meta.get("title", ())) or next(iter(found.headings), "") or name
    )
    named = [one for key in ("alerts", "alert", "alertname") for one in meta.get(key, ())]
    named += _SHORT_NAME.findall(found.title) + _NAME.findall(body)
    if "lert" in body:
        named += _ALERT_NAMED.findall(body)
    found.alerts = [f"{one} {split(one)}".rstrip() for one in dict.fromkeys(named)]
    keys = ("services", "service", "hosts", "host")
    found.services = [one for key in keys for one in meta.get(key, ())]
    found.services += [one.strip() for one in _SERVICE.findall(body[:_HEAD])[:3]]
    found.severity = _severity(body[:_HEAD], meta, found.title)
    found.prose += [f"{key}: {' '.join(values)}" for key, values in meta.items()]
    return found


def split(name: str) -> str:
    """The words that a CamelCase name is made of; empty where it is of one."""
    words = _HUMP.findall(name)
    return " ".join(words) if len(words) > 1 else ""


class _Scan:
    """One way through the lines of a file."""

    def __init__(self, found: Gist) -> None:
        self.found = found
        self.symptoms_of = 0  # level of the heading whose symptoms are read; 7 for a bold lead

    def read(self, lines: list[str]) -> None:
        found = self.found
        fence = before = ""
        for line in lines:
            if fence:
                closing = line.strip()
                if closing.startswith(fence) and not closing.strip(fence[0]):
                    fence = ""
                elif line and not line.isspace():
                    (found.literals if _loglike(line) else found.commands).append(line)
                continue
            if not line or line.isspace():
                before = ""
                continue
            if ("```" in line or "~~~" in line) and (opening := _FENCE.match(line)):
                fence = opening[1]
            elif "#" in line and (heading := _HEADING.match(line)):
                self._heading(len(heading[1]), heading[2])
            elif before and line.strip()[0] in "=-" and (under := _UNDERLINE.match(line)):
                self._heading(1 if under[1][0] == "=" else 2, before.strip())
            else:
                self._line(line)
            before = line

    def _heading(self, level: int, title: str) -> None:
        if not title:
            return
        if level == 1 and not self.found.title:
            self.found.title = headings.plain(title)
            return
        self.found.headings.append(title)
        if self.symptoms_of and level > self.symptoms_of:
            return
        self.symptoms_of = level if _is_symptoms(title) else 0

    def _line(self, line: str) -> None:
        found = self.found
        if "**" in line and (lead := _LEAD.match(line)):
            if _is_symptoms(lead[1]):
                self.symptoms_of = self.symptoms_of or 7
                if lead[2]:
                    found.symptoms.append(line)
                return
            if self.symptoms_of == 7:
                self.symptoms_of = 0
        if self.symptoms_of:
            found.symptoms.append(line)
        elif ("`" in line or '"' in line or "“" in line) and _literal(line):
            found.literals.append(line)
        else:
            found.prose.append(line)


def _is_symptoms(title: str) -> bool:
    low = title.lower()
    if not any(word in low for word in _MAYBE_SYMPTOMS):
        return False
    return headings.strong(title) is Phase.SYMPTOMS


def _loglike(line: str) -> bool:
    low = line.lower()
    for word in _LOGLIKE:  # noqa: SIM110 (a third of the time; it is asked of every line)
        if word in low:
            return True
    return False


def _literal(line: str) -> bool:
    """Whether it quotes what a machine says."""
    quoted = ["".join(one) for one in _QUOTED.findall(line)]
    return any(" " in one and _loglike(one) for one in quoted)


def _front(text: str) -> tuple[dict[str, list[str]], str]:
    """The plain keys of the front matter, each with its values, and the text after it."""
    match = _FRONT.match(text)
    if not match:
        return {}, text
    meta: dict[str, list[str]] = {}
    key = ""
    for line in match[1].split("\n"):
        if named := _KEY.match(line):
            key = named[1].lower()
            values = named[2].strip().strip("[]").split(",")
        elif key and (item := _ITEM.match(line)):
            values = [item[1]]
        else:
            continue
        told = [value.strip().strip("\"'") for value in values]
        meta.setdefault(key, []).extend(value for value in told if value)
    return meta, text[match.end() :]


def _severity(head: str, meta: dict[str, list[str]], title: str) -> str:
    named = " ".join(meta.get("severity", ()))
    line = _SEVERITY.search(head)
    for text in (named, line[1] if line else ""):
        if level := _LEVEL.search(text):
            return level[0].upper() if level[0][-1].isdigit() else level[0].lower()
    level = _IN_TITLE.search(title)
    return level[0].upper() if level else ""
