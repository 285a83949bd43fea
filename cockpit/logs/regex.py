"""What a regular expression needs and costs, read from its source; and when it is not to be run."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(
    r"(?P<escape>\\.)"
    r"|(?P<set>\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])"
    r"|(?P<open>\((?:\?(?:P?<\w+>|P=\w+|[:=!>]|<[=!]|[a-zA-Z-]+:|[a-zA-Z]+\)|#[^)]*\)|\(\w+\)))?)"
    r"|(?P<close>\))|(?P<bar>\|)|(?P<dot>\.)|(?P<edge>[\^$])"
    r"|(?P<times>(?:[*+?]|\{\d*,?\d*\})[?+]?)"
    r"|(?P<plain>.)",
    re.DOTALL,
)
_TIMES: Final = re.compile(r"\{(\d*)(,?)(\d*)\}")
_FEW: Final = 10
_NO_NEWLINE: Final = {r"\s": r"[^\S\n]", r"\W": r"[^\w\n]", r"\D": r"[^\d\n]"}
# A range that has capitals in it, but not their small letters, or the other way round.
_ODD: Final = re.compile(r"[^0-9a-z\[^]-[^\]]|[^\[^]-[^0-9a-z\]]")
_IN_SET: Final = re.compile(r"\\[^wd.\-\[\]\\/^]|\[:")
_SMALL_ESCAPES: Final = frozenset("wdbsSWDB")
_LONG_ESCAPES: Final = frozenset("xuUN0123456789")
_CAPITAL: Final = re.compile(r"(?<!\\)(?:\\\\)*[A-Z]")
MOST_REPEATS: Final = 6


@dataclass(frozen=True, slots=True)
class Cost:
    """literals: one of them is in all that fits, in this case or another; none: not known.

    whole: the literal is all there is to it. leads: all that fits begins with the literal. lines:
    the same for many lines of ASCII at once, None where there is no such; where case does not
    count, for lines in small letters. repeats: how many parts go on without a bound; each may
    multiply the time that a line takes by its length. endless: a repeat within a repeat; that may
    take for ever.
    """

    literals: tuple[str, ...] = ()
    whole: bool = False
    leads: bool = False
    lines: re.Pattern[str] | None = None
    repeats: int = 0
    endless: bool = False


@dataclass(slots=True)
class _Group:
    repeats: int = 0
    varies: bool = False


@dataclass(slots=True)
class _Runs:
    """Letters that stand in a row outside all groups: the longest of each branch is needed."""

    best: list[str] = field(default_factory=lambda: [""])
    run: str = ""
    first: str | None = None

    def end(self) -> None:
        if self.first is None:
            self.first = self.run
        if len(self.run) > len(self.best[-1]):
            self.best[-1] = self.run
        self.run = ""


def compiled(source: str, flags: re.RegexFlag) -> re.Pattern[str]:
    """As re.compile, without the warning that `[[` gets on standard error, where the screen is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(source, flags)


def cost(wanted: re.Pattern[str]) -> Cost:
    """What is needed for it and what it costs."""
    groups = [_Group()]
    runs = _Runs()
    rewritten: list[str] = []
    if wanted.flags & re.VERBOSE or "(?(" in wanted.pattern:
        return Cost(repeats=MOST_REPEATS)
    fold = bool(wanted.flags & re.IGNORECASE)
    by_lines = not fold or not _CAPITAL.search(wanted.pattern)
    whole = clear = True
    endless = False
    last = ""  # the kind of the token before, and of a group that ended, the group
    closed: _Group | None = None
    for token in _TOKEN.finditer(wanted.pattern):
        kind, text = token.lastgroup or "", token[0]
        rewritten.append(text)
        if kind == "plain" or (kind == "escape" and not text[1].isalnum()):
            if len(groups) == 1:
                runs.run += text[-1]
            by_lines = by_lines and text[-1] not in "\r\n"
            last, closed = "plain", None
            continue
        if kind == "times":
            most = _most(text)
            endless |= _repeat(groups[-1], closed, _least(text), most)
            if last == "plain" and len(groups) == 1:
                kept, needed = runs.run, runs.run[:-1]
                runs.run = kept if _least(text) else needed
            runs.end()
            whole, last, closed = False, "times", None
            continue
        runs.end()
        closed = None
        if kind != "bar":
            whole = False
        if kind == "escape":
            if text in _NO_NEWLINE:
                rewritten[-1] = _NO_NEWLINE[text]
            by_lines = by_lines and text[1] in _SMALL_ESCAPES
            clear = clear and text[1] not in _LONG_ESCAPES
        elif kind == "set":
            by_lines = by_lines and not _IN_SET.search(text) and not (fold and _ODD.search(text))
            if text.startswith("[^"):
                rewritten[-1] = r"[^\n" + text[2:]
        elif kind == "open":
            plain = text in ("(", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>") or "<" in text[:4]
            by_lines = by_lines and plain
            if not text.endswith(")") or text == "(":
                groups.append(_Group())
        elif kind == "close" and len(groups) > 1:
            closed = groups.pop()
            groups[-1].repeats += closed.repeats
            groups[-1].varies |= closed.varies
        elif kind == "bar":
            if len(groups) == 1:
                runs.best.append("")
            else:
                groups[-1].varies = True
        last = kind
    runs.end()
    lines = None
    if by_lines:
        try:
            # The rest of the line is taken too: one match a line is enough.
            lines = compiled(f"(?:{''.join(rewritten)})[^\n]*", re.MULTILINE)
            lines = None if wanted.search("") else lines
        except re.error:
            lines = None
    literals = tuple(runs.best) if clear and all(runs.best) else ()
    leads = runs.first == literals[0] if len(literals) == 1 else False
    return Cost(literals, whole and bool(literals), leads, lines, groups[0].repeats, endless)


def _repeat(around: _Group, closed: _Group | None, least: int, most: int | None) -> bool:
    """Takes a repeat into account; whether it may take for ever."""
    around.varies |= most != least
    if closed is None:
        around.repeats += most is None or most > _FEW
        return False
    inner = closed.repeats
    if most is None or most > _FEW:
        around.repeats += 1
        return bool(inner) or closed.varies
    around.repeats += inner * (most - 1)
    return False


def _most(times: str) -> int | None:
    """How often at most; None for no bound."""
    if times[0] in "*+":
        return None
    if times[0] == "?":
        return 1
    found = _TIMES.match(times)
    if found is None or (found[2] and not found[3]):
        return None
    return int(found[3] or found[1] or 1)


def _least(times: str) -> int:
    """How often at least."""
    if times[0] == "+":
        return 1
    if times[0] in "*?":
        return 0
    found = _TIMES.match(times)
    return int(found[1] or 0) if found else 1
