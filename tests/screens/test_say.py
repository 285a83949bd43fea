"""Telling others by keys: which message, what is asked, what is told, to whom; and the outbox."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from cockpit.config import Config, Destination
from cockpit.incident import events as e
from cockpit.incident.events import Severity
from cockpit.incident.outgoing import Way
from cockpit.logs.line import Line, Stream
from cockpit.responder import Responder
from cockpit.text import Safe
from screens.app import CockpitApp, Opening
from screens.cockpit import CockpitScreen
from screens.dialogs.answer import Answer
from screens.dialogs.choose import Choose
from screens.dialogs.form import Form
from screens.dialogs.outbox import HELD, OutboxScreen
from screens.dialogs.say import Where, Write
from screens.status import words
from tests.outbox.flaky import Flaky
from tests.screens.logs import begin, come
from tests.screens.test_cockpit import dialog, press, shown, until
from tests.screens.tmux import Terminal, cockpit

pytestmark = pytest.mark.anyio

SECRET = "sk_live_4242424242424242"
HOSTILE = "[/] [@click=app.quit]x[/] \x1b]52;c;ZXZpbA==\x07"


@asynccontextmanager
async def opened(
    tmp_path: Path,
    *,
    size: tuple[int, int] = (80, 24),
    outbox: dict[str, Destination] | None = None,
    training: bool = False,
) -> AsyncIterator[tuple[Pilot[int], Responder, CockpitScreen]]:
    responder = Responder(
        tmp_path / "incidents", "sam", Config(outbox=outbox or {}), training=training
    )
    app = CockpitApp(responder, Opening())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: responder.watch is not None and responder.handbook is not None)
        responder.declare("Checkout is slow", Severity.P1)
        yield pilot, responder, app.main
    await responder.close()


class Mailbox:
    """An HTTP server that takes every message. got: what was posted."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        got = self.got

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.server.shutdown()
    box.server.server_close()


def said(pilot: Pilot[int]) -> str:
    """All words of the dialog that is open."""
    return " ".join(" ".join(str(part.render()) for part in pilot.app.screen.query(Static)).split())


def written(pilot: Pilot[int]) -> str:
    return pilot.app.screen.query_one(TextArea).text


def told(responder: Responder) -> list[e.UpdateSent]:
    entries = (entry.record.event for entry in responder.incident.entries)
    return [event for event in entries if isinstance(event, e.UpdateSent)]


async def choose(pilot: Pilot[int], name: str) -> None:
    await press(pilot, "U")
    await dialog(pilot, Choose)
    if name:
        pilot.app.screen.query_one(Answer).value = name
        await pilot.pause()
    await press(pilot, "enter")


async def answer(pilot: Pilot[int], *answers: str) -> None:
    await dialog(pilot, Form)
    for text in answers:
        if text:
            pilot.app.screen.query_one(Answer).value = text
        await press(pilot, "enter")
    await dialog(pilot, Write)


async def to_where(pilot: Pilot[int]) -> None:
    await press(pilot, "ctrl+s")
    await dialog(pilot, Where)
    await pilot.pause(0.1)


async def test_the_first_message_is_that_somebody_has_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await choose(pilot, "")
        await answer(pilot, "nobody can pay")
        assert written(pilot).startswith("[P1] Checkout is slow: acknowledged.\n")
        assert "Impact: nobody can pay." in written(pilot)
        assert "I have it: sam." in written(pilot)
        text = written(pilot)
        await to_where(pilot)
        assert "No destination yet" in shown(pilot.app.screen.query_one("#places"))  # type: ignore[arg-type]
        await press(pilot, "enter")
        assert not told(responder), "enter queued a message for nobody"
        await press(pilot, "h")
        await until(pilot, lambda: bool(told(responder)))
        (event,) = told(responder)
        assert (event.about, event.text, event.to) == ("acknowledged", text, ())
        pace = timedelta(minutes=30)
        assert event.next_at is not None
        assert pace <= event.next_at - datetime.now(UTC) + timedelta(seconds=60) <= 2 * pace


