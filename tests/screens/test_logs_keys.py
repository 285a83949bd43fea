"""The keys on the logs, in the whole program: searched, filtered, pinned, kept, copied, opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cockpit import clock
from cockpit.incident import events as e
from cockpit.logs.line import Line, Stream
from cockpit.logs.source import Batch, LogTrouble
from cockpit.responder import Responder
from cockpit.text import Safe
from screens.cockpit import CockpitScreen
from screens.dialogs.log_line import LogLine
from screens.dialogs.log_sources import Chosen, LogSources, Offer
from screens.lines import Lines
from tests.screens.test_cockpit import dialog, opened, press, until

pytestmark = pytest.mark.anyio


class Written:
    """A log that is kept in memory: what was `written` before it is followed, and what comes."""

    def __init__(self, name: str, lines: Sequence[Line], newest: int = 20) -> None:
        self.key = f"test {name}"
        self.name = Safe(name)
        self.host = Safe("prod-1")
        self.note = Safe("")
        self.rate = 0.0
        self.written = list(lines)
        self.coming = self.written[-newest:]
        self.trouble = ""
        self.followed = False

    def start(self) -> None:
        self.followed = True

    def take(self) -> Batch:
        lines, self.coming = self.coming, []
        return Batch(lines)

    async def older(self, before: int, count: int) -> tuple[Line, ...]:
        await asyncio.sleep(0)
        if self.trouble:
            raise LogTrouble(self.trouble)
        return tuple([line for line in self.written if line.at < before][-count:])

    async def since(self, at: int, count: int) -> tuple[Line, ...]:
        return tuple([line for line in self.written if line.at >= at][:count])

    async def close(self) -> None:
        self.followed = False

    def write(self, *lines: Line) -> None:
        self.written += lines
        self.coming += lines


BEGAN = clock.now() - timedelta(hours=2)


def said(text: str, second: int) -> Line:
    at = int(BEGAN.timestamp()) + second
    return Line(at * 10**9, Stream.STDOUT, Safe(text))


def numbered(count: int) -> list[Line]:
    return [said(f"line {n}", n) for n in range(count)]


@asynccontextmanager
async def following(
    tmp_path: Path, *logs: Written
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    async with opened(tmp_path, "") as (pilot, responder, main):
        main.follow(logs)
        main.to_pane("logs")
        await until(pilot, lambda: len(main.logs.view) > 0)
        yield pilot, responder, main


def shown(lines: Lines) -> str:
    return "\n".join(row.plain for row in lines.rows)


def title(main: CockpitScreen) -> str:
    return str(main.logs.border_title)


async def test_what_is_typed_is_searched_at_once_and_given_up_at_escape(tmp_path: Path) -> None:
    async with following(tmp_path, Written("web", numbered(300), 300)) as (pilot, _, main):
        await pilot.press("slash", *"line")  # in one go, as a quick hand does
        await until(pilot, lambda: "line: 300 of 300" in title(main))
        await press(pilot, "space", "1", "2")
        await until(pilot, lambda: "line 12: 11 of 11" in title(main))
        assert main.logs.line() == said("line 129", 129)
        await press(pilot, "9")
        await until(pilot, lambda: "line 129: 1 of 1" in title(main))
        await press(pilot, "escape")
        assert main.logs.following
        assert "line 12" not in title(main)
        assert main.focused is main.logs
        await press(pilot, "slash")
        await pilot.press(*"line 7", "enter", "N")
        await until(pilot, lambda: main.logs.line() == said("line 78", 78))
        await until(pilot, lambda: "line 7: 10 of 11" in title(main))
        assert not main.log_prompt.display


async def test_a_filter_is_asked_for_under_the_lines(tmp_path: Path) -> None:
    lines = [said("GET /health 200", 1), said("ERROR broken", 2), said("GET /basket", 3)]
    async with following(tmp_path, Written("web", lines)) as (pilot, _, main):
        await pilot.press("ampersand", *"!b[", "enter")
        await until(pilot, lambda: any("b[: no regular expression" in one.message
                                       for one in pilot.app._notifications))  # fmt: skip
        await pilot.press("ampersand", *"!health", "enter")
        await until(pilot, lambda: "only !health" in title(main))
        assert "health" not in shown(main.logs)
        assert "GET /basket" in shown(main.logs)
        await pilot.press("ampersand")
        await until(pilot, lambda: main.log_prompt.line.value == "!health")
        await pilot.press(*"level:error", "enter")
        await until(pilot, lambda: "GET" not in shown(main.logs))
        assert "ERROR broken" in shown(main.logs)


def toast(pilot: Pilot[int], words: str) -> bool:
    return any(words in one.message for one in pilot.app._notifications)


async def test_going_to_another_pane_ends_the_question(tmp_path: Path) -> None:
    async with following(tmp_path, Written("web", numbered(5))) as (pilot, _, main):
        await press(pilot, "slash")
        assert main.log_prompt.display
        await press(pilot, "x")
        assert "esc gives up" in str(main.log_prompt.hint.render())
        main.to_pane("timeline")
        await until(pilot, lambda: not main.log_prompt.display)


async def test_a_line_a_trace_and_a_range_are_pinned_with_their_container_and_time(
    tmp_path: Path,
) -> None:
    trace = ["ERROR job failed", "Traceback (most recent call last):", "ValueError: no"]
    log = Written("worker", [*numbered(5), *(said(text, 9) for text in trace)])
    async with following(tmp_path, log) as (pilot, responder, main):

        def pinned() -> list[e.NoteAdded]:
            events = [entry.record.event for entry in responder.incident.entries]
            return [event for event in events if isinstance(event, e.NoteAdded)]

        await press(pilot, "g", "j", "m")
        await until(pilot, lambda: len(pinned()) == 1)
        at = f"{BEGAN + timedelta(seconds=1):%H:%M:%S}"
        assert pinned()[0].text == "line 1"
        assert pinned()[0].source == f"log of worker at {at} UTC"
        await press(pilot, "e", "j", "m")
        await until(pilot, lambda: len(pinned()) == 2)
        assert pinned()[1].text == "\n".join(trace), "the trace is one entry"
        await press(pilot, "g", "v", "j", "j", "m")
        await until(pilot, lambda: len(pinned()) == 3)
        assert pinned()[2].text == "line 0\nline 1\nline 2"
        assert " to " in pinned()[2].source
        assert "range" not in title(main)
        await until(
            pilot,
            lambda: "UTC: line 0 … and 2 more lines" in " ".join(shown(main.timeline).split()),
        )


async def test_a_range_that_is_too_long_is_cut_and_that_is_said(tmp_path: Path) -> None:
    async with following(tmp_path, Written("web", numbered(90), 90)) as (pilot, responder, _):
        await press(pilot, "g", "v", "G", "m")
        await until(pilot, lambda: bool(responder.incident.entries))
        event = responder.incident.entries[-1].record.event
        assert isinstance(event, e.NoteAdded)
        assert len(event.text.splitlines()) == 51
        assert "40 more lines" in event.text


async def test_what_is_shown_is_kept_as_evidence(tmp_path: Path) -> None:
    logs = Written("web", numbered(3)), Written("worker", [said("ERROR no", 1)])
    async with following(tmp_path, *logs) as (pilot, responder, main):
        await pilot.press("ampersand", *"!line 2", "enter")
        await until(pilot, lambda: "only" in title(main))
        await press(pilot, "W")
        await until(pilot, lambda: toast(pilot, "Saving 3 lines …"))
        await until(
            pilot,
            lambda: any(
                isinstance(entry.record.event, e.EvidenceSaved)
                for entry in responder.incident.entries
            ),
        )
        event = next(
            entry.record.event
            for entry in responder.incident.entries
            if isinstance(entry.record.event, e.EvidenceSaved)
        )
        await until(pilot, lambda: toast(pilot, f"3 lines saved: {responder.folder}/{event.file}"))
        assert event.what == "3 log lines of web, worker, only !line 2"
        assert responder.folder
        kept = (responder.folder / event.file).read_text()
        assert (responder.folder / event.file).stat().st_mode & 0o777 == 0o600
        at = f"{BEGAN + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}.000Z"
        assert f"{at} worker stdout ERROR no\n" in kept
        assert [line.split(" ", 3)[3] for line in kept.splitlines()] == [
            "line 0", "line 1", "ERROR no"
        ]  # fmt: skip


async def test_a_full_disk_is_told_when_lines_are_to_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, Written("web", numbered(3))) as (pilot, responder, _):

        def full(title: str) -> object:
            raise OSError(28, "No space left on device")

        responder.log.begin()
        monkeypatch.setattr(responder.log, "evidence", full)
        await press(pilot, "W")
        await until(pilot, lambda: any("No space left" in one.message
                                       for one in pilot.app._notifications))  # fmt: skip
        assert any(
            isinstance(entry.record.event, e.EvidenceMissed) for entry in responder.incident.entries
        )


async def test_lines_are_copied_and_how_far_that_is_certain_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMUX", "STY", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    async with following(tmp_path, Written("web", numbered(9))) as (pilot, _, _main):

        def told(words: str) -> bool:
            return any(words in one.message for one in pilot.app._notifications)

        await press(pilot, "k", "v", "k", "y")
        await until(pilot, lambda: told("2 lines. Sent to the terminal's clipboard"))
        assert pilot.app.clipboard == "line 6\nline 7"
        monkeypatch.setenv("TERM", "linux")
        await press(pilot, "y")
        await until(pilot, lambda: told("Not copied: the console of Linux"))


async def test_older_lines_come_when_one_goes_beyond_the_first(tmp_path: Path) -> None:
    async with following(tmp_path, Written("web", numbered(700))) as (pilot, _, main):
        await press(pilot, "g")
        assert main.logs.line() == said("line 680", 680)
        await press(pilot, "k")
        await until(pilot, lambda: len(main.logs.view) == 520)
        assert main.logs.line() == said("line 680", 680)
        await press(pilot, "k")
        assert main.logs.line() == said("line 679", 679)
        await press(pilot, "g", "k")
        await until(pilot, lambda: len(main.logs.view) == 700)
        await press(pilot, "g", "k")
        await until(pilot, lambda: "the log begins here" in shown(main.logs))


async def test_why_older_lines_do_not_come_is_told(tmp_path: Path) -> None:
    log = Written("web", numbered(700))
    log.trouble = "prod-1 is out of reach; k tries again."
    async with following(tmp_path, log) as (pilot, _, main):
        await press(pilot, "g", "k")
        await until(pilot, lambda: any("out of reach" in one.message
                                       for one in pilot.app._notifications))  # fmt: skip
        assert "loading" not in shown(main.logs)
        log.trouble = ""
        await press(pilot, "k")
        await until(pilot, lambda: len(main.logs.view) == 520)


async def test_since_a_time_loads_what_is_missing(tmp_path: Path) -> None:
    async with following(tmp_path, Written("web", numbered(3000))) as (pilot, _, main):
        at = BEGAN + timedelta(seconds=1000)
        await pilot.press("s", *f"{at:%Y-%m-%d %H:%M:%S}", "enter")
        await until(pilot, lambda: main.logs.line() == said("line 1000", 1000))
        assert not main.logs.following
        await pilot.press("s", *"some time", "enter")
        await until(pilot, lambda: any("Such as: 15m" in one.message
                                       for one in pilot.app._notifications))  # fmt: skip
        assert main.log_prompt.display and main.log_prompt.line.value == "some time"
        again = BEGAN + timedelta(seconds=500)
        await pilot.press(*f"{again:%Y-%m-%d %H:%M:%S}", "enter")
        await until(pilot, lambda: main.logs.line() == said("line 500", 500))
        assert not main.log_prompt.display


async def test_each_of_several_logs_is_loaded_since_then_or_it_is_said_from_when(
    tmp_path: Path,
) -> None:
    quiet = Written("db", [said(f"db {n}", n) for n in range(0, 1000, 100)])
    web = Written("web", [said(f"web {n}", n) for n in range(500, 1000)])
    async with following(tmp_path, quiet, web) as (pilot, _, main):
        at = BEGAN + timedelta(seconds=300)
        await pilot.press("s", *f"{at:%Y-%m-%d %H:%M:%S}", "enter")
        first = f"{BEGAN + timedelta(seconds=500):%H:%M:%S}"
        await until(pilot, lambda: toast(pilot, f"web only from {first} on (it has no older line"))
        assert main.logs.line() == said("db 300", 300)
        assert main.logs.window.end - main.logs.window.first == 510
        assert main.logs.not_loaded == main.responder.logs.not_loaded


async def test_from_a_timeline_entry_to_the_lines_of_that_moment(tmp_path: Path) -> None:
    log = Written("web", numbered(300), 300)
    async with following(tmp_path, log) as (pilot, responder, main):
        responder.note("it began")
        entry = responder.incident.entries[-1]
        at = BEGAN.replace(microsecond=0) + timedelta(seconds=99)
        responder.correct_time(entry.record.seq, at)
        main.timeline.update()
        main.to_pane("timeline")
        main.timeline.go(entry.record.seq)
        await press(pilot, "l")
        await until(pilot, lambda: main.logs.line() == said("line 99", 99))
        assert main.focused is main.logs


async def test_from_a_pinned_line_back_to_that_line(tmp_path: Path) -> None:
    async with following(tmp_path, Written("web", numbered(300), 300)) as (pilot, responder, main):
        await press(pilot, "g", "j", "m", "G")
        await until(pilot, lambda: bool(responder.incident.entries))
        main.timeline.update()
        await press(pilot, "4", "G", "l")
        await until(pilot, lambda: main.logs.line() == said("line 1", 1))
        event = responder.incident.entries[-1].record.event
        assert isinstance(event, e.NoteAdded)
        assert (event.log, event.host) == ("web", "prod-1")


async def test_an_entry_is_opened_whole_and_pinned_from_there(tmp_path: Path) -> None:
    words = '{"level":"error","msg":"no such order","order":88213,"shop":{"id":7}}'
    async with following(tmp_path, Written("web", [said(words, 1)])) as (pilot, responder, main):
        await press(pilot, "enter")
        await dialog(pilot, LogLine)
        text = pilot.app.screen.query_one("#text", Lines)
        await until(pilot, lambda: "As it came:" in shown(text))
        assert "web, stdout, error" in shown(text)
        assert f"{BEGAN + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}.000 UTC" in shown(text)
        assert [row.split() for row in shown(text).splitlines() if row.startswith("order")] == [
            ["order", "88213"]
        ]
        await press(pilot, "m")
        await until(pilot, lambda: "Log of web at " in shown(main.timeline))
        assert responder.folder


async def test_several_logs_are_chosen_from_a_list(tmp_path: Path) -> None:
    logs = {name: Written(name, numbered(3)) for name in ("web", "worker", "db")}
    offers = [
        Offer(Safe(name), Safe("container"), lambda log=log: [log])  # type: ignore[misc]
        for name, log in logs.items()
    ]
    whole = Offer(Safe("shop"), Safe("Compose project"), lambda: [logs["web"]], ("prod-1", "shop"))

    async def later() -> tuple[list[Offer], Safe]:
        return [Offer(Safe("/var/log/syslog"), Safe("file"), list)], Safe("units: no journal")

    async with opened(tmp_path, "") as (pilot, _, _main):
        chosen: list[Chosen | None] = []

        async def ask(*keys: str) -> Chosen | None:
            before = len(chosen)
            pilot.app.push_screen(LogSources([whole, *offers], later()), chosen.append)
            await dialog(pilot, LogSources)
            await until(pilot, lambda: "/var/log/syslog" in shown(rows()))
            await pilot.press(*keys)
            await until(pilot, lambda: len(chosen) > before)
            await until(pilot, lambda: not isinstance(pilot.app.screen, LogSources))
            return chosen[-1]

        def rows() -> Lines:
            return pilot.app.screen.query_one("#offers", Lines)

        assert await ask("enter") == Chosen(compose=("prod-1", "shop"))
        both = await ask("down", "space", "down", "space", "enter")
        assert both == Chosen((logs["web"], logs["db"]))
        assert await ask(*"work", "enter") == Chosen((logs["worker"],))
        mixed = await ask("space", *"db", "space", "enter")
        assert mixed == Chosen((logs["web"], logs["db"])), "a project among others is its logs"
        assert await ask("escape") is None


async def test_logs_that_are_chosen_are_merged_and_others_left(tmp_path: Path) -> None:
    web, worker = Written("web", numbered(3)), Written("worker", [said("ERROR no", 1)])
    async with following(tmp_path, web, worker) as (pilot, responder, main):
        assert shown(main.logs).splitlines()[0].split() == ["A", "web", "B", "worker"]
        assert "2 logs" in title(main)
        web.write(said("line late", 20))
        await until(pilot, lambda: "line late" in shown(main.logs))
        main.follow([worker])
        await until(pilot, lambda: not web.followed)
        await until(pilot, lambda: "line late" not in shown(main.logs))
        assert "worker" in title(main)
        assert "ERROR no" in shown(main.logs)
        main.forget_logs()
        await until(pilot, lambda: "No container chosen" in shown(main.logs))
        await until(pilot, lambda: not worker.followed)
        assert responder.logs.sources == ()
