"""Finds runbooks: the search index and the journals together, kept true beside the screen."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cockpit.runbook import library, query, ranking, store
from cockpit.runbook.record import Record, Records, records, remembered, unread
from cockpit.text import Safe, clean_line

_BATCH = 200
_FEW = 50


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
    def named(self) -> Safe:
        """The title, with the severity before it where it does not say that itself."""
        if self.severity.lower() in self.title.lower():
            return self.title
        return Safe(f"{self.severity} {self.title}")

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
        lines = [clean_line(f"{self.named}  {self.path}"), Safe(told)]
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


class Index:
    """Finds runbooks in these folders. What goes wrong with the file on disk only costs time.

    May be used from any thread. refresh brings it up to date and may take seconds the first time;
    meanwhile search answers from what is there. file: where it is kept, by default in the cache
    directory, one for each list of folders.
    """

    def __init__(self, places: Sequence[Path], *, file: Path | None = None) -> None:
        self.places = list(places)
        self.file = file or store.default(self.places)
        self.records: Records = remembered()
        self.library = library.Library()
        self._lock = threading.RLock()
        self._on_disk = True
        self._closed = False
        self._seen: tuple[object, list[store.Row]] = (None, [])
        self._db = self._open()
        with contextlib.suppress(sqlite3.Error):
            self._files()  # so that the first search need not

    # The file

    def _open(self) -> sqlite3.Connection:
        for _ in range(2):
            try:
                store.prepare(self.file)
                return store.connect(str(self.file))
            except OSError:
                break
            except sqlite3.Error as error:
                if store.only_now(error):
                    break
                store.remove(self.file)
        self._on_disk = False
        return store.connect(":memory:")

    def _afresh(self) -> None:
        """What is in the file cannot be right: begins with an empty one."""
        with self._lock:
            self._db.close()
            store.remove(self.file)
            self._db = self._open()

    def close(self) -> None:
        """Lets go of the file; nothing is found any more."""
        with self._lock:
            self._closed = True
            self._db.close()

    # Keeping it true

    def refresh(
        self, told: Callable[[int, int], None] = lambda done, of: None, *, aside: bool = False
    ) -> None:
        """Brings the index up to date with the files and the journals. Never raises for the disk.

        told: called now and then with how many of the files to read have been read. aside: where
        there is much to read, another process does it, so that this one answers keys meanwhile.
        """
        self.library = library.walk(self.places)
        if aside and self._on_disk and self._much() and self._aside(told):
            self.records = remembered()
            return
        self.records = records()
        for _ in range(2):
            if self._closed or not self._on_disk:
                break
            try:
                with contextlib.closing(store.connect(str(self.file))) as db:
                    self._bring(db, told)
                return
            except sqlite3.Error as error:
                if store.only_now(error):
                    break
                self._afresh()
        self._in_memory(told)

    def _much(self) -> bool:
        """Whether reading takes so long that keys would wait for it."""
        try:
            with self._lock:
                known = {row.path for row in self._files()}
        except sqlite3.Error:
            known = set()
        files = {str(file.path) for file in self.library.files}
        return len(files - known) > _FEW or unread() > _FEW

    def _aside(self, told: Callable[[int, int], None]) -> bool:
        """Has another process refresh the file; whether it did."""
        import subprocess

        argv = [sys.executable, "-P", "-m", "cockpit.runbook.index", str(self.file)]
        argv += map(str, self.places)
        path = os.pathsep.join(one for one in sys.path if one)
        try:
            other = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
            for line in other.stdout or ():
                if self._closed:  # nobody waits for it: it goes on, for the next time
                    return True
                done, of = map(int, line.split())
                told(done, of)
            return other.wait() == 0
        except (OSError, ValueError):
            return False

    def _in_memory(self, told: Callable[[int, int], None]) -> None:
        """As `refresh`, where the file cannot be written: on a copy that lasts as long as this."""
        fresh = store.connect(":memory:")
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._db.backup(fresh)
        try:
            self._bring(fresh, told)
        except sqlite3.Error:  # what was copied is damaged
            fresh = store.connect(":memory:")
            self._bring(fresh, told)
        with self._lock:
            self._on_disk = False
            self._db.close()
            self._db = fresh

    def _bring(self, db: sqlite3.Connection, told: Callable[[int, int], None]) -> None:
        known = {row.path: row for row in store.rows(db)}
        there = {str(file.path) for file in self.library.files}
        gone = [path for path in known if path not in there]
        todo = [
            file
            for file in self.library.files
            if (row := known.get(str(file.path))) is None
            or (row.size, row.changed, row.place) != (file.size, file.changed, file.place)
        ]
        if gone:
            with store.transaction(db):
                store.forget(db, gone)
        for start in range(0, len(todo), _BATCH):
            with store.transaction(db):
                for file in todo[start : start + _BATCH]:
                    store.put(db, file)
            told(min(start + _BATCH, len(todo)), len(todo))
        if self._past(db):
            with store.transaction(db):
                changed = self._past(db)  # again: now nobody else writes
                db.executemany("UPDATE files SET past = ? WHERE id = ?", changed)
                db.executemany("UPDATE texts SET past = ? WHERE rowid = ?", changed)

    def _past(self, db: sqlite3.Connection) -> list[tuple[str, int]]:
        """What each runbook is to be found by of the incidents it was used in, where it changed."""
        changed = []
        for row in store.rows(db):
            uses = self.records.uses(row.path, row.title, real=row.real)
            past = "\n".join(
                f"{use.last:%Y-%m-%d} {' '.join([use.title, use.service, use.cause, use.fix])}"
                for use in reversed(uses[-20:])
                if not use.training
            )
            if past != row.past:
                changed.append((past, row.id))
        return changed

    # Finding

    def _files(self) -> list[store.Row]:
        """The rows of `files`, read again only when they changed."""
        if self._closed:
            return []
        mark = (self._db, *self._db.execute("PRAGMA data_version").fetchone())
        if self._seen[0] != mark:
            self._seen = (mark, store.rows(self._db))
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
        self, text: str, near: Sequence[str] = (), *, typing: bool = False, limit: int = 20
    ) -> list[Found]:
        """The runbooks that fit, best first; without words all of them, those near first.

        Any text at all may be given. near: names of services, hosts, containers that it is likely
        about, whose runbooks are lifted. typing: the last word may not be finished.
        """
        for _ in range(2):
            try:
                with self._lock:
                    return [] if self._closed else self._search(text, near, typing, limit)
            except sqlite3.Error:  # damaged since it was opened
                self._afresh()
                self.refresh()
        return []

    def _search(self, text: str, near: Sequence[str], typing: bool, limit: int) -> list[Found]:
        rows = {row.id: row for row in self._files() if not row.skipped}
        names = frozenset(name.lower() for name in near if name)
        if not text.strip():
            return self._all(list(rows.values()), names, limit)
        plain = not ranking.has_words(self._db)
        words = ranking.AnyWord() if plain else ranking.Words(self._db)
        asked = query.understand(text, words, typing=typing)
        if asked is None:
            return []
        scores, fields = (ranking.match_plain if plain else ranking.match)(self._db, asked)
        for id in scores:
            row = rows.get(id)
            if row is None:
                scores[id] = 0.0
                continue
            record = self._record(row)
            scores[id] *= 1 + 0.15 * (record.solved + 1) / (record.runs + 2) * bool(record.runs)
            scores[id] *= (1, 1.1, 1.3)[_near(row, names)]
            scores[id] *= ranking.fit(asked, fields[id])
            if len(self.places) > 1 and row.place == len(self.places) - 1:
                scores[id] *= 0.9  # the team's own before what comes with cockpit
        best = sorted(scores, key=lambda id: -scores[id])[:limit]
        return [
            self._found(rows[id], *ranking.why(asked, fields[id]), names)
            for id in best
            if scores[id] > 0
        ]

    def _all(self, rows: list[store.Row], names: frozenset[str], limit: int) -> list[Found]:
        def order(row: store.Row) -> tuple[bool, float, int, str]:
            used = self._record(row).last_run
            return (not _near(row, names), -used.timestamp() if used else 0, row.place, row.path)

        return [self._found(row, "", "", names) for row in sorted(rows, key=order)[:limit]]

    def _record(self, row: store.Row) -> Record:
        return self.records.of(row.path, row.title, real=row.real)

    def _found(self, row: store.Row, field: str, words: str, names: frozenset[str]) -> Found:
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


def _near(row: store.Row, names: frozenset[str]) -> int:
    """2 where the runbook says that it is for what is before the responder, 1 by its title."""
    if not any(name in row.about_it for name in names):  # most are ruled out at once
        return 0
    if not names.isdisjoint(row.about):
        return 2
    return int(not names.isdisjoint(row.named))


def _refresh_for_another(file: Path, places: list[Path]) -> None:
    """Refreshes a file that another process answers from; tells it how far it is."""

    def told(done: int, of: int) -> None:
        with contextlib.suppress(OSError):  # the other is gone; what was begun is finished
            os.write(1, f"{done} {of}\n".encode())

    index = Index(places, file=file)
    index.refresh(told)
    kept = index._on_disk
    index.close()
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    _refresh_for_another(Path(sys.argv[1]), [Path(place) for place in sys.argv[2:]])
