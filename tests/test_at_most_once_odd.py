"""At most once where luck is bad: orders that come late, two cockpits, a host that forgot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cockpit import paths
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.incident import Incident, Run, RunState, fold
from cockpit.incident.journal import list_incidents, read
from cockpit.responder import CannotRun, Responder
from cockpit.target import guard
from tests.cockpits import Cockpit, Cockpits, Plan
from tests.cuts import way
from tests.lab.fixtures import StartSshd, not_tested
from tests.lab.proxy import Proxy
from tests.lab.sshd import Sshd
from tests.target.ground import until

pytestmark = pytest.mark.anyio

TOOLS = (
    "sh cat chmod cksum dd find grep head id kill ln ls mkdir mv ps readlink rm rmdir sed setsid"
    " sha256sum sleep tail tr wc"
)


@pytest.fixture(scope="module")
def cockpits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cockpits]:
    with Cockpits(tmp_path_factory.mktemp("cockpits")) as made:
        yield made


@dataclass
class Scene:
    """A home, a host behind a proxy, and the file in which the command leaves a line."""

    home: Path
    server: Sshd
    proxy: Proxy
    cockpits: Cockpits
    config: Path

    @property
    def side(self) -> Path:
        return self.home / "side"

    @property
    def jobs(self) -> Path:
        return self.server.home / ".cache/cockpit/jobs"

    def plan(self, more: str = "echo done", **fields: object) -> Plan:
        command = f"echo run >> {self.side}; {more}"
        return Plan(str(self.home), str(self.config), command, **fields)  # type: ignore[arg-type]

    async def cockpit(self, more: str = "echo done", **fields: object) -> Cockpit:
        return await self.cockpits.start(self.plan(more, **fields))

    def links(self, name: str) -> list[str]:
        """What the symlinks of that name say, one for each job on the host that has one."""
        found = (job / name for job in self.jobs.glob("*/"))
        return [os.readlink(link) for link in found if link.is_symlink()]

    def lines(self) -> int:
        return len(self.side.read_text().split()) if self.side.exists() else 0

    def incident(self) -> Incident:
        (folder,) = list_incidents(self.home / "incidents")
        return fold(read(folder).records)

    def run(self) -> Run:
        """The only one."""
        (run,) = self.incident().runs.values()
        return run

    def told(self, kind: type[e.Event]) -> list[e.Event]:
        events = [entry.record.event for entry in self.incident().entries]
        return [event for event in events if isinstance(event, kind)]


@pytest.fixture
async def scene(
    sshd: StartSshd, cockpits: Cockpits, tmp_path: Path
) -> AsyncIterator[Callable[..., Scene]]:
    async with Proxy("127.0.0.1", 0) as proxy:

        def made(**options: object) -> Scene:
            server = sshd(**options)
            proxy.target = ("127.0.0.1", server.port)
            home = tmp_path / "home"
            home.mkdir()
            return Scene(home, server, proxy, cockpits, way(server, home, proxy))

        yield made


Make = Callable[..., Scene]


# -- orders that come late -------------------------------------------------------------------------


async def test_killed_between_the_journal_and_the_host_it_never_ran(scene: Make) -> None:
    here = scene()
    first = await here.cockpit()
    await first.reach("start")
    await first.kill()
    assert here.run().state is RunState.REQUESTED
    await (await here.cockpit()).end()
    assert here.run().state is RunState.NEVER_STARTED
    assert here.lines() == 0


async def test_an_order_that_comes_after_it_was_given_up_does_not_run(scene: Make) -> None:
    here = scene()
    first = await here.cockpit()
    await first.reach("start")
    here.proxy.hold()
    await first.reach("sent")
    await asyncio.sleep(0.1)
    await first.kill()
    await (await here.cockpit()).end()
    assert here.run().state is RunState.NEVER_STARTED
    before = here.proxy.bytes_up
    here.proxy.restore()
    await until(lambda: here.proxy.open == 0)
    await asyncio.sleep(2)
    assert here.proxy.bytes_up == before, "the order was held by the proxy, not by cockpit"
    assert here.lines() == 0
    (claim,) = here.links("claim")
    assert claim.startswith("tombstone:")


async def test_an_order_that_comes_after_it_was_sent_again_does_not_run_again(scene: Make) -> None:
    here = scene()
    only = await here.cockpit()
    await only.reach("start")
    here.proxy.hold()
    await only.reach("over")
    assert here.proxy.accepted > 1
    here.proxy.restore()
    await asyncio.sleep(2)
    await only.end()
    assert here.run().state is RunState.DONE
    assert here.lines() == 1


async def test_the_answer_is_lost_and_the_order_is_sent_again(scene: Make) -> None:
    here = scene()
    only = await here.cockpit("sleep 1; echo done")
    await only.reach("start")
    here.proxy.stall("down")
    only.go_on()
    await until(here.lines, 30)
    await here.proxy.drop()
    here.proxy.restore()
    await only.end()
    assert here.run().exit_status == 0
    assert here.lines() == 1


# -- two cockpits ----------------------------------------------------------------------------------


async def test_of_two_cockpits_one_takes_the_incident_up(scene: Make) -> None:
    here = scene()
    first = await here.cockpit("sleep 1; echo done")
    await first.reach("claim")
    early = await here.cockpit()
    await early.end()
    assert "Busy" in early.said
    await first.kill()
    second = await here.cockpit()
    await second.reach("tail")
    third = await here.cockpit()
    await third.end()
    assert "Busy" in third.said
    await second.end()
    assert not second.said
    assert here.run().state is RunState.DONE
    assert here.lines() == 1


# -- stops -----------------------------------------------------------------------------------------


async def test_a_stop_over_a_lost_link_comes_once_and_the_run_ends_as_stopped(scene: Make) -> None:
    here = scene()
    only = await here.cockpit("sleep 60", stop=("claim", 0.0))
    await only.reach("claim")
    await until(here.lines)
    here.proxy.stall()
    await only.reach("stop")
    only.go_on()
    await asyncio.sleep(1)
    await here.proxy.drop()
    here.proxy.restore()
    await only.end()
    assert (here.run().state, here.run().exit_status) == (RunState.STOPPED, 143)
    assert [len(here.told(kind)) for kind in (e.StopRequested, e.CommandStopped)] == [1, 1]
    assert here.lines() == 1


async def test_a_stop_is_kept_by_the_journal_over_a_kill_of_cockpit(scene: Make) -> None:
    here = scene()
    first = await here.cockpit("sleep 60", stop=("claim", 0.0))
    await first.reach("claim")
    here.proxy.stall()
    await first.reach("stop")
    first.go_on()
    folder = list_incidents(here.home / "incidents")[0]
    await until(lambda: "stop-requested" in (folder / "journal.jsonl").read_text())
    await first.kill()
    await here.proxy.drop()
    here.proxy.restore()
    await (await here.cockpit()).end()
    assert (here.run().state, here.run().exit_status) == (RunState.STOPPED, 143)


async def test_stopped_before_it_was_sent_it_never_starts(scene: Make) -> None:
    here = scene()
    first = await here.cockpit(stop=("requested", 0.0))
    await first.reach("requested")
    here.proxy.hold()
    await first.reach("stop")
    first.go_on()
    folder = list_incidents(here.home / "incidents")[0]
    await until(lambda: "stop-requested" in (folder / "journal.jsonl").read_text())
    await first.kill()
    await (await here.cockpit()).end()
    assert here.run().state is RunState.NEVER_STARTED
    here.proxy.restore()
    await asyncio.sleep(1)
    assert here.lines() == 0


# -- a host that forgot ----------------------------------------------------------------------------


async def test_its_directory_is_deleted_while_it_runs(scene: Make) -> None:
    here = scene()
    only = await here.cockpit("sleep 3")
    await only.reach("claim")
    here.proxy.stall()
    only.go_on()
    await until(here.lines)
    shutil.rmtree(here.jobs)
    await here.proxy.drop()
    here.proxy.restore()
    await only.end()
    assert here.run().state is RunState.UNKNOWN
    assert "deleted" in here.run().why
    assert here.lines() == 1


@pytest.mark.parametrize("what", ["cockpit", "cockpit/jobs", "cockpit/jobs/*"])
async def test_it_ran_and_what_the_host_knew_of_it_was_deleted(scene: Make, what: str) -> None:
    here = scene()
    only = await here.cockpit()
    await only.reach("start")
    here.proxy.stall("down")
    only.go_on()
    await until(lambda: [*here.jobs.glob("*/done.*")], 30)
    rm = await asyncio.create_subprocess_shell(f"rm -rf {here.server.home}/.cache/{what}")
    await rm.wait()
    await here.proxy.drop()
    here.proxy.restore()
    await only.end()
    assert here.lines() == 1
    assert here.run().state is RunState.UNKNOWN


# -- a host that was restarted ---------------------------------------------------------------------


@pytest.fixture
def boot(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for the id of this boot in the servers that are started from now on."""
    if os.getuid() != 0:
        not_tested(request, "a host that restarts", ["not root"])
    file = tmp_path / "boot_id"
    file.write_text("11111111-aaaa\n")
    real = subprocess.Popen
    script = (
        "mount --make-rprivate / &&"
        ' mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'
    )

    def popen(command: list[str], *more: object, **fields: object) -> object:
        if command[0].endswith("sshd"):
            command = ["unshare", "-m", "sh", "-c", script, "sh", str(file), *command]
        return real(command, *more, **fields)  # type: ignore[call-overload]

    monkeypatch.setattr("tests.lab.sshd.subprocess.Popen", popen)
    return file


