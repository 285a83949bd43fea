"""This machine as a target."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from cockpit.target.target import LinkDown, Local
from tests.target.ground import until

pytestmark = pytest.mark.anyio


async def test_a_shell_that_is_asked_for_while_it_is_closed_is_given_up_too(
    tmp_path: Path,
) -> None:
    slow = tmp_path / "sh"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o700)
    host = Local(shell=str(slow))
    late = asyncio.create_task(host.shell())
    await asyncio.sleep(0)
    await host.close()
    with pytest.raises(LinkDown):
        await late
    assert not any("sleep 600" in line for line in children())


def children() -> list[str]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        # Those of other tests may end meanwhile, and so may a thread.
        with contextlib.suppress(OSError):
            for pid in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
    return found


async def test_what_outlives_a_shell_does_not_hold_up_its_end() -> None:
    host = Local()
    channel = await host.shell()
    channel.stdin.write(b"sleep 99 & echo $!\n")
    outlives = int(await channel.stdout.readline())
    await host.close()
    assert await channel.wait() == -signal.SIGKILL
    # Before it is a sleep it is a copy of the shell.
    await until(lambda: Path(f"/proc/{outlives}/cmdline").read_text().startswith("sleep"))
    os.kill(outlives, signal.SIGKILL)
