"""How a code block is split into commands, comments and what must not run."""

from __future__ import annotations

import time

import pytest

from cockpit.runbook import placeholders, prose, shell
from cockpit.runbook.fences import Kind, read, split


def commands(text: str, language: str = "bash") -> list[str]:
    return [piece.text for piece in read(text.split("\n"), language) if piece.kind is Kind.COMMAND]


@pytest.mark.parametrize(
    "unit",
    [
        "docker run \\\n  --rm \\\n  alpine",
        'echo "two\nlines"',
        "sh -c '\n  ls\n'",
        "cat > f <<EOF\nrm -rf x\nEOF",
        "cat <<-EOF\n\tx\n\tEOF",
        "cat <<'A' <<B\n1\nA\n2\nB",
        "if [ -f x ]; then\n  ls\nfi",
        "for i in 1 2; do\n  echo $i\ndone",
        "while read l\ndo\n  echo $l\ndone < f",
        "case $x in\n  a) ls;;\n  *) df;;\nesac",
        "ps aux |\n  grep x",
        "test -f x &&\n  ls",
        "false ||\n  ls",
        "x=$(\n  date\n)",
        "{\n  ls\n}",
        "f() {\n  ls\n}",
        'echo "a $(\n  date "+%s"\n) b"',
    ],
)
def test_a_logical_command_is_one_however_many_lines_it_has(unit: str) -> None:
    assert commands(f"ls\n{unit}\ndf -h") == ["ls", unit, "df -h"]


def test_words_that_only_look_like_the_start_of_a_block() -> None:
    assert commands("echo if for case\nls done") == ["echo if for case", "ls done"]


def test_an_open_quote_does_not_swallow_the_rest() -> None:
    assert commands("docker logs it's\ndf -h\nls") == ["docker logs it's", "df -h", "ls"]


def test_a_here_document_without_end_does_not_swallow_the_rest() -> None:
    assert "df -h" in commands("cat <<EOF\ndf -h")


def test_nothing_is_left_out() -> None:
    lines = ["# a", "ls \\", " -l", "", "cat <<E", "x", "E", "df"]
    seen = [n for piece in split(lines) for n in range(piece.first, piece.last + 1)]
    assert seen == list(range(len(lines)))


def test_a_comment_behind_a_command_is_taken_off() -> None:
    piece = read(["docker ps  # is it there?"], "bash")[0]
    assert (piece.text, piece.note) == ("docker ps", "is it there?")
    assert commands("echo '# no' \"# no\" a#no ${#x}") == ["echo '# no' \"# no\" a#no ${#x}"]


def test_in_a_prompted_block_only_prompted_lines_run() -> None:
    block = "$ docker ps\nNAMES   STATUS\nrm -rf everything\n$ ls \\\n> -l\ntotal 0"
    assert commands(block) == ["docker ps", "ls \\\n-l"]


@pytest.mark.parametrize(
    "prompt", ["$ ", "❯ ", "ops@web-1:~$ ", "[root@web-1 etc]# ", "root@web:/# "]
)
def test_prompts(prompt: str) -> None:
    assert commands(f"{prompt}docker ps\nNAMES", "console") == ["docker ps"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "services:\n  web: {}"),
        ("sql", "DELETE FROM users;"),
        ("json", '{"a": 1}'),
        ("python", "print(1)"),
        ("bash", "#!/bin/bash\nrm -rf /"),
        ("bash", "# save as x.sh\n#!/bin/sh\nls"),
        ("", "STRIPE_KEY=abc\nPORT=8000"),
        ("bash", "STRIPE_KEY=abc\nPORT=8000"),
        ("", "NAME   READY   STATUS\nweb-1  1/1     Running"),
        ("bash", "Oct 18 19:39:36 web-1 chronyd[2055]: System clock wrong"),
        ("bash", "Warning  FailedScheduling  3m  default-scheduler  0/6 nodes"),
        ("bash", "ERROR could not connect"),
        ("bash", "      --force   do it\n  -h, --help    help"),
        ("", "Alert triggered: the API is down\nChecking the logs"),
        ("", "[12:03] Ran: docker compose restart app"),
        ("", "mysql> DELETE FROM users;"),
        ("", "app=# DROP TABLE x;"),
        ("", "/srv/app/\n├── docs/\n└── scripts/"),
        ("", '{"status": "up"}'),
        ("", "level=info msg=ready"),
        ("console", "rate(http_requests_total[5m])\nhttp_requests_total"),
        ("cron", "0 3 * * * /usr/bin/backup"),
        ("", "0 3 * * * /usr/bin/backup"),
    ],
)
def test_what_must_not_run_is_a_snippet(language: str, text: str) -> None:
    assert commands(text, language) == []


def test_what_is_typed_into_a_session_is_not_a_command() -> None:
    assert commands("sqlite3 app.db\nSELECT 1;\n.tables\n.exit") == ["sqlite3 app.db"]
    assert commands("openssl s_client -connect x:25\nAUTH LOGIN\n334 VXNl\nQUIT") == [
        "openssl s_client -connect x:25"
    ]


def test_a_shell_on_another_host_goes_on_with_commands() -> None:
    assert commands("ssh web-1\ndocker ps") == ["ssh web-1", "docker ps"]


def test_an_untagged_block_of_known_programs_is_commands() -> None:
    assert commands("cd /srv/app\n./restart.sh --now", "") == ["cd /srv/app", "./restart.sh --now"]


def test_a_program_that_only_this_file_knows() -> None:
    assert read(["toolkit logs api"], "", frozenset({"toolkit"}))[0].kind is Kind.COMMAND


def test_windows_of_work_stay_bounded() -> None:
    block = ["echo 'a"] * 4_001
    assert sum(piece.last - piece.first + 1 for piece in read(block, "bash")) == len(block)


def test_of_a_shell_of_windows_only_calls_that_any_shell_makes_the_same() -> None:
    block = (
        "Set-Location C:\\shop\ndocker compose up -d db  # first\n$env:TAG = '3'\nrm -Recurse out\n"
        "docker run `\n  alpine ls\ngit log | Select-Object -First 3\nif (Test-Path x) { rm x }\n"
        "stripe login\ncd C:\\shop\npnpm install"
    )
    assert commands(block, "powershell") == [
        "docker compose up -d db",
        "stripe login",
        "pnpm install",
    ]


def test_a_variable_takes_what_a_command_of_several_lines_prints() -> None:
    unit = "token=$(\n  scripts/secret.rb \\\n  <(aws s3 cp s3://$STAGE-state/keys.yml -) \\\n)"
    assert commands(unit, "") == [unit]


@pytest.mark.parametrize(
    "unit",
    ["$(", "$(`a", "`", "'\"", "a|", "{ ", "${a", "<<E ", "'a\n", "> a\n", "[a](", "$a", "<a b"],
)
def test_hostile_text_takes_time_in_its_length_only(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    began = time.process_time()
    read(text.split("\n"), "bash")
    placeholders.find(text)
    placeholders.neutral(text)
    shell.judge(text)
    shell.judge(text[:19_000])
    prose.commands(text, frozenset(), True)
    assert time.process_time() - began < 40  # what grew with the square took minutes
