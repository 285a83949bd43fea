"""Known mistakes: whose words are said of them, and when somebody goes on alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from cockpit.clock import Moment
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.incident import Incident, fold
from cockpit.oncall import handbook, pitfalls
from cockpit.oncall.model import Handbook, Pitfall
from cockpit.text import Safe

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def book(*known: tuple[str, str]) -> Handbook:
    return Handbook(pitfalls=tuple(Pitfall(Safe(title), Safe(text)) for title, text in known))


def test_without_a_handbook_the_words_are_ours() -> None:
    for name, words in pitfalls.OURS.items():
        assert pitfalls.sentence(name, None) == words
        assert pitfalls.sentence(name, Handbook()) == words
        assert pitfalls.sentence(name, book(("Silence", "Say more."))) == words


def test_what_is_said_of_a_restart_is_not_said_of_a_pause() -> None:
    known = book(("Mending before looking", "A restart destroys what you needed to see."))
    pitfalls_of = partial(pitfalls.sentence, "diagnosis", known)
    assert pitfalls_of("docker pause db") == pitfalls_of("docker kill db")
    assert pitfalls_of("docker pause db") == pitfalls.OURS["diagnosis"]
    assert "restart destroys" in pitfalls_of("docker restart db")
    assert "restart destroys" in pitfalls_of("docker compose up -d db")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("diagnosis", "Do not skip steps: Always run the diagnosis first."),
        ("logs", "Do not skip steps: Save logs before you restart."),
        ("alone", "Do not guess: Escalate rather than wait."),
        ("verification", "Do not skip steps: Verify the fix before you call it resolved."),
    ],
)
def test_of_a_list_below_a_heading_the_line_that_is_meant_is_said(name: str, words: str) -> None:
    known = book(
        (
            "Do not skip steps",
            "Always run the diagnosis first\nVerify the fix before you call it resolved\n"
            "Save logs before you restart",
        ),
        ("Do not guess", "Follow the runbook\nEscalate rather than wait"),
    )
    assert pitfalls.sentence(name, known) == words


def test_of_one_pitfall_alone_all_is_said() -> None:
    known = book(("A hero at night", "After half an hour you repeat yourself. Call somebody."))
    words = "A hero at night: After half an hour you repeat yourself. Call somebody."
    assert pitfalls.sentence("alone", known) == words


def test_a_long_pitfall_is_cut_to_the_sentence_that_is_meant() -> None:
    filler = "It happened twice this year. " * 12
    known = book(("Restarts", f"{filler}A restart destroys what you came to see. {filler}"))
    assert pitfalls.sentence("logs", known) == "Restarts: A restart destroys what you came to see."


@pytest.mark.parametrize("sign", ["", "❌ ", "⚠️ ", "🚫 "])
@pytest.mark.parametrize("bold", ["", "**"])
def test_a_sign_before_an_item_is_not_said(sign: str, bold: str) -> None:
    text = f"# On call\n\n## Pitfalls\n\n- {sign}{bold}Resolving without verification.{bold}\n"
    words = pitfalls.sentence("verification", handbook.parse(text))
    assert words == "Resolving without verification."


def test_what_a_handbook_says_cannot_steer_the_terminal() -> None:
    hostile = Pitfall(Safe("Alone"), Safe("x\x1b]52;c;ZXZpbA==\x07"))
    assert "\x1b" not in pitfalls.sentence("alone", Handbook(pitfalls=(hostile,)))


def test_the_shipped_handbook_has_words_for_each_moment() -> None:
    shipped = handbook.load(Config())
    assert shipped.pitfalls
    said = {name: pitfalls.sentence(name, shipped) for name in pitfalls.OURS}
    assert said["diagnosis"].startswith("Mending before looking:")
    assert said["alone"].startswith("Going on alone:")
    assert said["verification"].startswith("Believing that it worked:")
    assert not set(said.values()) & set(pitfalls.OURS.values())


# Going on alone


def lived(*happened: e.Event) -> Incident:
    first = (e.IncidentStarted(), *happened)
    return fold(
        e.Record(
            seq=seq, id="", ts=START + timedelta(seconds=seq), mono=float(seq), boot="b",
            writer="w", who="sam", event=event,
        )
        for seq, event in enumerate(first, 1)
    )  # fmt: skip


P1 = e.IncidentDeclared(title="API slow", severity=e.Severity.P1)


@pytest.mark.parametrize(
    ("happened", "minutes", "is_alone"),
    [
        ((), 29, False),
        ((), 31, True),
        ((P1, e.NoteAdded(text="x"), e.IncidentAcknowledged()), 31, True),
        ((P1, e.UpdateSent(text="x")), 90, False),
        ((P1, e.UpdateSent(text="x", about="acknowledged")), 90, False),
        ((P1, e.EscalationNoted(who="Kim", how="no answer")), 90, False),
        ((P1, e.IncidentMitigated()), 90, False),
        ((P1, e.IncidentResolved(cause="x", fix="y")), 90, False),
        ((e.IncidentDeclared(title="typo", severity=e.Severity.P3),), 90, False),
        ((P1, e.PitfallTold(name="alone", text="x")), 90, False),
    ],
)
def test_half_an_hour_and_nobody_knows(
    happened: tuple[e.Event, ...], minutes: float, is_alone: bool
) -> None:
    incident = lived(*happened)
    now = Moment(START + timedelta(minutes=minutes), 1 + minutes * 60, "b")
    assert pitfalls.alone(incident, now) is is_alone
    # The wall clock may be set meanwhile.
    assert pitfalls.alone(incident, replace(now, ts=now.ts + timedelta(hours=1))) is is_alone
