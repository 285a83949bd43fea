"""Podman behind its Docker API: rows, numbers, logs and restarts, as on a Docker engine.

The service and its containers are real, by runc and without systemd: health checks, for which
Podman has systemd's timers, are run by hand. Networks are none, storage is vfs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cockpit.containers import detail_texts, details
from cockpit.containers import engine as engines
from cockpit.containers.container import Container
from cockpit.containers.engine import Engine
from cockpit.containers.logs import Tail, save_logs
from cockpit.containers.stats import Sample
from cockpit.containers.watch import Watch
from cockpit.logs.line import Line
from cockpit.runbook.shell import judge
from cockpit.target.target import Local
from tests.containers.conftest import CuttingProxy, Until
from tests.containers.watching import watching
from tests.lab.fixtures import not_tested

pytestmark = pytest.mark.anyio
patient = pytest.mark.usefixtures("patient")

PROGRAMS = ("podman", "conmon", "runc", "busybox", "unshare")
SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
events_logfile_path = "{folder}/events"
runtime = "runc"
tmp_dir = "{folder}/tmp"
lock_type = "file"
"""


class Podman:
    """`podman system service` with storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "sock"
        self._service: subprocess.Popen[bytes] | None = None
        (folder / "containers.conf").write_text(SETTINGS.format(folder=folder))
        self._environ = os.environ | {"CONTAINERS_CONF": str(folder / "containers.conf")}
        self._command = (
            "podman", "--root", str(folder / "store"), "--runroot", str(folder / "run"),
            "--storage-driver", "vfs", "--log-level", "error",
        )  # fmt: skip

    def podman(self, *arguments: str, check: bool = True, tar: bytes = b"") -> str:
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, env=self._environ, input=tar
        )
        if check and done.returncode:
            raise RuntimeError(f"podman {arguments}: {done.stderr.decode()}")
        return done.stdout.decode().strip()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._service = subprocess.Popen(
                [*self._command, "system", "service", "--time", "0", f"unix://{self.socket}"],
                env=self._environ, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + 120
        while not self._answers():
            if time.monotonic() > until or self._service.poll() is not None:
                raise RuntimeError("podman did not start: " + (self.folder / "log").read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Its socket is there a moment before somebody listens."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.socket))
            return True
        return False

    def stop(self) -> None:
        assert self._service is not None
        self._service.terminate()
        self._service.wait(120)

    def clear(self) -> None:
        """Remove every container; one that is just changing may refuse that."""
        until = time.monotonic() + 60
        while True:
            last = time.monotonic() > until
            self.podman("rm", "--all", "--force", "--time", "0", check=last)
            if last or not self.podman("ps", "--all", "--quiet"):
                return
            time.sleep(0.2)

    def build_image(self) -> None:
        root = self.folder / "root"
        (root / "bin").mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
        for name in ("sh", "sleep", "usleep", "seq"):
            (root / "bin" / name).symlink_to("busybox")
        tar = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True)
        self.podman("import", "-", "localhost/t:1", tar=tar.stdout)

    def run(self, name: str, script: str, *options: str) -> None:
        self.podman("run", "-d", "--name", name, "--network", "none", "--stop-timeout", "1",
                    *options, "t:1", "sh", "-c", script)  # fmt: skip


@pytest.fixture(scope="module")
def podman_room(request: pytest.FixtureRequest) -> Iterator[Podman]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid():
        not_tested(request, "Podman", [f"needs root and {', '.join(missing or PROGRAMS)}"])
    folder = Path(tempfile.mkdtemp(prefix="ck-pod-"))
    podman = Podman(folder)
    try:
        podman.build_image()
        podman.start()
        yield podman
        podman.stop()
    finally:
        podman.podman("rm", "--all", "--force", "--time", "0", check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def podman(podman_room: Podman) -> Iterator[Podman]:
    yield podman_room
    podman_room.clear()


def rows(watch: Watch) -> dict[str, Container]:
    return {str(row.name): row for row in watch.snapshot.rows}


async def test_rows_are_kept_true_by_podmans_events(podman: Podman, until: Until) -> None:
    podman.run("plain", "sleep 999")
    async with watching(podman.socket) as watch:
        await until(lambda: "plain" in rows(watch) and not watch.snapshot.trouble)
        podman.run("sick", "sleep 999", "--health-cmd", "false", "--health-retries", "1")
        await until(lambda: rows(watch).get("sick") is not None)
        podman.podman("healthcheck", "run", "sick", check=False)
        await until(lambda: rows(watch)["sick"].health == "unhealthy")
        assert rows(watch)["plain"].health == ""
        assert rows(watch)["plain"].status == "running"

        podman.run("failing", "exit 7")
        await until(lambda: rows(watch).get("failing") and rows(watch)["failing"].exit_code == 7)
        podman.podman("pause", "plain")
        await until(lambda: rows(watch)["plain"].state == "paused")
        podman.podman("unpause", "plain")
        await until(lambda: rows(watch)["plain"].state == "running")
        began = rows(watch)["plain"].started_at
        podman.podman("restart", "plain")
        await until(lambda: rows(watch)["plain"].started_at != began)
        podman.podman("rename", "plain", "other")
        await until(lambda: "other" in rows(watch) and "plain" not in rows(watch))
        podman.podman("rm", "failing")
        await until(lambda: "failing" not in rows(watch))


@patient
async def test_numbers_come_often_and_count_by_the_clock(podman: Podman, until: Until) -> None:
    podman.run("busy", "while :; do :; done", "--memory", "64m", "--cpus", "0.2")
    engine = Engine(Local(), str(podman.socket))
    try:
        await engine.version()
        first = await engine.stats("busy")
        await asyncio.sleep(0.5)
        second = await engine.stats("busy")
    finally:
        await engine.close()
    # What Podman calls the CPU time of the system leaves out when it was idle.
    took = datetime.fromisoformat(second.read) - datetime.fromisoformat(first.read)
    passed = second.cpu_stats.system_cpu_usage - first.cpu_stats.system_cpu_usage
    assert passed / 1e9 == pytest.approx(took.total_seconds() * second.cpu_stats.online_cpus, 1e-3)

    def sample() -> Sample | None:
        row = rows(watch).get("busy")
        return row.sample if row else None

    async with watching(podman.socket) as watch:
        await until(lambda: (known := sample()) and known.cpu_percent is not None)
        known = sample()
        assert known is not None and known.cpu_percent is not None
        assert 0 <= known.cpu_percent < 90
        assert (known.memory_limit, known.every) == (64 << 20, 2.0)
        assert 0 < known.memory < 64 << 20
        await until(lambda: (later := sample()) and later.at > known.at)


async def test_a_log_is_followed_over_cuts_and_a_restart(
    podman: Podman, short_folder: Path, until: Until
) -> None:
    """Podman's times are of whole seconds: of one second many lines may have the same."""
    wait = "if [ $n = 30 ]; then until [ -e /go ]; do usleep 20000; done; fi"
    podman.run(
        "writer", f"for n in $(seq 100); do echo line $n; {wait}; usleep 20000; done; echo end"
    )
    proxy = CuttingProxy(podman.socket, short_folder / "cut.sock")
    proxy.cutting = False
    got: list[Line] = []
    cuts = 0
    async with proxy.serving():
        engine = Engine(Local(), str(proxy.path))
        log = Tail(engine, "writer")
        log.start()

        def ends() -> int:
            got.extend(log.take().lines)
            return sum(line.text == "end" for line in got)

        try:
            while not ends():
                had = len(got)
                await until(lambda: ends() or len(got) > had + 15, within=60)  # noqa: B023
                proxy.refuse()
                if not cuts:
                    await asyncio.to_thread(podman.podman, "exec", "writer", "sh", "-c", ": > /go")
                cuts += 1
                await asyncio.sleep(0.1)
                proxy.allow()
            assert cuts > 1
            await until(lambda: "does not run" in log.note)
            podman.podman("start", "writer")
            await until(lambda: ends() == 2)
            podman.podman("rm", "--force", "--time", "0", "writer")
            await until(lambda: "was removed" in log.note)
        finally:
            await log.close()
            await engine.close()
    once = [f"line {n}" for n in range(1, 101)] + ["end"]
    assert [line.text for line in got] == once * 2


