"""What a responder can do: each verb appends events, and nothing else changes the incident."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit import __version__
from cockpit.config import Config
from cockpit.incident import events as e
from cockpit.incident import journal as jn
from cockpit.incident.evidence import Evidence
from cockpit.incident.incident import Incident, Mark, Run, RunState, apply, fold
from cockpit.incident.markdown_file import replace_file, write_markdown
from cockpit.incident.output import Output, excerpt
from cockpit.incident.report import report
from cockpit.runbook.model import Command, Phase, Runbook, Section, Step, Waits
from cockpit.target import guard, hosts
from cockpit.target.target import Link, LinkDown, LinkLost, LinkState, Target
from cockpit.text import Redactor, Safe, clean

if TYPE_CHECKING:
    from cockpit.containers.engine import Engine
    from cockpit.containers.watch import Watch
    from cockpit.target import job

MARKDOWN_PAUSE = 0.5
READ_PAUSE = 0.5
LOCK_PATIENCE = 0.5
EVIDENCE_PATIENCE = 20.0
TAIL_LINES = 5
RECOVERS = (Phase.RECOVERY, Phase.ROLLBACK)


class CannotRun(Exception):
    """The command was not sent; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A command of a runbook with where it stands there."""

    runbook: Runbook
    section: Section
    step: Step
    command: Command

    @property
    def ref(self) -> e.StepRef:
        return e.StepRef(self.runbook.path, self.step.id)


class Responder:
    """One responder at one incident.

    Lives on one event loop. `incident` is the fold of all that was appended, saved or not;
    `unsaved` says how many of it are not on disk yet. Without a journal (nothing has happened yet)
    the first verb that matters makes one. `changed` is called on the loop after every change.
    """

    def __init__(self, home: Path, who: str, config: Config, *, training: bool = False) -> None:
        self.home = home
        self.who = who
        self.config = config
        self.training = training
        self.incident = Incident()
        self.runbook: Runbook | None = None
        self.target: Target = hosts.target("", config)
        self.engine: Engine | None = None
        self.watch: Watch | None = None
        self.outputs: dict[str, Output] = {}
        self.changed: Callable[[], None] = lambda: None
        self.markdown_trouble = ""
        self.reading = ""
        self._journal: jn.Journal | None = None
        self._follower: jn.Follower | None = None
        self._targets: dict[str, Target] = {self.target.name: self.target}
        self._places: dict[str, job.Place] = {}
        self._follows: dict[str, asyncio.Task[None]] = {}
        self._given_up: set[str] = set()
        self._left = False
        self._markdown_due: asyncio.TimerHandle | None = None
        self._markdown_lock = asyncio.Lock()
        self._redact: Redactor | None = None
        self._links: dict[str, LinkState] = {}
        self._background: set[asyncio.Task[object]] = set()

    # The journal

    @property
    def folder(self) -> Path | None:
        """Where this incident is kept; None while nothing has happened."""
        return self._journal.folder if self._journal else None

    @property
    def unsaved(self) -> int:
        """How many events are not on disk yet."""
        return self._journal.unsaved if self._journal else 0

    @property
    def trouble(self) -> str:
        """What is wrong with keeping things, in a sentence; empty when all is well."""
        parts = [self._journal.trouble if self._journal else "", self.markdown_trouble]
        parts += [output.trouble for output in self.outputs.values() if output.trouble]
        return " ".join(part for part in parts if part)

    def take_up(self, folder: Path) -> None:
        """Goes on with an incident that is on disk; runs that were going on are asked about.

        Raises journal.Busy when another cockpit has it open.
        """
        self._journal = _opened_journal(folder, self.who)
        self.incident = fold(self._journal.records)
        self.training = self.incident.training
        self._listen()
        for run in self.incident.runs.values():
            self.outputs[run.job] = self._output(run.asked.evidence)
        self._append(e.CockpitOpened(version=__version__, resumed=True))
        self.choose_host(self.incident.host)

    def read_along(self, folder: Path) -> None:
        """Shows an incident that another cockpit has open, live; nothing can be done to it here."""
        self._follower = jn.Follower(folder)
        self.reading = (
            "Another cockpit has this incident open; this one shows it and cannot change it."
        )
        self._read_more()
        self._in_background(self._keep_reading())

    async def _keep_reading(self) -> None:
        while True:
            await asyncio.sleep(READ_PAUSE)
            self._read_more()

    def _read_more(self) -> None:
        assert self._follower is not None
        fresh = self._follower.poll()
        if fresh:
            self.incident = fold(fresh, self.incident)
            self.training = self.incident.training
            self.changed()

    def reattach(self) -> None:
        """Asks the hosts about every run that is not known to be over."""
        for run in self.incident.running():
            self._follow(run, None)

    def _begin(self) -> jn.Journal:
        """The journal, begun with the first thing that happens. Raises guard.Refused for a reader."""
        if self.reading:
            raise guard.Refused(self.reading)
        if self._journal is None:
            title = self.runbook.title if self.runbook else ""
            slug = title or "incident"
            self._journal = jn.Journal.create(self.home, slug=slug, who=self.who)
            self.incident = fold(self._journal.records)
            self._listen()
            self._append(e.IncidentStarted(training=self.training))
            self._append(e.HostChosen(host=self.target.name))
            if self.runbook:
                self._append(_opened(self.runbook))
        return self._journal

    def _listen(self) -> None:
        assert self._journal is not None
        loop = asyncio.get_running_loop()

        def saved(_seq: int) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._saved)

        self._journal.on_saved = saved
        self._journal.on_trouble = lambda trouble: saved(0)
        self._redact = Redactor(self.incident.salt.encode())

    def _saved(self) -> None:
        self.changed()
        if self._markdown_due is None:
            loop = asyncio.get_running_loop()
            self._markdown_due = loop.call_later(MARKDOWN_PAUSE, self._write_markdown)

    def _append(self, event: e.Event) -> e.Record:
        record = self._begin().append(event)
        self.incident = apply(self.incident, record)
        self.changed()
        return record

    def _clean(self, text: str) -> str:
        """A person's or a machine's text as it may be written: cleaned and redacted."""
        self._begin()
        assert self._redact is not None
        return str(self._redact(clean(text.strip())))

    # The incident

    def declare(self, title: str, severity: e.Severity, service: str = "") -> None:
        """Says what it is and how bad; a later call corrects it."""
        self._append(
            e.IncidentDeclared(
                title=self._clean(title), severity=severity, service=self._clean(service)
            )
        )

    def acknowledge(self) -> None:
        """Somebody has it: the first time counts."""
        self._append(e.IncidentAcknowledged())

    def change_severity(self, severity: e.Severity, reason: str = "") -> None:
        """Better or worse than thought."""
        self._append(e.SeverityChanged(severity=severity, reason=self._clean(reason)))

    def note(self, text: str, source: str = "") -> None:
        """Writes something down; source says where a quoted line comes from."""
        self._append(e.NoteAdded(text=self._clean(text), source=self._clean(source)))

    def escalate(self, who: str, reason: str = "") -> None:
        """Notes that somebody else was called."""
        self._append(e.EscalationNoted(who=self._clean(who), reason=self._clean(reason)))

    def update(self, text: str) -> None:
        """Notes what others were told."""
        self._append(e.UpdateSent(text=self._clean(text)))

    def mitigate(self, note: str = "") -> None:
        """Users are no longer hurt."""
        self._append(e.IncidentMitigated(note=self._clean(note)))

    @property
    def needs_reason_to_resolve(self) -> bool:
        """Something was changed and no verification has passed since."""
        return bool(self.incident.last_change) and not self.incident.verified

    def resolve(self, cause: str, fix: str, follow_up: str = "", unverified: str = "") -> None:
        """Ends the incident. Raises guard.Refused when it is not verified and no reason is given."""
        if self.needs_reason_to_resolve and not unverified.strip():
            raise guard.Refused(
                "No verification has passed since the last change. Verify, or say why not."
            )
        self._append(
            e.IncidentResolved(
                cause=self._clean(cause),
                fix=self._clean(fix),
                follow_up=self._clean(follow_up),
                unverified=self._clean(unverified),
            )
        )

    def reopen(self, reason: str) -> None:
        """It was not over."""
        self._append(e.IncidentReopened(reason=self._clean(reason)))

    def correct_time(self, seq: int, at: datetime, reason: str = "") -> None:
        """Says when entry `seq` really happened (UTC); what was recorded is kept."""
        self._append(e.TimeCorrected(seq=seq, at=at, reason=self._clean(reason)))

    # The runbook

    def open_runbook(self, runbook: Runbook) -> None:
        """Follows this runbook from now on."""
        self.runbook = runbook
        before = self.incident.runbook
        if self._journal and (before is None or before.sha256 != runbook.sha256):
            self._append(_opened(runbook))
        self.changed()

    def done(self, step: Step) -> None:
        """Ticks a step."""
        self._append(
            e.StepDone(step=self._ref(step), title=self._clean(step.title), phase=step.phase)
        )

    def undo(self, step: Step) -> None:
        """Takes back the tick, skip or failure of a step."""
        self._append(e.StepReopened(step=self._ref(step), title=self._clean(step.title)))

    def skip(self, step: Step, reason: str) -> None:
        """Passes a step over, and says why."""
        self._append(
            e.StepSkipped(
                step=self._ref(step), title=self._clean(step.title), reason=self._clean(reason)
            )
        )

    def fail(self, step: Step, reason: str = "") -> None:
        """The step did not do what it should."""
        self._append(
            e.StepFailed(
                step=self._ref(step),
                title=self._clean(step.title),
                reason=self._clean(reason),
                phase=step.phase,
            )
        )

    def mark_of(self, step: Step) -> Mark | None:
        """What became of a step; None while nothing has."""
        state = self.incident.steps.get(self._ref(step))
        return state.mark if state else None

    def _ref(self, step: Step) -> e.StepRef:
        assert self.runbook is not None
        return e.StepRef(self.runbook.path, step.id)

    # Where commands run

    def choose_host(self, name: str) -> Target:
        """Has commands run on that host from now on, and begins to connect."""
        self.target = self._target(name)
        self._observe()
        if self._journal and self.incident.host != self.target.name:
            self._append(e.HostChosen(host=self.target.name))
        self.changed()
        return self.target

    def _observe(self) -> None:
        """Watches the containers of the chosen host, and no others."""
        from cockpit.containers.engine import Engine
        from cockpit.containers.watch import Watch

        for old in (self.watch, self.engine):
            if old is not None:
                self._in_background(old.close())
        host = self.config.hosts.get(self.target.name)
        self.engine = Engine(self.target, host.docker if host else "")
        self.watch = Watch(self.engine, on_change=lambda: self.changed())
        self.watch.start()

    def _target(self, name: str) -> Target:
        name = name or hosts.THIS_MACHINE
        if name not in self._targets:
            target = hosts.target(name, self.config)
            target.watch(lambda link: self._link_changed(target, link))
            self._targets[name] = target
            self._in_background(target.open())
        return self._targets[name]

    def _link_changed(self, target: Target, link: Link) -> None:
        known = self._links.get(target.name, LinkState.CONNECTING)
        if link.state in (LinkState.DEGRADED, LinkState.CONNECTING):
            self.changed()
            return
        self._links[target.name] = link.state
        if self._journal and link.state is not known:
            first = known is LinkState.CONNECTING and link.state is LinkState.UP
            if not first:
                self._append(
                    e.LinkChanged(
                        host=target.name, state=link.state, reason=self._clean(link.reason)
                    )
                )
        if link.state is LinkState.UP:
            for run in self.incident.running():
                if run.asked.host == target.name and run.job in self._given_up:
                    self._follow(run, None)
        self.changed()

    # Commands

    def intent(
        self, command: str, chosen: Chosen | None = None, *, stale: str = ""
    ) -> guard.Intent:
        """What the guard must know about a command before it runs on the chosen host.

        Raises CannotRun for one that needs a terminal of its own.
        """
        from cockpit.runbook.shell import judge

        verdict = judge(command)
        if verdict.waits not in (None, Waits.STREAM):
            raise CannotRun(
                f"This command waits for a person ({verdict.waits}) and needs a terminal of its own. "
                "y copies it: run it in another terminal, then space ticks the step."
            )
        phase = chosen.command.phase if chosen else None
        return guard.Intent(
            command=command,
            host=self.target.name,
            risk=verdict.risk,
            because=verdict.because,
            user=self.target.user,
            workdir=self.target.workdir,
            names=verdict.containers,
            skipped_diagnosis=phase in RECOVERS and not self.incident.diagnosed,
            stale=stale,
        )

    async def run(self, leave: guard.Pass, chosen: Chosen | None = None) -> str:
        """Runs a command that passed the gate, once; returns the id of its job.

        The intent is on disk before anything is sent. Raises CannotRun when nothing was sent.
        """
        from cockpit.target import job

        target = self._target(leave.host)
        ref = chosen.ref if chosen else None
        try:
            place = await self._place(target)
        except (LinkLost, LinkDown, OSError, job.NoPlace) as error:
            why = f"{leave.host} cannot be reached: {error} Nothing was sent."
            self._append(
                e.CommandRefused(
                    command=self._clean(leave.command),
                    host=leave.host,
                    why=self._clean(why),
                    step=ref,
                )
            )
            raise CannotRun(why) from error
        id = job.new_id()
        order = job.order(leave, id, workdir=target.workdir)
        output = self.outputs[id] = self._new_output(leave.command)
        record = self._append(
            e.CommandRequested(
                job=id,
                host=leave.host,
                command=self._clean(leave.command),
                risk=leave.risk,
                gate=leave.how,
                root=place.root,
                boot=place.boot,
                mark=place.mark,
                step=ref,
                command_id=chosen.command.id if chosen else "",
                phase=chosen.command.phase if chosen else "",
                user=target.user,
                workdir=target.workdir,
                reason=self._clean(leave.reason),
                evidence=output.evidence.name if output.evidence else "",
            )
        )
        # Not on disk in time (a full disk): the banner says so, and the incident goes on. The id
        # that is not on disk is never sent again, since nobody will know it.
        await self._begin().saved_up_to(record.seq)
        self._follow(self.incident.runs[id], order)
        return id

    async def stop(self, id: str) -> None:
        """Ends a running command with its whole process group, gently first."""
        from cockpit.target import job

        run = self.incident.runs[id]
        if run.over:
            return
        self._append(e.StopRequested(job=id))
        target = self._target(run.asked.host)
        try:
            stopped = await job.stop(target, self._place_of(run), job.JobId(id))
        except (LinkLost, LinkDown, OSError, job.NoPlace) as error:
            self.note(f"Could not stop {run.asked.command.strip()}: {error}")
            return
        self._append(e.CommandStopped(job=id, how=stopped.how, left=stopped.left))

    async def _place(self, target: Target) -> job.Place:
        """The host's root directory for jobs: asked once a connection, pinned by the journal."""
        from cockpit.target import job

        pinned = next(
            (
                run.asked.root
                for run in reversed(tuple(self.incident.runs.values()))
                if run.asked.host == target.name
            ),
            None,
        )
        if target.link.state is not LinkState.UP and target.link.state is not LinkState.DEGRADED:
            if target.link.state is not LinkState.CONNECTING:
                raise LinkLost(target.link.reason)
            await asyncio.wait_for(target.ready(), 15)
        place = await asyncio.wait_for(job.hello(target, pinned), 15)
        self._places[target.name] = place
        return place

    @staticmethod
    def _place_of(run: Run) -> job.Place:
        """Where the journal says that a run lives: enough to ask for it, not to start another."""
        from cockpit.target import job

        asked = run.asked
        return job.Place(root=asked.root, boot=asked.boot, mark=asked.mark, uid=-1, interp="sh")

    def _follow(self, run: Run, order: job.Order | None) -> None:
        task = asyncio.get_running_loop().create_task(self._attend(run, order))
        self._follows[run.job] = task
        self._given_up.discard(run.job)
        task.add_done_callback(lambda _: self._follows.pop(run.job, None))

    async def _attend(self, run: Run, order: job.Order | None) -> None:
        """Writes down what the host tells of a run, until it is over or the host is out of reach."""
        from cockpit.target import job

        target = self._target(run.asked.host)
        output = self.outputs[run.job]
        place = self._places[target.name] if order else self._place_of(run)
        claimed = run.state is not RunState.REQUESTED
        start = time.monotonic()
        try:
            told = job.follow(
                target,
                place,
                job.JobId(run.job),
                order=order,
                claimed=claimed,
                offset=output.offset,
            )
            async with contextlib.aclosing(told):
                async for news in told:
                    match news:
                        case job.Claimed():
                            self._append(e.CommandClaimed(job=run.job))
                        case job.Output(data=data):
                            output.add(data)
                            self.changed()
                        case job.Unknown(why=why):
                            self._append(e.CommandUnknown(job=run.job, why=self._clean(why)))
                        case job.Ended() as end:
                            await asyncio.to_thread(output.settle)
                            watched = time.monotonic() - start if order else None
                            self._append(self._finished(run, end, watched))
        except LinkDown:
            self._given_up.add(run.job)

    def _finished(self, run: Run, end: job.Ended, watched: float | None) -> e.CommandFinished:
        """watched: seconds it was seen to run; None after a restart, when the clocks must do."""
        output = self.outputs[run.job]
        lines = clean(output.newest[-8192:]).rstrip("\n").split("\n")[-TAIL_LINES:]
        seconds = watched if watched is not None else 0.0
        if watched is None and end.ended_at is not None:
            seconds = max(0.0, end.ended_at - run.at.timestamp())
        return e.CommandFinished(
            job=run.job,
            exit_status=end.exit_status,
            how=end.how,
            seconds=round(seconds, 3),
            size=end.size,
            truncated=end.truncated,
            tail=self._clean("\n".join(lines)),
        )

    # Evidence

    def _evidence(self, name: str) -> Path | None:
        return self.folder / name if self.folder and name else None

    def _new_output(self, command: str) -> Output:
        try:
            return Output(Evidence.create(self._begin().folder, command))
        except OSError as error:
            return Output(None, f"Output is kept in memory only ({error.strerror or error}).")

    def _output(self, name: str) -> Output:
        """The output of an earlier run, as far as it is on disk."""
        try:
            if self.folder and name:
                return Output(Evidence.reopen(self.folder, name))
        except (OSError, ValueError) as error:
            return Output(None, f"{name} cannot be read ({error}).")
        return Output(None)

    async def save_evidence(self, containers: Iterable[str]) -> str:
        """Saves logs and inspect output of containers before they are changed.

        Returns what was saved and what could not be, in a sentence; never raises.
        """
        from cockpit.containers import logs
        from cockpit.containers.engine import EngineTrouble

        said = []
        for name in await self._matching(containers):
            what = f"logs of {name}"
            try:
                if self.engine is None:
                    raise OSError("no Docker engine answers on this host")
                with Evidence.create(self._begin().folder, f"logs-{name}") as kept:
                    async with asyncio.timeout(EVIDENCE_PATIENCE):
                        await logs.save_logs(self.engine, name, kept.append)
            except (EngineTrouble, LinkLost, LinkDown, OSError, TimeoutError) as error:
                why = str(error) or "it took too long"
                self._append(
                    e.EvidenceMissed(
                        what=what, why=self._clean(why), host=self.target.name, container=name
                    )
                )
                said.append(f"{what} could not be saved: {why}")
            else:
                self._append(
                    e.EvidenceSaved(
                        what=what,
                        file=kept.name,
                        size=kept.size,
                        host=self.target.name,
                        container=name,
                    )
                )
                said.append(f"{what} saved to {kept.name}")
        return ". ".join(said)

    async def _matching(self, wanted: Iterable[str]) -> list[str]:
        """Container names for what a command names: containers, Compose services, or `*` for all."""
        names = list(wanted)
        if not names or self.engine is None:
            return [name for name in names if name != "*"]
        from cockpit.containers.engine import EngineTrouble

        try:
            rows = await self.engine.named(names)
        except (EngineTrouble, LinkLost, OSError):
            return [name for name in names if name != "*"]
        return rows

    # Markdown

    def markdown(self) -> str:
        """The incident log as it stands."""
        return report(self.incident, self._output_of, trouble=self.trouble)

    def _output_of(self, run: Run) -> bytes:
        path = self._evidence(run.asked.evidence)
        held = excerpt(path) if path else b""
        output = self.outputs.get(run.job)
        return held or (output.newest if output else b"")

    def output_text(self, job: str) -> Safe:
        """The output of a run as far as it is held, for the screen."""
        run = self.incident.runs.get(job)
        return clean(self._output_of(run)) if run else Safe("")

    def _write_markdown(self) -> None:
        self._markdown_due = None
        self._in_background(self._markdown_now())

    async def _markdown_now(self) -> None:
        async with self._markdown_lock:
            if self.folder:
                text = await asyncio.to_thread(self.markdown)
                self.markdown_trouble = await asyncio.to_thread(write_markdown, self.folder, text)
        self.changed()

    async def save_markdown(self, path: Path) -> str:
        """Writes the incident log to a file of the responder's choice; returns trouble or nothing."""
        text = await asyncio.to_thread(self.markdown)
        trouble = await asyncio.to_thread(replace_file, path, text)
        if not trouble:
            self._append(e.MarkdownSaved(path=self._clean(str(path))))
        return trouble

    # Leaving

    async def close(self) -> int:
        """Leaves: commands go on on their hosts. Returns the number of events not on disk.

        May be called again; then it only returns that number.
        """
        if self._left:
            return self.unsaved
        self._left = True
        if self._journal:
            self._append(e.CockpitClosed(running=len(self.incident.running())))
        for task in [*self._follows.values(), *self._background]:
            task.cancel()
        await asyncio.gather(*self._follows.values(), *self._background, return_exceptions=True)
        for watched in (self.watch, self.engine):
            if watched is not None:
                await watched.close()
        for target in self._targets.values():
            try:
                async with asyncio.timeout(2):
                    await target.close()
            except (OSError, TimeoutError, LinkLost, LinkDown):
                continue
        if self._markdown_due:
            self._markdown_due.cancel()
        if self._journal is None:
            return 0
        await self._markdown_now()
        return await asyncio.to_thread(self._journal.close)

    def _in_background(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _opened_journal(folder: Path, who: str) -> jn.Journal:
    """Opens the journal; the lock of a cockpit that was just killed is waited out.

    A shell that it was about to start holds the lock with it until it has started.
    """
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return jn.Journal.open(folder, who=who)
        except jn.Busy:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _opened(runbook: Runbook) -> e.RunbookOpened:
    return e.RunbookOpened(path=runbook.path, title=str(runbook.title), sha256=runbook.sha256)
