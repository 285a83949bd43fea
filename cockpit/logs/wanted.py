"""What is typed to filter a log: words or a regular expression, ! for the rest, level:warn."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cockpit.logs.line import Level
from cockpit.logs.view import Query, pattern

_LEVELS: Final = {
    "all": Level.NONE,
    "none": Level.NONE,
    "debug": Level.DEBUG,
    "info": Level.INFO,
    "warn": Level.WARN,
    "warning": Level.WARN,
    "error": Level.ERROR,
    "err": Level.ERROR,
}


def wanted(words: str, before: Query) -> tuple[Query, str]:
    """The query that is meant, and its words without those of the level.

    before: what was shown; the level and the logs stay as they are where the words name none.
    """
    left = []
    least = before.least
    for word in words.split(" "):
        name, colon, value = word.partition(":")
        if colon and name.lower() == "level" and value.lower() in _LEVELS:
            least = _LEVELS[value.lower()]
        else:
            left.append(word)
    text = " ".join(left).strip()
    inverse = text.startswith("!") and len(text) > 1
    sought = text[1:].strip() if inverse else text
    found = pattern(sought) if sought else None
    return replace(before, pattern=found, inverse=inverse, least=least), text
