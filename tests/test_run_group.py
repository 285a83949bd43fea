"""`cockpit run --label`: one host first, then a few at a time, each line with its host."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.lab.fixtures import StartSshd
from tests.plain_cli import Far, ended, ground

pytestmark = pytest.mark.anyio
WEB = ("run", "--label", "web")


@pytest.fixture
async def far(tmp_path: Path, sshd: StartSshd) -> AsyncIterator[Far]:
    """web-1 to web-3, of which web-2 is behind the proxy."""
    async with ground(tmp_path, sshd) as made:
        direct = made.server.ssh_config.read_text().replace(
            f"Host {made.server.host}", "Host direct"
        )
        config = tmp_path / "ssh_config"
        config.write_text(config.read_text() + direct)
        hosts = {"web-1": "direct", "web-2": made.server.host, "web-3": "direct"}
        lines = [f"  {name}: {{ssh: {alias}, labels: [web]}}" for name, alias in hosts.items()]
        (tmp_path / "cockpit.yaml").write_text(
            "\n".join([f"ssh_config: {config}", "hosts:", *lines, "  db-1: {labels: [db]}", ""])
        )
        yield made


def rows(err: str) -> list[str]:
    """The summary, without how long it took and which jobs they were."""
    lines = err.strip().split("\n")[-4:]
    return [re.sub(r"  +\d.*|  +job .*", "", line).rstrip() for line in lines]


async def test_all_of_a_group_and_each_line_says_whose_it_is(far: Far) -> None:
    done = await far.call(*WEB, "--", "printf 'a\\nb'; echo; pwd")
    assert done.status == 0
    lines = done.out.decode().split("\n")[:-1]
    home = str(far.server.home)
    assert lines[:3] == ["web-1: a", "web-1: b", f"web-1: {home}"]
    assert sorted(lines) == [f"web-{n}: {x}" for n in (1, 2, 3) for x in sorted(["a", "b", home])]
    assert rows(done.err) == ["web-1  ok", "web-2  ok", "web-3  ok", "3 hosts: 3 ok"]
    assert next(run.asked.host for run in far.kept().runs.values()) == "web-1"
    assert len(far.kept().runs) == 3


async def test_it_stops_at_a_failure_and_says_where_it_did_not_run(far: Far) -> None:
    command = "mkdir once || exit 3"
    done = await far.call(*WEB, "--batch", "1", "--confirm", "change:3", command)
    assert done.status == 1
    assert rows(done.err) == [
        "web-1  ok",
        "web-2  exit 3",
        "web-3  not run",
        "3 hosts: 1 ok, 1 failed, 1 not run",
    ]
    assert len(far.kept().runs) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["touch x"], 126, "--confirm change:3"),
        (["--confirm", "change:2", "touch x"], 126, "--confirm change:3"),
        (["--confirm", "change:3", "rm -rf x"], 126, "--confirm destroy:3"),
        (["--confirm", "destroy:web-1", "rm -rf x"], 125, "with the number of hosts"),
        (["ls <FILE>"], 126, "<FILE>"),
        (["top"], 126, "It needs a terminal of its own"),
        (["--host", "db-1", "true"], 125, "--host and --label"),
    ],
)
async def test_the_gate_asks_once_for_the_number_of_hosts(
    far: Far, arguments: list[str], status: int, told: str
) -> None:
    done = await far.call(*WEB, *arguments)
    assert (done.status, told in done.err) == (status, True), done
    # It may have begun to connect by then; nothing is on the host.
    assert far.folders() == []


async def test_a_host_out_of_reach_is_told_before_anything_runs(far: Far) -> None:
    await far.proxy.cut()
    change = (*WEB, "--confirm", "change:3")
    done = await far.call(*change, "touch x")
    assert done.status == 125
    assert "Nothing was run: 1 of 3 hosts cannot be used" in done.err
    assert done.err.endswith("To run it on the others, give --stop-after 2\n")
    assert not (far.server.home / "x").exists()
    done = await far.call(*change, "--stop-after", "2", "touch x")
    assert done.status == 1
    assert rows(done.err)[-1] == "3 hosts: 2 ok, 1 out of reach"


async def test_ctrl_c_stops_the_group_and_a_lost_link_loses_nothing(far: Far) -> None:
    waits = "test <host> = web-1 || until [ -e go ]; do sleep 0.1; done"
    process = await far.start(*WEB, "--", f"echo begun; {waits}; echo ended")
    assert process.stdout and process.stderr
    async with asyncio.timeout(60):
        while await process.stdout.readline() != b"web-2: begun\n":
            assert not process.stdout.at_eof()
        await far.proxy.drop()
        lost = b"web-2: link lost, the command goes on there; trying again\n"
        while await process.stderr.readline() != lost:
            assert not process.stderr.at_eof()
    (far.server.home / "go").touch()
    done = await ended(process)
    assert b"web-2: ended\n" in done.out
    assert done.status == 0
    process = await far.start(*WEB, "--", "echo begun; sleep 60")
    assert process.stdout
    assert await process.stdout.readline() == b"web-1: begun\n"
    process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert done.status == 1
    assert rows(done.err) == [
        "web-1  stopped",
        "web-2  not run",
        "web-3  not run",
        "3 hosts: 1 stopped, 2 not run",
    ]
    assert await far.jobs() == []
