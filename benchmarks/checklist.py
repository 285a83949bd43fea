"""What one key costs in a long runbook, against the same key in a short one.

    python benchmarks/checklist.py [--commands 700] [--max 1.5]

Both runbooks are open in this process at the same time, with the whole screen around them, and the
keys go to one and the other in turn: processor time from the key to the end of the repaint, median
of each. The baseline is a runbook of 30 commands, which nobody finds slow. Exit status 1 above
`--max`, or where a key takes longer than `--longest` milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from textual.pilot import Pilot  # noqa: E402

from cockpit.config import Config  # noqa: E402
from cockpit.responder import Responder  # noqa: E402
from screens.app import CockpitApp, Opening  # noqa: E402
from screens.panes.checklist import Checklist  # noqa: E402

SHORT, LONG = 30, 700
KEYS = 40


@dataclass(frozen=True)
class Cost:
    """Milliseconds of work for one key, in the short and in the long runbook."""

    short: float
    long: float
    longest: float
    lines: int

    @property
    def ratio(self) -> float:
        return self.long / self.short


def runbook(commands: int) -> str:
    """A runbook of so many commands, two a step and ten steps a section."""
    out = ["# A long night", "", "Severity: P1", ""]
    for number in range(commands // 2):
        if number % 10 == 0:
            out += [f"## Diagnosis, part {number // 10}", "", "Some words about this part.", ""]
        out += [f"### Step {number}: look at thing {number}", "", "```bash"]
        out += [f"# Look at it, {number}", f"echo {number}", "# And again", f"echo again {number}"]
        out += ["```", ""]
    return "\n".join(out)


@asynccontextmanager
async def opened(folder: Path, text: str) -> AsyncIterator[tuple[Pilot[int], Checklist]]:
    folder.mkdir()
    file = folder / "book.md"
    file.write_text(text)
    responder = Responder(folder / "incidents", "nobody", Config())
    app = CockpitApp(responder, Opening(runbook=file))
    async with app.run_test(size=(120, 40)) as pilot:
        while responder.runbook is None or responder.watch is None:
            await pilot.pause(0.05)
        await responder.watch.close()
        yield pilot, app.main.checklist
    await responder.close()


async def one_key(pilot: Pilot[int], pane: Checklist, by: int) -> float:
    """Processor time of one move of the cursor, in seconds, until it is on the screen."""
    start = time.process_time()
    pane.action_move(by)
    await pilot.pause()
    return time.process_time() - start


async def measure(folder: Path, commands: int) -> Cost:
    text = runbook(commands)
    spent: tuple[list[float], list[float]] = ([], [])
    async with (
        opened(folder / "short", runbook(SHORT)) as short,
        opened(folder / "long", text) as long,
    ):
        long[1].go_to_id(list(long[1].places.order)[-KEYS].first.id)  # type: ignore[union-attr]
        await long[0].pause()
        for number in range(KEYS):
            # There and back, so that the short one has steps enough.
            by = 1 if number % 20 < 10 else -1
            for found, (pilot, pane) in zip(spent, (short, long), strict=True):
                found.append(await one_key(pilot, pane, by) * 1000)
    return Cost(median(spent[0]), median(spent[1]), max(spent[1]), text.count("\n") + 1)


def compare(commands: int = LONG) -> Cost:
    """What a key costs in a runbook of so many commands and in one of 30."""
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-") as name:
        return asyncio.run(measure(Path(name), commands))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commands", type=int, default=LONG, help="in the long runbook")
    parser.add_argument("--max", type=float, default=1.5, help="highest ratio that is good")
    parser.add_argument("--longest", type=float, default=100.0, help="most milliseconds for a key")
    options = parser.parse_args()
    cost = compare(options.commands)
    print(
        f"{cost.lines} lines, {options.commands} commands: {cost.long:.1f} ms a key "
        f"(longest {cost.longest:.1f}); {SHORT} commands: {cost.short:.1f} ms; "
        f"ratio {cost.ratio:.2f}"
    )
    return int(cost.ratio > options.max or cost.longest > options.longest)


if __name__ == "__main__":
    sys.exit(main())
