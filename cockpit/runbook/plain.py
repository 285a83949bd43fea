"""Commands that need no grammar: plain words, quotes, pipes and lists, split without a parser.

Four of five commands of a runbook are such. What is not is left to the parser of shell, which takes
some ten times as long and must give the same answer for what is split here: a test compares them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cockpit.runbook.programs import names_of

Pipelines = list[list[tuple[list[str], bool]]]
"""What runs one after the other; of each part of a pipe its words, and whether it is redirected."""

_PLAIN = r"[\w./=:,@%+~^*?-]"
_VARIABLE = r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})"
_WORDS = re.compile(rf"(?:{_PLAIN}|[ \t])*", re.ASCII)
_TOKEN = re.compile(
    r"(?P<blank>[ \t]+(?:\\\n[ \t]*)*)"
    r"|(?P<away>[12&]?>>?[ \t]*/dev/null(?=[ \t\n;|&]|\Z)|[12]?>&[12](?=[ \t\n;|&]|\Z))"
    rf"|(?P<word>(?:{_PLAIN}+|{_VARIABLE}|'[^']*'|\"(?:[^\"$`\\]|{_VARIABLE})*\")+)"
    r"|(?P<pipe>\|(?!\|&))"
    r"|(?P<next>&&|\|\||;(?!;)|\n)",
    re.ASCII,
)
_PROGRAM = re.compile(r"[\w./~][\w./~:+-]*", re.ASCII)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_GRAMMAR = names_of(
    "if then elif else fi for while until do done case in esac select function time coproc declare "
    "typeset export readonly local unset unsetenv"
)
"""Words that are no program where a command starts."""


@lru_cache(maxsize=1024)
def split(text: str) -> Pipelines | None:
    """The commands in a text with their words, quotes removed; None where a grammar is needed."""
    if _WORDS.fullmatch(text):
        words = text.split()
        return [[(words, False)]] if words and _starts(words[0]) else None
    return _split(text)


def _starts(word: str) -> bool:
    return bool(_PROGRAM.fullmatch(word)) and word not in _GRAMMAR


def _split(text: str) -> Pipelines | None:
    found: Pipelines = [[]]
    words: list[str] = []
    at, size, redirected, glued, due = 0, len(text), False, False, False
    while at < size:
        match = _TOKEN.match(text, at)
        if not match:
            return None
        at = match.end()
        kind = match.lastgroup
        if kind == "blank":
            glued = False
        elif kind == "away":
            if not words or glued:
                return None
            redirected = glued = True
        elif kind == "word":
            word = _unquoted(match[0])
            if glued or redirected or (not words and not _starts(word)):
                return None
            words.append(word)
            glued, due = True, False
        else:
            if words:
                found[-1].append((words, redirected))
            elif match[0] != "\n":
                return None
            if kind == "pipe":
                due = True
            elif match[0] != "\n" or not due:
                due = match[0] in ("&&", "||")
                if found[-1]:
                    found.append([])
            words, redirected, glued = [], False, False
    if words:
        found[-1].append((words, redirected))
    if not found[-1]:
        found.pop()
    return None if due or not found else found


def _unquoted(word: str) -> str:
    if "'" not in word and '"' not in word:
        return word
    return _QUOTED.sub(lambda match: match[1] if match[1] is not None else match[2], word)
