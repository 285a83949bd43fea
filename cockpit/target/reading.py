"""A command that reads, and may as well be asked again: its answer now, and no job left there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cockpit.target.guard import Pass
    from cockpit.target.target import Target


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, on stdout and stderr. cut: its time was up before its end."""

    output: bytes
    cut: bool = False


async def read(target: Target, leave: Pass, seconds: float) -> Said:
    """Runs a command that passed the gate as one that reads; it ends with the link.

    seconds: when it is given up. Raises LinkLost, LinkDown, OSError; ValueError for a pass that
    lets change something.
    """
    if leave.risk != "read":
        raise ValueError(f"{leave.command} does not only read")
    output = b""
    try:
        async with asyncio.timeout(seconds):
            channel = await target.shell()
            try:
                channel.stdin.write(f"( {leave.command}\n) </dev/null 2>&1\n".encode())
                channel.stdin.write_eof()
                while chunk := await channel.stdout.read(1 << 16):
                    output += chunk
            finally:
                channel.close()
    except TimeoutError:
        return Said(output, cut=True)
    return Said(output)


async def flow(target: Target, leave: Pass) -> AsyncGenerator[bytes, None]:
    """What a command that passed the gate as one that reads prints on stdout, as it comes.

    Raises as `read` does.
    """
    if leave.risk != "read":
        raise ValueError(f"{leave.command} does not only read")
    channel = await target.shell()
    try:
        channel.stdin.write(f"( {leave.command}\n) </dev/null 2>/dev/null\n".encode())
        channel.stdin.write_eof()
        while chunk := await channel.stdout.read(1 << 16):
            yield chunk
    finally:
        channel.close()
