"""Panes and panels at their limits: long logs, long commands, long outputs, small terminals."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from cockpit.containers.logs import Line, Source
from cockpit.text import Safe
from screens.lines import Lines
from screens.panes.logs import DROPPED, KEPT, LogsPane

STYLE = Path(__file__).resolve().parents[2] / "cockpit.tcss"

pytestmark = pytest.mark.anyio


def shown(lines: Lines) -> str:
    return "\n".join(row.plain for row in lines.rows)


def in_sight(lines: Lines) -> list[str]:
    return [lines.render_line(y).text.rstrip() for y in range(lines.size.height)]


# Logs


class LogApp(App[None]):
    CSS_PATH = STYLE

    def compose(self) -> ComposeResult:
        yield LogsPane(id="logs")


@asynccontextmanager
async def long_log(count: int) -> AsyncIterator[tuple[Pilot[None], LogsPane]]:
    app = LogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.query_one(LogsPane)
        pane.focus()
        pane.start(Safe("kamiyo"))
        pane.add(log_lines(0, count))
        await pilot.pause()
        yield pilot, pane


def log_lines(start: int, count: int) -> list[Line]:
    return [Line(0, Source.STDOUT, Safe(f"line {n}")) for n in range(start, start + count)]


async def test_a_full_log_takes_more_lines_as_fast_as_a_short_one() -> None:
    async with long_log(KEPT) as (pilot, pane):
        laid = 0
        lay = pane._laid

        def counted(index: int, line: Line) -> object:
            nonlocal laid
            laid += 1
            return lay(index, line)

        pane._laid = counted  # type: ignore[method-assign, assignment]
        batches, size = DROPPED // 100 + 5, 100
        slowest = 0.0
        for batch in range(batches):
            start = time.perf_counter()
            pane.add(log_lines(KEPT + batch * size, size))
            slowest = max(slowest, time.perf_counter() - start)
            await pilot.pause()
        assert laid == batches * size, "lines that were there already were laid out again"
        assert slowest < 0.2
        assert KEPT <= len(pane.rows) < KEPT + DROPPED
        assert in_sight(pane)[-1] == f"line {KEPT + batches * size - 1}"
        assert pane.line() == log_lines(KEPT + batches * size - 1, 1)[0]


async def test_a_held_log_stands_still_while_its_oldest_lines_go() -> None:
    async with long_log(KEPT) as (pilot, pane):
        await pilot.press("k", "k", "pageup")
        await pilot.pause()
        before, at = in_sight(pane), pane.line()
        pane.add(log_lines(KEPT, DROPPED))
        await pilot.pause()
        assert shown(pane).startswith(f"line {DROPPED}\n"), "nothing was dropped"
        assert in_sight(pane) == before
        assert pane.line() == at
        await pilot.press("j")
        assert pane.line() != at


async def test_lines_that_fit_the_filter_replace_the_sentence_that_none_does() -> None:
    async with long_log(10) as (pilot, pane):
        pane.show_only(Safe("ERROR"))
        assert "No line has ERROR" in shown(pane)
        pane.add(log_lines(10, 5))
        assert "No line has ERROR" in shown(pane)
        pane.add([Line(0, Source.STDERR, Safe("ERROR late"))])
        await pilot.pause()
        assert shown(pane) == "ERROR late"
        assert pane.line() == Line(0, Source.STDERR, Safe("ERROR late"))
