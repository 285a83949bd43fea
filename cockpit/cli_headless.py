"""`cockpit run` and `cockpit job`: what can be given to them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cockpit.cli_given import Mistake, folder_of, load_config, who, with_config

if TYPE_CHECKING:
    from cockpit.jobs import Job

RUN_FAILED = 125


class LikeItsCommand(click.Command):
    """Exits with the status of the command that it runs; what goes wrong with cockpit is 125."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _as_125():
            return super().make_context(*args, **options)

    def invoke(self, context: click.Context) -> Any:
        with _as_125():
            return super().invoke(context)


@contextmanager
def _as_125() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.show()
        sys.exit(RUN_FAILED)
    except click.exceptions.Exit:
        raise
    except Exception:
        import traceback

        traceback.print_exc()
        sys.exit(RUN_FAILED)


@click.command(
    cls=LikeItsCommand,
    short_help="Run one command on a host, without the screen.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("--host", default="", help="Where to run it; without, on this machine.")
@click.option("--label", default="", help="Run it on the hosts of cockpit.yaml with this label.")
@click.option("--incident", default="", help="Put it on the timeline of this incident.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="The host ends it after so long, whatever becomes of the link.",
)
@click.option(
    "--confirm",
    default="",
    metavar="change|destroy:NAME",
    help="What the gate asks for; with --label, change:N or destroy:N, the number of hosts.",
)
@click.option("--batch", type=click.IntRange(min=1), help="Of a group, so many at a time.")
@click.option(
    "--stop-after", type=click.IntRange(min=1), help="Of a group, at so many failures no further."
)
@click.option("--reason", default="", help="Why, where the gate asks for a reason.")
@with_config
@click.argument("command", nargs=-1, required=True)
def run(
    command: tuple[str, ...],
    host: str,
    label: str,
    incident: str,
    timeout_s: int | None,
    confirm: str,
    batch: int | None,
    stop_after: int | None,
    reason: str,
    config: Path | None,
) -> None:
    """Run COMMAND on a host, print its output as it comes, and exit with its status.

    COMMAND in one word is a line for the shell there ('df -h | tail'); in several words, a program
    and what it is given, as they are. It is sent once. While the link is lost it goes on, and its
    output and status come when the link is back. What changes something needs --confirm, as it
    needs a key on the screen.

    stdout and stderr of COMMAND come as one, on stdout, byte by byte; to a terminal cleaned, by
    whole lines. What cockpit says is on stderr. COMMAND reads nothing: stdin is not passed on.

    ctrl+c asks the host to stop it, gently; once more leaves it running. SIGTERM, SIGHUP and a
    killed cockpit leave it running: see cockpit job. When nobody reads the output any more (as
    with `| head`) a COMMAND that only reads is stopped; one that changes something goes on.

    With --incident it is on that incident's timeline, on that incident's host where --host names
    none; another cockpit may not have it open. Without, its journal is kept among runs/.

    With --label it runs on one host first; where it worked there, on the rest, five at a time,
    until one fails. Each line of output begins with its host; a summary ends it, on stderr. Exit
    status: 0 where it worked on every host, else 1, or cockpit's own.

    Exit status: that of COMMAND, 128+n where signal n ended it; 124 where --timeout did; 125 where
    cockpit failed, or cannot say how it ended (it may go on there); 126 where the gate refused.
    """
    from cockpit.cli_run import Wish, confirmation
    from cockpit.cli_run import run as run_command

    try:
        confirmation(confirm, group=bool(label))
    except ValueError as error:
        raise Mistake(f"--confirm {confirm}: {error}") from None
    if host and label:
        raise Mistake("--host and --label: it is either one host or a group.")
    if (batch or stop_after) and not label:
        raise Mistake("--batch and --stop-after are for a group, with --label.")
    wish = Wish(
        command[0] if len(command) == 1 else shlex.join(command),
        host,
        label,
        folder_of(incident) if incident else None,
        timeout_s or 0,
        confirm,
        reason,
        batch or 0,
        stop_after or 0,
    )
    sys.exit(run_command(wish, load_config(config), who()))


@click.group()
def job() -> None:
    """List, attach to and stop commands on hosts."""


@job.command("list", short_help="Those not known to be over.")
@click.option("--all", "ended", is_flag=True, help="Those that are over, too.")
@click.option("--json", "as_json", is_flag=True, help="One list with a record a job.")
def job_list(ended: bool, as_json: bool) -> None:
    """The jobs of incidents, trials and `cockpit run` that are not known to be over, newest first.

    The state is as it was last heard of; no host is asked.
    """
    from cockpit.cli_job import list_jobs

    sys.exit(list_jobs(ended=ended, as_json=as_json))


@job.command("attach", cls=LikeItsCommand, short_help="Its output from the start, and its status.")
@click.argument("id")
@with_config
def job_attach(id: str, config: Path | None) -> None:
    """Print the output of a job from its start, follow it to its end, and exit with its status.

    ID may be shortened. The host is asked; nothing is sent again. ctrl+c leaves it running. Exit
    status as of cockpit run.
    """
    from cockpit import cli_job

    sys.exit(cli_job.attach(_job(id), load_config(config), who()))


@job.command("stop", cls=LikeItsCommand, short_help="End it, gently first.")
@click.argument("id")
@with_config
def job_stop(id: str, config: Path | None) -> None:
    """End a job with its whole process group, gently first; waits for a lost link.

    ID may be shortened. Exit status: 0 when it is over, 125 when that is not known.
    """
    from cockpit import cli_job

    sys.exit(cli_job.stop(_job(id), load_config(config), who()))


def _job(id: str) -> Job:
    from cockpit.jobs import NoSuchJob, find

    try:
        return find(id)
    except NoSuchJob as error:
        raise Mistake(str(error)) from None
