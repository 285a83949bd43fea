"""What an author may say beside the text, and need not: front matter, attributes of a fence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from cockpit.runbook.model import Phase, Risk, Waits
from cockpit.text import Safe, clean_line

_PAIR = re.compile(r"""([A-Za-z_][\w.-]*)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,}]*)|(\S+)""")
_OURS = frozenset({"name", "interactive", "host", "timeout", "risk", "expect", "phase"})
_DURATION = re.compile(r"(\d{1,7})\s*(s|sec|seconds?|m|min|minutes?|h|hours?)?", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_OPTIONAL_WAITS = frozenset({Waits.CONFIRM, Waits.PROMPT, Waits.PAGER, Waits.LOGIN})


@dataclass(frozen=True, slots=True)
class Attributes:
    """What stands beside a fence's language: runme's `name` and `interactive`, and our own keys.

    interactive, risk and phase are None where the author says nothing.
    """

    name: str = ""
    host: str = ""
    timeout_s: int = 0
    interactive: bool | None = None
    risk: Risk | None = None
    expect: str = ""
    phase: Phase | None = None

    def waits(self, judged: Waits | None) -> Waits | None:
        """Why the command waits, after the author's word.

        `interactive=true` makes a command wait that was not seen to. `interactive=false` takes away
        a question, a pager or a login, which depend on how the host is set up. It does not take
        away what cannot be otherwise: an endless stream, an editor, a full screen, `-it`.
        """
        if self.interactive and judged is None:
            return Waits.TTY
        if self.interactive is False and judged in _OPTIONAL_WAITS:
            return None
        return judged


NOTHING = Attributes()


def of_fence(info: str) -> tuple[Attributes, tuple[str, ...]]:
    """The attributes in the info string of a fence, and what could not be read of them.

    Both `sh {"name":"x","interactive":"false"}` and `sh { name=x interactive=false }` are read.
    Keys that are not ours are passed over: they mean something to another program.
    """
    start = info.find("{")
    if start < 0:
        return NOTHING, ()
    given, problem = _given(info[start:].strip())
    if problem:
        return NOTHING, (problem,)
    return _read({key: value for key, value in given.items() if key in _OURS})


def _given(text: str) -> tuple[dict[str, str], str]:
    if re.match(r"\{\s*[\"'}]", text):
        try:
            loaded, _ = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError) as error:
            return {}, f"the attributes {_short(text)} are not JSON ({error}) and were not used"
        return {str(key): _word(value) for key, value in loaded.items()}, ""
    inside, closed, _ = text[1:].partition("}")
    found = {}
    for match in _PAIR.finditer(inside):
        if match[1]:
            found[match[1]] = re.sub(r"\\(.)", r"\1", match[2].strip("\"'"))
    if not closed and found.keys() & _OURS:
        return {}, f'the attributes {_short(text)} have no "}}" and were not used'
    return found, ""


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else json.dumps(value)


def _read(given: Mapping[str, str]) -> tuple[Attributes, tuple[str, ...]]:
    problems: list[str] = []

    def one_of(key: str, allowed: Iterable[str]) -> str | None:
        if key not in given:
            return None
        value = given[key].strip().lower().replace("-", "_")
        if value in allowed:
            return value
        problems.append(f"{key}={_short(given[key])} is not one of {', '.join(allowed)}")
        return None

    interactive = one_of("interactive", ("true", "false"))
    risk = one_of("risk", [risk.value for risk in Risk])
    phase = one_of("phase", [phase.value for phase in Phase])
    timeout = 0
    if "timeout" in given:
        match = _DURATION.fullmatch(given["timeout"].strip())
        if match:
            timeout = int(match[1]) * _SECONDS[(match[2] or "")[:1].lower()]
        else:
            problems.append(
                f"timeout={_short(given['timeout'])} is no time; write seconds, 30s or 5m"
            )
    host = given.get("host", "").strip()
    if not re.fullmatch(r"[\w.@:\[\]%-]*", host) or host.startswith("-"):
        problems.append(f"host={_short(host)} is not the name of a host")
        host = ""
    return (
        Attributes(
            clean_line(given.get("name", "").strip()),
            host,
            timeout,
            None if interactive is None else interactive == "true",
            Risk(risk) if risk else None,
            given.get("expect", "").strip(),
            Phase(phase) if phase else None,
        ),
        tuple(problems),
    )


def _short(text: str) -> str:
    line = clean_line(text)
    return line if len(line) <= 40 else line[:39] + "…"


# Front matter


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The keys of a file's front matter that cockpit knows, each of its type."""

    services: tuple[Safe, ...] = ()
    alerts: tuple[Safe, ...] = ()
    severity: Safe | None = None
    owner: Safe = Safe("")
    last_tested: date | None = None


