"""Where things live on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

VAR_TMP = Path("/var/tmp")


def home() -> Path:
    """The state directory: $COCKPIT_HOME, else the platform's. May not exist; never raises.

    Without a home directory (no $HOME, no passwd entry) it is the first of the spare directories.
    """
    chosen = os.environ.get("COCKPIT_HOME")
    if chosen:
        return _absolute(chosen)
    return _of_user("user_state_dir") or _spare(VAR_TMP)


def incidents() -> Path:
    """The folder that holds one folder per incident."""
    return home() / "incidents"


def trials() -> Path:
    """The folder that holds one folder per trial of a runbook, apart from incidents."""
    return home() / "trials"


def runs() -> Path:
    """The folder that holds one folder per `cockpit run` that belongs to no incident."""
    return home() / "runs"


def shifts() -> Path:
    """The folder that holds one folder per shift, kept as incidents are."""
    return home() / "shifts"


def checks() -> Path:
    """The file that holds how the last check before a shift ended."""
    return home() / "checks.json"


def cache() -> Path:
    """What can be made again at any time: below $COCKPIT_HOME, else the platform's. Never raises.

    May not exist.
    """
    chosen = os.environ.get("COCKPIT_HOME")
    if chosen:
        return _absolute(chosen) / "cache"
    return _of_user("user_cache_dir") or _spare(VAR_TMP) / "cache"


def config_files() -> list[Path]:
    """Where cockpit.yaml is looked for, first one first; they need not exist."""
    chosen = os.environ.get("COCKPIT_CONFIG")
    files = [_absolute(chosen)] if chosen else []
    files.append(_absolute("cockpit.yaml"))
    user = _of_user("user_config_dir")
    return [*files, user / "cockpit.yaml"] if user else files


def fallbacks() -> list[Path]:
    """Where a journal may go, best first: the state directory, its spare, the temp directory."""
    places = [home(), _spare(VAR_TMP), _spare(Path(os.environ.get("TMPDIR") or "/tmp"))]
    return list(dict.fromkeys(places))


def _of_user(kind: Literal["user_state_dir", "user_config_dir", "user_cache_dir"]) -> Path | None:
    """The platform's directory of that kind; None for a user without a home."""
    import platformdirs

    try:
        found = Path(getattr(platformdirs, kind)("cockpit", appauthor=False))
    except RuntimeError:
        return None
    return found if found.is_absolute() else None  # older platformdirs leave the ~ as it is


def _spare(parent: Path) -> Path:
    """Ours under a directory that all users share, one for each $COCKPIT_HOME."""
    import hashlib

    chosen = os.environ.get("COCKPIT_HOME")
    mark = "-" + hashlib.sha256(os.fsencode(chosen)).hexdigest()[:8] if chosen else ""
    return parent / f"cockpit-{os.getuid()}{mark}"


def _absolute(name: str) -> Path:
    try:
        return Path(os.path.abspath(os.path.expanduser(name)))  # noqa: PTH100, PTH111 (never raises)
    except OSError:  # the working directory is gone
        return Path(name)
