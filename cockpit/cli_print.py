"""`cockpit print`: runbooks, handbook and contacts for paper."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cockpit.cli_given import Mistake, load_config, with_config


@click.command("print", short_help="Runbooks, handbook and contacts for paper.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--pdf", "must", is_flag=True, help="Fail where no PDF can be made.")
@with_config
def print_(folder: Path, must: bool, config: Path | None) -> None:
    """Write runbooks, handbook and contacts into DIR, as one HTML file and one PDF for paper.

    Whom to call stands first. The PDF needs the extra `pdf` (weasyprint); it fits A4 and Letter.
    Exit status: 1 where a file could not be read, or the PDF that --pdf asks for not be made; the
    rest is written all the same. 2 for a mistake in what was given.
    """
    from cockpit import clock
    from cockpit.oncall import handbook, paper
    from cockpit.words import many

    settings = load_config(config)
    stack = paper.gather(settings, handbook.load(settings))
    text = paper.html(stack, clock.now())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paper.write(folder / paper.HTML, text.encode())
    except (paper.NotOurs, OSError) as error:
        raise Mistake(_words(error, folder)) from None
    click.echo(f"{folder / paper.HTML}: {many(len(stack.runbooks), 'runbook')}, "
               f"{'the handbook' if stack.handbook_page else 'no handbook'}, "
               f"{len(stack.handbook.levels)} levels of the ladder")  # fmt: skip
    status = 0
    try:
        paper.write(folder / paper.PDF, paper.pdf(text))
        click.echo(f"{folder / paper.PDF}: the same; it fits A4 and Letter")
    except paper.NoPdf as error:
        click.echo(str(error), err=True)
        status = 1 if must else 0
    except (paper.NotOurs, OSError) as error:
        raise Mistake(_words(error, folder)) from None
    for path, hidden in stack.hidden:
        click.echo(
            f"{path}: left out what looks like a secret: {hidden}. It belongs in no runbook.",
            err=True,
        )
    lost = paper.gaps(stack.handbook.levels)
    if lost or not stack.handbook.levels:
        who = f"{lost} levels of the ladder have" if lost else "The ladder has"
        click.echo(f"{who} no phone number: lines are left to write on.", err=True)
    for broken in stack.broken:
        click.echo(f"Not in it: {broken}", err=True)
    sys.exit(1 if stack.broken else status)


def _words(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or folder}: {error.strerror or error}"
    return str(error)
