"""A pseudo-terminal on this machine and the program in it, as asyncio streams."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Mapping, Sequence
from typing import Self, cast

# Runs in the child: the terminal on its stdin becomes its own, for ctrl+c and for /dev/tty. Not a
# preexec_fn, which may hang a program that has threads.
_ADOPT = "import fcntl,os,sys,termios;fcntl.ioctl(0,termios.TIOCSCTTY,0);os.execvp(sys.argv[1],sys.argv[1:])"  # noqa: E501

_LAST_WORDS_S = 0.2
"""How long what a program left behind may still speak after it has ended."""


class LocalPty:
    """A Terminal on this machine; its own Writer, as a channel over SSH is."""

    def __init__(self, master: int) -> None:
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self.stderr.feed_eof()
        self._master = master
        self._process: asyncio.subprocess.Process | None = None
        self._unsent = b""
        self._room = asyncio.Event()
        self._room.set()
        self._closed = self._paused = self._over = False
        self._ended: asyncio.Task[None] | None = None
        # It pauses and resumes reading as a transport does.
        self.stdout.set_transport(cast(asyncio.Transport, self))
        self.resume_reading()

    @classmethod
    async def open(
        cls,
        argv: Sequence[str],
        *,
        term: str,
        columns: int,
        rows: int,
        environ: Mapping[str, str],
    ) -> Self:
        """Starts a program in a terminal of its own. Raises OSError."""
        master, slave = os.openpty()
        try:
            os.set_blocking(master, False)
            _set_size(slave, columns, rows)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-IS", "-c", _ADOPT, *argv,
                stdin=slave, stdout=slave, stderr=slave,
                env={**_sizeless(environ), "TERM": term},
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        made = cls(master)
        made._process = process
        made._ended = asyncio.create_task(made._when_ended())
        return made

    @property
    def stdin(self) -> Self:
        return self

    def resize(self, columns: int, rows: int) -> None:
        if not self._closed:
            _set_size(self._master, columns, rows)

    async def wait(self) -> int | None:
        """128 + n for a program that signal n ended, as a shell says it."""
        assert self._process is not None
        status = await self._process.wait()
        return 128 - status if status < 0 else status

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        self._room.set()
        # Hangs up: the kernel sends SIGHUP to what has this terminal.
        os.close(self._master)
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGHUP)
                os.kill(process.pid, signal.SIGCONT)

    # Reading

    def pause_reading(self) -> None:
        self._paused = True
        asyncio.get_running_loop().remove_reader(self._master)

    def resume_reading(self) -> None:
        self._paused = False
        if not self._closed and not self._over:
            asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the other end any more
            data = b""
        if data:
            self.stdout.feed_data(data)
        else:
            self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            if not self._closed:
                asyncio.get_running_loop().remove_reader(self._master)
            self.stdout.feed_eof()

    async def _when_ended(self) -> None:
        """A program in the background may keep the terminal open: its parent's end counts."""
        await self.wait()
        await asyncio.sleep(_LAST_WORDS_S)
        while self._paused and not self._closed:
            await asyncio.sleep(_LAST_WORDS_S)
        self._end()

    # Writing

    def write(self, data: bytes) -> None:
        if not self._closed:
            self._unsent += data
            self._write()

    def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._master, self._unsent) :]
        except BlockingIOError:
            self._room.clear()
            loop.add_writer(self._master, self._write)
            return
        except OSError:
            self._unsent = b""
        loop.remove_writer(self._master)
        self._room.set()

    def write_eof(self) -> None:
        self.write(b"\x04")

    async def drain(self) -> None:
        await self._room.wait()

    async def wait_closed(self) -> None:
        await self.wait()

    def is_closing(self) -> bool:
        return self._closed


def _sizeless(environ: Mapping[str, str]) -> dict[str, str]:
    """Programs believe these more than the terminal, whose size may change."""
    return {name: value for name, value in environ.items() if name not in ("LINES", "COLUMNS")}


def _set_size(fd: int, columns: int, rows: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
