"""A moment as a tired person types it: 15m, 03:00, yesterday 22:10."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"(?:\d+\s*(?:seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d|weeks?|w)\s*)+")
_PART = re.compile(r"(\d+)\s*([smhdw])")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAYS: Final = {"today": 0, "yesterday": 1}
HOW: Final = "15m, 2h, 03:00, yesterday 22:10, 2026-11-21 22:10; UTC behind it for UTC"


def since(words: str, now: datetime, zone: tzinfo = UTC) -> datetime:
    """The moment that is meant, in UTC; a time of day is the last such one before now.

    zone: of the times of day that do not say UTC. Raises ValueError with what to type instead.
    """
    text = " ".join(words.lower().replace("t", " ").split()) if _iso(words) else words.lower()
    text = " ".join(text.split()).removesuffix(" ago").removeprefix("since ").lstrip("-")
    if _AGO.fullmatch(text):
        seconds = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
        try:
            return (now - timedelta(seconds=seconds)).astimezone(UTC)
        except OverflowError:
            raise _unclear(words) from None
    parts = text.split()
    if parts and parts[-1] in ("utc", "z"):
        zone = UTC
        parts.pop()
    elif parts and re.fullmatch(r".*\dz", parts[-1]):
        zone = UTC
        parts[-1] = parts[-1][:-1]
    here = now.astimezone(zone)
    day, clock = _day(parts, here), _clock(parts)
    if parts or (day is None and clock is None):
        raise _unclear(words)
    found = datetime.combine(day or here.date(), clock or time(), zone)
    if day is None and found > here:
        found = datetime.combine(here.date() - timedelta(days=1), clock or time(), zone)
    if found > here:
        raise ValueError(f"{words.strip()} is yet to come. Such as: {HOW}.")
    return found.astimezone(UTC)


def _iso(words: str) -> bool:
    return re.search(r"\d[tT]\d", words) is not None


def _day(parts: list[str], here: datetime) -> date | None:
    """The day that the words begin with, which is taken from them."""
    if not parts:
        return None
    if parts[0] in _DAYS:
        return here.date() - timedelta(days=_DAYS[parts.pop(0)])
    found = _DATE.fullmatch(parts[0])
    if found is None:
        return None
    try:
        day = date(*(int(number) for number in found.groups()))
    except ValueError:
        return None
    parts.pop(0)
    return day


def _clock(parts: list[str]) -> time | None:
    found = _CLOCK.fullmatch(parts[0]) if parts else None
    if found is None:
        return None
    hour, minute, second = (int(number or 0) for number in found.groups())
    try:
        clock = time(hour, minute, second)
    except ValueError:
        return None
    parts.pop(0)
    return clock


def _unclear(words: str) -> ValueError:
    said = f"{words.strip()!r} is no time." if words.strip() else "No time was given."
    return ValueError(f"{said} Such as: {HOW}.")
