"""Whether the people of a handbook could be called as it says."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.page import Page


def people(page: Page) -> Iterator[Finding]:
    """`contact`: a number nobody can dial, a time zone that is none, a level without anyone."""
    if not page.handbook:
        return
    from cockpit.oncall import contacts, handbook

    for problem in contacts.faults(handbook.parse(page.text, page.name)):
        what = problem.what.rstrip(".")
        mend = "put it right, and call once in daylight"
        yield page.find(problem.line, Level.WARNING, "contact", what, mend)
