"""An incident in one line, and which of them are open."""

from __future__ import annotations

from pathlib import Path

from cockpit.incident.history import list_incidents, read
from cockpit.incident.incident import Incident, fold
from cockpit.text import Safe, clean_line


def summary(incident: Incident) -> Safe:
    """Severity, status, since when, where, and what still runs."""
    parts = [incident.severity.value if incident.severity else "no severity"]
    parts.append(incident.status.value)
    if incident.started:
        parts.append(f"since {incident.started:%Y-%m-%d %H:%M} UTC")
    if incident.host:
        parts.append(f"on {incident.host}")
    running = len(incident.running())
    if running:
        parts.append(f"{running} running")
    if incident.training:
        parts.append("training")
    return clean_line(" · ".join(parts))


def open_incidents(home: Path, *, training: bool) -> list[tuple[Path, Incident]]:
    """The incidents that are not resolved, newest first; only trainings for a training."""
    found = []
    for folder in list_incidents(home):
        incident = fold(read(folder).records)
        if incident.open and incident.started and (incident.training or not training):
            found.append((folder, incident))
    return found
