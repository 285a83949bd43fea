"""Panes and panels at their limits: long logs, long commands, long outputs, small terminals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from cockpit.incident.output import EXCERPT, excerpt
from cockpit.runbook.model import Risk
from cockpit.target import guard
from cockpit.text import Safe, clean
from screens.dialogs.answer import Answer
from screens.dialogs.gate import Gate
from screens.dialogs.reader import Reader
from screens.lines import Lines
from screens.paint import Part
from tests.screens.tmux import Terminal, cockpit

STYLE = Path(__file__).resolve().parents[2] / "cockpit.tcss"

pytestmark = pytest.mark.anyio


def shown(lines: Lines) -> str:
    return "\n".join(row.plain for row in lines.rows)


def in_sight(lines: Lines) -> list[str]:
    return [lines.render_line(y).text.rstrip() for y in range(lines.size.height)]


# The gate

SIZES = [(80, 24), (60, 20), (40, 12)]
MANY_LINES = "\n".join(f"touch file-{n}" for n in range(24)) + "\ntouch the-end"
ONE_LINE = "touch " + " ".join(f"file-{n}" for n in range(180)) + "   'two  blanks' the-end"


class PanelApp(App[None]):
    CSS_PATH = STYLE


def drawn(app: App[None]) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


def intent(command: str, risk: Risk = Risk.CHANGE, **more: object) -> guard.Intent:
    return guard.Intent(command=command, host="prod-1", risk=risk, because="it says touch", **more)  # type: ignore[arg-type]


@asynccontextmanager
async def gate(
    asked: guard.Intent, size: tuple[int, int], saved: str = ""
) -> AsyncIterator[tuple[Pilot[None], Gate, list[tuple[guard.Pass, ...] | None]]]:
    async def saving() -> str:
        return saved

    given: list[tuple[guard.Pass, ...] | None] = []
    app = PanelApp()
    async with app.run_test(size=size) as pilot:
        panel = Gate(guard.ask(asked), saving() if saved else None)
        app.push_screen(panel, given.append)
        await until(pilot, lambda: panel._ready_at is not None and panel._saved)
        await pilot.pause(0.1)
        await until(pilot, lambda: not panel._waits_for_end)
        yield pilot, panel, given


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("command", [MANY_LINES, ONE_LINE])
async def test_a_command_that_does_not_fit_runs_only_after_its_end_was_shown(
    command: str, size: tuple[int, int]
) -> None:
    async with gate(intent(command), size, saved="logs of kamiyo saved") as (pilot, _, given):
        if "the-end" in drawn(pilot.app):
            pytest.fail("this test wants a command that does not fit")
        await pilot.press("y", "y")
        await pilot.pause()
        assert not given
        await pilot.press("j")
        for _ in range(60):
            screen = drawn(pilot.app)
            assert "on prod-1" in screen
            assert "logs of kamiyo saved" in screen
            assert "esc leaves it" in screen
            if "the-end" in screen:
                break
            assert "j shows the rest" in screen
            await pilot.press("pagedown")
        else:
            pytest.fail("no key showed the end")
        await until(pilot, lambda: "y runs it" in drawn(pilot.app))
        await pilot.press("y")
        await until(pilot, lambda: bool(given))
        assert given[0] is not None
        assert [leave.command for leave in given[0]] == [command]


@pytest.mark.parametrize("size", SIZES)
async def test_a_name_typed_under_half_a_command_runs_nothing(size: tuple[int, int]) -> None:
    asked = intent(MANY_LINES, Risk.DESTROY, skipped_diagnosis=True)
    async with gate(asked, size) as (pilot, panel, given):
        await pilot.press(*"hurry", "enter", *"prod-1", "enter")
        await until(pilot, lambda: "The down key shows the rest" in drawn(pilot.app))
        assert not given
        assert panel.query_one(Answer).value == "prod-1", "what was typed is gone"
        await pilot.press(*["pagedown"] * 12)
        await until(pilot, lambda: "the-end" in drawn(pilot.app))
        await until(pilot, lambda: panel._whole_at is not None)
        assert "Type the name: prod-1" in drawn(pilot.app)
        await pilot.press("enter")
        await until(pilot, lambda: bool(given))
        assert given[0] is not None
        assert [(one.how, one.reason) for one in given[0]] == [("typed prod-1", "hurry")]


async def test_a_reason_pressed_by_reflex_is_none() -> None:
    async with gate(intent("rm -rf /x", Risk.CHANGE, skipped_diagnosis=True), SIZES[0]) as (
        pilot, panel, given,
    ):  # fmt: skip
        for keys in ("yyy", "y", "k", "Y y"):
            await pilot.press(*(key.replace(" ", "space") for key in keys), "enter")
            await until(pilot, lambda: "That is no reason" in drawn(pilot.app))
            await until(pilot, lambda: panel.query_one(Answer).value == "")
            assert not panel.given and not given
        await pilot.press(*"oom", "enter", "y")
        await until(pilot, lambda: bool(given))
        assert given[0] is not None and given[0][0].reason == "oom"


async def test_every_character_of_a_command_can_be_read_in_the_gate() -> None:
    command = "echo '" + "x" * 9_000 + "'  a   b\n\ttouch 'ニュース" + "語" * 90 + "'"
    async with gate(intent(command), (80, 24)) as (_, panel, _):
        rows = panel.query_one("#command", Lines).rows
        lines = "".join(
            ("\n" if row.parts[0][0] in ("$ ", "> ") else "") + row.parts[1][0] for row in rows
        )
        assert lines == "\n" + command.expandtabs(8)


async def test_what_was_cut_from_the_words_around_a_command_is_below_it() -> None:
    long = "; ".join(f"logs of service-{n} saved" for n in range(20)) + "; the last"
    async with gate(intent("touch x"), (40, 12), saved=long) as (pilot, _, _):
        assert "the last" not in drawn(pilot.app)
        await pilot.press(*["pagedown"] * 12)
        await until(pilot, lambda: "the last" in drawn(pilot.app))


@pytest.mark.tmux
def test_in_a_real_terminal_of_80x24_half_a_command_is_not_run(tmp_path: Path) -> None:
    words = " ".join(f"{tmp_path}/file-{n}" for n in range(60))
    book = tmp_path / "book.md"
    book.write_text(f"# B\n## Diagnosis\n### Step 1: Make\n```bash\ntouch {words}\n```\n")
    environ = {"COCKPIT_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    with Terminal(cockpit("--runbook", str(book)), size=(80, 24), environ=environ) as terminal:
        terminal.wait("Step 1: Make")
        terminal.keys("Enter")
        terminal.wait("j shows the rest")
        terminal.keys("y", "y")
        terminal.keys(*["PageDown"] * 5)
        assert "file-59" in terminal.wait("y runs it")
        assert not list(tmp_path.glob("file-*"))
        terminal.keys("y")
        terminal.wait("exit 0")
        assert len(list(tmp_path.glob("file-*"))) == 60


# The reader


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await pilot.pause(0.02)


@asynccontextmanager
async def reader(
    source: Callable[[], Safe], *, grows: bool = False, file: str = ""
) -> AsyncIterator[tuple[Pilot[None], Lines]]:
    app = PanelApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Reader(Safe(" Output"), source, grows=grows, file=file))
        text = app.screen.query_one("#text", Lines)
        await until(pilot, lambda: bool(text.rows))
        await pilot.pause()
        yield pilot, text


async def test_space_moves_a_page_down_in_the_reader() -> None:
    whole = Safe("\n".join(str(n) for n in range(200)))
    async with reader(lambda: whole) as (pilot, text):
        assert in_sight(text)[0] == "0"
        await pilot.press("space")
        await until(pilot, lambda: in_sight(text)[0] == str(text.size.height - 1))


async def test_the_reader_says_that_the_middle_is_missing_and_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "0001-long.txt"
    file.write_bytes(b"x" * 99 + b"\n" + b"a line\n" * (EXCERPT // 3))
    async with reader(lambda: clean(excerpt(file)), file="evidence/0001-long.txt") as (pilot, _):
        screen = drawn(pilot.app)
        assert "The middle is left out here. All of it is in evidence/0001-long.txt" in screen
    async with reader(lambda: Safe("short"), file="evidence/0002-short.txt") as (pilot, _):
        assert "left out" not in drawn(pilot.app)


async def test_the_reader_says_how_the_command_stands() -> None:
    stands: list[Part] = [(Safe("running on prod-1 …"), "warn")]
    app = PanelApp()
    async with app.run_test(size=(80, 24)) as pilot:
        out = Reader(Safe(" $ true"), lambda: Safe(""), grows=True, stands=lambda: stands)
        await app.push_screen(out)
        await until(pilot, lambda: "running on prod-1" in drawn(app))
        stands = [(Safe("FAILED "), "bad"), (Safe("exit 1 · 0.2 s"), "")]
        await until(pilot, lambda: "FAILED exit 1 · 0.2 s" in drawn(app))
        assert "running" not in drawn(app)


async def test_a_growing_output_is_followed_and_a_line_half_printed_is_completed() -> None:
    whole = [Safe("\n".join(f"line {n}" for n in range(100)) + "\nhal")]
    async with reader(lambda: whole[0], grows=True) as (pilot, text):
        await pilot.press("G")
        whole[0] = Safe(whole[0] + "f, now whole\nand " + "more " * 40)
        await until(pilot, lambda: "half, now whole" in shown(text))
        assert shown(text).split() == whole[0].split()
        await until(pilot, lambda: "more" in in_sight(text)[-1])
        await pilot.resize_terminal(50, 20)
        await until(pilot, lambda: all(len(row.plain) < 50 for row in text.rows))
        assert shown(text).split() == whole[0].split()


async def test_a_large_output_that_grows_is_read_beside_the_loop_and_laid_out_once() -> None:
    lines = [Safe("word " * 30 + "\n") * 7_000]
    threads = set()

    def source() -> Safe:
        threads.add(threading.get_ident())
        lines[0] += "one more line\n"
        return clean(lines[0])

    async with reader(source, grows=True) as (pilot, text):
        count, first = len(text.rows), text.rows[0]
        await until(pilot, lambda: len(text.rows) >= count + 2)
        assert threading.get_ident() not in threads
        assert text.rows[0] is first, "what was there already was laid out again"
