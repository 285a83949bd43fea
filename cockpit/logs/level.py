"""How bad a line of a log says that it is, by what loggers write."""

from __future__ import annotations

import re
from typing import Final

from cockpit.logs.line import Level

_WORDS: Final = {
    Level.ERROR: "error err eror fatal critical crit panic severe emerg emergency alert fail",
    Level.WARN: "warning warn wrn",
    Level.INFO: "information info inf notice note",
    Level.DEBUG: "debug dbg dbug trace trc verbose fine finer finest",
}
_BY_WORD: Final = {word: level for level, words in _WORDS.items() for word in words.split()}
_BY_SHOUT: Final = {word.upper(): level for word, level in _BY_WORD.items()}
# An attribute of an enum takes as long to read as a short search.
_NONE, _WARN, _ERROR = Level.NONE, Level.WARN, Level.ERROR
_BY_LETTER: Final = {
    **dict.fromkeys("EFCA", Level.ERROR),
    "W": Level.WARN,
    **dict.fromkeys("IN", Level.INFO),
    **dict.fromkeys("DTV", Level.DEBUG),
}

# As a logger shouts it: a word of its own, not part of a name, a path, a count or an assignment.
# Each begins with its letter, so that Python can leap to the next place where one may stand.
_SHOUT: Final = re.compile(
    r"(?:E(?<![\w/.$-]E)(?:RR(?:OR)?|ROR|MERG(?:ENCY)?)"
    r"|F(?<![\w/.$-]F)(?:ATAL|AIL|INE(?:ST|R)?)"
    r"|C(?<![\w/.$-]C)RIT(?:ICAL)?|P(?<![\w/.$-]P)ANIC|S(?<![\w/.$-]S)EVERE"
    r"|A(?<![\w/.$-]A)LERT|W(?<![\w/.$-]W)(?:ARN(?:ING)?|RN)"
    r"|I(?<![\w/.$-]I)NF(?:O|ORMATION)?|N(?<![\w/.$-]N)OT(?:IC)?E"
    r"|D(?<![\w/.$-]D)(?:EBUG|BU?G)|T(?<![\w/.$-]T)(?:RACE|RC)|V(?<![\w/.$-]V)ERBOSE)"
    r"(?![\w/=-]|\.\w|: ?0\b)"
)
_NO: Final = re.compile(r"(?:\b(?:no|without|0|zero)|=) ?\Z", re.IGNORECASE)
_NO_ENDS: Final = frozenset("oOtT0=")

_STEMS: Final = ("evel", "everity", "lvl", "EVEL", "EVERITY")
_FEW: Final = 4
# What follows the name of a field for it, in JSON, logfmt or an access log in either.
_VALUE: Final = re.compile(
    r"""(?:_?[nN]ame|_?[tT]ext)?["']?\s?[:=]\s?["']?([A-Za-z]+|\d{1,2})(?![\w.])"""
)
_SHORT_FIELD: Final = re.compile(r'"(?:s|@l)":\s?"([A-Za-z]+)\d?"')
_STATUS_FIELD: Final = re.compile(
    r"""["']?(?<![\w-])(?:http_)?status(?:_?[Cc]ode)?["']?[:=]\s?["']?5\d\d\b"""
)
_HTTP: Final = re.compile(r'HTTP/[\d.]+"? 5\d\d\b|"[A-Z]{3,7} /[^" ]*" 5\d\d\b')

# In small letters only where a level stands: in brackets, or before a colon.
_QUIET_WORDS: Final = "|".join(word for word in _BY_WORD if word not in ("note", "alert", "fail"))
_BRACKETED: Final = re.compile(
    rf"[\[(<|]\s?(?:[a-z_]+:)?({_QUIET_WORDS})\s*[\])>|:]", re.IGNORECASE
)
_LETTER: Final = re.compile(r"\[(?<!\S\[)([EFCWIDT])\]")
_COLON: Final = re.compile(
    r"(?<![\w/.$=-])(error|err|fatal|panic|warning|warn|fail|crit|critical)(?:\[[\w-]+\])?:"
    r"(?!\s*(?:(?:none|null|nil|0|false|ok)\b|<nil>)|\S)",
    re.IGNORECASE,
)
_DASHED: Final = re.compile(rf" - ({_QUIET_WORDS}) - ", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"(?<![\w/.$=-])[Ee]rror (?:no\.? |code:? |#)?[1-9]\d*(?![\w.%])")
_STARTS: Final = re.compile(
    r"Traceback \(most recent|Exception in thread|panic: |fatal error: |thread '.*' panicked"
    r"|PHP (?:Fatal|Parse) |SIG[A-Z]{3,4}: |\s*\+ Exception Group Traceback"
    r"|(?:info|dbug|trce): \S"
    r"|(?:Error|Failed)(?: to | \w+ing | in | while | during | response from )"
    r"|(?:Uncaught|Unhandled) |\S+\.rb:\d+:in "
)
_RAISED: Final = re.compile(r"(?<![\w/])(?:[A-Za-z_]\w*[.$])*\w*(?:Error|Exception)(?::\s|:?\Z)")
_KERNEL: Final = re.compile("Out of memory: |segfault at |Segmentation fault|core dumped")
_GLOG: Final = re.compile(r"([EFWID])(?:\d{4} \d\d:\d\d:\d\d|, \[\d{4}-)")
_SYSLOG: Final = re.compile(r"<(\d{1,3})>")
_SYSLOG_LEVELS: Final = (*[Level.ERROR] * 4, Level.WARN, Level.INFO, Level.INFO, Level.DEBUG)


