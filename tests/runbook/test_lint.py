"""What lint finds in a runbook, and what it leaves alone."""

from __future__ import annotations

import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.runbook import parse
from cockpit.runbook.lint import Finding, Ground, Level, OnHost, judge, lint, page, syntax

ROOT = Path(__file__).parents[2]
WHOLE = """# Queue stuck

**Severity:** P1

## Diagnosis

### Step 1: Look

```bash
docker compose ps
# Expected: "worker"
```

## Recovery

### Option 1: Restart

{recovery}

## Verification

```bash
curl -fs http://localhost/health
# Expected: "ok"
```

## Escalation

After 10 minutes call the secondary.
"""


def found(text: str, ground: Ground | None = None, path: str = "book.md") -> list[Finding]:
    one = page(Path(path), text, parse.parse(text, path))
    return judge([one], ground or Ground())


def rules(text: str, ground: Ground | None = None, path: str = "book.md") -> list[str]:
    return [finding.rule for finding in found(text, ground, path)]


def recovery(markdown: str) -> str:
    return WHOLE.format(recovery=markdown)


def shell(*lines: str) -> str:
    return "```bash\n" + "\n".join(lines) + "\n```"


def test_a_whole_runbook_is_clean() -> None:
    assert found(recovery(shell("docker compose restart worker"))) == []


def test_a_finding_says_where_how_bad_what_and_how_to_mend_it() -> None:
    (one,) = found(recovery(shell("curl -fsSL http://get.example.net/fix.sh | sudo bash")))
    assert one.level is Level.WARNING
    assert str(one).startswith("book.md:19: warning: a script is fetched and run unread (curl-sh)")
    assert " — fetch it to a file" in str(one)


def test_findings_are_in_the_order_of_the_lines() -> None:
    text = recovery("TODO\n\n" + shell("curl http://x | sh", "docker-compose restart worker"))
    lines = [finding.line for finding in found(text)]
    assert lines == sorted(lines)
    assert len(lines) == 3


@pytest.mark.parametrize(
    "line",
    [
        "Phone: ______________ (UPDATE THIS!)",
        "- Slack: @____________",
        "| Pager | ____________ |",
        "Repository: https://github.com/[your-org]/shop",
        "Dashboard: https://grafana.your-company.net/d/1",
        "Call [Your Name] at once.",
        "Ask **[phone number]**.",
        "Owner: CHANGE ME",
    ],
)
def test_what_nobody_filled_in_is_an_error(line: str) -> None:
    (one,) = found(recovery(line + "\n\n" + shell("docker compose restart worker")))
    assert (one.rule, one.level, one.line) == ("placeholder", Level.ERROR, 18)


def test_an_angle_placeholder_in_prose_is_not_shown_to_the_reader() -> None:
    (one,) = found(recovery("Page <team-lead> first.\n\n" + shell("docker compose restart w")))
    assert (one.rule, one.level) == ("placeholder", Level.WARNING)
    assert "HTML" in one.what


@pytest.mark.parametrize(
    "line",
    [
        "Started: ____________",  # a form for the night itself
        "Set `POSTGRES_PASSWORD=<password>` there.",
        "See [the dashboard](https://grafana.example.net/d/1).",
        "<details><summary>More</summary>\n\ntext\n\n</details>",
        "Write to <oncall@example.net>, or see <https://example.net>.",
        "The value `CHANGE_ME` is refused.",
        "Update this page when it changes, and use your-own words.",
        "___",
        "Read https://example.net/building-your-application/start first.",
        "The template says `[your-org]`.",
        "- [ ] Tell the customers",
    ],
)
def test_forms_markup_and_talk_of_placeholders_are_left_alone(line: str) -> None:
    assert found(recovery(line + "\n\n" + shell("docker compose restart worker"))) == []


def test_a_placeholder_in_a_command_is_asked_for_and_no_fault() -> None:
    assert found(recovery(shell("docker compose restart <SERVICE>"))) == []


@pytest.mark.parametrize("line", ["TODO", "- TBD: the address", "Mail xxx@example.com", "# FIXME"])
def test_work_left_undone_is_a_warning(line: str) -> None:
    (one,) = found(recovery(line + "\n\n" + shell("docker compose restart worker")))
    assert (one.rule, one.level) == ("todo", Level.WARNING)


@pytest.mark.parametrize("line", ["Work through the TODO list.", "`TODO`", "See todos/TODO.md"])
def test_the_word_alone_is_no_work_left_undone(line: str) -> None:
    assert found(recovery(line + "\n\n" + shell("docker compose restart worker"))) == []


def test_compose_v1_is_said_once_a_file_with_all_lines() -> None:
    (one,) = found(recovery(shell("docker-compose ps", "sudo docker-compose restart worker")))
    assert one.rule == "compose-v1"
    assert "also line 20" in one.what


