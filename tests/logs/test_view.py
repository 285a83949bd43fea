"""What a view shows and a search finds is what looking at every line by itself would give."""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cockpit.logs import block
from cockpit.logs import window as model
from cockpit.logs.finder import Finder
from cockpit.logs.line import Level, Line, Stream
from cockpit.logs.regex import cost
from cockpit.logs.view import Query, Search, View, pattern, trouble
from cockpit.logs.window import Window
from cockpit.text import Safe

SECOND = 10**9
FUZZ = settings(max_examples=150, deadline=None)
TEXTS = (
    "GET /health 200",
    "get /Health timeout",
    "ERROR connection to db-7 refused",
    "  at db.connect (db.js:12)",
    "  more of it",
    "WARN slow: 812 ms",
    "Straße 🙂 timeout",
    "",
    "a.b*c",
)
WORDS = (
    *("timeout", "Timeout", "get", "e", "ß", "db-7", "a.b*c", "/health|refused", "nothing"),
    *(r"\d+ ms", r"^GET", r"0$", r"[^a-z ]+", r"\s\w+:", r"(get|warn) ?", "x*", r"(?!GET)^.", "🙂"),
    *(r"^$", r"\D\d{3}\b", "error.*refused", r".*o.*o.*", r"(a+)+$", "(", r"\W\W", r"db\x2d7"),
    *(r"[\s\S]at", r"connect(ion)? to", r"(?<!\s)at", "r{2}or", r"[]x]", "er?r", "R+OR", "t(?=i)"),
)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block, "MOST_LINES", 4)
        patch.setattr(model, "MOST_LINES", 4)
        yield


def filled(*texts: str) -> Window:
    window = Window()
    window.add(0, [line(number / 10, text) for number, text in enumerate(texts, 1)])
    return window


def line(at: float, text: str) -> Line:
    return Line(int(at * SECOND), Stream.STDOUT, Safe(text))


def naive(window: Window, query: Query) -> list[int]:
    shown: list[int] = []
    number = window.first
    while number < window.end:
        first, last = window.entry(number)
        held = [window[each] for each in range(first, last + 1)]
        fits = query.pattern is None or (
            any(query.pattern.search(one.line.text) for one in held) != query.inverse
        )
        if (
            fits
            and held[0].level >= query.least
            and (query.origins is None or held[0].origin in query.origins)
        ):
            shown += range(first, last + 1)
        number = last + 1
    return shown


LINES = st.builds(line, st.integers(0, 40), st.sampled_from(TEXTS))
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "add", "late", "older", "clear"]), st.integers(0, 2),
              st.lists(LINES, max_size=7)),
    max_size=8,
)  # fmt: skip
QUERIES = st.builds(
    Query,
    st.none() | st.sampled_from(WORDS).map(pattern),
    st.booleans(),
    st.sampled_from(list(Level)),
    st.none() | st.just(frozenset((0, 2))),
)


@FUZZ
@given(STEPS, QUERIES, st.sampled_from(WORDS), st.booleans(), st.integers(0, 9))
def test_a_view_and_a_search_keep_up_with_what_comes(
    steps: list[tuple[str, int, list[Line]]], query: Query, words: str, told: bool, drop: int
) -> None:
    window = Window(150 if drop == 0 else 1 << 20)
    view = View(window, query)
    search = Search(view, pattern(words))
    for index, (step, origin, lines) in enumerate(steps):
        lowest = window.end
        if step == "clear":
            window.clear()
        elif step == "older":
            first = window[window.first].line.at if window.end > window.first else 0
            old = sorted(lines, key=lambda one: one.at)
            window.prepend([(origin, one) for one in old if one.at < first])
        else:
            lowest = window.add(origin, lines, late=step == "late")
        if told:
            view.changed(lowest)
        if index % 2 and index + 1 < len(steps):
            search.work(0.0)
            continue
        while not search.work(0.0):
            pass
        shown = naive(window, query)
        assert list(view.numbers) == shown
        assert [view[place] for place in range(len(view))] == shown
        assert [view.place(number) for number in shown] == list(range(len(shown)))
        wanted = pattern(words)
        found = [number for number in shown if wanted.search(window[number].line.text)]
        assert len(search) == len(found)
        assert [search.rank(number) for number in found] == list(range(1, len(found) + 1))
        if found:
            assert search.next(found[0] - 1, 1) == found[0]
            assert search.next(found[-1], 1) is None
            assert search.next(found[-1], -1) == (found[-2] if len(found) > 1 else None)


PIECES = st.sampled_from(
    [*"abAB01 .*+?|()[]^$-\\{},", r"\d", r"\w", r"\s", r"\S", r"\b", "[^a]", "[ab]", "a+", "(?:",
     "(?=", "(?!", "(?<!", ".*", "{2}", "{1,}", "ab", r"\W", r"\A", r"\.", r"\n", "\\\\"]
)  # fmt: skip
SOURCES = st.lists(PIECES, max_size=7).map("".join)
LOGGED = st.lists(st.text(st.sampled_from("abAB01 .-ß"), max_size=8), max_size=9)


