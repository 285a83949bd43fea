"""Time from start to the first paint that shows a text, against `import textual.app` alone.

    python benchmarks/first_paint.py --until "runbook" [--pairs 7] [--max 1.6] -- cockpit …

The command runs in a pseudo-terminal that answers as a real one. Each run is paired with one of
`python -c "import textual.app"`, alternately; the ratio is the median over the pairs. Both keep
what Python compiled, as where they are used. Exit status 1 when the ratio is above --max, or when
the text never came.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.screens.pty_terminal import Terminal  # noqa: E402

# Where it may not be written, each start would compile all files of ours, and none of Textual's.
_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


def paint(argv: Sequence[str], text: str, size: tuple[int, int]) -> float:
    """Seconds from start until the text can be read on the screen.

    Looking for it takes some 5 ms a time on an emulated screen: done only when something came, and
    the time is that of the last bytes, not of having found the text in them.
    """
    began = came = time.perf_counter()
    looked_at = 0
    with Terminal(argv, size=size, whole_env=True, env=_COMPILED) as terminal:

        def shown() -> bool:
            nonlocal came, looked_at
            if terminal.received == looked_at:
                return False
            came, looked_at = time.perf_counter(), terminal.received
            return text in terminal.text()

        terminal.read_until(shown, 30)
    return came - began


def imported(python: str) -> float:
    """Seconds that an interpreter takes to start and import textual.app."""
    began = time.perf_counter()
    subprocess.run([python, "-c", "import textual.app"], check=True, env=os.environ | _COMPILED)
    return time.perf_counter() - began


@dataclass(frozen=True)
class Paint:
    """Medians over all pairs: seconds, seconds, and the ratio of the two within a pair."""

    first: float
    alone: float
    ratio: float


def compare(
    argv: Sequence[str],
    text: str,
    *,
    pairs: int = 7,
    size: tuple[int, int] = (120, 40),
    python: str = sys.executable,
) -> Paint:
    """Run both in turns. Raises AssertionError with the screen when the text is never painted."""
    imported(python)
    paint(argv, text, size)  # warms the caches of both
    times = [(paint(argv, text, size), imported(python)) for _ in range(pairs)]
    first, alone = (statistics.median(column) for column in zip(*times, strict=True))
    return Paint(first, alone, statistics.median(ours / theirs for ours, theirs in times))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--until", required=True, metavar="TEXT", help="what the paint shows")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--max", type=float, help="exit 1 if the ratio is above this")
    parser.add_argument("--size", default="120x40", help="columns x rows")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to compare with")
    parser.add_argument("argv", nargs="+", help="the command")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    try:
        found = compare(
            options.argv,
            options.until,
            pairs=options.pairs,
            size=(width, height),
            python=options.python,
        )
    except AssertionError as error:
        print(f"{options.until!r} was not painted; {error}")
        return 1
    print(
        f"first paint {found.first * 1000:.0f} ms, import textual.app {found.alone * 1000:.0f} ms"
    )
    print(f"ratio {found.ratio:.2f} (median of {options.pairs} pairs)")
    if options.max is not None and found.ratio > options.max:
        print(f"above {options.max}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
