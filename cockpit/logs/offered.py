"""What can be followed on a host beside its containers: files under /var/log, units of journald."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cockpit import text
from cockpit.target.reading import read
from cockpit.target.target import LinkDown, LinkLost
from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.target.guard import Pass
    from cockpit.target.target import Target

WITHIN: Final = 10.0
UNITS: Final = 500
COMMAND: Final = f"""\
printf 'now %s\\n' "$(date +%s)"
stat -Lc 'file %s %Y %F/%n' -- /var/log/* /var/log/*/* 2>/dev/null
for f in /var/log/* /var/log/*/*; do
  if [ ! -r "$f" ]; then printf 'closed %s\\n' "$f"; fi
done
if command -v journalctl >/dev/null; then
  journalctl -F _SYSTEMD_UNIT 2>/dev/null | head -n {UNITS} | while read -r unit; do
    printf 'unit %s\\n' "$unit"
  done
  printf 'told %s\\n' "$(journalctl -n 0 2>&1 >/dev/null | head -n 1)"
fi
"""
_NO_TEXT: Final = re.compile(
    rb"\.(?:gz|xz|bz2|zst|lz4|zip|journal~?|db|sqlite)$|/(?:[bw]tmp|lastlog|faillog|tallylog)\b"
)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that may be read. age: seconds since it was written to. name: its path, as shown."""

    path: str
    name: Safe
    size: int
    age: int


@dataclass(frozen=True, slots=True)
class Offered:
    """Files, the newest first, and units. trouble: what is there and may not be read, or ""."""

    files: tuple[LogFile, ...] = ()
    units: tuple[Safe, ...] = ()
    trouble: Safe = Safe("")


async def ask(target: Target, leave: Pass) -> Offered:
    """What the host has; why it does not say is the trouble. leave: for COMMAND."""
    host = text.clean_line(target.name)
    try:
        said = await read(target, leave, WITHIN)
    except (LinkLost, LinkDown, OSError) as lost:
        return Offered(trouble=Safe(f"{host}: {text.clean_line(str(lost)) or 'the link is gone'}"))
    if said.cut:
        return Offered(trouble=Safe(f"{host} has not said within {WITHIN:.0f} s which logs it has"))
    return parse(said.output, host, text.clean_line(target.user))


def parse(output: bytes, host: Safe, user: Safe) -> Offered:
    """What COMMAND printed."""
    now = 0
    found: dict[bytes, tuple[int, int]] = {}
    closed: set[bytes] = set()
    units: list[Safe] = []
    told = Safe("")
    for line in output.split(b"\n"):
        kind, _, rest = line.partition(b" ")
        if kind == b"now" and rest.isdigit():
            now = int(rest)
        elif kind == b"file":
            what, slash, name = rest.partition(b"/")
            size, when, sort = [*what.split(b" ", 2), b"", b""][:3]
            if slash and sort == b"regular file" and size.isdigit() and when.isdigit():
                found[name] = int(size), int(when)
        elif kind == b"closed":
            closed.add(rest)
        elif kind == b"unit" and rest:
            units.append(text.clean_line(rest))
        elif kind == b"told":
            told = text.clean_line(rest)
    files = [
        LogFile(path.decode(), text.clean_line(path), size, max(0, now - when))
        for path, (size, when) in found.items()
        if path not in closed and not _NO_TEXT.search(path) and _is_utf8(path)
    ]
    files.sort(key=lambda one: (one.age, one.path))
    shut = sum(path in closed for path in found)
    parts = []
    if shut:
        parts.append(f"{user} may not read {shut} of the files under /var/log on {host}")
    if told:
        parts.append(f"journalctl on {host}: {told}")
    return Offered(tuple(files), tuple(sorted(units)), Safe("; ".join(parts)))


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True
