"""`cockpit run`: a command past the gate and over the link as on the screen, without the screen."""

from __future__ import annotations

import asyncio
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from cockpit import headless, paths
from cockpit.attend import FAILED, REFUSED, Attended, Signals, Stop
from cockpit.config import Config
from cockpit.live import hold_standard, say
from cockpit.prompt import Prompt
from cockpit.responder import CannotRun, Responder
from cockpit.target import guard
from cockpit.target.guard import Ask, AskAll
from cockpit.target.target import Target


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line.

    label: of a group of hosts, in place of one. folder: the incident that it belongs to; None for
    none. confirm: as written, `change`, `destroy:NAME`, of a group `change:N` or `destroy:N`; empty
    where it was not given. timeout_s: 0 is never. batch, stop_after: of a group; 0 is as usual.
    """

    command: str
    host: str = ""
    label: str = ""
    folder: Path | None = None
    timeout_s: int = 0
    confirm: str = ""
    reason: str = ""
    batch: int = 0
    stop_after: int = 0


def run(wish: Wish, config: Config, who: str) -> int:
    """Runs it, prints what it prints, and returns its exit status, or one of cockpit's own."""
    hold_standard()
    return asyncio.run(_run(wish, config, who))


async def _run(wish: Wish, config: Config, who: str) -> int:
    signals = Signals()
    responder = Responder(paths.runs(), who, config)
    status, last = FAILED, ""
    try:
        if wish.label:
            from cockpit.cli_group import run_group

            status = await run_group(responder, wish, signals)
        else:
            job = await _send(responder, wish, signals)
            status = await Attended(responder, job, signals, wish.timeout_s).to_its_end()
    except Stop as stop:
        status, last = stop.status, str(stop)
    finally:
        unsaved = await responder.close()  # takes back what was asked on the terminal, too
    if last:
        say(last)
    if unsaved:
        say(f"{unsaved} events could not be saved. {responder.log.trouble}")
    return status if not unsaved or status else FAILED


async def _send(responder: Responder, wish: Wish, signals: Signals) -> str:
    """Past the gate, to the host; returns the id of the job. Raises Stop when nothing was sent."""
    prompt = Prompt()
    responder.links.asker = prompt
    target = await headless.choose(responder, wish.host or _host_of(wish.folder))
    take_up(responder, wish)
    leave = _leave(responder, wish)
    before = _prepare(responder, target, leave, prompt)
    await signals.unless_told(before, "Stopped before anything was sent.")
    try:
        return await responder.run(leave, timeout_s=wish.timeout_s)
    except CannotRun as error:
        raise Stop(FAILED, str(error)) from None


def take_up(responder: Responder, wish: Wish) -> None:
    """Opens the journal that it goes to. Raises Stop where another cockpit has it."""
    from cockpit.incident.journal import Busy

    if wish.folder is None:
        opening = responder.log.opening
        responder.log.opening = lambda: ("run", opening()[1])
        return
    try:
        responder.take_up(wish.folder)
    except Busy:
        raise Stop(
            FAILED,
            f"Nothing was run: another cockpit has {wish.folder.name} open, and one alone can"
            " write its timeline. Run it there, close that one, or leave --incident away.",
        ) from None


def _host_of(folder: Path | None) -> str:
    """Where the commands of an incident run: asked before it is opened, so as not to move it."""
    if folder is None:
        return ""
    from cockpit.incident.incident import fold
    from cockpit.incident.journal import read

    return fold(read(folder).records).host


async def _prepare(responder: Responder, target: Target, leave: guard.Pass, prompt: Prompt) -> None:
    """All that comes before the command itself. Raises Stop."""
    from cockpit.runbook.shell import judge

    if not judge(leave.command).sudo:  # only sudo has to be asked for on the host
        await _needs_no_terminal(responder, leave)
    try:
        await headless.reach(target, lambda: prompt.open > 0)
    except headless.Unreachable as error:
        raise Stop(FAILED, f"Nothing was run. {error}") from None
    await _needs_no_terminal(responder, leave)
    names = judge(leave.command).containers
    if names and leave.risk != "read":
        say(await responder.save_evidence(leave.command, names, leave.host))


async def _needs_no_terminal(responder: Responder, leave: guard.Pass) -> None:
    why = await responder.why_terminal(leave.command)
    if why:
        raise Stop(
            REFUSED,
            f"Not run on {leave.host}: it needs a person ({why}). Open the full screen for it:"
            f" cockpit{_host_option(leave.host)}",
        )


def _host_option(host: str) -> str:
    return "" if host == "this machine" else f" --host {shlex.quote(host)}"


# The gate


def _leave(responder: Responder, wish: Wish) -> guard.Pass:
    """The pass, where what was given on the command line is enough for the gate. Raises Stop."""
    try:
        intent = responder.intent(wish.command)
    except CannotRun as error:
        raise Stop(REFUSED, str(error)) from None
    if wish.folder is None:
        intent = replace(intent, skipped_diagnosis=False)  # without an incident there is none
    asked = guard.ask(intent)
    confirmed, typed = answers(wish.confirm)
    try:
        return guard.answer(asked, confirmed=confirmed, typed=typed, reason=wish.reason)
    except guard.Refused as refused:
        raise Stop(REFUSED, missing(asked, wish, str(refused))) from None


def answers(confirm: str) -> tuple[bool, str]:
    """What --confirm means at the gate: the deliberate key, and what was typed."""
    kind, _, name = confirm.partition(":")
    return kind in ("change", "destroy"), name if kind == "destroy" else ""


def missing(asked: Ask | AskAll, wish: Wish, refused: str) -> str:
    """What the gate wants to hear, as options of the command line."""
    intent = asked.intent
    where, each = intent.host, ""
    options = []
    if asked.level is guard.Level.CONFIRM:
        options = ["--confirm change"]
    elif isinstance(asked, Ask) and asked.level is guard.Level.TYPE_NAME:
        ways = [f"--confirm {shlex.quote(f'destroy:{name}')}" for name in asked.names]
        options = [" or ".join(ways)]
    if isinstance(asked, AskAll):
        count = len(asked.intents)
        where = f"{count} hosts ({', '.join(one.host for one in asked.intents)})"
        each = " on each"
        if asked.level is guard.Level.TYPE_NUMBER:
            options = [f"--confirm {intent.risk}:{count}"]
    if asked.reason_wanted and not wish.reason.strip():
        options.append("--reason TEXT")
    if not options:
        return refused
    does = f"it would {intent.risk} something{each}: {intent.because}."
    if intent.risk == "read":
        does = f"{intent.because}."
    said = " ".join(part for part in (does, intent.doubt, asked.reason_wanted) if part)
    return f"Not run on {where}: {said} To run it, give {' and '.join(options)}"


def confirmation(text: str, *, group: bool) -> None:
    """Raises ValueError where --confirm is not written as it must be."""
    if not text:
        return
    if group and not re.fullmatch(r"change|(change|destroy):\d+", text):
        raise ValueError(
            "with --label it is written `change:N` or `destroy:N`, with the number of hosts"
        )
    if not group and not re.fullmatch(r"change|destroy:.+", text):
        raise ValueError(
            "it is written `change`, or `destroy:NAME` with the name of a container that the"
            " command touches, else of the host"
        )
