"""The link to a host over SSH: its states, and what it says when it cannot be had."""

from __future__ import annotations

import pytest

from cockpit.target.ssh import SshTarget

pytestmark = pytest.mark.anyio


async def test_a_shell_runs_on_the_host(ssh: SshTarget) -> None:
    await ssh.ready()
    channel = await ssh.shell()
    channel.stdin.write(b"echo out; echo err >&2; exit 3\n")
    channel.stdin.write_eof()
    assert await channel.stdout.read() == b"out\n"
    assert await channel.stderr.read() == b"err\n"
    assert await channel.wait() == 3
    channel.close()
