"""Where commands run: the link to a host and what goes over it; this machine is one such host."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cockpit.text import Safe

if TYPE_CHECKING:
    from cockpit.target.local_pty import LocalPty

IN_A_TERMINAL: Final = 'b=$(command -v bash) || b=sh; exec "$b" -c "$1"'
"""What /bin/sh does with the script of a terminal: the shell that jobs have, too."""


class LinkState(StrEnum):
    """Whether a host can be reached now."""

    CONNECTING = "connecting"
    UP = "up"
    DEGRADED = "degraded"
    LOST = "lost"
    DOWN = "down"

    @property
    def usable(self) -> bool:
        return self in (LinkState.UP, LinkState.DEGRADED)

    @property
    def gone(self) -> bool:
        """Whether it is known that nothing can be sent now; not while it first connects."""
        return self in (LinkState.LOST, LinkState.DOWN)


@dataclass(frozen=True, slots=True)
class Link:
    """The link as it is now.

    reason: what is wrong and what to do next, empty while up. since: of this state; of a lost link
    it is when the host was last heard, up to three seconds before that was noticed, so the `since`
    of the next `up` less this one is how long it was away (time asleep not counted). retry_at: when
    the next attempt begins, always set while lost, else None. Both are time.monotonic(). rtt:
    seconds, None before the first answer.
    """

    state: LinkState
    reason: str
    since: float
    retry_at: float | None = None
    rtt: float | None = None


class LinkLost(Exception):
    """The host cannot be reached now; what runs there goes on. Ask again when the link is up."""


class LinkDown(Exception):
    """The link will not come back by itself; the message says why and what to do."""


class Unreachable(Exception):
    """This attempt to connect failed and another may succeed; the message says why."""


class Reader(Protocol):
    """The reading half of an asyncio stream. Raises LinkLost where the link ended, not the data."""

    async def read(self, n: int = -1) -> bytes: ...
    async def readline(self) -> bytes: ...
    async def readexactly(self, n: int) -> bytes: ...
    async def readuntil(self, separator: bytes = b"\n") -> bytes: ...
    def at_eof(self) -> bool: ...


class Writer(Protocol):
    """The writing half of an asyncio stream. Writing to a lost link is silent; reading tells."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...
    async def wait_closed(self) -> None: ...
    def is_closing(self) -> bool: ...


class Channel(Protocol):
    """One `/bin/sh -s` on the target. Close it in a `finally`: it holds a session on the host."""

    @property
    def stdin(self) -> Writer: ...
    @property
    def stdout(self) -> Reader: ...
    @property
    def stderr(self) -> Reader: ...

    async def wait(self) -> int | None:
        """Its exit status when it ends; None when that is not known, as after a lost link."""

    def close(self) -> None:
        """End it, at once and for good; may be called twice."""


class Terminal(Channel, Protocol):
    """A program in a pseudo-terminal on the target; stdout carries all that it shows.

    It ends with the link, and nobody can say then how far it came.
    """

    def resize(self, columns: int, rows: int) -> None:
        """The screen in front of it has another size now."""


