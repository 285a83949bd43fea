"""What others are told: whose words, what is filled in, what stays open, and what never leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.clocks import Pace, Rules
from cockpit.incident.events import Severity
from cockpit.incident.incident import Incident
from cockpit.oncall import gaps, handbook, messages
from cockpit.oncall.model import Contact, Handbook, Level, Template
from cockpit.responder import Chosen, Responder
from cockpit.runbook import parse
from cockpit.target import guard
from cockpit.text import Safe, clean

pytestmark = pytest.mark.anyio

AT = datetime(2026, 11, 21, 3, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 3, 19, 20, tzinfo=UTC)
SLOW = Incident(title=Safe("Checkout is slow"), severity=Severity.P1, started=AT, salt="5a17")
SECRET = "sk_live_4242424242424242"


def template(about: str, text: str) -> Handbook:
    return Handbook(templates=(Template(about, Safe(about.title()), Safe(text)),))


def said(text: str, incident: Incident = SLOW, **answers: str) -> str:
    return messages.draft(
        "update", template("update", text), incident, None, who="sam", now=NOW, given=answers
    ).text


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("{impact}", "impact"),
        ("{{ next_update }}", "next_update"),
        ("Incident: [Brief title]", "title"),
        ("Started: [Time]", "started"),
        ("Impact: [What's broken]", "impact"),
        ("Tried: [Recovery steps attempted]", "tried"),
        ("**Current state:** [Status now]", "state"),
        ("Need: [What you need help with]", "need"),
        ("Logs: [paste last 10 lines or attach file]", "logs"),
        ("- Root cause: <why it happened>", "cause"),
        ("Next update: HH:MM UTC", "next_update"),
        ("Next update in [X] minutes", "next_update"),
        ("Impact: ________", "impact"),
        ("P[severity] Alert", "severity"),
        ("Resolved - [brief description]", "title"),
        ("Fix: [brief description]", "fix"),
        ("SEV[1/2/3]", "severity"),
        ("[P?] It is slow", "severity"),
        ("[P0] the example of the author", "severity"),
        ("acknowledged by [name]", "who"),
        ("Hi [Name], I need help", "called"),
        ("**Hello** @[first name]: look", "called"),
        ("Dear ____,", "called"),
        ("Hi, [Name] here", "who"),
        ("Hi team, I am [Name]", "who"),
        ("the [i am sure that it is a gap]", "who"),
        ("Next update by [time]", "next_update"),
        ("Status: [investigating / identified / fixed]", "state"),
        ("The [colour of the moon] is", "colour_of_the_moon"),
    ],
)
def test_a_gap_is_known_in_every_style(line: str, name: str) -> None:
    assert [gap.name for gap in gaps.find(line)] == [name]


@pytest.mark.parametrize(
    "line",
    [
        "[RESOLVED] It is over.",
        "- [ ] look",
        "- [x] look",
        "[runbook](https://wiki.example.net/x)",
        "<https://status.example.net>",
        "line<br>break",
        "<li>one",
        "see <@U0423> <!here>",
    ],
)
def test_what_stands_in_brackets_and_is_meant_is_no_gap(line: str) -> None:
    assert not list(gaps.find(line))


def test_what_is_known_is_filled_in_as_the_team_writes_it() -> None:
    text = "[{severity}] {title}\nP[severity], SEV[X]: since {started} UTC\nStarted: [Time]"
    assert said(text).split("\n")[:3] == [
        "[P1] Checkout is slow",
        "P1, SEV2: since 03:12 UTC",
        "Started: 03:12 UTC",
    ]


def test_a_duration_that_ended_before_the_incident_did_says_so_on_its_own_line() -> None:
    mitigated, resolved = AT + timedelta(minutes=5), AT + timedelta(minutes=7)
    both = replace(SLOW, mitigated=mitigated, resolved=resolved)
    assert "Duration: 5 min (until mitigated)\n" in said("Duration: [X minutes]\nEnd", both)
    assert "down for 5 min." in said("It was down for {downtime}.", both)
    only = replace(SLOW, resolved=resolved)
    assert "Duration: 7 min\n" in said("Duration: [X minutes]\nEnd", only)


def test_every_update_states_the_next_one_in_whole_minutes() -> None:
    draft = messages.draft("update", None, SLOW, None, who="sam", now=NOW, given={})
    assert draft.text.endswith("Next update: 03:50 UTC.")
    assert draft.next_at == datetime(2026, 11, 21, 3, 50, tzinfo=UTC)
    assert said("We look.").endswith("We look.\nNext update: 03:50 UTC.")
    assert said("Next update in [X] minutes") == "Next update in 31 minutes"
    assert said("Next update in 10 min") == "Next update in 10 min"


def test_the_pace_is_that_of_the_handbook_and_of_the_severity() -> None:
    rules = Rules(paces={Severity.P1: Pace(0.0, 20 * 60.0)})
    assert messages.next_update(SLOW, rules, AT) == AT + timedelta(minutes=20)
    urgent = replace(SLOW, severity=Severity.P0)
    assert messages.next_update(urgent, Rules(), AT) == AT + timedelta(minutes=15)
    minor = replace(SLOW, severity=Severity.P2)
    assert messages.next_update(minor, Rules(), AT) is None
    assert said("Next update: {next_update} UTC.", minor) == (
        "Next update: when something changes."
    )


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("Next update: 03:40 UTC.", 20),
        ("next update at 04:05", 45),
        ("Next update in 15 minutes", 15),
        ("The next update comes in 2 h", 120),
        ("Next update: when something changes.", None),
        ("Updated at 03:40", None),
    ],
)
def test_the_promise_is_read_from_what_people_will_read(text: str, minutes: int | None) -> None:
    now = datetime(2026, 11, 21, 3, 20, tzinfo=UTC)
    expected = None if minutes is None else now + timedelta(minutes=minutes)
    assert messages.promised(text, now) == expected


def test_a_promise_over_midnight_is_tomorrows() -> None:
    late = datetime(2026, 11, 21, 23, 50, tzinfo=UTC)
    assert messages.promised("Next update: 00:05 UTC", late) == late + timedelta(minutes=15)


def test_what_is_not_known_is_asked_for_and_may_stay_open() -> None:
    book = template("update", "Impact: {impact}. Colour: [of the moon].")
    first = messages.draft("update", book, SLOW, None, who="sam", now=NOW, given={})
    assert [gap.name for gap in first.gaps] == ["impact", "of_the_moon"]
    assert "Impact: {impact}." in first.text and first.gaps[0].line.startswith("Impact:")
    answers = {"impact": "nobody can pay.", "of_the_moon": ""}
    then = messages.draft("update", book, SLOW, None, who="sam", now=NOW, given=answers)
    assert not then.gaps
    assert then.text.startswith("Impact: nobody can pay. Colour: not known yet.")


def test_a_severity_that_nobody_has_set_stays_a_question() -> None:
    undeclared = replace(SLOW, severity=None)
    assert said("[{severity}] x: P[severity]", undeclared, severity="").startswith("[P?] x: P?")
    assert "{severity}" in said("[{severity}] x", undeclared)


def test_secrets_never_leave_whoever_brought_them() -> None:
    text = said("Found: {found}\nLogs: {logs}", found=f"key {SECRET}", logs="a\npassword=hunter22")
    assert SECRET not in text and "hunter22" not in text
    assert messages.taken_out(text) == 2
    assert "Logs:\na\npassword=[REDACTED:" in text


def test_a_call_for_help_has_the_last_lines_of_the_log_whatever_the_template_says() -> None:
    book = template("escalation", "Help: {title}")
    log = {"logs": "timeout\ntimeout"}
    draft = messages.draft("escalation", book, SLOW, None, who="sam", now=NOW, given=log)
    assert draft.text.endswith("Checkout is slow\nLast lines of the log:\ntimeout\ntimeout")
    none = messages.draft("escalation", book, SLOW, None, who="sam", now=NOW, given={"logs": ""})
    assert none.text == "Help: Checkout is slow"


def test_foreign_text_cannot_steer_a_terminal() -> None:
    assert "\x1b" not in said("{title} {impact}", impact="\x1b]52;c;ZXZpbA==\x07 \x1b[2J")


_PIECES = ["{impact}", "{now}", "[X]", "[brief description]", f" {SECRET} ", "\x1b[2J", "HH:MM"]
_SIGNS = ["[", "]", "<", ">", "{", "}", "P", "SEV", ":", "__", "é", " min", " UTC", ".", "\n"]
_WORDS = st.sampled_from([*_PIECES, *_SIGNS, "Next update: "])


@given(st.lists(_WORDS, max_size=30).map("".join), st.text(max_size=20))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_template_and_no_answer_breaks_a_message(text: str, impact: str) -> None:
    draft = messages.draft(
        Template("update", Safe("Update"), clean(text)), None, SLOW, None,
        who="sam", now=NOW, given={"impact": impact},
    )  # fmt: skip
    assert SECRET not in draft.text and "\x1b" not in draft.text
    assert "{impact}" not in draft.text
    assert draft.text == clean(draft.text)
    asked = dict.fromkeys([gap.name for gap in draft.gaps], "")
    whole = messages.draft(
        Template("update", Safe("Update"), clean(text)), None, SLOW, None,
        who="sam", now=NOW, given={"impact": impact, **asked},
    )  # fmt: skip
    assert not whole.gaps


@pytest.mark.parametrize(
    "line",
    ["[" + "x" * 78 + "!]", " " * 4000 + "[x y]", "a: " * 1300 + "{b}", "[P0/" * 1000, "<a" * 2000],
)
def test_no_line_takes_long(line: str) -> None:
    before = time.process_time()
    list(gaps.find(line))
    messages.promised(line, NOW)
    assert time.process_time() - before < 10


def test_the_four_messages_are_always_there_and_the_team_has_the_last_word() -> None:
    book = template("resolved", "It is over: {cause}")
    names = [one.about for one in messages.templates(book)]
    assert names == ["acknowledged", "update", "escalation", "resolved"]
    assert messages.templates(book)[3].text == "It is over: {cause}"
    others = [Template(name, Safe(name), Safe("x")) for name in ("Bank", "Shift Report Template")]
    more = replace(book, templates=(*book.templates, *others))
    assert [one.about for one in messages.templates(more)][4:] == ["Bank"]


def test_the_responders_phone_is_theirs_and_not_anybodys() -> None:
    sam, kim = Contact(Safe("Sam Smith"), Safe("+49 30 1")), Contact(Safe("Kim"), Safe("+49 30 2"))
    book = template("update", "call {phone}")
    both = replace(book, levels=(Level(1, Safe("Primary"), (kim, sam)),))

    def phone(who: str) -> str:
        return messages.draft("update", both, SLOW, None, who=who, now=NOW, given={}).text

    assert phone("sam").startswith("call +49 30 1")
    assert phone("Kim").startswith("call +49 30 2")
    assert phone("lee").startswith("call {phone}")
    both = replace(book, levels=(Level(1, Safe("Primary"), (kim,)),))
    assert phone("root").startswith("call {phone}"), "nothing says that root is Kim"


BOOK = """# Disk full
## Diagnosis
### Step 1: Look
```bash
echo 97% used
```
### Step 2: Ask
Ask.
## Recovery
### Option 1: Free some
```bash
touch {scratch}/freed
```
### Option 2: Make room
```bash
false > {scratch}/room
```
## Verification
### Step 1: Is it well
```bash
true
```
"""


@asynccontextmanager
async def at_work(tmp_path: Path) -> AsyncIterator[Responder]:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    file = tmp_path / "book.md"
    file.write_text(BOOK.replace("{scratch}", str(tmp_path)))
    responder.open_runbook(parse.read(file))
    yield responder
    await responder.close()


async def run(responder: Responder, number: int) -> None:
    """Runs the only command of a step, as a screen does."""
    assert responder.runbook
    section, step = list(responder.runbook.steps())[number]
    chosen = Chosen(responder.runbook, section, step, step.commands[0])
    asked = guard.ask(responder.intent(step.commands[0].text, chosen))
    leave = guard.answer(asked, confirmed=True, typed="localhost", reason="a test")
    job = await responder.run(leave, chosen)
    async with asyncio.timeout(30):
        while not responder.incident.runs[job].over:
            await asyncio.sleep(0.02)


async def test_an_update_tells_what_was_found_and_done(tmp_path: Path) -> None:
    async with at_work(tmp_path) as responder:
        responder.declare("Disk full", Severity.P1, "shop")
        assert responder.runbook
        steps = [step for _, step in responder.runbook.steps()]
        await run(responder, 0)
        responder.done(steps[0])
        responder.done(steps[1])
        responder.note("The log grew since 02:00")
        responder.note("put back: the limit that was raised")
        await run(responder, 2)
        responder.done(steps[2])
        await run(responder, 3)
        responder.fail(steps[3], "not allowed")
        now = datetime.now(UTC)
        draft = messages.draft(
            "update", None, responder.incident, responder.runbook, who="sam", now=now,
            given={"impact": "no orders"},
        )  # fmt: skip
        lines = dict(line.partition(": ")[::2] for line in draft.text.split("\n")[1:])
        assert lines["Found"] == "Step 1: Look: 97% used; Step 2: Ask; The log grew since 02:00."
        assert lines["Done"] == (
            "Option 1: Free some (done, exit 0); Option 2: Make room (failed: not allowed, exit 1)."
        )
        assert lines["State"] == "identified; not verified since the last change."
        assert [gap.name for gap in draft.gaps] == ["next_step"]
        assert draft.gaps[0].offer == "Step 1: Is it well"


async def test_the_likely_message_follows_the_incident(tmp_path: Path) -> None:
    async with at_work(tmp_path) as responder:
        responder.declare("Disk full", Severity.P1)
        assert messages.likely(responder.incident) == "acknowledged"
        responder.tell("I need help", "escalation")
        assert messages.likely(responder.incident) == "acknowledged"
        responder.tell("I have it", "acknowledged")
        assert messages.likely(responder.incident) == "update"
        responder.resolve("a log", "rotated", "an alert")
        assert messages.likely(responder.incident) == "resolved"
        draft = messages.draft(
            "resolved", None, responder.incident, None, who="sam", now=NOW, given={}
        )
        assert not draft.gaps and draft.next_at is None
        assert "Cause: a log.\nFix: rotated.\nFollow-up: an alert." in draft.text
        assert isinstance(responder.incident.resolution, e.IncidentResolved)


def test_the_handbook_that_ships_asks_only_for_what_nobody_can_know() -> None:
    """The messages of the handbook that ships, with nothing but the incident to fill them in."""
    book = handbook.load(Config())
    for about, asked in [
        ("acknowledged", ["impact"]),
        ("update", ["impact", "found", "tried", "next_step"]),
        ("escalation", ["impact", "tried", "need", "phone"]),
        ("resolved", ["resolved", "cause", "fix", "follow_up"]),
    ]:
        draft = messages.draft(about, book, SLOW, None, who="sam", now=NOW, given={})
        assert [gap.name for gap in draft.gaps] == asked, about
        assert draft.text.startswith("[P1] Checkout is slow: ")
        opened = dict.fromkeys(asked, "")
        whole = messages.draft(about, book, SLOW, None, who="sam", now=NOW, given=opened)
        assert not whole.gaps and "{" not in whole.text
