"""A team's start: runbooks, handbook and a commented cockpit.yaml, written into a folder."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from cockpit.runbook.library import shipped

GAP = "UPDATE THIS!"
"""How the handbook says that something is not filled in."""

CONFIG = """\
## cockpit.yaml: which machines, services and runbooks there are.
##
## What begins with ## explains. What begins with one # is a setting that is off: take the # away,
## there and on the lines that it belongs to.
##
## cockpit takes the first of: --config FILE, $COCKPIT_CONFIG, ./cockpit.yaml, and
## ~/.config/cockpit/cockpit.yaml. Paths in it are relative to it. Secrets never stand in it.

## Folders of runbooks. They are searched before those that come with cockpit.
runbooks:
  - runbooks

## Who to call, and what to say.
handbook: ON_CALL.md

## Machines, by the name that the screen shows. Without any, commands run on this machine, and
## --host takes any alias of ~/.ssh/config.
#hosts:
#  prod-1:
## An alias of ~/.ssh/config, or an address; user@ may stand before it. Without it: prod-1.
#    ssh: prod-1.example.net
## Whom to log in as, and the port. Without them: what ~/.ssh/config says.
#    user: deploy
#    port: 22
## The directory in which commands start: that of compose.yaml. Without it: the home directory.
#    workdir: /opt/kamiyo
## Docker as that host sees it: a socket, unix:///path, or tcp://host:port. Without it: the usual.
#    docker: /var/run/docker.sock
## Groups that it belongs to: P runs a command on all hosts of one.
#    labels: [production, eu]
## The ssh program carries the connection, where its configuration asks for what only it can do.
## Without it: cockpit itself does.
#    transport: openssh

## Services: what people miss when it is down.
#services:
#  kamiyo:
## The names of its containers, as docker ps prints them.
#    containers: [kamiyo]
## Where it runs: a name under hosts, or an alias of ~/.ssh/config. Without it: this machine.
#    host: prod-1
## A URL that answers 2xx while it is well, as seen from that host.
#    health: http://127.0.0.1:8000/health

## Whom to call, where that does not stand in the handbook: one entry a person. A level that
## stands here counts instead of the handbook's.
#contacts:
#  - level: 2
## Who it is.
#    name: Ada Example
## What the level is called.
#    role: Senior Engineer
## With the country's code.
#    phone: +49 30 901820
## Where to write to them.
#    slack: "@ada"
## And where else.
#    email: ada@example.net
## Where they live, so that you see how late it is there.
#    timezone: Europe/Berlin
## When they answer, as people write it.
#    availability: weekdays 9-18
## Minutes in which the level promises to answer.
#    respond_within: 15

## Where messages (U) and cockpit outbox send go, by name. What is secret is named, not written:
## env is an environment variable that holds it, command prints it on its first line.
#outbox:
#  team:
## slack, pagerduty, ntfy, webhook, smtp, or apprise (for all others).
#    kind: slack
## For slack the secret is the webhook's URL; for pagerduty the integration key; for apprise its
## URL; for a webhook the URL, or a token where url stands here.
#    env: COCKPIT_SLACK
#  mail:
## A mail server: smtp://HOST:PORT (with STARTTLS) or smtps://HOST:PORT.
#    kind: smtp
## Also of ntfy (https://ntfy.sh/TOPIC), of a webhook, and of PagerDuty outside the USA.
#    url: smtp://mail.example.net:587
## Whom to log in as; the secret is then the password.
#    user: cockpit
## Anything that prints the secret.
#    command: pass show oncall/mail
## Whom the mail is from.
#    sender: oncall@example.net
## Whom it goes to.
#    to: [team@example.net]

## From when on something is told: on the screen, on the timeline, by cockpit health.
#thresholds:
## Restarts of a container in ten minutes.
#    restarts: 5
## Percent of a container's memory limit.
#    memory: 80
## Minutes over it until the screen and the timeline tell of it.
#    memory_minutes: 10
## Percent of a disk on a host.
#    disk: 80
## Errors a minute in a log.
#    errors: 20

## Keys of your own: the action's name, then the key; several keys with commas. ? shows the names.
#keymap:
#  incident.note: "u"

## A theme. Without it: the colours of your terminal.
#theme: ansi-light

## The time zone that the clock shows beside UTC.
#timezone: Europe/Berlin

## Another ssh configuration than ~/.ssh/config.
#ssh_config: ssh_config
"""


class Occupied(Exception):
    """Files are there already, and none is overwritten. paths: which."""

    def __init__(self, *paths: Path) -> None:
        super().__init__(", ".join(map(str, paths)))
        self.paths = paths


def files() -> dict[Path, bytes]:
    """What a team starts with, by its path below the folder."""
    books = sorted(shipped().glob("0*.md"))
    handbook = (shipped() / "ON_CALL.md").read_text("utf-8")
    # It stands beside the runbooks where it ships, and above them where a team keeps it.
    handbook = re.sub(r"\]\((?=0\d_\w+\.md\))", "](runbooks/", handbook)
    return {
        Path("cockpit.yaml"): CONFIG.encode(),
        Path("ON_CALL.md"): handbook.encode(),
        **{Path("runbooks", book.name): book.read_bytes() for book in books},
    }


def write(folder: Path) -> dict[Path, bytes]:
    """Write the start into a folder, all of it or nothing; returns what was written.

    Makes the folder where it is not there. Raises Occupied when a file of it is, and OSError;
    what was made until then is taken away again.
    """
    start = files()
    there = [folder / name for name in start if os.path.lexists(folder / name)]
    if there:
        raise Occupied(*there)
    with contextlib.ExitStack() as undo:
        for name, content in start.items():
            path = folder / name
            for parent in reversed([path.parent, *path.parent.parents]):
                if not parent.exists():
                    parent.mkdir()
                    undo.callback(_gone, parent)
            try:
                file = path.open("xb")
            except FileExistsError:
                raise Occupied(path) from None
            undo.callback(_gone, path)
            with file:
                file.write(content)
        undo.pop_all()
    return start


def _gone(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rmdir() if path.is_dir() else path.unlink()


def told(folder: Path, written: dict[Path, bytes]) -> str:
    """What was written, and what to do next."""
    gaps = sum(content.count(f":** {GAP}".encode()) for content in written.values())
    books = [name for name in written if name.parent.name]
    here = folder.resolve() == Path.cwd()
    enter = "" if here else f"  cd {folder}\n"
    return (
        f"Written to {folder}:\n"
        f"  cockpit.yaml   your hosts and services; every setting is explained in it\n"
        f"  ON_CALL.md     the handbook: {gaps} lines say {GAP}\n"
        f"  runbooks/      {len(books)} runbooks, for a service by the name of kamiyo\n"
        "\n"
        "Next:\n"
        f"{enter}"
        "  cockpit demo                 practise, on this machine\n"
        f"  $EDITOR ON_CALL.md           fill in what says {GAP}\n"
        "  $EDITOR cockpit.yaml         name your hosts\n"
        "  $EDITOR runbooks/*.md        put in your service's names and paths\n"
        "  cockpit lint                 what would still fail at 3am\n"
        "  cockpit check                whether all is ready for a shift\n"
        "  cockpit shift start          take the phone\n"
        "  cockpit --host YOUR_HOST     open it"
    )
