"""The lab as tests and people use it: start prod-1, break it, look at it, take it away."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab import host
from tests.lab.image.build import BUSYBOX, PROGRAMS
from tests.lab.proxy import Proxy
from tests.lab.sshd import write_client_config

ROOT = Path(__file__).parents[2]
NEEDED = (
    "dockerd containerd runc docker sshd ssh ssh-keygen unshare nsenter setsid ip hostname ldd curl"
    " ps"
)
COMPOSE_PLUGIN_FOLDERS = (
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
)


def missing() -> list[str]:
    """Why the lab cannot start here, one reason an entry; empty when it can."""
    reasons = []
    if sys.platform != "linux":
        return [f"{sys.platform} is not Linux"]
    if os.geteuid() != 0:
        reasons.append("not root")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    programs = [name for name in NEEDED.split() if not shutil.which(name, path=path)]
    programs += [program.name for program in (*PROGRAMS, BUSYBOX) if not program.exists()]
    if not any(Path(folder, "docker-compose").exists() for folder in COMPOSE_PLUGIN_FOLDERS):
        programs.append("docker compose v2")
    if programs:
        reasons.append("not installed: " + ", ".join(programs))
    if not any(Path("/sys/fs/cgroup").glob("**/cgroup.procs")):
        reasons.append("no control groups mounted at /sys/fs/cgroup")
    if not reasons:
        tried = subprocess.run(["unshare", "-mnpui", "--fork", "true"], capture_output=True)
        if tried.returncode:
            reasons.append("no right to make namespaces (a container without privileges?)")
    return reasons


CONFIG = """\
# Written by the lab: how cockpit reaches prod-1.
ssh_config: {ssh_config}
hosts:
  prod-1:
    ssh: prod-1
    workdir: {workdir}
services:
  kamiyo:
    containers: [kamiyo]
    host: prod-1
runbooks:
  - {root}/runbooks
