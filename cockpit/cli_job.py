"""`cockpit job`: reach a command that runs on a host, from another terminal or on another day."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import click

from cockpit import headless, jobs, paths
from cockpit.attend import (
    CHUNK,
    FAILED,
    NO_READER,
    Signals,
    Stop,
    how_to_reach,
    status_of,
    tell_end,
    tell_link,
    tell_stop,
)
from cockpit.config import Config
from cockpit.incident.events import CommandFinished, CommandStopped, CommandUnknown
from cockpit.incident.incident import Incident, Run, RunState, after
from cockpit.incident.journal import Busy
from cockpit.incident.timeline import line
from cockpit.jobs import Job
from cockpit.live import Printer, hold_standard, say
from cockpit.prompt import Prompt
from cockpit.responder import Responder
from cockpit.runs import place_of
from cockpit.target import job as jobs_there
from cockpit.target.target import LinkDown, LinkLost, Target

TELL_AFTER: Final = 3.0
LOOK_AGAIN: Final = 1.0
WRITE_DOWN: Final = 30.0
"""Seconds in which what a host told is told again, for the journal."""

ELSEWHERE: Final = "The cockpit that has {name} open writes it down."


def list_jobs(*, ended: bool, as_json: bool) -> int:
    """Prints the jobs, newest first; returns the exit status."""
    found = jobs.known(ended=ended)
    if as_json:
        click.echo(json.dumps([one.record() for one in found], indent=1))
    elif found:
        click.echo("\n".join(jobs.table(found)))
    else:
        click.echo("No job is known." if ended else "No job is known to be running.")
    return 0


def attach(one: Job, config: Config, who: str) -> int:
    """Prints what a job prints, from its start to its end; returns its exit status."""
    hold_standard()
    return asyncio.run(_with(one, config, who, _attach))


def stop(one: Job, config: Config, who: str) -> int:
    """Ends a job; returns 0 when it is over."""
    return asyncio.run(_with(one, config, who, _stop))


class _There:
    """A job, as it is asked for on its host by somebody who does not keep its journal."""

    def __init__(self, one: Job, responder: Responder, signals: Signals) -> None:
        self.one = one
        self.run = one.run
        self.id = jobs_there.JobId(one.run.job)
        self.place = place_of(one.run)
        self.responder = responder
        self.signals = signals
        self.target: Target = responder.target
        self._taken = False

    @property
    def left(self) -> str:
        return how_to_reach(self.run.asked.host, self.run.job)

    @property
    def unsure(self) -> str:
        run = self.run
        return (
            f"{run.asked.host}: whether the command was stopped is not known here. To ask again:"
            f" cockpit job stop {run.job[: jobs.SHORT]}"
        )

    async def reach(self, *, patient: bool = False) -> None:
        """Raises Stop where the host cannot be reached; patient: waits as long as it takes."""
        prompt = Prompt()
        self.responder.links.asker = prompt
        self.target = await headless.choose(self.responder, self.run.asked.host)
        try:
            seconds = TELL_AFTER if patient else 0.0
            await headless.reach(self.target, lambda: prompt.open > 0, seconds)
        except headless.Unreachable as error:
            if not patient:
                raise Stop(FAILED, str(error)) from None
            say(f"{error} Trying again until it is; ctrl+c gives up.")
            try:
                await self.target.ready()
            except LinkDown as down:
                raise Stop(FAILED, headless.plainly(self.target.name, str(down))) from None

    def take(self) -> Run | None:
        """The run, with its journal open for writing; None where another cockpit writes it."""
        if not self._taken:
            try:
                self.responder.take_up(self.one.folder)
            except Busy:
                return None
            self._taken = True
        return self.responder.incident.runs[self.run.job]

    async def until(self, done: Callable[[Run], bool], seconds: float) -> bool:
        """Waits, with the journal open, for what the host tells of the run; whether it has."""
        by = time.monotonic() + seconds
        while not done(self.responder.incident.runs[self.run.job]):
            if time.monotonic() > by or not self.target.link.state.usable:
                return False
            await asyncio.sleep(0.02)
        return True


async def _with(
    one: Job, config: Config, who: str, do: Callable[[_There], Coroutine[Any, Any, int]]
) -> int:
    run = one.run
    if run.asked.terminal:
        say("It runs in a terminal of cockpit, not as a job: it ends with that terminal.")
        return FAILED
    signals = Signals()
    responder = Responder(paths.runs(), who, config)
    there = _There(one, responder, signals)
    status, last = FAILED, ""
    try:
        status = await signals.unless_told(do(there), there.left if do is _attach else there.unsure)
    except Stop as ended:
        status, last = ended.status, str(ended)
    except LinkDown as down:
        last = f"{headless.plainly(run.asked.host, str(down))} {there.left}"
    except BrokenPipeError:
        status = NO_READER
    finally:
        await responder.close()
    if last:
        say(last)
    return status


# attach


async def _attach(there: _There) -> int:
    one, printer = there.one, Printer()
    at = await _held(one, printer)
    if one.run.over:
        await printer.finish()
        tell_end(one.run)
        if at < one.run.size:
            say(f"{one.run.size - at} bytes of the output are not on this machine.")
        return status_of(one.run)
    await there.reach()
    unwatch = tell_link(there.target)
    try:
        if one.run.state is RunState.STOPPING:
            say(f"A stop was asked for; to have it carried out: cockpit job stop {there.id}")
        claimed = one.run.claimed or await _begun(there)
        if not claimed:
            run = there.responder.incident.runs[there.id]
            tell_end(run)
            return status_of(run)
        run = await _followed(there, printer, at)
    finally:
        unwatch()
    await printer.finish()
    tell_end(run)
    await _write_down(there)
    return status_of(run)


async def _held(one: Job, printer: Printer) -> int:
    """Prints what this machine has of the output; returns how many bytes that were."""
    at = 0
    if not one.run.asked.evidence:
        return at
    try:
        with (one.folder / one.run.asked.evidence).open("rb") as file:
            while part := file.read(CHUNK):
                await printer.write(part)
                at += len(part)
    except FileNotFoundError:
        pass
    return at


async def _begun(there: _There) -> bool:
    """Waits until the host has begun a job that was about to be sent; False when it never will.

    As long as another cockpit has the journal open, that one may still send it. When none has,
    nobody will: then the host is told never to begin it.
    """
    said = False
    while True:
        with contextlib.suppress(LinkLost):
            await there.target.ready()
            now = await jobs_there.state(there.target, there.place, there.id)
            if isinstance(now, jobs_there.Running):
                return True
            if isinstance(now, jobs_there.Ended) and now.how != "never started":
                return True
            run = there.take()
            if run is not None:
                there.responder.runs.follow(run)
                await there.until(lambda run: run.claimed or run.over, WRITE_DOWN)
                return not there.responder.incident.runs[there.id].over
        if not said:
            said = True
            say(f"{there.target.name} has not begun it; another cockpit may still send it.")
        await asyncio.sleep(LOOK_AGAIN)


async def _followed(there: _There, printer: Printer, at: int) -> Run:
    """Prints what the host has of the output from an offset on; returns the run as it ended."""
    told = jobs_there.follow(
        there.target, there.place, there.id, order=None, claimed=True, offset=at
    )
    run = there.run
    async with contextlib.aclosing(told):
        async for news in told:
            match news:
                case jobs_there.Output(data=data):
                    await printer.write(data)
                case jobs_there.Unknown(why=why):
                    run = after(run, CommandUnknown(job=run.job, why=why))
                case jobs_there.Ended() as end:
                    finished = CommandFinished(
                        job=run.job,
                        exit_status=end.exit_status,
                        how=end.how,
                        seconds=end.seconds or 0.0,
                        size=end.size,
                        truncated=end.truncated,
                        why=end.why,
                    )
                    run = after(run, finished)
    return run


async def _write_down(there: _There) -> None:
    """Puts the end of a run into its journal, where no other cockpit does."""
    run = there.take()
    if run is None:
        say(ELSEWHERE.format(name=there.one.folder.name))
    elif not run.over:
        there.responder.runs.follow(run)
        if not await there.until(lambda run: run.over, WRITE_DOWN):
            say(f"Its end is not in the journal yet: {there.target.link.reason}")


# stop


async def _stop(there: _There) -> int:
    run = there.run
    if run.over:
        say(f"It is over: {there.one.state}.")
        return 0
    await there.reach(patient=True)
    mine = there.take()
    if mine is None:
        stopped = await jobs_there.stop(there.target, there.place, there.id)
        alone = Incident(runs={run.job: run})
        event = CommandStopped(job=run.job, how=stopped.how, left=stopped.left)
        say(f"{line(event, alone)}. {ELSEWHERE.format(name=there.one.folder.name)}")
        return 0
    if not mine.over:
        there.responder.runs.follow(mine)
        await there.responder.stop(run.job)
        if not await there.until(lambda run: run.over, WRITE_DOWN):
            raise Stop(FAILED, f"{there.target.name}: {there.target.link.reason} {there.left}")
    tell_stop(there.responder, run.job)
    return 0
