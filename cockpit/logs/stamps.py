"""When a line of a file was written, by the time at its start; pure."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_CLOCK: Final = rb"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
_ISO: Final = rb"(\d{4})[-/](\d\d)[-/](\d\d)[T ]" + _CLOCK + rb" ?(Z|[+-]\d\d:?\d\d)?"
# At the start, after a bracket or the priority of syslog, or as a field of JSON.
_BEGINS: Final = re.compile(
    rb"(?:\W{0,2}|<\d{1,3}>1 |.{0,400}?\"(?:time|ts|timestamp|@timestamp)\" ?: ?\")" + _ISO
)
_SYSLOG: Final = re.compile(rb"(?:<\d{1,3}>)?([A-Z][a-z]{2}) ([ 0-3]?\d) " + _CLOCK)
_ACCESS: Final = re.compile(
    rb".{0,200}?\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]"
)
_DAY_S: Final = 86_400


class Stamps:
    """Reads the times in one file. What names no zone or year has those of the host.

    zone: of the host, seconds east of UTC. now: its clock, seconds.
    """

    def __init__(self, zone: int, now: float) -> None:
        self._zone = zone
        self._now = now
        self._last: tuple[bytes, int] = (b"", 0)

    def at(self, line: bytes) -> int:
        """Nanoseconds UTC; 0 where no time is found."""
        try:
            if found := _BEGINS.match(line):
                year, month, day, hour, minute, second, part, zone = found.groups()
                date = year, month, day
            elif found := _SYSLOG.match(line):
                name, day, hour, minute, second, part = found.groups()
                return self._this_year(_MONTHS[name], int(day), hour, minute, second, part)
            elif found := _ACCESS.match(line):
                day, name, year, hour, minute, second, zone = found.groups()
                date, part = (year, b"%d" % _MONTHS[name], day), None
            else:
                return 0
            return self._ns(date, hour, minute, second, part, self._east(zone))
        except (KeyError, ValueError, OverflowError):
            return 0

    def _ns(
        self,
        date: tuple[bytes, bytes, bytes],
        hour: bytes,
        minute: bytes,
        second: bytes,
        part: bytes | None,
        east: int,
    ) -> int:
        key = b"-".join(date)
        if key != self._last[0]:
            year, month, day = map(int, date)
            self._last = key, int(datetime(year, month, day, tzinfo=UTC).timestamp())
        clock = int(hour) * 3600 + int(minute) * 60 + int(second)
        return (self._last[1] + clock - east) * 10**9 + int((part or b"0").ljust(9, b"0"))

    def _this_year(
        self, month: int, day: int, hour: bytes, minute: bytes, second: bytes, part: bytes | None
    ) -> int:
        """Of the year that makes it the newest time that is not in the future."""
        year = datetime.fromtimestamp(self._now, UTC).year
        for each in (year + 1, year, year - 1):
            clock = (each, month, day, int(hour), int(minute), int(second))
            if calendar.timegm(clock) - self._zone <= self._now + _DAY_S:
                break
        date = b"%d" % each, b"%d" % month, b"%d" % day
        return self._ns(date, hour, minute, second, part, self._zone)

    def _east(self, zone: bytes | None) -> int:
        if zone is None:
            return self._zone
        if zone == b"Z":
            return 0
        digits = zone.replace(b":", b"")
        east = int(digits[1:3]) * 3600 + int(digits[3:5]) * 60
        return -east if digits[:1] == b"-" else east
