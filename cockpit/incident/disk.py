"""Where the journal's lines go: one file, and when that cannot take them, the next place."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from cockpit import paths
from cockpit.incident.events import SegmentOpened
from cockpit.incident.history import File
from cockpit.incident.records import START
from cockpit.incident.segments import (
    BALLAST_BYTES,
    MAIN,
    DiskFull,
    Segment,
    fill_ballast,
    further,
    lock,
    places,
    private,
    release_ballast,
)


class Disk:
    """The files of one journal while it is written. Not for two threads at once.

    folder: the incident's; it moves only while nothing could be written at all.
    opened: set when the journal went on in another file; whoever appends takes it from here.
    """

    def __init__(self, root: Path, folder: Path, incident: str) -> None:
        self.folder = folder
        self.opened: SegmentOpened | None = None
        self._root = root
        self.incident = incident
        self._made = False
        self._lock: int | None = None
        self._segment: Segment | None = None
        self._tip = START
        self._latest = folder / MAIN
        self._at = 0  # index into places()
        self._single = False  # line by line: a whole batch found no space
        self._unlocked = self._moved = self._reserve = self._lost = ""

    @property
    def trouble(self) -> str:
        """What is wrong and what to do, worst first; empty when all is well."""
        return " ".join(filter(None, (self._lost, self._moved, self._reserve, self._unlocked)))

    def found(self, name: str) -> bool:
        """Makes the folder and its main file under root, else a fallback; whether it could."""
        reasons: list[str] = []
        bases = [self._root, *(place / self._root.name for place in paths.fallbacks())]
        for base in dict.fromkeys(bases):
            try:
                if base != self._root:
                    private(base.parent)
                base.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder = _unique(base, name)
                segment = Segment.new(folder / MAIN)
            except OSError as error:
                reasons.append(f"{base}: {_words(error)}")
                continue
            self.folder, self._latest = folder, segment.path
            self._segment, self._made, self._lost = segment, True, ""
            if reasons:
                self._moved = f"{reasons[0]}. This incident is kept in {folder} instead."
            self.lock()
            fill_ballast(folder)
            return True
        self._lost = _not_saved(f"No directory can be written ({'; '.join(reasons)}).")
        return False

    def lock(self) -> None:
        """Takes the incident for this process. Raises Busy when another has it."""
        if self._lock is None:
            self._lock = lock(self.folder / MAIN)
        self._unlocked = (
            ""
            if self._lock is not None
            else f"{self.folder} could not be locked: open this incident only once."
        )

    def resume(self, main: File, strays: Sequence[bytes]) -> None:
        """Goes on after what was read of the main file.

        strays: lines that are only in files elsewhere, where a reboot may clear them away; they
        are brought home, or else stay where they are.
        """
        self._made, self._tip = True, main.tip
        try:
            self._segment = Segment.reopen(main.path, main.tip, torn=main.unfinished > 0)
        except OSError as error:
            self._moved = f"{self.folder} cannot be written ({_words(error)})."
            return
        if self._lock is None:  # there was no file to lock before
            self.lock()
        fill_ballast(self.folder)
        if strays and not main.unfinished:
            try:
                self._segment.write(strays)
            except DiskFull:
                pass
            except OSError as error:
                self._abandon(error)
            else:
                self._tip = self._segment.tip

    def save(self, bodies: Sequence[bytes]) -> int:
        """Puts lines on disk, somewhere; returns how many of them, 0 when no place takes any."""
        if not self._made and not self.found(self.folder.name):
            return 0
        short = bool(self._reserve)  # already before: what is said once is seen
        while self._segment is not None:
            batch = bodies[:1] if self._single else bodies
            try:
                self._segment.write(batch)
            except DiskFull:
                if release_ballast(self.folder):
                    self._reserve = f"{self._no_space()} The reserve is in use: free some space."
                elif len(batch) > 1:
                    self._single = True
                else:
                    return self._move(bodies, full=True)
            except OSError as error:
                self._abandon(error)
            else:
                self._tip, self._lost = self._segment.tip, ""
                self._single = self._single and len(bodies) > 1
                if short:
                    self._refill()
                return len(batch)
        return self._move(bodies, full=False)

    def _refill(self) -> None:
        """Takes the reserve back where there is space again beside it, and says no more of it."""
        try:
            found = os.statvfs(self.folder)
        except OSError:
            return
        # Twice as much as it takes: on a disk that is all but full it would come and go.
        if found.f_bavail * found.f_frsize >= 2 * BALLAST_BYTES and fill_ballast(self.folder):
            self._reserve = ""

    def close(self) -> None:
        """Lets go of the files and of the incident."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _abandon(self, error: OSError) -> None:
        assert self._segment is not None
        self._segment.close()
        self._segment = None
        self._moved = f"{self._latest} failed ({_words(error)}): the disk may be dying."

    def _move(self, bodies: Sequence[bytes], *, full: bool) -> int:
        """All lines into a new file in the next place that takes them; a full disk has none."""
        everywhere = places(self.folder)
        name = further(self.folder, self.incident)
        reasons: list[str] = []
        for step in range(1, len(everywhere) + 1):
            at = (self._at + step) % len(everywhere)
            try:
                if full and _device(everywhere[at]) == _device(self._latest):
                    continue
                if at:
                    private(everywhere[at])
                segment = _begin(everywhere[at] / name, self._tip, bodies)
            except OSError as error:
                reasons.append(f"{everywhere[at]}: {_words(error)}")
                continue
            self._settle(at, segment)
            return len(bodies)
        self._reserve = ""
        nowhere = f"No directory can be written ({'; '.join(reasons)})."
        self._lost = _not_saved(self._no_space() if full else nowhere)
        return 0

    def _settle(self, at: int, segment: Segment) -> None:
        why = self._moved
        if self._segment is not None:
            self._segment.close()
            why = self._no_space()
        self.opened = SegmentOpened(why=why, previous=str(self._latest))
        self._moved = f"The journal goes on in {segment.path}. {why}"
        self._reserve = self._lost = ""
        self._at, self._segment = at, segment
        self._tip, self._latest = segment.tip, segment.path

    def _no_space(self) -> str:
        return f"No space left for {self._latest}."


def ascii_slug(text: str) -> str:
    """Text as the end of a folder's name: lower case, digits, hyphens; at most 40 characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower())[:40].strip("-") or "incident"


def _unique(base: Path, name: str) -> Path:
    for number in itertools.count(1):
        folder = base / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise AssertionError("unreachable")


def _begin(path: Path, tip: bytes, bodies: Sequence[bytes]) -> Segment:
    segment = Segment.new(path, tip)
    try:
        segment.write(bodies)
    except OSError:
        segment.close()
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return segment


def _device(path: Path) -> int:
    """The file system that a path is on, or would be."""
    there = next(each for each in (path, *path.parents) if each.exists())
    return there.stat().st_dev


def _not_saved(why: str) -> str:
    return (
        f"NOT SAVED, in memory only: {why} It is tried again every second. Free some space or "
        "mount a disk, and do not end cockpit before."
    )


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
