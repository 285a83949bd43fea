"""What is wrong is on top, rows do not jump, and a filter finds what a tired person types."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cockpit.containers.container import Container
from cockpit.containers.order import (
    HOLD_S,
    RANKED_EVERY_S,
    Order,
    Places,
    Rank,
    Ranked,
    fits,
    rank,
    terms,
)
from cockpit.containers.reasons import ended, news, reason
from cockpit.containers.stats import Sample
from cockpit.text import Safe

NOW = datetime(2026, 11, 21, 3, 16, tzinfo=UTC)


def container(name: str, **other: object) -> Container:
    known: dict[str, object] = {
        "id": name, "name": Safe(name), "image": Safe("shop/web:1"), "state": "running",
        "status": Safe(""), "health": "", "restarts": 0, "oom": False, "exit_code": None,
        "started_at": None, "finished_at": None, "project": Safe("shop"), "service": Safe("web"),
        "tty": False, "host": Safe("prod-1"),
    }  # fmt: skip
    return Container(**(known | other))  # type: ignore[arg-type]


def ended_with(code: int, ago: timedelta = timedelta(minutes=5), *, oom: bool = False) -> Container:
    return container("x", state="exited", exit_code=code, oom=oom, finished_at=NOW - ago)


def using(name: str, cpu: float, memory: int = 0) -> Container:
    return container(name, sample=Sample(0.0, cpu, memory << 20, 0, 0, 0, 0, 0, 1))


def ranked(*rows: Container) -> list[Ranked]:
    return [Ranked((row.host, row.id), row, rank(row, (), NOW)) for row in rows]


def names(found: list[Ranked]) -> str:
    return " ".join(one.row.name for one in found)


def test_what_is_wrong_is_on_top_the_worst_first() -> None:
    rows = ranked(
        container("well", health="healthy"),
        container("done", state="exited", exit_code=0, finished_at=NOW),
        container("failed", state="exited", exit_code=1, finished_at=NOW),
        container("starting", health="starting"),
        container("again", state="restarting", exit_code=1),
        container("sick", health="unhealthy"),
        container("full", state="exited", exit_code=137, oom=True, finished_at=NOW),
    )
    found = Places().sort(rows, Order.WRONG, 0.0)
    assert names(found) == "sick again full failed starting well done"


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (ended_with(1), Rank.FAILED),
        (ended_with(1, timedelta(hours=13)), Rank.ENDED),
        (ended_with(0), Rank.ENDED),
        (ended_with(143), Rank.ENDED),
        (ended_with(137), Rank.FAILED),
        (ended_with(137, oom=True), Rank.OOM),
        (container("x", state="exited", exit_code=2), Rank.FAILED),
        (container("x", state="created"), Rank.ENDED),
        (container("x", state="created", status=Safe("created · no such file")), Rank.FAILED),
        (container("x", state="dead"), Rank.FAILED),
        (container("x", state="paused"), Rank.UNSETTLED),
        (container("x", oom=True), Rank.WELL),
    ],
)
def test_one_that_ended_badly_some_hours_ago_is_wrong_and_one_that_was_stopped_is_not(
    row: Container, found: Rank
) -> None:
    assert rank(row, (), NOW) is found


def test_a_limit_and_a_difference_count_after_what_is_worse() -> None:
    web = container("web")
    assert rank(web, {("web", "memory")}, NOW) is Rank.OVER
    assert rank(web, {("web", "restarts")}, NOW) is Rank.RESTARTING
    assert rank(web, {("db", "memory")}, NOW) is Rank.WELL
    assert rank(web, (), NOW, differs=True) is Rank.UNSETTLED
    sick = replace(web, health="unhealthy")
    assert rank(sick, {("web", "restarts")}, NOW) is Rank.UNHEALTHY


def test_rows_stay_while_cpu_goes_up_and_down_a_little() -> None:
    places = Places()
    first = names(
        places.sort(ranked(using("a", 30), using("b", 31), using("c", 1)), Order.WRONG, 0)
    )
    assert first == "a b c", "the same step: by name"
    for second in range(1, 120):
        noise = (28, 45, 55, 22)[second % 4]
        rows = ranked(using("a", noise), using("b", 40), using("c", 2))
        assert names(places.sort(rows, Order.WRONG, float(second))) == first
    rows = ranked(using("a", 30), using("b", 31), using("c", 400))
    assert names(places.sort(rows, Order.WRONG, 119.5)) == first, "not looked at again yet"
    assert names(places.sort(rows, Order.WRONG, 119.5 + RANKED_EVERY_S)) == "c a b"


def test_one_that_dies_and_returns_each_second_stays_on_its_place() -> None:
    places = Places()
    up, down = container("flap"), container("flap", state="restarting", exit_code=1)
    others = [using("a", 200), container("b")]
    assert names(places.sort(ranked(*others, up), Order.WRONG, 0.0)) == "a b flap"
    for second in range(1, 60):
        rows = ranked(*others, down if second % 2 else up)
        assert names(places.sort(rows, Order.WRONG, float(second))) == "flap a b"
    last = 59.0 + HOLD_S
    assert names(places.sort(ranked(*others, up), Order.WRONG, last - 1)) == "flap a b"
    assert names(places.sort(ranked(*others, up), Order.WRONG, last)) == "a b flap"


def test_the_orders_that_are_asked_for() -> None:
    rows = ranked(
        replace(using("b", 5, 100), restarts=4),
        replace(using("a", 90, 10), project=Safe("")),
        using("c", 10, 900),
        container("gone", state="exited", exit_code=0, finished_at=NOW),
    )
    places = Places()
    assert names(places.sort(rows, Order.NAME, 0.0)) == "a b c gone"
    assert names(places.sort(rows, Order.CPU, 0.0)) == "a c b gone"
    assert names(places.sort(rows, Order.MEMORY, 0.0)) == "c b a gone"
    assert names(places.sort(rows, Order.RESTARTS, 0.0)) == "b a c gone"
    assert names(places.sort(rows, Order.PLACE, 0.0)) == "b c a gone"
    order = Order.WRONG
    for _ in Order:
        order = order.next
    assert order is Order.WRONG


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", True),
        ("web", True),
        ("WEB shop", True),
        ("web cache", False),
        ("!cache", True),
        ("!web", False),
        ("project:shop", True),
        ("project:web", False),
        ("service:we !host:prod-2", True),
        ("healthy", False),
        ("unhealthy", True),
        ("!healthy", True),
        ("state:run", True),
        ("wrong", True),
        ("well", False),
        ("image:shop/web:1", True),
        ("prod-1", True),
        ("nobody:web", False),
        ("!", True),
    ],
)
def test_a_filter_wants_all_of_its_words(words: str, found: bool) -> None:
    row = container("shop-web-1", health="unhealthy")
    assert fits(row, terms(words), "UNHEALTHY", Rank.UNHEALTHY) is found


@pytest.mark.parametrize(
    ("code", "oom", "words"),
    [
        (0, False, "0: finished"),
        (1, False, "1: failed"),
        (126, False, "126: its command cannot run"),
        (127, False, "127: its command is not found"),
        (137, False, "137: killed"),
        (137, True, "137: killed, out of memory"),
        (139, False, "139: crashed (segmentation fault)"),
        (143, False, "143: stopped"),
        (160, False, "160: killed by signal 32"),
        (255, False, "255: failed"),
    ],
)
def test_an_exit_code_has_its_reason_in_words(code: int, oom: bool, words: str) -> None:
    assert ended(ended_with(code, oom=oom)) == words
    assert words.endswith(reason(code, oom))


def test_what_is_to_be_known_of_a_container_is_said_the_worst_first() -> None:
    sick = container(
        "web",
        health="unhealthy",
        unhealthy_since=NOW - timedelta(minutes=4),
        health_said=Safe("connection refused"),
        restarts=1,
        started_at=NOW - timedelta(hours=2),
    )
    assert news(sick, {}, (Safe("image differs"),), NOW) == (
        "unhealthy since 03:12 (4 min): connection refused",
        "restarted once, the last time 2 h ago",
        "image differs",
    )
    (said,) = news(ended_with(137, oom=True), {}, (), NOW)
    assert said == "ended at 03:11, 5 min ago, 137: killed, out of memory"
    assert news(container("web"), {}, (), NOW) == ()
    never = container("web", state="created", status=Safe("created · port is already allocated"))
    assert news(never, {}, (), NOW) == ("not started: port is already allocated",)
    runc = "runc create failed: unable to start container process: stat /nope: no such file"
    never = replace(never, status=Safe(f"created · {runc}"))
    assert news(never, {}, (), NOW) == ("not started: stat /nope: no such file",)


def test_one_that_crashed_a_moment_ago_is_not_called_well_because_it_runs_again() -> None:
    again = container("x", restarts=7, started_at=NOW - timedelta(seconds=20))
    assert rank(again, (), NOW) is Rank.RESTARTING
    assert rank(again, (), NOW + timedelta(minutes=1)) is Rank.WELL
    by_hand = replace(again, restarts=0)
    assert rank(by_hand, (), NOW) is Rank.WELL
