"""The dry list: what would run on which host of a group, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit.reach import Reach
from cockpit.responder import Responder
from cockpit.rollout_plan import Plan, Planned
from cockpit.text import Safe, clean, clean_line
from screens import paint
from screens.bars import REFRESH, Words, keys_line
from screens.dialogs.host_rows import HostRows
from screens.dialogs.reader import Reader
from screens.lines import pointer
from screens.paint import Part, Row

MOST = 100


class DryList(Screen[Plan | None]):
    """Shows a plan, host by host; the plan as it is to run, or None.

    reach: begun already. doubts: why a host is better left out, by host; it is, until it is taken
    in.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "go on", id="rollout.go", tooltip="Go on with these hosts"),
        Binding("o", "show", "command", id="rollout.show", tooltip="All of this host's command"),
        Binding("plus", "more(1)", "more at a time", id="rollout.more", show=False,
                tooltip="More hosts at a time"),
        Binding("minus", "more(-1)", "fewer at a time", id="rollout.fewer", show=False,
                tooltip="Fewer hosts at a time"),
        Binding("greater_than_sign", "failures(1)", "more failures", id="rollout.lax",
                show=False, tooltip="Stop at more failures"),
        Binding("less_than_sign", "failures(-1)", "fewer failures", id="rollout.strict",
                show=False, tooltip="Stop at fewer failures"),
        Binding("a", "ask", "ask after the first", id="rollout.ask", show=False,
                tooltip="Ask after the first host, or go on by itself where it worked"),
        Binding("escape,q", "leave", "leave it", id="rollout.leave", tooltip="Run nothing"),
    ]  # fmt: skip

    def __init__(
        self, responder: Responder, plan: Plan, reach: Reach, doubts: Mapping[str, str]
    ) -> None:
        super().__init__()
        self.responder = responder
        self.plan = plan
        self.reach = reach
        self.doubts = doubts
        self._by_hand: dict[str, bool] = {}
        self._said = Safe("")

    def compose(self) -> ComposeResult:
        yield Words(id="title", classes="bar")
        yield Words(id="how")
        yield HostRows(self._draw_rows)
        yield Words(id="said")
        yield Words(id="keys-here", classes="bar")

    def on_mount(self) -> None:
        self.set_interval(REFRESH, self._draw)
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # What it shows

    def _taken(self, host: str) -> bool:
        """Whether a host is to run it: as the responder said, else where it can be reached."""
        if not self.reach.of(host).usable:
            return False
        return self._by_hand.get(host, host not in self.doubts)

    def _draw(self) -> None:
        plan = self.plan
        reached = [self.reach.of(one.host) for one in plan.hosts]
        taken = [one for one in plan.hosts if self._taken(one.host)]
        waits = sum(not one.known for one in reached)
        gone = sum(one.known and not one.usable for one in reached)
        hosts = "1 host" if len(plan.hosts) == 1 else f"{len(plan.hosts)} hosts"
        parts: list[Part] = [
            (clean_line(f" Dry list: {plan.label}, {len(taken)} of {hosts}"), "title")
        ]
        if waits:
            parts.append((Safe(f" · connecting to {waits}"), "warn"))
        if gone:
            parts.append((Safe(f" · {gone} OUT OF REACH"), "bad"))
        self.query_one("#title", Words).say(*parts)
        width = max(20, self.size.width - 2)
        command = paint.fold(clean_line(f"$ {plan.command.strip()}"), width)[:2]
        course = paint.fold(_course(plan, taken), width)
        self.query_one("#how", Words).say(
            (Safe("\n".join(f" {line}" for line in command)), "code"),
            (Safe("".join(f"\n {line}" for line in course)), ""),
        )
        self._draw_rows()
        self.query_one("#said", Words).say((self._said, "warn"))
        self.query_one("#keys-here", Words).say((keys_line(_KEYS, self.size.width), "faint"))

    def _draw_rows(self) -> None:
        taken = [one.host for one in self.plan.hosts if self._taken(one.host)]
        rows, widest = self.query_one(HostRows), self._widest()
        at = rows.at or self.plan.hosts[0].host
        rows.show_rows(
            [
                self._row(one, taken, (pointer(one.host == at), "key"), widest)
                for one in self.plan.hosts
            ]
        )

    def _row(self, planned: Planned, all_taken: list[str], pointer: Part, widest: int) -> Row:
        host, reached = planned.host, self.reach.of(planned.host)
        name = paint.fit(clean_line(host), widest)
        taken = host in all_taken
        word = "[ ] " if not taken else "[1] " if host == all_taken[0] else "[x] "
        box = (Safe(word), "good" if taken else "faint")
        parts: list[Part] = [
            pointer,
            box,
            (name, "strong" if taken else "faint"),
            (Safe("  "), ""),
        ]
        if not reached.known:
            parts.append((Safe("connecting"), "warn"))
        elif reached.trouble:
            parts.append((clean_line(f"OUT OF REACH: {reached.trouble}"), "bad"))
        else:
            if not taken:
                parts.append((Safe("left out  "), "warn"))
            if doubt := self.doubts.get(host):
                parts.append((clean_line(f"{doubt}  "), "warn"))
            user, directory = self._place(planned)
            parts.append((clean_line(f"{user + ' ' if user else ''}in {directory}  "), "faint"))
            one, *more = clean(planned.command).strip("\n").split("\n")
            parts.append((Safe(f"$ {one}{' …' if more else ''}"), "code" if taken else "faint"))
        return paint.row(*parts, stop=host)

    def _place(self, planned: Planned) -> tuple[str, str]:
        """Who would run it, and in which directory."""
        target = self.responder.links.tried(planned.host)
        chosen = self.plan.on(planned.host)
        session = self.responder.session(chosen) if chosen else None
        return target.user, (session.directory if session else "") or target.workdir or "~"

    def _widest(self) -> int:
        names = max(cell_len(clean_line(one.host)) for one in self.plan.hosts)
        return min(names, max(10, self.size.width // 4))

    # Keys

    def action_take(self) -> None:
        host = self.query_one(HostRows).at
        if not isinstance(host, str):
            return
        reached = self.reach.of(host)
        if reached.known and reached.trouble:
            self._say(f"{host} cannot be reached: {reached.trouble}")
        else:
            taken = self._by_hand.get(host, host not in self.doubts)
            self._by_hand[host] = not taken
            self._say("")
        self._draw()

    def action_more(self, by: int) -> None:
        self.plan = replace(self.plan, batch=max(1, min(MOST, self.plan.batch + by)))
        self._draw()

    def action_failures(self, by: int) -> None:
        most = max(1, len(self.plan.hosts))
        self.plan = replace(self.plan, stop_after=max(1, min(most, self.plan.stop_after + by)))
        self._draw()

    def action_ask(self) -> None:
        self.plan = replace(self.plan, ask_first=not self.plan.ask_first)
        self._draw()

    def action_show(self) -> None:
        at = self.query_one(HostRows).at
        command = next(clean(one.command) for one in self.plan.hosts if one.host == at)
        self.app.push_screen(Reader(clean_line(f" The command on {at}"), lambda: command))

    def action_go_on(self) -> None:
        waits = [
            one.host
            for one in self.plan.hosts
            if not self.reach.of(one.host).known and self._by_hand.get(one.host, True)
        ]
        if waits:
            hosts = waits[0] if len(waits) == 1 else f"{len(waits)} hosts"
            self._say(f"Still connecting to {hosts}: a moment, or space leaves a host out.")
            return
        out = [one.host for one in self.plan.hosts if not self._taken(one.host)]
        if len(out) == len(self.plan.hosts):
            self._say("No host is left to run it on. space takes one in; esc leaves.")
            return
        self.dismiss(self.plan.without(out))

    def _say(self, words: str) -> None:
        self._said = clean_line(f" {words}" if words else "")
        self._draw()

    def action_leave(self) -> None:
        self.dismiss(None)


_KEYS = (
    "enter goes on", "space leaves out", "o command", "+ - < > a change how", "esc leaves",
)  # fmt: skip


def _course(plan: Plan, taken: list[Planned]) -> Safe:
    """How it would go, in words, with the keys that change it."""
    if not taken:
        return Safe("on no host")
    first = taken[0].host
    if len(taken) == 1:
        return clean_line(f"on {first} alone")
    then = "asks" if plan.ask_first else "goes on by itself where it worked"
    batch = min(plan.batch, len(taken) - 1)
    failures = "the first failure" if plan.stop_after == 1 else f"{plan.stop_after} failures"
    return clean_line(
        f"{first} alone, then {then} (a); then {batch} at a time (+ -); stops at {failures} (< >)"
    )
