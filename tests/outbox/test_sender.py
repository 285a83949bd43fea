"""What waits goes out: in order, at least once, marked where it may have arrived before."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cockpit.config import Config, Destination
from cockpit.incident import events as e
from cockpit.incident.outgoing import Outgoing, Way
from cockpit.incident.timeline import line
from cockpit.outbox import sender
from cockpit.responder import Responder
from tests.lab.fixtures import not_tested
from tests.lab.ports import free_port
from tests.outbox.flaky import Flaky
from tests.outbox.mails import Inbox, serving

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE", 0.05)
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


def hook(url: str, **more: Any) -> Config:
    return Config(outbox={"hook": Destination(kind="webhook", url=url, **more)})


def responder(home: Path, config: Config, **more: Any) -> Responder:
    made = Responder(home, "sam", config, **more)
    made.declare("API down", e.Severity.P0, "api")
    return made


def messages(one: Responder) -> list[Outgoing]:
    return list(one.incident.outbox.values())


async def until(found: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not found():
            await asyncio.sleep(0.01)


async def sent(one: Responder) -> None:
    await until(lambda: all(message.way is Way.SENT for message in messages(one)))


async def test_a_message_goes_out_by_itself_and_the_timeline_says_so(tmp_path: Path) -> None:
    with Flaky() as server:
        at_work = responder(tmp_path, hook(f"{server.url}/in"))
        at_work.tell("We are on it.", "acknowledged", to=["hook"])
        await sent(at_work)
        (one,) = messages(at_work)
        (got,) = server.got
        await at_work.close()
    assert got.path == "/in"
    assert got.headers["Idempotency-Key"] == one.id == got.body["id"]
    assert got.body["text"] == "We are on it."
    assert (got.body["title"], got.body["severity"]) == ("API down", "P0")
    assert got.body["possible_duplicate"] is False
    assert got.body["incident"] == at_work.incident.id
    kinds = [type(entry.record.event) for entry in at_work.incident.entries]
    assert e.MessageSent in kinds and e.MessageAttempted not in kinds


async def test_the_attempt_is_on_disk_before_the_request(tmp_path: Path) -> None:
    seen: list[bool] = []

    def answer(path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        folder = at_work.folder
        assert folder
        seen.append('"message.attempted"' in (folder / "journal.jsonl").read_text())
        return 200, {}, b""

    with Flaky(answer) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("hello", to=["hook"])
        await sent(at_work)
        await at_work.close()
    assert seen == [True]


@pytest.mark.parametrize("first", [None, (500, {}, b"oops"), (503, {}, b"")])
async def test_what_may_have_arrived_is_marked_when_it_goes_again(
    tmp_path: Path, first: tuple[int, dict[str, str], bytes] | None
) -> None:
    answers = [first, (200, {}, b"ok")]
    with Flaky(lambda path, body: answers.pop(0)) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("one", to=["hook"])
        await sent(at_work)
        texts = [got.body["text"] for got in server.got]
        ids = {got.headers["Idempotency-Key"] for got in server.got}
        await at_work.close()
    assert texts == ["one", "(possible duplicate) one"]
    assert len(ids) == 1


async def test_a_refusal_of_what_may_have_arrived_before_says_so(tmp_path: Path) -> None:
    answers: list[tuple[int, dict[str, str], bytes] | None] = [None, (409, {}, b"known already")]
    with Flaky(lambda path, body: answers.pop(0)) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("one", to=["hook"])
        await until(lambda: messages(at_work)[0].way is Way.FAILED)
        assert line(at_work.incident.entries[-1].record.event, at_work.incident) == (
            "Message to hook (update): not known whether it arrived, not tried again:"
            " 127.0.0.1 answered 409 (known already)"
        )
        await at_work.close()


async def test_what_was_refused_or_never_left_is_not_marked(tmp_path: Path) -> None:
    answers = [(429, {"Retry-After": "0"}, b"slow down"), (200, {}, b"ok")]
    with Flaky(lambda path, body: answers.pop(0)) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("one", to=["hook"])
        await sent(at_work)
        assert [got.body["text"] for got in server.got] == ["one", "one"]
        await at_work.close()


async def test_order_is_kept_for_a_destination_and_others_go_on(tmp_path: Path) -> None:
    down = [True]

    def answer(path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        return (429, {}, b"") if path == "/a" and down[0] else (200, {}, b"")

    with Flaky(answer) as server:
        config = Config(
            outbox={
                name: Destination(kind="webhook", url=f"{server.url}/{name}") for name in ("a", "b")
            }
        )
        at_work = responder(tmp_path, config)
        for number in range(4):
            at_work.tell(f"n{number}", to=["a", "b"])
        await until(lambda: sum(one.way is Way.SENT for one in messages(at_work)) == 4)
        await until(lambda: any(got.path == "/a" for got in server.got))
        assert {got.body["text"] for got in server.got if got.path == "/a"} == {"n0"}
        down[0] = False
        at_work.send_now()
        await sent(at_work)
        for path in ("/a", "/b"):
            taken = [g.body["text"] for g in server.got if g.path == path and g.accepted]
            assert taken == ["n0", "n1", "n2", "n3"]
        await at_work.close()


async def test_a_final_failure_says_why_and_holds_back_nothing(tmp_path: Path) -> None:
    def answer(path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        return (404, {}, b"no_service") if body["text"] == "first" else (200, {}, b"")

    with Flaky(answer) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("first", to=["hook"])
        at_work.tell("second", to=["hook"])
        await until(lambda: not any(one.waits for one in messages(at_work)))
        first, second = messages(at_work)
        assert (first.way, second.way) == (Way.FAILED, Way.SENT)
        assert "404 (no_service)" in first.why
        assert first.why.endswith("correct outbox.hook.url in cockpit.yaml")
        assert len(server.got) == 2
        server.answer = lambda path, body: (200, {}, b"")
        assert at_work.release(first.id)
        await sent(at_work)
        assert server.got[-1].body["text"] == "first"
        assert not at_work.release(first.id) and not at_work.cancel(first.id)
        await at_work.close()


async def test_retry_after_is_honoured_also_by_the_next_cockpit(tmp_path: Path) -> None:
    with Flaky(lambda path, body: (429, {"Retry-After": "3600"}, b"")) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("one", to=["hook"])
        await until(lambda: messages(at_work)[0].wait)
        at_work.send_now()
        await asyncio.sleep(0.3)
        assert len(server.got) == 1
        folder = at_work.folder
        await at_work.close()
        assert folder
        again = Responder(tmp_path, "sam", hook(server.url))
        again.take_up(folder)
        again.reattach()
        await asyncio.sleep(0.3)
        await again.drain()
        assert len(server.got) == 1
        assert messages(again)[0].waits
        await again.close()


async def test_without_a_network_it_waits_says_so_once_and_goes_later(tmp_path: Path) -> None:
    port = free_port()
    at_work = responder(tmp_path, hook(f"http://127.0.0.1:{port}"))
    at_work.tell("one", to=["hook"])
    await until(lambda: messages(at_work)[0].attempts > 2)
    (one,) = messages(at_work)
    assert one.why == "no connection to 127.0.0.1 (Connection refused)"
    assert not one.ambiguous
    failed = [x for x in at_work.incident.entries if isinstance(x.record.event, e.MessageFailed)]
    assert len(failed) == 1, "the same again is no news"
    with Flaky() as server:
        # Somebody listens now, if at another port.
        at_work.config.outbox["hook"] = Destination(kind="webhook", url=server.url)
        at_work.send_now()
        await sent(at_work)
        assert [got.body["text"] for got in server.got] == ["one"]
    await at_work.close()


async def test_the_sender_hears_that_the_network_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Callable[[], None]] = []
    monkeypatch.setattr(sender, "FIRST_PAUSE", 600.0)
    monkeypatch.setattr(sender, "LONGEST_PAUSE", 600.0)

    def watch(listener: Callable[[], None]) -> Callable[[], None]:
        heard.append(listener)
        return lambda: None

    monkeypatch.setattr("cockpit.target.network.watch", watch)
    answers: list[tuple[int, dict[str, str], bytes]] = [(429, {}, b""), (200, {}, b"")]
    with Flaky(lambda path, body: answers.pop(0)) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("one", to=["hook"])
        await until(lambda: messages(at_work)[0].why)
        heard[0]()
        await sent(at_work)
        await at_work.close()


async def test_a_crash_in_the_middle_makes_the_next_attempt_say_so(tmp_path: Path) -> None:
    with Flaky() as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.log.training = True  # so that nothing goes yet
        at_work.tell("one", to=[])
        at_work.log.append(e.MessageQueued(message="M1", to="hook", about="update", text="one"))
        at_work.log.append(e.MessageAttempted(message="M1", attempt=1))
        folder = at_work.folder
        await at_work.close()
        assert folder
        again = Responder(tmp_path, "sam", hook(server.url))
        again.take_up(folder)
        again.reattach()
        await sent(again)
        assert [got.body["text"] for got in server.got] == ["(possible duplicate) one"]
        await again.close()


async def test_a_training_sends_nothing_and_says_so(tmp_path: Path) -> None:
    with Flaky() as server:
        at_work = responder(tmp_path, hook(server.url), training=True)
        at_work.tell("one", to=["hook"])
        at_work.send_now()
        await at_work.drain()
        (one,) = messages(at_work)
        assert one.way is Way.CANCELLED and "training" in one.why
        await at_work.close()
        assert not server.got


async def test_what_is_out_of_date_waits_for_a_word_and_the_rest_goes(tmp_path: Path) -> None:
    at_work = responder(tmp_path, hook(f"http://127.0.0.1:{free_port()}"))
    at_work.tell("we look", "update", to=["hook"])
    await until(lambda: messages(at_work)[0].why)
    at_work.resolve("disk", "freed")
    with Flaky() as server:
        at_work.config.outbox["hook"] = Destination(kind="webhook", url=server.url)
        at_work.tell("it is over", "resolved", to=["hook"])
        await until(lambda: messages(at_work)[1].way is Way.SENT)
        old, _ = messages(at_work)
        assert old.waits
        assert [got.body["text"] for got in server.got] == ["it is over"]
        assert at_work.release(old.id)
        await sent(at_work)
        assert server.got[-1].body["text"] == "we look"
    await at_work.close()


async def test_a_cancelled_message_is_not_sent(tmp_path: Path) -> None:
    at_work = responder(tmp_path, hook(f"http://127.0.0.1:{free_port()}"))
    at_work.tell("wrong channel", to=["hook"])
    await until(lambda: messages(at_work)[0].why)
    assert at_work.cancel(messages(at_work)[0].id, "wrong channel")
    with Flaky() as server:
        at_work.config.outbox["hook"] = Destination(kind="webhook", url=server.url)
        at_work.send_now()
        at_work.tell("right", to=["hook"])
        await until(lambda: messages(at_work)[1].way is Way.SENT)
        assert [got.body["text"] for got in server.got] == ["right"]
    assert messages(at_work)[0].way is Way.CANCELLED
    await at_work.close()


@pytest.mark.parametrize("how", ["cancelled", "resolved"])
async def test_what_is_decided_while_the_secret_is_read_counts(tmp_path: Path, how: str) -> None:
    with Flaky() as server:
        asks = f"echo >{tmp_path}/asked; while ! [ -e {tmp_path}/go ]; do sleep 0.02; done; echo x"
        at_work = responder(tmp_path, hook(server.url, command=asks))
        at_work.tell("one", to=["hook"])
        await until((tmp_path / "asked").exists)
        if how == "cancelled":
            assert at_work.cancel(messages(at_work)[0].id)
        else:
            at_work.resolve("disk", "freed")
        (tmp_path / "go").touch()
        at_work.tell("two", "resolved", to=["hook"])
        await until(lambda: messages(at_work)[1].way is Way.SENT)
        assert [got.body["text"] for got in server.got] == ["two"]
        assert messages(at_work)[0].attempts == 0
        await at_work.close()


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with Flaky() as other:
        with Flaky(lambda path, body: (307, {"Location": f"{other.url}/x"}, b"")) as server:
            at_work = responder(tmp_path, hook(server.url))
            at_work.tell("one", to=["hook"])
            await until(lambda: messages(at_work)[0].way is Way.FAILED)
            assert "elsewhere" in messages(at_work)[0].why
            await at_work.close()
        assert not other.got


async def test_a_secret_is_read_when_it_is_sent_and_stands_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/services/T0123456/B0123456/abcdefghijklmnop"

    def answer(asked: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        return 404, {}, f"Cannot POST {asked}".encode()

    with Flaky(answer) as server:
        config = Config(outbox={"slack": Destination(kind="slack", env="OUR_SLACK")})
        at_work = responder(tmp_path, config)
        monkeypatch.delenv("OUR_SLACK", raising=False)
        at_work.tell("one", to=["slack"])
        await until(lambda: messages(at_work)[0].why)
        assert "OUR_SLACK is not set" in messages(at_work)[0].why
        assert messages(at_work)[0].attempts == 0
        monkeypatch.setenv("OUR_SLACK", server.url + path)
        at_work.send_now()
        await until(lambda: messages(at_work)[0].way is Way.FAILED)
        assert server.got[0].path == path
        assert server.got[0].body["text"] == "one"
        at_work.note("all services are slow")  # which is a word of that URL as well
        noted = at_work.incident.entries[-1].record.event
        assert "all services are slow" in line(noted, at_work.incident)
        folder = at_work.folder
        await at_work.close()
    assert folder
    kept = "".join(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())
    for part in path.split("/")[2:]:
        assert part not in kept
    assert "404" in messages(at_work)[0].why


async def test_an_answer_that_quotes_the_login_gives_no_part_of_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_KEY", "correct-horse-battery-staple")
    login = base64.b64encode(b"kim:correct-horse-battery-staple").decode()

    def answer(asked: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        return 400, {}, b"x" * 80 + f" {login} correct-horse-battery-staple".encode()

    with Flaky(answer) as server:
        at_work = responder(tmp_path, hook(server.url, env="OUR_KEY", user="kim"))
        at_work.tell("one", to=["hook"])
        await until(lambda: messages(at_work)[0].way is Way.FAILED)
        why = messages(at_work)[0].why
        await at_work.close()
    assert server.got[0].headers["Authorization"] == f"Basic {login}"
    assert "400" in why and login[:8] not in why and "correct" not in why


async def test_a_secret_that_a_command_prints(tmp_path: Path) -> None:
    with Flaky() as server:
        at_work = responder(tmp_path, hook(server.url, command="printf 'abc def\\nmore\\n'"))
        at_work.tell("one", to=["hook"])
        await sent(at_work)
        assert server.got[0].headers["Authorization"] == "Bearer abc def"
        await at_work.close()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("exit 3", "its command ended with 3"),
        ("true", "printed nothing"),
        ("echo hunter2secret >&2; exit 1", "its command ended with 1"),
    ],
)
async def test_a_command_that_fails_is_named_and_not_quoted(
    tmp_path: Path, command: str, said: str
) -> None:
    at_work = responder(tmp_path, hook("http://127.0.0.1:9", command=command))
    at_work.tell("one", to=["hook"])
    await until(lambda: messages(at_work)[0].why)
    why = messages(at_work)[0].why
    assert said in why and "outbox.hook" in why and "hunter2secret" not in why
    await at_work.close()


async def test_a_command_that_asks_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: str, **more: Any) -> asyncio.subprocess.Process:
        started.append(await start(*arguments, **more))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    monkeypatch.setattr("cockpit.outbox.secret.PATIENCE", 2.0)
    at_work = responder(tmp_path, hook("http://127.0.0.1:9", command="exec sleep 600"))
    at_work.tell("one", to=["hook"])
    await until(lambda: messages(at_work)[0].why)
    assert "has not ended within" in messages(at_work)[0].why
    await at_work.close()
    with pytest.raises(ProcessLookupError):
        os.killpg(started[0].pid, 0)


async def test_a_destination_that_is_not_known_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    at_work = responder(tmp_path, Config())
    at_work.tell("one", to=["hook"])
    await until(lambda: messages(at_work)[0].why)
    assert "knows no destination hook" in messages(at_work)[0].why
    assert messages(at_work)[0].waits
    await at_work.close()


GOES_LATER = """\
import asyncio, subprocess, sys
from pathlib import Path
from cockpit.config import Config, Destination
from cockpit.incident.events import Severity
from cockpit.incident.outgoing import Way
from cockpit.outbox import sender
from cockpit.responder import Responder
from tests.outbox.flaky import Flaky

