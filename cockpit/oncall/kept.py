"""How the last check before a shift ended, on disk, so that the next incident can say it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from cockpit import paths
from cockpit.text import clean_line

if TYPE_CHECKING:
    from cockpit.oncall.result import Result

OLD: Final = timedelta(days=1)
_MOST: Final = 1 << 20
_TOLD: Final = 5


class Kept(msgspec.Struct, frozen=True):
    """A check that was carried out. at: UTC. wrong: a line for each thing that was.

    ticked: what a person said is done.
    """

    at: datetime
    outcome: str
    wrong: tuple[str, ...] = ()
    ticked: tuple[str, ...] = ()

    def old(self, now: datetime) -> bool:
        """Whether it is too long ago to be relied on."""
        return now - self.at > OLD


def keep(outcome: str, results: Sequence[Result], now: datetime) -> str:
    """Writes the last result down; returns a sentence that says why it could not be, or nothing."""
    from cockpit.incident.markdown_file import replace_file
    from cockpit.oncall.checks import DONE
    from cockpit.oncall.result import Mark

    path = paths.checks()
    wrong = [one for one in results if one.mark in (Mark.BAD, Mark.WARN)]
    wrong.sort(key=lambda one: one.mark is not Mark.BAD)
    words = tuple(f"{one.name}: {one.said}".rstrip(".") for one in wrong)
    ticked = tuple(str(one.name) for one in results if one.said == DONE)
    data = msgspec.json.encode(Kept(now, outcome, words, ticked)).decode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return f"{path.parent} could not be made: {error.strerror or error}."
    return replace_file(path, data + "\n")


def last() -> Kept | None:
    """The last result; None where there is none, or none that can be read. Never raises."""
    try:
        with paths.checks().open("rb") as file:
            raw = file.read(_MOST)
        found = msgspec.json.decode(raw, type=Kept)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    if found.at.tzinfo is None:
        return None
    # Plain str: a journal takes no other.
    words, ticked = (
        tuple(str(clean_line(one)) for one in lines) for lines in (found.wrong, found.ticked)
    )
    return Kept(found.at, str(clean_line(found.outcome)), words, ticked)


def worth_saying(kept: Kept | None, now: datetime) -> Kept | None:
    """The result as an incident begins with it: where all was well and lately, nothing is said."""
    if kept is None:
        return None
    wrong = kept.wrong
    if len(wrong) > _TOLD:
        wrong = (*wrong[:_TOLD], f"and {len(wrong) - _TOLD} more")
    if kept.old(now):
        hours = int((now - kept.at).total_seconds() // 3600)
        how_old = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
        wrong = (f"that is {how_old} ago", *wrong)
    if not wrong and kept.outcome == "ready":
        return None
    return Kept(kept.at.astimezone(UTC), kept.outcome, wrong)
