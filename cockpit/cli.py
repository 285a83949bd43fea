"""The command line."""

from __future__ import annotations

import gc
import getpass
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cockpit import __version__, paths

if TYPE_CHECKING:
    from cockpit.config import Config
    from cockpit.incident.incident import Incident
    from cockpit.jobs import Job
    from cockpit.runbook.model import Runbook

BAD_INPUT = 2
RUN_FAILED = 125


class Mistake(click.ClickException):
    """Something that the person can mend: said plainly, exit status 2."""

    exit_code = BAD_INPUT

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


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


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
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
    settings = _config(config)
    _need_terminal()
    folder = _folder(incident) if incident else None
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
    sys.exit(_open(_config(None), "", book, None, new=False, training=True))


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


@main.command(
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
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
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
        _folder(incident) if incident else None,
        timeout_s or 0,
        confirm,
        reason,
        batch or 0,
        stop_after or 0,
    )
    sys.exit(run_command(wish, _config(config), _who()))


@main.group()
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
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
def job_attach(id: str, config: Path | None) -> None:
    """Print the output of a job from its start, follow it to its end, and exit with its status.

    ID may be shortened. The host is asked; nothing is sent again. ctrl+c leaves it running. Exit
    status as of cockpit run.
    """
    from cockpit import cli_job

    sys.exit(cli_job.attach(_job(id), _config(config), _who()))


@job.command("stop", cls=LikeItsCommand, short_help="End it, gently first.")
@click.argument("id")
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
def job_stop(id: str, config: Path | None) -> None:
    """End a job with its whole process group, gently first; waits for a lost link.

    ID may be shortened. Exit status: 0 when it is over, 125 when that is not known.
    """
    from cockpit import cli_job

    sys.exit(cli_job.stop(_job(id), _config(config), _who()))


def _job(id: str) -> Job:
    from cockpit.jobs import NoSuchJob, find

    try:
        return find(id)
    except NoSuchJob as error:
        raise Mistake(str(error)) from None


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
    responder = Responder(paths.incidents(), _who(), settings, training=training)
    return run(responder, Opening(host, runbook, folder, offer=not new and folder is None))


def _config(explicit: Path | None) -> Config:
    """The configuration; --config may stand before the name of a command or after it."""
    from cockpit.config import ConfigError, load

    try:
        return load(explicit or click.get_current_context().find_root().params["config"])
    except ConfigError as error:
        raise Mistake(str(error)) from None


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


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _folder(name: str) -> Path:
    """The incident of that name: a folder, its name, or the beginning of its name."""
    from cockpit.incident.summary import folders

    if Path(name).is_dir():
        return Path(name)
    known = folders(paths.incidents())
    found = [folder for folder in known if folder.name.startswith(name)]
    exact = [folder for folder in found if folder.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        names = ", ".join(folder.name for folder in found)
        raise Mistake(f"{name} may be any of {names}. Write more of the name.")
    raise Mistake(f"There is no incident {name} in {paths.incidents()}. See: cockpit incident list")


@main.group()
def incident() -> None:
    """List, show, export and verify incidents."""


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


@incident.command("verify", short_help="Check that a journal is whole.")
@click.argument("name")
def incident_verify(name: str) -> None:
    """Check that the journal of an incident is whole; exit status 1 when it is not."""
    from cockpit.incident.journal import read, verify

    folder = _folder(name)
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

    folder = _folder(name)
    return folder, fold(read(folder).records)


@main.group()
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
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
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
    sys.exit(run_trials(books, host, _config(config), _who(), pairs, junit=junit, as_json=as_json))


def _book(file: Path) -> Runbook:
    from cockpit.runbook import parse

    try:
        return parse.read(file.resolve())
    except parse.Unreadable as error:
        raise Mistake(str(error)) from None


@main.command(short_help="Find in daylight what would fail at 3am.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--host", default="", help="Ask this host which containers and programs it has.")
@click.option("--compose", type=click.Path(path_type=Path), help="Compose file to compare with.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
def lint(
    paths: tuple[Path, ...], host: str, compose: Path | None, as_json: bool, config: Path | None
) -> None:
    """Find in daylight what would fail at 3am, in runbooks and the handbook.

    PATHS are files and folders; without any, those of cockpit.yaml, else ./runbooks and
    ./ON_CALL.md. A line <!-- cockpit-lint: ignore RULE --> silences a rule for what follows it.
    --host only asks. Exit status: 1 where errors were found, 2 for a mistake in what was given or
    a host that cannot be reached (the other findings are printed all the same).
    """
    from cockpit.cli_checks import BadInput, run_lint

    try:
        status = run_lint(paths, host, compose, _config(config), _who(), as_json=as_json)
    except BadInput as error:
        raise Mistake(str(error)) from None
    sys.exit(status)


@runbook.command("find", short_help="Those that fit, best first.")
@click.argument("words", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One list with a record a runbook.")
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
def runbook_find(words: tuple[str, ...], as_json: bool, config: Path | None) -> None:
    """The runbooks that fit words, an alert's name or a log line, best first.

    Exit status 1 when there is none.
    """
    _tell_runbooks(config, " ".join(words), as_json=as_json)


@runbook.command("list", short_help="All of them, each with its record.")
@click.option("--config", type=click.Path(path_type=Path), help="cockpit.yaml to use.")
def runbook_list(config: Path | None) -> None:
    """All runbooks, those used last first, each with its record."""
    _tell_runbooks(config, "", as_json=False)


def _tell_runbooks(config: Path | None, words: str, *, as_json: bool) -> None:
    import json

    from cockpit.runbook import index, library

    settings = _config(config)
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
