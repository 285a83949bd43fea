"""An engine's API with as many containers as one likes, and every way to answer badly.

    python -m tests.containers.fake_engine SOCKET COUNT [HOW]

The real engine is what cockpit is tested with; this one is for what no engine can be brought to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

WAYS = ("well", "slow", "garbage", "no http", "half", "endless", "silent", "closed", "wrong types")
STAMP = "2026-11-22T03:12:00.123456789Z"
_ASKED = re.compile(rb"GET /(?:v[0-9.]+/)?([^ ?]*)\??([^ ]*)")


class FakeEngine:
    """Serves a unix socket. how: one of WAYS, and may be changed; live: ids of what runs."""

    def __init__(self, path: Path, count: int, how: str = "well") -> None:
        self.how = how
        self.asked = 0
        self.streams = 0
        self.live = [f"{number:064x}" for number in range(1, count + 1)]
        self._path = path
        self._began = time.monotonic()
        self._events: list[asyncio.Queue[dict[str, object]]] = []

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeEngine]:
        server = await asyncio.start_unix_server(self._connected, str(self._path))
        try:
            yield self
        finally:
            server.close()

    def tell(self, container: str, action: str) -> None:
        """An event of a container."""
        event = {"Action": action, "Actor": {"ID": container}, "timeNano": time.time_ns()}
        for queue in self._events:
            queue.put_nowait(event)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                found = _ASKED.match(head)
                assert found is not None
                await self._answer(found[1].decode(), found[2].decode(), writer)
                if b"Connection: close" in head:
                    break
        writer.close()

    async def _answer(self, path: str, query: str, writer: asyncio.StreamWriter) -> None:
        how = "well" if path in ("version", "_ping") else self.how
        match how:
            case "slow":
                await asyncio.sleep(3.0)
            case "silent":
                await asyncio.sleep(3600)
            case "closed":
                raise OSError
            case "no http":
                writer.write(b"\x00\xff\r\n\r\n" * 1000)
                raise OSError
            case "garbage":
                return self._whole(writer, b"\xff\x1b]0;x\x07{" * 100)
            case "half":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{")
                raise OSError
            case "wrong types":
                return self._whole(writer, b'[{"Id": 5, "State": {}}, null]')
            case "endless":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    writer.write(b"x" * (1 << 16))
                    await writer.drain()
        if path == "events":
            return await self._send_events(writer)
        if path.endswith("/stats") and "stream=1" in query:
            return await self._send_stats(writer)
        body = self._body(path)
        if body is None:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 31\r\n\r\n")
            return writer.write(b'{"message":"No such container"}')
        return self._whole(writer, json.dumps(body).encode())

    def _body(self, path: str) -> object:
        parts = path.split("/")
        match parts:
            case ["version"]:
                return {"Version": "27.0.0", "ApiVersion": "1.46", "MinAPIVersion": "1.24"}
            case ["containers", "json"]:
                return [self._listed(container) for container in self.live]
            case ["containers", container, "json"]:
                return self._inspected(container) if container in self.live else None
            case ["containers", _, "stats"]:
                return self._counted()
        return {}

    def _listed(self, container: str) -> object:
        name = f"c{int(container, 16)}"
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": name}
        image = {"Image": "registry.example/shop/service:1.2.3", "ImageID": f"sha256:{container}"}
        state = {"State": "running", "Status": "Up 3 hours (healthy)"}
        return {"Id": container, "Names": [f"/{name}"], **image, "Labels": labels, **state}

    def _inspected(self, container: str) -> object:
        state = {"Status": "running", "StartedAt": STAMP, "Health": {"Status": "healthy"}}
        config = {"Image": "registry.example/shop/service:1.2.3", "Env": ["A=1"] * 40}
        name = f"/c{int(container, 16)}"
        return {"Id": container, "Name": name, "RestartCount": 0, "State": state, "Config": config}

    def _counted(self) -> object:
        passed = time.monotonic() - self._began  # any two answers are of two moments
        cpu = {"cpu_usage": {"total_usage": int(passed * 10**7)}}
        cpu |= {"system_cpu_usage": int(passed * 2 * 10**9), "online_cpus": 2}  # type: ignore[dict-item]
        memory = {"usage": 10**8 + int(passed), "limit": 10**9, "stats": {"inactive_file": 0}}
        return {"read": STAMP, "cpu_stats": cpu, "memory_stats": memory, "pids_stats": {}}

    async def _send_stats(self, writer: asyncio.StreamWriter) -> None:
        self.streams += 1
        try:
            _begin(writer)
            while not writer.is_closing():
                _chunk(writer, self._counted())
                await writer.drain()
                await asyncio.sleep(1.0)
        finally:
            self.streams -= 1
        raise OSError

    async def _send_events(self, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self._events.append(queue)
        try:
            _begin(writer)
            for _ in itertools.count():
                _chunk(writer, await queue.get())
                await writer.drain()
        finally:
            self._events.remove(queue)

    def _whole(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)


def _begin(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def _chunk(writer: asyncio.StreamWriter, value: object) -> None:
    line = json.dumps(value).encode() + b"\n"
    writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")


async def main() -> None:
    path, count, *how = sys.argv[1:]
    async with FakeEngine(Path(path), int(count), *how).serving():
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
