"""One attempt to log in over SSH: hops, keys, questions, and what went wrong, in words."""

from __future__ import annotations

import logging
import os
import re
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import asyncssh

from cockpit.target import reach, ssh_keys, ssh_known
from cockpit.target.ssh_ask import AGAIN, TRIES, AnswerNeeded, Exam, Questions
from cockpit.target.ssh_config import METHODS, SshHost, resolve, split_jump
from cockpit.target.ssh_keys import Keys
from cockpit.target.target import LinkDown, Unreachable

LOGIN_S: Final = 20.0
_MAX_HOPS: Final = 8
_PASSWORD: Final = re.compile(r"\s*(\S+'s )?password( for \S+)?\s*:?\s*", re.IGNORECASE)
CODE: Final = "a password or a one-time code"

# What it has to say is said by the link; a line on stderr would land in the middle of the screen.
logging.getLogger("asyncssh").addHandler(logging.NullHandler())


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


def mend(name: str) -> str:
    """What to do about a host that only OpenSSH's own program can log in to."""
    return f"To have OpenSSH do it: set transport: openssh for {name} in cockpit.yaml"


async def login(
    name: str,
    host: str,
    *,
    user: str = "",
    port: int | None = None,
    config: Path | None = None,
    questions: Questions | None = None,
) -> Login:
    """Log in to a host, through its ProxyJump chain.

    name: what the responder calls it. Raises Unreachable, or LinkDown when trying again is no use.
    """
    questions = questions or Questions(name, None)
    opened: list[asyncssh.SSHClientConnection] = []
    try:
        with questions.exam() as exam:
            hops = await chain(host, user, port, config)
            for hop in hops:
                tunnel = opened[-1] if opened else None
                opened.append(await _connect(name, hop, tunnel, config, exam))
    except BaseException:
        for connection in reversed(opened):
            connection.abort()
        raise
    return Login(opened[-1], tuple(opened[:-1]), hops[-1].user)


async def chain(host: str, user: str, port: int | None, config: Path | None) -> list[SshHost]:
    """The hosts to log in to, one through the other. As in OpenSSH only the first hop may bring a
    ProxyJump of its own. Raises LinkDown."""
    last = await resolve(host, user=user, port=port, config=config)
    found = [last]
    jumps = last.jumps
    while jumps:
        if len(found) + len(jumps) > _MAX_HOPS:
            raise LinkDown(f"{host}: more than {_MAX_HOPS} ProxyJump hops; is it a circle?")
        hops = []
        for spec in jumps:
            at, login_user, port = split_jump(spec)
            hops.append(await resolve(at, user=login_user, port=port, config=config))
        found = hops + found
        jumps = hops[0].jumps
    return found


# -- one hop ---------------------------------------------------------------------------------------


