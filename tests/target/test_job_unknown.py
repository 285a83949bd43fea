"""What a host has lost is said and not guessed; what never started is known; clocks lie."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.target import Local
from tests.lab.fixtures import not_tested
from tests.target.ground import collect, leave, run, until

pytestmark = pytest.mark.anyio


@dataclass
class Machine:
    """A host whose power can be cut: processes of its own, a disk that stays."""

    pid_file: Path
    power: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        first = 'echo $$ > "$0"; mount -t proc proc /proc; echo up; exec sleep 1000'
        command = ["unshare", "-m", "-p", "--fork", "--kill-child", "sh", "-c"]
        self.power = subprocess.Popen(
            [*command, first, f"{self.pid_file}.inside"], stdout=subprocess.PIPE
        )
        assert self.power.stdout is not None
        assert self.power.stdout.readline() == b"up\n"
        children = Path(f"/proc/{self.power.pid}/task/{self.power.pid}/children")
        self.pid_file.write_text(children.read_text().split()[0])

    def cut_power(self) -> None:
        if self.power is not None:
            os.kill(int(self.pid_file.read_text()), 9)
            self.power.wait()


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    if os.getuid() != 0 or subprocess.run(["unshare", "-m", "-p", "--fork", "true"]).returncode:
        not_tested(request, "a host that is restarted", ["not root, or no namespaces"])
    made = Machine(tmp_path / "pid")
    made.boot()
    yield made
    made.cut_power()


@pytest.fixture(params=["dash", "bash", "busybox"])
async def restartable(
    request: pytest.FixtureRequest, machine: Machine, tmp_path: Path
) -> AsyncIterator[Local]:
    """What runs on the machine, by the shell that it has."""
    shell = {"busybox": "busybox sh"}.get(request.param, request.param)
    inside = tmp_path / "inside"
    enter = f'nsenter -t "$(cat {machine.pid_file})" -m -p -- {shell} "$@"'
    inside.write_text(f"#!/bin/sh\nexec {enter}\n")
    inside.chmod(0o755)
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    made = Local(shell=str(inside), environ=environ)
    yield made
    await made.close()


@pytest.mark.root
async def test_a_restart_is_noticed_and_nothing_is_sent_again(
    restartable: Local, machine: Machine, tmp_path: Path
) -> None:
    host, side = restartable, tmp_path / "side"
    place = await job.hello(host)
    ended, id, unsent = job.new_id(), job.new_id(), job.new_id()
    orders = {
        each: job.order(leave(command, host.name), each)
        for each, command in {
            ended: "exit 7",
            id: f"echo run >> {side}; sleep 60; echo end >> {side}",
            unsent: f"echo late >> {side}",
        }.items()
    }
    news = job.follow(host, place, ended, order=orders[ended], claimed=False, offset=0)
    assert (await collect(news)).status == 7
    news = job.follow(host, place, id, order=orders[id], claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    await until(lambda: side.exists() and side.read_text())
    await news.aclose()

    machine.cut_power()
    machine.boot()
    # What had ended before is on disk, and still so.
    news = job.follow(host, place, ended, order=None, claimed=True, offset=0)
    assert (await collect(news)).status == 7
    for claimed in (True, False):
        news = job.follow(host, place, id, order=orders[id], claimed=claimed, offset=0)
        last = (await collect(news)).last
        assert isinstance(last, job.Unknown)
        assert "was restarted while the command ran" in last.why
    news = job.follow(host, place, unsent, order=orders[unsent], claimed=False, offset=0)
    last = (await collect(news)).last
    assert isinstance(last, job.Unknown)
    assert "was restarted since the command was sent" in last.why
    assert side.read_text() == "run\n"
    # The machine as it is now takes new orders.
    anew = await job.hello(host, place.root)
    assert (anew.root, anew.mark) == (place.root, place.mark)
    assert anew.boot != place.boot
    assert (await run(host, anew, "echo hi")).output == b"hi\n"


async def test_a_root_that_was_deleted_and_made_anew_is_another_one(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    id = job.new_id()
    order = job.order(leave(f"echo run >> {tmp_path}/side; sleep 60", host.name), id)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    await until(lambda: (tmp_path / "side").exists() and (tmp_path / "side").read_text())
    pid = int(os.readlink(f"{place.root}/jobs/{id}/pid").split(":")[0])
    await news.aclose()
    shutil.rmtree(place.root)
    anew = await job.hello(host, place.root)
    assert anew.root == place.root
    assert anew.mark != place.mark
    for claimed in (True, False):
        news = job.follow(host, place, id, order=order, claimed=claimed, offset=0)
        last = (await collect(news)).last
        assert isinstance(last, job.Unknown)
        assert f"{place.root} on this machine was deleted" in last.why
    assert (tmp_path / "side").read_text() == "run\n"
    os.killpg(pid, 9)


# -- disks -----------------------------------------------------------------------------------------


@pytest.fixture
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A place for jobs with room for little."""
    where = tmp_path / "small"
    where.mkdir()
    options = "size=200k,nr_inodes=60,mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        not_tested(request, "a full disk", ["not root, or no leave to mount a tmpfs"])
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(disk: Path, what: str) -> None:
    try:
        if what == "bytes":
            with (disk / "fill").open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
        else:
            for number in range(1000):
                (disk / f"fill{number}").touch()
    except OSError:
        return
    raise AssertionError(f"{disk} took everything")


