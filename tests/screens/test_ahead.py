"""A cockpit whose files are gone, as in an upgrade, opens what it had not opened before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEREFT = """
import asyncio, os, sys
from pathlib import Path
from cockpit.config import Config
from cockpit.responder import Responder
from screens import ahead
from screens.app import CockpitApp, Opening

async def dialog(pilot, name):
    async with asyncio.timeout(30):
        while type(pilot.app.screen).__name__ != name:
            await pilot.pause(0.05)
    await pilot.pause()

async def main():
    app = CockpitApp(Responder(Path("incidents"), "sam", Config()), Opening())
    assert "screens.dialogs.escalate" not in sys.modules
    async with app.run_test(size=(120, 40)) as pilot:
        async with asyncio.timeout(60):
            while not set(ahead.names()) <= sys.modules.keys():
                await pilot.pause(0.1)
        for package in ("cockpit", "screens"):
            os.rename(package, f"{package}-gone")
        for key, name in {opened}:
            await pilot.press(key)
            await dialog(pilot, name)
            await pilot.press("escape")
            await dialog(pilot, "CockpitScreen")
        print("opened all")

asyncio.run(main())
"""
OPENED = [("E", "Escalate"), ("D", "DuePanel"), ("O", "OutboxScreen"), ("B", "Find"), ("i", "Form")]


def test_what_was_not_opened_yet_opens_without_its_files(tmp_path: Path) -> None:
    for name in ("cockpit", "screens"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    script = BEREFT.replace("{opened}", repr(OPENED))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "opened all", done.stdout[-500:] + done.stderr[-3000:]
