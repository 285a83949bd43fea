"""A host over SSH: one connection that carries everything, kept alive and honest about its state.

A beat goes through a remote `cat` every second. Quiet for 2.5 seconds: the link is said to be lost
and dialed anew in parallel, while the old connection may still come back; the first to live wins.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shlex
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncssh

from cockpit.target.ssh_ask import AnswerNeeded, Questions
from cockpit.target.ssh_dial import Unreachable, login
from cockpit.target.ssh_line import Line
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

QUIET_S: Final = 2.5
SLOW_S: Final = 1.0
RETRY_S: Final = (2.0, 5.0)
_ATTEMPTS: Final = 3

T = TypeVar("T")


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
        if self._keeper is not None:
            await _cancel(self._keeper)
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
        retry_at: float | None = None,
        rtt: float | None = None,
    ) -> None:
        old = self._link
        since = old.since if state is old.state else time.monotonic()
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
            self._set(self._link.state, f"{self.name}: {words}")

    # -- keeping the link --------------------------------------------------------------------------

    async def _keep(self) -> None:
        short = 0
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
                        await asyncio.sleep(0.05 * 2**short)
                except LinkDown as down:
                    if self._line is not None:
                        self._line.abort()
                        self._line = None
                    self._nudge.clear()
                    self._set(LinkState.DOWN, str(down))
                    await self._nudge.wait()
                    self._nudge.clear()
        finally:
            if self._line is not None:
                self._line.abort()
                self._line = None

    async def _tend(self, line: Line) -> Line | None:
        """Watch a live connection. Returns its successor, or None when it ended without one."""
        race: asyncio.Task[Line] | None = None
        asks = False
        self._show(line)
        try:
            while True:
                slept = time.monotonic()
                ends: list[asyncio.Future[Any]] = [line.closed, *([race] if race else [])]
                await asyncio.wait(ends, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
                # Where we ourselves stood still (a stopped process), quiet proves nothing.
                line.excuse(time.monotonic() - slept - 0.5)
                if race is not None and race.done():
                    if isinstance(needed := race.exception(), AnswerNeeded):
                        # The old connection may still come back without an answer.
                        race, asks = None, True
                        self._set(LinkState.LOST, str(needed))
                        continue
                    winner, race = race.result(), None
                    line.abort()
                    return winner
                if line.closed.done():
                    line.abort()
                    self._line = None
                    self._set(LinkState.LOST, line.why_closed(self.name))
                    if race is None:
                        return None
                    winner = await race
                    race = None
                    return winner
                if line.quiet() > QUIET_S:
                    if race is None and (not asks or self._questions.expected):
                        asks = False
                        self._set(LinkState.LOST, f"{self.name} does not answer; connecting again")
                        race = asyncio.create_task(self._race())
                elif race is not None:
                    await _abandon(race)
                    race = None
                    self._show(line)
                else:
                    asks = False
                    self._show(line)
        finally:
            if race is not None:
                await _abandon(race)

    def _show(self, line: Line) -> None:
        rtt = line.rtt()
        if rtt > SLOW_S:
            self._set(LinkState.DEGRADED, f"{self.name} answers slowly", rtt=rtt)
        else:
            self._set(LinkState.UP, rtt=rtt)

    async def _race(self) -> Line:
        """Dial until one attempt lives; a new one is started while older ones still hang."""
        attempts: list[asyncio.Task[Line]] = []
        try:
            while True:
                if len(attempts) == _ATTEMPTS:
                    await _abandon(attempts.pop(0))
                attempts.append(asyncio.create_task(self._attempt()))
                next_at = time.monotonic() + random.uniform(*RETRY_S)
                self._nudge.clear()
                while (
                    (left := next_at - time.monotonic()) > 0 and not self._nudge.is_set()
                ) or self._questions.busy:
                    # While a login asks, no other is begun that would ask the same.
                    self._nudge.clear()
                    nudged = asyncio.create_task(self._nudge.wait())
                    try:
                        await asyncio.wait(
                            [*attempts, nudged],
                            timeout=max(left, 0.2),
                            return_when=asyncio.FIRST_COMPLETED,
                        )
                    finally:
                        nudged.cancel()
                    for attempt in [each for each in attempts if each.done()]:
                        attempts.remove(attempt)
                        try:
                            return attempt.result()
                        except LinkDown:
                            raise
                        except Unreachable as failure:
                            reason = str(failure)
                        except Exception as surprise:
                            # Nothing that a host or a library does may end the keeping of a link.
                            reason = f"{self.name}: {type(surprise).__name__}: {surprise}"
                        self._set(LinkState.LOST, reason, retry_at=next_at)
        finally:
            for attempt in attempts:
                await _abandon(attempt)

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


async def _cancel(task: asyncio.Task[T]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _abandon(task: asyncio.Task[Line]) -> None:
    """Cancel an attempt; one that lived at the last moment is dropped."""
    await _cancel(task)
    if not task.cancelled() and task.exception() is None:
        task.result().abort()
