"""A TCP proxy that does to a link what trains and tunnels do: cut, stall, hold, delay, choke."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Literal, Self

Side = Literal["up", "down", "both"]  # up: what the client sends
CHUNK = 65536
STEP = 0.02  # seconds worth of bytes that a choked link passes at once
HELD_CHUNKS = 256  # beyond this the sender sees its window close, as on a real dead link


class _Half:
    """One direction of one connection: bytes read at once, given on when due and allowed."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_CHUNKS)

    async def read(self, delay: Callable[[], float], count: Callable[[int], None]) -> None:
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            try:
                data = await loop.sock_recv(self.source, CHUNK)
            except OSError:  # a reset comes after what was sent before it, however long that takes
                data = b""
            count(len(data))
            await self.held.put((loop.time() + delay(), data))

    async def write(self, give: Callable[[bytes], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                due, data = await self.held.get()
                await asyncio.sleep(due - loop.time())
                await give(data)
                if not data:
                    self.sink.shutdown(socket.SHUT_WR)
                    return
        while data:  # nobody listens any more
            _, data = await self.held.get()


class Proxy:
    """Forwards a loopback port to (host, port). Use as `async with Proxy(h, p) as proxy`.

    port: where to connect; it stays the same, and stays ours, through cut and restore.
    bytes_up, bytes_down: bytes taken from the client, from the server, since the start.
    accepted: connections ever accepted, on_accept: called for each. open: connections now.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        self.bytes_up = self.bytes_down = self.accepted = 0
        self.on_accept: Callable[[], object] = lambda: None
        self._delay_s = 0.0
        self._rate = 0.0
        self._flowing = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._gates: set[asyncio.Event] = set()
        self._wires: dict[str, tuple[int, Callable[[], object]]] = {}
        self._silent: list[socket.socket] = []
        self._pairs: dict[asyncio.Task[None], tuple[socket.socket, socket.socket]] = {}
        self._accepting = False

    @property
    def open(self) -> int:
        return len(self._pairs)

    async def __aenter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setblocking(False)
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            # Linux keeps a port over shutdown() and listen() only where bind() named it.
            with contextlib.suppress(OSError):  # somebody was faster
                self._listener.bind(("127.0.0.1", self.port))
                break
        self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()
        self._hang_up()
        self._listener.close()

    async def cut(self, how: Literal["rst", "fin"] = "rst") -> None:
        """Break every connection, and refuse new ones until restore()."""
        await self.refuse()
        await self.drop(how)

    async def drop(self, how: Literal["rst", "fin"] = "rst") -> None:
        """Break every connection; new ones are still taken. What was held is lost."""
        pairs = dict(self._pairs)
        for ends in pairs.values():
            for end in ends:
                if how == "rst":
                    _reset(end)
                else:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
        for task in pairs:
            task.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    async def refuse(self) -> None:
        """New connections get "connection refused" until restore(); old ones go on."""
        if self._accepting:
            self._accepting = False
            asyncio.get_running_loop().remove_reader(self._listener)
            # Linux stops listening but keeps the port bound: nobody else can take it meanwhile.
            self._listener.shutdown(socket.SHUT_RDWR)

    async def half_open(self, kept: Literal["client", "server"]) -> None:
        """One leg of every connection is reset; the kept one stays open and silent, till restore().

        New connections are still taken.
        """
        pairs = dict(self._pairs)
        for ends in pairs.values():
            end = ends[kept == "client"]
            _reset(end)
            self._silent.append(ends[kept == "server"])
        for task in pairs:
            task.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    def hold(self) -> None:
        """Connections that are open now pass nothing till restore(), then all; new ones flow."""
        for gate in self._gates:
            gate.clear()

    def after(self, count: int, side: Literal["up", "down"], act: Callable[[], object]) -> None:
        """Calls `act` once, when `count` (1 or more) bytes more have passed one way.

        The next ones wait 20 ms for what it does.
        """
        self._wires[side] = (count, act)

    def stall(self, side: Side = "both") -> None:
        """A black hole: connections stay open and are still taken, no byte passes."""
        for name, event in self._flowing.items():
            if side in (name, "both"):
                event.clear()

    def restore(self) -> None:
        """Undo cut, refuse, stall and hold. Held bytes arrive, as TCP would send them again."""
        for event in (*self._flowing.values(), *self._gates):
            event.set()
        self._hang_up()
        if not self._accepting:
            self._accepting = True
            self._listener.listen(128)
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def delay(self, ms: float) -> None:
        """Milliseconds each byte waits from now on, one way; a round trip waits twice."""
        self._delay_s = ms / 1000

    def choke(self, rate: float) -> None:
        """Bytes a second that pass each way on each connection from now on; 0 for no bound."""
        self._rate = rate

    def _accept(self) -> None:
        # Not loop.sock_accept(): cancelled when somebody has just come, it breaks.
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self.accepted += 1
        server = socket.socket()
        task = asyncio.get_running_loop().create_task(self._connect(client, server))
        self._pairs[task] = (client, server)
        task.add_done_callback(self._forget)
        self.on_accept()

    def _forget(self, task: asyncio.Task[None]) -> None:
        for end in self._pairs.pop(task):
            if end not in self._silent:
                end.close()
        if not task.cancelled():
            task.exception()  # a reset by either end is what this class is for

    async def _connect(self, client: socket.socket, server: socket.socket) -> None:
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(server, self.target)
        up, down = _Half(client, server), _Half(server, client)
        gate = asyncio.Event()
        gate.set()
        self._gates.add(gate)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(up.read(lambda: self._delay_s, self._count_up))
                both.create_task(up.write(lambda data: self._pass("up", gate, server, data)))
                both.create_task(down.read(lambda: self._delay_s, self._count_down))
                both.create_task(down.write(lambda data: self._pass("down", gate, client, data)))
        finally:
            self._gates.discard(gate)

    async def _pass(self, side: str, gate: asyncio.Event, sink: socket.socket, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not (gate.is_set() and self._flowing[side].is_set()):
                await gate.wait()
                await self._flowing[side].wait()
            if not data:
                return
            left, act = self._wires.pop(side, (len(data), None))
            most = max(1, int(self._rate * STEP)) if self._rate else len(data)
            part = data[: min(left, most)]
            data = data[len(part) :]
            if act is not None and left > len(part):
                self._wires[side] = (left - len(part), act)
            await loop.sock_sendall(sink, part)
            if self._rate:
                await asyncio.sleep(len(part) / self._rate)
            if act is not None and left == len(part):
                act()
                await asyncio.sleep(0.02)

    def _hang_up(self) -> None:
        """Ends what `half_open` left open."""
        while self._silent:
            end = self._silent.pop()
            _reset(end)
            end.close()

    def _count_up(self, count: int) -> None:
        self.bytes_up += count

    def _count_down(self, count: int) -> None:
        self.bytes_down += count


def _reset(end: socket.socket) -> None:
    """Has its close be a reset."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
