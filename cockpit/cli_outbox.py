"""`cockpit outbox`: what others were to be told and is not sent yet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cockpit.cli_given import Mistake, load_config, who, with_config

if TYPE_CHECKING:
    from cockpit.outbox.boxes import Held


@click.group()
def outbox() -> None:
    """List, send, release and cancel messages that wait to be sent."""


@outbox.command("list", short_help="What waits, asks first, or has failed.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the texts.")
def outbox_list(as_json: bool) -> None:
    """The messages of all incidents that wait, ask first, or have failed; oldest first."""
    from cockpit.outbox import boxes

    found = boxes.held()
    if as_json:
        click.echo(json.dumps([each.record() for each in found], indent=1))
    elif found:
        click.echo("\n".join(boxes.table(found)))
        if words := boxes.what_now(found):
            click.echo(words, err=True)  # no row of the table
    else:
        click.echo("Nothing waits to be sent.")


@outbox.command("send", short_help="Send what waits, once.")
@with_config
def outbox_send(config: Path | None) -> None:
    """Send what waits, once; an incident that is open elsewhere is left to that cockpit.

    What has failed before is named, and goes only by `release`.

    Exit status: 0 when nothing waits any more; 1 when something still waits, asks first or has
    failed, also before; 2 for a mistake in what was given; 3 when it could not be written down.
    """
    from cockpit.outbox import boxes

    sys.exit(boxes.send(load_config(config), who(), _say))


@outbox.command("release", short_help="Send a message all the same.")
@click.argument("message")
@with_config
def outbox_release(message: str, config: Path | None) -> None:
    """Send a message although it is out of date, or has failed. Exit status as of send."""
    from cockpit.outbox import boxes

    found = _found(message)
    sys.exit(boxes.release(found, load_config(config), who(), _say))


@outbox.command("cancel")
@click.argument("message")
@click.option("--reason", default="", help="Why, for the timeline.")
def outbox_cancel(message: str, reason: str) -> None:
    """Do not send a message. Exit status 1 when its incident is open in another cockpit."""
    from cockpit.outbox import boxes

    sys.exit(boxes.cancel(_found(message), reason, who(), _say))


def _found(message: str) -> Held:
    from cockpit.outbox import boxes

    try:
        return boxes.find(message)
    except boxes.NoSuchMessage as error:
        raise Mistake(str(error)) from None


def _say(text: str) -> None:
    from cockpit.text import clean_line

    click.echo(clean_line(text))
