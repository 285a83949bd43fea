"""A throwaway OpenSSH server on loopback, with its own keys, home and, if asked, its own shell."""

import contextlib
import functools
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import processes
from tests.lab.ports import free_port

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
BUSYBOX = shutil.which("busybox") or "/bin/busybox"


@dataclass(frozen=True)
class Shell:
    """What answers on the far side: the program behind /bin/sh, and the PATH it sees."""

    name: str
    program: Path
    path: str


def shells(folder: Path) -> dict[str, Shell]:
    """bash, dash and busybox ash. For ash, PATH is a folder of busybox applets and nothing else."""
    applets = folder / "busybox"
    if not applets.exists():
        applets.mkdir(parents=True)
        listed = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
        for applet in listed.stdout.split():
            (applets / applet).symlink_to(BUSYBOX)
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "bash": Shell("bash", Path(shutil.which("bash") or "/bin/bash"), system),
        "dash": Shell("dash", Path(shutil.which("dash") or "/bin/dash"), system),
        "busybox": Shell("busybox", applets / "sh", str(applets)),
    }


def make_key(path: Path) -> Path:
    """A fresh ed25519 key pair at path and path.pub."""
    for old in (path, path.with_name(path.name + ".pub")):
        old.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def write_client_config(
    folder: Path, *, name: str, port: int, user: str, user_key: Path, host_key: Path
) -> Path:
    """Write ssh_config and known_hosts for one host on 127.0.0.1:port; returns the ssh_config.

    host_key: the private or public host key file; its public half is what will be trusted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    public = host_key if host_key.suffix == ".pub" else host_key.with_name(host_key.name + ".pub")
    key = " ".join(public.read_text().split()[:2])
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {key}\n")
    config = folder / "ssh_config"
    config.write_text(
        f"Host {name}\n"
        "    HostName 127.0.0.1\n"
        f"    Port {port}\n"
        f"    User {user}\n"
        f"    IdentityFile {user_key}\n"
        "    IdentitiesOnly yes\n"
        "    IdentityAgent none\n"
        f"    UserKnownHostsFile {known_hosts}\n"
        "    GlobalKnownHostsFile /dev/null\n"
        "    StrictHostKeyChecking yes\n"
        "    BatchMode yes\n"
    )
    return config


def server_config(*, host_key: str, authorized_keys: str, extra: str = "") -> str:
    """An sshd_config that takes one key, forwards Unix sockets, and never slows a test down."""
    return (
        # The first value wins in sshd_config, so what a test asks for stands first.
        f"{extra}\n"
        f"HostKey {host_key}\n"
        f"AuthorizedKeysFile {authorized_keys}\n"
        "PidFile none\n"
        "StrictModes no\n"
        "UsePAM no\n"
        "UseDNS no\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
        "AllowStreamLocalForwarding yes\n"
        "AllowTcpForwarding yes\n"
        "AcceptEnv LANG LC_*\n"
        "PrintMotd no\n"
        "PrintLastLog no\n"
        "MaxStartups 200\n"
        "Subsystem sftp internal-sftp\n" + penalties()
    )


@functools.cache
def penalties() -> str:
    """OpenSSH 9.8 and later lock out an address that fails often: tests do so on purpose."""
    told = subprocess.run([SSHD, "-V"], capture_output=True, text=True)
    version = re.search(r"OpenSSH_(\d+)\.(\d+)", told.stdout + told.stderr)
    late = version is not None and (int(version[1]), int(version[2])) >= (9, 8)
    return "PerSourcePenalties no\n" if late else ""


def user_name() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


@dataclass
class Sshd:
    """A running server. host: its alias in ssh_config; home: HOME and cwd of its sessions."""

    host: str
    port: int
    user: str
    folder: Path
    home: Path
    user_key: Path
    host_key: Path
    known_hosts: Path
    ssh_config: Path
    log: Path
    _command: list[str]
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start on the same port again, after stop()."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"sshd did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        """Kill the server and every session, as a crashed host does. Detached jobs live on."""
        if self._process is not None:
            sessions = descendants(self._process.pid, "sshd")
            for pid in (self._process.pid, *sessions):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ssh(self, command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command through the OpenSSH client."""
        return subprocess.run(
            ["ssh", "-F", str(self.ssh_config), self.host, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def client_config(self, folder: Path, port: int) -> Path:
        """An ssh_config for the same host through another port, as of a Proxy."""
        return write_client_config(
            folder,
            name=self.host,
            port=port,
            user=self.user,
            user_key=self.user_key,
            host_key=self.host_key,
        )


def descendants(root: int, name: str) -> list[int]:
    """Pids below root whose program is called name, or, as of OpenSSH 9.8, name-session."""
    children: dict[int, list[tuple[int, str]]] = {}
    for entry in processes.files("stat"):
        with contextlib.suppress(OSError):
            stat = entry.read_text()
            command = stat[stat.index("(") + 1 : stat.rindex(")")]
            parent = int(stat[stat.rindex(")") + 2 :].split()[1])
            children.setdefault(parent, []).append((int(entry.parent.name), command))
    found, todo = [], [root]
    while todo:
        for pid, command in children.get(todo.pop(), []):
            todo.append(pid)
            if command in (name, f"{name}-session"):
                found.append(pid)
    return found


@dataclass(frozen=True)
class Account:
    """A user that only this server's sessions know, and what sudoers says of it.

    hashed: its password as in /etc/shadow.
    """

    name: str
    hashed: str
    sudoers: str
    uid: int = 4242

    def prepare(self, folder: Path) -> list[str]:
        """The command prefix that runs a server in a mount namespace where the user exists."""
        etc = folder / "etc"
        etc.mkdir()
        lines = {
            "passwd": f"{self.name}:x:{self.uid}:{self.uid}::{folder / 'home'}:/bin/sh\n",
            "shadow": f"{self.name}:{self.hashed}:19000:0:99999:7:::\n",
            "group": f"{self.name}:x:{self.uid}:\n",
        }
        for name, line in lines.items():
            shutil.copy2(f"/etc/{name}", etc / name)
            with (etc / name).open("a") as file:
                file.write(line)
        (etc / "sudoers").write_text(f"root ALL=(ALL:ALL) ALL\n{self.sudoers}\n")
        (etc / "sudoers").chmod(0o440)
        folder.chmod(0o755)
        os.chown(folder / "home", self.uid, self.uid)
        script = (
            "mount --make-rprivate /; for file in passwd shadow group sudoers;"
            ' do mount --bind "$1/$file" "/etc/$file" || exit; done; shift; exec "$@"'
        )
        return ["unshare", "-m", "sh", "-c", script, "sh", str(etc)]


@contextlib.contextmanager
def sshd(
    *,
    shell: Shell | None = None,
    account: Account | None = None,
    extra_config: str = "",
    host_key: Path | None = None,
    user_key: Path | None = None,
    name: str = "test-host",
) -> Iterator[Sshd]:
    """Start a server for the user who runs the tests; killed and removed at the end.

    shell: what /bin/sh is in its sessions, with that shell's PATH; needs root (a private mount).
    account: who logs in, instead of the user who runs the tests; needs root and sudo.
    extra_config: lines of sshd_config, stronger than ours. host_key: a private key file to use.
    """
    folder = Path(tempfile.mkdtemp(prefix="cockpit-sshd-"))
    home = folder / "home"
    home.mkdir(mode=0o700)
    host_key = host_key or make_key(folder / "host_key")
    user_key = user_key or make_key(folder / "user_key")
    authorized = folder / "authorized_keys"
    shutil.copy(user_key.with_name(user_key.name + ".pub"), authorized)
    port = free_port()
    config = folder / "sshd_config"
    # HOME twice: SetEnv keeps the login shell away from the tester's own start-up files.
    forced = f"SetEnv HOME={home}\nForceCommand {_session_script(folder, home, shell)}\n"
    config.write_text(
        server_config(
            host_key=str(host_key),
            authorized_keys=str(authorized),
            extra=f"{extra_config}\nListenAddress 127.0.0.1\nPort {port}\n{forced}",
        )
    )
    command = [SSHD, "-D", "-e", "-f", str(config)]
    if shell is not None:
        if os.geteuid() != 0:
            raise PermissionError("another /bin/sh for sshd needs root")
        # Sessions may say /bin/sh themselves: it has to be that shell, not only the forced one.
        script = 'mount --make-rprivate / && mount --bind "$1" "$2" && shift 2 && exec "$@"'
        real = [str(shell.program.resolve()), str(Path("/bin/sh").resolve())]
        command = ["unshare", "-m", "sh", "-c", script, "sh", *real, *command]
    user = user_name()
    if account is not None:
        if os.geteuid() != 0:
            raise PermissionError("an account of its own for sshd needs root")
        command = [*account.prepare(folder), *command]
        user = account.name
    client = write_client_config(
        folder, name=name, port=port, user=user, user_key=user_key, host_key=host_key
    )
    server = Sshd(
        host=name,
        port=port,
        user=user,
        folder=folder,
        home=home,
        user_key=user_key,
        host_key=host_key,
        known_hosts=folder / "known_hosts",
        ssh_config=client,
        log=folder / "sshd.log",
        _command=command,
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _session_script(folder: Path, home: Path, shell: Shell | None) -> Path:
    """The forced command: our home instead of the tester's own, then what the client asked for."""
    script = folder / "session"
    quoted = shlex.quote(str(home))
    lines = ["#!/bin/sh", f"HOME={quoted}; export HOME; cd {quoted} || exit 97"]
    if shell is not None:
        lines.append(f"PATH={shlex.quote(shell.path)}; SHELL=/bin/sh; export PATH SHELL")
    lines.append('[ -z "${SSH_ORIGINAL_COMMAND+x}" ] && exec /bin/sh -i')
    lines.append('exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"')
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    return script
