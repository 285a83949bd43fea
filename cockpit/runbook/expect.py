"""Whether an output is what the author expects: a suggestion, only where the words can be checked.

Everything here would rather say nothing than something wrong: what has a word too many, such as
"not", "if" or "about", is left for the responder to judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cockpit.text import Safe, clean_line

SHOWN = 48


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a look at the output suggests; why says it in words (`has "ok"`, `printed 503`)."""

    matches: bool
    why: Safe


@dataclass(frozen=True, slots=True)
class _Seen:
    """An output as it is checked. whole: nothing of it is missing, so what is not there is not."""

    text: str
    exit_status: int | None
    whole: bool

    @property
    def bare(self) -> str:
        return self.text.strip()


_Rule = Callable[[str, _Seen], Suggestion | None]

_LITERAL = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|`([^`\n]+)`|(?<!\w)'([^'\n]+)'(?!\w)")
_MARK = "\0"
_MARKS = r"\0(?:\s*(?:,|/|\||and|or|&|,\s*and|,\s*or)\s*\0)*"
_CUT = re.compile(r"^\[\.\.\. \d+ bytes left out \.\.\.\]$", re.MULTILINE)

# Words that only lead to what is expected: they can go without changing it.
_LEAD = re.compile(
    r"(?:expect(?:ed)?(?:\s+(?:output|result|response|value|to (?:see|get|be)))?\s*:?\s+"
    r"|(?:you|it|this|that|there|which|(?:the\s+)?(?:output|result|response|command|value|number|"
    r"count|status|state|health|endpoint|service|container|query|request|answer|body|page))\s+"
    r"(?=should|must|will|returns?|shows?|prints?|says?|contains?|is\b|has\b|are\b|includes?)"
    r"|(?:should|must|will)\s+(?:now\s+|also\s+)?(?=[a-z])"
    r"|you\s+see\s+"
    r"|(?:see|get|show|return|print|say|be|contain|include|have|read|output|report|respond with|"
    r"receive|display|list|equal)s?\s*:?\s+"
    r"|(?:is|are|has|exactly|equals)\s+|=+\s*"
    r"|(?:a|an|the)\s+|at least one\s+|(?:a\s+)?lines?\s+(?:with|like|containing|that says)\s+"
    r"|(?:output|result|response|value|status|state|health)\s*(?::|of\b)?\s*(?=[\0\"`'0-9]))",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"\s*(?:in (?:the )?(?:output|response|log|logs|result|list|body)|(?:is |are )?(?:listed|shown|"
    r"printed|returned|present|displayed)|line|message|status|state)?\s*[.!]?\s*\Z",
    re.IGNORECASE,
)
# Behind these words a name is said not to be what it is: `not running`, `no errors`.
_DENIED = re.compile(r"\b(?:not|no|never|isn't|without|non|cannot|can't)[\s-]+\Z", re.IGNORECASE)
_NONE_OF = re.compile(r"\b(?:no|0|zero|without)\s+\Z", re.IGNORECASE)
_DOUBTED = re.compile(
    r"\b(?:not|no|never|without|if|unless|when|until|except|about|around|approximately|roughly|"
    r"typically|usually|should|may|might|could|or|similar|like|e\.g|example|than|varies|depends?|"
    r"other|else|different|instead|before|after|but)\b|n't\b|\.\.\.|…|[<>$]|\b[xX]{2,}\b",
    re.IGNORECASE,
)
# One bare word that says something about the output instead of standing in it.
_TALK = re.compile(
    r"success\w*|fine|good|normal\w*|similar|varies|errors?|warnings?|failures?|yes|no|true|false|"
    r"nothing|none|lists?|output|text|numbers?|version|date|time|same|something|anything|"
    r"different|empty|exit|status|done|json|table|values?|lines?",
    re.IGNORECASE,
)

