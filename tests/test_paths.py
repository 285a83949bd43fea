"""Where things live: the variable, the platform, and no home at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit import paths


def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    assert paths.home() == tmp_path / "state"
    assert paths.incidents() == tmp_path / "state" / "incidents"


def test_a_relative_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COCKPIT_HOME", "here")
    assert paths.home() == tmp_path / "here"


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG directories are Linux's")
def test_the_platform_decides_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COCKPIT_HOME", raising=False)
    monkeypatch.delenv("COCKPIT_CONFIG", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert paths.home() == tmp_path / "state" / "cockpit"
    assert paths.config_files() == [
        tmp_path / "cockpit.yaml",
        tmp_path / "config" / "cockpit" / "cockpit.yaml",
    ]


def test_a_named_config_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COCKPIT_CONFIG", str(tmp_path / "mine.yaml"))
    assert paths.config_files()[0] == tmp_path / "mine.yaml"


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user that passwd lacks")
def test_without_any_home_there_is_still_a_place() -> None:
    """No $HOME and a user that passwd does not know: the state directory is a fallback."""
    root = Path(__file__).parent.parent
    script = (
        "import hashlib, os, pwd, platformdirs.unix; from cockpit import paths\n"
        "os.setuid(54321)\n"
        "print(paths.home()); print(*paths.config_files()); print(*paths.fallbacks())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "TMPDIR": "/tmp/x"},
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert done.stdout.splitlines() == [
        "/var/tmp/cockpit-54321",
        f"{root}/cockpit.yaml",
        "/var/tmp/cockpit-54321 /tmp/x/cockpit-54321",
    ], done.stderr


def test_a_working_directory_that_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("COCKPIT_HOME", "relative")
    assert paths.home() == Path("relative")
    assert paths.config_files()


def test_each_home_has_fallbacks_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("COCKPIT_HOME", "/one")
    one = paths.fallbacks()
    monkeypatch.setenv("COCKPIT_HOME", "/two")
    two = paths.fallbacks()
    assert one[0] == Path("/one")
    assert one[1].parent == Path("/var/tmp")
    assert one[2].parent == tmp_path
    assert not set(one) & set(two)
