"""`cockpit check` and `cockpit health` against a real host with a real Docker engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from cockpit.config import Thresholds, load
from cockpit.containers import disks
from cockpit.incident import events as e
from cockpit.incident.events import Severity
from cockpit.responder import Responder
from tests.lab.lab import Lab
from tests.plain_cli import Ground, until

pytestmark = pytest.mark.anyio
SERVICE = "    containers: [kamiyo, aggregator]\n    health: http://localhost:8000/health\n"
JOBS = "ls ~/.cache/cockpit/jobs 2>/dev/null || true"
HEALTHY = "until docker inspect -f '{{.State.Health.Status}}' kamiyo | grep -qx healthy; do :; done"
BESIDES = """\
  gone: {ssh: 127.0.0.1, port: 9}
"""
HANDBOOK = """\
# On-Call

## Level 1: Primary

- Name: Ada Example
- Phone: +49 30 901820

## Access Verification

```bash
docker exec kamiyo sqlite3 -readonly /app/data/kamiyo.db "SELECT count(*) FROM orders;"
```
"""


@pytest.fixture
def ground(tmp_path: Path, service: Lab) -> Ground:
    config = service.write_config(tmp_path)
    text = config.read_text().replace("    containers: [kamiyo]\n", SERVICE)
    assert SERVICE in text
    config.write_text(f"{text}thresholds: {{restarts: 1}}\n")
    (tmp_path / "ON_CALL.md").write_text(HANDBOOK)
    service.run(HEALTHY)
    return Ground(tmp_path)


async def found(ground: Ground, *arguments: str) -> tuple[int | None, str, dict[str, str]]:
    """Exit status, outcome, and the mark and words of each check."""
    done = await ground.call(*arguments, "--json")
    said = json.loads(done.out)
    lines = {one["name"]: f"{one['mark']} {one['said']}" for one in said["checks"]}
    return done.status, said["outcome"], lines


async def test_the_check_asks_the_host_its_engine_and_the_database(
    ground: Ground, service: Lab
) -> None:
    config = ground.home / "cockpit.yaml"
    config.write_text(config.read_text().replace("hosts:\n", f"hosts:\n{BESIDES}"))
    status, outcome, lines = await found(ground, "check")
    assert (status, outcome) == (2, "not ready"), "one host is gone"
    well = [name for name in lines if name.startswith(("prod-1: ", "kamiyo: "))]
    assert len(well) == 9
    for name in well:
        assert lines[name].startswith("ok "), (name, lines[name])
    assert lines["kamiyo: container kamiyo"] == "ok runs and is healthy"
    assert lines["kamiyo: health"] == "ok answers 200", "asked on the host: its port is not here"
    assert "refuses" in lines["gone: SSH"] and lines["gone: SSH"].startswith("bad ")
    assert lines["gone: Docker"] == "note not asked: gone cannot be reached"
    assert not (ground.state / "trials").exists()
    kept = json.loads((ground.state / "checks.json").read_text())
    assert kept["wrong"][0].startswith("gone: SSH: ")


async def test_health_is_operational_then_says_what_broke(ground: Ground, service: Lab) -> None:
    before = service.run(JOBS).stdout
    status, outcome, lines = await found(ground, "health")
    assert (status, outcome) == (0, "operational"), lines
    assert lines["kamiyo: memory of aggregator"].endswith("% of 64.0 MiB")

    service.fill_disk()
    service.run("docker stop -t 1 aggregator")
    quiet = await ground.call("health", "-q")
    said = quiet.out.decode()
    assert (quiet.status, quiet.err) == (2, "")
    assert all(line.startswith(("FAIL  ", "warn  ")) for line in said.splitlines())
    assert "kamiyo: container aggregator: aggregator is exited" in said
    assert "kamiyo: restarts of aggregator: aggregator ended 1 time in 10 minutes" in said
    assert "prod-1: disk: /opt/kamiyo/data is 100% full, 0 B left (limit 85%)" in said
    assert "kamiyo: container kamiyo" not in said and "\x1b" not in said
    assert service.run(JOBS).stdout == before, "cron runs it each minute, and leaves nothing there"


async def test_a_limit_that_is_crossed_is_on_the_timeline_of_an_open_incident_once(
    tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = msgspec.structs.replace(
        load(lab.write_config(tmp_path)),
        thresholds=Thresholds(restarts=1, memory=10, memory_minutes=0, disk=1),
    )
    monkeypatch.setattr(disks, "FIRST_S", 0.5)
    responder = Responder(tmp_path / "incidents", "sam", config)
    try:
        responder.choose_host("prod-1")
        watch = responder.watch
        assert watch is not None
        await until(lambda: ("aggregator", "memory") in watch.limits.over)
        assert responder.folder is None, "no incident, so nothing is written"
        responder.declare("slow", Severity.P2)
        await until(lambda: ("prod-1", "aggregator", "memory") in responder.incident.crossed)
        lab.run("kill -9 $(docker inspect -f '{{.State.Pid}}' receipts-worker)")
        await until(lambda: ("prod-1", "receipts-worker", "restarts") in responder.incident.crossed)
        await until(lambda: ("prod-1", "", "disk /") in responder.incident.crossed)
        told = [
            entry.record.event
            for entry in responder.incident.entries
            if isinstance(entry.record.event, e.ThresholdCrossed)
        ]
        assert len(told) == len({(one.container, one.what) for one in told})
        words = next(one.words for one in told if one.what == "restarts")
        since = r"receipts-worker: 1 restart in the [\w ]+ it is watched \(limit 1\)"
        assert re.match(since, words)
    finally:
        await responder.close()