# By the clock alone it would not try again in time: it has to hear that the network is back.
sender.FIRST_PAUSE = sender.LONGEST_PAUSE = 3600.0

async def main():
    with Flaky(address="0.0.0.0") as server:
        url = f"http://127.0.0.1:{server.port}"
        config = Config(outbox={"hook": Destination(kind="webhook", url=url)})
        responder = Responder(Path(sys.argv[1]), "sam", config)
        responder.declare("API down", Severity.P0)
        responder.tell("one", to=["hook"])
        async with asyncio.timeout(60):
            while not (one := [*responder.incident.outbox.values()][0]).why:
                await asyncio.sleep(0.02)
            print(one.way, one.why, one.ambiguous, sep="|")
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            while one.waits:
                await asyncio.sleep(0.02)
                one = [*responder.incident.outbox.values()][0]
        print(one.way, [got.body["text"] for got in server.got], sep="|")
        await responder.close()

asyncio.run(main())
"""


@pytest.mark.root
def test_without_any_interface_it_waits_and_goes_when_there_is_one(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-n", "ip", "link"], check=False).returncode:
        not_tested(request, "a network of its own", ["unshare -n does not work, or ip is missing"])
    said = subprocess.run(
        [unshare, "-n", sys.executable, "-c", GOES_LATER, str(tmp_path)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    assert said == (
        "waiting|no connection to 127.0.0.1 (Network is unreachable)|False\nsent|['one']\n"
    )


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # apprise's own
async def test_apprise_delivers_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Flaky() as server:
        config = Config(outbox={"rest": Destination(kind="apprise", env="REST")})
        monkeypatch.setenv("REST", f"json://127.0.0.1:{server.port}/secret-path")
        at_work = responder(tmp_path, config)
        at_work.tell("one", to=["rest"])
        await sent(at_work)
        assert (server.got[0].body["title"], server.got[0].body["message"]) == (
            "P0 API down",
            "one",
        )
        server.answer = lambda path, body: (500, {}, b"")
        at_work.tell("two", to=["rest"])
        await until(lambda: messages(at_work)[1].why)
        assert messages(at_work)[1].ambiguous, "it only says no, not how far it came"
        assert "secret-path" not in messages(at_work)[1].why
        at_work.cancel(messages(at_work)[1].id)
        monkeypatch.setenv("REST", "nonsense")
        at_work.tell("three", to=["rest"])
        await until(lambda: messages(at_work)[2].way is Way.FAILED)
        await at_work.close()


async def test_without_apprise_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setenv("REST", "json://127.0.0.1:9/")
    config = Config(outbox={"rest": Destination(kind="apprise", env="REST")})
    at_work = responder(tmp_path, config)
    at_work.tell("one", to=["rest"])
    await until(lambda: messages(at_work)[0].why)
    assert "pip install 'cockpit[apprise]'" in messages(at_work)[0].why
    assert messages(at_work)[0].waits
    await at_work.close()


async def test_a_mail_goes_through_the_outbox(tmp_path: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as address:
        mail = Destination(
            kind="smtp", url=f"smtp://{address}", sender="ops@example.net", to=("a@example.net",)
        )
        at_work = responder(tmp_path, Config(outbox={"mail": mail}))
        inbox.to_mail = "451 busy"
        at_work.tell("one", to=["mail"])
        await until(lambda: messages(at_work)[0].why)
        assert "451 (busy)" in messages(at_work)[0].why
        inbox.to_mail = "250 taken"
        await sent(at_work)
        await at_work.close()
    assert len(inbox.mails) == 1 and b"possible duplicate" not in inbox.mails[0]


async def test_a_disk_that_takes_nothing_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Flaky() as server:
        at_work = responder(tmp_path, hook(server.url))
        saved = at_work.log.saved_up_to

        async def full(record: e.Record) -> bool:
            return False

        monkeypatch.setattr(at_work.log, "saved_up_to", full)
        at_work.tell("one", to=["hook"])
        await until(lambda: messages(at_work)[0].why)
        assert "the disk takes nothing" in messages(at_work)[0].why
        assert not server.got
        monkeypatch.setattr(at_work.log, "saved_up_to", saved)
        await sent(at_work)
        assert [got.body["text"] for got in server.got] == ["one"], "nothing had left: no mark"
        await at_work.close()


async def test_leaving_waits_a_moment_for_an_answer_and_not_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, slow = threading.Event(), threading.Event()

    def answer(path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        (quick if body["text"] == "quick" else slow).wait(30)
        return 200, {}, b""

    with Flaky(answer) as server:
        at_work = responder(tmp_path, hook(server.url))
        at_work.tell("quick", to=["hook"])
        await until(lambda: messages(at_work)[0].way is Way.SENDING)
        with monkeypatch.context() as patched:
            patched.setattr(sender, "LEAVING", 30.0)  # on a loaded machine a moment is long
            asyncio.get_running_loop().call_later(0.3, quick.set)
            await at_work.close()
        assert messages(at_work)[0].way is Way.SENT
        again = Responder(tmp_path, "sam", hook(server.url))
        assert at_work.folder
        again.take_up(at_work.folder)
        again.tell("slow", to=["hook"])
        await until(lambda: messages(again)[1].way is Way.SENDING)
        await again.close()
        assert messages(again)[1].way is Way.SENDING, "whether it arrived is not known"
        slow.set()
