"""Which lines of a log continue the one before: tracebacks, stack traces, what is indented."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from cockpit.logs.line import Level


class State(IntEnum):
    """What the last line of a log was a part of."""

    PLAIN = 0
    INDENTED = 1
    PYTHON = 2
    PYTHON_END = 3
    GO = 4
    STACK = 5


_PYTHON: Final = "Traceback (most recent call last)"
_CHAINED: Final = ("During handling of the above exc", "The above exception was the direct cause")
_GO: Final = ("panic: ", "fatal error: ", "SIGSEGV: ", "SIGABRT: ", "SIGQUIT: ")
_RAISED: Final = re.compile(r"[A-Za-z_][\w.$]*(?::\s|:?$)")
_EXCEPTION: Final = re.compile(
    r"(?:(?:Uncaught|Unhandled) )?[A-Za-z_][\w.$/]*(?:Error|Exception|Throwable)(?::\s|:?$)"
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
    "... ",
    "Stack trace:",
    "stack backtrace:",
    "--- End of ",
)
_STACK_MORE: Final = ("#", "note: run with", "Node.js v", "Caused by:")
_FRAME: Final = re.compile(r"\s+at [\w$.<>\[\]`/ ]+(?:\(|$)|\s+\.\.\. \d+ more")


def follow(state: State, worst: Level, text: str) -> tuple[bool, State]:
    """Whether a line continues the entry before it, and what it is a part of.

    state: of the line before in the same log. worst: the level of the entry before.
    """
    if not text or text[0] == " ":
        if not text.strip():
            return state > State.INDENTED, state
        if _OWN_HEAD.match(text):
            return False, State.PLAIN
        return True, state if state > State.INDENTED else State.INDENTED
    if text[0] in "}])" and state == State.INDENTED and len(text) <= 3:
        return True, state
    if text.startswith(_MORE):
        return True, State.STACK
    if text.startswith(_PYTHON):
        return worst >= Level.WARN or state == State.PYTHON_END, State.PYTHON
    if state == State.PYTHON and _RAISED.match(text):
        return True, State.PYTHON_END
    if state == State.PYTHON_END and text.startswith(_CHAINED):
        return True, state
    if state == State.GO and _GO_FRAME.match(text):
        return True, state
    if state == State.STACK and text.startswith(_STACK_MORE):
        return True, state
    if text.startswith(_GO):
        return state == State.GO, State.GO
    if _NODE.match(text):
        return False, State.STACK
    if _EXCEPTION.match(text):
        return worst >= Level.WARN or state == State.STACK, State.STACK
    return False, State.PLAIN


def frame(text: str) -> bool:
    """Whether a line is a frame of a stack: then what it is a part of is an error."""
    return _FRAME.match(text) is not None
