"""What a login asks, answered in cockpit: passphrases, passwords, codes; and never by surprise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cockpit.config import Config, Host
from cockpit.incident.events import Severity
from cockpit.responder import Responder
from cockpit.target import guard, ssh_race
from cockpit.target.ssh_ask import AnswerNeeded, Questions
from cockpit.target.target import LinkState
from tests import processes
from tests.lab.fixtures import StartSshd, not_tested
from tests.lab.proxy import Proxy
from tests.lab.sshd import Sshd, descendants
from tests.target.ground import keygen, until
from tests.target.login_ground import (
    BY_BOTH,
    BY_CODE,
    BY_PASSWORD,
    PASSWORD,
    Person,
    code,
    config,
    down,
    linked,
    missing,
    says,
    up,
)

pytestmark = pytest.mark.anyio

StartProxy = Callable[[int], Awaitable[Proxy]]


@pytest.fixture
async def way() -> AsyncIterator[StartProxy]:
    """Starts proxies in front of servers."""
    async with contextlib.AsyncExitStack() as started:
        yield lambda port: started.enter_async_context(Proxy("127.0.0.1", port))


@pytest.fixture
def locked(sshd: StartSshd, tmp_path: Path) -> tuple[Sshd, Path]:
    """A server, and a key with the passphrase that it lets in."""
    key = keygen(tmp_path / "locked", passphrase="tell nobody")
    return sshd(user_key=key), key


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No answer of any test here may be in any log, however talkative it is."""
    caplog.set_level(logging.DEBUG)
    yield
    text = caplog.text
    for secret in ("tell nobody", PASSWORD, *map(code, range(6))):
        assert secret not in text


# -- the passphrase of a key -----------------------------------------------------------------------


async def test_a_passphrase_is_asked_once_and_not_when_the_link_mends_itself(
    locked: tuple[Sshd, Path], way: StartProxy
) -> None:
    server, key = locked
    proxy = await way(server.port)
    sam = Person(["tell nobody"])
    async with linked(config(server, f"IdentityFile {key}", port=proxy.port), sam) as target:
        await up(target)
        assert await says(target) == "hello\n"
        assert [question.prompt for question in sam.asked] == [f"Passphrase of the key {key}"]
        assert sam.asked[0].secret
        await proxy.drop()
        await until(lambda: target.link.state is LinkState.LOST)
        await up(target)
        assert len(sam.asked) == 1


async def test_a_passphrase_is_asked_only_where_the_key_would_do(
    locked: tuple[Sshd, Path], tmp_path: Path
) -> None:
    server, key = locked
    other = keygen(tmp_path / "other", passphrase="of another")
    sam = Person(["tell nobody"])
    lines = (f"IdentityFile {other}", f"IdentityFile {key}")
    async with linked(config(server, *lines), sam) as target:
        await up(target)
    assert [question.prompt for question in sam.asked] == [f"Passphrase of the key {key}"]


async def test_a_wrong_passphrase_is_asked_again_and_three_are_enough(
    locked: tuple[Sshd, Path],
) -> None:
    server, key = locked
    sam = Person(["one", "tell nobody"])
    async with linked(config(server, f"IdentityFile {key}"), sam) as target:
        await up(target)
        assert sam.asked[1].prompt == f"Wrong, try 2 of 3. Passphrase of the key {key}"
    sam = Person(["one", "two", "three", "tell nobody"])
    async with linked(config(server, f"IdentityFile {key}"), sam) as target:
        said = await down(target)
        assert said == (
            f"prod-1: the passphrase of the key {key} was wrong 3 times. Press ctrl+r to be asked"
            " again"
        )
        assert len(sam.asked) == 3
        target.retry_now()
        await up(target)


async def test_giving_up_ends_the_login_and_ctrl_r_asks_again(locked: tuple[Sshd, Path]) -> None:
    server, key = locked
    sam = Person([None, "tell nobody"])
    async with linked(config(server, f"IdentityFile {key}"), sam) as target:
        said = await down(target)
        assert said == (
            f"prod-1: the passphrase of the key {key} was asked for and not given. Press ctrl+r to"
            f" be asked again, or give it to the agent: ssh-add {key}"
        )
        await asyncio.sleep(0.5)
        assert len(sam.asked) == 1
        target.retry_now()
        await up(target)
        assert len(sam.asked) == 2


async def test_an_old_key_file_that_hides_its_public_half_is_asked_for_too(
    sshd: StartSshd, tmp_path: Path
) -> None:
    key = tmp_path / "old"
    words = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N"]
    await asyncio.to_thread(subprocess.run, [*words, "tell nobody", "-f", str(key)], check=True)
    server = sshd(user_key=key)
    key.with_name("old.pub").unlink()
    sam = Person(["tell nobody"])
    async with linked(config(server, f"IdentityFile {key}"), sam) as target:
        await up(target)
        assert len(sam.asked) == 1


