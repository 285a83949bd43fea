"""What the engine's answers look like, as far as cockpit reads them."""

from __future__ import annotations

import msgspec


class Version(msgspec.Struct, frozen=True, rename="pascal"):
    """GET /version."""

    version: str
    api_version: str
    min_api_version: str = msgspec.field(default="1.12", name="MinAPIVersion")


class Listed(msgspec.Struct, frozen=True, rename="pascal"):
    """One row of GET /containers/json. Times and restart counts are only in `Inspected`."""

    id: str
    names: list[str] | None = None
    image: str = ""
    image_id: str = msgspec.field(default="", name="ImageID")
    state: str = ""
    status: str = ""
    labels: dict[str, str] | None = None


class Probe(msgspec.Struct, frozen=True, rename="pascal"):
    """One run of a health check; exit_code 0 is well."""

    end: str = ""
    exit_code: int = 0
    output: str = ""
    start: str = ""


class Health(msgspec.Struct, frozen=True, rename="pascal"):
    """log: the newest five or so, the newest last."""

    status: str = ""
    failing_streak: int = 0
    log: list[Probe] | None = None


class HealthCheck(msgspec.Struct, frozen=True, rename="pascal"):
    """retries: how many failures in a row make it unhealthy; 0 for the engine's 3."""

    retries: int = 0


class State(msgspec.Struct, frozen=True, rename="pascal"):
    """status is created, running, paused, restarting, removing, exited or dead."""

    status: str = ""
    exit_code: int = 0
    oom_killed: bool = msgspec.field(default=False, name="OOMKilled")
    error: str = ""
    started_at: str = ""
    finished_at: str = ""
    health: Health | None = None


class Config(msgspec.Struct, frozen=True, rename="pascal"):
    image: str = ""
    tty: bool = False
    labels: dict[str, str] | None = None
    healthcheck: HealthCheck | None = None


class Inspected(msgspec.Struct, frozen=True, rename="pascal"):
    """GET /containers/{id}/json. image is the id of what it runs, config.image its name."""

    id: str
    name: str = ""
    image: str = ""
    restart_count: int = 0
    state: State = State()
    config: Config = Config()


class Actor(msgspec.Struct, frozen=True, rename="pascal"):
    id: str = msgspec.field(default="", name="ID")
    attributes: dict[str, str] | None = None


class Event(msgspec.Struct, frozen=True):
    """One line of GET /events. action may carry words after a colon (health_status: healthy)."""

    action: str = msgspec.field(default="", name="Action")
    actor: Actor = msgspec.field(default=Actor(), name="Actor")
    time_ns: int = msgspec.field(default=0, name="timeNano")


class CpuUsage(msgspec.Struct, frozen=True):
    total_usage: int = 0
    percpu_usage: list[int] | None = None


class Cpu(msgspec.Struct, frozen=True):
    """Nanoseconds of CPU since the container started, and of the whole machine since boot."""

    cpu_usage: CpuUsage = CpuUsage()
    system_cpu_usage: int = 0
    online_cpus: int = 0


class PageCache(msgspec.Struct, frozen=True):
    """inactive_file is cgroup v2's name, total_inactive_file v1's (v1 also has the other, of
    the one cgroup without its children)."""

    inactive_file: int = 0
    total_inactive_file: int | None = None


class Memory(msgspec.Struct, frozen=True):
    usage: int = 0
    limit: int = 0
    stats: PageCache | None = None


class Network(msgspec.Struct, frozen=True):
    rx_bytes: int = 0
    tx_bytes: int = 0


class BlockEntry(msgspec.Struct, frozen=True):
    op: str = ""
    value: int = 0


class Blocks(msgspec.Struct, frozen=True):
    io_service_bytes_recursive: list[BlockEntry] | None = None


class Pids(msgspec.Struct, frozen=True):
    current: int = 0


class Stats(msgspec.Struct, frozen=True):
    """One line of GET /containers/{id}/stats. read is year 1 when the container does not run."""

    read: str = ""
    cpu_stats: Cpu = Cpu()
    memory_stats: Memory = Memory()
    networks: dict[str, Network] | None = None
    blkio_stats: Blocks = Blocks()
    pids_stats: Pids = Pids()
