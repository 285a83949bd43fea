"""TCP connections by name: several addresses, and look-ups that are shared."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from cockpit.target import reach
from tests.target.ground import free_port

pytestmark = pytest.mark.anyio


def resolves(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name to these addresses; returns the names that are asked for."""
    asked: list[str] = []

    def look_up(name: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (at, 0)) for at in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


async def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    async with await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", port):
        resolves(monkeypatch, "127.0.0.2", "127.0.0.1")
        made = await reach.connect("prod-1.example", port)
        assert made.getpeername() == ("127.0.0.1", port)
        made.close()


async def test_an_address_that_is_silent_does_not_hold_up_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach, "_NEXT_S", 0.3)
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        port = free_port()
        full.bind(("127.0.0.2", port))
        # Nobody accepts, and two are more than its queue holds: the next one gets no answer.
        full.listen(0)
        for each in (one, two):
            each.setblocking(False)
            each.connect_ex(("127.0.0.2", port))
        await asyncio.sleep(0.1)
        async with await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", port):
            resolves(monkeypatch, "127.0.0.2", "127.0.0.1")
            made = await asyncio.wait_for(reach.connect("prod-1.example", port), 30)
            assert made.getpeername() == ("127.0.0.1", port)
            made.close()


async def test_the_failure_of_all_addresses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, "127.0.0.2", "127.0.0.1")
    with pytest.raises(ConnectionRefusedError):
        await reach.connect("prod-1.example", free_port())
    resolves(monkeypatch)
    with pytest.raises(OSError, match="has no address"):
        await reach.connect("prod-1.example", 1)
    with pytest.raises(socket.gaierror):
        monkeypatch.undo()
        await reach.connect("no-such-host.invalid", 1)


async def test_those_who_ask_at_once_share_one_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolves(monkeypatch)
    many = [reach.connect("prod-1.example", 1) for _ in range(20)]
    told = await asyncio.gather(*many, return_exceptions=True)
    assert all(isinstance(each, OSError) for each in told)
    assert asked == ["prod-1.example"]
    assert "prod-1.example" not in {name for _, name in reach._lookups}
