"""What a terminal session leaves to read: its bytes without the drawing in between."""

from __future__ import annotations

import re

_SCREENS = re.compile(rb"\x1b\[\?(?:1049|1047|47)h.*?(?:\x1b\[\?(?:1049|1047|47)l|\Z)", re.DOTALL)
_ANEW = re.compile(rb"\x1b\[[\d;]*[Hf]|\x1b\[[23]J|\x1bc")
_EDITS = re.compile("\x1b\\[(\\d*)([CDKP@])")
_OTHER = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"
    "|\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]?|[\x07\x0f]"
)
_PARTS = re.compile("\x1b\\[\\d*[CDKP@]|[\r\b]|[^\r\b\x1b]+|\x1b")


def spoken(raw: bytes) -> bytes:
    """The lines that would stand there in the end, as a terminal without a screen shows them.

    What was drawn on a screen of its own, as by an editor, is left out; so is all before the last
    time that a program placed the cursor or cleared the screen. Lines are as they were after the
    last edit of them. The bytes as they came are evidence; this is for people.
    """
    left = _SCREENS.sub(b"", raw)
    placed = [found.end() for found in _ANEW.finditer(left)]
    shown = left[placed[-1] if placed else 0 :]
    text = shown.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    text = _OTHER.sub(lambda found: found[0] if _EDITS.fullmatch(found[0]) else "", text)
    lines = [line if line.isprintable() else _edited(line) for line in text.split("\n")]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _edited(line: str) -> str:
    """A line after its carriage returns, backspaces and the few edits that shells make."""
    cells: list[str] = []
    x = 0
    for part in _PARTS.findall(line):
        edit = _EDITS.fullmatch(part)
        count = int(edit[1] or 1) if edit and len(edit[1]) < 5 else 1
        match edit[2] if edit else part:
            case "\r":
                x = 0
            case "\b" | "D":
                x = max(0, x - count)
            case "C":
                x = min(len(cells), x + count)
            case "K":
                del cells[x if edit and edit[1] in ("", "0") else 0 :]
            case "P":
                del cells[x : x + count]
            case "@":
                cells[x:x] = " " * count
            case "\x1b":
                pass
            case text:
                cells[x : x + len(text)] = text
                x += len(text)
    return "".join(cells).rstrip(" ")
