"""What an output suggests, and above all where it must not suggest anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.runbook.expect import applies, suggest

GOOD = [
    ('"all is well"', "3 orders, all is well", 0),
    ('"up"', "up", 0),
    ("`running`", "running restarts=0", 0),
    ("Should return `ok`.", "ok\n", 0),
    ('"a" and "b"', "b, then a", 0),
    ('"a", "b" and "c"', "a b c", 0),
    ('"active" or "reloading"', "reloading", 0),
    ("`PONG`/`pong`", "PONG", 0),
    ('you should see "ready"', "it is ready now", 0),
    ('a line with "database system is ready"', "LOG: database system is ready", 0),
    ("running", "running\n", 0),
    ("PONG", "PONG", 0),
    ("200", "200\n", 0),
    ("HTTP 200", "HTTP/1.1 200 OK\r\nServer: x", 0),
    ("HTTP 200 OK", "HTTP/2 301\n\nHTTP/2 200\n", 0),
    ("2xx", "204", 0),
    ("Should return HTTP status 200", '{"status": 200}', 0),
    ("status code 200", "200", 0),
    ("Number > 0", "1204", 0),
    ("Number > 0", " count \n-------\n    42\n(1 row)\n", 0),
    (">= 3", "3", 0),
    ("at least 1", "1", 0),
    ("3 or more", "3", 0),
    ("should be greater than 0", "7", 0),
    ("0", "0\n", 1),
    ("less than 80%", "Use%\n 41%", 0),
    ("Use% below 95%", "/dev/sda1  40G  10G  30G  25% /", 0),
    ("between 5 and 10", "5", 0),
    ("= 12", "12", 0),
    ("exit status 0", "whatever", 0),
    ("exit code: 0", "", 0),
    ("should exit with code 1", "", 1),
    ("exits with non-zero", "", 3),
    ("no output", "\n", 0),
    ("empty", "", 0),
    ("(no output)", "", 0),
    ("nothing", "", 1),
    ("no errors", "all fine", 0),
    ("No error messages in the logs", "started\nlistening", 0),
    ('should not contain "panic"', "quiet", 0),
    ('no "ERROR" or "FATAL"', "quiet", 0),
    ("Up", "kamiyo  Up 3 minutes", 0),
    ("running (healthy)", "kamiyo  running (healthy)", 0),
    ("healthy", "kamiyo Up 2 hours (healthy)", 0),
    ('Look for: "OOM", "panic"', "kernel: OOM", 0),
    ("Look for: ERROR, FATAL or PANIC", "12:00 FATAL no disk", 2),
    ("one\ntwo", "one\ntwo\n", 0),
]

BAD = [
    ('"all is well"', "no data", 0),
    ('"up"', "down", 0),
    ('"a" and "b"', "a only", 0),
    ('"active" or "reloading"', "stopped", 3),
    ('"all is well"', "cannot connect", 1),
    ("200", "503", 0),
    ("200", "000", 7),
    ("HTTP 200", "HTTP/1.1 502 Bad Gateway", 0),
    ("2xx", "500", 0),
    ("Number > 0", "0", 0),
    (">= 3", "2", 0),
    ("less than 80%", "91%", 0),
    ("between 5 and 10", "11", 0),
    ("12", "13", 0),
    ("exit status 0", "", 1),
    ("no output", "left over", 0),
    ("no errors", "12:00 ERROR no route", 0),
    ('should not contain "panic"', "panic: oh", 0),
    ("healthy", "kamiyo Up 2 hours (unhealthy)", 0),
    ("running", "exited", 0),
    ("Up", "kamiyo  Exited (137) 2 minutes ago", 0),
    ("active", "inactive", 3),
]

UNSAID = [
    # Not for a machine.
    ("the same twelve characters as above", "abc", 0),
    ("the time on your own clock, to the minute", "12:00", 0),
    ("at least one, from the last start or later", "a\nb", 0),
    ('Look for: the text after "database"', "database: locked", 0),
    ("success", "success", 0),
    ("a list of containers", "a list of containers", 0),
    # Quoted words that are a condition of something else, or are denied.
    ('"ok" if the cache is warm', "ok", 0),
    ('not "down"', "down", 0),
    ('anything but "down"', "down", 0),
    ('"ok", or "stale" after a restart', "stale", 0),
    ('"ok" (the first time also "creating")', "creating", 0),
    ("status of 'db' is up", "db", 0),
    ("it's the user's name", "s the user", 0),
    ("not 200", "200", 0),
    ("usually 3", "4", 0),
    ("about 3", "4", 0),
    ("Number > 0 (0 when the shop is closed)", "0", 0),
    ("200 or 404 for new shops", "404", 0),
    # Words that stand in the output in another way.
    ('"running"', "not running", 0),
    ('"errors"', "no errors", 0),
    ('"ok"', "broken", 0),
    ('"OK"', "ok", 0),
    ('"0 orders"', "10 orders", 0),
    ('"up"', "setup", 0),
    ("no errors", "0 errors", 0),
    ("no errors", "errors: 0", 0),
    ("no errors", "wrote errors.log", 0),
    ('should not contain "error"', "no error", 0),
    ("healthy", "a (healthy)\nb (unhealthy)", 0),
    ("Up", "a Up 3 minutes\nb Exited (0) 2 days ago", 0),
    ("healthy", "Up 3 minutes", 0),
    # A number within words, or one of several.
    ("3", "3 orders", 0),
    ("3", "v3", 0),
    ("Number > 0", "1 of 3", 0),
    ("less than 80%", "10%\n91%", 0),
    ("200", "took 200 ms", 0),
    ("HTTP 200", "200 bytes received", 0),
    # It says what is expected, and failed all the same.
    ('"all is well"', "all is well, then it broke", 1),
    ("healthy", "healthy", 1),
    # Nothing of what to look for is there: is that good?
    ('Look for: "OOM"', "quiet", 0),
    ("Look for: RECLAIMABLE", "TYPE RECLAIMABLE", 0),
    # Several lines are an example mostly.
    ("count\n3", "count\n4", 0),
    ("", "x", 0),
    ("   ", "", 0),
]


@pytest.mark.parametrize(("expected", "output", "exit_status"), GOOD)
def test_what_the_author_expects_is_recognised(
    expected: str, output: str, exit_status: int
) -> None:
    said = suggest(expected, output, exit_status)
    assert said is not None
    assert said.matches, said.why


@pytest.mark.parametrize(("expected", "output", "exit_status"), BAD)
def test_what_is_surely_something_else_is_said(
    expected: str, output: str, exit_status: int
) -> None:
    said = suggest(expected, output, exit_status)
    assert said is not None
    assert not said.matches, said.why


@pytest.mark.parametrize(("expected", "output", "exit_status"), UNSAID)
def test_what_is_ambiguous_is_left_to_the_responder(
    expected: str, output: str, exit_status: int
) -> None:
    assert suggest(expected, output, exit_status) is None


@pytest.mark.parametrize(
    ("expected", "output", "exit_status", "why"),
    [
        ('"all is well"', "3 orders, all is well", 0, 'has "all is well"'),
        ('"a" and "b"', "c", 0, 'has no "a" or "b"'),
        ("200", "503", 0, "printed 503"),
        ("200", "HTTP/1.1 503 x", 0, "answered 503"),
        ("Number > 0", "0", 0, "printed 0, not above 0"),
        ("less than 80%", "91%", 0, "printed 91, not below 80"),
        ("exit status 0", "", 2, "exit status 2"),
        ("no output", "a\nb", 0, 'printed "a" and more'),
        ("no errors", "a\n12:00 ERROR b\nc", 0, 'has "12:00 ERROR b"'),
        ("Up", "k Exited (1)", 0, 'has "k Exited (1)"'),
    ],
)
def test_it_says_why(expected: str, output: str, exit_status: int, why: str) -> None:
    said = suggest(expected, output, exit_status)
    assert said is not None
    assert said.why == why


@pytest.mark.parametrize(
    ("expected", "output"),
    [
        ('"all is well"', "the end of a long"),
        ("no output", ""),
        ("no errors", "fine so far"),
        ("3", "3"),
        ("200", "20"),
        ('should not contain "panic"', "fine so far"),
    ],
)
def test_of_half_an_output_nothing_is_said_that_the_other_half_may_change(
    expected: str, output: str
) -> None:
    assert suggest(expected, output, 0, whole=False) is None
    assert suggest(expected, output, None) is None


def test_an_excerpt_is_not_the_whole() -> None:
    excerpt = "start\n[... 12 bytes left out ...]\nend"
    assert suggest('"all is well"', excerpt, 0) is None
    assert suggest("no errors", excerpt, 0) is None


def test_of_half_an_output_what_is_there_is_there() -> None:
    said = suggest('"ready"', "ready, and", 0, whole=False)
    assert said is not None and said.matches
    said = suggest("no errors", "ERROR x", 0, whole=False)
    assert said is not None and not said.matches


def test_a_secret_that_was_taken_out_is_not_said_to_be_missing() -> None:
    assert suggest('"STRIPE_KEY=sk_live"', "STRIPE_KEY=[REDACTED:stripe:1a2b3c]", 0) is None


@pytest.mark.parametrize(
    ("condition", "output", "exit_status"),
    [
        ('If "database is locked": See Recovery > Option 1', "error: database is locked", 0),
        ('If "malformed" or "not a database": See Recovery', "file is not a database", 26),
        ("If 000: See Recovery > Restart", "000", 7),
        ("If 404: another version runs; See Escalation", "404", 0),
        ("If it says `stale`, see Recovery", "stale", 0),
        ("If nothing is listed: See Recovery > Restore", "", 0),
        ("If it still fails: See Escalation", "x", 1),
        ("If not 200: see Recovery", "503", 0),
        ('If there is "ERROR" → Recovery', "ERROR 1", 0),
    ],
)
def test_the_if_of_a_reference_is_seen_to_be_so(
    condition: str, output: str, exit_status: int
) -> None:
    assert applies(condition, output, exit_status)


@pytest.mark.parametrize(
    ("condition", "output", "exit_status"),
    [
        ('If "database is locked": See Recovery', "all is well", 0),
        ('If "ok" is missing: See Recovery', "ok", 0),
        ('If "ok" is not printed: See Recovery', "ok", 0),
        ("If restarts goes up each time: See Recovery", "restarts=3", 0),
        ("If they differ: See Recovery", "a\nb", 0),
        ("If not 200: see Recovery", "200", 0),
        ("If it still fails: See Escalation", "x", 0),
        ("If it still fails: See Escalation", "x", None),
        ("If nothing is listed: See Recovery", "", None),
        ("See Recovery > Restart", "x", 0),
        ("", "", 0),
    ],
)
def test_where_the_if_is_not_so_or_cannot_be_told_it_does_not_apply(
    condition: str, output: str, exit_status: int | None
) -> None:
    assert not applies(condition, output, exit_status)


@given(st.text(max_size=80), st.text(max_size=200), st.one_of(st.none(), st.integers(0, 255)))
def test_no_text_makes_it_raise(expected: str, output: str, exit_status: int | None) -> None:
    said = suggest(expected, output, exit_status)
    assert said is None or "\n" not in said.why
    applies(expected, output, exit_status)
