"""Secrets that stand in a runbook for all to read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.page import Page
from cockpit.runbook.programs import names_of
from cockpit.text import Redactor, clean

_MARK = re.compile(r"\[REDACTED:([a-z-]+):[0-9a-f]{6}\]")
_EXAMPLE = re.compile(
    r"example|sample|dummy|fake|test|your|placeholder|change.?me|redacted|replace|secret|pass"
    r"|token|x{3,}|\*{2,}|\.{3}|…|[<\[{$(%`]|^(?:foo|bar|abc|123|user|postgres|admin|root)"
    r"|^\W*$|^(.)\1*$",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(
    r"[./~]|\w+\.\w+[(.]|[A-Za-z_]+\Z|\d+[-/]\w+\Z|[a-z]+\d{0,3}(?:-[a-z]*\d{0,3})*\Z|https?:"
)
"""What stands behind a name in code or prose: a path, a variable, a plain word, a count."""
_BY_SHAPE = names_of("stripe aws github gitlab slack jwt google sendgrid npm pypi twilio vendor")


def secrets(page: Page) -> Iterator[Finding]:
    """`secret`: a password, token or key as it is."""
    redact = Redactor(b"lint")
    whole = clean(page.text)
    redacted = redact(whole)
    if redacted == whole:
        return
    lines, others = whole.split("\n"), redacted.split("\n")
    alike = len(lines) == len(others)  # a key in PEM form took lines with it where not
    for number, line in enumerate(lines, 1):
        if alike and others[number - 1] == line:
            continue
        told = redact(clean(line))
        for rule, value in _taken(line, told) if told != line else ():
            # A shape is certain; a name such as PASSWORD= says nothing of what stands there.
            named = rule not in _BY_SHAPE
            vague = (
                not re.fullmatch(r"[^\s'\"]{8,}", value)
                or not re.search(r"\d", value)
                or _NO_VALUE.match(value)
            )
            if not (_EXAMPLE.search(value) or (named and vague)):
                yield page.find(
                    number,
                    Level.ERROR,
                    "secret",
                    f"a secret stands here ({rule})",
                    "take it out, change it where it is used, and say where to look it up",
                )
                break
    for number, text in enumerate(page.lines, 1):
        if re.search(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY", text) and re.match(
            r"[\s>|]*[A-Za-z0-9+/]{40,}", "".join(page.lines[number : number + 1])
        ):
            yield page.find(
                number,
                Level.ERROR,
                "secret",
                "a private key stands here",
                "take it out and make a new one; this one is known",
            )


def _taken(line: str, told: str) -> Iterator[tuple[str, str]]:
    """Rule and value of each mark, by what stands around them in both."""
    parts = _MARK.split(told)
    at = 0
    for index in range(1, len(parts), 2):
        before, after = parts[index - 1], parts[index + 1]
        start = line.find(before, at) + len(before)
        end = line.find(after[:20], start) if after else len(line)
        if start < len(before) or end < start:
            return
        yield parts[index], line[start:end]
        at = end
