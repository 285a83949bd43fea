"""The same link carried by OpenSSH's own ssh: jobs, cuts, questions, and nothing left over."""

from __future__ import annotations

import asyncio
import getpass
import glob
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import LinkLost, LinkState
from tests import processes
from tests.lab.fixtures import StartSshd, not_tested
from tests.lab.proxy import Proxy
from tests.target.ground import Lab, Sshd, free_port, keygen, leave, run, stopwatch, until
from tests.target.login_ground import (
    BY_CODE,
    BY_PASSWORD,
    PASSWORD,
    Person,
    code,
    config,
    down,
    linked,
    missing,
    says,
    up,
)

pytestmark = pytest.mark.anyio
ASKS = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no"


def ours() -> list[str]:
    """What this process has in the temporary directory."""
    return glob.glob(f"{tempfile.gettempdir()}/cockpit-ssh-{os.getpid()}-*")


def running(folder: str) -> list[str]:
    """Command lines of processes that name a folder."""
    found = []
    for entry in processes.files("cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in words and int(entry.parent.name) != os.getpid():
            found.append(words)
    return found


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """Whatever a test does: no process of ours and no file after it."""
    yield
    await until(lambda: not running(f"cockpit-ssh-{os.getpid()}-") and not ours())


@pytest.fixture
async def target(lab: Lab, server: Sshd, proxy: Proxy) -> AsyncIterator[SshTarget]:
    """A host behind a proxy."""
    path = lab.config(
        f"Host prod-1\n  HostName 127.0.0.1\n  Port {proxy.port}",
        known=server.known_line(proxy.port),
    )
    async with linked(path, None, transport="openssh") as made:
        yield made


def entry(port: int, *lines: str) -> str:
    return "\n  ".join(["Host prod-1", "HostName 127.0.0.1", f"Port {port}", *lines])


async def test_jobs_run_and_channels_behave(target: SshTarget, server: Sshd) -> None:
    await up(target)
    assert target.user == getpass.getuser()
    place = await job.hello(target)
    assert place.root == str(server.home / ".cache" / "cockpit")
    done = await run(target, place, "printf '\\377 bytes'; pwd >&2; exit 9")
    assert (done.status, done.output) == (9, b"\xff bytes" + str(server.home).encode() + b"\n")
    channel = await target.shell()
    channel.stdin.write(b"echo out; echo err >&2; exit 3\n")
    channel.stdin.write_eof()
    assert await channel.stdout.read() == b"out\n"
    assert await channel.stderr.read() == b"err\n"
    assert await channel.wait() == 3
    channel.close()


async def test_much_goes_both_ways(target: SshTarget) -> None:
    await up(target)
    channel = await target.shell()
    data = os.urandom(3_000_000).hex().encode()
    channel.stdin.write(b"printf go; exec cat\n")
    # The shell must have read its last line before the first byte for cat is sent.
    assert await channel.stdout.readexactly(2) == b"go"

    async def send() -> None:
        for at in range(0, len(data), 65536):
            channel.stdin.write(data[at : at + 65536])
            await channel.stdin.drain()
        channel.stdin.write_eof()

    sending = asyncio.create_task(send())
    got = await channel.stdout.read()
    await sending
    assert got == data
    channel.close()


async def test_a_status_of_255_is_one_and_no_lost_link(target: SshTarget) -> None:
    await up(target)
    channel = await target.shell()
    channel.stdin.write(b"echo before; exit 255\n")
    assert await channel.stdout.read() == b"before\n"
    assert await channel.wait() == 255
    channel.close()


async def test_a_cut_is_noticed_and_mended(target: SshTarget, proxy: Proxy) -> None:
    await up(target)
    channel = await target.shell()
    await proxy.drop()
    await until(lambda: target.link.state is LinkState.LOST)
    with pytest.raises(LinkLost):
        await channel.stdout.read()
    assert await channel.wait() is None
    channel.close()
    await up(target)
    assert await says(target) == "hello\n"


async def test_a_job_goes_on_behind_a_black_hole(target: SshTarget, proxy: Proxy) -> None:
    await up(target)
    place = await job.hello(target)
    id = job.new_id()
    order = job.order(leave("for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done", "prod-1"), id)
    output, noticed = b"", 0.0
    async for item in job.follow(target, place, id, order=order, claimed=False, offset=0):
        if isinstance(item, job.Output):
            output += item.data
        if isinstance(item, job.Claimed):
            proxy.stall()
            async with stopwatch() as passed:
                await until(lambda: target.link.state is LinkState.LOST)
                noticed = passed()
            proxy.restore()
    assert noticed < 4.5
    assert output.split() == [str(n).encode() for n in range(1, 7)]


async def test_a_terminal_is_one_and_a_signal_is_told(target: SshTarget) -> None:
    await up(target)
    script = b"tty >/dev/null && stty size; echo $TERM; read x; echo got $x; kill -TERM $$"
    terminal = await target.terminal(script, "xterm-256color", 91, 33)
    said = await terminal.stdout.readuntil(b"xterm-256color\r\n")
    assert b"33 91\r\n" in said
    terminal.stdin.write(b"it\r")
    assert b"got it" in await terminal.stdout.read()
    assert await terminal.wait() == 143
    terminal.close()


async def test_a_socket_is_never_opened_here(target: SshTarget, tmp_path: Path) -> None:
    await up(target)
    with pytest.raises(OSError, match="transport: openssh does not reach"):
        await target.dial(str(tmp_path / "docker.sock"))


async def test_a_host_with_few_sessions_says_so(lab: Lab) -> None:
    tight = lab.sshd("MaxSessions 3")
    path = lab.config(entry(tight.port))
    async with linked(path, None, transport="openssh") as target:
        await up(target)
        first, second = await target.shell(), await target.shell()
        with pytest.raises(LinkLost, match=r"no session could be opened: .*refused by peer"):
            await target.shell()
        first.close()
        second.close()
        async with asyncio.timeout(60):
            while True:  # until the host has noticed that they are gone
                try:
                    assert await says(target) == "hello\n"
                    break
                except LinkLost:
                    await asyncio.sleep(0.05)


async def test_a_login_shell_that_talks_is_no_trouble(lab: Lab) -> None:
    chatty = lab.sshd(
        "ForceCommand echo Welcome to prod; printf 'no newline'; echo warn >&2;"
        ' eval "$SSH_ORIGINAL_COMMAND"'
    )
    async with linked(lab.config(entry(chatty.port)), None, transport="openssh") as target:
        await up(target)
        assert await says(target) == "hello\n"


async def test_a_host_that_runs_nothing_is_told(lab: Lab) -> None:
    closed = lab.sshd("ForceCommand echo This account is closed. >&2; exit 1")
    async with linked(lab.config(entry(closed.port)), None, transport="openssh") as target:
        said = 'runs no commands (status 1, it says "This account is closed.")'
        await until(lambda: said in target.link.reason)
        assert target.link.state is LinkState.LOST


# -- the user's own configuration ------------------------------------------------------------------


async def test_what_the_user_configured_for_people_does_not_interfere(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    lines = (
        "ControlMaster auto",
        f"ControlPath {tmp_path}/mine-%C",
        "ControlPersist 600",
        "RemoteCommand tmux attach",
        "RequestTTY force",
        f"LocalForward {free_port()} 127.0.0.1:1",
        "PermitLocalCommand yes",
        f"LocalCommand touch {tmp_path}/ran",
        "StrictHostKeyChecking no",
    )
    async with linked(lab.config(entry(server.port, *lines)), None, transport="openssh") as target:
        await up(target)
        assert await says(target) == "hello\n"
    assert list(tmp_path.iterdir()) == []


async def test_two_hops_carry_it_and_each_keeps_its_host_key(lab: Lab, server: Sshd) -> None:
    outer, inner = lab.sshd(), lab.sshd()
    hops = (
        f"Host outer\n  HostName 127.0.0.1\n  Port {outer.port}",
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  StrictHostKeyChecking no",
    )
    path = lab.config(entry(server.port, "ProxyJump outer,inner"), *hops)
    async with linked(path, None, transport="openssh") as target:
        await up(target)
        assert await says(target, "echo $HOME\n") == f"{server.home}\n"
    for hop in (outer, inner):
        assert "Accepted publickey" in (hop.home / "log").read_text()
    known = outer.known_line() + server.known_line()
    path = lab.config(entry(server.port, "ProxyJump outer,inner"), *hops, known=known)
    async with linked(path, None, transport="openssh") as target:
        said = await down(target)
        assert f"the host key of [127.0.0.1]:{inner.port} is not known yet" in said
        assert fingerprint(inner.home / "host_key.pub") in said


# -- the same sentences ----------------------------------------------------------------------------


def fingerprint(key: Path) -> str:
    said = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, check=True)
    return said.stdout.decode().split()[1]


async def test_an_unknown_and_a_changed_host_key_stop_with_fingerprints(
    lab: Lab, server: Sshd
) -> None:
    lines = ("StrictHostKeyChecking no", "UserKnownHostsFile none")
    for extra in ((), lines):
        path = lab.config(entry(server.port, *extra), known="")
        async with linked(path, None, transport="openssh") as target:
            said = await down(target)
            assert "is not known yet" in said
            assert fingerprint(server.home / "host_key.pub") in said
    other = keygen(lab.home / f"other{time.monotonic_ns()}").with_suffix(".pub")
    name = f"[127.0.0.1]:{server.port}"
    text = name + " " + " ".join(other.read_text().split()[:2]) + "\n"
    path = lab.config(entry(server.port), known=text)
    async with linked(path, None, transport="openssh") as target:
        said = await down(target)
        assert f"has changed (was ssh-ed25519 {fingerprint(other)}" in said
        assert f"is ssh-ed25519 {fingerprint(server.home / 'host_key.pub')}" in said


async def test_a_wrong_user_and_an_absent_host_are_told(lab: Lab, server: Sshd) -> None:
    path = lab.config(entry(server.port))
    async with linked(path, None, transport="openssh", user="nobody-here") as target:
        said = await down(target)
        assert "does not let nobody-here in: ssh was denied (publickey" in said
    port = free_port()
    async with linked(lab.config(entry(port)), None, transport="openssh") as target:
        await until(lambda: f"127.0.0.1:{port} refuses" in target.link.reason)
        assert target.link.state is LinkState.LOST
        assert target.link.retry_at is not None
    path = lab.config("Host prod-1\n  HostName no-such-host.invalid")
    async with linked(path, None, transport="openssh") as target:
        await until(lambda: "no-such-host.invalid does not resolve" in target.link.reason, 60)
        assert target.link.state is LinkState.LOST


# -- what ssh asks is asked in cockpit -------------------------------------------------------------


async def test_a_passphrase_is_asked_once_and_replayed(sshd: StartSshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="tell nobody")
    server = sshd(user_key=key)
    sam = Person(["wrong", "tell nobody"])
    async with (
        Proxy("127.0.0.1", server.port) as proxy,
        linked(
            config(server, f"IdentityFile {key}", port=proxy.port), sam, transport="openssh"
        ) as target,
    ):
        await up(target)
        assert [question.prompt.strip() for question in sam.asked] == [
            f"Enter passphrase for key '{key}':",
            f"Wrong, try 2 of 3. Enter passphrase for key '{key}':",
        ]
        secrets = [words for words in running("ssh") if "tell nobody" in words]
        assert secrets == []
        await proxy.drop()
        await until(lambda: target.link.state is LinkState.LOST)
        await up(target)
        assert len(sam.asked) == 2


@pytest.fixture
def pam(request: pytest.FixtureRequest, sshd: StartSshd) -> Iterator[StartSshd]:
    if reasons := missing():
        not_tested(request, "logins with passwords and one-time codes", reasons)
    yield sshd


@pytest.mark.root
async def test_a_password_and_a_code_are_asked(pam: StartSshd) -> None:
    server = pam(account=BY_PASSWORD, extra_config="PasswordAuthentication yes")
    sam = Person([PASSWORD])
    async with linked(config(server), sam, transport="openssh") as target:
        await up(target)
        assert sam.asked[0].prompt.strip() == "ana@127.0.0.1's password:"
    server = pam(account=BY_CODE, extra_config=ASKS)
    sam = Person(["000000", code(0), code(1)])
    async with (
        Proxy("127.0.0.1", server.port) as proxy,
        linked(config(server, port=proxy.port), sam, transport="openssh") as target,
    ):
        await up(target)
        assert "One-time password" in sam.asked[0].prompt
        assert sam.asked[1].prompt.startswith("Wrong, try 2 of 3. ")
        await proxy.drop()
        said = await down(target)
        assert said.endswith("Press ctrl+r to be asked for it")
        assert len(sam.asked) == 2
        target.retry_now()
        await up(target)
        assert len(sam.asked) == 3


@pytest.mark.root
async def test_giving_up_ends_ssh_and_ctrl_r_asks_again(pam: StartSshd) -> None:
    server = pam(account=BY_CODE, extra_config=ASKS)
    sam = Person([None, code(0)])
    async with linked(config(server), sam, transport="openssh") as target:
        assert "was asked for and not given. Press ctrl+r" in await down(target)
        target.retry_now()
        await up(target)


@pytest.mark.root
async def test_a_server_that_loses_patience_is_told(pam: StartSshd) -> None:
    server = pam(account=BY_CODE, extra_config=f"{ASKS}\nLoginGraceTime 2")
    # ssh itself learns it only from the answer that it can no longer send.
    sam = Person([code(0)], delay=9)
    async with linked(config(server, "ConnectTimeout 5"), sam, transport="openssh") as target:
        said = await down(target)
        assert "hung up while a question waited for its answer (LoginGraceTime there)" in said
        assert len(sam.asked) == 1


# -- nothing is left over --------------------------------------------------------------------------

KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from cockpit.target.ssh import SshTarget

async def main():
    target = SshTarget("prod-1", "prod-1", ssh_config=Path({config!r}), transport="openssh")
    await target.open()
    await target.ready()
    channel = await target.shell()
    channel.stdin.write(b"exec sleep 300\\n")
    print("up", flush=True)
    await asyncio.sleep(300)

asyncio.run(main())
"""


@pytest.mark.parametrize("state", ["flowing", "stalled"])
async def test_a_killed_cockpit_leaves_no_ssh_behind(
    lab: Lab, server: Sshd, proxy: Proxy, state: str
) -> None:
    outer = lab.sshd()
    path = lab.config(
        entry(server.port, "ProxyJump outer"),
        f"Host outer\n  HostName 127.0.0.1\n  Port {proxy.port}\n  HostKeyAlias outer",
        known=server.known_line() + "outer " + outer.known_line().partition(" ")[2],
    )
    proxy.target = ("127.0.0.1", outer.port)
    script = KILLED.format(root=str(Path(__file__).resolve().parents[2]), config=str(path))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"up\n"
    if state == "stalled":
        proxy.stall()
    mark = f"cockpit-ssh-{process.pid}-"
    assert running(mark)
    assert running(shlex.quote(str(path)))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    try:
        await until(lambda: not running(mark) and not running(str(path)))
    finally:
        proxy.restore()
    # What it had on disk goes with the next login.
    async with linked(lab.config(entry(server.port)), None, transport="openssh") as target:
        await up(target)
        assert glob.glob(f"{tempfile.gettempdir()}/{mark}*") == []
