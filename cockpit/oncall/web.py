"""URLs that are asked from this machine, and whether it has a network to ask over."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cockpit.text import clean_line

if TYPE_CHECKING:
    import httpx

ANSWER_S: Final = 8.0
_INSIDE: Final = ("br-", "docker", "lo", "veth", "virbr")


def offline() -> bool:
    """Whether no interface is up that leads out of this machine; False where nobody can tell."""
    try:
        names = [name for _, name in socket.if_nameindex() if not name.startswith(_INSIDE)]
        states = [
            Path(f"/sys/class/net/{name}/operstate").read_text(encoding="ascii").strip()
            for name in names
        ]
    except OSError:
        return False
    # A tunnel says "unknown" while it works.
    return not any(state in ("up", "unknown") for state in states)


def loopback(url: str) -> bool:
    """Whether a URL means the machine that asks."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


class Web:
    """Asks URLs from this machine; httpx is imported when the first one is."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    async def status(self, url: str) -> int | str:
        """What a GET answers: the status, or why there is none, in words."""
        import httpx

        trouble = await _no_way_to(url)
        if trouble:
            return trouble
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=ANSWER_S, headers={"User-Agent": "cockpit"}, follow_redirects=False
            )
        try:
            async with self._client.stream("GET", url) as response:
                return response.status_code
        except httpx.TimeoutException:
            return f"no answer within {ANSWER_S:g} s"
        except httpx.HTTPError as error:
            return str(clean_line(str(error) or type(error).__name__))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


async def _no_way_to(url: str) -> str:
    """Why a URL cannot be connected to; a resolver that hangs would hold the end of the program."""
    from urllib.request import getproxies

    from cockpit.target.reach import connect

    parts = urlsplit(url)
    if getproxies() and not loopback(url):
        return ""
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        async with asyncio.timeout(ANSWER_S):
            (await connect(parts.hostname or "", port)).close()
    except TimeoutError:
        return f"no connection within {ANSWER_S:g} s"
    except OSError as error:
        resolving = isinstance(error, socket.gaierror) or not error.errno
        why = error.strerror if resolving else os.strerror(error.errno or 0)
        return str(clean_line((why or str(error)).lower()))
    return ""
