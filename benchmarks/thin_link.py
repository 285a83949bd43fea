"""Keys on a thin link: through real OpenSSH without compression, while a log is followed.

    python benchmarks/thin_link.py [--keys 40] [--stall 30] [--peer]

cockpit runs on a machine that is reached by `ssh -tt` over a link of so many bytes a second and so
long a round trip. A key moves the cursor in the runbook; what is counted is the time until that is
on the screen. Then the link takes nothing towards the screen for a while. With --peer the same keys
with Textual's own driver, in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shlex
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.containers.conftest import Dockerd  # noqa: E402
from tests.lab.proxy import Proxy  # noqa: E402
from tests.lab.sshd import Sshd, sshd  # noqa: E402
from tests.screens.beating_cockpit import gaps  # noqa: E402
from tests.screens.pty_terminal import Terminal  # noqa: E402

PROGRAM: Final = ROOT / "tests/screens/beating_cockpit.py"
BOOK: Final = ROOT / "runbooks/01_database_connection_loss.md"
SIZE: Final = (120, 40)
NUMBER: Final = re.compile(r"line (\d+) of")
LONGEST: Final = 60.0


@dataclass(frozen=True)
class Case:
    """A link, what comes in the log, and what a key may take on it."""

    rate: int
    rtt: float
    lines: int
    median: float
    p95: float

    def __str__(self) -> str:
        return f"{self.rate // 1000} kB/s, {self.rtt * 1000:.0f} ms, {self.lines} lines/s"


CASES: Final = (
    Case(16_000, 0.3, 5, 0.5, 1.5),
    Case(16_000, 0.3, 1_000, 0.5, 1.5),
    Case(4_000, 0.6, 5, 2.0, 6.0),
)


@dataclass
class Link:
    """The proxy, in a thread of its own, told from this one."""

    proxy: Proxy
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event

    def tell(self, act: Callable[[], object]) -> None:
        """Calls it where the proxy lives, and waits for that."""
        told = threading.Event()

        def call() -> None:
            act()
            told.set()

        self.loop.call_soon_threadsafe(call)
        told.wait()


@contextmanager
def thin(port: int, case: Case) -> Iterator[Link]:
    """A link to a port of this machine as the case has it."""
    ready = threading.Event()
    found: list[Link] = []

    async def serve() -> None:
        async with Proxy("127.0.0.1", port) as proxy:
            proxy.delay(case.rtt / 2 * 1000)
            proxy.choke(case.rate)
            found.append(Link(proxy, asyncio.get_running_loop(), asyncio.Event()))
            ready.set()
            await found[0].ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        found[0].tell(found[0].ended.set)
        thread.join(10)


@dataclass
class Writer:
    """What writes lines into the container, in a thread: so many a second, each with its number."""

    pipe: Path
    rate: int
    number: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Writer:
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def _write(self) -> None:
        began, sent = time.monotonic(), 0
        with self.pipe.open("wb", buffering=0) as pipe:
            while not self._ended.wait(max(0.02, 1 / self.rate)):
                due = int((time.monotonic() - began) * self.rate)
                lines = [
                    f"INFO line {number} of checkout: charged order {number * 7919 % 99991}\n"
                    for number in range(sent + 1, due + 1)
                ]
                pipe.write("".join(lines).encode())
                self.number = sent = due


@contextmanager
def running(case: Case, room: Dockerd, server: Sshd, driver: str) -> Iterator[Run]:
    """cockpit on the far side of the link, following a log."""
    folder = Path(tempfile.mkdtemp(prefix="ck-"))
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    room.run("checkout", "exec 3<>/feed/pipe; exec cat <&3", "-v", f"{folder}:/feed")
    environ = {
        "COCKPIT_HOME": folder / "state",
        "DOCKER_HOST": f"unix://{room.socket}",
        "COCKPIT_DRIVER": driver,
        "LANG": "C.UTF-8",
        "COLORTERM": "truecolor",
    }
    words = [f"{name}={value}" for name, value in environ.items()]
    far = shlex.join(["env", *words, sys.executable, str(PROGRAM), str(folder / "gaps"),
                      "--new", "--runbook", str(BOOK)])  # fmt: skip
    with thin(server.port, case) as link, Writer(pipe, case.lines) as writer:
        config = server.client_config(folder, link.proxy.port)
        argv = ["ssh", "-F", str(config), "-o", "Compression=no", "-tt", server.host, far]
        with Terminal(argv, size=SIZE) as terminal:
            run = Run(case, terminal, link, writer, folder / "gaps")
            run.begin()
            yield run
    room.docker("rm", "-f", "checkout")


@dataclass
class Run:
    """One cockpit under measurement."""

    case: Case
    terminal: Terminal
    link: Link
    writer: Writer
    gaps: Path

    def begin(self) -> None:
        terminal = self.terminal
        terminal.read_until(lambda: "Database Connection" in terminal.text(), LONGEST)
        terminal.read_until(lambda: "checkout" in terminal.text(), LONGEST)
        terminal.type("1")
        terminal.read_until(lambda: "━1 Containers" in terminal.text(), LONGEST)
        terminal.type("\r")
        terminal.read_until(lambda: self.newest() > 0, LONGEST)
        terminal.type("3")
        terminal.read_until(lambda: "━3 Runbook" in terminal.text(), LONGEST)
        terminal.read_for(1.5)

    def newest(self) -> int:
        """The highest number of a line on the screen; 0 where none is."""
        return max(map(int, NUMBER.findall(self.terminal.text())), default=0)

    def book(self) -> list[str]:
        """The cells of the runbook."""
        return [row[SIZE[0] // 2 :] for row in self.terminal.text().split("\n")[1:24]]

    def differs(self, book: list[str]) -> bool:
        return self.book() != book

    def keys(self, count: int) -> list[float]:
        """Seconds from a key to its paint, for so many keys."""
        took = []
        for index in range(count):
            before, pressed = self.book(), time.monotonic()
            self.terminal.type("jjk"[index % 3])
            self.terminal.read_until(partial(self.differs, before), LONGEST)
            took.append(time.monotonic() - pressed)
            self.terminal.read_for(random.uniform(0.2, 0.8))
        return took

    def stalled(self, seconds: float) -> tuple[float, float, int]:
        """Nothing comes for a while.

        Returns how long the loop was held up at most, how long after the end of it a line was shown
        that was written since, and how many bytes came until then.
        """
        proxy, began = self.link.proxy, time.monotonic()
        self.link.tell(lambda: proxy.stall("down"))
        self.terminal.read_for(seconds)
        due, received, ended = self.writer.number, self.terminal.received, time.monotonic()
        self.link.tell(proxy.restore)
        self.terminal.read_until(lambda: self.newest() >= due, LONGEST)
        took = time.monotonic() - ended
        return max(gaps(self.gaps, began), default=0.0), took, self.terminal.received - received

    def quits(self) -> float:
        """Seconds until the program is gone after q, while nothing comes from it."""
        (program,) = self.programs()
        proxy = self.link.proxy
        self.link.tell(lambda: proxy.stall("down"))
        self.terminal.read_for(1)
        pressed = time.monotonic()
        self.terminal.type("q")
        while self.programs() == [program] and time.monotonic() - pressed < LONGEST:
            self.terminal.read(0.02)
        return time.monotonic() - pressed

    def programs(self) -> list[int]:
        """The processes that run our program with our file."""
        wanted = [str(PROGRAM).encode(), str(self.gaps).encode()]
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[1:3] == wanted:
                found.append(int(entry.name))
        return found


@contextmanager
def engine() -> Iterator[Dockerd]:
    """A Docker engine of our own."""
    room = Dockerd(Path(tempfile.mkdtemp(prefix="ck-")))
    room.start()
    try:
        room.build_image()
        yield room
    finally:
        room.clear()
        room.stop()


def measure(
    count: int, stall: float, *, peer: bool = False, cases: tuple[Case, ...] = CASES
) -> Iterator[tuple[str, float, float]]:
    """What was measured, in seconds, and its bound; as it comes."""
    with engine() as room, sshd() as server:
        for case in cases:
            with running(case, room, server, "cockpit") as run:
                received, began = run.terminal.received, time.monotonic()
                took = sorted(run.keys(count))
                rate = (run.terminal.received - received) / (time.monotonic() - began)
                yield f"key to paint, median ({case})", statistics.median(took), case.median
                yield f"key to paint, p95 ({case})", took[int(len(took) * 0.95)], case.p95
                yield f"kB/s to the terminal ({case})", rate / 1000, case.rate / 1000
                if stall and case is cases[0]:
                    held, after, size = run.stalled(stall)
                    yield f"loop held up at most, {stall:.0f} s without a byte", held, 0.3
                    yield "current again after it", after, 2.0
                    yield "kB until then", size / 1000, 12.0
                    yield "gone after q, without a byte", run.quits(), 3.0
            if peer and case is cases[0]:
                with running(case, room, server, "textual") as run:
                    took = sorted(run.keys(max(5, count // 8)))
                    yield f"Textual's own driver, median ({case})", statistics.median(took), LONGEST


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keys", type=int, default=40, help="how many keys, each")
    parser.add_argument("--stall", type=float, default=30.0, help="seconds without a byte")
    parser.add_argument("--peer", action="store_true", help="also with Textual's own driver")
    options = parser.parse_args()
    broken = 0
    for name, value, bound in measure(options.keys, options.stall, peer=options.peer):
        broken += value > bound
        word = "" if value <= bound else "  BROKEN"
        print(f"{name:62} {value:7.2f}  at most {bound:g}{word}", flush=True)
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
