"""A TCP connection to a host by name, where a resolver that hangs holds up nothing else.

With the network away a look-up may take half a minute. asyncio has few threads for those, shared
with all that reads files, and does not let the program end before they do.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import Any, Final

_SHARE_S: Final = 2.0
_NEXT_S: Final = 4.0

_Found = list[tuple[Any, ...]]
_lookups: dict[tuple[asyncio.AbstractEventLoop, str], tuple[float, asyncio.Future[_Found]]] = {}


async def connect(name: str, port: int) -> socket.socket:
    """To the first address that takes it; one that is silent is left for the next after 4 s.

    Raises OSError, socket.gaierror among them.
    """
    found = await _look_up(name)
    failure: OSError | None = None
    for number, (family, kind, protocol, _, address) in enumerate(found, 1):
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        last = number == len(found)
        try:
            async with asyncio.timeout(None if last else _NEXT_S):
                to = (address[0], port, *address[2:])
                await asyncio.get_running_loop().sock_connect(made, to)
            return made
        except OSError as error:  # TimeoutError is one
            made.close()
            failure = failure if failure is not None and last else error
        except BaseException:
            made.close()
            raise
    raise failure or OSError(f"{name} has no address")


async def _look_up(name: str) -> _Found:
    """One look-up for all who ask within two seconds: a later one may find the network back."""
    loop = asyncio.get_running_loop()
    began, future = _lookups.get((loop, name), (0.0, None))
    if future is None or future.done() or time.monotonic() - began > _SHARE_S:
        future = loop.create_future()
        entry = (time.monotonic(), future)
        _lookups[loop, name] = entry

        def forget(done: asyncio.Future[_Found]) -> None:
            if _lookups.get((loop, name)) is entry:
                del _lookups[loop, name]
            if not done.cancelled():
                done.exception()

        future.add_done_callback(forget)
        threading.Thread(target=_ask, args=(name, loop, future), daemon=True).start()
    return await asyncio.shield(future)


def _ask(name: str, loop: asyncio.AbstractEventLoop, future: asyncio.Future[_Found]) -> None:
    def tell(found: _Found | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found or [])

    found, failed = None, None
    try:
        found = list(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    except Exception as error:
        failed = error
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(tell, found, failed)
