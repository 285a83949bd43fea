"""A message as a mail, handed to a mail server; blocks, so it runs beside the loop."""

from __future__ import annotations

import contextlib
import re
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cockpit.config import Destination
from cockpit.outbox.attempt import Attempt, GivenUp
from cockpit.outbox.http import reason
from cockpit.outbox.letter import End, Letter
from cockpit.outbox.posts import this_machine
from cockpit.text import clean_line

if TYPE_CHECKING:
    import smtplib

PATIENCE: Final = 20.0


def mail(destination: Destination, letter: Letter) -> EmailMessage:
    """The mail. Its id is that of the message, so that a mail reader shows a duplicate once."""
    domain = destination.sender.partition("@")[2]
    made = EmailMessage(policy=SMTP)
    made["From"] = destination.sender
    made["To"] = ", ".join(destination.to)
    made["Subject"] = f"{letter.subject} ({letter.about})"
    made["Date"] = format_datetime(letter.sent)
    made["Message-ID"] = f"<{letter.id}@{domain}>"
    # All mails of an incident make one thread.
    made["References"] = f"<{letter.incident}@{domain}>"
    made.set_content(letter.text, cte="quoted-printable")
    return made


def send(destination: Destination, letter: Letter, password: str, attempt: Attempt) -> End:
    """Hands it to the server; over TLS, except to a server on this machine. Raises nothing."""
    import smtplib

    host = urlsplit(destination.url).hostname or ""
    try:
        server = _connected(destination)
        try:
            if destination.user:
                if not isinstance(server.sock, ssl.SSLSocket):
                    return End(f"{host} offers no TLS, and no password goes without", final=True)
                server.login(destination.user, password)
            return _hand_over(server, host, destination, mail(destination, letter), attempt)
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()  # how that ends says nothing of the mail
            server.close()
    except smtplib.SMTPAuthenticationError as error:
        again = error.smtp_code < 500
        return End(_said(host, error, "renew what env or command gives"), final=not again)
    except smtplib.SMTPResponseException as error:
        return End(_said(host, error), final=error.smtp_code >= 500)
    except _NoTls:
        return End(
            f"{host} offers no TLS: give smtps://{host}, or a server on this machine", final=True
        )
    except smtplib.SMTPNotSupportedError:
        return End(f"{host} takes no login; leave user out", final=True)
    except GivenUp:
        return End("it was given up before anything was sent")
    except _NoAnswer:
        return End(f"{host} closed the connection without an answer", ambiguous=True)
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        closed = isinstance(error, smtplib.SMTPServerDisconnected)
        how = "it closed the connection" if closed else reason(error)
        return End(str(clean_line(f"no connection to {host} ({how})")))


class _NoTls(Exception):
    """The server is elsewhere and does not encrypt."""


class _NoAnswer(Exception):
    """The mail is out, or a part of it, and the server has not said what it did with it."""


def _connected(destination: Destination) -> smtplib.SMTP:
    import smtplib

    parts = urlsplit(destination.url)
    host = parts.hostname or ""
    trust = ssl.create_default_context()
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, parts.port or 465, timeout=PATIENCE, context=trust)
    server = smtplib.SMTP(host, parts.port or 587, timeout=PATIENCE)
    try:
        server.ehlo_or_helo_if_needed()
        if server.has_extn("starttls"):
            server.starttls(context=trust)
            server.ehlo()
        elif not this_machine(host):
            raise _NoTls
    except BaseException:
        server.close()
        raise
    return server


def _hand_over(
    server: smtplib.SMTP, host: str, destination: Destination, made: EmailMessage, attempt: Attempt
) -> End:
    """The mail, step by step, so that it is known whether it may have arrived."""
    import smtplib

    server.ehlo_or_helo_if_needed()
    _must(server.mail(destination.sender))
    refused = {}
    for address in destination.to:
        code, reply = server.rcpt(address)
        if code >= 400:
            refused[address] = smtplib.SMTPResponseException(code, reply)
    later = [error for error in refused.values() if error.smtp_code < 500]
    if later or len(refused) == len(destination.to):
        server.rset()
        raise (later or [*refused.values()])[0]
    attempt.begin()
    _must(server.docmd("DATA"))
    try:
        server.send(re.sub(rb"(?m)^\.", b"..", made.as_bytes()) + b".\r\n")
        answer = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise _NoAnswer from error
    _must(answer)
    if refused:
        names = ", ".join(refused)
        why = _said(host, next(iter(refused.values())), "correct `to` in cockpit.yaml")
        return End(f"the others have it, {names} not: {why}", ambiguous=True, final=True)
    return End()


def _must(answer: tuple[int, bytes]) -> None:
    """Raises SMTPResponseException where the server says no."""
    import smtplib

    code, reply = answer
    if not 200 <= code < 400:
        raise smtplib.SMTPResponseException(code, reply)


def _said(host: str, error: smtplib.SMTPResponseException, mend: str = "") -> str:
    reply = error.smtp_error
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    said = clean_line(f"{host} answered {error.smtp_code} ({text})", max_chars=240)
    return f"{said}; {mend}" if mend else str(said)
