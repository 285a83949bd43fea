"""The engine's API over a dialed connection, and every way in which it can be out of reach."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

import pytest

from cockpit.containers import engine as engines
from cockpit.containers.engine import Engine, EngineTrouble, NoSuchContainer
from cockpit.containers.stats import sample
from cockpit.containers.wire import Stats
from cockpit.target.target import Local
from cockpit.text import Safe
from tests.containers.conftest import Dockerd

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patient")]

CONTAINER = "a" * 64


@contextlib.asynccontextmanager
async def engine_at(path: Path | str) -> AsyncIterator[Engine]:
    engine = Engine(Local(), str(path))
    try:
        yield engine
    finally:
        await engine.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def server_of(bodies: Mapping[str, bytes]) -> tuple[Serve, list[str]]:
    """Answers each request with the body of the last word of its path; and what was asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split()[1].decode()
                asked.append(path)
                body = bodies.get(path.partition("?")[0].rpartition("/")[2], b"")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    return serve, asked


@contextlib.asynccontextmanager
async def answering(path: Path, **bodies: bytes) -> AsyncIterator[tuple[Engine, list[str]]]:
    """An engine at a server that answers with these bodies, and the paths that were asked."""
    serve, asked = server_of(bodies)
    server = await asyncio.start_unix_server(serve, str(path))
    async with engine_at(path) as engine:
        yield engine, asked
    server.close()


async def trouble_of(engine: Engine) -> str:
    with pytest.raises(EngineTrouble) as caught:
        await engine.list()
    return str(caught.value)


@pytest.mark.docker
async def test_an_engine_tells_its_version_containers_and_details(dockerd: Dockerd) -> None:
    identity = dockerd.run("web", "sleep 99", "--label", "com.docker.compose.service=api")
    dockerd.docker("create", "--name", "idle", "t:1", "sh")
    async with engine_at(dockerd.socket) as engine:
        assert (await engine.version()).api_version == "1.41"
        assert {(row.names or [""])[0]: row.state for row in await engine.list()} == {
            "/web": "running",
            "/idle": "created",
        }
        assert [row.id for row in await engine.list(all=False)] == [identity]
        assert (await engine.inspect("web")).id == identity
        assert await engine.named(["api"]) == ["web"]
        assert sorted(await engine.named("*")) == ["idle", "web"]
        with pytest.raises(NoSuchContainer):
            await engine.inspect("nope")
        with pytest.raises(NoSuchContainer):
            await engine.inspect("../../version?x=")


@pytest.mark.docker
async def test_numbers_are_those_of_docker_stats(dockerd: Dockerd) -> None:
    # A fifth of a core: so much it gets though others use this machine too.
    load = "x=$(yes | head -c 3000000 | tr -d '\\n'); echo busy; while :; do :; done"
    dockerd.run("busy", load, "-m", "64m", "--cpus", "0.2")
    await asyncio.to_thread(dockerd.wrote, "busy", "busy")
    shape = "{{.CPUPerc}} {{.MemPerc}} {{.PIDs}}"
    command = ["docker", "-H", f"unix://{dockerd.socket}", "stats", "--no-stream"]
    async with engine_at(dockerd.socket) as engine, asyncio.timeout(60):
        while True:
            samples = []
            previous: Stats | None = None
            async with aclosing(engine.stats_stream("busy")) as stream:
                async for raw in stream:
                    samples.append(sample(previous, raw, time.monotonic()))
                    previous = raw
                    if len(samples) == 3:
                        break
            process = await asyncio.create_subprocess_exec(
                *command, "--format", shape, stdout=asyncio.subprocess.PIPE
            )
            cpu, memory, pids = (await process.communicate())[0].decode().split()
            assert samples[0] is not None and samples[0].cpu_percent is None
            last = samples[-1]
            assert last is not None and last.cpu_percent is not None
            theirs = float(cpu.rstrip("%"))
            # Not of the same second: in one of them others may have left it nothing.
            if last.cpu_percent > 5 and last.cpu_percent == pytest.approx(theirs, abs=12):
                break
    assert last.memory_limit == 64 << 20
    percent = 100 * last.memory / last.memory_limit
    assert percent == pytest.approx(float(memory.rstrip("%")), abs=2)
    assert percent > 2
    assert last.pids == int(pids)


@pytest.mark.docker
async def test_many_streams_and_short_calls_share_the_engine(dockerd: Dockerd) -> None:
    dockerd.run("web", "sleep 99")
    async with engine_at(dockerd.socket) as engine:

        async def first() -> Stats:
            async with aclosing(engine.stats_stream("web")) as stream:
                return await anext(stream)

        got = await asyncio.gather(*(first() for _ in range(40)), engine.list())
        assert len(got) == 41


async def test_no_socket_says_what_to_start_or_set() -> None:
    async with engine_at("/nowhere/docker.sock") as engine:
        said = await trouble_of(engine)
    assert said.startswith("No Docker at this machine: /nowhere/docker.sock is not there.")
    assert "set docker: in cockpit.yaml" in said


async def test_a_socket_that_nobody_serves_says_docker_is_not_running(short_folder: Path) -> None:
    path = short_folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left:  # asyncio's server of 3.13 would take it away
        left.bind(str(path))
    async with engine_at(path) as engine:
        said = await trouble_of(engine)
    assert "is not running" in said
    assert "systemctl start docker" in said


