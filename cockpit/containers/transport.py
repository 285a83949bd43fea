"""httpx over a connection that somebody else dials: no socket or port of ours is ever opened.

Imported only when an engine is first asked something, because httpx is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import httpcore
import httpx

from cockpit.target.target import Reader, Writer

Dial: TypeAlias = Callable[[], Awaitable[tuple[Reader, Writer]]]
NO_LIMIT = httpx.Limits(max_connections=None, max_keepalive_connections=4)


class DialedTransport(httpx.AsyncHTTPTransport):
    """HTTP/1.1 whose every connection comes from `dial`.

    Whatever `dial` raises comes out of the request as it is, so that the reason is not lost.
    """

    def __init__(self, dial: Dial) -> None:
        super().__init__(verify=False, trust_env=False, limits=NO_LIMIT)
        # httpx has no public way to hand in a network backend; this is the one private name used.
        self._pool = httpcore.AsyncConnectionPool(
            uds="dialed",
            max_connections=None,
            max_keepalive_connections=4,
            keepalive_expiry=30,
            network_backend=_Backend(dial),
        )


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, dial: Dial) -> None:
        self._dial = dial

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return _Stream(*await self._dial())
        except TimeoutError as late:
            raise httpcore.ConnectTimeout from late

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._over = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                data = await self._reader.read(max_bytes)
        except TimeoutError as late:
            raise httpcore.ReadTimeout from late
        except OSError as broken:
            raise httpcore.ReadError(str(broken)) from broken
        self._over = not data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as late:
            raise httpcore.WriteTimeout from late
        except OSError as broken:
            raise httpcore.WriteError(str(broken)) from broken

    async def aclose(self) -> None:
        self._over = True
        self._writer.close()

    def get_extra_info(self, info: str) -> Any:
        """Only "is_readable", by which the pool knows that an idle connection has ended."""
        if info != "is_readable":
            return None
        return self._over or self._reader.at_eof() or self._writer.is_closing()
