"""One container as an on-call person looks at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cockpit import text
from cockpit.containers.stats import Sample
from cockpit.containers.wire import Inspected, Listed
from cockpit.text import Safe

LIVE = frozenset({"running", "paused"})
_EXITED = re.compile(r"\((\d+)\)")
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")


@dataclass(frozen=True, slots=True)
class Container:
    """A container and its newest sample.

    state: created, running, paused, restarting, removing, exited or dead. health: healthy,
    unhealthy, starting, "" without a health check. restarts: by the engine's restart policy;
    None until the engine was asked. oom: the kernel killed it for memory. exit_code: None while
    it runs. started_at: of the present or last run, by the engine's clock. status: in words,
    what cannot be read from the other fields left out. host: whose engine runs it.
    """

    id: str
    name: Safe
    image: Safe
    state: str
    status: Safe
    health: str
    restarts: int | None
    oom: bool
    exit_code: int | None
    started_at: datetime | None
    finished_at: datetime | None
    project: Safe
    service: Safe
    tty: bool
    sample: Sample | None = None
    host: Safe = Safe("")

    @property
    def live(self) -> bool:
        """Whether it has processes."""
        return self.state in LIVE


def from_list(row: Listed) -> Container:
    """What the list alone tells; `from_inspect` knows the rest."""
    health = _HEALTH.search(row.status)
    exited = _EXITED.search(row.status)
    state = _word(row.state)
    return Container(
        id=_word(row.id),
        name=text.clean_line((row.names or [row.id[:12]])[0].lstrip("/")),
        image=text.clean_line(row.image),
        state=state,
        status=text.clean_line(row.status),
        health=health[1] if health else "",
        restarts=None,
        oom=False,
        exit_code=int(exited[1]) if exited and state not in LIVE else None,
        started_at=None,
        finished_at=None,
        project=_label(row.labels, "project"),
        service=_label(row.labels, "service"),
        tty=False,
    )


def from_inspect(got: Inspected) -> Container:
    state = _word(got.state.status)
    health = _word(got.state.health.status) if got.state.health else ""
    exit_code = None if state in LIVE or state == "created" else got.state.exit_code
    return Container(
        id=_word(got.id),
        name=text.clean_line(got.name.lstrip("/") or got.id[:12]),
        image=text.clean_line(got.config.image),
        state=state,
        status=_status(state, health, exit_code, got.state.oom_killed, got.state.error),
        health="" if health == "none" or state not in LIVE else health,
        restarts=got.restart_count,
        oom=got.state.oom_killed,
        exit_code=exit_code,
        started_at=moment(got.state.started_at),
        finished_at=moment(got.state.finished_at),
        project=_label(got.config.labels, "project"),
        service=_label(got.config.labels, "service"),
        tty=got.config.tty,
    )


def moment(stamp: str) -> datetime | None:
    """An engine's RFC 3339 time, to the microsecond; None for its year 1 and for what is no time.

    Never naive.
    """
    try:
        parsed = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    if parsed.year < 1970:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _status(state: str, health: str, exit_code: int | None, oom: bool, error: str) -> Safe:
    words = [state]
    if exit_code is not None:
        words.append(f"({exit_code})")
    if oom:
        words.append("out of memory")
    if state in LIVE and health not in ("", "none"):
        words.append(f"({health})")
    if error:
        words.append(f"· {error}")
    return text.clean_line(" ".join(words))


def _word(value: str) -> str:
    """A value that the engine picks from a few: anything but plain letters and digits is not it."""
    return value if value.isascii() and value.isalnum() else "unknown"


def _label(labels: dict[str, str] | None, which: str) -> Safe:
    return text.clean_line((labels or {}).get(f"com.docker.compose.{which}", ""))