async def test_where_nobody_is_to_be_asked_the_login_says_what_it_wants(
    locked: tuple[Sshd, Path],
) -> None:
    server, key = locked
    sam = Person(["tell nobody"])
    wanted = f"the key {key} asks for a passphrase: ssh-add {key}, then press ctrl+r"
    async with linked(config(server, f"IdentityFile {key}"), None) as target:
        assert wanted in await down(target)
    async with linked(config(server, f"IdentityFile {key}", batch=True), sam) as target:
        assert wanted in await down(target)
    assert sam.asked == []


# -- passwords and codes ---------------------------------------------------------------------------


@pytest.fixture
def pam(request: pytest.FixtureRequest, sshd: StartSshd) -> StartSshd:
    """Starts servers whose accounts have passwords and codes."""
    if reasons := missing():
        not_tested(request, "logins with passwords and one-time codes", reasons)
    return sshd


ASKS = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no"


@pytest.mark.root
async def test_a_password_is_asked_until_it_is_right_and_kept_for_the_link(
    pam: StartSshd, way: StartProxy
) -> None:
    server = pam(account=BY_PASSWORD, extra_config="PasswordAuthentication yes")
    proxy = await way(server.port)
    sam = Person(["wrong", PASSWORD])
    async with linked(config(server, port=proxy.port), sam) as target:
        await up(target)
        assert [question.prompt for question in sam.asked] == [
            "Password of ana at 127.0.0.1",
            "Wrong, try 2 of 3. Password of ana at 127.0.0.1",
        ]
        await proxy.drop()
        await until(lambda: target.link.state is LinkState.LOST)
        await up(target)
        assert len(sam.asked) == 2


@pytest.mark.root
async def test_three_wrong_passwords_end_the_login(pam: StartSshd) -> None:
    server = pam(account=BY_PASSWORD, extra_config="PasswordAuthentication yes")
    sam = Person(["a", "b", "c", PASSWORD])
    async with linked(config(server), sam) as target:
        assert await down(target) == (
            "prod-1: 3 answers were wrong. Press ctrl+r to be asked again"
        )
        assert len(sam.asked) == 3
        target.retry_now()
        await up(target)


@pytest.mark.root
async def test_a_one_time_code_is_asked_again_only_after_ctrl_r(
    pam: StartSshd, way: StartProxy
) -> None:
    server = pam(account=BY_CODE, extra_config=ASKS)
    proxy = await way(server.port)
    sam = Person(["000000", code(0), code(1)])
    async with linked(config(server, port=proxy.port), sam) as target:
        await up(target)
        assert "One-time password" in sam.asked[0].prompt
        assert sam.asked[1].prompt.startswith("Wrong, try 2 of 3. ana at 127.0.0.1: ")
        await proxy.drop()
        said = await down(target)
        assert said == (
            "prod-1 asks for a password or a one-time code. Press ctrl+r to be asked for it"
        )
        await asyncio.sleep(1)
        assert len(sam.asked) == 2
        target.retry_now()
        await up(target)
        assert len(sam.asked) == 3
        assert await says(target) == "hello\n"


async def test_an_attempt_that_was_overtaken_neither_asks_nor_fails() -> None:
    """The race cancels it, where the one that asked is let in: which may take a moment still."""
    sam = Person(["1", "2"])
    questions = Questions("prod-1", sam)
    with questions.exam() as slow:
        with questions.exam() as first:
            assert await first.answer("Code:", what="a code") == "1"
        overtaken = asyncio.create_task(slow.answer("Code:", what="a code"))
        await asyncio.wait([overtaken], timeout=0.1)
        assert not overtaken.done()
        overtaken.cancel()
        await asyncio.wait([overtaken])
    with questions.exam() as next_one, pytest.raises(AnswerNeeded, match=r"Press ctrl\+r"):
        await next_one.answer("Code:", what="a code")
    assert len(sam.asked) == 1


@pytest.mark.root
async def test_a_silent_link_asks_for_nothing_and_the_old_connection_may_come_back(
    pam: StartSshd,
) -> None:
    server = pam(account=BY_CODE, extra_config=ASKS)
    sam = Person([code(0)])
    async with linked(config(server), sam) as target:
        await up(target)
        channel = await target.shell()
        assert server._process is not None
        session = descendants(server._process.pid, "sshd")
        processes.tell(session, signal.SIGSTOP)
        try:
            # The new login reaches the server, which asks; the old one is silent.
            await until(lambda: "Press ctrl+r" in target.link.reason)
            assert target.link.state is LinkState.DOWN
        finally:
            processes.tell(session, signal.SIGCONT)
        await until(lambda: target.link.state is LinkState.UP)
        channel.stdin.write(b"echo still here\n")
        assert await channel.stdout.readline() == b"still here\n"
        channel.close()
        assert len(sam.asked) == 1