@settings(max_examples=600, deadline=None)
@given(SOURCES, LOGGED)
@example(r"[^a]*b", ["0", "b", "a"])
@example(r"(?!\s)b?", ["b", ""])
@example(r"\x41", ["41", "A"])
@example(r"a|(?:b)", ["b", "a", "0"])
@example("ab?", ["a", "b"])
@example("", ["", "a"])
def test_many_lines_at_once_give_what_each_alone_would(source: str, logged: list[str]) -> None:
    wanted = pattern(source)
    window = filled(*logged)
    finder = Finder(wanted)
    for start in range(window.first, window.end):
        first, held = window.block(start)
        found = [first + index for index in finder.lines(held, start - first)]
        last = first + len(held)
        texts = {number: window[number].line.text for number in range(start, last)}
        assert found == [number for number, text in texts.items() if wanted.search(text)]
    assert finder.passed == 0


@pytest.mark.parametrize(
    ("words", "fits", "not_this"),
    [
        ("timeout", "TIMEOUT", "time out"),
        ("Timeout", "Timeout", "timeout"),
        (r"\S+Exception", "FooException", "fooexception"),
        (r"\S+exception", "FooException", "exception"),
        ("a(b", "xA(By", "ab"),
        ("(a+)+$", "(a+)+$", "aaa"),
    ],
)
def test_words_that_are_no_pattern_are_looked_for_as_they_stand(
    words: str, fits: str, not_this: str
) -> None:
    assert pattern(words).search(fits)
    assert not pattern(words).search(not_this)


@pytest.mark.parametrize(
    "words", ["(a+)+$", "(a|aa)*b", r"(\w+\s?)*x", "(.*)*", "(a{1,50}){20}", "(x+){5,}", ".*" * 7]
)
def test_what_could_take_for_ever_is_not_run_and_says_so(words: str) -> None:
    assert "could take for ever" in trouble(words)
    assert pattern(words).pattern == re.escape(words)


@pytest.mark.parametrize(
    "words", [r"\d+ms", "a.*b.*c", r"(\d{1,3}\.){3}\d+", "(GET|POST) /", r"([0-9a-f]{2}:){5}", "x?"]
)
def test_what_people_look_for_is_run(words: str) -> None:
    assert trouble(words) == ""
    assert pattern(words).pattern == words


def test_a_broken_pattern_says_what_is_wrong_with_it() -> None:
    assert "missing )" in trouble("a(b")
    assert "looked for as it stands" in trouble("a(b")


@pytest.mark.parametrize("words", [".*a.*a.*x", "a.*a.*a.*a.*x", r"\w+\w+\w+[:;]"])
def test_lines_made_to_be_slow_are_given_up_and_counted(words: str) -> None:
    window = filled(*["a" * 4096] * 40, "aaaax", "aaa:")
    search = Search(View(window), pattern(words))
    begun = time.process_time()
    while not search.work():
        pass
    assert search.passed > 0
    # Run to their end these would take hours; the bound is far above what it takes.
    assert time.process_time() - begun < 30


@pytest.mark.parametrize("words", [r"\w+\d+\w+$", r"\d+\w*[0-9]+\w+$", r"\w+\d+ ok.$"])
@pytest.mark.parametrize("size", [64, 110, 380])
def test_no_slice_of_a_search_through_short_lines_freezes(words: str, size: int) -> None:
    window = filled(*["1" * size + " ok"] * 1000)
    search = Search(View(window), pattern(words))
    begun = time.process_time()
    while not search.work():
        pass
    assert time.process_time() - begun < 8


def test_a_literal_is_what_all_that_fits_has() -> None:
    assert cost(re.compile(r"ab+c?def\d")).literals == ("def",)
    assert cost(re.compile("timeout|refused")).literals == ("timeout", "refused")
    assert cost(re.compile("timeout|refused")).whole
    assert cost(re.compile("timeout|")).literals == ()
    assert cost(re.compile(r"a\.b")).literals == ("a.b",)
    assert not cost(re.compile("(timeout)")).literals
    assert cost(re.compile("(?i)x(?:y)zz")).literals == ("zz",)


def test_a_view_of_all_costs_nothing_and_another_eight_bytes_a_line() -> None:
    window = filled(*TEXTS)
    assert View(window).numbers == range(window.first, window.end)
    view = View(window, Query(least=Level.ERROR))
    assert view.work(1.0)
    assert isinstance(view.numbers, array)
    assert [str(window[number].line.text) for number in view.numbers] == list(TEXTS[2:5])