@pytest.mark.root
@pytest.mark.parametrize("what", ["bytes", "files"])
async def test_a_command_that_a_full_disk_keeps_out_is_said_never_to_have_started(
    host: Local, small: Path, tmp_path: Path, what: str
) -> None:
    place = await job.hello(host, str(small))
    assert place.root == str(small)
    fill(small, what)
    done = await run(host, place, f"touch {tmp_path}/ran")
    assert isinstance(done.last, job.Ended), done.last
    assert (done.last.how, done.claims) == ("never started", 0)
    assert "this machine could not" in done.last.why
    assert not (tmp_path / "ran").exists()


@pytest.mark.root
async def test_a_disk_that_fills_up_costs_output_and_never_the_command(
    host: Local, small: Path, tmp_path: Path
) -> None:
    place = await job.hello(host, str(small))
    command = f"seq 1 200000; echo said | cat; touch {tmp_path}/ran; exit 5"
    done = await run(host, place, command)
    assert isinstance(done.last, job.Ended)
    assert (done.last.exit_status, done.last.how, done.last.truncated) == (5, "done", True)
    assert (tmp_path / "ran").exists()
    whole = "".join(f"{number}\n" for number in range(1, 200001)).encode()
    assert len(done.output) == done.last.size > 0
    assert whole.startswith(done.output)


@pytest.mark.parametrize("home", ["missing", "unset", "a file", "relative"])
async def test_without_a_home_jobs_go_elsewhere(host: Local, tmp_path: Path, home: str) -> None:
    environ = dict(host._environ or {})
    (tmp_path / "file").touch()
    environ["HOME"] = {"a file": str(tmp_path / "file"), "relative": "here"}.get(home, "/no/such")
    if home == "missing" and os.getuid() == 0:
        environ["HOME"] = "/proc/none"  # which not even root can make
    if home == "unset":
        del environ["HOME"]
    homeless = Local(shell=host._shell, environ=environ)
    place = await job.hello(homeless)
    if home == "unset":
        # bash looks it up by itself.
        assert place.root.endswith((f"/var/tmp/cockpit-{os.getuid()}", "/.cache/cockpit"))
    else:
        assert place.root == f"/var/tmp/cockpit-{os.getuid()}"
    assert (await run(homeless, place, "echo hi; exit 3")).status == 3
    await homeless.close()


@pytest.mark.root
async def test_where_there_is_room_nowhere_that_is_said(
    request: pytest.FixtureRequest, host: Local, tmp_path: Path
) -> None:
    if os.getuid() != 0:
        not_tested(request, "a host with no room at all", ["not root"])
    shell = Path(host._shell).resolve()
    sh = f"{shell} sh" if shell.name == "busybox" else str(shell)
    seal = 'for d in /var/tmp /dev/shm /tmp; do mount -t tmpfs -o ro tmpfs $d; done; exec "$@"'
    script = tmp_path / "sealed"
    script.write_text(f"#!/bin/sh\nexec unshare -m sh -c '{seal}' sh {sh} \"$@\"\n")
    script.chmod(0o755)
    full = Local(shell=str(script), environ={**os.environ, "HOME": str(tmp_path)})
    with pytest.raises(job.NoPlace, match="has no directory for jobs"):
        await job.hello(full)
    await full.close()


# -- clocks ----------------------------------------------------------------------------------------


@pytest.fixture
async def mistaken(local: Local, tmp_path: Path) -> AsyncIterator[tuple[Local, Path]]:
    """A host whose clock is wrong by the seconds that stand in a file."""
    tools, wrong = tmp_path / "tools", tmp_path / "wrong"
    tools.mkdir()
    wrong.write_text("0")
    date = shutil.which("date")
    (tools / "date").write_text(
        f'#!/bin/sh\nwrong=$(cat {wrong})\nexec {date} -d "@$(($({date} +%s) + wrong))" "$@"\n'
    )
    (tools / "date").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    made = Local(environ={**(local._environ or {}), "PATH": path})
    yield made, wrong
    await made.close()


@pytest.mark.parametrize("ahead", [0, 3600, -86_400])
async def test_the_hello_tells_how_wrong_the_clock_is(
    mistaken: tuple[Local, Path], ahead: int
) -> None:
    host, wrong = mistaken
    wrong.write_text(str(ahead))
    assert (await job.hello(host)).skew == pytest.approx(ahead, abs=10)


async def test_how_long_it_took_does_not_depend_on_a_clock_that_is_set(
    mistaken: tuple[Local, Path],
) -> None:
    host, wrong = mistaken
    place = await job.hello(host)
    id = job.new_id()
    go = wrong.with_name("go")
    order = job.order(leave(f"sleep 1; until [ -e {go} ]; do sleep 0.1; done", host.name), id)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    start = time.time()
    assert await anext(news) == job.Claimed()
    wrong.write_text("-7200")
    go.touch()
    last = (await collect(news)).last
    assert isinstance(last, job.Ended)
    assert last.ended_at is not None
    assert last.ended_at < start - 3600
    assert last.seconds is not None
    assert 0.98 <= last.seconds < time.time() - start + 1


async def test_every_shell_tells_how_long_it_took(host: Local, place: job.Place) -> None:
    start = time.monotonic()
    done = await run(host, place, "sleep 1")
    assert isinstance(done.last, job.Ended)
    assert done.last.seconds is not None
    assert 0.98 <= done.last.seconds <= time.monotonic() - start + 0.02
    assert abs(place.skew) < 10
