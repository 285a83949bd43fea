"""cockpit with proof that its loop lives: `python beating_cockpit.py GAPS [ARGUMENT]…`.

GAPS: a file that gets a line for each time the loop was held up: when it ended, and the seconds.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

WORTH_NOTING = 0.05


async def beat(gaps: Path) -> None:
    """Notes each time that the loop was held up."""
    with gaps.open("a", buffering=1) as file:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.02)
            now = time.monotonic()
            if now - before - 0.02 > WORTH_NOTING:
                file.write(f"{now:.3f} {now - before - 0.02:.3f}\n")


def gaps(file: Path, since: float) -> list[float]:
    """How long the loop was held up, each time since a moment of time.monotonic."""
    lines = (line.split() for line in file.read_text().splitlines())
    return [float(gap) for at, gap in lines if float(at) >= since]


def main() -> None:
    import screens.app as app
    from cockpit.cli import main as cockpit

    file = Path(sys.argv.pop(1))
    mounted = app.CockpitApp.on_mount

    def on_mount(self: app.CockpitApp) -> None:
        self.beating = asyncio.create_task(beat(file))  # type: ignore[attr-defined]
        mounted(self)

    app.CockpitApp.on_mount = on_mount  # type: ignore[method-assign]
    cockpit(prog_name="cockpit")


if __name__ == "__main__":
    main()
