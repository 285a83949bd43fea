"""The checklist: what a step, a text, options and several procedures look like, and go to."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cockpit.incident.events import CommandRequested
from cockpit.incident.incident import Incident, Mark, Run, RunState
from cockpit.runbook.headings import plain as plain_text
from cockpit.runbook.model import Lines as Source
from cockpit.runbook.model import Prose, Runbook, Section
from cockpit.runbook.parse import parse
from cockpit.text import Safe
from screens.dialogs.choose import Choose, Offer
from screens.dialogs.form import Form
from screens.dialogs.gate import Gate
from screens.lines import Lines
from screens.paint import Row
from screens.panes import progress, prose_rows, step_rows
from screens.panes.checklist import Checklist
from screens.panes.known import Known
from screens.panes.places import Kind, Place, Places, first_of
from tests.screens.test_cockpit import dialog, opened, press, shown, until

pytestmark = pytest.mark.anyio

RUNBOOKS = Path(__file__).resolve().parents[2] / "runbooks"

SHOP = """# The shop is down

Severity: P1

## Diagnosis

### Step 1: Ask the shop

```bash
# What does it answer?
echo 503
# Expected: 200
# If 000: See Recovery > Option 1
# If 503: See Recovery > Option 2

# In its own words
echo "now all is well"
# Expected: "all is well"
```

### Step 2: Ask somebody

Call the storage people.

## Recovery

### Option 1: Restart (Most Common)

```bash
touch {scratch}/restarted
# If it fails: See Escalation
```

### Option 2: Put it back

```bash
touch {scratch}/back
```

## Verification

```bash
# Does it answer?
echo 200
# Expected: 200
```

## After it

