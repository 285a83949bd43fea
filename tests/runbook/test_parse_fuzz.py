"""Any text is a runbook: nothing raises, nothing is lost, nothing takes long, no file changes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cockpit.runbook.model import Command, Prose, Reference, Runbook, Snippet
from cockpit.runbook.parse import parse, read
from cockpit.runbook.show import outline, record

_WORDS = st.sampled_from(
    ["restart", "the", "api", "Expected:", "Should", "see", "If", "not:", "Recovery", "`docker ps`",
     "**Step**", "Option", "1", "$VAR", "<name>", "[x](#y)", "Alert:", "severity", "|", "-", "*",
     ">", "#", "1.", "\\", "```", "~~~", "{a=b}", '"', "'", "$(", "<<EOF", "EOF", "if", "fi", "P1"]
)  # fmt: skip
_LINE = st.lists(_WORDS, min_size=1, max_size=6).map(" ".join)
_START = st.sampled_from(
    ["", "", "# ", "## ", "### ", "- ", "  - ", "    ", "1. ", "10) ", "> ", "> > ", "\t", "- [ ] ",
     "| ", "**Option 1:** ", "<div>", "```bash\n", "```\n", "~~~sh { name=x risk=", "---\n",
     "===\n", "$ ", "\N{RIGHT-TO-LEFT OVERRIDE}", "\0", "=== \"A\"\n\n    "]
)  # fmt: skip
_END = st.sampled_from(["\n", "\n\n", "\r\n", "\n", " \\\n", "\r"])
_PARTS = st.lists(st.tuples(_START, _LINE, _END), max_size=30)
_MARKDOWN = _PARTS.map(lambda parts: "".join("".join(part) for part in parts))


def _signed(parts: list[tuple[str, str, str]]) -> str:
    """The same with a word on each line that stands nowhere else."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(
        f"{start}{line} q{letters[number % 26]}{letters[number // 26]}z{end}"
        for number, (start, line, end) in enumerate(parts)
    )


_SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)


def everything(runbook: Runbook) -> Iterator[Command | Snippet | Prose | Reference]:
    for section in runbook.sections():
        yield from section.intro
        for step in section.steps:
            yield from step.items


def words(runbook: Runbook) -> str:
    out: list[str] = [str(runbook.title)]
    for section in runbook.sections():
        out.append(section.title)
        out += [step.title for step in section.steps]
    for item in everything(runbook):
        out.append(item.text)
        if isinstance(item, Prose):
            out.append(item.markdown)
        if isinstance(item, Command):
            out += [item.title, item.expectation.text if item.expectation else ""]
    return "\n".join(out)


@given(_MARKDOWN)
@example("> ```bash\n> ")
@example("- ```sh\n  docker ps\n")
@example("#\n##\n- \n1.\n> \n")
@example("Expected:\n\n```bash\ndocker ps\n```\nExpected:\n")
@_SETTINGS
def test_any_markdown_is_a_runbook(text: str) -> None:
    runbook = parse(text, "x.md")
    ids = [step.id for _, step in runbook.steps()]
    assert len(ids) == len(set(ids))
    last = text.count("\n") + text.count("\r") + 1
    assert all(1 <= item.lines.first <= item.lines.last <= last for item in everything(runbook))
    assert outline(runbook)
    record(runbook)


@given(st.text(max_size=400))
@_SETTINGS
def test_any_text_at_all_is_a_runbook(text: str) -> None:
    assert outline(parse(text, "x.md"))


