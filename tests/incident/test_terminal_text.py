"""What is left to read of a terminal session."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.incident.terminal_text import spoken

SESSIONS = {
    "a question": (b"Name? sam\r\nhello sam\r\n", "Name? sam\nhello sam\n"),
    "colours": (b"\x1b[01;32mok\x1b[0m \x1b]0;a title\x07done\r\n", "ok done\n"),
    "an editor": (
        b"before\r\n\x1b[?1049h\x1b[2J\x1b[5;1Hdrawn\x1b[?1049lafter\r\n",
        "before\nafter\n",
    ),
    "an editor that was cut off": (b"before\r\n\x1b[?1049h\x1b[2Jdrawn", "before\n"),
    "a cleared screen": (b"old\r\n\x1b[H\x1b[2Jnew\r\n", "new\n"),
    "a mistyped word": (b"$ lx\b \bs\r\nfile\r\n", "$ ls\nfile\n"),
    "an edit in the middle": (b"$ ac\b\x1b[1@b\r\n", "$ abc\n"),
    "a letter taken out": (b"$ abxc\b\b\x1b[1P\r\n", "$ abc\n"),
    "the prompt of a pager": (b"line 1\r\n:\r\x1b[Kline 2\r\n", "line 1\nline 2\n"),
    "progress": (b"10%\r50%\r100%\r\n", "100%\n"),
    "bytes that are no text": (b"\xff\r\n", "\udcff\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", SESSIONS)
def test_what_is_left_of_a_session(name: str) -> None:
    raw, text = SESSIONS[name]
    assert spoken(raw).decode("utf-8", "surrogateescape") == text


@given(st.binary(max_size=400) | st.lists(st.sampled_from(
    [b"\x1b[", b"\x1b", b"\r", b"\b", b"a", b"12", b"K", b"P", b"@", b"\n", b"C", b"\x1b]", b"H"]
), max_size=60).map(b"".join))  # fmt: skip
def test_whatever_comes_it_ends_and_no_escape_is_left(raw: bytes) -> None:
    assert b"\x1b" not in spoken(raw)


def test_a_large_session_is_read_in_time() -> None:
    began = time.process_time()
    spoken(b"10%\r\x1b[K\x1b[32m50%\x1b[0m\b\b\r\n" * 40_000)
    spoken(b"\x1b[" * 200_000)
    assert time.process_time() - began < 20
