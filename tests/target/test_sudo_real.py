"""A real sudo on the other side of a real sshd, for somebody who has to give a password."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cockpit.config import Config
from cockpit.incident.incident import RunState
from cockpit.responder import Responder
from cockpit.runs import InTerminal
from cockpit.target import guard, sudo, terminal
from cockpit.target.ssh import SshTarget
from tests.lab.fixtures import StartSshd, not_tested
from tests.lab.sshd import Account

pytestmark = [pytest.mark.anyio, pytest.mark.root]

PASSWORD = "opensesame"
ANA = Account(
    "ana",
    "$6$cockpit$Lqd51P6i0T1z/gUmCqOTTqywdJrgkjw05VIwqtQUL7Mtr4LbrN6brJg84/rUFOxVjK/"
    "jlm8cR2t1TNKJwwCSJ0",
    "ana ALL=(ALL) ALL\nana ALL=(root) NOPASSWD: /usr/bin/id",
)


@pytest.fixture
async def host(request: pytest.FixtureRequest, sshd: StartSshd) -> AsyncIterator[SshTarget]:
    """A host where ana may do all with her password, and `id` without."""
    if os.geteuid() != 0 or shutil.which("sudo") is None:
        not_tested(request, "a sudo that wants a password", ["not root, or no sudo"])
    server = sshd(account=ANA)
    target = SshTarget("prod-1", server.host, ssh_config=server.ssh_config)
    await target.open()
    await target.ready()
    yield target
    await target.close()


@pytest.fixture
async def responder(
    tmp_path: Path, host: SshTarget, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Responder]:
    # However late a busy host answers.
    monkeypatch.setattr(sudo, "_ANSWER_S", 30.0)
    monkeypatch.setattr(terminal, "_STATUS_S", 25.0)
    one = Responder(tmp_path / "incidents", "sam", Config())
    one.target = one.links.add(host)
    yield one
    await one.close()


def passed(responder: Responder, command: str) -> guard.Pass:
    asked = guard.ask(responder.intent(command))
    return guard.answer(asked, confirmed=True, typed="prod-1", reason="in a test")


@pytest.mark.parametrize(
    ("command", "wanted"), [("sudo ls /root", True), ("sudo id -un", False), ("ls", False)]
)
async def test_the_host_is_asked_whether_it_wants_a_password(
    responder: Responder, command: str, wanted: bool
) -> None:
    why = await responder.why_terminal(command)
    assert why == ("sudo on prod-1 asks for a password" if wanted else "")


async def test_a_rule_without_a_password_runs_as_a_job(responder: Responder) -> None:
    job = await responder.run(passed(responder, "sudo id -un"))
    await over(responder, job)
    assert responder.log.output_text(job) == "root\n"


async def test_what_slips_through_fails_at_once_and_is_recognised(responder: Responder) -> None:
    job = await responder.run(passed(responder, "echo before; sudo ls /root"))
    await over(responder, job)
    run = responder.incident.runs[job]
    assert (run.state, run.exit_status) == (RunState.DONE, 1)
    assert sudo.was_refused(run.tail)


async def test_the_password_is_given_in_a_terminal_and_stands_nowhere(
    responder: Responder,
) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(slave, False)

    async def hand(opened: InTerminal) -> terminal.End:
        seen = b""

        def keep(data: bytes) -> None:
            nonlocal seen
            opened.keep(data)
            if b"assword" in data and b"assword" not in seen:
                os.write(master, f"{PASSWORD}\r".encode())
            seen += data

        return await terminal.relay(
            opened.target, opened.terminal, keys=slave, screen=slave, keep=keep
        )

    try:
        async with asyncio.timeout(60):
            leave = passed(responder, "sudo sh -c 'id -un; test -t 0'")
            id = await responder.run_in_terminal(leave, hand, term="xterm", size=(80, 24))
    finally:
        os.close(master)
        os.close(slave)
    run = responder.incident.runs[id]
    assert (run.state, run.exit_status) == (RunState.DONE, 0)
    assert run.tail.endswith("\nroot")
    assert responder.folder is not None
    for file in responder.folder.rglob("*"):
        assert file.is_dir() or PASSWORD.encode() not in file.read_bytes()


async def over(responder: Responder, job: str) -> None:
    async with asyncio.timeout(60):
        while not responder.incident.runs[job].over:
            await asyncio.sleep(0.02)
