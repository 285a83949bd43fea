"""One attempt to log in over SSH: hops, host keys, keys, and what went wrong, in words."""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncssh

from cockpit.target.ssh_config import SshHost, resolve, split_jump
from cockpit.target.target import LinkDown

_MAX_HOPS: Final = 8
_LOGIN_S: Final = 20.0
_AGAIN: Final = "then press ctrl+r"

# What it has to say is said by the link; a line on stderr would land in the middle of the screen.
logging.getLogger("asyncssh").addHandler(logging.NullHandler())


class Unreachable(Exception):
    """This attempt failed and another may succeed; the message says why."""


@dataclass(frozen=True, slots=True)
class Login:
    """An authenticated connection and the hops that carry it."""

    connection: asyncssh.SSHClientConnection
    hops: tuple[asyncssh.SSHClientConnection, ...]
    user: str

    def abort(self) -> None:
        """Drop it all without a goodbye, which a dead link would never take."""
        for connection in (self.connection, *reversed(self.hops)):
            connection.abort()


async def login(
    name: str, host: str, *, user: str = "", port: int | None = None, config: Path | None = None
) -> Login:
    """Log in to a host, through its ProxyJump chain.

    name: what the responder calls it. Raises Unreachable, or LinkDown when trying again is no use.
    """
    opened: list[asyncssh.SSHClientConnection] = []
    try:
        chain = await _chain(host, user, port, config)
        for hop in chain:
            opened.append(await _connect(name, hop, opened[-1] if opened else None, config))
    except BaseException:
        for connection in reversed(opened):
            connection.abort()
        raise
    return Login(opened[-1], tuple(opened[:-1]), chain[-1].user)


async def _chain(host: str, user: str, port: int | None, config: Path | None) -> list[SshHost]:
    """The hosts to log in to, one through the other. As in OpenSSH only the first hop may bring a
    ProxyJump of its own."""
    last = await resolve(host, user=user, port=port, config=config)
    chain = [last]
    jumps = last.jumps
    while jumps:
        if len(chain) + len(jumps) > _MAX_HOPS:
            raise LinkDown(f"{host}: more than {_MAX_HOPS} ProxyJump hops; is it a circle?")
        hops = []
        for spec in jumps:
            at, login_user, port = split_jump(spec)
            hops.append(await resolve(at, user=login_user, port=port, config=config))
        chain = hops + chain
        jumps = hops[0].jumps
    return chain


# -- host keys -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _KnownHosts:
    """The known_hosts files of one host. Whatever they say, checking is never off."""

    files: tuple[tuple[Path, asyncssh.SSHKnownHosts], ...]

    def match(self, host: str, _addr: str, port: int | None) -> tuple[list[object], ...]:
        """All that is known under the name, as asyncssh wants it; addresses are no names."""
        found: tuple[list[object], ...] = tuple([] for _ in range(7))
        for _, known in self.files:
            for all_of_kind, kind in zip(found, known.match(host, "", port), strict=True):
                all_of_kind.extend(kind)
        return found

    def holding(self, host: SshHost) -> tuple[Path, list[asyncssh.SSHKey]] | None:
        """The first file with a key for the host, and its keys."""
        port = host.port if host.port != 22 else None
        for path, known in self.files:
            if keys := list(known.match(host.key_alias or host.address, "", port)[0]):
                return path, keys
        return None


def _known_hosts(paths: tuple[Path, ...]) -> _KnownHosts:
    files = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        known = asyncssh.import_known_hosts("")
        for line in lines:
            # One bad line must not hide the others; OpenSSH passes over it too.
            with contextlib.suppress(ValueError):
                known.load(line)
        files.append((path, known))
    return _KnownHosts(tuple(files))


# -- our keys --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Keys:
    """What may open the door. locked: files whose passphrase nobody has given to the agent."""

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    locked: list[Path] = field(default_factory=list)
    agent: asyncssh.SSHAgentClient | None = None


async def _keys(host: SshHost) -> _Keys:
    """In OpenSSH's order: those of the agent that are named, the agent's others, then files."""
    keys = _Keys()
    held: list[asyncssh.SSHKeyPair] = []
    if host.agent:
        # A dead agent is no reason to fail: files may do.
        with contextlib.suppress(OSError, ValueError, asyncssh.Error):
            keys.agent = await asyncssh.connect_agent(host.agent)
            held = list(await keys.agent.get_keys())
    certificates = [str(path) for path in host.certificates if path.is_file()]
    named: list[asyncssh.SSHKeyPair] = []
    files: list[asyncssh.SSHKeyPair] = []
    for path in host.identities:
        public = _public_half(path)
        in_agent = [pair for pair in held if public is not None and pair.public_data == public]
        if in_agent:
            named += in_agent
            continue
        try:
            files += asyncssh.load_keypairs([str(path)], certlist=certificates)
        except asyncssh.KeyEncryptionError:
            keys.locked.append(path)
        except asyncssh.KeyImportError as error:
            if "passphrase" in str(error).lower():
                keys.locked.append(path)
        except (OSError, ValueError):
            continue
    others = [] if host.identities_only else [pair for pair in held if pair not in named]
    keys.pairs = [*named, *others, *files]
    return keys


def _public_half(path: Path) -> bytes | None:
    """Of an identity file: from FILE.pub, or from FILE, which may be public only."""
    for place in (path.with_name(path.name + ".pub"), path):
        try:
            return asyncssh.read_public_key(str(place)).public_data
        except (OSError, ValueError, asyncssh.KeyImportError):
            continue
    return None


# -- one hop ---------------------------------------------------------------------------------------


