"""Why a container ended, and what has changed about it, in words; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cockpit.text import Safe
from cockpit.words import lasted

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.limits import Key, Over

_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "finished",
        125: "docker could not start it",
        126: "its command cannot run",
        127: "its command is not found",
    }
)
# What POSIX calls by number; a shell adds 128 to it, and so does the engine.
_SIGNALS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "stopped (hangup)",
        2: "stopped (interrupted)",
        3: "stopped (quit)",
        4: "crashed (illegal instruction)",
        5: "crashed (trap)",
        6: "crashed (aborted)",
        7: "crashed (bus error)",
        8: "crashed (arithmetic error)",
        9: "killed",
        11: "crashed (segmentation fault)",
        13: "ended (nobody reads its output)",
        14: "ended (timer)",
        15: "stopped",
        24: "killed, out of CPU time",
        25: "killed, its file grew too large",
        31: "killed (forbidden system call)",
    }
)
_NO_START: Final = "unable to start container process: "
ASKED_TO: Final = frozenset({0, 129, 130, 131, 143})
"""Exit codes of one that finished, or that somebody asked to stop."""


def reason(code: int, oom: bool = False) -> str:
    """An exit code in words, without the number: `killed, out of memory`."""
    if oom:
        return "killed, out of memory"
    if code in _CODES:
        return _CODES[code]
    number = code - 128
    if number in _SIGNALS:
        return _SIGNALS[number]
    return f"killed by signal {number}" if 0 < number <= 64 else "failed"


def ended(container: Container) -> Safe:
    """The exit code with its reason: `137: killed, out of memory`; "" while it has none."""
    if container.exit_code is None:
        return Safe("")
    return Safe(f"{container.exit_code}: {reason(container.exit_code, container.oom)}")


def not_started(container: Container) -> Safe:
    """Why the engine could not start it, as it says; "" where nobody tried, or it could."""
    if container.state != "created":
        return Safe("")
    # What comes before is the same for every program that cannot be started.
    return Safe(container.status.partition(" · ")[2].rpartition(_NO_START)[2])


def news(
    container: Container, over: Mapping[Key, Over], differs: Iterable[Safe], now: datetime
) -> tuple[Safe, ...]:
    """What somebody who is called should know of it, the worst first; none where all is well.

    over: what is beyond a limit on its host. differs: what is not as its Compose file says.
    now: on the engine's clock.
    """
    said: list[Safe] = []
    since = container.unhealthy_since
    if container.health == "unhealthy" and container.live:
        when = f" since {since:%H:%M} ({_long(since, now) or 'just now'})" if since else ""
        why = f": {container.health_said}" if container.health_said else ""
        said.append(Safe(f"unhealthy{when}{why}"))
    if container.exit_code is not None:
        at = container.finished_at
        when = f" at {at:%H:%M}, {_ago(at, now)}" if at else ""
        said.append(Safe(f"ended{when}, {ended(container)}"))
    if error := not_started(container):
        said.append(Safe(f"not started: {error}"))
    elif container.state in ("dead", "removing"):
        said.append(container.status)
    name = f"{container.name}: "
    said += [
        Safe(one.words.removeprefix(name)) for key, one in over.items() if key[0] == container.name
    ]
    if (
        container.restarts
        and container.started_at
        and not any(k[0] == container.name for k in over)
    ):
        said.append(
            Safe(
                f"restarted {_times(container.restarts)}, "
                f"the last time {_ago(container.started_at, now)}"
            )
        )
    said += differs
    return tuple(said)


def _long(at: datetime, now: datetime) -> str:
    """In whole minutes, so that it does not change all the time; "" for less than one."""
    seconds = (now - at).total_seconds()
    return lasted(seconds) if seconds >= 60 else ""


def _ago(at: datetime, now: datetime) -> str:
    long = _long(at, now)
    return f"{long} ago" if long else "just now"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
