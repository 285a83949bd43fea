"""The keys on the logs: which are followed, what is looked for in them, and at which time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from textual import work

from cockpit import clock
from cockpit.logs.source import LogSource, LogTrouble
from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens.log_line_keys import LogLineKeys
from screens.panes.log_prompt import LogPrompt

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.logs.following import Later
    from screens.panes.timeline import Timeline

LOG_LINES: Final = 500
OLDER_LINES: Final = 500
FIRST_S: Final = 3.0
BEGINS: Final = Safe("the log begins here")


class LogKeys(LogLineKeys):
    """From a key to the logs that are followed, and to a line of them."""

    timeline: Timeline

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.log_prompt = LogPrompt(id="log-prompt")
        self._composed: tuple[str, ...] = ()
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
        self._follow_compose()
        lowest = logs.take()
        self.logs.not_loaded, self.logs.begun = logs.not_loaded, logs.begun
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

    def show_compose(self, *named: str) -> None:
        """Follows the containers of a Compose project, or of a service, also those to come.

        named: host, project and, where it is one, service.
        """
        self.follow([])
        self._composed = named
        self._follow_compose()

    def follow(self, sources: Sequence[LogSource]) -> None:
        """Follows these logs, and no others."""
        self._composed = ()
        self.responder.logs.follow(sources)
        self._show_followed()

    def _show_followed(self) -> None:
        logs = self.responder.logs
        self.logs.start(_names(logs.sources), logs.window)

    def _follow_compose(self) -> None:
        """Takes in what the project or the service has started since."""
        if not self._composed:
            return
        named = self._composed
        logs = self.responder.logs
        followed = {source.key for source in logs.sources}
        new = [
            source
            for one in sorted(self._containers(), key=lambda one: one.name)
            if (one.host, one.project, one.service)[: len(named)] == named and one.live
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
        if chosen.compose:
            self.show_compose(*chosen.compose)
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
            if clean_line(text) != pane.shown.wanted:
                pane.search(clean_line(text))
            self._tell_literal(text)

        def left() -> None:
            self.to_pane("logs")
            back(before)

        self.log_prompt.ask(
            Safe("/"), "", taken, typed=typed, left=left,
            example="words or regex",
        )  # fmt: skip

    def _tell_literal(self, words: str) -> None:
        """Why these words are no pattern, where they look like one."""
        from cockpit.logs.view import trouble

        if why := trouble(str(clean_line(words))):
            self.say(f"{words}: {why}")

    def action_only_matching(self) -> None:
        from cockpit.logs.wanted import wanted

        pane = self.logs

        def taken(text: str) -> None:
            self.to_pane("logs")
            query, words = wanted(str(clean_line(text)), pane.asked)
            pane.show_only(query, Safe(words))
            self._tell_literal(words.removeprefix("!").strip())

        self.log_prompt.ask(
            Safe("& only"), str(pane.shown.words), taken, left=lambda: self.to_pane("logs"),
            example="words · !health without · level:warn", keys="enter filters · esc gives up",
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
                pane.not_loaded, pane.begun = logs.not_loaded, logs.begun
                pane.loaded_older(said)

    def action_log_since(self) -> None:
        from cockpit.logs.since import HOW, since

        def taken(text: str) -> None:
            self.to_pane("logs")
            try:
                at = since(text, clock.now(), self.logs.shown_zone)
            except ValueError as error:
                self.say(str(error), bad=True)
                ask(text)
                return
            self._go_to_time(at)

        def ask(text: str) -> None:
            self.log_prompt.ask(
                Safe("since"),
                text,
                taken,
                left=lambda: self.to_pane("logs"),
                example=HOW,
                keys="enter goes there · esc gives up",
            )

        ask("")

    def action_logs_then(self) -> None:
        """To the lines of the moment of a timeline entry; of a pinned line, to that line."""
        entry = self.timeline.entry()
        if entry is None:
            return
        event = entry.record.event
        name = getattr(event, "container", "") or getattr(event, "log", "")
        host = getattr(event, "host", "")
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
        self._go_to_time(getattr(event, "written", None) or entry.at)

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
        if logs.lacks(nanoseconds):
            pane.edge(Safe(f"loading lines since {at:%H:%M:%S} UTC …"))
        said = Safe("")
        try:
            later = await logs.since(nanoseconds)
            said = BEGINS if len(later) == len(logs.sources) and later[0].begins else said
            if pane.window is window and later:
                self.say(_only_from(later, at, several=len(logs.sources) > 1))
        except LogTrouble as trouble:
            self.say(str(trouble), bad=True)
        if pane.window is not window:
            return
        pane.not_loaded, pane.begun = logs.not_loaded, logs.begun
        pane.loaded_older(said)
        pane.go_to_time(nanoseconds)
        if not len(pane.view):
            self.say(f"No line since {at:%Y-%m-%d %H:%M:%S} UTC.")


def _only_from(later: Sequence[Later], at: datetime, *, several: bool) -> str:
    """Which logs are not there from the moment on that was asked for, and from when they are."""
    said = []
    for log in later:
        first = f"{datetime.fromtimestamp(log.at // 10**9, UTC):%H:%M:%S}"
        why = "it has no older line" if log.begins else "k at the first line loads more"
        said.append(f"{f'{log.source.name} ' if several else ''}only from {first} on ({why})")
    more = f", and {len(said) - 3} more" if len(said) > 3 else ""
    return f"Not since {at:%H:%M:%S}, UTC: {', '.join(said[:3])}{more}."


def _names(sources: Sequence[LogSource]) -> list[Safe]:
    """What the logs are called; with their host where there are several."""
    several = len({str(source.host) for source in sources}) > 1
    return [Safe(f"{source.name}@{source.host}") if several else source.name for source in sources]
