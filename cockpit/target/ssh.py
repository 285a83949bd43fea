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
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import asyncssh

from cockpit.target.ssh_dial import Login, Unreachable, login
from cockpit.target.target import (
    Channel,
    Link,
    LinkDown,
    LinkLost,
    LinkState,
    Listener,
    Reader,
    Writer,
)

BEAT_S: Final = 1.0
QUIET_S: Final = 2.5
SLOW_S: Final = 1.0
RETRY_S: Final = (2.0, 5.0)
_ATTEMPTS: Final = 3
_SHELL: Final = "exec /bin/sh -s"

T = TypeVar("T")


class SshTarget:
    """A Target reached through OpenSSH's configuration: an alias or an address."""

    def __init__(
        self,
        name: str,
        host: str,
        *,
        user: str = "",
        workdir: str = "",
        port: int | None = None,
        ssh_config: Path | None = None,
    ) -> None:
        self.name = name
        self.user = user
        self.workdir = workdir
        self._host = host
        self._login_user = user
        self._port = port
        self._config = ssh_config
        self._link = Link(LinkState.CONNECTING, f"connecting to {name}", time.monotonic())
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self._nudge = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._line: _Line | None = None

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

    async def dial(self, path: str) -> tuple[Reader, Writer]:
        line = self._usable_line()
        try:
            session = await line.socket(path)
        except asyncssh.ChannelOpenError as error:
            raise await self._socket_error(path, error) from None
        return session.stdout, session

    def retry_now(self) -> None:
        if self._link.state is LinkState.DOWN and self._keeper is not None:
            self._set(LinkState.CONNECTING, f"connecting to {self.name}")
        self._nudge.set()

    async def close(self) -> None:
        if self._keeper is not None:
            await _cancel(self._keeper)
        self._set(LinkState.DOWN, f"the link to {self.name} was closed")

    def _usable_line(self) -> _Line:
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

    # -- keeping the link --------------------------------------------------------------------------

    async def _keep(self) -> None:
        short = 0
        try:
            while True:
                try:
                    if self._line is None:
                        self._line = await self._race()
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

    async def _tend(self, line: _Line) -> _Line | None:
        """Watch a live connection. Returns its successor, or None when it ended without one."""
        race: asyncio.Task[_Line] | None = None
        self._show(line)
        try:
            while True:
                slept = time.monotonic()
                ends: list[asyncio.Future[Any]] = [line.closed, *([race] if race else [])]
                await asyncio.wait(ends, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
                # Where we ourselves stood still (a stopped process), quiet proves nothing.
                line.excuse(time.monotonic() - slept - 0.5)
                if race is not None and race.done():
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
                    if race is None:
                        self._set(LinkState.LOST, f"{self.name} does not answer; connecting again")
                        race = asyncio.create_task(self._race())
                elif race is not None:
                    await _abandon(race)
                    race = None
                    self._show(line)
                else:
                    self._show(line)
        finally:
            if race is not None:
                await _abandon(race)

    def _show(self, line: _Line) -> None:
        rtt = line.rtt()
        if rtt > SLOW_S:
            self._set(LinkState.DEGRADED, f"{self.name} answers slowly", rtt=rtt)
        else:
            self._set(LinkState.UP, rtt=rtt)

    async def _race(self) -> _Line:
        """Dial until one attempt lives; a new one is started while older ones still hang."""
        attempts: list[asyncio.Task[_Line]] = []
        try:
            while True:
                if len(attempts) == _ATTEMPTS:
                    await _abandon(attempts.pop(0))
                attempts.append(asyncio.create_task(self._attempt()))
                next_at = time.monotonic() + random.uniform(*RETRY_S)
                self._nudge.clear()
                while (left := next_at - time.monotonic()) > 0 and not self._nudge.is_set():
                    nudged = asyncio.create_task(self._nudge.wait())
                    try:
                        await asyncio.wait(
                            [*attempts, nudged],
                            timeout=left,
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

    async def _attempt(self) -> _Line:
        """One connection, proven by one beat."""
        entered = await login(
            self.name, self._host, user=self._login_user, port=self._port, config=self._config
        )
        line = _Line(entered)
        try:
            await line.start(self.name)
        except BaseException:
            line.abort()
            raise
        return line

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


class _Line:
    """One live connection: its beat, and one shell opened ahead of need."""

    def __init__(self, entered: Login) -> None:
        self.login = entered
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard = time.monotonic()
        self._sent: dict[bytes, float] = {}
        self._rtt = 0.0
        self._warm: asyncio.Task[_Session] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, name: str) -> None:
        """Until the first beat. Raises Unreachable."""
        self._warm = asyncio.create_task(self._exec(_SHELL))
        self._warm.add_done_callback(_retrieve)
        try:
            async with asyncio.timeout(10):
                beat = await _owned(self._exec("exec cat"))
                first = await self._first_beat(name, beat)
        except TimeoutError:
            raise Unreachable(f"{name}: let us in, then did not answer") from None
        except asyncssh.ChannelOpenError as error:
            raise Unreachable(f"{name}: lets us in but opens no session: {error.reason}") from None
        except (LinkLost, asyncssh.Error, OSError) as error:
            raise Unreachable(f"{name}: the connection broke at once: {error}") from None
        self._rtt = first
        self._tasks = [
            asyncio.create_task(self._beat(beat)),
            asyncio.create_task(self._hear(beat)),
            asyncio.create_task(self._wait_closed()),
        ]

    async def _first_beat(self, name: str, beat: _Session) -> float:
        sent = time.monotonic()
        beat.write(b"cockpit 0\n")
        while line := await beat.stdout.readline():
            # A login shell may have printed a greeting before.
            if line.endswith(b"cockpit 0\n"):
                return time.monotonic() - sent
        status = await beat.wait()
        if status is None:
            raise LinkLost("no answer")
        said = b" ".join((await beat.stderr.read()).split())[-200:].decode(errors="replace")
        # Tried again: it may be a closed account, and as well a host that cannot fork just now.
        raise Unreachable(
            f"{name}: lets us in but runs no commands (status {status}"
            + (f', it says "{said}")' if said else ")")
        )

    async def _beat(self, beat: _Session) -> None:
        number = 0
        while True:
            await asyncio.sleep(BEAT_S)
            number += 1
            self._sent[b"cockpit %d" % number] = time.monotonic()
            beat.write(b"cockpit %d\n" % number)

    async def _hear(self, beat: _Session) -> None:
        with contextlib.suppress(LinkLost):
            while line := await beat.stdout.readline():
                if sent := self._sent.pop(line.strip(), None):
                    self._rtt = time.monotonic() - sent
        if not self.closed.done():
            self.closed.set_result(None)

    async def _wait_closed(self) -> None:
        await self.login.connection.wait_closed()
        if not self.closed.done():
            self.closed.set_result(None)

    def heard(self) -> None:
        self._heard = time.monotonic()

    def quiet(self) -> float:
        """Seconds since anything was heard, while an answer is due."""
        return time.monotonic() - self._heard

    def excuse(self, seconds: float) -> None:
        if seconds > 0:
            self._heard += seconds

    def rtt(self) -> float:
        """Of the last beat that was answered, or how long the oldest has waited."""
        oldest = min(self._sent.values(), default=None)
        return self._rtt if oldest is None else max(self._rtt, time.monotonic() - oldest)

    def why_closed(self, name: str) -> str:
        return f"{name} closed the connection; connecting again"

    async def shell(self) -> _Session:
        """The shell opened ahead, and another is opened for next time. Raises LinkLost."""
        warm, self._warm = self._warm, asyncio.create_task(self._exec(_SHELL))
        self._warm.add_done_callback(_retrieve)
        try:
            if warm is not None:
                with contextlib.suppress(asyncssh.ChannelOpenError):
                    session = await _owned(warm)
                    if not session.is_closing():
                        return session
            return await _owned(self._exec(_SHELL))
        except (asyncssh.Error, OSError) as error:
            raise LinkLost(f"no session could be opened: {error}") from None

    async def socket(self, path: str) -> _Session:
        """A unix socket of the host. Raises asyncssh.ChannelOpenError, LinkLost."""

        async def connect() -> _Session:
            _, session = await self.login.connection.create_unix_connection(
                cast(Any, lambda: _Session(self.heard)), path, encoding=None
            )
            return cast(_Session, session)

        try:
            return await _owned(connect())
        except asyncssh.ChannelOpenError:
            if self.login.connection.is_closed():
                raise LinkLost("the link ended") from None
            raise
        except (asyncssh.Error, OSError) as error:
            raise LinkLost(f"the link ended: {error}") from None

    async def _exec(self, command: str) -> _Session:
        # encoding=None always: one invalid UTF-8 byte would close the whole connection.
        _, session = await self.login.connection.create_session(
            lambda: _Session(self.heard), command, encoding=None
        )
        return cast(_Session, session)

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._warm is not None:
            self._warm.cancel()
        self.login.abort()


class _Session(asyncssh.SSHClientSession[bytes]):
    """A channel as asyncio streams: a Channel, and its own stdin as a Writer."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self._heard = heard
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._status: int | None = None
        self._ended = False
        self._closed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    @property
    def stdin(self) -> _Session:
        return self

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = chan
        for reader in (self.stdout, self.stderr):
            # A channel pauses and resumes reading as an asyncio transport does.
            reader.set_transport(cast(asyncio.Transport, chan))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._heard()
        reader = self.stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self.stdout
        reader.feed_data(data)

    def eof_received(self) -> bool:
        self._ended = True
        self.stdout.feed_eof()
        self.stderr.feed_eof()
        return True

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._status = -1

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended:
            whole = exc is None and self._status is not None
            for reader in (self.stdout, self.stderr):
                if whole:
                    reader.feed_eof()
                else:
                    reader.set_exception(LinkLost(f"the link ended: {exc or 'closed'}"))
        self._may_write.set()
        self._closed.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._chan is not None:
                self._chan.write(data)

    def write_eof(self) -> None:
        with contextlib.suppress(OSError):
            if self._chan is not None:
                self._chan.write_eof()

    async def drain(self) -> None:
        await self._may_write.wait()

    def close(self) -> None:
        if self._chan is not None:
            self._chan.close()

    def is_closing(self) -> bool:
        return self._ended or self._closed.is_set() or self._chan is None or self._chan.is_closing()

    async def wait_closed(self) -> None:
        await self._closed.wait()

    async def wait(self) -> int | None:
        await self._closed.wait()
        return self._status


def _retrieve(task: asyncio.Task[_Session]) -> None:
    """A shell opened ahead that failed is nobody's error until somebody asks for it."""
    if not task.cancelled():
        task.exception()


async def _owned(opening: Coroutine[Any, Any, _Session] | asyncio.Task[_Session]) -> _Session:
    """Await the opening of a channel. Cancelled meanwhile, it is closed once open: asyncssh would
    leak the channel, and the host would go on with it."""
    task = opening if isinstance(opening, asyncio.Task) else asyncio.create_task(opening)

    def close(opened: asyncio.Task[_Session]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            opened.result().close()

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(close)
        raise


async def _cancel(task: asyncio.Task[T]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _abandon(task: asyncio.Task[_Line]) -> None:
    """Cancel an attempt; one that lived at the last moment is dropped."""
    await _cancel(task)
    if not task.cancelled() and task.exception() is None:
        task.result().abort()
