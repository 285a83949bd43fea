"""What OpenSSH's configuration and its keys can do, done here too; and what cannot be, said."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.target import ssh_config
from cockpit.target.ssh import SshTarget
from cockpit.target.target import LinkState
from tests.lab.fixtures import StartSshd, not_tested
from tests.target.ground import Lab, Sshd, free_port, keygen, ssh_agent, until
from tests.target.login_ground import Person, config, down, linked, says, up

pytestmark = pytest.mark.anyio
SECURITY_KEY = Path("/usr/local/lib/cockpit-lab/sk-dummy.so")
MEND = "To have OpenSSH do it: set transport: openssh for prod-1 in cockpit.yaml"


@pytest.fixture(params=["", "openssh"])
def transport(request: pytest.FixtureRequest) -> str:
    """Ours, and OpenSSH's own: both have to do it."""
    return str(request.param)


def entry(port: int, *lines: str) -> str:
    return "\n  ".join(["Host prod-1", "HostName 127.0.0.1", f"Port {port}", *lines])


def fresh(lab: Lab, name: str) -> Path:
    place = lab.home / f"{name}{time.monotonic_ns()}"
    place.mkdir()
    return place


def started(lab: Lab, key: Path, extra: str = "", host_key: Path | None = None) -> Sshd:
    """A server of its own that lets in one key."""
    place = fresh(lab, "sshd")
    if host_key is not None:
        for end in ("", ".pub"):
            (place / f"host_key{end}").write_bytes(Path(f"{host_key}{end}").read_bytes())
        (place / "host_key").chmod(0o600)
    server = Sshd(place, free_port(), key, extra)
    server.start()
    lab.servers.append(server)
    return server


async def sign(authority: Path, public: Path, *options: str) -> Path:
    """A certificate beside a public key, as an authority's ssh-keygen makes it."""
    words = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *options, str(public)]
    await asyncio.to_thread(subprocess.run, words, check=True)
    return public.with_name(public.name.removesuffix(".pub") + "-cert.pub")


@pytest.fixture
def agent(lab: Lab) -> Iterator[Path]:
    with ssh_agent(lab.home / f"a{time.monotonic_ns()}") as path:
        yield path


async def add(agent: Path, key: Path) -> None:
    words = ["ssh-add", "-q", str(key)]
    environ = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    await asyncio.to_thread(subprocess.run, words, check=True, env=environ)


# -- the way there ---------------------------------------------------------------------------------


async def test_an_alias_with_include_match_and_a_jump_over_two_hosts(
    lab: Lab, server: Sshd, transport: str
) -> None:
    outer, inner = lab.sshd(), lab.sshd()
    place = fresh(lab, "conf")
    (place / "hops").write_text(
        f"Host outer\n  HostName 127.0.0.1\n  Port {outer.port}\n"
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  ProxyJump outer\n"
    )
    path = lab.config(
        f"Include {place}/hops",
        f"Match host prod-1 exec true\n  HostName 127.0.0.1\n  Port {server.port}\n"
        "  ProxyJump inner",
        "Match host prod-1 exec false\n  Port 1",
    )
    async with linked(path, None, transport=transport) as target:
        await up(target)
        assert await says(target, "echo $HOME\n") == f"{server.home}\n"
    for hop in (outer, inner):
        assert "Accepted publickey" in (hop.home / "log").read_text()


async def test_a_match_exec_that_hangs_is_ended_and_said(
    lab: Lab, server: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ssh_config, "_READ_S", 3.0)
    script = f"sh -c 'echo $$ >>{tmp_path}/pids; exec sleep 300'"
    path = lab.config(f'Match exec "{script}"\n  Port 1', entry(server.port))
    async with linked(path, None) as target:
        said = "has not ended after 3 s: a `Match exec` in the ssh configuration hangs"
        await until(lambda: said in target.link.reason)
        assert target.link.state is LinkState.LOST
    # One for each attempt.
    pids = (tmp_path / "pids").read_text().split()
    assert pids
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


