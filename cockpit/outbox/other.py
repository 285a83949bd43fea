"""All other services, by apprise, which is an extra; blocks, so it runs beside the loop."""

from __future__ import annotations

import logging

from cockpit.outbox.attempt import Attempt, GivenUp
from cockpit.outbox.letter import End, Letter

MISSING = "apprise is not installed here; get it with: pip install 'cockpit[apprise]'"


def send(letter: Letter, url: str, attempt: Attempt) -> End:
    """Hands it to apprise, which says only yes or no. Raises nothing."""
    try:
        import apprise
    except ImportError:
        return End(MISSING)
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs URLs
    kinds = {"resolved": apprise.NotifyType.SUCCESS, "update": apprise.NotifyType.INFO}
    try:
        to = apprise.Apprise()
        if not to.add(url):
            return End("what env or command gives is no URL that apprise knows", final=True)
        attempt.begin()
        taken = to.notify(
            title=letter.subject,
            body=letter.text,
            notify_type=kinds.get(letter.about, apprise.NotifyType.WARNING),
            body_format=apprise.NotifyFormat.TEXT,
        )
    except GivenUp:
        return End("it was given up before anything was sent")
    except Exception as error:  # of dozens of services: whatever they raise
        return End(f"apprise failed ({type(error).__name__})", ambiguous=True)
    if taken:
        return End()
    return End("apprise could not deliver it; to see why: apprise -vv URL", ambiguous=True)
