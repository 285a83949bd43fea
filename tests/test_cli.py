"""The command line: what it prints, and the exit status of every mistake."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cockpit.cli import main
from cockpit.config import Config, load
from cockpit.incident.events import Severity
from cockpit.responder import Responder
from cockpit.target import guard
from screens.app import mistakes

BOOK = "# Disk full\n## Diagnosis\n```bash\ndf -h\n```\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def incident(home: Path) -> Path:
    """The folder of an incident with a command in it."""

    async def make() -> Path:
        responder = Responder(home / "state" / "incidents", "sam", Config())
        responder.declare("Disk full", Severity.P1, "kamiyo")
        leave = guard.answer(guard.ask(responder.intent("echo all of it")))
        job = await responder.run(leave)
        async with asyncio.timeout(20):
            while not responder.incident.runs[job].over:
                await asyncio.sleep(0.02)
        assert responder.folder is not None
        await responder.close()
        return responder.folder

    return asyncio.run(make())


def test_list_show_and_export_tell_of_an_incident(incident: Path, home: Path) -> None:
    listed = call("incident", "list")
    assert listed.exit_code == 0
    assert incident.name in listed.output
    assert "Disk full" in listed.output
    shown = call("incident", "show", incident.name)
    assert "Run on this machine: `echo all of it`" in shown.output
    printed = call("incident", "export", incident.name[:12])
    assert printed.output.startswith("# Disk full\n")
    assert "all of it\n" in printed.output
    saved = call("incident", "export", incident.name, "-o", str(home / "log.md"))
    assert saved.exit_code == 0
    assert (home / "log.md").read_text() == printed.output


def test_the_markdown_on_disk_is_the_markdown_exported(incident: Path) -> None:
    assert (incident / "incident.md").read_text() == call(
        "incident", "export", incident.name
    ).output


def test_verify_names_the_damaged_line_and_exits_1(incident: Path) -> None:
    assert call("incident", "verify", incident.name).exit_code == 0
    journal = incident / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"sam", b"kim")
    journal.write_bytes(b"".join(lines))
    found = call("incident", "verify", incident.name)
    assert found.exit_code == 1
    assert "journal.jsonl:3" in found.output


def test_the_journal_is_private(incident: Path) -> None:
    assert stat.S_IMODE(incident.stat().st_mode) == 0o700
    assert stat.S_IMODE((incident / "journal.jsonl").stat().st_mode) == 0o600


def test_no_incidents_is_said(home: Path) -> None:
    assert call("incident", "list").output.startswith("No incidents in ")


@pytest.mark.parametrize("verb", ["show", "export", "review", "verify"])
def test_an_incident_that_is_not_there_is_said(home: Path, verb: str) -> None:
    found = call("incident", verb, "2020")
    assert found.exit_code == 2
    assert "cockpit incident list" in found.output


def test_exporting_where_nothing_can_be_written_is_said(incident: Path) -> None:
    found = call("incident", "export", incident.name, "-o", "/proc/no/log.md")
    assert found.exit_code == 2
    assert "/proc/no/log.md" in found.output


def unreadable(home: Path, kind: str) -> Path:
    path = home / f"{kind}.md"
    match kind:
        case "directory":
            path.mkdir()
        case "empty":
            path.touch()
        case "huge":
            with path.open("wb") as file:
                file.truncate(50 * 1024 * 1024)
        case "binary":
            path.write_bytes(b"\x00\x01\x02" * 100)
        case "gone":
            pass
    return path


@pytest.mark.parametrize("kind", ["directory", "empty", "huge", "binary", "gone"])
def test_a_runbook_that_cannot_be_read_gets_a_plain_sentence(home: Path, kind: str) -> None:
    path = unreadable(home, kind)
    found = call("runbook", "show", str(path))
    assert found.exit_code == 2
    assert str(path) in found.output
    assert "Traceback" not in found.output
    assert len(found.output.splitlines()) == 1


def test_a_runbook_that_is_not_utf_8_is_read_with_a_warning(home: Path) -> None:
    path = home / "latin.md"
    path.write_bytes(BOOK.encode() + "caf\xe9\n".encode("latin-1"))
    found = call("runbook", "show", str(path))
    assert found.exit_code == 0
    assert "df -h" in found.output


def test_show_as_json_is_a_list_with_a_record_a_file(home: Path) -> None:
    path = home / "book.md"
    path.write_text(BOOK)
    (record,) = json.loads(call("runbook", "show", "--json", str(path)).output)
    assert record["title"] == "Disk full"
    assert [command["text"] for command in record["commands"]] == ["df -h"]


def test_a_mistake_in_the_configuration_names_the_line_and_exits_2(home: Path) -> None:
    (home / "cockpit.yaml").write_text("hosts:\n  prod-1:\n    ssh: prod\n    prot: 22\n")
    found = call()
    assert found.exit_code == 2
    assert "cockpit.yaml:4" in found.output
    assert "port" in found.output


def test_a_key_or_theme_that_is_not_there_names_the_nearest(home: Path) -> None:
    path = home / "cockpit.yaml"
    path.write_text("theme: ansi-dork\nkeymap:\n  incident.notes: n\n")
    assert mistakes(load(path)) == [
        "cockpit.yaml:3: keymap: there is no incident.notes; the nearest is incident.note",
        "cockpit.yaml:1: theme: there is no ansi-dork; the nearest is ansi-dark",
    ]
    path.write_text("theme: ansi-light\nkeymap:\n  incident.note: u\n")
    assert mistakes(load(path)) == []


@pytest.mark.parametrize(
    ("keymap", "taken"),
    [
        ("  incident.note: E", "2: keymap.incident.note is E, the key of incident.escalate"),
        (
            "  app.help: u\n  incident.due: j",
            "3: keymap.incident.due is j, the key of move.down",
        ),
        ("  incident.escalate: s", "2: keymap.incident.escalate is s, the key of step.skip"),
        ("  log.level: t", "2: keymap.log.level is t, the key of log.times"),
        ("  incident.note: '?'", "2: keymap.incident.note is ?, the key of app.help"),
    ],
)
def test_a_key_that_another_action_has_is_named_by_line(
    home: Path, keymap: str, taken: str
) -> None:
    path = home / "cockpit.yaml"
    path.write_text(f"keymap:\n{keymap}\n")
    (said,) = mistakes(load(path))
    assert said.startswith(f"cockpit.yaml:{taken}; take one")


@pytest.mark.parametrize(
    "keymap",
    [
        "  incident.note: E\n  incident.escalate: i",  # changed for each other
        "  log.level: f5",  # no key of anything
        "  entry.time: e",  # the timeline has no e, whatever the checklist has
        "  run.stop: 'x,X'",  # as it is from the beginning
    ],
)
def test_a_key_that_is_free_where_it_is_used_is_taken(home: Path, keymap: str) -> None:
    path = home / "cockpit.yaml"
    path.write_text(f"keymap:\n{keymap}\n")
    assert mistakes(load(path)) == []


@pytest.mark.parametrize("argument", ["--runbook", "--config"])
def test_a_file_that_is_not_there_is_said_before_the_screen_opens(
    home: Path, argument: str
) -> None:
    found = call(argument, "/nowhere/x")
    assert found.exit_code == 2
    assert "Traceback" not in found.output


@pytest.mark.parametrize("command", [["lint"], ["runbook", "list"], ["runbook", "find", "disk"]])
def test_a_configuration_may_be_named_before_the_command_or_after_it(
    home: Path, command: list[str]
) -> None:
    (home / "books").mkdir()
    (home / "books" / "mine.md").write_text("# Disk that fills\n<!-- here -->\n")
    (home / "far.yaml").write_text("runbooks: [books]\n")
    named = ["--config", str(home / "far.yaml")]
    before, after = call(*named, *command), call(*command, *named)
    assert before.output == after.output
    assert "mine.md" in before.output or before.output.startswith("1 file")


@pytest.mark.parametrize("given", [["--host", "prod-1"], ["--new"], ["--runbook", "x.md"]])
def test_an_option_that_would_do_nothing_is_refused(home: Path, given: list[str]) -> None:
    found = call(*given, "lint")
    assert found.exit_code == 2
    assert f"{given[0]} opens the full screen" in found.output
    assert "cockpit lint --help" in found.output


def test_it_works_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "COCKPIT_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert call("incident", "list").exit_code == 0
    assert os.environ.get("HOME") is None


def test_runbook_find_and_list_tell_why_and_the_record(home: Path) -> None:
    folder = home / "docs" / "runbooks"
    folder.mkdir(parents=True)
    (folder / "turbine.md").write_text("# Turbine trips\n## Symptoms\n- the log says `overspeed`\n")
    (folder / "bad.md").write_bytes(b"\0")
    done = call("runbook", "find", "overspeeed")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"Turbine trips  {folder / 'turbine.md'}",
        '    symptom: "overspeed" · never used',
    ]
    assert done.stderr == "Passed over: bad.md (binary).\n"
    listed = call("runbook", "list").stdout
    assert listed.startswith("Turbine trips")
    assert "00_first_five_minutes.md" not in listed, "what ships is for who has none"


def test_runbook_find_as_json_and_nothing_found(home: Path) -> None:
    done = call("runbook", "find", "--json", "database", "connection", "loss")
    found = json.loads(done.stdout)
    assert found[0]["title"] == "Database Connection Loss"
    assert found[0]["record"]["runs"] == 0
    assert found[0]["record"]["success_rate"] is None
    none = call("runbook", "find", "zzzzzz")
    assert none.exit_code == 1
    assert none.stdout == ""
    assert "cockpit runbook list" in none.stderr
    strange = call("runbook", "find", "--", '" AND NOT *', "--")
    assert strange.exit_code in (0, 1)
    assert strange.exception is None or isinstance(strange.exception, SystemExit)
