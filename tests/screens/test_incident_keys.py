"""Times and files as a person writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.widgets import Static

from cockpit.incident.events import IncidentDeclared, Severity
from screens.dialogs.declare import Declare
from screens.dialogs.form import Form
from screens.incident_keys import moment, unsuitable
from tests.screens.test_cockpit import dialog, opened, press, shown, until

NEAR = datetime(2026, 11, 21, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:03", datetime(2026, 11, 21, 0, 3, tzinfo=UTC)),
        ("2026-11-20 23:58", datetime(2026, 11, 20, 23, 58, tzinfo=UTC)),
        ("2026-11-20 23:58:30", datetime(2026, 11, 20, 23, 58, 30, tzinfo=UTC)),
        ("25:00", None),
        ("soon", None),
        ("", None),
        ("2999-01-01 00:00", None),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, expected: datetime | None) -> None:
    assert moment(text, NEAR) == expected


def test_a_time_without_a_day_never_lies_ahead() -> None:
    now = datetime.now(UTC)
    later = now + timedelta(hours=2)
    found = moment(f"{later:%H:%M}", now)
    assert found is not None
    assert found <= now
    assert now - found < timedelta(days=1)


def test_a_log_is_not_written_over_something_else(tmp_path: Path) -> None:
    other, ours = tmp_path / "other.md", tmp_path / "ours.md"
    other.write_text("my thesis")
    ours.write_text("- **Incident:** 01JD")
    assert unsuitable(str(tmp_path / "new.md"), "01JD") == ""
    assert unsuitable(str(ours), "01JD") == ""
    assert "something else" in unsuitable(str(other), "01JD")
    assert "directory" in unsuitable(str(tmp_path), "01JD")
    assert "no directory" in unsuitable(str(tmp_path / "no" / "x.md"), "01JD")
    assert unsuitable("~nobody-of-that-name/x.md", "01JD") != ""


@pytest.mark.anyio
async def test_resolving_says_where_the_post_incident_document_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await press(pilot, "i")
        await dialog(pilot, Form)
        hint = pilot.app.screen.query(Static).results()
        assert any("begins with temporary:" in str(one.render()) for one in hint)
        await press(pilot, *"lucky", "colon", "space", *"it", "space", *"was", "enter")
        await until(pilot, lambda: responder.folder is not None)
        await press(pilot, "R")
        await dialog(pilot, Form)
        await pilot.press(*"disk", "enter", *"freed", "enter", "enter")
        await until(pilot, lambda: any("post-incident.md is beside the journal" in one.message
                                       for one in pilot.app._notifications))  # fmt: skip
        assert responder.folder is not None
        text = (responder.folder / "post-incident.md").read_text()
        assert "- it was" in text.split("## Where we were lucky")[1]


@pytest.mark.anyio
async def test_a_letter_writes_the_title_and_a_digit_declares_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        await press(pilot, "S")
        await dialog(pilot, Declare)
        assert "a letter, writes" in str(pilot.app.screen.query_one("#said", Static).render())
        await press(pilot, *"api", "2")
        assert responder.incident.severity is None
        await press(pilot, "enter", "1")
        await until(pilot, lambda: pilot.app.screen is main)
        found = [entry.record.event for entry in responder.incident.entries]
        assert IncidentDeclared(title="api2", severity=Severity.P1) in found


@pytest.mark.anyio
async def test_what_was_said_of_the_cause_is_offered_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        responder.note("looking")
        for keys in ((*"disk", "enter", *"fre", "escape"), ("enter", "enter", "enter")):
            await press(pilot, "R")
            await dialog(pilot, Form)
            await pilot.press(*keys)
            await until(pilot, lambda: pilot.app.screen is main)
        await until(pilot, lambda: not responder.incident.open)
        assert responder.incident.resolution is not None
        found = responder.incident.resolution
        assert (found.cause, found.fix) == ("disk", "fre")


@pytest.mark.anyio
async def test_mitigated_is_said_with_what_it_means_and_taken_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        responder.declare("API down", Severity.P0)
        await press(pilot, "M")
        await dialog(pilot, Form)
        await press(pilot, *"cache", "enter")
        await until(pilot, lambda: responder.incident.mitigated is not None)
        said = "the clocks of the ladder stop. M takes it back."
        await until(pilot, lambda: any(said in one.message for one in pilot.app._notifications))
        await press(pilot, "M")
        await dialog(pilot, Form)
        await press(pilot, *"cold", "enter")
        await until(pilot, lambda: responder.incident.mitigated is None)
        await until(pilot, lambda: "Not mitigated after all: cold" in shown(main.timeline))
        responder.resolve("a", "b")
        responder.reopen("back")
        await until(pilot, lambda: "Reopened: back" in shown(main.timeline))
