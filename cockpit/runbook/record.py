"""What the journals say of a runbook: how often it was used, what came of it, what fixed it."""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from cockpit import paths
from cockpit.incident import events as e
from cockpit.incident.incident import Incident, Mark, RunState, fold
from cockpit.incident.journal import read
from cockpit.incident.segments import files
from cockpit.incident.summary import folders
from cockpit.text import Safe, clean_line

VERSION = 1
"""Of the kept answers; another one, and all journals are read again."""

_SETTLED = 2.0
# The other kinds change nothing of what is asked here, and there are many of them.
_TELLING = (
    e.JournalOpened,
    e.IncidentStarted,
    e.IncidentDeclared,
    e.IncidentMitigated,
    e.IncidentResolved,
    e.IncidentReopened,
    e.RunbookOpened,
    e.StepDone,
    e.StepReopened,
    e.StepSkipped,
    e.StepFailed,
    e.CommandRequested,
    e.CommandFinished,
    e.TimeCorrected,
)


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One incident in which a step of a runbook was done or a command of it was run.

    first: when the runbook was opened or first touched; last: its last step or command; ended: when
    users were no longer hurt. solved: the incident was resolved, and a verification passed. step
    and command: the last change of a recovery step that was ticked.
    """

    incident: str
    runbook: str
    name: str
    first: datetime
    last: datetime
    ended: datetime | None
    resolved: datetime | None
    solved: bool
    training: bool
    title: str
    service: str
    cause: str
    fix: str
    step: str
    command: str


class _Known(msgspec.Struct):
    """What one incident said when its files were as in `stamp`."""

    incident: str
    stamp: list[tuple[str, int, int]]
    uses: list[Use]


class _Cache(msgspec.Struct):
    version: int
    known: dict[str, _Known]


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a runbook. Training and test runs are counted apart.

    runs: incidents in which it was used; open: those of them that are not resolved yet, which say
    nothing of its success. solved: incidents resolved with a verification passed. median: from
    taking up the runbook until users were no longer hurt. last_tried counts training and tests too.
    fix is what the responder wrote last time; step and command the last change then ticked as done;
    all may be empty.
    """

    runs: int = 0
    open: int = 0
    solved: int = 0
    median: timedelta | None = None
    last_run: datetime | None = None
    last_tried: datetime | None = None
    trainings: int = 0
    fix: Safe = Safe("")
    step: Safe = Safe("")
    command: Safe = Safe("")

    @property
    def success_rate(self) -> float | None:
        """The part of the runs now over that solved it, 0 to 1; None without such."""
        over = self.runs - self.open
        return self.solved / over if over else None

    @property
    def brief(self) -> Safe:
        """How often, and how often it helped."""
        if not self.runs:
            return Safe("never used" if not self.trainings else "only tried out")
        said = ["used once" if self.runs == 1 else f"used {self.runs} times"]
        if self.runs > self.open:
            once = "solved it" if self.solved else "did not solve it"
            said.append(once if self.runs == 1 else f"{self.solved} solved it")
        if self.open:
            said.append(f"{self.open} still open" if self.runs > 1 else "still open")
        return Safe(", ".join(said))

    @property
    def words(self) -> Safe:
        """All of it in one plain sentence, without what fixed it."""
        parts = [str(self.brief)]
        if self.median is not None:
            parts.append(f"median {_span(self.median)}")
        if self.last_run:
            parts.append(f"last {self.last_run:%Y-%m-%d}")
        elif self.last_tried:
            parts.append(f"last {self.last_tried:%Y-%m-%d}")
        return Safe(", ".join(parts))

    @property
    def fixed(self) -> Safe:
        """What fixed it last time, in one line; empty where nobody said."""
        done = f"{self.step}: {self.command}" if self.step else ""
        return Safe(" · ".join(part for part in (self.fix, done) if part))


_NONE = Record()


class Records:
    """The uses of every runbook that the journals know."""

    def __init__(self, uses: Iterable[Use]) -> None:
        self.by_path: dict[str, list[Use]] = {}
        self._moved: dict[tuple[str, str], list[Use]] = {}
        for use in uses:
            self.by_path.setdefault(use.runbook, []).append(use)
        for path, found in self.by_path.items():
            if not os.path.exists(path):  # noqa: PTH110 (never raises)
                for use in found:
                    self._moved.setdefault((Path(path).name, use.name), []).append(use)

    def uses(self, path: Path | str, title: str = "", *, real: str = "") -> list[Use]:
        """The uses of a runbook, oldest first.

        It is known by its resolved path (`real`, where that is at hand); a file that is gone from
        where it was, by its name and title. What stands in it may have changed.
        """
        if not self.by_path:
            return []
        place = real or os.path.realpath(path)
        moved = self._moved.get((os.path.basename(path), title), ())  # noqa: PTH119 (a fifth)
        found = [*self.by_path.get(place, ()), *(use for use in moved if use.runbook != place)]
        return sorted(found, key=lambda use: use.last) if found else found

    def of(self, path: Path | str, title: str = "", *, real: str = "") -> Record:
        """The record of a runbook; an empty one where it was never used."""
        found = self.uses(path, title, real=real)
        return _record(found) if found else _NONE