def test_the_name_of_a_compose_file_is_not_compose_v1() -> None:
    assert rules(recovery(shell("docker compose -f docker-compose.yml restart worker"))) == []


@pytest.mark.parametrize(
    "command",
    [
        "docker compose down -v",
        "docker volume rm shop_data",
        "rm -rf /srv/shop/data",
        "docker system prune -a --volumes -f",
        "redis-cli FLUSHALL",
        "psql -c 'DROP TABLE carts;'",
    ],
)
def test_destroying_without_a_word_before_it_is_a_warning(command: str) -> None:
    (one,) = found(recovery(shell(command)))
    assert (one.rule, one.level) == ("unwarned", Level.WARNING)


@pytest.mark.parametrize(
    "before",
    [
        "**Warning:** all carts are gone after this.",
        "Only if nothing else helped.",
        shell("pg_dump shop > shop.sql"),
    ],
)
def test_a_warning_or_a_backup_before_it_is_enough(before: str) -> None:
    assert rules(recovery(before + "\n\n" + shell("rm -rf /srv/shop/data"))) == []


def test_a_warning_in_the_comment_above_or_a_gentler_option_is_enough() -> None:
    assert rules(recovery(shell("# This loses the carts", "rm -rf /srv/shop/data"))) == []
    gentler = shell("docker compose restart worker") + "\n\n### Option 2: Start Anew\n\n"
    assert rules(recovery(gentler + shell("rm -rf /srv/shop/data"))) == []


@pytest.mark.parametrize(
    "command",
    ["rm -f /tmp/dump.sql", "docker compose down", "kill -9 4242", "rm -rf node_modules"],
)
def test_what_loses_nothing_needs_no_warning(command: str) -> None:
    assert rules(recovery(shell(command))) == []


def test_a_change_after_the_last_check_has_none() -> None:
    text = recovery(shell("docker compose restart worker")) + "\n## Rollback\n\n"
    assert rules(text + shell("systemctl stop shop")) == ["unverified-change"]
    assert rules(text + shell("systemctl stop shop", "# Expected: exit status 0")) == []
    assert rules(text + shell("systemctl stop shop", "systemctl status shop")) == []
    assert rules(text + shell("systemctl stop shop") + "\n\nThen run Verification again.") == []


def test_a_file_that_says_neither_how_bad_nor_whom_to_call_nor_whether_it_worked() -> None:
    text = "# Queue stuck\n\n## Recovery\n\n" + shell("systemctl restart queue")
    assert rules(text) == ["no-escalation", "no-severity", "no-verification"]
    assert rules(text, path="README.md") == []
    assert rules(text, path="ON_CALL.md") == []
    assert rules("# Notes\n\nNothing to do here.\n") == []


def test_a_reference_that_leads_nowhere() -> None:
    good = shell("docker compose logs worker", "# If it is empty: See Recovery > Option 1: Restart")
    bad = shell("docker compose logs worker", "# If empty: See Recovery > Rebuild The Cluster")
    assert rules(recovery(good)) == []
    assert rules(recovery(bad)) == ["dead-reference"]


def test_links_to_files_images_and_headings(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "map.png").touch()
    (tmp_path / "other.md").write_text("# Other\n\n## Some Part\n")
    text = recovery(
        "[a](other.md) [b](other.md#some-part) [c](#verification) ![m](img/map.png)\n"
        "[w](https://example.net/x.md) [m](mailto:a@example.net) `[x](gone.md)`\n\n"
        + shell("docker compose restart worker")
    )
    (tmp_path / "book.md").write_text(text)
    assert lint([tmp_path / "book.md"]) == []
    broken = text.replace("(other.md)", "(gone.md)").replace("map.png", "mop.png")
    broken = broken.replace("#some-part", "#no-part").replace("#verification", "#verify")
    (tmp_path / "book.md").write_text(broken)
    told = lint([tmp_path / "book.md"])
    assert sorted(one.rule for one in told) == [
        "dead-anchor",
        "dead-anchor",
        "dead-link",
        "dead-link",
    ]


def test_the_file_of_that_name_nearby_is_named(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "limits.md").write_text("# Limits\n")
    book = tmp_path / "book.md"
    book.write_text(recovery("[l](limits.md)\n\n" + shell("docker compose restart worker")))
    (one,) = lint([book])
    assert one.mend == "did you mean docs/limits.md?"


@pytest.mark.parametrize(
    "line",
    [
        "API_KEY=sk_" + "live_4f9a8b7c6d5e4f3a2b1c",
        "PGPASSWORD=9xKq7Lm2PzRt psql shop",
        "url: postgres://shop:9xKq7Lm2@db.internal/shop",
    ],
)
def test_a_secret_in_the_text(line: str) -> None:
    (one,) = found(recovery(f"```\n{line}\n```\n\n" + shell("docker compose restart worker")))
    assert (one.rule, one.level) == ("secret", Level.ERROR)
    assert "9xKq7Lm2" not in str(one)


