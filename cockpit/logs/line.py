"""One line of a log, wherever it comes from."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from cockpit.text import Look, Safe

__all__ = ("Level", "Line", "Look", "Stream")


class Stream(StrEnum):
    """Where a line was written to. GAP: from cockpit, in place of lines that are not there."""

    STDOUT = "stdout"
    STDERR = "stderr"
    GAP = "gap"


class Level(IntEnum):
    """How bad a line says that it is. NONE: it says nothing of it."""

    NONE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4


class Line(NamedTuple):
    """at: nanoseconds UTC on the clock of where it was written, 0 when it is not known.

    looks: the colours that came with it, of our own 16; in order, not overlapping.
    """

    at: int
    stream: Stream
    text: Safe
    looks: tuple[Look, ...] = ()