def records(homes: Sequence[Path] = (), *, cache: Path | None = None) -> Records:
    """What the journals in these folders say; those of incidents and trials when none is named.

    cache: where the answers are kept, so that only journals that changed are read again; by default
    in the cache directory. Damaged, missing or not writable, it only costs time. Never raises.
    """
    file = cache or paths.cache() / "records.json"
    known = _load(file)
    found: dict[str, _Known] = {}
    for folder in dict.fromkeys(
        one for home in homes or [paths.incidents(), paths.trials()] for one in folders(home)
    ):
        before = known.get(str(folder))
        if before is not None and before.stamp == _stamp(folder, before.incident):
            found[str(folder)] = before
        else:
            found[str(folder)] = _read(folder)
    kept = {name: one for name, one in known.items() if name not in found and Path(name).exists()}
    if found | kept != known:
        _keep(file, found | kept)
    return Records(use for one in found.values() for use in one.uses)


def remembered(*, cache: Path | None = None) -> Records:
    """What the journals said when they were last read: at once, and perhaps out of date."""
    known = _load(cache or paths.cache() / "records.json")
    return Records(use for one in known.values() for use in one.uses)


def unread(*, cache: Path | None = None) -> int:
    """How many journals were never read: what `records` will take longest for."""
    known = _load(cache or paths.cache() / "records.json")
    return sum(str(folder) not in known for folder in folders(paths.incidents()))


def _stamp(folder: Path, incident: str) -> list[tuple[str, int, int]]:
    stamps = []
    for path in files(folder, incident):
        with contextlib.suppress(OSError):
            status = path.stat()
            stamps.append((str(path), status.st_size, status.st_mtime_ns))
    return stamps


def _read(folder: Path) -> _Known:
    began = time.time()
    incident = fold(record for record in read(folder).records if isinstance(record.event, _TELLING))
    stamp = _stamp(folder, incident.id)
    # What was written a moment before the reading, or since it began, may not have been read.
    fresh = any(changed > (began - _SETTLED) * 1e9 for _, _, changed in stamp)
    return _Known(incident.id, [] if fresh else stamp, uses(folder.name, incident))


def uses(name: str, incident: Incident) -> list[Use]:
    """What an incident says of the runbooks that were used in it."""
    opened: dict[str, datetime] = {}
    titles = {book.path: book.title for book in incident.runbooks}
    touched: dict[str, list[datetime]] = {}
    for entry in incident.entries:
        match entry.record.event:
            case e.RunbookOpened(path=path):
                opened.setdefault(path, entry.at)
            case event if path := _touched(event, incident):
                touched.setdefault(path, []).append(entry.at)
    return [
        _use(name, incident, path, titles.get(path, ""), [opened.get(path, times[0]), *times])
        for path, times in touched.items()
    ]


def _touched(event: e.Event, incident: Incident) -> str:
    """The path of the runbook that an event used; empty where it used none."""
    match event:
        case e.StepDone(step=step) | e.StepFailed(step=step):
            return step.runbook
        case e.CommandRequested(step=e.StepRef(runbook=path), job=job):
            run = incident.runs.get(job)
            return "" if run is None or run.state is RunState.NEVER_STARTED else path
    return ""


def _use(name: str, incident: Incident, path: str, title: str, times: list[datetime]) -> Use:
    step, command = _last_change(incident, path)
    resolution = incident.resolution
    return Use(
        incident=name,
        runbook=os.path.realpath(path),
        name=title,
        first=min(times),
        last=max(times[1:]),
        ended=incident.hurt_until,
        resolved=incident.resolved,
        solved=incident.resolved is not None and incident.verified,
        training=incident.training,
        title=str(incident.title),
        service=str(incident.service),
        cause=resolution.cause if resolution else "",
        fix=resolution.fix if resolution else "",
        step=step,
        command=command,
    )


def _last_change(incident: Incident, path: str) -> tuple[str, str]:
    """Title and command of the last recovery of this runbook that was ticked."""
    for run in sorted(incident.runs.values(), key=lambda run: run.seq, reverse=True):
        step = run.asked.step
        if step is None or step.runbook != path or run.asked.risk == "read":
            continue
        state = incident.steps.get(step)
        if run.asked.phase == "recovery" and state is not None and state.mark is Mark.DONE:
            return str(state.title), run.asked.command
    return "", ""


def _record(found: list[Use]) -> Record:
    real = [use for use in found if not use.training]
    ended = [use for use in real if use.resolved and (use.fix or use.step)]
    last = max(ended, key=lambda use: use.resolved or use.last, default=None)
    spans = [
        (use.ended - use.first).total_seconds()
        for use in real
        if use.ended and use.ended >= use.first
    ]
    return Record(
        runs=len(real),
        open=sum(use.resolved is None for use in real),
        solved=sum(use.solved for use in real),
        median=timedelta(seconds=statistics.median(spans)) if spans else None,
        last_run=max((use.last for use in real), default=None),
        last_tried=max((use.last for use in found), default=None),
        trainings=len(found) - len(real),
        fix=clean_line(last.fix) if last else Safe(""),
        step=clean_line(last.step) if last else Safe(""),
        command=clean_line(last.command) if last else Safe(""),
    )


def _span(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 1:
        return "under 1 min"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _load(file: Path) -> dict[str, _Known]:
    try:
        cache = msgspec.json.decode(file.read_bytes(), type=_Cache)
    except (OSError, msgspec.DecodeError):
        return {}
    return cache.known if cache.version == VERSION else {}


def _keep(file: Path, known: dict[str, _Known]) -> None:
    """Whole or not at all; nothing is lost when it cannot be."""
    data = msgspec.json.encode(_Cache(VERSION, known))
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(fd, "wb") as out:
                out.write(data)
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
