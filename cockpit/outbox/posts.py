"""A message as each HTTP service wants it; pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from cockpit.config import Destination
from cockpit.outbox.kinds import signal
from cockpit.outbox.letter import Letter
from cockpit.outbox.secret import pieces

PAGERDUTY: Final = "https://events.pagerduty.com/v2/enqueue"
_SLACK_MAX: Final = 30_000
_NTFY_MAX: Final = 3_900
_SUMMARY_MAX: Final = 1_000
_CUT: Final = "\n… (cut here; the rest is in the incident log)"
_URGENCY: Final = {"P0": 5, "P1": 4, "P2": 3, "P3": 2}
_SEVERITY: Final = {"P0": "critical", "P1": "error", "P2": "warning", "P3": "info"}


class Unfit(Exception):
    """The message can never go this way; why, and what to do."""


@dataclass(frozen=True, slots=True)
class Post:
    """One request. secret in its URL, headers or body: none of them is for an error to quote.

    secrets: what of it must not be repeated of an answer, which may quote a part of it.
    """

    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    @property
    def host(self) -> str:
        """Where it goes, as it may be said."""
        return urlsplit(self.url).hostname or "nowhere"


def where(name: str, destination: Destination) -> str:
    """What to correct where its URL is wrong. name: what cockpit.yaml calls the destination."""
    if destination.url:
        return f"outbox.{name}.url in cockpit.yaml"
    if destination.env and destination.kind != "pagerduty":
        return f"what {destination.env} holds, which outbox.{name} in cockpit.yaml names"
    if destination.command and destination.kind != "pagerduty":
        return f"what the command of outbox.{name} in cockpit.yaml prints"
    return f"outbox.{name} in cockpit.yaml"


def post(destination: Destination, letter: Letter, secret: str) -> Post:
    """The request that delivers a letter. Raises Unfit."""
    url, headers, secrets = destination.url, {}, pieces(secret) if secret else set()
    if destination.kind == "slack" or (destination.kind == "webhook" and not url):
        url = secret
    elif destination.kind == "pagerduty":
        url = url or PAGERDUTY
    elif destination.user:
        login = base64.b64encode(f"{destination.user}:{secret}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
        secrets.add(login)
    elif secret:
        headers["Authorization"] = f"Bearer {secret}"
    _sound(url, carries=bool(secret))
    match destination.kind:
        case "slack":
            content = _slack(letter)
        case "pagerduty":
            content = _pagerduty(letter, secret)
        case "ntfy":
            url, content = _ntfy(letter, url)
        case _:
            content = _webhook(letter)
            headers["Idempotency-Key"] = letter.id
    headers["Content-Type"] = "application/json"
    return Post(url, json.dumps(content).encode(), headers, frozenset(secrets))


def _sound(url: str, *, carries: bool) -> None:
    """Raises Unfit for what is no URL, or would show a secret to everybody on the way."""
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname or "", parts.scheme
        good = scheme in ("http", "https") and host and parts.port != 0 and url.isprintable()
    except ValueError:
        good = False
    if not good or " " in url:
        raise Unfit("what env or command gives is no URL such as https://hooks.example.net/...")
    if carries and scheme == "http" and not this_machine(host):
        raise Unfit("http:// would show the secret to everybody on the way; give an https:// URL")


def this_machine(host: str) -> bool:
    """Whether what goes there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _slack(letter: Letter) -> dict[str, Any]:
    # Else a line of a log could call everybody (<!channel>) or pass one address off as another.
    text = letter.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": cut(text, _SLACK_MAX), "unfurl_links": False, "unfurl_media": False}


def _pagerduty(letter: Letter, key: str) -> dict[str, Any]:
    action = signal("pagerduty", letter.about) or "trigger"
    event: dict[str, Any] = {
        "routing_key": key,
        "event_action": action,
        "dedup_key": f"cockpit-{letter.incident}",
        "client": "cockpit",
    }
    if action == "trigger":
        event["payload"] = {
            "summary": letter.subject[:_SUMMARY_MAX],
            "source": letter.service or "cockpit",
            "severity": _SEVERITY.get(letter.severity, "error"),
            "timestamp": letter.written.isoformat(),
            "custom_details": {"text": letter.text, "about": letter.about, "message": letter.id},
        }
    return event


def _ntfy(letter: Letter, url: str) -> tuple[str, dict[str, Any]]:
    """As JSON, which goes to the server itself: a header could not hold every title."""
    server, _, topic = url.rstrip("/").rpartition("/")
    if server.endswith("/") or not topic:
        raise Unfit("its url names no topic; it must be such as https://ntfy.sh/TOPIC")
    content: dict[str, Any] = {
        "topic": topic,
        "title": letter.subject[:250],
        "message": cut(letter.text, _NTFY_MAX),
        # Servers from 2.16 on put a second one with the same id in the place of the first.
        "sequence_id": letter.id,
    }
    if letter.severity in _URGENCY:
        content["priority"] = _URGENCY[letter.severity] if letter.about != "resolved" else 3
    return server, content


def _webhook(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "incident": letter.incident,
        "about": letter.about,
        "text": letter.text,
        "title": letter.title,
        "severity": letter.severity,
        "service": letter.service,
        "written": letter.written.isoformat(),
        "sent": letter.sent.isoformat(),
        "possible_duplicate": letter.duplicate,
    }


def cut(text: str, most: int) -> str:
    """The text in at most so many bytes of UTF-8; a cut is said."""
    raw = text.encode()
    if len(raw) <= most:
        return text
    return raw[: most - len(_CUT.encode())].decode(errors="ignore") + _CUT
