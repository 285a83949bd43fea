"""Stays with a command on a host: prints its output, acts on signals, says how it ended."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from cockpit.headless import plainly
from cockpit.incident import events as e
from cockpit.incident.incident import Run, RunState
from cockpit.incident.timeline import beginning, line
from cockpit.live import Printer, say
from cockpit.responder import Responder
from cockpit.target.target import Link, LinkState, Target
from cockpit.words import duration

FAILED: Final = 125
TIMED_OUT: Final = 124
REFUSED: Final = 126
NO_READER: Final = 128 + signal.SIGPIPE
CHUNK: Final = 256 * 1024
LATE: Final = 15.0
"""Seconds after its time limit in which the host ends a command and says so."""
STOPPED_SOON: Final = 20.0
"""Seconds in which the host answers what it took to stop a command that is over: some of its
processes may have outlived it, and have five to end by themselves."""

T = TypeVar("T")


class Stop(Exception):
    """It ends here, with this exit status; the message, if any, is for the person."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


class Signals:
    """What the person, or the system, has told this cockpit: counted, and acted on elsewhere.

    interrupts: how often ctrl+c was pressed. told: the signal that ends it, empty where none came.
    """

    def __init__(self) -> None:
        self.interrupts = 0
        self.told = ""
        self.woken: Callable[[], None] = lambda: None
        self._first = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # What is ignored from the start stays so: nohup, or the background of a script.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._came, number)

    @property
    def leave(self) -> bool:
        """Whether it is to end now, whatever still runs."""
        return self.interrupts > 1 or bool(self.told)

    def _came(self, number: signal.Signals) -> None:
        if number == signal.SIGINT:
            self.interrupts += 1
        else:
            self.told = number.name
        self._first.set()
        self.woken()

    async def unless_told(self, work: Coroutine[Any, Any, T], otherwise: str) -> T:
        """The result of work that ends at the first signal. Raises Stop then, which says why."""
        task = asyncio.create_task(work)
        told = asyncio.create_task(self._first.wait())
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait([task])
        raise Stop(FAILED, otherwise)


def how_to_reach(host: str, id: str) -> str:
    """The sentence for a command that is left to itself."""
    return (
        f"{host}: the command goes on there. Its output and end: cockpit job attach {id[:8]};"
        f" to end it: cockpit job stop {id[:8]}"
    )


def tell_link(target: Target) -> Callable[[], None]:
    """Says when the link goes and comes while a command runs there; returns how to stop that."""
    gone: list[float] = []

    def changed(link: Link) -> None:
        if link.state is LinkState.LOST and not gone:
            gone.append(link.since)
            say(f"{target.name}: link lost, the command goes on there; trying again")
        elif link.state.usable and gone:
            away = duration(time.monotonic() - gone.pop())
            say(f"{target.name}: the link is back after {away}")

    if target.link.state is LinkState.LOST:
        changed(target.link)
    return target.watch(changed)


class Copy:
    """The output of a run, printed as it comes, until the run is over.

    more: to be set where there may be more of it. whole: whether all of it could be had and given.
    """

    def __init__(
        self, responder: Responder, job: str, printer: Printer, done: Callable[[], None]
    ) -> None:
        self.more = asyncio.Event()
        self._responder = responder
        self._job = job
        self._printer = printer
        self._lost = False
        self.task = asyncio.create_task(self._all())
        self.task.add_done_callback(lambda _: done())

    @property
    def error(self) -> OSError | None:
        """Why no more of it can be printed."""
        if not self.task.done() or self.task.cancelled():
            return None
        error = self.task.exception()
        if error is not None and not isinstance(error, OSError):
            raise error
        return error

    @property
    def whole(self) -> bool:
        return self.error is None and not self._lost

    @property
    def trouble(self) -> str:
        """The error in a sentence."""
        error, file = self.error, self._file()
        kept = f"; it is kept in {file}" if file else ""
        return f"The output could not be written ({error and error.strerror}){kept}."

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    def _file(self) -> Path | None:
        folder = self._responder.folder
        name = self._responder.incident.runs[self._job].asked.evidence
        return folder / name if folder and name else None

    async def _all(self) -> None:
        output = self._responder.outputs[self._job]
        at = 0
        while True:
            self.more.clear()
            over = self._responder.incident.runs[self._job].over
            while at < output.offset:
                part = self._part(at)
                if not part:
                    self._lost = True
                    held = output.offset - len(output.newest)
                    say(f"{held - at} bytes of the output are lost. {output.trouble}")
                    at = held
                    continue
                await self._printer.write(part)
                at += len(part)
            if over:
                break
            await self.more.wait()
        await self._printer.finish()

    def _part(self, at: int) -> bytes:
        """Output from an offset on, from its file, else from memory; empty where neither has it."""
        file = self._file()
        if file is not None:
            try:
                with file.open("rb") as kept:
                    kept.seek(at)
                    part = kept.read(CHUNK)
            except OSError:
                part = b""
            if part:
                return part
        output = self._responder.outputs[self._job]
        held = output.offset - len(output.newest)
        return output.newest[at - held :] if at >= held else b""


