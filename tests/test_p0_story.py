"""A whole P0 by keys in a real terminal, without any network; then what waited, with one again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.lab.fixtures import not_tested
from tests.screens.tmux import Terminal, cockpit

pytestmark = [pytest.mark.tmux, pytest.mark.root, pytest.mark.slow]

CONFIG = """\
handbook: ON_CALL.md
runbooks: [runbooks]
outbox:
  slack: {kind: slack, env: SLACK_URL}
"""
HANDBOOK = """\
# On-Call Handbook

## Severity

| Severity | Description | Respond within | Update every |
|----------|-------------|----------------|--------------|
| P0 | Nobody can pay | at once | 15 minutes |

## Escalation

### Level 1: Primary On-Call

- **Name:** Sam Hopper
- **Phone:** +49 30 901820
- **Availability:** 24/7

### Level 2: Senior Engineer

- **Name:** Ana Lovelace
- **Phone:** +49 30 901821
- **Timezone:** Europe/Berlin
- **Availability:** 24/7

**Escalation SLA:** Respond within 15 minutes.

### Level 3: Infrastructure Lead

- **Name:** Bo Turing
- **Phone:** +49 30 901822
- **Availability:** 24/7

**Escalation SLA:** Respond within 30 minutes.

### When to Escalate

- Recovery has not worked
- Data may be lost

## Message Templates

### Acknowledged

```text
[{severity}] {title}: I have it. Impact: {impact}. Next update: {next_update} UTC.
```

### Update

```text
[{severity}] {title}: tried {tried}. Next update: {next_update} UTC.
```

### Customers

```text
To our customers: {title} since {started} UTC. We are at it.
```

### Resolved

```text
[{severity}] {title}: resolved. Cause: {cause} Fix: {fix}
```

## Quick Commands

### Shop

```bash
# What is in the drawer
ls shop/drawer
```
"""
RUNBOOK = """\
# Shop Takes No Orders

**Severity:** P0

## Diagnosis

### Step 1: Is the drawer open?

```bash
test -e shop/open && echo it is open || echo it is shut
```

## Recovery

### Option 1: Turn the key

```bash
touch shop/key && test -e shop/open
```

### Option 2: Lift the lid

```bash
touch shop/open
```

## Verification

### Step 1: The drawer is open

```bash
test -e shop/open && echo it is open
# Expected: "it is open"
```
"""
ALONE = ("unshare", "--net")
"""Begins a network namespace that has no interface up, not even the loopback."""


class Slack(ThreadingHTTPServer):
    """A real server that takes what is posted; texts is what it was told, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Posted)
        self.texts: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/T/B/secret"


