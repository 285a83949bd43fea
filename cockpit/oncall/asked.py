"""The hosts that checks ask: each reached once, by however many questions there are for it.

What is run passes the gate as one that only reads. A journal that goes with it is thrown away with
the folder `home`, and no job is left on a host for what can as well be asked again: a check that
cron runs every minute shall fill neither disk.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cockpit.config import Config
from cockpit.headless import Headless, Shut, Unreachable, choose, plainly
from cockpit.target import guard
from cockpit.target.hosts import THIS_MACHINE
from cockpit.target.reading import Said, read
from cockpit.target.target import LinkDown, LinkLost, LinkState, Target
from cockpit.text import Safe, clean_line

if TYPE_CHECKING:
    from cockpit.containers.engine import Engine
    from cockpit.responder import Responder

__all__ = ["Host", "Hosts", "Said", "Shut", "Unreachable"]

PATIENCE: Final = 10.0
"""Seconds to connect; a host that takes longer is no help at 3am either."""
AGAIN: Final = 3.0
"""Seconds in which one that refused may think better of it."""
AT_ONCE: Final = 4
"""Commands at a time on one host: its sshd lets in ten sessions, and others want some too."""


class Host:
    """One host, connected when it is first asked something."""

    def __init__(self, name: str, config: Config, who: str, home: Path) -> None:
        self.name = Safe(clean_line(name or THIS_MACHINE))
        self.local = name in ("", THIS_MACHINE)
        self._asked = name
        self._config = config
        self._who = who
        self._home = home
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._reaching: asyncio.Task[Headless] | None = None
        self._responder: Responder | None = None

    async def reached(self) -> Headless:
        """Connected to it. Raises Unreachable; every time again, where it did once."""
        if self._reaching is None:
            self._reaching = asyncio.create_task(self._reach())
        return await asyncio.shield(self._reaching)

    async def _reach(self) -> Headless:
        from cockpit.responder import Responder

        responder = Responder(self._home, self._who, self._config, training=True)
        self._responder = responder
        await _connected(await choose(responder, self._asked))
        return Headless(responder)

    async def engine(self) -> Engine:
        """Docker there. Raises Unreachable."""
        engine = (await self.reached()).responder.engine
        assert engine is not None
        return engine

    async def read(self, command: str, *, seconds: float) -> Said:
        """Runs a command that only reads, given up after `seconds`; no job of it is left there.

        Raises Unreachable, Shut.
        """
        responder = (await self.reached()).responder
        asked = guard.ask(responder.intent(command))
        if asked.level is not guard.Level.OPEN:
            raise Shut(f"changes something: {asked.intent.because}")
        leave = guard.answer(asked)
        async with self._slots:
            try:
                return await read(responder.target, leave, seconds)
            except (LinkLost, LinkDown, OSError) as lost:
                raise Unreachable(f"{self.name}: the link was lost ({lost}).") from lost

    async def close(self) -> None:
        if self._reaching is not None:
            self._reaching.cancel()
            await asyncio.wait([self._reaching])
            if not self._reaching.cancelled():
                self._reaching.exception()
        if self._responder is not None:
            await self._responder.close()


async def _connected(target: Target) -> None:
    """Waits for the link; a host that says no is asked again for a moment only."""
    until = time.monotonic() + PATIENCE
    await target.open()
    while not target.link.state.usable:
        link, now = target.link, time.monotonic()
        refused = link.state is LinkState.LOST and now - link.since > AGAIN
        if link.state is LinkState.DOWN or refused or now > until:
            why = "" if link.state is LinkState.CONNECTING else link.reason
            raise Unreachable(plainly(target.name, why or "it does not answer"))
        await asyncio.sleep(0.05)


class Hosts:
    """All hosts that are asked, by name; "" is this machine. An async context manager."""

    def __init__(self, config: Config, who: str) -> None:
        self._config = config
        self._who = who
        self._hosts: dict[str, Host] = {}

    async def __aenter__(self) -> Hosts:
        import tempfile

        self._folder = tempfile.TemporaryDirectory(
            prefix="cockpit-check-", ignore_cleanup_errors=True
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.gather(
                *(host.close() for host in self._hosts.values()), return_exceptions=True
            )
        finally:
            self._folder.cleanup()

    def to(self, name: str) -> Host:
        name = "" if name == THIS_MACHINE else name
        if name not in self._hosts:
            home = Path(self._folder.name) / str(len(self._hosts))
            home.mkdir()
            self._hosts[name] = Host(name, self._config, self._who, home)
        return self._hosts[name]
