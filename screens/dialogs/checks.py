"""The checklist before a shift on the full screen: answers as they come, and what is yours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit import clock
from cockpit.oncall import checks, here, kept, there
from cockpit.oncall.model import Handbook
from cockpit.oncall.result import Check, Found, Mark, Result, count, worst
from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens import paint
from screens.bars import REFRESH, Words, keys_line
from screens.driver import when_shown
from screens.lines import Lines, pointer
from screens.paint import Row

_LOOKS = {
    Mark.OK: "good",
    Mark.NOTE: "faint",
    Mark.YOURS: "key",
    Mark.WARN: "warn",
    Mark.BAD: "bad",
}
_WRONG = (Mark.BAD, Mark.WARN)


class CheckRows(Lines):
    """A check is a stop: its sign, its name, the answer, and what to do where it is wrong."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "screen.tick", "tick", id="checks.tick",
                tooltip="Tick what is yours to do, or take that back"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__(id="check-rows")
        self.names: list[Safe] = []
        self.results: dict[int, Result] = {}

    def moved(self) -> None:
        self.refill()

    def refill(self) -> None:
        width = max(20, self.size.width - 1)
        self.show_rows([row for n in range(len(self.names)) for row in self._rows(n, width)])

    def _rows(self, number: int, width: int) -> list[Row]:
        lead = (pointer(self.at == number), "key")
        name = self.names[number]
        result = self.results.get(number)
        if result is None:
            waits = (Safe(f"...   {name}"), "faint")
            return [paint.row(lead, (paint.fit(waits[0], width - 2), waits[1]), stop=number)]
        look = _LOOKS[result.mark]
        wrong = result.mark in _WRONG
        said = Safe("") if result.mark is Mark.YOURS else Safe(f": {result.said}")
        parts = [
            lead,
            (Safe(f"{result.mark.sign}  "), look),
            (name, "strong" if wrong else ""),
            (said, "" if wrong else "faint"),
        ]
        lines = list(paint.fold_parts(parts, width, 8))
        if wrong and result.mend:
            lines += paint.fold_parts([(Safe(f"        {result.mend}"), "code")], width, 8)
        return [paint.row(*line, stop=number) for line in lines]


class ChecksScreen(Screen[None]):
    """Asks everything once it is shown; it has connections of its own, and closes them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_wrong", "next wrong", id="checks.next",
                tooltip="To the next thing that is wrong"),
        Binding("r", "again", "again", id="checks.again", tooltip="Ask everything again"),
        Binding("escape,q", "leave", "back", id="checks.leave", tooltip="Back"),
    ]  # fmt: skip

    def __init__(self, responder: Responder) -> None:
        super().__init__()
        self.responder = responder
        self._over = False
        self._open = False
        self._machine = 0
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield CheckRows()
        yield Words(id="said")
        yield Words(id="keys-here", classes="bar")

    def on_mount(self) -> None:
        self._list.focus()
        self.query_one("#said").display = False
        when_shown(self, self._shown)
        self.set_interval(REFRESH, self._draw)
        self._ask()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    @property
    def _list(self) -> CheckRows:
        return self.query_one(CheckRows)

    def _shown(self) -> None:
        """A tick that was typed before was meant for another screen."""
        self._open = True

    # Asking

    @work(exit_on_error=False, exclusive=True)
    async def _ask(self) -> None:
        from cockpit.incident.logbook import aside
        from cockpit.oncall import handbook

        responder, rows = self.responder, self._list
        self._over = False
        read = responder.handbook
        if read is None:
            read = await aside(lambda: handbook.load(responder.config))
        now = clock.now()
        ticked = {one.name for one in rows.results.values() if one.said == checks.DONE}

        def plan(ground: there.Ground) -> Sequence[Check]:
            return checks.plan(ground, read, now, self._terminal)

        def begun(asked: Sequence[Check]) -> None:
            mine = self._mine(read, ticked)
            self._machine = len(asked)
            rows.names = [*(one.name for one in asked), *(one.name for one in mine)]
            rows.results = dict(enumerate(mine, len(asked)))
            rows.refill()

        def told(number: int, result: Result) -> None:
            rows.results[number] = result

        await there.ask_all(
            responder.config,
            responder.log.who,
            plan,
            seconds=checks.DEADLINE,
            begun=begun,
            told=told,
        )
        self._over = True
        self._keep()

    def _mine(self, read: Handbook, ticked: set[Safe]) -> list[Result]:
        items = checks.yours(read)
        return [checks.answered(one, True) if one.name in ticked else one for one in items]

    def _terminal(self) -> Found:
        width, height = self.app.size
        return here.terminal((width, height), "utf-8", os.environ.get("TERM", ""))

    def _keep(self) -> None:
        results = [one for _, one in sorted(self._list.results.items())]
        outcome = checks.OUTCOMES[worst(results)]
        self._trouble = kept.keep(outcome, results, clock.now())

    # What it shows

    def _draw(self) -> None:
        rows = self._list
        results = list(rows.results.values())
        answered = sum(number < self._machine for number in rows.results)
        if self._over:
            outcome = checks.OUTCOMES[worst(results)]
            look = {"ready": "good", "degraded": "warn"}.get(outcome, "bad")
            head = [(Safe(" Before the shift: "), "title"), (Safe(outcome), f"{look} strong")]
        else:
            words = f" Before the shift: {answered} of {self._machine} answered"
            head = [(Safe(words), "title")]
        if results:
            head.append((Safe(f" · {count(results)}"), ""))
        self.query_one("#title", Words).say(*head)
        rows.refill()
        trouble = [(clean_line(f" The result is not kept: {self._trouble}"), "bad")]
        self.query_one("#said", Words).say(*trouble if self._trouble else ())
        keys = ["space ticks what is yours", "n next wrong", "r asks again", "esc back"]
        self.query_one("#keys-here", Words).say((keys_line(keys, self.size.width), "faint"))

    # Keys

    def action_tick(self) -> None:
        rows = self._list
        at = rows.at
        item = rows.results.get(at) if isinstance(at, int) else None
        if item is None or not isinstance(at, int) or at < self._machine or not self._open:
            return
        if item.mark is Mark.YOURS:
            rows.results[at] = checks.answered(item, True)
        else:
            rows.results[at] = replace(item, mark=Mark.YOURS, said=checks.TODO)
        rows.refill()
        if self._over:
            self._keep()

    def action_next_wrong(self) -> None:
        rows = self._list
        wrong = sorted(number for number, one in rows.results.items() if one.mark in _WRONG)
        at = rows.at if isinstance(rows.at, int) else -1
        after = [number for number in wrong if number > at]
        if wrong:
            rows.go((after or wrong)[0])

    def action_again(self) -> None:
        if self._over:
            self._ask()

    def action_leave(self) -> None:
        self.dismiss(None)
