"""The keys on a container: which are listed, its logs, its detail, what is to be done with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from textual import work

from cockpit.responder import Responder
from cockpit.text import Safe, clean_line
from screens.panes.containers import ContainersPane
from screens.step_keys import Apart, StepKeys

if TYPE_CHECKING:
    from cockpit.containers.actions import Action, Project
    from cockpit.containers.container import Container
    from cockpit.containers.engine import Engine
    from screens.panes.log_prompt import LogPrompt

_TEXTS = {
    "t": "Processes of",
    "o": "Ports and networks of",
    "f": "Changed in the file system of",
    "i": "Inspect of",
}


class ContainerKeys(StepKeys):
    """From a key on a container to what is known of it, or to a command that passed the gate."""

    log_prompt: LogPrompt

    def __init__(self, responder: Responder) -> None:
        super().__init__(responder)
        self.containers = ContainersPane(id="containers")

    def filter_containers(self) -> None:
        """Asks which containers are listed; they follow with each key."""
        pane, before = self.containers, self.containers.wanted

        def taken(text: str) -> None:
            self.to_pane("containers")
            pane.filter(clean_line(text))

        def left() -> None:
            self.to_pane("containers")
            pane.filter(before)

        self.log_prompt.ask(
            Safe("containers with"), str(before), taken, left=left,
            typed=lambda text: pane.filter(clean_line(text)),
            example="words · !healthy without · project:shop · empty: all",
        )  # fmt: skip

    def to_pane(self, name: str) -> None:
        """Has the keys go to this pane, and shows it where it is not in sight."""
        raise NotImplementedError

    def logs_at(self, container: Container, at: datetime | None) -> None:
        """Shows the log of a container, at a moment or as it comes."""
        raise NotImplementedError

    # Actions

    def action_container_actions(self) -> None:
        container = self.containers.container()
        if container is not None:
            self.start_acting(container)

    @work(exit_on_error=False)
    async def start_acting(self, container: Container) -> None:
        """Asks what to do with a container, and does it."""
        from cockpit.containers.actions import actions
        from screens.dialogs.actions import Actions

        engine = self.responder.engine_of(container.host)
        if engine is None:
            return
        docker = engine.far_command
        stale = self.containers.why_stale(container)
        offers = actions(container, docker, _project(container), stale=bool(stale))
        hint = Safe(f"Only to be read: {stale}") if stale else Safe("")
        if not docker and not stale:
            hint = Safe(
                "No docker command on this host reaches its engine, so nothing can be changed "
                "from here: use the runbook, or the host where that engine is."
            )
        title = Safe(f"What to do with {container.name}?")
        chosen = await self.app.push_screen_wait(Actions(title, offers, hint))
        if chosen is not None:
            await self._do(chosen, container, engine)

    async def _do(self, chosen: Action, container: Container, engine: Engine) -> None:
        match chosen.key:
            case "d":
                self.open_detail(container)
            case "l":
                self.logs_at(container, None)
            case "e":
                self.open_environment(container)
            case "c":
                self.open_differences(container)
            case key if key in _TEXTS:
                self._read_text(key, container, engine)
            case _:
                await self._change(chosen, container, engine)

    async def _change(self, chosen: Action, container: Container, engine: Engine) -> None:
        """Has a command run through the gate, unless what is known of the container is old."""
        from cockpit.containers.actions import actions, word

        now = self._now(container)
        amiss = self._amiss(container)
        if amiss or now is None:
            self.say(f"Nothing was run: {amiss}", bad=True)
            return
        command = chosen.command
        if chosen.key in ("R", "U"):  # the list does not tell which env files belong to it
            compose = await self._asked_project(container, engine)
            if compose is None:
                return
            offers = actions(now, engine.far_command, compose)
            command = next((one.command for one in offers if one.key == chosen.key), "")
            if not command:
                self.say("What Compose wrote on it cannot stand in a command; use the runbook.")
                return
        apart = Apart(
            str(container.host),
            (word(container),),
            looks=chosen.key == "x",
            amiss=partial(self._amiss, container),
        )
        if apart.looks:
            await self.run_text(command, None, terminal="a shell in a container", apart=apart)
        else:
            await self.run_and_read(command, apart)

    async def _asked_project(self, container: Container, engine: Engine) -> Project | None:
        from cockpit.containers.actions import project
        from cockpit.containers.engine import EngineTrouble

        try:
            return project((await engine.inspect(container.id)).config.labels)
        except EngineTrouble as trouble:
            self.say(f"Nothing was run: {trouble}", bad=True)
            return None

    def _amiss(self, container: Container) -> str:
        """Why a command that names it would do something else by now; "" where it would not."""
        now = self._now(container)
        if now is None:
            return f"{container.name} is not there any more."
        if now.name != container.name:
            return f"it is called {now.name} now, and another may have its name."
        return str(self.containers.why_stale(now))

    def _now(self, container: Container) -> Container | None:
        """The container as it is known now."""
        rows = (
            row
            for watch in self.responder.watched
            if watch.engine.target.name == container.host
            for row in watch.snapshot.rows
        )
        return next((row for row in rows if row.id == container.id), None)

    # What is read from its engine

    def _read_text(self, key: str, container: Container, engine: Engine) -> None:
        from cockpit.containers import detail_texts, details

        async def wiring(engine: Engine, id: str) -> Safe:
            return detail_texts.wiring(await details.inspected(engine, id))

        ask: dict[str, Callable[[Engine, str], Awaitable[Safe]]] = {
            "t": detail_texts.top,
            "o": wiring,
            "f": detail_texts.files,
            "i": detail_texts.inspect_text,
        }
        self._show_text(Safe(f" {_TEXTS[key]} {container.name}"), ask[key](engine, container.id))

    def _show_text(self, title: Safe, asked: Awaitable[Safe]) -> None:
        from screens.dialogs.reader import Reader

        told = Safe("Being asked …")

        async def ask() -> None:
            nonlocal told
            from cockpit.containers.engine import EngineTrouble

            try:
                told = await asked
            except EngineTrouble as trouble:
                told = clean_line(str(trouble))

        self.run_worker(ask(), exit_on_error=False)
        self.app.push_screen(Reader(title, lambda: told, grows=True))

    def open_environment(self, container: Container) -> None:
        """Shows the variables of a container, values that may be secret hidden."""
        from screens.dialogs.environment import Environment

        engine = self.responder.engine_of(container.host)
        if engine is not None:
            self.app.push_screen(Environment(engine, container.id, container.name))

    def open_differences(self, container: Container) -> None:
        """Shows what of a container differs from what its Compose file says now."""
        engine = self.responder.engine_of(container.host)
        if engine is None:
            return
        if not container.project:
            self.say("It belongs to no Compose project; no file says how it should be.")
            return
        title = Safe(f" {container.name} beside its Compose file")
        self._show_text(title, self._differences(container, engine))

    async def _differences(self, container: Container, engine: Engine) -> Safe:
        """Asks the engine what it is, and Compose on its host what it should be."""
        from cockpit.containers import details, differing
        from cockpit.containers.actions import project
        from cockpit.target import guard
        from cockpit.target.reading import read
        from cockpit.target.target import LinkDown, LinkLost

        found = await details.look(engine, container.id)
        about = found.about.value
        if about is None:
            return found.about.trouble
        compose = project(dict(about.labels))
        command = differing.command(engine.far_command, compose)
        if not command:
            return Safe(
                "Compose cannot be asked: no docker command on this host reaches its engine, or "
                "what Compose wrote on the container cannot stand in a command."
            )
        try:
            intent = self.responder.intent(command, host=str(container.host))
            leave = guard.answer(guard.ask(intent))
            said = await read(engine.target, leave, differing.WITHIN)
            text = said.output.decode("utf-8", "replace")
            compared = differing.compare(text, compose.service, about, found.image.value)
        except (LinkLost, LinkDown, OSError, guard.Refused) as error:
            return clean_line(f"Compose could not be asked: {error}")
        except differing.Unread as error:
            return clean_line(
                f"Compose on {container.host} does not say what its file holds. It says: {error}"
            )
        return differing.words(compared, container.name)

    # Detail

    def action_container_detail(self) -> None:
        container = self.containers.container()
        if container is not None:
            self.open_detail(container)

    def open_detail(self, container: Container, at: datetime | None = None) -> None:
        """Shows all that is known of a container; at: a moment to mark in its plots."""
        from screens.dialogs.container import ContainerScreen

        self.app.push_screen(ContainerScreen(self, container, at))

    # Hosts

    @work(exit_on_error=False)
    async def action_watch_hosts(self) -> None:
        from cockpit.target import hosts
        from screens.dialogs.hosts import Hosts

        names = [one for one in hosts.names(self.responder.config) if one != self._here()]
        if not names:
            self.say("cockpit.yaml names no other host. hosts: in it makes one to watch beside.")
            return
        watched = frozenset(self.responder.beside)
        chosen = await self.app.push_screen_wait(Hosts(clean_line(self._here()), names, watched))
        if chosen is not None:
            self.responder.watch_beside(chosen)

    def _here(self) -> str:
        return self.responder.target.name


def _project(container: Container) -> Project:
    """The Compose project of a container as far as the list of containers tells it."""
    from cockpit.containers.actions import Project

    files = tuple(path for path in container.config_files.split(",") if path)
    return Project(
        str(container.project), str(container.service), str(container.working_dir), files
    )
