"""A check is one question with one line for an answer; all of them are asked at once, in time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cockpit.text import Redactor, Safe, clean_line

_SALT: Final = os.urandom(16)
LEAVE_S: Final = 2.0
"""How long a question that was given up may take to end what it began on a host."""


class Mark(StrEnum):
    """How an answer is taken. NOTE counts for nothing; YOURS is for a person to do."""

    NOTE = "note"
    OK = "ok"
    YOURS = "yours"
    WARN = "warning"
    BAD = "bad"

    @property
    def sign(self) -> str:
        """Four cells, the same without colour."""
        return _SIGNS[self]

    @property
    def weight(self) -> int:
        """The worse, the more."""
        return list(Mark).index(self)


_SIGNS = {
    Mark.OK: "ok  ",
    Mark.NOTE: "-   ",
    Mark.YOURS: "todo",
    Mark.WARN: "warn",
    Mark.BAD: "FAIL",
}


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: what is so, in plain words, and what to do about it where it is wrong."""

    mark: Mark
    said: Safe
    mend: Safe = Safe("")


@dataclass(frozen=True, slots=True)
class Result:
    """A check with its answer. seconds: how long that took."""

    name: Safe
    mark: Mark
    said: Safe
    mend: Safe = Safe("")
    seconds: float = 0.0

    @property
    def line(self) -> Safe:
        """All of it on one line; the sign alone says what is yours to do."""
        if self.mark is Mark.YOURS:
            return Safe(f"{self.mark.sign}  {self.name}")
        mend = f" {self.mend}" if self.mend and self.mark is not Mark.OK else ""
        return Safe(f"{self.mark.sign}  {self.name}: {self.said}{mend}")

    def record(self) -> dict[str, object]:
        """As JSON data."""
        return {
            "name": self.name,
            "mark": self.mark.value,
            "said": self.said,
            "mend": self.mend,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Check:
    """A question. name: what it is about. ask: raises nothing but what is a fault of ours."""

    name: Safe
    ask: Callable[[], Awaitable[Found]]


def ok(said: str) -> Found:
    return Found(Mark.OK, clean_line(said))


def note(said: str, mend: str = "") -> Found:
    return Found(Mark.NOTE, clean_line(said), clean_line(mend))


def warn(said: str, mend: str = "") -> Found:
    return Found(Mark.WARN, clean_line(said), clean_line(mend))


def bad(said: str, mend: str = "") -> Found:
    return Found(Mark.BAD, clean_line(said), clean_line(mend))


def redacted(text: str) -> Safe:
    """Foreign text, as a URL or a line of a log, for an answer: they are printed, mailed, kept."""
    return Redactor(_SALT)(clean_line(text))


async def carry_out(
    checks: Sequence[Check],
    seconds: float,
    told: Callable[[int, Result], None] = lambda number, result: None,
) -> list[Result]:
    """Asks all at once; the results are in the order of the checks.

    seconds: those that have no answer by then are bad, and given up. told: called with the number
    of a check, from 0, and its result as soon as there is one. Cancelled, it gives all up.
    """
    results: dict[int, Result] = {}
    tasks = [
        asyncio.create_task(_one(number, check, results, told))
        for number, check in enumerate(checks)
    ]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for number, check in enumerate(checks):
            if number not in results:
                late = bad(f"no answer within {seconds:g} s.", "Look at it by hand.")
                _tell(number, check, late, seconds, results, told)
        return [results[number] for number in range(len(checks))]
    finally:
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=LEAVE_S)


async def _one(
    number: int,
    check: Check,
    results: dict[int, Result],
    told: Callable[[int, Result], None],
) -> None:
    began = time.monotonic()
    try:
        found = await check.ask()
    except Exception as fault:
        found = bad(f"cockpit itself failed: {redacted(repr(fault))}.", "Look at it by hand.")
    _tell(number, check, found, time.monotonic() - began, results, told)


def _tell(
    number: int,
    check: Check,
    found: Found,
    seconds: float,
    results: dict[int, Result],
    told: Callable[[int, Result], None],
) -> None:
    if number not in results:
        made = Result(check.name, found.mark, found.said, found.mend, seconds)
        results[number] = made
        told(number, made)


def worst(results: Sequence[Result], *, manual: bool = False) -> int:
    """0 where nothing is wrong, 1 for warnings, 2 where something is bad: the exit status.

    manual: what is yours to do counts as a warning.
    """
    marks = {one.mark for one in results}
    if Mark.BAD in marks:
        return 2
    return int(Mark.WARN in marks or (manual and Mark.YOURS in marks))


def count(results: Sequence[Result]) -> str:
    """How many there are of each, the worst first."""
    words = {
        Mark.BAD: "wrong",
        Mark.WARN: "to look at",
        Mark.YOURS: "yours to do",
        Mark.OK: "ok",
        Mark.NOTE: "not judged",
    }
    numbers = {mark: sum(one.mark is mark for one in results) for mark in words}
    return ", ".join(f"{number} {words[mark]}" for mark, number in numbers.items() if number)
