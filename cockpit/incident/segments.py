"""The files of a journal: which there are, and one that is open for writing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from cockpit import paths
from cockpit.incident.records import START, digest, seal

MAIN = "journal.jsonl"
BALLAST = "ballast"
BALLAST_BYTES = 64 * 1024

_FULL = {errno.ENOSPC, errno.EDQUOT}


class Busy(Exception):
    """Another cockpit writes this incident; it can be followed, not opened."""


class DiskFull(OSError):
    """No space. Nothing of the write is left in the file: it may be tried again."""


class Segment:
    """One file of a journal, open for appending; after an error other than DiskFull it is done.

    tip: `digest` of the last line, which the next one carries. torn: the file does not end with a
    newline; the next write begins with one.
    """

    def __init__(self, path: Path, fd: int, tip: bytes, *, fresh: bool, torn: bool = False) -> None:
        self.path = path
        self.tip = tip
        self._fd = fd
        self._fresh = fresh
        self._torn = torn
        self._size = os.fstat(fd).st_size

    @classmethod
    def new(cls, path: Path, tip: bytes = START) -> Segment:
        """A file that must not exist yet. Raises OSError."""
        return cls(path, _open(path, os.O_CREAT | os.O_EXCL), tip, fresh=True)

    @classmethod
    def reopen(cls, path: Path, tip: bytes, *, torn: bool) -> Segment:
        """A file as it was read; made when it is missing. Raises OSError."""
        return cls(path, _open(path, os.O_CREAT), tip, fresh=True, torn=torn)

    def write(self, bodies: Sequence[bytes]) -> None:
        """Puts lines on disk: one write, one fsync; returns when they are there.

        Raises DiskFull with the file as it was before, or any other OSError with the file in an
        unknown state. After a failed fsync the kernel may call the next one a success and have
        dropped the data, so this descriptor must not be used again.
        """
        tip = self.tip
        lines = [b""] if self._torn else []
        for part in bodies:
            lines.append(seal(part, tip))
            tip = digest(lines[-1])
        data = b"\n".join(lines) + b"\n"
        try:
            _write_all(self._fd, data)
        except OSError as error:
            os.ftruncate(self._fd, self._size)
            if error.errno in _FULL:
                raise DiskFull(error.errno, error.strerror) from None
            raise
        _sync(self._fd)
        if self._fresh:
            sync_directory(self.path.parent)
            for above in self.path.parent.parents[:2]:  # they may be new as well
                with contextlib.suppress(PermissionError):
                    sync_directory(above)
            self._fresh = False
        self._size += len(data)
        self._torn = False
        self.tip = tip

    def close(self) -> None:
        """Lets go of the file; what was not synced stays unpromised."""
        with contextlib.suppress(OSError):
            os.close(self._fd)


def lock(path: Path) -> int | None:
    """Keeps other cockpits from writing, for as long as the descriptor is open.

    None when the file cannot be opened, or when its file system knows no locks.
    Raises Busy when another cockpit has it.
    """
    for flags in (os.O_RDWR, os.O_RDONLY):  # network file systems want it writable
        try:
            fd = os.open(path, flags | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise Busy(
                    f"{path.parent.name} is open in another cockpit, which writes its journal. "
                    "This one can only read along."
                ) from None
            continue
        return fd
    return None


def files(folder: Path, incident: str) -> list[Path]:
    """All files of an incident's journal, the main one first, then the others as they were made.

    incident: its id, or empty when not known; then the folder's name is what others are found by.
    """
    found = [folder / MAIN] if (folder / MAIN).is_file() else []
    others: list[tuple[int, Path]] = []
    owners = {os.geteuid(), *_owner(folder)}
    for place in places(folder):
        with contextlib.suppress(OSError):
            for path in place.iterdir():
                number = _mine(path.name, folder.name, incident)
                if number and not path.is_symlink() and owners.issuperset(_owner(path)):
                    others.append((number, path))
    return found + [path for _, path in sorted(others)]


def elsewhere_too(folders: Sequence[Path]) -> set[Path]:
    """Those of several folders whose journals may go on in other files; each place is read once."""
    by_name = {folder.name: folder for folder in folders}
    found = set()
    for place in dict.fromkeys(place for folder in folders for place in places(folder)):
        with contextlib.suppress(OSError):
            for path in place.iterdir():
                parts = path.name.rsplit(".", 3)
                if len(parts) == 4 and parts[3] == "jsonl" and parts[0] in by_name:
                    found.add(by_name[parts[0]])
    return found


def places(folder: Path) -> list[Path]:
    """Where files of this journal may be, the folder itself first."""
    return [folder, *(place for place in paths.fallbacks() if place not in folder.parents)]


def further(folder: Path, incident: str) -> str:
    """The name of the next file beyond the main one: it says whose it is, wherever it lies."""
    taken = (_mine(path.name, folder.name, incident) for path in files(folder, incident))
    return f"{folder.name}.{incident or 'unknown'}.{max([1, *taken]) + 1:04}.jsonl"


def _mine(name: str, folder: str, incident: str) -> int:
    """The number of a further file of this incident's journal, 0 when it is none."""
    parts = name.rsplit(".", 3)
    if len(parts) != 4 or parts[3] != "jsonl" or not re.fullmatch("[0-9]{4,9}", parts[2]):
        return 0
    mine = parts[1] == incident if incident and parts[1] != "unknown" else parts[0] == folder
    return int(parts[2]) if mine else 0


def private(directory: Path) -> None:
    """Makes a directory, 0700. Raises OSError when there is one in which others may write."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = directory.lstat()
    if status.st_uid != os.geteuid() or directory.is_symlink() or status.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "others can write there", str(directory))


def sync_directory(directory: Path) -> None:
    """fsync of a directory, so that a new name in it survives a power cut."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _sync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems sync no directories
            raise
    finally:
        os.close(fd)


def fill_ballast(folder: Path) -> bool:
    """Puts space aside for a full disk; True when there is some now, else none is taken."""
    path = folder / BALLAST
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, os.urandom(BALLAST_BYTES))  # not zeros: some file systems keep no zeros
        except OSError:
            path.unlink()
        finally:
            os.close(fd)
    return path.exists()


def release_ballast(folder: Path) -> bool:
    """Gives the space back; True when there was some."""
    try:
        (folder / BALLAST).unlink()
    except OSError:
        return False
    return True


def _sync(fd: int) -> None:
    if sys.platform == "darwin":  # there fsync stops at the drive's cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _owner(path: Path) -> tuple[int, ...]:
    try:
        return (path.lstat().st_uid,)
    except OSError:
        return ()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.write(fd, view)
        if not written:
            raise OSError(errno.EIO, "nothing was written")
        view = view[written:]
