"""Which runbooks fit best, and which of their words say so."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from cockpit.runbook import headings, query
from cockpit.runbook.gist import FIELDS, split
from cockpit.runbook.store import COLUMNS

_WEIGHTS = (10.0, 8.0, 5.0, 4.0, 3.0, 3.0, 2.0, 1.0)
_CANDIDATES = 40
_EXCERPT = 100
_SHORT = 40
_ASIS = 1.6
_NAMES = {
    "alerts": "alert",
    "symptoms": "symptom",
    "past": "past incident",
    "headings": "heading",
    "literals": "log",
    "commands": "command",
    "prose": "text",
}
_QUOTED = re.compile(r"\"[^\"\n]{4,}\"|`[^`\n]{4,}`|“[^”\n]{4,}”")


def has_words(db: sqlite3.Connection) -> bool:
    """Whether it is a real index; a SQLite without FTS5 has only the texts."""
    made = db.execute("SELECT sql FROM sqlite_master WHERE name = 'texts'").fetchone()
    return made is None or made[0].startswith("CREATE VIRTUAL")


class AnyWord:
    """Where nothing is known of words: all may be there."""

    def count(self, words: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(words, 1)

    def begins(self, start: str) -> bool:
        return True

    def near(self, word: str) -> str:
        return ""


class Words:
    """What the index knows of words."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def count(self, words: Sequence[str]) -> dict[str, int]:
        marks = ", ".join("?" * len(words))
        asked = f"SELECT term, doc FROM temp.words WHERE term IN ({marks})"
        return dict(self.db.execute(asked, list(words)).fetchall())

    def begins(self, start: str) -> bool:
        asked = "SELECT 1 FROM temp.words WHERE term >= ? AND term < ? LIMIT 1"
        return self.db.execute(asked, (start, start + "\U0010ffff")).fetchone() is not None

    def near(self, word: str) -> str:
        allowed = 1 if len(word) < 6 else 2
        letters = set(word)
        best = (allowed + 1, 0, "")
        for first in dict.fromkeys(word[:2]):
            terms = self.db.execute(
                "SELECT term, doc FROM temp.words WHERE term >= ? AND term < ?"
                " AND length(term) BETWEEN ? AND ?",
                (first, first + "\U0010ffff", len(word) - allowed, len(word) + allowed),
            )
            for term, count in terms:
                if len(letters.symmetric_difference(term)) <= 2 * allowed:
                    best = min(best, (query.distance(word, term), -count, term))
        return best[2]


def match(
    db: sqlite3.Connection, asked: query.Query
) -> tuple[dict[int, float], dict[int, Sequence[str]]]:
    """Scores and texts of the candidates, by id."""
    weights = ", ".join(map(str, _WEIGHTS))
    found = db.execute(
        f"SELECT rowid, bm25(texts, {weights}) AS score, {COLUMNS} FROM texts"
        " WHERE texts MATCH ? ORDER BY score LIMIT ?",
        (asked.any, _CANDIDATES),
    ).fetchall()
    every = {
        id for (id,) in db.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (asked.every,))
    }
    scores = {id: -score * (1.5 if id in every else 1.0) for id, score, *_ in found}
    return scores, {id: texts for id, _, *texts in found}


def match_plain(
    db: sqlite3.Connection, asked: query.Query
) -> tuple[dict[int, float], dict[int, Sequence[str]]]:
    """As `match`, by looking through all texts."""
    scores: dict[int, float] = {}
    fields: dict[int, Sequence[str]] = {}
    for id, *texts in db.execute(f"SELECT rowid, {COLUMNS} FROM texts"):
        low = [query.fold(text) for text in texts]
        has = [[weight for weight, text in zip(_WEIGHTS, low, strict=True) if word in text]
               for word in asked.words]  # fmt: skip
        if any(has):
            scores[id] = sum(map(max, filter(None, has))) * (1.5 if all(has) else 1.0)
            fields[id] = texts
    best = sorted(scores, key=lambda id: -scores[id])[:_CANDIDATES]
    return {id: scores[id] for id in best}, fields


def fit(asked: query.Query, texts: Sequence[str]) -> float:
    """More where title, alert and symptoms have the words, and more where they stand together."""
    named, symptoms = query.tokens("\n".join(texts[:2])), query.tokens(texts[2])
    score = 1 + 0.8 * _part(asked.words, named) + 0.4 * _part(asked.words, symptoms)
    if asked.phrases:
        there = " ".join([*named, *symptoms, *query.tokens("\n".join(texts[3:6]))])
        score *= _ASIS if any(phrase in there for phrase in asked.phrases) else 1
    return score


def _part(words: Sequence[str], there: Sequence[str]) -> float:
    """Which part of the words some word there begins with."""
    return sum(any(one.startswith(word) for one in there) for word in words) / len(words)


def why(asked: query.Query, texts: Sequence[str]) -> tuple[str, str]:
    """The field and the line of it with most of the words; of equals, the field that tells more."""
    wanted = re.compile(f"(?<![a-z0-9])(?:{'|'.join(map(re.escape, asked.words))})")
    best, name, line, at = 0, "", "", 0
    for field, text in zip(FIELDS, texts, strict=True):
        low = query.fold(text)
        together = 2 if any(phrase.split()[0] in low for phrase in asked.phrases) else 0
        if sum(word in low for word in asked.words) + together <= best:
            continue
        for one, lowered in zip(text.split("\n"), low.split("\n"), strict=True):
            hits = wanted.findall(lowered)
            if not hits:
                continue
            count = len(set(hits))
            if together:
                words = " ".join(query.tokens(one))
                count += 2 * any(phrase in words for phrase in asked.phrases)
            if count > best:
                best, name, line, at = count, field, one, lowered.index(hits[0])
    if not best:
        return "", ""
    if name == "alerts":
        line, at = _as_named(line), 0
    name = (
        "step" if name == "commands" and line.lstrip().startswith("#") else _NAMES.get(name, name)
    )
    return name, _excerpt(line, at)


def _as_named(line: str) -> str:
    """An alert's name without the words that it was split into for the search."""
    cuts = (at for at, sign in enumerate(line) if sign == " ")
    return next((line[:at] for at in cuts if split(line[:at]) == line[at + 1 :]), line)


def _excerpt(line: str, at: int) -> str:
    """What of a line to show for a match at a place: what is quoted there, else what is around."""
    for quoted in _QUOTED.finditer(line):
        if quoted.start() < at < quoted.end():
            line, at = quoted[0][1:-1], 0
    if len(line) > _SHORT and at > _SHORT // 2:
        start = line.find(" ", at - _SHORT // 3)
        line = f"… {line[start + 1 if 0 <= start <= at else at :]}"
    line = headings.plain(line.lstrip("#-*>|[] \t"))
    return line if len(line) <= _EXCERPT else f"{line[: _EXCERPT - 1]}…"