def level(text: str) -> Level:
    """What a line says of itself; NONE where it says nothing.

    An answer with an HTTP status of 5xx in a line of an access log is an error, whatever level the
    logger gave it; one of 4xx says nothing, as anybody on the net can cause it.
    """
    said = _said(text)
    if said is _ERROR or said is _WARN:
        return said
    if " 5" in text and ("HTTP/" in text or '" 5' in text) and _HTTP.search(text):
        return _ERROR
    if "tatus" in text and _STATUS_FIELD.search(text):
        return _ERROR
    return said


def _said(text: str) -> Level:
    first = text[:1]
    if "eve" in text or "lvl" in text or "EVE" in text:
        for stem in _STEMS:
            if stem in text and (known := _in_field(text, stem)):
                return known
    if first == "{":
        found = _SHORT_FIELD.search(text)
        return _named(found[1]) if found else _NONE
    if first == "<" and (found := _SYSLOG.match(text)):
        return _SYSLOG_LEVELS[int(found[1]) % 8]
    if first in "EFWID" and (found := _GLOG.match(text)):
        return _BY_LETTER[found[1]]
    found = _SHOUT.search(text)
    while found:
        if not _denied(text, found.start()):
            return _BY_SHOUT[found[0]]
        found = _SHOUT.search(text, found.end())
    return _told(text)


def _in_field(text: str, stem: str) -> Level:
    """What a field says whose name has this stem, as `level` or `log.level` have `evel`."""
    at = text.find(stem)
    for _ in range(_FEW):
        if at < 0:
            break
        found = _VALUE.match(text, at + len(stem))
        if found:
            start = at if stem == "lvl" else at - 1
            before = text[max(0, start - 4) : start]
            last = before[-1:]
            named = not (last.isalnum() or last in ("_", "-", ".", "\\"))
            named = named or before.rstrip("._-").lower().endswith("log")
            if named and not before.endswith('\\"') and (known := _named(found[1])):
                return known
        at = text.find(stem, at + 1)
    return Level.NONE


def _denied(text: str, start: int) -> bool:
    """Whether what stands before a word says that there is none of it."""
    last = text[start - 1 : start]
    if last == " ":
        last = text[start - 2 : start - 1]
    return last in _NO_ENDS and bool(_NO.search(text, max(0, start - 9), start))


def _told(text: str) -> Level:
    """What is said in small letters, or by what a runtime prints when it fails."""
    bad = "rror" in text or "arn" in text or "atal" in text or "anic" in text or "rit" in text
    bad = bad or "ail" in text or "merg" in text or "evere" in text
    if (bad or "nfo" in text or "ebug" in text or "otice" in text or "race" in text) and (
        found := _BRACKETED.search(text) or (_DASHED.search(text) if " - " in text else None)
    ):
        return _BY_WORD[found[1].lower()]
    if "[" in text and (found := _LETTER.search(text)):
        return _BY_LETTER[found[1]]
    if found := _STARTS.match(text):
        return _BY_WORD.get(found[0][:4], Level.ERROR) if found[0][0] in "it" else Level.ERROR
    if bad or "err:" in text:
        found = _COLON.search(text)
        if found and not _denied(text, found.start()):
            return _BY_WORD[found[1].lower()]
    if "rror " in text and (found := _NUMBERED.search(text)) and not _denied(text, found.start()):
        return Level.ERROR
    if ("Error" in text or "Exception" in text) and _RAISED.search(text):
        return Level.ERROR
    if "egfault" in text or "Segm" in text or "Out of m" in text or "core du" in text:
        return Level.ERROR if _KERNEL.search(text) else Level.NONE
    return Level.NONE


def _named(value: str) -> Level:
    """A level by its word, its letter, or its number: of pino and bunyan, or of syslog."""
    if value.isdecimal():
        number = int(value)
        if number >= 10:
            return (Level.DEBUG, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.ERROR)[
                min(number // 10, 6) - 1
            ]
        return _SYSLOG_LEVELS[number] if number < 8 else Level.NONE
    if len(value) == 1:
        return _BY_LETTER.get(value.upper(), Level.NONE)
    return _BY_WORD.get(value.lower(), Level.NONE)
