"""A command in the responder's own terminal, written down: before, after, and after a crash."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import tty
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident.incident import RunState, fold
from cockpit.incident.journal import read
from cockpit.incident.timeline import line
from cockpit.responder import CannotRun, Chosen, Responder
from cockpit.runbook import parse
from cockpit.runs import Hand, InTerminal
from cockpit.target import guard, terminal

pytestmark = pytest.mark.anyio

BOOK = """# Disk full
## Diagnosis
### Step 1: Look
```bash
read -p 'Which? ' it; echo looking at $it
```
"""


@pytest.fixture
async def responder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Responder]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(terminal, "_STATUS_S", 25.0)  # however late a busy machine tells it
    (tmp_path / "home").mkdir()
    one = Responder(tmp_path / "incidents", "sam", Config())
    one.open_runbook(parse.parse(BOOK, "disk.md"))
    one.target.workdir = str(tmp_path)
    yield one
    await one.close()


@pytest.fixture
def front() -> Iterator[tuple[int, int]]:
    """A real terminal: the end that a person has, and the end that programs have."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(slave, False)
    yield master, slave
    os.close(slave)
    os.close(master)


def hand(front: tuple[int, int], typed: bytes = b"", *, after: bytes = b"") -> Hand:
    """Puts that terminal before a program, and types: at once, or once something was shown."""

    async def work(opened: InTerminal) -> terminal.End:
        left, seen = typed, b""

        def keep(data: bytes) -> None:
            nonlocal left, seen
            opened.keep(data)
            seen += data
            if after and after in seen:
                os.write(front[0], left)
                left = b""

        if not after:
            os.write(front[0], typed)
        return await terminal.relay(
            opened.target, opened.terminal, keys=front[1], screen=front[1], keep=keep
        )

    return work


def passed(responder: Responder, text: str) -> guard.Pass:
    asked = guard.ask(responder.intent(text))
    return guard.answer(asked, confirmed=True, reason="in a test")


async def run(responder: Responder, text: str, hand: Hand, chosen: Chosen | None = None) -> str:
    async with asyncio.timeout(60):
        return await responder.run_in_terminal(
            passed(responder, text), hand, chosen, term="xterm", size=(80, 24)
        )


def timeline(responder: Responder) -> list[str]:
    incident = responder.incident
    return [line(entry.record.event, incident) for entry in incident.entries]


async def test_it_is_a_run_of_its_step_with_what_it_left_to_read(
    responder: Responder, front: tuple[int, int]
) -> None:
    assert responder.runbook is not None
    section, step, found = next(responder.runbook.commands())
    chosen = Chosen(responder.runbook, section, step, found)
    id = await run(responder, found.text, hand(front, b"disks\r", after=b"? "), chosen)
    (done,) = responder.incident.runs_of(responder.ref(step))
    assert (done.job, done.state, done.exit_status) == (id, RunState.DONE, 0)
    assert done.seconds is not None
    assert responder.incident.diagnosed
    assert responder.log.output_text(id) == "Which? disks\nlooking at disks\n"
    assert done.tail == "Which? disks\nlooking at disks"
    evidence = responder.log.place / done.asked.evidence  # type: ignore[operator]
    assert evidence.stat().st_mode & 0o777 == 0o600
    assert b"disks\r\n" in evidence.read_bytes()
    opened, used = timeline(responder)[-2:]
    assert opened.startswith("Terminal opened on this machine: `read -p")
    assert re.match(r"Used a terminal on this machine for \d+\.\d s: `read -p .*: exit 0$", used)
    report = responder.log.markdown()
    assert "- **In:** the responder's own terminal" in report
    assert "looking at disks\n" in report
    assert "\x1b" not in report


async def test_the_intent_is_on_disk_before_anything_runs(
    responder: Responder, tmp_path: Path, front: tuple[int, int]
) -> None:
    on_disk: list[list[e.Event]] = []

    async def look(opened: InTerminal) -> terminal.End:
        assert responder.folder is not None
        on_disk.append([record.event for record in read(responder.folder).records])
        return await hand(front)(opened)

    await run(responder, f"touch {tmp_path}/made", look)
    (asked,) = [event for event in on_disk[0] if isinstance(event, e.CommandRequested)]
    assert (asked.terminal, asked.risk, asked.gate) == (True, "change", "confirmed")
    assert (tmp_path / "made").exists()
    assert responder.incident.last_change


