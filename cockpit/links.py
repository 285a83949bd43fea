"""The hosts of one incident: a target for each, and what their links leave on the timeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cockpit.incident import events as e
from cockpit.target import hosts
from cockpit.target.target import (
    Asker,
    Link,
    LinkDown,
    LinkLost,
    LinkState,
    Question,
    Target,
)

if TYPE_CHECKING:
    from cockpit.config import Config
    from cockpit.incident.logbook import Logbook

_CLOSE_S = 2.0


class Links:
    """One link a host, opened when it is first asked for.

    asker: puts what a login asks before the responder; None where there is nobody. moved: called on
    the loop with each change of a link, after it was noted. over: the responder has left, so that
    nothing is noted any more.
    """

    def __init__(self, log: Logbook, config: Config, moved: Callable[[Target, Link], None]) -> None:
        self.asker: Asker | None = None
        self.over = False
        self._log = log
        self._config = config
        self._moved = moved
        self._targets: dict[str, Target] = {}
        self._noted: dict[str, LinkState] = {}
        self._gone: dict[str, float] = {}
        self._tried: set[str] = set()
        self._told_gone: set[str] = set()
        self._opening: set[asyncio.Task[None]] = set()

    def add(self, target: Target) -> Target:
        """Has a target stand for the host of its name."""
        self._targets[target.name] = target
        return target

    def to(self, name: str) -> Target:
        """The target of a host, which begins to connect when it is new; "" is this machine."""
        name = name or hosts.THIS_MACHINE
        if name not in self._targets:
            target = self.add(hosts.target(name, self._config, self._asked))
            target.watch(lambda link: self._changed(target, link))
            task = asyncio.get_running_loop().create_task(target.open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        return self._targets[name]

    def chosen(self, name: str) -> Target:
        """The target of a host that commands run on from now on."""
        target = self.to(name)
        self._tried.discard(target.name)
        return target

    def tried(self, host: str) -> Target:
        """The target of a host that commands may run on.

        What its link does is not noted while nothing runs there.
        """
        if host not in self._targets:
            self._tried.add(host)
        return self.to(host)

    def known(self, host: str) -> Target | None:
        """The target of a host; None where nobody has asked for it."""
        return self._targets.get(host)

    def of(self, host: str) -> Link | None:
        """The link to a host as it is now; None where nobody has asked for one."""
        target = self._targets.get(host)
        return target.link if target else None

    @property
    def lost(self) -> frozenset[str]:
        """The hosts that cannot be reached now."""
        return frozenset(name for name, one in self._targets.items() if one.link.state.gone)

    async def release(self, names: Iterable[str], keep: str) -> None:
        """Closes links that were only `tried`; not the one to `keep`, nor where anything runs.

        One that is told to be lost stays until it can be told that it is back.
        """
        used = {keep, *self._running(), *self._told_gone}
        for name in [name for name in names if name in self._tried and name not in used]:
            self._tried.discard(name)
            self._noted.pop(name, None)
            target = self._targets.pop(name)
            await target.close()
            self._moved(target, target.link)

    async def close(self) -> None:
        """Closes them all, within two seconds each."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for target in self._targets.values():
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await target.close()
            except (OSError, TimeoutError, LinkLost, LinkDown):
                continue

    async def _asked(self, question: Question) -> str | None:
        return await self.asker(question) if self.asker else None

    def _running(self) -> set[str]:
        return {run.asked.host for run in self._log.incident.running()}

    def _changed(self, target: Target, link: Link) -> None:
        if self.over or self._targets.get(target.name) is not target:
            return  # it was released
        name, known = target.name, self._noted.get(target.name, LinkState.CONNECTING)
        state = LinkState.UP if link.state.usable else link.state
        if state is not LinkState.CONNECTING:
            self._noted[name] = state
            if state is not known and (known, state) != (LinkState.CONNECTING, LinkState.UP):
                self._note(name, known, state, link)
        self._moved(target, link)

    def _note(self, name: str, known: LinkState, state: LinkState, link: Link) -> None:
        """Puts on the timeline that a link went, or came back and how long it was away."""
        away = 0.0
        if state is LinkState.UP:
            away = time.monotonic() - self._gone.pop(name, time.monotonic())
        elif known is LinkState.UP:
            self._gone[name] = link.since
        told = state is LinkState.UP and name in self._told_gone
        if self._log.folder and (told or name not in self._tried or name in self._running()):
            (self._told_gone.discard if state is LinkState.UP else self._told_gone.add)(name)
            reason = self._log.clean(link.reason)
            self._log.append(
                e.LinkChanged(host=name, state=state, reason=reason, away=round(away, 1))
            )
