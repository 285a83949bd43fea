"""Small apps that the tests of the driver run in a terminal: `python driver_apps.py NAME [LOG]`."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static

import screens.terminal
from screens.driver import driver_class, driver_of

Input.cursor_blink._default = False  # two screens are to be compared when all is at rest

WIDE = "\n".join(
    [
        "日本語テキスト mixed 中文 end",
        "e\u0301a\u0308o\u0302 combining n\u0303o",
        "box ─── │ ● → … ± ambiguous",
        "ｆｕｌｌｗｉｄｔｈ ends",
        "한국어 and back",
    ]
)


class Demo(App[None]):
    """What all of them share: keys to end, and proof that the loop lives.

    `m` notes the longest that the loop was held up since the last time. Where the whole process
    got no processor, which a thread beside the loop tells, that is not counted.
    """

    CSS = """
    #left, #right { width: 1fr; } .pane { height: 1fr; border: round green; }
    Ask { align: center middle; } Ask Static { width: 40; height: 5; border: heavy red; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "Quit"), ("ctrl+l", "repaint", "Paint")]

    def __init__(self) -> None:
        super().__init__(driver_class=driver_class())
        self.gap = 0.0
        self.stood = 0.0
        self.gaps: list[float] = []
        self.keys = 0
        self.positions: list[tuple[int, int]] = []

    async def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.exit)
        self._beat = asyncio.create_task(self._watch())
        threading.Thread(target=self._watch_the_process, daemon=True).start()

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.02)
            self.gap = max(self.gap, time.monotonic() - before - 0.02)

    def _watch_the_process(self) -> None:
        while True:
            before = time.monotonic()
            time.sleep(0.02)
            self.stood = max(self.stood, time.monotonic() - before - 0.02)

    async def settled(self) -> None:
        """Until all that was begun is drawn: on a busy machine a part of it comes late."""
        for _ in range(6):
            await Pilot(self).pause()

    def on_key(self, event: events.Key) -> None:
        self.keys += 1
        if event.key == "m":
            self.gaps.append(max(0.0, self.gap - self.stood))
            self.gap = self.stood = 0.0

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.CursorPosition):
            self.positions.append((event.x, event.y))
        await super().on_event(event)

    def action_repaint(self) -> None:
        driver = driver_of(self)
        if driver is not None:
            driver.repaint()

    def report(self) -> dict[str, object]:
        driver = driver_of(self)
        return {
            "gaps": self.gaps,
            "keys": self.keys,
            "positions": self.positions,
            "rtt": driver and driver.rtt,
            "lag": driver and driver.lag,
        }


class Panes(Demo):
    """Four panes: a table whose cells change, a growing list, wide text, a note; they then rest."""

    ROUNDS = 12
    EVERY = 0.05

    def compose(self) -> ComposeResult:
        yield Static("P0 API down · 00:12:41 · saved", id="status")
        with Horizontal():
            with Vertical(id="left"):
                yield DataTable(classes="pane", cursor_type="row")
                yield Static(id="log", classes="pane")
            with Vertical(id="right"):
                yield Static(WIDE, classes="pane", id="wide")
                yield Static("[bold]bold[/] [reverse]reverse[/] [u]under[/] [red on blue]x[/]")
                yield Input(placeholder="note", classes="pane")
        yield Footer()

    async def on_mount(self) -> None:
        await super().on_mount()
        table = self.query_one(DataTable)
        for name in ("name", "cpu", "mem"):
            table.add_column(name, key=name)
        for index in range(30):
            table.add_row(f"container-{index}", "0.0", "0", key=str(index))
        self.lines: list[str] = []
        self.round = 0
        self.timer = self.set_interval(self.EVERY, self.tick)

    def tick(self) -> None:
        # On a busy machine one more tick is on its way when the timer is stopped.
        if self.round == self.ROUNDS:
            return
        table, number = self.query_one(DataTable), self.round
        for index in range(0, 30, 3):
            table.update_cell(str(index), "cpu", f"{(number * 7 + index) % 100}.{number % 10}")
        self.lines.append(f"{number:03} line of the log 日本 {'x' * (number % 9)}")
        self.query_one("#log", Static).update("\n".join(self.lines[-8:]))
        wide = WIDE.split("\n")
        turned = wide[number % 5 :] + wide[: number % 5]
        self.query_one("#wide", Static).update("\n".join(" " * (number % 3) + it for it in turned))
        self.round += 1
        if self.round == self.ROUNDS:
            self.timer.stop()
            self._rests = asyncio.create_task(self._rest())

    async def _rest(self) -> None:
        await self.settled()
        self.query_one("#status", Static).update("resting")


