"""Whom to call: numbers that dial, the time where they are, whether they answer, what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.oncall import contacts, handbook
from cockpit.oncall.model import Contact
from cockpit.runbook.lint import Level, lint
from cockpit.text import Safe

NOW = datetime(2026, 11, 18, 2, 12, tzinfo=UTC)  # a Wednesday


def person(availability: str = "", timezone: str = "Europe/Berlin") -> Contact:
    return Contact(Safe("Ada"), availability=Safe(availability), timezone=Safe(timezone))


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("+49 30 901820", "+4930901820"),
        ("0049 30 901820", "+4930901820"),
        ("+49 (0)30 / 90 18 20", "+4930901820"),
        ("+1-415-638-6200 ext. 12", "+14156386200"),
        ("+1 (212) 664-7665 (mobile)", "+12126647665"),
        ("call +44 20 7946 0958", "+442079460958"),
        ("030 901820", None),
        ("(415) 638-6200", None),
        ("+999 123 4567", None),
        ("+49 1", None),
        ("+49 30 1234567890123", None),
        ("Available in dashboard", None),
        ("", None),
    ],
)
def test_a_number_as_every_phone_dials_it(written: str, dialled: str | None) -> None:
    assert contacts.dialled(written) == dialled


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("Europe/Berlin", "03:12 in Berlin"),
        ("europe/berlin", "03:12 in Berlin"),
        ("Berlin, Germany", "03:12 in Berlin"),
        ("CET", "03:12 CET"),
        ("CET (UTC+1)", "03:12 CET"),
        ("Central European Time", "03:12 in Berlin"),
        ("UTC+2", "04:12 UTC+2"),
        ("GMT-5", "21:12 UTC-5"),
        ("UTC+05:30", "07:42 UTC+5:30"),
        ("UTC", "02:12 UTC"),
        ("Pacific", "18:12 in Los Angeles"),
        ("PST/PDT", "18:12 PST"),
        ("US/Pacific", "18:12 US/Pacific"),
        ("New York", "21:12 in New York"),
        ("UTC-8 (San Francisco)", "18:12 in Los Angeles"),
        ("India", "07:42 in Kolkata"),
        ("IST", ""),
        ("Berln", ""),
        ("", ""),
    ],
)
def test_the_time_where_they_are(written: str, there: str) -> None:
    assert contacts.there(person(timezone=written), NOW) == there


def test_letters_change_with_the_season() -> None:
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert contacts.there(person(timezone="CET"), summer) == "14:00 CEST"
    assert contacts.there(person(timezone="EST"), summer) == "08:00 EDT"


# Wednesday 10:30, Thursday 00:30, Saturday 11:00, Wednesday 17:30, all in Berlin.
WEEK = (
    datetime(2026, 11, 18, 9, 30, tzinfo=UTC),
    datetime(2026, 11, 18, 23, 30, tzinfo=UTC),
    datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    datetime(2026, 11, 18, 16, 30, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("availability", "answers"),
    [
        ("24/7", "yyyy"), ("24x7", "yyyy"), ("always", "yyyy"), ("24 hours a day", "yyyy"),
        ("weekdays 9-18", "ynny"), ("Mon-Fri 09:00-17:00", "ynnn"), ("business hours", "ynnn"),
        ("Business hours only", "ynnn"), ("business hours (8-18)", "ynny"),
        ("Weekdays only", "yyny"), ("weekends", "nnyn"), ("Sat, Sun", "nnyn"),
        ("Mon-Fri 22:00-06:00", "nynn"), ("nights", "nynn"), ("22-6", "nynn"), ("9-5", "ynyn"),
        ("9am - 6pm", "ynyy"), ("9am-5pm weekdays", "ynnn"), ("9-17 Mon-Fri", "ynnn"),
        ("Mon–Fri 8–20, Sat 10–14", "ynyy"), ("Mon, Wed, Fri 9-12", "ynnn"),
        ("evenings and weekends", "nnyn"), ("not on weekends", "yyny"),
        ("24/7 except Saturday", "yyny"), ("every day 8:00 to 22:00", "ynyy"),
        ("weekdays until 12:00", "yynn"), ("Fri-Mon", "nnyn"), ("Mo-Fr 8-18 Uhr", "ynny"),
        ("9:00-12:00, 14:00-18:00 weekdays", "ynny"), ("Mon-Fri 9-17 UTC", "ynny"),
        ("Mon-Fri 9:00-18:00 Berlin time", "ynny"), ("Mon-Fri 4am-9am New York time", "ynnn"),
        ("emergency only", "????"), ("on request", "????"), ("", "????"), ("24/7 for P0", "????"),
        ("Mon-Fri 9-18, else by pager", "y??y"),
    ],
)  # fmt: skip
def test_whether_they_answer_now(availability: str, answers: str) -> None:
    told = [contacts.answers(person(availability), at) for at in WEEK]
    assert "".join({True: "y", False: "n", None: "?"}[one] for one in told) == answers


def test_hours_without_a_time_zone_say_nothing_but_always_is_always() -> None:
    assert contacts.answers(person("weekdays 9-18", timezone=""), NOW) is None
    assert contacts.answers(person("weekdays 9-18", timezone="Nowhere"), NOW) is None
    assert contacts.answers(person("24/7", timezone=""), NOW) is True


def test_hours_are_of_the_wall_clock_on_the_days_when_it_is_set() -> None:
    night = person("Sat 22:00-06:00")
    # In the night to 25 October 2026 Berlin has 02:30 twice; at 06:00 it is over all the same.
    assert contacts.answers(night, datetime(2026, 10, 24, 19, 59, tzinfo=UTC)) is False
    assert contacts.answers(night, datetime(2026, 10, 24, 20, 0, tzinfo=UTC)) is True
    assert contacts.answers(night, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) is True
    assert contacts.answers(night, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) is True
    assert contacts.answers(night, datetime(2026, 10, 25, 4, 59, tzinfo=UTC)) is True
    assert contacts.answers(night, datetime(2026, 10, 25, 5, 0, tzinfo=UTC)) is False
    # To 29 March it has no 02:30.
    assert contacts.answers(night, datetime(2026, 3, 29, 3, 59, tzinfo=UTC)) is True
    assert contacts.answers(night, datetime(2026, 3, 29, 4, 0, tzinfo=UTC)) is False


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.from_regex(r"[MoTuWedFri 0-9:ap/m,&+-]{0,40}")))
def test_any_words_are_read_without_a_fault(text: str) -> None:
    one = person(text, text)
    assert contacts.answers(one, NOW) in (True, False, None)
    assert contacts.there(one, NOW).isprintable()
    assert contacts.dialled(text) is None or str(contacts.dialled(text)).startswith("+")


def problems(text: str) -> list[str]:
    found = contacts.problems(handbook.parse(text), NOW)
    return [f"{problem.line}: {problem.what}" for problem in found]


def test_what_is_wrong_with_a_list_of_contacts() -> None:
    assert problems(
        """# On-call