async def test_an_update_asks_what_it_asked_before_with_the_answer_at_hand(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        responder.tell("I have it", "acknowledged")
        await choose(pilot, "")
        await answer(pilot, "nobody can pay", "", "", "")
        assert "Impact: nobody can pay." in written(pilot)
        assert "Found: nothing yet" in written(pilot)
        assert "Next: not known yet" in written(pilot)
        assert "1 not known yet." in said(pilot)
        await to_where(pilot)
        await press(pilot, "h")
        await until(pilot, lambda: len(told(responder)) == 2)
        await choose(pilot, "")
        await answer(pilot, "", "", "", "")
        assert "Impact: nobody can pay." in written(pilot)


async def test_an_answer_that_is_left_is_offered_again_and_typing_replaces_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await choose(pilot, "ackn")
        await dialog(pilot, Form)
        await press(pilot, *"slow", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Form))
        await choose(pilot, "ackn")
        await dialog(pilot, Form)
        assert pilot.app.screen.query_one(Answer).value == "slow"
        await press(pilot, *"down", "enter")
        await dialog(pilot, Write)
        assert "Impact: down." in written(pilot)
        assert not told(responder)


async def test_resolved_is_told_once_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        await choose(pilot, "reso")
        await until(pilot, lambda: pilot.app.screen is main)
        await until(pilot, lambda: any("R resolves it" in one.message
                                       for one in pilot.app._notifications))  # fmt: skip
        assert not told(responder)


async def test_what_is_typed_into_a_message_is_told_only_as_it_was_seen(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await choose(pilot, "ackn")
        await answer(pilot, f"the key {SECRET} leaked")
        assert SECRET not in written(pilot)
        assert "1 secret taken out: it never leaves" in said(pilot)
        pilot.app.screen.query_one(TextArea).insert(" password=hunter22")
        await until(pilot, lambda: "1 secret to be taken out" in said(pilot))
        await press(pilot, "ctrl+s")
        assert isinstance(pilot.app.screen, Write), "it went on with a text that nobody had seen"
        assert "hunter22" not in written(pilot)
        assert "2 secrets taken out" in said(pilot) and "Read it again" in said(pilot)
        seen = written(pilot)
        await to_where(pilot)
        await press(pilot, "h")
        await until(pilot, lambda: bool(told(responder)))
        assert told(responder)[0].text == seen
    for file in (tmp_path / "incidents").rglob("*"):
        if file.is_file():
            held = file.read_bytes()
            assert SECRET.encode() not in held and b"hunter22" not in held, file


async def test_what_is_changed_in_the_text_is_what_the_clock_holds_to(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await choose(pilot, "ackn")
        await answer(pilot, "")
        area = pilot.app.screen.query_one(TextArea)
        area.load_text("We look. Next update in 7 minutes.")
        await to_where(pilot)
        await press(pilot, "h")
        await until(pilot, lambda: bool(told(responder)))
        due = told(responder)[0].next_at
        assert due is not None
        assert timedelta(minutes=5) < due - datetime.now(UTC) <= timedelta(minutes=7)


async def test_a_text_that_is_left_is_not_lost(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        await choose(pilot, "ackn")
        await answer(pilot, "")
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is main)
        assert main._unsent is None, "a text that nobody wrote is offered before a fresh one"
        await choose(pilot, "ackn")
        await answer(pilot, "")
        pilot.app.screen.query_one(TextArea).insert("We think it is DNS")
        await press(pilot, ".", "escape")
        await until(pilot, lambda: pilot.app.screen is main and main._unsent is not None)
        assert not told(responder)
        await choose(pilot, "go on")
        await dialog(pilot, Write)
        assert written(pilot).endswith("We think it is DNS.")
        await to_where(pilot)
        await press(pilot, "escape")
        await dialog(pilot, Write)
        assert written(pilot).endswith("We think it is DNS.")


async def test_keys_that_were_typed_ahead_tell_nobody_anything(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, _):
        await choose(pilot, "ackn")
        await answer(pilot, "")
        where = Where.on_mount
        held: list[Where] = []

        def not_drawn_yet(self: Where) -> None:
            where(self)
            held.append(self)
            self._shown = False

        # As where the terminal has not confirmed the panel: what is pressed was meant for another.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Where, "on_mount", not_drawn_yet)
            patch.setattr(Where, "_now_shown", lambda self: None)
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, Where))
            await press(pilot, "h", "enter")
            assert held and pilot.app.screen is held[0]
            assert not told(responder)


