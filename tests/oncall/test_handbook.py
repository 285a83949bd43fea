"""The handbook as it is loaded: which file, what it says, and that any file at all gives one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.config import Config, Person
from cockpit.incident.events import Severity
from cockpit.oncall import handbook
from cockpit.oncall.filled import filled, ticked
from cockpit.oncall.model import Occasion, Quick
from cockpit.oncall.spans import is_open, span
from cockpit.text import Safe, clean

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "runbooks" / "ON_CALL.md"
SMALL = "# Ours\n\n## Contacts\n\n### Level 1: Us\n\n- Name: Ada Moss\n- Phone: +44 20 7946 1958\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_shipped_handbook_says_what_is_in_it() -> None:
    book = handbook.read(SHIPPED)
    assert book.title == "On-Call Handbook"
    assert [(level.number, level.role, level.respond) for level in book.levels] == [
        (1, "Primary On-Call", 900),
        (2, "Secondary On-Call", 900),
        (3, "Incident Lead", 1800),
        (4, "Engineering Manager", 3600),
    ]
    every = ("name", "phone", "slack", "email", "timezone", "availability")
    assert all(level.contacts[0].missing == every for level in book.levels)
    assert book.levels[2].about.startswith("Decides what costs money or data: restoring")
    assert len(book.criteria) == 7
    rules = book.rules
    assert (rules.acknowledge, rules.breath) == (300, 30)
    assert (rules.top_level, rules.top_after) == (4, 7200)
    assert [(pace.respond, pace.update, pace.escalate) for pace in rules.paces.values()] == [
        (0, 900, 900),
        (900, 1800, 1800),
        (3600, None, None),
        (None, None, None),
    ]
    assert rules.paces[Severity.P3].about == "Nobody is hit yet"
    assert [(one.name, len(one.have_ready), one.missing) for one in book.vendors] == [
        ("Stripe", 4, ("account",)),
        ("Exchange Rates", 3, ("dashboard", "status", "support", "account")),
        ("Hosting", 4, ("dashboard", "status", "support", "account")),
    ]
    assert [(one.title, one.occasion, len(one.items)) for one in book.checklists] == [
        ("Before Your Shift", Occasion.BEFORE, 8),
        ("During Your Shift", Occasion.DURING, 6),
        ("Handoff", Occasion.HANDOFF, 6),
        ("After an Incident", Occasion.AFTER, 6),
    ]
    assert [one.about for one in book.templates] == [
        "acknowledged",
        "update",
        "escalation",
        "resolved",
    ]
    assert book.templates[0].text.startswith(
        "[{severity}] {title}: acknowledged.\nSince: {started}"
    )
    assert len(book.quick) == 25
    assert {one.group for one in book.quick} == {
        "Access", "Health", "Containers", "Logs", "Database", "Disk and Memory", "Restart",
    }  # fmt: skip
    assert book.access[0].command.text == "whoami; hostname; pwd"
    assert len(book.pitfalls) == 9
    assert book.pitfalls[3].title == "Going on alone"
    assert book.dashboards == ("https://dashboard.stripe.com/webhooks",)
    assert book.oddities == ()
    assert book.runbook is not None and not book.shipped


def test_the_file_that_is_read(here: Path) -> None:
    assert handbook.load(Config()).shipped
    (here / "docs").mkdir()
    (here / "docs" / "ON_CALL.md").write_text(SMALL)
    found = handbook.load(Config())
    assert (found.path, found.title, found.shipped) == ("docs/ON_CALL.md", "Ours", False)
    (here / "ON_CALL.md").write_text(SMALL.replace("Ours", "Nearer"))
    assert handbook.load(Config()).title == "Nearer"
    (here / "other.md").write_text(SMALL.replace("Ours", "Named"))
    assert handbook.load(Config(handbook=here / "other.md")).title == "Named"


def test_one_that_cannot_be_read_says_why_and_is_not_replaced(here: Path) -> None:
    def why(path: Path) -> str:
        found = handbook.load(Config(handbook=path))
        assert found.levels == () and found.path == str(path) and not found.shipped
        (oddity,) = found.oddities
        return oddity.what.replace(str(here), "")

    assert why(here / "gone.md") == (
        "The handbook /gone.md is not there. Name it in cockpit.yaml, as handbook: ON_CALL.md."
    )
    assert why(here) == "The handbook  is a directory. Name the file in it."
    (here / "empty.md").write_text(" \n")
    assert why(here / "empty.md").startswith("The handbook /empty.md is empty.")
    (here / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 9)
    assert why(here / "picture.md") == (
        "The handbook /picture.md is no text. Is it the right file?"
    )
    (here / "big.md").write_bytes(b"x" * (6 << 20))
    assert "over 5 MB" in why(here / "big.md")
    os.mkfifo(here / "pipe.md")
    assert "is no file" in why(here / "pipe.md")


def test_contacts_of_cockpit_yaml_count_instead_of_the_level(here: Path) -> None:
    (here / "ON_CALL.md").write_text(SMALL)
    told = (
        Person(level=1, name="Uma Rao", phone="+91 22 6651 0000", respond_within=10),
        Person(level=1, name="Vic Sol", slack="@vic"),
        Person(level=3, name="Wes Tan", role="Director", email="wes@tan.sg"),
    )
    found = handbook.load(Config(contacts=told))
    assert [(level.number, level.role, level.respond) for level in found.levels] == [
        (1, "Us", 600),
        (3, "Director", None),
    ]
    assert [one.name for one in found.levels[0].contacts] == ["Uma Rao", "Vic Sol"]
    assert found.levels[0].contacts[0].line == 0
    assert found.rules.answers_within(1) == 600
    assert found.rules.top_level == 3


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE THIS!", "(UPDATE THIS!)", "____", "______________ (UPDATE THIS!)", "TBD", "TODO",
        "xxx", "XXX", "<name>", "[your-name]", "[Name]", "{phone}", "$PHONE", "N/A", "none", "-",
        "…", "?", "@_____", "@your-handle", "oncall@example.com", "you@yourcompany.com",
        "https://status.example.org/x", "+1-555-0100", "555-0134", "(415) 555-0199",
        "+1 212 555 0143", "123-456-7890", "+1-XXX-XXX-XXXX", "000-000-0000", "000 0000",
        "+49 30 0000000", "111 1111", "1234567", "Your Name Here",
        "First Last", "to be filled in", "to be determined", "http://SERVER_IP:3000",
        "https://github.com/[your-org]/app", "□ 24/7  □ Business hours only", "[ ] 24/7 [ ] days",
        "CHANGEME", "REPLACE ME", "INSERT NAME HERE", "",
    ],
)  # fmt: skip
def test_a_placeholder_says_nothing(text: str) -> None:
    assert filled(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Anna Schmidt", "O’Neill", "Xi Xu", "Tod", "+49 30 901820", "+44 20 7946 0958", "@anna",
        "@example_fan", "anna@firma.de", "<anna@firma.de>", "https://status.stripe.com", "24/7",
        "Europe/Berlin", "emergency only", "Exampleton Ltd", "+49 555 123456", "030 5551234",
        "+1 212 555 8877", "030 / 12 34 56", "+49 30 12345678", "+91 22 6651 0000", "040 666666",
        "Noname GmbH", "#incidents", "Nina", "x.team", "[@anna](https://chat.firma.de)",
    ],
)  # fmt: skip
def test_what_is_filled_in_stays(text: str) -> None:
    assert filled(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("☑ 24/7  □ Business hours only", "24/7"),
        ("[x] 24/7 [ ] weekdays", "24/7"),
        (
            "[ ] 24/7  [X] Business hours only  [x] Weekdays only",
            "Business hours only, Weekdays only",
        ),
        ("24/7 [x]  Business hours [ ]", "24/7"),
        ("□ 24/7 □ days", ""),
        ("weekdays", None),
    ],
)
def test_what_is_ticked(text: str, told: str | None) -> None:
    assert ticked(text) == told


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("15 min", 15), ("15 minutes", 15), ("15m", 15), ("15-30 minutes", 30), ("1h", 60),
        ("1 hour", 60), ("an hour", 60), ("half an hour", 30), ("1.5 hours", 90), ("1h 30min", 90),
        ("at once", 0), ("Immediately (24/7)", 0), ("< 5 min", 5), ("within two hours", 120),
        ("every hour", 60), ("hourly", 60), ("90s", 1.5), ("thirty minutes", 30), ("30′", 30),
        ("2 days", 2880), ("24/7", None), ("as needed", None), ("P0", None), ("Level 2", None),
        ("port 8000", None), ("next business day", None), ("10:30", None),
    ],
)  # fmt: skip
def test_times_in_words(text: str, minutes: float | None) -> None:
    assert span(text) == (None if minutes is None else minutes * 60)


def test_times_that_are_left_open() -> None:
    assert all(map(is_open, ("next business day", "when it changes", "best effort", "-", "n/a")))
    assert not any(map(is_open, ("15 min", "at once", "soon")))


def test_a_table_that_says_a_time_in_words_of_its_own_is_told() -> None:
    book = handbook.parse(
        "## Severity\n\n| Severity | Respond within |\n|---|---|\n| P0 | quickly, please |\n"
    )
    assert book.rules.paces[Severity.P0].respond == 0
    assert [(one.line, one.what) for one in book.oddities] == [
        (5, "“quickly, please” is no time that cockpit understands; the usual one holds")
    ]


def test_an_update_that_is_due_at_once_says_nothing_of_the_next() -> None:
    paces = handbook.parse(
        "## Severity\n\n| Severity | Update |\n|---|---|\n"
        "| P0 | Immediately, then every 20 min |\n| P1 | Immediate |\n"
    ).rules.paces
    assert (paces[Severity.P0].update, paces[Severity.P1].update) == (1200, 1800)


def test_sev0_is_the_worst_where_there_is_one_and_else_sev1() -> None:
    rows = "| Severity | Respond |\n|---|---|\n"
    with_zero = handbook.parse(f"{rows}| SEV0 | 1 min |\n| SEV1 | 2 min |\n").rules.paces
    without = handbook.parse(f"{rows}| SEV1 | 1 min |\n| SEV2 | 2 min |\n").rules.paces
    for paces in (with_zero, without):
        assert (paces[Severity.P0].respond, paces[Severity.P1].respond) == (60, 120)


def test_what_is_foreign_is_made_harmless() -> None:
    book = handbook.parse(
        "## Contacts\n\n### Level 1: A\x1b]52;c;x\x07\n\n"
        "- Name: E\u202evil\n- Phone: \x1b[31m+49 30 1\n"
    )
    told = "".join(texts(book))
    assert "A␛" in told and "E<U+202E>vil" in told
    assert "\x1b" not in told and "\u202e" not in told and "\x07" not in told


def texts(thing: object) -> Iterator[Safe]:
    """Every text of a handbook that a screen may show; a command's own is raw by design."""
    if isinstance(thing, Safe):
        yield thing
    elif isinstance(thing, tuple):
        for each in thing:
            yield from texts(each)
    elif is_dataclass(thing) and not isinstance(thing, Quick):
        for each in fields(thing):
            yield from texts(getattr(thing, each.name))


