"""What this machine says of its own network: that it may have come back, and that all else stood
still meanwhile (a lid that was closed, a process that was stopped)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Final

_TICK_S: Final = 0.5
_STOOD_S: Final = 2.0
_GATHER_S: Final = 0.2
"""One change of a network is many messages."""

_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # links, addresses and routes of IPv4 and IPv6
_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 20, 24
_RUNNING: Final = 0x40
_MAIN_TABLE, _UNICAST = 254, 1

Listener = Callable[[], None]


def slept() -> float:
    """Seconds this machine has been suspended since it was booted, and what only grows with them.

    Without a clock that says so, setting the time looks like sleep: a link is looked at in vain.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return time.time() - time.monotonic()


def watch(listener: Listener) -> Callable[[], None]:
    """Call `listener` on this event loop when links should be looked at again; returns how to stop
    that."""
    global _shared
    if _shared is None or _shared.loop is not asyncio.get_running_loop():
        _shared = _Watcher()
    watcher = _shared
    # Wrapped: the same function may listen twice.
    entry = [listener]
    watcher.listeners.append(entry)

    def unwatch() -> None:
        global _shared
        # By identity: equal lists are not the same entry.
        watcher.listeners = [each for each in watcher.listeners if each is not entry]
        if not watcher.listeners:
            watcher.close()
            if _shared is watcher:
                _shared = None

    return unwatch


_shared: _Watcher | None = None


class _Watcher:
    """One for all links of a process."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.listeners: list[list[Listener]] = []
        self._running: dict[int, bool] = {}
        self._gathering: asyncio.TimerHandle | None = None
        self._netlink = _netlink()
        if self._netlink is not None:
            self.loop.add_reader(self._netlink, self._read)
        self._slept = slept()
        self._at = self.loop.time()
        self._ticking = self.loop.call_later(_TICK_S, self._tick)

    def close(self) -> None:
        self._ticking.cancel()
        if self._gathering is not None:
            self._gathering.cancel()
        if self._netlink is not None:
            if not self.loop.is_closed():
                self.loop.remove_reader(self._netlink)
            self._netlink.close()

    def _tick(self) -> None:
        now, asleep = self.loop.time(), slept()
        stood = now - self._at - _TICK_S > _STOOD_S or asleep - self._slept > 1.0
        self._slept, self._at = asleep, now
        self._ticking = self.loop.call_later(_TICK_S, self._tick)
        if stood:
            self._tell()

    def _read(self) -> None:
        assert self._netlink is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    back = came_back(self._netlink.recv(65536), self._running)
                except BlockingIOError:
                    raise
                except OSError:
                    back = True  # more was said than fits: something did change
                if back and self._gathering is None:
                    self._gathering = self.loop.call_later(_GATHER_S, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self._tell()

    def _tell(self) -> None:
        for entry in tuple(self.listeners):
            entry[0]()


def _netlink() -> socket.socket | None:
    """Tells of links, addresses and routes; None where there is no such thing."""
    if sys.platform != "linux":
        return None
    try:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:
        return None
    try:
        found.setblocking(False)
        found.bind((0, _GROUPS))
    except OSError:
        found.close()
        return None
    return found


def came_back(messages: bytes, running: dict[int, bool]) -> bool:
    """Whether netlink messages tell of something a link could come back over: a device that runs
    now, an address or a route that reaches beyond this machine.

    running: which devices run, by index, as far as they were heard of; kept up to date here.
    """
    back = False
    while len(messages) >= 16:
        length, kind = struct.unpack_from("=IH", messages)
        if length < 16:
            break
        body, messages = messages[16:length], messages[(length + 3) & ~3 :]
        if kind == _NEW_LINK and len(body) >= 12:
            _, _, _, index, flags = struct.unpack_from("=BBHiI", body)
            runs = bool(flags & _RUNNING)
            back |= runs and not running.get(index, False)
            running[index] = runs
        elif kind == _NEW_ADDRESS and len(body) >= 4:
            back |= body[3] == 0  # its scope: universe
        elif kind == _NEW_ROUTE and len(body) >= 8:
            _, _, _, _, table, _, scope, what = body[:8]
            back |= (table, scope, what) == (_MAIN_TABLE, 0, _UNICAST)
    return back
