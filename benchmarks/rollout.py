"""A rollout on 50 hosts while somebody works with it: key to paint, and gaps of the event loop.

    python benchmarks/rollout.py [--hosts 50] [--max 100]

Real parts: 50 names of one sshd on loopback, cockpit in a pseudo-terminal. Keys move the cursor
while the links are dialed, while they are up, and while a job of twenty seconds runs on all hosts
at once; each is timed until the cursor is there on the screen. Exit status 1 where half of the keys
took longer than `--max` milliseconds in a phase.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.screens.pty_terminal import Terminal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

HOSTS = 50
SIZE = (120, 40)
TOP = 9
"""Rows that keys move among: in sight from the start."""
TICK = 0.005
BOOK = """# Many
## Diagnosis
### Step 1: Look
```bash
for i in $(seq 20); do echo "line $i of <host>"; sleep 1; done
```
"""


@dataclass(frozen=True)
class Phase:
    """Milliseconds of each key, and of the longest gap of the loop meanwhile; seconds it took."""

    name: str
    keys: tuple[float, ...]
    gap: float
    took: float

    def line(self) -> str:
        slow = sum(key > 100 for key in self.keys)
        return (
            f"{self.name:18}{self.took:5.1f} s, {len(self.keys):3} keys: median"
            f" {median(self.keys):4.0f} ms, longest {max(self.keys):4.0f} ms, {slow} over 100 ms;"
            f" longest gap of the loop {self.gap:4.0f} ms"
        )


def cockpit(book: str, gaps: str) -> int:
    """Cockpit itself, with a clock on its event loop that writes down when it came late."""
    import screens.app
    from cockpit import config, paths
    from cockpit.responder import Responder

    late: list[tuple[float, float]] = []

    class Watched(screens.app.CockpitApp):
        def on_mount(self) -> None:
            super().on_mount()
            self._clock = asyncio.create_task(self._tick())

        async def _tick(self) -> None:
            last = time.monotonic()
            while True:
                await asyncio.sleep(TICK)
                now = time.monotonic()
                late.append((now, now - last - TICK))
                last = now

    screens.app.CockpitApp = Watched  # type: ignore[misc]
    responder = Responder(paths.incidents(), "bench", config.load())
    status = screens.app.run(responder, screens.app.Opening(runbook=Path(book)))
    Path(gaps).write_text(json.dumps(late))
    return status


def measure(hosts: int) -> list[Phase]:
    """All phases, one after the other."""
    from tests.screens.pty_terminal import Terminal
    from tests.target import ground

    home = Path(tempfile.mkdtemp(prefix="cockpit-bench-"))
    ground.keygen(home / "id_test")
    lab = ground.Lab(home)
    server = lab.sshd("MaxSessions 100\nMaxStartups 200")
    names = [f"web-{number}" for number in range(1, hosts + 1)]
    entries = [
        f"Host {name}\n  HostName 127.0.0.1\n  Port {server.port}\n"
        f"  HostKeyAlias [127.0.0.1]:{server.port}"
        for name in names
    ]
    listed = "".join(f"  {name}: {{labels: [web]}}\n" for name in names)
    (home / "cockpit.yaml").write_text(f"hosts:\n{listed}ssh_config: {lab.config(*entries)}\n")
    (home / "book.md").write_text(BOOK)
    gaps = home / "gaps.json"
    env = {
        "COCKPIT_HOME": str(home / "state"),
        "COCKPIT_CONFIG": str(home / "cockpit.yaml"),
        "HOME": str(home),
        "PATH": os.environ["PATH"],
    }
    argv = [sys.executable, __file__, "--inner", str(home / "book.md"), str(gaps)]
    spans: list[tuple[str, float, list[float], float]] = []
    try:
        with Terminal(argv, size=SIZE, env=env) as terminal:
            before_the_hosts(terminal.pid)
            before_the_hosts(os.getpid())
            terminal.read_until(lambda: "Step 1: Look" in terminal.text(), 60)
            terminal.read_for(1)
            terminal.type("P")
            terminal.read_until(lambda: "which label" in terminal.text(), 20)
            terminal.type("\r")
            terminal.read_until(lambda: "Dry list" in terminal.text(), 20)
            spans.append(keys(terminal, "links are dialed", lambda: dialed(terminal, hosts)))
            terminal.type("+" * (hosts - 5))
            terminal.read_until(lambda: f"then {hosts - 1} at a time" in terminal.text(), 20)
            spans.append(keys(terminal, "links are up", lambda: False, at_most=5))
            terminal.type("\r")
            terminal.read_until(lambda: "+ 1 ok" in terminal.text(), 60)
            spans.append(keys(terminal, "jobs are sent", lambda: all_sent(terminal)))
            spans.append(keys(terminal, "jobs run", lambda: "+ 1 ok" not in terminal.text()))
            terminal.read_until(lambda: "Done." in terminal.text(), 60)
            if f"+ {hosts} ok" not in terminal.text():
                raise SystemExit(f"not all hosts worked:\n{terminal.text()}")
            terminal.type("\x1b")
            terminal.read_for(1)
            terminal.type("\x11")
            terminal.wait(20)
    finally:
        server.stop()
        late = json.loads(gaps.read_text()) if gaps.exists() else []
        shutil.rmtree(home, ignore_errors=True)
    return [
        Phase(
            name,
            tuple(key * 1000 for key in took),
            max((gap for at, gap in late if start <= at <= end), default=0.0) * 1000,
            end - start,
        )
        for name, start, took, end in spans
    ]


def before_the_hosts(pid: int) -> None:
    """Lets a process have the processors first: the hosts would be other machines, and Linux gives
    each session of theirs here as much as it gives cockpit. Needs root; else nothing happens."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -15)
        Path(f"/proc/{pid}/autogroup").write_text("-20")


def dialed(terminal: Terminal, hosts: int) -> bool:
    return f"{hosts} of {hosts} hosts" in terminal.text().split("\n")[0]


def all_sent(terminal: Terminal) -> bool:
    counts = terminal.text().split("\n")[1]
    return "waiting" not in counts and "sending" not in counts


def keys(
    terminal: Terminal, name: str, done: Callable[[], bool], at_most: float = 120
) -> tuple[str, float, list[float], float]:
    """Moves the cursor down and up until something holds; the seconds of each key."""
    start = time.monotonic()
    took: list[float] = []
    by = 1
    while not done() and time.monotonic() < start + at_most:
        at = pointed(terminal)
        by = 1 if at <= 1 else -1 if at >= TOP else by
        wanted = at + by
        pressed = time.monotonic()
        terminal.type("j" if by > 0 else "k")
        terminal.read_until(lambda wanted=wanted: pointed(terminal) == wanted, 20)  # type: ignore[misc]
        took.append(time.monotonic() - pressed)
        terminal.read_for(0.1)
    return name, start, took, time.monotonic()


def pointed(terminal: Terminal) -> int:
    """The number of the host that the cursor is on; 0: none is in sight."""
    for line in terminal.text().split("\n"):
        if line.startswith(">") and "web-" in line:
            return int(line.split("web-")[1].split()[0])
    return 0


def main() -> int:
    if sys.argv[1:2] == ["--inner"]:
        return cockpit(*sys.argv[2:4])
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--max", type=float, default=100.0, help="most ms of the median key")
    options = parser.parse_args()
    phases = measure(options.hosts)
    for phase in phases:
        print(phase.line())
    return int(any(median(phase.keys) > options.max for phase in phases))


if __name__ == "__main__":
    sys.exit(main())
