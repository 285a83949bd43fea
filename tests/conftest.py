"""Shared by all tests: the async backend, the lab's fixtures, ordinary signals."""

import os
import signal

# Before any test: imported late, by its plugin, CPython 3.11 may fail to parse it while garbage of
# the tests is collected.
import hypothesis
import pytest

# How long an example takes is the machine's affair; the rest is as it is, also what CI has set.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# Of the terminal that the tests were started in, where they run in several processes.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)

pytest_plugins = ["tests.lab.fixtures"]

# In the background of a shell, or under nohup, these are ignored, and what the tests start would
# inherit it for good.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


AGAIN = 10  # exit status: few failed, and none of what is promised
FEW = 5
# What runs at most once, what is never lost, what is never done to the reader's terminal.
PROMISED = (
    "test_at_most_once", "test_guard", "test_harm", "test_job_cuts", "test_job_unknown",
    "test_journal", "test_kill", "test_log_cuts", "test_safe", "test_text",
)  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Says by the status that `make test` may run what failed once more, with nothing beside it.

    Real parts on a busy machine can come late for a test. A promise broken once is broken.
    """
    if exitstatus != pytest.ExitCode.TESTS_FAILED or not session.config.getoption("numprocesses"):
        return
    stats = session.config.pluginmanager.getplugin("terminalreporter").stats
    failed = [*stats.get("failed", []), *stats.get("error", [])]
    if len(failed) <= FEW and not any(name in one.nodeid for one in failed for name in PROMISED):
        session.exitstatus = AGAIN
