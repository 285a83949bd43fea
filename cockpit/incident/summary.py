"""An incident in one line, for lists."""

from __future__ import annotations

from cockpit.incident.incident import Incident
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
