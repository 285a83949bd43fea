"""The append-only file of an incident: an event is on disk before it is called saved.

    append        returns at once; one writer thread writes and syncs, events that wait go together
    fsync fails   that file is done: all since the last good fsync goes to a new file elsewhere
    disk is full  the last write is taken back, ballast is given up, then it goes elsewhere
    no place      events stay in memory, every second it is tried again, and `trouble` says so

How a line looks is in `records`, what is read back in `history`, where it goes in `disk`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import cockpit
from cockpit import clock
from cockpit.incident.disk import Disk, ascii_slug
from cockpit.incident.events import (
    SCHEMA,
    Event,
    JournalOpened,
    Record,
    Recovered,
    Unreadable,
)
from cockpit.incident.history import (
    Damage,
    File,
    Follower,
    History,
    follow,
    incident_id,
    list_incidents,
    merge,
    read,
    scan,
    verify,
)
from cockpit.incident.markdown_file import sweep
from cockpit.incident.records import body, ulid
from cockpit.incident.segments import MAIN, Busy

if TYPE_CHECKING:
    import asyncio

__all__ = [
    "Busy",
    "Damage",
    "Follower",
    "History",
    "Journal",
    "follow",
    "list_incidents",
    "read",
    "verify",
]

RETRY_SECONDS = 1.0
HANG_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _Waiter:
    seq: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[bool]

    def tell(self, saved: bool) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._set, saved)

    def _set(self, saved: bool) -> None:
        if not self.future.done():
            self.future.set_result(saved)


class Journal:
    """An incident's journal, open for writing by this process alone. Use `create` or `open`.

    saved: seq up to which all is on disk. on_saved and on_trouble are called from the writer
    thread, with `saved` and with `trouble` when they change; the receiver marshals.
    """

    def __init__(self, disk: Disk, *, who: str, incident: str, history: History) -> None:
        self.who = who
        self.writer = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(2).hex()}"
        self.incident = incident
        self.history = history
        self.saved = max((record.seq for record in history.records), default=0)
        self.on_saved: Callable[[int], None] = lambda seq: None
        self.on_trouble: Callable[[str], None] = lambda trouble: None
        self._disk = disk
        self._spare_salt = os.urandom(16).hex()
        self._records = list(history.records)
        self._seq = self.saved
        self._pending: deque[tuple[int, bytes]] = deque()
        self._waiters: list[_Waiter] = []
        self._mistake = ""
        self._began: float | None = None  # monotonic time at which the present write began
        self._closing = self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    @classmethod
    def create(cls, root: Path, *, slug: str, who: str, salt: str = "") -> Self:
        """A new incident, in a folder of its own: root/2026-11-21-0312-slug, made unique.

        salt: what marks of redaction were keyed with before; a new one where there were none.

        Never raises for the disk: a root that cannot be written is replaced by a fallback
        directory, and where nothing can be written events are kept in memory; `trouble` says so.
        """
        moment = clock.now()
        incident = ulid(moment)
        folder = root / f"{moment:%Y-%m-%d-%H%M}-{ascii_slug(slug)}"
        disk = Disk(root, folder, incident)
        disk.found(folder.name)
        journal = cls(disk, who=who, incident=incident, history=History())
        journal._begin(salt)
        journal._thread.start()
        return journal

    @classmethod
    def open(cls, folder: Path, *, who: str) -> Self:
        """Takes up an incident again; what a crash tore off is fenced off and noted.

        Raises Busy when another cockpit writes it (then `follow` it), FileNotFoundError when
        there is no such folder. A disk that can only be read is no error: see `trouble`.
        """
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: there is no such incident")
        disk = Disk(folder.parent, folder, "")
        disk.lock()
        scans = scan(folder)
        main = next((found for found in scans if found.path == folder / MAIN), File(folder / MAIN))
        history = merge(folder, scans)
        disk.incident = incident_id(main.lines) if history.records else ulid(clock.now())
        journal = cls(disk, who=who, incident=disk.incident, history=history)
        disk.resume(main, _strays(folder, scans))
        sweep(folder)
        if main.unfinished and not main.whole:
            journal.append(Recovered(lost=main.unfinished))
        if not history.records:  # it was killed before it could begin
            journal._begin()
        journal._thread.start()
        return journal

    @property
    def folder(self) -> Path:
        """Where the incident is kept. It moves only while nothing could be written at all."""
        return self._disk.folder

    @property
    def records(self) -> tuple[Record, ...]:
        """All of them, saved or not: the history found at `open`, and what was appended since."""
        with self._changed:
            return tuple(self._records)

    @property
    def salt(self) -> str:
        """Keys the redaction marks of this incident; a new one when the first record is lost."""
        opened = (record.event for record in self._records)
        salts = (event.salt for event in opened if isinstance(event, JournalOpened))
        return next(salts, self._spare_salt)

    @property
    def unsaved(self) -> int:
        """How many events are not on disk yet."""
        return len(self._pending)

    @property
    def trouble(self) -> str:
        """What is wrong and what to do, in plain sentences; empty when all is well.

        Look again now and then: that a disk hangs shows here, and nothing is called for it.
        """
        began = self._began
        hangs = time.monotonic() - began if began is not None else 0.0
        if hangs > HANG_SECONDS:
            return f"NOT SAVED yet: the disk has not answered for {hangs:.0f} s."
        return self._mistake or self._disk.trouble

    def after(self, seq: int) -> list[Record]:
        """Records with a higher seq, also those that the journal added by itself."""
        with self._changed:
            newer = itertools.takewhile(lambda record: record.seq > seq, reversed(self._records))
            return list(newer)[::-1]

    def append(self, event: Event) -> Record:
        """Puts an event into the journal and returns at once; it is saved when `on_saved` says so.

        Raises ValueError after `close`, and for an Unreadable, which is for reading only.
        """
        if isinstance(event, Unreadable):
            raise ValueError("an unreadable record cannot be written")
        with self._changed:
            if self._closing:
                raise ValueError("the journal is closed")
            at = clock.moment()
            record = Record(
                seq=self._seq + 1,
                id=ulid(at.ts),
                ts=at.ts,
                mono=at.mono,
                boot=at.boot,
                writer=self.writer,
                who=self.who,
                event=event,
            )
            self._pending.append((record.seq, body(record)))
            self._seq = record.seq
            self._records.append(record)
            self._changed.notify_all()
        return record

    def wait_saved(self, seq: int, timeout: float) -> bool:
        """Blocks until all up to seq is on disk, at most timeout seconds; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.saved >= seq, timeout)

    async def saved_up_to(self, seq: int) -> bool:
        """Waits until all up to seq is on disk; False once it is known that no place takes it."""
        import asyncio

        loop = asyncio.get_running_loop()
        waiter = _Waiter(seq, loop, loop.create_future())
        with self._changed:
            if self.saved >= seq or self._ended:
                return self.saved >= seq
            self._waiters.append(waiter)
        return await waiter.future

    def close(self, timeout: float = 5.0) -> int:
        """Saves what is left, at most timeout seconds, and lets go of the incident.

        Returns how many events are not on disk; never end with status 0 when there are any.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        if not self._thread.is_alive():  # else it hangs in the kernel, and its files with it
            self._disk.close()
        return self.unsaved

    def _begin(self, salt: str = "") -> None:
        salt, version = salt or os.urandom(16).hex(), cockpit.__version__
        opened = JournalOpened(schema=SCHEMA, incident=self.incident, salt=salt, version=version)
        self.append(opened)

    def _run(self) -> None:
        try:
            while self._round():
                pass
        finally:
            with self._changed:
                self._ended = True
                self._release(len(self._waiters) > 0)

    def _round(self) -> bool:
        """Waits for events and saves them; False when the journal is closed and all was tried."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            bodies = [line for _, line in self._pending]
            last = self._closing
        if not bodies:
            return False
        before = self.trouble
        self._began = time.monotonic()
        try:
            count = self._disk.save(bodies)
            self._mistake = ""
        except Exception as error:  # a mistake of ours must not end the thread that saves
            count = 0
            self._mistake = f"NOT SAVED, a fault in cockpit: {type(error).__name__}: {error}"
        self._began = None
        if self._disk.opened is not None:
            with contextlib.suppress(ValueError):  # closed meanwhile; the file's name says enough
                self.append(self._disk.opened)
            self._disk.opened = None
        with self._changed:
            for _ in range(count):
                self.saved = self._pending.popleft()[0]
            self._release(not count)
            self._changed.notify_all()
        # A receiver that fails, as one whose event loop is gone, must not stop the saving.
        with contextlib.suppress(Exception):
            if self.trouble != before:
                self.on_trouble(self.trouble)
        with contextlib.suppress(Exception):
            if count:
                self.on_saved(self.saved)
        if not count and not last:
            with self._changed:
                if not self._closing:
                    self._changed.wait(RETRY_SECONDS)
        return bool(count) or not last

    def _release(self, everyone: bool) -> None:
        """Tells those who wait in `saved_up_to`: who is served, or that nobody will be."""
        told = [waiter for waiter in self._waiters if everyone or waiter.seq <= self.saved]
        self._waiters = [waiter for waiter in self._waiters if waiter not in told]
        for waiter in told:
            waiter.tell(waiter.seq <= self.saved)


def _strays(folder: Path, scans: list[File]) -> list[bytes]:
    """Lines, by seq, of records that no file in the incident's folder has."""
    at_home = [found for found in scans if found.path.parent == folder]
    here = {line.record.id for found in at_home for line in found.lines}
    away = {
        line.record.id: line
        for found in scans
        for line in found.lines
        if line.record.id not in here
    }
    return [line.body for line in sorted(away.values(), key=lambda line: line.record.seq)]
