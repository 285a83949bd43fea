"""A host over SSH: one connection that carries everything, kept alive and honest about its state.

A beat goes through a remote `cat` every second. Quiet for 2.7 seconds: the link is said to be lost
and dialed anew in parallel, while the old connection may still come back; the first to live wins.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import asyncssh

from cockpit.target import network
from cockpit.target.ssh_ask import Questions
from cockpit.target.ssh_dial import login
from cockpit.target.ssh_line import Line
from cockpit.target.ssh_race import abandon, race
from cockpit.target.target import (
    IN_A_TERMINAL,
    Asker,
    Channel,
    Link,
    LinkDown,
    LinkLost,
    LinkState,
    Listener,
    Reader,
    Terminal,
    Writer,
)

QUIET_S: Final = 2.7
SLOW_S: Final = 1.0
FAST_S: Final = 0.7
CALM_S: Final = 3.0
"""A slow link is well again when every answer came within FAST_S for so long."""

_CHECK_S: Final = 1.2
_FIRST_S: Final = 10.0
_TICK_S: Final = 0.25


class SshTarget:
    """A Target reached through OpenSSH's configuration: an alias or an address.

    transport: "openssh" has the ssh program carry it; "" is ours. ask: answers what a login asks.
    """

    def __init__(
        self,
        name: str,
        host: str,
        *,
        user: str = "",
        workdir: str = "",
        port: int | None = None,
        ssh_config: Path | None = None,
        transport: str = "",
        ask: Asker | None = None,
    ) -> None:
        self.name = name
        self.user = user
        self.workdir = workdir
        self._host = host
        self._login_user = user
        self._port = port
        self._config = ssh_config
        self._transport = transport
        self._questions = Questions(name, ask, self._say)
        self._link = Link(LinkState.CONNECTING, f"connecting to {name}", time.monotonic())
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self._nudge = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._line: Line | None = None
        self._slow_at = 0.0
        self._doubt: tuple[float, float] | None = None

    @property
    def link(self) -> Link:
        return self._link

    def watch(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)

        def unwatch() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return unwatch

    async def open(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name=f"link to {self.name}")

    async def ready(self) -> None:
        await self.open()
        while not self._link.state.usable:
            if self._link.state is LinkState.DOWN:
                raise LinkDown(self._link.reason)
            await self._changed.wait()

    async def shell(self) -> Channel:
        return await self._usable_line().shell()

    async def terminal(self, script: bytes, term: str, columns: int, rows: int) -> Terminal:
        # The login shell may be any: nothing in these words means something to one of them.
        octal = "".join(f"\\0{byte:03o}" for byte in script)
        inner = shlex.quote(IN_A_TERMINAL.replace('"$1"', '"$(printf %b "$1")"'))
        command = f"exec /bin/sh -c {inner} sh '{octal}'"
        return await self._usable_line().terminal(command, term, columns, rows)

    async def dial(self, path: str) -> tuple[Reader, Writer]:
        line = self._usable_line()
        try:
            session = await line.socket(path)
        except asyncssh.ChannelOpenError as error:
            raise await self._socket_error(path, error) from None
        return session.stdout, session

    def retry_now(self) -> None:
        if not self._link.state.usable:
            self._questions.expected = True
        if self._link.state is LinkState.DOWN and self._keeper is not None:
            self._set(LinkState.CONNECTING, f"connecting to {self.name}")
        self._nudge.set()

    async def close(self) -> None:
        line = self._line
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=1.5)
        if line is not None:
            await line.ended()
        self._set(LinkState.DOWN, f"the link to {self.name} was closed")

    def _usable_line(self) -> Line:
        if self._link.state is LinkState.DOWN:
            raise LinkDown(self._link.reason)
        if self._line is None or not self._link.state.usable:
            raise LinkLost(self._link.reason)
        return self._line

    def _set(
        self,
        state: LinkState,
        reason: str = "",
        *,
        since: float | None = None,
        retry_at: float | None = None,
        rtt: float | None = None,
    ) -> None:
        old = self._link
        if state is old.state:
            since = old.since
        elif since is None:
            since = time.monotonic()
        self._link = Link(state, reason, since, retry_at, rtt)
        if self._link == old:
            return
        self._changed.set()
        self._changed = asyncio.Event()
        for listener in tuple(self._listeners):
            # Later, so that a listener that raises cannot take the link down with it.
            asyncio.get_running_loop().call_soon(listener, self._link)

    def _say(self, words: str) -> None:
        """What a login wants done meanwhile, as a key to be touched."""
        if not self._link.state.usable:
            self._set(self._link.state, f"{self.name}: {words}", retry_at=self._link.retry_at)

    # -- keeping the link --------------------------------------------------------------------------

    async def _keep(self) -> None:
        short = 0
        unwatch = network.watch(self._look_again)
        try:
            while True:
                try:
                    if self._line is None:
                        self._line = await self._race()
                    self._questions.expected = False
                    self.user = self._line.login.user
                    born = time.monotonic()
                    self._line = await self._tend(self._line)
                    # A host that lets us in and drops us at once is not hammered.
                    short = min(short + 1, 6) if time.monotonic() - born < 5 else 0
                    if short > 1 and self._line is None:
                        await self._rest(0.05 * 2**short)
                except LinkDown as down:
                    if self._line is not None:
                        self._line.abort()
                        self._line = None
                    self._nudge.clear()
                    self._set(LinkState.DOWN, str(down))
                    await self._nudge.wait()
                    self._nudge.clear()
        finally:
            unwatch()
            if self._line is not None:
                self._line.abort()
                self._line = None

    async def _tend(self, line: Line) -> Line | None:
        """Watch a live connection. Returns its successor, or None when it ended without one."""
        successor: asyncio.Task[Line] | None = None
        refused = False
        self._doubt = None
        self._show(line)
        try:
            while True:
                left = self._patience(line)
                tick = min(left, _TICK_S) if left > 0 else _TICK_S
                began = time.monotonic()
                ends: list[asyncio.Future[Any]] = [line.closed]
                ends += [successor] if successor else []
                await asyncio.wait(ends, timeout=tick, return_when=asyncio.FIRST_COMPLETED)
                # Where we ourselves stood still (a stopped process), quiet proves nothing.
                self._excuse(line, time.monotonic() - began - tick - 0.3)
                if successor is not None and successor.done():
                    try:
                        winner = successor.result()
                    except LinkDown as down:
                        # No way in but by what the responder does; yet the old connection may
                        # still come back.
                        successor, refused = None, True
                        self._nudge.clear()
                        self._set(LinkState.DOWN, str(down))
                    else:
                        successor = None
                        line.abort()
                        return winner
                if line.closed.done():
                    line.abort()
                    self._line = None
                    if refused and not self._nudge.is_set():
                        raise LinkDown(self._link.reason)
                    self._lose(line, line.why_closed(self.name))
                    # Not awaited in vain: it is cancelled with us.
                    if successor is None:
                        return None
                    winner = await successor
                    successor = None
                    return winner
                if self._patience(line) <= 0:
                    if successor is None and (not refused or self._nudge.is_set()):
                        refused = False
                        self._lose(line, f"{self.name} does not answer; connecting again")
                        successor = asyncio.create_task(self._race())
                else:
                    if successor is not None:
                        await abandon(successor)
                    successor, refused = None, False
                    self._show(line)
        finally:
            if successor is not None:
                await abandon(successor)

    def _patience(self, line: Line) -> float:
        """Seconds until a link that goes on being quiet is lost; 0 and less when it is."""
        quiet = line.quiet()
        left = QUIET_S - quiet
        if self._doubt is not None:
            asked_at, until = self._doubt
            now = time.monotonic()
            if now - quiet > asked_at:
                self._doubt = None
            else:
                left = min(left, until - now)
        return left

    def _excuse(self, line: Line, stood: float) -> None:
        line.excuse(stood)
        if stood > 0 and self._doubt is not None:
            # Nor is it an answer to what was asked before.
            asked_at, until = self._doubt
            later = min(stood, time.monotonic() - asked_at)
            self._doubt = (asked_at + later, until + later)

    def _look_again(self) -> None:
        """The network may have come back, or we stood still: no time to wait for silence."""
        if self._link.state.usable and self._line is not None:
            now = time.monotonic()
            self._doubt = (now, now + _CHECK_S + (self._link.rtt or 0.0))
            self._line.check()
        elif self._link.state in (LinkState.LOST, LinkState.CONNECTING):
            self._nudge.set()

    def _lose(self, line: Line, reason: str) -> None:
        now = time.monotonic()
        self._set(LinkState.LOST, reason, since=now - line.quiet(), retry_at=now)

    def _show(self, line: Line) -> None:
        rtt, now = line.rtt(), time.monotonic()
        slow = self._link.state is LinkState.DEGRADED
        if rtt > (FAST_S if slow else SLOW_S):
            self._slow_at = now
            slow = True
        if slow and now - self._slow_at < CALM_S:
            self._set(LinkState.DEGRADED, f"{self.name} answers slowly", rtt=rtt)
        else:
            self._set(LinkState.UP, rtt=rtt)

    async def _race(self) -> Line:
        return await race(
            self._attempt,
            name=self.name,
            since=self._link.since if self._link.state is LinkState.LOST else time.monotonic(),
            now=self._nudge,
            busy=lambda: self._questions.busy,
            tell=self._tell,
        )

    def _tell(self, reason: str, retry_at: float) -> None:
        """What the dialing says: why an attempt failed, and when the next one begins."""
        link = self._link
        if link.state is LinkState.CONNECTING and not reason:
            if time.monotonic() - link.since < _FIRST_S or self._questions.busy:
                return
            reason = f"{self.name} does not answer; still connecting"
        self._set(LinkState.LOST, reason or link.reason, since=link.since, retry_at=retry_at)

    async def _rest(self, seconds: float) -> None:
        """Before the next attempt, unless somebody wants it now."""
        retry_at = time.monotonic() + seconds
        self._set(LinkState.LOST, self._link.reason, retry_at=retry_at)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudge.wait()

    async def _attempt(self) -> Line:
        """One connection, proven by one beat."""
        line = await self._dialed()
        try:
            await line.start(self.name)
        except BaseException:
            line.abort()
            raise
        return line

    async def _dialed(self) -> Line:
        if self._transport == "openssh":
            from cockpit.target import openssh_dial
            from cockpit.target.openssh_line import OpensshLine

            dial: Callable[..., Awaitable[Any]] = openssh_dial.login
            line: Callable[[Any], Line] = OpensshLine
        else:
            dial, line = login, Line
        return line(
            await dial(
                self.name,
                self._host,
                user=self._login_user,
                port=self._port,
                config=self._config,
                questions=self._questions,
            )
        )

    async def _socket_error(self, path: str, error: asyncssh.ChannelOpenError) -> OSError:
        """sshd does not say why a socket cannot be reached; a shell there can see it."""
        if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            return PermissionError(
                f"sshd on {self.name} forbids reaching {path}: AllowStreamLocalForwarding is off"
            )
        script = (
            f"p={shlex.quote(path)}\n"
            'if [ ! -e "$p" ]; then echo absent; elif [ ! -S "$p" ]; then echo file\n'
            'elif [ ! -w "$p" ]; then ls -ld "$p"; else echo refused; fi\n'
        )
        channel = await self.shell()
        try:
            channel.stdin.write(script.encode())
            channel.stdin.write_eof()
            said = (await channel.stdout.read()).decode(errors="replace").split()
        finally:
            channel.close()
        match said:
            case ["absent"]:
                return FileNotFoundError(f"{path} is not there on {self.name}")
            case ["file"]:
                return ConnectionRefusedError(f"{path} on {self.name} is not a socket")
            case ["refused"]:
                return ConnectionRefusedError(
                    f"nothing answers at {path} on {self.name}, or its sshd forbids reaching"
                    " sockets (AllowStreamLocalForwarding)"
                )
            case [_, _, _, group, *_]:
                return PermissionError(
                    f"{self.user} may not use {path} on {self.name};"
                    f" members of the group {group} may"
                )
            case _:
                return OSError(f"{path} on {self.name} cannot be reached: {error.reason}")