"""


@dataclass
class Lab:
    """A running lab. Paths without "remote" are on this machine.

    ssh_config: knows the one host "prod-1", with key and known_hosts; `ssh -F ssh_config prod-1`.
    socket: the engine's socket, seen from this machine; remote_socket: seen on the host.
    workdir: the directory of compose.yaml on the host.
    """

    state: Path
    ssh_port: int
    init: int
    serve: int
    process: subprocess.Popen[bytes] | None = None

    name = host.NAME
    workdir = host.WORKDIR
    remote_socket = "/var/run/docker.sock"
    user = "root"
    secret = host.SECRET
    rates_key = host.RATES_KEY

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    @property
    def user_key(self) -> Path:
        return self.state / "user_key"

    @property
    def host_key(self) -> Path:
        return self.state / "host/ssh/ssh_host_ed25519_key"

    @property
    def socket(self) -> Path:
        return self.state / "host/run/docker.sock"

    # -- start and stop ---------------------------------------------------------------------------

    @classmethod
    def start(cls, state: Path | None = None) -> "Lab":
        """Start a lab. Without state it lives in a temp folder and ends with this process.

        Raises RuntimeError with the log when it does not come up within 300 s.
        """
        attached = state is None
        if state is None:
            for old in Path(tempfile.gettempdir()).glob("cockpit-lab-*"):
                with contextlib.suppress(FileNotFoundError):  # another run removes it
                    if time.time() - old.stat().st_mtime > 120:  # a younger one may be starting
                        host.sweep(old)
            state = Path(tempfile.mkdtemp(prefix="cockpit-lab-"))
        elif not host.sweep(state):
            raise RuntimeError(f"a lab is running already, its state is in {state}")
        state.mkdir(exist_ok=True)
        log = state / "serve.log"
        verb = "serve-attached" if attached else "serve"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab", verb, "--state", str(state)],
                cwd=ROOT,
                stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            lab = cls.find(state)
            if lab is not None:
                lab.process = process
                return lab
            time.sleep(0.05)
        process.terminate()
        process.wait(20)
        raise RuntimeError(f"the lab did not come up ({log}):\n{log.read_text()[-4000:]}")

    @classmethod
    def find(cls, state: Path) -> "Lab | None":
        """The lab that runs with this state folder, or None."""
        if host.holder(state) is None:
            return None
        try:
            return cls(state=state, **json.loads((state / "lab.json").read_text()))
        except FileNotFoundError:
            return None

    def stop(self) -> None:
        """End the host and everything on it, and remove its files."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.serve, signal.SIGTERM)
        if self.process is not None:
            self.process.wait(120)  # it may wait 20 s for processes to be reaped, and removes much
            if self.process.stdin:
                self.process.stdin.close()
        deadline = time.monotonic() + 60
        while not host.sweep(self.state):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the lab's process {self.serve} does not end")
            time.sleep(0.05)

    # -- the host ---------------------------------------------------------------------------------

    def run(
        self, command: str, *, check: bool = True, timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command on the host, in workdir, without SSH. check: raise on failure."""
        script = f"cd {self.workdir} && {command}"
        done = subprocess.run(
            [*host.enter(self.init), "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=host.environment(),
        )
        if check and done.returncode:
            raise RuntimeError(f"{command!r} exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def ssh(self, command: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a command on the host through the OpenSSH client, in the user's home."""
        return subprocess.run(
            ["ssh", "-F", str(self.ssh_config), self.name, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def path(self, remote: str) -> Path:
        """Where a file of the host is on this machine: below /opt, /root, /run, /tmp, /var/tmp."""
        if remote.startswith(f"{self.workdir}/data/"):  # a disk that only the host has mounted
            return Path(f"/proc/{self.init}/root") / remote.lstrip("/")
        for there, here in (("/var/tmp", "var-tmp"), ("/etc/ssh", "ssh"), ("/var/run", "run")):
            if remote.startswith(there + "/"):
                return self.state / "host" / here / remote.removeprefix(there + "/")
        return self.state / "host" / remote.lstrip("/")

    def proxy(self) -> Proxy:
        """A proxy before the host's sshd; use with `async with`, then client_config(its port)."""
        return Proxy("127.0.0.1", self.ssh_port)

    def client_config(self, folder: Path, port: int) -> Path:
        """An ssh_config for the same host through another port, as of a Proxy."""
        return write_client_config(
            folder,
            name=self.name,
            port=port,
            user=self.user,
            user_key=self.user_key,
            host_key=self.host_key,
        )

    def write_config(self, folder: Path, ssh_config: Path | None = None) -> Path:
        """Write a cockpit.yaml that knows prod-1; ssh_config: another than ours, as of a proxy."""
        config = folder / "cockpit.yaml"
        values = {"ssh_config": ssh_config or self.ssh_config, "workdir": self.workdir}
        config.write_text(CONFIG.format(root=ROOT, **values))
        return config

    # -- the service and its engine ---------------------------------------------------------------

    def health(self) -> int:
        """The status of /health, asked on the host; 0 when nothing answers."""
        status = "curl -s -o /dev/null -w '%{http_code}' --max-time 3 localhost:8000/health"
        return int(self.run(status, check=False).stdout or 0)

    def wait_health(self, status: int, timeout: float = 120) -> None:
        """Wait until /health answers status."""
        deadline = time.monotonic() + timeout
        while (now := self.health()) != status:
            if time.monotonic() > deadline:
                raise TimeoutError(f"/health is {now}, not {status}, after {timeout} s")
            time.sleep(0.1)

    def post_event(self, secret: str | None = None) -> str:
        """What Stripe does: post a signed event. Returns "STATUS EVENT_ID ANSWER"."""
        send = "python3 /app/kamiyo.py send-test-event"
        env = f"-e STRIPE_WEBHOOK_SECRET={secret or self.secret}"
        return self.run(f"docker exec {env} kamiyo {send}", check=False).stdout.strip()

    def lose_database(self) -> None:
        """Move the database file away: /health says 503 from now on."""
        self.run("mv data/kamiyo.db data/kamiyo.db.moved")

    def corrupt_database(self) -> None:
        """Overwrite the start of the database file in place, as a broken copy does."""
        self.run("dd if=/dev/zero of=data/kamiyo.db bs=1024 count=8 conv=notrunc")

    def break_secret(self, secret: str = "whsec_lab_of_another_endpoint") -> None:
        """Give the service a webhook secret that is not Stripe's: events get 400."""
        host.write_env(self.path(f"{self.workdir}/.env"), secret=secret)
        self.run("docker compose up -d kamiyo")
        self.wait_health(200)

    def reset(self) -> None:
        """Bring the service back to its first state: healthy, right secrets, fresh data."""
        self.run("kill -CONT $(cat /run/docker.pid)", check=False)
        if not host.engine_answers(self.socket):
            self.start_engine()
        self.run("docker rm -f batch-import", check=False)
        beside = "receipts-worker stripe-sim exchange-sim"
        there = f"docker start {beside} && docker inspect kamiyo-migrate"
        if self.run(there, check=False).returncode:
            self.run(f"docker rm -f {beside} kamiyo-migrate", check=False)
            self.run(host.BESIDE)
        host.write_env(self.path(f"{self.workdir}/.env"))
        self.run("rm -f .env.*")
        shutil.copy(host.IMAGE_DIR / "compose.yaml", self.path(f"{self.workdir}/compose.yaml"))
        empty = "find data -mindepth 1 -delete"
        self.run(f"docker compose down -t 1; {empty} && docker compose up -d")
        self.wait_health(200)

    def leak(self, *, until_killed: bool = False) -> None:
        """Have kamiyo remember so many quotes that it holds most of its memory, or all of it."""
        self.wait_rates(200)
        quotes = f"python3 /app/world.py quotes {400 if until_killed else 120} 1024"
        self.run(f"docker run --rm --network host {host.IMAGE} {quotes}", check=not until_killed)

    def fill_disk(self) -> None:
        """Let the access log grow until the disk of the data is full."""
        self.run(r"tr '\0' x < /dev/zero >> data/logs/access.log", check=False)

    def stop_upstream(self) -> None:
        """Take the source of the exchange rates away."""
        self.run("docker stop exchange-sim")

    def break_rates_key(self, key: str = "lab-rates-of-another-customer") -> None:
        """Give the aggregator a key that the source refuses."""
        host.write_env(self.path(f"{self.workdir}/.env"), rates_key=key)
        self.run("docker compose up -d aggregator")

    def leave_lock(self) -> None:
        """Leave the lock of an aggregator that was killed in a round 20 minutes ago."""
        lock = "data/aggregator.lock"
        self.run(f"until (set -C; : > {lock}) 2>/dev/null; do :; done; touch -d '-20 min' {lock}")

    def hang_aggregator(self) -> None:
        """Stop the aggregator's process where it stands: it runs, and does nothing.

        Not within a round: killed there, by a restart, it would leave its lock as well.
        """
        runs = "grep -qs '^State:[[:space:]]*[RSD]' /proc/$p/task/*/status"
        stop = f"kill -STOP $p && while {runs}; do sleep 0.01; done"
        in_a_round = "find data -name aggregator.lock -mmin -1 | grep -q ."
        self.run(
            "p=$(docker inspect -f '{{.State.Pid}}' aggregator);"
            f" while {stop}; {in_a_round}; do kill -CONT $p; sleep 0.05; done"
        )

    def drop_index(self) -> None:
        """Give kamiyo many orders, and lose the index over them: /api/v1/orders gets slow."""
        sql = (
            "DROP INDEX orders_by_customer; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
            " FROM n WHERE i < 600000) INSERT INTO orders (customer_id, amount)"
            " SELECT i % 40 + 1, i FROM n;"
        )
        self.run(f'docker compose exec -T kamiyo sqlite3 /app/data/kamiyo.db "{sql}"')

    def hold_database(self) -> None:
        """Start a report inside the container that keeps the database locked most of the time.

        Returns when it holds it.
        """
        self.run("docker compose exec -d kamiyo python3 /app/world.py report")
        take = "docker compose exec -T kamiyo sqlite3 /app/data/kamiyo.db 'BEGIN IMMEDIATE; COMMIT'"
        self.run(f"while {take}; do :; done 2>/dev/null")

    def ask_too_much(self) -> None:
        """Start a client that asks for all orders, many at a time, without a pause."""
        run = "docker run -d --name batch-import --stop-timeout 1 --network host --init"
        self.run(f"{run} {host.IMAGE} python3 /app/world.py import")

    def wait_rates(self, status: int, timeout: float = 120) -> None:
        """Wait until /api/v1/rates answers status: 200 fresh, 503 too old."""
        ask = "curl -s -o /dev/null -w '%{http_code}' --max-time 3 localhost:8000/api/v1/rates"
        deadline = time.monotonic() + timeout
        while (now := self.run(ask, check=False).stdout) != str(status):
            if time.monotonic() > deadline:
                raise TimeoutError(f"/api/v1/rates is {now}, not {status}, after {timeout} s")
            time.sleep(0.1)

    def wait_log(self, service: str, words: str, timeout: float = 120) -> None:
        """Wait until one of the last lines that a Compose service logged has these words."""
        ask = f"docker compose logs --no-color --tail 3 {service}"
        deadline = time.monotonic() + timeout
        while words not in (now := self.run(ask).stdout):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{service} logged no {words!r} within {timeout} s but {now}")
            time.sleep(0.2)

    def pause_engine(self) -> None:
        """Hang dockerd (SIGSTOP): it takes connections and answers nothing. Containers go on.

        Returns when none of its threads runs any more.
        """
        runs = "grep -qs '^State:[[:space:]]*[RSD]' /proc/$p/task/*/status"
        self.run(f"p=$(cat /run/docker.pid); kill -STOP $p; while {runs}; do sleep 0.01; done")

    def resume_engine(self) -> None:
        self.run("kill -CONT $(cat /run/docker.pid)")

    def stop_engine(self) -> None:
        """Stop dockerd, and with it all containers."""
        self.run("kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.1; done")

    def start_engine(self) -> None:
        """Start dockerd again. Containers with a restart policy come back by themselves."""
        host.start_engine(self.state, self.init, self.serve)
