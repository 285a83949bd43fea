"""Which lines of a log continue the one before: tracebacks, stack traces, what is indented."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from cockpit.logs.line import Level


class State(IntEnum):
    """What the last line of a log was a part of; of all after GAPS blank lines are a part too."""

    PLAIN = 0
    INDENTED = 1
    RAISED = 2
    STACK = 3
    RUST = 4
    PYTHON = 5
    PYTHON_END = 6
    GO = 7
    NODE = 8


_GAPS: Final = State.RUST
_PYTHON: Final = "Traceback (most recent call last)"
_CHAINED: Final = ("During handling of the above exc", "The above exception was the direct cause")
_GO: Final = ("panic: ", "fatal error: ", "SIGSEGV: ", "SIGABRT: ", "SIGQUIT: ")
_RAISED: Final = re.compile(r"[A-Za-z_][\w.$]*(?::\s|:?$)")
_EXCEPTION: Final = re.compile(
    r"(?:(?:Uncaught|Unhandled) )?(?:[A-Za-z_][\w.$/]*)?(?:Error|Exception|Throwable)(?::\s|:?$)"
)
_GO_FRAME: Final = re.compile(
    r"goroutine \d|created by |\[signal |exit status \d|runtime stack:|\w+ +0x"
    r"|[\w./*()·\[\]{}$-]+\(.*\)$"
)
_OWN_HEAD: Final = re.compile(
    r"\s+(?:\[?\d{4}[-/]\d\d[-/]\d\d|\[?\d\d:\d\d:\d\d|\[?(?:ERROR|WARN|WARNING|INFO|DEBUG|TRACE)\b)"
)
_NODE: Final = re.compile(r"(?:/|file:|node:)\S+\.[cm]?[jt]s:\d+$")
_MORE: Final = (
    "Caused by: ",
    "Suppressed: ",
    "Stack trace:",
    "stack backtrace:",
    "--- End of ",
)
_STACK_MORE: Final = ("#", "note: run with")
_CLOSING: Final = 3
_FRAME: Final = re.compile(r"\s+at [\w$.<>\[\]`/ ]+(?:\(|$)|\s+\.\.\. \d+ more")


def follow(state: State, worst: Level, text: str) -> tuple[bool, State]:
    """Whether a line continues the entry before it, and what it is a part of.

    state: of the line before in the same log. worst: the level of the entry before.
    """
    if not text or text[0] == " ":
        if not text.strip():
            return state > _GAPS, state
        if _OWN_HEAD.match(text):
            return False, State.PLAIN
        if state == State.RAISED:
            return True, State.STACK
        return True, state or State.INDENTED
    if text[0] in "}])" and state and len(text) <= _CLOSING:
        return True, state
    if text.startswith(_MORE):
        return True, State.STACK
    more = _goes_on(state, text)
    if more is not None:
        return True, more
    logged = state == State.PLAIN and worst >= Level.WARN
    if text.startswith(_PYTHON):
        return logged, State.PYTHON
    if text.startswith(_GO):
        return False, State.GO
    if text.startswith("thread '") and "' panicked at " in text:
        return False, State.RUST
    if _NODE.match(text):
        return False, State.NODE
    if _EXCEPTION.match(text):
        return logged, State.STACK if logged else State.RAISED
    return False, State.PLAIN


def _goes_on(state: State, text: str) -> State | None:
    """What comes of a trace with this line, which is not indented; None where it is over."""
    match state:
        case State.PYTHON if _RAISED.match(text):
            return State.PYTHON_END
        case State.PYTHON_END if text.startswith(_CHAINED):
            return State.PYTHON_END
        case State.PYTHON_END if text.startswith(_PYTHON):
            return State.PYTHON
        case State.GO if _GO_FRAME.match(text) or text.startswith(_GO):
            return State.GO
        case State.NODE if _EXCEPTION.match(text) or text.startswith("Node.js v"):
            return State.NODE
        case State.RUST:
            return State.STACK
        case State.STACK if text.startswith(_STACK_MORE):
            return State.STACK
    return None


def frame(text: str) -> bool:
    """Whether a line is a frame of a stack: then what it is a part of is an error."""
    return _FRAME.match(text) is not None
