"""prod-1: a host of its own on this machine, in namespaces: dockerd, sshd, the kamiyo service.

One process, `serve`, holds everything. It keeps the stdin of the host's first process open; when
it ends, by whatever cause, the kernel ends the host. Only files and empty cgroups can be left, and
`sweep` removes those.
"""

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from tests.lab.image.build import CHANGES, image_tar
from tests.lab.sshd import SSHD, make_key, server_config, write_client_config

IMAGE_DIR = Path(__file__).parent / "image"
NAME = "prod-1"
IMAGE = "kamiyo:1.4.2"
SECRET = "whsec_lab_8c1f0e7d2b6a4953"  # a value of the lab alone; opens nothing
RATES_KEY = "lab-rates-5f1d9c"  # likewise
WORKDIR = "/opt/kamiyo"
CGROUPS = Path("/sys/fs/cgroup")
BESIDE = f"""
docker run -d --name receipts-worker --restart unless-stopped --stop-timeout 1 {IMAGE} sh -c '
  trap "exit 0" TERM
  n=0
  while :; do
    n=$((n + 1))
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) INFO receipts: batch $n sent"
    sleep 1
  done' &
docker run -d --name stripe-sim --restart unless-stopped --stop-timeout 1 --network host \\
  -e STRIPE_WEBHOOK_SECRET={SECRET} --init {IMAGE} python3 /app/kamiyo.py send-test-event 5 &
docker run -d --name exchange-sim --restart unless-stopped --stop-timeout 1 --network host \\
  -e EXCHANGE_KEY={RATES_KEY} --init {IMAGE} python3 /app/world.py exchange &
docker run --name kamiyo-migrate {IMAGE} echo "migrations: nothing to do" &
wait
"""


def enter(pid: int) -> list[str]:
    """The command prefix that runs a program inside the host whose first process is pid."""
    return ["nsenter", "-t", str(pid), "-m", "-n", "-p", "-u", "-i", "-r", "--"]


def environment() -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/root", "USER": "root", "LANG": "C.UTF-8"}


def serve(state: Path, *, until_stdin_closes: bool) -> None:
    """Be the host until SIGTERM. Writes state/lab.json when all is up.

    until_stdin_closes: belong to the process that started us; end with it, and remove our files.
    """
    state.mkdir(parents=True, exist_ok=True)
    lock = (state / "lock").open("w")
    _take(lock)
    lock.write(str(os.getpid()))
    lock.flush()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if until_stdin_closes:
        threading.Thread(target=_wait_for_stdin, args=(stop,), daemon=True).start()
    came_up = False
    _prepare(state)
    first, pid = _boot(state)
    try:
        start_engine(state, pid, os.getpid())
        port = _listen(state, pid)
        write_client_config(
            state,
            name=NAME,
            port=port,
            user="root",
            user_key=state / "user_key",
            host_key=state / "host/ssh/ssh_host_ed25519_key",
        )
        _start_service(pid)
        facts = {"ssh_port": port, "init": pid, "serve": os.getpid()}
        partial = state / "lab.json.new"
        partial.write_text(json.dumps(facts))
        partial.replace(state / "lab.json")
        came_up = True
        while not stop.wait(0.2):
            if first.poll() is not None:
                raise RuntimeError("the first process of the host ended")
    finally:
        (state / "lab.json").unlink(missing_ok=True)
        first.kill()
        first.wait()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        remove_cgroups(os.getpid())
        if came_up and until_stdin_closes:
            shutil.rmtree(state, ignore_errors=True)


