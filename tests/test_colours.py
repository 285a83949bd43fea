"""The colours of a log line become looks of our own, and never more than that."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cockpit.text import Look, Safe, clean_line, coloured_line
from screens import paint

FUZZ = settings(max_examples=300, deadline=None)


@pytest.mark.parametrize(
    ("raw", "looks"),
    [
        ("\x1b[31mred\x1b[0m plain", [(0, 3, "red")]),
        ("\x1b[91mred\x1b[39m plain", [(0, 3, "bright_red")]),
        ("a \x1b[1;33mwarn\x1b[22m more\x1b[m", [(2, 6, "yellow strong"), (6, 11, "yellow")]),
        ("\x1b[2mold\x1b[0m", [(0, 3, "faint")]),
        ("\x1b[90mgrey\x1b[0m", [(0, 4, "faint")]),
        ("\x1b[38;5;196mred\x1b[0m", [(0, 3, "red")]),
        ("\x1b[38;5;9mred\x1b[0m", [(0, 3, "bright_red")]),
        ("\x1b[38;2;30;200;40mgreen\x1b[0m", [(0, 5, "green")]),
        ("\x1b[38:2::30:40:200mblue\x1b[0m", [(0, 4, "blue")]),
        ("\x1b[38;5;244mgrey\x1b[0m", [(0, 4, "faint")]),
        ("\x1b[97;41m FAIL \x1b[0m x", [(0, 6, "red reverse")]),
        ("\x1b[30;42m PASS \x1b[49m", [(0, 6, "green reverse")]),
        ("\x1b[7mturned\x1b[27m", [(0, 6, "reverse")]),
        ("\x9b32mgreen\x9b0m", [(0, 5, "green")]),
        ("\x1b[31mone\x1b[31mred\x1b[0m", [(0, 6, "red")]),
        ("2026\t\x1b[34mINFO\x1b[0m\tup", [(8, 12, "blue")]),
        ("\x1b[32m✓\x1b[0m done", [(0, 1, "green")]),
        ("\x1b[30mblack\x1b[37mwhite\x1b[0m", []),
        ("\x1b[5;9;4;53;73mblinks", []),
        ("\x1b[31", []),
        ("\x1b[99999999999999999999m x", []),
    ],
)
def test_a_colour_becomes_a_look(raw: str, looks: list[tuple[int, int, str]]) -> None:
    text, found = coloured_line(raw)
    assert text == clean_line(raw)
    assert list(found) == [Look(*look) for look in looks]


def test_text_on_its_own_colour_can_be_read() -> None:
    """What a program wants hidden is shown: one colour of two counts, and black is never one."""
    _, looks = coloured_line("\x1b[31;41mhidden\x1b[0m \x1b[30;40malso\x1b[8mthis")
    assert looks == (Look(0, 6, "red reverse"),)


def test_looks_end_where_a_long_line_is_cut() -> None:
    text, looks = coloured_line("\x1b[31m" + "x" * 30, max_chars=10)
    assert text == "x" * 10 + "…[+20 chars]"
    assert looks == (Look(0, 10, "red"),)


def test_where_cleaning_moves_characters_there_are_no_looks() -> None:
    raw = "\x1b\x1b[31m]52;c;eA==\x07 red"
    assert coloured_line(raw) == (clean_line(raw), ())


PIECES = [
    *("\x1b[31m", "\x1b[0m", "\x1b[1;91m", "\x1b[38;5;99m", "\x1b[48;2;1;2;3m", "\x9b7m", "\x1b[m"),
    *(
        "\x1b",
        "\x1b]52;c;",
        "\x07",
        "\x1b[2J",
        "\x9b",
        "\t",
        "\r",
        "\n",
        "\x00",
        "\u202e",
        "\u0301",
    ),
    *("a", " ", "日", "🙂", "…[+3 chars]", "38;5;", "m", "\x1b[38;5m", "\x1b[38;2;1m", "\x1b[;;m"),
]


@FUZZ
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=60).map("".join)
    | st.binary(max_size=200),
    st.sampled_from([8, 64, 4096]),
)
@example("\x1b[31ma\x1b[0mb\u0301\x1b[31m\u0301\u0301\u0301", 64)
@example("\x1b[31m" + "a" * 8 + "…[+3 chars]", 8)
def test_the_text_is_that_of_clean_line_and_looks_lie_within(raw: str | bytes, most: int) -> None:
    text, looks = coloured_line(raw, max_chars=most)
    assert type(text) is Safe
    assert text == clean_line(raw, max_chars=most)
    end = 0
    for look in looks:
        assert end <= look.start < look.end <= len(text)
        end = look.end
        assert paint.look(look.look)  # it is a word that the screen has


def test_a_line_of_codes_alone_takes_little_time() -> None:
    import time

    begun = time.process_time()
    for _ in range(5):
        coloured_line("\x1b[31m" * 200_000)
        coloured_line("\x1b[31mx" * 200_000)
        coloured_line("\x1b[" + "1;" * 500_000 + "m")
    assert time.process_time() - begun < 20
