"""`cockpit runbook` and `cockpit lint`: what can be given to them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cockpit.cli_given import Mistake, load_config, who, with_config

if TYPE_CHECKING:
    from cockpit.runbook.model import Runbook


@click.group()
def runbook() -> None:
    """Find, list, show and test runbooks."""


@runbook.command("show", short_help="What cockpit takes from runbooks.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One list with a record a file.")
def runbook_show(files: tuple[Path, ...], as_json: bool) -> None:
    """What cockpit takes from runbooks: sections, steps, commands and their risk."""
    import json

    from cockpit.runbook import parse, show

    records = []
    for file in files:
        try:
            book = parse.read(file)
        except parse.Unreadable as error:
            raise Mistake(str(error)) from None
        if as_json:
            records.append(show.record(book))
        else:
            click.echo(show.outline(book))
    if as_json:
        click.echo(json.dumps(records, indent=1))


@runbook.command("test", short_help="Run what only reads, for real.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="", help="Where to run it; without, on this machine.")
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE", help="For a placeholder.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON at the end, nothing else.")
@with_config
def runbook_test(
    files: tuple[Path, ...],
    host: str,
    values: tuple[str, ...],
    junit: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Run what only reads in runbooks, for real; nothing that changes anything is run.

    Exit status: 0 when all went as it should, 1 when something failed, 2 for a mistake in what was
    given or a host that cannot be reached, 130 when stopped with ctrl+c.
    """
    from cockpit.cli_checks import run_trials

    pairs = dict(pair.partition("=")[::2] for pair in values)
    if any("=" not in pair for pair in values):
        raise Mistake("--value is written NAME=VALUE, such as --value BACKUP_FILE=monday.db")
    books = [_book(file) for file in files]
    sys.exit(
        run_trials(books, host, load_config(config), who(), pairs, junit=junit, as_json=as_json)
    )


def _book(file: Path) -> Runbook:
    from cockpit.runbook import parse

    try:
        return parse.read(file.resolve())
    except parse.Unreadable as error:
        raise Mistake(str(error)) from None


@click.command(short_help="Find in daylight what would fail at 3am.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--host", default="", help="Ask this host which containers and programs it has.")
@click.option("--compose", type=click.Path(path_type=Path), help="Compose file to compare with.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@with_config
def lint(
    paths: tuple[Path, ...], host: str, compose: Path | None, as_json: bool, config: Path | None
) -> None:
    """Find in daylight what would fail at 3am, in runbooks and the handbook.

    PATHS are files and folders; without any, those of cockpit.yaml, else ./runbooks and
    ./ON_CALL.md. A line <!-- cockpit-lint: ignore RULE --> silences a rule for what follows it.
    --host only asks. Exit status: 1 where errors were found, 2 for a mistake in what was given or
    a host that cannot be reached (the other findings are printed all the same).
    """
    from cockpit.cli_checks import run_lint

    sys.exit(run_lint(paths, host, compose, load_config(config), who(), as_json=as_json))


@runbook.command("find", short_help="Those that fit, best first.")
@click.argument("words", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One list with a record a runbook.")
@with_config
def runbook_find(words: tuple[str, ...], as_json: bool, config: Path | None) -> None:
    """The runbooks that fit words, an alert's name or a log line, best first.

    Exit status 1 when there is none.
    """
    _tell_runbooks(config, " ".join(words), as_json=as_json)


@runbook.command("list", short_help="All of them, each with its record.")
@with_config
def runbook_list(config: Path | None) -> None:
    """All runbooks, those used last first, each with its record."""
    _tell_runbooks(config, "", as_json=False)


def _tell_runbooks(config: Path | None, words: str, *, as_json: bool) -> None:
    import json

    from cockpit.runbook import index, library

    settings = load_config(config)
    found, passed = index.look(library.folders(settings), words)
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=1))
    for one in found if not as_json else ():
        click.echo("\n    ".join(one.lines()))
    if passed:
        click.echo(f"Passed over: {', '.join(passed)}.", err=True)
    if not found:
        click.echo("No runbook has these words. Fewer of them? See: cockpit runbook list", err=True)
        sys.exit(1)