# -- who we are ------------------------------------------------------------------------------------


async def test_a_user_certificate_opens_the_door(lab: Lab, transport: str) -> None:
    """Beside its key; named by CertificateFile; with the key in the agent."""
    place = fresh(lab, "cert")
    authority, key = keygen(place / "ca"), keygen(place / "me")
    certificate = await sign(authority, place / "me.pub", "-n", "root,ops")
    nobody = keygen(place / "nobody")
    server = started(lab, nobody, f"TrustedUserCAKeys {place}/ca.pub")
    async with linked(lab.config(entry(server.port), key=key), None, transport=transport) as target:
        await up(target)
    certificate.rename(place / "elsewhere-cert.pub")
    named = f"CertificateFile {place}/elsewhere-cert.pub"
    path = lab.config(entry(server.port, named), key=key)
    async with linked(path, None, transport=transport) as target:
        await up(target)
    async with linked(lab.config(entry(server.port), key=key), None, transport=transport) as target:
        assert "does not let" in await down(target)
    assert "Accepted publickey" in (server.home / "log").read_text()


async def test_a_certificate_goes_with_a_key_of_the_agent_and_with_a_locked_one(
    lab: Lab, agent: Path
) -> None:
    place = fresh(lab, "cert")
    authority, key = keygen(place / "ca"), keygen(place / "me")
    await sign(authority, place / "me.pub", "-n", "root")
    server = started(lab, keygen(place / "nobody"), f"TrustedUserCAKeys {place}/ca.pub")
    (place / "agent-cert.pub").write_bytes((place / "me-cert.pub").read_bytes())
    (place / "me-cert.pub").unlink()
    await add(agent, key)
    key.unlink()  # only the agent has it now
    lines = (f"IdentityAgent {agent}", f"CertificateFile {place}/agent-cert.pub")
    async with linked(lab.config(entry(server.port, *lines), key=key), None) as target:
        await up(target)
    locked = keygen(place / "locked", passphrase="tell nobody")
    await sign(authority, place / "locked.pub", "-n", "root")
    sam = Person(["tell nobody"])
    async with linked(lab.config(entry(server.port), key=locked), sam) as target:
        await up(target)
    assert len(sam.asked) == 1


async def test_only_the_named_identity_is_offered_where_that_is_asked_for(
    lab: Lab, agent: Path, transport: str
) -> None:
    for number in range(8):
        await add(agent, keygen(fresh(lab, "key") / f"k{number}"))
    key = keygen(fresh(lab, "key") / "right")
    server = started(lab, key)
    lines = (f"IdentityAgent {agent}", "IdentitiesOnly no")
    path = lab.config(entry(server.port, *lines), key=fresh(lab, "key") / "absent")
    async with linked(path, None, transport=transport) as target:
        assert "gave up after too many keys" in await down(target)
    lines = (f"IdentityAgent {agent}", "IdentitiesOnly yes")
    path = lab.config(entry(server.port, *lines), key=key)
    async with linked(path, None, transport=transport) as target:
        await up(target)


async def test_the_agent_is_asked_before_the_responder(
    sshd: StartSshd, lab: Lab, agent: Path, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "key")
    await add(agent, key)
    words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "tell nobody", "-f", str(key)]
    await asyncio.to_thread(subprocess.run, words, check=True)
    server = sshd(user_key=key)
    path = config(server, f"IdentityFile {key}")
    path.write_text(path.read_text().replace("IdentityAgent none", f"IdentityAgent {agent}"))
    sam = Person([])
    async with linked(path, sam) as target:
        await up(target)
    assert sam.asked == []


# -- who is at the other end -----------------------------------------------------------------------


