"""Where to go on: after what was touched last, past what nobody needs any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cockpit.incident import events as e
from cockpit.incident.incident import fold
from cockpit.oncall.next_step import book_of, in_words, next_step
from cockpit.runbook import parse

BOOK = """# Disk full

## Diagnosis

### Step 1: Look
```bash
df -h
```

### Step 2: Find
```bash
du -a
```

## Recovery

### Option 1: Remove logs
```bash
rm old.log
```

### Option 2: Grow it
```bash
grow
```

## Verification

### Check space
```bash
df -h
```

## Rollback

### Put logs back
```bash
mv a b
```

## Prevention

### Rotate
- [ ] rotate logs
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "disk.md"
    path.write_text(BOOK)
    return path


def goes_on(path: Path, *done: str, skipped: tuple[str, ...] = ()) -> str:
    """What is next after steps with these beginnings of titles, in that order."""
    book = parse.read(path)
    events: list[e.Event] = [e.RunbookOpened(path=book.path, title="Disk full", sha256="0")]
    for title in (*done, *skipped):
        step = next(step for _, step in book.steps() if title in step.title)
        ref = e.StepRef(book.path, step.id)
        events.append(
            e.StepSkipped(step=ref, title=step.title, reason="no")
            if title in skipped
            else e.StepDone(step=ref, title=step.title)
        )
    start = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    incident = fold(
        e.Record(
            seq=number, id=f"{number}", ts=start + timedelta(minutes=number), mono=0.0,
            boot="b", writer="w", who="sam", event=event,
        )
        for number, event in enumerate(events, 1)
    )  # fmt: skip
    assert book_of(incident) == book
    found = next_step(incident, book)
    return str(in_words(found)) if found else ""


def test_it_goes_on_after_what_was_touched_last(book: Path) -> None:
    assert "Look" in goes_on(book)
    assert "Find" in goes_on(book, "Look")
    assert "Option 1" in goes_on(book, "Look", "Find")
    assert "Option 1" in goes_on(book, "Look", skipped=("Find",))


def test_the_other_options_are_not_needed_once_one_is_done(book: Path) -> None:
    assert "Check space" in goes_on(book, "Look", "Find", "Option 1")
    assert "Check space" in goes_on(book, "Look", "Option 1")
    assert "Option 2" in goes_on(book, "Look", "Find", skipped=("Option 1",))


def test_what_was_left_out_comes_back_at_the_end_and_a_rollback_does_not(book: Path) -> None:
    assert "Find" in goes_on(book, "Look", "Option 2", "Check space")
    assert goes_on(book, "Look", "Find", "Option 2", "Check space") == ""


def test_a_runbook_that_is_gone_is_no_error(book: Path) -> None:
    incident = fold([])
    assert book_of(incident) is None
    opened = e.RunbookOpened(path=str(book.parent / "gone.md"), title="Gone", sha256="0")
    now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    record = e.Record(
        seq=1, id="1", ts=now, mono=0.0, boot="b", writer="w", who="sam", event=opened
    )
    assert book_of(fold([record])) is None
