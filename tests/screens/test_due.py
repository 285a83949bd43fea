"""What is due on the screen: one line, one bell, a panel; and no key or focus is taken."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Static

from cockpit.clock import moment
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.events import Severity
from cockpit.oncall import pitfalls
from cockpit.responder import Responder
from cockpit.text import Safe
from screens import due_words, status
from screens.cockpit import CockpitScreen
from screens.dialogs.answer import Answer
from screens.dialogs.due import DuePanel
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from screens.lines import Lines
from tests.screens.pty_terminal import Terminal
from tests.screens.test_cockpit import dialog, opened, press, shown, until
from tests.screens.tmux import cockpit

pytestmark = pytest.mark.anyio

TITLE = "Checkout is slow for everybody"


def declared(responder: Responder, severity: Severity = Severity.P0) -> None:
    responder.declare(TITLE, severity)


def ago(responder: Responder, minutes: float) -> None:
    """All that has happened really happened so long ago, as somebody says who corrects it."""
    for entry in responder.incident.entries:
        at = entry.record.ts - timedelta(minutes=minutes)
        responder.correct_time(entry.record.seq, at)


def line(responder: Responder, width: int) -> str:
    return "".join(part for part, _ in status.words(responder, moment(), monotonic(), width))


def banner(main: CockpitScreen) -> str:
    return str(main.query_one("#banner", Static).render())


def happened(responder: Responder, kind: type[e.Event]) -> list[e.Event]:
    return [
        one.record.event for one in responder.incident.entries if type(one.record.event) is kind
    ]


# One line


@pytest.mark.parametrize(
    ("minutes", "acknowledged", "width", "said"),
    [
        (4, False, 120, r"· acknowledge due \d\d:\d\d \(in (1 min|\d\d s)\): A ·"),
        (4, False, 80, r"· ack in (1 min|\d\d s): A ·"),
        (4, False, 60, r"· ack in (1 min|\d\d s): A ·"),
        (9, True, 120, r"· update due \d\d:\d\d \(in 6 min\) ·"),
        (9, True, 80, r"· update in 6 min ·"),
        (9, True, 60, r"· update in 6 min ·"),
        (17, True, 120, r"· UPDATE OVERDUE 2 min: U ·"),
        (17, True, 80, r"· UPDATE OVERDUE 2 min: U ·"),
        (17, True, 60, r"· UPDATE OVERDUE 2 min: U ·"),
    ],
)
async def test_the_status_line_says_what_is_due_next(
    tmp_path: Path, minutes: float, acknowledged: bool, width: int, said: str
) -> None:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    declared(responder)
    responder.note("looking")
    if acknowledged:
        responder.acknowledge()
    ago(responder, minutes)
    words = line(responder, width)
    assert re.search(said, words), words
    assert len(words) <= width
    assert words.startswith(" P0  Check")
    assert width < 80 or re.search(r" · 00:\d\d:\d\d · ", words)
    assert "this machine" in words
    await responder.close()


async def test_the_breath_comes_first_and_a_resolved_incident_wants_nothing(tmp_path: Path) -> None:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    assert "due" not in line(responder, 120)
    declared(responder)
    assert re.search(r"breathe, and read the runbook: (30|2\d) s", line(responder, 120))
    responder.resolve("a", "b")
    assert " in " not in line(responder, 120)
    await responder.close()


async def test_the_key_is_the_one_that_is_bound(tmp_path: Path) -> None:
    config = Config(keymap={"incident.update": "ctrl+u,u"})
    responder = Responder(tmp_path / "incidents", "sam", config)
    declared(responder)
    responder.acknowledge()
    ago(responder, 20)
    assert "UPDATE OVERDUE 5 min: ctrl+u" in line(responder, 120)
    await responder.close()


def test_the_keys_that_are_named_are_those_of_the_screen() -> None:
    bound = {one.id: one.key for one in CockpitScreen.BINDINGS if isinstance(one, Binding)}
    assert due_words.KEYS.items() <= bound.items()


# What is overdue


async def test_who_only_reads_along_sees_it_and_hears_no_bell(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(80, 24)) as (pilot, responder, main):
        bells: list[str] = []
        pilot.app.bell = lambda: bells.append("bell")  # type: ignore[method-assign]
        declared(responder)
        ago(responder, 40)
        responder.log.reading = "Another cockpit has this incident open."
        main.mind_the_clocks()
        assert "OVERDUE" in line(responder, 80)
        await pilot.pause(1.2)
        assert not bells and not happened(responder, e.PitfallTold)
        responder.log.reading = ""


async def test_what_is_overdue_is_said_and_takes_no_key_and_no_focus(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(80, 24)) as (pilot, responder, main):
        bells: list[str] = []
        pilot.app.bell = lambda: bells.append("bell")  # type: ignore[method-assign]
        declared(responder)
        responder.acknowledge()
        await press(pilot, "i")
        await dialog(pilot, Form)
        await press(pilot, *"half a")
        answer = pilot.app.screen.query_one(Answer)
        ago(responder, 20)
        await until(pilot, lambda: "UPDATE OVERDUE" in line(responder, 80))
        await until(pilot, lambda: bool(bells))
        assert pilot.app.focused is answer
        await press(pilot, *" note", "enter")
        await until(
            pilot, lambda: e.NoteAdded(text="half a note") in happened(responder, e.NoteAdded)
        )
        # The line has room for one; the other is said below it.
        await until(pilot, lambda: "ESCALATION OVERDUE 5 min: E" in banner(main))
        assert "UPDATE" not in banner(main)
        await pilot.pause(2.5)
        assert bells == ["bell"]
        responder.tell("Nothing new.")
        responder.escalate("Kim", level=2, how="reached")
        await until(pilot, lambda: "OVERDUE" not in banner(main) + line(responder, 80))
        ago(responder, 25)
        await until(pilot, lambda: len(bells) == 2)


def rung(terminal: Terminal) -> int:
    """How often the bell rang; a BEL also ends sequences that set a title."""
    return len(re.sub(rb"\x1b\][^\x07\x1b]*\x07", b"", bytes(terminal.raw)).split(b"\x07")) - 1


async def test_a_bell_reaches_the_terminal_once_and_a_key_typed_ahead_answers_nothing(
    tmp_path: Path,
) -> None:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    declared(responder)
    responder.note("looking")
    ago(responder, 20)
    folder = responder.folder
    assert folder is not None
    await responder.close()
    env = {"COCKPIT_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}
    argv = cockpit("--incident", folder.name)
    with Terminal(argv, size=(80, 24), env=env) as terminal:
        terminal.read_until(lambda: "ACKNOWLEDGE OVERDUE 15 min: A" in terminal.text(), 30)
        terminal.read_until(lambda: rung(terminal) == 1, 30)
        terminal.read_for(3)
        assert rung(terminal) == 1
        # The enter was typed before the panel could be seen.
        terminal.type("D\r")
        terminal.read_until(lambda: "enter answers it" in terminal.text(), 30)
        terminal.read_for(1)
        assert "> Acknowledge OVERDUE" in terminal.text()
        terminal.type("\r")
        terminal.read_until(lambda: "UPDATE OVERDUE 5 min: U" in terminal.text(), 30)
        assert rung(terminal) == 1


# The panel


async def panel(pilot: Pilot[int]) -> DuePanel:
    await press(pilot, "D")
    await dialog(pilot, DuePanel)
    screen = pilot.app.screen
    assert isinstance(screen, DuePanel)
    await until(pilot, lambda: screen._ready_at is not None)
    return screen


def clocks(screen: DuePanel) -> str:
    return " ".join(shown(screen.query_one(Lines)).split())


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)])
async def test_every_clock_stands_in_the_panel_and_enter_answers_it(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path, size=size) as (pilot, responder, main):
        declared(responder)
        responder.note("looking")
        ago(responder, 7)
        screen = await panel(pilot)
        said = clocks(screen)
        assert re.search(r"> Acknowledge OVERDUE 2 min, since \d\d:\d\d UTC · A", said), said
        assert re.search(r"Update \d\d:\d\d UTC, in 8 min · U", said)
        assert re.search(r"Escalation \d\d:\d\d UTC, in 8 min · E", said)
        assert "Level 4 call" in said
        await press(pilot, "enter")
        await until(pilot, lambda: responder.incident.acknowledged is not None)
        await until(pilot, lambda: pilot.app.screen is main)
        assert "Acknowledge" not in clocks(await panel(pilot))


async def test_a_clock_is_put_off_with_a_reason_and_still_is_after_a_restart(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, size=(80, 24)) as (pilot, responder, main):
        declared(responder, Severity.P1)
        responder.note("looking")
        responder.acknowledge()
        ago(responder, 31)
        await until(pilot, lambda: "UPDATE OVERDUE" in line(responder, 80))
        screen = await panel(pilot)
        assert screen.query_one(Lines).at == "update"
        await press(pilot, "1", "enter")
        said = screen.query_one("#said", Static)
        await until(pilot, lambda: "Say why" in str(said.render()))
        assert not happened(responder, e.Snoozed)
        await press(pilot, *"on the phone", "enter")
        await until(pilot, lambda: bool(happened(responder, e.Snoozed)))
        assert happened(responder, e.Snoozed) == [
            e.Snoozed(what="update", seconds=900, reason="on the phone")
        ]
        await until(pilot, lambda: pilot.app.screen is main)
        await until(pilot, lambda: "UPDATE" not in line(responder, 80) + banner(main))
        assert re.search(r"put off until \d\d:\d\d UTC · U", clocks(await panel(pilot)))
        folder = responder.folder
        await responder.close()
    assert folder is not None
    records = [json.loads(one) for one in (folder / "journal.jsonl").read_text().splitlines()]
    assert [one["seconds"] for one in records if one["kind"] == "clock.snoozed"] == [900.0]
    again = Responder(tmp_path / "incidents", "sam", Config())
    again.take_up(folder)
    assert "UPDATE" not in line(again, 80)
    ago(again, 0)
    await again.close()


async def test_a_key_that_puts_off_is_not_named_as_one_that_answers(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        declared(responder, Severity.P2)
        responder.acknowledge()
        screen = await panel(pilot)
        assert "· 3" not in clocks(screen)
        await press(pilot, "3")
        question = screen.query_one("#question", Static)
        until_when = r"Put off until \d\d:\d\d UTC: (breath|response). Why\?"
        assert re.search(until_when, str(question.render()))


async def test_the_panel_is_left_and_says_where_nothing_is_due(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        assert "no incident has begun" in clocks(await panel(pilot))
        await press(pilot, "enter", "5", "escape")
        await until(pilot, lambda: pilot.app.screen is main)
        assert responder.folder is None


# Known mistakes


async def test_recovery_before_diagnosis_is_told_once_in_the_gate(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        await until(pilot, lambda: responder.handbook is not None)

        async def recover(count: int) -> str:
            """Runs the last command of the book; what the gate asked."""
            main.checklist.action_last()
            await press(pilot, "enter")
            await dialog(pilot, Form)
            await press(pilot, "x", "enter")
            await dialog(pilot, Gate)
            gate = pilot.app.screen
            question = str(gate.query_one("#question", Static).render())
            await until(pilot, lambda: "reason" in str(gate.query_one("#said", Static).render()))
            await press(pilot, *"known", "enter")
            await until(pilot, lambda: "y runs" in str(gate.query_one("#said", Static).render()))
            await press(pilot, "y")
            await until(pilot, lambda: len(responder.incident.runs) == count)
            await until(pilot, lambda: not responder.incident.running())
            return " ".join(question.split())

        first, second = await recover(1), await recover(2)
        assert "Mending before looking" in first and "Why recover first?" in first
        assert second == "No diagnosis step is done yet. Why recover first?"
        (told,) = happened(responder, e.PitfallTold)
        assert isinstance(told, e.PitfallTold) and told.name == "diagnosis"
        # Nothing has verified it.
        await press(pilot, "R")
        await dialog(pilot, Form)
        words = " ".join(str(part.render()) for part in pilot.app.screen.query(Static))
        assert "Believing that it worked" in " ".join(words.split())
        await press(pilot, *"a", "enter", *"b", "enter", "enter", *"c", "enter")
        await until(pilot, lambda: not responder.incident.open)
        assert len(happened(responder, e.PitfallTold)) == 2


async def test_half_an_hour_alone_is_spoken_of_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        await until(pilot, lambda: responder.handbook is not None)
        declared(responder, Severity.P2)
        responder.acknowledge()
        ago(responder, 31)
        await until(pilot, lambda: bool(happened(responder, e.PitfallTold)))
        await until(pilot, lambda: "Reminded: Going on alone" in shown(main.timeline))
        await pilot.pause(1.5)
        assert len(happened(responder, e.PitfallTold)) == 1


async def test_logs_that_could_not_be_saved_are_spoken_of_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, responder, main):

        async def saving() -> str:
            return "logs of api could not be saved: there is no such container"

        responder.note("begun")
        bare = await saving()
        words = pitfalls.sentence("logs", responder.handbook)
        # Where the gate says the same of a missing diagnosis, it is not said twice.
        assert await main.saved_first(saving(), Safe(f"{words} Look first.")) == bare
        assert await main.saved_first(saving(), Safe("")) == f"{bare}. {words}"
        assert await main.saved_first(saving(), Safe("")) == bare

        async def saved() -> str:
            return "logs of api saved to 0001-logs-api.txt"

        assert await main.saved_first(saved(), Safe("")) == "logs of api saved to 0001-logs-api.txt"
