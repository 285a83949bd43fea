"""Commands, outputs and hosts as nobody would wish for: they work, or a plain sentence says why."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import LinkDown, Local
from tests.lab.fixtures import not_tested
from tests.target.ground import SSHD, Lab, Sshd, collect, free_port, leave, run, until

pytestmark = pytest.mark.anyio

BIG_MB = int(os.environ.get("COCKPIT_BIG_MB", "100"))
"""Output of the command that prints too much; by hand, 1024."""


# -- commands --------------------------------------------------------------------------------------


async def test_a_script_of_a_megabyte_arrives_whole(host: Local, place: job.Place) -> None:
    lines = [f"x='{n} \"it`s\" $HOME \\\\ é 日本 \U0001f525'" for n in range(36_000)]
    command = "\n".join([*lines, 'printf %s "$x"'])
    size = len(command.encode())
    assert size > 1_000_000
    done = await run(host, place, command)
    assert (done.output.decode(), done.status) == (lines[-1][3:-1], 0)


async def test_bytes_that_are_no_text_arrive_as_they_are(host: Local, place: job.Place) -> None:
    command = b"printf %s '\xff\xfe caf\xe9 \x80\x81\x88' | cat".decode(errors="surrogateescape")
    assert (await run(host, place, command)).output == b"\xff\xfe caf\xe9 \x80\x81\x88"


async def test_what_ends_a_script_early_ends_nothing_else(host: Local, place: job.Place) -> None:
    for command in (
        "echo 'open",
        "cat <<E\nto the end",
        "=END=",
        "exit 4 #\\",
        "}\n)",
        "echo a \\",
    ):
        done = await run(host, place, command)
        assert done.claims == 1
        assert isinstance(done.last, job.Ended)
        assert done.last.how == "done"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo one\necho \0two", r"NUL byte \(in line 2\)"),
        ("\0", r"NUL byte \(in line 1\)"),
        ("echo \ud800", r"half a character \(U\+D800\)"),
    ],
)
def test_what_no_shell_can_be_given_is_refused(command: str, why: str) -> None:
    with pytest.raises(job.Unsendable, match=why):
        job.order(leave(command, "prod-1"), job.new_id())
    with pytest.raises(job.Unsendable, match="NUL byte"):
        job.order(leave("true", "prod-1"), job.new_id(), workdir="/tmp/\0")


# -- output ----------------------------------------------------------------------------------------


async def test_more_output_than_is_kept_is_cut_and_takes_no_memory(local: Local) -> None:
    place = await job.hello(local)
    command = f"head -c {BIG_MB}M /dev/zero | tr '\\000' x; echo end >&2; exit 6"
    order = job.order(leave(command, local.name), id := job.new_id())
    received, before = 0, memory()
    async for item in job.follow(local, place, id, order=order, claimed=False, offset=0):
        if isinstance(item, job.Output):
            assert item.offset == received
            received += len(item.data)
    assert isinstance(item, job.Ended)
    assert (item.exit_status, item.how, item.truncated) == (6, "done", True)
    assert received == item.size == order.limit_kib * 1024 < BIG_MB << 20
    grown = memory(peak=True) - before
    print(f"\n{BIG_MB} MB of output: {grown / 1e6:.1f} MB of memory")
    assert grown < 32e6


async def test_binary_output_comes_back_to_the_byte(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    data = os.urandom(1_000_000) + b"\0\r\n\x1b]52;c;\x07@ck data \nno newline at the end"
    (tmp_path / "data").write_bytes(data)
    done = await run(host, place, f"cat {tmp_path}/data; cat {tmp_path}/data >&2")
    assert hashlib.sha256(done.output).digest() == hashlib.sha256(data * 2).digest()


async def test_half_a_million_lines_come_back(host: Local, place: job.Place) -> None:
    count = 500_000
    done = await run(host, place, f"seq 1 {count}; exit 2")
    assert done.status == 2
    assert done.output == b"".join(b"%d\n" % number for number in range(1, count + 1))
    assert isinstance(done.last, job.Ended)
    assert done.last.seconds is not None
    # A hundred thousand and more on a machine that does nothing else.
    assert count / max(done.last.seconds, 0.01) > 10_000


def memory(peak: bool = False) -> int:
    """Bytes of memory that this process has, or had at most since it was asked for the former."""
    status = Path("/proc/self/status").read_text()
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in status.splitlines() if line.startswith(("VmRSS", "VmHWM")[peak]))
    return int(line.split()[1]) * 1024


# -- login shells ----------------------------------------------------------------------------------


class Login(Sshd):
    """A server on which we have another login shell."""

    shell: Path

    def start(self) -> None:
        super().start()  # it makes the keys and the configuration
        self.stop()
        ours = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
        for line in ours:
            if line[2] == str(os.getuid()):
                line[6] = str(self.shell)
        passwd = self.home / "passwd"
        passwd.write_text("".join(":".join(line) + "\n" for line in ours))
        passwd.chmod(0o644)
        bind = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'
        assert SSHD is not None
        server = [SSHD, "-D", "-e", "-f", str(self.home / "sshd_config")]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", bind, "sh", str(passwd), *server], stderr=log
            )


@pytest.fixture
async def login(
    request: pytest.FixtureRequest, lab: Lab, tmp_path: Path
) -> AsyncIterator[SshTarget]:
    """A host with the login shell of the parameter: a program, or a script."""
    wanted = str(request.param)
    shell = Path(shutil.which(wanted) or tmp_path / "login")
    if os.getuid() != 0 or (wanted.isalpha() and not shell.exists()):
        not_tested(request, "other login shells", [f"not root, or no {wanted}"])
    if not wanted.isalpha():
        tmp_path.chmod(0o755)
        shell.write_text(wanted)
        shell.chmod(0o755)
    home = tmp_path / "server"
    home.mkdir()
    server = Login(home, free_port(), lab.user_key)
    server.shell = shell
    server.start()
    config = lab.config(
        f"Host prod-1\n  HostName 127.0.0.1\n  Port {server.port}", known=server.known_line()
    )
    target = SshTarget("prod-1", "prod-1", ssh_config=config)
    await target.open()
    yield target
    await target.close()
    server.stop()


BANNER = """#!/bin/sh
echo "*** prod: all is logged ***"; echo "@ck nothing here" >&2; printf 'no newline \\377'
exec /bin/sh "$@"
"""
FAILS = """#!/bin/sh
case $2 in *"/bin/sh -s"*) echo "cannot fork, too many processes" >&2; exit 1;; esac
exec /bin/sh "$@"
"""


@pytest.mark.root
@pytest.mark.parametrize("login", ["fish", BANNER], ids=["fish", "banner"], indirect=True)
async def test_another_login_shell_changes_nothing(login: SshTarget, tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        await login.ready()
        place = await job.hello(login)
        done = await run(login, place, "x='a b'; echo \"$x\" $((1 + 1)); printf end; exit 9")
        assert (done.output, done.status) == (b"a b 2\nend", 9)
        id = job.new_id()
        order = job.order(leave("sleep 60", login.name), id)
        news = job.follow(login, place, id, order=order, claimed=False, offset=0)
        assert await anext(news) == job.Claimed()
        assert (await job.stop(login, place, id)).how == "gently"
        assert (await collect(news)).status == 143
    # Nothing in a shell's history either.
    kept = [path for path in (tmp_path / "server").rglob("*") if "hist" in path.name]
    assert not [path for path in kept if path.is_file() and b"/bin/sh" in path.read_bytes()]


@pytest.mark.root
@pytest.mark.parametrize("login", [FAILS], ids=["fails"], indirect=True)
async def test_a_login_shell_that_fails_is_quoted(login: SshTarget) -> None:
    async with asyncio.timeout(60):
        await login.ready()
        for asked in (job.hello(login), job.state(login, PLACE, job.new_id())):
            with pytest.raises(LinkDown) as down:
                await asked
            assert 'status 1 and said "cannot fork, too many processes"' in str(down.value)
            assert "Try: ssh prod-1 /bin/sh -c date" in str(down.value)


PLACE = job.Place("/tmp/none", "boot", "mark", 0, "sh")


# -- hosts -----------------------------------------------------------------------------------------


@pytest.fixture(params=["dash", "bash", "busybox"])
async def noexec(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Local]:
    """A host where no file in the home or a temporary directory may be run."""
    if os.getuid() != 0:
        not_tested(request, "a host with noexec homes", ["not root"])
    mounts = "for d in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o noexec,mode=1777 t $d; done"
    kept = subprocess.Popen(  # noqa: ASYNC220
        ["unshare", "-m", "sh", "-c", f"{mounts}; mkdir /tmp/home; echo up; exec sleep 1000"],
        stdout=subprocess.PIPE,
    )
    assert kept.stdout is not None
    assert kept.stdout.readline() == b"up\n"
    shell = {"busybox": "busybox sh"}.get(request.param, request.param)
    inside = tmp_path / "inside"
    inside.write_text(f'#!/bin/sh\nexec nsenter -t {kept.pid} -m -- {shell} "$@"\n')
    inside.chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "HOME": "/tmp/home"}
    made = Local(shell=str(inside), environ=environ)
    yield made
    await made.close()
    kept.kill()
    kept.wait()


@pytest.mark.root
async def test_where_nothing_may_be_executed_jobs_run_all_the_same(noexec: Local) -> None:
    place = await job.hello(noexec)
    assert place.root == "/tmp/home/.cache/cockpit"
    command = "echo hi; printf '#!/bin/sh\\n' > ~/x; chmod 755 ~/x; ~/x; echo $?; exit 3"
    done = await run(noexec, place, command)
    assert b"ermission denied" in done.output
    assert done.output.startswith(b"hi\n")
    assert done.output.endswith(b"126\n")
    assert done.status == 3


@pytest.fixture
def poor(host: Local, tmp_path: Path) -> Iterator[Local]:
    """The host with nothing that POSIX does not promise: no mktemp, no setsid, no sums but one."""
    assert host._environ is not None
    if "busybox" in os.readlink(host._shell):
        yield host
        return
    tools = tmp_path / "bin"
    names = "cat cksum chmod cut date dd env find grep head id kill ln ls mkdir mv ps pwd rm rmdir"
    for name in f"{names} sed sleep tail touch tr true wc seq".split():
        tool = shutil.which(name)
        assert tool is not None
        (tools / name).symlink_to(tool)
    yield Local(shell=host._shell, environ={**host._environ, "PATH": str(tools)})


async def test_a_host_that_has_little_is_enough(poor: Local, tmp_path: Path) -> None:
    place = await job.hello(poor)
    missing = "command -v mktemp || echo none"
    assert (await run(poor, place, missing)).output in (b"none\n", b"mktemp\n")
    id = job.new_id()
    # Nothing is begun any more while they are told one by one to end.
    waits = f"sleep 60 & sleep 61 & touch {tmp_path}/up; wait"
    order = job.order(leave(waits, poor.name), id)
    news = job.follow(poor, place, id, order=order, claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    await until((tmp_path / "up").exists)
    assert await job.stop(poor, place, id) == job.Stopped("gently", ())
    again = await collect(job.follow(poor, place, id, order=None, claimed=True, offset=0))
    assert again.status == 143
    await news.aclose()
