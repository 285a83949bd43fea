"""What is typed to filter a log."""

from __future__ import annotations

from cockpit.logs.line import Level
from cockpit.logs.view import Query
from cockpit.logs.wanted import wanted


def test_words_and_what_is_left_out() -> None:
    query, words = wanted("timed out", Query())
    assert query.pattern is not None and query.pattern.search("upstream Timed Out")
    assert (query.inverse, words) == (False, "timed out")
    query, words = wanted("!GET /health", Query())
    assert query.pattern is not None and query.pattern.search("GET /health 200")
    assert (query.inverse, words) == (True, "!GET /health")
    assert wanted("!", Query())[0].inverse is False


def test_a_level_among_the_words() -> None:
    query, words = wanted("level:error checkout", Query())
    assert query.least is Level.ERROR
    assert words == "checkout"
    again, _ = wanted("basket", query)
    assert again.least is Level.ERROR, "the level was not spoken of"
    assert wanted("level:all", again)[0] == Query()
    assert wanted("level:nonsense", Query())[1] == "level:nonsense"


def test_nothing_shows_all_and_keeps_the_logs_that_are_shown() -> None:
    alone = Query(origins=frozenset({1}))
    assert wanted("  ", alone) == (alone, "")
