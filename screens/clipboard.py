"""The one way to the clipboard: the terminal is asked to take a text, or tmux in front of it.

OSC 52 also works over SSH, and no terminal answers it. tmux ignores it unless it is told otherwise
(`set-clipboard on`), so where cockpit runs in tmux, tmux is given the text itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from typing import Any

from textual.app import App

from cockpit.text import Safe

_TMUX_PATIENCE = 2.0
_MOST = 74_000
"""Bytes; in base 64 they are the 100,000 that many terminals take at most."""


async def copy(app: App[Any], text: str) -> Safe:
    """Copies a text. Returns in a sentence how far that is certain."""
    if "TMUX" in os.environ and not app.is_headless and await _in_tmux(text):
        return Safe(
            "Copied: tmux has it (prefix ] pastes), and your terminal where it allows that."
        )
    if why := _never(os.environ):
        return Safe(f"Not copied: {why} has no clipboard for programs.")
    # What is copied is carried encoded, so nothing in it can steer the terminal.
    app.copy_to_clipboard(text)
    if "STY" in os.environ:
        return Safe("Sent to the terminal's clipboard, but GNU screen seldom passes that on.")
    if len(text.encode("utf-8", "backslashreplace")) > _MOST:
        return Safe("Sent to the terminal's clipboard, but it is longer than many terminals take.")
    return Safe("Sent to the terminal's clipboard; it does not say whether it took it.")


def _never(environ: Mapping[str, str]) -> str:
    """Which terminal this is, where it is one that has no clipboard for programs."""
    if environ.get("TERM") == "linux":
        return "the console of Linux"
    if environ.get("TERM_PROGRAM") == "Apple_Terminal":
        return "Terminal of macOS"
    return ""


async def _in_tmux(text: str) -> bool:
    """Whether tmux took it, which passes it on to the clipboard of its own terminal."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        tmux = await asyncio.create_subprocess_exec(
            "tmux", "load-buffer", "-w", "-", stdin=pipe, stdout=nothing, stderr=nothing
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(_TMUX_PATIENCE):
            await tmux.communicate(text.encode("utf-8", "backslashreplace"))
    except (TimeoutError, OSError):
        with contextlib.suppress(ProcessLookupError):
            tmux.kill()
        await tmux.wait()
    return tmux.returncode == 0
