"""What a responder can do, on this machine's own shell and disk."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import cast

import pytest

from cockpit.config import Config
from cockpit.containers.engine import Engine, EngineTrouble
from cockpit.evidence import save_first
from cockpit.incident import events as e
from cockpit.incident.incident import RunState, fold
from cockpit.incident.journal import list_incidents, read, verify
from cockpit.incident.logbook import ReadOnly
from cockpit.incident.summary import open_incidents
from cockpit.incident.timeline import line
from cockpit.responder import CannotRun, Chosen, Responder
from cockpit.runbook import parse
from cockpit.target import guard

pytestmark = pytest.mark.anyio

BOOK = """# Disk full
## Diagnosis
### Step 1: Look
```bash
echo looking; echo twice >&2
```
## Recovery
### Option 1: Free some
```bash
touch freed
```
## Verification
```bash
test -e freed
```
"""


@pytest.fixture
async def responder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Responder]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    one = Responder(tmp_path / "incidents", "sam", Config())
    one.open_runbook(parse.parse(BOOK, "disk.md"))
    one.target.workdir = str(tmp_path)
    yield one
    await one.close()


def command(responder: Responder, number: int) -> Chosen:
    assert responder.runbook is not None
    section, step, found = list(responder.runbook.commands())[number]
    return Chosen(responder.runbook, section, step, found)


def passed(responder: Responder, text: str, chosen: Chosen | None = None) -> guard.Pass:
    asked = guard.ask(responder.intent(text, chosen))
    return guard.answer(asked, confirmed=True, typed="this machine", reason="in a test")


async def run(responder: Responder, text: str, chosen: Chosen | None = None) -> str:
    return await responder.run(passed(responder, text, chosen), chosen)


async def over(responder: Responder, job: str) -> None:
    async with asyncio.timeout(30):
        while not responder.incident.runs[job].over:
            await asyncio.sleep(0.02)


def folder(responder: Responder) -> Path:
    assert responder.folder is not None
    return responder.folder


async def test_nothing_is_kept_until_something_happens(responder: Responder) -> None:
    assert list_incidents(responder.log.home) == []
    responder.note("first")
    assert [one.name for one in list_incidents(responder.log.home)] == [folder(responder).name]
    assert folder(responder).name.endswith("-disk-full")


async def test_a_step_is_run_and_all_of_it_is_on_disk(responder: Responder) -> None:
    chosen = command(responder, 0)
    job = await run(responder, chosen.command.text, chosen)
    await over(responder, job)
    found = responder.incident.runs[job]
    assert (found.state, found.exit_status, found.size) == (RunState.DONE, 0, 14)
    evidence = folder(responder) / found.asked.evidence
    assert evidence.read_text() == "looking\ntwice\n"
    await responder.close()
    kept = fold(read(folder(responder)).records)
    assert kept.runs[job].exit_status == 0
    assert kept.diagnosed
    assert verify(folder(responder)) == ()
    assert "looking" in (folder(responder) / "incident.md").read_text()


async def test_the_intent_is_on_disk_before_the_command_runs(
    responder: Responder, tmp_path: Path
) -> None:
    responder.note("begin")
    journal = folder(responder) / "journal.jsonl"
    job = await run(responder, f"cp {journal} {tmp_path / 'seen'}")
    await over(responder, job)
    seen = (tmp_path / "seen").read_text()
    assert f'"job":"{job}"' in seen.replace(" ", "")
    assert "command.requested" in seen


async def test_recovery_before_diagnosis_wants_a_reason_and_after_it_does_not(
    responder: Responder,
) -> None:
    recover = command(responder, 1)
    assert guard.ask(responder.intent(recover.command.text, recover)).reason_wanted
    look = command(responder, 0)
    await over(responder, await run(responder, look.command.text, look))
    assert not guard.ask(responder.intent(recover.command.text, recover)).reason_wanted


async def test_resolving_without_a_verification_after_a_change_wants_a_reason(
    responder: Responder,
) -> None:
    recover, check = command(responder, 1), command(responder, 2)
    await over(responder, await run(responder, recover.command.text, recover))
    with pytest.raises(guard.Refused, match="No verification"):
        responder.resolve("cause", "fix")
    await over(responder, await run(responder, check.command.text, check))
    with pytest.raises(guard.Refused, match="No verification"):
        responder.resolve("cause", "fix")
    responder.done(check.step)
    responder.resolve("cause", "fix")
    assert not responder.incident.open


async def test_a_verification_ticked_although_its_command_failed_does_not_count(
    responder: Responder, tmp_path: Path
) -> None:
    recover, check = command(responder, 1), command(responder, 2)
    await over(responder, await run(responder, recover.command.text, recover))
    (tmp_path / "freed").unlink()
    await over(responder, await run(responder, check.command.text, check))
    assert responder.done(check.step) == "test -e freed: exit 1"
    assert responder.needs_reason_to_resolve
    (tmp_path / "freed").touch()
    await over(responder, await run(responder, check.command.text, check))
    assert responder.done(check.step) == ""
    assert not responder.needs_reason_to_resolve


async def test_stop_ends_the_whole_process_group(responder: Responder, tmp_path: Path) -> None:
    job = await run(responder, f"(while :; do date >> {tmp_path}/beat; sleep 0.1; done) & sleep 60")
    async with asyncio.timeout(20):
        while not (tmp_path / "beat").exists():
            await asyncio.sleep(0.02)
    await responder.stop(job)
    await over(responder, job)
    beats = (tmp_path / "beat").read_text()
    await asyncio.sleep(0.5)
    assert (tmp_path / "beat").read_text() == beats
    assert responder.incident.runs[job].state is RunState.STOPPED


async def test_a_job_that_wants_a_terminal_is_not_left_hanging(responder: Responder) -> None:
    job = await run(responder, "read -p 'Sure? ' answer; test -t 0")
    await over(responder, job)
    assert responder.incident.runs[job].exit_status == 1


async def test_another_cockpit_takes_up_a_running_command(
    responder: Responder, tmp_path: Path
) -> None:
    job = await run(responder, f"echo once >> {tmp_path}/side; echo begun; sleep 1; echo ended")
    async with asyncio.timeout(20):
        while responder.outputs[job].offset == 0:
            await asyncio.sleep(0.02)
    await responder.close()
    second = Responder(responder.log.home, "kim", Config())
    second.take_up(folder(responder))
    second.reattach()
    await over(second, job)
    assert second.incident.runs[job].exit_status == 0
    assert second.log.output_text(job) == "begun\nended\n"
    assert (tmp_path / "side").read_text() == "once\n"
    await second.close()


async def test_a_command_that_was_never_sent_is_not_sent_by_a_later_cockpit(
    responder: Responder, tmp_path: Path
) -> None:
    job = await run(responder, "true")
    await over(responder, job)
    asked = responder.incident.runs[job].asked
    side = tmp_path / "side"
    lost = e.CommandRequested(
        job="0123456789abcdef0123", host=asked.host, command=f"touch {side}", risk="change",
        gate="confirmed", root=asked.root, boot=asked.boot, mark=asked.mark,
    )  # fmt: skip
    responder.log.append(lost)
    await responder.close()
    second = Responder(responder.log.home, "kim", Config())
    second.take_up(folder(responder))
    second.reattach()
    await over(second, lost.job)
    assert second.incident.runs[lost.job].state is RunState.NEVER_STARTED
    assert not side.exists()
    await second.close()


async def test_a_second_cockpit_reads_along_and_cannot_write(responder: Responder) -> None:
    responder.declare("Disk full", e.Severity.P1)
    reader = Responder(responder.log.home, "kim", Config())
    reader.log.read_along(folder(responder))
    responder.note("seen by both")
    async with asyncio.timeout(30):
        while len(reader.incident.entries) < len(responder.incident.entries):
            await asyncio.sleep(0.05)
    assert reader.incident.title == "Disk full"
    with pytest.raises(ReadOnly, match="Another cockpit"):
        reader.note("not from here")
    await reader.close()


async def test_secrets_do_not_reach_the_journal(responder: Responder) -> None:
    secret = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    responder.note(f"the key is {secret}")
    job = await run(responder, f"echo {secret}")
    await over(responder, job)
    await responder.close()
    for name in ("journal.jsonl", "incident.md"):
        assert secret not in (folder(responder) / name).read_text()
    # What ran is in its evidence, which is marked local and never exported.
    assert secret in (folder(responder) / responder.incident.runs[job].asked.evidence).read_text()


async def test_a_pass_is_spent_once(responder: Responder, tmp_path: Path) -> None:
    leave = passed(responder, f"echo ran >> {tmp_path}/side")
    await over(responder, await responder.run(leave))
    with pytest.raises(CannotRun, match="already"):
        await responder.run(leave)
    assert (tmp_path / "side").read_text() == "ran\n"


async def test_the_name_of_evidence_tells_no_secret(responder: Responder) -> None:
    job = await run(responder, "curl --fail -u admin:hunter2secret http://127.0.0.1:1/ || true")
    await over(responder, job)
    assert responder.incident.runs[job].asked.evidence == "evidence/0001-curl.txt"


async def test_an_incident_in_hand_is_not_replaced_by_another(responder: Responder) -> None:
    responder.note("in hand")
    with pytest.raises(RuntimeError, match="begun"):
        responder.take_up(folder(responder))


async def test_open_incidents_are_found_among_resolved_ones(responder: Responder) -> None:
    responder.note('it said "kind": "incident.resolved" in the log')
    async with asyncio.timeout(30):
        while responder.log.unsaved:
            await asyncio.sleep(0.01)
    assert [place for place, _ in open_incidents(responder.log.home, training=False)] == [
        folder(responder)
    ]
    responder.resolve("cause", "fix")
    await responder.close()
    assert open_incidents(responder.log.home, training=False) == []


async def test_logs_of_another_host_are_not_taken_for_evidence(responder: Responder) -> None:
    for text in ("ssh other docker restart web", "docker -H tcp://b:2375 restart web"):
        responder.choose_host("")
        said = await responder.save_evidence(text, ["web"])
        assert "another host" in said


async def test_leaving_while_a_host_is_out_of_reach_closes_the_journal(
    responder: Responder,
) -> None:
    responder.note("begun")
    responder.choose_host("elsewhere.invalid")
    assert await responder.close() == 0
    kept = fold(read(folder(responder)).records)
    assert isinstance(kept.entries[-1].record.event, e.CockpitClosed)


async def test_the_service_is_taken_from_the_runbook(responder: Responder) -> None:
    text = "# X\n**Service:** kamiyo (Docker Compose)\n## Diagnosis\n```bash\ntrue\n```\n"
    responder.open_runbook(parse.parse(text, "x.md"))
    assert responder.service == "kamiyo"


async def test_evidence_that_cannot_be_saved_is_said(responder: Responder) -> None:
    said = await responder.save_evidence("docker restart kamiyo", ["kamiyo"])
    assert said.startswith("logs of kamiyo could not be saved: no Docker engine")
    assert any(
        isinstance(entry.record.event, e.EvidenceMissed) for entry in responder.incident.entries
    )


async def test_of_logs_that_are_cut_short_what_came_is_kept(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Half:
        far_command = ""

        async def named(self, names: Iterable[str]) -> list[str]:
            return ["kamiyo"]

    async def cut(engine: object, name: str, write: Callable[[bytes], object]) -> None:
        write(b"the first lines")
        raise EngineTrouble("the link is lost")

    monkeypatch.setattr("cockpit.containers.logs.save_logs", cut)
    engine = cast(Engine, Half())
    said = await save_first(responder.log, engine, "here", "docker stop kamiyo", ["kamiyo"])
    assert said.startswith(
        "logs of kamiyo could not be saved: the link is lost. logs of kamiyo, as"
    )
    (kept,) = (folder(responder) / "evidence").iterdir()
    assert kept.read_bytes() == b"the first lines"


async def test_a_command_that_no_shell_can_be_given_is_not_sent(responder: Responder) -> None:
    with pytest.raises(CannotRun, match=r"^Nothing was sent\. .*NUL byte \(in line 2\)"):
        await run(responder, "echo one\necho t\0o")
    assert not responder.incident.runs
    assert isinstance(responder.incident.entries[-1].record.event, e.CommandRefused)


async def test_a_host_whose_clock_is_wrong_is_told_of_once_and_costs_no_duration(
    responder: Responder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "date").write_text('#!/bin/sh\n/bin/date -d "2 hours ago" "$@"\n')
    (odd / "date").chmod(0o755)
    monkeypatch.setenv("PATH", f"{odd}:{os.environ['PATH']}")
    for _ in range(2):
        job = await run(responder, "sleep 0.2")
        await over(responder, job)
        assert 0.1 < (responder.incident.runs[job].seconds or 0) < 60
    lines = [line(one.record.event, responder.incident) for one in responder.incident.entries]
    told = [words for words in lines if "clock" in words]
    assert len(told) == 1
    assert re.fullmatch(
        r"The clock of this machine is (2 h 0 min|1 h 59 min) behind this machine's", told[0]
    )


async def test_what_may_have_run_is_known_by_its_words_where_the_runbook_was_edited(
    responder: Responder,
) -> None:
    look = command(responder, 0)
    job = await run(responder, look.command.text, look)
    await over(responder, job)
    responder.log.append(e.CommandUnknown(job=job, why="it was restarted."))
    assert "Nobody knows" in responder.intent(look.command.text, look).doubt
    edited = BOOK.replace("```bash\necho looking", "```bash\nuptime\n```\n```bash\necho looking", 1)
    responder.open_runbook(parse.parse(edited, "disk.md"))
    moved = command(responder, 1)
    assert (moved.command.text, moved.command.id) != (look.command.text, look.command.id)
    asked = guard.ask(responder.intent(moved.command.text, moved))
    assert "Nobody knows" in asked.intent.doubt
    assert asked.level is guard.Level.CONFIRM
    # Typed by hand it is the same command too.
    assert "Nobody knows" in responder.intent(moved.command.text).doubt


async def test_what_was_prepared_is_not_sent_for_another_command(responder: Responder) -> None:
    free = command(responder, 1)
    responder.prepare("touch elsewhere", free)
    assert responder.waiting(free) == "touch elsewhere"
    responder.open_runbook(parse.parse(BOOK.replace("touch freed", "df"), "disk.md"))
    edited = command(responder, 1)
    assert edited.command.id == free.command.id
    assert responder.waiting(edited) == edited.command.text


async def test_a_risk_that_came_of_a_gap_goes_with_it_and_the_authors_own_word_stays(
    responder: Responder,
) -> None:
    gap, word = "```bash\nmv <FILE> there\n```\n", '```bash {"risk": "destroy"}\nls <A>\n```\n'
    text = f"# X\n## Recovery\n{gap}{word}"
    responder.open_runbook(parse.parse(text, "x.md"))
    moves, lists = command(responder, 0), command(responder, 1)
    assert responder.intent("mv here there", moves).because != "the runbook says so"
    intent = responder.intent("ls a", lists)
    assert (intent.risk, intent.because) == ("destroy", "the runbook says so")
