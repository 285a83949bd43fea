"""One live SSH connection: its beat, its channels as asyncio streams, a shell opened ahead."""

from __future__ import annotations

import asyncio
import contextlib
import signal as signals
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

import asyncssh

from cockpit.target import tcp
from cockpit.target.job_call import library
from cockpit.target.ssh_dial import Login
from cockpit.target.target import LinkLost, Unreachable

_BEAT_S: Final = 1.0
_LATE_S: Final = 0.25
_BEATS: Final = 6
_BEATS_MOST: Final = 20
_SHELL: Final = "exec /bin/sh -s"


class Line:
    """One live connection: its beat, and one shell opened ahead of need.

    Under loss TCP is silent for long although the host is there: it waits twice as long before each
    time that it sends again. So our side is told not to, a beat without an answer is followed by
    others, and where TCP can be asked, data counts as heard that it still holds back because
    something before it is missing, and until that comes, every packet.
    """

    def __init__(self, entered: Login) -> None:
        self.login = entered
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard = time.monotonic()
        self._sent: dict[bytes, float] = {}
        self._rtt = 0.0
        self._recent: deque[float] = deque(maxlen=8)
        self._poke = asyncio.Event()
        self._socket: socket.socket | None = None
        self._said = tcp.Tcp()
        self._early_at_heard = 0
        self._warm: asyncio.Task[Session] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, name: str) -> None:
        """Until the first beat. Raises Unreachable."""
        self._warm = self._ahead()
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
        self._recent.append(first)
        self._tune()
        self._tasks = [
            asyncio.create_task(self._beat(beat)),
            asyncio.create_task(self._hear(beat)),
            asyncio.create_task(self._wait_closed()),
        ]

    async def _first_beat(self, name: str, beat: Session) -> float:
        sent = time.monotonic()
        beat.write(b"cockpit 0\n")
        heard = b""
        while line := await beat.stdout.readline():
            # A login shell may have printed a greeting before.
            if line.endswith(b"cockpit 0\n"):
                return time.monotonic() - sent
            heard = (heard + line)[-200:]
        status = await beat.wait()
        if status is None:
            raise LinkLost("no answer")
        heard = await beat.stderr.read() or heard  # nologin tells it on stdout
        said = b" ".join(heard.split())[-200:].decode(errors="replace")
        # Tried again: it may be a closed account, and as well a host that cannot fork just now.
        raise Unreachable(
            f"{name}: lets us in but runs no commands (status {status}"
            + (f', it says "{said}")' if said else ")")
        )

    def _tune(self) -> None:
        """What only our own TCP connection can be told, and no channel through another host."""
        if not isinstance(self.login, Login):
            return
        for connection in (self.login.connection, *self.login.hops):
            # Our beat does it; here it would end a connection that may still come back.
            connection.set_keepalive(0)
        if not self.login.hops:
            self._socket = self.login.connection.get_extra_info("socket")
        if self._socket is not None:
            tcp.hurry(self._socket)

    async def _beat(self, beat: Session) -> None:
        number = 0
        while True:
            number += 1
            self._sent[b"cockpit %d" % number] = time.monotonic()
            beat.write(b"cockpit %d\n" % number)
            self._poke.clear()
            late = min(_BEAT_S, max(_LATE_S, 2 * min(self._recent)))
            if not await self._poked(late):
                if not self._sent or len(self._sent) > _BEATS:
                    await self._poked(_BEAT_S - late)
                while self._sent and self._enough_is_on_its_way():
                    await asyncio.sleep(_LATE_S)

    def _enough_is_on_its_way(self) -> bool:
        said = tcp.ask(self._socket)
        if said is None:
            return len(self._sent) >= _BEATS
        # With more, TCP would wait longer each time after all.
        return said.unacked > 1 or len(self._sent) >= _BEATS_MOST

    async def _poked(self, seconds: float) -> bool:
        """Wait, unless check() is called meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._poke.wait()
        return self._poke.is_set()

    def check(self) -> None:
        """Send a beat at once."""
        self._poke.set()

    async def _hear(self, beat: Session) -> None:
        with contextlib.suppress(LinkLost):
            while line := await beat.stdout.readline():
                if sent := self._sent.pop(line.strip(), None):
                    self._rtt = time.monotonic() - sent
                    self._recent.append(self._rtt)
        if not self.closed.done():
            self.closed.set_result(None)

    async def _wait_closed(self) -> None:
        await self.login.connection.wait_closed()
        if not self.closed.done():
            self.closed.set_result(None)

    def heard(self) -> None:
        self._heard = time.monotonic()
        if (said := tcp.ask(self._socket)) is not None:
            self._early_at_heard = said.early

    def quiet(self) -> float:
        """Seconds since anything was heard, while an answer is due."""
        if (said := tcp.ask(self._socket)) is not None:
            missing = said.early != self._early_at_heard
            if said.data != self._said.data or (missing and said.segments != self._said.segments):
                self._heard = time.monotonic()
            self._said = said
        return time.monotonic() - self._heard

    def excuse(self, seconds: float) -> None:
        """We stood still ourselves for so long, so that quiet proves nothing."""
        if seconds > 0:
            self._heard += seconds

    def rtt(self) -> float:
        """Of the last beat that was answered, or how long the oldest has waited."""
        oldest = min(self._sent.values(), default=None)
        return self._rtt if oldest is None else max(self._rtt, time.monotonic() - oldest)

    def why_closed(self, name: str) -> str:
        return f"{name} closed the connection; connecting again"

    async def shell(self) -> Session:
        """The shell opened ahead, and another is opened for next time. Raises LinkLost."""
        warm, self._warm = self._warm, None
        try:
            session = await self._warmed(warm) or await _owned(self._exec(_SHELL))
        except (asyncssh.Error, OSError) as error:
            raise LinkLost(f"no session could be opened: {error}") from None
        # Not before: a host that allows few would give its last to the one for next time.
        if self._warm is None:
            self._warm = self._ahead()
        return session

    async def _warmed(self, warm: asyncio.Task[Session] | None) -> Session | None:
        if warm is None:
            return None
        try:
            session = await _owned(warm)
        except asyncssh.ChannelOpenError:
            return None
        return None if session.is_closing() else session

    async def socket(self, path: str) -> Session:
        """A unix socket of the host. Raises asyncssh.ChannelOpenError, LinkLost."""

        async def connect() -> Session:
            _, session = await self.login.connection.create_unix_connection(
                cast(Any, lambda: Session(self.heard)), path, encoding=None
            )
            return cast(Session, session)

        try:
            return await _owned(connect())
        except asyncssh.ChannelOpenError:
            if self.login.connection.is_closed():
                raise LinkLost("the link ended") from None
            raise
        except (asyncssh.Error, OSError) as error:
            raise LinkLost(f"the link ended: {error}") from None

    async def terminal(self, command: str, term: str, columns: int, rows: int) -> Session:
        """A command in a pseudo-terminal, with the language of this one. Raises LinkLost."""

        async def start() -> Session:
            _, session = await self.login.connection.create_session(
                lambda: Session(self.heard),
                command,
                encoding=None,
                request_pty="force",
                term_type=term,
                term_size=(columns, rows),
                send_env=["LANG", "LC_*"],
            )
            return cast(Session, session)

        try:
            return await _owned(start())
        except (asyncssh.Error, OSError) as error:
            raise LinkLost(f"no terminal could be opened: {error}") from None

    def _ahead(self) -> asyncio.Task[Session]:
        """Opens a shell that has read job.sh by the time it is needed: an order alone travels."""

        async def opened() -> Session:
            session = await self._exec(_SHELL)
            session.write(library())
            session.knows_jobs = True
            return session

        task = asyncio.create_task(opened())
        task.add_done_callback(_retrieve)
        return task

    async def _exec(self, command: str) -> Session:
        # encoding=None always: one invalid UTF-8 byte would close the whole connection.
        _, session = await self.login.connection.create_session(
            lambda: Session(self.heard), command, encoding=None
        )
        return cast(Session, session)

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._warm is not None:
            self._warm.cancel()
        self.login.abort()

    async def ended(self) -> None:
        """After `abort`, until nothing of it is left on this machine."""
        await self.login.connection.wait_closed()


class Session(asyncssh.SSHClientSession[bytes]):
    """A channel as asyncio streams: a Channel, and its own stdin as a Writer.

    knows_jobs: it is a shell that has been given job.sh (see job_call).
    """

    knows_jobs = False

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
    def stdin(self) -> Session:
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
        number = signals.Signals.__members__.get(f"SIG{signal}")
        self._status = 128 + number if number else -1

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

    def resize(self, columns: int, rows: int) -> None:
        with contextlib.suppress(OSError):
            if self._chan is not None and not self.is_closing():
                self._chan.change_terminal_size(columns, rows)

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


def _retrieve(task: asyncio.Task[Session]) -> None:
    """A shell opened ahead that failed is nobody's error until somebody asks for it."""
    if not task.cancelled():
        task.exception()


async def _owned(opening: Coroutine[Any, Any, Session] | asyncio.Task[Session]) -> Session:
    """Await the opening of a channel. Cancelled meanwhile, it is closed once open: asyncssh would
    leak the channel, and the host would go on with it."""
    task = opening if isinstance(opening, asyncio.Task) else asyncio.create_task(opening)

    def close(opened: asyncio.Task[Session]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            opened.result().close()

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(close)
        raise