class _Client(asyncssh.SSHClient):
    """Answers asyncssh's questions: our keys, and no to every host key that is not known."""

    def __init__(self, pairs: list[asyncssh.SSHKeyPair]) -> None:
        self._pairs = pairs
        self.offered: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.offered = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.offered = key
        return False

    def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        pairs, self._pairs = self._pairs, []
        return pairs or None


async def _connect(
    name: str, host: SshHost, tunnel: asyncssh.SSHClientConnection | None, config: Path | None
) -> asyncssh.SSHClientConnection:
    keys = await _keys(host)
    known = _known_hosts(host.known_hosts)
    client = _Client(list(keys.pairs))
    where = f"{host.address}:{host.port}"
    if tunnel is None and host.proxy_command:
        proxy = ["/bin/sh", "-c", f"exec {host.proxy_command}"]
    else:
        proxy = None
    seconds = host.timeout_s or _LOGIN_S
    try:
        return await asyncssh.connect(
            host.address,
            host.port,
            username=host.user,
            tunnel=tunnel,
            proxy_command=proxy,
            client_factory=lambda: client,
            config=None,
            client_keys=None,
            agent_path=None,
            agent_forwarding=False,
            known_hosts=known.match,
            host_key_alias=host.key_alias or None,
            password_auth=False,
            kbdint_auth=False,
            gss_host=None,
            x509_trusted_certs=None,
            compression_algs=["zlib@openssh.com", "none"],
            request_pty=False,
            x11_forwarding=False,
            keepalive_interval=5,
            keepalive_count_max=3,
            connect_timeout=seconds,
            login_timeout=seconds,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise LinkDown(
            _host_key_sentence(name, host, known, client.offered, config, error)
        ) from None
    except asyncssh.PermissionDenied:
        raise LinkDown(_denied_sentence(name, host, keys)) from None
    except asyncssh.KeyExchangeFailed as error:
        if known.holding(host):
            raise LinkDown(_host_key_sentence(name, host, known, None, config, error)) from None
        raise LinkDown(f"{name}: no common way to encrypt with {where}: {error.reason}") from None
    except asyncssh.ChannelOpenError as error:
        via = f"{name}: the jump host cannot reach {where}: {error.reason}"
        if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            raise LinkDown(f"{via}. AllowTcpForwarding must be on there.") from None
        raise Unreachable(via) from None
    except asyncssh.Error as error:
        if "too many authentication failures" in str(error).lower():
            raise LinkDown(
                f"{name}: {where} gave up after too many keys. Name the right one: IdentityFile"
                f" and IdentitiesOnly yes for {host.asked} in ~/.ssh/config, {_AGAIN}"
            ) from None
        raise Unreachable(f"{name}: {where} ended the login: {error}") from None
    except socket.gaierror:
        raise Unreachable(
            f"{name}: {host.address} does not resolve. Check the name, and this machine's network"
        ) from None
    except ConnectionRefusedError:
        raise Unreachable(
            f"{name}: {where} refuses. Is sshd running there, on that port?"
        ) from None
    except (ConnectionResetError, BrokenPipeError):
        raise Unreachable(f"{name}: {where} ended the login. Is it sshd that answers?") from None
    except TimeoutError:
        raise Unreachable(f"{name}: no answer from {where} within {seconds:.0f} s") from None
    except OSError as error:
        raise Unreachable(f"{name}: cannot reach {where}: {error.strerror or error}") from None
    finally:
        if keys.agent:
            keys.agent.close()


def _ssh(host: SshHost, config: Path | None) -> str:
    """The command line that reaches the same host by hand."""
    words = ["ssh", *(["-F", str(config)] if config else []), "-p", str(host.port)]
    return shlex.join([*words, "-l", host.user, host.asked])


def _host_key_sentence(
    name: str,
    host: SshHost,
    known: _KnownHosts,
    offered: asyncssh.SSHKey | None,
    config: Path | None,
    error: Exception,
) -> str:
    at = f"the host key of {host.key_name}"
    key = f"{offered.get_algorithm()} {offered.get_fingerprint()}" if offered else "of another type"
    if "revoked" in str(error).lower():
        return f"{name}: {at} is marked as revoked in known_hosts. Not connecting."
    held = known.holding(host)
    if held is None:
        return (
            f"{name}: {at} is not known yet ({key}). Not connecting. Compare the fingerprint with"
            f" somebody who knows it, accept it once with: {_ssh(host, config)} true, {_AGAIN}"
        )
    path, keys = held
    was = ", ".join(f"{old.get_algorithm()} {old.get_fingerprint()}" for old in keys)
    remove = shlex.join(["ssh-keygen", "-f", str(path), "-R", host.key_name])
    return (
        f"{name}: {at} has changed (was {was}, is {key}). Not connecting: somebody may be in"
        f" between. If the host was rebuilt: {remove}, then {_ssh(host, config)} true, {_AGAIN}"
    )


def _denied_sentence(name: str, host: SshHost, keys: _Keys) -> str:
    if keys.locked:
        path = keys.locked[0]
        return (
            f"{name}: the key {path} asks for a passphrase: ssh-add {shlex.quote(str(path))},"
            f" {_AGAIN}"
        )
    tried = (
        f"none of {len(keys.pairs)} keys was accepted" if keys.pairs else "there is no key to try"
    )
    return (
        f"{name}: {host.address} does not let {host.user} in: {tried}. Check the user and the key"
        f" (ssh -v -l {shlex.quote(host.user)} {shlex.quote(host.asked)}), {_AGAIN}"
    )