async def test_no_line_is_lost_between_the_old_ones_and_the_new(
    podman: Podman, until: Until
) -> None:
    podman.run("writer", "n=0; while :; do n=$((n+1)); echo $n; usleep 300; done")
    engine = Engine(Local(), str(podman.socket))
    try:
        for _ in range(8):
            log = Tail(engine, "writer", first=300)
            log.start()
            got: list[Line] = []
            try:
                while len(got) <= 400:
                    await until(lambda: log.lines)  # noqa: B023
                    got += log.take().lines
            finally:
                await log.close()
            numbers = [int(line.text) for line in got]
            assert numbers == [*range(numbers[0], numbers[-1] + 1)]
    finally:
        await engine.close()


@patient
async def test_evidence_is_saved(podman: Podman) -> None:
    podman.run("writer", "echo to stdout; echo to stderr >&2; sleep 999")
    engine = Engine(Local(), str(podman.socket))
    kept = bytearray()
    try:
        async with asyncio.timeout(60):
            while b"stderr to stderr\n" not in kept or b"stdout to stdout\n" not in kept:
                kept.clear()
                await save_logs(engine, "writer", kept.extend)
    finally:
        await engine.close()
    assert b'"Name": "/writer"' in kept


@patient
async def test_what_happened_is_told_whole(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "PODMAN_QUIET", 4.0)  # a busy Podman pauses between two events
    podman.run("short", "exit 7")
    podman.podman("wait", "short")
    podman.podman("start", "short")
    podman.podman("wait", "short")
    engine = Engine(Local(), str(podman.socket))
    try:
        for _ in range(3):
            now = datetime.now(UTC)
            stream = engine.events_stream(
                now - timedelta(minutes=5), until=now, container="short", events=("start", "die")
            )
            assert [event.action async for event in stream] == ["start", "die"] * 2
    finally:
        await engine.close()


