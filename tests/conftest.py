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


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
