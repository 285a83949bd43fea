"""Lines for the logs pane, as `Following` would have them come."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.logs.line import Line
from cockpit.logs.window import Window
from cockpit.text import Safe
from screens.panes.logs import LogsPane


def begin(pane: LogsPane, *names: str) -> None:
    """Has the pane show logs of these names, which are empty yet."""
    pane.start([Safe(name) for name in names], Window())


def come(pane: LogsPane, lines: Sequence[Line], origin: int = 0) -> None:
    """Lines come."""
    pane.news(pane.window.add(origin, lines))
