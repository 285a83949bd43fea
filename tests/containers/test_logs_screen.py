"""Logs of a real engine and of real files in the logs pane."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from screens.dialogs.container import ContainerScreen
from screens.dialogs.log_sources import LogSources
from screens.lines import Lines
from tests.containers.conftest import Dockerd
from tests.containers.test_container_screen import shown_log, told, watching
from tests.screens.test_cockpit import dialog, press, shown, until

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

PROJECT = ("--label", "com.docker.compose.project=shop")


async def test_a_project_is_followed_with_what_it_starts_later(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("db", "echo 'WARN slow query'; sleep 99", *PROJECT)
    dockerd.run("other", "echo of another project; sleep 99")
    dockerd.run("web", "echo begun; sleep 99", *PROJECT)
    async with watching(dockerd, tmp_path, monkeypatch, "db") as (pilot, responder, main):
        await until(pilot, lambda: "other" in shown(main.containers))
        await press(pilot, "L")
        await dialog(pilot, LogSources)
        await until(pilot, lambda: "> [ ] shop  Compose project" in shown(offers(pilot.app.screen)))
        await press(pilot, "enter")
        await until(pilot, lambda: "begun" in shown_log(main))
        await until(pilot, lambda: "WARN slow query" in shown_log(main))
        assert main.focused is main.logs
        await until(pilot, lambda: "A db  B web" in shown_log(main))

        dockerd.run("worker", "echo from the worker; sleep 99", *PROJECT)
        await until(pilot, lambda: "from the worker" in shown_log(main))
        await until(pilot, lambda: "A db  B web  C worker" in shown_log(main))
        assert "another project" not in shown_log(main)

        main.to_pane("containers")
        await press(pilot, "space", "down", "space", "enter")
        await until(pilot, lambda: len(responder.logs.sources) == 2)
        await until(pilot, lambda: "A " in shown_log(main) and "B " in shown_log(main))


async def test_a_service_is_followed_with_what_it_starts_later(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = (*PROJECT, "--label", "com.docker.compose.service=web")
    for number in (1, 2):
        dockerd.run(f"web-{number}", f"echo begun {number}; sleep 99", *web)
    async with watching(dockerd, tmp_path, monkeypatch, "web-1") as (pilot, _, main):
        await press(pilot, "L")
        await dialog(pilot, LogSources)
        await pilot.press(*"shop/web")
        await until(pilot, lambda: "> [ ] shop/web" in shown(offers(pilot.app.screen)))
        await press(pilot, "enter")
        await until(pilot, lambda: "begun 2" in shown_log(main))
        dockerd.run("db", "echo from the database; sleep 99", *PROJECT)
        dockerd.run("web-3", "echo begun 3; sleep 99", *web)
        await until(pilot, lambda: "begun 3" in shown_log(main))
        await until(pilot, lambda: "A web-1  B web-2  C web-3" in shown_log(main))
        assert "database" not in shown_log(main)


def offers(screen: object) -> Lines:
    assert isinstance(screen, LogSources)
    return screen.query_one("#offers", Lines)


async def test_from_a_line_to_the_plots_of_its_container_at_that_moment(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("web", "while :; do echo 'ERROR no such order'; sleep 1; done")
    async with watching(dockerd, tmp_path, monkeypatch, "web") as (pilot, _, main):
        await press(pilot, "enter")
        await until(pilot, lambda: "ERROR no such order" in shown_log(main))
        await press(pilot, "e", "p")
        await dialog(pilot, ContainerScreen)
        await until(pilot, lambda: "▲" in told(pilot))


async def test_a_file_is_merged_with_a_container_by_time(
    dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd.run("web", "while :; do echo GET /; sleep 1; done")
    file = tmp_path / "app.log"
    file.write_text("2026-01-02 03:04:05 INFO long ago\n")
    async with watching(dockerd, tmp_path, monkeypatch, "web") as (pilot, responder, main):
        container = main.containers.container()
        assert container
        host = responder.target.name
        main.follow([*main._log_of(container), responder.file_log(host, str(file))])
        await until(pilot, lambda: "GET /" in shown_log(main))
        await press(pilot, "2", "g")
        await until(pilot, lambda: "B I>2026-01-02 03:04:05 INFO long ago" in shown_log(main))
        rows = [row for row in shown_log(main).splitlines() if row[:1] in "AB" and "web" not in row]
        assert rows[0].startswith("B")
        with file.open("a") as more:
            more.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} ERROR just now\n")
        await press(pilot, "G")
        await until(pilot, lambda: "ERROR just now" in shown_log(main))
