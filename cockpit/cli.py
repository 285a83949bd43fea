"""The command line: opens the cockpit, or one of its plain commands."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cockpit import (
    __version__,
    cli_books,
    cli_headless,
    cli_incident,
    cli_oncall_checks,
    cli_outbox,
    cli_print,
    cli_shift,
    paths,
)
from cockpit.cli_given import Mistake, folder_of, load_config, who, with_config

if TYPE_CHECKING:
    from cockpit.config import Config


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@with_config
@click.option(
    "--host", default="", help="Where commands run: a host of cockpit.yaml, or any ssh alias."
)
@click.option("--runbook", type=click.Path(path_type=Path), help="Markdown file to follow.")
@click.option("--incident", default="", help="Take up this incident (see `cockpit incident list`).")
@click.option("--new", is_flag=True, help="Start a new incident, whatever is open.")
@click.option("--training", is_flag=True, help="Mark the incident as training.")
@click.version_option(__version__, prog_name="cockpit")
@click.pass_context
def main(
    context: click.Context,
    config: Path | None,
    host: str,
    runbook: Path | None,
    incident: str,
    new: bool,
    training: bool,
) -> None:
    """Open the cockpit on an incident.

    Exit status: 0; 1 when something was found damaged or cockpit failed; 2 for a mistake in what
    was given; 3 when events could not be saved.
    """
    if context.invoked_subcommand is not None:
        options = {"--host": host, "--runbook": runbook, "--incident": incident, "--new": new}
        for name, given in {**options, "--training": training}.items():
            if given:
                raise Mistake(
                    f"{name} opens the full screen; before {context.invoked_subcommand} it does"
                    f" nothing. See: cockpit {context.invoked_subcommand} --help"
                )
        return
    settings = load_config(config)
    _need_terminal()
    folder = folder_of(incident) if incident else None
    if runbook is not None and not runbook.exists():
        raise Mistake(
            f"{runbook}: there is no such runbook. Without --runbook, B chooses one inside."
        )
    sys.exit(_open(settings, host, runbook, folder, new=new, training=training))


@main.command(short_help="Practise on this machine.")
def demo() -> None:
    """Practise on a training incident on this machine; breaks only a scratch service of its own."""
    from cockpit.runbook.library import shipped

    _need_terminal()
    book = shipped() / "00_first_five_minutes.md"
    sys.exit(_open(load_config(None), "", book, None, new=False, training=True))


@main.command(short_help="Write a team's runbooks and cockpit.yaml.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a team's start into DIR: runbooks, an on-call handbook, and a commented cockpit.yaml.

    Overwrites nothing: where one of the files is there already, none is written. Exit status 2.
    """
    from cockpit import start

    try:
        written = start.write(folder)
    except start.Occupied as occupied:
        there = "\n".join(f"  {path}" for path in occupied.paths)
        raise Mistake(
            f"Nothing was written: there already\n{there}\nMove them away, or name another folder."
        ) from None
    except OSError as error:
        where = error.filename or folder
        raise Mistake(f"Nothing was written: {where}: {error.strerror or error}") from None
    click.echo(start.told(folder, written))


def _open(
    settings: Config,
    host: str,
    runbook: Path | None,
    folder: Path | None,
    *,
    new: bool,
    training: bool,
) -> int:
    # Nothing is garbage before the first paint; the app turns it on again right after.
    gc.disable()
    from cockpit.responder import Responder
    from screens.app import Opening, mistakes, run

    wrong = mistakes(settings)
    if wrong:
        raise Mistake("\n".join(wrong))
    runbook = runbook.resolve() if runbook else None
    responder = Responder(paths.incidents(), who(), settings, training=training)
    return run(responder, Opening(host, runbook, folder, offer=not new and folder is None))


def _need_terminal() -> None:
    plain = (
        "The plain commands work anywhere: cockpit run -- COMMAND, cockpit job list,"
        " cockpit incident list, cockpit runbook show FILE."
    )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Mistake(f"cockpit needs a terminal for its full screen, and this is none. {plain}")
    if os.environ.get("TERM", "") in ("", "dumb"):
        term = os.environ.get("TERM") or "not set"
        raise Mistake(f"TERM is {term}, so a full screen cannot be drawn. {plain}")


for command in (
    cli_books.lint,
    cli_books.runbook,
    cli_headless.job,
    cli_headless.run,
    cli_incident.incident,
    cli_oncall_checks.check,
    cli_oncall_checks.health,
    cli_outbox.outbox,
    cli_print.print_,
    cli_shift.shift,
):
    main.add_command(command)
