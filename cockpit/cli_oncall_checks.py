"""`cockpit check` and `cockpit health`: what can be given to them, and what they print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cockpit.cli_given import Mistake, folded, load_config, who, with_config

if TYPE_CHECKING:
    from cockpit.config import Config
    from cockpit.oncall.result import Result

STOPPED = 130
_YES = ("y", "yes", "done")
_NO = ("n", "no", "not so")
_COLOURS = {"ok": "green", "todo": "cyan", "warn": "yellow", "FAIL": "red"}
with_deadline = click.option(
    "--deadline",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="What has not answered by then counts as wrong.",
)


@click.group(invoke_without_command=True, short_help="Is all ready for the shift?")
@click.option(
    "--yes", "done", multiple=True, metavar="WORDS", help="Tick the item with these words."
)
@click.option("--manual", is_flag=True, help="Items that nobody ticked count: degraded.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON at the end, nothing else.")
@with_deadline
@with_config
@click.pass_context
def check(
    context: click.Context,
    done: tuple[str, ...],
    manual: bool,
    as_json: bool,
    deadline: float,
    config: Path | None,
) -> None:
    """Go through the checklist before a shift, all at once, and say what is wrong.

    Asked are: every host (SSH, clock, Docker), every service (containers, logs, health URL), the
    handbook's access verification as far as it only reads, dashboards, runbooks, handbook,
    contacts, the outbox (nothing is sent), and this machine: clock, disk, terminal. What a login
    would ask a person is not asked, and said.

    What only a person can do, from the handbook's checklist before the shift, is asked on a
    terminal at the end: y, n, or enter for later. Else it is listed, and counts with --manual.

    The result is kept; where it is not ready, or a day old, the next incident begins with it.

    Exit status: 0 ready, 1 degraded, 2 not ready or a mistake in what was given.
    """
    if context.invoked_subcommand is not None:
        return
    sys.exit(_check(load_config(config), done, deadline, manual=manual, as_json=as_json))


@check.command("contacts", short_help="Can everybody on the ladder be called?")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@with_config
def check_contacts(files: tuple[Path, ...], config: Path | None) -> None:
    """What is wrong with the contacts of a handbook: missing, or not plausible. Asks nobody.

    Without FILE it is the handbook of cockpit.yaml, with the contacts there. For pre-commit, too.

    Exit status: 0 all well, 1 something is wrong, 2 nobody can be called.
    """
    sys.exit(_contacts(files, load_config(config)))


@click.command(short_help="Are the services well? For cron, too.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what is wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON at the end, nothing else.")
@with_deadline
@with_config
def health(quiet: bool, as_json: bool, deadline: float, config: Path | None) -> None:
    """Ask how the hosts and services of cockpit.yaml are; a line for each check.

    Containers run and are healthy; health URLs answer; restarts, memory, disks and errors in logs
    are within `thresholds`. Nothing is changed, and nothing kept.

    Exit status: 0 operational, 1 degraded, 2 critical or a mistake in what was given.
    """
    sys.exit(_health(load_config(config), deadline, quiet=quiet, as_json=as_json))


# check


def _check(
    config: Config, done: Sequence[str], seconds: float, *, manual: bool, as_json: bool
) -> int:
    from cockpit import clock
    from cockpit.oncall import checks, handbook, kept, there
    from cockpit.oncall.result import count, worst

    read = handbook.load(config)
    items, unknown = checks.ticked(checks.yours(read), done)
    if unknown:
        known = "\n".join(f"  {item.name}" for item in items) or "  none"
        raise Mistake(f"--yes {unknown[0]}: no item of the checklist has these words:\n{known}")
    now = clock.now()

    def plan(ground: there.Ground) -> Sequence[Any]:
        return checks.plan(ground, read, now)

    say = _nothing if as_json else _print
    asking = there.ask_all(config, who(), plan, seconds=seconds, told=lambda _, one: say(one))
    results = _run(asking)
    if results is None:
        return STOPPED
    if not as_json and items and sys.stdin.isatty() and sys.stdout.isatty():
        items = _asked(items)
    else:
        for item in items:
            say(item)
    results += items
    status = worst(results, manual=manual)
    outcome = checks.OUTCOMES[status]
    trouble = kept.keep(outcome, results, now)
    if as_json:
        _print_json(now.isoformat(), outcome, results)
    else:
        click.echo(f"{outcome}: {count(results)}")
    if trouble:
        click.echo(f"The result is not kept: {trouble}", err=True)
    return status


def _asked(items: Sequence[Result]) -> list[Result]:
    """The items after the person at the keyboard has answered; enter, or ctrl+d, leaves one."""
    from cockpit.oncall import checks
    from cockpit.oncall.result import Mark

    click.echo("Yours to do: y done, n not so, enter later")
    answered = []
    over = False
    for item in items:
        answer = ""
        if item.mark is Mark.YOURS and not over:
            try:
                answer = _answer(folded(f"      {item.name}", 6))
            except click.Abort:
                over = True
                click.echo()
        answered.append(checks.answered(item, answer in _YES) if answer else item)
    return answered


def _answer(question: str) -> str:
    """One of _YES or _NO, or empty for later; asks again on anything else. Raises click.Abort."""
    from cockpit.text import clean_line

    while True:
        typed = click.prompt(question, "", prompt_suffix=" ? ", show_default=False)
        answer = str(typed).strip().lower()
        if answer in ("", *_YES, *_NO):
            return answer
        click.echo(f'      "{clean_line(answer)}" is neither. y done, n not so, enter later')


def _contacts(files: Sequence[Path], config: Config) -> int:
    import msgspec

    from cockpit import clock
    from cockpit.oncall import contacts, handbook
    from cockpit.words import many

    status = 0
    for file in files or (None,):
        if file is not None:
            if not file.exists():
                raise Mistake(f"{file}: there is no such file.")
            config = msgspec.structs.replace(config, handbook=file.absolute())
        read = handbook.load(config)
        name = file or Path(read.path or "ON_CALL.md").name
        people = [one for level in read.levels for one in level.contacts]
        reachable = sum(one.reachable for one in people)
        wrong = contacts.problems(read, clock.now())
        for problem in wrong:
            place = f"{name}:{problem.line}: " if problem.line else "cockpit.yaml: "
            click.echo(f"{'' if problem.what == read.unread else place}{problem.what}")
        if not reachable and read.unread:
            status = 2
        elif not reachable:
            click.echo(f"{name}: nobody can be called. Fill in the contacts of each level.")
            status = 2
        elif not wrong:
            whom = many(len(people), "person", "people")
            click.echo(f"{name}: all is filled in and plausible, for {whom}")
        status = max(status, int(bool(wrong)))
    return status


# health


def _health(config: Config, seconds: float, *, quiet: bool, as_json: bool) -> int:
    from cockpit import clock
    from cockpit.oncall import health, there
    from cockpit.oncall.result import Mark, count, worst

    if not config.hosts and not config.services:
        raise Mistake("cockpit.yaml names no hosts and no services, so there is nothing to ask.")
    now = clock.now()

    def told(_: int, one: Result) -> None:
        if not as_json and (not quiet or one.mark in (Mark.WARN, Mark.BAD)):
            _print(one)

    asking = there.ask_all(config, who(), health.plan, seconds=seconds, told=told)
    results = _run(asking)
    if results is None:
        return STOPPED
    status = worst(results)
    if as_json:
        _print_json(now.isoformat(), health.OUTCOMES[status], results)
    elif not quiet:
        click.echo(f"{health.OUTCOMES[status]}: {count(results)}")
    return status


# printing


def _run(asking: Coroutine[Any, Any, list[Result]]) -> list[Result] | None:
    """The results; None where it was stopped. What was begun on a host is ended there, too."""

    import asyncio
    import signal

    async def until_told() -> list[Result]:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await asking

    try:
        return asyncio.run(until_told())
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Stopped.", err=True)
        return None


def _nothing(one: Result) -> None:
    pass


def _print(one: Result) -> None:
    line = folded(one.line, 6)
    sign, rest = line[:4], line[4:]
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        sign = click.style(sign, fg=_COLOURS.get(sign.strip()))
    click.echo(sign + rest)


def _print_json(at: str, outcome: str, results: Sequence[Result]) -> None:
    records = [one.record() for one in results]
    click.echo(json.dumps({"at": at, "outcome": outcome, "checks": records}, indent=1))