async def test_a_pass_is_good_for_one_terminal(
    responder: Responder, tmp_path: Path, front: tuple[int, int]
) -> None:
    leave = passed(responder, f"echo x >> {tmp_path}/side")
    await responder.run_in_terminal(leave, hand(front), term="xterm", size=(80, 24))
    with pytest.raises(CannotRun, match="already"):
        await responder.run_in_terminal(leave, hand(front), term="xterm", size=(80, 24))
    with pytest.raises(CannotRun, match="already"):
        await responder.run(leave)
    assert (tmp_path / "side").read_text() == "x\n"


async def test_after_a_crash_it_is_unknown_and_never_run_again(
    responder: Responder, tmp_path: Path, front: tuple[int, int]
) -> None:
    task = asyncio.create_task(
        run(responder, f"echo once >> {tmp_path}/side; sleep 60", hand(front))
    )
    async with asyncio.timeout(60):
        while not ((tmp_path / "side").exists() and (tmp_path / "side").read_text()):
            await asyncio.sleep(0.02)
    assert responder.folder is not None
    crashed = tmp_path / "incidents" / "crashed"
    crashed.mkdir(mode=0o700)
    journal = (responder.folder / "journal.jsonl").read_bytes()
    (crashed / "journal.jsonl").write_bytes(journal)
    second = Responder(responder.log.home, "kim", Config())
    second.take_up(crashed)
    second.reattach()
    (known,) = second.incident.runs.values()
    assert (known.state, known.over) == (RunState.UNKNOWN, True)
    assert "cockpit ended while the terminal was open" in known.why
    assert "how it ended is not known" in timeline(second)[-1]
    await asyncio.sleep(0.3)
    assert (tmp_path / "side").read_text() == "once\n"
    await second.close()
    task.cancel()
    await asyncio.wait([task])
    (left,) = responder.incident.runs.values()
    assert left.state is RunState.UNKNOWN


async def test_one_that_was_left_is_over_and_says_so(
    responder: Responder, front: tuple[int, int]
) -> None:
    id = await run(responder, "sleep 60", hand(front, b"\r~."))
    run_ = responder.incident.runs[id]
    assert (run_.state, run_.exit_status) == (RunState.STOPPED, None)
    assert timeline(responder)[-1].endswith("left with ~.")


async def test_secrets_stand_in_the_file_of_evidence_alone(
    responder: Responder, front: tuple[int, int]
) -> None:
    id = await run(responder, "read it; echo --password hunter2hunter2", hand(front, b"x\r"))
    assert responder.folder is not None
    assert "hunter2" not in (responder.folder / "journal.jsonl").read_text()
    assert "hunter2" not in responder.log.markdown()
    assert "hunter2" in responder.log.output_text(id)


WHY = {
    "less /etc/hosts": "page by page",
    "vi /etc/hosts": "editor",
    "docker exec -it kamiyo sh": "terminal",
    "tail -f /var/log/syslog": "",
    "uptime": "",
}


@pytest.mark.parametrize("command", WHY)
async def test_what_needs_a_terminal(responder: Responder, command: str) -> None:
    why = await responder.why_terminal(command)
    assert WHY[command] in why
    assert bool(why) is bool(WHY[command])


async def test_records_of_terminals_fold_as_they_were_written(
    responder: Responder, front: tuple[int, int]
) -> None:
    await run(responder, "true", hand(front))
    await responder.close()
    assert responder.folder is not None
    (again,) = fold(read(responder.folder).records).runs.values()
    assert again == next(iter(responder.incident.runs.values()))


async def test_the_word_of_the_author_counts(tmp_path: Path, responder: Responder) -> None:
    book = '# X\n## Diagnosis\n```sh {"interactive":"true"}\n./ask-me\n```\n'
    parsed = parse.parse(book, "x.md")
    responder.open_runbook(parsed)
    section, step, found = next(parsed.commands())
    chosen = Chosen(parsed, section, step, found)
    assert await responder.why_terminal(found.text, chosen) == "it works in a terminal"
    assert not await responder.why_terminal(found.text)