class _Posted(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.texts.append(body["text"])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def alone(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What to put before a command for it to have no network."""
    done = None
    if shutil.which(ALONE[0]):
        done = subprocess.run([*ALONE, "cat", "/proc/net/route"], capture_output=True, check=False)
    if done is None or done.returncode:
        not_tested(request, "a machine without a network", ["unshare --net does not work here"])
    assert done.stdout.count(b"\n") <= 1, "a route in a namespace that was to have none"
    return ALONE


class Desk:
    """A team's folder, with cockpit's state beside it."""

    def __init__(self, place: Path, slack: Slack) -> None:
        self.place = place
        self.environ = {
            "COCKPIT_HOME": str(place / "state"),
            "HOME": str(place),
            "SLACK_URL": slack.url,
            "DOCKER_HOST": f"unix://{place}/no.sock",
        }
        (place / "runbooks").mkdir()
        (place / "shop" / "drawer").mkdir(parents=True)
        (place / "shop" / "drawer" / "two coins").touch()
        for name, text in (
            ("cockpit.yaml", CONFIG),
            ("ON_CALL.md", HANDBOOK),
            ("runbooks/shop.md", RUNBOOK),
        ):
            (place / name).write_text(text)

    def open(self, alone: tuple[str, ...]) -> Terminal:
        return Terminal(
            [*alone, *cockpit("--new", "--runbook", "runbooks/shop.md")],
            size=(80, 24),
            environ=self.environ,
            cwd=self.place,
        )

    def call(self, *arguments: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
        """A plain command of cockpit: its exit status, and all that it said."""
        done = subprocess.run(
            [*before, *cockpit(*arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.place,
            env={**os.environ, **self.environ},
            check=False,
        )
        return done.returncode, done.stdout

    @property
    def folder(self) -> Path:
        (folder,) = (self.place / "state" / "incidents").iterdir()
        return folder

    def events(self, kind: str) -> list[dict[str, object]]:
        """Events of that kind, by the journal on disk."""
        # The last line may still be on its way to the disk.
        lines = (self.folder / "journal.jsonl").read_bytes().rpartition(b"\n")[0].splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def until(self, true: Callable[[], bool], terminal: Terminal) -> None:
        by = time.monotonic() + 30
        while not true():
            assert time.monotonic() < by, terminal.screen()
            time.sleep(0.05)


@pytest.fixture
def desk(tmp_path: Path, slack: Slack) -> Desk:
    return Desk(tmp_path, slack)


def press(terminal: Terminal, key: str, pattern: str) -> None:
    """A key in a dialog that throws away what was pressed before it was drawn: then once more."""
    for _ in range(2):
        terminal.keys(key)
        try:
            terminal.wait(pattern, patience=10)
        except AssertionError:
            continue
        return
    terminal.keys(key)
    terminal.wait(pattern)


def tell(terminal: Terminal, which: str, *answers: str) -> None:
    """U, a message by its name, what it asks for, and to the outbox."""
    terminal.keys("U")
    terminal.wait("which message")
    terminal.type(which)
    terminal.wait(f"> {which}")
    terminal.keys("Enter")
    for answer in answers:
        terminal.wait("what only you know")
        terminal.type(answer)
        terminal.keys("Enter")
    terminal.wait("exactly this is told")
    terminal.keys("C-s")
    terminal.wait("Where does it go")
    terminal.wait(r"\[x\] slack")
    press(terminal, "Enter", "Queued for slack")


def run(terminal: Terminal, end: str) -> None:
    """Enter on a command that changes something, and through the gate."""
    terminal.keys("Enter")
    terminal.wait("y runs it")
    press(terminal, "y", end)


def test_a_p0_without_a_network_and_what_waited_is_sent_when_there_is_one(
    desk: Desk, slack: Slack, alone: tuple[str, ...]
) -> None:
    status, said = desk.call("shift", "start", before=alone)
    assert status in (0, 1), said
    with desk.open(alone) as terminal:
        declare_and_acknowledge(terminal, desk)
        try_in_vain(terminal)
        climb_the_ladder(terminal, desk)
        mind_the_clocks(terminal, desk)
        mend_and_resolve(terminal, desk)
    assert slack.texts == [], "nothing can have left"
    what_is_on_disk(desk)
    what_the_plain_commands_say(desk, alone)
    assert slack.texts == []
    with_a_network_again(desk, slack)


def declare_and_acknowledge(terminal: Terminal, desk: Desk) -> None:
    terminal.wait("Shop Takes No Orders")
    terminal.keys("S")
    terminal.wait("how bad is it")
    terminal.keys("0")
    terminal.wait("P0 +Shop Takes No Orders .*breathe: ")
    terminal.keys("A")
    terminal.wait("Acknowledged. U tells")
    tell(terminal, "Acknowledged", "nobody can pay")
    terminal.wait("1 to send")
    desk.until(lambda: bool(desk.events("message.failed")), terminal)
    terminal.keys("O")
    terminal.wait(r"waiting +slack · acknowledged")
    terminal.wait("Network is unreachable")
    terminal.keys("Escape")


def try_in_vain(terminal: Terminal) -> None:
    terminal.wait("> .* Step 1: Is the drawer open")
    terminal.keys("Enter")
    terminal.wait("│ it is shut")
    terminal.keys("Space")
    terminal.wait(r"\[x\] Step 1: Is the drawer open")
    terminal.wait(r"> \( \) Option 1")
    run(terminal, "FAILED exit 1")
    terminal.keys("f")
    terminal.wait("What was wrong")
    terminal.type("it will not turn")
    terminal.keys("Enter")
    terminal.wait(r"\(!\) Option 1: Turn the key \(it will not turn\)")
    terminal.keys(":")
    terminal.wait("What to do")
    terminal.type("drawer")
    terminal.wait("> Shop: What is in the drawer  reads: ls shop/drawer")
    terminal.keys("Enter")
    terminal.wait("two coins\n.*exit 0 after")
    terminal.keys("Escape")
    terminal.wait("Option 1")


def climb_the_ladder(terminal: Terminal, desk: Desk) -> None:
    terminal.keys("E")
    terminal.wait("Call Ana Lovelace, level 2")
    terminal.wait("3 Infrastructure Lead")
    press(terminal, "c", r"\[x\] Recovery has not worked")
    terminal.keys("j", "Space")
    terminal.wait(r"\[x\] Data may be lost")
    terminal.keys("Enter")
    terminal.wait("What speaks for it", gone=True)
    terminal.keys("l")
    terminal.wait("Noted: Ana Lovelace, left message")
    terminal.wait("has until")
    terminal.keys("j")
    terminal.wait("Bo Turing · level 3")
    terminal.keys("r")
    terminal.wait("Noted: Bo Turing, reached")
    terminal.keys("Escape")
    terminal.wait("Runbook 1/3")
    # They are said at once, and on disk a moment later.
    desk.until(lambda: len(desk.events("escalation.noted")) == 2, terminal)
    first, second = desk.events("escalation.noted")
    assert (first["called"], first["level"], first["how"]) == ("Ana Lovelace", 2, "left message")
    assert first["criteria"] == ["Recovery has not worked", "Data may be lost"]
    assert first["within"] == 15 * 60
    assert (second["called"], second["level"], second["how"]) == ("Bo Turing", 3, "reached")


def mind_the_clocks(terminal: Terminal, desk: Desk) -> None:
    terminal.keys("D")
    terminal.wait("What is due")
    terminal.wait(r"> Update \d\d:\d\d UTC, in 1\d min · O +Tell others: your message")
    press(terminal, "5", r"Put off until \d\d:\d\d UTC: update. Why")
    terminal.type("Bo writes it")
    terminal.keys("Enter")
    terminal.wait(r"not reminded of that until \d\d:\d\d UTC")
    desk.until(lambda: bool(desk.events("clock.snoozed")), terminal)
    (snoozed,) = desk.events("clock.snoozed")
    # Five minutes after it would have been due.
    assert snoozed["what"] == "update"
    assert 300 + 600 < float(str(snoozed["seconds"])) <= 300 + 1020
    assert snoozed["reason"] == "Bo writes it"
    tell(terminal, "Update")
    terminal.wait("2 to send")


def mend_and_resolve(terminal: Terminal, desk: Desk) -> None:
    terminal.keys("j")
    terminal.wait(r"> \( \) Option 2")
    run(terminal, "OK exit 0")
    terminal.keys("Space")
    terminal.wait(r"> \[ \] Step 1: The drawer is open")
    terminal.keys("Enter")
    terminal.wait('matches: printed "it is open"')
    terminal.keys("Space")
    terminal.wait(r"\[x\] Step 1: The drawer is open")
    terminal.keys("M")
    terminal.wait("By what")
    terminal.type("the lid is up")
    terminal.keys("Enter")
    terminal.wait("By what", gone=True)
    terminal.keys("R")
    for question, answer in (
        ("Cause", "The lid was shut."),
        ("Fix", "We lifted it."),
        ("Follow-up", "action: alert on a shut lid"),
    ):
        terminal.wait(rf"{question}\?")
        terminal.type(answer)
        terminal.keys("Enter")
    terminal.wait("resolved after .* 2 wait for you: O")
    desk.until(lambda: (desk.folder / "post-incident.md").exists(), terminal)
    tell(terminal, "Customers")
    tell(terminal, "Resolved")
    terminal.keys("q")
    terminal.wait(r"4\s+messages\s+are\s+not\s+sent\s+yet")
    terminal.wait("exit status 0")


def what_is_on_disk(desk: Desk) -> None:
    assert (desk.place / "shop" / "open").exists()
    commands = [str(event["command"]).strip() for event in desk.events("command.requested")]
    assert commands == [
        "test -e shop/open && echo it is open || echo it is shut",
        "touch shop/key && test -e shop/open",
        "ls shop/drawer",
        "touch shop/open",
        "test -e shop/open && echo it is open",
    ]
    ends = [event["exit_status"] for event in desk.events("command.finished")]
    assert ends == [0, 1, 0, 0, 0]
    queued = [event["about"] for event in desk.events("message.queued")]
    assert queued == ["acknowledged", "update", "Customers", "resolved"]
    attempts, failures = desk.events("message.attempted"), desk.events("message.failed")
    assert len(attempts) == len(failures) > 0, "each attempt's end is known"
    assert not any(event["ambiguous"] or event["final"] for event in failures)
    assert all("unreachable" in str(event["why"]) for event in failures)
    (resolved,) = desk.events("incident.resolved")
    assert resolved["unverified"] == "", "a verification had passed"
    review = (desk.folder / "post-incident.md").read_text()
    for fact in (
        "# Shop Takes No Orders",
        "The lid was shut.",
        "We lifted it.",
        "Escalated to Ana Lovelace, level 2: left message",
        "Bo Turing",
        "Option 1: Turn the key (it will not turn)",
    ):
        assert fact in review, fact
    assert "was not sent when this was written: waiting" in review
    assert "Others were told at least" not in review, "nobody had heard anything by then"
    log = (desk.folder / "incident.md").read_text()
    assert "ls shop/drawer" in log, "a quick command is in the log as well"


def what_the_plain_commands_say(desk: Desk, alone: tuple[str, ...]) -> None:
    status, report = desk.call("shift", "report", before=alone)
    assert status == 0, report
    for fact in ("Shop Takes No Orders", "P0", "Ana Lovelace", "alert on a shut lid"):
        assert fact in report, report
    status, listed = desk.call("outbox", "list", before=alone)
    assert status == 0
    _, *rows, how = listed.strip().split("\n")
    assert "cockpit outbox release ID; else: cockpit outbox cancel ID" in how
    assert [row.split()[2] for row in rows] == ["acknowledged", "update", "Customers", "resolved"]
    assert ["asks first: the incident was resolved" in row for row in rows] == [
        True, True, False, False,
    ]  # fmt: skip
    status, said = desk.call("outbox", "send", before=alone)
    assert status == 1, said


def with_a_network_again(desk: Desk, slack: Slack) -> None:
    status, said = desk.call("outbox", "send")
    assert status == 1, "two are out of date"
    assert len(slack.texts) == 2, said
    customers, resolved = slack.texts
    assert "To our customers: Shop Takes No Orders since" in customers
    assert "resolved. Cause: The lid was shut. Fix: We lifted it." in resolved
    asked = re.findall(r"cockpit outbox release (\w+); else: cockpit outbox cancel (\w+)", said)
    assert len(asked) == 2, said
    status, said = desk.call("outbox", "release", asked[0][0])
    assert len(slack.texts) == 3, said
    assert "I have it. Impact: nobody can pay." in slack.texts[2]
    status, said = desk.call("outbox", "cancel", asked[1][1], "--reason", "they know")
    assert status == 0, said
    status, said = desk.call("outbox", "send")
    assert status == 0, said
    assert len(slack.texts) == 3
    assert not any("possible duplicate" in text for text in slack.texts), "none was ambiguous"
    assert len(desk.events("message.sent")) == 3
    (cancelled,) = desk.events("message.cancelled")
    assert cancelled["why"] == "they know"
    assert desk.call("outbox", "list") == (0, "Nothing waits to be sent.\n")
