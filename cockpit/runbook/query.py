"""Words, an alert's name or a pasted log line -> what to ask the index for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from cockpit.runbook.gist import split

_MOST_CHARS = 4000
_MOST_WORDS = 8
_MOST_PHRASES = 10
_TOKEN = re.compile(r"[^\W_]+")
_ESCAPES = re.compile("(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]")
# What differs each time a line is logged, and so says nothing of what it means.
_ID = r"(?=[0-9A-Fa-f-]*[0-9])[0-9A-Fa-f]{4,}(?:-?[0-9A-Fa-f]{4,})+"
_TIME = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d(?:[T ,_]*\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?)?"
    r"|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s+\d{1,2}\b"
    r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
)
_PASSING = re.compile(
    rf"\b(?:{_ID}|0x[0-9A-Fa-f]+|\d+(?:\.\d+){{1,3}}(?::\d+)?|\d+(?:ms|us|ns|s|m|h|[KMG]i?B?))\b"
)
_NUMBER = re.compile(r"\b(?<!code )(?<!status )(?<!signal )(?<!errno )(?![45]\d\d\b)\d+\b")
_COMMON = frozenset(
    """a an and are as at be been by can did do does for from had has have how i if in into is it
    its my no not of on or our so that the then there these this to up was we were what when where
    which while why will with you your""".split()  # noqa: SIM905
)
_OF_LOGS = frozenset(
    """level info warn warning error err debug trace notice msg message time ts timestamp logger
    thread caller line file stdout stderr main at most recent call last""".split()  # noqa: SIM905
)
_SUFFIXES = ("ing", "ies", "ed", "es", "s")


class Vocabulary(Protocol):
    """What an index knows of words."""

    def count(self, words: Sequence[str]) -> dict[str, int]:
        """In how many runbooks each word stands; without those that stand in none."""

    def begins(self, start: str) -> bool:
        """Whether any word begins so."""

    def near(self, word: str) -> str:
        """The known word that this one was likely meant to be; empty where none is near."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask FTS5 for: any of it, or all of it.

    words: the starts of words to look for; phrases: words that were asked for together. All of it
    is made of letters and digits, so that nothing which was typed or pasted can be syntax.
    """

    any: str
    every: str
    words: tuple[str, ...]
    phrases: tuple[str, ...] = ()


def understand(text: str, known: Vocabulary, *, typing: bool = False) -> Query | None:
    """What to look for; None where there is nothing to look for in the text.

    typing: the last word may not be finished.
    """
    text = _ESCAPES.sub(" ", text[:_MOST_CHARS])
    if is_log(text):
        return _of_log(text, known)
    words = [word for word in text.split() if _TOKEN.search(word)]
    wanted = [word for word in words if word.lower().strip("?!.,") not in _COMMON] or words
    unfinished = typing and bool(text) and not text[-1].isspace()
    if unfinished and len(wanted) > 1 and len(wanted[-1]) == 1:  # one letter says nothing yet
        wanted, unfinished = wanted[:-1], False
    whole = " ".join(part for word in words for part in tokens(word))
    return _of_words(wanted, whole, known, unfinished) if wanted else None


def is_log(text: str) -> bool:
    """Whether this looks pasted rather than typed."""
    text = text.strip()
    return "\n" in text or len(text.split()) > 8 or len(text) > 80 or bool(_TIME.search(text))


def fold(text: str) -> str:
    """Lower case without accents, as the index has its words."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFD", text.lower())
    return "".join(char for char in apart if not unicodedata.combining(char))


def tokens(text: str) -> list[str]:
    """The words of a text as the index has them."""
    return _TOKEN.findall(fold(text))


def stem(word: str) -> str:
    """The start that its other forms share: locked, locks and locking begin with lock."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def _of_words(words: list[str], whole: str, known: Vocabulary, unfinished: bool) -> Query:
    every: list[str] = []
    some: list[str] = []
    starts: list[str] = []
    for place, word in enumerate(words):
        last = unfinished and place == len(words) - 1
        parts = tokens(word)
        each = []
        humps = tokens(split(word))
        named = len(humps) > 1 and humps != parts
        for part in parts if named else [_mend(part, known) for part in parts]:
            starts.append(stem(part) if len(stem(part)) >= 4 else part)
            each.append(_forms(part, last))
        ways = [" AND ".join(f"({form})" for form in each)]
        if len(parts) > 1:
            some.append(_phrase(parts))
        if named:
            starts += humps
            humps_ways = [_forms(part, False) for part in humps]
            some += [_phrase(humps), *humps_ways]
            ways.append(" AND ".join(f"({form})" for form in humps_ways))
        some += each
        every.append(" OR ".join(f"({way})" for way in ways))
    if " " in whole:
        some.append(f'"{whole}"{" *" if unfinished else ""}')
        some += [_phrase(list(pair)) for pair in pairwise(whole.split())]
    return Query(
        " OR ".join(dict.fromkeys(some)),
        " AND ".join(f"({way})" for way in every),
        tuple(dict.fromkeys(starts)),
        (whole,) if " " in whole else (),
    )


def _of_log(text: str, known: Vocabulary) -> Query | None:
    """The rarest words of it, and what stands together in it."""
    for passing in (_TIME, _PASSING, _NUMBER):
        text = passing.sub(" . ", text)
    runs = [tokens(run) for run in re.split(r"[.;|{}\[\]]\s|\n", text)]
    humps = [part for word in text.split() for part in tokens(split(word))]
    seen = list(dict.fromkeys([*(word for run in runs for word in run), *humps]))[:400]
    counts = known.count(seen)
    telling = [
        word
        for word in seen
        if word in counts and word not in _COMMON and word not in _OF_LOGS and len(word) > 1
    ]
    telling = telling or [word for word in seen if word in counts]
    if not telling:
        return None
    rare = sorted(telling, key=lambda word: counts[word])[:_MOST_WORDS]
    chosen = set(telling)
    phrases = [
        run[at : at + size]
        for size in (4, 3, 2)
        for run in runs
        for at in range(len(run) - size + 1)
        if all(word in counts for word in run[at : at + size])
        and sum(word in chosen for word in run[at : at + size]) > 1
    ]
    phrases = phrases[:_MOST_PHRASES]
    some = [_phrase(phrase) for phrase in phrases]
    some += [_forms(word, False) for word in rare]
    every = " AND ".join(f'"{word}"' for word in rare)
    together = tuple(" ".join(phrase) for phrase in phrases if len(phrase) > 2)
    return Query(" OR ".join(dict.fromkeys(some)), every, tuple(rare), together)


def _mend(word: str, known: Vocabulary) -> str:
    if len(word) < 4 or word.isdigit() or known.begins(stem(word)):
        return word
    return known.near(word) or word


def _forms(word: str, unfinished: bool) -> str:
    """The word as it is, and what begins like it: its other forms, or what it may become."""
    start = stem(word)
    return f'"{word}" OR "{start}" *' if unfinished or len(start) >= 4 else f'"{word}"'


def _phrase(words: list[str]) -> str:
    return f'"{" ".join(words)}"'


@lru_cache(maxsize=4096)
def distance(one: str, other: str) -> int:
    """How many letters to change, leave out, put in or swap to make one of the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
