"""How much the mounts of a container take, and how full the disks under them are."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cockpit.text import Safe, clean_line
from cockpit.words import size

if TYPE_CHECKING:
    from cockpit.containers.details import Mount

WITHIN: Final = 30.0
"""Seconds that counting may take on the host."""
_EACH: Final = (
    'for p in {paths}; do echo "= $p"; LC_ALL=C df -Pk "$p" 2>&1 | tail -n 1; '
    'LC_ALL=C du -skx "$p" 2>&1 | tail -n 1; done'
)


@dataclass(frozen=True, slots=True)
class Used:
    """What was found of one mount. words: in a line, also why it could not be counted."""

    words: Safe
    full: bool


def command(mounts: Iterable[Mount]) -> str:
    """The command that counts them, on the engine's host; "" where there is nothing to count."""
    paths = dict.fromkeys(one.source for one in mounts if one.source.startswith("/"))
    known = [shlex.quote(path) for path in paths if clean_line(path) == path]
    return _EACH.format(paths=" ".join(known)) if known else ""


def read(text: str) -> dict[str, Used]:
    """What COMMAND printed, by path; also of output that was cut off."""
    found: dict[str, Used] = {}
    for block in text.split("\n= ") if text.startswith("= ") else ():
        path, _, rest = block.removeprefix("= ").partition("\n")
        df, _, du = rest.partition("\n")
        found[path] = _used(df, du.strip())
    return found


def _used(df: str, du: str) -> Used:
    count, _, place = du.partition("\t")
    if not du:
        said = "not counted in time"
    elif count.strip().isdigit() and place:
        said = f"{size(int(count) * 1024)} in it"
    else:
        said = f"cannot be counted ({du})"
    parts = df.split(None, 5)
    if len(parts) == 6 and parts[4].endswith("%") and parts[4][:-1].isdigit():
        left = f", {size(int(parts[3]) * 1024)} left" if parts[3].isdigit() else ""
        said += f"; its disk is {parts[4]} full{left}"
        return Used(clean_line(said), int(parts[4][:-1]) >= 90)
    return Used(clean_line(said), False)
