"""How bad a line of a log says that it is, by what loggers write."""

from __future__ import annotations

import re
from typing import Final

from cockpit.logs.line import Level

_WORDS: Final = {
    Level.ERROR: "ERROR|ERR|EROR|FATAL|CRITICAL|CRIT|PANIC|SEVERE|EMERG|ALERT|FAIL",
    Level.WARN: "WARNING|WARN|WRN",
    Level.INFO: "INFO|INF|NOTICE|NOTE|LOG",
    Level.DEBUG: "DEBUG|DBG|DBUG|TRACE|TRC|VERBOSE|FINE",
}
_BY_WORD: Final = {word: level for level, words in _WORDS.items() for word in words.split("|")}
_SHOUTED: Final = re.compile(r"(?<![\w/.$-])(?:" + "|".join(_BY_WORD) + r")(?![\w/=-])")


def level(text: str) -> Level:
    """What a line says of itself; NONE where it says nothing."""
    found = _SHOUTED.search(text)
    return _BY_WORD[found[0]] if found else Level.NONE
