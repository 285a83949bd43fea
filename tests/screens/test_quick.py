"""The handbook's quick commands in the palette: found by a word, run through the gate, read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.responder import Responder
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs.choose import Choose
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from screens.dialogs.reader import Reader
from screens.lines import Lines
from tests.screens.test_cockpit import dialog, press, shown, until

pytestmark = pytest.mark.anyio

HANDBOOK = """# On Call

## Quick Commands

### Containers

```bash
# Which of them run
echo all of them run

# It says nothing
true
```

### Space

```bash
# Make room
touch {scratch}/room

# Of a directory
ls -d <DIRECTORY>
```
"""


@asynccontextmanager
async def opened(
    tmp_path: Path, handbook: str = HANDBOOK
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    file = tmp_path / "ON_CALL.md"
    file.write_text(handbook.replace("{scratch}", str(tmp_path)))
    responder = Responder(tmp_path / "incidents", "sam", Config(handbook=file))
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: responder.handbook is not None)
        yield pilot, responder, app.main
    await responder.close()


async def take(pilot: Pilot[int], words: str) -> str:
    """Types words in the palette and takes what is first; the rows that it had then."""
    await press(pilot, "colon")
    await dialog(pilot, Choose)
    for letter in words:
        await pilot.press("space" if letter == " " else letter)
    choose = pilot.app.screen
    assert isinstance(choose, Choose)
    await until(pilot, lambda: choose.typed == words)
    rows = shown(choose.query_one("#offers", Lines))
    await press(pilot, "enter")
    return rows


def read(pilot: Pilot[int]) -> str:
    screen = pilot.app.screen
    if not isinstance(screen, Reader) or not screen.is_mounted:
        return ""
    return shown(screen.query_one("#text", Lines))


async def test_one_that_reads_runs_at_once_and_its_output_is_shown(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        rows = await take(pilot, "which run")
        assert rows.startswith("> Containers: Which of them run  reads: echo all of them run")
        await until(pilot, lambda: "(exit 0" in read(pilot))
        assert read(pilot).startswith("all of them run\n(exit 0 after ")
        (run,) = responder.incident.runs.values()
        assert responder.handbook is not None
        step = responder.handbook.quick[0].step
        assert run.asked.step == e.StepRef(str(tmp_path / "ON_CALL.md"), step.id)
        await press(pilot, "escape", "4")
        await until(pilot, lambda: "echo all of them run" in shown(main.timeline))


async def test_one_that_prints_nothing_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, _main):
        await take(pilot, "says nothing")
        await until(pilot, lambda: "and it printed nothing)" in read(pilot))


async def test_one_that_changes_something_says_so_and_passes_the_gate(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _main):
        rows = await take(pilot, "make room")
        assert "Space: Make room  CHANGES: touch" in rows
        await dialog(pilot, Gate)
        assert not responder.incident.runs
        await press(pilot, "escape")
        await dialog(pilot, CockpitScreen)
        await pilot.pause(0.2)
        assert not responder.incident.runs
        assert not (tmp_path / "room").exists()
        await take(pilot, "make room")
        await dialog(pilot, Gate)
        await press(pilot, "y")
        await until(pilot, lambda: (tmp_path / "room").exists())


async def test_what_is_missing_in_it_is_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _main):
        rows = await take(pilot, "directory")
        assert "(asks for DIRECTORY)" in rows
        await dialog(pilot, Form)
        for letter in "/tmp":
            await pilot.press("slash" if letter == "/" else letter)
        await press(pilot, "enter")
        await until(pilot, lambda: "(exit 0" in read(pilot))
        assert read(pilot).startswith("/tmp\n")
        (run,) = responder.incident.runs.values()
        assert run.asked.command == "ls -d /tmp"


async def test_among_three_hundred_a_word_finds_one(tmp_path: Path) -> None:
    many = "".join(f"# Look at number {number}\necho {number}\n\n" for number in range(300))
    book = f"# On Call\n## Quick Commands\n### Shards\n```bash\n{many}```\n"
    async with opened(tmp_path, book) as (pilot, responder, _main):
        assert responder.handbook is not None
        assert len(responder.handbook.quick) == 300
        rows = await take(pilot, "number 217")
        assert rows.startswith("> Shards: Look at number 217")
        assert "\n" not in rows
        await until(pilot, lambda: read(pilot).startswith("217\n(exit 0"))
