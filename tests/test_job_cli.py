"""`cockpit job`: a command that runs on a host, reached from another terminal or another day."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cockpit.incident import events as e
from cockpit.incident.journal import Journal, read, verify
from cockpit.target import job
from cockpit.target.target import Local
from tests.lab.fixtures import StartSshd
from tests.plain_cli import Far, Ground, ended, ground

pytestmark = pytest.mark.anyio
COUNTS = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done; exit 7"
COUNTED = b"1\n2\n3\n4\n5\n6\n"


# It goes on once the test says so.
WAITS = "echo 1; while [ ! -e go ]; do sleep 0.1; done; echo 2; exit 7"


@pytest.fixture
async def far(tmp_path: Path, sshd: StartSshd) -> AsyncIterator[Far]:
    async with ground(tmp_path, sshd) as made:
        yield made


async def begun(far: Ground, command: str, *options: str) -> asyncio.subprocess.Process:
    """`cockpit run` of a command that has printed its first line."""
    process = await far.start("run", "--host", "prod-1", *options, "--", command)
    assert process.stdout
    async with asyncio.timeout(60):
        assert await process.stdout.readline()
    return process


async def killed(far: Ground, command: str) -> str:
    """The id of a job whose cockpit was killed after its first line."""
    process = await begun(far, command)
    process.kill()
    await ended(process)
    (one,) = await far.jobs()
    return str(one["id"])


async def test_what_a_killed_cockpit_ran_is_taken_up_whole(far: Far) -> None:
    id = await killed(far, COUNTS)
    (one,) = await far.jobs()
    assert (one["host"], one["state"], one["command"]) == ("prod-1", "running", COUNTS)
    listed = (await far.call("job", "list")).out.decode()
    assert listed.split("\n")[1].startswith(f"{id[:8]}  prod-1  2")
    process = await far.start("job", "attach", id[:5])
    await asyncio.sleep(1)
    await far.proxy.drop()
    done = await ended(process)
    assert (done.status, done.out) == (7, COUNTED)
    assert await far.jobs() == []
    (one,) = await far.jobs("--all")
    assert (one["state"], one["exit_status"]) == ("done", 7)
    (run,) = far.kept().runs.values()
    assert (far.folders()[0] / run.asked.evidence).read_bytes() == COUNTED
    assert verify(far.folders()[0]) == ()
    # On another day, with nothing left on the host to ask.
    await far.proxy.cut()
    done = await far.call("job", "attach", id)
    assert (done.status, done.out, done.err) == (7, COUNTED, "")


async def test_attach_beside_the_cockpit_that_ran_it_locks_nobody_out(far: Far) -> None:
    process = await begun(far, WAITS)
    (one,) = await far.jobs()
    beside = await far.start("job", "attach", one["id"])
    assert beside.stdout
    assert await beside.stdout.readline() == b"1\n"
    (far.server.home / "go").touch()
    attached = await ended(beside)
    assert (attached.status, attached.out) == (7, b"2\n")
    done = await ended(process)
    assert (done.status, done.out) == (7, b"2\n")
    # It may have let go of the journal in the same moment; then there is nothing to write.
    assert attached.err in (
        "",
        f"The cockpit that has {far.folders()[0].name} open writes it down.\n",
    )
    (run,) = far.kept().runs.values()
    assert run.exit_status == 7


async def test_ctrl_c_lets_go_of_it_and_it_runs_on(far: Far) -> None:
    id = await killed(far, WAITS)
    process = await far.start("job", "attach", id)
    assert process.stdout
    assert await process.stdout.readline() == b"1\n"
    process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert done.status == 125
    assert done.err.startswith("prod-1: the command goes on there. Its output and end: cockpit job")
    assert f"cockpit job attach {id[:8]}; to end it" in done.err
    (far.server.home / "go").touch()
    whole = await far.call("job", "attach", id)
    assert (whole.status, whole.out) == (7, b"1\n2\n")


async def test_stop_ends_what_another_cockpit_runs(far: Far) -> None:
    process = await begun(far, "echo 1; sleep 99 & wait")
    (one,) = await far.jobs()
    stopped = await far.call("job", "stop", one["id"])
    assert stopped.status == 0
    assert stopped.err.startswith("Stopped gently: `echo 1; sleep 99 & wait` on prod-1.")
    assert (await ended(process)).status == 143
    again = await far.call("job", "stop", one["id"])
    assert (again.status, again.err) == (0, "It is over: stopped, exit 143.\n")


async def test_stop_of_what_will_not_end_waits_for_the_link_and_kills_it(far: Far) -> None:
    id = await killed(far, "trap '' TERM; echo 1; sleep 99 & wait; wait")
    await far.proxy.refuse()
    process = await far.start("job", "stop", id[:8])
    assert process.stderr
    async with asyncio.timeout(60):
        said = (await process.stderr.readline()).decode()
    assert said.endswith("Trying again until it is; ctrl+c gives up.\n")
    far.proxy.restore()
    done = await ended(process)
    assert done.status == 0
    assert done.err.startswith("Killed, as it did not stop gently")
    assert await far.jobs() == []
    (run,) = far.kept().runs.values()
    assert run.exit_status == 137
    assert (await far.call("job", "attach", id)).status == 137


async def test_an_id_that_is_none_or_may_be_several_is_said(tmp_path: Path) -> None:
    here = Ground(tmp_path)
    assert (await here.call("job", "list")).out == b"No job is known to be running.\n"
    journal, ids = requested(here, "aaaa0", "aaaa1"), ["aaaa0", "aaaa1"]
    journal.close()
    several = await here.call("job", "attach", "aaaa")
    assert several.status == 125
    assert all(id in several.err for id in ids)
    none = await here.call("job", "stop", "b")
    assert (none.status, none.err) == (125, "There is no job b. See: cockpit job list --all\n")


def requested(here: Ground, *ids: str, place: job.Place | None = None) -> Journal:
    """The journal of a cockpit that was about to send these when it was killed."""
    journal = Journal.create(here.state / "incidents", slug="slow", who="sam")
    journal.append(e.IncidentStarted())
    for id in ids:
        asked = e.CommandRequested(
            job=id,
            host="this machine",
            command="date",
            risk="read",
            gate="not asked",
            root=place.root if place else "/nowhere",
            boot=place.boot if place else "",
            mark=place.mark if place else "",
        )
        journal.wait_saved(journal.append(asked).seq, 10)
    return journal


async def test_what_was_never_sent_is_waited_for_while_it_may_be_and_then_buried(
    tmp_path: Path,
) -> None:
    here = Ground(tmp_path)
    target = Local(environ=here.environ)
    place = await job.hello(target)
    id = job.new_id()
    journal = requested(here, id, place=place)
    process = await here.start("job", "attach", id)
    assert process.stderr
    async with asyncio.timeout(60):
        said = await process.stderr.readline()
    assert said == b"this machine has not begun it; another cockpit may still send it.\n"
    assert isinstance(await job.state(target, place, id), job.Absent)
    journal.close()
    done = await ended(process)
    assert done.status == 125
    assert "never started there (it was never sent); nothing was run" in done.err
    assert not isinstance(await job.state(target, place, id), job.Absent)
    await target.close()
    assert [one["state"] for one in await here.jobs("--all")] == ["never started"]
    assert any(isinstance(r.event, e.CommandFinished) for r in read(journal.folder).records)
