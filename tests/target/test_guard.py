"""The gate: what each risk asks for, and that nothing gets round it."""

from __future__ import annotations

import pytest

from cockpit.runbook.model import Risk
from cockpit.target.guard import Ask, Intent, Level, Pass, Refused, answer, ask


def intent(risk: Risk, **more: object) -> Intent:
    fields: dict[str, object] = {
        "command": "docker compose restart kamiyo",
        "host": "prod-1",
        "risk": risk,
        "because": "restarts",
    }
    return Intent(**(fields | more))  # type: ignore[arg-type]


def test_reading_is_not_asked_about() -> None:
    asked = ask(intent(Risk.READ))
    assert asked.level is Level.OPEN
    assert answer(asked).how == "not asked"


def test_a_change_wants_the_deliberate_key() -> None:
    asked = ask(intent(Risk.CHANGE))
    with pytest.raises(Refused, match="nothing was run"):
        answer(asked)
    with pytest.raises(Refused, match="nothing was run"):
        answer(asked, typed="prod-1")
    leave = answer(asked, confirmed=True)
    assert (leave.command, leave.host, leave.how) == (
        "docker compose restart kamiyo",
        "prod-1",
        "confirmed",
    )


@pytest.mark.parametrize("typed", ["", "prod", "PROD-1", "yes", "prod-1 x"])
def test_destruction_wants_the_name_typed_out(typed: str) -> None:
    asked = ask(intent(Risk.DESTROY))
    with pytest.raises(Refused, match="Type prod-1"):
        answer(asked, confirmed=True, typed=typed)
    assert answer(asked, typed=" prod-1 ").how == "typed prod-1"


def test_destruction_of_a_container_wants_the_name_of_that_container() -> None:
    asked = ask(intent(Risk.DESTROY, names=("kamiyo",)))
    with pytest.raises(Refused, match="Type kamiyo"):
        answer(asked, typed="prod-1")
    assert answer(asked, typed="kamiyo").how == "typed kamiyo"


def test_destruction_of_everything_wants_the_host() -> None:
    asked = ask(intent(Risk.DESTROY, names=("*",)))
    assert asked.names == ("prod-1",)


@pytest.mark.parametrize("risk", [Risk.CHANGE, Risk.DESTROY])
def test_recovery_before_diagnosis_wants_a_reason(risk: Risk) -> None:
    asked = ask(intent(risk, skipped_diagnosis=True))
    with pytest.raises(Refused, match="Why recover first"):
        answer(asked, confirmed=True, typed="prod-1", reason="  ")
    leave = answer(asked, confirmed=True, typed="prod-1", reason="known from yesterday")
    assert leave.reason == "known from yesterday"


def test_acting_on_old_numbers_wants_a_reason() -> None:
    for risk in (Risk.CHANGE, Risk.DESTROY):
        asked = ask(intent(risk, stale="Numbers are 40 s old.", names=("kamiyo",)))
        assert "40 s old" in asked.reason_wanted
        with pytest.raises(Refused):
            answer(asked, confirmed=True, typed="kamiyo")


def test_old_numbers_of_containers_do_not_hinder_what_touches_none() -> None:
    asked = ask(intent(Risk.CHANGE, stale="Numbers are 40 s old."))
    assert asked.reason_wanted == ""


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(Refused, match="no command"):
        answer(ask(intent(Risk.READ, command=" \n ")))


def test_a_pass_cannot_be_made_elsewhere() -> None:
    with pytest.raises(TypeError, match="handed out"):
        Pass("rm -rf /", "prod-1", Risk.READ, "not asked", "", "", None, False, 1, object())


def test_an_ask_with_another_level_does_not_open_a_destructive_intent() -> None:
    forged = Ask(intent(Risk.DESTROY), Level.OPEN, (), "")
    with pytest.raises(Refused):
        answer(forged)
