"""What the engine answers about one container, as far as its detail shows it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from cockpit.containers.engine import EngineTrouble
from cockpit.containers.wire import State
from cockpit.text import clean_line

T = TypeVar("T")


def decoded(body: bytes, kind: type[T]) -> T:
    """An answer. Raises EngineTrouble."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise EngineTrouble(f"cannot be read: {clean_line(body[:60])!r}") from wrong


class Healthcheck(msgspec.Struct, frozen=True, rename="pascal"):
    test: list[str] | None = None
    interval: int = 0


class Config(msgspec.Struct, frozen=True, rename="pascal"):
    image: str = ""
    user: str = ""
    env: list[str] | None = None
    cmd: list[str] | None = None
    labels: dict[str, str] | None = None
    healthcheck: Healthcheck | None = None


class Restart(msgspec.Struct, frozen=True, rename="pascal"):
    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(msgspec.Struct, frozen=True, rename="pascal"):
    type: str = ""


class Bound(msgspec.Struct, frozen=True, rename="pascal"):
    host_ip: str = ""
    host_port: str = ""


class HostConfig(msgspec.Struct, frozen=True, rename="pascal"):
    network_mode: str = ""
    port_bindings: dict[str, list[Bound] | None] | None = None
    memory: int = 0
    nano_cpus: int = 0
    pids_limit: int | None = None
    restart_policy: Restart | None = None
    log_config: LogConfig | None = None


class Joined(msgspec.Struct, frozen=True, rename="pascal"):
    address: str = msgspec.field(default="", name="IPAddress")
    aliases: list[str] | None = None


class NetworkSettings(msgspec.Struct, frozen=True, rename="pascal"):
    ports: dict[str, list[Bound] | None] | None = None
    networks: dict[str, Joined | None] | None = None


class Mounted(msgspec.Struct, frozen=True, rename="pascal"):
    type: str = ""
    name: str = ""
    source: str = ""
    destination: str = ""
    rw: bool = msgspec.field(default=True, name="RW")


class Inspected(msgspec.Struct, frozen=True, rename="pascal"):
    id: str = ""
    created: str = ""
    path: str = ""
    args: list[str] | None = None
    image: str = ""
    restart_count: int = 0
    state: State = State()
    config: Config = Config()
    host_config: HostConfig = HostConfig()
    network_settings: NetworkSettings = NetworkSettings()
    mounts: list[Mounted] | None = None


class ImageSeen(msgspec.Struct, frozen=True, rename="pascal"):
    repo_tags: list[str] | None = None
    created: str = ""
    size: int = 0
    config: Config | None = None


class Top(msgspec.Struct, frozen=True, rename="pascal"):
    titles: list[str] | None = None
    processes: list[list[str]] | None = None


class Changed(msgspec.Struct, frozen=True, rename="pascal"):
    path: str = ""
    kind: int = 0
