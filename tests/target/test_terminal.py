"""A command in a terminal of its own: a real pty here, one of sshd's over the link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import time
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cockpit.target import job, terminal
from cockpit.target.ssh import SshTarget
from cockpit.target.target import LinkState, Local, Target
from cockpit.target.target import Terminal as Opened
from tests.lab.proxy import Proxy
from tests.target.ground import Lab, leave, until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def status_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late a busy host tells it."""
    monkeypatch.setattr(terminal, "_STATUS_S", 25.0)


@pytest.fixture(params=["local", "ssh"])
def target(request: pytest.FixtureRequest) -> Target:
    """Either kind of target."""
    made: Target = request.getfixturevalue(request.param)
    return made


@dataclass
class Person:
    """Who sits at a real terminal: types, and sees what comes."""

    master: int
    slave: int
    kept: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def look(self) -> bytes:
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return bytes(self.seen)

    async def sees(self, pattern: bytes, seconds: float = 30) -> None:
        give_up = time.monotonic() + seconds
        while not re.search(pattern, self.look()):
            assert time.monotonic() < give_up, f"{pattern!r} never came:\n{bytes(self.seen)!r}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def person() -> AsyncIterator[Person]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(slave, False)
    try:
        yield Person(master, slave)
    finally:
        os.close(slave)
        os.close(master)


async def opened(
    target: Target, command: str, *, size: tuple[int, int] = (80, 24), workdir: str = ""
) -> Opened:
    await target.ready()
    order = job.order(leave(command, target.name), job.new_id(), workdir=workdir)
    return await terminal.start(target, order, term="xterm-256color", size=size)


@asynccontextmanager
async def at(
    target: Target, command: str, **more: object
) -> AsyncIterator[tuple[Person, asyncio.Task[terminal.End], Opened]]:
    """A person before a command that runs in a terminal."""
    async with person() as who:
        channel = await opened(target, command, **more)  # type: ignore[arg-type]
        work = terminal.relay(
            target, channel, keys=who.slave, screen=who.slave, keep=who.kept.extend
        )
        task = asyncio.create_task(work)
        try:
            yield who, task, channel
        finally:
            task.cancel()
            await asyncio.wait([task])


async def ended(task: asyncio.Task[terminal.End], seconds: float = 60) -> terminal.End:
    async with asyncio.timeout(seconds):
        return await task


async def test_a_question_is_asked_and_answered(target: Target) -> None:
    async with at(target, "read -p 'Name? ' name; echo hello $name; exit 3") as (who, task, _):
        await who.sees(b"Name\\? ")
        who.type("sam\r")
        end = await ended(task)
        assert (end.how, end.exit_status) == ("done", 3)
        assert b"hello sam\r\n" in who.look()
        assert bytes(who.kept) == bytes(who.seen)


async def test_it_is_a_terminal_of_that_kind_and_size(target: Target) -> None:
    command = "tty </dev/tty >/dev/null && stty size && echo $TERM"
    async with at(target, command, size=(91, 33)) as (who, task, _):
        assert (await ended(task)).exit_status == 0
        assert who.look().split() == [b"33", b"91", b"xterm-256color"]


async def test_a_new_size_reaches_the_program(target: Target) -> None:
    command = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done"
    async with at(target, command) as (who, task, channel):
        await who.sees(b"ready")
        channel.resize(60, 20)
        await who.sees(b"20 60")
        assert (await ended(task)).how == "done"


async def test_ctrl_c_goes_to_the_program(target: Target) -> None:
    command = "trap 'echo caught; exit 7' INT; echo go; while :; do sleep 0.1; done"
    async with at(target, command) as (who, task, _):
        await who.sees(b"go")
        who.type("\x03")
        end = await ended(task)
        assert (end.how, end.exit_status) == ("done", 7)
        assert b"caught" in who.look()


async def test_it_runs_where_jobs_run_and_every_byte_of_it_arrives(target: Target) -> None:
    odd = "é ' \" $HOME `x` \\ ! % \\\\ ~"
    command = f"pwd\ncat <<'END'\n{odd}\nEND\nprintf '%s|' 'a b' \"c'd\" '!!'"
    async with at(target, command, workdir="/usr") as (who, task, _):
        assert (await ended(task)).exit_status == 0
        shown = who.look().decode().replace("\r\n", "\n")
        assert shown == f"/usr\n{odd}\na b|c'd|!!|"