async def test_foreign_text_is_shown_and_told_harmless(tmp_path: Path) -> None:
    async with opened(tmp_path) as (pilot, responder, main):
        responder.declare(HOSTILE, Severity.P0)
        await choose(pilot, "ackn")
        await answer(pilot, "")
        assert "\x1b" not in written(pilot) and "[@click=app.quit]x" in written(pilot)
        await to_where(pilot)
        await press(pilot, "h")
        await until(pilot, lambda: pilot.app.screen is main and bool(told(responder)))
        assert "\x1b" not in told(responder)[0].text


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)])
async def test_the_panels_fit_with_their_keys_in_sight(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    outbox = {
        "team": Destination(kind="slack", env="NO_SUCH_SLACK"),
        "pager": Destination(kind="pagerduty", env="NO_SUCH_KEY"),
    }
    async with opened(tmp_path, size=size, outbox=outbox) as (pilot, responder, _):
        responder.tell("I have it", "acknowledged")
        await choose(pilot, "escalation")
        await dialog(pilot, Form)
        while isinstance(pilot.app.screen, Form):
            await press(pilot, "enter")
        await dialog(pilot, Write)
        pilot.app.screen.query_one(TextArea).load_text("\n".join(map(str, range(50))))
        await pilot.pause(0.1)
        lines = [pilot.app.screen.query(Static).last(), pilot.app.screen.query_one("#of-it")]
        await until(
            pilot,
            lambda: all(line.region.bottom <= size[1] and line.size.height for line in lines),
        )
        await to_where(pilot)
        keys = pilot.app.screen.query_one("#keys-here")
        assert keys.size.height and keys.region.bottom <= size[1]
        assert pilot.app.screen.query_one("#places").size.height == 2


async def test_messages_wait_in_the_outbox_until_they_are_sent_or_cancelled(
    tmp_path: Path,
) -> None:
    outbox = {
        "team": Destination(kind="slack", env="NO_SUCH_SLACK"),
        "pager": Destination(kind="pagerduty", env="NO_SUCH_KEY"),
    }
    async with opened(tmp_path, outbox=outbox, size=(120, 40)) as (pilot, responder, main):
        responder.tell("I have it", "acknowledged")
        await choose(pilot, "update")
        await dialog(pilot, Form)
        while isinstance(pilot.app.screen, Form):
            await press(pilot, "enter")
        await dialog(pilot, Write)
        await to_where(pilot)
        # An update would call whoever is on call: only the responder's own tick does that.
        places = pilot.app.screen.query_one("#places")
        assert "  [ ] pager" in shown(places)  # type: ignore[arg-type]
        await press(pilot, "j", "space")
        await until(pilot, lambda: "> [x] pager" in shown(places))  # type: ignore[arg-type]
        await press(pilot, "space")
        await until(pilot, lambda: "> [ ] pager" in shown(places))  # type: ignore[arg-type]
        await press(pilot, "enter")
        await until(pilot, lambda: len(responder.incident.outbox) == 1)
        (one,) = responder.incident.outbox.values()
        assert one.queued.to == "team" and told(responder)[-1].to == ("team",)
        from cockpit import clock

        line = "".join(part for part, _ in words(responder, clock.moment(), 0.0, 120))
        assert "1 to send" in line
        await press(pilot, "O")
        await dialog(pilot, OutboxScreen)
        lines = pilot.app.screen.query_one("#messages")
        await until(pilot, lambda: "NO_SUCH_SLACK is not" in shown(lines))  # type: ignore[arg-type]
        assert "waiting       team · update" in shown(lines)  # type: ignore[arg-type]
        await press(pilot, "x")
        await dialog(pilot, Form)
        pilot.app.screen.query_one(Answer).value = "said by phone"
        await press(pilot, "enter")
        await until(pilot, lambda: responder.incident.outbox[one.id].way is Way.CANCELLED)
        await until(pilot, lambda: "said by phone" in shown(lines))  # type: ignore[arg-type]
        await press(pilot, "s")
        assert responder.incident.outbox[one.id].way is Way.CANCELLED
        await press(pilot, "q")
        await until(pilot, lambda: pilot.app.screen is main)


async def test_a_pager_acknowledges_only_what_was_opened_there(tmp_path: Path) -> None:
    outbox = {
        "team": Destination(kind="slack", env="NO_SUCH_SLACK"),
        "pager": Destination(kind="pagerduty", env="NO_SUCH_KEY"),
    }
    async with opened(tmp_path, outbox=outbox) as (pilot, responder, main):
        await choose(pilot, "ackn")
        await answer(pilot, "")
        await to_where(pilot)
        places = pilot.app.screen.query_one("#places")
        assert "[-] pager           pagerduty: not opened by cockpit" in shown(places)  # type: ignore[arg-type]
        await press(pilot, "j", "space")
        await until(
            pilot, lambda: "cockpit has opened nothing in pager: acknowledge" in said(pilot)
        )
        assert "> [-] pager" in shown(places)  # type: ignore[arg-type]
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is main and bool(told(responder)))
        assert told(responder)[-1].to == ("team",)
        responder.tell("Nobody can pay", "escalation", to=("pager",))
        await choose(pilot, "ackn")
        await answer(pilot, "")
        await to_where(pilot)
        places = pilot.app.screen.query_one("#places")
        assert "[x] pager           pagerduty: acknowledges what cockpit" in shown(places)  # type: ignore[arg-type]
        await press(pilot, "enter")
        await until(pilot, lambda: len(responder.incident.outbox) == 4)
        signals = [(one.queued.to, one.queued.signal) for one in responder.incident.outbox.values()]
        assert signals == [("team", False), ("pager", False), ("team", False), ("pager", True)]


