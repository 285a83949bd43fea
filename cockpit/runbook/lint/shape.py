"""What a runbook must say beside its commands: how bad, whom to call, whether it worked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.runbook.lint.finding import Finding, Level
from cockpit.runbook.lint.page import Page, Placed
from cockpit.runbook.model import Command, Phase, Risk, StepKind

_WARNED = re.compile(
    r"warn|caution|careful|danger|destructi|irrevers|cannot be undone|can't be undone|undo\b"
    r"|data ?loss|\blos(?:e|es|ing|t)\b|\bdelet|remov|wipe|eras|discard|back(?:ed)?[ -]?up"
    r"|snapshot|last resort|only (?:if|when|after)|make sure|ensure|before (?:you|step|this)"
    r"|downtime|interrupt|\bcosts?\b|\bkeep\b|do not|don't|never|approv|\bconfirm|⚠|🚨|🛑|❗|☠",
    re.IGNORECASE,
)
_SAVES = re.compile(
    r"back-?up|dump|snapshot|\.bak\b|\b(?:cp|rsync|tar|mv)\s|--dry-run|\s-n\b.*clean",
    re.IGNORECASE,
)
_LOW_STAKES = re.compile(
    r"/tmp/|/var/tmp/|\bmktemp\b|\.(?:tmp|log|pid|lock|sock|pyc)\b|\bnode_modules\b|\bdist\b"
    r"|\b(?:npm|pnpm|yarn|make|cargo|mvn|gradlew?)\b[^|;&\n]*\bclean\b|\bbuild/|\.next\b|\.?cache\b|__pycache__|\bvenv\b|-lock\.(?:json|yaml)\b"
)
_ENDS_ONLY = re.compile(
    r"\b(?:delete pod|rollout restart|pkill|killall|kill)\b"
    r"|\bcompose\b[^|;&\n]*\bdown\b(?![^|;&\n]*\s(?:-v|--volumes|--rmi)\b)"
    r"|\bdocker\b[^|;&\n]*\bprune\b(?![^|;&\n]*\s(?:-\w*a\w*|--all|--volumes)\b)"
)
_GUESSED = ("cockpit does not know", "the name of", "part of the command", "the command could not")
"""How a verdict begins that rests on what is not known: enough to ask, too little to blame."""
_PREPARES = re.compile(
    r"\b(?:mkdir|chmod|chown|touch|cp|tar|build|install|checkout|export|inspect|must-gather)\b"
    r"|\bgit (?:add|commit|tag)\b|dump|bundle|back-?up|snapshot",
    re.IGNORECASE,
)
_SEVERITY = re.compile(
    r"\b(?:s[eé]v[eé]rit[yé]|severidad|gravit[eé]|schweregrad|priorit[yéà]|prioridad)\b"
    r"|\b(?:P[0-4]|SEV-?[0-5])\b",
    re.IGNORECASE,
)
_ESCALATES = re.compile(
    r"\bes[ck]al|\b(?:contact|page|call|ping|notify|reach out to|raise (?:it )?with|ask)\s+"
    r"(?:the|your|a|an|our|@|#|[A-Z])|\bsupport (?:case|ticket)|\bon[- ]?call\b.{0,40}(?:@|slack)",
    re.IGNORECASE,
)
_CHECKS = re.compile(
    r"\b(?:v[eé]rif\w*|comprob\w*|comprueb\w*|prüf\w*|check|confirm|make sure|ensure"
    r"|wait (?:for|until)|should|expect\w*|validate)\b",
    re.IGNORECASE,
)
_VERIFIES = re.compile(r"\bv[eé]rif|\bvalid|\bcomproba|\bprüf|\bconfirm", re.IGNORECASE)
_ACTING = frozenset({Phase.RECOVERY, Phase.ROLLBACK, Phase.PROCEDURE, Phase.DIAGNOSIS})


def missing(page: Page) -> Iterator[Finding]:
    """`no-severity`, `no-escalation`, `no-verification`: what the file as a whole does not say."""
    if not page.to_follow:
        return
    line = page.title_line
    if page.runbook.severity is None and not _SEVERITY.search(page.text):
        yield page.find(
            line,
            Level.NOTE,
            "no-severity",
            "nothing says how bad this is",
            "write Severity: P0 to P3 below the title",
        )
    if not any(_phases(page, Phase.ESCALATION)) and not _ESCALATES.search(page.text):
        yield page.find(
            line,
            Level.WARNING,
            "no-escalation",
            "nothing says whom to call when this does not help",
            "add a section Escalation: when, and whom",
        )
    unverified = [*_unverified(page)]
    titled = any(_VERIFIES.search(section.title) for section in page.runbook.sections())
    if unverified and not titled and not any(_phases(page, Phase.VERIFICATION)):
        first = unverified[0].line
        yield page.find(
            line,
            Level.WARNING,
            "no-verification",
            f"it changes something (line {first}) and nothing says how to tell that it worked",
            "add a section Verification with commands and what they should print",
        )


def unverified(page: Page) -> Iterator[Finding]:
    """`unverified-change`: a change after which no check stands, though the file has checks."""
    if not page.to_follow or not any(_phases(page, Phase.VERIFICATION)):
        return
    checked = max(
        [section.lines.first for section in page.runbook.sections() if _is_check(section.phase)]
        + [step.lines.first for _, step in page.runbook.steps() if _is_check(step.phase)]
    )
    steps: set[str] = set()
    for placed in _unverified(page):
        if placed.line > checked and placed.step.id not in steps:
            steps.add(placed.step.id)
            yield page.find(
                placed.line,
                Level.WARNING,
                "unverified-change",
                f"no check stands after this change ({_first_line(placed.command)})",
                "add a command that shows whether it worked, and what it should print",
            )


def unwarned(page: Page) -> Iterator[Finding]:
    """`unwarned`: something is destroyed, and the reader is not told before."""
    if page.handbook and not page.commands:
        return
    first_option: dict[str, str] = {}
    for section, step in page.runbook.steps():
        if step.kind is StepKind.OPTION:
            first_option.setdefault(section.id, step.id)
    for placed in page.commands:
        command, step, section = placed.command, placed.step, placed.section
        if command.risk is not Risk.DESTROY or command.phase in (Phase.MISTAKES, Phase.REFERENCES):
            continue
        harmless = _LOW_STAKES.search(command.text) or _ENDS_ONLY.search(command.text)
        if harmless or command.because.startswith(_GUESSED):
            continue
        gentler = step.kind is StepKind.OPTION and first_option[section.id] != step.id
        if gentler or _WARNED.search(_before(page, placed)) or _saved(page, placed):
            continue
        yield page.find(
            placed.line,
            Level.WARNING,
            "unwarned",
            f"{command.because}, and nothing before it warns or saves anything",
            "say before it what is lost, or save that first, or give a gentler option",
        )


def _before(page: Page, placed: Placed) -> str:
    """What the reader has read of the step, and of the section's opening, when they get there."""
    section, step, command = placed.section, placed.step, placed.command
    opening = min((each.lines.first for each in section.steps), default=section.lines.last)
    read = page.lines[section.lines.first - 1 : opening]
    read += page.lines[step.lines.first - 1 : command.lines.first - 1]
    return "\n".join([*read, section.title, step.title, command.title])


