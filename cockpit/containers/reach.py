"""The way to an engine's socket: dialed, or through the docker command where it is not let in."""

from __future__ import annotations

import asyncio
import shlex
import time
from dataclasses import dataclass
from typing import Final

from cockpit import text
from cockpit.containers.address import Address
from cockpit.target.target import Channel, LinkLost, Local, Reader, Target, Writer

READY: Final = b"cockpit-ready\n"
LOOK_WITHIN: Final = 10.0
LOOK_EVERY: Final = 30.0
LOOK_AGAIN: Final = 5.0  # where no way led in

# What is wrong with the socket (absent; denied with its group; there), then which docker command
# gets in. `version` asks the engine; its first line of complaint is kept for the responder.
LOOK: Final = """
p={path}
if [ ! -e "$p" ]; then echo absent
elif [ ! -w "$p" ]; then echo "denied $(stat -c '%G %g' "$p" 2>/dev/null)"
else echo there; fi
for way in docker "sudo -n docker"; do
  if why=$($way {where} version </dev/null 2>&1 >/dev/null); then echo "way $way"; exit
  else echo "fails $way: $(printf '%s\\n' "$why" | head -n 1)"; fi
done
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen on the target. socket: the first word of LOOK's answer. way: "" for none."""

    at: float
    socket: str
    group: str
    way: str
    failures: tuple[str, ...]


class Unreachable(Exception):
    """No way leads to the engine; the message says why and what to do."""


class Way:
    """Dials the engine's socket on a target, remembering which way works.

    In order: the socket itself, `docker system dial-stdio`, the same with `sudo -n`.
    """

    def __init__(self, target: Target, address: Address, *, chosen: bool) -> None:
        self._target = target
        self._path = address.path
        # With a path of the responder's choice the docker command is told it; else it knows best.
        self._flag = f"-H unix://{shlex.quote(address.path)}" if chosen else ""
        self._look: Look | None = None
        self._dialed_at = 0.0
        self.command = ""

    async def dial(self) -> tuple[Reader, Writer]:
        """A connection to the engine. Raises Unreachable, LinkLost, LinkDown."""
        if self.command and time.monotonic() - self._dialed_at < LOOK_EVERY:
            return await self._through_command()
        self._dialed_at = time.monotonic()
        try:
            connection = await self._target.dial(self._path)
            self.command = ""
            return connection
        except OSError as refused:
            look = await self._looked(refused)
            if not look.way:
                raise Unreachable(self._explain(refused, look)) from refused
            self.command = look.way
        return await self._through_command()

    @property
    def docker(self) -> str:
        """The docker command for this engine on the target's own shell."""
        return f"{self.command or 'docker'} {self._flag}".strip()

    @property
    def podman(self) -> str:
        """The same where Podman answers at the socket; Docker's command may not be there."""
        if self.command:
            return self.docker
        return f"podman --url unix://{shlex.quote(self._path)}"

    async def _looked(self, refused: OSError) -> Look:
        """What is wrong, looked at anew only now and then: it starts processes there."""
        restarting = isinstance(self._target, Local) and isinstance(refused, ConnectionRefusedError)
        if restarting:
            return Look(time.monotonic(), "there", "", "", ())
        look = self._look
        if look is None or time.monotonic() - look.at > (LOOK_EVERY if look.way else LOOK_AGAIN):
            look = self._look = await self._look_now()
        return look

    async def _look_now(self) -> Look:
        script = LOOK.format(path=shlex.quote(self._path), where=self._flag)
        channel = await self._session()
        try:
            channel.stdin.write(script.encode())
            channel.stdin.write_eof()
            async with asyncio.timeout(LOOK_WITHIN):
                answer = b""
                while chunk := await channel.stdout.read(4096):
                    answer += chunk
        except (TimeoutError, OSError):
            answer = b""
        finally:
            channel.close()
        lines = [text.clean_line(line) for line in answer.splitlines()] or [text.clean_line("")]
        socket, _, group = lines[0].partition(" ")
        way = next((line[4:] for line in lines if line.startswith("way ")), "")
        failures = tuple(line[6:] for line in lines if line.startswith("fails "))
        return Look(time.monotonic(), socket, group, way, failures)

    async def _session(self) -> Channel:
        try:
            return await self._target.shell()
        except LinkLost as refused:
            if not self._target.link.state.usable:
                raise
            raise Unreachable(
                f"{self._target.name} opens no further session for Docker: "
                f"{text.clean_line(str(refused))}. Its sshd lets few in at a time (MaxSessions); "
                "when a command there has ended it is tried again by itself."
            ) from refused

    async def _through_command(self) -> tuple[Reader, Writer]:
        channel = await self._session()
        try:
            # The shell must have read its last line before the first byte for docker is sent.
            command = f"printf %s {shlex.quote(READY.decode())}; exec {self.command} {self._flag}"
            channel.stdin.write(f"{command} system dial-stdio\n".encode())
            async with asyncio.timeout(LOOK_WITHIN):
                await channel.stdout.readuntil(READY)
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as failed:
            channel.close()
            self.command = ""
            raise Unreachable(
                f"`docker system dial-stdio` on {self._target.name} did not start. "
                "It is tried again by itself."
            ) from failed
        except BaseException:
            channel.close()
            raise
        return channel.stdout, _ChannelWriter(channel)

    def _explain(self, refused: OSError, look: Look) -> str:
        where, path = self._target.name, self._path
        tried = f" Also tried: {'; '.join(look.failures)}." if look.failures else ""
        shut = isinstance(refused, PermissionError) and look.socket != "there"
        if shut or look.socket == "denied":
            name, _, gid = look.group.partition(" ")
            group = f"group {name} (gid {gid})" if gid else "the group that owns it"
            return (
                f"No permission for Docker at {where}: {path} is not open to {self._target.user}. "
                f"Ask to be put in {group}, or set docker: in cockpit.yaml.{tried}"
            )
        if isinstance(refused, FileNotFoundError) or look.socket == "absent":
            return (
                f"No Docker at {where}: {path} is not there. Start it (sudo systemctl start "
                "docker), or, if its socket is elsewhere (rootless: /run/user/<uid>/docker.sock, "
                "`id -u` of its user says the uid), set docker: in cockpit.yaml."
            )
        if isinstance(refused, ConnectionRefusedError):
            return (
                f"Docker at {where} is not running: nobody listens at {path}. "
                "Start it there: sudo systemctl start docker"
            )
        return f"Docker at {where} cannot be reached: {text.clean_line(str(refused))}.{tried}"


class _ChannelWriter:
    """The stdin of a channel, whose close ends the command too."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.write = channel.stdin.write
        self.write_eof = channel.stdin.write_eof
        self.drain = channel.stdin.drain
        self.wait_closed = channel.stdin.wait_closed
        self.is_closing = channel.stdin.is_closing

    def close(self) -> None:
        self._channel.close()
