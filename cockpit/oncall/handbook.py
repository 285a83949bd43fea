"""ON_CALL.md, as teams write it -> Handbook."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cockpit.config import Config, Person
from cockpit.oncall import lists, mended, people, reference, templates, times, vendors
from cockpit.oncall.model import Contact, Handbook, Level, Oddity
from cockpit.oncall.outline import outline
from cockpit.runbook import blocks, library, source
from cockpit.runbook import parse as runbooks
from cockpit.text import Safe, clean_line

NAMES = ("ON_CALL.md", "docs/ON_CALL.md")
"""Where a team's handbook is looked for when cockpit.yaml names none."""
LINES, CHARACTERS = 3_000, 200_000
"""Of a handbook that are read: a second's work. Those that were seen have a tenth of it."""
_ENOUGH = 5 * CHARACTERS
"""Bytes: more than are read, in any encoding."""
_HALF = re.compile(rb"[\xc0-\xff][\x80-\xbf]{0,2}\Z")


def load(config: Config) -> Handbook:
    """The handbook of the team, with the contacts of cockpit.yaml in it; blocking, never raises.

    It is the file that cockpit.yaml names, else ./ON_CALL.md, docs/ON_CALL.md, and the one that
    ships. One that was named and cannot be read is not replaced by another: its oddity says why.
    """
    named = config.handbook or next((Path(name) for name in NAMES if os.path.isfile(name)), None)  # noqa: PTH113
    found = read(named) if named else replace(read(library.shipped() / NAMES[0]), shipped=True)
    return with_contacts(found, config.contacts)


def read(path: Path) -> Handbook:
    """The handbook in a file; one that cannot be read is empty, with an oddity that says why."""
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return _unread(path, "is no file. Name a markdown file")
        if status.st_size > source.LIMIT:
            return _unread(path, "is over 5 MB. Is it the right file?")
        data = path.read_bytes()
    except FileNotFoundError:
        return _unread(path, "is not there. Name it in cockpit.yaml, as handbook: ON_CALL.md")
    except IsADirectoryError:
        return _unread(path, "is a directory. Name the file in it")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return _unread(path, f"cannot be read: {why}. See ls -l {path}")
    if not data.strip():
        return _unread(path, "is empty. cockpit init writes one to start from")
    sha256 = hashlib.sha256(data).hexdigest()
    if not mended.is_text(data):
        return _unread(path, "is no text. Is it the right file?")
    kept = data if len(data) <= _ENOUGH else _HALF.sub(b"", data[:_ENOUGH])
    text, odd = mended.decode(kept)
    if len(kept) < len(data) and not _short(text)[1]:
        odd = (*odd, _unread_from(text.count("\n") + 1))
    found = parse(text, str(path), sha256)
    return replace(found, oddities=(*odd, *found.oddities)) if odd else found


def _unread(path: Path, why: str) -> Handbook:
    what = clean_line(f"The handbook {path} {why}" + ("" if why.endswith("?") else "."))
    return Handbook(path=str(path), oddities=(Oddity(0, what),))


def parse(text: str, path: str = "ON_CALL.md", sha256: str = "") -> Handbook:
    """The handbook in a text; any text at all gives one."""
    text, cut = _short(source.normal(text))
    match = source.FRONT_MATTER.match(text)
    body = "\n" * match[0].count("\n") + text[match.end() :] if match else text
    parts = outline(blocks.read(body))
    runbook = runbooks.parse(text, path, sha256)
    levels = people.levels(parts)
    rules, odd = times.rules(parts, levels)
    quick, access = reference.commands(runbook, parts)
    boards, unfilled = reference.dashboards(parts)
    open_ = [Oddity(line, clean_line(f"{url} is not filled in")) for line, url in unfilled]
    return Handbook(
        path=path,
        title=clean_line(re.sub(r"\s*<!--.*?-->", "", runbook.title)),
        rules=rules,
        levels=levels,
        criteria=lists.criteria(parts),
        vendors=vendors.vendors(parts),
        checklists=lists.checklists(parts),
        templates=templates.templates(parts),
        quick=quick,
        access=access,
        dashboards=boards,
        pitfalls=lists.pitfalls(parts),
        oddities=(*cut, *odd, *open_),
        runbook=runbook,
    )


def _short(text: str) -> tuple[str, tuple[Oddity, ...]]:
    """As much of a text as is read."""
    kept = text[:CHARACTERS]
    lines = kept.split("\n", LINES)
    if len(kept) == len(text) and len(lines) <= LINES:
        return text, ()
    return "\n".join(lines[:LINES]), (_unread_from(min(len(lines), LINES)),)


def _unread_from(line: int) -> Oddity:
    what = f"what follows line {line} was not read: the file is longer than any handbook"
    return Oddity(line, Safe(what))


def with_contacts(handbook: Handbook, persons: Sequence[Person]) -> Handbook:
    """The handbook, with the levels that cockpit.yaml gives instead of its own."""
    if not persons:
        return handbook
    levels = {level.number: level for level in handbook.levels}
    for number in sorted({person.level for person in persons}):
        told = [person for person in persons if person.level == number]
        role = next((person.role for person in told if person.role), "")
        old = levels.get(number) or Level(number, Safe(f"Level {number}"))
        minutes = next((person.respond_within for person in told if person.respond_within), 0)
        levels[number] = replace(
            old,
            role=clean_line(role) if role else old.role,
            contacts=tuple(_contact(person) for person in told),
            respond=minutes * 60.0 if minutes else old.respond,
        )
    spoken = {n: level.respond for n, level in levels.items() if level.respond is not None}
    rules = replace(handbook.rules, ladder={**handbook.rules.ladder, **spoken})
    if rules.top_level == max((level.number for level in handbook.levels), default=rules.top_level):
        rules = replace(rules, top_level=max(levels))
    return replace(handbook, levels=tuple(levels[n] for n in sorted(levels)), rules=rules)


def _contact(person: Person) -> Contact:
    return Contact(
        clean_line(person.name),
        clean_line(person.phone),
        clean_line(person.slack),
        clean_line(person.email),
        clean_line(person.timezone),
        clean_line(person.availability),
    )
