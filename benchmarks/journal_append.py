"""What a journal costs: append to saved, against a bare write and fsync, in the same run.

    python benchmarks/journal_append.py [--events 1000] [--directory DIR]

Three ways in turns, so that whatever else the machine does hits all of them: a bare write+fsync of
as many bytes; append, then wait until it is saved; and a burst of 20 appends, then wait for the
last. Then how long append keeps its caller, and the time to read 100,000 records. The last line of
the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cockpit.incident.events import NoteAdded
from cockpit.incident.journal import Journal, read
from cockpit.incident.records import digest, seal, unseal

BURST = 20
RECORDS = 100_000
TEXT = "the checkout service answers 503 since 03:12, the pool is exhausted"


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def spread(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}


def appending(directory: Path, events: int) -> dict[str, dict[str, float]]:
    journal = Journal.create(directory, slug="benchmark", who="nobody")
    journal.wait_saved(1, 10)
    line = (journal.folder / "journal.jsonl").read_bytes()
    bare_fd = os.open(directory / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def bare() -> None:
        os.write(bare_fd, line)
        os.fsync(bare_fd)

    def one() -> None:
        journal.wait_saved(journal.append(NoteAdded(text=TEXT)).seq, 10)

    def burst() -> None:
        records = [journal.append(NoteAdded(text=TEXT)) for _ in range(BURST)]
        journal.wait_saved(records[-1].seq, 10)

    def only_append() -> None:
        journal.append(NoteAdded(text=TEXT))

    times: dict[str, list[float]] = {"bare": [], "journal": [], "burst": []}
    for number in range(events):
        times["bare"].append(timed(bare))
        times["journal"].append(timed(one))
        if number % BURST == 0:
            times["burst"].append(timed(burst))
    times["append_returns"] = [timed(only_append) for _ in range(events)]
    assert journal.close() == 0
    return {name: spread(found) for name, found in times.items()}


def reading(directory: Path) -> tuple[float, float]:
    journal = Journal.create(directory, slug="long", who="nobody")
    journal.append(NoteAdded(text=TEXT))
    assert journal.close() == 0
    file = journal.folder / "journal.jsonl"
    lines = file.read_bytes().splitlines()
    body, _ = unseal(lines[-1])
    for number in range(3, RECORDS + 1):
        part = body.replace(b'"seq": 2', b'"seq": %d' % number)
        lines.append(seal(part.replace(b'"id": "', b'"id": "%d-' % number), digest(lines[-1])))
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    began, busy = time.perf_counter(), time.process_time()
    history = read(journal.folder)
    took, busy = time.perf_counter() - began, time.process_time() - busy
    assert len(history.records) == RECORDS
    assert not history.damage
    return round(took, 2), round(busy, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--directory", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.directory) as name:
        found = appending(Path(name), asked.events)
        seconds, cpu = reading(Path(name))
    for what, times in found.items():
        print(f"{what:16} p50 {times['p50_ms']:7.3f} ms   p99 {times['p99_ms']:7.3f} ms")
    ratio = round(found["journal"]["p50_ms"] / found["bare"]["p50_ms"], 2)
    print(f"journal / bare, p50: {ratio}")
    print(f"{RECORDS} records read in {seconds} s ({cpu} s of CPU)")
    print(
        json.dumps(found | {"ratio_p50": ratio, "read_seconds": seconds, "read_cpu_seconds": cpu})
    )


if __name__ == "__main__":
    main()
