"""Where the engine is looked for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cockpit.containers.address import Address, BadAddress, find


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOST", "CONTEXT", "CERT_PATH", "TLS_VERIFY"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def test_what_is_configured_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    assert find("/run/d.sock", local=True) == Address(path="/run/d.sock")
    assert find("unix:///run/d.sock", local=False) == Address(path="/run/d.sock")
    assert find("tcp://h:2375", local=False) == Address(url="http://h:2375")


def test_the_environment_speaks_for_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    assert find("", local=True) == Address(path="/elsewhere")
    assert find("", local=False) == Address(path="/var/run/docker.sock")


def test_tls_uses_the_certificates_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").touch()
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    wanted = Address(url="https://h:2376", ca=str(tmp_path / "ca.pem"))
    assert find("tcp://h:2376", local=True) == wanted


def test_the_chosen_docker_context_is_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"currentContext": "desk"}')
    folder = tmp_path / "contexts/meta" / hashlib.sha256(b"desk").hexdigest()
    folder.mkdir(parents=True)
    endpoints = {"docker": {"Host": "unix:///desk.sock", "SkipTLSVerify": False}}
    (folder / "meta.json").write_text(
        json.dumps({"Name": "desk", "Metadata": {}, "Endpoints": endpoints})
    )
    monkeypatch.setattr("docker.context.config.get_context_dir", lambda: str(tmp_path / "contexts"))
    assert find("", local=True) == Address(path="/desk.sock")


def test_a_context_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    with pytest.raises(BadAddress, match=r"docker context 'gone'.*docker context ls"):
        find("", local=True)


def test_a_rootless_socket_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker.sock").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("cockpit.containers.address.USUAL", str(tmp_path / "none"))
    assert find("", local=True) == Address(path=str(tmp_path / "docker.sock"))


@pytest.mark.parametrize(
    "wrong", ["unix:foo", "docker.sock", "tcp://", "ftp://h:1", "tcp://h:port"]
)
def test_a_wrong_address_says_what_it_must_be(wrong: str) -> None:
    with pytest.raises(BadAddress, match="it must be a path such as"):
        find(wrong, local=False)


def test_an_ssh_address_points_to_the_host_option() -> None:
    with pytest.raises(BadAddress, match="--host prod-1 instead"):
        find("ssh://me@prod-1", local=True)
