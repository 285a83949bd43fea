"""A thin link through real OpenSSH, in small: keys are answered, and a stall holds up nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest

from benchmarks.thin_link import CASES, running
from tests.containers.conftest import Dockerd
from tests.lab.sshd import Sshd

pytestmark = pytest.mark.slow


def test_keys_are_answered_and_a_stall_is_no_backlog(
    dockerd: Dockerd, sshd: Callable[..., Sshd]
) -> None:
    """The bounds are loose, as the machine may be busy; the benchmark has the real ones."""
    case = CASES[1]
    with running(case, dockerd, sshd(), "cockpit") as run:
        assert statistics.median(run.keys(5)) < 10.0
        held, after, received = run.stalled(6)
        assert held < 4.0
        assert after < 30.0
        # What was under way, and the frame that is current: no frame of the time between.
        assert received < 16_000
        assert run.quits() < 30.0
