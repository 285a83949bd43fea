"""A container's detail, its environment and its actions on the screen, on a real engine."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.pilot import Pilot

from cockpit.config import Config, Host
from cockpit.containers.container import Container
from cockpit.responder import Responder
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs import environment
from screens.dialogs.actions import Actions
from screens.dialogs.container import ContainerScreen
from screens.dialogs.environment import Environment
from screens.dialogs.gate import Gate
from screens.dialogs.hosts import Hosts
from screens.dialogs.reader import Reader
from screens.lines import Lines
from tests.containers.conftest import Dockerd
from tests.screens.test_cockpit import dialog, press, shown, until

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

SECRET = "hunter2-and-more"


@asynccontextmanager
async def watching(
    dockerd: Dockerd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    size: tuple[int, int] = (100, 40),
    config: Config | None = None,
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    """The program on an engine, with the cursor on that container."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{dockerd.socket}")
    monkeypatch.setattr(CockpitApp, "NOTIFICATION_TIMEOUT", 60.0)  # longer than a look takes
    responder = Responder(tmp_path / "incidents", "sam", config or Config())
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=size) as pilot:
        main = app.main

        def here() -> bool:
            one = main.containers.container()
            return one is not None and one.name == name and one.started_at is not None

        await press(pilot, "1")
        await until(pilot, lambda: name in shown(main.containers))
        # What has used the CPU a moment ago stands above, and the cursor stays with it.
        async with asyncio.timeout(60):
            for key in itertools.cycle("gjjjj"):
                await press(pilot, key)
                if here():
                    break
        yield pilot, responder, main
    await responder.close()


def told(pilot: Pilot[int]) -> str:
    """What the detail, or another text on the full screen, says."""
    found = pilot.app.screen.query(Lines)
    return "\n".join(shown(one) for one in found)


async def test_the_detail_tells_what_happened_and_marks_moments(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    # Each check is three of the 256 events that the engine keeps.
    dockerd.run(
        "sick", "echo begun; sleep 99",
        *("--health-cmd", "echo the queue is full; exit 3", "--health-interval", "1s"),
        *("--health-retries", "1", "-m", "24m", "-v", f"{tmp_path / 'data'}:/data"),
    )  # fmt: skip
    async with watching(dockerd, tmp_path, monkeypatch, "sick") as (pilot, responder, main):
        await press(pilot, "d")
        await dialog(pilot, ContainerScreen)
        await until(pilot, lambda: "failed with 3" in told(pilot))
        await until(pilot, lambda: "running, unhealthy" in told(pilot))
        await until(pilot, lambda: " of 24.0 MiB" in told(pilot))
        for words in ("CPU", "Network in", "Disk write", "the queue is full", "t:1"):
            await until(pilot, lambda words=words: words in told(pilot))  # type: ignore[misc]
        # What happened in the last second before it asked is not told yet.
        async with asyncio.timeout(60):
            while "was created" not in told(pilot):
                await press(pilot, "r")
                await pilot.pause(0.5)
        assert "▲" not in told(pilot)

        await press(pilot, "left", "left")
        await until(pilot, lambda: "▲" in told(pilot))
        await press(pilot, "n")
        await until(pilot, lambda: "▲" not in told(pilot))

        await press(pilot, "u")
        await until(pilot, lambda: "in it; its disk is" in " ".join(told(pilot).split()))
        assert not responder.incident.runs, "counting is no command of the incident"

        await press(pilot, "l")
        await until(pilot, lambda: "begun" in shown_log(main))
        assert pilot.app.screen is main


def shown_log(main: CockpitScreen) -> str:
    pane = main.logs
    return "\n".join(pane.render_line(y).text for y in range(pane.size.height))


async def test_a_moment_from_elsewhere_is_marked_or_said_to_be_too_early(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("one", "sleep 99")
    async with watching(dockerd, tmp_path, monkeypatch, "one") as (pilot, _, main):
        container = main.containers.container()
        assert container
        now = datetime.now(UTC)
        main.open_detail(container, now - timedelta(seconds=30))
        await dialog(pilot, ContainerScreen)
        await until(pilot, lambda: "▲" in told(pilot))
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is main)
        main.open_detail(container, now - timedelta(hours=3))
        await dialog(pilot, ContainerScreen)
        await until(pilot, lambda: "where these plots begin" in told(pilot))
        assert "▲" not in told(pilot)
        dockerd.docker("rm", "-f", "one")
        await until(pilot, lambda: "It is not there any more" in told(pilot))


async def test_a_secret_of_the_environment_is_shown_on_purpose_for_a_while_and_never_written(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "SHOWN_FOR", 600.0)  # longer than a look takes
    dockerd.run("one", "sleep 99", "-e", f"DB_PASSWORD={SECRET}", "-e", "DB_HOST=db.internal")
    async with watching(dockerd, tmp_path, monkeypatch, "one") as (pilot, responder, main):
        responder.note("so that there is a journal")
        await press(pilot, "full_stop")
        await dialog(pilot, Actions)
        await until(pilot, lambda: "restart" in told(pilot))
        await press(pilot, "e")
        await dialog(pilot, Environment)
        await until(pilot, lambda: "DB_HOST      db.internal" in told(pilot))
        assert SECRET not in told(pilot)
        await press(pilot, "down", "space")
        await until(pilot, lambda: SECRET in told(pilot))
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 600.0)
        monkeypatch.setattr(environment, "time", later)
        await until(pilot, lambda: SECRET not in told(pilot))
        await press(pilot, "escape")

        for key, words in (("i", '"Config": {'), ("c", "Compose"), ("o", "Networks")):
            await until(pilot, lambda: pilot.app.screen is main)
            await press(pilot, "full_stop")
            await dialog(pilot, Actions)
            await press(pilot, key)
            if key == "c":  # of no project: said at the edge of the screen
                await until(pilot, lambda: pilot.app.screen is main)
                continue
            await dialog(pilot, Reader)
            await until(pilot, lambda words=words: words in told(pilot))  # type: ignore[misc]
            assert SECRET not in told(pilot)
            await press(pilot, "escape")
        assert responder.folder
    written = [path for path in responder.folder.rglob("*") if path.is_file()]
    assert written
    assert not any(SECRET.encode() in path.read_bytes() for path in written)


