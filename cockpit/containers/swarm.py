"""What a swarm runs: services that are short of replicas, tasks that fail and why, nodes; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cockpit.containers.container import called, moment
from cockpit.containers.swarm_wire import (
    ListedNode,
    ListedService,
    ListedTask,
    Membership,
    Port,
    UpdateStatus,
)
from cockpit.text import Safe, clean_line
from cockpit.words import many

FAILED: Final = frozenset({"failed", "rejected", "orphaned"})
RECENT: Final = timedelta(minutes=10)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Task:
    """The newest task of one place of a service, with what became of those before it there.

    name: as `docker service ps` writes it. node: a host's name, "" before it is placed. state: of
    the engine (pending, preparing, starting, running, complete, failed, rejected, ...). at: since
    when, by the manager's clock. error: why it is not running; where it runs again, "". runs: how
    many tasks of this place the manager remembers, this one included, and failures, how many of
    them failed. failed_at, last_error: of the newest of those.
    """

    id: str
    name: Safe
    node: Safe
    state: str
    desired: str
    at: datetime | None
    error: Safe
    container: str
    runs: int = 1
    failures: int = 0
    failed_at: datetime | None = None
    last_error: Safe = Safe("")

    def failing(self, now: datetime) -> bool:
        """Whether it has failed lately, even if it runs again just now."""
        if self.state in FAILED:
            return True
        return self.failed_at is not None and now - self.failed_at < RECENT


@dataclass(frozen=True, slots=True)
class Service:
    """A service with its tasks.

    mode: replicated, global, replicated job or global job. wanted, running, completed: tasks; of
    a job those that are completed count too. update: what goes on with its newest change, "" when
    nothing does. image: without its digest. tasks: wrong first; none where they were not asked for.
    """

    id: str
    name: Safe
    stack: Safe
    mode: str
    wanted: int
    running: int
    completed: int
    update: Safe
    update_stuck: bool
    image: Safe
    ports: tuple[Safe, ...]
    tasks: tuple[Task, ...] = ()

    @property
    def job(self) -> bool:
        return self.mode.endswith("job")

    @property
    def short(self) -> int:
        """How many tasks it lacks."""
        done = self.completed if self.job else 0
        return max(0, self.wanted - self.running - done)

    def failing(self, now: datetime) -> bool:
        """Whether any of its tasks has failed lately."""
        return any(task.failing(now) for task in self.tasks)

    @property
    def why(self) -> Safe:
        """What the manager says of a task that does not run, or of the last that failed."""
        not_running = [task.error for task in self.tasks if task.error]
        before = [task.last_error for task in self.tasks if task.last_error]
        return (not_running or before or [Safe("")])[0]


@dataclass(frozen=True, slots=True)
class Node:
    """A host of the swarm. state: unknown, down, ready or disconnected. availability: active,
    pause or drain. manager: leader, reachable, unreachable; "" for a worker."""

    id: str
    name: Safe
    state: str
    availability: str
    manager: str
    message: Safe

    @property
    def well(self) -> bool:
        return (
            self.state == "ready"
            and self.availability == "active"
            and self.manager != ("unreachable")
        )


@dataclass(frozen=True, slots=True)
class Swarm:
    """A swarm as one manager knows it.

    missing: why there is nothing to show (no swarm, a worker), "" where there is a swarm. at:
    monotonic seconds of the last answer, None before the first. trouble: why what is shown may be
    old. now: the manager's clock at that answer.
    """

    services: tuple[Service, ...] = ()
    nodes: tuple[Node, ...] = ()
    missing: Safe = Safe("")
    at: float | None = None
    trouble: Safe = Safe("")
    now: datetime = _BEGINNING

    @property
    def said(self) -> Safe:
        """In a few words, for a title: "1 of 3 services short"; "" where there is no swarm."""
        if self.missing or self.at is None:
            return Safe("")
        short = sum(service.short > 0 for service in self.services)
        stuck = sum(service.update_stuck for service in self.services)
        count = many(len(self.services), "service")
        words = [f"{short} of {count} short" if short else count]
        words += [f"{stuck} update stuck"] if stuck else []
        return Safe(", ".join(words))


def absent(membership: Membership, where: Safe) -> Safe:
    """Why an engine cannot tell of a swarm; "" where it is a manager."""
    if membership.control_available:
        return Safe("")
    error = clean_line(f" It says: {membership.error}" if membership.error else "")
    match membership.local_node_state:
        case "active":
            others = ", ".join(one.addr for one in membership.remote_managers or ())
            known = f" It knows {others}." if others else ""
            return clean_line(
                f"Docker at {where} is a worker of a swarm; only a manager tells of services."
                f"{known} H chooses another host.{error}"
            )
        case "locked":
            return clean_line(
                f"The swarm at {where} is locked since Docker there restarted. "
                "With the key: docker swarm unlock"
            )
        case "pending" | "error" as state:
            return clean_line(f"The swarm at {where} is not ready ({state}).{error}")
        case _:
            return clean_line(f"Docker at {where} is in no swarm.{error}")


def fold(
    services: Iterable[ListedService],
    tasks: Iterable[ListedTask],
    nodes: Iterable[ListedNode],
    now: datetime,
) -> tuple[tuple[Service, ...], tuple[Node, ...]]:
    """Services and nodes, what is wrong first, then by name."""
    hosts = {node.id: called(node.description.hostname or node.id[:12]) for node in nodes}
    of: defaultdict[str, list[ListedTask]] = defaultdict(list)
    for task in tasks:
        of[task.service_id].append(task)
    made = [_service(one, of[one.id], hosts, now) for one in services]
    # One that fails and starts again does not change places with those that only are short.
    made.sort(key=lambda one: (not (one.short or one.update_stuck or one.failing(now)), one.name))
    known = sorted(map(_node, nodes), key=lambda node: (node.well, node.name))
    return tuple(made), tuple(known)


def _service(
    got: ListedService, tasks: Sequence[ListedTask], hosts: dict[str, Safe], now: datetime
) -> Service:
    spec, status = got.spec, got.service_status
    mode = _mode(got)
    template = spec.task_template.container_spec
    update = _update(got.update_status)
    return Service(
        id=_word(got.id),
        name=called(spec.name),
        stack=called((spec.labels or {}).get("com.docker.stack.namespace", "")),
        mode=mode,
        wanted=status.desired_tasks if status else 0,
        running=status.running_tasks if status else 0,
        completed=status.completed_tasks if status else 0,
        update=update,
        update_stuck="paused" in update,
        image=called((template.image if template else "").partition("@")[0]),
        ports=tuple(_port(port) for port in got.endpoint.ports or ()),
        tasks=_tasks(spec.name, mode, tasks, hosts, now),
    )


def _mode(got: ListedService) -> str:
    mode = got.spec.mode
    if mode.replicated_job is not None:
        return "replicated job"
    if mode.global_job is not None:
        return "global job"
    return "global" if mode.global_ is not None else "replicated"


def _update(status: UpdateStatus | None) -> Safe:
    """In words; "" once it is over."""
    if status is None or status.state in ("", "completed"):
        return Safe("")
    words = {
        "updating": "updating",
        "paused": "update paused",
        "rollback_started": "rolling back",
        "rollback_paused": "rollback paused",
        "rollback_completed": "rolled back",
    }.get(status.state, status.state)
    return clean_line(f"{words}: {status.message}" if status.message else words)


def _port(port: Port) -> Safe:
    where = " on each host" if port.publish_mode == "host" else ""
    published = f"{port.published_port}->" if port.published_port else ""
    return clean_line(f"{published}{port.target_port}/{port.protocol}{where}")


def _tasks(
    service: str,
    mode: str,
    tasks: Sequence[ListedTask],
    hosts: dict[str, Safe],
    now: datetime,
) -> tuple[Task, ...]:
    """One for each place of the service: its newest task."""
    places: defaultdict[tuple[int, str], list[ListedTask]] = defaultdict(list)
    for task in tasks:
        if task.desired_state != "remove":
            places[task.slot, "" if task.slot else task.node_id].append(task)
    made = []
    for held in places.values():
        held.sort(key=lambda task: moment(task.created_at) or _BEGINNING, reverse=True)
        newest = held[0]
        over = newest.status.state in ("shutdown", "complete") and not mode.endswith("job")
        if not over or newest.desired_state == "running":
            made.append(_task(service, newest, held, hosts))
    made.sort(key=lambda task: (task.state == "running", not task.failing(now), task.name))
    return tuple(made)


def _task(
    service: str, newest: ListedTask, held: Sequence[ListedTask], hosts: dict[str, Safe]
) -> Task:
    node = hosts.get(newest.node_id, clean_line(newest.node_id[:12]))
    failed = [task for task in held if task.status.state in FAILED]
    ran = newest.status.container_status
    return Task(
        id=_word(newest.id),
        name=called(f"{service}.{newest.slot or node}"),
        node=node,
        state=clean_line(newest.status.state),
        desired=clean_line(newest.desired_state),
        at=moment(newest.status.timestamp),
        error=_error(newest) if newest.status.state != "running" else Safe(""),
        container=_word(ran.container_id) if ran and ran.container_id else "",
        runs=len(held),
        failures=len(failed),
        failed_at=moment(failed[0].status.timestamp) if failed else None,
        last_error=_error(failed[0]) if failed else Safe(""),
    )


def _error(task: ListedTask) -> Safe:
    """What went wrong, without the word that each such sentence of the manager begins with."""
    return clean_line(task.status.err.removeprefix("task: "))


def _node(got: ListedNode) -> Node:
    status = got.manager_status
    manager = ("leader" if status.leader else status.reachability) if status else ""
    return Node(
        id=_word(got.id),
        name=called(got.description.hostname or got.id[:12]),
        state=clean_line(got.status.state),
        availability=clean_line(got.spec.availability),
        manager=clean_line(manager),
        message=clean_line(got.status.message),
    )


def _word(value: str) -> str:
    """An id as the manager makes them; anything else is none."""
    return value if value.isascii() and value.isalnum() else "unknown"
