"""A file of a host, followed over cuts of the link and over its rotation."""

from __future__ import annotations

import asyncio
import shlex
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from cockpit import text
from cockpit.logs.attached import Attached, asked
from cockpit.logs.inbox import Inbox
from cockpit.logs.line import Line, Stream
from cockpit.logs.source import Batch, LogTrouble
from cockpit.logs.stamps import Stamps
from cockpit.target import guard
from cockpit.target.reading import flow
from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.target.target import Target

AT_ONCE: Final = 1 << 20
"""Bytes that may come at once; beyond that the host sends the newest alone, and counts the rest."""
A_SECOND: Final = 200_000
LONGEST: Final = 1 << 16
PAGE: Final = 1 << 16
LARGEST_PAGE: Final = 1 << 23
MARKS: Final = 10_000
LATER: Final = 1 << 63

# Each piece of the file goes with the inode and the offset it is from, so that a cut loses and
# doubles nothing. What is left in a file that was rotated away is read first. A word now and then
# tells by its failure that nobody listens any more; nothing is left on the host then.
FOLLOW: Final = """\
f={path}
d={folder}
i={inode}
o={offset}
a={allowed}
b=0
date +'zone %z %s'
while :; do
  set -- $(stat -Lc '%i %s' -- "$f" 2>/dev/null)
  if [ -z "$1" ]; then
    # The next file may get the number of one that is gone, and is another all the same.
    if [ "$i" != 0 ] && [ -z "$(find "$d" -maxdepth 1 -inum "$i" 2>/dev/null)" ]; then i=-1; fi
    printf 'none\\n' || exit
    sleep 2
    continue
  fi
  if [ ! -r "$f" ]; then printf 'denied\\n'; exit; fi
  if [ "$i" = 0 ]; then i=$1; o=$(( $2 - $(tail -n {first} -- "$f" | wc -c) )); fi
  g=$f
  s=$2
  if [ "$1" != "$i" ]; then
    g=$(find "$d" -maxdepth 1 -inum "$i" 2>/dev/null | head -n 1)
    if [ -n "$g" ]; then s=$(stat -Lc %s -- "$g"); else s=0; fi
  fi
  if [ "$s" -lt "$o" ] && [ "$1" = "$i" ]; then printf 'emptied\\n'; o=0; fi
  if [ "$s" -gt "$o" ]; then
    k=$(( s - o ))
    if [ "$k" -gt "$a" ]; then
      z=$(( k - 65536 ))
      printf 'skip %s %s\\n' \
        $(tail -c "+$(( o + 1 ))" -- "$g" | head -c "$z" | wc -l) \
        $(tail -c "+$(( o + 1 ))" -- "$g" | head -c "$z" | \
          grep -cE 'ERROR|FATAL|CRITICAL|PANIC|SEVERE|level.{{1,4}}(error|fatal|panic)')
      o=$(( o + z ))
      k=65536
      a=$k
    fi
    printf 'at %s %s %s\\n' "$i" "$o" "$k" || exit
    tail -c "+$(( o + 1 ))" -- "$g" | head -c "$k"
    o=$(( o + k ))
    a=$(( a - k ))
    b=0
  fi
  if [ "$1" != "$i" ]; then printf 'turned %s\\n' "$g"; i=$1; o=0; continue; fi
  b=$(( b + 1 ))
  if [ "$b" -gt 12 ]; then printf 'beat\\n' || exit; b=0; fi
  a=$(( a + {refill} ))
  if [ "$a" -gt {most} ]; then a={most}; fi
  sleep 0.4
done
"""
PIECE: Final = """\
set -- $(stat -Lc '%i' -- {path})
printf '%s\\n' "$1"
tail -c +{start} -- {path} | head -c {length}
"""


