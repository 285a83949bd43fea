"""cockpit init: a team's start, written whole or not at all, and of use at once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from cockpit import start
from cockpit.cli import main
from cockpit.config import (
    Config,
    Destination,
    Host,
    Person,
    Service,
    Thresholds,
    load,
    parse,
)
from cockpit.runbook.library import shipped
from screens.app import mistakes


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_team_gets_runbooks_a_handbook_and_a_configuration(home: Path) -> None:
    done = call("init", "new/team")
    assert done.exit_code == 0, done.output
    books = {f"runbooks/{path.name}": path.read_bytes() for path in shipped().glob("0*.md")}
    assert len(books) == 7
    written = tree(home / "new/team")
    assert written.keys() == books.keys() | {"ON_CALL.md", "cockpit.yaml"}
    assert books.items() <= written.items(), "runbooks as they ship, byte for byte"
    assert "cd new/team" in done.output
    gaps = written["ON_CALL.md"].count(b":** UPDATE THIS!")
    assert f"{gaps} lines say UPDATE THIS!" in done.output
    assert "7 runbooks" in done.output
    assert "  cockpit check  " in done.output and "  cockpit shift start  " in done.output


def test_every_link_of_the_handbook_leads_to_a_file(home: Path) -> None:
    call("init", "team")
    links = re.findall(r"\]\(([^)]+)\)", (home / "team/ON_CALL.md").read_text())
    assert len(links) == 7
    assert all((home / "team" / link).is_file() for link in links)


def test_what_it_wrote_works_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("init", "team")
    monkeypatch.chdir(home / "team")
    config = load()
    assert config.path == home / "team/cockpit.yaml"
    assert config.runbooks == (home / "team/runbooks",)
    assert config.handbook == home / "team/ON_CALL.md"
    found = json.loads(call("lint", "--json").stdout)["findings"]
    places = [
        (line, "placeholder")
        for line, text in enumerate((home / "team/ON_CALL.md").read_text().splitlines(), 1)
        if text.endswith(":** UPDATE THIS!")
    ]
    assert [(one["line"], one["rule"]) for one in found] == places, "the placeholders, no more"


def fields(kind: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind)} - {"path"}


def test_every_setting_is_explained_and_good_when_it_is_turned_on(tmp_path: Path) -> None:
    on = re.sub(r"(?m)^#(?!#)", "", start.CONFIG)
    config = parse(on, tmp_path / "cockpit.yaml", "cockpit.yaml")
    assert mistakes(config) == []

    def said(struct: msgspec.Struct) -> set[str]:
        return {
            one.name
            for one in msgspec.structs.fields(type(struct))
            if one.name != "path" and getattr(struct, one.name) not in (one.default, {})
        }

    (host,), (service,) = config.hosts.values(), config.services.values()
    (person,), (slack, mail) = config.contacts, config.outbox.values()
    for whole in (config, host, service, person, config.thresholds):
        assert said(whole) == fields(type(whole))
    assert said(slack) | said(mail) == fields(Destination)

    lines = start.CONFIG.splitlines()
    settings = [n for n, line in enumerate(lines) if re.match(r"#?(?:    |  - )?[a-z_]+:", line)]
    kinds = (Config, Host, Service, Person, Destination, Thresholds)
    assert len(settings) == sum(len(fields(kind)) for kind in kinds) + 1, "kind stands twice"
    bare = [lines[n] for n in settings if not lines[n - 1].startswith("##")]
    assert bare == ["#    port: 22", "#  - level: 2"], "explained with the line above it"


@pytest.mark.parametrize(
    "taken", ["ON_CALL.md", "cockpit.yaml", "runbooks/03_high_memory_usage.md"]
)
def test_nothing_is_overwritten_and_then_nothing_is_written(home: Path, taken: str) -> None:
    mine = home / "team" / taken
    mine.parent.mkdir(parents=True)
    mine.write_text("ours\n")
    done = call("init", "team")
    assert done.exit_code == 2
    assert f"team/{taken}" in done.output
    assert tree(home / "team") == {taken: b"ours\n"}


def test_a_second_time_names_every_file_and_a_dangling_link_counts(home: Path) -> None:
    call("init", "team")
    again = call("init", "team")
    assert again.exit_code == 2
    assert all(f"team/{name}" in again.output for name in tree(home / "team"))
    (home / "other").mkdir()
    (home / "other/ON_CALL.md").symlink_to("nowhere")
    assert call("init", "other").exit_code == 2
    assert not (home / "other/nowhere").exists()


def test_other_files_of_the_folder_are_left_alone(home: Path) -> None:
    (home / "README.md").write_text("ours\n")
    (home / "runbooks").mkdir()
    (home / "runbooks/our_own.md").write_text("# Ours\n")
    done = call("init", ".")
    assert done.exit_code == 0
    assert "  cd " not in done.output, "already there"
    assert (home / "runbooks/our_own.md").read_text() == "# Ours\n"


def test_a_file_in_the_place_of_a_folder_is_said_plainly(home: Path) -> None:
    (home / "team").write_text("a file\n")
    done = call("init", "team")
    assert done.exit_code == 2
    assert "Traceback" not in done.output and "team" in done.output
    (home / "half").mkdir()
    (home / "half/runbooks").write_text("a file\n")
    assert call("init", "half").exit_code == 2
    assert tree(home / "half") == {"runbooks": b"a file\n"}


LIMITED = """
import resource, signal, sys
from cockpit.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
main(["init", "a/b/team"])
"""


def test_an_error_in_the_middle_leaves_nothing_half(home: Path) -> None:
    """The kernel refuses to write beyond 9,000 bytes: the first files fit, a later one does not."""
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    sizes = [len(content) for content in start.files().values()]
    assert sizes[0] < 9000 < max(sizes)
    root = Path(__file__).parents[1]
    environ["PYTHONPATH"] = str(root)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], env=environ, cwd=home, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr and "Nothing was written" in done.stderr
    assert not (home / "a").exists()
