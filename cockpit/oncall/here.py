"""What this machine itself must have before a shift: its clock, its disk, a terminal, the files."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cockpit.oncall.result import Found, bad, note, ok, warn
from cockpit.words import many, size

if TYPE_CHECKING:
    from datetime import datetime

    from cockpit.config import Config, Destination
    from cockpit.oncall.model import Handbook

FULL: Final = 50 << 20
TIGHT: Final = 500 << 20
SMALLEST: Final = (60, 20)
USUAL: Final = (80, 24)
_UNSYNCHRONISED: Final = 0x40
_BY_CHRONY: Final = ("/run/chrony/chronyd.pid", "/run/chronyd.pid", "/run/chrony.pid")
_BY_TIMESYNCD: Final = "/run/systemd/timesync/synchronized"


# The clock


class _Timex(ctypes.Structure):
    """The beginning of the kernel's struct timex, and room for the rest of it."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    ]


@dataclass(frozen=True, slots=True)
class Kept:
    """How the kernel keeps the time. error: seconds by which it may be off, at most."""

    synchronised: bool
    error: float


def kept() -> Kept | None:
    """What the kernel says of its clock; None where it is not Linux or does not tell."""
    if sys.platform != "linux":
        return None
    timex = _Timex()
    try:
        said = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if said < 0:
        return None
    return Kept(not timex.status & _UNSYNCHRONISED, timex.maxerror / 1e6)


def clock(kernel: Kept | None, *, timesyncd: bool, chrony: bool) -> Found:
    """Whether something keeps this machine's time right."""
    if kernel is None:
        return note("this system does not tell whether its clock is kept right")
    if kernel.synchronised or timesyncd:
        within = f", within {kernel.error:.1f} s" if kernel.synchronised else ""
        return ok(f"is kept in sync{within}")
    if chrony:
        return note("chrony runs; whether it is in sync is told by chronyc tracking")
    return warn(
        "nothing keeps it in sync.",
        "sudo timedatectl set-ntp true. Until then, times in the log may be off.",
    )


def clock_now() -> Found:
    """The same, asked of this machine."""
    chrony = any(Path(path).exists() for path in _BY_CHRONY)
    return clock(kept(), timesyncd=Path(_BY_TIMESYNCD).exists(), chrony=chrony)


# Disk and terminal


def journals(home: Path) -> Found:
    """Whether journals can be written below `home`, and how long."""
    place = home
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        if not os.access(place, os.W_OK):
            return bad(f"{place} cannot be written.", "See ls -ld, or set COCKPIT_HOME.")
        numbers = os.statvfs(place)
    except OSError as error:
        return bad(f"{place}: {error.strerror or error}.", "See ls -ld, or set COCKPIT_HOME.")
    left = numbers.f_bavail * numbers.f_frsize
    none_left = bool(numbers.f_files) and not numbers.f_favail
    if left < FULL or none_left:
        what = "no file more" if none_left else f"{size(left)} left"
        return bad(f"{home} has {what}.", "Make room: an incident writes what it sees there.")
    if left < TIGHT:
        return warn(f"{home} has only {size(left)} left.", "Make room before the shift.")
    return ok(f"{size(left)} left in {home}")


def terminal(size: tuple[int, int] | None, encoding: str, term: str) -> Found:
    """Whether the full screen can be drawn. size: columns and rows; None where there is none."""
    if size is None:
        return note("not asked: this is no terminal")
    shape = f"{size[0]}x{size[1]}"
    if term in ("", "dumb"):
        return bad(f"TERM is {term or 'not set'}.", "export TERM=xterm-256color")
    if encoding.lower().replace("-", "").replace("_", "") != "utf8":
        return warn(f"its encoding is {encoding}, not UTF-8.", "export LANG=C.UTF-8")
    if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
        return bad(f"it is {shape}.", f"cockpit wants {SMALLEST[0]}x{SMALLEST[1]} or more.")
    if size[0] < USUAL[0] or size[1] < USUAL[1]:
        return warn(f"it is {shape}.", f"It reads better from {USUAL[0]}x{USUAL[1]} on.")
    return ok(f"{shape}, UTF-8, {term}")