class Attended:
    """A run that this cockpit stays with: its output is printed, signals are acted on."""

    def __init__(self, responder: Responder, job: str, signals: Signals, timeout_s: int) -> None:
        self._responder = responder
        self._job = job
        self._signals = signals
        self._timeout_s = timeout_s
        self._target = responder.target
        self._begun = time.monotonic()
        self._woken = asyncio.Event()
        self._copy = Copy(responder, job, Printer(), self._woken.set)
        self._stopping: asyncio.Task[None] | None = None
        self._troubles: set[str] = set()
        signals.woken = responder.changed = self._wake

    @property
    def run(self) -> Run:
        return self._responder.incident.runs[self._job]

    def _wake(self) -> None:
        self._woken.set()
        self._copy.more.set()

    async def to_its_end(self) -> int:
        """Its exit status, or one of cockpit's own. Raises Stop where it goes on without us."""
        unwatch = tell_link(self._target)
        unheard = False
        try:
            while not (self.run.over and self._copy.task.done()):
                self._woken.clear()
                if self._copy.task.done() and not unheard:
                    unheard = True
                    self._not_printed()
                self._look()
                try:
                    async with asyncio.timeout(1.0):
                        await self._woken.wait()
                except TimeoutError:
                    pass
            if not unheard:
                self._not_printed()
        finally:
            unwatch()
            await self._copy.close()
        return await self._status()

    def _look(self) -> None:
        """Acts on what has changed. Raises Stop."""
        signals, link, host = self._signals, self._target.link, self._target.name
        if self.run.over:  # and its output waits for whoever reads it
            if signals.leave or (signals.interrupts and self._stopping is None):
                raise Stop(status_of(self.run))
            return
        if signals.leave:
            raise Stop(FAILED, how_to_reach(host, self._job))
        if signals.interrupts and self._stopping is None:
            now = "stopping the command gently"
            if link.state.gone:
                now = "the link is lost, so the command is stopped when it is back"
            say(f"{host}: {now}; ctrl+c again leaves it running")
            self._stop()
        if link.state is LinkState.DOWN:
            raise Stop(FAILED, f"{plainly(host, link.reason)} {how_to_reach(host, self._job)}")
        late = time.monotonic() - self._begun > self._timeout_s + LATE
        if self._timeout_s and late and not link.state.usable:
            raise Stop(
                TIMED_OUT,
                f"{host}: the link is still lost. A command that runs longer than"
                f" {self._timeout_s} s is ended there; what became of it:"
                f" cockpit job attach {self._job[:8]}",
            )
        for told in (self._responder.runs.troubles.get(self._job), self._responder.log.trouble):
            if told and told not in self._troubles:
                self._troubles.add(told)
                say(told)

    def _stop(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._responder.stop(self._job))

    def _not_printed(self) -> None:
        """Says why not all of the output could be given; a command that only reads is stopped."""
        error = self._copy.error
        host = self._target.name
        if error is None:
            return
        if not isinstance(error, BrokenPipeError):
            say(self._copy.trouble)
        elif self.run.over:
            return
        elif self.run.asked.risk == "read":
            self._stop()  # without a word, as ssh ends before `| head`
        else:
            say(f"{host}: nobody reads the output any more; the command goes on to its end")

    # The end

    async def _status(self) -> int:
        run, status = self.run, status_of(self.run)
        if self._stopping is not None:
            await self._stop_told(self._stopping)
        if self._signals.interrupts:
            tell_stop(self._responder, self._job)
        tell_end(run, self._timeout_s)
        if isinstance(self._copy.error, BrokenPipeError):
            ended_it = run.asked.risk == "read" and (run.state is RunState.STOPPED or not status)
            return NO_READER if ended_it else status
        # An output that is not whole is a failure of ours where the command has none.
        whole = self._copy.whole and not run.truncated
        return status if whole or status else FAILED

    async def _stop_told(self, stopping: asyncio.Task[None]) -> None:
        """Waits until the host says what it took, as long as it can and the person lets it."""
        by = time.monotonic() + STOPPED_SOON
        while time.monotonic() < by and self._target.link.state.usable and not self._signals.leave:
            await asyncio.wait([stopping], timeout=0.2)
            if stopping.done():
                return
        host = self._target.name
        say(f"{host}: the command is over; whether all it had started has ended is not known here.")


def tell_stop(responder: Responder, job: str) -> None:
    """Says what it took to stop a run, once the host has told."""
    for entry in responder.incident.entries:
        event = entry.record.event
        if isinstance(event, e.CommandStopped) and event.job == job:
            say(f"{line(event, responder.incident)}.")


def tell_end(run: Run, timeout_s: int = 0) -> None:
    """Says how a run ended where its exit status does not say it all."""
    host = run.asked.host
    match run.state:
        case RunState.NEVER_STARTED:
            why = f" ({run.why})" if run.why else ""
            say(f"{host}: the command never started there{why}; nothing was run.")
        case RunState.UNKNOWN:
            say(f"{host}: nobody knows how far the command ran: {run.why}")
        case RunState.STOPPED if run.why == "timeout":
            limit = f" of {timeout_s} s" if timeout_s else ""
            say(f"{host}: `{beginning(run.asked.command)}` was ended at its time limit{limit}.")
    if run.truncated:
        say(
            f"{host}: the output is not whole; it was longer than is kept there,"
            " or than the disk there had room for."
        )


def status_of(run: Run) -> int:
    """What a run that is over gives as exit status."""
    if run.state in (RunState.NEVER_STARTED, RunState.UNKNOWN):
        return FAILED
    if run.why == "timeout":
        return TIMED_OUT
    return FAILED if run.exit_status is None else run.exit_status