@given(_PARTS.map(_signed))
@example("# X\n\n- [ ] one\n  - two\n\n| a |\n|---|\n| six |\n\n<div>html</div>\n\n    code\n")
@settings(_SETTINGS, max_examples=300)
def test_no_word_is_dropped(text: str) -> None:
    runbook = parse(text, "x.md")
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    front = re.match(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", plain, re.DOTALL)
    skipped = front[0].count("\n") if front else 0
    said = words(runbook)
    for number, line in enumerate(plain.split("\n"), 1):
        if number <= skipped or re.search(r"```|~~~|===", line):
            continue  # markup: the signs and the language of a fence, the label of a tab
        for word in re.findall(r"[A-Za-z]{3,}", line):
            assert word in said or word == "Expected", (number, line)


def test_reading_changes_no_byte_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    data = "\ufeff---\nseverity: P1\n---\r\n# X\r\n\t```sh {name=}\r\ndocker ps  \r\n".encode()
    path.write_bytes(data)
    before = path.stat()
    read(path)
    assert path.read_bytes() == data
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def _cases() -> dict[str, str]:
    n = 4000
    numbers = range(n)
    return {
        "headings": "\n".join(f"## Heading {i}" for i in numbers),
        "the same heading": "## Step\n" * n,
        "list items": "# X\n## Recovery\n" + "\n".join(f"- item {i}" for i in numbers),
        "steps": "# X\n## Recovery\n"
        + "\n".join(f"{i}. Run `docker restart x{i}`" for i in numbers),
        "one quote": ">" * 5000 + " x",
        "quotes": "> docker ps\n" * n,
        "commands": "# X\n```bash\n" + "\n".join(f"docker start c{i}" for i in numbers) + "\n```",
        "fences": "# X\n" + "\n".join(f"## H{i}\n```sh\ndocker stop c{i}\n```\n" for i in numbers),
        "bold": "# X\n" + "\n".join(f"**Step {i}:**\n" for i in numbers),
        "references": "# X\n"
        + "\n".join(f"## H{i}\n\nIf bad: See Recovery > H{i + 1}\n" for i in numbers),
        "anchors": "# X\n" + "\n".join(f"## H{i}\n\nsee [x](#h{i + 1})\n" for i in numbers),
        "nested": "\n".join(" " * (2 * i) + "- a" for i in range(1000)),
        "expected": "# X\n```sh\ndocker ps\n" + "# Expected: ok\n" * n + "```",
        "expected prose": "# X\n```sh\ndocker ps\n```\n" + "Expected: x\n\n" * n,
        "code spans": "run `docker ps` and then\n" * n,
        "bare": "run:\ndocker ps\n" * n,
        "procedures": "# X\n"
        + "\n".join(f"## P{i}\n### Symptoms\n- a\n### Recovery\n- b\n" for i in range(n // 4)),
        "an open quote": "# X\n```bash\n" + 'echo "\n' * n,
        "brackets": "[" * 50_000,
        "links": "[a](" * 5_000,
        "a long line": "x" * 1_000_000,
        "blank lines of spaces": "\n".join(" " * 200 for _ in numbers),
        "braces": '```sh {"a":' + "[" * 5000 + "\n```\n",
        "camel": "# " + "Aa" * 50_000 + "\n\nAlert: " + "A" * 50_000,
    }


@pytest.mark.parametrize("name", _cases())
def test_a_hostile_file_takes_time_as_its_size(name: str) -> None:
    text = _cases()[name]
    quarter = text[: len(text) // 4]
    parse(quarter[:1000], "x.md")

    def cpu(text: str) -> float:
        start = time.process_time()
        parse(text, "x.md")
        return time.process_time() - start

    whole = cpu(text)
    assert whole < 40
    if whole > 1:  # below that the clock says little; quadratic work would take 16 times as long
        part = max(cpu(quarter), cpu(quarter))
        assert min(whole, cpu(text)) < part * 9


def test_a_long_runbook_of_700_commands_is_read_at_once() -> None:
    text = "# X\n" + "".join(
        f"## Part {i}\n\ntext\n\n```bash\ndocker restart c{i}\ndocker logs c{i}\n```\n\n"
        for i in range(350)
    )
    start = time.process_time()
    runbook = parse(text, "x.md")
    assert time.process_time() - start < 15
    assert len(list(runbook.commands())) == 700
