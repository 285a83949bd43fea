"""Sends one request and says how it ended: taken, refused for good, or to be tried again.

It blocks, so it runs beside the loop.
"""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from cockpit.outbox.attempt import Attempt, GivenUp
from cockpit.outbox.letter import End
from cockpit.outbox.posts import Post
from cockpit.text import Safe, clean_line

if TYPE_CHECKING:
    import httpx

CONNECT: Final = 10.0
ANSWER: Final = 20.0
LONGEST_WAIT: Final = 3600.0
_REPLY_MAX: Final = 4096
_AGAIN: Final = (408, 425, 429)

_MENDS: Final = {
    ("slack", 400): "Slack does not take it; is what env or command gives the webhook's whole URL?",
    ("slack", 403): "Slack lets the webhook post there no more; make a new one",
    ("slack", 404): "the webhook is gone; make a new one in Slack and correct {where}",
    ("slack", 410): "the channel is archived; make a webhook for another",
    ("pagerduty", 400): "is it the key of an Events API v2 integration?",
    ("ntfy", 404): "there is no such server or topic; correct {where}",
    ("ntfy", 429): "too many messages",
}
_MENDS_OF_ALL: Final = {
    400: "it does not understand the message",
    401: "the login is not accepted; renew what env or command gives",
    403: "the login is not accepted, or may not do this; renew what env or command gives",
    404: "there is nothing at this URL any more; correct {where}",
    405: "this URL takes no messages; correct {where}",
    410: "there is nothing at this URL any more; correct {where}",
    413: "the message is too long for it",
}


@cache
def _trust() -> ssl.SSLContext:
    """Whom to believe who they are, or those that $SSL_CERT_FILE names. Takes some 50 ms."""
    import httpx

    # It would log whole URLs, and that of a webhook is a secret.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return httpx.create_ssl_context()


def send(kind: str, post: Post, attempt: Attempt, where: str = "its URL") -> End:
    """Sends it once, over the proxies that the environment names. Raises nothing.

    where: its URL stands, as in `posts.where`.
    """
    import httpx

    def trace(event: str, _: object) -> None:
        if event == "http11.send_request_headers.started":
            attempt.begin()

    limits = httpx.Limits(max_keepalive_connections=0)  # one that was idle may be half closed
    timeout = httpx.Timeout(ANSWER, connect=CONNECT, pool=CONNECT)
    try:
        made = httpx.Client(verify=_trust(), timeout=timeout, limits=limits)
    except (ImportError, ValueError, httpx.InvalidURL):
        return End("the proxy that the environment names cannot be used; see $HTTPS_PROXY")
    try:
        with (
            made as client,
            client.stream(
                "POST",
                post.url,
                content=post.body,
                headers=post.headers,
                extensions={"trace": trace},
            ) as reply,
        ):
            said = _read(reply)
            for secret in sorted(post.secrets, key=len, reverse=True):  # before it is cut anywhere
                said = said.replace(secret, "«secret»")
            return judge(kind, post.host, reply.status_code, reply.headers, said, where)
    except GivenUp:
        return End("it was given up before anything was sent")
    except (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
    ) as error:
        return End(_no_connection(post.host, error))
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError):
        return End(f"its URL cannot be used; correct {where}", final=True)
    except httpx.TimeoutException:
        return End(f"{post.host} has not answered in time", ambiguous=True)
    except httpx.HTTPError:
        return End(f"{post.host} closed the connection without an answer", ambiguous=True)


def _read(reply: httpx.Response) -> str:
    """The beginning of what it answers; it need not come."""
    import httpx

    raw, until = b"", time.monotonic() + 2.0
    with contextlib.suppress(httpx.HTTPError):
        for part in reply.iter_raw():
            raw += part
            if len(raw) >= _REPLY_MAX or time.monotonic() > until:
                break
    text = raw[:_REPLY_MAX].decode("utf-8", "replace").strip()
    return "" if text.startswith("<") or reply.headers.get("Content-Encoding") else text


def judge(
    kind: str, host: str, status: int, headers: httpx.Headers, reply: str, where: str = "its URL"
) -> End:
    """What an answer means for the message. where: as in `send`."""
    said = f"{host} answered {status}"
    said += f" ({clean_line(reply, max_chars=160)})" if reply and status >= 400 else ""
    mend = _MENDS.get((kind, status)) or _MENDS_OF_ALL.get(status, "")
    why = f"{said}: {mend.format(where=where)}" if mend else said
    if 200 <= status < 300:
        return End()
    if status < 400:
        # Not followed: the message is for this host alone. Some answer so after they took it.
        return End(
            f"{said}: it wants it sent elsewhere; correct {where}", ambiguous=True, final=True
        )
    if status == 407:
        return End(f"the proxy wants a login ({status}); see $HTTPS_PROXY")
    if status in _AGAIN:
        return End(why, ambiguous=status == 408, wait=_wait(headers))
    if status < 500:
        return End(why, final=True)
    return End(why, ambiguous=True, wait=_wait(headers))


def _wait(headers: httpx.Headers) -> float:
    """Seconds to wait that an answer asks for; 0 where it does not."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return min(float(asked[:9]), LONGEST_WAIT)
    until, now = _date(asked), _date(headers.get("Date", "")) or datetime.now(UTC)
    # By its own clock, where it tells that: ours may be wrong.
    return min(max(0.0, (until - now).total_seconds()), LONGEST_WAIT) if until else 0.0


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _no_connection(host: str, error: Exception) -> Safe:
    """In plain words, without what the libraries say around it, which may quote the URL."""
    return clean_line(f"no connection to {host} ({reason(error)})")


def reason(error: BaseException) -> str:
    """Why no connection came about, from whatever in the chain of an error knows it."""
    import socket

    chain: list[BaseException] = [error]
    for one in chain:  # it grows meanwhile
        more = [one.__cause__ or one.__context__, *getattr(one, "exceptions", ())]
        chain += [each for each in more if each is not None and each not in chain]
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"its certificate is not believed: {one.verify_message}; see $SSL_CERT_FILE"
        if isinstance(one, ssl.SSLError):
            return "no TLS could be agreed on"
        if isinstance(one, socket.gaierror):
            return "its name is not known here; is the network up?"
    for one in chain:
        if isinstance(one, OSError) and one.errno is not None and one.errno > 0:
            return os.strerror(one.errno)
    if any(isinstance(one, TimeoutError) or "Timeout" in type(one).__name__ for one in chain):
        return "it does not answer"
    if type(error).__name__ == "ProxyError":
        return "the proxy refuses it; see $HTTPS_PROXY"
    return "it failed"
