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
        # A loop that the stall blocks is held up for most of it; by a busy machine for less.
        held, after, received = run.stalled(12)
        assert held < 8.0
        assert after < 30.0
        # What was under way, and the frame that is current: no frame of the time between. Where
        # the log itself comes late, newer frames come meanwhile; a backlog would fill the link.
        assert received < 16_000 + 10_000 * max(0.0, after - 1.0)
        assert run.quits() < 30.0
