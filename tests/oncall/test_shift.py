"""A shift from its start to its receipt, at the real command line."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cockpit import clock
from cockpit.cli import main
from cockpit.cli_given import Mistake
from cockpit.cli_shift import moment
from cockpit.incident import events as e
from cockpit.incident.journal import Journal
from cockpit.oncall import checks, kept, result
from cockpit.oncall import shift as shifts
from cockpit.oncall.model import Checklist, Handbook, Occasion
from cockpit.oncall.shift import Shift
from cockpit.text import Safe
from tests.incident.journals import NIGHT, SECRET, write
from tests.plain_cli import COCKPIT
from tests.screens.pty_terminal import Terminal

HANDBOOK = """# On-Call Handbook

## Before Your Shift

- [ ] Phone: charged
- [ ] Laptop: charged

## Handoff

- [ ] Open incidents: state and next step
- [ ] What was mended for now only
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "sam")
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("COCKPIT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ON_CALL.md").write_text(HANDBOOK)
    return tmp_path


def call(*arguments: str, user: str = "sam") -> subprocess.CompletedProcess[str]:
    """Without a terminal, as a script would."""
    return subprocess.run(
        [COCKPIT, "shift", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, env={**os.environ, "LOGNAME": user}, check=False,
    )  # fmt: skip


def told(*arguments: str, user: str = "sam") -> Result:
    """The same within this process, where only the words matter."""
    return CliRunner().invoke(main, ["shift", *arguments], env={"LOGNAME": user})


def newest() -> Shift:
    return shifts.known()[0][1]


@pytest.fixture
def all_well(home: Path) -> None:
    """The last check said so, a moment ago."""
    assert kept.keep("ready", [], clock.now()) == ""


def test_what_was_ticked_in_the_check_is_not_asked_again(home: Path) -> None:
    items = [result.Result(Safe("Phone: charged"), result.Mark.YOURS, checks.TODO)]
    ticked, unknown = checks.ticked(items, ["phone"])
    assert not unknown
    assert kept.keep("ready", ticked, clock.now()) == ""
    said = told("start").output
    assert "Before Your Shift (1 of 2 done)" in said
    assert "[x] Phone: charged" in said and "[ ] Laptop: charged" in said
    assert newest().lists[0].left == ("Laptop: charged",)


def test_the_handbook_that_ships_is_named_and_gives_way_to_the_teams_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "elsewhere").mkdir()
    monkeypatch.chdir(home / "elsewhere")
    begun = told("start").output
    assert "Handbook: the one that comes with cockpit, as there is no ON_CALL.md here." in begun
    assert len(newest().lists[0].items) > 2
    monkeypatch.chdir(home)
    (home / "ON_CALL.md").write_text(HANDBOOK.replace("## Before Your Shift", "## Pre-shift"))
    again = told("start").output
    assert "Handbook: ON_CALL.md" in again and "comes with cockpit" not in again
    assert "Pre-shift (0 of 2 done)" in again and "Before Your Shift" not in again
    monkeypatch.chdir(home / "elsewhere")
    told("start")
    assert [str(one.title) for one in newest().lists] == ["Pre-shift"]
    assert "Every contact above" not in told("report").output


def test_what_was_ticked_of_a_list_that_the_handbook_no_longer_has_is_kept(home: Path) -> None:
    old, new = (
        Handbook(checklists=(Checklist(Safe(title), Occasion.BEFORE, ((Safe(title), 1),)),))
        for title in ("Old", "New")
    )
    with shifts.writing(None, "sam") as pen:
        (listed,) = pen.open_lists(old, Occasion.BEFORE)
        pen.tick(listed, Safe("Old"))
        assert [one.title for one in pen.open_lists(new, Occasion.BEFORE)] == ["Old", "New"]