def _take(lock: IO[str]) -> None:
    """Whoever looks whether a host runs here, as the one that waits for us does, has it briefly."""
    deadline = time.monotonic() + 10
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _wait_for_stdin(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _prepare(state: Path) -> None:
    host = state / "host"
    shutil.rmtree(host, ignore_errors=True)
    for name, mode in (
        ("run/sshd", 0o755),
        ("root/.ssh", 0o700),
        ("opt/kamiyo/data", 0o755),
        ("tmp", 0o1777),
        ("var-tmp", 0o1777),
        ("docker", 0o711),
        ("ssh", 0o755),
    ):
        (host / name).mkdir(parents=True)
        (host / name).chmod(mode)
    (host / "root").chmod(0o700)
    Path("/var/lib/docker").mkdir(mode=0o711, exist_ok=True)  # a place to mount on, no more
    make_key(state / "user_key")
    shutil.copy(state / "user_key.pub", host / "root/.ssh/authorized_keys")
    make_key(host / "ssh/ssh_host_ed25519_key")
    (host / "ssh/sshd_config").write_text(
        server_config(
            host_key="/etc/ssh/ssh_host_ed25519_key",
            authorized_keys="/root/.ssh/authorized_keys",
        )
    )
    shutil.copy(IMAGE_DIR / "compose.yaml", host / "opt/kamiyo/compose.yaml")
    write_env(host / "opt/kamiyo/.env")


def write_env(env_file: Path, *, secret: str = SECRET, rates_key: str = RATES_KEY) -> None:
    env_file.write_text(
        f"STRIPE_WEBHOOK_SECRET={secret}\n"
        "RATES_SOURCE=http://rates.example.net:9100\n"
        f"RATES_API_KEY={rates_key}\n"
    )
    env_file.chmod(0o600)


def _boot(state: Path) -> tuple[subprocess.Popen[bytes], int]:
    unshare = ["unshare", "-m", "-n", "-p", "-u", "-i", "--fork", "--kill-child"]
    first = subprocess.Popen(
        [*unshare, "sh", str(IMAGE_DIR / "boot.sh"), str(state / "host")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert first.stdout is not None
    if first.stdout.readline() != b"ready\n":
        raise RuntimeError("the host's namespaces could not be made; see serve.log")
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text()
    return first, int(children.split()[0])


def start_engine(state: Path, pid: int, serve_pid: int) -> None:
    """Start dockerd in the host and wait until it answers. Raises RuntimeError with its log."""
    # Ports are published by docker's own proxy process: no firewall rules, no kernel modules.
    command = ["setsid", "-f", "dockerd", "--iptables=false", "--ip6tables=false"]
    command += ["--exec-opt", "native.cgroupdriver=cgroupfs"]
    command += ["--cgroup-parent", f"/cockpit-lab-{serve_pid}"]
    log = state / "dockerd.log"
    with log.open("ab") as stream:
        subprocess.run(
            [*enter(pid), *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment(),
            check=True,
        )
    deadline = time.monotonic() + 120
    while not engine_answers(state / "host/run/docker.sock"):
        if time.monotonic() > deadline:
            raise RuntimeError("dockerd did not start:\n" + log.read_text()[-3000:])
        time.sleep(0.05)


def engine_answers(socket_path: Path) -> bool:
    connection = http.client.HTTPConnection("docker", timeout=2)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(2)
    try:
        connection.sock.connect(str(socket_path))
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _start_service(pid: int) -> None:
    changes = [part for change in CHANGES for part in ("--change", change)]
    with image_tar().open("rb") as tar:
        _inside(pid, ["docker", "import", *changes, "-", IMAGE], stdin=tar.fileno())
    _inside(pid, ["sh", "-c", f"cd {WORKDIR} && docker compose up -d & {BESIDE}"])
    deadline = time.monotonic() + 120
    health = ["curl", "-fsS", "-o", "/dev/null", "--max-time", "2", "localhost:8000/health"]
    while subprocess.run([*enter(pid), *health], capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError("the service did not become healthy within 120 s")
        time.sleep(0.1)


def _inside(pid: int, command: list[str], stdin: int = subprocess.DEVNULL) -> None:
    subprocess.run([*enter(pid), *command], check=True, stdin=stdin, env=environment())


def _listen(state: Path, pid: int) -> int:
    """Take connections in the machine's own network, each served by an sshd inside the host."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    log = (state / "sshd.log").open("ab")
    command = [*enter(pid), SSHD, "-i", "-e", "-f", "/etc/ssh/sshd_config"]

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            # A socket stays in the network namespace it was made in: this one crosses over.
            session = subprocess.Popen(
                command,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=log,
                env=environment(),
            )
            connection.close()
            threading.Thread(target=session.wait, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def remove_cgroups(serve_pid: int) -> None:
    """Remove the empty cgroups that the host's containers leave; cgroup v1 and v2."""
    roots = [*CGROUPS.glob(f"cockpit-lab-{serve_pid}"), *CGROUPS.glob(f"*/cockpit-lab-{serve_pid}")]
    deadline = time.monotonic() + 20
    while roots and time.monotonic() < deadline:
        for root in roots:
            for folder, _, _ in os.walk(root, topdown=False):
                with contextlib.suppress(OSError):  # busy until the last process is reaped
                    os.rmdir(folder)
        roots = [root for root in roots if root.exists()]
        time.sleep(0.05)


def holder(state: Path) -> int | None:
    """Pid of the process that is the host of this state folder; None when there is none."""
    with contextlib.suppress(FileNotFoundError), (state / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read() or 0)
    return None


def sweep(state: Path) -> bool:
    """Remove what a dead host left in state. False when it still runs, and nothing was touched."""
    if holder(state) is not None:
        return False
    with contextlib.suppress(FileNotFoundError, ValueError):
        remove_cgroups(int((state / "lock").read_text()))
    shutil.rmtree(state, ignore_errors=True)
    return True
