"""The lab keeps its promises: other tests stand on it."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cockpit.config import load
from tests.lab import host
from tests.lab.fixtures import StartSshd
from tests.lab.lab import ROOT, Lab
from tests.lab.proxy import Proxy
from tests.lab.sshd import Shell

pytestmark = pytest.mark.anyio


def test_a_session_on_prod_1_is_on_another_host(lab: Lab) -> None:
    seen = lab.ssh(
        # Commands of tests before this one have left .cache there.
        "hostname; echo $HOME; pwd; ls -A /root | grep -vx .cache;"
        " grep -c '^ *eth0:' /proc/net/dev; cat /proc/1/cmdline"
    )
    assert seen.stdout.startswith("prod-1\n/root\n/root\n.ssh\n0\n")
    assert "boot.sh" in seen.stdout
    assert lab.path("/root/.ssh/authorized_keys").exists()


def test_plain_docker_on_prod_1_reaches_its_own_engine(lab: Lab) -> None:
    names = lab.ssh("docker ps -a --format '{{.Names}}'").stdout.split()
    beside = ["exchange-sim", "kamiyo", "kamiyo-migrate", "receipts-worker", "stripe-sim"]
    assert sorted(names) == ["aggregator", *beside]
    assert lab.ssh("cd /opt/kamiyo && docker compose ps -q").stdout.count("\n") == 2
    _wait_until("answered", lambda: host.engine_answers(lab.socket))


def test_the_engine_can_be_reached_through_a_unix_socket_channel(lab: Lab, tmp_path: Path) -> None:
    local = tmp_path / "engine.sock"
    forward = f"{local}:{lab.remote_socket}"
    command = ["ssh", "-F", str(lab.ssh_config), "-N", "-o", "ExitOnForwardFailure=yes"]
    client = subprocess.Popen([*command, "-L", forward, lab.name])
    try:
        _wait_until("answered", lambda: host.engine_answers(local))
    finally:
        client.terminate()
        client.wait()


def test_the_service_fails_and_comes_back_on_demand(service: Lab) -> None:
    service.wait_health(200)
    assert service.post_event().startswith("200 ")

    service.lose_database()
    service.wait_health(503)
    assert service.post_event().startswith("500 ")
    service.run("mv data/kamiyo.db.moved data/kamiyo.db")
    service.wait_health(200)

    assert service.post_event(secret="whsec_wrong").startswith("400 ")
    service.break_secret()
    assert service.post_event().startswith("400 ")
    service.reset()
    assert service.post_event().startswith("200 ")

    service.corrupt_database()
    service.wait_health(503)
    assert "corrupt" in service.run("curl -s localhost:8000/health").stdout


def test_a_lost_database_is_not_replaced_by_an_empty_one(service: Lab) -> None:
    service.lose_database()
    service.run("docker compose restart -t 1")
    service.wait_health(503)
    assert not service.path("/opt/kamiyo/data/kamiyo.db").exists()


def test_docker_itself_sees_the_service_turn_unhealthy(service: Lab) -> None:
    service.lose_database()
    health = "docker inspect -f '{{.State.Health.Status}}' kamiyo"
    _wait_until("unhealthy", lambda: service.run(health).stdout == "unhealthy\n")


def test_a_hung_engine_takes_connections_and_says_nothing(lab: Lab) -> None:
    lab.pause_engine()
    try:
        assert not host.engine_answers(lab.socket)
        lab.wait_health(200)
    finally:
        lab.resume_engine()
    _wait_until("answered", lambda: host.engine_answers(lab.socket))


def _cgroups(pid: int) -> list[Path]:
    # Not by glob, which fails on a group that another engine removes while it looks.
    name = f"cockpit-lab-{pid}"
    return [Path(top, name) for top, below, _ in os.walk("/sys/fs/cgroup") if name in below]


def _wait_until(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, f"not {what} after 60 s"
        time.sleep(0.05)


def test_a_lab_that_was_killed_leaves_no_process_and_down_removes_the_rest(
    lab: Lab, tmp_path: Path
) -> None:
    other = Lab.start(tmp_path / "lab")
    assert other.run("hostname").stdout == "prod-1\n"
    assert lab.init != other.init, "two labs run side by side"
    os.kill(other.serve, signal.SIGKILL)
    _wait_until("all processes gone", lambda: _namespace(other.init) is None)
    down = [sys.executable, "-m", "tests.lab", "--state", str(other.state), "down"]
    assert subprocess.run(down, cwd=ROOT).returncode == 0
    assert not other.state.exists()
    assert not _cgroups(other.serve)
    assert other.process is not None
    other.process.wait(60)
    lab.wait_health(200)


OWNER = """
from tests.lab.lab import Lab
lab = Lab.start()
print(lab.state, lab.init, lab.serve, flush=True)
input()
"""


@pytest.mark.usefixtures("lab")
def test_a_lab_ends_with_the_test_run_that_started_it_however_that_ends() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None and owner.stdin is not None
    state, init, serve = owner.stdout.readline().decode().split()
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    _wait_until("all processes gone", lambda: _namespace(int(init)) is None)
    _wait_until("all files gone", lambda: not Path(state).exists())
    assert not _cgroups(int(serve))


def _namespace(pid: int) -> str | None:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/net")
    return None


@pytest.mark.parametrize("name", ["bash", "dash", "busybox"])
def test_a_throwaway_sshd_answers_with_the_shell_that_was_asked_for(
    sshd: StartSshd, shells: dict[str, Shell], name: str
) -> None:
    server = sshd(shell=shells[name])
    asked = server.ssh(
        "/bin/sh -c 'echo bash=${BASH_VERSION:+yes}; (help 2>&1 || true) | head -n 1';"
        ' echo "$HOME"; pwd; command -v python3'
    )
    lines = asked.stdout.splitlines()
    assert lines[0] == ("bash=yes" if name == "bash" else "bash=")
    assert ("Built-in" in asked.stdout) == (name == "busybox")
    assert lines.count(str(server.home)) == 2
    assert ("python3" in asked.stdout) == (name != "busybox")


def test_cockpit_can_read_the_config_that_the_lab_writes(lab: Lab, tmp_path: Path) -> None:
    config = load(lab.write_config(tmp_path))
    assert config.hosts["prod-1"].workdir == lab.workdir
    assert config.ssh_config == lab.ssh_config


def test_a_throwaway_sshd_comes_back_on_its_port_and_takes_extra_config(sshd: StartSshd) -> None:
    server = sshd(extra_config="MaxSessions 1\nSetEnv COLOUR=teal")
    assert server.ssh("echo $COLOUR; exit 7").stdout == "teal\n"
    assert server.ssh("exit 7").returncode == 7
    server.stop()
    assert server.ssh("true").returncode == 255
    server.start()
    assert server.ssh("true").returncode == 0


def test_another_host_key_is_refused(sshd: StartSshd, tmp_path: Path) -> None:
    server, impostor = sshd(), sshd()
    config = server.client_config(tmp_path, impostor.port)
    refused = subprocess.run(
        ["ssh", "-F", str(config), server.host, "true"], capture_output=True, text=True
    )
    assert refused.returncode == 255
    assert "HAS CHANGED" in refused.stderr


@contextlib.asynccontextmanager
async def echo_through_proxy() -> AsyncIterator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


async def says(reader: asyncio.StreamReader, count: int, within: float = 30) -> bytes | None:
    """The next bytes, or None when they do not come in time."""
    try:
        return await asyncio.wait_for(reader.readexactly(count), within)
    except TimeoutError:
        return None


async def test_the_proxy_counts_what_passes_and_hands_on_the_end() -> None:
    async with echo_through_proxy() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        payload = os.urandom(3_000_000)
        writer.write(payload)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(-1), 30) == payload
        assert (proxy.bytes_up, proxy.bytes_down, proxy.accepted) == (3_000_000, 3_000_000, 1)
        writer.close()


@pytest.mark.parametrize("side", ["both", "up", "down"])
async def test_a_stalled_link_is_silent_and_loses_nothing(side: str) -> None:
    async with echo_through_proxy() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.stall(side)  # type: ignore[arg-type]
        writer.write(b"ping")
        assert await says(reader, 4, within=0.1) is None
        late_reader, late_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        late_writer.write(b"late")
        assert await says(late_reader, 4, within=0.1) is None
        came = 8 if side == "down" else 0
        async with asyncio.timeout(30):
            while proxy.bytes_down < came:
                await asyncio.sleep(0.01)
        assert proxy.bytes_down == came
        proxy.restore()
        assert await says(reader, 4) == b"ping"
        assert await says(late_reader, 4) == b"late"
        writer.close()
        late_writer.close()


@pytest.mark.parametrize("how", ["rst", "fin"])
async def test_a_cut_link_breaks_and_refuses_until_it_is_restored(how: str) -> None:
    async with echo_through_proxy() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"ping")
        assert await says(reader, 4) == b"ping"
        await proxy.cut(how)  # type: ignore[arg-type]
        if how == "rst":
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 30)
        else:
            assert await asyncio.wait_for(reader.read(), 30) == b""
        assert proxy.open == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        port = proxy.port
        proxy.restore()
        assert proxy.port == port
        again_reader, again_writer = await asyncio.open_connection("127.0.0.1", port)
        again_writer.write(b"back")
        assert await says(again_reader, 4) == b"back"
        again_writer.close()
        writer.close()


async def test_a_slow_link_delays_each_way_and_keeps_order() -> None:
    async with echo_through_proxy() as proxy:
        proxy.delay(500)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        began = time.monotonic()
        for number in range(10):
            writer.write(b"%d" % number)
            await asyncio.sleep(0.002)
        assert await says(reader, 10) == b"0123456789"
        assert 1.0 <= time.monotonic() - began < 9.0, "one round trip, not one for each byte"
        writer.close()


async def test_ssh_goes_through_the_proxy_and_dies_with_it(lab: Lab, tmp_path: Path) -> None:
    async with lab.proxy() as proxy:
        config = lab.client_config(tmp_path, proxy.port)
        command = ["ssh", "-F", str(config), lab.name, "echo here; sleep 60"]
        client = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert client.stdout is not None
        assert await asyncio.wait_for(client.stdout.readline(), 60) == b"here\n"
        await proxy.cut()
        assert await asyncio.wait_for(client.wait(), 60) == 255


INNER = """
def test_needs_the_lab(lab):
    pass
