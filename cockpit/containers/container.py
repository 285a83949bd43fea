"""One container as an on-call person looks at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cockpit import text
from cockpit.containers.stats import Sample
from cockpit.containers.wire import Health, Inspected, Listed
from cockpit.text import Safe

RETRIES = 3
MOST_FAILURES = 10**6
LONGEST_SAID = 4096
LONGEST_NAME = 256
LIVE = frozenset({"running", "paused"})
_EXITED = re.compile(r"\((\d+)\)")
_IMAGE_ID = re.compile(r"(?:[a-z0-9]+:)?[0-9a-f]+")
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")


@dataclass(frozen=True, slots=True)
class Container:
    """A container and its newest sample.

    state: created, running, paused, restarting, removing, exited or dead. health: healthy,
    unhealthy, starting, "" without a health check. restarts: by the engine's restart policy;
    None until the engine was asked. oom: the kernel killed it for memory. exit_code: None while
    it runs. started_at: of the present or last run, by the engine's clock. status: in words,
    what cannot be read from the other fields left out. host: whose engine runs it. image_id:
    of the image it was made from, "sha256:…". unhealthy_since: by the engine's clock, None while
    it is not unhealthy. health_said: the last line that its health check wrote. config_hash,
    config_files (parted by commas), working_dir: what Compose made it from, "" for none.
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
    image_id: str = ""
    unhealthy_since: datetime | None = None
    health_said: Safe = Safe("")
    config_hash: Safe = Safe("")
    config_files: Safe = Safe("")
    working_dir: Safe = Safe("")

    @property
    def live(self) -> bool:
        """Whether it has processes."""
        return self.state in LIVE


def called(name: str) -> Safe:
    """A name that an engine tells, cut where it would fill the screens that it stands on."""
    return text.clean_line(name, max_chars=LONGEST_NAME)


def from_list(row: Listed) -> Container:
    """What the list alone tells; `from_inspect` knows the rest."""
    health = _HEALTH.search(row.status)
    exited = _EXITED.search(row.status)
    state = _word(row.state)
    return Container(
        id=_word(row.id),
        name=called((row.names or [row.id[:12]])[0].lstrip("/")),
        image=called(row.image),
        state=state,
        status=text.clean_line(row.status),
        health=health[1] if health else "",
        restarts=None,
        oom=False,
        exit_code=int(exited[1]) if exited and state not in LIVE else None,
        started_at=None,
        finished_at=None,
        project=called(_label(row.labels, "project")),
        service=called(_label(row.labels, "service")),
        tty=False,
        image_id=_image_id(row.image_id),
        config_hash=_label(row.labels, "config-hash"),
        config_files=_label(row.labels, "project.config_files"),
        working_dir=_label(row.labels, "project.working_dir"),
    )


def from_inspect(got: Inspected) -> Container:
    state = _word(got.state.status)
    said = got.state.health.status if got.state.health else ""
    health = _word(said) if said else ""  # Podman says nothing where there is no check
    exit_code = None if state in LIVE or state == "created" else got.state.exit_code
    return Container(
        id=_word(got.id),
        name=called(got.name.lstrip("/") or got.id[:12]),
        image=called(got.config.image),
        state=state,
        status=_status(state, health, exit_code, got.state.oom_killed, got.state.error),
        health="" if health == "none" or state not in LIVE else health,
        restarts=got.restart_count,
        oom=got.state.oom_killed,
        exit_code=exit_code,
        started_at=moment(got.state.started_at),
        finished_at=moment(got.state.finished_at),
        project=called(_label(got.config.labels, "project")),
        service=called(_label(got.config.labels, "service")),
        tty=got.config.tty,
        image_id=_image_id(got.image),
        unhealthy_since=_unhealthy_since(got) if state in LIVE else None,
        health_said=_said(got.state.health) if state in LIVE else Safe(""),
        config_hash=_label(got.config.labels, "config-hash"),
        config_files=_label(got.config.labels, "project.config_files"),
        working_dir=_label(got.config.labels, "project.working_dir"),
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


def _unhealthy_since(got: Inspected) -> datetime | None:
    """When the check failed once too often; reckoned back where the log no longer has that run."""
    health = got.state.health
    if health is None or health.status != "unhealthy":
        return None
    ends = [end for probe in health.log or () if (end := moment(probe.end)) is not None]
    started = moment(got.state.started_at)
    if not ends:
        return started
    retries = (got.config.healthcheck.retries if got.config.healthcheck else 0) or RETRIES
    later = max(0, health.failing_streak - retries)  # failures after the one that told
    if later < len(ends):
        return ends[-1 - later]
    apart = (ends[-1] - ends[0]) / max(1, len(ends) - 1)
    since = ends[-1] - min(later, MOST_FAILURES) * apart
    return max(since, started) if started else since


def _said(health: Health | None) -> Safe:
    """The last line that the newest run of the check wrote."""
    lines = health.log[-1].output[-LONGEST_SAID:].split("\n") if health and health.log else []
    written = [line for line in lines if line.strip()]
    return text.clean_line(written[-1].strip()) if written else Safe("")


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


def _image_id(value: str) -> str:
    return value if _IMAGE_ID.fullmatch(value) else ""


def _label(labels: dict[str, str] | None, which: str) -> Safe:
    return text.clean_line((labels or {}).get(f"com.docker.compose.{which}", ""))
