"""One live connection that OpenSSH's own ssh carries: the same channels, each an `ssh -S`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shlex
import signal
from collections.abc import Callable
from typing import Any, Final, cast

import asyncssh

from cockpit.target.local_pty import LocalPty
from cockpit.target.openssh_dial import Master
from cockpit.target.ssh_line import Line, Session
from cockpit.target.target import LinkLost

_DENIED: Final = 255
_GRACE_S: Final = 1.0


class OpensshLine(Line):
    """A Line over a ControlMaster of our own."""

    def __init__(self, master: Master) -> None:
        super().__init__(cast(Any, master))
        self._master = master
        self._open: set[_Channel | _Terminal] = set()

    def abort(self) -> None:
        super().abort()
        for each in self._open:
            each.drop()

    async def ended(self) -> None:
        ends = [each.wait() for each in self._open]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await asyncio.gather(self._master.process.wait(), *ends)

    def _track(self, opened: _Channel | _Terminal) -> None:
        self._open = {each for each in self._open if not each.over} | {opened}

    async def _wait_closed(self) -> None:
        await self._master.gone.wait()
        if not self.closed.done():
            self.closed.set_result(None)

    async def _exec(self, command: str) -> Session:
        ready = secrets.token_hex(8)
        words = [*self._master.ssh("-T"), f"printf '\\n{ready}\\n'; {command}"]
        channel = _Channel(self.heard, self.lost, ready.encode())
        self._track(channel)
        loop = asyncio.get_running_loop()
        await loop.subprocess_exec(lambda: channel, *words, start_new_session=True)
        try:
            await channel.opened.wait()
        except asyncio.CancelledError:
            channel.close()
            raise
        if channel.status == _DENIED and not channel.ready:
            said = (await channel.stderr.read()).decode(errors="replace")
            found = re.search(r"session request failed: (.*)", said)
            reason = found[1] if found else " ".join(said.split())[-200:]
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, reason)
        return cast(Session, channel)

    async def lost(self) -> bool:
        """Whether the end of a channel, seen just now, was that of the link."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await self._master.gone.wait()
        return self._master.gone.is_set()

    async def socket(self, path: str) -> Session:
        """Never: ssh would open a socket on this machine, where every program could use it."""
        raise OSError(f"transport: openssh does not reach {path} by itself")

    async def terminal(self, command: str, term: str, columns: int, rows: int) -> Session:
        # ssh does not say which signal ended a program; a shell does.
        inner = f"trap : INT QUIT; ({command}); exit $?"
        options = ("-tt", "-o", "EscapeChar=none", "-o", "SendEnv=LANG LC_*")
        words = [*self._master.ssh(*options), f"exec /bin/sh -c {shlex.quote(inner)}"]
        if self._master.gone.is_set():
            raise LinkLost("the link ended")
        opened = await _Terminal.open(
            words, term=term, columns=columns, rows=rows, environ=os.environ
        )
        opened.lost = self.lost
        self._track(opened)
        return cast(Session, opened)


class _Terminal(LocalPty):
    """The pseudo-terminal of an ssh, which ends with the link."""

    lost: Callable[[], Any]

    def drop(self) -> None:
        self.close()

    @property
    def over(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def wait(self) -> int | None:
        status = await super().wait()
        return None if status == _DENIED and await self.lost() else status

    def _end(self) -> None:
        if not self._over:
            self._over = True
            if not self._closed:
                asyncio.get_running_loop().remove_reader(self._master)
            self._last = asyncio.create_task(self._tell_end())

    async def _tell_end(self) -> None:
        if await self.wait() is None:
            self.stdout.set_exception(LinkLost("the link ended"))
        else:
            self.stdout.feed_eof()


class _Channel(asyncio.SubprocessProtocol):
    """A channel as asyncio streams: a Channel, and its own stdin as a Writer.

    ready: what the far side says first; all before it is the login shell's talk, and dropped.
    """

    def __init__(self, heard: Callable[[], None], lost: Callable[[], Any], ready: bytes) -> None:
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self.opened = asyncio.Event()
        self.ready = False
        self.status: int | None = None
        self._sign = b"\n" + ready + b"\n"
        self._before = b""
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.SubprocessTransport | None = None
        self._closing = self._dropped = False
        self._closed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._last: asyncio.Task[None] | None = None

    @property
    def stdin(self) -> _Channel:
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        for fd, reader in ((1, self.stdout), (2, self.stderr)):
            pipe = self._transport.get_pipe_transport(fd)
            reader.set_transport(cast(asyncio.Transport, pipe))
        if self._closing or self._dropped:
            self._kill()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._heard()
        if fd == 2:
            self.stderr.feed_data(data)
        elif self.ready:
            self.stdout.feed_data(data)
        else:
            self._before += data
            _, sign, rest = self._before.partition(self._sign)
            if sign:
                self.ready, self._before = True, b""
                self.opened.set()
                if rest:
                    self.stdout.feed_data(rest)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def process_exited(self) -> None:
        assert self._transport is not None
        self.status = self._transport.get_returncode()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended and all that it said is here."""
        assert self._transport is not None
        self._transport.close()
        self._last = asyncio.create_task(self._end())

    async def _end(self) -> None:
        self._may_write.set()
        broken = self._dropped or self.status is None or self.status < 0
        if not self._closing and self.status == _DENIED and self.ready:
            broken = broken or await self._lost()
        if broken:
            self.status = None
            for reader in (self.stdout, self.stderr):
                reader.set_exception(LinkLost("the link ended: closed"))
        else:
            if not self.ready and self._before:
                self.stdout.feed_data(self._before)
            self.stdout.feed_eof()
            self.stderr.feed_eof()
        self.opened.set()
        self._closed.set()

    def _pipe(self) -> asyncio.WriteTransport | None:
        if self._transport is None:
            return None
        return cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))

    def write(self, data: bytes) -> None:
        if (pipe := self._pipe()) is not None and not self.is_closing():
            pipe.write(data)

    def write_eof(self) -> None:
        if (pipe := self._pipe()) is not None and not self.is_closing():
            pipe.write_eof()

    async def drain(self) -> None:
        await self._may_write.wait()

    def close(self) -> None:
        self._closing = True
        self._kill()

    def drop(self) -> None:
        """The link is given up: who reads is told so."""
        self._dropped = True
        self._kill()

    def _kill(self) -> None:
        if self._transport is None or self._closed.is_set():
            return
        # Not transport.kill(): its poll() takes the exit status away from asyncio's watcher.
        with contextlib.suppress(ProcessLookupError):
            if self._transport.get_returncode() is None:
                os.kill(self._transport.get_pid(), signal.SIGKILL)

    @property
    def over(self) -> bool:
        return self._closed.is_set()

    def is_closing(self) -> bool:
        return self._closing or self.status is not None or self._closed.is_set()

    async def wait_closed(self) -> None:
        await self._closed.wait()

    async def wait(self) -> int | None:
        await self._closed.wait()
        return self.status
