"""A million lines in the log window: taking them in, the room they need, finding something in them.

    python benchmarks/log_window.py [--lines 1000000] [--max-us 12] [--max-room 2.0]

The lines have about 100 characters, of a service's log. Beside each time stands that of a plain
list of strings in the same run: appended with its own look at the level left out, and searched by
`re` line by line. All are seconds of processor time. Exit status 1 when taking in a line takes more
than --max-us microseconds, when the room is more than --max-room times the text, or when a search
takes longer than --slowest times the same on the list. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from cockpit.logs.line import Level, Line, Stream
from cockpit.logs.view import Query, Search, View, pattern
from cockpit.logs.window import Window
from cockpit.text import Safe

LINES = 1_000_000
BATCH = 2_500
_WORDS = """checkout billing order user timeout retry cache queue request response handler payment
session token index shard replica lease commit offset""".split()  # noqa: SIM905
_LEVELS = ("INFO ", "INFO ", "INFO ", "INFO ", "DEBUG", "WARN ", "ERROR")
SEARCHED = {
    "nothing has it": "no such words",
    "one has it": "id=777777 ",
    "rare": "shard=99 ",
    "capital counts": "ERROR",
    "small letters": "error",
    "frequent": "timeout",
    "every line": "e",
    "either of two": "refused|timeout",
    "regex, rare": r"shard=9\d id=\d+00 ",
    "regex, two words": "timeout.*payment",
    "regex, no literal": r"[0-9a-f]{14}",
}


def made(count: int, seed: int = 3) -> list[Line]:
    """Lines as a service writes them, some milliseconds apart."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        words = " ".join(chance.choices(_WORDS, k=6))
        text = (
            f"2026-11-21T03:{number // 60_000 % 60:02}:{number // 1000 % 60:02}.{number % 1000:03}Z"
        )
        text += f" {chance.choice(_LEVELS)} [pool-{number % 9}] {words} shard={number % 100}"
        lines.append(Line(number * 10**6 + 1, Stream.STDOUT, Safe(f"{text} id={number} x")))
    return lines


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def timed(lines: list[str], window: Window, words: str) -> dict[str, float]:
    """Seconds of one search, the longest slice of it in ms, and seconds of the same on a list."""
    wanted = pattern(words)
    view = View(window)
    begun = time.process_time()
    search = Search(view, wanted)
    worst, done = 0.0, False
    while not done:
        at = time.thread_time()
        done = search.work(0.003)
        worst = max(worst, time.thread_time() - at)
    ours = time.process_time() - begun
    begun = time.process_time()
    found = sum(1 for line in lines if wanted.search(line))
    plain = time.process_time() - begun
    assert len(search) == found, (words, len(search), found)
    return {"found": found, "s": ours, "list_s": plain, "slice_ms": worst * 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--max-us", type=float)
    parser.add_argument("--max-room", type=float)
    parser.add_argument("--slowest", type=float)
    asked = parser.parse_args()

    count = asked.lines
    # Made in pieces, so that what is measured is the window and not what it is fed.
    window = Window(1 << 40)
    size, took, room = 0, 0.0, 0
    for start in range(0, count, 50_000):
        lines = made(min(50_000, count - start), start)
        lines = [Line(one.at + start * 10**6, *one[1:]) for one in lines]
        size += sum(len(one.text) for one in lines)
        before, begun = resident(), time.process_time()
        for at in range(0, len(lines), BATCH):
            window.add(0, lines[at : at + BATCH])
        took += time.process_time() - begun
        room += resident() - before
        del lines
    texts = [str(window[number].line.text) for number in range(window.first, window.end)]
    begun = time.process_time()
    plain: list[str] = []
    for text in texts:
        plain.append(text)
    listed = time.process_time() - begun

    us, ratio = took / count * 1e6, room / size
    print(f"{count:,} lines of {size / count:.0f} characters")
    print(
        f"taken in: {us:.1f} us a line (a list of strings, no levels: {listed / count * 1e6:.2f})"
    )
    print(f"room: {room / 1e6:.0f} MB, {ratio:.2f} times the text")
    begun = time.process_time()
    view = View(window, Query(least=Level.WARN))
    while not view.work():
        pass
    filtered = time.process_time() - begun
    print(f"warnings and errors alone: {len(view):,} lines in {filtered:.2f} s")
    print(f"{'search':20} {'found':>9} {'s':>6} {'list s':>7} {'ratio':>6} {'slice ms':>9}")
    found = {}
    for name, words in SEARCHED.items():
        one = found[name] = timed(texts, window, words)
        one["ratio"] = one["s"] / one["list_s"]
        print(
            f"{name:20} {one['found']:9,.0f} {one['s']:6.2f} {one['list_s']:7.2f}"
            f" {one['ratio']:6.2f} {one['slice_ms']:9.1f}"
        )
    slowest = max(one["ratio"] for one in found.values())
    print(
        json.dumps(
            {
                "us_per_line": round(us, 2),
                "room_ratio": round(ratio, 2),
                "filter_s": round(filtered, 2),
                "slowest_ratio": round(slowest, 2),
                "slowest_s": round(max(one["s"] for one in found.values()), 2),
                "median_s": round(sorted(one["s"] for one in found.values())[len(found) // 2], 2),
            }
        )
    )
    broken = (
        (asked.max_us is not None and us > asked.max_us)
        or (asked.max_room is not None and ratio > asked.max_room)
        or (asked.slowest is not None and slowest > asked.slowest)
    )
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
