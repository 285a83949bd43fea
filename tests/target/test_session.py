"""What a command leaves for the next one of its runbook: all of it, exactly, or the next one stops.

Every command is a job of its own. Each test is run with dash, bash and busybox as the host's shell.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.target import job, session
from cockpit.target.ssh import SshTarget
from cockpit.target.target import Channel, Local, Target
from tests.target import ground
from tests.target.ground import collect, leave, until

pytestmark = pytest.mark.anyio


class Book:
    """The commands of one runbook on a host, each after the one before it."""

    def __init__(self, target: Target, place: job.Place) -> None:
        self.target = target
        self.place = place
        self.reads = ""
        self.left: session.Kept | session.Lost | None = None

    async def run(self, command: str, *, keeps: bool = True) -> ground.Run:
        id = job.new_id()
        into = f"{self.place.root}/jobs/{id}"
        carry = session.Carry(self.reads, into, keeps)
        order = job.order(leave(command, self.target.name), id, carry=carry)
        news = job.follow(self.target, self.place, id, order=order, claimed=False, offset=0)
        run = await collect(news)
        assert isinstance(run.last, job.Ended)
        self.left = run.last.left
        if isinstance(self.left, session.Kept):
            self.reads = session.state_file(into)
        return run

    async def says(self, command: str) -> str:
        return (await self.run(command)).output.decode()

    @property
    def kept(self) -> session.Kept:
        assert isinstance(self.left, session.Kept), self.left
        return self.left


@pytest.fixture
def book(host: Local, place: job.Place, request: pytest.FixtureRequest) -> Book:
    if "dash" in request.node.name:  # cockpit prefers bash where the host has it
        place = replace(place, interp="sh")
    return Book(host, place)


async def test_directory_and_variables_carry_over(book: Book, tmp_path: Path) -> None:
    there = tmp_path / "it's here"
    there.mkdir()
    await book.run(f'cd "{there}"; POD=web-1; export REGION="eu west"')
    assert book.kept == session.Kept(str(there), ("REGION", "POD"))
    assert await book.says('pwd; echo "$POD, $REGION"') == f"{there}\nweb-1, eu west\n"
    # Exported is exported, and plain is plain.
    assert await book.says("env | grep -c REGION; env | grep -c POD || true") == "1\n0\n"
    await book.run("cd /; unset POD; REGION=us")
    assert book.kept == session.Kept("/", ("REGION",))
    assert await book.says('echo "${POD-unset}"; env | grep REGION') == "unset\nREGION=us\n"
    assert await book.says("cd - >/dev/null; pwd") == f"{there}\n"


async def test_a_variable_of_the_host_may_be_changed_and_unset(book: Book) -> None:
    await book.run("PATH=/opt/none:$PATH; unset LANG")
    assert book.kept.variables == ("PATH",)
    said = await book.says('case $PATH in /opt/none:*) echo first;; esac; echo "${LANG-unset}"')
    assert said == "first\nunset\n"


VALUES = {
    "quotes": r"""it's "quoted" `id` $HOME \n \\""",
    "lines": "one\n\n  two\nexport FALSE=1\ndeclare -x FALSE='1'\n\n",
    "bytes": "é 日本 \udcff\udc81\udc88 \u202e\t\x1b[1m",
    "long": "ab'c" * 25_000,
    "looks like an option": "-n",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_a_value_carries_over_byte_for_byte(book: Book, value: str, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(value.encode(errors="surrogateescape"))
    await book.run(f'P=$(cat {file}; echo x); P="${{P%x}}"; E=$P; export E')
    assert book.kept.variables == ("E", "P")
    for _ in range(2):  # and once more, from what was carried over
        out = await book.run(f'printf %s "$P" > {file}.p; printf %s "$E" > {file}.e; echo ok')
        assert (out.output, out.status) == (b"ok\n", 0)
        assert Path(f"{file}.p").read_bytes() == file.read_bytes()
        assert Path(f"{file}.e").read_bytes() == file.read_bytes()


async def test_an_exported_value_with_which_no_program_can_be_started_carries_over(
    book: Book,
) -> None:
    await book.run("N=$(printf %0200000d 1); P=plain; export N")
    assert await book.says('echo "${#N} $P"; unset N') == "200000 plain\n"
    assert await book.says('echo "${N-unset} $P"') == "unset plain\n"


@pytest.mark.parametrize("name", ["cd", "echo", "pwd", "printf", "sed", "rm"])
async def test_a_function_called_like_a_program_spoils_nothing(
    book: Book, name: str, tmp_path: Path
) -> None:
    await book.run(f'cd {tmp_path}; {name}() {{ command true wrong; }}; X="it\'s"')
    assert book.kept == session.Kept(str(tmp_path), ("X",))
    assert await book.says('pwd; echo "$X"') == f"{tmp_path}\nit's\n"


async def test_an_empty_variable_is_not_named_as_one_that_is_there(book: Book) -> None:
    await book.run("POD=$(true); export DIR=; FULL=x")
    assert book.kept.variables == ("FULL",)
    assert await book.says('echo "${POD-unset}${DIR-unset}"') == "\n"


ENDINGS = [
    "exit 3",
    "false",
    "set -e; false; echo not here",
    "set -eux; cd /; false",
    "set -u; X=1; echo $NOT_SET; echo not here",
    "set -f -C; IFS=,; PATH=/nowhere; X=1",
    "readonly R=1; export R; exit 4",
    "kill -TERM $$; echo not here",
    "kill -INT $$; echo not here",
    "kill -KILL $$",
    "trap 'echo bye $?' EXIT; X=1; exit 5",
    "trap 'echo bye $?; exit 6' EXIT; exit 5",
    "trap 'echo bye $?' EXIT; set -e; X=1; false",
    "trap 'echo bye' 0; (trap 'echo inner' EXIT; exit 2); echo $?",
    "trap 'echo caught' TERM; kill -TERM $$; echo on",
    "trap 'echo bye' EXIT; trap - EXIT; exit 7",
    "trap '' EXIT; exit 8",
    "exec echo replaced",
    "exec 2>&1; echo to both >&2",
    "exec >&-; exec 2>&-; exit 9",
    "no-such-command",
    "echo a; if then fi",
    "echo 'never closed",
    "cat <<E\nno end $((1+1))",
    "cat <<'E'\n$it's\nE",
    "cat; echo $#; echo $?",
    "echo two \\\nlines # and a comment",
    "printf 'no newline'",
    "(exit 3) || echo $?; ! true",
    "f() { local X=1; return 12; }; f",
    "sleep 0.01 & wait; echo waited",
    "umask; ulimit -f 0; echo x > file; exit 3",
]


NOT_KEPT = ("kill", "exec echo", "umask; ulimit", "echo 'never", "echo a; if", "set -u; X=1")
"""Where a shell may end, or give up, without doing its trap; or runs nothing at all."""


@pytest.mark.parametrize("command", ENDINGS)
async def test_a_command_ends_as_it_would_without_a_session_and_leaves_what_it_did(
    book: Book, command: str
) -> None:
    command = f"cd /usr; A=1; export B=2\n{command}"
    # bash counts lines from the script, where the session takes the first one.
    id = job.new_id()
    order = job.order(leave(f"\n{command}", book.target.name), id)
    plain = await collect(
        job.follow(book.target, book.place, id, order=order, claimed=False, offset=0)
    )
    await book.run("true")
    run = await book.run(command)
    assert (run.output, run.status) == (plain.output, plain.status)
    if not command.partition("\n")[2].startswith(NOT_KEPT):
        assert book.kept.directory in ("/usr", "/")
        assert {"A", "B"} <= set(book.kept.variables)
        assert (await book.says('/bin/pwd; echo "$A$B"')).endswith("\n12\n")


async def test_one_that_runs_beside_finds_what_is_there_and_leaves_nothing(book: Book) -> None:
    await book.run("cd /usr; A=1")
    before = book.reads
    beside = await book.run("pwd; echo $A; cd /; A=2", keeps=False)
    assert (beside.output, book.left, book.reads) == (b"/usr\n1\n", None, before)
    assert await book.says("pwd; echo $A") == "/usr\n1\n"


async def test_without_its_state_the_command_is_not_run(book: Book, tmp_path: Path) -> None:
    await book.run("cd /usr; A=1")
    Path(book.reads).unlink()
    run = await book.run(f"touch {tmp_path}/ran")
    assert run.status == session.NOT_RUN
    assert b"left on this host is gone; the command was not run" in run.output
    assert isinstance(book.left, session.Lost)
    assert book.left.not_run
    assert not (tmp_path / "ran").exists()


async def test_half_a_state_is_none(book: Book, tmp_path: Path) -> None:
    await book.run("cd /usr; A=1; B='two\nlines'")
    whole = Path(book.reads).read_bytes()
    for size in range(0, len(whole) - 1, 7):
        Path(book.reads).write_bytes(whole[:size])
        run = await book.run(f"touch {tmp_path}/ran")
        assert run.status != 0
        assert not (tmp_path / "ran").exists()


async def test_without_its_directory_the_command_is_not_run(book: Book, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    await book.run(f"cd {tmp_path}/there")
    (tmp_path / "there").rmdir()
    run = await book.run(f"touch {tmp_path}/ran")
    assert run.status == session.NOT_RUN
    assert f"the directory {tmp_path}/there".encode() in run.output
    assert isinstance(book.left, session.Lost)
    assert not (tmp_path / "ran").exists()


async def test_a_directory_with_any_name_carries_over(book: Book, tmp_path: Path) -> None:
    there = tmp_path / " -two\nlines' $x"
    there.mkdir()
    (tmp_path / "name").write_text(str(there))
    await book.run(f'cd -- "$(cat {tmp_path}/name)"; touch first')
    assert book.kept.directory == str(there).replace("\n", "?")
    await book.run("touch second")
    assert {file.name for file in there.iterdir()} == {"first", "second"}


async def test_what_is_left_is_for_the_owner_alone_and_not_for_ever(
    book: Book, host: Local
) -> None:
    await book.run("umask 000; PASSWORD=hunter2")
    state = Path(book.reads)
    assert state.stat().st_mode & 0o777 == 0o600
    assert (state.parent / "kept").read_text().startswith("kept=PASSWORD cwd=")
    await job.hello(host)
    assert state.exists()
    old = time.time() - 5 * 86_400
    os.utime(state, (old, old))
    await job.hello(host)
    await until(lambda: not state.exists())


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A place for jobs where nothing but an empty file fits any more."""
    where = tmp_path / "small"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k,mode=700", "tmpfs", str(where)]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root and leave to mount a tmpfs")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


@pytest.mark.root
async def test_a_full_disk_costs_what_carries_over_and_not_the_command(
    host: Local, full_disk: Path
) -> None:
    book = Book(host, await job.hello(host, str(full_disk)))
    assert book.place.root == str(full_disk)
    run = await book.run(f"cd /usr; dd if=/dev/zero of={full_disk}/fill bs=1024 2>/dev/null; A=1")
    assert run.status == 0
    assert book.left == session.Lost("it could not be stored on the host: is its disk full?", False)
    assert not list(full_disk.glob("jobs/*/state"))


# On the wire


async def test_over_ssh_the_session_costs_no_round_trip(ssh: SshTarget) -> None:
    await ssh.ready()
    place = await job.hello(ssh)
    calls: list[str] = []
    shell = ssh.shell

    async def counted() -> Channel:
        calls.append("shell")
        return await shell()

    ssh.shell = counted  # type: ignore[method-assign]
    book = Book(ssh, place)
    await book.run("cd /usr; A=1")
    assert await book.says("pwd; echo $A") == "/usr\n1\n"
    assert book.kept == session.Kept("/usr", ("A",))
    assert calls == ["shell", "shell"]


# What is known beforehand


@pytest.mark.parametrize(
    "command",
    [
        "cd /x",
        "if cd /x; then ls; fi",
        "A=1",
        "export A",
        "for i in a b; do :; done",
        ". ./env",
        "x && source y",
        "pushd /",
        ": ${DIR:=/srv}",
        "case $x in a) . ./env;; esac",
    ],
)
def test_a_command_that_leaves_something_is_known(command: str) -> None:
    assert session.changes(command)


@pytest.mark.parametrize(
    "command",
    [
        "ls /cdrom",
        "find . -name x",
        "docker logs -f web",
        "curl -s http://localhost/cdn | grep -c exported",
    ],
)
def test_a_command_that_leaves_nothing_is_known(command: str) -> None:
    assert not session.changes(command)


@pytest.mark.parametrize(
    ("command", "running", "waits"),
    [
        ("df -h", "for i in 1 2; do sleep 1; done", False),
        ("echo $i", "for i in 1 2; do sleep 1; done", True),
        ("cd /", "for i in 1 2; do sleep 1; done", True),
        ("df -h", "for i in 1 2; do last=$i; done", True),
        ("df -h", "for i in 1 2; do cd /; done", True),
        ("df -h", "for HOST in a b; do sleep 1; done", True),
        ("df -h", "sleep 9; cd /srv", True),
        ("cd /", "sleep 9", False),
    ],
)
def test_which_command_may_miss_what_one_that_runs_will_leave(
    command: str, running: str, waits: bool
) -> None:
    assert session.waits_for(command, running) is waits


def test_the_shells_are_there() -> None:
    missing = [name for name in ("dash", "bash", "busybox") if not shutil.which(name)]
    if missing:
        pytest.skip(f"not tested with {', '.join(missing)}: not installed here")