def terminal_now() -> Found:
    """The same, of the terminal that this process has."""
    if not sys.stdout.isatty():
        return terminal(None, "", "")
    seen = os.get_terminal_size(sys.stdout.fileno())
    return terminal((seen.columns, seen.lines), sys.stdout.encoding, os.environ.get("TERM", ""))


# Files


def runbooks(config: Config, besides: Path) -> Found:
    """Whether the team's runbooks are on this machine, without what would fail at 3am; slow.

    besides: the handbook, which has a line of its own.
    """
    from cockpit.runbook import library
    from cockpit.runbook.lint import Level, judge, open_all

    missing = [folder for folder in config.runbooks if not folder.exists()]
    if missing:
        return bad(f"{missing[0]} is not there.", "Fetch it, or mend runbooks: in cockpit.yaml.")
    own = [folder for folder in library.folders(config) if folder != library.shipped()]
    found = [folder for folder in own if folder.is_dir()]
    if not found:
        return warn("none of your own here.", "cockpit init DIR writes a start.")
    pages, unread = open_all(found)
    pages = [page for page in pages if Path(page.name).absolute() != besides.absolute()]
    if not pages:
        return warn(f"no markdown file in {found[0]}.", "Fetch them, or name another folder.")
    wrong = [one for one in unread + judge(pages) if one.level is Level.ERROR]
    if wrong:
        first = wrong[0]
        return warn(
            f"{many(len(wrong), 'error')} in {many(len(pages), 'file')};"
            f" {Path(first.path).name}:{first.line}: {first.what}.",
            "cockpit lint lists them.",
        )
    return ok(f"{many(len(pages), 'file')} here, without errors")


def handbook(config: Config, read: Handbook) -> Found:
    """Whether the team's handbook is on this machine, and says what it should."""
    if config.handbook and not config.handbook.exists():
        return bad(f"{config.handbook} is not there.", "Fetch it, or mend handbook: there.")
    if read.unread:
        return bad(str(read.unread))
    if not read.path or read.shipped:
        return warn(
            "none of your own, so the one that comes with cockpit counts.",
            "Name it in cockpit.yaml, as handbook: ON_CALL.md",
        )
    from cockpit.runbook import parse
    from cockpit.runbook.lint import Level, lint

    path = Path(read.path)
    try:
        wrong = [one for one in lint([path], handbook=path) if one.level is Level.ERROR]
    except parse.Unreadable as error:
        return bad(str(error))
    if wrong:
        first = wrong[0]
        said = f"{many(len(wrong), 'error')}; line {first.line}: {first.what}."
        return warn(said, f"cockpit lint {path.name} lists them.")
    return ok(f"{path.name} is here, without errors")


def contacts(read: Handbook, now: datetime) -> Found:
    """Whether the ladder can be called; what is wrong with it is listed by `check contacts`."""
    from cockpit.oncall.contacts import problems

    people = [contact for level in read.levels for contact in level.contacts]
    reachable = sum(contact.reachable for contact in people)
    if not reachable and read.unread:
        return bad(f"nobody can be called. {read.unread}")
    if not reachable:
        return bad(
            "nobody can be called: no level has a phone, a Slack name or an address.",
            "Fill them in; cockpit check contacts lists what is missing.",
        )
    wrong = problems(read, now)
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return warn(f"{str(wrong[0].what).rstrip('.')}{more}.", "See: cockpit check contacts")
    return ok(f"{many(reachable, 'person', 'people')} on {many(len(read.levels), 'level')}")


async def outbox(name: str, destination: Destination) -> Found:
    """Whether what is secret of a destination can be had, as when it is sent to; nothing is."""
    from cockpit.outbox.secret import NoSecret, secret

    try:
        found = await secret(name, destination)
    except NoSecret as error:
        return warn(str(error).removeprefix(f"outbox.{name}: "))
    return ok(f"{destination.kind}, with its secret" if found else f"{destination.kind}, no secret")
