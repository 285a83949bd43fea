"""How full the disks of a host are, by its own df."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cockpit.text import Safe, clean_line

COMMAND: Final = "LC_ALL=C df -Pk"
WITHIN: Final = 15.0
FIRST_S: Final = 10.0
"""Seconds after a host is chosen: until then its link has more urgent things to carry."""
EVERY_S: Final = 60.0
_NO_DISK: Final = frozenset({"tmpfs", "devtmpfs", "udev", "none", "overlay", "shm", "efivarfs"})
_NO_PLACE: Final = ("/dev/", "/proc/", "/run/", "/snap/", "/sys/")


@dataclass(frozen=True, slots=True)
class Disk:
    """A line of df: where it is mounted, percent in use, bytes left."""

    mount: Safe
    percent: int
    left: int


def read(text: str) -> tuple[Disk, ...]:
    """The disks in what COMMAND prints, without what is no disk or is always full."""
    found: dict[str, Disk] = {}
    for line in text.splitlines():
        parts = line.split(None, 5)
        if len(parts) < 6 or not parts[4].endswith("%") or not parts[4][:-1].isdigit():
            continue
        device, _, _, left, percent, mount = parts
        real = mount == "/" or (device not in _NO_DISK and not mount.startswith(_NO_PLACE))
        image = device.startswith("/dev/loop") and percent == "100%"
        if real and not image and left.isdigit():
            found.setdefault(device, Disk(clean_line(mount), int(percent[:-1]), int(left) * 1024))
    return tuple(found.values())
