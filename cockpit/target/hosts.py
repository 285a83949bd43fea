"""Which hosts there are to choose from, and the target of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.target.target import Asker, Local, Target

if TYPE_CHECKING:
    from cockpit.config import Config

THIS_MACHINE = "this machine"


def names(config: Config) -> list[str]:
    """This machine, the hosts of cockpit.yaml, then the plain aliases of the ssh configuration."""
    start = Path(config.ssh_config) if config.ssh_config else Path.home() / ".ssh" / "config"
    found = [THIS_MACHINE, *config.hosts, *_aliases(start, depth=0)]
    return list(dict.fromkeys(found))


def target(name: str, config: Config, ask: Asker | None = None) -> Target:
    """The target of that name: this machine, a host of cockpit.yaml, or any alias or address.

    ask: puts before the responder what a login asks; without it such a login fails and says so.
    """
    if name in ("", THIS_MACHINE):
        return Local()
    from cockpit.target.ssh import SshTarget

    host = config.hosts.get(name)
    ssh_config = Path(config.ssh_config) if config.ssh_config else None
    if host is None:
        return SshTarget(name, name, ssh_config=ssh_config, ask=ask)
    return SshTarget(
        name,
        host.ssh or name,
        user=host.user,
        workdir=host.workdir,
        ssh_config=ssh_config,
        port=host.port or None,
        transport=host.transport,
        ask=ask,
    )


def labels(config: Config) -> tuple[str, ...]:
    """The labels that hosts of cockpit.yaml carry, in the order in which they stand there."""
    found = [label for host in config.hosts.values() for label in host.labels]
    return tuple(dict.fromkeys(found))


def labelled(config: Config, label: str) -> tuple[str, ...]:
    """The hosts that carry a label, in the order of cockpit.yaml; none where none does."""
    return tuple(name for name, host in config.hosts.items() if label in host.labels)


def _aliases(path: Path, depth: int) -> list[str]:
    """Host lines without patterns, Include followed as in OpenSSH; unreadable files passed over."""
    import glob

    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: list[str] = []
    for line in lines:
        keyword, *more = line.strip().replace("=", " ", 1).split(None, 1) or [""]
        rest = more[0] if more else ""
        if keyword.lower() == "host":
            found += [word for word in rest.split() if not set(word) & set("*?!")]
        elif keyword.lower() == "include" and depth < 4:
            for pattern in rest.split():
                place = Path(pattern).expanduser()
                place = place if place.is_absolute() else Path.home() / ".ssh" / place
                for match in sorted(glob.glob(str(place))):  # noqa: PTH207, patterns may be absolute
                    found += _aliases(Path(match), depth + 1)
    return found
