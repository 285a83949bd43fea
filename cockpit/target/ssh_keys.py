"""Who we are: the keys and certificates of the agent and of files, unlocked only when asked for."""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncssh

from cockpit.target.ssh_config import SshHost

_MAGIC: Final = b"openssh-key-v1\0"

Unlock = Callable[[Path], Awaitable[asyncssh.SSHKey]]
"""The private key of a file, once its passphrase is known. Raises ValueError."""


@dataclass(slots=True)
class Keys:
    """What may open the door, in the order in which it is tried.

    locked: files with a passphrase; those whose public half is known are among `pairs` too. touch:
    files of security keys, which only OpenSSH can use, but for those that the agent holds.
    """

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    locked: list[Path] = field(default_factory=list)
    unseen: list[Path] = field(default_factory=list)
    touch: list[Path] = field(default_factory=list)
    agent: asyncssh.SSHAgentClient | None = None


async def find(host: SshHost, unlock: Unlock) -> Keys:
    """In OpenSSH's order: those of the agent that are named, the agent's others, then files."""
    keys = Keys()
    held: list[asyncssh.SSHKeyPair] = []
    if host.agent:
        # A dead agent is no reason to fail: files may do.
        with contextlib.suppress(OSError, ValueError, asyncssh.Error):
            keys.agent = await asyncssh.connect_agent(host.agent)
            held = list(await keys.agent.get_keys())
    certificates = _certificates(host)
    named: list[asyncssh.SSHKeyPair] = []
    files: list[asyncssh.SSHKeyPair] = []
    for path in host.identities:
        public = _public_half(path)
        blob = _blob(path) if public is None else public.public_data
        in_agent = [pair for pair in held if pair.key_public_data == blob]
        if in_agent:
            # Its certificate may be in a file while the agent keeps the key.
            for certificate in certificates:
                if keys.agent and certificate.key.public_data == blob:
                    named.append(_with_certificate(keys.agent, in_agent[0], certificate))
            named += in_agent
        elif _touch(path, blob):
            keys.touch.append(path)
        else:
            files += _from_file(path, public, certificates, unlock, keys)
    others = [] if host.identities_only else [pair for pair in held if pair not in named]
    files.sort(key=lambda pair: isinstance(pair, _Locked))
    keys.pairs = [*named, *others, *files]
    return keys


def _from_file(
    path: Path,
    public: asyncssh.SSHKey | None,
    certificates: list[asyncssh.SSHCertificate],
    unlock: Unlock,
    keys: Keys,
) -> list[asyncssh.SSHKeyPair]:
    try:
        key = asyncssh.read_private_key(str(path))
    except asyncssh.KeyEncryptionError:
        pass
    except asyncssh.KeyImportError as error:
        if "passphrase" not in str(error).lower():
            return []
    except (OSError, ValueError):
        return []
    else:
        certified = [each for each in certificates if each.key.public_data == key.public_data]
        return list(asyncssh.load_keypairs([(key, each) for each in certified] or [key]))
    keys.locked.append(path)
    if public is None:
        keys.unseen.append(path)
        return []
    certified = [each for each in certificates if each.key.public_data == public.public_data]
    return [_Locked(path, public, each, unlock) for each in [*certified, None]]


class _Locked(asyncssh.SSHKeyPair):
    """A key whose public half is offered first; the passphrase is asked for only if that does."""

    def __init__(
        self,
        path: Path,
        public: asyncssh.SSHKey,
        certificate: asyncssh.SSHCertificate | None,
        unlock: Unlock,
    ) -> None:
        algorithms = public.sig_algorithms
        super().__init__(
            public.algorithm, public.algorithm, algorithms, algorithms, public.public_data, None,
            certificate,
        )  # fmt: skip
        self._path = path
        self._unlock = unlock

    async def sign_async(self, data: bytes) -> bytes:
        key = await self._unlock(self._path)
        return key.sign(data, self.sig_algorithm)


def _certificates(host: SshHost) -> list[asyncssh.SSHCertificate]:
    """Those that are named, and those that lie beside an identity."""
    beside = [path.with_name(path.name + "-cert.pub") for path in host.identities]
    found = []
    for path in dict.fromkeys([*host.certificates, *beside]):
        with contextlib.suppress(OSError, ValueError):
            found.append(asyncssh.read_certificate(str(path)))
    return found


def _with_certificate(
    agent: asyncssh.SSHAgentClient, pair: asyncssh.SSHKeyPair, certificate: asyncssh.SSHCertificate
) -> asyncssh.SSHKeyPair:
    made = asyncssh.SSHAgentKeyPair(agent, pair.key_algorithm, pair.key_public_data, b"")
    made.set_certificate(certificate)
    return made


def _public_half(path: Path) -> asyncssh.SSHKey | None:
    """Of an identity file: from FILE.pub, or from FILE, which may be public only."""
    for place in (path.with_name(path.name + ".pub"), path):
        with contextlib.suppress(OSError, ValueError):
            return asyncssh.read_public_key(str(place))
    if blob := _blob(path):
        with contextlib.suppress(ValueError):
            kind = _string(blob, 0)[0]
            return asyncssh.import_public_key(kind + b" " + base64.b64encode(blob))
    return None


def _blob(path: Path) -> bytes:
    """The public half in the clear part of an OpenSSH private key, or of FILE.pub; else nothing."""
    with contextlib.suppress(OSError, ValueError, IndexError, struct.error):
        body = b"".join(path.read_bytes().split(b"-----")[2].split())
        data = base64.b64decode(body)
        if data.startswith(_MAGIC):
            at = len(_MAGIC)
            for _ in ("cipher", "kdf", "kdf options"):
                at = _string(data, at)[1]
            return _string(data, at + 4)[0]
    with contextlib.suppress(OSError, ValueError, IndexError):
        return base64.b64decode(path.with_name(path.name + ".pub").read_bytes().split()[1])
    return b""


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">I", data, at)
    return data[at + 4 : at + 4 + length], at + 4 + length


def _touch(path: Path, blob: bytes) -> bool:
    """Whether it is the file of a security key (FIDO)."""
    return path.is_file() and b"sk-" in blob[4:8]
