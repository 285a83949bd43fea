"""The search index: SQLite FTS5 in the cache directory, made again from the files when in doubt."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cockpit import __version__, paths
from cockpit.runbook import headings, library, query
from cockpit.runbook.gist import FIELDS, Gist, gist
from cockpit.runbook.record import Record, Records, records, remembered
from cockpit.text import Safe, clean_line

VERSION = 1
"""Of what is in the file; another one, and it is made again."""

LIMIT = 5 * 1024 * 1024
_WEIGHTS = (10.0, 8.0, 5.0, 4.0, 3.0, 3.0, 2.0, 1.0)
_CANDIDATES = 40
_BATCH = 200
_SETTLED = 2.0
_STALE_DAYS = 60
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
_NOT_NOW = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
    )
)
_QUOTED = re.compile(r"\"[^\"\n]{4,}\"|`[^`\n]{4,}`|“[^”\n]{4,}”")
_SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path BLOB UNIQUE, real BLOB, place INTEGER, size INTEGER,
    changed INTEGER, sha TEXT, title TEXT, severity TEXT, services TEXT, past TEXT DEFAULT '',
    skipped TEXT);
"""
_TEXTS = f"texts({', '.join(FIELDS)}"


@dataclass(frozen=True, slots=True)
class Near:
    """What the responder has before them: names of services, hosts, containers."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A runbook with why it was found: the field, and the words of it. Both empty without words."""

    path: Path
    title: Safe
    severity: Safe
    field: Safe
    words: Safe
    record: Record
    near: bool = False

    @property
    def why(self) -> Safe:
        """Such as `symptom: "database is locked"`."""
        if not self.field:
            return self.words or Safe("for what is before you" if self.near else "")
        quoted = self.words if '"' in self.words else f'"{self.words}"'
        return Safe(f"{self.field}: {quoted}")

    def lines(self) -> list[Safe]:
        """For a plain terminal: what it is, why it was found with its record, and what fixed it."""
        told = " · ".join(part for part in (self.why, self.record.words) if part)
        fixed = self.record.fixed
        lines = [clean_line(f"{self.severity} {self.title}  {self.path}".strip()), Safe(told)]
        return lines + ([Safe(f"fixed last time: {fixed}")] if fixed else [])

    def as_json(self) -> dict[str, object]:
        """For programs; times are UTC, the median is in seconds."""
        record = self.record
        return {
            "path": clean_line(str(self.path)),
            "title": self.title,
            "severity": self.severity,
            "found_in": self.field,
            "found": self.words,
            "record": {
                "runs": record.runs,
                "solved": record.solved,
                "success_rate": record.success_rate,
                "median_seconds": record.median.total_seconds() if record.median else None,
                "last_run": record.last_run.isoformat() if record.last_run else None,
                "last_tried": record.last_tried.isoformat() if record.last_tried else None,
                "trainings": record.trainings,
                "fix": record.fix,
                "step": record.step,
                "command": record.command,
            },
        }


@dataclass
class _File:
    """A row of `files`."""

    id: int
    path: str
    real: str
    place: int
    size: int
    changed: int
    sha: str
    title: str
    severity: str
    services: str
    past: str
    skipped: str

    @cached_property
    def about(self) -> frozenset[str]:
        """The services and hosts it names, and their words."""
        named = self.services.lower().split("\n")
        return frozenset(word for one in named for word in (one, *one.split()) if word)

    @cached_property
    def named(self) -> frozenset[str]:
        """The words of its title and of its file's name."""
        words = f"{self.title} {os.path.basename(self.path)}"  # noqa: PTH119 (of thousands)
        return frozenset([*query.tokens(words), *words.lower().split()])