def visible(what: bytes) -> list[Path]:
    """Processes in whose arguments or environment something can be read, as by `ps eww`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if what in (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes():
                found.append(folder)
    return found


async def test_what_runs_is_not_in_the_process_list(target: Target) -> None:
    secret = f"s3cr3t{os.urandom(8).hex()}"
    command = f"token={secret}; echo got ${{#token}}; read x; echo $x $token"
    async with at(target, command) as (who, task, _):
        await who.sees(b"got 22")
        octal = "".join(f"\\0{byte:03o}" for byte in secret.encode()).encode()
        assert visible(secret.encode()) == []
        assert visible(octal) == []
        who.type("hello\r")
        assert (await ended(task)).exit_status == 0
        # Nor is it in what was shown before the command itself shows it.
        assert bytes(who.kept) == f"got 22\r\nhello\r\nhello {secret}\r\n".encode()


async def test_a_long_script_arrives_whole(target: Target) -> None:
    lines = "".join(f"{number} é ' $x\n" for number in range(20_000))
    command = f"cat <<'END' | cksum\n{lines}END\n"
    assert len(command) > 200_000
    async with at(target, command) as (who, task, _):
        assert (await ended(task)).exit_status == 0
        wanted = await asyncio.create_subprocess_exec(
            "cksum", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        out, _ = await wanted.communicate(lines.encode())
        assert who.look().split() == out.split()


@pytest.mark.parametrize("stty", [True, False])
async def test_any_shell_takes_it_and_the_terminal_is_as_it_was(host: Target, stty: bool) -> None:
    """dash, bash, busybox ash; the last has no stty here unless it is given one."""
    tools = Path(host._environ["PATH"].partition(":")[0])  # type: ignore[attr-defined]
    found = shutil.which("stty")
    assert found is not None
    if stty:
        (tools / "stty").symlink_to(found)
    command = "printf '%s|' 'a b' \"c'd\" 'é\\n'; read x; echo $x; exit 4"
    async with at(host, command) as (who, task, _):
        await who.sees("a b\\|c'd\\|é\\\\n\\|".encode())
        who.type("typed\r")
        assert (await ended(task)).exit_status == 4
        assert bytes(who.kept) == "a b|c'd|é\\n|typed\r\ntyped\r\n".encode()


async def test_a_script_that_is_cut_off_runs_nothing(local: Local, tmp_path: Path) -> None:
    script = terminal._TAKE.replace("SIGN", "x").encode()
    opened = await local.terminal(script, "xterm", 80, 24)
    assert b"x:ready" in await opened.stdout.readline()
    opened.stdin.write(f"touch {tmp_path}/ran\n".encode())
    opened.stdin.write_eof()
    await opened.stdout.read()
    assert await opened.wait() == 125
    assert not (tmp_path / "ran").exists()


async def test_a_host_without_a_shell_in_its_terminals_says_so(lab: Lab) -> None:
    closed = lab.sshd(
        'ForceCommand [ -t 0 ] && { echo No terminals.; exit 1; }; eval "$SSH_ORIGINAL_COMMAND"'
    )
    config = lab.config(f"Host prod-1\n  HostName 127.0.0.1\n  Port {closed.port}")
    target = SshTarget("prod-1", "prod-1", ssh_config=config)
    await target.open()
    try:
        with pytest.raises(
            OSError, match=r'prod-1: no terminal was opened; it says "No terminals\."'
        ):
            await opened(target, "echo ran")
    finally:
        await target.close()


async def test_a_directory_that_is_not_there_runs_nothing(target: Target) -> None:
    async with at(target, "echo ran", workdir="/nowhere") as (who, task, _):
        assert (await ended(task)).exit_status == 125
        assert b"cannot enter the directory /nowhere" in who.look()
        assert b"\nran" not in who.look()


async def test_tilde_dot_at_the_start_of_a_line_leaves_a_hung_program(target: Target) -> None:
    command = "trap '' INT HUP TERM; stty raw -echo; echo go; sleep 60"
    async with at(target, command) as (who, task, _):
        await who.sees(b"go")
        who.type("x~.")
        await asyncio.sleep(0.3)
        assert not task.done(), "it is no escape in the middle of a line"
        who.type("\r~.")
        assert (await ended(task)).how == "left"


async def test_a_program_that_leaves_something_behind_ends_all_the_same(local: Local) -> None:
    async with at(local, "(sleep 60; echo late) & echo now") as (who, task, _):
        assert (await ended(task)).exit_status == 0
        assert b"now" in who.look()


async def test_a_signal_is_told_as_a_shell_tells_it(target: Target) -> None:
    async with at(target, "kill -TERM $$") as (_, task, _):
        assert (await ended(task)).exit_status == 143


async def test_a_lot_of_output_is_shown_whole_and_holds_nothing_up(target: Target) -> None:
    async with at(target, "seq 60000; echo end") as (who, task, _):
        await asyncio.sleep(0.3)  # nobody reads
        slowest = 0.0
        while not task.done():
            who.look()
            before = time.monotonic()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - before)
        assert bytes(who.kept) == who.look()
        assert who.look().endswith(b"60000\r\nend\r\n")
        assert slowest < 20, "a fraction of a second on a machine that does nothing else"


@pytest.mark.parametrize("how", ["cut", "stall"])
async def test_a_lost_link_gives_the_terminal_back(ssh: Target, proxy: Proxy, how: str) -> None:
    await ssh.ready()
    async with at(ssh, "echo go; sleep 60") as (who, task, _):
        await who.sees(b"go")
        if how == "cut":
            await proxy.drop()
        else:
            proxy.stall()
        end = await ended(task)
        # Within the time that this waits; 7 s on a machine that does nothing else.
        assert (end.how, end.exit_status) == ("lost", None)
    proxy.restore()


async def test_a_link_that_only_hesitates_keeps_the_terminal(
    ssh: Target, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "LOST_S", 20.0)  # however late the host is heard again
    await ssh.ready()
    async with at(ssh, "echo go; read x; echo got $x") as (who, task, _):
        await who.sees(b"go")
        # No new connection may be quicker than the old one.
        proxy.stall()
        await proxy.refuse()
        await until(lambda: ssh.link.state is LinkState.LOST)
        proxy._flowing["up"].set()
        proxy._flowing["down"].set()
        who.type("it\r")
        assert (await ended(task)).exit_status == 0
        assert b"got it" in who.look()
    proxy.restore()


async def test_it_is_gone_with_the_terminal_of_the_responder(target: Target) -> None:
    async with person() as who:
        channel = await opened(target, "echo go; sleep 60")
        keys, hung_up = os.pipe()
        work = terminal.relay(target, channel, keys=keys, screen=who.slave, keep=who.kept.extend)
        task = asyncio.create_task(work)
        await who.sees(b"go")
        os.close(hung_up)
        assert (await ended(task)).how == "gone"
        os.close(keys)


async def test_nothing_runs_without_an_order(local: Local) -> None:
    with pytest.raises(TypeError):
        await terminal.start(local, "ls", term="xterm", size=(80, 24))  # type: ignore[arg-type]
    elsewhere = job.order(leave("ls", "elsewhere"), job.new_id())
    with pytest.raises(TypeError):
        await terminal.start(local, elsewhere, term="xterm", size=(80, 24))


TYPED: list[tuple[list[str], str, bool]] = [
    (["ls\r"], "ls\r", False),
    (["~."], "", True),
    (["ls\r", "~", "."], "ls\r", True),
    (["a~."], "a~.", False),
    (["\r~~."], "\r~.", False),
    (["\r~/x"], "\r~/x", False),
    (["~", "\r", "~", "."], "~\r", True),
    (["\x1b[A~"], "\x1b[A~", False),
]


@pytest.mark.parametrize(("parts", "sent", "left"), TYPED)
async def test_what_is_typed_and_what_reaches_the_program(
    parts: list[str], sent: str, left: bool
) -> None:
    typed = terminal._Typed()
    assert b"".join(typed.take(part.encode()) for part in parts) == sent.encode()
    assert typed.left is left
