"""The keys on a line of the logs: opened, pinned, copied, kept, to the plots of its container."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final

from textual import work

from cockpit.responder import Responder
from cockpit.text import clean_line
from screens.container_keys import ContainerKeys
from screens.panes.log_rows import clock as time_of_day
from screens.panes.logs import LogsPane

if TYPE_CHECKING:
    from cockpit.containers.container import Container
    from cockpit.logs.source import LogSource
    from cockpit.logs.window import Held

PINNED_LINES: Final = 50
COPIED_LINES: Final = 2_000


class LogLineKeys(ContainerKeys):
    """From a key on a log line to what becomes of it."""

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self._keeping = False
        self.logs = LogsPane(id="logs", zone=_zone(responder.config.timezone))

    def _containers(self) -> Iterator[Container]:
        for watch in self.responder.watched:
            yield from watch.snapshot.rows

    def action_plots_then(self) -> None:
        held = self._held()
        if held is None:
            return
        source = self._source(held)
        for one in self._containers():
            if source and source.key == f"container {one.host} {one.id}":
                self.open_detail(one, _written(held))
                return
        self.say("This line is of no container that is watched: there are no plots of it.")

    def _source(self, held: Held) -> LogSource | None:
        sources = self.responder.logs.sources
        return sources[held.origin] if held.origin < len(sources) else None

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
        first = lines[0]
        source = self._source(first)
        self.responder.note(
            text,
            source=self._where_from(lines),
            log=source.name if source else "",
            host=source.host if source else "",
            written=_written(first),
        )
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
        if self._keeping:
            self.say("Still saving; it says when that is done.")
            return
        if not len(pane.view) or not self.may_write():
            return
        names = ", ".join(pane.names)
        count = len(pane.view)
        what = f"{count:,} log lines of {names}" + (
            f", only {pane.filter_words}" if pane.filter_words else ""
        )
        hosts = {str(source.host) for source in self.responder.logs.sources}
        lines = "1 line" if count == 1 else f"{count:,} lines"
        self._keeping = True
        self.say(f"Saving {lines} …")
        try:
            file = await self.responder.keep(
                what, f"log-{pane.of}", self._as_bytes(), host=hosts.pop() if hosts else ""
            )
        except OSError as error:
            self.say(f"Nothing was kept: {error.strerror or error}.", bad=True)
            return
        finally:
            self._keeping = False
        folder = self.responder.folder
        there = clean_line(str(folder / file if folder else file))
        self.say(f"{lines} saved: {there}")

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


def _written(held: Held) -> datetime | None:
    return datetime.fromtimestamp(held.line.at / 1e9, UTC) if held.line.at else None


def _zone(name: str) -> tzinfo:
    """Local time: that of cockpit.yaml, else this machine's."""
    if name != "UTC":
        from zoneinfo import ZoneInfo

        return ZoneInfo(name)
    return datetime.now().astimezone().tzinfo or UTC
