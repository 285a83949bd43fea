"""A host resolves the same with and without the ssh program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cockpit.target.ssh_config import SshHost, resolve, split_jump
from cockpit.target.target import LinkDown

pytestmark = pytest.mark.anyio

CONFIG = """
Host prod-1
  HostName 10.0.0.7
  Port 2222
  User ops
  HostKeyAlias the-db
  IdentityFile {here}/%h.key
  IdentitiesOnly yes
  IdentityAgent {here}/agent
  ProxyJump jo@bastion:2200,second
  UserKnownHostsFile {here}/known {here}/more
  GlobalKnownHostsFile none
  ConnectTimeout 7
Host piped
  ProxyCommand nc %h %p
"""


@pytest.fixture(params=["with ssh", "without ssh"])
def config(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "without ssh":
        monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "config"
    path.write_text(CONFIG.format(here=tmp_path))
    return path


async def test_every_setting_we_use_is_read(config: Path, tmp_path: Path) -> None:
    assert await resolve("prod-1", config=config) == SshHost(
        asked="prod-1",
        address="10.0.0.7",
        port=2222,
        user="ops",
        key_alias="the-db",
        identities=(tmp_path / "10.0.0.7.key",),
        certificates=(),
        identities_only=True,
        agent=str(tmp_path / "agent"),
        known_hosts=(tmp_path / "known", tmp_path / "more"),
        jumps=("jo@bastion:2200", "second"),
        proxy_command="",
        timeout_s=7,
    )


async def test_what_is_asked_for_wins_over_the_configuration(config: Path) -> None:
    host = await resolve("prod-1", user="root", port=22, config=config)
    assert (host.user, host.port) == ("root", 22)


async def test_a_host_without_an_entry_has_the_defaults(config: Path) -> None:
    host = await resolve("someone@192.0.2.1", config=config)
    assert (host.address, host.port, host.user) == ("192.0.2.1", 22, "someone")
    assert host.key_name == "192.0.2.1"
    assert (host.jumps, host.proxy_command, host.agent) == (
        (),
        "",
        os.environ.get("SSH_AUTH_SOCK", ""),
    )
    assert any(path.name == "id_ed25519" for path in host.identities)
    assert any(path.name == "known_hosts" for path in host.known_hosts)


async def test_a_proxy_command_has_its_tokens_filled_in(config: Path) -> None:
    assert (await resolve("piped", config=config)).proxy_command == "nc piped 22"


async def test_a_host_that_looks_like_an_option_is_only_a_host(config: Path) -> None:
    try:
        host = await resolve("-oProxyCommand=touch /tmp/x", config=config)
    except LinkDown:
        return
    assert host.proxy_command == ""


@pytest.mark.parametrize(
    ("spec", "hop"),
    [
        ("bastion", ("bastion", "", None)),
        ("jo@bastion:2200", ("bastion", "jo", 2200)),
        ("jo@[2001:db8::1]:22", ("2001:db8::1", "jo", 22)),
        ("ssh://jo@bastion:2200", ("bastion", "jo", 2200)),
        ("2001:db8::1", ("2001:db8::1", "", None)),
    ],
)
def test_a_jump_is_taken_apart(spec: str, hop: tuple[str, str, int | None]) -> None:
    assert split_jump(spec) == hop
