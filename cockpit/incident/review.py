"""The post-incident document: Incident to markdown, in the form that a team is used to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cockpit.incident import review_parts as parts
from cockpit.incident.clocks import Rules
from cockpit.incident.events import IncidentResolved
from cockpit.incident.incident import Incident
from cockpit.incident.review_parts import Case, gap
from cockpit.text import Redactor
from cockpit.words import stamp

_Part = Callable[[Case], str]


def review(incident: Incident, form: str = "default", *, rules: Rules, trouble: str = "") -> str:
    """The document as markdown, to be finished by people.

    form: one of `FORMS`. rules: the limits by which it is judged what went well. trouble: a
    sentence about the journal itself that a reader must know. Ends with a newline and holds no
    control characters. Raises KeyError for a form that is not there.
    """
    case = Case(incident, Redactor(incident.salt.encode()), rules)
    blocks = [_title(case, trouble)]
    for heading, part in FORMS[form]:
        block = part(case)
        blocks.append(f"{heading}\n\n{block}" if heading else block)
    return "\n\n".join(blocks) + "\n"


def name(incident: Incident) -> str:
    """The file it is kept in, beside the journal: one for each time that it was resolved."""
    ends = sum(isinstance(entry.record.event, IncidentResolved) for entry in incident.entries)
    return "post-incident.md" if ends < 2 else f"post-incident-{ends}.md"


def _title(case: Case, trouble: str) -> str:
    incident = case.incident
    title = case.prose(incident.title) or "Incident, never declared"
    lines = [f"# {title}", ""]
    if incident.training:
        lines += ["**Training**, not a real incident.", ""]
    if trouble:
        lines += [f"**Journal:** {case.prose(trouble)}", ""]
    if incident.open:
        lines += ["**It is not resolved yet:** this is how it stands so far.", ""]
    lines.append(
        "Filled in by cockpit from the incident's journal. Where it says *Not written yet*, only"
        " people know. It looks for causes, not for culprits. All times are UTC."
    )
    if incident.entries:
        last = stamp(incident.entries[-1].record.ts)
        lines += [
            "",
            f"The journal's last entry then was of {last}. `cockpit incident review` prints this"
            " document anew, with what came later, as what others were told.",
        ]
    return "\n".join(lines)


# The heads of the forms


def _facts(case: Case) -> str:
    incident = case.incident
    rows = [
        ("Incident", incident.id),
        ("Severity", incident.severity.value if incident.severity else "not set"),
        ("Service", case.prose(incident.service) or "not named"),
        ("Began", stamp(incident.started)),
        ("Status", incident.status.value),
        ("Responders", ", ".join(parts.people(case)) or "not known"),
        ("Owner of this document", gap("who sees to it that it is finished, and by when")),
    ]
    return "\n".join(f"- **{name}:** {value}" for name, value in rows)


def _google_head(case: Case) -> str:
    incident = case.incident
    day = f"{incident.started:%Y-%m-%d}" if incident.started else "not known"
    rows = [
        ("Date", day),
        ("Authors", ", ".join(parts.authors(case)) or gap("who writes this")),
        ("Status", f"draft; the incident is {incident.status.value}"),
    ]
    return "\n".join(f"- **{name}:** {value}" for name, value in rows)


def _pagerduty_head(case: Case) -> str:
    rows = [
        ("Postmortem Owner", gap("who sees to it that it is finished")),
        ("Meeting Scheduled For", gap("a date within five business days")),
        ("Call Recording", gap("where it is, if there was a call")),
    ]
    return "\n".join(f"- **{name}:** {value}" for name, value in rows)


FORMS: Mapping[str, tuple[tuple[str, _Part], ...]] = {
    "default": (
        ("", _facts),
        ("## Summary", parts.summary),
        ("## Impact", parts.impact),
        ("## Detection", parts.detection),
        ("## Timeline", parts.timeline),
        ("## Root cause", parts.cause),
        ("## Trigger", parts.trigger),
        ("## Resolution", parts.resolution),
        ("## What was tried", parts.tried),
        ("## Escalations", parts.escalations),
        ("## What others were told", parts.told),
        ("## What went well", parts.went_well),
        ("## What went badly", parts.went_badly),
        ("## Where we were lucky", parts.lucky),
        ("## Lessons", parts.lessons),
        ("## Follow-ups", parts.follow_ups),
        ("## Runbook updates needed", parts.runbooks),
    ),
    "google": (
        ("", _google_head),
        ("## Summary", parts.summary),
        ("## Impact", parts.impact),
        ("## Root Causes", parts.cause),
        ("## Trigger", parts.trigger),
        ("## Resolution", parts.resolution),
        ("## Detection", parts.detection),
        ("## Action Items", parts.google_actions),
        ("## Lessons Learned", parts.lessons),
        ("### What went well", parts.went_well),
        ("### What went wrong", parts.went_badly),
        ("### Where we got lucky", parts.lucky),
        ("## Timeline", parts.timeline),
        ("## Supporting information", parts.supporting),
        ("### What was tried", parts.tried),
        ("### Escalations", parts.escalations),
        ("### Runbook updates needed", parts.runbooks),
    ),
    "pagerduty": (
        ("", _pagerduty_head),
        ("## Overview", parts.summary),
        ("## What Happened", parts.what_happened),
        ("### What was tried", parts.tried),
        ("## Contributing Factors", parts.factors),
        ("## Resolution", parts.resolution),
        ("## Impact", parts.impact),
        ("## Responders", parts.responders),
        ("### Escalations", parts.escalations),
        ("## Timeline", parts.timeline),
        ("## How'd We Do?", parts.lessons),
        ("### What Went Well?", parts.well_and_lucky),
        ("### What Didn't Go So Well?", parts.went_badly),
        ("## Action Items", parts.follow_ups),
        ("### Runbook updates needed", parts.runbooks),
        ("## Messaging", parts.messaging),
    ),
}
"""The sections of each form, in its own order, with what fills them."""
