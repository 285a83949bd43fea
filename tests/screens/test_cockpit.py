"""The main screen through Textual's Pilot: keys in, rows and events out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen

from cockpit import clock
from cockpit.config import Config
from cockpit.containers.container import Container
from cockpit.containers.watch import Containers
from cockpit.incident import events as e
from cockpit.incident.events import Severity
from cockpit.incident.incident import Mark, Run, RunState
from cockpit.logs.line import Line, Stream
from cockpit.logs.view import Query, pattern
from cockpit.responder import Responder
from cockpit.target import hosts
from cockpit.target.target import Link, LinkState
from cockpit.text import Safe, clean_line
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs.choose import Choose
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from screens.dialogs.host_rows import HostRows
from screens.dialogs.reader import Reader
from screens.lines import Lines
from screens.panes.run_rows import verdict
from screens.status import words
from tests.screens.logs import begin, come

pytestmark = pytest.mark.anyio

HOSTILE = "[/] [@click=app.quit]x[/] \x1b]52;c;ZXZpbA==\x07 \x1b[2J \u202e [red]"
BOOK = """# Disk full
Severity: P2
## Diagnosis
### Step 1: Look
```bash
# First
echo looking
# Second
echo again
```
If it is full: See Recovery > Option 1
### Step 2: Ask somebody
Call the storage people.
## Recovery
### Option 1: Free some
```bash
rm -rf {scratch}/old
```
### Option 2: Make room
```bash
touch {scratch}/<FILE_NAME>
```
"""


@asynccontextmanager
async def opened(
    tmp_path: Path, book: str = BOOK, size: tuple[int, int] = (120, 40), folder: Path | None = None
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    file = tmp_path / "book.md"
    if book:
        file.write_text(book.replace("{scratch}", str(tmp_path)))
    app = CockpitApp(responder, Opening(runbook=file if book else None, incident=folder))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: responder.watch is not None)
        await pilot.pause()
        yield pilot, responder, app.main
    await responder.close()


async def until(pilot: Pilot[int], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await pilot.pause(0.02)


async def press(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await dealt_with(pilot)
        await pilot.pause(0.05)


async def dealt_with(pilot: Pilot[int]) -> None:
    """Until a key that was held back for what may open is dealt with, and what came of it, too.

    A key goes from one message queue to the next: on a busy machine no pause is long enough.
    """
    app = pilot.app
    for _ in range(3):
        if app.is_running:
            await pilot._wait_for_screen()
        if isinstance(app, CockpitApp):
            await until(pilot, lambda: not app._typed._held or not app.is_running)
    if app.is_running:
        await pilot._wait_for_screen()


async def dialog(pilot: Pilot[int], kind: type) -> None:
    """Until a screen is there, and takes keys."""
    await until(pilot, lambda: isinstance(pilot.app.screen, kind) and drawn(pilot.app.screen))
    await pilot.pause()
    await until(pilot, lambda: drawn(pilot.app.screen))


def drawn(screen: Screen[Any]) -> bool:
    """Whether it knows that it was drawn: some throw away every key from before."""
    if isinstance(screen, Gate) and screen._waits_for_end:
        return False
    names = ("_ready_at", "ready_at", "ready", "_shown", "_open")
    parts = (screen, *screen.query(HostRows))
    return all(getattr(part, name, True) not in (None, False) for part in parts for name in names)


def shown(lines: Lines) -> str:
    return "\n".join(row.plain for row in lines.rows)


async def test_a_step_is_run_and_ticked_by_keys(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        assert "> [ ] Step 1: Look" in shown(main.checklist)
        await press(pilot, "enter")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        await until(pilot, lambda: "│ looking" in shown(main.checklist))
        await until(pilot, lambda: "OK exit 0" in shown(main.checklist))
        await press(pilot, "space")
        await until(pilot, lambda: "[x] Step 1: Look" in shown(main.checklist))
        assert "> [ ] Step 2: Ask somebody" in shown(main.checklist)
        await until(pilot, lambda: "Done: Step 1: Look" in shown(main.timeline))


async def test_j_moves_from_command_to_command_and_enter_runs_the_one_under_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await press(pilot, "j", "enter")
        await until(pilot, lambda: len(responder.incident.runs) == 1)
        (run,) = responder.incident.runs.values()
        assert run.asked.command == "echo again"


async def test_without_a_terminal_to_give_nothing_is_run(tmp_path: Path) -> None:
    book = "# B\n## Diagnosis\n### Step 1: Look\n```bash\nless /etc/hosts\n```\n"
    async with opened(tmp_path, book) as (pilot, responder, _):
        await press(pilot, "enter")
        await until(pilot, lambda: len(pilot.app._notifications) > 0)
        (said,) = [notice.message for notice in pilot.app._notifications]
        assert "run it in another terminal" in said
        assert not responder.incident.runs


async def test_a_reference_is_followed_and_returned_from(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, main):
        await press(pilot, "b")
        assert "> ( ) Option 1: Free some" in shown(main.checklist)
        await press(pilot, "backspace")
        assert "> [ ] Step 1: Look" in shown(main.checklist)


async def test_skipping_wants_a_reason_and_failing_does_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await press(pilot, "s")
        await dialog(pilot, Form)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, Form)
        await press(pilot, *"known", "enter")
        await until(pilot, lambda: bool(responder.incident.steps))
        await dialog(pilot, CockpitScreen)
        await press(pilot, "f")
        await dialog(pilot, Form)
        await press(pilot, "enter")
        await until(pilot, lambda: len(responder.incident.steps) == 2)
        marks = [state.mark for state in responder.incident.steps.values()]
        assert marks == [Mark.SKIPPED, Mark.FAILED]


async def test_destruction_is_not_run_by_reflex(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    async with opened(tmp_path) as (pilot, responder, main):
        main.checklist.go_to_id("recovery")
        await press(pilot, "enter")
        await dialog(pilot, Gate)
        await press(pilot, "enter", "enter", "y", "enter", "y", "enter")
        await pilot.pause(0.3)
        assert isinstance(pilot.app.screen, Gate)
        assert not responder.incident.runs
        await press(pilot, "escape")
        await dialog(pilot, CockpitScreen)
        await press(pilot, "enter")
        await dialog(pilot, Gate)
        await until(pilot, lambda: pilot.app.focused is not None)
        await press(pilot, *"because", "enter")
        await press(pilot, *"this", "space", *"machine", "enter")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        (run,) = responder.incident.runs.values()
        assert (run.asked.gate, run.asked.reason) == ("typed this machine", "because")
        assert not (tmp_path / "old").exists()


async def test_keys_typed_before_the_gate_was_drawn_run_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    async with opened(tmp_path, BOOK.replace("rm -rf", "mv {scratch}/x")) as (
        pilot,
        responder,
        main,
    ):
        responder.done(next(iter(responder.runbook.steps()))[1])  # type: ignore[union-attr]
        main.checklist.go_to_id("recovery")
        for key in ("enter", "y", "y", "y"):
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await dialog(pilot, Gate)
        await pilot.pause(0.3)
        assert isinstance(pilot.app.screen, Gate)
        assert not responder.incident.runs
        await press(pilot, "y")
        await until(pilot, lambda: bool(responder.incident.runs))


async def test_what_is_typed_right_after_enter_lands_in_the_next_field(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        responder.note("begin")
        await press(pilot, "R")
        await dialog(pilot, Form)
        await pilot.press(*"disk", "enter", *"freed", "enter", *"watch", "enter")
        await until(pilot, lambda: not responder.incident.open)
        done = responder.incident.resolution
        assert done is not None
        assert (done.cause, done.fix, done.follow_up) == ("disk", "freed", "watch")


async def test_a_placeholder_is_asked_for_and_never_reaches_the_shell(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        responder.done(next(iter(responder.runbook.steps()))[1])  # type: ignore[union-attr]
        main.checklist.go_to_id("recovery")
        await press(pilot, "j", "enter")
        await dialog(pilot, Form)
        await press(pilot, *"made", "enter")
        await dialog(pilot, Gate)
        await pilot.pause(0.3)
        await press(pilot, "y")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        (run,) = responder.incident.runs.values()
        assert run.asked.command == f"touch {tmp_path}/made"
        assert (tmp_path / "made").exists()


async def test_declaring_takes_two_keys(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await press(pilot, "S", "1")
        await until(pilot, lambda: responder.incident.severity is Severity.P1)
        assert responder.incident.title == "Disk full"


async def test_the_list_goes_to_what_was_typed_last(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, main):
        await press(pilot, "slash")
        await dialog(pilot, Choose)
        await pilot.press(*"Option", "space", "2", "enter")
        await until(pilot, lambda: "> ( ) Option 2" in shown(main.checklist))


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)])
async def test_hostile_text_is_shown_as_text(tmp_path: Path, size: tuple[int, int]) -> None:
    book = (
        f"# {HOSTILE}\n## Diagnosis\n### Step 1: {HOSTILE}\n```bash\nprintf '%s' '{HOSTILE}'\n```\n"
    )
    async with opened(tmp_path, book, size) as (pilot, responder, main):
        await press(pilot, "enter")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        responder.note(HOSTILE)
        responder.declare(HOSTILE, Severity.P0, HOSTILE)
        row = Container(
            id="1", name=clean_line(HOSTILE), image=clean_line(HOSTILE), state="running",
            status=Safe(""), health="", restarts=0, oom=False, exit_code=None, started_at=None,
            finished_at=None, project=Safe(""), service=Safe(""), tty=False,
            host=Safe("prod-1"),
        )  # fmt: skip
        known = Containers(
            (row,), 1.0, clean_line(HOSTILE), "streams", Safe("20"), Safe("prod-1"), {}
        )
        main.containers.show([(known, {})], Safe(""))
        begin(main.logs, clean_line(HOSTILE))
        come(main.logs, [Line(0, Stream.STDOUT, clean_line(HOSTILE))])
        main.redraw()
        for key in ("1", "2", "3", "4"):
            await press(pilot, key)
        await press(pilot, "4", "enter")
        await pilot.pause(0.2)
        assert pilot.app.is_running
        await press(pilot, "escape")
        drawn = pilot.app.export_screenshot()
        assert "\x1b" not in drawn
        assert "[@click=app.quit]" in shown(main.logs)


async def test_every_key_has_a_plain_name_in_the_palette_and_in_the_help(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, main):
        names = {command.help for command in pilot.app.get_system_commands(main)}
        assert {"incident.note", "step.run", "incident.resolve", "cockpit.quit"} <= names
        await press(pilot, "question_mark")
        await dialog(pilot, Reader)
        help_text = pilot.app.screen.query_one("#text", Lines)
        await until(pilot, lambda: bool(help_text.rows))
        text = shown(help_text)
        for words in ("Run the command", "Write a note", "Follow the end", "Only lines that fit"):
            assert words in text


async def test_the_help_opens_at_the_keys_of_the_pane_that_has_the_focus(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, _):
        for key, group in [("1", "Containers"), ("2", "Logs"), ("3", "Runbook"), ("4", "Timeline")]:
            await press(pilot, key, "question_mark")
            await dialog(pilot, Reader)
            lines = pilot.app.screen.query_one("#text", Lines)
            await until(pilot, lambda lines=lines: bool(lines.rows))  # type: ignore[misc]
            groups = [row for row in shown(lines).splitlines() if row and not row.startswith(" ")]
            assert groups[0].strip() == group
            assert len(groups) == len(set(groups)) > 6
            await press(pilot, "escape")
            await dialog(pilot, CockpitScreen)


async def test_every_binding_has_an_id_and_says_what_it_does() -> None:
    from screens.panes.checklist import Checklist
    from screens.panes.containers import ContainersPane
    from screens.panes.logs import LogsPane
    from screens.panes.timeline import Timeline

    classes = (CockpitApp, CockpitScreen, Lines, Checklist, ContainersPane, LogsPane, Timeline)
    for owner in classes:
        for binding in owner.BINDINGS:
            assert binding.id, binding  # type: ignore[union-attr]
            assert binding.description, binding  # type: ignore[union-attr]


async def test_a_timeline_that_had_no_room_shows_the_newest_when_it_is_opened(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, size=(80, 24)) as (pilot, responder, main):
        for number in range(40):
            responder.note(f"look {number}")
        await until(pilot, lambda: len(main.timeline.rows) > 40)
        await press(pilot, "4")
        await until(pilot, lambda: main.timeline.size.height > 0)
        await until(pilot, lambda: main.timeline.scroll_y == main.timeline.max_scroll_y > 0)


async def test_logs_follow_hold_search_and_go_on_the_timeline(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        begin(main.logs, "kamiyo")
        lines = [Line(0, Stream.STDOUT, Safe(f"line {n}")) for n in range(300)]
        come(main.logs, lines)
        await press(pilot, "2")
        assert main.logs.line() == lines[-1]
        await press(pilot, "k")
        come(main.logs, [Line(0, Stream.STDERR, Safe("ERROR late"))])
        assert main.logs.line() == lines[-2], "it was held, and moved all the same"
        await press(pilot, "f")
        main.logs.search(Safe("line 2"))
        assert main.logs.line() == lines[299] or "line 2" in (main.logs.line() or lines[0]).text
        main.logs.show_only(Query(pattern("ERROR")), Safe("ERROR"))
        assert shown(main.logs).strip().endswith("ERROR late")
        await press(pilot, "G", "m")
        await until(pilot, lambda: "ERROR late" in shown(main.timeline))
        assert any(
            isinstance(entry.record.event, e.NoteAdded)
            and entry.record.event.source == "log of kamiyo"
            for entry in responder.incident.entries
        )


async def test_what_was_not_sent_has_its_key_also_where_there_is_little_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    responder.declare("The checkout of all shops is down", Severity.P0)
    responder.acknowledge()
    for id in ("a", "b", "c"):
        queued = e.MessageQueued(message=id, to=f"hook-{id}", about="acknowledged", text="x")
        responder.log.append(queued)
        responder.log.append(e.MessageFailed(message=id, why="403", final=True))

    def line(width: int) -> str:
        return "".join(part for part, _ in words(responder, clock.moment(), 0.0, width))

    assert responder.target.link.state is LinkState.UP
    for width in (40, 60, 80, 100, 120, 160):
        assert "3 NOT SENT: O" in line(width), width
        assert len(line(width)) <= width
    assert "breathe" in line(60), "what is due gave way"
    assert "this machine up" in line(160)
    monkeypatch.setattr(type(responder.target), "link", Link(LinkState.LOST, "", 0.0))
    assert "LOST" in line(60)
    await responder.close()


async def test_quitting_leaves_the_incident_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        responder.note("one")
        await press(pilot, "q")
        async with asyncio.timeout(15):
            while pilot.app.return_value is None:
                await asyncio.sleep(0.02)
        assert pilot.app.return_value == 0
        folder = responder.folder
    async with opened(tmp_path, "", folder=folder) as (pilot, again, main):
        assert again.incident.open
        await until(pilot, lambda: "Note: one" in shown(main.timeline))


async def test_a_runbook_of_many_steps_stays_usable(tmp_path: Path) -> None:
    book = "# Long\n## Diagnosis\n" + "".join(
        f"### Step {n}: look at {n}\n```bash\necho {n}\n```\nSome words about it.\n"
        for n in range(700)
    )
    async with opened(tmp_path, book) as (pilot, _, main):
        await press(pilot, "G")
        assert "> [ ] Step 699" in shown(main.checklist)
        await press(pilot, "k", "g")
        assert "> [ ] Step 0" in shown(main.checklist)


async def test_a_key_pressed_again_while_a_command_is_on_its_way_runs_it_once(
    tmp_path: Path,
) -> None:
    # It goes on until the keys are dealt with, however late that is.
    os.mkfifo(tmp_path / "end")
    book = f"# B\n## Diagnosis\n### Step 1: Look\n```bash\ncat {tmp_path}/end\n```\n"
    async with opened(tmp_path, book) as (pilot, responder, _):
        for _ in range(4):
            pilot.app.post_message(events.Key("enter", "\r"))
        await until(pilot, lambda: bool(responder.incident.runs))
        await dealt_with(pilot)

        def let_it_end() -> bool:
            with suppress(OSError):  # it does not read yet
                os.close(os.open(tmp_path / "end", os.O_WRONLY | os.O_NONBLOCK))
                return True
            return False

        await until(pilot, let_it_end)
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        await pilot.pause(0.5)
        assert len(responder.incident.runs) == 1


async def test_a_value_that_cannot_be_quoted_is_asked_for_again(tmp_path: Path) -> None:
    book = '# X\n## Diagnosis\n```bash\nsh -c "ls <DIR_NAME>"\n```\n'
    async with opened(tmp_path, book) as (pilot, responder, _):
        await press(pilot, "enter")
        await dialog(pilot, Form)
        await press(pilot, *"a", "space", "b", "enter")
        await pilot.pause(0.2)
        assert isinstance(pilot.app.screen, Form)
        assert not responder.incident.runs


async def test_a_command_that_was_edited_is_shown_as_it_ran(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, main):
        await press(pilot, "enter")
        await until(pilot, lambda: "│ looking" in shown(main.checklist))
        # While it runs it is not run again.
        await until(pilot, lambda: "OK exit 0" in shown(main.checklist))
        assert "ran" not in shown(main.checklist)
        await press(pilot, "e")
        await dialog(pilot, Form)
        await press(pilot, "s", "enter")
        await until(pilot, lambda: "│ lookings" in shown(main.checklist))
        assert "ran: echo lookings" in shown(main.checklist)


async def test_a_run_on_another_host_says_on_which(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        await press(pilot, "enter")
        await until(pilot, lambda: "│ looking" in shown(main.checklist))
        responder.target = hosts.target("elsewhere.invalid", responder.config)
        await until(pilot, lambda: "ran on this machine" in shown(main.checklist))


async def test_a_secret_in_a_command_does_not_make_it_another_one(tmp_path: Path) -> None:
    book = "# B\n## Diagnosis\n### Step 1: Look\n```bash\necho --password hunter2hunter2\n```\n"
    async with opened(tmp_path, book) as (pilot, responder, main):
        await press(pilot, "enter")
        await until(pilot, lambda: "OK exit 0" in shown(main.checklist))
        (run,) = responder.incident.runs.values()
        assert "REDACTED" in run.asked.command
        assert "ran" not in shown(main.checklist)


async def test_a_reader_sees_the_end_of_what_another_cockpit_ran(tmp_path: Path) -> None:
    book = "# B\n## Diagnosis\n### Step 1: Look\n```bash\nseq 40\n```\n"
    async with opened(tmp_path, book) as (pilot, first, main):
        await press(pilot, "enter")
        await until(pilot, lambda: "│ 40" in shown(main.checklist))
        assert "32 lines above; o shows all" in shown(main.checklist)
        await until(pilot, lambda: first.log.unsaved == 0)
        async with opened(tmp_path, book, folder=first.folder) as (other, second, along):
            assert second.log.reading
            await until(other, lambda: "│ 40" in shown(along.checklist))
            assert "111 B in all; o shows it" in shown(along.checklist)
            await press(other, "o")
            await dialog(other, Reader)
            text = other.app.screen.query_one("#text", Lines)
            await until(other, lambda: shown(text).startswith("1\n2\n"))
            await press(other, "escape")


async def test_of_a_long_output_it_says_how_much_there_is_and_where(tmp_path: Path) -> None:
    book = (
        "# B\n## Diagnosis\n### Step 1: Look\n```bash\nseq 10000\n```\n"
        "### Step 2: More\n```bash\nseq 300000\n```\n"
    )
    async with opened(tmp_path, book) as (pilot, responder, main):
        await press(pilot, "enter")
        await until(pilot, lambda: "│ 10000" in shown(main.checklist))
        await until(pilot, lambda: "OK exit 0" in shown(main.checklist))
        assert "47.7 KiB in all; o shows it" in shown(main.checklist)
        await press(pilot, "j", "enter")
        await until(pilot, lambda: "│ 300000" in shown(main.checklist))
        run = list(responder.incident.runs.values())[-1]
        words = " ".join(line.strip(" │") for line in shown(main.checklist).split("\n"))
        assert f"shows its start and end; the whole is in {run.asked.evidence}" in words


def test_a_command_on_its_way_is_said_in_plain_words() -> None:
    asked = e.CommandRequested(
        job="1", host="prod-1", command="x", risk="read", gate="not asked", root="/", boot=""
    )
    run = Run(seq=1, at=datetime.now(UTC), asked=asked)
    words = "".join(part[0] for part in verdict(run)).strip()
    assert words == "sending to prod-1; x stops it"
    words = "".join(part[0] for part in verdict(replace(run, state=RunState.STOPPING))).strip()
    assert words == "stopping on prod-1"


async def test_a_q_typed_ahead_of_a_dialog_does_not_leave(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, _):
        for key in ("i", "q"):  # in one go, as a slow link delivers them
            pilot.app.simulate_key(key)
        await dialog(pilot, Form)
        assert pilot.app.is_running


async def test_leaving_while_a_dialog_opens_is_no_failure(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, _, _):
        for key in ("i", "ctrl+q"):
            pilot.app.simulate_key(key)
        await until(pilot, lambda: not pilot.app.is_running)
        assert pilot.app.return_code == 0
