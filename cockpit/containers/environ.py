"""The environment of a container: which values may be shown to whoever looks over a shoulder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from cockpit.text import Redactor, Safe, clean_line

_SHOWN: Final = frozenset(
    (
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TERM", "HOSTNAME", "PWD", "SHELL", "USER"),
        *("PORT", "HOST", "VERSION", "DEBUG", "ENVIRONMENT", "SERVICE_NAME", "REGION"),
        *("LOGLEVEL", "RUST_LOG", "GODEBUG", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "JAVA_HOME"),
        *("PYTHONUNBUFFERED", "PYTHONPATH", "PGDATA", "LD_LIBRARY_PATH", "DJANGO_SETTINGS_MODULE"),
        "ASPNETCORE_ENVIRONMENT",
    )
)
_SHOWN_ENDS: Final = (
    *("_HOST", "_HOSTNAME", "_PORT", "_VERSION", "_ENV", "_LEVEL", "_REGION", "_TIMEOUT"),
    *("_ENABLED", "_WORKERS", "_THREADS"),
)
_USER_IN_URL: Final = re.compile(r"//[^/\s]*@")
# Its marks are compared with nothing, so its salt is nobody's business.
_redact = Redactor(os.urandom(16))


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. value: what it is, also where it is not to be shown by itself."""

    name: Safe
    value: Safe
    shown: bool

    @property
    def words(self) -> Safe:
        """Its value where that may stand on a screen by itself, else only whether it has one."""
        if self.shown:
            return self.value
        return Safe("<hidden>" if self.value else "<empty>")


def read(given: Iterable[str] | None) -> tuple[Variable, ...]:
    """The variables of an inspect's Env, by name."""
    found = []
    for entry in given or ():
        name, _, value = entry.partition("=")
        safe = clean_line(value)
        found.append(Variable(clean_line(name), safe, _may_be_shown(name, safe)))
    return tuple(sorted(found, key=lambda one: one.name))


def masked(entry: str) -> str:
    """`NAME=value` with its value only where that may be shown."""
    (one,) = read([entry])
    return f"{one.name}={one.words}" if "=" in entry else str(one.name)


def inspect_masked(raw: bytes) -> str:
    """Inspect's JSON, laid out, with the values of variables only where they may be shown.

    Raises ValueError where it is none.
    """
    try:
        known = msgspec.json.decode(raw)
        config = known.get("Config")
        if isinstance(config, dict) and isinstance(config.get("Env"), list):
            config["Env"] = [masked(str(entry)) for entry in config["Env"]]
        return msgspec.json.format(msgspec.json.encode(known), indent=2).decode()
    except (msgspec.DecodeError, UnicodeError, AttributeError) as wrong:
        raise ValueError("what inspect says cannot be read") from wrong


def without_secrets(text: str) -> Safe:
    """Any text of a container's, without what has the shape of a secret."""
    return _redact(text)


def _may_be_shown(name: str, value: Safe) -> bool:
    """By its name, of which a list is known; never where the value looks like a secret."""
    upper = name.upper()
    if upper not in _SHOWN and not upper.endswith(_SHOWN_ENDS):
        return False
    plain = Safe(f"{clean_line(name)}={value}")
    return not _USER_IN_URL.search(value) and _redact(plain) == plain
