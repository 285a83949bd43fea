"""The parser against runbooks labelled by hand; they are not part of the project."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from cockpit.runbook import parse, show

GOLD = Path(__file__).parents[2].parent / "shared" / "gold"

DOCKER = range(1, 22)
"""Ids of the labelled files that score.py counts as Docker ones."""

pytestmark = pytest.mark.skipif(
    not (GOLD / "score.py").exists(),
    reason="NOT CHECKED: the labelled runbooks (../shared/gold) are not on this machine",
)


def score(*only: int) -> tuple[Any, Any]:
    spec = importlib.util.spec_from_file_location("score", GOLD / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    labels = [
        json.loads(path.read_text(encoding="utf-8")) for path in (GOLD / "gold").glob("*.json")
    ]
    chosen = [label for label in labels if not only or label["id"] in only]
    answers = [show.record(parse.read(GOLD / "files" / label["local"])) for label in chosen]
    metrics, sums, _ = module.score(chosen, answers)
    return metrics, sums


def test_the_docker_files_keep_the_thresholds_and_what_was_reached() -> None:
    metrics, sums = score(*DOCKER)
    assert metrics["commands"].f() >= 0.99  # asked: 0.97
    assert sums["snippet_leaks"] == 0
    assert metrics["destructive"].r() == 1.0
    assert metrics["destructive"].p() >= 0.99
    assert metrics["interactive"].r() == 1.0
    assert metrics["placeholders"].f() >= 0.81
    assert sums["phase_ok"] / sums["phase_n"] >= 0.99
    assert metrics["steps"].r() >= 0.97
    assert metrics["options"].r() == 1.0


# asked for by the issue, and reached: (field, measure, asked, reached)
FIELDS = [
    ("commands", "f", 0.94, 0.99),
    ("destructive", "r", 0.95, 0.99),
    ("destructive", "p", 0.75, 0.99),
    ("interactive", "r", 0.95, 0.99),
    ("interactive", "p", 0.0, 0.96),
    ("placeholders", "f", 0.85, 0.93),
    ("expected_attached", "p", 0.85, 0.90),
    ("expected_attached", "r", 0.0, 0.90),
    ("steps", "r", 0.85, 0.97),
    ("steps", "p", 0.0, 0.46),
    ("options", "r", 0.85, 0.99),
    ("options", "p", 0.0, 0.99),
    ("procedures", "r", 0.0, 0.90),
    ("procedures", "p", 0.0, 0.95),
    ("phase_set", "f", 0.0, 0.98),
    ("severity", "f", 0.0, 0.99),
]


@pytest.fixture(scope="module")
def all_files() -> tuple[Any, Any]:
    return score()


@pytest.mark.parametrize(("field", "measure", "asked", "reached"), FIELDS)
def test_all_files(
    all_files: tuple[Any, Any], field: str, measure: str, asked: float, reached: float
) -> None:
    value = getattr(all_files[0][field], measure)()
    assert value >= asked, "below what is asked"
    assert value >= reached, "below what was reached before: a rule has lost something"


def test_phases_of_commands_and_titles(all_files: tuple[Any, Any]) -> None:
    _, sums = all_files
    assert sums["phase_ok"] / sums["phase_n"] >= 0.99  # asked: 0.90
    assert sums["title_ok"] == sums["title_n"]
    assert sums["snippet_leaks"] == 0
    assert sums["files_missing"] == 0
