"""The keys on the logs: what is followed, searched, filtered, pinned, kept."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from textual import work

from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens.container_keys import ContainerKeys
from screens.panes.logs import LogsPane

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.containers.logs import Tail

LOG_LINES = 500


class LogKeys(ContainerKeys):
    """From a key on a log line to what becomes of it."""

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.logs = LogsPane(id="logs")
        self._tail: Tail | None = None
        self._seen = 0

    def feed_logs(self) -> None:
        """Has the pane show what came since the last time."""
        tail = self._tail
        if tail is None:
            return
        fresh = min(tail.total - self._seen, len(tail.lines))
        self._seen = tail.total
        lines = list(islice(reversed(tail.lines), fresh))[::-1]
        self.logs.add(lines, tail.rate)
        if self.responder.watch:
            self.responder.watch.limits.heard(self.logs.of, lines)
        self.logs.note(tail.note)

    def to_pane(self, name: str) -> None:
        """Has the keys go to this pane, and shows it where it is not in sight."""
        raise NotImplementedError

    async def search_log(self) -> None:
        """Asks what is looked for in the log."""
        words = await self.ask_line("Search the log", "Words", value=self.logs.wanted)
        if words is not None:
            self.logs.search(clean_line(words))

    def action_show_logs(self) -> None:
        container = self.containers.container()
        if container:
            self.show_logs(container)
            self.to_pane("logs")

    def show_logs(self, container: Container) -> None:
        """Follows the log of this container."""
        from cockpit.containers.logs import Tail

        self._stop_tail()
        engine = self.responder.engine_of(container.host)
        if engine is None:
            return
        self.logs.start(container.name)
        self._tail = Tail(engine, container.id, first=LOG_LINES)
        self._seen = 0
        self._tail.start()

    def forget_logs(self) -> None:
        """Follows none: another host was chosen."""
        self._stop_tail()
        self.logs.start(Safe(""))
        self.logs.missing = Safe("No container chosen. enter on one in the containers pane.")
        self.logs.refill()

    def _stop_tail(self) -> None:
        if self._tail is not None:
            self.run_worker(self._tail.close(), exit_on_error=False)
            self._tail = None

    @work(exit_on_error=False)
    async def action_only_matching(self) -> None:
        words = await self.ask_line(
            "Only lines with", "Words (empty shows all)", value=self.logs.only
        )
        if words is not None:
            self.logs.show_only(clean_line(words))

    def action_mark_line(self) -> None:
        found = self.logs.line()
        if found and self.may_write():
            self.responder.note(found.text, source=f"log of {self.logs.of}")
            self.say("On the timeline.")