async def test_a_change_passes_the_gate_with_its_logs_saved_also_where_it_names_no_container(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("one", "echo first words; sleep 99")
    dockerd.wrote("one", "first words")
    dockerd.docker("pause", "one")
    async with watching(dockerd, tmp_path, monkeypatch, "one") as (pilot, responder, main):
        await press(pilot, "full_stop")
        await dialog(pilot, Actions)
        menu = pilot.app.screen
        assert isinstance(menu, Actions)
        assert "not now: it is not paused" not in told(pilot)
        await press(pilot, "p")  # it is paused already
        assert pilot.app.screen is menu
        await press(pilot, "P")
        await dialog(pilot, Gate)
        gate = pilot.app.screen
        assert isinstance(gate, Gate)
        assert gate.asked.intent.command == "docker unpause one"
        await until(pilot, lambda: gate._saved)
        await press(pilot, *"why", "enter", "y")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        (run,) = responder.incident.runs.values()
        assert run.exit_status == 0
        assert responder.folder
        (kept,) = (responder.folder / "evidence").glob("*logs-one*")
        assert "first words" in kept.read_text()

        def runs_again() -> bool:
            one = main.containers.container()
            return one is not None and one.state == "running"

        await until(pilot, runs_again)


async def test_nothing_is_changed_while_the_engine_does_not_answer(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("one", "sleep 99")
    async with watching(dockerd, tmp_path, monkeypatch, "one") as (pilot, responder, main):
        one = main.containers.container()
        assert one
        await press(pilot, "full_stop")
        await dialog(pilot, Actions)
        dockerd.hang()
        await until(pilot, lambda: bool(main.containers.why_stale(one)))
        await press(pilot, "r")  # offered before the engine hung
        await until(pilot, lambda: bool(said(pilot)))
        assert said(pilot).startswith("Nothing was run: What is known of")
        await press(pilot, "full_stop")
        await dialog(pilot, Actions)
        await until(pilot, lambda: "not now: what is known of it is old" in told(pilot))
        await press(pilot, "r")
        assert isinstance(pilot.app.screen, Actions)
        await press(pilot, "d")
        await dialog(pilot, ContainerScreen)
        await until(pilot, lambda: "What is known of" in told(pilot))
        assert not responder.incident.runs
        dockerd.resume()
        await until(pilot, lambda: "What is known of" not in told(pilot))


def said(pilot: Pilot[int]) -> str:
    return "\n".join(one.message for one in pilot.app._notifications)


async def test_hosts_are_marked_and_watched_beside_and_remembered(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("one", "sleep 99")
    nowhere = Host(ssh="nobody@127.0.0.1:1", docker="/run/no-docker.sock")
    config = Config(hosts={"prod-1": nowhere, "prod-2": nowhere})
    async with watching(dockerd, tmp_path, monkeypatch, "one", config=config) as (
        pilot,
        responder,
        main,
    ):
        await press(pilot, "h")
        await dialog(pilot, Hosts)
        await until(pilot, lambda: "[ ] prod-2" in told(pilot))
        await press(pilot, "down", "space")
        await until(pilot, lambda: "> [x] prod-2" in told(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: set(responder.beside) == {"prod-2"})
        one: Container | None = main.containers.container()
        assert one and one.name == "one", "a host that cannot be reached takes no row away"
        await press(pilot, "h")
        await dialog(pilot, Hosts)
        await until(pilot, lambda: "[x] prod-2" in told(pilot))
        await press(pilot, "space", "escape")
        assert set(responder.beside) == {"prod-2"}, "what was left was taken"


async def test_what_took_the_name_while_the_gate_was_open_is_not_hit(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("web", "sleep 99")
    async with watching(dockerd, tmp_path, monkeypatch, "web") as (pilot, responder, _):
        await press(pilot, "full_stop")
        await dialog(pilot, Actions)
        await press(pilot, "r")
        await dialog(pilot, Gate)
        gate = pilot.app.screen
        assert isinstance(gate, Gate)
        await until(pilot, lambda: gate._saved)
        dockerd.docker("rename", "web", "web-old")
        dockerd.run("web", "sleep 99")

        def renamed() -> bool:
            assert responder.watch
            return {row.name for row in responder.watch.snapshot.rows} == {"web", "web-old"}

        await until(pilot, renamed)
        await press(pilot, *"why", "enter", "y")
        await dialog(pilot, CockpitScreen)
        await until(pilot, lambda: "it is called web-old now" in said(pilot))
        assert not responder.incident.runs