class _Client(asyncssh.SSHClient):
    """Answers asyncssh's questions: our keys, the responder's words, and no to every host key that
    is not known. end: why no more is to be tried."""

    def __init__(self, name: str, host: SshHost, exam: Exam) -> None:
        self.name = name
        self.host = host
        self.exam = exam
        self.keys = Keys()
        self.offered = ""
        self.ways: set[str] = set()
        self.end: LinkDown | None = None
        self.wrong = 0
        self._place = f"{host.user}@{host.address}:{host.port}"
        self._given: dict[str, str] = {}
        self._keys_left = True
        self._prompted = False
        self._told = ""
        self._unlocked: dict[Path, asyncssh.SSHKey | None] = {}

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.offered = f"{key.get_algorithm()} {key.get_fingerprint()}"
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.offered = f"signed by {key.get_algorithm()} {key.get_fingerprint()}"
        return False

    def auth_completed(self) -> None:
        for key, answer in self._given.items():
            self.exam.questions.keep(key, answer)

    # Keys

    async def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        self.ways.add("publickey")
        if self._keys_left and self.keys.pairs:
            self._keys_left = False
            return self.keys.pairs
        # Where not even the public half can be read, all that can be done is ask.
        while self.keys.unseen and self.end is None:
            path = self.keys.unseen.pop(0)
            try:
                return list(asyncssh.load_keypairs([await self.unlock(path)]))
            except ValueError:
                continue
        return None

    async def unlock(self, path: Path) -> asyncssh.SSHKey:
        """The key of a file with a passphrase. Raises ValueError where it stays locked."""
        if path in self._unlocked or self.end is not None:
            if (key := self._unlocked.get(path)) is not None:
                return key
            raise ValueError("it stays locked")
        self._unlocked[path] = None
        if not self.exam.questions.can_ask or self.host.batch:
            raise ValueError("nobody can be asked")
        slot, what = f"passphrase {path}", f"the passphrase of the key {path}"
        quoted = shlex.quote(str(path))
        for wrong in range(TRIES):
            try:
                answer = await self.exam.answer(
                    f"Passphrase of the key {path}", key=slot, what=what, wrong=wrong
                )
            except LinkDown as end:
                self.end = AnswerNeeded(f"{end}, or give it to the agent: ssh-add {quoted}")
                raise ValueError("not given") from None
            try:
                key = asyncssh.read_private_key(str(path), answer)
            except ValueError:
                continue
            self.exam.questions.keep(slot, answer)
            self._unlocked[path] = key
            return key
        self.exam.questions.forget(slot)
        raise ValueError("three wrong passphrases")

    # Passwords and codes

    async def password_auth_requested(self) -> str | None:
        slot = f"password {self._place}"
        if not self._may_ask("password", slot):
            return None
        try:
            answer = await self.exam.answer(
                f"Password of {self.host.user} at {self.host.address}",
                key=slot, what=f"the password of {self.host.user}", wrong=self.wrong,
            )  # fmt: skip
        except LinkDown as end:
            self.end = end
            return None
        self._given[slot] = answer
        return answer

    def kbdint_auth_requested(self) -> str | None:
        slot = f"password {self._place}"
        if "keyboard-interactive" in self.ways and not self._prompted:
            return None  # it failed without a question, and would again
        if not self._may_ask("keyboard-interactive", slot):
            return None
        self._prompted = False
        return ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> Sequence[str] | None:
        self._told = " ".join(f"{self._told} {name} {instructions}".split())
        answers = []
        for prompt, echo in prompts:
            self._prompted = True
            words = " ".join(prompt.split())
            again = not echo and _PASSWORD.fullmatch(prompt)
            slot = f"password {self._place}" if again else ""
            if not again:
                self.exam.questions.remember_once(self._place)
            who = f"{self.host.user} at {self.host.address}:"
            asked = " ".join(f"{who} {self._told} {words}".split())
            try:
                answer = await self.exam.answer(
                    asked, key=slot, what=f'"{words}"' if words else CODE, secret=not echo,
                    wrong=self.wrong,
                )  # fmt: skip
            except LinkDown as end:
                self.end = end
                return None
            if again:
                self._given[slot] = answer
            answers.append(answer)
        if prompts:
            self._told = ""
        return answers

    def _may_ask(self, way: str, slot: str) -> bool:
        """Whether to try a way to log in that asks, after so many wrong answers."""
        if way in self.ways:
            self.wrong += 1
            self._given.clear()
            self.exam.questions.forget(slot)
        self.ways.add(way)
        if self.end is not None or self.host.batch or not self.exam.questions.can_ask:
            return False
        if self.wrong >= TRIES:
            self.end = LinkDown(
                f"{self.name}: {TRIES} answers were wrong. Press ctrl+r to be asked again"
            )
        elif not self.exam.questions.may(self._place, slot):
            self.end = self.exam.questions.needed(CODE)
        return self.end is None


async def _connect(
    name: str,
    host: SshHost,
    tunnel: asyncssh.SSHClientConnection | None,
    config: Path | None,
    exam: Exam,
) -> asyncssh.SSHClientConnection:
    if host.fdpass:
        raise LinkDown(f"{name}: ProxyUseFdpass hands over a socket. {mend(name)}")
    client = _Client(name, host, exam)
    client.keys = await ssh_keys.find(host, client.unlock)
    known = ssh_known.read(host.known_hosts)
    if tunnel is None and host.proxy_command:
        proxy = ["/bin/sh", "-c", f"exec {host.proxy_command}"]
    else:
        proxy = None
    seconds = host.timeout_s or LOGIN_S
    try:
        async with exam.clock(seconds):
            direct = tunnel is None and proxy is None
            return await asyncssh.connect(
                host.address,
                host.port,
                username=host.user,
                sock=await reach.connect(host.address, host.port) if direct else None,
                tunnel=tunnel,
                proxy_command=proxy,
                client_factory=lambda: client,
                config=None,
                client_keys=None,
                agent_path=None,
                agent_forwarding=False,
                known_hosts=known.match,
                host_key_alias=host.key_alias or None,
                # A signed key proves nothing where no authority is known: ask for the plain one.
                server_host_key_algs=() if known.trusts_signed(host) else "-*-cert-*",
                preferred_auth=list(host.methods),
                gss_host=None,
                x509_trusted_certs=None,
                compression_algs=["zlib@openssh.com", "none"],
                request_pty=False,
                x11_forwarding=False,
                keepalive_interval=5,
                keepalive_count_max=3,
                # Our own clock stands still while a question waits; this one would not.
                login_timeout=0,
            )
    except (asyncssh.Error, OSError) as error:
        _explain(error, name, host, client, known, config, seconds)
    finally:
        if client.keys.agent:
            client.keys.agent.close()


