"""Limits of containers: crossed once, back once, and never back and forth."""

from __future__ import annotations

import pytest

from cockpit.config import Thresholds
from cockpit.containers import disks
from cockpit.containers.container import Container
from cockpit.containers.disks import Disk
from cockpit.containers.limits import (
    ERRORS,
    MEMORY,
    RESTARTS,
    Errors,
    Key,
    Known,
    Over,
    crossings,
    full,
)
from cockpit.containers.stats import Sample
from cockpit.containers.watch import Containers
from cockpit.incident.events import ThresholdCrossed
from cockpit.incident.incident import Incident
from cockpit.limits import Limits
from cockpit.text import Safe

LIMITS = Thresholds(restarts=3, memory=90, memory_minutes=5, errors=10)
MINUTE = 60 * 10**9


def row(
    *, restarts: int | None = 0, memory: int | None = None, at: float = 0.0, state: str = "running"
) -> Container:
    sample = None if memory is None else Sample(at, 1.0, memory, 100, 0, 0, 0, 0, 1)
    return Container(
        id="c1",
        name=Safe("web"),
        image=Safe("web:1"),
        state=state,
        status=Safe(state),
        health="",
        restarts=restarts,
        oom=False,
        exit_code=None,
        started_at=None,
        finished_at=None,
        project=Safe(""),
        service=Safe(""),
        tty=False,
        sample=sample,
    )


def told(
    known: Known, now: float, *rows: Container, errors: int | None = None
) -> tuple[Known, list[tuple[str, bool, str]]]:
    rates = {} if errors is None else {"web": errors}
    after, found = crossings(rows, known, LIMITS, now, rates)
    return after, [(one.what, one.back, one.words) for one in found]


def test_memory_is_told_once_though_it_goes_up_and_down_at_the_limit() -> None:
    known, said = told(Known(), 0.0, row(memory=89, at=0.0))
    assert said == []
    for second in range(1, 301):
        memory = (91, 92, 88, 93)[second % 4]
        known, said = told(known, second, row(memory=memory, at=second))
        assert said == [], "not yet five minutes"
    known, said = told(known, 301.0, row(memory=92, at=301.0))
    assert said == [(MEMORY, False, "web: memory over 90% of its limit for 5 min, now 92%")]
    assert known.over["web", MEMORY].short == "MEMORY 92%"
    for second, memory in enumerate((88, 93, 87, 91, 89) * 20, 302):
        known, said = told(known, second, row(memory=memory, at=second))
        assert said == []
    for second in range(402, 431):
        known, said = told(known, second, row(memory=60, at=second))
        assert said == []
    known, said = told(known, 431.0, row(memory=60, at=431.0))
    assert said == [(MEMORY, True, "web: memory is below 85% of its limit again")]
    assert not known.over


def test_memory_that_is_over_its_limit_again_and_again_but_never_long_is_not_told() -> None:
    known = Known()
    for second in range(0, 3000, 10):
        memory = 97 if second % 250 < 200 else 40
        known, said = told(known, second, row(memory=memory, at=second))
        assert said == []


def test_restarts_count_within_ten_minutes_and_from_when_it_was_first_seen() -> None:
    known, said = told(Known(), 0.0, row(restarts=40))
    assert said == [], "when the 40 were is not known"
    for minute, count in enumerate((41, 42), 1):
        known, said = told(known, minute * 240.0, row(restarts=count))
        assert said == []
    known, said = told(known, 850.0, row(restarts=43))
    assert said == [], "the first of the three is ten minutes ago and no longer counts"
    known, said = told(known, 860.0, row(restarts=44))
    assert said == [(RESTARTS, False, "web: 3 restarts in 10 minutes (limit 3), 44 in all")]
    known, said = told(known, 1000.0, row(restarts=45))
    assert said == []
    known, said = told(known, 1599.0, row(restarts=45))
    assert said == []
    known, said = told(known, 1601.0, row(restarts=45))
    assert said == [(RESTARTS, True, "web: no restart in 10 minutes")]


def test_a_container_made_anew_and_one_that_was_not_asked_yet_begin_at_nothing() -> None:
    known, _ = told(Known(), 0.0, row(restarts=None))
    known, said = told(known, 1.0, row(restarts=9))
    assert said == []
    known, said = told(known, 2.0, row(restarts=0))
    assert said == []
    known, said = told(known, 3.0, row(restarts=5))
    assert said == [(RESTARTS, False, "web: 5 restarts in the 2 s it is watched (limit 3)")]


def test_one_that_is_watched_for_less_than_ten_minutes_is_told_so() -> None:
    known, _ = told(Known(), 0.0, row(restarts=11))
    known, said = told(known, 250.0, row(restarts=14))
    words = "web: 3 restarts in the 4 min it is watched (limit 3), 14 in all"
    assert said == [(RESTARTS, False, words)]


def test_what_was_told_by_an_earlier_cockpit_is_not_shown_as_measured_now() -> None:
    words = "web: 30 errors in its log in a minute (limit 10)"
    before = ThresholdCrossed(host="prod-1", what=ERRORS, words=words, container="web")
    incident = Incident(crossed={("prod-1", "web", ERRORS): before})
    limits = Limits("prod-1", LIMITS)
    known = Containers((row(),), 5.0, Safe(""), "", Safe(""), Safe("prod-1"), {})
    limits.look(known, incident, 5.0, MINUTE)
    assert limits.over["web", ERRORS].words == f"{words}, when cockpit ran last"
    limits.heard({"web": [(MINUTE, 12)]})
    limits.look(known, incident, 6.0, MINUTE + 10**9)
    assert limits.over["web", ERRORS].words == "web: 12 errors in its log in a minute (limit 10)"