class Index:
    """Finds runbooks in these folders. What goes wrong with the file on disk only costs time.

    May be used from any thread. refresh brings it up to date and may take seconds the first time;
    meanwhile search answers from what is there. file: where it is kept, by default in the cache
    directory, one for each list of folders.
    """

    def __init__(self, places: Sequence[Path], *, file: Path | None = None) -> None:
        self.places = list(places)
        self.file = file or _file(self.places)
        self.records: Records = remembered()
        self.library = library.Library()
        self._lock = threading.RLock()
        self._on_disk = True
        self._closed = False
        self._seen: tuple[object, list[_File]] = (None, [])
        self._db = self._open()

    # The file

    def _open(self) -> sqlite3.Connection:
        for _ in range(2):
            try:
                _private(self.file)
                return _connect(str(self.file))
            except OSError:
                break
            except sqlite3.Error as error:
                if _only_now(error):
                    break
                _remove(self.file)
        self._on_disk = False
        return _connect(":memory:")

    def _afresh(self) -> None:
        """What is in the file cannot be right: begins with an empty one."""
        with self._lock:
            self._db.close()
            _remove(self.file)
            self._db = self._open()

    def close(self) -> None:
        """Lets go of the file; nothing is found any more."""
        with self._lock:
            self._closed = True
            self._db.close()

    # Keeping it true

    def refresh(self, told: Callable[[int, int], None] = lambda done, of: None) -> None:
        """Brings the index up to date with the files and the journals. Never raises for the disk.

        told: called now and then with how many of the files to read have been read.
        """
        self.library = library.walk(self.places)
        self.records = records()
        for _ in range(2):
            if self._closed or not self._on_disk:
                break
            try:
                with contextlib.closing(_connect(str(self.file))) as db:
                    self._bring(db, told)
                return
            except sqlite3.Error as error:
                if _only_now(error):
                    break
                self._afresh()
        self._in_memory(told)

    def _in_memory(self, told: Callable[[int, int], None]) -> None:
        """As `refresh`, where the file cannot be written: on a copy that lasts as long as this."""
        fresh = _connect(":memory:")
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._db.backup(fresh)
        try:
            self._bring(fresh, told)
        except sqlite3.Error:  # what was copied is damaged
            fresh = _connect(":memory:")
            self._bring(fresh, told)
        with self._lock:
            self._on_disk = False
            self._db.close()
            self._db = fresh

    def _bring(self, db: sqlite3.Connection, told: Callable[[int, int], None]) -> None:
        known = {row.path: row for row in _rows(db)}
        there = {str(file.path) for file in self.library.files}
        gone = [row.id for path, row in known.items() if path not in there]
        todo = [
            file
            for file in self.library.files
            if (row := known.get(str(file.path))) is None
            or (row.size, row.changed, row.place) != (file.size, file.changed, file.place)
        ]
        if gone or todo:
            for start in range(0, max(1, len(todo)), _BATCH):
                with _transaction(db):
                    if not start:
                        db.executemany("DELETE FROM files WHERE id = ?", [(one,) for one in gone])
                        db.executemany(
                            "DELETE FROM texts WHERE rowid = ?", [(one,) for one in gone]
                        )
                    for file in todo[start : start + _BATCH]:
                        _put(db, file, known.get(str(file.path)))
                told(min(start + _BATCH, len(todo)), len(todo))
        self._remember(db)

    def _remember(self, db: sqlite3.Connection) -> None:
        """Has each runbook found by the incidents it was used in."""
        changed = []
        for row in _rows(db):
            uses = self.records.uses(row.path, row.title, real=row.real)
            past = "\n".join(
                f"{use.last:%Y-%m-%d} {' '.join([use.title, use.service, use.cause, use.fix])}"
                for use in reversed(uses[-20:])
                if not use.training
            )
            if past != row.past:
                changed.append((past, row.id))
        if changed:
            with _transaction(db):
                db.executemany("UPDATE files SET past = ? WHERE id = ?", changed)
                db.executemany("UPDATE texts SET past = ? WHERE rowid = ?", changed)

    # Finding

    def _files(self) -> list[_File]:
        """The rows of `files`, read again only when they changed."""
        if self._closed:
            return []
        mark = (self._db, *self._db.execute("PRAGMA data_version").fetchone())
        if self._seen[0] != mark:
            self._seen = (mark, _rows(self._db))
        return self._seen[1]

    @property
    def count(self) -> int:
        """How many runbooks can be found."""
        with self._lock:
            return sum(not row.skipped for row in self._files())

    @property
    def passed(self) -> list[Safe]:
        """What was passed over, and why, each in a few words."""
        with self._lock:
            rows = [row for row in self._files() if row.skipped]
        return self.library.passed + [
            clean_line(f"{Path(row.path).name} ({row.skipped})") for row in rows
        ]

    @property
    def only_shipped(self) -> bool:
        """Whether there are none but those that come with cockpit."""
        shipped = library.shipped()
        with self._lock:
            return all(self.places[row.place] == shipped for row in self._files())

    def open(self, path: Path) -> Found:
        """A file that was asked for by its path, wherever it is."""
        where = Safe("the file of that name")
        return Found(path, clean_line(path.name), Safe(""), Safe(""), where, self.records.of(path))

    def search(
        self, text: str, near: Near = Near(), *, typing: bool = False, limit: int = 20
    ) -> list[Found]:
        """The runbooks that fit, best first; without words all of them, those near first.

        Any text at all may be given. typing: the last word may not be finished.
        """
        for _ in range(2):
            try:
                with self._lock:
                    return [] if self._closed else self._search(text, near, typing, limit)
            except sqlite3.Error:  # damaged since it was opened
                self._afresh()
                self.refresh()
        return []

    def _search(self, text: str, near: Near, typing: bool, limit: int) -> list[Found]:
        rows = {row.id: row for row in self._files() if not row.skipped}
        names = frozenset(name.lower() for name in near.names if name)
        if not text.strip():
            return self._all(list(rows.values()), names, limit)
        asked = query.understand(text, _Words(self._db), typing=typing)
        if asked is None:
            return []
        scores, fields = _match(self._db, asked)
        for id in scores:
            row = rows.get(id)
            if row is None:
                scores[id] = 0.0
                continue
            record = self._record(row)
            scores[id] *= 1 + 0.15 * (record.solved + 1) / (record.runs + 2) * bool(record.runs)
            scores[id] *= (1, 1.1, 1.3)[_near(row, names)]
            scores[id] *= _fit(asked, fields[id])
            if len(self.places) > 1 and row.place == len(self.places) - 1:
                scores[id] *= 0.9  # the team's own before what comes with cockpit
        best = sorted(scores, key=lambda id: -scores[id])[:limit]
        return [
            self._found(rows[id], *_why(asked, fields[id]), names) for id in best if scores[id] > 0
        ]

    def _all(self, rows: list[_File], names: frozenset[str], limit: int) -> list[Found]:
        def order(row: _File) -> tuple[bool, float, int, str]:
            used = self._record(row).last_run
            return (not _near(row, names), -used.timestamp() if used else 0, row.place, row.path)

        return [self._found(row, "", "", names) for row in sorted(rows, key=order)[:limit]]

    def _record(self, row: _File) -> Record:
        return self.records.of(row.path, row.title, real=row.real)

    def _found(self, row: _File, field: str, words: str, names: frozenset[str]) -> Found:
        return Found(
            path=Path(row.path),
            title=clean_line(row.title),
            severity=clean_line(row.severity),
            field=Safe(field),
            words=clean_line(words),
            record=self._record(row),
            near=bool(_near(row, names)),
        )


