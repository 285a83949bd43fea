"""What a login asks comes as a dialog, never over another one, and is written down nowhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from cockpit.config import Config
from cockpit.responder import Responder
from cockpit.target.target import LinkState
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs.answer import Answer
from screens.dialogs.form import Form
from tests.lab.fixtures import StartSshd
from tests.screens.test_cockpit import dialog, press, until

pytestmark = pytest.mark.anyio

PHRASE = "correct horse"


@asynccontextmanager
async def opened(
    tmp_path: Path, sshd: StartSshd
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    """A cockpit on a host whose key wants a passphrase."""
    server = sshd(name="prod-1")
    config = server.client_config(tmp_path / "ssh", server.port)
    key = tmp_path / "locked"
    shutil.copy(server.user_key, key)
    lock = ["ssh-keygen", "-q", "-p", "-P", "", "-N", PHRASE, "-f", str(key)]
    subprocess.run(lock, check=True)  # noqa: ASYNC221
    text = config.read_text().replace(str(server.user_key), str(key))
    config.write_text(text.replace("BatchMode yes", "BatchMode no"))
    responder = Responder(tmp_path / "incidents", "sam", Config(ssh_config=config))
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: responder.watch is not None)
        yield pilot, responder, app.main
    await responder.close()


def said(form: Form) -> str:
    return " ".join(" ".join(str(part.render()) for part in form.query(Static)).split())


async def form_of(pilot: Pilot[int]) -> Form:
    await dialog(pilot, Form)
    form = pilot.app.screen
    assert isinstance(form, Form)
    return form


async def test_a_passphrase_is_asked_for_and_kept_nowhere(tmp_path: Path, sshd: StartSshd) -> None:
    async with opened(tmp_path, sshd) as (pilot, responder, main):
        responder.note("Before the host is chosen")
        main.choose_host("prod-1")
        form = await form_of(pilot)
        assert "prod-1 asks" in said(form) and "locked" in said(form)
        assert form.query_one(Answer).password
        await press(pilot, *"wrong", "enter")
        await until(pilot, lambda: pilot.app.screen is not form)
        again = await form_of(pilot)
        await press(pilot, *PHRASE, "enter")
        await until(pilot, lambda: pilot.app.screen is not again)
        await until(pilot, lambda: responder.target.link.state is LinkState.UP)
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "locked":
            assert PHRASE.encode() not in file.read_bytes(), file


async def test_a_question_waits_until_no_dialog_is_open(tmp_path: Path, sshd: StartSshd) -> None:
    async with opened(tmp_path, sshd) as (pilot, responder, main):
        await press(pilot, "i")
        note = await form_of(pilot)
        main.choose_host("prod-1")
        await until(pilot, lambda: bool(main.questions))
        await until(pilot, lambda: "prod-1 asks" in str(main.query_one("#banner").render()))
        await press(pilot, *"not for the host", "enter")
        await until(pilot, lambda: pilot.app.screen is not note)
        form = await form_of(pilot)
        assert form.query_one(Answer).value == ""
        await press(pilot, "escape")
        await until(pilot, lambda: responder.target.link.state is LinkState.DOWN)
        assert "ctrl+r" in responder.target.link.reason
        # Left alone, it is asked again only at the responder's word.
        await pilot.pause(0.5)
        assert pilot.app.screen is main
        await press(pilot, "ctrl+r")
        await form_of(pilot)
