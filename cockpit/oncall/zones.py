"""The time zone that people mean: `Europe/Berlin`, `CET`, `UTC+2`, `Pacific`, `New York`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache, lru_cache

from cockpit.text import Safe, clean_line


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone. where: how a sentence about its time ends: "in Berlin", "UTC+2".

    It is empty where people call the zone by letters, which change with the season: "CEST".
    """

    info: tzinfo
    where: Safe
    name: str = ""
    """Of the tz database; empty where it is only a distance from UTC."""


# Letters that people use all year for the time of a place, summer or winter.
_LETTERS = {
    "America/New_York": "et est edt eastern",
    "America/Chicago": "ct cst cdt central",
    "America/Denver": "mt mst mdt mountain",
    "America/Los_Angeles": "pt pst pdt pacific",
    "America/Anchorage": "akst akdt alaska",
    "Pacific/Honolulu": "hst hawaii",
    "America/Halifax": "ast adt atlantic",
    "America/Sao_Paulo": "brt brazil",
    "America/Argentina/Buenos_Aires": "art argentina",
    "Europe/London": "bst uk british england britain",
    "Europe/Dublin": "ireland irish",
    "Europe/Lisbon": "wet west portugal",
    "Europe/Berlin": "cet cest mez mesz germany deutschland",
    "Europe/Paris": "france",
    "Europe/Madrid": "spain",
    "Europe/Rome": "italy",
    "Europe/Amsterdam": "netherlands",
    "Europe/Warsaw": "poland",
    "Europe/Zurich": "switzerland",
    "Europe/Vienna": "austria",
    "Europe/Stockholm": "sweden",
    "Europe/Helsinki": "eet eest finland",
    "Europe/Kyiv": "ukraine",
    "Europe/Moscow": "msk",
    "Asia/Jerusalem": "israel",
    "Africa/Johannesburg": "sast",
    "Asia/Dubai": "gst uae",
    "Asia/Kolkata": "india",
    "Asia/Singapore": "sgt",
    "Asia/Hong_Kong": "hkt",
    "Asia/Shanghai": "china",
    "Asia/Tokyo": "jst japan",
    "Asia/Seoul": "kst korea",
    "Australia/Perth": "awst",
    "Australia/Adelaide": "acst acdt",
    "Australia/Sydney": "aest aedt australia",
    "Pacific/Auckland": "nzst nzdt",
}
_REGIONS = frozenset(
    {"Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
_AT_SEA = frozenset({"utc", "gmt", "z", "zulu", "etc/utc", "utc time", "coordinated universal"})
_DISTANCE = re.compile(
    r"(?:\b(?:utc|gmt)\s*|(?<![\w.:/]))(?P<sign>[+−–-])\s*(?P<h>\d{1,2})(?::?(?P<m>[0-5]\d))?(?![\d:])",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}")
_NOISE = re.compile(
    r"\b(?:standard|daylight|summer|winter|local|time ?zone|time|us|zone|savings?)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=512)
def zone(text: str) -> Zone | None:
    """The zone that a text names, None where it names none that is known, or more than one.

    `CET` and `EST` are the time of their region, with its summer time: so people use them.
    """
    said = text.strip()
    for match in _NAME.finditer(said):
        if found := _named(match[0]):
            return found
    bare = said.lower().strip(" .")
    if bare in _AT_SEA:
        return Zone(UTC, Safe("UTC"), "UTC")
    if found := _named(said.replace(" ", "_")):
        return found
    outside = re.sub(r"\([^)]*\)", " ", said)
    for piece in (outside, *re.findall(r"\(([^)]*)\)", said)):
        phrases = _phrases(piece)
        words = [word for phrase in phrases for word in phrase.split()]
        for told in (phrases, words):
            places = {name for word in told if (name := _place(word))}
            if len(places) == 1:
                by_letters = any(word.isupper() and _place(word) for word in words)
                return _named(places.pop(), by_letters=by_letters)
    if distance := _DISTANCE.search(said):
        return _distance(distance)
    if re.search(r"\b(?:utc|gmt|zulu)\b", bare):
        return Zone(UTC, Safe("UTC"), "UTC")
    return None


def _phrases(text: str) -> list[str]:
    """What may be a place in a text: each piece between signs."""
    pieces = re.split(r"[,;/|()]|\s-\s", _NOISE.sub(" ", text))
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def _place(text: str) -> str | None:
    return _places().get(text.lower().replace("_", " "))


@cache
def _places() -> dict[str, str]:
    """Names of zones by letters, by country, and by the city that they are called after."""
    import zoneinfo

    found: dict[str, str] = {}
    for name in sorted(zoneinfo.available_timezones()):
        region, _, city = name.rpartition("/")
        if region.split("/")[0] in _REGIONS:
            found.setdefault(city.replace("_", " ").lower(), name)
    for city, name in (
        ("san francisco", "America/Los_Angeles"), ("seattle", "America/Los_Angeles"),
        ("boston", "America/New_York"), ("munich", "Europe/Berlin"), ("hamburg", "Europe/Berlin"),
        ("nyc", "America/New_York"), ("bangalore", "Asia/Kolkata"), ("mumbai", "Asia/Kolkata"),
        ("delhi", "Asia/Kolkata"), ("austin", "America/Chicago"), ("beijing", "Asia/Shanghai"),
    ):  # fmt: skip
        found[city] = name
    found |= {word: name for name, words in _LETTERS.items() for word in words.split()}
    return found | {
        "central european": "Europe/Berlin", "eastern european": "Europe/Helsinki",
        "western european": "Europe/Lisbon", "united kingdom": "Europe/London",
        "new zealand": "Pacific/Auckland", "south africa": "Africa/Johannesburg",
    }  # fmt: skip


def _named(name: str, *, by_letters: bool = False) -> Zone | None:
    """The zone of that name in the tz database, whatever its case."""
    import zoneinfo

    known = _by_lower().get(name.lower())
    if known is None or (("/" not in known) and known != "UTC"):
        return None
    if known in ("UTC", "Etc/UTC"):
        return Zone(UTC, Safe("UTC"), "UTC")
    try:
        info = zoneinfo.ZoneInfo(known)
    except (KeyError, ValueError, OSError):  # no tz database on this machine
        return None
    city = clean_line(known.rpartition("/")[2].replace("_", " "))
    region = known.partition("/")[0]
    where = f"in {city}" if region in _REGIONS else known
    return Zone(info, Safe("" if by_letters else where), known)


@cache
def _by_lower() -> dict[str, str]:
    import zoneinfo

    return {name.lower(): name for name in zoneinfo.available_timezones()}


def _distance(match: re.Match[str]) -> Zone | None:
    minutes = int(match["h"]) * 60 + int(match["m"] or 0)
    if minutes > 14 * 60:
        return None
    signed = minutes if match["sign"] == "+" else -minutes
    told = f"UTC{'+' if signed >= 0 else '-'}{minutes // 60}"
    told += f":{minutes % 60:02}" if minutes % 60 else ""
    return Zone(timezone(timedelta(minutes=signed)), Safe(told))