@pytest.mark.root
async def test_the_host_restarts_before_the_order_comes(scene: Make, boot: Path) -> None:
    here = scene()
    only = await here.cockpit()
    await only.reach("start")
    here.proxy.stall()
    only.go_on()
    await asyncio.sleep(0.2)
    boot.write_text("22222222-bbbb\n")
    await here.proxy.drop()
    here.proxy.restore()
    await only.end()
    assert here.lines() == 0
    assert here.run().state is RunState.UNKNOWN
    assert "restarted" in here.run().why


@pytest.mark.root
async def test_the_host_restarts_while_it_runs(scene: Make, boot: Path) -> None:
    here = scene()
    first = await here.cockpit("sleep 60")
    await first.reach("claim")
    await first.kill()
    await until(here.lines)
    # The supervisor first: it would write down how the command ended.
    for link in (*here.links("claim"), *here.links("pid")):
        os.killpg(int(link.split(":")[0]), 9)
    boot.write_text("22222222-bbbb\n")
    await (await here.cockpit()).end()
    assert here.lines() == 1
    assert here.run().state is RunState.UNKNOWN
    assert "restarted while the command ran" in here.run().why
    assert here.told(e.CommandUnknown)


async def test_a_host_without_a_clock_to_ask_is_no_reason_not_to_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS.split():
        (tools / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tools))
    responder = Responder(tmp_path / "incidents", "sam", Config())
    job = await responder.run(_passed(responder, "echo done"))
    async with asyncio.timeout(30):
        while not responder.incident.runs[job].over:
            await asyncio.sleep(0.02)
    assert responder.incident.runs[job].exit_status == 0
    await responder.close()