- [ ] Tell the [customers](https://status.example.net/new)

## Escalation

| When | Whom |
|------|------|
| always | everybody |
"""


def plain(rows: list[Row]) -> str:
    return "\n".join(row.plain.rstrip() for row in rows)


def prose(markdown: str, width: int = 60) -> str:
    item = Prose(Safe(""), Source(1, 1), markdown)
    return plain(prose_rows.prose(item, width, 2))


# Prose


def test_a_table_is_laid_out_in_columns_with_its_links_below() -> None:
    table = (
        "| When | Whom | How |\n|:--|:-:|--:|\n"
        "| 10 minutes, cause unknown, and nobody answers | `lead` | [page](https://p.example) |\n"
        "| at once \\| soon | **you** |\n"
    )
    assert prose(table) == (
        "  When                                     Whom    How\n"
        "  ───────────────────────────────────────  ──────  ────────\n"
        "  10 minutes, cause unknown, and nobody    `lead`  page [1]\n"
        "  answers\n"
        "  at once | soon                           you\n"
        "  [1] https://p.example"
    )


def test_a_table_too_wide_for_columns_is_read_row_by_row() -> None:
    table = (
        "| Error code | What to do about it |\n|-|-|\n" + "| long_name_of_it | words " * 2 + "|\n"
    )
    wide = "| A | B | C | D |\n|-|-|-|-|\n" + "| some words here " * 4 + "|\n"
    assert "Error code" in prose(table, 40).split("\n")[0]
    assert prose(wide, 36) == (
        "  A: some words here\n  B: some words here\n  C: some words here\n  D: some words here"
    )


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("See [the board](https://b.example/x).", "  See the board (https://b.example/x)."),
        ("See [below](#there) or <https://b.example>", "  See below or https://b.example"),
        ("[https://b.example](https://b.example)", "  https://b.example"),
        ("![a graph](g.png)", "  picture: a graph (g.png)"),
        ("**When:** it is *down* and `a b` is ~~not~~", "  When: it is down and `a b` is not"),
        ("snake_case_name 2 * 3 * 4 <BACKUP> \\*", "  snake_case_name 2 * 3 * 4 <BACKUP> *"),
        ("<details>\n<summary>More</summary>\nwords</details>", "  More\n  words"),
        ("> careful\n> with it", "  ┃ careful\n  ┃ with it"),
        ("- [ ] tick me", "  - [ ] tick me"),
        ("a\nb", "  a\n  b"),
        (
            "a line that somebody's editor has wrapped at so and so many more\ncolumns",
            "  a line that somebody's editor has wrapped at so and so\n  many more columns",
        ),
        (
            "  - a long item of a list that has to be folded below its sign",
            "    - a long item of a list that has to be folded below its\n      sign",
        ),
    ],
)
def test_markdown_reads_as_it_was_meant(markdown: str, text: str) -> None:
    assert prose(markdown) == text


def test_hostile_markdown_is_shown_as_text_and_takes_no_time() -> None:
    assert "\x1b" not in prose("[x](https://e/\x1b[2J) \x1b]52;c;eA==\x07")
    start = time.process_time()
    for piece in ("**", "[a", "`", "<!--", "_a", "| ", "[](", "> ", "~~a", "![[", "<a "):
        prose(piece * (4000 // len(piece)))
        prose(f"{piece * 300}\n" * 12)
    assert time.process_time() - start < 5


PIECES = [
    *("|", "-", "| - | -\n", "\n", "> ", "**", "`", "[", "](", ")", "<br>", "1. ", "  ", "a word"),
    *("語", "\\", "- [ ] ", "~~", "<!--", "https://e.example/x", "\t", "\x1b[1m"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(12, 100))
def test_no_markdown_makes_it_raise_or_write_beside_the_pane(pieces: list[str], width: int) -> None:
    item = Prose(Safe(""), Source(1, 1), "".join(pieces))
    rows = [*prose_rows.prose(item, width, 2), *prose_rows.links(item, width, 2)]
    assert all(cell_len(row.plain.rstrip()) <= width for row in rows)
    assert not any(char in row.plain for row in rows for char in "\n\t\x1b")


# Counting


def section_of(book: Runbook, title: str) -> Section:
    return next(section for section in book.sections() if section.title == title)


def test_options_count_as_one_and_what_failed_is_told_apart() -> None:
    book = parse(SHOP, "shop.md")
    diagnosis, recovery = section_of(book, "Diagnosis"), section_of(book, "Recovery")
    one, two = (step.id for step in diagnosis.steps)
    first, second = (step.id for step in recovery.steps)
    assert progress.of_section(diagnosis, {one: Mark.DONE}).words == "1/2"
    marks = {one: Mark.FAILED, two: Mark.SKIPPED}
    assert progress.of_section(diagnosis, marks).words == "0/2, 1 failed, 1 skipped"
    assert progress.of_section(recovery, {}).words == "one of 2 options"
    marks = {first: Mark.FAILED, second: Mark.DONE}
    assert progress.of_section(recovery, marks).words == "done, one of 2 options, 1 failed"
    assert progress.of_all(book.sections(), {second: Mark.DONE}).words == "1/5"


def test_a_reference_to_a_heading_without_words_of_its_own_leads_to_what_is_below_it() -> None:
    book = parse("# A\n## Recovery\n### First things\n1. Do it\n2. Then this\n", "a.md")
    found = Places(book).named("recovery")
    assert found is not None and found.step is not None
    assert found.step.title == "Do it"


def test_every_row_of_every_step_fits_its_width() -> None:
    for path in sorted(RUNBOOKS.glob("*.md")):
        book = parse(path.read_text(), path.name)
        places = Places(book)
        for found in places.order:
            for width in (118, 78, 58, 38):
                rows = step_rows.text(found.section.intro, {}, width)
                if found.step is not None:
                    facts = step_rows.Facts(places={})
                    at = first_of(found.step)
                    rows += step_rows.opened(found.step, at, facts, False, width)
                    rows.append(step_rows.closed(found.step, None, [], True, width))
                wide = [row.plain for row in rows if cell_len(row.plain) > width]
                assert not wide, (path.name, width, wide)


# On the screen


async def test_the_output_is_judged_in_words_and_nothing_is_ticked(tmp_path: Path) -> None:
    async with opened(tmp_path, SHOP) as (pilot, responder, main):
        assert "[command 1 of 2; read] enter runs it" in shown(main.checklist)
        assert "Expected: 200" in shown(main.checklist)
        await press(pilot, "enter")
        await until(pilot, lambda: "does not match" in shown(main.checklist))
        rows = shown(main.checklist)
        assert "does not match: printed 503; look closely · b: Recovery > Option 2" in (
            " ".join(rows.split())
        )
        assert "→ fits the output: If 503: See Recovery > Option 2 (b)" in rows
        assert "→ If 000: See Recovery > Option 1 (b)" in rows
        assert "enter runs it again · j goes to command 2 · space ticks the step" in (
            " ".join(rows.split())
        )
        await press(pilot, "j", "enter")
        await until(pilot, lambda: 'matches: has "all is well"' in shown(main.checklist))
        rows = shown(main.checklist)
        assert "   !! $" not in rows and "   ok $ echo 503" in rows
        assert "[command 2 of 2; read]" in rows, "the cursor stays where it was"
        assert "j goes to command" not in rows
        assert not responder.incident.steps
        await press(pilot, "space")
        await until(pilot, lambda: "[x] Step 1: Ask the shop" in shown(main.checklist))


async def test_of_several_references_one_is_chosen_and_backspace_returns_from_any_depth(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, SHOP) as (pilot, _, main):
        await press(pilot, "enter")
        await until(pilot, lambda: "fits the output" in shown(main.checklist))
        await press(pilot, "b")
        await dialog(pilot, Choose)
        offers = pilot.app.screen.query_one("#offers", Lines)
        assert "> Recovery > Option 2" in shown(offers).split("\n")[0], "what fits stands first"
        await press(pilot, "down", "enter")
        await until(pilot, lambda: "> ( ) Option 1: Restart (Most Common)" in shown(main.checklist))
        assert "backspace: back to Diagnosis > Step 1" in str(main.checklist.border_title)
        await press(pilot, "b")
        assert "─▸ Escalation" in shown(main.checklist)
        assert "everybody" in shown(main.checklist)
        assert "back to Recovery > Option 1" in str(main.checklist.border_title)
        await press(pilot, "backspace")
        assert "> ( ) Option 1" in shown(main.checklist)
        await press(pilot, "backspace")
        assert "> [ ] Step 1: Ask the shop" in shown(main.checklist)
        assert "backspace" not in str(main.checklist.border_title)


async def test_once_an_option_is_done_the_others_are_not_needed_and_can_be_run_all_the_same(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, SHOP) as (pilot, responder, main):
        responder.done(next(iter(responder.runbook.steps()))[1])  # type: ignore[union-attr]
        main.checklist.go_to_id("recovery")
        assert "( ) Option 2: Put it back" in shown(main.checklist)
        assert "one of 2 options" in shown(main.checklist)
        await press(pilot, "space")
        await until(pilot, lambda: "(x) Option 1" in shown(main.checklist))
        rows = shown(main.checklist)
        assert "( ) Option 2: Put it back  (not needed)" in rows
        assert "done, one of 2 options" in rows
        assert "> [ ] Does it answer?" in rows, "the next step is past the other options"
        await press(pilot, "k", "enter")
        await dialog(pilot, Gate)


async def test_what_is_done_by_hand_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path, SHOP) as (pilot, _, main):
        assert "[ ] Step 2: Ask somebody  (by hand)" in shown(main.checklist)
        await press(pilot, "j", "j")
        assert "by hand: do it, then space ticks it" in shown(main.checklist)
        idle = main.checklist.idle_keys
        assert {"step.run", "step.edit", "step.output", "step.stop", "step.follow"} <= idle
        assert "step.done" not in idle
        main.checklist.go_to_id("after-it")
        rows = shown(main.checklist)
        assert "> [ ] Tell the customers\n      https://status.example.net/new\n" in rows
        assert "space ticks it" in rows


async def test_a_command_shows_the_values_and_the_place_that_it_would_run_with(
    tmp_path: Path,
) -> None:
    book = (
        "# B\n## Diagnosis\n### Step 1: Look\n```bash\n# One\ntest -n <POD_NAME>\n# Two\n"
        "cd {scratch}\nexport TEAM=ops\n# Three\necho <POD_NAME> $TEAM\n```\n"
    )
    async with opened(tmp_path, book) as (pilot, responder, main):
        assert "asks for POD_NAME] enter asks for it" in " ".join(shown(main.checklist).split())
        await press(pilot, "enter")
        await dialog(pilot, Form)
        await press(pilot, *"web", "enter")
        await until(pilot, lambda: "OK exit 0" in shown(main.checklist))
        assert "▸ $ test -n web" in shown(main.checklist)
        assert "$ echo web $TEAM" in shown(main.checklist), "as filled in, further down too"

        def ended() -> int:
            return sum(run.over for run in responder.incident.runs.values())

        await press(pilot, "j", "enter")
        await until(pilot, lambda: ended() == 2)
        await press(pilot, "j", "enter")
        await until(pilot, lambda: ended() == 3)
        await press(pilot, "j")
        assert f"runsin{tmp_path},with" in "".join(shown(main.checklist).split())
        assert "with TEAM from before" in " ".join(shown(main.checklist).split())


PROCEDURES = """# Handbook

## Runbook: The disk is full

### Diagnosis

```bash
df -h
```

If it is not full: see "The queue is stuck"

## Runbook: The queue is stuck

### Diagnosis

```bash
echo queue
```

### Recovery

1. Restart the worker
2. Watch it
"""


async def test_of_several_procedures_the_chosen_one_is_open_and_the_others_are_a_line(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, PROCEDURES) as (pilot, _, main):
        book = main.responder.runbook
        assert book is not None and len(book.procedures) > 1, "this test wants several"
        rows = shown(main.checklist)
        assert "$ df -h" in rows
        assert "+ Runbook: The queue is stuck  0/3" in rows
        assert "Restart the worker" not in rows
        await press(pilot, "G")
        assert "enter opens it" in shown(main.checklist)
        await press(pilot, "enter")
        rows = shown(main.checklist)
        assert "- Runbook: The queue is stuck  0/3" in rows
        assert "+ Runbook: The disk is full  0/1" in rows
        assert "▸ $ echo queue" in rows
        await press(pilot, "p")
        await dialog(pilot, Choose)
        await pilot.press(*"disk", "enter")
        await until(pilot, lambda: "▸ $ df -h" in shown(main.checklist))


async def test_a_step_higher_than_the_pane_is_read_before_it_is_left_and_run_when_seen(
    tmp_path: Path,
) -> None:
    words = "\n".join(f"- line {n} of what to know" for n in range(60))
    book = (
        f"# B\n## Diagnosis\n### Step 1: Read\n{words}\n\n```bash\necho read\n```\n"
        "### Step 2: Go\nCall them.\n"
    )
    async with opened(tmp_path, book, (80, 24)) as (pilot, responder, main):
        await press(pilot, "enter")
        await pilot.pause(0.2)
        assert not responder.incident.runs, "it ran a command that was not on the screen"
        await press(pilot, "g")
        for _ in range(20):
            if "▸ $ echo read" in in_sight(main.checklist):
                break
            assert "> [ ] Step 2" not in in_sight(main.checklist)
            await press(pilot, "j")
        else:
            pytest.fail("j never came to the command")
        await press(pilot, "enter")
        await until(pilot, lambda: len(responder.incident.runs) == 1)


def in_sight(lines: Lines) -> str:
    return "\n".join(lines.render_line(y).text.rstrip() for y in range(lines.size.height))


def large(commands: int) -> str:
    """A runbook of about so many commands, with all that people write in between."""
    out = ["# Long", "", "Severity: P1", ""]
    for number in range(commands // 2):
        if number % 10 == 0:
            out += [f"## Diagnosis, part {number // 10}", "", "Some words about this part.", ""]
        out += [
            f"### Step {number}: look at thing {number}", "", "```bash", f"# Look at it, {number}",
            f"echo {number}", "# And again", f"echo again {number}", "```", "",
        ]  # fmt: skip
    return "\n".join(out)


async def test_a_key_in_a_long_runbook_lays_out_only_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = large(700)
    assert book.count("\n") > 3000
    # What is imported beside would count as work for these keys.
    monkeypatch.setattr("screens.ahead._BEGINS_AFTER_S", 3600.0)
    laid: list[str] = []
    closed = step_rows.closed

    def counted(step: object, *more: object) -> Row:
        laid.append(str(step))
        return closed(step, *more)  # type: ignore[arg-type]

    async with opened(tmp_path, book) as (pilot, responder, main):
        assert len(list(responder.runbook.commands())) == 700  # type: ignore[union-attr]
        await press(pilot, "j", "G")
        assert "> [ ] Step 349" in shown(main.checklist)
        monkeypatch.setattr(step_rows, "closed", counted)
        start = time.thread_time()
        await press(pilot, "k", "k", "k", "j", "g", "j")
        spent = (time.thread_time() - start) / 6
        assert "> [ ] Step 0" in shown(main.checklist)
        assert not laid, "steps that were there already were laid out again"
        assert spent < 0.1, f"{spent * 1000:.0f} ms of work for one key"


def test_what_is_known_is_folded_again_only_when_something_happened() -> None:
    incident = Incident()
    known = Known(incident, "a.md")
    assert known.still(replace(incident, title=Safe("x")), "a.md")
    assert not known.still(replace(incident, steps={}), "a.md")
    assert not known.still(incident, "b.md")


def test_the_checklist_is_not_bold_all_over() -> None:
    assert not Checklist.bold_under_cursor


async def test_on_a_small_terminal_the_output_comes_in_sight_and_reading_on_is_left_alone(
    tmp_path: Path,
) -> None:
    async with opened(
        tmp_path, SHOP.replace("```bash", "Words.\n\n" * 9 + "```bash", 1), (50, 14)
    ) as (
        pilot,
        responder,
        main,
    ):
        await press(pilot, "enter")
        assert not responder.incident.runs, "the command was not on the screen"
        await press(pilot, "enter")
        await until(pilot, lambda: "does not match" in in_sight(main.checklist))
        assert "▸ $ echo 503" in in_sight(main.checklist)
        await press(pilot, "j")
        before = in_sight(main.checklist)
        assert "▸ $ echo 503" not in before, "this test wants to have read on"
        responder.note("something happened")
        await pilot.pause(0.6)
        assert in_sight(main.checklist) == before


async def test_of_an_open_step_all_that_fits_is_in_sight(tmp_path: Path) -> None:
    told = "\n".join(f"| {n} | row |" for n in range(9))
    before = "\n".join(f"### Step {n}: Look\n```bash\necho {n}\n```\n" for n in range(9))
    book = (
        f"# B\n## Diagnosis\n{before}### Step 9: Count\n```bash\necho a\n```\n"
        f"```bash\necho b\n```\n| n | what |\n|---|---|\n{told}\n"
    )
    async with opened(tmp_path, book, (80, 24)) as (pilot, _, main):
        await press(pilot, *["j"] * 9)
        assert "> [ ] Step 9: Count" in in_sight(main.checklist)
        await until(pilot, lambda: "8  row" in in_sight(main.checklist))
        assert " · B" in str(main.checklist.border_title), "its title is out of sight"
        main.checklist.scroll_to(y=0, animate=False, immediate=True)
        main.checklist.refill()
        await until(pilot, lambda: "> [ ] Step 9: Count" in in_sight(main.checklist))


def ended(state: RunState, exit_status: int | None = None) -> Run:
    asked = CommandRequested(
        job="j", host="h", command="c", risk="read", gate="not asked", root="/", boot=""
    )
    return Run(seq=1, at=datetime.now(UTC), asked=asked, state=state, exit_status=exit_status)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([ended(RunState.STOPPED, 143)], "  stopped"),
        ([ended(RunState.UNKNOWN)], "  unknown how it ended"),
        ([ended(RunState.STOPPED, 143), ended(RunState.DONE, 1)], "  1 failed"),
        ([ended(RunState.DONE, 0), None], "  ran 1 of 2"),
    ],
)
def test_a_closed_step_says_how_its_commands_ended(runs: list[Run | None], words: str) -> None:
    step = next(iter(parse(SHOP, "b.md").steps()))[1]
    assert plain([step_rows.closed(step, None, runs, False, 80)]).endswith(words)


async def test_what_stands_above_a_command_is_not_said_twice(tmp_path: Path) -> None:
    book = (
        "# B (P2)\n## Diagnosis\n### Step 1: Look\n```bash\necho a\n```\n"
        "Then look there:\n\n```bash\necho b\n```\n"
    )
    async with opened(tmp_path, book) as (_, _, main):
        assert shown(main.checklist).count("Then look there") == 1
        assert "B (P2)\n" in shown(main.checklist), "the severity stands in the title"


async def test_a_choice_too_wide_for_its_line_ends_in_an_ellipsis(tmp_path: Path) -> None:
    async with opened(tmp_path, SHOP, (60, 20)) as (pilot, _, _):
        offers = [Offer(Safe("Option 1"), Safe("words " * 20), 1)]
        pilot.app.push_screen(Choose(Safe("Which?"), offers))
        await dialog(pilot, Choose)
        rows = pilot.app.screen.query_one("#offers", Lines)
        await until(pilot, lambda: shown(rows).rstrip().endswith("…"))


@pytest.mark.parametrize(
    ("markdown", "rest"),
    [
        ("Look at `a`:\nIt is long.", "It is long."),
        ("1. **Look at a.** It is long.", "It is long."),
        ("Look at a, and at [b](https://b.example).", "Look at a, and at"),
        ("Look at [a](https://a.example). Then b.", "Look at a (https://a.example). Then b."),
    ],
)
def test_a_first_sentence_that_is_the_title_is_not_read_twice(markdown: str, rest: str) -> None:
    item = prose_rows.beyond(Prose(Safe(plain_text(markdown)), Source(1, 1), markdown), "Look at a")
    assert item is not None
    assert rest in plain(prose_rows.prose(item, 60, 0))
    assert prose_rows.beyond(Prose(Safe("Look\nat a:"), Source(1, 1)), "Look at a") is None


def test_a_comment_of_several_lines_is_read_once_and_in_order() -> None:
    text = (
        "# B\n## Diagnosis\n### Step 1: Look\n```bash\necho 0\n# Where it is broken,\n"
        "# mend it:\necho a\necho b\n```\n"
    )
    book = parse(text, "b.md")
    ((_, step),) = book.steps()
    at = Place(Kind.STEP, step.id, 2)
    rows = plain(step_rows.opened(step, at, step_rows.Facts(), False, 60)).split("\n")
    told = [row.strip() for row in rows if "broken" in row or "mend" in row or "$" in row]
    assert told == ["$ echo 0", "Where it is broken,", "mend it:", "$ echo a", "▸ $ echo b"]
