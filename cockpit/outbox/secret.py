"""What is secret of a destination: read when it is needed, kept nowhere, never repeated."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from typing import Final
from urllib.parse import urlsplit

from cockpit.config import Destination
from cockpit.text import Safe, clean_line

PATIENCE: Final = 20.0
_TELLS: Final = re.compile(r"(?=.*(?:\d|[a-z].*[A-Z]|[^\W_]{14})).{8,}")
"""A part of a path that nobody wrote as a word: `services` and `webhooks` are in any report."""


class NoSecret(Exception):
    """It cannot be had; the message says which destination it is for, and what to do."""


async def secret(name: str, destination: Destination) -> str:
    """The secret of a destination, from its environment variable or its command; empty for one
    that has none.

    name: what cockpit.yaml calls the destination. Raises NoSecret.
    """
    if destination.env:
        found = os.environ.get(destination.env, "").strip()
        if not found:
            raise NoSecret(
                _line(
                    f"outbox.{name}: the environment variable {destination.env} is not set. "
                    "Set it and open cockpit again, or send by: cockpit outbox send"
                )
            )
        return found
    if destination.command:
        return await _printed(name, destination.command)
    return ""


async def _printed(name: str, command: str) -> str:
    """The first line that a command prints on this machine; what else it says is thrown away."""
    try:
        # Apart from the terminal: a question of its own there would ruin the screen.
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        why = error.strerror or str(error)
        raise NoSecret(_line(f"outbox.{name}: its command cannot be started: {why}")) from None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            # Not to its end: something that it left running may hold that open.
            line = await process.stdout.readline()
            status = await process.wait()
    except (TimeoutError, ValueError):
        raise NoSecret(
            _line(
                f"outbox.{name}: its command has not ended within {PATIENCE:.0f} s. Run it in "
                "another terminal; it may be asking something there, which is then remembered"
            )
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    found = line.decode("utf-8", "replace").strip()
    if status or not found:
        how = f"ended with {status}" if status else "printed nothing on its first line"
        raise NoSecret(_line(f"outbox.{name}: its command {how}. Run it in another terminal"))
    return found


def pieces(secret: str) -> set[str]:
    """The secret, and what of it tells as much: an error may quote a URL without its host."""
    found = {secret}
    if "://" in secret:
        try:
            parts = urlsplit(secret)
        except ValueError:
            return found
        found.update(word for word in (parts.path, parts.query) if len(word) >= 8)
        found.update(word for word in parts.path.split("/") if _TELLS.fullmatch(word))
    return found


def _line(text: str) -> Safe:
    return clean_line(text, max_chars=400)