Listener = Callable[[Link], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What a host or a key asks of the responder before it lets us in.

    secret: the answer is not shown while it is typed. It is never logged nor kept on disk.
    """

    host: str
    prompt: Safe
    secret: bool = True


Asker = Callable[[Question], Awaitable[str | None]]
"""Puts a question before the responder, for as long as they take; None when they gave up."""


class Target(Protocol):
    """A host that commands run on."""

    name: str
    user: str
    workdir: str

    @property
    def link(self) -> Link: ...

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop when the link changes; returns how to stop that."""

    async def open(self) -> None:
        """Begin to keep the link. Returns at once and never raises; `link` tells."""

    async def ready(self) -> None:
        """Wait until the link is up. Raises LinkDown."""

    async def shell(self) -> Channel:
        """A fresh `/bin/sh -s`. Raises LinkLost, LinkDown."""

    async def terminal(self, script: bytes, term: str, columns: int, rows: int) -> Terminal:
        """Run a script in a pseudo-terminal, by bash where there is one.

        script: shows in the process list of the host, so nothing of the responder's is in it. term:
        what kind of terminal will show it, as in $TERM. For cockpit.target.terminal alone.
        Raises LinkLost, LinkDown; OSError where there is no terminal to be had.
        """

    async def dial(self, path: str) -> tuple[Reader, Writer]:
        """Connect to a unix socket on the target.

        Raises LinkLost, LinkDown, or an OSError whose text says what is wrong with the socket.
        """

    def retry_now(self) -> None:
        """Do not wait for the next attempt."""

    async def close(self) -> None:
        """Give the link up. Jobs on the target go on."""


@dataclass(slots=True)
class _Process:
    """A Channel over a subprocess."""

    process: asyncio.subprocess.Process
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    closed: bool = False

    async def wait(self) -> int | None:
        return await self.process.wait()

    def release(self) -> bool:
        """Closes its pipes once nobody needs it any more; whether that is so.

        What outlives the shell may hold them, and asyncio would complain about that.
        """
        if not self.closed or self.process.returncode is None:
            return False
        self.process._transport.close()  # type: ignore[attr-defined]
        return True

    async def end(self) -> None:
        """Closes it at once, and returns when the shell is gone and nothing of it is left open."""
        self.close()
        for output in (1, 2):
            # What outlives the shell may hold them open, and wait() may then not return.
            self.process._transport.get_pipe_transport(output).close()  # type: ignore[attr-defined]
        await self.process.wait()
        self.release()

    def close(self) -> None:
        self.closed = True
        # The shell alone, never its group: without setsid(1) a job it started is in that group.
        self.stdin.close()
        if self.process.returncode is None:
            # Not process.kill(): its poll() takes the exit status away from asyncio's watcher.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)


class Local:
    """This machine: always up.

    shell, environ: what stands in for /bin/sh and the environment of cockpit.
    """

    def __init__(
        self,
        *,
        workdir: str = "",
        shell: str = "/bin/sh",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = "this machine"
        self.user = _login_name()
        self.workdir = workdir
        self._shell = shell
        self._environ = environ
        self._link = Link(LinkState.UP, "", time.monotonic(), rtt=0.0)
        self._channels: list[_Process] = []
        self._terminals: list[LocalPty] = []
        self._over = False

    @property
    def link(self) -> Link:
        return self._link

    def watch(self, listener: Listener) -> Callable[[], None]:
        return lambda: None

    async def open(self) -> None:
        pass

    async def ready(self) -> None:
        pass

    async def shell(self) -> Channel:
        # A session of its own: ctrl+c and a closed terminal must not reach it.
        process = await asyncio.create_subprocess_exec(
            self._shell,
            "-s",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environ,
            start_new_session=True,
        )
        assert process.stdin and process.stdout and process.stderr
        channel = _Process(process, process.stdin, process.stdout, process.stderr)
        self._channels = [each for each in self._channels if not each.release()]
        self._channels.append(channel)
        if self._over:  # closed while it was made
            await self.close()
            raise LinkDown(f"{self.name} was closed")
        return channel

    async def terminal(self, script: bytes, term: str, columns: int, rows: int) -> Terminal:
        from cockpit.target.local_pty import LocalPty

        argv = [self._shell, "-c", IN_A_TERMINAL, "sh", os.fsdecode(script)]
        environ = os.environ if self._environ is None else self._environ
        opened = await LocalPty.open(argv, term=term, columns=columns, rows=rows, environ=environ)
        self._terminals = [each for each in self._terminals if not each.is_closing()]
        self._terminals.append(opened)
        return opened

    async def dial(self, path: str) -> tuple[Reader, Writer]:
        try:
            return await asyncio.open_unix_connection(path)
        except FileNotFoundError:
            raise FileNotFoundError(f"{path} is not there on {self.name}") from None
        except PermissionError:
            raise PermissionError(
                f"{self.user} may not use {path} on {self.name}{_group_hint(path)}"
            ) from None
        except ConnectionRefusedError:
            raise ConnectionRefusedError(f"nothing answers at {path} on {self.name}") from None

    def retry_now(self) -> None:
        pass

    async def close(self) -> None:
        self._over = True
        while self._channels:  # one more may be made while this waits
            await self._channels.pop().end()
        for terminal in self._terminals:
            terminal.close()


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _group_hint(path: str) -> str:
    """Which group would be let in, for a socket that refuses us."""
    import grp

    try:
        group = grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (KeyError, OSError):
        return ""
    return f"; members of the group {group} may"
