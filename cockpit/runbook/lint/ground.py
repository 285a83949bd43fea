"""What lint holds a runbook against, beside the file itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cockpit.runbook.lint.compose import Compose


@dataclass(frozen=True, slots=True)
class OnHost:
    """What a host said of itself. containers is None where Docker did not answer there."""

    name: str
    containers: frozenset[str] | None
    services: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known; every part may be missing, and then its rules do not judge.

    last_run: when the runbook of that path and title was last run, None for never; itself None
    where nothing was ever run on this machine. hosts: names and addresses of cockpit.yaml.
    """

    compose: Compose | None = None
    host: OnHost | None = None
    hosts: frozenset[str] = frozenset()
    last_run: Callable[[Path, str], datetime | None] | None = None
    now: datetime | None = None


NOTHING = Ground()
"""Only the file itself."""
