"""What OpenSSH's configuration says about a host, as `ssh` itself would read it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import shlex
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cockpit.target.target import LinkDown, Unreachable

METHODS: Final = ("publickey", "keyboard-interactive", "password")
_OFF: Final = {
    "publickey": "pubkeyauthentication",
    "keyboard-interactive": "kbdinteractiveauthentication",
    "password": "passwordauthentication",
}
_READ_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class SshHost:
    """One host to log in to.

    asked: the alias or address as given. key_alias: HostKeyAlias, "" for none. agent: the path of
    the agent's socket, "" for none. jumps: `[user@]host[:port]`, the first to dial first.
    identities, certificates, known_hosts: files that may not exist. methods: the ways to log in, in
    the order in which they are tried. batch: nobody is to be asked anything. fdpass, provider,
    control_path: ProxyUseFdpass, PKCS11Provider, ControlPath.
    """

    asked: str
    address: str
    port: int
    user: str
    key_alias: str
    identities: tuple[Path, ...]
    certificates: tuple[Path, ...]
    identities_only: bool
    agent: str
    known_hosts: tuple[Path, ...]
    jumps: tuple[str, ...]
    proxy_command: str
    timeout_s: float | None
    methods: tuple[str, ...] = METHODS
    batch: bool = False
    fdpass: bool = False
    provider: str = ""
    control_path: str = ""

    @property
    def key_name(self) -> str:
        """What known_hosts has it under."""
        if self.key_alias or self.port == 22:
            return self.key_alias or self.address
        return f"[{self.address}]:{self.port}"


async def resolve(
    host: str, *, user: str = "", port: int | None = None, config: Path | None = None
) -> SshHost:
    """Resolve an alias or address.

    Raises LinkDown when the configuration cannot be read, Unreachable when not in time.
    """
    if shutil.which("ssh") is None:
        return _without_ssh(host, user, port, config)
    arguments = ["-G"]
    arguments += ["-F", str(config)] if config else []
    arguments += ["-l", user] if user else []
    arguments += ["-p", str(port)] if port else []
    process = await asyncio.create_subprocess_exec(
        "ssh",
        *arguments,
        "--",
        host,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_READ_S):
            out, err = await process.communicate()
    except TimeoutError:
        # Tried again: this machine may be busy, or have stood still.
        raise Unreachable(
            f"`ssh -G {host}` has not ended after {_READ_S:.0f} s: a `Match exec` in the ssh"
            " configuration hangs, or this machine is too busy"
        ) from None
    finally:
        # With all that a `Match exec` started.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        said = " ".join(err.decode(errors="replace").split())
        raise LinkDown(f"ssh cannot read its configuration for {host}: {said}")
    return parse(host, out.decode(errors="surrogateescape"))


def parse(asked: str, text: str) -> SshHost:
    """From the output of `ssh -G`; pure but for the environment and the home directory."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        said.setdefault(key.lower(), []).append(value)

    def one(key: str, default: str = "") -> str:
        value = said.get(key, [default])[0]
        return default if value.lower() == "none" else value

    address = one("hostname", asked)
    port = int(one("port", "22"))
    user = one("user", _me().pw_name)
    tokens = {"h": address, "p": str(port), "r": user, "n": asked}
    known = [
        word
        for key in ("userknownhostsfile", "globalknownhostsfile")
        for word in _words(one(key))
        # `none` would turn checking off in some clients; here it is one file less to look in.
        if word.lower() != "none"
    ]
    timeout = one("connecttimeout")
    return SshHost(
        asked=asked,
        address=address,
        port=port,
        user=user,
        key_alias=one("hostkeyalias"),
        identities=_paths(said.get("identityfile", []), tokens),
        certificates=_paths(said.get("certificatefile", []), tokens),
        identities_only=one("identitiesonly") == "yes",
        agent=_agent(said.get("identityagent", ["SSH_AUTH_SOCK"])[0], tokens),
        known_hosts=_paths(known, tokens),
        jumps=tuple(one("proxyjump").split(",")) if one("proxyjump") else (),
        proxy_command=_expand(one("proxycommand"), tokens),
        timeout_s=float(timeout) if timeout.isdigit() else None,
        methods=tuple(
            method
            for method in one("preferredauthentications", ",".join(METHODS)).split(",")
            if method in METHODS and one(_OFF[method], "yes") not in ("no", "false")
        ),
        batch=one("batchmode") == "yes",
        fdpass=one("proxyusefdpass") == "yes" and bool(one("proxycommand")),
        provider=one("pkcs11provider"),
        control_path=one("controlpath"),
    )


