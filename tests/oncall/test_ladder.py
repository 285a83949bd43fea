"""Whom to call now, what speaks for it, and the number in large and as a code."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.config import Person
from cockpit.incident import events as e
from cockpit.incident.clocks import REACHED
from cockpit.oncall import handbook, phone
from cockpit.oncall.criteria import USUAL, criteria
from cockpit.oncall.ladder import LEFT_MESSAGE, NO_ANSWER, Ladder, calls, climb, mend
from cockpit.oncall.model import Handbook
from cockpit.text import Safe
from tests.incident.test_clocks import P0, P1, World, ran, world

BOOK = """# On-Call
## Escalation
### Level 1: Primary On-Call
- **Name:** Sam Poole
- **Phone:** +49 30 901820
- **Email:** sam@example.net
- **Availability:** 24/7

### Level 2: Senior Engineer
- **Name:** Ana Ruiz
- **Phone:** +34 612 345 678
- **Timezone:** Europe/Madrid
- **Availability:** 24/7

**Escalation SLA:** Respond within 15 minutes.

### Level 3: Infrastructure Lead
- **Name:** UPDATE THIS!
- **Phone:** UPDATE THIS!

### Level 4: CTO
- **Name:** Chris Okafor
- **Phone:** +44 7700 900123
- **Timezone:** Europe/London
- **Availability:** 24/7

**When to escalate to Level 4:**
- Data loss suspected