## Contacts

### Level 1: Desk

- Name: Ada Moss
- Phone: 030 901820
- Email: ada at moss
- Timezone: Berln

### Level 2: Lead

- Name: Ben Ash
- Phone: +49 30 901820
- Slack: TBD

- Name: Cy Orr
- Phone: +49 (0)30 901820

### Level 3: Head

- Name: Di Poe
- Timezone: CET

- Name: Ed Roy
- Slack: @ed

### Level 4: Board

## Vendors

### DNS

- Support: ____
"""
    ) == [
        "7: Level 1 (Desk): Ada Moss: 030 901820 lacks the country's code: write it with +, "
        "as in +49 30 901820.",
        "7: Level 1 (Desk): Ada Moss: ada at moss is no e-mail address.",
        "7: Level 1 (Desk): Ada Moss: the time zone Berln is not known; write Europe/Berlin "
        "or UTC+2.",
        "16: Level 2 (Lead): Ben Ash: slack is not filled in.",
        "18: Level 2 (Lead): Cy Orr has the number of Ben Ash.",
        "23: Level 3 (Head): Di Poe: no phone, Slack or e-mail to reach them by.",
        "26: Level 3 (Head): Ed Roy: no phone. A chat message wakes nobody.",
        "29: Level 4 (Board): nobody is named.",
        "35: Vendor DNS: support is not filled in.",
    ]


def test_what_somebody_wrote_is_shown_and_what_stands_in_every_form_is_not() -> None:
    book = """## Contacts

### Level 1
- Name: Ada Moss
- Phone: +1 212 555 8877

### Level 2
- Name: Ben Ash
- Phone: 030 / 12 34 56

### Level 3
- Name: Max Mustermann
- Phone: 030 / 0000000 (mobile)
- Email: ops@moss.io

