"""A mail to a real mail server: once in the reader's eyes, and never by a way that leaks."""

from __future__ import annotations

import shlex
import ssl
import subprocess
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from cockpit.config import Destination
from cockpit.outbox import mail
from cockpit.outbox.attempt import Attempt
from cockpit.outbox.letter import End, Letter
from tests.outbox.mails import Inbox, serving

AT = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)
TEXT = "Grüße ✓\n.\n..dots\nlast"


def letter(text: str = TEXT) -> Letter:
    return Letter("01M", "01I", "update", text, "API down", "P0", "api", AT, AT, False)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server shows, from an authority that this machine believes."""
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
            " -keyout key -out cert -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        ),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    return context


def to(address: str, *, scheme: str = "smtp", **more: Any) -> Destination:
    known = {"sender": "ops@example.net", "to": ("all@example.net", "boss@example.net"), **more}
    return Destination(kind="smtp", url=f"{scheme}://{address}", **known)


def send(destination: Destination, what: Letter, password: str) -> End:
    return mail.send(destination, what, password, Attempt())


def read(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_mail_arrives_whole_with_the_id_of_the_message() -> None:
    inbox = Inbox()
    with serving(inbox) as address:
        assert send(to(address), letter(), "") == End()
        assert send(to(address), letter("(possible duplicate) again"), "") == End()
    first, second = (read(raw) for raw in inbox.mails)
    assert first["Message-ID"] == second["Message-ID"] == "<01M@example.net>"
    assert first["References"] == "<01I@example.net>"
    assert first["Subject"] == "P0 API down (update)"
    assert first["To"] == "all@example.net, boss@example.net"
    assert first.get_content().splitlines() == TEXT.splitlines()
    assert second.get_content().startswith("(possible duplicate)")


def test_a_password_goes_over_tls_and_nowhere_else(trusted: ssl.SSLContext) -> None:
    inbox = Inbox()
    login: dict[str, Any] = {"authenticator": inbox.authenticator, "auth_require_tls": False}
    with serving(inbox, **login) as address:
        end = send(to(address, user="ops", env="X"), letter(), "pw")
        assert end.final and "offers no TLS" in end.why
        assert not inbox.logins
    with serving(inbox, tls_context=trusted, **login) as address:
        assert send(to(address, user="ops", env="X"), letter(), "pw") == End()
        wrong = send(to(address, user="ops", env="X"), letter(), "hunter2")
    assert inbox.logins[0] == (b"ops", b"pw")
    assert set(inbox.logins[1:]) == {(b"ops", b"hunter2")}
    assert wrong.final and "renew what env or command gives" in wrong.why
    assert "hunter2" not in wrong.why and not wrong.ambiguous


def test_tls_from_the_first_byte(trusted: ssl.SSLContext) -> None:
    inbox = Inbox()
    with serving(inbox, from_the_start=trusted) as address:
        assert send(to(address, scheme="smtps"), letter(), "") == End()
    assert len(inbox.mails) == 1


def test_a_server_that_nobody_vouches_for_gets_nothing(
    trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    inbox = Inbox()
    for scheme, how in (("smtp", "tls_context"), ("smtps", "from_the_start")):
        with serving(inbox, **{how: trusted}) as address:
            end = send(to(address, scheme=scheme), letter(), "")
        assert "its certificate is not believed" in end.why and not end.ambiguous
    assert not inbox.mails


def test_elsewhere_nothing_goes_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "this_machine", lambda host: False)
    inbox = Inbox()
    with serving(inbox) as address:
        end = send(to(address), letter(), "")
    assert end.final and "offers no TLS: give smtps://127.0.0.1" in end.why
    assert not inbox.mails


def test_what_a_server_says_no_to() -> None:
    inbox = Inbox()
    with serving(inbox) as address:
        inbox.refuses = {"all@example.net": "450 later", "boss@example.net": "550 nobody"}
        later = send(to(address), letter(), "")
        assert (later.final, later.ambiguous) == (False, False) and "450" in later.why
        assert not inbox.mails, "else those who have it would get it again"

        inbox.refuses = {"boss@example.net": "550 nobody here"}
        some = send(to(address), letter(), "")
        assert some.final and some.ambiguous, "sent again, it is a duplicate for the others"
        assert "the others have it, boss@example.net not" in some.why and "nobody here" in some.why
        assert len(inbox.mails) == 1

        inbox.refuses, inbox.to_mail = {}, "554 too ugly"
        assert send(to(address), letter(), "").final
        inbox.to_mail = "452 full"
        full = send(to(address), letter(), "")
        assert (full.final, full.ambiguous) == (False, False)


def test_an_answer_that_is_lost_may_have_been_yes() -> None:
    inbox = Inbox()
    inbox.hangs_up = True
    with serving(inbox) as address:
        end = send(to(address), letter(), "")
    assert end.ambiguous and not end.final
    assert len(inbox.mails) == 1
    gone = send(to(address), letter(), "")
    assert gone == End("no connection to 127.0.0.1 (Connection refused)")