@pytest.mark.root
async def test_a_password_and_a_code_are_asked_one_after_the_other(pam: StartSshd) -> None:
    server = pam(account=BY_BOTH, extra_config=ASKS)
    sam = Person([PASSWORD, code(0)])
    async with linked(config(server), sam) as target:
        await up(target)
        first, second = (question.prompt for question in sam.asked)
        assert first == "ana at 127.0.0.1: Password:"
        assert "One-time password" in second


@pytest.mark.root
async def test_a_key_and_a_code_both_open_the_door(pam: StartSshd) -> None:
    extra = f"{ASKS}\nAuthenticationMethods publickey,keyboard-interactive"
    server = pam(account=BY_CODE, extra_config=extra)
    sam = Person([code(0)])
    async with linked(config(server, f"IdentityFile {server.user_key}"), sam) as target:
        await up(target)
        assert len(sam.asked) == 1


@pytest.mark.root
async def test_a_jump_host_may_ask_as_well(pam: StartSshd) -> None:
    bastion = pam(account=BY_CODE, extra_config=ASKS)
    server = pam()
    path = config(server, f"IdentityFile {server.user_key}", "ProxyJump bastion")
    path.write_text(path.read_text() + config(bastion, name="bastion").read_text())
    sam = Person([code(0)])
    async with linked(path, sam) as target:
        await up(target)
        assert await says(target, "echo $HOME\n") == f"{server.home}\n"
    assert len(sam.asked) == 1


@pytest.mark.root
async def test_no_timeout_of_ours_runs_while_a_question_waits(pam: StartSshd) -> None:
    server = pam(account=BY_CODE, extra_config=ASKS)
    sam = Person([code(0)], delay=9)
    async with linked(config(server, "ConnectTimeout 6"), sam) as target:
        await up(target)
        # Attempts are made every few seconds; while one asks, no other may ask the same.
        assert len(sam.asked) == 1


async def test_attempts_that_were_begun_before_one_asked_do_not_ask_as_well(
    locked: tuple[Sshd, Path], way: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a link so slow that the next attempts begin before the first one asks."""
    monkeypatch.setattr(ssh_race, "RETRY_S", (0.3, 0.3))
    server, key = locked
    proxy = await way(server.port)
    proxy.delay(150)
    sam = Person(["tell nobody", None], delay=1)
    async with linked(config(server, f"IdentityFile {key}", port=proxy.port), sam) as target:
        await until(lambda: sam.asked)
        assert proxy.accepted > 1
        await up(target)
        assert len(sam.asked) == 1


@pytest.mark.root
async def test_attempts_that_were_begun_before_one_asked_want_no_second_code(
    pam: StartSshd, way: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_race, "RETRY_S", (0.3, 0.3))
    server = pam(account=BY_CODE, extra_config=ASKS)
    proxy = await way(server.port)
    proxy.delay(150)
    sam = Person(["000000", code(0), None], delay=1)
    async with linked(config(server, port=proxy.port), sam) as target:
        await until(lambda: sam.asked)
        assert proxy.accepted > 1
        await up(target)
        assert len(sam.asked) == 2


@pytest.mark.root
async def test_a_server_that_loses_patience_is_told_and_the_question_withdrawn(
    pam: StartSshd,
) -> None:
    server = pam(account=BY_CODE, extra_config=f"{ASKS}\nLoginGraceTime 2")
    sam = Person([code(0)], delay=60)
    async with linked(config(server), sam) as target:
        said = await down(target)
        assert "hung up while a question waited for its answer (LoginGraceTime there)" in said
        assert said.endswith("Press ctrl+r to be asked again")
        assert (len(sam.asked), sam.withdrawn) == (1, 1)


@pytest.mark.root
async def test_where_nobody_can_be_asked_a_code_is_named(pam: StartSshd) -> None:
    server = pam(account=BY_CODE, extra_config=ASKS)
    async with linked(config(server), None) as target:
        assert "a password or a one-time code cannot be asked for here" in await down(target)


# -- nothing of it is kept -------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.parametrize("transport", ["", "openssh"])
async def test_no_answer_is_ever_on_disk(pam: StartSshd, tmp_path: Path, transport: str) -> None:
    server = pam(account=BY_BOTH, extra_config=ASKS)
    sam = Person(["a wrong answer", code(0), PASSWORD, code(1)])
    hosts = {"prod-1": Host(transport=transport)}
    one = Responder(tmp_path / "home", "sam", Config(hosts=hosts, ssh_config=config(server)))
    one.links.asker = sam
    one.declare("a test", Severity.P2)
    target = one.choose_host("prod-1")
    await up(target)  # type: ignore[arg-type]
    leave = guard.answer(guard.ask(one.intent("echo in")), confirmed=True, typed="prod-1")
    job = await one.run(leave)
    await until(lambda: one.incident.runs[job].over)
    assert one.log.output_text(job) == "in\n"
    await one.close()
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert any(path.name == "journal.jsonl" for path in files)
    kept = b"".join(path.read_bytes() for path in files)
    for secret in ("a wrong answer", PASSWORD, code(0), code(1)):
        assert secret.encode() not in kept
    assert len(sam.asked) == 4