# What is surely an error, and what may be one: `errors.log`, `0 errors`, `failed: 0`.
_ERROR = re.compile(r"\b(?:ERROR|FATAL|PANIC|CRITICAL|Traceback)\b(?!\S*\s*[:=]\s*0\b)")
_PERHAPS = re.compile(r"err|fatal|panic|exception|traceback|critical|fail", re.IGNORECASE)
_STATE = re.compile(
    r"(?:up|running|healthy|active|started)(?:\s*\((?:healthy|running)\))?", re.IGNORECASE
)
_BAD_STATE = re.compile(
    r"\b(?:unhealthy|restarting|exited|dead|created|paused|inactive|failed|stopped|removing|"
    r"health: starting)\b|\bnot running\b",
    re.IGNORECASE,
)

_NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
_COMPARED = re.compile(
    r"(?P<what>(?:(?:a |the )?(?:number|count|value|total|result|use%?|usage|percentage|size|"
    r"[a-z]+%)\s*(?:is\s+|of\s+(?:rows|lines|users|records|orders)\s+(?:is\s+)?)?)?)"
    r"(?P<sign>>=|<=|=>|=<|≥|≤|>|<|==?|(?:greater|more|higher|larger|over|above|bigger)(?:\s+than)?"
    r"|(?:less|fewer|lower|smaller|under|below)(?:\s+than)?|at least|at most|no more than|"
    r"not more than|exactly)\s*(?P<number>" + _NUMBER + r")\s*(?P<percent>%|percent)?"
    r"(?P<more>\s+or (?:more|less))?",
    re.IGNORECASE,
)
_RANGE = re.compile(
    rf"(?:(?:a )?(?:number|count|value)\s*)?(?:between\s+)({_NUMBER})\s+and\s+({_NUMBER})\s*(%?)",
    re.IGNORECASE,
)
_SIGNS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    ">": ("above", lambda a, b: a > b),
    ">=": ("at least", lambda a, b: a >= b),
    "<": ("below", lambda a, b: a < b),
    "<=": ("at most", lambda a, b: a <= b),
    "=": ("", lambda a, b: a == b),
}
_HTTP = re.compile(
    r"(?:an?\s+)?(?:(?:http(?:s)?(?:/[\d.]+)?\s*)?(?:status|response|return)?\s*(?:code)?\s*:?\s*)?"
    r"(?P<code>[1-5](?:\d\d|xx))(?:\s*(?:\(?ok\)?|created|no content|accepted|found|unauthorized|"
    r"forbidden|not found|method not allowed))?(?:\s+(?:status|response|code|http status)){0,2}",
    re.IGNORECASE,
)
_HTTP_WORD = re.compile(r"http|status|response|code|xx", re.IGNORECASE)
_HTTP_LINE = re.compile(r"\bHTTP/[\d.]+\s+(\d{3})\b")
_HTTP_SAID = re.compile(
    r"(?:\bHTTP(?:[ _-]?(?:status|code))?|\bstatus(?:[ _]?code)?)[\"']?\s*[:= ]\s*([1-5]\d\d)\b",
    re.IGNORECASE,
)
_EXIT = re.compile(
    r"(?:exits?|return(?:s|ed)?|finish(?:es|ed)?)\s*(?:with\s+)?(?:a\s+)?(?:exit\s+)?"
    r"(?:code|status|value)?\s*(?:of\s+|is\s+|:\s*|=\s*)?(?P<code>\d{1,3}|zero)"
    r"|exit(?:s)?\s+(?:with\s+)?(?P<other>non-?zero)(?:\s+(?:code|status))?",
    re.IGNORECASE,
)
_EXIT_WORD = re.compile(r"exit", re.IGNORECASE)
_EMPTY = re.compile(
    r"(?:no output|nothing(?: is (?:printed|shown|listed|returned))?|empty(?: (?:output|result|"
    r"response|list))?|no (?:results?|rows?|lines?)(?: (?:returned|found|listed))?|0 rows|"
    r"(?:output|result|list|response) (?:should be |must be |is )?empty)(?: at all)?",
    re.IGNORECASE,
)
_NO_ERRORS = re.compile(
    r"(?:no (?:new |more |further |visible )?errors?(?: (?:messages?|lines?|entries))?|"
    r"error[- ]free|without (?:any )?errors?)(?: (?:in|on) (?:the )?(?:logs?|output|result))?",
    re.IGNORECASE,
)
_WITHOUT = re.compile(
    r"(?:should|must|does|do|will)(?:\s+not|n't)\s+(?:contain|show|have|include|print|say|be|see|"
    r"list|return)\s+(?:any\s+)?(?:the\s+)?|no\s+(?=\0)|without\s+(?:any\s+)?(?=\0)",
    re.IGNORECASE,
)


