"""A rollout while it runs, and after: a grid of hosts, and at a glance how many worked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit.incident.rollouts import HostState, Stand, standings
from cockpit.responder import Responder
from cockpit.text import Safe, clean, clean_line
from cockpit.words import duration
from screens import paint
from screens.bars import REFRESH, Words, keys_line
from screens.dialogs.host_rows import HostRows
from screens.dialogs.reader import Reader
from screens.lines import pointer
from screens.paint import Part, Row

Retry = Literal["failed", "rest"]

FIRST_LINES = 8
WINDOW = 4096

# A sign of two cells and one of one cell, its look, and the word in the count.
_SIGNS = {
    Stand.OK: ("ok", "+", "good", "ok"),
    Stand.FAILED: ("!!", "X", "bad", "FAILED"),
    Stand.UNKNOWN: ("??", "?", "bad", "UNKNOWN"),
    Stand.STOPPED: ("--", "X", "warn", "stopped"),
    Stand.NEVER_STARTED: ("--", "X", "warn", "never started"),
    Stand.OUT_OF_REACH: ("!!", "X", "bad", "OUT OF REACH"),
    Stand.LOST: ("~~", "~", "bad", "LOST LINK"),
    Stand.STOPPING: ("..", ">", "warn", "stopping"),
    Stand.RUNNING: ("..", ">", "warn", "running"),
    Stand.SENDING: ("..", ">", "warn", "sending"),
    Stand.WAITING: ("  ", ".", "faint", "waiting"),
    Stand.NOT_RUN: ("  ", "-", "faint", "not run"),
}


class RolloutScreen(Screen[Retry | None]):
    """Shows a rollout by its id. Returns which hosts it is to be run again on, or None.

    Leaving it while it runs stops nothing. One of an earlier cockpit is shown as it ended.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "output", id="rollout.enter",
                tooltip="Go on after the first host; else the output of this host"),
        Binding("o", "output", "output", id="rollout.output", tooltip="The output of this host"),
        Binding("x", "stop", "stop", id="rollout.stop",
                tooltip="Stop what runs, and run it on no further host"),
        Binding("n", "next_bad", "next failed", id="rollout.next",
                tooltip="To the next host that failed"),
        Binding("r", "again('failed')", "failed again", id="rollout.again",
                tooltip="Run it again on the hosts that failed"),
        Binding("R", "again('rest')", "failed and not run", id="rollout.rest",
                tooltip="Run it again on the hosts that failed, and on those it did not run on"),
        Binding("escape,q", "leave", "back", id="rollout.back", tooltip="Back; what runs goes on"),
    ]  # fmt: skip

    def __init__(self, responder: Responder, id: str) -> None:
        super().__init__()
        self.responder = responder
        self.rollout = id
        self._asked_at: float | None = None
        self._asking = False
        self._was_at_first = True

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield Words(id="counts")
        yield Words(id="map")
        yield Words(id="said")
        yield HostRows(self._draw_rows)
        yield Words(id="keys-here", classes="bar")

    def on_mount(self) -> None:
        self.set_interval(REFRESH, self._draw)
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # What it shows

    @property
    def states(self) -> tuple[HostState, ...]:
        """Where each host stands now."""
        live = self.responder.rollouts.get(self.rollout)
        if live is not None:
            return live.states
        return standings(self.responder.incident, self.rollout, self.responder.links.of)

    def _draw(self) -> None:
        live = self.responder.rollouts.get(self.rollout)
        states = self.states
        asks = live is not None and live.asks
        if asks and not self._asking:
            self.query_one(HostRows).ask()
        self._asking = asks
        self._draw_head(states, max(20, self.size.width - 2))
        self._draw_rows()
        keys = [f"enter {'goes on' if asks else 'output'}"]
        keys += ["o output"] if asks else []
        if any(state.stand.going or state.stand is Stand.WAITING for state in states):
            keys.append("x stops it")
        elif live is not None:
            keys += ["r failed again"] if any(state.stand.bad for state in states) else []
            if any(state.stand is Stand.NOT_RUN for state in states):
                keys.append("R also those not run")
        keys += ["n next failed"] if any(state.stand.bad for state in states) else []
        words = keys_line([*keys, "esc back"], self.size.width)
        self.query_one("#keys-here", Words).say((words, "faint"))

    def _draw_head(self, states: Sequence[HostState], width: int) -> None:
        rolled = self.responder.incident.rollouts[self.rollout]
        asked, ended = rolled.asked, rolled.ended
        until = rolled.ended_at or datetime.now(UTC)
        took = _whole(until - rolled.at)
        first = asked.command.strip().split("\n")[0]
        noun = "host" if len(states) == 1 else "hosts"
        head: list[Part] = [
            (clean_line(f" {asked.label}: {len(states)} {noun} · {took}"), "title"),
            (clean_line(f" · $ {first}"), "code"),
        ]
        self.query_one("#title", Words).say(*head)
        counts = Counter(state.stand for state in states)
        parts: list[Part] = [(Safe(" "), "")]
        for stand, (_, sign, look, word) in _SIGNS.items():
            if counts[stand]:
                parts.append((Safe(f"{sign} {counts[stand]} {word}"), f"{look} strong"))
                parts.append((Safe("   "), ""))
        self.query_one("#counts", Words).say(*parts[:-1])
        shown: list[Part] = [(Safe(" "), "")]
        for index, state in enumerate(states):
            if index and index % width == 0:
                shown.append((Safe("\n "), ""))
            _, sign, look, _ = _SIGNS[state.stand]
            shown.append((Safe(sign), look))
        self.query_one("#map", Words).say(*shown)
        words, look = self._sentence(states, ended.how if ended else "")
        lines = paint.fold(words, width)[:4] if words else []
        self.query_one("#said", Words).say((Safe("\n".join(f" {line}" for line in lines)), look))

    def _sentence(self, states: Sequence[HostState], how: str) -> tuple[Safe, str]:
        """What is to be known or done now."""
        live = self.responder.rollouts.get(self.rollout)
        bad = [state for state in states if state.stand.bad or state.stand is Stand.LOST]
        failed = "; ".join(f"{state.host} ({state.words})" for state in bad[:6])
        failed += f" and {len(bad) - 6} more" if len(bad) > 6 else ""
        lost = [state.host for state in states if state.stand is Stand.LOST]
        left = sum(state.stand in (Stand.WAITING, Stand.NOT_RUN) for state in states)
        if how:
            look = "good" if not bad and not left else "bad" if bad else "warn"
            rest = f" Not run on {left}." if left else ""
            worked = "It worked on every host." if look == "good" else ""
            said = f"Failed: {failed}." if bad else worked
            return clean_line(f"{how.capitalize()}. {said}{rest}"), f"{look} strong"
        if live is not None and live.asks:
            first = states[0].host
            return clean_line(
                f"{first} worked. Look at what it printed: enter goes on with the other"
                f" {len(states) - 1}, x ends it here."
            ), "warn strong"
        if live is not None and live.stopping:
            return Safe("Stopping what runs. No further host is started."), "warn"
        if lost:
            return clean_line(
                f"The link to {', '.join(lost[:6])} is lost; what runs there goes on. No further"
                " host is started until it is back. x stops."
            ), "bad"
        if bad:
            return clean_line(f"Failed: {failed}."), "bad"
        return Safe(""), ""

    def _draw_rows(self) -> None:
        states, shown = self.states, self.query_one(HostRows)
        widest = max(cell_len(clean_line(state.host)) for state in states)
        widest = min(widest, max(10, self.size.width // 4))
        at = shown.at or states[0].host
        rows: list[Row] = []
        for index, state in enumerate(states):
            rows.append(self._row(state, (pointer(state.host == at), "key"), widest))
            if self._asking and index == 0:
                rows += self._first_output(state, max(20, self.size.width - 2))
        shown.show_rows(rows)

    def _row(self, state: HostState, pointer: Part, widest: int) -> Row:
        sign, _, look, _ = _SIGNS[state.stand]
        words = paint.fit(clean_line(f"{state.words}{_for(state)}"), 20)
        return paint.row(
            pointer,
            (Safe(f"{sign} "), look),
            (paint.fit(clean_line(state.host), widest), "strong" if state.stand.bad else ""),
            (Safe("  "), ""),
            (words, look),
            (Safe("  "), ""),
            (self._last_line(state), "bad" if state.stand is Stand.OUT_OF_REACH else "faint"),
            stop=state.host,
        )

    def _last_line(self, state: HostState) -> Safe:
        """The last line that it printed; else why there is none."""
        if state.run is None or state.stand in (Stand.UNKNOWN, Stand.LOST):
            return clean_line(state.why)
        lines = self._printed(state)
        return Safe(lines[-1]) if lines else Safe("")

    def _printed(self, state: HostState) -> list[str]:
        """The end of what it printed, without empty lines at the end."""
        run = state.run
        if run is None:
            return []
        output = self.responder.outputs.get(run.job)
        newest = output.newest[-WINDOW:] if output else b""
        text = clean(newest) if newest else clean(run.tail)
        return text.rstrip().split("\n") if text.strip() else []

    def _first_output(self, state: HostState, width: int) -> list[Row]:
        lines = self._printed(state)
        shown = [Safe(line) for line in lines[-FIRST_LINES:]] or [Safe("It printed nothing.")]
        rows = [
            paint.row((paint.fit(Safe(f"      │ {line}"), width), ""), stop=state.host)
            for line in shown
        ]
        if len(lines) > FIRST_LINES:
            more = paint.row((Safe("      │ … o shows all of it"), "faint"), stop=state.host)
            rows.insert(0, more)
        return rows

    # Keys

    def _here(self) -> HostState | None:
        at = self.query_one(HostRows).at
        return next((state for state in self.states if state.host == at), None)

    def action_go_on(self) -> None:
        live = self.responder.rollouts.get(self.rollout)
        if live is None or not live.asks:
            self.action_output()
        elif self._asking:
            live.go_on()
            self._draw()

    def action_output(self) -> None:
        state = self._here()
        if state is None:
            return
        if state.run is None:
            said = clean_line(f"{state.host}: {state.words}. {state.why}")
            self.app.push_screen(Reader(clean_line(f" {state.host}"), lambda: said))
            return
        run, log = state.run, self.responder.log
        file = str(log.place / run.asked.evidence) if log.place and run.asked.evidence else ""
        title = clean_line(f" Output on {state.host}: {state.words}{_for(state)}")
        self.app.push_screen(
            Reader(title, lambda: log.output_text(run.job), grows=not run.over, file=file)
        )

    def action_stop(self) -> None:
        live = self.responder.rollouts.get(self.rollout)
        if live is not None and not live.ended and not live.stopping:
            live.stop()
            self._draw()

    def action_next_bad(self) -> None:
        rows, states = self.query_one(HostRows), self.states
        hosts = [state.host for state in states]
        start = hosts.index(rows.at) + 1 if isinstance(rows.at, str) and rows.at in hosts else 0
        for state in (*states[start:], *states[:start]):
            if state.stand.bad or state.stand is Stand.LOST:
                rows.go(state.host)
                return

    def action_again(self, which: Retry) -> None:
        live = self.responder.rollouts.get(self.rollout)
        if live is None:
            self.notify(
                "It is of an earlier cockpit: P on its command runs it again.", markup=False
            )
        elif live.ended and any(one.stand.bad or one.stand is Stand.NOT_RUN for one in self.states):
            self.dismiss(which)

    def action_leave(self) -> None:
        self.dismiss(None)


def _for(state: HostState) -> str:
    """` · 4 s`: how long it ran, or has been running."""
    run = state.run
    if run is None:
        return ""
    if run.seconds is not None:
        return f" · {duration(run.seconds)}"
    if run.over:
        return ""
    return f" {_whole(datetime.now(UTC) - run.at)}"


def _whole(delta: timedelta) -> str:
    """A length of time in whole seconds: what runs is not drawn more often than that."""
    seconds = max(0, int(delta.total_seconds()))
    return duration(seconds) if seconds >= 10 else f"{seconds} s"
