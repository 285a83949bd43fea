"""The fold: the same events always make the same incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cockpit.incident import events as e
from cockpit.incident.incident import Incident, Mark, RunState, Status, fold

START = datetime(2026, 11, 21, 3, 12, tzinfo=UTC)
STEP = e.StepRef("runbook.md", "diagnosis/look")


def records(*events: e.Event) -> list[e.Record]:
    """The events as the journal would hold them, a minute apart."""
    return [
        e.Record(
            seq=number,
            id=f"id{number}",
            ts=START + timedelta(minutes=number - 1),
            mono=float(number),
            boot="b",
            writer="w",
            who="sam",
            event=event,
        )
        for number, event in enumerate(events, 1)
    ]


def asked(job: str = "j1", risk: str = "read", phase: str = "diagnosis") -> e.CommandRequested:
    return e.CommandRequested(
        job=job, host="prod-1", command="docker ps", risk=risk, gate="not asked", root="/r",
        boot="b", phase=phase, step=STEP, command_id="c",
    )  # fmt: skip


def finished(job: str = "j1", status: int | None = 0, how: str = "done") -> e.CommandFinished:
    return e.CommandFinished(job=job, exit_status=status, how=how, seconds=1.5, size=3)


def test_an_incident_from_start_to_end() -> None:
    incident = fold(
        records(
            e.JournalOpened(schema=1, incident="01J", salt="ab", version="0"),
            e.IncidentStarted(),
            e.IncidentDeclared(title="API down", severity=e.Severity.P0),
            e.IncidentAcknowledged(),
            e.IncidentMitigated(),
            e.IncidentResolved(cause="disk", fix="freed"),
        )
    )
    assert (incident.title, incident.severity, incident.status) == (
        "API down",
        e.Severity.P0,
        Status.RESOLVED,
    )
    times = [incident.started, incident.detected, incident.acknowledged, incident.mitigated]
    assert times == [START + timedelta(minutes=n) for n in (1, 2, 3, 4)]
    assert incident.resolved == START + timedelta(minutes=5)
    assert len(incident.entries) == 5


def test_the_first_acknowledgement_counts() -> None:
    incident = fold(records(e.IncidentAcknowledged(), e.IncidentAcknowledged()))
    assert incident.acknowledged == START


def test_a_run_from_request_to_exit_status() -> None:
    events = [asked(), e.CommandClaimed(job="j1"), finished(status=3)]
    states = [fold(records(*events[:n])).runs["j1"].state for n in (1, 2, 3)]
    assert states == [RunState.REQUESTED, RunState.RUNNING, RunState.DONE]
    run = fold(records(*events)).runs["j1"]
    assert (run.exit_status, run.worked, run.over) == (3, False, True)


def test_a_claim_told_after_the_end_does_not_reopen_a_run() -> None:
    incident = fold(records(asked(), finished(), e.CommandClaimed(job="j1")))
    assert incident.running() == ()


def test_a_stop_asked_for_before_the_host_told_of_the_start_is_no_start() -> None:
    events = [asked(), e.StopRequested(job="j1"), e.CommandClaimed(job="j1")]
    runs = [fold(records(*events[:n])).runs["j1"] for n in (1, 2, 3)]
    assert [run.claimed for run in runs] == [False, False, True]
    assert [run.state for run in runs[1:]] == [RunState.STOPPING, RunState.STOPPING]


def test_unknown_is_a_state_of_its_own() -> None:
    incident = fold(records(asked(), e.CommandUnknown(job="j1", why="the host was rebooted")))
    run = incident.runs["j1"]
    assert (run.state, run.over, run.exit_status) == (RunState.UNKNOWN, True, None)


def test_a_change_wants_a_verification_ticked_after_it() -> None:
    change = [asked("j1", "change", "recovery"), finished("j1")]
    ticked = e.StepDone(step=STEP, title="Health", phase="verification")
    assert not fold(records(*change)).verified
    assert fold(records(*change, ticked)).verified
    assert not fold(records(ticked, *change)).verified
    failed = e.StepFailed(step=STEP, title="Health", phase="verification")
    assert not fold(records(*change, ticked, failed)).verified
    despite = e.StepDone(step=STEP, title="Health", phase="verification", despite="curl: exit 7")
    assert not fold(records(*change, despite)).verified


def test_taking_a_verification_back_takes_verified_back() -> None:
    change = [asked("j1", "change", "recovery"), finished("j1")]
    ticked = e.StepDone(step=STEP, title="Health", phase="verification")
    undone = e.StepReopened(step=STEP, title="Health", phase="verification")
    assert not fold(records(*change, ticked, undone)).verified


def test_a_command_that_never_ran_is_no_diagnosis() -> None:
    assert not fold(records(asked(), finished(how="never started", status=None))).diagnosed
    assert not fold(records(asked(), e.CommandUnknown(job="j1", why="reboot"))).diagnosed


def test_users_are_hurt_until_it_is_mitigated_or_else_resolved() -> None:
    resolved = e.IncidentResolved(cause="x", fix="y")
    earlier = START - timedelta(minutes=20)
    incident = fold(records(e.IncidentStarted(), resolved, e.TimeCorrected(seq=2, at=earlier)))
    assert incident.resolved == incident.hurt_until == earlier


def test_an_exit_status_alone_is_no_verification() -> None:
    change = [asked("j1", "change", "recovery"), finished("j1")]
    looked = [asked("j2", "read", "verification"), finished("j2")]
    assert not fold(records(*change, *looked)).verified


def test_diagnosis_is_done_by_a_command_or_by_hand() -> None:
    assert not fold(records(asked())).diagnosed
    assert fold(records(asked(), finished(status=1))).diagnosed
    by_hand = e.StepDone(step=STEP, title="look", phase="diagnosis")
    assert fold(records(by_hand)).diagnosed


def test_steps_are_marked_and_taken_back() -> None:
    skipped = e.StepSkipped(step=STEP, title="Look", reason="known")
    assert fold(records(skipped)).steps[STEP].mark is Mark.SKIPPED
    assert STEP not in fold(records(skipped, e.StepReopened(step=STEP, title="Look"))).steps


def test_a_corrected_time_moves_the_entry_and_its_clock_and_keeps_the_record() -> None:
    earlier = START - timedelta(minutes=30)
    incident = fold(records(e.IncidentStarted(), e.TimeCorrected(seq=1, at=earlier)))
    assert incident.started == earlier
    entry = incident.entries[0]
    assert (entry.at, entry.record.ts, entry.corrected) == (earlier, START, True)


def test_reopening_takes_the_resolution_back() -> None:
    incident = fold(
        records(e.IncidentResolved(cause="x", fix="y"), e.IncidentReopened(reason="again"))
    )
    assert incident.open
    assert incident.resolution is None


EVENTS = st.sampled_from(
    [
        e.IncidentStarted(),
        e.IncidentDeclared(title="x", severity=e.Severity.P1),
        e.IncidentMitigated(),
        e.IncidentResolved(cause="a", fix="b"),
        e.IncidentReopened(reason="r"),
        e.NoteAdded(text="n"),
        e.TimeCorrected(seq=2, at=START),
        e.StepDone(step=STEP, title="t", phase="verification"),
        asked("j1", "change", "recovery"),
        finished("j1"),
        e.StopRequested(job="j1"),
        e.CommandUnknown(job="nobody", why="x"),
        e.Unreadable(name="future.kind", text="{}"),
    ]
)


@given(st.lists(EVENTS, max_size=20), st.integers(0, 20))
def test_folding_in_two_parts_is_folding_at_once(events: list[e.Event], cut: int) -> None:
    found = records(*events)
    assert fold(found[cut:], fold(found[:cut])) == fold(found)
    assert isinstance(fold(found), Incident)
