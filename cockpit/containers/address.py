"""Where the engine is: the `docker` key, $DOCKER_HOST, the docker context, or the usual socket."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

USUAL = "/var/run/docker.sock"


class BadAddress(ValueError):
    """The address cannot be used; the message says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Address:
    """path: a unix socket on the target. Or url: http(s)://host:port, reached from this machine.

    ca, cert, key: files for TLS, each may be empty.
    """

    path: str = ""
    url: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True

    def __str__(self) -> str:
        return self.path or self.url


def find(configured: str, *, local: bool) -> Address:
    """The engine's address. configured: the `docker` key, a path or URL, "" for the default.

    For this machine (local) the default is what the docker command line would use. May read
    files and import the docker SDK (0.6 s), so call it outside the event loop's thread.
    Raises BadAddress.
    """
    if configured:
        return _parse(configured, "docker: in cockpit.yaml")
    if not local:
        return Address(path=USUAL)
    if host := os.environ.get("DOCKER_HOST"):
        return _parse(host, "$DOCKER_HOST")
    if context := _context_name():
        return _of_context(context)
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    if not Path(USUAL).exists() and rootless.exists():
        return Address(path=str(rootless))
    return Address(path=USUAL)


def _parse(text: str, source: str) -> Address:
    if text.startswith("/"):
        return Address(path=text)
    parts = urlsplit(text)
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        return Address(path=parts.path)
    if parts.scheme in ("tcp", "http", "https") and parts.hostname and _port(parts):
        return _tcp(parts.netloc, parts.scheme)
    if parts.scheme == "ssh":
        raise BadAddress(
            f"{source} is {text}. Open cockpit with --host {parts.hostname or 'HOST'} instead: "
            "it reaches Docker there through its own connection."
        )
    raise BadAddress(
        f"{source} is {text!r}; it must be a path such as {USUAL}, unix:///path, or tcp://host:port"
    )


def _port(parts: SplitResult) -> bool:
    """Whether the port is a port, or left out."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _tcp(netloc: str, scheme: str) -> Address:
    folder = os.environ.get("DOCKER_CERT_PATH", "")
    verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if scheme == "http" or not (scheme == "https" or verify or folder):
        return Address(url=f"http://{netloc}")
    certificates = Path(folder) if folder else Path.home() / ".docker"
    ca, cert, key = (
        str(file) if (file := certificates / f"{name}.pem").exists() else ""
        for name in ("ca", "cert", "key")
    )
    return Address("", f"https://{netloc}", ca, cert, key, verify or scheme == "https")


def _context_name() -> str:
    """The chosen docker context, "" for the default one."""
    name = os.environ.get("DOCKER_CONTEXT", "")
    if not name:
        folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
        try:
            config = json.loads(Path(folder, "config.json").read_bytes())
            name = str(config.get("currentContext", ""))
        except (OSError, ValueError, AttributeError):
            name = ""
    return "" if name == "default" else name


def _of_context(name: str) -> Address:
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        context = ContextAPI.get_context(name)
    except (DockerException, OSError, ValueError) as wrong:
        raise BadAddress(f"The docker context {name!r} cannot be read: {wrong}") from wrong
    if context is None or not context.Host:
        raise BadAddress(
            f"The docker context {name!r} does not exist. See `docker context ls`, then "
            "`docker context use NAME`."
        )
    address = _parse(context.Host, f"The host of docker context {name}")
    tls = context.TLSConfig
    if address.path or tls is None:
        return address
    cert, key = tls.cert or ("", "")
    url = "https://" + urlsplit(address.url).netloc
    return Address("", url, tls.ca_cert or "", cert or "", key or "", bool(tls.verify))
