"""What it costs to have 60 containers in sight: cockpit beside other programs that show them.

    python benchmarks/containers.py [--seconds 60] [--rounds 1] [--socket docker.sock] [PROGRAM …]
    python benchmarks/containers.py --many 30 300

Each runs in a pseudo-terminal of 120x40 that answers as a real one, on a dockerd of our own (needs
root) or on that of --socket, one after the other in the same minute. PROGRAM: docker stats, ctop,
lazydocker, dry, glances by their paths; those of PATH by default. What is not there is said. CPU is
of the process and all it started. --many: cockpit alone on made-up engines with so many containers.
Exit status 1 when cockpit takes more CPU than lazydocker, writes more than ctop, or holds 90 MB;
with --many, when the most containers cost over three times the CPU of the fewest.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.containers.conftest import Dockerd  # noqa: E402
from tests.screens.pty_terminal import Terminal  # noqa: E402

COCKPIT = [str(Path(sys.executable).parent / "cockpit"), "--new"]
PEERS = ("docker", "ctop", "lazydocker", "dry", "glances")
ARGUMENTS = {
    "docker": ["stats"],
    "glances": ["--disable-plugin", "all", "--enable-plugin", "docker"],
}
SIZE = (120, 40)
COUNT = 60
SETTLE = 8.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
# Every sixth works a little, so that numbers move.
BUSY = "while :; do i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; sleep 5; done"


@dataclass(frozen=True)
class Cost:
    """Of one program. cpu: seconds a minute. bytes: a minute, to the terminal. rss: MB.

    paint, listed: seconds from the start to the first bytes, and to the names of containers.
    """

    cpu: float
    bytes: float
    rss: float
    paint: float
    listed: float


def measure(argv: Sequence[str], shows: str, socket: Path, seconds: float) -> Cost:
    """Raises AssertionError with the screen when it never shows that text."""
    with tempfile.TemporaryDirectory(prefix="ck-") as home:
        env = {"DOCKER_HOST": f"unix://{socket}", "COCKPIT_HOME": home, "HOME": home}
        began = time.monotonic()
        with Terminal(argv, size=SIZE, whole_env=True, env=env) as terminal:
            terminal.read_until(lambda: terminal.received > 0, 30)
            paint = time.monotonic() - began
            terminal.read_until(lambda: shows in terminal.text(), 60)
            listed = time.monotonic() - began
            terminal.read_for(SETTLE)
            cpu, received, began = used(terminal.pid), terminal.received, time.monotonic()
            terminal.read_for(seconds)
            minutes = (time.monotonic() - began) / 60
            cpu, received = used(terminal.pid) - cpu, terminal.received - received
            return Cost(cpu / minutes, received / minutes, held(terminal.pid), paint, listed)


def used(pid: int) -> float:
    """CPU seconds of a process and of all it started, also of those that have ended."""
    ticks = 0
    for process in _tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(fields[place]) for place in (11, 12, 13, 14))
    return ticks / TICKS


def held(pid: int) -> float:
    """Megabytes in memory of a process and of all that it has running."""
    pages = 0
    for process in _tree(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * PAGE / 1e6


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


@contextlib.contextmanager
def lab(count: int) -> Iterator[Path]:
    """A dockerd of our own with so many containers; its socket."""
    with tempfile.TemporaryDirectory(prefix="ck-", ignore_cleanup_errors=True) as folder:
        dockerd = Dockerd(Path(folder))
        dockerd.start()
        try:
            dockerd.build_image()
            for number in range(count):
                dockerd.run(f"c{number:02}", "sleep 9999" if number % 6 else BUSY)
            yield dockerd.socket
        finally:
            dockerd.clear()
            dockerd.stop()


@contextlib.contextmanager
def made_up(count: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ck-") as folder:
        socket = Path(folder) / "docker.sock"
        argv = [sys.executable, "-m", "tests.containers.fake_engine", str(socket), str(count)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as engine:
            assert engine.stdout is not None and engine.stdout.readline() == b"ready\n"
            try:
                yield socket
            finally:
                engine.kill()


def line(name: str, cost: Cost) -> str:
    return (
        f"{name:16}{cost.cpu:12.2f}{cost.bytes / 1000:14.1f}{cost.rss:10.0f}"
        f"{cost.paint:14.2f}{cost.listed:14.2f}"
    )


HEAD = f"{'':16}{'CPU s/min':>12}{'kB/min':>14}{'RSS MB':>10}{'paint, s':>14}{'list, s':>14}"


def compare(programs: Sequence[str], socket: Path, seconds: float, rounds: int) -> dict[str, Cost]:
    """The last round of each; every round is printed."""
    found: dict[str, Cost] = {}
    commands = {"cockpit": COCKPIT} | {
        Path(one).name: [one, *ARGUMENTS.get(Path(one).name, [])] for one in programs
    }
    for _ in range(rounds):
        for name, argv in commands.items():
            try:
                found[name] = measure(argv, "c0", socket, seconds)
                print(line(name, found[name]), flush=True)
            except (AssertionError, OSError) as failed:
                print(f"{name:16} showed no list: {str(failed)[:300]}")
    return found


def broken(found: dict[str, Cost]) -> list[str]:
    """What of the claims does not hold."""
    ours, said = found.get("cockpit"), []
    if ours is None:
        return ["cockpit showed no list"]
    if (peer := found.get("lazydocker")) and ours.cpu > peer.cpu:
        said.append(f"more CPU than lazydocker: {ours.cpu:.2f} against {peer.cpu:.2f} s/min")
    if (peer := found.get("ctop")) and ours.bytes > max(peer.bytes, 15_000):
        said.append(f"more bytes than ctop: {ours.bytes:.0f} against {peer.bytes:.0f} a minute")
    if ours.rss > 90:
        said.append(f"more than 90 MB: {ours.rss:.0f}")
    return said


def many(counts: Sequence[int], seconds: float, rounds: int) -> list[str]:
    """The cost of each number of containers, in turns; what does not hold."""
    total = dict.fromkeys(counts, 0.0)
    for _ in range(rounds):
        for count in counts:
            with made_up(count) as socket:
                cost = measure(COCKPIT, "c10", socket, seconds)
            total[count] += cost.cpu
            print(line(f"{count} containers", cost), flush=True)
    ratio = total[max(counts)] / total[min(counts)]
    print(f"{max(counts)} containers cost {ratio:.1f} times the CPU of {min(counts)}")
    return [f"{ratio:.1f} is more than 3"] if ratio > 3 else []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each is measured")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--count", type=int, default=COUNT, help="containers on our dockerd")
    parser.add_argument("--socket", type=Path, help="an engine whose containers are c00 to c59")
    parser.add_argument("--many", type=int, nargs="+", metavar="N", help="made-up containers")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM")
    options = parser.parse_args()
    if options.many:
        print(HEAD)
        said = many(options.many, options.seconds, options.rounds)
    else:
        programs = options.programs or [name for name in PEERS if shutil.which(name)]
        missing = set(PEERS) - {Path(one).name for one in programs}
        if missing:
            print(f"not compared, as it is not here: {', '.join(sorted(missing))}")
        print(HEAD)
        with contextlib.ExitStack() as stack:
            socket = options.socket or stack.enter_context(lab(options.count))
            said = broken(compare(programs, socket, options.seconds, options.rounds))
    print("\n".join(said))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
