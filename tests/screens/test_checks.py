"""The checklist before a shift on the screen, and a crossed limit in a container's row."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit import clock
from cockpit.config import Config, Service
from cockpit.containers.container import Container
from cockpit.containers.limits import MEMORY, Over
from cockpit.containers.watch import Containers
from cockpit.oncall import kept
from cockpit.oncall.handbook import parse as handbook
from cockpit.oncall.result import Mark, Result
from cockpit.text import Safe
from screens.dialogs.checks import CheckRows, ChecksScreen
from tests.screens.test_cockpit import dialog, opened, press, shown, until

pytestmark = pytest.mark.anyio
HANDBOOK = """\
# On-Call

## Before Your Shift

- [ ] Phone is charged
- [ ] Laptop is charged
"""


async def test_c_asks_all_and_space_ticks_what_is_yours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "ON_CALL.md").write_text(HANDBOOK)
    async with opened(tmp_path, size=(60, 20)) as (pilot, responder, _):
        await until(pilot, lambda: responder.handbook is not None)
        responder.config = Config(services={"api": Service(health="http://127.0.0.1:9/")})
        responder.handbook = handbook(HANDBOOK, str(tmp_path / "ON_CALL.md"), "")
        await press(pilot, "C")
        await dialog(pilot, ChecksScreen)
        rows = pilot.app.screen.query_one(CheckRows)
        await until(pilot, lambda: "FAIL  api: health: " in shown(rows))
        assert "todo  Phone is charged" in shown(rows) and "yours to do" not in shown(rows)
        await until(pilot, lambda: kept.last() is not None)
        last = kept.last()
        assert last is not None and last.outcome == "not ready"
        assert last.wrong[0].startswith("api: health: ")
        await press(pilot, "G", "space")
        await until(pilot, lambda: "> ok    Laptop is charged: done, you say" in shown(rows))
        await press(pilot, "space")
        await until(pilot, lambda: "> todo  Laptop is charged" in shown(rows))
        await press(pilot, "n")
        assert rows.names[int(str(rows.at))] == "api: health", "the first that is wrong"
        await press(pilot, "space")
        assert "FAIL  api: health: " in shown(rows), "what a machine found is not ticked by hand"
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ChecksScreen))
        assert responder.folder is None, "a check begins no incident"
        await press(pilot, "C")
        await dialog(pilot, ChecksScreen)
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ChecksScreen))


def container(name: str, health: str) -> Container:
    return Container(
        id=name,
        name=Safe(name),
        image=Safe("x"),
        state="running",
        status=Safe("running"),
        health=health,
        restarts=0,
        oom=False,
        exit_code=None,
        started_at=None,
        finished_at=None,
        project=Safe(""),
        service=Safe(""),
        tty=False,
        host=Safe("prod-1"),
    )


async def test_a_crossed_limit_stands_in_the_row_where_nothing_is_worse(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(80, 24)) as (_, _, main):
        rows = (container("web", "healthy"), container("db", "unhealthy"))
        over = {
            (name, MEMORY): Over(Safe("MEMORY 93%"), Safe("words"), 0.0) for name in ("web", "db")
        }
        over["", "disk /"] = Over(Safe("/ is 97% full"), Safe("words"), 0.0)
        known = Containers(rows, 0.0, Safe(""), "streams", Safe("20"), Safe("prod-1"), {})
        main.containers.show([(known, over)], Safe(""))
        text = shown(main.containers)
        assert " Disk: / is 97% full\n" in text
        web, db = (
            next(line for line in text.split("\n") if name in line) for name in ("web", "db")
        )
        assert "MEMORY 93%" in web and "healthy" not in web
        assert "UNHEALTHY" in db and "MEMORY" not in db


async def test_a_new_incident_begins_with_the_last_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    wrong = Result(Safe("api: health"), Mark.BAD, Safe("answers 503."))
    assert kept.keep("not ready", [wrong], clock.now()) == ""
    async with opened(tmp_path) as (pilot, responder, main):
        await until(pilot, lambda: responder.handbook is not None)
        responder.note("it begins")

        def found() -> str:
            return " ".join(shown(main.timeline).split())

        await until(pilot, lambda: "not ready: api: health: answers 503" in found())
