"""Runs of commands: sent once, attended until they end, stopped; all of it written down."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cockpit.incident import events as e
from cockpit.incident.incident import Run, RunState
from cockpit.incident.logbook import Logbook
from cockpit.incident.timeline import beginning
from cockpit.target import guard
from cockpit.target.target import Link, LinkDown, LinkLost, Target
from cockpit.text import clean
from cockpit.words import duration

if TYPE_CHECKING:
    from cockpit.incident.output import Output
    from cockpit.runbook.model import Command, Runbook, Section, Step
    from cockpit.target import job
    from cockpit.target.session import Kept, Lost
    from cockpit.target.target import Terminal
    from cockpit.target.terminal import End

HOST_PATIENCE = 15.0
TAIL_LINES = 5
SKEW = 60.0
NOT_WRITTEN = "what is run cannot be written down now"
AGAIN = 5.0
HEARING = 2.0
KEPT_OF_A_TERMINAL = 64 * 1024 * 1024


class CannotRun(Exception):
    """The command was not sent; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A command of a runbook with where it stands there.

    host: where it is to run whatever is chosen; empty where that says nothing.
    """

    runbook: Runbook
    section: Section
    step: Step
    command: Command
    host: str = ""

    @property
    def raised(self) -> bool:
        """Whether its author says that it does more harm than can be read off it."""
        from cockpit.runbook.shell import judge

        return self.command.risk.above(judge(self.command.text).risk)

    @property
    def ref(self) -> e.StepRef:
        return e.StepRef(self.runbook.path, self.step.id)


@dataclass(frozen=True, slots=True)
class InTerminal:
    """A command that has begun in a pseudo-terminal, for somebody to put a real one before it.

    keep: is to be given all that comes back.
    """

    command: str
    target: Target
    terminal: Terminal
    keep: Callable[[bytes], None]


Hand = Callable[[InTerminal], "Awaitable[End]"]


class Runs:
    """The runs of one incident, on whatever targets they are."""

    def __init__(self, log: Logbook, target_of: Callable[[str], Target]) -> None:
        self._log = log
        self._target_of = target_of
        self._places: dict[str, job.Place] = {}
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._given_up: set[str] = set()
        self._spent: set[int] = set()
        self._taken_up: dict[str, float] = {}
        self.troubles: dict[str, str] = {}

    async def start(
        self,
        leave: guard.Pass,
        chosen: Chosen | None = None,
        *,
        timeout_s: int = 0,
        rollout: str = "",
    ) -> str:
        """Sends a command that passed the gate; returns the id of its job.

        timeout_s: after so many seconds its host ends it; 0 is as its author says, or never.
        rollout: the one that it belongs to. The intent is on disk before anything is sent. Raises
        CannotRun when nothing was sent.
        """
        from cockpit.target import job
        from cockpit.target.session import Carry

        log = self._log
        target = self._spend(leave)
        ref = chosen.ref if chosen else None
        id = job.new_id()
        turn = leave.turn
        try:
            place = await self._place(target)
            order = job.order(
                leave,
                id,
                workdir=leave.workdir,
                timeout_s=timeout_s or (chosen.command.timeout_s if chosen else 0),
                carry=Carry(turn.reads, f"{place.root}/jobs/{id}", turn.keeps) if turn else None,
            )
        except (LinkLost, LinkDown, OSError, job.NoPlace, job.Unsendable) as error:
            raise self._refused(leave, ref, error, rollout) from error
        await self._request(id, leave, target, chosen, place, rollout)
        self._attend(log.incident.runs[id], place, order)
        return id

    async def _request(
        self,
        id: str,
        leave: guard.Pass,
        target: Target,
        chosen: Chosen | None,
        place: job.Place | None,
        rollout: str = "",
    ) -> Output:
        """Writes down that a command is about to be sent, on disk; returns what takes its output.

        place: where its job will live; None for one in the responder's own terminal.
        """
        log = self._log
        output = log.outputs[id] = log.new_output(_title(log.clean(leave.command)))
        turn = leave.turn if place else None
        record = log.append(
            e.CommandRequested(
                job=id,
                host=leave.host,
                command=log.clean(leave.command),
                risk=leave.risk,
                gate=leave.how,
                root=place.root if place else "",
                boot=place.boot if place else "",
                mark=place.mark if place else "",
                step=chosen.ref if chosen else None,
                command_id=chosen.command.id if chosen else "",
                phase=chosen.command.phase if chosen else "",
                user=target.user,
                workdir=leave.workdir,
                reason=log.clean(leave.reason),
                evidence=output.evidence.name if output.evidence else "",
                after=turn.after if turn else "",
                keeps=turn is not None and turn.keeps,
                terminal=place is None,
                rollout=rollout,
            )
        )
        saved = await log.saved_up_to(record)
        if not saved and not leave.unsaved and leave.risk != "read":
            log.append(_nothing_ran(id, NOT_WRITTEN))
            raise CannotRun(f"Nothing was sent: {NOT_WRITTEN}. Once more, and the gate asks.")
        # What is not on disk is never sent again, since nobody will know its id.
        return output

    async def in_terminal(
        self,
        leave: guard.Pass,
        hand: Hand,
        chosen: Chosen | None = None,
        *,
        term: str,
        size: tuple[int, int],
    ) -> str:
        """Runs a command that passed the gate in the responder's own terminal, until it ends.

        hand: has somebody work with it, and tells how it ended. The intent is on disk before
        anything is sent, all that was shown is kept. Raises CannotRun when nothing was run.
        """
        from cockpit.target import job, terminal
        from cockpit.target.session import Carry

        log = self._log
        target = self._spend(leave)
        ref = chosen.ref if chosen else None
        id = job.new_id()
        # It finds what those before it left. What it leaves itself, nobody could ask for later.
        carry = Carry(leave.turn.reads, "/dev/null", False) if leave.turn else None
        try:
            order = job.order(leave, id, workdir=leave.workdir, carry=carry)
            await self._reach(target)
        except (LinkLost, LinkDown, OSError, job.Unsendable) as error:
            raise self._refused(leave, ref, error) from error
        output = await self._request(id, leave, target, chosen, None)
        try:
            opened = await terminal.start(target, order, term=term, size=size)
        except OSError as error:
            log.append(_nothing_ran(id))
            raise CannotRun(f"Nothing was run. {error}") from error
        except (LinkLost, LinkDown) as error:
            self._not_known(id, f"the link was lost while it was sent ({error})")
            return id
        log.append(e.CommandClaimed(job=id))
        try:
            end = await hand(InTerminal(leave.command, target, opened, _kept(output)))
        except asyncio.CancelledError:
            self._not_known(id, "cockpit was ended while the terminal was open")
            raise
        except Exception as error:
            self._not_known(id, f"cockpit failed while the terminal was open ({error})")
            raise
        finally:
            opened.close()
        await self._put_down(id, end)
        return id

    async def _put_down(self, id: str, end: End) -> None:
        """How a command in a terminal ended, and what it left to read."""
        output = self._log.outputs[id]
        received = output.offset
        await asyncio.to_thread(output.settle)
        left = clean(output.reads()[-8192:]).rstrip("\n").split("\n")[-TAIL_LINES:]
        if end.how in ("lost", "gone"):
            took = duration(end.seconds)
            what = "the link was lost" if end.how == "lost" else "this terminal was closed"
            self._not_known(id, f"{what} after {took}, with the program still open")
            return
        self._log.append(
            e.CommandFinished(
                job=id,
                exit_status=end.exit_status,
                how=end.how,
                seconds=round(end.seconds, 3),
                size=received,
                truncated=received > KEPT_OF_A_TERMINAL,
                tail=self._log.clean("\n".join(left)),
            )
        )

    def _not_known(self, id: str, why: str) -> None:
        self._log.append(e.CommandUnknown(job=id, why=self._log.clean(why)))

    def _spend(self, leave: guard.Pass) -> Target:
        """Takes the pass, which is good for one run; returns where it is for."""
        if leave.number in self._spent:
            raise CannotRun("This was run already; the gate opens once for each run.")
        self._spent.add(leave.number)
        return self._target_of(leave.host)

    def _refused(
        self, leave: guard.Pass, ref: e.StepRef | None, error: Exception, rollout: str = ""
    ) -> CannotRun:
        """Writes down that nothing was sent, and why."""
        log = self._log
        why = f"Nothing was sent. {str(error) or f'{leave.host} does not answer in time.'}"
        command = log.clean(leave.command)
        log.append(
            e.CommandRefused(
                command=command, host=leave.host, why=log.clean(why), step=ref, rollout=rollout
            )
        )
        return CannotRun(why)

    def follow(self, run: Run) -> None:
        """Asks the host about a run, and attends to it; never sends it again."""
        self._taken_up[run.job] = time.monotonic()
        if run.asked.terminal:
            # It ended with the cockpit that had it open: no host can be asked about it.
            self._not_known(run.job, "cockpit ended while the terminal was open")
            return
        self._attend(run, place_of(run), None)
        if run.state is RunState.STOPPING:
            self._end(run)

    async def stop(self, id: str) -> None:
        """Ends a run with its whole process group, gently first.

        The wish is on disk at once and is kept: over a lost link, a link that is down, and the end
        of cockpit. Returns when the host has answered, or cannot be asked for now.
        """
        run = self._log.incident.runs[id]
        if run.over or run.asked.terminal:
            return
        if run.state is not RunState.STOPPING:
            self._log.append(e.StopRequested(job=id))
        await asyncio.shield(self._end(run))

    def _end(self, run: Run) -> asyncio.Task[None]:
        """The one task that has the host stop a run."""
        at_it = self._stopping.get(run.job)
        if at_it is not None and not at_it.done():
            return at_it
        task = asyncio.get_running_loop().create_task(self._have_stopped(run), name="stop")
        self._stopping[run.job] = task
        return task

    async def _have_stopped(self, run: Run) -> None:
        from cockpit.target import job

        target = self._target_of(run.asked.host)
        try:
            stopped = await job.stop(target, place_of(run), job.JobId(run.job))
        except (LinkLost, LinkDown, OSError):
            # It runs on as far as anyone knows, and is stopped when its host can be reached again.
            self._given_up.add(run.job)
            return
        self._log.append(e.CommandStopped(job=run.job, how=stopped.how, left=stopped.left))

    def link_changed(self, target: Target, link: Link) -> None:
        """A host that was lost may have been restarted; one that is back is asked again."""
        if not link.state.usable:
            self._places.pop(target.name, None)
        else:
            for run in self._log.incident.running():
                if run.asked.host == target.name and run.job in self._given_up:
                    self.follow(run)

    async def close(self) -> None:
        """Attends to nothing any more; the runs go on on their hosts."""
        tasks = [*self._attending.values(), *self._stopping.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _place(self, target: Target) -> job.Place:
        """Where jobs live on a host: asked once a connection, where the journal says if it can."""
        from cockpit.target import job

        known = self._places.get(target.name)
        if known is not None:
            return known
        runs = reversed(tuple(self._log.incident.runs.values()))
        roots = (run.asked.root for run in runs if run.asked.host == target.name)
        pinned = next((root for root in roots if root), None)
        async with asyncio.timeout(HOST_PATIENCE):
            await self._reach(target)
            place = await job.hello(target, pinned)
        self._places[target.name] = place
        if abs(place.skew) > SKEW:
            self._note_skew(target.name, place.skew)
        return place

    def _note_skew(self, host: str, seconds: float) -> None:
        """Says once that times in a host's output and logs are not those of the timeline."""
        entries = (entry.record.event for entry in self._log.incident.entries)
        if not any(isinstance(event, e.ClockSkewed) and event.host == host for event in entries):
            self._log.append(e.ClockSkewed(host=host, seconds=round(seconds)))

    async def _reach(self, target: Target) -> None:
        """Until a host that is being connected to can be sent to. Raises LinkLost, LinkDown."""
        if target.link.state.gone:
            raise LinkLost(target.link.reason)
        async with asyncio.timeout(HOST_PATIENCE):
            await target.ready()

    def _attend(self, run: Run, place: job.Place, order: job.Order | None) -> None:
        work = self._write_down(run, place, order)
        task = asyncio.get_running_loop().create_task(work, name=f"run {run.job}")
        self._attending[run.job] = task
        self._given_up.discard(run.job)
        task.add_done_callback(lambda done: self._let_go(run.job, done))

    def _let_go(self, id: str, task: asyncio.Task[None]) -> None:
        if self._attending.get(id) is task:
            del self._attending[id]

    async def _write_down(self, run: Run, place: job.Place, order: job.Order | None) -> None:
        """What the host tells of a run, until it is over or the host is out of reach for good."""
        from cockpit.target import job

        log, output = self._log, self._log.outputs[run.job]
        claimed = run.claimed
        start = time.monotonic()
        told = job.follow(
            self._target_of(run.asked.host),
            place,
            job.JobId(run.job),
            order=order,
            claimed=claimed,
            offset=output.offset,
        )
        try:
            async with contextlib.aclosing(told):
                async for news in told:
                    match news:
                        case job.Claimed():
                            log.append(e.CommandClaimed(job=run.job))
                        case job.Output(data=data):
                            output.add(data)
                            log.changed()
                        case job.Unknown(why=why):
                            # What is known of the host may be of another life of it.
                            self._places.pop(run.asked.host, None)
                            self._hand_on(run, None)
                            log.append(e.CommandUnknown(job=run.job, why=log.clean(why)))
                        case job.Ended() as end:
                            await asyncio.to_thread(output.settle)
                            took = time.monotonic() - start if order else 0.0
                            if end.how != "never started":
                                self._hand_on(run, end.left)
                            log.append(self._finished(run, end, took))
        except LinkDown:
            self._given_up.add(run.job)
        except Exception as error:
            # Whatever it is, such as no free process here: the run goes on, so ask again later.
            self.troubles[run.job] = (
                f"Cannot follow {run.asked.command.strip()[:40]} ({error}); trying again."
            )
            log.changed()
            await asyncio.sleep(AGAIN)
            self.follow(log.incident.runs[run.job])
        else:
            self.troubles.pop(run.job, None)

    def _hand_on(self, run: Run, left: Kept | Lost | None) -> None:
        """Writes down what a run left for the next command of its runbook on its host.

        Before it is written that the run is over: what is over is not asked about again.
        """
        from cockpit.target.session import Kept, Lost, changes, state_file

        asked = run.asked
        if asked.step is None:
            return
        log, book, host = self._log, asked.step.runbook, asked.host
        now = log.incident.session(book, host)

        def lost(why: str, fresh: bool = False) -> None:
            why = log.clean(why)
            log.append(e.SessionLost(job=run.job, host=host, runbook=book, why=why, fresh=fresh))

        if isinstance(left, Lost) and left.not_run:
            lost(f"{left.why} The next command starts afresh: run those again that it needs.", True)
        elif not asked.keeps or now.job == run.job:
            return
        elif isinstance(left, Kept) and now.job == asked.after:
            log.append(
                e.SessionKept(
                    job=run.job,
                    host=host,
                    runbook=book,
                    state=state_file(f"{asked.root}/jobs/{run.job}"),
                    directory=log.clean(left.directory),
                    variables=tuple(log.clean(name) for name in left.variables),
                )
            )
        elif changes(asked.command):
            why = "it was ended before it could be kept."
            if isinstance(left, Lost):
                why = left.why
            elif isinstance(left, Kept):
                why = "another command of the runbook ran meanwhile."
            lost(f"What `{beginning(asked.command)}` set is not there: {why}")

    async def heard(self, runbook: str, host: str) -> None:
        """Waits until the runs of a runbook on a host that were taken up again are over, or not."""
        until = time.monotonic() + HEARING
        while time.monotonic() < until and any(
            run.asked.keeps
            and run.asked.step is not None
            and (run.asked.step.runbook, run.asked.host) == (runbook, host)
            and time.monotonic() - self._taken_up.get(run.job, -HEARING) < HEARING
            for run in self._log.incident.running()
        ):
            await asyncio.sleep(0.02)

    def _finished(self, run: Run, end: job.Ended, watched: float) -> e.CommandFinished:
        """watched: seconds it was seen to run, for a host that does not say it."""
        newest = self._log.outputs[run.job].newest
        lines = clean(newest[-8192:]).rstrip("\n").split("\n")[-TAIL_LINES:]
        seconds = watched if end.seconds is None else end.seconds
        return e.CommandFinished(
            job=run.job,
            exit_status=end.exit_status,
            how=end.how,
            seconds=round(seconds, 3),
            size=end.size,
            truncated=end.truncated,
            tail=self._log.clean("\n".join(lines)),
            why=self._log.clean(end.why),
        )


def _kept(output: Output) -> Callable[[bytes], None]:
    """Keeps what a terminal showed, as far as a job's output would be."""

    def keep(data: bytes) -> None:
        if output.offset <= KEPT_OF_A_TERMINAL:
            output.add(data)

    return keep


def _nothing_ran(id: str, why: str = "") -> e.CommandFinished:
    how = "never started"
    return e.CommandFinished(job=id, exit_status=None, how=how, seconds=0.0, size=0, why=why)


def _title(command: str) -> str:
    """The plain words that a command begins with: a file name must not tell a secret."""
    words = []
    for word in command.split()[:4]:
        if not re.fullmatch(r"[a-z][a-z0-9.-]{0,30}", word):
            break
        words.append(word)
    return " ".join(words) or "command"


def place_of(run: Run) -> job.Place:
    """Where the journal says that a run lives: enough to ask for it, not to start another."""
    from cockpit.target import job

    asked = run.asked
    return job.Place(root=asked.root, boot=asked.boot, mark=asked.mark, uid=-1, interp="sh")