@pytest.mark.root
@pytest.mark.docker
async def test_without_permission_it_names_the_group_that_has_it(dockerd: Dockerd) -> None:
    dockerd.folder.chmod(0o755)
    ask = (
        "import asyncio; from cockpit.target.target import Local\n"
        "from cockpit.containers.engine import Engine, EngineTrouble\n"
        "async def main():\n"
        f"    try: await Engine(Local(), {str(dockerd.socket)!r}).list()\n"
        "    except EngineTrouble as trouble: print(trouble)\n"
        "asyncio.run(main())"
    )
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    process = await asyncio.create_subprocess_exec(
        *nobody, sys.executable, "-c", ask, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    said = (await process.communicate())[0].decode()
    group, gid = dockerd.socket.group(), dockerd.socket.stat().st_gid
    assert said.startswith("No permission for Docker at this machine")
    assert f"Ask to be put in group {group} (gid {gid}), or set docker: in cockpit.yaml" in said
    assert "sudo -n docker" in said


@pytest.mark.docker
async def test_a_socket_that_is_shut_is_reached_through_the_docker_command(
    dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a host whose sshd forwards no sockets: dialing fails, the command there does not."""
    dockerd.run("web", "sleep 99")
    target = Local()

    async def forbidden(path: str) -> None:
        raise OSError("open failed: administratively prohibited")

    monkeypatch.setattr(target, "dial", forbidden)
    engine = Engine(target, str(dockerd.socket))
    rows = await asyncio.gather(*(engine.list() for _ in range(3)))
    assert [len(row) for row in rows] == [1, 1, 1]
    assert engine.through == "docker"
    async with aclosing(engine.stats_stream("web")) as stream:
        assert (await anext(stream)).memory_stats.limit > 0
    await engine.close()


@pytest.mark.docker
async def test_a_hung_engine_is_not_waited_for(
    dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_at(dockerd.socket) as engine:
        await engine.version()
        dockerd.hang()
        monkeypatch.setattr(engines, "ANSWER_WITHIN", 5.0)
        began = time.monotonic()
        said = await trouble_of(engine)
        assert "has not answered within 5 s" in said
        assert time.monotonic() - began < 40
        dockerd.resume()
        monkeypatch.setattr(engines, "ANSWER_WITHIN", 60.0)
        assert await engine.list() == ()


async def test_the_api_version_is_the_lower_of_both_and_not_below_theirs(
    short_folder: Path,
) -> None:
    for theirs, least, wanted in (
        ("1.41", "1.12", "/v1.41/"),
        ("1.51", "1.24", "/v1.47/"),
        ("1.60", "1.50", "/v1.50/"),
    ):
        version = f'{{"Version":"9","ApiVersion":"{theirs}","MinAPIVersion":"{least}"}}'.encode()
        path = short_folder / theirs
        async with answering(path, version=version, json=b"[]") as (engine, asked):
            assert await engine.list() == ()
            assert asked[:2] == ["/_ping", "/version"]
            assert asked[2].startswith(wanted)


async def test_too_old_an_engine_says_which_would_do(short_folder: Path) -> None:
    version = b'{"Version":"1.13","ApiVersion":"1.26","MinAPIVersion":"1.12"}'
    async with answering(short_folder / "s", version=version) as (engine, _):
        said = await trouble_of(engine)
    assert "is too old: API 1.26" in said
    assert "1.41 (Docker 20.10) or later" in said


@pytest.mark.parametrize(
    "junk", [b"\x1b]52;c;aGk=\x07{", b"[1]", b"", b'{"ApiVersion":1}', b"\xff"]
)
async def test_garbage_is_a_trouble_and_is_cleaned(short_folder: Path, junk: bytes) -> None:
    async with answering(short_folder / "s", version=junk) as (engine, _):
        said = await trouble_of(engine)
    assert "is not Docker's API" in said
    assert "\x1b" not in said and "\x07" not in said


async def test_what_does_not_speak_http_is_a_trouble(short_folder: Path) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    server = await asyncio.start_unix_server(shout, str(short_folder / "s"))
    async with engine_at(short_folder / "s") as engine:
        assert "ended the connection" in await trouble_of(engine)
    server.close()


async def test_an_engine_on_tcp_is_reached_with_tls_and_only_with_the_right_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (
        "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    for folder in ("ours", "other"):
        (tmp_path / folder).mkdir()
        made = await asyncio.create_subprocess_exec(*command.split(), cwd=tmp_path / folder)
        assert await made.wait() == 0
        (tmp_path / folder / "ca.pem").symlink_to("cert.pem")
    ours = tmp_path / "ours"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ours / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(ours / "cert.pem", ours / "key.pem")
    bodies = {"version": b'{"Version":"9","ApiVersion":"1.45"}', "json": b"[]"}
    serve, _ = server_of(bodies)
    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    address = f"tcp://localhost:{server.sockets[0].getsockname()[1]}"
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(ours))
    async with engine_at(address) as engine:
        assert await engine.list() == ()
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "other"))
    async with engine_at(address) as engine:
        assert "CERTIFICATE_VERIFY_FAILED" in await trouble_of(engine)
    (tmp_path / "other/key.pem").write_text("not a key")
    async with engine_at(address) as engine:
        assert "certificates for Docker cannot be used" in await trouble_of(engine)
    server.close()


async def test_names_of_the_engine_are_safe_text() -> None:
    assert isinstance(Engine(Local()).where, Safe)
