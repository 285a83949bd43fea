"""Attributes beside a fence's language and front matter: optional, and never an error."""

from __future__ import annotations

from datetime import date

import pytest

from cockpit.runbook.model import Command, Phase, Risk, Runbook, Snippet, Waits
from cockpit.runbook.parse import parse
from cockpit.runbook.show import record


def fence(info: str, *lines: str) -> Runbook:
    code = "\n".join(lines or ("docker ps",))
    return parse(f"# X\n\n## Diagnosis\n\n```{info}\n{code}\n```\n", "x.md")


def only(runbook: Runbook) -> Command:
    ((_, _, command),) = runbook.commands()
    return command


@pytest.mark.parametrize(
    "info",
    [
        'sh {"name":"list","host":"prod-1","timeout":"30s"}',
        'sh {"name":"list","host":"prod-1","timeout":30, "excludeFromRunAll":"true"}',
        "sh { name=list host=prod-1 timeout=30 }",
        'sh {name="list" host=prod-1 timeout=30s category=ops}',
        "{ name=list host=prod-1 timeout=30 }",
        '{"name":"list","host":"prod-1","timeout":30}',
        "{.sh #anchor name=list host=prod-1 timeout=30}",
    ],
)
def test_name_host_and_timeout_in_every_spelling(info: str) -> None:
    book = fence(info)
    command = only(book)
    assert (command.text, command.name, command.host, command.timeout_s) == (
        "docker ps",
        "list",
        "prod-1",
        30,
    )
    assert book.warnings == ()


@pytest.mark.parametrize("info", ["sh", "bash title=x", "sh {1,3-5}", "{.bash}", "bash {linenos}"])
def test_nothing_is_required_and_other_braces_mean_nothing(info: str) -> None:
    book = fence(info)
    assert (only(book).name, only(book).host, only(book).timeout_s) == ("", "", 0)
    assert book.warnings == ()


@pytest.mark.parametrize(("said", "seconds"), [("5m", 300), ("90", 90), ("2 h", 7200)])
def test_a_time_has_a_unit(said: str, seconds: int) -> None:
    assert only(fence(f'sh {{"timeout":"{said}"}}')).timeout_s == seconds


@pytest.mark.parametrize(
    ("command", "said", "risk"),
    [
        ("docker ps", "destroy", Risk.DESTROY),
        ("docker ps", "change", Risk.CHANGE),
        ("rm -rf /srv/data", "read", Risk.DESTROY),
        ("docker restart api", "read", Risk.CHANGE),
    ],
)
def test_risk_is_only_ever_raised(command: str, said: str, risk: Risk) -> None:
    found = only(fence(f"sh {{ risk={said} }}", command))
    assert found.risk is risk
    assert (found.because == "the runbook says so") is (command == "docker ps")


@pytest.mark.parametrize(
    ("command", "said", "waits"),
    [
        ("./deploy.sh", "true", Waits.TTY),
        ("docker logs -f api", "true", Waits.STREAM),
        ("docker logs -f api", "false", Waits.STREAM),
        ("vim /etc/hosts", "false", Waits.EDITOR),
        ("docker exec -it api bash", "false", Waits.TTY),
        ("stripe login", "false", None),
        ("docker ps", "false", None),
    ],
)
def test_interactive_is_believed_where_it_can_be(
    command: str, said: str, waits: Waits | None
) -> None:
    assert only(fence(f"sh {{ interactive={said} }}", command)).waits is waits


def test_phase_and_expectation_of_a_fence() -> None:
    book = fence('sh {"phase":"verification","expect":"two are Up"}', "date", "docker ps")
    date_, docker = [command for _, _, command in book.commands()]
    assert date_.phase is docker.phase is Phase.VERIFICATION
    assert date_.expectation is None
    assert docker.expectation is not None
    assert docker.expectation.text == "two are Up"
    assert docker.expectation.lines.first == 5


@pytest.mark.parametrize(
    ("info", "part"),
    [
        ('sh {"name": "x"', "not JSON"),
        ("sh { name=x", 'no "}"'),
        ("sh { risk=huge }", "risk=huge is not one of read, change, destroy"),
        ("sh { timeout=soon }", "timeout=soon"),
        ("sh { host=-oProxyCommand=x }", "host="),
        ('sh {"interactive": 7}', "interactive=7"),
    ],
)
def test_what_is_wrong_is_a_warning_with_its_line(info: str, part: str) -> None:
    book = fence(info)
    assert only(book).text == "docker ps"
    assert only(book).host == ""
    (warning,) = book.warnings
    assert warning.startswith("line 5: ")
    assert part in warning


def test_an_attribute_does_not_make_a_snippet_run() -> None:
    book = fence('yaml {"name":"x","expect":"y"}', "key: value")
    assert list(book.commands()) == []
    (section,) = [section for section in book.sections() if section.id == "diagnosis"]
    assert [type(item) for item in section.intro] == [Snippet]


FRONT = """---
services: [api, worker]
alerts:
  - QueueStuck
severity: P1
owner: payments
last_tested: 2024-05-31
---
# Queue stuck

Alert: `QueueOld`, see the board.
"""


def test_front_matter_is_typed() -> None:
    book = parse(FRONT, "x.md")
    assert book.services == ("api", "worker")
    assert book.alerts == ("QueueStuck", "QueueOld")
    assert (book.severity, book.owner) == ("P1", "payments")
    assert book.last_tested == date(2024, 5, 31)
    assert book.warnings == ()


def test_front_matter_of_a_wrong_type_is_a_warning_with_line_and_mend() -> None:
    book = parse(
        "---\nservices: {a: b}\nlast_tested: last week\nowner: [a]\nseverity: true\n---\n# X\n",
        "x.md",
    )
    assert book.services == ()
    assert book.last_tested is None
    assert [warning.split(":")[0] for warning in book.warnings] == [
        "line 3",
        "line 2",
        "line 5",
        "line 4",
    ]
    assert "write the day as 2024-05-31" in book.warnings[0]


def test_one_service_needs_no_list() -> None:
    assert parse("---\nservice: api\n---\n# X\n", "x.md").services == ("api",)
    assert parse("---\nservices: api, worker\n---\n# X\n", "x.md").services == ("api", "worker")


@pytest.mark.parametrize(
    ("text", "path", "alerts"),
    [
        ("# KubePodCrashLooping\n", "x.md", ("KubePodCrashLooping",)),
        ("# NodeDown\n", "NodeDown.md", ("NodeDown",)),
        ("# NodeDown\n", "x.md", ()),
        ("# Alert: NodeDown\n", "x.md", ("NodeDown",)),
        ("# X\n\n**Alert Name:** `queue_old`\n", "x.md", ("queue_old",)),
        ("# X\n\n## Alert: DiskFull (critical)\n", "x.md", ("DiskFull",)),
        (
            "# X\n\n| Alert | DiskFull |\n|---|---|\n| Alert | `DiskSlow` |\n",
            "x.md",
            ("DiskFull", "DiskSlow"),
        ),
        ("# PostgreSQL\n\nAlert the owner: now.\n", "x.md", ()),
    ],
)
def test_alerts_that_the_text_names(text: str, path: str, alerts: tuple[str, ...]) -> None:
    assert parse(text, path).alerts == alerts


def test_the_record_has_them() -> None:
    shown = record(parse(FRONT, "x.md"))
    assert shown["alerts"] == ["QueueStuck", "QueueOld"]
    assert shown["last_tested"] == "2024-05-31"