def look(places: Sequence[Path], words: str, *, limit: int = 10) -> tuple[list[Found], list[Safe]]:
    """What is found in these folders now, all of them without words; and what was passed over."""
    index = Index(places)
    index.refresh()
    found = index.search(words, limit=limit if words.strip() else library.MOST)
    passed = index.passed
    index.close()
    return found, passed


def _file(places: Sequence[Path]) -> Path:
    named = [__version__.encode(), *(os.fsencode(place) for place in places)]
    mark = hashlib.sha256(b"\0".join(named)).hexdigest()[:12]
    return paths.cache() / f"runbooks-{VERSION}-{mark}.db"


def _private(file: Path) -> None:
    """Makes the file, for nobody else to read. Raises OSError where it cannot be ours."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = not file.exists()
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    file.chmod(0o600)
    if new:
        _sweep(file)


def _sweep(file: Path) -> None:
    """Indexes of folders that nobody has looked in for long."""
    for other in file.parent.glob("runbooks-*.db"):
        with contextlib.suppress(OSError):
            if time.time() - other.stat().st_mtime > _STALE_DAYS * 86400:
                _remove(other)


def _only_now(error: sqlite3.Error) -> bool:
    """Whether the file may well be good, and only cannot be used now: locked, read-only, full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_NOW


def _remove(file: Path) -> None:
    for name in (file, f"{file}-wal", f"{file}-shm"):
        with contextlib.suppress(OSError):
            Path(name).unlink()