async def test_what_arrives_is_what_was_shown(tmp_path: Path, mailbox: Mailbox) -> None:
    outbox = {"team": Destination(kind="webhook", url=mailbox.url)}
    async with opened(tmp_path, outbox=outbox) as (pilot, responder, _):
        await choose(pilot, "ackn")
        await answer(pilot, f"we leak {SECRET}")
        text = written(pilot)
        await to_where(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: bool(mailbox.got))
        assert mailbox.got[0]["text"] == text
        assert SECRET not in json.dumps(mailbox.got)
        await until(
            pilot, lambda: [one.way for one in responder.incident.outbox.values()] == [Way.SENT]
        )


async def test_the_last_ten_lines_of_the_log_go_along_without_their_secrets(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (pilot, _, main):
        long = "x" * 280 + f" password={SECRET} and so on"
        lines = [Line(0, Stream.STDOUT, Safe(f"line {n}")) for n in range(20)]
        begin(main.logs, "shop")
        come(main.logs, [*lines, Line(0, Stream.STDOUT, Safe(long))])
        await choose(pilot, "escalation")
        await dialog(pilot, Form)
        while isinstance(pilot.app.screen, Form):
            await press(pilot, "enter")
        await dialog(pilot, Write)
        assert "Last lines of the log:\nline 11\n" in written(pilot)
        assert "password=[REDACTED" in written(pilot)
        assert SECRET[:8] not in written(pilot)


async def test_a_message_that_is_out_of_date_waits_for_a_word(tmp_path: Path) -> None:
    outbox = {"team": Destination(kind="slack", env="NO_SUCH_SLACK")}
    async with opened(tmp_path, outbox=outbox) as (pilot, responder, _):
        responder.tell("It is slow", "update", to=("team",))
        responder.resolve("a log", "rotated")
        await press(pilot, "O")
        await dialog(pilot, OutboxScreen)
        lines = pilot.app.screen.query_one("#messages")
        await until(pilot, lambda: "WAITS FOR YOU" in shown(lines))  # type: ignore[arg-type]
        assert "the incident was resolved" in shown(lines)  # type: ignore[arg-type]
        await press(pilot, "s")
        await until(
            pilot, lambda: [one.released for one in responder.incident.outbox.values()] == [True]
        )
        await until(pilot, lambda: "WAITS FOR YOU" not in shown(lines))  # type: ignore[arg-type]


async def test_one_that_failed_and_is_out_of_date_asks_before_it_goes(tmp_path: Path) -> None:
    statuses = [404]
    with Flaky(lambda path, body: (statuses.pop() if statuses else 200, {}, b"")) as server:
        outbox = {"team": Destination(kind="webhook", url=server.url)}
        async with opened(tmp_path, outbox=outbox) as (pilot, responder, _):
            responder.tell("It is slow", "update", to=("team",))
            await until(
                pilot,
                lambda: [one.way for one in responder.incident.outbox.values()] == [Way.FAILED],
            )
            responder.resolve("a log", "rotated")
            await press(pilot, "O")
            await dialog(pilot, OutboxScreen)
            screen = pilot.app.screen
            assert isinstance(screen, OutboxScreen)
            await until(pilot, lambda: screen._ready_at is not None)
            await press(pilot, "s")
            below = screen.query_one("#said", Static)
            asks = "Out of date: the incident was resolved at"
            await until(pilot, lambda: asks in str(below.render()))
            assert "s again sends it all the same" in " ".join(str(below.render()).split())
            (one,) = responder.incident.outbox.values()
            assert not one.released and one.way is Way.FAILED
            await pilot.pause(HELD)
            await press(pilot, "s")
            await until(
                pilot, lambda: [one.way for one in responder.incident.outbox.values()] == [Way.SENT]
            )
            assert len(server.got) == 2


async def test_a_training_says_that_nothing_leaves(tmp_path: Path) -> None:
    outbox = {"team": Destination(kind="slack", env="NO_SUCH_SLACK")}
    async with opened(tmp_path, outbox=outbox, training=True) as (pilot, responder, _):
        await choose(pilot, "ackn")
        await answer(pilot, "")
        await to_where(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: any("A training" in notice.message
                                       for notice in pilot.app._notifications))  # fmt: skip
        (one,) = responder.incident.outbox.values()
        assert one.way is Way.CANCELLED


# The clipboard, in a real terminal


BOOK = "# Slow\n## Diagnosis\n### Step 1: Look\n```bash\nprintf '%s\\n' \"it's ünïque\"\n```\n"
COMMAND = "printf '%s\\n' \"it's ünïque\""


def buffer(term: Terminal) -> str:
    """What tmux holds to be pasted."""
    try:
        return term._tmux("show-buffer")
    except subprocess.CalledProcessError:
        return ""


async def arrives(term: Terminal, true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"it never came:\n{term.screen()}")


@pytest.mark.tmux
@pytest.mark.parametrize("inside", [True, False], ids=["tmux itself", "OSC 52"])
async def test_what_is_copied_arrives(tmp_path: Path, inside: bool) -> None:
    """In tmux as it comes; and by OSC 52 alone, as over SSH, to a terminal that takes it."""
    book = tmp_path / "book.md"
    book.write_text(BOOK)
    environ = {"COCKPIT_HOME": str(tmp_path / "home"), "COCKPIT_CONFIG": str(tmp_path / "c.yaml")}
    (tmp_path / "c.yaml").write_text("")
    start = cockpit("--runbook", str(book), "--new")
    argv = start if inside else ["env", "-u", "TMUX", *start]
    with Terminal(argv, size=(80, 24), environ=environ) as term:
        if not inside:
            term._tmux("set-option", "-s", "set-clipboard", "on")
        term.wait("Step 1: Look")
        term.keys("y")
        term.wait("tmux has it" if inside else "Sent to the terminal")
        await arrives(term, lambda: buffer(term) == COMMAND)
        term.keys("U")
        term.wait("which message")
        term.keys("Enter")
        while "exactly this is told" not in term.screen():
            term.keys("Enter")
            await asyncio.sleep(0.2)
        term.keys("C-s")
        term.wait("Where does it go")
        term.keys("y")
        await arrives(term, lambda: "Next update: " in buffer(term))
        await arrives(term, lambda: bool(list((tmp_path / "home").rglob("message.txt"))))
        (file,) = (tmp_path / "home").rglob("message.txt")
        assert file.read_text() == buffer(term) + "\n"
        term.keys("h")
        term.wait("Noted as told")
        journal = next((tmp_path / "home").rglob("journal.jsonl"))
        # It is said as soon as it is known, and saved a moment later.
        await arrives(term, lambda: '"update.noted"' in journal.read_text().rpartition("\n")[0])
        records = [json.loads(line) for line in journal.read_text().splitlines()]
        (update,) = [one for one in records if one["kind"] == "update.noted"]
        assert update["text"] == buffer(term)


async def test_a_key_that_is_held_sends_one_old_message_and_one_typed_ahead_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Callable[[], None]] = []
    monkeypatch.setattr(
        "screens.dialogs.outbox.when_shown", lambda _, then: drawn.append(then), raising=False
    )
    # Between two presses, on a loaded machine, too.
    monkeypatch.setattr("screens.dialogs.outbox.HELD", 60.0)
    outbox = {"team": Destination(kind="slack", env="NO_SUCH_SLACK")}
    async with opened(tmp_path, outbox=outbox) as (pilot, responder, _):
        for text in ("It is slow", "It is slower", "It is down"):
            responder.tell(text, "update", to=("team",))
        responder.resolve("a log", "rotated")

        def released() -> int:
            return sum(one.released for one in responder.incident.outbox.values())

        await press(pilot, "O", "s")
        await until(pilot, lambda: isinstance(pilot.app.screen, OutboxScreen) and bool(drawn))
        await pilot.pause()
        assert released() == 0
        (now_drawn,) = drawn
        now_drawn()
        await press(pilot, "s", "s", "s")
        await until(pilot, lambda: released() == 1)
        await pilot.pause(0.2)
        assert released() == 1