### When to Escalate
- A P0: call Level 2 at once, then go on
- 15 minutes on a P0, or 30 on a P1, and recovery has not worked
- You do not know what to do next
- A P0 lasts longer than 2 hours: Level 4
"""
TEAM = handbook.parse(BOOK, "/srv/runbooks/ON_CALL.md")
ANA = ("Ana Ruiz", 2)
CHRIS = ("Chris Okafor", 4)


def called(who: tuple[str, int], how: str) -> e.EscalationNoted:
    return e.EscalationNoted(who=who[0], level=who[1], how=how, within=15 * 60.0)


def ladder(now: World, book: Handbook = TEAM, who: str = "root") -> Ladder:
    return climb(book, now.incident, who, now.moment())


def next_of(now: World, book: Handbook = TEAM, who: str = "root") -> tuple[str, int]:
    found = ladder(now, book, who).next
    assert found is not None
    return str(found.name), found.level.number


def test_the_first_to_call_is_the_one_above_whoever_asks() -> None:
    assert next_of(world(P0)) == ANA
    assert next_of(world(P0), who="ana ruiz") == CHRIS
    assert next_of(world(P0), who="sam") == ANA
    assert ladder(world(P0)).said == "Call Ana Ruiz, level 2."


def test_a_level_that_nobody_filled_in_is_named_and_passed_over() -> None:
    found = ladder(world(P0), who="ana ruiz")
    assert found.said == "Call Chris Okafor, level 4. Nobody has filled in level 3."
    (empty,) = [rung for rung in found.rungs if rung.level.number == 3]
    line = next(n for n, text in enumerate(BOOK.split("\n"), 1) if "Level 3" in text)
    assert str(mend(empty, TEAM)).startswith("Fill in name, phone: ON_CALL.md, line ")
    assert str(mend(empty, TEAM)).endswith(", in /srv/runbooks")
    assert line <= empty.contact.line <= line + 2
    assert not mend(found.rungs[1], TEAM)
    no_phone = handbook.parse(BOOK.replace("+34 612 345 678", "____\n- **Slack:** @ana"))
    ana = ladder(world(P0), no_phone).rungs[1]
    assert ana.name == "Ana Ruiz"
    assert mend(ana, no_phone).startswith("Fill in phone: ON_CALL.md, line ")


WRITTEN = handbook.parse(
    BOOK.replace("Chris Okafor\n- **Phone:** +44 7700 900123", "[CTO NAME]\n- **Slack:** @cto")
)
CTO = ("CTO", 4)
KIM = ("Kim Moss", 3)
FOUR = handbook.parse(
    BOOK.replace("UPDATE THIS!", "Kim Moss", 1)
    .replace("UPDATE THIS!", "+49 30 901822")
    .replace("Chris Okafor\n- **Phone:** +44 7700 900123", "[CTO NAME]\n- **Slack:** @cto")
)


def test_who_has_no_number_is_not_next_while_another_number_is_left() -> None:
    for how in (REACHED, NO_ANSWER):
        found = ladder(world(P0).at(1, called(KIM, how)), FOUR)
        assert found.next is not None and found.next.name == "Ana Ruiz"
        assert "call Ana Ruiz, level 2. CTO, level 4, has no number: write to @cto on Slack." in (
            found.said
        )
    first = handbook.parse(BOOK.replace("+34 612 345 678", "____\n- **Slack:** @ana"))
    assert ladder(world(P0), first).said == (
        "Call Chris Okafor, level 4. Ana Ruiz, level 2, has no number: write to @ana on Slack."
        " Nobody has filled in level 3."
    )


def test_who_was_only_written_to_is_not_waited_for_while_another_number_is_left() -> None:
    now = world(P0).at(1, called(KIM, REACHED)).at(5, called(CTO, LEFT_MESSAGE))
    found = ladder(now, FOUR)
    assert (found.next and found.next.name, found.wait) == ("Ana Ruiz", 0.0)
    assert found.said.startswith("CTO: left message, and has no number. Call Ana Ruiz, level 2.")
    found = ladder(now.at(9, called(ANA, NO_ANSWER)).at(10), FOUR)
    assert (found.next and found.next.name, found.wait) == ("Kim Moss", 14 * 60)
    assert "Level 2 has until 03:24 UTC to answer" in found.said
    after = ladder(world(P0).at(1, called(KIM, NO_ANSWER)).at(2, called(CTO, LEFT_MESSAGE)), FOUR)
    assert (after.next and after.next.name, after.wait) == ("Ana Ruiz", 14 * 60)
    assert "write to" not in after.said, "they were"


def test_who_has_no_number_is_written_to_in_the_end() -> None:
    found = ladder(world(P0).at(1, called(ANA, REACHED)), WRITTEN)
    assert found.next is not None and found.next.name == "CTO"
    assert found.said.endswith("If that is not enough, write to CTO, level 4: @cto on Slack.")
    late = ladder(world(P0).at(1, called(ANA, REACHED)).at(130), WRITTEN)
    assert late.said == found.said
    only = handbook.parse(BOOK.replace("**Phone:**", "**Slack:**"))
    assert ladder(world(P0), only).said.startswith("Write to Ana Ruiz, level 2: +34")


def test_the_next_level_is_proposed_when_the_time_of_this_one_is_over() -> None:
    now = world(P0).at(3, called(ANA, NO_ANSWER))
    found = ladder(now.at(13))
    assert (found.next and found.next.name, found.wait) == ("Chris Okafor", 300.0)
    assert "Level 2 has until 03:18 UTC to answer" in found.said
    assert [rung.left for rung in found.rungs] == [None, 300.0, None, None]
    over = ladder(now.at(18))
    assert (over.next and over.next.name, over.wait) == ("Chris Okafor", 0.0)
    assert over.said.startswith("The time in which level 2 answers is over. Call Chris Okafor")


def test_the_time_is_that_of_the_first_call_and_goes_on_over_a_reboot_and_a_clock_that_is_set() -> (
    None
):
    now = world(P0).at(3, called(ANA, LEFT_MESSAGE)).at(9, called(ANA, NO_ANSWER))
    assert ladder(now).wait == 9 * 60
    now.set_by = 3600
    assert ladder(now).wait == 9 * 60
    now.set_by = 0
    assert ladder(now.reboot()).wait == 9 * 60


def test_a_wrong_key_is_put_right_by_the_right_one() -> None:
    now = world(P0).at(3, called(ANA, NO_ANSWER), called(ANA, REACHED))
    found = ladder(now.at(30))
    assert found.rungs[1].how == REACHED
    assert found.wait == 0
    assert found.said.startswith("Ana Ruiz was reached at 03:03 UTC. If that is not enough, call")
    again = ladder(now.at(31, called(ANA, NO_ANSWER)))
    assert again.wait == 15 * 60


def test_somebody_of_the_same_level_goes_before_the_next_level() -> None:
    book = BOOK.replace(
        "**Escalation SLA:**",
        "**Backup**\n- **Name:** Eve Moss\n- **Phone:** +34 612 999 111\n"
        "- **Availability:** 24/7\n\n**Escalation SLA:**",
    )
    both = handbook.parse(book)
    level = both.level(2)
    assert level is not None
    assert [str(one.name) for one in level.contacts] == ["Ana Ruiz", "Eve Moss"]
    now = world(P0).at(1, called(ANA, NO_ANSWER))
    found = ladder(now, both)
    assert (found.next and found.next.name, found.wait) == ("Eve Moss", 0.0)
    assert found.said == "Ana Ruiz: no answer. Call Eve Moss, level 2."
    assert [rung.how for rung in found.rungs] == ["", NO_ANSWER, "", "", ""]
    now.at(2, called(("Eve Moss", 2), NO_ANSWER))
    assert next_of(now, both) == CHRIS


def test_who_is_not_there_is_passed_over_while_another_one_is() -> None:
    asleep = TEAM.levels[1].contacts[0]
    asleep = replace(asleep, availability=Safe("weekdays 9-17"))
    levels = (TEAM.levels[0], replace(TEAM.levels[1], contacts=(asleep,)), *TEAM.levels[2:])
    book = replace(TEAM, levels=levels)
    assert next_of(world(P0), book) == CHRIS  # 04:00 in Madrid
    assert "Ana Ruiz, level 2, cannot be expected at this hour." in ladder(world(P0), book).said
    alone = replace(TEAM, levels=levels[:2])
    assert (
        ladder(world(P0), alone).said == "Call Ana Ruiz, level 2, although not there at this hour."
    )
    assert next_of(world(P1).at(8 * 60), book) == ANA


def test_at_the_end_of_the_ladder_it_begins_again_with_the_oldest_call() -> None:
    now = world(P0).at(1, called(ANA, NO_ANSWER)).at(20, called(CHRIS, NO_ANSWER)).at(90)
    assert next_of(now) == ANA
    assert "Nobody above level 4 can be called." in ladder(now).said
    assert next_of(now.at(91, called(ANA, NO_ANSWER))) == CHRIS
    skipped = world(P1).at(1, called(CHRIS, NO_ANSWER))
    assert next_of(skipped) == ANA
    sam = handbook.parse(BOOK.partition("### Level 2")[0])
    assert next_of(world(P1), sam, "sam") == ("Sam Poole", 1)


def test_a_long_p0_goes_to_the_top_level() -> None:
    now = world(P0).at(3, called(ANA, REACHED)).at(119)
    assert "If that is not enough" in ladder(now).said
    assert ladder(now.at(121)).said == "A P0 for 2 h 1 min: call Chris Okafor, level 4."
    assert "A P0 for" not in ladder(now.at(122, called(CHRIS, REACHED))).said
    assert "A P0 for" not in ladder(world(P1).at(130)).said


def test_what_was_called_before_it_was_opened_again_does_not_count() -> None:
    resolved = e.IncidentResolved(cause="x", fix="y")
    now = world(P0).at(1, called(ANA, NO_ANSWER)).at(9, resolved)
    now.at(60, e.IncidentReopened(reason="again"))
    assert calls(now.incident) == ()
    assert ladder(now).said == "Call Ana Ruiz, level 2."
    # While it was resolved it was no P0 that lasted.
    assert ladder(now.at(130)).said == "Call Ana Ruiz, level 2."
    assert "A P0 for 2 h 1 min" in ladder(now.at(181)).said


def test_a_ladder_that_names_nobody_says_what_to_do() -> None:
    empty = handbook.parse("# H\n## Level 1: A\n- Name: ____\n- Phone: ____\n")
    assert ladder(world(), empty).next is None
    assert ladder(world(), empty).said.endswith(
        "no number is filled in. w notes whom you called. Fill in name, phone: ON_CALL.md, line 3"
    )
    assert "cockpit.yaml" in ladder(world(), Handbook()).said
    people = (Person(level=2, name="Ana Ruiz", phone="+34 612 345 678"), Person(3, "Kim Lee"))
    added = handbook.with_contacts(replace(empty, shipped=True), people)
    assert next_of(world(), added) == ANA
    kim = ladder(world(), added).rungs[2]
    assert mend(kim, added) == "Fill in phone of Kim Lee under contacts: in cockpit.yaml."
    shipped = replace(empty, shipped=True)
    assert "cockpit init" in mend(ladder(world(), shipped).rungs[0], shipped)


def test_a_call_is_where_a_person_said_that_it_was() -> None:
    now = world(P0).at(10, called(ANA, NO_ANSWER))
    seq = now.records[-1].seq
    now.at(12, e.TimeCorrected(seq=seq, at=now.records[0].ts, reason="it was at once"))
    assert f"{ladder(now).rungs[1].calls[0].at:%H:%M}" == "03:00"
    assert ladder(now).wait == 3 * 60


# What speaks for it


def known(now: World, words: str) -> str:
    book = Handbook(criteria=(Safe(words),))
    (found,) = criteria(book, 2, now.incident, now.moment())
    return str(found.holds)


@pytest.mark.parametrize(
    ("words", "after"),
    [
        ("15 minutes on a P0, or 30 on a P1, and recovery has not worked", (15, 30)),
        ("Runbook recovery steps fail after 15-30 minutes", (15, 30)),
        ("Runbook steps don't resolve issue after 15–30 min", (15, 30)),
        ("Extended outage (> 2 hours)", (120, 120)),
        ("A P0 lasts longer than 2 hours: Level 4", (120, None)),
        ("SEV1: no progress for 20m", (20, None)),
        ("Down for 1h", (60, 60)),
    ],
)
def test_a_time_holds_from_when_it_is_over_and_for_its_severity(
    words: str, after: tuple[int, int | None]
) -> None:
    for first, minutes in zip((P0, P1), after, strict=True):
        if minutes is None:
            assert not known(world(first).at(24 * 60), words)
        else:
            assert not known(world(first).at(minutes - 1), words)
            assert known(world(first).at(minutes), words).startswith("not mitigated for ")
            assert not known(world(first).at(1, e.IncidentMitigated()).at(minutes), words)


def test_a_severity_alone_holds_at_once() -> None:
    assert known(world(P0), "A P0: call Level 2 at once, then go on") == "it is a P0"
    assert known(world(P1), "P0 or P1 incidents") == "it is a P1"
    assert not known(world(P1), "A P0: call Level 2 at once, then go on")
    assert not known(world(), "A P0: call Level 2 at once, then go on")


def test_a_recovery_that_failed_and_a_level_that_did_not_help_are_known() -> None:
    failed = e.CommandFinished(job="j", exit_status=1, how="done", seconds=1.0, size=0)
    now = world(P1).at(2, ran(), failed)
    assert known(now, "Recovery steps failed") == "`docker restart api` did not work"
    worked = world(P1).at(2, ran(), replace_status(failed, 0))
    assert not known(worked, "Recovery steps failed")
    words = "Issues persisting after Level 2 involvement"
    assert not known(world(P1).at(5, called(ANA, NO_ANSWER)), words)
    assert known(world(P1).at(5, called(ANA, REACHED)), words) == "level 2 was reached at 03:05 UTC"


def replace_status(event: e.CommandFinished, status: int) -> e.CommandFinished:
    return e.CommandFinished(
        job=event.job, exit_status=status, how=event.how, seconds=event.seconds, size=event.size
    )


@pytest.mark.parametrize(
    "words",
    [
        "You do not know what to do next",
        "Payment issues, webhook problems persisting > 30 min",
        "Data loss risk",
        "See runbook 02, section 15",
        "Suspected P0 with data loss",
        "Call before 10 am",
        f"Down for {'9' * 400} minutes",
        "",
    ],
)
def test_what_cockpit_cannot_know_is_not_ticked(words: str) -> None:
    assert not known(world(P0).at(600), words)


def test_the_criteria_are_those_for_all_and_those_of_the_level() -> None:
    now = world(P0).at(1)
    of_two = criteria(TEAM, 2, now.incident, now.moment())
    assert [bool(one.holds) for one in of_two] == [True, False, False, False]
    of_four = criteria(TEAM, 4, now.incident, now.moment())
    assert [one.words for one in of_four][-1] == "Data loss suspected"
    assert tuple(
        one.words for one in criteria(Handbook(), 2, now.incident, now.moment())
    ) == USUAL  # fmt: skip


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_criterion_can_be_read(words: str) -> None:
    book = Handbook(criteria=(Safe(words),))
    now = world(P0).at(45)
    assert len(criteria(book, 2, now.incident, now.moment())) == 1


# The number


def read(rows: tuple[Safe, ...]) -> list[str]:
    """Large digits back into the glyphs of the font, line by line, for each of its three sizes."""
    blocks: list[list[str]] = [[]]
    for row in rows:
        if row or (len(blocks[-1]) not in (3, 5)):
            blocks[-1].append(row)
        else:
            blocks.append([])
    found = []
    for block in blocks:
        width = max(map(len, block))
        across = 2 if len(block) == 5 and all("█ █" not in row for row in block) else 1
        if len(block) == 3:
            block = [
                "".join("█" if sign in half else " " for sign in row.ljust(width))
                for row in block
                for half in ("▀█", "▄█")
            ][:5]
        pixels = [row.ljust(width)[::across] for row in block]
        words, x = "", 0
        width = len(pixels[0])
        while x < width:
            glyph = tuple(row[x : x + 3].ljust(3) for row in pixels)
            if glyph in GLYPHS:
                words, x = words + GLYPHS[glyph], x + 4
            else:
                assert all(row[x] == " " for row in pixels)
                words, x = words.rstrip() + " ", x + 1
        found.append(" ".join(words.split()))
    return found


GLYPHS = {
    tuple(row.replace("#", "█").replace(".", " ") for row in glyph.split()): sign
    for sign, glyph in phone._GLYPHS.items()
}


@pytest.mark.parametrize(
    ("number", "groups"),
    [
        ("+49 170 1234567", ("+49", "170", "1234567")),
        ("+491701234567", ("+49", "170", "123", "4567")),
        ("+1 (415) 555-2671 ext. 12", ("+1", "415", "555", "2671")),
        ("+49 (0)30 901820", ("+49", "30", "901820")),
        ("Mobile: 0170/123 45 67", ("0170", "123", "45", "67")),
        ("+1 415 234 5678 (24/7)", ("+1", "415", "234", "5678")),
        ("+1 415 234 5678 24/7", ("+1", "415", "234", "5678")),
        ("+49 171 2345678 (9-17h)", ("+49", "171", "2345678")),
        ("+1 415 234-5678 2nd floor", ("+1", "415", "234", "5678")),
        ("030 901820 / 0171 2345678", ("030", "901820")),
        ("030 / 901820", ("030", "901820")),
        ("1-800-FLOWERS", ()),
        ("+1-415-234-KIMS", ()),
        ("+４９ ３０ ９０１８２０", ("+49", "30", "901820")),
        ("٠١٢ ٣٤٥٦٧٨", ("012", "345678")),
        ("see the dashboard", ()),
        ("____", ()),
    ],
)
def test_a_number_is_read_in_its_groups(number: str, groups: tuple[str, ...]) -> None:
    assert phone.groups(number) == groups
    for width, height in ((75, 30), (48, 11), (58, 3)):
        rows = phone.large(number, width, height)
        assert len(rows) <= height
        assert all(len(row) <= width for row in rows)
        if rows:
            assert " ".join(read(rows)) == " ".join(groups)
    assert bool(phone.large(number, 75, 30)) is bool(groups)


def test_the_digits_are_as_large_as_they_can_be() -> None:
    number = "+34 612 345 678"
    assert [len(phone.large(number, 75, height)) for height in (20, 11, 10, 4, 2)] == [
        11, 11, 5, 3, 0,
    ]  # fmt: skip
    assert phone.large(number, 10, 20) == ()


@given(st.text("+0123456789 ()-/x²٣４", max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_number_can_be_drawn(number: str) -> None:
    phone.large(number, 46, 20)
    if dials := phone.dials(number):
        assert len(phone.code(dials)) <= 45


def test_no_two_digits_are_alike() -> None:
    assert len(set(phone._GLYPHS.values())) == len(phone._GLYPHS)
    large = [phone.large(sign * 5, 80, 5) for sign in "0123456789"]
    assert len(set(large)) == 10
    for one, other in pairwise(phone._GLYPHS.values()):
        assert sum(a != b for a, b in zip(one, other, strict=True)) >= 1


@pytest.mark.parametrize("number", ["+34 612 345 678", "+1 (415) 555-2671", "0170 1234567"])
def test_the_code_is_that_of_the_number_with_its_quiet_zone(number: str) -> None:
    dials = phone.dials(number)
    assert dials in ("+34612345678", "+14155552671", "01701234567")
    modules = phone.code(dials)
    bare = segno.make(f"tel:{dials}", error="m", micro=False).matrix
    quiet = phone.QUIET
    inner = [row[quiet:-quiet] for row in modules[quiet:-quiet]]
    assert inner == [tuple(bool(module) for module in row) for row in bare]
    edge = {*modules[:quiet], *modules[-quiet:]}
    assert edge == {(False,) * len(modules)}
    assert not any(any(row[:quiet] + row[-quiet:]) for row in modules)


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None)
def test_half_blocks_are_the_pixels(rows: list[list[bool]]) -> None:
    drawn = phone.halves(rows)
    back = [[sign in half for sign in line] for line in drawn for half in ("▀█", "▄█")]
    assert back[: len(rows)] == rows
    assert not any(any(row) for row in back[len(rows) :])
