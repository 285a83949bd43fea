"""The jobs that the journals of this machine know of: of incidents, trials and single runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cockpit import paths
from cockpit.incident.history import read
from cockpit.incident.incident import Run, RunState, fold
from cockpit.incident.segments import MAIN
from cockpit.incident.summary import folders
from cockpit.incident.timeline import beginning, outcome
from cockpit.text import Safe, clean_line

SHORT = 8


class NoSuchJob(Exception):
    """No job has that id, or several may be meant; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run, and the folder whose journal knows of it."""

    folder: Path
    run: Run

    @property
    def state(self) -> Safe:
        """As it was last heard of."""
        run = self.run
        if run.asked.terminal and not run.over:
            return Safe("in a terminal of cockpit")
        if run.state is RunState.STOPPING:
            return Safe("stop asked")  # whether the host has heard of it is not known
        return clean_line(outcome(run.state.value, run.exit_status) if run.over else run.state)

    def record(self) -> dict[str, object]:
        """As JSON data."""
        asked = self.run.asked
        return {
            "id": self.run.job,
            "host": asked.host,
            "since": self.run.at.isoformat(),
            "state": self.run.state.value,
            "exit_status": self.run.exit_status,
            "command": asked.command,
            "folder": str(self.folder),
        }


def known(*, ended: bool = False) -> list[Job]:
    """The jobs that are not known to be over, newest first; ended: the others too."""
    found = [job for job in _all(lambda raw: ended or not _quiet(raw)) if ended or not job.run.over]
    return sorted(found, key=lambda job: job.run.at, reverse=True)


def find(id: str) -> Job:
    """The job whose id begins so. Raises NoSuchJob."""
    begins = f'"{id}'.encode()
    for wanted in (lambda raw: begins in raw, lambda raw: True):  # it may go on in other files
        found = [job for job in _all(wanted) if id and job.run.job.startswith(id)]
        if found:
            break
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(job.run.job for job in found[:5])
        raise NoSuchJob(f"{id} may be any of {names}. Write more of it.")
    raise NoSuchJob(f"There is no job {id or 'without an id'}. See: cockpit job list --all")


def _all(wanted: Callable[[bytes], bool]) -> Iterator[Job]:
    """Of the journals that are wanted by their bytes: to read one costs far more than a look."""
    places = (paths.incidents(), paths.runs(), paths.trials())
    for folder in dict.fromkeys(folder for place in places for folder in folders(place)):
        try:
            raw = (folder / MAIN).read_bytes()
        except OSError:
            raw = None
        if raw is None or wanted(raw):
            for run in fold(read(folder).records).runs.values():
                yield Job(folder, run)


def _quiet(raw: bytes) -> bool:
    """Whether the last that a journal says is that it was left and nothing ran."""
    last = raw[raw.rstrip(b"\n").rfind(b"\n") + 1 :]
    return b'"kind": "cockpit.closed"' in last and b'"running": 0' in last


def table(jobs: Sequence[Job]) -> list[Safe]:
    """A line for each, under a line that says what stands where."""
    head = ("ID", "HOST", "SINCE (UTC)", "STATE", "COMMAND")
    rows = [head]
    for job in jobs:
        run = job.run
        since = f"{run.at:%Y-%m-%d %H:%M}"
        rows.append(
            (run.job[:SHORT], run.asked.host, since, job.state, beginning(run.asked.command))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    return [
        clean_line(
            "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True))
        )
        for row in rows
    ]
