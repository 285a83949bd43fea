"""The logs pane: what is in sight, what is found, what is shown alone, when it is held."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from cockpit.logs.finder import Finder
from cockpit.logs.line import Line, Look, Stream
from cockpit.logs.view import Query
from cockpit.logs.wanted import wanted
from cockpit.text import Safe
from screens.paint import Row
from screens.panes import log_rows
from screens.panes.log_rows import Times, ago, histogram, legend, tag
from screens.panes.logs import LogsPane
from tests.screens.logs import begin, come

STYLE = Path(__file__).resolve().parents[2] / "cockpit.tcss"
NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())

pytestmark = pytest.mark.anyio


class LogApp(App[None]):
    CSS_PATH = STYLE

    def __init__(self) -> None:
        super().__init__()
        self.at_start = 0

    def compose(self) -> ComposeResult:
        yield LogsPane(id="logs", zone=timezone(timedelta(hours=2)))

    def on_logs_pane_at_start(self) -> None:
        self.at_start += 1


@asynccontextmanager
async def log(
    *names: str, size: tuple[int, int] = (54, 24)
) -> AsyncIterator[tuple[Pilot[None], LogsPane]]:
    app = LogApp()
    async with app.run_test(size=size) as pilot:
        pane = app.query_one(LogsPane)
        pane.focus()
        begin(pane, *(names or ("kamiyo",)))
        await pilot.pause()
        yield pilot, pane


def said(text: str, second: int = 0, *looks: Look, stream: Stream = Stream.STDOUT) -> Line:
    return Line((NOON + second) * 10**9, stream, Safe(text), looks)


def numbered(start: int, count: int) -> list[Line]:
    return [said(f"line {n}", n) for n in range(start, start + count)]


def in_sight(pane: LogsPane) -> list[str]:
    return [pane.render_line(y).text.rstrip() for y in range(pane.size.height)]


def texts(pane: LogsPane) -> list[str]:
    """The texts of the lines in sight, without what stands before them."""
    return [row.split(" ", 3)[-1] if row[2:3].isdigit() else row for row in in_sight(pane)]


def title(pane: LogsPane) -> str:
    return str(pane.border_title)


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def test_a_log_without_lines_is_loading_before_it_is_empty() -> None:
    async with log() as (pilot, pane):
        assert "Loading …" in in_sight(pane)[0]
        pane.news(0, note=Safe("It wrote nothing."))
        await pilot.pause()
        assert "No line is loaded." in in_sight(pane)[0]
        assert "waiting, see below" in title(pane)
        begin(pane, "other")
        pane._started -= 4
        pane.news(0)
        assert "No log lines yet." in in_sight(pane)[0]


async def test_a_range_has_a_sign_and_its_keys_and_escape_ends_it_then_the_filter() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(0, 9))
        pane.show_only(*_only("line"))
        await press(pilot, "v", "k", "k")
        rows = in_sight(pane)
        assert sum(row[1:2] == "+" for row in rows) == 2 and any(row[1:2] == ">" for row in rows)
        assert "m pins · y copies" in "".join(rows)
        await press(pilot, "escape")
        assert "m pins" not in "".join(in_sight(pane))
        assert "(esc: all)" in title(pane)
        await press(pilot, "escape")
        assert not pane.filter_words


def _only(words: str) -> tuple[Query, Safe]:
    query, said = wanted(words, Query())
    return query, Safe(said)


# In sight


async def test_only_what_is_in_sight_is_laid_out_however_much_there_is() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(0, 50_000))
        await pilot.pause()
        laid: list[int] = []
        lay = pane._laid

        def counted(place: int) -> list[Row]:
            laid.append(place)
            return lay(place)

        pane._laid = counted  # type: ignore[method-assign]
        for wrap in (False, True):
            pane.wrapping = wrap
            for key in ("g", "pagedown", "j", "G", "pageup", "k", "f"):
                laid.clear()
                await press(pilot, key)
                assert len(laid) < 6 * pane.size.height, key
        laid.clear()
        come(pane, numbered(50_000, 5_000))
        await pilot.pause()
        assert len(laid) < 3 * pane.size.height
        assert texts(pane)[-1].endswith("line 54999")


async def test_it_follows_until_it_is_held_and_counts_what_came_since() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(0, 100))
        await pilot.pause()
        assert "following" in title(pane)
        assert texts(pane)[-1].endswith("line 99")
        await press(pilot, "k", "k")
        before, at = in_sight(pane), pane.line()
        come(pane, numbered(100, 214))
        await pilot.pause()
        assert in_sight(pane) == before
        assert pane.line() == at == said("line 97", 97)
        assert "paused · 214 new lines, f" in title(pane)
        await press(pilot, "f")
        assert "following" in title(pane)
        assert texts(pane)[-1].endswith("line 313")
        await press(pilot, "f")
        assert "paused (f follows)" in title(pane)


async def test_a_held_pane_stands_still_while_the_oldest_lines_go() -> None:
    async with log() as (pilot, pane):
        pane.window._keep = 20_000
        come(pane, numbered(0, 2_000))
        await press(pilot, "pageup", "k")
        before, at = in_sight(pane), pane.line()
        first = pane.window.first
        come(pane, numbered(2_000, 300))
        await pilot.pause()
        assert pane.window.first > first, "nothing was dropped"
        assert in_sight(pane) == before
        assert pane.line() == at
        come(pane, numbered(2_300, 5_000))
        await pilot.pause()
        assert pane.line() != at
        assert in_sight(pane)[1].endswith(f"line {pane.window.first}"), "it stands at what is left"


async def test_keys_move_by_lines_and_pages_to_both_ends() -> None:
    async with log(size=(54, 13)) as (pilot, pane):
        come(pane, numbered(0, 100))
        await press(pilot, "g")
        assert pane.line() == said("line 0")
        assert "older lines" in in_sight(pane)[0]
        await press(pilot, "j", "j")
        assert pane.line() == said("line 2", 2)
        assert in_sight(pane)[3].startswith(" >12:00:02 line 2"), "the cursor has a sign"
        await press(pilot, "pagedown")
        assert pane.line() == said("line 10", 10)
        await press(pilot, "pageup")
        assert pane.line() == said("line 0")
        await press(pilot, "pagedown", "pagedown", "k")
        assert pane.line() == said("line 20", 20), "the line above is scrolled to"
        await press(pilot, "G")
        assert pane.line() == said("line 99", 99)
        assert pane.following


async def test_going_on_beyond_the_first_line_asks_for_older_ones() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(100, 50))
        await press(pilot, "g")
        app = pilot.app
        assert isinstance(app, LogApp)
        assert app.at_start == 0
        await press(pilot, "k")
        assert app.at_start == 1
        pane.edge(Safe("loading older lines …"))
        await pilot.pause()
        assert "loading older lines …" in in_sight(pane)[0]
        pane.window.prepend([(0, line) for line in numbered(50, 50)])
        pane.loaded_older(Safe(""))
        await press(pilot, "k")
        assert pane.line() == said("line 99", 99), "the cursor went on from where it was"
        await press(pilot, "g")
        assert pane.line() == said("line 50", 50)
        pane.loaded_older(Safe("the log begins here"))
        await pilot.pause()
        assert "the log begins here" in in_sight(pane)[0]


async def test_a_range_stays_on_its_lines_when_others_come_before_them() -> None:
    async with log("db", "web") as (pilot, pane):
        come(pane, [said(f"line {n}", n) for n in range(60)])
        await pilot.pause()
        await pilot.press("up", "up", "v", "down")

        def chosen() -> list[str]:
            return [pane.window[pane.view[place]].line.text for place in pane.chosen()]

        assert chosen() == ["line 57", "line 58"]
        come(pane, [said(f"late {n}", 50) for n in range(7)], origin=1)
        assert chosen() == ["line 57", "line 58"]
        pane.window.add(1, [said(f"older {n}", 20) for n in range(7)], late=True)
        pane.loaded_older(Safe(""))
        assert chosen() == ["line 57", "line 58"]


async def test_older_lines_that_come_amid_others_are_not_new() -> None:
    async with log("db", "web") as (pilot, pane):
        come(pane, numbered(0, 60))
        await press(pilot, "f")
        come(pane, numbered(60, 2))
        assert "2 new lines, f" in title(pane)
        pane.window.add(1, [said(f"older {n}", 20) for n in range(30)], late=True)
        pane.loaded_older(Safe(""))
        assert "2 new lines, f" in title(pane)
        come(pane, numbered(62, 1))
        assert "3 new lines, f" in title(pane)


async def test_where_the_older_lines_of_a_log_are_not_loaded_is_told_amid_those_of_others() -> None:
    async with log("db", "web", size=(80, 24)) as (pilot, pane):
        pane.begun = {0: NOON * 10**9, 1: (NOON + 5) * 10**9}
        come(pane, numbered(0, 8))
        come(pane, [said("web began", 5)], origin=1)
        await press(pilot, "g")
        shown = in_sight(pane)
        (told,) = [y for y, row in enumerate(shown) if "older not loaded" in row]
        assert shown[told].startswith("── B web:")
        assert "line 4" in shown[told - 1] and "line 5" in shown[told + 1]
        pane.begun = {}
        pane.draw()
        await pilot.pause()
        assert not any("older not loaded" in row for row in in_sight(pane))


async def test_a_line_that_comes_late_does_not_move_the_cursor_to_another() -> None:
    async with log("one", "two") as (pilot, pane):
        come(pane, numbered(0, 100))
        await press(pilot, "k", "k", "k")
        at, before = pane.line(), in_sight(pane)[5:]
        late = [said(f"late {n}", 50) for n in range(7)]
        come(pane, late, origin=1)
        await pilot.pause()
        assert pane.line() == at
        assert in_sight(pane)[5:] == before


# How a line looks


async def test_sign_time_tag_and_trace_in_54_cells() -> None:
    async with log("web", "worker") as (pilot, pane):
        come(pane, [said("GET / 200 in 3 ms", 1)])
        come(
            pane,
            [
                said("ERROR job failed", 2),
                said("Traceback (most recent call last):", 2),
                said('  File "/app/worker.py", line 31, in run', 2),
                said("ValueError: amount must be positive, but it was -3 in order 88213", 2),
                said("WARN retrying", 3),
                said("2026-11-22 12:00:04 INFO has its own time", 4),
            ],
            origin=1,
        )
        await pilot.pause()
        rows = in_sight(pane)
        assert rows[0] == "A web  B worker"
        assert rows[1].startswith("errors/min 12:00–12:00 █ 1 in all")
        assert rows[2] == "A   12:00:01 GET / 200 in 3 ms"
        assert rows[3] == "B E 12:00:02 ERROR job failed"
        assert rows[4] == "B │ Traceback (most recent call last):"
        assert rows[5] == 'B │   File "/app/worker.py", line 31, in run'
        assert rows[6] == "B │ ValueError: amount must be positive, but it was -›"
        assert rows[7] == "B W 12:00:03 WARN retrying"
        assert rows[8] == "B I 2026-11-22 12:00:04 INFO has its own time"


async def test_long_lines_are_wrapped_or_scrolled_aside() -> None:
    async with log() as (pilot, pane):
        words = " ".join(f"word{n}" for n in range(30))
        come(pane, [said(words), said("short")])
        await press(pilot, "k")
        assert in_sight(pane)[1].endswith("›")
        await press(pilot, "right")
        assert "word1 word2" not in in_sight(pane)[1].split("d2")[0]
        assert in_sight(pane)[1].startswith(" >12:00:00 rd1 word2")
        assert in_sight(pane)[2] == "  12:00:00"
        await press(pilot, "left", "w")
        wrapped = [row for row in in_sight(pane) if "word" in row]
        assert len(wrapped) > 4
        assert all(row.startswith(" " * 11) for row in wrapped[1:])
        assert " ".join(row[11:].strip() for row in wrapped) == words


async def test_a_line_higher_than_the_pane_is_read_row_by_row() -> None:
    async with log(size=(40, 10)) as (pilot, pane):
        pane.wrapping = True
        come(pane, [said("before"), said(" ".join(f"w{n}" for n in range(300))), said("after")])
        await press(pilot, "g", "j")
        seen = ""
        for _ in range(60):
            seen += " ".join(row[11:] for row in in_sight(pane)) + " "
            if pane.line() != pane.window[1].line:
                break
            await press(pilot, "j")
        assert {f"w{n}" for n in range(300)} <= set(seen.split())
        assert pane.line() == said("after")


async def test_times_go_round_and_say_how_they_are_shown() -> None:
    async with log() as (pilot, pane):
        come(pane, [said("one"), said("2026-11-22 12:00:00 own"), said("2026-11-22 GET /")])
        await pilot.pause()
        assert in_sight(pane)[2] == "  12:00:00 2026-11-22 GET /", "a date alone is no time"
        shown = {}
        for _ in Times:
            shown[pane.times] = in_sight(pane)[:2]
            assert (str(pane.times) in title(pane)) == (pane.times is not Times.AUTO)
            await press(pilot, "t")
        assert shown[Times.AUTO] == ["  12:00:00 one", "  2026-11-22 12:00:00 own"]
        assert shown[Times.UTC][1] == "  12:00:00 2026-11-22 12:00:00 own"
        assert shown[Times.LOCAL][0] == "  14:00:00 one"
        assert shown[Times.OFF][0] == "  one"
        assert shown[Times.AGO][0].split()[-1] == "one"
        assert pane.times is Times.AUTO


async def test_a_program_keeps_its_colours_but_where_none_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with log() as (pilot, pane):
        come(pane, [said("all is well", 0, Look(4, 6, "green"))])
        await pilot.pause()
        assert (Safe("is"), "green") in pane.rows[0].parts
        monkeypatch.setenv("NO_COLOR", "1")
        pane.draw()
        assert [words for words, _ in pane.rows[0].parts][-1] == "all is well"


async def test_a_hole_is_told_in_words() -> None:
    async with log() as (pilot, pane):
        come(pane, [said("a"), said("8,412 lines not shown, 31 of them errors", 1,
                                    stream=Stream.GAP), said("b", 2)])  # fmt: skip
        pane.news(pane.window.end, rate=9_876.0)
        await pilot.pause()
        assert any("8,412 lines not shown" in row for row in in_sight(pane))
        assert "9,900 lines/s" in title(pane)


async def test_why_nothing_comes_stands_under_the_lines() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(0, 100))
        note = Safe("This container does not run; its log goes on when it starts.")
        pane.news(pane.window.end, note=note)
        await pilot.pause()
        assert " ".join(row.strip() for row in in_sight(pane)[-2:]) == note
        assert texts(pane)[-3].endswith("line 99")


# Finding


async def test_a_search_is_counted_and_goes_to_the_nearest_match_before() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(0, 300))
        pane.search(Safe("line 12"))
        await pilot.pause()
        assert pane.line() == said("line 129", 129)
        assert "line 12: 11 of 11" in title(pane)
        await press(pilot, "N", "N")
        assert pane.line() == said("line 127", 127)
        assert "line 12: 9 of 11" in title(pane)
        await press(pilot, "n", "n", "n")
        assert pane.line() == said("line 129", 129), "there is none after it"
        come(pane, [said("line 12 again", 400)])
        await press(pilot, "n")
        assert pane.line() == said("line 12 again", 400)
        assert (Safe("line 12"), "found") in pane.rows[-1].parts
        await press(pilot, "escape")
        assert "line 12:" not in title(pane)
        pane.search(Safe("nowhere"))
        await pilot.pause()
        assert "nowhere: none" in title(pane)


async def test_words_taken_as_they_stand_and_lines_given_up_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with log(size=(120, 24)) as (pilot, pane):
        come(pane, [said("GET /basket[0]"), *(said("c" + "b" * 3_000) for _ in range(9))])
        pane.search(Safe("basket["))
        await pilot.pause()
        assert "basket[ as it stands: 1 of 1" in title(pane)
        monkeypatch.setattr(Finder, "fits", _gives_up)
        pane.search(Safe("b.*b.*c"))
        await pilot.pause()
        assert "b.*b.*c: none · 10 lines not searched, too slow" in title(pane)
        for words in ("b.*c", "b.*b.*c", "b.*b.*b.*c", "b.*b.*b.*b.*c"):
            begun = time.thread_time()
            pane.search(Safe(words))
            assert time.thread_time() - begun < 0.3, "drawn with a mark where it is soon found"


def _gives_up(finder: Finder, _text: str) -> bool:
    finder.passed += 1
    return False


async def test_only_lines_that_fit_and_that_is_said() -> None:
    async with log() as (pilot, pane):
        come(pane, [said("GET /health"), said("ERROR late", 1), said("GET /basket", 2)])
        pane.show_only(*_wanted("!health", pane))
        await pilot.pause()
        assert "health" not in "\n".join(in_sight(pane))
        assert "only !health" in title(pane)
        come(pane, [said("GET /health", 3), said("POST /basket", 4)])
        await pilot.pause()
        assert in_sight(pane)[3].endswith("POST /basket")
        await press(pilot, "l", "l")
        assert [row for row in in_sight(pane) if "ERROR late" in row]
        assert "level error+" in title(pane)
        pane.show_only(*_wanted("nothing like it", pane))
        await pilot.pause()
        assert "No line fits nothing like it" in " ".join(in_sight(pane))
        assert "& changes" in " ".join(row.strip() for row in in_sight(pane))
        pane.show_only(*_wanted("", pane))
        await press(pilot, "l", "g")
        pane.show_only(*_wanted("basket", pane))
        await pilot.pause()
        assert pane.line() == said("GET /basket", 2), "the cursor stands on what is shown"
        assert any(row.startswith(" >") for row in in_sight(pane))
        pane.show_only(*_wanted("nothing like it", pane))
        come(pane, [said("ERROR nothing like it before", 5)])
        await pilot.pause()
        assert "ERROR nothing like it before" in "\n".join(in_sight(pane))


def _wanted(words: str, pane: LogsPane) -> tuple[Query, Safe]:
    query, rest = wanted(words, pane.asked)
    return query, Safe(rest)


async def test_e_goes_to_the_newest_error_then_on_and_back() -> None:
    async with log() as (pilot, pane):
        lines = numbered(0, 300)
        for n in (20, 120, 250):
            lines[n] = said(f"ERROR number {n}", n)
        come(pane, lines)
        await press(pilot, "e")
        assert pane.line() == lines[250]
        await press(pilot, "left_square_bracket", "left_square_bracket")
        assert pane.line() == lines[20]
        await press(pilot, "left_square_bracket")
        assert pane.line() == lines[20], "there is none before it"
        await press(pilot, "e")
        assert pane.line() == lines[120]
        assert not pane.following


async def test_one_log_alone_and_all_again() -> None:
    async with log("web", "worker") as (pilot, pane):
        come(pane, [said(f"web {n}", 2 * n) for n in range(5)])
        come(pane, [said(f"worker {n}", 2 * n + 1) for n in range(5)], origin=1)
        await press(pilot, "o")
        assert "web" not in "\n".join(in_sight(pane)[1:])
        assert "only worker" in title(pane)
        await press(pilot, "o")
        assert "web 4" in "\n".join(in_sight(pane)[1:])


async def test_a_range_is_marked_and_counted() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(0, 50))
        await press(pilot, "k", "v", "k", "k")
        assert "range of 3 lines" in title(pane)
        assert [pane.view[place] for place in pane.chosen()] == [46, 47, 48]
        await press(pilot, "escape")
        assert "range" not in title(pane)


async def test_the_line_of_a_moment() -> None:
    async with log() as (pilot, pane):
        come(pane, numbered(0, 300))
        pane.go_to_time((NOON + 100) * 10**9)
        await pilot.pause()
        assert pane.line() == said("line 100", 100)
        assert not pane.following
        pane.go_to_time((NOON + 1000) * 10**9)
        assert pane.line() == said("line 299", 299)


async def test_an_empty_pane_says_how_to_get_lines() -> None:
    async with log() as (pilot, pane):
        pane.start([], pane.window)
        await pilot.pause()
        words = " ".join(" ".join(in_sight(pane)).split())
        assert "enter on one in the containers pane" in words


@pytest.mark.parametrize("size", [(54, 24), (80, 10), (20, 3), (40, 1), (7, 2)])
async def test_it_stands_any_size(size: tuple[int, int]) -> None:
    async with log("one", "two", size=size) as (pilot, pane):
        come(pane, [said("ERROR x" * 300), *numbered(0, 100)])
        for key in ("g", "pagedown", "w", "j", "k", "G", "pageup", "e", "v", "t", "escape", "w"):
            await press(pilot, key)
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert len(pane.rows) <= pane.size.height


# The parts


def test_tags_are_letters() -> None:
    assert [str(tag(n)) for n in (0, 1, 25, 26, 27, 701, 702)] == [
        "A", "B", "Z", "AA", "AB", "ZZ", "AAA"
    ]  # fmt: skip


def test_how_long_ago_moves_in_steps() -> None:
    seconds = [0, 9, 10, 19, 59, 60, 3599, 3600, 86399, 86400, 400 * 86400]
    assert [str(ago(n * 10**9)) for n in seconds] == [
        "now", "now", "10s", "10s", "50s", "1m", "59m", "1h", "23h", "1d", "400d"
    ]  # fmt: skip


def test_errors_a_minute_in_one_row() -> None:
    first = NOON // 60
    assert histogram({}, first, first + 30, UTC, 53).plain == ""
    row = histogram({first + 2: 1, first + 3: 8, first + 5: 4}, first, first + 5, UTC, 53)
    assert row.plain == "errors/min 12:00–12:05 ··▁█·▄ 13 in all"
    long = histogram({first + 500: 3, first: 1}, first, first + 600, UTC, 53)
    assert long.plain.startswith("errors/1 h 12:00–22:00 ")
    assert len(long.plain) <= 53
    here = histogram({first: 1}, first, first, timezone(timedelta(hours=2)), 53)
    assert "14:00" in here.plain


def test_minutes_that_are_not_loaded_are_not_drawn_as_without_errors() -> None:
    first = NOON // 60
    until = (NOON + 150) * 10**9
    row = histogram({first + 1: 8, first + 5: 4}, first, first + 5, UTC, 53, [(0, until)])
    assert row.plain == "errors/min 12:00–12:05 ?█?··▄ 12 in all"


def test_minutes_in_which_one_of_several_logs_is_not_loaded_may_be_too_low() -> None:
    first, minute = NOON // 60, 60 * 10**9
    errors = {first: 4, first + 1: 4, first + 2: 8}
    gone = [(0, first * minute + 1), (0, (first + 2) * minute)]
    row = histogram(errors, first, first + 2, UTC, 60, gone)
    assert row.plain == "errors/min 12:00–12:02 ▄▄?█ 16+ in all"
    whole = histogram(errors, first, first + 2, UTC, 60, gone[:1])
    assert whole.plain == "errors/min 12:00–12:02 ▄▄█ 16 in all", "any log may have older lines"


@pytest.mark.parametrize("width", [20, 40, 53])
def test_a_histogram_of_days_fits_into_its_row(width: int) -> None:
    first = NOON // 60
    errors = {first + n * 97: n + 1 for n in range(100)}
    row = histogram(errors, first, first + 10_000, UTC, width)
    assert len(row.plain) <= max(width, 54)
    assert "28 Nov" in row.plain
    assert row.plain.endswith(f" {sum(range(90, 101)):,} in all"), "of the last day"
    assert histogram({first: 3}, first, first + 10_000, UTC, width).plain == ""


def test_a_legend_says_how_many_more_there_are() -> None:
    names = [Safe(f"service-{n}") for n in range(10)]
    assert legend(names[:2], 54).plain == "A service-0  B service-1  "
    words = legend(names, 54).plain
    assert words == "A service-0  B service-1  C service-2  D service-3  +6"


@pytest.mark.parametrize(
    ("spans", "wanted_words"),
    [((), ""), ((Look(0, 3, "red"),), "b"), ((Look(1, 99, "red"),), "."), ((), "x*")],
)
def test_no_letter_is_lost_between_looks(spans: Sequence[Look], wanted_words: str) -> None:
    from cockpit.logs.view import pattern

    sought = pattern(wanted_words) if wanted_words else None
    parts = log_rows.coloured(Safe("abc de"), "bad", spans, sought)
    assert "".join(words for words, _ in parts) == "abc de"