async def test_a_signed_host_key_is_believed_from_a_known_authority(
    lab: Lab, transport: str
) -> None:
    place = fresh(lab, "ca")
    authority, host_key = keygen(place / "ca"), keygen(place / "host_key")
    certificate = await sign(authority, place / "host_key.pub", "-h", "-n", "db.example")
    server = started(lab, lab.user_key, f"HostCertificate {certificate}", host_key)
    trust = "@cert-authority *.example " + (place / "ca.pub").read_text()

    def path(known: str, *lines: str) -> Path:
        return lab.config(entry(server.port, *lines), known=known)

    good = path(trust, "HostKeyAlias db.example")
    async with linked(good, None, transport=transport) as target:
        await up(target)
    plain = "db.example " + server.known_line().partition(" ")[2]
    async with linked(path(plain, "HostKeyAlias db.example"), None, transport=transport) as target:
        await up(target)  # the key itself is known, the authority is not
    other = keygen(place / "other")
    wrong = "@cert-authority *.example " + other.with_suffix(".pub").read_text()
    async with linked(path(wrong, "HostKeyAlias db.example"), None, transport=transport) as target:
        assert "is not signed by an authority of known_hosts" in await down(target)
    async with linked(path(trust, "HostKeyAlias x.example"), None, transport=transport) as target:
        said = await down(target)
        assert "certificate that does not do here" in said
    async with linked(path("", "HostKeyAlias db.example"), None, transport=transport) as target:
        assert "is not known yet" in await down(target)
    revoked = plain + "@revoked " + plain
    async with linked(
        path(revoked, "HostKeyAlias db.example"), None, transport=transport
    ) as target:
        assert "is marked as revoked" in await down(target)


async def test_hashed_names_ports_and_aliases_are_found(
    lab: Lab, server: Sshd, transport: str
) -> None:
    path = lab.config(entry(server.port))
    words = ["ssh-keygen", "-q", "-H", "-f", str(path.parent / "known_hosts")]
    await asyncio.to_thread(subprocess.run, words, check=True)
    assert "127.0.0.1" not in (path.parent / "known_hosts").read_text()
    async with linked(path, None, transport=transport) as target:
        await up(target)
    # As in OpenSSH the bare name counts where nothing is known for the port.
    bare = "127.0.0.1 " + server.known_line().partition(" ")[2]
    async with linked(lab.config(entry(server.port), known=bare), None, transport=transport) as t:
        await up(t)


# -- what only OpenSSH can do ----------------------------------------------------------------------


async def test_a_server_that_wants_kerberos_alone_is_told_apart(lab: Lab) -> None:
    extra = "GSSAPIAuthentication yes\nAuthenticationMethods gssapi-with-mic"
    server = started(lab, lab.user_key, extra)
    async with linked(lab.config(entry(server.port)), None) as target:
        said = await down(target)
        assert "it wants GSSAPI (Kerberos), or trusts hosts" in said
        assert said.endswith(MEND)


