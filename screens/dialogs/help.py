"""All keys, as they are bound here and now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from textual.binding import Binding
from textual.dom import DOMNode
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
_OF_PANES = {"Runbook", "Containers", "Logs", "Timeline"}
_ORDER = [
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


def help_text(screen: Screen[object], display: Callable[[Binding], str]) -> Safe:
    """The keys of every pane of a screen, in groups; those of the pane that has the focus first."""
    groups: dict[str, dict[str, str]] = {}
    for node in (screen.app, screen, *screen.query("*")):
        for binding in _told(node):
            words = binding.tooltip or binding.description
            groups.setdefault(_group(binding), {})[words] = display(binding)
    focused = screen.focused.ancestors_with_self if screen.focused else []
    first = [group for node in focused for group in map(_group, _told(node)) if group in _OF_PANES]
    lines: list[str] = []
    for group in dict.fromkeys([*first[:1], *_ORDER]):
        if group in groups:
            lines += [group]
            lines += [f"  {clean_line(key):<14} {words}" for words, key in groups[group].items()]
            lines += [""]
    return Safe("\n".join(lines))


def _told(node: DOMNode) -> Iterator[Binding]:
    for bindings in node._bindings.key_to_bindings.values():
        for binding in bindings:
            if binding.id is not None and binding.description:
                yield binding


def _group(binding: Binding) -> str:
    return _GROUPS.get((binding.id or "").partition(".")[0], "Here")
