"""Makes docs/cockpit.svg: the cockpit on the lab's broken service, drawn by the program itself.

python -m tests.lab up && python -m tests.lab lose-database
python docs/screenshot.py .lab/cockpit.yaml docs/cockpit.svg
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from cockpit.config import load
from cockpit.incident.events import Severity
from cockpit.responder import Responder
from screens.app import CockpitApp, Opening

BOOK = Path(__file__).parent.parent / "runbooks" / "01_database_connection_loss.md"


async def main(config: Path, to: Path) -> None:
    responder = Responder(Path(tempfile.mkdtemp()), "sam", load(config))
    app = CockpitApp(responder, Opening(host="prod-1", runbook=BOOK))
    async with app.run_test(size=(120, 40)) as pilot:
        while not (responder.watch and responder.watch.snapshot.rows and responder.runbook):
            await pilot.pause(0.1)
        responder.declare("Payments fail: database unavailable", Severity.P0, "kamiyo")
        responder.acknowledge()
        await pilot.pause(1)
        app.main.checklist.go_to_id("diagnosis")
        await pilot.press("enter")
        await pilot.pause(2)
        await pilot.press("1")
        while (one := app.main.containers.container()) is None or one.name != "kamiyo":
            await pilot.press("j")
        await pilot.press("enter")
        await pilot.pause(2)
        await pilot.press("3", "j", "enter")
        await pilot.pause(3)
        to.write_text(app.export_screenshot(title="cockpit"))
    await responder.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
