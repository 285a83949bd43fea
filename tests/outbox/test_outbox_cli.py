"""`cockpit outbox`, from a prompt."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cockpit import paths
from cockpit.cli import main
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.journal import Journal
from cockpit.incident.segments import MAIN, Segment
from cockpit.responder import Responder
from tests.outbox.flaky import Flaky


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["outbox", *arguments], catch_exceptions=False)


def configured(url: str) -> None:
    Path("cockpit.yaml").write_text(f"outbox:\n  hook: {{kind: webhook, url: '{url}'}}\n")


def incident(*texts: str, then: Callable[[Responder], None] = lambda _: None) -> Path:
    """An incident with messages that wait, left by its cockpit."""

    async def written() -> Path:
        responder = Responder(paths.incidents(), "sam", Config())
        responder.declare("API down", e.Severity.P1)
        for number, text in enumerate(texts):
            responder.log.append(
                e.MessageQueued(message=f"0MSG{number:06}", to="hook", about="update", text=text)
            )
        then(responder)
        folder = responder.folder
        await responder.close()
        assert folder
        return folder

    return asyncio.run(written())


def resolve(responder: Responder) -> None:
    responder.resolve("disk", "freed")


def test_nothing_waits() -> None:
    incident()
    listed, sent = call("list"), call("send")
    assert (listed.exit_code, listed.output) == (0, "Nothing waits to be sent.\n")
    assert (sent.exit_code, sent.output) == (0, "")


def test_what_waits_is_listed_and_sent() -> None:
    folder = incident("one", "two")
    lines = call("list").output.splitlines()
    assert lines[0].split() == ["ID", "TO", "ABOUT", "WRITTEN", "(UTC)", "INCIDENT", "STATE"]
    assert lines[1].startswith("000000  hook  update")
    assert lines[1].endswith(f"{folder.name}  waits")
    (first, _) = json.loads(call("list", "--json").output)
    assert (first["text"], first["state"], first["may_have_arrived"]) == ("one", "waiting", False)
    with Flaky() as server:
        configured(server.url)
        done = call("send")
        assert done.exit_code == 0
        assert done.output == (
            f"{folder.name}: 000000 to hook (update): sent\n"
            f"{folder.name}: 000001 to hook (update): sent\n"
        )
        assert [got.body["text"] for got in server.got] == ["one", "two"]
        assert call("send").output == ""
    assert "Nothing waits" in call("list").output
    shown = CliRunner().invoke(main, ["incident", "show", folder.name]).output
    assert "Message to hook (update): sent" in shown


def test_an_attempt_whose_end_nobody_knows_is_sent_again_with_a_mark() -> None:
    def begun(responder: Responder) -> None:
        responder.log.append(e.MessageAttempted(message="0MSG000000", attempt=1))

    folder = incident("one", then=begun)
    state = "an attempt has not ended; sent again it is marked as a possible duplicate"
    assert call("list").output.splitlines()[1].endswith(state)
    with Flaky() as server:
        configured(server.url)
        said = f"{folder.name}: 000000 to hook (update): sent, marked as a possible duplicate\n"
        assert call("send").output == said


def test_what_was_queued_when_the_disk_failed_is_listed_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr(paths, "VAR_TMP", home / "spare")
    folder = incident()
    written = Segment.write

    def write(self: Segment, bodies: Sequence[bytes]) -> None:
        if self.path.name == MAIN:
            raise OSError(errno.EIO, "the disk is dying")
        written(self, bodies)

    async def on() -> None:
        responder = Responder(paths.incidents(), "sam", Config())
        responder.take_up(folder)
        responder.log.append(e.MessageQueued(message="0MSG", to="hook", about="update", text="x"))
        assert await responder.close() == 0

    with monkeypatch.context() as patched:
        patched.setattr(Segment, "write", write)
        asyncio.run(on())
    assert b"0MSG" not in (folder / MAIN).read_bytes()
    assert "0MSG" in call("list").output


def test_what_cannot_be_sent_says_why_and_waits() -> None:
    incident("one", "two")
    done = call("send")
    assert done.exit_code == 1
    first, second = done.output.splitlines()
    assert "waits: cockpit.yaml knows no destination hook; add it there" in first
    assert second.endswith("waits: those before it go first")
    with Flaky(lambda path, body: (404, {}, b"gone")) as server:
        configured(server.url)
        done = call("send")
    assert done.exit_code == 1
    assert "failed: 127.0.0.1 answered 404 (gone)" in done.output
    assert "failed: 127.0.0.1" in call("list").output


def test_what_has_failed_before_is_named_with_how_to_get_it_off() -> None:
    incident("one", "two")
    with Flaky(lambda path, body: (403, {}, b"")) as server:
        configured(server.url)
        assert call("send").exit_code == 1
    with Flaky() as server:
        configured(server.url)
        again, listed = call("send"), call("list").output
        assert again.exit_code == 1 and not server.got
        assert "000000 to hook (update): failed: 127.0.0.1 answered 403" in again.output
        for id in ("000000", "000001"):
            assert f"To send it: cockpit outbox release {id};" in again.output
        assert "goes by a word alone: cockpit outbox release ID; else:" in listed.splitlines()[-1]
        assert call("release", "000001").exit_code == 0
        late = "out of date: a newer message of this kind (update) was sent"
        assert late in call("send").output and late in call("list").output
        assert call("cancel", "000000").exit_code == 0
        done = call("send")
        assert (done.exit_code, done.output, len(server.got)) == (0, "", 1)


def test_what_is_out_of_date_asks_and_goes_by_a_word() -> None:
    incident("one", "two", then=resolve)
    with Flaky() as server:
        configured(server.url)
        asked = call("send")
        assert asked.exit_code == 1
        assert "not sent, the incident was resolved at" in asked.output
        assert "cockpit outbox release 000000" in asked.output
        assert not server.got
        assert "asks first" in call("list").output
        done = call("release", "000000")
        assert (done.exit_code, len(server.got)) == (0, 1)
        done = call("cancel", "000001", "--reason", "old")
        assert (done.exit_code, done.output) == (0, "000001: cancelled\n")
        assert call("send").exit_code == 0
        assert len(server.got) == 1


def test_a_message_that_is_not_there() -> None:
    incident("one", "two")
    for given in ("XYZ", "0", "", "00000", "9MSG000000"):
        done = call("cancel", given)
        assert done.exit_code == 2, given
        assert f"No message {given} waits. See: cockpit outbox list" in done.output
    assert len(json.loads(call("list", "--json").output)) == 2
    incident("three")
    several = call("release", "000000")
    assert several.exit_code == 2 and "may be any of 0MSG000000, 0MSG000000" in several.output


def test_an_incident_that_is_open_elsewhere_is_left_to_it() -> None:
    folder = incident("one")
    with Flaky() as server:
        configured(server.url)
        journal = Journal.open(folder, who="ann")
        try:
            sent, cancelled = call("send"), call("cancel", "000000")
        finally:
            journal.close()
        assert sent.exit_code == 1 and "another cockpit has it open" in sent.output
        assert cancelled.exit_code == 1 and "cancel it there" in cancelled.output
        assert not server.got
        assert call("send").exit_code == 0


def test_a_mistake_in_the_configuration() -> None:
    incident("one")
    Path("cockpit.yaml").write_text("outbox:\n  hook: {kind: slack}\n")
    done = call("send")
    assert done.exit_code == 2
    assert "cockpit.yaml:2: outbox.hook must have env or command" in done.output


def test_who_leaves_is_told_what_is_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    from screens.app import _say_goodbye

    async def left(folder: Path) -> None:
        responder = Responder(paths.incidents(), "sam", Config())
        responder.take_up(folder)
        await responder.close()
        _say_goodbye(responder, 0, 0)

    asyncio.run(left(incident("one", "two")))
    assert "2 messages are not sent yet. To send without opening it: cockpit outbox send" in (
        capsys.readouterr().err
    )
    asyncio.run(left(incident()))
    assert "not sent" not in capsys.readouterr().err
