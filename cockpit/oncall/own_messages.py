"""The messages that every incident has, in our words: for a team whose handbook has none."""

from __future__ import annotations

from cockpit.oncall.model import Template
from cockpit.text import Safe

OURS = (
    Template(
        "acknowledged",
        Safe("Acknowledged"),
        Safe(
            "[{severity}] {title}: somebody has it.\n"
            "Since {started}. Impact: {impact}.\n"
            "Responder: {who}. Next update: {next_update}."
        ),
    ),
    Template(
        "update",
        Safe("Update"),
        Safe(
            "[{severity}] {title}: update of {now}.\n"
            "State: {state}.\n"
            "Impact: {impact}.\n"
            "Found: {found}.\n"
            "Done: {tried}.\n"
            "Next: {next_step}.\n"
            "Next update: {next_update}."
        ),
    ),
    Template(
        "escalation",
        Safe("Escalation"),
        Safe(
            "[{severity}] {title}: I need help.\n"
            "Since {started}. Impact: {impact}.\n"
            "Tried: {tried}.\n"
            "State now: {state}.\n"
            "I need: {need}.\n"
            "I am {who}, phone {phone}."
        ),
    ),
    Template(
        "resolved",
        Safe("Resolved"),
        Safe(
            "[{severity}] {title}: resolved.\n"
            "From {started} to {resolved}, down for {downtime}.\n"
            "Cause: {cause}.\n"
            "Fix: {fix}.\n"
            "Follow-up: {follow_up}."
        ),
    ),
)
