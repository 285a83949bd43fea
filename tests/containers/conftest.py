"""A real dockerd of its own for the tests of this folder, and a proxy that cuts its connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cockpit.containers import details
from cockpit.containers import engine as engines

IMAGE = "t:1"
PROGRAMS = ("dockerd", "docker", "containerd", "unshare", "ip", "busybox")


class Dockerd:
    """dockerd in a network namespace of its own, on a private socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        d = self.folder
        (d / "pid").unlink(missing_ok=True)
        serve = (
            f"dockerd --data-root {d}/data --exec-root {d}/exec -H unix://{self.socket} "
            f"--pidfile {d}/pid --bridge=none --iptables=false --ip-masq=false --shutdown-timeout=1"
        )
        with (d / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "-n", "sh", "-c", f"ip link set lo up; exec {serve}"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 120
        while self.docker("version", check=False).returncode:
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError("dockerd did not start:\n" + (d / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM and wait: containers stop with it."""
        assert self._process is not None
        containerd = self.folder / "exec/containerd/containerd.pid"
        child = Path("/proc", containerd.read_text()) if containerd.exists() else None
        self._process.terminate()
        self._process.wait(120)
        until = time.monotonic() + 60
        while child is not None and child.exists() and time.monotonic() < until:
            time.sleep(0.05)

    def hang(self) -> None:
        """Stop it, and return when none of its threads runs any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        threads = Path("/proc", str(self._process.pid), "task")
        until = time.monotonic() + 20
        while any(_state(thread) not in "TZX" for thread in threads.iterdir()):
            if time.monotonic() > until:
                raise RuntimeError("dockerd was not stopped within 20 s")
            time.sleep(0.01)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = ["docker", "-H", f"unix://{self.socket}", *arguments]
        done = subprocess.run(command, capture_output=True)
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.stderr.decode()}")
        return done

    def run(self, name: str, script: str, *options: str) -> str:
        """Start a container that runs a shell script; its id."""
        made = self.docker(
            "run",
            "-d",
            "--name",
            name,
            "--network",
            "none",
            "--stop-timeout",
            "1",
            *options,
            IMAGE,
            "sh",
            "-c",
            script,
        )
        return made.stdout.decode().strip()

    def wrote(self, name: str, words: str) -> None:
        """Wait until these words are in its log: it begins a moment after `run` returns."""
        until = time.monotonic() + 60
        while words not in self.docker("logs", name, check=False).stdout.decode():
            if time.monotonic() > until:
                raise RuntimeError(f"{name} wrote no {words!r} within 60 s")
            time.sleep(0.05)

    def build_image(self) -> None:
        root = self.folder / "root"
        (root / "bin").mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
        for name in ("sh", "sleep", "cat", "seq", "head", "tail", "usleep", "tr", "yes"):
            (root / "bin" / name).symlink_to("busybox")
        tar = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True)
        command = ["docker", "-H", f"unix://{self.socket}", "import", "-", IMAGE]
        subprocess.run(command, input=tar.stdout, capture_output=True, check=True)

    def swarm(self, state: str, *verb: str) -> None:
        """A command about the swarm; a busy engine gives up on it, and goes on by itself."""
        until = time.monotonic() + 120
        done = self.docker("swarm", *verb, check=False)
        while self._swarm_state() != state:
            if time.monotonic() > until:
                raise RuntimeError(f"swarm {verb}, not {state} in 120 s: {done.stderr.decode()}")
            time.sleep(0.2)
            if state == "inactive":
                done = self.docker("swarm", *verb, check=False)

    def _swarm_state(self) -> str:
        asked = self.docker("info", "--format", "{{.Swarm.LocalNodeState}}", check=False)
        return asked.stdout.decode().strip()

    def clear(self) -> None:
        """Remove every container; one that a swarm removes already refuses that meanwhile."""
        until = time.monotonic() + 60
        while ids := self.docker("ps", "-aq").stdout.decode().split():
            removed = self.docker("rm", "-f", *ids, check=False)
            if removed.returncode and time.monotonic() > until:
                raise RuntimeError(f"not removed within 60 s: {removed.stderr.decode()}")


def _state(thread: Path) -> str:
    """The state of a thread as /proc has it, after its name; X when it is gone."""
    try:
        return (thread / "stat").read_text().rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


@pytest.fixture(scope="session")
def engine_room() -> Iterator[Dockerd]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid():
        pytest.skip(f"no Docker engine of our own: needs root and {', '.join(missing or PROGRAMS)}")
    folder = Path(tempfile.mkdtemp(prefix="ck-"))
    dockerd = Dockerd(folder)
    dockerd.start()
    try:
        dockerd.build_image()
        yield dockerd
    finally:
        dockerd.resume()
        with contextlib.suppress(RuntimeError):
            dockerd.clear()
        dockerd.stop()
        # A container in the host's network has left it mounted.
        subprocess.run(["umount", folder / "exec/netns/default"], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dockerd(engine_room: Dockerd) -> Iterator[Dockerd]:
    """The engine, without containers before and after."""
    yield engine_room
    engine_room.resume()
    engine_room.clear()


@pytest.fixture(scope="module")
def swarm(engine_room: Dockerd) -> Iterator[Dockerd]:
    """The engine as the one manager of a swarm of one node."""
    engine_room.swarm("active", "init", "--advertise-addr", "127.0.0.1")
    yield engine_room
    engine_room.swarm("inactive", "leave", "--force")
    engine_room.clear()


class CuttingProxy:
    """Passes a unix socket on, and cuts every connection after a random time while `cutting`."""

    def __init__(self, target: Path, path: Path) -> None:
        self.path = path
        self.cuts = 0
        self.cutting = True
        self._refusing = False
        self._open: set[asyncio.StreamWriter] = set()
        self._target = target
        self._random = random.Random(3)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[CuttingProxy]:
        server = await asyncio.start_unix_server(self._connected, str(self.path))
        try:
            yield self
        finally:
            server.close()
            self.refuse()
            while self._open:
                await asyncio.sleep(0.01)

    def refuse(self) -> None:
        """Cut all that is open and let nothing in until `allow`."""
        self._refusing = True
        for writer in self._open:
            writer.transport.abort()

    def allow(self) -> None:
        self._refusing = False

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_unix_connection(str(self._target))
        except OSError:
            writer.transport.abort()
            return
        if self._refusing:  # meanwhile
            writer.transport.abort()
            up_writer.transport.abort()
            return
        self._open.add(writer)
        ways = [
            asyncio.create_task(_pass(reader, up_writer)),
            asyncio.create_task(_pass(up_reader, writer)),
        ]
        limit = self._random.uniform(0.1, 0.4) if self.cutting else None
        try:
            done, _ = await asyncio.wait(ways, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            self.cuts += not done
        finally:
            for way in ways:
                way.cancel()
            self._open.discard(writer)
            writer.transport.abort()
            up_writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 14):
            writer.write(data)
            await writer.drain()


Until = Callable[..., Awaitable[float]]


@pytest.fixture
def until() -> Until:
    """Wait until a thing is true; how long that took. Fails after `within` seconds."""

    async def wait(true: Callable[[], object], within: float = 60.0) -> float:
        began = time.monotonic()
        while not true():
            passed = time.monotonic() - began
            assert passed < within, f"still not so after {within} s"
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    return wait


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's engine may take its time, where a test asks once and wants the answer."""
    monkeypatch.setattr(engines, "ANSWER_WITHIN", 60.0)
    monkeypatch.setattr(details, "WITHIN", 60.0)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a path short enough for a unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="ck-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cutting(engine_room: Dockerd, short_folder: Path) -> CuttingProxy:
    return CuttingProxy(engine_room.socket, short_folder / "cut.sock")
