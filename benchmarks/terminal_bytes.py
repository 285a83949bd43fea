"""Bytes a second that a program writes to its terminal, ours against Textual's own driver.

    python benchmarks/terminal_bytes.py [--seconds 10] [--size 120x40] [-- cockpit …]

Without a command it runs the demo apps of the driver's tests: one at rest, one whose panes tick. A
command is run as it is given, once with COCKPIT_DRIVER=textual and once without. Both runs happen
in one invocation, on the same machine, so that their ratio means something.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.screens.pty_terminal import Terminal  # noqa: E402

DEMO = [sys.executable, str(ROOT / "tests/screens/driver_apps.py")]


def measure(
    argv: Sequence[str], driver: str, seconds: float, size: tuple[int, int], until: str = ""
) -> tuple[int, float]:
    """Bytes of the first three seconds, and bytes a second after it.

    until: what has to be on the screen by then; a program that shows nothing is not at rest.
    Raises SystemExit when the program ended, or shows something else.
    """
    with Terminal(argv, size=size, env={"COCKPIT_DRIVER": driver}, whole_env=True) as terminal:
        terminal.read_until(lambda: terminal.received > 0, 20)
        terminal.read_for(3.0)
        start = terminal.received
        if not start or terminal.wait(0.05) is not None:
            raise SystemExit(f"{argv[0]} ended by itself:\n{terminal.text()}")
        if until not in terminal.text():
            raise SystemExit(f"{until!r} was not painted on:\n{terminal.text()}")
        terminal.read_for(seconds)
        return start, (terminal.received - start) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to count, each")
    parser.add_argument("--size", default="120x40", help="columns x rows")
    parser.add_argument("--max", type=float, help="exit 1 if ours writes more bytes a second")
    parser.add_argument("--until", default="", metavar="TEXT", help="what it shows when at rest")
    parser.add_argument("argv", nargs="*", help="the command; by default two demo apps")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.argv:
        commands = {options.argv[0]: options.argv}
    else:
        commands = {"at rest": [*DEMO, "Still"], "panes ticking at 5 Hz": [*DEMO, "Ticking"]}
    print(f"{'':24}{'start, bytes':>28}{'then, bytes a second':>32}")
    print(f"{'':24}{'textual':>10}{'ours':>9}{'ratio':>9}{'textual':>14}{'ours':>9}{'ratio':>9}")
    worst = 0.0
    for name, argv in commands.items():
        theirs = measure(argv, "textual", options.seconds, (width, height), options.until)
        ours = measure(argv, "cockpit", options.seconds, (width, height), options.until)
        worst = max(worst, ours[1])
        print(
            f"{name:24}{theirs[0]:10}{ours[0]:9}{ratio(theirs[0], ours[0]):>9}"
            f"{theirs[1]:14.0f}{ours[1]:9.0f}{ratio(theirs[1], ours[1]):>9}"
        )
    if options.max is not None and worst > options.max:
        print(f"more than {options.max:.0f} bytes a second")
        return 1
    return 0


def ratio(theirs: float, ours: float) -> str:
    return f"{theirs / ours:.1f}x" if ours else "-"


if __name__ == "__main__":
    sys.exit(main())
