"""Each service gets a message as it wants it, and nothing in a message can act there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cockpit import clock
from cockpit.clock import Moment
from cockpit.config import ConfigError, Destination, parse
from cockpit.incident import events as e
from cockpit.incident.incident import Incident
from cockpit.incident.outgoing import Outgoing
from cockpit.outbox.letter import Letter, letter
from cockpit.outbox.posts import Post, Unfit, cut, post

AT = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"


def told(about: str = "update", text: str = "We look.", severity: str = "P0") -> Letter:
    return Letter("01M", "01I", about, text, "API down", severity, "api", AT, AT, False)


def content(made: Post) -> dict[str, object]:
    found = json.loads(made.body)
    assert isinstance(found, dict)
    return found


def test_slack_gets_text_that_calls_nobody() -> None:
    made = post(
        Destination(kind="slack", env="X"),
        told(text="<!channel> <https://evil.example|fine> & so on"),
        "https://hooks.slack.com/services/T/B/x",
    )
    assert made.url == "https://hooks.slack.com/services/T/B/x"
    assert made.host == "hooks.slack.com"
    assert content(made)["text"] == (
        "&lt;!channel&gt; &lt;https://evil.example|fine&gt; &amp; so on"
    )


@pytest.mark.parametrize(
    ("about", "action"),
    [
        ("acknowledged", "acknowledge"),
        ("resolved", "resolve"),
        ("update", "trigger"),
        ("escalation", "trigger"),
    ],
)
def test_pagerduty_knows_the_incident_by_one_key(about: str, action: str) -> None:
    made = post(Destination(kind="pagerduty", env="X"), told(about), KEY)
    event = content(made)
    assert made.url == "https://events.pagerduty.com/v2/enqueue"
    assert (event["event_action"], event["routing_key"]) == (action, KEY)
    assert event["dedup_key"] == "cockpit-01I"
    assert ("payload" in event) == (action == "trigger")


def test_pagerduty_is_told_how_bad() -> None:
    made = post(Destination(kind="pagerduty", env="X"), told(severity="P2"), KEY)
    payload = content(made)["payload"]
    assert isinstance(payload, dict)
    assert payload["severity"] == "warning"
    assert payload["summary"] == "P2 API down"
    assert payload["source"] == "api"
    eu = Destination(kind="pagerduty", env="X", url="https://events.eu.pagerduty.com/v2/enqueue")
    assert post(eu, told(), KEY).host == "events.eu.pagerduty.com"


def test_ntfy_has_a_title_an_urgency_and_an_id_that_stays() -> None:
    made = post(Destination(kind="ntfy", url="https://ntfy.sh/our-topic"), told(), "")
    assert made.url == "https://ntfy.sh"
    assert "Authorization" not in made.headers
    assert content(made) == {
        "topic": "our-topic",
        "title": "P0 API down",
        "message": "We look.",
        "sequence_id": "01M",
        "priority": 5,
    }
    by_token = Destination(kind="ntfy", url="https://n.example/t", env="X")
    assert post(by_token, told(), "tk_1").headers["Authorization"] == "Bearer tk_1"
    by_login = Destination(kind="ntfy", url="https://n.example/t", env="X", user="ops")
    assert post(by_login, told(), "pw").headers["Authorization"] == "Basic b3BzOnB3"
    with pytest.raises(Unfit, match="names no topic"):
        post(Destination(kind="ntfy", url="https://ntfy.sh/"), told(), "")


def test_a_webhook_has_the_id_of_the_message_as_its_key() -> None:
    made = post(Destination(kind="webhook", url="https://h.example/in"), told(), "")
    assert made.headers["Idempotency-Key"] == "01M"
    assert content(made)["written"] == "2026-11-22T03:12:00+00:00"
    secret = Destination(kind="webhook", env="X")
    assert post(secret, told(), "https://h.example/x9").url == "https://h.example/x9"


@pytest.mark.parametrize(
    "url", ["http://hooks.example.net/x", "hooks", "ftp://x/y", "https://", ""]
)
def test_a_secret_goes_only_where_nobody_listens(url: str) -> None:
    with pytest.raises(Unfit) as caught:
        post(Destination(kind="webhook", env="X"), told(), url)
    assert "example.net/x" not in str(caught.value), "the secret itself"
    token = Destination(kind="ntfy", url="http://n.example/t", env="X")
    with pytest.raises(Unfit, match="https://"):
        post(token, told(), "tk")


def test_what_is_too_long_is_cut_within_bytes_and_says_so() -> None:
    short = cut("ä" * 4000, 3900)
    assert len(short.encode()) <= 3900 and "cut here" in short
    assert cut("ä", 2) == "ä"


def test_a_message_says_how_late_it_is_and_that_it_may_be_a_duplicate() -> None:
    written = Moment(AT, 100.0, "boot")
    queued = e.MessageQueued(message="01M", to="x", about="update", text="one\ntwo")
    one = Outgoing(5, written, queued)

    def text(minutes: int, *, duplicate: bool = False) -> str:
        at = Moment(AT.replace(minute=AT.minute + minutes), 100.0 + 60 * minutes, "boot")
        return letter(one, Incident(), at, duplicate=duplicate).text

    assert text(1) == "one\ntwo"
    assert text(28) == "one\ntwo\n(written 03:12 UTC, sent 03:40)"
    assert text(0, duplicate=True) == "(possible duplicate) one\ntwo"
    assert text(2, duplicate=True).startswith("(possible duplicate) one\ntwo\n(written")
    next_day = Moment(AT.replace(day=23), 100.0 + 86400, "boot")
    assert letter(one, Incident(), next_day, duplicate=False).text.endswith(
        "(written 2026-11-22 03:12 UTC, sent 2026-11-23 03:12 UTC)"
    )
    # The wall clock was set back an hour meanwhile: it waited all the same.
    back = Moment(AT.replace(hour=2), 100.0 + 300, "boot")
    assert "written 03:12 UTC" in letter(one, Incident(), back, duplicate=False).text


def test_a_title_cannot_break_a_header() -> None:
    queued = e.MessageQueued(message="1", to="x", about="update", text="t", title="a\r\nBcc: b@c")
    made = letter(Outgoing(1, clock.moment(), queued), Incident(), clock.moment(), duplicate=False)
    assert "\n" not in made.subject and "\r" not in made.subject


# cockpit.yaml


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("{kind: slack}", "outbox.x must have env or command: the URL of its webhook is a secret"),
        (
            "{kind: slack, env: A, url: 'https://hooks.slack.com/services/T/B/x'}",
            "outbox.x.url is not for slack: it holds the secret, which never stands in"
            " cockpit.yaml; name it with env",
        ),
        ("{env: A}", "outbox.x must have kind"),
        ("", 'outbox.x is ""; it must hold lines of the form key: value'),
        ("{kind: pager}", 'outbox.x.kind is "pager"; it must be one of slack, pagerduty, ntfy,'),
        ("{kind: ntfy}", "outbox.x must have url: it says where: https://ntfy.sh/TOPIC"),
        ("{kind: slack, env: A, command: b}", "outbox.x has both env and command; keep the one"),
        ("{kind: webhook}", "outbox.x must have url, env or command: a URL that is no secret"),
        ("{kind: webhook, env: A, user: b}", "outbox.x.user needs url: what env or command gives"),
        ("{kind: ntfy, url: 'https://n/t', user: b}", "outbox.x.user needs a password"),
        ("{kind: ntfy, url: 'smtp://n'}", "outbox.x.url must be https://HOST/... for ntfy"),
        ("{kind: smtp, url: 'smtp://m'}", "outbox.x must have sender and to: a mail needs"),
        ("{kind: smtp, url: 'https://m', sender: a@b, to: c@d}", "outbox.x.url must be smtp://"),
        ("{kind: smtp, url: 'smtp://m', sender: a, to: c@d}", 'outbox.x.sender is "a"; it must'),
        ("{kind: smtp, url: 'smtp://m', sender: a@b, to: [c@d, 'e@f,g@h']}", "outbox.x.to[2] is"),
        (
            "{kind: smtp, url: 'smtp://m', sender: a@b, to: c@d, env: A}",
            "outbox.x has a password and nobody to log in as; add user",
        ),
        ("{kind: smtp, url: 'smtp://u:p@m', sender: a@b, to: c@d}", "outbox.x.url: secrets never"),
        ("{kind: slack, env: A, to: c@d}", "outbox.x.to is not for slack: slack takes command and"),
        ("{kind: slack, token: abc}", "outbox.x.token: secrets never stand in cockpit.yaml"),
    ],
)
def test_a_mistake_in_a_destination_names_line_and_mend(said: str, wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"outbox:\n  x: {said}\n", Path("/x/cockpit.yaml"), "cockpit.yaml")
    assert str(caught.value).startswith(f"cockpit.yaml:2: {wrong}")
    assert "services/T/B/x" not in str(caught.value) and "abc" not in str(caught.value)


def test_what_each_kind_may_be_told() -> None:
    found = parse(
        """\
outbox:
  a: {kind: slack, env: SLACK}
  b: {kind: pagerduty, command: pass show pd, url: "https://events.eu.pagerduty.com/v2/enqueue"}
  c: {kind: ntfy, url: "https://ntfy.sh/t", env: N, user: ops}
  d: {kind: webhook, url: "http://127.0.0.1:9000/in"}
  e: {kind: webhook, env: HOOK}
  f: {kind: smtp, url: "smtps://mail.example.net", sender: ops@example.net, to: all@example.net}
  g: {kind: apprise, env: APPRISE}
""",
        Path("/x/cockpit.yaml"),
        "cockpit.yaml",
    ).outbox
    assert list(found) == list("abcdefg")
    assert found["f"].to == ("all@example.net",)
