"""What is due when, told by a clock that sleeps, is set, and is another one after a reboot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.clock import Moment
from cockpit.incident import clocks
from cockpit.incident import events as e
from cockpit.incident.clocks import Due, Pace, Rules
from cockpit.incident.incident import Incident, fold
from cockpit.words import in_words

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)  # a Friday
USUAL = Rules()
STEP = e.StepRef("runbook.md", "recovery/restart")
P0 = e.IncidentDeclared(title="API down", severity=e.Severity.P0)
P1 = e.IncidentDeclared(title="API slow", severity=e.Severity.P1)
P2 = e.IncidentDeclared(title="API odd", severity=e.Severity.P2)
P3 = e.IncidentDeclared(title="A wrong word", severity=e.Severity.P3)


@dataclass
class World:
    """A machine and its clocks: really is seconds since `START`, set_by what the wall clock is off.

    Its monotonic clock begins somewhere, and somewhere else after each boot.
    """

    really: float = 0.0
    set_by: float = 0.0
    boot: str = "one"
    began: float = -5000.0

    def __post_init__(self) -> None:
        self.records: list[e.Record] = []

    def moment(self) -> Moment:
        ts = START + timedelta(seconds=self.really + self.set_by)
        return Moment(ts, round(self.really - self.began, 3), self.boot)

    def at(self, minutes: float, *happened: e.Event) -> World:
        """Goes on to so many minutes after the start, where that happens."""
        self.really = minutes * 60
        for event in happened:
            now = self.moment()
            self.records.append(
                e.Record(
                    seq=len(self.records) + 1, id="", ts=now.ts, mono=now.mono, boot=now.boot,
                    writer="w", who="sam", event=event,
                )
            )  # fmt: skip
        return self

    def reboot(self) -> World:
        self.boot += "+"
        self.began = self.really - 20
        return self

    @property
    def incident(self) -> Incident:
        return fold(self.records)

    def due(self, minutes: float | None = None, *, zone: str = "UTC") -> tuple[Due, ...]:
        if minutes is not None:
            self.really = minutes * 60
        return clocks.due(self.incident, USUAL, self.moment(), zone)

    def left(self, name: str, minutes: float | None = None) -> float | None:
        """Minutes that are left on a clock; None where it does not run."""
        return next((one.left / 60 for one in self.due(minutes) if one.name == name), None)


def world(*first: e.Event) -> World:
    return World().at(0, e.IncidentStarted(), *first)


def called(level: int, how: str = "", within: float = 0.0) -> e.EscalationNoted:
    return e.EscalationNoted(who="Kim", level=level, how=how, within=within)


def ran(risk: str = "change", phase: str = "recovery") -> e.CommandRequested:
    return e.CommandRequested(
        job="j", host="prod-1", command="docker restart api", risk=risk, gate="confirmed",
        root="/r", boot="b", phase=phase, step=STEP, command_id="c",
    )  # fmt: skip


def told(minutes: float | None = None, about: str = "update") -> e.UpdateSent:
    at = None if minutes is None else START + timedelta(minutes=minutes)
    return e.UpdateSent(text="Nothing new.", about=about, next_at=at)


ACK = e.IncidentAcknowledged()
NOTE = e.NoteAdded(text="seen")


def test_nothing_is_due_where_nothing_has_happened() -> None:
    assert World().due() == ()


def test_what_a_p0_wants_soonest_first() -> None:
    found = world(P0).due(0.1)
    assert [one.name for one in found] == [
        "breath", "respond", "acknowledge", "update", "escalate", "top level"
    ]  # fmt: skip
    assert [one.left for one in found] == sorted(one.left for one in found)
    keys = {one.name: one.key for one in found}
    assert keys["acknowledge"] == keys["respond"] == "incident.acknowledge"
    assert keys["update"] == "incident.update"
    assert keys["escalate"] == keys["top level"] == "incident.escalate"


def test_the_breath_lasts_thirty_seconds_and_is_never_overdue() -> None:
    begun = world(P0)
    assert begun.left("breath", 0) == 0.5
    assert begun.left("breath", 0.5) is None
    assert world(P0).at(0.1, NOTE).left("breath", 0.2) is None
    # To say that one has it, or how bad it is, is not to act.
    assert world(P0).at(0.1, ACK).left("breath", 0.2) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("name", "build", "at", "left"),
    [
        ("acknowledge", lambda: world(), 3, 2),
        ("acknowledge", lambda: world(P3), 7, -2),
        ("acknowledge", lambda: world(P0).at(1, ACK), 3, None),
        ("respond", lambda: world(), 3, None),
        ("respond", lambda: world(P0), 1, -0.5),
        ("respond", lambda: world(P0).at(0.2, ACK), 1, None),
        ("respond", lambda: world(P1).at(1, ACK), 5, 10),
        ("respond", lambda: world(P1).at(1, ACK).at(2, ran("read", "diagnosis")), 5, None),
        ("respond", lambda: world(P2).at(1, ACK), 70, -10),
        ("respond", lambda: world(P2).at(10, e.SeverityChanged(severity=e.Severity.P1)), 12, 13),
        ("update", lambda: world(P0), 10, 5),
        ("update", lambda: world(P1), 10, 20),
        ("update", lambda: world(P2), 10, None),
        ("update", lambda: world(P3), 10, None),
        ("update", lambda: world(P0).at(10, told()), 12, 13),
        ("update", lambda: world(P0).at(10, told(20)), 12, 8),
        ("update", lambda: world(P0).at(2, told(about="acknowledged")), 10, 5),
        ("update", lambda: world(P0).at(2, told(30, "acknowledged")), 10, 20),
        ("update", lambda: world(P0).at(10, told(25)).at(20, told()), 30, 5),
        ("update", lambda: world(P0).at(10, e.IncidentMitigated()), 20, -5),
        ("update", lambda: world(P2).at(10, told(40)), 20, 20),
        ("update", lambda: world(P1).at(9, e.SeverityChanged(severity=e.Severity.P0)), 10, 14),
        ("update", lambda: world(P1).at(1, told(31))
            .at(10, e.SeverityChanged(severity=e.Severity.P0)), 12, 13),
        ("update", lambda: world(P0).at(1, told(16))
            .at(10, e.SeverityChanged(severity=e.Severity.P1)), 12, 4),
        ("escalate", lambda: world(P0), 10, 5),
        ("escalate", lambda: world(P1), 10, 20),
        ("escalate", lambda: world(P2), 10, None),
        ("escalate", lambda: world(P0).at(5, ran()), 10, 10),
        ("escalate", lambda: world(P0).at(5, ran()).at(9, ran()), 10, 10),
        ("escalate", lambda: world(P0).at(5, ran("change", "diagnosis")), 10, 5),
        ("escalate", lambda: world(P0).at(5, ran("read", "recovery")), 10, 10),
        ("escalate", lambda: world(P0).at(5, e.IncidentMitigated()), 10, None),
        ("escalate", lambda: world(P0).at(5, called(2)), 10, None),
        ("escalate", lambda: world(P0).at(5, called(2, "reached")), 10, 10),
        ("escalate", lambda: world(P0).at(5, called(0, "reached")), 10, 10),
        ("escalate", lambda: world(P0).at(5, called(4, "reached")), 10, None),
        ("ladder", lambda: world(P0), 10, None),
        ("ladder", lambda: world(P2).at(5, called(2)), 10, 10),
        ("ladder", lambda: world(P2).at(5, called(2, "left message")), 22, -2),
        ("ladder", lambda: world(P2).at(5, called(2, "no answer")).at(9, called(2)), 10, 10),
        ("ladder", lambda: world(P2).at(5, called(2, "no answer")).at(9, called(3)), 10, 29),
        ("ladder", lambda: world(P2).at(5, called(2, "reached")), 10, None),
        ("ladder", lambda: world(P2).at(5, called(2)).at(6, called(2, "reached")), 10, None),
        ("ladder", lambda: world(P2).at(5, called(2, within=600)), 10, 5),
        ("ladder", lambda: world(P2).at(5, called(0, "left message")), 10, None),
        ("ladder", lambda: world(P2).at(5, called(2)).at(6, e.IncidentMitigated()), 10, None),
        ("top level", lambda: world(P0), 130, -10),
        ("top level", lambda: world(P1), 130, None),
        ("top level", lambda: world(P0).at(5, called(4)), 130, None),
        ("top level", lambda: world(P0).at(5, called(3)), 130, -10),
        ("top level", lambda: world(P2).at(60, e.SeverityChanged(severity=e.Severity.P0)), 130, 50),
        ("top level", lambda: world(P0).at(60, e.IncidentMitigated()), 130, None),
    ],
)  # fmt: skip
def test_a_clock_runs_and_is_answered(
    name: str, build: Callable[[], World], at: float, left: float | None
) -> None:
    found = build().left(name, at)
    assert found == (None if left is None else pytest.approx(left))


def test_nothing_is_due_once_it_is_resolved_and_again_once_it_is_not() -> None:
    over = world(P0, ACK).at(5, ran(), called(4, "reached"), told(20), e.IncidentMitigated())
    over.at(20, e.IncidentResolved(cause="a", fix="b"))
    assert over.due(500) == ()
    # What was tried, promised and mitigated before it came back counts no longer.
    again = over.at(600, e.IncidentReopened(reason="back"))
    assert again.left("update", 601) == pytest.approx(14)
    assert again.left("escalate", 601) == pytest.approx(14)
    assert again.left("acknowledge", 601) is None
    assert again.left("top level", 601) == pytest.approx(119)


def test_a_better_title_moves_no_clock() -> None:
    again = e.IncidentDeclared(title="Checkout down", severity=e.Severity.P0)
    assert world(P0).at(10, again).left("update", 12) == pytest.approx(3)


def test_no_ladder_goes_on_from_before_it_was_reopened() -> None:
    over = world(P1, ACK).at(5, called(2), e.IncidentResolved(cause="a", fix="b"))
    assert over.at(30, e.IncidentReopened(reason="back")).left("ladder", 31) is None


def queued(message: str, minutes: float | None = None, about: str = "update") -> list[e.Event]:
    """Others are told through the outbox, to two destinations."""
    said = msgspec.structs.replace(told(minutes, about), to=("slack", "mail"))
    ways = [
        e.MessageQueued(message=f"{message}-{to}", to=to, about=about, text=said.text)
        for to in said.to
    ]
    return [said, *ways]


def test_an_update_counts_once_one_of_its_messages_was_sent_from_when_it_was_written() -> None:
    here = world(P0, ACK).at(10, *queued("a", 25))
    here.at(11, e.MessageFailed(message="a-slack", why="404", final=True))
    assert here.left("update", 12) == pytest.approx(3)
    assert here.incident.times.told is None
    (due,) = [one for one in here.due(12) if one.name == "update"]
    assert due.key == "incident.outbox"
    assert "your message of 03:10 UTC has not been sent yet" in due.words
    here.at(13, e.MessageSent(message="a-mail"))
    assert here.left("update", 14) == pytest.approx(11)
    assert here.incident.times.told is not None


def test_a_destination_that_carries_no_text_to_people_is_no_update() -> None:
    signal = e.MessageQueued(message="p", to="pager", about="update", text="t", signal=True)
    here = world(P0, ACK).at(10, *queued("a", 25), signal)
    here.at(11, e.MessageFailed(message="a-slack", why="403", final=True))
    here.at(11, e.MessageFailed(message="a-mail", why="403", final=True))
    here.at(12, e.MessageSent(message="p"))
    assert here.left("update", 12) == pytest.approx(3)
    assert here.incident.times.told is None
    (due,) = [one for one in here.due(12) if one.name == "update"]
    assert "your message of 03:10 UTC has not been sent yet" in due.words
    alone = world(P0, ACK).at(10, replace_to(told(25), "pager"), signal)
    alone.at(11, e.MessageSent(message="p"))
    assert alone.left("update", 12) == pytest.approx(3)
    (due,) = [one for one in alone.due(12) if one.name == "update"]
    assert "not been sent" not in due.words, "there is nothing more to send"


def replace_to(said: e.UpdateSent, *to: str) -> e.UpdateSent:
    return msgspec.structs.replace(said, to=to)


def test_what_was_written_before_takes_nothing_back_and_by_hand_counts_at_once() -> None:
    here = world(P0, ACK).at(5, *queued("a", 8)).at(9, *queued("b")).at(10, *queued("c"))
    here.at(11, e.MessageSent(message="b-mail")).at(12, e.MessageSent(message="a-mail"))
    assert here.left("update", 12) == pytest.approx(12)
    assert here.at(13, told()).left("update", 13) == pytest.approx(15)
    assert here.incident.times.unsent == ()
    early = world(P0).at(5, *queued("a")).at(6, e.TimeCorrected(seq=3, at=START))
    assert early.at(7, e.MessageSent(message="a-mail")).left("update", 7) == pytest.approx(8)


def test_in_a_training_to_queue_is_to_tell() -> None:
    here = World().at(0, e.IncidentStarted(training=True), P0, ACK).at(10, *queued("a"))
    here.at(10, e.MessageCancelled(message="a-slack"), e.MessageCancelled(message="a-mail"))
    assert here.left("update", 12) == pytest.approx(13)
    assert here.incident.times.told is not None


def test_the_handbooks_own_times_hold() -> None:
    rules = Rules(
        acknowledge=120,
        paces={e.Severity.P0: Pace(0, 300, 600)},
        ladder={2: 60},
        top_level=3,
        top_after=3600,
    )
    here = world(P0).at(1, called(2))
    left = {one.name: one.left for one in clocks.due(here.incident, rules, here.moment(), "UTC")}
    assert left == {"acknowledge": 60, "update": 240, "ladder": 60, "top level": 3540}
    # What the handbook does not rate has the usual times.
    slow = world(P1)
    assert {one.name for one in clocks.due(slow.incident, rules, slow.moment(), "UTC")} >= {
        "update"
    }


# The next business day


@pytest.mark.parametrize(
    ("started", "zone", "due"),
    [
        ("2026-11-17 15:00", "UTC", "2026-11-18 09:00"),  # a Tuesday
        ("2026-11-17 03:00", "UTC", "2026-11-17 09:00"),  # at night: that morning
        ("2026-11-20 15:00", "UTC", "2026-11-23 09:00"),  # Friday to Monday
        ("2026-11-21 03:00", "UTC", "2026-11-23 09:00"),
        ("2026-11-22 23:59", "UTC", "2026-11-23 09:00"),
        ("2026-11-22 23:30", "Europe/Berlin", "2026-11-23 08:00"),  # Monday already, there
        ("2026-11-20 23:30", "America/New_York", "2026-11-23 14:00"),
        ("2026-03-27 15:00", "Europe/Berlin", "2026-03-30 07:00"),  # summer time begins on the 29th
        ("2026-10-23 15:00", "Europe/Berlin", "2026-10-26 08:00"),  # and ends on the 25th
    ],
)
def test_a_p3_waits_for_the_next_business_day(started: str, zone: str, due: str) -> None:
    began = datetime.fromisoformat(f"{started}+00:00")
    here = World(really=(began - START).total_seconds())
    here.at(here.really / 60, e.IncidentStarted(), P3, ACK)
    found = {one.name: one for one in here.due(here.really / 60 + 1, zone=zone)}
    assert found["respond"].at == datetime.fromisoformat(f"{due}+00:00")
    assert found["respond"].left == (found["respond"].at - began).total_seconds() - 60


# Clocks that are set, sleep, end


HOUR = 3600.0


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_wall_clock_that_is_set_changes_nothing_within_one_boot(jump: float) -> None:
    here, there = world(P0).at(5, told(20)), world(P0).at(5, told(20))
    there.set_by = jump
    here_due, there_due = here.due(10), there.due(10)
    assert [(one.name, one.left) for one in here_due] == [(one.name, one.left) for one in there_due]
    # The time of day is said by the clock as it goes now.
    for was, now in zip(here_due, there_due, strict=True):
        assert now.at - was.at == timedelta(seconds=jump)


def test_a_laptop_that_slept_comes_back_to_what_is_overdue() -> None:
    # `mono` goes on in sleep, so for what is due sleep is only time.
    assert world(P0).at(1, told(16)).left("update", 46) == pytest.approx(-30)


def test_after_a_reboot_the_wall_clock_is_what_there_is() -> None:
    again = world(P0).at(5, told(20)).at(8).reboot()
    assert again.left("update", 10) == pytest.approx(10)
    assert again.left("top level", 10) == pytest.approx(110)


def test_another_machine_goes_by_the_wall_clock() -> None:
    other = world(P0).at(5, told(20))
    other.boot, other.began = "elsewhere", 123456.0
    assert other.left("update", 10) == pytest.approx(10)


def test_a_machine_that_does_not_tell_its_boots_apart_goes_by_the_wall_clock() -> None:
    here = World(boot="unknown").at(0, e.IncidentStarted(), P0)
    here.began = 99.0
    assert here.left("update", 10) == pytest.approx(5)


def test_a_time_of_day_stands_still_while_the_clock_is_not_set() -> None:
    here = world(P1)
    seen = set()
    for second in range(300):
        here.really = second + 0.0004 * (second % 3)
        seen |= {one.at for one in here.due() if one.name == "update"}
    assert seen == {START + timedelta(minutes=30)}


@pytest.mark.parametrize("boots", [False, True])
def test_a_corrected_time_moves_the_clocks_that_run_from_it(boots: bool) -> None:
    here = world(P0).at(5, called(2))
    here.at(10, e.TimeCorrected(seq=1, at=START - timedelta(minutes=30)))
    here.at(10, e.TimeCorrected(seq=3, at=START + timedelta(minutes=2)))
    if boots:
        here.reboot()
    assert here.left("acknowledge", 12) == pytest.approx(-37)
    assert here.left("top level", 12) == pytest.approx(78)
    assert here.left("ladder", 12) == pytest.approx(5)
    assert here.left("update", 12) == pytest.approx(3)
    # And once more: the last word counts.
    here.at(13, e.TimeCorrected(seq=3, at=START + timedelta(minutes=4)))
    assert here.left("ladder", 13) == pytest.approx(6)


def test_a_corrected_update_keeps_the_promise_that_it_made() -> None:
    here = world(P0).at(5, told(20)).at(8, e.TimeCorrected(seq=3, at=START + timedelta(minutes=3)))
    assert here.left("update", 10) == pytest.approx(10)
    plain = world(P0).at(5, told()).at(8, e.TimeCorrected(seq=3, at=START + timedelta(minutes=3)))
    assert plain.left("update", 10) == pytest.approx(8)


def test_a_correction_means_the_clock_as_it_went_when_it_was_made() -> None:
    # The wall clock was an hour behind until it was set right, and the start was at 03:00.
    here = World(set_by=-HOUR).at(0, e.IncidentStarted(), P0)
    here.set_by = 0
    assert here.left("acknowledge", 2) == pytest.approx(3)
    here.at(2, e.TimeCorrected(seq=1, at=START - timedelta(minutes=1)))
    assert here.left("acknowledge", 2) == pytest.approx(2)


# Put off


def test_what_is_put_off_is_not_spoken_of_until_it_is_again() -> None:
    here = world(P0).at(16, e.Snoozed(what="update", seconds=300, reason="on the phone"))
    (update,) = (one for one in here.due(18) if one.name == "update")
    assert (update.left, update.quiet, update.late) == (-180, 180, False)
    (update,) = (one for one in here.due(21) if one.name == "update")
    assert (update.quiet, update.late) == (0, True)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_snooze_outlives_restart_and_a_clock_that_is_set(jump: float) -> None:
    here = world(P0).at(16, e.Snoozed(what="update", seconds=900, reason="on the phone"))
    here.set_by = jump
    quiet = {one.name: one.quiet for one in here.due(20)}
    assert quiet["update"] == 660 and quiet["escalate"] == 0
    here.set_by = 0
    quiet = {one.name: one.quiet for one in here.reboot().due(21)}
    assert quiet["update"] == 600


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("update", told(40)),
        ("ladder", called(3)),
        ("update", e.SeverityChanged(severity=e.Severity.P1)),
    ],
)
def test_what_answers_a_clock_ends_its_snooze(what: str, answer: e.Event) -> None:
    here = world(P0).at(5, called(2)).at(22, e.Snoozed(what=what, seconds=1800, reason="busy"))
    assert here.incident.times.snoozed
    assert not here.at(23, answer).incident.times.snoozed


# Many incidents, many clocks


HAPPENS = st.sampled_from(
    [
        ACK,
        NOTE,
        P1,
        ran(),
        ran("read", "diagnosis"),
        told(),
        called(0),
        called(2),
        called(2, "reached"),
        called(3, "left message"),
        e.IncidentMitigated(),
        e.SeverityChanged(severity=e.Severity.P0),
        e.Snoozed(what="update", seconds=300, reason="busy"),
    ]
)
STORY = st.lists(st.tuples(st.floats(0.01, 40), HAPPENS), max_size=12)
JUMPS = st.lists(st.sampled_from([0.0, HOUR, -HOUR, 7.5, -86400.0]), min_size=13, max_size=13)


def lived(story: list[tuple[float, e.Event]], jumps: list[float]) -> World:
    here = world(P0)
    for (minutes, event), jump in zip(story, jumps, strict=False):
        here.set_by = jump
        here.at(here.really / 60 + minutes, event)
    here.set_by = jumps[-1]
    return here


@settings(max_examples=150, deadline=None)
@given(STORY, JUMPS, st.floats(0, 200))
def test_within_one_boot_no_setting_of_the_wall_clock_is_seen(
    story: list[tuple[float, e.Event]], jumps: list[float], later: float
) -> None:
    steady, jumpy = lived(story, [0.0] * 13), lived(story, jumps)
    for here in (steady, jumpy):
        here.really += later * 60
    assert [replace(one, at=START) for one in jumpy.due()] == [
        replace(one, at=START) for one in steady.due()
    ]


@settings(max_examples=150, deadline=None)
@given(STORY, st.integers(0, 12), st.floats(0, 200))
def test_a_reboot_under_a_right_wall_clock_is_not_seen(
    story: list[tuple[float, e.Event]], reboot_before: int, later: float
) -> None:
    steady = lived(story, [0.0] * 13)
    rebooted = world(P0)
    for number, (minutes, event) in enumerate(story):
        if number == reboot_before:
            rebooted.reboot()
        rebooted.at(rebooted.really / 60 + minutes, event)
    if reboot_before >= len(story):
        rebooted.reboot()
    for here in (steady, rebooted):
        here.really += later * 60
    names = [one.name for one in steady.due()]
    assert {one.name for one in rebooted.due()} == set(names)
    for name in names:
        was, now = steady.left(name), rebooted.left(name)
        assert was is not None and now is not None
        assert now == pytest.approx(was, abs=0.001)


@settings(max_examples=100, deadline=None)
@given(STORY, st.floats(0, 200))
def test_every_clock_can_be_answered_and_says_what_it_wants(
    story: list[tuple[float, e.Event]], later: float
) -> None:
    here = lived(story, [0.0] * 13)
    here.really += later * 60
    found = here.due()
    assert [one.left for one in found] == sorted(one.left for one in found)
    assert len({one.name for one in found}) == len(found)
    for one in found:
        assert one.key in (
            "incident.acknowledge", "incident.update", "incident.escalate", "incident.outbox",
            "pane.runbook",
        )  # fmt: skip
        assert one.short and one.words.endswith(".")
        off = (one.at - here.moment().ts).total_seconds() - one.left
        assert abs(off) < 0.01


def test_it_costs_the_same_however_much_has_happened() -> None:
    here = world(P0, ACK).at(5, *[NOTE] * 10_000, told(20))
    incident, now = here.incident, here.moment()
    assert len(incident.entries) > 10_000
    held = replace(incident, entries=())
    assert clocks.due(held, USUAL, now, "UTC") == clocks.due(incident, USUAL, now, "UTC")
    began = time.perf_counter()
    for _ in range(1000):
        clocks.due(incident, USUAL, now, "UTC")
    assert time.perf_counter() - began < 10  # seconds for a thousand: 0.05 on an idle core


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (0.2, "1 s"), (59, "59 s"), (60, "1 min"), (61, "2 min"), (900, "15 min"),
        (3600, "1 h"), (3660, "1 h 1 min"), (86400, "1 d 0 h"), (190000, "2 d 4 h"),
    ],
)  # fmt: skip
def test_a_wait_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
