"""What is installed without the repository: the wheel is whole, the command works from anywhere."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import cockpit
from cockpit.incident.events import NoteAdded
from cockpit.incident.journal import Journal

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(path.name for path in (ROOT / "runbooks").glob("*.md"))
DATA = [
    "cockpit/cockpit.tcss",
    "cockpit/oncall/paper.css",
    "cockpit/py.typed",
    "cockpit/target/job.sh",
    "screens/py.typed",
    *(f"cockpit/runbooks/{name}" for name in SHIPPED),
]
# Each costs a noticeable part of the start: whoever needs one imports it where it is used.
HEAVY = ["textual", "asyncssh", "httpx", "docker", "markdown_it", "tree_sitter", "tree_sitter_bash"]
# Of ours, what is full of regular expressions, or not needed before the first paint.
LATE = [
    "cockpit.containers.engine",
    "cockpit.containers.limits",
    "cockpit.logs.level",
    "cockpit.logs.regex",
    "cockpit.logs.traces",
    "cockpit.rollout_plan",
    "cockpit.runbook.expect",
    "cockpit.target.session",
    "screens.ahead",
    "screens.panes.run_rows",
]
LOADED = f"import sys; print(*(name for name in {HEAVY + LATE} if name in sys.modules))"

Run = Callable[..., subprocess.CompletedProcess[str]]


def build(source: Path, kind: str, into: Path) -> Path:
    """The wheel or sdist of a source tree, made without a network."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)],
        cwd=source,
        check=True,
    )
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed; its dependencies are those of this interpreter."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([*pip, *offline, str(wheel)], check=True)
    return folder


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    """Run a program with what was installed, from an empty directory; fails when it fails."""
    empty = tmp_path / "empty"
    empty.mkdir()
    env = {
        "PATH": f"{site / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "HOME": str(tmp_path),
        "COCKPIT_HOME": str(tmp_path / "home"),
    }

    def one(*argv: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(argv, cwd=empty, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done

    return one


def test_the_wheel_holds_all_that_is_no_python(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert len(SHIPPED) >= 3
        assert [name for name in DATA if name not in names] == []
        for name in DATA:
            assert archive.read(name) == (ROOT / name).read_bytes()
        tops = {name.split("/")[0] for name in names}
    assert tops == {"cockpit", "screens", f"cockpit-{cockpit.__version__}.dist-info"}


def test_the_wheel_of_the_sdist_holds_as_much(wheel: Path, tmp_path: Path) -> None:
    sdist = build(ROOT, "sdist", tmp_path / "sdist")
    subprocess.run(["tar", "xzf", str(sdist), "-C", str(tmp_path)], check=True)
    again = build(tmp_path / f"cockpit-{cockpit.__version__}", "wheel", tmp_path / "wheel")
    with zipfile.ZipFile(again) as ours, zipfile.ZipFile(wheel) as theirs:
        assert sorted(ours.namelist()) == sorted(theirs.namelist())


def test_the_command_works_from_an_empty_directory(run: Run, site: Path) -> None:
    where = run(sys.executable, "-c", "import cockpit, screens; print(cockpit.__file__)").stdout
    assert Path(where.strip()).is_relative_to(site)
    assert run("cockpit", "--version").stdout == f"cockpit, version {cockpit.__version__}\n"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_runbook_is_there_to_be_shown(run: Run, site: Path, name: str) -> None:
    ask = "from cockpit.runbook.library import shipped; print(shipped())"
    folder = Path(run(sys.executable, "-c", ask).stdout.strip())
    assert folder.is_relative_to(site)
    title = (ROOT / "runbooks" / name).read_text().splitlines()[0].removeprefix("# ")
    assert title in run("cockpit", "runbook", "show", str(folder / name)).stdout


def test_the_command_line_loads_nothing_heavy(run: Run) -> None:
    assert all(importlib.util.find_spec(name) for name in HEAVY)
    assert run(sys.executable, "-c", f"import cockpit.cli; {LOADED}").stdout == "\n"


def test_the_first_paint_waits_for_nothing_that_is_not_in_it(run: Run) -> None:
    assert all(importlib.util.find_spec(name) for name in LATE)
    assert run(sys.executable, "-c", f"import screens.app; {LOADED}").stdout == "textual\n"


def test_listing_incidents_loads_nothing_heavy(run: Run, tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "home" / "incidents", slug="checkout-slow", who="sam")
    journal.append(NoteAdded(text="the pool is exhausted"))
    assert journal.close() == 0
    ask = "from cockpit.cli import main; main(['incident', 'list'], standalone_mode=False)"
    listed, loaded = run(sys.executable, "-c", f"{ask}; {LOADED}").stdout.splitlines()
    assert "checkout-slow" in listed
    assert loaded == ""
