"""What the login tests stand on: accounts that PAM knows, and somebody who answers questions."""

from __future__ import annotations

import asyncio
import glob
import hashlib
import hmac
import os
import shutil
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.target.ssh import SshTarget
from cockpit.target.target import LinkDown, LinkState, Question
from tests.lab.sshd import Account, Sshd

PASSWORD = "opensesame"
HASHED = (
    "$6$cockpit$Lqd51P6i0T1z/gUmCqOTTqywdJrgkjw05VIwqtQUL7Mtr4LbrN6brJg84/rUFOxVjK/"
    "jlm8cR2t1TNKJwwCSJ0"
)
SEED = "3132333435363738393031323334353637383930"


@dataclass(frozen=True)
class PamAccount(Account):
    """An account whose logins are judged by these lines of PAM. %s there is the server's folder."""

    pam: str = ""

    def prepare(self, folder: Path) -> list[str]:
        prefix = super().prepare(folder)
        users = folder / "users.oath"
        users.write_text(f"HOTP {self.name} - {SEED}\n")
        users.chmod(0o600)
        service = folder / "etc" / "pam-sshd"
        rest = "account required pam_permit.so\nsession required pam_permit.so\n"
        service.write_text(self.pam.replace("%s", str(folder)) + rest)
        script = 'mount --bind "$1" /etc/pam.d/sshd || exit; shift; exec "$@"'
        return [*prefix, "sh", "-c", script, "sh", str(service)]


OATH = "auth required pam_oath.so usersfile=%s/users.oath window=20 digits=6\n"
UNIX = "auth required pam_unix.so\n"
BY_PASSWORD = Account("ana", HASHED, "")
BY_CODE = PamAccount("ana", HASHED, "", pam=OATH)
BY_BOTH = PamAccount("ana", HASHED, "", pam=UNIX + OATH)


def missing() -> list[str]:
    """Why there can be no such accounts here; empty when there can."""
    reasons = [] if os.geteuid() == 0 else ["not root"]
    reasons += [] if shutil.which("unshare") else ["not installed: unshare"]
    reasons += [] if glob.glob("/lib/*/security/pam_oath.so") else ["not installed: pam_oath"]
    return reasons


def code(counter: int) -> str:
    """The one-time code of RFC 4226 for that counter."""
    digest = hmac.new(bytes.fromhex(SEED), struct.pack(">Q", counter), hashlib.sha1).digest()
    at = digest[-1] & 0xF
    (number,) = struct.unpack(">I", digest[at : at + 4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


@dataclass
class Person:
    """Answers what is asked, from a list; None gives up, and so does the end of the list."""

    answers: list[str | None] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    delay: float = 0.0
    withdrawn: int = 0

    async def __call__(self, question: Question) -> str | None:
        self.asked.append(question)
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.withdrawn += 1
            raise
        return self.answers.pop(0) if self.answers else None


def config(
    server: Sshd, *lines: str, port: int | None = None, name: str = "prod-1", batch: bool = False
) -> Path:
    """An ssh_config for a server, through another port if given; with no key but those named."""
    path = server.folder / f"config-{len(list(server.folder.glob('config-*')))}"
    public = server.host_key.with_name(server.host_key.name + ".pub").read_text()
    known = path.with_name(path.name + ".known")
    known.write_text(f"[127.0.0.1]:{port or server.port} {' '.join(public.split()[:2])}\n")
    path.write_text(
        f"Host {name}\n  HostName 127.0.0.1\n  Port {port or server.port}\n  User {server.user}\n"
        + "".join(f"  {line}\n" for line in lines)
        + f"  IdentityFile none\n  IdentityAgent none\n  UserKnownHostsFile {known}\n"
        f"  GlobalKnownHostsFile none\n  BatchMode {'yes' if batch else 'no'}\n"
    )
    return path


@asynccontextmanager
async def linked(
    config: Path, person: Person | None, *, transport: str = "", user: str = ""
) -> AsyncIterator[SshTarget]:
    """A target that has been asked to keep its link, with somebody to ask."""
    target = SshTarget(
        "prod-1", "prod-1", user=user, ssh_config=config, ask=person, transport=transport
    )
    await target.open()
    try:
        yield target
    finally:
        await target.close()


async def up(target: SshTarget, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        await target.ready()


async def down(target: SshTarget, seconds: float = 60) -> str:
    """The sentence of a link that will not come by itself."""
    async with asyncio.timeout(seconds):
        while target.link.state is not LinkState.DOWN:
            try:
                await target.ready()
            except LinkDown:
                break
            await asyncio.sleep(0.02)
    return target.link.reason


async def says(target: SshTarget, script: str = "echo hello\n") -> str:
    channel = await target.shell()
    try:
        channel.stdin.write(script.encode())
        channel.stdin.write_eof()
        return (await channel.stdout.read()).decode()
    finally:
        channel.close()
