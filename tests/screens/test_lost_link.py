"""What a responder can do while the link is lost, through Pilot, over a real sshd and a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from cockpit.clock import moment
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.incident import RunState
from cockpit.incident.timeline import line
from cockpit.responder import Responder
from cockpit.target.target import LinkState
from screens import status
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs.choose import Choose
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from screens.dialogs.reader import Reader
from screens.status import StatusLine
from tests.lab.fixtures import StartSshd
from tests.lab.proxy import Proxy
from tests.screens.test_cockpit import dialog, press, shown, until

pytestmark = pytest.mark.anyio


BOOK = """# Disk full
## Diagnosis
```bash
echo looking; sleep {seconds}; echo seen
```
## Recovery
```bash
touch {scratch}/<FILE_NAME>
```
"""


@asynccontextmanager
async def opened(
    tmp_path: Path, sshd: StartSshd, *, seconds: int = 1, folder: Path | None = None
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen, Proxy]]:
    server = sshd(name="prod-1")
    file = tmp_path / "book.md"
    file.write_text(BOOK.format(scratch=tmp_path, seconds=seconds))
    async with Proxy("127.0.0.1", server.port) as proxy:
        config = Config(ssh_config=server.client_config(tmp_path / "ssh", proxy.port))
        responder = Responder(tmp_path / "incidents", "sam", config)
        app = CockpitApp(responder, Opening("prod-1", file, folder))
        async with app.run_test(size=(120, 40)) as pilot:
            # This machine, which it begins with, is always up.
            await until(pilot, lambda: responder.target.name == "prod-1")
            await until(pilot, lambda: responder.target.link.state is LinkState.UP)
            await until(pilot, lambda: app.main.checklist.chosen() is not None)
            await pilot.pause()
            yield pilot, responder, app.main, proxy
        await responder.close()


async def lose(pilot: Pilot[int], responder: Responder, proxy: Proxy) -> None:
    await proxy.cut()
    await until(pilot, lambda: responder.target.link.state is LinkState.LOST)


async def back(pilot: Pilot[int], responder: Responder, proxy: Proxy) -> None:
    proxy.restore()
    await press(pilot, "ctrl+r")
    await until(pilot, lambda: responder.target.link.state is LinkState.UP)


def happened(responder: Responder, kind: type[e.Event]) -> list[e.Event]:
    return [
        one.record.event for one in responder.incident.entries if type(one.record.event) is kind
    ]


def says(main: CockpitScreen, words: str) -> Callable[[], bool]:
    return lambda: words in " ".join(shown(main.checklist).split())


async def test_a_command_is_prepared_and_waits_for_the_responders_word(
    tmp_path: Path, sshd: StartSshd
) -> None:
    async with opened(tmp_path, sshd) as (pilot, responder, main, proxy):
        await press(pilot, "enter")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        await lose(pilot, responder, proxy)
        await until(pilot, lambda: "prod-1 LOST for " in str(main.query_one(StatusLine).render()))
        for width in (60, 80, 120):
            words = "".join(
                part[0] for part in status.words(responder, moment(), monotonic(), width)
            )
            assert "prod-1 LOST" in words and "retry in" in words and len(words) <= width
            assert ("LOST for" in words) == (width > 60)
        await press(pilot, "G")
        await until(pilot, says(main, "prod-1 is out of reach: enter prepares it"))
        await press(pilot, "enter")
        await dialog(pilot, Form)
        await press(pilot, *"one more", "enter")
        await until(pilot, says(main, "prepared; not sent: prod-1 is out of reach"))
        assert len(responder.incident.runs) == 1
        await back(pilot, responder, proxy)
        await until(pilot, says(main, "prepared; waits for your word"))
        # Nothing sends it by itself.
        await pilot.pause(1)
        assert len(responder.incident.runs) == 1 and not (tmp_path / "one more").exists()
        await press(pilot, "enter")
        await dialog(pilot, Gate)
        gate = pilot.app.screen
        await until(pilot, lambda: "y runs" in str(gate.query_one("#said", Static).render()))
        await press(pilot, "y")
        await until(pilot, lambda: len(responder.incident.runs) == 2)
        await until(pilot, lambda: not responder.incident.running())
        assert (tmp_path / "one more").exists()
        assert not responder.incident.prepared
        # It may have been lost once more on a machine that let it wait.
        gone, *_, came = happened(responder, e.LinkChanged)
        assert line(gone, responder.incident).startswith("Link to prod-1 lost")
        assert line(came, responder.incident).startswith("Link to prod-1 up again, after ")


async def test_what_is_prepared_can_be_dropped(tmp_path: Path, sshd: StartSshd) -> None:
    async with opened(tmp_path, sshd) as (pilot, responder, main, proxy):
        await lose(pilot, responder, proxy)
        await press(pilot, "enter")
        await until(pilot, lambda: len(responder.incident.prepared) == 1)
        await press(pilot, "x")
        await until(pilot, lambda: not responder.incident.prepared)
        await until(pilot, says(main, "enter prepares it"))
        assert not responder.incident.runs


async def test_a_stop_given_while_the_link_is_lost_is_kept(tmp_path: Path, sshd: StartSshd) -> None:
    async with opened(tmp_path, sshd, seconds=600) as (pilot, responder, main, proxy):
        await press(pilot, "enter")
        await until(pilot, lambda: "looking" in shown(main.checklist).split("seen")[-1])
        await lose(pilot, responder, proxy)
        await until(pilot, says(main, "goes on on prod-1, its output comes later"))
        await press(pilot, "x")
        await until(pilot, says(main, "stop waits for the link"))
        folder = responder.folder
        await back(pilot, responder, proxy)
        await until(pilot, lambda: not responder.incident.running())
        (run,) = responder.incident.runs.values()
        assert run.state is RunState.STOPPED
        await until(pilot, lambda: len(happened(responder, e.CommandStopped)) == 1)
        assert folder is not None


async def test_a_stop_that_waits_outlives_cockpit(tmp_path: Path, sshd: StartSshd) -> None:
    async with opened(tmp_path, sshd, seconds=600) as (pilot, responder, main, proxy):
        await press(pilot, "enter")
        await until(pilot, says(main, "running on prod-1"))
        await lose(pilot, responder, proxy)
        await press(pilot, "x")
        await until(pilot, says(main, "stop waits for the link"))
        folder = responder.folder
        await responder.close()
        proxy.restore()
        again = Responder(tmp_path / "incidents", "sam", responder.config)
        assert folder is not None
        again.take_up(folder)
        again.choose_host("prod-1")
        again.reattach()
        await until(pilot, lambda: not again.incident.running())
        (run,) = again.incident.runs.values()
        assert run.state is RunState.STOPPED
        assert len(happened(again, e.StopRequested)) == 1
        await again.close()


async def test_what_may_have_run_is_looked_at_before_it_runs_again(
    tmp_path: Path, sshd: StartSshd
) -> None:
    async with opened(tmp_path, sshd) as (pilot, responder, main, _):
        await press(pilot, "enter")
        await until(pilot, lambda: any(run.over for run in responder.incident.runs.values()))
        (run,) = responder.incident.runs.values()
        responder.log.append(e.CommandUnknown(job=run.job, why="prod-1 was restarted meanwhile."))
        await until(pilot, says(main, "UNKNOWN prod-1 was restarted meanwhile."))
        await press(pilot, "enter")
        await dialog(pilot, Choose)
        await press(pilot, "enter")  # the first look
        await dialog(pilot, Reader)
        reader = pilot.app.screen
        await until(pilot, lambda: len(responder.incident.runs) == 2)
        await until(pilot, lambda: not responder.incident.running())
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is not reader)
        await press(pilot, "enter")
        await dialog(pilot, Choose)
        await press(pilot, *"once more", "enter")
        # It only reads, and is asked about all the same.
        await dialog(pilot, Gate)
        gate = pilot.app.screen
        words = " ".join(str(part.render()) for part in gate.query(Static))
        assert "Nobody knows whether it ran" in " ".join(words.split())
        await press(pilot, "escape")
        await pilot.pause(0.2)
        assert len(responder.incident.runs) == 2