class FileTail:
    """Follows a file from its newest lines on, until closed; a LogSource.

    let: lets a command through the gate. first: how many old lines to begin with.
    """

    def __init__(
        self, target: Target, path: str, let: Callable[[str], guard.Pass], *, first: int = 500
    ) -> None:
        self.name = text.clean_line(path)
        self.host = text.clean_line(target.name)
        self.key = f"file {self.host} {path}"
        self.inbox = Inbox()
        self._target = target
        self._path = path
        self._let = let
        self._first = first
        self._inode = 0
        self._offset = 0
        self._held = b""
        self._over = False
        self._begun = False
        self._lowest = 0
        self._oldest = 0
        self._marks: deque[tuple[int, int]] = deque(maxlen=MARKS)
        self._stamps = Stamps(0, time.time())
        self._last = 0
        self._stamped = self._live = False
        self._attached = Attached(target, self._follow)

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._attached.start()

    async def close(self) -> None:
        """Stop following."""
        await self._attached.close()

    @property
    def note(self) -> Safe:
        """Why nothing new comes and what to do; "" while it follows."""
        return self._attached.note

    @property
    def rate(self) -> float:
        """Lines a second, over the last second or two."""
        return self.inbox.rate

    def take(self) -> Batch:
        """The lines that came since the last take, in their order."""
        return self.inbox.take()

    async def older(self, before: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from before all that was loaded, or, where what was loaded is not
        held any more, from before a moment. Raises LogTrouble."""
        end, until = self._lowest, LATER
        if before > self._oldest and self._marks:
            after = bisect_right(self._marks, (before, LATER))
            end = self._marks[after][1] if after < len(self._marks) else self._offset
            until = before
        size = PAGE
        while end:
            start = max(0, end - size)
            raw = await self._piece(start, end)
            lines = self._lines(raw)
            found = sum(line.at < until for line in lines)
            if found or not start or size >= LARGEST_PAGE:
                first = max(0, found - count)
                self._lowest = end - sum(len(line) + 1 for line in raw[first:])
                self._oldest = lines[first].at if found else 0
                return tuple(lines[first:found])
            size *= 4
        return ()

    async def since(self, at: int, count: int) -> tuple[Line, ...]:
        """At most `count` lines from a moment on. Raises LogTrouble."""
        end, size = self._offset - len(self._held), PAGE
        while end:
            start = max(0, end - size)
            raw = await self._piece(start, end)
            lines = self._lines(raw)
            if not start or size >= LARGEST_PAGE or (lines and 0 < lines[0].at < at):
                first = sum(line.at < at for line in lines)
                self._lowest = min(self._lowest, end - sum(len(line) + 1 for line in raw[first:]))
                self._oldest = min(self._oldest, at)
                return tuple(lines[first : first + count])
            size *= 4
        return ()

    async def _piece(self, start: int, end: int) -> list[bytes]:
        """The lines that begin there, up to the end of one."""
        command = PIECE.format(path=shlex.quote(self._path), start=start + 1, length=end - start)
        inode, _, data = (await asked(self._target, self._let, command)).partition(b"\n")
        if inode != b"%d" % self._inode:
            raise LogTrouble(f"{self.name} was rotated: older lines are in another file.")
        return data.split(b"\n")[1 if start else 0 : -1]

    async def _follow(self) -> None:
        away = time.monotonic() - self._attached.heard
        allowed = AT_ONCE + int(away * A_SECOND)
        folder = self._path.rpartition("/")[0] or "/"
        command = FOLLOW.format(
            path=shlex.quote(self._path),
            folder=shlex.quote(folder),
            inode=self._inode,
            offset=self._offset,
            allowed=allowed,
            first=self._first,
            refill=A_SECOND * 2 // 5,
            most=AT_ONCE,
        )
        told, due = b"", 0
        async with aclosing(flow(self._target, self._let(command))) as chunks:
            async for chunk in chunks:
                self._attached.heard = time.monotonic()
                data = told + chunk if told else chunk
                told = b""
                while data:
                    if due:
                        self._came(data[:due])
                        data, due = data[due:], max(0, due - len(data))
                        continue
                    word, end, rest = data.partition(b"\n")
                    if not end:
                        told = data
                        break
                    data, due = rest, self._told(word.split())
                await asyncio.sleep(0)

    def _told(self, words: list[bytes]) -> int:
        """Takes what the host says of the file; how many bytes of it follow."""
        match words:
            case [b"at", inode, offset, length]:
                self._attached.said = Safe("")
                if not self._inode:
                    self._lowest = int(offset)
                self._live = self._begun
                self._begun = True
                self._inode, self._offset = int(inode), int(offset)
                self._marks.append((self._last, self._offset - len(self._held)))
                return int(length)
            case [b"zone", zone, seconds]:
                hours, minutes = int(zone[1:3]), int(zone[3:5])
                east = (hours * 60 + minutes) * (-60 if zone[:1] == b"-" else 60)
                self._stamps = Stamps(east, int(seconds))
            case [b"skip", lines, errors]:
                self._break_off()
                # What comes next begins in the middle of a line: that one is left out too.
                self._over = True
                self.inbox.skip(self._last, int(lines) + 1, int(errors))
                self.inbox.came(int(lines))
            case [b"turned", *old]:
                self._turn(lost=not old)
            case [b"emptied"]:
                self._begin_anew("… the file was emptied here; what was not read of it is lost")
            case [b"none"]:
                self._attached.said = Safe(
                    f"{self.name} is not there now. It is followed when it is."
                )
            case [b"denied"]:
                self._attached.said = Safe(
                    f"{self._target.user} may not read {self.name}. Often a group may: "
                    "ls -l shows which."
                )
        return 0

    def _turn(self, *, lost: bool) -> None:
        words = "… the file was rotated here; the new one goes on"
        if lost:
            words += ". The old one is gone: its last lines may be missing"
        self._begin_anew(words)

    def _begin_anew(self, words: str) -> None:
        self._break_off()
        self.inbox.gap(self._last, Safe(words))
        self._inode = self._offset = self._lowest = self._oldest = 0
        self._marks.clear()

    def _came(self, data: bytes) -> None:
        self._offset += len(data)
        lines = data.split(b"\n")
        lines[0] = self._held + lines[0]
        self._held = lines.pop()
        if self._over and lines:
            del lines[0]
            self._over = False
        for line in self._lines(lines) if not self._stamped else map(self._line, lines):
            self._put(line)
        self.inbox.came(len(lines))
        if len(self._held) > LONGEST:
            self._break_off()
            self._over = True

    def _break_off(self) -> None:
        """Show the line whose end will not come, or is too far off."""
        if self._held and not self._over:
            self._put(self._line(self._held))
        self._held, self._over = b"", False

    def _put(self, line: Line) -> None:
        if line.at:
            self._stamped = True
        else:
            # Of the line before it, or of now where no line says when it was written.
            line = line._replace(at=self._last if self._stamped or not self._live else _now())
        self._last = line.at
        self._oldest = self._oldest or line.at
        self.inbox.put(line)

    def _lines(self, raw: list[bytes]) -> list[Line]:
        """Those that say no time have that of the line before them, or of the first that does."""
        lines = [self._line(one) for one in raw]
        at = next((line.at for line in lines if line.at), 0)
        for index, line in enumerate(lines):
            at = line.at or at
            lines[index] = line._replace(at=at)
        return lines

    def _line(self, raw: bytes) -> Line:
        shown, looks = text.coloured_line(raw.rstrip(b"\r"))
        return Line(self._stamps.at(raw), Stream.STDOUT, shown, looks)


def _now() -> int:
    return time.time_ns()
