"""What lint says: one fault at one place, how bad it is, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cockpit.text import Safe, clean_line
from cockpit.words import many


class Level(StrEnum):
    """How bad: an error fails at 3am, a warning may, a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault; line counts from 1. what and mend are parts of one sentence, without a full stop."""

    path: str
    line: int
    level: Level
    rule: str
    what: Safe
    mend: Safe

    def __str__(self) -> str:
        place = clean_line(f"{self.path}:{self.line}")
        return f"{place}: {self.level}: {self.what} ({self.rule}) — {self.mend}"

    def record(self) -> dict[str, object]:
        """As JSON data."""
        return {
            "path": self.path,
            "line": self.line,
            "level": self.level.value,
            "rule": self.rule,
            "what": self.what,
            "mend": self.mend,
        }


def count(findings: list[Finding], files: int) -> str:
    """The last line: how many of each level, in how many files."""
    numbers = [
        many(sum(found.level is level for found in findings), level.value) for level in Level
    ]
    return f"{many(files, 'file')}: {', '.join(numbers)}"