def _explain(
    error: Exception,
    name: str,
    host: SshHost,
    client: _Client,
    known: ssh_known.KnownHosts,
    config: Path | None,
    seconds: float,
) -> NoReturn:
    """Raises Unreachable or LinkDown, with what went wrong in words."""
    where = f"{host.address}:{host.port}"
    said = str(error)
    if client.exam.waiting:
        raise LinkDown(hung_up(name, host)) from None
    match error:
        case asyncssh.HostKeyNotVerifiable():
            raise LinkDown(
                ssh_known.sentence(name, host, known, client.offered, config, said)
            ) from None
        case asyncssh.PermissionDenied():
            raise client.end or LinkDown(_denied(name, host, client)) from None
        case asyncssh.KeyExchangeFailed():
            if known.holding(host) or known.trusts_signed(host):
                raise LinkDown(ssh_known.sentence(name, host, known, "", config, said)) from None
            raise LinkDown(
                f"{name}: no common way to encrypt with {where}: {error.reason}. {mend(name)}"
            ) from None
        case asyncssh.ChannelOpenError():
            via = f"{name}: the jump host cannot reach {where}: {error.reason}"
            if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
                raise LinkDown(f"{via}. AllowTcpForwarding must be on there.") from None
            raise Unreachable(via) from None
        case asyncssh.Error() if "too many authentication failures" in said.lower():
            raise LinkDown(_too_many(name, host, client)) from None
        case asyncssh.Error():
            raise Unreachable(f"{name}: {where} ended the login: {error}") from None
        case socket.gaierror():
            raise Unreachable(no_name(name, host)) from None
        case ConnectionRefusedError():
            raise Unreachable(refused(name, host)) from None
        case ConnectionResetError() | BrokenPipeError():
            raise Unreachable(
                f"{name}: {where} ended the login. Is it sshd that answers?"
            ) from None
        case TimeoutError():
            raise Unreachable(no_answer(name, host, seconds)) from None
        case OSError():
            raise Unreachable(f"{name}: cannot reach {where}: {error.strerror or error}") from None
        case _:
            raise error


# What both transports say.


def hung_up(name: str, host: SshHost) -> str:
    return (
        f"{name}: {host.address}:{host.port} hung up while a question waited for its answer"
        " (LoginGraceTime there). Press ctrl+r to be asked again"
    )


def shut_out(name: str, host: SshHost, why: str) -> str:
    return (
        f"{name}: {host.address} does not let {host.user} in: {why}. Check the user and the key"
        f" (ssh -v -l {shlex.quote(host.user)} {shlex.quote(host.asked)}), {AGAIN}"
    )


def no_name(name: str, host: SshHost) -> str:
    return f"{name}: {host.address} does not resolve. Check the name, and this machine's network"


def refused(name: str, host: SshHost) -> str:
    return f"{name}: {host.address}:{host.port} refuses. Is sshd running there, on that port?"


def no_answer(name: str, host: SshHost, seconds: float) -> str:
    return f"{name}: no answer from {host.address}:{host.port} within {seconds:.0f} s"


def too_many_keys(name: str, host: SshHost) -> str:
    return (
        f"{name}: {host.address}:{host.port} gave up after too many keys. Name the right one:"
        f" IdentityFile and IdentitiesOnly yes for {host.asked} in ~/.ssh/config, {AGAIN}"
    )


def _too_many(name: str, host: SshHost, client: _Client) -> str:
    if client.wrong or client.exam.asked:
        return (
            f"{name}: {host.address} takes no more wrong answers for now. Press ctrl+r to be asked"
            " again"
        )
    return too_many_keys(name, host)


def _denied(name: str, host: SshHost, client: _Client) -> str:
    keys = client.keys
    locked = [path for path in keys.locked if client._unlocked.get(path) is None]
    if not client.ways and host.methods != METHODS:
        return (
            f"{name}: {host.address} offers none of the ways to log in that the ssh configuration"
            f" leaves for {host.asked}: {', '.join(host.methods) or 'it leaves none'}. Change it,"
            f" {AGAIN}"
        )
    if not client.ways:
        return (
            f"{name}: {host.address} offers none of the ways to log in that cockpit has (keys,"
            f" passwords, codes): it wants GSSAPI (Kerberos), or trusts hosts. {mend(name)}"
        )
    if keys.touch:
        return (
            f"{name}: {host.address} does not let {host.user} in without the security key"
            f" {keys.touch[0]}, which has to be touched. {mend(name)}"
        )
    if locked and client._unlocked.keys() & set(locked) and client.exam.asked:
        return (
            f"{name}: the passphrase of the key {locked[0]} was wrong {TRIES} times. Press ctrl+r"
            " to be asked again"
        )
    if locked:
        path = locked[0]
        return (
            f"{name}: the key {path} asks for a passphrase: ssh-add {shlex.quote(str(path))},"
            f" {AGAIN}"
        )
    tried = (
        f"none of {len(keys.pairs)} keys was accepted" if keys.pairs else "there is no key to try"
    )
    if host.methods != METHODS:
        tried += f" (the ssh configuration leaves {', '.join(host.methods) or 'no way to log in'})"
    if client.ways - {"publickey"} and (host.batch or not client.exam.questions.can_ask):
        tried += f", and {CODE} cannot be asked for here"
    if host.provider:
        tried += f", and keys of {host.provider} (PKCS11Provider) are not among them. {mend(name)}"
        return f"{name}: {host.address} does not let {host.user} in: {tried}"
    if host.control_path and os.path.exists(host.control_path):  # noqa: PTH110
        tried += f", and the connection behind {host.control_path} (ControlPath) is ssh's own"
        return f"{name}: {host.address} does not let {host.user} in: {tried}. {mend(name)}"
    return shut_out(name, host, tried)
