"""An incident as it is kept: its journal, the fold of it, outputs, and the markdown of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cockpit import __version__
from cockpit.incident import events as e
from cockpit.incident.clocks import Rules
from cockpit.incident.incident import Incident, Run, fold
from cockpit.text import Redactor, Safe, clean

# The rest is imported where it is first used: the first paint waits for none of it.
if TYPE_CHECKING:
    from cockpit.incident.evidence import Evidence
    from cockpit.incident.journal import Follower, Journal
    from cockpit.incident.output import Output

MARKDOWN_PAUSE = 0.5
READ_PAUSE = 0.5
LOCK_PATIENCE = 0.5
SAVE_PATIENCE = 3.0
LAST_PATIENCE = 5.0
HIDDEN_FROM = 4


T = TypeVar("T")


class ReadOnly(Exception):
    """Another cockpit has the incident open; this one cannot change it."""


class Logbook:
    """Keeps one incident; lives on one event loop.

    `incident` is the fold of all that was appended, saved or not; `unsaved` counts what is not on
    disk. Nothing is made on disk until the first append, which begins with what `opening` gives;
    what is cleaned before, to be looked at, has the marks that it will have then.
    `changed` is called on the loop after every change. `rules`: what a post-incident document is
    judged by. `reading`: why this one cannot write, empty
    where it can.
    """

    def __init__(self, home: Path, who: str, *, training: bool = False) -> None:
        self.home = home
        self.who = who
        self.training = training
        self.incident = Incident(salt=os.urandom(16).hex())
        self.outputs: dict[str, Output] = {}
        self.reading = ""
        self.opening: Callable[[], tuple[str, Iterable[e.Event]]] = lambda: ("", ())
        self.changed: Callable[[], None] = lambda: None
        self.rules: Callable[[], Rules] = Rules
        self._journal: Journal | None = None
        self._follower: Follower | None = None
        self._redact = Redactor(self.incident.salt.encode())
        self._hidden: set[str] = set()
        self._seen = 0
        self._written: dict[str, str] = {}
        self._markdown_trouble = ""
        self._markdown_due: asyncio.TimerHandle | None = None
        self._markdown_lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def folder(self) -> Path | None:
        """Where this incident is kept; None while nothing has happened."""
        return self._journal.folder if self._journal else None

    @property
    def place(self) -> Path | None:
        """The same, also where another cockpit keeps it."""
        return self.folder or (self._follower.folder if self._follower else None)

    @property
    def unsaved(self) -> int:
        """How many events are not on disk yet."""
        return self._journal.unsaved if self._journal else 0

    @property
    def trouble(self) -> str:
        """What is wrong with keeping things, in a sentence; empty when all is well."""
        parts = [self._journal.trouble if self._journal else "", self._markdown_trouble]
        parts += [output.trouble for output in self.outputs.values()]
        return " ".join(dict.fromkeys(part for part in parts if part))

    def take_up(self, folder: Path) -> None:
        """Goes on with an incident that is on disk.

        Raises journal.Busy when another cockpit has it open, FileNotFoundError where it is not.
        """
        if self._journal is not None:
            raise RuntimeError("another incident has begun here already")
        self._journal = _opened(folder, self.who)
        self.incident = fold(self._journal.records)
        self.training = self.incident.training
        self._listen(self._journal)
        for run in self.incident.running():
            self.outputs[run.job] = self._kept_output(run.asked.evidence)
        self.append(e.CockpitOpened(version=__version__, resumed=True))

    def read_along(self, folder: Path) -> None:
        """Shows an incident that another cockpit has open, live."""
        from cockpit.incident.journal import Follower

        self._follower = Follower(folder)
        self.reading = (
            "Another cockpit has this incident open; this one shows it and cannot change it."
        )
        self._read_more(self._follower)
        task = asyncio.get_running_loop().create_task(self._keep_reading(self._follower))
        self._tasks.add(task)

    async def _keep_reading(self, follower: Follower) -> None:
        while True:
            await asyncio.sleep(READ_PAUSE)
            try:
                self._read_more(follower)
            except OSError as error:
                self._markdown_trouble = f"The journal cannot be read just now ({error})."

    def _read_more(self, follower: Follower) -> None:
        fresh = follower.poll()
        if fresh:
            self.incident = fold(fresh, self.incident)
            self.training = self.incident.training
            self.changed()

    def begin(self) -> Journal:
        """The journal; made now if nothing has happened before. Raises ReadOnly."""
        if self.reading:
            raise ReadOnly(self.reading)
        if self._journal is None:
            from cockpit.incident.journal import Journal

            slug, first = self.opening()
            self._journal = Journal.create(
                self.home, slug=slug or "incident", who=self.who, salt=self.incident.salt
            )
            self._fold_new()
            self._listen(self._journal)
            self.append(e.IncidentStarted(training=self.training))
            for event in first:
                self.append(event)
        return self._journal

    def append(self, event: e.Event) -> e.Record:
        """Puts an event into the journal; at once in `incident`, soon on disk. Raises ReadOnly."""
        record = self.begin().append(event)
        self._fold_new()
        self.changed()
        return record

    def _fold_new(self) -> None:
        """Folds what is new, also what the journal added by itself."""
        assert self._journal is not None
        fresh = self._journal.after(self._seen)
        if fresh:
            self.incident = fold(fresh, self.incident)
            self._seen = fresh[-1].seq

    async def saved_up_to(self, record: e.Record) -> bool:
        """Waits until a record is on disk; False when no place takes it, or not in time."""
        try:
            async with asyncio.timeout(SAVE_PATIENCE):
                return await self.begin().saved_up_to(record.seq)
        except TimeoutError:
            return False

    def clean(self, text: str) -> str:
        """A person's or a machine's text as it may be written: cleaned and redacted.

        Begins nothing: it may be only to be looked at. Raises ReadOnly.
        """
        if self.reading:
            raise ReadOnly(self.reading)
        cleaned = clean(text.strip())
        for secret in self._hidden:
            cleaned = Safe(cleaned.replace(secret, self._redact.mark("given", secret)))
        return str(self._redact(cleaned))

    def hide(self, secret: str) -> None:
        """Keeps out of all that is written from now on what no rule would know for a secret."""
        if len(secret) >= HIDDEN_FROM:
            self._hidden.add(secret)

    def _listen(self, journal: Journal) -> None:
        loop = asyncio.get_running_loop()

        def told(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._told)

        journal.on_saved = told
        journal.on_trouble = told
        self._redact = Redactor(journal.salt.encode())
        self._seen = max((record.seq for record in journal.records), default=0)

    def _told(self) -> None:
        self._fold_new()
        self.changed()
        if self._markdown_due is None:
            loop = asyncio.get_running_loop()
            self._markdown_due = loop.call_later(MARKDOWN_PAUSE, self._start_markdown)

    # Outputs

    def evidence(self, title: str) -> Evidence:
        """A new file of evidence beside the journal. Raises OSError, ReadOnly."""
        from cockpit.incident.evidence import Evidence

        return Evidence.create(self.begin().folder, title)

    def new_output(self, command: str) -> Output:
        """Where the output of a new run goes; in memory, and said so, where no file can be made."""
        from cockpit.incident.output import Output

        try:
            return Output(self.evidence(command))
        except OSError as error:
            return Output(None, f"Output is kept in memory only ({error.strerror or error}).")

    def _kept_output(self, name: str) -> Output:
        from cockpit.incident.evidence import Evidence
        from cockpit.incident.output import Output

        try:
            if self.folder and name:
                return Output(Evidence.reopen(self.folder, name))
        except (OSError, ValueError) as error:
            return Output(None, f"{name} cannot be read ({error}).")
        return Output(None)

    def output_of(self, run: Run) -> bytes:
        """The output of a run as far as it is held; a very long one without its middle."""
        from cockpit.incident.output import excerpt

        folder = self.place
        name = run.asked.evidence
        held = excerpt(folder / name) if folder and name else b""
        output = self.outputs.get(run.job)
        held = held or (output.newest if output else b"")
        if run.asked.terminal:
            from cockpit.incident.terminal_text import spoken

            return spoken(held)
        return held

    def output_text(self, job: str) -> Safe:
        """The same, for the screen."""
        run = self.incident.runs.get(job)
        return clean(self.output_of(run)) if run else Safe("")

    # Markdown

    def markdown(self) -> str:
        """The incident log as it stands."""
        from cockpit.incident.report import report

        return report(self.incident, self.output_of, trouble=self.trouble, written=self._written)

    def _start_markdown(self) -> None:
        self._markdown_due = None
        task = asyncio.get_running_loop().create_task(self._write_markdown())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_markdown(self) -> None:
        from cockpit.incident.markdown_file import write_markdown

        async with self._markdown_lock:
            folder = self.folder
            if folder:
                try:
                    self._markdown_trouble = await aside(
                        lambda: write_markdown(folder, self.markdown()) or self._review(folder)
                    )
                except Exception as error:
                    self._markdown_trouble = f"incident.md could not be made ({error})."
        self.changed()

    @property
    def review_name(self) -> str:
        """The file of the post-incident document: one for each time that it was resolved."""
        from cockpit.incident.review import name

        return name(self.incident)

    @property
    def _over_since(self) -> int:
        """seq of the record that says so."""
        ends = (
            entry.record.seq
            for entry in reversed(self.incident.entries)
            if isinstance(entry.record.event, e.IncidentResolved)
        )
        return next(ends, 0)

    async def review_written(self) -> str:
        """Waits for the post-incident document of what was just resolved; what went wrong.

        It is not written before it is on disk that the incident is over.
        """
        journal = self._journal
        if journal is None:
            return self.reading
        try:
            async with asyncio.timeout(SAVE_PATIENCE):
                await journal.saved_up_to(self._over_since)
                async with self._markdown_lock:
                    return await aside(lambda: self._review(journal.folder))
        except TimeoutError:
            return f"{self.review_name} is not written yet: the disk does not answer."

    def _review(self, folder: Path) -> str:
        """Writes the post-incident document once it is over; people edit it, so never again."""
        saved = self._journal.saved if self._journal else 0
        if self.incident.open or saved < self._over_since:
            return ""
        from cockpit.incident.markdown_file import write_new
        from cockpit.incident.review import review

        path = folder / self.review_name
        if path.exists():
            return ""
        return write_new(path, review(self.incident, rules=self.rules(), trouble=self.trouble))

    async def save_markdown(self, path: Path) -> str:
        """Writes the incident log to a file of the responder's choice; returns what went wrong."""
        from cockpit.incident.markdown_file import replace_file

        trouble = await aside(lambda: replace_file(path, self.markdown()))
        if not trouble and not self.reading:
            self.append(e.MarkdownSaved(path=self.clean(str(path))))
        return trouble

    async def close(self) -> int:
        """Closes the journal, then writes the markdown a last time; a hung disk is not waited for.

        Returns the number of events that are not on disk.
        """
        if self._markdown_due:
            self._markdown_due.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._journal is None:
            return 0
        unsaved = await aside(self._journal.close)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_PATIENCE):
                await self._write_markdown()
        return unsaved


async def aside(work: Callable[[], T]) -> T:
    """The result of work that may hang with a disk, off the loop.

    Unlike asyncio.to_thread, the end of the program does not wait for it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, result, failed)

    threading.Thread(target=run, daemon=True).start()
    return await done


def _opened(folder: Path, who: str) -> Journal:
    """Opens the journal; the lock of a cockpit that was just killed is waited out.

    A shell that it was about to start holds the lock with it until it has started.
    """
    from cockpit.incident.journal import Busy, Journal

    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return Journal.open(folder, who=who)
        except Busy:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
