"""The people of a handbook: what their phone is called by, whether they answer, what is missing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cockpit.oncall.filled import example, made_up
from cockpit.oncall.hours import hours
from cockpit.oncall.model import Contact, Handbook, Unfilled, Vendor
from cockpit.oncall.zones import zone
from cockpit.text import Safe, clean_line

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}")
_EXTENSION = re.compile(r"\s*(?:ext(?:ension)?\.?|x|durchwahl|#)\s*\d{1,6}\s*\Z", re.IGNORECASE)
_NUMBER = re.compile(r"[+(]*\d[\d\s().\u00a0/–-]{4,28}")
_ENOUGH = 7
"""Digits from which on what follows in brackets, behind a slash or in a word is something else."""
_ELSE = re.compile(r"\s*\(|\s+/|/\s|\s24\s?/\s?7\b")

_LONGEST = 16
"""A + and the fifteen digits that E.164 allows."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the people of a handbook, in a sentence.

    line: 0 where it is in cockpit.yaml, or of the whole file.

    gap: it is something that nobody has filled in yet.
    """

    line: int
    what: Safe
    gap: bool = False


@lru_cache(maxsize=512)
def dialled(text: str) -> str | None:
    """The number in a text as every phone dials it (`+493012345678`).

    None where there is none, where it lacks the country's code, or no phone could have it.
    """
    return _number(text)[0]


def written(text: str) -> str:
    """The first number in a text, in plain digits, without the hours or the number behind it.

    Empty where there is none, and where letters are a part of it.
    """
    plain = unicodedata.normalize("NFKC", _EXTENSION.sub("", text))
    plain = "".join(str(unicodedata.decimal(char, char)) for char in plain)
    found = _NUMBER.search(plain)
    if found is None:
        return ""
    number = found[0]
    if number[-1] not in " \u00a0)" and plain[found.end() :][:1].isalpha():
        number = re.sub(r"\S+\Z", "", number)  # "2nd floor", "1-800-FLOWERS"
    for other in _ELSE.finditer(number):
        if _digits(number[: other.start()]) >= _ENOUGH:
            number = number[: other.start()]
            break
    whole = len(number) == len(found[0]) or _digits(number) >= _ENOUGH
    return re.sub(r"\D+\Z", "", number) if whole else ""


def _digits(text: str) -> int:
    return sum(char.isdecimal() for char in text)


def _number(text: str) -> tuple[str | None, str]:
    """The number in a text, or what is wrong with it as the end of a sentence."""
    import phonenumbers

    said = written(text)
    if not said:
        return None, "is no phone number"
    said = re.sub(r"\(0\)", "", said)
    said = "+" + said[2:] if said.startswith("00") else said
    if not said.startswith("+"):
        return None, "lacks the country's code: write it with +, as in +49 30 901820"
    try:
        number = phonenumbers.parse(said, None)
    except phonenumbers.NumberParseException:
        return None, "begins with no country's code: write it as in +49 30 901820"
    country = f"+{number.country_code}"
    match phonenumbers.is_possible_number_with_reason(number):
        case phonenumbers.ValidationResult.TOO_SHORT:
            return None, f"is too short for {country}"
        case phonenumbers.ValidationResult.TOO_LONG:
            return None, f"is too long for {country}"
        case phonenumbers.ValidationResult.INVALID_COUNTRY_CODE:
            return None, f"begins with {country}, which is no country's code"
        case _ if not phonenumbers.is_valid_number(number):
            return None, f"is no number that {country} gives out"
    told = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return (told, "") if len(told) <= _LONGEST else (None, f"is too long for {country}")


def there(contact: Contact, now: datetime) -> Safe:
    """The time where somebody is, "03:12 in Berlin"; empty where that is not known."""
    place = zone(contact.timezone) if contact.timezone else None
    if place is None:
        return Safe("")
    local = now.astimezone(place.info)
    return clean_line(f"{local:%H:%M} {place.where or local.tzname()}")


def answers(contact: Contact, now: datetime) -> bool | None:
    """Whether somebody says that they answer at that time.

    None where they do not say, where it hangs on more than the time ("emergency only"), and where
    their time zone would have to be known.
    """
    told = hours(contact.availability) if contact.availability else None
    if told is None or (told.always and not told.sure):
        return None
    if told.always:
        return True
    place = told.zone or (zone(contact.timezone) if contact.timezone else None)
    if place is None:
        return None
    inside = told.hold(now.astimezone(place.info))
    return inside if told.sure else inside or None


def problems(handbook: Handbook, now: datetime) -> tuple[Problem, ...]:
    """What would fail at the moment of a call, in the order of the file.

    now: from when on the coming week is looked at for hours in which nobody answers.
    """
    if handbook.unread:
        found = [Problem(0, handbook.unread)]
        found += _of_levels(handbook) if handbook.levels else ()
    else:
        found = list(_of_levels(handbook))
    for vendor in handbook.vendors:
        found += _of_vendor(vendor)
    found.sort(key=lambda problem: problem.line)
    return (*found, *_nobody(handbook, now))


def faults(handbook: Handbook) -> tuple[Problem, ...]:
    """What is wrong with the people who are named; gaps, and where nobody is, are left out."""
    return tuple(one for one in _of_levels(handbook) if handbook.levels and not one.gap)


def unfilled(handbook: Handbook) -> Iterator[Unfilled]:
    """Every field of people and vendors that nobody has filled in."""
    for level in handbook.levels:
        for contact in level.contacts:
            yield from contact.unfilled
    for vendor in handbook.vendors:
        yield from vendor.unfilled


def _of_levels(handbook: Handbook) -> Iterator[Problem]:
    if not handbook.levels:
        yield Problem(
            1, Safe("No level of an escalation ladder: nobody is named who can be called.")
        )
    owners: dict[str, str] = {}
    for level in handbook.levels:
        place = f"Level {level.number} ({level.role})"
        own = level.number == 1 and not level.contacts  # whoever holds the phone
        if not level.contacts and not own:
            yield _problem(level.line, f"{place}: nobody is named.")
        for contact in level.contacts:
            yield from _of_contact(place, contact)
            number = dialled(contact.phone) if contact.phone else None
            who = contact.name or place
            if number and owners.setdefault(number, who) != who:
                what = f"{place}: {who} has the number of {owners[number]}."
                yield _problem(contact.line, what)


def _of_contact(place: str, contact: Contact) -> Iterator[Problem]:
    who = f"{place}: {contact.name}" if contact.name else place
    line = contact.line
    yield from _gaps(who, contact.unfilled)
    if not contact.reachable:
        if not contact.missing:
            yield _problem(line, f"{who}: no phone, Slack or e-mail to reach them by.")
        return
    if not contact.name and "name" not in contact.missing:
        yield _problem(line, f"{place}: no name.")
    if contact.name.startswith("#"):
        yield _problem(line, f"{who} is a channel. Name somebody who can be called.")
    if contact.phone:
        wrong = _number(contact.phone)[1]
        if wrong:
            yield _problem(line, f"{who}: {contact.phone} {wrong}.")
        elif made_up(contact.phone):
            yield _problem(line, f"{who}: {contact.phone} looks made up. Is it theirs?")
    elif "phone" not in contact.missing:
        yield _problem(line, f"{who}: no phone. A chat message wakes nobody.")
    if contact.email and not _EMAIL.fullmatch(contact.email):
        yield _problem(line, f"{who}: {contact.email} is no e-mail address.")
    if contact.timezone and zone(contact.timezone) is None:
        what = (
            f"{who}: the time zone {contact.timezone} is not known; write Europe/Berlin or UTC+2."
        )
        yield _problem(line, what)


def _of_vendor(vendor: Vendor) -> Iterator[Problem]:
    yield from _gaps(f"Vendor {vendor.name}", vendor.unfilled)


def _gaps(who: str, unfilled: Sequence[Unfilled]) -> Iterator[Problem]:
    """What nobody has filled in of somebody, together; and each example that was left there."""
    left = [one for one in unfilled if not example(one.said)]
    if left:
        gaps = ", ".join(one.key.replace("_", " ") for one in left)
        is_ = "is" if len(left) == 1 else "are"
        yield _problem(left[0].line, f"{who}: {gaps} {is_} not filled in.", gap=True)
    for one in unfilled:
        if one not in left:
            what = f"{who}: {one.key.replace('_', ' ')} {one.said} is only an example."
            yield _problem(one.line, what, gap=True)


def _nobody(handbook: Handbook, now: datetime) -> Iterator[Problem]:
    """The first hours of the coming week in which everybody says that they do not answer."""
    people = [one for level in handbook.levels for one in level.contacts if one.reachable]
    start = now.replace(minute=0, second=0, microsecond=0)
    alone: datetime | None = None
    for step in range(7 * 24 + 1):
        at = start + timedelta(hours=step)
        silent = bool(people) and all(answers(one, at) is False for one in people)
        if silent and alone is None:
            alone = at
        elif alone is not None and not silent:
            what = f"From {alone:%a %H:%M} to {at:%a %H:%M} UTC nobody says that they answer."
            yield _problem(min(one.line for one in people), what)
            return


def _problem(line: int, what: str, *, gap: bool = False) -> Problem:
    return Problem(line, clean_line(what, max_chars=300), gap)