def split_jump(spec: str) -> tuple[str, str, int | None]:
    """Host, user ("" when not given) and port of one ProxyJump hop."""
    user, _, rest = spec.removeprefix("ssh://").rpartition("@")
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+):(\d+)", rest)
    if not found:
        return rest, user, None
    port = found[2] or found[4]
    return found[1] or found[3], user, int(port) if port else None


def _me() -> pwd.struct_passwd:
    # OpenSSH's ~ is the home of the password file, whatever $HOME says.
    return pwd.getpwuid(os.getuid())


def _expand(value: str, tokens: dict[str, str]) -> str:
    me = _me()
    every = tokens | {"d": me.pw_dir, "u": me.pw_name, "i": str(me.pw_uid), "%": "%"}
    value = re.sub(r"%(.)", lambda found: every.get(found[1], found[0]), value)
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], ""), value)


def _paths(values: list[str], tokens: dict[str, str]) -> tuple[Path, ...]:
    found = []
    for value in values:
        if value.lower() == "none":
            continue
        if value == "~" or value.startswith("~/"):
            value = _me().pw_dir + value[1:]
        found.append(Path(_expand(value, tokens)))
    return tuple(found)


def _agent(value: str, tokens: dict[str, str]) -> str:
    if value.lower() == "none":
        return ""
    if value == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if value.startswith("$") and not value.startswith("${"):
        return os.environ.get(value[1:], "")
    return str(_paths([value], tokens)[0])


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()


def _without_ssh(host: str, user: str, port: int | None, config: Path | None) -> SshHost:
    """The same from asyncssh's own reader, for a machine without the ssh program."""
    from asyncssh.config import ConfigParseError, SSHClientConfig

    at_user, _, at_host = host.rpartition("@")
    user, asked = user or at_user, at_host
    home = Path(_me().pw_dir) / ".ssh"
    files = [config] if config else [home / "config", Path("/etc/ssh/ssh_config")]
    try:
        said = SSHClientConfig.load(
            None,
            [path for path in files if config or path.is_file()],
            False,
            False,
            False,
            _me().pw_name,
            user or (),
            asked,
            port or (),
        )
    except (ConfigParseError, OSError) as error:
        raise LinkDown(f"cannot read the ssh configuration for {host}: {error}") from None

    def texts(key: str, default: list[Path]) -> list[str]:
        value = said.get(key)
        return [str(item) for item in (value if isinstance(value, list) else default)]

    lines = [
        f"hostname {said.get('Hostname', asked)}",
        f"port {said.get('Port', 22)}",
        f"user {said.get('User', _me().pw_name)}",
        f"hostkeyalias {said.get('HostKeyAlias') or 'none'}",
        f"identitiesonly {'yes' if said.get('IdentitiesOnly') else 'no'}",
        f"proxyjump {said.get('ProxyJump') or 'none'}",
        f"connecttimeout {said.get('ConnectTimeout') or 'none'}",
        f"userknownhostsfile {shlex.join(texts('UserKnownHostsFile', [home / 'known_hosts']))}",
        "globalknownhostsfile "
        + shlex.join(texts("GlobalKnownHostsFile", [Path("/etc/ssh/ssh_known_hosts")])),
    ]
    keys = ("id_ed25519", "id_ecdsa", "id_rsa")
    lines += [f"identityfile {path}" for path in texts("IdentityFile", [home / k for k in keys])]
    lines += [f"certificatefile {path}" for path in texts("CertificateFile", [])]
    for option in ("PreferredAuthentications", "PKCS11Provider"):
        lines.append(f"{option.lower()} {said.get(option) or 'none'}")
    for option in (
        "PubkeyAuthentication",
        "KbdInteractiveAuthentication",
        "PasswordAuthentication",
    ):
        lines.append(f"{option.lower()} {'yes' if said.get(option, True) else 'no'}")
    if agent := said.get("IdentityAgent"):
        lines.append(f"identityagent {agent}")
    command = said.get("ProxyCommand")
    if command:
        words = command if isinstance(command, str) else " ".join(map(str, command))  # type: ignore[call-overload]
        lines.append(f"proxycommand {words}")
    return parse(asked, "\n".join(lines))
