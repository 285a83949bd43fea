"""The link to a host over SSH: its states, and what it says when it cannot be had."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import LinkDown, LinkLost, LinkState
from tests.lab.proxy import Proxy
from tests.target.ground import (
    Lab,
    Sshd,
    free_port,
    keygen,
    leave,
    run,
    ssh_agent,
    stopwatch,
    until,
)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def linked(config: Path, host: str = "prod-1", user: str = "") -> AsyncIterator[SshTarget]:
    """A target that has been asked to keep its link."""
    target = SshTarget("prod-1", host, user=user, ssh_config=config)
    await target.open()
    try:
        yield target
    finally:
        await target.close()


def sh(command: str) -> None:
    subprocess.run(command, shell=True, check=True, stdin=subprocess.DEVNULL)


def entry(port: int, *lines: str) -> str:
    return "\n  ".join(["Host prod-1", "HostName 127.0.0.1", f"Port {port}", *lines])


async def down(target: SshTarget) -> str:
    """The sentence of a link that will not come by itself."""
    with pytest.raises(LinkDown) as caught:
        async with asyncio.timeout(30):
            await target.ready()
    assert target.link.state is LinkState.DOWN
    with pytest.raises(LinkDown):
        await target.shell()
    return str(caught.value)


async def echo(target: SshTarget, script: str = "echo out; echo err >&2; exit 3\n") -> bytes:
    channel = await target.shell()
    try:
        channel.stdin.write(script.encode())
        channel.stdin.write_eof()
        return await channel.stdout.read()
    finally:
        channel.close()


async def test_a_shell_runs_on_the_host(ssh: SshTarget) -> None:
    await ssh.ready()
    channel = await ssh.shell()
    channel.stdin.write(b"echo out; echo err >&2; exit 3\n")
    channel.stdin.write_eof()
    assert await channel.stdout.read() == b"out\n"
    assert await channel.stderr.read() == b"err\n"
    assert await channel.wait() == 3
    channel.close()


async def test_the_link_tells_its_state_to_who_watches(lab: Lab, server: Sshd) -> None:
    target = SshTarget("prod-1", "prod-1", ssh_config=lab.config(entry(server.port)))
    seen: list[LinkState] = []
    target.watch(lambda link: seen.append(link.state))
    assert target.link.state is LinkState.CONNECTING
    await target.open()
    await target.ready()
    assert target.link.rtt is not None
    assert 0 < target.link.rtt < 60
    assert target.user
    await target.close()
    await asyncio.sleep(0)
    # A login that took long is called slow at first.
    assert seen[0].usable
    assert seen[-1] is LinkState.DOWN


async def test_jobs_run_over_ssh(ssh: SshTarget, server: Sshd) -> None:
    await ssh.ready()
    place = await job.hello(ssh)
    assert place.root == str(server.home / ".cache" / "cockpit")
    done = await run(ssh, place, "printf '\\377 bytes'; pwd >&2; exit 9")
    assert done.status == 9
    assert done.output == b"\xff bytes" + str(server.home).encode() + b"\n"


# -- a link that breaks ----------------------------------------------------------------------------


async def test_a_cut_is_noticed_and_mended(ssh: SshTarget, proxy: Proxy) -> None:
    await ssh.ready()
    await proxy.drop()
    await until(lambda: ssh.link.state is LinkState.LOST)
    assert "connecting again" in ssh.link.reason
    with pytest.raises(LinkLost):
        await ssh.shell()
    await ssh.ready()
    assert await echo(ssh) == b"out\n"


async def test_a_reader_on_a_cut_link_is_told_so(ssh: SshTarget, proxy: Proxy) -> None:
    await ssh.ready()
    channel = await ssh.shell()
    await proxy.drop()
    with pytest.raises(LinkLost):
        await channel.stdout.read()
    assert await channel.wait() is None
    channel.close()


async def test_a_black_hole_is_noticed_and_a_job_goes_on_behind_it(
    ssh: SshTarget, proxy: Proxy
) -> None:
    await ssh.ready()
    place = await job.hello(ssh)
    id = job.new_id()
    command = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.5; done"
    order = job.order(leave(command, ssh.name), id)
    output = b""
    hole: asyncio.Task[None] | None = None
    async for item in job.follow(ssh, place, id, order=order, claimed=False, offset=0):
        if isinstance(item, job.Output):
            output += item.data
        if isinstance(item, job.Claimed):
            proxy.stall()
            async with stopwatch() as passed:
                await until(lambda: ssh.link.state is LinkState.LOST)
                assert passed() < 4.5
            assert "does not answer" in ssh.link.reason
            hole = asyncio.create_task(_end_hole(proxy))
    assert hole is not None
    await hole
    assert output.split() == [str(n).encode() for n in range(1, 13)]
    assert item == job.Ended(0, "done", item.ended_at, len(output), False)  # type: ignore[union-attr]


async def _end_hole(proxy: Proxy) -> None:
    await asyncio.sleep(1)
    proxy.restore()


async def test_a_link_that_comes_back_is_kept(ssh: SshTarget, proxy: Proxy) -> None:
    await ssh.ready()
    channel = await ssh.shell()
    proxy.stall()
    await until(lambda: ssh.link.state is LinkState.LOST)
    proxy.restore()
    await asyncio.wait_for(ssh.ready(), 30)
    if proxy.accepted == 1:
        channel.stdin.write(b"echo still here\n")
        assert await channel.stdout.readline() == b"still here\n"
    channel.close()
    assert await echo(ssh) == b"out\n"


async def test_a_slow_link_is_called_degraded(lab: Lab, server: Sshd, proxy: Proxy) -> None:
    known = server.known_line(proxy.port)
    async with linked(lab.config(entry(proxy.port), known=known)) as target:
        await target.ready()
        proxy.delay(600)
        # It may have been called slow before, where the login took long.
        await until(lambda: target.link.state is LinkState.DEGRADED and (target.link.rtt or 0) > 1)
        assert "slow" in target.link.reason
        proxy.delay(0)
        await until(lambda: target.link.state is LinkState.UP)


# -- a host that is not there ----------------------------------------------------------------------


async def test_a_refused_port_is_tried_again(lab: Lab) -> None:
    port = free_port()
    async with linked(lab.config(entry(port))) as target:
        await until(lambda: f"127.0.0.1:{port} refuses" in target.link.reason)
        assert target.link.state is LinkState.LOST
        # Not while the next attempt is due just now.
        await until(lambda: 0 < (target.link.retry_at or 0) - time.monotonic() <= 5)
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", port)
        async with server:
            target.retry_now()
            await until(lambda: "ended the login" in target.link.reason)


async def test_a_name_that_does_not_resolve_is_tried_again(lab: Lab) -> None:
    async with linked(lab.config("Host prod-1\n  HostName no-such-host.invalid")) as target:
        await until(lambda: "no-such-host.invalid does not resolve" in target.link.reason, 60)
        assert target.link.state is LinkState.LOST
        assert target.link.retry_at is not None


async def test_a_name_that_cannot_be_one_does_not_end_the_trying(lab: Lab) -> None:
    async with linked(lab.config(f"Host prod-1\n  HostName {'x' * 80}.example")) as target:
        await until(lambda: target.link.state is LinkState.LOST)
        assert target.link.reason
        assert target.link.retry_at is not None


async def test_a_broken_configuration_is_named(lab: Lab) -> None:
    async with linked(lab.config("Host prod-1\n  NoSuchOption yes")) as target:
        assert "nosuchoption" in (await down(target)).lower()


# -- who is at the other end -----------------------------------------------------------------------


async def test_an_unknown_host_key_stops_and_says_how_to_accept_it(lab: Lab, server: Sshd) -> None:
    config = lab.config(entry(server.port), known="")
    async with linked(config) as target:
        said = await down(target)
        assert "is not known yet" in said
        assert _fingerprint(server.home / "host_key.pub") in said
        command = re.search(r"with: (ssh .*), then press ctrl\+r", said)
        assert command is not None
        (config.parent / "known_hosts").write_text(server.known_line())
        sh(command[1])
        target.retry_now()
        await target.ready()


@pytest.mark.parametrize(
    "line", ["UserKnownHostsFile none", "StrictHostKeyChecking no", "UserKnownHostsFile /dev/null"]
)
async def test_no_configuration_turns_checking_off(lab: Lab, server: Sshd, line: str) -> None:
    async with linked(lab.config(entry(server.port, line), known="")) as target:
        assert "is not known yet" in await down(target)


async def test_a_changed_host_key_stops_with_both_fingerprints(lab: Lab, server: Sshd) -> None:
    other = keygen(lab.home / "other_host_key").with_suffix(".pub")
    name = f"[127.0.0.1]:{server.port}"
    text = "damaged line\n" + name + " " + " ".join(other.read_text().split()[:2]) + "\n"
    config = lab.config(entry(server.port), known=text)
    async with linked(config) as target:
        said = await down(target)
        assert "has changed" in said
        assert f"was ssh-ed25519 {_fingerprint(other)}" in said
        assert f"is ssh-ed25519 {_fingerprint(server.home / 'host_key.pub')}" in said
        assert f"ssh-keygen -f {config.parent / 'known_hosts'} -R '{name}'" in said


async def test_hashed_names_and_aliases_are_found(lab: Lab, server: Sshd) -> None:
    config = lab.config(entry(server.port))
    sh(f"ssh-keygen -q -H -f {config.parent}/known_hosts")
    assert "127.0.0.1" not in (config.parent / "known_hosts").read_text()
    async with linked(config) as target:
        await asyncio.wait_for(target.ready(), 30)
    key = server.known_line().partition(" ")[2]
    config = lab.config(entry(server.port, "HostKeyAlias the-db"), known=f"the-db {key}")
    async with linked(config) as target:
        await asyncio.wait_for(target.ready(), 30)


def _fingerprint(key: Path) -> str:
    said = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, check=True)
    return said.stdout.decode().split()[1]


# -- who we are ------------------------------------------------------------------------------------


async def test_a_wrong_user_is_told_and_not_tried_again(lab: Lab, server: Sshd) -> None:
    async with linked(lab.config(entry(server.port)), user="nobody-here") as target:
        said = await down(target)
        assert "does not let nobody-here in: none of 1 keys was accepted" in said


@pytest.fixture
def agent(lab: Lab) -> Iterator[Path]:
    with ssh_agent(lab.home / f"agent{time.monotonic_ns()}") as path:
        yield path


async def test_a_key_with_a_passphrase_needs_the_agent(lab: Lab, agent: Path) -> None:
    key = keygen(lab.home / f"locked{time.monotonic_ns()}", passphrase="secret")
    place = lab.home / f"locked-sshd{time.monotonic_ns()}"
    place.mkdir()
    server = Sshd(place, free_port(), key)
    server.start()
    lab.servers.append(server)
    config = lab.config(entry(server.port, f"IdentityAgent {agent}"), key=key)
    async with linked(config) as target:
        said = await down(target)
        assert f"the key {key} asks for a passphrase: ssh-add {key}, then press ctrl+r" in said
        ask = lab.home / "askpass"
        ask.write_text("#!/bin/sh\necho secret\n")
        ask.chmod(0o700)
        sh(f"SSH_AUTH_SOCK={agent} SSH_ASKPASS={ask} SSH_ASKPASS_REQUIRE=force ssh-add -q {key}")
        target.retry_now()
        await asyncio.wait_for(target.ready(), 30)


# -- on the way there ------------------------------------------------------------------------------


async def test_a_jump_host_carries_the_link(lab: Lab, server: Sshd) -> None:
    bastion = lab.sshd()
    config = lab.config(
        entry(server.port, "ProxyJump bastion"),
        f"Host bastion\n  HostName 127.0.0.1\n  Port {bastion.port}",
    )
    assert "Accepted publickey" not in (bastion.home / "log").read_text()
    async with linked(config) as target:
        await asyncio.wait_for(target.ready(), 30)
        assert await echo(target, "echo $HOME\n") == str(server.home).encode() + b"\n"
    assert "Accepted publickey" in (bastion.home / "log").read_text()


async def test_a_jump_host_with_an_unknown_key_stops(lab: Lab, server: Sshd) -> None:
    bastion = lab.sshd()
    config = lab.config(
        entry(server.port, f"ProxyJump 127.0.0.1:{bastion.port}"), known=server.known_line()
    )
    async with linked(config) as target:
        said = await down(target)
        assert f"the host key of [127.0.0.1]:{bastion.port} is not known yet" in said


async def test_a_proxy_command_carries_the_link(lab: Lab, server: Sshd) -> None:
    bastion = lab.sshd()
    inner = lab.config(f"Host bastion\n  HostName 127.0.0.1\n  Port {bastion.port}")
    command = f"ssh -F {inner} -W %h:%p bastion"
    async with linked(lab.config(entry(server.port, f"ProxyCommand {command}"))) as target:
        await asyncio.wait_for(target.ready(), 30)
        assert await echo(target) == b"out\n"


# -- hosts as they are -----------------------------------------------------------------------------


async def test_a_login_shell_that_talks_is_no_trouble(lab: Lab) -> None:
    chatty = lab.sshd(
        "ForceCommand echo Welcome to prod; printf 'no newline'; echo warn >&2;"
        ' eval "$SSH_ORIGINAL_COMMAND"'
    )
    async with linked(lab.config(entry(chatty.port))) as target:
        await asyncio.wait_for(target.ready(), 30)
        place = await job.hello(target)
        done = await run(target, place, "echo hi; exit 2")
        assert (done.output, done.status) == (b"hi\n", 2)


@pytest.mark.parametrize("to", [1, 2])
async def test_a_host_that_runs_nothing_is_told(lab: Lab, to: int) -> None:
    closed = lab.sshd(f"ForceCommand echo This account is closed. >&{to}; exit 1")
    async with linked(lab.config(entry(closed.port))) as target:
        said = 'runs no commands (status 1, it says "This account is closed.")'
        await until(lambda: said in target.link.reason)
        assert target.link.state is LinkState.LOST
        assert target.link.retry_at is not None


async def test_a_cancelled_command_gives_its_channel_back(lab: Lab) -> None:
    """The beat and the shell opened ahead take two of the four sessions."""
    tight = lab.sshd("MaxSessions 4")
    async with linked(lab.config(entry(tight.port))) as target:
        await asyncio.wait_for(target.ready(), 30)
        place = await job.hello(target)
        for delay in (0, 0.001, 0.005, 0.02, 0.05, 0.1, 0, 0.01, 0.03, 0.2):
            task = asyncio.create_task(run(target, place, "sleep 0.3"))
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await run(target, place, "echo hi")).output == b"hi\n"


async def test_a_socket_on_the_host_is_dialed(ssh: SshTarget, tmp_path: Path) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    path = tmp_path / "s"
    await ssh.ready()
    async with await asyncio.start_unix_server(shout, path):
        reader, writer = await ssh.dial(str(path))
        writer.write(b"hello\n")
        await writer.drain()
        assert await reader.read() == b"HELLO\n"
        writer.close()
        await writer.wait_closed()
    with pytest.raises(FileNotFoundError, match="is not there on prod-1"):
        await ssh.dial(str(tmp_path / "absent"))
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="is not a socket"):
        await ssh.dial(str(tmp_path / "file"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    with pytest.raises(ConnectionRefusedError, match="nothing answers"):
        await ssh.dial(str(tmp_path / "dead"))


async def test_a_host_that_forbids_sockets_says_so(lab: Lab, tmp_path: Path) -> None:
    strict = lab.sshd("AllowStreamLocalForwarding no")
    async with linked(lab.config(entry(strict.port))) as target:
        await asyncio.wait_for(target.ready(), 30)
        async with await asyncio.start_unix_server(lambda r, w: w.close(), tmp_path / "s"):
            with pytest.raises(OSError, match="AllowStreamLocalForwarding"):
                await target.dial(str(tmp_path / "s"))