@patient
async def test_a_command_for_it_is_podmans_own_and_passes_the_gate_as_dockers(
    podman: Podman, until: Until
) -> None:
    podman.run("plain", "sleep 999")
    engine = Engine(Local(), str(podman.socket))
    try:
        await engine.version()
        restart = f"{engine.far_command} restart --time 0 plain"
        verdict = judge(restart)
        assert (verdict.risk, verdict.containers) == ("change", ("plain",))
        began = (await engine.inspect("plain")).state.started_at
        done = await asyncio.to_thread(subprocess.run, restart, shell=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert (await engine.inspect("plain")).state.started_at != began
    finally:
        await engine.close()


@patient
async def test_its_detail_is_read_as_dockers(podman: Podman) -> None:
    podman.run("sick", "sleep 99", "-e", "DB_PASSWORD=hunter2", "-m", "64m",
               "--health-cmd", "echo full; exit 2", "--health-retries", "1")  # fmt: skip
    podman.podman("healthcheck", "run", "sick", check=False)
    engine = Engine(Local(), str(podman.socket))
    try:
        about = (await details.look(engine, "sick")).about.value
        assert about and about.health
        assert about.health.checks[0].output == "full"
        assert "memory 64.0 MiB" in about.limits
        assert "sleep 99" in await detail_texts.top(engine, "sick")
        assert "hunter2" not in await detail_texts.inspect_text(engine, "sick")
        assert await detail_texts.files(engine, "sick")
    finally:
        await engine.close()