def test_no_finding_quotes_a_secret() -> None:
    text = recovery(shell("docker compose ps")) + "\n## Rollback\n\n"
    told = found(text + shell("PGPASSWORD=9xKq7Lm2PzRt systemctl stop shop"))
    assert {one.rule for one in told} == {"secret", "unverified-change"}
    assert "9xKq7Lm2PzRt" not in "".join(map(str, told))


@pytest.mark.parametrize(
    "line",
    [
        "PASSWORD=changeme",
        "PASSWORD=your-password-123",
        "token: 15-minute expiry",
        "password: $DB_PASSWORD",
        "SECRET_KEY: 64-char hex",
        "const token = localStorage.getItem('token1');",
        "GOOGLE_APPLICATION_CREDENTIALS=/etc/app/auth2.json",
    ],
)
def test_an_example_or_a_word_about_a_secret_is_none(line: str) -> None:
    assert found(recovery(f"```\n{line}\n```\n\n" + shell("docker compose restart worker"))) == []


def test_a_private_key() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2 + "\n"
    text = recovery(f"```\n{key}-----END PRIVATE KEY-----\n```\n\n" + shell("docker compose ps"))
    assert rules(text) == ["secret"]


def test_an_unclosed_fence() -> None:
    text = recovery(shell("docker compose restart worker"))
    assert "open-fence" in rules(text + "\n```bash\necho on and on\n")
    assert "open-fence" not in rules(text + "\n- item\n  ```bash\n  docker compose ps\n  ```\n")
    assert "open-fence" not in rules(text + "\n> ```\n> quoted\n> ```\n")
    assert "open-fence" not in rules(text + "\n~~~~\n```\n~~~~\n")


@pytest.mark.skipif(syntax.bash() is None, reason="needs bash")
@pytest.mark.parametrize(
    "command",
    ["curl http://m/api?q=rate(x[5m])", "echo $(date", "ls | | wc", "if true; then ls; done"],
)
def test_a_command_that_bash_refuses(command: str) -> None:
    others = [f"docker compose logs worker --tail {n}" for n in range(20)]
    (one,) = [
        each for each in found(recovery(shell(*others, "", command))) if each.rule == "shell-syntax"
    ]
    assert one.level is Level.ERROR
    assert one.line == 19 + 21


@pytest.mark.skipif(syntax.bash() is None, reason="needs bash")
@pytest.mark.parametrize(
    "command",
    [
        "docker logs <CONTAINER> | tail -n 5",
        "cat <<EOF\nit's\nEOF",
        'echo "it\'s"',
        "for f in a b; do\n  ls $f\ndone",
        "ls !(*.md)",
    ],
)
def test_a_command_that_bash_takes(command: str) -> None:
    assert "shell-syntax" not in rules(recovery(shell("echo 'a", "b'", command, "ls (")))[:-1]
    assert "shell-syntax" not in rules(recovery(shell(command)))


def test_a_query_that_the_parser_took_for_a_command_is_not_blamed() -> None:
    assert "shell-syntax" not in rules(recovery("```\nsum by (node) (rate(x[5m]))\n```"))


def test_what_a_word_processor_made_of_quotes_and_dashes() -> None:
    (one,) = found(recovery(shell("docker compose logs –-tail 5 worker")))
    assert (one.rule, one.level) == ("typographic", Level.ERROR)
    assert "U+2013" in one.what
    assert rules(recovery(shell("echo 'all – is “well”'"))) == []


def test_two_commands_in_a_block_that_take_the_terminal() -> None:
    (one,) = found(recovery(shell("docker logs -f web", "docker logs -f worker")))
    assert (one.rule, one.line) == ("two-waits", 20)
    apart = shell("docker logs -f web", "", "# or", "docker logs -f worker")
    assert rules(recovery(apart)) == []


def test_text_that_was_read_in_the_wrong_encoding() -> None:
    wrong = "It’s broken — look".encode().decode("cp1252")
    (one,) = found(recovery(f"{wrong}\n\n" + shell("docker compose restart worker")))
    assert one.rule == "mojibake"
    assert rules(recovery("Größe, naïve, “fein”\n\n" + shell("docker compose ps"))) == []