@pytest.mark.usefixtures("all_well")
def test_a_shift_from_its_start_to_its_receipt(home: Path) -> None:
    begun = call("start", "--until", "12h")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    assert "The shift of sam: from " in begun.stdout
    assert "Open incidents: none" in begun.stdout
    assert "Last check, " in begun.stdout
    assert "Before Your Shift (0 of 2 done)\n  [ ] Phone: charged" in begun.stdout
    until = newest().until
    assert until
    assert timedelta(hours=11.9) < until - clock.now() < timedelta(hours=12)

    again = call("start")
    assert "The shift of sam goes on: from " in again.stdout
    assert len(shifts.known()) == 1
    assert newest().until == until

    given = ("--temporary", f"key is {SECRET}", "--action", "rotate it @kim by friday")
    handed = call("handoff", "--to", "kim", *given)
    assert handed.returncode == 0, handed.stderr
    document = home / "state" / "shifts" / newest().name / "handoff.md"
    assert f"Written to {document}" in handed.stdout
    text = document.read_text()
    assert text.startswith("# Handoff from sam to kim\n")
    assert "| rotate it @kim by friday | kim |" in text
    assert "- Handoff (sam): What was mended for now only" in text
    assert SECRET not in text
    assert SECRET.encode() not in (document.parent / "journal.jsonl").read_bytes()

    # The next one sees what was handed over, as people may have changed it since.
    document.write_text(text + "\nAnd mind the dog.\n")
    taken = call("start", user="kim")
    assert taken.returncode == 1
    assert "Handed over by sam, " in taken.stdout
    assert "And mind the dog." in taken.stdout
    assert "Nobody has received it yet: cockpit shift receive" in taken.stdout

    received = call("receive", "--words", "the key must be rotated by friday", user="kim")
    assert received.returncode == 0, received.stderr
    assert "kim has it; the shift of sam is over." in received.stdout
    assert call("start", user="kim").returncode == 0

    reported = call("report", "--shift", document.parent.name)
    assert reported.returncode == 0
    assert "kim received it: the key must be rotated by friday" in reported.stdout
    assert "sam handed off to kim." in reported.stdout
    # Of that shift alone, though kim's overlaps it.
    assert "**On call:** kim" not in reported.stdout


def test_what_cannot_be_done_is_said_and_why(home: Path) -> None:
    for words, said in (
        (["report"], "There is no shift yet. cockpit shift start begins one"),
        (["handoff"], "No shift of yours is open. cockpit shift start begins one."),
        (["receive", "--words", "I have all of it"], "cockpit shift handoff comes first"),
    ):
        failed = call(*words)
        assert (failed.returncode, failed.stdout) == (1, ""), words
        assert said in failed.stderr
    assert not shifts.known()
    told("start")
    assert "That of sam is." in told("handoff", user="kim").stderr
    for words, said in (
        (["report", "--shift", "2020"], "There is no shift 2020. There are: "),
        (["report", "--shift", "2", "--since", "1d"], "--shift has its own times"),
        (["report", "--until", "1d"], "--until needs --since"),
        (["report", "--since", "soon"], "soon is no time. Write it in UTC, as HH:MM"),
        (["report", "--since", "1h", "--until", "2h"], "is no time at all"),
        (["start", "--until", "2020-01-01"], "is over already"),
        (["receive", "nobody-sent.md"], "nobody-sent.md: there is no such file."),
        (["receive", "ON_CALL.md", "--words", "I have all of it"], "ON_CALL.md is no handoff"),
        (["report", "--since", "1d", "-o", "ON_CALL.md"], "ON_CALL.md is there already"),
        (["report", "--since", "1d", "-o", "no/such/file"], "could not be written"),
    ):
        wrong = told(*words)
        assert wrong.exit_code == 2, words
        assert said in wrong.stderr
    assert (home / "ON_CALL.md").read_text() == HANDBOOK


def test_a_receipt_is_of_somebody_else_and_says_something(home: Path) -> None:
    told("start")
    told("handoff")
    assert "sam is who handed it off" in told("receive", "--words", "I have all of it").stderr
    short = told("receive", "--name", "kim", "--words", "ok")
    assert short.exit_code == 2
    assert "That says nothing of what you take over" in short.stderr
    assert "what do you take over? --words" in told("receive", "--name", "kim").stderr
    assert newest().received is None


