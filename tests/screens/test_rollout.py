"""A command on a group of hosts by keys: label, dry list, gate, grid; over a real sshd."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from cockpit.config import Config, Host
from cockpit.incident.rollouts import Stand
from cockpit.responder import Responder
from screens.app import CockpitApp, Opening
from screens.bars import keys_line
from screens.cockpit import CockpitScreen
from screens.dialogs.choose import Choose
from screens.dialogs.dry_list import DryList
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from screens.dialogs.host_rows import HostRows
from screens.dialogs.reader import Reader
from screens.dialogs.rollout import RolloutScreen
from tests.screens.test_cockpit import dialog, press, shown, until
from tests.target.conftest import lab, server
from tests.target.ground import Lab, Sshd

pytestmark = pytest.mark.anyio

__all__ = ["lab", "server"]

NAMES = ("web-1", "web-2", "web-3")
BOOK = """# Slow
## Diagnosis
### Step 1: Look
```bash
echo "on <host> at <PLACE>"
```
## Recovery
### Option 1: Touch
```bash
echo touching; touch {scratch}/<host>; test <host> != web-2 -o -e {scratch}/mended
```
### Option 2: Wait
```bash
sleep 60
```
"""


@asynccontextmanager
async def opened(
    lab: Lab,
    server: Sshd,
    tmp_path: Path,
    *,
    size: tuple[int, int] = (120, 40),
    dead: str = "",
    labels: tuple[str, ...] = ("web",),
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    entries = [
        f"Host {name}\n  HostName 127.0.0.1\n  Port {1 if name == dead else server.port}\n"
        f"  HostKeyAlias [127.0.0.1]:{server.port}"
        for name in NAMES
    ]
    config = Config(
        hosts={name: Host(labels=labels) for name in NAMES}, ssh_config=lab.config(*entries)
    )
    responder = Responder(tmp_path / "incidents", "sam", config)
    file = tmp_path / "book.md"
    file.write_text(BOOK.replace("{scratch}", str(tmp_path)))
    app = CockpitApp(responder, Opening(runbook=file))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: responder.runbook is not None and responder.watch is not None)
        await pilot.pause()
        yield pilot, responder, app.main
    await responder.close()


def words(pilot: Pilot[int], id: str) -> str:
    return str(pilot.app.screen.query_one(f"#{id}", Static).render())


def rows(pilot: Pilot[int]) -> list[str]:
    return shown(pilot.app.screen.query_one(HostRows)).split("\n")


async def to_the_dry_list(pilot: Pilot[int], main: CockpitScreen, step: str) -> None:
    """P on the first command of a step, then the only label."""
    while f"> [ ] {step}" not in shown(main.checklist) and (
        f"> ( ) {step}" not in shown(main.checklist)
    ):
        await press(pilot, "j")
    await press(pilot, "P")
    await dialog(pilot, Choose)
    await press(pilot, "enter")


async def answers(pilot: Pilot[int]) -> None:
    """Waits until every host of the dry list is known."""
    await dialog(pilot, DryList)
    screen = pilot.app.screen
    assert isinstance(screen, DryList)
    await until(pilot, lambda: screen.reach.settled)
    await until(pilot, lambda: "connecting" not in words(pilot, "title"))


async def ended(pilot: Pilot[int]) -> list[str]:
    screen = pilot.app.screen
    assert isinstance(screen, RolloutScreen)
    live = screen.responder.rollouts[screen.rollout]
    await until(pilot, lambda: live.ended)
    screen._draw()  # now, not by its clock: the hosts are done before the rollout is
    await pilot.pause()
    return [state.stand.value for state in live.states]


async def test_a_read_needs_only_enter_on_the_dry_list(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path) as (pilot, responder, main):
        await to_the_dry_list(pilot, main, "Step 1")
        await dialog(pilot, Form)
        await press(pilot, *"here", "enter")
        await answers(pilot)
        assert "3 of 3 hosts" in words(pilot, "title")
        found = rows(pilot)
        assert found[0].startswith("> [1] web-1  ")
        assert found[1].startswith("  [x] web-2  ")
        assert found[2].endswith('$ echo "on web-3 at here"')
        assert not responder.incident.rollouts
        await press(pilot, "enter")
        await dialog(pilot, RolloutScreen)
        assert await ended(pilot) == ["ok"] * 3
        assert words(pilot, "counts").strip() == "+ 3 ok"
        assert words(pilot, "map").strip() == "+++"
        assert "It worked on every host" in words(pilot, "said")
        await until(pilot, lambda: "on web-2 at here" in rows(pilot)[1])
        await press(pilot, "j", "enter")
        await dialog(pilot, Reader)
        await press(pilot, "escape", "escape")
        await until(pilot, lambda: "on web: 3 ok" in shown(main.checklist))
        await until(pilot, lambda: "Run on web done: ok on 3 of 3" in shown(main.timeline))
        await until(pilot, lambda: all(responder.links.of(name) is None for name in NAMES))


async def test_a_change_wants_the_number_and_asks_after_the_first(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path) as (pilot, responder, main):
        await to_the_dry_list(pilot, main, "Option 1")
        await answers(pilot)
        assert "web-1 alone, then asks" in words(pilot, "how")
        await press(pilot, "enter")
        await dialog(pilot, Gate)
        await press(pilot, *"hurry", "enter")
        await press(pilot, *"2", "enter")
        assert isinstance(pilot.app.screen, Gate)
        assert not responder.incident.rollouts
        await press(pilot, "backspace", *"3", "enter")
        await dialog(pilot, RolloutScreen)
        await until(pilot, lambda: "web-1 worked" in words(pilot, "said"))
        await until(pilot, lambda: "│ touching" in rows(pilot)[1])
        assert [path.name for path in tmp_path.glob("web-*")] == ["web-1"]
        (rollout,) = responder.rollouts.values()
        await until(pilot, lambda: pilot.app.screen.query_one(HostRows).ready_at is not None)
        await press(pilot, "enter")
        assert await ended(pilot) == ["ok", "failed", "ok"]
        assert "Failed: web-2 (exit 1)" in words(pilot, "said")
        assert "X 1 FAILED" in words(pilot, "counts")
        (tmp_path / "mended").touch()
        await press(pilot, "n")
        assert rows(pilot)[1].startswith("> !! web-2")
        await press(pilot, "r")
        await answers(pilot)
        assert "1 of 1 host" in words(pilot, "title")
        await press(pilot, "enter")
        await dialog(pilot, Gate)
        await press(pilot, *"mended", "enter", *"1", "enter")
        await dialog(pilot, RolloutScreen)
        assert await ended(pilot) == ["ok"]
        again = list(responder.incident.rollouts.values())[-1]
        assert again.asked.retries == rollout.id
        assert len(responder.incident.runs) == 4


async def test_a_host_out_of_reach_is_said_and_left_out_before_anything_is_sent(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path, dead="web-2") as (pilot, responder, main):
        await to_the_dry_list(pilot, main, "Step 1")
        await dialog(pilot, Form)
        await press(pilot, *"x", "enter")
        await answers(pilot)
        assert "2 of 3 hosts · 1 OUT OF REACH" in words(pilot, "title")
        assert "[ ] web-2  OUT OF REACH: web-2: 127.0.0.1:1 refuses" in rows(pilot)[1]
        await press(pilot, "j", "space")
        assert "web-2 cannot be reached" in words(pilot, "said")
        await press(pilot, "j", "space")
        assert "1 of 3 hosts" in words(pilot, "title")
        assert "left out" in rows(pilot)[2]
        await press(pilot, "enter")
        await dialog(pilot, RolloutScreen)
        assert await ended(pilot) == ["ok"]
        (rolled,) = responder.incident.rollouts.values()
        assert rolled.asked.left_out == ("web-2", "web-3")
        assert {run.asked.host for run in responder.incident.runs.values()} == {"web-1"}


async def test_enter_before_the_dry_list_is_there_runs_nothing(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path) as (pilot, responder, main):
        await to_the_dry_list(pilot, main, "Step 1")
        await dialog(pilot, Form)
        await press(pilot, *"x")
        for _ in range(3):
            pilot.app.simulate_key("enter")
        await answers(pilot)
        assert isinstance(pilot.app.screen, DryList)
        assert not responder.incident.rollouts
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is main)
        assert not responder.incident.runs


async def test_how_it_goes_is_changed_in_the_dry_list(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path) as (pilot, _, main):
        await to_the_dry_list(pilot, main, "Option 1")
        await answers(pilot)
        assert "then 2 at a time" in words(pilot, "how")
        await press(pilot, *["minus"] * 4, "greater_than_sign", "a")
        assert "then goes on by itself where it worked" in words(pilot, "how")
        assert "then 1 at a time" in words(pilot, "how")
        assert "stops at 2 failures" in words(pilot, "how")
        await press(pilot, "o")
        await dialog(pilot, Reader)


async def test_a_rollout_goes_on_when_it_is_left_and_is_stopped_later(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path, size=(60, 20)) as (pilot, responder, main):
        await to_the_dry_list(pilot, main, "Option 2")
        await answers(pilot)
        await press(pilot, "enter")
        await dialog(pilot, RolloutScreen)
        await until(pilot, lambda: "> 1 running" in words(pilot, "counts"))
        assert words(pilot, "keys-here").strip().endswith("esc back")
        await press(pilot, "escape")
        await dialog(pilot, CockpitScreen)
        await until(pilot, lambda: "On web: 1 running" in words(pilot, "banner"))
        await press(pilot, "P")
        await dialog(pilot, RolloutScreen)
        await press(pilot, "x")
        assert await ended(pilot) == ["stopped", "not run", "not run"]
        assert not responder.incident.running()


async def test_an_ended_rollout_is_shown_from_the_timeline(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path) as (pilot, responder, main):
        await to_the_dry_list(pilot, main, "Step 1")
        await dialog(pilot, Form)
        await press(pilot, *"x", "enter")
        await answers(pilot)
        await press(pilot, "enter")
        await dialog(pilot, RolloutScreen)
        await ended(pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: "Run on web done" in shown(main.timeline))
        await press(pilot, "4", "G", "enter")
        await dialog(pilot, RolloutScreen)
        assert words(pilot, "counts").strip() == "+ 3 ok"
        responder.rollouts.clear()  # as after a restart of cockpit
        await pilot.pause(0.5)
        assert words(pilot, "counts").strip() == "+ 3 ok"


async def test_without_labels_it_says_how_to_write_one(
    lab: Lab, server: Sshd, tmp_path: Path
) -> None:
    async with opened(lab, server, tmp_path, labels=()) as (pilot, _, main):
        await press(pilot, "P")
        await until(pilot, lambda: len(pilot.app._notifications) > 0)
        (said,) = [notice.message for notice in pilot.app._notifications]
        assert "labels: [web]" in said
        assert pilot.app.screen is main


def test_the_last_key_is_always_named() -> None:
    assert keys_line(["enter goes on", "o command", "esc leaves"], 30) == (
        " enter goes on · esc leaves"
    )
    assert keys_line(["enter goes on", "esc leaves"], 5) == " esc leaves"


def test_every_stand_has_a_sign_and_a_word_of_its_own() -> None:
    from screens.dialogs.rollout import _SIGNS

    assert set(_SIGNS) == set(Stand)
    assert len({word for _, _, _, word in _SIGNS.values()}) == len(Stand)