PIECES = st.sampled_from(
    [
        "# On-call", "## Contacts", "## Escalation", "### Level 2: Lead", "#### L3", "**Tier 1**",
        "- Name: Ann", "- **Phone:** +49 30 901820", "Slack: @ann", "Availability: □ 24/7 ☑ days",
        "| Level | Name | Phone |", "|---|---|---|", "| L1 | Ann | TBD |", "| Severity | Respond |",
        "| P0 | 5 min |", "```", "```bash", "docker ps", "~~~", "> quoted", "Name", ": Ann",
        "When to escalate to Level 2:", "- after 15-30 minutes",
        "Update every 15 min on P0, 30 on P1", "### Don't panic",
        "## Vendors", "### Stripe", "- Have ready:", "  - account", "## Templates",
        "# Post in Slack:",
        '"[SEV] {x} resolved"', "## Checklist before your shift", "- [ ] done", "□ phone",
        "## Quick commands", "## Common pitfalls", "## Dashboards",
        "https://x.io/[your-id]", "---", "title: x", "<details>", "<br>", "<!-- x", "-->", "\t",
        " ",
        "", "\\|", "[x](", "![", "**", "__", "`", "P0", "SEV1:", "Level", "â€™", "\ufeff",
        "\x1b[0m",
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=40).map("\n".join))
def test_any_text_gives_a_handbook(text: str) -> None:
    book = handbook.parse(text)
    assert [level.number for level in book.levels] == sorted({one.number for one in book.levels})
    assert all(clean(each) == each for each in texts(book))


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_give_a_handbook(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_bytes(data)
    assert handbook.read(path).path == str(path)


@pytest.mark.parametrize(
    "piece",
    [
        "- [ ] do it\n",
        "### Level 1\n- Name: a\n",
        "a ",
        "[",
        "+1 2",
        "P0 every 15 min, ",
        "â€™",
        "\\|",
        "### Level 1\n- Phone: " + "![](" * 245 + "\n",
        "### Level 1\n- Name: " + "a." * 490 + "\n",
    ],
    ids=lambda piece: piece[:30],
)
def test_a_megabyte_is_read_in_a_second_of_work(piece: str, tmp_path: Path) -> None:
    path = tmp_path / "long.md"
    path.write_text("## Contacts\n\n" + piece * (1_000_000 // len(piece)))
    before = time.process_time()
    book = handbook.read(path)
    spent = time.process_time() - before
    assert spent < 20  # an idle core takes one; what grew with the square takes hours
    assert any("was not read" in one.what for one in book.oddities)
