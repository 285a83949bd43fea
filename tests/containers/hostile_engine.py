"""A Docker engine in the hands of an attacker: well-formed answers, and every string an attack."""

from __future__ import annotations

import itertools
import json
import re
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.screens.attacks import ATTACKS

COUNT: Final = 3
WHEN: Final = "2026-11-21T03:12:00.000000000Z"
LONGEST: Final = 3000


class HostileEngine:
    """What it answers: `COUNT` containers, a swarm, logs; each attack stands somewhere in it."""

    def __init__(self) -> None:
        every = [line for lines in ATTACKS.values() for line in lines]
        # JSON cannot hold what is no UTF-8; the rest of such a line it can.
        texts = [line.decode(errors="replace")[:LONGEST] for line in every]
        self._next = itertools.cycle(texts)
        self.ids = [f"{index:064x}" for index in range(0xA0, 0xA0 + COUNT)]
        self.containers = {id: self._container(id) for id in self.ids}
        self.swarm = self._swarm()

    def bad(self, before: str = "") -> str:
        """The next attack."""
        return before + next(self._next)

    def _container(self, id: str) -> dict[str, Any]:
        bad = self.bad
        labels = {
            "com.docker.compose.project": bad("p"),
            "com.docker.compose.service": bad("s"),
            "com.docker.compose.project.config_files": bad("/srv/"),
            "com.docker.compose.project.working_dir": bad("/srv/"),
            "com.docker.compose.config-hash": bad(),
            bad(): bad(),
        }
        checks = [
            {"Start": WHEN, "End": WHEN, "ExitCode": 1, "Output": bad("check ")} for _ in range(5)
        ]
        config = {
            "Image": bad("img"),
            "User": bad(),
            "Env": [f"{bad('A')}={bad()}", f"LOG_LEVEL={bad()}", bad("PATH=")],
            "Cmd": [bad(), bad()],
            "Labels": labels,
            "Healthcheck": {"Test": ["CMD-SHELL", bad()], "Interval": 10**9},
        }
        bound = [{"HostIp": bad(), "HostPort": bad()}]
        mount = {"Type": bad(), "Name": bad(), "Source": bad("/"), "Destination": bad("/")}
        return {
            "Id": id,
            "Name": bad("/"),
            "Created": WHEN,
            "Path": bad(),
            "Args": [bad(), bad()],
            "Image": bad("sha256:"),
            "RestartCount": 3,
            "State": {
                "Status": "running",
                "Error": bad(),
                "StartedAt": WHEN,
                "FinishedAt": WHEN,
                "Health": {"Status": "unhealthy", "FailingStreak": 4, "Log": checks},
            },
            "Config": config,
            "HostConfig": {
                "NetworkMode": bad(),
                "PortBindings": {bad(): bound},
                "RestartPolicy": {"Name": bad()},
                "LogConfig": {"Type": bad()},
                "Memory": 1 << 28,
            },
            "NetworkSettings": {
                "Ports": {bad("80/"): bound},
                "Networks": {bad(): {"IPAddress": bad(), "Aliases": [bad()]}},
            },
            "Mounts": [mount],
        }

    def _swarm(self) -> dict[str, Any]:
        bad = self.bad
        status = {"Timestamp": WHEN, "State": "failed", "Err": bad(), "Message": bad()}
        return {
            "info": {
                "ID": bad(),
                "Name": bad(),
                "ServerVersion": bad(),
                "Swarm": {
                    "LocalNodeState": "active",
                    "ControlAvailable": True,
                    "Error": bad(),
                    "RemoteManagers": [{"Addr": bad()}],
                },
            },
            "services": [
                {
                    "ID": "b1",
                    "Spec": {
                        "Name": bad("service "),
                        "Labels": {bad(): bad()},
                        "TaskTemplate": {"ContainerSpec": {"Image": bad("img")}},
                        "Mode": {"Replicated": {"Replicas": 3}},
                    },
                    "UpdateStatus": {"State": bad(), "Message": bad()},
                    "ServiceStatus": {"RunningTasks": 1, "DesiredTasks": 3},
                }
            ],
            "tasks": [
                {"ID": f"c{slot}", "ServiceID": "b1", "Slot": slot, "NodeID": "d1",
                 "CreatedAt": WHEN, "Status": status, "DesiredState": bad()}
                for slot in range(1, 4)
            ],
            "nodes": [
                {
                    "ID": "d1",
                    "Spec": {"Role": bad(), "Availability": bad()},
                    "Description": {"Hostname": bad("node ")},
                    "Status": {"State": bad(), "Message": bad(), "Addr": bad()},
                    "ManagerStatus": {"Leader": True, "Reachability": bad()},
                }
            ],
        }  # fmt: skip

    def listed(self) -> list[dict[str, Any]]:
        return [
            {"Id": id, "Names": [one["Name"]], "Image": one["Config"]["Image"],
             "ImageID": one["Image"], "State": "running", "Status": self.bad("Up "),
             "Labels": one["Config"]["Labels"]}
            for id, one in self.containers.items()
        ]  # fmt: skip

    def event(self, id: str) -> dict[str, Any]:
        attributes = {"name": self.bad(), "image": self.bad(), self.bad(): self.bad()}
        return {
            "Type": "container",
            "Action": self.bad("health_status: "),
            "Actor": {"ID": id, "Attributes": attributes},
            "timeNano": 1_800_000_000_000_000_000,
        }

    def answer(self, path: str) -> Any:
        """What a path is answered with, as JSON; None where there is no such thing."""
        id = next((one for one in self.ids if one in path), "")
        match re.sub(r"^/v[\d.]+", "", path).replace(id or "-", "ID").split("/")[1:]:
            case ["version"]:
                return {"Version": self.bad(), "ApiVersion": "1.41", "MinAPIVersion": "1.24"}
            case ["info"]:
                return self.swarm["info"]
            case ["services" | "tasks" | "nodes" as what]:
                return self.swarm[what]
            case ["containers", "json"]:
                return self.listed()
            case ["containers", "ID", "json"]:
                return self.containers[id]
            case ["containers", "ID", "top"]:
                return {"Titles": [self.bad()], "Processes": [[self.bad()], [self.bad()]]}
            case ["containers", "ID", "changes"]:
                return [{"Path": self.bad("/"), "Kind": kind} for kind in range(3)]
            case ["images", *_]:
                return {"Id": self.bad("sha256:"), "RepoTags": [self.bad()], "Created": WHEN}
            case ["containers", "ID", "stats"]:
                return {
                    "read": WHEN,
                    "cpu_stats": {"cpu_usage": {"total_usage": 1}, "system_cpu_usage": 9},
                    "memory_stats": {"usage": 1 << 20, "limit": 1 << 28},
                    "networks": {self.bad(): {"rx_bytes": 1}},
                    "name": self.bad(),
                }
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        engine, url = self.server.engine, urlsplit(self.path)
        asked = parse_qs(url.query)
        if url.path.endswith("/_ping"):
            self._send(b"OK")
        elif url.path.endswith("/logs"):
            bodies = [f"{WHEN} {line}\n".encode() for line in (engine.bad() for _ in range(9))]
            self._send(b"".join(struct.pack(">BxxxL", 1, len(body)) + body for body in bodies))
        elif url.path.endswith("/events"):
            happened = "".join(json.dumps(engine.event(id)) + "\n" for id in engine.ids)
            self._send(happened.encode(), stays="until" not in asked)
        elif (found := engine.answer(url.path)) is not None:
            stays = url.path.endswith("/stats") and asked.get("stream") != ["0"]
            self._send(json.dumps(found).encode() + b"\n", stays=stays)
        else:
            words = {"message": engine.bad("there is no ")}
            self._send(json.dumps(words).encode(), status=404)

    def _send(self, body: bytes, *, status: int = 200, stays: bool = False) -> None:
        """stays: the answer has no end before the server has."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(body), body))
        if stays:
            self.server.ended.wait()
        self.wfile.write(b"0\r\n\r\n")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.engine = HostileEngine()
        self.ended = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A client that hung up."""


@contextmanager
def serving(path: Path) -> Iterator[HostileEngine]:
    """Listens at a unix socket."""
    with _Server(path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.engine
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