def suggest(
    expected: str, output: str, exit_status: int | None, *, whole: bool = True
) -> Suggestion | None:
    """What the output suggests, by the author's words; None where a person has to judge.

    exit_status: None while it is not known: then, as where the output is not whole, nothing is
    said of what is not there. A suggestion is never more than that: it ticks nothing.
    """
    whole = whole and exit_status is not None
    whole = whole and "[REDACTED:" not in output and not _CUT.search(output)
    seen = _Seen(output, exit_status, whole)
    if "\n" in expected.strip():
        # Mostly an output as an example: only the very same says something.
        return _yes("printed just that") if _same(expected, output) else None
    words = re.sub(r"^[\s>•*_-]*(?:✅|✓)?\s*", "", " ".join(expected.split()))
    for rule in _RULES if words else ():
        found = rule(words, seen)
        if found is not None:
            return found
    return None


def applies(condition: str, output: str, exit_status: int | None, *, whole: bool = True) -> bool:
    """Whether the "if" of a reference is certainly so: `If "locked": See ...`, `If 503, see ...`.

    False where it is not, and where it cannot be told.
    """
    head = re.match(
        r"\W*(?:if|when)\s+(?:it\s+|you\s+|the\s+\w+\s+|there\s+(?:is|are)\s+)?"
        r"(?:says?\s+|shows?\s+|see\s+|prints?\s+|is\s+|returns?\s+|contains?\s+)?(.+?)"
        r"\s*(?:[:,;]\s+|\s+[→–—-]+>?\s+|\s+(?=see\b|go to\b|follow\b))",
        condition,
        re.IGNORECASE,
    )
    if not head:
        return False
    said = re.sub(r"\s+is (?:listed|printed|shown)\Z", "", head[1], flags=re.IGNORECASE)
    if re.fullmatch(r"(?:it |this |that |the command )?(?:still )?fails?", said, re.IGNORECASE):
        return bool(exit_status)
    wanted = not re.match(r"not\s", said, re.IGNORECASE)
    said = re.sub(r"^not\s+", "", said, flags=re.IGNORECASE)
    # That a command failed does not make less true what it printed.
    for status in {exit_status: None, exit_status and 0: None}:
        found = suggest(said, output, status, whole=whole)
        if found is not None:
            return found.matches is wanted
    return False


def literals(text: str) -> tuple[str, ...]:
    """The quoted and code words of a text, in order."""
    return tuple(_word(match) for match in _LITERAL.finditer(text))


