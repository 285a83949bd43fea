"""The terminal that the tests look through: it misses nothing of what was written to it."""

from __future__ import annotations

import os
import signal

from tests.screens.pty_terminal import Terminal


def test_the_last_words_of_a_program_that_ended_unseen_are_read() -> None:
    with Terminal(["sh", "-c", "seq 500; echo last words"]) as terminal:
        os.waitid(os.P_PID, terminal.pid, os.WEXITED | os.WNOWAIT)
        assert terminal.wait() == 0
        assert "last words" in terminal.text()


def test_what_goes_on_behind_a_program_that_ended_is_not_waited_for() -> None:
    with Terminal(["sh", "-c", "trap '' HUP; sleep 600 & echo $!"]) as terminal:
        assert terminal.wait() == 0
        left = int(terminal.text().split()[0])
        os.kill(left, signal.SIGKILL)
