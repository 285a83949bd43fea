"""Every claim beside its bound, in one table; exit status 1 when a bound is broken.

    make bench

cockpit runs with a state directory of its own, which is removed. Ratios are within this run, so
that they mean something on any machine; on a busy one they still rise: run it on an idle one.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import (  # noqa: E402
    checklist,
    containers,
    find,
    first_paint,
    job,
    journal_append,
    link,
    log_flood,
    parse,
    session,
    terminal_bytes,
    thin_link,
)
from cockpit import paths  # noqa: E402
from cockpit.incident.events import IncidentDeclared, Severity  # noqa: E402
from cockpit.incident.journal import Journal  # noqa: E402

COCKPIT = str(Path(sys.executable).parent / "cockpit")
SIZE = (120, 40)
SECONDS = 5.0
APPENDS = 1000
PAIRS = 15
PARSED = 200
WATCHED_S = 60.0


@dataclass(frozen=True)
class Claim:
    """A measured value that may not be above its bound; None where nothing could be measured."""

    name: str
    value: float | None
    bound: float
    beside: str

    @property
    def holds(self) -> bool:
        return self.value is not None and self.value <= self.bound

    def line(self) -> str:
        value = "-" if self.value is None else f"{self.value:.2f}"
        verdict = "holds" if self.holds else "BROKEN"
        beside = "\n".join(line.rstrip() for line in self.beside.splitlines() if line.strip())
        return f"{self.name:44}{value:>10}{self.bound:>9.2f}  {verdict:8}{beside}"


def painted() -> Claim:
    name = "first paint / import textual.app"
    try:
        found = first_paint.compare([COCKPIT, "--new"], "no incident yet", pairs=PAIRS, size=SIZE)
    except AssertionError as error:
        return Claim(name, None, 1.6, f"never painted; {error}")
    beside = f"{found.first * 1000:.0f} ms / {found.alone * 1000:.0f} ms"
    return Claim(name, found.ratio, 1.6, beside)


def written(what: str, argv: list[str], until: str) -> Claim:
    name = f"bytes a second, {what}"
    try:
        _, theirs = terminal_bytes.measure(argv, "textual", SECONDS, SIZE, until)
        start, ours = terminal_bytes.measure(argv, "cockpit", SECONDS, SIZE, until)
    except (AssertionError, SystemExit) as error:
        return Claim(name, None, 400, str(error))
    return Claim(name, ours, 400, f"start {start} bytes; Textual's driver {theirs:.0f} a second")


def moved() -> Iterator[Claim]:
    cost = checklist.compare()
    beside = f"{cost.long:.1f} ms / {cost.short:.1f} ms of work, {cost.lines} lines"
    yield Claim(f"a key, {checklist.LONG} / {checklist.SHORT} commands", cost.ratio, 1.5, beside)
    beside = "from the key to the end of the repaint"
    yield Claim("a key, ms, the longest of 40", cost.longest, 100, beside)


def saved(directory: Path) -> Iterator[Claim]:
    times = journal_append.appending(directory, APPENDS)
    bare, ours = times["bare"]["p50_ms"], times["journal"]["p50_ms"]
    beside = f"{ours:.2f} ms / {bare:.2f} ms"
    yield Claim("append to saved / bare write+fsync, p50", ours / bare, 3, beside)
    held = times["append_returns"]
    beside = f"p50 {held['p50_ms']:.2f} ms"
    yield Claim("append holds its caller, ms, p99", held["p99_ms"], 5, beside)


def searched(directory: Path) -> Iterator[Claim]:
    found = find.measure(directory)
    beside = f"{found['cold_s']:.2f} s on the wall"
    yield Claim("index 2,000 runbooks cold, s of CPU", found["cold_cpu_s"], 5, beside)
    beside = f"{found['worst_ms']:.0f} ms on the wall; p50 {found['p50_cpu_ms']:.0f} ms"
    yield Claim("find in 2,000 runbooks, ms of CPU, worst", found["worst_cpu_ms"], 50, beside)


def carried() -> Iterator[Claim]:
    here, far = asyncio.run(session.compare(20))
    beside = f"{far.carried * 1000:.0f} ms / {far.alone * 1000:.0f} ms; "
    beside += f"here {here.carried * 1000:.0f} ms / {here.alone * 1000:.0f} ms"
    ratio = far.carried / far.alone
    yield Claim("an order in a session / by itself, ssh 200 ms", ratio, 1.15, beside)
    calls = max(here.calls_carried - here.calls_alone, far.calls_carried - far.calls_alone)
    yield Claim("calls that a session adds to an order", calls, 0, "")


def ordered() -> Iterator[Claim]:
    here, loopback, *far = asyncio.run(job.compare(20))
    beside = f"here {here.ms('ours')}; {loopback.both}"
    middle = statistics.median(loopback.ours) * 1000
    yield Claim("an order to its status, ms, ssh on loopback", middle, 100, beside)
    for each in far:
        yield Claim(f"the same / ssh with a master, {each.where}", each.ratio, 1, each.both)


def lost() -> Iterator[Claim]:
    for each in asyncio.run(link.compare(10, 2)):
        name = f"a black hole of 10 s, {each.where}"
        yield Claim(f"{name}: noticed, s", max(each.noticed), 3, "")
        yield Claim(f"{name}: flowing, s", max(each.flowing), 2, "from its end")


def watched() -> Iterator[Claim]:
    with containers.lab(containers.COUNT) as socket:
        ours = containers.measure(containers.COCKPIT, "c0", socket, WATCHED_S)
        theirs = containers.measure(["docker", "stats"], "c0", socket, WATCHED_S)
    beside = f"{ours.cpu:.2f} / {theirs.cpu:.2f} s a minute"
    yield Claim("60 containers, CPU / docker stats", ours.cpu / theirs.cpu, 1.9, beside)
    beside = f"docker stats {theirs.bytes / 1000:,.0f}"
    yield Claim("60 containers, kB a minute", ours.bytes / 1000, 15, beside)
    yield Claim("60 containers, MB of memory", ours.rss, 90, f"docker stats {theirs.rss:.0f}")


def flooded() -> Iterator[Claim]:
    with log_flood.engine("") as socket:
        writing = log_flood.Writing(socket)
        with writing.container("flood", log_flood.WRITER, 10_000) as name:
            found = log_flood.of_cockpit(socket, name, WATCHED_S)
        with writing.container("old-lines", log_flood.ONCE, log_flood.OLD) as name:
            opened = log_flood.opened(socket, name)
    yield Claim("10,000 lines/s, CPU s a minute", found.cpu, 20, "")
    yield Claim("10,000 lines/s, s behind, p95", log_flood.p95(found.behind), 1, "")
    yield Claim("10,000 lines/s, key to paint, ms, p95", log_flood.p95(found.keys) * 1000, 100, "")
    yield Claim("10,000 lines/s, kbit/s to the terminal", found.kbits, 64, "")
    yield Claim("10,000 lines/s, MB over idle", found.grown or 0.0, 60, "")
    yield Claim("100,000 lines opened, s", opened, 0.5, "")


def thin() -> Iterator[Claim]:
    for name, value, bound in thin_link.measure(20, 30.0, peer=False):
        yield Claim(name, value, bound, "")


def read() -> Claim:
    ratio, beside = parse.ratios(PARSED)
    return Claim("read our runbooks / markdown-it-py alone", ratio, 3.6, beside)


def open_incident() -> str:
    """The name of a new incident of the state directory, declared: its clock is on the screen."""
    journal = Journal.create(paths.incidents(), slug="bench", who="nobody")
    journal.append(IncidentDeclared(title="Checkout is down", severity=Severity.P1))
    if journal.close():
        raise SystemExit(f"Events could not be saved in {paths.incidents()}.")
    return journal.folder.name


def claims(directory: Path) -> Iterator[Claim]:
    yield painted()
    yield written("no incident", [COCKPIT, "--new"], "no incident yet")
    book = str(ROOT / "runbooks/00_first_five_minutes.md")
    argv = [COCKPIT, "--incident", open_incident(), "--runbook", book]
    yield written("open incident and runbook", argv, "Checkout is down")
    yield from saved(directory)
    yield from searched(directory)
    yield read()
    yield from moved()
    yield from carried()
    yield from ordered()
    yield from lost()
    yield from watched()
    yield from flooded()
    yield from thin()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-") as name:
        os.environ["COCKPIT_HOME"] = name
        os.chdir(name)  # away from any cockpit.yaml
        print(f"{'':44}{'measured':>10}{'at most':>9}")
        all_hold = True
        for claim in claims(Path(name)):
            print(claim.line(), flush=True)
            all_hold = all_hold and claim.holds
    return 0 if all_hold else 1


if __name__ == "__main__":
    sys.exit(main())
