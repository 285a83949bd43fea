"""A container that writes 10,000 lines a second: cockpit beside other programs that follow it.

    python benchmarks/log_flood.py [--seconds 60] [--rate 10000] [--socket docker.sock] [PROGRAM …]

PROGRAM: lnav, toolong (its `tl`), docker, by names or paths; those of PATH by default. What is not
there is said. Each runs alone in a pseudo-terminal of 120x40 on a dockerd of our own (needs root)
or on that of --socket. Every line has the time in it at which it was written, so the newest on the
screen tells how far behind it is. CPU is of the program and all it started: what dockerd takes for
a follower is not in it. Then: how long until the newest of 100,000 lines is on the screen.
Exit status 1 when cockpit breaks one of these: 20 s of CPU a minute, 1 s behind, 100 ms
from key to paint (p95), 64 kbit/s, 60 MB over idle, 0.5 s to open.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.containers import held, used  # noqa: E402
from tests.containers.conftest import Dockerd  # noqa: E402
from tests.lab.image.build import image_tar  # noqa: E402
from tests.screens.pty_terminal import Terminal  # noqa: E402

COCKPIT = str(Path(sys.executable).parent / "cockpit")
IMAGE = "flood:1"
SIZE = (120, 40)
SETTLE_S = 5.0
KEYS = 40
OLD = 100_000
STAMP = re.compile(r"\b1\d{9}\.\d{3}\b")
RAW_STAMP = re.compile(rb"\b1\d{9}\.\d{3}\b")
WRITER = """
import os, sys, time
rate = int(sys.argv[1])
number, due = 0, time.time()
while True:
    now = f"{time.time():.3f}"
    lines = []
    for _ in range(rate // 100):
        number += 1
        level = "INFO" if number % 100 else "ERROR"
        lines.append(f"{now} {level} request {number} GET /api/v1/orders/{number % 997} 200 "
                     f"{number % 37} ms user={number % 1009} trace={number:016x}\\n")
    os.write(1, "".join(lines).encode())
    due += 0.01
    time.sleep(max(0.0, due - time.time()))
"""
ONCE = """
import sys, time
for number in range(int(sys.argv[1])):
    print(f"{time.time():.3f} INFO line {number} of those that were there before it was opened")
print("the newest of them", flush=True)
time.sleep(10**6)
"""


@dataclass
class Flooded:
    """cpu: seconds a minute. behind: seconds, each look. kbits: a second, to the terminal. grown:
    MB over idle; None where it is not known. keys: seconds from key to paint, each."""

    cpu: float
    behind: list[float]
    kbits: float
    rss: float
    grown: float | None = None
    keys: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        behind = f"{statistics.median(self.behind):.2f} / {max(self.behind):.2f}"
        grown = "" if self.grown is None else f"{self.grown:.0f}"
        keys = f"{p95(self.keys) * 1000:.0f}" if self.keys else ""
        return (
            f"{name:16}{self.cpu:10.1f}{behind:>18}{self.kbits:12.0f}{self.rss:9.0f}"
            f"{grown:>8}{keys:>10}"
        )


HEADER = (
    f"{'':16}{'CPU s/min':>10}{'behind s, max':>18}{'kbit/s':>12}{'RSS MB':>9}"
    f"{'grown':>8}{'key ms':>10}"
)


def p95(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


@contextlib.contextmanager
def started(socket: Path, argv: Sequence[str]) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory(prefix="ck-") as home:
        env = {"DOCKER_HOST": f"unix://{socket}", "COCKPIT_HOME": home, "HOME": home}
        with Terminal(argv, size=SIZE, whole_env=True, env=env) as terminal:
            yield terminal


def behind(terminal: Terminal, raw: bool) -> float | None:
    """How old the newest line on the screen is; of a program that draws nothing, the last byte."""
    if raw:
        found = RAW_STAMP.findall(bytes(terminal.raw[-20_000:]))
        newest = max(map(float, found), default=0.0)
    else:
        newest = max(map(float, STAMP.findall(terminal.text())), default=0.0)
    return time.time() - newest if newest else None


def watch(terminal: Terminal, seconds: float, *, raw: bool = False) -> Flooded:
    """What it costs from now on."""
    cpu, received, began = used(terminal.pid), terminal.received, time.monotonic()
    looks: list[float] = []
    while (passed := time.monotonic() - began) < seconds:
        until = time.monotonic() + 0.25
        while (left := until - time.monotonic()) > 0:
            terminal.read(left)
        if (late := behind(terminal, raw)) is not None:
            looks.append(late)
        if raw:
            del terminal.raw[:-20_000]
    cpu, received = used(terminal.pid) - cpu, terminal.received - received
    if not looks:
        raise AssertionError("no line came to be seen on:\n" + terminal.text())
    kbits = received * 8 / 1000 / passed
    return Flooded(cpu / passed * 60, looks, kbits, held(terminal.pid))


class Bytes(Terminal):
    """For a program that writes every line: a terminal that does not lay them out."""

    def _feed(self, data: bytes) -> None:
        pass


def of_cockpit(socket: Path, name: str, seconds: float) -> Flooded:
    with started(socket, [COCKPIT, "--new"]) as terminal:
        terminal.read_until(lambda: name in terminal.text(), 30)
        terminal.read_for(SETTLE_S)
        idle = held(terminal.pid)
        terminal.type("1")
        terminal.read_for(1.0)
        terminal.type("\r")
        terminal.read_until(lambda: "following" in terminal.text(), 20)
        terminal.read_for(SETTLE_S)
        found = watch(terminal, seconds)
        found.grown = found.rss - idle
        for number in range(KEYS):
            wanted = "following" if number % 2 else "paused"
            pressed = time.monotonic()
            terminal.type("f")
            while wanted not in terminal.text():
                assert terminal.read(0.005) and time.monotonic() - pressed < 10, terminal.text()
            found.keys.append(time.monotonic() - pressed)
            terminal.read_for(0.13)
        return found


def of_peer(socket: Path, command: str, seconds: float, *, raw: bool = False) -> Flooded:
    kind = Bytes if raw else Terminal
    with tempfile.TemporaryDirectory(prefix="ck-") as home:
        env = {"DOCKER_HOST": f"unix://{socket}", "HOME": home}
        with kind(["sh", "-c", command], size=SIZE, whole_env=True, env=env) as terminal:
            terminal.read_for(2 * SETTLE_S)
            return watch(terminal, seconds, raw=raw)


def opened(socket: Path, name: str) -> float:
    """Seconds from the key until the newest of many lines is there."""
    with started(socket, [COCKPIT, "--new"]) as terminal:
        terminal.read_until(lambda: name in terminal.text(), 30)
        terminal.type("1")
        terminal.read_for(SETTLE_S)
        pressed = time.monotonic()
        terminal.type("\r")
        while "the newest of them" not in terminal.text():
            assert terminal.read(0.005) and time.monotonic() - pressed < 60, terminal.text()
        return time.monotonic() - pressed


@contextlib.contextmanager
def engine(given: str) -> Iterator[Path]:
    """The socket of an engine that has the image."""
    if given:
        yield Path(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="ck-"))
    dockerd = Dockerd(folder)
    dockerd.start()
    try:
        yield dockerd.socket
    finally:
        dockerd.clear()
        dockerd.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Writing:
    """One container at a time; the one before is removed."""

    def __init__(self, socket: Path) -> None:
        self._docker = ["docker", "-H", f"unix://{socket}"]
        with image_tar().open("rb") as tar:
            self._run("import", "-", IMAGE, stdin=tar)

    def _run(self, *arguments: str, stdin: object = None) -> None:
        command = [*self._docker, *arguments]
        subprocess.run(command, check=True, capture_output=True, stdin=stdin)  # type: ignore[call-overload]

    @contextlib.contextmanager
    def container(self, name: str, program: str, argument: int) -> Iterator[str]:
        options = ["-d", "--name", name, "--network", "none", "--stop-timeout", "1"]
        self._run("run", *options, IMAGE, "python3", "-u", "-c", program, str(argument))
        try:
            yield name
        finally:
            self._run("rm", "-f", "-v", name)


def commands(programs: Sequence[str], name: str) -> Iterator[tuple[str, str, bool]]:
    """Name, shell command and whether it writes every line, of those that are there."""
    follow = f"docker logs -f --tail 500 {name} 2>&1"
    for program in programs:
        path = shutil.which(program) or (shutil.which("tl") if program == "toolong" else None)
        if path is None:
            print(f"{program:16} is not here, so it is not measured")
        elif Path(path).name == "docker":
            yield "docker logs -f", f"exec {follow}", True
        else:
            yield Path(path).name, f"{follow} | {shlex.quote(path)}", False


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to look, each")
    parser.add_argument("--rate", type=int, default=10_000, help="lines a second")
    parser.add_argument("--socket", default="", help="an engine that is there already")
    parser.add_argument("programs", nargs="*", default=["lnav", "toolong", "docker"])
    options = parser.parse_args()
    os.environ.pop("NO_COLOR", None)
    with engine(options.socket) as socket:
        writing = Writing(socket)
        print(f"{options.rate:,} lines a second, {options.seconds:.0f} s each, 120x40\n{HEADER}")
        with writing.container("flood", WRITER, options.rate) as name:
            ours = of_cockpit(socket, name, options.seconds)
        print(ours.line("cockpit"), flush=True)
        for program, command, raw in commands(options.programs, "flood"):
            with writing.container("flood", WRITER, options.rate):
                try:
                    found = of_peer(socket, command, options.seconds, raw=raw)
                    print(found.line(program), flush=True)
                except AssertionError as failed:
                    print(f"{program:16} {str(failed).splitlines()[0]}")
        with writing.container("old-lines", ONCE, OLD) as name:
            time.sleep(SETTLE_S)
            times = sorted(opened(socket, name) for _ in range(3))
        print(f"\n{OLD:,} lines opened in {', '.join(f'{one:.2f}' for one in times)} s")
    bounds = {
        "CPU seconds a minute": (ours.cpu, 20),
        "seconds behind, p95": (p95(ours.behind), 1.0),
        "ms from key to paint, p95": (p95(ours.keys) * 1000, 100),
        "kbit/s": (ours.kbits, 64),
        "MB over idle": (ours.grown or 0.0, 60),
        "seconds to open": (times[1], 0.5),
    }
    broken = [f"{what}: {value:.2f}, at most {most}" for what, (value, most) in bounds.items()
              if value > most]  # fmt: skip
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
