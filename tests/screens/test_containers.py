"""The containers pane: what is wrong is told in words, at any width, and rows stay calm."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from cockpit.containers.actions import Action
from cockpit.containers.container import Container
from cockpit.containers.history import History
from cockpit.containers.limits import MEMORY, Key, Over
from cockpit.containers.order import At
from cockpit.containers.stats import Sample
from cockpit.containers.watch import Containers
from cockpit.text import Safe
from screens.dialogs.actions import Actions
from screens.panes.container_rows import SPAN_S, Steady, ago, columns, size, trend
from screens.panes.containers import ContainersPane
from tests.screens.test_cockpit import opened, press, until

STYLE = Path(__file__).resolve().parents[2] / "cockpit.tcss"
ASKED = Safe("Docker: asked in a moment.")
HUNG = "Docker at prod-1 does not answer, though it takes connections."

pytestmark = pytest.mark.anyio


class PaneApp(App[int]):
    CSS_PATH = STYLE

    def __init__(self) -> None:
        super().__init__()
        self.pane = ContainersPane(id="containers")

    def compose(self) -> ComposeResult:
        yield self.pane


@asynccontextmanager
async def pane(
    width: int = 80, height: int = 20
) -> AsyncIterator[tuple[Pilot[int], ContainersPane]]:
    app = PaneApp()
    async with app.run_test(size=(width, height)) as pilot:
        yield pilot, app.pane


def container(name: str, **other: object) -> Container:
    known: dict[str, object] = {
        "id": name, "name": Safe(name), "image": Safe("shop/web:1"), "state": "running",
        "status": Safe(""), "health": "", "restarts": 0, "oom": False, "exit_code": None,
        "started_at": datetime.now(UTC) - timedelta(days=3, hours=1), "finished_at": None,
        "project": Safe("shop"), "service": Safe("web"), "tty": False, "host": Safe("prod-1"),
        "sample": using(12, 312),
    }  # fmt: skip
    return Container(**(known | other))  # type: ignore[arg-type]


def using(cpu: float, memory: int, limit: int = 512) -> Sample:
    return Sample(time.monotonic(), cpu, memory << 20, limit << 20, 0, 0, 0, 0, 1, every=60)


def known(
    *rows: Container, host: str = "prod-1", trouble: str = "", ago: float = 0.0
) -> Containers:
    at = time.monotonic() - ago
    return Containers(rows, at, Safe(trouble), "streams", Safe("27"), Safe(host), {})


def show(
    pane: ContainersPane,
    *hosts: Containers,
    over: Mapping[Key, Over] | None = None,
    differs: Mapping[At, tuple[Safe, ...]] | None = None,
) -> None:
    pane.show([(one, over or {}) for one in hosts], ASKED, differs)
    pane.refill()


def drawn(pane: ContainersPane) -> list[str]:
    return [pane.render_line(y).text.rstrip() for y in range(pane.size.height)]


def line_of(pane: ContainersPane, name: str) -> str:
    return next(line for line in drawn(pane) if line[2:].startswith(name))


def names(pane: ContainersPane) -> list[str]:
    return [line[2:].split()[0] for line in drawn(pane) if line[:2] in ("  ", "> ", " *", ">*")][1:]


def title(pane: ContainersPane) -> str:
    return str(pane.border_title)


def sick() -> Container:
    return container(
        "web", health="unhealthy", health_said=Safe("curl: (7) connection refused"),
        unhealthy_since=datetime(2026, 11, 21, 3, 12, tzinfo=UTC), sample=using(312, 500),
    )  # fmt: skip


def killed() -> Container:
    return container(
        "worker", state="exited", exit_code=137, oom=True, restarts=1, sample=None,
        finished_at=datetime.now(UTC) - timedelta(minutes=14, seconds=5),
    )  # fmt: skip


def done() -> Container:
    ended = datetime.now(UTC)
    return container("migrate", state="exited", exit_code=0, sample=None, finished_at=ended)


@pytest.mark.parametrize("width", [200, 120, 80, 60, 54, 40])
async def test_names_states_and_reasons_are_told_at_every_width(width: int) -> None:
    async with pane(width) as (_, shown):
        show(shown, known(done(), container("db", health="healthy"), killed(), sick()))
        assert names(shown) == ["web", "worker", "db"]
        assert "UNHEALTHY" in line_of(shown, "web") and "312" in line_of(shown, "web")
        assert "OOM KILLED" in line_of(shown, "worker")
        assert "healthy" in line_of(shown, "db")
        if width >= 54:
            assert "killed, out" in line_of(shown, "worker")
        if width >= 200:
            assert line_of(shown, "worker").split(" · ")[2].startswith("1 restart ")
        if width >= 80:
            assert "312 MiB / 512 MiB" in line_of(shown, "db")
            assert "3 d" in line_of(shown, "db")
            assert "killed, out of memory · 14 min ago" in line_of(shown, "worker")
        else:
            assert " 60" in line_of(shown, "db"), "percent of its limit"
        if width >= 120:
            assert "shop/web" in line_of(shown, "db")
        assert all(cell_len(line) <= width for line in drawn(shown))


def test_columns_yield_by_importance_and_the_name_last() -> None:
    rows = [container("a-name-of-twenty-four-ce")]
    seen: list[frozenset[str]] = []
    for width in range(32, 200):
        got = columns(width, rows, 1)
        there = {name for name in ("cpu", "memory", "restarts", "up", "trend", "place")
                 if getattr(got, name)}  # fmt: skip
        assert got.name + got.state + got.middle + got.place + 2 <= max(width, 26)
        if not seen or there != seen[-1]:
            seen.append(frozenset(there))
    assert seen[0] == {"cpu"}
    for narrow, wide in pairwise(seen):
        assert narrow < wide, "what has room keeps it as the pane widens"
    assert columns(53, rows, 1).name >= 24
    assert not columns(80, rows, 1).place and columns(80, rows, 1, placed=True).place
    assert columns(53, rows, 2).host and not columns(200, rows, 1).host


async def test_those_that_ended_well_are_counted_and_shown_when_asked() -> None:
    async with pane() as (pilot, shown):
        show(shown, known(done(), killed()))
        assert names(shown) == ["worker"]
        assert "1 stopped (a)" in title(shown)
        shown.focus()
        await pilot.press("a")
        assert names(shown) == ["worker", "migrate"]
        assert "finished" in line_of(shown, "migrate")
        show(shown, known(done()))
        await pilot.press("a")
        assert "a shows 1 stopped" in "\n".join(drawn(shown))


async def test_a_filter_says_how_many_of_how_many_and_what_when_none_fits() -> None:
    async with pane() as (_, shown):
        db = container("db", service=Safe("db"), image=Safe("postgres"))
        show(shown, known(*(container(f"web-{n}") for n in range(4)), db))
        shown.filter(Safe("web !web-1"))
        assert names(shown) == ["web-0", "web-2", "web-3"]
        assert title(shown).startswith("1 Containers 5 · 3 with web !web-1")
        shown.filter(Safe("nothing"))
        assert "No container fits nothing; / changes the filter." in "\n".join(drawn(shown))


async def test_the_order_changes_and_is_said_and_the_cursor_stays_on_its_container() -> None:
    async with pane() as (pilot, shown):
        show(shown, known(container("a", restarts=9), container("b", sample=using(90, 1)), sick()))
        shown.focus()
        await pilot.press("j")
        under = shown.container()
        said = []
        for _ in range(6):
            await pilot.press("o")
            said.append((title(shown).split(" · ")[1], names(shown)))
            assert shown.container() == under
        assert said == [
            ("by name", ["a", "b", "web"]),
            ("by CPU", ["web", "b", "a"]),
            ("by memory", ["web", "a", "b"]),
            ("by restarts", ["a", "b", "web"]),
            ("by project", ["a", "b", "web"]),
            ("1 wrong first", ["web", "b", "a"]),
        ]


async def test_the_cursor_goes_to_what_is_called_so_now_else_to_the_row_in_its_place() -> None:
    async with pane() as (pilot, shown):
        show(shown, known(container("a"), container("b"), container("c")))
        shown.focus()
        await pilot.press("j")
        show(shown, known(container("a"), container("b", id="b" * 64), container("c")))
        under = shown.container()
        assert under and under.id == "b" * 64
        show(shown, known(container("a"), container("c")))
        assert (under := shown.container()) and under.name == "c"
        show(shown, known(container("a")))
        assert (under := shown.container()) and under.name == "a"


async def test_what_is_under_the_cursor_is_explained_in_a_sentence() -> None:
    async with pane() as (pilot, shown):
        cache = container("cache")
        over = {("cache", MEMORY): Over(
            Safe("MEMORY 95%"),
            Safe("cache: memory over 90% of its limit for 6 min, now 95%"), 0.0)}  # fmt: skip
        differs = {(Safe("prod-1"), "db"): (Safe("image differs: db:1"),)}
        show(shown, known(sick(), cache, container("db")), over=over, differs=differs)
        assert "web: unhealthy since 03:12" in drawn(shown)[-1] + drawn(shown)[-2]
        assert "curl: (7) connection refused" in drawn(shown)[-1]
        shown.focus()
        await pilot.press("j")
        assert "MEMORY 95%" in line_of(shown, "cache")
        assert drawn(shown)[-1] == " cache: memory over 90% of its limit for 6 min, now 95%"
        await pilot.press("j")
        assert "differs" in line_of(shown, "db")
        assert drawn(shown)[-1] == " db: image differs: db:1"


async def test_the_last_rows_can_be_reached_above_the_sentence() -> None:
    async with pane(height=14) as (pilot, shown):
        many = [replace(sick(), id=f"{n}", name=Safe(f"web-{n:02}")) for n in range(30)]
        show(shown, known(*many))
        shown.focus()
        await pilot.pause()
        await pilot.press("G")
        await pilot.pause()
        assert line_of(shown, "web-29").startswith("> ")
        assert "web-29: unhealthy" in "\n".join(drawn(shown)[-2:])
        for _ in range(29):
            await pilot.press("k")
        assert line_of(shown, "web-00").startswith("> ")


def cursor(pane: ContainersPane) -> str:
    """The name on the row with the cursor, "" where it is out of sight."""
    return next((line[2:].split()[0] for line in drawn(pane) if line.startswith("> ")), "")


async def test_the_cursor_stays_in_sight_when_the_rows_around_it_change() -> None:
    async with pane(height=12) as (pilot, shown):
        rows = [container(f"web-{n:02}") for n in range(20)]
        ended = [replace(done(), id=f"a{n}", name=Safe(f"a-{n:02}")) for n in range(20)]
        show(shown, known(*rows, *ended))
        shown.focus()
        shown.filter(Safe("web-17"))
        assert cursor(shown) == "web-17"
        await pilot.press("escape")
        assert cursor(shown) == "web-17"
        await pilot.press("o", "a")
        assert cursor(shown) == "web-17", "those that ended stand above it by name"
        await pilot.resize_terminal(80, 6)
        await until(pilot, lambda: shown.size.height < 7)
        await until(pilot, lambda: cursor(shown) == "web-17")
        await pilot.resize_terminal(80, 12)
        await until(pilot, lambda: shown.size.height > 7)
        await pilot.press("a", *"ooooo", "G")
        assert cursor(shown) == "web-19"
        failed = [replace(sick(), id=f"{n}", name=Safe(f"sick-{n}")) for n in range(12)]
        show(shown, known(*rows, *failed))
        assert cursor(shown) == "web-19", "what fails comes in above it"


async def test_a_narrow_title_says_what_a_swarm_lacks_and_what_is_marked_before_the_rest() -> None:
    async with pane() as (pilot, shown):
        shown.beside = Safe("swarm: 1 short (s)")
        show(shown, known(sick(), done()))
        shown.focus()
        assert title(shown) == (
            "1 Containers 2 · 1 wrong first · swarm: 1 short (s) · 1 stopped (a)"
        )
        await pilot.press("space")
        assert title(shown).startswith("1 Containers 2 · 1 marked · 1 wrong first · swarm")


async def test_tasks_that_are_over_are_called_by_their_slot_as_long_as_that_is_one() -> None:
    def task(slot: int, id: str, **other: object) -> Container:
        return container(f"shop_api.{slot}.{id}", **other)

    over: dict[str, object] = {
        "state": "exited", "exit_code": 1, "sample": None, "finished_at": datetime.now(UTC),
    }  # fmt: skip
    one, two, three, four = "0jshktky5jmal54q" * 2, "1" * 25, "2" * 25, "3" * 25
    async with pane() as (_, shown):
        show(shown, known(task(1, one[:25], **over)))
        assert names(shown) == ["shop_api.1"]
        assert shown.container().name == f"shop_api.1.{one[:25]}"  # type: ignore[union-attr]
        show(shown, known(task(2, two, **over), task(2, three, **over), task(3, four)))
        assert sorted(names(shown))[:2] == ["shop_api.2.11111", "shop_api.2.22222"]
        assert "shop_api.3.33333333" in "\n".join(drawn(shown)), "commands name it by that"


async def test_reading_may_be_typed_ahead_and_a_change_says_that_it_was_too_fast() -> None:
    read = Action("t", Safe("top"), Safe("its processes"))
    change = Action("r", Safe("restart"), Safe("changes it"), "docker restart web")
    async with pane() as (pilot, _):
        chosen: list[Action | None] = []
        menu = Actions(Safe("What to do with web?"), (change, read))
        pilot.app.push_screen(menu, chosen.append)
        await until(pilot, lambda: menu._ready_at is not None)
        menu._ready_at = None  # as before the terminal has shown it
        await pilot.press("r")
        said = str(menu.query_one("#said", Static).render())
        assert "Too fast: r again" in said and pilot.app.screen is menu
        await pilot.press("t")
        await until(pilot, lambda: chosen == [read])


@pytest.mark.parametrize("width", [120, 54])
async def test_old_values_stay_with_since_when_they_are_old(width: int) -> None:
    async with pane(width) as (_, shown):
        show(shown, known(sick(), container("db")))
        assert shown.why_stale(sick()) == ""
        begun = datetime.now(UTC) - timedelta(seconds=10)
        stale = known(sick(), container("db"), trouble=f"What is shown is 9 s old. {HUNG}", ago=9)
        show(shown, stale)
        first = drawn(shown)
        late = int((datetime.now(UTC) - begun).total_seconds())
        times = [f"as of {begun + timedelta(seconds=one):%H:%M:%S}" for one in range(late + 2)]
        at = next(one for one in times if one in first[0])
        assert f"{at}: Docker at prod-1 does not" in first[0]
        assert at in line_of(shown, "db") and at in line_of(shown, "web")
        assert "312" in line_of(shown, "web") or width < 80
        assert shown.why_stale(sick()).startswith(f"What is known of prod-1 is {at}: Docker")
        again = replace(stale, trouble=Safe(f"What is shown is 11 s old. {HUNG}"))
        show(shown, again)
        assert drawn(shown) == first, "a number that counts on would be drawn each second"
        show(shown, known(sick(), container("db")))
        assert "as of" not in "\n".join(drawn(shown))


async def test_several_hosts_are_one_list_and_each_tells_its_own_trouble_in_a_line() -> None:
    async with pane(120) as (_, shown):
        here = container("web")
        there = [
            container("web", id="w2", host=Safe("prod-2")),
            replace(sick(), host=Safe("prod-2")),
        ]
        lost = known(*there, host="prod-2", ago=5,
                     trouble="What is shown is 5 s old. The link to prod-2 is lost.")  # fmt: skip
        asked = replace(known(host="prod-3", trouble="Docker at prod-3 is being asked."), at=None)
        show(shown, known(here), lost, asked)
        text = drawn(shown)
        assert text[0].startswith(" prod-2: as of ") and "The link to prod-2 is lost" in text[0]
        assert text[1] == " prod-3: Docker at prod-3 is being asked."
        rows = [line for line in text if line[2:].startswith("web")]
        assert [line.split()[-1] for line in rows] == ["prod-2", "prod-1", "prod-2"]
        assert [" as of " in line for line in rows] == [True, False, True]
        assert shown.in_sight("prod-2") == {"w2", "web"} and shown.in_sight("prod-3") == set()


async def test_marked_ones_are_told_and_chosen_together() -> None:
    async with pane() as (pilot, shown):
        show(shown, known(container("a"), container("b"), container("c")))
        shown.focus()
        assert [one.name for one in shown.chosen()] == ["a"]
        await pilot.press("space", "j", "space")
        assert [one.name for one in shown.chosen()] == ["a", "c"]
        assert "2 marked" in title(shown)
        show(shown, known(container("b"), container("c")))
        assert [one.name for one in shown.chosen()] == ["c"], "a is not there any more"


async def test_of_thousands_only_what_is_in_sight_is_laid_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from screens.panes import container_rows

    laid: list[str] = []
    real = container_rows.row

    def counted(one: Container, *rest: object, **more: object) -> object:
        laid.append(one.name)
        return real(one, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(container_rows, "row", counted)
    async with pane(height=20) as (pilot, shown):
        rows = [container(f"web-{n:04}") for n in range(5000)]
        show(shown, known(*rows))
        await pilot.pause()
        laid.clear()
        show(shown, known(*rows))
        assert 0 < len(laid) < 100
        shown.focus()
        await pilot.press("G")
        await pilot.pause()
        assert line_of(shown, "web-4999").startswith("> ")
        assert "healthy" in line_of(shown, "web-4990") or "running" in line_of(shown, "web-4990")
        assert len(laid) < 300
        assert len(shown.in_sight("prod-1")) < 30


async def test_numbers_are_drawn_once_a_second_and_states_at_once() -> None:
    async with pane() as (_, shown):
        show(shown, known(container("web", sample=using(10, 100))))
        before = line_of(shown, "web")
        shown._drawn_at = time.monotonic() + 60  # in the same second, however long this takes
        shown.show([(known(container("web", sample=using(99, 400))), {})], ASKED)
        assert line_of(shown, "web") == before
        shown.show([(known(container("web", health="unhealthy")), {})], ASKED)
        assert "UNHEALTHY" in line_of(shown, "web")


@pytest.mark.parametrize("width", [54, 80])
async def test_numbers_that_stopped_to_come_say_how_old_they_are(width: int) -> None:
    async with pane(width) as (_, shown):
        old = replace(using(12, 312), at=time.monotonic() - 23, every=2.0)
        show(shown, known(container("web", sample=old)))
        assert "20 s old" in line_of(shown, "web") and "312" not in line_of(shown, "web")
        old = replace(old, at=time.monotonic() - 500)
        show(shown, known(container("web", sample=old)))
        assert "8m old" in line_of(shown, "web")


async def test_where_there_is_no_room_for_seconds_the_minute_is_whole() -> None:
    async with pane(54) as (_, shown):
        name = "a-name-of-twenty-four-ce"
        there = known(container("x", host=Safe("prod-2")), host="prod-2")
        show(shown, known(container(name), trouble=HUNG), there)
        assert re.search(r" at \d\d:\d\d +prod-1$", line_of(shown, name[:12]).rstrip())


def test_a_number_that_says_about_the_same_stays_as_it_is() -> None:
    steady = Steady()
    at = (Safe("prod-1"), "a")
    assert [steady.cpu(at, value) for value in (0.2, 0.8, 1.0, 1.3, 0.4)] == [0, 0, 1, 1, 1]
    assert [steady.cpu(at, value) for value in (100, 92, 109, 111, 99)] == [100, 100, 100, 111, 99]
    seen: Sequence[int] = [steady.memory(at, using(0, mib)) >> 20 for mib in (300, 303, 296, 309)]
    assert seen == [300, 300, 300, 309]


def test_a_trend_moves_a_whole_cell_at_a_time() -> None:
    history = History()
    for second in range(0, 301, 5):
        history.add(replace(using(100 if second >= 240 else 1, 1), at=float(second), every=5.0))
    first = trend(history, 9, 300.0)
    assert first == " ▁▁▁▁▁▁██"
    assert trend(history, 9, 300.0 + SPAN_S - 0.1) == first
    assert trend(history, 9, 300.0 + 2 * SPAN_S) == " ▁▁▁▁███ "
    assert trend(None, 9, 300.0).strip() == "" and trend(history, 0, 300.0) == ""


def test_lengths_and_sizes_are_short() -> None:
    lengths = [ago(seconds) for seconds in (5, 61, 59 * 60, 100 * 60, 47 * 3600, 49 * 3600)]
    assert lengths == ["<1 min", "1 min", "59 min", "100 min", "47 h", "2 d"]
    assert [ago(seconds, short=True) for seconds in (5, 61, 3 * 86400)] == ["<1m", "1m", "3d"]
    sizes = [size(count) for count in (0, 900, 312 << 20, 1229 << 20, 4 << 40, 1023 << 20)]
    assert sizes == ["0 B", "900 B", "312 MiB", "1.2 GiB", "4.0 TiB", "1.0 GiB"]


async def test_the_list_follows_with_each_key_of_a_filter_and_escape_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, size=(80, 24)) as (pilot, _, main):
        monkeypatch.setattr(main, "redraw", lambda: None)
        await press(pilot, "1")
        shown = main.containers
        show(shown, known(container("api"), container("web"), replace(sick(), id="sick")))
        await press(pilot, "slash", *"unh")
        await until(pilot, lambda: names(shown) == ["web"] and shown.wanted == "unh")
        await press(pilot, "escape")
        await until(pilot, lambda: names(shown) == ["web", "api", "web"])
        assert main.focused is shown
        await press(pilot, "slash", *"!unh", "enter")
        await until(pilot, lambda: names(shown) == ["api", "web"])
        assert "2 with !unh, esc clears" in title(shown)
        assert main.focused is shown
        await press(pilot, "escape", "right")
        assert names(shown) == ["web", "api", "web"] and "NAME" in "\n".join(drawn(shown))


async def test_without_a_runbook_it_opens_on_the_containers(tmp_path: Path) -> None:
    async with opened(tmp_path, book="", size=(80, 24)) as (_, _, main):
        assert main.focused is main.containers and main.containers.size.height
        assert not main.checklist.size.height
