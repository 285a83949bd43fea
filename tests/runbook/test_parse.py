"""Runbooks as people write them: what the checklist is made of."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.runbook.model import (
    Command,
    Phase,
    Prose,
    Reference,
    Risk,
    Runbook,
    Section,
    Snippet,
    Step,
    StepKind,
    Waits,
)
from cockpit.runbook.parse import Unreadable, parse, read
from cockpit.runbook.show import outline, record


def book(text: str) -> Runbook:
    return parse(textwrap.dedent(text).lstrip("\n"), "x.md")


def section(runbook: Runbook, name: str) -> Section:
    return next(section for section in runbook.sections() if section.id == name)


def step(runbook: Runbook, name: str) -> Step:
    return next(step for _, step in runbook.steps() if step.id == name)


def texts(runbook: Runbook) -> list[str]:
    return [command.text for _, _, command in runbook.commands()]


RUNBOOK = """
    # Queue stuck

    **Severity:** P1
    **Owner:** payments

    ## Diagnosis

    ### Step 1: Look at the worker

    The worker logs each job.

    ```bash
    # Is it up?
    docker compose ps worker
    # Expected: "Up"
    # If it is not: See Recovery > Restart the worker

    # Its last words
    docker logs worker --tail 20
    ```

    ### Step 2: Call the owner

    Ask whether a deploy is running.

    ## Recovery

    ### Option 1: Restart the worker (Most Common)

    ```bash
    docker compose restart worker
    ```

    **Verify:**

    ```bash
    curl -s http://localhost:8000/health   # Should say ok
    ```

    ### Option 2: Start over

    ```bash
    docker compose down && docker compose up -d
    ```

    ## Verification

    ```bash
    # 1. Health
    curl -s http://localhost:8000/health
    # Expected: ok

    # 2. Jobs
    docker logs worker --tail 1
    ```
    """


def test_a_runbook_has_title_severity_sections_and_steps() -> None:
    runbook = book(RUNBOOK)
    assert (runbook.title, runbook.severity) == ("Queue stuck", "P1")
    assert [s.id for s in runbook.sections()] == [
        "queue-stuck",
        "diagnosis",
        "recovery",
        "verification",
    ]
    assert [(s.id, s.kind) for _, s in runbook.steps()] == [
        ("diagnosis/step-1-look-at-the-worker", StepKind.STEP),
        ("diagnosis/step-2-call-the-owner", StepKind.MANUAL),
        ("recovery/option-1-restart-the-worker-most-common", StepKind.OPTION),
        ("recovery/option-2-start-over", StepKind.OPTION),
        ("verification/1-health", StepKind.STEP),
        ("verification/2-jobs", StepKind.STEP),
    ]


def test_comments_are_titles_expectations_and_branches() -> None:
    first, second = step(book(RUNBOOK), "diagnosis/step-1-look-at-the-worker").commands
    assert (first.title, first.id) == ("Is it up?", "diagnosis/step-1-look-at-the-worker#1")
    assert first.expectation is not None and first.expectation.text == '"Up"'
    assert (second.title, second.expectation) == ("Its last words", None)
    (reference,) = step(book(RUNBOOK), "diagnosis/step-1-look-at-the-worker").references
    assert reference.target == "recovery/option-1-restart-the-worker-most-common"
    assert reference.text.startswith("If it is not")


def test_a_comment_behind_a_command_can_be_its_expectation() -> None:
    option = step(book(RUNBOOK), "recovery/option-1-restart-the-worker-most-common")
    check = option.commands[1]
    assert check.text == "curl -s http://localhost:8000/health"
    assert check.expectation is not None and check.expectation.text == "Should say ok"
    assert [command.phase for command in option.commands] == [Phase.RECOVERY, Phase.VERIFICATION]


def test_lines_are_those_of_the_file() -> None:
    lines = textwrap.dedent(RUNBOOK).lstrip("\n").split("\n")
    for _, _, command in book(RUNBOOK).commands():
        assert lines[command.lines.first - 1].strip().startswith(command.text)


def test_risk_and_waiting_come_from_the_shell() -> None:
    option = step(book(RUNBOOK), "recovery/option-2-start-over").commands[0]
    assert (option.risk, option.waits) == (Risk.DESTROY, None)
    (follow,) = book("## Logs\n`docker logs -f x`").commands()
    assert follow[2].waits is Waits.STREAM


def test_an_ordered_list_is_a_list_of_steps() -> None:
    runbook = book(
        """
        # Disk
        ## Recovery
        1. Find the large ones: `du -sh /var/log`
        2. Ask the owner.
        3. Rotate:
           ```bash
           logrotate -f /etc/logrotate.conf
           ```
        4. Look again

        ```bash
        df -h
        ```
        """
    )
    assert [(s.title, s.kind, len(s.commands)) for _, s in runbook.steps()] == [
        ("Find the large ones: du -sh /var/log", StepKind.STEP, 1),
        ("Ask the owner.", StepKind.MANUAL, 0),
        ("Rotate", StepKind.STEP, 1),
        ("Look again", StepKind.MANUAL, 1),
    ]


def test_commands_without_any_markup() -> None:
    runbook = book(
        """
        # Site
        ## 1. Site down
        1. Look:
           docker compose ps
           ss -ltn | grep 80
           If 80 is closed:
             sudo firewall-cmd --reload
        2. In compose.yml set:
           image: app:<tag>
        - curl /health returns 200 and says up
        """
    )
    assert texts(runbook) == [
        "docker compose ps",
        "ss -ltn | grep 80",
        "sudo firewall-cmd --reload",
    ]
    assert {command.source for _, _, command in runbook.commands()} == {"bare"}


def test_task_lists_are_checks() -> None:
    runbook = book("# Shift\n## Pre-Shift Checklist\n- [ ] Laptop charged\n- [x] `docker ps` works")
    assert [(s.title, s.kind) for _, s in runbook.steps()] == [
        ("Laptop charged", StepKind.CHECK),
        ("docker ps works", StepKind.CHECK),
    ]
    assert texts(runbook) == ["docker ps"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run `docker ps` now.", ["docker ps"]),
        ("Does `curl -s http://x/health` answer?", ["curl -s http://x/health"]),
        ("The flag `--force` and `/health` and `restart=always` are words.", []),
        ("The playbook attempts `systemctl restart app` three times.", []),
        ("We pipe to `tr` first.", []),
        ("- App: `docker compose logs app`", ["docker compose logs app"]),
        ("- `level=ERROR`\n- `no space left`", []),
        ("- **Schedule**: `0 3 * * *`", []),
        ("| what | how |\n|---|---|\n| restart | `docker restart app` |", ["docker restart app"]),
    ],
)
def test_inline_code_is_a_command_where_it_is_told_to_be_run(text: str, found: list[str]) -> None:
    assert texts(book(f"# T\n## Steps\n{text}")) == found


@pytest.mark.parametrize(
    "after",
    [
        "Expected: running",
        "**Expected:** running",
        "**Expected Output:** `running`",
        "**Expected output:**\n```\nrunning\n```",
        "You get something similar to:\n```\nrunning\n```",
    ],
)
def test_an_expectation_after_the_block(after: str) -> None:
    runbook = book(f"# T\n## Diagnosis\n```bash\ndocker ps\n```\n{after}\n")
    ((_, _, command),) = runbook.commands()
    assert command.expectation is not None and command.expectation.text == "running"


def test_bold_labels_are_headings() -> None:
    runbook = book(
        """
        # Guide
        ## App will not start
        **Symptoms**: it exits at once

        **Solutions**:
        1. Look: `docker logs app`

        ## App is slow
        **Symptoms**: it is slow

        **Solutions**:
        1. Look: `docker stats --no-stream`
        """
    )
    assert [p.title for p in runbook.procedures] == ["App will not start", "App is slow"]
    assert [s.phase for s in runbook.procedures[0].sections] == [
        Phase.PROCEDURE,
        Phase.SYMPTOMS,
        Phase.RECOVERY,
    ]


def test_a_bold_step_is_a_step() -> None:
    runbook = book(
        "# T\n## Recovery\n**Step 1: Look**\n```bash\nls\n```\n**Step 2: Wait**\n\nA while."
    )
    assert [s.title for _, s in runbook.steps()] == ["Step 1: Look", "Step 2: Wait"]


@pytest.mark.parametrize(
    ("headings", "phase"),
    [
        (["Diagnosis Steps"], Phase.DIAGNOSIS),
        (["Recovery", "Option 1: Verify and restart"], Phase.RECOVERY),
        (["Pre-Shift Checklist", "Access Verification"], Phase.PREREQUISITES),
        (["Incident Workflow", "Step 4: Escalate if needed"], Phase.ESCALATION),
        (["Incident Workflow", "Step 6: Post-Incident"], Phase.POST_INCIDENT),
        (["Validation"], Phase.VERIFICATION),
        (["Image rollback"], Phase.ROLLBACK),
        (["Common Pitfalls"], Phase.MISTAKES),
        (["Quick Command Reference", "Restart"], Phase.REFERENCES),
        (["Mitigation"], Phase.RECOVERY),
        (["Something else"], Phase.PROCEDURE),
    ],
)
def test_the_phase_comes_from_the_nearest_heading_that_names_one(
    headings: list[str], phase: Phase
) -> None:
    text = "\n".join("#" * (level + 2) + f" {title}" for level, title in enumerate(headings))
    ((_, _, command),) = book(f"# T\n{text}\n```bash\nls -l\n```").commands()
    assert command.phase is phase


def test_references_in_prose() -> None:
    runbook = book(
        """
        # T
        ## Diagnosis
        If this fails, go to [the restart](#option-1-restart).
        If nothing helps, see Escalation.

        See the [manual](https://example.net).
        ## Recovery
        ### Option 1: Restart
        `docker restart app`
        ## Escalation
        Call somebody. If unsure, see Chapter Nine.
        """
    )
    found = [item for s in runbook.sections() for item in s.intro if isinstance(item, Reference)]
    found += [item for _, one in runbook.steps() for item in one.references]
    assert [(item.text, item.target) for item in found] == [
        ("If this fails, go to the restart.", "recovery/option-1-restart"),
        ("If nothing helps, see Escalation.", "escalation"),
        ("Call somebody. If unsure, see Chapter Nine.", None),
    ]


def test_variables_carry_over_and_gaps_do_not() -> None:
    runbook = book(
        "# T\n## Steps\n```bash\nexport NS=x\nkubectl -n $NS logs <pod> --tail $LINES_N\n```"
    )
    last = [command for _, _, command in runbook.commands()][-1]
    assert [gap.text for gap in last.placeholders] == ["<pod>", "$LINES_N"]


def test_titles_that_repeat_have_ids_of_their_own() -> None:
    runbook = book("# T\n## Check\n`docker ps`\n## Check\n`docker ps`\n")
    assert [s.id for s in runbook.sections()] == ["check", "check-2"]


def test_tabs_of_mkdocs_hold_commands() -> None:
    runbook = book(
        """
        # T
        ## Stop
        === "Plugin"

            ``` bash
            docker compose stop
            ```

        === "Standalone"

            ``` bash
            docker-compose stop
            ```
        """
    )
    assert texts(runbook) == ["docker compose stop", "docker-compose stop"]
    assert [s.title for _, s in runbook.steps()] == ["Plugin", "Standalone"]


def test_front_matter_is_data_and_lines_stay() -> None:
    runbook = book(
        "---\ntitle: Queue\nseverity: P2\nservices: [worker]\n---\n\n```bash\nls -l\n```\n"
    )
    assert (runbook.title, runbook.severity, runbook.meta["services"]) == (
        "Queue",
        "P2",
        ["worker"],
    )
    ((_, _, command),) = runbook.commands()
    assert command.lines.first == 8


def test_broken_front_matter_is_a_warning() -> None:
    runbook = book("---\ntitle: [a\nb: c\n---\n# T\n")
    assert "not YAML" in runbook.warnings[0]


def test_a_file_without_headings_is_one_section() -> None:
    runbook = parse("```bash\n$ docker ps\n$ df -h\n```\n", "notes/disk.md")
    assert runbook.title == "disk"
    assert texts(runbook) == ["docker ps", "df -h"]


def test_nothing_is_dropped() -> None:
    text = """
        # T
        ## Symptoms
        - slow
          - very
        > a quote
        ## Impact
        | a | b |
        |---|---|
        | 1 | 2 |
        ```yaml
        key: value
        ```
        <div>html</div>
        ## Recovery
        Words before.
        1. First
           More about it.
           - inner item
        ```bash
        # remark one
        # remark two
        ls -l
        # last remark
        ```
        Words after.
        """
    runbook = book(text)
    shown: list[str] = []
    for part in runbook.sections():
        shown.append(part.title)
        for item in [*part.intro, *(item for one in part.steps for item in one.items)]:
            if isinstance(item, Command):
                shown += [item.title, item.text]
            elif isinstance(item, Prose | Snippet | Reference):
                shown.append(item.text)
        shown += [one.title for one in part.steps]
    everything = "\n".join(shown)
    for words in [
        "slow", "very", "a quote", "| 1 | 2 |", "key: value", "html", "Words before", "First",
        "More about it", "inner item", "remark one", "remark two", "last remark", "Words after",
    ]:  # fmt: skip
        assert words in everything, words


def test_foreign_text_is_clean_and_commands_stay_raw() -> None:
    runbook = book("# T\x1b[31m\n## A\u202eb\n```bash\necho '\x1b]52;c;x\x07'  # n\x1bote\n```\n")
    ((part, one, command),) = runbook.commands()
    for shown in (runbook.title, part.title, one.title, command.title, outline(runbook)):
        assert "\x1b" not in shown and "\u202e" not in shown
    assert command.text == "echo '\x1b]52;c;x\x07'"


def test_windows_line_ends_and_tabs() -> None:
    runbook = parse("# T\r\n\r\n## Diagnosis\r\n\r\n```bash\r\ndocker ps\r\n```\r\n", "x.md")
    ((_, _, command),) = runbook.commands()
    assert (command.text, command.lines.first) == ("docker ps", 6)


def test_the_outline_reads_and_the_record_has_every_command() -> None:
    runbook = book(RUNBOOK)
    assert "( ) Option 2: Start over" in outline(runbook)
    assert "[destroy]" in outline(runbook)
    data = record(runbook)
    assert [entry["text"] for entry in data["commands"]] == texts(runbook)  # type: ignore[attr-defined]
    assert data["references"] == [
        {
            "text": "If it is not: See Recovery > Restart the worker",
            "line": 16,
            "target": "recovery/option-1-restart-the-worker-most-common",
            "target_line": 28,
        }
    ]


def test_bad_files_say_what_is_wrong(tmp_path: Path) -> None:
    cases = {
        "gone.md": (None, "not there"),
        "empty.md": (b" \n", "empty"),
        "binary.md": (b"\x7fELF\0\0", "binary"),
        "large.md": (b"x" * 6_000_000, "6 MB; a runbook is text of at most 5 MB"),
    }
    for name, (data, message) in cases.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(Unreadable, match=message):
            read(tmp_path / name)
    with pytest.raises(Unreadable, match="directory"):
        read(tmp_path)


def test_a_file_that_is_not_utf8_is_read_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "old.md"
    path.write_bytes("# Störung\n".encode("cp1252"))
    runbook = read(path)
    assert runbook.title == "Störung"
    assert "not UTF-8 (line 1)" in runbook.warnings[0]
    assert path.read_bytes() == "# Störung\n".encode("cp1252")


def test_the_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "a.md"
    path.write_bytes(b"# A\r\n")
    assert read(path).sha256 == hashlib.sha256(b"# A\r\n").hexdigest()


_PARTS = [
    "```",
    "```bash\n",
    "~~~\n",
    "# ",
    "## ",
    "### Option 1: ",
    "**Symptoms**: ",
    "- ",
    "1. ",
    "- [ ] ",
    "`docker ps`",
    "'",
    '"',
    "$(",
    "<x>",
    "<<EOF\n",
    "\n",
    "\n\n",
    "    ",
    " | ",
    "&& ",
    "\\\n",
    "{",
    "if ",
    "$X",
    "[your-x]",
    "Expected: ",
    "# Expected: x\n",
    "$ ls\n",
    "mysql> ",
    "\0",
    "\x1b[31m",
    "é",
    "> ",
    "| a | b |\n|---|---|\n",
    "<!--",
    "---\n",
    "If so, see Recovery\n",
    "[a](#b)",
    "===",
    "\t",
    "\r",
    "(",
    ")",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(_PARTS) | st.text(max_size=3), max_size=40))
def test_any_text_is_a_runbook(parts: list[str]) -> None:
    runbook = parse("".join(parts), "x.md")
    ids = [s.id for s in runbook.sections()] + [s.id for _, s in runbook.steps()]
    assert len(ids) == len(set(ids))
    assert outline(runbook) and record(runbook)


@pytest.mark.parametrize(
    "text",
    [
        "```bash\n" + "echo 'a\n" * 5_000 + "```",
        "```bash\n" + "cat <<EOF\n" * 2_000,
        "[" * 50_000,
        "> " * 3_000,
        "- " * 3_000,
        "`" * 50_000,
        "**a" * 20_000,
        "Expected " * 10_000,
        "see " * 30_000,
        "```bash\n" + "$(" * 3_000 + "\n```",
        "```bash\n" + "(" * 10_000 + "\n```",
        "## " + "recovery " * 10_000,
    ],
    ids=range(12),
)
def test_hostile_text_does_not_hang(text: str) -> None:
    import time

    start = time.process_time()
    parse(text, "x.md")
    assert time.process_time() - start < 15


# What is no command


def snippets(runbook: Runbook) -> list[str]:
    return [
        item.text.strip()
        for section in runbook.sections()
        for place in (section.intro, *(step.items for step in section.steps))
        for item in place
        if isinstance(item, Snippet)
    ]


def code(language: str, *lines: str) -> Runbook:
    return parse("# X\n\n## Diagnosis\n\n```" + "\n".join([language, *lines, "```", ""]), "x.md")


def test_rows_below_a_command_are_its_output() -> None:
    found = code(
        "bash",
        "docker ps",
        "default     shop-main-0     1/2     CrashLoopBackOff    37     2d",
        "spare item",
        "",
        "othertool check",
    )
    assert texts(found) == ["docker ps", "othertool check"]
    assert len(snippets(found)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "drwxr-xr-x 4 root root 4.0K May 20 07:31 ..",
        "total 12",
        "(A) Toggle the flag",
        "pool_size = 20",
        'sum by(job) (rate(requests_total{code="500"}[5m]))',
        'up{job="shop"} == 0',
        "or",
    ],
)
def test_a_line_that_no_shell_runs_is_output(line: str) -> None:
    assert texts(code("sh", "ls -l", line)) == ["ls -l"]


@pytest.mark.parametrize(
    "lines",
    [
        ("port 6379", "loglevel notice", "appendonly yes"),
        ("# /etc/shop/cache.conf", "bind lo"),
        ("# shop.env", "WORKERS=4"),
        ("DB_HOST=db", "DB_PASSWORD=<secret>", 'ADMINS=["a@b.example", "c@d.example"]'),
    ],
)
def test_settings_in_a_fence_that_says_bash_are_no_commands(lines: tuple[str, ...]) -> None:
    found = code("bash", *lines)
    assert texts(found) == []
    assert len(snippets(found)) == 1


def test_a_tool_of_the_house_is_called_however_short_its_words() -> None:
    calls = ["shopctl queue status", "shopctl queue drain", "shopctl health"]
    assert texts(code("bash", *calls)) == calls


def test_a_constant_that_a_later_command_reads_is_a_command() -> None:
    found = parse(
        "# X\n\n```bash\nNODE='<name of the node>'\n```\n\n```bash\noc debug node/$NODE\n```\n",
        "x.md",
    )
    assert texts(found) == ["NODE='<name of the node>'", "oc debug node/$NODE"]


@pytest.mark.parametrize("line", ["python3.11 -m shop.check", "php8.2 artisan queue:restart"])
def test_a_version_belongs_to_the_name_of_a_program(line: str) -> None:
    assert texts(code("", line)) == [line]


def test_a_prompt_may_name_only_host_and_folder() -> None:
    found = code("", "console-01.shop.example:~$ ps aux", "root  1  0.0 init")
    assert texts(found) == ["ps aux"]


@pytest.mark.parametrize(
    "item",
    [
        "`shop/worker.py`",
        "`shop/jobs/`",
        "`kubectl logs`",
        "`docker exec -it`",
        "Send `kill -9`",
        "`awk`",
    ],
)
def test_a_name_in_a_list_is_not_a_call(item: str) -> None:
    assert texts(parse(f"# X\n\n## Recovery\n\n- {item}\n", "x.md")) == []


def test_a_table_of_files_is_to_be_read() -> None:
    text = "# X\n\n## Recovery\n\n| Script | For |\n|---|---|\n| `restore.py` | data |\n"
    assert texts(parse(text, "x.md")) == []


@pytest.mark.parametrize(
    "line",
    [
        "proxy_read_timeout 60s;",
        "location /health {",
        "https://shop.example/status",
        "import logging",
        "shop.basic_check(level=1)",
        "update jobs set state = 1",
        "queue.go:279] not yet synced",
    ],
)
def test_a_line_of_another_language_is_none_of_shell(line: str) -> None:
    assert texts(code("bash", "docker ps", line)) == ["docker ps"]


# Expectations


def expected(runbook: Runbook) -> list[str | None]:
    return [
        command.expectation.text if command.expectation else None
        for _, _, command in runbook.commands()
    ]


def test_lines_below_an_expectation_that_ends_with_a_colon_belong_to_it() -> None:
    found = code("bash", "docker ps", "# Should show:", "# api   Up", "# db    Up")
    assert expected(found) == ["Should show:\napi   Up\ndb    Up"]


def test_a_list_below_look_for_is_expected() -> None:
    found = book(
        """
        # X
        ## Diagnosis
        ```bash
        docker ps
        ```
        Look for:
        - api is Up
        - db is Up
          - and healthy

        1. Call the owner.
        """
    )
    assert expected(found) == ["Look for:\n- api is Up\n- db is Up\n  - and healthy"]
    assert [s.title for _, s in found.steps()][-1] == "Call the owner."


def test_sample_output_below_you_should_see_is_expected() -> None:
    found = parse(
        "# X\n\n```bash\ndocker ps\n```\n\nYou should see both:\n\n```\napi Up\ndb Up\n```\n",
        "x.md",
    )
    assert expected(found) == ["You should see both:\napi Up\ndb Up"]


@pytest.mark.parametrize(
    "line",
    ["Expected duration: 2 hours", "Expected RTO: 4 h", "Should there be jobs left, wait."],
)
def test_how_long_it_takes_or_what_may_be_is_no_expectation(line: str) -> None:
    found = parse(f"# X\n\n```bash\ndocker ps\n```\n\n{line}\n", "x.md")
    assert expected(found) == [None]


def test_a_comment_with_a_colon_above_a_command_is_its_title() -> None:
    found = code("bash", "docker ps", "# Look for old jobs:", "docker exec db jobs --old")
    assert expected(found) == [None, None]
    assert [c.title for _, _, c in found.commands()][1] == "Look for old jobs"


# Families of headings


def options(runbook: Runbook) -> list[str]:
    return [one["title"] for one in record(runbook)["options"]]  # type: ignore[attr-defined]


def procedures(runbook: Runbook) -> list[str]:
    return [one["title"] for one in record(runbook)["procedures"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "titles",
    [
        ("Option 1: Restart", "Option 2 (slow)"),
        ("Solution A: Restart", "Solution B: Rebuild"),
        ("Approach 2 - Restart", "Method 1. Rebuild"),
        ("Way 1: Restart", "Alternative: Rebuild"),
        ("Workaround: Restart", "Fix #2: Rebuild"),
        ("Via the console", "Via the API"),
        ("Using systemd", "Using Docker"),
        ("Manually", "Automatically (slower)"),
    ],
)
@pytest.mark.parametrize("shape", ["### {}\n\n", "**{}**\n\n"])
def test_options_in_every_wording(titles: tuple[str, ...], shape: str) -> None:
    text = "# X\n\n## Recovery\n\n" + "".join(
        shape.format(title) + "```bash\ndocker restart api\n```\n\n" for title in titles
    )
    found = parse(text, "x.md")
    wordless = not any(char.isdigit() or char in ":#" for char in titles[0])
    if wordless and shape.startswith("*"):
        return  # without the word, only a real heading says so
    assert options(found) == list(titles)
    assert {c.phase for _, _, c in found.commands()} == {Phase.RECOVERY}


@pytest.mark.parametrize(
    "title", ["Solutions", "Fix a broken index", "Methods of payment", "Using Docker", "Way out"]
)
def test_a_heading_that_is_no_option(title: str) -> None:
    assert options(parse(f"# X\n\n## Recovery\n\n### {title}\n\nText.\n", "x.md")) == []


def test_options_in_a_list_and_in_the_comments_of_a_fence() -> None:
    found = book(
        """
        # X
        ## Recovery
        1. Option A: run `docker restart api`
        2. Option B: run `docker restart db`

        ```bash
        # Option 1: the worker
        docker restart worker

        # Option 2: all
        docker compose restart
        ```
        """
    )
    assert len(options(found)) == 4


def test_an_option_with_a_numbered_list_has_steps_of_its_own() -> None:
    found = book(
        """
        # X
        ## Recovery
        ### Option 1: By the board
        1. Open the board.
        2. Press restart.
        ### Option 2: By hand
        1. Run `docker restart api`.
        2. Wait a minute.
        """
    )
    assert options(found) == ["Option 1: By the board", "Option 2: By hand"]
    assert [s.title for _, s in found.steps()][:2] == ["Open the board.", "Press restart."]


PROBLEMS = """
    # Handbook
    ## Escalation
    Call the owner.
    ## Quick commands
    ### The API is down
    ```bash
    docker restart api
    ```
    ### Slow queries
    ```bash
    docker stats --no-stream
    ```
    ### Ask for more
    - see the board
    ## Common mistakes
    ### Restart fails
    - do not do it twice
    ### Backup missing
    - look before you leap
    """


def test_headings_that_name_a_problem_each_are_procedures() -> None:
    found = book(PROBLEMS)
    assert procedures(found) == ["The API is down", "Slow queries", "Ask for more"]
    assert [p.title for p in found.procedures] == [
        "Handbook",
        "The API is down",
        "Slow queries",
        "Ask for more",
        "Handbook",
    ]


def test_one_problem_or_numbered_steps_are_not_several_procedures() -> None:
    one = "# X\n## Diagnosis\n### API is down\n```sh\nls -l\n```\n### Look\n- a\n### See\n- b\n"
    assert procedures(parse(one, "x.md")) == []
    steps = "# X\n## Diagnosis\n### A. API down\n```sh\nls\n```\n### B. DB down\n```sh\nls\n```\n"
    assert procedures(parse(steps, "x.md")) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("How to: Rotate the key", "How to: Export the data"),
        ("How to restart", "How do I stop?"),
        ("Alert: ApiDown", "Alert: DiskFull (P1)"),
        ("1. No answer", "2. Image rollback"),
    ],
)
def test_other_families_of_procedures(first: str, second: str) -> None:
    text = f"# X\n\n## {first}\n\n1. Run `docker ps`\n2. Wait.\n\n## {second}\n\n1. Stop.\n2. Go.\n"
    assert procedures(parse(text, "x.md")) == [first, second]


def test_a_comment_that_titles_no_command_is_kept_to_be_read() -> None:
    found = code("bash", "docker ps", "# Sample of old days", "$ docker ps --all")
    kept = "".join(str(item) for _, s in found.steps() for item in s.items)
    assert "Sample of old days" in kept
    found = code("bash", "# All of them", "docker ps  # what runs")
    assert [c.title for _, _, c in found.commands()] == ["what runs"]
    assert "All of them" in [s.title for _, s in found.steps()] + [
        str(item) for _, s in found.steps() for item in s.items
    ]


def test_the_outline_fits_80_columns_and_says_what_a_responder_asks() -> None:
    found = book(
        """
        ---
        services: [worker]
        ---
        # Queue stuck (SEV2) with a title that is so long that no line of eighty columns holds it
        ## The API is down
        ```sh {host=prod-1 timeout=30}
        docker logs -f <container> --since 10m 2>&1 | grep --line-buffered -i "error" # the worst
        # Expected: no line at all
        ```
        If not: See Slow queries > Look
        ## Slow queries
        ```yaml
        a: 1
        ```
        - [ ] Ask the owner
        """
    )
    shown = outline(found)
    assert max(len(line) for line in shown.splitlines()) <= 80
    for part in (
        "== The API is down",
        "services worker",
        "[read]",
        "on prod-1",
        "at most 30 s",
        "goes on until it is stopped",
        "needs <container>",
        "expect: no line at all",
        "-> If not: See Slow queries > Look",
        "[yaml, 1 line, not to be run]",
        "[ ] Ask the owner  (by hand)",
    ):
        assert part in shown, part


@pytest.mark.parametrize(
    ("title", "phase"),
    [
        ("Diagnóstico", Phase.DIAGNOSIS),
        ("Síntomas", Phase.SYMPTOMS),
        ("Resolución", Phase.RECOVERY),
        ("Verificación", Phase.VERIFICATION),
        ("Prevención", Phase.PREVENTION),
        ("Wiederherstellung", Phase.RECOVERY),
        ("Immediate containment", Phase.RECOVERY),
        ("Manual trigger", Phase.PROCEDURE),
        ("Resend the alert mail", Phase.PROCEDURE),
        ("Alert details", Phase.SYMPTOMS),
    ],
)
def test_the_phase_of_a_heading(title: str, phase: Phase) -> None:
    found = parse(f"# X\n\n## {title}\n\n```sh\ndocker ps\n```\n", "x.md")
    assert [command.phase for _, _, command in found.commands()] == [phase]


def test_headings_about_problems_that_name_none_are_not_procedures() -> None:
    text = "# X\n\n## Investigating problems\n\n- a\n\n## Fixing issues\n\n- b\n"
    assert procedures(parse(text, "x.md")) == []


@pytest.mark.parametrize(
    ("table", "severity"),
    [
        ("| Severity | What it means |\n|---|---|\n| P0 | all is down |", None),
        ("| Severity | P1 |\n|---|---|\n| Owner | sam |", "P1"),
        ("| Key | Value |\n|---|---|\n| **Severity** | critical |", "critical"),
    ],
)
def test_the_heading_of_a_column_is_no_severity(table: str, severity: str | None) -> None:
    assert parse(f"# Handbook\n\n{table}\n", "x.md").severity == severity


def test_customers_who_see_something_are_no_reference() -> None:
    text = "## Symptoms\n- Customers see the shop, not the prices\n\n## Recovery\n### The shop\n"
    book = parse(f"# T\n{text}", "x.md")
    assert not [item for section in book.sections() for item in section.intro
                if isinstance(item, Reference)]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Do not run `docker compose down -v`, `git reset --hard` or `git clean -fd` here.", []),
        ("- Never run `docker volume prune`; run `docker system df`.", ["docker system df"]),
        ("- If it hangs, do not wait, run `docker ps -a`", ["docker ps -a"]),
        ("- Don't forget to run `make backup`", ["make backup"]),
        ("Do **not**, to win space:\n\n- `docker volume prune -f`: it takes the data", []),
        ("To win space:\n\n- `docker image prune -f`", ["docker image prune -f"]),
        ("To run `etcdctl` commands, log in with `ssh node-1`.", ["ssh node-1"]),
    ],
)
def test_what_a_sentence_forbids_or_only_names_is_not_to_be_run(text: str, told: list[str]) -> None:
    assert texts(book(f"# T\n\n## Recovery\n\n{text}\n")) == told


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("## Severity\n\nCritical", "Critical"),
        ("## Severity\n\n**P2**\n", "P2"),
        ("## Severity: high", "high"),
        ("## Severity\n\nIt depends on who is hit.", None),
        ("## Severity\n\n- P1: all are hit\n- P2: some are", None),
        ("## Severity\n\n### P1\n\nAll are hit.", None),
    ],
)
def test_a_section_that_only_says_the_severity(text: str, severity: str | None) -> None:
    assert book(f"# Worker down\n\n{text}\n").severity == severity


@pytest.mark.parametrize(
    ("parents", "title", "phase"),
    [
        (["Detailed Investigation"], "Step 2: Look at the queue", Phase.DIAGNOSIS),
        (["Detailed Investigation"], "Step 3: Quick Cleanup", Phase.RECOVERY),
        (["Investigation"], "Step 4: Fix the queue", Phase.RECOVERY),
        (["Investigation"], "Step 5: Verify Recovery", Phase.VERIFICATION),
        (["Investigation"], "1. Verify the worker", Phase.DIAGNOSIS),
        (["Immediate Actions"], "Step 3: No luck - Manual Intervention", Phase.RECOVERY),
        ([], "1. Confirm the source", Phase.DIAGNOSIS),
        ([], "Confirm the fix", Phase.VERIFICATION),
        ([], "Detection signal", Phase.SYMPTOMS),
        ([], "Manual QA Checklist", Phase.VERIFICATION),
        (["Verification"], "Check the logs", Phase.VERIFICATION),
    ],
)
def test_the_phase_of_a_step_and_of_a_heading(parents: list[str], title: str, phase: Phase) -> None:
    above = "\n".join(f"## {parent}\n" for parent in parents)
    runbook = book(f"# Worker down\n\n{above}\n### {title}\n\n```bash\nls -l\n```\n")
    assert [command.phase for _, _, command in runbook.commands()] == [phase]


def test_a_label_check_below_a_symptom_is_diagnosis() -> None:
    runbook = book("""
        # Shop

        ## Cart is empty

        **Symptom**: customers see no goods

        **Check**:
        ```bash
        docker compose ps cart
        ```

        **Fix**:
        ```bash
        docker compose restart cart
        ```
    """)
    phases = [command.phase for _, _, command in runbook.commands()]
    assert phases == [Phase.DIAGNOSIS, Phase.RECOVERY]


def test_comments_that_name_options_make_a_step_a_section_with_them() -> None:
    runbook = book("""
        # Queue

        ## Recovery

        ### Step 1: Make room

        ```bash
        # Before: how much is there?
        df -h
        # Option 1: Drop the cache
        docker compose exec cache redis-cli FLUSHALL
        # Option 2: Move the log away
        mv /srv/log /mnt/log
        ```

        ### Step 2: Look again

        ```bash
        df -h
        ```
    """)
    titles = {str(step.title): step.kind for _, step in runbook.steps()}
    assert titles["Option 1: Drop the cache"] is StepKind.OPTION
    assert titles["Option 2: Move the log away"] is StepKind.OPTION
    assert titles["Step 2: Look again"] is StepKind.STEP


def test_cases_below_a_step_are_its_options_and_elsewhere_are_not() -> None:
    cases = "".join(
        f"#### Scenario {letter}: queue {letter}\n\n```bash\nls {letter}\n```\n\n"
        for letter in "AB"
    )
    runbook = book(f"# Queue\n\n## Recovery\n\n### Step 2: Start it by hand\n\n{cases}")
    assert [step.kind for _, step in runbook.steps()] == [StepKind.OPTION, StepKind.OPTION]
    runbook = book(f"# Queue\n\n## Incidents\n\n{cases.replace('####', '###')}")
    assert StepKind.OPTION not in {step.kind for _, step in runbook.steps()}


def test_numbers_in_bold_make_steps() -> None:
    runbook = book("""
        # Dump

        ## Restore one table

        Some words on this.

        **1.** Read the words above first.

        **2.** Open a tunnel:

        ```
        make tunnel PORT=5432
        ```

        **3.** Put it back.

        ```
        pg_restore --dbname=shop dump.sql
        ```
    """)
    titles = [step.title for _, step in runbook.steps()]
    assert titles == ["1. Read the words above first.", "2. Open a tunnel", "3. Put it back."]
    assert texts(runbook) == ["make tunnel PORT=5432", "pg_restore --dbname=shop dump.sql"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("With Compose:\n\ndocker compose pull <tag>\ndocker compose up -d", 2),
        ("With Compose:\n\ndocker compose up -d\n\ndocker compose ps", 2),
        ("docker compose up -d", 0),
        ("What you need:\n\nkubectl is installed on your machine", 0),
        ("What you need:\n\nkubectl access to the cluster.", 0),
        ("What it does:\n\nmake dumps\nand move them", 0),
        ("Then:\n\n- a\n- b\n\ndocker compose up -d", 0),
    ],
)
def test_commands_without_markup_below_a_colon(text: str, told: int) -> None:
    assert len(texts(book(f"# T\n\n## Recovery\n\n{text}\n"))) == told


def test_what_a_command_shows_when_all_is_well_is_expected_of_it() -> None:
    runbook = book("""
        # Disk

        ## Symptoms

        - `df -h` shows 100% (the bot is mute)

        ## Verification

        - `df -h` shows room (below 80%) on the disk. It may take a minute.
        - Orders arrive (`make count` reports no *new* gap).
        - `make smoke`
    """)
    found = [command for _, _, command in runbook.commands()]
    said = [(it.text, it.expectation.text if it.expectation else None) for it in found]
    assert said == [
        ("df -h", "shows room (below 80%) on the disk"),
        ("make count", "reports no new gap"),
        ("make smoke", None),
    ]


def test_look_for_in_a_numbered_list_is_a_step_like_the_others() -> None:
    runbook = book("""
        # Web

        ## Recovery

        1. See what it says:
           ```bash
           docker compose logs web
           ```
        2. Look for one of these:
           - no secret is set
        3. Start it again: `docker compose restart web`
    """)
    titles = [step.title for _, step in runbook.steps()]
    assert titles[:2] == ["See what it says", "Look for one of these"]
    assert all(command.expectation is None for _, _, command in runbook.commands())


def test_output_told_of_below_other_items_is_not_that_of_the_last_command() -> None:
    runbook = book("""
        # Standby

        ## Rebuild it

        * `rm -r /srv/db/data`
        * Follow the page on cloning from here

        When it is up you should see a line like this:

        ```
        2024-05-01 12:00:00 UTC LOG:  database system is ready
        ```
    """)
    assert all(command.expectation is None for _, _, command in runbook.commands())


def test_what_is_below_do_not_is_not_to_be_run_and_what_is_to_be_captured_is() -> None:
    runbook = book("""
        # Queue

        ## Escalation

        1. Capture `journalctl -u queue -b --no-pager` to a file.
        2. Collect `docker info` output.

        ## Do Not

        - Run `docker system prune -af` before you know the cause.
    """)
    assert texts(runbook) == ["journalctl -u queue -b --no-pager", "docker info"]


def test_a_name_that_must_be_something_is_what_to_expect() -> None:
    runbook = book("""
        # Disk

        ## Recovery

        ```bash
        docker info | grep Root
        ```

        `DockerRootDir` must be `/srv/docker`. Stop the daemon if it is not.
    """)
    [command] = [command for _, _, command in runbook.commands()]
    assert command.expectation is not None
    assert "/srv/docker" in command.expectation.text


def test_what_stands_below_a_list_of_alerts_is_not_a_symptom() -> None:
    runbook = book("""
        # Mail

        ## Alerts

        ### Queue grows

        #### Required Actions

        ```bash
        docker compose restart mailer
        ```

        ## Testing Alerts

        ```bash
        docker stop mailer
        ```

        ## Maintenance Mode

        ```bash
        touch /srv/mail/paused
        ```

        ## Checks After the Restore

        ```bash
        docker compose ps
        ```
    """)
    assert [command.phase for _, _, command in runbook.commands()] == [
        Phase.PROCEDURE,
        Phase.PROCEDURE,
        Phase.PROCEDURE,
        Phase.VERIFICATION,
    ]


def test_a_list_item_in_bold_names_its_phase_and_holds_options() -> None:
    runbook = book("""
        # Mail stands still

        ## What To Do

        1. **Investigation (5 minutes)**

           - Read its log:
             ```bash
             docker logs mailer
             ```

        2. **Mitigation**

           **Option A: Start it again**

           ```bash
           docker restart mailer
           ```

           **Option B: Send by hand**

           ```bash
           docker compose up -d relay
           ```
    """)
    assert [(s.title, s.kind, s.phase, len(s.commands)) for _, s in runbook.steps()] == [
        ("Investigation (5 minutes)", StepKind.STEP, Phase.DIAGNOSIS, 1),
        ("Mitigation", StepKind.MANUAL, Phase.RECOVERY, 0),
        ("Option A: Start it again", StepKind.OPTION, Phase.RECOVERY, 1),
        ("Option B: Send by hand", StepKind.OPTION, Phase.RECOVERY, 1),
    ]


def test_commands_without_markup_in_list_items() -> None:
    runbook = book("""
        # Mail

        ## Viewing logs and status

        - Follow the log:
          - docker compose logs -f mailer
        - Never on a Friday: docker compose down -v
        - Needed here: kubectl access
        - nginx reverse proxy (at rest)
        - jobs.py (3 workers) - restarted by hand
        - docker ps is not enough to see it

        ## Recovery

        1. See what runs: docker compose ps
        2. [ ] docker compose restart <service>
        3. Tell the owner: mail to ops works
    """)
    assert [(c.text, c.phase) for _, _, c in runbook.commands()] == [
        ("docker compose logs -f mailer", Phase.DIAGNOSIS),
        ("docker compose ps", Phase.RECOVERY),
        ("docker compose restart <service>", Phase.RECOVERY),
    ]
    assert [s.title for _, s in runbook.steps()][-3:] == [
        "See what runs: docker compose ps",
        "docker compose restart <service>",
        "Tell the owner: mail to ops works",
    ]