async def test_what_came_of_a_message_that_failed_is_said_below_the_others(tmp_path: Path) -> None:
    statuses = [404, 404, 500, 200]
    with Flaky(lambda path, body: (statuses.pop(0), {}, b"")) as server:
        outbox = {"team": Destination(kind="webhook", url=server.url)}
        async with opened(tmp_path, outbox=outbox) as (pilot, responder, _):
            await press(pilot, "O")
            await dialog(pilot, OutboxScreen)
            screen = pilot.app.screen
            lines, said = screen.query_one("#messages"), screen.query_one("#said", Static)
            await until(pilot, lambda: "it can go to team." in shown(lines))  # type: ignore[arg-type]
            responder.tell("It is slow", "update", to=("team",))
            await until(pilot, lambda: "FAILED" in shown(lines))  # type: ignore[arg-type]
            assert "outbox.team.url in cockpit.yaml" in " ".join(shown(lines).split())  # type: ignore[arg-type]
            await press(pilot, "s")
            again = "team: tried just now, and it failed again: "
            await until(pilot, lambda: again in str(said.render()))
            await pilot.pause(HELD)
            await press(pilot, "s")
            await until(pilot, lambda: "team: not sent yet: " in str(said.render()))
            marked = "sent, marked as a possible duplicate team"
            await press(pilot, "s")
            await until(pilot, lambda: marked in " ".join(shown(lines).split()))  # type: ignore[arg-type]
            went = "Sent to team, marked as a possible duplicate."
            await until(pilot, lambda: went in str(said.render()))
            assert not pilot.app._notifications
