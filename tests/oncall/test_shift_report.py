"""What a shift is told to have been: from journals of the real Journal alone."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cockpit.clock import Moment
from cockpit.incident import events as e
from cockpit.incident.clocks import Rules
from cockpit.incident.incident import fold
from cockpit.oncall import shift as shifts
from cockpit.oncall.period import Period, Told, gather
from cockpit.oncall.shift import Shift
from cockpit.oncall.shift_report import handoff, report
from cockpit.text import Safe, clean_line
from tests.incident.journals import NIGHT, SECRET, START, STEP, asked, write

GOLDEN = Path(__file__).parent / "golden"
EVENING = START - timedelta(hours=4)
MORNING = START + timedelta(hours=9)
RATES = """# Rates are old

## Diagnosis

### Ask the source
```bash
curl -s rates
```

### Look at the rounds
```bash
docker logs aggregator
```

## Recovery

### Restart the aggregator
```bash
docker restart aggregator
```
"""
SHIFT: list[tuple[float, e.Event]] = [
    (0, e.ShiftStarted(until=START + timedelta(hours=8))),
    (0, e.ChecklistOpened(title="Before Your Shift", occasion="before the shift",
                          items=("Phone: charged", "Laptop: charged", "SSH works"))),
    (1, e.ItemTicked(title="Before Your Shift", occasion="before the shift",
                     item="Phone: charged")),
    (730, e.ChecklistOpened(title="Handoff", occasion="handoff", items=("Open incidents",))),
    (731, e.ItemTicked(title="Handoff", occasion="handoff", item="Open incidents")),
    (735, e.ShiftHandedOff(
        to="kim", temporary=("rates come from the second source until monday",),
        actions=("ask the source why @kim by wednesday",),
        lessons=("ring Lee before midnight",), document="handoff.md")),
    (745, e.ShiftReceived(by="kim", words="rates are on the second source; I put them back")),
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    (tmp_path / "rates.md").write_text(RATES)
    root = tmp_path / "incidents"
    write(root, "payments", NIGHT)
    rates = str(tmp_path / "rates.md")
    look = e.StepRef(rates, "x")
    write(
        root,
        "rates",
        [
            (0, e.IncidentStarted()),
            (0, e.RunbookOpened(path=rates, title="Rates are old", sha256="0")),
            (2, e.IncidentDeclared(title="Rates are old", severity=e.Severity.P2)),
            (4, e.IncidentAcknowledged()),
            (5, e.StepSkipped(step=look, title="Ask the source", reason="it answers nobody")),
            (6, e.CommandPrepared(command="docker restart aggregator", host="prod-1")),
            (7, e.NoteAdded(text="put back: the second source")),
            (8, e.EscalationNoted(who="Vendor", how="left message", reason="it is theirs")),
        ],
        start=START + timedelta(hours=2),
    )
    write(
        root,
        "practice",
        [
            (0, e.IncidentStarted(training=True)),
            (1, e.IncidentDeclared(title="Practice", severity=e.Severity.P0)),
            (2, e.IncidentAcknowledged()),
            (3, e.NoteAdded(text="temporary: nothing of this is real")),
        ],
        start=START + timedelta(hours=3),
    )
    write(
        root,
        "disk",
        [
            (0, e.IncidentStarted()),
            (1, e.IncidentDeclared(title="Disk full", severity=e.Severity.P1)),
            (300, e.IncidentAcknowledged()),
            (400, e.IncidentResolved(cause="logs", fix="removed them")),
        ],
        start=EVENING - timedelta(hours=3),
    )
    gone = write(
        root,
        "long-ago",
        [
            (0, e.IncidentStarted()),
            (1, e.IncidentDeclared(title="Long ago", severity=e.Severity.P0)),
            (2, e.IncidentResolved(cause="c", fix="f")),
        ],
        start=EVENING - timedelta(days=3),
    )
    written = (EVENING - timedelta(days=3)).timestamp()
    os.utime(gone / "journal.jsonl", (written, written))
    write(tmp_path / "shifts", "sam", SHIFT, start=EVENING)
    return tmp_path


def period(since: float = 0, until: float = 13) -> Period:
    """Hours after the shift began."""
    now = MORNING + timedelta(minutes=5)
    return gather(
        EVENING + timedelta(hours=since),
        EVENING + timedelta(hours=until),
        [one for _, one in shifts.known()],
        Rules(),
        Moment(now, now.timestamp(), "boot"),
        "UTC",
    )


def part(text: str, heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"no {heading} in\n{text}"
    return found[1].strip()


def compared(name: str, text: str) -> None:
    """With the golden file of that name."""
    text = re.sub(r"(REDACTED:\w+):[0-9a-f]{6}", r"\1:......", text)
    if os.environ.get("GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_a_report_reads_as_it_did_before(home: Path) -> None:
    compared("report.md", report(period()))


def test_a_handoff_reads_as_it_did_before(home: Path) -> None:
    found = period()
    compared("handoff.md", handoff(found.shifts[0], found))


def test_the_times_are_those_of_real_incidents_that_began_in_the_period(home: Path) -> None:
    times = part(report(period()), "How long it took")
    # Payments: 3 min; rates: 4 min; neither the practice nor the disk of the day before.
    assert "| MTTA | 3 min 30 s | 3 min 30 s | 2 of 2 | time to acknowledge:" in times
    assert "| MTTR | 35 min 0 s | 35 min 0 s | 1 of 2 | time to recover:" in times
    longer = part(report(period(since=-4)), "How long it took")
    # With the disk: 3, 4 and 300 min; its users were hurt until it was resolved, for 400.
    assert "| MTTA | 4 min 0 s | 1 h 42 min | 3 of 3 |" in longer
    assert "| MTTR | 3 h 37 min | 3 h 37 min | 2 of 3 |" in longer


def test_one_that_was_acknowledged_as_it_began_is_not_counted(home: Path) -> None:
    first_key: list[tuple[float, e.Event]] = [
        (0, e.IncidentStarted()),
        (0, e.IncidentAcknowledged()),
    ]
    write(home / "incidents", "first-key", first_key, start=START + timedelta(hours=4))
    times = part(report(period()), "How long it took")
    assert "| MTTA | 3 min 30 s | 3 min 30 s | 2 of 3 |" in times
    assert "For 1 of them MTTA is not counted: acknowledged as it began" in times
    assert "0.0 s" not in report(period())


def test_what_was_open_in_the_period_is_in_it_and_what_was_over_is_not(home: Path) -> None:
    names = [one.incident.title for one in period().incidents]
    assert names == ["Disk full", "Payments fail", "Rates are old", "Practice"]
    assert [one.incident.title for one in period(since=12).real] == ["Rates are old"]
    assert period(since=-90).real[0].incident.title == "Long ago"
    assert period(since=-300, until=-100).incidents == ()


def test_an_open_incident_says_how_it_goes_on(home: Path) -> None:
    text = part(report(period()), "Open incidents")
    assert "**Rates are old** (P2, investigating, since 2026-11-22 01:50)" in text
    assert "Next step: Ask the source (Diagnosis) (the runbook was edited since)" in text
    assert "Prepared, not sent, for prod-1: `docker restart aggregator`" in text
    (home / "rates.md").unlink()
    text = part(report(period()), "Open incidents")
    assert "Next step: its runbook cannot be read any more" in text


def test_empty_sections_say_none() -> None:
    nothing = Period(EVENING, MORNING, MORNING)
    for text in (report(nothing), handoff(Shift(who=Safe("sam")), nothing)):
        headings = re.findall(r"^## (.*)$", text, re.M)
        for heading in headings:
            if heading not in ("Incidents", "How long it took"):
                assert part(text, heading) == "None."
        assert "- **P0:** none\n- **P1:** none\n- **P2:** none\n- **P3:** none" in text


def test_a_training_is_counted_nowhere(home: Path) -> None:
    text = report(period())
    assert "- **Trainings:** 1, counted nowhere below" in text
    assert "nothing of this is real" not in text
    # Only as something that is still open.
    assert text.count("Practice") == 1
    assert "**Practice** (training, P0," in part(text, "Open incidents")


def test_what_is_handed_off_twice_is_said_once(home: Path) -> None:
    again = "the backup of 23:00 is in place; by tomorrow @lee"
    shift = [(0.0, e.ShiftStarted()), (720.0, e.ShiftHandedOff(temporary=(again, "another")))]
    write(home / "shifts", "lee", shift, start=EVENING)
    fixes = part(report(period()), "Temporary fixes")
    assert fixes.count(again.split(";")[0]) == 1
    assert "- another (sam, at the handoff)" in fixes


def test_damage_is_said_and_the_rest_is_used(home: Path) -> None:
    for journal in (*(home / "incidents").glob("*payments"), *(home / "shifts").glob("*")):
        lines = (journal / "journal.jsonl").read_bytes().splitlines(keepends=True)
        lines[3] = b"x" * (len(lines[3]) - 1) + b"\n"
        (journal / "journal.jsonl").write_bytes(b"".join(lines))
    found = period()
    assert len(found.damaged) == 2
    text = report(found)
    assert text.count("- **Damaged:** 1 place in the journal of ") == 2
    assert "data directory on the disk that was swapped" in text
    assert "I put them back" in text


def test_an_incident_of_which_nothing_can_be_read_is_not_passed_over(home: Path) -> None:
    (folder,) = (home / "incidents").glob("*rates")
    (folder / "journal.jsonl").write_bytes(b"nothing\n")
    text = report(period())
    assert f"- **Damaged:** 1 place in the journal of `{folder.name}`" in text
    assert folder.name in part(text, "Open incidents")


HOSTILE = st.text(
    st.sampled_from("`*_[]()<>#|~&!\\\n\r\t\x1b\u202e\x9b-=+. aé$@:") | st.characters(), max_size=60
)


def folded(events: Sequence[e.Event]) -> list[e.Record]:
    opened = e.JournalOpened(schema=1, incident="01JD", salt="ab" * 16, version="0")
    return [
        e.Record(
            seq=number, id=f"id{number}", ts=START, mono=0.0,
            boot="b", writer="w", who="sam", event=event,
        )
        for number, event in enumerate((opened, *events), 1)
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(HOSTILE)
def test_no_text_becomes_markup_and_no_secret_leaves(text: str) -> None:
    secret = f"key={SECRET}"
    incident = fold(
        folded(
            [
                e.IncidentStarted(),
                e.IncidentDeclared(title=text, severity=e.Severity.P1, service=text + secret),
                *(
                    e.NoteAdded(text=f"{kind}: x{text} {secret}")
                    for kind in ("temporary", "put back", "action", "lesson", "runbook", "lucky")
                ),
                asked("j1", text + secret, risk="change", step=STEP, phase="recovery"),
                e.CommandUnknown(job="j1", why=text),
                asked("j2", text + secret),
                e.CommandPrepared(command=text + secret, host=text),
                e.StepFailed(step=STEP, title=text, reason=text + secret),
                e.EscalationNoted(who=text, level=2, how=text, reason=text + secret),
                e.MessageQueued(message="m", to=text, about=text, text=text),
                e.MessageFailed(message="m", why=text + secret, final=True),
            ]
        )
    )
    shift = shifts.fold(
        folded(
            [
                e.ShiftStarted(),
                e.ChecklistOpened(title=text, occasion="handoff", items=(text + secret,)),
                e.ShiftHandedOff(to=text, temporary=(text,), actions=(text,), lessons=(text,)),
                e.ShiftReceived(by=text, words=text + secret),
            ]
        ),
        "x",
    )
    told = Told("name`", incident, next=clean_line(text))
    found = Period(EVENING, MORNING, MORNING, (told,), (shift,))
    for written in (report(found), handoff(shift, found)):
        assert SECRET not in written
        assert not [c for c in written if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
        tokens = MarkdownIt("commonmark").enable("table").parse(written)
        headings = [
            block.content
            for opening, block in pairwise(tokens)
            if opening.type == "heading_open" and opening.tag == "h2"
        ]
        assert headings == re.findall(r"^## (.*)$", written, re.M)
        assert len(headings) in (9, 12)
        kinds = {child.type for token in tokens for child in token.children or ()}
        kinds |= {token.type for token in tokens}
        assert not kinds & {"html_block", "html_inline", "link_open", "image", "hr"}