### Level 4
- Name: #incidents
- Phone: +49 30 901820
"""
    told = [level.contacts[0] for level in handbook.parse(book).levels]
    assert [(one.name, one.phone, one.missing) for one in told] == [
        ("Ada Moss", "+1 212 555 8877", ()),
        ("Ben Ash", "030 / 12 34 56", ()),
        ("", "", ("name", "phone")),
        ("#incidents", "+49 30 901820", ()),
    ]
    assert problems(book) == [
        "4: Level 1 (Level 1): Ada Moss: +1 212 555 8877 looks made up. Is it theirs?",
        "8: Level 2 (Level 2): Ben Ash: 030 / 12 34 56 lacks the country's code: write it with +, "
        "as in +49 30 901820.",
        "12: Level 3 (Level 3): name Max Mustermann is only an example.",
        "13: Level 3 (Level 3): phone 030 / 0000000 (mobile) is only an example.",
        "17: Level 4 (Level 4): #incidents is a channel. Name somebody who can be called.",
    ]


def test_a_handbook_without_levels_and_one_without_faults() -> None:
    assert problems("# On-call\n") == [
        "1: No level of an escalation ladder: nobody is named who can be called."
    ]
    assert problems("## Contacts\n\n### Level 1\n- Name: Ada Moss\n- Phone: +49 30 901820\n") == []


def test_a_handbook_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    found = contacts.problems(handbook.read(tmp_path / "NOPE.md"), NOW)
    assert [(one.line, one.what) for one in found] == [
        (
            0,
            f"The handbook {tmp_path}/NOPE.md is not there. Name it in cockpit.yaml, as handbook: "
            "ON_CALL.md.",
        )
    ]


def test_the_first_hours_in_which_nobody_answers() -> None:
    desk = "## Contacts\n\n### Level 1\n- Name: Ada\n- Phone: +49 30 901820\n- Timezone: UTC\n"
    assert problems(f"{desk}- Availability: 8-20\n\n### Level 2\n- Name: Bo\n"
        "- Phone: +44 20 7946 1958\n- Timezone: UTC\n- Availability: 22-6\n") == [
        "4: From Wed 06:00 to Wed 08:00 UTC nobody says that they answer."
    ]  # fmt: skip
    assert problems(f"{desk}- Availability: 24/7\n") == []
    assert problems(f"{desk}- Availability: if need be\n") == []


def test_the_handbook_that_ships_lacks_everything_and_says_so() -> None:
    from cockpit.config import Config
    from cockpit.runbook import library

    read = handbook.load(Config(handbook=library.shipped() / "ON_CALL.md"))
    told = [str(problem.what) for problem in contacts.problems(read, NOW)]
    assert told[0] == (
        "Level 1 (Primary On-Call): name, phone, slack, email, timezone, availability "
        "are not filled in."
    )
    assert len(told) == 4 + 3


def test_an_example_is_called_one_on_its_line_and_is_no_gap() -> None:
    assert problems(
        "## Contacts\n\n### Level 1\n- Name: Ada\n- Phone: (555) 555-0134 ext. 12\n"
        "- Email: ada@example.com\n- Slack: [HANDLE]\n- Timezone: ____\n\n"
        "## Vendors\n\n### DNS\n- Status: https://status.example.com\n- Account: [ACCOUNT]\n"
    ) == [
        "5: Level 1 (Level 1): Ada: phone (555) 555-0134 ext. 12 is only an example.",
        "6: Level 1 (Level 1): Ada: email ada@example.com is only an example.",
        "7: Level 1 (Level 1): Ada: slack, timezone are not filled in.",
        "13: Vendor DNS: status https://status.example.com is only an example.",
        "14: Vendor DNS: account is not filled in.",
    ]


def test_lint_tells_every_gap_of_people_and_vendors_once_and_in_code_blocks_too(
    tmp_path: Path,
) -> None:
    book = tmp_path / "ON_CALL.md"
    book.write_text(
        "# On-call\n\n## Contacts\n\n### Level 4: CTO\n\n```\nName: [CTO NAME]\n"
        "Phone: [PHONE NUMBER]\nEmail: [UPDATE THIS]\nSlack: none\nTimezone: UTC\n```\n\n"
        "### Level 1\n\n- Name: Ada\n- Phone: +49 30 901820\n- Email: ada@example.com\n"
        "- Slack: TBD\n\n## Vendors\n\n### AWS Support\n\n- Account number: [AWS ACCOUNT]\n"
    )
    assert [(one.line, one.rule, one.level, one.what) for one in lint([book])] == [
        (8, "placeholder", Level.ERROR, "Name: [CTO NAME] is not filled in"),
        (9, "placeholder", Level.ERROR, "Phone: [PHONE NUMBER] is not filled in"),
        (10, "placeholder", Level.ERROR, "Email: UPDATE THIS is not filled in"),
        (19, "placeholder", Level.ERROR, "Email: ada@example.com is only an example"),
        (20, "todo", Level.WARNING, "TBD is left here"),
        (26, "placeholder", Level.ERROR, "Account: [AWS ACCOUNT] is not filled in"),
    ]
    runbook = tmp_path / "01_aws.md"
    book.rename(runbook)
    assert [one.line for one in lint([runbook]) if one.rule == "placeholder"] == [10]


def test_lint_tells_what_is_wrong_with_people_and_leaves_gaps_to_the_rule_that_has_them(
    tmp_path: Path,
) -> None:
    book = tmp_path / "ON_CALL.md"
    book.write_text(
        "# On-call\n\n## Contacts\n\n### Level 1\n\n- Name: Ada Moss\n- Phone: 030 901820\n"
        "- Slack: UPDATE THIS!\n"
    )
    assert [(one.rule, one.line) for one in lint([book])] == [("contact", 7), ("placeholder", 9)]
    runbook = tmp_path / "01_disk.md"
    book.rename(runbook)
    assert "contact" not in {one.rule for one in lint([runbook])}
