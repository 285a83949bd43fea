"""A job runs at most once, gives back every byte, and ends when it is told to, in every shell."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.target import job
from cockpit.target.target import Local
from tests import processes
from tests.target.ground import collect, leave, run, until

pytestmark = pytest.mark.anyio


async def test_the_hello_says_where_jobs_live(host: Local, tmp_path: Path) -> None:
    place = await job.hello(host)
    has_bash = not (tmp_path / "bin" / "setsid").exists()
    assert place.interp == ("bash" if has_bash else "sh")
    assert place.root == str(tmp_path / ".cache" / "cockpit")
    assert Path(place.root).stat().st_mode & 0o777 == 0o700
    assert place.uid == os.getuid()
    assert await job.hello(host) == place
    assert await job.hello(host, place.root) == place
    elsewhere = await job.hello(host, str(tmp_path / "other"))
    assert elsewhere.root == str(tmp_path / "other")
    assert elsewhere.mark not in ("", place.mark)
    (tmp_path / "a file").touch()
    assert await job.hello(host, str(tmp_path / "a file")) == place


@pytest.mark.parametrize(
    ("command", "status"),
    [("true", 0), ("false", 1), ("exit 37", 37), ("no-such-command", 127), ("kill -TERM $$", 143)],
)
async def test_the_exit_status_is_told(
    host: Local, place: job.Place, command: str, status: int
) -> None:
    done = await run(host, place, command)
    assert done.status == status
    assert done.claims == 1
    assert isinstance(done.last, job.Ended)
    assert done.last.how == "done"
    assert done.last.ended_at is not None


async def test_every_byte_comes_back(host: Local, place: job.Place) -> None:
    script = r"""printf 'caf\303\251 \377\376\r\n'; printf 'err\n' >&2; printf 'no newline \001'"""
    done = await run(host, place, script)
    assert done.output == b"caf\xc3\xa9 \xff\xfe\r\nerr\nno newline \x01"


async def test_the_command_arrives_as_it_was_written(host: Local, place: job.Place) -> None:
    command = "cat <<'E'\nit's \"quoted\" $HOME `x` \\n é 日本\nE\necho 'two\nlines'  # a comment"
    done = await run(host, place, command)
    assert done.output.decode() == 'it\'s "quoted" $HOME `x` \\n é 日本\ntwo\nlines\n'


async def test_the_command_finds_an_ordinary_world(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    old = os.umask(0o027)
    try:
        done = await run(host, place, "cat; umask; pwd; echo $#; kill -INT $$; echo not here")
    finally:
        os.umask(old)
    assert done.output.decode() == f"0027\n{tmp_path}\n0\n"
    assert done.status == 130


async def test_the_workdir_is_entered(host: Local, place: job.Place, tmp_path: Path) -> None:
    there = tmp_path / "it's here"
    there.mkdir()
    assert (await run(host, place, "pwd", str(there))).output.decode() == f"{there}\n"
    assert (await run(host, place, "pwd", "~/it's here")).output.decode() == f"{there}\n"


async def test_without_its_workdir_the_command_is_not_run(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    done = await run(host, place, f"touch {tmp_path}/ran", "/not/there")
    assert done.status == 125
    assert b"cannot enter the directory /not/there; the command was not run" in done.output
    assert not (tmp_path / "ran").exists()


async def test_the_same_order_sent_twice_runs_once(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    id = job.new_id()
    order = job.order(leave(f"echo run >> {tmp_path}/side; sleep 0.3; echo out", host.name), id)
    both = await asyncio.gather(
        *(
            collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
            for _ in range(4)
        )
    )
    assert [(each.output, each.status) for each in both] == [(b"out\n", 0)] * 4
    again = await collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
    assert (again.output, again.status) == (b"out\n", 0)
    assert (tmp_path / "side").read_text() == "run\n"


async def test_output_is_told_from_the_offset_on(host: Local, place: job.Place) -> None:
    id = job.new_id()
    order = job.order(leave("seq 1 2000; exit 4", host.name), id)
    whole = await collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
    assert whole.output == "".join(f"{n}\n" for n in range(1, 2001)).encode()
    for offset in (1, 4096, len(whole.output)):
        rest = await collect(job.follow(host, place, id, order=None, claimed=True, offset=offset))
        assert rest.output == whole.output[offset:]
        assert (rest.status, rest.claims) == (4, 0)


async def test_output_comes_while_the_command_runs(host: Local, place: job.Place) -> None:
    id = job.new_id()
    order = job.order(leave("echo first; sleep 30", host.name), id)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    assert await anext(news) == job.Output(b"first\n", 0)
    assert await job.state(host, place, id) == job.Running(6)
    await news.aclose()
    assert await job.state(host, place, id) == job.Running(6)
    assert (await job.stop(host, place, id)).how == "gently"


async def test_stop_ends_the_whole_process_group(host: Local, place: job.Place) -> None:
    id = job.new_id()
    order = job.order(leave("(sleep 60 & sleep 61 & wait) & echo $$; sleep 62", host.name), id)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    await anext(news)
    said = await anext(news)
    assert isinstance(said, job.Output)
    stopped = await job.stop(host, place, id)
    assert stopped == job.Stopped("gently", ())
    assert group(int(said.data)) == []
    last = (await collect(news)).last
    assert isinstance(last, job.Ended)
    assert (last.exit_status, last.how) == (143, "stopped")
    assert (await job.stop(host, place, id)).how == "gently"


async def test_stop_kills_what_ignores_it(host: Local, place: job.Place) -> None:
    id = job.new_id()
    command = "trap '' TERM; echo $$; (while :; do sleep 0.2; done) & while :; do sleep 0.2; done"
    order = job.order(leave(command, host.name), id)
    news = job.follow(host, place, id, order=order, claimed=False, offset=0)
    await anext(news)
    said = await anext(news)
    assert isinstance(said, job.Output)
    assert await job.stop(host, place, id, grace_s=1) == job.Stopped("killed", ())
    assert group(int(said.data)) == []
    last = (await collect(news)).last
    assert isinstance(last, job.Ended)
    assert (last.exit_status, last.how) == (137, "stopped")


async def test_a_job_stopped_before_it_came_never_runs(
    host: Local, place: job.Place, tmp_path: Path
) -> None:
    id = job.new_id()
    assert await job.stop(host, place, id) == job.Stopped("never started", ())
    order = job.order(leave(f"touch {tmp_path}/ran", host.name), id)
    late = await collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
    assert isinstance(late.last, job.Ended)
    assert (late.last.how, late.claims) == ("never started", 0)
    assert not (tmp_path / "ran").exists()


async def test_what_was_never_sent_is_known_never_to_run(host: Local, place: job.Place) -> None:
    id = job.new_id()
    assert await job.state(host, place, id) == job.Absent()
    asked = await collect(job.follow(host, place, id, order=None, claimed=False, offset=0))
    assert isinstance(asked.last, job.Ended)
    assert asked.last.how == "never started"


async def test_a_timeout_ends_the_command(host: Local, place: job.Place) -> None:
    id = job.new_id()
    order = job.order(leave("echo begun; sleep 60", host.name), id, timeout_s=4)
    done = await collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
    assert isinstance(done.last, job.Ended)
    assert (done.output, done.last.how, done.last.exit_status) == (b"begun\n", "timeout", 143)


async def test_output_beyond_the_cap_is_dropped_and_said(host: Local, place: job.Place) -> None:
    id = job.new_id()
    order = replace(job.order(leave("seq 1 20000; exit 5", host.name), id), limit_kib=4)
    done = await collect(job.follow(host, place, id, order=order, claimed=False, offset=0))
    assert isinstance(done.last, job.Ended)
    assert (done.last.exit_status, done.last.truncated) == (5, True)
    assert len(done.output) == done.last.size == 4096


async def test_a_large_script_arrives_whole(host: Local, place: job.Place) -> None:
    done = await run(host, place, "# " + "x" * 300_000 + "\necho end")
    assert (done.output, done.status) == (b"end\n", 0)


async def test_something_left_in_the_background_does_not_hold_the_answer_back(
    host: Local, place: job.Place
) -> None:
    done = await run(host, place, "sleep 60 & echo $!; exit 3")
    os.kill(int(done.output), 15)
    assert done.status == 3


# -- honestly unknown: on one shell is enough ------------------------------------------------------


async def _running(local: Local, tmp_path: Path) -> tuple[job.Place, job.JobId, Path]:
    place = await job.hello(local)
    id = job.new_id()
    order = job.order(leave(f"echo run >> {tmp_path}/side; sleep 60", local.name), id)
    news = job.follow(local, place, id, order=order, claimed=False, offset=0)
    assert await anext(news) == job.Claimed()
    await news.aclose()
    await until(lambda: (tmp_path / "side").exists() and (tmp_path / "side").read_text())
    return place, id, Path(place.root) / "jobs" / id


async def test_a_restart_of_the_host_is_not_taken_for_an_end(local: Local, tmp_path: Path) -> None:
    place, id, folder = await _running(local, tmp_path)
    claim = os.readlink(folder / "claim")
    pid, start, _, nonce = claim.split(":")
    (folder / "claim").unlink()
    (folder / "claim").symlink_to(f"{pid}:{start}:another-boot:{nonce}")
    last = (await collect(job.follow(local, place, id, order=None, claimed=True, offset=0))).last
    assert isinstance(last, job.Unknown)
    assert "was restarted while the command ran" in last.why
    (folder / "claim").unlink()
    (folder / "claim").symlink_to(claim)
    await job.stop(local, place, id)


async def test_a_killed_supervisor_is_not_taken_for_an_end(local: Local, tmp_path: Path) -> None:
    place, id, folder = await _running(local, tmp_path)
    os.killpg(int(os.readlink(folder / "claim").split(":")[0]), 9)
    assert isinstance(await job.state(local, place, id), job.Running)
    assert (await job.stop(local, place, id)).how == "gently"
    last = (await collect(job.follow(local, place, id, order=None, claimed=True, offset=0))).last
    assert isinstance(last, job.Unknown)
    assert "its exit status is not known" in last.why


async def test_a_deleted_record_is_unknown_and_the_order_is_not_sent_again(
    local: Local, tmp_path: Path
) -> None:
    place, id, folder = await _running(local, tmp_path)
    pid = int(os.readlink(folder / "pid").split(":")[0])
    shutil.rmtree(place.root)
    order = job.order(leave(f"echo run >> {tmp_path}/side", local.name), id)
    for claimed in (True, False):
        news = job.follow(local, place, id, order=order, claimed=claimed, offset=0)
        last = (await collect(news)).last
        assert isinstance(last, job.Unknown)
        assert "was deleted" in last.why
    assert (tmp_path / "side").read_text() == "run\n"
    os.killpg(pid, 9)


async def test_an_order_for_another_boot_is_not_run(local: Local, tmp_path: Path) -> None:
    place = replace(await job.hello(local), boot="the-boot-before")
    id = job.new_id()
    order = job.order(leave(f"touch {tmp_path}/ran", local.name), id)
    last = (await collect(job.follow(local, place, id, order=order, claimed=False, offset=0))).last
    assert isinstance(last, job.Unknown)
    assert "was restarted since the command was sent" in last.why
    assert not (tmp_path / "ran").exists()


# -- the gate --------------------------------------------------------------------------------------


async def test_there_is_no_order_without_a_pass(local: Local) -> None:
    with pytest.raises(TypeError):
        job.order("rm -rf /", job.new_id())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        job.Order(job.new_id(), local.name, b"true\n", 0, 1, object())


async def test_a_pass_for_one_host_is_no_order_for_another(local: Local) -> None:
    place = await job.hello(local)
    id = job.new_id()
    order = job.order(leave("true", "prod-2"), id)
    with pytest.raises(ValueError, match="prod-2"):
        await anext(job.follow(local, place, id, order=order, claimed=False, offset=0))


# -- disks -----------------------------------------------------------------------------------------


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Path]:
    """A home with no room for anything."""
    home = tmp_path / "small"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(home)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs root and leave to mount a tmpfs")
    yield home
    subprocess.run(["umount", "-l", str(home)], check=True)


@pytest.mark.root
async def test_a_full_disk_sends_jobs_to_the_next_root(small_home: Path) -> None:
    host = Local(environ={**os.environ, "HOME": str(small_home), "XDG_CACHE_HOME": ""})
    place = await job.hello(host)
    assert place.root == f"/var/tmp/cockpit-{os.getuid()}"
    assert (await run(host, place, "echo hi")).output == b"hi\n"
    await host.close()


def group(leader: int) -> list[int]:
    """The live processes of a process group."""
    found = []
    for stat in processes.files("stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


async def test_an_order_that_waited_too_long_is_not_sent_any_more(
    host: Local, place: job.Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, job.STALE_S + 1])
    monkeypatch.setattr(job, "awake_or_not", lambda: next(times))
    done = await run(host, place, f"echo run >> {tmp_path}/side")
    assert isinstance(done.last, job.Ended)
    assert done.last.how == "never started"
    assert "too much time has passed" in done.last.why
    assert not (tmp_path / "side").exists()
