"""What a manager of a swarm answers, as far as cockpit reads it."""

from __future__ import annotations

import msgspec

Labels = dict[str, str] | None


class Manager(msgspec.Struct, frozen=True, rename="pascal"):
    addr: str = ""


class Membership(msgspec.Struct, frozen=True, rename="pascal"):
    """local_node_state is inactive, pending, active, error or locked."""

    local_node_state: str = ""
    control_available: bool = False
    error: str = ""
    remote_managers: list[Manager] | None = None


class Info(msgspec.Struct, frozen=True, rename="pascal"):
    """GET /info."""

    swarm: Membership = Membership()


class ContainerSpec(msgspec.Struct, frozen=True, rename="pascal"):
    image: str = ""


class TaskTemplate(msgspec.Struct, frozen=True, rename="pascal"):
    container_spec: ContainerSpec | None = None


class Replicated(msgspec.Struct, frozen=True, rename="pascal"):
    replicas: int | None = None


class Job(msgspec.Struct, frozen=True, rename="pascal"):
    total_completions: int | None = None


class Nothing(msgspec.Struct, frozen=True):
    pass


class Mode(msgspec.Struct, frozen=True, rename="pascal"):
    """One of these is there."""

    replicated: Replicated | None = None
    global_: Nothing | None = msgspec.field(default=None, name="Global")
    replicated_job: Job | None = None
    global_job: Nothing | None = None


class ServiceSpec(msgspec.Struct, frozen=True, rename="pascal"):
    name: str = ""
    labels: Labels = None
    task_template: TaskTemplate = TaskTemplate()
    mode: Mode = Mode()


class Port(msgspec.Struct, frozen=True, rename="pascal"):
    protocol: str = "tcp"
    target_port: int = 0
    published_port: int = 0
    publish_mode: str = ""


class Endpoint(msgspec.Struct, frozen=True, rename="pascal"):
    ports: list[Port] | None = None


class UpdateStatus(msgspec.Struct, frozen=True, rename="pascal"):
    """state is updating, paused, completed, rollback_started, _paused or _completed."""

    state: str = ""
    message: str = ""


class Replicas(msgspec.Struct, frozen=True, rename="pascal"):
    """completed_tasks counts for jobs alone."""

    running_tasks: int = 0
    desired_tasks: int = 0
    completed_tasks: int = 0


class ListedService(msgspec.Struct, frozen=True, rename="pascal"):
    """One row of GET /services?status=true."""

    id: str = msgspec.field(default="", name="ID")
    spec: ServiceSpec = ServiceSpec()
    endpoint: Endpoint = Endpoint()
    update_status: UpdateStatus | None = None
    service_status: Replicas | None = None


class ContainerStatus(msgspec.Struct, frozen=True, rename="pascal"):
    container_id: str = msgspec.field(default="", name="ContainerID")
    exit_code: int = 0


class TaskStatus(msgspec.Struct, frozen=True, rename="pascal"):
    timestamp: str = ""
    state: str = ""
    err: str = ""
    container_status: ContainerStatus | None = None


class ListedTask(msgspec.Struct, frozen=True, rename="pascal"):
    """One row of GET /tasks. slot is 0 in a global service, node_id "" before it is placed."""

    id: str = msgspec.field(default="", name="ID")
    created_at: str = ""
    service_id: str = msgspec.field(default="", name="ServiceID")
    slot: int = 0
    node_id: str = msgspec.field(default="", name="NodeID")
    status: TaskStatus = TaskStatus()
    desired_state: str = ""


class NodeSpec(msgspec.Struct, frozen=True, rename="pascal"):
    role: str = ""
    availability: str = ""


class NodeDescription(msgspec.Struct, frozen=True, rename="pascal"):
    hostname: str = ""


class NodeStatus(msgspec.Struct, frozen=True, rename="pascal"):
    """state is unknown, down, ready or disconnected."""

    state: str = ""
    message: str = ""
    addr: str = ""


class ManagerStatus(msgspec.Struct, frozen=True, rename="pascal"):
    leader: bool = False
    reachability: str = ""


class ListedNode(msgspec.Struct, frozen=True, rename="pascal"):
    """One row of GET /nodes."""

    id: str = msgspec.field(default="", name="ID")
    spec: NodeSpec = NodeSpec()
    description: NodeDescription = NodeDescription()
    status: NodeStatus = NodeStatus()
    manager_status: ManagerStatus | None = None
