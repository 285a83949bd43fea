"""The keys on the logs: what is followed, searched, filtered, pinned, kept, copied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final

from textual import work

from cockpit import clock
from cockpit.logs.source import LogSource, LogTrouble
from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens.container_keys import ContainerKeys
from screens.panes.log_prompt import LogPrompt
from screens.panes.log_rows import clock as time_of_day
from screens.panes.logs import LogsPane

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.logs.window import Held
    from screens.panes.timeline import Timeline

LOG_LINES: Final = 500
OLDER_LINES: Final = 500
PINNED_LINES: Final = 50
COPIED_LINES: Final = 2_000
FIRST_S: Final = 3.0
BEGINS: Final = Safe("the log begins here")


class LogKeys(ContainerKeys):
    """From a key on a log line to what becomes of it."""

    timeline: Timeline

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.logs = LogsPane(id="logs", zone=_zone(responder.config.timezone))
        self.log_prompt = LogPrompt(id="log-prompt")
        self._project: tuple[str, str] | None = None
        self._loading = False

    def to_pane(self, name: str) -> None:
        """Has the keys go to this pane, and shows it where it is not in sight."""
        raise NotImplementedError

    def on_descendant_focus(self) -> None:
        if self.log_prompt.display and self.focused is not self.log_prompt.line:
            self.log_prompt.shut()

    # What is followed

    def feed_logs(self) -> None:
        """Has the pane show what came since the last time."""
        logs = self.responder.logs
        if not logs.sources:
            return
        self._follow_project()
        lowest = logs.take()
        self.logs.news(lowest, rate=logs.rate, note=logs.note)

    def action_show_logs(self) -> None:
        chosen = self.containers.chosen()
        if chosen:
            self.containers.marked.clear()
            self.show_logs(*chosen)
            self.to_pane("logs")

    def show_logs(self, *containers: Container) -> None:
        """Follows the logs of these containers, merged."""
        self.follow([source for one in containers for source in self._log_of(one)])

    def logs_at(self, container: Container, at: datetime | None) -> None:
        self.show_logs(container)
        self.to_pane("logs")
        if at is not None:
            self._go_to_time(at)

    def show_project(self, host: str, project: str) -> None:
        """Follows the containers of a Compose project, also those that start later."""
        self.follow([])
        self._project = (host, project)
        self._follow_project()

    def follow(self, sources: Sequence[LogSource]) -> None:
        """Follows these logs, and no others."""
        self._project = None
        self.responder.logs.follow(sources)
        self._show_followed()

    def _show_followed(self) -> None:
        logs = self.responder.logs
        self.logs.start(_names(logs.sources), logs.window)

    def _follow_project(self) -> None:
        """Takes in what the project has started since."""
        if self._project is None:
            return
        host, project = self._project
        logs = self.responder.logs
        followed = {source.key for source in logs.sources}
        new = [
            source
            for one in sorted(self._containers(), key=lambda one: one.name)
            if one.host == host and one.project == project and one.live
            for source in self._log_of(one)
            if source.key not in followed
        ]
        if new:
            first = not logs.sources
            logs.follow([*logs.sources, *new])
            if first:
                self._show_followed()
            else:
                self.logs.called(_names(logs.sources))

    def _containers(self) -> Iterator[Container]:
        for watch in self.responder.watched:
            yield from watch.snapshot.rows

    def _log_of(self, container: Container) -> Iterator[LogSource]:
        """The log of a container; none where its host is not watched any more."""
        from cockpit.containers.logs import Tail

        engine = self.responder.engine_of(container.host)
        if engine is not None:
            yield Tail(engine, container.id, name=container.name, first=LOG_LINES)

    def forget_logs(self) -> None:
        """Follows none: another host was chosen."""
        self.follow(())

    @work(exit_on_error=False)
    async def action_log_sources(self) -> None:
        from screens import log_offers
        from screens.dialogs.log_sources import LogSources

        asked = asyncio.ensure_future(log_offers.of_hosts(self.responder))
        try:
            here = [
                *log_offers.of_containers(self._containers(), self._log_of),
                *log_offers.of_services(self.responder.watched),
            ]
            chosen = await self.app.push_screen_wait(LogSources(here, asked))
        finally:
            asked.cancel()
        if chosen is None:
            return
        if chosen.project:
            self.show_project(*chosen.project)
        else:
            self.follow(chosen.sources)
        self.to_pane("logs")

    # Looking for something

    async def search_log(self) -> None:
        """Asks what is looked for, and shows what is found while it is typed."""
        pane = self.logs
        before, at, following = pane.shown.wanted, pane.number(), pane.following

        def back(words: Safe) -> None:
            pane.search(words, seek=False)
            if following:
                pane.action_last()
            elif at is not None:
                pane.go(at)

        def typed(text: str) -> None:
            back(Safe(""))
            if text:
                pane.search(clean_line(text))

        def taken(text: str) -> None:
            self.to_pane("logs")
            if not text:
                pane.search(Safe(""))
            elif clean_line(text) != pane.shown.wanted:
                pane.search(clean_line(text))

        def left() -> None:
            self.to_pane("logs")
            back(before)

        self.log_prompt.ask(
            Safe("/"), "", taken, typed=typed, left=left,
            example="words or regex · enter keeps · esc gives up",
        )  # fmt: skip

    def action_only_matching(self) -> None:
        from cockpit.logs.wanted import wanted

        pane = self.logs

        def taken(text: str) -> None:
            self.to_pane("logs")
            query, words = wanted(str(clean_line(text)), pane.asked)
            pane.show_only(query, Safe(words))

        self.log_prompt.ask(
            Safe("& only"), str(pane.shown.words), taken, left=lambda: self.to_pane("logs"),
            example="words · !health without · level:warn",
        )  # fmt: skip

    # Other times

    def on_logs_pane_at_start(self) -> None:
        self._load_older()

    @work(exit_on_error=False)
    async def _load_older(self) -> None:
        logs, pane = self.responder.logs, self.logs
        if self._loading or not logs.sources or pane.older_words == BEGINS:
            return
        self._loading = True
        window = logs.window
        pane.edge(Safe("loading older lines …"))
        said = Safe("")
        try:
            found = await logs.older(OLDER_LINES)
            said = Safe("") if found else BEGINS
        except LogTrouble as trouble:
            self.say(str(trouble), bad=True)
        finally:
            self._loading = False
            if pane.window is window:
                pane.loaded_older(said)

    def action_log_since(self) -> None:
        from cockpit.logs.since import HOW, since

        def taken(text: str) -> None:
            self.to_pane("logs")
            try:
                at = since(text, clock.now(), self.logs.shown_zone)
            except ValueError as error:
                self.say(str(error), bad=True)
                return
            self._go_to_time(at)

        self.log_prompt.ask(
            Safe("since"), "", taken, left=lambda: self.to_pane("logs"), example=HOW
        )

    def action_logs_then(self) -> None:
        """To the lines of the moment of a timeline entry."""
        entry = self.timeline.entry()
        if entry is None:
            return
        name = getattr(entry.record.event, "container", "")
        host = getattr(entry.record.event, "host", "")
        followed = {str(source.name) for source in self.responder.logs.sources}
        if name and name not in followed:
            there = [one for one in self._containers() if one.name == name]
            there = [one for one in there if not host or one.host == host] or there
            if there:
                self.show_logs(there[0])
        if not self.responder.logs.sources:
            self.say("No log is followed: enter on a container first, or L.")
            return
        self.to_pane("logs")
        self._go_to_time(entry.at)

    @work(exit_on_error=False, exclusive=True, group="log time")
    async def _go_to_time(self, at: datetime) -> None:
        logs, pane = self.responder.logs, self.logs
        nanoseconds = int(at.timestamp()) * 10**9
        window = logs.window
        try:
            async with asyncio.timeout(FIRST_S):
                while window.first == window.end:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        if window.first == window.end or window[window.first].line.at > nanoseconds:
            pane.edge(Safe(f"loading lines since {at:%H:%M:%S} UTC …"))
            said = Safe("")
            try:
                await logs.since(nanoseconds)
            except LogTrouble as trouble:
                self.say(str(trouble), bad=True)
            if pane.window is not window:
                return
            pane.loaded_older(said)
        pane.go_to_time(nanoseconds)
        if not len(pane.view):
            self.say(f"No line since {at:%Y-%m-%d %H:%M:%S} UTC.")

    def action_plots_then(self) -> None:
        held = self._held()
        if held is None:
            return
        key = self._source_key(held)
        for one in self._containers():
            if key == f"container {one.id}":
                at = datetime.fromtimestamp(held.line.at / 1e9, UTC) if held.line.at else None
                self.open_detail(one, at)
                return
        self.say("This line is of no container that is watched: there are no plots of it.")

    def _source_key(self, held: Held) -> str:
        sources = self.responder.logs.sources
        return sources[held.origin].key if held.origin < len(sources) else ""

    # What becomes of a line

    def _held(self) -> Held | None:
        number = self.logs.number()
        return None if number is None else self.logs.window[number]

    def action_open_line(self) -> None:
        number = self.logs.number()
        if number is None:
            return
        from screens.dialogs.log_line import LogLine, laid_out

        held = self.logs.window[number]
        first, last = self.logs.window.entry(number)
        entry = [self.logs.window[one] for one in range(first, last + 1)]
        zone = self.logs.shown_zone
        whole = laid_out(entry, held, self.logs.name_of(held.origin), zone)
        self.app.push_screen(LogLine(whole, self.action_mark_line, self.action_copy_log))

    def _taken(self, most: int) -> tuple[list[Held], int]:
        """The lines of the range, else of the entry under the cursor; and how many are left out."""
        pane = self.logs
        number = pane.number()
        if number is None:
            return [], 0
        if pane.range_from is None:
            first, last = pane.window.entry(number)
            numbers: Sequence[int] = range(first, last + 1)
        else:
            numbers = [pane.view[place] for place in pane.chosen()[: most + 1]]
        count = len(pane.chosen()) if pane.range_from is not None else len(numbers)
        there = range(pane.window.first, pane.window.end)
        return [pane.window[one] for one in numbers[:most] if one in there], max(0, count - most)

    def action_mark_line(self) -> None:
        lines, left_out = self._taken(PINNED_LINES)
        if not lines or not self.may_write():
            return
        text = "\n".join(self._words(lines))
        if left_out:
            text += f"\n… {left_out:,} more lines; W keeps all that is shown as evidence"
        self.responder.note(text, source=self._where_from(lines))
        self.logs.end_range()
        count = len(lines)
        these = "This line is" if count == 1 else f"These {count} lines are"
        self.say(f"{these} on the timeline." + (
            f" {left_out:,} more were too many." if left_out else ""
        ))  # fmt: skip

    def _words(self, lines: Sequence[Held]) -> list[str]:
        several = len({held.origin for held in lines}) > 1
        return [
            f"{self.logs.name_of(held.origin)}: {held.line.text}" if several else held.line.text
            for held in lines
        ]

    def _where_from(self, lines: Sequence[Held]) -> str:
        names = dict.fromkeys(self.logs.name_of(held.origin) for held in lines)
        said = f"log of {', '.join(names)}"
        times = list(dict.fromkeys(time_of_day(held.line.at) for held in lines if held.line.at))
        if not times:
            return said
        return f"{said} at {times[0]}{f' to {times[-1]}' if len(times) > 1 else ''} UTC"

    @work(exit_on_error=False)
    async def action_copy_log(self) -> None:
        from screens.clipboard import copy

        lines, left_out = self._taken(COPIED_LINES)
        if not lines:
            return
        said = await copy(self.app, "\n".join(self._words(lines)))
        self.logs.end_range()
        count = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
        more = f" {left_out:,} more were too many; W writes them to a file." if left_out else ""
        self.say(f"{count}. {said}{more}")

    @work(exit_on_error=False)
    async def action_keep_log(self) -> None:
        pane = self.logs
        if not len(pane.view) or not self.may_write():
            return
        names = ", ".join(pane.names)
        count = len(pane.view)
        what = f"{count:,} log lines of {names}" + (
            f", only {pane.filter_words}" if pane.filter_words else ""
        )
        hosts = {str(source.host) for source in self.responder.logs.sources}
        try:
            file = await self.responder.keep(
                what, f"log-{pane.of}", self._as_bytes(), host=hosts.pop() if hosts else ""
            )
        except OSError as error:
            self.say(f"Nothing was kept: {error.strerror or error}.", bad=True)
            return
        self.say(f"{count:,} lines are kept in {file}.")

    def _as_bytes(self) -> Iterator[bytes]:
        """What is shown, a few thousand lines at a time, each with its time and its log."""
        pane = self.logs
        numbers = [pane.view[place] for place in range(len(pane.view))]
        for start in range(0, len(numbers), 2_000):
            said = []
            for number in numbers[start : start + 2_000]:
                if not pane.window.first <= number < pane.window.end:
                    continue  # dropped meanwhile, as newer ones came
                line, origin, *_ = pane.window[number]
                at = line.at
                stamp = datetime.fromtimestamp(at // 10**9, UTC).isoformat()[:19] if at else "-"
                part = f".{at % 10**9 // 10**6:03d}Z" if at else ""
                said.append(f"{stamp}{part} {pane.name_of(origin)} {line.stream} {line.text}\n")
            yield "".join(said).encode("utf-8", "backslashreplace")


def _names(sources: Sequence[LogSource]) -> list[Safe]:
    """What the logs are called; with their host where there are several."""
    several = len({str(source.host) for source in sources}) > 1
    return [Safe(f"{source.name}@{source.host}") if several else source.name for source in sources]


def _zone(name: str) -> tzinfo:
    """Local time: that of cockpit.yaml, else this machine's."""
    if name != "UTC":
        from zoneinfo import ZoneInfo

        return ZoneInfo(name)
    return datetime.now().astimezone().tzinfo or UTC
