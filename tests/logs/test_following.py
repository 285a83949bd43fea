"""Several logs in one window: merged, loaded back, and none held up by another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from cockpit.logs.following import Following, Heard
from cockpit.logs.inbox import Rate
from cockpit.logs.line import Line, Stream
from cockpit.logs.source import Batch, LogTrouble
from cockpit.logs.window import Window
from cockpit.text import Safe

pytestmark = pytest.mark.anyio


def line(at: int, text: str = "") -> Line:
    return Line(at, Stream.STDOUT, Safe(text or str(at)))


class Log:
    """A log whose lines are those given; the first `shown` of them from its end come by
    themselves."""

    def __init__(self, name: str, at: Sequence[int], shown: int = 3) -> None:
        self.key = f"file {name}"
        self.name = Safe(name)
        self.host = Safe("prod-1")
        self.note = Safe("")
        self.rate = 1.5
        self.running = False
        self.trouble = ""
        self.new = Batch([line(one, f"{name} {one}") for one in at[-shown:]])
        self._all = [line(one, f"{name} {one}") for one in at]

    def start(self) -> None:
        self.running = True

    def take(self) -> Batch:
        batch, self.new = self.new, Batch(())
        return batch

    async def older(self, before: int, count: int) -> tuple[Line, ...]:
        await asyncio.sleep(0)
        if self.trouble:
            raise LogTrouble(self.trouble)
        return tuple([one for one in self._all if one.at < before][-count:])

    async def since(self, at: int, count: int) -> tuple[Line, ...]:
        return tuple([one for one in self._all if one.at >= at][:count])

    async def close(self) -> None:
        self.running = False


def shown(following: Following) -> list[str]:
    window = following.window
    return [str(window[number].line.text) for number in range(window.first, window.end)]


async def test_logs_are_merged_by_time_as_they_come() -> None:
    web, db = Log("web", [10, 30, 50]), Log("db", [20, 40])
    following = Following()
    following.follow([web, db])
    assert following.take() == 0
    assert shown(following) == ["web 10", "db 20", "web 30", "db 40", "web 50"]
    assert [following.window[n].origin for n in range(5)] == [0, 1, 0, 1, 0]
    assert following.take() == following.window.end
    db.new = Batch([line(45, "late"), line(60, "db 60")])
    changed = following.take()
    assert shown(following)[changed:] == ["late", "web 50", "db 60"]
    assert following.rate == 3.0
    db.note = Safe("lost")
    assert following.note == "db: lost"
    await following.close()
    assert not web.running and not db.running


async def test_older_lines_of_all_come_before_or_between_what_is_there() -> None:
    web, db = Log("web", range(0, 1000, 10)), Log("db", range(5, 1000, 100))
    following = Following()
    following.follow([web, db])
    following.take()
    assert shown(following)[:2] == ["db 705", "db 805"]
    await following.older(30)
    everything = sorted([*range(0, 1000, 10), *range(5, 1000, 100)])
    times = [int(text.split()[1]) for text in shown(following)]
    assert times == [at for at in everything if at % 10 or at >= 670]
    while await following.older(30):
        pass
    assert [int(text.split()[1]) for text in shown(following)] == everything
    assert await following.older(30) == 0


async def test_all_since_a_moment_is_loaded_once() -> None:
    web, db = Log("web", range(0, 1000, 10)), Log("db", range(5, 1000, 100))
    following = Following()
    following.follow([web, db])
    following.take()
    for moment in (500, 200, 900):
        await following.since(moment)
    wanted = sorted([*range(200, 1000, 10), *range(205, 1000, 100)])
    assert [int(text.split()[1]) for text in shown(following)] == wanted


async def test_a_log_that_is_held_from_later_on_than_was_asked_says_so() -> None:
    second = 10**9
    web = Log("web", range(700 * second, 1000 * second, 10 * second))
    db = Log("db", range(100 * second, 1000 * second, 200 * second), shown=10)
    following = Following()
    following.follow([web, db])
    following.take()
    assert list(following.not_loaded) == [(0, 100 * second), (0, 970 * second)]
    assert following.lacks(600 * second), "the older lines of another log are none of this one"
    (later,) = await following.since(600 * second)
    assert (later.source, later.at, later.begins) == (web, 700 * second, True)
    assert f"web {700 * second}" in shown(following)
    assert not following.lacks(600 * second)
    assert list(following.not_loaded) == [(0, 100 * second)]
    assert await following.since(600 * second) == (later,), "and says so again"
    await following.close()


async def test_lines_that_were_asked_for_put_none_out_of_the_window() -> None:
    quiet, web = Log("db", range(0, 100_000, 40_000)), Log("web", range(1, 100_000, 10))
    following = Following()
    following.window = Window(20_000)
    following.follow([quiet, web])
    following.take()
    assert await following.since(0) == ()
    assert len(shown(following)) == 10_003
    await following.close()


async def test_a_log_that_was_silent_is_not_taken_for_one_that_begins_later() -> None:
    second = 10**9
    web = Log("web", [100 * second, 800 * second, 900 * second], shown=1)
    following = Following()
    following.follow([web])
    following.take()
    assert await following.since(500 * second) == ()
    assert not following.lacks(500 * second)
    assert len(shown(following)) == 3
    await following.close()


async def test_a_log_that_wrote_nothing_is_not_said_to_begin_where_it_was_asked_for() -> None:
    second = 10**9
    web = Log("web", [100 * second, 500 * second, 900 * second], shown=1)
    following = Following()
    following.follow([web, Log("worker", [])])
    following.take()
    assert await following.since(900 * second) == ()
    assert await following.since(500 * second) == (), "what was asked before is no line of it"
    await following.close()


async def test_what_the_window_let_go_is_loaded_again() -> None:
    web = Log("web", range(0, 100_000, 10), shown=10_000)
    following = Following()
    following.window = Window(20_000)
    following.follow([web])
    following.take()
    held = shown(following)
    assert held[0] != "web 0"
    assert await following.older(30) == 30
    first = int(held[0].split()[1])
    assert shown(following)[:31] == [f"web {first - 300 + 10 * n}" for n in range(31)]


async def test_one_that_is_in_trouble_holds_up_no_other() -> None:
    web, db = Log("web", range(0, 1000, 10)), Log("db", range(5, 1000, 100))
    db.trouble = "prod-1 says no"
    following = Following()
    following.follow([web, db])
    following.take()
    with pytest.raises(LogTrouble, match="prod-1 says no"):
        await following.older(20)
    assert "web 900" in shown(following)
    assert await following.older(20, [0]) == 20


async def test_what_is_still_followed_goes_on_and_keeps_its_lines() -> None:
    web, db, app = Log("web", [10, 30]), Log("db", [20, 40]), Log("app", [25])
    following = Following()
    following.follow([web, db])
    following.take()
    following.follow([web, db, app])
    following.take()
    assert shown(following) == ["web 10", "db 20", "app 25", "web 30", "db 40"]
    again = Log("db", [1, 2, 3])
    following.follow([app, again])
    await asyncio.sleep(0)
    assert following.sources == (app, db)
    assert (web.running, db.running, again.running) == (False, True, False)
    assert shown(following) == ["db 20", "app 25", "db 40"]
    assert [following.window[n].origin for n in range(following.window.first, 3)] == [1, 0, 1]


async def test_what_was_asked_of_others_before_is_not_shown() -> None:
    web, db = Log("web", range(0, 1000, 10)), Log("db", [20, 40])
    following = Following()
    following.follow([web])
    following.take()
    asked = asyncio.create_task(following.older(20))
    await asyncio.sleep(0)
    following.follow([db])
    following.take()
    assert await asked == 0
    assert shown(following) == ["db 20", "db 40"]


async def test_errors_are_heard_once_with_those_that_were_skipped() -> None:
    heard: list[Heard] = []
    web = Log("web", [10])
    following = Following(heard.extend)
    following.follow([web])
    lines = [line(20, "ERROR a"), Line(30, Stream.GAP, Safe("… 9 ERROR lines")), line(40, "INFO")]
    web.new = Batch(lines, 9, 4)
    following.take()
    assert heard == [Heard(web, ((20, 1), (40, 4)))]
    assert following.skipped == 9
    following.take()
    assert heard[1:] == [Heard(web, ())]
    trace = ["ERROR broken", "Traceback (most recent call last):", '  File "a.py", line 1, in b']
    web.new = Batch([line(50, text) for text in trace])
    following.take()
    web.new = Batch([line(51, "    raise ValueError"), line(51, "ValueError: ERROR in it")])
    following.take()
    assert heard[2:] == [Heard(web, ((50, 1),)), Heard(web, ())], "a trace is one error"


def test_what_was_written_before_a_log_is_followed_is_no_rate() -> None:
    rate = Rate()
    assert rate.now(100.0) == 0.0
    rate.add(500, 102.0)
    assert rate.now(103.1) == 0.0
    rate.add(30, 103.5)
    assert rate.now(104.1) == pytest.approx(30)
