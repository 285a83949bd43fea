"""What would fail at 3am, found in daylight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from cockpit.runbook import parse
from cockpit.runbook.lint import (
    commands,
    gaps,
    links,
    marks,
    names,
    people,
    ran,
    secrets,
    shape,
    syntax,
)
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.ground import NOTHING, Ground, OnHost
from cockpit.runbook.lint.page import Page, page, read
from cockpit.text import Safe, clean_line

__all__ = [
    "NOTHING",
    "Finding",
    "Ground",
    "Level",
    "OnHost",
    "Page",
    "files",
    "judge",
    "lint",
    "open_all",
    "page",
    "read",
]

_OF_THE_PAGE: tuple[Callable[[Page], Iterator[Finding]], ...] = (
    gaps.gaps,
    links.links,
    links.references,
    shape.missing,
    shape.unverified,
    shape.unwarned,
    commands.old_compose,
    commands.to_shell,
    commands.typographic,
    commands.two_waits,
    names.alike,
    secrets.secrets,
    marks.open_fence,
    marks.mangled,
    marks.as_read,
    people.people,
)
_ON_GROUND: tuple[Callable[[Page, Ground], Iterator[Finding]], ...] = (
    names.unknown,
    commands.hosts,
    commands.programs,
    ran.tried,
)


def files(paths: Iterable[Path]) -> list[Path]:
    """The markdown files that are named, or in the folders that are; hidden folders left out."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(
                each
                for each in sorted(path.rglob("*.md"))
                if each.is_file()
                and not any(part.startswith(".") for part in each.relative_to(path).parts)
            )
        else:
            found[path] = None
    return list(found)


def open_all(
    paths: Iterable[Path], *, handbook: Path | None = None
) -> tuple[list[Page], list[Finding]]:
    """The pages of files and folders, and what is wrong with those of a folder that are none.

    Raises parse.Unreadable for a file that was named.
    """
    paths = list(paths)
    pages: list[Page] = []
    unread: list[Finding] = []
    for path in files(paths):
        try:
            pages.append(read(path, handbook=path == handbook))
        except parse.Unreadable as error:
            if path in paths:
                raise
            said = clean_line(str(error)).removeprefix(f"{path} ").rstrip(".")
            mend = Safe("write it, or take it out of the folder")
            unread.append(Finding(str(path), 1, Level.WARNING, "unreadable", Safe(said), mend))
    return pages, unread


def lint(
    paths: Iterable[Path], ground: Ground = NOTHING, *, handbook: Path | None = None
) -> list[Finding]:
    """All findings in files and folders, in order. Raises parse.Unreadable."""
    pages, unread = open_all(paths, handbook=handbook)
    return unread + judge(pages, ground)


def judge(pages: Sequence[Page], ground: Ground = NOTHING) -> list[Finding]:
    """All findings in pages, in order of file and line, without those that an author silenced.

    Where this machine has no bash, syntax.bash() says so and commands are not judged by it.
    """
    found: list[Finding] = []
    for one in pages:
        for rule in _OF_THE_PAGE:
            found += rule(one)
        for held in _ON_GROUND:
            found += held(one, ground)
    shell = syntax.bash()
    if shell:
        found += syntax.refused(pages, shell)
    silenced = {one.name: one.silenced for one in pages}
    order = {one.name: number for number, one in enumerate(pages)}
    kept = {finding: None for finding in found if not _silenced(finding, silenced[finding.path])}
    return sorted(kept, key=lambda each: (order[each.path], each.line, each.rule, each.what))


def _silenced(finding: Finding, places: tuple[tuple[str, int, int], ...]) -> bool:
    return any(
        rule == finding.rule and first <= finding.line <= last for rule, first, last in places
    )
