"""The rows of services, their tasks and the nodes of a swarm."""

from __future__ import annotations

from datetime import datetime

from cockpit.containers.swarm import FAILED, Node, Service, Task
from cockpit.text import Safe, clean_line
from cockpit.words import lasted, many
from screens import paint
from screens.lines import pointer
from screens.paint import Part, Row

ROOMY = 90
TASKS = 3
"""Tasks of a service that are shown before it is unfolded."""


def standing(service: Service, now: datetime) -> tuple[str, str, str]:
    """How a service stands: a sign, a look, a word or two."""
    if service.short:
        return "!!", "bad", f"SHORT {service.short}"
    if service.update_stuck:
        return "!!", "bad", str(service.update).partition(":")[0].upper()
    if service.failing(now):
        return "!!", "warn", "failing"
    if service.update:
        return "..", "warn", str(service.update).partition(":")[0]
    if service.job:
        return ("..", "warn", "at work") if service.running else ("ok", "good", "completed")
    return ("ok", "good", "running") if service.wanted else ("--", "faint", "scaled to 0")


def fits(service: Service, words: str, now: datetime) -> bool:
    """Whether a service has all the words of a filter; `!word` inverts."""
    texts = [service.name, service.stack, service.image, service.mode, standing(service, now)[2]]
    texts += [words for task in service.tasks for words in (task.name, task.node, task.state)]
    whole = "\n".join(texts).lower()
    return all(
        (word.removeprefix("!") in whole) != word.startswith("!")
        for word in words.lower().split()
        if word != "!"
    )


def service_rows(
    service: Service, now: datetime, width: int, name: int, *, here: bool, whole: bool
) -> list[Row]:
    """A service with the tasks that are to be seen. name: cells for names. whole: all of them."""
    sign, look, word = standing(service, now)
    counted = service.running + (service.completed if service.job else 0)
    parts: list[Part] = [
        (pointer(here), "key"),
        (Safe(f"{sign} "), look),
        (paint.fit(service.name, name), "strong" if here else ""),
        (Safe(f" {f'{counted}/{service.wanted}':>7}  "), look if service.short else ""),
        (paint.fit(Safe(word), 15), look),
    ]
    if width >= ROOMY:
        about = [] if service.mode == "replicated" else [service.mode]
        about += [str(service.image), *service.ports]
        rest = clean_line(" · ".join(about))
        parts.append((paint.fit(Safe(f" {rest}"), max(0, width - name - 30)), "faint"))
    rows = [paint.row(*parts, stop=service.id)]
    if ":" in service.update:
        rows += _folded(service.update, width, "warn", service.id)
    if whole and width < ROOMY:
        rows += _folded(
            Safe(" · ".join([service.image, *service.ports])), width, "faint", service.id
        )
    told = service.tasks if whole else [task for task in service.tasks if _to_tell(task, now)]
    for task in told if whole else told[:TASKS]:
        rows += _folded(task_words(task, now), width, _look(task, now), service.id)
    if not whole and len(told) > TASKS:
        more = Safe(f"{many(len(told) - TASKS, 'task')} more: space shows all")
        rows += _folded(more, width, "faint", service.id)
    return rows


def task_words(task: Task, now: datetime) -> Safe:
    """A task in a line: where it is, since when, and what went wrong."""
    on = f" on {task.node}" if task.node and not task.name.endswith(f".{task.node}") else ""
    state = task.state.upper() if task.state in FAILED else task.state
    words = f"{task.name}{on}: {state}"
    if task.at is not None:
        words += f" {lasted(max(0.0, (now - task.at).total_seconds()))}"
    if task.error:
        words += f" · {task.error}"
    if task.failures and task.failed_at is not None:
        ago = lasted(max(0.0, (now - task.failed_at).total_seconds()))
        count = f"{task.failures} of its last {task.runs} runs failed"
        last = f": {task.last_error}" if task.last_error != task.error else ""
        words += f" · {count}, {ago} ago{last}"
    return clean_line(words)


def node_row(node: Node, name: int, *, here: bool) -> Row:
    """A node: what is wrong with it, or that it is ready."""
    words = [node.state.upper() if node.state != "ready" else node.state]
    words += [node.availability] if node.availability != "active" else []
    words += [f"manager, {node.manager}"] if node.manager else []
    words += [node.message] if node.message else []
    return paint.row(
        (pointer(here), "key"),
        (Safe("ok " if node.well else "!! "), "good" if node.well else "bad"),
        (paint.fit(node.name, name), "strong" if here else ""),
        (clean_line(f" {' · '.join(words)}"), "" if node.well else "bad"),
        stop=node.id,
    )


def _to_tell(task: Task, now: datetime) -> bool:
    """Whether there is something wrong with it, or it is not yet what it should be."""
    return task.state not in ("running", "complete") or task.failing(now)


def _look(task: Task, now: datetime) -> str:
    if task.state in FAILED:
        return "bad"
    return "warn" if task.error or task.failing(now) else "faint"


def _folded(words: Safe, width: int, look: str, stop: str) -> list[Row]:
    return [
        paint.row(Safe("       "), (line, look), stop=stop)
        for line in paint.fold(words, max(20, width - 8))
    ]
