"""Who a host may be: what known_hosts says of it, and in words what is wrong with its key."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from cockpit.target.ssh_ask import AGAIN
from cockpit.target.ssh_config import SshHost


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The known_hosts files of one host. Whatever they say, checking is never off."""

    files: tuple[tuple[Path, asyncssh.SSHKnownHosts], ...]

    def match(self, host: str, _addr: str, port: int | None) -> tuple[list[object], ...]:
        """All that is known under the name, as asyncssh wants it; addresses are no names."""
        found: tuple[list[object], ...] = tuple([] for _ in range(7))
        for name_port in (port, None) if port else (None,):
            for _, known in self.files:
                for all_of_kind, kind in zip(found, known.match(host, "", name_port), strict=True):
                    all_of_kind.extend(kind)
            if found[0] or found[1]:
                # As in OpenSSH the bare name counts where nothing is known for its port.
                break
        return found

    def holding(self, host: SshHost) -> tuple[Path, list[asyncssh.SSHKey]] | None:
        """The first file with a key for the host, and its keys."""
        port = host.port if host.port != 22 else None
        for path, known in self.files:
            if keys := list(known.match(host.key_alias or host.address, "", port)[0]):
                return path, keys
        return None

    def trusts_signed(self, host: SshHost) -> bool:
        """Whether it names an authority that signs the host's key."""
        port = host.port if host.port != 22 else None
        return bool(self.match(host.key_alias or host.address, "", port)[1])


def read(paths: tuple[Path, ...]) -> KnownHosts:
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
    return KnownHosts(tuple(files))


def _ssh(host: SshHost, config: Path | None) -> str:
    """The command line that reaches the same host by hand."""
    words = ["ssh", *(["-F", str(config)] if config else []), "-p", str(host.port)]
    return shlex.join([*words, "-l", host.user, host.asked])


def sentence(
    name: str, host: SshHost, known: KnownHosts, offered: str, config: Path | None, error: str
) -> str:
    """Why the host's key does not do, with fingerprints and what to do about it.

    offered: its algorithm and fingerprint, "" where it was of a kind that is not known. error: what
    the library or the program said.
    """
    at = f"the host key of {host.key_name}"
    key = offered or "of another type"
    if "revoked" in error.lower():
        return f"{name}: {at} is marked as revoked in known_hosts. Not connecting."
    held = known.holding(host)
    accept = f"{_ssh(host, config)} true"
    if held is None:
        if known.trusts_signed(host):
            what = f"is not signed by an authority of known_hosts ({key})"
            if "principal" in error.lower() or "expired" in error.lower():
                what = f"has a certificate that does not do here: {error}"
            return (
                f"{name}: {at} {what}. Not connecting: somebody may be in between. Ask who keeps"
                f" the authority for a new host certificate, {AGAIN}"
            )
        return (
            f"{name}: {at} is not known yet ({key}). Not connecting. Compare the fingerprint with"
            f" somebody who knows it, accept it once with: {accept}, {AGAIN}"
        )
    path, keys = held
    was = ", ".join(f"{old.get_algorithm()} {old.get_fingerprint()}" for old in keys)
    remove = shlex.join(["ssh-keygen", "-f", str(path), "-R", host.key_name])
    return (
        f"{name}: {at} has changed (was {was}, is {key}). Not connecting: somebody may be in"
        f" between. If the host was rebuilt: {remove}, then {accept}, {AGAIN}"
    )
