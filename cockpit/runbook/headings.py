"""What a heading says: its plain text, whether it is a step or option, which phase it names."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from cockpit.runbook.model import Phase, StepKind

_STEP = re.compile(
    r"(?:step|schritt|étape|paso)\s*#?\s*(?:\d+|[a-z]\b|one|two|three|four|five|six|seven)"
    r"|(?:check|action|task)\s*#?\d+\b|\d+(?:\.\d+)*\\?[.):]\s|\d+(?:\.\d+)+\s|"
    r"\d+\s+[-–—]\s|[A-H][.)]\s",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?:option|solution|method|approach|alternative|workaround|variant|fix|way|strategy|path|route"
    r"|opción|möglichkeit|lösung|variante)\s*(?:#?\s*\d+|(?-i:[A-H])|[a-h](?=\s*[:.)–—]))"
    r"(?:\s*[:.)–—-]|\s|$)"
    r"|(?:option|alternative|alternatively|workaround|fallback|last resort)\s*(?:\([^)]*\)\s*)?"
    r"(?:[:–—]|-\s)\s*\S",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?:(?:step|option|solution|method|approach|way|fix|workaround|phase|part|check)\s*#?\s*"
    r"(?:\d+|[a-z]\b)|"
    r"\d+(?:\.\d+)*|[A-H](?=[.)]))"
    r"\\?\s*[.):–—-]*\s*",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"!?\[([^\]\[]{0,300}+)\](?:\([^)\s]{0,500}+(?:\s++\"[^\"]{0,200}+\")?\)|\[[^\]\[]{0,200}+\])"
)
_DECORATION = re.compile(
    r"[*_`~](?:(?<=`)|(?<=~)~|(?<=[*_])(?:(?<!\w.)[*_]{0,2}(?=\S)|(?<=\S.)[*_]{0,2}(?!\w)))"
)
"""Starts with its four characters, so that the search runs past all others at once."""
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_ATTRIBUTES = re.compile(r"\s*\{[#.:][^}]*\}\s*$|\s+#+\s*$")

_STRONG: tuple[tuple[Phase, str], ...] = (
    (
        Phase.POST_INCIDENT,
        r"post[- ]?(?:incident|mortem|recovery|outage|event)|after (?:the |your "
        r")?(?:incident|shift|resol)|retrospective|lessons learned|follow[- ]?up|"
        r"(?:root[- ]cause|rca)\b.*|incident (?:report|review)",
    ),
    (Phase.ROLLBACK, r"roll[- ]?back|back[- ]?out|revert(?:ing)?|undo|reversi[óo]n"),
    (
        Phase.PREREQUISITES,
        r"pre[- ]?requi?sites?|requirements?|before (?:you (?:start|begin)|starting)|"
        r"pre[- ]?(?:shift|flight|checks?)|preparations?|required (?:access|tools|"
        r"permissions)|access (?:needed|required)|what you need|tools (?:needed|"
        r"required|you need)",
    ),
    (
        Phase.MISTAKES,
        r"common (?:mistakes?|pitfalls?|errors to avoid|gotchas?)|pitfalls?|gotchas?|"
        r"mistakes?|do(?:n'?t|s? nots?)s?\b|things to avoid|anti-?patterns?|what not to do",
    ),
    (
        Phase.ESCALATION,
        r"escalat\w*|contacts?|who to (?:call|contact)|getting help|(?:get|need) help|emergency "
        r"contacts?|communications?|communication templates?|support|when to escalate|"
        r"notify|notifications?|on-?call contacts?|reporting issues",
    ),
    (
        Phase.SYMPTOMS,
        r"symptoms?|detection|alerts?|signs?|indicators?|how to (?:detect|recogni[sz]e)|"
        r"(?<!manual )triggers?|what you(?:'ll)? see|problem|issue|s[íi]ntomas?|symptome|"
        r"sympt[ôo]mes|sintomas",
    ),
    (
        Phase.VERIFICATION,
        r"verif\w*|v[ée]rification|pr[üu]fung|validat\w*|confirm\w*|"
        r"post-?(?:restart|deploy\w*|fix|change|restore) (?:checks?|verification)|"
        r"smoke tests?|health checks?|success criteria|how to verify|testing the fix|is it fixed",
    ),
    (
        Phase.DIAGNOSIS,
        r"diagn[oóô]s\w*|diagnose|fehlersuche|causas?(?: comunes)?|investigat\w*|triage|"
        r"troubleshoot\w*|debug\w*|immediate (?:actions?|response|steps)|"
        r"initial (?:response|assessment|checks?|triage)|"
        r"analysis|logs?|assess(?:ment)?|first (?:response|steps|five minutes|checks?)|"
        r"checks?(?: (?:the )?(?:logs?|status|state))?|identify\w*|"
        r"possible causes?|common causes?|causes?|quick (?:checks?|"
        r"diagnos\w*)|log analysis",
    ),
    (
        Phase.RECOVERY,
        r"recover\w*|resolutions?|resolv\w*|solutions?|mitigat\w*|remediat\w*|fix(?:es|"
        r"ing)?|repairs?|restor\w*|workarounds?|manual steps|recovery (?:steps|options|"
        r"procedures?)|what to do(?: if .*)?|how to (?:fix|resolve|recover)|remedy|"
        r"corrective actions?|(?:immediate )?containment|resoluci[óo]n|recuperaci[óo]n|"
        r"resolu[çc][ãa]o|recupera[çc][ãa]o|soluci[óo]n(?:es)?|r[ée]solution|behebung|wiederherstellung",
    ),
    (
        Phase.PREVENTION,
        r"prevent\w*|prevenci[óo]n|pr[ée]vention|vorbeugung|maintenance|hardening|"
        r"long[- ]term (?:fix|solution)|avoid\w*|"
        r"monitoring (?:&|and) (?:prevention|alerting)|backup schedule.*|regular tasks|"
        r"best practices",
    ),
    (
        Phase.OVERVIEW,
        r"overview|summary|impact.*|background|meaning|description|purpose|about|"
        r"introduction|context|scope|when to use.*|service (?:configuration|overview|"
        r"info\w*)|architecture|severity.*|goals?|objectives?",
    ),
    (
        Phase.REFERENCES,
        r"references?|related.*|see also|links?|further reading|resources|quick "
        r"(?:command )?reference|command (?:cheat ?sheet|reference)|useful (?:commands|"
        r"links)|cheat ?sheet|appendix|important file locations|file locations|glossary|"
        r"documentation|dashboards?|changelog|revision history",
    ),
)

_WEAK: tuple[tuple[Phase, str], ...] = (
    (
        Phase.POST_INCIDENT,
        r"post[- ]?(?:incident|mortem)|after[- ](?:action|incident|your shift)|handoff|"
        r"shift report",
    ),
    (Phase.ROLLBACK, r"roll[- ]?back|backing out|\brevert"),
    (Phase.PREREQUISITES, r"pre-?requi?sit|pre-?shift|pre-?flight"),
    (Phase.MISTAKES, r"mistake|pitfall|gotcha"),
    (Phase.ESCALATION, r"escalat|contact|communicat|getting help"),
    (
        Phase.PROCEDURE,
        r"^(?:test|configur|tun|silenc|suppress|mut|creat|add|enabl|disabl)\w* "
        r"(?:\w+ ){0,3}alerts?$",
    ),
    (Phase.SYMPTOMS, r"symptom|^(?:the )?alerts?\b|\balerts?$"),
    (
        Phase.DIAGNOSIS,
        r"\bconfirm (?:the |that )?(?:\w+ )?(?:source|cause|problem|issue|symptoms?|alert|outage|"
        r"incident|failure|scope|impact)\b",
    ),
    (
        Phase.VERIFICATION,
        r"verif|validat(?:ion|e) (?:fix|recovery|service|restore)|post-?(?:restart|"
        r"deploy\w*|fix) check|\b(?:checks?|tests?) after\b|smoke test|confirm|\bqa\b|"
        r"quality (?:gate|check)",
    ),
    (
        Phase.DIAGNOSIS,
        r"diagnos|investigat|triage|classify|troubleshoot|debug|inspect|check(?:s|ing|list)?\b|ensure\b|"
        r"health\b|usage\b|monitor|validation|"
        r"^(?:get|view|read|collect|look)\w* .*\b(?:logs?|status)\b",
    ),
    (Phase.PREVENTION, r"prevent|backup schedule|maintenance(?! (?:mode|page)\b)"),
    (
        Phase.RECOVERY,
        r"recover|restor|resol(?:ution|ve|ving)|mitigat|remediat|\bfix(?:es|ing)?\b|"
        r"repair|solution|restart|is down\b|failover",
    ),
    (Phase.REFERENCES, r"reference|related (?:runbook|doc)|cheat ?sheet|appendix|file locations"),
    (Phase.OVERVIEW, r"overview|impact|summary"),
    (
        Phase.PROCEDURE,
        r"procedure|workflow|how[- ]to|set-?up|install|upgrade|deploy|steps|"
        r"instructions|process|playbook",
    ),
)

_BEFORE = re.compile(
    r"(?:the|initial|immediate|detailed|full|manual|automated|key|common|general|basic)\s+",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"(?:\s*(?:steps?|procedures?|options?|actions?|guide|checks?|checklist|process|plan|section|"
    r"templates?|commands?|notes?|tasks?|methods?|workflow|path|matrix|criteria|playbook|and|&|/|,|"
    r"or|info\w*|tests?|contacts?|assessment|levels?|solutions?|causes?|resolution|recovery|"
    r"troubleshooting|diagnosis|analysis|verification|validation|summary|if needed|when to|"
    r"signals?|"
    r"\([^)]*\)|:))*\s*$",
    re.IGNORECASE,
)


@cache
def _patterns(strong: bool) -> tuple[tuple[Phase, re.Pattern[str]], ...]:
    """Compiled at the first heading: importing this module must not cost start-up time."""
    words = _STRONG if strong else _WEAK
    return tuple((phase, re.compile(pattern)) for phase, pattern in words)


@cache
def _any_strong() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{words})" for _, words in _STRONG))


_LEADS = re.compile(
    r"(?:(?P<escalation>escalat\w*|contact\w*)|(?P<post_incident>post[- ]?(?:incident|mortem))"
    r"|(?P<rollback>roll[- ]?back\b|revert\b))",
    re.IGNORECASE,
)
_TURNS = re.compile(
    r"(?P<verification>(?:verify|confirm|validate|check)\s+(?:for\s+|the\s+)?"
    r"(?:fix|recovery|resolution|restor\w+|repair)\b)"
    r"|(?P<recovery>(?:(?:quick|immediate|emergency|safe|manual)\s+)?"
    r"(?:fix|repair|recover|resolve|mitigat\w+|remediat\w+|restore|restart|clean(?:[ -]?up)?)\b"
    r"|.*\b(?:clean-?up|manual (?:intervention|recovery|fail-?over))\b)",
    re.IGNORECASE,
)
"""How a step is called that ends an investigation: what follows is no longer looking."""
_ACTS = re.compile(r"\b(?:actions?|response)\s*(?:\([^)]*\))?\W*$", re.IGNORECASE)
"""How a heading below an alert ends that says what to do about it: "Operator Actions"."""
MANY = re.compile(r"\balerts?\b|\b(?:issues|problems)\b", re.IGNORECASE)
"""What a heading names when each heading below it may be a small runbook."""
WEAK_PARENTS = frozenset({Phase.PROCEDURE, Phase.OTHER, Phase.OVERVIEW})
"""Phases that a sub-heading which names another one takes over."""


_STICKY = (
    Phase.PREREQUISITES,
    Phase.MISTAKES,
    Phase.REFERENCES,
    Phase.ESCALATION,
    Phase.POST_INCIDENT,
)
"""Phases that hold for all that stands below their heading."""


def plain(markdown: str) -> str:
    """Markdown of one line or paragraph as the text a reader sees."""
    text = markdown.strip()
    if text.endswith(("}", "#")):
        text = _ATTRIBUTES.sub("", markdown)
    if "](" in text or "][" in text:
        text = _LINK.sub(r"\1", text)
    text = _DECORATION.sub("", text)
    return (_ESCAPED.sub(r"\1", text) if "\\" in text else text).strip()


def kind(title: str) -> StepKind | None:
    """STEP for "Step 2: …", "3. …", "B. …"; OPTION for "Option 1 …"; None for other headings."""
    text = title.strip().lstrip("#* ")
    if _OPTION.match(text):
        return StepKind.OPTION
    return StepKind.STEP if _STEP.match(text) else None


def named(title: str) -> str:
    """A title without its number: "Step 2: Look" and "2. Look" are "Look"."""
    match = _NUMBER.match(title)
    return title[match.end() :].strip() or title if match else title


_STRANGE = re.compile(r"[^\w&/'(): ,.-]+")


@lru_cache(maxsize=4096)
def strong(title: str) -> Phase | None:
    """The phase that the whole heading is the name of ("Recovery Steps"), else None."""
    text = _STRANGE.sub(" ", named(title)).strip().rstrip(":").strip().lower()
    if len(text) > 120:
        return None
    starts = [0, *(match.end() for match in [_BEFORE.match(text)] if match)]
    starts = [start for start in starts if _any_strong().match(text, start)]
    for phase, pattern in _patterns(True):
        for start in starts:
            found = pattern.match(text, start)
            if found and _AFTER.match(text, found.end()):
                return phase
    return None


@lru_cache(maxsize=4096)
def weak(title: str) -> Phase | None:
    """The phase that a word of the heading points to, else None."""
    text = title.lower()
    return next((phase for phase, pattern in _patterns(False) if pattern.search(text)), None)


def phase(title: str, parent: Phase | None) -> Phase:
    """The phase of a heading under a parent of that phase (None directly below the title)."""
    own = strong(title)
    if parent in _STICKY:
        return parent
    if parent is Phase.VERIFICATION and named(title).lower().startswith("check"):
        return parent
    if parent is Phase.SYMPTOMS and own is None and _ACTS.search(title):
        return Phase.PROCEDURE
    if parent is not None and (kind(title) or own is None):
        lead = _LEADS.match(named(title))
        if lead:
            return Phase(lead.lastgroup or "")
        turn = _TURNS.match(named(title)) if parent is Phase.DIAGNOSIS and kind(title) else None
        if turn:
            return Phase(turn.lastgroup or "")
        if parent not in WEAK_PARENTS:
            return parent
    guess = own or weak(title)
    if guess is Phase.SYMPTOMS and own is None and kind(title):
        guess = None
    return guess or parent or Phase.OTHER


_NO_WORD = re.compile(r"[^\w\s-]+")
_BETWEEN = re.compile(r"[\s_-]+")


@lru_cache(maxsize=4096)
def slug(text: str, limit: int = 60) -> str:
    """A title as an anchor: lower case, words joined by "-"."""
    text = (text if text.isascii() else unicodedata.normalize("NFKC", text)).lower()
    words = _NO_WORD.sub("", text)
    return _BETWEEN.sub("-", words).strip("-")[:limit].strip("-") or "untitled"


def anchor(title: str) -> str:
    """A title as GitHub makes an anchor of it."""
    return re.sub(r"\s", "-", _NO_WORD.sub("", title.lower().strip()))
