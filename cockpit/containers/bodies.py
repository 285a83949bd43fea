"""The body of one long answer, read by hand: httpx takes 30 µs for every line of a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cockpit.containers.transport import Dial
    from cockpit.target.target import Reader

AT_ONCE: Final = 1 << 18
HEAD: Final = 1 << 16


class Refused(Exception):
    """The engine answered with another status than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


async def get(
    dial: Dial,
    path: str,
    connect: float,
    patience: float | None,
    heads: dict[str, str] | None = None,
) -> AsyncGenerator[bytes, None]:
    """The bytes of an answer as they come, on a connection of its own.

    path: with its query. connect: seconds for the connection; patience: for each piece, None for
    ever. heads: takes the fields of the answer's head, by their names in small letters. Raises
    Refused, TimeoutError, whatever `dial` raises, and OSError where the connection ended too early
    or what answers is not HTTP.
    """
    async with asyncio.timeout(connect):
        reader, writer = await dial()
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: docker\r\nUser-Agent: cockpit\r\n"
        writer.write(f"{head}Accept-Encoding: identity\r\nConnection: close\r\n\r\n".encode())
        fields, status, body, rest = await _begun(reader, patience)
        if heads is not None:
            heads.update(fields)
        if status != 200:
            async with asyncio.timeout(connect):
                raise Refused(status, b"".join([part async for part in _parts(reader, body, rest)]))
        async for part in _parts(reader, body, rest, patience):
            yield part
    finally:
        writer.close()


class Whole:
    """A body that ends with its connection, or after so many bytes."""

    def __init__(self, length: int | None) -> None:
        self.over = length == 0
        self._left = length

    def feed(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        self.over = self._left == 0
        return data

    @property
    def cut(self) -> bool:
        return self._left not in (None, 0)


class Chunked:
    """A body in chunks, each with its length before it; a chunk may be cut anywhere."""

    def __init__(self) -> None:
        self.over = False
        self._held = b""
        self._left = 0  # of the chunk that is open, its end of line with it

    @property
    def cut(self) -> bool:
        return not self.over

    def feed(self, data: bytes) -> bytes:
        """What of the body is here now. Raises ConnectionError for what is no chunk."""
        if self._held:
            data = self._held + data
        parts = []
        at, size, left = 0, len(data), self._left
        while at < size:
            if left:
                end = min(size, at + left)
                parts.append(data[at : min(end, at + max(0, left - 2))])
                left -= end - at
                at = end
                continue
            line = data.find(b"\r\n", at, at + 64)
            if line < 0:
                if size - at >= 64:
                    raise ConnectionError("what answers is not HTTP")
                break
            try:
                length = int(data[at:line].partition(b";")[0], 16)
            except ValueError:
                raise ConnectionError("what answers is not HTTP") from None
            if length < 0:
                raise ConnectionError("what answers is not HTTP")
            if length == 0:
                self.over = True
                at = size
                break
            at, left = line + 2, length + 2
        self._held, self._left = data[at:], left
        return b"".join(parts)


async def _begun(
    reader: Reader, patience: float | None
) -> tuple[dict[str, str], int, Whole | Chunked, bytes]:
    """The fields of the head, the status, how the body comes, and what of it came already."""
    came = b""
    while (end := came.find(b"\r\n\r\n")) < 0:
        if len(came) > HEAD:
            raise ConnectionError("what answers is not HTTP")
        async with asyncio.timeout(patience):
            data = await reader.read(AT_ONCE)
        if not data:
            raise ConnectionError("it ended before its answer began")
        came += data
    first, *lines = came[:end].decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in
              (line.partition(":") for line in lines)}  # fmt: skip
    try:
        status = int(first.split(" ")[1])
        length = int(fields["content-length"]) if "content-length" in fields else None
    except (ValueError, IndexError):
        raise ConnectionError("what answers is not HTTP") from None
    chunked = "chunked" in fields.get("transfer-encoding", "").lower()
    return fields, status, Chunked() if chunked else Whole(length), came[end + 4 :]


async def _parts(
    reader: Reader, body: Whole | Chunked, data: bytes, patience: float | None = None
) -> AsyncGenerator[bytes, None]:
    while True:
        if part := body.feed(data):
            yield part
        if body.over:
            return
        async with asyncio.timeout(patience):
            data = await reader.read(AT_ONCE)
        if not data:
            if body.cut:
                raise ConnectionError("it ended in the middle of its answer")
            return
