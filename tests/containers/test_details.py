"""What is known of one container, asked of a real engine; each part with its own trouble."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cockpit.containers import detail_texts, details, disk_use
from cockpit.containers.details import Mount
from cockpit.containers.engine import Engine, EngineTrouble
from cockpit.containers.wire import Actor, Event
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge
from cockpit.target.target import Local
from cockpit.text import Safe
from tests.containers.conftest import Dockerd, Until

HOSTILE = "\x1b]52;c;aGVsbG8=\x07[/][@click=app.bell]x\u202e"

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patient")]


@pytest.mark.docker
async def test_a_container_tells_its_health_events_mounts_and_last_end(
    dockerd: Dockerd, tmp_path: Path, until: Until
) -> None:
    (tmp_path / "file").write_bytes(b"x" * 50_000)
    # Each check is three of the 256 events that the engine keeps.
    dockerd.run(
        "sick", "sleep 99",
        *("--health-cmd", "echo the queue is full; exit 3", "--health-interval", "1s"),
        *("--health-retries", "1", "-m", "24m", "--restart", "on-failure:4"),
        *("-v", f"{tmp_path}:/data:ro", "-e", f"ODD={HOSTILE}", "-e", "DB_PASSWORD=hunter2"),
    )  # fmt: skip
    engine = Engine(Local(), str(dockerd.socket))
    found = await details.look(engine, "sick")
    async with asyncio.timeout(60):
        while not (found.about.value and found.about.value.health
                   and found.about.value.health.checks):  # fmt: skip
            await asyncio.sleep(0.05)
            found = await details.look(engine, "sick")
    about = found.about.value
    assert about and about.health
    check = about.health.checks[0]
    assert (check.exit_code, check.output) == (3, "the queue is full")
    assert about.health.test == "echo the queue is full; exit 3"
    assert about.limits == "memory 24.0 MiB"
    assert about.restart_policy == "on-failure, at most 4 times"
    assert about.command == "sh -c sleep 99"
    (mount,) = about.mounts
    assert (mount.kind, mount.target, mount.writable) == ("bind", "/data", False)
    assert {str(one.name): one.words for one in about.environment}["DB_PASSWORD"] == "<hidden>"
    assert found.image.value and found.image.value.tags == ("t:1",)

    # What an event tells is there a second after it: the engine is asked up to a moment ago.
    dockerd.docker("restart", "-t", "0", "sick")
    words: list[str] = []
    async with asyncio.timeout(60):
        while "was restarted" not in words:
            await asyncio.sleep(0.1)
            events = await details.events(engine, "sick", engine.now())
            words = [one.words for one in events]
    assert words[0] != words[-1] == "was created"
    assert "ended with exit code 137" in words
    about = await details.inspected(engine, "sick")
    assert about.finished is not None

    top = await detail_texts.top(engine, "sick")
    assert "PID" in top and "sleep 99" in top
    inspect = await detail_texts.inspect_text(engine, "sick")
    assert '"DB_PASSWORD=<hidden>"' in inspect
    assert "hunter2" not in inspect and "\x1b" not in inspect and "\u202e" not in inspect
    dockerd.docker("exec", "sick", "sh", "-c", "echo > '/odd\x1b]0;x'")
    changed = await detail_texts.files(engine, "sick")
    assert "added    /odd" in changed and "\x1b" not in changed
    assert "mode none" in detail_texts.wiring(about) or "none" in detail_texts.wiring(about)

    command = disk_use.command(about.mounts)
    assert judge(command).risk is Risk.READ
    done = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", command], capture_output=True, text=True
    )
    used = disk_use.read(done.stdout)[mount.source]
    assert "KiB in it; its disk is" in used.words
    await engine.close()


@pytest.mark.docker
async def test_an_engine_that_hangs_is_said_for_each_part_and_what_is_gone_too(
    dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details, "WITHIN", 0.5)
    id = dockerd.run("one", "sleep 99")
    engine = Engine(Local(), str(dockerd.socket))
    await engine.version()
    dockerd.hang()
    found = await details.look(engine, id)
    assert "within 0.5 s" in found.about.trouble
    assert "within 0.5 s" in found.events.trouble
    assert found.image.trouble
    dockerd.resume()
    dockerd.docker("rm", "-f", id)
    monkeypatch.setattr(details, "WITHIN", 60.0)
    found = await details.look(engine, id)
    assert "No such container" in found.about.trouble
    for ask in (detail_texts.top, detail_texts.files, detail_texts.inspect_text):
        with pytest.raises(EngineTrouble, match="No such container"):
            await ask(engine, id)
    await engine.close()


@pytest.mark.parametrize(
    ("action", "attributes", "words", "bad"),
    [
        ("die", {"exitCode": "0"}, "ended with exit code 0", False),
        ("die", {"exitCode": "137"}, "ended with exit code 137", True),
        ("kill", {"signal": "15"}, "was sent signal 15", False),
        ("health_status: unhealthy", {}, "health check says unhealthy", True),
        ("rename", {"oldName": "/a"}, "was renamed from a", False),
        ("\x1b[2Jstrange", {}, "␛strange", False),
    ],
)
def test_events_in_words(action: str, attributes: dict[str, str], words: str, bad: bool) -> None:
    got = details.happened(Event(action, Actor("x", attributes), 10**18))
    assert (got.words, got.bad) == (words, bad)
    assert got.at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)


@pytest.mark.parametrize("stamp", [0, -5, 10**30])
def test_a_time_that_is_none_is_not_made_up(stamp: int) -> None:
    assert details.moment_of(stamp) is None


def mount(source: str) -> Mount:
    return Mount(Safe("bind"), Safe(""), source, Safe("/x"), True)


def test_only_plain_paths_are_counted() -> None:
    assert disk_use.command([mount(""), mount("relative"), mount("/a\x1bb")]) == ""
    assert "'/a b'" in disk_use.command([mount("/a b"), mount("")])
    assert judge(disk_use.command([mount("/a'; rm -rf /; '")])).risk is Risk.READ


def test_what_could_not_be_counted_says_why() -> None:
    said = (
        "= /a\n/dev/sda1 100 95 5 95% /\n2048\t/a\n"
        "= /b\n/dev/sda1 100 10 90 10% /\ndu: cannot read directory '/b': Permission denied\n"
        "= /c\n/dev/sda1 100 10 90 10% /\n"
    )
    found = disk_use.read(said)
    assert found["/a"].words == "2.0 MiB in it; its disk is 95% full, 5.0 KiB left"
    assert found["/a"].full and not found["/b"].full
    assert "Permission denied" in found["/b"].words
    assert "not counted in time" in found["/c"].words
    assert disk_use.read("sh: not found") == {}
