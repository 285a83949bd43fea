"""What a check says of hosts that do not simply let one in: real servers, nobody to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.config import Config
from cockpit.config import Host as Known
from cockpit.oncall import checks, there
from cockpit.oncall.model import Handbook
from cockpit.oncall.result import Check, Mark, Result
from tests.lab.fixtures import StartSshd
from tests.lab.proxy import Proxy
from tests.oncall.test_checks import NOW

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


async def asked(config: Config, seconds: float) -> dict[str, Result]:
    def plan(ground: there.Ground) -> list[Check]:
        return checks.plan(ground, Handbook(), NOW)

    results = await there.ask_all(config, "sam", plan, seconds=seconds)
    return {one.name: one for one in results}


async def test_a_silent_host_an_unknown_key_and_one_that_is_well(
    tmp_path: Path, sshd: StartSshd
) -> None:
    server = sshd()
    async with Proxy("127.0.0.1", server.port) as proxy:
        text = server.client_config(tmp_path, server.port).read_text()
        assert server.host in text
        stranger = tmp_path / "stranger"
        stranger.write_text("")
        silent = text.replace(str(server.port), str(proxy.port)).replace(server.host, "silent")
        known = next(line for line in text.splitlines() if "UserKnownHostsFile" in line)
        unknown = text.replace(server.host, "unknown").replace(
            known, f"  UserKnownHostsFile {stranger}"
        )
        config = tmp_path / "all"
        config.write_text(text + silent + unknown)
        proxy.stall()
        hosts = {name: Known(ssh=name) for name in ("silent", "unknown")}
        hosts["well"] = Known(ssh=server.host)
        found = await asked(Config(hosts=hosts, ssh_config=config), 30.0)
    assert found["well: SSH"].mark is Mark.OK, found["well: SSH"]
    assert found["well: clock"].said == "has the time of this machine"
    assert found["silent: SSH"].mark is Mark.BAD
    assert "does not answer" in found["silent: SSH"].said
    assert found["unknown: SSH"].mark is Mark.BAD
    assert "key" in found["unknown: SSH"].said and "ssh" in found["unknown: SSH"].said
    assert found["unknown: clock"].said == "not asked: unknown cannot be reached"
    assert found["well: SSH"].seconds < found["silent: SSH"].seconds
