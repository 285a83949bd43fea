"""The parser against runbooks labelled by hand; they are not part of the project."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from cockpit.runbook import parse, show

GOLD = Path(__file__).parents[2].parent / "shared" / "gold"

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


def test_files_3_5_and_7() -> None:
    metrics, sums = score(3, 5, 7)
    assert metrics["commands"].f() >= 0.99
    assert metrics["destructive"].r() == 1.0
    assert metrics["destructive"].p() >= 0.99
    assert metrics["interactive"].r() == 1.0
    assert metrics["placeholders"].f() >= 0.99
    assert sums["phase_ok"] / sums["phase_n"] >= 0.99
    assert sums["snippet_leaks"] == 0


def test_all_files() -> None:
    metrics, sums = score()
    assert metrics["commands"].f() >= 0.99
    assert metrics["destructive"].r() >= 0.99
    assert metrics["destructive"].p() >= 0.95
    assert metrics["interactive"].r() >= 0.99
    assert metrics["placeholders"].f() >= 0.92
    assert metrics["expected_attached"].p() >= 0.90
    assert metrics["steps"].r() >= 0.95
    assert sums["snippet_leaks"] == 0
    assert sums["phase_ok"] / sums["phase_n"] >= 0.99
