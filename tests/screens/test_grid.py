"""The difference between two screens, applied to a terminal, gives the wanted one."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screens.grid import BLANK, Grid, difference

WIDTH, HEIGHT = 24, 9
STYLES = ["", "1", "31", "7", "4;38;2;1;2;3", "38;2;1;2;3;48;2;9;9;9", "1;48;5;4", "97;104"]
PIECES = ["a", "bc", " ", " " * 11, "日", "─", "e\u0301", "🙂", "한글"]

texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
writes = st.tuples(
    st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.sampled_from(STYLES), texts
)


def draw(grid: Grid, *some: tuple[int, int, str, str]) -> Grid:
    for y, x, sgr, text in some:
        assert grid.draw(f"\x1b[{y + 1};{x + 1}H\x1b[{sgr}m{text}\x1b[0m\x1b[1;1H") == []
    return grid


def terminal(grid: Grid) -> tuple[pyte.Screen, pyte.Stream]:
    """A terminal on which every cell was written by itself."""
    screen = pyte.Screen(grid.width, grid.height)
    stream = pyte.Stream(screen)
    stream.feed("\x1b[?7l")
    for y, row in enumerate(grid.rows):
        for x, (text, sgr, _) in enumerate(row):
            if text:
                stream.feed(f"\x1b[{y + 1};{x + 1}H\x1b[0;{sgr or 0}m{text}")
    stream.feed(f"\x1b[m\x1b[{grid.y + 1};{grid.x + 1}H")
    return screen, stream


def seen(screen: pyte.Screen) -> list[object]:
    cells: list[object] = [(screen.cursor.y, screen.cursor.x)]
    for y in range(screen.lines):
        for x in range(screen.columns):
            cell = screen.buffer[y][x]
            plain = cell.data == " " and not (cell.underscore or cell.reverse)
            cells.append((" ", cell.bg) if plain else cell)
    return cells


def leads(shown: Grid, wanted: Grid, known: bool = True) -> str:
    screen, stream = terminal(shown)
    sent = difference(shown if known else None, wanted)
    stream.feed(sent)
    assert seen(screen) == seen(terminal(wanted)[0])
    return sent


@settings(max_examples=60, deadline=None)
@given(st.lists(writes, max_size=12), st.lists(writes, max_size=6), st.booleans())
def test_the_difference_leads_to_the_wanted_screen(
    first: list[tuple[int, int, str, str]], more: list[tuple[int, int, str, str]], known: bool
) -> None:
    shown = draw(Grid(WIDTH, HEIGHT), *first)
    wanted = draw(shown.copy(), *more)
    leads(shown, wanted, known)
    assert difference(wanted, wanted.copy()) == ""


@settings(max_examples=40, deadline=None)
@given(st.lists(writes, max_size=12), st.integers(1, HEIGHT), st.integers(0, 3), writes)
def test_rows_that_moved_up_stay_right(
    first: list[tuple[int, int, str, str]], by: int, top: int, last: tuple[int, int, str, str]
) -> None:
    shown = draw(Grid(WIDTH, HEIGHT), *first)
    wanted = shown.copy()
    kept = wanted.rows[top + by :]
    wanted.rows = [row[:] for row in wanted.rows[:top] + kept]
    wanted.rows += [[BLANK] * WIDTH for _ in range(HEIGHT - len(wanted.rows))]
    leads(shown, draw(wanted, last))


@settings(max_examples=40, deadline=None)
@given(st.lists(writes, max_size=20))
def test_a_grid_never_holds_half_a_character(some: list[tuple[int, int, str, str]]) -> None:
    grid = draw(Grid(WIDTH, HEIGHT), *some).resized(WIDTH - 5, HEIGHT + 1)
    for row in grid.rows:
        assert len(row) == WIDTH - 5
        for x, (text, _, _) in enumerate(row):
            is_wide = text[:1] in ("日", "🙂", "한", "글")
            assert is_wide == (x + 1 < len(row) and row[x + 1][0] == "")
        assert row[0][0] != ""


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(STYLES), st.sampled_from(STYLES))
def test_a_change_of_style_keeps_nothing_of_the_old_one(old: str, new: str) -> None:
    shown = draw(Grid(WIDTH, HEIGHT), (0, 0, "1", "xx"))
    leads(shown, draw(shown.copy(), (0, 0, old, "ab"), (0, 2, new, "cd"), (0, 4, old, "ef")))


def test_one_changed_figure_is_a_few_bytes() -> None:
    shown = draw(Grid(120, 40), *((y, 0, "38;2;1;2;3", "│ name  12.5 │") for y in range(40)))
    wanted = draw(shown.copy(), (7, 8, "38;2;1;2;3", "13.5"))
    assert leads(shown, wanted) == "\x1b[8;10H\x1b[38;2;1;2;3m3\x1b[m\x1b[H"


def test_lines_that_moved_up_are_scrolled_not_sent() -> None:
    rows = [(y, 0, "", f"line {y} " + "words " * 10) for y in range(30)]
    shown = draw(Grid(80, 24), *rows[:24])
    wanted = draw(Grid(80, 24), *((y - 1, x, sgr, text) for y, x, sgr, text in rows[1:25]))
    assert len(leads(shown, wanted)) < 120


def test_after_a_character_of_disputed_width_the_next_one_is_placed() -> None:
    wanted = draw(Grid(WIDTH, HEIGHT), (0, 0, "", "<👨\u200d👩\u200d👧>x"))
    assert wanted.rows[0][:4] == [
        ("<", "", ""),
        ("👨\u200d👩\u200d👧", "", ""),
        ("", "", ""),
        (">", "", ""),
    ]
    sent = difference(Grid(WIDTH, HEIGHT), wanted)
    assert "<  \x1b[1;2H👨\u200d👩\u200d👧\x1b[1;4H>x" in sent


def test_cells_that_a_disputed_character_may_paint_over_are_sent_again() -> None:
    shown = draw(Grid(WIDTH, HEIGHT), (0, 0, "", "ab123456"))
    wanted = draw(shown.copy(), (0, 0, "", "👨\u200d👩"))
    sent = difference(shown, wanted)
    assert "\x1b[1;3H123" in sent


@pytest.mark.parametrize(
    "foreign", ["\x1b]52;c;ZXZpbA==\x07", "\x1b[2J", "\x1b[?1000h", "\x07", "\x1bc", "\x9b2J", "\r"]
)
def test_a_sequence_in_the_text_of_a_widget_does_not_reach_the_terminal(foreign: str) -> None:
    grid = Grid(WIDTH, HEIGHT)
    assert grid.draw(f"\x1b[1;1Hbefore{foreign}after\n\x1b[1;1H") == []
    sent = difference(Grid(WIDTH, HEIGHT), grid)
    assert foreign not in sent
    assert "before" in sent
    assert "after" in sent


def test_sequences_that_paint_nothing_are_handed_on_in_order() -> None:
    some = ["\x1b[?25l", "\x1b]2;title\x1b\\", "\x07", "\x1b[>25u", "\x1b]52;c;YQ==\x07", "\x1b[6n"]
    assert Grid(WIDTH, HEIGHT).draw("".join(some)) == some


def test_links_are_kept() -> None:
    grid = Grid(WIDTH, HEIGHT)
    grid.draw("\x1b[1;1H\x1b]8;id=1;http://x\x1b\\\x1b[4mdoc\x1b[0m\x1b]8;;\x1b\\ y\x1b[1;1H")
    sent = difference(Grid(WIDTH, HEIGHT), grid)
    assert "\x1b]8;id=1;http://x\x1b\\doc" in sent
    assert "\x1b]8;;\x1b\\y" in sent


def test_a_terminal_that_erases_without_color_gets_spaces() -> None:
    wanted = draw(Grid(40, 2), (0, 0, "48;5;4", " " * 40))
    assert "\x1b[K" in difference(Grid(40, 2), wanted)
    assert " " * 40 in difference(Grid(40, 2), wanted, colored_erase=False)
