"""The post-incident document: all that is known is in it, and nothing in it can act."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from cockpit.cli import main
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.clocks import Rules
from cockpit.incident.history import read
from cockpit.incident.incident import Incident, fold
from cockpit.incident.markdown_file import write_new
from cockpit.incident.review import FORMS, review
from cockpit.responder import Responder
from tests.incident.journals import CHECK, NIGHT, SECRET, START, STEP, asked, ended, write

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def night(tmp_path: Path) -> Incident:
    """A P0 as the real journal keeps it."""
    return fold(read(write(tmp_path / "incidents", "payments", NIGHT)).records)


def told(*events: tuple[float, e.Event]) -> Incident:
    """An incident of these events, in minutes after its start."""
    opened = (0, e.JournalOpened(schema=1, incident="01JD", salt="ab" * 16, version="0"))
    return fold(
        e.Record(
            seq=number, id=f"id{number}", ts=START + timedelta(minutes=minutes), mono=0.0,
            boot="b", writer="w", who="sam", event=event,
        )
        for number, (minutes, event) in enumerate((opened, *events), 1)
    )  # fmt: skip


def part(text: str, heading: str) -> str:
    """What stands below a heading."""
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", text, re.M | re.S)
    assert found, f"no {heading} in\n{text}"
    return found[1].strip()


@pytest.mark.parametrize("form", FORMS)
def test_a_night_reads_as_it_did_before(night: Incident, form: str) -> None:
    text = review(night, form, rules=Rules()).replace(night.id, "INCIDENT")
    text = re.sub(r"(REDACTED:\w+):[0-9a-f]{6}", r"\1:......", text)
    file = GOLDEN / f"review-{form}.md"
    if os.environ.get("GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_what_the_journal_knows_is_filled_in(night: Incident) -> None:
    text = review(night, rules=Rules())
    assert "P0: Payments fail (kamiyo), from 2026-11-21 23:50. It hurt for 35 min 0 s." in text
    assert "| Time as P1 | 4 min 0 s |" in text
    assert "| Time as P0 | 30 min 0 s |" in text
    assert "212 orders stayed open" in part(text, "Impact")
    assert "data directory on the disk that was swapped." in part(text, "Root cause")
    well, badly = part(text, "What went well"), part(text, "What went badly")
    assert "- Acknowledged after 3 min 0 s." in well
    assert "- It was diagnosed before anything was changed." in well
    assert "- A verification passed after the last change." in well
    assert "The link to prod-1 was lost for 12 min 0 s in all." in badly
    assert "`docker compose restart kamiyo | cat` on prod-1: exit 1." in badly
    assert (
        "The longest time without an update was 27 min 0 s; 15 min is the limit for a P0." in badly
    )
    assert (
        "The message to slack (acknowledged) was not sent when this was written: failed, 403"
        in badly
    )
    assert "Kim was called at 00:15 UTC: no answer." in badly
    assert "not a day" in part(text, "Where we were lucky")


def test_the_follow_ups_have_an_owner_and_a_day_or_say_that_nobody_has_them(
    night: Incident,
) -> None:
    rows = part(review(night, rules=Rules()), "Follow-ups").split("\n")
    assert rows[0] == "| What | Owner | Due |"
    assert "| alert on a missing file @sam | sam | not set |" in rows
    assert "| test the restore each week, by 2026-12-01 @kim | kim | 2026-12-01 |" in rows
    assert any(row.startswith("| Put back: ") and "nobody yet" in row for row in rows)


def test_a_command_that_worked_at_the_second_try_is_not_held_against_the_runbook() -> None:
    change = asked("j1", "restart it", risk="change", phase="recovery", step=STEP)
    first = [(1.0, change), (2.0, ended("j1", 1))]
    again = [(3.0, replace(change, job="j2")), (4.0, ended("j2", 0))]
    assert "`restart it`: exit 1" in part(
        review(told(*first), rules=Rules()), "Runbook updates needed"
    )
    assert "exit 1" not in part(
        review(told(*first, *again), rules=Rules()), "Runbook updates needed"
    )


def test_an_incident_that_began_with_its_acknowledgement_is_not_praised_for_that() -> None:
    begun = (0.0, e.IncidentStarted()), (0.001, e.IncidentAcknowledged())
    text = review(told(*begun), rules=Rules())
    assert "| Acknowledged after | not known |" in text
    assert "Acknowledged after 0" not in text and "Nobody acknowledged it" not in text
    known = (1.0, e.TimeCorrected(seq=2, at=START - timedelta(minutes=4), reason="the pager"))
    assert "- Acknowledged after 4 min 0 s." in review(told(*begun, known), rules=Rules())


def test_what_was_done_blindly_or_without_proof_is_said() -> None:
    change = asked("j1", "restart it", risk="change", phase="recovery", reason="it is on fire")
    incident = told(
        (0, e.IncidentStarted()),
        (20, e.IncidentAcknowledged()),
        (21, change),
        (21, e.CommandClaimed(job="j1")),
        (22, ended("j1", 0)),
        (23, e.IncidentResolved(cause="c", fix="f", unverified="customers say it is well")),
        (30, e.IncidentReopened(reason="it came back")),
        (40, e.IncidentResolved(cause="the real one", fix="f2")),
    )
    text = review(incident, rules=Rules())
    badly = part(text, "What went badly")
    assert "Acknowledged after 20 min 0 s; 5 min is the limit." in badly
    assert "changed before any diagnosis. The reason given: it is on fire" in badly
    assert "Opened again at 00:20 UTC: it came back" in badly
    assert "held to be: c" in part(text, "Root cause")


def test_what_may_still_be_sent_is_not_called_never_sent() -> None:
    begun = [
        (0.0, e.IncidentStarted()),
        (1.0, e.MessageQueued(message="m1", to="slack", about="update", text="One.")),
        (1.0, e.MessageQueued(message="m2", to="hook", about="update", text="Two.")),
        (2.0, e.MessageFailed(message="m1", why="403", final=True)),
        (3.0, e.MessageCancelled(message="m2", why="not needed")),
        (4.0, e.IncidentResolved(cause="c", fix="f")),
    ]
    text = review(told(*begun), rules=Rules())
    assert "The journal's last entry then was of 2026-11-21 23:54." in text
    others = part(text, "What others were told")
    assert "Not sent when this was written, to slack (update): failed, 403" in others
    assert "Never sent, to hook (update): cancelled" in others
    later = [(5.0, e.MessageReleased(message="m1")), (5.0, e.MessageSent(message="m1"))]
    assert "slack" not in part(review(told(*begun, *later), rules=Rules()), "What others were told")


def test_what_nobody_wrote_is_asked_for_in_every_form() -> None:
    bare = told((0, e.IncidentStarted()), (9, e.IncidentResolved(cause="", fix="")))
    for form in FORMS:
        assert review(bare, form, rules=Rules()).count("Not written yet: ") >= 6
    assert "Nobody acknowledged it." in review(bare, rules=Rules())
    assert "not resolved yet" in review(told((0, e.IncidentStarted())), rules=Rules())


def test_the_forms_have_the_sections_that_their_readers_look_for(night: Incident) -> None:
    def headings(form: str) -> list[str]:
        return re.findall(r"^##+ (.*)$", review(night, form, rules=Rules()), re.M)

    google = headings("google")
    assert [name for name in google if name in GOOGLE] == GOOGLE
    pagerduty = headings("pagerduty")
    assert [name for name in pagerduty if name in PAGERDUTY] == PAGERDUTY


GOOGLE = [
    "Summary", "Impact", "Root Causes", "Trigger", "Resolution", "Detection", "Action Items",
    "Lessons Learned", "What went well", "What went wrong", "Where we got lucky", "Timeline",
    "Supporting information",
]  # fmt: skip
PAGERDUTY = [
    "Overview", "What Happened", "Contributing Factors", "Resolution", "Impact", "Responders",
    "Timeline", "How'd We Do?", "What Went Well?", "What Didn't Go So Well?", "Action Items",
    "Messaging",
]  # fmt: skip


def test_no_secret_leaves(night: Incident) -> None:
    leaked = told(
        (0, e.NoteAdded(text=f"temporary: the key is {SECRET}")),
        (1, asked("j1", f"curl -H 'Authorization: Bearer {SECRET}' x", risk="change")),
        (2, ended("j1", 7, f"STRIPE_KEY={SECRET}")),
        (3, e.IncidentResolved(cause=SECRET, fix=SECRET, follow_up=SECRET, unverified=SECRET)),
    )
    for form in FORMS:
        for incident in (night, leaked):
            text = review(incident, form, rules=Rules(), trouble=SECRET)
            assert SECRET not in text
            assert "[REDACTED:" in text.replace("\\", "")


HOSTILE = st.text(
    st.sampled_from("`*_[]()<>#|~&!\\\n\r\t\x1b\u202e\x9b-=+. aé$@:") | st.characters(), max_size=60
)


@settings(max_examples=40, deadline=None)
@given(HOSTILE, st.sampled_from(sorted(FORMS)))
def test_no_text_becomes_markup(text: str, form: str) -> None:
    incident = told(
        (0, e.IncidentDeclared(title=text, severity=e.Severity.P1, service=text)),
        *((1, e.NoteAdded(text=f"{kind}: x{text}")) for kind in ("action", "lucky", "runbook")),
        (2, asked("j1", text, risk="change", reason=text, step=STEP, phase="recovery")),
        (3, ended("j1", 1, text)),
        (4, e.StepFailed(step=STEP, title=text, reason=text)),
        (4, e.StepSkipped(step=CHECK, title=text, reason=text)),
        (5, e.EscalationNoted(who=text, level=2, how=text, reason=text)),
        (6, e.UpdateSent(text=text, about=text, to=(text,))),
        (7, e.MessageQueued(message="m", to=text, about=text, text=text)),
        (8, e.ThresholdCrossed(host="h", what=text, words=text)),
        (9, e.IncidentResolved(cause=text, fix=text, follow_up=text, unverified=text)),
    )
    written = review(incident, form, rules=Rules())
    assert not [c for c in written if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
    tokens = MarkdownIt("commonmark").enable("table").parse(written)
    found = [
        f"{opening.markup} {block.content}"
        for opening, block in pairwise(tokens)
        if opening.type == "heading_open" and opening.tag != "h1"
    ]
    assert found == [heading for heading, _ in FORMS[form] if heading]
    kinds = {child.type for token in tokens for child in token.children or ()}
    kinds |= {token.type for token in tokens}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "hr"}
    for table in written.split("\n\n"):
        rows = [row for row in table.split("\n") if row.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) for row in rows}
        assert len(widths) <= 1, table


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():
            await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_it_is_written_once_beside_the_journal_and_what_people_wrote_stays(
    tmp_path: Path,
) -> None:
    responder = Responder(tmp_path / "incidents", "sam", Config())
    responder.declare("Disk full", e.Severity.P2)
    assert responder.folder is not None
    first = responder.folder / "post-incident.md"
    responder.note("badly: nobody looked")
    await until(lambda: (first.parent / "incident.md").exists())
    assert not first.exists()
    responder.resolve("logs", "removed them")
    assert await responder.log.review_written() == ""
    assert "nobody looked" in part(first.read_text(), "What went badly")
    first.write_text("as people wrote it")
    responder.reopen("full again")
    responder.resolve("a loop", "ended it")
    assert responder.log.review_name == "post-incident-2.md"
    await responder.close()
    assert first.read_text() == "as people wrote it"
    second = (first.parent / "post-incident-2.md").read_text()
    assert "Before it was opened again, it was held to be: logs" in second
    assert not list(first.parent.glob(".incident.md.*"))


@pytest.mark.anyio
async def test_a_cockpit_that_was_killed_before_it_could_write_it_writes_it_the_next_time(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path / "incidents", "payments", NIGHT)
    responder = Responder(tmp_path / "incidents", "sam", Config())
    responder.take_up(folder)
    await responder.close()
    assert part((folder / "post-incident.md").read_text(), "Trigger").startswith("- the disk was")


def test_the_command_prints_it_saves_it_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    name = write(tmp_path / "incidents", "payments", NIGHT).name

    def call(*more: str) -> Result:
        return CliRunner().invoke(main, ["incident", "review", name, *more])

    printed = call("--format", "google")
    assert printed.exit_code == 0
    assert "## Where we got lucky" in printed.output.replace("###", "##")
    assert call("-o", "review.md").output == "Saved to review.md\n"
    Path("review.md").write_text("as people wrote it")
    again = call("-o", "review.md")
    assert again.exit_code == 2
    assert "review.md is there already" in again.stderr
    assert Path("review.md").read_text() == "as people wrote it"
    assert call("-o", "no/such/dir/review.md").exit_code == 2
    assert call("--format", "other").exit_code == 2


def test_a_file_that_is_there_stays_also_where_the_disk_knows_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: Path, target: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(self))

    monkeypatch.setattr(Path, "hardlink_to", none)
    file = tmp_path / "post-incident.md"
    assert write_new(file, "ours") == ""
    assert write_new(file, "again") == ""
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == "ours"


def test_a_damaged_journal_is_said_and_the_rest_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    folder = write(tmp_path / "incidents", "payments", NIGHT)
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[6] = b"\x00" * len(lines[6].strip()) + b"\n"
    journal.write_bytes(b"".join(lines))
    said = CliRunner().invoke(main, ["incident", "review", folder.name])
    assert said.exit_code == 1
    assert "places in the journal are damaged" in said.stderr
    assert "**Journal:** " in said.stdout
    assert "- the disk was swapped" in said.stdout
