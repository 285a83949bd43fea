"""The fields of a line of JSON or logfmt, and what of it is read first."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

from cockpit.logs.level import level
from cockpit.logs.line import Level
from cockpit.text import Safe, clean_line

Fields = tuple[tuple[Safe, Safe], ...]

_TIMES: Final = ("time", "timestamp", "@timestamp", "ts", "@t", "t", "date", "datetime", "asctime")
_LEVELS: Final = (
    *("level", "severity", "lvl", "loglevel", "levelname", "log.level", "severity_text", "@l", "s"),
    *("level_name", "severitytext", "log_level", "log.severity"),
)
_MESSAGES: Final = ("message", "msg", "@m", "@mt", "event", "log", "short_message", "error", "err")
MOST_FIELDS: Final = 500
MOST_DEPTH: Final = 8

# A key, then a value with or without quotes; what stands between such pairs is no logfmt.
_PAIR: Final = re.compile(
    r"""\s*+(?:([A-Za-z_@][\w.@/-]*+)=(?:"((?:[^"\\]|\\.)*+)"|([^\s"]*+))(?=\s|\Z))"""
)
_ESCAPE: Final = re.compile(r"\\(.)")
_PLAIN_ESCAPES: Final = {"n": "␤", "t": " ", "r": "␍"}


class Compact(NamedTuple):
    """What is read first of a line: its level is shown by a sign, its time by the pane."""

    time: Safe
    level: Level
    message: Safe
    rest: Fields


def laid_out(text: str) -> Fields:
    """The fields of a line, in its order; what is inside others by its path (`http.status`).

    What stands before or after JSON in the line is the field "". Nothing where the line has no
    fields. Never raises.
    """
    return _json(text) or _logfmt(text)


def message(text: str) -> Compact | None:
    """A line of fields as time, level, message and the rest; None for any other line."""
    fields = laid_out(text)
    if not fields:
        return None
    by_name: dict[str, int] = {}
    for index, (name, _) in enumerate(fields):
        by_name.setdefault(name.lower(), index)
    used = {
        what: next((by_name[name] for name in names if name in by_name), -1)
        for what, names in (("time", _TIMES), ("level", _LEVELS), ("message", _MESSAGES))
    }
    said = {what: fields[at][1] if at >= 0 else Safe("") for what, at in used.items()}
    if not said["message"] and not said["level"]:
        return None
    rest = tuple(field for at, field in enumerate(fields) if at not in used.values())
    return Compact(said["time"], level(text), said["message"], rest)


def _json(text: str) -> Fields:
    start = text.find("{")
    end = text.rfind("}") + 1
    if start < 0 or end <= start or '"' not in text:
        return ()
    lead, tail = text[:start].strip(), text[end:].strip()
    if tail or len(lead) > 200:
        return ()
    try:
        read = msgspec.json.decode(text[start:end])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return ()
    if not isinstance(read, dict) or not read:
        return ()
    found: list[tuple[Safe, Safe]] = [(Safe(""), clean_line(lead))] if lead else []
    _flatten("", read, found, MOST_DEPTH)
    return tuple(found)


def _flatten(path: str, value: Any, found: list[tuple[Safe, Safe]], depth: int) -> None:
    if len(found) >= MOST_FIELDS:
        return
    if isinstance(value, dict) and value and depth:
        for name, inner in value.items():
            _flatten(f"{path}.{name}" if path else str(name), inner, found, depth - 1)
    else:
        found.append((clean_line(path), _shown(value)))


def _shown(value: Any) -> Safe:
    if isinstance(value, str):
        return clean_line(value)
    try:
        return clean_line(msgspec.json.encode(value))
    except (ValueError, TypeError, RecursionError):
        return clean_line(str(value))


def _logfmt(text: str) -> Fields:
    """All pairs of a line that has two at least; words before the first are the field ""."""
    begin = text.find("=")
    if begin < 0:
        return ()
    begin = text.rfind(" ", 0, begin) + 1
    found: list[tuple[Safe, Safe]] = []
    at = begin
    while len(found) < MOST_FIELDS and (pair := _PAIR.match(text, at)):
        name, quoted, bare = pair.groups()
        value = bare if quoted is None else _ESCAPE.sub(_unescaped, quoted)
        found.append((Safe(name), clean_line(value)))
        at = pair.end()
    if len(found) < 2 or text[at:].strip():
        return ()
    lead = text[:begin].strip()
    return ((Safe(""), Safe(lead)), *found) if lead else tuple(found)


def _unescaped(found: re.Match[str]) -> str:
    return _PLAIN_ESCAPES.get(found[1], found[1])
