"""An incident in one line, and which of them are open."""

from __future__ import annotations

import os
from pathlib import Path

from cockpit import paths
from cockpit.incident.history import list_incidents, read
from cockpit.incident.incident import Incident, fold
from cockpit.text import Safe, clean_line


def summary(incident: Incident) -> Safe:
    """Whether it is a training, severity, since when, status, where, and what still runs.

    Without a severity it is not declared, which its name says already.
    """
    parts = ["training"] if incident.training else []
    parts += [incident.severity.value] if incident.severity else []
    if incident.started:
        parts.append(f"since {incident.started:%Y-%m-%d %H:%M} UTC")
    parts.append(incident.status.value)
    if incident.host:
        parts.append(f"on {incident.host}")
    running = len(incident.running())
    if running:
        parts.append(f"{running} running")
    return clean_line(" · ".join(parts))


def name_of(incident: Incident) -> Safe:
    """What to call it: its title, else the runbook that was followed."""
    if incident.title:
        return incident.title
    return clean_line(
        f"{incident.runbook.title} (not declared)" if incident.runbook else "not declared"
    )


def folders(home: Path) -> list[Path]:
    """The folders of all incidents, newest first: at home, and where a bad disk drove them."""
    spare = [place / home.name for place in paths.fallbacks() if _ours(place)]
    places = dict.fromkeys([home, *spare])
    found = [folder for place in places for folder in list_incidents(place)]
    return sorted(found, key=lambda folder: folder.name, reverse=True)


def _ours(place: Path) -> bool:
    """Not what somebody else laid where all users can."""
    try:
        return place.lstat().st_uid == os.getuid()
    except OSError:
        return False


def open_incidents(home: Path, *, training: bool) -> list[tuple[Path, Incident]]:
    """The incidents that are not resolved, newest first; only trainings for a training."""
    found = []
    for folder in folders(home):
        if is_resolved(folder):
            continue
        incident = fold(read(folder).records)
        if incident.open and incident.started and (incident.training or not training):
            found.append((folder, incident))
    return found


def is_resolved(folder: Path) -> bool:
    """Whether the journal plainly says so, at a fraction of the cost of reading it.

    A quote inside a record is escaped, so these bytes stand only where a kind does.
    """
    try:
        raw = (folder / "journal.jsonl").read_bytes()
    except OSError:
        return False
    last = raw.rfind(b'"kind": "incident.resolved"')
    return last >= 0 and last > raw.rfind(b'"kind": "incident.reopened"')
