"""Faults of the file as text: a fence that never closes, an encoding that was mangled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.runbook.blocks import Kind
from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.page import Page

_ODD = re.compile(r"[\u0080-\u024f\u02c6\u02dc\u2013-\u2122]{2,}")


def open_fence(page: Page) -> Iterator[Finding]:
    """`open-fence`: a code block without an end takes the rest of the file for code."""
    for block in page.blocks:
        if block.kind is not Kind.FENCE or block.last > len(page.lines):
            continue
        opening = re.search(r"`{3,}|~{3,}", page.lines[block.first - 1])
        closing = page.lines[block.last - 1].strip(" \t>")
        sign = opening[0] if opening else "```"
        closed = block.last > block.first and re.fullmatch(
            rf"{re.escape(sign[0])}{{{len(sign)},}}", closing
        )
        if not closed:
            yield page.find(
                block.first,
                Level.ERROR,
                "open-fence",
                "this code block is never closed, and takes what follows for code",
                f"put {sign} on a line of its own where it ends",
            )


def mangled(page: Page) -> Iterator[Finding]:
    """`mojibake`: UTF-8 that was once read as Windows-1252 (`â€™`); said once a file."""
    places = [
        (number, found[0])
        for number, line in enumerate(page.lines, 1)
        if not line.isascii()
        for found in [*_ODD.finditer(line)][:1]
        if _was_utf8(found[0])
    ]
    if places:
        number, text = places[0]
        more = f" ({len(places)} lines)" if len(places) > 1 else ""
        yield page.find(
            number,
            Level.WARNING,
            "mojibake",
            f"{text} is UTF-8 that was read as something else{more}",
            "open the file as UTF-8 and write the characters anew",
        )


def _was_utf8(text: str) -> bool:
    for encoding in ("cp1252", "latin-1"):
        try:
            again = text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return len(again) < len(text)
    return False


def as_read(page: Page) -> Iterator[Finding]:
    """`as-read`: what cockpit found odd when it read the file."""
    for warning in page.runbook.warnings:
        line = re.search(r"\bline (\d+)", warning)
        said = re.sub(r"^line \d+: ", "", warning.removeprefix(f"{page.name} ")).rstrip(".")
        yield page.find(
            int(line[1]) if line else 1,
            Level.WARNING,
            "as-read",
            said,
            "mend it; cockpit goes on without",
        )
