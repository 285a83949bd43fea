"""Sibling headings that belong together: runbooks of their own in one file, options."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cockpit.runbook import headings
from cockpit.runbook.blocks import Kind, flat
from cockpit.runbook.model import Phase, StepKind
from cockpit.runbook.tree import Node

_PROBLEM = re.compile(
    r"\b(?:(?:is|are|was|keeps?|gets?|stays?|does|do|will|can|has|have)(?: not|n['’]t)?\b.*"
    r"\b(?:running|down|slow|stuck|full|dead|offline|missing|restarting|crash\w*|fail\w*|work\w*"
    r"|start\w*|load\w*|connect\w*|respon\w*|pending|broken|high|low|unreachable)"
    r"|not (?:running|found|starting|working|loading|responding|created|sent|received|updat\w+"
    r"|connect\w+|available|reachable|accessible|syncing|ready|firing|\w+ing)"
    r"|(?:won|can|doesn|isn|don|aren)['’]?t\b|cannot|unable to|fail(?:s|ed|ing|ures?)?\b|errors?\b"
    r"|issues?\b|problems?\b|stuck|crash\w*|denied|refused|rejected|expired|unreachable|unresponsive"
    r"|unavailable|unhealthy|degrad\w+|timeouts?|timed out|time-?outs?|exhaust\w+|out of (?:memory"
    r"|disk|space)|\boom\b|leaks?\b|too (?:many|small|large|big|slow|high|low)|already in use"
    r"|corrupt\w*|missing|lag(?:ging)?\b|backlog|loops?\b|deadlocks?|down\b|outage|broken|lost\b|loss\b"
    r"|^(?:high|low|slow|no|empty|stale|missing|duplicate)\b.+|full\b|\b[45]\d\d\b|[45]xx)",
    re.IGNORECASE,
)
_NO_PROBLEM = re.compile(
    r"(?!missing)\w+ing\b|(?:check|identify|verify|investigate|fix|resolve|debug|diagnose|look|review"
    r"|find|monitor|test|report|log|common|known|other|possible|potential|general)\b",
    re.IGNORECASE,
)
"""How a heading starts that is about problems and names none."""
_HOW_TO = re.compile(r"how (?:to|do (?:i|we|you))\b", re.IGNORECASE)
_ALERT = re.compile(
    r"(?:alert|scenario|incident|playbook|runbook|case)\s*(?:#?\d+\s*)?[:–—-]\s*\S", re.I
)
_CASE = re.compile(r"(?:scenario|case|situation)\s+#?(?:\d+|[a-h])\b", re.IGNORECASE)
_WAY = re.compile(
    r"(?:via|using|through)\s+\S|(?:manual(?:ly)?|automatic(?:ally)?|by hand)\s*(?:\(.*\))?$",
    re.IGNORECASE,
)
_TELLING = frozenset(
    {
        Phase.MISTAKES,
        Phase.SYMPTOMS,
        Phase.OVERVIEW,
        Phase.ESCALATION,
        Phase.POST_INCIDENT,
        Phase.PREREQUISITES,
        Phase.PREVENTION,
    }
)
"""Phases below whose heading problems are told of, not dealt with."""
_ACTS = (Phase.SYMPTOMS, Phase.DIAGNOSIS, Phase.RECOVERY)


def procedures(top: Sequence[Node]) -> list[Node]:
    """Headings that are runbooks of their own, outermost first.

    They are siblings: several that repeat the same phases, wherever they stand; or several under
    one heading that name a problem each, or say "How to …", or hold a numbered list each.
    """
    if repeated := _repeating(top):
        return repeated
    found: list[Node] = []
    waiting = [list(top)]
    while waiting:
        siblings = waiting.pop()
        alike = _alike(siblings)
        found += alike
        chosen = {id(node) for node in alike}
        waiting += [
            node.children
            for node in siblings
            if id(node) not in chosen
            and node.children
            and headings.strong(node.title) not in _TELLING
        ]
    return found


def _repeating(top: Sequence[Node]) -> list[Node]:
    by_level: dict[int, list[tuple[Node, frozenset[Phase]]]] = {}
    waiting = list(reversed(top))
    while waiting:
        node = waiting.pop()
        waiting += reversed(node.children)
        phases = frozenset(
            phase for child in node.children if (phase := headings.strong(child.title)) in _ACTS
        )
        if phases and not node.pseudo and headings.strong(node.title) is None:
            by_level.setdefault(node.level, []).append((node, phases))
    for level in sorted(by_level):
        repeated = [node for node, _ in by_level[level]]
        if len(repeated) > 1 and frozenset.intersection(*(phases for _, phases in by_level[level])):
            return repeated
    return []


def _alike(siblings: Sequence[Node]) -> list[Node]:
    """The siblings that are procedures, if at least half of them show it."""
    able = [node for node in siblings if not node.pseudo and _has_content(node)]
    for shows in (_names_problem, _says_how, _is_numbered_list):
        shown = [node for node in able if shows(node)]
        if len(shown) < 2 or len(shown) * 2 < len(able):
            continue
        if shows is _names_problem:
            return [node for node in able if node.kind is None]
        return shown
    return []


def _has_content(node: Node) -> bool:
    blocks = flat(node.body)
    return any(block.kind in (Kind.FENCE, Kind.LIST, Kind.INDENTED) for block in blocks) or any(
        _has_content(child) for child in node.children
    )


def _names_problem(node: Node) -> bool:
    return (
        node.kind is None
        and headings.strong(node.title) is None
        and bool(_PROBLEM.search(node.title))
        and not _NO_PROBLEM.match(node.title)
        and len(node.title) <= 80
    )


def _says_how(node: Node) -> bool:
    says = _HOW_TO.match(node.title) or _ALERT.match(node.title)
    return node.kind is not StepKind.OPTION and bool(says)


def _is_numbered_list(node: Node) -> bool:
    """Whether "2. Image rollback" holds steps of its own, numbered too."""
    return bool(re.match(r"\d+\\?[.)]\s", node.title)) and any(
        block.kind is Kind.LIST and block.ordered and len(block.children) > 1
        for block in flat(node.body)
    )


def mark(nodes: Sequence[Node]) -> None:
    """Say of every heading whether it is a step or an option.

    Options may do without the word: siblings such as "Via the console" and "Via the API", or
    "Scenario A" and "Scenario B" below one step.
    """
    waiting = [(False, nodes)]
    while waiting:
        in_step, siblings = waiting.pop()
        for node in siblings:
            node.kind = headings.kind(node.title)
            if in_step and _CASE.match(node.title):
                node.kind = StepKind.OPTION
            if node.children:
                waiting.append((node.kind is StepKind.STEP, node.children))
        ways = [node for node in siblings if node.kind is None and _WAY.match(node.title)]
        if len(ways) > 1:
            for node in ways:
                node.kind = StepKind.OPTION
