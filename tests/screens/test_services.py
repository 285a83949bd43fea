"""The services of a swarm by keys: what is short, its tasks, its log, a change through the gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cockpit.config import Config
from cockpit.containers import swarm_watch
from cockpit.containers.swarm import Node, Service, Task
from cockpit.responder import Responder
from cockpit.text import Safe
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs.actions import Actions
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from screens.dialogs.service_rows import fits, node_row, service_rows, standing, task_words
from screens.dialogs.services import ServicesScreen
from screens.lines import Lines
from screens.swarm_keys import actions
from tests.containers.conftest import Dockerd, engine_room, swarm
from tests.screens.test_cockpit import dialog, press, shown, until

pytestmark = pytest.mark.anyio

__all__ = ["engine_room", "swarm"]

NOW = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)
FAILED = Task("t1", Safe("web.2"), Safe("node-7"), "pending", "running",
              NOW - timedelta(minutes=6), Safe("no suitable node"), "", 5, 4,
              NOW - timedelta(seconds=90), Safe("non-zero exit (3)"))  # fmt: skip


def service(**changes: object) -> Service:
    known: dict[str, object] = {
        "id": "abc", "name": Safe("web"), "stack": Safe("shop"), "mode": "replicated",
        "wanted": 3, "running": 3, "completed": 0, "update": Safe(""), "update_stuck": False,
        "image": Safe("shop/web:1"), "ports": (Safe("8080->80/tcp"),),
    }  # fmt: skip
    return Service(**(known | changes))  # type: ignore[arg-type]


def drawn(one: Service, width: int = 118, *, whole: bool = False) -> str:
    rows = service_rows(one, NOW, width, 12, here=True, whole=whole)
    assert all(len(row.plain) <= width for row in rows)
    return "\n".join(row.plain for row in rows)


def test_a_service_that_is_short_says_how_many_and_why() -> None:
    short = service(running=1, tasks=(FAILED,))
    words = drawn(short)
    assert words.startswith("> !! web ")
    assert "1/3" in words and "SHORT 2" in words and "8080->80/tcp" in words
    assert (
        "web.2 on node-7: pending 6 min · no suitable node · 4 of its last 5 runs failed" in words
    )
    assert "1 min ago: non-zero exit (3)" in words


def test_a_narrow_screen_keeps_the_name_the_count_and_the_state() -> None:
    words = drawn(service(running=1, tasks=(FAILED,)), 54)
    assert "web" in words and "1/3" in words and "SHORT 2" in words
    assert "shop/web:1" not in words
    assert "shop/web:1" in drawn(service(), 54, whole=True)


def test_tasks_that_are_well_are_shown_when_they_are_asked_for() -> None:
    well = tuple(
        Task(f"t{n}", Safe(f"web.{n}"), Safe("node-7"), "running", "running", NOW, Safe(""), "")
        for n in range(1, 9)
    )
    assert drawn(service(tasks=well)).count("\n") == 0
    assert drawn(service(tasks=well), whole=True).count("\n") == 8
    wrong = tuple(FAILED for _ in range(8))
    assert "5 tasks more: space shows all" in drawn(service(running=0, wanted=8, tasks=wrong))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "running"),
        ({"wanted": 0, "running": 0}, "scaled to 0"),
        ({"update": Safe("update paused: x"), "update_stuck": True}, "UPDATE PAUSED"),
        ({"update": Safe("updating")}, "updating"),
        ({"mode": "replicated job", "running": 0, "completed": 3}, "completed"),
        ({"mode": "replicated job", "running": 1, "completed": 2}, "at work"),
        ({"tasks": (FAILED,)}, "failing"),
    ],
)
def test_each_way_to_stand_has_a_word(changes: dict[str, object], word: str) -> None:
    assert standing(service(**changes), NOW)[2] == word


def test_all_words_of_a_filter_must_fit_and_one_may_be_inverted() -> None:
    one = service(running=1, tasks=(FAILED,))
    assert fits(one, "shop short", NOW) and fits(one, "NODE-7 !running", NOW)
    assert not fits(one, "!web", NOW) and not fits(one, "web other", NOW) and fits(one, "", NOW)


def test_a_node_that_is_down_says_why() -> None:
    node = Node("n", Safe("node-7"), "down", "drain", "", Safe("heartbeat failure"))
    assert "!! node-7 " in node_row(node, 8, here=False).plain
    assert "DOWN · drain · heartbeat failure" in node_row(node, 8, here=False).plain


def test_a_name_that_is_no_word_does_not_stand_in_a_command() -> None:
    commands = [one.command for one in actions(service(name=Safe("x; reboot")), "docker")]
    assert all("reboot" not in command for command in commands)
    assert "docker service update --detach --force abc" in commands
    everywhere = actions(service(mode="global"), "docker")
    assert everywhere[-1].key == "n" and "global" in everywhere[-1].why_not


def test_a_task_of_a_global_service_names_its_node_once() -> None:
    task = Task("t", Safe("web.node-7"), Safe("node-7"), "running", "running", None, Safe(""), "")
    assert task_words(task, NOW) == "web.node-7: running"


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    app = CockpitApp(responder, Opening(runbook=None, incident=None))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: responder.watch is not None)
        yield pilot, responder, app.main
    await responder.close()


@pytest.mark.docker
async def test_from_a_service_to_its_log_and_to_a_change(
    swarm: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{swarm.socket}")
    monkeypatch.setattr(swarm_watch, "OPEN_S", 0.3)
    await asyncio.to_thread(
        swarm.docker, "service", "create", "--detach", "--name", "web", "--network", "host",
        "--no-resolve-image", "--stop-grace-period", "200ms", "t:1",
        "sh", "-c", "while :; do echo going; usleep 200000; done",
    )  # fmt: skip
    async with opened(tmp_path) as (pilot, responder, main):

        def services() -> str:
            return shown(pilot.app.screen.query_one("#services", Lines))

        await until(pilot, lambda: "swarm: 1 service" in str(main.containers.border_title))
        await press(pilot, "1", "s")
        await dialog(pilot, ServicesScreen)
        await until(pilot, lambda: "1/1  running" in services())
        await press(pilot, "full_stop")
        await dialog(pilot, Actions)
        await press(pilot, "n")
        await dialog(pilot, Form)
        await press(pilot, "backspace", "2", "enter")
        await dialog(pilot, Gate)
        gate = pilot.app.screen
        assert isinstance(gate, Gate)
        assert "service scale --detach web=2" in gate.asked.intent.command
        await press(pilot, "escape")
        await dialog(pilot, ServicesScreen)
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is main)
        await until(pilot, lambda: responder.logs.window.end > 0)
        assert responder.logs.window[responder.logs.window.first].line.text == "going"
    await asyncio.to_thread(swarm.docker, "service", "rm", "web")
