"""The Textual application: theme, driver, signals, and what is opened first."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import events, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

import cockpit
from cockpit.config import Config
from cockpit.incident.timeline import going_on
from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens.cockpit import CockpitScreen
from screens.driver import driver_class, driver_of
from screens.lines import Lines
from screens.typed_ahead import TypedAhead

UNSAVED = 3
_SIGNS = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "full_stop": ".",
    "ampersand": "&",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}
SAVE_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Opening:
    """What to open with: an incident to take up, a host, a runbook; each may be missing.

    offer: ask first whether to take up one of the incidents that are open.
    """

    host: str = ""
    runbook: Path | None = None
    incident: Path | None = None
    offer: bool = False


class CockpitApp(App[int]):
    """One responder, one incident, one main screen. Returns the exit status."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", id="app.help", tooltip="All keys"),
        Binding("colon,ctrl+p", "palette", "palette", id="app.palette", show=False,
                tooltip="Every action by name"),
        Binding("ctrl+l", "repaint", "repaint", id="app.repaint", show=False,
                tooltip="Draw everything again"),
        Binding("q", "leave", "quit", id="cockpit.quit", tooltip="Quit; the incident stays open"),
        Binding("ctrl+q", "leave(True)", "quit", id="cockpit.quit-anywhere", show=False,
                tooltip="Quit from anywhere", priority=True),
    ]  # fmt: skip

    def __init__(self, responder: Responder, opening: Opening) -> None:
        style = Path(cockpit.__file__).with_name("cockpit.tcss")
        super().__init__(driver_class=driver_class(), css_path=style, ansi_color=True)
        self.responder = responder
        self.opening = opening
        self.main = CockpitScreen(responder)
        if opening.runbook is None and opening.incident is None:
            self.main.first = "containers"
        self.theme = responder.config.theme or "ansi-dark"
        self.animation_level = "none"
        self.set_keymap(dict(responder.config.keymap))
        self._typed = TypedAhead(self, super().on_event)

    async def on_event(self, event: events.Event) -> None:
        # Textual fails on a key that was on its way when the app ended, and the screens are gone.
        if isinstance(event, (events.Key, events.Paste)) and not self.screen_stack:
            return
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded:
            await self._typed.take(event)
        else:
            await super().on_event(event)

    def get_default_screen(self) -> Screen[Any]:
        return self.main

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: self.exit(0))
        # The first paint waits for nothing: parsing, SSH and Docker come after it.
        self.main.call_after_refresh(self._open)

    @work(exit_on_error=False)
    async def _open(self) -> None:
        gc.enable()
        try:
            await self._open_all()
        finally:
            self.main.opening = False
        self.responder.reattach()
        self.main.checklist.resume()
        self.main.redraw()
        await self._read_check()
        await self._read_handbook()
        from screens import ahead

        await ahead.load()

    async def _open_all(self) -> None:
        opening = self.opening
        folder = opening.incident
        if folder is None and opening.offer:
            folder = await self._offered()
        if folder is not None:
            await self._take_up(folder)
        book = opening.runbook
        if book is None and self.responder.incident.runbook:
            book = Path(self.responder.incident.runbook.path)
        if book is not None:
            await self._read(book)
            if self.main.focused is self.main.containers:
                self.main.to_pane("checklist")
        host = opening.host or self.responder.incident.host
        self.main.choose_host(host)

    async def _offered(self) -> Path | None:
        """Which open incident to go on with; None for a new one, or where none is open."""
        from cockpit.incident.summary import name_of, open_incidents, summary
        from screens.dialogs.choose import Choose, Offer

        log = self.responder.log
        found = await asyncio.to_thread(open_incidents, log.home, training=log.training)
        if not found:
            return None
        offers: list[Offer[Path | None]] = [
            Offer(name_of(incident), summary(incident), folder) for folder, incident in found
        ]
        offers.append(Offer(Safe("Start a new incident"), Safe("these stay open"), None))
        hint = Safe("enter goes on where you were.")
        ask = Choose[Path | None](Safe("An incident is open"), offers, hint=hint)
        return await self.push_screen_wait(ask)

    async def _take_up(self, folder: Path) -> None:
        from cockpit.incident.journal import Busy

        try:
            self.responder.take_up(folder)
        except Busy:
            self.responder.log.read_along(folder)
        except OSError as error:
            self.main.say(f"{folder.name} cannot be opened: {error}", bad=True)

    async def _read_check(self) -> None:
        from cockpit import clock
        from cockpit.incident.logbook import aside
        from cockpit.oncall import kept

        found = kept.worth_saying(await aside(kept.last), clock.now())
        if found:
            self.responder.know_check(found)

    async def _read_handbook(self) -> None:
        from cockpit import clock
        from cockpit.incident.logbook import aside
        from cockpit.oncall import handbook, ladder

        found = await aside(lambda: handbook.load(self.responder.config))
        self.responder.handbook = found
        self.responder.changed()
        if found.unread:
            self.main.say(found.unread, bad=True)
        await aside(lambda: ladder.warm(found, clock.now()))

    async def _read(self, path: Path) -> None:
        from cockpit.runbook import parse

        try:
            self.responder.open_runbook(await asyncio.to_thread(parse.read, path))
        except parse.Unreadable as error:
            self.main.say(f"{error} B chooses another.", bad=True)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            self.main.on_worker_state_changed(event)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action that a key would do here, by its plain name; then the quick commands."""
        known = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.id is None or binding.id in known or binding.id.startswith("move."):
                continue
            known.add(binding.id)
            key = self.get_key_display(binding)
            words = binding.tooltip or binding.description
            yield SystemCommand(
                f"{words} ({key})", binding.id, self._doer(binding.action, active.node)
            )
        if screen is self.main:
            host = clean_line(self.responder.target.name)
            yield SystemCommand(
                f"Open a shell on {host}", "shell.open", self.main.action_open_shell
            )
            for name, does, run in self.main.quick_commands():
                yield SystemCommand(name, does, run)

    def _doer(self, action: str, node: object) -> Callable[[], object]:
        return lambda: self.run_worker(
            self.run_action(action, node),  # type: ignore[arg-type]
            exit_on_error=False,
        )

    def get_key_display(self, binding: Binding) -> str:
        """A key as it is written in the documents: enter, ctrl+s, ?."""
        *held, key = binding.key.split(",")[0].split("+")
        return "+".join([*held, _SIGNS.get(key, key)])

    @work(exit_on_error=False)
    async def action_palette(self) -> None:
        # Textual's own palette fails on a key that comes before its list is laid out.
        from screens.dialogs.choose import Choose, Offer

        offers = [
            # Of a key, help is only its id; of a command, what that does.
            Offer(clean_line(title), clean_line(does) if " " in does else Safe(""), callback)
            for title, does, callback, _ in self.get_system_commands(self.screen)
        ]
        chosen = await self.push_screen_wait(Choose(Safe("What to do?"), offers))
        if chosen is not None:
            chosen()

    def action_help(self) -> None:
        from screens.dialogs.help import help_text
        from screens.dialogs.reader import Reader

        words = help_text(self.screen, self.get_key_display)
        self.push_screen(Reader(Safe(" Keys"), lambda: words))

    def action_repaint(self) -> None:
        driver = driver_of(self)
        if driver is not None:
            driver.repaint()
        self.refresh(layout=True)

    @work(exit_on_error=False)
    async def action_leave(self, anyhow: bool = False) -> None:
        # A dialog that a key right before this one opened by now: `q` was meant for its line.
        if self.screen is not self.main and not anyhow:
            return
        # Textual fails on a screen that is taken away while it is put up.
        while not self.screen.is_mounted:
            await asyncio.sleep(0.01)
        until = time.monotonic() + SAVE_PATIENCE
        while self.responder.log.unsaved and time.monotonic() < until:
            await asyncio.sleep(0.02)
        unsaved = self.responder.log.unsaved
        if unsaved and not await self._sure(unsaved):
            return
        self.exit(0)

    async def _sure(self, unsaved: int) -> bool:
        from screens.dialogs.form import Field, Form

        form = Form(
            Safe(f"{unsaved} events are not on disk and would be lost"),
            (Field("sure", Safe("Type lose to quit all the same, or esc"), wanted="Type lose."),),
            hint=clean_line(self.responder.log.trouble),
        )
        values = await self.push_screen_wait(form)
        return values is not None and values["sure"] == "lose"


def mistakes(config: Config) -> list[str]:
    """What cockpit.yaml asks for that no screen has, each with the nearest there is."""
    if not config.keymap and not config.theme:
        return []
    from difflib import get_close_matches

    from textual.theme import BUILTIN_THEMES

    from screens.panes.checklist import Checklist
    from screens.panes.containers import ContainersPane
    from screens.panes.logs import LogsPane
    from screens.panes.timeline import Timeline

    owners = (CockpitApp, CockpitScreen, Lines, Checklist, ContainersPane, LogsPane, Timeline)
    everywhere = (CockpitApp, CockpitScreen, Lines)
    known = {
        binding.id: (None if owner in everywhere else owner, binding.key)
        for owner in owners
        for binding in owner.BINDINGS
        if isinstance(binding, Binding) and binding.id
    }
    found = []
    asked: list[tuple[str, str, Iterable[str]]] = [
        ("keymap", id, known) for id in config.keymap if id not in known
    ]
    if config.theme and config.theme not in BUILTIN_THEMES:
        asked.append(("theme", config.theme, BUILTIN_THEMES))
    for key, name, possible in asked:
        near = get_close_matches(name, possible, 1, 0.0)
        where = _where(config, name)
        found.append(f"{where}: {key}: there is no {name}; the nearest is {near[0]}")
    for id in filter(known.__contains__, config.keymap):
        place, usual = known[id]
        for key in sorted(_keys(config.keymap[id]) - _keys(usual)):
            # What the keymap says of two actions was compared when it was read.
            taken = [
                other
                for other, (at, keys) in known.items()
                if other != id
                and other not in config.keymap
                and (at is None or place is None or at is place)
                and key in _keys(keys)
            ]
            if taken:
                found.append(
                    f"{_where(config, id)}: keymap.{id} is {key}, the key of {taken[0]}; take one"
                    f" that is free, or give {taken[0]} another here"
                )
    return found


def _keys(bound: str) -> set[str]:
    """The keys of a binding as they are printed on the keyboard."""
    return {_SIGNS.get(key, key) for key in map(str.strip, bound.split(",")) if key}


def _where(config: Config, word: str) -> str:
    """The file of the configuration, with the line where a word stands."""
    if config.path is None:
        return "cockpit.yaml"
    lines = config.path.read_text("utf-8").split("\n")
    numbers = (n for n, line in enumerate(lines, 1) if word in line.partition("#")[0])
    line = next(numbers, None)
    return f"{config.path.name}:{line}" if line else config.path.name


def _say_goodbye(responder: Responder, running: int, unsaved: int) -> None:
    """What a responder must know who sees only a prompt now, on stderr."""
    log = responder.log
    said = []
    if unsaved:
        said.append(f"{unsaved} events are NOT SAVED and are lost now. {log.trouble}")
    if log.folder and log.incident.open:
        going = f" {going_on(running)}." if running else ""
        said.append(f"The incident stays open.{going} Resume: cockpit --incident {log.folder.name}")
    elif log.folder:
        said.append(f"The incident is resolved. Its log: {log.folder / 'incident.md'}")
    waits = sum(one.waits for one in log.incident.outbox.values())
    if waits and not log.reading:
        them = "1 message is" if waits == 1 else f"{waits} messages are"
        said.append(f"{them} not sent yet. To send without opening it: cockpit outbox send")
    for sentence in said:
        print(clean_line(sentence), file=sys.stderr)  # noqa: T201


def run(responder: Responder, opening: Opening) -> int:
    """Runs the cockpit on this terminal until the responder leaves.

    Returns the exit status: 0, 1 when the program failed, 3 when events could not be saved.
    """
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    # Where a shell exports these, Textual would believe them, and not the terminal.
    for size in ("COLUMNS", "LINES"):
        os.environ.pop(size, None)

    async def session() -> int:
        app = CockpitApp(responder, opening)
        try:
            status = await app.run_async(mouse=False)
        finally:
            running = len(responder.incident.running())
            unsaved = await responder.close()
            _say_goodbye(responder, running, unsaved)
        if app.return_code:
            return app.return_code
        return UNSAVED if unsaved else status or 0

    return asyncio.run(session())
