"""The one way to the clipboard: the terminal is asked to take a text, or tmux in front of it.

OSC 52 also works over SSH, and no terminal answers it. tmux ignores it unless it is told otherwise
(`set-clipboard on`), so where cockpit runs in tmux, tmux is given the text itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from textual.app import App

from cockpit.text import Safe

_TMUX_PATIENCE = 2.0


async def copy(app: App[Any], text: str) -> Safe:
    """Copies a text. Returns in a sentence how far that is certain."""
    if "TMUX" in os.environ and not app.is_headless and await _in_tmux(text):
        return Safe(
            "Copied: tmux has it (prefix ] pastes), and your terminal where it allows that."
        )
    # What is copied is carried encoded, so nothing in it can steer the terminal.
    app.copy_to_clipboard(text)
    if "STY" in os.environ:
        return Safe("Sent to the terminal's clipboard, but GNU screen seldom passes that on.")
    return Safe("Sent to the terminal's clipboard; it does not say whether it took it.")


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
