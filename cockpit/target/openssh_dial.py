"""A login by OpenSSH's own ssh: a private ControlMaster, what it asks, and what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from cockpit import text
from cockpit.target import askpass, ssh_known
from cockpit.target.ssh_ask import AGAIN, Exam, Questions
from cockpit.target.ssh_config import SshHost
from cockpit.target.ssh_dial import (
    CODE,
    LOGIN_S,
    chain,
    hung_up,
    no_answer,
    no_name,
    refused,
    shut_out,
    too_many_keys,
)
from cockpit.target.target import LinkDown, Unreachable

_PREFIX: Final = "cockpit-ssh-"

# Whatever the user's configuration says. The first value that ssh obtains wins.
_ALWAYS: Final = (
    "StrictHostKeyChecking=yes",
    "NoHostAuthenticationForLocalhost=no",
    "UpdateHostKeys=no",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "Tunnel=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "ForkAfterAuthentication=no",
    "ControlPersist=no",
    "NumberOfPasswordPrompts=3",
    "Compression=yes",
)

# ssh ends with its parent, however that ended: its stdin is a pipe that nobody else holds.
_GUARDED: Final = (
    'exec 3<&0; "$@" </dev/null & p=$!; { cat <&3 >/dev/null; kill "$p"; } 2>/dev/null &'
    ' w=$!; wait "$p"; s=$?; kill "$w"; exit "$s"'
)


@dataclass(slots=True)
class Master:
    """A ControlMaster of our own: stands where a Login of ours does.

    folder: private; holds its socket and the way for its questions. said: its last lines.
    """

    user: str
    folder: Path
    process: asyncio.subprocess.Process
    said: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def ssh(self, *options: str) -> list[str]:
        """The words that open a channel on it; a command is to follow.

        No configuration is read and no connection of its own is ever made: what this host is called
        here does not matter.
        """
        words = ["ssh", "-F", "none", "-S", str(self.folder / "s")]
        for option in ("ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "LogLevel=ERROR"):
            words += ["-o", option]
        return [*words, *options, "--", "cockpit"]

    def watch(self) -> None:
        self._tasks = [asyncio.create_task(self._drain()), asyncio.create_task(self._wait())]

    async def _drain(self) -> None:
        assert self.process.stderr is not None
        with contextlib.suppress(ValueError):
            while line := await self.process.stderr.readline():
                self.said.append(text.clean_line(line.rstrip()))

    async def _wait(self) -> None:
        await self.process.wait()
        self.gone.set()

    async def told(self) -> list[str]:
        """All that it said, once it has ended."""
        await asyncio.wait(self._tasks, timeout=2)
        return list(self.said)

    def abort(self) -> None:
        """Drop it all at once, hops too."""
        self.gone.set()
        if self.process.stdin is not None:
            self.process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


async def login(
    name: str,
    host: str,
    *,
    user: str = "",
    port: int | None = None,
    config: Path | None = None,
    questions: Questions,
) -> Master:
    """Have ssh log in to a host. Raises Unreachable, or LinkDown when trying again is no use."""
    if shutil.which("ssh") is None:
        raise LinkDown(f"{name}: transport: openssh needs the ssh program, which is not installed")
    with questions.exam() as exam:
        hops = await chain(host, user, port, config)
        ask = questions.expected or questions.replays()
        asks = _Asks(name, exam, ask and questions.can_ask and not hops[-1].batch)
        folder = _folder()
        try:
            async with await asyncio.start_unix_server(asks.serve, folder / "a"):
                return await _start(name, hops, config, exam, asks, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


async def _start(
    name: str,
    hops: list[SshHost],
    config: Path | None,
    exam: Exam,
    asks: _Asks,
    folder: Path,
) -> Master:
    last = hops[-1]
    seconds = last.timeout_s or LOGIN_S
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", _GUARDED, "sh", *_command(hops, config, folder, quiet=not asks.may),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environ(folder),
        start_new_session=True,
    )  # fmt: skip
    master = Master(last.user, folder, process)
    master.watch()
    try:
        async with exam.clock(seconds):
            # ssh links its socket to this name once it is let in.
            while not (folder / "s").exists():
                if master.gone.is_set() or asks.end is not None:
                    break
                await asyncio.sleep(0.02)
        if asks.end is not None:
            raise asks.end
        if master.gone.is_set():
            said = await master.told()
            _explain(name, hops, config, said, exam, asks)
    except BaseException as error:
        master.abort()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise Unreachable(no_answer(name, last, seconds)) from None
        raise
    for slot, answer in asks.given.items():
        exam.questions.keep(slot, answer)
    return master


def _command(hops: list[SshHost], config: Path | None, folder: Path, quiet: bool) -> list[str]:
    """The ssh that logs in, through an ssh for each hop: what is asked of us is asked of all."""
    always = [*_ALWAYS, f"BatchMode={'yes' if quiet else 'no'}"]

    def ssh(hop: SshHost, through: str, *more: str) -> list[str]:
        words = ["ssh", "-v", *(["-F", str(config)] if config else []), *more]
        options = [*always, *([f"ProxyCommand={through}"] if through else [])]
        for option in options:
            words += ["-o", option]
        # The name as it was asked for, so that its entry counts; the user may be part of it.
        asked = hop.asked.rpartition("@")[2]
        return [*words, "-l", hop.user, "-p", str(hop.port), "--", asked]

    through = ""
    for hop, to in itertools.pairwise(hops):
        alone = ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
        words = ssh(hop, through, *alone, "-W", f"[{to.address}]:{to.port}")
        through = shlex.join(words).replace("%", "%%")
    socket = ["-o", "ControlMaster=yes", "-o", f"ControlPath={folder}/s"]
    return ssh(hops[-1], through, *socket, "-N", "-T")


def _environ(folder: Path) -> dict[str, str]:
    script = folder / "askpass"
    words = shlex.join([sys.executable, "-IS", askpass.__file__])
    script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    script.chmod(0o700)
    mine = {
        "SSH_ASKPASS": str(script),
        "SSH_ASKPASS_REQUIRE": "force",
        "COCKPIT_ASK": str(folder / "a"),
        "LC_ALL": "C.UTF-8",
    }
    return {"DISPLAY": "none", **os.environ, **mine}


def _folder() -> Path:
    """A private one with a short name, as a socket wants, from which programs may be run."""
    for base in (tempfile.gettempdir(), "/tmp", str(Path.home() / ".cache"), "/var/tmp"):
        if len(base) > 60 or not os.access(base, os.W_OK | os.X_OK):
            continue
        _sweep(Path(base))
        made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
        probe = made / "askpass"
        probe.touch(0o700)
        if os.access(probe, os.X_OK):
            return made
        shutil.rmtree(made)
    raise LinkDown("transport: openssh needs a temporary directory that programs may run from")


def _sweep(base: Path) -> None:
    """Takes away what a cockpit left that was killed."""
    for left in base.glob(f"{_PREFIX}[0-9]*-*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if left.stat().st_uid == os.getuid():
                try:
                    os.kill(int(pid), 0)
                except ProcessLookupError:
                    shutil.rmtree(left, ignore_errors=True)


# -- questions -------------------------------------------------------------------------------------

_KEY: Final = re.compile(r"Enter passphrase for (?:key )?'?(.+?)'?: ?$")
_PIN: Final = re.compile(r"Enter PIN for (.+?):? ?$")
_OWN: Final = re.compile(r"\(?(\S+?@\S+?)(?:\)|'s) password: ?$", re.IGNORECASE)


class _Asks:
    """What ssh asks through askpass. may: it is to be asked at all. end: why no more is asked."""

    def __init__(self, name: str, exam: Exam, may: bool) -> None:
        self.may = may
        self.end: LinkDown | None = None
        self.given: dict[str, str] = {}
        self._name = name
        self._exam = exam
        self._times: dict[str, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())
            answering = asyncio.create_task(self._answer(asked["prompt"], asked["hint"]))
            # A question whose ssh has ended, as one whose server lost patience, is withdrawn.
            hung_up = asyncio.create_task(reader.read())
            await asyncio.wait([answering, hung_up], return_when=asyncio.FIRST_COMPLETED)
            hung_up.cancel()
            if answering.done():
                writer.write(json.dumps(answering.result()).encode() + b"\n")
                await writer.drain()
            else:
                answering.cancel()
        except (OSError, ValueError, KeyError):
            pass
        finally:
            writer.close()

    async def _answer(self, prompt: str, hint: str) -> str | None:
        if hint == "none":
            self._exam.questions.say(text.clean_line(prompt))
            return ""
        if hint == "confirm" or "(yes/no" in prompt:
            return None
        slot, what = _about(prompt)
        wrong = self._times[prompt] = self._times.get(prompt, -1) + 1
        if not slot:
            self._exam.questions.remember_once(CODE)
        try:
            answer = await self._exam.answer(prompt, key=slot, what=what, wrong=wrong)
        except LinkDown as end:
            self.end = end
            return None
        if slot:
            self.given[slot] = answer
        return answer


def _about(prompt: str) -> tuple[str, str]:
    """What an answer is good for again ("" for once), and what it is called in a sentence."""
    if found := _KEY.match(prompt):
        return f"passphrase {found[1]}", f"the passphrase of the key {found[1]}"
    if found := _PIN.match(prompt):
        return f"pin {found[1]}", f"the PIN of {found[1]}"
    if found := _OWN.match(prompt):
        return f"password {found[1]}", f"the password of {found[1]}"
    return "", CODE


# -- what went wrong -------------------------------------------------------------------------------


def _explain(
    name: str,
    hops: list[SshHost],
    config: Path | None,
    lines: list[str],
    exam: Exam,
    asks: _Asks,
) -> NoReturn:
    """Raises Unreachable or LinkDown for what ssh said, in the words of our own transport."""
    said = "\n".join(lines)
    words = [line for line in lines if not line.startswith(("debug1:", "OpenSSH_"))]
    offered = re.findall(r"debug1: Server host key: (\S+ \S+)", said)
    reached = re.findall(r"debug1: Connecting to (\S+) ", said)
    hop = hops[min(max(len(offered) - 1, 0), len(hops) - 1)]
    broken = re.search(r"^(Connection (to \S+ )?(closed|reset)|.*Broken pipe)", said, re.MULTILINE)
    if exam.waiting or (exam.asked and broken):
        # ssh itself learns it only from the answer that it can no longer send.
        raise LinkDown(hung_up(name, hop))
    if "Host key verification failed" in said:
        error = "revoked" if "REVOKED" in said.upper() else "\n".join(words)
        known = ssh_known.read(hop.known_hosts)
        shown = offered[-1] if offered else ""
        raise LinkDown(ssh_known.sentence(name, hop, known, shown, config, error))
    if "Too many authentication failures" in said:
        raise LinkDown(too_many_keys(name, hop))
    if found := re.search(r"Permission denied \(([^)]*)\)", said):
        if exam.questions.can_ask and not asks.may and exam.questions.was_asked:
            raise exam.questions.needed(CODE)
        if exam.asked:
            raise LinkDown(f"{name}: the answers were wrong. Press ctrl+r to be asked again")
        why = next((line for line in words if "sign" in line or "agent" in line), "")
        denied = f"ssh was denied ({found[1]}){', ' + why if why else ''}"
        raise LinkDown(shut_out(name, hop, denied))
    if found := re.search(r"Unable to negotiate with .*", said):
        raise LinkDown(
            f"{name}: {found[0]} Allow what it offers for {hop.asked} in ~/.ssh/config, {AGAIN}"
        )
    if "Could not resolve hostname" in said:
        raise Unreachable(no_name(name, hop))
    if "administratively prohibited" in said:
        raise LinkDown(
            f"{name}: the jump host does not reach on: open failed. AllowTcpForwarding must be on"
            " there."
        )
    if "Connection refused" in said and reached:
        raise Unreachable(refused(name, hop if len(offered) else hops[0]))
    last = words[-1] if words else "nothing"
    raise Unreachable(f"{name}: ssh ended the login and said: {last}")
