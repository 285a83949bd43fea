"""How a rollout stands on each of its hosts, in a word, and in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cockpit.incident.incident import Incident, Run, RunState
from cockpit.incident.timeline import outcome
from cockpit.target.target import Link
from cockpit.words import duration


class Stand(StrEnum):
    """What became of one host; in the order in which they are counted."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    STOPPED = "stopped"
    NEVER_STARTED = "never started"
    OUT_OF_REACH = "out of reach"
    LOST = "lost link"
    STOPPING = "stopping"
    RUNNING = "running"
    SENDING = "sending"
    WAITING = "waiting"
    NOT_RUN = "not run"

    @property
    def going(self) -> bool:
        """Whether something of it may still be going on."""
        return self in _GOING

    @property
    def bad(self) -> bool:
        """Whether it is over and did not work."""
        return self in _BAD


_GOING = frozenset({Stand.SENDING, Stand.RUNNING, Stand.STOPPING, Stand.LOST})
_BAD = frozenset(
    {Stand.FAILED, Stand.STOPPED, Stand.UNKNOWN, Stand.NEVER_STARTED, Stand.OUT_OF_REACH}
)


@dataclass(frozen=True, slots=True)
class HostState:
    """Where one host of a rollout stands. run: None where nothing was sent. why: what is wrong."""

    host: str
    stand: Stand
    run: Run | None = None
    why: str = ""

    @property
    def words(self) -> str:
        """`ok`, `exit 3`, `lost link`: the stand, with the exit status where that says more."""
        if self.stand is Stand.FAILED and self.run is not None:
            return outcome("done", self.run.exit_status)
        return self.stand.value


def standings(
    incident: Incident,
    id: str,
    link_of: Callable[[str], Link | None] = lambda host: None,
    sending: Collection[str] = (),
) -> tuple[HostState, ...]:
    """All hosts of a rollout in its order.

    link_of: the link to a host as it is now, None where there is none. sending: hosts that are
    about to be sent to.
    """
    rolled = incident.rollouts[id]
    states = []
    for host in rolled.asked.hosts:
        run = incident.runs.get(rolled.jobs.get(host, ""))
        if run is not None:
            states.append(_of_run(host, run, link_of(host)))
        elif host in rolled.refused:
            states.append(HostState(host, Stand.OUT_OF_REACH, None, rolled.refused[host]))
        elif host in sending:
            states.append(HostState(host, Stand.SENDING))
        else:
            stand = Stand.NOT_RUN if rolled.ended else Stand.WAITING
            states.append(HostState(host, stand))
    return tuple(states)


def _of_run(host: str, run: Run, link: Link | None) -> HostState:
    match run.state:
        case RunState.DONE:
            return HostState(host, Stand.OK if run.exit_status == 0 else Stand.FAILED, run)
        case RunState.UNKNOWN:
            return HostState(host, Stand.UNKNOWN, run, run.why)
        case RunState.STOPPED:
            return HostState(host, Stand.STOPPED, run, run.why)
        case RunState.NEVER_STARTED:
            return HostState(host, Stand.NEVER_STARTED, run)
        case _ if link is not None and not link.state.usable:
            return HostState(host, Stand.LOST, run, link.reason)
        case RunState.STOPPING:
            return HostState(host, Stand.STOPPING, run)
        case RunState.REQUESTED:
            return HostState(host, Stand.SENDING, run)
        case _:
            return HostState(host, Stand.RUNNING, run)


def counted(states: Sequence[HostState]) -> str:
    """`45 ok, 1 failed, 2 not run`: the hosts by where they stand, in words."""
    counts = Counter(state.stand for state in states)
    return ", ".join(f"{counts[stand]} {stand.value}" for stand in Stand if counts[stand])


def took(state: HostState) -> str:
    """How long it ran; empty where that is not known."""
    run = state.run
    return duration(run.seconds) if run is not None and run.seconds is not None else ""
