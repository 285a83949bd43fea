"""Pytest fixtures of the lab, and the loud last lines about what could not be tested."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from tests.lab import sshd as servers
from tests.lab.lab import Lab, missing

LEFT_OUT = "not tested: "
SHARED = {"_session_lab": "lab", "engine_room": "engine", "podman_room": "podman"}
INSTALL = "sh tests/lab/install.sh (as root, Debian or Ubuntu) installs what is missing"


def not_tested(request: pytest.FixtureRequest, what: str, reasons: list[str]) -> NoReturn:
    """Skip, and say so in the last lines; in CI a missing part is a failure instead."""
    text = f"{what}: {'; '.join(reasons)}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, so this may not be left out. {text}. {INSTALL}", pytrace=False)
    pytest.skip(LEFT_OUT + text)


@pytest.fixture(scope="session")
def _session_lab() -> Iterator[Callable[[], Lab]]:
    """The one lab of this run, started when first asked for."""
    started: list[Lab] = []

    def get() -> Lab:
        if not started:
            started.append(Lab.start())
        return started[0]

    try:
        yield get
    finally:
        for lab in started:
            lab.stop()


@pytest.fixture
def lab(request: pytest.FixtureRequest, _session_lab: Callable[[], Lab]) -> Lab:
    """prod-1 with its Docker engine and the kamiyo service, shared by the whole run.

    In the state the last test left it; ask for `service` to have the service healthy and fresh.
    """
    reasons = missing()
    if reasons:
        not_tested(request, "the lab (Docker engine, host prod-1)", reasons)
    return _session_lab()


@pytest.fixture
def service(lab: Lab) -> Iterator[Lab]:
    """The lab with a healthy service that this test may break."""
    lab.reset()
    yield lab
    lab.reset()


@pytest.fixture(scope="session")
def shells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, servers.Shell]:
    """bash, dash and busybox ash, by name, for `sshd(shell=...)` or to run by hand."""
    return servers.shells(tmp_path_factory.mktemp("shells"))


StartSshd = Callable[..., servers.Sshd]


@pytest.fixture
def sshd(request: pytest.FixtureRequest) -> Iterator[StartSshd]:
    """Start throwaway servers: `sshd(shell=..., extra_config=...)`; see lab/sshd.py."""
    absent = [n for n in ("ssh", "ssh-keygen") if not shutil.which(n)]
    absent += [] if Path(servers.SSHD).exists() else ["sshd"]
    if absent:
        not_tested(request, "real SSH", ["not installed: " + ", ".join(absent)])
    with ExitStack() as running:

        def start(**options: object) -> servers.Sshd:
            if options.get("shell") is not None and os.geteuid() != 0:
                not_tested(request, "SSH with another shell", ["not root"])
            return running.enter_context(servers.sshd(**options))  # type: ignore[arg-type]

        yield start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses an engine needs Docker and root: -m "not docker" leaves it out.

    Where tests run beside each other, all that share an engine are in one process.
    """
    for item in items:
        for fixture, group in SHARED.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.docker)
                item.add_marker(pytest.mark.root)
                item.add_marker(pytest.mark.xdist_group(group))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    left_out = Counter(reason for reason in reasons if reason.startswith(LEFT_OUT))
    if not left_out:
        return
    terminalreporter.section("NOT TESTED", sep="!", red=True, bold=True)
    for reason, count in left_out.items():
        what = reason.removeprefix(LEFT_OUT)
        terminalreporter.line(f"NOT TESTED: {count} tests need {what}", red=True)
    terminalreporter.line(f"{INSTALL}. A green result above says nothing about these.", red=True)