def test_a_handoff_of_another_machine_is_received_on_both(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("start")
    told("handoff", "--to", "kim")
    sent = home / "sent.md"
    sent.write_bytes((home / "state" / "shifts" / newest().name / "handoff.md").read_bytes())
    monkeypatch.setenv("COCKPIT_HOME", str(home / "of-kim"))
    words = ("--words", "nothing is open; kim's phone is on")
    refused = told("receive", str(sent), *words, user="kim")
    assert refused.exit_code == 1
    assert "No shift of yours is open. First: cockpit shift start" in refused.stderr
    told("start", user="kim")
    assert "Handed off on another machine?" in told("receive", *words, user="kim").stderr
    taken = told("receive", str(sent), *words, user="kim")
    assert taken.exit_code == 0, taken.output
    assert "kim took over what sent.md says: nothing is open" in told("report").stdout
    ours = told("receive", str(sent), *words)
    assert (ours.exit_code, ours.stderr) == (
        2,
        "sam is who handed it off. Who takes it? --name NAME\n",
    )
    other = told("receive", str(sent), *words, "--name", "Ben B", user="kim")
    assert shlex.split(other.stdout.splitlines()[-1])[3:5] == ["--name", "Ben B"]
    # What they are to enter, entered.
    order = shlex.split(taken.stdout.splitlines()[-1])
    monkeypatch.setenv("COCKPIT_HOME", str(home / "state"))
    assert order[:3] == ["cockpit", "shift", "receive"]
    assert told(*order[2:]).exit_code == 0
    assert newest().received == e.ShiftReceived(by="kim", words=words[1])


def test_a_handoff_that_is_mended_does_not_write_over_the_first(home: Path) -> None:
    told("start")
    told("handoff", "--lesson", "first")
    told("handoff", "--lesson", "second")
    folder = home / "state" / "shifts" / newest().name
    assert "first" in (folder / "handoff.md").read_text()
    assert "second" in (folder / "handoff-2.md").read_text()
    assert newest().handed == e.ShiftHandedOff(lessons=("second",), document="handoff-2.md")


@pytest.mark.usefixtures("all_well")
def test_a_shift_that_nobody_has_received_goes_on_and_says_so(home: Path) -> None:
    told("start")
    told("handoff", "--to", "kim")
    assert newest().ended is not None
    again = told("start", "--until", "2h")
    assert again.exit_code == 1
    assert "The shift of sam goes on: from " in again.stdout
    assert "nobody has received it: it is yours still." in again.stdout
    assert len(shifts.known()) == 1
    assert newest().ended is None, "what comes now is of this shift too"
    assert "still going on" in told("report").stdout
    until = newest().until
    told("start")
    assert newest().until == until
    assert told("receive", "--name", "kim", "--words", "I have all of it").exit_code == 0
    assert "goes on" not in told("start").stdout
    assert len(shifts.known()) == 2


def test_open_incidents_and_a_check_that_went_badly_wait_for_who_comes(home: Path) -> None:
    root = home / "state" / "incidents"
    name = write(root, "payments", NIGHT[:-1], start=clock.now() - timedelta(hours=1)).name
    kept.keep("not ready", [], clock.now() - timedelta(days=2))
    begun = told("start")
    assert begun.exit_code == 1
    assert "Open incidents: 1\n  Payments fail: P0 · since " in begun.stdout
    assert name in begun.stdout
    assert "next step: its runbook cannot be read any more" in begun.stdout
    assert "UTC: not ready, more than a day ago; again: cockpit check" in begun.stdout


@pytest.mark.usefixtures("all_well")
def test_a_shift_that_was_never_handed_off_and_a_damaged_journal_are_said(home: Path) -> None:
    call("start", user="kim")
    folder = shifts.known()[0][0]
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    broken = [*lines[:2], b"x" * (len(lines[2]) - 1) + b"\n", *lines[3:]]
    begun = call("start")
    assert begun.returncode == 1
    assert "The shift of kim, since " in begun.stdout
    assert "was never handed off. Ask them what is open." in begun.stdout
    (folder / "journal.jsonl").write_bytes(b"".join(broken))
    reported = call("report", "--shift", folder.name)
    assert reported.returncode == 1
    assert "**On call:** kim" in reported.stdout
    assert f"{folder.name}: 1 damaged places; the rest of it is used." in reported.stderr
    # Also where what says that it began is lost, or all of it.
    for left in ([lines[0], b"y\n", *lines[2:]], [b"y\n"]):
        (folder / "journal.jsonl").write_bytes(b"".join(left))
        rest = told("report", "--shift", folder.name)
        assert rest.exit_code == 1
        assert f"{folder.name}: 1 damaged places" in rest.stderr


def test_a_shift_that_another_cockpit_writes_is_said(home: Path) -> None:
    told("start")
    journal = Journal.open(shifts.known()[0][0], who="sam")
    try:
        busy = told("start")
    finally:
        journal.close()
    assert busy.exit_code == 2
    assert "Another cockpit writes in this shift just now." in busy.stderr


@pytest.fixture
def terminal(home: Path) -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for one in opened:
        one.close()


def at(terminal: list[Terminal], *arguments: str, user: str = "sam") -> Terminal:
    """The command at a real terminal."""
    one = Terminal(
        [COCKPIT, "shift", *arguments],
        size=(100, 40),
        env={**os.environ, "LOGNAME": user, "TERM": "xterm"},
    )
    terminal.append(one)
    return one


def say(one: Terminal, question: str, answer: str) -> None:
    one.read_until(lambda: question in one.text(), 30)
    one.type(f"{answer}\n")


def test_at_a_terminal_it_asks_and_each_tick_is_kept(terminal: list[Terminal]) -> None:
    one = at(terminal, "start")
    say(one, "[ ] Phone: charged", "y")
    say(one, "[ ] Laptop: charged", "")
    assert one.wait(30) == 1  # no check was made
    (before,) = newest().lists
    assert before.left == ("Laptop: charged",)

    one = at(terminal, "handoff")
    say(one, "[ ] Open incidents: state and next step", "y")
    one.read_until(lambda: "[ ] What was mended for now only" in one.text(), 30)
    one.type("\x04")  # all later
    say(one, "Who comes next?", "kim")
    say(one, "Mended for now only", "the second source of rates")
    one.read_until(lambda: one.text().count("  -") == 2, 30)
    one.type("\n")
    for question in ("Stopped, raised", "To be done", "What others should know"):
        say(one, question, "")
    assert one.wait(30) == 0, one.text()
    handed = newest().handed
    assert handed
    assert (handed.to, handed.temporary) == ("kim", ("the second source of rates",))
    assert [checklist.left for checklist in newest().lists] == [
        ("Laptop: charged",),
        ("What was mended for now only",),
    ]

    one = at(terminal, "receive", user="kim")
    say(one, "In your own words, what do you take over?", "\x03")
    assert one.wait(30) == 130
    assert "Nothing is received yet." in one.text()
    one = at(terminal, "receive", user="kim")
    one.read_until(lambda: "the second source of rates" in one.text(), 30)
    say(one, "In your own words, what do you take over?", "yes")
    say(one, "In a sentence", "rates come from the second source")
    assert one.wait(30) == 0, one.text()
    received = newest().received
    assert received == e.ShiftReceived(by="kim", words="rates come from the second source")


def test_a_handoff_that_is_left_in_the_middle_hands_off_nothing(terminal: list[Terminal]) -> None:
    call("start")
    one = at(terminal, "handoff")
    say(one, "[ ] Open incidents: state and next step", "y")
    say(one, "[ ] What was mended for now only", "y")
    one.read_until(lambda: "Who comes next?" in one.text(), 30)
    one.type("\x04")
    assert one.wait(30) == 1
    assert "Nothing is handed off yet. Kept: 2 of 2 items ticked." in one.text()
    assert newest().open
    assert newest().lists[1].left == ()


def test_what_is_typed_in_the_checklist_is_kept_also_where_it_is_stopped(
    terminal: list[Terminal],
) -> None:
    call("start")
    one = at(terminal, "handoff")
    one.type("Payments waits for Kim\n")  # before anything was asked
    say(one, "Kept for the handoff. And the item itself", "ny")
    say(one, '"ny" is neither. y done, enter later', "y")
    one.read_until(lambda: "[ ] What was mended for now only" in one.text(), 30)
    one.type("\x03")
    assert one.wait(30) == 130
    assert "Nothing is handed off yet. Kept: 1 of 2 items ticked, 1 line" in one.text()
    assert newest().lists[1].left == ("What was mended for now only",)

    one = at(terminal, "handoff")
    say(one, "[ ] What was mended for now only", "n")
    say(one, "Who comes next?", "kim")
    for question in ("Mended for now only, and", "Stopped, raised", "To be done"):
        say(one, question, "")
    one.read_until(lambda: "Payments waits for Kim (kept already)" in one.text(), 30)
    one.type("\n")
    assert one.wait(30) == 0, one.text()
    handed = newest().handed
    assert handed and handed.lessons == ("Open incidents: Payments waits for Kim",)
    assert handed.to == "kim" and newest().noted == ()


NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "past", "ahead"),
    [
        ("12h", NOW - timedelta(hours=12), NOW + timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7), NOW + timedelta(days=7)),
        ("08:00", NOW.replace(hour=8, minute=0), datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("20:00", datetime(2026, 11, 21, 20, tzinfo=UTC), NOW.replace(hour=20, minute=0)),
        ("2026-11-20 08:00", datetime(2026, 11, 20, 8, tzinfo=UTC), None),
        ("2026-11-20T08:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC), None),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC), None),
    ],
)
def test_a_time_as_people_write_it(text: str, past: datetime, ahead: datetime | None) -> None:
    assert moment(text, NOW) == past
    assert moment(text, NOW, ahead=True) == (ahead or past)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01", "12", "-1h", "99999d"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(Mistake, match="is no time"):
        moment(text, NOW)


def test_a_checklist_that_was_edited_keeps_the_ticks_that_are_still_in_it(home: Path) -> None:
    first = Checklist(Safe("Before"), Occasion.BEFORE, ((Safe("phone"), 3), (Safe("laptop"), 4)))
    other = Checklist(Safe("Before"), Occasion.BEFORE, ((Safe("phone"), 3), (Safe("hotspot"), 4)))
    with shifts.writing(None, "sam") as pen:
        pen.write(e.ShiftStarted())
        (listed,) = pen.open_lists(Handbook(checklists=(first,)), Occasion.BEFORE)
        pen.tick(listed, Safe("phone"))
        (again,) = pen.open_lists(Handbook(checklists=(first,)), Occasion.BEFORE)
        assert again.left == ("laptop",)
        (edited,) = pen.open_lists(Handbook(checklists=(other,)), Occasion.BEFORE)
        assert edited.left == ("hotspot",)
        count = len(pen.shift.lists)
    assert count == 1
    assert newest().who == "sam"