def _word(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def _same(expected: str, output: str) -> bool:
    one, other = (
        [line.rstrip() for line in text.strip().split("\n")] for text in (expected, output)
    )
    return one == other


def _stripped(words: str) -> str:
    """The author's words without the ones that only lead to what is expected."""
    while (match := _LEAD.match(words)) and match.end():
        words = words[match.end() :]
    return words


# Rules: each takes what it can read to its last word, and leaves everything else.


def _without(words: str, seen: _Seen) -> Suggestion | None:
    text, held = _hold(words)
    if _NO_ERRORS.fullmatch(_TAIL.sub("", _stripped(text))) and not held:
        for found in _ERROR.finditer(seen.text):
            if not _NONE_OF.search(seen.text[max(0, found.start() - 16) : found.start()]):
                return _no(f"has {_quote(_line_of(seen.text, found.start()))}")
        clear = seen.whole and not seen.exit_status and not _PERHAPS.search(seen.text)
        return _yes("has no line with an error") if clear else None
    match = _WITHOUT.search(text)
    if (
        not match
        or not held
        or not re.fullmatch(r"[\0,\s]*(?:(?:or|and)\s+\0\s*)*\.?", text[match.end() :])
    ):
        return None
    if _stripped(text[: match.start()]).strip() not in ("", "output", "it", "log", "logs", "you"):
        return None
    for word in held:
        if _find(word, seen.text):
            return _no(f"has {_quote(word)}")
    if any(word.casefold() in seen.text.casefold() for word in held):
        return None
    return _yes(f"has no {_listed(held, 'or')}") if seen.whole else None


def _look_for(words: str, seen: _Seen) -> Suggestion | None:
    """Says what of it is there; that nothing is there may be good or bad."""
    match = re.match(r"look for\s*:?\s+", words, re.IGNORECASE)
    if not match:
        return None
    text, held = _hold(words[match.end() :].rstrip(". "))
    if not held:
        held = re.split(r"\s*,\s*(?:(?:or|and)\s+)?|\s+(?:or|and)\s+|\s*/\s*", text)
        if not all(re.fullmatch(r"[A-Z][A-Z0-9_]+", word) for word in held):
            return None
        if len(held) == 1 and not _ERROR.fullmatch(held[0]):
            # The name of a column, as likely as not.
            return None
    elif not re.fullmatch(_MARKS, text, re.IGNORECASE):
        return None
    there = [word for word in held if _find(word, seen.text)]
    return _yes(f"has {_listed(there, 'and')}") if there else None


def _literals(words: str, seen: _Seen) -> Suggestion | None:
    text, held = _hold(words)
    rest = _TAIL.sub("", _stripped(text))
    if not held:
        return None
    if not re.fullmatch(_MARKS, rest, re.IGNORECASE):
        return None
    joins = {join.strip(" ,").lower() for join in re.split("\0", rest)[1:-1]} - {""}
    either = bool(joins & {"or", "/", "|"})
    if either and joins & {"and", "&"}:
        return None
    places = [_find(word, seen.text) for word in held]
    if seen.bare and any(seen.bare == word.strip() for word in held) and (either or len(held) == 1):
        return _yes(f"printed {_quote(seen.bare)}")
    there = [word for word, place in zip(held, places, strict=True) if place]
    doubtful = [word for word, place in zip(held, places, strict=True) if place is False]
    absent = [word for word, place in zip(held, places, strict=True) if place is None]
    if (there and either) or (there and not absent and not doubtful):
        said = there if either else held
        return _yes(f"has {_listed(said, 'and')}") if not seen.exit_status else None
    if (either and doubtful) or not absent or not seen.whole:
        return None
    if any(word.casefold() in seen.text.casefold() for word in absent):
        # It stands there in another case, or as a part of a word: a person can tell, we cannot.
        return None
    return _no(f"has no {_listed(absent, 'or')}")


def _state(words: str, seen: _Seen) -> Suggestion | None:
    text, held = _hold(words)
    rest = _TAIL.sub("", _stripped(held[0] if text == _MARK else text))
    if not _STATE.fullmatch(rest) or len(held) > 1:
        return None
    wanted = re.findall(r"\w+", rest)
    good = all(re.search(rf"(?<![\w-]){word}\b", seen.text, re.IGNORECASE) for word in wanted)
    bad = _BAD_STATE.search(seen.text)
    if bad and not good:
        return _no(f"has {_quote(_line_of(seen.text, bad.start()))}")
    if bad or not good or seen.exit_status or any(_denied(word, seen.text) for word in wanted):
        # Of several containers one may be up and another not: which one is meant?
        return None
    return _yes(f"has {_listed(wanted, 'and')}")


def _exit(words: str, seen: _Seen) -> Suggestion | None:
    match = _EXIT.fullmatch(_TAIL.sub("", _stripped(words))) or _EXIT.fullmatch(
        re.sub(r"^(?:should|must|it|command)\s+", "", words.rstrip(". "), flags=re.IGNORECASE)
    )
    if not match or not _EXIT_WORD.search(words) or seen.exit_status is None:
        return None
    if match["other"]:
        good = seen.exit_status != 0
    else:
        good = seen.exit_status == (0 if match["code"].lower() == "zero" else int(match["code"]))
    return Suggestion(good, Safe(f"exit status {seen.exit_status}"))


def _empty(words: str, seen: _Seen) -> Suggestion | None:
    words = words.strip(". ()<>[]")
    if not (_EMPTY.fullmatch(_TAIL.sub("", _stripped(words))) or _EMPTY.fullmatch(words)):
        return None
    if seen.bare:
        return _no(f"printed {_quote(seen.bare)}")
    return _yes("printed nothing") if seen.whole else None


def _http(words: str, seen: _Seen) -> Suggestion | None:
    text, held = _hold(words)
    rest = _TAIL.sub("", _stripped(held[0] if text == _MARK else text))
    match = _HTTP.fullmatch(rest)
    if not match or (held and text != _MARK):
        return None
    wanted = match["code"].lower()
    if seen.bare.isdecimal():
        if not seen.whole:
            return None
        given = seen.bare
    elif lines := _HTTP_LINE.findall(seen.text):
        given = lines[-1]
    elif _HTTP_WORD.search(words) and len(set(_HTTP_SAID.findall(seen.text))) == 1:
        given = _HTTP_SAID.findall(seen.text)[0]
    else:
        return None
    good = given == wanted or (wanted.endswith("xx") and len(given) == 3 and given[0] == wanted[0])
    if not good and not seen.whole:
        return None
    said = "printed" if given == seen.bare else "answered"
    return Suggestion(good, Safe(f"{said} {given[:SHOWN]}"))


def _number(words: str, seen: _Seen) -> Suggestion | None:
    rest = _TAIL.sub("", _stripped(words)).strip("`\"'")
    if re.fullmatch(_NUMBER, rest):
        wanted, given = _value(rest), _only_number(seen.bare, percent=False)
        if given is None or not seen.whole:
            return None
        return Suggestion(given == wanted, Safe(f"printed {_quote(seen.bare)[1:-1]}"))
    bounds: list[tuple[str, float]] = []
    percent = False
    if match := _COMPARED.fullmatch(rest) or _COMPARED.fullmatch(words.rstrip(". ")):
        sign = _sign(match["sign"].lower(), (match["more"] or "").strip().lower())
        bounds, percent = [(sign, _value(match["number"]))], bool(match["percent"])
        percent = percent or "%" in match["what"]
    elif match := re.fullmatch(rf"({_NUMBER})\s*(%?)\s*or (more|less|higher|lower|above)", rest):
        sign = ">=" if match[3] in ("more", "higher", "above") else "<="
        bounds, percent = [(sign, _value(match[1]))], bool(match[2])
    elif match := _RANGE.fullmatch(rest):
        bounds = [(">=", _value(match[1])), ("<=", _value(match[2]))]
        percent = bool(match[3])
    given = _only_number(seen.bare, percent=percent) if bounds and seen.whole else None
    if given is None:
        return None
    for sign, bound in bounds:
        said, holds = _SIGNS[sign]
        if not holds(given, bound):
            return _no(f"printed {given:g}, not {said} {bound:g}".replace("not  ", "not "))
    said = " and ".join(f"{_SIGNS[sign][0]} {bound:g}".strip() for sign, bound in bounds)
    return _yes(f"printed {given:g}, {said}")


def _bare_word(words: str, seen: _Seen) -> Suggestion | None:
    """One word without quotes, such as `running` or `PONG`, where it is all that is printed."""
    rest = _TAIL.sub("", _stripped(words))
    if " " in rest or not re.search(r"[A-Za-z]{2}", rest) or _TALK.fullmatch(rest):
        return None
    if _DOUBTED.search(rest) or seen.exit_status or seen.bare != rest:
        return None
    return _yes(f"printed {_quote(rest)}")


_RULES: tuple[_Rule, ...] = (
    _look_for,
    _exit,
    _empty,
    _without,
    _http,
    _number,
    _state,
    _literals,
    _bare_word,
)


# Parts of rules


def _hold(words: str) -> tuple[str, list[str]]:
    """The text with a mark for each quoted word, and those words."""
    return _LITERAL.sub(_MARK, words), list(literals(words))


def _find(word: str, text: str) -> bool | None:
    """True where the word stands in the text; False where only behind a "not"; None where not.

    As a whole: "up" is not in "setup", nor "0 orders" in "10 orders".
    """
    before = r"(?<![^\W_])" if word[:1].isalnum() else ""
    after = r"(?![^\W_])" if word[-1:].isalnum() else ""
    found: Iterator[re.Match[str]] = re.finditer(before + re.escape(word) + after, text)
    verdict: bool | None = None
    for match in found:
        if not _DENIED.search(text[max(0, match.start() - 16) : match.start()]):
            return True
        verdict = False
    return verdict


def _denied(word: str, text: str) -> bool:
    return any(
        _DENIED.search(text[max(0, match.start() - 16) : match.start()])
        for match in re.finditer(re.escape(word), text, re.IGNORECASE)
    )


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _only_number(text: str, *, percent: bool) -> float | None:
    """The one number of an output: all that is printed, or the one percentage in it."""
    if re.fullmatch(rf"{_NUMBER}\s*%?", text):
        return _value(text.rstrip("% "))
    if percent:
        found = re.findall(rf"(?<![\w.])({_NUMBER})\s*%", text)
        return _value(found[0]) if len(found) == 1 else None
    # psql and sqlite in a box: one column name, a rule, one number, a count of rows.
    lines = [line.strip(" |") for line in text.split("\n")]
    lines = [line for line in lines if line and not re.fullmatch(r"[-+=| ]+|\(\d+ rows?\)", line)]
    if (
        len(lines) == 2
        and re.fullmatch(r"[A-Za-z_][\w() *.]*", lines[0])
        and re.fullmatch(_NUMBER, lines[1])
    ):
        return _value(lines[1])
    return None


def _sign(sign: str, more: str) -> str:
    if more == "or more":
        return ">="
    if more == "or less":
        return "<="
    first = sign.split()[0]
    if sign in ("at least", "≥", "=>", ">="):
        return ">="
    if sign in ("at most", "no more than", "not more than", "≤", "=<", "<="):
        return "<="
    if first in (">", "greater", "more", "higher", "larger", "over", "above", "bigger"):
        return ">"
    if first in ("<", "less", "fewer", "lower", "smaller", "under", "below"):
        return "<"
    return "="


def _line_of(text: str, at: int) -> str:
    return text[text.rfind("\n", 0, at) + 1 :].split("\n", 1)[0].strip()


def _quote(text: str) -> str:
    line, *more = text.strip().split("\n")
    if len(line) > SHOWN:
        line = line[: SHOWN - 1] + "…"
    return f'"{line}"' + (" and more" if more else "")


def _listed(words: list[str], last: str) -> str:
    quoted = [_quote(word) for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def _yes(why: str) -> Suggestion:
    return Suggestion(True, clean_line(why))


def _no(why: str) -> Suggestion:
    return Suggestion(False, clean_line(why))
