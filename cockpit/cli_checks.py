"""`cockpit lint` and `cockpit runbook test` as they are printed, with their exit status."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from cockpit import headless
from cockpit.cli_given import BAD_INPUT, Mistake
from cockpit.config import Config
from cockpit.runbook.lint.ground import Ground, OnHost
from cockpit.runbook.lint.page import Page
from cockpit.runbook.model import Runbook
from cockpit.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from cockpit import junit as xml

FOUND = 1
STOPPED = 130
TERMINATED = 143


# lint


def run_lint(
    named: Sequence[Path],
    host: str,
    compose_file: Path | None,
    config: Config,
    who: str,
    *,
    as_json: bool,
) -> int:
    """Prints the findings, then their count; returns the exit status. Raises Mistake."""
    from cockpit.runbook import parse
    from cockpit.runbook.lint import compose, judge, open_all, syntax
    from cockpit.runbook.lint.finding import Level, count

    where, handbook = _where(named, config)
    try:
        pages, unread = open_all(where, handbook=handbook)
        known = compose.named(compose_file) if compose_file else None
    except (parse.Unreadable, compose.BadCompose) as error:
        raise Mistake(str(error)) from None
    if not pages and not unread:
        raise Mistake(f"There is no markdown file in {', '.join(map(str, where))}.")
    there, trouble = _asked(host, config, who, pages) if host else (None, "")
    ground = Ground(known, there, _hosts(config), _last_run(), datetime.now(UTC))
    found = unread + judge(pages, ground)
    if as_json:
        records = [finding.record() for finding in found]
        click.echo(json.dumps({"files": len(pages), "findings": records}, indent=1))
    else:
        for finding in found:
            click.echo(str(finding))
        click.echo(count(found, len(pages)))
    if syntax.bash() is None:
        click.echo("There is no bash here, so nothing was judged by bash -n.", err=True)
    if there and there.containers is None:
        click.echo(
            f"{there.name}: docker ps did not answer, so names of containers were not judged.",
            err=True,
        )
    if trouble:
        click.echo(f"{trouble}\nThe host was not asked; what is above rests on files.", err=True)
        return BAD_INPUT
    return FOUND if any(finding.level is Level.ERROR for finding in found) else 0


def _where(named: Sequence[Path], config: Config) -> tuple[list[Path], Path | None]:
    """What to look at, and which of it is the handbook."""
    if named:
        return list(named), config.handbook
    folders = list(config.runbooks) or [Path("runbooks")]
    handbook = config.handbook or Path("ON_CALL.md")
    found = [folder for folder in folders if folder.exists()]
    found += [handbook] if config.handbook or handbook.exists() else []
    if not found:
        raise Mistake(
            f"There is no {folders[0]} here. Name files or folders: cockpit lint docs/runbooks"
        )
    return found, handbook


def _asked(host: str, config: Config, who: str, pages: Sequence[Page]) -> tuple[OnHost | None, str]:
    from cockpit.runbook.lint.host import ask
    from cockpit.runs import CannotRun

    try:
        return asyncio.run(ask(host, config, who, pages)), ""
    except (headless.Unreachable, CannotRun) as error:
        return None, str(clean_line(str(error)))
    except KeyboardInterrupt:
        return None, "Stopped."


def _hosts(config: Config) -> frozenset[str]:
    known = {word for name, host in config.hosts.items() for word in (name, host.ssh or name)}
    urls = {urlsplit(service.health).hostname or "" for service in config.services.values()}
    return frozenset(known | urls) if known else frozenset()


def _last_run() -> Callable[[Path, str], datetime | None] | None:
    """None where the journals of this machine know of no run at all, as in CI."""
    from cockpit.runbook.record import records

    found = records()
    if not found.by_path:
        return None

    def last(path: Path, title: str) -> datetime | None:
        return found.of(path, title).last_tried

    return last


# runbook test


def run_trials(
    books: Sequence[Runbook],
    host: str,
    config: Config,
    who: str,
    values: Mapping[str, str],
    *,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Tries the runbooks one after the other, prints what came of it; returns the exit status."""
    from cockpit import junit as xml
    from cockpit.trial import Outcome

    suites: list[xml.Suite] = []
    status = 0
    try:
        asyncio.run(_try_all(books, host, config, who, values, suites, quiet=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
        click.echo("Stopped; what ran was stopped on its host as well.", err=True)
        status = STOPPED if isinstance(stopped, KeyboardInterrupt) else TERMINATED
    if any(suite.error for suite in suites):
        status = status or BAD_INPUT
    failed = any(one.outcome is Outcome.FAILED for suite in suites for one in suite.tried)
    status = status or (FOUND if failed else 0)
    if as_json:
        records = [
            {
                "path": suite.runbook.path,
                "title": suite.runbook.title,
                "host": suite.host,
                "error": suite.error,
                "commands": [one.record() for one in suite.tried],
            }
            for suite in suites
        ]
        click.echo(json.dumps(records, indent=1))
    if junit is not None:
        try:
            junit.write_bytes(xml.document(suites))
        except OSError as error:
            click.echo(f"{junit} could not be written: {error.strerror or error}.", err=True)
            status = status or BAD_INPUT
    return status


async def _try_all(
    books: Sequence[Runbook],
    host: str,
    config: Config,
    who: str,
    values: Mapping[str, str],
    suites: list[xml.Suite],
    *,
    quiet: bool,
) -> None:
    """Appends a suite for each runbook, also for one that ended early."""
    from cockpit import junit as xml
    from cockpit import trial
    from cockpit.target.hosts import THIS_MACHINE

    # A job that CI takes down is told with SIGTERM: what runs is stopped then, too.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    say = (lambda text: None) if quiet else click.echo
    for book in books:
        tried: list[trial.Tried] = []
        error = ""

        def told(one: trial.Tried, tried: list[trial.Tried] = tried) -> None:
            tried.append(one)
            say(trial.line(one))

        begun = datetime.now(UTC)
        say(f"{book.title} ({clean_line(book.path)}) on {host or THIS_MACHINE}")
        try:
            async with headless.on(host, config, who, book) as asked:
                await trial.attempt(asked, book, values, told)
                folder = asked.folder
            say(trial.count(tried) + (f"; kept in {folder}" if folder else ""))
        except headless.Unreachable as unreachable:
            error = str(clean_line(str(unreachable)))
            click.echo(error, err=True)
        finally:
            suites.append(xml.Suite(book, host or THIS_MACHINE, begun, tried, error))
