"""The file of the search index: how it is made, filled, and thrown away when in doubt."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cockpit import __version__, paths
from cockpit.runbook import library, query, source
from cockpit.runbook.gist import FIELDS, Gist, gist

VERSION = 2
"""Of what is in the file; another one, and it is made again."""

_SETTLED = 2.0
_STALE_DAYS = 60
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
_SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path BLOB UNIQUE, real BLOB, place INTEGER, size INTEGER,
    changed INTEGER, sha TEXT, title TEXT, severity TEXT, services TEXT, past TEXT DEFAULT '',
    skipped TEXT);
"""
_MODULE = "fts5"
_OPTIONS = "tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'"
COLUMNS = ", ".join(FIELDS)


@dataclass
class Row:
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
    def about_it(self) -> str:
        """All that the names of services and hosts are looked for in."""
        return f"{self.services} {self.title} {self.path}".lower()

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


def default(places: Sequence[Path]) -> Path:
    """Where the index of these folders is kept."""
    named = [__version__.encode(), *(os.fsencode(place) for place in places)]
    mark = hashlib.sha256(b"\0".join(named)).hexdigest()[:12]
    return paths.cache() / f"runbooks-{VERSION}-{mark}.db"


def prepare(file: Path) -> None:
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
                remove(other)


def only_now(error: sqlite3.Error) -> bool:
    """Whether the file may well be good, and only cannot be used now: locked, read-only, full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_NOW


def remove(file: Path) -> None:
    """Throws an index away, with what SQLite keeps beside it."""
    for name in (file, f"{file}-wal", f"{file}-shm"):
        with contextlib.suppress(OSError):
            Path(name).unlink()


def connect(name: str) -> sqlite3.Connection:
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
    with transaction(db):
        if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            return  # another cockpit was first
        db.execute(_SCHEMA)
        try:
            db.execute(f"CREATE VIRTUAL TABLE texts USING {_MODULE}({COLUMNS}, {_OPTIONS})")
        except sqlite3.OperationalError:  # this SQLite was built without it
            db.execute(f"CREATE TABLE texts({COLUMNS})")
        db.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def rows(db: sqlite3.Connection) -> list[Row]:
    return [
        Row(id, os.fsdecode(path), os.fsdecode(real), *rest)
        for id, path, real, *rest in db.execute("SELECT * FROM files")
    ]


def forget(db: sqlite3.Connection, gone: Sequence[str]) -> None:
    """Files that are not there any more are not found any more."""
    for path in gone:
        name = (os.fsencode(path),)
        db.execute("DELETE FROM texts WHERE rowid IN (SELECT id FROM files WHERE path = ?)", name)
        db.execute("DELETE FROM files WHERE path = ?", name)


def put(db: sqlite3.Connection, file: library.File) -> None:
    """Reads a file and puts what it is about in the place of what was known of it."""
    data, skipped = _data(file.path)
    sha = hashlib.sha256(data).hexdigest()
    # What was written a moment ago may be written again within the same tick of the clock.
    changed = file.changed if time.time() - file.changed / 1e9 > _SETTLED else 0
    name, real = os.fsencode(file.path), os.fsencode(os.path.realpath(file.path))
    told = (real, file.place, file.size, changed, sha, skipped)
    same = "path = ? AND sha = ? AND skipped = ?"
    if db.execute(f"SELECT 1 FROM files WHERE {same}", (name, sha, skipped)).fetchone():
        db.execute(
            "UPDATE files SET real = ?, place = ?, size = ?, changed = ?, sha = ?, skipped = ?"
            " WHERE path = ?",
            (*told, name),
        )
        return
    forget(db, [str(file.path)])
    found = Gist(title=file.path.stem) if skipped else gist(_text(data), file.path.stem)
    id = db.execute(
        "INSERT INTO files (real, place, size, changed, sha, skipped, path, title, severity,"
        " services) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*told, name, found.title, found.severity, "\n".join(found.services)),
    ).lastrowid
    if not skipped:
        texts = [found.title, *("\n".join(getattr(found, name, ())) for name in FIELDS[1:])]
        marks = ", ".join("?" * (1 + len(FIELDS)))
        db.execute(f"INSERT INTO texts (rowid, {COLUMNS}) VALUES ({marks})", (id, *texts))


def _text(data: bytes) -> str:
    """What a file says; its words are found, and its title is shown, as they were meant."""
    from cockpit.oncall.mended import mend

    return mend(source.decode(data)[0])[0]


def _data(path: Path) -> tuple[bytes, str]:
    """The bytes of a file, and why it is passed over."""
    try:
        with path.open("rb") as file:
            data = file.read(source.LIMIT + 1)
    except OSError as error:
        return b"", (error.strerror or "cannot be read").lower()
    if len(data) > source.LIMIT:
        return b"", "over 5 MB"
    if source.is_binary(data):
        return b"", "binary"
    return data, "" if data.strip() else "empty"
