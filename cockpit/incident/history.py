"""What a journal says, read without changing it: all of it, or as it grows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cockpit import paths
from cockpit.incident.events import JournalOpened, Record, Recovered
from cockpit.incident.records import START, Bad, decode, digest, unseal
from cockpit.incident.segments import MAIN, files


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a journal that is not as it was written. line counts from 1, offset in bytes."""

    file: Path
    line: int
    offset: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what} (byte {self.offset})"


@dataclass(frozen=True, slots=True)
class History:
    """What could be read: every record once, by seq (never by ts: clocks jump), and the damage."""

    records: tuple[Record, ...] = ()
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A record with the bytes that it came from; after_gap: the line before was unreadable."""

    record: Record
    body: bytes
    number: int
    offset: int
    after_gap: bool


@dataclass(slots=True)
class File:
    """One file as read. unfinished: bytes after the last newline; whole: they are a record.

    begins: the h of its first line, None when that cannot be read.
    """

    path: Path
    lines: list[Line] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    digests: set[bytes] = field(default_factory=set)
    begins: bytes | None = None
    tip: bytes = START
    unfinished: int = 0
    whole: bool = False


def read(folder: Path) -> History:
    """The history of an incident, from all files of its journal. Never raises on what is in them.

    A line that cannot be read is skipped and reported. Bytes that a crash tore off, and that were
    fenced off since, are not damage: they never were called saved.
    """
    return merge(folder, scan(folder))


def verify(folder: Path) -> tuple[Damage, ...]:
    """All damage: checksums, chain, sequence, in all files of the journal."""
    return read(folder).damage


def scan(folder: Path) -> list[File]:
    """Every file of the journal, read."""
    main = scan_file(folder / MAIN) if (folder / MAIN).exists() else None
    incident = incident_id(main.lines) if main else ""
    return [
        main if main and path == main.path else scan_file(path) for path in files(folder, incident)
    ]


def incident_id(lines: list[Line]) -> str:
    """The incident's id, empty when the record that holds it is lost."""
    opened = (line.record.event for line in lines if isinstance(line.record.event, JournalOpened))
    return next((event.incident for event in opened), "")


def merge(folder: Path, scans: list[File]) -> History:
    """One history of all files."""
    if not scans:
        return History(damage=(Damage(folder / MAIN, 0, 0, "there is no journal here"),))
    digests = {START}.union(*(scanned.digests for scanned in scans))
    damage = [found for scanned in scans for found in scanned.damage]
    for scanned in scans:
        expected = {START} if scanned.path.name == MAIN else digests
        if scanned.begins is not None and scanned.begins not in expected:
            what = "chain broken: the line that this file follows is in no file"
            damage.append(Damage(scanned.path, 1, 0, what))

    seen: dict[str, tuple[Line, File]] = {}
    for scanned in scans:
        for line in scanned.lines:
            seen.setdefault(line.record.id, (line, scanned))
    ordered = sorted(seen.values(), key=lambda found: found[0].record.seq)
    before = 0
    for line, scanned in ordered:
        seq = line.record.seq
        if seq > before + 1 and not line.after_gap:
            what = f"records {before + 1} to {seq - 1} are missing before this one"
            damage.append(Damage(scanned.path, line.number, line.offset, what))
        before = seq
    return History(tuple(line.record for line, _ in ordered), tuple(damage))


def scan_file(path: Path) -> File:
    """One file of a journal, line by line."""
    found = File(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        found.damage.append(Damage(path, 0, 0, f"cannot be read: {error.strerror}"))
        return found
    held: Damage | None = None  # an unreadable line, until it is known whether a crash explains it
    gap = 0
    for number, offset, raw, finished in _lines(data):
        try:
            body, previous = unseal(raw)
            record = decode(raw)
        except Bad as bad:
            if held:
                found.damage.append(held)
            held, gap = Damage(path, number, offset, f"{len(raw)} bytes skipped: {bad}"), len(raw)
            if not finished:
                what = (
                    f"the last {len(raw)} bytes are not a whole record: "
                    "torn off by a crash, or being written just now"
                )
                held, found.unfinished = Damage(path, number, offset, what), len(raw)
        else:
            if held and not (isinstance(record.event, Recovered) and record.event.lost == gap):
                found.damage.append(held)
            elif previous != found.tip and number > 1:
                what = "chain broken: the line before was changed, or lines were removed"
                found.damage.append(Damage(path, number, offset, what))
            found.lines.append(Line(record, body, number, offset, held is not None))
            held = None
            found.begins = previous if number == 1 else found.begins
            if not finished:
                found.unfinished, found.whole = len(raw), True
        found.tip = digest(raw)
        found.digests.add(found.tip)
    if held:
        found.damage.append(held)
    return found


def _lines(data: bytes) -> Iterator[tuple[int, int, bytes, bool]]:
    """number, offset, bytes without newline, and whether there was a newline."""
    start = number = 0
    while start < len(data):
        number += 1
        end = data.find(b"\n", start)
        if end < 0:
            yield number, start, data[start:], False
            return
        yield number, start, data[start:end], True
        start = end + 1


class Follower:
    """Reads along with a journal that another process writes.

    A record is given once, when its line is complete; the writer may not have synced it yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incident = ""
        self._offsets: dict[Path, int] = {}
        self._seen: set[str] = set()

    def poll(self) -> list[Record]:
        """What came since the last call, by seq; all of it at the first. Never raises."""
        fresh: list[Record] = []
        for path in files(self.folder, self._incident):
            for line in self._complete(path):
                with contextlib.suppress(Bad):
                    unseal(line)
                    record = decode(line)
                    if record.id not in self._seen:
                        self._seen.add(record.id)
                        fresh.append(record)
                    if isinstance(record.event, JournalOpened):
                        self._incident = record.event.incident
        return sorted(fresh, key=lambda record: record.seq)

    def _complete(self, path: Path) -> list[bytes]:
        offset = self._offsets.get(path, 0)
        try:
            size = path.stat().st_size
            if size == offset:
                return []
            if size < offset:  # the writer took back a write for which there was no space
                offset = 0
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        self._offsets[path] = offset + end
        return data[:end].split(b"\n")[:-1]


async def follow(folder: Path, every: float = 0.2) -> AsyncIterator[Record]:
    """All records, then each new one as it is written; goes on until closed.

    every: seconds between looks.
    """
    import asyncio

    follower = Follower(folder)
    while True:
        for record in await asyncio.to_thread(follower.poll):
            yield record
        await asyncio.sleep(every)


def list_incidents(root: Path) -> list[Path]:
    """Folders of incidents, newest first; those that had to go to a fallback directory too."""
    roots = dict.fromkeys([root, *(place / root.name for place in paths.fallbacks()[1:])])
    found: list[Path] = []
    for place in roots:
        with contextlib.suppress(OSError):
            found += [path for path in place.iterdir() if _is_incident(path)]
    return sorted(found, key=lambda path: (path.name, os.fspath(path)), reverse=True)


def _is_incident(path: Path) -> bool:
    return not path.is_symlink() and (path / MAIN).exists()
