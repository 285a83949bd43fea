"""Since when a container is unhealthy, and what its check last said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cockpit.containers.container import from_inspect
from cockpit.containers.engine import Engine
from cockpit.containers.watch import Watch
from cockpit.containers.wire import Config, Health, HealthCheck, Inspected, Probe, State
from cockpit.target.target import Local

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def probe(second: float, output: str = "") -> Probe:
    return Probe(f"{NOON + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.%f}Z", 1, output)


def since(streak: int, log: list[Probe] | None, retries: int = 0, status: str = "unhealthy") -> str:
    health = Health(status, streak, log)
    config = Config(healthcheck=HealthCheck(retries) if retries else None)
    state = State("running", started_at="2026-11-22T11:50:00Z", health=health)
    found = from_inspect(Inspected("a", state=state, config=config)).unhealthy_since
    return f"{found:%H:%M:%S}" if found else ""


def test_unhealthy_since_the_failure_that_made_it_so() -> None:
    log = [probe(10 * n) for n in range(5)]
    assert since(3, log) == "12:00:40"
    assert since(5, log) == "12:00:20"
    assert since(2, log[:2], retries=1) == "12:00:00"
    assert since(2, log, status="starting") == ""


def test_what_the_log_no_longer_has_is_reckoned_back_but_not_beyond_its_start() -> None:
    log = [probe(10 * n) for n in range(5)]
    assert since(9, log) == "11:59:40"
    assert since(10**18, log) == "11:50:00"
    assert since(1, None) == since(1, [Probe("no time")]) == "11:50:00"


def test_the_last_line_of_the_newest_check_is_kept_and_cleaned() -> None:
    log = [probe(0, "old"), probe(9, "trying\nrefused \x1b]0;x\x07\n\n")]
    state = State("running", health=Health("unhealthy", 3, log))
    said = from_inspect(Inspected("a", state=state)).health_said
    assert said.startswith("refused") and "\x1b" not in said
    over = State("exited", health=state.health)
    assert from_inspect(Inspected("a", state=over)).health_said == ""


def test_since_when_does_not_drift_but_begins_anew_after_a_recovery() -> None:
    watch = Watch(Engine(Local(), "/nowhere"))

    def told(seconds_ago: float, status: str = "unhealthy") -> float:
        """How long it is unhealthy, after an inspect that reckons so."""
        end = f"{datetime.now(UTC) - timedelta(seconds=seconds_ago):%Y-%m-%dT%H:%M:%S.%f}Z"
        health = Health(status, 3, [Probe(end, 1, "")])
        watch._put(from_inspect(Inspected("a", state=State("running", health=health))))
        since = watch.snapshot.rows[0].unhealthy_since
        return (datetime.now(UTC) - since).total_seconds() if since else 0

    def about(seconds: float) -> object:
        return pytest.approx(seconds, abs=15)

    assert told(1000) == about(1000)
    assert told(950) == about(1000)
    assert told(1040) == about(1000)
    assert told(120) == about(120), "it recovered unseen"
    assert told(0, "healthy") == 0
    assert told(60) == about(60)
