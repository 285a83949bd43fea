"""The body of an answer as it was sent, wherever the bytes were cut; and what is no answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.containers import bodies
from cockpit.containers.engine import Engine, EngineTrouble, NoSuchContainer
from cockpit.target.target import Local

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@given(
    parts=st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
)
def test_chunks_are_put_together_wherever_they_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    sent = chunked(parts)
    edges = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    body = bodies.Chunked()
    got = b"".join(body.feed(sent[a:b]) for a, b in pairwise(edges))
    assert got == b"".join(parts)
    assert body.over


@contextlib.asynccontextmanager
async def answering(path: Path, answer: bytes) -> AsyncIterator[Engine]:
    """An engine that answers everything with these bytes, and ends the connection."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        version = b'{"Version":"27.0","ApiVersion":"1.47","MinAPIVersion":"1.24"}'
        head = HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(version)
        writer.write(head + version if b"GET /version" in asked else answer)
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answered, str(path))
    engine = Engine(Local(), str(path))
    try:
        yield engine
    finally:
        await engine.close()
        server.close()


async def log_of(engine: Engine) -> bytes:
    async with aclosing(engine.logs("web", follow=True)) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + chunked([b"ab", b"c"]),
        HEAD + b"Content-Length: 3\r\n\r\nabcXX",
        HEAD + b"\r\nabc",
    ],
    ids=["chunks", "a length", "the end of the connection"],
)
@pytest.mark.usefixtures("patient")
async def test_a_body_ends_as_its_head_says(answer: bytes, short_folder: Path) -> None:
    async with answering(short_folder / "s", answer) as engine:
        assert await log_of(engine) == b"abc"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nTransfer-Enc",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n",
        b"x" * 100_000,
        HEAD + b"Content-Length: many\r\n\r\nabc",
        HEAD + b"Content-Length: 9\r\n\r\nabc",
        CHUNKED + b"3\r\nab",
        CHUNKED + b"nothing\r\nab",
        CHUNKED + b"-5\r\nab\r\n",
        CHUNKED + b"f" * 100,
    ],
)
@pytest.mark.usefixtures("patient")
async def test_what_is_no_whole_answer_is_told_as_trouble(
    answer: bytes, short_folder: Path
) -> None:
    async with answering(short_folder / "s", answer) as engine:
        with pytest.raises(EngineTrouble, match="ended the connection"):
            await log_of(engine)


@pytest.mark.usefixtures("patient")
async def test_a_refusal_is_told_in_the_engines_words(short_folder: Path) -> None:
    said = b'{"message":"No such container: web"}'
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(said)
    async with answering(short_folder / "s", answer + said) as engine:
        with pytest.raises(NoSuchContainer, match="No such container: web"):
            await log_of(engine)
