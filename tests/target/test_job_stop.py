"""A stop ends all of a job that it may end, says the truth about the rest, and says it again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.ssh import SshTarget
from cockpit.target.target import Local, Target
from tests import processes
from tests.lab.fixtures import StartSshd, not_tested
from tests.lab.sshd import Account
from tests.target.ground import collect, leave, until

pytestmark = pytest.mark.anyio

News = AsyncGenerator[job.Claimed | job.Output | job.Ended | job.Unknown, None]

STUBBORN = "trap 'echo asked' TERM; echo up; while :; do sleep 0.2; done"


@pytest.fixture
async def bare(host: Local, tmp_path: Path) -> AsyncIterator[Local]:
    """The host without setsid(1), where a command has no process group of its own."""
    assert host._environ is not None
    tools = tmp_path / "bin"
    for folder in host._environ["PATH"].split(":")[1:]:
        for tool in Path(folder).glob("*"):
            if not (tools / tool.name).is_symlink() and tool.name != "setsid":
                (tools / tool.name).symlink_to(tool)
    (tools / "setsid").unlink(missing_ok=True)
    made = Local(shell=host._shell, environ={**host._environ, "PATH": str(tools)})
    yield made
    await made.close()


async def test_what_left_the_group_is_named(host: Local, place: job.Place) -> None:
    away = "setsid sh -c 'echo up; exec sleep 60' & sleep 61"
    id, news = await begun(host, place, away)
    assert await anext(news) == job.Output(b"up\n", 0)
    stopped = await job.stop(host, place, id)
    assert stopped.how == "gently"
    assert len(stopped.left) == 1
    words = Path(f"/proc/{stopped.left[0]}/cmdline")
    await until(lambda: b"sleep\x0060" in words.read_bytes())
    # Asked again, it is still so.
    assert await job.stop(host, place, id) == stopped
    os.kill(stopped.left[0], 9)
    await until(lambda: not alive(stopped.left[0]))
    assert await job.stop(host, place, id) == job.Stopped("gently", ())
    last = (await collect(news)).last
    assert isinstance(last, job.Ended)
    assert last.how == "stopped"


async def test_a_stop_whose_answer_was_lost_is_told_again(host: Local, place: job.Place) -> None:
    gone, news = await begun(host, place, "sleep 60")
    await news.aclose()
    assert (await job.stop(host, place, gone)).how == "gently"
    assert (await job.stop(host, place, gone)).how == "gently"

    deaf, news = await begun(host, place, STUBBORN)
    assert await anext(news) == job.Output(b"up\n", 0)
    assert (await job.stop(host, place, deaf, grace_s=0)).how == "killed"
    assert (await job.stop(host, place, deaf, grace_s=0)).how == "killed"
    await news.aclose()

    over, news = await begun(host, place, "true")
    await collect(news)
    assert (await job.stop(host, place, over)).how == "was over"
    assert (await job.stop(host, place, over)).how == "was over"

    late, news = await begun(host, place, "sleep 60", timeout_s=1)
    await collect(news)
    assert (await job.stop(host, place, late)).how == "was over"


async def test_a_stop_that_was_cut_off_goes_on_where_it_was(host: Local, place: job.Place) -> None:
    id, news = await begun(host, place, STUBBORN)
    assert await anext(news) == job.Output(b"up\n", 0)
    first = asyncio.create_task(job.stop(host, place, id, grace_s=60))
    await until((folder(place, id) / "asked").is_symlink)
    first.cancel()
    await asyncio.wait([first])
    assert isinstance(await job.state(host, place, id), job.Running)
    await until(lambda: b"asked" in (folder(place, id) / "out").read_bytes())
    assert (await job.stop(host, place, id, grace_s=1)).how == "killed"
    run = await collect(news)
    # Asked once: to some programs a second time means "at once".
    assert run.output.count(b"asked") == 1


# Up once what is left behind is deaf.
DEAF_BEHIND = "(trap '' TERM; echo up; while :; do sleep 0.2; done) & sleep 60"


async def test_what_outlives_its_command_in_the_group_has_its_grace_and_is_killed(
    host: Local, place: job.Place
) -> None:
    id, news = await begun(host, place, DEAF_BEHIND)
    assert await anext(news) == job.Output(b"up\n", 0)
    assert await job.stop(host, place, id, grace_s=1) == job.Stopped("killed", ())
    assert not carrying(id)
    slow = "(trap 'sleep 1; echo gone > ~/gone; exit' TERM; echo up; while :; do sleep 0.1; done)"
    id, news = await begun(host, place, f"{slow} & sleep 60")
    assert await anext(news) == job.Output(b"up\n", 0)
    assert await job.stop(host, place, id, grace_s=30) == job.Stopped("gently", ())
    assert host._environ is not None
    assert Path(host._environ["HOME"], "gone").exists()


async def test_a_stop_goes_on_though_nobody_waits_for_it(host: Local, place: job.Place) -> None:
    id, news = await begun(host, place, DEAF_BEHIND)
    assert await anext(news) == job.Output(b"up\n", 0)
    left = asyncio.create_task(job.stop(host, place, id, grace_s=2))
    await until((folder(place, id) / "asked").is_symlink)
    left.cancel()
    await asyncio.wait([left])
    await until(lambda: not carrying(id), 30)
    assert (await job.stop(host, place, id)).how == "killed"


async def test_a_stop_whose_host_was_cut_off_is_finished_by_the_next(
    host: Local, place: job.Place
) -> None:
    id, news = await begun(host, place, DEAF_BEHIND)
    assert await anext(news) == job.Output(b"up\n", 0)
    # As one that was killed after the first half leaves it.
    (folder(place, id) / "asked").symlink_to("TERM")
    os.kill(int((folder(place, id) / "pid").readlink().name.partition(":")[0]), signal.SIGTERM)
    assert (await collect(news)).status == 143
    assert carrying(id)
    assert await job.stop(host, place, id, grace_s=0) == job.Stopped("killed", ())
    assert not carrying(id)


async def test_a_time_limit_ends_what_outlives_its_command_too(local: Local) -> None:
    id, news = await begun(local, await job.hello(local), DEAF_BEHIND, timeout_s=1)
    end = (await collect(news)).last
    assert isinstance(end, job.Ended)
    assert end.how == "timeout"
    await until(lambda: not carrying(id), 40)


async def test_without_setsid_all_of_a_job_is_found_too(bare: Local) -> None:
    place = await job.hello(bare)
    # What is forked while they are told one by one would only be killed: all is there by then.
    waits = "(sleep 60 & sleep 61 & echo up; wait) & sleep 62 & echo up; wait"
    id, news = await begun(bare, place, waits)
    await until(lambda: (folder(place, id) / "out").read_bytes() == b"up\nup\n")
    assert await job.stop(bare, place, id) == job.Stopped("gently", ())
    assert not carrying(id)
    last = (await collect(news)).last
    assert isinstance(last, job.Ended)
    assert (last.exit_status, last.how) == (143, "stopped")

    deaf, news = await begun(bare, place, f"({STUBBORN}) & {STUBBORN}")
    await anext(news)
    assert await job.stop(bare, place, deaf, grace_s=1) == job.Stopped("killed", ())
    assert not carrying(deaf)
    await news.aclose()

    late, news = await begun(bare, place, "sleep 60 & sleep 61; echo not here", timeout_s=4)
    end = (await collect(news)).last
    assert isinstance(end, job.Ended)
    assert (end.exit_status, end.how) == (143, "timeout")
    await until(lambda: not carrying(late))


async def test_a_stop_before_the_supervisor_has_begun_the_command_waits_for_it(
    host: Local, place: job.Place
) -> None:
    for _ in range(3):
        id = job.new_id()
        order = job.order(leave("sleep 60", host.name), id)
        news = job.follow(host, place, id, order=order, claimed=False, offset=0)
        assert await anext(news) == job.Claimed()
        assert (await job.stop(host, place, id)).how == "gently"
        await news.aclose()
        assert not carrying(id)


# busybox calls its own setsid, whatever is on the PATH.
@pytest.mark.parametrize("host", ["dash", "bash"], indirect=True)
async def test_a_command_that_follows_its_claim_by_seconds_is_stopped_gently_too(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    """As on a host under load."""
    go = late_setsid(tmp_path)
    id = job.new_id()
    order = job.order(leave("sleep 60", host.name), id)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    stopping = asyncio.create_task(job.stop(host, place, id))
    await until((folder(place, id) / "cancel").is_symlink)
    await asyncio.sleep(3)
    assert not (folder(place, id) / "pid").is_symlink()
    go.touch()
    assert await stopping == job.Stopped("gently", ())
    last = (await collect(news)).last
    assert isinstance(last, job.Ended)
    assert (last.exit_status, last.how) == (143, "stopped")
    assert not carrying(id)


@pytest.mark.parametrize("host", ["dash", "bash"], indirect=True)
async def test_a_command_that_follows_its_claim_after_its_time_limit_is_asked_first_too(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    go = late_setsid(tmp_path)
    id = job.new_id()
    order = job.order(leave("sleep 60", host.name), id, timeout_s=1)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    await asyncio.sleep(3)
    assert not (folder(place, id) / "pid").is_symlink()
    go.touch()
    last = (await collect(news)).last
    assert isinstance(last, job.Ended)
    assert (last.exit_status, last.how) == (143, "timeout")


def late_setsid(tmp_path: Path) -> Path:
    """Commands do not begin before that file is there."""
    slow = tmp_path / "bin" / "setsid"
    go = tmp_path / "go"
    waits = f"case $3 in *COCKPIT_JOB*) until [ -e {go} ]; do sleep 0.1; done;; esac"
    slow.write_text(f'#!/bin/sh\n{waits}\nexec {shutil.which("setsid")} "$@"\n')
    slow.chmod(0o755)
    return go


@pytest.mark.root
async def test_where_nothing_tells_of_processes_jobs_run_and_stop_all_the_same(
    request: pytest.FixtureRequest, host: Local, tmp_path: Path
) -> None:
    unshare = shutil.which("unshare")
    if os.getuid() != 0 or unshare is None:
        not_tested(request, "a host without /proc", ["not root, or no unshare"])
    shell = tmp_path / "shell"
    bare = 'mount --make-rprivate / && umount -l /proc && exec "$@"'
    shell.write_text(f"#!/bin/sh\nexec {unshare} -m sh -c '{bare}' sh {host._shell} \"$@\"\n")
    shell.chmod(0o755)
    made = Local(shell=str(shell), environ=host._environ)
    place = await job.hello(made)
    id, news = await begun(made, place, "sleep 2; echo on; exit 5")
    run = await collect(news)
    assert (run.output, run.status) == (b"on\n", 5)
    id, news = await begun(made, place, STUBBORN)
    assert await anext(news) == job.Output(b"up\n", 0)
    assert await job.stop(made, place, id, grace_s=1) == job.Stopped("killed", ())
    assert not carrying(id)
    await news.aclose()
    await made.close()


@pytest.mark.root
async def test_what_sudo_started_is_not_ours_to_end_and_that_is_said(
    request: pytest.FixtureRequest, sshd: StartSshd
) -> None:
    if os.geteuid() != 0 or shutil.which("sudo") is None:
        not_tested(request, "a stop of what sudo started", ["not root, or no sudo"])
    server = sshd(account=Account("ana", "*", "ana ALL=(root) NOPASSWD: ALL"))
    target = SshTarget("prod-1", server.host, ssh_config=server.ssh_config)
    try:
        await target.ready()
        place = await job.hello(target)
        id, news = await begun(target, place, "sudo sh -c 'echo $$; trap : TERM; sleep 60; :'")
        said = await anext(news)
        assert isinstance(said, job.Output)
        stopped = await job.stop(target, place, id, grace_s=1)
        assert stopped.how == "still running"
        assert stopped.left
        assert alive(int(said.data))
        for pid in (*stopped.left, int(said.data)):
            # With one of them others may go.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        await collect(news)
        await until(lambda: not any(map(alive, stopped.left)))
        assert (await job.stop(target, place, id)).left == ()
    finally:
        await target.close()


async def begun(
    host: Target, place: job.Place, command: str, timeout_s: int = 0
) -> tuple[job.JobId, News]:
    id = job.new_id()
    order = job.order(leave(command, host.name), id, timeout_s=timeout_s)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    await until((folder(place, id) / "pid").is_symlink)
    return id, news


def folder(place: job.Place, id: job.JobId) -> Path:
    return Path(place.root) / "jobs" / id


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def carrying(id: str) -> list[int]:
    """Live processes with the cookie of a job."""
    found = []
    for path in processes.files("environ"):
        try:
            if id.encode() in path.read_bytes() and alive(int(path.parent.name)):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
