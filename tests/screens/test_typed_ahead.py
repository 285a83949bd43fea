"""Keys that arrive together, from a slow link or a fast typist: each does what it was for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from screens.app import CockpitApp
from screens.dialogs.answer import Answer
from screens.dialogs.choose import Choose
from screens.dialogs.find import Find
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from tests.screens.test_cockpit import opened, until

pytestmark = pytest.mark.anyio

BOOK = """# Disk full
## Diagnosis
### Step 1: Look
```bash
ls {scratch}/<DIRECTORY>
```
### Step 2: Look again
```bash
echo again
```
### Step 3: Make room
```bash
touch {scratch}/made
```
"""


def typed(pilot: Pilot[int], text: str) -> None:
    """All of it in one go."""
    names = {" ": "space", "\n": "enter", "\x1b": "escape"}
    for char in text:
        pilot.app.post_message(events.Key(names.get(char, char), char))


def line(pilot: Pilot[int]) -> str:
    answers = pilot.app.screen.query(Answer)
    return answers.first().value if answers else ""


@pytest.mark.parametrize(
    ("keys", "dialog", "found"),
    [
        ("iqueue is full", Form, "queue is full"),
        ("Uexport fix B", Choose, "export fix B"),
        ("Bmemory", Find, "memory"),
        ("jsx is for later", Form, "x is for later"),
        ("\nqd", Form, "qd"),
    ],
    ids=["note", "update", "runbook", "skip", "value"],
)
async def test_text_typed_with_the_key_of_its_dialog_lands_in_its_line(
    tmp_path: Path, keys: str, dialog: type, found: str
) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, _):
        typed(pilot, keys)
        await until(pilot, lambda: line(pilot) == found)
        assert isinstance(pilot.app.screen, dialog)
        assert not responder.incident.steps
        assert not responder.incident.runs


async def test_a_text_pasted_with_the_key_of_its_dialog_lands_in_its_line(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, _, _):
        typed(pilot, "i")
        pilot.app.post_message(events.Paste("queue is full"))
        await until(pilot, lambda: line(pilot) == "queue is full")


async def test_several_dialogs_in_one_go(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, _):
        typed(pilot, "S2iqueue is full")
        await until(pilot, lambda: line(pilot) == "queue is full")
        assert responder.incident.severity == "P2"
        assert not responder.incident.steps


async def test_a_slow_command_does_not_hold_the_keys_after_it(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, main):
        typed(pilot, "j")
        await until(pilot, lambda: main.checklist.chosen() is not None)
        slow = asyncio.Event()

        async def run(*_: object) -> str:
            await slow.wait()
            return ""

        responder.run = run  # type: ignore[assignment,method-assign]
        typed(pilot, "\nj")
        await until(pilot, lambda: main.checklist.here()[1].title == "Step 3: Make room")  # type: ignore[index]
        slow.set()


async def test_the_gate_takes_nothing_that_was_typed_ahead_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, _):
        typed(pilot, "jj\nyyy")
        await until(pilot, lambda: isinstance(pilot.app.screen, Gate))
        await pilot.pause(0.3)
        assert isinstance(pilot.app.screen, Gate)
        assert not responder.incident.runs
        assert not (tmp_path / "made").exists()


async def test_a_key_typed_with_that_of_a_pane_is_for_that_pane(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK.replace("<DIRECTORY>", "")) as (pilot, responder, main):
        assert main.focused is main.checklist
        typed(pilot, "4\n1\n\n2vj")
        await until(pilot, lambda: main.focused is main.logs)
        await pilot.pause()
        assert not responder.incident.runs, "enter was for the runbook no more"
        typed(pilot, "3\n")
        await until(pilot, lambda: bool(responder.incident.runs))


async def test_keys_without_a_dialog_are_not_held(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, main):
        typed(pilot, "jjkj kk ")
        await until(pilot, lambda: len(responder.incident.steps) == 2)
        assert isinstance(pilot.app, CockpitApp)
        assert pilot.app.screen is main


@pytest.mark.parametrize("key", ["i", "H"])
async def test_a_gate_never_comes_up_under_the_fingers_of_somebody_who_went_on(
    tmp_path: Path, key: str
) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, main):
        asked = responder.why_terminal
        said = asyncio.Event()

        async def slow(*given: object) -> str:
            await said.wait()
            return await asked(*given)  # type: ignore[arg-type]

        responder.why_terminal = slow  # type: ignore[assignment,method-assign]
        typed(pilot, "jj\n")
        await pilot.pause(0.3)
        typed(pilot, key)
        await until(pilot, lambda: pilot.app.screen is not main)
        said.set()
        typed(pilot, "why")
        await until(pilot, lambda: line(pilot) == "why")
        await pilot.pause(0.3)
        assert not isinstance(pilot.app.screen, Gate)
        assert not responder.incident.runs
        assert not (tmp_path / "made").exists()


async def test_a_page_key_typed_right_after_the_palette_is_no_failure(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, _, main):
        for key in ("colon", "pagedown", "down", "end", "escape"):
            pilot.app.simulate_key(key)
        # The last of them, which leaves the palette, may still wait for those before it.
        await pilot.pause(0.5)
        await until(pilot, lambda: pilot.app.screen is main)
        assert pilot.app.is_running


async def test_a_key_that_was_on_its_way_when_the_app_ended_is_no_failure(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, _, _):
        app = pilot.app
    assert not app.screen_stack
    for key in (events.Key("x", "x"), events.Paste("x")):
        await app.on_event(key)
        key._set_forwarded()  # as one that has come back up from a screen
        await app.on_event(key)


async def test_enter_pressed_once_too_often_in_the_palette_does_it_once(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, main):
        typed(pilot, ":mark done")
        await pilot.pause(1)
        typed(pilot, "\n\n\n")
        await until(pilot, lambda: pilot.app.screen is main and bool(responder.incident.steps))
        await pilot.pause(0.3)
        assert pilot.app.is_running
        assert len(responder.incident.steps) == 1


async def test_enter_pressed_once_too_often_at_the_gate_runs_it_once(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK.replace("touch", "rm -rf")) as (pilot, responder, _):
        typed(pilot, "jj\n")
        await until(pilot, lambda: isinstance(pilot.app.screen, Gate) and bool(pilot.app.focused))
        await pilot.pause(0.3)
        typed(pilot, "this machine\n\n\n")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        assert pilot.app.is_running
        assert len(responder.incident.runs) == 1