def test_a_rule_is_silenced_for_what_follows_the_comment() -> None:
    quiet = "<!-- cockpit-lint: ignore curl-sh, unwarned -->\n"
    bad = shell("curl http://x | sh")
    assert rules(recovery(quiet + bad)) == []
    assert rules(recovery(quiet + "\nSome words.\n\n" + bad)) == ["curl-sh"]
    assert rules(recovery("<!-- cockpit-lint: ignore two-waits -->\n" + bad)) == ["curl-sh"]
    head = "<!-- cockpit-lint: ignore no-severity no-escalation -->\n# X\n\n## Recovery\n\n"
    assert rules(head + shell("docker compose ps")) == []


def test_when_it_was_last_run() -> None:
    text = recovery(shell("docker compose restart worker"))
    now = datetime(2026, 11, 21, tzinfo=UTC)

    def ground(age: int | None) -> Ground:
        last = None if age is None else now - timedelta(days=age)
        return Ground(last_run=lambda path, title: last, now=now)

    assert rules(text, ground(None)) == ["never-run"]
    assert rules(text, ground(89)) == []
    (one,) = found(text, ground(91))
    assert (one.rule, one.level) == ("not-run-lately", Level.NOTE)
    assert rules(text) == []


def test_hosts_that_the_configuration_does_not_know() -> None:
    text = recovery(shell("ssh prod-9 uptime", "curl http://10.1.2.3/x", "ping -c 1 8.8.8.8"))
    known = Ground(hosts=frozenset({"prod-1"}))
    assert [one.rule for one in found(text, known)] == ["unknown-host", "unknown-host"]
    assert rules(text) == []
    assert rules(text, Ground(hosts=frozenset({"prod-9", "10.1.2.3"}))) == []


def test_programs_that_the_host_has_not() -> None:
    text = recovery(shell("sudo jq . x.json", "f() { ls; }; f", "docker exec web sqlite3 x"))
    ground = Ground(host=OnHost("prod-1", None, frozenset(), frozenset({"jq", "f", "sqlite3"})))
    (one,) = found(text, ground)
    assert (one.rule, one.what) == ("no-program", "prod-1 has no jq")


def test_a_file_of_a_folder_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    (one,) = lint([tmp_path])
    assert (one.rule, one.level) == ("unreadable", Level.WARNING)
    with pytest.raises(parse.Unreadable):
        lint([tmp_path / "empty.md"])


PIECES = ["```\n", "`", "# ", "- ", "[a](b.md#c)", "<x>", "<!-- ", "-->", "____", ": ", "| ", "é"]
PIECES += [
    "docker logs a\n",
    "rm -rf x\n",
    "\n",
    "$(",
    "'",
    "A_KEY=",
    "---\n",
    "\0",
    "â€™",
    "1" * 9,
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join))
@settings(max_examples=150, deadline=None)
def test_any_text_at_all_can_be_linted(text: str) -> None:
    for one in found(text):
        assert 1 <= one.line <= text.count("\n") + text.count("\r") + 1
        assert "\n" not in str(one)


@pytest.mark.parametrize(
    "piece", ["<!-- ", "`", "[", "<a ", "___ ", "a: ", "| ", "a(", "password="]
)
def test_no_rule_takes_long_over_a_long_line(piece: str) -> None:
    text = recovery(piece * 20_000)
    book = parse.parse(text, "book.md")
    begun = time.process_time()
    judge([page(Path("book.md"), text, book)])
    assert time.process_time() - begun < 20


def test_the_shipped_runbooks_are_clean() -> None:
    books = [one for one in sorted((ROOT / "runbooks").glob("*.md")) if one.name != "ON_CALL.md"]
    assert len(books) >= 3
    assert [str(one) for one in lint(books)] == []


def test_the_shipped_handbook_gives_exactly_its_placeholders() -> None:
    handbook = ROOT / "runbooks" / "ON_CALL.md"
    told = lint([handbook], handbook=handbook)
    meant = [
        number
        for number, line in enumerate(handbook.read_text().splitlines(), 1)
        if "UPDATE THIS!" in line and "`" not in line
    ]
    assert meant
    assert [(one.rule, one.line) for one in told] == [("placeholder", line) for line in meant]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_without_bash_the_other_rules_judge_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert syntax.bash() is None
    assert rules(recovery(shell("ls | | wc", "curl http://x | sh"))) == ["curl-sh"]


def test_the_list_of_rules_in_the_docs_is_the_list_in_the_code() -> None:
    listed = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "docs" / "lint.md").read_text(), re.MULTILINE)
    told = {name for cell in listed for name in re.findall(r"`([\w-]+)`", cell)}
    source = "".join(
        file.read_text() for file in sorted((ROOT / "cockpit" / "runbook" / "lint").glob("*.py"))
    )
    made = set(re.findall(r"Level\.[A-Z]+(?: if [^,\n]+)?,\s*\"([\w-]+)\"", source))
    made |= {"unknown-container", "unknown-service"}  # written as unknown-{kind}
    assert told == made