class Ticking(Panes):
    """The same without an end."""

    ROUNDS = -1
    EVERY = 0.2


class Still(Panes):
    """The same, at rest from the beginning."""

    ROUNDS = 1


class Emoji(Demo):
    """Text about whose width terminals disagree; everything else has to stay in its place.

    At rest it says so below.
    """

    TURNS: ClassVar[list[str]] = [
        "👨\u200d👩\u200d👧 family",
        "❤\ufe0f heart",
        "🧑🏽 tone",
        "plain text",
    ]

    def compose(self) -> ComposeResult:
        for _ in range(6):
            yield Static(classes="line")
        yield Static(id="status")

    async def on_mount(self) -> None:
        await super().on_mount()
        self.round = 0
        self.timer = self.set_interval(0.05, self.tick)

    def tick(self) -> None:
        if self.round == 9:
            return
        for index, line in enumerate(self.query(".line").results(Static)):
            turn = self.TURNS[(self.round + index) % 4]
            line.update(f"<{turn}> after{'.' * index} |end {index}")
        self.round += 1
        if self.round == 9:
            self.timer.stop()
            self._rests = asyncio.create_task(self._rest())

    async def _rest(self) -> None:
        await self.settled()
        self.query_one("#status", Static).update("resting")


class Log(Demo):
    """A list that grows over the whole width, so that its rows move up together."""

    def compose(self) -> ComposeResult:
        yield Static(id="log")
        yield Footer()

    async def on_mount(self) -> None:
        await super().on_mount()
        self.lines: list[str] = []
        self.timer = self.set_interval(0.05, self.tick)

    def tick(self) -> None:
        number = len(self.lines)
        if number > 60:
            return
        self.lines += [f"{number} of the log", f"{number + 1} [red]of[/] it {'─' * 9}"]
        self.query_one("#log", Static).update("\n".join(self.lines[-(self.size.height - 1) :]))
        if number >= 60:
            self.timer.stop()


class Ask(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        yield Static("really? 本当")


class Modal(Still):
    BINDINGS: ClassVar[list[BindingType]] = [("f2", "ask", "Ask")]

    def action_ask(self) -> None:
        self.push_screen(Ask())


class Shell(Still):
    """Hands the terminal to another program and takes it back."""

    BINDINGS: ClassVar[list[BindingType]] = [("f2", "shell", "Shell")]

    def action_shell(self) -> None:
        with self.suspend():
            subprocess.run(["sh", "-c", "echo in the shell; read line; echo got $line"], check=True)


class Asking(Still):
    """Asks for the cursor position itself, and writes other sequences."""

    BINDINGS: ClassVar[list[BindingType]] = [("f2", "position", "Ask")]

    def action_position(self) -> None:
        driver = driver_of(self)
        assert driver is not None
        driver.write("\x1b]2;a title\x07")
        driver.write("\x1b[6n")
        self.copy_to_clipboard("copied")
        self.query_one("#status", Static).update("\x1b]52;c;ZXZpbA==\x07asked\x1b[2J")


class Broken(Still):
    """Meets a mistake in the driver."""

    BINDINGS: ClassVar[list[BindingType]] = [("f2", "break", "Break")]

    def action_break(self) -> None:
        def broken(*_: object, **__: object) -> str:
            raise ArithmeticError("a mistake in the driver")

        screens.terminal.difference = broken  # type: ignore[attr-defined]
        self.query_one("#status", Static).update("broken")


APPS: dict[str, type[Demo]] = {
    app.__name__: app for app in (Panes, Ticking, Still, Emoji, Log, Modal, Shell, Asking, Broken)
}

if __name__ == "__main__":
    if "ignore-hangup" in sys.argv:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    app = APPS[sys.argv[1]]()
    app.run(mouse="mouse" in sys.argv)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps({**app.report(), "code": app.return_code}))
    sys.exit(app.return_code)