def _saved(page: Page, placed: Placed) -> bool:
    return any(
        _SAVES.search(other.command.text)
        for other in page.commands
        if other.section.id == placed.section.id and other.line < placed.line
    )


def _unverified(page: Page) -> Iterator[Placed]:
    """Changes with neither an expectation nor a reading command after them in their step."""
    for placed in page.commands:
        command = placed.command
        if command.risk is Risk.READ or command.phase not in _ACTING or command.waits:
            continue
        guessed = command.because.startswith(_GUESSED) or "may change" in command.because
        mild = _LOW_STAKES.search(command.text) or _PREPARES.search(command.text)
        if guessed or mild:
            continue
        after = [other for other in placed.step.commands if other.lines.first > command.lines.first]
        seen = command.expectation or any(
            other.risk is Risk.READ or other.expectation for other in after
        )
        if not seen and not _CHECKS.search(_after(page, placed)):
            yield placed


def _is_check(phase: Phase) -> bool:
    return phase is Phase.VERIFICATION


def _after(page: Page, placed: Placed) -> str:
    """What the reader reads next, to the end of the section."""
    last = max(placed.step.lines.last, placed.section.lines.last)
    inline = placed.command.source in ("inline", "bare")
    return "\n".join(page.lines[placed.command.lines.last - inline : last + 1])


def _phases(page: Page, phase: Phase) -> Iterator[bool]:
    for section in page.runbook.sections():
        if section.phase is phase:
            yield True
        yield from (True for step in section.steps if step.phase is phase)


def _first_line(command: Command) -> str:
    first = command.text.strip().split("\n")[0]
    return first if len(first) <= 60 else first[:59] + "…"