# -- at home ---------------------------------------------------------------------------------------


def _passed(responder: Responder, command: str) -> guard.Pass:
    asked = guard.ask(responder.intent(command))
    return guard.answer(asked, confirmed=True, typed="this machine", reason="in a test")


async def test_one_pass_used_twice_at_once_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    responder = Responder(tmp_path / "incidents", "sam", Config())
    leave = _passed(responder, f"echo run >> {tmp_path}/side")
    both = await asyncio.gather(*(responder.run(leave) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in both if isinstance(each, Exception)] == [CannotRun]
    await until(lambda: not responder.incident.running())
    await responder.close()
    assert (tmp_path / "side").read_text() == "run\n"


@pytest.fixture
def small_disk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A disk of 512 kB that holds every place where a journal may go."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        not_tested(request, "a full disk at home", ["a tmpfs cannot be mounted"])
    for name in ("home", "var", "tmp"):
        (disk / name).mkdir(mode=0o700)
    monkeypatch.setenv("COCKPIT_HOME", str(disk / "home"))
    monkeypatch.setenv("TMPDIR", str(disk / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(paths, "VAR_TMP", disk / "var")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.root
async def test_with_no_place_for_the_intent_it_runs_once_and_nobody_sends_it_again(
    small_disk: Path, tmp_path: Path
) -> None:
    responder = Responder(small_disk / "home/incidents", "sam", Config())
    responder.note("begin")
    await until(lambda: not responder.log.unsaved)
    folder = responder.folder
    assert folder
    asked = guard.ask(responder.intent(f"touch {tmp_path}/side"))
    confirmed_before = guard.answer(asked, confirmed=True, reason="in a test")
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    while not responder.log.trouble.startswith("NOT SAVED"):
        responder.note("x" * 1000)
        await asyncio.sleep(0.05)
    with pytest.raises(CannotRun, match=r"^Nothing was sent: what is run cannot be written down"):
        await responder.run(confirmed_before)
    assert not (tmp_path / "side").exists()
    # At the gate it was said, and confirmed all the same.
    again = guard.ask(responder.intent(f"mkdir {tmp_path}/side && echo run"))
    assert "cannot be written down now" in again.intent.doubt
    job = await responder.run(guard.answer(again, confirmed=True, reason="in a test"))
    await until(lambda: not responder.incident.running(), 30)
    assert responder.log.trouble.startswith("NOT SAVED")
    assert responder.log.output_text(job) == "run\n"
    # A cockpit that took the incident up now would know of nothing to ask for, or to send.
    assert not fold(read(folder).records).runs
    filler.unlink()
    await until(lambda: not responder.log.unsaved, 30)
    assert fold(read(folder).records).runs[job].exit_status == 0
    assert await responder.close() == 0
    assert (tmp_path / "side").is_dir()
