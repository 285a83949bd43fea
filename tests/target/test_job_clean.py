"""What jobs leave on a host: private while it is there, seven days of it, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.job_call import library
from cockpit.target.target import Local
from tests.processes import files
from tests.target.ground import collect, leave, run, until

pytestmark = pytest.mark.anyio

DAY = 86_400
News = AsyncGenerator[job.Claimed | job.Output | job.Ended | job.Unknown, None]


async def test_all_of_a_job_is_for_its_owner_alone(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    old = os.umask(0)
    try:
        id, news = begun(host, place, "touch ran; umask; sleep 30")
        await anext(news)
        await anext(news)
        root = Path(place.root)
        found = [path for path in root.rglob("*") if not path.is_symlink()]
        assert {path.name.partition(".")[0] for path in found} >= {"jobs", id, "out", "pending"}
        for path in [root, *found]:
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
        assert (tmp_path / "ran").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(old)
        await news.aclose()
        await job.stop(host, place, id)


async def test_the_command_is_in_no_process_table_and_no_file(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    secret = "hunter2-in-the-script"
    id, news = begun(host, place, f": {secret}; echo ready; sleep 30; : {secret}")
    await anext(news)
    await anext(news)
    for name in ("cmdline", "environ"):
        shown = [read(path) for path in files(name)]
        assert any(id.encode() in each for each in shown)
        assert not [each for each in shown if secret.encode() in each]
    # Read by the shell, and removed: not for the time that it runs, nor for seven days.
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or path.is_symlink() or secret.encode() not in path.read_bytes()
    await news.aclose()
    await job.stop(host, place, id)


async def test_nothing_but_its_record_is_left(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    tools = {*tmp_path.iterdir()} - {tmp_path / ".cache"}
    assert tools == {tmp_path / "bin"}
    id = job.new_id()
    order = job.order(leave("echo out; exit 3", host.name), id, timeout_s=60)
    # Sent by four at once: three supervisors find that it runs already.
    await asyncio.gather(
        *(
            collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
            for _ in range(4)
        )
    )
    await until(lambda: not processes(id))
    root = Path(place.root)
    await until(lambda: not list(root.glob("jobs/*/s.*")))
    left = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    done = [name for name in left if "/done.3." in name]
    assert left == sorted(
        [
            "jobs",
            "jobs/mark",
            f"jobs/{id}",
            *(f"jobs/{id}/{n}" for n in ("claim", "out", "pid")),
            *done,
        ]
    )
    assert len(done) == 1
    assert {*tmp_path.iterdir()} == tools | {tmp_path / ".cache"}


async def test_an_ended_job_goes_after_seven_days(host: Local, place: job.Place) -> None:
    old, young = await ended(host, place), await ended(host, place)
    age(place, old, 8)
    age(place, young, 6)
    assert await job.hello(host) == place
    await until(lambda: not folder(place, old).exists())
    assert (await job.state(host, place, young)).exit_status == 0  # type: ignore[union-attr]
    for claimed in (True, False):
        # Also where nobody knows that it was launched: it is not taken for one that never ran.
        asked = await collect(job.follow(host, place, old, order=None, claimed=claimed, offset=0))
        assert isinstance(asked.last, job.Unknown)
        assert "for 7 days after its end, and this one is gone by now" in asked.last.why
        assert isinstance(await job.state(host, place, old), job.Unknown)
    assert (await job.stop(host, place, old)).how == "was over"


async def test_an_order_that_comes_after_its_job_was_swept_is_not_run(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    id = job.new_id()
    order = job.order(leave(f"echo run >> {tmp_path}/side", host.name), id)
    await collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
    age(place, id, 8)
    sweep(host, place)
    assert not folder(place, id).exists()
    late = await collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
    assert isinstance(late.last, job.Unknown)
    assert (tmp_path / "side").read_text() == "run\n"


async def test_what_runs_is_never_swept(host: Local, place: job.Place) -> None:
    running, news = begun(host, place, "sleep 60")
    orphan, other = begun(host, place, "sleep 60")
    behind = job.new_id()
    order = job.order(leave("sleep 60 & exit 4", host.name), behind)
    held = await collect(job.follow(host, place, behind, order=order, claimed=False, offset=0))
    assert held.status == 4
    for each in (news, other):
        await anext(each)
        await each.aclose()
    for id in (running, orphan):
        await until((folder(place, id) / "pid").is_symlink)
    os.killpg(int(os.readlink(folder(place, orphan) / "claim").split(":")[0]), 9)
    over = await ended(host, place)
    for id in (running, orphan, behind, over):
        age(place, id, 30)
    sweep(host, place)
    assert not folder(place, over).exists()
    for id in (running, orphan):
        assert isinstance(await job.state(host, place, id), job.Running)
        assert (await job.stop(host, place, id)).how == "gently"
    assert (await job.state(host, place, behind)).exit_status == 4  # type: ignore[union-attr]
    for pid in processes(behind):
        # With one of them others may go.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 15)


async def test_a_clock_that_was_set_sweeps_nothing_too_early(host: Local, place: job.Place) -> None:
    id = await ended(host, place)
    # The files say last month, the clock that nobody sets says just now.
    old = time.time() - 30 * DAY
    os.utime(folder(place, id), (old, old))
    sweep(host, place)
    assert (await job.state(host, place, id)).exit_status == 0  # type: ignore[union-attr]


async def test_what_an_earlier_boot_left_goes_too(host: Local, place: job.Place) -> None:
    lost, abandoned = job.new_id(), job.new_id()
    folder(place, lost).mkdir(parents=True)
    (folder(place, lost) / "claim").symlink_to("1:2:another-boot:nonce")
    assert (await job.stop(host, place, abandoned)).how == "never started"
    (Path(place.root) / "swept.another-boot").mkdir()
    (Path(place.root) / "swept.another-boot" / "someone").touch()
    for id in (lost, abandoned):
        age(place, id, 8)
    sweep(host, place)
    assert [path.name for path in Path(place.root).glob("jobs/*")] == ["mark"]
    assert [path.name for path in Path(place.root).glob("swept.*")] == [f"swept.{place.boot}"]


async def test_five_hundred_old_jobs_do_not_hold_up_a_hello(host: Local, place: job.Place) -> None:
    for number in range(500):
        old = folder(place, job.JobId(f"old-{number}"))
        old.mkdir(parents=True)
        (old / "claim").symlink_to("1:2:another-boot:nonce")
        (old / "done.0.1700000000.1.00-2.00").touch()
        (old / "out").write_text("out\n")
        age(place, job.JobId(old.name), 8)
    start = time.monotonic()
    assert await job.hello(host) == place
    assert time.monotonic() - start < 30
    # A job does not wait for the sweep either, which ends by itself after a hundred.
    assert (await run(host, place, "echo hi")).output == b"hi\n"
    jobs = Path(place.root) / "jobs"
    await until(lambda: len(list(jobs.glob("old-*"))) <= 400, 60)
    # Two hellos so far, and the sweep of the first may have begun late.
    assert len(list(jobs.glob("old-*"))) >= 300
    for _ in range(4):
        sweep(host, place)
    assert not list(Path(place.root).glob("jobs/old-*"))


def begun(host: Local, place: job.Place, command: str) -> tuple[job.JobId, News]:
    id = job.new_id()
    order = job.order(leave(command, host.name), id)
    return id, job.follow(host, place, id, order=order, claimed=False, offset=0)


async def ended(host: Local, place: job.Place) -> job.JobId:
    id, news = begun(host, place, "true")
    assert (await collect(news)).status == 0
    await until(lambda: list(folder(place, id).glob("done.*")))
    return id


def folder(place: job.Place, id: job.JobId) -> Path:
    return Path(place.root) / "jobs" / id


def age(place: job.Place, id: job.JobId, days: float) -> None:
    """Make a job look as it would after so many days, on a host whose clock is right."""
    for done in folder(place, id).glob("done.*-*"):
        # No test waits a week for the other clock: as if it had not been there.
        done.rename(done.with_name(".".join(done.name.split(".")[:3])))
    then = time.time() - days * DAY
    os.utime(folder(place, id), (then, then))


def sweep(host: Local, place: job.Place) -> None:
    """What a hello sets going, until it has ended."""
    call = library() + f"ck_sweep {place.root}\n".encode()
    subprocess.run([host._shell, "-s"], input=call, env=host._environ, check=True)


def processes(id: str) -> list[int]:
    """Whatever runs for a job: the command by its cookie, the rest by its arguments."""
    return [
        int(path.parent.name)
        for name in ("cmdline", "environ")
        for path in files(name)
        if id.encode() in read(path)
    ]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
