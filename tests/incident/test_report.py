"""The incident log in markdown: facts, definitions, and nothing that could act."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from cockpit.incident import events as e
from cockpit.incident.incident import Incident, fold
from cockpit.incident.report import HEAD_LINES, TAIL_LINES, report
from cockpit.incident.timeline import line
from cockpit.text import Redactor

START = datetime(2026, 11, 21, 23, 50, tzinfo=UTC)
STEP = e.StepRef("01.md", "verification/health")


def told(*events: e.Event, every: int = 5) -> Incident:
    """The incident after these events, `every` minutes apart."""
    opened = e.JournalOpened(schema=1, incident="01JD", salt="ab" * 16, version="0")
    return fold(
        e.Record(
            seq=number,
            id=f"id{number}",
            ts=START + timedelta(minutes=every * max(0, number - 2)),
            mono=0.0,
            boot="b",
            writer="w",
            who="sam",
            event=event,
        )
        for number, event in enumerate((opened, *events), 1)
    )


def asked(
    command: str = "docker compose ps",
    risk: str = "read",
    phase: str = "diagnosis",
    evidence: str = "evidence/1",
) -> e.CommandRequested:
    return e.CommandRequested(
        job="j1", host="prod-1", command=command, root="/r", boot="b",
        risk=risk, gate="not asked", phase=phase, evidence=evidence,
    )  # fmt: skip


def finished(size: int = 3) -> e.CommandFinished:
    return e.CommandFinished(job="j1", exit_status=0, how="done", seconds=2.5, size=size)


WHOLE = told(
    e.IncidentStarted(),
    e.IncidentDeclared(title="Payments fail", severity=e.Severity.P0, service="kamiyo"),
    e.IncidentAcknowledged(),
    asked(),
    finished(),
    e.IncidentMitigated(note="restored"),
    e.IncidentResolved(cause="file moved", fix="put back", follow_up="alert on it"),
)


def test_the_header_has_severity_service_times_and_durations_with_their_definitions() -> None:
    text = report(WHOLE, lambda run: b"ok\n")
    assert text.startswith("# Payments fail\n")
    assert "- **Severity:** P0" in text
    assert "- **Service:** kamiyo" in text
    assert "| Total downtime | 25 min 0 s | from started to mitigated |" in text
    assert "| Time to acknowledge | 10 min 0 s | from started to acknowledged |" in text
    assert "| Time to mitigate | 20 min 0 s | from detected to mitigated |" in text
    assert "| Time to resolve | 30 min 0 s | from started to resolved |" in text
    assert "- **Cause:** file moved" in text


def test_what_was_never_recorded_is_not_awaited_once_it_is_over() -> None:
    assert "| acknowledged | not yet |" in report(told(e.IncidentStarted()), lambda run: b"")
    over = report(
        told(e.IncidentStarted(), e.IncidentResolved(cause="w", fix="x")), lambda run: b""
    )
    assert "| acknowledged | not recorded |" in over
    assert "not yet" not in over


def test_a_step_done_although_its_command_failed_says_so() -> None:
    run = replace(asked(), step=STEP, command_id="c1")
    ended = replace(finished(), exit_status=7)
    done = e.StepDone(step=STEP, title="Ask again")
    assert "- [x] Ask again (`docker compose ps`: exit 7)" in report(
        told(e.IncidentStarted(), run, ended, done), lambda run: b""
    )
    again = replace(run, job="j2"), replace(finished(), job="j2"), done
    assert "- [x] Ask again\n" in report(
        told(e.IncidentStarted(), run, ended, *again), lambda run: b""
    )


def test_the_timeline_says_the_day_where_it_changes_and_utc_once() -> None:
    text = report(WHOLE, lambda run: b"ok\n")
    timeline = text.split("## Timeline")[1].split("## Commands")[0]
    assert text.count("UTC") == 1
    assert timeline.index("**2026-11-21**") < timeline.index("[23:50] Incident started")
    assert timeline.index("[23:55]") < timeline.index("**2026-11-22**") < timeline.index("[00:00]")
    assert "[00:05] Run on prod-1: `docker compose ps`" in timeline


def test_each_command_has_host_exit_status_duration_and_output() -> None:
    commands = report(WHOLE, lambda run: b"NAME kamiyo\n").split("## Commands")[1]
    assert "```sh\ndocker compose ps\n```" in commands
    assert "- **Host:** prod-1" in commands
    assert "- **Ended:** exit 0" in commands
    assert "- **Duration:** 2.5 s" in commands
    assert "```\nNAME kamiyo\n```" in commands


def test_long_output_is_shortened_with_a_pointer_to_the_evidence() -> None:
    output = "".join(f"line {n}\n" for n in range(1000)).encode()
    incident = told(asked(evidence="evidence/0001-docker.txt"), finished(len(output)))
    text = report(incident, lambda run: output)
    left_out = 1000 - HEAD_LINES - TAIL_LINES
    assert f"{left_out} lines left out; " in text
    assert "evidence/0001-docker.txt beside the journal" in text
    assert "line 14\n" in text
    assert "line 500\n" not in text
    assert "line 999\n" in text


def test_what_is_still_open_is_said() -> None:
    incident = told(
        e.IncidentStarted(),
        asked("docker compose restart kamiyo", risk="change", phase="recovery"),
        e.StepFailed(step=STEP, title="Health answers", reason="503"),
    )
    text = report(incident, lambda run: b"").split("## Still open")[1]
    assert "not resolved" in text
    assert "Nobody has acknowledged it" in text
    assert "`docker compose restart kamiyo` on prod-1 is requested" in text
    assert "Failed step: Health answers" in text
    assert "No verification has passed since the last change" in text


def test_secrets_in_output_and_commands_are_redacted() -> None:
    secret = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    incident = told(asked(f"curl -H 'Authorization: Bearer {secret}' x"), finished())
    text = report(incident, lambda run: f"STRIPE_KEY={secret}\n".encode())
    assert secret not in text
    assert text.count("[REDACTED:") >= 2


def test_a_cut_beside_a_secret_makes_no_second_secret_of_it() -> None:
    redact = Redactor(b"ab" * 16)
    for lead in range(30):
        head = "x" * lead
        for secret in (
            "Authorization: Bearer sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "API_KEY=a1b2c3d4",
        ):
            command = redact(f'{head} "{secret}"; sleep 5; echo done; {"y" * 30}')
            text = report(told(asked(command), finished()), lambda run: b"")
            ended = next(row for row in text.split("\n") if " on prod-1: exit 0" in row)
            assert ended.count("`") == 2
            assert len(set(re.findall(r":([0-9a-f]{6})\]", text))) == 1, text
            assert redact(ended) == ended


def test_the_timeline_says_until_when_a_clock_was_put_off_and_no_length_nobody_chose() -> None:
    off = e.Snoozed(what="ladder", seconds=3660.0, reason="Kim is looking")
    said = line(off, told(e.IncidentStarted(), off))
    assert said == (
        "Put off until 2026-11-22 00:56 UTC: the answer of whom was called: Kim is looking"
    )
    soon = e.Snoozed(what="update", seconds=60.0, reason="on the phone")
    said = line(soon, told(soon))
    assert said == "Put off until 23:51 UTC: the next update: on the phone"


def test_a_message_that_may_have_arrived_is_not_said_to_be_unsent() -> None:
    queued = e.MessageQueued(message="m1", to="slack", about="update", text="One.")
    lost = e.MessageFailed(message="m1", why="no answer", ambiguous=True)
    assert line(lost, told(queued, lost)) == (
        "Message to slack (update): not known whether it arrived: no answer"
    )
    refused = e.MessageFailed(message="m1", why="403", final=True)
    assert line(refused, told(queued, refused)) == (
        "Message to slack (update): not sent, not tried again: 403"
    )


def test_pinned_lines_stand_below_where_they_are_from() -> None:
    pin = e.NoteAdded(text="Trace:\n  * line 3", source="log of web at 14:03:09 UTC", log="web")
    incident = told(pin, e.NoteAdded(text="after"))
    rows = report(incident, lambda run: b"").split("\n")
    at = next(n for n, row in enumerate(rows) if row.endswith("Log of web at 14:03:09 UTC:"))
    assert rows[at + 1 : at + 7] == ["", "```", "Trace:", "  * line 3", "```", ""]
    assert line(pin, incident) == "Log of web at 14:03:09 UTC: Trace: … and 1 more line"


HOSTILE = st.text(
    st.sampled_from("`*_[]()<>#|~&!\\\n\r\t\x1b\u202e\x9b-=+. aé$") | st.characters(), max_size=60
)


@given(HOSTILE, HOSTILE)
def test_no_text_becomes_markup(text: str, output: str) -> None:
    incident = told(
        e.IncidentDeclared(title=text, severity=e.Severity.P1, service=text),
        e.NoteAdded(text=text, source=text),
        e.NoteAdded(text=f"{text}\n{text}", source=text, log=text),
        asked(text),
        finished(),
        e.StepFailed(step=STEP, title=text, reason=text),
        e.IncidentResolved(cause=text, fix=text, follow_up=text),
    )
    written = report(incident, lambda run: output.encode("utf-8", "replace"))
    assert not [c for c in written if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
    tokens = MarkdownIt("commonmark").enable("table").parse(written)
    headings = [
        block.content
        for opening, block in pairwise(tokens)
        if opening.type == "heading_open" and opening.tag == "h2"
    ]
    assert headings == ["Resolution", "Timeline", "Commands", "Steps", "Still open"]
    kinds = {child.type for token in tokens for child in token.children or ()} | {
        token.type for token in tokens
    }
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "hr"}
