"""`cockpit lint` as it is called: what it prints, its exit status, and how it asks a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from cockpit import headless
from cockpit.cli import main
from cockpit.incident.journal import list_incidents
from cockpit.incident.summary import open_incidents
from tests.lab.fixtures import StartSshd
from tests.lab.lab import Lab

ROOT = Path(__file__).parents[1]
BAD = "# Book\n\nPhone: UPDATE THIS!\n"
COCKPIT = Path(sys.executable).with_name("cockpit")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("COCKPIT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["lint", *arguments])


def test_errors_are_exit_status_1_and_the_last_line_counts(home: Path) -> None:
    (home / "book.md").write_text(BAD)
    done = call("book.md")
    assert done.exit_code == 1
    first, last = done.output.splitlines()
    assert first.startswith(
        "book.md:3: error: Phone: UPDATE THIS! is not filled in (placeholder) — "
    )
    assert last == "1 file: 1 error, 0 warnings, 0 notes"


def test_warnings_alone_are_exit_status_0(home: Path) -> None:
    (home / "book.md").write_text("# Book\n\nTODO\n")
    done = call("book.md")
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        0,
        "1 file: 0 errors, 1 warning, 0 notes",
    )


def test_the_findings_as_json(home: Path) -> None:
    (home / "book.md").write_text(BAD)
    told = json.loads(call("--json", "book.md").output)
    assert told["files"] == 1
    (one,) = told["findings"]
    assert (one["path"], one["line"], one["level"], one["rule"]) == (
        "book.md",
        3,
        "error",
        "placeholder",
    )


def test_without_paths_the_folders_of_the_configuration_and_the_handbook(home: Path) -> None:
    (home / "books" / "deep").mkdir(parents=True)
    (home / "books" / "deep" / "a.md").write_text(BAD)
    (home / "books" / ".hidden").mkdir()
    (home / "books" / ".hidden" / "b.md").write_text(BAD)
    (home / "hand.md").write_text(BAD)
    (home / "cockpit.yaml").write_text("runbooks: [books]\nhandbook: hand.md\n")
    assert call().output.splitlines()[-1].startswith("2 files: 2 errors")


def test_without_anything_the_runbooks_and_the_handbook_here(home: Path) -> None:
    nothing = call()
    assert nothing.exit_code == 2
    assert "Name files or folders" in nothing.output
    (home / "runbooks").mkdir()
    (home / "runbooks" / "a.md").write_text(BAD)
    (home / "ON_CALL.md").write_text(BAD)
    assert call().output.splitlines()[-1].startswith("2 files: 2 errors")


@pytest.mark.parametrize(
    "arguments", [["gone.md"], ["book.md", "--compose", "gone.yaml"], ["--nonsense"]]
)
def test_what_cannot_be_used_is_exit_status_2(home: Path, arguments: list[str]) -> None:
    (home / "book.md").write_text(BAD)
    assert call(*arguments).exit_code == 2


def test_a_host_that_cannot_be_reached_is_said_after_the_other_findings(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headless, "REACH_PATIENCE", 1.0)
    (home / "book.md").write_text(BAD)
    (home / "ssh_config").write_text("Host far\n  HostName 127.0.0.1\n  Port 9\n")
    (home / "cockpit.yaml").write_text("ssh_config: ssh_config\nhosts: {far: far}\n")
    done = call("book.md", "--host", "far")
    assert done.exit_code == 2
    assert "(placeholder)" in done.stdout
    assert "far" in done.stderr
    assert "was not asked" in done.stderr


def test_a_host_is_asked_for_programs_over_ssh(home: Path, sshd: StartSshd) -> None:
    server = sshd()
    (home / "cockpit.yaml").write_text(
        f"ssh_config: {server.ssh_config}\nhosts: {{there: {server.host}}}\n"
    )
    (home / "book.md").write_text(
        "# B\n\n## Overview\n\n```bash\nls /\nno-such-program-anywhere --all\n```\n"
    )
    done = call("book.md", "--host", "there", "--json")
    told = json.loads(done.stdout)["findings"]
    assert [(one["rule"], one["line"]) for one in told] == [("no-program", 7)]
    # What was asked is in a journal, and no incident.
    assert len(list_incidents(home / "state" / "trials")) == 1
    assert open_incidents(home / "state" / "incidents", training=False) == []


def test_the_real_host_says_that_the_container_is_not_there(home: Path, service: Lab) -> None:
    config = service.write_config(home)
    (home / "book.md").write_text(
        "# B\n\n```bash\ndocker logs kamiyo-api\ndocker logs kamiyo\n"
        "docker compose logs kamiyo\ndocker compose logs kamyio\n```\n"
    )
    before = service.run("docker ps -a --no-trunc --format '{{.ID}} {{.State}}' | sort").stdout
    done = call("book.md", "--host", "prod-1", "--config", str(config))
    assert "book.md:4: error: prod-1 has no container kamiyo-api" in done.output
    assert "did you mean kamiyo?" in done.output
    assert "book.md:7: error: prod-1 has no service kamyio" in done.output
    assert ":5:" not in done.output
    assert ":6:" not in done.output
    books = sorted(str(one) for one in (ROOT / "runbooks").glob("0[1-6]_*.md"))
    shipped = call(*books, "--host", "prod-1", "--config", str(config), "--json")
    told = [one for one in json.loads(shipped.stdout)["findings"] if one["level"] != "note"]
    assert (told, shipped.exit_code) == ([], 0)
    after = service.run("docker ps -a --no-trunc --format '{{.ID}} {{.State}}' | sort").stdout
    assert before == after


@pytest.mark.parametrize(
    ("id", "told"), [("cockpit-lint", "placeholder"), ("cockpit-contacts", "nobody can be called")]
)
def test_a_hook_for_pre_commit_runs_what_it_says(home: Path, id: str, told: str) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (hook,) = [each for each in hooks if each["id"] == id]
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert hook.get("types") == ["markdown"] or "ON_CALL" in hook["files"]
    (home / "book.md").write_text(BAD)
    done = subprocess.run(
        [*hook["entry"].split(), "book.md"],
        capture_output=True,
        text=True,
        cwd=home,
        env={**os.environ, "PATH": f"{COCKPIT.parent}:{os.environ['PATH']}"},
    )
    assert done.returncode != 0 and told in done.stdout


def test_a_folder_without_a_runbook_is_a_mistake_and_no_success(home: Path) -> None:
    (home / "empty").mkdir()
    done = call("empty")
    assert done.exit_code == 2
    assert "There is no markdown file in empty." in done.output
