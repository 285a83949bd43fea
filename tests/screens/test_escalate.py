"""E: whom to call now, by keys; and a code on a real terminal that a real scanner reads."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pyte
import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.clocks import REACHED
from cockpit.incident.events import Severity
from cockpit.oncall import handbook, phone
from cockpit.oncall.ladder import LEFT_MESSAGE, NO_ANSWER
from cockpit.responder import Responder
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs import call_card, escalate
from screens.dialogs.answer import Answer
from screens.dialogs.criteria import Criteria
from screens.dialogs.escalate import Escalate
from screens.dialogs.form import Form
from screens.dialogs.say import Write
from screens.dialogs.scan import Scan
from screens.lines import Lines
from tests.incident.test_clocks import P0, world
from tests.lab.fixtures import not_tested
from tests.oncall.test_ladder import BOOK, ladder
from tests.screens.test_cockpit import dialog, press, shown, until
from tests.screens.tmux import Terminal, cockpit

pytestmark = pytest.mark.anyio

VENDORS = """
## Vendors
### Stripe
- **Dashboard:** https://dashboard.stripe.com
- **Phone:** +1 888 926 2289
- **Have ready:** account id, id of one failed event
"""
HOSTILE = "[/] [@click=app.quit]x[/] \x1b]52;c;ZXZpbA==\x07"


@asynccontextmanager
async def opened(
    tmp_path: Path, book: str = BOOK + VENDORS, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Pilot[int], Responder, Escalate]]:
    """The ladder of a P0 that was just declared, after E."""
    file = tmp_path / "ON_CALL.md"
    file.write_text(book)
    responder = Responder(tmp_path / "incidents", "root", Config(handbook=file))
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: responder.handbook is not None)
        responder.declare("API down", Severity.P0)
        await press(pilot, "E")
        await dialog(pilot, Escalate)
        screen = pilot.app.screen
        assert isinstance(screen, Escalate)
        await until(pilot, lambda: screen.ready)
        await pilot.pause()
        yield pilot, responder, screen
    await responder.close()


def noted(responder: Responder) -> list[e.EscalationNoted]:
    events = (entry.record.event for entry in responder.incident.entries)
    return [event for event in events if isinstance(event, e.EscalationNoted)]


def said(screen: Escalate) -> str:
    return " ".join(str(screen.query_one("#said", Static).render()).split())


def rungs(screen: Escalate) -> str:
    return shown(screen.query_one("#rungs", Lines))


def keys_named(screen: Escalate) -> tuple[str, ...]:
    bars = ("#after-the-call", "#keys-here")
    return tuple(str(screen.query_one(bar, Static).render()) for bar in bars)


def card(screen: Escalate) -> str:
    return shown(screen.query_one("#card", Lines))


async def test_who_has_a_name_and_no_number_is_named(tmp_path: Path) -> None:
    book = (
        "# On Call\n## Escalation\n### Level 1: Primary\n- **Name:** Sam Hopper\n"
        "- **Phone:** +49 30 901820\n### Level 2: Senior Engineer\n- **Name:** Ana Ruiz\n"
        "- **Phone:** UPDATE THIS!\n### Level 3: Lead\n- **Name:** Bo Li\n"
        "- **Phone:** +49 30 901822\n"
    )
    async with opened(tmp_path, book) as (pilot, responder, screen):
        assert "Ana Ruiz: no number" in rungs(screen)
        await press(pilot, "k", "r")
        assert "Ana Ruiz has no number: w notes whom you called" in said(screen)
        assert "Nobody has filled in a number of Ana Ruiz" in " ".join(card(screen).split())
        assert not noted(responder)


async def test_who_has_no_number_cannot_have_given_no_answer(tmp_path: Path) -> None:
    book = BOOK.replace("Chris Okafor\n- **Phone:** +44 7700 900123", "[NAME]\n- **Slack:** @cto")
    async with opened(tmp_path, book) as (pilot, responder, screen):
        assert "no number" in rungs(screen)
        await press(pilot, "j", "j", "n")
        assert "CTO has no number: l notes that you wrote" in said(screen)
        assert not noted(responder)
        await press(pilot, "l")
        assert [(one.who, one.how) for one in noted(responder)] == [("CTO", LEFT_MESSAGE)]
        assert "CTO: left message, and has no number. Call Ana Ruiz, level 2." in said(screen)


async def test_the_one_to_call_stands_there_with_the_number(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, screen):
        assert said(screen) == "Call Ana Ruiz, level 2."
        assert "> 2 Senior Engineer" in rungs(screen)
        assert "nobody filled in" in rungs(screen)
        assert "Ana Ruiz · level 2: Senior Engineer" in card(screen)
        assert "+ there now" in card(screen)
        assert "+34 612 345 678" in card(screen)
        large = phone.large("+34 612 345 678", 46, 11)
        assert len(large) == 11
        assert "\n".join(large) in card(screen)
        assert not noted(responder)
        await press(pilot, "escape")
        await dialog(pilot, CockpitScreen)


async def test_how_a_call_ended_is_one_key_and_its_clock_runs(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, screen):
        await press(pilot, "n")
        (first,) = noted(responder)
        assert (first.who, first.level, first.how, first.within) == ("Ana Ruiz", 2, NO_ANSWER, 900)
        assert first.criteria == ("A P0: call Level 2 at once, then go on",)
        assert "Noted: Ana Ruiz, no answer. Level 2 has until" in said(screen)
        assert "15 min left" in rungs(screen)
        assert "NEXT, in 15 min" in rungs(screen)
        await press(pilot, "l", "r")
        assert [one.how for one in noted(responder)] == [NO_ANSWER, LEFT_MESSAGE, REACHED]
        assert "Ana Ruiz was reached at" in said(screen)
        assert "15 min left" not in rungs(screen)
        await press(pilot, "enter", "n")
        assert (noted(responder)[-1].who, noted(responder)[-1].level) == ("Chris Okafor", 4)
        await press(pilot, "k", "n")  # level 3, which names nobody
        assert len(noted(responder)) == 4
        assert "Nobody is filled in for level 3" in said(screen)
        assert "Fill in name, phone" in card(screen)
        assert "Who can be called is" in card(screen)


async def test_what_was_said_of_one_is_gone_at_the_next(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, screen):
        await press(pilot, "j", "Q")  # level 3, which names nobody
        assert "There is no number here that a phone can call." in said(screen)
        await press(pilot, "k")
        assert said(screen) == "Call Ana Ruiz, level 2."


async def test_a_message_that_is_only_looked_at_begins_no_incident(tmp_path: Path) -> None:
    (tmp_path / "ON_CALL.md").write_text(BOOK)
    config = Config(handbook=tmp_path / "ON_CALL.md")
    responder = Responder(tmp_path / "incidents", "root", config)
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: responder.handbook is not None)
        await press(pilot, "E")
        await dialog(pilot, Escalate)
        await press(pilot, "m")
        await dialog(pilot, Form)
        await press(pilot, "escape")
        await dialog(pilot, Escalate)
        await press(pilot, "escape")
        await dialog(pilot, CockpitScreen)
        assert responder.folder is None and not (tmp_path / "incidents").exists()
        seen = responder.log.clean("token=ghp_" + "a1B2" * 9)
        assert responder.folder is None and "REDACTED" in seen
        responder.note("token=ghp_" + "a1B2" * 9)
        assert seen in [getattr(one.record.event, "text", "") for one in responder.incident.entries]
    await responder.close()


async def test_a_handbook_that_cannot_be_read_says_so_at_the_start_and_in_the_ladder(
    tmp_path: Path,
) -> None:
    responder = Responder(tmp_path / "incidents", "root", Config(handbook=tmp_path))
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=(120, 40)) as pilot:
        why = f"The handbook {tmp_path} is a directory. Name the file in it."
        await until(pilot, lambda: [one.message for one in app._notifications] == [why])
        await press(pilot, "E", "v")
        await dialog(pilot, Escalate)
        screen = pilot.app.screen
        assert isinstance(screen, Escalate)
        await pilot.pause()
        assert f"{why} w notes whom you called." in said(screen)
        assert keys_named(screen) == ("", " v ladder · w other · esc back")
        await press(pilot, "v")
        assert keys_named(screen) == ("", " m message · w other · esc back")
        await press(pilot, "r")
        assert "Nobody is under the cursor: w notes whom you called." in said(screen)
        await press(pilot, "v")
        assert "is a directory" in " ".join(rungs(screen).split())
    await responder.close()


async def test_a_key_that_is_held_notes_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(escalate, "HELD", 60.0)  # between two presses, on a loaded machine, too
    async with opened(tmp_path) as (pilot, responder, _):
        for _ in range(12):
            await pilot.press("n")
        assert len(noted(responder)) == 1


async def test_keys_typed_before_the_ladder_was_seen_note_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await press(pilot, "escape")
        await dialog(pilot, CockpitScreen)
        for key in "Enrl":
            pilot.app.post_message(events.Key(key, key))
        await dialog(pilot, Escalate)
        screen = pilot.app.screen
        assert isinstance(screen, Escalate)
        await until(pilot, lambda: screen.ready)
        assert not noted(responder)
        await press(pilot, "r")
        assert len(noted(responder)) == 1


async def test_what_is_ticked_goes_with_the_call(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, screen):
        assert "[x] A P0: call Level 2 at once, then go on" in card(screen)
        await press(pilot, "c")
        await dialog(pilot, Criteria)
        items = shown(pilot.app.screen.query_one(Lines))
        assert "> [x] A P0: call Level 2 at once" in items
        assert "cockpit: it is a P0" in items
        await press(pilot, "space", "j", "j", "space")
        await press(pilot, "enter")
        await dialog(pilot, Escalate)
        await press(pilot, "r")
        assert noted(responder)[0].criteria == ("You do not know what to do next",)
        assert "[x] You do not know what to do next" in card(screen)


async def test_a_vendor_is_called_with_what_to_have_ready(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, screen):
        await press(pilot, "v")
        assert "> Stripe" in rungs(screen)
        assert "Have ready:\n- account id\n- id of one failed event" in card(screen)
        assert "+1 888 926 2289" in card(screen)
        await press(pilot, "r")
        (call,) = noted(responder)
        assert (call.who, call.level, call.how) == ("Stripe", 0, REACHED)
        await press(pilot, "v")
        assert "> 2 Senior Engineer" in rungs(screen)


async def test_somebody_who_is_not_on_the_ladder(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, screen):
        await press(pilot, "w")
        await dialog(pilot, Form)
        pilot.app.screen.query_one(Answer).value = HOSTILE
        await press(pilot, "enter")
        pilot.app.screen.query_one(Answer).value = "knows the database"
        await press(pilot, "enter")
        await dialog(pilot, Escalate)
        (call,) = noted(responder)
        assert (call.level, call.reason) == (0, "knows the database")
        assert "\x1b" not in said(screen)
        assert "[@click=app.quit]" in said(screen)


async def test_the_message_is_written_for_them_and_can_be_changed(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, _):
        await press(pilot, "m")
        await until(pilot, lambda: isinstance(pilot.app.screen, Form | Write))
        while isinstance(pilot.app.screen, Form):
            await press(pilot, "enter")
        await dialog(pilot, Write)
        text = pilot.app.screen.query_one(TextArea).text
        assert text.startswith("[P0] API down: I need help.")
        await press(pilot, "escape")
        await dialog(pilot, Escalate)


async def test_the_message_greets_whoever_is_under_the_cursor(tmp_path: Path) -> None:
    book = (
        f"{BOOK}\n## Message templates\n### Escalation\n"
        "```\nHi [Name], I need help with [Title].\n```\n"
    )
    async with opened(tmp_path, book) as (pilot, _, _):
        await press(pilot, "m")
        await until(pilot, lambda: isinstance(pilot.app.screen, Form | Write))
        await dialog(pilot, Write)
        text = pilot.app.screen.query_one(TextArea).text
        assert text.startswith("Hi Ana Ruiz, I need help with API down.")


@pytest.mark.parametrize("size", [(120, 40), (60, 20), (40, 12)])
async def test_it_is_there_in_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size=size) as (pilot, responder, screen):
        assert "Call Ana Ruiz" in said(screen)
        number = "+34 612 345 678"
        rows = screen.query_one("#card", Lines).rows[: screen.query_one("#card").size.height]
        assert any(number in row.plain for row in rows)
        codes = [row for row in rows if any(look == "scan" for _, look in row.parts)]
        assert bool(codes) is (size == (120, 40))
        await press(pilot, "Q")
        await dialog(pilot, Scan)
        alone = shown(pilot.app.screen.query_one(Lines))
        assert ("make the window larger" in alone.replace("\n", " ")) is (size == (40, 12))
        await press(pilot, "escape")
        await dialog(pilot, Escalate)
        await press(pilot, "n")
        await until(pilot, lambda: len(noted(responder)) == 1)


async def test_a_handbook_that_steers_terminals_is_only_shown(tmp_path: Path) -> None:
    book = BOOK.replace("Ana Ruiz", f"Ana {HOSTILE}").replace("+34", f"{HOSTILE} +34")
    async with opened(tmp_path, book) as (pilot, responder, screen):
        assert "[@click=app.quit]" in said(screen)
        assert "\x1b" not in card(screen) + rungs(screen)
        await press(pilot, "r")
        assert len(noted(responder)) == 1


# A real terminal, a real scanner


def image(term: Terminal, path: Path) -> None:
    """The screen as a picture, as a dark terminal draws it; block characters as halves of cells."""
    width, height = 80, 24
    shown = pyte.Screen(width, height)
    pyte.Stream(shown).feed(term.styled().rstrip("\n").replace("\n", "\r\n"))
    light = {"default": (True, False), "black": (False, False)}
    rows: list[list[bool]] = []
    for y in range(height):
        upper, lower = [], []
        for x in range(width):
            cell = shown.buffer[y][x]
            ink = light.get(cell.fg, (True, True))[0]
            paper = light.get(cell.bg, (True, True))[1]
            upper.append(ink if cell.data in "▀█" else paper)
            lower.append(ink if cell.data in "▄█" else paper)
        rows += [upper, lower]
    scale = 4
    wide = [[bit for bit in row for _ in range(scale)] for row in rows for _ in range(scale)]
    text = "\n".join(" ".join("0" if lit else "1" for lit in row) for row in wide)
    path.write_text(f"P1\n{len(wide[0])} {len(wide)}\n{text}\n")


@pytest.mark.tmux
@pytest.mark.parametrize("colours", ["xterm-16color", "none"])
def test_a_scanner_reads_the_code(
    tmp_path: Path, request: pytest.FixtureRequest, colours: str
) -> None:
    if shutil.which("zbarimg") is None:
        not_tested(request, "a scanner of codes", ["not installed: zbar-tools"])
    (tmp_path / "ON_CALL.md").write_text(BOOK)
    config = tmp_path / "cockpit.yaml"
    config.write_text("handbook: ON_CALL.md\n")
    environ = {"COCKPIT_HOME": str(tmp_path / "home"), "COCKPIT_CONFIG": str(config)}
    if colours == "none":
        environ["NO_COLOR"] = "1"
    else:
        environ["TERM"] = colours
    with Terminal(cockpit("--new"), size=(80, 24), environ=environ) as term:
        term.wait("no incident yet")
        term.keys("E")
        term.wait("Call Ana Ruiz, level 2")
        term.keys("Q")
        term.wait(r"(?s)\A \+34 612 345 678\s.*[▀▄].*esc back")
        give_up = time.monotonic() + 30
        # On a busy machine a part of the screen may be drawn a moment later.
        while not (found := scanned(term, tmp_path / "screen.pbm")):
            assert time.monotonic() < give_up, term.screen()
    assert found == "tel:+34612345678"


def scanned(term: Terminal, picture: Path) -> str:
    """What a scanner reads on the screen; empty where it finds no code."""
    image(term, picture)
    read = subprocess.run(
        ["zbarimg", "--quiet", "--raw", str(picture)], capture_output=True, text=True, check=False
    )
    return read.stdout.strip()


# The card alone


def drawn(book: str, width: int = 48, height: int = 18) -> str:
    """The card of whoever is to be called next."""
    team = handbook.parse(book, "/srv/ON_CALL.md")
    found = ladder(world(P0), team)
    assert found.next is not None
    rows = call_card.person(found.next, found, team, [], call_card.Frame(width, height))
    return "\n".join(row.plain for row in rows)


def test_a_person_without_a_number_is_called_by_what_there_is() -> None:
    book = BOOK.replace("+44 7700 900123", "____")
    words = drawn(book.replace("+34 612 345 678", "____\n- **Slack:** @ana"))
    assert "No phone number. Fill in phone: ON_CALL.md, line" in words.replace("\n", " ")
    assert "Slack     @ana" in words
    assert "Q code" not in words


def test_what_is_no_number_is_shown_as_it_stands() -> None:
    words = drawn(BOOK.replace("+34 612 345 678", "ask the desk\n- **Slack:** @ana"))
    assert "Phone     ask the desk" in words
    assert "█" not in words


def test_hours_that_are_not_certain_are_quoted() -> None:
    words = drawn(BOOK.replace("24/7", "emergency only"))
    assert "? they say: emergency only · 04:00 in Madrid" in words


@pytest.mark.parametrize(("colours", "inverted"), [(True, False), (False, False), (False, True)])
def test_a_code_is_drawn_for_every_terminal(colours: bool, inverted: bool) -> None:
    modules = phone.code("+34612345678")
    rows = call_card.scannable("+34612345678", colours=colours, inverted=inverted)
    lines = [row.plain for row in rows]
    ink = [[sign in half for sign in line] for line in lines for half in ("▀█", "▄█")]
    dark = ink if colours or inverted else [[not one for one in row] for row in ink]
    assert [tuple(row) for row in dark[: len(modules)]] == list(modules)
    assert {look for row in rows for _, look in row.parts} == {"scan" if colours else ""}
