"""Handbooks as different teams write them: what each says is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.incident.events import Severity
from cockpit.oncall import handbook
from cockpit.oncall.model import Contact, Handbook

HERE = Path(__file__).parent / "handbooks"
MINUTE = 60.0


def read(name: str) -> Handbook:
    return handbook.read(HERE / f"{name}.md")


def people(book: Handbook) -> dict[int, list[tuple[str, str, str]]]:
    return {
        level.number: [(one.name, one.phone, one.slack) for one in level.contacts]
        for level in book.levels
    }


def told(one: Contact) -> tuple[tuple[str, ...], str, int]:
    who = (one.name, one.phone, one.slack, one.email, one.timezone)
    return who, one.availability, one.line


def roles(book: Handbook) -> dict[int, tuple[str, float | None]]:
    return {
        level.number: (level.role, level.respond and level.respond / MINUTE)
        for level in book.levels
    }


def paces(book: Handbook) -> dict[str, tuple[float | None, float | None, float | None]]:
    """Minutes to respond, to the next update, and until more people are called."""

    def minutes(seconds: float | None) -> float | None:
        return None if seconds is None else seconds / MINUTE

    return {
        severity: (minutes(pace.respond), minutes(pace.update), minutes(pace.escalate))
        for severity, pace in book.rules.paces.items()
    }


def test_bullets_with_several_people_on_a_level_and_sev_numbers() -> None:
    book = read("bullets")
    assert people(book) == {
        1: [("Mira Okafor", "+49 30 901820", "@mira"), ("Tom Lind", "+46 8 402 25 00", "@tom")],
        2: [("Ana Prieto", "+34 912 66 80 00", "")],
    }
    assert roles(book) == {1: ("on-call developer", 5), 2: ("Backend lead", 30)}
    assert told(book.levels[1].contacts[0]) == (
        ("Ana Prieto", "+34 912 66 80 00", "", "ana@webshop.test.org", "CET"),
        "Mon-Fri 09:00-17:00",
        41,
    )
    assert book.levels[1].when == ("Not resolved after 20 minutes", "Payments are lost")
    assert paces(book) == {
        "P0": (0, 20, 20),
        "P1": (30, 60, 20),
        "P2": (240, None, None),
        "P3": (None, None, None),
    }
    assert book.rules.paces[Severity.P0].about == "Checkout is down"
    assert [(one.title, len(one.items)) for one in book.checklists] == [
        ("Checklist before your shift", 3)
    ]
    adyen, fastly = book.vendors
    assert (adyen.name, adyen.support) == ("Adyen", "support@adyen.com")
    assert adyen.have_ready == ("merchant account", "PSP reference")
    assert (fastly.status, fastly.phone) == ("https://www.fastlystatus.com", "+1 415 638 6200")
    assert book.oddities == ()


def test_tables_of_people_times_vendors_and_dashboards() -> None:
    book = read("tables")
    assert people(book) == {
        1: [("Jonas Weber", "+49 89 636 48018", "@jweber")],
        2: [("Priya Nair", "+91 22 6651 0000", "@priya"), ("Lea Roth", "", "@lea")],
        3: [("Sam Ito", "+81 3 3224 5000", "@sam")],
        4: [("", "", "")],
    }
    assert book.levels[1].contacts[1].missing == ("phone",)
    assert book.levels[3].contacts[0].missing == ("name", "phone", "slack")
    assert roles(book) == {
        1: ("Primary", 15),
        2: ("Backup", 15),
        3: ("Engineering manager", 60),
        4: ("CTO", 120),
    }
    assert dict(book.rules.ladder) == {1: 900, 2: 900, 3: 3600, 4: 7200}
    assert book.rules.acknowledge == 3 * MINUTE
    assert paces(book) == {
        "P0": (0, 15, 10),
        "P1": (20, 30, 25),
        "P2": (120, None, None),
        "P3": (None, None, None),
    }
    assert [(one.name, one.account, one.missing) for one in book.vendors] == [
        ("Stripe", "acct_17", ()),
        ("AWS", "", ("account",)),
    ]
    assert book.dashboards == (
        "https://dashboard.stripe.com",
        "https://console.aws.amazon.com",
        "https://grafana.pay.test.org/d/1",
        "https://kibana.pay.test.org",
    )
    assert [(one.line, one.what) for one in book.oddities] == [
        (35, "https://your-company.com/graphs is not filled in")
    ]


def test_fences_of_fields_rules_in_prose_and_messages_in_indented_code() -> None:
    book = read("fences")
    assert people(book) == {
        1: [("Ruth Meier", "+41 44 268 12 12", "@ruth")],
        2: [("Omar Said", "+41 31 332 00 00", "@omar"), ("Nina Frei", "", "")],
    }
    first, second = (level.contacts for level in book.levels)
    assert (first[0].availability, second[0].availability) == ("24/7", "Business hours only")
    assert second[1].missing == ("phone", "slack")
    assert book.rules.acknowledge == 10 * MINUTE
    assert paces(book)["P0"] == (0, 20, 25)
    assert paces(book)["P1"] == (15, 45, 25)
    assert (book.rules.top_level, book.rules.top_after) == (2, 180 * MINUTE)
    assert [(one.about, one.text) for one in book.templates] == [
        ("acknowledged", "[P?] <title>: I am on it. Next update <time>."),
        ("resolved", "[P?] <title>: fixed at <time>. Cause: <cause>"),
    ]


def test_a_person_in_each_line() -> None:
    book = read("oneliners")
    assert people(book) == {
        1: [("Maja Novak", "+386 1 586 11 00", "@maja")],
        2: [("Ben Adler", "+43 1 58858 0", "")],
        3: [("Carla Souza", "+55 11 3061 1000", "")],
        4: [("Dan Wu", "+65 6511 9000", "@danwu")],
    }
    assert [level.role for level in book.levels] == [
        "Primary on-call",
        "Secondary on-call",
        "Engineering Manager",
        "CTO",
    ]
    assert [level.contacts[0].email for level in book.levels] == [
        "",
        "ben@adler.at",
        "carla@souza.com.br",
        "",
    ]
    assert book.criteria == (
        "Data loss suspected",
        "No progress after 30 minutes",
        "More than one system is down",
    )
    assert paces(book)["P0"] == (0, 15, 30)
    assert [(one.title, one.text) for one in book.pitfalls] == [
        ("Restarting first", "The logs are gone then. Save them."),
        ("Working alone", "after half an hour call somebody"),
    ]
    assert [one.title for one in book.checklists] == ["Handover"]


def test_definitions_and_a_table_of_fields_in_german() -> None:
    book = read("deflist")
    assert people(book) == {
        1: [("Jürgen Groß", "+49 40 428 54 0", "")],
        2: [("Käthe Öz", "040 4285", "")],
    }
    one = book.levels[0].contacts[0]
    assert (one.email, one.timezone, one.availability) == ("jg@werk.de", "MEZ", "Mo-Fr 8-18 Uhr")
    assert [(one.occasion.value, [item for item, _ in one.items]) for one in book.checklists] == [
        ("before the shift", ["Telefon geladen", "Laptop geladen"])
    ]


def test_people_as_headings_severities_as_headings_and_quoted_messages() -> None:
    book = read("people")
    assert people(book) == {
        1: [("Bob Stone", "+1 206 684 4000", "@bstone")],
        2: [("Alice Moreau", "+33 1 44 50 61 00", "@amoreau")],
    }
    assert roles(book) == {1: ("SRE", None), 2: ("Staff SRE", None)}
    assert paces(book) == {
        "P0": (0, 10, 15),
        "P1": (15, 45, 30),
        "P2": (None, None, None),
        "P3": (None, None, None),
    }
    assert book.rules.paces[Severity.P0].about == "nobody can log in"
    assert [(one.about, one.text) for one in book.templates] == [
        ("acknowledged", "[{severity}] {title} is being looked at by {who}."),
        ("update", "[{severity}] {title}: {state}. Next update {next_update}."),
        ("escalation", "{title} needs you: {need}"),
        ("resolved", "{title} is over, cause {cause}"),
    ]
    assert [(one.group, one.command.text) for one in book.quick] == [
        ("Restart the web tier", "systemctl restart web"),
        ("Restart the web tier", "journalctl -u web -n 50"),
    ]


def test_what_nobody_has_filled_in_is_missing() -> None:
    book = read("placeholders")
    every = ("name", "phone", "slack", "email", "timezone", "availability")
    one, two, three = (level.contacts[0] for level in book.levels)
    assert one.missing == two.missing == every
    assert not one.reachable and not two.reachable
    assert told(three) == (
        ("Inge Dahl", "+47 22 24 90 90", "@inge", "inge@dahl.no", ""),
        "24/7",
        22,
    )
    assert three.missing == ()
    assert book.vendors[0].missing == ("dashboard", "support", "have_ready")
    assert book.dashboards == ()


def test_no_heading_at_all() -> None:
    book = read("nohead")
    assert people(book) == {
        1: [("Kim Park", "+82 2 3783 1000", "@kim")],
        2: [("Lars Holm", "+45 33 92 33 92", "@lars")],
        3: [],
    }
    assert book.levels[2].role == "management"


def test_html_around_bold_lines_boxes_in_a_fence_and_a_session_for_access() -> None:
    book = read("html")
    assert book.title == "Ops on-call"
    assert people(book) == {
        1: [("Eva Kiss", "+36 1 458 5800", "@eva")],
        2: [("Pavel Dvořák", "+420 224 002 111", "@pavel")],
    }
    assert book.levels[1].contacts[0].timezone == "Europe/Prague"
    assert [[item for item, _ in one.items] for one in book.checklists] == [
        ["phone loud", "VPN token"]
    ]
    assert [(one.about, one.text) for one in book.templates] == [
        ("acknowledged", "🔥 [SEV] [title] - acknowledged by [name]"),
        ("resolved", "✅ [title] resolved. Follow-up: [ticket]"),
    ]
    assert [one.command.text for one in book.access] == ["ssh ops-1 true", "docker ps"]
    assert [one.title for one in book.pitfalls] == [
        "Don't restart before saving logs",
        "Don't go on alone",
    ]


def test_levels_and_times_in_sentences() -> None:
    book = read("prose")
    assert people(book) == {
        1: [("Mo Ali", "+20 2 2795 1000", "")],
        2: [("Zoe Katz", "+972 3 753 3333", "@zoe")],
        3: [("Ivo Mann", "+385 1 4569 964", "")],
    }
    assert roles(book) == {
        1: ("support desk", 10),
        2: ("developers", 30),
        3: ("head of engineering", 90),
    }
    assert book.levels[1].contacts[0].availability == "Sun-Thu 9-18"
    assert (book.rules.acknowledge, book.rules.breath) == (15 * MINUTE, 45)
    assert paces(book)["P0"] == (0, 10, 20)
    assert paces(book)["P1"] == (15, 30, 40)
    assert (book.rules.top_level, book.rules.top_after) == (3, 240 * MINUTE)


def test_severities_by_words_and_a_ladder_by_time() -> None:
    book = read("company")
    assert paces(book) == {
        "P0": (0, 15, 15),
        "P1": (30, 60, 30),
        "P2": (None, None, None),
        "P3": (None, None, None),
    }
    assert book.rules.paces[Severity.P1].about == "major feature down"
    assert [level.role for level in book.levels][:2] == ["Primary on-call", "Secondary on-call"]
    assert book.levels[1].contacts[0].phone == "+1 312 744 5000"
    assert book.levels[2].contacts[0].email == "rosa@corp-mail.com"
    twilio = book.vendors[1]
    assert (twilio.dashboard, twilio.phone, twilio.account, twilio.have_ready) == (
        "https://console.twilio.com",
        "+1 844 814 4627",
        "4711",
        ("account SID", "message SID"),
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.md")))
def test_every_line_that_is_named_is_in_the_file(name: str) -> None:
    book = read(name)
    last = len((HERE / f"{name}.md").read_text("utf-8").splitlines())
    lines = [contact.line for level in book.levels for contact in level.contacts]
    lines += [level.line for level in book.levels]
    lines += [line for one in book.checklists for _, line in one.items]
    lines += [template.line for template in book.templates]
    lines += [vendor.line for vendor in book.vendors]
    lines += [oddity.line for oddity in book.oddities]
    assert lines and all(1 <= line <= last for line in lines)


def test_a_chain_that_ends_in_levels_and_times_below_their_severity() -> None:
    book = read("chain")
    assert people(book) == {
        1: [("Ola Berg", "+47 22 24 90 90", "@ola")],
        2: [("", "+47 22 24 91 91", "@per")],
        3: [],
    }
    assert [level.role for level in book.levels] == ["Cartographer", "Chief of tiles", "Owner"]
    assert paces(book) == {
        "P0": (3, 10, 8),
        "P1": (120, 30, 8),
        "P2": (300, None, None),
        "P3": (None, None, None),
    }
    assert book.rules.paces[Severity.P0].about == "no tile is served"
    # Neither who was silent nor what holds for a P2 alone is the rule for every alert.
    assert book.rules.acknowledge == 5 * MINUTE
    assert book.templates == ()


@pytest.mark.parametrize(
    "line",
    [
        "- Last verified: 2026-01-02",
        "- On call since 2026-01-02 10:30",
        "- Rota: 2026-01-02 - 2026-01-09",
        "- Updated: 02.01.2026 (Kim)",
        "- Ticket 20260102",
        "- 192.168.178.123 is the jump host",
        "- Phone: ~~+49 30 901899~~ +49 30 901820",
        "- Phone: <!-- +49 30 901899 --> +49 30 901820",
    ],
)
def test_nothing_else_is_taken_for_somebodys_number(line: str) -> None:
    book = handbook.parse(
        f"# O\n\n## Escalation\n\n### Level 1: A\n\n{line}\n- Name: Ada\n- Phone: +49 30 901820\n"
    )
    (level,) = book.levels
    assert [(one.name, one.phone) for one in level.contacts] == [("Ada", "+49 30 901820")]


def test_a_ladder_that_begins_at_nought_is_called_from_its_foot() -> None:
    book = handbook.parse(
        "# O\n\n## Escalation\n\n### L0: NOC\n- Name: Noa\n- Phone: +49 30 901820\n"
        "### L1: Primary\n- Name: Ada\n- Phone: +49 30 901821\n"
        "### Level 10: Board\n- Name: Bo\n- Phone: +49 30 901822\n"
    )
    found = [(level.number, level.role, level.contacts[0].name) for level in book.levels]
    assert found == [(1, "NOC (L0)", "Noa"), (2, "Primary (L1)", "Ada"), (11, "Board (L10)", "Bo")]
