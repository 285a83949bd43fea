"""Whether the people of a handbook could be called as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.gaps import ASKS, gaps
from cockpit.runbook.lint.page import Page

_NONE = re.compile(r"\W*(?:none(?: yet)?|n/?a)?\W*", re.IGNORECASE)


def people(page: Page) -> Iterator[Finding]:
    """`contact`: a number nobody can dial, a time zone that is none, a level without anyone.

    And `placeholder`: a field of somebody that is a gap only there, as `Name: [CTO NAME]`.
    """
    if not page.handbook:
        return
    from cockpit.oncall import contacts, handbook
    from cockpit.oncall.filled import example

    read = handbook.parse(page.text, page.name)
    for problem in contacts.faults(read):
        what = problem.what.rstrip(".")
        mend = "put it right, and call once in daylight"
        yield page.find(problem.line, Level.WARNING, "contact", what, mend)
    told = {finding.line for finding in gaps(page)}
    for gap in contacts.unfilled(read):
        # That there is none is an answer, but of who is to be called.
        if gap.line in told or (_NONE.fullmatch(gap.said) and gap.key not in ("name", "phone")):
            continue
        label = gap.key.replace("_", " ").capitalize()
        why = "is only an example" if example(gap.said) else "is not filled in"
        what = f"{label}: {gap.said} {why}" if gap.said else f"{label} {why}"
        yield page.find(gap.line, Level.ERROR, "placeholder", what, ASKS)
