"""What was asked about a container, in rows: health checks, events, its end, mounts, its making."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.containers.details import About, Detail, Happened, Health, Image, Part, age
from cockpit.containers.disk_use import Used
from cockpit.containers.reasons import reason
from cockpit.text import Safe, clean_line
from cockpit.words import duration, many, size
from screens import paint
from screens.paint import Row

if TYPE_CHECKING:
    from cockpit.containers.container import Container

CHECKS: Final = 5
EVENTS: Final = 12
LAST_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Counted:
    """What its mounts take, by their source. words: when that was counted, or why it was not."""

    used: Mapping[str, Used]
    words: Safe


def told(
    one: Container, detail: Detail, counted: Counted, now: datetime, width: int
) -> Iterator[Row]:
    """All parts, each with its trouble. now: by the engine's clock."""
    about = detail.about
    if about.value is None:
        yield from folded(about.trouble, width, "bad")
    else:
        yield from _health(about.value.health, width)
    yield from _events(detail.events, width)
    if about.value is not None:
        yield from _ending(about.value, now, width)
        yield from _mounts(about.value, counted, width)
        yield from _made(one, about.value, detail.image, now, width)
    asked = f"Asked at {detail.asked:%H:%M:%S} UTC, by the engine's clock. r asks again."
    yield paint.row()
    yield from folded(Safe(asked), width, "faint")


def _health(health: Health | None, width: int) -> Iterator[Row]:
    yield heading("Health check")
    if health is None:
        yield from folded(Safe("It has none."), width, "faint")
        return
    bad = health.status == "unhealthy"
    fails = f", {many(health.failing, 'failure')} in a row" if health.failing else ""
    every = f", every {duration(health.every)}" if health.every >= 10 else ""
    yield from folded(
        Safe(f"{health.status}{fails}{every}: {health.test}"), width, "bad" if bad else ""
    )
    said: tuple[int, Safe] | None = None
    for check in health.checks[:CHECKS]:
        at = f"{check.at:%H:%M:%S}" if check.at else "--:--:--"
        before, said = said, (check.exit_code, check.output)
        how = "passed" if check.exit_code == 0 else f"failed with {check.exit_code}"
        look = "" if check.exit_code == 0 else "warn"
        yield from folded(Safe(f"{at}  {how} after {duration(check.seconds)}"), width, look)
        if said == before:
            continue  # the same words again
        for line in check.output.split("\n")[-LAST_LINES:] if check.output else ():
            yield from folded(Safe(f"          {line}"), width, "faint")


def _events(events: Part[tuple[Happened, ...]], width: int) -> Iterator[Row]:
    yield heading("Events of the last hour, as far as its engine remembers")
    if events.value is None:
        yield from folded(events.trouble, width, "bad")
        return
    if not events.value:
        yield from folded(Safe("none"), width, "faint")
    for event in events.value[:EVENTS]:
        at = f"{event.at:%H:%M:%S}" if event.at else "--:--:--"
        yield from folded(Safe(f"{at}  {event.words}"), width, "warn" if event.bad else "")
    more = len(events.value) - EVENTS
    if more > 0:
        yield from folded(Safe(f"and {many(more, 'older one')}"), width, "faint")


def _ending(about: About, now: datetime, width: int) -> Iterator[Row]:
    yield heading("Last end")
    if about.finished is None:
        yield from folded(Safe("It has not ended since it was made."), width, "faint")
        return
    # Of one that runs again, the engine keeps when it ended, and not how.
    words = age(about.finished, now)
    if about.state not in ("running", "paused"):
        why = f"{about.exit_code}: {reason(about.exit_code, about.oom)}"
        words = Safe(f"{words}, exit code {why}")
    yield from folded(words, width, "")
    if about.error:
        yield from folded(about.error, width, "warn")


def _mounts(about: About, counted: Counted, width: int) -> Iterator[Row]:
    yield heading("Mounts")
    if not about.mounts:
        yield from folded(Safe("none"), width, "faint")
    for one in about.mounts:
        source = clean_line(one.name or one.source)
        lead = f"{one.kind} {source} -> " if source else f"{one.kind} "
        ending = "" if one.writable else ", read only"
        used = counted.used.get(one.source)
        said = f": {used.words}" if used else ""
        look = "warn" if used and used.full else ""
        yield from folded(Safe(f"{lead}{one.target}{ending}{said}"), width, look)
    if about.mounts:
        yield from folded(counted.words or Safe("u counts what they take."), width, "faint")


def _made(
    one: Container, about: About, image: Part[Image], now: datetime, width: int
) -> Iterator[Row]:
    yield heading("Ports and networks")
    for words in (*about.ports, *about.networks) or (Safe(f"mode {about.network_mode}"),):
        yield from folded(words, width, "")
    yield heading("How it was made")
    facts = [("image", about.image)]
    if image.value is None:
        facts.append(("", image.trouble))
    else:
        tagged = about.image in image.value.tags or not image.value.tags
        if not tagged:
            tags = ", ".join(image.value.tags)
            facts.append(("", Safe(f"that name is another image now; this one is {tags}")))
        facts.append(("image built", age(image.value.created, now)))
        facts.append(("image size", Safe(size(image.value.size))))
    facts += [
        ("made", age(about.created, now)),
        ("command", about.command),
        ("user", about.user),
        ("on an end", about.restart_policy),
        ("limits", about.limits),
        ("log driver", about.logging),
        ("id", Safe(about.id[:12])),
    ]
    if one.project:
        facts.append(("compose", Safe(f"{one.project}, service {one.service}")))
        facts.append(("", clean_line(one.config_files)))
    for name, words in facts:
        if words:
            yield from folded(Safe(f"{name:<12} {words}"), width, "", hang=13)
    hidden = sum(not each.shown for each in about.environment)
    count = f"{many(len(about.environment), 'variable')}, {hidden} of them hidden: e shows them"
    yield from folded(Safe(f"{'environment':<12} {count}"), width, "", hang=13)


def heading(words: str) -> Row:
    """The line above a part."""
    return paint.row((Safe(f" {words}"), "title"))


def folded(words: Safe, width: int, look: str, hang: int = 0) -> Iterator[Row]:
    """Words in as many rows as they need."""
    for parts in paint.fold_parts([(words, look)], max(10, width - 2), hang):
        yield paint.row((Safe(" "), ""), *parts)