def test_needs_it_too(service):
    pass
"""


@pytest.fixture
def inner_run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run two lab tests on a machine that has no sqlite3, docker, ... and see what pytest says."""
    test = tmp_path / "test_inner.py"
    test.write_text(INNER)

    def run(**env: str) -> subprocess.CompletedProcess[str]:
        plugin = "import tests.lab.lab as l; l.NEEDED += ' no-such-program'; import pytest, sys;"
        options = ["-q", "-p", "tests.lab.fixtures", "-p", "no:cacheprovider", "-c", "/dev/null"]
        return subprocess.run(
            [sys.executable, "-c", f"{plugin} sys.exit(pytest.main({[*options, str(test)]!r}))"],
            cwd=ROOT,
            env=os.environ | {"CI": "", "PYTEST_ADDOPTS": ""} | env,
            capture_output=True,
            text=True,
        )

    return run


def test_what_could_not_start_is_said_in_the_last_lines(
    inner_run: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    skipped = inner_run()
    assert skipped.returncode == 0
    assert re.search(
        r"NOT TESTED: 2 tests need the lab .*no-such-program", skipped.stdout.split("!!!!")[-1]
    )


def test_in_ci_what_could_not_start_fails(
    inner_run: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    failed = inner_run(CI="true")
    assert failed.returncode == 1
    assert "2 errors" in failed.stdout
