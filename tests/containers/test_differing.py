"""A container beside its Compose file, with a real Compose."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from cockpit.containers import details, differing
from cockpit.containers.actions import Project, project
from cockpit.containers.details import Detail
from cockpit.containers.differing import Compared
from cockpit.containers.engine import Engine
from cockpit.runbook.model import Risk
from cockpit.runbook.shell import judge
from cockpit.target.target import Local
from cockpit.text import Safe
from tests.containers.conftest import Dockerd

pytestmark = [pytest.mark.anyio, pytest.mark.docker, pytest.mark.usefixtures("patient")]

FILE = """
services:
  web:
    image: t:1
    network_mode: none
    stop_grace_period: 0s
    command: ["sh", "-c", "echo $$HOME; sleep 99"]
    environment: {NODE_ENV: production, STRIPE_KEY: sk_live_abcdefghijklmnop12345, GONE: "1"}
    volumes: ["./data:/data:ro", "cache:/cache"]
    restart: unless-stopped
    mem_limit: 32m
volumes: {cache: {}}
"""


class Shop:
    """A project of one service on a real engine."""

    def __init__(self, dockerd: Dockerd, folder: Path) -> None:
        self.docker = f"docker -H unix://{dockerd.socket}"
        self.engine = Engine(Local(), str(dockerd.socket))
        self.file = folder / "compose.yaml"
        (folder / "data").mkdir()
        self.file.write_text(FILE)
        flags = Project("shop", "web", str(folder), (str(self.file),)).command
        subprocess.run(f"{self.docker} {flags} up -d", shell=True, check=True, capture_output=True)

    async def look(self) -> Detail:
        found = await details.look(self.engine, "shop-web-1")
        assert found.about.value, found.about.trouble
        return found

    async def compare(self) -> Compared:
        found = await self.look()
        assert found.about.value
        command = differing.command(self.docker, project(dict(found.about.value.labels)))
        assert judge(command).risk is Risk.READ
        done = await asyncio.to_thread(
            subprocess.run, command, shell=True, capture_output=True, text=True
        )
        said = done.stderr + done.stdout
        return differing.compare(said, "web", found.about.value, found.image.value)


async def test_what_was_edited_since_is_told_and_no_secret_with_it(
    dockerd: Dockerd, tmp_path: Path
) -> None:
    shop = Shop(dockerd, tmp_path)
    same = await shop.compare()
    assert same == Compared(True, ())
    assert "was made from what its Compose file says" in differing.words(same, Safe("web"))

    edited = (
        FILE.replace("sleep 99", "sleep 98")
        .replace("production", "staging")
        .replace("abcdefghijklmnop", "zzzzzzzzzzzzzzzz")
        .replace(', GONE: "1"', ', NEW: "${WHO}"')
        .replace("/data:ro", "/data")
        .replace("unless-stopped", "always")
        .replace("32m", "64m")
    )
    shop.file.write_text(edited)
    compared = await shop.compare()
    await shop.engine.close()
    assert compared.same is False
    told = {str(one.what): (one.here, one.there) for one in compared.differences}
    assert told["variable NODE_ENV"] == ("production", "staging")
    assert told["variable STRIPE_KEY"] == ("<hidden>", "<hidden>")
    assert told["variable GONE"] == ("<hidden>", "(not there)")
    assert told["variable NEW"] == ("(not there)", "<empty>")
    assert told["restart policy"] == ("unless-stopped", "always")
    assert told["memory limit"] == ("32.0 MiB", "64.0 MiB")
    assert told["command"] == ("sh -c echo $HOME; sleep 99", "sh -c echo $HOME; sleep 98")
    mounts = [one.here for one in compared.differences if one.what == "mount"]
    assert f"{tmp_path}/data -> /data, read only" in mounts
    assert compared.unset == ("WHO",)
    words = differing.words(compared, Safe("web"))
    assert "sk_live" not in words
    assert "compose up -d" in words
    assert "No value is known here for WHO" in words


async def test_what_is_no_answer_of_compose_is_said_as_it_came(
    dockerd: Dockerd, tmp_path: Path
) -> None:
    shop = Shop(dockerd, tmp_path)
    shop.file.write_text("services: {web: {image: [}")
    with pytest.raises(differing.Unread, match="yaml"):
        await shop.compare()
    shop.file.unlink()
    with pytest.raises(differing.Unread, match="no such file") as twice:
        await shop.compare()
    assert str(twice.value).count("no such file") == 1, "it is asked twice, and said once"
    found = await shop.look()
    await shop.engine.close()
    assert found.about.value
    for said in ("", "{}", '{"services": []}', "\x1b]52;c;x\x07 {", '{"services": {"web": 3}}'):
        with pytest.raises(differing.Unread) as wrong:
            differing.compare(said, "web", found.about.value, None)
        assert "\x1b" not in str(wrong.value)
    odd = '{"services": {"web": {"ports": 3, "environment": [1]}}}'
    with pytest.raises(differing.Unread):
        differing.compare(odd, "web", found.about.value, None)
