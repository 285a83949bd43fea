"""Prose that warns of a command, or tells of one, does not offer it to be run."""

from __future__ import annotations

import pytest

from cockpit.runbook.parse import parse

BULLETS = """# X
## {heading}
- `docker compose down -v`: deletes the data
- Running `rm -rf data` first
Run `docker ps` to see it.
"""


@pytest.mark.parametrize("heading", ["Common Mistakes", "Symptoms", "Pitfalls"])
def test_inline_code_under_mistakes_and_symptoms_is_no_command(heading: str) -> None:
    book = parse(BULLETS.format(heading=heading), "x.md")
    assert list(book.commands()) == []
    kept = "".join(str(item) for section in book.sections() for item in section.intro)
    assert "docker compose down -v" in kept
    assert "rm -rf data" in kept


def test_the_same_words_under_diagnosis_are() -> None:
    book = parse(BULLETS.format(heading="Diagnosis"), "x.md")
    assert "docker ps" in [command.text for _, _, command in book.commands()]


def test_a_fence_under_symptoms_still_is() -> None:
    book = parse("# X\n## Symptoms\n```bash\ndocker ps\n```\n", "x.md")
    assert [command.text for _, _, command in book.commands()] == ["docker ps"]
