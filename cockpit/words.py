"""Times, sizes and numbers as people say them; pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def duration(delta: timedelta | float) -> str:
    """A length of time as people say it: `4 s`, `12 min 41 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = delta.total_seconds() if isinstance(delta, timedelta) else delta
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {left} s"
    return f"{left} s"


def in_words(seconds: float) -> str:
    """A time to wait, in whole units, rounded up: `45 s`, `6 min`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, -int(-seconds // 1))
    if whole < 60:
        return f"{whole} s"
    minutes = -(-whole // 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def lasted(seconds: float) -> str:
    """A time that has passed, in the same units, rounded down."""
    return in_words(seconds if seconds < 60 else seconds // 60 * 60)


def stamp(at: datetime | None) -> str:
    """A time to the minute."""
    return f"{at:%Y-%m-%d %H:%M}" if at else "not known"


def size(count: int) -> str:
    """A number of bytes as people say it."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def many(number: int, word: str, words: str = "") -> str:
    """`1 file`, `3 files`. words: the plural of a word that does not end with an s then."""
    return f"{number} {word if number == 1 else words or f'{word}s'}"
