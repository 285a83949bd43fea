"""The B dialog through Textual's Pilot: words in, runbooks out, with why and with their record."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from benchmarks.find import write
from cockpit.config import Config
from cockpit.logs.line import Line, Stream
from cockpit.responder import Responder
from cockpit.runbook import library
from cockpit.runbook.index import Index
from cockpit.text import Safe
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs.answer import Answer
from screens.dialogs.find import Find
from screens.lines import Lines
from tests.runbook.test_index import BOOKS
from tests.runbook.test_record import RESOLVED, VERIFIED, incident, opened, ran, ticked
from tests.screens.logs import begin, come
from tests.screens.test_cockpit import dialog, press, until

pytestmark = pytest.mark.anyio

SIZES = [(120, 40), (80, 24), (60, 20)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "first.md").write_text("# Your First Five Minutes\n")
    monkeypatch.setattr(library, "shipped", lambda: shipped)
    return tmp_path / "home"


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    for name, text in BOOKS.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (1e9, 1e9))
    return folder


@asynccontextmanager
async def finding(
    config: Config, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[int], CockpitScreen]]:
    """The cockpit with B pressed, when everything is read."""
    responder = Responder(Path(os.environ["COCKPIT_HOME"]) / "incidents", "sam", config)
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: responder.watch is not None)
        await pilot.press("B")
        await dialog(pilot, Find)
        await until(pilot, lambda: bool(find(pilot).found))
        yield pilot, app.main
    await responder.close()


def find(pilot: Pilot[int]) -> Find:
    assert isinstance(pilot.app.screen, Find)
    return pilot.app.screen


def rows(pilot: Pilot[int]) -> str:
    return "\n".join(row.plain for row in find(pilot).query_one("#offers", Lines).rows)


def said(pilot: Pilot[int], name: str) -> str:
    return str(find(pilot).query_one(f"#{name}", Static).render())


async def typed(pilot: Pilot[int], text: str) -> None:
    await pilot.press(*("space" if char == " " else char for char in text))
    await until(pilot, lambda: find(pilot).shown_for == text)


async def test_words_find_it_and_enter_opens_it(books: Path) -> None:
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await typed(pilot, "ledgr lost")
        assert "> P0 Ledger database lost  db.md" in rows(pilot)
        assert 'title: "Ledger database lost" · never used' in rows(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: main.responder.runbook is not None)
        assert main.responder.runbook and main.responder.runbook.path == str(books / "db.md")


async def test_enter_opens_what_stands_in_the_line_however_fast_it_was_typed(books: Path) -> None:
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await pilot.press(*"volumes", "enter", *"mail")
        await until(pilot, lambda: main.responder.runbook is not None)
        assert main.responder.runbook and main.responder.runbook.title == "Volumes that fill up"


async def test_enter_on_nothing_found_stays_and_goes_on(books: Path) -> None:
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await pilot.press(*"zzzz", "enter")
        await until(pilot, lambda: find(pilot).shown_for == "zzzz")
        assert "Nothing has these words" in rows(pilot)
        await pilot.press(*["backspace"] * 4)
        await typed(pilot, "volumes")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is main)
        assert main.responder.runbook is None


async def test_down_chooses_another(books: Path) -> None:
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await typed(pilot, "database")
        await press(pilot, "down")
        second = find(pilot).chosen()
        assert second and second.path == find(pilot).found[1].path
        await press(pilot, "up", "up", "pagedown", "down")
        assert find(pilot).query_one(Lines).at == len(find(pilot).found) - 1
        await press(pilot, "pageup", "down", "enter")
        await until(pilot, lambda: main.responder.runbook is not None)
        assert main.responder.runbook and main.responder.runbook.path == str(second.path)


async def test_a_pasted_log_line_of_several_lines_finds_it(books: Path) -> None:
    line = (
        "2026-11-21 03:12:44 ERROR (sqlite3.OperationalError)\n  database is locked\n"
        "  (request 7f3a9c1e2b55)\n"
    )
    async with finding(Config(runbooks=(books,))) as (pilot, _):
        find(pilot).query_one(Answer).post_message(events.Paste(line))
        await until(pilot, lambda: "OperationalError" in str(find(pilot).shown_for))
        assert "\n" not in find(pilot).typed
        assert "request" in find(pilot).typed
        assert "> P0 Ledger database lost" in rows(pilot)
        assert 'symptom: "OperationalError: database is locked"' in rows(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_each_has_its_record_and_the_chosen_one_what_fixed_it(
    home: Path, books: Path, size: tuple[int, int]
) -> None:
    book = str(books / "db.md")
    done = [opened(book), *ran("kamiyo", book=book), ticked(), VERIFIED]
    incident(home, *done, RESOLVED)
    async with finding(Config(runbooks=(books,)), size) as (pilot, _):
        await until(pilot, lambda: "used once, solved it" in rows(pilot))
        assert "> P0 Ledger database lost" in rows(pilot)  # used last, so first
        assert "never used" in rows(pilot)
        await until(pilot, lambda: "Fixed last time: restarted kamiyo" in said(pilot, "chosen"))
        assert "books/db.md" in said(pilot, "chosen")
        width = find(pilot).query_one("#offers").size.width
        assert all(len(row.plain) <= width for row in find(pilot).query_one(Lines).rows)
        box = find(pilot).query_one(".box")
        assert box.region.bottom <= size[1]
        shown = find(pilot).query_one("#offers").size.height
        assert shown >= 8


async def test_the_file_of_a_typed_path_can_be_opened(books: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "my notes.md"
    elsewhere.write_text("# Notes\n## Recovery\n```bash\ntrue\n```\n")
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await typed(pilot, str(elsewhere))
        assert "> my notes.md" in rows(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: main.responder.runbook is not None)
        assert main.responder.runbook and main.responder.runbook.title == "Notes"


async def test_a_path_that_is_not_there_is_said(books: Path) -> None:
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await typed(pilot, "/qqqq/wwww.md")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is main)
        await until(pilot, lambda: any("/qqqq/wwww.md is not there" in one.message
                                       for one in pilot.app._notifications))  # fmt: skip


async def test_the_line_under_the_cursor_of_the_log_is_the_question(books: Path) -> None:
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await press(pilot, "escape", "2")
        begin(main.logs, "gateway")
        line = "write /var/lib/x: no space left on device"
        come(main.logs, [Line(0, Stream.STDERR, Safe(line))])
        await press(pilot, "B")
        await dialog(pilot, Find)
        await until(pilot, lambda: find(pilot).shown_for == line)
        assert "> Volumes that fill up" in rows(pilot)
        assert 'symptom: "writes fail with no space left on device"' in rows(pilot)
        await typed(pilot, "mail")  # what is typed takes its place
        assert "> Mail is late" in rows(pilot)


async def test_the_service_before_the_responder_comes_first(books: Path) -> None:
    async with finding(Config(runbooks=(books,))) as (pilot, main):
        await press(pilot, "escape")
        begin(main.logs, "gateway")
        await press(pilot, "3", "B")
        await dialog(pilot, Find)
        await until(pilot, lambda: "> warning Pods that restart" in rows(pilot))
        assert "for what is before you" in rows(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_who_has_none_is_told_where_was_looked(size: tuple[int, int]) -> None:
    async with finding(Config(), size) as (pilot, _):
        await until(pilot, lambda: bool(said(pilot, "notes")))
        assert "Only those that come with cockpit" in said(pilot, "notes")
        assert "cockpit.yaml" in said(pilot, "notes")
        assert find(pilot).query_one("#notes").region.height >= 1
        assert "Your First Five Minutes" in rows(pilot)


async def test_what_was_passed_over_is_told_in_one_line(books: Path) -> None:
    for number in range(5):
        (books / f"b{number}.md").write_bytes(b"\0")
    async with finding(Config(runbooks=(books,))) as (pilot, _):
        await until(pilot, lambda: "Passed over" in said(pilot, "notes"))
        assert "and 2 more" in said(pilot, "notes")
        assert "\n" not in said(pilot, "notes").strip()


async def test_hostile_runbooks_are_shown_as_text(books: Path) -> None:
    hostile = "[/] [@click=app.quit]x[/] \x1b]52;c;ZXZpbA==\x07 \u202e turbine"
    (books / "[red].md").write_text(f"# {hostile}\n## Symptoms\n- {hostile}\n")
    async with finding(Config(runbooks=(books,))) as (pilot, _):
        await typed(pilot, "turbine")
        assert "[@click=app.quit]x[/] ␛ <U+202E> turbine" in rows(pilot)


async def test_the_first_time_it_says_how_far_it_is(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    real: Callable[..., None] = Index.refresh

    def slow(self: Index, told: Callable[[int, int], None], *, aside: bool) -> None:
        told(2, 5)
        go.wait(60)
        real(self, told)

    monkeypatch.setattr(Index, "refresh", slow)
    responder = Responder(books / "incidents", "sam", Config(runbooks=(books,)))
    app = CockpitApp(responder, Opening())
    async with app.run_test() as pilot:
        await until(pilot, lambda: responder.watch is not None)
        await pilot.press("B")
        await dialog(pilot, Find)
        await until(pilot, lambda: "Reading the runbooks" in rows(pilot))
        go.set()
        await until(pilot, lambda: "> P0 Ledger database lost" in rows(pilot))
    await responder.close()


def is_typed(pilot: Pilot[int], text: str) -> bool:
    return find(pilot).typed == text


@pytest.mark.slow
async def test_keys_are_answered_while_thousands_are_read(tmp_path: Path) -> None:
    write(tmp_path / "many", 3000)
    async with finding(Config(runbooks=(tmp_path / "many",))) as (pilot, _):
        read = []
        for end, char in enumerate("db locked", 1):
            pilot.app.post_message(events.Key("space" if char == " " else char, char))
            await until(pilot, partial(is_typed, pilot, "db locked"[:end]))
            read.append(find(pilot)._count)
        assert read[0] < 3000, f"it was answered when all were read: {read}"
        async with asyncio.timeout(120):
            while find(pilot)._count <= 3000:
                await pilot.pause(0.1)
        await until(pilot, lambda: find(pilot).shown_for == "db locked")