def _connect(name: str) -> sqlite3.Connection:
    """An index that can be used; made when there is none. Raises sqlite3.Error."""
    db = sqlite3.connect(name, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError("made by another version")
        if name != ":memory:":
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
        if not version:
            _create(db)
        with contextlib.suppress(sqlite3.OperationalError):
            db.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, texts, row)")
        db.execute("SELECT * FROM files LEFT JOIN texts ON texts.rowid = id LIMIT 1").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _create(db: sqlite3.Connection) -> None:
    with _transaction(db):
        if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            return  # another cockpit was first
        db.execute(_SCHEMA)
        try:
            options = "tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'"
            db.execute(
                f"CREATE VIRTUAL TABLE {_TEXTS}, {options})".replace("texts(", "texts USING fts5(")
            )
        except sqlite3.OperationalError:  # this SQLite was built without it
            db.execute(f"CREATE TABLE {_TEXTS})")
        db.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _rows(db: sqlite3.Connection) -> list[_File]:
    return [
        _File(id, os.fsdecode(path), os.fsdecode(real), *rest)
        for id, path, real, *rest in db.execute("SELECT * FROM files")
    ]


def _put(db: sqlite3.Connection, file: library.File, before: _File | None) -> None:
    """Reads a file and puts what it is about in the place of what was known of it."""
    data, skipped = _data(file.path)
    sha = hashlib.sha256(data).hexdigest()
    # What was written a moment ago may be written again within the same tick of the clock.
    changed = file.changed if time.time() - file.changed / 1e9 > _SETTLED else 0
    real = os.fsencode(os.path.realpath(file.path))
    row = (os.fsencode(file.path), real, file.place, file.size, changed, sha)
    if before is not None and before.sha == sha and before.skipped == skipped:
        db.execute(
            "UPDATE files SET path = ?, real = ?, place = ?, size = ?, changed = ?, sha = ?"
            " WHERE id = ?",
            (*row, before.id),
        )
        return
    if before is not None:
        db.execute("DELETE FROM files WHERE id = ?", (before.id,))
        db.execute("DELETE FROM texts WHERE rowid = ?", (before.id,))
    found = Gist(title=file.path.stem) if skipped else gist(_text(data), file.path.stem)
    id = db.execute(
        "INSERT INTO files (path, real, place, size, changed, sha, title, severity, services,"
        " skipped) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, found.title, found.severity, "\n".join(found.services), skipped),
    ).lastrowid
    if not skipped:
        texts = [found.title, *("\n".join(getattr(found, name, ())) for name in FIELDS[1:])]
        marks = ", ".join("?" * (1 + len(FIELDS)))
        db.execute(f"INSERT INTO texts (rowid, {', '.join(FIELDS)}) VALUES ({marks})", (id, *texts))


def _data(path: Path) -> tuple[bytes, str]:
    """The bytes of a file, and why it is passed over."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        return b"", (error.strerror or "cannot be read").lower()
    if len(data) > LIMIT:
        return b"", "over 5 MB"
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return b"", "binary"
    return data, "" if data.strip() else "empty"


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


class _Words:
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


def _match(
    db: sqlite3.Connection, asked: query.Query
) -> tuple[dict[int, float], dict[int, Sequence[str]]]:
    """Scores and texts of the candidates, by id."""
    columns = ", ".join(FIELDS)
    weights = ", ".join(map(str, _WEIGHTS))
    found = db.execute(
        f"SELECT rowid, bm25(texts, {weights}) AS score, {columns} FROM texts"
        " WHERE texts MATCH ? ORDER BY score LIMIT ?",
        (asked.any, _CANDIDATES),
    ).fetchall()
    every = {
        id for (id,) in db.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (asked.every,))
    }
    scores = {id: -score * (1.5 if id in every else 1.0) for id, score, *_ in found}
    return scores, {id: texts for id, _, *texts in found}


def _near(row: _File, names: frozenset[str]) -> int:
    """2 where the runbook says that it is for what is before the responder, 1 by its title."""
    if not names:
        return 0
    if not names.isdisjoint(row.about):
        return 2
    return int(not names.isdisjoint(row.named))


def _fit(asked: query.Query, texts: Sequence[str]) -> float:
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


def _why(asked: query.Query, texts: Sequence[str]) -> tuple[str, str]:
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
    name = (
        "step" if name == "commands" and line.lstrip().startswith("#") else _NAMES.get(name, name)
    )
    return name, _excerpt(line, at)


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
