"""A command in the responder's own terminal: opened on a target, relayed until it ends.

Unlike a job it is not durable: it ends with the link, and what then became of it nobody can say.
What runs is never an argument of a program, where every user of the host could read it: a fixed
script in the terminal takes it from its stdin, before the first key is passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from cockpit import text
from cockpit.target import job
from cockpit.target.target import LinkLost, Target, Terminal

LOST_S: Final = 2.0
"""How long a link that is said to be lost may still come back before the terminal is taken back."""

_BEGIN_S: Final = 20.0
_LINE: Final = 900
_STATUS_S: Final = 2.0
_ROOM_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class End:
    """How a command in a terminal ended, as far as was seen from here.

    how: "done" by itself; "left" by the responder, with ~. on a line of its own; "lost" with the
    link; "gone" with the responder's own terminal. exit_status: only where it is done.
    """

    how: Literal["done", "left", "lost", "gone"]
    exit_status: int | None
    seconds: float


async def start(target: Target, order: job.Order, *, term: str, size: tuple[int, int]) -> Terminal:
    """Start a command in a pseudo-terminal on the target; the order proves that it may run.

    size: columns and rows. It runs from now on; `relay` shows it, `close` ends it. Raises
    LinkLost, LinkDown, OSError.
    """
    if not isinstance(order, job.Order) or order.host != target.name:
        raise TypeError(f"an order for {target.name} is needed")
    sign = secrets.token_hex(8)
    terminal = await target.terminal(_TAKE.replace("SIGN", sign).encode(), term, *size)
    try:
        async with asyncio.timeout(_BEGIN_S):
            await _until(terminal, f"{sign}:ready".encode(), target.name)
        for line in _lines(order.script):
            terminal.stdin.write(line)
            await terminal.stdin.drain()
        await _until(terminal, f"{sign}:go".encode(), target.name)
    except TimeoutError:
        terminal.close()
        raise OSError(f"{target.name}: no shell answers in a terminal there") from None
    except BaseException:
        terminal.close()
        raise
    return terminal


# Lines shorter than a terminal's buffer, so that it works without stty too; what is then echoed is
# dropped here with all that comes before the last sign. Cut off in the middle, nothing runs.
_TAKE: Final = """s=$(stty -g 2>/dev/null) && stty -echo 2>/dev/null
printf '%s\\n' SIGN:ready
c=
while IFS= read -r l && [ "$l" != . ]; do c=$c$l; done
[ "$l" = . ] || exit 125
[ -z "$s" ] || stty "$s"
printf '%s\\n' SIGN:go
eval "unset s l c
$(printf %b "$c")"
"""

_PLAIN: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+=/:,@"
)


def _lines(script: bytes) -> Iterator[bytes]:
    """A script as lines for `printf %b`, which mean nothing to a terminal; then a dot."""
    words = [chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in script]
    for at in range(0, len(words), _LINE // 5):
        yield "".join(words[at : at + _LINE // 5]).encode() + b"\n"
    yield b".\n"


async def _until(terminal: Terminal, sign: bytes, name: str) -> None:
    """Drops what is said up to a sign. Raises OSError where it ends before."""
    said = b""
    while line := await terminal.stdout.readline():
        if sign in line:
            return
        said += line
    shown = text.clean_line(b" ".join(said.split())[-200:])
    raise OSError(f"{name}: no terminal was opened" + (f'; it says "{shown}"' if shown else ""))


async def relay(
    target: Target,
    terminal: Terminal,
    *,
    keys: int,
    screen: int,
    keep: Callable[[bytes], None],
    sift: Callable[[bytes], bytes] = bytes,
) -> End:
    """Have the terminal behind two descriptors be the program's until one of them ends.

    keys, screen: a terminal in raw mode, which may be non-blocking. keep: is given all that came
    back. sift: takes out of what was typed what is not meant for the program. All keys go to the
    program, ctrl+c and ctrl+z too, but for ~ at the start of a line: ~. leaves, ~~ is one ~.
    """
    began = time.monotonic()
    ways: dict[asyncio.Task[None], Literal["done", "left", "lost", "gone"]] = {}
    typed = _Typed()

    async def show() -> None:
        while data := await terminal.stdout.read(65536):
            keep(data)
            await write(screen, data)

    async def press() -> None:
        while data := await read(keys):
            terminal.stdin.write(typed.take(sift(data)))
            if typed.left:
                return
            # A program that takes nothing must not keep ~. from being heard.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ROOM_S):
                    await terminal.stdin.drain()

    ways[asyncio.create_task(show())] = "done"
    ways[asyncio.create_task(press())] = "gone"
    ways[asyncio.create_task(_lost(target))] = "lost"
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        how = next(word for way, word in ways.items() if way in done)
        for way in done:
            try:
                way.result()
            except LinkLost:
                how = "lost"
            except OSError:
                how = "gone"
        status = None
        if how == "gone" and typed.left:
            how = "left"
        elif how == "done":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STATUS_S):
                    status = await terminal.wait()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        terminal.close()
    return End(how, status, time.monotonic() - began)


async def _lost(target: Target) -> None:
    """Until the link is lost and does not come back in a moment."""
    changed = asyncio.Event()
    unwatch = target.watch(lambda _: changed.set())
    try:
        while True:
            usable = target.link.state.usable
            try:
                async with asyncio.timeout(None if usable else LOST_S):
                    await changed.wait()
            except TimeoutError:
                return
            changed.clear()
    finally:
        unwatch()


class _Typed:
    """What is typed, with the escape that users of ssh have in their fingers taken out of it."""

    def __init__(self) -> None:
        self.left = False
        self._at_start = True
        self._held = False

    def take(self, data: bytes) -> bytes:
        """What of it goes to the program; `left` is set where it asks to leave."""
        out = bytearray()
        for byte in data:
            if self._held:
                self._held = False
                if byte == ord("."):
                    self.left = True
                    break
                if byte != ord("~"):
                    out.append(ord("~"))
            elif self._at_start and byte == ord("~"):
                self._held = True
                continue
            out.append(byte)
            self._at_start = byte in b"\r\n"
        return bytes(out)


async def read(fd: int) -> bytes:
    """What was typed; empty when the terminal is gone."""
    while True:
        await _ready(fd, writing=False)
        try:
            return os.read(fd, 4096)
        except BlockingIOError:
            continue
        except OSError:
            return b""


async def write(fd: int, data: bytes) -> None:
    """Shows all of it, however slow the terminal is; the loop goes on meanwhile."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view[:4096]) :]
        except BlockingIOError:
            await _ready(fd, writing=True)
            await asyncio.sleep(0.005)  # a tty with room for one byte is ready, and takes none


async def _ready(fd: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    with _watched(loop, fd, writing, tell):
        await ready


@contextlib.contextmanager
def _watched(
    loop: asyncio.AbstractEventLoop, fd: int, writing: bool, tell: Callable[[], None]
) -> Iterator[None]:
    if writing:
        loop.add_writer(fd, tell)
    else:
        loop.add_reader(fd, tell)
    try:
        yield
    finally:
        if writing:
            loop.remove_writer(fd)
        else:
            loop.remove_reader(fd)
