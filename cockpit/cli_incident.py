"""`cockpit incident`: list, show, export, review and verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cockpit import paths
from cockpit.cli_given import Mistake, folder_of, load_config, put, with_config, with_new_file

if TYPE_CHECKING:
    from cockpit.incident.incident import Incident


@click.group()
def incident() -> None:
    """List, show, export, review and verify incidents."""


@incident.command("list")
def incident_list() -> None:
    """All incidents, newest first."""
    from cockpit.incident.incident import fold
    from cockpit.incident.journal import read
    from cockpit.incident.summary import folders, name_of, summary

    known = folders(paths.incidents())
    if not known:
        click.echo(f"No incidents in {paths.incidents()}.")
    for folder in known:
        found = fold(read(folder).records)
        click.echo(f"{folder.name}  {name_of(found)}  {summary(found)}")


@incident.command("show")
@click.argument("name")
def incident_show(name: str) -> None:
    """The timeline of an incident, as plain lines."""
    from cockpit.incident.timeline import line

    _, found = _read(name)
    click.echo(
        f"{found.title or 'not declared'} ({found.severity or 'no severity'}), times are UTC"
    )
    for entry in found.entries:
        click.echo(f"[{entry.at:%Y-%m-%d %H:%M:%S}] {line(entry.record.event, found)}")


@incident.command("export")
@click.argument("name")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File to write; else printed."
)
def incident_export(name: str, output: Path | None) -> None:
    """The incident log as markdown."""
    from cockpit.incident.journal import verify
    from cockpit.incident.markdown_file import replace_file
    from cockpit.incident.output import excerpt
    from cockpit.incident.report import report

    folder, found = _read(name)
    damage = verify(folder)
    trouble = f"{len(damage)} places in the journal are damaged." if damage else ""
    text = report(
        found,
        lambda run: excerpt(folder / run.asked.evidence) if run.asked.evidence else b"",
        trouble=trouble,
    )
    if output is None:
        click.echo(text, nl=False)
        return
    failed = replace_file(output, text)
    if failed:
        raise Mistake(failed)
    click.echo(f"Saved to {output}")


@incident.command("review", short_help="The post-incident document.")
@click.argument("name")
@click.option(
    "--format",
    "form",
    type=click.Choice(["default", "google", "pagerduty"]),
    default="default",
    help="Whose sections it has.",
)
@with_new_file
@with_config
def incident_review(name: str, form: str, output: Path | None, config: Path | None) -> None:
    """The post-incident document, filled in with all that the journal knows.

    Overwrites nothing: people write in it. Exit status 1 where the journal is damaged; what can be
    read of it is used.
    """
    from cockpit.incident.journal import verify
    from cockpit.incident.review import review
    from cockpit.oncall.handbook import load

    settings = load_config(config)
    folder, found = _read(name)
    damage = verify(folder)
    trouble = f"{len(damage)} places in the journal are damaged." if damage else ""
    put(review(found, form, rules=load(settings).rules, trouble=trouble), output)
    if damage:
        click.echo(f"{folder.name}: {trouble} See: cockpit incident verify NAME", err=True)
        sys.exit(1)


@incident.command("verify", short_help="Check that a journal is whole.")
@click.argument("name")
def incident_verify(name: str) -> None:
    """Check that the journal of an incident is whole; exit status 1 when it is not."""
    from cockpit.incident.journal import read, verify

    folder = folder_of(name)
    damage = verify(folder)
    for one in damage:
        click.echo(str(one))
    count = len(read(folder).records)
    if damage:
        click.echo(f"{folder.name}: {len(damage)} damaged places; {count} records can be read.")
        sys.exit(1)
    click.echo(f"{folder.name}: whole, {count} records.")


def _read(name: str) -> tuple[Path, Incident]:
    from cockpit.incident.incident import fold
    from cockpit.incident.journal import read

    folder = folder_of(name)
    return folder, fold(read(folder).records)
