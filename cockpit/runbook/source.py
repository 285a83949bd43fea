"""The bytes of a runbook file as text."""

from __future__ import annotations

import re

LIMIT = 5 * 1024 * 1024
"""Bytes; no runbook of the 1,807 measured was a tenth of it."""

FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
"""YAML at the head of a file; in it, if anything, the group."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def is_binary(data: bytes) -> bool:
    """Whether this is no text: NUL bytes outside of UTF-16."""
    return b"\0" in data and not data.startswith(_UTF_16)


def decode(data: bytes) -> tuple[str, str, int]:
    """Text, encoding, and where it is not UTF-8; any bytes at all give a text.

    The encoding is "utf-8", "utf-16" by its mark, or else "cp1252"; only then is the offset of the
    first odd byte not 0.
    """
    if data.startswith(_UTF_16):
        return data.decode("utf-16", "replace"), "utf-16", 0
    try:
        return data.decode("utf-8-sig"), "utf-8", 0
    except UnicodeDecodeError as error:
        return data.decode("cp1252", "replace"), "cp1252", error.start


def normal(text: str) -> str:
    """The text with every line ended by `\\n`, and without NULs."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
