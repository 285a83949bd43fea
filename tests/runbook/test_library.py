"""Which files are runbooks: where they are looked for, and what is passed over."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from cockpit.config import Config
from cockpit.runbook import library


def write(path: Path, text: str = "# A runbook\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(*folders: Path) -> list[str]:
    return [file.path.name for file in library.walk(folders).files]


def test_files_come_in_the_order_of_folders_then_of_names(tmp_path: Path) -> None:
    write(tmp_path / "b" / "2.md")
    write(tmp_path / "b" / "1.md")
    write(tmp_path / "b" / "deep" / "er" / "0.MARKDOWN")
    write(tmp_path / "a" / "9.md")
    write(tmp_path / "a" / "notes.txt")
    assert names(tmp_path / "b", tmp_path / "a") == ["1.md", "2.md", "0.MARKDOWN", "9.md"]
    assert [file.place for file in library.walk([tmp_path / "b", tmp_path / "a"]).files][-1] == 1


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "linked.md")
    write(tmp_path / "books" / "plain.md")
    (tmp_path / "books" / "team").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "books" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "books")
    (tmp_path / "books" / "self.md").symlink_to(tmp_path / "books" / "self.md")
    (tmp_path / "books" / "other-name.md").symlink_to(tmp_path / "books" / "plain.md")
    found = library.walk([tmp_path / "books"])
    assert sorted(file.path.name for file in found.files) == ["linked.md", "other-name.md"]
    assert len({os.path.realpath(file.path) for file in found.files}) == 2
    assert any("self.md" in words for words in found.passed)


def test_hidden_folders_and_those_of_packages_are_not_looked_into(tmp_path: Path) -> None:
    for name in (".git", "node_modules", ".venv"):
        write(tmp_path / name / "x.md")
    write(tmp_path / ".hidden.md")
    write(tmp_path / "seen.md")
    assert names(tmp_path) == ["seen.md"]


def test_a_folder_that_is_not_there_is_told_and_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    one = write(tmp_path / "one.md")
    write(tmp_path / "other.md")
    found = library.walk([tmp_path / "gone", one])
    assert [file.path for file in found.files] == [one]
    assert found.passed == [f"{tmp_path / 'gone'} is not there"]
    assert found.looked == []


def test_a_folder_that_may_not_be_read_is_told() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, user = Path(name), os.geteuid()
        write(folder / "locked" / "x.md")
        folder.chmod(0o755)
        (folder / "locked").chmod(0)
        if user == 0:  # root may read everything
            os.seteuid(65534)
        found = library.walk([folder])
        os.seteuid(user)
        assert found.passed == ["locked (permission denied)"]


def test_not_all_of_a_home_directory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "MOST", 3)
    for number in range(5):
        write(tmp_path / f"{number}.md")
    found = library.walk([tmp_path])
    assert len(found.files) == 3
    assert found.passed == ["all beyond 3 files"]


def test_runbooks_of_the_team_come_before_those_here_and_those_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    team = Config(runbooks=(tmp_path / "team",))
    assert library.folders(team) == [tmp_path / "team", library.shipped()]
    (tmp_path / "docs" / "runbooks").mkdir(parents=True)
    (tmp_path / "runbooks").mkdir()
    here = [tmp_path / "runbooks", tmp_path / "docs" / "runbooks"]
    assert library.folders(team) == [tmp_path / "team", *here, library.shipped()]
    assert library.folders(Config()) == [*here, library.shipped()]
    told = Config(handbook=tmp_path / "ON_CALL.md")
    assert library.folders(told) == [*here, tmp_path / "ON_CALL.md", library.shipped()]
    twice = Config(runbooks=(tmp_path / "runbooks",))
    assert library.folders(twice).count(tmp_path / "runbooks") == 1


def test_who_has_no_runbooks_is_told_where_was_looked_and_how_to_name_more(
    tmp_path: Path,
) -> None:
    config = Config(runbooks=(tmp_path / "team",), path=tmp_path / "cockpit.yaml")
    words = library.advice(config)
    assert str(tmp_path / "team") in words
    assert "./docs/runbooks" in words
    assert "cockpit.yaml" in words
    assert "runbooks:" in words


def test_what_ships_is_for_who_has_no_runbooks(tmp_path: Path) -> None:
    shipped = [file.path for file in library.walk([library.shipped()]).files]
    assert shipped
    assert [file.path for file in library.walk([tmp_path, library.shipped()]).files] == shipped
    own = write(tmp_path / "own.md")
    assert [file.path for file in library.walk([tmp_path, library.shipped()]).files] == [own]
