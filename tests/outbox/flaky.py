"""A real HTTP server that does what a test tells it, and remembers what it was sent."""

from __future__ import annotations

import itertools
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Got:
    """A request whose body was read whole.

    number: of its connection, in the order in which they came. accepted: the answer was 2xx;
    taken: also where the answer was lost. refused: it was 429, which says that nothing was taken.
    """

    number: int
    path: str
    headers: dict[str, str]
    body: Any
    accepted: bool
    taken: bool
    refused: bool


Answer = Callable[[str, Any], tuple[int, dict[str, str], bytes] | None]
"""From path and body to status, headers and reply; None closes the connection without one."""


@dataclass
class Flaky:
    """A context manager. got: what came, oldest first. arrived: how many, also those that are
    not answered yet."""

    answer: Answer = lambda path, body: (200, {}, b"ok")
    got: list[Got] = field(default_factory=list)
    address: str = "127.0.0.1"
    arrived: int = 0

    def __enter__(self) -> Self:
        flaky = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                flaky.arrived += 1
                answer = flaky.answer(self.path, body)
                fine = answer is not None and 200 <= answer[0] < 300
                taken = fine or answer is None
                refused = answer is not None and answer[0] == 429
                number = numbers[self.client_address]
                headers = dict(self.headers)
                flaky.got.append(Got(number, self.path, headers, body, fine, taken, refused))
                if answer is None:
                    # A reset, as from a host that has gone.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                status, headers, reply = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                pass

        numbers: dict[object, int] = {}
        count = itertools.count()

        class Server(ThreadingHTTPServer):
            def process_request(self, request: Any, client_address: Any) -> None:
                numbers[client_address] = next(count)
                super().process_request(request, client_address)

            def handle_error(self, *_: object) -> None:
                pass  # whoever asked was killed, or we closed it ourselves

        self._server = Server((self.address, 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def moody(rng: random.Random, good: float) -> Answer:
    """Takes a part of what comes; of the rest some was taken all the same, and nobody is told."""

    def answer(path: str, body: Any) -> tuple[int, dict[str, str], bytes] | None:
        if rng.random() < good:
            return 202, {}, b"taken"
        mood = rng.randrange(5)
        if mood == 0:
            return 500, {}, b"oops"
        if mood == 1:
            return 429, {"Retry-After": "0"}, b"slower"
        if mood == 2:
            return 503, {}, b""
        if mood == 3:
            time.sleep(rng.uniform(0.02, 0.15))
            return 200, {}, b"late"
        return None

    return answer