async def test_a_security_key_is_named_and_openssh_takes_it(
    request: pytest.FixtureRequest, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not SECURITY_KEY.exists():
        not_tested(request, "a security key (FIDO)", ["not installed: sk-dummy.so"])
    key = fresh(lab, "sk") / "id_ed25519_sk"
    words = ["ssh-keygen", "-q", "-t", "ed25519-sk", "-w", str(SECURITY_KEY), "-N", "", "-f"]
    await asyncio.to_thread(subprocess.run, [*words, str(key)], check=True)
    server = started(lab, key)
    path = lab.config(entry(server.port, f"SecurityKeyProvider {SECURITY_KEY}"), key=key)
    async with linked(path, None) as target:
        said = await down(target)
        assert f"without the security key {key}, which has to be touched" in said
        assert said.endswith(MEND)
    # A finger takes a moment; this key has none.
    slow = key.with_name("helper")
    slow.write_text('#!/bin/sh\nsleep 1\nexec /usr/lib/openssh/ssh-sk-helper "$@"\n')
    slow.chmod(0o700)
    monkeypatch.setenv("SSH_SK_HELPER", str(slow))
    said_of: list[str] = []
    target = SshTarget("prod-1", "prod-1", ssh_config=path, ask=Person([]), transport="openssh")
    target.watch(lambda link: said_of.append(link.reason))
    await target.open()
    try:
        await up(target)
        assert await says(target) == "hello\n"
    finally:
        await target.close()
    assert any("Confirm user presence for key ED25519-SK" in each for each in said_of)


async def test_keys_of_a_smart_card_are_named(lab: Lab, server: Sshd) -> None:
    lines = ("PKCS11Provider /usr/lib/opensc.so",)
    absent = fresh(lab, "key") / "absent"
    async with linked(lab.config(entry(server.port, *lines), key=absent), None) as target:
        said = await down(target)
        assert "keys of /usr/lib/opensc.so (PKCS11Provider) are not among them" in said
        assert said.endswith(MEND)


async def test_nothing_in_common_to_encrypt_with_is_told(lab: Lab) -> None:
    place = fresh(lab, "rsa")
    words = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(place / "rsa")]
    await asyncio.to_thread(subprocess.run, words, check=True)
    server = started(lab, lab.user_key, "KexAlgorithms diffie-hellman-group1-sha1", place / "rsa")
    async with linked(lab.config(entry(server.port), known=""), None) as target:
        said = await down(target)
        assert f"no common way to encrypt with 127.0.0.1:{server.port}" in said
        assert said.endswith(MEND)
    # OpenSSH can where its configuration lets it.
    lines = ("KexAlgorithms +diffie-hellman-group1-sha1",)
    path = lab.config(entry(server.port, *lines))
    async with linked(path, None, transport="openssh") as target:
        await up(target)


async def test_a_proxy_that_hands_over_a_socket_is_told_and_openssh_takes_it(
    lab: Lab, server: Sshd
) -> None:
    hand = fresh(lab, "fd") / "hand.py"
    hand.write_text(
        "import array, socket, sys\n"
        f"s = socket.create_connection(('127.0.0.1', {server.port}))\n"
        "out = socket.socket(fileno=1)\n"
        "fds = array.array('i', [s.fileno()])\n"
        "out.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])\n"
    )
    lines = (f"ProxyCommand python3 {hand}", "ProxyUseFdpass yes")
    path = lab.config(entry(server.port, *lines))
    async with linked(path, None) as target:
        said = await down(target)
        assert "ProxyUseFdpass hands over a socket" in said
        assert said.endswith(MEND)
    async with linked(path, None, transport="openssh") as target:
        await up(target)
        assert await says(target) == "hello\n"


async def test_a_master_connection_of_ssh_is_named_where_it_is_the_only_way(
    lab: Lab, server: Sshd
) -> None:
    place = fresh(lab, "cp")
    lines = (f"ControlPath {place}/s",)
    path = lab.config(entry(server.port, *lines))
    words = ["ssh", "-F", str(path), "-M", "-N", "-o", "ControlPersist=no", "prod-1"]
    master = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.DEVNULL)
    try:
        await until((place / "s").exists)
        keyless = lab.config(entry(server.port, *lines), key=place / "absent")
        async with linked(keyless, None) as target:
            said = await down(target)
            assert f"the connection behind {place}/s (ControlPath) is ssh's own" in said
    finally:
        master.terminate()
        await master.wait()


async def test_ways_that_the_configuration_rules_out_are_not_tried(lab: Lab, server: Sshd) -> None:
    lines = ("PubkeyAuthentication no",)
    async with linked(lab.config(entry(server.port, *lines)), Person([])) as target:
        said = await down(target)
        assert "(the ssh configuration leaves keyboard-interactive, password)" in said
    lines = ("PreferredAuthentications password",)
    async with linked(lab.config(entry(server.port, *lines)), Person([])) as target:
        assert "leaves for prod-1: password. Change it" in await down(target)


async def test_a_server_that_says_nothing_is_given_up_in_time(lab: Lab, transport: str) -> None:
    async with await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        path = lab.config(entry(port, "ConnectTimeout 1"))
        async with linked(path, None, transport=transport) as target:
            wanted = f"no answer from 127.0.0.1:{port} within 1 s"
            await until(lambda: wanted in target.link.reason)
            assert target.link.retry_at is not None