@pytest.mark.parametrize(
    ("errors", "short"), [(999, "999"), (1000, "1k"), (27700, "27k"), (3_200_000, "3M")]
)
def test_the_errors_of_a_flood_fit_the_row(errors: int, short: str) -> None:
    known, _ = told(Known(), 0.0, row(), errors=errors)
    assert known.over["web", ERRORS].short == f"{short} ERR/MIN"


def test_old_numbers_and_stopped_containers_tell_nothing_new() -> None:
    known, _ = told(Known(), 0.0, row(memory=95, at=0.0))
    known, said = told(known, 300.0, row(memory=95, at=300.0))
    assert [one[:2] for one in said] == [(MEMORY, False)]
    known, said = told(known, 500.0, row(memory=95, at=300.0))
    assert said == [] and known.over, "the number is old: neither worse nor back"
    known, said = told(known, 501.0, row(memory=95, at=501.0))
    assert said == []
    known, said = told(known, 502.0, row(state="exited"))
    assert said == [] and known.over
    known, said = told(known, 503.0)
    assert [one[:2] for one in said] == [(MEMORY, True)], "it is gone"


def test_of_a_flood_the_errors_that_were_left_out_count_too_and_no_log_that_is_left() -> None:
    limits = Limits("prod-1", LIMITS)
    second = 10**9
    limits.heard({"web": [(second, 2), (2 * second, 8400)], "db": [(second, 3)]})
    known = Containers((row(),), 5.0, Safe(""), "", Safe(""), Safe("prod-1"), {})
    limits.look(known, Incident(), 5.0, 5 * second)
    assert limits.over["web", ERRORS].short == "8k ERR/MIN"
    limits.heard({"db": []})
    limits.look(known, Incident(), 70.0, 6 * second)
    assert ("web", ERRORS) not in limits.over


def test_what_happened_while_nobody_looked_is_not_of_the_last_minutes() -> None:
    limits, hour = Limits("prod-1", LIMITS), 60 * MINUTE

    def look(now: float, there: int, restarts: int, trouble: str = "") -> None:
        rows = (row(restarts=restarts, memory=95, at=now),)
        known = Containers(rows, now, Safe(trouble), "", Safe(""), Safe("prod-1"), {})
        limits.look(known, Incident(), now, there)

    look(5.0, hour, 1)
    look(9.0, 9 * hour, 1, "the link is lost")
    look(20.0, 9 * hour, 1)  # as it was, until it is asked again
    look(22.0, 9 * hour, 7)
    look(60.0, 9 * hour + MINUTE, 7)
    assert not limits.over
    look(70.0, 9 * hour + MINUTE, 8)
    look(90.0, 9 * hour + MINUTE, 10)
    assert [one.words for one in limits.over.values()] == [
        "web: 3 restarts in the 30 s it is watched (limit 3), 10 in all"
    ]


def test_errors_are_counted_by_the_time_in_the_log() -> None:
    errors = Errors()
    for second in range(0, 30, 2):
        errors.add((100 + second) * 10**9)
        errors.add((100 + second) * 10**9 + 5, 1)
    errors.add(0, 1000)
    assert errors.last_minute(130 * 10**9) == 30
    assert errors.last_minute(170 * 10**9) == 20
    assert errors.last_minute(130 * 10**9 + MINUTE) == 0
    known, said = told(Known(), 0.0, row(), errors=10)
    assert said == [(ERRORS, False, "web: 10 errors in its log in a minute (limit 10)")]
    known, said = told(known, 30.0, row(), errors=5)
    known, more = told(known, 89.0, row(), errors=4)
    assert said == more == []
    known, said = told(known, 90.0, row(), errors=4)
    assert said == [(ERRORS, True, "web: fewer than 10 errors in a minute again")]
    known, _ = told(known, 100.0, row(), errors=50)
    known, said = told(known, 159.0, row())
    assert said == [], "another log is followed now"
    known, said = told(known, 161.0, row())
    assert said == [(ERRORS, True, "web: its log is not followed now, so errors are not counted")]


DF = """\
Filesystem     1024-blocks      Used Available Capacity Mounted on
/dev/sda1         10000000   9100000    900000      91% /
tmpfs               100000    100000         0     100% /run
/dev/loop3           50000     50000         0     100% /snap/core/1
overlay           10000000   9100000    900000      91% /var/lib/docker/overlay2/x/merged
/dev/sdb1         20000000  19900000    100000      99% /srv/with a blank
nas:/export       90000000   1000000  89000000       2% /mnt
/dev/sda1         10000000   9100000    900000      91% /again
"""


def test_df_is_read_without_what_is_no_disk() -> None:
    found = disks.read(DF)
    assert [(disk.mount, disk.percent) for disk in found] == [
        ("/", 91),
        ("/srv/with a blank", 99),
        ("/mnt", 2),
    ]
    assert found[0].left == 900_000 * 1024


def test_a_disk_is_told_when_it_fills_and_when_there_is_room_again() -> None:
    over: dict[Key, Over] = {}
    said = []
    for percent in (84, 85, 86, 84, 83, 82, 99):
        over, told = full([Disk(Safe("/"), percent, 1 << 30)], over, 85)
        said.append([(one.back, one.words) for one in told])
    room = "/ has room again: 82% (limit 85%)"
    assert said[1] == [(False, "/ is 85% full, 1.0 GiB left (limit 85%)")]
    assert said[5] == [(True, room)]
    assert said[6] == [(False, "/ is 99% full, 1.0 GiB left (limit 85%)")]
    assert said[0] == said[2] == said[3] == said[4] == []
    assert [one.short for one in over.values()] == ["/ is 99% full"]
    over, told = full([], over, 85)
    assert [one.back for one in told] == [True], "it is not mounted any more"
