"""The program in a real terminal: a tmux server of our own, keys in, screens out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Self

PATIENCE = 30.0


class Terminal:
    """One tmux session that runs one command; a context manager."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        size: tuple[int, int] = (120, 40),
        environ: dict[str, str] | None = None,
        cwd: Path | None = None,
        term: str = "tmux-256color",
    ) -> None:
        self._name = f"cockpit-{uuid.uuid4().hex[:8]}"
        self._argv = argv
        self._size = size
        self._environ = environ or {}
        self._cwd = cwd
        self._term = term

    def __enter__(self) -> Self:
        width, height = map(str, self._size)
        settings = [f"{name}={value}" for name, value in self._environ.items()]
        command = shlex.join(["env", *settings, *self._argv])
        # The pane stays when the program ends, so that its last words can be read.
        self._tmux("new-session", "-d", "-x", width, "-y", height, "-s", "main",
                   *(["-c", str(self._cwd)] if self._cwd else []),
                   f"{command}; echo exit status $?; exec sleep 600")  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._name, "-f", "/dev/null", *words],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "TERM": self._term, "LC_ALL": "C.UTF-8"},
        )
        return done.stdout

    def keys(self, *names: str) -> None:
        """Presses keys, by tmux's names for them, one after the other."""
        for name in names:
            self._tmux("send-keys", "-t", "main", name)
            time.sleep(0.05)

    def keys_at_once(self, *names: str) -> None:
        """Presses keys with no time between them."""
        self._tmux("send-keys", "-t", "main", *names)

    def type(self, text: str) -> None:
        """Types text as it stands."""
        self._tmux("send-keys", "-t", "main", "-l", text)

    def screen(self) -> str:
        """What stands on the screen, without styles."""
        return self._tmux("capture-pane", "-p", "-t", "main")

    def styled(self) -> str:
        """What stands on the screen, with its styles as escape sequences."""
        return self._tmux("capture-pane", "-e", "-p", "-t", "main")

    def wait(self, pattern: str, *, gone: bool = False, patience: float = PATIENCE) -> str:
        """The screen once the pattern is on it (or is gone from it). AssertionError if never."""
        until = time.monotonic() + patience
        while True:
            screen = self.screen()
            if bool(re.search(pattern, screen)) is not gone:
                return screen
            if time.monotonic() > until:
                what = "still there" if gone else "never came"
                raise AssertionError(f"{pattern!r} {what} in {patience:.0f} s:\n{screen}")
            time.sleep(0.05)

    def control(self, *words: str) -> str:
        """Runs a command of tmux, as `display-message -p …`; what it prints."""
        return self._tmux(*words)

    def resize(self, width: int, height: int) -> None:
        """Changes the size of the terminal under the running program."""
        self._tmux("resize-window", "-t", "main", "-x", str(width), "-y", str(height))

    def pid(self) -> int:
        """The process that the shell of the pane runs: the program itself."""
        shell = self._tmux("display-message", "-p", "-t", "main", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(children[0])


def cockpit(*arguments: str) -> list[str]:
    """The command line that starts this checkout's cockpit."""
    start = "from cockpit.cli import main; main(prog_name='cockpit')"
    return [sys.executable, "-c", start, *arguments]