def of_file(meta: Mapping[str, object], text: str) -> tuple[FrontMatter, tuple[str, ...]]:
    """The known keys of front matter, and sentences about values of the wrong type.

    text is the file, to say in which line a key stands.
    """
    problems: list[str] = []

    def wrong(key: str, mend: str) -> None:
        found = re.search(rf"^[\"']?{re.escape(key)}[\"']?\s*:", text, re.MULTILINE)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        problems.append(f"line {line}: {key} in the front matter was not used; {mend}.")

    def names(*keys: str) -> tuple[Safe, ...]:
        found: list[Safe] = []
        for key in keys:
            value = meta.get(key)
            if value is None:
                continue
            items = value if isinstance(value, list | tuple) else [value]
            if isinstance(value, str):
                items = value.split(",")
            plain = [item for item in items if isinstance(item, str | int | float)]
            if isinstance(value, bool) or len(plain) < len(items):
                wrong(key, f"write a list of names, such as {key}: [api, worker]")
            else:
                found += [clean_line(str(item).strip()) for item in plain]
        return tuple(dict.fromkeys(name for name in found if name))

    def word(*keys: str) -> Safe | None:
        for key in keys:
            value = meta.get(key)
            if isinstance(value, str | int) and not isinstance(value, bool):
                return clean_line(str(value).strip()) or None
            if value is not None:
                wrong(key, f"write one word or line, such as {key}: {_EXAMPLES[keys[0]]}")
        return None

    tested = meta.get("last_tested")
    day: date | None = None
    if isinstance(tested, datetime):
        day = tested.date()
    elif isinstance(tested, date):
        day = tested
    elif tested is not None:
        try:
            day = date.fromisoformat(str(tested).strip()[:10])
        except ValueError:
            wrong("last_tested", "write the day as 2024-05-31")
    return (
        FrontMatter(
            names("services", "service"),
            names("alerts", "alert", "alertname"),
            word("severity"),
            word("owner", "team") or Safe(""),
            day,
        ),
        tuple(problems),
    )


_EXAMPLES = {"severity": "P1", "owner": "payments"}

# Alerts that the text itself names

_CAMEL = r"[A-Z][a-z0-9]+[A-Z][A-Za-z0-9]*"
_HUMPS = re.compile(rf"{_CAMEL}\Z")
_ALERT_LINE = re.compile(
    r"[ \t>|*_#-]*(?:prometheus\s+|firing\s+)?alert(?:s|\s*name)?\b[*_]*\s*[:|][*_\s|]*"
    r"(?P<names>[^\n]{1,200})",
    re.IGNORECASE,
)
_ALERT_TITLE = re.compile(
    r"(?P<said>(?:[Aa]lert|[Rr]unbook|[Aa]lert [Rr]unbook)\s*[:–—-]\s*)?"
    rf"`?(?P<name>{_CAMEL})`?"
    r"(?P<too>\s+(?:[Aa]lert|[Rr]unbook|[Aa]lert [Rr]unbook))?\s*\Z"
)


def alerts(text: str, title: str, stem: str) -> tuple[Safe, ...]:
    """Alerts that the file is for, by its own words: `Alert: X`, or X as the whole title.

    title: of the file. stem: its name; where both are the same CamelCase word, that is the alert.
    """
    found: list[str] = []
    if named := _ALERT_TITLE.match(title):
        name = named["name"]
        humps = len(re.findall(r"[A-Z][a-z0-9]", name))
        if humps > 2 or stem == name or named["said"] or named["too"]:
            found.append(name)
    for line in text.split("\n"):
        match = _ALERT_LINE.match(line) if "lert" in line or "LERT" in line else None
        if not match:
            continue
        words = re.findall(r"`([\w:.-]{3,80})`", match["names"]) or [
            word for word in re.findall(r"[\w:-]+", match["names"]) if _HUMPS.match(word)
        ]
        found += words[:10]
    return tuple(dict.fromkeys(clean_line(name) for name in found))
