"""What ended or is unhealthy on the timeline: one line for each, however much happens at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cockpit.config import Thresholds
from cockpit.containers.container import Container, from_list
from cockpit.containers.watch import Containers
from cockpit.containers.wire import Listed
from cockpit.incident.events import Record, ThresholdCrossed
from cockpit.incident.incident import Incident, apply
from cockpit.limits import Limits
from cockpit.text import Safe

AT = datetime(2026, 1, 5, 3, tzinfo=UTC)


def recorded(event: ThresholdCrossed) -> Record:
    return Record(seq=1, id="", ts=AT, mono=0.0, boot="", writer="", who="sam", event=event)


class Story:
    """An open incident, and what its timeline says second by second."""

    def __init__(self) -> None:
        self.limits = Limits("prod-1", Thresholds())
        self.incident = Incident(started=AT)
        self.now = 0.0

    def goes(
        self,
        seconds: int,
        *rows: Container,
        trouble: str = "",
        linked: bool = True,
        asked: tuple[str, ...] = (),
    ) -> list[str]:
        told = []
        stops = {id: int(AT.timestamp() * 1e9) for id in asked}
        known = Containers(rows, 0.0, Safe(trouble), "", Safe(""), Safe("prod-1"), {}, stops)
        for _ in range(seconds):
            self.now += 1.0
            self.limits.look(known, self.incident, self.now, int(self.now * 1e9), linked=linked)
            for one in self.limits.news(self.incident):
                told.append(one.words)
                self.incident = apply(self.incident, recorded(one))
        return told


def up(name: str, health: str = "") -> Container:
    made = from_list(Listed(name, names=[f"/{name}"], state="running"))
    return replace(made, health=health)


def down(name: str, code: int, *, oom: bool = False) -> Container:
    return replace(up(name), state="exited", exit_code=code, oom=oom, finished_at=AT)


def test_what_ends_badly_is_told_once_and_that_it_runs_again_once() -> None:
    story = Story()
    assert story.goes(3, up("web"), up("job"), down("old", 1)) == []
    ended = (down("web", 137, oom=True), down("job", 0), down("old", 1))
    assert story.goes(60, *ended) == ["web: ended, 137: killed, out of memory"]
    for _ in range(5):
        assert story.goes(5, up("web")) + story.goes(5, down("web", 1)) == []
    assert story.goes(60, up("web")) == ["web: runs again"]
    assert story.goes(5, down("web", 3)) == ["web: ended, 3: failed"]


def test_one_that_somebody_stopped_and_one_that_starts_again_at_once_are_no_alarm() -> None:
    story = Story()
    story.goes(3, up("web"), up("db"))
    assert story.goes(9, down("web", 137), up("db"), asked=("web",)) == []
    story.goes(3, up("web"), up("db"))
    assert story.goes(2, down("web", 1), up("db")) == []
    assert story.goes(60, up("web"), up("db")) == []


def test_an_engine_that_goes_and_takes_all_with_it_is_three_lines() -> None:
    story = Story()
    names = [f"c{number}" for number in range(10)]
    story.goes(3, *map(up, names))
    assert story.goes(65, *map(up, names), trouble="No Docker.") == [
        "prod-1: Docker does not answer"
    ]
    after = story.goes(30, *(down(name, 143) for name in names))
    assert after == [
        "prod-1: 10 containers ended: "
        + ", ".join(f"{name} (143)" for name in names[:8])
        + " and 2 more",
        "prod-1: Docker answers again, after 1 min",
    ]
    assert len(story.incident.crossed) == 10
    assert len(story.goes(60, *map(up, names))) == 1
    assert not story.incident.crossed


def test_a_lost_link_is_no_end_of_an_engine_and_a_short_silence_neither() -> None:
    story = Story()
    story.goes(3, up("web"))
    assert story.goes(1, up("web"), trouble="The link is lost.") == []
    assert story.goes(60, up("web"), trouble="The link is lost.", linked=False) == []
    assert story.goes(20, up("web"), trouble="Not asked yet.") == []
    assert story.goes(20, up("web")) == []
    assert story.goes(3, up("web"), trouble="It stopped.") + story.goes(60, up("web")) == []


def test_unhealthy_is_told_once_while_it_comes_and_goes() -> None:
    story = Story()
    sick = replace(up("web", "unhealthy"), health_said=Safe("no answer"))
    assert story.goes(20, up("web", "healthy")) == []
    assert story.goes(20, sick) == ["web: unhealthy: no answer"]
    assert story.goes(20, up("web", "healthy")) + story.goes(20, sick) == []
    assert story.goes(60, up("web", "healthy")) == ["web: is not unhealthy any more"]
