"""Filling in a command, through Textual's Pilot: seen while typed, and where it will run."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from cockpit.incident.journal import list_incidents
from cockpit.responder import Responder
from screens.cockpit import CockpitScreen
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from tests.screens.test_cockpit import dialog, opened, press, shown, until

pytestmark = pytest.mark.anyio

BOOK = """# Disk full
## Diagnosis
```bash
cd {scratch}
DIR=old
```
## Recovery
```bash
rm -rf "$DIR"/<PART>
```
"""


def preview(form: Form) -> str:
    return str(form.query_one("#preview", Static).render())


async def ended(pilot: Pilot[int], responder: Responder, count: int) -> None:
    await until(pilot, lambda: sum(run.over for run in responder.incident.runs.values()) == count)


def said(gate: Gate, part: str) -> str:
    return " ".join(str(gate.query_one(f"#{part}", Static).render()).split())


async def test_the_command_is_shown_as_it_is_filled_in(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, _):
        await press(pilot, "G", "enter")
        await dialog(pilot, Form)
        form = pilot.app.screen
        assert isinstance(form, Form)
        # Nothing has set DIR on this host: it is asked for, whatever the file says further up.
        assert [str(field.label) for field in form.fields] == ["DIR", "PART"]
        assert preview(form) == '$ rm -rf "$DIR"/<PART>'
        await press(pilot, *"a$b")
        assert preview(form) == '$ rm -rf "a\\$b"/<PART>'
        await press(pilot, "enter", *"x y")
        assert preview(form) == "$ rm -rf \"a\\$b\"/'x y'"
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is not form)
        assert not responder.incident.runs
        assert list_incidents(tmp_path / "incidents") == []


async def test_the_gate_says_where_it_really_runs_and_with_what(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "part 1").touch()
    async with opened(tmp_path, BOOK) as (pilot, responder, main):
        for done in (1, 2):
            await press(pilot, "enter")
            await ended(pilot, responder, done)
            await press(pilot, "j")
        await until(pilot, lambda: "with DIR" in shown(main.checklist))
        await press(pilot, "enter")
        await dialog(pilot, Form)
        form = pilot.app.screen
        assert isinstance(form, Form)
        assert [str(field.label) for field in form.fields] == ["PART"]
        await press(pilot, *"part 1", "enter")
        await dialog(pilot, Gate)
        gate = pilot.app.screen
        assert isinstance(gate, Gate)
        assert f" in {tmp_path} with DIR as earlier commands set it" in said(gate, "where")
        await press(pilot, "escape")
        await dialog(pilot, CockpitScreen)
        # Left at the gate, and asked for again: the value is offered.
        await press(pilot, "enter")
        await dialog(pilot, Form)
        await press(pilot, "enter")
        await dialog(pilot, Gate)
        again = pilot.app.screen
        assert isinstance(again, Gate)
        await until(pilot, lambda: "Type the name: this machine" in said(again, "question"))
        await press(pilot, *"this machine", "enter")
        await until(pilot, lambda: len(responder.incident.runs) == 3)
        await until(pilot, lambda: not responder.incident.running())
        assert list((tmp_path / "old").iterdir()) == []


async def test_a_reading_command_is_asked_about_when_what_it_needs_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path, BOOK) as (pilot, responder, _):
        await press(pilot, "enter")
        await ended(pilot, responder, 1)
        (run,) = responder.incident.runs.values()
        Path(responder.incident.session(run.asked.step.runbook, "this machine").state).unlink()  # type: ignore[union-attr]
        await press(pilot, "enter")
        await ended(pilot, responder, 2)
        await press(pilot, "enter")
        await dialog(pilot, Gate)
        gate = pilot.app.screen
        assert isinstance(gate, Gate)
        assert said(gate, "head").startswith("Look first: what earlier commands of the runbook")
        await press(pilot, "y")
        await until(pilot, lambda: len(responder.incident.runs) == 3)
