"""All keys, as they are bound here and now."""

from __future__ import annotations

from collections.abc import Callable

from textual.binding import Binding
from textual.screen import Screen

from cockpit.text import Safe, clean_line

_GROUPS = {
    "step": "Runbook",
    "section": "Runbook",
    "runbook": "Runbook",
    "container": "Containers",
    "log": "Logs",
    "entry": "Timeline",
    "incident": "Incident",
    "host": "Incident",
    "link": "Incident",
    "pane": "Panes",
    "move": "Moving",
    "run": "Runbook",
    "due": "Incident",
    "outbox": "Incident",
    "checks": "Incident",
    "app": "Everywhere",
    "cockpit": "Everywhere",
}


def help_text(screen: Screen[object], display: Callable[[Binding], str]) -> Safe:
    """The keys of every pane of a screen, in groups."""
    groups: dict[str, dict[str, str]] = {}
    nodes = [screen.app, screen, *screen.query("*")]
    for node in nodes:
        for bindings in node._bindings.key_to_bindings.values():
            for binding in bindings:
                if binding.id is None or not binding.description:
                    continue
                group = _GROUPS.get(binding.id.partition(".")[0], "Here")
                words = binding.tooltip or binding.description
                groups.setdefault(group, {})[words] = display(binding)
    order = [
        "Here",
        "Runbook",
        "Incident",
        "Containers",
        "Logs",
        "Timeline",
        "Panes",
        "Everywhere",
        "Moving",
    ]
    lines: list[str] = []
    for group in order:
        if group in groups:
            lines += [group]
            lines += [f"  {clean_line(key):<14} {words}" for words, key in groups[group].items()]
            lines += [""]
    return Safe("\n".join(lines))
