"""The logs that are followed: only what is in sight is laid out, however much is loaded."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from cockpit.logs.line import Level, Line
from cockpit.logs.view import Query, View
from cockpit.logs.window import Window
from cockpit.text import Safe, clean_line
from cockpit.words import many
from screens import paint
from screens.lines import Lines
from screens.paint import Row
from screens.panes.log_rows import Layout, Times, errors_row, legend, rows, tag
from screens.panes.log_shown import Shown
from screens.panes.log_sight import Sight

NONE = Safe("No container chosen. enter on one in the containers pane; L lists all logs.")
LOADING = Safe("Loading …")
_LOADS_S: Final = 3.0
_FAST: Final = 200
_SLICE: Final = 0.001
_LOW: Final = 8
_MOST_NOTE: Final = 2
_MOST_LATE: Final = 5_000


class LogsPane(Lines):
    """Lines of one log or several merged, by their numbers in a window.

    While it follows, the newest line is the last in sight and under the cursor.
    """

    class AtStart(Message):
        """The responder went on beyond the first line that is loaded."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", id="log.follow", tooltip="Follow the end, or pause"),
        Binding("slash", "screen.search", "search", id="log.search", tooltip="Search"),
        Binding("ampersand", "screen.only_matching", "filter", id="log.only",
                tooltip="Only lines that fit; ! those that do not; level:warn"),
        Binding("e", "error(1)", "error", id="log.error",
                tooltip="Next error; at the end the newest one"),
        Binding("left_square_bracket", "error(-1)", "error before", id="log.error-before",
                tooltip="The error before", show=False),
        Binding("enter", "screen.open_line", "open", id="log.open",
                tooltip="The whole entry: fields, trace, text as it came"),
        Binding("m", "screen.mark_line", "pin", id="log.mark",
                tooltip="Put this line, or the range, on the timeline"),
        Binding("L", "screen.log_sources", "logs", id="log.sources",
                tooltip="Which logs are followed"),
        Binding("v", "range", "range", id="log.range", show=False,
                tooltip="Begin or end a range of lines, for m and y"),
        Binding("s", "screen.log_since", "since", id="log.since", show=False,
                tooltip="Go to a time: 15m, 03:00, yesterday 22:10"),
        Binding("l", "level", "level", id="log.level", show=False,
                tooltip="All lines, from warnings on, errors alone"),
        Binding("o", "alone", "this log alone", id="log.alone", show=False,
                tooltip="Only the log of this line; again for all"),
        Binding("n", "found(1)", "next", id="log.next", tooltip="Next match", show=False),
        Binding("N", "found(-1)", "before", id="log.before", tooltip="Match before", show=False),
        Binding("w", "wrap", "wrap", id="log.wrap", show=False,
                tooltip="Wrap long lines, or scroll aside with left and right"),
        Binding("t", "times", "times", id="log.times", show=False,
                tooltip="Times: UTC, local, how long ago, off"),
        Binding("p", "screen.plots_then", "plots then", id="log.plots", show=False,
                tooltip="CPU and memory of this container at that moment"),
        Binding("y", "screen.copy_log", "copy", id="log.copy", show=False,
                tooltip="Copy this line, or the range"),
        Binding("W", "screen.keep_log", "to evidence", id="log.keep", show=False,
                tooltip="Write what is shown to a file of evidence"),
        Binding("escape", "plain", "plain", id="log.plain", show=False,
                tooltip="End the range; then forget the search; then show all lines"),
    ]  # fmt: skip

    def __init__(self, *, id: str, zone: tzinfo = UTC) -> None:
        super().__init__(id=id)
        self.zone = zone
        self.names: tuple[Safe, ...] = ()
        self.shown = Shown(Window())
        self.following = True
        self.wrapping = False
        self.times = Times.AUTO
        self.missing = NONE
        self.older_words = Safe("")
        self.range_from: int | None = None
        self._sight = Sight(lambda: self.view, self._laid)
        self._under: Line | None = None
        self._top_line: Line | None = None
        self._range_line: Line | None = None
        self._rate = 0.0
        self._note = Safe("")
        self._held_at = 0
        self._side = 0
        self._seek: int | None = None
        self._seek_error = 0
        self._looking = False
        self._how = Layout(80)
        self._titled = Safe("")
        self.not_loaded: tuple[tuple[int, int], ...] = ()
        self.begun: dict[int, int] = {}
        self._bars = paint.row()
        self._barred: tuple[object, ...] = ()
        self._started = time.monotonic()

    def on_mount(self) -> None:
        self.draw()

    # What is shown

    @property
    def window(self) -> Window:
        """The lines that are loaded."""
        return self.shown.window

    @property
    def view(self) -> View:
        """Those of them that are shown."""
        return self.shown.view

    @property
    def of(self) -> Safe:
        """What is followed, in a word or two."""
        if len(self.names) < 2:
            return self.names[0] if self.names else Safe("")
        return Safe(f"{len(self.names)} logs")

    def start(self, names: Sequence[Safe], window: Window) -> None:
        """Shows other logs: their names by origin, and the window that they are merged in."""
        self.names = tuple(names)
        self.missing = LOADING if names else NONE
        self._started = time.monotonic()
        self.not_loaded = ()
        self.begun = {}
        self.following = True
        self.at = None
        self._side = 0
        self.range_from = None
        self._note, self._rate = Safe(""), 0.0
        self.older_words = Safe("")
        self._barred = ()
        wanted = self.shown.wanted
        self.shown = Shown(window)
        self.shown.look_for(wanted)
        self._look_on()
        self.draw()

    def called(self, names: Sequence[Safe]) -> None:
        """More logs have come to those that are followed."""
        if tuple(names) != self.names:
            self.names = tuple(names)
            self.draw()

    def news(self, lowest: int, *, rate: float = 0.0, note: Safe = Safe("")) -> None:
        """The window has other lines from this number on.

        note: why nothing new comes and what to do; empty while it follows.
        """
        said = (note, rate > _FAST and round(rate, -2))
        before = (self._note, self._rate > _FAST and round(self._rate, -2))
        self._note, self._rate = note, rate
        if self.missing == LOADING and (note or time.monotonic() - self._started > _LOADS_S):
            self.missing = Safe("No line is loaded." if note else "No log lines yet.")
            self.draw()
        if lowest < self.window.end:
            self._stay(lowest)
            self.shown.changed(lowest)
            self._look_on()
            self.draw()
        elif said != before or self.times is Times.AGO:
            self.draw()

    def _stay(self, lowest: int) -> None:
        """Goes with the lines of the range, the cursor and the top, where others came before."""
        if self.range_from is not None and self._range_line is not None:
            self.range_from = self._found_again(self.range_from, lowest, self._range_line)
        if not self.following and isinstance(self.at, int) and self._under is not None:
            self.at = self._found_again(self.at, lowest, self._under)
            if self._top_line is not None:
                top = self._found_again(self._sight.top, lowest, self._top_line)
                self._sight.top = top

    def _found_again(self, number: int, lowest: int, line: Line) -> int:
        if number < max(lowest, self.window.first):
            return number
        ahead = range(number, min(number + _MOST_LATE, self.window.end))
        return next((one for one in ahead if self.window[one].line == line), number)

    def edge(self, words: Safe) -> None:
        """What stands above the first line that is loaded, while older ones are asked for."""
        self.older_words = words
        self.draw()

    def loaded_older(self, words: Safe) -> None:
        """There are older lines now, or why not; the words stand above the first of them."""
        self.older_words = words
        self._stay(self.window.first)  # those of one log may have come amid those of another
        self.show_only(self.shown.query, self.shown.words)

    def show_only(self, query: Query, words: Safe) -> None:
        """Only the lines that fit; the words of it are for the title."""
        self.shown = self.shown.by(query, words)
        self._look_on()
        self.draw()

    def line(self) -> Line | None:
        """The log line under the cursor."""
        return self._line_of(self.number())

    def _line_of(self, number: int | None) -> Line | None:
        if number is None or not self.window.first <= number < self.window.end:
            return None
        return self.window[number].line

    def recent(self, count: int) -> list[Safe]:
        """The newest lines."""
        window = self.window
        return [
            window[n].line.text for n in range(max(window.first, window.end - count), window.end)
        ]

    def number(self) -> int | None:
        """The number in the window of the line under the cursor."""
        if not len(self.view) or not isinstance(self.at, int):
            return None
        if self.at not in range(self.window.first, self.window.end):
            return None
        return self.at

    def chosen(self) -> range:
        """The places in the view of the range that is marked, else of the line alone."""
        number = self.number()
        if number is None:
            return range(0)
        here = self.view.place(number)
        other = here if self.range_from is None else self.view.place(self.range_from)
        return range(min(here, other), min(max(here, other) + 1, len(self.view)))

    def name_of(self, origin: int) -> Safe:
        """What the log of this origin is called."""
        return self.names[origin] if origin < len(self.names) else Safe("")

    # Searching

    def search(self, words: Safe, *, seek: bool = True) -> None:
        """Marks these words, counts them, and goes to the nearest match, earlier ones first."""
        self.shown.look_for(words)
        if seek and words:
            number = self.number()
            self._seek = self.window.end - 1 if number is None else number
        self._look_on()
        self.draw()

    def _look_on(self) -> None:
        """Looks through more of the lines, a slice at a time: keys are answered in between."""
        if self.shown.work():
            self._go_to_what_was_sought()
        elif not self._looking:
            self._looking = True
            self.set_timer(_SLICE, self._look_again)

    def _look_again(self) -> None:
        self._looking = False
        self._look_on()
        if not self._looking:
            self.draw()

    def _go_to_what_was_sought(self) -> None:
        if self._seek is not None:
            seek, self._seek = self._seek, None
            number = self.shown.nearest(seek)
            if number is not None:
                self._hold(number)
        if self._seek_error:
            by, self._seek_error = self._seek_error, 0
            self._to_error(by)

    def action_found(self, by: int) -> None:
        if self.shown.found is None:
            self._tell("Nothing to look for yet: / asks for words.")
            return
        number = self.number()
        if number is None:
            return
        found = self.shown.found.next(number, by)
        if found is None:
            self._tell("No match after this line." if by > 0 else "No match before this line.")
        else:
            self._hold(found)

    def action_error(self, by: int) -> None:
        self._seek_error = by
        self.shown.look_for_errors()
        self._look_on()

    def _to_error(self, by: int) -> None:
        """The next error from the cursor; while it follows there is none, and it is the newest."""
        number = self.number()
        if number is None:
            return
        newest = by > 0 and self.following
        found = self.shown.error(*((number + 1, -1) if newest else (number, by)))
        if found is not None:
            self._hold(found)
        elif newest:
            self._tell("No line marked E among those loaded.")
        else:
            way = "after" if by > 0 else "before"
            self._tell(f"No error {way} this line among those that are loaded.")

    def _tell(self, words: str) -> None:
        self.notify(clean_line(words), markup=False, timeout=3)

    # Moving

    def go(self, stop: object) -> None:
        """Puts the cursor on a line by its number, and has it in sight."""
        if isinstance(stop, int):
            self._hold(stop)

    def go_to_time(self, at: int) -> None:
        """To the first line that is not before a moment, held."""
        if len(self.view):
            place = self.view.place(self.window.near(at))
            self._hold(self.view[min(place, len(self.view) - 1)])

    def _hold(self, number: int) -> None:
        """Stops following, with the cursor there."""
        if self.following:
            self.following = False
            self._held_at = self.window.end - self.window.put_in
        self.at = number
        self._reveal()
        self.draw()

    def _follow(self) -> None:
        self.following = True
        self.draw()

    def action_follow(self) -> None:
        number = self.number()
        if not self.following or number is None:
            self._follow()
        else:
            self._hold(number)

    def action_move(self, by: int) -> None:
        number = self.number()
        if number is None or self._read_on(by):
            return
        wanted = self.view.place(number) + by
        if wanted < 0:
            self.post_message(self.AtStart())
        elif wanted >= len(self.view) - 1 and by > 0:
            self._follow()
        else:
            self._hold(self.view[wanted])

    def _read_on(self, by: int) -> bool:
        """Scrolls within a line that is higher than the pane, before the cursor leaves it."""
        number = self.number()
        if number is None or not self.wrapping:
            return False
        if not self._sight.read_on(self.view.place(number), by, self._room()):
            return False
        if self.following:
            self.following, self._held_at = False, self.window.end - self.window.put_in
        self.draw()
        return True

    def action_page(self, by: int) -> None:
        in_sight = [row.stop for row in self.rows if isinstance(row.stop, int)]
        if not in_sight or self._read_on(by):
            return
        if by > 0:
            last = self.view.place(in_sight[-1])
            if self.following or last >= len(self.view) - 1:
                self._follow()
                return
            self._sight.top, self._sight.cut = in_sight[-1], 0
            self._hold(in_sight[-1])
        elif not self._sight.at_start:
            self._hold(self._sight.page_up(self._room()))
        else:
            if self.number() == in_sight[0]:
                self.post_message(self.AtStart())
            else:
                self._hold(in_sight[0])

    def action_first(self) -> None:
        if not len(self.view):
            return
        first = self.view[0]
        if self.number() == first and not self.following:
            self.post_message(self.AtStart())
        else:
            self._hold(first)

    def action_last(self) -> None:
        self._follow()

    def action_aside(self, by: int) -> None:
        if not self.wrapping:
            self._side = max(0, self._side + by)
            self.draw()

    # Other ways to look at it

    def action_wrap(self) -> None:
        self.wrapping = not self.wrapping
        self._side = 0
        self._reveal()
        self.draw()

    def action_times(self) -> None:
        every = list(Times)
        self.times = every[(every.index(self.times) + 1) % len(every)]
        self.draw()

    def action_level(self) -> None:
        order = (Level.NONE, Level.WARN, Level.ERROR)
        now = self.shown.query.least
        least = order[(order.index(now) + 1) % len(order)] if now in order else Level.NONE
        self.show_only(replace(self.shown.query, least=least), self.shown.words)

    def action_alone(self) -> None:
        number = self.number()
        if self.shown.query.origins is not None:
            self.show_only(replace(self.shown.query, origins=None), self.shown.words)
        elif number is not None and len(self.names) > 1:
            alone = frozenset({self.window[number].origin})
            self.show_only(replace(self.shown.query, origins=alone), self.shown.words)

    @property
    def asked(self) -> Query:
        """Which lines are shown."""
        return self.shown.query

    @property
    def shown_zone(self) -> tzinfo:
        """Of the times that are shown: what is typed is meant in it."""
        return self.zone if self.times is Times.LOCAL else UTC

    def end_range(self) -> None:
        """The range was used, or is not wanted any more."""
        if self.range_from is not None:
            self.range_from = None
            self.draw()

    def action_range(self) -> None:
        number = self.number()
        if self.range_from is not None or number is None:
            self.end_range()
        else:
            self.range_from, self._range_line = number, self._line_of(number)
            self._hold(number)

    def action_plain(self) -> None:
        if self.range_from is not None:
            self.end_range()
        elif self.shown.wanted:
            self.search(Safe(""))
        elif self.filter_words:
            self.show_only(Query(), Safe(""))

    # Drawing

    def refill(self) -> None:
        self._barred = ()
        if not self.following:
            self._reveal()
        self.draw()

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Lays out what is in sight, and nothing else."""
        if not self.is_mounted or not self.size.height:
            return
        self._how = self._layout()
        count = len(self.view)
        foot = self._foot()
        if not count:
            self._title()
            self._say_none(foot)
            return
        head = self._head()
        room = max(1, self.size.height - len(head) - len(foot))
        if self.following or not isinstance(self.at, int):
            self.at = self.view[count - 1]
            shown = self._sight.up_from(count - 1, room)
        else:
            if not self._looking:  # what it stood on may not be shown any more
                self.at = self.view[min(self.view.place(self.at), count - 1)]
            edge = self._edge()
            shown = [*edge, *self._sight.down(max(1, room - len(edge)))]
        at = self.at
        self.show_rows([*head, *shown, *foot])
        self.at = at
        self._under, self._top_line = self.line(), self._line_of(self._sight.top)
        self._title()

    def _say_none(self, foot: list[Row]) -> None:
        words = self.missing
        if self.window.first < self.window.end:
            looking = not self.view.work(0.0)
            words = Safe("Looking …") if looking else Safe(f"No line fits {self.filter_words}.")
            words = words if looking else Safe(f"{words} & changes the filter, l the level.")
        width = max(20, self.size.width - 2)
        lines = [line for part in words.split("\n") for line in paint.fold(Safe(part), width)]
        rows = [paint.row(Safe(" "), (line, "faint")) for line in lines]
        self.show_rows([*self._head(), *rows, *foot])

    def _room(self) -> int:
        """How many rows of lines are in sight."""
        around = len(self._head()) + len(self._foot()) + bool(self._edge())
        return max(1, self.size.height - around)

    def _layout(self) -> Layout:
        letters = len(tag(len(self.names) - 1)) if len(self.names) > 1 else 0
        return Layout(
            width=max(20, self.size.width),
            tag=letters and letters + 1,
            times=self.times,
            zone=self.zone,
            wrap=self.wrapping,
            aside=self._side,
            colours="NO_COLOR" not in os.environ,
            wanted=self.shown.pattern,
            now=time.time_ns(),
        )

    def _laid(self, place: int) -> list[Row]:
        number = self.view[place]
        if self._line_of(number) is None:
            return []  # dropped, and the view has not looked yet
        here = number == self.at and not self.following and self.has_focus
        chosen = self.range_from is not None and self._in_range(number)
        laid = rows(self.window[number], self._how, number, here=here, chosen=chosen)
        return [*self._begins(place), *laid]

    def _begins(self, place: int) -> list[Row]:
        """Above a line amid others: whose lines are loaded only from there on, as no silence."""
        if not place or len(self.names) < 2:
            return []
        window, only = self.window, self.shown.query.origins
        before, number = self.view[place - 1], self.view[place]
        names = [
            Safe(f"{tag(origin)} {self.name_of(origin)}")
            for origin, at in sorted(self.begun.items())
            if (only is None or origin in only) and before < window.near(at) <= number
        ]
        if not names:
            return []
        words = Safe(f"── {', '.join(names)}: older not loaded (k at the top)")
        return [paint.row((words, "faint"))]

    def _in_range(self, number: int) -> bool:
        if self.range_from is None or not isinstance(self.at, int):
            return False
        return min(self.range_from, self.at) <= number <= max(self.range_from, self.at)

    def _edge(self) -> list[Row]:
        """What stands above the first line that is loaded."""
        if self.following or not self._sight.at_start:
            return []
        words = self.older_words or Safe("k or pageup here loads older lines")
        return [paint.row((Safe(f"── {words} "), "faint"))]

    def _reveal(self) -> None:
        """Scrolls so that the cursor's line is in sight, by as little as that takes."""
        number = self.number()
        if number is None or not self.size.height:
            return
        self._how = self._layout()
        self._sight.reveal(self.view.place(number), self._room())

    def _head(self) -> list[Row]:
        """The legend of several logs, and the errors a minute, where there is room for them."""
        if self.size.height < _LOW:
            return []
        head = [legend(self.names, self.size.width)] if len(self.names) > 1 else []
        changes = (self.window.changes, self.not_loaded)
        if changes != self._barred:
            self._barred = changes
            self._bars = errors_row(
                self.window, self.shown_zone, self.size.width - 1, self.not_loaded
            )
        return [*head, self._bars] if self._bars.parts else head

    def _foot(self) -> list[Row]:
        return [*self._range_keys(), *self._noted()]

    def _range_keys(self) -> list[Row]:
        if self.range_from is None:
            return []
        words = Safe(" j k widen the range · m pins · y copies · v or esc drops")
        return [paint.row((words, "key"))]

    def _noted(self) -> list[Row]:
        if not self._note:
            return []
        folded = paint.fold(self._note, max(20, self.size.width - 2))[:_MOST_NOTE]
        return [paint.row((Safe(f" {line}"), "warn")) for line in folded]

    @property
    def filter_words(self) -> str:
        """Which lines are shown, in words; empty for all."""
        parts = [self.shown.words] if self.shown.words else []
        if self.shown.query.least > Level.NONE:
            parts.append(Safe(f"level {self.shown.query.least.name.lower()}+"))
        if self.shown.query.origins is not None:
            parts += [self.name_of(origin) for origin in sorted(self.shown.query.origins)]
        return ", ".join(parts)

    def _title(self) -> None:
        parts = ["2 Logs"]
        if self.of:
            parts.append(self.of)
        if self.range_from is not None:
            count = len(self.chosen())
            parts.append(f"range of {count} {'line' if count == 1 else 'lines'}")
        if matches := self.shown.matches(self.number(), looking=self._looking):
            parts.append(matches)
        if passed := self.shown.passed:
            parts.append(f"{many(passed, 'line')} not searched, too slow")
        if only := self.filter_words:
            parts.append(f"only {only}" if self.shown.wanted else f"only {only} (esc: all)")
        if self.of:
            parts.append(self._goes_on() if self.following else self._held())
        if self._rate > _FAST:
            parts.append(f"{round(self._rate, -2):,.0f} lines/s")
        if self.times is not Times.AUTO:
            parts.append(self.times.value)
        title = Safe(" · ".join(parts))
        if title != self._titled:
            self._titled = title
            self.border_title = paint.text(title)

    def _goes_on(self) -> str:
        return "waiting, see below" if self._note and len(self.names) < 2 else "following"

    def _held(self) -> str:
        # Older lines that were loaded amid those held have moved the end, and are not new.
        new = len(self.view) - self.view.place(self._held_at + self.window.put_in)
        if not new:
            return "paused (f follows)"
        return f"paused · {new:,} new {'line' if new == 1 else 'lines'}, f"
