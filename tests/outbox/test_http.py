"""What an answer means: taken, refused for good with the mend, or to be tried again, and when."""

from __future__ import annotations

import asyncio
import shlex
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from cockpit.outbox import http
from cockpit.outbox.attempt import Attempt, beside
from cockpit.outbox.letter import End
from cockpit.outbox.posts import Post
from tests.lab.ports import free_port
from tests.outbox.flaky import Flaky

pytestmark = pytest.mark.anyio
HEADERS = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def sent(url: str, kind: str = "webhook") -> End:
    return await beside(lambda attempt: http.send(kind, Post(url, b"{}", HEADERS), attempt))


def answered(status: int, kind: str = "webhook", reply: str = "", **headers: str) -> End:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.judge(kind, "h.example", status, httpx.Headers(given), reply)


def test_what_was_taken() -> None:
    assert answered(200) == answered(202) == answered(204) == End()


@pytest.mark.parametrize(
    ("kind", "status", "reply", "said"),
    [
        ("slack", 404, "no_service", "404 (no_service): the webhook is gone; make a new one"),
        ("slack", 410, "channel_is_archived", "the channel is archived"),
        ("slack", 400, "invalid_payload", "is what env or command gives the webhook's whole URL?"),
        ("pagerduty", 400, "Invalid routing key", "the key of an Events API v2 integration?"),
        ("ntfy", 401, "", "the login is not accepted; renew what env or command gives"),
        ("webhook", 403, "", "may not do this"),
        ("webhook", 418, "", "h.example answered 418"),
    ],
)
def test_what_will_never_work_is_final_with_its_mend(
    kind: str, status: int, reply: str, said: str
) -> None:
    end = answered(status, kind, reply)
    assert end.final and not end.ambiguous
    assert said in end.why


def test_what_may_have_been_taken_all_the_same() -> None:
    for status in (500, 502, 503, 504, 408):
        end = answered(status)
        assert end.ambiguous and not end.final, status
    assert answered(307).final and answered(307).ambiguous
    assert not answered(429).ambiguous and not answered(429).final


def test_how_long_it_asks_to_wait() -> None:
    assert answered(429, Retry_After="30").wait == 30
    assert answered(503, Retry_After="30").wait == 30
    assert answered(429).wait == answered(429, Retry_After="soon").wait == 0
    assert answered(429, Retry_After="999999").wait == http.LONGEST_WAIT
    at = {"Date": "Sun, 22 Nov 2026 03:00:00 GMT"}
    until = "Sun, 22 Nov 2026 03:02:00 GMT"
    # By its own clock, whatever ours says.
    assert answered(429, Retry_After=until, **at).wait == 120
    assert answered(429, Retry_After="Sun, 22 Nov 2026 02:00:00 GMT", **at).wait == 0


async def test_nothing_left_is_told_from_may_have_arrived() -> None:
    refused = await sent(f"http://127.0.0.1:{free_port()}")
    assert refused == End("no connection to 127.0.0.1 (Connection refused)")
    unknown = await sent("http://no-such-host.invalid/x")
    assert "its name is not known here" in unknown.why and not unknown.ambiguous
    with Flaky(lambda path, body: None) as server:
        lost = await sent(server.url)
    assert lost.ambiguous and not lost.final and "without an answer" in lost.why


async def test_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER", 0.2)
    go_on = threading.Event()

    def answer(path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        go_on.wait(20)
        return 200, {}, b""

    with Flaky(answer) as server:
        end = await sent(server.url)
        go_on.set()
    assert end.ambiguous and "has not answered in time" in end.why


async def test_a_reply_without_end_is_not_read_to_it() -> None:
    with Flaky(lambda path, body: (400, {}, b"x" * 10_000_000)) as server:
        end = await sent(server.url)
    assert end.final and len(end.why) < 400


async def test_a_page_or_controls_in_a_reply_are_not_shown() -> None:
    with Flaky(lambda path, body: (404, {}, b"<html>lost</html>")) as server:
        assert "html" not in (await sent(server.url)).why
    with Flaky(lambda path, body: (404, {}, b"\x1b]52;c;eA==\x07gone")) as server:
        assert "\x1b" not in (await sent(server.url)).why


async def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with untrusted(tmp_path_factory) as port:
        end = await sent(f"https://127.0.0.1:{port}/services/T/B/secretsecret")
    assert "its certificate is not believed" in end.why
    assert not end.ambiguous and "secretsecret" not in end.why


@contextmanager
def untrusted(folder: pytest.TempPathFactory) -> Iterator[int]:
    """A TLS server whose certificate it made itself."""
    where = folder.mktemp("tls")
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
            " -keyout key -out cert -subj /CN=127.0.0.1"
        ),
        cwd=where,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(where / "cert", where / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            try:
                connection, _ = listener.accept()
                with connection, context.wrap_socket(connection, server_side=True) as secured:
                    assert not secured.recv(1), "something was sent"
            except (OSError, ssl.SSLError):
                pass

        taking = threading.Thread(target=take)
        taking.start()
        yield int(listener.getsockname()[1])
        taking.join()


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Flaky() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert await sent("http://hooks.example.net/in") == End()
        assert proxy.got[0].path == "http://hooks.example.net/in"
    monkeypatch.setenv("http_proxy", "socks9://nonsense")
    end = await sent("http://hooks.example.net/in")
    assert "$HTTPS_PROXY" in end.why and not end.ambiguous


async def test_the_loop_goes_on_meanwhile() -> None:
    go_on = threading.Event()

    def answer(path: str, body: Any) -> None:
        go_on.wait(60)

    with Flaky(answer) as server:
        sending = asyncio.create_task(sent(server.url))
        async with asyncio.timeout(30):
            while not server.arrived:
                await asyncio.sleep(0.01)
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not go_on.is_set() and not sending.done()
        go_on.set()
        assert (await sending).ambiguous


async def test_what_was_given_up_does_not_go_after_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a name is looked up for longer than anybody waits."""
    looked_up, go_on = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow(*given: Any, **more: Any) -> Any:
        looked_up.set()
        go_on.wait(20)
        return look_up(*given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr("cockpit.outbox.attempt.IN_ALL", 2.0)
    ended: list[End] = []

    def work(attempt: Attempt) -> End:
        ended.append(http.send("webhook", Post(server.url, b"{}", HEADERS), attempt))
        return ended[0]

    with Flaky() as server:
        end = await beside(work)
        assert await asyncio.to_thread(looked_up.wait, 20)
        assert end == End("it has not answered in time"), "and nothing of it may have arrived"
        go_on.set()
        async with asyncio.timeout(20):
            while not ended:
                await asyncio.sleep(0.01)
        assert "given up" in ended[0].why
        assert not server.got


async def test_an_attempt_has_begun_once_it_was_sent_also_over_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By an event of the library below, which must not go by another name one day."""
    attempts: list[Attempt] = []

    def work(attempt: Attempt) -> End:
        attempts.append(attempt)
        end = http.send("webhook", Post(url, b"{}", HEADERS), attempt)
        assert attempt.give_up() == (not end.why)
        return end

    with Flaky() as server:
        url = server.url
        assert await beside(work) == End()
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.setenv("no_proxy", "")
        url = "http://hooks.example.net/in"
        assert await beside(work) == End()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        assert "no connection" in (await beside(work)).why
    assert len(attempts) == 3
